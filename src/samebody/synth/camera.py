"""A pinhole camera above a flat page: the homography from millimetres on the page to pixels of the photograph."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from samebody.types import Point

Matrix = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Pose:
    """How the page lies before the camera.

    Attributes:
        rotation_degrees: turn in the picture plane, clockwise as seen on the photograph.
        tilt_degrees: angle between the page's normal and the optical axis.
        tilt_azimuth_degrees: direction in the picture plane towards which the page falls away.
        focal_ratio: focal length over the longer side of the photograph (0.72 is a phone's main camera).
    """

    rotation_degrees: float
    tilt_degrees: float
    tilt_azimuth_degrees: float
    focal_ratio: float


@dataclass(frozen=True, slots=True)
class View:
    """A solved camera.

    Attributes:
        homography: 3x3, millimetres on the page to photograph pixels (origin at the outer corner of the first pixel).
        width, height: photograph size in pixels.
        distance_mm: from the lens to the page's centre.
        focal_px: focal length in pixels.
        page_share: share of the photograph's area that is page.
    """

    homography: Matrix
    width: int
    height: int
    distance_mm: float
    focal_px: float
    page_share: float


def project(homography: Matrix, points: NDArray[np.float64]) -> NDArray[np.float64]:
    """``points`` (n, 2) through ``homography``."""
    lifted = np.column_stack([points, np.ones(len(points))]) @ homography.T
    return np.asarray(lifted[:, :2] / lifted[:, 2:])


def project_polygon(homography: Matrix, polygon: tuple[Point, ...]) -> tuple[Point, ...]:
    """A polygon through ``homography``, as plain tuples."""
    return tuple((float(x), float(y)) for x, y in project(homography, np.array(polygon, np.float64)))


def polygon_area(points: NDArray[np.float64]) -> float:
    """Area of a simple polygon (n, 2) by the shoelace formula."""
    x, y = points[:, 0], points[:, 1]
    return 0.5 * abs(float(np.dot(x, np.roll(y, -1)) - np.dot(y, np.roll(x, -1))))


def _rotation(pose: Pose) -> Matrix:
    turn, tilt, azimuth = (
        math.radians(v) for v in (pose.rotation_degrees, pose.tilt_degrees, pose.tilt_azimuth_degrees)
    )

    def about_axis(angle: float) -> Matrix:
        return np.array([[math.cos(angle), -math.sin(angle), 0], [math.sin(angle), math.cos(angle), 0], [0, 0, 1]])

    about_x = np.array([[1, 0, 0], [0, math.cos(tilt), -math.sin(tilt)], [0, math.sin(tilt), math.cos(tilt)]])
    return np.asarray(about_axis(azimuth) @ about_x @ about_axis(-azimuth) @ about_axis(turn))


def _plane_to_image(rotation: Matrix, centre_mm: Point, distance: float, focal: float) -> Matrix:
    """Page millimetres to image coordinates about the principal point; the optical axis meets the page's centre."""
    move = np.array([[1, 0, -centre_mm[0]], [0, 1, -centre_mm[1]], [0, 0, 1.0]])
    pose = np.column_stack([rotation[:, 0], rotation[:, 1], [0, 0, distance]])
    return np.asarray(np.diag([focal, focal, 1.0]) @ pose @ move)


def _segment_length(homography: Matrix, segment: NDArray[np.float64]) -> float:
    ends = project(homography, segment)
    return float(np.hypot(*(ends[1] - ends[0])))


def solve(
    page_mm: tuple[float, float],
    pose: Pose,
    *,
    segment_mm: NDArray[np.float64],
    segment_px: float,
    page_share: float,
    aspect: float,
    offset: tuple[float, float],
    margin_px: float = 8.0,
) -> View:
    """The camera that sees ``segment_mm`` (2 points on the page) with a length of ``segment_px`` pixels.

    The photograph is as large as ``page_share`` asks, with ``aspect`` (longer over shorter side), as far as the whole
    page with a margin fits; a smaller share is always possible, a larger one is cut to what the page's outline allows.
    ``offset`` (-1 to 1 in x and y) places the page within the room that is left. Focal length and size depend on each
    other, so they are solved in turn until the size stays.
    """
    width_mm, height_mm = page_mm
    corners = np.array([[0, 0], [width_mm, 0], [width_mm, height_mm], [0, height_mm]], np.float64)
    centre = (width_mm / 2, height_mm / 2)
    rotation = _rotation(pose)
    scale = segment_px / float(np.hypot(*(segment_mm[1] - segment_mm[0])))
    longer = math.sqrt(width_mm * height_mm * scale**2 / page_share * aspect)
    homography, size, distance = np.eye(3), (0, 0), 1.0
    for _ in range(12):
        focal = pose.focal_ratio * longer
        distance = focal / scale
        for _ in range(25):  # the length falls almost as 1/distance, so this converges in a few steps
            homography = _plane_to_image(rotation, centre, distance, focal)
            length = _segment_length(homography, segment_mm)
            distance *= length / segment_px
            if abs(length - segment_px) < 1e-9 * segment_px:
                break
        outline = project(homography, corners)
        size = _frame(outline, page_share, aspect, margin_px)
        if max(size) == round(longer):
            break
        longer = 0.5 * longer + 0.5 * max(size)
    low, high = outline.min(axis=0), outline.max(axis=0)
    room = np.array(size) - (high - low) - 2 * margin_px
    shift = margin_px - low + np.maximum(room, 0) * (np.array(offset) + 1) / 2
    homography = np.array([[1, 0, shift[0]], [0, 1, shift[1]], [0, 0, 1.0]]) @ homography
    share = polygon_area(outline) / (size[0] * size[1])
    return View(homography, size[0], size[1], distance, pose.focal_ratio * longer, share)


def _frame(outline: NDArray[np.float64], page_share: float, aspect: float, margin: float) -> tuple[int, int]:
    """Width and height of the photograph around ``outline``."""
    need = outline.max(axis=0) - outline.min(axis=0) + 2 * margin
    area = max(polygon_area(outline) / page_share, float(need[0] * need[1]))
    longer, shorter = math.sqrt(area * aspect), math.sqrt(area / aspect)
    width, height = (longer, shorter) if need[0] >= need[1] else (shorter, longer)
    if width < need[0]:  # keep the area as far as the outline allows, give up the aspect
        width, height = need[0], max(area / need[0], need[1])
    if height < need[1]:
        width, height = max(area / need[1], need[0]), need[1]
    return math.ceil(width), math.ceil(height)
