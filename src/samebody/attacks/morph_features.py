"""What a differential morph check compares: two templates and the shapes of two heads, freed of their pose.

The shape is the mesh turned to the front and scaled to the reference head, as in the landmark checks of U. Scherhag et
al., "Detecting morphed face images using facial landmarks", ICISP 2018, and N. Damer et al., "Detecting face morphing
attacks by analyzing the directed distances of facial landmarks shifts", GCPR 2018; here in three dimensions.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from samebody.face.pose import POSE_POINTS, reference_head, rigid_rotation

SHAPE_POINTS = (
    *(10, 338, 297, 332, 284, 251, 389, 356, 454, 323, 361, 288, 397, 365, 379, 378, 400, 377),
    *(152, 148, 176, 149, 150, 136, 172, 58, 132, 93, 234, 127, 162, 21, 54, 103, 67, 109),
    *(33, 133, 159, 145, 263, 362, 386, 374, 70, 105, 107, 300, 334, 336, 168, 6, 197, 5, 4, 1, 2, 98, 327, 48, 278),
    *(61, 291, 0, 17, 37, 267, 84, 314, 50, 280, 117, 346, 205, 425, 199),
)
"""Points of the mesh whose places are compared: outline, eyes, brows, nose, mouth, cheeks."""
SHAPE_SIZE = 3 * len(SHAPE_POINTS)


def head_shape(points: NDArray[np.floating[Any]]) -> NDArray[np.float32]:
    """The shape of a head: (:data:`SHAPE_SIZE`,) float32, seen from the front, in distances between the outer eye
    corners; the least-squares similarity to the reference head takes away place, size and pose.

    Args:
        points: (478, 3) mesh in pixels, z negative toward the camera.
    """
    seen = points.astype(np.float64) * np.array([1.0, -1.0, -1.0])
    head = reference_head()
    fixed = seen[list(POSE_POINTS)]
    rotation = rigid_rotation(head, fixed)
    flat = (fixed - fixed.mean(axis=0)) @ rotation  # rows times R = R^T applied: back to the front
    centred = head - head.mean(axis=0)
    scale = float((flat * centred).sum() / max(float((flat * flat).sum()), 1e-12))
    shape = (seen[list(SHAPE_POINTS)] - fixed.mean(axis=0)) @ rotation * scale
    return np.asarray(shape.ravel(), np.float32)
