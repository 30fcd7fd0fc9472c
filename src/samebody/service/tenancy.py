"""What counts for a tenant: its own settings inside the operator's bounds. A tenant may be stricter, never looser."""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from sqlalchemy.orm import Session

from samebody.service.settings import ServiceSettings
from samebody.store.settings import TenantSettings
from samebody.store.store import Store

REMEMBERED = 5.0
"""Seconds for which a process may go on with a tenant's rate before it reads it again."""


@dataclass(frozen=True, slots=True)
class Effective:
    """What counts now.

    Attributes:
        rate: requests a key may send in a minute.
        longest_media_days, longest_case_days: None where only the policy says.
    """

    submissions: int
    session_minutes: float
    retry_minutes: float
    token_minutes: int
    link_seconds: int
    rate: float
    longest_media_days: float | None
    longest_case_days: float | None


@dataclass(slots=True)
class Tenancy:
    """The settings of tenants as the API needs them."""

    store: Store
    settings: ServiceSettings
    _known: dict[str, tuple[float, Effective]] = field(default_factory=dict, repr=False)
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)

    def bounded(self, own: TenantSettings) -> Effective:
        """``own`` inside the operator's bounds."""
        limits, operator = own.limits(self.store.limits), self.settings
        return Effective(
            submissions=limits.submissions,
            session_minutes=limits.lifetime / timedelta(minutes=1),
            retry_minutes=limits.retry_lifetime / timedelta(minutes=1),
            token_minutes=_least(own.token_minutes, operator.token_minutes),
            link_seconds=_least(own.link_seconds, operator.link_seconds),
            rate=operator.rate if own.rate is None else min(own.rate, operator.rate),
            longest_media_days=own.longest_media_days,
            longest_case_days=own.longest_case_days,
        )

    def effective(self, tenant: str) -> Effective:
        """What counts for a tenant, as it was at most :data:`REMEMBERED` seconds ago: for every request."""
        now = time.monotonic()
        with self._lock:
            known = self._known.get(tenant)
        if known is not None and known[0] > now:
            return known[1]
        with self.store.read() as tx:
            found = self.bounded(self.store.settings.get(tx, tenant))
        with self._lock:
            self._known[tenant] = (now + REMEMBERED, found)
        return found

    def described(self, tx: Session, tenant: str) -> dict[str, Any]:
        """What is set, what counts, and what the operator alone may set."""
        latest, operator = self.store.settings.latest(tx, tenant), self.settings
        counts = self.bounded(latest.values)
        return {
            "version": latest.version,
            "author": latest.author,
            "changed": latest.changed,
            "settings": latest.values.as_dict(),
            "effective": {name: getattr(counts, name) for name in Effective.__slots__},
            "operator": {
                "private_webhooks": operator.private_webhooks,
                "rate": operator.rate,
                "token_minutes": operator.token_minutes,
                "link_seconds": operator.link_seconds,
                "max_body": operator.max_body,
                "max_waiting": operator.max_waiting,
            },
        }

    def change(
        self, tx: Session, tenant: str, changes: Mapping[str, float | None], *, actor: str, expected: int | None = None
    ) -> dict[str, Any]:
        """See :meth:`samebody.store.settings.SettingsOfTenants.change`; returns :meth:`described`.

        Raises:
            InvalidValueError, ConflictError.
        """
        self.store.settings.change(tx, tenant, changes, actor=actor, expected=expected)
        with self._lock:
            self._known.pop(tenant, None)
        return self.described(tx, tenant)


def _least(own: int | None, operator: int) -> int:
    return operator if own is None else min(own, operator)
