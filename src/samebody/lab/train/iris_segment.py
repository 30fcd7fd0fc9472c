"""The iris segmenter: four soft maps of a near-infrared eye, learned from synthetic pictures."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional

from samebody import stage
from samebody.lab.train.iris_segment_data import (
    Arrays,
    EyePicturesError,
    classical_block,
    load_blocks,
    synthetic_blocks,
)
from samebody.lab.train.iris_segment_pictures import HEIGHT, MAPS, VERSION, WIDTH
from samebody.lab.train.task import Data, Example, Loss, Output, Source, Task, losses, tasks


class EyeSource:
    """Pictures with maps in memory; a batch is flipped and its tones are changed at random when it is for training.

    Attributes:
        columns: ``label`` int64 zeros; ``domain`` int64, 0 synthetic, 1 real with classical labels.
    """

    def __init__(self, parts: list[Arrays], *, augment: bool) -> None:
        self.images = np.concatenate([images for images, _ in parts])
        self.maps = np.concatenate([maps for _, maps in parts])
        self.augment = augment
        domain = np.concatenate([np.full(len(images), number, np.int64) for number, (images, _) in enumerate(parts)])
        self.columns: Mapping[str, NDArray[Any]] = {"label": np.zeros(len(self.images), np.int64), "domain": domain}

    def __len__(self) -> int:
        """Number of pictures."""
        return len(self.images)

    def batch(self, indices: NDArray[np.int64], seed: int) -> dict[str, Tensor]:
        """``input`` float32 [n, 1, 240, 320], ``mask`` float32 [n, 4, 120, 160], both in 0-1; ``domain``, ``label``."""
        image = torch.from_numpy(self.images[indices]).float().div_(255.0).unsqueeze(1)
        mask = torch.from_numpy(self.maps[indices]).float().div_(255.0)
        if self.augment:
            draw = torch.Generator().manual_seed(seed)
            count = len(indices)
            flip = torch.rand(count, generator=draw) < 0.5
            image[flip], mask[flip] = image[flip].flip(-1), mask[flip].flip(-1)

            def between(low: float, high: float) -> Tensor:
                return low + (high - low) * torch.rand(count, 1, 1, 1, generator=draw)

            image = image.clamp_(0, 1).pow(between(-0.35, 0.35).exp()) * between(0.8, 1.2) + between(-0.08, 0.08)
            image = image + between(0.0, 0.02) * torch.randn(image.shape, generator=draw)
            image = image.clamp_(0, 1)
        domain = torch.from_numpy(np.asarray(self.columns["domain"])[indices])
        return {"input": image, "mask": mask, "domain": domain, "label": torch.zeros(len(indices), dtype=torch.int64)}


def _block(inputs: int, outputs: int, *, stride: int = 1, dilation: int = 1) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, 3, stride, padding=dilation, dilation=dilation, bias=False),
        nn.BatchNorm2d(outputs),
        nn.ReLU(inplace=True),
    )


class SegmentNetwork(nn.Module):
    """A U-Net (Ronneberger et al., MICCAI 2015) that never works at full size, with a wide view at its bottom.

    Input float32 [n, 1, h, w] (h and w multiples of 16) in any range: each picture is brought to mean 0 and deviation
    1 first. Output ``map``: logits [n, 4, h/2, w/2].

    Args:
        widths: channels at half, quarter, eighth and sixteenth of the size.
    """

    def __init__(self, widths: tuple[int, int, int, int] = (16, 24, 40, 64)) -> None:
        super().__init__()
        a, b, c, d = widths
        self.stem = nn.Sequential(
            nn.Conv2d(1, a, 5, 2, padding=2, bias=False), nn.BatchNorm2d(a), nn.ReLU(inplace=True), _block(a, a)
        )
        self.down1 = nn.Sequential(_block(a, b, stride=2), _block(b, b))
        self.down2 = nn.Sequential(_block(b, c, stride=2), _block(c, c))
        self.down3 = nn.Sequential(
            _block(c, d, stride=2), _block(d, d, dilation=2), _block(d, d, dilation=4), _block(d, d)
        )
        self.up = nn.ModuleList([nn.ConvTranspose2d(d, c, 2, 2), nn.ConvTranspose2d(c, b, 2, 2)])
        self.up.append(nn.ConvTranspose2d(b, a, 2, 2))
        self.mix = nn.ModuleList([_block(c, c), _block(b, b), _block(a, a)])
        self.head = nn.Conv2d(a, len(MAPS), 1)

    def forward(self, x: Tensor) -> dict[str, Tensor]:
        """``map``: logits of the four maps."""
        middle = x.mean(dim=(2, 3), keepdim=True)
        x = x - middle
        x = x / (x.square().mean(dim=(2, 3), keepdim=True) + 1e-4).sqrt()
        first = self.stem(x)
        second = self.down1(first)
        third = self.down2(second)
        y = self.down3(third)
        for up, mix, skip in zip(self.up, self.mix, (third, second, first), strict=True):
            y = mix(up(y) + skip)
        return {"map": self.head(y)}


class _Maps(nn.Module):
    """What is shipped: probabilities."""

    def __init__(self, body: nn.Module) -> None:
        super().__init__()
        self.body = body

    def forward(self, x: Tensor) -> Tensor:
        found: Tensor = torch.sigmoid(self.body(x)["map"])
        return found


@losses.register("iris-maps")
class IrisMaps(Loss):
    """Cross-entropy on each pixel and one minus the Dice coefficient of pupil and limbus (Milletari et al., 3DV 2016).

    Lids and covers count near the iris only: elsewhere nobody asks for them, and classical labels do not know them.
    """

    class Parameters(stage.Parameters):
        """Weights of the parts."""

        dice: float = Field(default=0.5, ge=0, description="of the Dice part")
        cover: float = Field(default=1.0, ge=0, description="of lashes and reflections, over the eye")
        reach: int = Field(default=9, ge=1, le=63, description="odd; pixels of the maps around the iris that count")

    def __init__(self, **parameters: Any) -> None:
        super().__init__()
        self.options = stage.checked("iris-maps", self.Parameters, parameters)

    def forward(self, output: Output, batch: Mapping[str, Tensor]) -> Tensor:
        """Mean over the batch."""
        return self.each(output, batch).mean()

    def each(self, output: Output, batch: Mapping[str, Tensor]) -> Tensor:
        """Float [n]."""
        logits, mask = output["map"], batch["mask"]
        cross = functional.binary_cross_entropy_with_logits(logits, mask, reduction="none")
        reach = self.options.reach | 1
        near = functional.max_pool2d(mask[:, 1:2], reach, stride=1, padding=reach // 2)
        area = near.sum(dim=(1, 2, 3)) + 50.0
        shapes = cross[:, :2].mean(dim=(1, 2, 3)) * 4.0
        shapes = shapes + (cross[:, :2] * near).sum(dim=(1, 2, 3)) / area
        opening = (cross[:, 2:3] * near).sum(dim=(1, 2, 3)) / area
        cover = (cross[:, 3:] * near).sum(dim=(1, 2, 3)) / area
        probability = torch.sigmoid(logits[:, :2])
        inner = (probability * mask[:, :2]).sum(dim=(2, 3))
        dice = 1.0 - (2 * inner + 1.0) / (probability.sum(dim=(2, 3)) + mask[:, :2].sum(dim=(2, 3)) + 1.0)
        total: Tensor = shapes + opening + self.options.cover * cover + self.options.dice * dice.sum(dim=1)
        return total


class _Network(stage.Parameters):
    name: Literal["small-u-net"] = "small-u-net"
    widths: tuple[int, int, int, int] = Field(default=(16, 24, 40, 64), description="channels, from fine to coarse")


@tasks.register("iris-segment")
class IrisSegment(Task):
    """Learn the maps of :data:`samebody.lab.train.iris_segment_pictures.MAPS`."""

    monitor = "iou"
    larger_is_better = True

    class Parameters(Task.Parameters):
        """What is seen; ``eyes`` adds real pictures with the labels of the classical segmenter."""

        pictures: int = Field(default=2500, ge=8, le=1_000_000, description="synthetic pictures to learn from")
        held: int = Field(default=500, ge=4, le=100_000, description="synthetic pictures of other eyes, held back")
        identities: int = Field(default=240, ge=2, le=100_000, description="textures the pictures to learn from share")
        draw: int = Field(default=1, ge=0, lt=2**31, description="seed of the pictures; draw + 1 seeds the held ones")
        eyes: str = Field(default="", description="folder with PERSON/left, PERSON/right; none: synthetic alone")
        half: Literal["even", "odd"] = Field(default="even", description="every second person of eyes, from the first")
        share: float = Field(default=0.3, gt=0, lt=1, description="of the samples of an epoch that show real eyes")

    parameters: Parameters

    def data(self, folder: Path, *, seed: int) -> Data:
        """Draw what is not in ``folder`` yet; about 35 ms a picture.

        Raises:
            EyePicturesError: ``eyes`` is named and is not there, or no iris was found on it.
        """
        del seed  # the pictures have a seed of their own, so that runs of several seeds share them
        options = self.parameters
        train = synthetic_blocks(folder, seed=options.draw, count=options.pictures, identities=options.identities)
        others = max(2, options.identities // 6)
        held = synthetic_blocks(folder, seed=options.draw + 1, count=options.held, identities=others)
        parts = [load_blocks(train)]
        identity: dict[str, Any] = {
            "generator": f"samebody.lab.train.iris_segment_pictures {VERSION}",
            "draw": options.draw,
            "pictures": options.pictures,
            "held": options.held,
            "identities": options.identities,
        }
        if options.eyes:
            if not Path(options.eyes).is_dir():
                raise EyePicturesError(
                    f"there is no folder {options.eyes}.",
                    hint="Give near-infrared eyes as PERSON/left/1.png in the recipe's task.eyes.",
                )
            path = classical_block(folder, Path(options.eyes), options.half)
            images, maps = load_blocks([path])
            times = max(1, round(options.share / (1 - options.share) * options.pictures / len(images)))
            parts.append((np.tile(images, (times, 1, 1)), np.tile(maps, (times, 1, 1, 1))))
            identity["classical"] = path.stem
        return Data(EyeSource(parts, augment=True), EyeSource([load_blocks(held)], augment=False), identity, domains=2)

    def network(self, parts: Mapping[str, Any]) -> nn.Module:
        """A :class:`SegmentNetwork`; the recipe may give ``widths``."""
        chosen = stage.checked("network", _Network, dict(parts))
        return SegmentNetwork(chosen.widths)

    def measure(self, network: nn.Module, held: Source) -> dict[str, float]:
        """Figures over the pictures that show an iris.

        Returns:
            ``iou``: mean intersection over union of the visible iris; ``pupil_iou``, ``limbus_iou`` of the filled
            contours; ``cover_iou`` near the iris over all pictures together; ``seen``: share of pictures where the
            network says rightly whether there is an iris.
        """
        shares: dict[str, list[float]] = {"iou": [], "pupil_iou": [], "limbus_iou": []}
        right = cover = union = 0.0
        device = next(network.parameters()).device
        with torch.no_grad():
            for first in range(0, len(held), 50):
                batch = held.batch(np.arange(first, min(first + 50, len(held))), 0)
                found = torch.sigmoid(network(batch["input"].to(device))["map"]).cpu() > 0.5
                truth = batch["mask"] > 0.5
                for one, other in zip(found, truth, strict=True):
                    there = bool(other[1].any())
                    right += float(there == bool(one[1].sum() > 20))
                    if not there:
                        continue
                    shares["iou"].append(_iou(visible(one), visible(other)))
                    shares["pupil_iou"].append(_iou(one[0], other[0]))
                    shares["limbus_iou"].append(_iou(one[1], other[1]))
                    ring = other[1] & other[2]
                    cover += float((one[3] & other[3] & ring).sum())
                    union += float(((one[3] | other[3]) & ring).sum())
        figures = {name: float(np.mean(values)) if values else 0.0 for name, values in shares.items()}
        return figures | {"cover_iou": cover / union if union else 1.0, "seen": right / max(1, len(held))}

    def exported(self, network: nn.Module) -> tuple[nn.Module, Example]:
        """Probabilities of the four maps of pictures of 320x240 pixels in 0-1."""
        return _Maps(network), Example(torch.zeros(1, 1, HEIGHT, WIDTH), "eye", ("maps",))

    def pictures(self, pixels: NDArray[np.uint8]) -> Tensor:
        """One grey channel in 0-1 (ITU-R BT.601 of the three, which near-infrared cameras give alike)."""
        weights = torch.tensor([0.299, 0.587, 0.114]).view(1, 3, 1, 1)
        return (super().pictures(pixels) * weights).sum(dim=1, keepdim=True).round() / 255.0


def visible(maps: Tensor) -> Tensor:
    """Bool [h, w]: iris that nothing hides, of bool maps [4, h, w]."""
    found: Tensor = maps[1] & ~maps[0] & maps[2] & ~maps[3]
    return found


def _iou(one: Tensor, other: Tensor) -> float:
    union = float((one | other).sum())
    return float((one & other).sum()) / union if union else 1.0
