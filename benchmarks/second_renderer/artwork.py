"""Security printing and faces of the second renderer: rosettes, wave tints, relief lines, foil and drawn portraits."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image as PillowImage
from PIL import ImageDraw, ImageFont

Colour = tuple[float, float, float]
Canvas = NDArray[np.float32]
"""Reflectance as sRGB values, shape (height, width, 3), range 0-1."""

_FONTS = Path(__file__).parent / "fonts"
_SHIFT = 4


@lru_cache(maxsize=64)
def font(bold: bool, size: int) -> ImageFont.FreeTypeFont:
    """The visual zone's typeface at ``size`` pixels an em."""
    return ImageFont.truetype(str(_FONTS / ("SpecimenSans-Bold.ttf" if bold else "SpecimenSans-Regular.ttf")), size)


def text_mask(text: str, height_px: float, *, bold: bool = False) -> NDArray[np.float32]:
    """Coverage of a line of text whose capitals are ``height_px`` tall, cropped to its advance; shape (h, w), 0-1."""
    face = font(bold, max(4, round(height_px / 0.729)))
    left, _, right, bottom = face.getbbox(text or " ")
    picture = PillowImage.new("L", (int(right - min(0, left)) + 4, int(bottom) + 4), 0)
    ImageDraw.Draw(picture).text((2 - min(0, left), 0), text, font=face, fill=255)
    ascent = int(face.getbbox("H")[3])
    mask = np.asarray(picture, np.float32) / 255
    above = ascent - round(height_px * 1.45)
    return mask[max(0, above) :, :]


def lay(canvas: Canvas, coverage: NDArray[np.float32], x: int, y: int, colour: Colour, opacity: float = 1.0) -> None:
    """Print ``colour`` with ``coverage`` at a pixel position, clipped to the canvas, in place."""
    height, width = canvas.shape[:2]
    left, top = max(0, x), max(0, y)
    right, bottom = min(width, x + coverage.shape[1]), min(height, y + coverage.shape[0])
    if right <= left or bottom <= top:
        return
    part = coverage[top - y : bottom - y, left - x : right - x]
    rows = np.flatnonzero(part.any(axis=1))
    if not len(rows):
        return
    part = part[rows[0] : rows[-1] + 1] * np.float32(opacity)
    area = canvas[top + rows[0] : top + rows[-1] + 1, left:right]
    for channel, value in enumerate(colour):
        area[..., channel] += part * (np.float32(value) - area[..., channel])


def _curve(canvas: NDArray[np.uint8], points: NDArray[np.float64], thickness: int = 1) -> None:
    fixed = np.round(points * 2**_SHIFT).astype(np.int32).reshape(-1, 1, 2)
    cv2.polylines(canvas, [fixed], False, 255, thickness, cv2.LINE_AA, _SHIFT)


def rosette(
    canvas: Canvas, centre: tuple[float, float], radius: float, colour: Colour, random: np.random.Generator
) -> None:
    """A nest of hypotrochoids, as on banknotes."""
    height, width = canvas.shape[:2]
    mask = np.zeros((height, width), np.uint8)
    petals = int(random.integers(7, 19))
    angle = np.linspace(0, 2 * np.pi, 900)
    for step in np.linspace(0.25, 1.0, int(random.integers(7, 13))):
        wave = 1 + 0.22 * np.cos(petals * angle + step * 4) * step
        points = np.stack(
            [centre[0] + radius * step * wave * np.cos(angle), centre[1] + radius * step * wave * np.sin(angle)], axis=1
        )
        _curve(mask, points)
    lay(canvas, mask.astype(np.float32) / 255, 0, 0, colour, float(random.uniform(0.25, 0.5)))


