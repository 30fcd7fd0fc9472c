"""Links that show one sample in plain, for seconds: signed, and every one of them stands in the audit log."""

from __future__ import annotations

from sqlalchemy.orm import Session

from samebody.service.access import Caller
from samebody.service.state import Service
from samebody.store.errors import NotFoundError


def new_link(service: Service, tx: Session, who: Caller, session_id: str, media_id: str) -> tuple[str, int]:
    """The signed part of a link to a sample of a session, and the seconds it lives.

    Raises:
        NotFoundError: no such session, or the sample is not one of it.
    """
    store = service.store
    session = store.sessions.get(tx, who.tenant, session_id)
    held = {each.id: each for each in store.vault.of_case(tx, who.tenant, session.case_id)}
    maps = store.vault.of_case(tx, who.tenant, session.case_id, derived=True)
    held |= {each.id: each for each in maps if each.content_type.startswith("image/")}  # never a template
    if media_id not in held:
        raise NotFoundError("there is no such sample.", hint="It may have been deleted on time.")
    life = service.tenancy.bounded(store.settings.get(tx, who.tenant)).link_seconds
    until = store.clock().timestamp() + life
    text = service.links.sign(tx, who.tenant, {"m": media_id, "c": held[media_id].content_type, "e": until})
    store.audit.append(tx, who.tenant, who.actor, "media.shown", "session", session_id, media=media_id)
    return text, life
