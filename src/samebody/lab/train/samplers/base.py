"""What the samplers share: endless passes over samples, each pass in an order of its own, drawn from the seed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from samebody import stage

Columns = Mapping[str, NDArray[Any]]


class Passes:
    """The members of a pool in endless passes: position k is member k % n of the order of pass k // n.

    A pure function of (seed, key, position), so a resumed run needs no state; the last orders are kept at hand.
    """

    def __init__(self, members: NDArray[np.int64], key: int = 0) -> None:
        self.members = np.asarray(members, np.int64)
        self._key = key
        self._orders: dict[tuple[int, int], NDArray[np.int64]] = {}

    def __len__(self) -> int:
        return len(self.members)

    def at(self, positions: NDArray[np.int64], seed: int) -> NDArray[np.int64]:
        """int64 [n]: the members at ``positions``, each position at least 0."""
        passes, places = np.divmod(np.asarray(positions, np.int64), len(self.members))
        chosen = np.empty(len(places), np.int64)
        for number in np.unique(passes):
            here = passes == number
            chosen[here] = self._order(seed, int(number))[places[here]]
        return chosen

    def _order(self, seed: int, number: int) -> NDArray[np.int64]:
        order = self._orders.get((seed, number))
        if order is None:
            while len(self._orders) > 3:
                self._orders.pop(next(iter(self._orders)))
            order = np.random.default_rng([seed, self._key, number]).permutation(self.members)
            self._orders[seed, number] = order
        return order


class PartSampler(stage.Stage):
    """Base of the samplers: columns first, then declared parameters; no memory unless a subclass has one."""

    options: Any

    def __init__(self, columns: Columns, **parameters: Any) -> None:
        super().__init__(**parameters)
        self.options = self.parameters
        self.columns = columns
        self.count = len(next(iter(columns.values())))

    def indices(self, step: int, size: int, seed: int) -> NDArray[np.int64]:
        """int64 [size]: the samples of ``step``."""
        raise TypeError(f"{type(self).__name__} chooses nothing")

    def observe(self, indices: NDArray[np.int64], values: NDArray[np.float32]) -> None:
        """Nothing is remembered."""

    def state(self) -> dict[str, Any]:
        """Nothing has to be kept."""
        return {}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Nothing was kept."""
