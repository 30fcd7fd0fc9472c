"""What can be asked of an open gallery: who is in it, their records, views for engines, figures, checks."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from samebody.search.gallery import records
from samebody.search.gallery.core import Core, Progress
from samebody.search.gallery.errors import GalleryClosedError, UnknownModalityError
from samebody.search.gallery.records import ModalityStats, Stats, StoredRecord
from samebody.search.gallery.sealing import FORMAT
from samebody.search.gallery.source import GallerySource
from samebody.search.gallery.verify import VerifyReport, verify_gallery
from samebody.search.types import Layout

Mode = Literal["r", "w"]


class Reading:
    """The half of :class:`samebody.search.gallery.Gallery` that changes nothing."""

    def __init__(self, core: Core, mode: Mode) -> None:
        self._core, self._mode = core, mode
        self._guard = threading.RLock()
        self._closed = False

    def has(self, subject: str) -> bool:
        """Whether the subject has a live record."""
        with self._opened() as core:
            return bool(core.lookup(records.encode_subject(subject)))

    def records_of(self, subject: str) -> tuple[StoredRecord, ...]:
        """The live records of a subject, oldest first."""
        with self._opened() as core:
            found = []
            for record_id in core.lookup(records.encode_subject(subject)):
                place = core.locate(record_id)
                assert place is not None
                attributes = place.attributes()
                modality = core.manifest.layouts[place.number].modality
                found.append(StoredRecord(record_id, subject, modality, attributes))
            return tuple(found)

    def subject_of(self, record_ids: ArrayLike) -> list[str | None]:
        """Whose records these are; None for ids that are deleted, unknown or -1 (the padding of hits)."""
        with self._opened() as core:
            places = [core.locate(each) for each in np.asarray(record_ids, dtype=np.int64).ravel().tolist()]
            return [None if place is None else place.text() for place in places]

    def fetch(self, record_ids: ArrayLike) -> list[tuple[NDArray[np.generic], ...] | None]:
        """Payloads of records: (vector,) or (code, mask) each, copied; None as in :meth:`subject_of`."""
        with self._opened() as core:
            found: list[tuple[NDArray[np.generic], ...] | None] = []
            for record_id in np.asarray(record_ids, dtype=np.int64).ravel().tolist():
                place = core.locate(record_id)
                found.append(None if place is None else tuple(np.array(array[place.row]) for array in place.payload()))
            return found

    def subjects(self) -> Iterator[str]:
        """All subjects with a live record, once each, in the order of their first live record."""
        with self._opened():
            firsts = np.sort(self._first_records())
        for begin in range(0, len(firsts), 4096):
            yield from filter(None, self.subject_of(firsts[begin : begin + 4096]))

    def subject_count(self) -> int:
        """Number of subjects with a live record, counted by their 64-bit digests."""
        with self._opened():
            digests, _ = self._live_index()
            digests.sort()
            return int(np.count_nonzero(digests[1:] != digests[:-1])) + bool(len(digests))

    def source(self, modality: str) -> GallerySource:
        """A view of one modality for engines, as the gallery is now.

        Raises:
            UnknownModalityError.
        """
        with self._opened() as core:
            number, layout = self._layout(modality)
            fresh = core.memory.fresh[number].groups()
            name = f"{core.folder}/{core.manifest.gallery}"
            return GallerySource(layout, self._counts(number)[0], core.of(modality), fresh, core.dead(), name)

    @property
    def layouts(self) -> tuple[Layout, ...]:
        """What the gallery holds."""
        return self._core.manifest.layouts

    @property
    def path(self) -> Path:
        """Its folder."""
        return self._core.folder

    @property
    def sealed(self) -> bool:
        """Blocks are sealed; False for a plain gallery."""
        return self._core.manifest.sealed

    def __len__(self) -> int:
        """Live records of all modalities."""
        with self._opened() as core:
            return sum(self._counts(number)[0] for number in range(len(core.manifest.layouts)))

    def verify(self, progress: Progress | None = None) -> VerifyReport:
        """Read all files again and name every corruption; see :func:`verify_gallery`."""
        with self._opened() as core:
            return verify_gallery(core.folder, core.key, progress)

    def load(self, modality: str, progress: Progress | None = None) -> None:
        """Touch every block now, so that no search waits for checking or decryption.

        Args:
            modality: ``iris`` or ``vector``.
            progress: called with records done and records to do.

        Raises:
            GalleryCorruptError.
        """
        done, source = 0, self.source(modality)
        for block in source.blocks():
            done += len(block)
            if progress is not None:
                progress(done, max(done, len(source)))

    def stats(self) -> Stats:
        """Facts about the gallery; no block is touched."""
        with self._opened() as core:
            manifest, modalities = core.manifest, []
            for number, layout in enumerate(manifest.layouts):
                live, dead = self._counts(number)
                entries = [entry for entry in manifest.segments if entry.modality == layout.modality]
                modalities.append(
                    ModalityStats(
                        layout.modality,
                        layout.space,
                        layout.size,
                        live,
                        dead,
                        core.memory.fresh[number].count,
                        len(entries),
                        sum(entry.bytes for entry in entries),
                    )
                )
            return Stats(
                path=str(core.folder),
                gallery=manifest.gallery,
                tenant=manifest.tenant,
                created=manifest.created,
                format=FORMAT,
                protection="sealed" if manifest.sealed else "plain",
                mode=self._mode,
                generation=manifest.generation,
                modalities=tuple(modalities),
                log_bytes=core.log_end,
                disk_bytes=sum(each.stat().st_size for each in core.folder.iterdir() if each.is_file()),
                requests=len(core.state.requests) + len(core.memory.requests),
                dropped_bytes=core.dropped,
                snapshots=len(manifest.snapshots),
                snapshots_expired=sum(entry.expired for entry in manifest.snapshots),
                is_snapshot=manifest.snapshot_of is not None,
            )

    @contextlib.contextmanager
    def _opened(self) -> Iterator[Core]:
        with self._guard:
            if self._closed:
                raise GalleryClosedError("the gallery is closed.", hint="Open it again.")
            yield self._core

    def _layout(self, modality: str) -> tuple[int, Layout]:
        for number, layout in enumerate(self._core.manifest.layouts):
            if layout.modality == modality:
                return number, layout
        held = ", ".join(layout.modality for layout in self._core.manifest.layouts)
        raise UnknownModalityError(
            f"the gallery holds no templates of the kind {modality!r}.", hint=f"It holds {held}."
        )

    def _counts(self, number: int) -> tuple[int, int]:
        """Live and dead records of a modality."""
        core = self._core
        dead, fresh = core.dead(), core.memory.fresh[number]
        segments = core.of(core.manifest.layouts[number].modality)
        gone = sum(segment.dead_in(dead) for segment in segments)
        gone += sum(int(np.isin(rows.ids, dead).sum()) for rows in fresh.groups()) if len(dead) else 0
        return sum(segment.entry.rows for segment in segments) + fresh.count - gone, gone

    def _first_records(self) -> NDArray[np.uint64]:
        """The lowest live record id of every subject."""
        digests, ids = self._live_index()
        order = np.lexsort((ids, digests))
        _, first = np.unique(digests[order], return_index=True)
        return np.asarray(ids[order][first], dtype=np.uint64)

    def _live_index(self) -> tuple[NDArray[np.uint64], NDArray[np.uint64]]:
        """Digest of the subject and id of every live record, copied, in no order."""
        core, digests, ids = self._core, [np.empty(0, np.uint64)], [np.empty(0, np.uint64)]
        for number, layout in enumerate(core.manifest.layouts):
            for segment in core.of(layout.modality):
                for each, records_there in segment.index():
                    digests.append(each)
                    ids.append(records_there)
            for rows in core.memory.fresh[number].groups():
                digests.append(rows.names.digests)
                ids.append(rows.ids)
        every_digest, every_id = np.concatenate(digests), np.concatenate(ids)
        dead = core.dead()
        if not len(dead):
            return every_digest, every_id
        live = ~np.isin(every_id, dead)
        return every_digest[live], every_id[live]
