"""Pupil and limbus as smooth closed contours: a cheapest path through polar gradients, then a robust Fourier series.

Both follow one plan (:func:`trace_edge`): unwrap a ring around the current centre, differentiate along the radius, let
dynamic programming find the closed path over the strongest steps from dark to bright, and fit a truncated Fourier
series to it (Daugman, "New methods in iris recognition", IEEE TSMC-B 37(5), 2007) by which lids, lashes and
reflections, as outliers, are bridged.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from samebody import stage
from samebody.iris.polar import closed_path, directions, polar, sample, smooth_radii
from samebody.iris.results import (
    Circle,
    EyeImage,
    Eyelids,
    EyeLocation,
    LimbusBoundary,
    LimbusCircle,
    PupilBoundary,
    Reflections,
)
from samebody.iris.stages import IrisStage, stages

ANGLES = 128
"""Points of a contour."""
Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Trace:
    """A traced edge: ``radii`` and ``support`` (angles,) around ``centre``; ``steps`` (angles,) grey step across it."""

    centre: tuple[float, float]
    radii: Floats
    support: Floats
    spread: float

    @property
    def points(self) -> Floats:
        """(angles, 2) points of the contour."""
        cosine, sine = directions(len(self.radii))
        return np.stack((self.centre[0] + cosine * self.radii, self.centre[1] + sine * self.radii), axis=1)


def trace_edge(
    grey: NDArray[np.uint8],
    hidden: NDArray[np.bool_],
    centre: tuple[float, float],
    span: tuple[float, float],
    *,
    prior: Floats,
    order: int,
    stiffness: float,
    blur: float,
    samples: int = 48,
) -> Trace:
    """The closed edge from dark (inside) to bright between the two radii of ``span``.

    Args:
        grey: picture; ``hidden``: pixels that carry no evidence.
        centre: of the ring; span: its inner and outer radius in pixels.
        prior: (ANGLES,) weight of each direction, 0-1.
        order: harmonics of the contour; stiffness: see :func:`samebody.iris.polar.smooth_radii`.
        blur: standard deviation of the smoothing along the radius, in pixels.
        samples: along the radius.
    """
    radii = np.linspace(span[0], span[1], samples)
    pitch = float(radii[1] - radii[0])
    ring, inside = polar(grey, centre, radii, ANGLES)
    masked, _ = polar(hidden.astype(np.uint8), centre, radii, ANGLES)
    margin = 6
    wrapped = np.concatenate((ring[-margin:], ring, ring[:margin]))
    smooth = cv2.GaussianBlur(
        wrapped, (0, 0), sigmaX=max(0.6, blur / pitch), sigmaY=1.2, borderType=cv2.BORDER_REPLICATE
    )
    slope = np.gradient(smooth[margin:-margin], axis=1)
    slope[(masked > 0.2) | ~inside] = 0.0
    typical = float(np.percentile(slope.max(axis=1), 60)) + 1e-3
    reward = np.clip(slope / typical, 0.0, 1.5)
    path = closed_path((1.5 - reward).astype(np.float32))
    along = np.arange(ANGLES)
    strength = np.clip(reward[along, path], 0.0, 1.0)
    measured = radii[path] + pitch * _vertex(slope, path)
    weights = prior * strength**2
    # An ellipse first: what lies far from it is lash, lid or reflection, and the finer contour must not follow it.
    coarse, robust = smooth_radii(measured, weights, min(order, 2), stiffness=max(stiffness, 2e-3), scale=pitch)
    if order > 2:
        near = np.exp(-(((measured - coarse) / (0.05 * coarse.mean() + pitch)) ** 2))
        fitted, robust = smooth_radii(measured, weights * near, order, stiffness=stiffness, scale=1.5 * pitch)
    else:
        fitted = coarse
    fitted = np.clip(fitted, span[0], span[1])
    support = strength * robust
    return Trace(centre, fitted, support, _spread(ring, radii, fitted, support * (prior > 0.5)))


def _vertex(slope: NDArray[np.float32], path: NDArray[np.intp]) -> Floats:
    """Offset of the slope's peak from the path, by a parabola through three samples; within half a sample."""
    last = slope.shape[1] - 1
    along = np.arange(len(path))
    before, here, after = (slope[along, np.clip(path + move, 0, last)].astype(np.float64) for move in (-1, 0, 1))
    curve = before - 2 * here + after
    offset = np.where(curve < -1e-6, 0.5 * (before - after) / np.where(curve < -1e-6, curve, 1.0), 0.0)
    return np.clip(offset, -0.5, 0.5)


def _spread(ring: NDArray[np.float32], radii: Floats, fitted: Floats, support: Floats) -> float:
    """Median over supported angles of grey step over steepest slope, as a share of the mean radius."""
    used = support > 0.3
    if used.sum() < 8:
        return float("nan")
    pitch = float(radii[1] - radii[0])
    reach = 0.25 * float(fitted.mean())
    at = np.arange(ring.shape[0])[used]
    rows = ring[at]
    inner = np.clip(((fitted[used] - reach - radii[0]) / pitch).round().astype(int), 0, len(radii) - 1)
    outer = np.clip(((fitted[used] + reach - radii[0]) / pitch).round().astype(int), 0, len(radii) - 1)
    line = np.arange(len(at))
    step = rows[line, outer] - rows[line, inner]
    steepest = np.diff(rows, axis=1).max(axis=1) / pitch
    good = (step > 4) & (steepest > 0)
    if good.sum() < 8:
        return float("nan")
    return float(np.median(step[good] / steepest[good]) / fitted.mean())


