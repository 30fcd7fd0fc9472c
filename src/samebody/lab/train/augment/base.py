"""What augmentations share: which samples are changed, numbers drawn from the given generator."""

from __future__ import annotations

from typing import Any

import torch
from pydantic import Field
from torch import Generator, Tensor

from samebody import stage


class AugmentParameters(stage.Parameters):
    """What every augmentation lets a recipe choose."""

    share: float = Field(default=0.5, ge=0, le=1, description="probability that a sample is changed")
    input: str = Field(default="input", description="name of the pictures in the batch")
    white: float = Field(default=1.0, gt=0, le=65535, description="value of white; black is 0")


class Augmentation(stage.Stage):
    """Base: pictures float32 [n, c, h, w] in 0..``white`` in, the same out; other tensors stay as they are."""

    class Parameters(AugmentParameters):
        """See :class:`AugmentParameters`."""

    def __init__(self, **parameters: Any) -> None:
        super().__init__(**parameters)
        self.options: Any = self.parameters

    def __call__(self, batch: dict[str, Tensor], generator: Generator) -> dict[str, Tensor]:
        """The batch with some of its pictures changed; the tensors handed over are not written to."""
        pictures = batch[self.options.input]
        chosen = self.chosen(len(pictures), generator).to(pictures.device)
        if not chosen.any():
            return dict(batch)
        result = pictures.clone()
        result[chosen] = self.change(pictures[chosen], generator)
        return {**batch, self.options.input: result}

    def change(self, pictures: Tensor, generator: Generator) -> Tensor:
        """The pictures changed, all of them: only the chosen ones are handed over."""
        raise TypeError(f"{type(self).__name__} changes nothing")

    def chosen(self, count: int, generator: Generator) -> Tensor:
        """bool [count]: the samples to change."""
        return uniform(count, generator) < self.options.share


def uniform(count: int, generator: Generator) -> Tensor:
    """float32 [count] uniform in 0..1, on the processor whatever the generator's device."""
    return torch.rand(count, generator=generator, device=generator.device).cpu()


def whole(low: int, high: int, count: int, generator: Generator) -> list[int]:
    """``count`` whole numbers in low..high, both included."""
    drawn: list[int] = torch.randint(low, high + 1, (count,), generator=generator, device=generator.device).tolist()
    return drawn


def between(low: float, high: float, count: int, generator: Generator) -> Tensor:
    """float32 [count] uniform in low..high."""
    return low + (high - low) * uniform(count, generator)


def column(values: Tensor, like: Tensor) -> Tensor:
    """[n] as [n, 1, 1, 1] on the device of ``like``."""
    return values.to(like.device, like.dtype)[:, None, None, None]
