"""All scores of a set of encoded eyes, sorted into mated and non-mated pairs, and what they say."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from samebody.errors import SamebodyError
from samebody.iris import ComparisonParameters, IrisTemplate, merge_frames
from samebody.iris.compare import score_many
from samebody.lab.evaluate.iris_sets import EncodedSet, EyeSample, Progress
from samebody.measure import (
    BootstrapOptions,
    EmptyClassError,
    EqualErrorRate,
    ListedPairs,
    RateEstimate,
    Threshold,
    allowed_errors,
    draw_weights,
    equal_error_rate,
    subject_bootstrap,
    threshold_at_fmr,
    vertex_bootstrap,
)

NOT_COMPARABLE = 0.0
"""Score of a pair that shares too few usable bits: it never matches."""


@dataclass(frozen=True, slots=True, eq=False)
class Trials:
    """Mated and non-mated comparisons of one kind, with whom they belong to.

    Attributes:
        name: what was compared.
        mated: (m,) float32 scores; ``mated_person`` (m,) whose they are.
        non_mated: (n,) float32 scores; ``first``, ``second`` (n,) the two people.
        lost_person: (k,) whose mated pairs could not be compared because a picture was refused.
        people: number of people in the set.
        not_comparable: mated and non-mated pairs that share too few usable bits; they stand in the scores as
            :data:`NOT_COMPARABLE`.
    """

    name: str
    mated: NDArray[np.float32] = field(repr=False)
    mated_person: NDArray[np.int64] = field(repr=False)
    non_mated: NDArray[np.float32] = field(repr=False)
    first: NDArray[np.int64] = field(repr=False)
    second: NDArray[np.int64] = field(repr=False)
    lost_person: NDArray[np.int64] = field(repr=False)
    people: int
    not_comparable: tuple[int, int] = (0, 0)

    def within(self, persons: NDArray[np.bool_]) -> Trials:
        """Only the pairs whose people are all among ``persons``, a (people,) bool."""
        m, n = persons[self.mated_person], persons[self.first] & persons[self.second]
        return Trials(
            self.name,
            self.mated[m],
            self.mated_person[m],
            self.non_mated[n],
            self.first[n],
            self.second[n],
            self.lost_person[persons[self.lost_person]],
            self.people,
        )


def trials_of(name: str, scores: NDArray[np.float32], mated: NDArray[np.bool_], pairs: PairList) -> Trials:
    """Sort the scores of pairs (NaN where a picture was refused, -inf where not comparable) into trials."""
    refused, apart = np.isnan(scores), np.isneginf(scores)
    value = np.where(apart, np.float32(NOT_COMPARABLE), scores)
    m, n = mated & ~refused, ~mated & ~refused
    if not m.any() or not n.any():
        raise EmptyClassError(f"{name}: no mated or no non-mated pair of pictures gave a score.")
    return Trials(
        name,
        value[m],
        pairs.first[m],
        value[n],
        pairs.first[n],
        pairs.second[n],
        pairs.first[mated & refused],
        pairs.people,
        (int((m & apart).sum()), int((n & apart).sum())),
    )


@dataclass(frozen=True, slots=True, eq=False)
class PairList:
    """People behind pairs: (n,) numbers ``first`` and ``second``, and how many people there are."""

    first: NDArray[np.int64] = field(repr=False)
    second: NDArray[np.int64] = field(repr=False)
    people: int


@dataclass(frozen=True, slots=True, eq=False)
class ScoreMatrix:
    """Every picture against every other: (n, n) float32, symmetric; NaN where one was refused or on the diagonal."""

    samples: tuple[EyeSample, ...]
    templates: tuple[IrisTemplate | None, ...] = field(repr=False)
    scores: NDArray[np.float32] = field(repr=False)

    @property
    def person(self) -> NDArray[np.int64]:
        """(n,) number of each picture's person, in the order of their names."""
        return np.unique([sample.person for sample in self.samples], return_inverse=True)[1].astype(np.int64)

    @property
    def right(self) -> NDArray[np.bool_]:
        """(n,) whether the picture shows a right eye."""
        return np.array([sample.eye == "right" for sample in self.samples])


def score_matrix(
    encoded: EncodedSet, parameters: ComparisonParameters, progress: Progress = lambda what, done, whole: None
) -> ScoreMatrix:
    """Score every pair of pictures of a set, eyes of both sides with each other too."""
    count = len(encoded.templates)
    scores = np.full((count, count), np.nan, dtype=np.float32)
    usable = [index for index, template in enumerate(encoded.templates) if template is not None]
    held = [template for template in encoded.templates if template is not None]
    if not held:
        raise EmptyClassError("no picture of the set gave a template.")
    codes, masks = np.stack([t.code for t in held]), np.stack([t.mask for t in held])
    for position, (index, template) in enumerate(zip(usable, held)):
        row = score_many(template, codes[position + 1 :], masks[position + 1 :], parameters)
        others = usable[position + 1 :]
        scores[index, others] = row
        scores[others, index] = row
        progress("comparing", position + 1, len(usable))
    return ScoreMatrix(encoded.source.samples, encoded.templates, scores)


