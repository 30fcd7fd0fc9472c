"""Counting the scores of one tile of a plan, and adding tiles up: the same counts on any thread, process or machine.

A tile is counted by itself. What comes back can be added in any order, any number of tiles at a time: counts are whole
numbers, and the list of largest scores is cut at a floor that follows from the final counts alone.
"""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from samebody.measure.errors import TooManyScoresError
from samebody.measure.kernels import Kernel, chosen_kernel, compiled, count_rows, pair_products
from samebody.measure.pair_plan import PairPlan, Tile

ROUNDING = 1e-5
"""A float32 product of unit vectors is nearer than this to the exact cosine."""

SPARE = 20_000_000
"""Scores that may be held beyond those that are needed: ties at the end of the tail cannot be cut."""

_FIRST = 1 << 18  # scores a tile has room for at first


@dataclass(frozen=True, slots=True, eq=False)
class TileCounts:
    """The counts of one tile.

    Attributes:
        slots: (k,) int32, the histograms that were counted into.
        counts: (k, bins) int32 or int64.
        scores, rows, columns: (m,) float32 product and sorted template numbers of every non-mated pair in a bin from
            ``floor_bin`` on.
        floor_bin: lowest bin whose scores were listed.
        process: names the process that counted; its id on this machine.
    """

    slots: NDArray[np.int32] = field(repr=False)
    counts: NDArray[np.integer] = field(repr=False)
    scores: NDArray[np.float32] = field(repr=False)
    rows: NDArray[np.int32] = field(repr=False)
    columns: NDArray[np.int32] = field(repr=False)
    floor_bin: int
    process: str


@dataclass(frozen=True, slots=True)
class _Binning:
    """``floor(score * scale + shift)`` clipped to ``-base..highest``, plus ``base``.

    With a number of bins that is a power of two every step is exact in float32: a score on an edge is counted above it.
    """

    scale: np.float32
    shift: np.float32
    base: np.float32
    highest: np.float32

    @classmethod
    def of(cls, bins: int) -> _Binning:
        base = bins // 2
        return cls(np.float32(bins / 2), np.float32((bins % 2) / 2), np.float32(base), np.float32(bins - 1 - base))

    def bins(self, scores: NDArray[np.float32]) -> NDArray[np.int32]:
        places = np.floor(scores * self.scale + self.shift)
        np.clip(places, -self.base, self.highest, out=places)
        places += self.base
        return np.asarray(places, dtype=np.int32)


def floor_bin(total: NDArray[np.integer], keep: int) -> int:
    """The lowest bin whose scores may still be among the ``keep`` largest, given the counts so far.

    Two bins of slack below the highest edge with ``keep`` scores above it: rounding moves a score by less than a bin.
    """
    above = np.cumsum(total[::-1], dtype=np.int64)[::-1]
    if above[0] <= keep:
        return 0  # all of them
    enough = int(np.searchsorted(-above, -keep, side="right")) - 1
    return max(enough - 2, 0)


class Tally:
    """Tiles added up so far."""

    def __init__(self, plan: PairPlan) -> None:
        self.plan = plan
        self.counts = np.zeros((plan.histograms, plan.bins), dtype=np.int64)
        self.total = np.zeros(plan.bins, dtype=np.int64)
        self.floor_bin = 0
        self.done: set[int] = set()
        self.processes: set[str] = set()
        self._parts: list[tuple[NDArray[np.float32], NDArray[np.int32], NDArray[np.int32]]] = []
        self._held = 0

    def add(self, number: int, found: TileCounts) -> None:
        """Add tile ``number``.

        Raises:
            TooManyScoresError: the tail cannot be cut short enough.
        """
        for line, slot in enumerate(found.slots):
            self.counts[slot] += found.counts[line]
        self.total += found.counts.sum(axis=0, dtype=np.int64)
        self.floor_bin = max(self.floor_bin, floor_bin(self.total, self.plan.keep))
        self._parts.append((found.scores, found.rows, found.columns))
        self._held += len(found.scores)
        self.done.add(number)
        self.processes.add(found.process)
        if self._held > 2 * self.plan.keep + 1_000_000:
            self.compact()
            check_held(self._held, self.plan.keep, self.floor_bin, self.plan.bins)

    def compact(self) -> tuple[NDArray[np.float32], NDArray[np.int32], NDArray[np.int32]]:
        """Drop listed scores below the floor; (scores, sorted rows, sorted columns) of the rest."""
        if not self._parts:
            self._parts = [(np.empty(0, np.float32), np.empty(0, np.int32), np.empty(0, np.int32))]
        scores, rows, columns = (np.concatenate(column) for column in zip(*self._parts))
        keep = _Binning.of(self.plan.bins).bins(scores) >= self.floor_bin
        self._parts = [(scores[keep], rows[keep], columns[keep])]
        self._held = len(self._parts[0][0])
        return self._parts[0]

    def restore(
        self,
        done: set[int],
        processes: set[str],
        counts: NDArray[np.int64],
        tail: tuple[NDArray[np.float32], NDArray[np.int32], NDArray[np.int32]],
    ) -> None:
        """Take over what an interrupted run had added up."""
        self.done, self.processes, self.counts = set(done), set(processes), counts
        self.total = counts.sum(axis=0)
        self.floor_bin = floor_bin(self.total, self.plan.keep)
        self._parts, self._held = [tail], len(tail[0])

    def tail(self, kernel: Kernel = "auto") -> tuple[NDArray[np.float32], NDArray[np.int32], NDArray[np.int32], float]:
        """Every score from a floor on, exactly: float64 products rounded once, descending, with the caller's numbers.

        Returns:
            Scores, first and second template (``first < second``), the floor; -1 when all scores are listed.
        """
        _, rows, columns = self.compact()
        plan = self.plan
        exact = exact_scores(plan.matrix, rows, columns, kernel)
        # One bin above the lowest that was listed; from bin 0 on everything was.
        floor = -1.0 + (self.floor_bin + 1) * (2.0 / plan.bins) if self.floor_bin > 0 else -1.0
        if floor > -1.0:
            inside = exact >= np.float32(floor)
            exact, rows, columns = exact[inside], rows[inside], columns[inside]
        one, two = plan.order[rows], plan.order[columns]
        first, second = np.minimum(one, two), np.maximum(one, two)
        ranked = ranking(exact, first, second)
        return exact[ranked], first[ranked], second[ranked], floor


