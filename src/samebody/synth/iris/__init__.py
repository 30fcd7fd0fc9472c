"""Synthetic near-infrared irises: seeded pictures with their ground truth, and codes for experiments of scale.

What this is not: it is no simulation of optics or anatomy, it is fitted to no data set, and error rates measured on it
say nothing about people. It tests that software works (the same eye is found again, another one is not, a contour lies
where it was drawn) and how it scales.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from samebody.synth.iris.capture import EyeTruth, SyntheticEye, capture_eye
from samebody.synth.iris.conditions import CaptureConditions, draw_conditions
from samebody.synth.iris.identity import EyeIdentity, draw_identity

if TYPE_CHECKING:
    from samebody.synth.iris.codes import IrisCodePopulation as IrisCodePopulation

__all__ = [
    "CaptureConditions",
    "EyeIdentity",
    "EyeTruth",
    "IrisCodePopulation",
    "SyntheticEye",
    "capture_eye",
    "draw_conditions",
    "draw_identity",
]


def __getattr__(name: str) -> Any:
    if name == "IrisCodePopulation":  # imports numba, which pictures do not need
        from samebody.synth.iris.codes import IrisCodePopulation

        return IrisCodePopulation
    raise AttributeError(f"module 'samebody.synth.iris' has no attribute {name!r}")
