"""Fonts bundled for specimens, loaded once per size, and text placed by its baseline in millimetres."""

from __future__ import annotations

from functools import lru_cache
from importlib.resources import files
from io import BytesIO
from typing import Literal

from PIL import ImageFont

from samebody.errors import UsageError

Face = Literal["ocr-b", "regular", "bold", "aileron"]

_FILES: dict[Face, str] = {
    "ocr-b": "OCRB.otf",
    "regular": "Roboto-Regular-Latin.ttf",
    "bold": "Roboto-Bold-Latin.ttf",
}
CAP_HEIGHT: dict[Face, float] = {"ocr-b": 0.70, "regular": 0.711, "bold": 0.711, "aileron": 0.72}
"""Height of the capital I over the em square."""

OCRB_ADVANCE = 0.723
"""Advance width of every OCR-B glyph over the em square; the size-1 pitch of 2.54 mm fixes the em from it."""


@lru_cache(maxsize=128)
def font(face: Face, pixels: float) -> ImageFont.FreeTypeFont:
    """``face`` with an em square of ``pixels``; the basic layout engine keeps it the same everywhere.

    ``aileron`` is the font that Pillow carries; the others are bundled here.
    """
    if face == "aileron":
        return _pillows_own(pixels)
    path = files("samebody.synth") / "fonts" / _FILES[face]
    with path.open("rb") as stream:
        return ImageFont.truetype(BytesIO(stream.read()), pixels, layout_engine=ImageFont.Layout.BASIC)


def _pillows_own(pixels: float) -> ImageFont.FreeTypeFont:
    own = ImageFont.load_default(pixels)
    if not isinstance(own, ImageFont.FreeTypeFont):
        raise UsageError("this Pillow was built without FreeType.", hint="Use another face.")
    return own.font_variant(layout_engine=ImageFont.Layout.BASIC)


def font_of_cap_height(face: Face, cap_pixels: float) -> ImageFont.FreeTypeFont:
    """The bundled ``face`` whose capital I is ``cap_pixels`` high."""
    return font(face, cap_pixels / CAP_HEIGHT[face])


def fit_cap_height(face: Face, text: str, cap_pixels: float, width_pixels: float) -> float:
    """The largest cap height, at most ``cap_pixels``, at which ``text`` is at most ``width_pixels`` wide."""
    length = font_of_cap_height(face, cap_pixels).getlength(text)
    return cap_pixels if length <= width_pixels else cap_pixels * width_pixels / length
