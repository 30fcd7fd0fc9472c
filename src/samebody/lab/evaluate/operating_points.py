"""Measuring an embedder's operating points: pictures in, thresholds at false match rates with their uncertainty out."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from samebody.errors import NotMeasuredError
from samebody.lab.evaluate.evaluation_sets import Population, Sample, population
from samebody.measure import (
    INDICATIVE_BELOW,
    BootstrapOptions,
    CellPairs,
    ExtrapolatedThreshold,
    ListedPairs,
    PairScores,
    RateEstimate,
    ScoreHistogram,
    TailTooShortError,
    Threshold,
    allowed_errors,
    draw_weights,
    extrapolate_threshold,
    score_histogram,
    score_pairs,
    subject_bootstrap,
    threshold_from_tail,
    vertex_bootstrap,
)
from samebody.types import OperatingPoint

TARGETS = (1e-2, 1e-3, 1e-4, 1e-5, 1e-6)
GROUP_TARGETS = (1e-3, 1e-4)
_TAIL_FIT = 1000  # exceedances of a tail fit


@dataclass(frozen=True, slots=True, eq=False)
class Templates:
    """Samples of one set with a template, and those without.

    Attributes:
        samples: that gave a template.
        vectors: (n, d) float32, unit rows, in the order of ``samples``.
        failed: samples that gave none: failures to acquire.
        reasons: reason code of each failure.
    """

    samples: tuple[Sample, ...]
    vectors: NDArray[np.float32] = field(repr=False)
    failed: tuple[Sample, ...] = ()
    reasons: tuple[str, ...] = ()

    @property
    def attempts(self) -> int:
        """Samples that were tried."""
        return len(self.samples) + len(self.failed)


@dataclass(frozen=True, slots=True, eq=False)
class MatedScores:
    """Scores of pairs of different pictures of one person.

    Attributes:
        scores: (n,) float32.
        person: (n,) number of the person.
        lost: pairs that could not be compared because a picture gave no template.
    """

    scores: NDArray[np.float32] = field(repr=False)
    person: NDArray[np.int64] = field(repr=False)
    lost: int

    @property
    def people(self) -> int:
        """People with at least one pair."""
        return len(np.unique(self.person))


@dataclass(frozen=True, slots=True)
class Point:
    """One operating point of one population, with what it rests on.

    Attributes:
        threshold: target, value, realised rate.
        fmr: with interval and effective errors.
        fnmr: of the mated pairs at the same threshold.
        extrapolation: where the target lies beyond the measured tail; the threshold is then its upper bound.
    """

    threshold: Threshold
    fmr: RateEstimate
    fnmr: RateEstimate
    extrapolation: ExtrapolatedThreshold | None = None

    def operating_point(self, population_name: str, dataset: str, mated: MatedScores) -> OperatingPoint:
        """The point as a model record carries it."""
        return OperatingPoint(
            fmr=self.threshold.target,
            threshold=self.threshold.value,
            realised_fmr=self.threshold.realised_fmr,
            population=population_name,
            dataset=dataset,
            pairs=self.fmr.trials,
            subjects=self.fmr.subjects,
            errors=self.fmr.errors,
            effective_errors=self.fmr.effective_errors if self.fmr.estimable else 0.0,
            fmr_interval=self.fmr.interval,
            fnmr=self.fnmr.rate,
            fnmr_interval=self.fnmr.interval,
            mated_pairs=len(mated.scores),
            mated_subjects=mated.people,
            indicative=self.indicative,
            extrapolated=self.extrapolation is not None,
        )

    @property
    def indicative(self) -> bool:
        """Fewer than 30 effective false matches stand behind it."""
        return not self.fmr.estimable or self.fmr.indicative


@dataclass(frozen=True, slots=True)
class PopulationResult:
    """Operating points of one population.

    Attributes:
        name: of the population.
        pairs, subjects, pictures: non-mated pairs, and who and what takes part in them.
        points: from the loosest to the strictest rate that could be measured (or extrapolated).
        refused: rates that could not be given, with why.
        histogram: of the non-mated scores.
    """

    name: str
    pairs: int
    subjects: int
    pictures: int
    points: tuple[Point, ...]
    refused: tuple[tuple[float, str], ...]
    histogram: ScoreHistogram = field(repr=False)


@dataclass(frozen=True, slots=True)
class GroupResult:
    """One label of race and gender: false match rates at the *global* thresholds.

    Attributes:
        group: label.
        pictures, failed: pictures of the group that gave a template (of the population), and all that gave none.
        rates: at each of :data:`GROUP_TARGETS`' global thresholds.
        own_threshold: the threshold that this group alone would need for the first of :data:`GROUP_TARGETS`; None
            where the kept tail does not reach it.
    """

    group: str
    pictures: int
    failed: int
    rates: tuple[RateEstimate, ...]
    own_threshold: float | None


def mated_scores(templates: Templates) -> MatedScores:
    """Every pair of different pictures of one person, scored as :func:`samebody.match.compare` does."""
    people = sorted({sample.person for sample in templates.samples})
    number = {person: index for index, person in enumerate(people)}
    owner = np.array([number[sample.person] for sample in templates.samples])
    wide, scores, persons = templates.vectors.astype(np.float64), [], []
    for index in range(len(people)):
        rows = np.flatnonzero(owner == index)
        first, second = np.triu_indices(len(rows), 1)
        scores.append(np.einsum("nd,nd->n", wide[rows[first]], wide[rows[second]]).astype(np.float32))
        persons.append(np.full(len(first), index, dtype=np.int64))
    everyone = [sample.person for sample in (*templates.samples, *templates.failed)]
    possible = sum(count * (count - 1) // 2 for count in np.unique(everyone, return_counts=True)[1].tolist())
    joined = np.concatenate(scores) if scores else np.empty(0, dtype=np.float32)
    owners = np.concatenate(persons) if persons else np.empty(0, dtype=np.int64)
    return MatedScores(joined, owners, int(possible) - len(joined))


@dataclass(frozen=True, slots=True, eq=False)
class ScoredPopulation:
    """The scores of a population's non-mated pairs, and whom they belong to."""

    name: str
    pictures: int
    subject: NDArray[np.int64] = field(repr=False)
    scores: PairScores = field(repr=False)

    def errors_at(self, threshold: float) -> ListedPairs:
        """The false matches at ``threshold`` as a graph over subjects.

        Raises:
            TailTooShortError: the threshold lies below the kept scores.
        """
        if threshold < self.scores.floor:
            raise TailTooShortError(f"scores below {self.scores.floor:.3f} were not kept, so not at {threshold:.3f}.")
        count = int(np.count_nonzero(self.scores.tail >= threshold))
        first, second = self.scores.first[:count], self.scores.second[:count]
        return ListedPairs(self.subject[first], self.subject[second], self.scores.graph.subjects)

    def rates_at(self, thresholds: Sequence[float], options: BootstrapOptions) -> tuple[RateEstimate, ...]:
        """False match rates with vertex-bootstrap intervals."""
        return vertex_bootstrap(self.scores.graph, [self.errors_at(value) for value in thresholds], options)


