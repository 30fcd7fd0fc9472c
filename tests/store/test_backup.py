"""A backup is restored and goes on: on either kind of database, from one to the other, with files in a bucket."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import select

from samebody.store import LocalMasterKey, Store
from samebody.store.audit import verify_log
from samebody.store.backup import backup, check_backup, missing_files, restore
from samebody.store.blobs import open_blobs
from samebody.store.errors import BackupError, BlobError, KeyDestroyedError
from samebody.store.schema import Base, SubjectRow
from tests.store.conftest import MASTER, SetClock, submit
from tests.store.golden.make import fill
from tests.store.postgresql import NewDatabase
from tests.store.s3 import Bucket, bucket
from tests.store.test_upgrade import goes_on

__all__ = ["bucket"]
KEYS = [LocalMasterKey(MASTER)]


@pytest.fixture
def full(unfurnished: Store) -> Store:
    """A store of each kind, with something in nearly every table."""
    fill(unfurnished)
    return unfurnished


@pytest.fixture
def elsewhere(postgresql_database: str, tmp_path: Path, clock: SetClock) -> Iterator[Store]:
    """The same on PostgreSQL alone."""
    with Store.open(postgresql_database, media=tmp_path / "store" / "media", master=KEYS, clock=clock) as opened:
        fill(opened)
        yield opened


def rows_of(store: Store) -> dict[str, list[dict[str, object]]]:
    """Every row of every table."""
    with store.read() as tx:
        return {
            table.name: [dict(row) for row in tx.execute(select(table).order_by(*table.primary_key)).mappings()]
            for table in Base.metadata.sorted_tables
        }


def test_a_backup_restored_to_a_folder_is_the_same_store_and_goes_on(full: Store, tmp_path: Path) -> None:
    made = backup(full, tmp_path / "backup")
    assert made["files"] == len(check_backup(tmp_path / "backup")["files"]) >= 3
    restore(tmp_path / "backup", tmp_path / "again")
    with Store.open(tmp_path / "again", master=KEYS, clock=full.clock, create=False) as again:
        assert rows_of(again) == rows_of(full)
        assert missing_files(again) == []
        goes_on(again)
    check_backup(tmp_path / "backup")  # restoring leaves it as it was


def test_a_store_moves_to_postgresql_and_a_bucket(
    full: Store, tmp_path: Path, new_database: NewDatabase, bucket: Bucket
) -> None:
    backup(full, tmp_path / "backup")
    (tmp_path / "backup" / "samebody.db").chmod(0o400)  # a backup is only read
    target = new_database()
    with pytest.raises(BackupError, match="not named"):
        restore(tmp_path / "backup", target)
    restore(tmp_path / "backup", target, media=bucket.url)
    assert len(bucket.objects) >= 2 and b"golden sample" not in b"".join(data for data, _ in bucket.objects.values())
    with Store.open(target, media=bucket.url, master=KEYS, clock=full.clock, create=False) as moved:
        assert rows_of(moved) == rows_of(full)
        assert missing_files(moved) == []
        goes_on(moved)
    with pytest.raises(BackupError, match="holds something"):
        restore(tmp_path / "backup", target, media=bucket.url)


def test_who_was_erased_since_is_erased_again(elsewhere: Store, tmp_path: Path, new_database: NewDatabase) -> None:
    backup(elsewhere, tmp_path / "backup")
    with elsewhere.read() as tx:
        anna = elsewhere.people.find(tx, "local", "anna")
    elsewhere.people.erase("local", anna.id, actor="k")
    target, marks = new_database(), open_blobs(tmp_path / "store" / "media")
    restore(tmp_path / "backup", target, media=tmp_path / "elsewhere", marks=marks)
    with Store.open(target, media=tmp_path / "elsewhere", master=KEYS, clock=elsewhere.clock) as again:
        assert again.vault.erase_again() >= 2
        with again.read() as tx, pytest.raises(KeyDestroyedError):
            again.people.references(tx, "local", anna.id)


def test_a_restore_that_was_stopped_is_done_again(
    elsewhere: Store, tmp_path: Path, new_database: NewDatabase, bucket: Bucket
) -> None:
    backup(elsewhere, tmp_path / "backup")
    target = new_database()
    bucket.fault = lambda method, key: 403 if method == "PUT" and len(bucket.objects) > 0 else None
    with pytest.raises(BlobError, match="sealed file"):
        restore(tmp_path / "backup", target, media=bucket.url)
    with Store.open(target, media=bucket.url, master=KEYS, clock=elsewhere.clock) as half, half.read() as tx:
        assert tx.scalars(select(SubjectRow)).all() == []  # no row before every file is there
    bucket.fault = lambda method, key: None
    restore(tmp_path / "backup", target, media=bucket.url)
    with Store.open(target, media=bucket.url, master=KEYS, clock=elsewhere.clock, create=False) as whole:
        goes_on(whole)


def test_a_backup_of_a_store_in_use_is_of_one_moment(elsewhere: Store, tmp_path: Path) -> None:
    stop = threading.Event()

    def work() -> None:
        while not stop.is_set():
            submit(elsewhere)

    busy = threading.Thread(target=work)
    busy.start()
    try:
        backup(elsewhere, tmp_path / "backup")
    finally:
        stop.set()
        busy.join()
    restore(tmp_path / "backup", tmp_path / "again")
    with Store.open(tmp_path / "again", master=KEYS, clock=elsewhere.clock, create=False) as again, again.read() as tx:
        report = verify_log(tx, again.audit)
        assert report.sound, report.problems


def test_a_backup_of_another_size_or_place_is_refused(elsewhere: Store, tmp_path: Path) -> None:
    backup(elsewhere, tmp_path / "backup")
    with pytest.raises(BackupError, match="exists already"):
        backup(elsewhere, tmp_path / "backup")
    database = tmp_path / "backup" / "samebody.db"
    database.write_bytes(database.read_bytes()[:-1])
    with pytest.raises(BackupError, match=r"samebody\.db of the backup is missing or changed"):
        restore(tmp_path / "backup", tmp_path / "again")
    assert not (tmp_path / "again").exists()
