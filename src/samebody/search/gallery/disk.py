"""Every operation by which a gallery changes its folder, in one small class, so that tests can stand in its place.

The rule of durability: a file is complete when it was synced, its name when its folder was synced (POSIX ``fsync``).
Faults of the system come out as typed errors.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from samebody.durable import sync_folder, try_lock
from samebody.search.gallery.errors import GalleryDiskFullError, GalleryLockedError, GalleryWriteError

_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)

Buffer = bytes | bytearray | memoryview


class File:
    """A file open for writing. Positions are explicit; nothing is buffered."""

    def __init__(self, path: Path, descriptor: int) -> None:
        self.path, self._descriptor = path, descriptor

    def write(self, offset: int, data: Buffer) -> None:
        """Write all of ``data`` at ``offset``."""
        view = memoryview(data).cast("B")
        while len(view):
            count = os.pwrite(self._descriptor, view, offset)
            view, offset = view[count:], offset + count

    def truncate(self, size: int) -> None:
        """Cut to ``size`` bytes."""
        os.ftruncate(self._descriptor, size)

    def sync(self) -> None:
        """Return when what was written has reached the disk."""
        os.fsync(self._descriptor)

    def close(self) -> None:
        """Give the descriptor back; does not sync."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1


class Disk:
    """The real file system. A test replaces it by one that records, refuses or loses."""

    def create(self, path: Path) -> File:
        """A new, empty file; an old one of that name is emptied."""
        return File(path, os.open(path, os.O_RDWR | os.O_CREAT | os.O_TRUNC | _CLOEXEC, 0o600))

    def reopen(self, path: Path) -> File:
        """An existing file, to write on."""
        return File(path, os.open(path, os.O_RDWR | _CLOEXEC))

    def rename(self, source: Path, target: Path) -> None:
        """Give the file another name at once, replacing what had it."""
        source.replace(target)

    def remove(self, path: Path) -> None:
        """Take the name away; readers that have the file open keep it."""
        path.unlink(missing_ok=True)

    def make_folder(self, path: Path) -> None:
        """A new folder."""
        path.mkdir(mode=0o700)

    def sync_folder(self, path: Path) -> None:
        """Make the names in a folder durable; a system that cannot open folders does without."""
        sync_folder(path)


_CLOEXEC = getattr(os, "O_CLOEXEC", 0)


@contextmanager
def faults(doing: str) -> Iterator[None]:
    """Turn an ``OSError`` into the typed error that says what to do; ``doing`` is what failed."""
    try:
        yield
    except OSError as error:
        if error.errno in _FULL:
            raise GalleryDiskFullError(
                f"the disk is full while {doing}; what was acknowledged before stands.",
                hint="Free some space or compact the gallery, then try again.",
            ) from None
        reason = error.strerror or type(error).__name__
        raise GalleryWriteError(
            f"{doing} failed: {reason.lower()}.",
            hint="Check the folder and its permissions, then open the gallery again.",
        ) from None


class Lock:
    """The one writer's lock: held while the process lives, given back by the system when it dies."""

    def __init__(self, path: Path) -> None:
        self._descriptor = os.open(path, os.O_RDWR | os.O_CREAT | _CLOEXEC, 0o600)
        if not try_lock(self._descriptor):
            os.close(self._descriptor)
            raise GalleryLockedError(
                f"another writer has {path.parent} open.", hint="Wait until it is closed, or open it for reading."
            )

    def release(self) -> None:
        """Let the next writer in."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1
