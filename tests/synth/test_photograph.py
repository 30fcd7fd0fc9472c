"""Photographs of specimens: exact polygons, the drawn conditions really present, the committed ranges kept."""

from __future__ import annotations

import math
from dataclasses import replace

import cv2
import numpy as np
import pytest

from samebody.errors import UsageError
from samebody.synth import optics
from samebody.synth.camera import Pose, polygon_area, project, solve
from samebody.synth.layout import MRZ_CAP_HEIGHT
from samebody.synth.page import Specimen
from samebody.synth.photograph import (
    draw_conditions,
    lay_page,
    photograph,
    project_truth,
    ranges,
    scan,
    solve_view,
)
from samebody.synth.specimen import render
from samebody.synth.truth import SpecimenTruth
from samebody.types import Image

STILL = {
    "blur_sigma_px": 0.05,
    "blur_motion_degrees": None,
    "noise_sigma": 0.0,
    "shadow_strength": 0.0,
    "glare_strength": 0.0,
    "vignette": 0.0,
    "exposure": 1.0,
    "white_balance": [1.0, 1.0, 1.0],
    "jpeg_quality": 100,
    "colour_filter": False,
    "surroundings": "desk",
    "open_booklet": False,
}


@pytest.fixture(scope="module")
def passport() -> Specimen:
    return render("TD3", seed=6, dots_per_inch=300)


def marked(specimen: Specimen, points: list[tuple[float, float]], radius: float = 9.0) -> Specimen:
    """The specimen with its page black but for white discs at ``points`` (flat pixels)."""
    height, width = specimen.image.height, specimen.image.width
    y, x = np.mgrid[0:height, 0:width] + 0.5
    page = np.zeros((height, width), np.float64)
    for px, py in points:
        page = np.maximum(page, np.clip(radius - np.hypot(x - px, y - py) + 0.5, 0, 1))
    pixels = np.repeat(np.rint(255 * page).astype(np.uint8)[..., None], 3, axis=2)
    return replace(specimen, image=Image(pixels))


def truth_of(specimen: Specimen, difficulty: str, seed: int) -> SpecimenTruth:
    """The truth of a photograph without its pixels; the same values ``photograph`` states (held by a test below)."""
    drawn = draw_conditions(difficulty, np.random.default_rng([seed, 11]))
    return project_truth(specimen, solve_view(specimen, drawn, None), drawn)


def test_the_truth_without_pixels_is_the_photographs(passport: Specimen) -> None:
    shot, alone = photograph(passport, difficulty="hard", seed=4), truth_of(passport, "hard", 4)
    assert (shot.truth.page, shot.truth.mrz, shot.truth.ghost) == (alone.page, alone.mrz, alone.ghost)
    assert (shot.image.width, shot.image.height) == (alone.parameters["width"], alone.parameters["height"])


@pytest.mark.parametrize("seed", range(3))
def test_polygons_lie_where_markers_are_seen(passport: Specimen, seed: int) -> None:
    """Discs printed at the corners of MRZ, portrait and ghost are found at the truth's corners within 0.3 pixels."""
    flat = passport.truth
    quads = {"mrz": flat.mrz, "portrait": flat.portrait, "ghost": flat.ghost}
    for name, quad in quads.items():
        assert quad is not None
        shot = photograph(marked(passport, list(quad)), difficulty="hard", seed=seed, conditions=STILL)
        truth = getattr(shot.truth, name)
        grey = shot.image.pixels[..., 1].astype(np.float64)
        for x, y in truth:
            reach = 12
            left, top = int(x) - reach, int(y) - reach
            if left < 0 or top < 0:
                continue
            part = grey[top : top + 2 * reach, left : left + 2 * reach]
            weight = np.clip(part - 40, 0, None)
            rows, columns = np.mgrid[0 : part.shape[0], 0 : part.shape[1]] + 0.5
            seen = (left + (weight * columns).sum() / weight.sum(), top + (weight * rows).sum() / weight.sum())
            assert math.hypot(seen[0] - x, seen[1] - y) < 0.3, (name, seen, (x, y))


def test_the_page_polygon_is_the_outline_that_is_seen(passport: Specimen) -> None:
    white = replace(passport, image=Image(np.full_like(passport.image.pixels, 255)))
    black = replace(passport, image=Image(np.zeros_like(passport.image.pixels)))
    shots = [photograph(page, difficulty="moderate", seed=3, conditions=STILL) for page in (white, black)]
    share = (shots[0].image.pixels[..., 1].astype(float) - shots[1].image.pixels[..., 1]) / 255
    area = polygon_area(np.array(shots[0].truth.page))
    corner_px = passport.layout.corner * math.sqrt(area / (passport.layout.width * passport.layout.height))
    assert share.sum() == pytest.approx(area - (4 - math.pi) * corner_px**2, rel=2e-3)


