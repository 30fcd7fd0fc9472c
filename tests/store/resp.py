"""A server of the tests' own that speaks as much of Redis as hints need; it can die, come back, and hang."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Iterator

import pytest


class FakeRedis:
    """Publish and subscribe on a port of this machine.

    Attributes:
        published: payloads that were sent, with their channel.
        hangs: connections are taken, and never answered.
    """

    def __init__(self) -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = int(free.getsockname()[1])
        self.published: list[tuple[bytes, bytes]] = []
        self.hangs = False
        self._lock = threading.Lock()
        self._clients: dict[socket.socket, set[bytes]] = {}
        self._server: socket.socket | None = None

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}"

    @property
    def subscribers(self) -> int:
        with self._lock:
            return sum(1 for channels in self._clients.values() if channels)

    def start(self) -> None:
        server = socket.create_server(("127.0.0.1", self.port), reuse_port=False)
        self._server = server
        threading.Thread(target=self._accept, args=(server,), daemon=True).start()

    def kill(self) -> None:
        """Close everything at once, as a process that is killed does."""
        if self._server is not None:
            with contextlib.suppress(OSError):
                self._server.shutdown(socket.SHUT_RDWR)
            self._server.close()
            self._server = None
        with self._lock:
            clients, self._clients = list(self._clients), {}
        for client in clients:
            with contextlib.suppress(OSError):
                client.shutdown(socket.SHUT_RDWR)
            client.close()

    def _accept(self, server: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = server.accept()
                with self._lock:
                    self._clients[client] = set()
                threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        with contextlib.suppress(OSError, ValueError), client.makefile("rb") as lines:
            while head := lines.readline():
                parts = []
                for _ in range(int(head[1:])):
                    size = int(lines.readline()[1:])
                    parts.append(lines.read(size + 2)[:-2])
                if not self.hangs:
                    client.sendall(self._answer(client, parts))
        with self._lock:
            self._clients.pop(client, None)

    def _answer(self, client: socket.socket, parts: list[bytes]) -> bytes:
        command = parts[0].upper()
        if command == b"PUBLISH":
            self.published.append((parts[1], parts[2]))
            with self._lock:
                hearing = [each for each, channels in self._clients.items() if parts[1] in channels]
            for each in hearing:
                with contextlib.suppress(OSError):
                    each.sendall(_array(b"message", parts[1], parts[2]))
            return b":%d\r\n" % len(hearing)
        if command in (b"SUBSCRIBE", b"UNSUBSCRIBE"):
            with self._lock:
                channels = self._clients[client]
                channels.update(parts[1:]) if command == b"SUBSCRIBE" else channels.clear()
            return b"*3\r\n" + _bulk(command.lower()) + _bulk(parts[1] if parts[1:] else b"") + b":1\r\n"
        if command == b"PING":
            listening = bool(self._clients.get(client))
            return _array(b"pong", parts[1] if parts[1:] else b"") if listening else b"+PONG\r\n"
        return b"+OK\r\n" if command in (b"CLIENT", b"SELECT", b"AUTH") else b"-ERR unknown command\r\n"


def _bulk(data: bytes) -> bytes:
    return b"$%d\r\n%s\r\n" % (len(data), data)


def _array(*parts: bytes) -> bytes:
    return b"*%d\r\n" % len(parts) + b"".join(map(_bulk, parts))


@pytest.fixture
def fake_redis() -> Iterator[FakeRedis]:
    made = FakeRedis()
    made.start()
    yield made
    made.kill()
