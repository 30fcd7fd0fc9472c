from __future__ import annotations

import math

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from samebody.face import geometry

coordinates = st.floats(-500, 500)


@given(st.floats(-180, 180), st.floats(0.05, 20), coordinates, coordinates)
def test_similarity_recovers_the_transform_that_made_the_points(angle, scale, x, y):
    source = np.array([[0.0, 0], [40, 3], [20, 31], [5, 60], [37, 58]])
    turn = math.radians(angle)
    linear = scale * np.array([[math.cos(turn), -math.sin(turn)], [math.sin(turn), math.cos(turn)]])
    target = source @ linear.T + [x, y]
    matrix = geometry.similarity(source, target)
    assert np.allclose(matrix, np.hstack([linear, [[x], [y]]]), atol=1e-6 * max(1.0, scale))


def test_similarity_never_mirrors():
    source = np.array([[0.0, 0], [10, 0], [5, 10], [1, 20], [9, 20]])
    matrix = geometry.similarity(source, source * [-1, 1])
    assert np.linalg.det(matrix[:, :2]) > 0


def test_similarity_agrees_with_the_least_squares_solution():
    random = np.random.default_rng(4)
    source, target = random.normal(size=(5, 2)) * 30, random.normal(size=(5, 2)) * 30
    matrix = geometry.similarity(source, target)
    # a similarity without mirroring is linear in (a, b, tx, ty): x' = a x - b y + tx, y' = b x + a y + ty
    rows = [[x, -y, 1, 0] for x, y in source] + [[y, x, 0, 1] for x, y in source]
    a, b, tx, ty = np.linalg.lstsq(np.array(rows), np.concatenate([target[:, 0], target[:, 1]]), rcond=None)[0]
    assert np.allclose(matrix, [[a, -b, tx], [b, a, ty]], atol=1e-9)


def test_similarity_of_one_repeated_point_is_refused():
    with pytest.raises(ValueError, match="two different"):
        geometry.similarity(np.ones((5, 2)), np.arange(10.0).reshape(5, 2))


@given(st.integers(5, 60), st.integers(5, 60), st.sampled_from([0, 90, 180, 270]))
def test_quarter_turns_move_every_pixel_exactly(width, height, degrees):
    pixels = np.random.default_rng(width * height).integers(0, 256, (height, width, 3)).astype(np.uint8)
    matrix, size = geometry.turned(width, height, degrees)
    turned = geometry.warp(pixels, geometry.corner_to_index(matrix), size)
    assert np.array_equal(turned, np.rot90(pixels, degrees // 90))


@given(st.integers(20, 400), st.integers(20, 400), st.floats(0, 360))
def test_a_turned_picture_is_held_whole_and_maps_back(width, height, degrees):
    matrix, size = geometry.turned(width, height, degrees)
    corners = np.array([[0.0, 0], [width, 0], [width, height], [0, height]])
    mapped = geometry.apply(matrix, corners)
    assert mapped.min() > -1e-6
    assert (mapped <= np.array(size) + 1e-6).all()
    assert np.allclose(geometry.apply(geometry.invert(matrix), mapped), corners, atol=1e-9)


def test_a_strong_reduction_averages_instead_of_skipping_pixels():
    noise = np.random.default_rng(0).integers(0, 256, (800, 800, 3)).astype(np.uint8)
    matrix = np.array([[0.1, 0, 0], [0, 0.1, 0]])
    small = geometry.warp(noise, geometry.corner_to_index(matrix), (80, 80)).astype(float)
    skipped = cv2.warpAffine(noise, geometry.corner_to_index(matrix), (80, 80)).astype(float)
    assert small.std() < 0.3 * skipped.std()


def test_a_reduction_keeps_places():
    pixels = np.zeros((1000, 1000, 3), np.uint8)
    pixels[400:440, 700:760] = 255
    matrix = geometry.similarity(np.array([[0.0, 0], [1000, 0]]), np.array([[0.0, 0], [123, 0]]))
    small = geometry.warp(pixels, geometry.corner_to_index(matrix), (123, 123)).astype(float)[..., 0]
    rows, columns = np.indices(small.shape) + 0.5
    middle = np.array([(columns * small).sum(), (rows * small).sum()]) / small.sum()
    assert np.allclose(middle, np.array([730, 420]) * 0.123, atol=0.25)
