"""The non-mated comparisons of a score set: listed one by one, or counted in bins with the highest ones kept."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray

from samebody.measure import (
    CellPairs,
    EmptyClassError,
    InvalidScoresError,
    ListedPairs,
    PairGraph,
    ScoreHistogram,
    TailTooShortError,
    Threshold,
    allowed_errors,
    threshold_at_fmr,
    threshold_from_tail,
)

Codes = NDArray[np.int32]
Scores = NDArray[np.floating]
"""(n,) float32 or float64, as the table had them: thresholds are taken in the scores' own dtype."""

NO_GROUP = -1
"""Group code of a subject without a label."""


@dataclass(frozen=True, slots=True, eq=False)
class Errors:
    """False matches at a threshold, or the highest non-mated scores; in descending order of score.

    Attributes:
        scores: (k,) similarities.
        first, second: (k,) codes of the two subjects; never equal.
        first_sample, second_sample: (k,) codes of the two samples.
    """

    scores: Scores = field(repr=False)
    first: Codes = field(repr=False)
    second: Codes = field(repr=False)
    first_sample: Codes = field(repr=False)
    second_sample: Codes = field(repr=False)

    def __len__(self) -> int:
        return len(self.scores)


class NonMated(Protocol):
    """What both kinds of non-mated scores answer; nobody needs to know which kind it is."""

    @property
    def pairs(self) -> int:
        """Comparisons in all."""
        ...

    @property
    def floor(self) -> float:
        """Scores from here on are known one by one, with their pair; -inf when all are."""
        ...

    @property
    def range(self) -> tuple[float, float]:
        """Bounds that hold every score."""
        ...

    def threshold(self, target: float) -> tuple[Threshold, bool]:
        """The threshold for ``FMR <= target``, and whether it is a bin edge because the rank lies below ``floor``."""
        ...

    def fmr(self, thresholds: ArrayLike) -> NDArray[np.float64]:
        """(k,) false match rates; below ``floor`` a bin counts in full, so never more flattering than the data."""
        ...

    def errors_at(self, threshold: float) -> Errors:
        """The false matches, highest first; raises TailTooShortError below ``floor``."""
        ...

    def graph(self, subjects: int) -> PairGraph:
        """The comparisons as a graph over ``subjects`` people."""
        ...

    def levels(self, count: int) -> Scores:
        """About ``count`` scores (or bin edges) from the lowest to the highest, dense where errors are rare."""
        ...

    def group_graph(self, subject_group: NDArray[np.int16], group: int) -> PairGraph:
        """The comparisons within one group, over its members alone, in the order of their codes."""
        ...

    def group_trials(self, subject_group: NDArray[np.int16], groups: int) -> NDArray[np.int64]:
        """(groups, groups) symmetric: comparisons between two groups, each counted once (so the diagonal is within)."""
        ...

    def histogram(self, bins: int = 200, bounds: tuple[float, float] | None = None) -> ScoreHistogram:
        """All scores in bins."""
        ...

    def group_histogram(
        self, subject_group: NDArray[np.int16], group: int, bins: int = 200, bounds: tuple[float, float] | None = None
    ) -> ScoreHistogram | None:
        """Scores within one group; None where they were not kept apart."""
        ...


