"""The mesh's points as outlines and triangles, and pictures warped between two meshes.

Points are numbered as MediaPipe documents its face mesh; the caller brings them.
"""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.spatial import Delaunay, QhullError

from samebody.synth.attacks.light import Light, Plane
from samebody.synth.attacks.record import AttackInputError

Points = NDArray[np.float64]

OVAL = (
    *(10, 338, 297, 332, 284, 251, 389, 356, 454, 323, 361, 288, 397, 365, 379, 378, 400, 377),
    *(152, 148, 176, 149, 150, 136, 172, 58, 132, 93, 234, 127, 162, 21, 54, 103, 67, 109),
)
RIGHT_EYE = (33, 7, 163, 144, 145, 153, 154, 155, 133, 173, 157, 158, 159, 160, 161, 246)
LEFT_EYE = (263, 249, 390, 373, 374, 380, 381, 382, 362, 398, 384, 385, 386, 387, 388, 466)
LIPS = (61, 185, 40, 39, 37, 0, 267, 269, 270, 409, 291, 375, 321, 405, 314, 17, 84, 181, 91, 146)
RIGHT_BROW = (70, 63, 105, 66, 107, 55, 65, 52, 53, 46)
LEFT_BROW = (300, 293, 334, 296, 336, 285, 295, 282, 283, 276)
NOSE = (168, 6, 197, 195, 5, 4, 1, 2, 98, 327, 129, 358, 48, 278, 115, 344)
CHEEKS = (50, 280, 205, 425, 117, 346, 187, 411, 207, 427, 214, 434, 9, 8, 151, 18, 200, 199, 175, 69, 299)
NOSE_OUTLINE = (168, 193, 114, 217, 198, 49, 48, 64, 98, 97, 2, 326, 327, 294, 278, 279, 420, 437, 343, 417)
UPPER_FACE = (
    *(127, 162, 21, 54, 103, 67, 109, 10, 338, 297, 332, 284, 251, 389, 356, 454),
    *(346, 280, 278, 4, 48, 50, 117, 234),
)
LOWER_FACE = (
    *(234, 93, 132, 58, 172, 136, 150, 149, 176, 148, 152, 377, 400, 378, 379, 365, 397, 288, 361, 323, 454),
    *(280, 278, 4, 48, 50),
)

ANCHORS = tuple(dict.fromkeys((*OVAL, *RIGHT_EYE, *LEFT_EYE, *LIPS, *RIGHT_BROW, *LEFT_BROW, *NOSE, *CHEEKS)))
"""The points that carry a warp: all outlines and some between; more would add triangles of a pixel or two."""


WORST_FIT = 0.13
"""Largest :func:`misfit` that is warped; random pairs of portraits stay below it in about 19 of 20 cases."""


def misfit(first: Points, second: Points) -> float:
    """How differently two faces are turned: what is left between their meshes after the best similarity.

    Root mean square over the anchors, as a share of the first face's size; 0.03 is the same pose, 0.15 profile against
    front.
    """
    a, b = first[list(ANCHORS)], second[list(ANCHORS)]
    affine = fitted_affine(b, a, shear=False)
    away = a - (b @ affine[:, :2].T + affine[:, 2])
    return float(np.sqrt(np.square(away).sum(axis=1).mean())) / face_size(first)


def require_fit(first: Points, second: Points) -> None:
    """Refuse two faces that are turned too differently.

    Raises:
        AttackInputError: :func:`misfit` beyond :data:`WORST_FIT`.
    """
    if (found := misfit(first, second)) > WORST_FIT:
        raise AttackInputError(
            f"the two faces are turned too differently to be warped on each other ({found:.2f} > {WORST_FIT}).",
            hint="Choose a partner with samebody.synth.attacks.misfit.",
        )


def polygon_mask(points: Points, shape: tuple[int, int], feather: float = 0.0) -> Plane:
    """0-1 inside the polygon and up to a pixel outside; ``feather`` softens the edge (a deviation in pixels)."""
    mask = np.zeros(shape, np.uint8)
    cv2.fillPoly(mask, [np.rint((points - 0.5) * 16).astype(np.int32)], 255, lineType=cv2.LINE_AA, shift=4)
    out = mask.astype(np.float32) / 255
    if feather > 0.05:
        out = cv2.GaussianBlur(out, (0, 0), feather)
    return np.asarray(out, np.float32)


def grown(points: Points, factor: float) -> Points:
    """The polygon scaled about its centre."""
    centre = points.mean(axis=0)
    return np.asarray(centre + (points - centre) * factor)


def face_size(points: Points) -> float:
    """Square root of the face's area: height by width of the oval's box."""
    low, high = points[list(OVAL)].min(axis=0), points[list(OVAL)].max(axis=0)
    return float(np.sqrt(max(np.prod(high - low), 1.0)))


def frame_points(shape: tuple[int, int]) -> Points:
    """Corners and middles of a picture's edges: they hold the background when a whole picture is warped."""
    height, width = shape
    return np.array(
        [(x, y) for y in (0, height / 2, height) for x in (0, width / 2, width) if (x, y) != (width / 2, height / 2)],
        np.float64,
    )


