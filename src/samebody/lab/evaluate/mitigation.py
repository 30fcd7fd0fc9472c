"""One bias mitigation, compared honestly: scores normalised by a cohort, at a fixed overall false match rate.

People are split three ways. The *cohort* serves normalisation alone. The others stand in two halves: thresholds are
taken on one half and errors counted on the other, then the halves change places, so that nobody helps to choose the
threshold that judges them.

Cohort normalisation needs no label of anybody at run time. Thresholds for each group are measured beside it as what
labels at decision time could buy; the product never infers race or gender and never asks for them, and deciding by them
is unlawful in many places.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import ClassVar, Literal, cast

import numpy as np
from numpy.typing import ArrayLike, NDArray

from samebody.errors import UsageError
from samebody.lab.evaluate.corruptions import generator
from samebody.lab.evaluate.results import Algorithm, DataSet, Provenance
from samebody.lab.evaluate.stored import StoredResult
from samebody.measure import (
    BootstrapOptions,
    CellPairs,
    Differentials,
    EmptyClassError,
    InvalidScoresError,
    ListedPairs,
    RateEstimate,
    demographic_rates_from_counts,
    draw_weights,
    gini,
    subject_bootstrap,
    threshold_at_fmr,
    vertex_bootstrap,
)

Method = Literal["raw", "t-norm", "as-norm", "group thresholds"]
METHODS: tuple[Method, ...] = ("raw", "t-norm", "as-norm", "group thresholds")
NEEDS_LABEL: Mapping[Method, bool] = {"raw": False, "t-norm": False, "as-norm": False, "group thresholds": True}
Progress = Callable[[str, int, int], None]
Vectors = NDArray[np.float32]


# -------------------------------------------------------------------------------------------------------- normalisation


@dataclass(frozen=True, slots=True, eq=False)
class CohortNorm:
    """Normalisation of scores by how each of the two templates scores against a cohort of other people.

    ``s' = 1/2 [(s - m_a) / d_a + (s - m_b) / d_b]`` with mean ``m`` and standard deviation ``d`` of a template's scores
    with the cohort, or with the ``top`` highest of them. Without ``top`` it is the symmetric form of test
    normalisation (R. Auckenthaler et al., Digital Signal Processing 10, 2000), with it adaptive symmetric normalisation
    (S. Cumani et al., Interspeech 2011; P. Matejka et al., Interspeech 2017).

    Attributes:
        cohort: (c, d) float32 unit templates of people who take part in no comparison.
        top: how many of the highest cohort scores count; None for all.
    """

    cohort: Vectors = field(repr=False)
    top: int | None = None

    def __post_init__(self) -> None:
        if len(self.cohort) < 2 or (self.top is not None and not 2 <= self.top <= len(self.cohort)):
            raise EmptyClassError(
                f"a cohort of {len(self.cohort)} templates cannot serve to normalise by {self.top or 'all'} of them.",
                hint="Take a larger cohort or fewer of its scores (2 or more).",
            )

    def statistics(self, vectors: Vectors) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """(n,) means and standard deviations of (n, d) templates' cohort scores; deviations are at least 1e-6."""
        means, deviations = np.empty(len(vectors)), np.empty(len(vectors))
        step = 1024
        for start in range(0, len(vectors), step):
            scores = vectors[start : start + step] @ self.cohort.T
            if self.top is not None and self.top < scores.shape[1]:
                scores = np.partition(scores, scores.shape[1] - self.top, axis=1)[:, -self.top :]
            means[start : start + step] = scores.mean(axis=1, dtype=np.float64)
            deviations[start : start + step] = scores.std(axis=1, dtype=np.float64)
        return means, np.maximum(deviations, 1e-6)

    def normalise(
        self,
        scores: ArrayLike,
        first: tuple[ArrayLike, ArrayLike],
        second: tuple[ArrayLike, ArrayLike],
    ) -> NDArray[np.float64]:
        """Normalised scores from the statistics of the first and the second template of each pair.

        Raises:
            InvalidScoresError: shapes that do not fit.
        """
        values = np.asarray(scores, dtype=np.float64)
        try:
            one = (values - np.asarray(first[0])) / np.asarray(first[1])
            two = (values - np.asarray(second[0])) / np.asarray(second[1])
            found = 0.5 * (one + two)
        except ValueError:
            raise InvalidScoresError("scores and cohort statistics differ in number.") from None
        if found.shape != values.shape:
            raise InvalidScoresError("scores and cohort statistics differ in number.")
        return np.asarray(found, dtype=np.float64)


