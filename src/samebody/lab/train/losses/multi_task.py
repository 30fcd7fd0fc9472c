"""Several losses in one, weighted by what the network finds hard: weights are learnt, not chosen."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from pydantic import Field
from torch import Tensor, nn

from samebody import stage
from samebody.lab.train.losses.base import PartLoss
from samebody.lab.train.task import Batch, Data, Output, losses


class Entry(stage.Parameters):
    """One of the losses: its name, its parameters, and whether it is one of regression."""

    name: str
    parameters: Mapping[str, Any] = Field(default_factory=dict)
    regression: bool = Field(default=False, description="a squared difference: its weight is halved")


@losses.register("multi-task")
class MultiTask(PartLoss):
    """Sum of exp(-s_i) L_i + s_i / 2 (half of the first term for regression), s_i = log variance, learnt from 0.

    Kendall, Gal, Cipolla: Multi-task learning using uncertainty to weigh losses (CVPR 2018), equations 5 to 10.
    """

    class Parameters(stage.Parameters):
        """The losses."""

        losses: tuple[Entry, ...] = Field(min_length=2)

    def __init__(self, **parameters: Any) -> None:
        super().__init__(**parameters)
        entries = self.options.losses
        self.parts = nn.ModuleList(losses[entry.name](**entry.parameters) for entry in entries)
        self.log_variances = nn.Parameter(torch.zeros(len(entries)))

    def prepare(self, data: Data) -> None:
        """Hand the data to each part."""
        for part in self.parts:
            part.prepare(data)

    def forward(self, output: Output, batch: Batch) -> Tensor:
        """One number; it may fall below 0 as variances fall."""
        values = torch.stack([part(output, batch) for part in self.parts])
        factors = torch.tensor([0.5 if entry.regression else 1.0 for entry in self.options.losses]).to(values)
        return (factors * torch.exp(-self.log_variances) * values + self.log_variances / 2).sum()
