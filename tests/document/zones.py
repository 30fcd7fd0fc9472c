"""Zones as if read, without pixels: posteriors that a clear or a doubtful picture would give."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

import numpy as np
from numpy.typing import NDArray

from samebody.document.icao9303 import detect_format
from samebody.document.mrz_decode import decode, margins
from samebody.document.mrz_fields import assemble
from samebody.document.mrz_read import ZoneRead
from samebody.document.mrz_strip import ALPHABET
from samebody.document.types import MrzReading


def posteriors_of(
    lines: Sequence[str], posterior: float = 0.999, doubts: Sequence[tuple[int, int, str, float]] = ()
) -> NDArray[np.float32]:
    """Log posteriors (lines, cells, 37) that put ``posterior`` on each printed character.

    ``doubts`` are ``(line, column, other character, posterior of the other)``.
    """
    table = np.full((len(lines), len(lines[0]), len(ALPHABET)), (1 - posterior) / 36)
    for line, text in enumerate(lines):
        for column, character in enumerate(text):
            table[line, column, ALPHABET.index(character)] = posterior
    for line, column, other, share in doubts:
        table[line, column] *= 1 - share
        table[line, column, ALPHABET.index(other)] = share
    return np.log(table / table.sum(axis=2, keepdims=True)).astype(np.float32)


def zone_of(
    lines: Sequence[str], posterior: float = 0.999, doubts: Sequence[tuple[int, int, str, float]] = ()
) -> ZoneRead:
    """A zone as the reader hands it to the fields."""
    decoded = decode(detect_format(lines), posteriors_of(lines, posterior, doubts))
    quads = np.stack(
        [[[0, 10.0 * k], [100, 10.0 * k], [100, 10.0 * k + 4], [0, 10.0 * k + 4]] for k in range(len(lines))]
    )
    return ZoneRead(detect_format(lines), decoded, margins(decoded), quads, 5.0, 20.0, 1)


def reading_of(
    lines: Sequence[str],
    today: date,
    posterior: float = 0.999,
    doubts: Sequence[tuple[int, int, str, float]] = (),
) -> MrzReading:
    """The reading of such a zone."""
    return assemble(zone_of(lines, posterior, doubts), today)
