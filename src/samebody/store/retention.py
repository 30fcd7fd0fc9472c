"""The janitor: deletes on time what retention, expiry and withdrawn consent say, and signs the audit log."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlalchemy import delete, or_, select

from samebody.errors import SamebodyError
from samebody.store.database import changed_rows
from samebody.store.errors import ConflictError, IllegalTransitionError
from samebody.store.lifecycle import Event, State
from samebody.store.redaction import delete_media, redact_case
from samebody.store.schema import CaseRow, ConsentRow, IdempotencyRow, SessionRow, SubjectRow

if TYPE_CHECKING:
    from samebody.store.store import Store

logger = logging.getLogger(__name__)

_ACTOR = "system"
_WAITING = (State.CREATED.value, State.COLLECTING.value, State.RETRY.value)
_WORKED_ON = (State.SUBMITTED.value, State.PROCESSING.value)


@dataclass(frozen=True, slots=True)
class Swept:
    """What one sweep did."""

    sessions_expired: int = 0
    media_deleted: int = 0
    cases_redacted: int = 0
    subjects_erased: int = 0
    answers_deleted: int = 0
    files_deleted: int = 0
    orphans_deleted: int = 0
    logins_deleted: int = 0
    references_removed: int = 0


class Janitor:
    """Sweeps of one store; each step is a transaction of its own, and a sweep that was stopped is done by the next."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def sweep(self, *, orphans: bool = True) -> Swept:
        """Do everything that is due now.

        Sessions that wait for their person expire; samples go at ``media_expires`` (not while their session is open
        and not yet judged, which is bounded by its expiry and its work); cases are redacted at ``expires`` or when
        their consent was withdrawn; subjects are erased at ``expires`` or when the last consent to their enrolment was
        withdrawn or ended; files are deleted, logs of every tenant get a checkpoint.

        Raises:
            StoreUnavailableError, BlobError.
        """
        expired = self._expire_sessions()
        media = self._delete_media()
        cases = self._redact_cases()
        subjects = self._erase_subjects()
        answers = self._delete_answers()
        tidied = self._tidy()
        files = self._store.vault.collect_garbage()
        lost = self._store.vault.collect_orphans() if orphans else 0
        logins = self._forget_logins()
        self._store.vault.mark_all_erased()
        with self._store.write() as tx:
            for tenant in self._store.tenants.names(tx):
                self._store.audit.checkpoint(tx, tenant)
        if media or cases or subjects:
            self._store.database.checkpoint()
        return Swept(expired, media, cases, subjects, answers, files, lost, logins, tidied)

    def _expire_sessions(self) -> int:
        store, now, count = self._store, self._store.clock(), 0
        query = select(SessionRow.tenant, SessionRow.id).where(
            SessionRow.state.in_(_WAITING), SessionRow.expires <= now
        )
        with store.read() as tx:
            due = tx.execute(query).all()
            query = (
                select(SessionRow.tenant, SessionRow.id)
                .join(CaseRow, (CaseRow.tenant == SessionRow.tenant) & (CaseRow.id == SessionRow.case_id))
                .where(SessionRow.state == State.REVIEW.value, CaseRow.expires <= now)
            )
            due = [*due, *tx.execute(query).all()]
        for tenant, session_id in due:
            try:
                with store.write() as tx:
                    store.sessions.advance(tx, tenant, session_id, Event.EXPIRE, actor=_ACTOR)
                    count += 1
            except (ConflictError, IllegalTransitionError):
                continue  # it moved on since it was read
        return count

    def _delete_media(self) -> int:
        store, now, count = self._store, self._store.clock(), 0
        query = (
            select(CaseRow.tenant, CaseRow.id)
            .outerjoin(SessionRow, (SessionRow.tenant == CaseRow.tenant) & (SessionRow.case_id == CaseRow.id))
            .where(
                CaseRow.media_expires <= now,
                CaseRow.media_deleted.is_(None),
                or_(SessionRow.state.is_(None), SessionRow.state.not_in((*_WAITING, *_WORKED_ON))),
            )
        )
        with store.read() as tx:
            due = tx.execute(query).all()
        for tenant, case_id in due:
            with store.write() as tx:
                count += delete_media(store, tx, tenant, case_id, actor=_ACTOR, reason="retention.media")
        return count

    def _redact_cases(self) -> int:
        store, now, count = self._store, self._store.clock(), 0
        withdrawn = (
            select(ConsentRow.case_id)
            .where(
                ConsentRow.tenant == CaseRow.tenant,
                ConsentRow.case_id == CaseRow.id,
                ConsentRow.purpose == "verification",
                ConsentRow.withdrawn.is_not(None),
            )
            .exists()
        )
        query = (
            select(CaseRow.tenant, CaseRow.id, CaseRow.expires)
            .outerjoin(SessionRow, (SessionRow.tenant == CaseRow.tenant) & (SessionRow.case_id == CaseRow.id))
            .where(
                CaseRow.redacted.is_(None),
                or_(CaseRow.expires <= now, withdrawn),
                or_(SessionRow.state.is_(None), SessionRow.state.not_in((*_WAITING, *_WORKED_ON))),
            )
        )
        with store.read() as tx:
            due = tx.execute(query).all()
        for tenant, case_id, expires in due:
            reason = "retention.case" if expires <= now else "consent.withdrawn"
            with store.write() as tx:
                key_id = redact_case(store, tx, tenant, case_id, actor=_ACTOR, reason=reason)
            if key_id is not None:
                store.vault.mark_erased(tenant, key_id)
                count += 1
        return count

    def _erase_subjects(self) -> int:
        store, now, count = self._store, self._store.clock(), 0
        stands = (
            select(ConsentRow.id)
            .where(
                ConsentRow.tenant == SubjectRow.tenant,
                ConsentRow.subject_id == SubjectRow.id,
                ConsentRow.purpose == "enrolment",
                ConsentRow.withdrawn.is_(None),
                or_(ConsentRow.expires.is_(None), ConsentRow.expires > now),
            )
            .exists()
        )
        query = select(SubjectRow.tenant, SubjectRow.id, SubjectRow.expires).where(
            SubjectRow.erased.is_(None), or_(SubjectRow.expires <= now, ~stands)
        )
        with store.read() as tx:
            due = tx.execute(query).all()
        for tenant, subject_id, expires in due:
            reason = "retention.subject" if expires is not None and expires <= now else "consent.ended"
            try:
                store.people.erase(tenant, subject_id, actor=_ACTOR, reason=reason)
                count += 1
            except SamebodyError as error:  # a gallery that cannot be written must not keep others from being erased
                logger.error("a person could not be erased, the next sweep tries again: %s", error.code)
        return count

    def _tidy(self) -> int:
        count = 0
        for place in self._store.elsewhere:
            try:
                count += place.tidy()
            except SamebodyError as error:
                logger.error("what was erased could not be removed from the disk yet: %s", error.code)
        return count

    def _forget_logins(self) -> int:
        with self._store.write() as tx:
            return self._store.logins.forget(tx, self._store.clock())

    def _delete_answers(self) -> int:
        with self._store.write() as tx:
            done = tx.execute(delete(IdempotencyRow).where(IdempotencyRow.expires <= self._store.clock()))
            return changed_rows(done)
