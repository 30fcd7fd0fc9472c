"""Backup and restore of a store on SQLite: one consistent copy of the database, then every sealed file it names.

A backup holds sealed bytes and wrapped keys only. It opens with the master key of its time, so a master key that was
rotated away and destroyed takes its old backups with it. Erasures since then are repeated by :func:`restore`.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

from sqlalchemy import select

from samebody import crypto
from samebody.errors import SamebodyError
from samebody.store.blobs import FolderBlobs
from samebody.store.errors import BackupError
from samebody.store.schema import MediaRow
from samebody.store.store import DATABASE_FILE, MEDIA_FOLDER, Store

MANIFEST = "backup.json"
FORMAT = 1


def backup(store: Store, target: Path | str) -> dict[str, int]:
    """Copy a store to a new folder while it is in use; the manifest comes last and makes it a backup.

    Returns:
        ``files`` and ``bytes`` copied.

    Raises:
        BackupError: the folder exists, the store is on PostgreSQL (use its own tools), or the disk is full.
    """
    target = Path(target)
    if not store.database.is_sqlite or store.database.url.database is None:
        raise BackupError("only a store on SQLite is backed up here.", hint="Use pg_dump, and copy the media folder.")
    if target.exists():
        raise BackupError(f"{target} exists already.", hint="Name a new folder.")
    try:
        target.mkdir(parents=True, mode=0o700)
        copy = target / DATABASE_FILE
        with closing(sqlite3.connect(store.database.url.database)) as source, closing(sqlite3.connect(copy)) as made:
            source.backup(made, pages=1000)
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


def restore(source: Path | str, target: Path | str, *, marks: FolderBlobs | None = None) -> None:
    """Make the folder of a store from a backup, every file checked.

    Args:
        marks: the media folder that was in use last, if it is still there: erasures marked in it are carried over, and
            :meth:`samebody.store.vault.Vault.erase_again` repeats them when the store is opened.

    Raises:
        BackupError: damaged, or the target exists.
    """
    source, target = Path(source), Path(target)
    manifest = check_backup(source)
    if target.exists():
        raise BackupError(f"{target} exists already.", hint="Name a new folder.")
    working = target.with_name(target.name + ".part")
    try:
        shutil.rmtree(working, ignore_errors=True)
        working.mkdir(parents=True, mode=0o700)
        for name in manifest["files"]:
            (working / name).parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            shutil.copyfile(source / name, working / name)
        if marks is not None:
            kept = FolderBlobs(working / MEDIA_FOLDER)
            for name, _ in marks.names():
                if name.startswith("erased/"):
                    kept.put(name, b"")
        working.rename(target)
    except OSError as error:
        raise BackupError(f"the backup cannot be restored: {(error.strerror or 'unknown').lower()}.") from None


def missing_files(store: Store) -> list[str]:
    """Ids of samples whose sealed file is not there."""
    there = {name for name, _ in store.blobs.names()}
    with store.read() as tx:
        return [media_id for media_id, blob in tx.execute(select(MediaRow.id, MediaRow.blob)) if blob not in there]
