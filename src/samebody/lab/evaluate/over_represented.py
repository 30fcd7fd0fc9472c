"""Attributes behind errors more often than chance allows: exact tests over people, adjusted for their number."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.stats import fisher_exact

LEAST_UNITS = 5
"""A value of an attribute that fewer people carry is not tested."""


@dataclass(frozen=True, slots=True)
class AttributeTest:
    """One value of one attribute.

    Attributes:
        attribute, value: for example ``gender``, ``Female``.
        units: people (or presentations) with the value, and ``affected`` of them behind at least one error.
        other_units, other_affected: the same of everybody else.
        p: one-sided exact p-value of Fisher's test: so many affected, or more, if the value did not matter.
        adjusted: after Holm's adjustment over all tests of the table.
    """

    attribute: str
    value: str
    units: int
    affected: int
    other_units: int
    other_affected: int
    p: float
    adjusted: float

    @property
    def share(self) -> float:
        """Share of the people with the value that stand behind an error."""
        return self.affected / self.units

    @property
    def other_share(self) -> float:
        """The same of everybody else."""
        return self.other_affected / self.other_units

    @property
    def significant(self) -> bool:
        """Whether the adjusted p-value is at most 0.05."""
        return self.adjusted <= 0.05


def holm(values: Sequence[float]) -> NDArray[np.float64]:
    """Holm's adjusted p-values (1979): the chance of any false alarm in the table is held, whatever depends on what."""
    p = np.asarray(values, dtype=np.float64)
    order = np.argsort(p, kind="stable")
    stepped = np.maximum.accumulate(p[order] * np.arange(len(p), 0, -1))
    adjusted = np.empty_like(p)
    adjusted[order] = np.minimum(stepped, 1.0)
    return adjusted


def over_represented(
    affected: Mapping[str, bool], attributes: Mapping[str, Mapping[str, str]]
) -> tuple[AttributeTest, ...]:
    """Which values are over-represented among those behind errors; smallest adjusted p-value first.

    People are the unit, not comparisons: one person can be part of a hundred errors. If an attribute does not matter,
    its labels could be dealt out to the people anew without changing anything, and then the number of affected people
    with a value is hypergeometric, however the errors depend on each other. So Fisher's test is exact here. It does
    not know that people with more pictures have more chances to err.

    Args:
        affected: whether each unit stands behind at least one error.
        attributes: attribute to unit to value; units without a value (missing or empty) take no part in its tests.
    """
    rows: list[tuple[str, str, int, int, int, int, float]] = []
    for name, values in attributes.items():
        known = [unit for unit in affected if values.get(unit, "")]
        hits = sum(affected[unit] for unit in known)
        for value in sorted({values[unit] for unit in known}):
            inside = [unit for unit in known if values[unit] == value]
            if len(inside) < LEAST_UNITS or len(known) - len(inside) < LEAST_UNITS:
                continue
            own = sum(affected[unit] for unit in inside)
            others = len(known) - len(inside)
            table = [[own, len(inside) - own], [hits - own, others - (hits - own)]]
            p = float(fisher_exact(table, alternative="greater").pvalue)
            rows.append((name, value, len(inside), own, others, hits - own, p))
    adjusted = holm([row[-1] for row in rows]).tolist() if rows else []
    tests = [AttributeTest(*row, adjusted=value) for row, value in zip(rows, adjusted)]
    return tuple(sorted(tests, key=lambda test: (test.adjusted, test.p, -test.share)))
