"""Mining: part of each step are the samples that the network finds hardest.

(Shrivastava, Gupta, Girshick: Training region-based object detectors with online hard example mining, CVPR 2016; here
over the whole set by a running mean of each sample's loss, instead of within a batch.)
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from samebody import stage
from samebody.errors import UsageError
from samebody.lab.train.samplers.balanced import Balanced
from samebody.lab.train.samplers.base import Columns, PartSampler
from samebody.lab.train.task import samplers


class Hard(PartSampler):
    """``share`` of each step comes from the hardest ``pool`` of the samples of some labels, the rest is balanced.

    A sample not yet seen is not hard; until enough have been seen the whole step is balanced. Checkpoints keep
    what is remembered, so a resumed run chooses as the uninterrupted one does.
    """

    class Parameters(stage.Parameters):
        """Which samples, how many, how hard."""

        labels: tuple[int, ...] = Field(default=(), description="labels that are mined; all without")
        share: float = Field(default=0.25, ge=0, le=1, description="part of each step that is mined")
        pool: float = Field(default=0.1, gt=0, le=1, description="part of those samples that counts as hard")
        memory: float = Field(default=0.5, ge=0, lt=1, description="weight of the past in a sample's running loss")
        by: tuple[str, ...] = Field(default=("label",), min_length=1, description="what the rest is balanced by")

    def __init__(self, columns: Columns, **parameters: Any) -> None:
        super().__init__(columns, **parameters)
        self._rest = Balanced(columns, by=self.options.by)
        labels = np.asarray(columns["label"], np.int64)
        mined = np.isin(labels, self.options.labels) if self.options.labels else np.ones(len(labels), bool)
        self._members = np.flatnonzero(mined).astype(np.int64)
        if not len(self._members):
            wanted = ", ".join(map(str, self.options.labels))
            raise UsageError(f"no sample has a label of those to mine ({wanted}).", hint="Give `labels` of this data.")
        self._loss = np.zeros(self.count, np.float32)
        self._seen = np.zeros(self.count, bool)

    def indices(self, step: int, size: int, seed: int) -> NDArray[np.int64]:
        """int64 [size]: mined samples first, without repeats among them."""
        wanted = round(size * self.options.share)
        seen = self._members[self._seen[self._members]]
        pool = max(wanted, int(np.ceil(self.options.pool * len(self._members))))
        if wanted == 0 or len(seen) < wanted:
            return self._rest.indices(step, size, seed)
        hardest = seen[np.argsort(-self._loss[seen], kind="stable")[:pool]]
        chosen = np.random.default_rng([seed, 1, step]).choice(hardest, wanted, replace=False)
        return np.concatenate([chosen, self._rest.indices(step, size, seed)[: size - wanted]])

    def observe(self, indices: NDArray[np.int64], values: NDArray[np.float32]) -> None:
        """Move the running loss of the samples; values that are no numbers are passed over."""
        good = np.isfinite(values)
        places, found = np.asarray(indices)[good], np.asarray(values, np.float32)[good]
        memory = np.float32(self.options.memory)
        moved = memory * self._loss[places] + (1 - memory) * found
        self._loss[places] = np.where(self._seen[places], moved, found)
        self._seen[places] = True

    def state(self) -> dict[str, Any]:
        """``loss`` float32 [n] and ``seen`` bool [n], copies."""
        return {"loss": self._loss.copy(), "seen": self._seen.copy()}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Back to a :meth:`state`.

        Raises:
            UsageError: it is of other data.
        """
        loss, seen = np.array(state["loss"], np.float32), np.array(state["seen"], bool)
        if loss.shape != (self.count,) or seen.shape != (self.count,):
            raise UsageError(
                f"the sampler's state is of {len(loss)} samples, this data has {self.count}.",
                hint="Start a new run, or bring back the data that the run began with.",
            )
        self._loss, self._seen = loss, seen


@samplers.register("hard-negative")
class HardNegative(Hard):
    """Mines label 0: the attacks that pass most easily."""

    class Parameters(Hard.Parameters):
        """As of :class:`Hard`."""

        labels: tuple[int, ...] = Field(default=(0,), description="labels that are mined")


@samplers.register("hard-positive")
class HardPositive(Hard):
    """Mines label 1: the bona fide samples that are refused most easily."""

    class Parameters(Hard.Parameters):
        """As of :class:`Hard`."""

        labels: tuple[int, ...] = Field(default=(1,), description="labels that are mined")
