"""Make a large photograph small: by halves first, which costs a tenth of one long step, then by what is left."""

from __future__ import annotations

from typing import TypeVar

import cv2
import numpy as np
from numpy.typing import NDArray

P = TypeVar("P", bound=NDArray[np.uint8])


def shrink(pixels: P, scale: float) -> P:
    """``pixels`` averaged down to ``scale`` of their size; unchanged when ``scale`` is 1 or more.

    Args:
        pixels: (height, width) or (height, width, 3) uint8.
        scale: above 0. A point (x, y) of the result lies at (x / scale, y / scale) of the original, to within
            half a pixel of the result.
    """
    while scale <= 0.5 and min(pixels.shape[:2]) >= 4:
        # an odd last row or column is left out, so that each step averages two by two
        height, width = (side // 2 for side in pixels.shape[:2])
        pixels = cv2.resize(pixels[: 2 * height, : 2 * width], (width, height), interpolation=cv2.INTER_AREA)
        scale *= 2
    if scale < 1:
        height, width = (max(1, round(side * scale)) for side in pixels.shape[:2])
        pixels = cv2.resize(pixels, (width, height), interpolation=cv2.INTER_AREA)
    return pixels
