"""What the instruments leave in the spectrum stands where the geometry says, and fast rasters agree with slow ones."""

from __future__ import annotations

import math
from dataclasses import replace

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from samebody.synth.attacks import capture, injection, prints, screens
from samebody.synth.attacks.capture import APERTURE, CaptureChain, draw_chain
from samebody.synth.attacks.light import to_light
from samebody.synth.attacks.record import Draw, Source, generator
from samebody.synth.attacks.scene import Scene
from samebody.synth.attacks.view import View
from tests.synth.attack_pictures import drawn_face, flat

SIDE = 128


def sharp_chain(sigma: float = 0.3) -> CaptureChain:
    return replace(draw_chain(generator(0, "chain")), lens_sigma=sigma, motion=0.0)


def scene(scale: float = 1.0, degrees: float = 0.0, sigma: float = 0.3, source: Source | None = None) -> Scene:
    turn = math.radians(degrees)
    turned = scale * np.array([[math.cos(turn), -math.sin(turn)], [math.sin(turn), math.cos(turn)]])
    middle = np.array([SIDE / 2, SIDE / 2])
    homography = np.eye(3)
    homography[:2, :2] = turned
    homography[:2, 2] = middle - turned @ middle
    return Scene(source or flat(SIDE), View(homography, (SIDE, SIDE), (SIDE, SIDE)), sharp_chain(sigma), "tight", 0, {})


def peak(plane: np.ndarray, least: float = 0.02) -> tuple[float, float]:
    """(fx, fy) of the strongest frequency, the sign chosen so that fx >= 0."""
    window = np.outer(np.hanning(SIDE), np.hanning(SIDE))
    power = np.abs(np.fft.fft2((plane - plane.mean()) * window))
    fx, fy = np.meshgrid(np.fft.fftfreq(SIDE), np.fft.fftfreq(SIDE))
    power[np.hypot(fx, fy) < least] = 0
    row, column = np.unravel_index(int(power.argmax()), power.shape)
    x, y = float(fx[row, column]), float(fy[row, column])
    return (x, y) if x > 0 or (x == 0 and y >= 0) else (-x, -y)


def folded(frequency: float) -> float:
    """Where sampling once a pixel moves a frequency."""
    return frequency - round(frequency)


def same_frequency(found: tuple[float, float], wanted: tuple[float, float]) -> bool:
    direct = math.dist(found, wanted)
    mirrored = math.dist(found, (-wanted[0], -wanted[1]))
    return min(direct, mirrored) < 2.0 / SIDE


@pytest.mark.parametrize(("ratio", "degrees"), [(0.43, 0.0), (0.7, 4.0), (0.86, 9.0), (1.17, -6.0), (1.3, 3.0)])
def test_moire_of_a_display_stands_where_the_grid_folds(ratio, degrees):
    view = scene(degrees=degrees, sigma=0.15)
    cell = screens.stripe_cell(0.8, 0.02)
    sx, sy = view.grid
    device = ratio * view.view.scale * view.view.jacobian()
    u, v = sx * np.float32(ratio), sy * np.float32(ratio)
    grid = screens.lookup(screens.seen_cell(cell, device, view), u, v)
    turn = math.radians(degrees)
    wanted = (folded(ratio * math.cos(turn)), folded(ratio * math.sin(turn)))
    assert same_frequency(peak(grid[..., 1]), wanted)


@pytest.mark.parametrize(
    ("ratio", "degrees", "sigma"),
    [(0.45, 3.0, 0.3), (0.7, 0.0, 0.5), (1.0, 0.0, 0.25), (1.3, -8.0, 0.27), (1.8, 5.0, 0.4)],
)
def test_the_grid_agrees_with_one_integrated_point_by_point(ratio, degrees, sigma):
    """The oracle: a lens's Gaussian and a square aperture, sampled by many points on the unblurred cell."""
    view = scene(degrees=degrees, sigma=sigma)
    cell = screens.stripe_cell(0.8, 0.2)
    sx, sy = view.grid
    device = ratio * view.view.jacobian()
    part = np.s_[40:48, 40:48]
    fast = screens.lookup(screens.seen_cell(cell, device, view), sx * np.float32(ratio), sy * np.float32(ratio))[part]
    fine = screens.stripe_cell(0.8, 0.2, 128).astype(np.float32)
    random = np.random.default_rng(0)
    count = 30000
    points = random.normal(0, sigma, (count, 2)) + random.uniform(-APERTURE / 2, APERTURE / 2, (count, 2))
    moved = points @ view.view.jacobian().T
    slow = np.zeros_like(fast)
    for row, column in np.ndindex(8, 8):
        x, y = (sx[part][row, column] + moved[:, 0]) * ratio, (sy[part][row, column] + moved[:, 1]) * ratio
        across, down = ((np.floor((v - np.floor(v)) * 128)).astype(int) % 128 for v in (x, y))
        slow[row, column] = fine[down, across].mean(axis=0)
    assert np.abs(fast - slow).max() < 0.06  # the contrast of the cell is 4, so that is the Monte Carlo error
    assert np.abs(fast - slow).mean() < 0.02


