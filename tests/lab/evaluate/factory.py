"""Synthetic scores with subject effects, and whole runs of them: two algorithms on the same comparisons."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np

from samebody.lab.evaluate.non_mated import CountedNonMated, GraphOfPairs, ListedNonMated
from samebody.lab.evaluate.results import Algorithm, DataSet, VerificationResult
from samebody.lab.evaluate.runs import Run, load_run, save_run
from samebody.lab.evaluate.scores import Failures, MatedScores, ScoreSet
from samebody.lab.evaluate.verification import VerificationOptions, measure_verification
from samebody.measure import BootstrapOptions

GROUPS = ("north", "east", "south")


def synthetic_scores(
    *,
    subjects: int = 90,
    samples: int = 4,
    groups: tuple[str, ...] = GROUPS,
    seed: int = 1,
    algorithm: int = 0,
    noise: float = 0.25,
    mated_shift: dict[str, float] | None = None,
    non_mated_shift: dict[str, float] | None = None,
    failed: tuple[int, ...] = (),
    quality: bool = True,
    separation: float = 3.4,
) -> ScoreSet:
    """All pairs of ``subjects * samples`` samples.

    ``seed`` fixes people, samples and the part of every score that all algorithms share; ``algorithm`` adds a part of
    its own of size ``noise``. The shifts move the scores of one group's mated (or within-group non-mated) comparisons.
    """
    shared, own = np.random.default_rng(seed), np.random.default_rng([seed, 1000 + algorithm])
    total = subjects * samples
    owner = np.repeat(np.arange(subjects), samples).astype(np.int32)
    group = (np.arange(subjects) % max(len(groups), 1)).astype(np.int16) if groups else np.full(subjects, -1, np.int16)
    person, picture = shared.normal(0, 0.5, subjects), shared.normal(0, 0.6, total)
    first, second = np.triu_indices(total, 1)
    common = shared.normal(0, 0.6, len(first))
    private = own.normal(0, noise, len(first))
    mated = owner[first] == owner[second]
    latent = common + private + np.where(mated, separation + person[owner[first]], 0.0)
    latent += np.where(
        mated, 0.5 * (picture[first] + picture[second]), 0.4 * (person[owner[first]] + person[owner[second]])
    )
    same_group = group[owner[first]] == group[owner[second]]
    for shifts, rows in ((mated_shift, mated), (non_mated_shift, ~mated & same_group)):
        for name, shift in (shifts or {}).items():
            latent[rows & (group[owner[first]] == groups.index(name))] += shift
    scores = np.tanh(latent / 5).astype(np.float32)
    usable = ~(np.isin(first, failed) | np.isin(second, failed))
    good = np.clip(60 + 25 * picture, 0, 100).round().astype(np.float32)
    pair_quality = np.minimum(good[first], good[second])
    one, two = first.astype(np.int32), second.astype(np.int32)
    yes, no = mated & usable, ~mated & usable
    attempts = np.full(subjects, samples, dtype=np.int64)
    lost = np.bincount(owner[list(failed)], minlength=subjects).astype(np.int64) if failed else np.zeros_like(attempts)
    names = np.array([f"s{owner[i]:03d}/{i % samples}.png" for i in range(total)])
    return ScoreSet(
        MatedScores(scores[yes], owner[one[yes]], one[yes], two[yes], pair_quality[yes] if quality else None),
        ListedNonMated(
            scores[no], owner[one[no]], owner[two[no]], one[no], two[no], pair_quality[no] if quality else None
        ),
        np.array([f"s{i:03d}" for i in range(subjects)]),
        names,
        group,
        groups,
        Failures(
            attempts,
            lost,
            samples=tuple(names[list(failed)].tolist()),
            reasons={"no_face": len(failed)} if failed else {},
        ),
        sample_subject=owner,
        sample_quality=good if quality else None,
    )


def measured(
    scores: ScoreSet,
    name: str = "toy/a",
    *,
    replicates: int = 60,
    targets: tuple[float, ...] = (1e-1, 1e-2, 1e-3),
    **options: object,
) -> VerificationResult:
    """The figures of a score set."""
    return measure_verification(
        scores,
        Algorithm(name, "1"),
        DataSet("toy people", "0" * 64, "all pairs"),
        VerificationOptions(targets=targets, bootstrap=BootstrapOptions(replicates=replicates), **options),  # type: ignore[arg-type]
        command="samebody evaluate verification --scores toy.csv",
    )


def written(folder: Path, scores: ScoreSet, name: str = "toy/a", **options: object) -> Run:
    """A run folder of a score set."""
    save_run(folder, measured(scores, name, **options), scores)  # type: ignore[arg-type]
    return load_run(folder)


def counted(scores: ScoreSet, keep: int) -> ScoreSet:
    """The same scores with the non-mated comparisons counted, the ``keep`` highest of them (ties whole) kept."""
    listed = scores.non_mated
    assert isinstance(listed, ListedNonMated)
    low, high, bins = -1.0, 1.0, 4096
    order = np.argsort(-listed.scores, kind="stable")
    floor = float(listed.scores[order][keep - 1])
    rows = order[listed.scores[order] >= floor]
    one, two = scores.subject_group[listed.first], scores.subject_group[listed.second]
    pairs = np.unique(np.stack([np.minimum(one, two), np.maximum(one, two)], axis=1), axis=0)
    bin_ = np.clip(((listed.scores.astype(np.float64) - low) / (high - low) * bins).astype(int), 0, bins - 1)
    counts = np.zeros((len(pairs), bins), dtype=np.int64)
    for number, (a, b) in enumerate(pairs.tolist()):
        inside = (np.minimum(one, two) == a) & (np.maximum(one, two) == b)
        counts[number] = np.bincount(bin_[inside], minlength=bins)
    keys, count = np.unique(
        np.stack([np.minimum(listed.first, listed.second), np.maximum(listed.first, listed.second)], axis=1),
        axis=0,
        return_counts=True,
    )
    graph = GraphOfPairs(
        first=keys[:, 0].astype(np.int32),
        second=keys[:, 1].astype(np.int32),
        count=count.astype(np.int64),
        pairs=listed.pairs,
    )
    other = CountedNonMated(
        low,
        high,
        counts,
        pairs.astype(np.int16),
        listed.scores[rows],
        listed.first[rows],
        listed.second[rows],
        listed.probe[rows],
        listed.reference[rows],
        floor,
        graph,
    )
    return replace(scores, non_mated=other, folds=None)