# --------------------------------------------------------------------------------------------------------------- inputs


@dataclass(frozen=True, slots=True, eq=False)
class LabelledTemplates:
    """Templates of people with labels of evaluation data.

    Attributes:
        vectors: (n, d) float32 unit rows.
        subjects, groups: (n,) labels.
    """

    vectors: Vectors = field(repr=False)
    subjects: NDArray[np.str_]
    groups: NDArray[np.str_]

    def chosen(self, rows: NDArray[np.int64]) -> LabelledTemplates:
        """Some rows."""
        return LabelledTemplates(self.vectors[rows], self.subjects[rows], self.groups[rows])

    def __len__(self) -> int:
        return len(self.vectors)


@dataclass(frozen=True, slots=True, eq=False)
class MatedTemplates:
    """Mated comparisons as rows of two templates.

    Attributes:
        name: of the set.
        probes, references: (n, d) float32 unit rows, pair by pair.
        subjects: (n,) who.
        groups: (n,) labels; None without.
        proxy: the pairs are no true mated pairs (a picture and its own degraded copy).
    """

    name: str
    probes: Vectors = field(repr=False)
    references: Vectors = field(repr=False)
    subjects: NDArray[np.str_]
    groups: NDArray[np.str_] | None = None
    proxy: bool = False


@dataclass(frozen=True, slots=True)
class MitigationOptions:
    """How it is compared.

    Attributes:
        targets: overall FMR that every method is held to.
        methods: in order; ``raw`` is always first.
        top: of adaptive normalisation.
        cohort_share: of the people.
        alpha: weight of false matches in GARBE and the Inequity Rate.
        bootstrap: of intervals.
        seed: of the split.
    """

    targets: tuple[float, ...] = (1e-3, 1e-4)
    methods: tuple[Method, ...] = METHODS
    top: int = 200
    cohort_share: float = 0.25
    alpha: float = 0.5
    bootstrap: BootstrapOptions = field(default_factory=lambda: BootstrapOptions(replicates=500))
    seed: int = 20260


# -------------------------------------------------------------------------------------------------------------- results


@dataclass(frozen=True, slots=True)
class GroupFmr:
    """FMR of one group within itself, and its share of missed proxy pairs where there are any."""

    group: str
    fmr: RateEstimate
    missed: RateEstimate | None = None


@dataclass(frozen=True, slots=True)
class Spread:
    """How far groups lie apart, with an interval and the paired difference to the raw scores.

    Attributes:
        name: ``FMR max / geometric mean``, ``FMR max / min``, ``Gini of FMR``.
        value: at the measured rates; None where a group has no false match.
        interval: of the replicates, where a group without a false match counts half of one.
        ratio_to_raw: median and interval of value / raw value over the same replicates; None for the raw scores.
    """

    name: str
    value: float | None
    interval: tuple[float, float]
    ratio_to_raw: tuple[float, float, float] | None = None