@dataclass(frozen=True, eq=False)
class ListedNonMated:
    """Comparisons of samples of different subjects, each of them known.

    Attributes:
        scores: (n,) similarities.
        first, second: (n,) subject codes of probe and reference; never equal.
        probe, reference: (n,) sample codes.
        quality: (n,) float32, the lower of the two; None where none is known.
    """

    scores: Scores = field(repr=False)
    first: Codes = field(repr=False)
    second: Codes = field(repr=False)
    probe: Codes = field(repr=False)
    reference: Codes = field(repr=False)
    quality: NDArray[np.float32] | None = field(default=None, repr=False)

    def __len__(self) -> int:
        return len(self.scores)

    @property
    def pairs(self) -> int:
        """Comparisons."""
        return len(self.scores)

    @property
    def floor(self) -> float:
        """Every score is known."""
        return -float("inf")

    @cached_property
    def _ascending(self) -> Scores:
        return np.sort(self.scores)

    @property
    def range(self) -> tuple[float, float]:
        """Lowest and highest score."""
        return float(self._ascending[0]), float(self._ascending[-1])

    def chosen(self, keep: NDArray[np.bool_]) -> ListedNonMated:
        """The comparisons where ``keep`` (n,) is true."""
        quality = None if self.quality is None else self.quality[keep]
        return ListedNonMated(
            self.scores[keep], self.first[keep], self.second[keep], self.probe[keep], self.reference[keep], quality
        )

    def threshold(self, target: float) -> tuple[Threshold, bool]:
        """Exact."""
        return threshold_at_fmr(self.scores, target), False

    def fmr(self, thresholds: ArrayLike) -> NDArray[np.float64]:
        """Exact."""
        asked = np.asarray(thresholds, dtype=np.float64)
        below = np.searchsorted(self._ascending, asked, side="left")
        return np.asarray((self.pairs - below) / self.pairs, dtype=np.float64)

    def errors_at(self, threshold: float) -> Errors:
        """Exact."""
        # a float64 threshold: a plain float would be rounded to the dtype of the scores before it is compared
        rows = np.flatnonzero(self.scores >= np.float64(threshold))
        rows = rows[np.argsort(-self.scores[rows], kind="stable")]
        return Errors(self.scores[rows], self.first[rows], self.second[rows], self.probe[rows], self.reference[rows])

    def graph(self, subjects: int) -> PairGraph:
        """The listed pairs."""
        return ListedPairs(self.first, self.second, subjects)

    def levels(self, count: int) -> Scores:
        """Scores at ranks from the top that grow by a constant factor."""
        return self._ascending[self.pairs - spaced_ranks(self.pairs, count)]

    def group_graph(self, subject_group: NDArray[np.int16], group: int) -> PairGraph:
        """The listed pairs with both people in ``group``."""
        inside = (subject_group[self.first] == group) & (subject_group[self.second] == group)
        place, members = renumbered(subject_group, group)
        return ListedPairs(place[self.first[inside]], place[self.second[inside]], members)

    def group_trials(self, subject_group: NDArray[np.int16], groups: int) -> NDArray[np.int64]:
        """Counted pair by pair."""
        return count_group_pairs(subject_group[self.first], subject_group[self.second], groups)

    def histogram(self, bins: int = 200, bounds: tuple[float, float] | None = None) -> ScoreHistogram:
        """All scores in bins."""
        return binned(self.scores, bins, bounds or self.range)

    def group_histogram(
        self, subject_group: NDArray[np.int16], group: int, bins: int = 200, bounds: tuple[float, float] | None = None
    ) -> ScoreHistogram | None:
        """Scores of the pairs within one group."""
        inside = (subject_group[self.first] == group) & (subject_group[self.second] == group)
        return binned(self.scores[inside], bins, bounds or self.range)


