"""Windows about a face stay inside the picture, follow the face, and are cut without padding."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from samebody.attacks.crops import Window, cut, views, window
from samebody.types import Box

SIDES = st.integers(16, 400)
PLACES = st.floats(-300, 600, allow_nan=False)
LENGTHS = st.floats(0.5, 900, allow_nan=False)


@given(height=SIDES, width=SIDES, x=PLACES, y=PLACES, wide=LENGTHS, high=LENGTHS, reach=st.floats(0.3, 3))
def test_a_window_is_a_square_inside_the_picture(
    height: int, width: int, x: float, y: float, wide: float, high: float, reach: float
) -> None:
    found = window(Box(x, y, wide, high), (height, width), reach=reach, across=0.3, down=-0.2)
    assert 0 <= found.left <= width - found.side
    assert 0 <= found.top <= height - found.side
    assert 16 <= found.side <= min(height, width)
    assert found.side <= max(16, round(reach * max(wide, high)))


def test_a_window_with_room_is_centred_on_the_face() -> None:
    found = window(Box(100, 120, 40, 60), (400, 400), reach=1.5)
    assert found == Window(75, 105, 90)
    moved = window(Box(100, 120, 40, 60), (400, 400), reach=1.5, across=0.5, down=-0.5)
    assert moved == Window(105, 75, 90)


def test_a_tight_picture_moves_the_window_inside_and_makes_it_smaller() -> None:
    assert window(Box(0, 0, 100, 120), (120, 100), reach=1.3) == Window(0, 10, 100)
    assert window(Box(90, 90, 30, 30), (100, 100), reach=1.0) == Window(70, 70, 30)


def test_a_cut_of_its_own_size_is_the_picture_and_a_smaller_one_averages_areas() -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (90, 120, 3)).astype(np.uint8)
    same = cut(pixels, Window(20, 5, 48), 48)
    assert np.array_equal(same, pixels[5:53, 20:68]) and same.flags.c_contiguous
    half = cut(pixels, Window(0, 0, 80), 40)
    oracle = pixels[:80, :80].reshape(40, 2, 40, 2, 3).mean(axis=(1, 3))
    assert np.abs(half - oracle).max() <= 1
    large = cut(pixels, Window(0, 0, 40), 80)
    assert np.array_equal(large, cv2.resize(pixels[:40, :40], (80, 80), interpolation=cv2.INTER_LINEAR))


@pytest.mark.parametrize("side", [32, 112])
def test_views_are_the_cuts_of_their_windows(side: int) -> None:
    pixels = np.random.default_rng(1).integers(0, 256, (200, 160, 3)).astype(np.uint8)
    box = Box(40, 50, 60, 80)
    places = ((1.3, 0.0, 0.0), (0.8, 0.1, -0.1))
    found = views(pixels, box, side, places)
    assert found.shape == (2, side, side, 3) and found.dtype == np.uint8
    for view, (reach, across, down) in zip(found, places, strict=True):
        where = window(box, (200, 160), reach=reach, across=across, down=down)
        assert np.array_equal(view, cut(pixels, where, side))
