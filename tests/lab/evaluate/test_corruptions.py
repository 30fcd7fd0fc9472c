"""Corruptions: their physics in numbers, severity that grows, and that only the generator decides."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from samebody.capture.srgb import linear
from samebody.errors import UsageError
from samebody.face import FaceDetection
from samebody.lab.evaluate.corruptions import (
    CORRUPTIONS,
    FULL_WELL,
    READ_NOISE,
    REFERENCE_EYES,
    CorruptionError,
    corruption,
    generator,
    line_kernel,
)
from samebody.types import Box


def face(eyes: float = 60.0, size: float = 128.0) -> FaceDetection:
    middle = size / 2
    left, right = middle - eyes / 2, middle + eyes / 2
    points = ((left, 50.0), (right, 50.0), (middle, 70.0), (left, 90.0), (right, 90.0))
    return FaceDetection(Box(24, 20, 80, 90), points, 0.9)


def picture(seed: int = 1, size: int = 128) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (size, size, 3), dtype=np.uint8)


def smooth() -> np.ndarray:
    y, x = np.mgrid[:128, :128]
    grey = 128 + 50 * np.sin(x / 9) + 40 * np.cos(y / 7)
    return np.repeat(grey[:, :, None], 3, axis=2).astype(np.uint8)


@pytest.mark.parametrize("name", CORRUPTIONS)
@given(seed=st.integers(0, 2**32))
@hypothesis_settings(max_examples=5)
def test_one_generator_state_gives_one_picture_and_the_input_stays(name, seed):
    chosen = corruption(name)
    source = picture()
    before = source.copy()
    for strength in chosen.strengths:
        one = chosen.apply(source, face(), strength, np.random.default_rng(seed))
        two = chosen.apply(source, face(), strength, np.random.default_rng(seed))
        assert one.dtype == np.uint8 and one.ndim == 3 and one.shape[2] == 3
        np.testing.assert_array_equal(one, two)
    np.testing.assert_array_equal(source, before)


@pytest.mark.parametrize("name", [name for name in CORRUPTIONS if name != "roll"])
def test_pictures_get_further_from_the_original_as_the_ladder_goes_up(name):
    chosen, source = corruption(name), smooth()
    distances = []
    for strength in chosen.strengths:
        made = [chosen.apply(source, face(), strength, np.random.default_rng(seed)) for seed in range(4)]
        distances.append(np.mean([np.abs(one.astype(float) - source).mean() for one in made]))
    assert distances[0] > 0
    assert distances == sorted(distances)


@pytest.mark.parametrize("name", CORRUPTIONS)
def test_strengths_outside_the_defined_range_are_refused(name):
    chosen = corruption(name)
    for strength in (chosen.low - 1, chosen.high * 1.01 + 1, float("nan")):
        with pytest.raises(CorruptionError, match=name):
            chosen.apply(picture(), face(), strength, np.random.default_rng(0))


def test_an_unknown_corruption_is_named_with_those_that_are_known():
    with pytest.raises(UsageError, match="blur"):
        corruption("fog")


def test_blur_widens_an_edge_by_its_sigma_at_the_size_of_the_face():
    edge = np.zeros((128, 128, 3), dtype=np.uint8)
    edge[:, 64:] = 255
    for eyes in (30.0, 60.0):
        blurred = corruption("blur").apply(edge, face(eyes), 4.0, np.random.default_rng(0))[64, :, 0] / 255
        slope = np.diff(blurred)
        middle = np.sum(slope * np.arange(127))
        sigma = math.sqrt(np.sum(slope * (np.arange(127) - middle) ** 2))
        assert sigma == pytest.approx(4.0 * eyes / REFERENCE_EYES, rel=0.05)


@given(st.floats(0.5, 40), st.floats(0, math.pi))
def test_a_motion_kernel_is_a_line_of_its_length_and_angle(length, angle):
    kernel = line_kernel(length, angle)
    assert kernel.sum() == pytest.approx(1.0) and kernel.min() >= 0
    y, x = np.mgrid[: len(kernel), : len(kernel)] - len(kernel) // 2
    along = x * math.cos(angle) + y * math.sin(angle)
    across = -x * math.sin(angle) + y * math.cos(angle)
    # a uniform line has the variance length^2 / 12; bilinear sampling adds up to a quarter of a pixel
    assert np.sum(kernel * along**2) == pytest.approx(length**2 / 12, rel=0.35, abs=0.4)
    assert np.sum(kernel * across**2) < 0.3


def test_noise_has_the_standard_deviation_that_is_asked_for():
    grey = np.full((200, 200, 3), 128, dtype=np.uint8)
    noisy = corruption("noise").apply(grey, face(), 10.0, np.random.default_rng(3))
    assert noisy.std() == pytest.approx(10.0, rel=0.03)
    assert noisy.mean() == pytest.approx(128.0, abs=0.2)


def test_low_light_keeps_the_mean_of_the_light_and_its_noise_is_that_of_the_electrons():
    value = 200
    grey = np.full((200, 200, 3), value, dtype=np.uint8)
    dark = corruption("low light").apply(grey, face(), 0.25, np.random.default_rng(3))
    light = linear(dark / 255.0)
    expected = float(linear(np.array([value / 255.0]))[0]) * 0.25
    assert light.mean() == pytest.approx(expected, rel=0.01)
    electrons = FULL_WELL * expected
    assert light.std() == pytest.approx(math.sqrt(electrons + READ_NOISE**2) / FULL_WELL, rel=0.1)


@given(st.integers(0, 2**32), st.sampled_from([0.1, 0.3, 0.5, 1.0]))
@hypothesis_settings(max_examples=25)
def test_an_occlusion_covers_its_share_of_the_face_box_and_nothing_beside_it(seed, share):
    grey = np.full((128, 128, 3), 7, dtype=np.uint8)
    covered = corruption("occlusion").apply(grey, face(), share, np.random.default_rng(seed))
    changed = np.any(covered != grey, axis=2)
    if not changed.any():  # the colour may be the picture's own
        return
    assert not changed[:20].any() and not changed[:, :24].any() and not changed[:, 104:].any()
    assert changed.sum() / (80 * 90) == pytest.approx(share, abs=0.03)


def test_resolution_leaves_a_small_face_alone_and_takes_detail_from_a_large_one():
    small = corruption("resolution").apply(picture(), face(20.0), 24.0, np.random.default_rng(0))
    np.testing.assert_array_equal(small, picture())
    large = corruption("resolution").apply(picture(), face(60.0), 6.0, np.random.default_rng(0))
    assert large.shape == (128, 128, 3) and large.std() < 0.2 * picture().std()


def test_yaw_zero_changes_nothing_and_more_of_it_narrows_the_face():
    source = np.zeros((128, 128, 3), dtype=np.uint8)
    source[20:110, 24:104] = 255
    same = corruption("yaw").apply(source, face(), 0.0, np.random.default_rng(0))
    np.testing.assert_array_equal(same, source)
    turned = corruption("yaw").apply(source, face(), 60.0, np.random.default_rng(0))
    width = np.count_nonzero(turned[65, :, 0] > 128)
    assert width == pytest.approx(80 * math.cos(math.radians(60)), rel=0.1)


def test_generators_differ_by_what_they_are_for_and_not_by_the_order_of_calls():
    assert generator(1, "a", 2.0).random() == generator(1, "a", 2.0).random()
    assert len({generator(1, name).random() for name in "abcdef"}) == 6
