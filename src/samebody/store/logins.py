"""Logins at the console, kept here and not in the cookie: logging out ends one wherever its cookie is.

A person who comes through an identity provider is named in the audit log by a digest of provider and subject: the log
can never be changed, so it holds no name. Who that is stands in the login's row, which is deleted a year after its end.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from sqlalchemy import delete, update
from sqlalchemy.orm import Session

from samebody.store.access import ApiKeys, Principal
from samebody.store.audit import AuditLog
from samebody.store.database import changed_rows, put_row
from samebody.store.errors import AccessDeniedError
from samebody.store.ids import Clock, new_id
from samebody.store.schema import ConsoleLoginRow

KEPT = timedelta(days=365)
"""How long a login's row stays after its end, so that an auditor can ask who it was."""


@dataclass(frozen=True, slots=True)
class Identity:
    """A person as an identity provider names them. ``repr`` prints neither subject nor name.

    Attributes:
        provider: the configured name, at most 24 letters, digits and dashes.
        subject: stable at the provider, 1 to 255 characters.
        name: to show to colleagues.
    """

    provider: str
    issuer: str
    subject: str = field(repr=False)
    name: str = field(repr=False)

    @property
    def actor(self) -> str:
        """Their name in the audit log: the same at every login, and no personal data."""
        digest = hashlib.sha256(f"{self.issuer}\0{self.subject}".encode()).hexdigest()
        return f"sso:{self.provider}:{digest[:32]}"


@dataclass(frozen=True, slots=True)
class Login:
    """A login that stands.

    Attributes:
        actor: in the audit log; scopes: None when the role has all of its own.
    """

    tenant: str
    id: str
    actor: str
    role: str
    scopes: frozenset[str] | None
    provider: str | None
    name: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Logins:
    """The logins of all tenants; every method works inside the caller's transaction."""

    audit: AuditLog
    api_keys: ApiKeys
    clock: Clock

    def by_key(self, tx: Session, principal: Principal, life: timedelta) -> str:
        """Log in the holder of a key, whose secret was checked; returns the login's id."""
        return self._add(
            tx, principal.tenant, life, actor=principal.actor, role=principal.role, row={"key_id": principal.key_id}
        )

    def by_identity(self, tx: Session, tenant: str, who: Identity, role: str, life: timedelta) -> str:
        """Log in a person whom an identity provider named; returns the login's id."""
        row = {"provider": who.provider, "subject": who.subject, "name": who.name[:200], "role": role}
        return self._add(tx, tenant, life, actor=who.actor, role=role, row=row)

    def _add(self, tx: Session, tenant: str, life: timedelta, *, actor: str, role: str, row: dict[str, str]) -> str:
        login_id, now = new_id("log"), self.clock()
        values = {"tenant": tenant, "id": login_id, "actor": actor, **row}
        put_row(tx, ConsoleLoginRow, **values, created=now, expires=now + life)
        self.audit.append(tx, tenant, actor, "console.login", "login", login_id, role=role)
        return login_id

    def holder(self, tx: Session, tenant: str, login_id: str) -> Login:
        """Who is logged in.

        Raises:
            AccessDeniedError: it ended, expired, or its key was revoked.
        """
        row = tx.get(ConsoleLoginRow, (tenant, login_id), populate_existing=True)
        if row is None or row.ended is not None or row.expires <= self.clock():
            raise AccessDeniedError("this login has ended.", hint="Log in again.")
        if row.key_id is not None:
            key = self.api_keys.holder(tx, tenant, row.key_id)
            return Login(tenant, login_id, key.actor, key.role, key.scopes, None, "")
        return Login(tenant, login_id, row.actor, row.role or "", None, row.provider, row.name or "")

    def end(self, tx: Session, tenant: str, login_id: str) -> None:
        """End a login; a second time changes nothing."""
        row = tx.get(ConsoleLoginRow, (tenant, login_id))
        done = tx.execute(
            update(ConsoleLoginRow)
            .where(ConsoleLoginRow.tenant == tenant, ConsoleLoginRow.id == login_id, ConsoleLoginRow.ended.is_(None))
            .values(ended=self.clock())
        )
        if changed_rows(done) and row is not None:
            self.audit.append(tx, tenant, row.actor, "console.logout", "login", login_id)

    def forget(self, tx: Session, now: datetime) -> int:
        """Delete the rows of logins that ended long ago; returns how many."""
        done = tx.execute(delete(ConsoleLoginRow).where(ConsoleLoginRow.expires <= now - KEPT))
        return changed_rows(done)
