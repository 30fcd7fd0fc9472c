"""Unlinkability of protected templates: can two records of one person in two databases be told to belong together?"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from samebody.measure.errors import InvalidRateError, checked_scores


@dataclass(frozen=True, slots=True, eq=False)
class Unlinkability:
    """The global measure with what chance alone would give.

    Attributes:
        d_sys: in 0-1; 0 is fully unlinkable, 1 fully linkable.
        edges: (b + 1,) of the bins.
        local: (b,) the local measure in each bin, 0-1; NaN where no mated score lies.
        mated_share: (b,) share of the mated scores in each bin; ``d_sys`` is the sum of ``local * mated_share``.
        omega: prior odds of mated to non-mated comparisons.
        mated, non_mated: scores of each kind.
        null_mean, null_95: mean and 95 % quantile of ``d_sys`` when the labels are shuffled.
        p_value: ``(1 + shuffles with at least this d_sys) / (1 + shuffles)``.
        permutations: shuffles.
    """

    d_sys: float
    edges: NDArray[np.float64]
    local: NDArray[np.float64]
    mated_share: NDArray[np.float64]
    omega: float
    mated: int
    non_mated: int
    null_mean: float
    null_95: float
    p_value: float
    permutations: int

    @property
    def linkable(self) -> bool:
        """More than 95 % of shuffles give: the measure is biased upward, so its plain value proves nothing."""
        return self.d_sys > self.null_95

    @property
    def d_sys_trapezoid(self) -> float:
        """``d_sys`` by the trapezoid rule over bin centres, as published code does it: the two end bins count half.

        For comparison with papers only: it does not reach 1 for scores that are fully linkable.
        """
        parts = np.nan_to_num(self.local) * self.mated_share
        return float(parts.sum() - (parts[0] + parts[-1]) / 2)


def unlinkability(
    mated: ArrayLike,
    non_mated: ArrayLike,
    *,
    omega: float = 1.0,
    bins: int | None = None,
    permutations: int = 1000,
    seed: int = 20260,
) -> Unlinkability:
    """``D_sys`` of linkage scores between two protected databases, with a permutation null.

    Locally ``D(s) = 2 w LR(s) / (1 + w LR(s)) - 1`` where ``w LR(s) > 1`` and 0 elsewhere, with
    ``LR(s) = p(s | mated) / p(s | non-mated)``; ``D_sys = integral of D(s) p(s | mated)``. Densities are histograms
    with equal bins over the range of all scores. Source: M. Gomez-Barrero et al., "General Framework to Evaluate
    Unlinkability in Biometric Template Protection Systems", IEEE TIFS 13 (2018); ISO/IEC 30136.

    With few scores the measure is above 0 even for equal distributions (about 0.06 at 200 scores), so it comes with its
    distribution under shuffled labels. The shuffle treats scores as exchangeable.

    Args:
        mated: (m,) scores of records of one person under two keys.
        non_mated: (n,) scores of records of two people under two keys.
        omega: prior odds, above 0.
        bins: number of bins; ``min(m // 10, 100)``, at least 1, unless told.
        permutations: shuffles, 20 or more.
        seed: of the shuffles.

    Raises:
        EmptyClassError, InvalidScoresError.
        InvalidRateError: ``omega``, ``bins`` or ``permutations`` out of range.
    """
    same = checked_scores(mated, "mated").astype(np.float64)
    other = checked_scores(non_mated, "non-mated").astype(np.float64)
    number = max(1, min(same.size // 10, 100)) if bins is None else bins
    if omega <= 0 or number < 1 or permutations < 20:
        raise InvalidRateError(
            f"omega must be above 0, bins 1 or more and permutations 20 or more, got {omega}, {number}, {permutations}."
        )
    low, high = min(same.min(), other.min()), max(same.max(), other.max())
    edges = np.linspace(low, high, number + 1) if high > low else np.linspace(low - 0.5, low + 0.5, number + 1)
    counts, others = np.histogram(same, edges)[0], np.histogram(other, edges)[0]
    value, local = _measure(counts, others, omega)
    generator = np.random.default_rng(seed)
    # Shuffling labels draws the mated counts of the bins without replacement: no score has to be touched again.
    total = counts + others
    drawn = generator.multivariate_hypergeometric(total, same.size, size=permutations, method="marginals")
    null = np.array([_measure(row, total - row, omega)[0] for row in drawn])
    return Unlinkability(
        d_sys=value,
        edges=edges,
        local=local,
        mated_share=counts / counts.sum(),
        omega=omega,
        mated=int(same.size),
        non_mated=int(other.size),
        null_mean=float(null.mean()),
        null_95=float(np.quantile(null, 0.95)),
        p_value=float((1 + np.count_nonzero(null >= value - 1e-12)) / (1 + permutations)),
        permutations=permutations,
    )


def _measure(mated: NDArray[np.int64], non_mated: NDArray[np.int64], omega: float) -> tuple[float, NDArray[np.float64]]:
    same, other = omega * mated / mated.sum(), non_mated / non_mated.sum()
    total = same + other
    # 2 r / (1 + r) - 1 with r = same / other is (same - other) / (same + other), and finite where other is 0.
    local = np.maximum(0.0, (same - other) / np.where(total > 0, total, 1.0))
    value = float(np.sum(local * mated) / mated.sum())
    return value, np.where(mated > 0, local, np.nan)
