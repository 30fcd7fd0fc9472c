"""The queue of submitted sessions: claimed under a lease, concluded exactly once, given back when a worker dies.

There is no queue beside the table: a session that is ``submitted`` waits, one that is ``processing`` is held by the
lease in its row. Every step is one transaction that compares and sets, so that a worker that was thought dead and comes
back finds its lease gone and its result refused.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from sqlalchemy import func, or_, select, update
from sqlalchemy.exc import IntegrityError

from samebody.errors import UsageError
from samebody.store.audit.chain import Detail
from samebody.store.database import changed_rows
from samebody.store.errors import ConflictError, IllegalTransitionError, KeyDestroyedError
from samebody.store.lifecycle import CONCLUSIONS, Event, State
from samebody.store.schema import SessionRow
from samebody.store.sessions import SessionView
from samebody.store.store import Store
from samebody.store.verdicts import Conclusion

LEASE = timedelta(seconds=60)
"""How long a worker may be silent before its work is given to another."""


class LeaseLostError(UsageError):
    """The work was given to another worker, cancelled or redacted meanwhile; the result must be thrown away."""

    code = "jobs.lease_lost"


@dataclass(frozen=True, slots=True)
class Claim:
    """A session held by a worker.

    Attributes:
        failures: leases lost and faults of this submission so far.
        token: of this lease alone; ``repr`` does not print it.
        until: when others may take the session.
        traceparent: of the request that submitted it, when there are traces.
    """

    tenant: str
    session_id: str
    case_id: str
    attempt: int
    failures: int
    worker: str
    until: datetime
    token: str = field(repr=False)
    traceparent: str | None = None


class Queue:
    """The queue of one store.

    Args:
        lease: how long a claim holds without a heartbeat.
    """

    def __init__(self, store: Store, *, lease: timedelta = LEASE) -> None:
        self.store, self.lease = store, lease

    def claim(self, worker: str, *, tenant: str | None = None) -> Claim | None:
        """Take the next session that is due: highest priority, then longest submitted; None when there is none.

        Args:
            worker: stable name of the process, for the audit log.
            tenant: only of this tenant.
        """
        store, now = self.store, self.store.clock()
        due = (
            select(SessionRow)
            .where(
                SessionRow.state == State.SUBMITTED.value,
                or_(SessionRow.not_before.is_(None), SessionRow.not_before <= now),
            )
            .order_by(SessionRow.priority.desc(), SessionRow.submitted, SessionRow.id)
            .limit(1)
        )
        if tenant is not None:
            due = due.filter_by(tenant=tenant)
        with store.read() as tx:  # most polls find nothing: do not take SQLite's write lock for them
            if tx.scalars(due).one_or_none() is None:
                return None
        with store.write() as tx:
            # on PostgreSQL workers do not wait for each other; SQLite has one writer
            row = tx.scalars(due.with_for_update(skip_locked=True)).one_or_none()
            if row is None:
                return None
            token, until = secrets.token_hex(16), now + self.lease
            store.sessions.advance(
                tx, row.tenant, row.id, Event.CLAIM, actor=f"worker:{worker}",
                lease_owner=worker, lease_token=token, lease_until=until,
            )  # fmt: skip
            return Claim(
                row.tenant, row.id, row.case_id, row.attempt, row.failures, worker, until, token, row.traceparent
            )

    def heartbeat(self, claim: Claim) -> datetime:
        """Hold a claim for another lease; returns until when.

        Raises:
            LeaseLostError.
        """
        until = self.store.clock() + self.lease
        with self.store.write() as tx:
            done = tx.execute(
                update(SessionRow)
                .where(
                    SessionRow.tenant == claim.tenant,
                    SessionRow.id == claim.session_id,
                    SessionRow.state == State.PROCESSING.value,
                    SessionRow.lease_token == claim.token,
                )
                .values(lease_until=until)
            )
        if changed_rows(done) != 1:
            raise lost_lease()
        return until

    def conclude(self, claim: Claim, conclusion: Conclusion) -> SessionView:
        """Write the verdict of a claim: verdict, state, outbox and audit log in one transaction.

        A ``retry`` at the last attempt goes to a reviewer.

        Raises:
            LeaseLostError: nothing was written.
        """
        store = self.store
        event = CONCLUSIONS[conclusion.decision]
        details: Mapping[str, Detail] = {
            "decision": conclusion.decision,
            "policy": conclusion.policy_id,
            "policy_version": conclusion.policy_version,
            "worker": claim.worker[:100],
        }
        try:
            with store.write() as tx:
                self._held(tx.get(SessionRow, (claim.tenant, claim.session_id), with_for_update=True), claim)
                store.verdicts.record(tx, claim.tenant, claim.case_id, claim.attempt, conclusion, worker=claim.worker)
                limits = store.sessions.own_limits(tx, claim.tenant)
                if event is Event.ASK_RETRY and claim.attempt >= limits.submissions:
                    event = Event.EXHAUST
                return store.sessions.advance(
                    tx, claim.tenant, claim.session_id, event, actor=f"worker:{claim.worker}",
                    held_by=claim.token, details=details,
                )  # fmt: skip
        except (ConflictError, IllegalTransitionError, KeyDestroyedError, IntegrityError):
            raise lost_lease() from None

    def release(self, claim: Claim) -> None:
        """Give a claim back untouched, when a worker shuts down.

        Raises:
            LeaseLostError.
        """
        self._return(claim, Event.RELEASE, {})

    def fault(self, claim: Claim, code: str) -> SessionView:
        """Record that the work failed: it is tried again later, or given up after the limit of failures.

        Args:
            code: stable code of the fault; never a message, which may hold what must not be kept.

        Raises:
            LeaseLostError.
        """
        failures = claim.failures + 1
        if failures >= self.store.limits.failures:
            return self._return(claim, Event.GIVE_UP, {"code": code}, failures=failures)
        return self._return(
            claim, Event.FAULT, {"code": code}, failures=failures, not_before=self.store.clock() + self._wait(failures)
        )

    def requeue_expired(self) -> int:
        """Give the sessions of silent workers to others, or give them up after too many; returns how many."""
        store, now, count = self.store, self.store.clock(), 0
        with store.read() as tx:
            query = select(SessionRow.tenant, SessionRow.id, SessionRow.lease_token, SessionRow.failures).where(
                SessionRow.state == State.PROCESSING.value, SessionRow.lease_until <= now
            )
            due = tx.execute(query).all()
        for tenant, session_id, token, lost in due:
            failures = lost + 1
            gone = failures >= store.limits.failures
            try:
                with store.write() as tx:
                    row = store.sessions.row(tx, tenant, session_id)
                    if row.lease_token != token or row.lease_until is None or row.lease_until > now:
                        continue  # a heartbeat came after all
                    store.sessions.advance(
                        tx, tenant, session_id, Event.GIVE_UP if gone else Event.LEASE_LOST, actor="system",
                        held_by=token, failures=failures, not_before=now + self._wait(failures),
                    )  # fmt: skip
                    count += 1
            except (ConflictError, IllegalTransitionError):
                continue
        return count

    def waiting(self) -> dict[str, int]:
        """How many sessions wait and how many are worked on: ``submitted`` and ``processing``."""
        states = (State.SUBMITTED.value, State.PROCESSING.value)
        query = select(SessionRow.state, func.count()).where(SessionRow.state.in_(states)).group_by(SessionRow.state)
        with self.store.read() as tx:
            found = {row[0]: row[1] for row in tx.execute(query)}
        return {state: found.get(state, 0) for state in states}

    def _return(self, claim: Claim, event: Event, details: Mapping[str, Detail], **changes: object) -> SessionView:
        try:
            with self.store.write() as tx:
                self._held(tx.get(SessionRow, (claim.tenant, claim.session_id), with_for_update=True), claim)
                return self.store.sessions.advance(
                    tx, claim.tenant, claim.session_id, event, actor=f"worker:{claim.worker}",
                    held_by=claim.token, details=details, **changes,
                )  # fmt: skip
        except (ConflictError, IllegalTransitionError):
            raise lost_lease() from None

    @staticmethod
    def _held(row: SessionRow | None, claim: Claim) -> None:
        if row is None or row.lease_token != claim.token or row.attempt != claim.attempt:
            raise lost_lease()

    def _wait(self, failures: int) -> timedelta:
        return self.store.limits.backoff * float(2 ** (failures - 1))


def lost_lease() -> LeaseLostError:
    """The error that says so."""
    return LeaseLostError("the lease on this session was lost.", hint="Throw the result away; another worker has it.")