def triangles(points: Points) -> NDArray[np.int32]:
    """(m, 3) Delaunay triangles.

    Raises:
        AttackInputError: the points lie on a line.
    """
    try:
        return np.asarray(Delaunay(points).simplices, np.int32)
    except QhullError:
        raise AttackInputError("the mesh is flat.", hint="Leave this picture out.") from None


def warp_maps(
    target: Points, origin: Points, simplices: NDArray[np.int32], shape: tuple[int, int]
) -> tuple[Plane, Plane, Plane]:
    """Where each pixel of the target comes from, affine in each triangle.

    Args:
        target, origin: (n, 2) matching points, origin at the outer corner of the first pixel.
        simplices: (m, 3) triangles, of either.
        shape: height and width of the target.

    Returns:
        x and y in the origin picture, and 1 where a triangle lies, 0 outside.
    """
    corners = target[simplices]
    edges = np.concatenate([corners, np.ones((len(simplices), 3, 1))], axis=2)
    flat = np.abs(np.linalg.det(edges)) < 1e-3
    edges[flat] = np.eye(3)
    matrices = np.linalg.solve(edges, origin[simplices])  # (m, 3, 2): [x y 1] @ matrix = origin
    index = np.zeros(shape, np.int32)
    fixed = np.rint((corners - 0.5) * 16).astype(np.int32)
    for number in np.flatnonzero(~flat):
        cv2.fillConvexPoly(index, fixed[number], int(number) + 1, lineType=cv2.LINE_8, shift=4)
    inside = index > 0
    table = np.concatenate([np.zeros((1, 3, 2)), matrices]).astype(np.float32)
    x = np.arange(shape[1], dtype=np.float32)[None, :] + np.float32(0.5)
    y = np.arange(shape[0], dtype=np.float32)[:, None] + np.float32(0.5)
    chosen = table.reshape(-1, 6)
    maps = [
        np.take(chosen[:, axis], index) * x
        + np.take(chosen[:, 2 + axis], index) * y
        + np.take(chosen[:, 4 + axis], index)
        for axis in (0, 1)
    ]
    return np.asarray(maps[0], np.float32), np.asarray(maps[1], np.float32), inside.astype(np.float32)


def warped(light: Light, maps: tuple[Plane, Plane, Plane]) -> Light:
    """``light`` through :func:`warp_maps`."""
    half = np.float32(0.5)
    out = cv2.remap(light, maps[0] - half, maps[1] - half, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT)
    return np.asarray(out, np.float32)


def fitted_affine(origin: Points, target: Points, *, shear: bool = True) -> NDArray[np.float64]:
    """(2, 3) least-squares affine map (or similarity) from ``origin`` to ``target``."""
    ones = np.ones(len(origin))
    if shear:
        design = np.column_stack([origin, ones])
        return np.asarray(np.linalg.lstsq(design, target, rcond=None)[0].T)
    x, y = origin[:, 0], origin[:, 1]
    zero = np.zeros(len(origin))
    design = np.vstack([np.column_stack([x, -y, ones, zero]), np.column_stack([y, x, zero, ones])])
    a, b, c, d = np.linalg.lstsq(design, np.concatenate([target[:, 0], target[:, 1]]), rcond=None)[0]
    return np.array([[a, -b, c], [b, a, d]])


def moved(light: Light, matrix: NDArray[np.float64], shape: tuple[int, int]) -> Light:
    """``light`` through an affine map of coordinates with the origin at the outer corner of the first pixel."""
    shift = np.array([[1, 0, 0.5], [0, 1, 0.5], [0, 0, 1.0]])
    full = np.linalg.inv(shift) @ np.vstack([matrix, [0, 0, 1.0]]) @ shift
    out = cv2.warpAffine(light, full[:2], shape[::-1], flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT)
    return np.asarray(out, np.float32)


def colour_like(light: Light, model: Light, weight: Plane, amount: float) -> Light:
    """``light`` with the mean and the spread of each channel of ``model`` under ``weight``.

    Reinhard et al., Color transfer between images (2001), on square-root light; ``amount`` 0-1.
    """
    total = max(float(weight.sum()), 1.0)
    own, theirs = np.sqrt(np.maximum(light, 0)), np.sqrt(np.maximum(model, 0))

    def moments(values: Light) -> tuple[NDArray[Any], NDArray[Any]]:
        mean = (values * weight[..., None]).sum(axis=(0, 1)) / total
        square = (np.square(values) * weight[..., None]).sum(axis=(0, 1)) / total
        return mean, np.sqrt(np.maximum(square - mean * mean, 1e-6))

    mean, spread = moments(own)
    goal, goal_spread = moments(theirs)
    gain = np.clip(goal_spread / spread, 0.5, 2.0)
    changed = (own - mean) * gain.astype(np.float32) + goal.astype(np.float32)
    mixed = own + np.float32(amount) * (changed - own)
    return np.asarray(np.square(np.clip(mixed, 0, 1)), np.float32)
