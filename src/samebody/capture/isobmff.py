"""Read the size of a HEIC or AVIF picture from its boxes (ISO/IEC 14496-12, 23008-12) without decoding a pixel."""

from __future__ import annotations

from collections.abc import Iterator

from samebody.capture import errors
from samebody.capture.container import Container

_SEQUENCE_BRANDS = frozenset({b"avis", b"msf1", b"hevc", b"hevx", b"hevm", b"hevs"})


def walk(data: bytes, kind: str) -> Container:
    """Read the boxes of ``data``, which begins with a ``ftyp`` box; the largest ``ispe`` is the picture's size.

    Raises:
        TruncatedError, CorruptError, AnimatedError (image sequences).
    """
    if data[8:12] in _SEQUENCE_BRANDS:
        raise errors.AnimatedError(f"The {kind.upper()} file is a sequence of pictures.", hint="Send a single picture.")
    sizes: list[tuple[int, int]] = []
    end = 0
    for name, start, stop in _boxes(data, 0, len(data), top=True):
        if name == b"meta":
            for inner, inner_start, inner_stop in _boxes(data, start + 4, stop):
                if inner == b"iprp":
                    sizes += _extents(data, inner_start, inner_stop)
        if name in (b"ftyp", b"meta", b"mdat", b"free", b"skip", b"idat", b"moov", b"uuid", b"mpvd"):
            end = stop
    if not sizes:
        raise errors.CorruptError(f"The {kind.upper()} picture does not say its size.")
    width, height = max(sizes, key=lambda size: size[0] * size[1])
    return Container(kind, width, height, end)


def _extents(data: bytes, start: int, stop: int) -> Iterator[tuple[int, int]]:
    for name, inner_start, inner_stop in _boxes(data, start, stop):
        if name != b"ipco":
            continue
        for prop, prop_start, prop_stop in _boxes(data, inner_start, inner_stop):
            if prop == b"ispe" and prop_stop - prop_start >= 12:
                fields = data[prop_start + 4 : prop_start + 12]
                yield int.from_bytes(fields[:4], "big"), int.from_bytes(fields[4:], "big")


def _boxes(data: bytes, position: int, stop: int, *, top: bool = False) -> Iterator[tuple[bytes, int, int]]:
    """Name and body range of each box in a range."""
    while position + 8 <= stop:
        size, name = int.from_bytes(data[position : position + 4], "big"), data[position + 4 : position + 8]
        header = 8
        if size == 1:
            size, header = int.from_bytes(data[position + 8 : position + 16], "big"), 16
        elif size == 0:
            size = stop - position
        if size < header:
            if top:
                return  # padding or a trailer behind the last box
            raise errors.CorruptError("A box of the picture has an impossible size.")
        if position + size > stop:
            raise errors.TruncatedError("The picture ends before its last box.", hint="Send the file again.")
        yield name, position + header, position + size
        position += size
