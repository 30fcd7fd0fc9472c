"""Scores of all non-mated pairs without storing them: a fine histogram, and the largest scores exactly.

Blocked matrix products over the templates feed the histograms; only scores above a floor that rises as the count
grows are kept, with the two templates they come from. Thresholds at low false match rates are therefore exact. The
work is cut into tiles (:mod:`samebody.measure.pair_plan`) that are counted one by one
(:mod:`samebody.measure.pair_counts`).
"""

from __future__ import annotations

import os
from collections.abc import Callable
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import nullcontext
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from threadpoolctl import threadpool_limits

from samebody.measure.bootstrap import CellPairs
from samebody.measure.errors import InvalidRateError, TooManyScoresError
from samebody.measure.histogram import ScoreHistogram
from samebody.measure.kernels import Kernel, chosen_kernel
from samebody.measure.pair_counts import Tally, TileCounts, count_tile
from samebody.measure.pair_plan import COLUMNS, ROWS, PairPlan, checked_codes, checked_templates, plan_pairs

Progress = Callable[[int, int], None]
"""Called with (pairs done, pairs in all) after each tile; the numbers count excluded pairs too."""

MATED_LIMIT = 20_000_000
"""More mated pairs than this are not listed one by one."""


@dataclass(frozen=True, slots=True, eq=False)
class PairScores:
    """What is kept of the scores of all pairs.

    Attributes:
        pairs: non-mated pairs scored; pairs within one subject are left out.
        histogram: of all scores, from -1 to 1.
        tail: (k,) float32, descending: every score ``>= floor``, correctly rounded from a float64 product.
        first, second: (k,) template numbers behind ``tail``; ``first < second``.
        floor: scores below it are in the histogram only.
        graph: the pairs as a graph over subjects, for the vertex bootstrap.
    """

    pairs: int
    histogram: ScoreHistogram
    tail: NDArray[np.float32]
    first: NDArray[np.int32]
    second: NDArray[np.int32]
    floor: float
    graph: CellPairs


def score_pairs(
    vectors: NDArray[np.float32],
    subject: ArrayLike,
    *,
    keep: int,
    cell: ArrayLike | None = None,
    compatible: ArrayLike | None = None,
    bins: int = 2000,
    progress: Progress | None = None,
    threads: int | None = None,
    kernel: Kernel = "auto",
    block: tuple[int, int] = (ROWS, COLUMNS),
) -> PairScores:
    """Cosine scores of every pair of templates whose cells are compatible and whose subjects differ.

    Args:
        vectors: (n, d) float32 rows of unit length.
        subject: (n,) subject numbers in 0..s-1.
        keep: how many of the largest scores are needed exactly; at least as many are kept where there are so many.
        cell: (n,) cell numbers; None puts all templates into one cell.
        compatible: (cells, cells) symmetric bool; None lets a cell meet only itself.
        bins: of the histogram from -1 to 1.
        progress: told after each tile.
        threads: None takes one for each core this process may use.
        kernel: numba or numpy; the figures are the same.
        block: (rows, columns) of a matrix product.

    Raises:
        InvalidScoresError: shapes that do not fit, or rows that are not of unit length.
        InvalidRateError: ``keep`` or ``bins`` below 1.
        EmptyClassError: no pair is left.
        TooManyScoresError: ties make the tail too long to hold.
    """
    matrix = checked_templates(vectors)
    people = checked_codes(subject, len(matrix), "subjects")
    kinds = checked_codes(np.zeros(len(matrix), np.int64) if cell is None else cell, len(matrix), "cells")
    cells = int(kinds.max()) + 1 if len(kinds) else 1
    meets = np.eye(cells, dtype=bool) if compatible is None else np.asarray(compatible, dtype=bool)
    graph = CellPairs(people, kinds, meets, int(people.max()) + 1 if len(people) else 1)
    pairs = graph.pairs()
    slots = np.where(meets, 0, -1)
    plan = plan_pairs(matrix, people, kinds, slots, pairs=pairs, keep=keep, bins=bins, block=block)
    tally = count_all(plan, threads=threads, kernel=kernel, progress=progress)
    scores, first, second, floor = tally.tail(kernel)
    histogram = ScoreHistogram(-1.0, 1.0, tuple(tally.total.tolist()))
    return PairScores(pairs, histogram, scores, first, second, floor, graph)


