"""``/v1/models``: what answers, what is live for the tenant, and how another one goes live."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Request, Response
from pydantic import Field

from samebody.errors import SamebodyError
from samebody.models import catalogue, weights_path
from samebody.operate.changes import LONGEST_REASON, promote_model, rollback_model
from samebody.service import schemas, views
from samebody.service.access import Caller, needs
from samebody.service.once import OnceOnly
from samebody.service.state import service_of
from samebody.store.live_models import FACE_EMBEDDER, LiveModel

router = APIRouter(prefix="/models", tags=["models"])


class Model(schemas.Answer):
    """A model record in short."""

    id: str
    task: str
    version: str
    sha256: str | None
    licence: str
    commercial_use: str
    installed: bool


class ModelList(schemas.Answer):
    """The models this service knows."""

    items: list[Model]


class ModelChange(schemas.Answer):
    """One change of the live model."""

    number: int
    model_id: str
    sha256: str
    kind: str = Field(description="promoted or rolled_back")
    reason: str = Field(description="why, where a guard rail was overruled; else empty")
    author: str
    created: str


class Live(schemas.Answer):
    """The model that is live in a slot."""

    slot: str
    model_id: str
    own: bool = Field(description="nothing was ever promoted: it is the one that the operator configured")
    changes: list[ModelChange] = Field(description="oldest first")


class LiveList(schemas.Answer):
    """What is live for the tenant."""

    items: list[Live]


class Promotion(schemas.Request):
    """An embedder of faces to make live."""

    model_id: str = Field(max_length=100)
    reason: str = Field(
        default="",
        max_length=LONGEST_REASON,
        description="why it goes live without a comparison that keeps the limits; audited",
    )


@router.get("", response_model=ModelList)
def list_models(request: Request, who: Annotated[Caller, needs("models:read")]) -> dict[str, Any]:
    """The models, the licence of their weights, and whether these are here and verified."""
    settings = service_of(request).runtime
    items = []
    for record in catalogue(settings).models():
        try:
            weights_path(record, settings)
            installed = True
        except SamebodyError:
            installed = False
        items.append(
            {
                "id": record.id,
                "task": record.task,
                "version": record.version,
                "sha256": record.sha256,
                "licence": record.licence.spdx,
                "commercial_use": record.licence.commercial_use,
                "installed": installed,
            }
        )
    return {"items": items}


@router.get("/live", response_model=LiveList)
def list_live_models(request: Request, who: Annotated[Caller, needs("models:read")]) -> dict[str, Any]:
    """Which model makes templates of faces for the tenant, and every change of it."""
    service = service_of(request)
    with service.store.read() as tx:
        history = service.store.live_models.history(tx, who.tenant, FACE_EMBEDDER)
    live = history[-1].model_id if history else service.runtime.embedder
    item = {"slot": FACE_EMBEDDER, "model_id": live, "own": not history, "changes": [_change(each) for each in history]}
    return {"items": [item]}


@router.post("/promote", status_code=201, response_model=ModelChange)
def promote(
    request: Request, wanted: Promotion, once: OnceOnly, who: Annotated[Caller, needs("models:write")]
) -> Response:
    """Make an embedder of faces live: 409 unless a comparison keeps the guard rails or a `reason` is given."""
    service = service_of(request)

    def work() -> dict[str, Any]:
        return _change(
            promote_model(
                service.store, who.tenant, wanted.model_id, service.runtime, actor=who.actor,
                limits=service.change_limits, force=wanted.reason,
            )
        )  # fmt: skip

    return once.outside(who, 201, work)


@router.post("/rollback", status_code=201, response_model=ModelChange)
def rollback_live_model(request: Request, once: OnceOnly, who: Annotated[Caller, needs("models:write")]) -> Response:
    """Make the embedder live again that was live before. Asks nothing; a second time undoes the first."""
    service = service_of(request)

    def work() -> dict[str, Any]:
        return _change(rollback_model(service.store, who.tenant, service.runtime, actor=who.actor))

    return once.outside(who, 201, work)


def _change(row: LiveModel) -> dict[str, Any]:
    return {
        "number": row.number,
        "model_id": row.model_id,
        "sha256": row.sha256,
        "kind": row.kind,
        "reason": row.reason,
        "author": row.author,
        "created": views.at(row.created),
    }
