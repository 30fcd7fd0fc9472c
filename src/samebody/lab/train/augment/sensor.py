"""What a camera and a file do to a picture: blur, motion, noise, fewer pixels, JPEG."""

from __future__ import annotations

from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import Field, model_validator
from torch import Generator, Tensor
from torch.nn import functional

from samebody.errors import UsageError
from samebody.lab.train.augment.base import Augmentation, AugmentParameters, between, column, whole
from samebody.lab.train.task import augmentations


@augmentations.register("blur")
class Blur(Augmentation):
    """Gaussian blur, sigma drawn for each sample."""

    class Parameters(AugmentParameters):
        """Sigma in pixels."""

        low: float = Field(default=0.3, gt=0, le=32)
        high: float = Field(default=2.0, gt=0, le=32)

    def change(self, pictures: Tensor, generator: Generator) -> Tensor:
        """All pictures blurred; the border is mirrored."""
        from kornia.filters import gaussian_blur2d

        sigma = between(self.options.low, self.options.high, len(pictures), generator).to(pictures.device)
        side = min(2 * int(3 * self.options.high + 0.5) + 1, _odd_below(min(pictures.shape[-2:])))
        blurred: Tensor = gaussian_blur2d(pictures, (side, side), sigma[:, None].expand(-1, 2))
        return blurred


@augmentations.register("motion-blur")
class MotionBlur(Augmentation):
    """Blur along a straight line of a drawn direction; one length for the batch, drawn from 3..``longest``."""

    class Parameters(AugmentParameters):
        """Length in pixels."""

        longest: int = Field(default=9, ge=3, le=63)

    def change(self, pictures: Tensor, generator: Generator) -> Tensor:
        """All pictures blurred; the border is mirrored."""
        from kornia.filters import motion_blur

        longest = min(self.options.longest, _odd_below(min(pictures.shape[-2:])))
        side = 3 + 2 * whole(0, (longest - 3) // 2, 1, generator)[0]
        angle = between(0, 360, len(pictures), generator).to(pictures.device)
        blurred: Tensor = motion_blur(pictures, side, angle, torch.zeros_like(angle), border_type="reflect")
        return blurred


@augmentations.register("noise")
class Noise(Augmentation):
    """Gaussian noise of variance read^2 + shot * value, as of a sensor (Foi et al. 2008), clipped to 0..white."""

    class Parameters(AugmentParameters):
        """Largest strengths, as shares of white."""

        read: float = Field(default=0.04, ge=0, le=1, description="standard deviation in black")
        shot: float = Field(default=0.0, ge=0, le=1, description="variance added at white")
        grey: bool = Field(default=False, description="the same noise in all channels")

    def change(self, pictures: Tensor, generator: Generator) -> Tensor:
        """All pictures with noise."""
        options, white = self.options, self.options.white
        read = column(between(0, options.read, len(pictures), generator), pictures)
        shot = column(between(0, options.shot, len(pictures), generator), pictures)
        count, channels, height, width = pictures.shape
        noise = torch.randn(
            (count, 1 if options.grey else channels, height, width), generator=generator, device=generator.device
        )
        x = pictures / white
        deviation = (read.square() + shot * x.clamp(0, 1)).sqrt()
        return (x + deviation * noise.to(x.device, x.dtype)).clamp(0, 1) * white


@augmentations.register("downscale")
class Downscale(Augmentation):
    """Fewer pixels and back: each sample is averaged down to a drawn side and drawn up again by ``up``."""

    class Parameters(AugmentParameters):
        """The smallest side as a share of the picture's."""

        least: float = Field(default=0.3, gt=0, lt=1)
        up: Literal["bilinear", "bicubic", "nearest", "any"] = "any"

    def change(self, pictures: Tensor, generator: Generator) -> Tensor:
        """All pictures as if taken from afar."""
        factors = between(self.options.least, 1, len(pictures), generator).tolist()
        kinds = whole(0, 2, len(pictures), generator)
        height, width = pictures.shape[-2:]
        changed = torch.empty_like(pictures)
        for index, (factor, kind) in enumerate(zip(factors, kinds, strict=True)):
            up = ("bilinear", "bicubic", "nearest")[kind] if self.options.up == "any" else self.options.up
            small = (max(2, round(height * factor)), max(2, round(width * factor)))
            down = functional.interpolate(pictures[index : index + 1], small, mode="area")
            smooth = {} if up == "nearest" else {"align_corners": False}
            changed[index] = functional.interpolate(down, (height, width), mode=up, **smooth)[0]
        return changed.clamp(0, self.options.white)


@augmentations.register("jpeg")
class Jpeg(Augmentation):
    """Written as JPEG and read again by a real encoder, chroma at half size: about ten times as fast as kornia's
    differentiable one on a processor, and exactly what files are. Three channels are red, green, blue.
    """

    class Parameters(AugmentParameters):
        """Quality of the encoder, 1..100."""

        low: int = Field(default=30, ge=1, le=100)
        high: int = Field(default=95, ge=1, le=100)

        @model_validator(mode="after")
        def _ordered(self) -> Jpeg.Parameters:
            if self.low > self.high:
                raise ValueError("low is above high")
            return self

    def change(self, pictures: Tensor, generator: Generator) -> Tensor:
        """All pictures as they come back from a file."""
        quality = whole(self.options.low, self.options.high, len(pictures), generator)
        return torch.stack([self._coded(picture, q) for picture, q in zip(pictures, quality, strict=True)])

    def _coded(self, picture: Tensor, quality: int) -> Tensor:
        import cv2

        white = self.options.white
        rows = (picture.detach() / white * 255).round().clamp(0, 255).to(torch.uint8).permute(1, 2, 0).cpu().numpy()
        grey = rows.shape[2] == 1
        if not grey and rows.shape[2] != 3:
            raise UsageError("jpeg needs pictures of one or three channels.", hint="Leave it out of this recipe.")
        _, data = cv2.imencode(".jpg", rows if grey else rows[:, :, ::-1], [cv2.IMWRITE_JPEG_QUALITY, quality])
        read: NDArray[np.uint8] = cv2.imdecode(data, cv2.IMREAD_GRAYSCALE if grey else cv2.IMREAD_COLOR)  # type: ignore[assignment]
        back = read[:, :, None] if grey else read[:, :, ::-1]
        coded = torch.from_numpy(np.ascontiguousarray(back.transpose(2, 0, 1))).to(picture.device, picture.dtype)
        return coded * (white / 255)


def _odd_below(side: int) -> int:
    return max(1, side - 1 if side % 2 == 0 else side - 2)
