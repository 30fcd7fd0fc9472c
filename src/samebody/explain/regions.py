"""Parts of a face by its five landmarks, so that a map can be told in words."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import ArrayLike, NDArray

from samebody.explain.errors import ExplainInputError

BACKGROUND = "background"
REGIONS = ("eyes", "nose", "mouth", "forehead", "cheeks and chin", BACKGROUND)
"""Names, in the order in which they claim pixels; every pixel belongs to exactly one."""


def face_regions(shape: tuple[int, int], landmarks: ArrayLike) -> Mapping[str, NDArray[np.bool_]]:
    """Which pixel belongs to which part of the face.

    The face's own frame has its origin between the eyes, one axis along them, the other toward the mouth; the unit is
    the distance of the eyes across, and 1 / 1.15 of the distance from eyes to mouth down, so that turned and
    foreshortened faces keep their parts. Sizes of the parts are anthropometric rules of thumb, not segmentation.

    Args:
        shape: (height, width) of the picture.
        landmarks: (5, 2) x, y: two eyes, nose tip, two mouth corners; pixels, origin at the corner of the first pixel.

    Returns:
        One (height, width) mask for each of :data:`REGIONS`, disjoint, together the whole picture.

    Raises:
        ExplainInputError: not five finite points, or eyes in one place.
    """
    points = np.asarray(landmarks, dtype=np.float64)
    if points.shape != (5, 2) or not np.isfinite(points).all():
        raise ExplainInputError(f"a face has five landmarks (5, 2), got {points.shape}.")
    left, right, nose, mouth_left, mouth_right = points
    eyes, mouth = (left + right) / 2, (mouth_left + mouth_right) / 2
    across, down = right - left, (mouth - eyes) / 1.15
    determinant = float(across[0] * down[1] - across[1] * down[0])
    if abs(determinant) < 1e-6:
        raise ExplainInputError("the landmarks lie on one line.", hint="The face is turned too far to name its parts.")
    height, width = shape
    y, x = np.mgrid[0:height, 0:width] + 0.5
    u = ((x - eyes[0]) * down[1] - (y - eyes[1]) * down[0]) / determinant
    v = (across[0] * (y - eyes[1]) - across[1] * (x - eyes[0])) / determinant

    def frame(point: NDArray[np.float64]) -> tuple[float, float]:
        dx, dy = point - eyes
        return (
            float((dx * down[1] - dy * down[0]) / determinant),
            float((across[0] * dy - across[1] * dx) / determinant),
        )

    def ellipse(centre: tuple[float, float], half: tuple[float, float]) -> NDArray[np.bool_]:
        return np.asarray(((u - centre[0]) / half[0]) ** 2 + ((v - centre[1]) / half[1]) ** 2 <= 1)

    nose_u, nose_v = frame(nose)
    half_mouth = max(0.5 * abs(frame(mouth_right)[0] - frame(mouth_left)[0]), 0.2) + 0.12
    face = ellipse((0.0, 0.42), (1.15, 1.55))
    # the nose reaches from between the eyes to just below its tip and is wider there
    along = np.clip((v - 0.15) / max(nose_v - 0.15, 0.1), 0, 1)
    parts = {
        "eyes": ellipse((-0.5, 0.0), (0.36, 0.24)) | ellipse((0.5, 0.0), (0.36, 0.24)),
        "nose": (np.abs(u - nose_u * along) <= 0.12 + 0.2 * along) & (v >= 0.1) & (v <= nose_v + 0.2),
        "mouth": ellipse((frame(mouth)[0], 1.15), (half_mouth, 0.28)),
        "forehead": face & (v < -0.3),
        "cheeks and chin": face,
        BACKGROUND: np.ones(shape, dtype=bool),
    }
    taken = np.zeros(shape, dtype=bool)
    result = {}
    for name in REGIONS:
        result[name] = parts[name] & ~taken
        taken |= parts[name]
    return result
