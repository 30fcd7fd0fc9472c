"""Label noise and identity noise of a data set's version, as one list of suspects; quarantine on request."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

import numpy as np

from samebody.lab.data.clean import quarantined
from samebody.lab.data.data_set import DataSet, Version
from samebody.lab.data.faces import Progress, SampleFaces, Templates
from samebody.lab.data.identities import find_identity_noise
from samebody.lab.data.label_noise import find_label_noise
from samebody.lab.data.manifest import Manifest

PREFIX = "labels."


@dataclass(frozen=True, slots=True)
class Suspect:
    """A sample whose label its template contradicts.

    Attributes:
        sample, column: which cell.
        given, suggested: what stands there, and what seems right (``''`` when nothing known does).
        evidence: difference of scores or probabilities, higher is surer.
        reason: ``labels.wrong_subject``, ``labels.two_people`` or ``labels.wrong_class``.
    """

    sample: str
    column: str
    given: str
    suggested: str
    evidence: float
    reason: str

    def __str__(self) -> str:
        seems = f"seems {self.suggested!r}" if self.suggested else "matches nobody here"
        return f"{self.sample}: {self.column} {self.given!r} {seems} ({self.evidence:+.3f}) [{self.reason}]"


@dataclass(frozen=True, slots=True)
class LabelCheck:
    """What was found in one column.

    Attributes:
        version: with the suspects in quarantine, or the one that was checked.
        suspects: surest first.
        same: pairs of subjects that are one person, with the median score.
        mixed: subjects that are two people, with the samples of the smaller part.
        samples: that were checked.
        notes: what the reader must know.
    """

    version: Version
    suspects: tuple[Suspect, ...]
    same: tuple[tuple[str, str, float], ...]
    mixed: tuple[tuple[str, int], ...]
    samples: int
    notes: tuple[str, ...] = ()


def check_subjects(
    data_set: DataSet,
    *,
    version: str | None = None,
    model: str = "face/sface",
    fmr: float = 1e-3,
    population: str = "matched-adults",
    quarantine: bool = False,
    templates: Templates | None = None,
    progress: Progress = lambda done, whole: None,
) -> LabelCheck:
    """Identity noise of a version; the threshold is the model record's at ``fmr``.

    Raises:
        NotMeasuredError: the record has no operating point there.
    """
    from samebody.models import catalogue

    base = data_set.version(version)
    manifest = data_set.manifest(base)
    threshold = catalogue()[model].operating_point(fmr, population, True).threshold
    held = templates or SampleFaces(data_set, model).templates(manifest, progress)
    noise = find_identity_noise(held, manifest["subject"], threshold)
    suspects = [
        Suspect(
            manifest["sample"][row],
            "subject",
            own,
            other,
            round((other_score if other else threshold) - own_score, 4),
            f"{PREFIX}wrong_subject",
        )
        for row, own, other, own_score, other_score in noise.misplaced
    ]
    suspects += [
        Suspect(manifest["sample"][row], "subject", name, "", 0.0, f"{PREFIX}two_people")
        for name, rows in noise.mixed
        for row in rows
    ]
    notes = [f"{noise.single} subjects have a single template: only their likeness to others was checked"]
    missing = int(manifest.usable.sum()) - len(held)
    if missing:
        notes.append(f"{missing} usable samples gave no template and were not checked")
    made = _committed(data_set, base, manifest, suspects, quarantine, {"column": "subject", "model": model, "fmr": fmr})
    mixed = tuple((name, len(rows)) for name, rows in noise.mixed)
    kept_notes = tuple(notes if noise.single else notes[1:])
    return LabelCheck(made, tuple(suspects), noise.same, mixed, len(held), kept_notes)


def check_classes(
    data_set: DataSet,
    column: str,
    *,
    version: str | None = None,
    model: str = "face/sface",
    margin: float = 0.5,
    least: int = 2,
    seed: int = 0,
    quarantine: bool = False,
    templates: Templates | None = None,
    progress: Progress = lambda done, whole: None,
) -> LabelCheck:
    """Confident learning on one column; classes with fewer than ``least`` samples are left out and named.

    Raises:
        TooFewError: fewer than two classes are left.
        ManifestError: there is no such column.
    """
    base = data_set.version(version)
    manifest = data_set.manifest(base)
    given = manifest[column]
    held = templates or SampleFaces(data_set, model).templates(manifest, progress)
    counts = Counter(given[row] for row in held.rows if given[row])
    thin = sorted(name for name, count in counts.items() if count < least)
    keep = np.array([bool(given[row]) and given[row] not in thin for row in held.rows], bool)
    rows = held.rows[keep]
    noise = find_label_noise(
        held.vectors[keep], given[rows], blocks=manifest["subject"][rows], seed=seed, margin=margin
    )
    suspects = [
        Suspect(
            manifest["sample"][rows[place]],
            column,
            given[rows[place]],
            noise.classes[suggested],
            round(float(value), 4),
            f"{PREFIX}wrong_class",
        )
        for place, suggested, value in zip(noise.suspects, noise.suggested, noise.margins)
    ]
    notes = [
        f"out of sample, {100 * noise.accuracy:.1f} % of the labels are the likeliest class; about "
        f"{noise.expected_errors:.0f} labels are estimated to be wrong"
    ]
    if thin:
        notes.append(f"left out, fewer than {least} samples: {', '.join(thin)}")
    options = {"column": column, "model": model, "margin": margin, "least": least, "seed": seed}
    made = _committed(data_set, base, manifest, suspects, quarantine, options)
    return LabelCheck(made, tuple(suspects), (), (), len(rows), tuple(notes))


def _committed(
    data_set: DataSet,
    base: Version,
    manifest: Manifest,
    suspects: list[Suspect],
    quarantine: bool,
    options: dict[str, object],
) -> Version:
    if not quarantine:
        return base
    reasons = {suspect.sample: (suspect.reason,) for suspect in suspects}
    counts = Counter(suspect.reason for suspect in suspects)
    prefix = f"{PREFIX}wrong_class" if options["column"] != "subject" else PREFIX
    with data_set.writing():
        return data_set.commit(
            quarantined(manifest, reasons, prefix),
            "labels",
            options=options,
            figures=dict(sorted(counts.items())),
            parents=[base.id],
        )
