"""The pages of what may change: policies and models, each tried beside what is live before it goes live."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Annotated, Any

from fastapi import APIRouter, Form, Request, Response
from sqlalchemy import select

from samebody.decide.load import parse_policy
from samebody.errors import SamebodyError
from samebody.models import ModelRecord, catalogue, weights_path
from samebody.operate.changes import (
    LAST,
    LONGEST_REASON,
    last_shadow,
    promote_model,
    rollback_model,
    rollback_policy,
    try_policy,
)
from samebody.service.console.login import Visitor, needs, posts
from samebody.service.console.render import back, page
from samebody.service.rollout import live_policy, trial
from samebody.service.state import Service, service_of
from samebody.store.errors import NotFoundError
from samebody.store.live_models import FACE_EMBEDDER
from samebody.store.policies import Retention
from samebody.store.schema import PolicyRow

router = APIRouter(prefix="/console", include_in_schema=False)

Days = Annotated[float, Form(ge=0, le=3650)]
Reason = Annotated[str, Form(max_length=LONGEST_REASON)]


@dataclass(frozen=True, slots=True)
class Draft:
    """What stands in the form of a policy.

    Attributes:
        mistakes: of the text, each with its line; ``error``: why it cannot go live.
        trial: see :func:`samebody.service.rollout.trial`; None before it was tried.
    """

    text: str
    media_days: float
    case_days: float
    second_person: bool
    last: int = LAST
    reason: str = ""
    mistakes: tuple[str, ...] = ()
    error: str = ""
    trial: dict[str, Any] | None = None

    @classmethod
    def of(cls, row: PolicyRow) -> Draft:
        """The live version, unchanged."""
        kept = Retention.of(row.retention)
        days = kept.media / timedelta(days=1), kept.case / timedelta(days=1)
        return cls(row.text, *days, kept.second_person)


@router.get("/policies")
def policies(request: Request, visitor: Annotated[Visitor, needs("policies:read")]) -> Response:
    """The newest version of every policy."""
    newest = _newest(service_of(request), visitor.caller.tenant)
    return page("policies.html", visitor, policies=list(newest.values()), error="", name="")


def _newest(service: Service, tenant: str) -> dict[str, PolicyRow]:
    """The newest version of every policy of a tenant, by name."""
    with service.store.read() as tx:
        query = select(PolicyRow).filter_by(tenant=tenant).order_by(PolicyRow.id, PolicyRow.version)
        return {row.id: row for row in tx.scalars(query)}


@router.post("/policies")
def copy_policy(
    request: Request,
    name: Annotated[str, Form(max_length=64)],
    source: Annotated[str, Form(max_length=64)],
    visitor: Annotated[Visitor, posts("policies:write")],
) -> Response:
    """A new policy with the text of another one, to be changed from there."""
    service, tenant = service_of(request), visitor.caller.tenant
    newest = _newest(service, tenant)
    error = "there is a policy of that name already." if name in newest else ""
    if source not in newest:
        raise NotFoundError("there is no such policy.")
    if not error:
        try:
            row = newest[source]
            live_policy(service, visitor.caller, name, row.text, retention=row.retention, reason="")
            return back(f"/console/policies/{name}")
        except SamebodyError as problem:
            error = str(problem)
    return page("policies.html", visitor, 422, policies=list(newest.values()), error=error, name=name)


@router.get("/policies/{policy_id}")
def policy_page(request: Request, policy_id: str, visitor: Annotated[Visitor, needs("policies:read")]) -> Response:
    """A policy with its versions, and a place to change it."""
    service = service_of(request)
    with service.store.read() as tx:
        row = service.store.policies.get(tx, visitor.caller.tenant, policy_id)
    return _policy(service, visitor, policy_id, Draft.of(row))


@router.post("/policies/{policy_id}")
def change_policy(
    request: Request,
    policy_id: str,
    text: Annotated[str, Form(max_length=256 * 1024)],
    visitor: Annotated[Visitor, posts("policies:write")],
    media_days: Days = 30.0,
    case_days: Days = 365.0,
    second_person: Annotated[bool, Form()] = False,
    last: Annotated[int, Form(ge=1, le=5000)] = LAST,
    reason: Reason = "",
    go_live: Annotated[bool, Form()] = False,
) -> Response:
    """Check a changed policy and decide the last verdicts again under it; with ``go_live`` promote it.

    What goes live is compared here and now, whatever was tried before: the guard rails do not trust the form.
    """
    service, caller = service_of(request), visitor.caller
    text = text.replace("\r\n", "\n")
    _, mistakes = parse_policy(text)
    found: dict[str, Any] | None = None
    error = ""
    if not mistakes:
        try:
            retention = {"media_days": media_days, "case_days": case_days, "second_person": second_person}
            Retention.of(retention)
            if go_live:
                live_policy(service, caller, policy_id, text, retention=retention, reason=reason, last=last)
                return back(f"/console/policies/{policy_id}")
            found = _tried(service, caller.tenant, policy_id, text, last)
        except SamebodyError as problem:
            error = str(problem)
            if go_live:  # refused: show on what grounds
                found = _tried(service, caller.tenant, policy_id, text, last)
    told = tuple(str(each) for each in mistakes)
    draft = Draft(text, media_days, case_days, second_person, last, reason, told, error, found)
    return _policy(service, visitor, policy_id, draft)


def _tried(service: Service, tenant: str, policy_id: str, text: str, last: int) -> dict[str, Any] | None:
    try:
        return trial(
            *try_policy(
                service.store, tenant, policy_id, text, service.runtime, limits=service.change_limits, last=last
            )
        )
    except SamebodyError:
        return None  # what is wrong was told by whoever tried to go live


@router.post("/policies/{policy_id}/rollback")
def roll_policy_back(
    request: Request,
    policy_id: str,
    version: Annotated[int, Form(ge=1)],
    visitor: Annotated[Visitor, posts("policies:write")],
) -> Response:
    """Make an older version live again, as a new one with its text."""
    service, caller = service_of(request), visitor.caller
    try:
        rollback_policy(service.store, caller.tenant, policy_id, actor=caller.actor, to=version)
    except SamebodyError as problem:
        with service.store.read() as tx:
            row = service.store.policies.get(tx, caller.tenant, policy_id)
        return _policy(service, visitor, policy_id, replace(Draft.of(row), error=str(problem)))
    return back(f"/console/policies/{policy_id}")


def _policy(service: Service, visitor: Visitor, policy_id: str, draft: Draft) -> Response:
    with service.store.read() as tx:
        query = select(PolicyRow).filter_by(tenant=visitor.caller.tenant, id=policy_id)
        versions = list(tx.scalars(query.order_by(PolicyRow.version.desc())))
    if not versions:
        raise NotFoundError("there is no such policy.")
    live = Draft.of(versions[0])
    kept = (draft.media_days, draft.case_days, draft.second_person)
    return page(
        "policy.html", visitor, 422 if draft.mistakes or draft.error else 200, policy_id=policy_id, draft=draft,
        versions=versions, changed=draft.text != live.text,
        kept_otherwise=kept != (live.media_days, live.case_days, live.second_person), limits=service.change_limits,
        longest=LONGEST_REASON,
    )  # fmt: skip


@router.get("/models")
def models(request: Request, visitor: Annotated[Visitor, needs("models:read")]) -> Response:
    """The models, their licences, what is live, and how candidates did in the shadow."""
    return _models(service_of(request), visitor, "")


@router.post("/models/promote")
def promote(
    request: Request,
    model_id: Annotated[str, Form(max_length=100)],
    visitor: Annotated[Visitor, posts("models:write")],
    reason: Reason = "",
) -> Response:
    """Make an embedder live, behind the guard rails."""
    service, caller = service_of(request), visitor.caller
    try:
        promote_model(
            service.store, caller.tenant, model_id, service.runtime, actor=caller.actor,
            limits=service.change_limits, force=reason,
        )  # fmt: skip
    except SamebodyError as problem:
        return _models(service, visitor, str(problem))
    return back("/console/models")


@router.post("/models/rollback")
def roll_model_back(request: Request, visitor: Annotated[Visitor, posts("models:write")]) -> Response:
    """Make the embedder live that was live before."""
    service, caller = service_of(request), visitor.caller
    try:
        rollback_model(service.store, caller.tenant, service.runtime, actor=caller.actor)
    except SamebodyError as problem:
        return _models(service, visitor, str(problem))
    return back("/console/models")


def _models(service: Service, visitor: Visitor, error: str) -> Response:
    store, tenant, settings = service.store, visitor.caller.tenant, service.runtime
    records = list(catalogue(settings).models())
    since = store.clock() - timedelta(days=service.change_limits.days)
    with store.read() as tx:
        history = store.live_models.history(tx, tenant, FACE_EMBEDDER)
        live = history[-1].model_id if history else settings.embedder
        rows: list[dict[str, Any]] = []
        for record in records:
            shadow = last_shadow(tx, tenant, record, since) if record.task == "face-embedding" else None
            rows.append(
                {
                    "record": record,
                    "weights": _weights(record, service),
                    "live": record.id == live,
                    "candidate": record.task == "face-embedding" and record.id != live,
                    "shadow": shadow,
                    "broken": service.change_limits.broken(shadow) if shadow is not None else None,
                }
            )
    rows.sort(key=lambda row: (not row["live"], not row["candidate"], row["record"].task, row["record"].id))
    return page(
        "models.html", visitor, 422 if error else 200, rows=rows, history=list(reversed(history)), error=error,
        limits=service.change_limits, longest=LONGEST_REASON,
    )  # fmt: skip


def _weights(record: ModelRecord, service: Service) -> str:
    try:
        weights_path(record, service.runtime)
    except SamebodyError as error:
        return error.code
    return "verified"
