"""How much of the exact result an engine returns."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from samebody.search.types import Hits


@dataclass(frozen=True, slots=True)
class Recall:
    """The share of the exact k best that was returned.

    Attributes:
        share: over all probes; 1.0 when the exact result is empty.
        low, high: 95 % percentile interval of the share, from 2,000 bootstrap samples of the probes with a fixed seed.
        first: share of probes whose best reference was returned.
        probes, k: what it was measured on.
    """

    share: float
    low: float
    high: float
    first: float
    probes: int
    k: int


def recall(exact: Hits, found: Hits) -> Recall:
    """Hold the hits of an engine against those of an exact one, for the same probes, k, minimum and exclusions.

    A returned reference counts when its score reaches the lowest score of the exact list, so one that is tied with the
    last of the k best counts as well as the one that the exact engine chose.

    Raises:
        ValueError: the hits are of different searches.
    """
    if exact.ids.shape != found.ids.shape:
        raise ValueError(f"hits of {exact.ids.shape} and {found.ids.shape} are not of the same search")
    q, k = exact.ids.shape
    wanted = (exact.ids >= 0).sum(axis=1)
    lowest = np.where(wanted > 0, exact.scores[np.arange(q), np.maximum(wanted - 1, 0)], np.inf)
    right = np.minimum(((found.ids >= 0) & (found.scores >= lowest[:, None])).sum(axis=1), wanted)
    asked = wanted > 0
    if not asked.any():
        return Recall(1.0, 1.0, 1.0, 1.0, q, k)
    first = float((found.scores[asked, 0] >= exact.scores[asked, 0]).mean())
    draws = np.random.default_rng(0).integers(0, q, (2_000, q))
    shares = right[draws].sum(axis=1) / np.maximum(wanted[draws].sum(axis=1), 1)
    low, high = (float(edge) for edge in np.quantile(shares, [0.025, 0.975]))
    return Recall(float(right.sum() / wanted.sum()), low, high, first, q, k)
