"""A robustness evaluation from end to end: sets, fixed thresholds, ladder, attacks, result."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from samebody.config import Settings, load_settings
from samebody.errors import UsageError
from samebody.face import FaceAnalyser
from samebody.lab.evaluate.evaluation_sets import AGE_BANDS, FIRST_ADULT_BAND, read_fairface, read_repeats
from samebody.lab.evaluate.images import Picture, PictureSet, embed_pictures, read_pictures
from samebody.lab.evaluate.results import Algorithm, DataSet, Provenance
from samebody.lab.evaluate.robustness.acquire import Acquired, CorruptedFaces, FaceCrop, face_crops
from samebody.lab.evaluate.robustness.attacks import GOALS, AttackOptions, attack_embedder, attack_pairs
from samebody.lab.evaluate.robustness.ladder import LadderOptions, chosen_probes, run_ladder
from samebody.lab.evaluate.robustness.patches import PatchOptions, attack_with_patches
from samebody.lab.evaluate.robustness.results import AttackRow, FixedThreshold, LadderRow, RobustnessResult
from samebody.lab.evaluate.robustness.surrogate import RidgeSurrogate, train_surrogate
from samebody.models import ModelRecord, catalogue
from samebody.types import Pixels

TARGETS = (1e-3, 1e-4)
POPULATION = "matched-adults"
ADULTS = "fairface, adults"
"""Name of the set that :func:`read_adults` makes: one picture of each person, and repeats that were found by score."""
Progress = Callable[[str, int, int], None]


@dataclass(frozen=True, slots=True)
class RobustnessOptions:
    """What is measured, and how much of it.

    Attributes:
        targets: FMR of the record's operating points that serve as thresholds.
        population: of these points.
        ladder, attacks, patches: None leaves a part out.
        surrogate_faces: crops that the transfer attacker's surrogate is trained on; 0 leaves the attack out.
        seed: of corruptions.
    """

    targets: tuple[float, ...] = TARGETS
    population: str = POPULATION
    ladder: LadderOptions | None = field(default_factory=LadderOptions)
    attacks: AttackOptions | None = field(default_factory=AttackOptions)
    patches: PatchOptions | None = field(default_factory=PatchOptions)
    surrogate_faces: int = 500
    seed: int = 20260


def read_sets(
    folder: Path, labels: Path | None = None, group_by: Sequence[str] = (), repeats: Path | None = None
) -> tuple[PictureSet, ...]:
    """The sets below ``folder``: ``orl`` and ``fairface`` (adults) where they are there, else the folder itself.

    Args:
        folder: of the sets, or of one set.
        labels, group_by: of one set, see :func:`samebody.lab.evaluate.images.read_pictures`.
        repeats: reviewed list of pictures of fairface that show one person twice.

    Raises:
        ScoreTableError: no picture, or labels that do not fit.
        DataSetError: ``fairface`` or the list of repeats is not as expected.
    """
    found = []
    if labels is None and (folder / "orl").is_dir():
        found.append(read_pictures(folder / "orl", name="orl"))
    if labels is None and (folder / "fairface" / "labels.csv").is_file():
        found.append(read_adults(folder, repeats))
    return tuple(found) or (read_pictures(folder, labels, group_by),)


def read_adults(folder: Path, repeats: Path | None = None) -> PictureSet:
    """The adults (20 and older) of ``folder/fairface``, grouped by race and gender, repeats made one person.

    Raises:
        DataSetError: the set or the list is not as expected.
    """
    faces = read_fairface(folder)
    people = [sample.person for sample in faces.samples]
    if repeats is not None:
        people = list(read_repeats(repeats, faces.samples).people(faces.samples))
    pictures = tuple(
        Picture(sample.file, sample.sha256, person, sample.group)
        for sample, person in zip(faces.samples, people)
        if AGE_BANDS.index(sample.age) >= FIRST_ADULT_BAND
    )
    return PictureSet(ADULTS, folder, pictures)


def fixed_thresholds(record: ModelRecord, targets: Sequence[float], population: str) -> tuple[FixedThreshold, ...]:
    """The record's operating points as thresholds, loosest first.

    Raises:
        NotMeasuredError: the record has none at one of the rates.
    """
    points = [record.operating_point(target, population) for target in sorted(targets, reverse=True)]
    return tuple(FixedThreshold(point.fmr, point.threshold, f"{population}, {point.dataset}") for point in points)


def evaluate_robustness(
    images: Path,
    model: str = "face/sface",
    options: RobustnessOptions | None = None,
    *,
    labels: Path | None = None,
    group_by: Sequence[str] = (),
    repeats: Path | None = None,
    settings: Settings | None = None,
    checkpoint: Path | None = None,
    command: str = "",
    progress: Progress = lambda what, done, whole: None,
) -> RobustnessResult:
    """Measure how an embedder holds under corruptions and attacks at its record's own thresholds.

    Attacks take place on the first set without group labels, the one that has several pictures of a person; the
    surrogate is trained on a labelled set, that is on other people.

    Args:
        images: folder, see :func:`read_sets`.
        model: record id of the embedder.
        options: what and how much.
        labels, group_by: of ``images`` where it is one set.
        repeats: list of pictures of fairface that show one person twice.
        settings: where weights and caches are.
        checkpoint: folder for finished attacks; templates of corrupted copies have a cache of their own.
        command: for the provenance.
        progress: told (what, done, of how many).

    Raises:
        NotMeasuredError: the record has no operating point at one of the targets.
        ScoreTableError: no usable picture.
        UsageError: everything is left out.
    """
    settings, options = settings or load_settings(), options or RobustnessOptions()
    if options.ladder is None and options.attacks is None and options.patches is None:
        raise UsageError("ladder, attacks and patches are all left out.", hint="Leave one of them in.")
    record = catalogue(settings)[model]
    thresholds = fixed_thresholds(record, options.targets, options.population)
    sets = read_sets(images, labels, group_by, repeats)
    analyser = FaceAnalyser(settings, embedder=model)
    ladder: list[LadderRow] = []
    notes: list[str] = []
    if options.ladder is not None:
        faces = CorruptedFaces(analyser, settings, seed=options.seed)
        for chosen in sets:
            references = clean_templates(chosen, model, settings, progress)
            ladder += run_ladder(
                faces, chosen, references, thresholds, options.ladder, progress, mated=chosen.name != ADULTS
            )
    attacks: list[AttackRow] = []
    if options.attacks is not None or options.patches is not None:
        attacks, notes = _attacks(sets, analyser, settings, thresholds, options, checkpoint, progress)
    bootstrap = next(part.bootstrap for part in (options.ladder, options.attacks, options.patches) if part is not None)
    space = record.embedding_space().digest
    return RobustnessResult(
        algorithm=Algorithm(record.id, record.version, space),
        datasets=tuple(DataSet(chosen.name, chosen.digest, _protocol(chosen, options)) for chosen in sets),
        thresholds=thresholds,
        ladder=tuple(ladder),
        attacks=tuple(attacks),
        notes=tuple(notes),
        provenance=Provenance(
            command=command,
            version=version("samebody"),
            created=datetime.now(UTC).isoformat(timespec="seconds"),
            seed=options.seed,
            replicates=bootstrap.replicates,
            level=bootstrap.level,
            thresholds_from=thresholds[0].source,
        ),
    )


def _protocol(chosen: PictureSet, options: RobustnessOptions) -> str:
    if options.ladder is None:
        return "attacks only"
    probes = chosen_probes(chosen.pictures, options.ladder.per_subject, options.ladder.per_group)
    within = " of the same label" if any(picture.group for picture in chosen.pictures) else ""
    return f"{len(probes)} corrupted probes against all {len(chosen.pictures)} clean references{within}"


def clean_templates(chosen: PictureSet, model: str, settings: Settings, progress: Progress) -> Acquired:
    """Clean templates of a whole set, from the cache where they are there."""
    templates, _ = embed_pictures(chosen, model, settings=settings, progress=progress)
    known: dict[str, Picture] = {picture.file: picture for picture in chosen.pictures}
    return Acquired(
        tuple(known[str(name)] for name in templates.samples),
        templates.vectors,
        tuple(known[name] for name in templates.failed),
        tuple(templates.reasons),
    )


def _attacks(
    sets: Sequence[PictureSet],
    analyser: FaceAnalyser,
    settings: Settings,
    thresholds: Sequence[FixedThreshold],
    options: RobustnessOptions,
    checkpoint: Path | None,
    progress: Progress,
) -> tuple[list[AttackRow], list[str]]:
    def embed(crops: Pixels) -> NDArray[np.float32]:
        return np.stack([template.vector for template in analyser.embed_many(iter(crops))])

    unlabelled = [chosen for chosen in sets if not any(picture.group for picture in chosen.pictures)]
    chosen = (unlabelled or list(sets))[0]
    wanted = max(part.pairs for part in (options.attacks, options.patches) if part is not None)
    subjects = sorted({picture.subject for picture in chosen.pictures})[: wanted + 4]
    pictures = chosen_probes([p for p in chosen.pictures if p.subject in set(subjects)], 2, 2 * len(subjects))
    progress("crops to attack", 0, 0)
    crops = face_crops(analyser, settings, chosen, pictures)
    templates = embed(np.stack([entry.crop for entry in crops]))
    goals = [goal for goal in GOALS if goal == "impersonation" or _pairs_of_one(crops)]
    key = f"{analyser.embedder.embedding_space().digest} {chosen.digest}"
    rows: list[AttackRow] = []
    notes = [f"Attacks take place on {chosen.name}; every pair has another attacker."]
    if options.attacks is not None:
        surrogate = _surrogate(sets, chosen, analyser, settings, embed, options, progress)
        if surrogate is None:
            notes.append("The transfer attack was left out: no labelled second set to train a surrogate on.")
        else:
            notes.append(
                f"The surrogate of the transfer attack: Gabor energies and a ridge regression on "
                f"{surrogate.trained_on} faces of other people with the templates that the attacked model gave for "
                f"them; its scores correlate with the model's at {surrogate.correlation:.2f} on faces held out."
            )
        pairs = [attack_pairs(crops, templates, goal, options.attacks.pairs) for goal in goals]
        trained = f"{key} {surrogate.trained_on if surrogate else 0}"
        rows += attack_embedder(
            pairs, embed, thresholds, surrogate, options.attacks, checkpoint=checkpoint, key=trained, progress=progress
        )
    if options.patches is not None:
        pairs = [attack_pairs(crops, templates, goal, options.patches.pairs) for goal in goals]
        rows += attack_with_patches(
            pairs, analyser, embed, thresholds, options.patches, checkpoint=checkpoint, key=key, progress=progress
        )
    return rows, notes


def _pairs_of_one(crops: Sequence[FaceCrop]) -> bool:
    names = [entry.picture.subject for entry in crops]
    return len(set(names)) < len(names)


def _surrogate(
    sets: Sequence[PictureSet],
    attacked: PictureSet,
    analyser: FaceAnalyser,
    settings: Settings,
    embed: Callable[[Pixels], NDArray[np.float32]],
    options: RobustnessOptions,
    progress: Progress,
) -> RidgeSurrogate | None:
    others = [chosen for chosen in sets if chosen is not attacked]
    if not others or not options.surrogate_faces:
        return None
    pictures = sorted(others[0].pictures, key=lambda picture: picture.sha256)[: options.surrogate_faces]
    progress(f"training a surrogate on {len(pictures)} faces of {others[0].name}", 0, 0)
    crops = np.stack([entry.crop for entry in face_crops(analyser, settings, others[0], pictures)])
    return train_surrogate(crops, embed(crops))
