"""Each way in which an input is no plain picture has its own code, and is told before memory is reserved."""

from __future__ import annotations

import contextlib
import os
import struct
import sys
import tracemalloc
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image as PillowImage
from PIL import features

from samebody.capture import decode_image, errors
from samebody.config import Limits
from samebody.errors import InputError, ResourceError
from tests.capture.pictures import (
    encode,
    jpeg,
    png,
    png_chunk,
    png_of,
    scene,
    valid_pictures,
    with_comment,
    with_jpeg_size,
    zip_archive,
)

FRAMES = [PillowImage.fromarray(scene(seed=seed)) for seed in range(3)]


def animated(form: str) -> bytes:
    return encode(FRAMES[0], form, save_all=True, append_images=FRAMES[1:], duration=100)


def box(name: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body) + 8) + name + body


def heic(width: int = 640, height: int = 480, brand: bytes = b"heic") -> bytes:
    extent = box(b"ispe", struct.pack(">III", 0, width, height))
    meta = box(b"meta", b"\0\0\0\0" + box(b"iprp", box(b"ipco", extent)))
    return box(b"ftyp", brand + b"\0\0\0\0mif1" + brand) + meta + box(b"mdat", b"\0" * 64)


PDF = b"%PDF-1.4\n1 0 obj\n<< >>\nendobj\ntrailer << >>\n%%EOF"
PROGRAM = b"MZ" + b"\0" * 58 + struct.pack("<I", 64) + b"PE\0\0" + b"\0" * 64

CASES: dict[str, tuple[bytes, str]] = {
    "nothing": (b"", "capture.empty"),
    "text": (b"hello, this is no picture", "capture.not_a_picture"),
    "zeros": (bytes(5000), "capture.not_a_picture"),
    "a page": (b"<!DOCTYPE html><html></html>", "capture.not_a_picture"),
    "svg": (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "capture.not_a_picture"),
    "pdf": (PDF, "capture.not_a_picture"),
    "zip": (zip_archive(), "capture.not_a_picture"),
    "program": (PROGRAM, "capture.not_a_picture"),
    "video": (box(b"ftyp", b"isom\0\0\2\0isomiso2"), "capture.not_a_picture"),
    "cut within the signature": (png()[:5], "capture.truncated"),
    "bmp": (encode(FRAMES[0], "BMP"), "capture.unsupported_format"),
    "still gif": (encode(FRAMES[0], "GIF"), "capture.unsupported_format"),
    "jpeg 2000": (encode(FRAMES[0], "JPEG2000"), "capture.unsupported_format"),
    "float tiff": (encode(PillowImage.fromarray(np.ones((32, 32), np.float32)), "TIFF"), "capture.unsupported_format"),
    "tiff of many samples": (
        encode(FRAMES[0], "TIFF").replace(
            b"\x15\x01\x03\x00\x01\x00\x00\x00\x03\x00", b"\x15\x01\x03\x00\x01\x00\x00\x00\xff\x00"
        ),
        "capture.unsupported_format",
    ),
    "12 bit jpeg": (jpeg().replace(b"\xff\xc0\x00\x11\x08", b"\xff\xc0\x00\x11\x0c"), "capture.unsupported_format"),
    "lossless jpeg": (jpeg().replace(b"\xff\xc0\x00\x11", b"\xff\xc3\x00\x11"), "capture.unsupported_format"),
    "animated gif": (animated("GIF"), "capture.animated"),
    "animated png": (animated("PNG"), "capture.animated"),
    "animated webp": (animated("WEBP"), "capture.animated"),
    "pages of tiff": (animated("TIFF"), "capture.animated"),
    "heic sequence": (heic(brand=b"hevc"), "capture.animated"),
    "1 pixel png": (encode(scene(1, 1), "PNG"), "capture.too_small"),
    "1 pixel jpeg": (encode(scene(1, 1), "JPEG"), "capture.too_small"),
    "1 pixel webp": (encode(scene(1, 1), "WEBP"), "capture.too_small"),
    "1 pixel tiff": (encode(scene(1, 1), "TIFF"), "capture.too_small"),
    "a line": (encode(scene(500, 2), "PNG"), "capture.too_small"),
    "no width png": (png_of(0, 48), "capture.zero_size"),
    "no height png": (png_of(48, 0), "capture.zero_size"),
    "no height jpeg": (with_jpeg_size(jpeg(), 64, 0), "capture.zero_size"),
    "gigapixel png": (png_of(40_000, 40_000), "capture.too_many_pixels"),
    "largest png": (png_of(2**31 - 1, 2**31 - 1), "capture.too_many_pixels"),
    "gigapixel jpeg": (with_jpeg_size(jpeg(), 65_500, 65_500), "capture.too_many_pixels"),
    "gigapixel heic": (heic(65_000, 65_000), "capture.too_many_pixels"),
    "cut jpeg": (jpeg()[:-20], "capture.truncated"),
    "cut png": (png()[:-20], "capture.truncated"),
    "cut webp": (valid_pictures()["webp"][:-20], "capture.truncated"),
    "cut tiff": (valid_pictures()["tiff lzw"][:-2000], "capture.truncated"),
    "cut heic": (heic()[:-20], "capture.truncated"),
    "png with a wrong checksum": (png().replace(b"IDAT", b"IDAU"), "capture.corrupt"),
    "png without pixels": (png_of(64, 48, pixels=b"")[:33] + png_chunk(b"IEND", b""), "capture.corrupt"),
    "jpeg without pixels": (b"\xff\xd8\xff\xd9", "capture.corrupt"),
    "pdf behind a jpeg": (jpeg() + PDF, "capture.polyglot"),
    "pdf in a jpeg": (with_comment(jpeg(), PDF), "capture.polyglot"),
    "zip behind a png": (png() + zip_archive(), "capture.polyglot"),
    "zip in a jpeg comment at the end": (jpeg()[:-2] + b"\xff\xfe\x00\x18PK\x05\x06" + bytes(18) + b"\xff\xd9", ""),
    "page behind a webp": (valid_pictures()["webp"] + b"<html><body>", "capture.polyglot"),
    "script in a comment": (with_comment(jpeg(), b"*/=alert(1)/*<script >x</script>"), "capture.polyglot"),
    "php in a png": (
        png()[:33] + png_chunk(b"tEXt", b"Comment\0<?php system($x); ?>") + png()[33:],
        "capture.polyglot",
    ),
    "script in a tiff": (encode(scene(), "TIFF", description="<script >alert(1)</script>"), "capture.polyglot"),
    "program behind a jpeg": (jpeg() + b"\0" * 9 + PROGRAM, "capture.polyglot"),
    "elf behind a tiff": (valid_pictures()["tiff"] + b"\x7fELF\x02\x01\x01", "capture.polyglot"),
    "rar behind a png": (png() + b"junk" + b"Rar!\x1a\x07\x01\x00", "capture.polyglot"),
    "gif behind a jpeg": (jpeg() + b"GIF89a" + bytes(30), "capture.polyglot"),
}


