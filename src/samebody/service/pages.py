"""Lists in pages: opaque cursors, signed, that name where the next page begins."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any

from fastapi import Query
from sqlalchemy.orm import Session

from samebody.service.errors import CursorError
from samebody.service.state import Service

Limit = Annotated[int, Query(ge=1, le=200, description="Entries of a page.")]
Cursor = Annotated[str | None, Query(max_length=1000, description="`next` of the page before.")]


def position(service: Service, tx: Session, tenant: str, kind: str, cursor: str | None) -> Any:
    """Where the page begins, as :func:`page` was told; None for the first.

    Raises:
        CursorError: changed, of another list or of another tenant.
    """
    if cursor is None:
        return None
    opened = service.cursors.open(tx, cursor)
    if opened is None or opened[0] != tenant or opened[1].get("k") != kind:
        raise CursorError("the cursor is not one of this list.", hint="Begin again without a cursor.")
    return opened[1].get("p")


def page(
    service: Service,
    tx: Session,
    tenant: str,
    kind: str,
    items: Sequence[dict[str, Any]],
    limit: int,
    positions: Sequence[Any],
) -> dict[str, Any]:
    """A page of ``limit`` items out of ``items``, which holds one more when there is a next page."""
    more = len(items) > limit
    following = service.cursors.sign(tx, tenant, {"k": kind, "p": positions[limit - 1]}) if more else None
    return {"items": list(items[:limit]), "next": following}
