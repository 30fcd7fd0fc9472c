"""Walk over the segments of a JPEG file (ITU-T T.81, annex B) without decoding a pixel."""

from __future__ import annotations

import re
from functools import cache

import numpy as np

from samebody.capture import errors
from samebody.capture.container import Container

_START_OF_FRAME = frozenset({0xC0, 0xC1, 0xC2})  # baseline, extended, progressive: what libjpeg decodes
_OTHER_FRAMES = frozenset({0xC3, 0xC5, 0xC6, 0xC7, 0xC9, 0xCA, 0xCB, 0xCD, 0xCE, 0xCF})
# In coded data a marker is FF followed by anything but 00 (stuffing), D0-D7 (restart) and FF (fill).
_NEXT_MARKER = re.compile(rb"\xff[^\x00\xd0-\xd7\xff]", re.DOTALL)

MAX_SCANS = 100
"""Scans of one picture. Progressive encoders write about ten; every scan costs a pass over all pixels."""

# Luminance table of ITU-T T.81, table K.1, in zigzag order: what the quality of the IJG library scales.
_STANDARD_LUMINANCE = np.array(
    [
        *(
            16,
            11,
            12,
            14,
            12,
            10,
            16,
            14,
            13,
            14,
            18,
            17,
            16,
            19,
            24,
            40,
            26,
            24,
            22,
            22,
            24,
            49,
            35,
            37,
            29,
            40,
            58,
            51,
        ),
        *(61, 60, 57, 51, 56, 55, 64, 72, 92, 78, 64, 68, 87, 69, 55, 56, 80, 109, 81, 87, 95, 98, 103, 104, 103, 62),
        *(77, 113, 121, 112, 100, 120, 92, 101, 103, 99),
    ],
    np.int64,
)


def walk(data: bytes) -> Container:
    """Read the segments of the first picture in ``data``, which begins with the JPEG start marker.

    Raises:
        TruncatedError: the data ends before the picture's end marker.
        CorruptError, UnsupportedFormatError, ZeroSizeError, TooComplexError.
    """
    position, scans = 2, 0
    frame: tuple[int, int, int, int] | None = None  # width, height, precision, luminance table
    tables: dict[int, np.ndarray[tuple[int], np.dtype[np.int64]]] = {}
    metadata: list[tuple[int, int]] = []
    exif, adobe = b"", False
    while True:
        marker, position = _marker(data, position)
        if marker == 0xD9:
            break
        if 0xD0 <= marker <= 0xD8 or marker == 0x01:
            raise errors.CorruptError("The JPEG picture has a marker where none may stand.")
        length = int.from_bytes(data[position : position + 2], "big")
        if length < 2:
            _need(data, position + 2)
            raise errors.CorruptError("A JPEG segment has an impossible length.")
        _need(data, position + length)
        body = data[position + 2 : position + length]
        if marker in _START_OF_FRAME:
            if frame is not None:
                raise errors.CorruptError("The JPEG picture has two frame headers.")
            frame = _frame(body)
        elif marker in _OTHER_FRAMES:
            raise errors.UnsupportedFormatError(
                "The JPEG picture is of a rare kind (lossless, arithmetic or hierarchical).",
                hint="Save it as an ordinary JPEG or as PNG.",
            )
        elif marker == 0xDB:
            tables.update(_quantisation_tables(body))
        elif marker == 0xFE or 0xE0 <= marker <= 0xEF:
            metadata.append((position + 2, position + length))
            if marker == 0xE1 and body.startswith(b"Exif\x00") and not exif:
                exif = body[6:]
            adobe = adobe or (marker == 0xEE and body.startswith(b"Adobe"))
        position += length
        if marker == 0xDA:
            if frame is None:
                raise errors.CorruptError("The JPEG picture has pixels before its frame header.")
            scans += 1
            if scans > MAX_SCANS:
                raise errors.TooComplexError(f"The JPEG picture has more than {MAX_SCANS} scans.")
            match = _NEXT_MARKER.search(data, position)
            if match is None:
                _need(data, len(data) + 1)
            else:
                position = match.start()
    if frame is None or scans == 0:
        raise errors.CorruptError("The JPEG file holds no picture.")
    width, height, precision, table = frame
    quality = estimate_quality(tables[table]) if table in tables else None
    return Container("jpeg", width, height, position, tuple(metadata), exif, precision, quality, adobe, scans=scans)


@cache
def _logarithms_of_tables() -> np.ndarray[tuple[int, int], np.dtype[np.float64]]:
    """Logarithms of the luminance tables of the IJG library for quality 1-100, shape (100, 64)."""
    quality = np.arange(1, 101)[:, None]
    scale = np.where(quality < 50, 5000 // quality, 200 - 2 * quality)
    logarithms: np.ndarray[tuple[int, int], np.dtype[np.float64]] = np.log(
        np.clip((_STANDARD_LUMINANCE * scale + 50) // 100, 1, 255)
    )
    return logarithms


def estimate_quality(table: np.ndarray[tuple[int], np.dtype[np.int64]]) -> int:
    """Quality 1-100 of the IJG library whose luminance table comes nearest to ``table`` (64 values, zigzag order).

    Nearest by summed absolute difference of logarithms, so that the many large steps of coarse tables do not outweigh
    the rest. Exact for files of that library; a comparable figure for others.
    """
    distance = np.abs(_logarithms_of_tables() - np.log(np.maximum(table, 1))).sum(axis=1)
    return 100 - int(np.argmin(distance[::-1]))


def _marker(data: bytes, position: int) -> tuple[int, int]:
    """The marker code at ``position`` and the offset behind it; fill bytes before it are skipped."""
    _need(data, position + 2)
    if data[position] != 0xFF:
        raise errors.CorruptError("The JPEG picture has no marker where one must stand.")
    while position < len(data) and data[position] == 0xFF:
        position += 1
    _need(data, position + 1)
    return data[position], position + 1


def _frame(body: bytes) -> tuple[int, int, int, int]:
    if len(body) < 9 or len(body) < 6 + 3 * body[5]:
        raise errors.CorruptError("The JPEG frame header is too short.")
    precision, components = body[0], body[5]
    if precision != 8 or components not in (1, 3, 4):
        raise errors.UnsupportedFormatError(
            f"The JPEG picture has {components} components of {precision} bits.", hint="Save it as an ordinary JPEG."
        )
    height, width = int.from_bytes(body[1:3], "big"), int.from_bytes(body[3:5], "big")
    return width, height, precision, body[8]


def _quantisation_tables(body: bytes) -> dict[int, np.ndarray[tuple[int], np.dtype[np.int64]]]:
    tables, position = {}, 0
    while position < len(body):
        wide = body[position] >> 4
        raw = body[position + 1 : position + 1 + (128 if wide else 64)]
        if wide > 1 or len(raw) != (128 if wide else 64):
            raise errors.CorruptError("A JPEG quantisation table is malformed.")
        tables[body[position] & 15] = np.frombuffer(raw, ">u2" if wide else np.uint8).astype(np.int64)
        position += 1 + len(raw)
    return tables


def _need(data: bytes, size: int) -> None:
    if len(data) < size:
        raise errors.TruncatedError(
            "The JPEG picture ends before its end marker.", hint="Send the file again; it was cut off."
        )