def usable_cores() -> int:
    """Cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def count_all(
    plan: PairPlan,
    *,
    threads: int | None = None,
    kernel: Kernel = "auto",
    progress: Progress | None = None,
    tally: Tally | None = None,
    after: Callable[[Tally], None] | None = None,
) -> Tally:
    """Count every tile of a plan on this machine.

    Each thread takes a tile, multiplies its blocks with a BLAS of one thread and counts them, so that products of one
    thread run beside the counting of another.

    Args:
        plan: the work.
        threads: None takes one for each core.
        kernel: numba or numpy.
        progress: told after each tile.
        tally: what an earlier run had done already; it is added to.
        after: called after each tile, for checkpoints.

    Raises:
        InvalidRateError: fewer than one thread.
        KernelMissingError, TooManyScoresError.
    """
    workers = usable_cores() if threads is None else threads
    if workers < 1:
        raise InvalidRateError(f"at least one thread is needed, got {workers}.")
    chosen_kernel(kernel)
    sums = tally or Tally(plan)
    waiting = [number for number in range(len(plan.tiles)) if number not in sums.done]
    every = sum(tile.size for tile in plan.tiles)
    done = every - sum(plan.tiles[number].size for number in waiting)

    def count(number: int) -> TileCounts:
        return count_tile(plan, plan.tiles[number], sums.floor_bin, kernel)  # the floor as it is when the tile begins

    def take(number: int, found: TileCounts) -> None:
        nonlocal done
        sums.add(number, found)
        done += plan.tiles[number].size
        if progress is not None:
            progress(done, every)
        if after is not None:
            after(sums)

    if workers == 1 or len(waiting) < 2:
        # A single tile is left to BLAS to spread over the cores, several are spread by us.
        with nullcontext() if threads is None else threadpool_limits(workers, user_api="blas"):
            for number in waiting:
                take(number, count(number))
        return sums
    with threadpool_limits(1, user_api="blas"), ThreadPoolExecutor(workers) as pool:
        running: dict[Future[TileCounts], int] = {}
        try:
            while waiting or running:
                while waiting and len(running) <= workers:
                    number = waiting.pop(0)
                    running[pool.submit(count, number)] = number
                finished, _ = wait(running, return_when=FIRST_COMPLETED)
                for future in finished:
                    take(running.pop(future), future.result())
        finally:
            for future in running:
                future.cancel()
    return sums


def mated_pairs(subject: ArrayLike, limit: int = MATED_LIMIT) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
    """Every pair of templates of one subject.

    Args:
        subject: (n,) subject codes.
        limit: the most pairs that are listed.

    Returns:
        (m,) first and second template numbers, ``first < second``, in ascending order.

    Raises:
        TooManyScoresError: more pairs than ``limit``.
        InvalidScoresError: codes that are no whole numbers.
    """
    people = checked_codes(subject, np.asarray(subject).size, "subjects", lowest=-(2**62))
    order = np.argsort(people, kind="stable").astype(np.int32)
    _, starts, sizes = np.unique(people[order], return_index=True, return_counts=True)
    count = int((sizes.astype(np.int64) * (sizes - 1) // 2).sum())
    if count > limit:
        raise TooManyScoresError(
            f"{count:,} mated pairs are more than the {limit:,} that are listed one by one.",
            hint="Take fewer samples of each subject.",
        )
    firsts, seconds = [np.empty(0, np.int32)], [np.empty(0, np.int32)]
    for size in np.unique(sizes[sizes > 1]):
        members = order[starts[sizes == size][:, None] + np.arange(size)]
        one, two = np.triu_indices(int(size), 1)
        firsts.append(members[:, one].ravel())
        seconds.append(members[:, two].ravel())
    first, second = np.concatenate(firsts), np.concatenate(seconds)
    ranked = np.lexsort((second, first))
    return first[ranked], second[ranked]
