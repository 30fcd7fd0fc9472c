"""The upper tail of a line through a multivariate hypergeometric draw, summed from its terms.

``drawn`` of ``total`` bits are drawn without replacement; ``marked`` of them are of the first kind (d are seen),
``plain`` of the second (a are seen). The statistic is (1024 - slope) d - slope a, an integer.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from samebody.kernels.compiling import compiled

ROUNDING = 1e-9
"""Relative error allowed to the sums in float64; measured below 1e-11 against exact fractions."""

_COARSE = 32
"""Limits are found to 32 / 1024 of a bit, rounded up."""


@compiled
def _log_choose(n: Any, k: Any, log_factorials: Any) -> Any:
    return log_factorials[n] - log_factorials[k] - log_factorials[n - k]


@compiled
def upper_tail(total: Any, marked: Any, drawn: Any, least: Any, log_factorials: Any) -> Any:
    """P[Hypergeometric(total, marked, drawn) >= least], not below the true value but by :data:`ROUNDING`."""
    low, high = max(0, drawn + marked - total), min(drawn, marked)
    if least <= low:
        return 1.0
    if least > high:
        return 0.0
    term = np.exp(
        _log_choose(marked, least, log_factorials)
        + _log_choose(total - marked, drawn - least, log_factorials)
        - _log_choose(total, drawn, log_factorials)
    )
    added = 0.0
    seen = least
    while True:
        added += term
        if seen == high:
            return added
        ratio = (marked - seen) * (drawn - seen) / ((seen + 1.0) * (total - marked - drawn + seen + 1.0))
        if ratio < 0.99 and term * ratio / (1.0 - ratio) < added * 1e-13:  # ratios fall: the rest is a smaller series
            return added + term * ratio / (1.0 - ratio)
        term *= ratio
        seen += 1


@compiled
def line_tail(
    total: Any, marked: Any, plain: Any, drawn: Any, slope: Any, limit: Any, log_factorials: Any, enough: Any
) -> Any:
    """P[(1024 - slope) d - slope a > limit], rounded up; what lies above ``enough`` may be cut short."""
    low, high = max(0, drawn + plain - total), min(drawn, plain)
    every = _log_choose(total, drawn, log_factorials)
    negligible = np.log(enough * 1e-7 / (drawn + 1.0))
    added = 0.0
    for a in range(low, high + 1):
        log_term = _log_choose(plain, a, log_factorials) + _log_choose(total - plain, drawn - a, log_factorials) - every
        if log_term < negligible:
            added += np.exp(log_term)
            continue
        least = (limit + slope * a) // (1024 - slope) + 1
        added += np.exp(log_term) * upper_tail(total - plain, marked, drawn - a, least, log_factorials)
        if added > 2.0 * enough:
            break
    return added * (1.0 + 1e-9)


@compiled
def smallest_limit(
    total: Any, marked: Any, plain: Any, drawn: Any, slope: Any, miss: Any, log_factorials: Any, guess: Any
) -> Any:
    """The smallest limit, up to 32 / 1024, whose :func:`line_tail` is at most ``miss``; ``guess`` is where to begin."""
    lowest = -slope * drawn // _COARSE - 1  # every draw is above
    highest = (1024 - slope) * drawn // _COARSE + 1  # none is
    low, high = lowest, highest
    here, step = min(max(guess // _COARSE, lowest + 1), highest - 1), 8
    while high - low > 1:
        if line_tail(total, marked, plain, drawn, slope, here * _COARSE, log_factorials, miss) <= miss:
            high = here
            here = here - step if low == lowest else (low + high) // 2
        else:
            low = here
            here = here + step if high == highest else (low + high) // 2
        step *= 2
        here = min(max(here, low + 1), high - 1)
    return np.int64(high * _COARSE)
