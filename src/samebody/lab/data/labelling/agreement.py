"""Agreement between labellers: Krippendorff's alpha, and who takes what for what."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Literal

import numpy as np
from numpy.typing import NDArray

Metric = Literal["nominal", "ordinal", "interval"]


def krippendorff_alpha(
    units: Sequence[Sequence[str | float]], metric: Metric = "nominal", order: Sequence[str | float] | None = None
) -> float | None:
    """Krippendorff's alpha: 1 is perfect agreement, 0 is what chance gives, below 0 is systematic disagreement.

    alpha = 1 - D_o / D_e from the matrix of coincidences: a unit with m labels adds, for each ordered pair of them,
    1 / (m - 1). Krippendorff, "Computing Krippendorff's alpha-reliability", 2011; any number of labellers, missing
    labels allowed, small samples corrected for.

    Args:
        units: the labels of each unit, in any order; units with fewer than two say nothing and are left out.
        metric: difference of two values: ``nominal`` (0 or 1), ``ordinal`` (by ranks), ``interval`` (squared).
        order: the values from low to high, for ``ordinal``; sorted otherwise.

    Returns:
        None when no unit has two labels, or all labels are the same: then there is nothing to agree about.
    """
    pairable = [list(unit) for unit in units if len(unit) > 1]
    values = list(order) if order is not None else sorted({value for unit in pairable for value in unit}, key=_key)
    place = {value: number for number, value in enumerate(values)}
    if not pairable:
        return None
    coincidences = np.zeros((len(values), len(values)))
    for unit in pairable:
        counts = np.zeros(len(values))
        for value in unit:
            counts[place[value]] += 1
        coincidences += (np.outer(counts, counts) - np.diag(counts)) / (len(unit) - 1)
    totals = coincidences.sum(axis=1)
    distances = _distances(values, totals, metric)
    observed = float((coincidences * distances).sum())
    expected = float((np.outer(totals, totals) * distances).sum()) / (totals.sum() - 1)
    return None if expected == 0 else 1.0 - observed / expected


def _key(value: str | float) -> tuple[bool, float, str]:
    return (isinstance(value, str), 0.0 if isinstance(value, str) else float(value), str(value))


def _distances(values: Sequence[str | float], totals: NDArray[np.float64], metric: Metric) -> NDArray[np.float64]:
    size = len(values)
    if metric == "nominal":
        return 1.0 - np.eye(size)
    if metric == "interval":
        numbers = np.array([float(value) for value in values])
        squared: NDArray[np.float64] = (numbers[:, None] - numbers[None, :]) ** 2
        return squared
    found = np.zeros((size, size))
    for one in range(size):
        for two in range(one + 1, size):
            between = totals[one : two + 1].sum() - (totals[one] + totals[two]) / 2
            found[one, two] = found[two, one] = between**2
    return found


def confusion(pairs: Sequence[tuple[str, str]], classes: Sequence[str]) -> dict[str, dict[str, int]]:
    """Counts of (reference, given) pairs as ``{reference: {given: count}}`` over all classes."""
    counts = Counter(pairs)
    return {one: {two: counts[one, two] for two in classes} for one in classes}


def pairwise_agreement(labels: Mapping[str, Mapping[str, str]]) -> dict[str, float]:
    """Share of units on which two labellers agree, by ``"one / two"``; ``labels`` is {unit: {labeller: label}}."""
    same, both = Counter[str](), Counter[str]()
    for given in labels.values():
        names = sorted(given)
        for place, one in enumerate(names):
            for two in names[place + 1 :]:
                both[f"{one} / {two}"] += 1
                same[f"{one} / {two}"] += given[one] == given[two]
    return {name: same[name] / count for name, count in sorted(both.items())}
