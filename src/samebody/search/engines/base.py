"""What all engines share: checking a request, excluded records, threads over blocks, merging lists of the best."""

from __future__ import annotations

import math
import os
import threading
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from samebody.search.errors import InvalidBlockError, LayoutError
from samebody.search.types import Block, Exclude, Hits, Layout, Probes, Source

MAX_THREADS = 256
_LARGEST_ID = np.uint64(2**63 - 1)
_Work = TypeVar("_Work")


@dataclass(frozen=True, slots=True, eq=False)
class Request:
    """A search whose arguments have been checked.

    Attributes:
        probes: fitting the layout.
        k: results wanted for each probe.
        floor: float32 score below which nothing is returned, -inf for none.
        excluded: record ids, ascending for each probe, from ``excluded_from[p]`` to ``excluded_from[p + 1]``.
    """

    probes: Probes
    k: int
    floor: np.float32
    excluded: NDArray[np.int64]
    excluded_from: NDArray[np.int64]

    def excluded_of(self, probe: int) -> NDArray[np.int64]:
        """The ids excluded for one probe, ascending."""
        return self.excluded[self.excluded_from[probe] : self.excluded_from[probe + 1]]


def check_request(
    layout: Layout, probes: Probes, k: int, minimum_score: float | None, exclude: Exclude | None
) -> Request:
    """The request, or the typed errors of :meth:`samebody.search.types.Engine.search`."""
    probes.check_layout(layout)
    if k < 1:
        raise LayoutError(f"a search for the {k} best makes no sense.", hint="Ask for at least 1.")
    if minimum_score is not None and not math.isfinite(minimum_score):
        raise LayoutError(f"the minimum score {minimum_score} is no finite number.")
    floor = np.float32(-np.inf if minimum_score is None else minimum_score)
    count = len(probes)
    if exclude is None:
        lists = [np.zeros(0, dtype=np.int64)] * count
    elif isinstance(exclude, np.ndarray) and exclude.dtype != np.object_:
        lists = [_ids(exclude)] * count
    else:
        if len(exclude) != count:
            raise LayoutError(f"{len(exclude)} lists of excluded records for {count} probes.")
        lists = [_ids(np.asarray(each)) for each in exclude]
    starts = np.concatenate([[0], np.cumsum([len(each) for each in lists], dtype=np.int64)]).astype(np.int64)
    flat = np.concatenate(lists) if lists else np.zeros(0, dtype=np.int64)
    return Request(probes, k, floor, np.ascontiguousarray(flat, dtype=np.int64), starts)


def _ids(values: NDArray[Any]) -> NDArray[np.int64]:
    if values.size and not np.issubdtype(values.dtype, np.integer):
        raise LayoutError(f"excluded records are integers, not {values.dtype}.")
    return np.unique(values.astype(np.int64, copy=False).ravel())


def check_block(block: Block, layout: Layout) -> Block:
    """The block, or :class:`InvalidBlockError` when shape or ids are not what the contract says."""
    block.check_layout(layout)
    ids = block.record_ids
    if len(ids) and (ids[-1] > _LARGEST_ID or not (ids[1:] > ids[:-1]).all()):
        raise InvalidBlockError(
            f"block {block.key}: record ids must increase and stay below 2**63.",
            hint="Run `samebody gallery verify`.",
        )
    return block


def contiguous(array: NDArray[Any]) -> NDArray[Any]:
    """The array itself when its rows lie one behind the other, else a copy that does."""
    return array if array.flags.c_contiguous else np.ascontiguousarray(array)


def thread_count(threads: int | None) -> int:
    """Threads to use: as asked, or the cores this process may run on.

    Raises:
        LayoutError: outside 1..:data:`MAX_THREADS`.
    """
    if threads is None:
        threads = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
        return min(threads, MAX_THREADS)
    if not 1 <= threads <= MAX_THREADS:
        raise LayoutError(f"{threads} threads are not 1..{MAX_THREADS}.")
    return threads


def share_out(work: Iterable[_Work], workers: list[Callable[[_Work], None]]) -> None:
    """Hand every piece of ``work`` to the next free worker; each worker runs in a thread of its own.

    The first error stops the handing out and is raised once all threads have come back.
    """
    if len(workers) == 1:
        for piece in work:
            workers[0](piece)
        return
    pieces: Iterator[_Work] = iter(work)
    lock = threading.Lock()
    stop = threading.Event()

    def run(worker: Callable[[_Work], None]) -> None:
        while not stop.is_set():
            with lock:
                try:
                    piece = next(pieces)
                except StopIteration:
                    return
                except BaseException:
                    stop.set()
                    raise
            try:
                worker(piece)
            except BaseException:
                stop.set()
                raise

    with ThreadPoolExecutor(len(workers), thread_name_prefix="search") as pool:
        for outcome in [pool.submit(run, worker) for worker in workers]:
            outcome.result()


def pieces_of(blocks: Iterable[Block], records: int) -> Iterator[tuple[Block, int, int]]:
    """Ranges of at most ``records`` rows of each block."""
    for block in blocks:
        for begin in range(0, len(block), records):
            yield block, begin, min(begin + records, len(block))


def merge_best(
    parts: list[tuple[NDArray[np.float32], NDArray[np.int64]]], k: int
) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """The k best of several lists (q, k_i) of scores and ids: score descending, ties by lower id, padding last."""
    scores = np.concatenate([part[0] for part in parts], axis=1)
    ids = np.concatenate([part[1] for part in parts], axis=1)
    tie = np.where(ids < 0, np.iinfo(np.int64).max, ids)
    order = np.lexsort((tie, -scores.astype(np.float64)), axis=1)[:, :k]
    scores, ids = np.take_along_axis(scores, order, axis=1), np.take_along_axis(ids, order, axis=1)
    short = k - scores.shape[1]
    if short > 0:
        scores = np.pad(scores, ((0, 0), (0, short)), constant_values=-np.inf)
        ids = np.pad(ids, ((0, 0), (0, short)), constant_values=-1)
    return np.ascontiguousarray(scores, dtype=np.float32), np.ascontiguousarray(ids, dtype=np.int64)


def padded(hits: Hits, k: int) -> Hits:
    """The same hits in lists of exactly ``k``, filled up with -1 and -inf."""
    short = k - hits.ids.shape[1]
    if short <= 0:
        return hits
    ids = np.pad(hits.ids, ((0, 0), (0, short)), constant_values=-1)
    scores = np.pad(hits.scores, ((0, 0), (0, short)), constant_values=-np.inf)
    return Hits(ids, scores, hits.engine, hits.exact, hits.miss_bound, hits.notes)


def total_records(source: Source) -> int:
    """An upper bound on what a search can return, as an int that is at least 1."""
    return max(1, len(source))
