"""Find where a machine-readable zone may stand on a photograph, at any rotation, without reading anything.

The zone is two or three long, parallel, evenly spaced rows of dark strokes. Strokes are what a black-hat leaves;
a small round dilation joins neighbours within a row and keeps rows apart, whatever way they run, because letters of
a row stand about half a cap height apart and rows more than one and a half. Three scales cover every character size
that fits on a picture.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from samebody import stage
from samebody.document.shrink import shrink

Grey = NDArray[np.uint8]
Vector = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Row:
    """A row of strokes on the photograph; which end is the left one is not known.

    Attributes:
        start, end: (2,) float64, ends of its middle line, pixels.
        height: its height across, pixels: about the cap height.
    """

    start: Vector
    end: Vector
    height: float

    @property
    def length(self) -> float:
        """Pixels from end to end."""
        return math.hypot(self.end[0] - self.start[0], self.end[1] - self.start[1])

    @property
    def direction(self) -> Vector:
        """Unit vector from start to end."""
        unit: Vector = (self.end - self.start) / max(self.length, 1e-9)
        return unit


@dataclass(frozen=True, slots=True, eq=False)
class ZoneCandidate:
    """Rows that may be the lines of one zone, in order across, and how well they fit together (higher is better)."""

    rows: tuple[Row, ...]
    score: float


class MrzLocator(stage.Stage):
    """Proposes zones, best first. It never decides: the reader tries the proposals in turn."""

    class Parameters(stage.Stage.Parameters):
        """Scales and shapes searched."""

        long_sides: tuple[int, ...] = Field(default=(1000, 560, 320), description="long side of the pictures, pixels")
        join_radius: int = Field(default=3, ge=1, le=9, description="half the gap bridged within a row, pixels")
        min_elongation: float = Field(default=3.5, gt=1, description="length over height of a piece of a row")
        min_row_elongation: float = Field(default=12.0, gt=1, description="length over height of a whole row")
        max_candidates: int = Field(default=6, ge=1, le=50, description="proposals handed on")

    parameters: MrzLocator.Parameters

    def locate(self, grey: Grey, long_sides: Sequence[int] | None = None) -> tuple[ZoneCandidate, ...]:
        """Zone candidates of a grey photograph, (height, width) uint8, best first; may be empty.

        Args:
            grey: the photograph.
            long_sides: other scales than the declared ones.
        """
        zones: list[ZoneCandidate] = []
        small, reached, longest = grey, 1.0, max(grey.shape)
        for side in sorted(long_sides or self.parameters.long_sides, reverse=True):
            scale = min(1.0, side / longest)
            # Each scale from the one before: a large photograph is gone through once.
            small, reached = shrink(small, scale / reached), scale
            rows = merge_rows(list(self._pieces(small)), self.parameters.min_row_elongation)
            for zone in group_rows(rows):
                scaled = tuple(Row(row.start / scale, row.end / scale, row.height / scale) for row in zone.rows)
                zones.append(ZoneCandidate(scaled, zone.score))
        zones.sort(key=lambda zone: -zone.score)
        return tuple(_distinct(zones, self.parameters.max_candidates))

    def _pieces(self, small: Grey) -> Iterator[Row]:
        """Elongated connected blobs of strokes."""
        radius = self.parameters.join_radius
        strokes = stroke_mask(small)
        kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * radius + 1, 2 * radius + 1))
        joined = cv2.dilate(strokes, kernel)
        # Two levels: a row inside the page's outline is an outer contour of its own, not the content of a hole.
        contours, tree = cv2.findContours(joined, cv2.RETR_CCOMP, cv2.CHAIN_APPROX_NONE)
        longest = max(small.shape)
        for index, contour in enumerate(contours):
            if len(contour) < 24 or tree[0][index][3] >= 0:
                continue
            (x, y), (width, height), angle = cv2.minAreaRect(contour)
            if width < height:
                width, height, angle = height, width, angle + 90
            # The dilation added its radius on every side.
            inner, length = height - 2 * radius, width - 2 * radius
            if inner < 3 or length < 0.03 * longest or length < self.parameters.min_elongation * inner:
                continue
            filled = cv2.contourArea(contour) / max(width * height, 1.0)
            if filled < 0.45:
                continue
            half = np.array([np.cos(np.radians(angle)), np.sin(np.radians(angle))]) * length / 2
            centre = np.array([x + 0.5, y + 0.5])
            yield Row(centre - half, centre + half, float(inner))


def stroke_mask(grey: Grey, kernel: int = 9) -> Grey:
    """Pixels of thin dark strokes, 0 or 255: black-hat over a threshold that follows the strongest strokes nearby."""
    smooth = cv2.GaussianBlur(grey, (3, 3), 0.7)
    hat = cv2.morphologyEx(smooth, cv2.MORPH_BLACKHAT, np.ones((kernel, kernel), np.uint8))
    # Strong strokes nearby set the level, so that printed background patterns under the text stay below it.
    peak = cv2.blur(cv2.dilate(hat, np.ones((9, 9), np.uint8)), (31, 31))
    floor = max(10.0, 2.5 * float(np.median(hat)))
    mask: Grey = ((hat > 0.5 * peak.astype(np.float32)) & (hat > floor)).astype(np.uint8) * 255
    return mask


def merge_rows(pieces: list[Row], min_elongation: float) -> list[Row]:
    """Join pieces that continue each other, longest first; keep what is long enough to be a row."""
    order = sorted(pieces, key=lambda piece: -piece.length)
    if not order:
        return []
    used = np.zeros(len(order), bool)
    starts, ends = np.array([piece.start for piece in order]), np.array([piece.end for piece in order])
    tall = np.array([piece.height for piece in order])
    rows: list[Row] = []
    for index, seed in enumerate(order):
        if used[index]:
            continue
        used[index] = True
        points, heights, weights = [seed.start, seed.end], [seed.height], [seed.length]
        grown = True
        while grown:
            grown = False
            row = _fit(points, heights, weights)
            (x, y), (dx, dy), length = row.start, row.direction, row.length
            first, last = starts - (x, y), ends - (x, y)
            off = np.maximum(np.abs(first[:, 1] * dx - first[:, 0] * dy), np.abs(last[:, 1] * dx - last[:, 0] * dy))
            along = np.stack([first[:, 0] * dx + first[:, 1] * dy, last[:, 0] * dx + last[:, 1] * dy])
            gap = np.maximum(along.min(axis=0) - length, -along.max(axis=0))
            ratio = tall / row.height
            fits = ~used & (ratio > 0.45) & (ratio < 1.8) & (off < 0.55 * row.height) & (gap < 3.0 * row.height)
            for other in np.flatnonzero(fits):
                used[other] = grown = True
                points += [starts[other], ends[other]]
                heights.append(order[other].height)
                weights.append(order[other].length)
        row = _fit(points, heights, weights)
        if row.length >= min_elongation * row.height:
            rows.append(row)
    return rows


def _fit(points: list[Vector], heights: list[float], weights: list[float]) -> Row:
    """The row through the ends of its pieces."""
    cloud = np.array(points)
    height = float(np.average(heights, weights=weights))
    if len(cloud) == 2:
        return Row(cloud[0], cloud[1], height)
    repeated = np.repeat(np.sqrt(weights), 2)[:, None]
    centre = (cloud * repeated).sum(axis=0) / repeated.sum()
    _, _, axes = np.linalg.svd((cloud - centre) * repeated, full_matrices=False)
    along = (cloud - centre) @ axes[0]
    return Row(centre + along.min() * axes[0], centre + along.max() * axes[0], height)


def group_rows(rows: list[Row]) -> list[ZoneCandidate]:
    """Zones of two or three parallel neighbours of like length; single rows follow with a low score."""
    zones: list[ZoneCandidate] = []
    count = len(rows)
    neighbours: dict[int, list[tuple[float, int]]] = {i: [] for i in range(count)}
    for i in range(count):
        for j in range(count):
            if i == j:
                continue
            distance = _spacing(rows[i], rows[j])
            if distance is not None:
                neighbours[i].append((distance, j))
    for i in range(count):
        zones.append(ZoneCandidate((rows[i],), 0.3 * _row_score(rows[i])))
        for distance, j in neighbours[i]:
            if distance <= 0:
                continue
            pair = (rows[i], rows[j])
            base = sum(map(_row_score, pair)) / 2
            zones.append(ZoneCandidate(pair, base))
            for further, k in neighbours[j]:
                if k != i and further * distance > 0 and 0.65 < further / distance < 1.55:
                    triple = (*pair, rows[k])
                    zones.append(ZoneCandidate(triple, 1.1 * sum(map(_row_score, triple)) / 3))
    return zones


def _row_score(row: Row) -> float:
    """How much a row looks like 30 to 44 OCR-B characters: 1 from 22 to 55 heights, less outside."""
    ratio = row.length / row.height
    return float(np.clip((ratio - 8) / 14, 0, 1) * np.clip((80 - ratio) / 25, 0, 1))


def _spacing(first: Row, second: Row) -> float | None:
    """Signed distance across from ``first`` to ``second`` when they can be neighbours in a zone, else None."""
    direction = first.direction
    cosine = float(abs(direction @ second.direction))
    if cosine < 0.985 or not 0.55 < first.height / second.height < 1.8:
        return None
    if not 0.6 < first.length / second.length < 1.67:
        return None
    normal = np.array([-direction[1], direction[0]])
    middle = (second.start + second.end) / 2
    distance = float((middle - first.start) @ normal)
    height = (first.height + second.height) / 2
    if not 1.3 < abs(distance) / height < 4.5:
        return None
    along = sorted(float((p - first.start) @ direction) for p in (second.start, second.end))
    overlap = min(along[1], first.length) - max(along[0], 0.0)
    return distance if overlap > 0.7 * min(first.length, second.length) else None


def _distinct(zones: Sequence[ZoneCandidate], limit: int) -> Iterator[ZoneCandidate]:
    """The best ``limit`` zones, without those whose middle line lies on one that was given already."""
    kept: list[ZoneCandidate] = []
    for zone in zones:
        centre = np.mean([(row.start + row.end) / 2 for row in zone.rows], axis=0)
        row = zone.rows[0]
        if any(
            np.linalg.norm(centre - np.mean([(r.start + r.end) / 2 for r in other.rows], axis=0)) < row.height
            and len(other.rows) >= len(zone.rows)
            for other in kept
        ):
            continue
        kept.append(zone)
        yield zone
        if len(kept) == limit:
            return
