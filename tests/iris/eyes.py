"""Pictures of synthetic eyes and what is measured on them, for the tests of the stages."""

from __future__ import annotations

from functools import cache

import numpy as np
from numpy.typing import NDArray

from samebody.iris.results import Boundary
from samebody.synth.iris import CaptureConditions, SyntheticEye, capture_eye, draw_identity

PLAIN = CaptureConditions(width=320, height=240, radius=60.0, centre=(165.0, 122.0), lashes=0.3)


@cache
def synthetic(person: int = 1, capture: int = 0, conditions: CaptureConditions = PLAIN) -> SyntheticEye:
    return capture_eye(draw_identity(20, person), capture, conditions)


def radial_error(found: Boundary, truth: NDArray[np.float64], visible: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Distances of the true contour's visible points to the found polygon, in pixels."""
    dense = np.concatenate([np.linspace(a, b, 8) for a, b in zip(found.points, np.roll(found.points, -1, axis=0))])
    distance = np.hypot(*(truth[:, None] - dense[None]).transpose(2, 0, 1)).min(axis=1)
    return distance[visible]


def between_lids(eye: SyntheticEye, points: NDArray[np.float64], margin: float = 3.0) -> NDArray[np.bool_]:
    x, y = points[:, 0], points[:, 1]
    upper = np.interp(x, eye.truth.upper_lid[:, 0], eye.truth.upper_lid[:, 1])
    lower = np.interp(x, eye.truth.lower_lid[:, 0], eye.truth.lower_lid[:, 1])
    return (y > upper + margin) & (y < lower - margin)
