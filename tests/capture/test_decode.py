"""Whatever a file says about its pixels, what comes out is upright 8-bit sRGB."""

from __future__ import annotations

import io
import struct
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image as PillowImage
from PIL import ImageChops, ImageCms, ImageOps

from samebody.capture import decode_image
from samebody.types import Image
from tests.capture.pictures import SIZE, encode, jpeg, png, scene, valid_pictures


def close(image: Image, expected: np.ndarray[Any, Any], tolerance: float = 0) -> None:
    assert image.pixels.shape == expected.shape and image.pixels.dtype == np.uint8
    difference = np.abs(image.pixels.astype(int) - expected.astype(int))
    assert difference.max() <= tolerance if tolerance < 1 else difference.mean() <= tolerance


@pytest.mark.parametrize("name", valid_pictures())
def test_every_format_and_variant_is_read(name: str) -> None:
    data = valid_pictures()[name]
    image = decode_image(data)
    form = name.split()[0]
    assert image.source.format == form
    assert image.source.byte_count == len(data)
    assert (image.source.width, image.source.height) == SIZE
    turned = image.source.orientation == 6
    assert (image.width, image.height) == (SIZE[::-1] if turned else SIZE)
    assert image.pixels.flags.c_contiguous and image.pixels.flags.owndata
    assert image.evidence is not None and image.evidence.id.startswith("image:")
    if name in ("png", "tiff", "tiff lzw", "tiff deflate", "webp lossless", "png alpha"):
        close(image, np.rot90(scene(), -1) if turned else scene())
    elif "bilevel" not in name:
        wanted = scene() if "grey" not in name else np.repeat(scene().mean(-1, keepdims=True), 3, -1).astype(np.uint8)
        tolerance = {"png palette": 30, "png grey 16": 90}.get(name, 25)
        close(image, np.rot90(wanted, -1) if turned else wanted, tolerance)


