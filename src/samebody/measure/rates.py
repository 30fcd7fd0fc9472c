"""Error rates of verification from scores: FMR, FNMR, thresholds, DET points, EER (ISO/IEC 19795-1:2021).

Scores are similarities: a comparison is accepted when ``score >= threshold``. Failures to acquire have no
score; they are counted apart (:func:`transaction_rates`) and never hidden in a denominator.
"""

from __future__ import annotations

import math
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from fractions import Fraction
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from samebody.measure.errors import EmptyClassError, InvalidRateError, TailTooShortError, checked_scores
from samebody.measure.kernels import Kernel, chosen_kernel, compiled, merge_det


def fmr(non_mated: ArrayLike, threshold: float) -> float:
    """False match rate: non-mated comparisons with ``score >= threshold`` / all non-mated comparisons, in 0-1.

    Source: ISO/IEC 19795-1:2021, false match rate.

    Raises:
        EmptyClassError: no non-mated score.
        InvalidScoresError: scores that are not finite numbers.
    """
    scores = checked_scores(non_mated, "non-mated")
    return float(np.count_nonzero(scores >= np.float64(threshold)) / scores.size)


def fnmr(mated: ArrayLike, threshold: float) -> float:
    """False non-match rate: mated comparisons with ``score < threshold`` / all mated comparisons, in 0-1.

    Source: ISO/IEC 19795-1:2021, false non-match rate.

    Raises:
        EmptyClassError: no mated score.
        InvalidScoresError: scores that are not finite numbers.
    """
    scores = checked_scores(mated, "mated")
    return float(np.count_nonzero(scores < np.float64(threshold)) / scores.size)


def allowed_errors(target: float, trials: int) -> int:
    """``floor(target * trials)`` in exact arithmetic on the decimal that was written, so 0.29 of 100 is 29.

    Raises:
        InvalidRateError: ``target`` outside [0, 1).
        EmptyClassError: no trials.
    """
    if not 0.0 <= target < 1.0:
        raise InvalidRateError(f"a false match rate to aim for lies in [0, 1), got {target}.")
    if trials < 1:
        raise EmptyClassError("there are no non-mated comparisons.")
    exact = Fraction(repr(float(target))) * trials
    return exact.numerator // exact.denominator


@dataclass(frozen=True, slots=True)
class Threshold:
    """A threshold for a false match rate, with what it really gives.

    Attributes:
        target: the false match rate asked for.
        value: accept when ``score >= value``; representable in the scores' dtype.
        realised_fmr: false match rate at ``value``; at most ``target``.
        errors: false matches at ``value``.
        trials: non-mated comparisons.
    """

    target: float
    value: float
    realised_fmr: float
    errors: int
    trials: int


def threshold_at_fmr(non_mated: ArrayLike, target: float) -> Threshold:
    """The threshold for ``FMR <= target``: ``nextafter(s, +inf)`` in the scores' dtype.

    ``s`` is the ``(floor(target * n) + 1)``-th largest of the ``n`` non-mated scores. Tied scores are never split
    and nothing is interpolated, so the realised rate may lie below the target; it is reported.

    Args:
        non_mated: (n,) scores.
        target: in [0, 1).

    Raises:
        EmptyClassError, InvalidScoresError, InvalidRateError.
    """
    scores = checked_scores(non_mated, "non-mated")
    rank = allowed_errors(target, scores.size)
    return _threshold(scores, rank, target, scores.size)


def threshold_from_tail(tail: ArrayLike, trials: int, target: float) -> Threshold:
    """As :func:`threshold_at_fmr` when only the largest scores of ``trials`` comparisons were kept.

    Args:
        tail: the largest scores, all of them down to some floor, in any order.
        trials: all non-mated comparisons, those that were not kept included.
        target: in [0, 1).

    Raises:
        TailTooShortError: the needed rank lies below the kept scores.
        EmptyClassError, InvalidScoresError, InvalidRateError.
    """
    scores = checked_scores(tail, "non-mated")
    rank = allowed_errors(target, trials)
    if rank >= scores.size:
        raise TailTooShortError(
            f"a false match rate of {target:g} over {trials} comparisons needs the {rank + 1} largest scores, "
            f"and {scores.size} were kept.",
            hint="Keep a longer tail, or ask for a lower rate.",
        )
    return _threshold(scores, rank, target, trials)


def _threshold(scores: NDArray[np.floating], rank: int, target: float, trials: int) -> Threshold:
    position = scores.size - 1 - rank
    boundary = np.partition(scores, position)[position]
    value = np.nextafter(boundary, scores.dtype.type(np.inf))
    errors = int(np.count_nonzero(scores >= value))
    return Threshold(target, float(value), errors / trials, errors, trials)


