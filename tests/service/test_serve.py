"""`samebody serve` as a person starts it: a worker killed while it works, a webhook refused once, an orderly end."""

from __future__ import annotations

import os
import signal
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import httpx
import pytest

from benchmarks.service_load.served import Served, children
from samebody.service.client import Client, verify_webhook
from samebody.service.processes import GIVES_WAY
from samebody.store import LocalMasterKey, State, Store
from tests.service.conftest import Pictures

pytestmark = pytest.mark.weights


def filled(served: Served, api: Client, pictures: Pictures, reference: str) -> dict[str, str]:
    """A session that only has to be submitted."""
    made = api.create_session(policy="no-liveness", reference=reference)
    with served.client(made["client_token"]) as person:
        person.give_consent(made["id"], version="2026-1", language="en")
        for role, path in (("selfie", pictures.selfie), ("document_front", pictures.document)):
            person.upload_media(made["id"], path.read_bytes(), role=role, content_type="image/jpeg")
    return made


def wait_for(api: Client, session: str, states: set[str], seconds: float = 120) -> str:
    deadline = time.monotonic() + seconds
    while (state := api.get_session(session)["state"]) not in states:
        assert time.monotonic() < deadline, state
        time.sleep(0.02)
    return str(state)


@pytest.mark.skipif(not Path("/proc").is_dir(), reason="needs /proc to find the worker")
def test_a_session_over_http_whose_worker_is_killed(tmp_path: Path, pictures: Pictures) -> None:
    received: list[tuple[dict[str, str], bytes]] = []
    told = threading.Event()

    class Receiver(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            received.append((dict(self.headers), body))
            self.send_response(500 if len(received) == 1 else 204)  # at least once: the first try is refused
            self.send_header("Retry-After", "0")
            self.end_headers()
            if len(received) > 1:
                told.set()

        def log_message(self, *_: object) -> None:
            return

    server = ThreadingHTTPServer(("127.0.0.1", 0), Receiver)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    settings = {"lease_seconds": 5, "webhook_waits": [0.5, 1, 2]}
    with Served(tmp_path, workers=1, settings=settings) as served, served.client() as api:
        assert served.process is not None
        url = f"http://127.0.0.1:{server.server_port}/hook"
        endpoint = api.create_endpoint(url=url, kinds=["session.accepted"])
        made = filled(served, api, pictures, "order 7")
        api.submit_session(made["id"])
        wait_for(api, made["id"], {"processing"})
        (worker,), (answering,) = served.children("worker"), served.children("api")
        workers_give_way(worker, answering)
        os.kill(worker, signal.SIGKILL)
        assert wait_for(api, made["id"], {"accepted", "rejected", "retry", "review", "failed"}) == "accepted"
        assert api.get_verdict(made["id"])["decision"] == "accept"
        assert told.wait(60)
        messages = [verify_webhook(endpoint["secret"], headers, body) for headers, body in received]
        assert {message["data"]["session"] for message in messages} == {made["id"]}
        assert len({headers["webhook-id"] for headers, _ in received}) == 1
        for path in served.store.rglob("*"):
            if path.is_file():
                assert pictures.selfie.read_bytes()[1000:1032] not in path.read_bytes(), path
        an_orderly_end(served, api, filled(served, api, pictures, "order 8"), filled(served, api, pictures, "order 9"))
    server.shutdown()


def workers_give_way(worker: int, answering: int) -> None:
    """To the API, also where the kernel shares a processor between sessions before it looks at niceness."""
    nice = [os.getpriority(os.PRIO_PROCESS, each) for each in (worker, answering)]
    assert nice[0] - nice[1] == GIVES_WAY
    groups = [Path(f"/proc/{each}/autogroup") for each in (worker, answering)]
    if all(each.is_file() for each in groups):
        of_session = [int(each.read_text().split()[-1]) for each in groups]
        assert of_session[0] == GIVES_WAY and of_session[1] <= 0


def an_orderly_end(served: Served, api: Client, one: dict[str, str], two: dict[str, str]) -> None:
    """SIGTERM: the session in hand is finished, the request that is coming in is answered, what waits is kept."""
    assert served.process is not None
    api.submit_session(one["id"])
    wait_for(api, one["id"], {"processing"})
    api.submit_session(two["id"])
    ended = threading.Event()

    def slow_body() -> object:
        yield b'{"policy": '
        served.process.send_signal(signal.SIGTERM)  # type: ignore[union-attr]
        time.sleep(0.5)
        yield b'"no-liveness", "reference": "order 10"}'
        ended.set()

    key = {"Authorization": f"Bearer {served.key}", "Content-Type": "application/json"}
    answer = httpx.post(f"{served.url}/v1/sessions", content=slow_body(), headers=key, timeout=30)
    assert answer.status_code == 201 and ended.is_set()
    assert served.process.wait(60) == 0
    assert not children(served.process.pid)
    master = [LocalMasterKey.from_file(served.folder / "store.key")]
    with Store.open(served.store, master=master) as store, store.read() as tx:
        assert store.sessions.get(tx, "local", one["id"]).state is State.ACCEPTED
        assert store.sessions.get(tx, "local", two["id"]).state in (State.SUBMITTED, State.ACCEPTED)  # not half-done
        assert store.sessions.get(tx, "local", answer.json()["id"]).state is State.CREATED
