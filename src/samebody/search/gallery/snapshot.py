"""Snapshots: complete copies of a gallery, checked while they are made, and what deletion means for them.

A snapshot holds no deleted records when it is made. The gallery keeps a register of its snapshots; when compaction
removes records that a snapshot may hold, it removes them from the snapshot too, or, when the snapshot is out of reach,
marks it expired in the register (and, if only its key or lock was in the way, in the snapshot's own folder).
"""

from __future__ import annotations

import secrets
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from samebody.errors import SamebodyError
from samebody.search.gallery.core import LOCK, Core, Guard, Progress
from samebody.search.gallery.disk import Disk, Lock, faults
from samebody.search.gallery.errors import GalleryCorruptError, GalleryExistsError, GalleryNotFoundError, SnapshotError
from samebody.search.gallery.log import Deleted, Log
from samebody.search.gallery.manifest import Manifest, SnapshotEntry, file_name, read_manifest, write_manifest
from samebody.search.gallery.segment import Segment
from samebody.search.gallery.state import read_state

EXPIRED = "EXPIRED"
_CHUNK = 4 << 20


def copy_gallery(
    disk: Disk,
    source: Path,
    manifest: Manifest,
    target: Path,
    key: bytes | None,
    snapshot_of: str | None,
    state: bytes,
    progress: Progress | None,
) -> None:
    """Copy segments to a new folder, check the copies, give them an empty log; the folder appears whole.

    The segments that ``manifest`` names must stay; the log and the state file, whose content is ``state``, may go.

    Raises:
        GalleryExistsError, GalleryCorruptError (a copy does not check), GalleryDiskFullError, GalleryWriteError.
    """
    require_free(target)
    partial = target.parent / f".{target.name}.new-{secrets.token_hex(6)}"
    with faults(f"copying to {target.name}"):
        target.parent.mkdir(parents=True, exist_ok=True)
        disk.make_folder(partial)
        try:
            _fill(disk, source, manifest, partial, key, snapshot_of, state, progress)
            if target.exists():
                target.rmdir()  # empty, as was checked
            disk.rename(partial, target)
            disk.sync_folder(target.parent)
        except BaseException:
            for left in list(partial.iterdir()) if partial.is_dir() else []:
                left.unlink(missing_ok=True)
            if partial.is_dir():
                partial.rmdir()
            raise


def _fill(
    disk: Disk,
    source: Path,
    manifest: Manifest,
    folder: Path,
    key: bytes | None,
    snapshot_of: str | None,
    state: bytes,
    progress: Progress | None,
) -> None:
    sizes = {file_name("segment", entry.number): entry.bytes for entry in manifest.segments}
    total, done = sum(sizes.values()), 0
    for name, size in sizes.items():
        file = disk.create(folder / name)
        try:
            with (source / name).open("rb") as stream:
                at = 0
                while data := stream.read(_CHUNK):
                    file.write(at, data)
                    at += len(data)
                    if progress is not None:
                        progress(done + at, total)
            file.sync()
        finally:
            file.close()
        done += size
    for entry in manifest.segments:
        layout = manifest.layout(entry.modality)
        assert layout is not None
        segment = Segment(folder, entry, manifest.gallery, layout, key)
        for place in segment.all_places():
            segment.check(place)
    if manifest.state is not None:
        file = disk.create(folder / file_name("state", manifest.state.number))
        try:
            file.write(0, state)
            file.sync()
        finally:
            file.close()
        read_state(folder, manifest.state, manifest.gallery, key)
    log = Log.create(disk, folder, manifest.gallery, manifest.next_file, key)
    log.close()
    copy = manifest.next(log=log.entry, next_file=manifest.next_file + 1, snapshots=(), snapshot_of=snapshot_of)
    disk.sync_folder(folder)
    write_manifest(disk, folder, copy, key)


def state_bytes(folder: Path, manifest: Manifest) -> bytes:
    """The state file as it is, or nothing."""
    return b"" if manifest.state is None else (folder / file_name("state", manifest.state.number)).read_bytes()