def same_side(matrix: ScoreMatrix) -> Trials:
    """Left eyes with left eyes and right with right: the pairs that the product compares."""
    first, second = np.triu_indices(len(matrix.samples), 1)
    person, right = matrix.person, matrix.right
    keep = right[first] == right[second]
    first, second = first[keep], second[keep]
    pairs = PairList(person[first], person[second], int(person.max()) + 1)
    return trials_of("same side", matrix.scores[first, second], pairs.first == pairs.second, pairs)


def any_eyes(matrix: ScoreMatrix) -> Trials:
    """The mated pairs of :func:`same_side`, and all eyes of different people, whichever side: twice the non-mated."""
    first, second = np.triu_indices(len(matrix.samples), 1)
    person, right = matrix.person, matrix.right
    mated = (person[first] == person[second]) & (right[first] == right[second])
    keep = mated | (person[first] != person[second])
    pairs = PairList(person[first][keep], person[second][keep], int(person.max()) + 1)
    return trials_of("any two eyes", matrix.scores[first, second][keep], mated[keep], pairs)


def two_eyes(matrix: ScoreMatrix) -> Trials:
    """Both eyes of a person with both eyes of a person, picture k of each: the mean of the two scores."""
    slots: dict[tuple[int, str], list[int]] = {}
    for index, (sample, person) in enumerate(zip(matrix.samples, matrix.person)):
        slots.setdefault((int(person), sample.eye), []).append(index)
    people = int(matrix.person.max()) + 1
    both = [
        (person, left, right)
        for person in range(people)
        for left, right in zip(slots.get((person, "left"), []), slots.get((person, "right"), []))
    ]
    if not both:
        raise EmptyClassError("nobody has pictures of both eyes.")
    person, left, right = (np.array(column, dtype=np.int64) for column in zip(*both))
    first, second = np.triu_indices(len(both), 1)
    summed = matrix.scores[left[first], left[second]] + matrix.scores[right[first], right[second]]
    scores = (summed / 2).astype(np.float32)
    pairs = PairList(person[first], person[second], people)
    return trials_of("both eyes, mean", scores, pairs.first == pairs.second, pairs)


def merged_references(matrix: ScoreMatrix, parameters: ComparisonParameters, frames: int = 3) -> Trials:
    """References merged of the first ``frames`` pictures of an eye, probed by the other pictures of that side."""
    person = matrix.person
    groups: dict[tuple[int, str], list[int]] = {}
    for index, sample in enumerate(matrix.samples):
        groups.setdefault((int(person[index]), sample.eye), []).append(index)
    names, probes, sides, merged = [], [], [], []
    for (owner, eye), members in sorted(groups.items()):
        if len(members) <= frames:
            continue
        names.append(owner)
        sides.append(eye)
        merged.append(_merged([matrix.templates[index] for index in members[:frames]]))
        probes.append(members[frames:])
    if not merged:
        raise EmptyClassError(f"no eye has more than {frames} pictures.")
    scores, first, second, mated = [], [], [], []
    columns = next(template.columns for template in matrix.templates if template is not None)
    blank = np.zeros(columns, dtype=np.uint64)
    for side in ("left", "right"):
        chosen = [k for k in range(len(names)) if sides[k] == side]
        codes = np.stack([blank if (t := merged[k]) is None else t.code for k in chosen])
        masks = np.stack([blank if (t := merged[k]) is None else t.mask for k in chosen])
        gone = np.array([merged[k] is None for k in chosen])
        for k in chosen:
            for index in probes[k]:
                template = matrix.templates[index]
                row = np.full(len(chosen), np.nan, dtype=np.float32)
                if template is not None:
                    row = np.where(gone, np.nan, score_many(template, codes, masks, parameters)).astype(np.float32)
                scores.append(row)
                first.append(np.full(len(chosen), names[k]))
                second.append(np.array([names[other] for other in chosen]))
                mated.append(np.array([other == k for other in chosen]))
    pairs = PairList(np.concatenate(first), np.concatenate(second), int(person.max()) + 1)
    return trials_of(f"reference of {frames} frames", np.concatenate(scores), np.concatenate(mated), pairs)


def _merged(frames: Sequence[IrisTemplate | None]) -> IrisTemplate | None:
    usable = [frame for frame in frames if frame is not None]
    try:
        return merge_frames(usable).template
    except SamebodyError:
        return None  # a failure to enrol, counted as lost mated pairs


