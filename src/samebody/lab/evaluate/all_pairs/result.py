"""What is known of all pairs of a set of templates: every mated score, and non-mated histograms with an exact tail."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from numpy.typing import ArrayLike, NDArray

from samebody.measure import (
    CellPairs,
    DetCurve,
    ListedPairs,
    ScoreHistogram,
    TailTooShortError,
    Threshold,
    score_histogram,
    threshold_from_tail,
)
from samebody.measure.errors import EmptyClassError


@dataclass(frozen=True, slots=True)
class EngineRun:
    """How the counting was done; none of it changes a figure.

    Attributes:
        engine: ``local`` or ``ray``.
        kernel: ``numba`` or ``numpy``.
        workers: threads of this process, or Ray workers.
        processes: of the processes that counted, ascending: process ids; with Ray ``node:process id``.
        tiles: pieces of work in all.
        resumed: of them, taken over from a checkpoint.
        seconds: from the first tile to the result.
    """

    engine: str
    kernel: str
    workers: int
    processes: tuple[str, ...]
    tiles: int
    resumed: int
    seconds: float


@dataclass(frozen=True, eq=False)
class AllPairs:
    """The scores of all pairs of n templates.

    Attributes:
        subject: (n,) subject codes, as they were given.
        group: (n,) group codes from -1 (no label) on.
        groups: number of groups, -1 not counted.
        bins: of each histogram over [-1, 1]; a bin holds ``edge <= score < next edge``, and 1 is in the last.
        counts: (c, bins) int64, non-mated scores; a row for each pair of groups in ``group_pairs``.
        group_pairs: (c, 2) int16, first <= second.
        tail: (k,) float32, descending: every non-mated score ``>= floor``, a float64 product rounded once.
        first, second: (k,) int32 template numbers behind ``tail``; first < second.
        floor: scores below it are in the histograms only; -1 when all are kept.
        mated: (m,) float32 scores of all mated pairs, rounded in the same way.
        mated_first, mated_second: (m,) int32 template numbers behind ``mated``; first < second, ascending.
        graph: who was compared with whom, for the vertex bootstrap.
        run: how it was counted.
    """

    subject: NDArray[np.int64] = field(repr=False)
    group: NDArray[np.int64] = field(repr=False)
    groups: int
    bins: int
    counts: NDArray[np.int64] = field(repr=False)
    group_pairs: NDArray[np.int16] = field(repr=False)
    tail: NDArray[np.float32] = field(repr=False)
    first: NDArray[np.int32] = field(repr=False)
    second: NDArray[np.int32] = field(repr=False)
    floor: float
    mated: NDArray[np.float32] = field(repr=False)
    mated_first: NDArray[np.int32] = field(repr=False)
    mated_second: NDArray[np.int32] = field(repr=False)
    graph: CellPairs = field(repr=False)
    run: EngineRun

    @cached_property
    def total(self) -> NDArray[np.int64]:
        """(bins,) counts of all non-mated scores."""
        return np.asarray(self.counts.sum(axis=0), dtype=np.int64)

    @cached_property
    def pairs(self) -> int:
        """Non-mated pairs in all."""
        return int(self.total.sum())

    @cached_property
    def trials(self) -> NDArray[np.int64]:
        """(groups, groups) symmetric: non-mated pairs between two groups, each counted once."""
        return self._matrix(self.group_pairs, self.counts.sum(axis=1))

    @cached_property
    def edges(self) -> NDArray[np.float64]:
        """(bins + 1,) bin edges."""
        return np.linspace(-1.0, 1.0, self.bins + 1)

    def _matrix(self, pairs: NDArray[np.integer], weights: NDArray[np.int64]) -> NDArray[np.int64]:
        matrix = np.zeros((self.groups, self.groups), dtype=np.int64)
        known = np.all(pairs >= 0, axis=1)
        one, two = np.min(pairs[known], axis=1), np.max(pairs[known], axis=1)
        np.add.at(matrix, (one, two), weights[known])
        return np.asarray(matrix + np.triu(matrix, 1).T, dtype=np.int64)

    def threshold_at_fmr(self, target: float) -> Threshold:
        """The threshold for ``FMR <= target``, exact (:func:`samebody.measure.threshold_from_tail`).

        Raises:
            TailTooShortError: the rank lies below the kept scores.
            InvalidRateError: a target outside [0, 1).
        """
        return threshold_from_tail(self.tail, self.pairs, target)

    def fmr(self, thresholds: ArrayLike) -> NDArray[np.float64]:
        """(k,) false match rates; exact from ``floor`` on, below it the bin of a threshold counts in full."""
        asked = np.atleast_1d(np.asarray(thresholds, dtype=np.float64))
        exact = len(self.tail) - np.searchsorted(self.tail[::-1], asked, side="left")
        at_or_above = np.append(np.cumsum(self.total[::-1])[::-1], 0)
        bins = np.clip(np.searchsorted(self.edges, asked, side="right") - 1, 0, self.bins - 1)
        return np.asarray(np.where(asked >= self.floor, exact, at_or_above[bins]) / self.pairs, dtype=np.float64)

    def fnmr(self, threshold: float) -> float:
        """False non-match rate of the mated pairs.

        Raises:
            EmptyClassError: no subject has two templates.
        """
        if not len(self.mated):
            raise EmptyClassError("there are no mated pairs.", hint="No subject has two templates.")
        return float(np.count_nonzero(self.mated < threshold) / len(self.mated))

    def _accepted(self, threshold: float) -> int:
        if threshold < self.floor:
            raise TailTooShortError(
                f"scores below {self.floor:.4f} are in the histograms only, so the false matches at {threshold:.4f} "
                "are not known one by one.",
                hint="Keep more scores (keep_fmr), or ask at a higher threshold.",
            )
        return len(self.tail) - int(np.searchsorted(self.tail[::-1], threshold, side="left"))

    def errors(self, threshold: float) -> NDArray[np.int64]:
        """(groups, groups) symmetric: false matches between two groups at ``threshold``, each counted once.

        Raises:
            TailTooShortError: below ``floor``.
        """
        count = self._accepted(threshold)
        codes = np.stack([self.group[self.first[:count]], self.group[self.second[:count]]], axis=1)
        return self._matrix(codes, np.ones(count, dtype=np.int64))

    def errors_graph(self, threshold: float) -> ListedPairs:
        """The false matches at ``threshold`` as a graph over subjects, for the vertex bootstrap.

        Raises:
            TailTooShortError: below ``floor``.
        """
        count = self._accepted(threshold)
        return ListedPairs(self.subject[self.first[:count]], self.subject[self.second[:count]], self.graph.subjects)

    def histogram(self, one: int | None = None, two: int | None = None) -> ScoreHistogram:
        """Non-mated scores of all pairs, within a group, or between two groups.

        Raises:
            EmptyClassError: no such pair of groups.
        """
        if one is None:
            return ScoreHistogram(-1.0, 1.0, tuple(self.total.tolist()))
        wanted = sorted((one, one if two is None else two))
        rows = np.flatnonzero(np.all(self.group_pairs == wanted, axis=1))
        if not len(rows):
            raise EmptyClassError(f"there are no groups {wanted[0]} and {wanted[1]}.")
        return ScoreHistogram(-1.0, 1.0, tuple(self.counts[rows[0]].tolist()))

    def mated_histogram(self, group: int | None = None, bins: int | None = None) -> ScoreHistogram:
        """Mated scores of all pairs, or of those with both templates in ``group``."""
        scores = self.mated
        if group is not None:
            scores = scores[(self.group[self.mated_first] == group) & (self.group[self.mated_second] == group)]
        return score_histogram(scores, -1.0, 1.0, bins or self.bins)

    def det(self) -> DetCurve:
        """Detection error trade-off: at every bin edge below ``floor``, and at every distinct kept score from there on.

        Raises:
            EmptyClassError: no subject has two templates.
        """
        if not len(self.mated):
            raise EmptyClassError("there are no mated pairs.", hint="No subject has two templates.")
        below = self.edges[:-1][self.edges[:-1] < self.floor]
        known = np.unique(self.tail).astype(np.float64)
        mated = np.sort(self.mated)
        above = np.unique(mated[mated > (known[-1] if len(known) else self.floor)]).astype(np.float64)
        thresholds = np.concatenate([below, known, above, [np.inf]])
        accepted = self.fmr(thresholds[:-1])
        refused = np.searchsorted(mated, thresholds, side="left") / len(mated)
        return DetCurve(thresholds, np.append(accepted, 0.0), refused)