@pytest.mark.parametrize("name", [name for name, (_, code) in CASES.items() if code])
def test_each_fault_has_its_own_code(name: str) -> None:
    data, code = CASES[name]
    with pytest.raises(InputError) as caught:
        decode_image(data)
    assert caught.value.code == code
    assert caught.value.exit_code == 65
    assert caught.value.message.endswith(".")


HARMLESS: dict[str, Callable[[bytes], bytes]] = {
    "zeros": lambda data: data + bytes(4096),
    "white space": lambda data: data + b"\r\n\r\n  ",
    "a second picture of the multi-picture format": lambda data: data + jpeg(quality=50),
    "padding and a second picture": lambda data: data + bytes(300) + jpeg(quality=50),
    "the video of a motion photograph": lambda data: (
        data + box(b"ftyp", b"mp42\0\0\0\0isommp42") + box(b"mdat", b"x" * 99)
    ),
    "a trailer of the maker": lambda data: data + b"\0\0\x01\x0a\x0e\0\0\0Image_UTC_Data1700000000SEFHk\0\0\0SEFT",
    "XMP": lambda data: with_comment(data, b"http://ns.adobe.com/xap/1.0/\0<?xpacket?><x:xmpmeta/>"),
}


@pytest.mark.parametrize("name", HARMLESS)
def test_what_cameras_append_is_no_polyglot(name: str) -> None:
    data = jpeg()
    changed = decode_image(HARMLESS[name](data))
    assert (changed.pixels == decode_image(data).pixels).all()


def test_random_pictures_are_never_taken_for_polyglots() -> None:
    rng = np.random.default_rng(1)
    for seed in range(40):
        noise = rng.integers(0, 256, (96, 96, 3), dtype=np.uint8)
        for form in ("JPEG", "PNG", "TIFF", "WEBP"):
            decode_image(encode(noise, form) + bytes(seed))


def test_large_claims_cost_no_memory() -> None:
    claims = [CASES[name][0] for name in CASES if "gigapixel" in name or "largest" in name]
    tracemalloc.start()
    try:
        for data in claims:
            with pytest.raises(errors.TooManyPixelsError):
                decode_image(data)
        assert tracemalloc.get_traced_memory()[1] < 2_000_000
    finally:
        tracemalloc.stop()


def test_a_claim_within_the_limit_but_without_pixels_is_truncated_or_corrupt() -> None:
    with pytest.raises((errors.TruncatedError, errors.CorruptError)):
        decode_image(png_of(500, 400))


