"""Draw the capture parameters of one photograph from the committed ranges that both renderers share."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Any

import numpy as np

QUARTER_TURNS = (90, 180, 270)


@cache
def ranges() -> Mapping[str, Mapping[str, Any]]:
    """The tables of samebody's ``synth/ranges.toml`` by difficulty."""
    return tomllib.loads((resources.files("samebody.synth") / "ranges.toml").read_text("utf-8"))


@dataclass(frozen=True, slots=True)
class Capture:
    """What the person holding the camera did, as drawn from the ranges. Units as in ``ranges.toml``.

    Attributes:
        rotation_degrees: signed rotation in the picture plane, the quarter turn apart.
        quarter_turn: 0, 90, 180 or 270 degrees on top of it.
        tilt_azimuth_degrees: the direction in which the page leans.
        motion_direction_degrees: of the motion blur, None for Gaussian blur.
        glare_strength: 0 when there is no specular spot.
        background_share: wanted share of the picture that is not page; the geometry may force a larger one.
    """

    difficulty: str
    rotation_degrees: float
    quarter_turn: int
    tilt_degrees: float
    tilt_azimuth_degrees: float
    character_height_px: float
    blur_sigma_px: float
    motion_direction_degrees: float | None
    noise_sigma: float
    jpeg_quality: int
    shadow_strength: float
    glare_strength: float
    glare_over_mrz: bool
    background_share: float


def draw_capture(difficulty: str, random: np.random.Generator) -> Capture:
    """One capture, every value uniform in its range.

    Raises:
        KeyError: when the ranges have no table of that name.
    """
    table = ranges()[difficulty]

    def uniform(name: str) -> float:
        low, high = table[name]
        return float(random.uniform(low, high))

    sense = 1 if random.random() < 0.5 else -1
    rotation = sense * uniform("rotation_degrees")
    turned = random.random() < table["quarter_turn_share"]
    turn = int(random.choice(QUARTER_TURNS))
    tilt = uniform("tilt_degrees")
    azimuth = float(random.uniform(0, 360))
    height = uniform("character_height_px")
    blur = uniform("blur_sigma_px")
    moved = random.random() < table["blur_motion_share"]
    direction = float(random.uniform(0, 180))
    noise = uniform("noise_sigma")
    low, high = table["jpeg_quality"]
    quality = int(random.integers(low, high + 1))
    shadow = uniform("shadow_strength")
    glares = random.random() < table["glare_share"]
    glare = uniform("glare_strength")
    return Capture(
        difficulty=difficulty,
        rotation_degrees=rotation,
        quarter_turn=turn if turned else 0,
        tilt_degrees=tilt,
        tilt_azimuth_degrees=azimuth,
        character_height_px=height,
        blur_sigma_px=blur,
        motion_direction_degrees=direction if moved else None,
        noise_sigma=noise,
        jpeg_quality=quality,
        shadow_strength=shadow,
        glare_strength=glare if glares else 0.0,
        glare_over_mrz=bool(table["glare_over_mrz"]),
        background_share=uniform("background_share"),
    )
