"""API keys: made, checked, revoked. The secret is shown once; the database holds its SHA-256.

A secret is 32 random bytes, so a fast hash is enough: there is nothing to guess (NIST SP 800-63B, 5.1.2.2 asks for slow
hashes where secrets can be guessed).
"""

from __future__ import annotations

import base64
import hashlib
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal, get_args

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from samebody import crypto
from samebody.store.audit import AuditLog
from samebody.store.database import changed_rows, put_row
from samebody.store.errors import AccessDeniedError, InvalidValueError, NotFoundError
from samebody.store.ids import Clock, new_id, require_name
from samebody.store.schema import ApiKeyRow

Role = Literal["admin", "integrator", "reviewer", "auditor"]
PREFIX = "sb"
_USE_NOTED_EVERY = timedelta(minutes=5)


@dataclass(frozen=True, slots=True)
class Principal:
    """Who a key stands for."""

    tenant: str
    key_id: str
    role: str
    scopes: frozenset[str]

    @property
    def actor(self) -> str:
        """Their name in the audit log."""
        return f"key:{self.key_id}"

    def require(self, scope: str) -> None:
        """Return when the key has the scope.

        Raises:
            AccessDeniedError.
        """
        if scope not in self.scopes:
            raise AccessDeniedError(f"the key lacks the scope {scope}.", hint="Use a key that has it.")


@dataclass(frozen=True, slots=True)
class ApiKeys:
    """The API keys of all tenants; every method works inside the caller's transaction."""

    audit: AuditLog
    clock: Clock

    def create(
        self,
        tx: Session,
        tenant: str,
        name: str,
        role: Role,
        scopes: Sequence[str],
        *,
        actor: str,
        expires: datetime | None = None,
    ) -> tuple[str, str]:
        """A new key; its id and the secret text to hand over, ``sb.<tenant>.<id>.<secret>``: it is not kept.

        Raises:
            InvalidValueError: an unknown role, or a scope that is no name.
        """
        if role not in get_args(Role):
            raise InvalidValueError("the role of a key is not known.", hint=f"Known: {', '.join(get_args(Role))}.")
        if not 0 < len(name) <= 100:
            raise InvalidValueError("the name of a key has 1 to 100 characters.")
        key_id, secret = new_id("ak"), secrets.token_bytes(32)
        row: dict[str, object] = {"tenant": tenant, "id": key_id, "name": name, "role": role, "expires": expires}
        row["scopes"] = sorted({require_name(each, "a scope") for each in scopes})
        row["secret_sha256"] = hashlib.sha256(secret).hexdigest()
        put_row(tx, ApiKeyRow, **row, created=self.clock())
        self.audit.append(tx, tenant, actor, "api_key.created", "api_key", key_id, role=role)
        text = base64.b32encode(secret).decode().rstrip("=").lower()
        return key_id, f"{PREFIX}.{tenant}.{key_id}.{text}"

    def check(self, tx: Session, text: str) -> Principal:
        """Whom a key stands for. The same error for every reason, so that nothing is told to who tries.

        Raises:
            AccessDeniedError: unknown, malformed, revoked or expired.
        """
        denied = AccessDeniedError("the API key is not valid.", hint="Check it, or ask for another one.")
        prefix, _, rest = text.partition(".")
        rest, _, secret = rest.rpartition(".")
        tenant, _, key_id = rest.rpartition(".")  # a tenant's name may hold dots
        try:
            given = base64.b32decode(secret.upper() + "=" * (-len(secret) % 8))
        except ValueError:
            raise denied from None
        row = tx.get(ApiKeyRow, (tenant, key_id), populate_existing=True) if prefix == PREFIX else None
        matches = crypto.equal(hashlib.sha256(given).hexdigest(), row.secret_sha256 if row is not None else "0" * 64)
        now = self.clock()
        if row is None or not matches or row.revoked is not None or (row.expires is not None and row.expires <= now):
            raise denied
        return Principal(tenant, key_id, row.role, frozenset(row.scopes))

    def holder(self, tx: Session, tenant: str, key_id: str) -> Principal:
        """Whom a key stands for, when its secret was checked before: for a login that lasts.

        Raises:
            AccessDeniedError: revoked or expired meanwhile.
        """
        row = tx.get(ApiKeyRow, (tenant, key_id), populate_existing=True)
        now = self.clock()
        if row is None or row.revoked is not None or (row.expires is not None and row.expires <= now):
            raise AccessDeniedError("the key of this login is not valid any more.", hint="Log in again.")
        return Principal(tenant, key_id, row.role, frozenset(row.scopes))

    def use_is_due(self, tx: Session, principal: Principal) -> bool:
        """Whether the last use that was noted is older than five minutes."""
        row = tx.get(ApiKeyRow, (principal.tenant, principal.key_id))
        return row is not None and (row.last_used is None or self.clock() - row.last_used > _USE_NOTED_EVERY)

    def note_use(self, tx: Session, principal: Principal) -> None:
        """Remember when a key was used last, to five minutes: not a write for every request."""
        if self.use_is_due(tx, principal):
            tx.get_one(ApiKeyRow, (principal.tenant, principal.key_id)).last_used = self.clock()
            tx.flush()

    def revoke(self, tx: Session, tenant: str, key_id: str, *, actor: str) -> None:
        """End a key at once; a second time changes nothing.

        Raises:
            NotFoundError.
        """
        done = tx.execute(
            update(ApiKeyRow)
            .where(ApiKeyRow.tenant == tenant, ApiKeyRow.id == key_id, ApiKeyRow.revoked.is_(None))
            .values(revoked=self.clock())
        )
        if changed_rows(done):
            self.audit.append(tx, tenant, actor, "api_key.revoked", "api_key", key_id)
        elif tx.get(ApiKeyRow, (tenant, key_id)) is None:
            raise NotFoundError("there is no such API key.")

    def of_tenant(self, tx: Session, tenant: str) -> Sequence[ApiKeyRow]:
        """The keys of a tenant, oldest first; never their secrets."""
        return [*tx.scalars(select(ApiKeyRow).filter_by(tenant=tenant).order_by(ApiKeyRow.created, ApiKeyRow.id))]