@dataclass(frozen=True, slots=True, eq=False)
class DetCurve:
    """The detection error trade-off at every threshold where a rate changes.

    Attributes:
        thresholds: (k,) float64, increasing; the last is ``+inf`` (nothing is accepted).
        fmr, fnmr: (k,) float64 rates at the thresholds.
    """

    thresholds: NDArray[np.float64]
    fmr: NDArray[np.float64]
    fnmr: NDArray[np.float64]


def det_curve(mated: ArrayLike, non_mated: ArrayLike, kernel: Kernel = "auto") -> DetCurve:
    """Every attainable pair of (FMR, FNMR): the thresholds are the distinct scores, and ``+inf``.

    Source: ISO/IEC 19795-1:2021, detection error trade-off. A zero rate is a bound, not a value: draw it as
    :func:`samebody.measure.intervals.zero_error_bound` and mark it.

    Raises:
        EmptyClassError, InvalidScoresError.
        KernelMissingError: numba was asked for and is not installed.
    """
    return SortedScores(mated, non_mated).det_curve(kernel)


EerConvention = Literal["closest-mean", "interpolated"]


@dataclass(frozen=True, slots=True)
class EqualErrorRate:
    """An equal error rate with the convention that made it; it never gates anything."""

    value: float
    threshold: float
    convention: str


def equal_error_rate(
    mated: ArrayLike, non_mated: ArrayLike, convention: EerConvention = "closest-mean"
) -> EqualErrorRate:
    """The rate at which FMR and FNMR meet, by a named convention.

    ``closest-mean``: at the (lowest) attainable threshold with the smallest ``|FMR - FNMR|``, the mean of the two.
    ``interpolated``: where the straight lines between neighbouring DET points cross ``FMR = FNMR``; the threshold
    is then that of the point just after the crossing.

    Raises:
        EmptyClassError, InvalidScoresError.
        InvalidRateError: unknown convention.
    """
    return SortedScores(mated, non_mated).equal_error_rate(convention)


