"""Every class, or every combination of group and class, as often as every other."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from samebody import stage
from samebody.errors import UsageError
from samebody.lab.train.samplers.base import Columns, PartSampler, Passes
from samebody.lab.train.task import samplers


def cells_of(columns: Columns, names: tuple[str, ...]) -> list[NDArray[np.int64]]:
    """The samples of each combination of values of the columns ``names`` that occurs, in sorted order of the values.

    Raises:
        UsageError: a column is missing; names those there are.
    """
    missing = [name for name in names if name not in columns]
    if missing:
        known = ", ".join(sorted(columns))
        raise UsageError(f"the data has no column {missing[0]!r} to balance by.", hint=f"It has: {known}.")
    values = [np.unique(np.asarray(columns[name]), return_inverse=True)[1] for name in names]
    _, cell = np.unique(np.stack(values, axis=1), axis=0, return_inverse=True)
    cell = cell.reshape(-1)
    return [np.flatnonzero(cell == number).astype(np.int64) for number in range(int(cell.max()) + 1)]


@samplers.register("balanced")
class Balanced(PartSampler):
    """Draw k is from cell k % cells: over any stretch of draws the cells differ by at most one.

    Within a cell the samples are dealt in passes, so that a small cell repeats all of its samples alike.
    """

    class Parameters(stage.Parameters):
        """What is balanced."""

        by: tuple[str, ...] = Field(
            default=("label",), min_length=1, description="columns whose combinations are cells"
        )

    def __init__(self, columns: Columns, **parameters: Any) -> None:
        super().__init__(columns, **parameters)
        cells = cells_of(columns, self.options.by)
        self._cells = [Passes(members, key) for key, members in enumerate(cells)]

    def indices(self, step: int, size: int, seed: int) -> NDArray[np.int64]:
        """int64 [size]: the samples of ``step``, shuffled within the step."""
        draws, cells = np.divmod(step * size + np.arange(size), len(self._cells))
        chosen = np.empty(size, np.int64)
        for number, passes in enumerate(self._cells):
            here = cells == number
            chosen[here] = passes.at(draws[here], seed)
        return np.random.default_rng([seed, len(self._cells), step]).permutation(chosen)


@samplers.register("group-aware")
class GroupAware(Balanced):
    """Balances group x label, so that neither a rare group nor a rare class within a group is learnt by the way.

    (Idrissi et al.: Simple data balancing achieves competitive worst-group-accuracy, CLeaR 2022.)
    """

    class Parameters(Balanced.Parameters):
        """What is balanced."""

        by: tuple[str, ...] = Field(default=("group", "label"), min_length=1, description="columns of the cells")