def score_population(
    templates: Templates, people: Sequence[str], chosen: Population, keep_fmr: float
) -> ScoredPopulation:
    """Score all non-mated pairs of a population; the largest ``keep_fmr`` of them are kept exactly.

    Args:
        people: the person of each of ``templates.samples``; pairs of one person are left out.
    """
    names = [people[position] for position in chosen.members]
    number = {name: index for index, name in enumerate(sorted(set(names)))}
    subject = np.array([number[name] for name in names], dtype=np.int64)
    graph = CellPairs(subject, chosen.cells, chosen.compatible, len(number))
    scores = score_pairs(
        templates.vectors[chosen.members],
        subject,
        keep=allowed_errors(keep_fmr, graph.pairs()) + 1,
        cell=chosen.cells,
        compatible=chosen.compatible,
    )
    return ScoredPopulation(chosen.name, len(subject), subject, scores)


def measure_population(
    scored: ScoredPopulation,
    mated: MatedScores,
    targets: Sequence[float] = TARGETS,
    options: BootstrapOptions | None = None,
    *,
    extrapolate: bool = False,
) -> PopulationResult:
    """Operating points of a population, from the loosest rate to the strictest that its data carry.

    A rate is measured while at least one false match is allowed at it. Beyond, it is refused, or extrapolated when that
    is asked for: at most 100 times below the strictest rate with 30 effective errors.
    """
    options = options or BootstrapOptions()
    measured, beyond = [], []
    for target in sorted(targets, reverse=True):
        if allowed_errors(target, scored.scores.pairs) >= 1:
            measured.append(threshold_from_tail(scored.scores.tail, scored.scores.pairs, target))
        else:
            beyond.append(target)
    rates = scored.rates_at([threshold.value for threshold in measured], options)
    points = [
        Point(threshold, rate, _fnmr(mated, threshold.value, options)) for threshold, rate in zip(measured, rates)
    ]
    refused: list[tuple[float, str]] = []
    solid = [point.threshold.target for point in points if point.fmr.effective_errors >= INDICATIVE_BELOW]
    for target in beyond:
        if not extrapolate or not solid:
            refused.append((target, f"fewer than one false match is expected in {scored.scores.pairs:,} pairs"))
            continue
        try:
            points.append(_extrapolated(scored, mated, target, min(solid), options))
        except NotMeasuredError as error:
            refused.append((target, error.message))
    graph = scored.scores.graph
    histogram = scored.scores.histogram.coarser(10)
    return PopulationResult(
        scored.name, scored.scores.pairs, graph.taking_part, scored.pictures, tuple(points), tuple(refused), histogram
    )


