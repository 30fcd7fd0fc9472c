"""Acceptance criteria of a product owner, from a file: met, not met, or not enough data to say, and how much it takes.

A criterion is met when the one-sided upper bound of the figure lies at or below its target, and not met when the lower
bound lies above. Between the two the data do not say. Bounds are exact binomial ones (Clopper-Pearson) at the effective
numbers that the bootstrap over people implies, so that comparisons that share people do not count as many.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from pydantic import Field, field_validator, model_validator
from scipy.special import betaincinv

from samebody.lab.evaluate.compare import finite
from samebody.lab.evaluate.results import ThresholdRow, VerificationResult
from samebody.lab.evaluate.rules import RuleFileError, Rules, load_rules
from samebody.lab.evaluate.stored import plain
from samebody.measure import RateEstimate, zero_error_bound
from samebody.measure.estimates import independent_rate

Status = Literal["met", "not met", "not enough data"]
Bounds = tuple[float, float]

SCHEMA_VERSION = 1
ALL, EACH = "all", "each"
_RATES = ("fmr", "fnmr", "fta", "fte", "far", "frr")
_RATIOS = (
    "fmr_max_over_min",
    "fnmr_max_over_min",
    "fmr_max_over_geometric_mean",
    "fnmr_max_over_geometric_mean",
    "inequity_rate",
)
_REFUSED = {
    "eer": "the equal error rate gates nothing: no system runs at it; ask for fnmr at an FMR",
    "fdr": "FDR alone hides a hundredfold gap between groups; ask for fmr_max_over_min",
    "garbe": "GARBE has no interval here; ask for fmr_max_over_geometric_mean",
    "accuracy": "accuracy has no operating point; ask for fnmr at an FMR",
}
_MOST = 1e9  # times the data there are: beyond, no sample size is named


class Minimum(Rules):
    """What must have been measured before *met* is said; each 0 when not asked for."""

    comparisons: int = Field(default=0, ge=0)
    subjects: int = Field(default=0, ge=0)
    effective_errors: float = Field(default=0.0, ge=0, allow_inf_nan=False)


class Criterion(Rules):
    """One demand.

    Attributes:
        name: for people; made from the rest when left out.
        metric: a rate (``fmr``, ``fnmr``, ``fta``, ``fte``, ``far``, ``frr``) or a ratio between groups
            (``fmr_max_over_min``, ``fnmr_max_over_min``, ``fmr_max_over_geometric_mean``,
            ``fnmr_max_over_geometric_mean``, ``inequity_rate``).
        at_fmr, at_threshold: which threshold; none for ``fta`` and ``fte``.
        group: ``all``, ``each`` or the name of one group; ratios are always over all groups.
        at_most: the target; a rate in 0-1, or a ratio of 1 or more.
        confidence: of the one-sided bounds.
        minimum: counts.
    """

    name: str = ""
    metric: str
    at_fmr: float | None = Field(default=None, gt=0, lt=1)
    at_threshold: float | None = Field(default=None, allow_inf_nan=False)
    group: str = Field(default=ALL, min_length=1)
    at_most: float = Field(ge=0, allow_inf_nan=False)
    confidence: float = Field(default=0.95, gt=0.5, lt=1)
    minimum: Minimum = Minimum()

    @field_validator("metric")
    @classmethod
    def _known_metric(cls, value: str) -> str:
        if value in _REFUSED:
            raise ValueError(_REFUSED[value])
        if value not in (*_RATES, *_RATIOS):
            raise ValueError(f"known: {', '.join((*_RATES, *_RATIOS))}")
        return value

    @model_validator(mode="after")
    def _fits_together(self) -> Criterion:
        places = [name for name in ("at_fmr", "at_threshold") if getattr(self, name) is not None]
        if self.metric in ("fta", "fte"):
            if places:
                raise ValueError(f"{self.metric} has no threshold: leave {places[0]} out")
        elif len(places) != 1:
            raise ValueError("needs either at_fmr or at_threshold")
        if self.metric in _RATIOS and self.group != ALL:
            raise ValueError(f"{self.metric} is over all groups: leave group out")
        if self.metric == "fte" and self.group != ALL:
            raise ValueError("fte is counted over all subjects: leave group out")
        if self.metric in _RATES and self.at_most >= 1:
            raise ValueError(f"at_most {self.at_most:g} of a rate says nothing: it lies in 0-1")
        if self.metric in _RATIOS and self.at_most < 1:
            raise ValueError(f"at_most {self.at_most:g} of a ratio cannot be met: it is 1 or more")
        return self

    @property
    def title(self) -> str:
        """The name, or what is asked in words."""
        if self.name:
            return self.name
        at = "" if self.at_fmr is None else f" at FMR {self.at_fmr:g}"
        if self.at_threshold is not None:
            at = f" at score {self.at_threshold:g}"
        group = "" if self.group == ALL else f", {self.group}"
        return f"{self.metric.upper() if self.metric in _RATES else self.metric}{at}{group} at most {self.at_most:g}"


class CriteriaFile(Rules):
    """A file of criteria."""

    schema_version: Literal[1]
    title: str = ""
    criteria: tuple[Criterion, ...] = Field(min_length=1)


@dataclass(frozen=True, slots=True)
class Needed:
    """How much data it would take if the figure stays what it is.

    Attributes:
        outcome: what would then be said.
        factor: times the data there are.
        subjects, comparisons: of the (smallest) set behind the figure, with as many comparisons of each subject as now.
    """

    outcome: Status
    factor: float
    subjects: int
    comparisons: int


@dataclass(frozen=True, slots=True)
class CriterionOutcome:
    """One criterion on one group.

    Attributes:
        criterion: its title.
        metric, group: what was looked at.
        status: ``met``, ``not met`` or ``not enough data``.
        value: the figure; None where it cannot be given.
        bounds: one-sided bounds, each at ``confidence``; the upper one may be infinite (None in JSON).
        target, confidence: of the criterion.
        comparisons, subjects, effective_errors: of the (smallest) set behind the figure.
        why: in words.
        needed: None where the data say, or where no amount would (the figure lies on its target).
    """

    criterion: str
    metric: str
    group: str
    status: Status
    value: float | None
    bounds: Bounds
    target: float
    confidence: float
    comparisons: int
    subjects: int
    effective_errors: float
    why: str
    needed: Needed | None = None


@dataclass(frozen=True, slots=True)
class CriteriaReport:
    """All criteria of a file on a run."""

    title: str
    algorithm: str
    dataset: str
    outcomes: tuple[CriterionOutcome, ...]

    @property
    def status(self) -> Status:
        """``not met`` when one is not met, else ``not enough data`` when one cannot be said, else ``met``."""
        found = {outcome.status for outcome in self.outcomes}
        return "not met" if "not met" in found else "not enough data" if "not enough data" in found else "met"

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready; an infinite bound is None."""
        return {
            "schema_version": SCHEMA_VERSION,
            "kind": "criteria",
            "status": self.status,
            **finite(plain(asdict(self))),
        }


