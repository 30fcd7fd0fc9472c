"""What leaves the house: the outbox, webhook endpoints and deliveries; and sealed files waiting to be deleted."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import Index, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from samebody.store.schema.base import Base, Owned, within_tenant


class OutboxRow(Owned, Base):
    """Something to tell, written in the transaction that made it true.

    Columns:
        traceparent: of what made it true, so that telling it joins its trace; NULL without traces.
    """

    __tablename__ = "outbox"

    session_id: Mapped[str] = mapped_column(String(64))
    sequence: Mapped[int]
    kind: Mapped[str] = mapped_column(String(64))
    payload: Mapped[dict[str, Any]]
    created: Mapped[datetime]
    sent: Mapped[datetime | None] = mapped_column(index=True)
    traceparent: Mapped[str | None] = mapped_column(String(64))

    __table_args__ = (
        within_tenant("session_id", "sessions"),
        UniqueConstraint("tenant", "session_id", "sequence"),
    )


class WebhookEndpointRow(Owned, Base):
    """Where a tenant wants to be told; secrets sealed with the tenant's key, the old one valid for a while."""

    __tablename__ = "webhook_endpoints"

    url: Mapped[str]
    kinds: Mapped[list[str]]
    sealed_secret: Mapped[bytes]
    sealed_old_secret: Mapped[bytes | None]
    old_secret_until: Mapped[datetime | None]
    created: Mapped[datetime]
    disabled: Mapped[datetime | None]


class WebhookDeliveryRow(Owned, Base):
    """One message to one endpoint, tried until it is taken or given up."""

    __tablename__ = "webhook_deliveries"

    outbox_id: Mapped[str] = mapped_column(String(64))
    endpoint_id: Mapped[str] = mapped_column(String(64))
    state: Mapped[str] = mapped_column(String(16))
    tries: Mapped[int]
    next_try: Mapped[datetime]
    last_status: Mapped[int | None]
    last_error: Mapped[str | None]
    lease_token: Mapped[str | None] = mapped_column(String(64))
    created: Mapped[datetime]
    finished: Mapped[datetime | None]

    __table_args__ = (
        within_tenant("outbox_id", "outbox"),
        within_tenant("endpoint_id", "webhook_endpoints"),
        UniqueConstraint("tenant", "outbox_id", "endpoint_id"),
        Index(None, "state", "next_try"),
    )


class GarbageRow(Owned, Base):
    """A sealed file whose row is gone and that is still to be deleted; its key is destroyed already."""

    __tablename__ = "garbage"

    blob: Mapped[str] = mapped_column(String(200))
    since: Mapped[datetime]
