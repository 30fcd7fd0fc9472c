"""The loss of a domain head: cross-entropy over domains."""

from __future__ import annotations

from pydantic import Field
from torch import Tensor
from torch.nn import functional

from samebody import stage
from samebody.lab.train.losses.base import PartLoss
from samebody.lab.train.task import Batch, Output, losses


@losses.register("domain")
class Domain(PartLoss):
    """Cross-entropy of ``domain`` logits [n, domains] and ``domain`` int64 [n]; a sample of domain -1 counts nothing.

    Behind a gradient reversal the head learns the domain and the features unlearn it (Ganin et al., JMLR 2016).
    """

    class Parameters(stage.Parameters):
        """Names."""

        output: str = Field(default="domain", description="name of the network's answer")
        target: str = Field(default="domain", description="name of the domains in the batch")

    def forward(self, output: Output, batch: Batch) -> Tensor:
        """The mean over the samples that have a domain; 0 without any."""
        logits, domain = self.output(output, self.options.output), self.target(batch, self.options.target)
        values = functional.cross_entropy(logits, domain, reduction="none", ignore_index=-1)
        return values.sum() / (domain >= 0).sum().clamp_min(1)
