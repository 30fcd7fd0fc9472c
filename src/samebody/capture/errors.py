"""Typed errors of the capture room: one stable code for each way in which an input cannot be used."""

from __future__ import annotations

from samebody.errors import InputError, ResourceError, StorageError


class CaptureError(InputError):
    """Base of everything that is wrong with a picture or video as a file."""

    code = "capture.unusable"


class EmptyInputError(CaptureError):
    """The input holds no byte at all."""

    code = "capture.empty"


class NoSuchFileError(CaptureError):
    """The path names nothing, or something that is not a regular file (folder, device, pipe)."""

    code = "capture.no_such_file"


class UnreadableFileError(StorageError):
    """The file is there but the system does not let us read it."""

    code = "capture.unreadable_file"


class TooManyBytesError(CaptureError):
    """The encoded input is larger than the limit; nothing was decoded."""

    code = "capture.too_many_bytes"


class NotAPictureError(CaptureError):
    """The bytes are of another type (document, archive, text, video ...) or of none that is known."""

    code = "capture.not_a_picture"


class NotAVideoError(CaptureError):
    """The bytes are no video."""

    code = "capture.not_a_video"


class UnsupportedFormatError(CaptureError):
    """A picture, but of a format or variant that is not read."""

    code = "capture.unsupported_format"


class TruncatedError(CaptureError):
    """The file ends before its picture or video does."""

    code = "capture.truncated"


class CorruptError(CaptureError):
    """The file contradicts its own format, or its decoder gave up."""

    code = "capture.corrupt"


class PolyglotError(CaptureError):
    """The file is a picture and something else at the same time."""

    code = "capture.polyglot"


class AnimatedError(CaptureError):
    """One picture was asked for and the file holds several (animation, pages)."""

    code = "capture.animated"


class ZeroSizeError(CaptureError):
    """The header gives a width or height of 0."""

    code = "capture.zero_size"


class TooSmallError(CaptureError):
    """The picture has too few pixels to hold anything, such as a 1-pixel tracking image."""

    code = "capture.too_small"


class TooManyPixelsError(CaptureError):
    """The header claims more pixels than the limit; refused before memory was reserved."""

    code = "capture.too_many_pixels"


class TooComplexError(CaptureError):
    """The file is built so that decoding costs far more than its size (scans without end)."""

    code = "capture.too_complex"


class TooManyFramesError(CaptureError):
    """The video has more frames than the limit."""

    code = "capture.too_many_frames"


class TooLongError(CaptureError):
    """The video is longer than the limit."""

    code = "capture.too_long"


class DecoderNotInstalledError(ResourceError):
    """The format is known, its decoder is an extra that is not installed."""

    code = "capture.decoder_not_installed"


class OutOfMemoryError(ResourceError):
    """Decoding needs more memory than there is, though the picture is within the limits."""

    code = "capture.out_of_memory"
