"""Network and losses as one module: a batch in, the weighted sum out; and the running mean of the weights."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from samebody.errors import UsageError
from samebody.lab.train import known
from samebody.lab.train.environment import derived, seed_everything
from samebody.lab.train.recipe import Recipe
from samebody.lab.train.task import Batch, Data, Output, Task, losses, tasks, wrappers

DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}


@dataclass
class Answer:
    """What one step of the objective gives.

    Attributes:
        total: the weighted sum, with its graph.
        parts: each loss by name, without.
        each: weighted loss of each sample where the losses know it, float [n]; None otherwise.
    """

    total: Tensor
    parts: dict[str, Tensor]
    each: Tensor | None


class Objective(nn.Module):
    """The network and the losses that the recipe adds up.

    Args:
        network: as the task made it.
        recipe: names of the losses, their weights, the precision.
        data: handed to the losses once.
    """

    def __init__(self, network: nn.Module, recipe: Recipe, data: Data) -> None:
        super().__init__()
        self.network = network
        self.losses = nn.ModuleList(losses[part.name](**part.parameters) for part in recipe.losses)
        for loss in self.losses:
            loss.prepare(data)
        self.names = _names([part.name for part in recipe.losses])
        self.weights = [part.weight for part in recipe.losses]
        self.precision = DTYPES[recipe.precision]
        # outside the module's own parts, so that the names of the weights stay as they are
        object.__setattr__(self, "_called", torch.compile(network) if recipe.compile else network)

    def forward(self, batch: Batch, wants_each: bool = False) -> Answer:
        """Weighted sum of the losses on ``batch``; losses are worked out in float32."""
        values = batch["input"]
        with torch.autocast(values.device.type, self.precision, enabled=self.precision != torch.float32):
            output = self._called(values)
        if self.precision != torch.float32:
            output = {name: value.float() if value.is_floating_point() else value for name, value in output.items()}
        total: Any = 0.0
        parts = {}
        for name, weight, loss in zip(self.names, self.weights, self.losses):
            value = loss(output, batch)
            parts[name] = value.detach()
            total = total + weight * value
        return Answer(total, parts, self._each(output, batch) if wants_each else None)

    @torch.no_grad()
    def _each(self, output: Output, batch: Batch) -> Tensor | None:
        found = None
        for weight, loss in zip(self.weights, self.losses):
            values = loss.each(output, batch)
            if values is not None:
                found = weight * values.float() + (0.0 if found is None else found)
        return found


def make_task(recipe: Recipe) -> Task:
    """The recipe's task.

    Raises:
        UsageError: there is none of that name.
        ConfigError: it refuses its parameters.
    """
    known.load_parts()
    known.load_task(recipe.task.name)
    return tasks[recipe.task.name](**recipe.task.parameters)


def make_network(task: Task, recipe: Recipe, data: Data) -> nn.Module:
    """The recipe's network with what its ``domain`` list puts around it; begins from the recipe's seed.

    Of ``data`` only ``classes`` and ``domains`` are looked at.
    """
    seed_everything(derived(recipe.seed, "network"))
    network = task.network(recipe.network)
    for part in recipe.domain:
        network = wrappers[part.name](network, data, **part.parameters)
    return network


def make_objective(task: Task, recipe: Recipe, data: Data) -> Objective:
    """Network and losses of the recipe."""
    network = make_network(task, recipe, data)
    seed_everything(derived(recipe.seed, "losses"))
    objective = Objective(network, recipe, data)
    if not any(parameter.requires_grad for parameter in objective.parameters()):
        raise UsageError("the network of this recipe has nothing to train.", hint="Look at its `network` entry.")
    return objective


class Average:
    """Running mean of weights and of floating buffers (Polyak and Juditsky 1992), with a short memory at the start.

    After t updates the decay is min(decay, (1 + t) / (10 + t)).
    """

    def __init__(self, network: nn.Module, decay: float) -> None:
        self.decay, self.updates = decay, 0
        self.values = {name: value.detach().clone() for name, value in _floating(network).items()}

    @torch.no_grad()
    def update(self, network: nn.Module) -> None:
        """Move towards the network as it is now."""
        self.updates += 1
        decay = min(self.decay, (1 + self.updates) / (10 + self.updates))
        current = _floating(network)
        mine = list(self.values.values())
        torch._foreach_lerp_(mine, [current[name].detach() for name in self.values], 1 - decay)

    @contextlib.contextmanager
    def applied(self, network: nn.Module) -> Iterator[None]:
        """The network with the mean in place of its weights; they come back afterwards."""
        current = _floating(network)
        own = {name: current[name].detach().clone() for name in self.values}
        self._put(current, self.values)
        try:
            yield
        finally:
            self._put(current, own)

    @staticmethod
    @torch.no_grad()
    def _put(current: Mapping[str, Tensor], values: Mapping[str, Tensor]) -> None:
        for name, value in values.items():
            current[name].copy_(value)

    def state(self) -> dict[str, Any]:
        """For the checkpoint."""
        return {"updates": self.updates, "values": self.values}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Back to a :meth:`state`."""
        self.updates = int(state["updates"])
        self._put(self.values, state["values"])


def _floating(network: nn.Module) -> dict[str, Tensor]:
    """Weights and buffers in floating point, by name; the very tensors, not copies."""
    named = {**dict(network.named_parameters()), **dict(network.named_buffers())}
    kept = set(network.state_dict())
    return {name: value for name, value in named.items() if name in kept and value.is_floating_point()}


def _names(names: list[str]) -> list[str]:
    """Names of the losses, numbered where one stands twice."""
    return [
        name if names.count(name) == 1 else f"{name}-{names[: number + 1].count(name)}"
        for number, name in enumerate(names)
    ]
