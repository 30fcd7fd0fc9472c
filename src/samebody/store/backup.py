"""Backup and restore: one consistent copy of the database, then every sealed file it names.

A backup is a folder with the database as an SQLite file, whatever the store runs on, and the sealed files; so a store
may be restored to another kind of database, or with its files elsewhere, and that is also how it moves from one machine
to many. A backup holds sealed bytes and wrapped keys only. It opens with the master key of its time, so a master key
that was rotated away and destroyed takes its old backups with it. Erasures since then are repeated by :func:`restore`.
Galleries on disk are not in it: ``samebody store restore`` makes them again from the references, which are.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import sqlite3
import tempfile
from contextlib import closing
from pathlib import Path
from typing import Any

from sqlalchemy import select

from samebody import crypto
from samebody.errors import SamebodyError
from samebody.store.blobs import Blobs, FolderBlobs, open_blobs
from samebody.store.database import Database
from samebody.store.errors import BackupError, SchemaError
from samebody.store.schema import MediaRow
from samebody.store.store import DATABASE_FILE, MEDIA_FOLDER, Store
from samebody.store.transfer import copy_rows, is_empty
from samebody.store.upgrade import database_version, upgrade
from samebody.store.vault import ERASED

MANIFEST = "backup.json"
FORMAT = 1


def backup(store: Store, target: Path | str) -> dict[str, int]:
    """Copy a store to a new folder while it is in use; the manifest comes last and makes it a backup.

    Returns:
        ``files`` and ``bytes`` copied.

    Raises:
        BackupError: the folder exists, or the disk is full.
    """
    target = Path(target)
    if target.exists():
        raise BackupError(f"{target} exists already.", hint="Name a new folder.")
    try:
        target.mkdir(parents=True, mode=0o700)
        copy = target / DATABASE_FILE
        _copy_database(store.database, copy)
        files = {DATABASE_FILE: crypto.sha256_file(copy)}
        with closing(sqlite3.connect(copy)) as made:
            names = [row[0] for row in made.execute(f"SELECT blob FROM {MediaRow.__tablename__}")]
        kept = FolderBlobs(target / MEDIA_FOLDER)
        total = copy.stat().st_size
        for name in names:
            try:
                data = store.blobs.get(name)
            except SamebodyError:
                continue  # deleted since the database was copied; restoring will find it gone
            kept.put(name, data)
            files[f"{MEDIA_FOLDER}/{name}"] = hashlib.sha256(data).hexdigest()
            total += len(data)
        manifest = {"format": FORMAT, "created": store.clock().isoformat(), "files": files}
        FolderBlobs(target).put(MANIFEST, json.dumps(manifest, indent=1).encode())
    except OSError as error:
        raise BackupError(f"the backup cannot be written: {(error.strerror or 'unknown').lower()}.") from None
    except sqlite3.Error as error:
        raise BackupError(f"the database cannot be copied: {type(error).__name__}.") from None
    return {"files": len(files), "bytes": total}


def check_backup(source: Path | str) -> dict[str, Any]:
    """Read every byte of a backup; its manifest.

    Raises:
        BackupError: a file is missing or changed, or the manifest is.
    """
    source = Path(source)
    try:
        manifest: dict[str, Any] = json.loads((source / MANIFEST).read_bytes())
        files, version = dict(manifest["files"]), manifest["format"]
    except (OSError, ValueError, KeyError, TypeError):
        raise BackupError(f"{source} is no backup, or an unfinished one.", hint="Take another one.") from None
    if version != FORMAT:
        raise BackupError(f"the backup has format {version}.", hint="Update samebody.")
    for name, digest in files.items():
        try:
            found = crypto.sha256_file(source / name)
        except SamebodyError:
            found = ""
        if found != digest:
            raise BackupError(f"{name} of the backup is missing or changed.", hint="Take another backup.")
    return manifest


def restore(
    source: Path | str, target: Path | str, *, media: Path | str | None = None, marks: Blobs | None = None
) -> None:
    """Make a store from a backup, every file checked; where it runs and where its files lie may be others than before.

    Args:
        target: a new folder, or the URL of a database that is empty.
        media: folder or URL of the sealed files; by default in the folder.
        marks: the sealed files that were in use last, if they are still there: erasures marked among them are carried
            over, and :meth:`samebody.store.vault.Vault.erase_again` repeats them when the store is opened.

    Raises:
        BackupError: damaged, the target is in use, or ``media`` is missing.
        BlobError, StoreUnavailableError: the target cannot be written; it may be tried again.
    """
    source = Path(source)
    manifest = check_backup(source)
    elsewhere = None if media is None else open_blobs(media)
    if "://" in str(target):
        if elsewhere is None:
            raise BackupError("where sealed files are restored to is not named.", hint="Give --media.")
        _restore_database(source, str(target), manifest, elsewhere, marks)
    else:
        _restore_folder(source, Path(target), manifest, elsewhere, marks)


def missing_files(store: Store) -> list[str]:
    """Ids of samples whose sealed file is not there."""
    there = {name for name, _ in store.blobs.names()}
    with store.read() as tx:
        return [media_id for media_id, blob in tx.execute(select(MediaRow.id, MediaRow.blob)) if blob not in there]


def _copy_database(database: Database, copy: Path) -> None:
    if database.is_sqlite and database.url.database is not None:
        with closing(sqlite3.connect(database.url.database)) as source, closing(sqlite3.connect(copy)) as made:
            source.backup(made, pages=1000)
        return
    version = database_version(database)
    if version is None:
        raise BackupError("the database has no tables.", hint="Run: samebody store upgrade")
    file = Database(f"sqlite:///{copy}")
    try:
        upgrade(file, version)
        with database.read() as old, file.write() as new:
            copy_rows(old, new)
        file.checkpoint()
    finally:
        file.close()
    for rest in ("-wal", "-shm"):
        copy.with_name(copy.name + rest).unlink(missing_ok=True)


def _restore_folder(
    source: Path, target: Path, manifest: dict[str, Any], elsewhere: Blobs | None, marks: Blobs | None
) -> None:
    if target.exists():
        raise BackupError(f"{target} exists already.", hint="Name a new folder.")
    working = target.with_name(target.name + ".part")
    try:
        shutil.rmtree(working, ignore_errors=True)
        working.mkdir(parents=True, mode=0o700)
        _restore_files(source, manifest, elsewhere or FolderBlobs(working / MEDIA_FOLDER), marks)
        shutil.copyfile(source / DATABASE_FILE, working / DATABASE_FILE)
        working.rename(target)
    except OSError as error:
        raise BackupError(f"the backup cannot be restored: {(error.strerror or 'unknown').lower()}.") from None


def _restore_database(source: Path, url: str, manifest: dict[str, Any], files: Blobs, marks: Blobs | None) -> None:
    database = Database(url)
    try:
        try:
            upgrade(database)
            with database.read() as tx:
                empty = is_empty(tx)
        except SchemaError:
            empty = False
        if not empty:
            raise BackupError("the database holds something already.", hint="Name an empty database.")
        _restore_files(source, manifest, files, marks)  # before the rows that name them
        with tempfile.TemporaryDirectory() as folder:  # a backup may lie where nothing can be written, and be older
            copy = shutil.copyfile(source / DATABASE_FILE, Path(folder) / DATABASE_FILE)
            with closing(Database(f"sqlite:///{copy}")) as file:
                upgrade(file)
                with file.read() as rows, database.write() as tx:
                    copy_rows(rows, tx)
    finally:
        database.close()


def _restore_files(source: Path, manifest: dict[str, Any], target: Blobs, marks: Blobs | None) -> None:
    for name in manifest["files"]:
        folder, _, blob = name.partition("/")
        if folder == MEDIA_FOLDER:
            target.put(blob, (source / name).read_bytes())
    if marks is not None:
        for name, _ in marks.names(ERASED):
            target.put(name, b"")
