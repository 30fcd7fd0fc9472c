"""Two runs on one footing: the same comparisons, the same numbers for people, so that one draw weighs both."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from samebody.errors import InputError
from samebody.lab.evaluate.non_mated import Codes, ListedNonMated
from samebody.lab.evaluate.runs import Run
from samebody.lab.evaluate.scores import MatedScores, ScoreSet

Keys = NDArray[np.int64]
"""(n,) one whole number for each comparison, the same in both runs."""


class RunsDifferError(InputError):
    """Two runs are not about the same comparisons, so their difference would mean nothing."""

    code = "evaluate.runs_differ"


@dataclass(frozen=True, slots=True, eq=False)
class Side:
    """One of two runs in common numbers.

    Attributes:
        run: as it was read.
        scores: its comparisons, those of both runs only where they are listed.
        to_common: (subjects of the run,) number of each among the common people.
        mated_keys: comparison by comparison, in the order of ``scores.mated``.
        sample_code: (samples of the run,) number of each among the common samples.
    """

    run: Run
    scores: ScoreSet
    to_common: Codes = field(repr=False)
    mated_keys: Keys = field(repr=False)
    sample_code: NDArray[np.int64] = field(repr=False)


@dataclass(frozen=True, slots=True, eq=False)
class PairedRuns:
    """Two runs over common people.

    Attributes:
        a, b: the sides; their mated comparisons are the same, in the same order.
        subjects: (s,) names; the common numbers.
        group: (s,) int16 code of each, -1 without a label.
        group_names: of the groups.
        samples: number of common sample codes.
        failed: a run lists samples that could not be acquired.
        same_non_mated: the non-mated comparisons are the same, one by one.
        left_out: comparisons that one run lacks, by kind and run, with counts.
        notes: what a reader must know.
    """

    a: Side
    b: Side
    subjects: NDArray[np.str_] = field(repr=False)
    group: NDArray[np.int16] = field(repr=False)
    group_names: tuple[str, ...]
    samples: int
    failed: bool
    same_non_mated: bool
    left_out: dict[str, int]
    notes: tuple[str, ...]


def pair_runs(a: Run, b: Run, *, common_only: bool = False) -> PairedRuns:
    """Put two runs on one footing.

    Comparisons are the same when they name the same two samples. A comparison that one run lacks because a sample could
    not be acquired there is left out of both and counted; any other difference is refused, unless ``common_only``.
    Non-mated comparisons that were counted, not listed, are not looked at one by one: people, samples and their number
    must agree.

    Raises:
        RunsDifferError: other people, other groups, other comparisons, or people that are not known.
    """
    if a.scores.independent or b.scores.independent:
        raise RunsDifferError(
            "the subjects of these scores are not known, and a paired interval is taken over subjects.",
            hint="Give subject ids with the scores and evaluate again.",
        )
    subjects = np.union1d(a.scores.subjects, b.scores.subjects)
    shared = np.intersect1d(a.scores.subjects, b.scores.subjects)
    if not len(shared):
        raise RunsDifferError(
            f"{a.folder} and {b.folder} have no subject in common.", hint="Evaluate both on the same data set."
        )
    samples = np.union1d(a.scores.samples, b.scores.samples)
    places = [np.searchsorted(subjects, run.scores.subjects).astype(np.int32) for run in (a, b)]
    codes = [np.searchsorted(samples, run.scores.samples).astype(np.int64) for run in (a, b)]
    group, names = _groups(a, b, places, len(subjects))
    chosen, left, notes = [a.scores, b.scores], {}, []

    keys = [_keys(s.mated.probe, s.mated.reference, c, len(samples)) for s, c in zip(chosen, codes)]
    keep, missing = _common(keys, (a, b), codes, samples, "mated", common_only)
    left.update(missing)
    mated = [_ordered(s.mated.chosen(k), key[k]) for s, k, key in zip(chosen, keep, keys)]
    ordered = [np.sort(key[k]) for key, k in zip(keys, keep)]

    others = [s.non_mated for s in chosen]
    same = True
    one, two = others
    if isinstance(one, ListedNonMated) and isinstance(two, ListedNonMated):
        far = [_keys(o.probe, o.reference, c, len(samples)) for o, c in zip((one, two), codes)]
        keep, missing = _common(far, (a, b), codes, samples, "non-mated", common_only)
        left.update(missing)
        others = [one.chosen(keep[0]), two.chosen(keep[1])]
    else:
        same = _counted_alike(a, b, common_only)
        if not same:
            notes.append(
                "the non-mated comparisons were counted and differ by samples that one run could not acquire: each "
                "false match rate is over its own run's comparisons"
            )
    if left:
        notes.append("comparisons of one run only are left out: " + ", ".join(f"{n} {k}" for k, n in left.items()))
    failed = any(run.scores.failures is not None and run.scores.failures.failed.any() for run in (a, b))
    sides = []
    for run, s, m, o, place, key, code in zip((a, b), chosen, mated, others, places, ordered, codes):
        fitted = ScoreSet(m, o, s.subjects, s.samples, s.subject_group, s.group_names, s.failures, notes=s.notes)
        sides.append(Side(run, fitted, place, key, code))
    return PairedRuns(sides[0], sides[1], subjects, group, names, len(samples), failed, same, left, tuple(notes))


def _groups(a: Run, b: Run, places: list[Codes], subjects: int) -> tuple[NDArray[np.int16], tuple[str, ...]]:
    """Group code of each common person; labels of both runs must agree."""
    names = tuple(sorted({*a.scores.group_names, *b.scores.group_names}))
    found = [np.full(subjects, -1, dtype=np.int16) for _ in places]
    for run, place, codes in zip((a, b), places, found):
        number = np.array([names.index(name) for name in run.scores.group_names] + [-1], dtype=np.int16)
        codes[place] = number[run.scores.subject_group]
    differ = (found[0] >= 0) & (found[1] >= 0) & (found[0] != found[1])
    if np.any(differ):
        raise RunsDifferError(
            f"{int(differ.sum())} subjects stand in one group in {a.folder} and in another in {b.folder}.",
            hint="Evaluate both with the same labels.",
        )
    return np.where(found[0] >= 0, found[0], found[1]), names


def _keys(probe: Codes, reference: Codes, codes: NDArray[np.int64], samples: int) -> Keys:
    return np.asarray(codes[probe] * samples + codes[reference], dtype=np.int64)


def _common(
    keys: list[Keys],
    runs: tuple[Run, Run],
    codes: list[NDArray[np.int64]],
    names: NDArray[np.str_],
    kind: str,
    force: bool,
) -> tuple[list[NDArray[np.bool_]], dict[str, int]]:
    """Which comparisons of each run the other has too, and how many it has not."""
    if not _unique(keys[0]) or not _unique(keys[1]):
        raise RunsDifferError(f"a {kind} comparison stands twice in a run.", hint="Name every comparison once.")
    samples = len(names)
    if len(np.intersect1d(keys[0], keys[1])) < max(len(keys[0]), len(keys[1])):
        turned = [np.minimum(k // samples, k % samples) * samples + np.maximum(k // samples, k % samples) for k in keys]
        if _unique(turned[0]) and _unique(turned[1]):  # one run names probe first, the other the reference
            keys[0], keys[1] = turned
    keep = [np.isin(keys[0], keys[1], assume_unique=True), np.isin(keys[1], keys[0], assume_unique=True)]
    missing: dict[str, int] = {}
    for number, (run, other) in enumerate(((0, 1), (1, 0))):
        alone = keys[run][~keep[run]]
        if not len(alone):
            continue
        missing[f"{kind} of {'AB'[number]}"] = len(alone)
        failures = runs[other].scores.failures
        lost = np.flatnonzero(np.isin(names, np.asarray(failures.samples if failures else (), dtype=names.dtype)))
        explained = np.isin(alone // samples, lost) | np.isin(alone % samples, lost)
        if not np.all(explained) and not force:
            first = alone[~explained][0]
            raise RunsDifferError(
                f"{int((~explained).sum())} {kind} comparisons of {runs[run].folder} are not in {runs[other].folder}, "
                f"and no failure to acquire explains it (for example {names[first // samples]} with "
                f"{names[first % samples]}).",
                hint="Evaluate both on the same comparisons, or compare what they share with --common-only.",
            )
    if not len(np.intersect1d(keys[0], keys[1])) and len(keys[0]) + len(keys[1]):
        raise RunsDifferError(
            f"the runs have no {kind} comparison in common.", hint="Evaluate both on the same data set."
        )
    return keep, missing


def _unique(keys: Keys) -> bool:
    return len(np.unique(keys)) == len(keys)


def _ordered(mated: MatedScores, keys: Keys) -> MatedScores:
    order = np.argsort(keys, kind="stable")
    quality = None if mated.quality is None else mated.quality[order]
    return MatedScores(mated.scores[order], mated.subject[order], mated.probe[order], mated.reference[order], quality)


def _counted_alike(a: Run, b: Run, force: bool) -> bool:
    """Whether counted comparisons are the same; False when failures to acquire explain why not."""
    one, two = a.scores, b.scores
    same_people = np.array_equal(one.samples, two.samples) and np.array_equal(one.subjects, two.subjects)
    if same_people and one.non_mated.pairs == two.non_mated.pairs:
        return True
    differing = np.setxor1d(one.samples, two.samples)
    lost = {name for run in (one, two) if run.failures for name in run.failures.samples}
    unexplained = [name for name in differing.tolist() if name not in lost]
    if (unexplained or not len(differing)) and not force:
        what = f"{len(unexplained)} samples" if unexplained else "the numbers of comparisons"
        raise RunsDifferError(
            f"{what} differ between {a.folder} and {b.folder} ({one.non_mated.pairs} and {two.non_mated.pairs} "
            f"non-mated comparisons), and no failure to acquire explains it.",
            hint="Evaluate both on the same comparisons, or accept the difference with --common-only.",
        )
    return False
