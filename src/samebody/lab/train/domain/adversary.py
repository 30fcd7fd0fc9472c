"""Gradient reversal: a head learns the domain from the features, and the features learn to hide it.

Ganin et al.: Domain-adversarial training of neural networks (JMLR 2016).
"""

from __future__ import annotations

from typing import Any

import torch
from pydantic import Field
from torch import Tensor, nn

from samebody import stage
from samebody.errors import ConfigError
from samebody.lab.train.task import Data, Output
from samebody.lab.train.wrapping import wrapper


class _Reversal(torch.autograd.Function):
    @staticmethod
    def forward(context: Any, x: Tensor, strength: Tensor) -> Tensor:
        context.save_for_backward(strength)
        return x.view_as(x)

    @staticmethod
    def backward(context: Any, gradient: Tensor) -> tuple[Tensor, None]:
        (strength,) = context.saved_tensors
        return -strength * gradient, None


def reverse_gradient(x: Tensor, strength: Tensor) -> Tensor:
    """``x`` itself; its gradient is multiplied by -``strength`` (a tensor of one number)."""
    reversed_: Tensor = _Reversal.apply(x, strength)
    return reversed_


class DomainHead(nn.Module):
    """Domain logits of features [n, width] behind a gradient reversal whose strength grows from 0 to ``strength``.

    strength * (2 / (1 + exp(-gamma p)) - 1) with p = steps so far / ``ramp`` up to 1 (section 5.2.2 of the paper).
    Steps are counted in a buffer, so a resumed run goes on where it was.
    """

    steps: Tensor

    def __init__(
        self,
        width: int,
        domains: int,
        *,
        hidden: int = 64,
        strength: float = 1.0,
        gamma: float = 10.0,
        ramp: int = 1000,
    ) -> None:
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(width, hidden), nn.ReLU(), nn.Linear(hidden, domains))
        self.strength, self.gamma, self.ramp = strength, gamma, ramp
        self.register_buffer("steps", torch.zeros((), dtype=torch.int64))

    def now(self) -> Tensor:
        """The present strength, one number."""
        progress = (self.steps.to(torch.float32) / self.ramp).clamp(0, 1)
        return self.strength * (2 / (1 + torch.exp(-self.gamma * progress)) - 1)

    def forward(self, features: Tensor) -> Tensor:
        """Logits [n, domains]; counts a step in training mode."""
        strength = self.now()
        if self.training:
            self.steps += 1
        answer: Tensor = self.layers(reverse_gradient(features, strength))
        return answer


class _Hook:
    """Adds ``domain`` to what the network answers in training mode; copied along with the network."""

    def __init__(self, output: str) -> None:
        self.output = output

    def __call__(self, network: nn.Module, inputs: Any, output: Output) -> Output | None:
        if not network.training:
            return None
        head: Any = network.domain_head
        return {**output, "domain": head(output[self.output])}


class GradientReversalParameters(stage.Parameters):
    """The head and its schedule."""

    output: str = Field(default="embedding", description="the network's answer [n, width] that hides the domain")
    width: int = Field(default=0, ge=0, description="its length; 0 = that of the network's backbone")
    domains: int = Field(default=0, ge=0, description="number of domains; 0 = the data's")
    hidden: int = Field(default=64, ge=1, le=4096)
    strength: float = Field(default=1.0, ge=0, le=100, description="largest factor of the reversed gradient")
    gamma: float = Field(default=10.0, gt=0, description="how fast it grows")
    ramp: int = Field(default=1000, ge=1, description="steps until it is largest")


@wrapper("gradient-reversal", GradientReversalParameters)
def with_gradient_reversal(network: nn.Module, data: Data | None, options: GradientReversalParameters) -> nn.Module:
    """Give ``network`` a domain head, in place; returns the network. The loss ``domain`` trains it.

    Raises:
        ConfigError: the number of domains or the width is not known.
    """
    domains = options.domains or (data.domains if data is not None else 0)
    if domains < 2:
        raise ConfigError("gradient-reversal: the data has no two domains.", hint="Give `domains`, or other data.")
    width = options.width or getattr(getattr(network, "backbone", network), "width", 0)
    if not isinstance(width, int) or width < 1:
        raise ConfigError("gradient-reversal: the width of the features is not known.", hint="Give `width`.")
    network.domain_head = DomainHead(
        width,
        domains,
        hidden=options.hidden,
        strength=options.strength,
        gamma=options.gamma,
        ramp=options.ramp,
    )
    network.register_forward_hook(_Hook(options.output))
    return network
