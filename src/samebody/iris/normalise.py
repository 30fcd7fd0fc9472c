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


def points_at(boundary: Boundary, count: int) -> NDArray[np.float64]:
    """(count, 2) points of a contour in evenly spaced directions from its centre, radii interpolated."""
    radii = boundary.radii
    if len(radii) != count:
        turn = np.arange(len(radii) + 1) / len(radii)
        radii = np.interp(np.arange(count) / count, turn, np.append(radii, radii[0]))
    cosine, sine = directions(count)
    return np.stack((boundary.centre[0] + radii * cosine, boundary.centre[1] + radii * sine), axis=1)


@stages.register("rubber_sheet")
class RubberSheet(IrisStage):
    """Straight lines from pupil to limbus at each angle; rows sample the middle of equal shares of each line."""

    class Parameters(stage.Parameters):
        """See the fields."""

        rows: int = Field(default=48, ge=16, le=256, description="samples from pupil to limbus")
        columns: int = Field(default=512, ge=128, le=4096, description="samples over the circle")

    takes = (EyeImage, Segmentation)
    gives = Texture

    def run(self, image: EyeImage, segmentation: Segmentation) -> Texture:
        """The unwrapped iris; column 0 points to the right in the picture, columns run clockwise."""
        rows, columns = self.parameters.rows, self.parameters.columns
        inner, outer = points_at(segmentation.pupil, columns), points_at(segmentation.limbus, columns)
        share = ((np.arange(rows) + 0.5) / rows)[:, None]
        x = (1 - share) * inner[:, 0] + share * outer[:, 0]
        y = (1 - share) * inner[:, 1] + share * outer[:, 1]
        height, width = image.grey.shape
        grey = image.grey
        pitch = (segmentation.limbus.radius - segmentation.pupil.radius) / rows
        if pitch > 1.5:
            grey = cv2.GaussianBlur(grey, (0, 0), 0.4 * pitch)
        hidden = sample(segmentation.occlusion.astype(np.uint8), x, y) > 0.3
        inside = (x >= 0.5) & (x <= width - 0.5) & (y >= 0.5) & (y <= height - 0.5)
        return Texture(sample(grey, x, y), inside & ~hidden)
