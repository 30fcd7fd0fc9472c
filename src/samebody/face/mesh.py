"""The 478-point mesh and the 52 blendshapes, from the parts of MediaPipe's face landmarker.

The crop follows MediaPipe's documented graph: a square around the face, half as large again (25 % margin on each
side), turned so that the eyes are level, 256x256 RGB in 0-1. The network answers in pixels of that crop; the
blendshape network takes 146 of the points, in pixels of the picture.
"""

from __future__ import annotations

import math

import cv2
import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from samebody import stage
from samebody.face import geometry
from samebody.face.networks import BLENDSHAPES, LANDMARKS, FaceNetworks
from samebody.face.pose import head_pose
from samebody.face.results import FaceDetection, FaceMesh
from samebody.face.topology import BLENDSHAPE_NAMES, BLENDSHAPE_POINTS, LEFT_EYE_CORNERS, RIGHT_EYE_CORNERS
from samebody.types import Pixels

CROP_SIDE = 256
POINTS = 478


class FaceMesher(stage.Stage):
    """Fits the mesh to one detected face."""

    class Parameters(stage.Stage.Parameters):
        """How the crop is made and when a mesh is believed."""

        margin: float = Field(
            default=1.5, ge=1.0, le=3.0, description="side of the crop over the side of the face; MediaPipe's value"
        )
        passes: int = Field(
            default=2, ge=1, le=4, description="a further pass crops around the mesh of the one before, as in tracking"
        )
        presence: float = Field(default=0.5, ge=0.0, lt=1.0, description="least presence score; MediaPipe's default")

    parameters: Parameters

    def __init__(self, networks: FaceNetworks, **parameters: object) -> None:
        super().__init__(**parameters)
        self._networks = networks

    def fit(self, pixels: Pixels, detection: FaceDetection) -> FaceMesh | None:
        """The mesh of ``detection`` in ``pixels`` (H, W, 3) uint8 RGB; None when the model sees no face there."""
        side = max(detection.box.width, detection.box.height) * self.parameters.margin
        matrix = crop_matrix(detection.box.centre, side, detection.roll_degrees)
        points, presence = self.landmarks(pixels, matrix)
        for _ in range(self.parameters.passes - 1):
            if presence < self.parameters.presence:
                break
            matrix = self._crop_around(points)
            points, presence = self.landmarks(pixels, matrix)
        if presence < self.parameters.presence:
            return None
        yaw, pitch, roll = head_pose(points)
        return FaceMesh(points.astype(np.float32), self._blendshapes(points), yaw, pitch, roll, presence)

    def _crop_around(self, points: NDArray[np.float64]) -> geometry.Matrix:
        right, left = points[list(RIGHT_EYE_CORNERS), :2].mean(axis=0), points[list(LEFT_EYE_CORNERS), :2].mean(axis=0)
        roll = -math.degrees(math.atan2(left[1] - right[1], left[0] - right[0]))
        level, _ = geometry.turned(1, 1, -roll)
        flat = geometry.apply(level, points[:, :2])
        low, high = flat.min(axis=0), flat.max(axis=0)
        centre = geometry.apply(geometry.invert(level), (low + high) / 2)
        side = float((high - low).max()) * self.parameters.margin
        return crop_matrix((float(centre[0]), float(centre[1])), side, roll)

    def landmarks(self, pixels: Pixels, matrix: geometry.Matrix) -> tuple[NDArray[np.float64], float]:
        """(478, 3) points in pixels of the picture and the presence 0-1, of one crop drawn through ``matrix``."""
        crop = geometry.warp(
            pixels, geometry.corner_to_index(matrix), (CROP_SIDE, CROP_SIDE), border=cv2.BORDER_REPLICATE
        )
        outputs = self._networks.tflite(LANDMARKS, crop.astype(np.float32) / 255.0)
        raw = outputs[0].reshape(POINTS, 3).astype(np.float64)
        back = geometry.invert(matrix)
        points = np.hstack([geometry.apply(back, raw[:, :2]), raw[:, 2:] * geometry.scale_of(back)])
        logit = float(next(output for output in outputs[1:] if output.ndim == 4).ravel()[0])
        return points, 1.0 / (1.0 + math.exp(-max(-60.0, min(60.0, logit))))

    def _blendshapes(self, points: NDArray[np.float64]) -> dict[str, float]:
        chosen = points[BLENDSHAPE_POINTS, :2].astype(np.float32)
        values = self._networks.tflite(BLENDSHAPES, chosen[None])[0].ravel()
        return {name: float(value) for name, value in zip(BLENDSHAPE_NAMES, values, strict=True)}


def crop_matrix(centre: tuple[float, float], side: float, roll_degrees: float) -> geometry.Matrix:
    """The map from the picture to a 256x256 crop of a square with ``side`` pixels about ``centre`` that levels a face
    tilted by ``roll_degrees`` (counter-clockwise positive)."""
    angle = math.radians(-roll_degrees)
    scale = CROP_SIDE / max(side, 1e-6)
    linear = scale * np.array([[math.cos(angle), math.sin(angle)], [-math.sin(angle), math.cos(angle)]])
    shift = np.array([CROP_SIDE / 2, CROP_SIDE / 2]) - linear @ np.asarray(centre)
    return np.hstack([linear, shift[:, None]])
