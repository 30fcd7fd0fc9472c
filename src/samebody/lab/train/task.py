"""What can be trained: a task brings the data, says what the network must answer, and measures it.

The loop knows none of this. It asks a task for batches, adds up the losses the recipe names, and stops by the measure.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from samebody.stage import Registry, Stage

Batch = Mapping[str, Tensor]
"""Named tensors of one step, first axis the samples. ``input`` goes into the network; the rest are targets:
``label`` int64[n], ``domain`` int64[n], ``teacher`` float32[n, d], ``mask`` float32[n, c, h, w] and so on."""

Output = Mapping[str, Tensor]
"""What a network answers, by name: ``logits`` [n, classes], ``embedding`` [n, d], ``map`` [n, c, h, w] and so on."""


class Source(Protocol):
    """Samples that can be asked for in any order.

    Attributes:
        columns: what samplers and losses may know of each sample, one value per sample: ``label`` int64, and as far
            as there is one ``group``, ``subject``, ``species``, ``family``, ``domain`` (int64 or text).
    """

    columns: Mapping[str, NDArray[Any]]

    def __len__(self) -> int:
        """Number of samples."""
        ...

    def batch(self, indices: NDArray[np.int64], seed: int) -> dict[str, Tensor]:
        """The samples at ``indices``; the same indices and seed give the same tensors, bit for bit.

        Args:
            indices: int64 [n], each below ``len(self)``; may repeat.
            seed: of this step; whatever is drawn at random (crops, noise, choice of a view) is drawn from it.
        """
        ...


@dataclass(frozen=True)
class Data:
    """What a task trains and measures on.

    Attributes:
        train, held: samples to learn from and to stop by; no subject and no source picture stands in both.
        identity: what a run must name to say exactly what it saw: data set version, file list digest, generator
            version and seed. Plain JSON values.
        classes: number of classes of ``label``, 0 without.
        domains: number of values of ``domain``, 0 without.
    """

    train: Source
    held: Source
    identity: Mapping[str, Any]
    classes: int = 0
    domains: int = 0


@dataclass(frozen=True)
class Example:
    """What an export needs: one input of the exported network and the names of its ends.

    Attributes:
        input: float32 [1, c, h, w].
        input_name, output_names: as they stand in the ONNX graph.
    """

    input: Tensor
    input_name: str = "input"
    output_names: Sequence[str] = field(default_factory=lambda: ("output",))


class Task(Stage):
    """Base of all tasks; subclasses nest ``class Parameters(stage.Parameters)`` and register in :data:`tasks`."""

    monitor: str = "loss"
    """Name of the figure of :meth:`measure` that early stopping and the choice of the best weights go by."""
    larger_is_better: bool = False

    def data(self, folder: Path, *, seed: int) -> Data:
        """Open the data; ``folder`` may keep what is costly to prepare (the run's cache, shared by runs).

        Raises:
            InputError: data that cannot be trained on (an empty class, a subject on both sides), all reasons at once.
        """
        raise TypeError(f"{type(self).__name__} brings no data")

    def network(self, parts: Mapping[str, Any]) -> nn.Module:
        """The network of the recipe's ``network`` entry; its ``forward`` takes ``input`` and returns an Output."""
        raise TypeError(f"{type(self).__name__} brings no network")

    def measure(self, network: nn.Module, held: Source) -> dict[str, float]:
        """Figures on the held-back samples, the monitored one among them; ``network`` is in evaluation mode."""
        raise TypeError(f"{type(self).__name__} measures nothing")

    def exported(self, network: nn.Module) -> tuple[nn.Module, Example]:
        """What is shipped: usually the network with its last activation and without what only training needs."""
        raise TypeError(f"{type(self).__name__} exports nothing")

    def pictures(self, pixels: NDArray[np.uint8]) -> Tensor:
        """Pictures as the exported network takes them: by default their numbers, 0-255, as float32 [n, 3, h, w].

        Args:
            pixels: [n, h, w, 3] RGB of the example's size.
        """
        return torch.from_numpy(np.ascontiguousarray(pixels)).permute(0, 3, 1, 2).to(torch.float32).contiguous()


class Loss(nn.Module):
    """Base of all losses; ``forward(output: Output, batch: Batch) -> Tensor`` gives one number, the mean of the batch.

    A loss with own weights (class centres of a margin loss) holds them as parameters: the loop trains and keeps them.
    """

    def prepare(self, data: Data) -> None:
        """Told once, before the optimiser is made, what will be trained on (class counts, centres)."""

    def each(self, output: Output, batch: Batch) -> Tensor | None:
        """The loss of each sample, float [n], with the mean of :meth:`forward`; None where it is one of pairs.

        The loop hands it to :meth:`Sampler.observe`.
        """
        return None


class Sampler(Protocol):
    """Chooses the samples of each step."""

    def indices(self, step: int, size: int, seed: int) -> NDArray[np.int64]:
        """int64 [size]: the samples of ``step``; a function of its arguments and of :meth:`state`, nothing else."""
        ...

    def observe(self, indices: NDArray[np.int64], values: NDArray[np.float32]) -> None:
        """Take note of the loss of each sample; hard-negative mining lives on it, others do nothing."""
        ...

    def state(self) -> dict[str, Any]:
        """What a checkpoint must keep so that a resumed run draws the same samples; tensors or plain values."""
        ...

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go back to a state of :meth:`state`."""
        ...


tasks: Registry[type[Task]] = Registry("training task")
backbones: Registry[Any] = Registry("backbone")
"""``backbones[name](**parameters) -> nn.Module``: [n, 3, h, w] to features [n, d] (attribute ``width`` = d) and, by
``features(x) -> list[Tensor]``, its maps from fine to coarse."""
losses: Registry[type[Loss]] = Registry("loss")
samplers: Registry[Any] = Registry("sampler")
"""``samplers[name](columns, **parameters) -> Sampler``."""
augmentations: Registry[Any] = Registry("augmentation")
"""``augmentations[name](**parameters)``: called with (dict of tensors, torch.Generator), returns the dict."""
wrappers: Registry[Any] = Registry("wrapper of networks")
"""``wrappers[name](network, data, **parameters) -> nn.Module``: what a recipe lists under ``domain`` (style mixing,
gradient reversal, fake quantisation): put around the task's network, in
order; the task exports what it wraps."""
teachers: Registry[Any] = Registry("teacher")
"""``teachers[name](**parameters)``: called with the input of each step after augmentation, float32 [n, c, h, w];
returns a dict of tensors that join the batch (``teacher`` float32 [n, d] ...)."""
