"""``Idempotency-Key``: a POST that is sent again gets its first answer, and is not done again."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from typing import Annotated, Any

from fastapi import Depends, Header, Request, Response
from fastapi.responses import JSONResponse
from sqlalchemy.orm import Session

from samebody.service.access import Caller
from samebody.service.state import Service, service_of

Body = Mapping[str, Any]


class Once:
    """The idempotency of one request."""

    def __init__(self, service: Service, key: str | None, fingerprint: bytes) -> None:
        self._service, self._key, self._fingerprint = service, key, fingerprint

    def inside(self, caller: Caller, status: int, work: Callable[[Session], Body]) -> Response:
        """Do ``work`` in one transaction with its kept answer: a crash leaves both or neither."""
        store = self._service.store
        with store.write() as tx:
            if self._key is not None and (earlier := self._begin(tx, caller)) is not None:
                return earlier
            body = work(tx)
            if self._key is not None:
                store.idempotency.answer(tx, caller.tenant, caller.actor, self._key, status, body)
        return self._respond(status, body)

    def outside(self, caller: Caller, status: int, work: Callable[[], Body]) -> Response:
        """Do ``work`` that opens its own transactions; when it fails, the key is free again."""
        if self._key is None:
            return self._respond(status, work())
        store = self._service.store
        with store.write() as tx:
            if (earlier := self._begin(tx, caller)) is not None:
                return earlier
        try:
            body = work()
        except BaseException:
            with store.write() as tx:
                store.idempotency.forget(tx, caller.tenant, caller.actor, self._key)
            raise
        with store.write() as tx:
            store.idempotency.answer(tx, caller.tenant, caller.actor, self._key, status, body)
        return self._respond(status, body)

    def _begin(self, tx: Session, caller: Caller) -> Response | None:
        assert self._key is not None
        found = self._service.store.idempotency.begin(tx, caller.tenant, caller.actor, self._key, self._fingerprint)
        return None if found is None else self._respond(found.status, found.body, **{"Idempotent-Replayed": "true"})

    def _respond(self, status: int, body: Body, **more: str) -> Response:
        return JSONResponse(dict(body), status, headers={"Cache-Control": "no-store", **more})


async def _once(
    request: Request,
    key: Annotated[
        str | None,
        Header(alias="Idempotency-Key", min_length=1, max_length=200, description="Any text; new for a new request."),
    ] = None,
) -> Once:
    body = await request.body()
    query = request.scope.get("query_string", b"")
    parts = (request.method.encode(), request.scope["path"].encode(), query, body)
    fingerprint = b"".join(hashlib.sha256(part).digest() for part in parts)
    return Once(service_of(request), key, fingerprint)


OnceOnly = Annotated[Once, Depends(_once)]
