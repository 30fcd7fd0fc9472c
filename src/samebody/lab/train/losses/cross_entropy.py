"""Cross-entropy, balanced by the effective number of samples of each class."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import Field
from torch import Tensor
from torch.nn import functional

from samebody import stage
from samebody.lab.train.losses.base import PartLoss
from samebody.lab.train.task import Batch, Data, Output, losses


def effective_number_weights(counts: NDArray[np.int64], beta: float) -> NDArray[np.float32]:
    """Weight of each class, float32 [classes], mean 1 over the classes that have samples; 0 for an empty class.

    (1 - beta) / (1 - beta^n): Cui, Jia, Lin, Song, Belongie: Class-balanced loss based on effective number of samples
    (CVPR 2019), equation 2. ``beta`` 0 leaves all classes alike; towards 1 it becomes one over the count.
    """
    counts = np.asarray(counts, np.float64)
    present = counts > 0
    raw = np.zeros(len(counts))
    raw[present] = (1 - beta) / -np.expm1(counts[present] * np.log(beta)) if beta > 0 else 1.0
    return np.asarray(raw / raw[present].mean(), np.float32)


class Balanced(PartLoss):
    """Base of losses over ``logits`` [n, classes]: class weights from the training data, mixed labels.

    A batch of mixup or cutmix holds ``label_other`` int64 [n] and ``label_share`` float [n]: the loss is then
    share * loss(label) + (1 - share) * loss(label_other) (Zhang et al. 2018).
    """

    class Parameters(stage.Parameters):
        """What the losses over logits have in common."""

        output: str = Field(default="logits", description="name of the network's answer")
        target: str = Field(default="label", description="name of the classes in the batch")
        balance: float = Field(default=0.0, ge=0, lt=1, description="beta of the effective number; 0 = no weights")

    def __init__(self, **parameters: Any) -> None:
        super().__init__(**parameters)
        self.register_buffer("class_weights", None)

    def prepare(self, data: Data) -> None:
        """Count the classes of the training samples."""
        if self.options.balance > 0 and data.classes:
            labels = np.asarray(data.train.columns[self.options.target], np.int64)
            counts = np.bincount(labels, minlength=data.classes)
            self.class_weights = torch.from_numpy(effective_number_weights(counts, self.options.balance))

    def of_label(self, logits: Tensor, label: Tensor) -> Tensor:
        """The loss of each sample, float [n], for one label each; without class weights."""
        raise TypeError(f"{type(self).__name__} has no formula")

    def each(self, output: Output, batch: Batch) -> Tensor:
        """The loss of each sample, float [n]."""
        logits = self.output(output, self.options.output)
        label = self.target(batch, self.options.target)
        values = self._weighted(logits, label)
        other = batch.get("label_other")
        if other is not None and self.options.target == "label":
            share = batch["label_share"].to(values.dtype)
            values = share * values + (1 - share) * self._weighted(logits, other)
        return values

    def _weighted(self, logits: Tensor, label: Tensor) -> Tensor:
        values = self.of_label(logits, label)
        return values if self.class_weights is None else values * self.class_weights[label]


@losses.register("focal")
class Focal(Balanced):
    """(1 - p)^gamma * cross-entropy, p the probability of the right class; easy samples fade out.

    Lin, Goyal, Girshick, He, Dollar: Focal loss for dense object detection (ICCV 2017), equation 4.
    """

    class Parameters(Balanced.Parameters):
        """Those of all losses over logits, and the exponent."""

        gamma: float = Field(default=2.0, ge=0, le=10, description="0 is plain cross-entropy")

    def of_label(self, logits: Tensor, label: Tensor) -> Tensor:
        """The loss of each sample, float [n]."""
        entropy = functional.cross_entropy(logits, label, reduction="none")
        missed = -torch.expm1(-entropy)  # 1 - p without cancellation
        return missed.clamp_min(1e-12) ** self.options.gamma * entropy


@losses.register("cross-entropy")
class CrossEntropy(Balanced):
    """Cross-entropy of ``logits`` [n, classes] and ``label`` int64 [n], with label smoothing (Szegedy et al. 2016)."""

    class Parameters(Balanced.Parameters):
        """Those of all losses over logits, and smoothing."""

        smoothing: float = Field(default=0.0, ge=0, lt=1, description="share of the target spread over all classes")

    def of_label(self, logits: Tensor, label: Tensor) -> Tensor:
        """The loss of each sample, float [n]."""
        return functional.cross_entropy(logits, label, reduction="none", label_smoothing=self.options.smoothing)
