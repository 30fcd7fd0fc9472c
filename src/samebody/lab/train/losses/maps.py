"""Losses over maps for presentation attack detection: every place of the picture is asked, and its spectrum."""

from __future__ import annotations

import torch
from pydantic import Field
from torch import Tensor
from torch.nn import functional

from samebody import stage
from samebody.lab.train.losses.base import PartLoss
from samebody.lab.train.task import Batch, Output, losses


@losses.register("pixel-map")
class PixelMap(PartLoss):
    """Binary cross-entropy of the logits of every place of ``map`` [n, 1, h, w].

    The target is the sample's class (1 = bona fide everywhere: George, Marcel: Deep pixel-wise binary supervision, ICB
    2019), or, where the batch holds ``mask`` float [n, 1, H, W] in 0..1, the mask averaged to the map's size.
    """

    class Parameters(stage.Parameters):
        """Names."""

        output: str = Field(default="map", description="name of the network's answer")
        target: str = Field(default="label", description="class in the batch, 1 = bona fide")
        mask: str | None = Field(default=None, description="name of a mask in the batch instead of the class")

    def each(self, output: Output, batch: Batch) -> Tensor:
        """The loss of each sample, float [n]."""
        answer = self.output(output, self.options.output)
        if self.options.mask is None:
            label = self.target(batch, self.options.target).to(answer.dtype)
            target = label[:, None, None, None].expand_as(answer)
        else:
            mask = self.target(batch, self.options.mask).to(answer.dtype)
            target = functional.adaptive_avg_pool2d(mask, answer.shape[-2:])
        return functional.binary_cross_entropy_with_logits(answer, target, reduction="none").mean((1, 2, 3))


def fourier_target(pictures: Tensor, size: tuple[int, int]) -> Tensor:
    """Log magnitude spectrum, float [n, 1, *size] in 0..1, low frequencies in the middle, of [n, c, h, w].

    The mean of the channels is transformed; log(1 + |F|) is scaled to 0..1 in each picture and averaged to ``size``.
    """
    grey = pictures.float().mean(1, keepdim=True)
    spectrum = torch.fft.fftshift(torch.fft.fft2(grey), dim=(-2, -1)).abs().log1p()
    low = spectrum.amin((2, 3), keepdim=True)
    high = spectrum.amax((2, 3), keepdim=True)
    return functional.adaptive_avg_pool2d((spectrum - low) / (high - low).clamp_min(1e-6), size)


@losses.register("fourier-map")
class FourierMap(PartLoss):
    """Mean square difference of ``fourier`` [n, 1, h, w] and the picture's log spectrum at that size.

    A network that must tell the spectrum keeps moire, halftone and double sampling in its maps (auxiliary Fourier
    supervision of Silent-Face-Anti-Spoofing, Minivision 2020). The target is made from ``input``.
    """

    class Parameters(stage.Parameters):
        """Names."""

        output: str = Field(default="fourier", description="name of the network's answer")
        input: str = Field(default="input", description="name of the pictures in the batch")

    def each(self, output: Output, batch: Batch) -> Tensor:
        """The loss of each sample, float [n]."""
        answer = self.output(output, self.options.output)
        with torch.no_grad():
            height, width = answer.shape[-2:]
            target = fourier_target(self.target(batch, self.options.input), (height, width)).to(answer.dtype)
        return (answer - target).square().mean((1, 2, 3))
