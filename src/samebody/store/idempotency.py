"""Requests that may be sent twice: the first answer is kept, sealed, and given again."""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from sqlalchemy import delete, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from samebody import crypto
from samebody.store.database import put_row
from samebody.store.errors import IdempotencyConflictError, InvalidValueError, StillRunningError
from samebody.store.ids import Clock, require_name
from samebody.store.keys import Keys
from samebody.store.schema import IdempotencyRow

KEEP = timedelta(hours=24)
WORKING = timedelta(seconds=25)
"""How long a request may be without an answer before its process counts as dead, and a repeat does the work.

Longer than any of them takes, and shorter than the typed client is willing to wait.
"""


@dataclass(frozen=True, slots=True)
class Answer:
    """What was answered the first time. ``repr`` does not print the body."""

    status: int
    body: Any = field(repr=False)


@dataclass(frozen=True, slots=True)
class Idempotency:
    """Kept answers of all tenants; every method works inside the caller's transaction.

    Begin, the work and the answer belong into one transaction where they can: then a crash leaves nothing behind. Where
    they cannot, a begun request without an answer conflicts until it is forgotten, or for 25 seconds: then the process
    that began it is taken for dead. What it had done by then may be done again by the repeat.
    """

    keys: Keys
    clock: Clock

    def begin(self, tx: Session, tenant: str, scope: str, key: str, request: bytes) -> Answer | None:
        """Enter a request; None when it is new, the first answer when it was answered before.

        Args:
            scope: whose keys they are: the API key's id, say.
            key: the client's, 1 to 200 printable characters; kept as a hash.
            request: method, path and body: everything that must be the same.

        Raises:
            IdempotencyConflictError: other parameters.
            StillRunningError: the first one still runs.
            InvalidValueError.
        """
        if not 0 < len(key) <= 200 or not key.isprintable():
            raise InvalidValueError("an idempotency key has 1 to 200 printable characters.")
        name, secret = _name(key), self.keys.of(tx, tenant, "tenant", tenant)
        fingerprint, now = hmac.digest(secret.secret, request, hashlib.sha256).hex(), self.clock()
        where = {"tenant": tenant, "scope": require_name(scope, "the scope"), "key": name}
        tx.execute(delete(IdempotencyRow).filter_by(**where).where(IdempotencyRow.expires <= now))
        try:
            with tx.begin_nested():
                row = {**where, "fingerprint": fingerprint, "created": now, "expires": now + WORKING}
                put_row(tx, IdempotencyRow, **row)
            return None
        except IntegrityError:
            row_or_none = tx.get(IdempotencyRow, (tenant, scope, name), populate_existing=True)
            if row_or_none is None:  # on PostgreSQL the first one may have been taken back meanwhile
                raise StillRunningError(1.0) from None
            found = row_or_none
        if not crypto.equal(found.fingerprint, fingerprint):
            raise IdempotencyConflictError(
                "the idempotency key was used with other parameters.", hint="Take a new key for a new request."
            )
        if found.status is None or found.answer is None:
            raise StillRunningError((found.expires - now).total_seconds())
        body = json.loads(secret.unseal(found.answer, f"{tenant}/idempotency/{scope}/{name}"))
        return Answer(found.status, body)

    def answer(self, tx: Session, tenant: str, scope: str, key: str, status: int, body: Mapping[str, Any]) -> None:
        """Keep the answer of a request that was begun; a repeat that took it over and answered first wins."""
        name, secret = _name(key), self.keys.of(tx, tenant, "tenant", tenant)
        sealed = secret.seal(json.dumps(dict(body)).encode(), f"{tenant}/idempotency/{scope}/{name}")
        tx.execute(
            update(IdempotencyRow)
            .filter_by(tenant=tenant, scope=scope, key=name, status=None)
            .values(status=status, answer=sealed, expires=self.clock() + KEEP)
        )

    def forget(self, tx: Session, tenant: str, scope: str, key: str) -> None:
        """Take back a request that was begun and failed in a way that may be tried again."""
        tx.execute(delete(IdempotencyRow).filter_by(tenant=tenant, scope=scope, key=_name(key), status=None))


def _name(key: str) -> str:
    return hashlib.sha256(key.encode()).hexdigest()
