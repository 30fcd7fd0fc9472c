"""Reviews: people's opinions on cases, a second person where the policy asks for one, and labels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy import select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from samebody.store.audit import AuditLog
from samebody.store.database import put_row
from samebody.store.errors import ExistsError, InvalidValueError, NotFoundError
from samebody.store.ids import Clock, new_id, require_name
from samebody.store.keys import Keys
from samebody.store.lifecycle import Event, State, transition
from samebody.store.locks import hold_session
from samebody.store.policies import Policies, Retention
from samebody.store.schema import CaseRow, LabelRow, ReviewRow, SessionRow
from samebody.store.sessions import Sessions, SessionView, view

DECISIONS = {"accept": Event.REVIEW_ACCEPT, "reject": Event.REVIEW_REJECT, "retry": Event.REVIEW_RETRY}


@dataclass(frozen=True, slots=True)
class Opinion:
    """What one reviewer decided. ``note`` is None once the case was redacted; ``repr`` does not print it."""

    reviewer: str
    decision: str
    code: str
    attempt: int
    created: datetime
    note: str | None = field(repr=False)


@dataclass(frozen=True, slots=True)
class Reviews:
    """The reviews of all tenants; every method works inside the caller's transaction."""

    keys: Keys
    audit: AuditLog
    sessions: Sessions
    policies: Policies
    clock: Clock

    def queue(self, tx: Session, tenant: str, limit: int = 100) -> list[SessionView]:
        """Sessions that wait for a reviewer, longest first."""
        query = (
            select(SessionRow)
            .filter_by(tenant=tenant, state=State.REVIEW.value)
            .order_by(SessionRow.priority.desc(), SessionRow.changed, SessionRow.id)
            .limit(limit)
        )
        return [view(row) for row in tx.scalars(query)]

    def decide(
        self, tx: Session, tenant: str, session_id: str, *, reviewer: str, decision: str, code: str, note: str = ""
    ) -> SessionView:
        """Record an opinion; the session moves when it is the last one needed.

        Where the policy asks for a second person, two people must agree: two who do not leave the session in review
        until another one agrees with one of them.

        Args:
            code: stable reason code; note: free text, sealed with the case's key.

        Raises:
            NotFoundError, IllegalTransitionError: no such session, or it is not in review.
            ExistsError: this reviewer has given their opinion on this attempt already.
            InvalidValueError: an unknown decision.
        """
        if decision not in DECISIONS:
            raise InvalidValueError("a reviewer accepts, rejects or asks to retry.")
        require_name(reviewer, "the name of a reviewer")
        require_name(code, "the reason code")
        hold_session(tx, tenant, session_id)  # two who decide at once see each other's opinion
        session = self.sessions.get(tx, tenant, session_id)
        transition(session.state, DECISIONS[decision])
        review_id = new_id("rev")
        key = self.keys.of(tx, tenant, "case", session.case_id)
        row = {"tenant": tenant, "id": review_id, "case_id": session.case_id, "attempt": session.attempt}
        row |= {"reviewer": reviewer, "decision": decision, "code": code, "created": self.clock()}
        sealed = key.seal(note.encode(), f"{tenant}/reviews/{review_id}/note") if note else None
        try:
            with tx.begin_nested():
                put_row(tx, ReviewRow, **row, sealed_note=sealed)
        except IntegrityError:
            raise ExistsError("this reviewer has decided this attempt already.", hint="Ask another person.") from None
        agreeing = [
            each for each in self._rows(tx, tenant, session.case_id, session.attempt) if each.decision == decision
        ]
        needed = self.needed(tx, tenant, session.case_id)
        event = DECISIONS[decision] if len(agreeing) >= needed else Event.OPINION
        return self.sessions.advance(
            tx, tenant, session_id, event, actor=f"user:{reviewer}", details={"review": review_id, "code": code}
        )

    def assign(self, tx: Session, tenant: str, session_id: str, assignee: str | None, *, actor: str) -> None:
        """Say who takes a case that waits for a reviewer; None gives it back to everybody.

        Raises:
            NotFoundError, IllegalTransitionError: no such session, or it is not in review.
        """
        session = self.sessions.get(tx, tenant, session_id)
        transition(session.state, Event.OPINION)
        tx.execute(
            update(SessionRow)
            .where(SessionRow.tenant == tenant, SessionRow.id == session_id)
            .values(assignee=None if assignee is None else assignee[:200])
        )
        self.audit.append(tx, tenant, actor, "review.assigned", "session", session_id, assignee=assignee or "nobody")

    def of_case(self, tx: Session, tenant: str, case_id: str) -> list[Opinion]:
        """The opinions on a case, oldest first."""
        rows = self._rows(tx, tenant, case_id)
        sealed = any(row.sealed_note is not None for row in rows)
        key = self.keys.of(tx, tenant, "case", case_id) if sealed else None
        return [
            Opinion(
                row.reviewer,
                row.decision,
                row.code,
                row.attempt,
                row.created,
                None
                if row.sealed_note is None or key is None
                else key.unseal(row.sealed_note, f"{tenant}/reviews/{row.id}/note").decode(),
            )
            for row in rows
        ]

    def needed(self, tx: Session, tenant: str, case_id: str) -> int:
        """How many people must agree on a case: 2 where its policy asks for a second person."""
        return 2 if self._second_person(tx, tenant, case_id) else 1

    def shown_to(
        self, tx: Session, tenant: str, session: SessionView, opinions: Sequence[Opinion], reviewer: str
    ) -> list[Opinion]:
        """Of all opinions on a case those that ``reviewer`` may see.

        Two people who must agree have to judge by themselves: the first opinion is told to the second only afterwards.
        """
        own = any(each.reviewer == reviewer and each.attempt == session.attempt for each in opinions)
        if own or session.state is not State.REVIEW or self.needed(tx, tenant, session.case_id) < 2:
            return list(opinions)
        return [each for each in opinions if each.attempt != session.attempt]

    def label(
        self, tx: Session, tenant: str, case_id: str, name: str, value: str, *, author: str, media_id: str | None = None
    ) -> str:
        """Say what a case or one of its samples shows, for the lab's data sets; returns the label's id.

        Raises:
            NotFoundError: no such case.
            InvalidValueError.
        """
        if tx.get(CaseRow, (tenant, case_id)) is None:
            raise NotFoundError("there is no such case.")
        label_id = new_id("lab")
        row = {"tenant": tenant, "id": label_id, "case_id": case_id, "media_id": media_id}
        row |= {"name": require_name(name, "the label"), "value": require_name(value, "the value of a label")}
        put_row(tx, LabelRow, **row, author=author, created=self.clock())
        self.audit.append(tx, tenant, author, "label.added", "case", case_id, label=name, value=value)
        return label_id

    def labels(self, tx: Session, tenant: str, case_id: str) -> Sequence[LabelRow]:
        """The labels of a case, oldest first."""
        query = select(LabelRow).filter_by(tenant=tenant, case_id=case_id).order_by(LabelRow.created, LabelRow.id)
        return tx.scalars(query).all()

    @staticmethod
    def _rows(tx: Session, tenant: str, case_id: str, attempt: int | None = None) -> Sequence[ReviewRow]:
        query = select(ReviewRow).filter_by(tenant=tenant, case_id=case_id).order_by(ReviewRow.created, ReviewRow.id)
        return tx.scalars(query if attempt is None else query.filter_by(attempt=attempt)).all()

    def _second_person(self, tx: Session, tenant: str, case_id: str) -> bool:
        case = tx.get_one(CaseRow, (tenant, case_id))
        policy = self.policies.get(tx, tenant, case.policy_id, case.policy_version)
        return Retention.of(policy.retention).second_person
