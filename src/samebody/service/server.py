"""The HTTP server: uvicorn with limits on connections that it does not have: slow headers, slow readers, too many.

uvicorn limits the wait between two requests and nothing else: a client that sends a byte of its headers now and then,
or never reads its answer, would hold a connection for ever.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from types import FrameType
from typing import Any, cast

import uvicorn
from fastapi import FastAPI
from starlette.types import ASGIApp
from uvicorn.protocols.http.h11_impl import H11Protocol

from samebody.service.settings import ServiceSettings

_SLOW = b"HTTP/1.1 408 Request Timeout\r\nconnection: close\r\ncontent-length: 0\r\n\r\n"
_FULL = b"HTTP/1.1 503 Service Unavailable\r\nconnection: close\r\nretry-after: 2\r\ncontent-length: 0\r\n\r\n"


class BoundedProtocol(H11Protocol):
    """A connection with three limits: until the headers are complete, until the answer is, and how many there are.

    Attributes:
        settings: where the limits stand; set by :func:`server`.
    """

    settings: ServiceSettings
    _timer: asyncio.TimerHandle | None = None
    _in_head = True
    _since = 0.0

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """A client connected: it has ``head_seconds`` for its first request."""
        super().connection_made(transport)
        self._expect_head()
        if len(self.connections) > self.settings.max_connections:
            self._make_room()

    def data_received(self, data: bytes) -> None:
        """Bytes came: of headers, of a body, or of the next request."""
        if not self._in_head and not self._answering():
            self._expect_head()  # uvicorn stops its own timer at the first byte of the next request
        super().data_received(data)
        if self._in_head and self._answering():
            self._in_head = False
            self._arm(self.settings.request_seconds, self._stuck)

    def on_response_complete(self) -> None:
        """The answer is written; between two requests uvicorn's own limit holds."""
        self._disarm()
        super().on_response_complete()
        if self._answering() or self._unread():  # the next one had come already; or closing would wait for the reader
            self._arm(self.settings.request_seconds, self._stuck)

    def connection_lost(self, exc: Exception | None) -> None:
        """The connection is gone."""
        self._disarm()
        super().connection_lost(exc)

    def _answering(self) -> bool:
        cycle: Any = self.cycle  # None before the first request, which its annotation does not say
        return cycle is not None and not cycle.response_complete

    def _unread(self) -> bool:
        return self.transport.get_write_buffer_size() > 0

    def _expect_head(self) -> None:
        self._in_head, self._since = True, self.loop.time()
        self._arm(self.settings.head_seconds, self._slow)

    def _make_room(self) -> None:
        """Close the connection that waits longest without a request; this one, when every other has one."""
        others = [cast(BoundedProtocol, each) for each in self.connections if each is not self]
        idle = [each for each in others if not each._answering()]
        if idle:
            min(idle, key=lambda each: (each._unread(), each._since))._end(_SLOW)
        else:
            self._end(_FULL)

    def _slow(self) -> None:
        self._end(_SLOW)

    def _stuck(self) -> None:
        if self._answering() or self._unread():
            self.transport.abort()  # it does not read: what is written to it would wait in memory

    def _end(self, answer: bytes) -> None:
        self._disarm()
        self.connections.discard(self)
        if self._unread():
            self.transport.abort()
        elif not self.transport.is_closing():
            self.transport.write(answer)
            self.transport.close()

    def _arm(self, seconds: float, then: Any) -> None:
        self._disarm()
        self._timer = self.loop.call_later(seconds, then)

    def _disarm(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None


class DrainingServer(uvicorn.Server):
    """A server that says first that it will end, goes on for a while, and then ends.

    Whoever sends it requests (a load balancer, Kubernetes) hears of the end later than the process does; what it sends
    in between would be refused.

    Args:
        seconds: from the signal until no more connections are taken.
        drain: called at the signal: readiness says no from then on.
    """

    def __init__(self, config: uvicorn.Config, seconds: float, drain: Callable[[], None]) -> None:
        super().__init__(config)
        self._seconds, self._drain = seconds, drain
        self._ending = False

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """A signal to end; a second one ends at once."""
        self._drain()
        if self._ending or self._seconds == 0:
            super().handle_exit(sig, frame)
            return
        self._ending = True
        timer = threading.Timer(self._seconds, super().handle_exit, (sig, frame))
        timer.daemon = True
        timer.start()


def server(
    app: ASGIApp, settings: ServiceSettings, *, host: str, port: int, drain: Callable[[], None] = lambda: None
) -> uvicorn.Server:
    """A server that answers the requests in hand before it ends, for 20 seconds at most.

    Args:
        drain: called when a signal to end came.
    """
    protocol = type("Protocol", (BoundedProtocol,), {"settings": settings})
    config = uvicorn.Config(
        app, host=host, port=port, http=protocol, ws="none", log_level="warning", log_config=None, access_log=False,
        server_header=False, date_header=True, timeout_graceful_shutdown=20, timeout_keep_alive=15,
        h11_max_incomplete_event_size=64 * 1024,
    )  # fmt: skip
    return DrainingServer(config, settings.drain_seconds, drain)


def serve(app: FastAPI, settings: ServiceSettings, *, host: str, port: int) -> None:
    """Serve until SIGTERM or SIGINT; readiness says no from then on.

    Raises:
        SystemExit: the address cannot be used.
    """
    running = server(app, settings, host=host, port=port, drain=app.state.service.drain)
    running.run()
    if not running.started:
        raise SystemExit(3)
