"""The typed errors of the iris room: what makes a template unusable, or two templates not comparable."""

from __future__ import annotations

from samebody.errors import ConfigError, InputError, ResourceError, UsageError


class InvalidIrisTemplateError(InputError):
    """The arrays handed over do not make an iris template (shape, dtype, eye label)."""

    code = "iris.invalid_template"


class IrisTemplateFormatError(InputError):
    """Bytes are no iris template, or one that was cut or altered."""

    code = "iris.bad_template"


class IrisTemplateVersionError(InputError):
    """The bytes were written by a newer version of the template format."""

    code = "iris.template_too_new"


class OpenIrisFormatError(InputError):
    """A JSON document is no open-iris template that can be taken over."""

    code = "iris.bad_open_iris"


class EyeMismatchError(UsageError):
    """A left and a right eye are to be compared; two eyes of one person are as different as two persons."""

    code = "iris.eye_mismatch"


class TooFewBitsError(InputError):
    """Two templates share too few usable bits for a score to mean anything."""

    code = "iris.too_few_bits"


class UnusableFramesError(InputError):
    """No template could be made of several frames of one eye; the message says why each frame was left out."""

    code = "iris.unusable_frames"


class IrisNotMeasuredError(ResourceError):
    """No record holds operating points for the space the templates live in."""

    code = "iris.no_record"


class InvalidSegmentationError(InputError):
    """A segmenter handed back contours or masks that no iris can have."""

    code = "iris.invalid_segmentation"


class InvalidEyeImageError(InputError):
    """The pixels handed over are no picture: wrong shape or dtype, or too small to hold an eye."""

    code = "iris.invalid_image"


class IrisPipelineError(ConfigError):
    """A pipeline file has mistakes; the message names all of them."""

    code = "iris.pipeline_invalid"