@pytest.mark.parametrize("cell", [screens.stripe_cell(0.8, 0.2), screens.diamond_cell(0.4)])
def test_cells_take_no_light_away(cell):
    assert np.allclose(cell.mean(axis=(0, 1)), 1, atol=1e-3)
    assert cell.min() >= 0


def test_defocus_takes_the_grid_away_and_folding_does_not():
    def contrast(sigma: float, ratio: float) -> float:
        view = scene(sigma=sigma, degrees=3)
        cell = screens.stripe_cell(0.8, 0.1)
        sx, sy = view.grid
        seen = screens.seen_cell(cell, ratio * view.view.jacobian(), view)
        return float(screens.lookup(seen, sx * np.float32(ratio), sy * np.float32(ratio))[..., 1].std())

    assert contrast(0.3, 0.6) > contrast(0.6, 0.6) > contrast(1.2, 0.6)
    assert contrast(0.3, 0.6) > contrast(0.3, 0.9) > contrast(0.3, 1.5)
    assert contrast(1.5, 1.5) < 1e-3


@pytest.mark.parametrize("angle", prints.ANGLES)
@pytest.mark.parametrize("pitch", [2.7, 4.0])
def test_halftone_dots_stand_at_their_screen_angle(pitch, angle):
    view = scene()
    sx, sy = view.grid
    sheet = prints.Sheet(sx, sy, np.ones_like(sx))
    seen = prints.clustered(np.full_like(sx, 0.4), view, sheet, 1 / pitch, angle, 1.0)
    turn = math.radians(angle)
    x, y = math.cos(turn) / pitch, math.sin(turn) / pitch
    found = peak(seen)
    assert same_frequency(found, (x, y)) or same_frequency(found, (-y, x))


@settings(max_examples=20)
@given(tone=st.floats(0.0, 1.0), pitch=st.floats(1.5, 5), angle=st.floats(0, 90))
def test_halftone_keeps_the_tone(tone, pitch, angle):
    view = scene()
    sx, sy = view.grid
    sheet = prints.Sheet(sx, sy, np.ones_like(sx))
    seen = prints.clustered(np.full_like(sx, tone), view, sheet, 1 / pitch, angle, 1.0)
    assert seen.min() >= 0
    assert seen.max() <= 1
    assert abs(float(seen.mean()) - tone) < 0.04


def test_blue_noise_is_even_in_tone_and_poor_in_low_frequencies():
    mask = prints.blue_noise()
    assert np.allclose(np.sort(mask, axis=None), np.linspace(0, 1, mask.size), atol=1e-4)
    power = np.abs(np.fft.fft2(mask - mask.mean())) ** 2
    frequency = np.hypot(np.fft.fftfreq(128)[:, None], np.fft.fftfreq(128)[None, :])
    low, high = power[(frequency > 0) & (frequency < 0.1)].mean(), power[frequency > 0.3].mean()
    assert low < 0.05 * high


@given(st.lists(st.floats(0, 1), min_size=4, max_size=4))
def test_ink_reflects_as_the_sum_over_all_overprints(cover):
    """Neugebauer's equation written out: every overprint weighted by Demichel's coverage."""
    plane = np.array(cover, np.float32)[:, None, None]
    expected = np.zeros(3)
    for mask in range(16):
        weight, light = 1.0, np.ones(3)
        for ink in range(4):
            there = bool(mask >> ink & 1)
            weight *= cover[ink] if there else 1 - cover[ink]
            light = light * (prints.INKS[ink] if there else 1.0)
        expected += weight * light
        assert np.allclose(prints._overprints()[0, mask], light, atol=1e-6)
    assert np.allclose(prints.reflect(plane)[0, 0], expected, atol=1e-4)


