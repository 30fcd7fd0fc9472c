"""Settings of tenants, logins of the console, and the trace that sessions and messages belong to.

Revision ID: 0005
Revises: 0004
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add two tables and two columns; nothing is set, nobody is logged in, nothing belongs to a trace yet."""
    op.create_table(
        "tenant_settings",
        sa.Column("tenant", sa.String(length=64), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("values", sa.JSON(), nullable=False),
        sa.Column("author", sa.Text(), nullable=False),
        sa.Column("created", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["tenant"], ["tenants.id"], name=op.f("fk_tenant_settings_tenant")),
        sa.PrimaryKeyConstraint("tenant", "version", name=op.f("pk_tenant_settings")),
    )
    op.create_table(
        "console_logins",
        sa.Column("tenant", sa.String(length=64), nullable=False),
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("key_id", sa.String(length=64), nullable=True),
        sa.Column("provider", sa.String(length=64), nullable=True),
        sa.Column("subject", sa.String(length=255), nullable=True),
        sa.Column("name", sa.String(length=200), nullable=True),
        sa.Column("actor", sa.String(length=64), nullable=False),
        sa.Column("role", sa.String(length=16), nullable=True),
        sa.Column("created", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expires", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ended", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(["tenant"], ["tenants.id"], name=op.f("fk_console_logins_tenant")),
        sa.ForeignKeyConstraint(
            ["tenant", "key_id"], ["api_keys.tenant", "api_keys.id"], name=op.f("fk_console_logins_tenant_key_id")
        ),
        sa.PrimaryKeyConstraint("tenant", "id", name=op.f("pk_console_logins")),
    )
    op.create_index(op.f("ix_console_logins_expires"), "console_logins", ["expires"])
    op.add_column("sessions", sa.Column("traceparent", sa.String(length=64), nullable=True))
    op.add_column("outbox", sa.Column("traceparent", sa.String(length=64), nullable=True))
