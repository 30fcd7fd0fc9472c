"""``/v1/api-keys``: made by an admin, shown once, revoked at once."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Request, Response
from pydantic import AwareDatetime, Field
from sqlalchemy import select
from sqlalchemy.orm import Session as Tx

from samebody.service import schemas, views
from samebody.service.access import Caller, needs, scopes_for
from samebody.service.once import OnceOnly
from samebody.service.pages import Cursor, Limit, page, position
from samebody.service.state import service_of
from samebody.store.errors import NotFoundError
from samebody.store.schema import ApiKeyRow

router = APIRouter(prefix="/api-keys", tags=["api keys"])


class NewKey(schemas.Request):
    """A key to make."""

    name: str = Field(min_length=1, max_length=100)
    role: Literal["admin", "integrator", "reviewer", "auditor"]
    scopes: list[schemas.Name] | None = Field(default=None, max_length=50, description="by default all of the role")
    expires: AwareDatetime | None = None


class KeyView(schemas.Answer):
    """A key, never its secret."""

    id: str
    name: str
    role: str
    scopes: list[str]
    created: datetime
    expires: datetime | None
    revoked: datetime | None
    last_used: datetime | None


class KeySecret(KeyView):
    """A new key with its secret, which is shown this once."""

    secret: str


class KeyPage(schemas.Answer):
    """Keys of a tenant, oldest first."""

    items: list[KeyView]
    next: str | None


@router.get("", response_model=KeyPage)
def list_keys(
    request: Request, who: Annotated[Caller, needs("keys:read")], limit: Limit = 50, cursor: Cursor = None
) -> dict[str, Any]:
    """The keys of the tenant, oldest first."""
    service = service_of(request)
    with service.store.read() as tx:
        query = select(ApiKeyRow).filter_by(tenant=who.tenant)
        if (after := position(service, tx, who.tenant, "keys", cursor)) is not None:
            query = query.where(ApiKeyRow.id > after)
        rows = tx.scalars(query.order_by(ApiKeyRow.id).limit(limit + 1)).all()
        items = [_view(row) for row in rows]
        return page(service, tx, who.tenant, "keys", items, limit, [row.id for row in rows])


@router.post("", status_code=201, response_model=KeySecret)
def create_key(
    request: Request, wanted: NewKey, once: OnceOnly, who: Annotated[Caller, needs("keys:write")]
) -> Response:
    """Make a key; the answer holds its secret."""
    store = service_of(request).store
    scopes = scopes_for(wanted.role, wanted.scopes)

    def work(tx: Tx) -> dict[str, Any]:
        key_id, text = store.api_keys.create(
            tx, who.tenant, wanted.name, wanted.role, scopes, actor=who.actor, expires=wanted.expires
        )
        return {**_view(tx.get_one(ApiKeyRow, (who.tenant, key_id))), "secret": text}

    return once.inside(who, 201, work)


@router.delete("/{key_id}", response_model=KeyView)
def revoke_key(request: Request, key_id: str, who: Annotated[Caller, needs("keys:write")]) -> dict[str, Any]:
    """End a key at once; a second time changes nothing."""
    store = service_of(request).store
    with store.write() as tx:
        store.api_keys.revoke(tx, who.tenant, key_id, actor=who.actor)
        row = tx.get(ApiKeyRow, (who.tenant, key_id), populate_existing=True)
        if row is None:
            raise NotFoundError("there is no such API key.")
        return _view(row)


def _view(row: ApiKeyRow) -> dict[str, Any]:
    return {
        "id": row.id,
        "name": row.name,
        "role": row.role,
        "scopes": list(row.scopes),
        "created": views.at(row.created),
        "expires": views.at(row.expires),
        "revoked": views.at(row.revoked),
        "last_used": views.at(row.last_used),
    }