@dataclass(frozen=True, slots=True)
class MethodRow:
    """One method held to one overall FMR.

    Attributes:
        target: FMR on the other half.
        method, needs_label: what, and whether it needs a label of the person at decision time.
        thresholds: of the two halves; empty for thresholds that differ by group.
        overall: realised FMR over all within-group pairs of both halves.
        groups: in alphabetical order.
        spreads: of FMR.
        fnmr: name of the mated set to its FNMR (proxies are named as such); None where the method has no answer.
        garbe, inequity_rate: with FMR and the missed proxy pairs of each group; None without or where not estimable.
    """

    target: float
    method: Method
    needs_label: bool
    thresholds: tuple[float, ...]
    overall: RateEstimate
    groups: tuple[GroupFmr, ...]
    spreads: tuple[Spread, ...]
    fnmr: Mapping[str, RateEstimate | None]
    garbe: float | None
    inequity_rate: float | None


@dataclass(frozen=True, slots=True)
class MitigationResult(StoredResult):
    """The comparison.

    Attributes:
        algorithm, datasets: what was measured on what.
        cohort, evaluated: people in the cohort and in both halves.
        rows: method by method for each target.
        notes: what a reader must know before quoting a figure.
        provenance: how it was made.
    """

    KIND: ClassVar[str] = "mitigation"

    algorithm: Algorithm
    datasets: tuple[DataSet, ...]
    cohort: int
    evaluated: int
    rows: tuple[MethodRow, ...]
    provenance: Provenance
    notes: tuple[str, ...] = ()

    def row(self, method: str, target: float) -> MethodRow:
        """The row of ``method`` at ``target``; raises KeyError."""
        for entry in self.rows:
            if entry.method == method and entry.target == target:
                return entry
        raise KeyError((method, target))


# ----------------------------------------------------------------------------------------------------------- the work


