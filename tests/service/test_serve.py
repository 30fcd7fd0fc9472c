"""`samebody serve` as a person starts it: processes of its own, killed while they work, told of by a webhook."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from samebody.service.client import ApiError, Client, verify_webhook
from tests.service.conftest import Pictures

pytestmark = pytest.mark.weights


@dataclass
class Served:
    url: str
    key: str
    store: Path
    process: subprocess.Popen[str]
    lines: list[str] = field(default_factory=list)


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


@pytest.fixture
def served(tmp_path: Path, _weights: None) -> Iterator[Served]:
    port = free_port()
    environment = {
        **os.environ,
        "SAMEBODY_SERVICE_PRIVATE_WEBHOOKS": "true",
        "PYTHONUNBUFFERED": "1",
        "SAMEBODY_SERVICE_LEASE_SECONDS": "5",
    }
    command = [
        sys.executable,
        "-m",
        "samebody",
        "serve",
        "--store",
        str(tmp_path / "store"),
        "--port",
        str(port),
        "--workers",
        "1",
    ]
    log = (tmp_path / "log").open("w")
    process = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=log, text=True)
    lines: list[str] = []
    assert process.stdout is not None
    for line in process.stdout:
        lines.append(line)
        if "serves" in line:
            break
    key = next(found[1] for line in lines if (found := re.search(r"Admin key \(shown this once\): (\S+)", line)))
    running = Served(f"http://127.0.0.1:{port}", key, tmp_path / "store", process, lines)
    with Client(running.url, key, retries=0) as api:
        deadline = time.monotonic() + 90
        while True:
            try:
                if api.readyz()["ready"]:
                    break
            except ApiError:
                assert time.monotonic() < deadline, (tmp_path / "log").read_text()
            time.sleep(0.3)
    yield running
    process.send_signal(signal.SIGTERM)
    assert process.wait(60) == 0
    assert not children(process.pid)


def children(parent: int, role: str = "") -> list[int]:
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                status = (entry / "stat").read_text().rpartition(")")[2].split()
                arguments = (entry / "cmdline").read_bytes().decode().split("\0")
            except OSError:
                continue
            if int(status[1]) == parent and role in arguments:
                found.append(int(entry.name))
    return found


@pytest.mark.skipif(not Path("/proc").is_dir(), reason="needs /proc to find the worker")
def test_a_session_over_http_whose_worker_is_killed(served: Served, pictures: Pictures) -> None:
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
    with Client(served.url, served.key) as api:
        endpoint = api.create_endpoint(url=f"http://127.0.0.1:{server.server_port}/hook", kinds=["session.accepted"])
        made = api.create_session(policy="no-liveness", reference="order 7")
        with Client(served.url, made["client_token"]) as person:
            person.give_consent(made["id"], version="2026-1", language="en")
            person.upload_media(made["id"], pictures.selfie.read_bytes(), role="selfie", content_type="image/jpeg")
            person.upload_media(
                made["id"], pictures.document.read_bytes(), role="document_front", content_type="image/jpeg"
            )
            person.submit_session(made["id"])
        deadline = time.monotonic() + 120
        while api.get_session(made["id"])["state"] == "submitted" and time.monotonic() < deadline:
            time.sleep(0.02)
        (worker,) = children(served.process.pid, "worker")
        os.kill(worker, signal.SIGKILL)
        while (state := api.get_session(made["id"])["state"]) in ("submitted", "processing"):
            assert time.monotonic() < deadline
            time.sleep(0.2)
        assert state == "accepted"
        assert api.get_verdict(made["id"])["decision"] == "accept"
        assert told.wait(60)
        messages = [verify_webhook(endpoint["secret"], headers, body) for headers, body in received]
        assert {message["data"]["session"] for message in messages} == {made["id"]}
        assert len({headers["webhook-id"] for headers, _ in received}) == 1
    server.shutdown()
    for path in served.store.rglob("*"):
        if path.is_file():
            assert pictures.selfie.read_bytes()[1000:1032] not in path.read_bytes(), path
