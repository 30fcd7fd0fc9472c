"""The pages of cases: the queue with its filters, one case, and what a reviewer does with it."""

from __future__ import annotations

import json
from typing import Annotated
from urllib.parse import urlencode

from fastapi import APIRouter, Form, Query, Request, Response
from sqlalchemy import ColumnElement, func, or_, select

from samebody.service import views
from samebody.service.console import casefile
from samebody.service.console.casefile import names_of
from samebody.service.console.login import Visitor, needs, posts
from samebody.service.console.render import back, page
from samebody.service.insight import ask
from samebody.service.links import new_link
from samebody.service.lookalikes import in_galleries, template_of
from samebody.service.state import Service, service_of
from samebody.store.errors import NotFoundError
from samebody.store.lifecycle import State
from samebody.store.schema import CaseRow, PolicyRow, SessionRow, SubjectRow
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
SHORTEST_PART = 6
"""Characters of an id's end that a search takes."""


@router.get("/")
def queue(
    request: Request,
    visitor: Annotated[Visitor, needs("sessions:read")],
    state: Annotated[str, Query(max_length=20)] = "review",
    policy: Annotated[str, Query(max_length=64)] = "",
    whose: Annotated[str, Query(max_length=10)] = "",
    search: Annotated[str, Query(max_length=200)] = "",
    before: Annotated[str, Query(max_length=64)] = "",
) -> Response:
    """Sessions by state, policy, assignee or text; the newest first, those in review the longest waiting first.

    A search looks in every state, at ids (whole, or the last characters that pages show), the integrator's reference,
    and the name under which a person is enrolled.
    """
    store, tenant, wanted = service_of(request).store, visitor.caller.tenant, search.strip()
    waiting = state == State.REVIEW.value and not wanted
    case = (CaseRow.tenant == SessionRow.tenant) & (CaseRow.id == SessionRow.case_id)
    with store.read() as tx:
        query = select(SessionRow, CaseRow).join(CaseRow, case).where(SessionRow.tenant == tenant)
        if wanted:
            query = query.where(_matches(tenant, wanted))
        elif state in set(State):
            query = query.where(SessionRow.state == state)
        if policy:
            query = query.where(CaseRow.policy_id == policy)
        if whose == "mine":
            query = query.where(SessionRow.assignee == visitor.caller.actor)
        elif whose == "nobody":
            query = query.where(SessionRow.assignee.is_(None))
        if before:
            query = query.where(SessionRow.id > before if waiting else SessionRow.id < before)
        order = SessionRow.id if waiting else SessionRow.id.desc()
        rows = tx.execute(query.order_by(order).limit(PAGE + 1)).all()
        items = [{**views.session(tx, view(row)), "assignee": row.assignee} for row, _ in rows]
        names = sorted(set(tx.scalars(select(PolicyRow.id).filter_by(tenant=tenant))))
        counting = select(SessionRow.state, func.count()).filter_by(tenant=tenant).group_by(SessionRow.state)
        counts = {row[0]: row[1] for row in tx.execute(counting)}
        people = names_of(tx, tenant)
    following = ""
    if len(rows) > PAGE:
        kept = {"state": state, "policy": policy, "whose": whose, "search": search, "before": rows[PAGE - 1][0].id}
        following = urlencode({name: value for name, value in kept.items() if value or name == "state"})
    return page(
        "queue.html", visitor, items=items[:PAGE], following=following, state=state, states=list(State), policy=policy,
        policies=names, whose=whose, search=search, counts=counts, people=people, now=store.clock(),
    )  # fmt: skip


