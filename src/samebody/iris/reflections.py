"""Specular reflections: compact bright spots that the cornea (or a glass before it) mirrors into the picture."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from samebody import stage
from samebody.iris.results import Circle, EyeImage, EyeLocation, Reflections
from samebody.iris.stages import IrisStage, stages


def around(circle: Circle, factor: float, shape: tuple[int, int]) -> tuple[slice, slice]:
    """Rows and columns of the square of half-side ``factor`` radii around ``circle``, cut at the picture's edges."""
    reach = factor * circle.radius
    top, bottom = (int(np.clip(circle.y + sign * reach, 0, shape[0])) for sign in (-1, 1))
    left, right = (int(np.clip(circle.x + sign * reach, 0, shape[1])) for sign in (-1, 1))
    return slice(top, max(bottom, top + 1)), slice(left, max(right, left + 1))


def compact(spots: NDArray[np.uint8], longest: float) -> NDArray[np.uint8]:
    """``spots`` without connected pieces longer than ``longest`` pixels: rims of lids and strips of sclera."""
    count, labels, statistics, _ = cv2.connectedComponentsWithStats(spots, connectivity=8)
    keep = (statistics[:, cv2.CC_STAT_WIDTH] <= longest) & (statistics[:, cv2.CC_STAT_HEIGHT] <= longest)
    keep[0] = False
    return np.asarray(keep[labels].astype(np.uint8)) if count > 1 else spots


@stages.register("top_hat_reflections")
class TopHatReflections(IrisStage):
    """Bright spots narrower than a share of the iris, by a white top-hat (grey minus its morphological opening)."""

    class Parameters(stage.Stage.Parameters):
        """Lengths are shares of the iris radius."""

        widest: float = Field(default=0.26, gt=0.02, lt=1, description="spots as wide as this or wider stay")
        step: float = Field(
            default=0.3, gt=0, le=1, description="height of a spot, as a share of the grey range around"
        )
        fringe: float = Field(default=0.04, ge=0, lt=0.3, description="margin masked around a spot")

    parameters: Parameters

    takes = (EyeImage, EyeLocation)
    gives = Reflections

    def run(self, image: EyeImage, location: EyeLocation) -> Reflections:
        """Mask and filled grey channel; outside the square of 1.4 iris radii around the eye nothing is touched."""
        radius = location.limbus.radius
        mask = np.zeros(image.grey.shape, dtype=np.bool_)
        filled = image.grey.copy()
        rows, columns = around(location.limbus, 1.4, image.grey.shape)
        patch = image.grey[rows, columns]
        size = max(3, round(self.parameters.widest * radius) | 1)
        opened = cv2.morphologyEx(patch, cv2.MORPH_OPEN, np.ones((size, size), np.uint8))
        low, high = np.percentile(opened, (2, 98))
        limit = max(12.0, self.parameters.step * float(high - low))
        spots: NDArray[np.uint8] = (patch.astype(np.int16) - opened > limit).astype(np.uint8)
        spots = compact(spots, 1.2 * size)
        if spots.any():
            fringe = 2 * max(1, round(self.parameters.fringe * radius)) + 1
            kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (fringe, fringe))
            spots = cv2.dilate(spots, kernel)
            mask[rows, columns] = spots.astype(np.bool_)
            filled[rows, columns] = np.where(spots > 0, opened, patch)
        return Reflections(mask, filled)
