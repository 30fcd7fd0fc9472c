"""Broken files of every format end in a typed error or a picture: nothing else, no hang, no flood of memory."""

from __future__ import annotations

import threading
from datetime import timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from samebody.capture import decode_image
from samebody.capture.sniff import sniff
from samebody.config import Limits
from samebody.errors import InputError, ResourceError
from samebody.types import Image
from tests.capture.pictures import valid_pictures

PICTURES = valid_pictures()
LIMITS = Limits(max_pixels=400_000, max_bytes=1_000_000)
SETTINGS = settings(deadline=timedelta(seconds=5), suppress_health_check=[HealthCheck.too_slow])


def attempt(data: bytes) -> Image | None:
    try:
        image = decode_image(data, limits=LIMITS)
    except (InputError, ResourceError) as error:
        assert error.code.startswith("capture.") and error.code != "capture.unusable"
        return None
    assert image.pixels.shape[0] * image.pixels.shape[1] <= LIMITS.max_pixels
    return image


@st.composite
def broken(draw: st.DrawFn) -> bytes:
    """A valid picture with bytes changed, cut out, repeated or put in; headers are hit more often than the rest."""
    data = bytearray(PICTURES[draw(st.sampled_from(sorted(PICTURES)))])
    for _ in range(draw(st.integers(1, 6))):
        if not data:
            break
        head = draw(st.booleans())
        at = draw(st.integers(0, min(len(data), 200 if head else len(data)) - 1))
        match draw(st.sampled_from(["set", "flip", "cut", "end", "repeat", "insert", "number"])):
            case "set":
                data[at] = draw(st.sampled_from([0, 1, 0x7F, 0x80, 0xFE, 0xFF]) | st.integers(0, 255))
            case "flip":
                data[at] ^= 1 << draw(st.integers(0, 7))
            case "cut":
                del data[at : at + draw(st.integers(1, 40))]
            case "end":
                del data[at:]
            case "repeat":
                data[at:at] = data[at : at + draw(st.integers(1, 60))]
            case "insert":
                data[at:at] = draw(st.binary(min_size=1, max_size=20))
            case "number":
                size = draw(st.sampled_from([2, 4]))
                order = draw(st.sampled_from(["little", "big"]))
                value = draw(st.sampled_from([0, 1, 2**8 - 1, 2**15, 2**16 - 1, 2**31 - 1, 2**31, 2**32 - 1]))
                data[at : at + size] = (value % 256**size).to_bytes(size, order)
    return bytes(data)


@settings(SETTINGS, max_examples=600)
@given(broken())
def test_a_broken_picture_is_a_typed_error_or_a_picture(data: bytes) -> None:
    attempt(data)


@settings(SETTINGS, max_examples=150)
@given(st.binary(max_size=400), st.sampled_from([b"", *(data[:24] for data in PICTURES.values())]))
def test_any_bytes_behind_a_beginning(data: bytes, beginning: bytes) -> None:
    attempt(beginning + data)
    sniff(beginning + data)


@pytest.mark.parametrize("name", PICTURES)
def test_every_truncation_is_a_typed_error(name: str) -> None:
    data = PICTURES[name]
    step = max(1, len(data) // 120)
    for size in {*range(0, 64), *range(64, len(data), step), len(data) - 1}:
        image = attempt(data[:size])
        assert image is None, f"{name} cut to {size} of {len(data)} bytes was read"


def test_decoding_in_many_threads_gives_the_same() -> None:
    expected = {name: decode_image(data).pixels.tobytes() for name, data in PICTURES.items()}
    wrong: list[str] = []

    def work() -> None:
        for name, data in PICTURES.items():
            if decode_image(data).pixels.tobytes() != expected[name]:
                wrong.append(name)

    threads = [threading.Thread(target=work) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []


@pytest.mark.slow
@settings(SETTINGS, max_examples=20_000)
@given(broken())
def test_a_broken_picture_is_a_typed_error_or_a_picture_at_length(data: bytes) -> None:
    attempt(data)


@pytest.mark.slow
@pytest.mark.parametrize("name", PICTURES)
def test_every_single_byte_may_be_wrong(name: str) -> None:
    data = PICTURES[name]
    for at in range(len(data)):
        for value in (0xFF, data[at] ^ 0x01):
            attempt(data[:at] + bytes([value]) + data[at + 1 :])
