"""Head pose from the mesh: a rigid fit of a symmetric reference head to the points that expression hardly moves."""

from __future__ import annotations

import json
import math
from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from samebody.face.topology import MIDLINE, MIRROR_PAIRS

POSE_POINTS: tuple[int, ...] = (*(index for pair in MIRROR_PAIRS for index in pair), *MIDLINE)
_REFERENCE = Path(__file__).parent / "pose_reference.json"


def head_pose(points: NDArray[np.floating]) -> tuple[float, float, float]:
    """Yaw, pitch and roll in degrees, each in -180..180, of a (478, 3) mesh in pixels (z negative toward the camera).

    Signs as in ISO/IEC 39794-5: yaw positive to the subject's own left, pitch positive downward, roll positive toward
    the subject's right shoulder. The rotation is ``Rz(roll) Ry(yaw) Rx(pitch)``: turning the picture adds to roll and
    leaves the rest alone. Zero pitch is that of the reference head (see :func:`reference_head`). Weak perspective is
    assumed, which overstates yaw and pitch of a face closer than about 40 cm by a few degrees.
    """
    seen = points[list(POSE_POINTS)].astype(np.float64) * np.array([1.0, -1.0, -1.0])
    rotation = rigid_rotation(reference_head(), seen)
    yaw = -math.asin(max(-1.0, min(1.0, float(rotation[2, 0]))))
    roll = math.atan2(float(rotation[1, 0]), float(rotation[0, 0]))
    pitch = math.atan2(float(rotation[2, 1]), float(rotation[2, 2]))
    return math.degrees(yaw), math.degrees(pitch), math.degrees(roll)


def rigid_rotation(source: NDArray[np.float64], target: NDArray[np.float64]) -> NDArray[np.float64]:
    """The (3, 3) rotation of the least-squares similarity from ``source`` to ``target``, both (n, 3).

    Kabsch, "A solution for the best rotation to relate two sets of vectors", Acta Cryst. A32, 1976.
    """
    covariance = (target - target.mean(axis=0)).T @ (source - source.mean(axis=0))
    u, _, vt = np.linalg.svd(covariance)
    signs = np.diag([1.0, 1.0, float(np.sign(np.linalg.det(u @ vt)))])
    rotation: NDArray[np.float64] = u @ signs @ vt
    return rotation


@cache
def reference_head() -> NDArray[np.float64]:
    """(n, 3) float64 reference positions of :data:`POSE_POINTS`: x to the right in the picture, y up, z to the camera.

    The mean of several thousand meshes after generalised Procrustes alignment, made exactly mirror-symmetric, in
    units of the distance between the outer eye corners. ``benchmarks/face_reference.py`` makes the file.
    """
    stored = json.loads(_REFERENCE.read_text(encoding="utf-8"))
    by_index = {int(index): point for index, point in stored["points"].items()}
    return np.array([by_index[index] for index in POSE_POINTS], dtype=np.float64)
