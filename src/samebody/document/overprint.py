"""Find a second, fainter picture on a page by its frame alone, whoever it shows."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from samebody.types import Box, Pixels

Plane = NDArray[np.float32]

SCALE = 4.0
"""Pixels per millimetre at which frames are looked for."""

BROAD_MM = 1.1
"""Nothing narrower than this counts as a picture; letters of data fields are narrower."""

SIZES = tuple(float(share) for share in np.geomspace(0.32, 0.78, 10))
"""Heights tried, as shares of the portrait's."""


def framed_picture(
    page: Pixels,
    pixels_per_mm: float,
    portrait: Box,
    mrz_box: Box | None,
    print_boxes: Sequence[Box] = (),
    sizes: Sequence[float] = SIZES,
) -> tuple[Box, float] | None:
    """The upright rectangle, shaped like the portrait and smaller, whose inside is darkest against what is around.

    Args:
        page: (height, width, 3) uint8 RGB, upright.
        pixels_per_mm: of ``page``.
        portrait: box of the portrait on it; nothing that touches it is looked at.
        mrz_box: nothing is looked for from its upper edge on.
        print_boxes: lines of print, which are filled with the ground beside them.
        sizes: heights tried, as shares of the portrait's.

    Returns:
        The box in pixels of the page and the step at its sides, in units of how much the page varies (robust standard
        deviation of the same figure over all places of that size); None when no size fits on the page.
    """
    scale = SCALE / pixels_per_mm
    size = (max(1, round(page.shape[1] * scale)), max(1, round(page.shape[0] * scale)))
    small = cv2.cvtColor(cv2.resize(page, size, interpolation=cv2.INTER_AREA), cv2.COLOR_RGB2GRAY)
    if mrz_box is not None:
        small = small[: max(1, int(mrz_box.y * scale))]
    side = round(BROAD_MM * SCALE) | 1
    small = cv2.morphologyEx(small, cv2.MORPH_CLOSE, cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (side, side)))
    for box in print_boxes:
        _fill(small, box, scale)
    # a step is a share of the light there, so that a shaded part of the page counts as much
    dark = -np.log(np.maximum(small.astype(np.float32), 8.0))
    best: tuple[Box, float] | None = None
    for share in sizes:
        height, width = round(portrait.height * scale * share), round(portrait.width * scale * share)
        found = _best_frame(dark, height, width, portrait, scale)
        if found is not None and (best is None or found[1] > best[1]):
            best = found
    return best


def _fill(plane: NDArray[np.uint8], box: Box, scale: float) -> None:
    """Fill ``box`` (pixels of the page) of the reduced ``plane`` with the median of what surrounds it."""
    x0, y0 = max(0, int(box.x * scale) - 1), max(0, int(box.y * scale) - 1)
    x1, y1 = int((box.x + box.width) * scale) + 2, int((box.y + box.height) * scale) + 2
    part = plane[max(0, y0 - 2) : y1 + 2, max(0, x0 - 2) : x1 + 2]
    if part.size == 0:
        return
    ring = np.ones(part.shape, bool)
    ring[2:-2, 2:-2] = False
    plane[y0:y1, x0:x1] = np.uint8(np.median(part[ring]))


def _best_frame(dark: Plane, height: int, width: int, portrait: Box, scale: float) -> tuple[Box, float] | None:
    strip, gap, step = 3, 1, 2
    rows, columns = dark.shape
    reach = strip + gap
    if min(height, width) < 16 or rows <= height + 2 * reach or columns <= width + 2 * reach:
        return None
    total = cv2.integral(dark, sdepth=cv2.CV_64F)
    down, right = rows - height - 2 * reach, columns - width - 2 * reach

    def mean(top: int, left: int, tall: int, wide: int) -> NDArray[np.float64]:
        """Mean of a (tall, wide) box that lies (top, left) from each place."""
        y, x = reach + top, reach + left
        whole = (
            total[y + tall : y + tall + down : step, x + wide : x + wide + right : step]
            - total[y : y + down : step, x + wide : x + wide + right : step]
            - total[y + tall : y + tall + down : step, x : x + right : step]
            + total[y : y + down : step, x : x + right : step]
        )
        return np.asarray(whole / (tall * wide), np.float32)

    steps = []
    tall, wide = height // 3, width // 3
    for part in range(3):  # of every side, so that one dark line beside the picture does not make its frame
        x, y = part * wide, part * tall
        steps += [
            mean(gap, x, strip, wide) - mean(-reach, x, strip, wide),
            mean(height - reach, x, strip, wide) - mean(height + gap, x, strip, wide),
            mean(y, gap, tall, strip) - mean(y, -reach, tall, strip),
            mean(y, width - reach, tall, strip) - mean(y, width + gap, tall, strip),
        ]
    # print and emblems have some dark edges, a picture has them all around
    score = np.partition(np.stack(steps), 8, axis=0)[:8].mean(axis=0)
    spread = 1.4826 * float(np.median(np.abs(score - np.median(score)))) + 1e-3
    outside = np.ones(score.shape, bool)
    top, left = int(portrait.y * scale) - height - 2 * reach, int(portrait.x * scale) - width - 2 * reach
    bottom, end = int((portrait.y + portrait.height) * scale), int((portrait.x + portrait.width) * scale)
    outside[max(0, top) // step : max(0, bottom + step) // step, max(0, left) // step : max(0, end + step) // step] = (
        False
    )
    if not outside.any():
        return None
    score = np.where(outside, score, -np.inf)
    at = np.unravel_index(int(np.argmax(score)), score.shape)
    box = Box(float(step * at[1] + reach) / scale, float(step * at[0] + reach) / scale, width / scale, height / scale)
    return box, float(score[at]) / spread
