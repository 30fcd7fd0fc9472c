"""Finding faces of any size at any rotation with YuNet: one cheap look first, further looks only where it is needed."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

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

QUARTER_TURNS = (90.0, 270.0, 180.0)
EIGHTH_TURNS = (45.0, 315.0, 135.0, 225.0)
"""Degrees counter-clockwise by which a picture without a face is turned: quarter turns first, because cameras and
scanners make them. YuNet follows a tilt of some 40 degrees, so steps of 45 leave no gap."""


PATCH_SIDE = 160
PATCH_FACES = 2.2
"""Side of the second look's patch in pixels, and how many sides of the face it spans."""

LEVEL_SIDE = 288
LEVEL_FACES = 1.5
"""The same of the levelled look: the face spans 190 pixels there, well inside the reach of YuNet's coarsest grid."""


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
    frame; (4) still nothing that is ``sure``: the picture turned in steps of 45 degrees, the strongest face winning.

    YuNet also finds sideways and upside-down faces, but then puts an *upright* face's landmarks on them and is hardly
    less sure. Whatever is not quite sure is therefore looked at again, as a small patch at several turns, and the turn
    with the best score gives the landmarks.

    Args:
        run: runs the network (an ONNX Runtime session in production, anything in tests).
        parameters: see :class:`Parameters`.
    """

    class Parameters(stage.Stage.Parameters):
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
        upright: float = Field(
            default=0.9,
            gt=0,
            le=1,
            description="score from which a face is taken to be upright without a second look; "
            "9 in 10 upright faces of fairface and orl reach it, 1 in 30 of those turned by 45 degrees or more",
        )
        sure: float = Field(
            default=0.8,
            gt=0,
            le=1,
            description="score of the strongest face below which the picture is turned as a whole",
        )
        advantage: float = Field(
            default=0.02, ge=0, lt=1, description="by how much a turned patch must score above the upright one"
        )
        patches: int = Field(default=4, ge=0, description="faces, largest first, that may get the second look")
        landmark_face: float = Field(
            default=180.0,
            ge=0,
            description="side of a face, pixels of the view, from which its landmarks follow a tilt; "
            "smaller ones get the levelled look",
        )
        level: float = Field(
            default=6.0, gt=0, le=45, description="tilt of the eyes in the view above which it is levelled, degrees"
        )
        levellings: int = Field(default=3, ge=0, description="levelled looks at one face at most")
        turns: bool = Field(default=True, description="whether turned faces are looked for at all")
        most: int = Field(default=100, ge=1, description="faces returned at most")

    parameters: Parameters

    def __init__(self, run: RunNetwork, **parameters: object) -> None:
        super().__init__(**parameters)
        self._run = run

    def detect(self, pixels: Pixels) -> tuple[FaceDetection, ...]:
        """Faces in ``pixels`` (H, W, 3) uint8 RGB of any size, largest first; empty when there is none."""
        faces = self._settled_all(pixels, self._upright(pixels))
        if self.parameters.turns and _strongest(faces) < self.parameters.sure:
            turned = self._settled_all(pixels, self._turned(pixels))
            if _strongest(turned) > _strongest(faces):
                faces = turned
        faces.sort(key=lambda face: -face.box.area)
        return tuple(faces[: self.parameters.most])

    # ------------------------------------------------------------------------------------------------------- looks

    def _upright(self, pixels: Pixels) -> list[FaceDetection]:
        longest = max(pixels.shape[:2])
        faces = self._faces(self._shrunk(pixels, self.parameters.working_side))
        shrink = min(1.0, self.parameters.working_side / longest)
        largest = max((max(face.box.width, face.box.height) for face in faces), default=0.0) * shrink
        if largest < self.parameters.small_face and shrink < 1.0:
            faces = self._united(faces, self._faces(self._shrunk(pixels, self.parameters.full_side)))
        return faces or self._faces(self._framed(pixels))

    def _turned(self, pixels: Pixels) -> list[FaceDetection]:
        small = self._shrunk(pixels, self.parameters.working_side)
        best: list[FaceDetection] = []
        for turns in (QUARTER_TURNS, EIGHTH_TURNS):
            looks = [self._faces(self._turn(small, degrees)) for degrees in turns]
            best = max([best, *looks], key=_strongest)
            if _strongest(best) >= self.parameters.sure:
                break
        return best

    def _settled_all(self, pixels: Pixels, faces: list[FaceDetection]) -> list[FaceDetection]:
        if not self.parameters.turns:
            return faces
        faces = sorted(faces, key=lambda face: -face.box.area)
        checked = [self._levelled(pixels, self._settled(pixels, face)) for face in faces[: self.parameters.patches]]
        return self._united(checked + faces[self.parameters.patches :])

    def _settled(self, pixels: Pixels, face: FaceDetection) -> FaceDetection:
        """``face``, or the same face found at the turn at which it looks most like an upright one."""
        if face.confidence >= self.parameters.upright:
            return face
        seen: dict[float, FaceDetection | None] = {}
        for degrees in (0.0, *QUARTER_TURNS):
            seen[degrees] = self._patch(pixels, face, degrees)
        best = max(seen, key=lambda degrees: _strength(seen[degrees]))
        for degrees in ((best + 45.0) % 360.0, (best - 45.0) % 360.0):
            seen[degrees] = self._patch(pixels, face, degrees)
        best = max(seen, key=lambda degrees: _strength(seen[degrees]))
        found = seen[best]
        if best == 0.0 or found is None:
            return face
        if _strength(found) < _strength(seen[0.0]) + self.parameters.advantage:
            return face
        return replace(found, confidence=max(found.confidence, face.confidence))

    def _levelled(self, pixels: Pixels, face: FaceDetection) -> FaceDetection:
        """``face`` with landmarks from an enlarged view in which the line between its eyes is level."""
        current = face
        for _ in range(self.parameters.levellings):
            tilt = _wrapped(current.roll_degrees + current.rotation_degrees)
            if abs(tilt) <= self.parameters.level and current.seen_pixels >= self.parameters.landmark_face:
                break
            found = self._patch(pixels, current, -tilt, LEVEL_SIDE, LEVEL_FACES)
            if found is None:
                break
            current = replace(found, box=face.box)
        return replace(current, confidence=face.confidence)

    def _patch(
        self,
        pixels: Pixels,
        face: FaceDetection,
        degrees: float,
        side: int = PATCH_SIDE,
        faces: float = PATCH_FACES,
    ) -> FaceDetection | None:
        """The face nearest to the middle of a patch around ``face`` that is turned by ``degrees`` more than it was."""
        total = (face.rotation_degrees + degrees) % 360.0
        angle = math.radians(total)
        scale = side / (faces * max(face.box.width, face.box.height, 1e-6))
        linear = scale * np.array([[math.cos(angle), math.sin(angle)], [-math.sin(angle), math.cos(angle)]])
        middle = np.array([side / 2, side / 2])
        matrix = np.hstack([linear, (middle - linear @ np.asarray(face.box.centre))[:, None]])
        index_matrix = geometry.corner_to_index(matrix)
        patch = geometry.warp(pixels, index_matrix, (side, side), border=cv2.BORDER_REPLICATE)
        near = max(face.box.width, face.box.height) * 0.5
        found = self._faces(_Look(patch, matrix, total))
        found = [other for other in found if math.dist(other.box.centre, face.box.centre) <= near]
        return max(found, key=lambda other: other.confidence, default=None)

    def _shrunk(self, pixels: Pixels, side: int) -> _Look:
        height, width = pixels.shape[:2]
        scale = min(1.0, side / max(width, height))
        if scale == 1.0:
            return _Look(pixels, np.array([[1.0, 0.0, 0.0], [0.0, 1.0, 0.0]]))
        part, (width, height) = geometry.halved(pixels, scale)
        size = (max(1, round(width * scale)), max(1, round(height * scale)))
        small = np.asarray(cv2.resize(part, size, interpolation=cv2.INTER_AREA), dtype=np.uint8)
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
                seen_pixels=float(max(candidates.boxes[index][2:])),
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


def _strongest(faces: list[FaceDetection]) -> float:
    return max((face.confidence for face in faces), default=0.0)


def _strength(face: FaceDetection | None) -> float:
    return face.confidence if face is not None else 0.0


def _wrapped(degrees: float) -> float:
    """``degrees`` as an angle from -180 to 180."""
    return (degrees + 180.0) % 360.0 - 180.0


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
