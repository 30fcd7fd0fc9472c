"""What every walk over a picture's container tells: its size, where it ends, and what lies around the pixels."""

from __future__ import annotations

import re
from dataclasses import dataclass

from samebody.capture import errors


@dataclass(frozen=True, slots=True)
class Container:
    """What the header of a picture claims, read without decoding a pixel.

    Attributes:
        format: ``jpeg``, ``png``, ``webp``, ``tiff``, ``heic`` or ``avif``.
        width, height: stored size in pixels.
        end: offset of the first byte after the picture.
        metadata: byte ranges (start, stop) that are neither headers nor coded pixels: text, EXIF, profiles.
        exif: the EXIF block (TIFF structure, without the ``Exif`` prefix); empty when there is none.
        bit_depth: bits per channel.
        jpeg_quality: see :func:`samebody.capture.jpeg.estimate_quality`; None when not JPEG.
        adobe: an Adobe marker says that CMYK is stored inverted.
        white_is_zero: TIFF photometric interpretation 0.
        scans: passes over all pixels that decoding takes (progressive JPEG).
    """

    format: str
    width: int
    height: int
    end: int
    metadata: tuple[tuple[int, int], ...] = ()
    exif: bytes = b""
    bit_depth: int = 8
    jpeg_quality: int | None = None
    adobe: bool = False
    white_is_zero: bool = False
    scans: int = 1


_PDF_HEADER_WINDOW = 1024  # PDF readers look for "%PDF-" in the first 1024 bytes (ISO 32000-1, annex H.3.4.1)
_ZIP_TAIL = 22 + 65_535  # end-of-central-directory record with the longest comment (APPNOTE 4.3.16)
_CODE = re.compile(rb"<(?:\?php|script|!doctype\s+html|html|iframe)[\s>:]", re.IGNORECASE)
_ARCHIVES = (b"Rar!\x1a\x07", b"7z\xbc\xaf\x27\x1c")
_AT_START = (b"\x7fELF", b"\x89PNG\r\n\x1a\n", b"GIF87a", b"GIF89a", b"\x1f\x8b\x08", b"\xca\xfe\xba\xbe", b"#!")


def refuse_polyglot(data: bytes, container: Container) -> None:
    """Refuse a picture that other programs would open as something else.

    Detected, and nothing else is called a polyglot:

    - PDF: ``%PDF-`` in the first 1024 bytes or anywhere after the picture;
    - ZIP (also JAR, APK, office files): an end-of-central-directory record whose comment ends with the file;
    - RAR and 7z signatures after the picture;
    - HTML, script and PHP openings in metadata or after the picture;
    - a program or another picture format that begins right after the picture: ELF, PE, Java class, gzip, script with
      ``#!``, PNG, GIF, RIFF.

    Not a polyglot: zeros or other padding after the picture, further JPEG pictures (multi-picture format, depth and
    gain maps), the video of a motion photograph, and makers' trailers of unknown shape.

    Raises:
        PolyglotError: with what was found, never with its content.
    """
    found = _second_format(data, container)
    if found:
        raise errors.PolyglotError(
            f"The file is a {container.format} picture and {found} at the same time.",
            hint="Send a picture as the camera made it; open and save it anew to drop what was added.",
        )


def _second_format(data: bytes, container: Container) -> str | None:
    trailer = data[container.end :]
    if data.find(b"%PDF-", 0, _PDF_HEADER_WINDOW) >= 0 or b"%PDF-" in trailer:
        return "a PDF document"
    if _is_zip(data):
        return "a ZIP archive"
    if any(signature in trailer for signature in _ARCHIVES):
        return "an archive"
    ranges = (*container.metadata, (container.end, len(data)))
    if any(_CODE.search(data, start, stop) for start, stop in ranges):
        return "a script or web page"
    content = trailer.lstrip(b"\x00\xff\r\n\t ")
    if content.startswith(_AT_START) or (content[:4] == b"RIFF" and content[8:12] in (b"WEBP", b"AVI ", b"WAVE")):
        return "another file"
    if content[:2] == b"MZ" and len(content) >= 64:
        header = int.from_bytes(content[60:64], "little")
        if content[header : header + 4] == b"PE\x00\x00":
            return "a program"
    return None


def _is_zip(data: bytes) -> bool:
    """Whether ZIP readers would open ``data``: they search the end record backwards from the end of the file."""
    start = max(0, len(data) - _ZIP_TAIL)
    at = data.rfind(b"PK\x05\x06", start)
    while at >= 0:
        comment = int.from_bytes(data[at + 20 : at + 22], "little")
        if len(data) >= at + 22 and at + 22 + comment == len(data):
            return True
        at = data.rfind(b"PK\x05\x06", start, at)
    return False
