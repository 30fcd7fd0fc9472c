"""Client tokens that were tried on what they do not open: kept in the audit log, as evidence for their session.

Whoever has one session's token and tries it on another session, or on a route that needs a key, is no ordinary person
before the capture page. A token that expired is no misuse: people are late.
"""

from __future__ import annotations

import json

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from samebody.store.schema import AuditEventRow
from samebody.store.store import Store

MISUSED = "token.misused"
OTHER_SESSION, NEEDS_KEY = "other_session", "needs_key"
MOST_KEPT = 5
"""Events of one session; more would only fill the log."""


def note(store: Store, tenant: str, session_id: str, tried: str) -> None:
    """Remember that the token of a session was tried on something else."""
    with store.write() as tx:
        query = select(func.count()).select_from(AuditEventRow)
        held = tx.scalar(query.filter_by(tenant=tenant, kind="session", object=session_id, action=MISUSED)) or 0
        if held < MOST_KEPT:
            store.audit.append(tx, tenant, f"client:{session_id}", MISUSED, "session", session_id, tried=tried)


def misused(tx: Session, tenant: str, session_id: str) -> list[str]:
    """What the token of a session was tried on, oldest first: ``other_session`` or ``needs_key``."""
    query = select(AuditEventRow.details).filter_by(tenant=tenant, kind="session", object=session_id, action=MISUSED)
    return [str(json.loads(each)["tried"]) for each in tx.scalars(query.order_by(AuditEventRow.sequence))]
