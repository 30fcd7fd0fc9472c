"""Light and displayed values: sRGB both ways, gamuts, soft fields, and the surroundings a scene is set in.

Light is float32 RGB, linear, 1 = a white sheet or a white screen at full power.
"""

from __future__ import annotations

import math
from functools import lru_cache
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from samebody.capture.srgb import encoded, linear
from samebody.types import Pixels

Light = NDArray[np.float32]
Plane = NDArray[np.float32]

LUMINANCE = np.array([0.2126, 0.7152, 0.0722], np.float32)
"""Rec. ITU-R BT.709 weights of linear RGB."""

_ENCODE_STEPS = 1 << 16


@lru_cache(maxsize=1)
def _decode_table() -> NDArray[np.float32]:
    return linear(np.arange(256) / 255.0).astype(np.float32)


@lru_cache(maxsize=1)
def _encode_table() -> NDArray[np.float32]:
    light = np.arange(_ENCODE_STEPS) / (_ENCODE_STEPS - 1)
    return np.asarray(255 * encoded(light), np.float32)


def to_light(pixels: Pixels) -> Light:
    """uint8 sRGB to linear light (IEC 61966-2-1)."""
    return np.asarray(cv2.LUT(pixels, _decode_table()), np.float32)


def raw_to_shown(raw: NDArray[np.uint16]) -> NDArray[np.float32]:
    """Linear light on 0-65535 to displayed values 0-255 (IEC 61966-2-1)."""
    return np.asarray(np.take(_encode_table(), raw), np.float32)


def to_raw(light: Light) -> NDArray[np.uint16]:
    """Linear light 0-1 to 0-65535, cut at both ends."""
    return np.asarray(np.clip(light * 65535.0 + 0.5, 0, 65535), np.uint16)


def to_pixels(light: Light) -> Pixels:
    """Linear light to uint8 sRGB."""
    return np.asarray(np.rint(raw_to_shown(to_raw(light))), np.uint8)


def luminance(light: Light, weights: NDArray[np.floating[Any]] = LUMINANCE) -> Plane:
    """Weighted sum of the channels, (h, w)."""
    return np.asarray(cv2.transform(light, np.asarray(weights, np.float32)[None, :]), np.float32)


def mixed(light: Light, matrix: NDArray[np.floating[Any]]) -> Light:
    """Every pixel's colour multiplied by a 3x3 matrix."""
    return np.asarray(cv2.transform(light, np.asarray(matrix, np.float32)), np.float32)


def gamut(shrink: float, turn: float = 0.0) -> NDArray[np.float64]:
    """Matrix of a device whose primaries lie ``shrink`` (0 = the same) of the way to grey, and whose hues turn by
    ``turn`` radians about the grey axis; grey stays grey, luminance stays."""
    grey = np.tile(LUMINANCE.astype(np.float64), (3, 1))
    matrix = (1 - shrink) * np.eye(3) + shrink * grey
    if turn:
        axis = np.ones(3) / math.sqrt(3)
        cross = np.array([[0, -axis[2], axis[1]], [axis[2], 0, -axis[0]], [-axis[1], axis[0], 0]])
        rotation = np.eye(3) + math.sin(turn) * cross + (1 - math.cos(turn)) * (cross @ cross)
        matrix = matrix @ rotation
    return np.asarray(matrix, np.float64)


def soft_field(shape: tuple[int, int], cells: float, random: np.random.Generator) -> Plane:
    """Smooth noise, about -1 to 1, with ``cells`` blobs along the longer side."""
    height, width = shape
    longer = max(shape)
    rows, columns = (max(2, math.ceil(cells * side / longer)) + 3 for side in shape)
    coarse = random.standard_normal((rows, columns)).astype(np.float32)
    scale = longer / cells
    matrix = np.array([[scale, 0, -scale], [0, scale, -scale]])
    field = cv2.warpAffine(coarse, matrix, (width, height), flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REFLECT)
    return np.asarray(field * 0.6, np.float32)


