"""The typed errors of explanations: functions that do not answer, models and pictures that cannot be explained."""

from __future__ import annotations

from samebody.errors import InputError, SamebodyError, UsageError


class ExplainInputError(InputError):
    """A picture, a map or a set of pictures cannot be explained or judged."""

    code = "explain.input"


class NoFaceError(ExplainInputError):
    """A picture shows no usable face, so nothing can be compared or explained."""

    code = "explain.no_face"


class ScoreFunctionError(SamebodyError):
    """The function that is explained did not answer with one finite number for each picture."""

    code = "explain.score_function"


class UnsupportedModelError(UsageError):
    """The record's contracts do not say how a single score comes out of a picture."""

    code = "explain.unsupported_model"
