"""The ladder of corruptions: error against strength at thresholds that were fixed on other data."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import groupby

import numpy as np
from numpy.typing import NDArray

from samebody.lab.evaluate.corruptions import CORRUPTIONS, corruption
from samebody.lab.evaluate.images import Picture, PictureSet
from samebody.lab.evaluate.robustness.acquire import Acquired, CorruptedFaces
from samebody.lab.evaluate.robustness.results import FixedThreshold, LadderRates, LadderRow
from samebody.measure import BootstrapOptions, RateEstimate, estimate_rate, non_mated_estimate

ALL = "all"
NONE = "none"


@dataclass(frozen=True, slots=True)
class LadderOptions:
    """How much is measured.

    Attributes:
        corruptions: names, in order.
        strengths: strengths for each corruption instead of its own; a missing name keeps them.
        per_subject: pictures of each subject that are corrupted; references are all clean pictures.
        per_group: pictures of each group that are corrupted, for sets with labels and one picture a person.
        bootstrap: of all intervals.
    """

    corruptions: tuple[str, ...] = tuple(CORRUPTIONS)
    strengths: dict[str, tuple[float, ...]] = field(default_factory=dict)
    per_subject: int = 3
    per_group: int = 6
    bootstrap: BootstrapOptions = field(default_factory=lambda: BootstrapOptions(replicates=300))

    def steps(self) -> list[tuple[str, float]]:
        """Every corruption with every strength; clean pictures first."""
        found = [(NONE, 0.0)]
        for name in self.corruptions:
            found += [(name, strength) for strength in self.strengths.get(name, corruption(name).strengths)]
        return found


def chosen_probes(pictures: Sequence[Picture], per_subject: int, per_group: int) -> tuple[Picture, ...]:
    """The first pictures of each subject; of sets with one picture a subject, the first subjects of each group."""
    ordered = sorted(pictures, key=lambda picture: (picture.subject, picture.file))
    taken = [p for _, own in groupby(ordered, key=lambda picture: picture.subject) for p in list(own)[:per_subject]]
    if not any(picture.group for picture in pictures):
        return tuple(taken)
    seen: Counter[str] = Counter()
    kept = []
    for picture in sorted(taken, key=lambda picture: picture.sha256):  # a hash is as good as a lottery, and repeatable
        if seen[picture.group] < per_group:
            seen[picture.group] += 1
            kept.append(picture)
    return tuple(sorted(kept, key=lambda picture: picture.file))


def run_ladder(
    faces: CorruptedFaces,
    chosen: PictureSet,
    references: Acquired,
    thresholds: Sequence[FixedThreshold],
    options: LadderOptions | None = None,
    progress: Callable[[str, int, int], None] = lambda what, done, whole: None,
    *,
    mated: bool = True,
) -> tuple[LadderRow, ...]:
    """Corrupt probes step by step and compare each with clean references of the set.

    A probe meets every clean picture but its own. In a set with labels non-mated comparisons are those within a group,
    and rows of each group follow those of all; in a set without, they are all of them.

    Args:
        faces: makes templates of corrupted copies.
        chosen: the set.
        references: clean templates of the set.
        thresholds: fixed beforehand.
        options: how much.
        progress: told (what, done, of how many) within each step.
        mated: whether comparisons of one person count. They do not where a set has one picture of each person and the
            few repeats in it were found *by their scores*: an FNMR over those would be made of what already matched.

    Returns:
        Rows in the order of the steps.
    """
    options = options or LadderOptions()
    probes = chosen_probes(chosen.pictures, options.per_subject, options.per_group)
    labelled = any(picture.group for picture in chosen.pictures)
    groups = [ALL, *sorted({picture.group for picture in probes if picture.group})]
    rows = []
    for name, strength in options.steps():
        found = faces.acquire(chosen, probes, name, strength, progress)
        scored = score_step(found, references, within_groups=labelled, with_mated=mated)
        for group in groups:
            rows.append(_row(chosen.name, name, strength, group, found, scored, thresholds, options.bootstrap))
    return tuple(rows)


@dataclass(frozen=True, slots=True, eq=False)
class StepScores:
    """Scores of one step, flat.

    Attributes:
        mated, non_mated: scores.
        mated_subject: (m,) who.
        first, second: (n,) subjects of the probe and of the reference.
        mated_group, non_mated_group: of the probe.
        own: (p,) score of each corrupted picture with itself uncorrupted, NaN without a clean template.
        own_subject, own_group: (p,) of it.
    """

    mated: NDArray[np.float32]
    mated_subject: NDArray[np.str_]
    mated_group: NDArray[np.str_]
    non_mated: NDArray[np.float32]
    first: NDArray[np.str_]
    second: NDArray[np.str_]
    non_mated_group: NDArray[np.str_]
    own: NDArray[np.float32]
    own_subject: NDArray[np.str_]
    own_group: NDArray[np.str_]


def score_step(found: Acquired, references: Acquired, *, within_groups: bool, with_mated: bool = True) -> StepScores:
    """All comparisons of one step; products in float64, rounded once, as :func:`samebody.match.compare` does."""
    scores = (found.vectors.astype(np.float64) @ references.vectors.astype(np.float64).T).astype(np.float32)
    scores = np.clip(scores, -1.0, 1.0)
    subject = np.array([picture.subject for picture in found.pictures], dtype=np.str_)
    other = np.array([picture.subject for picture in references.pictures], dtype=np.str_)
    group = np.array([picture.group for picture in found.pictures], dtype=np.str_)
    their = np.array([picture.group for picture in references.pictures], dtype=np.str_)
    file = np.array([picture.file for picture in found.pictures], dtype=np.str_)
    place = {picture.file: number for number, picture in enumerate(references.pictures)}
    own_place = np.array([place.get(name, -1) for name in file], dtype=np.int64)
    same = subject[:, None] == other[None, :]
    self_pair = np.zeros_like(same)
    known = np.flatnonzero(own_place >= 0)
    self_pair[known, own_place[known]] = True
    mated, non_mated = same & ~self_pair & with_mated, ~same
    if within_groups:
        non_mated &= group[:, None] == their[None, :]
    (row_m, _), (row_n, column_n) = np.nonzero(mated), np.nonzero(non_mated)
    own = np.full(len(file), np.nan, dtype=np.float32)
    own[known] = scores[known, own_place[known]]
    return StepScores(
        mated=scores[mated],
        mated_subject=subject[row_m],
        mated_group=group[row_m],
        non_mated=scores[non_mated],
        first=subject[row_n],
        second=other[column_n],
        non_mated_group=group[row_n],
        own=own,
        own_subject=subject,
        own_group=group,
    )


def _row(
    dataset: str,
    name: str,
    strength: float,
    group: str,
    found: Acquired,
    scored: StepScores,
    thresholds: Sequence[FixedThreshold],
    options: BootstrapOptions,
) -> LadderRow:
    everybody = group == ALL
    tried = [(p, "") for p in found.pictures] + list(zip(found.failed, found.reasons))
    tried = [(picture, reason) for picture, reason in tried if everybody or picture.group == group]
    mated = np.full(len(scored.mated), True) if everybody else scored.mated_group == group
    other = np.full(len(scored.non_mated), True) if everybody else scored.non_mated_group == group
    own = np.isfinite(scored.own) & (everybody | (scored.own_group == group))
    rates = tuple(
        LadderRates(
            entry.target,
            fnmr=_share(scored.mated[mated] < entry.value, scored.mated_subject[mated], options),
            fmr=_false_matches(
                scored.non_mated[other] >= entry.value, scored.first[other], scored.second[other], options
            ),
            own=None if name == NONE else _share(scored.own[own] < entry.value, scored.own_subject[own], options),
        )
        for entry in thresholds
    )
    return LadderRow(
        dataset=dataset,
        corruption=name,
        unit="" if name == NONE else corruption(name).unit,
        strength=float(strength),
        group=group,
        fta=estimate_rate([bool(reason) for _, reason in tried], [p.subject for p, _ in tried], options),
        reasons=dict(sorted(Counter(reason for _, reason in tried if reason).items())),
        rates=rates,
    )


def _share(wrong: NDArray[np.bool_], subjects: NDArray[np.str_], options: BootstrapOptions) -> RateEstimate | None:
    return estimate_rate(wrong, subjects, options) if len(wrong) else None


def _false_matches(
    wrong: NDArray[np.bool_], first: NDArray[np.str_], second: NDArray[np.str_], options: BootstrapOptions
) -> RateEstimate | None:
    return non_mated_estimate(wrong, first, second, options=options) if len(wrong) else None
