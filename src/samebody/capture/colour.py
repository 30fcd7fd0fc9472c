"""Bring whatever colours a decoded picture has to 8-bit sRGB on white."""

from __future__ import annotations

import io
import itertools

import cv2
import numpy as np
from PIL import Image as PillowImage
from PIL import ImageChops, ImageCms

from samebody.capture import errors
from samebody.capture.container import Container
from samebody.types import Pixels

_STRIP_BYTES = 1 << 19  # copied in strips that stay in cache: 31 ms instead of 52 ms for 12 million pixels
_SMALL_BYTES = 4 << 20  # below this the plain copy is the faster one: 0.6 ms instead of 1.5 ms for 900x700 pixels
_MAX_PROFILE_BYTES = 4 << 20
_PROFILE_SPACES = {"RGB ": "RGB", "GRAY": "L", "CMYK": "CMYK"}
_ALPHA_MODES = frozenset({"RGBA", "LA", "PA", "La", "RGBa"})
_SAME = 1  # levels of 255 by which a profile may differ from sRGB and still be sRGB


def to_srgb(picture: PillowImage.Image, container: Container) -> tuple[Pixels, bool, bool]:
    """Pixels (height, width, 3) uint8 RGB of ``picture``, whether it had transparency, whether a profile was converted.

    Raises:
        UnsupportedFormatError: a colour model that photographs do not have (floating point, 32-bit, Lab).
    """
    transparency = picture.info.get("transparency")
    if picture.mode.startswith("I;16") or (picture.mode == "I" and container.bit_depth == 16):
        return _from_16_bit(picture, container, transparency), transparency is not None, False
    if picture.mode in ("I", "F", "LAB", "HSV"):
        raise errors.UnsupportedFormatError(
            f"The picture has the colour model {picture.mode}.", hint="Save it as an ordinary RGB picture."
        )
    profile = picture.info.get("icc_profile")
    if picture.mode == "CMYK" and container.format == "jpeg" and not container.adobe:
        picture = ImageChops.invert(picture)  # Pillow takes every CMYK JPEG for one of Adobe's, which are inverted
    had_alpha = picture.mode in _ALPHA_MODES or transparency is not None
    alpha = None
    if had_alpha:
        picture = picture.convert("RGBA")
        alpha = picture.getchannel("A")
        picture = picture.convert("RGB")
    elif picture.mode in ("P", "1", "YCbCr", "RGBX"):
        picture = picture.convert("L" if picture.mode == "1" else "RGB")
    converted = _convert_profile(picture, profile) if isinstance(profile, bytes) else None
    if converted is not None:
        picture = converted
    if picture.mode not in ("RGB", "L"):
        picture = picture.convert("RGB")
    if alpha is not None:
        white = PillowImage.new("RGB", picture.size, (255, 255, 255))
        white.paste(picture, mask=alpha)
        picture = white
    return _copy(picture), had_alpha, converted is not None


def _from_16_bit(picture: PillowImage.Image, container: Container, transparency: object) -> Pixels:
    levels = np.asarray(picture).astype(np.uint16)
    grey = (levels >> 8).astype(np.uint8)
    if container.white_is_zero:
        grey = 255 - grey
    if isinstance(transparency, int):
        grey[levels == transparency] = 255
    return np.asarray(cv2.cvtColor(grey, cv2.COLOR_GRAY2RGB), np.uint8)


def _convert_profile(picture: PillowImage.Image, profile: bytes) -> PillowImage.Image | None:
    """``picture`` in sRGB; None when the profile does not fit, cannot be read, or is sRGB itself."""
    if len(profile) > _MAX_PROFILE_BYTES:
        return None
    try:
        source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        space = _PROFILE_SPACES.get(source.profile.xcolor_space)
        if space == "RGB" and picture.mode == "L":
            picture = picture.convert("RGB")
        if space != picture.mode:
            return None
        target = ImageCms.createProfile("sRGB")
        transform = ImageCms.buildTransform(
            source, target, picture.mode, "RGB", renderingIntent=ImageCms.Intent.RELATIVE_COLORIMETRIC
        )
        if picture.mode == "RGB" and _is_identity(transform):
            return None
        return ImageCms.applyTransform(picture, transform)
    except (ImageCms.PyCMSError, OSError, ValueError, TypeError):
        return None  # a broken profile is ignored, as every viewer does: the picture is taken as sRGB


def _is_identity(transform: ImageCms.ImageCmsTransform) -> bool:
    """Whether the transform leaves a cube of 216 colours as it is: then 12 million pixels need not pass through it."""
    cube = np.array([list(itertools.product(range(0, 256, 51), repeat=3))], np.uint8)
    mapped = ImageCms.applyTransform(PillowImage.fromarray(cube), transform)
    return mapped is not None and int(np.abs(np.asarray(mapped).astype(int) - cube).max()) <= _SAME


def _copy(picture: PillowImage.Image) -> Pixels:
    """Copy the pixels of an ``RGB`` or ``L`` picture into an array of their own."""
    picture.load()
    width, height = picture.size
    if picture.mode == "L":
        return np.asarray(cv2.cvtColor(np.asarray(picture), cv2.COLOR_GRAY2RGB), np.uint8)
    if 3 * width * height <= _SMALL_BYTES:
        return np.array(picture)
    rows = max(1, _STRIP_BYTES // (3 * width))
    pixels = np.empty((height, width, 3), np.uint8)
    for top in range(0, height, rows):
        bottom = min(top + rows, height)
        pixels[top:bottom] = np.asarray(picture.crop((0, top, width, bottom)))
    return pixels
