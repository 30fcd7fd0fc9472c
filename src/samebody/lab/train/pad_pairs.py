"""Pairs to train attack detection on: which picture becomes which attack; made once, kept as JPEG beside their truth.

Nothing here needs torch. The plan is a function of the parameters and the pictures; shards are written whole, so that a
run that was stopped goes on where it was.
"""

from __future__ import annotations

import hashlib
import json
import math
import multiprocessing
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from samebody.capture import decode_image
from samebody.errors import InputError
from samebody.lab.evaluate.evaluation_sets import read_fairface, read_repeats
from samebody.lab.train.pad_files import read_shard, write_shard
from samebody.lab.train.pad_sources import SourceFaces, find_faces
from samebody.synth.attacks import AttackInputError, Shot, Source, families, generator, misfit, pair
from samebody.synth.attacks.mesh import WORST_FIT
from samebody.synth.attacks.shortcuts import features

GENERATOR_VERSION = 1
"""Raise it when the same plan gives other pictures: caches of the old ones are then left alone."""

SHARD = 160
"""Pairs a file."""

NEED_MESH = frozenset({"paper_mask", "partial_mask", "face_swap", "morph"})
NEED_OTHER = frozenset({"face_swap", "morph"})
NO_SCENE = frozenset({"face_swap", "morph", "generated", "injection"})
CANDIDATES = 12
SCENE_SHARE = 0.3
TIGHT_SIDES = (104, 320)
SCENE_SIDES = (180, 400)


class PadPairsError(InputError):
    """The pictures that pairs shall be made from cannot be used."""

    code = "lab.pad_pairs"


@dataclass(frozen=True, slots=True)
class PairPlan:
    """What is made.

    Attributes:
        pictures: folder of the picture sets, with ``fairface`` in it.
        repeats: reviewed list of pictures that show one person, so that nobody is on both sides.
        seed: of every choice.
        train, held: pairs of each family of a species, by species.
        held_share: share of the people kept back.
        weakest: lower bound of the strength that is drawn; the upper is 1.
        limit: pictures used at most, None for all; a small number makes a quick trial.
    """

    pictures: Path
    repeats: Path
    seed: int
    train: Mapping[str, int]
    held: Mapping[str, int]
    held_share: float = 0.12
    weakest: float = 0.3
    limit: int | None = None

    def digest(self, files: str) -> str:
        """First 16 hexadecimal digits over all that determines the pairs; ``files`` is the digest of the pictures."""
        fields = {k: v for k, v in asdict(self).items() if k not in ("pictures", "repeats")}
        told = json.dumps([fields, files, GENERATOR_VERSION], sort_keys=True, default=dict)
        return hashlib.sha256(told.encode()).hexdigest()[:16]


@dataclass(frozen=True, slots=True)
class Job:
    """One pair to make: indices of its sources, and what it shall be."""

    source: int
    other: int | None
    species: str
    family: str
    seed: int
    strength: float
    framing: str
    side: int


@dataclass(frozen=True, slots=True)
class PairSet:
    """Pairs on disk.

    Attributes:
        rows: one dictionary a picture, attack after twin: ``file``, ``offset``, ``bytes``, ``label`` (1 = bona fide),
            ``species`` and ``family`` (those of the attack, for the twin too), ``pair``, ``person``, ``strength``,
            ``framing``, ``side``, ``box`` (left, top, width, height of the face in pixels), ``features``.
        digest: what :meth:`PairPlan.digest` says.
        files: digest of the pictures they were made from.
    """

    rows: Sequence[Mapping[str, Any]]
    digest: str
    files: str

    def shortcut_features(self) -> NDArray[np.float64]:
        """(2 n, 7): rows 2k the twin's, 2k + 1 the attack's :data:`~samebody.synth.attacks.shortcuts.FEATURES`."""
        return np.array([row["features"] for row in self.rows], np.float64)


