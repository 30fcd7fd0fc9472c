"""Finding faces of any size at any rotation with YuNet: one cheap look first, further looks only where it is needed."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from samebody import stage
from samebody.face import geometry, yunet
from samebody.face.results import FaceDetection
from samebody.types import Box, Pixels, Point

RunNetwork = Callable[[NDArray[np.float32]], Mapping[str, NDArray[np.float32]]]
"""(1, 3, H, W) float32 in, YuNet's twelve outputs by name out."""

TURNS = (90.0, 270.0, 180.0, 45.0, 315.0, 135.0, 225.0)
"""Degrees counter-clockwise by which a picture without an upright face is turned: quarter turns come first because
cameras and scanners make them. YuNet follows a tilt of up to about 40 degrees, so 45-degree steps leave no gap."""
LAST_QUARTER_TURN = 180.0


@dataclass(frozen=True, slots=True, eq=False)
class _Look:
    """A view of the picture: its pixels, the map from the picture to it, and by how much it was turned."""

    pixels: Pixels
    matrix: geometry.Matrix
    degrees: float = 0.0


class FaceDetector(stage.Stage):
    """Detects faces; largest first.

    The looks, in order: (1) the picture shrunk to ``working_side``; (2) nothing or only small faces there: the picture
    at up to ``full_side``; (3) still nothing: the picture shrunk and set in a wide border, for a face that fills the
    frame; (4) no confident upright face: the picture turned by :data:`TURNS`, the strongest face winning.

    Args:
        run: runs the network (an ONNX Runtime session in production, anything in tests).
        parameters: see :class:`Parameters`.
    """

    class Parameters(stage.Parameters):
        """Limits of detection. They are about finding a face at all; none of them accepts a person."""

        threshold: float = Field(
            default=0.6, gt=0, lt=1, description="least score of a face; OpenCV Zoo's demo uses 0.6 to 0.9"
        )
        overlap: float = Field(
            default=0.3, gt=0, lt=1, description="IoU above which two boxes are one face; OpenCV's default"
        )
        working_side: int = Field(default=480, ge=96, le=4096, description="longer side of the first look, pixels")
        full_side: int = Field(default=1920, ge=96, le=8192, description="longer side of the second look, pixels")
        small_face: float = Field(
            default=48.0, ge=0, description="box side in the first look below which the second look follows, pixels"
        )
        confident: float = Field(
            default=0.8, gt=0, lt=1, description="score from which an upright face ends the search for turned ones"
        )
        upright_tilt: float = Field(
            default=50.0, gt=0, le=180, description="tilt of the eyes beyond which a face is not upright, degrees"
        )
        turns: bool = Field(default=True, description="whether pictures without an upright face are turned")
        most: int = Field(default=100, ge=1, description="faces returned at most")

    parameters: Parameters

    def __init__(self, run: RunNetwork, **parameters: object) -> None:
        super().__init__(**parameters)
        self._run = run

    def detect(self, pixels: Pixels) -> tuple[FaceDetection, ...]:
        """Faces in ``pixels`` (H, W, 3) uint8 RGB of any size, largest first; empty when there is none."""
        upright = self._upright(pixels)
        if self.parameters.turns and not any(self._is_confident(face) for face in upright):
            turned = self._turned(pixels)
            strength = max((face.confidence for face in upright if self._is_upright(face)), default=0.0)
            if max((face.confidence for face in turned), default=0.0) > strength:
                upright = turned
        ordered = sorted(upright, key=lambda face: -face.box.area)
        return tuple(ordered[: self.parameters.most])

    # ------------------------------------------------------------------------------------------------------- looks

    def _upright(self, pixels: Pixels) -> list[FaceDetection]:
        height, width = pixels.shape[:2]
        longest = max(width, height)
        first = self._faces(self._shrunk(pixels, self.parameters.working_side))
        shrink = min(1.0, self.parameters.working_side / longest)
        largest = max((max(face.box.width, face.box.height) for face in first), default=0.0) * shrink
        if largest < self.parameters.small_face and shrink < 1.0:
            second = self._faces(self._shrunk(pixels, self.parameters.full_side))
            first = self._united(first, second)
        if not any(self._is_confident(face) for face in first):
            first = self._united(first, self._faces(self._framed(pixels)))
        return first

    def _turned(self, pixels: Pixels) -> list[FaceDetection]:
        best: list[FaceDetection] = []
        strength = 0.0
        small = self._shrunk(pixels, self.parameters.working_side)
        for degrees in TURNS:
            faces = self._faces(self._turn(small, degrees))
            upright = [face for face in faces if self._is_upright(face)]
            strongest = max((face.confidence for face in upright), default=0.0)
            if strongest > strength:
                best, strength = upright, strongest
            if degrees == LAST_QUARTER_TURN and strength >= self.parameters.confident:
                break
        return best

    def _shrunk(self, pixels: Pixels, side: int) -> _Look:
        height, width = pixels.shape[:2]
        scale = min(1.0, side / max(width, height))
        if scale == 1.0:
            return _Look(pixels, np.array([[1.0, 0.0, 0.0], [0.0, 1.0, 0.0]]))
        size = (max(1, round(width * scale)), max(1, round(height * scale)))
        small = np.asarray(cv2.resize(pixels, size, interpolation=cv2.INTER_AREA), dtype=np.uint8)
        return _Look(small, np.array([[size[0] / width, 0.0, 0.0], [0.0, size[1] / height, 0.0]]))

    def _framed(self, pixels: Pixels) -> _Look:
        small = self._shrunk(pixels, min(max(pixels.shape[:2]), self.parameters.working_side // 2))
        height, width = small.pixels.shape[:2]
        margin = max(width, height) // 2
        framed = cv2.copyMakeBorder(small.pixels, margin, margin, margin, margin, cv2.BORDER_REPLICATE)
        matrix = small.matrix.copy()
        matrix[:, 2] += margin
        return _Look(np.asarray(framed, dtype=np.uint8), matrix)

    def _turn(self, look: _Look, degrees: float) -> _Look:
        height, width = look.pixels.shape[:2]
        matrix, size = geometry.turned(width, height, degrees)
        turned = geometry.warp(look.pixels, geometry.corner_to_index(matrix), size)
        whole = matrix @ np.vstack([look.matrix, [0.0, 0.0, 1.0]])
        return _Look(turned, whole, degrees)

    # ------------------------------------------------------------------------------------------------------- faces

    def _faces(self, look: _Look) -> list[FaceDetection]:
        tensor = yunet.network_input(look.pixels)
        candidates = yunet.decode(self._run(tensor), tensor.shape[3], self.parameters.threshold)
        candidates = yunet.suppress(candidates, self.parameters.overlap)
        back = geometry.invert(look.matrix)
        return [
            FaceDetection(
                box=_map_box(candidates.boxes[index], back, look.degrees),
                landmarks=_points(geometry.apply(back, candidates.landmarks[index])),
                confidence=float(candidates.scores[index]),
                rotation_degrees=look.degrees,
            )
            for index in range(len(candidates))
        ]

    def _united(self, *parts: list[FaceDetection]) -> list[FaceDetection]:
        faces = [face for part in parts for face in part]
        if not faces:
            return faces
        candidates = yunet.Candidates(
            np.array([[face.box.x, face.box.y, face.box.width, face.box.height] for face in faces]),
            np.array([face.landmarks for face in faces]),
            np.array([face.confidence for face in faces]),
        )
        kept = yunet.suppress(candidates, self.parameters.overlap)
        by_score = sorted(faces, key=lambda face: -face.confidence)
        boxes = {tuple(box) for box in kept.boxes}
        return [face for face in by_score if (face.box.x, face.box.y, face.box.width, face.box.height) in boxes]

    def _is_upright(self, face: FaceDetection) -> bool:
        tilt = (face.roll_degrees + face.rotation_degrees + 180.0) % 360.0 - 180.0
        return abs(tilt) <= self.parameters.upright_tilt

    def _is_confident(self, face: FaceDetection) -> bool:
        return face.confidence >= self.parameters.confident and self._is_upright(face)


def _points(points: NDArray[np.float64]) -> tuple[Point, Point, Point, Point, Point]:
    first, second, third, fourth, fifth = ((float(x), float(y)) for x, y in points)
    return first, second, third, fourth, fifth


def _map_box(box: NDArray[np.float64], back: geometry.Matrix, degrees: float) -> Box:
    """The box in the picture. A tilted box becomes the upright box around the ellipse that it holds, which is exact
    for quarter turns and, unlike the box around its corners, does not swell in between."""
    centre = geometry.apply(back, np.array([box[0] + box[2] / 2, box[1] + box[3] / 2]))
    half_x, half_y = box[2] / 2, box[3] / 2
    linear = back[:, :2]
    width = 2 * math.hypot(linear[0, 0] * half_x, linear[0, 1] * half_y)
    height = 2 * math.hypot(linear[1, 0] * half_x, linear[1, 1] * half_y)
    return Box(float(centre[0] - width / 2), float(centre[1] - height / 2), float(width), float(height))
