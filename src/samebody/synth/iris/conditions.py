"""How a synthetic eye is captured: everything that changes from picture to picture."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np


@dataclass(frozen=True, slots=True)
class CaptureConditions:
    """One capture.

    Attributes:
        width, height: of the picture in pixels.
        radius: of the limbus in pixels.
        centre: of the limbus in pixels (x, y).
        dilation: radius of the pupil over that of the limbus.
        stretch: how far the tissue departs from a rubber sheet as the pupil opens; 0 is the rubber sheet.
        roll: turn of the head in radians.
        torsion: turn of the eye in its socket in radians; lids do not turn with it.
        gaze: angles in radians by which the eye looks past the camera (right, down).
        openness: 1 = as open as the person's eye gets at rest, 0 = closed.
        blur, motion: standard deviation of the defocus and length of the motion, in pixels.
        motion_angle: direction of the motion in radians.
        light: gain of the picture.
        gradient: relative change of light from the centre to the edge (right, down).
        gamma: of the sensor.
        noise: standard deviation of the read-out noise in grey levels; shot noise comes with it.
        spots: number of specular reflections on the cornea.
        lashes: share of the lashes that is drawn.
    """

    width: int = 640
    height: int = 480
    radius: float = 110.0
    centre: tuple[float, float] = (320.0, 240.0)
    dilation: float = 0.4
    stretch: float = 0.35
    roll: float = 0.0
    torsion: float = 0.0
    gaze: tuple[float, float] = (0.0, 0.0)
    openness: float = 1.0
    blur: float = 0.8
    motion: float = 0.0
    motion_angle: float = 0.0
    light: float = 1.0
    gradient: tuple[float, float] = (0.0, 0.0)
    gamma: float = 1.0
    noise: float = 2.0
    spots: int = 1
    lashes: float = 1.0

    def __post_init__(self) -> None:
        if not (32 <= self.width <= 8192 and 32 <= self.height <= 8192 and self.radius >= 8):
            raise ValueError("a synthetic eye needs 32 to 8192 pixels a side and a limbus of at least 8 pixels")
        if not 0.1 <= self.dilation <= 0.9 or not 0 <= self.openness <= 1.5 or self.spots < 0 or self.noise < 0:
            raise ValueError("dilation lies in 0.1..0.9, openness in 0..1.5; spots and noise are not negative")

    def with_(self, **changes: Any) -> CaptureConditions:
        """A copy with some values changed."""
        return replace(self, **changes)

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready values."""
        return {entry.name: getattr(self, entry.name) for entry in fields(self)}


def draw_conditions(
    rng: np.random.Generator, width: int = 640, height: int = 480, difficulty: float = 1.0
) -> CaptureConditions:
    """A capture of a cooperative person; ``difficulty`` scales how far values stray (0 = ideal, 2 = careless)."""
    scale = min(width / 640.0, height / 480.0)

    def normal(deviation: float) -> float:
        return float(np.clip(rng.normal(0.0, 1.0), -2.5, 2.5)) * deviation * difficulty

    return CaptureConditions(
        width=width,
        height=height,
        radius=108.0 * scale * float(np.exp(normal(0.07))),
        centre=(width / 2 + normal(0.05) * width, height / 2 + normal(0.05) * height),
        dilation=float(np.clip(0.40 + normal(0.06), 0.2, 0.68)),
        roll=normal(0.05),
        torsion=normal(0.03),
        gaze=(normal(0.08), normal(0.05)),
        openness=float(np.clip(1.0 - abs(normal(0.10)), 0.0, 1.3)),
        blur=max(0.35, (0.9 + abs(normal(0.45))) * scale),
        motion=max(0.0, abs(normal(1.2)) - 0.6) * scale,
        motion_angle=float(rng.uniform(0, np.pi)),
        light=float(np.exp(normal(0.10))),
        gradient=(normal(0.12), normal(0.10)),
        gamma=float(np.exp(normal(0.08))),
        noise=1.5 + abs(normal(1.0)),
        spots=int(rng.integers(1, 4)),
        lashes=float(np.clip(1.0 - abs(normal(0.15)), 0.0, 1.0)),
    )
