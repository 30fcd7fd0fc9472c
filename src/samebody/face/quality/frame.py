"""The normalised view of one face that all quality measures share, made once: aligned crop, luminance, masks, sizes."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property

import cv2
import numpy as np
from numpy.typing import NDArray

from samebody.face import geometry, topology
from samebody.face.results import FaceDetection, FaceMesh
from samebody.types import Image, Pixels

SIDE = 256
INTER_EYE = 80.0
EYE_ROW = 104.0
REC709 = np.array([0.2126, 0.7152, 0.0722], dtype=np.float32)

Plane = NDArray[np.float32]
Mask = NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class QualityFrame:
    """One face of one picture, with the geometry that measures need. Points are (x, y) in pixels.

    Attributes:
        image: the picture.
        detection: the face.
        mesh: its mesh; without it the five landmarks stand in for it, and measures that need it are not assessed.
        detections: all faces of the picture.
    """

    image: Image
    detection: FaceDetection
    mesh: FaceMesh | None
    detections: tuple[FaceDetection, ...]

    # ------------------------------------------------------------------------------------- in pixels of the picture

    @cached_property
    def right_eye(self) -> NDArray[np.float64]:
        """Middle between the corners of the subject's right eye."""
        return self._eye(topology.RIGHT_EYE_CORNERS, 0)

    @cached_property
    def left_eye(self) -> NDArray[np.float64]:
        """Middle between the corners of the subject's left eye."""
        return self._eye(topology.LEFT_EYE_CORNERS, 1)

    @cached_property
    def eye_middle(self) -> NDArray[np.float64]:
        """Middle between the eyes."""
        middle: NDArray[np.float64] = (self.right_eye + self.left_eye) / 2
        return middle

    @cached_property
    def inter_eye(self) -> float:
        """Distance between the eyes, divided by the cosine of yaw as the standard's inter-eye distance is."""
        distance = math.dist(self.right_eye, self.left_eye)
        return distance / max(0.2, math.cos(math.radians(self.mesh.yaw))) if self.mesh else distance

    @cached_property
    def eye_to_chin(self) -> float:
        """The standard's length T: from the middle between the eyes to the chin. Without a mesh 1.8 times the distance
        from the eyes to the mouth, which is what the mean head has."""
        if self.mesh is not None:
            return math.dist(self.eye_middle, self.mesh.points[topology.CHIN, :2])
        points = self.detection.landmark_array()
        return 1.8 * math.dist(self.eye_middle, points[3:].mean(axis=0))

    def _eye(self, corners: tuple[int, int], landmark: int) -> NDArray[np.float64]:
        if self.mesh is None:
            found: NDArray[np.float64] = self.detection.landmark_array()[landmark]
            return found
        middle: NDArray[np.float64] = self.mesh.points[list(corners), :2].astype(np.float64).mean(axis=0)
        return middle

    # ------------------------------------------------------------------------------ in the 256x256 normalised frame

    @cached_property
    def matrix(self) -> geometry.Matrix:
        """From the picture to the frame: eyes and mouth to fixed places, the eyes 80 pixels apart in row 104."""
        points = self.detection.landmark_array()
        mouth = points[3:].mean(axis=0)
        if self.mesh is not None:
            mouth = self.mesh.points[list(topology.MOUTH_CORNERS), :2].astype(np.float64).mean(axis=0)
        centre = SIDE / 2
        target = np.array(
            [[centre - INTER_EYE / 2, EYE_ROW], [centre + INTER_EYE / 2, EYE_ROW], [centre, EYE_ROW + 1.15 * INTER_EYE]]
        )
        return geometry.similarity(np.array([self.right_eye, self.left_eye, mouth]), target)

    @cached_property
    def pixels(self) -> Pixels:
        """(256, 256, 3) uint8 RGB."""
        matrix = geometry.corner_to_index(self.matrix)
        return geometry.warp(self.image.pixels, matrix, (SIDE, SIDE), border=cv2.BORDER_REPLICATE)

    @cached_property
    def luminance(self) -> Plane:
        """(256, 256) float32 luma 0-255, Rec. 709 weights on the coded values."""
        plane: Plane = self.pixels.astype(np.float32) @ REC709
        return plane

    @cached_property
    def points(self) -> NDArray[np.float64] | None:
        """(478, 2) mesh in the frame."""
        return None if self.mesh is None else geometry.apply(self.matrix, self.mesh.points[:, :2].astype(np.float64))

    @cached_property
    def face_mask(self) -> Mask:
        """The face outline (the standard's landmarked region) where it lies inside the picture."""
        mask = np.zeros((SIDE, SIDE), np.uint8)
        if self.points is not None:
            outline = cv2.convexHull(self.points[list(topology.FACE_OVAL)].astype(np.float32))
            cv2.fillConvexPoly(mask, np.round(outline).astype(np.int32), 1)
        else:
            centre = (SIDE // 2, round(EYE_ROW + 0.45 * INTER_EYE))
            cv2.ellipse(mask, centre, (round(0.95 * INTER_EYE), round(1.35 * INTER_EYE)), 0, 0, 360, 1, -1)
        return (mask > 0) & self.inside

    @cached_property
    def inside(self) -> Mask:
        """Where the frame shows the picture and not what lies beyond its edge."""
        whole = np.full((self.image.height, self.image.width), 255, np.uint8)
        matrix = geometry.corner_to_index(self.matrix)
        return np.asarray(cv2.warpAffine(whole, matrix, (SIDE, SIDE), flags=cv2.INTER_NEAREST)) > 0

    @cached_property
    def native_scale(self) -> float:
        """Pixels of the frame for each pixel of the picture; above 1 the frame is magnified."""
        return geometry.scale_of(self.matrix)

    def polygon(self, indices: tuple[int, ...], grow: float = 1.0) -> Mask:
        """The hull of mesh points, grown about its middle; empty without a mesh."""
        mask = np.zeros((SIDE, SIDE), np.uint8)
        if self.points is not None:
            chosen = self.points[list(indices)]
            middle = chosen.mean(axis=0)
            hull = cv2.convexHull((middle + (chosen - middle) * grow).astype(np.float32))
            cv2.fillConvexPoly(mask, np.round(hull).astype(np.int32), 1)
        return mask > 0

    def square(self, x: float, y: float, side: float) -> Mask:
        """An axis-aligned square about (x, y)."""
        mask = np.zeros((SIDE, SIDE), np.bool_)
        low_x, high_x = (round(max(0.0, min(SIDE, x + sign * side / 2))) for sign in (-1, 1))
        low_y, high_y = (round(max(0.0, min(SIDE, y + sign * side / 2))) for sign in (-1, 1))
        mask[low_y:high_y, low_x:high_x] = True
        return mask

    @cached_property
    def cheeks(self) -> tuple[Mask, Mask]:
        """The two zones below the eyes, right and left: squares of 0.3 eye distances, halfway from eyes to mouth."""
        row = EYE_ROW + 0.5 * 1.15 * INTER_EYE
        centre, side = SIDE / 2, 0.3 * INTER_EYE
        right = self.square(centre - INTER_EYE / 2, row, side) & self.inside
        left = self.square(centre + INTER_EYE / 2, row, side) & self.inside
        return right, left
