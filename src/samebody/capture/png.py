"""Walk over the chunks of a PNG file (ISO/IEC 15948) without decoding a pixel."""

from __future__ import annotations

import zlib

from samebody.capture import errors
from samebody.capture.container import Container

_DEPTHS = {0: (1, 2, 4, 8, 16), 2: (8, 16), 3: (1, 2, 4, 8), 4: (8, 16), 6: (8, 16)}
_MAX_CHUNKS = 100_000


def walk(data: bytes) -> Container:
    """Read the chunks of ``data``, which begins with the PNG signature; every checksum is verified.

    Raises:
        TruncatedError, CorruptError, AnimatedError (APNG with more than one frame), ZeroSizeError.
    """
    position, header, exif, pixels = 8, b"", b"", 0
    metadata: list[tuple[int, int]] = []
    for _ in range(_MAX_CHUNKS):
        if len(data) < position + 12:
            raise errors.TruncatedError("The PNG picture ends before its last chunk.", hint="Send the file again.")
        length = int.from_bytes(data[position : position + 4], "big")
        kind = data[position + 4 : position + 8]
        body_end = position + 8 + length
        if length > 0x7FFFFFFF or not kind.isalpha():
            raise errors.CorruptError("A PNG chunk is malformed.")
        if len(data) < body_end + 4:
            raise errors.TruncatedError("The PNG picture ends before its last chunk.", hint="Send the file again.")
        body = memoryview(data)[position + 8 : body_end]
        if zlib.crc32(body, zlib.crc32(kind)) != int.from_bytes(data[body_end : body_end + 4], "big"):
            raise errors.CorruptError("A checksum of the PNG picture is wrong.", hint="Send the file again.")
        if (kind == b"IHDR") != (not header):
            raise errors.CorruptError("The PNG picture does not begin with one header.")
        if kind == b"IHDR":
            header = bytes(body)
        elif kind == b"acTL" and length >= 4 and int.from_bytes(body[:4], "big") > 1:
            raise errors.AnimatedError("The PNG file is animated.", hint="Send a single picture.")
        elif kind == b"IDAT":
            pixels += length
        elif kind == b"eXIf":
            exif = bytes(body)
        if kind not in (b"IHDR", b"IDAT", b"PLTE", b"IEND", b"fdAT"):
            metadata.append((position + 8, body_end))
        position = body_end + 4
        if kind == b"IEND":
            break
    else:
        raise errors.TooComplexError("The PNG picture has too many chunks.")
    if len(header) != 13 or header[8] not in _DEPTHS.get(header[9], ()):
        raise errors.CorruptError("The PNG header is malformed.")
    if not pixels:
        raise errors.CorruptError("The PNG picture holds no pixels.")
    width, height = int.from_bytes(header[:4], "big"), int.from_bytes(header[4:8], "big")
    return Container("png", width, height, position, tuple(metadata), exif, header[8])
