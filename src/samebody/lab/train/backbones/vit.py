"""Small vision transformer with a class token and register tokens.

Dosovitskiy et al.: An image is worth 16x16 words (ICLR 2021); registers: Darcet et al.: Vision transformers need
registers (ICLR 2024); layer scale: Touvron et al.: Going deeper with image transformers (ICCV 2021).
"""

from __future__ import annotations

from typing import Any

import torch
from pydantic import Field, model_validator
from torch import Tensor, nn
from torch.nn import functional

from samebody import stage
from samebody.lab.train.backbones.base import Backbone
from samebody.lab.train.task import backbones


class Attention(nn.Module):
    """Self-attention of several heads (Vaswani et al. 2017) over tokens [n, t, d]."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.incoming = nn.Linear(width, 3 * width)
        self.outgoing = nn.Linear(width, width)

    def forward(self, x: Tensor) -> Tensor:
        """[n, t, d]."""
        n, tokens, width = x.shape
        split = self.incoming(x).reshape(n, tokens, 3, self.heads, width // self.heads).permute(2, 0, 3, 1, 4)
        mixed = functional.scaled_dot_product_attention(split[0], split[1], split[2])
        answer: Tensor = self.outgoing(mixed.transpose(1, 2).reshape(n, tokens, width))
        return answer


class Layer(nn.Module):
    """Norm, attention, norm, two dense layers; both added with a learnt scale per channel."""

    def __init__(self, width: int, heads: int, ratio: float) -> None:
        super().__init__()
        inner = int(width * ratio)
        self.norm_attention = nn.LayerNorm(width)
        self.attention = Attention(width, heads)
        self.norm_dense = nn.LayerNorm(width)
        self.dense = nn.Sequential(nn.Linear(width, inner), nn.GELU(), nn.Linear(inner, width))
        self.scale_attention = nn.Parameter(torch.full((width,), 0.1))
        self.scale_dense = nn.Parameter(torch.full((width,), 0.1))

    def forward(self, x: Tensor) -> Tensor:
        """[n, t, d]."""
        x = x + self.scale_attention * self.attention(self.norm_attention(x))
        answer: Tensor = x + self.scale_dense * self.dense(self.norm_dense(x))
        return answer


class Tokens(nn.Module):
    """Patches as tokens with learnt places, behind the class token and the registers: [n, c, h, w] to [n, t, d]."""

    def __init__(self, inputs: int, size: int, patch: int, width: int, registers: int) -> None:
        super().__init__()
        self.patches = nn.Conv2d(inputs, width, patch, stride=patch)
        self.places = nn.Parameter(torch.randn(1, (size // patch) ** 2, width) * 0.02)
        self.extra = nn.Parameter(torch.randn(1, 1 + registers, width) * 0.02)

    def forward(self, x: Tensor) -> Tensor:
        """[n, 1 + registers + patches, d]."""
        tokens = self.patches(x).flatten(2).transpose(1, 2) + self.places
        return torch.cat([self.extra.expand(x.shape[0], -1, -1), tokens], 1)


@backbones.register("vit")
class VisionTransformer(Backbone):
    """Small vision transformer; the feature vector is the class token's (and the mean of the patches' with ``mean``).

    Its maps are the patch tokens after each third of the layers, all at the same size.
    """

    class Parameters(stage.Parameters):
        """Size of the network."""

        size: int = Field(default=112, ge=16, le=512, description="side of the square input, pixels")
        inputs: int = Field(default=3, ge=1, le=64, description="channels of the input")
        patch: int = Field(default=14, ge=2, le=64, description="side of a patch, pixels; divides size")
        out: int = Field(default=192, ge=8, le=4096, description="width of tokens and of the feature vector")
        depth: int = Field(default=6, ge=3, le=48, description="layers, a multiple of 3")
        heads: int = Field(default=3, ge=1, le=64, description="attention heads; divides out")
        ratio: float = Field(default=4.0, gt=0, le=8, description="inner width of the dense layers, in widths")
        registers: int = Field(default=4, ge=0, le=64, description="tokens that hold nothing of the picture")
        mean: bool = Field(default=False, description="average the class token with the mean of the patches")

        @model_validator(mode="after")
        def _divides(self) -> VisionTransformer.Parameters:
            if self.size % self.patch:
                raise ValueError(f"patch {self.patch} does not divide size {self.size}")
            if self.out % self.heads:
                raise ValueError(f"heads {self.heads} does not divide out {self.out}")
            if self.depth % 3:
                raise ValueError("depth is no multiple of 3")
            return self

    def __init__(self, **parameters: Any) -> None:
        super().__init__(**parameters)
        options = self.options
        self.tokens = Tokens(options.inputs, options.size, options.patch, options.out, options.registers)
        third = options.depth // 3
        self.stages = nn.ModuleList(
            nn.Sequential(*(Layer(options.out, options.heads, options.ratio) for _ in range(third))) for _ in range(3)
        )
        self.norm = nn.LayerNorm(options.out)
        self.width = options.out
        self.channels = (options.out,) * 3
        self._extra = 1 + options.registers

    def _map(self, tokens: Tensor) -> Tensor:
        side = self.options.size // self.options.patch
        return tokens[:, self._extra :].transpose(1, 2).unflatten(2, (side, side))

    def features(self, x: Tensor) -> list[Tensor]:
        """Three maps [n, width, size / patch, size / patch]."""
        return [self._map(tokens) for tokens in self._run(x)]

    def _run(self, x: Tensor) -> list[Tensor]:
        tokens, found = self.tokens(x), []
        for layers in self.stages:
            tokens = layers(tokens)
            found.append(tokens)
        return found

    def _answer(self, tokens: Tensor) -> Tensor:
        normed = self.norm(tokens)
        answer: Tensor = normed[:, 0]
        return (answer + normed[:, self._extra :].mean(1)) / 2 if self.options.mean else answer

    def maps_and_features(self, x: Tensor) -> tuple[list[Tensor], Tensor]:
        """Maps as :meth:`features`, and the feature vector [n, width]."""
        found = self._run(x)
        return [self._map(tokens) for tokens in found], self._answer(found[-1])

    def forward(self, x: Tensor) -> Tensor:
        """Features [n, width], not normalised."""
        return self._answer(self._run(x)[-1])
