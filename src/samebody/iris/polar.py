"""Polar samples of a picture, shortest closed paths through them, and smooth contours from noisy radii."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Samples = NDArray[np.float32]


def sample(image: NDArray[np.generic], x: Floats | Samples, y: Floats | Samples) -> Samples:
    """Bilinear values of ``image`` (height, width) at points with the origin at the corner of the first pixel.

    Outside the picture the nearest pixel of its edge stands in. Result: float32 of the shape of ``x``.
    """
    values: Samples = cv2.remap(
        image,
        np.asarray(x - 0.5, dtype=np.float32),
        np.asarray(y - 0.5, dtype=np.float32),
        cv2.INTER_LINEAR,
        borderMode=cv2.BORDER_REPLICATE,
    ).astype(np.float32, copy=False)
    return values


def directions(count: int) -> tuple[Floats, Floats]:
    """Cosine and sine of ``count`` angles from 0, evenly over the circle."""
    angles = np.arange(count) * (2 * np.pi / count)
    return np.cos(angles), np.sin(angles)


def polar(
    image: NDArray[np.generic], centre: tuple[float, float], radii: Floats, angles: int
) -> tuple[Samples, NDArray[np.bool_]]:
    """(angles, len(radii)) samples around ``centre`` and whether each lies inside the picture."""
    cosine, sine = directions(angles)
    x = centre[0] + cosine[:, None] * radii
    y = centre[1] + sine[:, None] * radii
    height, width = image.shape
    return sample(image, x, y), (x >= 0) & (x <= width) & (y >= 0) & (y <= height)


def closed_path(cost: Samples) -> NDArray[np.intp]:
    """Column of each row of ``cost`` (rows, columns) on a cheapest path that moves by at most one column a row.

    The path closes: dynamic programming runs over the rows twice and the second turn is kept, in which the first
    row is entered from the last one (up to ties, and up to a jump of one column where both turns disagree).
    """
    rows, columns = cost.shape
    total = cost[0].astype(np.float32).copy()
    steps = np.empty((2 * rows, columns), dtype=np.int8)
    padded = np.full(columns + 2, np.inf, dtype=np.float32)
    choice = np.empty((3, columns), dtype=np.float32)
    for row in range(1, 2 * rows):
        padded[1:-1] = total
        choice[0] = padded[1:-1]
        choice[1] = padded[:-2]
        choice[2] = padded[2:]
        best = choice.argmin(axis=0)
        steps[row] = best
        total = np.minimum(np.minimum(choice[0], choice[1]), choice[2]) + cost[row % rows]
    move = (0, -1, 1)
    column = int(total.argmin())
    path = np.empty(2 * rows, dtype=np.intp)
    for row in range(2 * rows - 1, -1, -1):
        path[row] = column
        if row:
            column += move[steps[row, column]]
    half = rows // 2
    return np.concatenate((path[rows : rows + half], path[half:rows]))


def open_path(cost: Samples) -> NDArray[np.intp]:
    """As :func:`closed_path`, for a path from the first row to the last that need not close."""
    rows, columns = cost.shape
    total = cost[0].astype(np.float32).copy()
    steps = np.zeros((rows, columns), dtype=np.int8)
    padded = np.full(columns + 2, np.inf, dtype=np.float32)
    for row in range(1, rows):
        padded[1:-1] = total
        choice = np.stack((padded[1:-1], padded[:-2], padded[2:]))
        steps[row] = choice.argmin(axis=0)
        total = choice.min(axis=0) + cost[row]
    move = (0, -1, 1)
    column = int(total.argmin())
    path = np.empty(rows, dtype=np.intp)
    for row in range(rows - 1, -1, -1):
        path[row] = column
        column += move[steps[row, column]]
    return path


def fourier_basis(count: int, order: int) -> Floats:
    """(count, 1 + 2 order) columns 1, cos t, sin t, cos 2t, sin 2t ... over the circle."""
    angles = np.arange(count) * (2 * np.pi / count)
    columns = [np.ones(count)]
    for k in range(1, order + 1):
        columns += [np.cos(k * angles), np.sin(k * angles)]
    return np.stack(columns, axis=1)


def smooth_radii(
    radii: Floats, weights: Floats, order: int, *, stiffness: float, scale: float, rounds: int = 5
) -> tuple[Floats, Floats]:
    """Radii of a smooth contour through noisy ones: a Fourier series fitted with Tukey's biweight.

    After Daugman, "New methods in iris recognition", IEEE TSMC-B 37(5), 2007 (active contours from a truncated
    Fourier series), with a ridge that grows with the square of the order, so that gaps fall back to a circle.

    Args:
        radii: (n,) measured radii.
        weights: (n,) at least 0; 0 leaves a radius out.
        order: highest harmonic kept.
        stiffness: ridge on harmonic k is ``stiffness * k^4 * sum(weights)``, from 2 on; a hundredth of it on 1.
        scale: residual, in the unit of ``radii``, beyond 3 of which a radius no longer counts (at least).
        rounds: of reweighting.

    Returns:
        (n,) fitted radii, and (n,) final weights in 0-1 (the biweight alone).
    """
    basis = fourier_basis(len(radii), order)
    harmonic = np.concatenate(([0.0], np.repeat(np.arange(1, order + 1), 2)))
    total = weights.sum() + 1e-9
    ridge = np.where(harmonic >= 2, harmonic**4, 0.01 * harmonic) * stiffness * total
    robust = np.ones(len(radii))
    start = float(np.median(radii[weights > 0])) if (weights > 0).any() else float(np.median(radii))
    fitted = np.full(len(radii), start)
    for turn in range(rounds):
        active = weights * robust
        normal = basis.T @ (active[:, None] * basis) + np.diag(ridge + 1e-9)
        offset = basis.T @ (active * (radii - start))
        fitted = start + basis @ np.linalg.solve(normal, offset)
        residual = np.abs(radii - fitted)
        spread = max(scale, 1.4826 * float(np.median(residual[weights > 0])) if (weights > 0).any() else scale)
        cut = (6.0 if turn == 0 else 4.0) * spread
        robust = np.where(residual < cut, (1 - (residual / cut) ** 2) ** 2, 0.0)
    return fitted, robust
