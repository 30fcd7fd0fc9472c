"""Residual network of face recognition ("IR"): batch norm first, PReLU, no pooling at the start.

He et al.: Identity mappings in deep residual networks (ECCV 2016), in the form of Deng et al.: ArcFace (CVPR 2019).
"""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field
from torch import Tensor, nn

from samebody import stage
from samebody.lab.train.backbones.base import Backbone
from samebody.lab.train.backbones.blocks import Activation, ConvUnit, scaled
from samebody.lab.train.task import backbones


class ImprovedResidual(nn.Module):
    """Batch norm, 3x3, batch norm, activation, 3x3 of the stride, batch norm; plus the input or its linear 1x1."""

    def __init__(self, inputs: int, outputs: int, stride: int, act: Activation) -> None:
        super().__init__()
        self.norm = nn.BatchNorm2d(inputs)
        self.first = ConvUnit(inputs, outputs, 3, act=act)
        self.second = ConvUnit(outputs, outputs, 3, stride=stride, act=None)
        same = stride == 1 and inputs == outputs
        self.shortcut = nn.Identity() if same else ConvUnit(inputs, outputs, 1, stride=stride, act=None)

    def forward(self, x: Tensor) -> Tensor:
        """[n, inputs, h, w] to [n, outputs, h / stride, w / stride]."""
        answer: Tensor = self.second(self.first(self.norm(x))) + self.shortcut(x)
        return answer


@backbones.register("ir-resnet")
class IrResNet(Backbone):
    """IR-18 at ``blocks`` 2, 2, 2, 2 and width 1; maps of stride 2, 4, 8 and 16.

    ``head`` dense reads all places of the last map (12.8 M weights at width 1 and 112 pixels); depthwise is the global
    depthwise convolution of MobileFaceNet (a hundredth of that).
    """

    class Parameters(stage.Parameters):
        """Size of the network."""

        size: int = Field(default=112, ge=32, le=256, description="side of the square input, pixels")
        inputs: int = Field(default=3, ge=1, le=64, description="channels of the input")
        width: float = Field(default=1.0, gt=0, le=4, description="multiplies all channels")
        blocks: tuple[int, int, int, int] = Field(default=(2, 2, 2, 2), description="residual blocks of each stage")
        out: int = Field(default=512, ge=2, le=4096, description="length of the feature vector")
        act: Activation = "prelu"
        head: Literal["dense", "depthwise"] = "dense"
        dropout: float = Field(default=0.0, ge=0, lt=1, description="before the last dense layer")

    def __init__(self, **parameters: Any) -> None:
        super().__init__(**parameters)
        options = self.options
        channels = scaled(64, options.width)
        stages: list[nn.Module] = []
        widths = []
        for index, (base, count) in enumerate(zip((64, 128, 256, 512), options.blocks, strict=True)):
            outputs = scaled(base, options.width)
            layers: list[nn.Module] = [ConvUnit(options.inputs, channels, 3, act=options.act)] if index == 0 else []
            for block in range(max(count, 1)):
                layers.append(ImprovedResidual(channels, outputs, 2 if block == 0 else 1, options.act))
                channels = outputs
            stages.append(nn.Sequential(*layers))
            widths.append(outputs)
        self.stages = nn.ModuleList(stages)
        self.channels = tuple(widths)
        side = -(-options.size // 16)
        pool: list[nn.Module]
        if options.head == "dense":
            pool, features = [nn.BatchNorm2d(channels)], channels * side * side
        else:
            pool, features = [ConvUnit(channels, channels, side, padding=0, groups=channels, act=None)], channels
        self.dense = nn.Sequential(
            *pool,
            nn.Flatten(),
            nn.Dropout(options.dropout),
            nn.Linear(features, options.out, bias=False),
            nn.BatchNorm1d(options.out),
        )
        self.width = options.out

    def pooled(self, x: Tensor) -> Tensor:
        """Features [n, width] of the last map."""
        features: Tensor = self.dense(x)
        return features
