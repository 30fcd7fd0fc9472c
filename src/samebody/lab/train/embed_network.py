"""The edge embedder's network: a chain of depthwise and pointwise convolutions with ReLU, and a factored dense end.

The shape is MobileNet's (Howard et al., arXiv:1704.04861) as the teacher SFace has it, so that the student can begin as
a pruned copy. It has no normalisation layers: those of the teacher are folded into the weights, and training starts
where activations have the teacher's scale. ReLU instead of the teacher's PReLU costs nothing after a
convolution, in float and in int8.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional

from samebody import stage
from samebody.lab.train.part import Part
from samebody.lab.train.task import Output, backbones

STRIDES = (1, 1, 2, 1, 2, 1, 2, 1, 1, 1, 1, 1, 2, 1)
"""Of the first convolution and of the 13 blocks: 112 pixels become 7."""


class Depthwise(nn.Conv2d):
    """3x3 depthwise convolution. With stride 2 it works in float32: the gradient in bfloat16 is many times slower."""

    def forward(self, x: Tensor) -> Tensor:
        """[n, c, h, w] to [n, c, ceil(h / stride), ceil(w / stride)]."""
        if self.stride == (2, 2) and torch.is_autocast_enabled("cpu") and x.device.type == "cpu":
            with torch.autocast("cpu", enabled=False):
                wide = functional.conv2d(x.float(), self.weight, self.bias, self.stride, self.padding, 1, self.groups)
            return wide.to(x.dtype)
        return super().forward(x)


class Block(nn.Module):
    """Depthwise 3x3, ReLU, pointwise, ReLU."""

    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        super().__init__()
        self.depthwise = Depthwise(inputs, inputs, 3, stride, 1, groups=inputs)
        self.pointwise = nn.Conv2d(inputs, outputs, 1)

    def forward(self, x: Tensor) -> Tensor:
        """[n, inputs, h, w] to [n, outputs, h / stride, w / stride]."""
        return functional.relu(self.pointwise(functional.relu(self.depthwise(x))))


@backbones.register("edge")
class EdgeNetwork(Part):
    """Pixels 0-255 in, a vector out that is compared by cosine.

    ``forward(input float32 [n, 3, 112, 112])`` gives ``embedding`` float32 [n, dimensions], not of unit length.
    """

    class Parameters(stage.Parameters):
        """Widths; the defaults are the shipped network's."""

        widths: tuple[int, ...] = Field(
            default=(24, 48, 80, 80, 128, 128, 320, 320, 320, 320, 320, 320, 448, 448),
            min_length=len(STRIDES),
            max_length=len(STRIDES),
            description="channels after the first convolution and after each of the 13 blocks",
        )
        reduced: int = Field(default=64, ge=4, le=512, description="channels that the dense layer sees at 7 x 7 places")
        dimensions: int = Field(default=128, ge=8, le=1024, description="of the embedding")
        frozen: int = Field(default=0, ge=0, le=13, description="the first convolution and so many blocks keep still")

    def __init__(self, **parameters: object) -> None:
        super().__init__(**parameters)
        widths: Sequence[int] = self.options.widths
        self.first = nn.Conv2d(3, widths[0], 3, 1, 1)
        pairs = zip(widths[:-1], widths[1:], STRIDES[1:], strict=True)
        self.blocks = nn.ModuleList(Block(inputs, outputs, stride) for inputs, outputs, stride in pairs)
        self.reduce = nn.Conv2d(widths[-1], self.options.reduced, 1)
        self.dense = nn.Linear(self.options.reduced * 49, self.options.dimensions)
        self.width = int(self.options.dimensions)
        if self.options.frozen:
            for part in (self.first, *self.blocks[: self.options.frozen]):
                part.requires_grad_(False)

    def maps(self, x: Tensor) -> list[Tensor]:
        """Outputs of the first convolution and of each block, fine to coarse."""
        x = functional.relu(self.first((x - 127.5) / 128))
        found = [x]
        for block in self.blocks:
            x = block(x)
            found.append(x)
        return found

    features = maps

    def head(self, x: Tensor) -> Tensor:
        """The vector of the last map [n, c, 7, 7]."""
        return self.dense(self.reduce(x).flatten(1))

    def forward(self, x: Tensor) -> Output:
        """The embedding of [n, 3, 112, 112] pixels 0-255."""
        count = self.options.frozen
        with torch.set_grad_enabled(torch.is_grad_enabled() and not count):
            x = functional.relu(self.first((x - 127.5) / 128))
            for block in self.blocks[:count]:
                x = block(x)
        for block in self.blocks[count:]:
            x = block(x)
        return {"embedding": self.head(x).float()}
