"""Scores to log-likelihood ratios, and how good those are: logistic and isotonic calibration, Cllr, reliability.

All ratios are natural logarithms of ``p(score | mated) / p(score | non-mated)``. A calibration is fitted on one set of
people and judged on another (:func:`require_disjoint`).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import betaincinv, expit

from samebody.measure.errors import (
    CalibrationError,
    InvalidRateError,
    InvalidScoresError,
    SubjectLeakageError,
    checked_level,
    checked_scores,
)


class Calibration(Protocol):
    """Anything that turns scores into log-likelihood ratios."""

    @property
    def bounds(self) -> tuple[float, float]:
        """The lowest and highest ratio that the calibration data can carry."""
        ...

    def llr(self, scores: ArrayLike) -> NDArray[np.float64]:
        """(n,) natural log-likelihood ratios of (n,) scores, within ``bounds``, non-decreasing in the score."""
        ...


def llr_bounds(mated: int, non_mated: int) -> tuple[float, float]:
    """How far a log-likelihood ratio may go on so many scores: ``-ln(mated + 1)`` to ``ln(non_mated + 1)``.

    Beyond the last score of the other class the data only say that the rate there is about ``1 / (n + 1)`` or less; a
    larger ratio would be an extrapolation. Simpler and more cautious than the empirical bounds of P. Vergeer et al.,
    Science & Justice 56 (2016).
    """
    return -math.log(mated + 1), math.log(non_mated + 1)


@dataclass(frozen=True, slots=True)
class LogisticCalibration:
    """``llr = slope * score + offset``, within bounds.

    Attributes:
        slope, offset: of the natural log-likelihood ratio; the slope is 0 or more.
        bounds: see :func:`llr_bounds`.
        mated, non_mated: scores it was fitted on.
    """

    slope: float
    offset: float
    bounds: tuple[float, float]
    mated: int
    non_mated: int

    def llr(self, scores: ArrayLike) -> NDArray[np.float64]:
        """(n,) natural log-likelihood ratios.

        Raises:
            InvalidScoresError: scores that are not finite numbers.
        """
        values = checked_scores(scores, "these", allow_empty=True).astype(np.float64)
        return np.clip(self.slope * values + self.offset, *self.bounds)


def fit_logistic(
    mated: ArrayLike, non_mated: ArrayLike, *, prior: float = 0.5, smoothed: bool = True
) -> LogisticCalibration:
    """Logistic regression of the class on the score, at a chosen prior: Platt scaling.

    Minimises ``prior * mean over mated of ln(1 + exp(-z)) + (1 - prior) * mean over non-mated of ln(1 + exp(z))`` with
    ``z = slope * score + offset + logit(prior)``. ``smoothed`` uses Platt's targets ``(n+1)/(n+2)`` and ``1/(n+2)``,
    which keep the slope finite when the classes do not overlap. Sources: J. Platt 1999; N. Brummer, J. du Preez,
    Computer Speech and Language 20 (2006).

    Args:
        mated, non_mated: scores of the calibration set.
        prior: probability of mated that the fit is best at, in (0, 1).
        smoothed: Platt's targets; False fits the labels as they are.

    Raises:
        EmptyClassError, InvalidScoresError.
        InvalidRateError: ``prior`` outside (0, 1).
        CalibrationError: classes that do not overlap without ``smoothed``; or higher scores mean *less* alike.
    """
    same = checked_scores(mated, "mated").astype(np.float64)
    other = checked_scores(non_mated, "non-mated").astype(np.float64)
    if not 0.0 < prior < 1.0:
        raise InvalidRateError(f"a prior lies strictly between 0 and 1, got {prior}.")
    bounds = llr_bounds(same.size, other.size)
    scores = np.concatenate([same, other])
    centre, scale = float(scores.mean()), float(scores.std())
    if scale == 0:
        return LogisticCalibration(0.0, 0.0, bounds, int(same.size), int(other.size))
    if not smoothed and (same.min() > other.max() or other.min() > same.max()):
        raise CalibrationError("the classes do not overlap, so the slope has no finite value.", hint="Fit it smoothed.")
    weight = np.concatenate([np.full(same.size, prior / same.size), np.full(other.size, (1 - prior) / other.size)])
    high = (same.size + 1) / (same.size + 2) if smoothed else 1.0
    low = 1 / (other.size + 2) if smoothed else 0.0
    target = np.concatenate([np.full(same.size, high), np.full(other.size, low)])
    shift = math.log(prior / (1 - prior))
    slope, offset = _newton((scores - centre) / scale, target, weight, shift)
    slope /= scale
    if slope < -1e-9 / scale:
        raise CalibrationError(
            "higher scores go with other people here, as distances do.",
            hint="Hand over similarities (negate distances).",
        )
    return LogisticCalibration(max(slope, 0.0), offset - slope * centre, bounds, int(same.size), int(other.size))


def _newton(
    scores: NDArray[np.float64], target: NDArray[np.float64], weight: NDArray[np.float64], shift: float
) -> tuple[float, float]:
    """Slope and offset of the weighted logistic regression of ``target`` on scores, the logit shifted by ``shift``."""

    def loss(parameters: NDArray[np.float64]) -> float:
        z = parameters[0] * scores + parameters[1] + shift
        return float(np.sum(weight * (np.logaddexp(0.0, z) - target * z)))

    found = np.zeros(2)
    value = loss(found)
    for _ in range(200):
        share = expit(found[0] * scores + found[1] + shift)
        residual, curve = weight * (share - target), weight * share * (1 - share)
        gradient = np.array([np.sum(residual * scores), np.sum(residual)])
        cross = np.sum(curve * scores)
        hessian = np.array([[np.sum(curve * scores**2), cross], [cross, np.sum(curve)]])
        step = np.linalg.solve(hessian + 1e-14 * np.eye(2), gradient)
        size = 1.0
        while size > 1e-10 and (new := loss(found - size * step)) > value:
            size /= 2
        if size <= 1e-10:
            break
        found, value = found - size * step, new
        if np.max(np.abs(size * step)) < 1e-12:
            break
    if np.max(np.abs(gradient)) > 1e-7:
        raise CalibrationError("the logistic regression did not converge.", hint="Look for extreme outliers.")
    return float(found[0]), float(found[1])


@dataclass(frozen=True, slots=True, eq=False)
class IsotonicCalibration:
    """A rising step function from scores to log-likelihood ratios.

    Attributes:
        starts: (k,) rising scores at which the steps begin; the first also serves all lower scores.
        values: (k,) natural log-likelihood ratios, non-decreasing, within ``bounds``.
        bounds: see :func:`llr_bounds`.
        mated, non_mated: scores it was fitted on.
    """

    starts: NDArray[np.float64]
    values: NDArray[np.float64]
    bounds: tuple[float, float]
    mated: int
    non_mated: int

    def llr(self, scores: ArrayLike) -> NDArray[np.float64]:
        """(n,) natural log-likelihood ratios.

        Raises:
            InvalidScoresError: scores that are not finite numbers.
        """
        values = checked_scores(scores, "these", allow_empty=True).astype(np.float64)
        return self.values[np.maximum(np.searchsorted(self.starts, values, side="right") - 1, 0)]


def fit_isotonic(mated: ArrayLike, non_mated: ArrayLike) -> IsotonicCalibration:
    """The best non-decreasing map from scores to log-likelihood ratios: pool adjacent violators, bounded.

    Tied scores form one step. Source: B. Zadrozny, C. Elkan, KDD 2002; N. Brummer, J. du Preez 2006.

    Raises:
        EmptyClassError, InvalidScoresError.
    """
    same = checked_scores(mated, "mated").astype(np.float64)
    other = checked_scores(non_mated, "non-mated").astype(np.float64)
    starts, hits, others = _pool(same, other)
    bounds = llr_bounds(same.size, other.size)
    return IsotonicCalibration(
        starts, np.clip(_block_llr(hits, others), *bounds), bounds, int(same.size), int(other.size)
    )


def _pool(
    same: NDArray[np.float64], other: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Blocks of pool adjacent violators: where each starts, and its mated and non-mated scores."""
    scores, place = np.unique(np.concatenate([same, other]), return_inverse=True)
    place = place.reshape(-1)
    hits = np.bincount(place[: same.size], minlength=scores.size).astype(np.float64)
    others = np.bincount(place[same.size :], minlength=scores.size).astype(np.float64)
    from scipy.optimize import isotonic_regression  # slow to import, and a verification does not need it

    blocks = isotonic_regression(hits / (hits + others), weights=hits + others).blocks[:-1]
    return scores[blocks], np.add.reduceat(hits, blocks), np.add.reduceat(others, blocks)


