"""Tell what bytes are from their first bytes, never from a file name."""

from __future__ import annotations

import re

PICTURES = frozenset({"jpeg", "png", "webp", "tiff"})
"""Formats that are always read."""

EXTRA_PICTURES = frozenset({"heic", "avif"})
"""Formats whose decoder may be missing."""

_PREFIXES: tuple[tuple[bytes, str], ...] = (
    (b"\xff\xd8\xff", "jpeg"),
    (b"\x89PNG\r\n\x1a\n", "png"),
    (b"II*\x00", "tiff"),
    (b"MM\x00*", "tiff"),
    (b"GIF87a", "gif"),
    (b"GIF89a", "gif"),
    (b"II+\x00", "bigtiff"),
    (b"MM\x00+", "bigtiff"),
    (b"BM", "bmp"),
    (b"\x00\x00\x01\x00", "ico"),
    (b"8BPS", "psd"),
    (b"\xff\x0a", "jpegxl"),
    (b"\x00\x00\x00\x0cJXL \r\n\x87\n", "jpegxl"),
    (b"\x00\x00\x00\x0cjP  \r\n\x87\n", "jpeg2000"),
    (b"\xff\x4f\xff\x51", "jpeg2000"),
    (b"\x76\x2f\x31\x01", "openexr"),
    (b"%PDF-", "pdf"),
    (b"PK\x03\x04", "zip"),
    (b"PK\x05\x06", "zip"),
    (b"Rar!\x1a\x07", "rar"),
    (b"7z\xbc\xaf\x27\x1c", "7z"),
    (b"\x1f\x8b", "gzip"),
    (b"\x7fELF", "elf"),
    (b"MZ", "pe"),
    (b"\x1aE\xdf\xa3", "matroska"),
    (b"OggS", "ogg"),
    (b"\x00\x00\x01\xba", "mpeg"),
    (b"\x00\x00\x01\xb3", "mpeg"),
    (b"FLV\x01", "flv"),
    (b"\x30\x26\xb2\x75\x8e\x66\xcf\x11", "asf"),
)

_HEIC_BRANDS = frozenset({b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"hevm", b"hevs"})
_AVIF_BRANDS = frozenset({b"avif", b"avis"})
_HEIF_BRANDS = frozenset({b"mif1", b"mif2", b"msf1", b"miaf"})
_MARKUP = re.compile(rb"\s*(?:<!doctype|<html|<head|<body|<script|<svg|<\?xml|<\?php|<!--)", re.IGNORECASE)

VIDEOS = frozenset({"mp4", "matroska", "avi", "ogg", "mpeg", "flv", "asf"})
"""Containers that are handed to the video decoder."""

OTHER_PICTURES = frozenset({"gif", "bigtiff", "bmp", "ico", "psd", "jpegxl", "jpeg2000", "openexr"})
"""Pictures that are recognised and not read."""


def sniff(data: bytes) -> str | None:
    """Name of the type that ``data`` begins with, None when it is none of those known here.

    Args:
        data: the whole input or at least its first 4096 bytes.
    """
    for prefix, name in _PREFIXES:
        if data.startswith(prefix):
            return name
    if data[:4] == b"RIFF" and len(data) >= 12:
        return {b"WEBP": "webp", b"AVI ": "avi"}.get(bytes(data[8:12]))
    if data[4:8] == b"ftyp":
        return _sniff_brands(data)
    if data[4:8] in (b"moov", b"mdat", b"wide"):
        return "mp4"
    if _MARKUP.match(data[:4096]):
        return "markup"
    return None


def _sniff_brands(data: bytes) -> str:
    """The ISO base media file family: the major brand and the compatible brands of the ``ftyp`` box decide."""
    size = min(max(int.from_bytes(data[:4], "big"), 16), 4096)
    brands = [bytes(data[8:12])] + [bytes(data[k : k + 4]) for k in range(16, min(size, len(data)) - 3, 4)]
    if brands[0] in _AVIF_BRANDS or (brands[0] in _HEIF_BRANDS and _AVIF_BRANDS.intersection(brands)):
        return "avif"
    if brands[0] in _HEIC_BRANDS or brands[0] in _HEIF_BRANDS:
        return "heic"
    return "mp4"
