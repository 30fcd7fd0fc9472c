"""Non-mated scores that are too many to hold: counted in exact bins by group pair, the highest kept exactly."""

from __future__ import annotations

import numpy as np
from numpy.typing import DTypeLike, NDArray

from samebody.lab.evaluate.non_mated import Codes, CountedNonMated, GraphOfPairs, Scores, widened

BINS = 20_000
PAIR_LIMIT = 30_000_000
"""Distinct pairs of subjects held before only the degrees are kept."""


class Counter:
    """Takes scores chunk by chunk; :meth:`finish` gives what :class:`~samebody.lab.evaluate.scores.ScoreSet` holds.

    Args:
        bounds: lowest and highest score that will come; known from a first pass.
        keep: how many of the highest scores to keep exactly; ties at the end are kept too.
        dtype: of the scores.
        bins: of the histograms.
        pair_limit: distinct pairs of subjects held before only degrees are.
    """

    def __init__(
        self,
        bounds: tuple[float, float],
        keep: int,
        dtype: DTypeLike = np.float64,
        bins: int = BINS,
        pair_limit: int = PAIR_LIMIT,
    ) -> None:
        self._low, self._high = widened(bounds)
        self._edges = np.linspace(self._low, self._high, bins + 1)
        self._keep, self._dtype, self._pair_limit = max(keep, 1), np.dtype(dtype), pair_limit
        self._counts: dict[tuple[int, int], NDArray[np.int64]] = {}
        self._parts: list[tuple[Scores, Codes, Codes, Codes, Codes]] = []
        self._held, self._floor = 0, -float("inf")
        self._keys, self._key_counts = np.empty(0, dtype=np.int64), np.empty(0, dtype=np.int64)
        self._fresh: list[tuple[NDArray[np.int64], NDArray[np.int64]]] = []
        self._degree = np.zeros(0, dtype=np.int64)
        self._pairs, self._distinct_known = 0, True

    def add(
        self,
        scores: Scores,
        first: Codes,
        second: Codes,
        first_sample: Codes,
        second_sample: Codes,
        first_group: NDArray[np.int16],
        second_group: NDArray[np.int16],
    ) -> None:
        """Take over (n,) scores with the subjects, samples and groups of each pair."""
        if not len(scores):
            return
        self._pairs += len(scores)
        self._count(scores, np.minimum(first_group, second_group), np.maximum(first_group, second_group))
        inside = scores >= self._floor
        self._parts.append((scores[inside], first[inside], second[inside], first_sample[inside], second_sample[inside]))
        self._held += int(np.count_nonzero(inside))
        if self._held > 2 * self._keep + 100_000:
            self._prune()
        self._count_subjects(first, second)

    def _count(self, scores: Scores, low: NDArray[np.int16], high: NDArray[np.int16]) -> None:
        bins = len(self._edges) - 1
        wide = scores.astype(np.float64)
        positions = ((wide - self._low) * (bins / (self._high - self._low))).astype(np.int64)
        positions = np.clip(positions, 0, bins - 1)
        positions -= (wide < self._edges[positions]) & (
            positions > 0
        )  # a product may land on the wrong side of an edge
        positions += (wide >= self._edges[positions + 1]) & (positions < bins - 1)
        key = (low.astype(np.int64) + 1) * 65536 + high + 1  # from 0, as people without a label have -1
        for value in np.unique(key).tolist():
            pair = (value // 65536 - 1, value % 65536 - 1)
            found = np.bincount(positions[key == value], minlength=bins)
            self._counts[pair] = self._counts[pair] + found if pair in self._counts else found.astype(np.int64)

    def _prune(self) -> None:
        merged = self._merged()
        scores = merged[0]
        if len(scores) > self._keep:
            self._floor = float(np.partition(scores, len(scores) - self._keep)[len(scores) - self._keep])
            inside = scores >= self._floor
            merged = tuple(column[inside] for column in merged)  # type: ignore[assignment]
        self._parts, self._held = [merged], len(merged[0])

    def _merged(self) -> tuple[Scores, Codes, Codes, Codes, Codes]:
        if not self._parts:
            empty = np.empty(0, dtype=np.int32)
            return np.empty(0, dtype=self._dtype), empty, empty, empty, empty
        one, two, three, four, five = (np.concatenate(column) for column in zip(*self._parts))
        return one, two, three, four, five

    def _count_subjects(self, first: Codes, second: Codes) -> None:
        top = int(max(first.max(), second.max())) + 1
        if top > len(self._degree):
            self._degree = np.concatenate([self._degree, np.zeros(top - len(self._degree), dtype=np.int64)])
        self._degree += np.bincount(first, minlength=len(self._degree))
        self._degree += np.bincount(second, minlength=len(self._degree))
        if not self._distinct_known:
            return
        key = np.minimum(first, second).astype(np.int64) << 32 | np.maximum(first, second)
        self._fresh.append(np.unique(key, return_counts=True))
        if sum(len(keys) for keys, _ in self._fresh) > 4_000_000:
            self._merge_pairs()

    def _merge_pairs(self) -> None:
        keys = np.concatenate([self._keys, *(keys for keys, _ in self._fresh)])
        counts = np.concatenate([self._key_counts, *(counts for _, counts in self._fresh)])
        self._fresh = []
        self._keys, inverse = np.unique(keys, return_inverse=True)
        self._key_counts = np.bincount(inverse, weights=counts, minlength=len(self._keys)).astype(np.int64)
        if len(self._keys) > self._pair_limit:
            self._keys, self._key_counts = np.empty(0, dtype=np.int64), np.empty(0, dtype=np.int64)
            self._distinct_known = False

    def finish(self) -> CountedNonMated:
        """Everything that was added."""
        self._prune()
        scores, first, second, first_sample, second_sample = self._parts[0]
        order = np.lexsort((second_sample, first_sample, -scores))
        if self._distinct_known:
            self._merge_pairs()
        if self._distinct_known:
            graph = GraphOfPairs(
                first=(self._keys >> 32).astype(np.int32),
                second=(self._keys & 0xFFFFFFFF).astype(np.int32),
                count=self._key_counts,
                pairs=self._pairs,
            )
        else:
            graph = GraphOfPairs(degree=self._degree, pairs=self._pairs)
        pairs = sorted(self._counts)
        return CountedNonMated(
            low=self._low,
            high=self._high,
            counts=np.stack([self._counts[pair] for pair in pairs]),
            group_pairs=np.array(pairs, dtype=np.int16).reshape(-1, 2),
            tail=scores[order],
            first=first[order],
            second=second[order],
            first_sample=first_sample[order],
            second_sample=second_sample[order],
            floor=self._floor,
            pair_graph=graph,
        )
