"""Pictures for the single-picture check of generated or swapped faces, as feature vectors with labels, kept on disk.

Attacks come with their bona fide twin (same source, same scaling, same JPEG), so that nothing but the attack tells them
apart; plain bona fide pictures go through a camera's chain besides. Swaps of the second generator are for tests only.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.morph_second import SWAPS, delivered
from benchmarks.morph_sources import Faces, draw_of, in_pieces
from samebody.attacks.deepfake_features import crop_face, features
from samebody.errors import InputError
from samebody.synth.attacks import Source, bona_fide, families, generator, misfit, pair
from samebody.synth.attacks.mesh import WORST_FIT
from samebody.types import Pixels

SPECIES = ("face_swap", "generated", "injection", "morph")
PAIRS = {"train": 180, "test": 60}
"""Pairs of each family."""
PLAIN = {"train": 900, "test": 420}
SECOND = 100
"""Pairs of each way of the second generator."""


@dataclass(frozen=True, eq=False)
class Pictures:
    """Feature vectors with what each picture is.

    Attributes:
        x: (n, d) float32.
        attack: (n,) bool.
        species, family: (n,) of the attack; of a twin, those of its attack; ``plain`` for other bona fide pictures.
        person: (n,) who the source shows.
        part: (n,) ``train`` or ``test``.
        pair: (n,) number that an attack and its twin share; -1 for plain.
    """

    x: NDArray[np.float32]
    attack: NDArray[np.bool_]
    species: NDArray[np.str_]
    family: NDArray[np.str_]
    person: NDArray[np.str_]
    part: NDArray[np.str_]
    pair: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.x)


@dataclass(frozen=True)
class Job:
    """One pair or one plain picture to make."""

    part: str
    species: str
    family: str
    seed: int
    source: int


def size_of(shape: tuple[int, int], random: np.random.Generator) -> tuple[int, int]:
    """Height and width of the delivered picture: mostly the source's, else smaller or up to twice as large."""
    kind = float(random.random())
    part = 1.0 if kind < 0.5 else float(random.uniform(0.75, 1.0)) if kind < 0.65 else float(random.uniform(1.1, 2.0))
    return max(64, round(shape[0] * part)), max(64, round(shape[1] * part))


def made(faces: Faces, job: Job, pool: NDArray[np.int64]) -> Iterator[tuple[NDArray[np.float32], bool]]:
    """Feature vectors of the job's pictures and whether each is an attack."""
    random = generator(job.seed, "deepfake", job.part, job.species, job.family)
    pixels, points = faces.pixels(job.source), faces.points[job.source, :, :2].astype(np.float64)
    size = size_of(pixels.shape[:2], random)
    other = _other(faces, job.source, pool, random)
    if job.species == "plain":
        shot = bona_fide(Source(pixels), seed=job.seed, size=size, camera=bool(random.random() < 0.6))
        yield _seen(shot.pixels, shot.carry(points), random), False
        return
    if other is None:
        return
    second, theirs = faces.pixels(other), faces.points[other, :, :2].astype(np.float64)
    if job.species == "second":
        changed = SWAPS[job.family](pixels, points, second, theirs, random)
        state = random.bit_generator.state
        for picture, is_attack in ((changed, True), (pixels, False)):
            random.bit_generator.state = state
            got, _ = delivered(picture, random, size)
            scale = np.array(got.shape[1::-1]) / np.array(pixels.shape[1::-1])
            yield _seen(got, points * scale, random), is_attack
        return
    both = pair(
        Source(pixels, points),
        species=job.species,
        family=job.family,
        seed=job.seed,
        size=size,
        other=Source(second, theirs),
    )
    for shot, is_attack in ((both.attack, True), (both.bona_fide, False)):
        yield _seen(shot.pixels, shot.carry(points), random), is_attack


def _other(faces: Faces, index: int, pool: NDArray[np.int64], random: np.random.Generator) -> int | None:
    for other in random.choice(pool, min(20, len(pool)), replace=False).tolist():
        if faces.people[other] == faces.people[index]:
            continue
        if misfit(faces.points[index, :, :2], faces.points[other, :, :2]) <= WORST_FIT:
            return int(other)
    return None


def _seen(pixels: Pixels, points: NDArray[np.float64], random: np.random.Generator) -> NDArray[np.float32]:
    """Features with the mesh about where a detector finds it: a shift and a scaling of one per cent."""
    size = float(np.ptp(points, axis=0).max())
    centre = points.mean(axis=0)
    moved = centre + (points - centre) * (1 + random.normal(0, 0.01)) + random.normal(0, 0.008 * size, 2)
    return features(crop_face(pixels, moved))


def load_pictures(faces: Faces, cache: Path, *, report: Any = print) -> Pictures:
    """Make everything once, in pieces that a killed run keeps; later calls read the cache."""
    train = faces.train()
    pools = {"train": np.flatnonzero(train), "test": np.flatnonzero(~train & ~np.char.startswith(faces.people, "orl"))}
    jobs = _jobs(faces)
    pieces = in_pieces(cache / "deepfake", len(jobs), lambda number: _rows(faces, jobs[number], number, pools), report)
    kinds: tuple[Any, ...] = (np.float32, np.bool_, np.str_, np.str_, np.str_, np.str_, np.int64)
    fields = ("x", "attack", "species", "family", "person", "part", "pair")
    return Pictures(**{name: np.array(pieces[i], kind) for i, (name, kind) in enumerate(zip(fields, kinds))})


def _rows(faces: Faces, job: Job, number: int, pools: dict[str, NDArray[np.int64]]) -> list[tuple[Any, ...]]:
    try:
        found = list(made(faces, job, pools[job.part]))
    except InputError:
        return []
    group = number if job.species != "plain" else -1
    person = str(faces.people[job.source])
    return [(vector, is_attack, job.species, job.family, person, job.part, group) for vector, is_attack in found]


def _jobs(faces: Faces) -> list[Job]:
    """All jobs, in an order that mixes families, so that the first pieces hold some of each."""
    train = faces.train()
    colour = np.array([not person.startswith("orl") for person in faces.people.tolist()])
    jobs: list[Job] = []
    for part in ("train", "test"):
        own = np.flatnonzero(colour & (train == (part == "train")))
        own = own[np.argsort([draw_of(f"order {faces.files[index]}") for index in own.tolist()])]
        kinds = [(species, family, PAIRS[part]) for species in SPECIES for family in families()[species]]
        kinds += [("second", way, SECOND) for way in SWAPS] if part == "test" else []
        kinds.append(("plain", "capture", PLAIN[part]))
        seed = 0 if part == "train" else 1_000_000
        for species, family, count in kinds:
            for _ in range(count):
                jobs.append(Job(part, species, family, seed, int(own[seed % len(own)])))
                seed += 1
    return sorted(jobs, key=lambda job: draw_of(f"{job.part} {job.seed}"))
