"""A recording of a challenge as numbers: head pose, expressions, rigid points and mean colours, frame by frame."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, fields

import cv2
import numpy as np
from numpy.typing import NDArray

from samebody.capture.srgb import linear
from samebody.face import FaceAnalyser
from samebody.face.pose import POSE_POINTS
from samebody.face.results import FaceDetection, FaceMesh
from samebody.face.topology import FACE_OVAL, LEFT_EYE_CORNERS, MOUTH_CORNERS, NOSE_TIP, RIGHT_EYE_CORNERS
from samebody.types import Box, Image, Pixels

Floats = NDArray[np.float64]

DETECT_EVERY = 10
"""Frames after which the face is searched for again instead of followed."""


@dataclass(frozen=True, slots=True, eq=False)
class Track:
    """What the checks look at; NaN where no face was seen.

    Attributes:
        at_ms: (n,) milliseconds since the challenge began.
        yaw, pitch: (n,) degrees, signs as :class:`samebody.face.results.FaceMesh`.
        blink, smile: (n,) blendshapes 0-1, mean of both sides.
        size: (n,) distance between the outer eye corners over the width of the frame, turned back to a front view.
        points: (n, 48, 2) pixels: :data:`samebody.face.pose.POSE_POINTS`, which expression hardly moves.
        face, around: (n, 3) mean linear RGB 0-1 of the face, and of the frame's upper corners away from it.
    """

    at_ms: Floats
    yaw: Floats
    pitch: Floats
    blink: Floats
    smile: Floats
    size: Floats
    points: Floats
    face: Floats
    around: Floats

    def __post_init__(self) -> None:
        lengths = {field.name: len(getattr(self, field.name)) for field in fields(self)}
        if len(set(lengths.values())) != 1:
            raise ValueError(f"expected one value a frame, got {lengths}")

    def __len__(self) -> int:
        return len(self.at_ms)

    @property
    def seen(self) -> NDArray[np.bool_]:
        """(n,) whether a face was seen."""
        found: NDArray[np.bool_] = np.isfinite(self.yaw)
        return found

    def between(self, begin_ms: float, end_ms: float) -> NDArray[np.intp]:
        """Indices of frames with a face from ``begin_ms`` up to before ``end_ms``."""
        return np.flatnonzero((self.at_ms >= begin_ms) & (self.at_ms < end_ms) & self.seen)


def observe(frames: Iterable[tuple[float, Image]], faces: FaceAnalyser) -> tuple[Track, int]:
    """The track of ``frames`` (milliseconds, picture), and the most faces that one frame showed.

    The face is searched for in every tenth frame and where it was lost, and followed by its mesh in between. Only one
    frame is held at a time.
    """
    rows: list[tuple[float, Floats, Floats, Floats, Floats]] = []
    mesh: FaceMesh | None = None
    most = 0
    for number, (at_ms, image) in enumerate(frames):
        found = None if mesh is None or number % DETECT_EVERY == 0 else _follow(mesh)
        if found is None:
            detections = faces.detect(image)
            most = max(most, len(detections))
            found = detections[0] if detections else None
        mesh = None if found is None else faces.mesh(image, found)
        rows.append((at_ms, *_row(image.pixels, mesh)))
    times = np.array([row[0] for row in rows], dtype=np.float64)
    values = np.array([row[1] for row in rows], dtype=np.float64).reshape(-1, 5)
    points = np.array([row[2] for row in rows], dtype=np.float64).reshape(-1, len(POSE_POINTS), 2)
    face = np.array([row[3] for row in rows], dtype=np.float64).reshape(-1, 3)
    around = np.array([row[4] for row in rows], dtype=np.float64).reshape(-1, 3)
    yaw, pitch, blink, smile, size = values.T
    return Track(times, yaw, pitch, blink, smile, size, points, face, around), most


def _row(pixels: Pixels, mesh: FaceMesh | None) -> tuple[Floats, Floats, Floats, Floats]:
    around = _around(pixels, mesh)
    if mesh is None:
        return np.full(5, np.nan), np.full((len(POSE_POINTS), 2), np.nan), np.full(3, np.nan), around
    shape = mesh.blendshapes
    eyes = math.dist(mesh.points[RIGHT_EYE_CORNERS[0]][:2], mesh.points[LEFT_EYE_CORNERS[0]][:2])
    size = eyes / max(0.3, math.cos(math.radians(mesh.yaw))) / pixels.shape[1]
    values = np.array(
        [
            mesh.yaw,
            mesh.pitch,
            (shape["eyeBlinkLeft"] + shape["eyeBlinkRight"]) / 2,
            (shape["mouthSmileLeft"] + shape["mouthSmileRight"]) / 2,
            size,
        ]
    )
    return values, mesh.points[list(POSE_POINTS), :2].astype(np.float64), _inside(pixels, mesh), around


def _follow(mesh: FaceMesh) -> FaceDetection:
    """The mesh of the frame before as if it had been detected in this one."""
    low, high = mesh.points[:, :2].min(axis=0), mesh.points[:, :2].max(axis=0)

    def mean(*indices: int) -> tuple[float, float]:
        x, y = mesh.points[list(indices), :2].mean(axis=0)
        return float(x), float(y)

    marks = (
        mean(*RIGHT_EYE_CORNERS),
        mean(*LEFT_EYE_CORNERS),
        mean(NOSE_TIP),
        mean(MOUTH_CORNERS[0]),
        mean(MOUTH_CORNERS[1]),
    )
    box = Box(float(low[0]), float(low[1]), float(high[0] - low[0]), float(high[1] - low[1]))
    return FaceDetection(box, marks, mesh.presence)


def _inside(pixels: Pixels, mesh: FaceMesh) -> Floats:
    mask = np.zeros(pixels.shape[:2], np.uint8)
    outline = mesh.points[list(FACE_OVAL), :2]
    inner = outline.mean(axis=0) + 0.8 * (outline - outline.mean(axis=0))
    cv2.fillConvexPoly(mask, inner.round().astype(np.int32), 255)
    chosen = pixels[mask > 0]
    return linear(chosen / 255).mean(axis=0) if len(chosen) else np.full(3, np.nan)


def _around(pixels: Pixels, mesh: FaceMesh | None) -> Floats:
    """The upper corners: a sixth of the width each, a third of the height, where they do not touch the face."""
    height, width = pixels.shape[:2]
    left, right = pixels[: height // 3, : width // 6], pixels[: height // 3, width - width // 6 :]
    kept = [left, right]
    if mesh is not None:
        low, high = float(mesh.points[:, 0].min()), float(mesh.points[:, 0].max())
        kept = [part for part, free in ((left, low > width / 6), (right, high < width * 5 / 6)) if free]
    values = [linear(part[::4, ::4].reshape(-1, 3) / 255) for part in kept if part.size]
    return np.concatenate(values).mean(axis=0) if values else np.full(3, np.nan)
