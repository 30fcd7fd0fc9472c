"""Where the face is in every source picture, and its mesh: looked for once, kept beside the pairs."""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from samebody.capture import decode_image
from samebody.errors import InputError
from samebody.lab.evaluate.evaluation_sets import EvaluationSet
from samebody.lab.train.pad_files import write_arrays

FARTHEST_TURN = 30.0
"""Yaw and pitch in degrees beyond which nothing is warped on a face."""


@dataclass(frozen=True, slots=True, eq=False)
class SourceFaces:
    """Faces of the source pictures.

    Attributes:
        files: of the pictures, below the folder of all sets.
        boxes: (n, 4) float32 left, top, width, height in pixels; 0 where no face was found.
        points: (n, 478, 2) float32 mesh points in pixels; NaN where there is no usable mesh.
    """

    files: NDArray[np.str_]
    boxes: NDArray[np.float32]
    points: NDArray[np.float32]

    @property
    def found(self) -> NDArray[np.bool_]:
        """(n,) where a face was found."""
        return np.asarray(self.boxes[:, 2] > 0)

    @property
    def meshed(self) -> NDArray[np.bool_]:
        """(n,) where there is a mesh of a face that looks about ahead."""
        return np.asarray(np.isfinite(self.points[:, 0, 0]))

    def mesh(self, index: int) -> NDArray[np.float64]:
        """(478, 2) mesh points in pixels of the picture."""
        return np.asarray(self.points[index], np.float64)


def find_faces(
    pictures: EvaluationSet, folder: Path, *, processes: int = 2, report: Callable[[str], None] = lambda text: None
) -> SourceFaces:
    """Faces of all ``pictures``; read from ``folder`` when they were looked for before.

    Raises:
        StorageError: the folder cannot be written.
        samebody.models.ModelError: the face models are missing.
    """
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"faces-{pictures.digest[:16]}.npz"
    files = np.array([sample.file for sample in pictures.samples])
    if not path.exists():
        report(f"looking for faces in {len(files)} pictures")
        parts = [(pictures.root, list(part)) for part in np.array_split(files, max(1, 8 * processes))]
        if processes == 1:
            found = [_look(part) for part in parts]
        else:
            with ProcessPoolExecutor(processes, multiprocessing.get_context("spawn")) as pool:
                found = list(pool.map(_look, parts))
        boxes = np.concatenate([entry[0] for entry in found])
        points = np.concatenate([entry[1] for entry in found])
        write_arrays(path, files=files, boxes=boxes, points=points)
    with np.load(path) as held:
        return SourceFaces(held["files"], held["boxes"], held["points"])


def _look(part: tuple[Path, list[str]]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    from samebody.config import load_settings
    from samebody.face import FaceAnalyser

    root, files = part
    analyser = FaceAnalyser(load_settings(), threads=1)
    boxes = np.zeros((len(files), 4), np.float32)
    points = np.full((len(files), 478, 2), np.nan, np.float32)
    for row, file in enumerate(files):
        try:
            image = decode_image(root / file)
        except InputError:
            continue
        faces = analyser.detect(image)
        if not faces:
            continue
        face = max(faces, key=lambda face: face.box.area)
        boxes[row] = face.box.x, face.box.y, face.box.width, face.box.height
        mesh = analyser.mesh(image, face)
        if mesh is not None and abs(mesh.yaw) <= FARTHEST_TURN and abs(mesh.pitch) <= FARTHEST_TURN:
            points[row] = mesh.points[:, :2]
    return boxes, points


def boxes_of(rows: Any) -> NDArray[np.float32]:
    """(n, 4) face boxes of the rows of a pair set."""
    return np.array([row["box"] for row in rows], np.float32)
