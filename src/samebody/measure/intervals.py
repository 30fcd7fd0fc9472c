"""Exact binomial bounds, the rules of 3 and of 30, and the estimate of a rate with all that it rests on."""

from __future__ import annotations

import math
from dataclasses import dataclass

from scipy.special import betaincinv

from samebody.measure.errors import EmptyClassError, InvalidRateError, checked_level

INDICATIVE_BELOW = 30
"""Effective errors below which a rate is only *indicative*: Doddington's rule of 30 (with 30 errors the true rate
lies within 30 % of the measured one with 90 % confidence; ISO/IEC 19795-1:2021, annex on test size)."""


def binomial_interval(errors: int, trials: int, level: float = 0.95) -> tuple[float, float]:
    """Exact two-sided Clopper-Pearson interval of ``errors`` in ``trials`` *independent* trials.

    ``low = BetaInv(a/2; k, n-k+1)``, ``high = BetaInv(1-a/2; k+1, n-k)`` with ``a = 1 - level``; 0 and 1 at the ends.
    Source: C. Clopper, E. Pearson, Biometrika 26 (1934).

    Raises:
        EmptyClassError: no trials.
        InvalidRateError: errors outside 0..trials, or a level outside (0, 1).
    """
    half = (1 - checked_level(level)) / 2
    _check_counts(errors, trials)
    low = 0.0 if errors == 0 else float(betaincinv(errors, trials - errors + 1, half))
    high = 1.0 if errors == trials else float(betaincinv(errors + 1, trials - errors, 1 - half))
    return low, high


def upper_bound(errors: int, trials: int, level: float = 0.95) -> float:
    """Exact one-sided upper Clopper-Pearson bound of a rate.

    Raises:
        EmptyClassError, InvalidRateError.
    """
    _check_counts(errors, trials)
    return 1.0 if errors == trials else float(betaincinv(errors + 1, trials - errors, checked_level(level)))


def zero_error_bound(trials: float, level: float = 0.95) -> float:
    """Exact one-sided upper bound of a rate when no error was seen: ``1 - (1 - level)^(1/N)``, the rule of 3.

    ``trials`` counts *independent* trials and may be an effective, fractional number. About ``3/N`` at 95 %.

    Raises:
        EmptyClassError: ``trials`` not positive.
    """
    if not trials > 0:
        raise EmptyClassError("the rule of 3 needs at least one trial.")
    return -math.expm1(math.log1p(-checked_level(level)) / trials)


def _check_counts(errors: int, trials: int) -> None:
    if trials < 1:
        raise EmptyClassError("there are no trials.")
    if not 0 <= errors <= trials:
        raise InvalidRateError(f"errors lie in 0..{trials}, got {errors}.")


@dataclass(frozen=True, slots=True)
class RateEstimate:
    """An error rate with its uncertainty.

    Attributes:
        rate: errors / trials, in 0-1.
        errors, trials: comparisons, not independent of each other when subjects take part in several.
        subjects: who take part in the trials.
        interval: two-sided, at ``level``; from the bootstrap named in ``method``, and never narrower than the exact
            binomial interval that independent trials would give. Without an error: (0, one-sided exact bound).
        effective_trials: the number of independent trials with the same variance, ``rate (1 - rate) / variance``
            over the bootstrap replicates; never more than ``trials``. Without an error it is not estimable and
            stands for the number of trials that share no subject.
        effective_errors: ``rate * effective_trials``.
        replicates: of the bootstrap; degenerate ones (no trial left) not counted.
    """

    rate: float
    errors: int
    trials: int
    subjects: int
    interval: tuple[float, float]
    effective_trials: float
    effective_errors: float
    level: float
    method: str
    replicates: int

    @property
    def indicative(self) -> bool:
        """Fewer than 30 effective errors: the rate is a hint, not a measurement."""
        return self.effective_errors < INDICATIVE_BELOW

    @property
    def estimable(self) -> bool:
        """False when no error was seen: the rate is then only bounded, by ``interval[1]``."""
        return self.errors > 0
