"""Supervised contrastive loss: samples of one class attract each other, all others repel."""

from __future__ import annotations

import torch
from pydantic import Field
from torch import Tensor
from torch.nn import functional

from samebody import stage
from samebody.lab.train.losses.base import PartLoss
from samebody.lab.train.task import Batch, Output, losses


@losses.register("supervised-contrastive")
class SupervisedContrastive(PartLoss):
    """Mean over anchors i with positives of -1/|P(i)| sum_p log(exp(z_i z_p / t) / sum_{a != i} exp(z_i z_a / t)).

    Khosla et al.: Supervised contrastive learning (NeurIPS 2020), equation 2. Features are brought to unit length.
    A batch without two samples of a class gives 0: use the sampler ``identities`` or ``balanced``.
    """

    class Parameters(stage.Parameters):
        """Names and temperature."""

        output: str = Field(default="embedding", description="name of the network's answer")
        target: str = Field(default="label", description="name of the classes in the batch")
        temperature: float = Field(default=0.1, gt=0, le=10)

    def forward(self, output: Output, batch: Batch) -> Tensor:
        """One number of the whole batch."""
        z = functional.normalize(self.output(output, self.options.output), dim=1)
        label = self.target(batch, self.options.target)
        own = torch.eye(len(z), dtype=torch.bool, device=z.device)
        positive = (label[:, None] == label[None, :]) & ~own
        scores = (z @ z.T / self.options.temperature).masked_fill(own, -torch.inf)
        log_share = scores - scores.logsumexp(1, keepdim=True)
        count = positive.sum(1)
        values = -torch.where(positive, log_share, 0.0).sum(1) / count.clamp_min(1)
        return values.sum() / (count > 0).sum().clamp_min(1)
