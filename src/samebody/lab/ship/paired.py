"""Error rates of two models on the same samples, under common draws of people."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from samebody.lab.evaluate.compare import exact_difference, joined
from samebody.lab.ship.gate_file import Draws
from samebody.measure import INDICATIVE_BELOW, binomial_interval, draw_weights, zero_error_bound

Weights = NDArray[np.float64]
"""(replicates, samples): how often the sample's person was drawn."""
Rates = NDArray[np.float64]
RateOf = Callable[[Weights], Rates]
"""(replicates, samples) weights to (replicates,) rates; NaN where no trial is left."""
Flags = NDArray[np.bool_]
Pair = tuple[float, float]


@dataclass(frozen=True)
class Cell:
    """One rate of both models.

    Attributes:
        group: its name.
        before, after: the rate of the float model and of the candidate; ``before`` None when there is none.
        wrong_before, wrong_after: (samples,) errors at the thresholds of the samples as they are, for the exact floor
            of the interval; None where the rate is no share of samples.
        trials: (samples,) that the rate is over.
    """

    group: str
    before: RateOf | None
    after: RateOf
    trials: Flags
    wrong_before: Flags | None = None
    wrong_after: Flags | None = None


@dataclass(frozen=True, slots=True)
class PairedRate:
    """One rate of both models with intervals.

    Attributes:
        group: its name.
        before, after: rates in 0-1; ``before`` None without a float model.
        after_interval: of the candidate's rate.
        difference, difference_interval: ``after - before``; simultaneous over the cells when there are several.
        ratio, ratio_interval: ``after / before``; None without an error of the float model.
        errors_before, errors_after: counts; None where the rate is no share of samples.
        trials, subjects: behind the rate.
        indicative: fewer than 30 errors in both.
    """

    group: str
    before: float | None
    after: float
    after_interval: Pair
    difference: float | None
    difference_interval: Pair | None
    ratio: float | None
    ratio_interval: Pair | None
    errors_before: int | None
    errors_after: int | None
    trials: int
    subjects: int
    indicative: bool


def share(wrong: Flags, of: Flags) -> RateOf:
    """The weighted share of ``of`` that is wrong."""

    def rate(weights: Weights) -> Rates:
        return _divided(weights[:, wrong & of].sum(axis=1), weights[:, of].sum(axis=1))

    return rate


def ratio_of_sums(parts: NDArray[np.float64], wholes: NDArray[np.float64], of: Flags) -> RateOf:
    """One minus the mean over classes of weighted sums of parts over sums of wholes.

    Args:
        parts, wholes: (samples, classes).
        of: which samples.
    """

    def rate(weights: Weights) -> Rates:
        chosen = weights[:, of]
        shares = _divided(chosen @ parts[of], chosen @ wholes[of])
        with np.errstate(invalid="ignore"):
            return np.asarray(1 - np.nanmean(shares, axis=1), dtype=np.float64)

    return rate


def worst(rates: Sequence[RateOf]) -> RateOf:
    """The largest of several rates."""

    def rate(weights: Weights) -> Rates:
        return np.asarray(np.nanmax(np.stack([one(weights) for one in rates]), axis=0), dtype=np.float64)

    return rate


def threshold_at_bpcer(scores: NDArray[np.float64], bona_fide: Flags, target: float, weights: Weights) -> Rates:
    """(replicates,) the highest threshold whose weighted BPCER does not exceed ``target``; ties are never split."""
    order = np.argsort(scores[bona_fide], kind="stable")
    values = scores[bona_fide][order]
    running = np.cumsum(weights[:, bona_fide][:, order], axis=1)
    allowed = target * running[:, -1] * (1 + 1e-12)
    places = np.array([np.searchsorted(row, most, side="right") for row, most in zip(running, allowed)])
    return np.asarray(values[np.minimum(places, len(values) - 1)], dtype=np.float64)


def accepted_at_bpcer(scores: NDArray[np.float64], bona_fide: Flags, of: Flags, target: float) -> RateOf:
    """The weighted share of ``of`` at or above the threshold for that BPCER, found anew in each replicate."""
    order = np.argsort(scores[of], kind="stable")
    values = scores[of][order]

    def rate(weights: Weights) -> Rates:
        cuts = threshold_at_bpcer(scores, bona_fide, target, weights)
        sums = np.concatenate([np.zeros((len(weights), 1)), np.cumsum(weights[:, of][:, order], axis=1)], axis=1)
        below = np.take_along_axis(sums, np.searchsorted(values, cuts, side="left")[:, None], axis=1)[:, 0]
        return _divided(sums[:, -1] - below, sums[:, -1])

    return rate


def _divided(errors: NDArray[np.float64], trials: NDArray[np.float64]) -> Rates:
    shares = np.full(np.shape(errors), np.nan)
    np.divide(errors, trials, out=shares, where=trials > 0)
    return shares


