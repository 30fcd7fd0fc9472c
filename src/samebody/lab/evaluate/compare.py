"""Two runs compared: paired differences over common draws of people, per group, and which of them are real.

Each run is taken at its own thresholds. A threshold that a run took from the data it is reported on is found anew in
every replicate, so that its own uncertainty is in the interval; one that came from elsewhere stays as it is.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from samebody.lab.evaluate.paired_rates import ALL, Key, Rates, SideRates, replicate_rates
from samebody.lab.evaluate.pairing import PairedRuns, RunsDifferError, pair_runs
from samebody.lab.evaluate.runs import Run
from samebody.lab.evaluate.stored import plain
from samebody.measure import (
    INDICATIVE_BELOW,
    BootstrapOptions,
    binomial_interval,
    zero_error_bound,
)

Metric = Literal["fnmr", "fmr", "fta"]
SCHEMA_VERSION = 1


@dataclass(frozen=True, slots=True)
class Difference:
    """One figure of run B against the same of run A.

    Attributes:
        metric: ``fnmr``, ``fmr`` or ``fta``.
        target: false match rate the thresholds aim for; None for ``fta``.
        group: label, or ``all``.
        a, b: rates in 0-1.
        difference: ``b - a``; positive is worse.
        interval: of the difference at the comparison's level, over common draws of people; never narrower than the
            exact conditional one of independent comparisons (J. McNemar, Psychometrika 12 (1947); exact binomial on
            the comparisons that only one run gets wrong).
        simultaneous: wider, so that *all* differences of the comparison lie in theirs with that confidence.
        ratio: ``b / a``; None without an error in A.
        ratio_interval: of the ratio, half an error added to both rates; the upper end may be infinite (None in JSON).
        a_upper: upper bound of A's rate when A has no error (rule of 3), the rate itself otherwise.
        errors_a, errors_b, trials_a, trials_b: counts.
        only_a, only_b: errors that the other run does not make; None where comparisons were not matched one by one.
        subjects: behind the trials.
        indicative: fewer than 30 errors in both runs.
    """

    metric: Metric
    target: float | None
    group: str
    a: float
    b: float
    difference: float
    interval: tuple[float, float]
    simultaneous: tuple[float, float]
    ratio: float | None
    ratio_interval: tuple[float, float]
    a_upper: float
    errors_a: int
    errors_b: int
    trials_a: int
    trials_b: int
    only_a: int | None
    only_b: int | None
    subjects: int
    indicative: bool

    @property
    def name(self) -> str:
        """``FNMR at FMR 0.001``."""
        return self.metric.upper() if self.target is None else f"{self.metric.upper()} at FMR {self.target:g}"

    @property
    def real(self) -> bool:
        """The interval excludes 0."""
        return self.interval[0] > 0 or self.interval[1] < 0

    @property
    def holds(self) -> bool:
        """The simultaneous interval excludes 0: real also after having looked at all the differences."""
        return self.simultaneous[0] > 0 or self.simultaneous[1] < 0

    @property
    def verdict(self) -> str:
        """``B worse``, ``B better`` (with ``, alone`` when it does not hold among all), or ``no difference shown``."""
        if not self.real:
            return "no difference shown"
        return ("B worse" if self.difference > 0 else "B better") + ("" if self.holds else ", alone")


@dataclass(frozen=True, slots=True)
class Comparison:
    """Run B against run A.

    Attributes:
        a, b: labels of the algorithms.
        folder_a, folder_b: run folders as they were named.
        dataset: measured on.
        thresholds: target to the thresholds of A and B.
        differences: all of them.
        refit: targets whose thresholds were found anew in every replicate.
        seed, replicates, level: of the bootstrap.
        multiplier: standard errors to each side of a simultaneous interval.
        expected_by_chance: differences that would seem real at ``level`` if there were none.
        left_out: comparisons of one run only, with counts.
        notes: what a reader must know.
    """

    a: str
    b: str
    folder_a: str
    folder_b: str
    dataset: str
    thresholds: Mapping[float, tuple[float, float]]
    differences: tuple[Difference, ...]
    refit: tuple[float, ...]
    seed: int
    replicates: int
    level: float
    multiplier: float
    expected_by_chance: float
    left_out: Mapping[str, int] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    def find(self, metric: str, target: float | None, group: str = ALL) -> Difference:
        """The difference of that metric, target and group.

        Raises:
            KeyError: it was not measured.
        """
        for found in self.differences:
            same = found.target == target or (
                found.target is not None and target is not None and abs(found.target - target) <= 1e-6 * target
            )
            if found.metric == metric and found.group == group and same:
                return found
        raise KeyError((metric, target, group))

    @property
    def groups(self) -> tuple[str, ...]:
        """Groups that stand in a difference."""
        return tuple(dict.fromkeys(entry.group for entry in self.differences if entry.group != ALL))

    def rows(self) -> list[dict[str, Any]]:
        """One flat row a difference, as the CSV has them."""
        return [
            {
                "metric": entry.metric,
                "target_fmr": entry.target,
                "group": entry.group,
                "a": entry.a,
                "b": entry.b,
                "difference": entry.difference,
                "low": entry.interval[0],
                "high": entry.interval[1],
                "simultaneous_low": entry.simultaneous[0],
                "simultaneous_high": entry.simultaneous[1],
                "errors_a": entry.errors_a,
                "errors_b": entry.errors_b,
                "only_a": entry.only_a,
                "only_b": entry.only_b,
                "trials_a": entry.trials_a,
                "trials_b": entry.trials_b,
                "subjects": entry.subjects,
                "indicative": entry.indicative,
                "verdict": entry.verdict,
            }
            for entry in self.differences
        ]

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready; infinite ends are None."""
        fields = asdict(self)
        fields["thresholds"] = [
            {"target": target, "a": pair[0], "b": pair[1]} for target, pair in sorted(self.thresholds.items())[::-1]
        ]
        for entry, own in zip(fields["differences"], self.differences):
            entry.update(real=own.real, holds=own.holds, verdict=own.verdict)
        return {"schema_version": SCHEMA_VERSION, "kind": "comparison", **finite(plain(fields))}

    def to_csv(self) -> str:
        """:meth:`rows` with a header."""
        return csv_text(self.rows())