def wave_tint(
    canvas: Canvas, pixels_per_mm: float, colour: Colour, random: np.random.Generator, opacity: float
) -> None:
    """A field of fine lines that swell and drift across the page."""
    height, width = canvas.shape[:2]
    mask = np.zeros((height, width), np.uint8)
    spacing = float(random.uniform(0.7, 1.3)) * pixels_per_mm
    x = np.linspace(0, width, 160)
    amplitude, period, phase = random.uniform(0.5, 3.0), random.uniform(18, 60), random.uniform(0, 6.3)
    second = random.uniform(0.3, 1.5)
    slope = float(random.uniform(-0.25, 0.25))
    for row in np.arange(-0.3 * height, 1.3 * height, spacing):
        drift = amplitude * np.sin(2 * np.pi * x / (period * pixels_per_mm) + phase + row / height * 4)
        drift += second * np.sin(2 * np.pi * x / (period * 0.37 * pixels_per_mm) - row / height * 9)
        _curve(mask, np.stack([x, row + drift * pixels_per_mm + slope * x], axis=1))
    lay(canvas, mask.astype(np.float32) / 255, 0, 0, colour, opacity)


def iris_print(height: int, width: int, random: np.random.Generator) -> Canvas:
    """The page's pale ground: two or three inks that run into each other."""
    hue = random.uniform(0, 1)
    stops = [_pale((hue + offset) % 1, random) for offset in (0, random.uniform(0.08, 0.35), random.uniform(-0.2, 0.2))]
    angle = random.uniform(-0.7, 0.7)
    y, x = np.mgrid[0:height:8, 0:width:8].astype(np.float32)
    along = (x / width * np.cos(angle) + y / height * np.sin(angle)).astype(np.float32)
    along = (along - along.min()) / max(1e-6, float(np.ptp(along)))
    channels = [np.interp(along, [0, 0.5, 1], [stop[index] for stop in stops]) for index in range(3)]
    small = np.stack(channels, axis=-1).astype(np.float32)
    return np.asarray(cv2.resize(small, (width, height), interpolation=cv2.INTER_LINEAR), np.float32)


def _pale(hue: float, random: np.random.Generator) -> Colour:
    saturation, value = random.uniform(0.04, 0.16), random.uniform(0.88, 0.96)
    ramp = [abs(((hue * 6 + shift) % 6) - 3) - 1 for shift in (0, 4, 2)]
    red, green, blue = (value * (1 - saturation + saturation * min(1.0, max(0.0, part))) for part in ramp)
    return (float(red), float(green), float(blue))


def deep(random: np.random.Generator) -> Colour:
    """A printing ink for patterns: middling dark, coloured."""
    base = random.uniform(0.25, 0.6, 3)
    base[int(random.integers(3))] += 0.25
    return (float(base[0]), float(base[1]), float(base[2]))


def foil(canvas: Canvas, box: tuple[float, float, float, float], random: np.random.Generator) -> None:
    """A transparent diffractive patch over whatever lies beneath; ``box`` is x, y, width, height in pixels."""
    x0, y0, width, height = (round(value) for value in box)
    y, x = np.mgrid[0:height, 0:width].astype(np.float32)
    cx, cy = width / 2, height / 2
    inside = np.clip((1 - ((x - cx) / cx) ** 2 - ((y - cy) / cy) ** 2) * 12, 0, 1)
    phase = np.hypot(x - cx * random.uniform(0, 2), y - cy * random.uniform(0, 2)) / max(width, height)
    bands = (np.sin(phase * random.uniform(20, 50)) > 0.2).astype(np.float32)
    colour = 0.5 + 0.5 * np.cos(2 * np.pi * (phase[..., None] * 2 + np.asarray([0, 0.33, 0.66], np.float32)))
    opacity = (inside * (0.10 + 0.22 * bands))[..., None].astype(np.float32)
    part = canvas[y0 : y0 + height, x0 : x0 + width]
    opacity = opacity[: part.shape[0], : part.shape[1]]
    part *= 1 - opacity
    part += opacity * colour[: part.shape[0], : part.shape[1]].astype(np.float32)


