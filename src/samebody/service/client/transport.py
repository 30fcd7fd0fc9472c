"""How calls reach the service: keys, idempotency, repeats where the answer asks for one, problems as errors."""

from __future__ import annotations

import asyncio
import time
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Self

import httpx

from samebody.service.client.errors import ApiError

Query = Mapping[str, Any]
OWN_WAIT = 5.0
"""Seconds at most between two tries when the service did not say how long."""


@dataclass(frozen=True, slots=True)
class Call:
    """One request, as the generated methods describe it.

    Attributes:
        body: JSON; ``content``: raw bytes, of ``content_type``.
        raw: the answer is bytes.
    """

    method: str
    path: str
    query: Query = field(default_factory=dict)
    body: Mapping[str, Any] | None = None
    content: bytes | None = None
    content_type: str = "application/octet-stream"
    idempotency_key: str | None = None
    raw: bool = False


class _Base:
    _retries: int
    _longest: float

    @staticmethod
    def _arguments(call: Call) -> dict[str, Any]:
        headers = {}
        if call.method == "POST":  # also without one from the caller: then a repeat of ours is safe
            headers["Idempotency-Key"] = call.idempotency_key or uuid.uuid4().hex
        if call.content is not None:
            headers["Content-Type"] = call.content_type
        arguments: dict[str, Any] = {"method": call.method, "url": call.path, "headers": headers}
        arguments["params"] = {name: value for name, value in call.query.items() if value is not None}
        if call.content is not None:
            arguments["content"] = call.content
        elif call.body is not None:
            arguments["json"] = {name: value for name, value in call.body.items() if value is not None}
        return arguments

    def _wait(self, answer: httpx.Response | None, tried: int) -> float | None:
        """Seconds until the next try; None when there is none."""
        asked = "" if answer is None else answer.headers.get("retry-after", "")
        # a conflict with Retry-After: our first try still runs, or died with its process
        again = answer is None or answer.status_code in (429, 503) or (answer.status_code == 409 and asked != "")
        if tried >= self._retries or not again:
            return None
        wait = float(asked) if asked.isascii() and asked.isdigit() else min(OWN_WAIT, 0.2 * 2.0**tried)
        return wait if wait <= self._longest else None

    @staticmethod
    def _read(call: Call, answer: httpx.Response) -> Any:
        if answer.is_success:
            return answer.content if call.raw else answer.json()
        try:
            problem = answer.json()
        except ValueError:
            problem = {}
        raise ApiError(answer.status_code, problem if isinstance(problem, dict) else {})


def _unreachable(error: httpx.HTTPError) -> ApiError:
    return ApiError(0, {"detail": f"the service cannot be reached ({type(error).__name__})."})


class SyncTransport(_Base):
    """Blocking calls.

    Args:
        url: of the service, without ``/v1``.
        key: API key or client token.
        retries: repeats after a broken connection, 429, 503, and a 409 that says when; POSTs carry an idempotency key,
            so that is safe.
        longest_wait: a longer Retry-After is told to the caller instead of waited for.
    """

    def __init__(
        self, url: str, key: str, *, timeout: float = 30, retries: int = 3, longest_wait: float = 30,
        http: httpx.Client | None = None,
    ) -> None:  # fmt: skip
        self._retries, self._longest = retries, longest_wait
        self._http = http or httpx.Client(base_url=url, timeout=timeout)
        self._http.headers["Authorization"] = f"Bearer {key}"

    def _send(self, call: Call) -> Any:
        arguments = self._arguments(call)
        for tried in range(self._retries + 1):
            answer = None
            try:
                answer = self._http.request(**arguments)
            except httpx.TransportError as error:
                if (wait := self._wait(None, tried)) is None:
                    raise _unreachable(error) from None
            else:
                if (wait := self._wait(answer, tried)) is None:
                    return self._read(call, answer)
            time.sleep(wait)
        raise AssertionError("unreachable")

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


class AsyncTransport(_Base):
    """The same for asyncio; arguments as :class:`SyncTransport`."""

    def __init__(
        self, url: str, key: str, *, timeout: float = 30, retries: int = 3, longest_wait: float = 30,
        http: httpx.AsyncClient | None = None,
    ) -> None:  # fmt: skip
        self._retries, self._longest = retries, longest_wait
        self._http = http or httpx.AsyncClient(base_url=url, timeout=timeout)
        self._http.headers["Authorization"] = f"Bearer {key}"

    async def _send(self, call: Call) -> Any:
        arguments = self._arguments(call)
        for tried in range(self._retries + 1):
            answer = None
            try:
                answer = await self._http.request(**arguments)
            except httpx.TransportError as error:
                if (wait := self._wait(None, tried)) is None:
                    raise _unreachable(error) from None
            else:
                if (wait := self._wait(answer, tried)) is None:
                    return self._read(call, answer)
            await asyncio.sleep(wait)
        raise AssertionError("unreachable")

    async def close(self) -> None:
        """Close the connections."""
        await self._http.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()
