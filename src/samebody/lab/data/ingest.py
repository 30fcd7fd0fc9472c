"""Ingestion: sources into a content-addressed data set, in parallel, resumable, decoded once on the way."""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, field
from multiprocessing import get_context
from pathlib import Path
from typing import Any, Literal

from samebody.config import Limits, load_settings
from samebody.durable import sync_folder
from samebody.errors import StorageError
from samebody.lab.data.data_set import DataSet, Version
from samebody.lab.data.errors import SourceError, WorkerError
from samebody.lab.data.facts import PIXELS, FactStore, PixelFacts, pixel_facts
from samebody.lab.data.files import faults
from samebody.lab.data.manifest import Manifest
from samebody.lab.data.sources import Item, Listing, SourceOptions, list_source, merged
from samebody.measure.all_pairs import usable_cores

BATCH = 32
"""Items that a worker takes at once: what a killed run loses of each worker."""

Engine = Literal["local", "ray"]
Progress = Callable[[int, int], None]
"""Called with (items done, items in all)."""


@dataclass(frozen=True, slots=True)
class Taken:
    """One sample that was stored, or why an item could not be.

    Attributes:
        item: key of the item.
        rows: manifest rows of its samples.
        facts: pixel facts by SHA-256.
        problems: what could not be read.
        erased: samples left out because they were erased before; nothing of them is kept.
    """

    item: str
    rows: tuple[dict[str, Any], ...] = ()
    facts: Mapping[str, dict[str, Any]] = field(default_factory=dict)
    problems: tuple[str, ...] = ()
    erased: int = 0


@dataclass(frozen=True, slots=True)
class IngestResult:
    """What ingestion did.

    Attributes:
        version: the new version (or the old one, when nothing changed).
        samples: rows that came from the sources.
        new, changed, unchanged: rows by what the version before held under their name.
        unreadable: samples that do not decode; they are kept, and ``clean`` puts them into quarantine.
        skipped: files that are no pictures, by suffix.
        problems: what was left out, when told to go on.
        erased_before: samples left out because their subject was erased.
        resumed: items taken over from an interrupted run.
        workers: processes.
    """

    version: Version
    samples: int
    new: int
    changed: int
    unchanged: int
    unreadable: int
    skipped: Mapping[str, int]
    problems: tuple[str, ...]
    erased_before: int
    resumed: int
    workers: int


def ingest(
    sources: Sequence[str],
    into: Path | str,
    *,
    name: str = "",
    options: SourceOptions | None = None,
    workers: int | None = None,
    engine: Engine = "local",
    address: str | None = None,
    broken_sources: bool = False,
    limits: Limits | None = None,
    progress: Progress = lambda done, whole: None,
) -> IngestResult:
    """Read sources into the data set ``into`` (made when it is not there) and commit one version.

    A sample already there under the same name with the same bytes keeps what later steps wrote into its row; fields
    that the source gives replace those of before. Nothing is committed before everything was read; what was read
    before a kill is not read again.

    Args:
        sources: folders, lists, shards, videos, URLs; see :func:`samebody.lab.data.sources.list_source`.
        into: folder of the data set.
        name: of a data set that is made.
        options: how names and tables become fields.
        workers: processes; None takes one a core.
        engine: ``ray`` spreads the work over a cluster that sees the same folder.
        address: of the Ray cluster.
        broken_sources: go on when a shard or a row cannot be read, and report it.
        limits: bounds on one picture.
        progress: told after each batch.

    Raises:
        SourceError: sources that cannot be read; all problems at once.
        WorkerError: workers died again and again; what was finished is kept.
        DataSetError, DataSetLockedError, StorageError.
    """
    options = options or SourceOptions()
    limits = limits or load_settings().limits
    listing = merged([list_source(source, options) for source in sources])
    _refuse(listing, broken_sources)
    data_set = DataSet.create(into, name)
    with data_set.writing():
        journal = _Journal(data_set.folder / "journal", _job(sources, options))
        for leftover in (data_set.folder / "objects").glob("*/.part-*"):
            leftover.unlink(missing_ok=True)
        waiting = [item for item in listing.items if item.key not in journal.taken]
        resumed = len(listing.items) - len(waiting)
        count = _take_all(waiting, data_set, limits, workers, engine, address, journal, resumed, progress)
        try:
            return _commit(data_set, listing, journal, sources, options, broken_sources, resumed, count)
        finally:
            journal.close()