def require_free(target: Path) -> None:
    """Refuse a target that is something already, other than an empty folder.

    Raises:
        GalleryExistsError.
    """
    if target.exists() and (not target.is_dir() or any(target.iterdir())):
        raise GalleryExistsError(f"{target} is there already.", hint="Choose a new folder.")


def restore_snapshot(snapshot: Path, target: Path, key: bytes | None, disk: Disk, progress: Progress | None) -> None:
    """A gallery from a snapshot, every block checked.

    Raises:
        SnapshotError: it is not a snapshot, or expired. Others as :func:`copy_gallery`.
    """
    manifest = read_manifest(snapshot, key)
    if manifest.snapshot_of is None:
        raise SnapshotError(f"{snapshot} is a gallery, not a snapshot.", hint="Open it as it is.")
    if (snapshot / EXPIRED).exists():
        raise SnapshotError(
            f"the snapshot {snapshot} is expired: it holds records that were deleted later.",
            hint="Take a newer one, and destroy this one.",
        )
    try:
        copy_gallery(disk, snapshot, manifest, target, key, None, state_bytes(snapshot, manifest), progress)
    except FileNotFoundError as error:
        raise GalleryCorruptError(Path(error.filename or "").name, "file", 0, "the file is missing") from None


def purge_snapshots(
    core: Core, dead: NDArray[np.uint64], compact: Callable[[Core], object], guard: Guard
) -> tuple[int, int]:
    """Remove dead records from every registered snapshot that may hold them, or mark it expired.

    Returns:
        How many were compacted, and how many expired.
    """
    compacted, expired = 0, set[str]()
    for entry in core.manifest.snapshots:
        held = dead[dead < np.uint64(entry.below)]
        if entry.expired or not len(held):
            continue
        try:
            _purge(core, entry, held, compact)
            compacted += 1
        except (SamebodyError, OSError):
            expired.add(entry.snapshot)
            _mark(core, entry)
    if expired:
        with guard():
            register = core.manifest.snapshots
            marked = tuple(replace(each, expired=each.expired or each.snapshot in expired) for each in register)
            core.commit(core.following(snapshots=marked), [])
    return compacted, len(expired)


def _purge(core: Core, entry: SnapshotEntry, held: NDArray[np.uint64], compact: Callable[[Core], object]) -> None:
    folder = Path(entry.path)
    if not _is(folder, entry, core.manifest.gallery, core.key):
        raise GalleryNotFoundError(f"there is no such snapshot in {folder} any more.")
    lock = Lock(folder / LOCK)
    try:
        copy = Core(folder, core.key, core.tuning, core.disk)
        copy.load(writing=True)
        try:
            copy.append(Deleted(held))
            compact(copy)
        finally:
            if copy.log is not None:
                copy.log.close()
    finally:
        lock.release()


def _mark(core: Core, entry: SnapshotEntry) -> None:
    """Leave a note in a snapshot that could not be compacted, when it can be reached at all."""
    folder = Path(entry.path)
    try:
        if _is(folder, entry, core.manifest.gallery, core.key):
            file = core.disk.create(folder / EXPIRED)
            file.write(0, b"Holds records that were deleted later. Destroy it.\n")
            file.sync()
            file.close()
            core.disk.sync_folder(folder)
    except (SamebodyError, OSError):
        return  # the register says it; the folder is out of reach


def _is(folder: Path, entry: SnapshotEntry, gallery: str, key: bytes | None) -> bool:
    if not folder.is_dir():
        return False
    manifest = read_manifest(folder, key)
    return manifest.gallery == gallery and manifest.snapshot_of == entry.snapshot


def remove_partial(entry: SnapshotEntry) -> None:
    """Remove what a writer left that died while it made this snapshot."""
    target = Path(entry.path)
    for folder in target.parent.glob(f".{target.name}.new-*") if target.parent.is_dir() else ():
        for left in folder.iterdir():
            left.unlink(missing_ok=True)
        folder.rmdir()