@pytest.mark.parametrize("form", ["JPEG", "PNG", "WEBP", "TIFF"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_orientation_is_applied(form: str, orientation: int) -> None:
    exif = PillowImage.Exif()
    exif[0x112] = orientation
    data = encode(scene(), form, exif=exif)
    image = decode_image(data)
    picture = PillowImage.fromarray(np.asarray(PillowImage.open(io.BytesIO(data)).convert("RGB")))
    if form == "TIFF":  # Pillow turns TIFF pictures by itself, and this one is stored without loss
        picture = PillowImage.fromarray(scene())
    picture.getexif()[0x112] = orientation
    assert image.source.orientation == orientation
    close(image, np.asarray(ImageOps.exif_transpose(picture)))


def test_an_impossible_orientation_is_ignored() -> None:
    exif = PillowImage.Exif()
    exif[0x112] = 77
    image = decode_image(png(exif=exif))
    assert image.source.orientation == 1
    close(image, scene())


def test_jpeg_pixels_are_those_of_the_library() -> None:
    data = jpeg(subsampling=2)
    close(decode_image(data), np.asarray(PillowImage.open(io.BytesIO(data))))


@pytest.mark.parametrize("quality", [1, 10, 25, 49, 50, 51, 75, 90, 95, 100])
def test_jpeg_quality_is_estimated_from_the_tables(quality: int) -> None:
    assert decode_image(jpeg(quality=quality)).source.jpeg_quality == quality


def test_software_and_camera_are_kept_and_cleaned() -> None:
    exif = PillowImage.Exif()
    exif[0x131], exif[0x10F], exif[0x110] = "Editor\x1b[31m 1.0" + "x" * 500, "Maker", "Model 7"
    for form in ("JPEG", "PNG", "WEBP", "TIFF"):
        source = decode_image(encode(scene(), form, exif=exif)).source
        assert source.camera == "Maker Model 7"
        assert source.software is not None and source.software.startswith("Editor[31m 1.0x")
        assert len(source.software) <= 200 and source.software.isprintable()
    plain = decode_image(png()).source
    assert (plain.software, plain.camera, plain.jpeg_quality) == (None, None, None)


def test_alpha_is_flattened_on_white() -> None:
    picture = PillowImage.fromarray(scene())
    alpha = PillowImage.fromarray(np.tile(np.linspace(0, 255, SIZE[0]).astype(np.uint8), (SIZE[1], 1)))
    picture.putalpha(alpha)
    weight = np.asarray(alpha).astype(float)[..., None] / 255
    expected = scene() * weight + 255 * (1 - weight)
    for form, options in (("PNG", {}), ("WEBP", {"lossless": True, "exact": True}), ("TIFF", {})):
        image = decode_image(encode(picture, form, **options))
        assert image.source.had_alpha and image.source.colour == "RGBA"
        assert np.abs(image.pixels - expected).max() <= 1.5, form


def test_transparent_colours_without_an_alpha_channel_become_white() -> None:
    palette = PillowImage.fromarray(np.array([[0, 1], [1, 0]], np.uint8).repeat(16, 0).repeat(16, 1), "P")
    palette.putpalette([10, 20, 30, 200, 100, 50])
    pixels = decode_image(encode(palette, "PNG", transparency=0)).pixels
    assert pixels[0, 0].tolist() == [255, 255, 255] and pixels[0, 31].tolist() == [200, 100, 50]
    flat = PillowImage.new("RGB", (16, 16), (1, 2, 3))
    assert (decode_image(encode(flat, "PNG", transparency=(1, 2, 3))).pixels == 255).all()
    grey = PillowImage.new("L", (16, 16), 9)
    assert (decode_image(encode(grey, "PNG", transparency=9)).pixels == 255).all()
    deep = PillowImage.fromarray(np.full((16, 16), 4660, np.uint16))
    assert (decode_image(encode(deep, "PNG", transparency=4660)).pixels == 255).all()


def test_16_bits_are_reduced_to_8() -> None:
    levels = np.linspace(0, 65535, 64 * 48).reshape(48, 64).astype(np.uint16)
    for form in ("PNG", "TIFF"):
        image = decode_image(encode(PillowImage.fromarray(levels), form))
        assert image.source.bit_depth == 16
        close(image, np.repeat((levels >> 8).astype(np.uint8)[..., None], 3, -1))


def test_16_bit_colour_is_reduced_to_8() -> None:
    import cv2

    deep = scene().astype(np.uint16) * 257
    for suffix in (".png", ".tiff"):
        ok, data = cv2.imencode(suffix, deep[..., ::-1])
        assert ok
        image = decode_image(data.tobytes())
        assert image.source.bit_depth == 16
        close(image, scene())


def test_cmyk_of_adobe_and_of_others_have_the_same_colours() -> None:
    cmyk = PillowImage.fromarray(scene()).convert("CMYK")
    adobe = encode(cmyk, "JPEG", quality=95)
    at = adobe.index(b"\xff\xee")
    length = struct.unpack(">H", adobe[at + 2 : at + 4])[0]
    assert adobe[at + 4 : at + 9] == b"Adobe"
    inverted = encode(ImageChops.invert(cmyk), "JPEG", quality=95)
    at = inverted.index(b"\xff\xee")
    plain = inverted[:at] + inverted[at + 2 + length :]
    for data in (adobe, plain, encode(cmyk, "TIFF")):
        image = decode_image(data)
        assert image.source.colour == "CMYK"
        close(image, scene(), 4)


def _swapped_profile() -> bytes:
    """An RGB profile whose red and green primaries are exchanged: what it does to colours cannot be overlooked."""
    profile = bytearray(ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())
    count = struct.unpack(">I", profile[128:132])[0]
    places = {bytes(profile[132 + 12 * k : 136 + 12 * k]): 136 + 12 * k for k in range(count)}
    red, green = places[b"rXYZ"], places[b"gXYZ"]
    profile[red : red + 8], profile[green : green + 8] = profile[green : green + 8], profile[red : red + 8]
    return bytes(profile)


def test_a_colour_profile_is_converted_to_srgb() -> None:
    exchanged = scene()[..., [1, 0, 2]]
    for form, options in (("PNG", {}), ("TIFF", {}), ("WEBP", {"lossless": True}), ("JPEG", {"quality": 100})):
        image = decode_image(encode(scene(), form, icc_profile=_swapped_profile(), **options))
        assert image.source.had_profile, form
        close(image, exchanged, 3 if form == "JPEG" else 1)
    picture = PillowImage.fromarray(scene()).convert("RGBA")
    close(decode_image(encode(picture, "PNG", icc_profile=_swapped_profile())), exchanged, 1)


def test_srgb_and_broken_profiles_leave_the_pixels_alone() -> None:
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    for block in (profile, b"no profile at all", profile[:200], _swapped_profile()[:300]):
        image = decode_image(png(icc_profile=block))
        assert not image.source.had_profile
        close(image, scene())


def test_a_profile_of_another_colour_model_is_ignored() -> None:
    lab = ImageCms.ImageCmsProfile(ImageCms.createProfile("LAB")).tobytes()
    close(decode_image(png(icc_profile=lab)), scene())


@pytest.mark.parametrize("form", ["JPEG", "PNG"])
def test_max_side_reduces_and_keeps_the_shape(form: str) -> None:
    large = scene(800, 600)
    data = encode(large, form, quality=95)
    for side in (400, 333, 100, 799):
        image = decode_image(data, max_side=side)
        assert max(image.width, image.height) == side
        assert image.width / image.height == pytest.approx(4 / 3, rel=0.02)
        assert (image.source.width, image.source.height) == (800, 600)
        reference = np.asarray(PillowImage.fromarray(large).resize((image.width, image.height), 4))
        close(image, reference, 3)
    assert decode_image(data, max_side=5000).width == 800
    assert decode_image(data).width == 800


def test_a_path_a_text_and_bytes_give_the_same(tmp_path: Path) -> None:
    data = png()
    path = tmp_path / "no-suffix"
    path.write_bytes(data)
    images = [decode_image(source, role="selfie") for source in (data, bytearray(data), path, str(path))]
    assert len({image.pixels.tobytes() for image in images}) == 1
    assert len({image.evidence.id for image in images if image.evidence}) == 1
    assert images[0].evidence is not None and images[0].evidence.role == "selfie"


def test_decoding_is_silent() -> None:
    """Libraries below print what they think of broken files; nothing of it may reach the caller's terminal."""
    script = """
import io, random, warnings
from samebody.capture import decode_image
from samebody.errors import SamebodyError
from tests.capture.pictures import valid_pictures
for name, data in valid_pictures().items():
    for seed in range(25):
        chance, broken = random.Random(seed), bytearray(data)
        for _ in range(chance.randint(0, 8)):
            broken[chance.randrange(len(broken))] = chance.randrange(256)
        try:
            decode_image(bytes(broken[: chance.randint(len(broken) // 2, len(broken))] if seed % 2 else broken))
        except SamebodyError:
            pass
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=120, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
