"""Balance: weights that make cells count alike, or samples left out until they are alike. Nothing is deleted."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from samebody.lab.data.clean import quarantined
from samebody.lab.data.data_set import DataSet, Version
from samebody.lab.data.errors import TooFewError
from samebody.lab.data.manifest import Manifest, text

REASON = "balance.left_out"


@dataclass(frozen=True, slots=True)
class Balance:
    """How a version was balanced.

    Attributes:
        before, after: usable samples by cell; weights do not change them.
        effective: effective number of samples under the weights, (sum w)^2 / sum w^2 (Kish); the count when left out.
    """

    before: dict[str, int]
    after: dict[str, int]
    effective: float


def weights(manifest: Manifest, by: Sequence[str]) -> dict[str, float]:
    """Weight of each usable sample: the mean size of the cells over the size of its own, so that they sum to n."""
    usable = manifest.where(manifest.usable)
    cells = list(zip(*(usable[name].tolist() for name in by)))
    counts = Counter(cells)
    if not counts:
        raise TooFewError("no usable sample is left to balance.", hint="Look at `samebody data log`.")
    mean = len(usable) / len(counts)
    return {sample: mean / counts[cell] for sample, cell in zip(usable["sample"], cells)}


def left_out(manifest: Manifest, by: Sequence[str], seed: int, per_cell: int | None = None) -> set[str]:
    """Samples to leave out so that no cell has more than ``per_cell``, by default the size of the smallest."""
    usable = manifest.where(manifest.usable)
    members: dict[tuple[str, ...], list[str]] = {}
    for sample, cell in zip(usable["sample"], zip(*(usable[name].tolist() for name in by))):
        members.setdefault(cell, []).append(sample)
    if not members:
        raise TooFewError("no usable sample is left to balance.", hint="Look at `samebody data log`.")
    limit = per_cell or min(len(samples) for samples in members.values())
    random = np.random.default_rng(seed)
    out: set[str] = set()
    for cell in sorted(members):
        samples = members[cell]
        if len(samples) > limit:
            out |= {samples[place] for place in random.permutation(len(samples))[limit:].tolist()}
    return out


def balance(
    data_set: DataSet,
    by: Sequence[str],
    method: Literal["weights", "leave-out"] = "weights",
    *,
    per_cell: int | None = None,
    seed: int = 0,
    version: str | None = None,
) -> tuple[Version, Balance]:
    """Balance the usable samples of a version over the combinations of the columns ``by``, and commit.

    Raises:
        TooFewError: nothing to balance.
        ManifestError: there is no such column.
    """
    base = data_set.version(version)
    manifest = data_set.manifest(base)
    before = cell_counts(manifest, by)
    if method == "weights":
        found = weights(manifest, by)
        made_of = manifest.with_columns(
            weight=text(f"{found[name]:.6g}" if name in found else "" for name in manifest["sample"])
        )
        values = np.array(list(found.values()))
        effective = float(values.sum() ** 2 / (values**2).sum())
    else:
        out = left_out(manifest, by, seed, per_cell)
        made_of = quarantined(manifest, dict.fromkeys(out, (REASON,)), REASON)
        effective = float(made_of.usable.sum())
    after = cell_counts(made_of, by)
    options = {"by": list(by), "method": method, "per_cell": per_cell, "seed": seed}
    with data_set.writing():
        made = data_set.commit(
            made_of,
            "balance",
            options=options,
            figures={"cells": len(before), "samples": sum(after.values())},
            parents=[base.id],
        )
    return made, Balance(before, after, effective)


def cell_counts(manifest: Manifest, by: Sequence[str]) -> dict[str, int]:
    """Usable samples by cell, cells named by their values."""
    usable = manifest.where(manifest.usable)
    cells = zip(*(usable[name].tolist() for name in by))
    return dict(sorted(Counter(" / ".join(value or "unknown" for value in cell) for cell in cells).items()))
