"""A second, independent generator of morphs and swapped faces: nothing is shared with samebody.synth.attacks.

It warps by thin-plate splines instead of triangles, blends displayed values instead of light, moves colours in CIELAB,
and pastes with OpenCV's own gradient cloning. It is never trained on; what was learnt from the first generator is
measured on it.

Thin-plate splines: F. Bookstein, IEEE TPAMI 11 (1989). Self-blended pictures (a face pasted back on itself):
K. Shiohara and T. Yamasaki, Detecting deepfakes with self-blended images, CVPR 2022.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from samebody.types import Pixels

Points = NDArray[np.float64]
Random = np.random.Generator

OUTLINE = (10, 297, 284, 389, 454, 361, 397, 379, 400, 152, 176, 150, 172, 132, 234, 162, 54, 67)
INNER = (33, 133, 159, 145, 263, 362, 386, 374, 70, 105, 107, 300, 334, 336, 1, 168, 98, 327, 61, 291, 0, 17, 13, 199)
CONTROL = (*OUTLINE, *INNER)
"""Points of the mesh that carry the spline."""


def spline(target: Points, origin: Points, shape: tuple[int, int]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Maps for cv2.remap: where each pixel of the target comes from; solved at points, drawn on every 4th pixel."""
    count = len(target)

    def kernel(a: Points, b: Points) -> NDArray[np.float64]:
        square = np.square(a[:, None] - b[None]).sum(axis=2)
        return np.asarray(0.5 * square * np.log(square + 1e-9))

    system = np.zeros((count + 3, count + 3))
    system[:count, :count] = kernel(target, target) + 0.5 * np.eye(count)
    system[:count, count:] = np.column_stack([np.ones(count), target])
    system[count:, :count] = system[:count, count:].T
    weights = np.linalg.solve(system, np.vstack([origin, np.zeros((3, 2))]))
    rows, columns = np.arange(0, shape[0] + 4, 4.0), np.arange(0, shape[1] + 4, 4.0)
    grid = np.stack(np.meshgrid(columns, rows), axis=2).reshape(-1, 2)
    design = np.column_stack([kernel(grid, target), np.ones(len(grid)), grid])
    coarse = (design @ weights).reshape(len(rows), len(columns), 2).astype(np.float32)
    y, x = np.mgrid[: shape[0], : shape[1]].astype(np.float32) / 4
    fine = cv2.remap(coarse, x, y, cv2.INTER_LINEAR)
    return fine[..., 0], fine[..., 1]


def _frame(shape: tuple[int, int]) -> Points:
    height, width = shape
    return np.array(
        [(x, y) for x in (0, width / 2, width) for y in (0, height / 2, height) if (x, y) != (width / 2, height / 2)]
    )


def _warped(pixels: Pixels, origin: Points, target: Points, shape: tuple[int, int]) -> NDArray[np.float32]:
    x, y = spline(target, origin, shape)
    return np.asarray(cv2.remap(pixels.astype(np.float32), x, y, cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE))


def _similar(points: Points, goal: Points) -> NDArray[np.float64]:
    matrix, _ = cv2.estimateAffinePartial2D(points, goal, method=cv2.LMEDS)
    return np.asarray(matrix)


def _hull(points: Points, shape: tuple[int, int], grown: float) -> NDArray[np.uint8]:
    centre = points.mean(axis=0)
    hull = cv2.convexHull((centre + grown * (points - centre)).astype(np.float32))
    mask = np.zeros(shape, np.uint8)
    cv2.fillConvexPoly(mask, np.rint(hull).astype(np.int32), 255)
    mask[:3], mask[-3:], mask[:, :3], mask[:, -3:] = 0, 0, 0, 0
    return mask