def _fnmr(mated: MatedScores, threshold: float, options: BootstrapOptions) -> RateEstimate:
    return subject_bootstrap(mated.person, mated.scores < threshold, options)


def _extrapolated(
    scored: ScoredPopulation, mated: MatedScores, target: float, solid: float, options: BootstrapOptions
) -> Point:
    kept = slice(0, min(2 * _TAIL_FIT, len(scored.scores.tail)))
    first = scored.subject[scored.scores.first[kept]]
    second = scored.subject[scored.scores.second[kept]]

    def replicates() -> Iterator[tuple[NDArray[np.float64], float]]:
        for weights in draw_weights(scored.scores.graph.subjects, options.replicates, options.seed):
            totals = scored.scores.graph.weighted_pairs(weights)
            for column in range(weights.shape[1]):
                if totals[column] > 0:
                    yield weights[first, column] * weights[second, column], float(totals[column])

    found = extrapolate_threshold(
        scored.scores.tail[kept],
        scored.scores.pairs,
        target,
        measured_fmr=solid,
        exceedances=_TAIL_FIT,
        replicate_weights=replicates(),
        level=options.level,
        seed=options.seed,
    )
    (rate,) = scored.rates_at([found.value], options)
    threshold = Threshold(target, found.value, rate.rate, rate.errors, rate.trials)
    return Point(threshold, rate, _fnmr(mated, found.value, options), found)


def measure_groups(
    templates: Templates,
    people: Sequence[str],
    thresholds: Sequence[Threshold],
    options: BootstrapOptions | None = None,
    *,
    population_name: str = "matched-adults",
) -> tuple[GroupResult, ...]:
    """False match rates of each label of race and gender at global thresholds, worst group first."""
    options = options or BootstrapOptions()
    results = []
    for group in sorted({sample.group for sample in templates.samples}):
        chosen = population(population_name, templates.samples, group)
        scored = score_population(templates, people, chosen, keep_fmr=0.1)
        rates = scored.rates_at([threshold.value for threshold in thresholds], options)
        try:
            own = threshold_from_tail(scored.scores.tail, scored.scores.pairs, thresholds[0].target).value
        except TailTooShortError:
            own = None
        failed = sum(sample.group == group for sample in templates.failed)
        results.append(GroupResult(group, scored.pictures, failed, rates, own))
    return tuple(sorted(results, key=lambda result: [-rate.rate for rate in result.rates]))


def mated_histogram(mated: MatedScores, bins: int = 200) -> ScoreHistogram:
    """Histogram of the mated scores in the bins of the non-mated ones."""
    return score_histogram(mated.scores, bins=bins)
