"""Find the eye: the pair of a dark disc and a larger dark disc around it that shows the most edge of the right sign.

The measure at each radius is Daugman's integro-differential operator (IEEE PAMI 15(11), 1993) with two changes: the
step across the circle is taken at each angle and passed through a saturating function before it is averaged, so
that an edge all around counts for more than a strong edge on one side; and pupil and limbus are judged as a pair.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from samebody import stage
from samebody.iris.polar import sample
from samebody.iris.results import Circle, EyeImage, EyeLocation
from samebody.iris.stages import IrisStage, stages

Floats = NDArray[np.float32]


@stages.register("circle_pair")
class CirclePairLocator(IrisStage):
    """Pupil and limbus as circles, searched at one small size whatever the size of the picture."""

    class Parameters(stage.Stage.Parameters):
        """Radii are shares of the picture's longest side."""

        working_side: int = Field(default=160, ge=96, le=320, description="longest side of the image searched, pixels")
        smallest_pupil: float = Field(default=0.014, gt=0, lt=0.2, description="smallest pupil radius")
        largest_pupil: float = Field(default=0.21, gt=0.02, lt=0.5, description="largest pupil radius")
        smallest_iris: float = Field(default=0.05, gt=0.01, lt=0.3, description="smallest iris radius")
        largest_iris: float = Field(default=0.5, gt=0.1, lt=0.8, description="largest iris radius")
        soft_step: float = Field(
            default=0.08, gt=0, lt=1, description="step, of the grey range, that counts half as edge"
        )
        candidates: int = Field(default=16, ge=1, le=200, description="pupils for which a limbus is looked for")
        least_evidence: float = Field(default=0.0, ge=0, le=1, description="below it there is no eye")

    parameters: Parameters

    takes = (EyeImage,)
    gives = EyeLocation

    def run(self, image: EyeImage) -> EyeLocation | None:
        """The best pair of circles, or None when none reaches ``least_evidence``."""
        options = self.parameters
        height, width = image.grey.shape
        shrink = min(1.0, options.working_side / max(height, width))
        size = (max(1, round(width * shrink)), max(1, round(height * shrink)))
        small = cv2.resize(image.grey, size, interpolation=cv2.INTER_AREA) if shrink < 1 else image.grey
        level = flatten(small)
        longest = max(small.shape)
        radii = _geometric(options.smallest_pupil * longest, options.largest_pupil * longest, 1.18)
        found = pupil_candidates(level, radii, options.soft_step, options.candidates)
        best: tuple[float, Circle, Circle] | None = None
        irises = _geometric(options.smallest_iris * longest, options.largest_iris * longest, 1.07)
        for strength, pupil in found:
            limbus, edge = limbus_of(level, pupil, irises, options.soft_step)
            total = 0.5 * (strength + edge)
            if best is None or total > best[0]:
                best = (total, pupil, limbus)
        if best is None or best[0] < options.least_evidence:
            return None
        back = 1.0 / shrink
        evidence, pupil, limbus = best
        return EyeLocation(
            Circle(pupil.x * back, pupil.y * back, pupil.radius * back),
            Circle(limbus.x * back, limbus.y * back, limbus.radius * back),
            float(np.clip(evidence, 0.0, 1.0)),
        )


def flatten(small: NDArray[np.uint8]) -> Floats:
    """Square root of the grey values over their range (0.1th to 95th percentile), small bright spots removed first.

    The root spreads the dark values, so that a dark pupil in a dark iris still makes a step.
    """
    opened = cv2.morphologyEx(small, cv2.MORPH_OPEN, np.ones((3, 3), np.uint8))
    low, high = np.percentile(opened, (0.1, 95.0))
    level = (opened.astype(np.float32) - np.float32(low)) / np.float32(max(high - low, 8.0))
    return np.asarray(np.sqrt(np.clip(level, 0.0, 1.5) + np.float32(0.02)), dtype=np.float32)


def saturate(step: Floats, soft: float) -> Floats:
    """``step / (|step| + soft)``: the sign of a clear step, near 0 for an unclear one."""
    return np.asarray(step / (np.abs(step) + np.float32(soft)), dtype=np.float32)


