"""OCR-B drawn anew as centre lines of constant stroke: the held-out pictures share no outline with any font file.

Every free OCR-B file that was found descends from one METAFONT source (see docs/adr/0060). The centre lines here
were drawn for this project after the letterforms of ISO 1073-2; weight, width, pitch and ink vary per print.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

import cv2
import numpy as np
from numpy.typing import NDArray

PITCH = 2.54
"""Nominal advance of one character in millimetres (10 characters an inch)."""

CAP_HEIGHT = 2.40
"""Outer height of the capitals I, H, E in millimetres at nominal stroke weight."""

STROKE = 0.35
"""Nominal stroke weight in millimetres."""

_TOP = CAP_HEIGHT - STROKE  # height of a capital's centre line
_DIGIT = 2.20  # digits stand a little taller than capitals

Stroke = list[tuple[float, float]]


def _arc(cx: float, cy: float, rx: float, ry: float, start: float, end: float, steps: int = 24) -> Stroke:
    angles = np.radians(np.linspace(start, end, steps))
    return [(cx + rx * float(np.cos(a)), cy + ry * float(np.sin(a))) for a in angles]


def _squircle(rx: float, ry: float, cy: float, exponent: float) -> Stroke:
    angles = np.linspace(0, 2 * np.pi, 72)
    power = 2 / exponent
    return [
        (
            rx * float(np.sign(np.cos(a)) * abs(np.cos(a)) ** power),
            cy + ry * float(np.sign(np.sin(a)) * abs(np.sin(a)) ** power),
        )
        for a in angles
    ]


def _capitals() -> dict[str, list[Stroke]]:
    h = _TOP
    bowl = [(-0.56, h), (0.06, h), *_arc(0.06, h - 0.55, 0.50, 0.55, 90, -90), (-0.56, h - 1.10)]
    c_curve = [*_arc(0.08, h - 0.66, 0.60, 0.66, 22, 180), *_arc(0.08, 0.66, 0.60, 0.66, 180, 338)]
    return {
        "A": [[(-0.68, 0), (-0.09, h), (0.09, h), (0.68, 0)], [(-0.50, 0.62), (0.50, 0.62)]],
        "B": [
            [(-0.56, 0), (-0.56, h), (0.06, h), *_arc(0.06, h - 0.46, 0.44, 0.46, 90, -90), (-0.56, h - 0.92)],
            [(0.06, h - 0.92), *_arc(0.06, (h - 0.92) / 2, 0.56, (h - 0.92) / 2, 90, -90), (-0.56, 0)],
        ],
        "C": [c_curve],
        "D": [[(-0.56, 0), (-0.56, h), (-0.22, h), *_arc(-0.22, h / 2, 0.84, h / 2, 90, -90), (-0.56, 0)]],
        "E": [[(0.56, h), (-0.54, h), (-0.54, 0), (0.60, 0)], [(-0.54, h / 2 + 0.04), (0.38, h / 2 + 0.04)]],
        "F": [[(0.58, h), (-0.52, h), (-0.52, 0)], [(-0.52, h / 2 - 0.02), (0.40, h / 2 - 0.02)]],
        "G": [
            [
                *_arc(0.06, h - 0.66, 0.62, 0.66, 28, 180),
                *_arc(0.06, 0.66, 0.62, 0.66, 180, 318),
                (0.58, 0.40),
                (0.58, 0.92),
                (0.06, 0.92),
            ]
        ],
        "H": [[(-0.58, 0), (-0.58, h)], [(0.58, 0), (0.58, h)], [(-0.58, h / 2), (0.58, h / 2)]],
        "I": [[(0, 0), (0, h)], [(-0.44, h), (0.44, h)], [(-0.44, 0), (0.44, 0)]],
        "J": [[(0.40, h), (0.40, 0.52), *_arc(-0.10, 0.52, 0.50, 0.52, 0, -150)]],
        "K": [[(-0.56, 0), (-0.56, h)], [(0.58, h), (-0.56, 0.80)], [(-0.20, 1.18), (0.62, 0)]],
        "L": [[(-0.50, h), (-0.50, 0), (0.62, 0)]],
        "M": [[(-0.66, 0), (-0.60, h), (0, 0.78), (0.60, h), (0.66, 0)]],
        "N": [[(-0.58, 0), (-0.58, h), (0.58, 0), (0.58, h)]],
        "O": [_arc(0, h / 2, 0.68, h / 2, 0, 360, 72)],
        "P": [[(-0.56, 0), *bowl]],
        "Q": [_arc(0, h / 2 + 0.06, 0.68, h / 2 - 0.06, 0, 360, 72), [(0.04, 0.66), (0.66, -0.06)]],
        "R": [[(-0.56, 0), *bowl], [(0.02, h - 1.10), (0.62, 0)]],
        "S": [
            [
                *_arc(0.02, h - 0.50, 0.54, 0.50, 28, 250),
                *_arc(0.0, 0.53, 0.60, 0.53, 78, -148),
            ]
        ],
        "T": [[(-0.66, h), (0.66, h)], [(0, h), (0, 0)]],
        "U": [[(-0.58, h), (-0.58, 0.60), *_arc(0, 0.60, 0.58, 0.60, 180, 360), (0.58, h)]],
        "V": [[(-0.64, h), (-0.05, 0), (0.05, 0), (0.64, h)]],
        "W": [[(-0.72, h), (-0.46, 0), (-0.02, 1.22), (0.02, 1.22), (0.46, 0), (0.72, h)]],
        "X": [[(-0.62, h), (0.62, 0)], [(0.62, h), (-0.62, 0)]],
        "Y": [[(-0.64, h), (0, 0.92), (0.64, h)], [(0, 0.92), (0, 0)]],
        "Z": [[(-0.58, h), (0.56, h), (-0.60, 0), (0.62, 0)]],
    }


def _digits() -> dict[str, list[Stroke]]:
    h = _DIGIT
    hook = [(0.30, h), (-0.32, 1.28), (-0.56, 0.66)]
    return {
        "0": [_squircle(0.64, h / 2, h / 2, 2.7)],
        "1": [[(-0.42, 1.66), (0.14, h), (0.14, 0)]],
        "2": [
            [
                *_arc(-0.02, h - 0.58, 0.56, 0.58, 158, -28),
                (-0.40, 0.52),
                *_arc(0.06, 0.14, 0.62, 0.42, 150, 182),
                (-0.56, 0),
                (0.60, 0),
            ]
        ],
        "3": [[(-0.50, h), (0.52, h), (-0.06, 1.30), *_arc(-0.06, 0.65, 0.64, 0.65, 84, -128)]],
        "4": [[(0.08, h), (-0.62, 0.58), (0.64, 0.58)], [(0.30, 1.10), (0.30, 0)]],
        "5": [[(0.50, h), (-0.40, h), (-0.44, 1.26), *_arc(-0.08, 0.66, 0.64, 0.66, 106, -128)]],
        "6": [[*hook, *_arc(0, 0.62, 0.58, 0.62, 180, 540, 60)]],
        "7": [[(-0.58, h), (0.56, h), (0.56, 1.92), *_arc(0.66, 0.10, 0.80, 1.72, 118, 184)]],
        "8": [_arc(0, h - 0.50, 0.47, 0.50, -90, 270, 60), _arc(0, 0.60, 0.60, 0.60, 90, 450, 60)],
        "9": [[(-x, h - y) for x, y in [*hook, *_arc(0, 0.62, 0.58, 0.62, 180, 540, 60)]]],
        "<": [[(0.54, 1.84), (-0.60, 1.02), (0.54, 0.20)]],
    }


@cache
def glyphs() -> dict[str, tuple[NDArray[np.float64], ...]]:
    """Centre lines in millimetres by character: x from the cell's middle, y up from the foot of the centre line."""
    drawn = {**_capitals(), **_digits()}
    return {name: tuple(np.asarray(stroke, dtype=float) for stroke in strokes) for name, strokes in drawn.items()}