@pytest.mark.parametrize("difficulty", ["moderate", "hard"])
@pytest.mark.parametrize("format", ["TD1", "TD2", "TD3", "MRV-A", "MRV-B"])
def test_an_mrz_capital_is_as_high_as_drawn_at_the_centre_of_the_mrz(format: str, difficulty: str) -> None:
    specimen = render(format, seed=1, dots_per_inch=200)  # type: ignore[arg-type]
    dots = 200 / 25.4
    for seed in range(20):
        truth = truth_of(specimen, difficulty, seed)
        matrix = np.array(truth.parameters["homography"])
        centre = np.mean(specimen.truth.mrz, axis=0)
        half = np.array([0, MRZ_CAP_HEIGHT * dots / 2])
        ends = project(matrix, np.array([centre - half, centre + half]))
        drawn = truth.parameters["character_height_px"]
        assert float(np.hypot(*(ends[1] - ends[0]))) == pytest.approx(drawn, rel=1e-6)
        low, high = ranges()[difficulty]["character_height_px"]
        assert low <= drawn <= high


@pytest.mark.parametrize("difficulty", ["moderate", "hard"])
def test_conditions_stay_in_the_committed_ranges_and_fill_them(difficulty: str) -> None:
    bounds = ranges()[difficulty]
    drawn = [draw_conditions(difficulty, np.random.default_rng(seed)) for seed in range(400)]
    for name in (
        "tilt_degrees",
        "character_height_px",
        "blur_sigma_px",
        "noise_sigma",
        "jpeg_quality",
        "shadow_strength",
    ):
        low, high = bounds[name]
        values = np.array([conditions[name] for conditions in drawn])
        assert low <= values.min() < low + 0.05 * (high - low) + 0.5
        assert high - 0.05 * (high - low) - 0.5 < values.max() <= high
    turns = np.abs([conditions["rotation_degrees"] for conditions in drawn])
    assert turns.max() <= bounds["rotation_degrees"][1]
    assert np.mean([c["quarter_turn_degrees"] != 0 for c in drawn]) == pytest.approx(
        bounds["quarter_turn_share"], abs=0.08
    )
    assert np.mean([c["blur_motion_degrees"] is not None for c in drawn]) == pytest.approx(
        bounds["blur_motion_share"], abs=0.08
    )
    assert np.mean([c["glare_strength"] > 0 for c in drawn]) == pytest.approx(bounds["glare_share"], abs=0.08)


@pytest.mark.parametrize("difficulty", ["moderate", "hard"])
def test_the_whole_page_is_in_the_picture_and_leaves_the_share_of_background_asked_for(difficulty: str) -> None:
    specimen = render("TD3", seed=0, dots_per_inch=200)
    low, high = ranges()[difficulty]["background_share"]
    for seed in range(60):
        truth = truth_of(specimen, difficulty, seed)
        corners, size = np.array(truth.page), (truth.parameters["width"], truth.parameters["height"])
        assert corners.min() >= 0
        assert (corners <= size).all()
        share = 1 - polygon_area(corners) / (size[0] * size[1])
        assert share == pytest.approx(truth.parameters["background_share"], abs=1e-3)
        assert low - 0.01 <= share <= high + 0.01


def test_the_camera_tilts_by_the_angle_asked_for() -> None:
    """The homography is decomposed again: its rotation's third axis makes the drawn angle with the optical axis."""
    pose = Pose(rotation_degrees=33.0, tilt_degrees=24.0, tilt_azimuth_degrees=110.0, focal_ratio=0.8)
    segment = np.array([[60.0, 70.0], [60.0, 72.4]])
    view = solve(
        (125.0, 88.0), pose, segment_mm=segment, segment_px=20.0, page_share=0.6, aspect=4 / 3, offset=(0.3, -0.2)
    )
    centre = project(view.homography, np.array([[62.5, 44.0]]))[0]  # the optical axis meets the page's centre
    intrinsic = np.array([[view.focal_px, 0, centre[0]], [0, view.focal_px, centre[1]], [0, 0, 1.0]])
    columns = np.linalg.inv(intrinsic) @ view.homography
    first, second = columns[:, 0] / np.linalg.norm(columns[:, 0]), columns[:, 1] / np.linalg.norm(columns[:, 1])
    assert abs(float(first @ second)) < 1e-9  # a rigid pose: the axes of the page stay orthogonal
    normal = np.cross(first, second)
    assert math.degrees(math.acos(abs(float(normal[2])))) == pytest.approx(24.0, abs=1e-6)


def test_the_same_arguments_give_the_same_bytes(passport: Specimen) -> None:
    first = photograph(passport, difficulty="hard", seed=9)
    again = photograph(passport, difficulty="hard", seed=9)
    assert first.jpeg == again.jpeg
    assert first.truth == again.truth
    assert photograph(passport, difficulty="hard", seed=10).jpeg != first.jpeg


def test_the_image_is_what_the_jpeg_decodes_to(passport: Specimen) -> None:
    shot = photograph(passport, difficulty="moderate", seed=2)
    assert (optics.decode_jpeg(shot.jpeg) == shot.image.pixels).all()
    assert shot.image.source.format == "jpeg"
    assert shot.image.source.jpeg_quality == shot.truth.parameters["jpeg_quality"]
    assert shot.image.source.byte_count == len(shot.jpeg)