class SortedScores:
    """The scores of an experiment, sorted once: every rate, threshold and curve is then read off, not counted.

    The two classes are sorted side by side on two threads. All figures are those of the functions of this module.

    Args:
        mated: (m,) similarities.
        non_mated: (n,) similarities.

    Raises:
        EmptyClassError: a class without a score.
        InvalidScoresError: scores that are not finite numbers.
    """

    def __init__(self, mated: ArrayLike, non_mated: ArrayLike) -> None:
        if min(np.size(mated), np.size(non_mated)) < 100_000:
            self.mated, self.non_mated = _ascending(mated, "mated"), _ascending(non_mated, "non-mated")
            return
        with ThreadPoolExecutor(1) as pool:
            other = pool.submit(_ascending, mated, "mated")
            self.non_mated = _ascending(non_mated, "non-mated")
            self.mated = other.result()

    def fmr(self, threshold: float) -> float:
        """False match rate at ``threshold``, as :func:`fmr`."""
        return float((self.non_mated.size - self._below(self.non_mated, threshold)) / self.non_mated.size)

    def fnmr(self, threshold: float) -> float:
        """False non-match rate at ``threshold``, as :func:`fnmr`."""
        return float(self._below(self.mated, threshold) / self.mated.size)

    @staticmethod
    def _below(scores: NDArray[np.floating], threshold: float) -> int:
        # The smallest score of this dtype that is accepted; numpy would otherwise copy all scores into float64.
        lowest = scores.dtype.type(threshold)
        if float(lowest) < threshold:
            lowest = np.nextafter(lowest, scores.dtype.type(np.inf))
        return int(np.searchsorted(scores, lowest, side="left"))

    def threshold_at_fmr(self, target: float) -> Threshold:
        """The threshold for ``FMR <= target``, as :func:`threshold_at_fmr`.

        Raises:
            InvalidRateError: a target outside [0, 1).
        """
        trials = self.non_mated.size
        boundary = self.non_mated[trials - 1 - allowed_errors(target, trials)]
        value = np.nextafter(boundary, self.non_mated.dtype.type(np.inf))
        errors = trials - int(np.searchsorted(self.non_mated, boundary, side="right"))
        return Threshold(target, float(value), errors / trials, errors, trials)

    def fnmr_at_fmr(self, target: float) -> float:
        """False non-match rate at the threshold for ``FMR <= target``.

        Raises:
            InvalidRateError: a target outside [0, 1).
        """
        return self.fnmr(self.threshold_at_fmr(target).value)

    def _gap(self, threshold: float) -> float:
        return self.fmr(threshold) - self.fnmr(threshold)

    def equal_error_rate(self, convention: EerConvention = "closest-mean") -> EqualErrorRate:
        """The equal error rate, as :func:`equal_error_rate`, by bisection: FMR - FNMR falls at each distinct score.

        Raises:
            InvalidRateError: unknown convention.
        """
        if convention not in ("closest-mean", "interpolated"):
            raise InvalidRateError(f"there is no convention {convention!r} for the equal error rate.")
        # The gap falls from 1 (everything accepted) to -1 (nothing accepted), so a crossing always exists.
        crossings = []
        for scores in (self.mated, self.non_mated):
            low, high = 0, scores.size
            while low < high:
                middle = (low + high) // 2
                if self._gap(float(scores[middle])) <= 0:
                    high = middle
                else:
                    low = middle + 1
            crossings.append(float(scores[low]) if low < scores.size else math.inf)
        after = min(crossings)
        before = max(
            float(scores[below - 1])
            for scores in (self.mated, self.non_mated)
            if (below := self._below(scores, after)) > 0
        )
        gaps = self._gap(before), self._gap(after)
        if convention == "closest-mean":
            at = before if abs(gaps[0]) <= abs(gaps[1]) else after
            return EqualErrorRate((self.fmr(at) + self.fnmr(at)) / 2, at, convention)
        share = gaps[0] / (gaps[0] - gaps[1])
        value = self.fmr(before) + share * (self.fmr(after) - self.fmr(before))
        return EqualErrorRate(value, after, convention)

    def det_curve(self, kernel: Kernel = "auto") -> DetCurve:
        """The detection error trade-off at every distinct score, as :func:`det_curve`.

        Raises:
            KernelMissingError: numba was asked for and is not installed.
        """
        if chosen_kernel(kernel) == "numpy":
            both = np.concatenate([self.mated, self.non_mated]).astype(np.float64)
            both.sort(kind="stable")  # two runs in order: merged in one pass
            thresholds = np.append(both[np.append(True, both[1:] != both[:-1])], np.inf)
            matched = self.non_mated.size - np.searchsorted(self.non_mated, thresholds, side="left")
            missed = np.searchsorted(self.mated, thresholds, side="left")
            return DetCurve(thresholds, matched / self.non_mated.size, missed / self.mated.size)
        room = self.mated.size + self.non_mated.size + 1
        thresholds, accepted, refused = (np.empty(room) for _ in range(3))
        count = compiled(merge_det)(self.mated, self.non_mated, thresholds, accepted, refused)
        thresholds[count], accepted[count], refused[count] = np.inf, 0.0, 1.0
        return DetCurve(thresholds[: count + 1], accepted[: count + 1], refused[: count + 1])


def _ascending(scores: ArrayLike, kind: str) -> NDArray[np.floating]:
    """Checked scores in ascending order; NaN and infinity are found at the ends, without another pass."""
    array = np.asarray(scores)
    if array.ndim != 1 or array.size == 0 or array.dtype.kind != "f":
        return np.sort(checked_scores(array, kind))
    ordered = np.sort(array)
    if not (np.isfinite(ordered[0]) and np.isfinite(ordered[-1])):
        checked_scores(array, kind)
    return ordered


@dataclass(frozen=True, slots=True)
class TransactionRates:
    """Rates of whole transactions: FAR, FRR, and with enrolment GFAR, GFRR."""

    far: float
    frr: float
    gfar: float
    gfrr: float


def transaction_rates(fmr: float, fnmr: float, fta: float, fte: float = 0.0) -> TransactionRates:
    """FAR, FRR, GFAR and GFRR of one-attempt transactions from comparison rates and failures, each in 0-1.

    FAR = FMR (1 - FTA); FRR = FTA + FNMR (1 - FTA); GFAR = FMR (1 - FTA) (1 - FTE);
    GFRR = FTE + (1 - FTE) FTA + (1 - FTE) (1 - FTA) FNMR. Source: ISO/IEC 19795-1:2021.

    Raises:
        InvalidRateError: a rate outside 0-1.
    """
    for name, rate in (("FMR", fmr), ("FNMR", fnmr), ("FTA", fta), ("FTE", fte)):
        if not 0.0 <= rate <= 1.0:
            raise InvalidRateError(f"{name} lies in 0-1, got {rate}.")
    far = fmr * (1 - fta)
    frr = fta + fnmr * (1 - fta)
    return TransactionRates(far, frr, far * (1 - fte), fte + (1 - fte) * frr)
