"""The scores of one algorithm on one data set: mated comparisons listed, non-mated ones listed or counted.

Everything that is measured, compared or drawn starts from a :class:`ScoreSet`. Scores are similarities: a comparison is
accepted when ``score >= threshold``. People and samples are numbers here; their names stand in ``subjects`` and
``samples``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from samebody.lab.evaluate.non_mated import (
    Codes,
    CountedNonMated,
    Errors,
    ListedNonMated,
    Scores,
    count_group_pairs,
)
from samebody.measure import EmptyClassError, InvalidScoresError
from samebody.measure.errors import SubjectLeakageError


@dataclass(frozen=True, eq=False)
class MatedScores:
    """Comparisons of two samples of one subject.

    Attributes:
        scores: (n,) similarities.
        subject: (n,) code of the subject.
        probe, reference: (n,) codes of the samples.
        quality: (n,) float32, the lower quality of the two samples, higher is better; None where none is known.
    """

    scores: Scores = field(repr=False)
    subject: Codes = field(repr=False)
    probe: Codes = field(repr=False)
    reference: Codes = field(repr=False)
    quality: NDArray[np.float32] | None = field(default=None, repr=False)

    def __len__(self) -> int:
        return len(self.scores)

    def chosen(self, keep: NDArray[np.bool_]) -> MatedScores:
        """The comparisons where ``keep`` (n,) is true."""
        quality = None if self.quality is None else self.quality[keep]
        return MatedScores(self.scores[keep], self.subject[keep], self.probe[keep], self.reference[keep], quality)


@dataclass(frozen=True, slots=True, eq=False)
class Failures:
    """Failures to acquire and to enrol: counted apart, never in the denominator of a comparison rate.

    Attributes:
        attempts: (subjects,) samples tried of each subject.
        failed: (subjects,) of them, without a template.
        enrolments, not_enrolled: subjects that were to be enrolled, and those that could not be; 0 where not known.
        reasons: how often each reason code was given.
        samples: names of the samples that failed.
        lost_mated, lost_non_mated: comparisons of the protocol that could not take place for that reason.
    """

    attempts: NDArray[np.int64] = field(repr=False)
    failed: NDArray[np.int64] = field(repr=False)
    enrolments: int = 0
    not_enrolled: int = 0
    reasons: Mapping[str, int] = field(default_factory=dict)
    samples: tuple[str, ...] = field(default=(), repr=False)
    lost_mated: int = 0
    lost_non_mated: int = 0


@dataclass(frozen=True, slots=True, eq=False)
class Attempts:
    """Attempts of transactions, acquired or not, mated or not.

    Attributes:
        transaction: (n,) code of the transaction.
        attempt: (n,) orders the attempts of a transaction.
        score: (n,) float64; NaN where no sample was acquired.
        mated: (n,) bool.
        subject: (n,) code of the subject that made the attempt.
    """

    transaction: Codes = field(repr=False)
    attempt: NDArray[np.float64] = field(repr=False)
    score: NDArray[np.float64] = field(repr=False)
    mated: NDArray[np.bool_] = field(repr=False)
    subject: Codes = field(repr=False)


@dataclass(frozen=True, eq=False)
class ScoreSet:
    """Everything that is known of one algorithm's scores on one data set.

    Attributes:
        mated: comparisons within a subject.
        non_mated: comparisons between subjects, listed or counted.
        subjects: (s,) names; code ``i`` is ``subjects[i]``.
        samples: (m,) names of samples; code ``i`` is ``samples[i]``.
        subject_group: (s,) int16 group code of each subject, :data:`NO_GROUP` without a label.
        group_names: names of the groups; may be empty.
        failures: FTA and FTE counts; None when the input does not say.
        dropped: what was left out and why, in words, with counts.
        notes: remarks that a reader of the figures needs (a negated distance, an approximated graph).
        folds: (n,) fold of each mated, and of each non-mated comparison, when the protocol has folds.
        attempts: of transactions, when the table numbers them.
        sample_subject: (m,) code of the subject of each sample; None where not known.
        sample_quality: (m,) float32 quality of each sample, NaN where unknown; None where no quality is known.
        engine: who counted, where the all-pairs engine did: ``engine``, ``kernel``, ``workers``, ``processes``.
        independent: no subject is known, so comparisons are taken as independent; ``subjects`` then has one entry.
    """

    mated: MatedScores
    non_mated: ListedNonMated | CountedNonMated
    subjects: NDArray[np.str_] = field(repr=False)
    samples: NDArray[np.str_] = field(repr=False)
    subject_group: NDArray[np.int16] = field(repr=False)
    group_names: tuple[str, ...] = ()
    failures: Failures | None = None
    dropped: Mapping[str, int] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    folds: tuple[NDArray[np.int16], NDArray[np.int16]] | None = field(default=None, repr=False)
    attempts: Attempts | None = field(default=None, repr=False)
    independent: bool = False
    sample_subject: Codes | None = field(default=None, repr=False)
    sample_quality: NDArray[np.float32] | None = field(default=None, repr=False)
    engine: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if len(self.subject_group) != len(self.subjects):
            raise InvalidScoresError(f"{len(self.subjects)} subjects and {len(self.subject_group)} groups do not fit.")

    @property
    def groups(self) -> int:
        """Number of groups."""
        return len(self.group_names)

    def mated_group(self) -> NDArray[np.int16]:
        """(mated,) group code of each mated comparison."""
        return self.subject_group[self.mated.subject]

    def group_pair_errors(self, threshold: float) -> NDArray[np.int64]:
        """(groups, groups) symmetric: false matches between two groups at ``threshold``.

        Raises:
            TailTooShortError: the threshold lies below the kept scores.
        """
        errors = self.non_mated.errors_at(threshold)
        return count_group_pairs(self.subject_group[errors.first], self.subject_group[errors.second], self.groups)

    def of_subjects(self, names: Sequence[str] | NDArray[np.str_]) -> ScoreSet:
        """The comparisons whose people are all among ``names``, for splits into development and test.

        Raises:
            InvalidScoresError: counted comparisons cannot be taken apart.
            EmptyClassError: no non-mated comparison is left.
        """
        if not isinstance(self.non_mated, ListedNonMated) or self.independent:
            raise InvalidScoresError(
                "comparisons that were counted, or that name no subjects, cannot be split by subject.",
                hint="Give one table for each part, or evaluate from templates.",
            )
        inside = np.isin(self.subjects, np.asarray(names, dtype=np.str_))
        genuine = inside[self.mated.subject]
        impostor = inside[self.non_mated.first] & inside[self.non_mated.second]
        if not impostor.any():
            raise EmptyClassError("no non-mated comparison lies within this part of the split.")
        failures = self.failures
        if failures is not None:
            failures = replace(
                failures, attempts=np.where(inside, failures.attempts, 0), failed=np.where(inside, failures.failed, 0)
            )
        attempts = self.attempts
        if attempts is not None:
            rows = inside[attempts.subject]
            attempts = Attempts(
                attempts.transaction[rows],
                attempts.attempt[rows],
                attempts.score[rows],
                attempts.mated[rows],
                attempts.subject[rows],
            )
        return replace(
            self,
            mated=self.mated.chosen(genuine),
            non_mated=self.non_mated.chosen(impostor),
            failures=failures,
            folds=None if self.folds is None else (self.folds[0][genuine], self.folds[1][impostor]),
            attempts=attempts,
        )

    def worst_mated(self, count: int) -> NDArray[np.int64]:
        """Positions of the ``count`` lowest mated scores, lowest first."""
        return np.argsort(self.mated.scores, kind="stable")[:count]

    def worst_non_mated(self, count: int) -> Errors:
        """The ``count`` highest non-mated scores, highest first (fewer where fewer were kept)."""
        if isinstance(self.non_mated, ListedNonMated):
            scores = self.non_mated.scores
            floor = np.partition(scores, max(len(scores) - count, 0))[max(len(scores) - count, 0)]
            found = self.non_mated.errors_at(float(floor))
        else:
            found = self.non_mated.errors_at(self.non_mated.floor)
        part = slice(0, count)
        return Errors(
            found.scores[part],
            found.first[part],
            found.second[part],
            found.first_sample[part],
            found.second_sample[part],
        )


def encode(names: Sequence[str] | NDArray[np.str_]) -> tuple[NDArray[np.str_], Codes]:
    """Distinct names, sorted, and the code of each."""
    known, codes = np.unique(np.asarray(names, dtype=np.str_), return_inverse=True)
    return known, codes.astype(np.int32)


def check_leakage(thresholds_from: ScoreSet, reported_on: ScoreSet) -> None:
    """Refuse thresholds from people they are reported on.

    Raises:
        SubjectLeakageError: a subject's name stands in both sets.
    """
    if thresholds_from.independent or reported_on.independent:
        return
    shared = np.intersect1d(thresholds_from.subjects, reported_on.subjects)
    if len(shared):
        some = ", ".join(shared[:3].tolist())
        raise SubjectLeakageError(
            f"{len(shared)} subjects of the set that the thresholds come from are in the set they are reported on "
            f"({some}{', ...' if len(shared) > 3 else ''}).",
            hint="Split by subject, or take thresholds from another set.",
        )
