"""Redaction of a case: its key destroyed, its samples deleted, what named the person taken out of its rows."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from samebody.store.lifecycle import Event, State, is_final
from samebody.store.locks import hold_cases
from samebody.store.schema import CaseRow, MediaRow, OutboxRow, ReviewRow, SessionRow, VerdictRow

if TYPE_CHECKING:
    from samebody.store.store import Store


def delete_media(store: Store, tx: Session, tenant: str, case_id: str, *, actor: str, reason: str) -> int:
    """Delete the samples that only the case holds; those that a subject was enrolled with stay with the subject.

    The perceptual hashes of those that stay go too: they serve to find replays among recent cases and nothing else.

    Returns:
        How many were deleted.
    """
    hold_cases(tx, tenant, [case_id])  # nobody enrols one of them meanwhile
    held = select(MediaRow.id).filter_by(tenant=tenant, case_id=case_id, subject_id=None)
    count = store.vault.discard(tx, tenant, list(tx.scalars(held)))
    tx.execute(update(MediaRow).filter_by(tenant=tenant, case_id=case_id).values(sealed_hash=None))
    tx.execute(
        update(CaseRow)
        .where(CaseRow.tenant == tenant, CaseRow.id == case_id, CaseRow.media_deleted.is_(None))
        .values(media_deleted=store.clock())
    )
    store.audit.append(tx, tenant, actor, "case.media_deleted", "case", case_id, count=count, reason=reason)
    return count


def redact_case(store: Store, tx: Session, tenant: str, case_id: str, *, actor: str, reason: str) -> str | None:
    """Erase a case inside the caller's transaction; an open session of it is cancelled first.

    Returns:
        The id of the key that was destroyed; None when the case was redacted before. After the commit the caller marks
        the key as erased and collects the garbage.
    """
    hold_cases(tx, tenant, [case_id])
    case = tx.get(CaseRow, (tenant, case_id), populate_existing=True)
    if case is None or case.redacted is not None:
        return None
    session = tx.scalars(select(SessionRow).filter_by(tenant=tenant, case_id=case_id)).one_or_none()
    if session is not None:
        state = State(session.state)
        if not is_final(state):
            store.sessions.advance(tx, tenant, session.id, Event.CANCEL, actor=actor)
        if state is not State.REDACTED:
            store.sessions.advance(tx, tenant, session.id, Event.REDACT, actor=actor)
        tx.execute(
            update(SessionRow)
            .where(SessionRow.tenant == tenant, SessionRow.id == session.id)
            .values(reference=None, sealed_metadata=None)
        )
        _forget_reference(tx, tenant, session.id)
    delete_media(store, tx, tenant, case_id, actor=actor, reason=reason)
    store.keys.destroy(tx, tenant, case.key_id)
    where = {"tenant": tenant, "case_id": case_id}
    tx.execute(update(VerdictRow).filter_by(**where).values(sealed=None))
    tx.execute(update(ReviewRow).filter_by(**where).values(sealed_note=None))
    tx.execute(update(CaseRow).where(CaseRow.tenant == tenant, CaseRow.id == case_id).values(redacted=store.clock()))
    store.audit.append(tx, tenant, actor, "case.redacted", "case", case_id, reason=reason)
    return case.key_id


def _forget_reference(tx: Session, tenant: str, session_id: str) -> None:
    """Take the integrator's id for the person out of messages, sent or not."""
    for row in tx.scalars(select(OutboxRow).filter_by(tenant=tenant, session_id=session_id)).all():
        tx.execute(
            update(OutboxRow)
            .where(OutboxRow.tenant == tenant, OutboxRow.id == row.id)
            .values(payload={**row.payload, "reference": None})
        )
