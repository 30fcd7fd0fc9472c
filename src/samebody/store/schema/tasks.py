"""Work that is no session: bulk enrolment, duplicates, re-embedding; one row an item."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Index, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from samebody.store.schema.base import Base, Owned


class TaskRow(Owned, Base):
    """One item of a batch, held under the same kind of lease as a session.

    Columns:
        batch, name: an item is added to a batch once, however often the batch is sent.
        state: ``waiting``, ``running``, ``done`` or ``failed``.
        sealed_input, sealed_result: with the tenant's key.
        code: of the fault that it was given up for.
    """

    __tablename__ = "tasks"

    kind: Mapped[str] = mapped_column(String(32))
    batch: Mapped[str] = mapped_column(String(64))
    name: Mapped[str] = mapped_column(String(64))
    state: Mapped[str] = mapped_column(String(16))
    code: Mapped[str | None] = mapped_column(String(64))
    sealed_input: Mapped[bytes]
    sealed_result: Mapped[bytes | None]
    created: Mapped[datetime]
    finished: Mapped[datetime | None]
    not_before: Mapped[datetime | None]
    failures: Mapped[int]
    lease_owner: Mapped[str | None]
    lease_token: Mapped[str | None] = mapped_column(String(64))
    lease_until: Mapped[datetime | None]

    __table_args__ = (UniqueConstraint("tenant", "batch", "name"), Index(None, "state", "kind", "created"))