def _lab_like(face: NDArray[np.float32], around: Pixels, mask: NDArray[np.uint8], amount: float) -> NDArray[np.float32]:
    """Mean and deviation of each CIELAB channel under the mask moved toward those of ``around``."""
    own = cv2.cvtColor(np.clip(face, 0, 255) / np.float32(255), cv2.COLOR_RGB2LAB)
    goal = cv2.cvtColor(around.astype(np.float32) / 255, cv2.COLOR_RGB2LAB)
    inside = mask > 0
    mean, spread = own[inside].mean(axis=0), own[inside].std(axis=0) + 1e-3
    wanted, width = goal[inside].mean(axis=0), goal[inside].std(axis=0) + 1e-3
    moved = (own - mean) * np.clip(width / spread, 0.6, 1.6) + wanted
    mixed = own + amount * (moved - own)
    return np.asarray(255 * np.clip(cv2.cvtColor(mixed.astype(np.float32), cv2.COLOR_LAB2RGB), 0, 1))


def _soft(mask: NDArray[np.uint8], width: float) -> NDArray[np.float32]:
    return np.asarray(cv2.GaussianBlur(mask.astype(np.float32) / 255, (0, 0), max(width, 0.3)))[..., None]


def _bytes(values: NDArray[Any]) -> Pixels:
    return np.asarray(np.clip(np.rint(values), 0, 255), np.uint8)


def _both_on_mean(
    first: Pixels, one: Points, second: Pixels, two: Points, share: float
) -> tuple[NDArray[np.float32], NDArray[np.float32], Points]:
    shape = first.shape[:2]
    matrix = _similar(two, one)
    moved = cv2.warpAffine(second, matrix, shape[::-1], flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)
    placed = two @ matrix[:, :2].T + matrix[:, 2]
    mean, edge = (1 - share) * one + share * placed, _frame(shape)
    goal = np.vstack([mean, edge])
    return (
        _warped(first, np.vstack([one, edge]), goal, shape),
        _warped(moved, np.vstack([placed, edge]), goal, shape),
        mean,
    )


def morph_spline(first: Pixels, one: Points, second: Pixels, two: Points, random: Random) -> Pixels:
    """Both whole pictures on their mean shape, averaged as displayed values; the second fades out off the face."""
    share = random.uniform(0.3, 0.7)
    a, b, mean = _both_on_mean(first, one, second, two, share)
    mask = _hull(mean, first.shape[:2], random.uniform(0.95, 1.25))
    b = _lab_like(b, _bytes(a), mask, random.uniform(0.5, 1.0))
    weight = np.float32(share) * _soft(mask, random.uniform(4, 14))
    return _bytes(a + weight * (b - a))


def morph_clone(first: Pixels, one: Points, second: Pixels, two: Points, random: Random) -> Pixels:
    """The inner face of the average cloned by gradients into the picture of one of both."""
    share = random.uniform(0.3, 0.7)
    shape = first.shape[:2]
    edge = _frame(shape)
    matrix = _similar(two, one)
    moved = cv2.warpAffine(second, matrix, shape[::-1], flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)
    placed = two @ matrix[:, :2].T + matrix[:, 2]
    b = _warped(moved, np.vstack([placed, edge]), np.vstack([one, edge]), shape)
    mask = _hull(one, shape, random.uniform(0.86, 0.98))
    b = _lab_like(b, first, mask, random.uniform(0.6, 1.0))
    return _cloned(_bytes((1 - share) * first + share * b), first, mask)


