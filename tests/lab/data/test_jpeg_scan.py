"""Broken scans are found that decoders let pass, and whole ones never complained about."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from samebody.lab.data.facts import DAMAGED, pixel_facts
from samebody.lab.data.jpeg_scan import scan_fault
from tests.lab.data.pictures import encoded, picture


def saved(seed: int, width: int, height: int, mode: str = "RGB", **options: int) -> bytes:
    sink = io.BytesIO()
    picture(seed, 240).convert(mode).resize((width, height)).save(sink, "JPEG", **options)
    return sink.getvalue()


@settings(max_examples=80)
@given(
    st.integers(0, 999),
    st.integers(16, 90),
    st.integers(16, 90),
    st.sampled_from(["RGB", "L", "CMYK"]),
    st.integers(5, 100),
    st.sampled_from([0, 1, 2]),
    st.sampled_from([0, 1, 3]),
    st.booleans(),
    st.booleans(),
)
def test_whole_pictures_of_every_make_have_no_fault(
    seed: int, width: int, height: int, mode: str, quality: int, chroma: int, restart: int, best: bool, steps: bool
) -> None:
    options = {"quality": quality, "subsampling": chroma, "optimize": best, "progressive": steps}
    if restart:
        options["restart_marker_blocks"] = restart
    assert scan_fault(saved(seed, width, height, mode, **options)) == ""


@settings(max_examples=80)
@given(st.integers(0, 999), st.sampled_from(["overwritten", "zeroed", "cut"]), st.integers(0, 2**32))
def test_scans_that_were_overwritten_zeroed_or_cut_are_found(seed: int, kind: str, draw: int) -> None:
    data = saved(seed, 200, 200, quality=90)
    random = np.random.default_rng(draw)
    place = int(random.integers(len(data) // 3, 2 * len(data) // 3))
    length = len(data) // 8
    fill = random.bytes(length) if kind == "overwritten" else bytes(length)
    broken = data[:place] if kind == "cut" else data[:place] + fill + data[place + length :]
    assert scan_fault(broken)


def test_a_restart_marker_that_is_gone_is_found() -> None:
    data = saved(1, 64, 64, quality=80, restart_marker_blocks=2)
    place = data.index(b"\xff\xd3")
    assert "restart" in scan_fault(data[:place] + b"\xff\xd5" + data[place + 2 :])


@given(st.binary(max_size=300))
def test_anything_at_all_is_answered(data: bytes) -> None:
    assert isinstance(scan_fault(b"\xff\xd8" + data), str)
    whole = saved(2, 32, 32)
    assert isinstance(scan_fault(whole[: len(data)] + data + whole[len(data) :]), str)


def test_a_damaged_picture_that_decodes_counts_as_unreadable(tmp_path: Path) -> None:
    data = saved(3, 200, 200, quality=90)
    middle = len(data) // 2
    broken = data[:middle] + bytes(400) + data[middle + 400 :]
    Image.open(io.BytesIO(broken)).load()  # the decoder says nothing
    (tmp_path / "a.jpg").write_bytes(broken)
    assert pixel_facts(tmp_path / "a.jpg").error == DAMAGED
    (tmp_path / "a.jpg").write_bytes(data)
    assert pixel_facts(tmp_path / "a.jpg").format == "jpeg"
    (tmp_path / "b.png").write_bytes(encoded(picture(1)))
    assert pixel_facts(tmp_path / "b.png").error == ""
