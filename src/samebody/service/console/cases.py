"""The pages of cases: the queue with its filters, one case, and what a reviewer does with it."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Form, Query, Request, Response
from sqlalchemy import or_, select

from samebody.service import views
from samebody.service.console.login import Visitor, needs, posts
from samebody.service.console.render import back, page
from samebody.service.links import new_link
from samebody.service.state import service_of
from samebody.store.lifecycle import State
from samebody.store.schema import PolicyRow, SessionRow
from samebody.store.sessions import view

router = APIRouter(prefix="/console", include_in_schema=False)

CODES = (
    "review.person_matches", "review.person_differs", "review.document_forged", "review.document_expired",
    "review.not_live", "review.picture_unusable", "review.other",
)  # fmt: skip
"""Reasons a reviewer chooses from; free text goes into the note."""
LABELS = {
    "attack": ("bona_fide", "print", "screen_replay", "mask", "injection", "unclear"),
    "document": ("genuine", "forged", "specimen", "unclear"),
    "match": ("same_person", "other_person", "unclear"),
}
"""What a reviewer may say a case shows, for the lab's data sets."""
PAGE = 50


@router.get("/")
def queue(
    request: Request,
    visitor: Annotated[Visitor, needs("sessions:read")],
    state: Annotated[str, Query(max_length=20)] = "review",
    policy: Annotated[str, Query(max_length=64)] = "",
    mine: bool = False,
    search: Annotated[str, Query(max_length=200)] = "",
    before: Annotated[str, Query(max_length=64)] = "",
) -> Response:
    """Sessions by state, policy, assignee or text; the newest first, those in review the longest waiting first."""
    store, tenant = service_of(request).store, visitor.caller.tenant
    waiting = state == State.REVIEW.value and not search
    with store.read() as tx:
        query = select(SessionRow).filter_by(tenant=tenant)
        if state in set(State) and not search:
            query = query.filter_by(state=state)
        if search:
            wanted = search.strip()
            query = query.where(
                or_(SessionRow.id == wanted, SessionRow.case_id == wanted, SessionRow.reference == wanted)
            )
        if mine:
            query = query.filter_by(assignee=visitor.caller.actor)
        if before:
            query = query.where(SessionRow.id > before if waiting else SessionRow.id < before)
        order = SessionRow.id if waiting else SessionRow.id.desc()
        rows = tx.scalars(query.order_by(order).limit(PAGE + 1)).all()
        items = [{**views.session(tx, view(row)), "assignee": row.assignee} for row in rows]
        if policy:
            items = [each for each in items if each["policy"] == policy]
        names = sorted(set(tx.scalars(select(PolicyRow.id).filter_by(tenant=tenant))))
    return page(
        "queue.html", visitor, items=items[:PAGE], following=rows[PAGE - 1].id if len(rows) > PAGE else "",
        state=state, states=list(State), policy=policy, policies=names, mine=mine, search=search,
    )  # fmt: skip


@router.get("/cases/{session_id}")
def case(
    request: Request,
    session_id: str,
    visitor: Annotated[Visitor, needs("sessions:read")],
    shown: Annotated[str, Query(max_length=64)] = "",
    link: Annotated[str, Query(max_length=1000)] = "",
) -> Response:
    """A case: verdict, findings, samples that are shown when asked for, opinions, labels, history."""
    store, tenant = service_of(request).store, visitor.caller.tenant
    with store.read() as tx:
        session = store.sessions.get(tx, tenant, session_id)
        row = store.sessions.row(tx, tenant, session_id)
        media = store.vault.of_case(tx, tenant, session.case_id)
        verdicts = store.verdicts.of_case(tx, tenant, session.case_id)
        opinions = store.reviews.of_case(tx, tenant, session.case_id)
        labels = store.reviews.labels(tx, tenant, session.case_id)
        repeats = {
            each.id: [other for other in store.vault.with_same_hash(tx, tenant, each.id) if other != session.case_id]
            for each in media
        }
        subject = views.session(tx, session)
    return page(
        "case.html", visitor, session=subject, assignee=row.assignee, media=media, verdicts=verdicts, opinions=opinions,
        labels=labels, repeats=repeats, shown=shown, link=link, codes=CODES, label_values=LABELS,
        reviewable=session.state is State.REVIEW, latest=verdicts[-1] if verdicts else None,
    )  # fmt: skip


@router.post("/cases/{session_id}/show")
def show(
    request: Request,
    session_id: str,
    media_id: Annotated[str, Form(max_length=64)],
    visitor: Annotated[Visitor, posts("media:read")],
) -> Response:
    """Show one sample on the case's page, for as long as its link lives; it stands in the audit log."""
    service = service_of(request)
    with service.store.write() as tx:
        text = new_link(service, tx, visitor.caller, session_id, media_id)
    return back(f"/console/cases/{session_id}?shown={media_id}&link={text}#samples")


@router.post("/cases/{session_id}/assign")
def assign(
    request: Request,
    session_id: str,
    visitor: Annotated[Visitor, posts("reviews:write")],
    take: Annotated[bool, Form()] = False,
) -> Response:
    """Take a case, or give it back."""
    store, caller = service_of(request).store, visitor.caller
    with store.write() as tx:
        store.reviews.assign(tx, caller.tenant, session_id, caller.actor if take else None, actor=caller.actor)
    return back(f"/console/cases/{session_id}")


@router.post("/cases/{session_id}/decide")
def decide_case(
    request: Request,
    session_id: str,
    decision: Annotated[str, Form(max_length=20)],
    code: Annotated[str, Form(max_length=64)],
    visitor: Annotated[Visitor, posts("reviews:write")],
    note: Annotated[str, Form(max_length=4000)] = "",
) -> Response:
    """Decide a case with a reason."""
    store, caller = service_of(request).store, visitor.caller
    with store.write() as tx:
        store.reviews.decide(
            tx, caller.tenant, session_id, reviewer=caller.actor, decision=decision, code=code, note=note
        )
    return back(f"/console/cases/{session_id}")


@router.post("/cases/{session_id}/label")
def label_case(
    request: Request,
    session_id: str,
    label: Annotated[str, Form(max_length=130)],
    visitor: Annotated[Visitor, posts("reviews:write")],
) -> Response:
    """Say what a case shows; ``name=value``."""
    store, caller = service_of(request).store, visitor.caller
    name, _, value = label.partition("=")
    with store.write() as tx:
        case_id = store.sessions.get(tx, caller.tenant, session_id).case_id
        store.reviews.label(tx, caller.tenant, case_id, name, value, author=caller.actor)
    return back(f"/console/cases/{session_id}#labels")
