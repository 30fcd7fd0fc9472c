"""The pages that watch: live figures and the webhook log."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated

from fastapi import APIRouter, Form, Query, Request, Response
from sqlalchemy import func, select

from samebody.jobs.outbox import resend
from samebody.operate.cost import Cost, cost
from samebody.operate.errors import NothingToDoError
from samebody.service.console.figures import drift_events, figures
from samebody.service.console.login import Visitor, needs, posts
from samebody.service.console.plots import lines, stacked_bars
from samebody.service.console.render import back, page
from samebody.service.state import service_of
from samebody.store.schema import WebhookDeliveryRow, WebhookEndpointRow

router = APIRouter(prefix="/console", include_in_schema=False)

DELIVERIES = ("waiting", "delivered", "given_up")
PAGE = 50
DAYS = 30


@router.get("/webhooks")
def webhook_log(
    request: Request,
    visitor: Annotated[Visitor, needs("webhooks:read")],
    state: Annotated[str, Query(max_length=20)] = "",
    endpoint: Annotated[str, Query(max_length=64)] = "",
    before: Annotated[str, Query(max_length=64)] = "",
) -> Response:
    """Endpoints, and the deliveries to each, newest first."""
    service = service_of(request)
    with service.store.read() as tx:
        tenant = visitor.caller.tenant
        endpoints = list(
            tx.scalars(select(WebhookEndpointRow).filter_by(tenant=tenant).order_by(WebhookEndpointRow.id))
        )
        query = select(WebhookDeliveryRow).filter_by(tenant=tenant)
        if state in DELIVERIES:
            query = query.filter_by(state=state)
        if endpoint:
            query = query.filter_by(endpoint_id=endpoint)
        if before:
            query = query.where(WebhookDeliveryRow.id < before)
        rows = list(tx.scalars(query.order_by(WebhookDeliveryRow.id.desc()).limit(PAGE + 1)))
        counting = select(WebhookDeliveryRow.state, func.count()).filter_by(tenant=tenant)
        counts = {row[0]: row[1] for row in tx.execute(counting.group_by(WebhookDeliveryRow.state))}
        return page(
            "webhooks.html", visitor, endpoints=endpoints, deliveries=rows[:PAGE], counts=counts, states=DELIVERIES,
            state=state, endpoint=endpoint, following=rows[PAGE - 1].id if len(rows) > PAGE else "",
            private=service.settings.private_webhooks,
        )  # fmt: skip


@router.post("/webhooks/resend")
def resend_message(
    request: Request,
    delivery: Annotated[str, Form(max_length=64)],
    visitor: Annotated[Visitor, posts("webhooks:write")],
) -> Response:
    """Try a delivery again: the same id and bytes."""
    store, caller = service_of(request).store, visitor.caller
    with store.write() as tx:
        resend(store, tx, caller.tenant, delivery, actor=caller.actor)
    return back("/console/webhooks")


@router.get("/figures")
def figure_page(request: Request, visitor: Annotated[Visitor, needs("sessions:read")]) -> Response:
    """Volumes, outcomes, abstentions, times, drift and cost of the last thirty days."""
    service = service_of(request)
    store, tenant = service.store, visitor.caller.tenant
    now = store.clock()
    spent: Cost | None = None
    with store.read() as tx:
        found = figures(tx, tenant, now, DAYS)
        watched, alarms = drift_events(tx, tenant, now - timedelta(days=DAYS))
        if service.prices is not None:
            try:
                spent = cost(tx, tenant, service.prices, now=now, days=DAYS, replicates=500)
            except NothingToDoError:
                spent = None
    abstained = [None if value is None else 100 * value for value in found.abstained]
    plots = {
        "volumes": stacked_bars(found.days, {"created": found.created}, "Sessions created, by day"),
        "outcomes": stacked_bars(found.days, found.decided, "Verdicts by decision, by day"),
        "latency": lines(found.days, found.seconds_by_day, "Seconds from submission to verdict, by day", " s"),
        "abstentions": lines(found.days, {"abstained": abstained}, "Findings that abstained, by day", " %"),
    }
    return page(
        "figures.html", visitor, found=found, plots=plots, watched=watched, alarms=alarms, spent=spent,
        priced=service.prices is not None, days=DAYS,
    )  # fmt: skip
