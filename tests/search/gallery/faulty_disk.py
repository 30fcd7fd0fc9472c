"""Disks that record every write and lose power at any of them, or that fill up."""

from __future__ import annotations

import errno
import random
from dataclasses import dataclass, field
from pathlib import Path

from samebody.search.gallery.disk import Buffer, Disk, File

SECTOR = 512


class _FastFile(File):
    def sync(self) -> None:
        pass


class FastDisk(Disk):
    """Syncs nothing: for tests that look at content only."""

    def create(self, path: Path) -> File:
        return _fast(super().create(path))

    def reopen(self, path: Path) -> File:
        return _fast(super().reopen(path))

    def sync_folder(self, path: Path) -> None:
        pass


def _fast(file: File) -> File:
    file.__class__ = _FastFile
    return file


class _RecordedFile(File):
    def __init__(self, inner: File, journal: list[tuple]) -> None:
        self._inner, self._journal, self.path = inner, journal, inner.path

    def write(self, offset: int, data: Buffer) -> None:
        self._journal.append(("write", self.path, offset, bytes(data)))
        self._inner.write(offset, data)

    def truncate(self, size: int) -> None:
        self._journal.append(("truncate", self.path, size))
        self._inner.truncate(size)

    def sync(self) -> None:
        self._inner.sync()
        self._journal.append(("sync", self.path))

    def close(self) -> None:
        self._inner.close()


class RecordingDisk(FastDisk):
    """Does everything but syncing on the real disk, and writes it down; the journal also takes a test's own marks."""

    def __init__(self) -> None:
        self.journal: list[tuple] = []

    def create(self, path: Path) -> File:
        self.journal.append(("create", path))
        return _RecordedFile(super().create(path), self.journal)

    def reopen(self, path: Path) -> File:
        return _RecordedFile(super().reopen(path), self.journal)

    def rename(self, source: Path, target: Path) -> None:
        self.journal.append(("rename", source, target))
        super().rename(source, target)

    def remove(self, path: Path) -> None:
        self.journal.append(("remove", path))
        super().remove(path)

    def make_folder(self, path: Path) -> None:
        self.journal.append(("folder", path))
        super().make_folder(path)

    def sync_folder(self, path: Path) -> None:
        super().sync_folder(path)
        self.journal.append(("sync folder", path))


@dataclass
class _Inode:
    """A file's content as it is on the platter, and the changes that have not reached it for certain."""

    durable: bytearray = field(default_factory=bytearray)
    pending: list[tuple] = field(default_factory=list)

    def settle(self) -> None:
        for change in self.pending:
            _apply(self.durable, change)
        self.pending.clear()


