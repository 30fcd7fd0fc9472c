"""Variance of an error rate whose trials share people, in closed form: by person, or by both people of a pair.

The bootstrap (:mod:`samebody.measure.bootstrap`) answers the same question by drawing; these formulas answer it in one
pass, and for non-mated pairs they are not conservative where errors hardly share people.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import betaincinv, ndtri, stdtrit

from samebody.measure.errors import EmptyClassError, InvalidScoresError, checked_level
from samebody.measure.intervals import RateEstimate, zero_error_bound
from samebody.measure.labels import checked_flags, checked_labels


@dataclass(frozen=True, slots=True)
class ClusteredVariance:
    """How much the trials of a rate lean on each other.

    Attributes:
        estimate: the rate with its interval and effective numbers.
        standard_error: of the rate.
        design_effect: variance over that of independent trials, ``p (1-p) / n``; NaN where the rate is 0 or 1.
    """

    estimate: RateEstimate
    standard_error: float
    design_effect: float


def clustered_rate(subjects: ArrayLike, is_error: ArrayLike, level: float = 0.95) -> ClusteredVariance:
    """A rate whose trials are clustered by person: the ratio estimator's variance.

    ``V = m/(m-1) sum_i (a_i - p n_i)^2 / N^2`` over ``m`` people with ``a_i`` errors in ``n_i`` trials. Source: ISO/IEC
    19795-1, annex on the variance of error rates with several attempts by a person. The interval is that of E. Korn
    and B. Graubard, Survey Methodology 24 (1998): Clopper-Pearson at ``n* = p (1-p) / V`` corrected for the degrees of
    freedom, ``n* (z / t_{m-1})^2``.

    Args:
        subjects: (n,) who each trial belongs to.
        is_error: (n,) bool.
        level: of confidence.

    Raises:
        EmptyClassError: no trial.
        InvalidScoresError: lengths differ or labels are missing.
    """
    wrong = checked_flags(is_error, None, "outcomes")
    people = checked_labels(subjects, wrong.size, "subject")
    if wrong.size == 0:
        raise EmptyClassError("there are no trials.")
    trials = np.bincount(people.codes, minlength=len(people)).astype(np.float64)
    errors = np.bincount(people.codes, weights=wrong, minlength=len(people))
    rate = errors.sum() / trials.sum()
    squares = float(np.sum((errors - rate * trials) ** 2))
    return _finish(wrong, squares, len(people), len(people), level, "clustered by subject")


def dyadic_rate(first: ArrayLike, second: ArrayLike, is_error: ArrayLike, level: float = 0.95) -> ClusteredVariance:
    """A rate over pairs of people, where two pairs lean on each other when they share a person.

    ``V = m/(m-1) (sum_i S_i^2 - sum_{i<j} e_ij^2) / N^2`` with ``e_ij`` the summed residuals ``error - p`` of the
    comparisons of ``i`` and ``j``, and ``S_i = sum_j e_ij``; it counts every two comparisons that share a person once.
    Source: M. Fafchamps, F. Gubert, J. Development Economics 83 (2007); P. Aronow, C. Samii, V. Assenova, Political
    Analysis 23 (2015). A negative value (possible in small samples) is replaced by that of independent pairs, and the
    variance is never less than that. The interval is as in :func:`clustered_rate`.

    Args:
        first, second: (n,) the two people of each non-mated comparison; never the same.
        is_error: (n,) bool.
        level: of confidence.

    Raises:
        EmptyClassError: no trial.
        InvalidScoresError: lengths differ, labels are missing, or a pair lies within one person.
    """
    wrong = checked_flags(is_error, None, "outcomes")
    if wrong.size == 0:
        raise EmptyClassError("there are no trials.")
    one, two = np.asarray(first), np.asarray(second)
    if one.shape != wrong.shape or two.shape != wrong.shape:
        raise InvalidScoresError(f"{one.size} first and {two.size} second people do not fit {wrong.size} outcomes.")
    people = checked_labels(np.concatenate([one, two]), None, "subject")
    count = len(people)
    low = np.minimum(people.codes[: wrong.size], people.codes[wrong.size :])
    high = np.maximum(people.codes[: wrong.size], people.codes[wrong.size :])
    if np.any(low == high):
        raise InvalidScoresError("a non-mated pair lies within one subject.", hint="Such a pair is mated.")
    residual = wrong - wrong.mean()
    _, pair = np.unique(low * count + high, return_inverse=True)
    by_pair = np.bincount(pair.reshape(-1), weights=residual)
    by_person = np.bincount(low, weights=residual, minlength=count) + np.bincount(
        high, weights=residual, minlength=count
    )
    squares = float(np.sum(by_person**2) - np.sum(by_pair**2))
    return _finish(wrong, squares, count, max(1, count // 2), level, "clustered by both subjects")


def _finish(
    wrong: NDArray[np.bool_], squares: float, people: int, independent: int, level: float, method: str
) -> ClusteredVariance:
    trials, errors = int(wrong.size), int(np.count_nonzero(wrong))
    rate = errors / trials
    plain = rate * (1 - rate) / trials
    if independent < 2:
        effective, variance, interval = 1.0, float("nan"), (0.0, 1.0)  # one person says nothing about others
    elif errors in (0, trials):
        bound, effective, variance = zero_error_bound(independent, level), float(independent), 0.0
        interval = (0.0, bound) if errors == 0 else (1.0 - bound, 1.0)
    else:
        variance = max(people / (people - 1) * squares / trials**2, plain)
        effective = min(float(trials), rate * (1 - rate) / variance)
        interval = _korn_graubard(rate, effective, people - 1, level)
    return ClusteredVariance(
        RateEstimate(
            rate=rate,
            errors=errors,
            trials=trials,
            subjects=people,
            interval=interval,
            effective_trials=effective,
            effective_errors=rate * effective,
            level=checked_level(level),
            method=method,
            replicates=0,
        ),
        standard_error=float(np.sqrt(variance)),
        design_effect=float(variance / plain) if plain > 0 else float("nan"),
    )


def _korn_graubard(rate: float, effective: float, freedom: int, level: float) -> tuple[float, float]:
    half = (1 - level) / 2
    trials = effective * float((ndtri(half) / stdtrit(max(freedom, 1), half)) ** 2)
    errors = rate * trials
    low = float(betaincinv(errors, trials - errors + 1, half))
    high = float(betaincinv(errors + 1, trials - errors, 1 - half))
    return low, high
