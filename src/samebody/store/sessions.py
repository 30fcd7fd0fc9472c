"""Sessions: created, moved along the table of :mod:`samebody.store.lifecycle`, read.

:meth:`Sessions.advance` is the only writer of a session's state. It compares and sets in one statement, and writes the
outbox and the audit log in the same transaction: what was told is true, what is true will be told.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from samebody import tracing
from samebody.store.audit import AuditLog
from samebody.store.audit.chain import Detail
from samebody.store.database import Snapshot, changed_rows, put_row
from samebody.store.errors import ConflictError, IllegalTransitionError, InvalidValueError, NotFoundError
from samebody.store.ids import Clock, new_id, require_name
from samebody.store.keys import Keys
from samebody.store.lifecycle import UNTIL_EXPIRY, Event, Limits, State, Transition, transition
from samebody.store.policies import Policies, Retention
from samebody.store.schema import CaseRow, OutboxRow, SessionRow, SubjectRow
from samebody.store.settings import SettingsOfTenants
from samebody.store.wake import NoWake, Wake

METADATA_LIMIT = 16 * 1024
"""Bytes of JSON that an integrator may attach to a session."""
METADATA_DEPTH = 32
"""Mappings and lists in each other, so that whoever reads it again is not led too deep."""


@dataclass(frozen=True, slots=True)
class SessionView:
    """A session as its reader sees it; no biometric data."""

    tenant: str
    id: str
    case_id: str
    state: State
    reason: str
    version: int
    attempt: int
    reference: str | None
    created: datetime
    changed: datetime
    expires: datetime
    failures: int


@dataclass(frozen=True, slots=True)
class Sessions:
    """The sessions of all tenants; every method works inside the caller's transaction."""

    keys: Keys
    audit: AuditLog
    policies: Policies
    settings: SettingsOfTenants
    clock: Clock
    limits: Limits = field(default_factory=Limits)
    wake: Wake = field(default_factory=NoWake)

    def create(
        self,
        tx: Session,
        tenant: str,
        policy_id: str,
        *,
        actor: str,
        reference: str | None = None,
        metadata: Mapping[str, Any] | None = None,
        purpose: str = "verification",
        subject_id: str | None = None,
        priority: int = 0,
        lifetime: timedelta | None = None,
    ) -> SessionView:
        """A new case with its own key, and its session, under the newest version of a policy.

        Args:
            reference: the integrator's id for it, at most 200 characters; found again, erased with the case.
            metadata: JSON-ready, at most 16 KiB; sealed with the case's key.
            priority: higher ones are worked on first.
            lifetime: until it expires when nobody submits; by default the tenant's, else the limits'.

        Raises:
            NotFoundError: no such tenant, policy or subject.
            InvalidValueError.
        """
        now = self.clock()
        if reference is not None and not 0 < len(reference) <= 200:
            raise InvalidValueError("the reference of a session has 1 to 200 characters.")
        if subject_id is not None:
            subject = tx.get(SubjectRow, (tenant, subject_id))
            if subject is None or subject.erased is not None:
                raise NotFoundError("there is no such subject.")
        policy = self.policies.get(tx, tenant, policy_id)
        case_id, session_id = new_id("case"), new_id("ses")
        key = self.keys.create(tx, tenant, "case", case_id)
        own = self.settings.get(tx, tenant)
        keep = own.retention(Retention.of(policy.retention))
        put_row(
            tx,
            CaseRow,
            tenant=tenant,
            id=case_id,
            subject_id=subject_id,
            key_id=key.id,
            purpose=require_name(purpose, "the purpose"),
            policy_id=policy.id,
            policy_version=policy.version,
            created=now,
            media_expires=now + keep.media,
            expires=now + keep.case,
        )
        sealed = None
        if metadata is not None:
            sealed = key.seal(_json(metadata), f"{tenant}/sessions/{session_id}/metadata")
        put_row(
            tx,
            SessionRow,
            tenant=tenant,
            id=session_id,
            case_id=case_id,
            state=State.CREATED.value,
            reason="session.created",
            version=1,
            attempt=1,
            priority=priority,
            reference=reference,
            sealed_metadata=sealed,
            created=now,
            changed=now,
            expires=now + (lifetime or own.limits(self.limits).lifetime),
            failures=0,
        )
        self.audit.append(
            tx, tenant, actor, "session.created", "session", session_id, case=case_id, policy=policy.id,
            policy_version=policy.version,
        )  # fmt: skip
        return self.get(tx, tenant, session_id)

    def get(self, tx: Session, tenant: str, session_id: str) -> SessionView:
        """The session as it is now.

        Raises:
            NotFoundError.
        """
        return view(self.row(tx, tenant, session_id))

    def row(self, tx: Session, tenant: str, session_id: str) -> SessionRow:
        """The session's row as it is now, not as this transaction read it before.

        Raises:
            NotFoundError.
        """
        found = tx.get(SessionRow, (tenant, session_id), populate_existing=not isinstance(tx, Snapshot))
        if found is None:
            raise NotFoundError("there is no such session.", hint="Check its id, and whose it is.")
        return found

    def of_case(self, tx: Session, tenant: str, case_id: str) -> SessionView:
        """The session of a case.

        Raises:
            NotFoundError.
        """
        found = tx.scalars(select(SessionRow).filter_by(tenant=tenant, case_id=case_id)).one_or_none()
        if found is None:
            raise NotFoundError("there is no such case.")
        return view(found)

    def metadata(self, tx: Session, tenant: str, session_id: str) -> dict[str, Any]:
        """What the integrator attached.

        Raises:
            NotFoundError, KeyDestroyedError.
        """
        row = self.row(tx, tenant, session_id)
        if row.sealed_metadata is None:
            return {}
        key = self.keys.of(tx, tenant, "case", row.case_id)
        found: dict[str, Any] = json.loads(key.unseal(row.sealed_metadata, f"{tenant}/sessions/{session_id}/metadata"))
        return found

    def own_limits(self, tx: Session, tenant: str) -> Limits:
        """The limits that count for a tenant."""
        return self.settings.get(tx, tenant).limits(self.limits)

    def submit(self, tx: Session, tenant: str, session_id: str, *, actor: str) -> SessionView:
        """Accept the session for work: from the commit on, it reaches a verdict whatever crashes.

        Raises:
            NotFoundError, IllegalTransitionError, ConflictError.
        """
        return self.advance(
            tx, tenant, session_id, Event.SUBMIT, actor=actor, submitted=self.clock(), not_before=None, failures=0,
            traceparent=tracing.current(),
        )  # fmt: skip

    def resume(self, tx: Session, tenant: str, session_id: str, *, actor: str) -> SessionView:
        """Begin the next attempt after a ``retry``.

        Raises:
            NotFoundError, IllegalTransitionError, ConflictError.
        """
        attempt = self.row(tx, tenant, session_id).attempt + 1
        return self.advance(tx, tenant, session_id, Event.RESUME, actor=actor, attempt=attempt)

    def advance(
        self,
        tx: Session,
        tenant: str,
        session_id: str,
        event: Event,
        *,
        actor: str,
        held_by: str | None = None,
        details: Mapping[str, Detail] | None = None,
        **changes: Any,
    ) -> SessionView:
        """Let ``event`` happen to a session, and write what follows from it.

        Args:
            held_by: the token of a lease: only when it still holds the session.
            details: for the audit log.
            changes: further columns of the session.

        Raises:
            NotFoundError, IllegalTransitionError.
            ConflictError: somebody else was first (or the lease is lost); nothing was written.
        """
        row = self.row(tx, tenant, session_id)
        step = transition(row.state, event)
        now = self.clock()
        if event in UNTIL_EXPIRY and row.expires <= now:  # the sweeper may not have come by yet
            raise IllegalTransitionError("the session has expired.", hint="Create another one.")
        if step.target is not State.PROCESSING:
            changes |= {"lease_owner": None, "lease_token": None, "lease_until": None}
        if step.target is State.RETRY:
            changes["expires"] = max(row.expires, now + self.own_limits(tx, tenant).retry_lifetime)
        done = tx.execute(
            update(SessionRow)
            .where(
                SessionRow.tenant == tenant,
                SessionRow.id == session_id,
                SessionRow.version == row.version,
                SessionRow.state == row.state,
                *(() if held_by is None else (SessionRow.lease_token == held_by,)),
            )
            .values(
                state=step.target.value,
                reason=step.reason or row.reason,
                version=row.version + 1,
                changed=now,
                **changes,
            )
            .execution_options(synchronize_session=False)
        )
        if changed_rows(done) != 1:
            raise ConflictError("somebody else changed the session first.", hint="Read it again.")
        if step.target is State.SUBMITTED:
            self.wake.tell(tx)
        if step.announced:
            self._announce(tx, row, step, now)
        attempt = changes.get("attempt", row.attempt)
        self.audit.append(
            tx, tenant, actor, f"session.{step.event.value}", "session", session_id,
            state=step.target.value, attempt=attempt, version=row.version + 1, **(details or {}),
        )  # fmt: skip
        return self.get(tx, tenant, session_id)

    def _announce(self, tx: Session, row: SessionRow, step: Transition, now: datetime) -> None:
        payload = {
            "session": row.id,
            "case": row.case_id,
            "reference": None if step.target is State.REDACTED else row.reference,
            "state": step.target.value,
            "reason": step.reason,
            "attempt": row.attempt,
            "sequence": row.version + 1,
            "at": now.isoformat(timespec="milliseconds"),
        }
        put_row(
            tx,
            OutboxRow,
            tenant=row.tenant,
            id=new_id("msg"),
            session_id=row.id,
            sequence=row.version + 1,
            kind=f"session.{step.target.value}",
            payload=payload,
            created=now,
            traceparent=tracing.current() or row.traceparent,
        )


