"""sRGB and linear light."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from samebody.capture.srgb import encoded, linear


def test_linear_light_is_that_of_the_standard() -> None:
    assert linear(np.array([0, 10, 188, 255]) / 255) == pytest.approx([0, 0.003035, 0.502886, 1], abs=1e-5)
    assert linear([0, 1]).tolist() == [0, 1]


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_floats_keep_their_width(dtype: type) -> None:
    values = np.linspace(0, 1, 5, dtype=dtype)
    assert linear(values).dtype == encoded(values).dtype == dtype


@given(st.lists(st.floats(0, 1), min_size=1, max_size=20))
def test_each_undoes_the_other(values: list[float]) -> None:
    np.testing.assert_allclose(encoded(linear(values)), values, atol=1e-7)  # the curve's two parts meet to 3e-8
