"""Walk over the chunks of a WebP file (RFC 9649) without decoding a pixel."""

from __future__ import annotations

from samebody.capture import errors
from samebody.capture.container import Container


def walk(data: bytes) -> Container:
    """Read the chunks of ``data``, which begins with ``RIFF....WEBP``.

    Raises:
        TruncatedError, CorruptError, AnimatedError.
    """
    end = 8 + int.from_bytes(data[4:8], "little")
    if len(data) < end:
        raise errors.TruncatedError("The WebP picture ends before its container.", hint="Send the file again.")
    position, frames = 12, 0
    canvas: tuple[int, int] | None = None
    bitstream: tuple[int, int] | None = None
    metadata: list[tuple[int, int]] = []
    exif = b""
    while position + 8 <= end:
        kind = data[position : position + 4]
        length = int.from_bytes(data[position + 4 : position + 8], "little")
        start, stop = position + 8, position + 8 + length
        if stop > end:
            raise errors.TruncatedError("A WebP chunk is longer than its file.", hint="Send the file again.")
        if kind == b"VP8X" and length >= 10:
            canvas = (_number(data, start + 4, 3) + 1, _number(data, start + 7, 3) + 1)
        elif kind == b"VP8 ":
            if length < 10 or data[start + 3 : start + 6] != b"\x9d\x01\x2a":
                raise errors.CorruptError("The WebP picture has no key frame.")
            bitstream = (_number(data, start + 6, 2) & 0x3FFF, _number(data, start + 8, 2) & 0x3FFF)
        elif kind == b"VP8L":
            if length < 5 or data[start] != 0x2F:
                raise errors.CorruptError("The WebP picture has no lossless signature.")
            bits = _number(data, start + 1, 4)
            bitstream = ((bits & 0x3FFF) + 1, ((bits >> 14) & 0x3FFF) + 1)
        elif kind == b"ANMF":
            frames += 1
        elif kind == b"EXIF":
            exif = data[start:stop].removeprefix(b"Exif\x00\x00")
        if kind not in (b"VP8 ", b"VP8L", b"ALPH", b"ANMF"):
            metadata.append((start, stop))
        position = stop + (length & 1)
    if frames:
        raise errors.AnimatedError("The WebP file is animated.", hint="Send a single picture.")
    if bitstream is None:
        raise errors.CorruptError("The WebP file holds no picture.")
    if canvas is not None and canvas != bitstream:
        raise errors.CorruptError("The WebP picture has another size than its canvas.")
    return Container("webp", *bitstream, end, tuple(metadata), exif)


def _number(data: bytes, start: int, size: int) -> int:
    return int.from_bytes(data[start : start + size], "little")
