"""Rows that a transaction holds before it reads what rests on them, in one order everywhere.

On PostgreSQL two transactions see each other's work only once it is committed, and two that lock the same rows in
different orders wait for each other for ever (it ends one of them after a second). The order: a person, sessions,
cases, and the audit log last, by :meth:`samebody.store.audit.AuditLog.append`. On SQLite there is one writer, and
nothing here does anything.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from sqlalchemy import ColumnElement, select
from sqlalchemy.orm import Session

from samebody.store.schema import CaseRow, SessionRow, SubjectRow


def hold_subject(tx: Session, tenant: str, *, subject_id: str | None = None, external_id: str | None = None) -> None:
    """Hold a person, by their id or the integrator's name; one who is not there is not held."""
    named = SubjectRow.id == subject_id if subject_id is not None else SubjectRow.external_id == external_id
    _hold(tx, SubjectRow, tenant, named)


def hold_cases(tx: Session, tenant: str, case_ids: Iterable[str]) -> None:
    """Hold cases and their sessions."""
    wanted = sorted(case_ids)
    _hold(tx, SessionRow, tenant, SessionRow.case_id.in_(wanted))
    _hold(tx, CaseRow, tenant, CaseRow.id.in_(wanted))


def hold_session(tx: Session, tenant: str, session_id: str) -> None:
    """Hold a session."""
    _hold(tx, SessionRow, tenant, SessionRow.id == session_id)


def _hold(tx: Session, table: Any, tenant: str, which: ColumnElement[bool]) -> None:
    # not against those who only refer to the row, which insert below it
    query = select(table.id).where(table.tenant == tenant, which).order_by(table.id)
    tx.execute(query.with_for_update(key_share=True))