@dataclass(frozen=True, eq=False)
class CountedNonMated:
    """So many comparisons that they are counted: fine exact histograms by group pair, and the highest scores exactly.

    Attributes:
        low, high: edges of the histograms; they hold every score.
        counts: (c, bins) int64; one row for each pair of groups in ``group_pairs``; a bin holds
            ``edge <= score < next edge``.
        group_pairs: (c, 2) int16 group codes, first <= second; :data:`NO_GROUP` for people without a label.
        tail: (k,) descending: every score ``>= floor``.
        first, second: (k,) subject codes behind ``tail``.
        first_sample, second_sample: (k,) sample codes behind ``tail``.
        floor: scores below it are in the histograms only.
        pair_graph: who was compared with whom.
    """

    low: float
    high: float
    counts: NDArray[np.int64] = field(repr=False)
    group_pairs: NDArray[np.int16] = field(repr=False)
    tail: Scores = field(repr=False)
    first: Codes = field(repr=False)
    second: Codes = field(repr=False)
    first_sample: Codes = field(repr=False)
    second_sample: Codes = field(repr=False)
    floor: float
    pair_graph: GraphOfPairs = field(repr=False)

    @cached_property
    def pairs(self) -> int:
        """Comparisons counted."""
        return int(self.counts.sum())

    @property
    def range(self) -> tuple[float, float]:
        """Edges of the histograms."""
        return self.low, self.high

    @cached_property
    def _total(self) -> NDArray[np.int64]:
        return np.asarray(self.counts.sum(axis=0), dtype=np.int64)

    @cached_property
    def _edges(self) -> NDArray[np.float64]:
        return np.linspace(self.low, self.high, self.counts.shape[1] + 1)

    def threshold(self, target: float) -> tuple[Threshold, bool]:
        """Exact while the rank lies in the tail; below, the first bin edge that keeps the rate."""
        try:
            return threshold_from_tail(self.tail, self.pairs, target), False
        except (TailTooShortError, EmptyClassError):
            allowed = allowed_errors(target, self.pairs)
            at_or_above = np.append(np.cumsum(self._total[::-1])[::-1], 0)
            bin_ = int(np.argmax(at_or_above <= allowed))
            errors = int(at_or_above[bin_])
            value = self.tail.dtype.type(self._edges[bin_])
            if float(value) < self._edges[bin_]:  # rounded down, below the edge: a score of the bin before could pass
                value = np.nextafter(value, self.tail.dtype.type(np.inf))
            return Threshold(target, float(value), errors / self.pairs, errors, self.pairs), True

    def fmr(self, thresholds: ArrayLike) -> NDArray[np.float64]:
        """Exact from ``floor`` on; below, the bin that holds a threshold counts in full."""
        asked = np.atleast_1d(np.asarray(thresholds, dtype=np.float64))
        ascending = self.tail[::-1]
        exact = len(ascending) - np.searchsorted(ascending, asked, side="left")
        at_or_above = np.append(np.cumsum(self._total[::-1])[::-1], 0)
        bins = np.clip(np.searchsorted(self._edges, asked, side="right") - 1, 0, len(self._total))
        counted = np.where(asked > self.high, 0, at_or_above[bins])
        return np.asarray(np.where(asked >= self.floor, exact, counted) / self.pairs, dtype=np.float64)

    def errors_at(self, threshold: float) -> Errors:
        """From the tail.

        Raises:
            TailTooShortError: below ``floor``.
        """
        if threshold < self.floor:
            raise TailTooShortError(
                f"scores below {self.floor:.4f} were counted, not kept, so the false matches at {threshold:.4f} are "
                "not known one by one.",
                hint="Keep a longer tail (--keep), or ask at a lower false match rate.",
            )
        count = len(self.tail) - int(np.searchsorted(self.tail[::-1], threshold, side="left"))
        part = slice(0, count)
        return Errors(
            self.tail[part], self.first[part], self.second[part], self.first_sample[part], self.second_sample[part]
        )

    def graph(self, subjects: int) -> PairGraph:
        """The graph in closed form."""
        return self.pair_graph.build(subjects)

    def levels(self, count: int) -> Scores:
        """Kept scores at ranks that grow by a constant factor, and bin edges below them."""
        kept = self.tail[spaced_ranks(len(self.tail), count) - 1] if len(self.tail) else self.tail
        edges = self._edges[:-1][self._edges[:-1] < self.floor]
        step = max(1, len(edges) // max(count // 4, 1))
        return np.concatenate([edges[::step].astype(self.tail.dtype), np.unique(kept)])

    def group_graph(self, subject_group: NDArray[np.int16], group: int) -> PairGraph:
        """The graph within a group."""
        return self.pair_graph.within(subject_group, group)

    def group_trials(self, subject_group: NDArray[np.int16], groups: int) -> NDArray[np.int64]:
        """From the histograms."""
        trials = np.zeros((groups, groups), dtype=np.int64)
        for (one, two), count in zip(self.group_pairs.tolist(), self.counts.sum(axis=1).tolist()):
            if one != NO_GROUP and two != NO_GROUP:
                trials[one, two] += count
                if one != two:
                    trials[two, one] += count
        return trials

    def histogram(self, bins: int = 200, bounds: tuple[float, float] | None = None) -> ScoreHistogram:
        """The counts in coarser bins; ``bounds`` other than the own move a count by up to one fine bin."""
        return rebinned(self._total, (self.low, self.high), bins, bounds)

    def group_histogram(
        self, subject_group: NDArray[np.int16], group: int, bins: int = 200, bounds: tuple[float, float] | None = None
    ) -> ScoreHistogram | None:
        """Counts within one group."""
        rows = np.all(self.group_pairs == group, axis=1)
        return rebinned(self.counts[rows].sum(axis=0), (self.low, self.high), bins, bounds)


@dataclass(frozen=True, eq=False)
class GraphOfPairs:
    """Who was compared with whom, in a form that can be kept in a file.

    Exactly one of three: *cells* (every template of a cell met every template of a compatible cell:
    ``template_subject``, ``template_cell``, ``compatible``), *counted* (``first``, ``second``, ``count``: comparisons
    of two subjects), or *degrees* (``degree``: comparisons of each subject, when even the pairs of subjects are too
    many to hold).
    """

    template_subject: Codes | None = field(default=None, repr=False)
    template_cell: Codes | None = field(default=None, repr=False)
    compatible: NDArray[np.bool_] | None = field(default=None, repr=False)
    first: Codes | None = field(default=None, repr=False)
    second: Codes | None = field(default=None, repr=False)
    count: NDArray[np.int64] | None = field(default=None, repr=False)
    degree: NDArray[np.int64] | None = field(default=None, repr=False)
    pairs: int = 0

    @property
    def approximate(self) -> bool:
        """Whether only the number of comparisons of each subject is known."""
        return self.degree is not None

    def build(self, subjects: int) -> PairGraph:
        """The graph over ``subjects`` people."""
        if self.template_subject is not None and self.template_cell is not None and self.compatible is not None:
            return CellPairs(self.template_subject, self.template_cell, self.compatible, subjects)
        if self.first is not None and self.second is not None and self.count is not None:
            return SubjectPairCounts(self.first, self.second, self.count, subjects)
        if self.degree is not None:
            return SubjectDegrees(self.degree, self.pairs)
        raise InvalidScoresError("the graph of the non-mated pairs was not kept.")

    def within(self, subject_group: NDArray[np.int16], group: int) -> PairGraph:
        """The graph of the pairs with both people in ``group``.

        Raises:
            TailTooShortError: only degrees were kept, which do not say who met whom.
        """
        place, members = renumbered(subject_group, group)
        if self.template_subject is not None and self.template_cell is not None and self.compatible is not None:
            inside = subject_group[self.template_subject] == group
            cells = self.template_cell[inside]
            return CellPairs(place[self.template_subject[inside]], cells, self.compatible, members)
        if self.first is not None and self.second is not None and self.count is not None:
            both = (subject_group[self.first] == group) & (subject_group[self.second] == group)
            return SubjectPairCounts(place[self.first[both]], place[self.second[both]], self.count[both], members)
        raise TailTooShortError(
            "the table has too many pairs of subjects to know who met whom within a group.",
            hint="Evaluate from templates, or give one table for each group.",
        )


class SubjectPairCounts:
    """A pair graph given as counts of comparisons between two subjects.

    Args:
        first, second: (n,) subject codes, never equal.
        count: (n,) comparisons of the two.
        subjects: number of vertices.
    """

    def __init__(self, first: ArrayLike, second: ArrayLike, count: ArrayLike, subjects: int) -> None:
        from scipy import sparse

        one, two, counts = np.asarray(first), np.asarray(second), np.asarray(count, dtype=np.float64)
        self.subjects, self._pairs = subjects, int(counts.sum())
        self.taking_part = int(np.unique(np.concatenate([one, two])).size)
        self._matrix = sparse.coo_matrix((counts, (one, two)), shape=(subjects, subjects)).tocsr()

    def pairs(self) -> int:
        """Comparisons in all."""
        return self._pairs

    def weighted_pairs(self, weights: NDArray[np.float64]) -> NDArray[np.float64]:
        """(replicates,) sum over comparisons of the product of weights."""
        return np.asarray(np.einsum("sr,sr->r", weights, self._matrix @ weights), dtype=np.float64)


class SubjectDegrees:
    """A pair graph of which only the number of comparisons of each subject is known.

    The weighted number of pairs is taken as ``pairs (sum_i d_i w_i / sum_i d_i)^2``: exact when who meets whom does not
    depend on the weights, as in all-pairs tables of many subjects.
    """

    def __init__(self, degree: NDArray[np.int64], pairs: int) -> None:
        self._degree, self._pairs = degree.astype(np.float64), pairs
        self.subjects, self.taking_part = len(degree), int(np.count_nonzero(degree))

    def pairs(self) -> int:
        """Comparisons in all."""
        return self._pairs

    def weighted_pairs(self, weights: NDArray[np.float64]) -> NDArray[np.float64]:
        """(replicates,) approximate weighted number of pairs."""
        share = self._degree @ weights / self._degree.sum()
        return np.asarray(self._pairs * np.square(share), dtype=np.float64)


def count_group_pairs(one: NDArray[np.int16], two: NDArray[np.int16], groups: int) -> NDArray[np.int64]:
    """(groups, groups) symmetric counts of pairs of group codes; pairs with :data:`NO_GROUP` are left out."""
    known = (one >= 0) & (two >= 0)
    low, high = np.minimum(one[known], two[known]), np.maximum(one[known], two[known])
    flat = np.bincount(low.astype(np.int64) * groups + high, minlength=groups * groups)
    upper = flat.reshape(groups, groups).astype(np.int64)
    return np.asarray(upper + np.triu(upper, 1).T, dtype=np.int64)


def binned(scores: Scores, bins: int, bounds: tuple[float, float]) -> ScoreHistogram:
    """Scores in ``bins`` equal bins between ``bounds`` (widened when they are equal)."""
    low, high = widened(bounds)
    positions = np.clip(((scores.astype(np.float64) - low) * (bins / (high - low))).astype(np.int64), 0, bins - 1)
    return ScoreHistogram(low, high, tuple(np.bincount(positions, minlength=bins).tolist()))


def rebinned(
    counts: NDArray[np.int64], own: tuple[float, float], bins: int, bounds: tuple[float, float] | None
) -> ScoreHistogram:
    """Fine counts between ``own`` as ``bins`` bins between ``bounds``; each fine bin goes where its middle lies."""
    low, high = widened(bounds or own)
    middles = own[0] + (np.arange(len(counts)) + 0.5) * ((own[1] - own[0]) / len(counts))
    positions = np.clip(((middles - low) * (bins / (high - low))).astype(np.int64), 0, bins - 1)
    joined = np.zeros(bins, dtype=np.int64)
    np.add.at(joined, positions, counts)
    return ScoreHistogram(low, high, tuple(joined.tolist()))


def widened(bounds: tuple[float, float]) -> tuple[float, float]:
    """Bounds with a positive distance."""
    low, high = bounds
    if high > low:
        return low, high
    return low - max(abs(low), 1.0) * 1e-6, high + max(abs(high), 1.0) * 1e-6


def renumbered(subject_group: NDArray[np.int16], group: int) -> tuple[Codes, int]:
    """(s,) place of each member of ``group`` among its members, -1 for others; and how many there are."""
    members = np.flatnonzero(subject_group == group)
    place = np.full(len(subject_group), -1, dtype=np.int32)
    place[members] = np.arange(len(members))
    return place, len(members)


def spaced_ranks(size: int, count: int) -> NDArray[np.int64]:
    """About ``count`` ranks from 1 to ``size``, growing by a constant factor; all of them when there are few."""
    if size <= count:
        return np.arange(1, size + 1)
    return np.unique(np.geomspace(1, size, count).round().astype(np.int64))
