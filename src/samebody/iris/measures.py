"""What a picture of an iris is worth, in numbers that need only the picture and its segmentation.

Names follow ISO/IEC 29794-6 (iris image quality) where it has them: usable iris area, pupil-to-iris ratio, sharpness,
gaze angle, iris size, margin. Every length is a share of the iris radius, so that picture size does not matter.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from samebody import stage
from samebody.iris.polar import directions, sample
from samebody.iris.results import Boundary, EyeImage, IrisMeasures, Segmentation, Texture
from samebody.iris.stages import IrisStage, stages

_ANGLES = 64
Floats = NDArray[np.float64]


@stages.register("measures")
class Measures(IrisStage):
    """The measures that the quality gates hold against their limits."""

    class Parameters(stage.Stage.Parameters):
        """See the fields."""

        half_sharp: float = Field(
            default=0.12, gt=0.005, lt=1, description="width of the pupil's edge, share of iris radius, of sharpness 50"
        )
        least_step: float = Field(default=3.0, ge=0, lt=64, description="grey levels that count as an edge")

    parameters: Parameters

    takes = (EyeImage, Segmentation, Texture)
    gives = IrisMeasures

    def run(self, image: EyeImage, segmentation: Segmentation, texture: Texture) -> IrisMeasures:
        """All measures; see :class:`samebody.iris.results.IrisMeasures` for units and ranges."""
        pupil, limbus = segmentation.pupil, segmentation.limbus
        radius = limbus.radius
        height, width = image.grey.shape
        shown = _visible_share(texture, pupil.radius / radius)
        width_of_edge, contrast, pupil_edges = self._pupil_edge(image, segmentation)
        x, y = limbus.points[:, 0], limbus.points[:, 1]
        return IrisMeasures(
            iris_radius=radius / image.scale,
            pupil_ratio=pupil.radius / radius,
            gaze=gaze_angle(segmentation),
            visible=float(shown.mean()),
            visible_sides=float(shown[_sideways(len(shown))].mean()),
            sharpness=100.0 / (1.0 + (width_of_edge / self.parameters.half_sharp) ** 2),
            contrast=contrast,
            inside=float(((x >= 0) & (x <= width) & (y >= 0) & (y <= height)).mean()),
            evidence=0.5 * (pupil_edges + self._limbus_edges(image, segmentation)),
        )

    def _pupil_edge(self, image: EyeImage, segmentation: Segmentation) -> tuple[float, float, float]:
        """Width of the edge as a share of the iris radius, its step in grey levels, share of angles that show it."""
        factors = np.linspace(0.5, 1.5, 41)
        profile, visible = _across(image, segmentation, segmentation.pupil, factors, 1.2)
        if visible.sum() < 6:
            return float("inf"), 0.0, 0.0
        rows = cv2.GaussianBlur(profile, (0, 0), sigmaX=0.7, sigmaY=0.7)[visible]
        step = rows[:, -8:].mean(axis=1) - rows[:, :8].mean(axis=1)
        share = float((step > self.parameters.least_step).mean())
        slope = np.diff(rows, axis=1)[:, 8:-8].max(axis=1) / (factors[1] - factors[0])
        good = (step > self.parameters.least_step) & (slope > 0)
        if good.sum() < 6:
            return float("inf"), max(0.0, float(np.median(step))), share
        edge = float(np.median(step[good] / slope[good])) * segmentation.pupil.radius / segmentation.limbus.radius
        return edge, float(np.median(step)), share

    def _limbus_edges(self, image: EyeImage, segmentation: Segmentation) -> float:
        profile, visible = _across(image, segmentation, segmentation.limbus, np.array([0.90, 0.93, 1.07, 1.10]), 0.93)
        if visible.sum() < 6:
            return 0.0
        step = profile[visible, 2:].mean(axis=1) - profile[visible, :2].mean(axis=1)
        return float((step > self.parameters.least_step).mean())


def _across(
    image: EyeImage, segmentation: Segmentation, contour: Boundary, factors: Floats, seen_at: float
) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """(angles, factors) grey values at multiples of the contour's radius, and which angles show at ``seen_at``."""
    picked = np.linspace(0, len(contour.points), _ANGLES, endpoint=False).astype(int)
    away = contour.points[picked] - np.asarray(contour.centre)
    x = contour.centre[0] + away[:, :1] * factors
    y = contour.centre[1] + away[:, 1:] * factors
    at_x, at_y = contour.centre[0] + away[:, 0] * seen_at, contour.centre[1] + away[:, 1] * seen_at
    height, width = image.grey.shape
    hidden = sample(segmentation.occlusion.astype(np.uint8), at_x[:, None], at_y[:, None])[:, 0] > 0.5
    inside = (x.min(axis=1) >= 0) & (x.max(axis=1) <= width) & (y.min(axis=1) >= 0) & (y.max(axis=1) <= height)
    return sample(image.grey, x, y), ~hidden & inside


def _visible_share(texture: Texture, pupil_ratio: float) -> Floats:
    """(columns,) share of each ray's area that is usable: rows further out stand for more area."""
    rows = texture.usable.shape[0]
    area = pupil_ratio + (1 - pupil_ratio) * (np.arange(rows) + 0.5) / rows
    return np.asarray(area @ texture.usable / area.sum())


def _sideways(columns: int) -> NDArray[np.bool_]:
    """Which columns of the unwrapped iris lie within 45 degrees of left or right."""
    cosine, _ = directions(columns)
    return np.asarray(np.abs(cosine) >= np.sqrt(0.5))


def gaze_angle(segmentation: Segmentation) -> float:
    """Degrees between line of sight and camera, from how flat the pupil looks: ``acos(short axis / long axis)``.

    A circle turned away by an angle appears as an ellipse with that ratio of axes. Points of the contour behind a lid
    are left out; NaN where less than 60 % of the contour is left. Below about 15 degrees the figure is noise.
    """
    pupil, lids = segmentation.pupil, segmentation.eyelids
    x, y = pupil.points[:, 0], pupil.points[:, 1]
    margin = 0.06 * segmentation.limbus.radius
    shown = pupil.support > 0.1
    if lids.upper is not None:
        shown &= y > np.interp(x, lids.upper[:, 0], lids.upper[:, 1]) + margin
    if lids.lower is not None:
        shown &= y < np.interp(x, lids.lower[:, 0], lids.lower[:, 1]) - margin
    if shown.mean() < 0.6:
        return float("nan")
    _, (first, second), _ = cv2.fitEllipseAMS(pupil.points[shown].astype(np.float32))
    longer = max(first, second)
    return float(np.degrees(np.arccos(np.clip(min(first, second) / longer, 0.0, 1.0)))) if longer > 0 else float("nan")