def load_criteria(path: Path | str) -> CriteriaFile:
    """Read a file of criteria.

    Raises:
        RuleFileMissingError, RuleFileError: it is not there, or has mistakes, all of them named.
    """
    return load_rules(path, CriteriaFile)


def judge_criteria(
    criteria: CriteriaFile, result: VerificationResult, name: str = "the criteria file"
) -> CriteriaReport:
    """Judge every criterion on a run.

    Raises:
        RuleFileError: criteria ask for thresholds or groups that the run does not hold; all of them are named.
    """
    mistakes: list[str] = []
    outcomes: list[CriterionOutcome] = []
    for number, criterion in enumerate(criteria.criteria):
        try:
            outcomes += _judged(criterion, result)
        except KeyError as error:
            mistakes.append(f"criteria.{number}: {error.args[0]}")
    if mistakes:
        raise RuleFileError(name, mistakes)
    return CriteriaReport(criteria.title, result.algorithm.label, result.dataset.name, tuple(outcomes))


# ----------------------------------------------------------------------------------------------------- one criterion

Figure = Callable[[Sequence[Bounds]], Bounds]
"""From the bounds of its rates to the bounds of a figure; equal bounds give the figure itself."""


@dataclass(frozen=True, slots=True)
class _Evidence:
    """A figure, the rates it is made of, and why it cannot be said (empty when it can)."""

    group: str
    rates: tuple[RateEstimate, ...]
    figure: Figure
    silent: str = ""


def _judged(criterion: Criterion, result: VerificationResult) -> list[CriterionOutcome]:
    return [_outcome(criterion, evidence) for evidence in _evidence(criterion, result)]


def _evidence(criterion: Criterion, result: VerificationResult) -> list[_Evidence]:
    metric = criterion.metric
    if metric == "fte":
        failures = result.failures
        if not failures.enrolments:
            return [_Evidence(ALL, (), _single, "no enrolment was counted")]
        return [_Evidence(ALL, (independent_rate(failures.not_enrolled, failures.enrolments),), _single)]
    index = None if metric == "fta" else _row(criterion, result)
    if metric in _RATIOS:
        assert index is not None
        return [_ratio(metric, result, index)]
    names = [criterion.group]
    if criterion.group == EACH:
        names = [row.name for row in result.groups]
    known = {row.name for row in result.groups}
    if not names or any(one != ALL and one not in known for one in names):
        listed = ", ".join(sorted(known)) or "none"
        raise KeyError(f"there is no group {criterion.group!r} in this run; groups: {listed}")
    return [_rates_of(metric, result, index, one) for one in names]


