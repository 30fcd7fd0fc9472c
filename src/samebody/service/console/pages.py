"""The pages: queue, case, policies, webhooks, models, figures. Thin: read the store, fill a template."""

from __future__ import annotations

from importlib import resources
from typing import Annotated, Any

import jinja2
from fastapi import APIRouter, FastAPI, Form, Query, Request, Response
from fastapi.responses import HTMLResponse, JSONResponse, RedirectResponse
from sqlalchemy import or_, select

from samebody.decide.load import parse_policy
from samebody.errors import SamebodyError
from samebody.models import catalogue, weights_path
from samebody.pipeline.replay import Replay, replay
from samebody.service import problems, views
from samebody.service.console.figures import figures, stacked_bars
from samebody.service.console.login import (
    COOKIE,
    LIFE,
    ForgedFormError,
    LoginNeededError,
    Visitor,
    log_in,
    needs,
    posts,
)
from samebody.service.links import new_link
from samebody.service.state import Service, service_of
from samebody.store.errors import NotFoundError
from samebody.store.lifecycle import State
from samebody.store.live_models import FACE_EMBEDDER
from samebody.store.schema import PolicyRow, SessionRow, WebhookDeliveryRow, WebhookEndpointRow
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
HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": (
        "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'; "
        "frame-ancestors 'none'; base-uri 'none'"
    ),
    "Referrer-Policy": "no-referrer",
    "X-Frame-Options": "DENY",
}

_templates = jinja2.Environment(
    loader=jinja2.PackageLoader("samebody.service.console", "templates"),
    autoescape=True,
    undefined=jinja2.StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)


def install(app: FastAPI) -> None:
    """Add the console to the application; whoever is not logged in is sent to the login."""
    app.include_router(router)

    @app.exception_handler(LoginNeededError)
    def to_login(request: Request, error: LoginNeededError) -> Response:
        return RedirectResponse("/console/login", 303)

    @app.exception_handler(ForgedFormError)
    def forged(request: Request, error: ForgedFormError) -> JSONResponse:
        return problems.problem(problems.request_id_of(request), 403, error.code, str(error))


def _page(name: str, visitor: Visitor | None, status: int = 200, **values: Any) -> HTMLResponse:
    text = _templates.get_template(name).render(visitor=visitor, at=views.at, **values)
    return HTMLResponse(text, status, headers=HEADERS)


def _back(path: str) -> RedirectResponse:
    return RedirectResponse(path, 303, headers={"Cache-Control": "no-store"})


@router.get("/style.css")
def style() -> Response:
    """The style sheet."""
    text = (resources.files("samebody.service.console") / "static" / "style.css").read_text("utf-8")
    return Response(text, media_type="text/css", headers={"Cache-Control": "max-age=3600"})


@router.get("/login")
def login_page() -> Response:
    """Where a key is given."""
    return _page("login.html", None, error="")


@router.post("/login")
def login(request: Request, key: Annotated[str, Form(max_length=500)]) -> Response:
    """Log in with an API key."""
    service = service_of(request)
    service.rates.take("console/login")
    try:
        cookie = log_in(service, key.strip())
    except SamebodyError as error:
        return _page("login.html", None, 403, error=str(error))
    answer = _back("/console/")
    secure = service.settings.public_url.startswith("https://")
    seconds = int(LIFE.total_seconds())
    answer.set_cookie(COOKIE, cookie, max_age=seconds, path="/console", httponly=True, samesite="strict", secure=secure)
    return answer


