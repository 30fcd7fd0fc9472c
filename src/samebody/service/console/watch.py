"""The pages that watch: live figures and the webhook log."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Request, Response
from sqlalchemy import select

from samebody.service.console.figures import figures, stacked_bars
from samebody.service.console.login import Visitor, needs
from samebody.service.console.render import page
from samebody.service.state import service_of
from samebody.store.schema import WebhookDeliveryRow, WebhookEndpointRow

router = APIRouter(prefix="/console", include_in_schema=False)


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
        return page("webhooks.html", visitor, endpoints=endpoints, deliveries=deliveries)


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
    return page("figures.html", visitor, found=found, plots=plots)
