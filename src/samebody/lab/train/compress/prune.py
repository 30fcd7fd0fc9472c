"""Structured pruning: whole channels are cut, so that what is left is a smaller plain network.

``prune`` copies a network, ranks the channels of each space of tied channels, cuts the least important ones, and says
what was saved. The copy is fine-tuned like any other network;
:mod:`samebody.lab.train.compress.begin` does it by recipe.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal

import torch
from pydantic import Field
from torch import Tensor, nn

from samebody import stage
from samebody.errors import UsageError
from samebody.lab.train.compress.channels import Channels, Layer, analyse
from samebody.lab.train.task import Data
from samebody.lab.train.wrapping import wrapper

Importance = Literal["l1", "norm", "taylor"]


@dataclass(frozen=True)
class PruneReport:
    """What pruning saved.

    Attributes:
        parameters, macs: (before, after): weights, and multiplications of convolutions and dense layers for one sample.
        spaces: name of each space that could be cut: channels (before, after).
    """

    parameters: tuple[int, int]
    macs: tuple[int, int]
    spaces: Mapping[str, tuple[int, int]]

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready fields."""
        return asdict(self)


def count_macs(network: nn.Module, example: Tensor) -> int:
    """Multiplications of convolutions and dense layers of ``network`` for one sample like ``example``.

    Raises:
        UsageError: it cannot be traced.
    """
    return sum(analyse(network, example).macs.values())


def importances(channels: Channels, kind: Importance) -> dict[int, Tensor]:
    """How much each channel of each space matters, float32 [size] with mean 1, by root of the space.

    ``l1``: sum of the absolute weights that make it (Li et al.: Pruning filters for efficient convnets, ICLR 2017).
    ``norm``: absolute scale of its batch norms (Liu et al.: Network slimming, ICCV 2017); ``l1`` where there is none.
    ``taylor``: squared sum of gradient times weight over what makes it (Molchanov et al.: Importance estimation for
    neural network pruning, CVPR 2019); call backward on a loss first.

    Raises:
        UsageError: ``taylor`` without gradients.
    """
    found: dict[int, dict[str, Tensor]] = {}
    for layer in channels.layers.values():
        values = _of_layer(layer, kind)
        start = 0
        for segment in layer.outputs:
            size, root = channels.sizes[segment.space], channels.root(segment.space)
            own = found.setdefault(root, {})
            for name, value in values.items():
                part = value[start : start + size * segment.repeat].reshape(size, -1).sum(1)
                own[name] = own.get(name, torch.zeros(size)) + part
            start += size * segment.repeat
    ranks = {}
    for root, values in found.items():
        value = values.get(kind, values.get("l1"))
        if value is not None:
            ranks[root] = value / value.mean().clamp_min(1e-12)
    return ranks


def _of_layer(layer: Layer, kind: Importance) -> dict[str, Tensor]:
    module = layer.module
    weight = getattr(module, "weight", None)
    if weight is None:
        return {}
    with torch.no_grad():
        if isinstance(module, nn.modules.batchnorm._BatchNorm):
            return {"norm": weight.abs().cpu()}
        if isinstance(module, nn.PReLU):
            return {}
        values = {"l1": weight.abs().flatten(1).sum(1).cpu()}
        if kind == "taylor":
            if weight.grad is None:
                raise UsageError("importance by Taylor needs gradients.", hint="Call backward on a loss first.")
            values["taylor"] = (weight.grad * weight).flatten(1).sum(1).square().cpu()
        return values


def prune(
    network: nn.Module,
    example: Tensor,
    ratio: float,
    *,
    importance: Importance = "l1",
    everywhere_alike: bool = True,
    least: int = 4,
    multiple: int = 4,
    protected: tuple[str, ...] = (),
) -> tuple[nn.Module, PruneReport]:
    """A smaller copy of ``network``, in evaluation mode, and what it saved.

    Args:
        network: plain layers that torch.fx can trace; outputs keep their channels.
        example: float [n, c, h, w], an input.
        ratio: share of the channels to cut, 0 to below 1.
        importance: see :func:`importances`.
        everywhere_alike: the same share of each space; otherwise the share is taken over all spaces together, each
            by its importance relative to its mean.
        least, multiple: each space keeps at least ``least`` channels and, where it can, a multiple of
            ``multiple``, which is what vector units work in.
        protected: names, or beginnings of names, of spaces not to cut. Layers that only training mode runs are not
            seen and keep their shape: protect the channels that they read.

    Raises:
        UsageError: the ratio is out of range, the network cannot be traced, or nothing in it can be cut.
    """
    if not 0 <= ratio < 1:
        raise UsageError(f"a share of {ratio} cannot be cut.", hint="Give one from 0 to below 1.")
    small = copy.deepcopy(network).eval()
    for mine, other in zip(small.parameters(), network.parameters(), strict=True):
        mine.grad = None if other.grad is None else other.grad.detach().clone()
    channels = analyse(small, example)
    spaces = {name: root for name, root in channels.spaces().items() if not name.startswith(protected or ("\0",))}
    ranks = importances(channels, importance)
    spaces = {name: root for name, root in spaces.items() if root in ranks}
    if not spaces:
        raise UsageError("no channel of this network can be cut.", hint="Look at `protected`, or prune another one.")
    counts = _counts({name: ranks[root] for name, root in spaces.items()}, ratio, everywhere_alike, least, multiple)
    keep = {
        root: torch.argsort(ranks[root], descending=True, stable=True)[: counts[name]].sort().values
        for name, root in spaces.items()
    }
    return _finished(small, example, channels, spaces, keep)