def _matches(tenant: str, wanted: str) -> ColumnElement[bool]:
    """Whether a session is one that a text names."""
    enrolled = select(SubjectRow.id).where(SubjectRow.tenant == tenant, SubjectRow.external_id == wanted)
    found = [
        SessionRow.id == wanted,
        SessionRow.case_id == wanted,
        SessionRow.reference == wanted,
        CaseRow.subject_id == wanted,
        CaseRow.subject_id.in_(enrolled),
    ]
    if len(wanted) >= SHORTEST_PART:
        found += [SessionRow.id.endswith(wanted, autoescape=True), SessionRow.case_id.endswith(wanted, autoescape=True)]
    return or_(*found)


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
        found = casefile.read(store, tx, visitor, session_id)
        people = casefile.reviewers(tx, tenant) if visitor.can("keys:read") else {}
    return page(
        "case.html", visitor, file=found, session=found.session, shown=shown, link=link, codes=CODES,
        label_values=LABELS, reviewable=found.session["state"] == State.REVIEW.value, people=people,
    )  # fmt: skip


@router.post("/cases/{session_id}/ask")
def ask_about(
    request: Request,
    session_id: str,
    what: Annotated[str, Form(max_length=20)],
    visitor: Annotated[Visitor, posts("reviews:write")],
) -> Response:
    """Let a worker explain a score, or look for look-alikes; who enrols people is shown those of galleries too."""
    service = service_of(request)
    caller = visitor.caller
    caller.require("media:read")
    with service.store.write() as tx:
        ask(service.store, tx, caller.tenant, session_id, what, actor=caller.actor)
    if what == "similar" and visitor.can("galleries:read"):
        _search_galleries(service, visitor, session_id)
    return back(f"/console/cases/{session_id}#{what}")


def _search_galleries(service: Service, visitor: Visitor, session_id: str) -> None:
    """Here and not in a worker: galleries have one writer, and that is this process."""
    store, caller = service.store, visitor.caller
    with store.read() as tx:
        case_id = store.sessions.get(tx, caller.tenant, session_id).case_id
        attempt = store.verdicts.of_case(tx, caller.tenant, case_id)[-1].attempt
        if not service.galleries.of_tenant(tx, caller.tenant):
            return
    with service.check_slot() as verifiers:
        verifier = verifiers.of_tenant(caller.tenant)
        vector = template_of(store, caller.tenant, case_id, attempt, verifier, service.runtime)
        people = [] if vector is None else in_galleries(store, service.galleries, caller.tenant, vector, verifier)
    store.vault.derive(caller.tenant, case_id, attempt, "galleries", json.dumps({"people": people}).encode())
    with store.write() as tx:
        store.audit.append(
            tx, caller.tenant, caller.actor, "galleries.searched", "session", session_id, found=len(people)
        )


@router.post("/cases/{session_id}/show")
def show(
    request: Request,
    session_id: str,
    media_id: Annotated[str, Form(max_length=64)],
    visitor: Annotated[Visitor, posts("media:read")],
    anchor: Annotated[str, Form(pattern="^[a-z]{1,20}$")] = "samples",
) -> Response:
    """Show one sample, or one map, on the case's page, for as long as its link lives; it stands in the audit log."""
    service = service_of(request)
    with service.store.write() as tx:
        text, _ = new_link(service, tx, visitor.caller, session_id, media_id)
    return back(f"/console/cases/{session_id}?shown={media_id}&link={text}#{anchor}")


@router.post("/cases/{session_id}/assign")
def assign(
    request: Request,
    session_id: str,
    visitor: Annotated[Visitor, posts("reviews:write")],
    take: Annotated[bool, Form()] = False,
    to: Annotated[str, Form(max_length=200)] = "",
) -> Response:
    """Take a case, or give it back; whoever manages keys may give it to another reviewer."""
    store, caller = service_of(request).store, visitor.caller
    assignee = caller.actor if take else None
    with store.write() as tx:
        if to:
            caller.require("keys:read")
            if to not in casefile.reviewers(tx, caller.tenant):
                raise NotFoundError("there is no such reviewer.")
            assignee = to
        store.reviews.assign(tx, caller.tenant, session_id, assignee, actor=caller.actor)
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
