"""The audit log: events in a chain, its head, and signed checkpoints."""

from __future__ import annotations

from sqlalchemy import ForeignKey, Index, String
from sqlalchemy.orm import Mapped, mapped_column

from samebody.store.schema.base import Base


class AuditEventRow(Base):
    """Who did what to which thing, and when; see :mod:`samebody.store.audit.chain`.

    ``at`` and ``details`` are kept as the very text that was hashed.
    """

    __tablename__ = "audit_events"

    tenant: Mapped[str] = mapped_column(String(64), ForeignKey("tenants.id"), primary_key=True)
    sequence: Mapped[int] = mapped_column(primary_key=True)
    at: Mapped[str] = mapped_column(String(32))
    actor: Mapped[str]
    action: Mapped[str] = mapped_column(String(64))
    kind: Mapped[str] = mapped_column(String(32))
    object: Mapped[str]
    details: Mapped[str]
    previous: Mapped[str] = mapped_column(String(64))
    digest: Mapped[str] = mapped_column(String(64))

    __table_args__ = (Index(None, "tenant", "kind", "object"),)


class AuditHeadRow(Base):
    """Where the chain of a tenant ends. The MAC is made with a key that the database holds only wrapped."""

    __tablename__ = "audit_heads"

    tenant: Mapped[str] = mapped_column(String(64), ForeignKey("tenants.id"), primary_key=True)
    sequence: Mapped[int]
    digest: Mapped[str] = mapped_column(String(64))
    checkpoints: Mapped[int]
    peaks: Mapped[str]
    mac: Mapped[str] = mapped_column(String(64))


class AuditCheckpointRow(Base):
    """The Merkle root over the first ``size`` events, signed (Ed25519)."""

    __tablename__ = "audit_checkpoints"

    tenant: Mapped[str] = mapped_column(String(64), ForeignKey("tenants.id"), primary_key=True)
    number: Mapped[int] = mapped_column(primary_key=True)
    size: Mapped[int]
    root: Mapped[str] = mapped_column(String(64))
    at: Mapped[str] = mapped_column(String(32))
    previous: Mapped[str] = mapped_column(String(64))
    public_key: Mapped[str] = mapped_column(String(64))
    signature: Mapped[str] = mapped_column(String(128))
