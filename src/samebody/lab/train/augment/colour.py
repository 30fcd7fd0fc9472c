"""Light and colour: brightness, contrast, saturation, gamma, white balance, hue, loss of colour."""

from __future__ import annotations

import torch
from pydantic import Field
from torch import Generator, Tensor

from samebody.lab.train.augment.base import Augmentation, AugmentParameters, between, column, uniform
from samebody.lab.train.task import augmentations

GREY = (0.299, 0.587, 0.114)
"""Weights of red, green, blue in luma (ITU-R BT.601)."""


@augmentations.register("colour")
class Colour(Augmentation):
    """Each strength s draws a factor from 1 - s .. 1 + s (gamma: from 1 / (1 + s) .. 1 + s); 0 switches it off.

    Pictures of one channel get what needs no colour.
    """

    class Parameters(AugmentParameters):
        """Strengths."""

        brightness: float = Field(default=0.2, ge=0, lt=1, description="factor of all values")
        contrast: float = Field(default=0.2, ge=0, lt=1, description="factor of the distance to the mean luma")
        saturation: float = Field(default=0.2, ge=0, le=1, description="factor of the distance to grey")
        gamma: float = Field(default=0.0, ge=0, le=4, description="exponent")
        balance: float = Field(default=0.0, ge=0, lt=1, description="factor of each channel for itself")
        hue: float = Field(default=0.0, ge=0, le=0.5, description="turn, in turns; costs more than the rest together")
        grey: float = Field(default=0.0, ge=0, le=1, description="probability of no colour at all")

    def change(self, pictures: Tensor, generator: Generator) -> Tensor:
        """All pictures changed, clipped to black and white."""
        options, count = self.options, len(pictures)
        x = pictures / options.white
        colour = x.shape[1] == 3
        x = x * column(between(1 - options.brightness, 1 + options.brightness, count, generator), x)
        if options.gamma > 0:
            limit = torch.tensor(1 + options.gamma).log().item()
            exponent = between(-limit, limit, count, generator).exp()
            x = x.clamp(0, 1) ** column(exponent, x)
        mean = _grey(x).mean((2, 3), keepdim=True)
        x = mean + (x - mean) * column(between(1 - options.contrast, 1 + options.contrast, count, generator), x)
        if colour:
            x = self._colours(x, generator)
        return x.clamp(0, 1) * options.white

    def _colours(self, x: Tensor, generator: Generator) -> Tensor:
        options, count = self.options, len(x)
        if options.balance > 0:
            gains = between(1 - options.balance, 1 + options.balance, count * 3, generator).reshape(count, 3, 1, 1)
            x = x * gains.to(x.device, x.dtype)
        if options.hue > 0:
            from kornia.enhance import adjust_hue

            turns = between(-options.hue, options.hue, count, generator).to(x.device)
            x = adjust_hue(x.clamp(0, 1), turns * (2 * torch.pi))
        factor = between(1 - options.saturation, 1 + options.saturation, count, generator)
        if options.grey > 0:
            factor = torch.where(uniform(count, generator) < options.grey, 0.0, factor)
        grey = _grey(x)
        return grey + (x - grey) * column(factor, x)


def _grey(x: Tensor) -> Tensor:
    if x.shape[1] != 3:
        return x.mean(1, keepdim=True)
    weights = torch.tensor(GREY, dtype=x.dtype, device=x.device).reshape(1, 3, 1, 1)
    return (x * weights).sum(1, keepdim=True)
