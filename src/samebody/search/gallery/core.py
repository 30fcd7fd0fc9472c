"""One gallery's folder, open: manifest, segments, state and log, and how they are looked into and replaced."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from samebody.search.gallery.columns import Names, Payload, Rows, subject_digest
from samebody.search.gallery.disk import Disk, faults
from samebody.search.gallery.errors import GalleryCorruptError, GalleryWriteError
from samebody.search.gallery.log import Event, Log, Tail, open_log, read_log
from samebody.search.gallery.manifest import (
    LOCK,
    OWN_FILE,
    Manifest,
    NotPublishedError,
    file_name,
    read_manifest,
    write_manifest,
)
from samebody.search.gallery.memory import Memory
from samebody.search.gallery.segment import Segment
from samebody.search.gallery.state import State, read_state
from samebody.search.types import Layout

Progress = Callable[[int, int], None]
"""Called with what is done and what there is to do."""

Guard = Callable[[], contextlib.AbstractContextManager[object]]
"""Makes a context in which the shared state of an open gallery is the caller's alone."""

_TRIES = 100


@dataclass(frozen=True, slots=True)
class Tuning:
    """Sizes; any gallery can be opened with any of them.

    Attributes:
        block_bytes: payload of a block, the unit of checksums and seals.
        log_bytes: the log becomes segments when it is longer.
        segment_bytes: compaction joins segments up to this size.
    """

    block_bytes: int = 4 << 20
    log_bytes: int = 64 << 20
    segment_bytes: int = 1 << 30

    def block_rows(self, layout: Layout) -> int:
        """Records in a block."""
        return max(1, self.block_bytes // layout.bytes_per_record)


@dataclass(frozen=True, slots=True, eq=False)
class Located:
    """Where a record stands: number of its layout, names, row; and the rows, or segment and block, that hold it."""

    number: int
    names: Names
    row: int
    holder: Rows | tuple[Segment, int]

    @property
    def subject(self) -> bytes:
        """Whose it is, as UTF-8."""
        return self.names.subjects[self.row]

    def text(self) -> str:
        """Whose it is; raises GalleryCorruptError when it is no text."""
        try:
            return self.subject.decode()
        except UnicodeDecodeError:
            raise self._corrupt("a subject that is not UTF-8") from None

    def attributes(self) -> dict[str, Any]:
        """What was enrolled with it; raises GalleryCorruptError when it is no JSON object."""
        text = self.names.attributes[self.row]
        try:
            found = json.loads(text) if text else {}
        except ValueError:
            found = None
        if not isinstance(found, dict):
            raise self._corrupt("attributes that are not JSON")
        return found

    def _corrupt(self, reason: str) -> GalleryCorruptError:
        if isinstance(self.holder, Rows):
            return GalleryCorruptError("the log", f"record {int(self.holder.ids[self.row])}", 0, reason)
        segment, block = self.holder
        return GalleryCorruptError(segment.file, f"names {block}", segment.places["names", block].offset, reason)

    def payload(self) -> Payload:
        """The payload of the group that it stands in; raises GalleryCorruptError when that does not check."""
        return self.holder.payload if isinstance(self.holder, Rows) else self.holder[0].payload(self.holder[1])


class Core:
    """A consistent state of a gallery's folder.

    Attributes:
        folder, key, tuning, disk: as given.
        manifest: what the folder held when it was read.
        segments: by number of the file.
        state, memory: tombstones and requests of the state file; what the log holds.
        log: open for writing, or None.
        dropped: bytes of a torn tail.
        broken: why nothing more may be written, or empty.
    """

    def __init__(self, folder: Path, key: bytes | None, tuning: Tuning, disk: Disk) -> None:
        self.folder, self.key, self.tuning, self.disk = folder, key, tuning, disk
        self.manifest: Manifest
        self.segments: dict[int, Segment] = {}
        self.state = State()
        self.memory: Memory
        self.log: Log | None = None
        self.log_end = 0
        self.dropped = 0
        self.broken = ""
        self._next_file = 0
        self._dead: tuple[int, int, NDArray[np.uint64]] | None = None
        self._old_requests: dict[bytes, tuple[int, int]] | None = None

    def load(self, *, writing: bool) -> None:
        """Read the folder; a reader begins again when compaction replaces files meanwhile.

        Raises:
            GalleryNotFoundError, GalleryCorruptError, GalleryVersionError, GalleryKeyError.
        """
        before = -1
        for _ in range(_TRIES):
            manifest = read_manifest(self.folder, self.key)
            try:
                self._load(manifest, writing=writing)
                return
            except FileNotFoundError as error:
                missing = Path(error.filename or "").name
                if manifest.generation == before or writing:
                    raise GalleryCorruptError(missing, "file", 0, "the file is missing") from None
                before = manifest.generation
        raise GalleryWriteError("the gallery changes faster than it can be opened.", hint="Try again.")

    def _load(self, manifest: Manifest, *, writing: bool) -> None:
        segments = {}
        for entry in manifest.segments:
            known = self.segments.get(entry.number)
            if known is None or known.entry != entry:
                layout = manifest.layout(entry.modality)
                if layout is None:
                    raise GalleryCorruptError("MANIFEST", "manifest", 0, "a segment of an unknown modality")
                known = Segment(self.folder, entry, manifest.gallery, layout, self.key)
            segments[entry.number] = known
        state = State()
        if manifest.state is not None:
            state = read_state(self.folder, manifest.state, manifest.gallery, self.key)
        data, envelope = open_log(self.folder, manifest.log, manifest.gallery, self.key)
        tail = read_log(data, manifest.log, envelope, manifest.layouts)
        if writing:
            assert envelope is not None
            with faults("opening the log"):
                self.log = Log.reopen(self.disk, self.folder, manifest.log, envelope, tail)
        self._adopt(manifest, segments, state, tail)

    def _adopt(self, manifest: Manifest, segments: dict[int, Segment], state: State, tail: Tail) -> None:
        memory = self.empty_memory(manifest)
        for event in tail.events:
            memory.apply(event)
        self.manifest, self.segments, self.state, self.memory = manifest, segments, state, memory
        self.log_end, self.dropped = tail.end, tail.dropped
        self._next_file = manifest.next_file
        self._dead = self._old_requests = None

    def empty_memory(self, manifest: Manifest) -> Memory:
        """Before the first frame of a log."""
        rows = [self.tuning.block_rows(layout) for layout in manifest.layouts]
        return Memory(len(manifest.layouts), rows, manifest.next_record)

    def changed(self) -> bool:
        """Whether the folder holds more than was read; for readers."""
        manifest = read_manifest(self.folder, self.key)
        if manifest.generation != self.manifest.generation:
            return True
        with contextlib.suppress(FileNotFoundError):
            return (self.folder / file_name("log", manifest.log.number)).stat().st_size > self.log_end
        return True

    def release(self) -> None:
        """Let go of files and of decrypted blocks; views that were taken keep what they need."""
        self.segments, self.state, self._dead, self._old_requests = {}, State(), None, None
        if hasattr(self, "manifest"):
            self.memory = self.empty_memory(self.manifest)

    # Looking up

    def of(self, modality: str) -> list[Segment]:
        """Segments of a modality, in the order of their records."""
        return [self.segments[each.number] for each in self.manifest.segments if each.modality == modality]

    def dead(self) -> NDArray[np.uint64]:
        """Ids of all deleted records whose bytes are still there, sorted."""
        version = (self.manifest.generation, self.memory.version)
        if self._dead is None or self._dead[:2] != version:
            both = np.union1d(self.state.tombstones, self.memory.dead()).astype(np.uint64)
            self._dead = (*version, both)
        return self._dead[2]

    def is_dead(self, record_id: int) -> bool:
        """Whether the record was deleted."""
        if record_id in self.memory.deleted:
            return True
        row = int(np.searchsorted(self.state.tombstones, np.uint64(record_id)))
        return row < len(self.state.tombstones) and int(self.state.tombstones[row]) == record_id

    def locate(self, record_id: int) -> Located | None:
        """Where a live record stands."""
        if record_id < 0 or self.is_dead(record_id):
            return None
        for number, layout in enumerate(self.manifest.layouts):
            fresh = self.memory.fresh[number].find(record_id)
            if fresh is not None:
                return Located(number, fresh[0].names, fresh[1], fresh[0])
            for segment in self.of(layout.modality):
                place = segment.find(record_id)
                if place is not None:
                    return Located(number, segment.names(place[0]), place[1], (segment, place[0]))
        return None

    def lookup(self, name: bytes) -> list[int]:
        """Ids of the live records of a subject, rising; the name itself is compared, not only its digest."""
        digest, found = subject_digest(name), []
        for number, layout in enumerate(self.manifest.layouts):
            ids = [each for segment in self.of(layout.modality) for each in segment.lookup(digest)]
            for record_id in [*ids, *self.memory.fresh[number].lookup(digest)]:
                place = self.locate(record_id)
                if place is not None and place.subject == name:
                    found.append(record_id)
        return sorted(found)

    def request(self, digest: bytes) -> tuple[int, int] | None:
        """First record id and number of records of a request that was answered before."""
        if digest in self.memory.requests:
            return self.memory.requests[digest]
        if self._old_requests is None:
            known = self.state.requests
            pairs = zip(known["first"].tolist(), known["count"].tolist(), strict=True)
            self._old_requests = {bytes(each): pair for each, pair in zip(known["digest"].tolist(), pairs, strict=True)}
        return self._old_requests.get(digest)

    # Writing

    def append(self, event: Event) -> None:
        """Make one event durable and take it in.

        Raises:
            GalleryDiskFullError, GalleryWriteError: it did not happen.
        """
        self.require_sound()
        assert self.log is not None
        try:
            self.log.append(event, self.manifest.layouts)
        finally:
            if self.log.broken:
                self.broken = "a write to the log failed and could not be undone"
        self.log_end = self.log.end
        self.memory.apply(event)

    def require_sound(self) -> None:
        """Refuse to write after a fault that left the folder's state unknown.

        Raises:
            GalleryWriteError.
        """
        if self.broken:
            raise GalleryWriteError(f"{self.broken}.", hint="Close the gallery and open it again.")

    def commit(self, manifest: Manifest, created: Sequence[Path], *, state: State | None = None) -> None:
        """Publish a manifest and open the segments it adds; on failure remove the files made for it.

        Raises:
            GalleryDiskFullError, GalleryWriteError.
        """
        with faults("replacing the manifest"):
            try:
                self.disk.sync_folder(self.folder)
                write_manifest(self.disk, self.folder, manifest, self.key)
            except NotPublishedError as error:
                self.discard([*created, self.folder / "MANIFEST.new"])
                raise error.__cause__ or error from None
            except OSError:
                self.broken = "the manifest could not be replaced for certain"
                raise
        self.broken = "the new files could not be opened"  # until they are
        old, self.manifest = self.manifest, manifest
        for entry in manifest.segments:
            if entry.number not in self.segments:
                layout = manifest.layout(entry.modality)
                assert layout is not None
                self.segments[entry.number] = Segment(self.folder, entry, manifest.gallery, layout, self.key)
        kept = {entry.number for entry in manifest.segments}
        self.segments = {number: segment for number, segment in self.segments.items() if number in kept}
        if state is not None:
            self.state, self._old_requests = state, None
        self.broken = ""
        for name in old.files().keys() - manifest.files().keys():
            self.discard([self.folder / name])

    def discard(self, paths: Sequence[Path]) -> None:
        """Remove files that no manifest names; what cannot be removed now is removed when a writer opens next."""
        for path in paths:
            with contextlib.suppress(OSError):
                self.disk.remove(path)

    def orphans(self) -> list[str]:
        """Files of the gallery's own kind that its manifest does not name."""
        named = self.manifest.files()
        present = [path.name for path in self.folder.iterdir() if OWN_FILE.fullmatch(path.name)]
        return sorted(name for name in present if name not in named)

    def remove_orphans(self) -> None:
        """Remove what a writer left behind that died."""
        orphans = self.orphans()
        for name in orphans:
            self.disk.remove(self.folder / name)
        if orphans:
            self.disk.sync_folder(self.folder)

    def take_number(self) -> int:
        """A number for a new file; never given twice while the folder is open."""
        self._next_file += 1
        return self._next_file - 1

    def following(self, **changes: Any) -> Manifest:
        """The next manifest, with these changes and all that the log has made durable."""
        log = changes.pop("log", None)
        if log is None:
            assert self.log is not None
            log = replace(self.log.entry, acknowledged=self.log.end)
        return self.manifest.next(log=log, next_file=self._next_file, **changes)

    def live(self, rows: Rows) -> Rows:
        """The rows that were not deleted."""
        return rows.take(live_mask(rows.ids, self.dead()))


def live_mask(ids: NDArray[np.uint64], dead: NDArray[np.uint64]) -> NDArray[np.bool_]:
    """Which of these rising ids are not among the dead, sorted ones."""
    live = np.ones(len(ids), dtype=np.bool_)
    if len(ids) and len(dead):
        begin, end = np.searchsorted(dead, ids[0], "left"), np.searchsorted(dead, ids[-1], "right")
        if end > begin:
            live = ~np.isin(ids, dead[begin:end], assume_unique=True)
    return live


__all__ = ["LOCK", "Core", "Progress", "Tuning", "live_mask"]
