"""The two Silent-Face MiniFASNets as a baseline: their crops, their arithmetic, read from the published checkpoints.

Written from the names and shapes of the checkpoints (Apache-2.0, Minivision 2020): inputs 80 x 80 BGR 0-255, windows of
2.7 and 4.0 times the face, three classes with 1 = bona fide. A baseline of benchmarks, never shipped.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from samebody.types import Box, Pixels

CHECKPOINTS = {2.7: "2.7_80x80_MiniFASNetV2.pth", 4.0: "4_0_0_80x80_MiniFASNetV1SE.pth"}
"""File by scale of the window."""

SIDE = 80
BLOCKS = {"conv_3": 4, "conv_4": 6, "conv_5": 2}

State = Mapping[str, Tensor]


def load_checkpoints(folder: Path) -> dict[float, State]:
    """State dictionaries by window scale; only tensors are read from the files."""
    return {
        scale: torch.load(folder / name, weights_only=True, map_location="cpu") for scale, name in CHECKPOINTS.items()
    }


def _norm(state: State, name: str, x: Tensor) -> Tensor:
    return functional.batch_norm(
        x, state[f"{name}.running_mean"], state[f"{name}.running_var"], state[f"{name}.weight"], state[f"{name}.bias"]
    )


def _conv(
    state: State, name: str, x: Tensor, *, stride: int = 1, padding: int = 0, act: bool = True, groups: int = 1
) -> Tensor:
    x = _norm(state, f"{name}.bn", functional.conv2d(x, state[f"{name}.conv.weight"], None, stride, padding, 1, groups))
    return functional.prelu(x, state[f"{name}.prelu.weight"]) if act else x


def _depthwise(state: State, name: str, x: Tensor, *, stride: int) -> Tensor:
    x = _conv(state, f"{name}.conv", x)
    x = _conv(state, f"{name}.conv_dw", x, stride=stride, padding=1, groups=x.shape[1])
    return _conv(state, f"{name}.project", x, act=False)


def _block(state: State, name: str, x: Tensor) -> Tensor:
    y = _depthwise(state, name, x, stride=1)
    if f"{name}.se_module.fc1.weight" in state:
        gate = functional.adaptive_avg_pool2d(y, 1)
        gate = functional.conv2d(gate, state[f"{name}.se_module.fc1.weight"])
        gate = functional.relu(_norm(state, f"{name}.se_module.bn1", gate))
        gate = functional.conv2d(gate, state[f"{name}.se_module.fc2.weight"])
        y = y * torch.sigmoid(_norm(state, f"{name}.se_module.bn2", gate))
    return x + y


@torch.no_grad()
def probabilities(checkpoint: State, x: Tensor) -> Tensor:
    """[n, 3] softmax of [n, 3, 80, 80] BGR 0-255."""
    state = {name.removeprefix("module."): value for name, value in checkpoint.items()}
    x = _conv(state, "conv1", x, stride=2, padding=1)
    x = _conv(state, "conv2_dw", x, padding=1, groups=x.shape[1])
    for before, stage in (("conv_23", "conv_3"), ("conv_34", "conv_4"), ("conv_45", "conv_5")):
        x = _depthwise(state, before, x, stride=2)
        for index in range(BLOCKS[stage]):
            x = _block(state, f"{stage}.model.{index}", x)
    x = _conv(state, "conv_6_sep", x)
    x = _conv(state, "conv_6_dw", x, act=False, groups=x.shape[1]).flatten(1)
    x = _norm(state, "bn", functional.linear(x, state["linear.weight"]))
    return torch.softmax(functional.linear(x, state["prob.weight"]), 1)


def crop(pixels: Pixels, box: Box, scale: float) -> NDArray[np.uint8]:
    """(80, 80, 3): the window of ``scale`` times the box, as far as the picture reaches, moved inside it."""
    height, width = pixels.shape[:2]
    scale = min(scale, (height - 1) / box.height, (width - 1) / box.width)
    wide, high = box.width * scale, box.height * scale
    x, y = box.centre
    left, top, right, bottom = x - wide / 2, y - high / 2, x + wide / 2, y + high / 2
    right, left = (right - left, 0.0) if left < 0 else (right, left)
    bottom, top = (bottom - top, 0.0) if top < 0 else (bottom, top)
    left, right = (left - (right - width + 1), width - 1) if right > width - 1 else (left, right)
    top, bottom = (top - (bottom - height + 1), height - 1) if bottom > height - 1 else (top, bottom)
    part = pixels[int(top) : int(bottom) + 1, int(left) : int(right) + 1]
    return np.asarray(cv2.resize(part, (SIDE, SIDE)), np.uint8)


def bona_fide_score(checkpoints: Mapping[float, State], pixels: Pixels, box: Box) -> float:
    """Mean probability of class 1 over the two networks, 0-1."""
    found = []
    for scale, state in checkpoints.items():
        bgr = np.ascontiguousarray(crop(pixels, box, scale)[..., ::-1].transpose(2, 0, 1))
        found.append(float(probabilities(state, torch.from_numpy(bgr)[None].float())[0, 1]))
    return float(np.mean(found))
