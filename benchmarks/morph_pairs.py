"""Mated pairs and morphing attacks for the differential check: portraits made, degraded alike, analysed, kept.

A bona fide comparison is two pictures of one person; a morphing attack is a morph of A and B as the portrait and
another picture of A as the selfie. B looks like A: of people with the same labels the most similar one whose head is
turned alike. Every portrait, morph or not, goes through the same chain of a document's portrait.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from benchmarks.morph_second import MORPHS
from benchmarks.morph_sources import Faces, draw_of, in_pieces
from samebody.errors import InputError
from samebody.synth.attacks import Source, attack, bona_fide, families, generator, misfit
from samebody.synth.attacks.mesh import WORST_FIT
from samebody.types import Image, Pixels

FIRST = tuple(f"first.{family}" for family in families()["morph"])
METHODS = (*FIRST, *MORPHS)
MOST_PICTURES = 4
"""Pictures taken of one person."""
MOST_PORTRAITS = 1750
"""Portraits made; their order is drawn by hash, so that fewer are a fair sample."""
Job = tuple[int, str, list[int], str]
"""Picture, morphing method (empty: none), selfies to hold the portrait against, part."""


@dataclass(frozen=True, eq=False)
class Trials:
    """Portraits with what was found on them, and the comparisons made with them.

    Attributes:
        vectors, points, pose: (p, ...) of each portrait, as in Faces.
        portrait, selfie: (n,) row of the portrait, row of the selfie in Faces.
        method: (n,) morphing method, empty for a bona fide comparison.
        person, partner: (n,) who the selfie shows, who else is in the morph.
        part: (n,) ``train``, ``test`` or ``orl``.
    """

    vectors: NDArray[np.float32]
    points: NDArray[np.float32]
    pose: NDArray[np.float32]
    portrait: NDArray[np.int64]
    selfie: NDArray[np.int64]
    method: NDArray[np.str_]
    person: NDArray[np.str_]
    partner: NDArray[np.str_]
    part: NDArray[np.str_]

    def __len__(self) -> int:
        return len(self.portrait)


def document_chain(pixels: Pixels, random: np.random.Generator) -> Pixels:
    """A portrait as it is found on a photographed document: smaller, softer, paler, grainy, coded; some untouched."""
    if random.random() < 0.25:
        return pixels
    height, width = pixels.shape[:2]
    part = float(random.uniform(0.45, 1.0))
    small = (max(48, round(width * part)), max(48, round(height * part)))
    out = cv2.resize(pixels, small, interpolation=cv2.INTER_AREA).astype(np.float32)
    if random.random() < 0.15:
        out = np.repeat(out @ np.array([[0.299], [0.587], [0.114]], np.float32), 3, axis=2)
    out = np.asarray(cv2.GaussianBlur(out, (0, 0), float(random.uniform(0.2, 1.1))))
    black, white = random.uniform(0, 40), random.uniform(200, 255)
    out = black + out / 255 * (white - black) * random.uniform(0.93, 1.07, 3).astype(np.float32)
    out = out + random.normal(0, random.uniform(0, 7), out.shape).astype(np.float32)
    quality = int(random.integers(45, 96))
    code = [cv2.IMWRITE_JPEG_QUALITY, quality]
    _, data = cv2.imencode(".jpg", np.clip(out[..., ::-1], 0, 255).astype(np.uint8), code)
    return np.asarray(cv2.imdecode(data, cv2.IMREAD_COLOR)[..., ::-1])


def partner(faces: Faces, index: int, pool: NDArray[np.int64], random: np.random.Generator) -> int | None:
    """A picture of another person that looks like the one at ``index``: same labels, head turned alike."""
    same = pool[(faces.groups[pool] == faces.groups[index]) & (faces.people[pool] != faces.people[index])]
    if len(same) < 3:
        same = pool[faces.people[pool] != faces.people[index]]
    tried = same[random.permutation(len(same))[:40]]
    order = tried[np.argsort(-(faces.templates[tried] @ faces.templates[index]))]
    for other in order[:12].tolist():
        if misfit(faces.points[index, :, :2], faces.points[other, :, :2]) <= WORST_FIT:
            return int(other)
    return None


def morph(faces: Faces, one: int, two: int, method: str, seed: int) -> Pixels:
    """The morph of two pictures by one method."""
    kind, family = method.split(".")
    first, second = faces.pixels(one), faces.pixels(two)
    a, b = faces.points[one, :, :2], faces.points[two, :, :2]
    if kind == "first":
        return attack(Source(first, a), species="morph", family=family, seed=seed, other=Source(second, b)).pixels
    random = generator(seed, "second", method)
    return MORPHS[method](first, a.astype(np.float64), second, b.astype(np.float64), random)


def load_trials(faces: Faces, cache: Path, *, report: Any = print) -> Trials:
    """Make everything once, in pieces that a killed run keeps; later calls read the cache."""
    from samebody.config import load_settings
    from samebody.face import FaceAnalyser

    analyser = FaceAnalyser(load_settings(), threads=1)
    parts = np.where(np.char.startswith(faces.people, "orl"), "orl", np.where(faces.train(), "train", "test"))
    jobs = _jobs(faces, parts)
    order = sorted(range(len(jobs)), key=lambda number: draw_of(f"trial {number}"))
    count = min(MOST_PORTRAITS, len(jobs))
    made = in_pieces(
        cache / "trials", count, lambda place: _portrait(faces, analyser, parts, order[place], jobs), report
    )
    vectors, points, pose, jobs_made, partners = (np.array(column) for column in made)
    rows: list[tuple[Any, ...]] = []
    for place, (number, who) in enumerate(zip(jobs_made.tolist(), partners.tolist())):
        _, method, selfies, part = jobs[number]
        rows += [(place, selfie, method, str(faces.people[selfie]), who, part) for selfie in selfies]
    kinds: tuple[Any, ...] = (np.int64, np.int64, np.str_, np.str_, np.str_, np.str_)
    names = ("portrait", "selfie", "method", "person", "partner", "part")
    columns = {name: np.array([row[i] for row in rows], kind) for i, (name, kind) in enumerate(zip(names, kinds))}
    return Trials(vectors, points, pose, **columns)


def _portrait(faces: Faces, analyser: Any, parts: NDArray[np.str_], number: int, jobs: list[Job]) -> list[Any]:
    """What is found on the portrait of one job; nothing where it cannot be made or shows no face."""
    source, method, _, part = jobs[number]
    random = generator(number, "trial", str(faces.files[source]), method)
    who = ""
    if method:
        pool = np.flatnonzero((parts == part) & faces.adult)
        other = partner(faces, source, pool, random)
        if other is None:
            return []
        who = str(faces.people[other])
        pair = (source, other) if random.random() < 0.5 else (other, source)
        try:
            pixels = morph(faces, *pair, method, number)
        except InputError:  # the heads are turned alike one way round and not the other
            return []
    elif random.random() < 0.5:
        pixels = bona_fide(Source(faces.pixels(source)), seed=number, camera=False).pixels
    else:
        pixels = faces.pixels(source)
    found = _seen(analyser, document_chain(pixels, random))
    return [] if found is None else [(*found, number, who)]


def _jobs(faces: Faces, parts: NDArray[np.str_]) -> list[Job]:
    """Portraits to make: (picture, method, selfies to hold against it, part); the second generator only in tests."""
    people = defaultdict(list)
    for index in np.flatnonzero(faces.adult).tolist():
        people[str(faces.people[index])].append(index)
    jobs: list[Job] = []
    for place, (_, pictures) in enumerate(sorted(people.items())):
        if len(pictures) < 2:
            continue
        part = str(parts[pictures[0]])
        pictures = pictures[:MOST_PICTURES]
        for turn, source in enumerate(pictures):
            others = [index for index in pictures if index != source]
            jobs.append((source, "", others[:3], part))
            methods = FIRST if part == "train" else METHODS
            for k in range(2):
                jobs.append((source, methods[(place + 2 * turn + k) % len(methods)], others[:2], part))
    return jobs


def _seen(analyser: Any, pixels: Pixels) -> tuple[Any, ...] | None:
    image = Image(pixels)
    found = analyser.template(image, "document")
    if found.chosen is None or found.template is None:
        return None
    mesh = analyser.mesh(image, found.chosen)
    if mesh is None:
        return None
    return found.template.vector, mesh.points, (mesh.yaw, mesh.pitch, mesh.roll)
