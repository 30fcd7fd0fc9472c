"""Eyelids and lashes of a synthetic eye: curves, and what they cover."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from samebody.synth.iris.conditions import CaptureConditions
from samebody.synth.iris.identity import EyeIdentity

Curve = NDArray[np.float64]
Grey = NDArray[np.float32]


def lid_curves(identity: EyeIdentity, capture: CaptureConditions, points: int = 128) -> tuple[Curve, Curve]:
    """Upper and lower lid from the corner at the left to that at the right: (points, 2) pixels (x, y) each."""
    s = np.linspace(-1.0, 1.0, points)
    outer = 1.0 if identity.eye == "left" else -1.0  # a left eye's outer corner is on the right of the picture
    peak = 0.12 * -outer
    arch = 1.0 - np.abs((s - peak) / np.where(s < peak, 1 + peak, 1 - peak)) ** 2.2
    closing = 1.0 - capture.openness
    upper = -identity.upper * arch * (1.0 - closing) + 0.8 * identity.lower * closing * arch
    lower = identity.lower * arch * (1.0 - 0.15 * closing)
    upper = np.minimum(upper, lower)
    slope = -np.tan(identity.tilt) * outer * s * identity.width
    return (
        _placed(s * identity.width, upper + slope, capture),
        _placed(s * identity.width, lower + slope, capture),
    )


def _placed(x: NDArray[np.float64], y: NDArray[np.float64], capture: CaptureConditions) -> Curve:
    cosine, sine = np.cos(capture.roll), np.sin(capture.roll)
    return np.stack(
        [
            capture.centre[0] + capture.radius * (cosine * x - sine * y),
            capture.centre[1] + capture.radius * (sine * x + cosine * y),
        ],
        axis=1,
    )


def opening(upper: Curve, lower: Curve, width: int, height: int) -> Grey:
    """(height, width) float32: 1 between the lids, 0 on the skin, soft over about a pixel."""
    mask = np.zeros((height, width), dtype=np.uint8)
    outline = np.concatenate([upper, lower[::-1]])
    cv2.fillPoly(mask, [np.round(outline * 16).astype(np.int32)], 255, lineType=cv2.LINE_AA, shift=4)
    return mask.astype(np.float32) / 255.0


def lash_layer(identity: EyeIdentity, capture: CaptureConditions, upper: Curve, lower: Curve) -> Grey:
    """(height, width) float32 coverage 0-1 of the lashes of both lids."""
    rng = np.random.default_rng(identity.lashes)
    layer = np.zeros((capture.height, capture.width), dtype=np.uint8)
    for curve, count, length in (
        (upper, identity.lash_count, identity.lash_length),
        (lower, identity.lash_count // 2, 0.5 * identity.lash_length),
    ):
        for _ in range(count):
            place, own, lean, droop, thick, drawn = rng.random(6)
            if drawn > capture.lashes:
                continue
            index = 4 + place * (len(curve) - 9)
            root = curve[int(index)] + (index % 1.0) * (curve[int(index) + 1] - curve[int(index)])
            side = 2.0 * place - 1.0
            size = length * (0.5 + 0.6 * own) * capture.radius
            upward = -1.0 if curve is upper else 1.0
            # lashes leave the lid towards the camera, hang over the eye a little and then sweep outwards
            fall = identity.lash_droop * droop if curve is upper else 0.0
            hang = (0.55 * droop - 0.15 + 0.4 * fall) * size
            t = np.linspace(0.0, 1.0, 12)
            x = root[0] + (side * 0.9 + 0.5 * (lean - 0.5)) * size * t**1.3
            y = root[1] + (-upward) * hang * 4 * t * (1 - t) + upward * 0.75 * (1 - fall) * size * t**2
            width = max(1, round((0.012 + 0.012 * thick) * capture.radius))
            points = np.round(np.stack([x, y], axis=1) * 16).astype(np.int32)
            cv2.polylines(layer, [points], False, int(150 + 100 * own), width, lineType=cv2.LINE_AA, shift=4)
    return layer.astype(np.float32) / 255.0
