"""Where things stand: mirror images, turns, scale, shift. Masks move with the picture."""

from __future__ import annotations

import torch
from pydantic import Field
from torch import Generator, Tensor

from samebody.lab.train.augment.base import Augmentation, AugmentParameters, between
from samebody.lab.train.task import augmentations


class GeometryParameters(AugmentParameters):
    """What moves with the picture."""

    also: tuple[str, ...] = Field(default=("mask",), description="tensors [n, c, h, w] that move alike, where present")


@augmentations.register("flip")
class Flip(Augmentation):
    """Left and right exchanged."""

    class Parameters(GeometryParameters):
        """See :class:`GeometryParameters`."""

    def __call__(self, batch: dict[str, Tensor], generator: Generator) -> dict[str, Tensor]:
        """The batch with some samples mirrored."""
        chosen = self.chosen(len(batch[self.options.input]), generator)
        result = dict(batch)
        for name in (self.options.input, *self.options.also):
            if name in batch:
                x = batch[name]
                result[name] = torch.where(chosen.to(x.device)[:, None, None, None], x.flip(3), x)
        return result


@augmentations.register("affine")
class Affine(Augmentation):
    """Turn, scale, shear and shift about the middle; outside, the picture is continued by its mirror image.

    Masks are sampled by the nearest place, so that they keep their values; outside they are 0.
    """

    class Parameters(GeometryParameters):
        """Largest changes."""

        degrees: float = Field(default=10.0, ge=0, le=180, description="turn either way")
        scale: float = Field(default=0.1, ge=0, lt=1, description="factor from 1 - scale to 1 + scale")
        shear: float = Field(default=0.0, ge=0, le=0.5, description="shift of x per y")
        shift: float = Field(default=0.05, ge=0, le=0.5, description="share of the side, either way, x and y")

    def __call__(self, batch: dict[str, Tensor], generator: Generator) -> dict[str, Tensor]:
        """The batch with some samples moved."""
        from kornia.geometry.transform import warp_affine

        pictures = batch[self.options.input]
        chosen = self.chosen(len(pictures), generator)
        matrices = self.matrices(chosen, pictures.shape[-2:], generator)
        result = dict(batch)
        for name in (self.options.input, *self.options.also):
            if name not in batch:
                continue
            x = batch[name]
            picture = name == self.options.input
            moved = warp_affine(
                x.float(),
                matrices.to(x.device),
                (x.shape[-2], x.shape[-1]),
                mode="bilinear" if picture else "nearest",
                padding_mode="reflection" if picture else "zeros",
                align_corners=True,
            )
            result[name] = torch.where(chosen.to(x.device)[:, None, None, None], moved.to(x.dtype), x)
        return result

    def matrices(self, chosen: Tensor, size: tuple[int, int], generator: Generator) -> Tensor:
        """float32 [n, 2, 3]: old to new places, in pixels; the identity where not chosen."""
        options, count = self.options, len(chosen)
        angle = torch.deg2rad(between(-options.degrees, options.degrees, count, generator))
        scale = between(1 - options.scale, 1 + options.scale, count, generator)
        shear = between(-options.shear, options.shear, count, generator)
        shift_x = between(-options.shift, options.shift, count, generator) * size[1]
        shift_y = between(-options.shift, options.shift, count, generator) * size[0]
        cosine, sine = angle.cos() * scale, angle.sin() * scale
        linear = torch.stack([cosine, cosine * shear - sine, sine, sine * shear + cosine], 1).reshape(count, 2, 2)
        middle = torch.tensor([(size[1] - 1) / 2, (size[0] - 1) / 2])
        offset = middle + torch.stack([shift_x, shift_y], 1) - linear @ middle
        matrices = torch.cat([linear, offset[:, :, None]], 2)
        return torch.where(chosen[:, None, None], matrices, torch.eye(2, 3))
