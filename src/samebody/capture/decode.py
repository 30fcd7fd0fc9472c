"""Decode one picture into upright sRGB pixels, refusing what is not a plain picture before memory is reserved.

One decoder (Pillow) for every format: on 12 million pixels it takes about 1.3 times as long as OpenCV's with the same
pixels, but it raises where OpenCV prints to standard error and returns half a picture (docs/adr/0030).
"""

from __future__ import annotations

import contextlib
import ctypes
import hashlib
import importlib
import io
import logging
import warnings
from collections.abc import Callable
from functools import partial
from pathlib import Path

import cv2
import numpy as np
from PIL import Image as PillowImage
from PIL import ImageFile, JpegImagePlugin, PngImagePlugin, TiffImagePlugin, WebPImagePlugin

from samebody.capture import container as containers
from samebody.capture import errors, isobmff, jpeg, png, tiff, webp
from samebody.capture.colour import to_srgb
from samebody.capture.container import Container
from samebody.capture.extras import open_avif, open_heic
from samebody.capture.sniff import EXTRA_PICTURES, OTHER_PICTURES, VIDEOS, sniff
from samebody.capture.source import read_bytes
from samebody.config import Limits
from samebody.types import Evidence, Image, Pixels, SourceInfo

# Pillow reports oddities of a file as Python warnings. What matters of them is a typed error here, and the rest would
# only clutter the caller's standard error. Set once: changing filters per call is not safe with several threads.
warnings.filterwarnings("ignore", module=r"PIL\..*")


def _mute_tags() -> None:
    """Keep Pillow from logging the values of a picture's tags at DEBUG: where and by whom it was taken."""
    for name in ("PIL.TiffImagePlugin", "PIL.PngImagePlugin"):
        logging.getLogger(name).addFilter(lambda record: record.levelno > logging.DEBUG)


_mute_tags()


def _mute_libtiff() -> None:
    """Keep libtiff from printing its errors: Pillow mutes its warnings only, and reports errors by itself anyway.

    The handler is looked up through Pillow's own extension module, so that it is that of the library Pillow uses.
    """
    with contextlib.suppress(OSError, AttributeError, TypeError):
        library = ctypes.CDLL(importlib.import_module("PIL._imaging").__file__)
        library.TIFFSetErrorHandler.argtypes = (ctypes.c_void_p,)
        library.TIFFSetErrorHandler.restype = ctypes.c_void_p
        library.TIFFSetErrorHandler(None)


_mute_libtiff()

_WALKERS: dict[str, Callable[[bytes], Container]] = {
    "jpeg": jpeg.walk,
    "png": png.walk,
    "webp": webp.walk,
    "tiff": tiff.walk,
    "heic": partial(isobmff.walk, kind="heic"),
    "avif": partial(isobmff.walk, kind="avif"),
}
# The plug-in of the sniffed format and no other: Pillow's own choice would try some forty of them.
_OPENERS: dict[str, Callable[[io.BytesIO], PillowImage.Image]] = {
    "jpeg": JpegImagePlugin.JpegImageFile,
    "png": PngImagePlugin.PngImageFile,
    "webp": WebPImagePlugin.WebPImageFile,
    "tiff": TiffImagePlugin.TiffImageFile,
    "heic": open_heic,
    "avif": open_avif,
}


MAX_SCAN_WORK = 2_000_000_000
"""Pixels times scans of a progressive picture: 100 million pixels with twenty scans, about a minute of work."""


def decode_image(
    source: bytes | bytearray | Path | str,
    *,
    limits: Limits | None = None,
    role: str = "image",
    max_side: int | None = None,
) -> Image:
    """Decode a JPEG, PNG, WebP or TIFF picture; HEIC and AVIF when their decoder is installed.

    EXIF orientation is applied, an embedded colour profile and CMYK are converted to sRGB, transparency is flattened
    on white, 16 bits per channel are reduced to 8, greyscale and palettes are expanded. Nothing of the file but
    :class:`SourceInfo` survives.

    Args:
        source: the encoded bytes, or the path of a regular file.
        limits: bounds on bytes and pixels; defaults of :class:`Limits`.
        role: what the picture is for; becomes part of the evidence's id.
        max_side: when given, the picture is reduced so that its longer side has at most so many pixels. JPEG then is
            decoded at a fraction of its size. The default keeps every pixel.

    Returns:
        Pixels of shape (height, width, 3) uint8 RGB, what the file said about itself, and an evidence reference.

    Raises:
        CaptureError: a subclass with its own code for each way in which the input is unusable.
        DecoderNotInstalledError: HEIC or AVIF without its decoder.
        UnreadableFileError, OutOfMemoryError: faults of the system.
    """
    limits = limits or Limits()
    data = read_bytes(source, limits.max_bytes)
    kind = _picture_kind(data)
    container = _walk(kind, data)
    _check_size(container.width, container.height, limits)
    if container.scans * container.width * container.height > MAX_SCAN_WORK:
        raise errors.TooComplexError(
            f"The picture has {container.scans} scans over {container.width}x{container.height} pixels.",
            hint="Save it as an ordinary JPEG.",
        )
    containers.refuse_polyglot(data, container)
    try:
        pixels, info = _decode(data, container, limits, max_side)
    except (errors.CaptureError, errors.DecoderNotInstalledError):
        raise
    except MemoryError:
        raise errors.OutOfMemoryError(
            f"There is not enough memory for {container.width}x{container.height} pixels.",
            hint="Lower limits.max_pixels or give the process more memory.",
        ) from None
    except Exception as error:  # decoders raise whatever they like on broken files; which one does not matter
        raise _undecodable(container.format, error) from None
    digest = hashlib.sha256(data).hexdigest()
    return Image(pixels, info, Evidence(id=f"{role}:{digest[:16]}", role=role))