def grain(shape: tuple[int, int], sigma: float, random: np.random.Generator) -> Plane:
    """Noise with standard deviation 1 whose spectrum falls as a Gaussian of ``sigma`` pixels.

    It is drawn on a coarser grid where that loses nothing.
    """
    height, width = shape
    step = max(1.0, sigma)
    small = (math.ceil(height / step) + 4, math.ceil(width / step) + 4)
    field = random.standard_normal(small, dtype=np.float32)
    field = cv2.GaussianBlur(field, (0, 0), max(sigma / step, 0.3), borderType=cv2.BORDER_REFLECT)
    if step > 1:
        matrix = np.array([[step, 0, -step], [0, step, -step]])
        field = cv2.warpAffine(field, matrix, (width, height), flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REFLECT)
    else:
        field = field[2 : 2 + height, 2 : 2 + width]
    field *= np.float32(1 / max(float(cv2.meanStdDev(field)[1][0, 0]), 1e-6))
    return np.asarray(field, np.float32)


def _coarse_grid(shape: tuple[int, int], step: int) -> tuple[Plane, Plane]:
    rows, columns = shape[0] // step + 2, shape[1] // step + 2
    y, x = np.mgrid[0:rows, 0:columns].astype(np.float32) * step
    return x, y


def enlarge(coarse: NDArray[np.float32], shape: tuple[int, int], step: int) -> NDArray[np.float32]:
    """A map sampled every ``step`` pixels at full size."""
    matrix = np.array([[float(step), 0, 0], [0, float(step), 0]])
    return np.asarray(
        cv2.warpAffine(coarse, matrix, (shape[1], shape[0]), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE),
        np.float32,
    )


def lamp(shape: tuple[int, int], centre: tuple[float, float], axes: tuple[float, float], angle: float) -> Plane:
    """A reflected lamp: a Gaussian spot with deviations ``axes``, 1 at its ``centre`` (pixels)."""
    x, y = _coarse_grid(shape, 4)
    dx, dy = x - centre[0], y - centre[1]
    u = (dx * math.cos(angle) + dy * math.sin(angle)) / max(axes[0], 1.0)
    v = (-dx * math.sin(angle) + dy * math.cos(angle)) / max(axes[1], 1.0)
    return enlarge(np.exp(-0.5 * (u * u + v * v)).astype(np.float32), shape, 4)


def window(
    shape: tuple[int, int], centre: tuple[float, float], half: tuple[float, float], angle: float, soft: float
) -> Plane:
    """A reflected window: a slanted rectangle with a cross bar and edges ``soft`` pixels wide, 0-1."""
    x, y = _coarse_grid(shape, 2)
    dx, dy = x - centre[0], y - centre[1]
    u = dx * math.cos(angle) + dy * math.sin(angle)
    v = -dx * math.sin(angle) + dy * math.cos(angle)
    soft = max(soft, 1.0)

    def inside(position: Plane, reach: float) -> Plane:
        return np.asarray(1 / (1 + np.exp(np.clip((np.abs(position) - reach) / soft * 4, -30, 30))), np.float32)

    pane = inside(u, half[0]) * inside(v, half[1])
    bars = 1 - 0.85 * np.maximum(inside(u, 0.05 * half[0]), inside(v, 0.04 * half[1]))
    return enlarge(np.asarray(pane * bars, np.float32), shape, 2)


def room(shape: tuple[int, int], random: np.random.Generator) -> Light:
    """What lies behind: a wall with a gradient of light and a few things on it, out of focus."""
    step = 4
    rows, columns = shape[0] // step + 2, shape[1] // step + 2
    wall = random.uniform(0.06, 0.6) * (1 + random.uniform(-0.18, 0.18, 3))
    picture = np.ones((rows, columns, 3), np.float32) * wall.astype(np.float32)
    for _ in range(int(random.integers(2, 7))):
        colour = random.uniform(0.01, 0.7) * (1 + random.uniform(-0.35, 0.35, 3))
        x, y = random.uniform(0, columns), random.uniform(0, rows)
        w, h = random.uniform(0.05, 0.4) * columns, random.uniform(0.05, 0.7) * rows
        box = cv2.boxPoints(((float(x), float(y)), (float(w), float(h)), float(random.choice([0, 0, 90, 8, -6]))))
        cv2.fillConvexPoly(picture, np.rint(box).astype(np.int32), tuple(float(c) for c in colour))
    picture = cv2.GaussianBlur(picture, (0, 0), float(random.uniform(0.006, 0.035)) * max(rows, columns) + 0.4)
    picture *= (1 + 0.25 * soft_field((rows, columns), 1.5, random))[..., None]
    return np.maximum(enlarge(np.asarray(picture, np.float32), shape, step), 0.002)
