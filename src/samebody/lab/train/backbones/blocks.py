"""Blocks that the convolutional backbones share."""

from __future__ import annotations

from typing import Literal

from torch import Tensor, nn

Activation = Literal["prelu", "relu"]


def activation(kind: Activation, channels: int) -> nn.Module:
    """PReLU with one slope per channel (He et al. 2015), or ReLU, which integer kernels and browsers run faster."""
    return nn.PReLU(channels) if kind == "prelu" else nn.ReLU()


def scaled(channels: int, width: float) -> int:
    """``channels`` times ``width``, rounded to a multiple of 8, at least 8."""
    return max(8, int(channels * width / 8 + 0.5) * 8)


class ConvUnit(nn.Sequential):
    """Convolution without bias, batch norm, and an activation unless ``act`` is None (a linear unit)."""

    def __init__(
        self,
        inputs: int,
        outputs: int,
        kernel: int = 1,
        *,
        stride: int = 1,
        padding: int | None = None,
        groups: int = 1,
        act: Activation | None = "prelu",
    ) -> None:
        padding = kernel // 2 if padding is None else padding
        layers = [
            nn.Conv2d(inputs, outputs, kernel, stride=stride, padding=padding, groups=groups, bias=False),
            nn.BatchNorm2d(outputs),
        ]
        super().__init__(*layers, *([] if act is None else [activation(act, outputs)]))


class Squeeze(nn.Module):
    """Squeeze and excitation (Hu et al. 2018): channels weighted by a gate of their means."""

    def __init__(self, channels: int, reduction: int = 4) -> None:
        super().__init__()
        inner = max(4, channels // reduction)
        self.gate = nn.Sequential(
            nn.AdaptiveAvgPool2d(1),
            nn.Conv2d(channels, inner, 1),
            nn.ReLU(),
            nn.Conv2d(inner, channels, 1),
            nn.Sigmoid(),
        )

    def forward(self, x: Tensor) -> Tensor:
        """[n, c, h, w], each channel times its gate in 0..1."""
        return x * self.gate(x)


class Inverted(nn.Module):
    """Inverted residual (Sandler et al. 2018): widen by 1x1, depthwise 3x3, project by a linear 1x1.

    The input is added where stride is 1 and the channels agree; ``squeeze`` gates the projection before that.
    """

    def __init__(
        self,
        inputs: int,
        middle: int,
        outputs: int,
        *,
        stride: int = 1,
        act: Activation = "prelu",
        squeeze: bool = False,
    ) -> None:
        super().__init__()
        self.expand = ConvUnit(inputs, middle, act=act)
        self.depthwise = ConvUnit(middle, middle, 3, stride=stride, groups=middle, act=act)
        self.project = ConvUnit(middle, outputs, act=None)
        self.squeeze = Squeeze(outputs) if squeeze else None
        self.residual = stride == 1 and inputs == outputs

    def forward(self, x: Tensor) -> Tensor:
        """[n, inputs, h, w] to [n, outputs, h / stride, w / stride]."""
        y = self.project(self.depthwise(self.expand(x)))
        if self.squeeze is not None:
            y = self.squeeze(y)
        return x + y if self.residual else y
