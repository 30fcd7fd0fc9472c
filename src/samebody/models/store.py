"""The folder with verified weights: files named by their SHA-256, written atomically under a lock.

Layout: ``<sha256><suffix>`` for every file, ``.lock`` for the one lock, ``.part-*`` while a file is being written.
The same layout serves the models folder and a mirror folder. Whoever holds the lock is the only writer, so every
``.part-*`` file it finds was left by a process that died, and is removed.
"""

from __future__ import annotations

import errno
import os
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from samebody.durable import sync_folder, try_lock
from samebody.models.errors import DiskFullError, LockTimeoutError, NotWritableError
from samebody.models.record import SUFFIXES, FileFormat

LOCK_SECONDS = 3600.0
"""How long to wait for another process that is pulling; a large file over a slow line takes this long at most."""
_POLL_SECONDS = 0.1
_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
_PARTIAL_PREFIX = ".part-"


@dataclass(frozen=True, slots=True)
class Store:
    """One folder of verified files."""

    folder: Path

    def path(self, sha256: str, file_format: FileFormat) -> Path:
        """Where the file with this hash stands, whether it is there or not."""
        return self.folder / f"{sha256}{SUFFIXES[file_format]}"

    @contextmanager
    def locked(self, on_wait: Callable[[], None] = lambda: None, timeout: float = LOCK_SECONDS) -> Iterator[None]:
        """Be the only writer; what dead writers left behind is gone when the block is entered.

        Args:
            on_wait: called once when another process holds the lock.
            timeout: seconds to wait for it.

        Raises:
            NotWritableError: when the folder cannot be made or written to.
            LockTimeoutError: when the lock stays taken.
        """
        with self.faults():
            self.folder.mkdir(parents=True, exist_ok=True)
            descriptor = os.open(self.folder / ".lock", os.O_RDWR | os.O_CREAT, 0o644)
        try:
            self._acquire(descriptor, on_wait, timeout)
            for leftover in self.folder.glob(f"{_PARTIAL_PREFIX}*"):
                with self.faults():
                    leftover.unlink(missing_ok=True)
            yield
        finally:
            os.close(descriptor)

    def _acquire(self, descriptor: int, on_wait: Callable[[], None], timeout: float) -> None:
        deadline, waited = time.monotonic() + timeout, False
        while not try_lock(descriptor):
            if not waited:
                waited = True
                on_wait()
            if time.monotonic() > deadline:
                raise LockTimeoutError(
                    f"another process has been writing to {self.folder} for {timeout:g} seconds.",
                    hint="Wait until it is done, or end it.",
                )
            time.sleep(_POLL_SECONDS)

    @contextmanager
    def writing(self, target: Path) -> Iterator[BinaryIO]:
        """A stream whose content becomes ``target`` when the block ends without an error, and vanishes otherwise.

        The content is flushed to the disk before it takes its name, so that a power cut leaves no half file either.

        Raises:
            DiskFullError, NotWritableError: nothing is left behind.
        """
        temporary: Path | None = None
        try:
            with self.faults():
                descriptor, name = tempfile.mkstemp(prefix=_PARTIAL_PREFIX, dir=self.folder)
                temporary = Path(name)
                with os.fdopen(descriptor, "w+b") as stream:
                    yield stream
                    stream.flush()
                    os.fsync(stream.fileno())
                temporary.chmod(0o644)
                temporary.replace(target)
                sync_folder(self.folder)
        except BaseException:
            if temporary is not None:
                temporary.unlink(missing_ok=True)
            raise

    def write(self, target: Path, data: bytes) -> None:
        """Write ``data`` as ``target``, all or nothing; errors as in :meth:`writing`."""
        with self.writing(target) as stream:
            stream.write(data)

    def scratch(self) -> BinaryIO:
        """A nameless file on the store's disk, for a carrier that must be held whole; gone when it is closed."""
        with self.faults():
            return tempfile.TemporaryFile(dir=self.folder)

    @contextmanager
    def faults(self) -> Iterator[None]:
        """Turn an ``OSError`` of this folder into the typed error that says what to do."""
        try:
            yield
        except OSError as error:
            if error.errno in _FULL:
                raise DiskFullError(
                    f"there is no room for the file in {self.folder}; nothing was left behind.",
                    hint="Free some space, or set SAMEBODY_MODELS_DIR to a folder on a larger disk.",
                ) from None
            if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOTDIR, errno.EEXIST, errno.ENOENT):
                raise NotWritableError(
                    f"{self.folder} cannot be written to ({error.strerror}).",
                    hint="Set SAMEBODY_MODELS_DIR to a folder you may write to.",
                ) from None
            raise
