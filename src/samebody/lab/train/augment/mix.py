"""Two samples in one: mixup and cutmix. Labels are mixed alike.

The batch then holds ``label_other`` int64 [n] and ``label_share`` float32 [n]; losses over logits understand them. Both
leave batches without ``label`` alone in their labels, and must not stand together in one recipe.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from pydantic import Field
from torch import Generator, Tensor

from samebody.errors import UsageError
from samebody.lab.train.augment.base import Augmentation, AugmentParameters, whole
from samebody.lab.train.augment.erase import rectangles
from samebody.lab.train.task import augmentations


class _Mixed(Augmentation):
    def _with_labels(
        self, batch: dict[str, Tensor], pictures: Tensor, partner: Tensor, share: Tensor
    ) -> dict[str, Any]:
        if "label_other" in batch:
            raise UsageError("the batch is mixed already.", hint="Name only one of mixup and cutmix in the recipe.")
        result = {**batch, self.options.input: pictures}
        if "label" in batch:
            result["label_other"] = batch["label"][partner.to(batch["label"].device)]
            result["label_share"] = share.to(batch["label"].device)
        return result


@augmentations.register("mixup")
class MixUp(_Mixed):
    """x = s x_i + (1 - s) x_j, s from Beta(alpha, alpha): Zhang, Cisse, Dauphin, Lopez-Paz: mixup (ICLR 2018)."""

    class Parameters(AugmentParameters):
        """How far samples are mixed."""

        alpha: float = Field(default=0.2, gt=0, le=10)

    def __call__(self, batch: dict[str, Tensor], generator: Generator) -> dict[str, Tensor]:
        """The batch mixed with a permutation of itself; the own sample has the larger share."""
        pictures = batch[self.options.input]
        chosen = self.chosen(len(pictures), generator)
        partner = permutation(len(pictures), generator)
        share = beta(self.options.alpha, len(pictures), generator)
        share = torch.where(chosen, torch.maximum(share, 1 - share), 1.0)
        weight = share.to(pictures.device, pictures.dtype)[:, None, None, None]
        mixed = weight * pictures + (1 - weight) * pictures[partner.to(pictures.device)]
        return self._with_labels(batch, mixed, partner, share)


@augmentations.register("cutmix")
class CutMix(_Mixed):
    """A rectangle comes from another sample; labels by area: Yun et al.: CutMix (ICCV 2019)."""

    class Parameters(AugmentParameters):
        """Size of the rectangle."""

        least: float = Field(default=0.05, gt=0, le=1, description="smallest share of the area")
        most: float = Field(default=0.5, gt=0, le=1, description="largest share of the area")
        also: tuple[str, ...] = Field(default=("mask",), description="tensors [n, c, h, w] cut alike, where present")

    def __call__(self, batch: dict[str, Tensor], generator: Generator) -> dict[str, Tensor]:
        """The batch cut with a permutation of itself."""
        pictures = batch[self.options.input]
        count, _, height, width = pictures.shape
        chosen = self.chosen(count, generator)
        partner = permutation(count, generator)
        inside = rectangles(count, (height, width), self.options.least, self.options.most, 1.0, generator)
        inside = inside & chosen[:, None, None]
        share = 1 - inside.float().mean((1, 2))
        result = dict(batch)
        for name in (self.options.input, *self.options.also):
            if name in batch:
                x = batch[name]
                result[name] = torch.where(inside[:, None].to(x.device), x[partner.to(x.device)], x)
        return self._with_labels(result, result[self.options.input], partner, share)


def beta(alpha: float, count: int, generator: Generator) -> Tensor:
    """float32 [count] from Beta(alpha, alpha); numpy's, because torch's cannot be given a generator."""
    (seed,) = whole(0, 2**62, 1, generator)
    return torch.from_numpy(np.random.default_rng(seed).beta(alpha, alpha, count).astype(np.float32))


def permutation(count: int, generator: Generator) -> Tensor:
    """int64 [count]: who is mixed with whom, on the processor."""
    return torch.randperm(count, generator=generator, device=generator.device).cpu()