def pupil_or_not(grey: NDArray[np.uint8], pupil: Circle) -> NDArray[np.uint8]:
    """``grey`` cut off half-way up from the pupil's level to the iris', so that only steps out of the pupil remain.

    The step from a lash that hangs over the pupil to the lid above it is as steep as the pupil's own, but not as dark.
    """
    inner, _ = polar(grey, (pupil.x, pupil.y), np.linspace(0.1, 0.6, 6) * pupil.radius, 32)
    outer, _ = polar(grey, (pupil.x, pupil.y), np.linspace(1.3, 1.7, 4) * pupil.radius, 32)
    dark, bright = float(np.median(inner)), float(np.median(outer))
    return np.clip(grey, 0, max(dark + 0.6 * (bright - dark), dark + 8)).astype(np.uint8)


@stages.register("polar_pupil")
class PolarPupil(IrisStage):
    """The pupil's contour, traced twice: from the located circle, then from the centre of the first contour."""

    class Parameters(stage.Stage.Parameters):
        """See the fields."""

        order: int = Field(default=5, ge=1, le=16, description="harmonics of the contour")
        stiffness: float = Field(default=3e-5, ge=0, le=1, description="ridge on the harmonics")
        blur: float = Field(
            default=0.05, gt=0, lt=0.5, description="smoothing along the radius, share of the pupil radius"
        )
        upper_prior: float = Field(default=0.6, gt=0, le=1, description="weight of the arc above, where lashes hang")

    parameters: Parameters

    takes = (EyeImage, EyeLocation, Reflections)
    gives = PupilBoundary

    def run(self, image: EyeImage, location: EyeLocation, reflections: Reflections) -> PupilBoundary:
        """The contour with its support and edge width."""
        options = self.parameters
        circle, limit = location.pupil, 0.92 * location.limbus.radius
        centre, radius = (circle.x, circle.y), circle.radius
        _, sine = directions(ANGLES)
        prior = np.where(sine < -0.5, options.upper_prior, 1.0)
        for low, high in ((0.45, 1.65), (0.6, 1.4)):
            trace = trace_edge(
                pupil_or_not(reflections.filled, Circle(*centre, radius)),
                reflections.mask,
                centre,
                (max(1.5, low * radius), max(min(high * radius, limit), 1.1 * radius, 3.0)),
                prior=prior,
                order=options.order,
                stiffness=options.stiffness,
                blur=options.blur * radius,
            )
            points = trace.points
            centre, radius = (float(points[:, 0].mean()), float(points[:, 1].mean())), float(trace.radii.mean())
        return PupilBoundary(trace.points, trace.centre, trace.support, trace.spread)


@stages.register("circle_limbus")
class CircleLimbus(IrisStage):
    """The limbus as the circle with the clearest step from dark to bright on its left, right and lower arcs."""

    class Parameters(stage.Stage.Parameters):
        """See the fields."""

        lower_weight: float = Field(default=0.4, ge=0, le=1, description="weight of the arc below, often behind a lid")

    parameters: Parameters

    takes = (EyeLocation, PupilBoundary, Reflections)
    gives = LimbusCircle

    def run(self, location: EyeLocation, pupil: PupilBoundary, reflections: Reflections) -> LimbusCircle:
        """The circle, good to about a fiftieth of its radius."""
        side = np.radians(np.linspace(-30.0, 50.0, 13))
        below = np.radians(np.linspace(57.0, 123.0, 9))
        angles = np.concatenate((side, np.pi - side, below))
        weights = np.concatenate((np.ones(2 * len(side)), np.full(len(below), self.parameters.lower_weight)))
        rounds = ((0.12, 0.06, 0.2), (0.05, 0.025, 0.08), (0.02, 0.01, 0.04))
        return LimbusCircle(refine_circle(reflections.filled, location.limbus, pupil, angles, weights, rounds))


