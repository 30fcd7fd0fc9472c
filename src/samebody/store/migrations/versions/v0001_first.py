"""The first tables.

Revision ID: 0001
Revises:

Nothing goes back: an older release is restored with its own backup.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

APPEND_ONLY = ("audit_events", "audit_checkpoints")


def upgrade() -> None:
    """Make every table, and let the database itself refuse to change the audit log."""
    op.create_table(
        "tenants",
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("created", sa.DateTime(timezone=True), nullable=False),
        sa.Column("closed", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_tenants")),
    )
    op.create_table(
        "api_keys",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("role", sa.String(length=16), nullable=False),
        sa.Column("scopes", sa.JSON(), nullable=False),
        sa.Column("secret_sha256", sa.String(length=64), nullable=False),
        sa.Column("created", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expires", sa.DateTime(timezone=True), nullable=True),
        sa.Column("revoked", sa.DateTime(timezone=True), nullable=True),
        sa.Column("last_used", sa.DateTime(timezone=True), nullable=True),
        sa.Column("tenant", sa.String(length=64), nullable=False),
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.ForeignKeyConstraint(["tenant"], ["tenants.id"], name=op.f("fk_api_keys_tenant")),
        sa.PrimaryKeyConstraint("tenant", "id", name=op.f("pk_api_keys")),
    )
    op.create_table(
        "audit_checkpoints",
        sa.Column("tenant", sa.String(length=64), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("size", sa.Integer(), nullable=False),
        sa.Column("root", sa.String(length=64), nullable=False),
        sa.Column("at", sa.String(length=32), nullable=False),
        sa.Column("previous", sa.String(length=64), nullable=False),
        sa.Column("public_key", sa.String(length=64), nullable=False),
        sa.Column("signature", sa.String(length=128), nullable=False),
        sa.ForeignKeyConstraint(["tenant"], ["tenants.id"], name=op.f("fk_audit_checkpoints_tenant")),
        sa.PrimaryKeyConstraint("tenant", "number", name=op.f("pk_audit_checkpoints")),
    )
    op.create_table(
        "audit_events",
        sa.Column("tenant", sa.String(length=64), nullable=False),
        sa.Column("sequence", sa.Integer(), nullable=False),
        sa.Column("at", sa.String(length=32), nullable=False),
        sa.Column("actor", sa.Text(), nullable=False),
        sa.Column("action", sa.String(length=64), nullable=False),
        sa.Column("kind", sa.String(length=32), nullable=False),
        sa.Column("object", sa.Text(), nullable=False),
        sa.Column("details", sa.Text(), nullable=False),
        sa.Column("previous", sa.String(length=64), nullable=False),
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.ForeignKeyConstraint(["tenant"], ["tenants.id"], name=op.f("fk_audit_events_tenant")),
        sa.PrimaryKeyConstraint("tenant", "sequence", name=op.f("pk_audit_events")),
    )
    op.create_index(
        op.f("ix_audit_events_tenant_kind_object"), "audit_events", ["tenant", "kind", "object"], unique=False
    )
    op.create_table(
        "audit_heads",
        sa.Column("tenant", sa.String(length=64), nullable=False),
        sa.Column("sequence", sa.Integer(), nullable=False),
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.Column("checkpoints", sa.Integer(), nullable=False),
        sa.Column("peaks", sa.Text(), nullable=False),
        sa.Column("mac", sa.String(length=64), nullable=False),
        sa.ForeignKeyConstraint(["tenant"], ["tenants.id"], name=op.f("fk_audit_heads_tenant")),
        sa.PrimaryKeyConstraint("tenant", name=op.f("pk_audit_heads")),
    )
    op.create_table(
        "consent_texts",
        sa.Column("tenant", sa.String(length=64), nullable=False),
        sa.Column("version", sa.String(length=64), nullable=False),
        sa.Column("language", sa.String(length=16), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("sha256", sa.String(length=64), nullable=False),
        sa.Column("created", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["tenant"], ["tenants.id"], name=op.f("fk_consent_texts_tenant")),
        sa.PrimaryKeyConstraint("tenant", "version", "language", name=op.f("pk_consent_texts")),
    )
    op.create_table(
        "garbage",
        sa.Column("blob", sa.String(length=200), nullable=False),
        sa.Column("since", sa.DateTime(timezone=True), nullable=False),
        sa.Column("tenant", sa.String(length=64), nullable=False),
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.ForeignKeyConstraint(["tenant"], ["tenants.id"], name=op.f("fk_garbage_tenant")),
        sa.PrimaryKeyConstraint("tenant", "id", name=op.f("pk_garbage")),
    )
    op.create_table(
        "idempotency",
        sa.Column("tenant", sa.String(length=64), nullable=False),
        sa.Column("scope", sa.String(length=64), nullable=False),
        sa.Column("key", sa.String(length=64), nullable=False),
        sa.Column("fingerprint", sa.String(length=64), nullable=False),
        sa.Column("status", sa.Integer(), nullable=True),
        sa.Column("answer", sa.LargeBinary(), nullable=True),
        sa.Column("created", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expires", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["tenant"], ["tenants.id"], name=op.f("fk_idempotency_tenant")),
        sa.PrimaryKeyConstraint("tenant", "scope", "key", name=op.f("pk_idempotency")),
    )
    op.create_index(op.f("ix_idempotency_expires"), "idempotency", ["expires"], unique=False)
    op.create_table(
        "keys",
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("owner", sa.String(length=64), nullable=False),
        sa.Column("master", sa.String(length=128), nullable=False),
        sa.Column("wrapped", sa.LargeBinary(), nullable=True),
        sa.Column("created", sa.DateTime(timezone=True), nullable=False),
        sa.Column("destroyed", sa.DateTime(timezone=True), nullable=True),
        sa.Column("tenant", sa.String(length=64), nullable=False),
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.ForeignKeyConstraint(["tenant"], ["tenants.id"], name=op.f("fk_keys_tenant")),
        sa.PrimaryKeyConstraint("tenant", "id", name=op.f("pk_keys")),
        sa.UniqueConstraint("tenant", "kind", "owner", name=op.f("uq_keys_tenant_kind_owner")),
    )
    op.create_index(op.f("ix_keys_master"), "keys", ["master"], unique=False)
    op.create_table(
        "policies",
        sa.Column("tenant", sa.String(length=64), nullable=False),
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("sha256", sa.String(length=64), nullable=False),
        sa.Column("retention", sa.JSON(), nullable=False),
        sa.Column("created", sa.DateTime(timezone=True), nullable=False),
        sa.Column("author", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["tenant"], ["tenants.id"], name=op.f("fk_policies_tenant")),
        sa.PrimaryKeyConstraint("tenant", "id", "version", name=op.f("pk_policies")),
    )
    op.create_table(
        "webhook_endpoints",
        sa.Column("url", sa.Text(), nullable=False),
        sa.Column("kinds", sa.JSON(), nullable=False),
        sa.Column("sealed_secret", sa.LargeBinary(), nullable=False),
        sa.Column("sealed_old_secret", sa.LargeBinary(), nullable=True),
        sa.Column("old_secret_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("created", sa.DateTime(timezone=True), nullable=False),
        sa.Column("disabled", sa.DateTime(timezone=True), nullable=True),
        sa.Column("tenant", sa.String(length=64), nullable=False),
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.ForeignKeyConstraint(["tenant"], ["tenants.id"], name=op.f("fk_webhook_endpoints_tenant")),
        sa.PrimaryKeyConstraint("tenant", "id", name=op.f("pk_webhook_endpoints")),
    )
    op.create_table(
        "galleries",
        sa.Column("modality", sa.String(length=16), nullable=False),
        sa.Column("space", sa.String(length=64), nullable=False),
        sa.Column("location", sa.Text(), nullable=False),
        sa.Column("key_id", sa.String(length=64), nullable=False),
        sa.Column("created", sa.DateTime(timezone=True), nullable=False),
        sa.Column("tenant", sa.String(length=64), nullable=False),
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.ForeignKeyConstraint(
            ["tenant", "key_id"], ["keys.tenant", "keys.id"], name=op.f("fk_galleries_tenant_key_id")
        ),
        sa.ForeignKeyConstraint(["tenant"], ["tenants.id"], name=op.f("fk_galleries_tenant")),
        sa.PrimaryKeyConstraint("tenant", "id", name=op.f("pk_galleries")),
    )
    op.create_table(
        "subjects",
        sa.Column("external_id", sa.Text(), nullable=True),
        sa.Column("key_id", sa.String(length=64), nullable=False),
        sa.Column("created", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expires", sa.DateTime(timezone=True), nullable=True),
        sa.Column("erased", sa.DateTime(timezone=True), nullable=True),
        sa.Column("tenant", sa.String(length=64), nullable=False),
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.ForeignKeyConstraint(
            ["tenant", "key_id"], ["keys.tenant", "keys.id"], name=op.f("fk_subjects_tenant_key_id")
        ),
        sa.ForeignKeyConstraint(["tenant"], ["tenants.id"], name=op.f("fk_subjects_tenant")),
        sa.PrimaryKeyConstraint("tenant", "id", name=op.f("pk_subjects")),
        sa.UniqueConstraint("tenant", "external_id", name=op.f("uq_subjects_tenant_external_id")),
    )
    op.create_index(op.f("ix_subjects_expires"), "subjects", ["expires"], unique=False)
    op.create_table(
        "cases",
        sa.Column("subject_id", sa.String(length=64), nullable=True),
        sa.Column("key_id", sa.String(length=64), nullable=False),
        sa.Column("purpose", sa.String(length=32), nullable=False),
        sa.Column("policy_id", sa.String(length=64), nullable=False),
        sa.Column("policy_version", sa.Integer(), nullable=False),
        sa.Column("created", sa.DateTime(timezone=True), nullable=False),
        sa.Column("media_expires", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expires", sa.DateTime(timezone=True), nullable=False),
        sa.Column("media_deleted", sa.DateTime(timezone=True), nullable=True),
        sa.Column("redacted", sa.DateTime(timezone=True), nullable=True),
        sa.Column("tenant", sa.String(length=64), nullable=False),
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.ForeignKeyConstraint(["tenant", "key_id"], ["keys.tenant", "keys.id"], name=op.f("fk_cases_tenant_key_id")),
        sa.ForeignKeyConstraint(
            ["tenant", "policy_id", "policy_version"],
            ["policies.tenant", "policies.id", "policies.version"],
            name=op.f("fk_cases_tenant_policy_id_policy_version"),
        ),
        sa.ForeignKeyConstraint(
            ["tenant", "subject_id"], ["subjects.tenant", "subjects.id"], name=op.f("fk_cases_tenant_subject_id")
        ),
        sa.ForeignKeyConstraint(["tenant"], ["tenants.id"], name=op.f("fk_cases_tenant")),
        sa.PrimaryKeyConstraint("tenant", "id", name=op.f("pk_cases")),
    )
    op.create_index(op.f("ix_cases_expires"), "cases", ["expires"], unique=False)
    op.create_index(op.f("ix_cases_media_expires"), "cases", ["media_expires"], unique=False)
    op.create_index(op.f("ix_cases_tenant_subject_id"), "cases", ["tenant", "subject_id"], unique=False)
    op.create_table(
        "consents",
        sa.Column("case_id", sa.String(length=64), nullable=True),
        sa.Column("subject_id", sa.String(length=64), nullable=True),
        sa.Column("purpose", sa.String(length=32), nullable=False),
        sa.Column("text_version", sa.String(length=64), nullable=False),
        sa.Column("language", sa.String(length=16), nullable=False),
        sa.Column("text_sha256", sa.String(length=64), nullable=False),
        sa.Column("given", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expires", sa.DateTime(timezone=True), nullable=True),
        sa.Column("withdrawn", sa.DateTime(timezone=True), nullable=True),
        sa.Column("tenant", sa.String(length=64), nullable=False),
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.ForeignKeyConstraint(
            ["tenant", "case_id"], ["cases.tenant", "cases.id"], name=op.f("fk_consents_tenant_case_id")
        ),
        sa.ForeignKeyConstraint(
            ["tenant", "subject_id"], ["subjects.tenant", "subjects.id"], name=op.f("fk_consents_tenant_subject_id")
        ),
        sa.ForeignKeyConstraint(
            ["tenant", "text_version", "language"],
            ["consent_texts.tenant", "consent_texts.version", "consent_texts.language"],
            name=op.f("fk_consents_tenant_text_version_language"),
        ),
        sa.ForeignKeyConstraint(["tenant"], ["tenants.id"], name=op.f("fk_consents_tenant")),
        sa.PrimaryKeyConstraint("tenant", "id", name=op.f("pk_consents")),
    )
    op.create_index(op.f("ix_consents_tenant_case_id"), "consents", ["tenant", "case_id"], unique=False)
    op.create_index(op.f("ix_consents_tenant_subject_id"), "consents", ["tenant", "subject_id"], unique=False)
    op.create_table(
        "labels",
        sa.Column("case_id", sa.String(length=64), nullable=False),
        sa.Column("media_id", sa.String(length=64), nullable=True),
        sa.Column("name", sa.String(length=64), nullable=False),
        sa.Column("value", sa.String(length=64), nullable=False),
        sa.Column("author", sa.Text(), nullable=False),
        sa.Column("created", sa.DateTime(timezone=True), nullable=False),
        sa.Column("tenant", sa.String(length=64), nullable=False),
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.ForeignKeyConstraint(
            ["tenant", "case_id"], ["cases.tenant", "cases.id"], name=op.f("fk_labels_tenant_case_id")
        ),
        sa.ForeignKeyConstraint(["tenant"], ["tenants.id"], name=op.f("fk_labels_tenant")),
        sa.PrimaryKeyConstraint("tenant", "id", name=op.f("pk_labels")),
    )
    op.create_table(
        "media",
        sa.Column("case_id", sa.String(length=64), nullable=True),
        sa.Column("subject_id", sa.String(length=64), nullable=True),
        sa.Column("attempt", sa.Integer(), nullable=False),
        sa.Column("role", sa.String(length=32), nullable=False),
        sa.Column("content_type", sa.String(length=64), nullable=False),
        sa.Column("size", sa.Integer(), nullable=False),
        sa.Column("blob", sa.String(length=200), nullable=False),
        sa.Column("key_id", sa.String(length=64), nullable=False),
        sa.Column("wrapped_key", sa.LargeBinary(), nullable=False),
        sa.Column("exact_hash", sa.String(length=64), nullable=False),
        sa.Column("sealed_hash", sa.LargeBinary(), nullable=True),
        sa.Column("created", sa.DateTime(timezone=True), nullable=False),
        sa.Column("tenant", sa.String(length=64), nullable=False),
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.ForeignKeyConstraint(
            ["tenant", "case_id"], ["cases.tenant", "cases.id"], name=op.f("fk_media_tenant_case_id")
        ),
        sa.ForeignKeyConstraint(["tenant", "key_id"], ["keys.tenant", "keys.id"], name=op.f("fk_media_tenant_key_id")),
        sa.ForeignKeyConstraint(
            ["tenant", "subject_id"], ["subjects.tenant", "subjects.id"], name=op.f("fk_media_tenant_subject_id")
        ),
        sa.ForeignKeyConstraint(["tenant"], ["tenants.id"], name=op.f("fk_media_tenant")),
        sa.PrimaryKeyConstraint("tenant", "id", name=op.f("pk_media")),
    )
    op.create_index(op.f("ix_media_tenant_case_id_attempt"), "media", ["tenant", "case_id", "attempt"], unique=False)
    op.create_index(op.f("ix_media_tenant_exact_hash"), "media", ["tenant", "exact_hash"], unique=False)
    op.create_index(op.f("ix_media_tenant_subject_id"), "media", ["tenant", "subject_id"], unique=False)
    op.create_table(
        "reviews",
        sa.Column("case_id", sa.String(length=64), nullable=False),
        sa.Column("attempt", sa.Integer(), nullable=False),
        sa.Column("reviewer", sa.Text(), nullable=False),
        sa.Column("decision", sa.String(length=16), nullable=False),
        sa.Column("code", sa.String(length=64), nullable=False),
        sa.Column("sealed_note", sa.LargeBinary(), nullable=True),
        sa.Column("created", sa.DateTime(timezone=True), nullable=False),
        sa.Column("tenant", sa.String(length=64), nullable=False),
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.ForeignKeyConstraint(
            ["tenant", "case_id"], ["cases.tenant", "cases.id"], name=op.f("fk_reviews_tenant_case_id")
        ),
        sa.ForeignKeyConstraint(["tenant"], ["tenants.id"], name=op.f("fk_reviews_tenant")),
        sa.PrimaryKeyConstraint("tenant", "id", name=op.f("pk_reviews")),
        sa.UniqueConstraint(
            "tenant", "case_id", "attempt", "reviewer", name=op.f("uq_reviews_tenant_case_id_attempt_reviewer")
        ),
    )
    op.create_table(
        "sessions",
        sa.Column("case_id", sa.String(length=64), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("reason", sa.String(length=64), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("attempt", sa.Integer(), nullable=False),
        sa.Column("priority", sa.Integer(), nullable=False),
        sa.Column("reference", sa.Text(), nullable=True),
        sa.Column("sealed_metadata", sa.LargeBinary(), nullable=True),
        sa.Column("created", sa.DateTime(timezone=True), nullable=False),
        sa.Column("changed", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expires", sa.DateTime(timezone=True), nullable=False),
        sa.Column("submitted", sa.DateTime(timezone=True), nullable=True),
        sa.Column("not_before", sa.DateTime(timezone=True), nullable=True),
        sa.Column("failures", sa.Integer(), nullable=False),
        sa.Column("lease_owner", sa.Text(), nullable=True),
        sa.Column("lease_token", sa.String(length=64), nullable=True),
        sa.Column("lease_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("tenant", sa.String(length=64), nullable=False),
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.ForeignKeyConstraint(
            ["tenant", "case_id"], ["cases.tenant", "cases.id"], name=op.f("fk_sessions_tenant_case_id")
        ),
        sa.ForeignKeyConstraint(["tenant"], ["tenants.id"], name=op.f("fk_sessions_tenant")),
        sa.PrimaryKeyConstraint("tenant", "id", name=op.f("pk_sessions")),
        sa.UniqueConstraint("tenant", "case_id", name=op.f("uq_sessions_tenant_case_id")),
    )
    op.create_index(op.f("ix_sessions_state_expires"), "sessions", ["state", "expires"], unique=False)
    op.create_index(op.f("ix_sessions_state_lease_until"), "sessions", ["state", "lease_until"], unique=False)
    op.create_index(
        op.f("ix_sessions_state_priority_submitted"), "sessions", ["state", "priority", "submitted"], unique=False
    )
    op.create_index(op.f("ix_sessions_tenant_reference"), "sessions", ["tenant", "reference"], unique=False)
    op.create_table(
        "verdicts",
        sa.Column("tenant", sa.String(length=64), nullable=False),
        sa.Column("case_id", sa.String(length=64), nullable=False),
        sa.Column("attempt", sa.Integer(), nullable=False),
        sa.Column("decision", sa.String(length=16), nullable=False),
        sa.Column("policy_id", sa.String(length=64), nullable=False),
        sa.Column("policy_version", sa.Integer(), nullable=False),
        sa.Column("policy_sha256", sa.String(length=64), nullable=False),
        sa.Column("model_ids", sa.JSON(), nullable=False),
        sa.Column("timings", sa.JSON(), nullable=False),
        sa.Column("worker", sa.Text(), nullable=False),
        sa.Column("created", sa.DateTime(timezone=True), nullable=False),
        sa.Column("sealed", sa.LargeBinary(), nullable=True),
        sa.ForeignKeyConstraint(
            ["tenant", "case_id"], ["cases.tenant", "cases.id"], name=op.f("fk_verdicts_tenant_case_id")
        ),
        sa.ForeignKeyConstraint(["tenant"], ["tenants.id"], name=op.f("fk_verdicts_tenant")),
        sa.PrimaryKeyConstraint("tenant", "case_id", "attempt", name=op.f("pk_verdicts")),
    )
    op.create_index(op.f("ix_verdicts_tenant_created"), "verdicts", ["tenant", "created"], unique=False)
    op.create_table(
        "findings",
        sa.Column("tenant", sa.String(length=64), nullable=False),
        sa.Column("case_id", sa.String(length=64), nullable=False),
        sa.Column("attempt", sa.Integer(), nullable=False),
        sa.Column("check", sa.String(length=64), nullable=False),
        sa.Column("outcome", sa.String(length=16), nullable=False),
        sa.Column("score", sa.Double(), nullable=True),
        sa.Column("codes", sa.JSON(), nullable=False),
        sa.ForeignKeyConstraint(
            ["tenant", "case_id", "attempt"],
            ["verdicts.tenant", "verdicts.case_id", "verdicts.attempt"],
            name=op.f("fk_findings_tenant_case_id_attempt"),
        ),
        sa.ForeignKeyConstraint(["tenant"], ["tenants.id"], name=op.f("fk_findings_tenant")),
        sa.PrimaryKeyConstraint("tenant", "case_id", "attempt", "check", name=op.f("pk_findings")),
    )
    op.create_table(
        "outbox",
        sa.Column("session_id", sa.String(length=64), nullable=False),
        sa.Column("sequence", sa.Integer(), nullable=False),
        sa.Column("kind", sa.String(length=64), nullable=False),
        sa.Column("payload", sa.JSON(), nullable=False),
        sa.Column("created", sa.DateTime(timezone=True), nullable=False),
        sa.Column("sent", sa.DateTime(timezone=True), nullable=True),
        sa.Column("tenant", sa.String(length=64), nullable=False),
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.ForeignKeyConstraint(
            ["tenant", "session_id"], ["sessions.tenant", "sessions.id"], name=op.f("fk_outbox_tenant_session_id")
        ),
        sa.ForeignKeyConstraint(["tenant"], ["tenants.id"], name=op.f("fk_outbox_tenant")),
        sa.PrimaryKeyConstraint("tenant", "id", name=op.f("pk_outbox")),
        sa.UniqueConstraint("tenant", "session_id", "sequence", name=op.f("uq_outbox_tenant_session_id_sequence")),
    )
    op.create_index(op.f("ix_outbox_sent"), "outbox", ["sent"], unique=False)
    op.create_table(
        "references",
        sa.Column("subject_id", sa.String(length=64), nullable=False),
        sa.Column("gallery_id", sa.String(length=64), nullable=True),
        sa.Column("media_id", sa.String(length=64), nullable=True),
        sa.Column("modality", sa.String(length=16), nullable=False),
        sa.Column("space", sa.String(length=64), nullable=False),
        sa.Column("sealed", sa.LargeBinary(), nullable=False),
        sa.Column("created", sa.DateTime(timezone=True), nullable=False),
        sa.Column("tenant", sa.String(length=64), nullable=False),
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.ForeignKeyConstraint(
            ["tenant", "gallery_id"], ["galleries.tenant", "galleries.id"], name=op.f("fk_references_tenant_gallery_id")
        ),
        sa.ForeignKeyConstraint(
            ["tenant", "media_id"], ["media.tenant", "media.id"], name=op.f("fk_references_tenant_media_id")
        ),
        sa.ForeignKeyConstraint(
            ["tenant", "subject_id"], ["subjects.tenant", "subjects.id"], name=op.f("fk_references_tenant_subject_id")
        ),
        sa.ForeignKeyConstraint(["tenant"], ["tenants.id"], name=op.f("fk_references_tenant")),
        sa.PrimaryKeyConstraint("tenant", "id", name=op.f("pk_references")),
    )
    op.create_index(op.f("ix_references_tenant_subject_id"), "references", ["tenant", "subject_id"], unique=False)
    op.create_table(
        "webhook_deliveries",
        sa.Column("outbox_id", sa.String(length=64), nullable=False),
        sa.Column("endpoint_id", sa.String(length=64), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("tries", sa.Integer(), nullable=False),
        sa.Column("next_try", sa.DateTime(timezone=True), nullable=False),
        sa.Column("last_status", sa.Integer(), nullable=True),
        sa.Column("last_error", sa.Text(), nullable=True),
        sa.Column("lease_token", sa.String(length=64), nullable=True),
        sa.Column("created", sa.DateTime(timezone=True), nullable=False),
        sa.Column("finished", sa.DateTime(timezone=True), nullable=True),
        sa.Column("tenant", sa.String(length=64), nullable=False),
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.ForeignKeyConstraint(
            ["tenant", "endpoint_id"],
            ["webhook_endpoints.tenant", "webhook_endpoints.id"],
            name=op.f("fk_webhook_deliveries_tenant_endpoint_id"),
        ),
        sa.ForeignKeyConstraint(
            ["tenant", "outbox_id"], ["outbox.tenant", "outbox.id"], name=op.f("fk_webhook_deliveries_tenant_outbox_id")
        ),
        sa.ForeignKeyConstraint(["tenant"], ["tenants.id"], name=op.f("fk_webhook_deliveries_tenant")),
        sa.PrimaryKeyConstraint("tenant", "id", name=op.f("pk_webhook_deliveries")),
        sa.UniqueConstraint(
            "tenant", "outbox_id", "endpoint_id", name=op.f("uq_webhook_deliveries_tenant_outbox_id_endpoint_id")
        ),
    )
    op.create_index(
        op.f("ix_webhook_deliveries_state_next_try"), "webhook_deliveries", ["state", "next_try"], unique=False
    )

    for table in APPEND_ONLY:
        _append_only(table)


def _append_only(table: str) -> None:
    if op.get_bind().dialect.name == "sqlite":
        for verb in ("UPDATE", "DELETE"):
            op.execute(
                f"CREATE TRIGGER {table}_no_{verb.lower()} BEFORE {verb} ON {table} "
                "BEGIN SELECT RAISE(ABORT, 'the audit log is append-only'); END"
            )
        return
    op.execute(
        f"CREATE FUNCTION {table}_append_only() RETURNS trigger LANGUAGE plpgsql AS "
        "$$ BEGIN RAISE EXCEPTION 'the audit log is append-only'; END $$"
    )
    op.execute(
        f"CREATE TRIGGER {table}_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON {table} "
        f"FOR EACH STATEMENT EXECUTE FUNCTION {table}_append_only()"
    )
