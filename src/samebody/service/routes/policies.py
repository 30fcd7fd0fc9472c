"""``/v1/policies``: what decides; a version is never changed, and the next one goes live behind the guard rails."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response
from pydantic import Field
from sqlalchemy import select

from samebody.decide.load import parse_policy
from samebody.operate.changes import LAST, LONGEST_REASON, rollback_policy, try_policy
from samebody.service import schemas, views
from samebody.service.access import Caller, needs
from samebody.service.once import OnceOnly
from samebody.service.rollout import live_policy, trial
from samebody.service.state import service_of
from samebody.store.schema import PolicyRow

router = APIRouter(prefix="/policies", tags=["policies"])


class NewPolicy(schemas.Request):
    """The next version of a policy."""

    text: str = Field(max_length=256 * 1024, description="YAML; see the reference of policies")
    media_days: float = Field(default=30, ge=0, le=3650, description="until samples are deleted")
    case_days: float = Field(default=365, ge=0, le=3650, description="until everything is")
    second_person: bool = Field(default=False, description="whether a review needs two people who agree")
    reason: str = Field(
        default="", max_length=LONGEST_REASON, description="why it goes live although a limit is exceeded; audited"
    )

    def retention(self) -> dict[str, Any]:
        """How long a case under it is kept, as the store takes it."""
        return self.model_dump(include={"media_days", "case_days", "second_person"})


class PolicyCandidate(schemas.Request):
    """A policy to try."""

    text: str = Field(max_length=256 * 1024)
    last: int = Field(default=LAST, ge=1, le=5000, description="newest verdicts that are decided again")


class PolicyRollback(schemas.Request):
    """Which version to go back to."""

    to: int | None = Field(default=None, ge=1, description="by default the newest whose text is another")


class ShiftView(schemas.Answer):
    """How much more often the candidate comes to a decision; the interval holds over the same cases."""

    live: int
    candidate: int
    difference: float
    low: float
    high: float


class PolicyTrial(schemas.Answer):
    """A candidate beside what is live."""

    cases: int = Field(description="compared; 0 where there is nothing to compare on")
    left_out: int
    changed: float | None = Field(description="share of cases decided otherwise, 0 to 1")
    changed_interval: list[float] | None = Field(description="its exact 95 % interval")
    moves: dict[str, int] = Field(description="cases by `live>candidate`")
    shifts: dict[str, ShiftView]
    examples: list[str] = Field(description="ids of at most 20 cases that are decided otherwise")
    against: list[str] = Field(description="what speaks against a promotion; it needs a reason unless this is empty")


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
    """Add a policy, or promote its next version: 409 unless the guard rails are kept or a `reason` is given."""
    service = service_of(request)

    def work() -> dict[str, Any]:
        return _view(
            live_policy(
                service, who, policy_id, wanted.text, retention=wanted.retention(), reason=wanted.reason, last=LAST
            )
        )

    return once.outside(who, 201, work)


@router.post("/{policy_id}/try", response_model=PolicyTrial)
def try_candidate(
    request: Request, policy_id: schemas.Name, wanted: PolicyCandidate, once: OnceOnly,
    who: Annotated[Caller, needs("policies:write")],
) -> Response:  # fmt: skip
    """Decide the newest verdicts of a policy again under a candidate, and say what the guard rails would do."""
    service = service_of(request)

    def work() -> dict[str, Any]:
        found, broken = try_policy(
            service.store, who.tenant, policy_id, wanted.text, service.runtime,
            limits=service.change_limits, last=wanted.last,
        )  # fmt: skip
        return trial(found, broken)

    return once.outside(who, 200, work)


@router.post("/{policy_id}/rollback", status_code=201, response_model=PolicyView)
def rollback(
    request: Request, policy_id: schemas.Name, wanted: PolicyRollback, once: OnceOnly,
    who: Annotated[Caller, needs("policies:write")],
) -> Response:  # fmt: skip
    """Make an older text live again, as a new version: by default the newest one that differs. Asks nothing."""
    store = service_of(request).store

    def work() -> dict[str, Any]:
        return _view(rollback_policy(store, who.tenant, policy_id, actor=who.actor, to=wanted.to))

    return once.outside(who, 201, work)


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