@stages.register("polar_limbus")
class PolarLimbus(IrisStage):
    """The limbus where no lid hides it: the circle refined on those arcs, then a contour traced close to it."""

    class Parameters(stage.Stage.Parameters):
        """Lengths are shares of the iris radius."""

        order: int = Field(default=3, ge=1, le=16, description="harmonics of the contour")
        stiffness: float = Field(default=1e-3, ge=0, le=1, description="ridge on the harmonics")
        blur: float = Field(default=0.035, gt=0, lt=0.5, description="smoothing along the radius")
        band: float = Field(
            default=0.12, gt=0.02, lt=0.5, description="half-width of the ring the contour is traced in"
        )
        hidden_weight: float = Field(default=0.05, ge=0, le=1, description="weight of directions behind a lid")
        lid_margin: float = Field(default=0.08, ge=0, le=1, description="strip beside a lid that counts as hidden")

    parameters: Parameters

    takes = (LimbusCircle, PupilBoundary, Eyelids, Reflections)
    gives = LimbusBoundary

    def run(
        self, limbus: LimbusCircle, pupil: PupilBoundary, eyelids: Eyelids, reflections: Reflections
    ) -> LimbusBoundary:
        """The contour with its support."""
        options = self.parameters
        circle = limbus.circle
        angles = np.linspace(0.0, 2 * np.pi, 48, endpoint=False)
        weights = np.where(behind_lids(circle, angles, eyelids, options.lid_margin), options.hidden_weight, 1.0)
        weights = weights * np.where(np.sin(angles) < -0.55, 0.4, 1.0)
        rounds = ((0.06, 0.03, 0.08), (0.02, 0.01, 0.03))
        circle = refine_circle(reflections.filled, circle, pupil, angles, weights, rounds)
        directions_traced = np.linspace(0.0, 2 * np.pi, ANGLES, endpoint=False)
        hidden = behind_lids(circle, directions_traced, eyelids, options.lid_margin)
        prior = np.where(hidden, options.hidden_weight, 1.0) * np.where(np.sin(directions_traced) < -0.55, 0.4, 1.0)
        low = max((1 - options.band) * circle.radius, 1.05 * pupil.radius)
        trace = trace_edge(
            reflections.filled,
            reflections.mask,
            (circle.x, circle.y),
            (low, (1 + options.band) * circle.radius),
            prior=prior,
            order=options.order,
            stiffness=options.stiffness,
            blur=options.blur * circle.radius,
        )
        return LimbusBoundary(trace.points, trace.centre, trace.support, trace.spread)


def behind_lids(circle: Circle, angles: Floats, eyelids: Eyelids, margin: float) -> NDArray[np.bool_]:
    """Which directions of the circle lie behind a lid or within ``margin`` radii of one."""
    x, y = circle.x + circle.radius * np.cos(angles), circle.y + circle.radius * np.sin(angles)
    hidden = np.zeros(len(angles), dtype=np.bool_)
    reach = margin * circle.radius
    if eyelids.upper is not None:
        hidden |= y < np.interp(x, eyelids.upper[:, 0], eyelids.upper[:, 1]) + reach
    if eyelids.lower is not None:
        hidden |= y > np.interp(x, eyelids.lower[:, 0], eyelids.lower[:, 1]) - reach
    return hidden


def refine_circle(
    grey: NDArray[np.uint8],
    start: Circle,
    pupil: PupilBoundary,
    angles: Floats,
    weights: Floats,
    rounds: tuple[tuple[float, float, float], ...],
) -> Circle:
    """The circle near ``start`` with the clearest weighted step from dark to bright over ``angles``.

    Each round is (reach of the centre, its spacing, reach of the radius), as shares of the radius.
    """
    circle = start
    cosine, sine = np.cos(angles), np.sin(angles)
    right = weights * (cosine > 0) / max(float((weights * (cosine > 0)).sum()), 1e-6)
    left = weights * (cosine <= 0) / max(float((weights * (cosine <= 0)).sum()), 1e-6)
    for reach, spacing, span in rounds:
        steps = round(reach / spacing)
        offsets = np.arange(-steps, steps + 1) * spacing * circle.radius
        radii = np.linspace((1 - span) * circle.radius, (1 + span) * circle.radius, 21)
        radii = radii[radii > 1.2 * pupil.radius]
        if radii.size < 3:
            break
        across = 0.06 * circle.radius
        dy, dx = (grid.reshape(-1, 1, 1) for grid in np.meshgrid(offsets, offsets, indexing="ij"))
        step = _ring(grey, circle, dx, dy, radii + across, cosine, sine)
        step -= _ring(grey, circle, dx, dy, radii - across, cosine, sine)
        soft = max(4.0, float(np.percentile(np.abs(step), 75)))
        step /= np.abs(step) + np.float32(soft)
        score_right, score_left = step @ right, step @ left
        score = 0.5 * (score_left + score_right) + 0.5 * np.minimum(score_left, score_right)
        # The centres of pupil and limbus lie close together; far apart they need the stronger evidence.
        apart = np.hypot(circle.x + dx[:, :, 0] - pupil.centre[0], circle.y + dy[:, :, 0] - pupil.centre[1])
        score = score - 0.3 * np.maximum(apart / circle.radius - 0.1, 0.0)
        which, index = np.unravel_index(int(score.argmax()), score.shape)
        circle = Circle(circle.x + float(dx[which, 0, 0]), circle.y + float(dy[which, 0, 0]), float(radii[index]))
    return circle


def _ring(
    grey: NDArray[np.uint8], circle: Circle, dx: Floats, dy: Floats, radii: Floats, cosine: Floats, sine: Floats
) -> NDArray[np.float32]:
    at = radii[None, :, None]
    x, y = circle.x + dx + at * cosine, circle.y + dy + at * sine
    return sample(grey, x.reshape(len(dx), -1), y.reshape(len(dx), -1)).reshape(len(dx), len(radii), -1)
