from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from samebody.iris.encode import LogGabor, PhaseBits, log_gabor
from samebody.iris.normalise import RubberSheet, radii_from
from samebody.iris.results import Boundary, EyeImage, Eyelids, Segmentation, Texture


def texture(seed: int = 0, rows: int = 48, columns: int = 512) -> Texture:
    values = np.random.default_rng(seed).normal(100, 20, (rows, columns)).astype(np.float32)
    return Texture(values, np.ones((rows, columns), np.bool_))


@given(st.integers(0, 1000), st.integers(-15, 15))
@settings(max_examples=15, deadline=None)
def test_turning_the_eye_turns_the_code(seed: int, turn: int) -> None:
    one = texture(seed, columns=400)  # two samples a column: whole turns stay on the grid
    two = Texture(np.roll(one.values, 2 * turn, axis=1), one.usable)
    first, second = (PhaseBits().run(LogGabor().run(t)) for t in (one, two))
    both = np.roll(first.mask, turn, axis=1) & second.mask
    assert both.mean() > 0.8
    assert (np.roll(first.code, turn, axis=1) != second.code)[both].mean() < 1e-3


@given(st.floats(0.3, 3.0), st.floats(-50, 50))
@settings(max_examples=15, deadline=None)
def test_brightness_and_contrast_do_not_change_the_code(gain: float, offset: float) -> None:
    one = texture(1)
    two = Texture((one.values * gain + offset).astype(np.float32), one.usable)
    first, second = (PhaseBits().run(LogGabor().run(t)) for t in (one, two))
    assert (first.code != second.code)[first.mask & second.mask].mean() < 1e-3


def test_hidden_pixels_do_not_reach_usable_bits() -> None:
    one = texture(2)
    usable = one.usable.copy()
    usable[:, 100:180] = False
    values = one.values.copy()
    values[:, 100:180] = 255.0
    bits = [PhaseBits().run(LogGabor().run(Texture(v, usable))) for v in (one.values, values)]
    assert np.array_equal(bits[0].code, bits[1].code)
    columns = np.arange(200) * 512 // 200
    assert not bits[0].mask[:, (columns > 112) & (columns < 168)].any()
    assert bits[0].mask[:, (columns > 250) & (columns < 450)].mean() > 0.85


def test_the_weakest_bits_are_masked() -> None:
    responses = LogGabor().run(texture(3))
    bits = PhaseBits(fragile=0.25).run(responses)
    strength = np.stack((np.abs(responses.values.real), np.abs(responses.values.imag)), axis=-1)
    for index in range(2):
        kept, dropped = strength[:, :, index][bits.mask[:, :, index]], strength[:, :, index][~bits.mask[:, :, index]]
        assert dropped.max() <= kept.min()
        assert len(dropped) == pytest.approx(0.25 * strength[:, :, index].size, rel=0.01)


def test_the_wavelet_has_no_response_to_constants_and_one_side() -> None:
    transfer = log_gabor(512, 20.0, 0.4)
    assert transfer[0] == 0 and not transfer[256:].any()
    assert transfer.argmax() == 20


def test_responses_agree_with_a_sum_over_the_circle() -> None:
    one = texture(4, columns=256)
    options = LogGabor(columns=64)
    found = options.run(one).values
    rings = np.linspace(0.08, 0.92, 16)
    place = (np.arange(48) + 0.5) / 48
    window = np.exp(-0.5 * ((rings[:, None] - place) / options.parameters.ring_blur) ** 2)
    level = (window / window.sum(axis=1, keepdims=True)) @ (one.values - one.values.mean(axis=1, keepdims=True))
    angle = np.arange(256) * 2 * np.pi / 256
    naive = np.zeros((16, 64), dtype=complex)
    for f in range(1, 128):
        weight = np.exp(-(np.log(f / 12.0) ** 2) / (2 * np.log(0.4) ** 2))
        amplitude = (level * np.exp(-1j * f * angle)).sum(axis=1) / 256
        naive += weight * amplitude[:, None] * np.exp(1j * f * np.arange(64) * 2 * np.pi / 64)
    assert np.abs(found[:, :, 0] - naive).max() < 1e-3


def circle(x: float, y: float, radius: float) -> Boundary:
    angles = np.arange(128) * 2 * np.pi / 128
    points = np.stack((x + radius * np.cos(angles), y + radius * np.sin(angles)), axis=1)
    return Boundary(points, (x, y), np.ones(128))


def test_rays_reach_an_eccentric_circle_at_the_right_distance() -> None:
    radii = radii_from(circle(53.0, 50.0, 20.0), (50.0, 50.0), 360)
    assert radii[0] == pytest.approx(23.0, abs=0.02)
    assert radii[180] == pytest.approx(17.0, abs=0.02)


def test_a_ring_pattern_unwraps_to_rows_and_a_star_to_columns() -> None:
    y, x = np.mgrid[0:200, 0:200] + 0.5
    radius, angle = np.hypot(x - 100, y - 100), np.arctan2(y - 100, x - 100)
    segmentation = Segmentation(
        circle(100, 100, 25), circle(100, 100, 80), Eyelids(None, None), np.zeros((200, 200), bool)
    )
    rings = RubberSheet().run(EyeImage((2 * radius).clip(0, 255).astype(np.uint8), 1.0, 200, 200), segmentation)
    assert rings.values.std(axis=1).max() < 1.0
    assert np.all(np.diff(rings.values.mean(axis=1)) > 0)
    star = RubberSheet().run(EyeImage((127 + 100 * np.sin(3 * angle)).astype(np.uint8), 1.0, 200, 200), segmentation)
    assert star.values.std(axis=0).max() < 3.0
    assert star.values.mean(axis=0).argmax() % (512 // 3) == pytest.approx(512 / 12, abs=3)


def test_pixels_outside_the_picture_are_not_usable() -> None:
    segmentation = Segmentation(
        circle(100, 30, 15), circle(100, 30, 60), Eyelids(None, None), np.zeros((200, 200), bool)
    )
    usable = RubberSheet().run(EyeImage(np.zeros((200, 200), np.uint8), 1.0, 200, 200), segmentation).usable
    assert usable[:, 128].all()  # downwards
    assert not usable[-1, 384]  # upwards
