"""Error rates of verification from scores: FMR, FNMR, thresholds, DET points, EER (ISO/IEC 19795-1:2021).

Scores are similarities: a comparison is accepted when ``score >= threshold``. Failures to acquire have no
score; they are counted apart (:func:`transaction_rates`) and never hidden in a denominator.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from samebody.measure.errors import EmptyClassError, InvalidRateError, TailTooShortError, checked_scores


def fmr(non_mated: ArrayLike, threshold: float) -> float:
    """False match rate: non-mated comparisons with ``score >= threshold`` / all non-mated comparisons, in 0-1.

    Source: ISO/IEC 19795-1:2021, false match rate.

    Raises:
        EmptyClassError: no non-mated score.
        InvalidScoresError: scores that are not finite numbers.
    """
    scores = checked_scores(non_mated, "non-mated")
    return float(np.count_nonzero(scores >= threshold) / scores.size)


def fnmr(mated: ArrayLike, threshold: float) -> float:
    """False non-match rate: mated comparisons with ``score < threshold`` / all mated comparisons, in 0-1.

    Source: ISO/IEC 19795-1:2021, false non-match rate.

    Raises:
        EmptyClassError: no mated score.
        InvalidScoresError: scores that are not finite numbers.
    """
    scores = checked_scores(mated, "mated")
    return float(np.count_nonzero(scores < threshold) / scores.size)


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


def det_curve(mated: ArrayLike, non_mated: ArrayLike) -> DetCurve:
    """Every attainable pair of (FMR, FNMR): the thresholds are the distinct scores, and ``+inf``.

    Source: ISO/IEC 19795-1:2021, detection error trade-off. A zero rate is a bound, not a value: draw it as
    :func:`samebody.measure.intervals.zero_error_bound` and mark it.

    Raises:
        EmptyClassError, InvalidScoresError.
    """
    genuine = np.sort(checked_scores(mated, "mated"))
    impostor = np.sort(checked_scores(non_mated, "non-mated"))
    thresholds = np.append(np.unique(np.concatenate([genuine, impostor]).astype(np.float64)), np.inf)
    accepted = impostor.size - np.searchsorted(impostor, thresholds, side="left")
    refused = np.searchsorted(genuine, thresholds, side="left")
    return DetCurve(thresholds, accepted / impostor.size, refused / genuine.size)


@dataclass(frozen=True, slots=True)
class EqualErrorRate:
    """An equal error rate with the convention that made it; it never gates anything."""

    value: float
    threshold: float
    convention: str


def equal_error_rate(
    mated: ArrayLike, non_mated: ArrayLike, convention: Literal["closest-mean", "interpolated"] = "closest-mean"
) -> EqualErrorRate:
    """The rate at which FMR and FNMR meet, by a named convention.

    ``closest-mean``: at the (lowest) attainable threshold with the smallest ``|FMR - FNMR|``, the mean of the two.
    ``interpolated``: where the straight lines between neighbouring DET points cross ``FMR = FNMR``; the threshold
    is then that of the point just after the crossing.

    Raises:
        EmptyClassError, InvalidScoresError.
        InvalidRateError: unknown convention.
    """
    curve = det_curve(mated, non_mated)
    gap = curve.fmr - curve.fnmr
    if convention == "closest-mean":
        at = int(np.argmin(np.abs(gap)))
        return EqualErrorRate(float((curve.fmr[at] + curve.fnmr[at]) / 2), float(curve.thresholds[at]), convention)
    if convention != "interpolated":
        raise InvalidRateError(f"there is no convention {convention!r} for the equal error rate.")
    # The gap falls from 1 (everything accepted) to -1 (nothing accepted), so a crossing always exists.
    after = int(np.argmax(gap <= 0))
    before = after - 1
    share = gap[before] / (gap[before] - gap[after])
    value = curve.fmr[before] + share * (curve.fmr[after] - curve.fmr[before])
    return EqualErrorRate(float(value), float(curve.thresholds[after]), convention)


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