@dataclass(frozen=True, slots=True)
class Rates:
    """Error rates at one target.

    Attributes:
        target: false match rate asked for.
        thresholds: what gave it: one, or one of each fold.
        fmr: realised, with the interval of the vertex bootstrap.
        fnmr: of the pairs that were compared, with the interval of the subject bootstrap.
        gfrr: the same where mated pairs with a refused picture count as non-matches.
    """

    target: float
    thresholds: tuple[Threshold, ...]
    fmr: RateEstimate
    fnmr: RateEstimate
    gfrr: RateEstimate


def rates_at(trials: Trials, targets: Sequence[float], options: BootstrapOptions) -> tuple[Rates, ...]:
    """Thresholds and rates on one and the same pairs; targets that allow no error are left out."""
    found = []
    for target in targets:
        if allowed_errors(target, trials.non_mated.size) >= 1:
            threshold = threshold_at_fmr(trials.non_mated, target)
            found.append(rates_of(target, (threshold,), [(trials, threshold.value)], options))
    return tuple(found)


def two_fold(trials: Trials, targets: Sequence[float], options: BootstrapOptions) -> tuple[Rates, ...]:
    """Thresholds of one half of the people, rates on the other half, both ways, pooled.

    Every second person (in the order of their names) is in the first half; pairs across the halves take no part.
    """
    first = np.arange(trials.people) % 2 == 0
    halves = (trials.within(first), trials.within(~first))
    found = []
    for target in targets:
        if min(allowed_errors(target, half.non_mated.size) for half in halves) >= 1:
            thresholds = tuple(threshold_at_fmr(half.non_mated, target) for half in halves)
            reported = [(halves[1], thresholds[0].value), (halves[0], thresholds[1].value)]
            found.append(rates_of(target, thresholds, reported, options))
    return tuple(found)


def rates_of(
    target: float,
    thresholds: tuple[Threshold, ...],
    reported: Sequence[tuple[Trials, float]],
    options: BootstrapOptions,
) -> Rates:
    """Rates over the trials of ``reported``, each judged at the threshold that stands beside it, pooled."""
    people = reported[0][0].people
    first = np.concatenate([trials.first for trials, _ in reported])
    second = np.concatenate([trials.second for trials, _ in reported])
    matched = np.concatenate([trials.non_mated >= value for trials, value in reported])
    missed = np.concatenate([trials.mated < value for trials, value in reported])
    owner = np.concatenate([trials.mated_person for trials, _ in reported])
    lost = np.concatenate([trials.lost_person for trials, _ in reported])
    graph = ListedPairs(first, second, people)
    (fmr,) = vertex_bootstrap(graph, [ListedPairs(first[matched], second[matched], people)], options)
    return Rates(
        target,
        thresholds,
        fmr,
        subject_bootstrap(owner, missed, options),
        subject_bootstrap(np.concatenate([owner, lost]), np.concatenate([missed, np.ones(lost.size, bool)]), options),
    )


@dataclass(frozen=True, slots=True)
class EerEstimate:
    """An equal error rate with its bootstrap interval over people."""

    rate: EqualErrorRate
    interval: tuple[float, float]
    generalised: float
    """The same where mated pairs with a refused picture score 0."""


def equal_error(trials: Trials, options: BootstrapOptions, replicates: int = 300) -> EerEstimate:
    """The equal error rate (``closest-mean``) and its percentile interval over resampled people."""
    both = np.concatenate([trials.mated, trials.non_mated])
    order = np.argsort(both, kind="stable")
    mated = order < trials.mated.size
    owner = trials.mated_person[order[mated]]
    impostor = order[~mated] - trials.mated.size
    one, two = trials.first[impostor], trials.second[impostor]
    found = []
    for weights in draw_weights(trials.people, min(replicates, options.replicates), options.seed):
        for w in weights.T:
            below, above = np.zeros(both.size), np.zeros(both.size)
            below[mated] = w[owner]
            above[~mated] = w[one] * w[two]
            if below.sum() and above.sum():
                missed = np.concatenate([[0.0], np.cumsum(below) / below.sum()])
                matched = np.concatenate([[1.0], 1.0 - np.cumsum(above) / above.sum()])
                at = int(np.argmin(np.abs(missed - matched)))
                found.append((missed[at] + matched[at]) / 2)
    tail = (1 - options.level) / 2
    low, high = np.quantile(found, [tail, 1 - tail])
    lost = np.zeros(trials.lost_person.size, dtype=np.float32)
    generalised = equal_error_rate(np.concatenate([trials.mated, lost]), trials.non_mated).value
    return EerEstimate(equal_error_rate(trials.mated, trials.non_mated), (float(low), float(high)), generalised)
