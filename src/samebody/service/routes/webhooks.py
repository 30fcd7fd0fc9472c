"""``/v1/webhook-endpoints``: where a tenant wants to be told, and what became of each message."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, Any

from fastapi import APIRouter, Request, Response
from pydantic import Field
from sqlalchemy import select
from sqlalchemy.orm import Session as Tx

from samebody.jobs import outbox
from samebody.jobs.outbox import Delivery, body_of, endpoint_secrets, new_endpoint, resend, rotate_secret
from samebody.service import schemas, views
from samebody.service.access import Caller, needs
from samebody.service.once import OnceOnly
from samebody.service.pages import Cursor, Limit, page, position
from samebody.service.state import service_of
from samebody.service.webhooks import secret_text
from samebody.store.errors import NotFoundError
from samebody.store.ids import new_id
from samebody.store.schema import WebhookDeliveryRow, WebhookEndpointRow

router = APIRouter(prefix="/webhook-endpoints", tags=["webhooks"])
READ, WRITE = "webhooks:read", "webhooks:write"


class NewEndpoint(schemas.Request):
    """An endpoint to register."""

    url: str = Field(max_length=2000, pattern=r"^https?://", description="https, unless it is on a private network")
    kinds: list[schemas.Name] = Field(
        default_factory=list, max_length=50, description="such as session.accepted; all when empty"
    )


class Endpoint(schemas.Answer):
    """An endpoint."""

    id: str
    url: str
    kinds: list[str]
    created: str
    disabled: str | None


class EndpointSecret(Endpoint):
    """An endpoint with its secret, which is shown this once."""

    secret: str


class Rotated(schemas.Answer):
    """A new secret; messages are signed with the old one too until it ends."""

    secret: str
    old_ends_in_seconds: int


class EndpointPage(schemas.Answer):
    """Endpoints of a tenant, oldest first."""

    items: list[Endpoint]
    next: str | None


class DeliveryView(schemas.Answer):
    """One message to one endpoint."""

    id: str
    message_id: str
    state: str = Field(description="waiting, delivered or given_up")
    tries: int
    last_status: int | None
    last_error: str | None
    next_try: str | None
    created: str
    finished: str | None


class DeliveryPage(schemas.Answer):
    """Deliveries, newest first."""

    items: list[DeliveryView]
    next: str | None


class Tried(schemas.Answer):
    """What became of a test message."""

    accepted: bool
    status: int | None
    error: str | None


@router.post("", status_code=201, response_model=EndpointSecret)
def create_endpoint(
    request: Request, wanted: NewEndpoint, once: OnceOnly, who: Annotated[Caller, needs(WRITE)]
) -> Response:
    """Register an endpoint; the answer holds its secret."""
    store = service_of(request).store

    def work(tx: Tx) -> dict[str, Any]:
        made, secret = new_endpoint(store, tx, who.tenant, wanted.url, actor=who.actor, kinds=wanted.kinds)
        return {**_view(_row(tx, who.tenant, made)), "secret": secret_text(secret)}

    return once.inside(who, 201, work)


@router.get("", response_model=EndpointPage)
def list_endpoints(
    request: Request, who: Annotated[Caller, needs(READ)], limit: Limit = 50, cursor: Cursor = None
) -> dict[str, Any]:
    """The endpoints of the tenant, oldest first."""
    service = service_of(request)
    with service.store.read() as tx:
        query = select(WebhookEndpointRow).filter_by(tenant=who.tenant)
        if (after := position(service, tx, who.tenant, "endpoints", cursor)) is not None:
            query = query.where(WebhookEndpointRow.id > after)
        rows = tx.scalars(query.order_by(WebhookEndpointRow.id).limit(limit + 1)).all()
        items = [_view(row) for row in rows]
        return page(service, tx, who.tenant, "endpoints", items, limit, [row.id for row in rows])


@router.get("/{endpoint_id}", response_model=Endpoint)
def get_endpoint(request: Request, endpoint_id: str, who: Annotated[Caller, needs(READ)]) -> dict[str, Any]:
    """One endpoint."""
    with service_of(request).store.read() as tx:
        return _view(_row(tx, who.tenant, endpoint_id))


@router.delete("/{endpoint_id}", response_model=Endpoint)
def disable_endpoint(request: Request, endpoint_id: str, who: Annotated[Caller, needs(WRITE)]) -> dict[str, Any]:
    """Stop telling an endpoint: what waits for it is given up. Its deliveries stay in the log."""
    store = service_of(request).store
    with store.write() as tx:
        outbox.disable_endpoint(store, tx, who.tenant, endpoint_id, actor=who.actor)
        return _view(_row(tx, who.tenant, endpoint_id))


@router.post("/{endpoint_id}/rotate-secret", response_model=Rotated)
def rotate_endpoint_secret(
    request: Request, endpoint_id: str, once: OnceOnly, who: Annotated[Caller, needs(WRITE)]
) -> Response:
    """A new secret; both sign for a day, so that nothing is lost while the receiver changes over."""
    store, overlap = service_of(request).store, timedelta(hours=24)

    def work(tx: Tx) -> dict[str, Any]:
        secret = rotate_secret(store, tx, who.tenant, endpoint_id, actor=who.actor, overlap=overlap)
        return {"secret": secret_text(secret), "old_ends_in_seconds": int(overlap.total_seconds())}

    return once.inside(who, 200, work)


@router.post("/{endpoint_id}/test", response_model=Tried)
def test_endpoint(request: Request, endpoint_id: str, once: OnceOnly, who: Annotated[Caller, needs(WRITE)]) -> Response:
    """Send one signed message of the kind ``endpoint.test`` now, once, and say what became of it."""
    service = service_of(request)
    store = service.store

    def work() -> dict[str, Any]:
        with store.read() as tx:
            row = _row(tx, who.tenant, endpoint_id)
            secrets = endpoint_secrets(store, tx, row)
        message = new_id("msg")
        body = body_of("endpoint.test", store.clock(), {"endpoint": endpoint_id})
        with service.sending_slot() as send:
            receipt = send(Delivery(who.tenant, message, message, endpoint_id, row.url, body, 0, secrets))
        return {"accepted": receipt.accepted, "status": receipt.status, "error": receipt.error}

    return once.outside(who, 200, work)


@router.get("/{endpoint_id}/deliveries", response_model=DeliveryPage)
def list_deliveries(
    request: Request, endpoint_id: str, who: Annotated[Caller, needs(READ)], limit: Limit = 50, cursor: Cursor = None
) -> dict[str, Any]:
    """The deliveries of an endpoint, newest first."""
    service = service_of(request)
    kind = f"deliveries/{endpoint_id}"
    with service.store.read() as tx:
        _row(tx, who.tenant, endpoint_id)
        query = select(WebhookDeliveryRow).filter_by(tenant=who.tenant, endpoint_id=endpoint_id)
        if (before := position(service, tx, who.tenant, kind, cursor)) is not None:
            query = query.where(WebhookDeliveryRow.id < before)
        rows = tx.scalars(query.order_by(WebhookDeliveryRow.id.desc()).limit(limit + 1)).all()
        items = [_delivery(row) for row in rows]
        return page(service, tx, who.tenant, kind, items, limit, [row.id for row in rows])


@router.post("/{endpoint_id}/deliveries/{delivery_id}/resend", response_model=DeliveryView)
def resend_delivery(
    request: Request, endpoint_id: str, delivery_id: str, once: OnceOnly, who: Annotated[Caller, needs(WRITE)]
) -> Response:
    """Try a delivery again, whatever became of it: the same id and bytes. 409 when its endpoint is disabled."""
    store = service_of(request).store

    def work(tx: Tx) -> dict[str, Any]:
        row = tx.get(WebhookDeliveryRow, (who.tenant, delivery_id))
        if row is None or row.endpoint_id != endpoint_id:
            raise NotFoundError("there is no such delivery.")
        resend(store, tx, who.tenant, delivery_id, actor=who.actor)
        return _delivery(tx.get_one(WebhookDeliveryRow, (who.tenant, delivery_id), populate_existing=True))

    return once.inside(who, 200, work)


def _row(tx: Tx, tenant: str, endpoint_id: str) -> WebhookEndpointRow:
    row = tx.get(WebhookEndpointRow, (tenant, endpoint_id), populate_existing=True)
    if row is None:
        raise NotFoundError("there is no such endpoint.")
    return row


def _view(row: WebhookEndpointRow) -> dict[str, Any]:
    return {
        "id": row.id,
        "url": row.url,
        "kinds": list(row.kinds),
        "created": views.at(row.created),
        "disabled": views.at(row.disabled),
    }


def _delivery(row: WebhookDeliveryRow) -> dict[str, Any]:
    return {
        "id": row.id,
        "message_id": row.outbox_id,
        "state": row.state,
        "tries": row.tries,
        "last_status": row.last_status,
        "last_error": row.last_error,
        "next_try": views.at(row.next_try) if row.state == "waiting" else None,
        "created": views.at(row.created),
        "finished": views.at(row.finished),
    }
