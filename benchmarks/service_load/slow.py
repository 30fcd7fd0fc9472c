"""Slow clients by the hundred: headers that never end, bodies that never end, answers that nobody reads.

They come again as soon as they are cut off. Meanwhile a person does sessions, and every request of theirs is answered.
"""

from __future__ import annotations

import selectors
import socket
import statistics
import tempfile
import threading
import time
from collections import Counter
from pathlib import Path
from typing import Any

from benchmarks.service_load.pictures import POLICY, cheap, fill
from benchmarks.service_load.served import Served
from samebody.service.client import ApiError

KINDS = ("headers", "body", "reader")
SETTINGS = {
    "head_seconds": 3, "body_seconds": 6, "request_seconds": 10, "max_connections": 256, "max_bodies": 64, "rate": 1e6,
}  # fmt: skip
"""Limits shorter than the default ones, so that a short run reaches each of them."""


class Slow:
    """``count`` connections of each kind, made again when they end; a context manager."""

    def __init__(self, served: Served, count: int) -> None:
        self._port, self._key, self._count = served.port, served.key, count
        self.ended: Counter[str] = Counter()
        self.longest: dict[str, float] = dict.fromkeys(KINDS, 0.0)
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def _begin(self, kind: str) -> socket.socket | None:
        try:
            client = socket.create_connection(("127.0.0.1", self._port), timeout=1)
        except OSError:
            return None
        head = {
            "headers": "GET /v1/sessions HTTP/1.1\r\nHost: x\r\nX-",
            "body": "POST /v1/sessions HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
            f"Authorization: Bearer {self._key}\r\nContent-Length: 100000\r\n\r\n",
            "reader": "GET /v1/openapi.json HTTP/1.1\r\nHost: x\r\n\r\n" * 40,
        }[kind]
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
        try:
            client.sendall(head.encode())
        except OSError:
            client.close()
            return None
        client.setblocking(False)
        return client

    def _run(self) -> None:
        open_: dict[socket.socket, tuple[str, float]] = {}
        while not self._stop.is_set():
            held = Counter(kind for kind, _ in open_.values())
            for kind in KINDS:
                for _ in range(min(20, self._count - held[kind])):
                    if (client := self._begin(kind)) is not None:
                        open_[client] = kind, time.monotonic()
            for client, (kind, since) in list(open_.items()):
                if self._over(client, kind):
                    self.ended[kind] += 1
                    self.longest[kind] = max(self.longest[kind], time.monotonic() - since)
                    client.close()
                    del open_[client]
                else:
                    self.longest[kind] = max(self.longest[kind], time.monotonic() - since)
            self._stop.wait(0.3)
        for client in open_:
            client.close()

    @staticmethod
    def _over(client: socket.socket, kind: str) -> bool:
        """Send one byte more, or nothing; whether the service has ended the connection."""
        try:
            if kind == "reader":  # reads nothing: that it was cut off is all that it notices
                with selectors.DefaultSelector() as ready:
                    ready.register(client, selectors.EVENT_WRITE)
                    if ready.select(0):
                        client.send(b"G")
                return False
            client.send(b"a")
            client.recv(1024)
            return True  # the end of the connection, or the answer that comes before it
        except BlockingIOError:
            return False
        except OSError:
            return True

    def __enter__(self) -> Slow:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()


def measure(*, count: int, seconds: float) -> dict[str, Any]:
    """Sessions of a person alone, then beside ``count`` slow clients of each kind."""
    pictures, alone, beside, failed = cheap(), list[float](), list[float](), Counter[str]()

    def person(served: Served, until: float, times: list[float]) -> None:
        with served.client(retries=0) as api:
            while time.monotonic() < until:
                begun = time.monotonic()
                try:
                    fill(served, api.create_session(policy=POLICY), pictures, retries=0)
                except ApiError as error:
                    failed[error.problem_code or str(error)] += 1
                else:
                    times.append(time.monotonic() - begun)

    with tempfile.TemporaryDirectory() as name, Served(Path(name), workers=1, settings=SETTINGS) as served:
        person(served, time.monotonic() + min(5.0, seconds), alone)
        with Slow(served, count) as slow:
            time.sleep(1.0)
            person(served, time.monotonic() + seconds, beside)
            memory = served.memory()
        status = served.stop()
    margin = 3.0  # the machine is busy, and the clients look every 0.3 s
    limits = dict(zip(KINDS, ("head_seconds", "body_seconds", "request_seconds"), strict=True))
    late = {kind: slow.longest[kind] for kind, name in limits.items() if slow.longest[kind] > SETTINGS[name] + margin}
    return {
        "count_each": count,
        "seconds": seconds,
        "settings": SETTINGS,
        "sessions_alone": len(alone),
        "session_alone_median_seconds": statistics.median(alone),
        "sessions_beside": len(beside),
        "session_beside_median_seconds": statistics.median(beside) if beside else None,
        "refused_to_the_person": dict(failed),
        "cut_off": dict(slow.ended),
        "longest_seconds": slow.longest,
        "api_memory_mib": memory["api"],
        "exit_status": status,
        "met": bool(beside) and not failed and not late and status == 0 and slow.ended["headers"] > 0,
    }
