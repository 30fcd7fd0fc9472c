"""From a raw measure to an integer quality 0-100: the mappings that ISO/IEC 29794-5:2025 states, and none else."""

from __future__ import annotations

import math


def sigmoid(x: float, centre: float, width: float) -> float:
    """``1 / (1 + exp((centre - x) / width))``, the standard's S-curve, in 0-1."""
    exponent = max(-60.0, min(60.0, (centre - x) / width))
    return 1.0 / (1.0 + math.exp(exponent))


def to_quality(value: float) -> int:
    """``value`` rounded half up and held in 0-100, as the standard prescribes; NaN becomes 0."""
    if math.isnan(value):
        return 0
    return math.floor(max(0.0, min(100.0, value)) + 0.5)


def rising(x: float, centre: float, width: float, height: float = 100.0) -> int:
    """More is better: ``height * sigmoid``."""
    return to_quality(height * sigmoid(x, centre, width))


def falling(x: float, centre: float, width: float, height: float = 100.0) -> int:
    """Less is better: ``height * (1 - sigmoid)``."""
    return to_quality(height * (1.0 - sigmoid(x, centre, width)))


def frontal(degrees: float) -> int:
    """``100 cos^2`` of an angle of head pose, 0 from 90 degrees on."""
    if abs(degrees) >= 90.0:
        return 0
    return to_quality(100.0 * math.cos(math.radians(degrees)) ** 2)
