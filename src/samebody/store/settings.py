"""What a tenant may set for itself: how often a person may try, for how long things live, how much may be asked.

What is not set counts as the operator (or the policy) has it. Every change is a new version and stands in the audit
log.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import Field, asdict, dataclass, field, fields, replace
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from samebody.store.audit import AuditLog
from samebody.store.database import put_row
from samebody.store.errors import ConflictError, InvalidValueError
from samebody.store.ids import Clock
from samebody.store.lifecycle import Limits
from samebody.store.policies import Retention
from samebody.store.schema import TenantSettingsRow

_MINUTES_OF_A_MONTH = 43_200


def _setting(label: str, unit: str, lowest: float, highest: float, text: str) -> Any:
    metadata = {"label": label, "unit": unit, "lowest": lowest, "highest": highest, "help": text}
    return field(default=None, metadata=metadata)


@dataclass(frozen=True, slots=True)
class TenantSettings:
    """What a tenant set; None where it set nothing. The metadata of each field has label, unit, bounds and a text."""

    submissions: int | None = _setting(
        "Submissions", "", 1, 10, "How often a person may submit one session; a retry at the last one goes to review."
    )
    session_minutes: int | None = _setting(
        "Life of a session", "minutes", 1, _MINUTES_OF_A_MONTH, "Until a session that nobody submits expires."
    )
    retry_minutes: int | None = _setting(
        "Life after a retry", "minutes", 1, _MINUTES_OF_A_MONTH, "The same, from a verdict of retry on."
    )
    token_minutes: int | None = _setting(
        "Life of a client token", "minutes", 1, 1440, "How long a person's page may go on; at most the operator's."
    )
    link_seconds: int | None = _setting(
        "Life of a picture's link", "seconds", 1, 3600, "How long a sample stays visible; at most the operator's."
    )
    rate: int | None = _setting(
        "Requests of a key", "a minute", 1, 1_000_000, "More are answered with 429; at most the operator's."
    )
    longest_media_days: float | None = _setting(
        "Samples kept at most", "days", 0, 3650, "Shortens what policies say, for cases made from now on."
    )
    longest_case_days: float | None = _setting(
        "Cases kept at most", "days", 0, 3650, "Shortens what policies say, for cases made from now on."
    )

    def limits(self, limits: Limits) -> Limits:
        """``limits`` with what the tenant set in their place."""
        changes: dict[str, Any] = {}
        if self.submissions is not None:
            changes["submissions"] = self.submissions
        if self.session_minutes is not None:
            changes["lifetime"] = timedelta(minutes=self.session_minutes)
        if self.retry_minutes is not None:
            changes["retry_lifetime"] = timedelta(minutes=self.retry_minutes)
        return replace(limits, **changes)

    def retention(self, keep: Retention) -> Retention:
        """``keep``, shortened where the tenant keeps less."""
        media, case = keep.media, keep.case
        if self.longest_case_days is not None:
            case = min(case, timedelta(days=self.longest_case_days))
        if self.longest_media_days is not None:
            media = min(media, timedelta(days=self.longest_media_days))
        return replace(keep, media=min(media, case), case=case)

    def as_dict(self) -> dict[str, float | None]:
        """Every name and what is set for it."""
        return asdict(self)


FIELDS: dict[str, Field[Any]] = {each.name: each for each in fields(TenantSettings)}
"""What may be set, by name."""


@dataclass(frozen=True, slots=True)
class SettingsVersion:
    """A version of a tenant's settings; 0 when nothing was ever set."""

    version: int
    values: TenantSettings
    author: str | None
    changed: datetime | None


@dataclass(frozen=True, slots=True)
class SettingsOfTenants:
    """The settings of all tenants; every method works inside the caller's transaction."""

    audit: AuditLog
    clock: Clock

    def get(self, tx: Session, tenant: str) -> TenantSettings:
        """What counts now."""
        return self.latest(tx, tenant).values

    def version(self, tx: Session, tenant: str) -> int:
        """How often they were changed."""
        return self.latest(tx, tenant).version

    def latest(self, tx: Session, tenant: str) -> SettingsVersion:
        """What counts now, and who set it when. A name that this release does not know is passed over."""
        query = select(TenantSettingsRow).filter_by(tenant=tenant).order_by(TenantSettingsRow.version.desc()).limit(1)
        row = tx.scalars(query).one_or_none()
        if row is None:
            return SettingsVersion(0, TenantSettings(), None, None)
        known = {name: value for name, value in row.values.items() if name in FIELDS}
        return SettingsVersion(row.version, TenantSettings(**known), row.author, row.created)

    def change(
        self, tx: Session, tenant: str, changes: Mapping[str, float | None], *, actor: str, expected: int | None = None
    ) -> TenantSettings:
        """Set what ``changes`` names, None to unset; the rest stays. Nothing is written when nothing changes.

        Args:
            expected: the version that was read; when somebody changed it since, nothing is written.

        Raises:
            InvalidValueError: an unknown name, or a value out of its bounds.
            ConflictError: see ``expected``.
        """
        for name, value in changes.items():
            _require(name, value)
        before = self.latest(tx, tenant)
        if expected is not None and expected != before.version:
            raise ConflictError("somebody else changed the settings first.", hint="Read them again.")
        after = TenantSettings(**{**before.values.as_dict(), **changes})  # type: ignore[arg-type]  # checked above
        if after == before.values:
            return after
        values = {name: value for name, value in after.as_dict().items() if value is not None}
        row = {"tenant": tenant, "version": before.version + 1, "values": values, "author": actor}
        try:
            with tx.begin_nested():
                put_row(tx, TenantSettingsRow, **row, created=self.clock())
        except IntegrityError:
            raise ConflictError("somebody else changed the settings first.", hint="Read them again.") from None
        told = {
            name: "unset" if value is None else str(value)
            for name, value in after.as_dict().items()
            if value != getattr(before.values, name)
        }
        self.audit.append(
            tx, tenant, actor, "tenant.settings_changed", "tenant", tenant, version=before.version + 1, **told
        )
        return after


def _require(name: str, value: float | None) -> None:
    if name not in FIELDS:
        raise InvalidValueError("a tenant has no such setting.", hint=f"It has: {', '.join(FIELDS)}.")
    if value is None:
        return
    about = FIELDS[name].metadata
    whole = "int" in str(FIELDS[name].type)
    bad = isinstance(value, bool) or not isinstance(value, int if whole else int | float)
    if bad or not about["lowest"] <= value <= about["highest"]:
        kind = "a whole number" if whole else "a number"
        raise InvalidValueError(f"{name} is {kind} from {about['lowest']} to {about['highest']}, or null.")
