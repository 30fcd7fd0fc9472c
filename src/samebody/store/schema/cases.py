"""Sessions and cases: what was sent, what was found, what was decided, what a person consented to."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import ForeignKey, ForeignKeyConstraint, Index, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from samebody.store.schema.base import Base, Owned, within_tenant


class CaseRow(Owned, Base):
    """What belongs together under one key, from first sample to deletion.

    Columns:
        key_id: NULL only before the key is made; destroyed when the case is redacted.
        media_expires, expires: when its samples go, when everything goes.
    """

    __tablename__ = "cases"

    subject_id: Mapped[str | None] = mapped_column(String(64))
    key_id: Mapped[str] = mapped_column(String(64))
    purpose: Mapped[str] = mapped_column(String(32))
    policy_id: Mapped[str] = mapped_column(String(64))
    policy_version: Mapped[int]
    created: Mapped[datetime]
    media_expires: Mapped[datetime]
    expires: Mapped[datetime]
    media_deleted: Mapped[datetime | None]
    redacted: Mapped[datetime | None]

    __table_args__ = (
        within_tenant("key_id", "keys"),
        within_tenant("subject_id", "subjects"),
        ForeignKeyConstraint(
            ["tenant", "policy_id", "policy_version"], ["policies.tenant", "policies.id", "policies.version"]
        ),
        Index(None, "media_expires"),
        Index(None, "expires"),
        Index(None, "tenant", "subject_id"),
    )


class SessionRow(Owned, Base):
    """One person's way through a verification: the truth about its state, and who works on it.

    Columns:
        state, reason: see :mod:`samebody.store.lifecycle`; ``version`` grows with every change.
        attempt: counts submissions, from 1; a verdict is unique by case and attempt.
        lease_owner, lease_token, lease_until: the worker that holds it, while ``processing``.
        failures: leases lost and faults since the last submission; ``not_before`` delays the next try.
        reference: the integrator's own id; ``sealed_metadata`` what else they sent, under the case's key.
        assignee: the reviewer who took the case, as the audit log names them.
        traceparent: of the request that submitted it, so that the work on it joins its trace; NULL without traces.
    """

    __tablename__ = "sessions"

    case_id: Mapped[str] = mapped_column(String(64))
    state: Mapped[str] = mapped_column(String(16))
    reason: Mapped[str] = mapped_column(String(64))
    version: Mapped[int]
    attempt: Mapped[int]
    priority: Mapped[int]
    reference: Mapped[str | None]
    sealed_metadata: Mapped[bytes | None]
    created: Mapped[datetime]
    changed: Mapped[datetime]
    expires: Mapped[datetime]
    submitted: Mapped[datetime | None]
    not_before: Mapped[datetime | None]
    failures: Mapped[int]
    lease_owner: Mapped[str | None]
    lease_token: Mapped[str | None] = mapped_column(String(64))
    lease_until: Mapped[datetime | None]
    assignee: Mapped[str | None] = mapped_column(String(200))
    traceparent: Mapped[str | None] = mapped_column(String(64))

    __table_args__ = (
        within_tenant("case_id", "cases"),
        UniqueConstraint("tenant", "case_id"),
        Index(None, "state", "priority", "submitted"),
        Index(None, "state", "lease_until"),
        Index(None, "state", "expires"),
        Index(None, "tenant", "reference"),
    )


class MediaRow(Owned, Base):
    """A sealed sample, crop or page. Its own key is wrapped by the key of its case, or of its subject once enrolled.

    Columns:
        blob: name of the sealed file.
        key_id, wrapped_key: whose key wraps the sample's key, and the sample's key wrapped.
        exact_hash: HMAC-SHA-256 over the bytes with the tenant's key: finds repeats, tells nothing without the key.
        sealed_hash: perceptual hash, sealed with the sample's key; it goes when the sample goes.
    """

    __tablename__ = "media"

    case_id: Mapped[str | None] = mapped_column(String(64))
    subject_id: Mapped[str | None] = mapped_column(String(64))
    attempt: Mapped[int]
    role: Mapped[str] = mapped_column(String(32))
    content_type: Mapped[str] = mapped_column(String(64))
    size: Mapped[int]
    blob: Mapped[str] = mapped_column(String(200))
    key_id: Mapped[str] = mapped_column(String(64))
    wrapped_key: Mapped[bytes]
    exact_hash: Mapped[str] = mapped_column(String(64))
    sealed_hash: Mapped[bytes | None]
    created: Mapped[datetime]

    __table_args__ = (
        within_tenant("case_id", "cases"),
        within_tenant("subject_id", "subjects"),
        within_tenant("key_id", "keys"),
        Index(None, "tenant", "case_id", "attempt"),
        Index(None, "tenant", "exact_hash"),
        Index(None, "tenant", "subject_id"),
    )


class FindingRow(Base):
    """What one check found, for drift and counts: its figure and codes. All else is in the verdict, sealed."""

    __tablename__ = "findings"

    tenant: Mapped[str] = mapped_column(String(64), ForeignKey("tenants.id"), primary_key=True)
    case_id: Mapped[str] = mapped_column(String(64), primary_key=True)
    attempt: Mapped[int] = mapped_column(primary_key=True)
    check: Mapped[str] = mapped_column(String(64), primary_key=True)
    outcome: Mapped[str] = mapped_column(String(16))
    score: Mapped[float | None]
    codes: Mapped[list[str]]

    __table_args__ = (
        ForeignKeyConstraint(
            ["tenant", "case_id", "attempt"], ["verdicts.tenant", "verdicts.case_id", "verdicts.attempt"]
        ),
    )


class VerdictRow(Base):
    """The one verdict of a case and attempt; its key makes a second one impossible."""

    __tablename__ = "verdicts"

    tenant: Mapped[str] = mapped_column(String(64), ForeignKey("tenants.id"), primary_key=True)
    case_id: Mapped[str] = mapped_column(String(64), primary_key=True)
    attempt: Mapped[int] = mapped_column(primary_key=True)
    decision: Mapped[str] = mapped_column(String(16))
    policy_id: Mapped[str] = mapped_column(String(64))
    policy_version: Mapped[int]
    policy_sha256: Mapped[str] = mapped_column(String(64))
    model_ids: Mapped[list[str]]
    timings: Mapped[dict[str, Any]]
    worker: Mapped[str]
    created: Mapped[datetime]
    sealed: Mapped[bytes | None]

    __table_args__ = (within_tenant("case_id", "cases"), Index(None, "tenant", "created"))


class ReviewRow(Owned, Base):
    """A reviewer's opinion on a case; a second person's is another row."""

    __tablename__ = "reviews"

    case_id: Mapped[str] = mapped_column(String(64))
    attempt: Mapped[int]
    reviewer: Mapped[str]
    decision: Mapped[str] = mapped_column(String(16))
    code: Mapped[str] = mapped_column(String(64))
    sealed_note: Mapped[bytes | None]
    created: Mapped[datetime]

    __table_args__ = (
        within_tenant("case_id", "cases"),
        UniqueConstraint("tenant", "case_id", "attempt", "reviewer"),
    )


class LabelRow(Owned, Base):
    """What a person says a case or a sample shows; food for the lab's data sets."""

    __tablename__ = "labels"

    case_id: Mapped[str] = mapped_column(String(64))
    media_id: Mapped[str | None] = mapped_column(String(64))
    name: Mapped[str] = mapped_column(String(64))
    value: Mapped[str] = mapped_column(String(64))
    author: Mapped[str]
    created: Mapped[datetime]

    __table_args__ = (within_tenant("case_id", "cases"),)


