"""What lies around a photographed page: wood, cloth, desk, stone, papers with text, the rest of the passport."""

from __future__ import annotations

import string
from collections.abc import Callable

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image as PillowImage
from PIL import ImageDraw

from samebody.synth.lettering import font

Texture = NDArray[np.uint8]


def _noise(random: np.random.Generator, height: int, width: int, rows: int, columns: int) -> NDArray[np.float32]:
    """Smooth noise with about ``rows`` by ``columns`` features, mean 0, deviation about 1."""
    coarse = random.standard_normal((max(2, rows), max(2, columns))).astype(np.float32)
    return np.asarray(cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC), np.float32)


def _tinted(value: NDArray[np.float32], dark: tuple[int, int, int], light: tuple[int, int, int]) -> Texture:
    share = np.clip(value, 0, 1)[..., None]
    low, high = np.array(dark, np.float32), np.array(light, np.float32)
    return np.rint(low + share * (high - low)).astype(np.uint8)


def wood(random: np.random.Generator, height: int, width: int) -> Texture:
    """Boards with grain along x."""
    bend = _noise(random, height, width, 4, 2) * 0.12
    y = np.linspace(0, random.uniform(7, 16), height, dtype=np.float32)[:, None]
    rings = 0.5 + 0.5 * np.sin(2 * np.pi * (y + bend * 6 + 0.25 * _noise(random, height, width, 14, 2)))
    fibre = _noise(random, height, width, height // 2, max(2, width // 90))
    boards = np.floor(np.linspace(0, random.uniform(1.5, 4), height, dtype=np.float32))[:, None]
    shade = 0.06 * np.sin(12.9 * boards + 4) + np.zeros((height, width), np.float32)
    darks = ((70, 42, 24), (120, 84, 52), (150, 120, 86), (52, 36, 28))
    lights = ((140, 96, 62), (196, 154, 108), (222, 196, 160), (104, 78, 60))
    tone = int(random.integers(len(darks)))
    return _tinted(0.35 + 0.4 * rings + 0.10 * fibre + shade, darks[tone], lights[tone])


def cloth(random: np.random.Generator, height: int, width: int) -> Texture:
    """A plain weave with folds."""
    pitch = random.uniform(4.0, 9.0)
    x, y = np.arange(width, dtype=np.float32)[None, :], np.arange(height, dtype=np.float32)[:, None]
    weave = np.sin(2 * np.pi * x / pitch) * np.sin(2 * np.pi * y / pitch)
    value = (
        0.5
        + 0.13 * weave
        + 0.16 * _noise(random, height, width, 3, 4)
        + 0.06 * _noise(random, height, width, height // 3, width // 3)
    )
    colour = random.integers(20, 150, 3)
    light = np.minimum(colour + random.integers(40, 90), 255)
    return _tinted(value, tuple(int(c) for c in colour), tuple(int(c) for c in light))  # type: ignore[arg-type]


def desk(random: np.random.Generator, height: int, width: int) -> Texture:
    """A laminated desk, nearly uniform."""
    value = (
        0.5 + 0.16 * _noise(random, height, width, 2, 3) + 0.05 * _noise(random, height, width, height // 4, width // 4)
    )
    base = int(random.choice([40, 90, 150, 205, 225]))
    dark = tuple(int(np.clip(base + random.integers(-14, 15), 0, 255)) for _ in range(3))
    light = tuple(min(255, c + 26) for c in dark)
    return _tinted(value, dark, light)  # type: ignore[arg-type]


def stone(random: np.random.Generator, height: int, width: int) -> Texture:
    """Speckled stone or concrete."""
    value = (
        0.5 + 0.12 * _noise(random, height, width, 6, 8) + 0.16 * _noise(random, height, width, height // 3, width // 3)
    )
    veins = np.abs(_noise(random, height, width, 5, 5) + 0.4 * _noise(random, height, width, 16, 16))
    value -= 0.25 * np.exp(-((veins / 0.05) ** 2))
    base = int(random.integers(70, 190))
    return _tinted(value, (base - 30, base - 32, base - 34), (min(255, base + 55),) * 3)


def papers(random: np.random.Generator, height: int, width: int) -> Texture:
    """Sheets with printed text on a desk: the distractors a reader must not take for the document."""
    ground = desk(random, height, width)
    for _ in range(int(random.integers(2, 5))):
        sheet = _sheet(
            random,
            max(200, round(height * random.uniform(0.6, 1.0))),
            max(200, round(width * random.uniform(0.45, 0.8))),
        )
        centre = (random.uniform(0, width), random.uniform(0, height))
        angle = random.uniform(-40, 40)
        matrix = cv2.getRotationMatrix2D((sheet.shape[1] / 2, sheet.shape[0] / 2), angle, 1.0)
        matrix[:, 2] += np.array(centre) - np.array([sheet.shape[1] / 2, sheet.shape[0] / 2])
        cv2.warpAffine(
            sheet, matrix, (width, height), dst=ground, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_TRANSPARENT
        )
    return ground


def _sheet(random: np.random.Generator, height: int, width: int) -> Texture:
    tone = int(random.integers(215, 250))
    picture = PillowImage.new(
        "RGB", (width, height), (tone, tone - int(random.integers(0, 8)), tone - int(random.integers(0, 14)))
    )
    draw = ImageDraw.Draw(picture)
    size = float(random.integers(13, 30))
    face = font("ocr-b" if random.random() < 0.3 else "regular", size)
    alphabet = np.array(list(string.ascii_lowercase + "eeeaaiioout" + "     "))
    y = size * 2
    while y < height - size:
        count = int(random.uniform(0.5, 1.0) * (width - 4 * size) / (0.56 * size))
        text = "".join(random.choice(alphabet, max(1, count)))
        draw.text((2 * size, y), text.capitalize(), font=face, fill=(48, 48, 52))
        y += size * (2.6 if random.random() < 0.15 else 1.45)
    return np.asarray(picture).copy()


TEXTURES: dict[str, Callable[[np.random.Generator, int, int], Texture]] = {
    "wood": wood,
    "cloth": cloth,
    "desk": desk,
    "stone": stone,
    "papers": papers,
}


def draw_surroundings(kind: str, random: np.random.Generator, height: int, width: int) -> Texture:
    """The surface of ``kind``, (height, width, 3) uint8 RGB, turned by a quarter now and then.

    Made at half the resolution where it is large: the surface is out of the lens's best focus anyway, and half the
    pixels a side cost a quarter of the time.
    """
    share = 2 if max(height, width) > 1200 else 1
    rows, columns = -(-height // share), -(-width // share)
    if random.random() < 0.5:
        texture = np.ascontiguousarray(TEXTURES[kind](random, columns, rows).transpose(1, 0, 2))
    else:
        texture = TEXTURES[kind](random, rows, columns)
    if share > 1:
        texture = np.asarray(
            cv2.resize(texture, (columns * share, rows * share), interpolation=cv2.INTER_CUBIC), np.uint8
        )
    return texture[:height, :width]