def test_limits_are_those_of_the_caller(tmp_path: Path) -> None:
    data = png()
    decode_image(data, limits=Limits(max_bytes=len(data), max_pixels=64 * 48, min_side=48))
    with pytest.raises(errors.TooManyBytesError):
        decode_image(data, limits=Limits(max_bytes=len(data) - 1))
    with pytest.raises(errors.TooManyPixelsError):
        decode_image(data, limits=Limits(max_pixels=64 * 48 - 1))
    with pytest.raises(errors.TooSmallError):
        decode_image(data, limits=Limits(min_side=49))
    path = tmp_path / "sparse"
    with path.open("wb") as stream:
        stream.truncate(10**12)  # a terabyte that takes no room: the size alone has to be enough
    with pytest.raises(errors.TooManyBytesError):
        decode_image(path)


def test_a_jpeg_with_endless_scans_is_refused() -> None:
    data = jpeg(progressive=True)
    at = data.index(b"\xff\xda")
    stop = data.index(b"\xff\xda", at + 2) if data.count(b"\xff\xda") > 1 else len(data) - 2
    with pytest.raises(errors.TooComplexError):
        decode_image(data[:stop] + data[at:stop] * 200 + data[stop:])


def test_many_scans_over_many_pixels_are_refused_though_both_are_allowed_alone() -> None:
    data = with_jpeg_size(jpeg(progressive=True), 60_000, 30_000)
    with pytest.raises(errors.TooComplexError):
        decode_image(data, limits=Limits(max_pixels=10**10))


def test_a_png_that_unpacks_to_far_more_than_its_size_costs_little() -> None:
    bomb = png_of(64, 48, pixels=bytes(50_000_000))
    tracemalloc.start()
    try:
        with contextlib.suppress(errors.CaptureError):
            decode_image(bomb)
        assert tracemalloc.get_traced_memory()[1] < 5_000_000
    finally:
        tracemalloc.stop()
    text = png_chunk(b"zTXt", b"Comment\0\0" + zlib.compress(bytes(80_000_000)))
    with contextlib.suppress(errors.CaptureError):
        decode_image(png()[:33] + text + png()[33:])


def test_thumbnails_of_a_tiff_are_no_pages() -> None:
    thumbnail = PillowImage.fromarray(scene()).resize((32, 24))
    thumbnail.encoderinfo = {"tiffinfo": {254: 1}}  # type: ignore[attr-defined]
    data = encode(FRAMES[0], "TIFF", save_all=True, append_images=[thumbnail])
    assert (decode_image(data).pixels == scene()).all()


@pytest.mark.parametrize("name", ["none", "folder", "pipe"])
def test_paths_that_are_no_files(name: str, tmp_path: Path) -> None:
    path = tmp_path / name
    if name == "folder":
        path.mkdir()
    if name == "pipe":
        os.mkfifo(path)  # reading it would wait for ever
    with pytest.raises(errors.NoSuchFileError) as caught:
        decode_image(path)
    assert caught.value.code == "capture.no_such_file"


def test_a_path_with_a_zero_byte_is_a_typed_error() -> None:
    with pytest.raises((errors.NoSuchFileError, errors.UnreadableFileError)):
        decode_image("a\0b")


def test_heic_without_its_decoder_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pillow_heif", None)
    for brand in (b"heic", b"heix", b"mif1"):
        with pytest.raises(ResourceError) as caught:
            decode_image(heic(brand=brand))
        assert caught.value.code == "capture.decoder_not_installed"
        assert "samebody[heic]" in caught.value.hint


@pytest.mark.skipif(not features.check("avif"), reason="this build of Pillow has no AVIF")
def test_avif_is_read_where_pillow_can(monkeypatch: pytest.MonkeyPatch) -> None:
    data = encode(scene(), "AVIF", quality=95)
    image = decode_image(data)
    assert image.source.format == "avif" and (image.width, image.height) == (64, 48)
    assert np.abs(image.pixels.astype(int) - scene()).mean() < 4
    exif = PillowImage.Exif()
    exif[0x112] = 6
    turned = decode_image(encode(scene(), "AVIF", quality=95, exif=exif))
    assert np.abs(turned.pixels.astype(int) - np.rot90(scene(), -1)).mean() < 4
    monkeypatch.setattr(features, "check", lambda name: False)
    with pytest.raises(errors.DecoderNotInstalledError):
        decode_image(data)


def test_every_code_is_used_by_one_class_only() -> None:
    classes = [value for value in vars(errors).values() if isinstance(value, type) and "code" in vars(value)]
    codes = [value.code for value in classes if value.__module__ == errors.__name__]
    assert len(codes) == len(set(codes)) >= 18
    assert all(code.startswith("capture.") for code in codes)