class ConsentTextRow(Base):
    """One version of a text that people consent to, in one language; never changed."""

    __tablename__ = "consent_texts"

    tenant: Mapped[str] = mapped_column(String(64), ForeignKey("tenants.id"), primary_key=True)
    version: Mapped[str] = mapped_column(String(64), primary_key=True)
    language: Mapped[str] = mapped_column(String(16), primary_key=True)
    text: Mapped[str]
    sha256: Mapped[str] = mapped_column(String(64))
    created: Mapped[datetime]


class ConsentRow(Owned, Base):
    """That a person consented to a text of a version, for a purpose, and whether it was withdrawn."""

    __tablename__ = "consents"

    case_id: Mapped[str | None] = mapped_column(String(64))
    subject_id: Mapped[str | None] = mapped_column(String(64))
    purpose: Mapped[str] = mapped_column(String(32))
    text_version: Mapped[str] = mapped_column(String(64))
    language: Mapped[str] = mapped_column(String(16))
    text_sha256: Mapped[str] = mapped_column(String(64))
    given: Mapped[datetime]
    expires: Mapped[datetime | None]
    withdrawn: Mapped[datetime | None]

    __table_args__ = (
        within_tenant("case_id", "cases"),
        within_tenant("subject_id", "subjects"),
        ForeignKeyConstraint(
            ["tenant", "text_version", "language"],
            ["consent_texts.tenant", "consent_texts.version", "consent_texts.language"],
        ),
        Index(None, "tenant", "case_id"),
        Index(None, "tenant", "subject_id"),
    )
