"""Decoders that come with extras: HEIC through pillow-heif, AVIF through Pillow where it was built in."""

from __future__ import annotations

import io

from PIL import Image as PillowImage
from PIL import features

from samebody.capture.errors import DecoderNotInstalledError


def open_heic(stream: io.BytesIO) -> PillowImage.Image:
    """A HEIC picture, its own rotation boxes applied, not yet decoded further than its decoder likes.

    Raises:
        DecoderNotInstalledError: pillow-heif is not installed.
    """
    try:
        import pillow_heif
    except ImportError:
        raise DecoderNotInstalledError(
            "HEIC pictures need a decoder that is not installed.",
            hint="Install samebody[heic] (see docs/licences.md: its wheel holds x265, GPL) or send JPEG.",
        ) from None
    picture: PillowImage.Image = pillow_heif.open_heif(stream, convert_hdr_to_8bit=True).to_pillow()
    return picture


def open_avif(stream: io.BytesIO) -> PillowImage.Image:
    """An AVIF picture.

    Raises:
        DecoderNotInstalledError: Pillow was built without AVIF.
    """
    if not features.check("avif"):
        raise DecoderNotInstalledError(
            "AVIF pictures need a decoder that this build of Pillow does not have.",
            hint="Install a Pillow wheel from 11.3 on, or send JPEG.",
        )
    from PIL import AvifImagePlugin

    return AvifImagePlugin.AvifImageFile(stream)