def paired_rates(cells: Sequence[Cell], subjects: NDArray[np.int64], draws: Draws) -> tuple[PairedRate, ...]:
    """Rates of all cells with their intervals.

    People are drawn once in a replicate for both models and all cells. Intervals of a difference are percentiles of the
    draws, or with several cells simultaneous ones by the largest studentised difference (P. Westfall, S. Young,
    "Resampling-based multiple testing", 1993); never narrower than the exact conditional interval of the samples that
    only one model gets wrong (J. McNemar, Psychometrika 12 (1947)).

    Args:
        cells: over the same samples.
        subjects: (samples,) number of the person of each, from 0.
        draws: replicates, seed, level.
    """
    people = int(subjects.max()) + 1
    ones = np.ones((1, len(subjects)))
    drawn: list[tuple[list[Rates], list[Rates]]] = [([], []) for _ in cells]
    for weights in draw_weights(people, draws.replicates, draws.seed, 64):
        whole = np.ascontiguousarray(weights.T[:, subjects])
        for cell, kept in zip(cells, drawn):
            kept[1].append(cell.after(whole))
            if cell.before is not None:
                kept[0].append(cell.before(whole))
    sides = [tuple(np.concatenate(part) if part else None for part in kept) for kept in drawn]
    points = [(float(cell.before(ones)[0]) if cell.before else None, float(cell.after(ones)[0])) for cell in cells]
    multiplier = _multiplier(sides, points, draws) if len(cells) > 1 else None
    return tuple(
        _rated(cell, side, point, subjects, draws, multiplier, len(cells))
        for cell, side, point in zip(cells, sides, points)
    )


def _multiplier(
    sides: Sequence[tuple[Rates | None, ...]], points: Sequence[tuple[float | None, float]], draws: Draws
) -> float:
    """Standard errors to each side of a simultaneous interval of the differences."""
    largest = np.zeros(draws.replicates)
    for (before, after), (point_before, point_after) in zip(sides, points):
        if before is None or after is None or point_before is None:
            continue
        values = after - before
        error = float(np.nanstd(values, ddof=1))
        if error > 0:
            largest = np.fmax(largest, np.abs(values - (point_after - point_before)) / error)
    return float(np.quantile(largest, draws.level))


def _rated(
    cell: Cell,
    side: tuple[Rates | None, ...],
    point: tuple[float | None, float],
    subjects: NDArray[np.int64],
    draws: Draws,
    multiplier: float | None,
    cells: int,
) -> PairedRate:
    before, after = side
    assert after is not None
    tail = (1 - draws.level) / 2
    trials, people = int(cell.trials.sum()), len(np.unique(subjects[cell.trials]))
    counts = [None if w is None else int((w & cell.trials).sum()) for w in (cell.wrong_before, cell.wrong_after)]
    low, high = _quantiles(after, tail)
    if counts[1] is not None:
        floor = binomial_interval(counts[1], trials, draws.level)
        low, high = min(low, floor[0]), max(high, floor[1])
        if counts[1] == 0:
            high = max(high, zero_error_bound(people, draws.level))
    difference = interval = ratio = ratios = None
    if before is not None and point[0] is not None:
        difference = point[1] - point[0]
        if multiplier is None:
            interval = _quantiles(after - before, tail)
        else:
            wide = multiplier * float(np.nanstd(after - before, ddof=1))
            interval = (difference - wide, difference + wide)
        if cell.wrong_before is not None and cell.wrong_after is not None:
            level = 1 - (1 - draws.level) / cells
            one, two = cell.wrong_before & cell.trials, cell.wrong_after & cell.trials
            alone = (int((one & ~two).sum()), int((two & ~one).sum()))
            floor = exact_difference(alone, (int(one.sum()), int(two.sum())), trials, people, level)
            interval = joined(interval, floor, difference)
        half = 0.5 / max(trials, 1)
        ratios = _quantiles(np.log((after + half) / (before + half)), tail)
        ratios = (float(np.exp(ratios[0])), float(np.exp(ratios[1])))
        ratio = point[1] / point[0] if point[0] > 0 else None
    return PairedRate(
        cell.group,
        point[0],
        point[1],
        (max(0.0, low), min(1.0, high)),
        difference,
        interval,
        ratio,
        ratios,
        counts[0],
        counts[1],
        trials,
        people,
        max(counts[0] or 0, counts[1] or 0) < INDICATIVE_BELOW and counts[1] is not None,
    )


def _quantiles(values: Rates, tail: float) -> Pair:
    if np.isnan(values).all():
        return (float("nan"), float("nan"))
    low, high = np.nanquantile(values, [tail, 1 - tail])
    return float(low), float(high)
