"""What stands before every route: request ids, sizes and times of bodies, how many at once, how often a key may ask."""

from __future__ import annotations

import asyncio
import contextlib
import threading
import time
from collections import OrderedDict
from dataclasses import dataclass, field

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from samebody.errors import SamebodyError
from samebody.service.errors import BodyTooLargeError, BodyTooSlowError, BusyError, RateLimitedError
from samebody.service.metrics import Requests
from samebody.service.problems import of_error
from samebody.service.settings import ServiceSettings
from samebody.store.ids import new_id

_ALWAYS = frozenset({"/v1/healthz", "/v1/readyz", "/v1/metrics"})
"""Answered also when the service is full: whoever watches it must be able to see that."""


class Gate:
    """Outermost layer: an id for each request, limits of requests in flight, of a body's bytes and of its time."""

    def __init__(self, app: ASGIApp, settings: ServiceSettings, requests: Requests) -> None:
        self._app, self._settings, self._requests = app, settings, requests
        self.in_flight = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """See the ASGI specification."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request_id = scope["samebody.request_id"] = new_id("req")
        refused: list[SamebodyError] = []
        begun, status = time.perf_counter(), 500

        async def tell(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] = [
                    *message.get("headers", ()),
                    (b"x-request-id", request_id.encode()),
                    (b"x-content-type-options", b"nosniff"),
                ]
            await send(message)

        full = self.in_flight >= self._settings.max_requests and scope["path"] not in _ALWAYS
        if full:
            busy = BusyError("the service answers as many requests as it can.", hint="Try again in a moment.")
            await of_error(request_id, busy)(scope, receive, tell)
            return
        self.in_flight += 1
        try:
            # an error while the body is read reaches no handler of ours: the framework answers 400 for it instead
            async def tell_unless_refused(message: Message) -> None:
                if not refused:
                    await tell(message)

            with contextlib.suppress(BodyTooLargeError, BodyTooSlowError):
                await self._app(scope, self._limited(scope, receive, refused), tell_unless_refused)
            if refused:
                await of_error(request_id, refused[0])(scope, receive, tell)
        finally:
            self.in_flight -= 1
            # the name of the route, never its path: that holds ids
            name = getattr(scope.get("route"), "name", "(none)")
            self._requests.note(name, scope["method"], status, time.perf_counter() - begun)

    def _limited(self, scope: Scope, receive: Receive, refused: list[SamebodyError]) -> Receive:
        declared = next((value for name, value in scope["headers"] if name == b"content-length"), b"0")
        limit, deadline, seen = self._settings.max_body, time.monotonic() + self._settings.body_seconds, 0
        complete = False

        def refuse(error: SamebodyError) -> SamebodyError:
            refused.append(error)
            return error

        def too_large() -> SamebodyError:
            return refuse(BodyTooLargeError(f"the body has more than {limit} bytes.", hint="Send a smaller picture."))

        async def limited() -> Message:
            nonlocal seen, complete
            if complete:
                return await receive()  # only a disconnect can follow
            if declared.isdigit() and int(declared) > limit:
                raise too_large()
            try:
                message = await asyncio.wait_for(receive(), max(0.001, deadline - time.monotonic()))
            except TimeoutError:
                slow = BodyTooSlowError("the body did not arrive in time.", hint="Use a faster connection.")
                raise refuse(slow) from None
            if message["type"] == "http.request":
                seen += len(message.get("body", b""))
                complete = not message.get("more_body", False)
                if seen > limit:
                    raise too_large()
            return message

        return limited


@dataclass(slots=True)
class _Bucket:
    left: float
    at: float


@dataclass(slots=True)
class RateLimiter:
    """Token buckets by key: a minute's requests at once, refilled evenly. One process counts for itself.

    Attributes:
        rate: requests a minute.
        keep: how many keys are remembered; the one unused longest is forgotten, which favours it by one minute.
    """

    rate: float
    keep: int = 10_000
    _buckets: OrderedDict[str, _Bucket] = field(default_factory=OrderedDict, repr=False)
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)

    def take(self, key: str, *, now: float | None = None) -> tuple[int, float]:
        """Take one request of ``key``; returns how many are left, and the seconds until the bucket is full again.

        Raises:
            RateLimitedError: none is left.
        """
        at = time.monotonic() if now is None else now
        each_second = self.rate / 60
        with self._lock:
            bucket = self._buckets.pop(key, None) or _Bucket(self.rate, at)
            bucket.left = min(self.rate, bucket.left + max(0.0, at - bucket.at) * each_second)
            bucket.at = at
            self._buckets[key] = bucket
            if len(self._buckets) > self.keep:
                self._buckets.popitem(last=False)
            if bucket.left < 1:
                raise RateLimitedError((1 - bucket.left) / each_second)
            bucket.left -= 1
            return int(bucket.left), (self.rate - bucket.left) / each_second
