"""Two embedders' false match rates by label of race and gender, compared on the same draws of people."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from samebody.lab.evaluate.evaluation_sets import Sample, population
from samebody.measure import draw_weights


def labels_compared(
    samples: Sequence[Sample],
    people: Sequence[str],
    one: tuple[NDArray[np.float32], float],
    two: tuple[NDArray[np.float32], float],
    *,
    replicates: int = 1000,
    seed: int = 20260,
) -> dict[str, Any]:
    """How much more unequal the first is than the second, with 95 % percentile intervals over draws of people.

    Matched adults of each label, a label's own pairs. ``to_lowest`` is the highest label's rate over the lowest's,
    ``to_mean`` over the geometric mean of all (ISO/IEC 19795-10:2024); each is given as first over second.
    Replicates in which a label has no false match say nothing of either and are counted.

    Args:
        people: who each sample shows.
        one, two: unit vectors (n, d) of the samples, and the threshold.
    """
    owners = np.unique(np.asarray(people), return_inverse=True)[1].reshape(-1)
    groups = sorted({sample.group for sample in samples})
    parts = [_pairs(samples, owners, group, (one, two)) for group in groups]
    rates = np.stack([_rates(part, np.ones((int(owners.max()) + 1, 1)))[..., 0] for part in parts])
    drawn = [
        np.stack([_rates(part, weights) for part in parts])
        for weights in draw_weights(int(owners.max()) + 1, replicates, seed)
    ]
    replicated = np.concatenate(drawn, axis=2)
    kept = (replicated > 0).all(axis=(0, 1))
    found: dict[str, Any] = {"replicates": replicates, "without_a_false_match": int((~kept).sum())}
    for name, measure in (("to_lowest", _to_lowest), ("to_mean", _to_mean)):
        value = measure(rates[..., None])[..., 0]
        found[name] = {"one": _number(value[0]), "two": _number(value[1]), "ratio": _number(value[0] / value[1])}
        if kept.sum() >= 100:
            ratios = measure(replicated[..., kept])
            low, high = np.quantile(ratios[0] / ratios[1], (0.025, 0.975))
            found[name]["ratio_interval"] = [float(low), float(high)]
    return found


def _pairs(
    samples: Sequence[Sample],
    owners: NDArray[np.int64],
    group: str,
    embedders: Sequence[tuple[NDArray[np.float32], float]],
) -> tuple[NDArray[np.int64], NDArray[np.float32], list[NDArray[np.float32]]]:
    """Owners of the members of a label, which of their pairs meet, and which of these each embedder accepts."""
    chosen = population("matched-adults", samples, group)
    mine = owners[chosen.members]
    meets = chosen.compatible[np.ix_(chosen.cells, chosen.cells)] & (mine[:, None] != mine[None, :])
    accepted = []
    for vectors, threshold in embedders:
        own = vectors[chosen.members]
        accepted.append((meets & (own @ own.T >= threshold)).astype(np.float32))
    return mine, meets.astype(np.float32), accepted


def _rates(
    part: tuple[NDArray[np.int64], NDArray[np.float32], list[NDArray[np.float32]]], weights: NDArray[np.float64]
) -> NDArray[np.float64]:
    """(embedders, replicates) false match rates under weights (people, replicates); a pair weighs their product."""
    mine, meets, accepted = part
    own = weights[mine].astype(np.float32)
    whole = (own * (meets @ own)).sum(axis=0, dtype=np.float64)
    return np.stack([(own * (each @ own)).sum(axis=0, dtype=np.float64) / whole for each in accepted])


def _to_lowest(rates: NDArray[np.float64]) -> NDArray[np.float64]:
    with np.errstate(divide="ignore"):
        return np.asarray(rates.max(axis=0) / rates.min(axis=0))


def _to_mean(rates: NDArray[np.float64]) -> NDArray[np.float64]:
    with np.errstate(divide="ignore"):
        return np.asarray(rates.max(axis=0) / np.exp(np.log(rates).mean(axis=0)))


def _number(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None