def draw_face(width: int, height: int, random: np.random.Generator) -> Canvas:
    """A drawn head and shoulders for specimens without a photograph; shape (height, width, 3), 0-1."""
    over = 2
    w, h = width * over, height * over
    picture = PillowImage.new("RGB", (w, h), _bytes(random.uniform(0.75, 0.92, 3)))
    pen = ImageDraw.Draw(picture)
    tone = random.uniform(0.35, 0.92)
    skin = np.array([tone, tone * random.uniform(0.76, 0.84), tone * random.uniform(0.6, 0.72)])
    hair = np.array([1, 0.8, 0.62]) * random.uniform(0.08, 0.5)
    cx, cy = w * random.uniform(0.48, 0.52), h * random.uniform(0.43, 0.47)
    rx, ry = w * random.uniform(0.25, 0.29), h * random.uniform(0.27, 0.31)

    def oval(x: float, y: float, a: float, b: float, colour: NDArray[np.float64]) -> None:
        pen.ellipse((x - a, y - b, x + a, y + b), fill=_bytes(colour))

    if random.random() < 0.5:  # long hair behind the head
        oval(cx, cy + ry * 0.35, rx * 1.35, ry * 1.5, hair)
    oval(cx, h * 1.05, w * 0.52, h * 0.27, random.uniform(0.1, 0.7, 3))
    pen.rectangle((cx - rx * 0.5, cy + ry * 0.5, cx + rx * 0.5, cy + ry * 1.35), fill=_bytes(skin * 0.86))
    oval(cx - rx, cy, rx * 0.14, ry * 0.2, skin * 0.9)
    oval(cx + rx, cy, rx * 0.14, ry * 0.2, skin * 0.9)
    oval(cx, cy - ry * 0.25, rx * 1.1, ry * 0.95, hair)
    oval(cx, cy + ry * 0.08, rx, ry * 0.95, skin)
    eye_y, eye_x = cy - ry * random.uniform(0.02, 0.1), rx * random.uniform(0.4, 0.46)
    for side in (-1, 1):
        x = cx + side * eye_x
        oval(x, eye_y, rx * 0.2, ry * 0.075, np.array([0.94, 0.93, 0.92]))
        oval(x, eye_y, rx * 0.085, ry * 0.072, random.uniform(0.1, 0.4, 3))
        oval(x, eye_y, rx * 0.04, ry * 0.035, np.array([0.03, 0.03, 0.03]))
        pen.arc(
            (x - rx * 0.26, eye_y - ry * 0.24, x + rx * 0.26, eye_y + ry * 0.1),
            200,
            340,
            _bytes(hair * 0.8),
            max(2, w // 60),
        )
    pen.line(
        [(cx, eye_y), (cx - rx * 0.1, cy + ry * 0.3), (cx + rx * 0.1, cy + ry * 0.32)],
        _bytes(skin * 0.75),
        max(2, w // 90),
    )
    lips = np.array([0.66, 0.33, 0.32]) * (0.5 + tone / 2)
    oval(cx, cy + ry * 0.55, rx * 0.33, ry * 0.06, lips)
    pen.line([(cx - rx * 0.33, cy + ry * 0.55), (cx + rx * 0.33, cy + ry * 0.55)], _bytes(lips * 0.6), max(1, w // 120))
    if random.random() < 0.25:
        for side in (-1, 1):
            x = cx + side * eye_x
            box = (x - rx * 0.3, eye_y - ry * 0.16, x + rx * 0.3, eye_y + ry * 0.17)
            pen.rounded_rectangle(box, rx * 0.1, outline=(30, 30, 34), width=max(2, w // 80))
    face = np.asarray(picture, np.float32) / 255
    y, x = np.mgrid[0:h, 0:w].astype(np.float32)
    light = 1 + 0.22 * ((x - cx) / w * random.uniform(-1, 1) - (y - cy) / h * 0.5)
    grain = cv2.GaussianBlur(random.normal(0, 1, (h, w)).astype(np.float32), (0, 0), 3.0) * 0.08
    face = cv2.GaussianBlur(face * light[..., None] + grain[..., None], (0, 0), w / 220)
    return np.clip(cv2.resize(face, (width, height), interpolation=cv2.INTER_AREA), 0, 1).astype(np.float32)


def _bytes(colour: NDArray[np.float64]) -> tuple[int, int, int]:
    red, green, blue = (round(255 * min(1.0, max(0.0, float(part)))) for part in colour)
    return (red, green, blue)
