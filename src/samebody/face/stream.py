"""Many pictures to templates with decoding, detection and embedding overlapped: ordered results, bounded memory."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import TypeVar

from samebody.capture import decode_image
from samebody.errors import SamebodyError
from samebody.face.analyse import FaceAnalyser
from samebody.face.results import FaceAnalysis
from samebody.face.threads import one_opencv_thread

BATCH = 2
"""Files that one worker embeds at once."""

A = TypeVar("A")
B = TypeVar("B")


@dataclass(frozen=True, slots=True, eq=False)
class EmbeddedFile:
    """What became of one file.

    Attributes:
        path: as it was given.
        analysis: detections, template and findings; None when the file could not be decoded.
        error: the typed error, when it could not.
    """

    path: Path
    analysis: FaceAnalysis | None = None
    error: SamebodyError | None = None


def embed_files(
    paths: Iterable[Path | str],
    analyser: FaceAnalyser | None = None,
    *,
    role: str = "selfie",
    workers: int | None = None,
) -> Iterator[EmbeddedFile]:
    """Decode, detect, align and embed files, overlapped on all cores.

    Args:
        paths: any iterable, also an endless one: no more than a few files per worker are read ahead.
        analyser: whose models are used; each worker runs them with one thread.
        role: which limits apply (see :class:`samebody.face.choose.FaceChooser`).
        workers: threads; None takes the settings' number of cores.

    Yields:
        One :class:`EmbeddedFile` for each path, in order. A file that cannot be decoded yields its typed error and
        never stops the run.
    """
    analyser = analyser or FaceAnalyser()
    single = analyser.single_threaded()
    count = workers or analyser.settings.session_threads

    def look(path: Path) -> tuple[EmbeddedFile, str | None]:
        try:
            image = decode_image(path, limits=analyser.settings.limits, role=role)
            return EmbeddedFile(path, single.aligned(image, role)), image.evidence.id if image.evidence else None
        except SamebodyError as error:
            if error.exit_code != 65:  # weights missing, disk unreadable: not this file's fault
                raise
            return EmbeddedFile(path, error=error), None

    def work(batch: list[Path | str]) -> list[EmbeddedFile]:
        looked = [look(Path(path)) for path in batch]
        seen = [(file.analysis, name) for file, name in looked if file.analysis is not None]
        done = iter(single.embedded([analysis for analysis, _ in seen], [name for _, name in seen]))
        return [file if file.analysis is None else replace(file, analysis=next(done)) for file, _ in looked]

    for files in ordered(work, in_batches(paths, BATCH, ramp=count), workers=count):
        yield from files


def in_batches(items: Iterable[A], size: int, *, ramp: int) -> Iterator[list[A]]:
    """``items`` in lists of ``size``; the first ``ramp`` lists hold one, so that a few items still keep all workers
    busy and the first result does not wait for a whole batch."""
    rest = iter(items)
    number = 0
    while batch := list(islice(rest, 1 if number < ramp else size)):
        yield batch
        number += 1


def ordered(work: Callable[[A], B], items: Iterable[A], *, workers: int, ahead: int = 2) -> Iterator[B]:
    """``work`` of each item, in the order of the items, in ``workers`` threads with at most ``ahead`` items queued for
    each; an exception of ``work`` is raised at its item's turn, and what was not begun is dropped."""
    with one_opencv_thread(), ThreadPoolExecutor(workers, thread_name_prefix="samebody-face") as pool:
        waiting: deque[Future[B]] = deque()
        try:
            for item in items:
                waiting.append(pool.submit(work, item))
                if len(waiting) >= workers * ahead:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            for future in waiting:
                future.cancel()