def split_people(
    subjects: NDArray[np.str_], groups: NDArray[np.str_], cohort_share: float, seed: int
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """Rows of the cohort and of two halves, without a person in two of them, every group shared out evenly.

    A person with pictures in several groups goes where their first picture goes.

    Raises:
        UsageError: ``cohort_share`` outside (0, 1).
    """
    if not 0 < cohort_share < 1:
        raise UsageError(f"the cohort's share lies between 0 and 1, got {cohort_share}.")
    first: dict[str, str] = {}
    for subject, group in zip(subjects.tolist(), groups.tolist()):
        first.setdefault(subject, group)
    part: dict[str, int] = {}
    for group in sorted(set(first.values())):
        people = sorted(subject for subject, own in first.items() if own == group)
        order = generator(seed, "split", group).permutation(len(people))
        cohort = round(cohort_share * len(people))
        for rank, number in enumerate(order.tolist()):
            part[people[number]] = 0 if rank < cohort else 1 + (rank - cohort) % 2
    parts = np.array([part[subject] for subject in subjects.tolist()])
    return np.flatnonzero(parts == 0), np.flatnonzero(parts == 1), np.flatnonzero(parts == 2)


@dataclass(frozen=True, slots=True, eq=False)
class _GroupScores:
    """Within-group non-mated pairs of one half: scores by method and the two rows of each pair."""

    scores: Mapping[Method, NDArray[np.float64]]
    first: NDArray[np.int64]
    second: NDArray[np.int64]
    subjects: NDArray[np.int64]
    people: int


def _group_scores(
    part: LabelledTemplates, group: str, norms: Mapping[Method, CohortNorm], methods: Sequence[Method]
) -> _GroupScores:
    rows = np.flatnonzero(part.groups == group)
    names, person = np.unique(part.subjects[rows], return_inverse=True)
    first, second = np.triu_indices(len(rows), 1)
    other = person[first] != person[second]
    first, second = first[other], second[other]
    vectors = part.vectors[rows]
    wide = vectors.astype(np.float64)
    raw = (wide @ wide.T)[first, second]
    scores: dict[Method, NDArray[np.float64]] = {}
    for method in methods:
        if method in norms:
            means, deviations = norms[method].statistics(vectors)
            own, their = (means[first], deviations[first]), (means[second], deviations[second])
            scores[method] = norms[method].normalise(raw, own, their)
        else:
            scores[method] = raw
    return _GroupScores(scores, first, second, person.astype(np.int64), len(names))


def compare_mitigations(
    templates: LabelledTemplates,
    mated: Sequence[MatedTemplates],
    options: MitigationOptions | None = None,
    *,
    algorithm: Algorithm | None = None,
    datasets: Sequence[DataSet] = (),
    provenance: Provenance | None = None,
    notes: Sequence[str] = (),
    progress: Progress = lambda what, done, whole: None,
) -> MitigationResult:
    """Hold every method to the same overall FMR and count by group. Non-mated pairs are those within a group.

    Args:
        templates: of people with labels.
        mated: sets that give FNMR; their people must not be among ``templates`` unless they are proxies with the same
            names, which are then judged by the threshold of the half that they are not in.
        options: how.
        algorithm, datasets, provenance, notes: for the result.
        progress: told (what, done, of how many).

    Raises:
        EmptyClassError: a half without pairs in some group, or a cohort that is too small.
        InvalidRateError: a target outside (0, 1).
    """
    options = options or MitigationOptions()
    methods = cast(tuple[Method, ...], tuple(dict.fromkeys(("raw", *options.methods))))
    cohort_rows, *halves_rows = split_people(templates.subjects, templates.groups, options.cohort_share, options.seed)
    cohort = templates.vectors[cohort_rows]
    norms: dict[Method, CohortNorm] = {}
    if "t-norm" in methods:
        norms["t-norm"] = CohortNorm(cohort)
    if "as-norm" in methods:
        norms["as-norm"] = CohortNorm(cohort, options.top)
    names = sorted(set(templates.groups.tolist()))
    halves: list[list[_GroupScores]] = []
    for number, rows in enumerate(halves_rows):
        part = templates.chosen(rows)
        found = []
        for place, group in enumerate(names):
            progress("scoring groups", number * len(names) + place, 2 * len(names))
            found.append(_group_scores(part, group, norms, methods))
        halves.append(found)
    if any(not len(entry.first) for half in halves for entry in half):
        raise EmptyClassError("a group has no pair of different people in one half.", hint="Take a larger set.")
    where = {
        str(subject): number for number, rows in enumerate(halves_rows) for subject in templates.subjects[rows].tolist()
    }
    rows_found: list[MethodRow] = []
    for target in options.targets:
        raw: list[NDArray[np.float64]] | None = None
        for method in methods:
            progress(f"{method} at FMR {target:g}", 0, 0)
            row, replicates = _row(method, target, halves, names, mated, where, norms, raw, options)
            raw = replicates if raw is None else raw
            rows_found.append(row)
    return MitigationResult(
        algorithm=algorithm or Algorithm("unnamed"),
        datasets=tuple(datasets),
        cohort=len(np.unique(templates.subjects[cohort_rows])),
        evaluated=sum(len(np.unique(templates.subjects[rows])) for rows in halves_rows),
        rows=tuple(rows_found),
        notes=tuple(notes),
        provenance=provenance
        or Provenance("", "", "", options.seed, options.bootstrap.replicates, options.bootstrap.level),
    )


def _thresholds(
    method: Method, target: float, halves: Sequence[Sequence[_GroupScores]], names: Sequence[str]
) -> list[dict[str, float]]:
    """Threshold of each group in each half, taken from the *other* half; last, from both."""

    def from_scores(parts: Sequence[_GroupScores]) -> float:
        return threshold_at_fmr(np.concatenate([part.scores[method] for part in parts]), target).value

    sources = [halves[1], halves[0], [*halves[0], *halves[1]]]
    if method == "group thresholds":
        return [
            {
                name: from_scores(source[place :: len(names)] if len(source) > len(names) else [source[place]])
                for place, name in enumerate(names)
            }
            for source in sources
        ]
    return [dict.fromkeys(names, from_scores(source)) for source in sources]


def _row(
    method: Method,
    target: float,
    halves: Sequence[Sequence[_GroupScores]],
    names: Sequence[str],
    mated: Sequence[MatedTemplates],
    where: Mapping[str, int],
    norms: Mapping[Method, CohortNorm],
    raw: list[NDArray[np.float64]] | None,
    options: MitigationOptions,
) -> tuple[MethodRow, list[NDArray[np.float64]]]:
    limits = _thresholds(method, target, halves, names)
    estimates, trials, errors, replicates = [], [], [], []
    graphs: list[tuple[CellPairs, ListedPairs]] = []
    for place, name in enumerate(names):
        graph, wrong = _graphs([half[place] for half in halves], method, [limits[0][name], limits[1][name]])
        estimates.append(vertex_bootstrap(graph, [wrong], options.bootstrap)[0])
        graphs.append((graph, wrong))
        trials.append(graph.pairs())
        errors.append(wrong.pairs())
        replicates.append(_replicated(graph, wrong, options.bootstrap, place))
    fnmr: dict[str, RateEstimate | None] = {}
    missed: dict[str, RateEstimate] = {}
    for entry in mated:
        rate, by_group = _missed(entry, method, limits, where, norms, options.bootstrap)
        fnmr[entry.name] = rate
        if entry.proxy:
            missed = by_group
    garbe, inequity = _with_misses(names, trials, errors, estimates, missed, target, options.alpha)
    single = method != "group thresholds"
    row = MethodRow(
        target=target,
        method=method,
        needs_label=NEEDS_LABEL[method],
        thresholds=(limits[0][names[0]], limits[1][names[0]]) if single else (),
        overall=_overall(trials, errors, replicates, estimates, options.bootstrap),
        groups=tuple(GroupFmr(name, rate, missed.get(name)) for name, rate in zip(names, estimates)),
        spreads=_spreads(estimates, replicates, raw, options.bootstrap.level),
        fnmr=fnmr,
        garbe=garbe,
        inequity_rate=inequity,
    )
    return row, replicates


def _graphs(parts: Sequence[_GroupScores], method: Method, limits: Sequence[float]) -> tuple[CellPairs, ListedPairs]:
    """Trials and false matches of one group over both halves, whose people never meet."""
    offset, subject, cell, first, second = 0, [], [], [], []
    for number, (part, limit) in enumerate(zip(parts, limits)):
        subject.append(part.subjects + offset)
        cell.append(np.full(len(part.subjects), number))
        wrong = part.scores[method] >= limit
        first.append(part.subjects[part.first[wrong]] + offset)
        second.append(part.subjects[part.second[wrong]] + offset)
        offset += part.people
    compatible = np.eye(len(parts), dtype=bool)
    graph = CellPairs(np.concatenate(subject), np.concatenate(cell), compatible, offset)
    return graph, ListedPairs(np.concatenate(first), np.concatenate(second), offset)


def _replicated(graph: CellPairs, wrong: ListedPairs, options: BootstrapOptions, place: int) -> NDArray[np.float64]:
    """(replicates,) FMR of a group; the same draws for every method. Half an error is added where there is none."""
    found = []
    for weights in draw_weights(graph.subjects, options.replicates, options.seed + place):
        total = np.maximum(graph.weighted_pairs(weights), 1.0)
        found.append(np.maximum(wrong.weighted_pairs(weights), 0.5) / total)
    return np.concatenate(found)


def _overall(
    trials: Sequence[int],
    errors: Sequence[int],
    replicates: Sequence[NDArray[np.float64]],
    estimates: Sequence[RateEstimate],
    options: BootstrapOptions,
) -> RateEstimate:
    """FMR over all groups; groups share nobody, so their replicates are independent and add up."""
    total, wrong = sum(trials), sum(errors)
    draws = np.sum([rate * count for rate, count in zip(replicates, trials)], axis=0) / total
    half = (1 - options.level) / 2
    rate = wrong / total
    variance = float(draws.var(ddof=1))
    effective = min(float(total), rate * (1 - rate) / variance) if variance > 0 else float(total)
    return RateEstimate(
        rate=rate,
        errors=wrong,
        trials=total,
        subjects=sum(entry.subjects for entry in estimates),
        interval=(float(np.quantile(draws, half)), float(np.quantile(draws, 1 - half))),
        effective_trials=effective,
        effective_errors=rate * effective,
        level=options.level,
        method="vertex bootstrap by group",
        replicates=len(draws),
    )


def _missed(
    entry: MatedTemplates,
    method: Method,
    limits: Sequence[Mapping[str, float]],
    where: Mapping[str, int],
    norms: Mapping[Method, CohortNorm],
    options: BootstrapOptions,
) -> tuple[RateEstimate | None, dict[str, RateEstimate]]:
    """FNMR of a mated set, and of its groups. People of a half are judged by the other half's threshold."""
    scores = np.einsum("nd,nd->n", entry.probes.astype(np.float64), entry.references.astype(np.float64))
    if method in norms:
        norm = norms[method]
        scores = norm.normalise(scores, norm.statistics(entry.probes), norm.statistics(entry.references))
    half = np.array([where.get(str(subject), 2) for subject in entry.subjects.tolist()])
    if entry.groups is None:
        if method == "group thresholds":
            return None, {}  # no label, no threshold: the method has no answer
        label = [next(iter(limits[0]))] * len(scores)
    else:
        label = entry.groups.tolist()
    limit = np.array([limits[number][name] for number, name in zip(half.tolist(), label)])
    refused = scores < limit
    by_group: dict[str, RateEstimate] = {}
    if entry.groups is not None:
        for name in sorted(set(label)):
            rows = np.flatnonzero(entry.groups == name)
            by_group[name] = subject_bootstrap(entry.subjects[rows], refused[rows], options)
    return subject_bootstrap(entry.subjects, refused, options), by_group


def _with_misses(
    names: Sequence[str],
    trials: Sequence[int],
    errors: Sequence[int],
    estimates: Sequence[RateEstimate],
    missed: Mapping[str, RateEstimate],
    target: float,
    alpha: float,
) -> tuple[float | None, float | None]:
    if any(name not in missed for name in names):
        return None, None
    misses = [missed[name] for name in names]
    rates = demographic_rates_from_counts(
        names,
        np.array([entry.trials for entry in misses]),
        np.array([entry.errors for entry in misses]),
        np.diag(np.array(trials)),
        np.diag(np.array(errors)),
        target,
        threshold_source="the other half",
        fmr=list(estimates),
        fnmr=misses,
    )
    found: Differentials = rates.differentials(alpha)
    return found.garbe.value, found.inequity_rate.value if found.inequity_rate.estimable else None


_SPREADS: tuple[tuple[str, Callable[[NDArray[np.float64]], NDArray[np.float64]]], ...] = (
    ("FMR max / geometric mean", lambda rates: rates.max(axis=0) / np.exp(np.log(rates).mean(axis=0))),
    ("FMR max / min", lambda rates: rates.max(axis=0) / rates.min(axis=0)),
    ("Gini of FMR", lambda rates: np.array([gini(column) for column in rates.T])),
)


def _spreads(
    estimates: Sequence[RateEstimate],
    replicates: Sequence[NDArray[np.float64]],
    raw: Sequence[NDArray[np.float64]] | None,
    level: float,
) -> tuple[Spread, ...]:
    rates = np.array([[entry.rate] for entry in estimates])
    draws = np.stack(replicates)
    tails = ((1 - level) / 2, (1 + level) / 2)
    found = []
    for name, figure in _SPREADS:
        own = figure(draws)
        value = float(figure(rates)[0]) if np.all(rates > 0) or name.startswith("Gini") else None
        ratio = None
        if raw is not None:
            paired = own / np.maximum(figure(np.stack(raw)), 1e-12)
            ratio = (float(np.median(paired)), *(float(np.quantile(paired, tail)) for tail in tails))
        low, high = (float(np.quantile(own, tail)) for tail in tails)
        found.append(Spread(name, value, (low, high), cast(tuple[float, float, float] | None, ratio)))
    return tuple(found)
