"""Error rates by demographic group at one threshold, between groups, and what summarises their differences.

Groups are labels of evaluation data. One global threshold, taken from another set, is applied to all of them; a summary
is never given without the figures of the groups, and the summaries come together, because each alone can hide a gap.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from samebody.measure.bootstrap import BootstrapOptions, ListedPairs, draw_weights, subject_bootstrap, vertex_bootstrap
from samebody.measure.clustered import clustered_rate, dyadic_rate
from samebody.measure.errors import EmptyClassError, InvalidRateError, InvalidScoresError, checked_scores
from samebody.measure.estimates import independent_rate
from samebody.measure.intervals import RateEstimate
from samebody.measure.labels import checked_labels

Uncertainty = Literal["bootstrap", "closed form"]
"""Where intervals come from when subjects are known: drawing people, or the clustered variance."""


@dataclass(frozen=True, slots=True)
class GroupRates:
    """One group at the global threshold.

    Attributes:
        group: its label.
        fmr: over the non-mated pairs within the group; None without any.
        fnmr: over its mated pairs; None without any.
    """

    group: Any
    fmr: RateEstimate | None
    fnmr: RateEstimate | None


@dataclass(frozen=True, slots=True)
class Differential:
    """One summary of how rates differ between groups.

    Attributes:
        value: at the measured rates; None where a group without an error makes it infinite or undefined.
        estimable: False where some group has no error: ``value`` then rests on a rate that is only bounded.
        low, high: the value with those rates at 0 and at their upper bounds, in rising order; equal to ``value`` when
            estimable. ``high`` is infinite for ratios.
    """

    value: float | None
    estimable: bool
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Differentials:
    """All summaries at once. The fairness discrepancy rate (FDR) is only given here, beside those it would hide.

    Attributes:
        alpha: weight of the false match part in IR, GARBE and FDR.
        groups: how many groups went in.
        fmr_max_over_geometric_mean, fnmr_max_over_geometric_mean: worst group over the geometric mean of all.
        fmr_max_over_min, fnmr_max_over_min: the parts of the Inequity Rate.
        inequity_rate: ``(max FMR / min FMR)^a (max FNMR / min FNMR)^(1-a)``; 1 is equal.
        garbe: ``a G(FMR) + (1-a) G(FNMR)`` with the Gini coefficient ``G``; 0 is equal.
        fdr: ``1 - [a max|dFMR| + (1-a) max|dFNMR|]``; near 1 whenever the rates are small, however unequal.
        zero_fmr, zero_fnmr: groups without an error, whose rate is not estimable.
    """

    alpha: float
    groups: int
    fmr_max_over_geometric_mean: Differential
    fnmr_max_over_geometric_mean: Differential
    fmr_max_over_min: Differential
    fnmr_max_over_min: Differential
    inequity_rate: Differential
    garbe: Differential
    fdr: Differential
    zero_fmr: tuple[Any, ...]
    zero_fnmr: tuple[Any, ...]


@dataclass(frozen=True, slots=True, eq=False)
class DemographicRates:
    """Groups at one global threshold.

    Attributes:
        threshold: accept when ``score >= threshold``.
        threshold_source: the set it was taken from, which is not this one.
        groups: one entry each, in the order of the matrix.
        cross_trials, cross_errors: (k, k) int64, symmetric: non-mated pairs between groups and the false matches among
            them; within a group on the diagonal.
    """

    threshold: float
    threshold_source: str
    groups: tuple[GroupRates, ...]
    cross_trials: NDArray[np.int64]
    cross_errors: NDArray[np.int64]

    @property
    def cross_fmr(self) -> NDArray[np.float64]:
        """(k, k) false match rate between groups; NaN where they were never compared."""
        trials = np.where(self.cross_trials > 0, self.cross_trials, 1)
        return np.where(self.cross_trials > 0, self.cross_errors / trials, np.nan)

    def cross_estimate(self, one: int, two: int, level: float = 0.95) -> RateEstimate | None:
        """The false match rate between two groups (by number) with the exact binomial interval of independent pairs."""
        trials = int(self.cross_trials[one, two])
        return independent_rate(int(self.cross_errors[one, two]), trials, level) if trials else None

    def differentials(self, alpha: float = 0.5) -> Differentials:
        """All summaries of the differences between groups. Source: ISO/IEC 19795-10:2024; J. Howard et al. 2022
        (GARBE); T. de Freitas Pereira, S. Marcel, IEEE T-BIOM 4 (2022) (FDR); NIST FRTE part 8 (Inequity Rate).

        Groups without mated or without non-mated pairs are refused: leave them out and say so.

        Raises:
            InvalidRateError: ``alpha`` outside 0-1.
            EmptyClassError: fewer than two groups, or a group without one kind of pairs.
        """
        if not 0.0 <= alpha <= 1.0:
            raise InvalidRateError(f"alpha lies in 0-1, got {alpha}.")
        if len(self.groups) < 2:
            raise EmptyClassError("differences between groups need at least two groups.")
        fmr = [entry.fmr for entry in self.groups if entry.fmr is not None]
        fnmr = [entry.fnmr for entry in self.groups if entry.fnmr is not None]
        if len(fmr) < len(self.groups) or len(fnmr) < len(self.groups):
            empty = [entry.group for entry in self.groups if entry.fmr is None or entry.fnmr is None]
            raise EmptyClassError(
                f"{len(empty)} groups have no mated or no non-mated pairs, {empty[0]!r} among them.",
                hint="Leave them out of the summary and say so.",
            )
        match, miss = _Rates.of(fmr), _Rates.of(fnmr)
        return Differentials(
            alpha=alpha,
            groups=len(self.groups),
            fmr_max_over_geometric_mean=_differential(lambda x: _over_geometric_mean(x), match),
            fnmr_max_over_geometric_mean=_differential(lambda x: _over_geometric_mean(x), miss),
            fmr_max_over_min=_differential(lambda x: _over_min(x), match),
            fnmr_max_over_min=_differential(lambda x: _over_min(x), miss),
            inequity_rate=_differential(lambda x, y: _inequity(x, y, alpha), match, miss),
            garbe=_differential(lambda x, y: _garbe(x, y, alpha), match, miss),
            fdr=_differential(lambda x, y: _fdr(x, y, alpha), match, miss),
            zero_fmr=tuple(entry.group for entry, rate in zip(self.groups, match.rates) if rate == 0),
            zero_fnmr=tuple(entry.group for entry, rate in zip(self.groups, miss.rates) if rate == 0),
        )


def gini(rates: ArrayLike) -> float:
    """Gini coefficient with the small-sample factor: ``n/(n-1) sum_ij |x_i - x_j| / (2 n^2 mean)``, in 0-1.

    All zero counts as equal: 0. Source: J. Howard et al., "Evaluating proposed fairness models for face recognition
    algorithms", 2022 (GARBE).

    Raises:
        EmptyClassError: fewer than two rates.
        InvalidScoresError: not finite, or a negative rate.
    """
    values = checked_scores(rates, "rate").astype(np.float64)
    if values.size < 2:
        raise EmptyClassError("a Gini coefficient needs at least two rates.")
    if np.any(values < 0):
        raise InvalidScoresError("rates are not negative.")
    mean = values.mean()
    if mean == 0:
        return 0.0
    count = values.size
    spread = float(np.abs(values[:, None] - values[None, :]).sum())
    return float(count / (count - 1) * spread / (2 * count**2 * mean))


@dataclass(frozen=True, slots=True, eq=False)
class _Rates:
    rates: NDArray[np.float64]
    bounded: NDArray[np.float64]  # zero rates replaced by their upper bounds

    @classmethod
    def of(cls, estimates: Sequence[RateEstimate]) -> _Rates:
        rates = np.array([entry.rate for entry in estimates])
        return cls(rates, np.array([entry.rate if entry.errors else entry.interval[1] for entry in estimates]))


def _differential(figure: Any, *kinds: _Rates) -> Differential:
    """The figure at the measured rates and, where some are zero, at the ends of what these may be."""
    value = float(figure(*(kind.rates for kind in kinds)))
    estimable = all(np.all(kind.rates > 0) for kind in kinds)
    if estimable:
        return Differential(value, True, value, value)
    bounded = float(figure(*(kind.bounded for kind in kinds)))
    if not np.isfinite(value):
        # With no error in any group a ratio may be anything from 1 up.
        known = all(np.any(kind.rates > 0) for kind in kinds)
        return Differential(None, False, max(1.0, bounded) if known else 1.0, float("inf"))
    return Differential(value, False, min(value, bounded), max(value, bounded))


def _over_min(rates: NDArray[np.float64]) -> float:
    return float(rates.max() / rates.min()) if rates.min() > 0 else float("inf")


def _over_geometric_mean(rates: NDArray[np.float64]) -> float:
    return float(rates.max() / np.exp(np.mean(np.log(rates)))) if rates.min() > 0 else float("inf")


def _power(ratio: float, exponent: float) -> float:
    return ratio**exponent if exponent > 0 else 1.0


def _inequity(match: NDArray[np.float64], miss: NDArray[np.float64], alpha: float) -> float:
    return _power(_over_min(match), alpha) * _power(_over_min(miss), 1 - alpha)


def _garbe(match: NDArray[np.float64], miss: NDArray[np.float64], alpha: float) -> float:
    return alpha * gini(match) + (1 - alpha) * gini(miss)


def _fdr(match: NDArray[np.float64], miss: NDArray[np.float64], alpha: float) -> float:
    return 1 - alpha * float(np.ptp(match)) - (1 - alpha) * float(np.ptp(miss))


def demographic_rates(
    mated: ArrayLike,
    mated_groups: ArrayLike,
    non_mated: ArrayLike,
    first_groups: ArrayLike,
    second_groups: ArrayLike,
    threshold: float,
    *,
    threshold_source: str,
    mated_subjects: ArrayLike | None = None,
    first_subjects: ArrayLike | None = None,
    second_subjects: ArrayLike | None = None,
    uncertainty: Uncertainty = "bootstrap",
    options: BootstrapOptions | None = None,
) -> DemographicRates:
    """FMR and FNMR of each group at a global threshold, and the false match rate between all groups.

    Source: ISO/IEC 19795-10:2024.

    Args:
        mated: (m,) scores.
        mated_groups: (m,) the group of the person.
        non_mated: (n,) scores.
        first_groups, second_groups: (n,) the groups of the two people.
        threshold: accept when ``score >= threshold``.
        threshold_source: the set the threshold was taken from; it must be said.
        mated_subjects: (m,) who, for intervals over people.
        first_subjects, second_subjects: (n,) who, for intervals over both people; both or neither.
        uncertainty: how intervals are made when subjects are given; exact binomial otherwise.
        options: of the bootstrap; its level serves all intervals.

    Raises:
        EmptyClassError: no score at all of either kind.
        InvalidScoresError: lengths differ, labels are missing, or the source of the threshold is not said.
    """
    options = options or BootstrapOptions()
    genuine = checked_scores(mated, "mated", allow_empty=True)
    impostor = checked_scores(non_mated, "non-mated", allow_empty=True)
    if genuine.size + impostor.size == 0:
        raise EmptyClassError("there are no scores.")
    if (first_subjects is None) != (second_subjects is None):
        raise InvalidScoresError("non-mated pairs name one subject only.", hint="Name both subjects of every pair.")
    sides = [np.asarray(mated_groups), np.asarray(first_groups), np.asarray(second_groups)]
    if [side.size for side in sides] != [genuine.size, impostor.size, impostor.size]:
        raise InvalidScoresError(
            "groups and scores differ in number.", hint="Give one group for each person of a pair."
        )
    labels = checked_labels(np.concatenate([side for side in sides if side.size]), None, "group")
    count = len(labels)
    own, first, second = np.split(labels.codes, [genuine.size, genuine.size + impostor.size])
    wrong, refused = impostor >= np.float64(threshold), genuine < np.float64(threshold)
    groups = []
    for number, name in enumerate(labels.names):
        rows = np.flatnonzero(own == number)
        fnmr = fmr = None
        if rows.size:
            fnmr = _mated_estimate(refused[rows], _taken(mated_subjects, rows), uncertainty, options)
        rows = np.flatnonzero((first == number) & (second == number))
        if rows.size:
            people = (_taken(first_subjects, rows), _taken(second_subjects, rows))
            fmr = non_mated_estimate(wrong[rows], *people, uncertainty=uncertainty, options=options)
        groups.append(GroupRates(name, fmr, fnmr))
    return DemographicRates(
        threshold=float(threshold),
        threshold_source=_said(threshold_source),
        groups=tuple(groups),
        cross_trials=_crossed(first, second, None, count),
        cross_errors=_crossed(first, second, wrong, count),
    )


def demographic_rates_from_counts(
    groups: Sequence[Any],
    mated_trials: ArrayLike,
    mated_errors: ArrayLike,
    cross_trials: ArrayLike,
    cross_errors: ArrayLike,
    threshold: float,
    *,
    threshold_source: str,
    fmr: Sequence[RateEstimate | None] | None = None,
    fnmr: Sequence[RateEstimate | None] | None = None,
    level: float = 0.95,
) -> DemographicRates:
    """The same from counts, as the all-pairs engine gives them.

    Args:
        groups: k labels.
        mated_trials, mated_errors: (k,) mated pairs of each group and those refused.
        cross_trials, cross_errors: (k, k) symmetric; non-mated pairs between groups and false matches among them.
        threshold, threshold_source: as in :func:`demographic_rates`.
        fmr, fnmr: estimates with better intervals (over people) for each group; exact binomial ones otherwise.
        level: of the exact binomial intervals.

    Raises:
        InvalidScoresError: shapes that do not fit, a matrix that is not symmetric, or more errors than trials.
    """
    count = len(groups)
    trials, errors = _whole(mated_trials, (count,)), _whole(mated_errors, (count,))
    matrix, false = _whole(cross_trials, (count, count)), _whole(cross_errors, (count, count))
    if np.any(matrix != matrix.T) or np.any(false != false.T):
        raise InvalidScoresError("counts between groups must be symmetric.", hint="Add the two directions together.")
    if np.any(errors > trials) or np.any(false > matrix):
        raise InvalidScoresError("there are more errors than trials.")
    if any(given is not None and len(given) != count for given in (fmr, fnmr)):
        raise InvalidScoresError(f"estimates must be given for all {count} groups or for none.")
    rates = []
    for number, name in enumerate(groups):
        within, wrong = int(matrix[number, number]), int(false[number, number])
        match = fmr[number] if fmr is not None else independent_rate(wrong, within, level) if within else None
        pairs, refused = int(trials[number]), int(errors[number])
        miss = fnmr[number] if fnmr is not None else independent_rate(refused, pairs, level) if pairs else None
        rates.append(GroupRates(name, match, miss))
    return DemographicRates(float(threshold), _said(threshold_source), tuple(rates), matrix, false)


@dataclass(frozen=True, slots=True)
class DifferentialIntervals:
    """Percentile intervals of the summaries, over people drawn within each group.

    Attributes:
        level, replicates: of the bootstrap; replicates that left a group without pairs are not counted.
        fmr_max_over_geometric_mean, fnmr_max_over_geometric_mean, fmr_max_over_min, fnmr_max_over_min, inequity_rate,
            garbe, fdr: (low, high). A ratio ends in infinity where a group often has no error in a replicate. Ratios of
            the largest rate are biased upward: equal groups do not give intervals that hold 1.
    """

    level: float
    replicates: int
    fmr_max_over_geometric_mean: tuple[float, float]
    fnmr_max_over_geometric_mean: tuple[float, float]
    fmr_max_over_min: tuple[float, float]
    fnmr_max_over_min: tuple[float, float]
    inequity_rate: tuple[float, float]
    garbe: tuple[float, float]
    fdr: tuple[float, float]


def differential_intervals(
    mated: ArrayLike,
    mated_groups: ArrayLike,
    mated_subjects: ArrayLike,
    non_mated: ArrayLike,
    groups: ArrayLike,
    first_subjects: ArrayLike,
    second_subjects: ArrayLike,
    threshold: float,
    *,
    alpha: float = 0.5,
    options: BootstrapOptions | None = None,
) -> DifferentialIntervals:
    """How far the summaries of :meth:`DemographicRates.differentials` move when other people are drawn.

    People are drawn with replacement within each group, so the groups keep their sizes; a person drawn ``w`` times
    weighs ``w`` in mated pairs, and a non-mated pair weighs the product of the weights of its two people.

    Args:
        mated, mated_groups, mated_subjects: (m,) scores, group and person.
        non_mated: (n,) scores of pairs *within* one group.
        groups: (n,) that group.
        first_subjects, second_subjects: (n,) the two people.
        threshold: accept when ``score >= threshold``.
        alpha: weight of the false match part.
        options: replicates, seed, level.

    Raises:
        EmptyClassError: fewer than two groups, a group without one kind of pairs, or no replicate with pairs in all.
        InvalidScoresError: lengths differ or labels are missing.
        InvalidRateError: ``alpha`` outside 0-1.
    """
    options = options or BootstrapOptions()
    if not 0.0 <= alpha <= 1.0:
        raise InvalidRateError(f"alpha lies in 0-1, got {alpha}.")
    genuine, impostor = checked_scores(mated, "mated"), checked_scores(non_mated, "non-mated")
    own, pair = np.asarray(mated_groups), np.asarray(groups)
    checked_labels(own, genuine.size, "mated group")
    checked_labels(pair, impostor.size, "group")
    who = checked_labels(np.asarray(mated_subjects), genuine.size, "mated subject")
    one, two = np.asarray(first_subjects), np.asarray(second_subjects)
    if not one.shape == two.shape == impostor.shape:
        raise InvalidScoresError(f"{one.size} and {two.size} subjects do not fit {impostor.size} pairs.")
    names = np.unique(np.concatenate([own, pair]))
    if names.size < 2:
        raise EmptyClassError("differences between groups need at least two groups.")
    match, miss = [], []
    for number, name in enumerate(names):
        mine, pairs = own == name, pair == name
        if not mine.any() or not pairs.any():
            raise EmptyClassError(f"group {name!r} has no mated or no non-mated pairs.")
        people = np.unique(np.concatenate([np.asarray(who.names)[who.codes[mine]], one[pairs], two[pairs]]))
        person, low, high = (
            np.searchsorted(people, values)
            for values in (np.asarray(who.names)[who.codes[mine]], one[pairs], two[pairs])
        )
        refused, wrong = genuine[mine] < np.float64(threshold), impostor[pairs] >= np.float64(threshold)
        trials = np.bincount(person, minlength=people.size).astype(np.float64)
        errors = np.bincount(person, weights=refused, minlength=people.size)
        every = ListedPairs(low, high, people.size)
        false = ListedPairs(low[wrong], high[wrong], people.size)
        found_match, found_miss = [], []
        for weights in draw_weights(people.size, options.replicates, options.seed + number):
            with np.errstate(invalid="ignore"):
                found_match.append(false.weighted_pairs(weights) / every.weighted_pairs(weights))
                found_miss.append((errors @ weights) / (trials @ weights))
        match.append(np.concatenate(found_match))
        miss.append(np.concatenate(found_miss))
    rates = np.stack([np.stack(match), np.stack(miss)])  # (2, groups, replicates)
    usable = np.all(np.isfinite(rates), axis=(0, 1))
    if not usable.any():
        raise EmptyClassError("no replicate has pairs in all groups.", hint="Groups so small cannot be compared.")
    figures: dict[str, Callable[[NDArray[np.float64], NDArray[np.float64]], float]] = {
        "fmr_max_over_geometric_mean": lambda x, y: _over_geometric_mean(x),
        "fnmr_max_over_geometric_mean": lambda x, y: _over_geometric_mean(y),
        "fmr_max_over_min": lambda x, y: _over_min(x),
        "fnmr_max_over_min": lambda x, y: _over_min(y),
        "inequity_rate": lambda x, y: _inequity(x, y, alpha),
        "garbe": lambda x, y: _garbe(x, y, alpha),
        "fdr": lambda x, y: _fdr(x, y, alpha),
    }
    tail = (1 - options.level) / 2
    intervals = {}
    for label, figure in figures.items():
        values = np.array([figure(rates[0, :, r], rates[1, :, r]) for r in np.flatnonzero(usable)])
        # No interpolation: between a number and infinity there is nothing.
        intervals[label] = (
            float(np.quantile(values, tail, method="lower")),
            float(np.quantile(values, 1 - tail, method="higher")),
        )
    return DifferentialIntervals(level=options.level, replicates=int(usable.sum()), **intervals)


def non_mated_estimate(
    wrong: NDArray[np.bool_],
    first: ArrayLike | None,
    second: ArrayLike | None,
    *,
    uncertainty: Uncertainty = "bootstrap",
    options: BootstrapOptions | None = None,
) -> RateEstimate:
    """A false match rate over listed pairs: by vertex bootstrap or closed form over people, or exact binomial.

    Raises:
        EmptyClassError: no pair.
        InvalidScoresError: lengths differ, or a pair within one person.
    """
    options = options or BootstrapOptions()
    if first is None or second is None:
        return independent_rate(int(np.count_nonzero(wrong)), int(wrong.size), options.level)
    if uncertainty == "closed form":
        return dyadic_rate(first, second, wrong, options.level).estimate
    if uncertainty != "bootstrap":
        raise InvalidRateError(f"there is no uncertainty {uncertainty!r}.", hint="Use bootstrap or closed form.")
    one, two = np.asarray(first), np.asarray(second)
    if one.shape != wrong.shape or two.shape != wrong.shape:
        raise InvalidScoresError(f"{one.size} and {two.size} subjects do not fit {wrong.size} pairs.")
    people = checked_labels(np.concatenate([one, two]), None, "subject")
    low, high = people.codes[: one.size], people.codes[one.size :]
    every = ListedPairs(low, high, len(people))
    return vertex_bootstrap(every, [ListedPairs(low[wrong], high[wrong], len(people))], options)[0]


def _mated_estimate(
    refused: NDArray[np.bool_], subjects: ArrayLike | None, uncertainty: Uncertainty, options: BootstrapOptions
) -> RateEstimate:
    if subjects is None:
        return independent_rate(int(np.count_nonzero(refused)), int(refused.size), options.level)
    if uncertainty == "closed form":
        return clustered_rate(subjects, refused, options.level).estimate
    return subject_bootstrap(subjects, refused, options)


def _taken(values: ArrayLike | None, rows: NDArray[np.int64]) -> NDArray[np.generic] | None:
    return None if values is None else np.asarray(values)[rows]


def _crossed(
    first: NDArray[np.int64], second: NDArray[np.int64], weights: NDArray[np.bool_] | None, count: int
) -> NDArray[np.int64]:
    found = np.bincount(first * count + second, weights=weights, minlength=count * count).astype(np.int64)
    square = found.reshape(count, count)
    return square + square.T - np.diag(np.diag(square))


def _whole(values: ArrayLike, shape: tuple[int, ...]) -> NDArray[np.int64]:
    array = np.asarray(values)
    if array.shape != shape or array.dtype.kind not in "iu" or np.any(array < 0):
        raise InvalidScoresError(f"counts must be whole numbers of shape {shape}, got {array.dtype} {array.shape}.")
    return array.astype(np.int64)


def _said(source: str) -> str:
    if not source.strip():
        raise InvalidScoresError(
            "the source of the threshold is not said.", hint="Name the set it was taken from; it must not be this one."
        )
    return source
