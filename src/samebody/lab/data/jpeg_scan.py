"""Is the entropy-coded scan of a baseline JPEG whole? Decoders show grey or shifted blocks instead of saying no.

The scan is walked Huffman code by Huffman code (ITU-T T.81, F.2.2) without computing a pixel: every code must exist,
every block must end at 64 coefficients, there must be as many blocks as the frame says, restart markers must come in
order, and the data must end where the last block does. Overwritten bytes almost always throw one of these off.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from samebody.kernels.compiling import compiled

SLACK = 2
"""Bytes that may be left over: some encoders pad."""


@dataclass(slots=True)
class _Tables:
    """What the headers say."""

    lookup: NDArray[np.int32] = field(default_factory=lambda: np.full((8, 65536), -1, np.int32))
    present: set[int] = field(default_factory=set)
    sampling: dict[int, tuple[int, int]] = field(default_factory=dict)
    width: int = 0
    height: int = 0
    restart: int = 0


def scan_fault(data: bytes) -> str:
    """What is wrong with the scan of a JPEG; empty when nothing is, or when it cannot be judged.

    Progressive, arithmetic and 12-bit files, files of several scans and headers that do not hold together are not
    judged here: the decoder does that.
    """
    tables, place = _Tables(), 2
    while place + 4 <= len(data):
        if data[place] != 0xFF:
            return ""
        marker = data[place + 1]
        if marker == 0xFF:
            place += 1
            continue
        length = int.from_bytes(data[place + 2 : place + 4], "big")
        body = data[place + 4 : place + 2 + length]
        if marker in (0xC0, 0xC1):
            if not _read_frame(body, tables):
                return ""
        elif 0xC2 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC):
            return ""
        elif marker == 0xC4:
            if not _read_huffman(body, tables):
                return ""
        elif marker == 0xDD and len(body) >= 2:
            tables.restart = int.from_bytes(body[:2], "big")
        elif marker == 0xDA:
            return _scan(data, place + 2 + length, body, tables)
        place += 2 + length
    return ""


def _read_frame(body: bytes, tables: _Tables) -> bool:
    if len(body) < 6 or body[0] != 8 or len(body) < 6 + 3 * body[5]:
        return False
    tables.height, tables.width = int.from_bytes(body[1:3], "big"), int.from_bytes(body[3:5], "big")
    for number in range(body[5]):
        name, sampling = body[6 + 3 * number], body[7 + 3 * number]
        tables.sampling[name] = (sampling >> 4, sampling & 15)
    return tables.height > 0 and tables.width > 0 and all(1 <= h <= 4 >= v >= 1 for h, v in tables.sampling.values())


def _read_huffman(body: bytes, tables: _Tables) -> bool:
    """Fill the look-up of each table: 16 bits ahead to length << 8 | symbol, -1 where no code is."""
    place = 0
    while place + 17 <= len(body):
        kind, number = body[place] >> 4, body[place] & 15
        counts = body[place + 1 : place + 17]
        symbols = body[place + 17 : place + 17 + sum(counts)]
        if kind > 1 or number > 3 or len(symbols) < sum(counts):
            return False
        row = tables.lookup[4 * kind + number]
        row[:] = -1
        code = used = 0
        for length, count in enumerate(counts, 1):
            for _ in range(count):
                first = code << (16 - length)
                if first + (1 << (16 - length)) > 65536:
                    return False
                row[first : first + (1 << (16 - length))] = length << 8 | symbols[used]
                code, used = code + 1, used + 1
            code <<= 1
        tables.present.add(4 * kind + number)
        place += 17 + len(symbols)
    return True


def _scan(data: bytes, start: int, body: bytes, tables: _Tables) -> str:
    count = body[0] if body else 0
    if count != len(tables.sampling) or len(body) < 1 + 2 * count:
        return ""
    blocks: list[tuple[int, int]] = []
    across, down = (max(sampling[axis] for sampling in tables.sampling.values()) for axis in (0, 1))
    for number in range(count):
        name, chosen = body[1 + 2 * number], body[2 + 2 * number]
        dc, ac = chosen >> 4, 4 + (chosen & 15)
        if name not in tables.sampling or not {dc, ac} <= tables.present:
            return ""
        horizontal, vertical = tables.sampling[name]
        blocks += [(dc, ac)] * (1 if count == 1 else horizontal * vertical)
    if count == 1:
        across = down = 1
    units = -(-tables.width // (8 * across)) * -(-tables.height // (8 * down))
    scan = np.frombuffer(data, np.uint8)[start:]
    order = np.array(blocks, np.int32)
    fault, end = _walk(scan, tables.lookup, order, units, tables.restart)
    if fault:
        return ("", "an impossible code", "a block too long", "too few blocks", "a restart marker out of order")[fault]
    if len(scan) - end > SLACK and not (scan[end] == 0xFF and scan[end + 1] == 0xD9):
        rest = bytes(scan[end : end + SLACK + 2])
        if b"\xff\xd9" not in rest:
            return "data after the last block"
    return ""


@compiled
def _walk(scan: Any, lookup: Any, blocks: Any, units: Any, restart: Any) -> Any:
    """Fault (0 none) and the place behind the last byte that was used."""
    place, held, bits = 0, np.int64(0), 0
    size = scan.size
    due, expected = restart, 0
    for unit in range(units):
        if restart and unit and due == 0:
            held, bits = np.int64(0), 0
            while place + 1 < size and scan[place] == 255 and scan[place + 1] == 255:
                place += 1
            if place + 1 >= size or scan[place] != 255 or scan[place + 1] != 208 + expected:
                return 4, place
            place += 2
            expected, due = (expected + 1) % 8, restart
        due -= 1
        for block in range(blocks.shape[0]):
            coefficient = 0
            while coefficient < 64:
                table = blocks[block, 0] if coefficient == 0 else blocks[block, 1]
                short = 0
                while bits < 32:
                    byte = np.int64(0)
                    if place < size and scan[place] != 255:
                        byte = np.int64(scan[place])
                        place += 1
                    elif place + 1 < size and scan[place + 1] == 0:
                        byte = np.int64(255)
                        place += 2
                    else:
                        short += 8  # a marker or the end: zeros follow, and must not be used
                    held = ((held << 8) | byte) & np.int64(0xFFFFFFFFFFFF)
                    bits += 8
                entry = lookup[table, (held >> (bits - 16)) & 0xFFFF]
                if entry < 0:
                    return (3 if short >= bits - 16 else 1), place
                length, symbol = entry >> 8, entry & 255
                run, extra = symbol >> 4, symbol & 15
                bits -= length + extra
                if bits < short:
                    return 3, place
                # what was filled up with zeros is taken back: the next look fills up again
                bits -= short
                held >>= short
                if coefficient == 0:
                    coefficient = 1
                elif extra == 0:
                    if run < 15:
                        break
                    coefficient += 16
                else:
                    coefficient += run + 1
                if coefficient > 64:
                    return 2, place
    return 0, place - bits // 8