def _row(criterion: Criterion, result: VerificationResult) -> int:
    for index, row in enumerate(result.thresholds):
        if criterion.at_fmr is not None and row.target is not None:
            if math.isclose(row.target, criterion.at_fmr, rel_tol=1e-6):
                return index
        elif criterion.at_threshold is not None and math.isclose(row.value, criterion.at_threshold, rel_tol=1e-6):
            return index
    asked = f"FMR {criterion.at_fmr:g}" if criterion.at_fmr is not None else f"score {criterion.at_threshold:g}"
    raise KeyError(f"this run has no threshold for {asked}; it has {', '.join(row.name for row in result.thresholds)}")


def _rates_of(metric: str, result: VerificationResult, index: int | None, name: str) -> _Evidence:
    group = None if name == ALL else result.group(name)
    row: ThresholdRow | None = None if index is None else result.thresholds[index]
    fta = result.failures.fta if group is None else group.fta
    fmr = fnmr = None
    if row is not None and index is not None:
        fmr = row.fmr if group is None else group.rates[index].fmr
        fnmr = row.fnmr if group is None else group.rates[index].fnmr
    wanted = {"fmr": (fmr,), "fnmr": (fnmr,), "fta": (fta,), "far": (fmr, fta), "frr": (fnmr, fta)}[metric]
    figure = {"far": _far, "frr": _frr}.get(metric, _single)
    silent = ""
    if any(rate is None for rate in wanted):
        silent = "the run holds no such comparisons" if metric in ("fmr", "fnmr") else "the run does not say FTA"
    elif metric in ("fmr", "far") and group is None and row is not None and row.source == "same data":
        silent = "the threshold was set for this FMR on the same data; take it from another set"
    elif any(rate is not None and rate.effective_trials <= 0 for rate in wanted):
        silent = "the threshold lies below the scores that were kept one by one, so the rate has no interval"
    return _Evidence(name, tuple(rate for rate in wanted if rate is not None), figure, silent)


def _ratio(metric: str, result: VerificationResult, index: int) -> _Evidence:
    if len(result.groups) < 2:
        raise KeyError(f"{metric} needs at least two groups, this run has {len(result.groups)}")
    fmr = [row.rates[index].fmr for row in result.groups]
    fnmr = [row.rates[index].fnmr for row in result.groups]
    wanted = fmr + fnmr if metric == "inequity_rate" else fmr if metric.startswith("fmr") else fnmr
    given = tuple(rate for rate in wanted if rate is not None and rate.effective_trials > 0)
    silent = "" if len(given) == len(wanted) else "a group has no such comparisons, or no interval"
    figure: Figure = _over_geometric_mean if metric.endswith("geometric_mean") else _over_min
    if metric == "inequity_rate":
        figure = _inequity
    return _Evidence(ALL, given, figure, silent)


def _outcome(criterion: Criterion, evidence: _Evidence) -> CriterionOutcome:
    rates = evidence.rates
    smallest = min(rates, key=lambda rate: rate.trials, default=None)
    value: float | None = None
    bounds: Bounds = (0.0, float("inf") if criterion.metric in _RATIOS else 1.0)
    needed = None
    status: Status = "not enough data"
    short = _shortage(criterion, rates)
    why = evidence.silent
    if rates and not evidence.silent:
        value = evidence.figure([(rate.rate, rate.rate) for rate in rates])[0]
        bounds = _bounds(evidence, criterion.confidence, 1.0)
        status = _status(bounds, criterion.at_most)
        if status == "met" and short > 1:
            status = "not enough data"
        low, high = (f"{end:.3g}" for end in bounds)
        why = f"{value:.4g}, bounds {low} to {high}, at most {criterion.at_most:g} is asked for"
        if short > 1:
            why += "; fewer counts than the minimum"
        if status == "not enough data":
            needed = _needed(criterion, evidence, short)
            if needed is None:
                why += "; no amount of data would say, at this figure"
    if value is not None and not math.isfinite(value):
        value = None
    return CriterionOutcome(
        criterion=criterion.title,
        metric=criterion.metric,
        group=evidence.group,
        status=status,
        value=value,
        bounds=bounds,
        target=criterion.at_most,
        confidence=criterion.confidence,
        comparisons=0 if smallest is None else smallest.trials,
        subjects=min((rate.subjects for rate in rates), default=0),
        effective_errors=min((_effective_errors(rate) for rate in rates), default=0.0),
        why=why,
        needed=needed,
    )


def _effective_errors(rate: RateEstimate) -> float:
    return rate.effective_errors if rate.estimable else 0.0


def _status(bounds: Bounds, target: float) -> Status:
    return "met" if bounds[1] <= target else "not met" if bounds[0] > target else "not enough data"