def view(row: SessionRow) -> SessionView:
    """The row as its readers see it."""
    return SessionView(
        tenant=row.tenant,
        id=row.id,
        case_id=row.case_id,
        state=State(row.state),
        reason=row.reason,
        version=row.version,
        attempt=row.attempt,
        reference=row.reference,
        created=row.created,
        changed=row.changed,
        expires=row.expires,
        failures=row.failures,
    )


def _json(value: Mapping[str, Any]) -> bytes:
    try:
        # as it will be sent again: lone halves of surrogate pairs are no text
        data = json.dumps(dict(value), separators=(",", ":"), allow_nan=False, ensure_ascii=False).encode()
    except (TypeError, ValueError, RecursionError):
        raise InvalidValueError("the metadata of a session is not JSON.") from None
    if len(data) > METADATA_LIMIT:
        raise InvalidValueError(f"the metadata of a session has more than {METADATA_LIMIT} bytes.")
    level: list[Any] = [value]
    for _ in range(METADATA_DEPTH):
        level = [inner for each in level for inner in (each.values() if isinstance(each, Mapping) else each)]
        level = [each for each in level if isinstance(each, Mapping | list | tuple)]
        if not level:
            return data
    raise InvalidValueError(f"the metadata of a session are nested more than {METADATA_DEPTH} deep.")
