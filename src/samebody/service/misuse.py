"""Client tokens that were tried on what they do not open: kept in the audit log, as evidence for their session.

Whoever has one session's token and tries it on another session, or on a route that needs a key, is no ordinary person
before the capture page. A token that expired is no misuse: people are late.
"""

from __future__ import annotations

from sqlalchemy.orm import Session

from samebody.store.store import Store

MISUSED = "token.misused"
OTHER_SESSION, NEEDS_KEY = "other_session", "needs_key"
MOST_KEPT = 5
"""Events of one session; more would only fill the log."""


def note(store: Store, tenant: str, session_id: str, tried: str) -> None:
    """Remember that the token of a session was tried on something else."""
    with store.write() as tx:
        if len(misused(store, tx, tenant, session_id)) < MOST_KEPT:
            store.audit.append(tx, tenant, f"client:{session_id}", MISUSED, "session", session_id, tried=tried)


def misused(store: Store, tx: Session, tenant: str, session_id: str) -> list[str]:
    """What the token of a session was tried on, oldest first: ``other_session`` or ``needs_key``."""
    return [str(each["tried"]) for each in store.audit.details(tx, tenant, MISUSED, "session", session_id)]
