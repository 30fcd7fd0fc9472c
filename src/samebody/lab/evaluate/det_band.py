"""The band of uncertainty around a DET curve: intervals are measured at some thresholds and carried to the others."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from samebody.measure import RateEstimate


def band_around(
    thresholds: NDArray[np.float64],
    rates: NDArray[np.float64],
    nodes: NDArray[np.float64],
    estimates: Sequence[RateEstimate],
    none_seen: float,
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Odds of the ends over odds of the rate at the nodes, interpolated in the threshold.

    Args:
        thresholds, rates: (n,) rising thresholds and the rate, 0 to 1, at each.
        nodes, estimates: (k,) thresholds at which intervals were measured, and those.
        none_seen: upper end of the interval where no error was seen, 0 to 1.

    Returns:
        Lower and upper end at each threshold, (n,) each; ``low <= rates <= high``.
    """
    usable = [(node, e) for node, e in zip(nodes.tolist(), estimates) if 0 < e.rate < 1]
    if not usable:
        low = np.where(rates == 1, 1 - none_seen, 0.0)
        return low, np.where(rates == 0, none_seen, 1.0)
    places = np.array([node for node, _ in usable])
    own = np.array([_log_odds(e.rate) for _, e in usable])
    odds = np.array([[_log_odds(end) for end in e.interval] for _, e in usable])
    inside = (rates > 0) & (rates < 1)
    middle = np.zeros(len(rates))
    middle[inside] = np.log(rates[inside] / (1 - rates[inside]))
    ends = [1 / (1 + np.exp(-(middle + np.interp(thresholds, places, odds[:, side] - own)))) for side in (0, 1)]
    low = np.where(inside, ends[0], np.where(rates >= 1, 1 - none_seen, 0.0))
    high = np.where(inside, ends[1], np.where(rates <= 0, none_seen, 1.0))
    return np.minimum(low, rates), np.maximum(high, rates)


def _log_odds(rate: float) -> float:
    clipped = min(max(rate, 1e-300), 1 - 1e-16)
    return float(np.log(clipped / (1 - clipped)))