def _shortage(criterion: Criterion, rates: Sequence[RateEstimate]) -> float:
    """How many times more data the minimum counts ask for; 1 or less when they are there."""
    found = [1.0]
    for rate in rates:
        found.append(criterion.minimum.comparisons / rate.trials)
        found.append(criterion.minimum.subjects / max(rate.subjects, 1))
        if criterion.minimum.effective_errors:
            errors = _effective_errors(rate)
            found.append(criterion.minimum.effective_errors / errors if errors else float("inf"))
    return max(found)


def _needed(criterion: Criterion, evidence: _Evidence, short: float) -> Needed | None:
    """The smallest multiple of the data that would say, the rates staying what they are."""

    def said(factor: float) -> Status:
        status = _status(_bounds(evidence, criterion.confidence, factor), criterion.at_most)
        return "not enough data" if status == "met" and factor < short else status

    high = 1.0
    while said(high) == "not enough data":
        high *= 2
        if high > _MOST:
            return None
    low = max(high / 2, 1.0)
    for _ in range(40):
        middle = (low + high) / 2
        low, high = (low, middle) if said(middle) != "not enough data" else (middle, high)
    return Needed(
        outcome=said(high),
        factor=high,
        subjects=max(math.ceil(rate.subjects * high) for rate in evidence.rates),
        comparisons=max(math.ceil(rate.trials * high) for rate in evidence.rates),
    )


# ------------------------------------------------------------------------------------------------------------ bounds


def _bounds(evidence: _Evidence, confidence: float, factor: float) -> Bounds:
    """Bounds of the figure, each at ``confidence``, if there were ``factor`` times the data; Bonferroni over rates."""
    level = 1 - (1 - confidence) / len(evidence.rates)
    return evidence.figure([one_sided(rate, level, factor) for rate in evidence.rates])


def one_sided(rate: RateEstimate, level: float, factor: float = 1.0) -> Bounds:
    """Exact one-sided lower and upper bound of a rate, each at ``level``, at its effective number of trials.

    ``low = BetaInv(1 - level; k, n - k + 1)``, ``high = BetaInv(level; k + 1, n - k)`` with effective errors ``k`` and
    trials ``n``, both multiplied by ``factor``; ``1 - (1 - level)^(1/n)`` without an error. Source: C. Clopper, E.
    Pearson, Biometrika 26 (1934); at effective sizes E. Korn, B. Graubard, Survey Methodology 24 (1998).
    """
    trials = rate.effective_trials * factor
    errors = rate.rate * trials
    if rate.errors == 0:
        return 0.0, zero_error_bound(trials, level)
    if rate.errors == rate.trials:
        return 1.0 - zero_error_bound(trials, level), 1.0
    return (
        float(betaincinv(errors, trials - errors + 1, 1 - level)),
        float(betaincinv(errors + 1, max(trials - errors, 1e-9), level)),
    )


def _single(bounds: Sequence[Bounds]) -> Bounds:
    return bounds[0]


def _far(bounds: Sequence[Bounds]) -> Bounds:
    """FMR (1 - FTA)."""
    fmr, fta = bounds
    return fmr[0] * (1 - fta[1]), fmr[1] * (1 - fta[0])


def _frr(bounds: Sequence[Bounds]) -> Bounds:
    """FTA + FNMR (1 - FTA)."""
    low, high = (fta + fnmr * (1 - fta) for fnmr, fta in zip(bounds[0], bounds[1]))
    return low, high


def _over_min(bounds: Sequence[Bounds]) -> Bounds:
    """Bounds of the largest over the smallest rate."""
    low, high = zip(*bounds)
    smallest = min(low)
    return max(1.0, max(low) / max(min(high), 1e-300)), max(high) / smallest if smallest > 0 else float("inf")


def _over_geometric_mean(bounds: Sequence[Bounds]) -> Bounds:
    """Bounds of the largest rate over the geometric mean of all."""
    low, high = (np.array(ends) for ends in zip(*bounds))
    count = len(low)
    with np.errstate(divide="ignore"):
        logs = np.log(low), np.log(high)
    if not np.all(np.isfinite(logs[0])):
        upper = float("inf")
    else:
        upper = max(float(np.exp(logs[1][i] - (logs[0].sum() - logs[0][i] + logs[1][i]) / count)) for i in range(count))
    ends = [logs[0][i] - (logs[1].sum() - logs[1][i] + logs[0][i]) / count for i in range(count) if low[i] > 0]
    return max([1.0, *(float(np.exp(end)) for end in ends)]), max(upper, 1.0)


def _inequity(bounds: Sequence[Bounds]) -> Bounds:
    """Inequity rate with even weights: sqrt(max/min FMR * max/min FNMR)."""
    half = len(bounds) // 2
    fmr, fnmr = _over_min(bounds[:half]), _over_min(bounds[half:])
    return math.sqrt(fmr[0] * fnmr[0]), math.sqrt(fmr[1] * fnmr[1])
