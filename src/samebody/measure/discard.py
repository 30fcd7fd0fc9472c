"""Error versus discard: does a quality measure throw out the comparisons that go wrong?"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from samebody.measure.errors import InvalidRateError, InvalidScoresError, checked_scores
from samebody.measure.rates import allowed_errors


@dataclass(frozen=True, slots=True, eq=False)
class DiscardCurve:
    """A step curve: the error rate of what is left after the worst pairs were discarded.

    Attributes:
        threshold: fixed before anything is discarded.
        fractions: (k,) discarded share of all pairs, increasing from 0; a block of equal quality goes at once.
        rates: (k,) error rate of the pairs left at ``fractions``; it holds until the next step.
        pairs, errors: at the start.
    """

    threshold: float
    fractions: NDArray[np.float64]
    rates: NDArray[np.float64]
    pairs: int
    errors: int

    def partial_area(self, limit: float) -> float:
        """Area under the step curve from 0 to ``limit`` discarded, divided by ``limit``: a mean error rate in 0-1.

        Discarding at random gives ``errors / pairs`` in expectation; lower is better.

        Raises:
            InvalidRateError: ``limit`` outside (0, 1].
        """
        if not 0.0 < limit <= 1.0:
            raise InvalidRateError(f"a limit of discarding lies in (0, 1], got {limit}.")
        starts = np.minimum(self.fractions, limit)
        ends = np.minimum(np.append(self.fractions[1:], 1.0), limit)
        return float(np.sum((ends - starts) * self.rates) / limit)

    def ideal_partial_area(self, limit: float) -> float:
        """:meth:`partial_area` of an oracle that discards the wrong pairs first, one by one.

        Raises:
            InvalidRateError: ``limit`` outside (0, 1].
        """
        gone = np.arange(self.errors + 1)
        left = np.maximum(self.pairs - gone, 1)
        ideal = DiscardCurve(self.threshold, gone / self.pairs, (self.errors - gone) / left, self.pairs, self.errors)
        return ideal.partial_area(limit)


def error_versus_discard(
    scores: ArrayLike,
    quality_a: ArrayLike,
    quality_b: ArrayLike,
    threshold: float,
    kind: Literal["fnmr", "fmr"] = "fnmr",
) -> DiscardCurve:
    """Error rate against the share of pairs discarded by lowest quality; a pair's quality is the lower of its two.

    The threshold stays fixed; pairs of equal quality are discarded as one block, so that the order of a file can
    not flatter. Sources: P. Grother, E. Tabassi, IEEE TPAMI 29 (2007); ISO/IEC 29794-1.

    Args:
        scores: (n,) mated scores for ``fnmr``, non-mated ones for ``fmr``.
        quality_a, quality_b: (n,) quality of the two samples; higher is better.
        threshold: accept when ``score >= threshold``.
        kind: which error is counted.

    Raises:
        EmptyClassError: no score.
        InvalidScoresError: lengths differ or values are not finite.
        InvalidRateError: unknown kind.
    """
    values = checked_scores(scores, "these")
    if kind not in ("fnmr", "fmr"):
        raise InvalidRateError(f"there is no error kind {kind!r}.")
    one, two = checked_scores(quality_a, "quality"), checked_scores(quality_b, "quality")
    if not values.shape == one.shape == two.shape:
        raise InvalidScoresError(f"{values.size} scores and {one.size} and {two.size} qualities do not pair up.")
    quality = np.minimum(one, two)
    wrong = values < np.float64(threshold) if kind == "fnmr" else values >= np.float64(threshold)
    levels, block = np.unique(quality, return_inverse=True)
    sizes = np.bincount(block, minlength=levels.size)
    errors = np.bincount(block, weights=wrong, minlength=levels.size)
    gone = np.concatenate([[0], np.cumsum(sizes)[:-1]])
    errors_left = errors.sum() - np.concatenate([[0.0], np.cumsum(errors)[:-1]])
    return DiscardCurve(
        threshold=float(threshold),
        fractions=gone / values.size,
        rates=errors_left / (values.size - gone),
        pairs=int(values.size),
        errors=int(wrong.sum()),
    )


def fnmr_threshold(mated: ArrayLike, start: float) -> float:
    """The highest threshold with ``FNMR <= start``: where an error-versus-discard curve starts.

    It is the ``(floor(start * n) + 1)``-th smallest mated score, ties never split.

    Raises:
        EmptyClassError, InvalidScoresError.
        InvalidRateError: ``start`` outside [0, 1).
    """
    scores = checked_scores(mated, "mated")
    rank = allowed_errors(start, scores.size)
    return float(np.partition(scores, rank)[rank])
