"""Tenants, their keys and API keys, policies, and answers kept for repeated requests."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import ForeignKey, Index, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from samebody.store.schema.base import Base, Owned, within_tenant


class TenantRow(Base):
    """Somebody whose data is apart from everybody else's."""

    __tablename__ = "tenants"

    id: Mapped[str] = mapped_column(String(64), primary_key=True)
    name: Mapped[str]
    created: Mapped[datetime]
    closed: Mapped[datetime | None]


class KeyRow(Owned, Base):
    """A data key, wrapped by the master key.

    Columns:
        kind: ``case``, ``subject``, ``tenant`` (secrets and hashes of the tenant) or ``audit`` (Ed25519 seed).
        owner: id of the case or subject; the tenant's for the others.
        master: which master key wrapped it.
        wrapped: NULL once it is destroyed: all that it sealed is erased.
    """

    __tablename__ = "keys"

    kind: Mapped[str] = mapped_column(String(16))
    owner: Mapped[str] = mapped_column(String(64))
    master: Mapped[str] = mapped_column(String(128))
    wrapped: Mapped[bytes | None]
    created: Mapped[datetime]
    destroyed: Mapped[datetime | None]

    __table_args__ = (Index(None, "master"), UniqueConstraint("tenant", "kind", "owner"))


class ApiKeyRow(Owned, Base):
    """A scoped key of the API, hashed: the secret is shown once and never kept."""

    __tablename__ = "api_keys"

    name: Mapped[str]
    role: Mapped[str] = mapped_column(String(16))
    scopes: Mapped[list[str]]
    secret_sha256: Mapped[str] = mapped_column(String(64))
    created: Mapped[datetime]
    expires: Mapped[datetime | None]
    revoked: Mapped[datetime | None]
    last_used: Mapped[datetime | None]


class TenantSettingsRow(Base):
    """One version of what a tenant set for itself; rows are only added, and the newest one holds.

    Columns:
        version: from 1, without gaps, by tenant.
        values: what is set, by name (see :class:`samebody.store.settings.TenantSettings`).
    """

    __tablename__ = "tenant_settings"

    tenant: Mapped[str] = mapped_column(String(64), ForeignKey("tenants.id"), primary_key=True)
    version: Mapped[int] = mapped_column(primary_key=True)
    values: Mapped[dict[str, Any]]
    author: Mapped[str]
    created: Mapped[datetime]


class ConsoleLoginRow(Owned, Base):
    """One login of a person at the console: what their cookie names, and what ends it.

    Columns:
        key_id: the API key it was made with; NULL for one through an identity provider.
        provider, subject, name: who the identity provider says it is. The audit log holds ``actor`` only.
        role: of a login through an identity provider; a key's is read from the key.
        ended: by its person, or by a newer login in the same browser.
    """

    __tablename__ = "console_logins"

    key_id: Mapped[str | None] = mapped_column(String(64))
    provider: Mapped[str | None] = mapped_column(String(64))
    subject: Mapped[str | None] = mapped_column(String(255))
    name: Mapped[str | None] = mapped_column(String(200))
    actor: Mapped[str] = mapped_column(String(64))
    role: Mapped[str | None] = mapped_column(String(16))
    created: Mapped[datetime]
    expires: Mapped[datetime] = mapped_column(index=True)
    ended: Mapped[datetime | None]

    __table_args__ = (within_tenant("key_id", "api_keys"),)


class PolicyRow(Base):
    """One version of a policy; versions are never changed, only added.

    Columns:
        retention: days until media and case are deleted (see :mod:`samebody.store.retention`).
    """

    __tablename__ = "policies"

    tenant: Mapped[str] = mapped_column(String(64), ForeignKey("tenants.id"), primary_key=True)
    id: Mapped[str] = mapped_column(String(64), primary_key=True)
    version: Mapped[int] = mapped_column(primary_key=True)
    text: Mapped[str]
    sha256: Mapped[str] = mapped_column(String(64))
    retention: Mapped[dict[str, Any]]
    created: Mapped[datetime]
    author: Mapped[str]


class ModelChangeRow(Base):
    """One change of the model that is live for a tenant; rows are only added, and the newest one holds.

    Columns:
        slot: what the model does: ``face.embedder``.
        number: from 1, without gaps, by tenant and slot.
        model_id, sha256: the record, and the digest of the weights it names.
        kind: ``promoted`` or ``rolled_back``.
        reason: why, where a guard rail was overruled; else empty.
    """

    __tablename__ = "model_changes"

    tenant: Mapped[str] = mapped_column(String(64), ForeignKey("tenants.id"), primary_key=True)
    slot: Mapped[str] = mapped_column(String(32), primary_key=True)
    number: Mapped[int] = mapped_column(primary_key=True)
    model_id: Mapped[str] = mapped_column(String(100))
    sha256: Mapped[str] = mapped_column(String(64))
    kind: Mapped[str] = mapped_column(String(16))
    reason: Mapped[str] = mapped_column(String(200))
    author: Mapped[str]
    created: Mapped[datetime]


class IdempotencyRow(Base):
    """The first answer to a request that may be sent again, sealed with the tenant's key."""

    __tablename__ = "idempotency"

    tenant: Mapped[str] = mapped_column(String(64), ForeignKey("tenants.id"), primary_key=True)
    scope: Mapped[str] = mapped_column(String(64), primary_key=True)
    key: Mapped[str] = mapped_column(String(64), primary_key=True)
    fingerprint: Mapped[str] = mapped_column(String(64))
    status: Mapped[int | None]
    answer: Mapped[bytes | None]
    created: Mapped[datetime]
    expires: Mapped[datetime] = mapped_column(index=True)
