"""``/v1/reviews``: cases that a person must settle."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Request, Response
from pydantic import Field
from sqlalchemy import select, tuple_
from sqlalchemy.orm import Session as Tx

from samebody.service import schemas, views
from samebody.service.access import Caller, needs
from samebody.service.once import OnceOnly
from samebody.service.pages import Cursor, Limit, page, position
from samebody.service.state import service_of
from samebody.store.lifecycle import State
from samebody.store.schema import SessionRow

router = APIRouter(prefix="/reviews", tags=["reviews"])


class NewOpinion(schemas.Request):
    """What a reviewer decides."""

    decision: Literal["accept", "reject", "retry"]
    code: schemas.Name = Field(description="stable reason code, such as document.name_differs")
    note: str = Field(default="", max_length=4000, description="free text; kept sealed")


class OpinionView(schemas.Answer):
    """An opinion as it was recorded; the note is null once the case was redacted."""

    reviewer: str
    decision: str
    code: str
    attempt: int
    created: str
    note: str | None


class Review(schemas.Answer):
    """A session with the opinions on it."""

    session: schemas.Session
    opinions: list[OpinionView]
    hidden: int = Field(description="opinions kept from you until you have given yours, where two people must agree")


class NewLabel(schemas.Request):
    """What a case or one of its samples shows."""

    name: schemas.Name
    value: schemas.Name
    media_id: str | None = Field(default=None, max_length=64)


class LabelView(schemas.Answer):
    """A label as it was recorded."""

    id: str


@router.get("", response_model=schemas.SessionPage)
def list_reviews(
    request: Request, who: Annotated[Caller, needs("reviews:read")], limit: Limit = 50, cursor: Cursor = None
) -> dict[str, Any]:
    """Sessions that wait for a reviewer, the oldest first."""
    service = service_of(request)
    with service.store.read() as tx:
        query = select(SessionRow).filter_by(tenant=who.tenant, state=State.REVIEW.value)
        if (after := position(service, tx, who.tenant, "reviews", cursor)) is not None:
            query = query.where(tuple_(SessionRow.id) > tuple_(after))
        rows = tx.scalars(query.order_by(SessionRow.id).limit(limit + 1)).all()
        items = views.sessions(tx, rows)
        return page(service, tx, who.tenant, "reviews", items, limit, [row.id for row in rows])


@router.get("/{session_id}", response_model=Review)
def get_review(request: Request, session_id: str, who: Annotated[Caller, needs("reviews:read")]) -> dict[str, Any]:
    """A session and the opinions on it that you may see."""
    store = service_of(request).store
    with store.read() as tx:
        session = store.sessions.get(tx, who.tenant, session_id)
        every = store.reviews.of_case(tx, who.tenant, session.case_id)
        shown = store.reviews.shown_to(tx, who.tenant, session, every, who.actor)
        opinions = [
            {
                "reviewer": each.reviewer,
                "decision": each.decision,
                "code": each.code,
                "attempt": each.attempt,
                "created": views.at(each.created),
                "note": each.note,
            }
            for each in shown
        ]
        hidden = len(every) - len(shown)
        return {"session": views.session(tx, session), "opinions": opinions, "hidden": hidden}


@router.post("/{session_id}", response_model=schemas.Session)
def decide_review(
    request: Request,
    session_id: str,
    wanted: NewOpinion,
    once: OnceOnly,
    who: Annotated[Caller, needs("reviews:write")],
) -> Response:
    """Decide a case; where the policy asks for a second person, the session moves when two agree."""
    store = service_of(request).store

    def work(tx: Tx) -> dict[str, Any]:
        moved = store.reviews.decide(
            tx, who.tenant, session_id, reviewer=who.actor, decision=wanted.decision, code=wanted.code, note=wanted.note
        )
        return views.session(tx, moved)

    return once.inside(who, 200, work)


@router.post("/{session_id}/labels", status_code=201, response_model=LabelView)
def add_label(
    request: Request, session_id: str, wanted: NewLabel, once: OnceOnly, who: Annotated[Caller, needs("reviews:write")]
) -> Response:
    """Say what a case or one of its samples shows; labels feed the lab's data sets."""
    store = service_of(request).store

    def work(tx: Tx) -> dict[str, Any]:
        case_id = store.sessions.get(tx, who.tenant, session_id).case_id
        made = store.reviews.label(
            tx, who.tenant, case_id, wanted.name, wanted.value, author=who.actor, media_id=wanted.media_id
        )
        return {"id": made}

    return once.inside(who, 201, work)