def take(items: Sequence[Item], root: Path, limits: Limits) -> list[Taken]:
    """Store the samples of items and measure them; runs in a worker. The bytes are on the disk when it returns."""
    data_set = DataSet(root, "")
    gone = erased_samples(data_set)
    found: list[Taken] = []
    fresh: list[Path] = []
    for item in items:
        rows: list[dict[str, Any]] = []
        facts: dict[str, dict[str, Any]] = {}
        problems: list[str] = []
        erased = 0
        try:
            for picture in item.read(limits):
                if len(picture.data) > limits.max_bytes:
                    problems.append(f"{picture.name} has more than {limits.max_bytes:,} bytes")
                    continue
                sha256 = hashlib.sha256(picture.data).hexdigest()
                if blind(sha256) in gone:
                    erased += 1
                    continue
                path = data_set.object_path(sha256)
                if not _same(path, picture.data):
                    _place(path, picture.data)
                    fresh.append(path)
                measured = pixel_facts(path, limits)
                facts[sha256] = measured.to_dict()
                rows.append(_row(picture.name, sha256, len(picture.data), measured, picture.fields))
        except SourceError as error:
            problems += error.problems
        found.append(Taken(item.key, tuple(rows), facts, tuple(problems), erased))
    with faults(root):
        for path in fresh:
            descriptor = os.open(path, os.O_RDONLY)
            os.fsync(descriptor)
            os.close(descriptor)
        for folder in {path.parent for path in fresh}:
            sync_folder(folder)
    return found


def _row(name: str, sha256: str, size: int, measured: PixelFacts, fields: Mapping[str, str]) -> dict[str, Any]:
    return {
        **fields,
        "sample": name,
        "sha256": sha256,
        "bytes": size,
        "width": measured.width,
        "height": measured.height,
        "format": measured.format,
    }


def _same(path: Path, data: bytes) -> bool:
    """Whether the object is there and whole; one that a power cut left short is written again."""
    try:
        return path.stat().st_size == len(data) and path.read_bytes() == data
    except OSError:
        return False


def _place(path: Path, data: bytes) -> None:
    """Put bytes under their name; flushed to the disk by the caller, a batch at a time."""
    with faults(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, temporary = tempfile.mkstemp(prefix=".part-", dir=path.parent)
        try:
            with os.fdopen(handle, "wb") as stream:
                stream.write(data)
            Path(temporary).replace(path)
        except BaseException:
            Path(temporary).unlink(missing_ok=True)
            raise


# ------------------------------------------------------------------------------------------------------------ engines


def _take_all(
    waiting: list[Item],
    data_set: DataSet,
    limits: Limits,
    workers: int | None,
    engine: Engine,
    address: str | None,
    journal: _Journal,
    done: int,
    progress: Progress,
) -> int:
    batches = [waiting[start : start + BATCH] for start in range(0, len(waiting), BATCH)]
    whole = done + len(waiting)
    count = min(workers or usable_cores(), max(len(batches), 1))
    progress(done, whole)
    if engine == "ray":
        from samebody.lab.data.cluster import take_on_ray

        results: Iterator[list[Taken]] = take_on_ray(batches, data_set.folder, limits, workers=workers, address=address)
    elif count == 1:
        results = (take(batch, data_set.folder, limits) for batch in batches)
    else:
        results = take_in_processes(batches, data_set.folder, limits, count)
    for taken in results:
        journal.add(taken)
        done += len(taken)
        progress(done, whole)
    return count


def take_in_processes(
    batches: Sequence[Sequence[Item]], root: Path, limits: Limits, workers: int
) -> Iterator[list[Taken]]:
    """Batches taken by processes, in the order in which they end. When a worker dies, its unfinished batches are taken
    once more by fresh ones.

    Raises:
        WorkerError: workers died twice.
        StorageError: as :func:`take`.
    """
    waiting = list(range(len(batches)))
    for attempt in (1, 2):
        running: dict[Future[list[Taken]], int] = {}
        try:
            with ProcessPoolExecutor(workers, mp_context=get_context("forkserver")) as pool:
                queue = iter(list(waiting))
                for number in queue:
                    running[pool.submit(take, batches[number], root, limits)] = number
                    if len(running) >= 3 * workers:
                        break
                while running:
                    finished, _ = wait(running, return_when=FIRST_COMPLETED)
                    for future in finished:
                        number = running.pop(future)
                        taken = future.result()
                        waiting.remove(number)
                        yield taken
                        following = next(queue, None)
                        if following is not None:
                            running[pool.submit(take, batches[following], root, limits)] = following
            return
        except BrokenProcessPool:
            if attempt == 2:
                raise WorkerError(
                    f"worker processes died twice with {len(waiting)} batches to go.",
                    hint="Run it again: what was finished is kept. Give --workers 1 if memory is short.",
                ) from None


class _Journal:
    """Items that are done, one JSON line each; a torn last line is dropped."""

    def __init__(self, folder: Path, job: str) -> None:
        self.path = folder / f"{job}.jsonl"
        self.taken: dict[str, Taken] = {}
        try:
            lines = self.path.read_bytes().split(b"\n")
        except OSError:
            lines = []
        good = 0
        for line in lines[:-1]:
            try:
                entry = json.loads(line)
                rows, problems = tuple(entry["rows"]), tuple(entry["problems"])
                self._remember(Taken(entry["item"], rows, entry["facts"], problems, int(entry["erased"])))
            except (ValueError, KeyError, TypeError):
                break
            good += len(line) + 1
        with faults(folder):
            folder.mkdir(parents=True, exist_ok=True)
            self._stream = self.path.open("ab")
            self._stream.truncate(good)

    def _remember(self, taken: Taken) -> None:
        self.taken[taken.item] = taken

    def add(self, batch: Sequence[Taken]) -> None:
        """Remember items; on the disk when it returns."""
        with faults(self.path):
            for taken in batch:
                fields = {name: getattr(taken, name) for name in ("item", "rows", "facts", "problems", "erased")}
                self._stream.write(json.dumps(fields, ensure_ascii=False).encode() + b"\n")
                self._remember(taken)
            self._stream.flush()
            os.fsync(self._stream.fileno())

    def close(self) -> None:
        """Release the file."""
        self._stream.close()

    def remove(self) -> None:
        """Forget the job: it is committed."""
        self.close()
        self.path.unlink(missing_ok=True)


# ------------------------------------------------------------------------------------------------------------- commit


def _job(sources: Sequence[str], options: SourceOptions) -> str:
    parts = [*map(str, sources), repr(options)]
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:32]


