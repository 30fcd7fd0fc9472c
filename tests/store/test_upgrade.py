"""Old databases open for ever after; a half-done upgrade does not exist; models and migrations say the same."""

from __future__ import annotations

import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import inspect, select, text

from samebody.jobs import Deliveries, Queue, Receipt, Worker
from samebody.store import LocalMasterKey, State, Store
from samebody.store.audit import verify_log
from samebody.store.database import Database
from samebody.store.errors import KeyDestroyedError, SchemaError, StoreConfigError
from samebody.store.schema import Base, SessionRow, SubjectRow
from samebody.store.transfer import copy_rows
from samebody.store.upgrade import database_version, newest_version, upgrade
from tests.store.conftest import MASTER, SetClock, conclusion

GOLDEN = sorted(path for path in (Path(__file__).parent / "golden").iterdir() if path.name.startswith("v"))

ON_POSTGRESQL = [  # the oldest goes through every migration; those between are slow
    pytest.param(path, id=path.name, marks=() if path in (GOLDEN[0], GOLDEN[-1]) else pytest.mark.slow)
    for path in GOLDEN
]


def unpack(golden: Path, folder: Path) -> Path:
    folder.mkdir()
    with closing(sqlite3.connect(folder / "samebody.db")) as database:
        database.executescript((golden / "samebody.sql").read_text())
    shutil.copytree(golden / "media", folder / "media")
    return folder


@pytest.mark.parametrize("golden", GOLDEN, ids=lambda path: path.name)
def test_a_store_of_an_old_release_is_upgraded_and_goes_on(golden: Path, tmp_path: Path) -> None:
    folder = unpack(golden, tmp_path / "store")
    if golden.name != f"v{newest_version()}":
        with pytest.raises(SchemaError, match="upgrade"):
            Store.open(folder, master=[LocalMasterKey(MASTER)], create=False)
    with Store.open(folder, master=[LocalMasterKey(MASTER)], clock=SetClock()) as store:
        goes_on(store)


@pytest.mark.parametrize("golden", ON_POSTGRESQL)
def test_a_store_of_an_old_release_on_postgresql_too(golden: Path, tmp_path: Path, postgresql_database: str) -> None:
    folder = unpack(golden, tmp_path / "store")
    with closing(Database(f"sqlite:///{folder / 'samebody.db'}")) as old, closing(Database(postgresql_database)) as new:
        version = database_version(old)
        assert version is not None and golden.name == f"v{version}"
        upgrade(new, version)
        with old.read() as rows, new.write() as tx:
            assert copy_rows(rows, tx) > 20
    media, master = folder / "media", [LocalMasterKey(MASTER)]
    if golden.name != f"v{newest_version()}":
        with pytest.raises(SchemaError, match="upgrade"):
            Store.open(postgresql_database, media=media, master=master, create=False)
    with Store.open(postgresql_database, media=media, master=master, clock=SetClock()) as store:
        goes_on(store)


def goes_on(store: Store) -> None:
    """Everything of the golden store is there and readable, its work goes on, its log verifies."""
    with store.read() as tx:
        assert verify_log(tx, store.audit).sound
        sessions = {row.reference: row for row in tx.scalars(select(SessionRow))}
        anna = store.people.find(tx, "local", "anna")
        (reference,) = store.people.references(tx, "local", anna.id)
        erased = tx.scalars(select(SubjectRow).where(SubjectRow.erased.is_not(None))).one()
        with pytest.raises(KeyDestroyedError):
            store.keys.of(tx, "local", "subject", erased.id)
        case = sessions["anna"].case_id
        (media,) = store.vault.of_case(tx, "local", case)
        assert store.verdicts.get(tx, "local", case, 1).body == {"decision": "accept", "made": "golden"}
        assert store.sessions.metadata(tx, "local", sessions["anna"].id) == {"made": "golden"}
    assert reference.data == b"golden template"
    assert store.vault.read("local", media.id) == b"golden sample"
    assert Worker(Queue(store), lambda claim: conclusion(), name="w").drain() == 1
    deliveries = Deliveries(store, lambda delivery: Receipt(True, 200))
    deliveries.fan_out()
    assert deliveries.deliver_due() > 1
    with store.read() as tx:
        assert store.sessions.get(tx, "local", sessions["waits"].id).state is State.ACCEPTED
        assert verify_log(tx, store.audit).sound
        assert database_version(store.database) == newest_version()


def test_there_is_a_golden_store_of_every_older_version() -> None:
    assert "v0001" in [path.name for path in GOLDEN]


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_migrations_make_exactly_the_tables_of_the_models(
    kind: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    url = f"sqlite:///{tmp_path / 'x.db'}" if kind == "sqlite" else request.getfixturevalue("postgresql_database")
    database = Database(url)
    assert database_version(database) is None
    assert upgrade(database) == (None, newest_version())
    assert upgrade(database) == (newest_version(), newest_version())
    with database.engine.connect() as connection:
        differences = compare_metadata(MigrationContext.configure(connection), Base.metadata)
    assert differences == []
    database.close()


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_an_upgrade_that_is_stopped_leaves_the_old_version(
    kind: str, tmp_path: Path, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = f"sqlite:///{tmp_path / 'x.db'}" if kind == "sqlite" else request.getfixturevalue("postgresql_database")
    database = Database(url)
    upgrade(database, "0001")
    import alembic.op

    monkeypatch.setattr(alembic.op, "create_index", lambda *a, **k: (_ for _ in ()).throw(KeyboardInterrupt))
    with pytest.raises(KeyboardInterrupt):
        upgrade(database)
    monkeypatch.undo()
    assert database_version(database) == "0001"
    with database.engine.connect() as connection:
        assert "tasks" not in inspect(connection).get_table_names()
    assert upgrade(database) == ("0001", newest_version())
    database.close()


def test_a_database_of_a_newer_release_or_of_others_is_refused(tmp_path: Path) -> None:
    database = Database(f"sqlite:///{tmp_path / 'new.db'}")
    upgrade(database)
    with database.write() as tx:
        tx.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(SchemaError, match="9999"):
        upgrade(database)
    database.close()
    other = Database(f"sqlite:///{tmp_path / 'other.db'}")
    with other.write() as tx:
        tx.execute(text("CREATE TABLE cats (name TEXT)"))
    with pytest.raises(SchemaError, match="not ours"):
        upgrade(other)
    other.close()


@pytest.mark.parametrize("url", ["nonsense", "sqlite://", "sqlite:///:memory:", "mysql://x/y", "mssql://x"])
def test_an_unusable_url_is_a_typed_error(url: str) -> None:
    with pytest.raises(StoreConfigError):
        Database(url)


def test_a_store_that_is_not_there_is_not_made_unasked(tmp_path: Path) -> None:
    with pytest.raises(StoreConfigError, match="no store"):
        Store.open(tmp_path / "none", master=[LocalMasterKey(MASTER)], create=False)
    with pytest.raises(StoreConfigError, match="sealed files"):
        Store.open(f"sqlite:///{tmp_path / 'x.db'}", master=[LocalMasterKey(MASTER)])
