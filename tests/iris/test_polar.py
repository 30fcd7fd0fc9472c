from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from samebody.iris.polar import closed_path, open_path, polar, sample, smooth_radii


@given(st.integers(0, 10_000))
@settings(max_examples=30, deadline=None)
def test_open_path_is_as_cheap_as_the_cheapest_of_all_paths(seed: int) -> None:
    cost = np.random.default_rng(seed).random((5, 4)).astype(np.float32)
    paths = [p for p in itertools.product(range(4), repeat=5) if np.abs(np.diff(p)).max() <= 1]
    cheapest = min(sum(cost[row, column] for row, column in enumerate(path)) for path in paths)
    found = open_path(cost)
    assert np.abs(np.diff(found)).max() <= 1
    assert cost[np.arange(5), found].sum() == pytest.approx(cheapest, abs=1e-5)


@given(st.integers(0, 10_000))
@settings(max_examples=30, deadline=None)
def test_closed_path_moves_one_step_and_follows_a_drawn_ring(seed: int) -> None:
    rng = np.random.default_rng(seed)
    ring = np.round(12 + 6 * np.sin(np.arange(64) * 2 * np.pi / 64 + rng.uniform(0, 6))).astype(int)
    cost = np.ones((64, 24), dtype=np.float32) + 0.1 * rng.random((64, 24)).astype(np.float32)
    cost[np.arange(64), ring] = 0.0
    path = closed_path(cost)
    assert np.array_equal(path, ring)


def test_samples_use_the_corner_of_the_first_pixel_as_origin() -> None:
    image = np.arange(12, dtype=np.float32).reshape(3, 4)
    assert sample(image, np.array([[0.5, 1.5, 1.0]]), np.array([[0.5, 0.5, 0.5]])).tolist() == [[0.0, 1.0, 0.5]]


def test_polar_says_what_lies_outside() -> None:
    _, inside = polar(np.zeros((20, 20), np.uint8), (2.0, 10.0), np.array([1.0, 5.0]), 4)
    assert inside.tolist() == [[True, True], [True, True], [True, False], [True, True]]


def test_smooth_radii_bridge_outliers_and_gaps() -> None:
    angles = np.arange(128) * 2 * np.pi / 128
    truth = 50 + 1.5 * np.cos(2 * angles) + np.sin(angles)
    measured = truth + np.random.default_rng(0).normal(0, 0.3, 128)
    measured[80:110] += 12  # a lid
    weights = np.ones(128)
    weights[0:12] = 0  # nothing seen
    fitted, robust = smooth_radii(measured, weights, 3, stiffness=1e-5, scale=0.5)
    assert np.abs(fitted - truth).max() < 0.6
    assert robust[85:105].max() == 0.0
