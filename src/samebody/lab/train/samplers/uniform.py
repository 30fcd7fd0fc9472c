"""Every sample once per pass, in a new order each pass."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from samebody.lab.train.samplers.base import Columns, PartSampler, Passes
from samebody.lab.train.task import samplers


@samplers.register("uniform")
class Uniform(PartSampler):
    """All samples alike."""

    def __init__(self, columns: Columns, **parameters: Any) -> None:
        super().__init__(columns, **parameters)
        self._passes = Passes(np.arange(self.count))

    def indices(self, step: int, size: int, seed: int) -> NDArray[np.int64]:
        """int64 [size]: the samples of ``step``; steps follow each other through the passes."""
        return self._passes.at(step * size + np.arange(size), seed)