def exact_scores(
    matrix: NDArray[np.float32], rows: NDArray[np.integer], columns: NDArray[np.integer], kernel: Kernel = "auto"
) -> NDArray[np.float32]:
    """(k,) cosine scores of listed pairs, multiplied in float64 and rounded once to float32.

    Products of float32 are exact in float64, so the order of the sum moves it by some 1e-16: both kernels round to the
    same float32 but for about one pair in 1e8.
    """
    exact = np.empty(len(rows), dtype=np.float32)
    if chosen_kernel(kernel) == "numba":
        one, two, products = rows.astype(np.int32), columns.astype(np.int32), compiled(pair_products)
        parts = [slice(start, start + (1 << 17)) for start in range(0, len(rows), 1 << 17)]
        if len(parts) < 2:
            products(matrix, one, two, exact)
            return exact
        with ThreadPoolExecutor(min(4, os.cpu_count() or 1)) as pool:
            list(pool.map(lambda part: products(matrix, one[part], two[part], exact[part]), parts))
        return exact
    for start in range(0, len(rows), 32768):
        part = slice(start, start + 32768)
        one, two = matrix[rows[part]].astype(np.float64), matrix[columns[part]].astype(np.float64)
        exact[part] = np.einsum("nd,nd->n", one, two)
    return exact


def ranking(scores: NDArray[np.float32], first: NDArray[np.int32], second: NDArray[np.int32]) -> NDArray[np.int64]:
    """The order by descending score, then first and second number: ``lexsort``, in two sorts of whole numbers."""
    pair = np.argsort((first.astype(np.int64) << 32) | second)
    bits = (scores[pair] + np.float32(0)).view(np.uint32)  # + 0: a negative zero is a zero
    ascending = np.where(bits >> 31, ~bits, bits | np.uint32(1 << 31))
    keys = ((~ascending).astype(np.uint64) << np.uint64(32)) | np.arange(len(scores), dtype=np.uint64)
    keys.sort()
    return pair[(keys & np.uint64(0xFFFFFFFF)).astype(np.int64)]


def check_held(held: int, keep: int, lowest: int, bins: int) -> None:
    """Refuse a tail that ties make too long to hold.

    Raises:
        TooManyScoresError: more than ``keep`` + :data:`SPARE` scores are held.
    """
    if held > keep + SPARE:
        raise TooManyScoresError(
            f"{held:,} scores lie at or above {-1 + lowest * 2 / bins:.4f}, where the {keep:,} largest were wanted: "
            "very many pairs share one score.",
            hint="Look for copies of one template, or keep fewer scores.",
        )


def count_tile(plan: PairPlan, tile: Tile, lowest: int = 0, kernel: Kernel = "auto") -> TileCounts:
    """Count one tile.

    Args:
        plan: what the tile is of.
        tile: one of ``plan.tiles``.
        lowest: bin from which scores are listed; a floor known from other tiles. It is raised on the way.
        kernel: numba or numpy; the counts are the same.

    Raises:
        KernelMissingError: numba was asked for and is missing.
        TooManyScoresError: ties make the tail too long.
    """
    slots = plan.slots_of(tile)
    local = np.full(plan.histograms, -1, dtype=np.int32)
    local[slots] = np.arange(len(slots))
    wide = tile.size >= 2**31
    counter = _Counter(plan, local, np.zeros((len(slots), plan.bins), np.int64 if wide else np.int32), lowest)
    count = counter.by_numba if chosen_kernel(kernel) == "numba" else counter.by_numpy
    rows = plan.matrix[tile.top : tile.bottom]
    room = np.empty(len(rows) * plan.block[1], dtype=np.float32)
    for begin, end in tile.columns:
        for left in range(begin, end, plan.block[1]):
            right = min(left + plan.block[1], end)
            scores = room[: len(rows) * (right - left)].reshape(len(rows), right - left)
            np.matmul(rows, plan.matrix[left:right].T, out=scores)
            count(scores, tile.top, left)
    return counter.finished(slots)


