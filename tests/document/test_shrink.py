"""Shrinking by halves keeps places and brightness, for any shape."""

from __future__ import annotations

import cv2
import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from samebody.document.shrink import shrink


@given(width=st.integers(1, 700), height=st.integers(1, 700), scale=st.floats(0.001, 1.5), seed=st.integers(0, 9))
def test_any_shape_keeps_at_least_one_pixel_and_about_its_mean(
    width: int, height: int, scale: float, seed: int
) -> None:
    picture = np.full((height, width, 3), 40 + 20 * seed, np.uint8)
    small = shrink(picture, scale)
    assert min(small.shape[:2]) >= 1
    assert abs(float(small.mean()) - float(picture.mean())) <= 1
    if scale >= 1:
        assert small is picture


@given(scale=st.floats(0.08, 0.95), x=st.floats(200, 1200), y=st.floats(200, 800))
def test_a_spot_stays_where_it_was(scale: float, x: float, y: float) -> None:
    picture = np.zeros((1001, 1403), np.uint8)
    cv2.circle(picture, (round(x), round(y)), 40, 255, -1)
    small = shrink(picture, scale).astype(float)
    rows, columns = np.indices(small.shape)
    centre = np.array([(columns * small).sum(), (rows * small).sum()]) / small.sum()
    # half a pixel of the result, because its size is a whole number, and the odd rows and columns left out
    assert np.abs((centre + 0.5) / scale - 0.5 - [round(x), round(y)]).max() < 0.5 / scale + 2
