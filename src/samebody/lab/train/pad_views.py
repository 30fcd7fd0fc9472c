"""What a picture goes through before training sees it: a window drawn about the face, and the ways pictures are spoilt.

Attacks and bona fide pictures go through the same with the same chances, and the two of a pair with the same draws, so
that nothing in here tells them apart. What real cameras and channels do and fairface lacks is what is drawn here:
webcams, small faces enlarged, low light, colour casts, grey pictures, several compressions.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import lru_cache

import cv2
import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from samebody.attacks.crops import cut, window
from samebody.stage import Parameters as Declared
from samebody.types import Box, Pixels

_DOWN = (cv2.INTER_AREA, cv2.INTER_AREA, cv2.INTER_LINEAR, cv2.INTER_CUBIC)
_UP = (cv2.INTER_LINEAR, cv2.INTER_CUBIC, cv2.INTER_LINEAR)


class ViewParameters(Declared):
    """How views are drawn.

    Attributes:
        side: of the square input in pixels.
        nearest, farthest: smallest and largest window over the longer side of the face box.
        spoil: 0-1, the chance of each kind of spoiling over its usual one; 0 leaves pictures as they are.
        redraw: share of the pairs of prints and screens whose attack is drawn anew over the twin
            (:mod:`samebody.lab.train.pad_redraw`).
    """

    side: int = Field(default=112, ge=48, le=256)
    nearest: float = Field(default=0.6, gt=0.2, le=2)
    farthest: float = Field(default=1.5, gt=0.2, le=3)
    spoil: float = Field(default=1.0, ge=0, le=1)
    redraw: float = Field(default=0.0, ge=0, le=1)


LARGEST_REDRAWN = 128
"""Side in pixels above which the views of a pair that is drawn anew are made smaller first, both alike."""

Change = Callable[[Pixels], Pixels]


def draw_view(
    pixels: Pixels,
    box: NDArray[np.float32],
    parameters: ViewParameters,
    random: np.random.Generator,
    change: Change | None = None,
) -> Pixels:
    """(side, side, 3) uint8 RGB: one random view.

    Args:
        pixels: (h, w, 3) uint8 RGB.
        box: left, top, width, height of the face.
        parameters: of the views.
        random: all draws; the same state gives the same draws, whatever the picture shows.
        change: what is done to the window before it is spoilt; None leaves it as it is.
    """
    p = parameters
    reach = math.exp(random.uniform(math.log(p.nearest), math.log(p.farthest)))
    loose = 0.08 + 0.35 * max(0.0, 1 - reach)
    across, down = random.uniform(-loose, loose, 2)
    where = window(Box(*(float(v) for v in box)), pixels.shape[:2], reach=reach, across=across, down=down)
    part: Pixels = pixels[where.top : where.top + where.side, where.left : where.left + where.side]
    if change is not None:
        if where.side > LARGEST_REDRAWN:
            size = (LARGEST_REDRAWN, LARGEST_REDRAWN)
            part = np.asarray(cv2.resize(part, size, interpolation=cv2.INTER_AREA), np.uint8)
        part = change(part)
    part = spoil(part, p.side, p.spoil, random)
    how = (_DOWN if part.shape[0] > p.side else _UP)[int(random.integers(0, 3))]
    if part.shape[0] != p.side:
        part = np.asarray(cv2.resize(part, (p.side, p.side), interpolation=how), np.uint8)
    return np.ascontiguousarray(part[:, ::-1] if random.random() < 0.5 else part)


def spoil(part: Pixels, side: int, chance: float, random: np.random.Generator) -> Pixels:
    """The channel between camera and detector; every draw is made whether it is used or not."""
    flags = random.random(12)
    values = random.random(12)
    normals = random.standard_normal(6)
    noise_seed = int(random.integers(0, 2**31))
    have = part.shape[0]
    if flags[0] < 0.25 * chance:  # small faces enlarged, and thumbnails
        small = max(40, round(have * (0.35 + 0.6 * values[0])))
        shrunk = cv2.resize(part, (small, small), interpolation=_DOWN[int(values[1] * 4)])
        part = np.asarray(cv2.resize(shrunk, (have, have), interpolation=_UP[int(values[2] * 3)]), np.uint8)
    if flags[1] < 0.15 * chance:
        part = np.asarray(cv2.GaussianBlur(part, (0, 0), 0.4 + 1.4 * values[3] * have / 160), np.uint8)
    elif flags[1] < 0.25 * chance:
        soft = cv2.GaussianBlur(part, (0, 0), 0.7 + 1.5 * values[3])
        part = np.asarray(cv2.addWeighted(part, 1 + values[4], soft, -values[4], 0), np.uint8)
    part = _tones(part, flags, values, normals, chance)
    if flags[2] < 0.3 * chance:
        part = _grain(part, 1.0 + 9.0 * values[5] ** 2, values[6], noise_seed)
    if flags[3] < 0.5 * chance:
        quality = round(35 + 60 * values[7])
        done, data = cv2.imencode(".jpg", part, [cv2.IMWRITE_JPEG_QUALITY, quality])
        if done:
            part = np.asarray(cv2.imdecode(data, cv2.IMREAD_COLOR), np.uint8)
    return part


def _tones(
    part: Pixels,
    flags: NDArray[np.float64],
    values: NDArray[np.float64],
    normals: NDArray[np.float64],
    chance: float,
) -> Pixels:
    """Exposure, contrast, gamma, white balance, saturation: one table a channel and one matrix."""
    if flags[4] < 0.6 * chance:
        level = np.linspace(0, 1, 256)
        gamma = math.exp(0.22 * float(normals[0]))
        contrast = 1 + 0.2 * float(np.clip(normals[1], -2, 2))
        shift = 0.05 * float(normals[2])
        cast = 1 + 0.07 * np.array([normals[3], 0.4 * normals[4], normals[5]])
        tables = np.empty((256, 1, 3), np.uint8)
        for channel in range(3):
            curve = (np.clip(level * cast[channel], 0, 1) ** gamma - 0.5) * contrast + 0.5 + shift
            tables[:, 0, channel] = np.clip(curve * 255 + 0.5, 0, 255).astype(np.uint8)
        part = np.asarray(cv2.LUT(np.ascontiguousarray(part), tables), np.uint8)
    if flags[5] < 0.3 * chance:
        grey = cv2.cvtColor(np.ascontiguousarray(part), cv2.COLOR_RGB2GRAY)[..., None]
        amount = 0.0 if flags[6] < 0.15 else 0.5 + 0.9 * float(values[8])
        mixed = part.astype(np.float32) * amount + grey.astype(np.float32) * (1 - amount)
        part = np.asarray(np.clip(mixed + 0.5, 0, 255), np.uint8)
    return part


@lru_cache(maxsize=1)
def _noise() -> NDArray[np.float32]:
    """A sheet of normal noise that grain is cut from; drawing one for each view would cost more than the network."""
    return np.random.default_rng(20211).standard_normal((640, 640, 3), dtype=np.float32)


def _grain(part: Pixels, sigma: float, coarse: float, seed: int) -> Pixels:
    """Sensor noise, now and then as coarse and coloured as a cheap sensor's after its own smoothing."""
    height, width = part.shape[:2]
    sheet = _noise()
    top, left = seed % max(1, sheet.shape[0] - height), seed // 1024 % max(1, sheet.shape[1] - width)
    noise = sheet[top : top + height, left : left + width, :: 1 if seed % 2 else -1]
    if noise.shape != part.shape:
        noise = np.random.default_rng(seed).standard_normal(part.shape, dtype=np.float32)
    noise = noise * np.float32(sigma)
    if coarse > 0.5:
        noise = cv2.GaussianBlur(noise, (0, 0), 0.5 + coarse) * np.float32(1.5 + 1.5 * coarse)
    return np.asarray(cv2.add(part, noise, dtype=cv2.CV_8U), np.uint8)


def straight_view(pixels: Pixels, box: NDArray[np.float32], side: int, reach: float) -> Pixels:
    """(side, side, 3): the view that measuring uses, without any draw."""
    return cut(pixels, window(Box(*(float(v) for v in box)), pixels.shape[:2], reach=reach), side)
