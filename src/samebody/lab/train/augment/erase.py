"""Rectangles taken out of the picture."""

from __future__ import annotations

from typing import Literal

import torch
from pydantic import Field
from torch import Generator, Tensor

from samebody.lab.train.augment.base import Augmentation, AugmentParameters, between, uniform
from samebody.lab.train.task import augmentations


@augmentations.register("erase")
class Erase(Augmentation):
    """One rectangle of each chosen sample is filled (Zhong et al.: Random erasing, AAAI 2020).

    ``fill``: the sample's mean colour, black, or noise over all values.
    """

    class Parameters(AugmentParameters):
        """Size and content."""

        least: float = Field(default=0.02, gt=0, le=1, description="smallest share of the area")
        most: float = Field(default=0.2, gt=0, le=1, description="largest share of the area")
        aspect: float = Field(default=3.0, ge=1, le=10, description="largest ratio of the sides, either way")
        fill: Literal["mean", "black", "noise"] = "mean"

    def change(self, pictures: Tensor, generator: Generator) -> Tensor:
        """All pictures with a rectangle filled."""
        options = self.options
        count, _, height, width = pictures.shape
        inside = rectangles(count, (height, width), options.least, options.most, options.aspect, generator)
        if options.fill == "noise":
            fill = (
                torch.rand(pictures.shape, generator=generator, device=generator.device).to(
                    pictures.device, pictures.dtype
                )
                * options.white
            )
        elif options.fill == "mean":
            fill = pictures.mean((2, 3), keepdim=True).expand_as(pictures)
        else:
            fill = torch.zeros_like(pictures)
        return torch.where(inside[:, None].to(pictures.device), fill, pictures)


def rectangles(
    count: int, size: tuple[int, int], least: float, most: float, aspect: float, generator: Generator
) -> Tensor:
    """bool [count, h, w]: inside of one rectangle each, area share uniform in least..most, log aspect uniform."""
    area = between(least, most, count, generator) * (size[0] * size[1])
    limit = float(torch.tensor(aspect).log())
    ratio = between(-limit, limit, count, generator).exp()
    heights = (area * ratio).sqrt().clamp(1, size[0]).round()
    widths = (area / ratio).sqrt().clamp(1, size[1]).round()
    tops = (uniform(count, generator) * (size[0] - heights + 1)).floor()
    lefts = (uniform(count, generator) * (size[1] - widths + 1)).floor()
    rows, columns = torch.arange(size[0])[None, :, None], torch.arange(size[1])[None, None, :]
    tops, lefts, heights, widths = (value[:, None, None] for value in (tops, lefts, heights, widths))
    return (rows >= tops) & (rows < tops + heights) & (columns >= lefts) & (columns < lefts + widths)
