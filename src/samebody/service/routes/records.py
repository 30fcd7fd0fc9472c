"""``/v1/audit-events``: what happened."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from sqlalchemy import select

from samebody.service import schemas, views
from samebody.service.access import Caller, needs
from samebody.service.pages import Cursor, Limit, page, position
from samebody.service.state import service_of
from samebody.store.schema import AuditEventRow

router = APIRouter()


@router.get("/audit-events", response_model=schemas.AuditPage, tags=["audit"])
def list_audit_events(
    request: Request,
    who: Annotated[Caller, needs("audit:read")],
    limit: Limit = 50,
    cursor: Cursor = None,
    kind: Annotated[schemas.Name | None, Query(description="Only events about things of this kind.")] = None,
    object: Annotated[str | None, Query(max_length=200, description="Only events about this thing.")] = None,
) -> dict[str, Any]:
    """The audit log of the tenant, oldest first, with the digest that chains each entry."""
    service = service_of(request)
    name = f"audit/{kind}/{object}"
    with service.store.read() as tx:
        query = select(AuditEventRow).filter_by(tenant=who.tenant)
        if kind is not None:
            query = query.filter_by(kind=kind)
        if object is not None:
            query = query.filter_by(object=object)
        if (after := position(service, tx, who.tenant, name, cursor)) is not None:
            query = query.where(AuditEventRow.sequence > after)
        rows = tx.scalars(query.order_by(AuditEventRow.sequence).limit(limit + 1)).all()
        items = [views.audit_event(row) for row in rows]
        return page(service, tx, who.tenant, name, items, limit, [row.sequence for row in rows])
