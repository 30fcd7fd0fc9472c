"""A task small enough that a run takes a fraction of a second; registered for the tests of the loop only."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from samebody.lab.train.loop import Progress
from samebody.lab.train.recipe import Recipe, parse_recipe
from samebody.lab.train.samplers.base import PartSampler
from samebody.lab.train.task import Data, Example, Loss, Source, Task, augmentations, losses, samplers, tasks

RECIPE = """\
recipe: 1
id: toy
seed: 7
task: {name: toy}
network: {name: toy}
losses: [{name: toy}]
sampler: {name: uniform}
batch: 16
threads: 1
steps: 30
evaluate_every: 10
checkpoint_every: 5
"""


class ToySource:
    """Points of three classes; what is drawn at random depends on the seed of the step alone."""

    def __init__(self, samples: int, seed: int, subjects: str, kill: str = "", slow: float = 0.0) -> None:
        random = np.random.default_rng(seed)
        label = np.arange(samples) % 3
        self.points = (random.normal(0, 1, (samples, 8)) + 1.5 * label[:, None]).astype(np.float32)
        subject = np.array([f"{subjects}{number // 2}" for number in range(samples)])
        self.columns: dict[str, Any] = {"label": label.astype(np.int64), "subject": subject}
        self.kill, self.slow = kill, slow

    def __len__(self) -> int:
        return len(self.points)

    def batch(self, indices: Any, seed: int) -> dict[str, Tensor]:
        if self.kill and not Path(self.kill).exists():  # a loader process that dies once, or whenever it is asked
            if self.kill != "always":
                Path(self.kill).touch()
            os.kill(os.getpid(), signal.SIGKILL)
        time.sleep(self.slow)
        noise = np.random.default_rng(seed).normal(0, 0.3, (len(indices), 8)).astype(np.float32)
        values = torch.from_numpy(self.points[indices] + noise)
        return {"input": values, "label": torch.from_numpy(self.columns["label"][indices])}


@tasks.register("toy")
class Toy(Task):
    monitor = "loss"

    class Parameters(Task.Parameters):
        samples: int = 96
        fault: str = ""
        kill: str = ""
        slow: float = 0.0
        data_seed: int = 1
        figures: tuple[float, ...] = ()

    parameters: Parameters

    def data(self, folder: Path, *, seed: int) -> Data:
        chosen = self.parameters
        train = ToySource(chosen.samples, chosen.data_seed, "t", chosen.kill, chosen.slow)
        held = ToySource(30, 2, "h")
        label = train.columns["label"]
        if chosen.fault == "empty class":
            train.columns["label"] = np.where(label == 2, 0, label)
        if chosen.fault == "one sample":
            train.columns["label"] = np.where((label == 2) & (np.arange(len(label)) > 2), 0, label)
        if chosen.fault == "shared subject":
            held.columns["subject"] = np.where(np.arange(30) == 4, "t3", held.columns["subject"])
        if chosen.fault == "everything":
            train.columns["label"] = np.where(label == 2, 0, label)
            held.columns["subject"] = train.columns["subject"][:30]
        self.evaluated = 0
        return Data(train, held, {"generator": "toy", "seed": chosen.data_seed}, classes=3)

    def network(self, parts: Mapping[str, Any]) -> nn.Module:
        width = int(parts.get("width", 16))
        return ToyNetwork(width)

    def measure(self, network: nn.Module, held: Source) -> dict[str, float]:
        assert not network.training
        found = held.batch(np.arange(len(held)), 0)
        logits = network(found["input"])["logits"]
        self.evaluated += 1
        if self.parameters.figures:
            return {"loss": self.parameters.figures[self.evaluated - 1]}
        right = (logits.argmax(1) == found["label"]).float().mean()
        return {"loss": float(functional.cross_entropy(logits, found["label"])), "right": float(right)}

    def exported(self, network: nn.Module) -> tuple[nn.Module, Example]:
        return network, Example(torch.zeros(1, 8), output_names=("logits",))


class ToyNetwork(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Linear(8, width), nn.BatchNorm1d(width), nn.ReLU(), nn.Dropout(0.2), nn.Linear(width, 3)
        )

    def forward(self, x: Tensor) -> dict[str, Tensor]:
        return {"logits": self.layers(x)}


@losses.register("toy")
class ToyLoss(Loss):
    """Cross-entropy with a temperature that is trained with the network."""

    def __init__(self) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.ones(()))

    def forward(self, output: Mapping[str, Tensor], batch: Mapping[str, Tensor]) -> Tensor:
        values = self.each(output, batch)
        return values.mean()

    def each(self, output: Mapping[str, Tensor], batch: Mapping[str, Tensor]) -> Tensor:
        return functional.cross_entropy(output["logits"] * self.scale, batch["label"], reduction="none")


@augmentations.register("toy-poison")
class Poison:
    """Makes the input no number at one step."""

    def __init__(self, step: int) -> None:
        self.step, self.calls = step, 0

    def __call__(self, batch: dict[str, Tensor], generator: torch.Generator) -> dict[str, Tensor]:
        self.calls += 1
        return {**batch, "input": batch["input"] * float("nan")} if self.calls == self.step else batch


@augmentations.register("toy-noise")
class Noise:
    def __call__(self, batch: dict[str, Tensor], generator: torch.Generator) -> dict[str, Tensor]:
        return {**batch, "input": batch["input"] + 0.1 * torch.randn(batch["input"].shape, generator=generator)}


@samplers.register("toy-hard")
class Hard(PartSampler):
    """Draws the samples with the largest losses seen more often: what it draws depends on what it observed."""

    def __init__(self, columns: Mapping[str, Any], **parameters: Any) -> None:
        super().__init__(columns, **parameters)
        self.values = np.ones(self.count, np.float32)

    def indices(self, step: int, size: int, seed: int) -> Any:
        share = self.values.astype(np.float64)
        return np.random.default_rng([seed, step]).choice(self.count, size, p=share / share.sum())

    def observe(self, indices: Any, values: Any) -> None:
        self.values[indices] = 0.01 + values

    def state(self) -> dict[str, Any]:
        return {"values": self.values.copy()}

    def restore(self, state: Mapping[str, Any]) -> None:
        self.values = np.asarray(state["values"], np.float32)


def recipe(**changes: Any) -> Recipe:
    """The toy recipe with values put in at dotted places (``__`` for the dot)."""
    return parse_recipe(RECIPE, changes={place.replace("__", "."): value for place, value in changes.items()})


def steps_of(seen: list[int]) -> Any:
    """A report that notes steps."""

    def note(progress: Progress) -> None:
        seen.append(progress.step)

    return note
