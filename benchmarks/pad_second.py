"""A second, cruder maker of attacks, written apart from the generator that training uses: does the detector carry over?

Prints and screens as a simple program would draw them: no sub-pixel physics, no matched twins. A detector that learnt
only its generator's ways fails here. Everything goes through one JPEG chain, bona fide and attacks alike.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from samebody.types import Pixels

Plane = NDArray[np.float32]


def _chain(picture: Plane, random: np.random.Generator, side: int) -> Pixels:
    """Blur, size, noise and JPEG: the same for every kind."""
    picture = cv2.GaussianBlur(picture, (0, 0), random.uniform(0.3, 0.9)).astype(np.float32)
    picture = cv2.resize(picture, (side, side), interpolation=cv2.INTER_AREA).astype(np.float32)
    picture += random.normal(0, random.uniform(0.5, 4), picture.shape).astype(np.float32)
    done, data = cv2.imencode(
        ".jpg", np.clip(picture, 0, 255).astype(np.uint8), [cv2.IMWRITE_JPEG_QUALITY, int(random.integers(60, 96))]
    )
    assert done
    return np.asarray(cv2.imdecode(data, cv2.IMREAD_COLOR), np.uint8)


def _large(picture: Pixels, side: int) -> Plane:
    return np.asarray(cv2.resize(picture, (side, side), interpolation=cv2.INTER_CUBIC), np.float32)


def bona_fide(picture: Pixels, random: np.random.Generator, side: int) -> Pixels:
    """The picture through the chain."""
    return _chain(_large(picture, 2 * side), random, side)


def screen(picture: Pixels, random: np.random.Generator, side: int) -> Pixels:
    """Stripes of colour beating with the pixels, a blue cast, raised blacks, a soft bright spot."""
    large = _large(picture, 2 * side)
    y, x = np.mgrid[0 : 2 * side, 0 : 2 * side].astype(np.float32)
    angle, period = random.uniform(-0.2, 0.2), random.uniform(2.1, 5.5)
    phase = 2 * np.pi * (x * np.cos(angle) + y * np.sin(angle)) / period
    stripes = np.stack([np.cos(phase + shift) for shift in (0, 2.1, 4.2)], axis=-1)
    beat = (
        1
        + random.uniform(0.05, 0.25) * stripes * (1 + 0.5 * np.sin(2 * np.pi * y / random.uniform(30, 120)))[..., None]
    )
    cast = np.array([random.uniform(0.85, 1), random.uniform(0.93, 1.02), random.uniform(1, 1.15)])
    shown = (large * random.uniform(0.75, 0.95) + random.uniform(8, 30)) * beat * cast
    cx, cy = random.uniform(0, 2 * side, 2)
    spot = np.exp(-((x - cx) ** 2 + (y - cy) ** 2) / (2 * (random.uniform(0.1, 0.3) * side) ** 2))
    return _chain((shown + random.uniform(0, 70) * spot[..., None]).astype(np.float32), random, side)


def print_(picture: Pixels, random: np.random.Generator, side: int) -> Pixels:
    """Ordered dither in three inks, paper white below pure white, weak colours, uneven light."""
    large = _large(picture, 2 * side) / 255
    grey = large.mean(axis=2, keepdims=True)
    flat = grey + random.uniform(0.55, 0.9) * (large - grey)
    flat = random.uniform(0.08, 0.2) + flat * random.uniform(0.62, 0.78)
    if random.random() < 0.7:
        size = int(random.integers(3, 7))
        ramp = (np.arange(size * size).reshape(size, size) * 7 % (size * size) + 0.5) / (size * size)
        tiles = np.tile(ramp, (2 * side // size + 1, 2 * side // size + 1))[: 2 * side, : 2 * side]
        dots = (flat > tiles[..., None]).astype(np.float32)
        flat = flat + random.uniform(0.12, 0.45) * (dots - flat)
    y, x = np.mgrid[0 : 2 * side, 0 : 2 * side].astype(np.float32) / (2 * side)
    light = 1 + random.uniform(-0.25, 0.25) * (x - 0.5) + random.uniform(-0.25, 0.25) * (y - 0.5)
    paper = cv2.GaussianBlur(random.normal(0, 1, large.shape[:2]).astype(np.float32), (0, 0), 1.2)
    return _chain((255 * flat * light[..., None] * (1 + 0.03 * paper[..., None])).astype(np.float32), random, side)


MAKERS = {"bona fide": bona_fide, "print": print_, "screen_replay": screen}
"""Makers by what a table calls them."""
