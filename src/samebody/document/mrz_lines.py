"""Follow the lines of a zone: centre and height from ink, cells from the network, curves through the cells.

Everything here works on a grey picture of the zone's surroundings, scaled so that a capital is about as high as in a
strip. Index ``i`` counts cells along a line; cell ``i`` is centred at ``curve(i)``.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from samebody.document.mrz_locate import Row
from samebody.document.mrz_strip import STRIP_HEIGHT, STRIP_PITCH, STRIP_STEP

Grey = NDArray[np.uint8]
Vector = NDArray[np.floating[Any]]
FloatArray = NDArray[np.float32]

CAP_OVER_PITCH = 2.459 / 2.54
"""Cap height over pitch of OCR-B size 1 at 10 characters an inch (ISO 1073-2, Doc 9303-3 clause 4.1)."""

STRIP_CAP = STRIP_PITCH * CAP_OVER_PITCH
MARGIN_CELLS = 4
"""Empty cells left and right of the zone on a strip."""

_TALL = 80
_BLOCKS = 12


def refine_row(grey: Grey, row: Row) -> Row:
    """Move a row onto its ink: middle line by blocks along it, height by the profile across.

    The row's picture is cut 80 pixels high with a capital of about 20, so that a row that was found a whole cap
    height off is still inside.
    """
    scale = STRIP_CAP / row.height
    margin = 1.0 * row.height
    start, direction = row.start - margin * row.direction, row.direction
    width = max(_BLOCKS * 8, round((row.length + 2 * margin) * scale))
    normal = np.array([-direction[1], direction[0]])
    matrix = np.array([direction / scale, normal / scale]).T
    offset = start - normal * (_TALL / 2) / scale
    inverse = np.column_stack([matrix, offset - 0.5 + matrix @ np.array([0.5, 0.5])])
    tall = cv2.warpAffine(
        grey, inverse, (width, _TALL), flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP, borderMode=cv2.BORDER_REPLICATE
    )
    hat = cv2.morphologyEx(cv2.GaussianBlur(tall, (3, 3), 0), cv2.MORPH_BLACKHAT, np.ones((11, 11), np.uint8))
    ink = np.minimum(hat.astype(np.float32), float(np.percentile(hat[::2, ::2], 97)))
    edges = np.linspace(0, width, _BLOCKS + 1).astype(int)
    profiles = np.stack([ink[:, a:b].mean(axis=1) for a, b in itertools.pairwise(edges)])
    best_height, best_score = STRIP_CAP, -np.inf
    centres = np.full(_BLOCKS, _TALL / 2.0)
    weights = np.zeros(_BLOCKS)
    reach = np.abs(np.arange(_TALL) + 0.5 - _TALL / 2)
    prior = np.exp(-((reach / 16.0) ** 2))
    for height in range(12, 31, 2):
        scores = _box_scores(profiles, height) * prior
        peak = scores.max(axis=1)
        total = float(np.sort(peak)[2:].mean())
        if total > best_score:
            best_height, best_score = float(height), total
            centres, weights = scores.argmax(axis=1) + 0.5, np.maximum(peak, 0)
    positions = (edges[:-1] + edges[1:]) / 2
    slope, level = _robust_line(positions / width, centres, weights)
    slope /= width
    ends = []
    for along in (margin * scale, width - margin * scale):
        across = slope * along + level - _TALL / 2
        ends.append(start + direction * along / scale + normal * across / scale)
    return Row(ends[0], ends[1], best_height / scale)


def _box_scores(profiles: FloatArray, height: int) -> Vector:
    """Mean ink in a box of ``height`` minus mean ink in the flanks, for every centre; shape of ``profiles``."""
    flank = max(4, height // 2)
    padded = np.pad(profiles.astype(np.float64), ((0, 0), (64, 64)), mode="edge")
    sums = np.concatenate([np.zeros((len(profiles), 1)), padded.cumsum(axis=1)], axis=1)
    centre = np.arange(profiles.shape[1]) + 64
    top, bottom = centre - height // 2, centre - height // 2 + height
    inside = (sums[:, bottom] - sums[:, top]) / height
    outside = (sums[:, top] - sums[:, top - flank] + sums[:, bottom + flank] - sums[:, bottom]) / (2 * flank)
    # The square root keeps tall boxes from losing to the densest few rows of a letter.
    result: Vector = (inside - outside) * np.sqrt(height)
    return result


def _robust_line(x: Vector, y: Vector, weights: Vector) -> tuple[float, float]:
    """Slope and intercept by iteratively reweighted least squares, Cauchy weights of scale 2 pixels."""
    base = weights + 1e-6
    current = base
    slope = level = 0.0
    for _ in range(6):
        slope, level = (float(v) for v in _weighted_polynomial(x, y[:, None], 1, np.sqrt(current))[:, 0])
        residual = y - slope * x - level
        current = base / (1 + (residual / 2.0) ** 2)
    return slope, level


def _weighted_polynomial(x: Vector, y: Vector, degree: int, root_weights: Vector) -> Vector:
    """Least-squares polynomials of several columns of ``y`` (n, k) at once: (degree + 1, k), highest power first."""
    powers = x[:, None] ** np.arange(degree, -1, -1)
    scaled = powers * root_weights[:, None]
    # Normal equations: few points, low degree and x within a small range, so their condition is no concern here.
    normal = scaled.T @ scaled + 1e-9 * np.eye(degree + 1)
    solution: Vector = np.linalg.solve(normal, scaled.T @ (y * root_weights[:, None]))
    return solution


def cut_straight(grey: Grey, row: Row, pitch: float, *, flipped: bool, cells: tuple[float, float]) -> Grey:
    """A strip along a straight row, (32, width) uint8.

    Args:
        grey: the picture the row is on.
        row: middle line and height.
        pitch: width of a cell on the picture, pixels.
        flipped: read from the end to the start, upside down.
        cells: how many cells before the (reading) start the strip begins, and how many it is long.
    """
    start, direction = (row.end, -row.direction) if flipped else (row.start, row.direction)
    normal = np.array([-direction[1], direction[0]])
    along, across = pitch / STRIP_PITCH, row.height / STRIP_CAP
    matrix = np.array([direction * along, normal * across]).T
    origin = start - direction * cells[0] * pitch - normal * across * STRIP_HEIGHT / 2
    inverse = np.column_stack([matrix, origin - 0.5 + matrix @ np.array([0.5, 0.5])])
    size = (round(cells[1] * STRIP_PITCH), STRIP_HEIGHT)
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    strip: Grey = cv2.warpAffine(grey, inverse, size, flags=flags, borderMode=cv2.BORDER_REPLICATE)
    return strip


def presence(log_posteriors: FloatArray) -> Vector:
    """Log odds that a column lies on a character, limited to -6..6, evened out over three columns; (columns,)."""
    gap = np.exp(np.minimum(log_posteriors[:, 0].astype(np.float64), -1e-6))
    odds = np.clip(np.log1p(-gap + 1e-9) - np.log(gap + 1e-9), -6, 6)
    smooth: Vector = np.convolve(np.pad(odds, 1, mode="edge"), (0.25, 0.5, 0.25), mode="valid")
    return smooth


def track_cells(odds: Vector, count: int, gap: float = 5.0) -> tuple[float, NDArray[np.intp]]:
    """The ``count`` columns, about ``gap`` apart, with the largest sum of ``odds``: Viterbi over positions.

    Returns:
        The sum per cell, and the columns, (count,). The sum is -inf when the strip is too short.
    """
    columns = len(odds)
    gaps = [g for g in range(int(np.floor(gap - 0.8)), int(np.ceil(gap + 0.8)) + 1) if abs(g - gap) < 1.7]
    best = odds.copy()
    history = np.zeros((count, columns), np.int8)
    for index in range(1, count):
        options = np.full((len(gaps), columns), -np.inf)
        for option, step in enumerate(gaps):
            options[option, step:] = best[:-step] - 0.35 * (step - gap) ** 2
        history[index] = options.argmax(axis=0)
        best = options.max(axis=0) + odds
    end = int(best.argmax())
    score = float(best[end])
    if not np.isfinite(score):
        return -np.inf, np.zeros(count, np.intp)
    path = np.zeros(count, np.intp)
    path[-1] = end
    for index in range(count - 1, 0, -1):
        path[index - 1] = path[index] - gaps[history[index, path[index]]]
    return score / count, path


def sub_column(odds: Vector, path: NDArray[np.intp]) -> Vector:
    """Centres of the tracked cells in strip pixels, (count,): centroid of the presence around each column."""
    weights = 1 / (1 + np.exp(-np.pad(odds, 2, mode="constant", constant_values=-6)))
    window = np.stack([weights[path + k] for k in range(5)])
    offsets = np.arange(-2, 3)[:, None]
    shift = (window * offsets).sum(axis=0) / (window.sum(axis=0) + 1e-6)
    centres: Vector = (path + shift + 0.5) * STRIP_STEP
    return centres


@dataclass(frozen=True, slots=True, eq=False)
class Curves:
    """Where the cells of all lines lie.

    Attributes:
        x, y: (lines, 4) float64, cubic in ``t = 2 i / (cells - 1) - 1``, highest power first: centre of cell ``i``.
        up: (lines, 4) float64, two linear functions of ``t``: the vector from the centre to the cap line, (x, y).
        cells: cells per line.
        ratio: cap height over pitch.
    """

    x: Vector
    y: Vector
    up: Vector
    cells: int
    ratio: float

    def centre(self, line: int, index: Vector) -> tuple[Vector, Vector]:
        """x and y of (fractional) cells."""
        t = 2 * index / (self.cells - 1) - 1
        # A cubic runs away outside the points it was fitted to: continue straight there.
        inside = np.clip(t, -1.0, 1.0)
        x, y = (
            np.polyval(c[line], inside) + np.polyval(np.polyder(c[line]), inside) * (t - inside)
            for c in (self.x, self.y)
        )
        return x, y

    def upward(self, line: int, index: Vector) -> tuple[Vector, Vector]:
        """x and y of half the cap height, upwards, at (fractional) cells."""
        t = 2 * index / (self.cells - 1) - 1
        return np.polyval(self.up[line, :2], t), np.polyval(self.up[line, 2:], t)

    def quad(self, line: int) -> Vector:
        """Corners of a line, (4, 2), clockwise from its own top left, from cap line to base line."""
        ends = np.array([-0.42, self.cells - 1 + 0.42])
        x, y = self.centre(line, ends)
        ux, uy = self.upward(line, ends)
        return np.array(
            [
                [x[0] + ux[0], y[0] + uy[0]],
                [x[1] + ux[1], y[1] + uy[1]],
                [x[1] - ux[1], y[1] - uy[1]],
                [x[0] - ux[0], y[0] - uy[0]],
            ]
        )


def fit_curves(points: Vector, weights: Vector, caps: Vector) -> Curves:
    """Smooth curves through tracked cells.

    Args:
        points: (lines, cells, 2) float64, centres on the picture.
        weights: (lines, cells) float64, trust in each.
        caps: (lines,) cap height over pitch, as measured.
    """
    lines, cells = points.shape[:2]
    t = np.linspace(-1, 1, cells)
    x, y = np.zeros((lines, 4)), np.zeros((lines, 4))
    for line in range(lines):
        base = weights[line] + 1e-3
        current = base
        for _ in range(6):
            root = np.sqrt(current)
            x[line], y[line] = _weighted_polynomial(t, points[line], 3, root).T
            miss = np.hypot(np.polyval(x[line], t) - points[line, :, 0], np.polyval(y[line], t) - points[line, :, 1])
            current = base / (1 + (miss / 1.2) ** 2)
    ratio = float(np.clip(np.median(caps), 0.72, 1.12))
    up = np.zeros((lines, 4))
    for line in range(lines):
        dx, dy = np.polyval(np.polyder(x[line]), t), np.polyval(np.polyder(y[line]), t)
        pitch = np.hypot(dx, dy) * 2 / (cells - 1)
        if lines > 1:
            a, b = (line - 1, line) if line > 0 else (line, line + 1)
            vx, vy = np.polyval(x[a] - x[b], t), np.polyval(y[a] - y[b], t)
        else:
            vx, vy = dy, -dx
        length = np.hypot(vx, vy) + 1e-9
        half = 0.5 * ratio * pitch
        targets = np.column_stack([vx / length * half, vy / length * half])
        up[line] = _weighted_polynomial(t, targets, 1, np.ones(cells)).T.ravel()
    return Curves(x, y, up, cells, ratio)


def cut_curved(
    grey: Grey,
    curves: Curves,
    line: int,
    *,
    shift: tuple[float, float] = (0.0, 0.0),
    stretch: float = 1.0,
    height: int = STRIP_HEIGHT,
    margin: int = MARGIN_CELLS,
) -> Grey:
    """A strip along a line's curves: cell ``i`` is centred at ``(margin + i + 0.5) * STRIP_PITCH``.

    Args:
        grey: the picture.
        curves, line: the line to cut.
        shift: moves the text right and down by so many strip pixels.
        stretch: over 1 makes letters higher.
        height: of the strip, pixels; the scale stays.
        margin: cells before the first and after the last.
    """
    width = round((curves.cells + 2 * margin) * STRIP_PITCH)
    index = (np.arange(width) + 0.5 - shift[0]) / STRIP_PITCH - margin - 0.5
    x, y = curves.centre(line, index)
    ux, uy = curves.upward(line, index)
    rise = (height / 2 - (np.arange(height) + 0.5 - shift[1])) / (STRIP_CAP / 2 * stretch)
    map_x = (x[None, :] + rise[:, None] * ux[None, :] - 0.5).astype(np.float32)
    map_y = (y[None, :] + rise[:, None] * uy[None, :] - 0.5).astype(np.float32)
    strip: Grey = cv2.remap(grey, map_x, map_y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    return strip


def vertical_offsets(grey: Grey, curves: Curves, line: int) -> Vector:
    """How far below the curve each cell's ink lies, in half cap heights: a smooth parabola, (cells,) float64."""
    tall = cut_curved(grey, curves, line, height=_TALL)
    hat = cv2.morphologyEx(cv2.GaussianBlur(tall, (3, 3), 0), cv2.MORPH_BLACKHAT, np.ones((11, 11), np.uint8))
    first = round(MARGIN_CELLS * STRIP_PITCH)
    ink = hat[:, first : first + round(curves.cells * STRIP_PITCH)].astype(np.float32)
    ink = np.minimum(ink, float(np.percentile(ink[::2, ::2], 97)))
    blocks = np.array_split(np.arange(ink.shape[1]), _BLOCKS)
    profiles = np.stack([ink[:, block].mean(axis=1) for block in blocks])
    # Narrow minus wide Gaussian: peaks at the middle of the ink, whether capitals or fillers make it.
    response = _smooth(profiles, 5.5) - _smooth(profiles, 14.0)
    reach = np.arange(_TALL) + 0.5 - _TALL / 2
    response = response * np.exp(-((reach / 14.0) ** 2))
    peak = response.argmax(axis=1)
    weights = np.maximum(response[np.arange(len(peak)), peak], 0) + 1e-6
    places = np.array([block.mean() for block in blocks]) / STRIP_PITCH - 0.5
    offsets = reach[peak]
    current = weights
    fit: Vector = np.zeros(3)
    for _ in range(5):
        fit = _weighted_polynomial(places / curves.cells, offsets[:, None], 2, np.sqrt(current))[:, 0]
        current = weights / (1 + ((offsets - np.polyval(fit, places / curves.cells)) / 1.5) ** 2)
    result: Vector = np.polyval(fit, np.arange(curves.cells) / curves.cells) / (STRIP_CAP / 2)
    return result


def _smooth(profiles: FloatArray, sigma: float) -> FloatArray:
    """Each row of ``profiles`` through a Gaussian."""
    result: FloatArray = cv2.GaussianBlur(
        profiles, (2 * round(2.5 * sigma) + 1, 1), sigma, borderType=cv2.BORDER_REPLICATE
    )
    return result