def prepare_pairs(
    plan: PairPlan, folder: Path, *, processes: int = 2, report: Callable[[str], None] = lambda text: None
) -> tuple[PairSet, PairSet]:
    """Make what is missing of ``plan`` below ``folder`` and open it: pairs to train on, pairs held back.

    Raises:
        PadPairsError: no usable pictures, or a species that is not known.
        StorageError: the folder cannot be written.
    """
    unknown = {*plan.train, *plan.held} - set(families())
    if unknown:
        raise PadPairsError(f"unknown species: {', '.join(sorted(unknown))}.", hint=f"Known: {', '.join(families())}.")
    pictures = read_fairface(plan.pictures)
    people = read_repeats(plan.repeats, pictures.samples).people(pictures.samples)
    faces = find_faces(pictures, folder, processes=processes, report=report)
    usable = np.flatnonzero(faces.found)
    if plan.limit is not None:
        usable = usable[: plan.limit]
    is_held = np.array([_is_held(person, plan) for person in people])
    place = folder / f"pairs-{plan.digest(pictures.digest)}"
    sets = []
    for split, counts in (("held", plan.held), ("train", plan.train)):
        members = usable[is_held[usable] == (split == "held")]
        if len(members) < 2 * CANDIDATES:
            raise PadPairsError(f"{len(members)} usable pictures for {split} are too few.", hint="Give more pictures.")
        jobs = list(plan_jobs(plan, split, counts, members, faces))
        _make_missing(place / split, jobs, faces, plan, processes, report)
        rows = []
        for number in range(0, len(jobs), SHARD):
            rows += read_shard(place / split, number // SHARD)
        for row in rows:
            row["person"] = people[row["source"]]
        sets.append(PairSet(rows, place.name, pictures.digest))
    return sets[1], sets[0]


def _is_held(person: str, plan: PairPlan) -> bool:
    drawn = hashlib.sha256(f"{plan.seed}\n{person}".encode()).digest()[:8]
    return int.from_bytes(drawn, "big") / 2**64 < plan.held_share


def plan_jobs(
    plan: PairPlan, split: str, counts: Mapping[str, int], members: NDArray[np.intp], faces: SourceFaces
) -> Iterator[Job]:
    """The jobs of a split, families taking turns, so that every shard holds all of them."""
    queues = []
    for species, names in families().items():
        for family in names:
            count = counts.get(species, 0)
            if count:
                queues.append((count, _family_jobs(plan, split, species, family, count, members, faces)))
    most = max((count for count, _ in queues), default=0)
    for turn in range(most):
        for count, queue in queues:
            if (turn + 1) * count // most > turn * count // most:
                job = next(queue, None)
                if job is not None:
                    yield job


def _family_jobs(
    plan: PairPlan,
    split: str,
    species: str,
    family: str,
    count: int,
    members: NDArray[np.intp],
    faces: SourceFaces,
) -> Iterator[Job]:
    random = generator(plan.seed, "pad", split, species, family)
    pool = members[faces.meshed[members]] if species in NEED_MESH else members
    order: list[int] = []
    made = 0
    while made < count:
        if not order:
            order = [int(i) for i in random.permutation(pool)]
        source = order.pop()
        other = _partner(source, pool, faces, random) if species in NEED_MESH else None
        framing = "scene" if species not in NO_SCENE and random.random() < SCENE_SHARE else "tight"
        low, high = SCENE_SIDES if framing == "scene" else TIGHT_SIDES
        side = round(math.exp(random.uniform(math.log(low), math.log(high))))
        strength = float(random.uniform(plan.weakest, 1.0))
        seed = int(random.integers(0, 2**31))
        if other is None and species in NEED_OTHER:
            continue
        made += 1
        yield Job(source, other, species, family, seed, strength, framing, side)


def _partner(source: int, pool: NDArray[np.intp], faces: SourceFaces, random: np.random.Generator) -> int | None:
    """The picture among a few whose face is turned most alike; None when all are turned too differently."""
    tried = [int(i) for i in random.choice(pool, CANDIDATES) if int(i) != source]
    fits = [(misfit(faces.mesh(source), faces.mesh(index)), index) for index in tried]
    best = min(fits, default=(1.0, -1))
    return best[1] if best[0] <= WORST_FIT else None


# ------------------------------------------------------------------------------------------------------------- making

_SHARED: dict[str, Any] = {}
"""What a worker process was given when it started."""


def _make_missing(
    place: Path,
    jobs: Sequence[Job],
    faces: SourceFaces,
    plan: PairPlan,
    processes: int,
    report: Callable[[str], None],
) -> None:
    shards = [jobs[start : start + SHARD] for start in range(0, len(jobs), SHARD)]
    missing = [number for number in range(len(shards)) if not (place / f"{number:05d}.jsonl").exists()]
    if not missing:
        return
    place.mkdir(parents=True, exist_ok=True)
    work = [(place, number, shards[number]) for number in missing]
    if processes == 1:
        _start(faces, plan.pictures)
        for done, entry in enumerate(work):
            _make_shard(entry)
            report(f"{place.name}: {done + 1} of {len(work)} shards")
        return
    spawn = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(processes, spawn, _start, (faces, plan.pictures)) as pool:
        for done, _ in enumerate(pool.map(_make_shard, work)):
            report(f"{place.name}: {done + 1} of {len(work)} shards")


def _start(faces: SourceFaces, pictures: Path) -> None:
    cv2.setNumThreads(1)
    _SHARED.update(faces=faces, pictures=pictures)


def _source(index: int, *, meshed: bool) -> Source:
    faces: SourceFaces = _SHARED["faces"]
    pixels = decode_image(_SHARED["pictures"] / faces.files[index]).pixels
    return Source(pixels, faces.mesh(index) if meshed else None)


def _make_shard(work: tuple[Path, int, Sequence[Job]]) -> None:
    place, number, jobs = work
    faces: SourceFaces = _SHARED["faces"]
    rows: list[dict[str, Any]] = []
    data = bytearray()
    for index, job in enumerate(jobs):
        source = _source(job.source, meshed=job.species in NEED_MESH)
        other = None if job.other is None else _source(job.other, meshed=True)
        try:
            made = pair(
                source,
                other=other,
                species=job.species,
                family=job.family,
                seed=job.seed,
                strength=job.strength,
                framing=job.framing,
                size=(job.side, job.side),
            )
        except AttackInputError:
            continue  # a mesh that does not fit its picture: this pair is left out, the others count
        for shot in (made.bona_fide, made.attack):
            rows.append(
                {
                    **asdict(job),
                    "pair": number * SHARD + index,
                    "label": int(not shot.label.is_attack),
                    "offset": len(data),
                    "bytes": len(shot.jpeg),
                    "box": carried_box(shot, faces.boxes[job.source]),
                    "features": [round(float(value), 5) for value in features(shot)],
                }
            )
            data += shot.jpeg
    write_shard(place, number, rows, bytes(data))


def carried_box(shot: Shot, box: NDArray[np.floating[Any]]) -> list[float]:
    """The source's face box (left, top, width, height) in the finished picture, axis-aligned."""
    x, y, width, height = (float(v) for v in box)
    corners = np.array([[x, y], [x + width, y], [x + width, y + height], [x, y + height]])
    placed = shot.carry(corners)
    low, high = placed.min(axis=0), placed.max(axis=0)
    return [round(float(v), 2) for v in (*low, *(high - low))]
