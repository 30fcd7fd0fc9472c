"""What of a picture a detector of attacks looks at, and its score there: what an explanation covers in parts."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from samebody.config import Settings
from samebody.explain import PictureScore
from samebody.explain.errors import NoFaceError, UnsupportedModelError
from samebody.face import FaceAnalyser, FaceDetection
from samebody.models import ModelRecord
from samebody.models.contracts import ImageInput
from samebody.types import Box, Image, Pixels

LARGEST = 1024
"""Longer side in pixels of what is explained; larger pictures are averaged down first, which a detector may feel."""
LIMIT = 12.0
"""Log odds are cut here: beyond it a likelihood of 0.999994 says no more than one of 0.99999."""


@dataclass(frozen=True, slots=True, eq=False)
class Seen:
    """The part of a picture that a model looks at.

    Attributes:
        score: of variants of that part.
        pixels: (h, w, 3) uint8.
        landmarks: (5, 2) of the main face in it; None where none was looked for.
        what: name of the score in running text.
        title: of the part.
    """

    score: PictureScore
    pixels: Pixels = field(repr=False)
    landmarks: NDArray[np.float64] | None
    what: str
    title: str


def seen_on(record: ModelRecord, image: Image, settings: Settings, *, face: FaceDetection | None = None) -> Seen:
    """What a detector of attacks sees of a picture.

    The face is found once, on the whole picture, and stays where it is: the maps say what moves the detector, not what
    moves the search for the face. Detectors are explained in log odds of bona fide, because likelihoods near 0 or 1
    hardly move whatever is covered.

    Args:
        record: of task ``presentation-attack-detection`` or ``deepfake-detection``.
        face: where it was found already.

    Raises:
        NoFaceError: there is no usable face.
        UnsupportedModelError: the record is of another task.
    """
    if record.task == "presentation-attack-detection":
        return _pad(record, image, settings, face)
    if record.task == "deepfake-detection":
        return _deepfake(record, image, settings, face)
    raise UnsupportedModelError(f"{record.id} is no detector of attacks on one picture.")


def log_odds(likelihood: NDArray[np.floating[Any]]) -> NDArray[np.float64]:
    """Natural log odds of likelihoods, cut at :data:`LIMIT` either way."""
    least = 1 / (1 + np.exp(LIMIT))
    p = np.clip(np.asarray(likelihood, dtype=np.float64), least, 1 - least)
    return np.asarray(np.log(p / (1 - p)))


def _face(image: Image, settings: Settings) -> FaceDetection:
    found = FaceAnalyser(settings).aligned(image, "picture")
    if found.chosen is None:
        reasons = "; ".join(reason.message for reason in found.findings[0].reasons)
        raise NoFaceError(f"there is no usable face: {reasons}", hint="Take another picture.")
    return found.chosen


def _pad(record: ModelRecord, image: Image, settings: Settings, found: FaceDetection | None) -> Seen:
    from samebody.attacks.crops import cut, window
    from samebody.attacks.pad import PLACES, PassivePad

    if not isinstance(record.input, ImageInput):
        raise UnsupportedModelError(f"{record.id} does not take a picture.")
    face = found or _face(image, settings)
    reach = 1.05 * max(place[0] for place in PLACES)
    place = window(face.box, image.pixels.shape[:2], reach=reach)
    side = min(place.side, LARGEST)
    pixels = cut(image.pixels, place, side)
    scale, corner = side / place.side, np.array([place.left, place.top], dtype=np.float64)
    box = Box(
        (face.box.x - corner[0]) * scale,
        (face.box.y - corner[1]) * scale,
        face.box.width * scale,
        face.box.height * scale,
    )
    detector = PassivePad(settings, record=record)

    def score(pictures: Pixels) -> NDArray[np.float64]:
        return log_odds(np.array([detector.score(picture, box).likelihood for picture in pictures]))

    landmarks = (face.landmark_array() - corner) * scale
    return Seen(score, pixels, landmarks, "log odds of bona fide", "What the detector sees")


def _deepfake(record: ModelRecord, image: Image, settings: Settings, found: FaceDetection | None) -> Seen:
    from samebody.attacks.deepfake_features import crop_face, features
    from samebody.models.outputs import bona_fide_scores

    face = found or _face(image, settings)
    mesh = FaceAnalyser(settings).mesh(image, face)
    if mesh is None:
        raise NoFaceError("the outline of the face cannot be measured.", hint="Take another picture.")
    low, high = mesh.points[:, :2].min(axis=0), mesh.points[:, :2].max(axis=0)
    margin = 0.3 * float((high - low).max())
    left, top = np.maximum(low - margin, 0).astype(int)
    right, bottom = np.minimum(high + margin + 1, [image.width, image.height]).astype(int)
    pixels = np.ascontiguousarray(image.pixels[top:bottom, left:right])
    points = mesh.points[:, :2] - np.array([left, top])

    def score(pictures: Pixels) -> NDArray[np.float64]:
        traces = np.stack([features(crop_face(picture, points)) for picture in pictures])
        return log_odds(bona_fide_scores(record, traces, settings, threads=1))

    landmarks = face.landmark_array() - np.array([left, top])
    return Seen(score, pixels, landmarks, "log odds of bona fide", "The face and what is around it")
