"""What hides the iris, pixel by pixel, and the classical segmentation put together."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from samebody import stage
from samebody.iris.reflections import around
from samebody.iris.results import (
    Circle,
    EyeImage,
    Eyelids,
    LimbusBoundary,
    Mask,
    PupilBoundary,
    Reflections,
    Segmentation,
)
from samebody.iris.stages import IrisStage, stages


def inside_contours(
    pupil: PupilBoundary, limbus: LimbusBoundary, rows: slice, columns: slice
) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Masks of the patch ``rows`` x ``columns``: inside the limbus, inside the pupil (pixel centres)."""
    shape = (rows.stop - rows.start, columns.stop - columns.start)
    filled = []
    for contour in (limbus, pupil):
        points = (contour.points - (columns.start + 0.5, rows.start + 0.5)) * 16
        canvas = np.zeros(shape, dtype=np.uint8)
        cv2.fillPoly(canvas, [points.round().astype(np.int32)], 1, shift=4)
        filled.append(canvas.astype(np.bool_))
    return filled[0], filled[1]


@stages.register("lids_lashes_reflections")
class LidsLashesReflections(IrisStage):
    """The occlusion mask: behind a lid, on a reflection, too dark (lash, shadow) or bright (sclera) for the iris."""

    class Parameters(stage.Stage.Parameters):
        """See the fields."""

        lid_margin: float = Field(
            default=0.02, ge=0, lt=0.5, description="strip masked below a lid, share of iris radius"
        )
        dark: float = Field(default=3.0, gt=0.5, lt=20, description="robust deviations below the iris' median: lash")
        bright: float = Field(
            default=4.0, gt=0.5, lt=20, description="robust deviations above it: reflection or sclera"
        )
        grow: float = Field(default=0.015, ge=0, lt=0.2, description="margin around lashes, share of iris radius")

    parameters: Parameters

    takes = (EyeImage, PupilBoundary, LimbusBoundary, Eyelids, Reflections)
    gives = Segmentation

    def run(
        self,
        image: EyeImage,
        pupil: PupilBoundary,
        limbus: LimbusBoundary,
        eyelids: Eyelids,
        reflections: Reflections,
    ) -> Segmentation:
        """The segmentation; raises InvalidSegmentationError when the contours do not nest."""
        options = self.parameters
        grey = image.grey
        radius = limbus.radius
        rows, columns = around(Circle(*limbus.centre, radius), 1.3, grey.shape)
        iris, hole = inside_contours(pupil, limbus, rows, columns)
        iris &= ~hole
        hidden = reflections.mask[rows, columns].copy()
        lids = np.zeros_like(hidden)
        x = np.arange(columns.start, columns.stop) + 0.5
        y = (np.arange(rows.start, rows.stop) + 0.5)[:, None]
        margin = options.lid_margin * radius
        if eyelids.upper is not None:
            lids |= y < np.interp(x, eyelids.upper[:, 0], eyelids.upper[:, 1]) + margin
        if eyelids.lower is not None:
            lids |= y > np.interp(x, eyelids.lower[:, 0], eyelids.lower[:, 1]) - margin
        patch = cv2.GaussianBlur(reflections.filled[rows, columns], (0, 0), max(0.5, 0.012 * radius)).astype(np.float32)
        clear = iris & ~hidden & ~lids
        hidden |= lids | self._odd(patch, clear, hole, radius)
        mask: Mask = np.zeros(grey.shape, dtype=np.bool_)
        mask[rows, columns] = hidden
        return Segmentation(pupil, limbus, eyelids, mask)

    def _odd(self, patch: NDArray[np.float32], clear: Mask, hole: Mask, radius: float) -> NDArray[np.bool_]:
        if clear.sum() < 32:
            return np.zeros_like(clear)
        values = patch[clear]
        middle = float(np.median(values))
        lower = values[values <= middle]
        spread = max(2.0, 1.4826 * float(np.median(middle - lower)))
        limit = middle - self.parameters.dark * spread
        if hole.any():
            # Never darker than half-way to the pupil: beyond that it is no iris whatever its spread.
            limit = max(limit, 0.5 * (middle + float(np.median(patch[hole]))))
        dark = patch < limit
        bright = patch > middle + self.parameters.bright * spread
        size = 2 * round(self.parameters.grow * radius) + 1
        odd = (dark | bright).astype(np.uint8)
        if size > 1:
            odd = cv2.dilate(odd, cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (size, size)))
        return odd.astype(np.bool_)
