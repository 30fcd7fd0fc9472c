"""Maps as pictures: warm where the score is supported, blue where it is opposed, the parts of the face outlined."""

from __future__ import annotations

import base64
from collections.abc import Mapping

import cv2
import numpy as np
from numpy.typing import NDArray

from samebody.types import Pixels

WARM, COLD = (230.0, 70.0, 20.0), (40.0, 90.0, 235.0)
STRONGEST = 0.75
"""Opacity of the largest value."""


def overlay(
    pixels: Pixels,
    values: NDArray[np.float32],
    *,
    regions: Mapping[str, NDArray[np.bool_]] | None = None,
    largest: float | None = None,
    side: int = 448,
) -> Pixels:
    """The picture in grey with the map over it, enlarged to about ``side`` pixels.

    Args:
        pixels: (h, w, 3) uint8 RGB, as it may be shown: blur it before where it must not be recognised.
        values: (h, w) signed map.
        regions: parts whose outlines are drawn.
        largest: value drawn strongest; the map's own largest otherwise. Give one to compare two maps.
        side: shorter side of the result, at least the picture's own.

    Returns:
        (H, W, 3) uint8 RGB.
    """
    height, width = pixels.shape[:2]
    scale = max(1.0, side / min(height, width))
    size = (round(width * scale), round(height * scale))
    large = cv2.resize(pixels, size, interpolation=cv2.INTER_CUBIC)
    grey = cv2.cvtColor(cv2.cvtColor(large, cv2.COLOR_RGB2GRAY), cv2.COLOR_GRAY2RGB).astype(np.float32)
    peak = float(np.abs(values).max()) if largest is None else largest
    strength = cv2.resize(values / peak if peak > 0 else values, size, interpolation=cv2.INTER_LINEAR)
    opacity = STRONGEST * np.clip(np.abs(strength), 0, 1)[..., None] ** 0.8
    colour = np.where(strength[..., None] > 0, np.asarray(WARM), np.asarray(COLD))
    drawn = np.clip(np.rint(grey + opacity * (colour - grey)), 0, 255).astype(np.uint8)
    for name, mask in (regions or {}).items():
        if name != "background" and mask.any():
            big = cv2.resize(mask.astype(np.uint8), size, interpolation=cv2.INTER_NEAREST)
            outlines, _ = cv2.findContours(big, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)
            cv2.drawContours(drawn, outlines, -1, (255, 255, 255), 1, cv2.LINE_AA)
    return np.asarray(drawn, dtype=np.uint8)


def png(pixels: Pixels) -> bytes:
    """``pixels`` (h, w, 3) RGB as a PNG file without any metadata."""
    _, encoded = cv2.imencode(".png", cv2.cvtColor(pixels, cv2.COLOR_RGB2BGR))
    return bytes(encoded.tobytes())


def data_uri(pixels: Pixels) -> str:
    """``pixels`` as a ``data:`` address of a PNG."""
    return "data:image/png;base64," + base64.b64encode(png(pixels)).decode()
