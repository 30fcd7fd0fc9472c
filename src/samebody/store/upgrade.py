"""Bring a database to the tables of this release; migrations travel inside the package and run without a command."""

from __future__ import annotations

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import inspect, text

from samebody.store.database import Database
from samebody.store.errors import SchemaError

_LOCK = 0x5A3EB0D1  # of PostgreSQL's advisory locks: one upgrade at a time


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    return config


def newest_version() -> str:
    """The version of the tables that this release works with."""
    head = ScriptDirectory.from_config(_config()).get_current_head()
    assert head is not None
    return head


def database_version(database: Database) -> str | None:
    """The version of the tables in the database; None when it has none."""
    with database.read() as session:
        return MigrationContext.configure(session.connection()).get_current_revision()


def upgrade(database: Database, to: str = "head") -> tuple[str | None, str]:
    """Create or upgrade the tables, all or nothing; two processes that start at once do it once.

    Args:
        to: version to stop at; the newest by default.

    Returns:
        The version found, and the version now.

    Raises:
        SchemaError: the database was written by a newer release, or has tables that are not ours.
    """
    config = _config()
    scripts = ScriptDirectory.from_config(config)
    known = {script.revision for script in scripts.walk_revisions()}
    with database.connection() as connection:
        if not database.is_sqlite:
            connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _LOCK})
        before = MigrationContext.configure(connection).get_current_revision()
        if before is not None and before not in known:
            raise SchemaError(
                f"the database is of version {before}, which this release does not know.", hint="Update samebody."
            )
        if before is None and inspect(connection).get_table_names():
            raise SchemaError("the database holds tables that are not ours.", hint="Name an empty database.")
        config.attributes["connection"] = connection
        command.upgrade(config, to)
        after = MigrationContext.configure(connection).get_current_revision()
    assert after is not None
    return before, after
