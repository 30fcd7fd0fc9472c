"""Sessions have an assignee: the reviewer who took the case.

Revision ID: 0003
Revises: 0002
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the column; nobody has taken a case yet."""
    op.add_column("sessions", sa.Column("assignee", sa.String(length=200), nullable=True))
