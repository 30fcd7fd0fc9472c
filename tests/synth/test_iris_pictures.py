from __future__ import annotations

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from samebody.synth.iris import CaptureConditions, SyntheticEye, capture_eye, draw_conditions, draw_identity
from samebody.synth.iris.texture import iris_texture

STILL = CaptureConditions(
    width=320, height=240, radius=55, centre=(160.0, 120.0), openness=1.4, spots=0, lashes=0.0, noise=0.0, blur=0.4
)


def unwrapped(shot: SyntheticEye, rows: int = 16, columns: int = 128) -> np.ndarray:
    """The iris between the true contours, sampled without any of samebody's own code."""
    pupil, limbus = shot.truth.pupil, shot.truth.limbus
    step = len(pupil) // columns
    share = (np.arange(rows) + 0.5)[:, None, None] / rows
    points = (1 - share) * pupil[None, ::step] + share * limbus[None, ::step] - 0.5
    x, y = points[:, :, 0].astype(np.float32), points[:, :, 1].astype(np.float32)
    return cv2.remap(shot.image.astype(np.float32), x, y, cv2.INTER_LINEAR)


def likeness(a: np.ndarray, b: np.ndarray) -> float:
    """Correlation of two unwrapped irises without their slow trend."""
    flat = [x - cv2.GaussianBlur(x, (0, 0), 6) for x in (a, b)]
    return float(np.corrcoef(flat[0].ravel(), flat[1].ravel())[0, 1])


def test_the_same_arguments_give_the_same_pixels_and_others_others() -> None:
    first, again = (capture_eye(draw_identity(1, 2, "left"), 3, width=320, height=240) for _ in range(2))
    assert np.array_equal(first.image, again.image) and first.truth.conditions == again.truth.conditions
    for other in (
        capture_eye(draw_identity(1, 2, "left"), 4, width=320, height=240),
        capture_eye(draw_identity(1, 2, "right"), 3, width=320, height=240),
        capture_eye(draw_identity(1, 3, "left"), 3, width=320, height=240),
        capture_eye(draw_identity(2, 2, "left"), 3, width=320, height=240),
    ):
        assert not np.array_equal(first.image, other.image)


def test_two_pictures_of_one_eye_are_alike_and_of_two_eyes_are_not() -> None:
    eyes = [draw_identity(7, person, side) for person in range(3) for side in ("left", "right")]
    one = [unwrapped(capture_eye(eye, 0, STILL)) for eye in eyes]
    two = [unwrapped(capture_eye(eye, 1, STILL.with_(noise=2.0, blur=0.8, light=0.9))) for eye in eyes]
    table = np.array([[likeness(a, b) for b in two] for a in one])
    assert np.diag(table).min() > 0.7
    assert np.abs(table[~np.eye(6, dtype=bool)]).max() < 0.35


def test_contours_lie_where_the_grey_changes() -> None:
    shot = capture_eye(draw_identity(3, 1), 0, STILL)
    image = shot.image.astype(float)
    centre = shot.truth.pupil.mean(axis=0)

    def mean_at(contour: np.ndarray, factor: float, rows: slice) -> float:
        points = ((contour - centre) * factor + centre - 0.5).round().astype(int)[rows]
        return float(image[points[:, 1], points[:, 0]].mean())

    everywhere, sides = slice(None), np.r_[0:20, 108:148, 236:256]
    assert mean_at(shot.truth.pupil, 0.9, everywhere) < 40 < mean_at(shot.truth.pupil, 1.1, everywhere)
    assert mean_at(shot.truth.limbus, 1.12, sides) > mean_at(shot.truth.limbus, 0.9, sides) + 20  # type: ignore[arg-type]


def test_masks_are_consistent_with_each_other() -> None:
    shot = capture_eye(draw_identity(4, 1), 5, width=320, height=240, difficulty=1.5)
    truth = shot.truth
    assert shot.image.shape == truth.iris.shape == truth.visible.shape == (240, 320) and shot.image.dtype == np.uint8
    assert not (truth.visible & ~truth.iris).any()
    assert not (truth.visible & (truth.lashes | truth.specular)).any()
    assert truth.occlusion == pytest.approx(1 - truth.visible.sum() / truth.iris.sum())
    area = cv2.contourArea(truth.limbus.astype(np.float32)) - cv2.contourArea(truth.pupil.astype(np.float32))
    assert truth.iris.sum() == pytest.approx(area, rel=0.03)


def test_a_closing_eye_hides_more_and_a_closed_one_everything() -> None:
    eye = draw_identity(5, 1)
    hidden = [capture_eye(eye, 0, STILL.with_(openness=o)).truth.occlusion for o in (1.2, 0.8, 0.5, 0.2, 0.0)]
    assert hidden == sorted(hidden) and hidden[0] < 0.1 and hidden[-1] > 0.95


