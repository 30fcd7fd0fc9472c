"""Read TIFF directories (TIFF 6.0): those of TIFF pictures, and those inside EXIF blocks."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from samebody.capture import errors
from samebody.capture.container import Container

_TYPE_SIZES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4}
_MAX_ENTRIES = 4096
_MAX_DIRECTORIES = 64
_MAX_VALUES = 1 << 20

WIDTH, HEIGHT, BITS, COMPRESSION, PHOTOMETRIC = 256, 257, 258, 259, 262
STRIP_OFFSETS, STRIP_COUNTS, TILE_WIDTH, TILE_HEIGHT, TILE_OFFSETS, TILE_COUNTS = 273, 279, 322, 323, 324, 325
SUBFILE_TYPE, SAMPLES, MAKE, MODEL, ORIENTATION, SOFTWARE, DNG_VERSION = 254, 277, 271, 272, 274, 305, 50706


@dataclass(frozen=True, slots=True)
class Directory:
    """One directory: raw values by tag, in the file's byte order, and the offset of the next directory (0: none)."""

    order: str
    entries: Mapping[int, tuple[int, int, int]]  # tag -> (type, count, offset of the value)
    next: int
    end: int
    data: bytes

    def numbers(self, tag: int) -> tuple[int, ...]:
        """The integers of ``tag``; empty when it is missing or of another type."""
        kind, count, offset = self.entries.get(tag, (0, 0, 0))
        if kind not in (1, 3, 4) or count > _MAX_VALUES:
            return ()
        size = _TYPE_SIZES[kind]
        raw = self.data[offset : offset + size * count]
        return tuple(int.from_bytes(raw[k : k + size], _endian(self.order)) for k in range(0, len(raw), size))

    def number(self, tag: int, default: int = 0) -> int:
        """The first integer of ``tag``."""
        return next(iter(self.numbers(tag)), default)

    def text(self, tag: int) -> str | None:
        """The text of ``tag`` with control characters dropped, at most 200 characters; None when there is none."""
        kind, count, offset = self.entries.get(tag, (0, 0, 0))
        if kind != 2:
            return None
        raw = self.data[offset : offset + min(count, 200)].split(b"\x00")[0]
        return "".join(c for c in raw.decode("utf-8", "replace") if c.isprintable()).strip() or None


def read_directory(data: bytes, offset: int, order: str) -> Directory:
    """The directory at ``offset``; values that lie outside ``data`` are left out.

    Raises:
        TruncatedError: the directory itself lies outside the data.
        TooComplexError: it has more entries than any camera writes.
    """
    endian = _endian(order)
    count = int.from_bytes(data[offset : offset + 2], endian)
    end = offset + 2 + 12 * count + 4
    if offset < 8 or len(data) < end - 4:
        raise errors.TruncatedError("A TIFF directory lies outside its file.", hint="Send the file again.")
    if count > _MAX_ENTRIES:
        raise errors.TooComplexError("A TIFF directory has too many entries.")
    entries: dict[int, tuple[int, int, int]] = {}
    for position in range(offset + 2, offset + 2 + 12 * count, 12):
        tag = int.from_bytes(data[position : position + 2], endian)
        kind = int.from_bytes(data[position + 2 : position + 4], endian)
        values = int.from_bytes(data[position + 4 : position + 8], endian)
        size = _TYPE_SIZES.get(kind, 0) * values
        value = position + 8 if size <= 4 else int.from_bytes(data[position + 8 : position + 12], endian)
        if size and value + size <= len(data):
            entries[tag] = (kind, values, value)
            end = max(end, value + size)
    pointer = offset + 2 + 12 * count
    return Directory(order, entries, int.from_bytes(data[pointer : pointer + 4], endian), end, data)


def read_exif(block: bytes) -> Directory | None:
    """The main directory of an EXIF block; None when it cannot be read. Metadata never makes a picture fail."""
    order = {b"II": "little", b"MM": "big"}.get(block[:2])
    if order is None:
        return None
    try:
        return read_directory(block, int.from_bytes(block[4:8], _endian(order)), order)
    except errors.CaptureError:
        return None


def walk(data: bytes) -> Container:
    """Read the directories of a TIFF picture.

    Raises:
        TruncatedError, CorruptError, UnsupportedFormatError (raw camera files), AnimatedError (several pages).
    """
    order = "little" if data[:2] == b"II" else "big"
    offset, end = int.from_bytes(data[4:8], _endian(order)), 8
    seen: set[int] = set()
    pages: list[Directory] = []
    while offset:
        if offset in seen or len(seen) >= _MAX_DIRECTORIES:
            raise errors.TooComplexError("The TIFF file has too many directories, or they form a ring.")
        seen.add(offset)
        directory = read_directory(data, offset, order)
        end = max(end, directory.end)
        # bit 0 of the subfile type marks a reduced copy of another page: a thumbnail
        if not pages or not directory.number(SUBFILE_TYPE) & 1:
            pages.append(directory)
        offset = directory.next
    if not pages:
        raise errors.CorruptError("The TIFF file holds no picture.")
    first = pages[0]
    if DNG_VERSION in first.entries or first.number(SUBFILE_TYPE) & 1:
        raise errors.UnsupportedFormatError("The file is a raw camera file.", hint="Export it as JPEG.")
    if len(pages) > 1:
        raise errors.AnimatedError(f"The TIFF file holds {len(pages)} pages.", hint="Send a single picture.")
    if WIDTH not in first.entries or HEIGHT not in first.entries:
        raise errors.CorruptError("The TIFF picture does not say its size.")
    if not 1 <= first.number(SAMPLES, 1) <= 5:  # CMYK with alpha has the most
        raise errors.UnsupportedFormatError(
            f"The TIFF picture has {first.number(SAMPLES)} samples per pixel.", hint="Save it as an ordinary picture."
        )
    width, height = first.number(WIDTH), first.number(HEIGHT)
    tile = max(first.number(TILE_WIDTH), 1) * max(first.number(TILE_HEIGHT), 1)
    if tile > max(4 * width * height, 1 << 24):
        raise errors.TooComplexError("The tiles of the TIFF picture are larger than the picture.")
    end = max(end, _data_end(data, first))
    bits = max(first.numbers(BITS), default=1)
    ranges = tuple(
        (offset, offset + _TYPE_SIZES[kind] * count)
        for kind, count, offset in first.entries.values()
        if kind in (1, 2, 7) and count > 4
    )
    exif = data[: min(end, 1 << 20)]
    white_is_zero = first.number(PHOTOMETRIC, 1) == 0
    return Container("tiff", width, height, end, ranges, exif, bits, white_is_zero=white_is_zero)


def _data_end(data: bytes, page: Directory) -> int:
    offsets = page.numbers(STRIP_OFFSETS) or page.numbers(TILE_OFFSETS)
    counts = page.numbers(STRIP_COUNTS) or page.numbers(TILE_COUNTS)
    if not offsets:
        raise errors.CorruptError("The TIFF picture does not say where its pixels are.")
    end = max(offset + count for offset, count in zip(offsets, counts)) if counts else max(offsets) + 1
    if end > len(data):
        raise errors.TruncatedError("The TIFF picture ends before its pixels.", hint="Send the file again.")
    return end


def _endian(order: str) -> Literal["little", "big"]:
    return "little" if order == "little" else "big"
