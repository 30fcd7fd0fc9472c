"""The rubber sheet: the iris unwrapped so that pupil width, size and place no longer matter (Daugman 1993, 2004)."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from samebody import stage
from samebody.iris.polar import directions, sample
from samebody.iris.results import Boundary, EyeImage, Segmentation, Texture
from samebody.iris.stages import IrisStage, stages


def radii_from(boundary: Boundary, centre: tuple[float, float], count: int) -> NDArray[np.float64]:
    """(count,) distances from ``centre`` to the contour in evenly spaced directions; ``centre`` must lie inside it."""
    away = boundary.points - np.asarray(centre)
    angles = np.arctan2(away[:, 1], away[:, 0]) % (2 * np.pi)
    order = np.argsort(angles, kind="stable")
    asked = np.arange(count) * (2 * np.pi / count)
    radii = np.hypot(away[:, 0], away[:, 1])
    return np.asarray(np.interp(asked, angles[order], radii[order], period=2 * np.pi))


def ray_centre(segmentation: Segmentation) -> tuple[float, float]:
    """The pupil's centre: of the circle through the points of its contour that no lid is near.

    A pupil cut by a lid has the centre of its visible part too low; the circle through the rest of it has not (least
    squares after Kasa, IEEE Trans. Instrum. Meas. 25(1), 1976). With less than half of the contour free, the
    contour's own centre stands.
    """
    pupil, lids = segmentation.pupil, segmentation.eyelids
    x, y = pupil.points[:, 0], pupil.points[:, 1]
    margin = 0.12 * segmentation.limbus.radius
    free = np.ones(len(x), dtype=np.bool_)
    if lids.upper is not None:
        free &= y > np.interp(x, lids.upper[:, 0], lids.upper[:, 1]) + margin
    if lids.lower is not None:
        free &= y < np.interp(x, lids.lower[:, 0], lids.lower[:, 1]) - margin
    if not 0.5 <= free.mean() < 1.0:
        return pupil.centre if free.mean() < 0.5 else (float(x.mean()), float(y.mean()))
    u, v = x[free] - pupil.centre[0], y[free] - pupil.centre[1]
    fit, *_ = np.linalg.lstsq(np.stack((2 * u, 2 * v, np.ones_like(u)), axis=1), u * u + v * v, rcond=None)
    reach = 0.3 * pupil.radius
    return (
        pupil.centre[0] + float(np.clip(fit[0], -reach, reach)),
        pupil.centre[1] + float(np.clip(fit[1], -reach, reach)),
    )


@stages.register("rubber_sheet")
class RubberSheet(IrisStage):
    """Rays from the pupil's centre; rows sample the middle of equal shares of each ray between pupil and limbus.

    The rays leave one centre, that of the pupil, because it is found to a fraction of a pixel and the limbus' is not:
    an error of the limbus then moves samples along the rays, not across them, where the code is most sensitive.
    """

    class Parameters(stage.Stage.Parameters):
        """See the fields."""

        rows: int = Field(default=48, ge=16, le=256, description="samples from pupil to limbus")
        columns: int = Field(default=512, ge=128, le=4096, description="samples over the circle")

    parameters: Parameters

    takes = (EyeImage, Segmentation)
    gives = Texture

    def run(self, image: EyeImage, segmentation: Segmentation) -> Texture:
        """The unwrapped iris; column 0 points to the right in the picture, columns run clockwise."""
        rows, columns = self.parameters.rows, self.parameters.columns
        centre = ray_centre(segmentation)
        inner, outer = (radii_from(contour, centre, columns) for contour in (segmentation.pupil, segmentation.limbus))
        cosine, sine = directions(columns)
        share = ((np.arange(rows) + 0.5) / rows)[:, None]
        reach = (1 - share) * inner + share * outer
        x, y = centre[0] + reach * cosine, centre[1] + reach * sine
        height, width = image.grey.shape
        grey = image.grey
        pitch = (segmentation.limbus.radius - segmentation.pupil.radius) / rows
        if pitch > 1.5:
            grey = cv2.GaussianBlur(grey, (0, 0), 0.4 * pitch)
        hidden = sample(segmentation.occlusion.astype(np.uint8), x, y) > 0.3
        inside = (x >= 0.5) & (x <= width - 0.5) & (y >= 0.5) & (y <= height - 0.5)
        return Texture(sample(grey, x, y), inside & ~hidden)
