"""The worst errors of an evaluation: who stands behind them, which resemble each other, what they have in common."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from samebody.lab.evaluate.error_clusters import cluster, pair_features
from samebody.lab.evaluate.errors import ScoreTableError
from samebody.lab.evaluate.over_represented import AttributeTest, over_represented
from samebody.lab.evaluate.pad import BONA_FIDE
from samebody.lab.evaluate.runs import Run
from samebody.lab.evaluate.sources import numbers, open_table, text_cells
from samebody.lab.evaluate.templates import TemplateSet

Attributes = Mapping[str, Mapping[str, str]]
"""Attribute to name of the subject (or sample) to value."""

WORST = 60


@dataclass(frozen=True, slots=True)
class ErrorCase:
    """One error.

    Attributes:
        score: as it was.
        margin: how far on the wrong side of the threshold, at least 0.
        samples: names of the pictures: two of a comparison, one of a presentation.
        subjects: whom they show, as far as known.
        cluster: number from 0; -1 without an embedding.
    """

    score: float
    margin: float
    samples: tuple[str, ...]
    subjects: tuple[str, ...]
    cluster: int = -1


@dataclass(frozen=True, slots=True)
class ErrorCluster:
    """Errors that resemble each other.

    Attributes:
        size: number of the worst errors in it.
        medoid: position, among the worst errors, of the one closest to all others.
        cohesion: mean cosine within it.
        subjects: number of people behind it.
    """

    size: int
    medoid: int
    cohesion: float
    subjects: int


@dataclass(frozen=True, slots=True)
class ErrorKind:
    """All errors of one kind.

    Attributes:
        name: ``false matches``, ``false non-matches``, ``attacks accepted``, ``bona fide refused``.
        errors, trials: counted at the threshold.
        units: people (or presentations) that could err, and ``affected`` of them that did.
        unit: what a unit is.
        worst: the worst errors, worst first.
        clusters: of the worst errors, largest first; empty without embeddings.
        silhouette: how clear the clusters are, -1 to 1.
        tests: attributes of everybody behind *any* error, smallest adjusted p-value first.
    """

    name: str
    errors: int
    trials: int
    units: int
    affected: int
    unit: str
    worst: tuple[ErrorCase, ...]
    clusters: tuple[ErrorCluster, ...] = ()
    silhouette: float = 0.0
    tests: tuple[AttributeTest, ...] = ()


@dataclass(frozen=True, slots=True)
class ErrorAnalysis:
    """What the page shows.

    Attributes:
        title: what was evaluated.
        threshold: accept when ``score >= threshold``.
        kinds: of errors.
        notes: what a reader must know.
    """

    title: str
    threshold: float
    kinds: tuple[ErrorKind, ...]
    notes: tuple[str, ...] = ()

    def kind(self, name: str) -> ErrorKind:
        """The kind called ``name``; raises KeyError."""
        for kind in self.kinds:
            if kind.name == name:
                return kind
        raise KeyError(name)


def analyse_run(
    run: Run,
    *,
    threshold: float | None = None,
    templates: TemplateSet | None = None,
    attributes: Attributes | None = None,
    worst: int = WORST,
) -> ErrorAnalysis:
    """The errors of a verification run.

    Args:
        run: as :func:`samebody.lab.evaluate.runs.load_run` gives it.
        threshold: a score; otherwise that of the strictest error rate of the run with 30 effective false matches, or
            of its loosest rate where none has them.
        templates: of the samples, for clusters.
        attributes: by subject or by sample; the run's own groups are added.
        worst: errors of each kind that are listed and clustered.

    Raises:
        samebody.measure.TailTooShortError: false matches at the threshold were counted, not kept.
    """
    scores = run.scores
    rows = [row for row in run.result.thresholds if not row.indicative] or list(run.result.thresholds[:1])
    at = rows[-1].value if threshold is None else threshold
    notes = []
    known = _with_groups(run, attributes or {})
    samples, subjects = scores.samples, scores.subjects
    kinds = []
    matched = scores.non_mated.errors_at(at)
    person = _people(run)
    compared = {str(subjects[code]) for code in np.unique(person[person >= 0])} or set(subjects.tolist())
    if scores.independent:
        notes.append("the run names no subjects: nothing can be said about people")
    kinds.append(
        _kind(
            "false matches",
            [
                ErrorCase(
                    float(matched.scores[i]),
                    float(matched.scores[i]) - at,
                    (str(samples[matched.first_sample[i]]), str(samples[matched.second_sample[i]])),
                    (str(subjects[matched.first[i]]), str(subjects[matched.second[i]])),
                )
                for i in range(len(matched))
            ],
            scores.non_mated.pairs,
            compared,
            known,
            templates,
            worst,
        )
    )
    refused = np.flatnonzero(scores.mated.scores < np.float64(at))
    refused = refused[np.argsort(scores.mated.scores[refused], kind="stable")]
    mated = scores.mated
    kinds.append(
        _kind(
            "false non-matches",
            [
                ErrorCase(
                    float(mated.scores[i]),
                    at - float(mated.scores[i]),
                    (str(samples[mated.probe[i]]), str(samples[mated.reference[i]])),
                    (str(subjects[mated.subject[i]]),),
                )
                for i in refused
            ],
            len(mated),
            {str(subjects[code]) for code in np.unique(mated.subject)},
            known,
            templates,
            worst,
        )
    )
    title = f"{run.result.algorithm.label} on {run.result.dataset.name}"
    return ErrorAnalysis(title, at, tuple(kinds), tuple(notes))


def analyse_presentations(
    source: object,
    *,
    threshold: float,
    templates: TemplateSet | None = None,
    worst: int = WORST,
) -> ErrorAnalysis:
    """The errors of a detector of presentation attacks, from the table that `samebody evaluate pad` reads.

    Args:
        source: table with ``score`` (likelihood of bona fide) and ``pai_species``; where there are some ``sample`` (or
            ``file``, ``presentation``), ``subject``, and any further columns of text, which become attributes.
        threshold: accept when ``score >= threshold``.
        templates: of the samples, for clusters.
        worst: errors of each kind that are listed and clustered.

    Raises:
        ScoreTableError: columns are missing, or a score is no number.
    """
    table = open_table(source)
    missing = [f"column {key!r} is missing" for key in ("score", "pai_species") if key not in table.columns]
    if missing:
        raise ScoreTableError(table.name, missing, hint=f"It has {', '.join(table.columns)}.")
    parts = list(table.chunks(table.columns))
    values, bad = numbers(np.concatenate([part["score"] for part in parts]))
    text = {
        key: np.array([cell for part in parts for cell in text_cells(part[key])], dtype=np.str_)
        for key in table.columns
        if key != "score"
    }
    given = np.isfinite(values)
    if bad.any() or not given.any():
        raise ScoreTableError(table.name, [f"a score that is no number: {int(bad.sum())} times"])
    place = next((key for key in ("sample", "file", "presentation") if key in text), None)
    names = text[place] if place else np.arange(len(values)).astype(np.str_)
    named = bool("subject" in text and (text["subject"] != "").all())
    attack = ~np.isin(np.char.lower(text["pai_species"]), BONA_FIDE)
    skipped = {"subject", "sample", "file", "presentation"}
    notes = [] if given.all() else [f"{int((~given).sum())} presentations without a score are left out"]
    kinds = []
    for name, of_kind, wrong, sign in (
        ("attacks accepted", attack & given, values >= threshold, 1.0),
        ("bona fide refused", ~attack & given, values < threshold, -1.0),
    ):
        rows = np.flatnonzero(of_kind & wrong)
        rows = rows[np.argsort(-sign * values[rows], kind="stable")]
        people = text["subject"] if named else names
        cases = [
            ErrorCase(float(values[i]), sign * (float(values[i]) - threshold), (str(names[i]),), (str(people[i]),))
            for i in rows
        ]
        # what varies within a person (the species) is tested over presentations, the rest over people
        fixed: dict[str, dict[str, str]] = {}
        varying: dict[str, dict[str, str]] = {}
        for key in sorted(text.keys() - skipped):
            by_unit: dict[str, set[str]] = {}
            for i in np.flatnonzero(of_kind):
                by_unit.setdefault(str(people[i]), set()).add(str(text[key][i]))
            if named and all(len(found) == 1 for found in by_unit.values()):
                fixed[key] = {unit: next(iter(found)) for unit, found in by_unit.items()}
            elif len(set(text[key][of_kind].tolist())) <= 50:
                varying[key] = {str(names[i]): str(text[key][i]) for i in np.flatnonzero(of_kind)}
        units = {str(people[i]) for i in np.flatnonzero(of_kind)}
        kind = _kind(name, cases, int(of_kind.sum()), units, fixed, templates, worst)
        if varying:
            failed = {str(names[i]) for i in rows}
            of_presentation = {str(names[i]): str(names[i]) in failed for i in np.flatnonzero(of_kind)}
            tests = (*kind.tests, *over_represented(of_presentation, varying))
            kind = replace(kind, tests=tuple(sorted(tests, key=lambda test: test.adjusted)))
            if named:
                notes.append(
                    f"{name}: {', '.join(varying)} varies within a person and is tested over presentations, taken as "
                    "independent: indicative"
                )
        kinds.append(kind if named else replace(kind, unit="presentations"))
    return ErrorAnalysis(Path(table.name).name, threshold, tuple(kinds), tuple(notes))


def _kind(
    name: str,
    cases: Sequence[ErrorCase],
    trials: int,
    units: set[str],
    attributes: Attributes,
    templates: TemplateSet | None,
    worst: int,
) -> ErrorKind:
    behind = {subject for case in cases for subject in case.subjects}
    affected = {unit: unit in behind for unit in sorted(units | behind)}
    listed = list(cases[:worst])
    clusters: list[ErrorCluster] = []
    clear = 0.0
    if templates is not None and listed:
        found = cluster(_features(listed, templates))
        clear = found.silhouette
        listed = [replace(case, cluster=int(label)) for case, label in zip(listed, found.labels)]
        for number, (medoid, cohesion) in enumerate(zip(found.medoids, found.cohesion)):
            inside = [case for case in listed if case.cluster == number]
            people = {subject for case in inside for subject in case.subjects}
            clusters.append(ErrorCluster(len(inside), medoid, cohesion, len(people)))
    return ErrorKind(
        name,
        len(cases),
        trials,
        len(affected),
        sum(affected.values()),
        "people",
        tuple(listed),
        tuple(clusters),
        clear,
        over_represented(affected, attributes) if cases else (),
    )


def _features(cases: Sequence[ErrorCase], templates: TemplateSet) -> NDArray[np.float64]:
    """(n, d) unit vectors; NaN where a sample has no template."""
    row = {name: number for number, name in enumerate(templates.samples.tolist())}
    features = np.full((len(cases), templates.vectors.shape[1]), np.nan)
    for number, case in enumerate(cases):
        found = [row[name] for name in case.samples if name in row]
        if len(found) == len(case.samples):
            first, last = templates.vectors[found[0]], templates.vectors[found[-1]]
            features[number] = pair_features(first[None], last[None])[0]
    return features


def _people(run: Run) -> NDArray[np.int32]:
    """Codes of the subjects that take part in a non-mated comparison, as far as they are listed."""
    other = run.scores.non_mated
    first, second = getattr(other, "first", None), getattr(other, "second", None)
    if first is None or second is None or other.floor > -np.inf:
        return np.arange(len(run.scores.subjects), dtype=np.int32)
    return np.union1d(first, second).astype(np.int32)


def _with_groups(run: Run, attributes: Attributes) -> dict[str, dict[str, str]]:
    """Attributes by subject: those given by sample are carried over where all samples of a subject agree."""
    scores = run.scores
    subjects = scores.subjects.tolist()
    of_sample: dict[str, set[str]] = {}
    if scores.sample_subject is not None:
        for sample, code in zip(scores.samples.tolist(), scores.sample_subject.tolist()):
            of_sample.setdefault(subjects[code], set()).add(sample)
    found: dict[str, dict[str, str]] = {}
    for name, values in attributes.items():
        column = {}
        for subject in subjects:
            own = {values[key] for key in (subject, *of_sample.get(subject, ())) if values.get(key)}
            if len(own) == 1:
                column[subject] = own.pop()
        found[name] = column
    if scores.group_names and "group" not in found:
        found["group"] = {
            subject: scores.group_names[code]
            for subject, code in zip(subjects, scores.subject_group.tolist())
            if code >= 0
        }
    return found


def read_attributes(path: object) -> dict[str, dict[str, str]]:
    """Every column of a label table but the names, by the name of subject or file.

    Raises:
        ScoreTableError: neither ``subject`` nor ``file`` nor ``sample`` is a column.
    """
    table = open_table(path)
    keys = [key for key in ("subject", "sample", "file") if key in table.columns]
    if not keys:
        raise ScoreTableError(table.name, ["it names neither subject nor sample nor file"])
    columns = [key for key in table.columns if key not in keys]
    found: dict[str, dict[str, str]] = {key: {} for key in columns}
    for chunk in table.chunks([keys[0], *columns]):
        names = text_cells(chunk[keys[0]])
        for key in columns:
            found[key].update(zip(names, text_cells(chunk[key])))
    # a column of numbers or of names tells nobody apart into groups
    return {key: values for key, values in found.items() if 1 < len(set(values.values())) <= 50}
