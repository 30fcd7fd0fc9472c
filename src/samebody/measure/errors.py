"""The typed errors of the measuring stick: scores that cannot be measured, and figures the data cannot carry."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from samebody.errors import InputError, NotMeasuredError, ResourceError


class EmptyClassError(InputError):
    """A rate was asked of no comparisons at all: it has no value, and 0 would be a lie."""

    code = "measure.empty_class"


class InvalidScoresError(InputError):
    """Scores are not finite numbers, or arrays that belong together differ in length."""

    code = "measure.invalid_scores"


class InvalidRateError(InputError):
    """An error rate, confidence level or discard limit is out of its range."""

    code = "measure.invalid_rate"


class TailTooShortError(NotMeasuredError):
    """The kept tail of scores does not reach down to the rank that the error rate needs."""

    code = "measure.tail_too_short"


class TailFitError(NotMeasuredError):
    """The tail of the scores does not follow the model that an extrapolation would rest on."""

    code = "measure.tail_fit"


class ExtrapolationRefusedError(NotMeasuredError):
    """The error rate lies more than 100 times beyond what was measured."""

    code = "measure.extrapolation_refused"


class KernelMissingError(ResourceError):
    """A compiled kernel was asked for by name, and what it needs is not installed."""

    code = "measure.kernel_missing"


class TooManyScoresError(ResourceError):
    """What was asked to be kept of the scores does not fit into bounded memory."""

    code = "measure.too_many_scores"


class CalibrationError(NotMeasuredError):
    """Scores cannot be turned into log-likelihood ratios: no finite fit, or distances instead of similarities."""

    code = "measure.calibration"


class SubjectLeakageError(InputError):
    """The same person stands in the set that something was fitted on and in the set that judges it."""

    code = "measure.subject_leakage"


def checked_scores(scores: ArrayLike, kind: str, *, allow_empty: bool = False) -> NDArray[np.floating]:
    """``scores`` as a one-dimensional float array in their own dtype (integers become float64).

    Raises:
        InvalidScoresError: not one-dimensional, not numbers, NaN or infinite.
        EmptyClassError: no score, unless ``allow_empty``.
    """
    array = np.asarray(scores)
    if array.ndim != 1:
        raise InvalidScoresError(f"{kind} scores must be one-dimensional, got shape {array.shape}.")
    if array.size == 0:
        if allow_empty:
            return np.empty(0, dtype=np.float64)
        raise EmptyClassError(f"there are no {kind} scores.", hint="A rate over no comparisons has no value.")
    if array.dtype.kind in "iub":
        array = array.astype(np.float64)
    if array.dtype.kind != "f":
        raise InvalidScoresError(f"{kind} scores must be numbers, got dtype {array.dtype}.")
    bad = int(array.size - np.count_nonzero(np.isfinite(array)))
    if bad:
        raise InvalidScoresError(
            f"{bad} of {array.size} {kind} scores are NaN or infinite.",
            hint="Count failed comparisons as failures to acquire, not as scores.",
        )
    return array


def checked_level(level: float) -> float:
    """``level`` of confidence, strictly between 0 and 1.

    Raises:
        InvalidRateError: otherwise.
    """
    if not 0.0 < level < 1.0:
        raise InvalidRateError(f"a confidence level lies strictly between 0 and 1, got {level}.")
    return level
