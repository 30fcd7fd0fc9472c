"""Portable grey maps (.pgm), which old evaluation sets are kept in; the product's own decoder needs none."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from samebody.errors import InputError
from samebody.types import Image, SourceInfo


class GreyMapError(InputError):
    """A file is no binary grey map of 8 bits."""

    code = "evaluate.grey_map"


def read_grey_map(path: Path) -> Image:
    """A binary portable grey map (P5, 8 bit) as RGB.

    Raises:
        GreyMapError: the file is something else, or cut off.
    """
    fields: list[bytes] = []
    data, at = path.read_bytes(), 0
    while len(fields) < 4:
        end = at
        while end < len(data) and not data[end : end + 1].isspace():
            end += 1
        word = data[at:end]
        if word.startswith(b"#"):
            end = data.find(b"\n", at) if b"\n" in data[at:] else len(data)
        elif word:
            fields.append(word)
        at = end + 1
        if at > len(data):
            break
    try:
        kind, width, height, depth = fields[0], *(int(field) for field in fields[1:])
        grey = np.frombuffer(data, dtype=np.uint8, count=width * height, offset=at).reshape(height, width)
    except (ValueError, IndexError):
        raise GreyMapError(f"{path} is no 8-bit grey map.") from None
    if kind != b"P5" or depth != 255 or grey.size == 0:
        raise GreyMapError(f"{path} is no 8-bit grey map.")
    return Image(np.repeat(grey[:, :, None], 3, axis=2), SourceInfo("pgm", len(data), width, height, colour="L"))
