"""The gallery: enrolled references on disk, durable when acknowledged, removed when deleted, checked before searched.

One writer at a time, any number of readers, each with a consistent view. See docs/reference/gallery-format.md for the
files and for what survives which fault.
"""

from __future__ import annotations

import contextlib
import secrets
import threading
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType

import numpy as np
from numpy.typing import ArrayLike, NDArray

from samebody.errors import SamebodyError
from samebody.search.gallery import compaction, records
from samebody.search.gallery.columns import Payload, Rows
from samebody.search.gallery.compaction import CompactionReport
from samebody.search.gallery.core import LOCK, Core, Progress, Tuning
from samebody.search.gallery.disk import Disk, Lock, faults
from samebody.search.gallery.errors import (
    GalleryClosedError,
    GalleryExistsError,
    InvalidEnrolmentError,
    SnapshotError,
    UnknownModalityError,
)
from samebody.search.gallery.log import Deleted, Enrolled, Log
from samebody.search.gallery.manifest import NAME, Manifest, SnapshotEntry, read_manifest, write_manifest
from samebody.search.gallery.reading import Mode, Reading
from samebody.search.gallery.records import Attributes, Enrolment
from samebody.search.gallery.sealing import check_key
from samebody.search.gallery.snapshot import copy_gallery, remove_partial, require_free, restore_snapshot, state_bytes
from samebody.search.gallery.state import request_digest
from samebody.search.types import Layout

_NO_REQUEST = bytes(16)


