"""The frame that MobileFaceNet and MiniFASNet share: inverted residuals and a global depthwise convolution."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pydantic import Field
from torch import Tensor, nn

from samebody import stage
from samebody.lab.train.backbones.base import Backbone
from samebody.lab.train.backbones.blocks import Activation, ConvUnit, Inverted, scaled


class InvertedParameters(stage.Parameters):
    """What both networks let a recipe choose."""

    size: int = Field(default=112, ge=32, le=256, description="side of the square input, pixels")
    inputs: int = Field(default=3, ge=1, le=64, description="channels of the input")
    width: float = Field(default=1.0, gt=0, le=4, description="multiplies all channels")
    out: int = Field(default=128, ge=2, le=4096, description="length of the feature vector")
    act: Activation = Field(default="prelu", description="prelu, or relu for integer and browser use")
    dropout: float = Field(default=0.0, ge=0, lt=1, description="before the last dense layer")


class InvertedNetwork(Backbone):
    """Stem of stride 2 and depthwise 3x3, three stages of stride 2, 1x1 widening, global depthwise convolution.

    The global depthwise convolution (GDConv, Chen et al. 2018) has one weight per place and channel, so that the middle
    of a face may count more than a corner; it ties the network to one input size.
    """

    def _build(self, stem: int, rows: Sequence[tuple[int, Sequence[int]]], last: int, squeeze: bool = False) -> None:
        """``rows``: (outputs, middle channels of each block) of the three stages; the first block has stride 2.

        With ``squeeze`` the last block of each stage is gated.
        """
        options = self.options
        act = options.act

        def scale(channels: int) -> int:
            return scaled(channels, options.width)

        channels = scale(stem)
        first = nn.Sequential(
            ConvUnit(options.inputs, channels, 3, stride=2, act=act),
            ConvUnit(channels, channels, 3, groups=channels, act=act),
        )
        stages: list[nn.Module] = [first]
        widths = [channels]
        for outputs, middles in rows:
            blocks: list[Any] = []
            for index, middle in enumerate(middles):
                gated = squeeze and index == len(middles) - 1 and index > 0
                stride = 2 if index == 0 else 1
                blocks.append(Inverted(channels, scale(middle), scale(outputs), stride=stride, act=act, squeeze=gated))
                channels = scale(outputs)
            stages.append(nn.Sequential(*blocks))
            widths.append(channels)
        self.stages = nn.ModuleList(stages)
        self.channels = tuple(widths)
        side = -(-options.size // 16)
        self.neck = nn.Sequential(
            ConvUnit(channels, scale(last), act=act),
            ConvUnit(scale(last), scale(last), side, padding=0, groups=scale(last), act=None),
        )
        self.dense = nn.Sequential(
            nn.Flatten(),
            nn.Dropout(options.dropout),
            nn.Linear(scale(last), options.out, bias=False),
            nn.BatchNorm1d(options.out),
        )
        self.width = options.out

    def pooled(self, x: Tensor) -> Tensor:
        """Features [n, width] of the last map [n, c, size / 16, size / 16]."""
        features: Tensor = self.dense(self.neck(x))
        return features