def test_the_pupil_opens_and_the_tissue_follows_unlike_a_rubber_sheet() -> None:
    eye = draw_identity(6, 1)
    narrow, wide = (capture_eye(eye, 0, STILL.with_(dilation=d)) for d in (0.25, 0.6))
    areas = [cv2.contourArea(shot.truth.pupil.astype(np.float32)) for shot in (narrow, wide)]
    assert np.sqrt(areas[1] / areas[0]) == pytest.approx(0.6 / 0.25, rel=0.03)
    rubber = [unwrapped(capture_eye(eye, 0, STILL.with_(dilation=d, stretch=0.0))) for d in (0.25, 0.6)]
    assert likeness(unwrapped(narrow), unwrapped(wide)) < likeness(*rubber)
    assert likeness(*rubber) > 0.5


@given(st.floats(-0.3, 0.3), st.floats(-0.2, 0.2))
@settings(max_examples=5, deadline=None)
def test_a_turned_eye_shows_its_texture_turned_by_what_the_truth_says(roll: float, torsion: float) -> None:
    eye = draw_identity(8, 1)
    upright = unwrapped(capture_eye(eye, 0, STILL))
    shot = capture_eye(eye, 0, STILL.with_(roll=roll, torsion=torsion))
    assert shot.truth.turn == pytest.approx(roll + torsion)
    turned = unwrapped(shot)
    scores = {shift: likeness(np.roll(turned, shift, axis=1), upright) for shift in range(-16, 17)}
    best = max(scores, key=lambda shift: scores[shift])
    assert abs(best + shot.truth.turn / (2 * np.pi) * 128) <= 1.0 and scores[best] > 0.5


def test_gaze_narrows_the_iris_in_its_direction() -> None:
    limbus = capture_eye(draw_identity(9, 1), 0, STILL.with_(gaze=(0.6, 0.0))).truth.limbus
    extent = limbus.max(axis=0) - limbus.min(axis=0)
    assert extent[0] / extent[1] == pytest.approx(np.cos(0.6), rel=0.05)


def test_blur_noise_spots_and_light_do_what_they_say() -> None:
    eye = draw_identity(10, 1)
    sharp = capture_eye(eye, 0, STILL).image.astype(float)

    def detail(image: np.ndarray) -> float:
        return float(cv2.Laplacian(image.astype(np.float32), cv2.CV_32F).std())

    assert detail(capture_eye(eye, 0, STILL.with_(blur=3.0)).image) < 0.5 * detail(sharp)
    assert detail(capture_eye(eye, 0, STILL.with_(motion=9.0)).image) < 0.8 * detail(sharp)
    noisy = capture_eye(eye, 0, STILL.with_(noise=6.0)).image.astype(float) - sharp
    assert 3.0 < noisy[:40].std() < 8.0
    assert capture_eye(eye, 0, STILL.with_(light=0.6)).image.mean() < 0.7 * sharp.mean()
    spotted = capture_eye(eye, 0, STILL.with_(spots=3))
    assert spotted.truth.specular.sum() > 10 and np.median(spotted.image[spotted.truth.specular]) > 200


def test_difficulty_strays_further_and_zero_not_at_all() -> None:
    rng = np.random.default_rng
    ideal = [draw_conditions(rng(seed), difficulty=0.0) for seed in range(5)]
    assert all(c.roll == 0 and c.gaze == (0, 0) and c.openness == 1 and c.dilation == 0.4 for c in ideal)
    spread = [np.std([draw_conditions(rng(s), difficulty=d).dilation for s in range(60)]) for d in (0.5, 1.5)]
    assert spread[1] > 2 * spread[0]


def test_textures_are_normalised_and_periodic() -> None:
    texture = iris_texture(np.random.default_rng(1))
    assert texture.mean() == pytest.approx(0, abs=1e-4) and texture.std() == pytest.approx(1, abs=1e-4)
    seam = np.abs(texture[:, 0] - texture[:, -1]).mean()
    inside = np.abs(np.diff(texture, axis=1)).mean()
    assert seam < 1.5 * inside


@pytest.mark.parametrize(
    "change", [{"width": 10}, {"radius": 2.0}, {"dilation": 0.95}, {"openness": -0.1}, {"spots": -1}, {"noise": -1.0}]
)
def test_impossible_captures_are_refused(change: dict[str, float]) -> None:
    with pytest.raises(ValueError, match=r"synthetic eye|dilation"):
        STILL.with_(**change)