class Gallery(Reading):
    """References of many subjects, in up to two modalities, each pinned to one embedding space.

    Make one with :meth:`create`, open one with :meth:`open`; close it, or use it as a context manager. Methods may be
    called from several threads. Record ids are given in rising order and never twice.
    """

    def __init__(self, core: Core, lock: Lock | None, mode: Mode) -> None:
        super().__init__(core, mode)
        self._lock = lock
        self._maintenance = threading.RLock()  # one compaction or snapshot at a time

    # Opening

    @classmethod
    def create(
        cls,
        path: Path | str,
        *,
        layouts: Sequence[Layout],
        key: bytes | None,
        tenant: str = "local",
        tuning: Tuning | None = None,
        disk: Disk | None = None,
    ) -> Gallery:
        """A new, empty gallery, open for writing.

        Args:
            path: a folder that is not there yet, or is empty.
            layouts: what it holds, at most one layout of each modality.
            key: 32 bytes to seal with; None makes a plain gallery, for public or synthetic data only.
            tenant: whose it is.
            tuning: sizes of blocks, log and segments.
            disk: stands in for the file system, in tests.

        Raises:
            GalleryExistsError, GalleryKeyError, UnknownModalityError (no layout, or two of one modality),
            GalleryLockedError, GalleryDiskFullError, GalleryWriteError.
        """
        folder, disk = Path(path), disk or Disk()
        kinds = [layout.modality for layout in layouts]
        if not kinds or len(set(kinds)) != len(kinds):
            raise UnknownModalityError("a gallery needs one layout, or one of each of two modalities.")
        check_key(key, key is not None)
        if (folder / NAME).exists():
            raise GalleryExistsError(f"{folder} holds a gallery already.", hint="Open it, or choose a new folder.")
        if folder.is_dir() and {each.name for each in folder.iterdir()} <= {LOCK, "log-000000001.sbg", "MANIFEST.new"}:
            pass  # empty, or a creation that did not come to its end
        else:
            require_free(folder)
        with faults("creating the gallery"):
            folder.parent.mkdir(parents=True, exist_ok=True)
            if not folder.is_dir():
                disk.make_folder(folder)
            lock = Lock(folder / LOCK)
        try:
            with faults("creating the gallery"):
                gallery = secrets.token_hex(16)
                log = Log.create(disk, folder, gallery, 1, key)
                log.close()
                disk.sync_folder(folder)
                disk.sync_folder(folder.parent)
                created = datetime.now(UTC).isoformat(timespec="seconds")
                manifest = Manifest(
                    gallery, tenant, created, key is not None, tuple(layouts), (), None, log.entry, 1, 2, 1
                )
                write_manifest(disk, folder, manifest, key)
        except BaseException:
            lock.release()
            raise
        lock.release()
        return cls.open(folder, key=key, mode="w", tuning=tuning, disk=disk)

    @classmethod
    def open(
        cls,
        path: Path | str,
        *,
        key: bytes | None = None,
        mode: Mode = "r",
        tuning: Tuning | None = None,
        disk: Disk | None = None,
    ) -> Gallery:
        """An existing gallery. Manifest, headers and the log are read and checked; blocks when they are first touched.

        Args:
            path: its folder.
            key: of a sealed gallery.
            mode: ``r`` sees the gallery as it is now (:meth:`refresh` moves on); ``w`` is the one writer.
            tuning, disk: as in :meth:`create`.

        Raises:
            GalleryNotFoundError, GalleryKeyError, GalleryVersionError, GalleryCorruptError.
            GalleryLockedError: another writer has it open.
            SnapshotError: a snapshot is opened for writing.
        """
        folder = Path(path)
        core, lock = Core(folder, key, tuning or Tuning(), disk or Disk()), None
        manifest = read_manifest(folder, key)
        if mode == "w":
            if manifest.snapshot_of is not None:
                raise SnapshotError(
                    f"{folder} is a snapshot; nothing is written to it.", hint="Restore it to a new folder first."
                )
            with faults("taking the writer's lock"):
                lock = Lock(folder / LOCK)
        try:
            core.load(writing=mode == "w")
            if mode == "w":
                with faults("clearing what an interrupted writer left"):
                    core.remove_orphans()
                    for entry in core.manifest.snapshots:
                        remove_partial(entry)
        except BaseException:
            if core.log is not None:
                core.log.close()
            if lock is not None:
                lock.release()
            raise
        return cls(core, lock, mode)

    def close(self) -> None:
        """Give the gallery back. Everything acknowledged is durable already; views taken before stay usable.

        Waits for a compaction or a snapshot of another thread.
        """
        with self._maintenance, self._guard:
            if self._closed:
                return
            self._closed = True
            core = self._core
            try:
                if core.log is not None:
                    with contextlib.suppress(Exception):
                        if not core.broken and core.log.end != core.manifest.log.acknowledged:
                            core.commit(core.following(), [])
                    core.log.close()
            finally:
                core.release()
                if self._lock is not None:
                    self._lock.release()

    def __enter__(self) -> Gallery:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def refresh(self) -> bool:
        """Move a reader on to what the gallery holds now; says whether anything was new. A writer is always current.

        Raises:
            As :meth:`open`.
        """
        with self._opened():
            if self._mode == "w" or not self._core.changed():
                return False
            self._core.load(writing=False)
            return True

    # Enrolment and deletion

    def enrol(self, batch: Sequence[Enrolment], *, request_id: str | None = None) -> NDArray[np.uint64]:
        """Enrol a batch, all or nothing. When this returns, the records survive kill -9 and power loss.

        Args:
            batch: references, also of both modalities and of several subjects.
            request_id: a name for the batch; a batch that comes again under the same name is not enrolled again, and
                the ids of the first time are returned (the last 1,000,000 names are remembered).

        Returns:
            (n,) uint64 record ids, in the order of the batch.

        Raises:
            SearchSpaceMismatchError, UnknownModalityError, InvalidEnrolmentError: nothing was enrolled.
            GalleryDiskFullError, GalleryWriteError: nothing was enrolled.
        """
        with self._writing() as core:
            known = self._known(request_id, len(batch))
            if known is not None:
                return known
            first = core.memory.next_record
            groups = []
            for number, rows, payload, attributes in records.split(batch, core.manifest.layouts):
                ids = np.array([first + row for row in rows], dtype=np.uint64)
                subjects = [batch[row].subject for row in rows]
                layout = core.manifest.layouts[number]
                groups.append((number, records.rows_of(layout, subjects, payload, attributes, ids)))
            return self._append(groups, len(batch), request_id)

    def enrol_arrays(
        self,
        modality: str,
        subjects: Sequence[str],
        payload: NDArray[np.float32] | tuple[NDArray[np.uint64], NDArray[np.uint64]],
        *,
        space: str,
        attributes: Sequence[Attributes | None] | None = None,
        request_id: str | None = None,
    ) -> NDArray[np.uint64]:
        """As :meth:`enrol`, for many references of one modality that lie in arrays already.

        Args:
            modality: ``iris`` or ``vector``.
            subjects: n ids.
            payload: (n, dimension) float32 of unit length, or codes and masks, each (n, columns) uint64.
            space: digest of their embedding space.
            attributes: None, or n dictionaries.
            request_id: as in :meth:`enrol`.
        """
        with self._writing() as core:
            number, layout = self._layout(modality)
            records.require_space(layout, space)
            known = self._known(request_id, len(subjects))
            if known is not None:
                return known
            arrays: Payload = payload if isinstance(payload, tuple) else (payload,)
            if len(arrays) != (2 if layout.modality == "iris" else 1):
                raise InvalidEnrolmentError("irises need codes and masks, vectors one array.")
            first = core.memory.next_record
            ids = np.arange(first, first + len(subjects), dtype=np.uint64)
            rows = records.rows_of(layout, subjects, arrays, attributes, ids)
            return self._append([(number, rows)], len(subjects), request_id)

    def delete(self, subject: str) -> int:
        """Delete all records of a subject; returns how many there were. When this returns, they are gone for good.

        They are never handed out again from here on; their bytes leave the disk with :meth:`compact`. In a search that
        runs meanwhile the record may still be found, but :meth:`subject_of` no longer names it.

        Raises:
            InvalidEnrolmentError: not a possible subject id.
            GalleryDiskFullError, GalleryWriteError: nothing was deleted.
        """
        with self._writing() as core:
            return self._delete(core.lookup(records.encode_subject(subject)))

    def delete_records(self, record_ids: ArrayLike) -> int:
        """Delete single records by id; ids that are not there are passed over. Otherwise as :meth:`delete`."""
        with self._writing() as core:
            wanted = np.unique(np.atleast_1d(np.asarray(record_ids, dtype=np.int64))).tolist()
            return self._delete([each for each in wanted if core.locate(each) is not None])

    # Care

    def compact(self, progress: Progress | None = None) -> CompactionReport:
        """Remove the bytes of deleted records from all files and from snapshots in reach; join small segments.

        Args:
            progress: called with records done and records to do.

        Other threads may enrol, delete and look up meanwhile; what they delete goes with the next compaction.

        Raises:
            GalleryCorruptError: a block that had to be rewritten does not check.
            GalleryDiskFullError, GalleryWriteError: what was not compacted stays as it was.
        """
        with self._maintenance:
            return compaction.compact(self._core, progress, self._writing)

    def snapshot(self, path: Path | str, progress: Progress | None = None) -> SnapshotEntry:
        """A complete copy in a new folder, free of deleted records, every block checked; entered in the register.

        Raises:
            GalleryExistsError, GalleryCorruptError, GalleryDiskFullError, GalleryWriteError.
        """
        target = Path(path).absolute()
        with self._maintenance:
            with self._writing() as core:
                require_free(target)
                dead = len(core.dead())
            if dead:
                compaction.compact(core, None, self._writing)
            with self._writing():
                compaction.roll(core)
                if len(core.dead()):  # deleted since
                    compaction.compact(core)
                created = datetime.now(UTC).isoformat(timespec="seconds")
                entry = SnapshotEntry(secrets.token_hex(16), str(target), created, core.memory.next_record)
                # entered first: a snapshot that nobody remembers could not be compacted later
                core.commit(core.following(snapshots=(*core.manifest.snapshots, entry)), [])
                manifest, state = core.manifest, state_bytes(core.folder, core.manifest)
            try:
                copy_gallery(core.disk, core.folder, manifest, target, core.key, entry.snapshot, state, progress)
            except BaseException:
                if not (target / NAME).exists():
                    with contextlib.suppress(SamebodyError):  # an entry without a folder does no harm
                        self.forget_snapshot(entry.snapshot)
                raise
            return entry

    def snapshots(self) -> tuple[SnapshotEntry, ...]:
        """The register of snapshots made of this gallery."""
        return self._core.manifest.snapshots

    def forget_snapshot(self, snapshot: str) -> None:
        """Take a snapshot off the register, when its folder was destroyed.

        Raises:
            SnapshotError: no such snapshot.
        """
        with self._writing() as core:
            kept = tuple(entry for entry in core.manifest.snapshots if entry.snapshot != snapshot)
            if len(kept) == len(core.manifest.snapshots):
                raise SnapshotError(f"the register has no snapshot {snapshot}.")
            core.commit(core.following(snapshots=kept), [])

    @staticmethod
    def restore(
        snapshot: Path | str,
        path: Path | str,
        *,
        key: bytes | None = None,
        disk: Disk | None = None,
        progress: Progress | None = None,
    ) -> None:
        """Make a gallery in a new folder from a snapshot, every block checked.

        Raises:
            SnapshotError: not a snapshot, or expired.
            GalleryExistsError, GalleryCorruptError, GalleryKeyError, GalleryDiskFullError, GalleryWriteError.
        """
        restore_snapshot(Path(snapshot), Path(path), key, disk or Disk(), progress)

    # Within

    @contextlib.contextmanager
    def _writing(self) -> Iterator[Core]:
        with self._opened() as core:
            if self._mode != "w":
                raise GalleryClosedError("the gallery is open for reading only.", hint='Open it with mode="w".')
            core.require_sound()
            yield core

    def _known(self, request_id: str | None, count: int) -> NDArray[np.uint64] | None:
        if request_id is None:
            return None
        found = self._core.request(request_digest(request_id))
        if found is None:
            return None
        if found[1] != count:
            raise InvalidEnrolmentError(
                f"the request was answered with {found[1]} records before and comes with {count} now.",
                hint="Give another batch another request id.",
            )
        return np.arange(found[0], found[0] + found[1], dtype=np.uint64)

    def _append(self, groups: list[tuple[int, Rows]], count: int, request_id: str | None) -> NDArray[np.uint64]:
        core, first = self._core, self._core.memory.next_record
        if not count:
            return np.empty(0, dtype=np.uint64)
        size = sum(array.nbytes for _, rows in groups for array in rows.payload)
        if size > records.MAX_BATCH_BYTES or count > records.MAX_BATCH_RECORDS:
            raise InvalidEnrolmentError(
                f"a batch of {count} records and {size} bytes is too large.", hint="Enrol in smaller batches."
            )
        assert core.log is not None
        if core.log.end > core.tuning.log_bytes:
            compaction.roll(core)
        request = _NO_REQUEST if request_id is None else request_digest(request_id)
        core.append(Enrolled(request, first, count, groups))
        return np.arange(first, first + count, dtype=np.uint64)

    def _delete(self, ids: Iterable[int]) -> int:
        dead = np.array(sorted(ids), dtype=np.uint64)
        if len(dead):
            self._core.append(Deleted(dead))
        return len(dead)
