"""The pictures that the morph and the deepfake benchmark are made from: who they show, mesh, template, and the split.

Mated pairs come from people who appear twice in fairface (docs/adr/0043) and from orl; other pictures of fairface are
partners. People are split by a hash of their name, so that nobody stands on both sides.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from samebody.config import load_settings
from samebody.lab.evaluate.evaluation_sets import EvaluationSet, read_fairface, read_orl, read_repeats
from samebody.types import Image, Pixels

REPEATS = Path(__file__).parent / "operating_points" / "fairface-repeats.csv"
SINGLES = 2600
"""Pictures of people who appear once, taken by hash."""
TRAIN_SHARE = 0.55


def default_data() -> Path:
    """The folder of the sets: SAMEBODY_DATA, or the one beside the checkout."""
    return Path(os.environ.get("SAMEBODY_DATA") or Path(__file__).parents[2] / "shared" / "data").resolve()


def default_cache() -> Path:
    """Where prepared inputs are kept between runs."""
    return Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "samebody" / "benchmarks" / "morph"


def draw_of(name: str) -> float:
    """0-1, the same for one name on every machine."""
    return int.from_bytes(hashlib.sha256(name.encode()).digest()[:6], "big") / 2**48


@dataclass(frozen=True, eq=False)
class Faces:
    """Pictures with a usable face.

    Attributes:
        files: (n,) path below the folder of the sets.
        people: (n,) who it shows, as far as it is known.
        groups: (n,) label of race, gender and age of fairface; empty for orl.
        points: (n, 478, 3) float32 mesh in pixels.
        templates: (n, 128) float32.
        pose: (n, 3) yaw, pitch, roll in degrees.
        adult: (n,) labelled 20 years or older; orl counts as adult.
        root: folder of the sets.
    """

    files: NDArray[np.str_]
    people: NDArray[np.str_]
    groups: NDArray[np.str_]
    points: NDArray[np.float32]
    templates: NDArray[np.float32]
    pose: NDArray[np.float32]
    adult: NDArray[np.bool_]
    root: Path

    def __len__(self) -> int:
        return len(self.files)

    def pixels(self, index: int) -> Pixels:
        """The picture, RGB."""
        from samebody.lab.evaluate.images import load_picture

        return load_picture(self.root / str(self.files[index])).pixels

    def train(self) -> NDArray[np.bool_]:
        """(n,) whether the person is one to learn from; orl never is."""
        return np.array(
            [
                not person.startswith("orl") and draw_of("split " + person) < TRAIN_SHARE
                for person in self.people.tolist()
            ]
        )


def load_faces(data: Path, cache: Path, *, report: Any = print) -> Faces:
    """Analyse the pictures once; later calls read the cache."""
    path = cache / "faces.npz"
    if not path.is_file():
        _analyse(data, path, report)
    with np.load(path, allow_pickle=False) as stored:
        return Faces(**{name: stored[name] for name in stored.files}, root=data)


def _chosen(fairface: EvaluationSet) -> list[tuple[str, str, str, bool]]:
    """File, person, group and whether adult: all repeats and some singles."""
    repeats = read_repeats(REPEATS, fairface.samples)
    people = repeats.people(fairface.samples)
    repeated = {file for group in repeats.groups for file in group}
    rows = []
    singles = sorted(
        (sample.file for sample in fairface.samples if sample.file not in repeated), key=lambda name: draw_of(name)
    )
    wanted = repeated | set(singles[:SINGLES])
    for sample, person in zip(fairface.samples, people, strict=True):
        if sample.file in wanted:
            adult = sample.age not in ("0-2", "3-9", "10-19")
            rows.append((sample.file, person, f"{sample.group} {sample.age}", adult))
    return rows


def _analyse(data: Path, path: Path, report: Any) -> None:
    from samebody.face import FaceAnalyser
    from samebody.lab.evaluate.images import load_picture

    fairface, orl = read_fairface(data), read_orl(data)
    rows = _chosen(fairface) + [(sample.file, sample.person, "", True) for sample in orl.samples]
    analyser = FaceAnalyser(load_settings(), threads=1)
    kept: list[tuple[Any, ...]] = []
    for number, (file, person, group, adult) in enumerate(rows):
        image = Image(load_picture(data / file).pixels)
        found = analyser.template(image, "reference")
        mesh = analyser.mesh(image, found.chosen) if found.chosen else None
        if mesh is not None and found.template is not None and max(abs(mesh.yaw), abs(mesh.pitch)) <= 30:
            pose = (mesh.yaw, mesh.pitch, mesh.roll)
            kept.append((file, person, group, mesh.points, found.template.vector, pose, adult))
        if number % 500 == 0:
            report(f"faces: {number} of {len(rows)}", flush=True)
    names = ("files", "people", "groups", "points", "templates", "pose", "adult")
    kinds: tuple[Any, ...] = (np.str_, np.str_, np.str_, np.float32, np.float32, np.float32, np.bool_)
    columns = {name: np.array([row[i] for row in kept], dtype=kind) for i, (name, kind) in enumerate(zip(names, kinds))}
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_suffix(".part.npz")
    np.savez(temporary, **columns)
    temporary.replace(path)


def in_pieces(
    folder: Path, count: int, rows: Callable[[int], list[tuple[Any, ...]]], report: Any, *, size: int = 250
) -> list[list[Any]]:
    """Columns of the rows that ``rows(0) ... rows(count - 1)`` give, kept in pieces of ``size`` calls as NPZ files.

    A run that was killed goes on at the piece it was at.
    """
    folder.mkdir(parents=True, exist_ok=True)
    columns: list[list[Any]] = []
    for start in range(0, count, size):
        path = folder / f"{start:06d}.npz"
        if not path.is_file():
            made = [row for number in range(start, min(count, start + size)) for row in rows(number)]
            temporary = path.with_suffix(".part.npz")
            np.savez(temporary, **{f"c{i}": np.array(values) for i, values in enumerate(zip(*made, strict=True))})
            temporary.replace(path)
            report(f"{folder.name}: {min(count, start + size)} of {count}", flush=True)
        with np.load(path, allow_pickle=False) as stored:
            columns = columns or [[] for _ in stored.files]
            for i, column in enumerate(columns):
                column.extend(stored[f"c{i}"])
    return columns