def _picture_kind(data: bytes) -> str:
    """The format to decode, by the first bytes."""
    kind = sniff(data)
    if kind in _OPENERS:
        return kind
    if kind == "gif" and data.count(b"\x21\xf9\x04") > 1:
        raise errors.AnimatedError("The GIF file is animated.", hint="Send a single picture as JPEG or PNG.")
    if kind in OTHER_PICTURES:
        raise errors.UnsupportedFormatError(
            f"Pictures of the format {kind} are not read.", hint="Send JPEG, PNG, WebP or TIFF."
        )
    if kind in VIDEOS:
        raise errors.NotAPictureError("The input is a video.", hint="Send a single picture.")
    if _is_cut_magic(data):
        raise errors.TruncatedError("The picture ends within its first bytes.", hint="Send the file again.")
    what = f"is of the type {kind}" if kind else "is of no type that is known"
    raise errors.NotAPictureError(f"The input {what}.", hint="Send JPEG, PNG, WebP or TIFF.")


def _is_cut_magic(data: bytes) -> bool:
    whole = (b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", b"II*\x00", b"MM\x00*")
    return len(data) > 1 and any(magic.startswith(data) for magic in whole)


def _walk(kind: str, data: bytes) -> Container:
    try:
        return _WALKERS[kind](data)
    except (IndexError, ValueError, OverflowError) as error:
        raise _undecodable(kind, error) from None


def _check_size(width: int, height: int, limits: Limits) -> None:
    if width == 0 or height == 0:
        raise errors.ZeroSizeError(f"The picture claims {width}x{height} pixels.", hint="Send the file again.")
    if width * height > limits.max_pixels:
        raise errors.TooManyPixelsError(
            f"The picture claims {width}x{height} pixels, the limit is {limits.max_pixels:,}.",
            hint="Send a smaller picture.",
        )
    if min(width, height) < limits.min_side:
        raise errors.TooSmallError(
            f"The picture has {width}x{height} pixels; its shorter side needs {limits.min_side} at least.",
            hint="Send the picture in its original size.",
        )


def _decode(data: bytes, container: Container, limits: Limits, max_side: int | None) -> tuple[Pixels, SourceInfo]:
    picture = _OPENERS[container.format](io.BytesIO(data))
    if container.format in EXTRA_PICTURES:
        _check_size(*picture.size, limits)
        orientation = int(picture.getexif().get(tiff.ORIENTATION, 1))
        directory = tiff.read_exif(picture.info.get("exif", b"").removeprefix(b"Exif\x00\x00"))
    else:
        stored = (container.width, container.height)
        turned_already = container.format == "tiff"  # Pillow turns TIFF pictures by itself
        if picture.size != stored and not (turned_already and picture.size == stored[::-1]):
            raise errors.CorruptError("The picture contradicts itself about its size.")
        directory = tiff.read_exif(container.exif)
        orientation = directory.number(tiff.ORIENTATION, 1) if directory else 1
    orientation = orientation if 1 <= orientation <= 8 else 1
    colour = picture.mode
    if max_side is not None and container.format == "jpeg" and isinstance(picture, ImageFile.ImageFile):
        scale = min(1.0, max_side / max(picture.size))
        picture.draft(None, (int(picture.width * scale), int(picture.height * scale)))
    pixels, had_alpha, had_profile = to_srgb(picture, container)
    camera = " ".join(filter(None, (directory.text(tiff.MAKE), directory.text(tiff.MODEL)))) if directory else ""
    info = SourceInfo(
        format=container.format,
        byte_count=len(data),
        width=container.width,
        height=container.height,
        orientation=orientation,
        colour=colour,
        bit_depth=container.bit_depth,
        had_alpha=had_alpha,
        had_profile=had_profile,
        jpeg_quality=container.jpeg_quality,
        software=directory.text(tiff.SOFTWARE) if directory else None,
        camera=camera or None,
    )
    return upright(_reduce(pixels, max_side), 1 if container.format == "tiff" else orientation), info


def _reduce(pixels: Pixels, max_side: int | None) -> Pixels:
    height, width = pixels.shape[:2]
    if max_side is None or max(height, width) <= max_side:
        return pixels
    scale = max_side / max(height, width)
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    return np.asarray(cv2.resize(pixels, size, interpolation=cv2.INTER_AREA), np.uint8)


def upright(pixels: Pixels, orientation: int) -> Pixels:
    """``pixels`` with the EXIF orientation 1-8 applied (Exif 2.32, tag 274)."""
    if orientation in (5, 6):
        pixels = np.asarray(cv2.rotate(pixels, cv2.ROTATE_90_CLOCKWISE), np.uint8)
    elif orientation in (7, 8):
        pixels = np.asarray(cv2.rotate(pixels, cv2.ROTATE_90_COUNTERCLOCKWISE), np.uint8)
    elif orientation == 3:
        pixels = np.asarray(cv2.rotate(pixels, cv2.ROTATE_180), np.uint8)
    elif orientation == 4:
        pixels = np.asarray(cv2.flip(pixels, 0), np.uint8)
    if orientation in (2, 5, 7):
        pixels = np.asarray(cv2.flip(pixels, 1), np.uint8)
    return pixels


def _undecodable(kind: str, error: Exception) -> errors.CaptureError:
    if "truncated" in str(error):
        return errors.TruncatedError(f"The {kind} picture ends before its pixels.", hint="Send the file again.")
    return errors.CorruptError(f"The {kind} picture cannot be decoded.", hint="Send the file again or save it anew.")
