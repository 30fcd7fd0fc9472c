"""The mitigation comparison from pictures to a page: FairFace adults by race and gender, ORL for false non-matches."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

import numpy as np

from samebody.config import Settings, load_settings
from samebody.face import FaceAnalyser
from samebody.lab.evaluate.errors import ScoreTableError
from samebody.lab.evaluate.images import PictureSet
from samebody.lab.evaluate.mitigation import (
    LabelledTemplates,
    MatedTemplates,
    MethodRow,
    MitigationOptions,
    MitigationResult,
    compare_mitigations,
    split_people,
)
from samebody.lab.evaluate.results import Algorithm, DataSet, Provenance
from samebody.lab.evaluate.robustness.acquire import Acquired, CorruptedFaces
from samebody.lab.evaluate.robustness.report import percent
from samebody.lab.evaluate.robustness.run import clean_templates, read_sets
from samebody.models import catalogue

DEGRADED = ("blur", 4.0)
"""Corruption and strength of the copies that stand in for mated pairs where a set has one picture a person."""

LEGAL = (
    "Race and gender are labels of the evaluation data. Cohort normalisation needs no label of anybody when it runs. "
    "Thresholds for each group do: somebody would have to state, infer or store the race and gender of the person in "
    "front of the camera and decide by it. In many places that is unlawful discrimination or processing of special "
    "categories of data (in the EU: Article 9 GDPR, Article 21 of the Charter of Fundamental Rights), and it is wrong "
    "for everybody whose label is wrong. samebody never infers such labels and has no setting for such thresholds; "
    "they stand here only to show what is given up. This is no legal advice."
)

BIAS = (
    "Figures made of the largest or smallest rate grow when rates are noisy, so their bootstrap intervals lie high and "
    "may leave the figure itself out; the paired ratio to the raw scores suffers less, because both sides grow."
)


def evaluate_mitigation(
    images: Path,
    model: str = "face/sface",
    options: MitigationOptions | None = None,
    *,
    repeats: Path | None = None,
    per_group: int = 30,
    settings: Settings | None = None,
    command: str = "",
    progress: Callable[[str, int, int], None] = lambda what, done, whole: None,
) -> MitigationResult:
    """Compare mitigations on a labelled set, with false non-matches from an unlabelled one.

    Args:
        images: folder with ``fairface`` and ``orl``.
        model: record id of the embedder.
        options: of the comparison.
        repeats: list of pictures of fairface that show one person twice.
        per_group: people of each label whose degraded copies stand in for mated pairs; 0 leaves them out.
        settings: where weights and caches are.
        command: for the provenance.
        progress: told (what, done, of how many).

    Raises:
        ScoreTableError: no set with labels.
    """
    settings, options = settings or load_settings(), options or MitigationOptions()
    record = catalogue(settings)[model]
    sets = read_sets(images, repeats=repeats)
    labelled = next((chosen for chosen in sets if any(picture.group for picture in chosen.pictures)), None)
    if labelled is None:
        raise ScoreTableError(str(images), ["there is no set with labels"], hint="Name the folder above fairface/.")
    clean = clean_templates(labelled, model, settings, progress)
    templates = labelled_templates(clean)
    mated = [
        mated_pairs(chosen.name, clean_templates(chosen, model, settings, progress))
        for chosen in sets
        if chosen is not labelled
    ]
    notes = [LEGAL, BIAS]
    if per_group:
        analyser = FaceAnalyser(settings, embedder=model)
        proxy = _proxies(labelled, clean, templates, analyser, settings, options, per_group, progress)
        mated.append(proxy)
        notes.append(
            f"{labelled.name} has one picture of each person. What stands for mated pairs of a group is a picture and "
            f"its own copy with {DEGRADED[0]} of strength {DEGRADED[1]:g} ({per_group} people of each group). That is "
            "a proxy and no FNMR: it tells whether a method makes misses less equal, not how many there are."
        )
    return compare_mitigations(
        templates,
        mated,
        options,
        algorithm=Algorithm(record.id, record.version, record.embedding_space().digest),
        datasets=[DataSet(chosen.name, chosen.digest) for chosen in sets],
        provenance=Provenance(
            command=command,
            version=version("samebody"),
            created=datetime.now(UTC).isoformat(timespec="seconds"),
            seed=options.seed,
            replicates=options.bootstrap.replicates,
            level=options.bootstrap.level,
            thresholds_from="the other half of the people",
        ),
        notes=notes,
        progress=progress,
    )


def labelled_templates(found: Acquired) -> LabelledTemplates:
    """Templates with the labels of their pictures."""
    return LabelledTemplates(
        found.vectors,
        np.array([picture.subject for picture in found.pictures], dtype=np.str_),
        np.array([picture.group for picture in found.pictures], dtype=np.str_),
    )


def mated_pairs(name: str, found: Acquired) -> MatedTemplates:
    """Every pair of different pictures of one person."""
    subjects = np.array([picture.subject for picture in found.pictures], dtype=np.str_)
    first, second = np.triu_indices(len(subjects), 1)
    same = subjects[first] == subjects[second]
    first, second = first[same], second[same]
    return MatedTemplates(name, found.vectors[first], found.vectors[second], subjects[first])


def _proxies(
    chosen: PictureSet,
    clean: Acquired,
    templates: LabelledTemplates,
    analyser: FaceAnalyser,
    settings: Settings,
    options: MitigationOptions,
    per_group: int,
    progress: Callable[[str, int, int], None],
) -> MatedTemplates:
    _, one, two = split_people(templates.subjects, templates.groups, options.cohort_share, options.seed)
    rows = np.sort(np.concatenate([one, two]))
    taken: list[int] = []
    for group in sorted(set(templates.groups.tolist())):
        own = [row for row in rows.tolist() if templates.groups[row] == group]
        taken += sorted(own, key=lambda row: clean.pictures[row].sha256)[:per_group]
    pictures = [clean.pictures[row] for row in taken]
    faces = CorruptedFaces(analyser, settings, seed=options.seed)
    degraded = faces.acquire(chosen, pictures, *DEGRADED, progress)
    place = {clean.pictures[row].file: row for row in taken}
    again = [place[picture.file] for picture in degraded.pictures]
    return MatedTemplates(
        f"proxy: {chosen.name} and degraded copies",
        degraded.vectors,
        clean.vectors[again],
        templates.subjects[again],
        templates.groups[again],
        proxy=True,
    )


# ------------------------------------------------------------------------------------------------------------- the page


def markdown(result: MitigationResult) -> str:
    """The comparison as Markdown."""
    lines = [f"# Bias mitigation with {result.algorithm.label}", ""]
    if result.provenance.command:
        lines += ["    " + result.provenance.command, ""]
    lines += [f"- {data.name}, list `{data.digest[:16]}`" for data in result.datasets]
    lines += [
        f"- {result.cohort:,} people in the cohort, {result.evaluated:,} evaluated in two halves; a half is judged by "
        "the threshold of the other, and every method is held to one overall FMR over pairs within a group",
        f"- intervals {100 * result.provenance.level:.0f} %, bootstrap over people "
        f"({result.provenance.replicates} replicates), seed {result.provenance.seed}",
        "",
    ]
    for note in result.notes:
        lines += [note, ""]
    for target in dict.fromkeys(row.target for row in result.rows):
        rows = [row for row in result.rows if row.target == target]
        lines += _summary(target, rows)
        lines += _groups(rows)
    return "\n".join(lines).rstrip() + "\n"


def _summary(target: float, rows: Sequence[MethodRow]) -> list[str]:
    mated = list(rows[0].fnmr)
    spreads = [spread.name for spread in rows[0].spreads]
    columns = ["method", "label at decision", "overall FMR", *spreads, *(f"FNMR, {name}" for name in mated)]
    columns += ["GARBE (proxy)", "Inequity Rate (proxy)"]
    lines = [f"## Overall FMR {target:g}", "", _line(columns), _line(["---"] * len(columns))]
    for row in rows:
        cells = [row.method, "needed" if row.needs_label else "not needed", percent(row.overall)]
        for spread in row.spreads:
            value = "not estimable" if spread.value is None else f"{spread.value:.3g}"
            cell = f"{value} [{spread.interval[0]:.2g}, {spread.interval[1]:.2g}]"
            if spread.ratio_to_raw is not None:
                middle, low, high = spread.ratio_to_raw
                cell += f"; {middle:.2f} of raw [{low:.2f}, {high:.2f}]"
            cells.append(cell)
        cells += [percent(row.fnmr[name]) for name in mated]
        cells += ["not estimable" if value is None else f"{value:.3g}" for value in (row.garbe, row.inequity_rate)]
        lines.append(_line(cells))
    return [*lines, ""]


def _groups(rows: Sequence[MethodRow]) -> list[str]:
    columns = ["group", *(row.method for row in rows)]
    proxy = any(entry.missed is not None for entry in rows[0].groups)
    if proxy:
        columns += [f"proxy missed, {row.method}" for row in rows]
    lines = ["FMR within each group:", "", _line(columns), _line(["---"] * len(columns))]
    for place, entry in enumerate(rows[0].groups):
        cells = [entry.group, *(percent(row.groups[place].fmr) for row in rows)]
        if proxy:
            cells += [percent(row.groups[place].missed) for row in rows]
        lines.append(_line(cells))
    return [*lines, ""]


def _line(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cell.replace("|", "/") for cell in cells) + " |"
