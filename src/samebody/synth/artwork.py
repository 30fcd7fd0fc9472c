"""The printed ground of a specimen: paper, guilloche, rosettes, microprint, emblem and header.

A state prints it once for all its holders. Lines are drawn as vectors with sub-pixel positions. A design belongs to a
series of the fictional state, not to a holder: the same layout, resolution and series give the same ground, which is
cached.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image as PillowImage
from PIL import ImageDraw

from samebody.synth.layout import LAYOUTS, Layout
from samebody.synth.lettering import font_of_cap_height
from samebody.types import Pixels

SERIES = 8
"""How many designs the fictional state has issued."""

_SHIFT = 4  # cv2 draws with 4 fractional bits

# Two tints of the ground, the ink of the header, and a third ink for the rosette, for every series.
_PALETTES: tuple[tuple[tuple[int, int, int], ...], ...] = (
    ((226, 178, 190), (176, 200, 226), (122, 32, 52), (196, 150, 120)),
    ((174, 206, 186), (232, 214, 168), (24, 84, 60), (160, 150, 200)),
    ((178, 196, 228), (214, 190, 222), (28, 44, 104), (140, 190, 190)),
    ((236, 206, 172), (190, 212, 204), (124, 70, 20), (210, 160, 170)),
    ((196, 190, 226), (184, 220, 224), (64, 40, 110), (220, 170, 140)),
    ((222, 200, 206), (206, 216, 180), (96, 30, 80), (150, 180, 215)),
    ((180, 214, 216), (228, 196, 182), (10, 84, 96), (190, 165, 205)),
    ((212, 212, 196), (186, 196, 218), (60, 60, 64), (200, 170, 140)),
)


def _polyline(mask: NDArray[np.uint8], points: NDArray[np.float64], strength: int, thickness: int = 1) -> None:
    fixed = np.round((points - 0.5) * 2**_SHIFT).astype(np.int32)
    cv2.polylines(mask, [fixed.reshape(-1, 1, 2)], False, (strength,), thickness, cv2.LINE_AA, _SHIFT)


def _waves(width: int, height: int, scale: float, random: np.random.Generator, strength: int) -> NDArray[np.uint8]:
    """A field of fine wavy lines whose phase drifts from line to line, coverage 0-255."""
    mask = np.zeros((height, width), np.uint8)
    x = np.arange(-scale, width + scale, 0.35 * scale)
    period, second = random.uniform(14, 26) * scale, random.uniform(40, 70) * scale
    amplitude, drift = random.uniform(1.4, 2.6) * scale, random.uniform(0.10, 0.24)
    angle = random.uniform(-0.25, 0.25)
    for number, offset in enumerate(np.arange(-0.4 * height, 1.4 * height, random.uniform(0.85, 1.15) * scale)):
        y = offset + amplitude * np.sin(2 * np.pi * x / period + drift * number)
        y = y + 1.7 * amplitude * np.sin(2 * np.pi * x / second - 0.5 * drift * number) + angle * (x - width / 2)
        _polyline(mask, np.stack([x, y], axis=1), strength)
    return mask


def _rosette(
    mask: NDArray[np.uint8], centre: tuple[float, float], radius: float, random: np.random.Generator, strength: int
) -> None:
    """A rosette of nested closed curves around ``centre``."""
    petals, twist = int(random.integers(7, 15)), random.uniform(0.03, 0.09)
    angle = np.linspace(0, 2 * np.pi, 1400)
    for ring in range(16):
        share = 0.22 + 0.78 * (ring + 1) / 16
        reach = radius * share * (1 + 0.16 * np.sin(petals * angle + twist * ring * petals) * (1.1 - 0.5 * share))
        points = np.stack([centre[0] + reach * np.cos(angle), centre[1] + reach * np.sin(angle)], axis=1)
        _polyline(mask, points, strength)


def _band(
    mask: NDArray[np.uint8], y: float, width: int, scale: float, random: np.random.Generator, strength: int
) -> None:
    """A braided band of guilloche across the page at height ``y``."""
    x = np.arange(0, width, 0.3 * scale)
    period, amplitude = random.uniform(9, 14) * scale, random.uniform(1.3, 1.9) * scale
    for strand in range(9):
        phase = 2 * np.pi * strand / 9
        curve = y + amplitude * np.sin(2 * np.pi * x / period + phase) * (
            0.7 + 0.3 * np.sin(2 * np.pi * x / (3.7 * period))
        )
        _polyline(mask, np.stack([x, curve], axis=1), strength)


def emblem(mask: NDArray[np.uint8], centre: tuple[float, float], radius: float, strength: int = 255) -> None:
    """The emblem of the fictional state: an island with a tower in a ring of sixteen rays."""
    angle = np.linspace(0, 2 * np.pi, 120)
    weight = max(1, round(radius / 16))
    for reach in (1.0, 0.86):
        circle = np.stack(
            [centre[0] + radius * reach * np.cos(angle), centre[1] + radius * reach * np.sin(angle)], axis=1
        )
        _polyline(mask, circle, strength, weight)
    for ray in np.linspace(0, 2 * np.pi, 16, endpoint=False):
        spoke = np.array([[np.cos(ray), np.sin(ray)]]) * np.array([[0.66], [0.82]]) * radius + np.array(centre)
        _polyline(mask, spoke, strength, weight)
    hill = np.linspace(-0.55, 0.55, 30)
    island = np.stack([hill, 0.42 - 0.24 * np.cos(hill * np.pi / 1.1)], axis=1)
    tower = np.array([[-0.1, 0.2], [-0.1, -0.35], [-0.16, -0.35], [0, -0.58], [0.16, -0.35], [0.1, -0.35], [0.1, 0.2]])
    for shape in (np.concatenate([island, [[0.55, 0.5], [-0.55, 0.5]]]), tower):
        fixed = np.round((shape * radius + np.array(centre) - 0.5) * 2**_SHIFT).astype(np.int32)
        cv2.fillPoly(mask, [fixed.reshape(-1, 1, 2)], (strength,), cv2.LINE_AA, _SHIFT)


def _microprint(size: tuple[int, int], lines: list[tuple[float, float, float]], dots: float) -> NDArray[np.uint8]:
    """Rules that are text too small to read without a lens: (x, y, length) in millimetres, coverage 0-255."""
    picture = PillowImage.new("L", size, 0)
    draw = ImageDraw.Draw(picture)
    letters = font_of_cap_height("bold", 0.24 * dots)
    word = "UTOPIAREPUBLICSPECIMEN"
    word_length = letters.getlength(word)
    for x, y, length in lines:
        text = word * max(1, round(length * dots / word_length))
        draw.text((x * dots, y * dots), text, font=letters, anchor="ls", fill=200)
    return np.asarray(picture)


def _paper(height: int, width: int, random: np.random.Generator) -> NDArray[np.float32]:
    """Security paper or polycarbonate: off-white with faint clouds, float32 (height, width, 3), 0-255."""
    clouds = cv2.resize(
        random.standard_normal((12, 16)).astype(np.float32), (width, height), interpolation=cv2.INTER_CUBIC
    )
    base = np.array([247, 246, 241], np.float32) + random.uniform(-3, 3, 3).astype(np.float32)
    return np.asarray(base[None, None] + 1.2 * clouds[..., None], np.float32)


def _blend(page: NDArray[np.float32], mask: NDArray[np.uint8], ink: NDArray[Any], strength: float) -> None:
    """Overprint: ink multiplies what is below where the mask covers it; ``ink`` broadcasts against ``page``."""
    rows = np.flatnonzero(mask.any(axis=1))
    if rows.size == 0:
        return
    part = slice(int(rows[0]), int(rows[-1]) + 1)
    loss = np.asarray(strength / 255 * (1 - ink / 255), np.float32)
    page[part] *= 1 - mask[part].astype(np.float32)[..., None] * loss


@lru_cache(maxsize=6)
def ground(layout_name: str, dots_per_inch: int, series: int) -> Pixels:
    """The printed ground of a layout before personalisation, (height, width, 3) uint8 RGB; read-only because cached."""
    layout = LAYOUTS[layout_name]
    dots = dots_per_inch / 25.4
    width, height = round(layout.width * dots), round(layout.height * dots)
    random = np.random.default_rng([series, sum(map(ord, layout.format))])
    first, second, ink, third = (np.array(colour, np.float32) for colour in _PALETTES[series % len(_PALETTES)])
    page = _paper(height, width, random)
    ramp = np.linspace(0, 1, width, dtype=np.float32)[None, :, None]
    tint = first * (1 - ramp) + second * ramp  # the two tints run into each other, as in rainbow printing
    rainbow = 255 * (tint / 255) ** 2.4  # as line ink, where little of the paper is covered
    page *= 1 - random.uniform(0.25, 0.5) * (1 - tint / 255)
    _blend(page, _waves(width, height, dots, random, 255), rainbow, 0.62)
    _blend(page, _waves(width, height, dots, random, 255), rainbow[:, ::-1], 0.45)
    figures = np.zeros((height, width), np.uint8)
    for _ in range(3):
        where = (random.uniform(0.3, 0.95) * width, random.uniform(0.2, 0.62) * height)
        _rosette(figures, where, random.uniform(0.18, 0.32) * height, random, 230)
    _blend(page, figures, 255 * (third / 255) ** 1.8, 0.55)
    if layout.mrz_left is not None:  # states keep the ground of the machine-readable zone lighter
        zone = page[height - round(23.2 * dots) :]
        zone += (np.array([248, 247, 243], np.float32) - zone) * random.uniform(0.15, 0.7)
    rules = np.zeros((height, width), np.uint8)
    swing = dots * min(1.0, layout.header / 12)
    _band(rules, layout.header * dots + 0.4 * swing, width, swing, random, 255)
    if layout.mrz_left is not None:
        _band(rules, (layout.height - 23.2) * dots, width, swing, random, 255)
    _blend(page, rules, rainbow * 0.7, 0.7)
    _header(page, layout, dots, ink, second)
    return _frozen(np.clip(np.rint(page), 0, 255).astype(np.uint8))


def _frozen(pixels: Pixels) -> Pixels:
    pixels.flags.writeable = False
    return pixels


@lru_cache(maxsize=SERIES)
def facing_page(dots_per_inch: int, series: int) -> Pixels:
    """The page above the data page of an open passport, TD3 size: observations and a page number; read-only."""
    dots = dots_per_inch / 25.4
    width, height = round(125 * dots), round(88 * dots)
    random = np.random.default_rng([series, 9303])
    first, second, ink, third = (np.array(colour, np.float32) for colour in _PALETTES[series % len(_PALETTES)])
    page = _paper(height, width, random)
    _blend(page, _waves(width, height, dots, random, 255), 255 * (first / 255) ** 2.4, 0.6)
    figure = np.zeros((height, width), np.uint8)
    _rosette(figure, (0.5 * width, 0.45 * height), 0.36 * height, random, 230)
    _blend(page, figure, 255 * (third / 255) ** 1.8, 0.6)
    picture = PillowImage.new("L", (width, height), 0)
    draw = ImageDraw.Draw(picture)
    large, small = font_of_cap_height("bold", 2.2 * dots), font_of_cap_height("regular", 1.4 * dots)
    draw.text((0.5 * width, 9 * dots), "OBSERVATIONS", font=large, anchor="ms", fill=255)
    lines = (
        "This passport contains 32 pages and remains the property of the state that issued it.",
        "Ce passeport contient 32 pages et reste la propriété de l'État qui l'a délivré.",
        "The bearer is asked to sign below. SPECIMEN - of no value.",
    )
    for number, line in enumerate(lines):
        draw.text((8 * dots, (62 + 4.5 * number) * dots), line, font=small, anchor="ls", fill=230)
    draw.text((0.5 * width, 84 * dots), str(int(random.integers(1, 4))), font=large, anchor="ms", fill=255)
    _blend(page, np.asarray(picture), 0.5 * (ink + second * 0.5), 0.9)
    return _frozen(np.clip(np.rint(page), 0, 255).astype(np.uint8))


def _header(
    page: NDArray[np.float32], layout: Layout, dots: float, ink: NDArray[np.float32], tint: NDArray[np.float32]
) -> None:
    """State name, title, emblem, microprint and the word SPECIMEN, printed with the ground."""
    height, width = page.shape[:2]
    mark = np.zeros((height, width), np.uint8)
    radius = 0.40 * layout.header * dots
    emblem(mark, (4 * dots + radius, 0.5 * layout.header * dots), radius)
    shadow = np.zeros((height, width), np.uint8)
    emblem(shadow, (0.66 * width, 0.46 * height), 0.26 * height)
    _blend(page, shadow, 255 * (tint / 255) ** 2, 0.22)
    picture = PillowImage.new("L", (width, height), 0)
    draw = ImageDraw.Draw(picture)
    cap = 0.27 * layout.header * dots
    left, middle = 4 * dots + 2.6 * radius, 0.5 * layout.header * dots
    large, small = font_of_cap_height("bold", cap), font_of_cap_height("regular", 0.52 * cap)
    draw.text((left, middle), "UTOPIA", font=large, anchor="ls", fill=255)
    draw.text((left, middle + 0.95 * cap), "UTOPIE", font=small, anchor="ls", fill=255)
    centre = 0.52 * width
    draw.text((centre, middle), layout.title[0], font=large, anchor="ms", fill=255)
    if layout.title[1] != layout.title[0]:
        draw.text((centre, middle + 0.95 * cap), layout.title[1], font=small, anchor="ms", fill=255)
    _blend(page, np.maximum(np.asarray(picture), mark), ink, 0.95)
    word = PillowImage.new("L", (width, height), 0)
    stamp = ImageDraw.Draw(word)
    stamp.text(
        (width - 4 * dots, middle), "SPECIMEN", font=font_of_cap_height("bold", 0.9 * cap), anchor="rs", fill=255
    )
    _blend(page, np.asarray(word), np.array([190, 24, 32], np.float32), 0.92)
    large_word = PillowImage.new("L", (width, height), 0)
    visual = height - (23.2 * dots if layout.mrz_left is not None else 0)
    face = font_of_cap_height("bold", 0.0975 * width)
    ImageDraw.Draw(large_word).text((0.58 * width, 0.62 * visual), "SPECIMEN", font=face, anchor="mm", fill=255)
    tilted = large_word.rotate(14, resample=PillowImage.Resampling.BILINEAR, center=(0.58 * width, 0.62 * visual))
    _blend(page, np.asarray(tilted), np.array([214, 90, 90], np.float32), 0.13)
    rules = [(4.0, layout.header + 1.0, layout.width - 8.0), (4.0, layout.height - 1.3, layout.width - 8.0)]
    if layout.mrz_left is not None:
        rules.append((4.0, layout.height - 22.4, layout.width - 8.0))
    _blend(page, _microprint((width, height), rules, dots), ink * 0.8 + 40, 0.8)
