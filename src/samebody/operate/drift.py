"""Drift: are the figures of a check in a window distributed as in a reference window?

Two things are watched of each check: its scores, and how often it passes, fails, abstains or is missing; and of the
decisions the same. An alarm needs both: a difference that matters, and one that chance does not explain.

- *Matters*: the population stability index, ``PSI = sum (q_i - p_i) ln(q_i / p_i)`` over bins of equal mass in the
  reference (N. Siddiqi, Credit Risk Scorecards, 2006; the symmetric Kullback-Leibler divergence of Jeffreys), at least
  0.1 by default; for outcomes also a share that moved by 5 points, since the index hardly sees what is rare. Counts are
  smoothed by one half, so that an empty bin does not make it infinite.
- *Not chance*: for scores the two-sample Kolmogorov-Smirnov test; for outcomes Fisher's exact test of each outcome
  against the rest, times the number of outcomes. The limit on p is divided over everything that is looked at in a month
  (Bonferroni: holds under any dependence between checks and between days that share a reference), so that a month in
  which nothing changes raises an alarm at all with a probability of at most ``monthly_alarms``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.stats import fisher_exact, ks_2samp

from samebody.operate.errors import WindowError
from samebody.operate.windows import ABSENT, CheckData, WindowData


@dataclass(frozen=True, slots=True)
class DriftLimits:
    """When something is an alarm.

    Attributes:
        monthly_alarms: probability of at least one alarm in a month in which nothing changes, over all checks; 0-1.
        looks: how often a month is looked, each time at another window.
        least_psi: a difference below it does not matter. 0.1 is called moderate, 0.25 large.
        least_share: nor does a share of an outcome that moved by less, unless the index says so; 0-1.
        least_cases: figures a window needs, else nothing is said about the check.
        bins: of the scores, by the reference's quantiles; ties can make it fewer.
    """

    monthly_alarms: float = 0.05
    looks: int = 30
    least_psi: float = 0.1
    least_share: float = 0.05
    least_cases: int = 30
    bins: int = 10

    def __post_init__(self) -> None:
        if not (0 < self.monthly_alarms < 1 and self.looks >= 1 and self.least_psi >= 0):
            raise WindowError("monthly_alarms lies between 0 and 1, looks is at least 1, least_psi at least 0.")
        if self.least_cases < 2 or self.bins < 2:
            raise WindowError("drift needs at least 2 cases and 2 bins.")


@dataclass(frozen=True, slots=True)
class Difference:
    """One thing that was compared, with the evidence.

    Attributes:
        check: name of the check, or ``decision``.
        kind: ``score`` or ``outcome``.
        state: ``alarm``, ``quiet``, or ``too_few`` (then ``psi`` and ``p`` are None).
        reference_n, window_n: figures on each side.
        psi: population stability index.
        p: of the test, before the limit is divided; ``p_limit`` is what it was held against.
        reference, window: of scores the quantiles 5, 25, 50, 75, 95 %; of outcomes the shares by name.
    """

    check: str
    kind: Literal["score", "outcome"]
    state: Literal["alarm", "quiet", "too_few"]
    reference_n: int
    window_n: int
    psi: float | None
    p: float | None
    p_limit: float
    reference: Mapping[str, float]
    window: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class DriftReport:
    """Everything that was compared; ``changed`` names policies and models of one window that the other has not."""

    differences: tuple[Difference, ...]
    limits: DriftLimits
    reference_cases: int
    window_cases: int
    changed: tuple[str, ...]

    @property
    def alarms(self) -> tuple[Difference, ...]:
        """What differs, the most improbable first."""
        found = [each for each in self.differences if each.state == "alarm"]
        return tuple(sorted(found, key=lambda each: (each.p or 0.0, each.check, each.kind)))

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready."""
        return {"schema_version": "1.0", "alarms": len(self.alarms), **asdict(self)}


def stability_index(reference: ArrayLike, window: ArrayLike) -> float:
    """Population stability index of two tables of counts over the same bins, smoothed by one half a bin.

    Args:
        reference, window: (k,) counts, 0 or more.
    """
    p = np.asarray(reference, np.float64) + 0.5
    q = np.asarray(window, np.float64) + 0.5
    p, q = p / p.sum(), q / q.sum()
    return float(np.sum((q - p) * np.log(q / p)))


def score_stability(reference: NDArray[np.float64], window: NDArray[np.float64], bins: int = 10) -> float:
    """Population stability index of scores over bins of equal mass in ``reference``.

    Args:
        reference, window: (n,), (m,) finite scores.
        bins: at most; equal scores are never split.
    """
    edges = np.unique(np.quantile(reference, np.arange(1, bins) / bins, method="inverted_cdf"))
    tables = [
        np.bincount(np.searchsorted(edges, each, "left"), minlength=len(edges) + 1) for each in (reference, window)
    ]
    return stability_index(*tables)


