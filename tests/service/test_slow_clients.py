"""Slow clients over real sockets: bounded by time, and others are served meanwhile."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager

import httpx
import pytest
from fastapi import Response

from samebody.service import bodies as bodies_module
from samebody.service.bodies import Bodies
from samebody.service.errors import BusyError
from samebody.service.limits import Gate
from samebody.service.server import server
from tests.service.conftest import Running, listening

HEAD = b"POST /v1/sessions HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"


def served(service: Running) -> AbstractContextManager[int]:
    """The application on a port of this machine, by the service's own server."""
    return listening(server(service.app, service.app.state.service.settings, host="127.0.0.1", port=0))


@contextmanager
def connected(port: int, sent: bytes) -> Iterator[socket.socket]:
    with socket.create_connection(("127.0.0.1", port), timeout=20) as client:
        client.sendall(sent)
        yield client


def all_of(client: socket.socket) -> bytes:
    parts = []
    try:
        while part := client.recv(65536):
            parts.append(part)
    except ConnectionResetError:
        pass
    return b"".join(parts)


def healthy(port: int) -> bool:
    return httpx.get(f"http://127.0.0.1:{port}/v1/healthz", timeout=20).status_code == 200


def test_headers_that_never_end(start: Callable[..., Running]) -> None:
    whole = b"GET /v1/healthz HTTP/1.1\r\nHost: x\r\n\r\n"
    with served(start(head_seconds=0.5)) as port, ExitStack() as stack:
        sent = (b"", b"GET /v1/hea", whole[:-2] + b"X-Slow: ")
        slow = [stack.enter_context(connected(port, each)) for each in sent]
        second = stack.enter_context(connected(port, whole))
        assert healthy(port)
        begun = time.monotonic()
        for each in slow:
            assert all_of(each).startswith(b"HTTP/1.1 408 ")
        assert second.recv(65536).startswith(b"HTTP/1.1 200 ")
        second.sendall(whole[:20])
        assert b"HTTP/1.1 408 " in all_of(second)
        assert time.monotonic() - begun < 12  # 15 is what uvicorn gives an idle connection


def test_connections_without_a_request_give_way(start: Callable[..., Running]) -> None:
    with served(start(max_connections=8)) as port, ExitStack() as stack:
        idle = [stack.enter_context(connected(port, b"GET /")) for _ in range(12)]
        assert healthy(port)
        assert all_of(idle[0]).startswith(b"HTTP/1.1 408 ")
        idle[-1].setblocking(False)
        with pytest.raises(BlockingIOError):
            idle[-1].recv(1)


def test_bodies_that_never_end_hold_no_slot(start: Callable[..., Running], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bodies_module, "PATIENCE", 0.2)
    monkeypatch.setattr(bodies_module, "GRACE", 0.0)
    service = start(max_requests=1, max_bodies=2)
    head = HEAD + b"Authorization: Bearer " + service.admin_key.encode() + b"\r\nContent-Length: 100\r\n\r\n"
    with served(service) as port, connected(port, head + b"{") as slow, connected(port, head + b'{"policy') as other:
        http = httpx.Client(
            base_url=f"http://127.0.0.1:{port}", headers={"Authorization": f"Bearer {service.admin_key}"}, timeout=20
        )
        assert http.get("/v1/sessions").status_code == 200
        time.sleep(0.3)
        assert http.post("/v1/sessions", json={}).status_code == 201  # the slowest body gave its place
        answer = all_of(slow)
        assert b" 408 " in answer.splitlines()[0] and b"request.too_slow" in answer
        other.setblocking(False)
        with pytest.raises(BlockingIOError):
            other.recv(1)


def test_a_body_that_comes_at_once_needs_no_place(
    start: Callable[..., Running], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bodies_module, "GRACE", 0.5)
    service = start(max_bodies=1)
    head = HEAD + b"Authorization: Bearer " + service.admin_key.encode() + b"\r\nContent-Length: 100\r\n\r\n"
    with served(service) as port, connected(port, head + b"{") as first, connected(port, head + b"{") as second:
        time.sleep(0.7)
        for connection in (first, second):  # it still comes: now it needs a place, and there is one
            connection.sendall(b'"')
        key = {"Authorization": f"Bearer {service.admin_key}"}
        made = httpx.post(f"http://127.0.0.1:{port}/v1/sessions", json={}, headers=key, timeout=20)
        assert made.status_code == 201
        answers = []
        for connection in (first, second):
            connection.settimeout(1.5)
            try:
                answers.append(connection.recv(65536))
            except TimeoutError:
                answers.append(b"")
        assert sorted(b" 503 " in answer for answer in answers) == [False, True]


def test_a_body_has_its_time(start: Callable[..., Running]) -> None:
    service = start(body_seconds=0.3)
    head = HEAD + b"Authorization: Bearer " + service.admin_key.encode() + b"\r\nTransfer-Encoding: chunked\r\n\r\n"
    with served(service) as port, connected(port, head + b"1\r\n{\r\n") as slow:
        answer = slow.recv(65536)
        assert b" 408 " in answer.splitlines()[0]


def test_who_does_not_read_the_answer_is_cut_off(start: Callable[..., Running]) -> None:
    service = start(request_seconds=4, max_requests=1)
    service.app.add_api_route("/v1/large", lambda: Response(bytes(30 * 2**20)), methods=["GET"])
    with served(service) as port, connected(port, b"GET /v1/large HTTP/1.1\r\nHost: x\r\n\r\n") as slow:
        assert slow.recv(1) == b"H"
        key = {"Authorization": f"Bearer {service.admin_key}"}
        assert httpx.get(f"http://127.0.0.1:{port}/v1/sessions", headers=key, timeout=20).status_code == 200
        time.sleep(4.2)
        assert len(all_of(slow)) < 30 * 2**20


def test_all_bodies_together_have_a_limit_of_memory(start: Callable[..., Running]) -> None:
    service = start(max_held=2**20)
    http = service.http(service.admin_key)
    answer = http.post("/v1/sessions", content=b" " * (2**20 + 1))
    assert (answer.status_code, answer.json()["code"]) == (503, "service.busy")
    assert int(answer.headers["retry-after"]) >= 1
    assert http.post("/v1/sessions", json={}).status_code == 201  # what was refused is not held any more


def test_places_of_bodies() -> None:
    places = Bodies(most=2, most_bytes=100)
    first, second, late = (places.begin(now=0.0) for _ in range(3))
    for each in (first, second, late):
        places.stay(each, now=0.9)
    assert len(places) == 0  # what comes within a second needs no place
    for each in (first, second):
        places.stay(each, now=1.0)
    with pytest.raises(BusyError):
        places.stay(late, now=1.5)  # both began just now
    places.take(first, 60)
    places.take(second, 30)
    third = places.begin(now=4.0)
    places.stay(third, now=5.0)
    assert second.given_way and not first.given_way and len(places) == 2
    with pytest.raises(BusyError):
        places.take(third, 11)
    for each in (first, second, third, third):
        places.end(each)
    assert len(places) == places.held == 0


def test_the_gate_is_empty_afterwards(service: Running, tiny_picture: bytes) -> None:
    made, person = service.consented()
    person.upload_media(made["id"], tiny_picture, role="selfie", content_type="image/jpeg")
    service.http().get("/v1/nothing")
    layer = service.app.middleware_stack
    while not isinstance(layer, Gate):
        layer = layer.app  # type: ignore[union-attr]
    assert (layer.in_work, len(layer.bodies), layer.bodies.held) == (0, 0, 0)