def _cloned(face: Pixels, around: Pixels, mask: NDArray[np.uint8]) -> Pixels:
    x, y, width, height = cv2.boundingRect(mask)
    return np.asarray(
        cv2.seamlessClone(face, around, mask, (x + width // 2, y + height // 2), cv2.NORMAL_CLONE), np.uint8
    )


def swap_spline(first: Pixels, one: Points, second: Pixels, two: Points, random: Random) -> Pixels:
    """The second person's face on the first one's shape, colours moved in CIELAB, a soft convex mask."""
    shape, edge = first.shape[:2], _frame(first.shape[:2])
    far = _frame(second.shape[:2])
    face = _warped(second, np.vstack([two, far]), np.vstack([one, edge]), shape)
    mask = _hull(one, shape, random.uniform(0.85, 1.0))
    face = _lab_like(face, first, mask, random.uniform(0.5, 1.0))
    if random.random() < 0.5:
        face = np.asarray(cv2.GaussianBlur(face, (0, 0), random.uniform(0.4, 1.6)))
    return _bytes(first + _soft(mask, random.uniform(1, 9)) * (face - first))


def swap_clone(first: Pixels, one: Points, second: Pixels, two: Points, random: Random) -> Pixels:
    """The second person's face moved by a similarity only and cloned by gradients."""
    matrix = _similar(two, one)
    moved = cv2.warpAffine(second, matrix, first.shape[1::-1], flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)
    return _cloned(np.asarray(moved, np.uint8), first, _hull(one, first.shape[:2], random.uniform(0.85, 0.98)))


def swap_self(first: Pixels, one: Points, second: Pixels, two: Points, random: Random) -> Pixels:
    """The first person's own face, a little moved, scaled, recoloured and softened or sharpened, pasted back."""
    shape = first.shape[:2]
    centre = tuple(float(v) for v in one.mean(axis=0))
    matrix = cv2.getRotationMatrix2D(centre, random.uniform(-2, 2), random.uniform(0.97, 1.03))
    matrix[:, 2] += random.uniform(-3, 3, 2)
    face = cv2.warpAffine(first, matrix, shape[::-1], flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    values = face.astype(np.float32) * random.uniform(0.92, 1.08, 3).astype(np.float32)
    way = random.integers(0, 3)
    if way == 0:
        values = np.asarray(cv2.GaussianBlur(values, (0, 0), random.uniform(0.5, 1.5)))
    elif way == 1:
        part = random.uniform(0.4, 0.8)
        small = cv2.resize(values, None, fx=part, fy=part, interpolation=cv2.INTER_AREA)
        values = np.asarray(cv2.resize(small, shape[::-1], interpolation=cv2.INTER_CUBIC))
    else:
        values = np.asarray(values + random.uniform(0.3, 0.8) * (values - cv2.GaussianBlur(values, (0, 0), 1.2)))
    mask = _hull(one, shape, random.uniform(0.75, 1.0))
    weight = _soft(mask, random.uniform(1, 8)) * np.float32(random.choice([0.5, 0.75, 1.0]))
    return _bytes(first + weight * (values - first))


Maker = Callable[[Pixels, Points, Pixels, Points, Random], Pixels]
MORPHS: dict[str, Maker] = {"second.spline": morph_spline, "second.clone": morph_clone}
SWAPS: dict[str, Maker] = {"second.spline": swap_spline, "second.clone": swap_clone, "second.self": swap_self}


def delivered(pixels: Pixels, random: Random, size: tuple[int, int] | None = None) -> tuple[Pixels, bytes]:
    """A file: scaled to ``size`` (height, width) and coded once or twice as JPEG; decoded pixels and bytes."""
    from samebody.capture import decode_image

    shown = pixels
    if random.random() < 0.4:
        shown = _coded(shown, int(random.integers(70, 97)))[0]
    if size is not None and size != shown.shape[:2]:
        way = cv2.INTER_AREA if size[0] < shown.shape[0] else cv2.INTER_CUBIC
        shown = np.asarray(cv2.resize(shown, size[::-1], interpolation=way), np.uint8)
    _, data = _coded(shown, int(random.integers(60, 97)))
    return decode_image(data).pixels, data


def _coded(pixels: Pixels, quality: int) -> tuple[Pixels, bytes]:
    done, data = cv2.imencode(".jpg", cv2.cvtColor(pixels, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, quality])
    if not done:
        raise ValueError("the picture cannot be coded")
    return cv2.cvtColor(cv2.imdecode(data, cv2.IMREAD_COLOR), cv2.COLOR_BGR2RGB), data.tobytes()
