"""Covering parts of a picture: what stands in for covered pixels, random masks, and masked variants of a picture."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

import cv2
import numpy as np
from numpy.typing import NDArray

from samebody.types import Pixels

Fill = Literal["mean", "grey", "black", "blur"]
"""What covered pixels show: the picture's mean colour, mid grey, black, or the picture blurred beyond its features."""

BLUR_SHARE = 0.12
"""Standard deviation of the blur as a share of the picture's shorter side; eyes and mouth are gone at 0.1."""


def covered(picture: Pixels, fill: Fill) -> Pixels:
    """The picture with every pixel covered: (height, width, 3) uint8."""
    if fill == "blur":
        sigma = BLUR_SHARE * min(picture.shape[:2])
        return np.asarray(cv2.GaussianBlur(picture, (0, 0), sigma, borderType=cv2.BORDER_REFLECT), dtype=np.uint8)
    colour = {"grey": np.full(3, 128.0), "black": np.zeros(3)}.get(fill, picture.mean(axis=(0, 1)))
    return np.broadcast_to(np.rint(colour).astype(np.uint8), picture.shape)


def masked(picture: Pixels, masks: NDArray[np.float32], cover: Pixels) -> Pixels:
    """Variants of a picture: ``mask * picture + (1 - mask) * cover``, rounded.

    Args:
        picture, cover: (h, w, 3) uint8.
        masks: (n, h, w) float32 in 0-1; 1 keeps the pixel.

    Returns:
        (n, h, w, 3) uint8.
    """
    base = cover.astype(np.float32)
    mixed = base + masks[..., None] * (picture.astype(np.float32) - base)
    return np.clip(np.rint(mixed), 0, 255).astype(np.uint8)


def random_mask(shape: tuple[int, int], cells: int, keep: float, seed: int, index: int) -> NDArray[np.float32]:
    """One mask of RISE (Petsiuk, Das and Saenko, BMVC 2018, section 3.2): a coarse random grid, enlarged and shifted.

    A grid of ``cells`` x ``cells`` (and one more for the shift) is 1 with probability ``keep``; it is enlarged
    bilinearly to cells of ``ceil(side / cells)`` pixels and cut out at a random offset within one cell.

    Args:
        shape: (height, width).
        cells: along each side.
        keep: probability in 0-1 that a cell is kept.
        seed, index: the mask is a function of both, so that any batch size gives the same masks.

    Returns:
        (height, width) float32 in 0-1.
    """
    generator = np.random.default_rng((seed, index))
    height, width = shape
    cell_height, cell_width = -(-height // cells), -(-width // cells)
    grid = (generator.random((cells + 1, cells + 1)) < keep).astype(np.float32)
    large = cv2.resize(grid, ((cells + 1) * cell_width, (cells + 1) * cell_height), interpolation=cv2.INTER_LINEAR)
    top, left = int(generator.integers(0, cell_height)), int(generator.integers(0, cell_width))
    return np.ascontiguousarray(large[top : top + height, left : left + width], dtype=np.float32)


def random_masks(
    shape: tuple[int, int], count: int, cells: int, keep: float, seed: int, batch: int
) -> Iterator[NDArray[np.float32]]:
    """``count`` masks of :func:`random_mask` in batches of at most ``batch``: (n, height, width) float32 each."""
    for start in range(0, count, batch):
        indices = range(start, min(start + batch, count))
        yield np.stack([random_mask(shape, cells, keep, seed, index) for index in indices])
