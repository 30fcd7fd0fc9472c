"""Style mixing: statistics of early maps are mixed between samples, so that style cannot be relied on.

Zhou, Yang, Qiao, Xiang: Domain generalization with MixStyle (ICLR 2021).
"""

from __future__ import annotations

from typing import Any

import torch
from pydantic import Field
from torch import Tensor, nn

from samebody import stage
from samebody.errors import ConfigError
from samebody.lab.train.task import Data
from samebody.lab.train.wrapping import wrapper


class MixStyle(nn.Module):
    """Mean and deviation of each channel become s * own + (1 - s) * another sample's, s from Beta(alpha, alpha).

    Works in training mode only, on a whole batch at a time with ``probability``; statistics carry no gradient.
    Draws from torch's own generator, whose state a checkpoint keeps.
    """

    def __init__(self, probability: float = 0.5, alpha: float = 0.1, epsilon: float = 1e-6) -> None:
        super().__init__()
        self.probability, self.alpha, self.epsilon = probability, alpha, epsilon

    def forward(self, x: Tensor) -> Tensor:
        """[n, c, h, w] to the same shape."""
        if not self.training or torch.rand(()) >= self.probability:
            return x
        share = torch.distributions.Beta(self.alpha, self.alpha).sample((len(x), 1, 1, 1)).to(x)
        return mixed(x, torch.randperm(len(x)).to(x.device), share, self.epsilon)


def mixed(x: Tensor, partner: Tensor, share: Tensor, epsilon: float = 1e-6) -> Tensor:
    """[n, c, h, w] with the style of ``share`` [n, 1, 1, 1] parts itself and the rest sample ``partner`` int64 [n]."""
    with torch.no_grad():
        mean = x.mean((2, 3), keepdim=True)
        deviation = (x.var((2, 3), keepdim=True) + epsilon).sqrt()
        new_mean = share * mean + (1 - share) * mean[partner]
        new_deviation = share * deviation + (1 - share) * deviation[partner]
    return (x - mean) / deviation * new_deviation + new_mean


class _Hook:
    """Calls the mixing module behind the module it is hooked to; copied along with both."""

    def __init__(self, mix: MixStyle) -> None:
        self.mix = mix

    def __call__(self, module: nn.Module, inputs: Any, output: Tensor) -> Tensor | None:
        self.mix.train(module.training)
        return self.mix(output) if module.training else None


class MixStyleParameters(stage.Parameters):
    """Where styles are mixed, and how strongly."""

    stages: tuple[int, ...] = Field(default=(0, 1), description="stages of ``network.backbone``, 0 the finest")
    modules: tuple[str, ...] = Field(default=(), description="instead: dotted names of modules that answer maps")
    probability: float = Field(default=0.5, ge=0, le=1, description="that a batch is mixed")
    alpha: float = Field(default=0.1, gt=0, le=10, description="of the Beta distribution; small = mostly one of two")


@wrapper("mixstyle", MixStyleParameters)
def with_mix_style(network: nn.Module, data: Data | None, options: MixStyleParameters) -> nn.Module:
    """Mix styles behind some modules of ``network``, in place; returns the network.

    Raises:
        ConfigError: the network has no such stages or modules; says which it has.
    """
    for module in _chosen(network, options):
        module.register_forward_hook(_Hook(MixStyle(options.probability, options.alpha)))
    return network


def _chosen(network: nn.Module, options: MixStyleParameters) -> list[nn.Module]:
    if options.modules:
        known = dict(network.named_modules())
        missing = sorted(set(options.modules) - set(known))
        if missing:
            near = ", ".join(sorted(name for name in known if name.count(".") <= 1 and name))
            raise ConfigError(f"mixstyle: the network has no module {missing[0]!r}.", hint=f"It has: {near}.")
        return [known[name] for name in options.modules]
    stages = getattr(getattr(network, "backbone", network), "stages", ())
    if not stages or max(options.stages, default=0) >= len(stages) or min(options.stages, default=0) < 0:
        raise ConfigError(
            f"mixstyle: the network's backbone has {len(stages)} stages, not those of {list(options.stages)}.",
            hint="Name modules instead.",
        )
    return [stages[index] for index in options.stages]