def same_scores(reference: NDArray[np.float64], window: NDArray[np.float64]) -> float:
    """p of the two-sample Kolmogorov-Smirnov test, by its limiting distribution; conservative under ties."""
    return float(ks_2samp(reference, window, method="asymp").pvalue)


def same_outcomes(reference: Mapping[str, int], window: Mapping[str, int]) -> float:
    """p that two tables of outcomes have the same shares: the least of Fisher's exact tests, times their number."""
    names = sorted({*reference, *window})
    totals = sum(reference.values()), sum(window.values())
    least = 1.0
    for name in names:
        a, b = reference.get(name, 0), window.get(name, 0)
        least = min(least, float(fisher_exact([[a, totals[0] - a], [b, totals[1] - b]]).pvalue))
    # two outcomes make the same test twice
    return min(1.0, least * (1 if len(names) <= 2 else len(names)))


def compare_windows(reference: WindowData, window: WindowData, limits: DriftLimits | None = None) -> DriftReport:
    """Every check of either window, compared.

    The number of comparisons that the limit on p is divided by counts those that are possible here, the silent ones
    with too few figures included.

    Raises:
        WindowError: the windows overlap.
    """
    limits = limits or DriftLimits()
    if reference.end > window.start and window.end > reference.start:
        raise WindowError("the window and its reference overlap.", hint="End the reference where the window starts.")
    names = sorted({*reference.checks, *window.checks})
    pairs: list[tuple[str, Literal["score", "outcome"], CheckData, CheckData]] = []
    for name in names:
        here, there = reference.checks.get(name, _none(reference)), window.checks.get(name, _none(window))
        pairs.append((name, "outcome", here, there))
        if len(here.scores) or len(there.scores):
            pairs.append((name, "score", here, there))
    p_limit = limits.monthly_alarms / (limits.looks * max(1, len(pairs)))
    differences = tuple(_difference(*pair, limits, p_limit) for pair in pairs)
    changed = [
        f"{kind} {name}"
        for kind, before, after in (
            ("policy", reference.policies, window.policies),
            ("model", reference.models, window.models),
        )
        for name in sorted({*before} ^ {*after})
    ]
    return DriftReport(differences, limits, reference.cases, window.cases, tuple(changed))


def _none(window: WindowData) -> CheckData:
    return CheckData(np.empty(0), {ABSENT: window.cases} if window.cases else {})


def _difference(
    name: str,
    kind: Literal["score", "outcome"],
    reference: CheckData,
    window: CheckData,
    limits: DriftLimits,
    p_limit: float,
) -> Difference:
    if kind == "score":
        sizes = len(reference.scores), len(window.scores)
        told = _quantiles(reference.scores), _quantiles(window.scores)
    else:
        sizes = sum(reference.outcomes.values()), sum(window.outcomes.values())
        told = _shares(reference.outcomes), _shares(window.outcomes)
    if min(sizes) < limits.least_cases:
        return Difference(name, kind, "too_few", *sizes, None, None, p_limit, *told)
    if kind == "score":
        psi = score_stability(reference.scores, window.scores, limits.bins)
        p = same_scores(reference.scores, window.scores)
    else:
        order = sorted({*reference.outcomes, *window.outcomes})
        psi = stability_index(
            [reference.outcomes.get(each, 0) for each in order], [window.outcomes.get(each, 0) for each in order]
        )
        p = same_outcomes(reference.outcomes, window.outcomes)
    moved = (
        0.0 if kind == "score" else max(abs(told[0].get(n, 0.0) - told[1].get(n, 0.0)) for n in {**told[0], **told[1]})
    )
    alarm = p <= p_limit and (psi >= limits.least_psi or moved >= limits.least_share)
    return Difference(name, kind, "alarm" if alarm else "quiet", *sizes, round(psi, 4), p, p_limit, *told)


def _quantiles(scores: NDArray[np.float64]) -> dict[str, float]:
    if not len(scores):
        return {}
    marks = (5, 25, 50, 75, 95)
    found = np.quantile(scores, np.array(marks) / 100)
    return {f"{mark}%": round(float(each), 4) for mark, each in zip(marks, found, strict=True)}


def _shares(outcomes: Mapping[str, int]) -> dict[str, float]:
    total = sum(outcomes.values())
    return {name: round(count / total, 4) for name, count in sorted(outcomes.items())}
