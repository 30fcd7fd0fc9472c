"""Margin losses over identities: ArcFace, CosFace, AdaFace, each with several centres per identity if asked for.

Logits are scale * cosine of features and class centres; the right class's is made harder by a margin, so that classes
end up apart. With ``centres`` K > 1 a class's cosine is the largest of its K centres: Deng et al.: Sub-center ArcFace
(ECCV 2020); one centre gathers the clean samples and others what is mislabelled.
"""

from __future__ import annotations

import math
from typing import Any

import torch
from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional

from samebody import stage
from samebody.errors import UsageError
from samebody.lab.train.losses.base import PartLoss
from samebody.lab.train.task import Batch, Data, Output, losses

EDGE = 1e-7
"""Cosines are kept this far from 1, where the slope of the angle has no end."""


class Margin(PartLoss):
    """Base: centres, cosines, cross-entropy; subclasses say what the margin does to the right class's cosine."""

    class Parameters(stage.Parameters):
        """Names, size, scale, margin."""

        width: int = Field(ge=1, le=65536, description="length of the feature vector")
        classes: int = Field(default=0, ge=0, description="number of identities; 0 = the data's")
        centres: int = Field(default=1, ge=1, le=16, description="centres of each identity")
        scale: float = Field(default=32.0, gt=0, le=1024)
        margin: float = Field(default=0.5, ge=0, le=math.pi / 2)
        output: str = Field(default="embedding", description="name of the network's answer")
        target: str = Field(default="label", description="name of the identities in the batch")

    def __init__(self, **parameters: Any) -> None:
        super().__init__(**parameters)
        self.centres: nn.Parameter | None
        self.register_parameter("centres", None)
        if self.options.classes:
            self._make(self.options.classes)

    def prepare(self, data: Data) -> None:
        """Make the centres of the data's classes, unless the recipe gave their number."""
        if self.centres is None:
            if data.classes < 2:
                raise UsageError("a margin loss needs at least two classes.", hint="This data brings no identities.")
            self._make(data.classes)

    def _make(self, classes: int) -> None:
        shape = (classes, self.options.centres, self.options.width)
        self.centres = nn.Parameter(functional.normalize(torch.randn(shape), dim=2))

    def cosines(self, features: Tensor) -> Tensor:
        """[n, classes]: cosine of each sample and the nearest centre of each class."""
        if self.centres is None:
            raise UsageError("the margin loss has no centres yet.", hint="Give `classes`, or call prepare with data.")
        centres = functional.normalize(self.centres, dim=2)
        found = functional.normalize(features, dim=1) @ centres.flatten(0, 1).T
        nearest: Tensor = found.unflatten(1, centres.shape[:2]).amax(2)
        return nearest

    def harder(self, cosine: Tensor, features: Tensor) -> Tensor:
        """[n]: the right class's cosine with the margin."""
        raise TypeError(f"{type(self).__name__} has no margin")

    def each(self, output: Output, batch: Batch) -> Tensor:
        """The loss of each sample, float [n]."""
        features = self.output(output, self.options.output)
        label = self.target(batch, self.options.target)
        cosines = self.cosines(features)
        right = cosines.gather(1, label[:, None])[:, 0]
        logits = cosines.scatter(1, label[:, None], self.harder(right, features)[:, None])
        return functional.cross_entropy(self.options.scale * logits, label, reduction="none")


def turned(cosine: Tensor, angle: Tensor | float) -> Tensor:
    """cos(theta + angle), theta kept within 0..pi after the turn, of cos(theta); monotone in the cosine."""
    theta = torch.acos(cosine.clamp(-1 + EDGE, 1 - EDGE))
    return torch.cos((theta + angle).clamp(0, math.pi))


@losses.register("arcface")
class ArcFace(Margin):
    """cos(theta + margin): Deng, Guo, Xue, Zafeiriou: ArcFace (CVPR 2019), equation 3.

    Beyond theta = pi - margin, where the cosine would rise again, it goes on as cos(theta) - (1 - cos(margin)), which
    joins at -1 and keeps a slope.
    """

    def harder(self, cosine: Tensor, features: Tensor) -> Tensor:
        """[n]: the right class's cosine with the margin."""
        margin = self.options.margin
        beyond = cosine - (1 - math.cos(margin))
        return torch.where(cosine > math.cos(math.pi - margin), turned(cosine, margin), beyond)


@losses.register("cosface")
class CosFace(Margin):
    """cos(theta) - margin: Wang et al.: CosFace (CVPR 2018), equation 4."""

    class Parameters(Margin.Parameters):
        """As of all margin losses."""

        margin: float = Field(default=0.35, ge=0, le=2)

    def harder(self, cosine: Tensor, features: Tensor) -> Tensor:
        """[n]: the right class's cosine with the margin."""
        return cosine - self.options.margin


@losses.register("adaface")
class AdaFace(Margin):
    """cos(theta - margin z) - (margin z + margin): Kim, Jain, Liu: AdaFace (CVPR 2022), equations 13 and 14.

    z in -1..1 is the feature's length against the running mean and deviation of lengths, times ``sharpness``; length
    stands for the quality of the picture. At -1 the margin is ArcFace's, which spares samples hardly to be recognised;
    at 0 CosFace's; at 1 twice that and a turn the other way, which stresses hard samples that can be recognised.
    """

    lengths_mean: Tensor
    lengths_deviation: Tensor

    class Parameters(Margin.Parameters):
        """As of all margin losses, and how the length is judged."""

        margin: float = Field(default=0.4, ge=0, le=1)
        sharpness: float = Field(default=0.333, gt=0, le=10, description="h of the paper")
        momentum: float = Field(default=0.01, gt=0, le=1, description="of the running mean and deviation")

    def __init__(self, **parameters: Any) -> None:
        super().__init__(**parameters)
        self.register_buffer("lengths_mean", torch.tensor(20.0))
        self.register_buffer("lengths_deviation", torch.tensor(100.0))

    def quality(self, features: Tensor) -> Tensor:
        """z of each sample, [n] in -1..1, without gradient; a training step moves the running figures first."""
        moves = self.training and torch.is_grad_enabled()  # not when only the loss of each sample is asked for
        with torch.no_grad():
            lengths = features.norm(dim=1).clamp(0.001, 100)
            if moves and len(lengths) > 1:
                self.lengths_mean.lerp_(lengths.mean().to(self.lengths_mean), self.options.momentum)
                self.lengths_deviation.lerp_(lengths.std().to(self.lengths_deviation), self.options.momentum)
            z = (lengths - self.lengths_mean) / (self.lengths_deviation + 1e-3)
            return (z * self.options.sharpness).clamp(-1, 1)

    def harder(self, cosine: Tensor, features: Tensor) -> Tensor:
        """[n]: the right class's cosine with the margin."""
        z = self.quality(features).to(cosine.dtype)
        margin = self.options.margin
        return turned(cosine, -margin * z) - (margin * z + margin)