def _block_llr(hits: NDArray[np.float64], others: NDArray[np.float64]) -> NDArray[np.float64]:
    with np.errstate(divide="ignore"):
        return np.asarray(np.log(hits / hits.sum()) - np.log(others / others.sum()), dtype=np.float64)


def cllr(mated_llr: ArrayLike, non_mated_llr: ArrayLike) -> float:
    """``C_llr = 1/2 [mean log2(1 + 1/LR) over mated + mean log2(1 + LR) over non-mated]``, in bits.

    0 is perfect, 1 is what a system earns that always says "no evidence". Infinite ratios are allowed: a right one
    costs nothing, a wrong one costs infinity. Source: N. Brummer, J. du Preez, Computer Speech and Language 20 (2006).

    Args:
        mated_llr, non_mated_llr: natural log-likelihood ratios; not NaN.

    Raises:
        EmptyClassError, InvalidScoresError.
    """
    same, other = _ratios(mated_llr, "mated"), _ratios(non_mated_llr, "non-mated")
    cost = np.logaddexp(0.0, -same).mean() + np.logaddexp(0.0, other).mean()
    return float(cost / (2 * math.log(2)))


def _ratios(values: ArrayLike, kind: str) -> NDArray[np.float64]:
    array = np.asarray(values, dtype=np.float64)
    if array.ndim == 1 and np.any(np.isnan(array)):
        raise InvalidScoresError(f"some {kind} log-likelihood ratios are NaN.")
    checked_scores(np.nan_to_num(array), f"{kind} log-likelihood ratio")
    return array


