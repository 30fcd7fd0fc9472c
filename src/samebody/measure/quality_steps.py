"""What a quality measure is worth, as tables: error versus discard at several limits, and error rate by quality."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from samebody.measure.bootstrap import BootstrapOptions
from samebody.measure.discard import DiscardCurve, error_versus_discard, fnmr_threshold
from samebody.measure.errors import InvalidRateError, InvalidScoresError, checked_scores
from samebody.measure.estimates import estimate_rate
from samebody.measure.intervals import RateEstimate
from samebody.measure.labels import checked_labels


@dataclass(frozen=True, slots=True)
class PartialArea:
    """The area under an error-versus-discard curve up to one limit, as a mean error rate.

    Attributes:
        limit: share discarded at most.
        area: of the quality measure.
        ideal: of an oracle that discards the errors first.
        useless: of discarding at random, ``errors / pairs``.
        gain: ``(useless - area) / (useless - ideal)``: 1 is the oracle, 0 is chance, below 0 is harm; NaN without an
            error to discard.
    """

    limit: float
    area: float
    ideal: float
    useless: float
    gain: float


@dataclass(frozen=True, slots=True, eq=False)
class DiscardReport:
    """Error versus discard from one starting error rate.

    Attributes:
        start: false non-match rate asked for at the start.
        curve: step curve, threshold and counts.
        areas: one entry for each limit.
    """

    start: float
    curve: DiscardCurve
    areas: tuple[PartialArea, ...]


def rate_at(curve: DiscardCurve, fraction: ArrayLike) -> NDArray[np.float64]:
    """The step curve read at discarded shares: the rate of the last step at or before each of them.

    Raises:
        InvalidRateError: a share outside [0, 1).
    """
    wanted = np.asarray(fraction, dtype=np.float64)
    if np.any((wanted < 0) | (wanted >= 1)):
        raise InvalidRateError("a discarded share lies in [0, 1).")
    return np.asarray(curve.rates[np.searchsorted(curve.fractions, wanted, side="right") - 1], dtype=np.float64)


def discard_reports(
    mated: ArrayLike,
    quality_a: ArrayLike,
    quality_b: ArrayLike,
    *,
    starts: Sequence[float] = (0.1, 0.05, 0.01),
    limits: Sequence[float] = (0.05, 0.1, 0.2, 1.0),
) -> tuple[DiscardReport, ...]:
    """Error-versus-discard curves of false non-matches from several starting rates, with partial areas at several
    limits.

    Sources: P. Grother, E. Tabassi, IEEE TPAMI 29 (2007); T. Schlett et al., "Considerations on the Evaluation of
    Biometric Quality Assessment Algorithms", 2023; ISO/IEC 29794-1.

    Args:
        mated: (n,) scores.
        quality_a, quality_b: (n,) quality of the two samples; higher is better; the pair has the lower one.
        starts: false non-match rates at which nothing is discarded yet, each in [0, 1).
        limits: shares discarded at most, each in (0, 1].

    Raises:
        EmptyClassError, InvalidScoresError, InvalidRateError.
    """
    reports = []
    for start in starts:
        curve = error_versus_discard(mated, quality_a, quality_b, fnmr_threshold(mated, start))
        reports.append(DiscardReport(start, curve, tuple(_area(curve, limit) for limit in limits)))
    return tuple(reports)


def _area(curve: DiscardCurve, limit: float) -> PartialArea:
    area, ideal, useless = curve.partial_area(limit), curve.ideal_partial_area(limit), curve.errors / curve.pairs
    gain = (useless - area) / (useless - ideal) if useless > ideal else float("nan")
    return PartialArea(limit, area, ideal, useless, gain)


@dataclass(frozen=True, slots=True)
class QualityStep:
    """The error rate of the pairs in one range of quality.

    Attributes:
        low, high: ``low <= quality < high``; the last step includes its ``high``.
        rate: None where no pair lies in the range.
    """

    low: float
    high: float
    rate: RateEstimate | None


def error_by_quality(
    scores: ArrayLike,
    quality_a: ArrayLike,
    quality_b: ArrayLike,
    threshold: float,
    *,
    edges: Sequence[float] = tuple(range(0, 101, 10)),
    kind: Literal["fnmr", "fmr"] = "fnmr",
    subjects: ArrayLike | None = None,
    options: BootstrapOptions | None = None,
) -> tuple[QualityStep, ...]:
    """FNMR (or FMR) of the pairs in each range of pair quality at a fixed threshold. Source: ISO/IEC 29794-1.

    Args:
        scores: (n,) mated scores for ``fnmr``, non-mated ones for ``fmr``.
        quality_a, quality_b: (n,) quality of the two samples; the pair has the lower one.
        threshold: accept when ``score >= threshold``.
        edges: rising; every pair must lie within the first and the last.
        kind: which error.
        subjects: (n,) who, for intervals over people.
        options: of the bootstrap.

    Raises:
        EmptyClassError, InvalidScoresError: no score, lengths differ, or a quality outside the edges.
        InvalidRateError: edges that do not rise, or an unknown kind.
    """
    values = checked_scores(scores, "these")
    one, two = checked_scores(quality_a, "quality"), checked_scores(quality_b, "quality")
    if not values.shape == one.shape == two.shape:
        raise InvalidScoresError(f"{values.size} scores and {one.size} and {two.size} qualities do not pair up.")
    quality, highest = np.minimum(one, two), float(max(one.max(), two.max()))
    if kind not in ("fnmr", "fmr"):
        raise InvalidRateError(f"there is no error kind {kind!r}.")
    limits = np.asarray(edges, dtype=np.float64)
    if limits.ndim != 1 or limits.size < 2 or np.any(np.diff(limits) <= 0):
        raise InvalidRateError("edges of quality must rise, and there must be at least two.")
    if quality.min() < limits[0] or highest > limits[-1]:
        raise InvalidScoresError(
            f"quality lies in {quality.min():g}..{highest:g}, outside the edges {limits[0]:g}..{limits[-1]:g}."
        )
    who = None if subjects is None else np.asarray(subjects)
    if who is not None:
        checked_labels(who, values.size, "subject")
    wrong = values < np.float64(threshold) if kind == "fnmr" else values >= np.float64(threshold)
    step = np.minimum(np.searchsorted(limits, quality, side="right") - 1, limits.size - 2)
    found = []
    for number in range(limits.size - 1):
        rows = np.flatnonzero(step == number)
        rate = estimate_rate(wrong[rows], None if who is None else who[rows], options) if rows.size else None
        found.append(QualityStep(float(limits[number]), float(limits[number + 1]), rate))
    return tuple(found)