@dataclass(frozen=True, slots=True)
class Print:
    """How a machine printed the zone: all lengths in millimetres.

    Attributes:
        weight: stroke weight.
        condensation: horizontal scale of the letterforms, the pitch apart.
        pitch: advance of one character.
        jitter: standard deviation of each character's own offset.
        spread: standard deviation of the ink's bleeding.
        breaks: share of ink missing, in small voids.
        density: how black the ink is, 0-1.
    """

    weight: float = STROKE
    condensation: float = 1.0
    pitch: float = PITCH
    jitter: float = 0.0
    spread: float = 0.03
    breaks: float = 0.0
    density: float = 0.95

    @classmethod
    def draw(cls, random: np.random.Generator) -> Print:
        """One printer among many: within the tolerances that Doc 9303 part 3 and ISO 1831 give machines."""
        return cls(
            weight=float(random.uniform(0.29, 0.42)),
            condensation=float(random.uniform(0.94, 1.04)),
            pitch=float(random.uniform(2.50, 2.57)),
            jitter=float(random.uniform(0.0, 0.035)),
            spread=float(random.uniform(0.02, 0.07)),
            breaks=float(random.choice([0.0, 0.0, random.uniform(0.01, 0.06)])),
            density=float(random.uniform(0.80, 0.97)),
        )


