"""Tenants: created with their keys and an empty audit log."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from samebody.store.audit import AuditLog
from samebody.store.database import put_row
from samebody.store.errors import ExistsError
from samebody.store.ids import Clock, require_name
from samebody.store.keys import Keys
from samebody.store.schema import TenantRow

LOCAL = "local"
"""The tenant of an installation that has only one."""


@dataclass(frozen=True, slots=True)
class Tenants:
    """All tenants; every method works inside the caller's transaction."""

    keys: Keys
    audit: AuditLog
    clock: Clock

    def create(self, tx: Session, tenant: str, name: str = "", *, actor: str = "system") -> None:
        """A new tenant, its keys and its audit log.

        Raises:
            ExistsError, InvalidValueError.
        """
        require_name(tenant, "the name of a tenant")
        try:
            with tx.begin_nested():
                put_row(tx, TenantRow, id=tenant, name=name or tenant, created=self.clock())
        except IntegrityError:
            raise ExistsError("there is a tenant of that name already.") from None
        self.keys.create(tx, tenant, "tenant", tenant)
        self.audit.begin(tx, tenant)
        self.audit.append(tx, tenant, actor, "tenant.created", "tenant", tenant)

    def ensure(self, tx: Session, tenant: str = LOCAL) -> None:
        """Create the tenant unless it is there."""
        if tx.get(TenantRow, tenant) is None:
            with contextlib.suppress(ExistsError):  # another process made it meanwhile
                self.create(tx, tenant)

    def names(self, tx: Session) -> list[str]:
        """Every tenant, sorted."""
        return list(tx.scalars(select(TenantRow.id).order_by(TenantRow.id)))