@dataclass(frozen=True, slots=True)
class CllrParts:
    """Cllr split into what the scores cannot tell apart and what the calibration adds.

    Attributes:
        cllr: of the ratios as they are.
        cllr_min: after the best non-decreasing map on these very ratios: discrimination alone.
        cllr_cal: ``cllr - cllr_min``, the loss by calibration, 0 or more.
        mated, non_mated: counts.
    """

    cllr: float
    cllr_min: float
    cllr_cal: float
    mated: int
    non_mated: int


def cllr_min(mated: ArrayLike, non_mated: ArrayLike) -> float:
    """The lowest Cllr that any non-decreasing map of these scores reaches (pool adjacent violators, not bounded).

    Depends on the order of the scores alone, so any rising transform leaves it as it is. In 0-1.

    Raises:
        EmptyClassError, InvalidScoresError.
    """
    same = checked_scores(mated, "mated").astype(np.float64)
    other = checked_scores(non_mated, "non-mated").astype(np.float64)
    _, hits, others = _pool(same, other)
    ratios = _block_llr(hits, others)
    cost = np.zeros(2)
    for number, (weights, sign) in enumerate(((hits, -1.0), (others, 1.0))):
        present = weights > 0
        cost[number] = np.sum(weights[present] * np.logaddexp(0.0, sign * ratios[present])) / weights.sum()
    return float(cost.sum() / (2 * math.log(2)))


def cllr_parts(mated_llr: ArrayLike, non_mated_llr: ArrayLike) -> CllrParts:
    """:func:`cllr`, :func:`cllr_min` and their difference for finite log-likelihood ratios.

    Raises:
        EmptyClassError, InvalidScoresError.
    """
    total, least = cllr(mated_llr, non_mated_llr), cllr_min(mated_llr, non_mated_llr)
    return CllrParts(total, least, total - least, int(np.size(mated_llr)), int(np.size(non_mated_llr)))


