"""The network of attack detection: a small residual net of dense 3x3 convolutions, which two cores train in minutes."""

from __future__ import annotations

from typing import Any

import torch
from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional

from samebody import stage
from samebody.lab.train.part import Part


def _conv(inputs: int, outputs: int, stride: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False), nn.BatchNorm2d(outputs), nn.ReLU(inplace=True)
    )


class Residual(nn.Module):
    """``x + conv(x)``, one convolution."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(width, width, 3, 1, 1, bias=False)
        self.norm = nn.BatchNorm2d(width)

    def forward(self, x: Tensor) -> Tensor:
        """[n, width, h, w] to the same."""
        return functional.relu(x + self.norm(self.conv(x)), inplace=True)


def mix_style(x: Tensor, share: float, spread: float = 0.3) -> Tensor:
    """Feature statistics mixed between samples (Zhou et al., Domain generalization with MixStyle, ICLR 2021).

    Args:
        x: [n, c, h, w].
        share: part of the samples that is mixed.
        spread: parameter of the Beta distribution of the weights.
    """
    mean = x.mean((2, 3), keepdim=True).detach()
    deviation = x.var((2, 3), keepdim=True).add(1e-6).sqrt().detach()
    other = torch.randperm(len(x))
    weight = torch.distributions.Beta(spread, spread).sample((len(x), 1, 1, 1)).to(x)
    weight = torch.where(torch.rand(len(x), 1, 1, 1) < share, weight, torch.ones_like(weight))
    mixed_mean = weight * mean + (1 - weight) * mean[other]
    mixed_deviation = weight * deviation + (1 - weight) * deviation[other]
    return (x - mean) / deviation * mixed_deviation + mixed_mean


def front(x: Tensor) -> Tensor:
    """[n, 3, h, w] pixels 0-255 to [n, 6, h, w]: the pixels about 0, and what differs from their neighbours, louder.

    Traces of rasters and of double sampling are a few grey levels; a network at its start would not see them.
    """
    x = (x - 127.5) * (1 / 64)
    fine = (x - functional.avg_pool2d(x, 3, 1, 1, count_include_pad=False)) * 6
    return torch.cat([x, fine.clamp(-4, 4)], 1)


class PadNet(Part):
    """[n, 3, side, side] pixels 0-255 to ``logits`` [n, 2] (attack, bona fide) and ``map`` [n, 1, side/16, side/16]."""

    class Parameters(stage.Parameters):
        """Sizes, and what is only there while it learns."""

        widths: tuple[int, int, int, int, int] = Field(
            default=(16, 24, 40, 80, 128), description="channels, fine to coarse"
        )
        mix: float = Field(default=0.0, ge=0, le=1, description="share of samples whose style is mixed (MixStyle)")
        dropout: float = Field(default=0.2, ge=0, lt=1, description="before the last layer")
        fourier: bool = Field(default=False, description="answer ``fourier`` too, for the loss fourier-map")

    def __init__(self, **parameters: Any) -> None:
        super().__init__(**parameters)
        a, b, c, d, e = self.options.widths
        self.low = nn.Sequential(_conv(6, a, 2), _conv(a, b, 1))
        self.middle = nn.Sequential(_conv(b, c, 2), Residual(c))
        self.high = nn.Sequential(_conv(c, d, 2), Residual(d), _conv(d, e, 2), Residual(e))
        self.map = nn.Conv2d(e, 1, 1)
        self.drop = nn.Dropout(self.options.dropout)
        self.head = nn.Linear(2 * e, 2)
        if self.options.fourier:
            self.spectrum = nn.Sequential(nn.Conv2d(c, 16, 3, 1, 1), nn.ReLU(inplace=True), nn.Conv2d(16, 1, 1))

    def forward(self, x: Tensor) -> dict[str, Tensor]:
        """Logits and the map of local logits."""
        x = self.low(front(x))
        if self.training and self.options.mix > 0:
            x = mix_style(x, self.options.mix)
        x = self.middle(x)
        answers = {}
        if self.training and self.options.fourier:
            answers["fourier"] = self.spectrum(x)
        x = self.high(x)
        answers["map"] = self.map(x)
        pooled = torch.cat([x.mean((2, 3)), x.amax((2, 3))], 1)
        answers["logits"] = self.head(self.drop(pooled))
        return answers
