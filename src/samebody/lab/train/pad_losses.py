"""The loss of pairs: of a picture and its twin, the twin is the one that looks more bona fide."""

from __future__ import annotations

from pydantic import Field
from torch import Tensor
from torch.nn import functional

from samebody import stage
from samebody.errors import UsageError
from samebody.lab.train.losses.base import PartLoss
from samebody.lab.train.task import Batch, Output, losses


@losses.register("pair-order")
class PairOrder(PartLoss):
    """softplus(-(odds of the twin - odds of the attack)) over neighbours in the batch (Burges et al., RankNet, 2005).

    What both of a pair show (the face, the light, the camera) cancels out in the difference, so that the loss sees
    what the attack added. It needs the sampler ``pad-pairs``, which lays both of a pair side by side.
    """

    class Parameters(stage.Parameters):
        """Names."""

        output: str = Field(default="logits", description="name of the network's answer, [n, 2], 1 = bona fide")
        target: str = Field(default="label", description="class in the batch")

    def forward(self, output: Output, batch: Batch) -> Tensor:
        """Mean over the pairs of the batch.

        Raises:
            UsageError: neighbours in the batch are not a twin and an attack.
        """
        logits = self.output(output, self.options.output)
        label = self.target(batch, self.options.target)
        count = len(label) // 2 * 2
        first, second = label[0:count:2], label[1:count:2]
        if not bool((first + second == 1).all()):
            raise UsageError("the loss pair-order found a batch without pairs.", hint="Use the sampler pad-pairs.")
        odds = logits[:count, 1] - logits[:count, 0]
        sign = (second - first).to(odds.dtype)
        return functional.softplus(-sign * (odds[1::2] - odds[0::2])).mean()

    def each(self, output: Output, batch: Batch) -> Tensor | None:
        """Not known sample by sample."""
        return None
