"""Inequity between groups at one threshold, from the rows of a verification."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from samebody.lab.evaluate.results import CrossGroup, Fairness, GroupRow, ThresholdRow
from samebody.measure.demographics import DemographicRates, Differential, gini
from samebody.measure.demographics import GroupRates as MeasuredGroup


def fairness_at(
    groups: Sequence[GroupRow], rows: Sequence[ThresholdRow], matrix: CrossGroup, alpha: float
) -> Fairness | None:
    """All inequity figures at one threshold; with non-mated comparisons only, those of the false match rate."""
    place = next(number for number, row in enumerate(rows) if row.value == matrix.value and row.target == matrix.target)
    at = [(group.name, group.rates[place]) for group in groups]
    with_fmr = [(name, rate) for name, rate in at if rate.fmr is not None]
    both = [(name, rate) for name, rate in with_fmr if rate.fnmr is not None]
    figures: dict[str, float | None] = {}
    notes: list[str] = []
    if len(both) >= 2:
        measured = DemographicRates(
            threshold=matrix.value,
            threshold_source=rows[place].source,
            groups=tuple(MeasuredGroup(name, rate.fmr, rate.fnmr) for name, rate in both),
            cross_trials=np.asarray(matrix.trials),
            cross_errors=np.asarray(matrix.errors),
        ).differentials(alpha)
        for key in (
            "fmr_max_over_geometric_mean",
            "fnmr_max_over_geometric_mean",
            "fmr_max_over_min",
            "fnmr_max_over_min",
            "inequity_rate",
            "garbe",
            "fdr",
        ):
            figure: Differential = getattr(measured, key)
            figures[key] = figure.value if figure.estimable else None
            if not figure.estimable:
                notes.append(f"{key} is not estimable; between {figure.low:.3g} and {figure.high:.3g}")
        for kind, empty in (("FMR", measured.zero_fmr), ("FNMR", measured.zero_fnmr)):
            if empty:
                notes.append(f"{kind} not estimable (no error seen): {', '.join(map(str, empty))}")
        left = [name for name, _ in at if name not in {known for known, _ in both}]
        if left:
            notes.append(f"left out, without mated or non-mated comparisons: {', '.join(left)}")
        return Fairness(matrix.target, matrix.value, alpha, figures, tuple(name for name, _ in both), tuple(notes))
    if len(with_fmr) < 2:
        return None
    rates = np.array([rate.fmr.rate for _, rate in with_fmr if rate.fmr is not None])
    zero = [name for name, rate in with_fmr if rate.fmr is not None and not rate.fmr.estimable]
    seen = not zero
    figures = {
        "fmr_max_over_geometric_mean": float(rates.max() / np.exp(np.log(rates).mean())) if seen else None,
        "fmr_max_over_min": float(rates.max() / rates.min()) if seen else None,
        "fmr_gini": gini(rates) if seen else None,
    }
    notes.append("no mated comparisons by group: figures of FNMR, and those that need both rates, are not given")
    if zero:
        notes.append(f"FMR not estimable (no error seen): {', '.join(zero)}")
    return Fairness(matrix.target, matrix.value, alpha, figures, tuple(name for name, _ in with_fmr), tuple(notes))