@dataclass(frozen=True, slots=True)
class ReliabilityBin:
    """One bar of a reliability diagram.

    Attributes:
        low, high: of the predicted probability.
        predicted: mean predicted probability of mated, 0-1.
        observed: share of mated at the diagram's prior, 0-1.
        interval: of ``observed``: exact binomial within the bin, moved to the prior.
        mated, non_mated: comparisons in the bin.
        weight: of the bin at the prior; all bins sum to 1.
    """

    low: float
    high: float
    predicted: float
    observed: float
    interval: tuple[float, float]
    mated: int
    non_mated: int
    weight: float


@dataclass(frozen=True, slots=True)
class Reliability:
    """Values of a reliability diagram.

    Attributes:
        prior: probability of mated that posteriors and shares are stated at.
        bins: those that hold comparisons.
        expected_calibration_error: weighted mean of ``|predicted - observed|``.
        maximum_calibration_error: the largest of them.
    """

    prior: float
    bins: tuple[ReliabilityBin, ...]
    expected_calibration_error: float
    maximum_calibration_error: float


def reliability(
    mated_llr: ArrayLike, non_mated_llr: ArrayLike, *, prior: float = 0.5, bins: int = 10, level: float = 0.95
) -> Reliability:
    """Predicted against observed probability of mated in equal bins of the prediction.

    Classes are weighted to the prior, so that the diagram does not depend on how many pairs of each class were drawn.
    Source: A. Niculescu-Mizil, R. Caruana, ICML 2005.

    Raises:
        EmptyClassError, InvalidScoresError.
        InvalidRateError: ``prior`` or ``level`` outside (0, 1), or no bins.
    """
    same, other = _ratios(mated_llr, "mated"), _ratios(non_mated_llr, "non-mated")
    if not 0.0 < prior < 1.0 or bins < 1:
        raise InvalidRateError(f"a prior lies strictly between 0 and 1 and bins are 1 or more, got {prior} and {bins}.")
    half = (1 - checked_level(level)) / 2
    shift = math.log(prior / (1 - prior))
    posterior = expit(np.concatenate([same, other]) + shift)
    weight = np.concatenate([np.full(same.size, prior / same.size), np.full(other.size, (1 - prior) / other.size)])
    step = np.minimum((posterior * bins).astype(np.int64), bins - 1)
    odds = prior / (1 - prior) * other.size / same.size  # moves the odds within a bin to the prior

    def moved(share: float) -> float:
        return share * odds / (share * odds + 1 - share)

    found = []
    for number in range(bins):
        inside = step == number
        hits, total = int(np.count_nonzero(inside[: same.size])), int(np.count_nonzero(inside))
        if total == 0:
            continue
        low = 0.0 if hits == 0 else float(betaincinv(hits, total - hits + 1, half))
        high = 1.0 if hits == total else float(betaincinv(hits + 1, total - hits, 1 - half))
        share = float(weight[inside].sum())
        found.append(
            ReliabilityBin(
                low=number / bins,
                high=(number + 1) / bins,
                predicted=float(np.sum(weight[inside] * posterior[inside]) / share),
                observed=moved(hits / total),
                interval=(moved(low), moved(high)),
                mated=hits,
                non_mated=total - hits,
                weight=share,
            )
        )
    gaps = [abs(entry.predicted - entry.observed) for entry in found]
    return Reliability(
        prior=prior,
        bins=tuple(found),
        expected_calibration_error=float(sum(entry.weight * gap for entry, gap in zip(found, gaps))),
        maximum_calibration_error=max(gaps),
    )


def require_disjoint(fitted_on: ArrayLike, judged_on: ArrayLike) -> None:
    """Refuse to judge a calibration or a threshold on people it was taken from.

    Args:
        fitted_on, judged_on: subject labels of the two sets, in any number and order.

    Raises:
        SubjectLeakageError: a subject stands in both.
    """
    shared = np.intersect1d(np.asarray(fitted_on), np.asarray(judged_on))
    if shared.size:
        raise SubjectLeakageError(
            f"{shared.size} subjects stand in the set that was fitted on and in the set that is judged.",
            hint="Split by subject, not by row.",
        )
