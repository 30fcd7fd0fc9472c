"""What lies under and beside the document: tables, cloth, stone, printed paper, and the passport page around it."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from benchmarks.second_renderer import artwork
from benchmarks.second_renderer.artwork import Canvas

KINDS = ("wood", "cloth", "stone", "paper", "plain", "tiles")

_WORDS = (
    "minutes", "of", "the", "meeting", "held", "on", "order", "no", "delivery", "total", "amount", "due",
    "account", "please", "quote", "this", "reference", "page",
)  # fmt: skip


def _field(height: int, width: int, cell_x: float, cell_y: float, random: np.random.Generator) -> NDArray[np.float32]:
    """Smooth noise in about -1 to 1 with features of the given sizes in pixels."""
    rows, columns = max(2, int(height / cell_y) + 2), max(2, int(width / cell_x) + 2)
    coarse = random.normal(0, 0.5, (rows, columns)).astype(np.float32)
    return cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC)


def background(kind: str, height: int, width: int, pixels_per_mm: float, random: np.random.Generator) -> Canvas:
    """A surface as sRGB values in 0-1, shape (height, width, 3), seen at ``pixels_per_mm``."""
    p = pixels_per_mm
    if kind == "wood":
        base = np.array([0.62, 0.44, 0.28]) * random.uniform(0.35, 1.25)
        long, short = p * random.uniform(60, 160), p * random.uniform(1.5, 4)
        turned = random.random() < 0.5
        size = (width, height) if turned else (height, width)
        grain = _field(size[0], size[1], long, short, random) + 0.6 * _field(
            size[0], size[1], long / 3, short / 3, random
        )
        rings = np.sin(_field(size[0], size[1], long * 2, short * 9, random) * 14)
        shade = (0.10 * grain + 0.05 * rings).astype(np.float32)
        shade = shade.T if turned else shade
        canvas = base * (1 + shade[..., None])
    elif kind == "cloth":
        base = random.uniform(0.12, 0.8, 3)
        y, x = np.mgrid[0:height, 0:width].astype(np.float32)
        step = p * random.uniform(0.5, 1.1)
        weave = np.sin(2 * np.pi * x / step) * np.sin(2 * np.pi * y / step)
        folds = _field(height, width, p * 40, p * 30, random)
        canvas = base * (1 + 0.10 * weave[..., None] + 0.12 * folds[..., None])
    elif kind == "stone":
        base = np.ones(3) * random.uniform(0.25, 0.85) * random.uniform(0.93, 1.05, 3)
        speckle = _field(height, width, max(2, p * 0.8), max(2, p * 0.8), random) + _field(
            height, width, p * 4, p * 4, random
        )
        veins = np.exp(-np.abs(_field(height, width, p * 45, p * 30, random)) * 30)
        canvas = base * (1 + 0.10 * speckle[..., None] - 0.22 * veins[..., None])
    elif kind == "paper":
        canvas = np.ones((height, width, 3)) * random.uniform(0.82, 0.97) * random.uniform(0.97, 1.0, 3)
        canvas = canvas.astype(np.float32)
        line, row = p * random.uniform(4.5, 7), p * random.uniform(3, 9)
        while row < height:
            column = p * random.uniform(2, 14)
            while column < width and random.random() < 0.96:
                word = _WORDS[int(random.integers(len(_WORDS)))]
                mask = artwork.text_mask(word, max(3.0, p * 1.7))
                artwork.lay(canvas, mask, int(column), int(row), (0.15, 0.15, 0.17), 0.9)
                column += mask.shape[1] + p * 1.4
            row += line
    elif kind == "tiles":
        base = random.uniform(0.3, 0.85, 3)
        y, x = np.mgrid[0:height, 0:width].astype(np.float32)
        angle = random.uniform(0, np.pi)
        u, v = x * np.cos(angle) + y * np.sin(angle), -x * np.sin(angle) + y * np.cos(angle)
        size = p * random.uniform(25, 60)
        joints = np.maximum(np.exp(-(((u % size) / p - 1) ** 2)), np.exp(-(((v % size) / p - 1) ** 2)))
        canvas = base * (1 - 0.45 * joints[..., None] + 0.05 * _field(height, width, p * 10, p * 10, random)[..., None])
    else:
        base = random.uniform(0.05, 0.95, 3) if random.random() < 0.5 else np.ones(3) * random.uniform(0.05, 0.95)
        canvas = base * (1 + 0.03 * _field(height, width, p * 60, p * 60, random)[..., None])
    return np.clip(canvas, 0.01, 1).astype(np.float32)


def booklet(size: tuple[float, float], pixels_per_mm: float, random: np.random.Generator) -> Canvas:
    """A passport leaf of ``size`` millimetres as sRGB values: pale ground, fine lines, a page number, perforation."""
    width, height = round(size[0] * pixels_per_mm), round(size[1] * pixels_per_mm)
    canvas = artwork.iris_print(height, width, random)
    artwork.wave_tint(canvas, pixels_per_mm, artwork.deep(random), random, 0.25)
    centre = (width * float(random.uniform(0.3, 0.7)), height * float(random.uniform(0.3, 0.7)))
    artwork.rosette(canvas, centre, 25 * pixels_per_mm, artwork.deep(random), random)
    number = artwork.text_mask(str(int(random.integers(2, 47))), 2.0 * pixels_per_mm)
    artwork.lay(
        canvas, number, width - round(9 * pixels_per_mm), height - round(6 * pixels_per_mm), artwork.deep(random)
    )
    return canvas
