"""Pictures for the capture tests, drawn here: no photograph is involved."""

from __future__ import annotations

import io
import struct
import zlib
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

SIZE = (64, 48)


def scene(width: int = SIZE[0], height: int = SIZE[1], seed: int = 0) -> NDArray[np.uint8]:
    """A smooth picture without symmetry, so that every orientation differs."""
    y, x = np.mgrid[0:height, 0:width]
    rng = np.random.default_rng(seed)
    red = 255 * x / max(width - 1, 1)
    green = 255 * y / max(height - 1, 1)
    blue = 127 + 100 * np.sin(x / 7) * np.cos(y / 5)
    noise = rng.normal(0, 2, (height, width, 3))
    return np.clip(np.stack([red, green, blue], -1) + noise, 0, 255).astype(np.uint8)


def encode(picture: NDArray[np.uint8] | Image.Image, form: str, **options: Any) -> bytes:
    """The bytes of ``picture`` in the format ``form`` of Pillow."""
    stream = io.BytesIO()
    image = picture if isinstance(picture, Image.Image) else Image.fromarray(picture)
    image.save(stream, form, **options)
    return stream.getvalue()


def jpeg(**options: Any) -> bytes:
    return encode(scene(), "JPEG", **{"quality": 90, **options})


def png(**options: Any) -> bytes:
    return encode(scene(), "PNG", **options)


def png_chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def png_of(width: int, height: int, colour: int = 2, depth: int = 8, pixels: bytes = b"\x00" * 20) -> bytes:
    """A PNG whose header claims what it likes."""
    header = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0)
    body = png_chunk(b"IHDR", header) + png_chunk(b"IDAT", zlib.compress(pixels)) + png_chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + body


def with_jpeg_size(data: bytes, width: int, height: int) -> bytes:
    """``data`` with another size in its frame header."""
    at = next(
        k
        for k in range(len(data))
        if data[k] == 0xFF and data[k + 1] in (0xC0, 0xC2) and data[k + 2 : k + 4] == b"\x00\x11"
    )
    return data[: at + 5] + struct.pack(">HH", height, width) + data[at + 9 :]


def with_comment(data: bytes, body: bytes) -> bytes:
    """``data`` (JPEG) with a comment segment right after its start."""
    return data[:2] + b"\xff\xfe" + struct.pack(">H", len(body) + 2) + body + data[2:]


def zip_archive() -> bytes:
    import zipfile

    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        archive.writestr("a.txt", "hello")
    return stream.getvalue()


def valid_pictures() -> dict[str, bytes]:
    """One valid picture of every format and variant that is read."""
    picture = Image.fromarray(scene())
    exif = Image.Exif()
    exif[0x112] = 6
    exif[0x131] = "drawn by a test"
    return {
        "jpeg": jpeg(exif=exif),
        "jpeg progressive": jpeg(progressive=True),
        "jpeg grey": encode(picture.convert("L"), "JPEG"),
        "jpeg cmyk": encode(picture.convert("CMYK"), "JPEG"),
        "png": png(exif=exif),
        "png palette": encode(picture.convert("P"), "PNG"),
        "png alpha": encode(picture.convert("RGBA"), "PNG"),
        "png grey 16": encode(Image.fromarray(scene()[..., 0].astype(np.uint16) * 257), "PNG"),
        "png bilevel": encode(picture.convert("1"), "PNG"),
        "webp": encode(picture, "WEBP", exif=exif),
        "webp lossless": encode(picture, "WEBP", lossless=True),
        "webp alpha": encode(picture.convert("RGBA"), "WEBP"),
        "tiff": encode(picture, "TIFF", exif=exif),
        "tiff lzw": encode(picture, "TIFF", compression="tiff_lzw"),
        "tiff deflate": encode(picture, "TIFF", compression="tiff_deflate"),
        "tiff jpeg": encode(picture, "TIFF", compression="jpeg"),
        "tiff cmyk": encode(picture.convert("CMYK"), "TIFF"),
    }
