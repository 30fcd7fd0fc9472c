"""What stands before every route: request ids, sizes and times of bodies, how many at once, how often a key may ask."""

from __future__ import annotations

import asyncio
import contextlib
import threading
import time
from collections import OrderedDict
from dataclasses import dataclass, field

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from samebody import tracing
from samebody.errors import SamebodyError
from samebody.service import headers
from samebody.service.bodies import Bodies, Body, busy
from samebody.service.errors import BodyTooLargeError, BodyTooSlowError, BusyError, CrossSiteError, RateLimitedError
from samebody.service.metrics import Requests
from samebody.service.problems import of_error
from samebody.service.settings import ServiceSettings
from samebody.store.ids import new_id

_ALWAYS = frozenset({"/v1/healthz", "/v1/readyz", "/v1/metrics"})
"""Answered also when the service is full: whoever watches it must be able to see that."""
RATE = "samebody.rate"
"""Where a request's scope holds the headers that tell its caller's rate; they go out with every answer."""


class Gate:
    """Outermost layer: an id for each request, limits of requests in work, of a body's bytes and of its time.

    A request is in work from the end of its body to the beginning of its answer; whoever sends or reads slowly is
    bounded by :mod:`samebody.service.bodies` and :mod:`samebody.service.server` instead.
    """

    def __init__(self, app: ASGIApp, settings: ServiceSettings, requests: Requests) -> None:
        self._app, self._settings, self._requests = app, settings, requests
        self.bodies = Bodies(settings.max_bodies, settings.max_held)
        self.in_work = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """See the ASGI specification."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request_id = scope["samebody.request_id"] = new_id("req")
        begun, passage = time.perf_counter(), _Passage(self, self._settings, scope, receive)
        with tracing.span("request", kind="server", link=_traceparent(scope), request_id=request_id) as span:
            try:
                await self._pass(request_id, passage, scope, send)
            finally:
                passage.end()
                # the name of the route, never its path: that holds ids
                name = getattr(scope.get("route"), "name", "(none)")
                span.rename(f"{scope['method']} {name}")
                span.set(operation=name, method=scope["method"], status=passage.status)
                if passage.status >= 500:
                    span.fail(str(passage.status))
                self._requests.note(name, scope["method"], passage.status, time.perf_counter() - begun)

    async def _pass(self, request_id: str, passage: _Passage, scope: Scope, send: Send) -> None:
        async def tell(message: Message) -> None:
            if message["type"] == "http.response.start":
                passage.leave_work()
                passage.status = message["status"]
                given = [*message.get("headers", ()), *scope.get(RATE, ()), (b"x-request-id", request_id.encode())]
                message["headers"] = headers.closed(given, https=self._settings.public_url.startswith("https://"))
            await send(message)

        # an error while the body is read reaches no handler of ours: the framework answers 400 for it instead
        async def tell_unless_refused(message: Message) -> None:
            if passage.refused is None:
                await tell(message)

        with contextlib.suppress(BodyTooLargeError, BodyTooSlowError, BusyError, CrossSiteError):
            passage.begin()
            await self._app(scope, passage.receive, tell_unless_refused)
        if passage.refused is not None:
            await of_error(request_id, passage.refused)(scope, passage.receive, tell)


def _traceparent(scope: Scope) -> str | None:
    """What the caller says their trace is: linked to, never joined, so that no stranger chooses ids or what is kept."""
    if not tracing.is_on():
        return None
    found = next((value for name, value in scope["headers"] if name == b"traceparent"), b"")
    return bytes(found[:100]).decode("latin-1") or None


class _Passage:
    """One request's way through the gate.

    Attributes:
        status: of the answer, once it began.
        refused: why it is not answered by the application.
    """

    def __init__(self, gate: Gate, settings: ServiceSettings, scope: Scope, receive: Receive) -> None:
        self._gate, self._settings, self._receive = gate, settings, receive
        self._scope = scope
        names = {name: value for name, value in scope["headers"] if name in (b"content-length", b"transfer-encoding")}
        length = names.get(b"content-length", b"0")
        self._declared = int(length) if length.isdigit() else 0
        self._has_body = self._declared > 0 or b"transfer-encoding" in names
        self._always = scope["path"] in _ALWAYS
        self._body: Body | None = None
        self._working = self._complete = False
        self._deadline = time.monotonic() + settings.body_seconds
        self.status = 500
        self.refused: SamebodyError | None = None

    def begin(self) -> None:
        """Begin the body, or take a place among the requests in work at once when there is none.

        Raises:
            BusyError: there is none.
            CrossSiteError: it is a form of the console that another site sent.
        """
        try:
            headers.require_own_page(self._scope)
            if self._has_body:
                self._body = self._gate.bodies.begin()
            else:
                self._work()
        except (BusyError, CrossSiteError) as error:
            raise self._refuse(error) from None

    async def receive(self) -> Message:
        """The application's ``receive``.

        Raises:
            BodyTooLargeError, BodyTooSlowError, BusyError: after which the gate answers.
        """
        if self._complete or self._body is None:
            return await self._receive()  # what follows a whole body is a disconnect
        if self._declared > self._settings.max_body:
            raise self._too_large()
        message = await self._next(self._body)
        if message["type"] == "http.request":
            try:
                self._gate.bodies.take(self._body, len(message.get("body", b"")))
                if self._body.seen > self._settings.max_body:
                    raise self._too_large()
                if not message.get("more_body", False):
                    self._complete = True
                    self._gate.bodies.complete(self._body)
                    self._work()
            except BusyError as error:
                raise self._refuse(error) from None
        return message

    async def _next(self, body: Body) -> Message:
        while True:
            left = self._deadline - time.monotonic()
            if left <= 0 or body.given_way:
                slow = BodyTooSlowError("the body did not arrive in time.", hint="Use a faster connection.")
                raise self._refuse(slow)
            try:
                self._gate.bodies.stay(body)
            except BusyError as error:
                raise self._refuse(error) from None
            with contextlib.suppress(TimeoutError):
                return await asyncio.wait_for(self._receive(), min(left, 1.0))

    def _work(self) -> None:
        if self._always:
            return
        if self._gate.in_work >= self._settings.max_requests:
            raise busy()
        self._gate.in_work += 1
        self._working = True

    def leave_work(self) -> None:
        """The answer begins: what remains is the client's speed."""
        if self._working:
            self._gate.in_work -= 1
            self._working = False

    def end(self) -> None:
        """Give back whatever it holds."""
        self.leave_work()
        if self._body is not None:
            self._gate.bodies.end(self._body)

    def _refuse(self, error: SamebodyError) -> SamebodyError:
        self.refused = error
        return error

    def _too_large(self) -> SamebodyError:
        limit = self._settings.max_body
        return self._refuse(BodyTooLargeError(f"the body has more than {limit} bytes.", hint="Send a smaller picture."))


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

    def take(self, key: str, *, rate: float | None = None, now: float | None = None) -> tuple[int, float]:
        """Take one request of ``key``; returns how many are left, and the seconds until the bucket is full again.

        Args:
            rate: of this key, where it is not the one of all.

        Raises:
            RateLimitedError: none is left.
        """
        at = time.monotonic() if now is None else now
        rate = self.rate if rate is None else rate
        each_second = rate / 60
        with self._lock:
            bucket = self._buckets.pop(key, None) or _Bucket(rate, at)
            bucket.left = min(rate, bucket.left + max(0.0, at - bucket.at) * each_second)
            bucket.at = at
            self._buckets[key] = bucket
            if len(self._buckets) > self.keep:
                self._buckets.popitem(last=False)
            if bucket.left < 1:
                raise RateLimitedError((1 - bucket.left) / each_second)
            bucket.left -= 1
            return int(bucket.left), (rate - bucket.left) / each_second