@pytest.mark.parametrize("megapixels", [1.0, 2.0])
def test_the_photograph_has_the_size_asked_for(passport: Specimen, megapixels: float) -> None:
    shot = photograph(passport, difficulty="clean", seed=1, megapixels=megapixels)
    assert shot.image.width * shot.image.height == pytest.approx(megapixels * 1e6, rel=0.02)


def test_fine_lines_average_out_instead_of_aliasing() -> None:
    """One-pixel lines on the page, a third as large on the photograph, become grey without a beat."""
    page = np.zeros((1200, 1200, 3), np.uint8)
    page[:, ::2] = 255
    seen = lay_page(
        page,
        0.0,
        np.array([[0.31, 0.004, 20], [-0.003, 0.31, 20], [0, 0, 1.0]]),
        np.zeros((420, 420, 3), np.uint8),
        np.random.default_rng(0),
    )
    inner = seen[60:350, 60:350]
    assert inner.mean() == pytest.approx(127.5, abs=2)
    assert inner.std() < 4


def test_glare_keeps_off_the_mrz_where_the_ranges_say_so(passport: Specimen) -> None:
    plain = replace(passport, image=Image(np.full_like(passport.image.pixels, 100)))
    for seed in range(2):
        still = STILL | {"character_height_px": 16.0}
        with_glare = photograph(plain, difficulty="moderate", seed=seed, conditions=still | {"glare_strength": 0.6})
        without = photograph(plain, difficulty="moderate", seed=seed, conditions=still)
        zone = np.zeros(with_glare.image.pixels.shape[:2], np.uint8)
        cv2.fillPoly(zone, [np.rint(np.array(with_glare.truth.mrz)).astype(np.int32)], 1)
        change = with_glare.image.pixels[..., 1].astype(int) - without.image.pixels[..., 1]
        assert change.max() > 25
        assert change[zone > 0].max() <= 0.05 * 0.6 * 155 + 6


# ------------------------------------------------------------------------------------------------- optics by itself


@pytest.mark.parametrize("sigma", [1.0, 6.0, 12.0])
@pytest.mark.parametrize("colour_share", [0.1, 0.5])
def test_noise_has_the_deviation_asked_for_at_mid_grey(sigma: float, colour_share: float) -> None:
    picture = np.full((400, 400, 3), optics.MID_GREY, np.float32)
    optics.add_noise(picture, sigma, colour_share, np.random.default_rng(4))
    assert picture.std() == pytest.approx(sigma, rel=0.04)
    assert picture.mean() == pytest.approx(optics.MID_GREY, abs=0.1)


@pytest.mark.parametrize("direction", [None, 0.0, 0.7, math.pi / 2])
def test_blur_spreads_a_point_by_the_sigma_asked_for(direction: float | None) -> None:
    sigma = 1.3
    point = np.zeros((61, 61, 3), np.float32)
    point[30, 30] = 1000.0
    seen = optics.blur(point, sigma, direction)[..., 0]
    assert seen.sum() == pytest.approx(1000, rel=1e-3)
    y, x = np.mgrid[0:61, 0:61] - 30.0
    along = x if direction is None else x * math.cos(direction) + y * math.sin(direction)
    spread = math.sqrt((seen * along**2).sum() / seen.sum())
    assert spread == pytest.approx(sigma, abs=0.16)


def test_the_colour_filter_keeps_colours_and_costs_fine_colour_detail() -> None:
    flat = np.empty((64, 64, 3), np.float32)
    flat[:] = (200, 120, 40)
    assert np.abs(optics.through_colour_filter(flat.copy()) - flat).max() < 0.01
    lines = np.zeros((64, 64, 3), np.float32)
    lines[:, ::2] = 255
    fringed = optics.through_colour_filter(lines)
    assert np.abs(fringed[..., 0] - fringed[..., 2])[8:-8, 8:-8].max() > 50


def test_shadow_and_vignette_darken_by_the_strength_asked_for() -> None:
    shade = optics.soft_shadow((300, 400), 0.4, (0.5, 0.4, 0.0, 0.05))
    assert shade.max() == pytest.approx(1.0, abs=0.01)
    assert shade.min() == pytest.approx(0.6, abs=0.01)
    light = optics.vignette((300, 400), 0.2)
    assert light[150, 200] == pytest.approx(1.0, abs=0.01)
    assert light[0, 0] == pytest.approx(0.8, abs=0.01)


def test_a_scan_is_upright_and_its_truth_fits(passport: Specimen) -> None:
    shot = scan(passport, seed=4)
    quad = np.array(shot.truth.mrz)
    left, top = quad.min(axis=0)
    right, bottom = quad.max(axis=0)
    assert (left, top) == pytest.approx(tuple(quad[0]))
    part = shot.image.pixels[round(top) : round(bottom), round(left) : round(right)]
    assert (part.max(axis=2) < 120).mean() > 0.08
    assert scan(passport, seed=4).jpeg == shot.jpeg


def test_unknown_difficulties_and_conditions_are_refused(passport: Specimen) -> None:
    with pytest.raises(UsageError, match="no difficulty"):
        photograph(passport, difficulty="impossible", seed=0)
    with pytest.raises(UsageError, match="no condition"):
        photograph(passport, seed=0, conditions={"fog": 1})