class PowerLoss:
    """Replays a journal and says what a disk may hold when the power goes.

    What was not synced may be there, not be there, or be there in part, sector by sector; changes of names that were
    not synced may each have happened or not, in any combination.
    """

    def __init__(self) -> None:
        self.folders: set[Path] = set()
        self.durable_names: dict[Path, _Inode] = {}
        self.names: dict[Path, _Inode] = {}
        self.pending_names: list[tuple[str, Path, Path | None, _Inode]] = []

    def step(self, entry: tuple) -> None:
        """The next operation of the journal happens."""
        kind = entry[0]
        if kind == "create":
            path = entry[1]
            if path in self.names:
                self.names[path].pending.append(("truncate", 0))
            else:
                self.names[path] = _Inode()
                self.pending_names.append(("create", path, None, self.names[path]))
        elif kind == "write":
            self.names[entry[1]].pending.append(("write", entry[2], entry[3]))
        elif kind == "truncate":
            self.names[entry[1]].pending.append(("truncate", entry[2]))
        elif kind == "sync":
            self.names[entry[1]].settle()
        elif kind == "folder":
            self.folders.add(entry[1])
        elif kind == "rename":
            self._rename(entry[1], entry[2])
        elif kind == "remove":
            inode = self.names.pop(entry[1], None)
            if inode is not None:
                self.pending_names.append(("remove", entry[1], None, inode))
        elif kind == "sync folder":
            self._sync_folder(entry[1])

    def _rename(self, source: Path, target: Path) -> None:
        if source in self.folders:  # a folder keeps what is in it, synced or not
            self.folders.remove(source)
            self.folders.add(target)
            moved = lambda path: target / path.name if path.parent == source else path  # noqa: E731
            self.names = {moved(path): inode for path, inode in self.names.items()}
            self.durable_names = {moved(path): inode for path, inode in self.durable_names.items()}
            self.pending_names = [
                (kind, moved(one), None if other is None else moved(other), inode)
                for kind, one, other, inode in self.pending_names
            ]
            return
        inode = self.names.pop(source)
        self.names[target] = inode
        self.pending_names.append(("rename", source, target, inode))

    def _sync_folder(self, folder: Path) -> None:
        later = []
        for change in self.pending_names:
            if change[1].parent == folder:
                _apply_name(self.durable_names, change)
            else:
                later.append(change)
        self.pending_names = later

    def after(self, chance: random.Random | None, keep: bool) -> dict[Path, bytes]:
        """A possible content of the disk: nothing unsynced (``keep`` False), all of it, or by chance."""
        names = dict(self.durable_names)
        for change in self.pending_names:
            if keep if chance is None else chance.random() < 0.5:
                _apply_name(names, change)
        found = {}
        for path, inode in names.items():
            content = bytearray(inode.durable)
            for change in inode.pending:
                if chance is None:
                    if keep:
                        _apply(content, change)
                else:
                    _apply_torn(content, change, chance)
            found[path] = bytes(content)
        return found


def _apply(content: bytearray, change: tuple) -> None:
    if change[0] == "truncate":
        del content[change[1] :]
        content.extend(bytes(change[1] - len(content)))
        return
    _, offset, data = change
    content.extend(bytes(max(0, offset + len(data) - len(content))))
    content[offset : offset + len(data)] = data


def _apply_torn(content: bytearray, change: tuple, chance: random.Random) -> None:
    """Some sectors of a write, in any combination; the size may have grown before the data came; or a prefix of it."""
    how = chance.random()
    if how < 0.25:
        return
    if change[0] == "truncate" or how > 0.85:
        _apply(content, change)
        return
    _, offset, data = change
    if how < 0.55:
        _apply(content, ("write", offset, data[: chance.randrange(len(data) + 1)]))
        return
    content.extend(bytes(max(0, offset + len(data) - len(content))))
    for begin in range(0, len(data), SECTOR):
        if chance.random() < 0.5:
            part = data[begin : begin + SECTOR]
            content[offset + begin : offset + begin + len(part)] = part


def _apply_name(names: dict[Path, _Inode], change: tuple) -> None:
    kind, one, other, inode = change
    if kind == "create":
        names[one] = inode
    elif kind == "remove":
        names.pop(one, None)
    else:
        if names.get(one) is inode:
            del names[one]
        names[other] = inode


class _FullFile(File):
    def __init__(self, inner: File, disk: FullDisk) -> None:
        self._inner, self._disk, self.path = inner, disk, inner.path

    def write(self, offset: int, data: Buffer) -> None:
        view = memoryview(data).cast("B")
        fits = max(0, min(len(view), self._disk.room))
        self._disk.room -= len(view)
        self._inner.write(offset, view[:fits])
        if fits < len(view):
            raise OSError(self._disk.error, "no room")

    def truncate(self, size: int) -> None:
        self._inner.truncate(size)

    def sync(self) -> None:
        if self._disk.syncs_fail and self._disk.room < 0:
            raise OSError(errno.EIO, "input/output error")
        self._inner.sync()

    def close(self) -> None:
        self._inner.close()


class FullDisk(FastDisk):
    """Takes ``room`` bytes and then refuses, half-way through a write; ``room`` may be raised again."""

    def __init__(self, room: int, error: int = errno.ENOSPC, *, syncs_fail: bool = False) -> None:
        self.room, self.error, self.syncs_fail = room, error, syncs_fail

    def create(self, path: Path) -> File:
        return _FullFile(super().create(path), self)

    def reopen(self, path: Path) -> File:
        return _FullFile(super().reopen(path), self)
