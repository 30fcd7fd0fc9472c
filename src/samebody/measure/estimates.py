"""One way to put an interval on a share of trials: exact when they are independent, over people when they are not."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from samebody.measure.bootstrap import BootstrapOptions, subject_bootstrap
from samebody.measure.errors import EmptyClassError, InvalidRateError, checked_level
from samebody.measure.intervals import RateEstimate, binomial_interval, zero_error_bound
from samebody.measure.labels import checked_flags


def independent_rate(errors: int, trials: int, level: float = 0.95, *, subjects: int | None = None) -> RateEstimate:
    """``errors / trials`` with its exact binomial interval, for trials that share nobody.

    Without an error, and when every trial is one, the interval ends in the one-sided exact bound (rule of 3).

    Args:
        errors, trials: counts.
        level: of confidence.
        subjects: who took part; None where every trial is another subject.

    Raises:
        EmptyClassError: no trials.
        InvalidRateError: errors outside 0..trials, or a level outside (0, 1).
    """
    checked_level(level)
    if trials < 1:
        raise EmptyClassError("there are no trials.", hint="A rate over no trials has no value.")
    if not 0 <= errors <= trials:
        raise InvalidRateError(f"errors lie in 0..{trials}, got {errors}.")
    if errors == 0:
        interval = (0.0, zero_error_bound(trials, level))
    elif errors == trials:
        interval = (1.0 - zero_error_bound(trials, level), 1.0)
    else:
        interval = binomial_interval(errors, trials, level)
    return RateEstimate(
        rate=errors / trials,
        errors=int(errors),
        trials=int(trials),
        subjects=int(trials if subjects is None else subjects),
        interval=interval,
        effective_trials=float(trials),
        effective_errors=float(errors),
        level=level,
        method="exact binomial",
        replicates=0,
    )


def estimate_rate(
    is_error: ArrayLike, subjects: ArrayLike | None = None, options: BootstrapOptions | None = None
) -> RateEstimate:
    """A share of trials with its interval: over people where ``subjects`` are given, exact binomial otherwise.

    Args:
        is_error: (n,) bool.
        subjects: (n,) who each trial belongs to; None states that the trials are independent.
        options: replicates, seed, level.

    Raises:
        EmptyClassError: no trial.
        InvalidScoresError: lengths differ.
    """
    options = options or BootstrapOptions()
    wrong = checked_flags(is_error, None, "outcomes")
    if subjects is None:
        return independent_rate(int(np.count_nonzero(wrong)), int(wrong.size), options.level)
    return subject_bootstrap(subjects, wrong, options)