def _refuse(listing: Listing, broken_sources: bool) -> None:
    if not listing.items:
        raise SourceError("the sources", listing.problems or ["they hold no picture"])
    if listing.problems and not broken_sources:
        raise SourceError("the sources", listing.problems, hint="Mend them, or go on without (--broken-sources).")


def _commit(
    data_set: DataSet,
    listing: Listing,
    journal: _Journal,
    sources: Sequence[str],
    options: SourceOptions,
    broken_sources: bool,
    resumed: int,
    workers: int,
) -> IngestResult:
    taken = [journal.taken[item.key] for item in listing.items]
    problems = [*listing.problems, *(problem for entry in taken for problem in entry.problems)]
    if problems and not broken_sources:
        raise SourceError("the sources", problems, hint="Mend them, or go on without (--broken-sources).")
    rows, unreadable = [], 0
    store = FactStore(data_set.folder / "facts", PIXELS)
    for entry in taken:
        for row in entry.rows:
            rows.append(row)
            unreadable += not row["format"]
            store.put(row["sha256"], entry.facts[row["sha256"]])
    store.flush()
    if not rows:
        raise SourceError("the sources", problems or ["every sample of them was erased before"])
    last = data_set.head()
    before = {row["sample"]: row for row in data_set.manifest(last).rows()} if last else {}
    new = sum(row["sample"] not in before for row in rows)
    changed = sum(row["sample"] in before and before[row["sample"]]["sha256"] != row["sha256"] for row in rows)
    merged_rows = {**before}
    for row in rows:
        old = before.get(row["sample"], {})
        merged_rows[row["sample"]] = {**old, **row} if old.get("sha256") == row["sha256"] else row
    counts = {"samples": len(rows), "unreadable": unreadable, "problems": len(problems)}
    names = [source if "://" in source else Path(source).resolve().name for source in sources]
    told = {"sources": names, "pattern": options.pattern, "constants": dict(options.constants), "every": options.every}
    version = data_set.commit(Manifest.from_rows(merged_rows.values()), "ingest", options=told, figures=counts)
    journal.remove()
    return IngestResult(
        version,
        len(rows),
        new,
        changed,
        len(rows) - new - changed,
        unreadable,
        dict(listing.skipped),
        tuple(problems),
        sum(entry.erased for entry in taken),
        resumed,
        workers,
    )


def blind(sha256: str) -> str:
    """What is kept of an erased sample: SHA-256 of its SHA-256, so that it is not taken in again."""
    return hashlib.sha256(f"erased:{sha256}".encode()).hexdigest()


def erased_samples(data_set: DataSet) -> set[str]:
    """:func:`blind` names of the samples that were erased.

    Raises:
        StorageError: the list is there and cannot be read: going on might take an erased person in again.
    """
    path = data_set.folder / "erased.json"
    if not path.exists():
        return set()
    try:
        return set(json.loads(path.read_text(encoding="utf-8"))["samples"])
    except (OSError, ValueError, KeyError, TypeError):
        raise StorageError(f"{path} cannot be read.", hint="Restore it from a copy before you ingest again.") from None
