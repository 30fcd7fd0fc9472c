"""The strip: one line of the machine-readable zone cut out, straight, at a fixed size, with its contrast evened out.

Reader and training recipe (benchmarks/mrz_cells) share this module, so that the network sees in service what it
was trained on. It needs numpy and OpenCV alone.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

ALPHABET = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ<"
"""The characters of the zone (Doc 9303-3 clause 4.3); class ``i + 1`` of the network is ``ALPHABET[i]``, 0 is a gap."""

STRIP_HEIGHT = 32
"""Height of a strip, pixels; the line's middle lies at half of it."""

STRIP_PITCH = 20.0
"""Width of one character cell, pixels. In OCR-B at 10 an inch a cell is about as wide as a capital is high."""

STRIP_STEP = 4
"""Strip pixels per output column of the network; column ``j`` is centred at ``(j + 0.5) * STRIP_STEP``."""

FloatArray = NDArray[np.float32]


def normalise_strip(strip: NDArray[np.uint8]) -> FloatArray:
    """Even out lighting and contrast along the strip.

    Args:
        strip: (STRIP_HEIGHT, width) uint8 grey.

    Returns:
        (STRIP_HEIGHT, width) float32: each pixel minus the mean of its neighbourhood (about five cells wide, the full
        height), over the neighbourhood's standard deviation, limited to -4..4. The deviation has a floor of 6 grey
        levels, so that empty paper does not turn into full-contrast noise.
    """
    grey = strip.astype(np.float32)
    width = min(round(5 * STRIP_PITCH), grey.shape[1])
    kernel = np.full(width, 1.0 / width, np.float32)
    columns = np.stack([grey.mean(axis=0), (grey * grey).mean(axis=0)])
    # Replicating the border keeps the ends, where the first and the last character stand, as bright as the rest.
    smooth = cv2.filter2D(columns, cv2.CV_32F, kernel[None, :], borderType=cv2.BORDER_REFLECT)
    mean = smooth[0]
    deviation = np.sqrt(np.maximum(smooth[1] - mean * mean, 36.0))
    evened: FloatArray = np.clip((grey - mean) / deviation, -4.0, 4.0).astype(np.float32)
    return evened