def pupil_candidates(level: Floats, radii: list[float], soft: float, count: int) -> list[tuple[float, Circle]]:
    """The ``count`` best dark discs (strength about -1 to 1, circle), best first, in bands of about an octave.

    Bands keep a dark iris from hiding the pupil inside it, and each has bright spots removed up to a size that a
    reflection on a pupil of that band may have.
    """
    bands = max(1, round(np.log2(radii[-1] / radii[0])))
    found: list[tuple[float, Circle]] = []
    for band in np.array_split(np.asarray(radii), bands):
        size = max(5, 2 * round(0.3 * float(band[0])) + 1)
        opened = cv2.morphologyEx(level, cv2.MORPH_OPEN, np.ones((size, size), np.uint8))
        strength = np.stack([_disc_strength(opened, float(radius), soft) for radius in band])
        peak = strength.max(axis=0)
        ys, xs = np.nonzero(peak >= cv2.dilate(peak, np.ones((5, 5), np.uint8)))
        order = np.argsort(-peak[ys, xs], kind="stable")[: -(-count // bands)]
        for y, x in zip(ys[order], xs[order], strict=True):
            radius = float(band[int(strength[:, y, x].argmax())])
            found.append((float(peak[y, x]), Circle(float(x) + 0.5, float(y) + 0.5, radius)))
    return sorted(found, key=lambda entry: -entry[0])


def _disc_strength(level: Floats, radius: float, soft: float) -> Floats:
    """At each pixel, how much a dark disc of ``radius`` around it looks like a pupil; -2 where it was not looked."""
    height, width = level.shape
    smooth = cv2.GaussianBlur(level, (0, 0), 0.8)
    stride = 1 if radius < 4.0 else 2 if radius < 14.0 else 3
    inner, outer = radius - max(1.0, 0.2 * radius), radius + max(1.0, 0.25 * radius)
    margin = int(np.ceil(outer)) + 2
    padded = cv2.copyMakeBorder(smooth, margin, margin, margin, margin, cv2.BORDER_REPLICATE)
    total = np.zeros((-(-height // stride), -(-width // stride)), dtype=np.float32)
    for angle in np.arange(_PUPIL_ANGLES) * (2 * np.pi / _PUPIL_ANGLES):
        step = _shifted(padded, margin, level.shape, outer * np.cos(angle), outer * np.sin(angle), stride)
        step = step - _shifted(padded, margin, level.shape, inner * np.cos(angle), inner * np.sin(angle), stride)
        total += saturate(step, soft)
    disc = max(3, 2 * int(0.6 * radius) + 1)
    inside = cv2.blur(smooth, (disc, disc), borderType=cv2.BORDER_REPLICATE)[::stride, ::stride]
    second = cv2.blur(smooth * smooth, (disc, disc), borderType=cv2.BORDER_REPLICATE)[::stride, ::stride]
    uneven = np.sqrt(np.maximum(second - inside * inside, 0.0))
    strength = np.full((height, width), -2.0, dtype=np.float32)
    strength[::stride, ::stride] = total / _PUPIL_ANGLES - 0.5 * np.clip(inside, 0.0, 1.0) - 2.0 * uneven
    return strength


_PUPIL_ANGLES = 14
_LATERAL = np.radians(np.array([-24.0, -6.0, 12.0, 30.0, 48.0]))


def limbus_of(level: Floats, pupil: Circle, radii: list[float], soft: float) -> tuple[Circle, float]:
    """The best limbus around ``pupil`` and its strength (about -1 to 1): edges left and right, the weaker one most."""
    radius = np.array([r for r in radii if 1.3 * pupil.radius <= r <= 9.0 * pupil.radius], dtype=np.float64)
    if not radius.size:
        return Circle(pupil.x, pupil.y, 2.0 * pupil.radius), -1.0
    offsets = np.array([-0.24, -0.16, -0.08, 0.0, 0.08, 0.16, 0.24])
    angles = np.concatenate((_LATERAL, np.pi - _LATERAL))
    # axes: dy, dx, radius, angle
    cx = pupil.x + offsets[None, :, None, None] * radius[None, None, :, None]
    cy = pupil.y + offsets[:, None, None, None] * radius[None, None, :, None]
    shape = (len(offsets), len(offsets), len(radius), len(angles))

    def ring(radii_sampled: NDArray[np.float64]) -> Floats:
        at = radii_sampled[None, None, :, None]
        x = np.broadcast_to(cx + at * np.cos(angles), shape).reshape(shape[0] * shape[1], -1)
        y = np.broadcast_to(cy + at * np.sin(angles), shape).reshape(shape[0] * shape[1], -1)
        return sample(level, x, y).reshape(shape)

    inside = ring(0.88 * radius)
    step = saturate(ring(1.12 * radius) - inside, soft)
    # A circle drawn too large has its inner side on the sclera: the iris must not brighten before its edge.
    brighter = inside - ring(0.5 * (0.88 * radius + np.minimum(1.2 * pupil.radius, 0.8 * radius)))
    step -= saturate(np.maximum(brighter - 0.05, 0.0), 2 * soft)
    left, right = step[..., len(_LATERAL) :].mean(axis=-1), step[..., : len(_LATERAL)].mean(axis=-1)
    strength = 0.5 * np.minimum(left, right) + 0.25 * (left + right)
    # A limbus whose inner side could lie on the pupil would count the pupil's own edge a second time.
    away = np.hypot(offsets[:, None], offsets[None, :])[:, :, None] * radius
    strength = np.where(0.88 * radius - away < 1.1 * pupil.radius, strength - 1.0, strength)
    # Pupils wider than 0.6 or narrower than 0.2 of the iris are rare and need the stronger evidence.
    ratio = pupil.radius / radius
    strength = strength - 2.0 * np.maximum(ratio - 0.6, 0.0) - 1.0 * np.maximum(0.2 - ratio, 0.0)
    strength = strength - 0.4 * np.maximum(np.hypot(offsets[:, None], offsets[None, :]) - 0.1, 0.0)[:, :, None]
    dy, dx, r = np.unravel_index(int(strength.argmax()), strength.shape)
    circle = Circle(pupil.x + offsets[dx] * radius[r], pupil.y + offsets[dy] * radius[r], float(radius[r]))
    return circle, float(strength.max())


def _shifted(padded: Floats, margin: int, shape: tuple[int, int], dx: float, dy: float, stride: int) -> Floats:
    x, y = margin + round(float(dx)), margin + round(float(dy))
    return padded[y : y + shape[0] : stride, x : x + shape[1] : stride]


def _geometric(first: float, last: float, factor: float) -> list[float]:
    radii = [first]
    while radii[-1] * factor <= last:
        radii.append(radii[-1] * factor)
    return radii
