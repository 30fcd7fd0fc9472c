"""Bytes on the disk, whole or not at all: temporary name, fsync, rename; one writer at a time."""

from __future__ import annotations

import errno
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from samebody.durable import sync_folder, try_lock
from samebody.errors import StorageError
from samebody.lab.data.errors import DataSetLockedError

_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


@contextmanager
def faults(place: Path) -> Iterator[None]:
    """Turn an ``OSError`` into a :class:`StorageError` that names ``place`` and says what to do."""
    try:
        yield
    except OSError as error:
        hint = "Free some space and run it again." if error.errno in _FULL else "Check the folder and its permissions."
        raise StorageError(f"{place} cannot be written: {error.strerror or error}.", hint=hint) from None


def write_bytes(target: Path, data: bytes, *, sync: bool = True) -> None:
    """Write ``data`` as ``target`` through a temporary name beside it; folders above it are made.

    Args:
        target: the file.
        data: its content.
        sync: flush to the disk before the file takes its name. Without it the caller must flush later.

    Raises:
        StorageError: it cannot be written; what stood there before is untouched.
    """
    temporary: Path | None = None
    with faults(target):
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            handle, name = tempfile.mkstemp(prefix=".part-", dir=target.parent)
            temporary = Path(name)
            with os.fdopen(handle, "wb") as stream:
                stream.write(data)
                if sync:
                    stream.flush()
                    os.fsync(stream.fileno())
            temporary.replace(target)
            temporary = None
            if sync:
                sync_folder(target.parent)
        finally:
            if temporary is not None:
                temporary.unlink(missing_ok=True)


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Be the only writer of ``folder`` (a lock file with ``flock``; the system drops it when the process dies).

    Raises:
        DataSetLockedError: another process holds it.
        StorageError: the folder cannot be written.
    """
    with faults(folder):
        folder.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(folder / ".lock", os.O_RDWR | os.O_CREAT, 0o644)
    try:
        if not try_lock(descriptor):
            raise DataSetLockedError(
                f"another process is writing to {folder}.", hint="Wait until it is done, or end it."
            )
        yield
    finally:
        os.close(descriptor)
