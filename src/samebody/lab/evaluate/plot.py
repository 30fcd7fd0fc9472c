"""One figure of a result: score distributions and DET on probit axes, drawn with matplotlib when that is installed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.special import ndtri

from samebody.lab.evaluate.errors import optional
from samebody.measure import zero_error_bound

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from samebody.lab.evaluate.results import VerificationResult

_TICKS = (1e-7, 1e-6, 1e-5, 1e-4, 1e-3, 1e-2, 0.05, 0.2, 0.5)


def draw(result: VerificationResult) -> Figure:
    """Two panels: distributions of mated and non-mated scores, and the DET curve with the thresholds of the table.

    A zero rate is drawn as its exact upper 95 % bound, with a hollow mark.

    Raises:
        MissingExtraError: matplotlib is not installed.
    """
    figure: Figure = optional("matplotlib.figure", "a plot").Figure(figsize=(11, 4.5), layout="constrained")
    left, right = figure.subplots(1, 2)
    for name, histogram in result.histograms.items():
        density = np.asarray(histogram.counts, dtype=np.float64) / max(histogram.total, 1)
        left.stairs(density, histogram.edges, label=name.replace("_", "-"), fill=True, alpha=0.5)
    for row in result.thresholds:
        left.axvline(row.value, linewidth=0.8, linestyle=":", color="black")
    left.set(xlabel="score", ylabel="share of comparisons", title=result.algorithm.label)
    left.legend()
    _det(right, result)
    return figure


def _det(axes: Any, result: VerificationResult) -> None:
    counts = result.counts
    if result.det is not None and counts.mated and counts.non_mated:
        least = zero_error_bound(counts.non_mated), zero_error_bound(counts.mated)
        fmr, fnmr = np.asarray(result.det.fmr), np.asarray(result.det.fnmr)
        shown = (np.maximum(fmr, least[0]), np.maximum(fnmr, least[1]))
        axes.plot(ndtri(np.minimum(shown[0], 0.999)), ndtri(np.minimum(shown[1], 0.999)), linewidth=1.2)
        for row in result.thresholds:
            if row.fnmr is None:
                continue
            x, y = max(row.fmr.rate, least[0]), max(row.fnmr.rate, least[1])
            seen = row.fmr.estimable and row.fnmr.estimable
            axes.plot(ndtri(min(x, 0.999)), ndtri(min(y, 0.999)), "o", color="C3", fillstyle="full" if seen else "none")
    axes.set_xticks(ndtri(_TICKS), [f"{tick:g}" for tick in _TICKS], rotation=45)
    axes.set_yticks(ndtri(_TICKS), [f"{tick:g}" for tick in _TICKS])
    axes.set(xlabel="FMR", ylabel="FNMR", title=f"DET, {result.dataset.name}")
    axes.grid(visible=True, linewidth=0.4)
