"""Histograms of scores, as a model record carries them and a report draws them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from samebody.measure.errors import InvalidRateError, InvalidScoresError, checked_scores

_SLACK = 1e-3  # of a bin: a float32 score on an edge may have been counted on either side of it


@dataclass(frozen=True, slots=True)
class ScoreHistogram:
    """Counts of scores in equal bins.

    Attributes:
        low, high: outer edges; scores beyond them are counted in the first or last bin.
        counts: per bin; a bin holds ``edge <= score < next edge``.
    """

    low: float
    high: float
    counts: tuple[int, ...]

    def __post_init__(self) -> None:
        if not self.low < self.high or not self.counts:
            raise InvalidRateError(f"a histogram needs bins between two edges, got {self.low}..{self.high}.")
        if min(self.counts) < 0:
            raise InvalidScoresError("a histogram cannot hold negative counts.")

    @property
    def total(self) -> int:
        """Scores counted."""
        return sum(self.counts)

    @property
    def edges(self) -> NDArray[np.float64]:
        """(bins + 1,) bin edges."""
        return np.linspace(self.low, self.high, len(self.counts) + 1)

    def share_at_or_above(self, score: float) -> float:
        """Share of the counted scores ``>= score`` in 0-1; the bin that holds ``score`` counts in full.

        It is thus an upper value for non-mated scores: never more flattering than the data.

        Raises:
            InvalidScoresError: nothing was counted.
        """
        if self.total == 0:
            raise InvalidScoresError("the histogram is empty.")
        return sum(self.counts[self._bin(score, -_SLACK) :]) / self.total

    def share_below(self, score: float) -> float:
        """Share of the counted scores ``< score`` in 0-1; the bin that holds ``score`` counts in full.

        Raises:
            InvalidScoresError: nothing was counted.
        """
        if self.total == 0:
            raise InvalidScoresError("the histogram is empty.")
        return sum(self.counts[: self._bin(score, _SLACK) + 1]) / self.total

    def _bin(self, score: float, slack: float) -> int:
        scale = len(self.counts) / (self.high - self.low)
        position = int(np.floor(score * scale - self.low * scale + slack))
        return min(max(position, 0), len(self.counts) - 1)

    def coarser(self, factor: int) -> ScoreHistogram:
        """The same counts in ``factor`` times fewer bins.

        Raises:
            InvalidRateError: ``factor`` does not divide the number of bins.
        """
        if factor < 1 or len(self.counts) % factor:
            raise InvalidRateError(f"{len(self.counts)} bins cannot be joined by {factor}.")
        joined = np.asarray(self.counts, dtype=np.int64).reshape(-1, factor).sum(axis=1)
        return ScoreHistogram(self.low, self.high, tuple(int(count) for count in joined))


def score_histogram(scores: ArrayLike, low: float = -1.0, high: float = 1.0, bins: int = 200) -> ScoreHistogram:
    """Count ``scores`` in ``bins`` equal bins from ``low`` to ``high``; what lies beyond goes to the end bins.

    Raises:
        InvalidScoresError: scores that are not finite numbers.
        InvalidRateError: no bins, or edges out of order.
    """
    values = checked_scores(scores, "these", allow_empty=True)
    if bins < 1 or not low < high:
        raise InvalidRateError(f"a histogram needs bins between two edges, got {bins} in {low}..{high}.")
    return ScoreHistogram(low, high, tuple(int(count) for count in bin_counts(values, low, high, bins)))


def bin_counts(scores: NDArray[np.floating], low: float, high: float, bins: int) -> NDArray[np.int64]:
    """(bins,) counts of an array of any shape; the kernel behind the histograms."""
    scaled = np.multiply(scores.ravel(), bins / (high - low), dtype=scores.dtype)
    scaled += scores.dtype.type(-low * bins / (high - low))
    positions = np.clip(scaled, 0, bins - 1).astype(np.int32)  # clipped at 0 first, so truncation is the floor
    return np.bincount(positions, minlength=bins).astype(np.int64)
