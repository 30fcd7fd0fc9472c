"""What alembic runs: the migrations, inside the transaction that :func:`samebody.store.upgrade.upgrade` opened."""

from __future__ import annotations

from alembic import context

from samebody.store.schema import Base

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=Base.metadata,
    transactional_ddl=True,  # SQLite can, once the driver leaves transactions alone
    render_as_batch=True,
)
context.run_migrations()
