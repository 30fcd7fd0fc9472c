"""What the losses share: declared parameters, outputs and targets by name, a mean over samples."""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor

from samebody.errors import UsageError
from samebody.lab.train.part import Part
from samebody.lab.train.task import Batch, Loss, Output


def named(tensors: Mapping[str, Tensor], name: str, owner: str, kind: str) -> Tensor:
    """The tensor called ``name``.

    Raises:
        UsageError: there is none; says which there are.
    """
    try:
        return tensors[name]
    except KeyError:
        known = ", ".join(sorted(tensors)) or "none"
        hint = f"The {kind} has: {known}."
        raise UsageError(f"the loss {owner} wants {name!r}, which the {kind} does not have.", hint=hint) from None


class PartLoss(Part, Loss):
    """Base of the losses here; subclasses give :meth:`each`, or ``forward`` where samples cannot be told apart."""

    def output(self, output: Output, name: str) -> Tensor:
        """What the network answered under ``name``."""
        return named(output, name, type(self).__name__, "network")

    def target(self, batch: Batch, name: str) -> Tensor:
        """What the batch holds under ``name``."""
        return named(batch, name, type(self).__name__, "batch")

    def forward(self, output: Output, batch: Batch) -> Tensor:
        """The mean over the samples, a number."""
        values = self.each(output, batch)
        if values is None:
            raise TypeError(f"{type(self).__name__} has neither each nor forward")
        return values.mean()
