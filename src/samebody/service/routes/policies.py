"""``/v1/policies``: what decides; a version is never changed."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response
from pydantic import Field
from sqlalchemy import select
from sqlalchemy.orm import Session as Tx

from samebody.decide.errors import PolicyInvalidError
from samebody.decide.load import parse_policy
from samebody.service import schemas, views
from samebody.service.access import Caller, needs
from samebody.service.once import OnceOnly
from samebody.service.state import service_of
from samebody.store.schema import PolicyRow

router = APIRouter(prefix="/policies", tags=["policies"])


class NewPolicy(schemas.Request):
    """The next version of a policy."""

    text: str = Field(max_length=256 * 1024, description="YAML; see the reference of policies")
    media_days: float = Field(default=30, ge=0, le=3650, description="until samples are deleted")
    case_days: float = Field(default=365, ge=0, le=3650, description="until everything is")
    second_person: bool = Field(default=False, description="whether a review needs two people who agree")


class PolicyView(schemas.Answer):
    """A version of a policy."""

    id: str
    version: int
    sha256: str
    text: str
    retention: dict[str, Any]
    author: str
    created: str


class PolicyList(schemas.Answer):
    """The newest version of every policy."""

    items: list[PolicyView]


class Check(schemas.Answer):
    """Every mistake of a policy, with its line."""

    valid: bool
    mistakes: list[str]


class PolicyText(schemas.Request):
    """A policy to check."""

    text: str = Field(max_length=256 * 1024)


@router.get("", response_model=PolicyList)
def list_policies(request: Request, who: Annotated[Caller, needs("policies:read")]) -> dict[str, Any]:
    """The newest version of every policy of the tenant."""
    with service_of(request).store.read() as tx:
        rows = tx.scalars(select(PolicyRow).filter_by(tenant=who.tenant).order_by(PolicyRow.id, PolicyRow.version))
        newest = {row.id: row for row in rows}
        return {"items": [_view(row) for row in newest.values()]}


@router.post("/check", response_model=Check)
def check_policy(
    request: Request, wanted: PolicyText, once: OnceOnly, who: Annotated[Caller, needs("policies:read")]
) -> Response:
    """Every mistake of a policy at once; nothing is kept."""

    def work() -> dict[str, Any]:
        policy, mistakes = parse_policy(wanted.text)
        return {"valid": policy is not None, "mistakes": [str(each) for each in mistakes]}

    return once.outside(who, 200, work)


@router.get("/{policy_id}", response_model=PolicyView)
def get_policy(
    request: Request,
    policy_id: schemas.Name,
    who: Annotated[Caller, needs("policies:read")],
    version: Annotated[int | None, Query(ge=1, description="By default the newest.")] = None,
) -> dict[str, Any]:
    """A version of a policy."""
    store = service_of(request).store
    with store.read() as tx:
        return _view(store.policies.get(tx, who.tenant, policy_id, version))


@router.post("/{policy_id}", status_code=201, response_model=PolicyView)
def put_policy(
    request: Request, policy_id: schemas.Name, wanted: NewPolicy, once: OnceOnly,
    who: Annotated[Caller, needs("policies:write")],
) -> Response:  # fmt: skip
    """Add the next version; sessions created from now on are decided by it."""
    store = service_of(request).store
    policy, mistakes = parse_policy(wanted.text)
    if policy is None:
        raise PolicyInvalidError(policy_id, mistakes)
    retention = {"media_days": wanted.media_days, "case_days": wanted.case_days, "second_person": wanted.second_person}

    def work(tx: Tx) -> dict[str, Any]:
        return _view(store.policies.put(tx, who.tenant, policy_id, wanted.text, actor=who.actor, retention=retention))

    return once.inside(who, 201, work)


def _view(row: PolicyRow) -> dict[str, Any]:
    return {
        "id": row.id,
        "version": row.version,
        "sha256": row.sha256,
        "text": row.text,
        "retention": dict(row.retention),
        "author": row.author,
        "created": views.at(row.created),
    }
