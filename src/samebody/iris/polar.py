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
    """Column of each row of ``cost`` (rows, columns) on a cheap closed path that moves by at most one column a row.

    Dynamic programming runs over an open stretch that begins and ends 24 rows beyond the seam, and the circle in
    its middle is kept: by then the free ends no longer matter (up to ties and a small jump at the seam).
    """
    rows = cost.shape[0]
    extra = min(rows, 24)
    path = open_path(np.concatenate((cost[rows - extra :], cost, cost[:extra])))
    return path[extra : extra + rows]


def open_path(cost: Samples) -> NDArray[np.intp]:
    """Column of each row of ``cost`` (rows, columns) on a cheapest path that moves by at most one column a row."""
    rows, columns = cost.shape
    total = cost[0].astype(np.float32).copy()
    steps = np.zeros((rows, columns), dtype=np.int8)
    padded = np.full(columns + 2, np.inf, dtype=np.float32)
    choice = np.empty((3, columns), dtype=np.float32)
    for row in range(1, rows):
        padded[1:-1] = total
        choice[0] = padded[1:-1]
        choice[1] = padded[:-2]
        choice[2] = padded[2:]
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
        scale: residual, in the unit of ``radii``, beyond 4 of which (at least) a radius no longer counts.
        rounds: of reweighting.

    Returns:
        (n,) fitted radii, and (n,) final weights in 0-1 (the biweight alone).
    """
    basis = fourier_basis(len(radii), order)
    harmonic = np.concatenate(([0.0], np.repeat(np.arange(1, order + 1), 2)))
    total = weights.sum() + 1e-9
    ridge = np.where(harmonic >= 2, harmonic**4, 0.01 * harmonic) * stiffness * total
    counted = radii[weights > 0] if (weights > 0).any() else radii
    start = float(np.median(counted))
    # A lid is a long stretch of outliers: what lies far from the median must not shape the first fit.
    cut = 5.0 * max(2.0 * scale, 1.4826 * float(np.median(np.abs(counted - start))))
    robust = np.clip(1 - ((radii - start) / cut) ** 2, 0.0, None) ** 2
    fitted = np.full(len(radii), start)
    for _ in range(rounds):
        active = weights * robust
        normal = basis.T @ (active[:, None] * basis) + np.diag(ridge + 1e-9)
        offset = basis.T @ (active * (radii - start))
        fitted = start + basis @ np.linalg.solve(normal, offset)
        residual = np.abs(radii - fitted)
        spread = max(scale, 1.4826 * float(np.median(residual[weights > 0])) if (weights > 0).any() else scale)
        cut = 4.0 * spread
        robust = np.where(residual < cut, (1 - (residual / cut) ** 2) ** 2, 0.0)
    return fitted, robust
