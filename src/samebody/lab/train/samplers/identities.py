"""P identities times K samples: what pair, triplet and contrastive losses need in one step."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from samebody import stage
from samebody.errors import UsageError
from samebody.lab.train.samplers.balanced import cells_of
from samebody.lab.train.samplers.base import Columns, PartSampler, Passes
from samebody.lab.train.task import samplers


@samplers.register("identities")
class Identities(PartSampler):
    """``samples`` of each of size / ``samples`` identities, no identity twice in a step.

    Identities and their samples are dealt in passes; only an identity with fewer than ``samples`` repeats its own, one
    with fewer than ``least`` is left out. (Hermans, Beyer, Leibe: In defense of the triplet loss, 2017.)
    """

    class Parameters(stage.Parameters):
        """What an identity is, and how many samples of it."""

        column: str = Field(default="label", description="column that tells identities apart")
        samples: int = Field(default=4, ge=2, le=1024, description="K: samples of an identity in a step")
        least: int = Field(default=2, ge=1, description="identities with fewer samples are left out")

    def __init__(self, columns: Columns, **parameters: Any) -> None:
        super().__init__(columns, **parameters)
        cells = cells_of(columns, (self.options.column,))
        self._samples = [Passes(cell, key + 1) for key, cell in enumerate(cells) if len(cell) >= self.options.least]
        if not self._samples:
            raise UsageError(
                f"no identity has {self.options.least} samples.", hint="Lower `least`, or bring data with repeats."
            )
        self._identities = Passes(np.arange(len(self._samples)))

    def indices(self, step: int, size: int, seed: int) -> NDArray[np.int64]:
        """int64 [size], the samples of an identity side by side.

        Raises:
            UsageError: ``size`` is no multiple of K, or there are fewer identities than a step needs.
        """
        each = self.options.samples
        if size % each:
            raise UsageError(f"a batch of {size} holds no whole number of {each} samples.", hint="Change one of them.")
        wanted, total = size // each, len(self._samples)
        if wanted > total:
            raise UsageError(
                f"a batch of {size} needs {wanted} identities; {total} have enough samples.",
                hint="Take a smaller batch, or more samples of each.",
            )
        per_pass = total // wanted  # the rest of a pass is left to the next, so that no identity stands twice in a step
        number, place = divmod(step, per_pass)
        chosen = self._identities.at(number * total + place * wanted + np.arange(wanted), seed)
        return np.concatenate([self._of(int(identity), number, seed) for identity in chosen])

    def _of(self, identity: int, draw: int, seed: int) -> NDArray[np.int64]:
        """K samples of an identity; the draws of one pass over them have none in common."""
        passes, each = self._samples[identity], self.options.samples
        number, place = divmod(draw, max(1, len(passes) // each))
        stride = max(len(passes), each)
        return passes.at(number * stride + place * each + np.arange(each), seed)