def ink_line(
    text: str,
    pixels_per_mm: float,
    style: Print,
    random: np.random.Generator,
    shape: tuple[int, int],
    origin: tuple[float, float],
    place: Callable[[float], float] | None = None,
) -> NDArray[np.float32]:
    """Ink coverage of one line of text.

    Args:
        text: characters of the zone.
        pixels_per_mm: resolution of the coverage.
        style: how it is printed.
        random: moves the characters and breaks the strokes.
        shape: (height, width) in pixels of the coverage that is returned.
        origin: left edge of the first cell, foot of the capitals, in millimetres from the top left of that coverage.
        place: vertical offset in millimetres as a function of x, for a line that does not run straight.

    Returns:
        (height, width) float32 in 0-1.
    """
    over = 3
    scale = pixels_per_mm * over
    shift = 4  # fractional bits of OpenCV's drawing
    canvas = np.zeros((shape[0] * over, shape[1] * over), np.uint8)
    for index, character in enumerate(text):
        x = origin[0] + (index + 0.5) * style.pitch + float(random.normal(0, style.jitter))
        y = origin[1] + float(random.normal(0, style.jitter)) + (place(x) if place else 0.0)
        for stroke in glyphs()[character]:
            points = np.empty_like(stroke)
            points[:, 0] = (x + stroke[:, 0] * style.condensation) * scale
            points[:, 1] = (y - STROKE / 2 - stroke[:, 1]) * scale
            fixed = np.round(points * 2**shift).astype(np.int32).reshape(-1, 1, 2)
            thickness = max(1, round(style.weight * scale) - 1)
            cv2.polylines(canvas, [fixed], False, 255, thickness, cv2.LINE_AA, shift)
    coverage = canvas.astype(np.float32) / 255
    if style.breaks > 0:
        coarse = random.random(
            (max(2, round(shape[0] * 3 / pixels_per_mm * 2)), max(2, round(shape[1] * 3 / pixels_per_mm * 2)))
        )
        voids = cv2.resize(coarse.astype(np.float32), (canvas.shape[1], canvas.shape[0]), interpolation=cv2.INTER_CUBIC)
        edge = float(np.quantile(voids, style.breaks))
        coverage *= np.clip((voids - edge) * 8 + 0.4, 0, 1)
    coverage = cv2.GaussianBlur(coverage, (0, 0), max(0.5, style.spread * scale))
    # Ink that bleeds keeps a steep edge: stretch the middle of the blurred coverage.
    coverage = np.clip((coverage - 0.5) * 1.6 + 0.5, 0, 1)
    return cv2.resize(coverage, (shape[1], shape[0]), interpolation=cv2.INTER_AREA)