def test_separation_stays_within_bounds_and_leaves_white_paper_white():
    light = np.linspace(0, 1, 3 * 64, dtype=np.float32).reshape(8, 8, 3)
    cover = prints.separate(light, 0.8)
    assert cover.shape == (4, 8, 8)
    assert cover.min() >= 0
    assert cover.max() <= 1
    assert prints.separate(np.ones((1, 1, 3), np.float32), 0.8).max() < 1e-6


def test_a_silk_surface_shows_its_emboss():
    class Silk(Draw):
        def choice(self, name, options, weights=None):
            chosen = super().choice(name, options, weights)
            return "silk" if name == "surface" else 0 if name == "folds" else chosen

        def log_uniform(self, name, low, high):
            value = super().log_uniform(name, low, high)
            return 5.0 if name == "emboss_pitch" else value

    light = prints.photo(scene(), 1.0, Silk(generator(3)))
    x, y = peak(light[..., 1] - cv2.GaussianBlur(light[..., 1], (0, 0), 4), least=0.08)
    assert abs(math.hypot(x, y) - 1 / 5.0) < 2.5 / SIDE


def test_a_transposed_convolution_leaves_peaks_at_the_stride():
    source = drawn_face(3, SIDE)
    shares = []
    for strength in (0.0, 0.5, 1.0):
        plane = injection.transposed(source, None, strength, Draw(generator(8, "transposed")))[..., 1]
        detail = np.sqrt(plane) - cv2.GaussianBlur(np.sqrt(plane), (0, 0), 2)
        power = np.abs(np.fft.fft2(detail)) ** 2
        half = SIDE // 2
        at_peaks = power[half, half] + power[0, half] + power[half, 0]
        shares.append(at_peaks / power.mean())
    assert shares[0] < shares[1] < shares[2]
    assert shares[2] > 20 * shares[0]


@pytest.mark.parametrize("stride", [2, 4])
def test_an_even_kernel_keeps_flat_areas_flat_and_an_uneven_one_does_not(stride):
    spread = np.zeros((48, 48), np.float32)
    spread[::stride, ::stride] = 100
    even = cv2.filter2D(spread, -1, injection.uneven_kernel(stride, 0.0, generator(0)))[8:40, 8:40]
    uneven = cv2.filter2D(spread, -1, injection.uneven_kernel(stride, 0.2, generator(0)))[8:40, 8:40]
    assert np.allclose(even, 100, atol=1e-3)
    assert uneven.std() > 2
    assert np.allclose(uneven[:stride, :stride], uneven[stride : 2 * stride, stride : 2 * stride], atol=1e-3)


def test_a_codec_leaves_steps_between_its_blocks():
    class Plain(Draw):
        def choice(self, name, options, weights=None):
            super().choice(name, options, weights)
            return options[0]

        def flag(self, name, share):
            super().flag(name, share)
            return False

        def log_uniform(self, name, low, high):
            super().log_uniform(name, low, high)
            return high

    source = drawn_face(4, SIDE)

    def steps(strength: float) -> float:
        plane = np.sqrt(injection.codec(source, None, strength, Plain(generator(1)))[..., 1])
        across = np.abs(np.diff(plane, axis=1)).mean(axis=0)
        on_grid = np.arange(1, SIDE) % 8 == 0
        return float(across[on_grid].mean() / across[~on_grid].mean())

    assert steps(1.0) > steps(0.0) + 0.2


def test_bands_of_a_flickering_display_have_the_drawn_period():
    class Seen(Draw):
        def flag(self, name, share):
            super().flag(name, share)
            return True

    draw = Seen(generator(5))
    rows = screens.banding(512, 1.0, draw, share=0.5, depth=(0.3, 0.3))[:, 0]
    spectrum = np.abs(np.fft.rfft(rows - rows.mean()))
    assert abs(int(spectrum.argmax()) - draw.facts["flicker_periods"]) <= 1
    assert np.allclose(screens.banding(64, 0.0, Seen(generator(5)), share=0.5, depth=(0.3, 0.3)), 1)


def test_transfer_is_one_at_rest_and_falls():
    chain = sharp_chain(0.5)
    f = np.linspace(0, 1, 50)
    along = capture.transfer(f, np.zeros(50), chain)
    assert along[0] == 1
    assert (np.diff(along) <= 1e-12).all()


def test_light_and_pixels_are_inverse():
    from samebody.synth.attacks.light import to_pixels

    ramp = np.arange(256, dtype=np.uint8).reshape(16, 16, 1).repeat(3, axis=2)
    assert np.array_equal(to_pixels(to_light(ramp)), ramp)
