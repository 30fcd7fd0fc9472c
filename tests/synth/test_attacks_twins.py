"""Twins share everything cheap with their attacks: capture, exposure, sharpness; the probe that looks for shortcuts."""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import minimize

from samebody.synth.attacks import AttackInputError, Pair, Source, capture, families, pair, shortcuts
from samebody.synth.attacks.capture import draw_chain
from samebody.synth.attacks.light import to_light
from samebody.synth.attacks.record import generator
from tests.synth.attack_pictures import drawn_face

ALL = [(species, family) for species, many in families().items() for family in many]
CAMERA = [entry for entry in ALL if entry[0] in ("screen_replay", "print")]


@pytest.fixture(scope="module")
def drawn_pairs() -> list[Pair]:
    """12 pairs of each family from 24 drawn faces."""
    faces = [drawn_face(number, 96) for number in range(24)]
    return [
        pair(
            faces[(3 * k + n) % 24], other=faces[(3 * k + n + 7) % 24], species=species, family=family, seed=100 * n + k
        )
        for n, (species, family) in enumerate(ALL)
        for k in range(12)
    ]


def test_size_quality_blur_and_colour_do_not_tell_attacks_from_twins(drawn_pairs):
    report = shortcuts.probe(drawn_pairs)
    assert report.auc < 0.6
    assert all(value < 0.6 for value in report.by_feature.values())


@pytest.mark.parametrize("species", list(families()))
def test_no_species_has_a_shortcut_of_its_own(drawn_pairs, species):
    own = [made for made in drawn_pairs if made.attack.label.species == species]
    assert shortcuts.probe(own, folds=3).auc < 0.7  # 24 to 36 pairs: the standard error of such an area is 0.07


@pytest.mark.data
@pytest.mark.slow
def test_photographs_have_no_shortcut_either(data_dir):
    files = sorted((data_dir / "fairface" / "images").glob("*.jpg"))[:600:2]
    if not files:
        pytest.skip("no fairface pictures in the development data")
    sources = [Source(cv2.cvtColor(cv2.imread(str(path)), cv2.COLOR_BGR2RGB)) for path in files]
    entries = [entry for entry in ALL if entry[0] in ("screen_replay", "print", "generated", "injection")]
    made = [
        pair(source, species=entries[k % len(entries)][0], family=entries[k % len(entries)][1], seed=k)
        for k, source in enumerate(sources)
    ]
    report = shortcuts.probe(made)
    assert report.auc < 0.6


@pytest.mark.parametrize(
    ("name", "spoil"),
    [
        ("jpeg_quality", lambda pixels, k: (pixels, 40 + k % 3)),
        ("blur", lambda pixels, k: (cv2.GaussianBlur(pixels, (0, 0), 3.0), 80)),
        ("red", lambda pixels, k: (np.clip(pixels.astype(int) + np.array([60, 0, 0]), 0, 255).astype(np.uint8), 80)),
        ("height", lambda pixels, k: (pixels[: -8 - k % 3], 80)),
    ],
)
def test_the_probe_finds_a_planted_shortcut(name, spoil):
    faces = [drawn_face(number, 64) for number in range(30)]
    made = []
    for k, face in enumerate(faces):
        both = pair(face, species="injection", family="codec", seed=k, strength=0.0)
        shots = []
        for role, shot in (("bona_fide", both.bona_fide), ("attack", both.attack)):
            pixels, quality = spoil(face.pixels, k) if role == "attack" else (face.pixels, 80)
            data = capture.encode(np.ascontiguousarray(pixels), quality)
            shots.append(replace(shot, pixels=capture.decode(data), jpeg=data))
        made.append(Pair(shots[0], shots[1]))
    report = shortcuts.probe(made)
    assert report.by_feature[name] > 0.75
    assert report.auc > 0.9


def test_the_probe_asks_for_enough_pairs():
    with pytest.raises(AttackInputError, match="few"):
        shortcuts.probe([])


@given(st.integers(0, 1000))
def test_logistic_regression_agrees_with_a_general_optimiser(seed):
    random = np.random.default_rng(seed)
    x = random.normal(0, 1, (60, 3)) * [1, 10, 0.1] + [0, 5, 1]
    y = (x[:, 0] + random.normal(0, 1, 60) > 0).astype(float)
    if y.min() == y.max():
        return
    fit = shortcuts.fit_logistic(x, y, ridge=0.01)
    design = np.column_stack([(x - x.mean(axis=0)) / x.std(axis=0), np.ones(60)])

    def loss(w):
        z = design @ w
        return np.logaddexp(0, z).sum() - y @ z + 0.5 * 0.01 * 60 * (w[:3] @ w[:3])

    best = minimize(loss, np.zeros(4), method="BFGS", options={"gtol": 1e-9})
    assert loss(fit.weights) <= best.fun + 1e-6


