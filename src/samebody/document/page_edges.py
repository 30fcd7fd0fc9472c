"""Find the straight edges of a page near where they are expected: the MRZ says roughly where each one must be."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from samebody.types import Pixels

Vector = NDArray[np.floating[Any]]

_SAMPLES = 40
_STEPS = 27


@dataclass(frozen=True, slots=True, eq=False)
class Edge:
    """A straight edge: ``start`` and ``end`` (2,) in pixels, and how far it stands out of its surroundings."""

    start: Vector
    end: Vector
    strength: float


def gradient_planes(pixels: Pixels) -> NDArray[np.float32]:
    """x and y derivatives of lightness and colour, (3, 2, height, width) float32, of a slightly smoothed picture."""
    lab = cv2.cvtColor(cv2.GaussianBlur(pixels, (0, 0), 1.0), cv2.COLOR_RGB2LAB).astype(np.float32)
    planes = [
        np.stack([cv2.Sobel(channel, cv2.CV_32F, 1, 0), cv2.Sobel(channel, cv2.CV_32F, 0, 1)])
        for channel in cv2.split(lab)
    ]
    result: NDArray[np.float32] = np.stack(planes).astype(np.float32) / np.float32(8.0)
    return result


@cache
def _line_table() -> NDArray[np.float32]:
    """Means along every line as one matrix, (steps * steps, samples * steps).

    A line is a pair of offsets (a at its start, b at its end); its row holds the linear interpolation weights of the
    sampled offsets it runs through, over the number of samples.
    """
    fractions = np.linspace(0.06, 0.94, _SAMPLES)
    a, b = (grid.ravel() for grid in np.meshgrid(np.arange(_STEPS), np.arange(_STEPS), indexing="ij"))
    position = a[:, None] + (b - a)[:, None] * fractions
    low = np.floor(position).astype(int).clip(0, _STEPS - 2)
    weight = position - low
    table = np.zeros((len(a), _SAMPLES, _STEPS), np.float32)
    lines, samples = np.indices(low.shape)
    table[lines, samples, low] = (1 - weight) / _SAMPLES
    table[lines, samples, low + 1] += weight / _SAMPLES
    return table.reshape(len(a), -1)


def find_edge(
    gradients: NDArray[np.float32],
    start: Vector,
    end: Vector,
    reach: tuple[float, float],
    inward: Vector,
    ground: float | None = None,
) -> Edge | None:
    """The straight line near ``start``-``end`` with the strongest step of one sense all along it.

    Text and texture have steps of both senses, which cancel in the mean; the border of a page does not.

    Args:
        gradients: of :func:`gradient_planes`.
        start, end: ends of the expected line, pixels.
        reach: how far off it may be at either end, pixels.
        inward: unit vector across, towards the inside of the page.
        ground: what strength is measured in; the median over the lines tried when None.

    Returns:
        The edge, or None when nothing stands out.
    """
    height, width = gradients.shape[2:]
    fractions = np.linspace(0.06, 0.94, _SAMPLES)
    offsets = np.linspace(-1, 1, _STEPS)
    widths = reach[0] + (reach[1] - reach[0]) * fractions
    base = start + (end - start) * fractions[:, None]
    places = base[:, None, :] - inward * (widths[:, None] * offsets[None, :])[:, :, None]
    columns, rows = np.floor(places[..., 0]).astype(int), np.floor(places[..., 1]).astype(int)
    inside = (columns >= 2) & (columns < width - 2) & (rows >= 2) & (rows < height - 2)
    columns, rows = np.clip(columns, 0, width - 1), np.clip(rows, 0, height - 1)
    across = gradients[:, 0, rows, columns] * inward[0] + gradients[:, 1, rows, columns] * inward[1]
    # One bright glare spot must not outweigh the rest of the edge.
    across = np.clip(across, -12, 12) * inside
    table = np.concatenate([across.reshape(3, -1), np.sign(across).reshape(3, -1), inside.reshape(1, -1)])
    means = _line_table() @ table.T.astype(np.float32)
    score = np.sqrt(((means[:, :3] * means[:, 3:6]) ** 2).sum(axis=1))
    score = (score * (means[:, 6] > 0.55)).reshape(_STEPS, _STEPS)
    prior = 1 - 0.25 * (offsets[:, None] ** 2 + offsets[None, :] ** 2) / 2
    best = np.unravel_index(int((score * prior).argmax()), score.shape)
    if ground is None:
        ground = float(np.median(score[score > 0])) if (score > 0).any() else 0.0
    strength = float(score[best]) / max(ground, 0.35)
    if strength < 2.2:
        return None
    first, last = (end_offset(offsets[best[0]], reach[0]), end_offset(offsets[best[1]], reach[1]))
    return Edge(start - inward * first, end - inward * last, strength)


def end_offset(fraction: float, reach: float) -> float:
    """Offset outwards in pixels for an offset in parts of the reach."""
    return float(fraction * reach)


def intersect(first: tuple[Vector, Vector], second: tuple[Vector, Vector]) -> Vector | None:
    """Where two lines, each through two points, meet; None when they are parallel."""
    (ax, ay), (bx, by), (cx, cy), (dx, dy) = (*first, *second)
    across = (ax - bx) * (cy - dy) - (ay - by) * (cx - dx)
    if abs(across) < 1e-9:
        return None
    one, two = ax * by - ay * bx, cx * dy - cy * dx
    return np.array([(one * (cx - dx) - (ax - bx) * two) / across, (one * (cy - dy) - (ay - by) * two) / across])


def snap_quad(
    gradients: NDArray[np.float32],
    quad: Vector,
    reaches: tuple[float, float, float, float],
    ground: float | None = None,
) -> tuple[Vector, tuple[float, float, float, float]]:
    """Move each side of a quadrilateral onto the edge found near it.

    Args:
        gradients: of :func:`gradient_planes`.
        quad: (4, 2) corners, clockwise from the page's own top left.
        reaches: how far each corner may be off, pixels.
        ground: see :func:`find_edge`.

    Returns:
        The corners and each side's strength (top, right, bottom, left); 0 for a side that stayed where it was.
    """
    centre = quad.mean(axis=0)
    sides: list[tuple[Vector, Vector]] = []
    strengths: list[float] = []
    for index in range(4):
        start, end = quad[index], quad[(index + 1) % 4]
        direction = (end - start) / max(float(np.linalg.norm(end - start)), 1e-9)
        inward = np.array([-direction[1], direction[0]])
        if (centre - start) @ inward < 0:
            inward = -inward
        edge = find_edge(gradients, start, end, (reaches[index], reaches[(index + 1) % 4]), inward, ground)
        sides.append((edge.start, edge.end) if edge else (start, end))
        strengths.append(edge.strength if edge else 0.0)
    corners = [intersect(sides[index - 1], sides[index]) for index in range(4)]
    if any(corner is None for corner in corners):
        return quad, (0.0, 0.0, 0.0, 0.0)
    top, right, bottom, left = strengths
    return np.array([corner for corner in corners if corner is not None]), (top, right, bottom, left)