def csv_text(rows: Sequence[Mapping[str, Any]]) -> str:
    """Rows with a header; an empty text without rows."""
    stream = io.StringIO()
    if rows:
        writer = csv.DictWriter(stream, list(rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
    return stream.getvalue()


def json_text(data: Any) -> str:
    """Strict JSON: numbers that are not finite are null."""
    return json.dumps(finite(data), indent=1, ensure_ascii=False, allow_nan=False) + "\n"


def finite(value: Any) -> Any:
    """Numbers that are not finite as None, all the way down."""
    if isinstance(value, Mapping):
        return {key: finite(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [finite(item) for item in value]
    if isinstance(value, float) and not np.isfinite(value):
        return None
    return value


def compare_runs(
    a: Run,
    b: Run,
    *,
    targets: Sequence[float] = (),
    options: BootstrapOptions | None = None,
    common_only: bool = False,
) -> Comparison:
    """Paired differences of run ``b`` against run ``a``.

    In every replicate people are drawn once; both runs, all groups and all thresholds are weighed by that draw (subject
    bootstrap of the mated, vertex bootstrap of the non-mated comparisons). Simultaneous intervals are those of the
    largest studentised difference over the draws (P. Westfall, S. Young, "Resampling-based multiple testing", 1993).

    Args:
        a, b: run folders that were loaded; ``a`` is the one in service.
        targets: false match rates; without any, those in both threshold tables.
        options: replicates, seed, level.
        common_only: compare what the runs share although other comparisons are missing.

    Raises:
        RunsDifferError: not about the same comparisons, or no false match rate that both runs have a threshold for.
    """
    options = options or BootstrapOptions()
    pair = pair_runs(a, b, common_only=common_only)
    chosen = _targets(a, b, targets)
    sides = [SideRates(pair, side, chosen) for side in (pair.a, pair.b)]
    ones = np.ones((1, len(pair.subjects)))
    points = [{key: float(values[0]) for key, values in side.rates(ones).items()} for side in sides]
    drawn = replicate_rates(sides, len(pair.subjects), options)
    kept = sorted((k for k in points[0] if k in points[1] and not _trivial(k, sides)), key=lambda k: _place(k, pair))
    differences, multiplier = _judge(pair, sides, points, drawn, kept, options)
    notes = list(pair.notes)
    fixed = [target for target in chosen if not all(side.refits(target) for side in sides)]
    if fixed:
        notes.append(f"thresholds held as the runs give them: FMR {', '.join(f'{t:g}' for t in fixed)}")
    missing = [side for side in sides if side.without_groups]
    if missing:
        notes.append(missing[0].without_groups)
    thresholds = {target: (sides[0].value(target), sides[1].value(target)) for target in chosen}
    return Comparison(
        a=a.result.algorithm.label,
        b=b.result.algorithm.label,
        folder_a=str(a.folder),
        folder_b=str(b.folder),
        dataset=a.result.dataset.name,
        thresholds=thresholds,
        differences=differences,
        refit=tuple(target for target in chosen if target not in fixed),
        seed=options.seed,
        replicates=options.replicates,
        level=options.level,
        multiplier=multiplier,
        expected_by_chance=len(differences) * (1 - options.level),
        left_out=pair.left_out,
        notes=tuple(notes),
    )


def _targets(a: Run, b: Run, asked: Sequence[float]) -> tuple[float, ...]:
    """Targets in the tables of both runs, loosest first; all that were asked for, or a refusal."""
    both = []
    for row in a.result.thresholds:
        if row.target is None:
            continue
        try:
            b.result.at(row.target)
        except KeyError:
            continue
        both.append(row.target)
    if not asked:
        wanted = both
    else:
        wanted = [target for target in both if any(abs(target - one) <= 1e-6 * one for one in asked)]
        if len(wanted) < len(set(asked)):
            known = ", ".join(f"{target:g}" for target in both) or "none"
            raise RunsDifferError(
                "a false match rate that was asked for is not in both threshold tables.",
                hint=f"In both: {known}. Evaluate again with the rates you need.",
            )
    if not wanted:
        raise RunsDifferError(
            "the threshold tables of the runs have no false match rate in common.",
            hint="Evaluate both with the same rates.",
        )
    return tuple(sorted(wanted, reverse=True))


def _place(key: Key, pair: PairedRuns) -> tuple[int, float, int]:
    """Misses before false matches before failures, loose thresholds before strict ones, all before the groups."""
    metric, target, group = key
    number = -1 if group == ALL else pair.group_names.index(group)
    return ("fnmr", "fmr", "fta").index(metric), -(target or 0.0), number


def _trivial(key: Key, sides: Sequence[SideRates]) -> bool:
    """The overall FMR of thresholds that were set for it on the same data says nothing."""
    metric, target, group = key
    return metric == "fmr" and group == ALL and target is not None and all(side.refits(target) for side in sides)


def _judge(
    pair: PairedRuns,
    sides: Sequence[SideRates],
    points: Sequence[Mapping[Key, float]],
    drawn: Sequence[Rates],
    keys: Sequence[Key],
    options: BootstrapOptions,
) -> tuple[tuple[Difference, ...], float]:
    tail = (1 - options.level) / 2
    spread: dict[Key, NDArray[np.float64]] = {key: drawn[1][key] - drawn[0][key] for key in keys}
    errors = {key: float(np.nanstd(values, ddof=1)) for key, values in spread.items()}
    largest = np.zeros(options.replicates)
    for key, values in spread.items():
        if errors[key] > 0:
            studentised = np.abs(values - (points[1][key] - points[0][key])) / errors[key]
            largest = np.fmax(largest, studentised)
    multiplier = float(np.quantile(largest, options.level)) if len(keys) else 0.0
    found = []
    for key in keys:
        metric, target, group = key
        rates = [point[key] for point in points]
        counted = [side.trials(metric, group) for side in sides]
        wrong = [round(rate * trials) for rate, (trials, _, _) in zip(rates, counted)]
        alone = _discordant(pair, sides, key)
        difference = rates[1] - rates[0]
        floors = [
            exact_difference(alone, wrong, max(c[0] for c in counted), min(c[2] for c in counted), level)
            for level in (options.level, 1 - (1 - options.level) / max(len(keys), 1))
        ]
        low, high = (float(np.nanquantile(spread[key], q)) for q in (tail, 1 - tail))
        wide = multiplier * errors[key]
        half = [0.5 / c[0] for c in counted]
        logs = np.log((drawn[1][key] + half[1]) / (drawn[0][key] + half[0]))
        ratios = tuple(float(np.exp(np.nanquantile(logs, q))) for q in (tail, 1 - tail))
        found.append(
            Difference(
                metric=metric,  # type: ignore[arg-type]
                target=target,
                group=group,
                a=rates[0],
                b=rates[1],
                difference=difference,
                interval=joined((low, high), floors[0], difference),
                simultaneous=joined((difference - wide, difference + wide), floors[1], difference),
                ratio=rates[1] / rates[0] if rates[0] > 0 else None,
                ratio_interval=(ratios[0], ratios[1]),
                a_upper=rates[0] if wrong[0] else zero_error_bound(counted[0][2], options.level),
                errors_a=wrong[0],
                errors_b=wrong[1],
                trials_a=counted[0][0],
                trials_b=counted[1][0],
                only_a=None if alone is None else alone[0],
                only_b=None if alone is None else alone[1],
                subjects=min(c[1] for c in counted),
                indicative=max(wrong) < INDICATIVE_BELOW,
            )
        )
    return tuple(found), multiplier


def _discordant(pair: PairedRuns, sides: Sequence[SideRates], key: Key) -> tuple[int, int] | None:
    """Errors that only A and only B makes."""
    metric, target, group = key
    if metric == "fta" or target is None:
        lost = [set(side.side.run.scores.failures.samples) for side in sides if side.side.run.scores.failures]
        return (len(lost[0] - lost[1]), len(lost[1] - lost[0])) if group == ALL and len(lost) == 2 else None
    if metric == "fnmr":
        one, two = (side.wrong_mated(target) for side in sides)
        if group != ALL:
            mated = sides[0].side.scores.mated
            inside = pair.group[sides[0].side.to_common[mated.subject]] == pair.group_names.index(group)
            one, two = one & inside, two & inside
        return int(np.count_nonzero(one & ~two)), int(np.count_nonzero(two & ~one))
    first, second = (side.wrong_non_mated(target, group) for side in sides)
    return len(np.setdiff1d(first, second)), len(np.setdiff1d(second, first))


def exact_difference(
    alone: tuple[int, int] | None, wrong: Sequence[int], trials: int, independent: int, level: float
) -> tuple[float, float]:
    """The exact conditional interval of a paired difference of independent comparisons.

    Of ``d`` comparisons that only one run gets wrong, B's share ``q`` has an exact binomial interval; the difference is
    ``d (2 q - 1) / n``. Without such a comparison the difference is bounded by the rule of 3.
    """
    if alone is None:
        alone = (wrong[0], wrong[1])
    discordant = sum(alone)
    if not discordant:
        bound = zero_error_bound(max(independent, 1), level)
        return -bound, bound
    low, high = binomial_interval(alone[1], discordant, level)
    return discordant * (2 * low - 1) / trials, discordant * (2 * high - 1) / trials


def joined(drawn: tuple[float, float], floor: tuple[float, float], point: float) -> tuple[float, float]:
    """An interval of a difference that is no narrower than its floor and holds the point; within -1 and 1."""
    return (
        max(-1.0, float(np.nanmin([drawn[0], floor[0], point]))),
        min(1.0, float(np.nanmax([drawn[1], floor[1], point]))),
    )
