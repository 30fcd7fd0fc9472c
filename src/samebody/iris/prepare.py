"""Pixels to one grey channel of a workable size."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
from pydantic import Field

from samebody import stage
from samebody.iris.errors import InvalidEyeImageError
from samebody.iris.results import EyeImage, Picture
from samebody.iris.stages import IrisStage, stages

SMALLEST_SIDE = 48
"""Pixels; a smaller picture is refused as no picture of an eye."""
LARGEST_SIDE = 16_384


@stages.register("grey")
class GreyStage(IrisStage):
    """RGB to grey (ITU-R BT.601; near-infrared cameras give three equal channels), large pictures made smaller."""

    class Parameters(stage.Stage.Parameters):
        """See the fields."""

        longest: int = Field(default=640, ge=160, le=4096, description="longest side in pixels the stages work at")

    parameters: Parameters

    takes = (Picture,)
    gives = EyeImage

    def run(self, picture: Picture) -> EyeImage:
        """The working image; its width and height keep the picture's own size.

        Raises:
            InvalidEyeImageError: not uint8, not (h, w) or (h, w, 3), or a side outside 48-16384 pixels.
        """
        pixels: Any = picture.pixels  # what callers hand over need not be what the type says
        if (
            not isinstance(pixels, np.ndarray)
            or pixels.dtype != np.uint8
            or pixels.ndim not in (2, 3)
            or (pixels.ndim == 3 and pixels.shape[2] != 3)
        ):
            found = f"{pixels.dtype} {pixels.shape}" if isinstance(pixels, np.ndarray) else type(pixels).__name__
            raise InvalidEyeImageError(
                f"expected uint8 pixels (height, width) or (height, width, 3), got {found}.",
                hint="Decode the picture with samebody.capture.decode_image, or convert it to 8 bits.",
            )
        height, width = pixels.shape[:2]
        if min(height, width) < SMALLEST_SIDE or max(height, width) > LARGEST_SIDE:
            raise InvalidEyeImageError(
                f"a picture of {width}x{height} pixels cannot hold an iris that could be read.",
                hint=f"Each side must have {SMALLEST_SIDE} to {LARGEST_SIDE} pixels.",
            )
        grey = cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY) if pixels.ndim == 3 else np.ascontiguousarray(pixels)
        scale = min(1.0, self.parameters.longest / max(height, width))
        if scale < 1.0:
            size = (max(1, round(width * scale)), max(1, round(height * scale)))
            grey = cv2.resize(grey, size, interpolation=cv2.INTER_AREA)
        return EyeImage(grey, scale, width, height)
