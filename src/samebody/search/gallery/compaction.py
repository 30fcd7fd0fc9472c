"""From the log to segments (rolling), and from segments to fewer segments without the dead (compaction).

Both write new files beside the old ones, sync them, replace the manifest, and only then remove the old files: at every
moment one manifest names a complete gallery. Readers that have the old files open keep their view.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from samebody.search.gallery.core import Core, Guard, Progress, live_mask
from samebody.search.gallery.disk import faults
from samebody.search.gallery.errors import GalleryCorruptError
from samebody.search.gallery.log import Log
from samebody.search.gallery.manifest import SegmentEntry, StateEntry, file_name
from samebody.search.gallery.segment import Segment, SegmentWriter
from samebody.search.gallery.snapshot import purge_snapshots
from samebody.search.gallery.state import MAX_REQUESTS, REQUEST, State, write_state
from samebody.search.types import Layout


@dataclass(frozen=True, slots=True)
class CompactionReport:
    """What compaction did.

    Attributes:
        removed: dead records whose bytes are gone.
        rewritten: segments that were read and replaced.
        segments: segments there are now.
        bytes_before, bytes_after: of all files of the gallery.
        verified: the folder was read again: no file but those of the manifest, no tombstone left, and no removed id in
            any segment.
        snapshots_compacted, snapshots_expired: snapshots from which the dead were removed too; snapshots that may
            still hold them and can no longer be restored by this gallery's own register.
    """

    removed: int
    rewritten: int
    segments: int
    bytes_before: int
    bytes_after: int
    verified: bool
    snapshots_compacted: int = 0
    snapshots_expired: int = 0


def roll(core: Core) -> int:
    """Turn what the log holds into segments, begin a new log; returns how many dead records were left out.

    Raises:
        GalleryDiskFullError, GalleryWriteError: nothing changed.
    """
    core.require_sound()
    if core.memory.empty:
        return 0
    manifest, created = core.manifest, list[Path]()
    entries, kept_rows = list(manifest.segments), 0
    try:
        with faults("writing a segment"):
            for index, layout in enumerate(manifest.layouts):
                writer = _writer(core, layout)
                created.append(writer.path)
                try:
                    for rows in core.memory.fresh[index].groups():
                        writer.add(core.live(rows))
                    entry = writer.finish()
                except BaseException:
                    writer.abandon()
                    raise
                if entry is not None:
                    entries.append(entry)
                    kept_rows += entry.rows
            state = State(_tombstones_of_segments(core), _requests(core))
            state_entry = _write_state(core, state, created)
            number = core.take_number()
            created.append(core.folder / file_name("log", number))
            new_log = Log.create(core.disk, core.folder, manifest.gallery, number, core.key)
    except BaseException:
        core.discard(created)
        raise
    logged = sum(fresh.count for fresh in core.memory.fresh)
    following = core.following(
        segments=tuple(entries), state=state_entry, log=new_log.entry, next_record=core.memory.next_record
    )
    try:
        core.commit(following, created, state=state)
    except BaseException:
        new_log.close()
        raise
    assert core.log is not None
    core.log.close()
    core.log, core.log_end, core.dropped = new_log, new_log.end, 0
    core.memory = core.empty_memory(following)
    return logged - kept_rows


def compact(core: Core, progress: Progress | None = None, guard: Guard = nullcontext) -> CompactionReport:
    """Remove the bytes of deleted records from every file and every snapshot in reach, and join small segments.

    Args:
        core: open for writing; nobody else compacts it or makes a snapshot of it meanwhile.
        progress: called with records done and records to do.
        guard: entered around what touches the shared state; between, others may enrol, delete, look up and roll.

    Raises:
        GalleryCorruptError: a block to be rewritten does not check; nothing is lost, what was compacted before stays.
        GalleryDiskFullError, GalleryWriteError: as above.
    """
    with guard():
        before = _bytes(core)
        removed_ids = core.dead()
        removed = roll(core)
        dead = core.dead()
        runs = _plan(core)
    total, done, rewritten = sum(entry.rows for run in runs for entry in run), 0, 0
    for run in runs:
        removed += _rewrite(core, run, dead, _Count(progress, done, total), guard)
        done += sum(entry.rows for entry in run)
        rewritten += len(run)
    compacted = expired = 0
    if len(dead):
        # before the tombstones go: a crash in between must not make anybody forget what a snapshot still holds
        compacted, expired = purge_snapshots(core, dead, compact, guard)
    with guard():
        if len(dead):
            state, created = State(np.setdiff1d(core.state.tombstones, dead), core.state.requests), list[Path]()
            try:
                with faults("writing the state file"):
                    entry = _write_state(core, state, created)
            except BaseException:
                core.discard(created)
                raise
            core.commit(core.following(state=entry), created, state=state)
        with faults("removing old files"):
            core.remove_orphans()
            core.disk.sync_folder(core.folder)
        _verify_gone(core, removed_ids)
        segments, after = len(core.manifest.segments), _bytes(core)
    return CompactionReport(removed, rewritten, segments, before, after, True, compacted, expired)


@dataclass(slots=True)
class _Count:
    """Progress through the records of all runs."""

    progress: Progress | None
    done: int
    total: int

    def add(self, records: int) -> None:
        self.done += records
        if self.progress is not None:
            self.progress(self.done, self.total)


def _plan(core: Core) -> list[list[SegmentEntry]]:
    """Neighbouring segments to be rewritten together: those with dead records, and those that are small."""
    dead, limit, runs = core.dead(), core.tuning.segment_bytes, list[list[SegmentEntry]]()
    for layout in core.manifest.layouts:
        run: list[SegmentEntry] = []
        worth = 0

        def close() -> None:
            nonlocal run, worth
            if len(run) > 1 or (run and core.segments[run[0].number].dead_in(dead)):
                runs.append(run)
            run, worth = [], 0

        for segment in core.of(layout.modality):
            entry, dead_rows = segment.entry, segment.dead_in(dead)
            if not dead_rows and entry.bytes * 2 > limit:  # large and clean: stays as it is
                close()
                continue
            size = entry.bytes * (entry.rows - dead_rows) // entry.rows
            if run and worth + size > limit:
                close()
            run.append(entry)
            worth += size
        close()
    return runs


def _rewrite(core: Core, run: Sequence[SegmentEntry], dead: NDArray[np.uint64], count: _Count, guard: Guard) -> int:
    """Replace a run of segments by one without the dead; returns how many dead there were."""
    gallery, layout = core.manifest.gallery, core.manifest.layout(run[0].modality)
    assert layout is not None
    with faults("writing a segment"):
        with guard():
            writer = _writer(core, layout)
        try:
            for old in run:
                segment = Segment(core.folder, old, gallery, layout, core.key)
                for block in range(segment.blocks):
                    rows = segment.rows(block)
                    writer.add(rows.take(live_mask(rows.ids, dead)))
                    segment.forget(block)
                    count.add(len(rows))
            entry = writer.finish()
        except BaseException:
            writer.abandon()
            raise
    try:
        with guard():
            gone, entries = {each.number for each in run}, list[SegmentEntry]()
            for each in core.manifest.segments:
                if each.number == run[0].number and entry is not None:
                    entries.append(entry)
                if each.number not in gone:
                    entries.append(each)
            core.commit(core.following(segments=tuple(entries)), [writer.path])
    except BaseException:
        if entry is not None and entry not in core.manifest.segments:
            core.discard([writer.path])
        raise
    return sum(each.rows for each in run) - (entry.rows if entry else 0)


def _writer(core: Core, layout: Layout) -> SegmentWriter:
    rows = core.tuning.block_rows(layout)
    return SegmentWriter(core.disk, core.folder, core.manifest.gallery, core.take_number(), layout, core.key, rows)


def _write_state(core: Core, state: State, created: list[Path]) -> StateEntry | None:
    number = core.take_number()
    created.append(core.folder / file_name("state", number))
    return write_state(core.disk, core.folder, core.manifest.gallery, number, core.key, state)


def _tombstones_of_segments(core: Core) -> NDArray[np.uint64]:
    """The dead that are in segments; those that are only in the log are not carried over."""
    dead = core.dead()
    for fresh in core.memory.fresh:
        for rows in fresh.groups():
            dead = dead[~np.isin(dead, rows.ids)]
    return dead


def _requests(core: Core) -> NDArray[np.void]:
    new = np.zeros(len(core.memory.requests), dtype=REQUEST)
    for row, (digest, (first, count)) in enumerate(core.memory.requests.items()):
        new[row] = (digest, first, count, 0)
    return np.concatenate([core.state.requests, new])[-MAX_REQUESTS:]


def _verify_gone(core: Core, removed: NDArray[np.uint64]) -> None:
    """Read the folder again: raise unless no file can still hold one of the removed records."""
    left = core.orphans()
    if left:
        raise GalleryCorruptError(left[0], "file", 0, "compaction could not remove it; it may hold deleted records")
    if np.isin(core.dead(), removed).any():
        raise GalleryCorruptError("MANIFEST", "state", 0, "tombstones are left after compaction")
    for entry in core.manifest.segments:
        layout = core.manifest.layout(entry.modality)
        assert layout is not None
        if Segment(core.folder, entry, core.manifest.gallery, layout, core.key).dead_in(removed):
            raise GalleryCorruptError(file_name("segment", entry.number), "ids", 0, "a deleted record is still there")


def _bytes(core: Core) -> int:
    return sum(path.stat().st_size for path in core.folder.iterdir() if path.is_file())
