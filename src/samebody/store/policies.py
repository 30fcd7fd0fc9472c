"""Policies of a tenant, versioned: a version is never changed, and every case names the one it was made under."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from samebody.store.audit import AuditLog
from samebody.store.database import put_row
from samebody.store.errors import InvalidValueError, NotFoundError
from samebody.store.ids import Clock, require_name
from samebody.store.schema import PolicyRow

DEFAULT_RETENTION: dict[str, Any] = {"media_days": 30, "case_days": 365, "second_person": False}
_LONGEST = 3650


@dataclass(frozen=True, slots=True)
class Retention:
    """How long a case is kept, from its creation.

    Attributes:
        media: until its samples and perceptual hashes are deleted.
        case: until the rest is: findings, verdict, metadata, key. At least as long as ``media``.
        second_person: whether a review needs two people.
    """

    media: timedelta
    case: timedelta
    second_person: bool = False

    @classmethod
    def of(cls, value: Mapping[str, Any]) -> Retention:
        """From ``media_days``, ``case_days`` (numbers, 0 to 3650) and ``second_person``; defaults 30, 365, false.

        Raises:
            InvalidValueError: an unknown name, or a value out of its bounds.
        """
        unknown = sorted(value.keys() - DEFAULT_RETENTION.keys())
        if unknown:
            raise InvalidValueError(
                f"retention has no setting {unknown[0]!r}.", hint=f"It has {list(DEFAULT_RETENTION)}."
            )
        merged = {**DEFAULT_RETENTION, **value}
        days = merged["media_days"], merged["case_days"]
        for each in days:
            if isinstance(each, bool) or not isinstance(each, int | float) or not 0 <= each <= _LONGEST:
                raise InvalidValueError(f"retention is given in days, from 0 to {_LONGEST}.")
        if days[0] > days[1]:
            raise InvalidValueError("samples cannot be kept longer than their case.", hint="Raise case_days.")
        if not isinstance(merged["second_person"], bool):
            raise InvalidValueError("second_person is true or false.")
        return cls(timedelta(days=days[0]), timedelta(days=days[1]), merged["second_person"])


@dataclass(frozen=True, slots=True)
class Policies:
    """The policies of all tenants; every method works inside the caller's transaction."""

    audit: AuditLog
    clock: Clock

    def put(
        self,
        tx: Session,
        tenant: str,
        policy_id: str,
        text: str,
        *,
        actor: str,
        retention: Mapping[str, Any] | None = None,
    ) -> PolicyRow:
        """Add the next version of a policy; ``text`` is not parsed here (:mod:`samebody.decide` does).

        Raises:
            InvalidValueError.
        """
        require_name(policy_id, "the policy's name")
        Retention.of(retention or {})
        latest = tx.scalar(select(func.max(PolicyRow.version)).filter_by(tenant=tenant, id=policy_id)) or 0
        put_row(
            tx,
            PolicyRow,
            tenant=tenant,
            id=policy_id,
            version=latest + 1,
            text=text,
            sha256=hashlib.sha256(text.encode()).hexdigest(),
            retention={**DEFAULT_RETENTION, **(retention or {})},
            created=self.clock(),
            author=actor,
        )
        self.audit.append(tx, tenant, actor, "policy.added", "policy", policy_id, version=latest + 1)
        return self.get(tx, tenant, policy_id, latest + 1)

    def get(self, tx: Session, tenant: str, policy_id: str, version: int | None = None) -> PolicyRow:
        """A version of a policy, by default the newest.

        Raises:
            NotFoundError.
        """
        query = select(PolicyRow).filter_by(tenant=tenant, id=policy_id).order_by(PolicyRow.version.desc()).limit(1)
        if version is not None:
            query = query.filter_by(version=version)
        found = tx.scalars(query).one_or_none()
        if found is None:
            raise NotFoundError("there is no such policy.", hint="Add it first.")
        return found