@router.post("/logout")
def logout(visitor: Annotated[Visitor, posts("sessions:read")]) -> Response:
    """Log out."""
    answer = _back("/console/login")
    answer.delete_cookie(COOKIE, path="/console")
    return answer


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
    return _page(
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
    return _page(
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
    return _back(f"/console/cases/{session_id}?shown={media_id}&link={text}#samples")


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
    return _back(f"/console/cases/{session_id}")


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
    return _back(f"/console/cases/{session_id}")


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
    return _back(f"/console/cases/{session_id}#labels")


@router.get("/policies")
def policies(request: Request, visitor: Annotated[Visitor, needs("policies:read")]) -> Response:
    """The newest version of every policy."""
    with service_of(request).store.read() as tx:
        query = select(PolicyRow).filter_by(tenant=visitor.caller.tenant).order_by(PolicyRow.id, PolicyRow.version)
        newest = {row.id: row for row in tx.scalars(query)}
        return _page("policies.html", visitor, policies=list(newest.values()))


@router.get("/policies/{policy_id}")
def policy_page(request: Request, policy_id: str, visitor: Annotated[Visitor, needs("policies:read")]) -> Response:
    """A policy with its versions, and a place to change it."""
    service = service_of(request)
    with service.store.read() as tx:
        row = service.store.policies.get(tx, visitor.caller.tenant, policy_id)
    return _policy(service, visitor, policy_id, row.text, [], None, "")


@router.post("/policies/{policy_id}")
def try_policy(
    request: Request,
    policy_id: str,
    text: Annotated[str, Form(max_length=256 * 1024)],
    visitor: Annotated[Visitor, posts("policies:write")],
    go_live: Annotated[bool, Form()] = False,
    last: Annotated[int, Form(ge=1, le=500)] = 100,
) -> Response:
    """Check a changed policy, decide the last cases again under it; with ``go_live`` make it the next version."""
    service = service_of(request)
    store, caller = service.store, visitor.caller
    text = text.replace("\r\n", "\n")
    policy, mistakes = parse_policy(text)
    found: Replay | None = None
    error = ""
    if policy is not None:
        try:
            with store.read() as tx:
                live = store.live_models.current(tx, caller.tenant, FACE_EMBEDDER)
                record = catalogue(service.runtime)[live.model_id if live else service.runtime.embedder]
                found = replay(store, tx, caller.tenant, policy, record, last)
        except SamebodyError as problem:
            error, policy = str(problem), None
    if policy is not None and go_live:
        with store.write() as tx:
            before = store.policies.get(tx, caller.tenant, policy_id)
            store.policies.put(tx, caller.tenant, policy_id, text, actor=caller.actor, retention=before.retention)
        return _back(f"/console/policies/{policy_id}")
    return _policy(service, visitor, policy_id, text, [str(each) for each in mistakes], found, error)


def _policy(
    service: Service, visitor: Visitor, policy_id: str, text: str, mistakes: list[str], found: Replay | None, error: str
) -> Response:
    with service.store.read() as tx:
        query = select(PolicyRow).filter_by(tenant=visitor.caller.tenant, id=policy_id)
        versions = list(tx.scalars(query.order_by(PolicyRow.version.desc())))
    if not versions:
        raise NotFoundError("there is no such policy.")
    return _page(
        "policy.html", visitor, 422 if mistakes or error else 200, policy_id=policy_id, text=text, mistakes=mistakes,
        found=found, error=error, versions=versions, changed=text != versions[0].text,
    )  # fmt: skip


@router.get("/webhooks")
def webhook_log(request: Request, visitor: Annotated[Visitor, needs("webhooks:read")]) -> Response:
    """Endpoints, and the newest deliveries to each."""
    with service_of(request).store.read() as tx:
        tenant = visitor.caller.tenant
        endpoints = list(
            tx.scalars(select(WebhookEndpointRow).filter_by(tenant=tenant).order_by(WebhookEndpointRow.id))
        )
        query = select(WebhookDeliveryRow).filter_by(tenant=tenant).order_by(WebhookDeliveryRow.id.desc()).limit(100)
        deliveries = list(tx.scalars(query))
        return _page("webhooks.html", visitor, endpoints=endpoints, deliveries=deliveries)


@router.get("/models")
def models(request: Request, visitor: Annotated[Visitor, needs("models:read")]) -> Response:
    """The models, their licences, and whether their weights are here and verified."""
    settings = service_of(request).runtime
    rows = []
    for record in catalogue(settings).models():
        try:
            weights_path(record, settings)
            state = "verified"
        except SamebodyError as error:
            state = error.code
        rows.append((record, state))
    return _page("models.html", visitor, rows=rows)


@router.get("/figures")
def figure_page(request: Request, visitor: Annotated[Visitor, needs("sessions:read")]) -> Response:
    """Volumes, outcomes, abstentions and times of the last thirty days."""
    store = service_of(request).store
    with store.read() as tx:
        found = figures(tx, visitor.caller.tenant, store.clock())
    plots = {
        "Sessions created, by day": stacked_bars(found.days, {"created": found.created}, "Sessions created, by day"),
        "Verdicts by decision, by day": stacked_bars(found.days, found.decided, "Verdicts by decision, by day"),
    }
    return _page("figures.html", visitor, found=found, plots=plots)