@given(st.lists(st.tuples(st.integers(0, 5), st.booleans()), min_size=2, max_size=30))
def test_area_agrees_with_counting_pairs(rows):
    scores, y = np.array([row[0] for row in rows], float), np.array([row[1] for row in rows], float)
    attack, fair = scores[y == 1], scores[y == 0]
    if not len(attack) or not len(fair):
        return
    expected = np.mean([(a > b) + 0.5 * (a == b) for a in attack for b in fair])
    assert abs(shortcuts.area(scores, y) - expected) < 1e-12


@pytest.mark.parametrize(("species", "family"), CAMERA)
def test_twins_have_the_same_mean_colour_and_sharpness(species, family):
    faces = [drawn_face(number) for number in range(8)]
    made = [pair(face, species=species, family=family, seed=k) for k, face in enumerate(faces)]
    away = [np.abs(m.attack.pixels.mean(axis=(0, 1)) - m.bona_fide.pixels.mean(axis=(0, 1))).max() for m in made]
    assert np.median(away) < 6
    blur = [shortcuts.features(m.attack)[3] - shortcuts.features(m.bona_fide)[3] for m in made]
    assert np.median(np.abs(blur)) < 0.5


def test_sharpness_is_matched_both_ways():
    plane = to_light(drawn_face(5).pixels)[..., 1]
    own = capture.sharpness(plane)
    for change in (-0.8, -0.3, 0.3):
        amount = capture.match_sharpness(plane, own + change)
        assert (amount > 0) == (change < 0)
        assert abs(capture.sharpness(capture.softened(plane, amount)) - own - change) < 0.05
    assert capture.match_sharpness(plane, own + 9) < capture.SHARPEST + 0.1


def test_sharpness_can_look_at_a_part_alone():
    plane = np.zeros((64, 64), np.float32)
    plane[:, 32:] = np.random.default_rng(0).random((64, 32))
    left = np.zeros((64, 64), np.uint8)
    left[:, :30] = 1
    assert capture.sharpness(plane, left) < -10 < capture.sharpness(plane)


def test_a_plain_colour_keeps_its_colour_through_the_mosaic():
    chain = replace(draw_chain(generator(1)), full_well=1e9, read_noise=0.0, contrast=0.0)
    light = np.ones((32, 32, 3), np.float32) * np.array([0.6, 0.3, 0.1], np.float32)
    shown = capture.develop(light, chain, generator(0))
    expected = 255 * (1.055 * np.array([0.6, 0.3, 0.1]) ** (1 / 2.4) - 0.055)
    assert np.allclose(shown[4:-4, 4:-4], expected, atol=0.5)


def test_noise_follows_the_photo_electrons():
    chain = replace(
        draw_chain(generator(1)),
        full_well=1000.0,
        read_noise=5.0,
        contrast=0.0,
        colour_denoise=0.0,
        denoise=0.0,
        sharpening=0.0,
    )
    level = 0.4
    light = np.full((256, 256, 3), level, np.float32)
    shown = capture.develop(light, chain, generator(0))[2:-2:2, 3:-3:2, 1]  # green of the mosaic, not interpolated
    slope = 255 * 1.055 / 2.4 * level ** (1 / 2.4 - 1)
    expected = slope * np.sqrt(level / 1000 + 25 / 1e6)
    assert abs(shown.std() / expected - 1) < 0.1


def test_exposure_reaches_its_target_as_far_as_it_settles():
    light = to_light(drawn_face(2).pixels)
    chain = replace(draw_chain(generator(2)), settling=1.0)
    target = np.array([0.4, 0.5, 0.6])
    assert np.allclose(capture.mean_shown(capture.expose(light, chain, target)), target, atol=1e-3)
    slow = replace(chain, settling=0.5)
    before, after = capture.mean_shown(light), capture.mean_shown(capture.expose(light, slow, target))
    assert np.allclose(after, np.sqrt(before * target), atol=2e-3)


def test_the_last_jpeg_has_the_quality_it_was_drawn():
    from samebody.capture import decode_image

    for seed in range(5):
        made = pair(drawn_face(seed), species="print", family="photo", seed=seed)
        drawn = made.attack.label.parameters["capture"]["jpeg"][-1]
        for shot in (made.attack, made.bona_fide):
            assert decode_image(shot.jpeg).source.jpeg_quality == drawn
