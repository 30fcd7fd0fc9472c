"""Which pairs a step sees: both of a pair together, and species that are still confused more often."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from samebody import stage
from samebody.errors import UsageError
from samebody.lab.train.samplers.base import Columns, PartSampler, Passes
from samebody.lab.train.task import samplers


@samplers.register("pad-pairs")
class PadPairs(PartSampler):
    """Pairs by species, each with its twin in the same step.

    The chance of a species is its share times exp(``worst`` x its mean loss): the exponentiated-gradient step of group
    DRO (Sagawa et al., Distributionally robust neural networks for group shifts, ICLR 2020), on sampling in place of
    weights, so that no species is given up for the others. Within a species families are dealt in turn.
    """

    class Parameters(stage.Parameters):
        """Shares of the species."""

        shares: dict[str, float] = Field(default={}, description="by species; 1 for one that is not named")
        worst: float = Field(default=0.0, ge=0, le=10)
        memory: float = Field(default=0.98, ge=0, lt=1, description="of the running mean of the losses")

    def __init__(self, columns: Columns, **parameters: Any) -> None:
        super().__init__(columns, **parameters)
        missing = [name for name in ("species", "family", "pair", "label") if name not in columns]
        if missing:
            raise UsageError(f"the sampler pad-pairs needs a column {missing[0]!r}.", hint="Use the task pad.")
        species, families = np.asarray(columns["species"]), np.asarray(columns["family"])
        self._options: Any = self.parameters
        self.names = sorted(set(species.tolist()))
        attacks = np.flatnonzero(np.asarray(columns["label"]) == 0).astype(np.int64)
        fair = np.flatnonzero(np.asarray(columns["label"]) == 1)
        twin = dict(zip(np.asarray(columns["pair"])[fair].tolist(), fair.tolist()))
        self._twin = {int(i): twin[int(columns["pair"][i])] for i in attacks}
        self._families = [sorted(set(families[species == name].tolist())) for name in self.names]
        key = 0
        self._pools: list[list[Passes]] = []
        for members in self._families:
            pools = []
            for family in members:
                pools.append(Passes(attacks[families[attacks] == family], key))
                key += 1
            self._pools.append(pools)
        self._species = np.searchsorted(self.names, species)
        self._losses = np.zeros(len(self.names))
        self._dealt = np.zeros(len(self.names), np.int64)

    def chances(self) -> NDArray[np.float64]:
        """(species,) by :attr:`names`: the chance of each at the next step."""
        share = np.array([self._options.shares.get(name, 1.0) for name in self.names])
        chance = share * np.exp(self._options.worst * (self._losses - self._losses.max()))
        return np.asarray(chance / chance.sum())

    def indices(self, step: int, size: int, seed: int) -> NDArray[np.int64]:
        """int64 [size]: attack and twin in turn; an odd size ends with an attack."""
        random = np.random.default_rng([seed, 77, step])
        drawn = random.choice(len(self.names), (size + 1) // 2, p=self.chances())
        chosen = []
        for which in drawn:
            dealt = int(self._dealt[which])
            pools = self._pools[which]
            turn, pool = divmod(dealt, len(pools))
            attack = int(pools[pool].at(np.array([turn]), seed)[0])
            self._dealt[which] += 1
            chosen += [attack, self._twin[attack]]
        return np.array(chosen[:size], np.int64)

    def observe(self, indices: NDArray[np.int64], values: NDArray[np.float32]) -> None:
        """Move the running mean of each species that was seen."""
        memory = self._options.memory
        for which in np.unique(self._species[indices]):
            seen = float(values[self._species[indices] == which].mean())
            self._losses[which] = memory * self._losses[which] + (1 - memory) * seen

    def state(self) -> dict[str, Any]:
        """Running losses and how many pairs of each species were dealt."""
        return {"losses": self._losses.tolist(), "dealt": self._dealt.tolist()}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go back to a :meth:`state`."""
        self._losses = np.array(state["losses"], np.float64)
        self._dealt = np.array(state["dealt"], np.int64)
