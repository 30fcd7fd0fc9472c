"""Subjects, their references, and the galleries they are enrolled in."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Index, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from samebody.store.schema.base import Base, Owned, within_tenant


class SubjectRow(Owned, Base):
    """A person who is enrolled. After erasure the row stays, empty but for its own id, so that the audit log resolves.

    Columns:
        external_id: the integrator's name for the person; NULL after erasure.
        expires: when the person is erased by itself; NULL: with the consent.
    """

    __tablename__ = "subjects"

    external_id: Mapped[str | None]
    key_id: Mapped[str] = mapped_column(String(64))
    created: Mapped[datetime]
    expires: Mapped[datetime | None] = mapped_column(index=True)
    erased: Mapped[datetime | None]

    __table_args__ = (within_tenant("key_id", "keys"), UniqueConstraint("tenant", "external_id"))


class GalleryRow(Owned, Base):
    """A 1:N gallery: where it lies and which embedding space it is pinned to; its key is wrapped like the others."""

    __tablename__ = "galleries"

    modality: Mapped[str] = mapped_column(String(16))
    space: Mapped[str] = mapped_column(String(64))
    location: Mapped[str]
    key_id: Mapped[str] = mapped_column(String(64))
    created: Mapped[datetime]

    __table_args__ = (within_tenant("key_id", "keys"),)


class ReferenceRow(Owned, Base):
    """A template kept for comparison, sealed with the subject's key."""

    __tablename__ = "references"

    subject_id: Mapped[str] = mapped_column(String(64))
    gallery_id: Mapped[str | None] = mapped_column(String(64))
    media_id: Mapped[str | None] = mapped_column(String(64))
    modality: Mapped[str] = mapped_column(String(16))
    space: Mapped[str] = mapped_column(String(64))
    sealed: Mapped[bytes]
    created: Mapped[datetime]

    __table_args__ = (
        within_tenant("subject_id", "subjects"),
        within_tenant("gallery_id", "galleries"),
        within_tenant("media_id", "media"),
        Index(None, "tenant", "subject_id"),
    )
