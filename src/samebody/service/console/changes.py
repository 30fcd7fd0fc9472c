"""The pages of what may change: policies, tried before they go live, and models."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Form, Request, Response
from sqlalchemy import select

from samebody.decide.load import parse_policy
from samebody.errors import SamebodyError
from samebody.models import catalogue, weights_path
from samebody.pipeline.replay import Replay, replay
from samebody.service.console.login import Visitor, needs, posts
from samebody.service.console.render import back, page
from samebody.service.state import Service, service_of
from samebody.store.errors import NotFoundError
from samebody.store.live_models import FACE_EMBEDDER
from samebody.store.schema import PolicyRow

router = APIRouter(prefix="/console", include_in_schema=False)


@router.get("/policies")
def policies(request: Request, visitor: Annotated[Visitor, needs("policies:read")]) -> Response:
    """The newest version of every policy."""
    with service_of(request).store.read() as tx:
        query = select(PolicyRow).filter_by(tenant=visitor.caller.tenant).order_by(PolicyRow.id, PolicyRow.version)
        newest = {row.id: row for row in tx.scalars(query)}
        return page("policies.html", visitor, policies=list(newest.values()))


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
        return back(f"/console/policies/{policy_id}")
    return _policy(service, visitor, policy_id, text, [str(each) for each in mistakes], found, error)


def _policy(
    service: Service, visitor: Visitor, policy_id: str, text: str, mistakes: list[str], found: Replay | None, error: str
) -> Response:
    with service.store.read() as tx:
        query = select(PolicyRow).filter_by(tenant=visitor.caller.tenant, id=policy_id)
        versions = list(tx.scalars(query.order_by(PolicyRow.version.desc())))
    if not versions:
        raise NotFoundError("there is no such policy.")
    return page(
        "policy.html", visitor, 422 if mistakes or error else 200, policy_id=policy_id, text=text, mistakes=mistakes,
        found=found, error=error, versions=versions, changed=text != versions[0].text,
    )  # fmt: skip


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
    return page("models.html", visitor, rows=rows)