class _Counter:
    """The counts of a tile while its blocks come in."""

    def __init__(self, plan: PairPlan, local: NDArray[np.int32], counts: NDArray[np.integer], lowest: int) -> None:
        self._plan, self._local, self._counts, self._lowest = plan, local, counts, lowest
        self._binning = _Binning.of(plan.bins)
        self._places = np.empty(plan.block[1], dtype=np.uint32)
        self._filled = 0
        self._scores = np.empty(0, dtype=np.float32)
        self._rows, self._columns = np.empty(0, dtype=np.int32), np.empty(0, dtype=np.int32)
        # Without a floor from other tiles this one will list as many as are needed in all.
        needed = 0 if lowest else min(2 * plan.keep, SPARE)
        self._make_room(max(_FIRST, 2 * plan.block[1], needed))

    def _make_room(self, size: int) -> None:
        part = slice(0, self._filled)
        scores, rows, columns = np.empty(size, np.float32), np.empty(size, np.int32), np.empty(size, np.int32)
        scores[part], rows[part], columns[part] = self._scores[part], self._rows[part], self._columns[part]
        self._scores, self._rows, self._columns = scores, rows, columns

    def by_numba(self, scores: NDArray[np.float32], top: int, left: int) -> None:
        plan, row, binning = self._plan, 0, self._binning
        count = compiled(count_rows)
        while True:
            row, self._filled = count(
                scores, row, top, left, plan.subject, plan.cell, plan.bounds, plan.slots, self._local,
                plan.own, plan.own_start, binning.scale, binning.shift, binning.base, binning.highest, self._lowest,
                self._counts, self._places, self._scores, self._rows, self._columns, self._filled,
            )  # fmt: skip
            if row == len(scores):
                return
            self._prune(scores.shape[1])

    def by_numpy(self, scores: NDArray[np.float32], top: int, left: int) -> None:
        plan = self._plan
        rows, columns = scores.shape
        one, two = slice(top, top + rows), slice(left, left + columns)
        places = self._binning.bins(scores)
        counted = plan.subject[one][:, None] != plan.subject[two][None, :]
        if left < top + rows:
            counted &= np.arange(top, top + rows)[:, None] < np.arange(left, left + columns)[None, :]
        for kind in np.unique(plan.cell[one]):
            across = self._within(int(kind), top, rows)
            for other in np.unique(plan.cell[two]):
                slot = plan.slots[kind, other]
                along = self._within(int(other), left, columns)
                if slot < 0:
                    counted[across, along] = False
                    continue
                chosen = places[across, along][counted[across, along]]
                self._counts[self._local[slot]] += np.bincount(chosen, minlength=plan.bins).astype(self._counts.dtype)
        found_rows, found_columns = np.nonzero(counted & (places >= self._lowest))
        while self._filled + len(found_rows) > len(self._scores):
            self._prune(len(found_rows))
        room = slice(self._filled, self._filled + len(found_rows))
        self._scores[room] = scores[found_rows, found_columns]
        self._rows[room], self._columns[room] = found_rows + top, found_columns + left
        self._filled += len(found_rows)

    def _within(self, cell: int, begin: int, count: int) -> slice:
        low, high = int(self._plan.bounds[cell]) - begin, int(self._plan.bounds[cell + 1]) - begin
        return slice(max(low, 0), min(high, count))

    def _prune(self, wanted: int) -> None:
        """Raise the floor to what the counts of this tile allow; take more room when that is not enough."""
        total = self._counts.sum(axis=0, dtype=np.int64)
        self._lowest = max(self._lowest, floor_bin(total, self._plan.keep))
        part = slice(0, self._filled)
        keep = np.flatnonzero(self._binning.bins(self._scores[part]) >= self._lowest)
        for values in (self._scores, self._rows, self._columns):
            values[: len(keep)] = values[keep]
        self._filled = len(keep)
        check_held(self._filled, self._plan.keep, self._lowest, self._plan.bins)
        if 2 * self._filled > len(self._scores) or self._filled + wanted > len(self._scores):
            self._make_room(max(2 * len(self._scores), self._filled + wanted))

    def finished(self, slots: NDArray[np.int32]) -> TileCounts:
        part = slice(0, self._filled)
        return TileCounts(
            slots,
            self._counts,
            self._scores[part].copy(),
            self._rows[part].copy(),
            self._columns[part].copy(),
            self._lowest,
            str(os.getpid()),
        )
