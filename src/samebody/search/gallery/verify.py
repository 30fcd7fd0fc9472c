"""Read every byte of a gallery and name what is not as it was written."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from samebody.search.gallery.core import Progress
from samebody.search.gallery.errors import GalleryCorruptError
from samebody.search.gallery.log import open_log, read_log
from samebody.search.gallery.manifest import OWN_FILE, Manifest, SegmentEntry, file_name, read_manifest
from samebody.search.gallery.sealing import HEADER_BYTES
from samebody.search.gallery.segment import Segment
from samebody.search.gallery.state import read_state

_TRIES = 20


@dataclass(frozen=True, slots=True)
class Corruption:
    """One place whose bytes are not what was written: file, part, offset of the part in bytes, reason."""

    file: str
    block: str
    offset: int
    reason: str


@dataclass(frozen=True, slots=True)
class VerifyReport:
    """What reading a gallery found.

    Attributes:
        files, blocks, bytes: read and checked.
        records: in segments and log, dead ones too; 0 for the log of a sealed gallery read without its key.
        seals_checked: False when a sealed gallery was read without its key: checksums only.
        corruptions: empty when everything is as it was written.
        orphans: files of a writer that died; the next writer removes them.
        dropped_bytes: torn tail of the log: a write that was never acknowledged.
    """

    files: int
    blocks: int
    bytes: int
    records: int
    seals_checked: bool
    corruptions: tuple[Corruption, ...]
    orphans: tuple[str, ...]
    dropped_bytes: int

    @property
    def sound(self) -> bool:
        """Nothing is corrupt."""
        return not self.corruptions


def verify_gallery(path: Path | str, key: bytes | None = None, progress: Progress | None = None) -> VerifyReport:
    """Check all files of a gallery, also one that can no longer be opened; also while a writer has it open.

    Args:
        path: folder of the gallery.
        key: of a sealed gallery; without it checksums are checked, but not seals.
        progress: called with bytes done and bytes to do.

    Raises:
        GalleryNotFoundError, GalleryVersionError, GalleryKeyError (a wrong key).
    """
    folder, before = Path(path), -1
    for attempt in range(_TRIES):
        try:
            manifest = read_manifest(folder, key, checked=False)
        except GalleryCorruptError as error:
            return VerifyReport(1, 0, 0, 0, key is not None, (_named(error),), (), 0)
        try:
            return _Check(folder, manifest, key, progress).run(
                missing_is_corrupt=manifest.generation == before or attempt == _TRIES - 1
            )
        except FileNotFoundError:
            before = manifest.generation
    raise AssertionError("unreachable")  # pragma: no cover


class _Check:
    def __init__(self, folder: Path, manifest: Manifest, key: bytes | None, progress: Progress | None) -> None:
        self.folder, self.manifest, self.key, self.progress = folder, manifest, key, progress
        self.corruptions: list[Corruption] = []
        self.files, self.blocks, self.bytes, self.records, self.dropped = 1, 1, 0, 0, 0
        self.total = sum(entry.bytes for entry in manifest.segments)

    def run(self, *, missing_is_corrupt: bool) -> VerifyReport:
        """All files; FileNotFoundError when one is missing, which compaction may have replaced."""
        for entry in self.manifest.segments:
            self._guarded(file_name("segment", entry.number), partial(self._segment, entry), missing_is_corrupt)
        if self.manifest.state is not None:
            self._guarded(file_name("state", self.manifest.state.number), self._state, missing_is_corrupt)
        self._guarded(file_name("log", self.manifest.log.number), self._log, missing_is_corrupt)
        named = self.manifest.files()
        present = {path.name for path in self.folder.iterdir() if OWN_FILE.fullmatch(path.name)}
        sealed_checked = self.key is not None or not self.manifest.sealed
        return VerifyReport(
            self.files,
            self.blocks,
            self.bytes,
            self.records,
            sealed_checked,
            tuple(self.corruptions),
            tuple(sorted(present - named.keys())),
            self.dropped,
        )

    def _guarded(self, file: str, check: Callable[[], None], missing_is_corrupt: bool) -> None:
        try:
            check()
        except GalleryCorruptError as error:
            self.corruptions.append(_named(error))
        except FileNotFoundError:
            if not missing_is_corrupt:
                raise
            self.corruptions.append(Corruption(file, "file", 0, "the file is missing"))
        except OSError as error:
            self.corruptions.append(Corruption(file, "file", 0, f"it cannot be read: {error.strerror}"))
        self.files += 1

    def _segment(self, entry: SegmentEntry) -> None:
        layout = self.manifest.layout(entry.modality)
        if layout is None:
            raise GalleryCorruptError("MANIFEST", "manifest", 0, "a segment of an unknown modality")
        segment = Segment(self.folder, entry, self.manifest.gallery, layout, self.key)
        self.records += entry.rows
        good = True
        for place in segment.all_places():
            try:
                segment.check(place)
            except GalleryCorruptError as error:
                self.corruptions.append(_named(error))
                good = False
            self.blocks += 1
            self.bytes += place.size
            if self.progress is not None:
                self.progress(self.bytes, self.total)
        gap = segment.gaps_are_empty()
        if gap is not None:
            self.corruptions.append(Corruption(segment.file, "gap", gap, "bytes between blocks are not zero"))
        if good and (self.key is not None or not self.manifest.sealed):
            self._contents(segment)

    def _contents(self, segment: Segment) -> None:
        """Ids rise, names belong to their rows, and the index lists every record once."""
        before, count = -1, 0
        pairs = []
        for block in range(segment.blocks):
            ids, names = segment.ids(block), segment.names(block)
            offset = segment.places["ids", block].offset
            if int(ids[0]) <= before or (ids[1:] <= ids[:-1]).any() or int(ids[-1]) > segment.entry.last:
                raise GalleryCorruptError(segment.file, f"ids {block}", offset, "record ids do not rise")
            before = int(ids[-1])
            pairs.append(np.stack([names.digests, ids]))
            segment.forget(block)
        written = np.concatenate(pairs, axis=1)
        by_digest = np.lexsort((written[1], written[0]))
        for digests, ids in segment.index():
            order = by_digest[count : count + len(ids)]
            if not (np.array_equal(written[0][order], digests) and np.array_equal(written[1][order], ids)):
                raise GalleryCorruptError(segment.file, "index", 0, "it does not list the records of the segment")
            count += len(ids)

    def _state(self) -> None:
        assert self.manifest.state is not None
        read_state(self.folder, self.manifest.state, self.manifest.gallery, self.key)
        self.blocks += 1
        self.bytes += self.manifest.state.bytes

    def _log(self) -> None:
        entry = self.manifest.log
        data, envelope = open_log(self.folder, entry, self.manifest.gallery, self.key)
        tail = read_log(data, entry, envelope, self.manifest.layouts)
        self.records += sum(len(rows) for event in tail.events for _, rows in getattr(event, "groups", []))
        self.blocks += tail.sequence - 1
        self.bytes += tail.end - HEADER_BYTES
        self.dropped = tail.dropped


def _named(error: GalleryCorruptError) -> Corruption:
    return Corruption(error.file, error.block, error.offset, error.reason)
