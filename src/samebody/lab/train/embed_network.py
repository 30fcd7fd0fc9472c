"""The edge embedder's network: the teacher's chain of convolutions, narrow at first, of low rank later.

The shape is MobileNet's (Howard et al., arXiv:1704.04861) as the teacher SFace has it, so that the student can begin as
a compressed copy. On the large maps at the beginning it has fewer channels, which saves time; on the small maps at the
end all channels and pointwise convolutions in two factors, which saves weights. It has no normalisation layers: those
of the teacher are folded into the weights, and training starts where activations have the teacher's scale.
"""

from __future__ import annotations

import copy
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
    """Depthwise 3x3, PReLU, pointwise (through ``rank`` channels where that is above 0), PReLU."""

    def __init__(self, inputs: int, outputs: int, stride: int, rank: int, shared: bool = False) -> None:
        super().__init__()
        self.depthwise = Depthwise(inputs, inputs, 3, stride, 1, groups=inputs)
        self.inner = nn.PReLU(1 if shared else inputs)
        self.down = nn.Conv2d(inputs, rank, 1, bias=False) if rank else nn.Identity()
        self.pointwise = nn.Conv2d(rank or inputs, outputs, 1)
        self.outer = nn.PReLU(1 if shared else outputs)

    def gathered(self, x: Tensor) -> Tensor:
        """What the pointwise part gets."""
        found: Tensor = self.inner(self.depthwise(x))
        return found

    def forward(self, x: Tensor) -> Tensor:
        """[n, inputs, h, w] to [n, outputs, h / stride, w / stride]."""
        found: Tensor = self.outer(self.pointwise(self.down(self.gathered(x))))
        return found


@backbones.register("edge")
class EdgeNetwork(Part):
    """Pixels 0-255 in, a vector out that is compared by cosine.

    ``forward(input float32 [n, 3, 112, 112])`` gives ``embedding`` float32 [n, dimensions], not of unit length.
    """

    class Parameters(stage.Parameters):
        """Widths; the defaults are the shipped network's."""

        widths: tuple[int, ...] = Field(
            default=(24, 48, 96, 96, 192, 192, 512, 512, 512, 512, 512, 512, 1024, 1024),
            min_length=len(STRIDES),
            max_length=len(STRIDES),
            description="channels after the first convolution and after each of the 13 blocks",
        )
        ranks: tuple[int, ...] = Field(
            default=(0, 0, 0, 0, 0, 96, 88, 88, 88, 88, 88, 112, 88),
            min_length=len(STRIDES) - 1,
            max_length=len(STRIDES) - 1,
            description="channels inside the pointwise part of each block; 0 = one convolution",
        )
        reduced: int = Field(default=64, ge=4, le=512, description="channels that the dense layer sees at 7 x 7 places")
        dimensions: int = Field(default=128, ge=8, le=1024, description="of the embedding")
        shared: bool = Field(
            default=False,
            description="one slope a layer instead of one a channel: exported as LeakyRelu, which int8 runs by a table",
        )
        frozen: int = Field(default=0, ge=0, le=13, description="the first convolution and so many blocks keep still")

    def __init__(self, **parameters: object) -> None:
        super().__init__(**parameters)
        widths: Sequence[int] = self.options.widths
        self.first = nn.Conv2d(3, widths[0], 3, 1, 1)
        shared = bool(self.options.shared)
        self.active = nn.PReLU(1 if shared else widths[0])
        sizes = zip(widths[:-1], widths[1:], STRIDES[1:], self.options.ranks, strict=True)
        self.blocks = nn.ModuleList(Block(*entry, shared) for entry in sizes)
        self.reduce = nn.Conv2d(widths[-1], self.options.reduced, 1)
        self.dense = nn.Linear(self.options.reduced * 49, self.options.dimensions)
        self.width = int(self.options.dimensions)
        if self.options.frozen:
            for part in (self.first, self.active, *self.blocks[: self.options.frozen]):
                part.requires_grad_(False)

    def maps(self, x: Tensor) -> list[Tensor]:
        """Outputs of the first convolution and of each block, fine to coarse."""
        x = self.active(self.first((x - 127.5) / 128))
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
            x = self.active(self.first((x - 127.5) / 128))
            for block in self.blocks[:count]:
                x = block(x)
        for block in self.blocks[count:]:
            x = block(x)
        return {"embedding": self.head(x).float()}


class SpreadPReLU(nn.Module):
    """A PReLU as two depthwise 1x1 convolutions, a ReLU and a sum: what the runtime computes faster, also in int8.

    ``prelu(x) = a x + (1 - a) relu(x)``; where no slope is above 1 this is ``a x + relu((1 - a) x)``.
    """

    def __init__(self, slopes: Tensor) -> None:
        super().__init__()
        self.inside = bool((slopes <= 1).all())
        self.linear = nn.Parameter(slopes.detach().clone().reshape(-1, 1, 1, 1), requires_grad=False)
        self.rest = nn.Parameter(1 - self.linear, requires_grad=False)

    def forward(self, x: Tensor) -> Tensor:
        """[n, c, h, w] of the same shape."""
        count = len(self.linear)
        straight = functional.conv2d(x, self.linear, groups=count)
        if self.inside:
            return straight + functional.relu(functional.conv2d(x, self.rest, groups=count))
        return straight + functional.conv2d(functional.relu(x), self.rest, groups=count)


def spread(network: nn.Module) -> nn.Module:
    """A copy of ``network`` with every PReLU of many slopes written as :class:`SpreadPReLU`, of one as a leaky ReLU."""
    found = copy.deepcopy(network)
    for module in list(found.modules()):
        for name, child in list(module.named_children()):
            if isinstance(child, nn.PReLU):
                single = child.num_parameters == 1
                flat = nn.LeakyReLU(float(child.weight.detach())) if single else SpreadPReLU(child.weight)
                setattr(module, name, flat)
    return found
