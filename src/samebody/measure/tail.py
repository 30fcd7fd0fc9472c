"""Extrapolation beyond the measured tail: a generalised Pareto fit, its check, and the upper bound that is used.

Nothing here is used unless somebody opts in. The value handed out is never the fitted threshold but the upper
confidence bound of it, a fit that fails its check is refused, and so is any rate more than 100 times beyond what was
measured.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from samebody.measure.errors import (
    ExtrapolationRefusedError,
    InvalidRateError,
    InvalidScoresError,
    TailFitError,
    checked_level,
    checked_scores,
)

REACH = 100
"""How far beyond the measured range an extrapolation may go, as a factor of the rate."""

METHOD = "generalised Pareto, probability-weighted moments"


@dataclass(frozen=True, slots=True)
class ParetoTail:
    """Exceedances over ``start`` modelled as ``P(X > x) = (1 + shape x / scale)^(-1 / shape)``.

    Attributes:
        start: score over which the tail begins.
        shape, scale: of the generalised Pareto distribution; a negative shape has a finite end.
        exceedances, trials: scores over ``start``, and all scores.
        distance: Kolmogorov-Smirnov distance between fit and exceedances.
        p_value: of that distance, by parametric bootstrap; small means a bad fit.
    """

    start: float
    shape: float
    scale: float
    exceedances: int
    trials: int
    distance: float
    p_value: float

    def threshold(self, fmr: float) -> float:
        """Score exceeded with probability ``fmr``: ``start + scale/shape ((trials fmr / exceedances)^-shape - 1)``."""
        return _quantile(self.start, self.shape, self.scale, self.exceedances / self.trials, fmr)


@dataclass(frozen=True, slots=True)
class ExtrapolatedThreshold:
    """A threshold beyond the measured tail.

    Attributes:
        fmr: asked for.
        value: the upper confidence bound; this is what may be used.
        estimate: the fit's own threshold, for the report.
        measured_fmr: the end of the measured range that the extrapolation starts from.
        tail: the fit.
        level: one-sided confidence of ``value``.
        method: how it was made.
    """

    fmr: float
    value: float
    estimate: float
    measured_fmr: float
    tail: ParetoTail
    level: float
    method: str = METHOD


def _quantile(start: float, shape: float, scale: float, share: float, fmr: float) -> float:
    ratio = np.log(share / fmr)
    return float(start + scale * (ratio if abs(shape) < 1e-9 else np.expm1(shape * ratio) / shape))


def _weighted_moments(excess: NDArray[np.float64], weights: NDArray[np.float64]) -> tuple[float, float]:
    """Shape and scale from the probability-weighted moments of ascending ``excess`` with ``weights``.

    ``a0 = E[X]``, ``a1 = E[X (1 - F(X))]``, shape ``= 2 - a0 / (a0 - 2 a1)``, scale ``= 2 a0 a1 / (a0 - 2 a1)``.
    Source: J. Hosking, J. Wallis, Technometrics 29 (1987), with the sign of the shape as in extreme value theory.
    """
    total = weights.sum()
    # Survival at the middle of each weight step: the weighted form of (n - i) / (n - 1) with a half-step correction.
    survival = 1.0 - (np.cumsum(weights) - weights / 2) / total
    first = float(excess @ weights / total)
    second = float(excess @ (weights * survival) / total)
    gap = first - 2 * second
    if gap <= 0 or first <= 0:
        return 1.0, max(first, np.finfo(np.float64).tiny)
    return 2 - first / gap, 2 * first * second / gap


def _distance(excess: NDArray[np.float64], shape: float, scale: float) -> float:
    """Kolmogorov-Smirnov distance of ascending ``excess`` from the fitted distribution."""
    if abs(shape) < 1e-9:
        model = -np.expm1(-excess / scale)
    else:
        model = 1 - np.power(np.maximum(1 + shape * excess / scale, 0.0), -1 / shape)
    steps = np.arange(1, excess.size + 1) / excess.size
    return float(np.max(np.maximum(steps - model, model - (steps - 1 / excess.size))))


def fit_tail(
    tail: ArrayLike, trials: int, exceedances: int = 1000, *, seed: int = 20260, simulations: int = 200
) -> ParetoTail:
    """Fit a generalised Pareto distribution to the ``exceedances`` largest of ``trials`` scores.

    Source: J. Pickands, Annals of Statistics 3 (1975). The check draws ``simulations`` samples from the fit, fits each
    again, and asks how often their Kolmogorov-Smirnov distance is larger than the data's.

    Args:
        tail: the largest scores, at least ``exceedances + 1`` of them, any order.
        trials: all comparisons.

    Raises:
        TailFitError: fewer than 50 exceedances to fit, or all of them equal.
        InvalidScoresError, EmptyClassError.
    """
    scores = np.sort(checked_scores(tail, "non-mated").astype(np.float64))
    count = min(exceedances, scores.size - 1)
    if count < 50:
        raise TailFitError(f"a tail fit needs at least 50 exceedances, got {count}.")
    if trials < scores.size:
        raise InvalidScoresError(f"{scores.size} tail scores cannot come from {trials} comparisons.")
    start = float(scores[-count - 1])
    excess = scores[-count:] - start
    if excess[0] == excess[-1]:
        raise TailFitError("the largest scores are all equal: there is no tail to fit.")
    shape, scale = _weighted_moments(excess, np.ones(count))
    observed = _distance(excess, shape, scale)
    generator, larger = np.random.default_rng(seed), 0
    for _ in range(simulations):
        uniform = generator.random(count)
        drawn = -np.log(uniform) if abs(shape) < 1e-9 else np.expm1(-shape * np.log(uniform)) / shape
        sample = np.sort(drawn * scale)
        larger += _distance(sample, *_weighted_moments(sample, np.ones(count))) >= observed
    return ParetoTail(start, shape, scale, count, trials, observed, (larger + 1) / (simulations + 1))


def extrapolate_threshold(
    tail: ArrayLike,
    trials: int,
    fmr: float,
    *,
    measured_fmr: float,
    exceedances: int = 1000,
    replicate_weights: Iterable[tuple[NDArray[np.float64], float]] | None = None,
    level: float = 0.95,
    minimum_p_value: float = 0.05,
    seed: int = 20260,
) -> ExtrapolatedThreshold:
    """A threshold for a rate below the measured range: the one-sided upper confidence bound of the fitted quantile.

    The bound is the ``level`` quantile of the fit repeated over bootstrap replicates. With ``replicate_weights`` those
    are vertex-bootstrap replicates, so that pairs that share a person are not taken for independent; without, the
    comparisons are taken as independent.

    Args:
        tail: the largest scores of ``trials`` comparisons, any order.
        trials: all comparisons.
        fmr: the rate asked for, below ``measured_fmr``.
        measured_fmr: the lowest rate that was measured; 100 times lower is refused.
        replicate_weights: for each replicate, (len(tail),) weights in the order of ``tail``, and the summed weight of
            all trials.
        minimum_p_value: of the fit's check.

    Raises:
        ExtrapolationRefusedError: more than 100 times beyond ``measured_fmr``.
        TailFitError: the fit fails its check, or cannot be made.
        InvalidRateError, InvalidScoresError, EmptyClassError.
    """
    checked_level(level)
    if not 0.0 < fmr < 1.0 or not fmr <= measured_fmr < 1.0:
        raise InvalidRateError(f"{fmr} is no rate below the measured {measured_fmr}.")
    if fmr * REACH < measured_fmr * (1 - 1e-12):
        raise ExtrapolationRefusedError(
            f"a false match rate of {fmr:g} lies more than {REACH} times beyond the measured {measured_fmr:g}.",
            hint="Measure on more people, or ask for a higher rate.",
        )
    scores = checked_scores(tail, "non-mated").astype(np.float64)
    fit = fit_tail(scores, trials, exceedances, seed=seed)
    if fit.p_value < minimum_p_value:
        raise TailFitError(
            f"the largest {fit.exceedances} scores do not follow a generalised Pareto tail (p = {fit.p_value:.3f}).",
            hint="Measure on more people instead of extrapolating.",
        )
    if replicate_weights is None:
        replicate_weights = _independent_replicates(scores.size, trials, seed)
    order = np.argsort(scores, kind="stable")
    excess = scores[order] - fit.start
    over = excess > 0
    found = []
    for weights, total in replicate_weights:
        kept = weights[order][over]
        if not np.any(kept > 0):
            continue
        shape, scale = _weighted_moments(excess[over], kept)
        found.append(_quantile(fit.start, shape, scale, float(kept.sum()) / total, fmr))
    if not found:
        raise TailFitError("no bootstrap replicate holds an exceedance: the fit's uncertainty cannot be stated.")
    estimate = fit.threshold(fmr)
    value = max(estimate, float(np.quantile(found, level)))
    return ExtrapolatedThreshold(fmr, value, estimate, measured_fmr, fit, level)


def _independent_replicates(
    kept: int, trials: int, seed: int, replicates: int = 500
) -> Iterable[tuple[NDArray[np.float64], float]]:
    generator = np.random.default_rng(seed)
    for _ in range(replicates):
        yield generator.poisson(1.0, kept).astype(np.float64), float(trials)