def cut(network: nn.Module, example: Tensor, kept: Mapping[str, int]) -> tuple[nn.Module, PruneReport]:
    """A copy of ``network`` whose spaces have ``kept`` channels, the first ones of each: its shape, not its weights.

    Raises:
        UsageError: a space is not there, or has fewer channels.
    """
    small = copy.deepcopy(network).eval()
    channels = analyse(small, example)
    spaces = channels.spaces()
    for name, count in kept.items():
        if name not in spaces:
            known = ", ".join(spaces) or "none"
            raise UsageError(f"the network has no channels {name!r} to cut.", hint=f"It has: {known}.")
        if not 1 <= count <= channels.sizes[spaces[name]]:
            raise UsageError(f"{name} has {channels.sizes[spaces[name]]} channels, {count} cannot be kept.")
    keep = {spaces[name]: torch.arange(count) for name, count in kept.items()}
    return _finished(small, example, channels, {name: spaces[name] for name in kept}, keep)


def _finished(
    small: nn.Module, example: Tensor, channels: Channels, spaces: Mapping[str, int], keep: dict[int, Tensor]
) -> tuple[nn.Module, PruneReport]:
    before = sum(p.numel() for p in small.parameters()), sum(channels.macs.values())
    for layer in channels.layers.values():
        _slice(layer, channels, keep)
    after = sum(p.numel() for p in small.parameters()), count_macs(small, example)
    sizes = {name: (channels.sizes[root], len(keep[root])) for name, root in spaces.items()}
    return small, PruneReport((before[0], after[0]), (before[1], after[1]), sizes)


def _counts(ranks: Mapping[str, Tensor], ratio: float, alike: bool, least: int, multiple: int) -> dict[str, int]:
    """Channels that each space keeps."""
    if alike:
        wanted = {name: (1 - ratio) * len(rank) for name, rank in ranks.items()}
    else:
        together = torch.cat(list(ranks.values()))
        edge = together.sort().values[int(ratio * len(together))]
        wanted = {name: float((rank >= edge).sum()) for name, rank in ranks.items()}
    counts = {}
    for name, count in wanted.items():
        whole = round(count / multiple) * multiple if len(ranks[name]) >= multiple else round(count)
        counts[name] = min(len(ranks[name]), max(whole, least))
    return counts


@torch.no_grad()
def _slice(layer: Layer, channels: Channels, keep: dict[int, Tensor]) -> None:
    module: Any = layer.module
    outputs = channels.kept(layer.outputs, keep)
    for name in ("weight", "bias"):
        value = getattr(module, name, None)
        if value is not None:
            setattr(module, name, _cut(value, outputs))
    if layer.inputs is not None:
        module.weight = _cut(module.weight, channels.kept(layer.inputs, keep), 1)
    if isinstance(module, nn.Conv2d):
        module.out_channels = len(outputs)
        module.in_channels = module.weight.shape[1] if layer.inputs is not None else len(outputs)
        module.groups = 1 if layer.inputs is not None else len(outputs)
    elif isinstance(module, nn.Linear):
        module.out_features, module.in_features = module.weight.shape
    elif isinstance(module, nn.PReLU):
        module.num_parameters = len(outputs)
    elif isinstance(module, nn.modules.batchnorm._BatchNorm):
        module.num_features = len(outputs)
        for name in ("running_mean", "running_var"):
            value = getattr(module, name)
            if value is not None:
                setattr(module, name, value[outputs].clone())


def _cut(value: Tensor, places: Tensor, axis: int = 0) -> nn.Parameter:
    return nn.Parameter(value.index_select(axis, places.to(value.device)).clone(), requires_grad=value.requires_grad)


class PrunedParameters(stage.Parameters):
    """The shape that pruning came to."""

    kept: Mapping[str, int] = Field(description="channels of each space that was cut, by name")
    input: tuple[int, int, int] = Field(description="channels, height and width of the network's input")


@wrapper("pruned", PrunedParameters)
def pruned(network: nn.Module, data: Data | None, options: PrunedParameters) -> nn.Module:
    """The network with fewer channels, as ``begin`` writes it into a recipe; its weights come from ``init``.

    Raises:
        UsageError: the network has other channels than those named.
    """
    small, _ = cut(network, torch.zeros(1, *options.input), options.kept)
    return small.train(network.training)
