"""From rows and views of the store to JSON-ready answers."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session as Tx

from samebody.store.consent import ConsentView
from samebody.store.lifecycle import allowed_events
from samebody.store.schema import AuditEventRow, CaseRow, SessionRow
from samebody.store.sessions import SessionView
from samebody.store.sessions import view as session_view
from samebody.store.vault import MediaView
from samebody.store.verdicts import VerdictView


def at(value: datetime | None) -> str | None:
    """A time after RFC 3339, to the millisecond."""
    return None if value is None else value.isoformat(timespec="milliseconds")


def sessions(tx: Tx, rows: Sequence[SessionRow]) -> list[dict[str, Any]]:
    """Sessions of one tenant, with one look at all of their cases."""
    if not rows:
        return []
    held = [row.case_id for row in rows]
    cases = {
        case.id: case
        for case in tx.scalars(select(CaseRow).where(CaseRow.tenant == rows[0].tenant, CaseRow.id.in_(held)))
    }
    return [_session(session_view(row), cases[row.case_id]) for row in rows]


def session(tx: Tx, view: SessionView) -> dict[str, Any]:
    """See :class:`samebody.service.schemas.Session`."""
    return _session(view, tx.get_one(CaseRow, (view.tenant, view.case_id)))


def _session(view: SessionView, case: CaseRow) -> dict[str, Any]:
    return {
        "id": view.id,
        "case_id": view.case_id,
        "state": view.state.value,
        "reason": view.reason,
        "attempt": view.attempt,
        "version": view.version,
        "policy": case.policy_id,
        "policy_version": case.policy_version,
        "reference": view.reference,
        "created": at(view.created),
        "changed": at(view.changed),
        "expires": at(view.expires),
        "allowed": [event.value for event in allowed_events(view.state)],
    }


def media(view: MediaView) -> dict[str, Any]:
    """See :class:`samebody.service.schemas.Media`."""
    return {
        "id": view.id,
        "role": view.role,
        "content_type": view.content_type,
        "size": view.size,
        "attempt": view.attempt,
        "created": at(view.created),
    }


def consent(view: ConsentView) -> dict[str, Any]:
    """See :class:`samebody.service.schemas.Consent`."""
    return {
        "id": view.id,
        "purpose": view.purpose,
        "version": view.text_version,
        "language": view.language,
        "text_sha256": view.text_sha256,
        "given": at(view.given),
        "withdrawn": at(view.withdrawn),
    }


def verdict(session_id: str, view: VerdictView) -> dict[str, Any]:
    """See :class:`samebody.service.schemas.Verdict`."""
    return {
        "session_id": session_id,
        "case_id": view.case_id,
        "attempt": view.attempt,
        "decision": view.decision,
        "policy": view.policy_id,
        "policy_version": view.policy_version,
        "policy_sha256": view.policy_sha256,
        "model_ids": list(view.model_ids),
        "created": at(view.created),
        "body": view.body,
    }


def audit_event(row: AuditEventRow) -> dict[str, Any]:
    """See :class:`samebody.service.schemas.AuditEvent`."""
    return {
        "sequence": row.sequence,
        "at": row.at,
        "actor": row.actor,
        "action": row.action,
        "kind": row.kind,
        "object": row.object,
        "details": json.loads(row.details),
        "digest": row.digest,
    }
