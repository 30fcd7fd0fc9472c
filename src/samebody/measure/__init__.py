"""The measuring stick: scores in, figures out. Nothing here knows a model, a picture or a threshold of its own."""

from __future__ import annotations

from samebody.measure.all_pairs import PairScores, score_pairs
from samebody.measure.bootstrap import (
    BootstrapOptions,
    CellPairs,
    ListedPairs,
    PairGraph,
    draw_weights,
    subject_bootstrap,
    vertex_bootstrap,
)
from samebody.measure.discard import DiscardCurve, error_versus_discard, fnmr_threshold
from samebody.measure.errors import (
    EmptyClassError,
    ExtrapolationRefusedError,
    InvalidRateError,
    InvalidScoresError,
    TailFitError,
    TailTooShortError,
)
from samebody.measure.histogram import ScoreHistogram, score_histogram
from samebody.measure.intervals import (
    INDICATIVE_BELOW,
    RateEstimate,
    binomial_interval,
    upper_bound,
    zero_error_bound,
)
from samebody.measure.rates import (
    DetCurve,
    EqualErrorRate,
    Threshold,
    TransactionRates,
    allowed_errors,
    det_curve,
    equal_error_rate,
    fmr,
    fnmr,
    threshold_at_fmr,
    threshold_from_tail,
    transaction_rates,
)
from samebody.measure.tail import ExtrapolatedThreshold, ParetoTail, extrapolate_threshold, fit_tail

__all__ = [
    "INDICATIVE_BELOW",
    "BootstrapOptions",
    "CellPairs",
    "DetCurve",
    "DiscardCurve",
    "EmptyClassError",
    "EqualErrorRate",
    "ExtrapolatedThreshold",
    "ExtrapolationRefusedError",
    "InvalidRateError",
    "InvalidScoresError",
    "ListedPairs",
    "PairGraph",
    "PairScores",
    "ParetoTail",
    "RateEstimate",
    "ScoreHistogram",
    "TailFitError",
    "TailTooShortError",
    "Threshold",
    "TransactionRates",
    "allowed_errors",
    "binomial_interval",
    "det_curve",
    "draw_weights",
    "equal_error_rate",
    "error_versus_discard",
    "extrapolate_threshold",
    "fit_tail",
    "fmr",
    "fnmr",
    "fnmr_threshold",
    "score_histogram",
    "score_pairs",
    "subject_bootstrap",
    "threshold_at_fmr",
    "threshold_from_tail",
    "transaction_rates",
    "upper_bound",
    "vertex_bootstrap",
    "zero_error_bound",
]
