"""The typed errors of the match room."""

from __future__ import annotations

from samebody.errors import InputError, UsageError


class InvalidTemplateError(InputError):
    """A template is not a unit vector of finite numbers, so no score of it would mean anything."""

    code = "match.invalid_template"


class RecordMismatchError(UsageError):
    """A comparison is to be judged by the operating points of a model that did not make its templates."""

    code = "match.record_mismatch"
