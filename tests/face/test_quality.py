"""Every component falls with its own degradation, and says what to do about it.

Tolerance: a value may rise by at most ``SLACK`` points from one step to the next. Two points absorb the rounding to
integers of the value (half a point at each step) and of the degraded picture's pixels; every series must also fall by
far more than that in all.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from samebody.face.quality import COMPONENTS
from samebody.face.quality import mapping as maps
from samebody.face.quality.frame import QualityFrame
from samebody.face.quality.unified import unified_from_features
from samebody.face.results import FaceDetection
from samebody.types import Box, Image, Outcome

SLACK = 2
DEFINITIONS = {definition.name: definition for definition in COMPONENTS}
Degrade = Callable[[np.ndarray, float, FaceDetection], np.ndarray]


def clipped(values: np.ndarray) -> np.ndarray:
    return np.clip(np.round(values), 0, 255).astype(np.uint8)


def value(name: str, frame: QualityFrame) -> int | None:
    raw = DEFINITIONS[name].measure(frame)
    return None if raw is None else DEFINITIONS[name].quality(raw)


def series(analyser, image: Image, name: str, degrade: Degrade, levels: Sequence[float], again: bool) -> list[int]:
    """Values of component ``name`` on pictures degraded more and more. The mesh is fitted anew when ``again``."""
    face = analyser.detect(image)[0]
    mesh = analyser.mesh(image, face)
    values = []
    for level in levels:
        degraded = Image(degrade(image.pixels, level, face))
        if again:
            found = max(analyser.detect(degraded), key=lambda other: other.confidence)
            frame = QualityFrame(degraded, found, analyser.mesh(degraded, found), analyser.detect(degraded))
        else:
            frame = QualityFrame(degraded, face, mesh, (face,))
        measured = value(name, frame)
        if measured is None:
            return []
        values.append(measured)
    return values


def blur(pixels, sigma, face):
    sigma *= face.inter_eye_distance / 100
    return cv2.GaussianBlur(pixels, (0, 0), sigma) if sigma else pixels


def noise(pixels, sigma, face):
    return clipped(pixels + np.random.default_rng(1).normal(0, 1, (*pixels.shape[:2], 1)) * sigma)


def coarsen(pixels, factor, face):
    if factor == 1:
        return pixels
    small = cv2.resize(pixels, None, fx=factor, fy=factor, interpolation=cv2.INTER_AREA)
    return cv2.resize(small, pixels.shape[1::-1])


def darken(pixels, factor, face):
    return clipped(pixels * factor)


def brighten(pixels, factor, face):
    return clipped(pixels * float(factor))


def flatten(pixels, factor, face):
    return clipped(128 + (pixels - 128.0) * factor)


def compress(pixels, quality, face):
    encoded = cv2.imencode(".jpg", pixels[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, int(quality)])[1]
    return np.ascontiguousarray(cv2.imdecode(encoded, cv2.IMREAD_COLOR)[..., ::-1])


def tint(pixels, strength, face):
    return clipped(pixels + np.array([-0.5, 0.2, 1.0]) * strength)


def shade(pixels, strength, face):
    """Darkens the side of the face that is darker already, so that it never evens the light out."""
    x, y = face.box.centre
    right = pixels[int(y) : int(y) + 40, int(x - 0.3 * face.box.width) : int(x)].mean()
    left = pixels[int(y) : int(y) + 40, int(x) : int(x + 0.3 * face.box.width)].mean()
    ramp = np.clip((np.arange(pixels.shape[1]) - x) / face.box.width + 0.5, 0, 1)
    ramp = 1 - strength * (ramp if right > left else 1 - ramp)
    return clipped(pixels * ramp[None, :, None])


def clutter(pixels, strength, face):
    random = np.random.default_rng(2)
    coarse = random.normal(0, 1, (pixels.shape[0] // 6 + 1, pixels.shape[1] // 6 + 1)).astype(np.float32)
    pattern = cv2.resize(coarse, pixels.shape[1::-1], interpolation=cv2.INTER_NEAREST)[..., None]
    return clipped(pixels + strength * pattern)


def shrink_on_canvas(pixels, factor, face):
    small = cv2.resize(pixels, None, fx=factor, fy=factor, interpolation=cv2.INTER_AREA)
    canvas = np.full_like(pixels, pixels[:4].mean(axis=(0, 1)).astype(np.uint8))
    y, x = (pixels.shape[0] - small.shape[0]) // 2, (pixels.shape[1] - small.shape[1]) // 2
    canvas[y : y + small.shape[0], x : x + small.shape[1]] = small
    return canvas


def cover_lower(share, colour):
    def degrade(pixels, level, face):
        box, covered = face.box, pixels.copy()
        bottom = int(box.y + 1.05 * box.height)
        covered[int(bottom - level * share * box.height) : bottom, int(box.x) : int(box.x + box.width)] = colour
        return covered

    return degrade


def cover_eyes(colour):
    def degrade(pixels, level, face):
        covered, distance = pixels.copy(), face.inter_eye_distance
        for x, y in face.landmarks[:2]:
            top = max(0, int(y - 0.5 * distance))
            covered[
                top : int(y - 0.5 * distance + level * 1.1 * distance),
                int(x - 0.45 * distance) : int(x + 0.45 * distance),
            ] = colour
        return covered

    return degrade


PIXEL_SERIES = [
    ("sharpness", blur, (0, 1.5, 3, 5, 8, 12)),
    ("sharpness", coarsen, (1, 0.5, 0.3, 0.2, 0.1)),
    ("sharpness", noise, (0, 5, 10, 20, 40)),
    ("under_exposure_prevention", darken, (1, 0.6, 0.3, 0.15, 0.08, 0.04)),
    ("over_exposure_prevention", brighten, (1, 1.5, 2, 3, 5)),
    ("dynamic_range", flatten, (1, 0.7, 0.4, 0.2, 0.1, 0.05)),
    ("dynamic_range", darken, (1, 0.6, 0.3, 0.15, 0.08, 0.04)),
    ("compression_artefacts", compress, (95, 70, 50, 30, 15, 8, 3)),
    ("natural_colour", tint, (0, 40, 80, 120, 180)),
    ("illumination_uniformity", shade, (0, 0.2, 0.4, 0.6, 0.8, 0.95)),
    ("background_uniformity", clutter, (0, 10, 20, 40, 80)),
    ("eyes_visible", cover_eyes((15, 15, 18)), (0, 0.3, 0.6, 0.8, 1)),
    ("eyes_visible", cover_eyes((250, 250, 250)), (0, 0.3, 0.6, 0.8, 1)),
    ("mouth_occlusion_prevention", cover_lower(0.4, (40, 60, 160)), (0, 0.25, 0.5, 0.75, 1)),
    ("mouth_occlusion_prevention", cover_lower(0.4, (10, 10, 10)), (0, 0.25, 0.5, 0.75, 1)),
    ("face_occlusion_prevention", cover_lower(0.33, (40, 60, 160)), (0, 0.25, 0.5, 0.75, 1)),
    ("face_occlusion_prevention", cover_lower(0.33, (10, 10, 10)), (0, 0.25, 0.5, 0.75, 1)),
]


@pytest.mark.weights
@pytest.mark.parametrize(("name", "degrade", "levels"), PIXEL_SERIES, ids=lambda item: getattr(item, "__name__", None))
def test_a_component_falls_with_its_own_degradation(analyser, portraits, name, degrade, levels):
    falls = []
    for image in portraits:
        values = series(analyser, image, name, degrade, levels, again=False)
        if not values:
            continue
        assert all(after <= before + SLACK for before, after in pairwise(values)), values
        falls.append(values[0] - values[-1])
    assert falls
    assert np.median(falls) >= 15


@pytest.mark.weights
@pytest.mark.parametrize("name", ["inter_eye_distance", "head_size"])
def test_a_component_falls_as_the_face_becomes_smaller(analyser, portrait, name):
    if name == "head_size":  # start where it is best: eyes to chin 0.45 of the height
        x, y, inter_eye = *portrait_eyes(analyser, portrait), analyser.detect(portrait)[0].inter_eye_distance
        half = int(2.0 * inter_eye)
        pixels = portrait.pixels[max(0, int(y) - half) : int(y) + half, max(0, int(x) - half) : int(x) + half]
        portrait = Image(np.ascontiguousarray(pixels))
    values = series(analyser, portrait, name, shrink_on_canvas, (1, 0.75, 0.5, 0.35), again=True)
    assert all(after <= before + SLACK for before, after in pairwise(values)), values
    assert values[0] - values[-1] >= 30


def portrait_eyes(analyser, image: Image) -> tuple[float, float]:
    (right_x, right_y), (left_x, left_y) = analyser.detect(image)[0].landmarks[:2]
    return (right_x + left_x) / 2, (right_y + left_y) / 2


CROPS = {
    "leftward_crop_of_face_image": lambda pixels, x, y: pixels[:, x:],
    "rightward_crop_of_face_image": lambda pixels, x, y: pixels[:, : pixels.shape[1] - x],
    "margin_above_face_image": lambda pixels, x, y: pixels[y:],
    "margin_below_face_image": lambda pixels, x, y: pixels[: pixels.shape[0] - y],
}


@pytest.mark.weights
@pytest.mark.parametrize("name", sorted(CROPS))
def test_a_margin_component_falls_as_its_side_is_cut_off(analyser, portrait, name):
    pixels = np.pad(portrait.pixels, ((200, 200), (200, 200), (0, 0)), mode="edge")
    face = analyser.detect(Image(pixels))[0]
    room = {
        "leftward_crop_of_face_image": face.landmarks[0][0],
        "rightward_crop_of_face_image": pixels.shape[1] - face.landmarks[1][0],
        "margin_above_face_image": face.landmarks[0][1],
        "margin_below_face_image": pixels.shape[0] - face.landmarks[0][1],
    }[name]
    unit = face.inter_eye_distance * (1.0 if "ward" in name else 1.3)
    values = []
    for left in (3.0, 1.5, 1.0, 0.85):
        away = max(0, int(room - left * unit))
        cut = Image(np.ascontiguousarray(CROPS[name](pixels, away, away)))
        found = max(analyser.detect(cut), key=lambda other: other.confidence)
        values.append(value(name, QualityFrame(cut, found, analyser.mesh(cut, found), (found,))))
    assert all(after <= before + SLACK for before, after in pairwise(values)), values
    assert values[0] - values[-1] >= 10


@pytest.mark.parametrize("angles", [(0, 5, 15, 30, 60, 89, 90, 120)])
def test_pose_components_fall_with_the_angle_either_way(angles):
    for sign in (1, -1):
        values = [maps.frontal(sign * angle) for angle in angles]
        assert values == sorted(values, reverse=True)
        assert values[0] == 100
        assert values[-1] == 0


@pytest.mark.weights
def test_turning_the_picture_lowers_the_roll_component(analyser, portrait):
    from samebody.face import geometry

    values = []
    for degrees in (0, 15, 30, 45, 60):
        matrix, size = geometry.turned(portrait.width, portrait.height, degrees)
        turned = Image(geometry.warp(portrait.pixels, geometry.corner_to_index(matrix), size))
        found = max(analyser.detect(turned), key=lambda other: other.confidence)
        frame = QualityFrame(turned, found, analyser.mesh(turned, found), (found,))
        values.append(value("head_pose_roll_frontal_alignment", frame))
    assert values == sorted(values, reverse=True)
    assert values[-1] < 45


@given(st.floats(0, 0.3), st.floats(0, 0.3))
def test_lids_and_lips_apart_count_the_right_way(one, two):
    less, more = sorted((one, two))
    assert DEFINITIONS["eyes_open"].quality(less) <= DEFINITIONS["eyes_open"].quality(more)
    assert DEFINITIONS["mouth_closed"].quality(less) >= DEFINITIONS["mouth_closed"].quality(more)


@pytest.mark.weights
@pytest.mark.parametrize(
    ("name", "pairs", "factors"),
    [
        ("eyes_open", ((159, 145), (158, 153), (160, 144)), (1, 0.6, 0.3, 0.1, 0)),
        ("mouth_closed", ((13, 14), (82, 87), (312, 317)), (1, 2, 4, 8)),
    ],
)
def test_moving_the_mesh_apart_or_together_moves_the_component(analyser, portraits, name, pairs, factors):
    from dataclasses import replace

    for image in portraits:
        face = analyser.detect(image)[0]
        mesh = analyser.mesh(image, face)
        values = []
        for factor in factors:
            points = mesh.points.copy()
            for upper, lower in pairs:
                middle = (points[upper] + points[lower]) / 2
                points[upper], points[lower] = (middle + (points[i] - middle) * factor for i in (upper, lower))
            values.append(value(name, QualityFrame(image, face, replace(mesh, points=points), (face,))))
        assert values == sorted(values, reverse=True)
        assert values[0] - values[-1] >= 20 or (name == "mouth_closed" and values[0] >= 90)


@pytest.mark.weights
def test_expression_counts_against_neutrality(analyser, portrait):
    from dataclasses import replace

    face = analyser.detect(portrait)[0]
    mesh = analyser.mesh(portrait, face)
    values = []
    for strength in (0, 0.3, 0.6, 1):
        shapes = {key: strength * amount for key, amount in mesh.blendshapes.items()}
        values.append(
            value("expression_neutrality", QualityFrame(portrait, face, replace(mesh, blendshapes=shapes), ()))
        )
    assert values == sorted(values, reverse=True)
    assert values[0] >= 95
    assert values[-1] < 30  # the astronaut smiles broadly


def test_a_larger_second_face_lowers_single_face_present():
    points = ((10.0, 10.0), (60.0, 10.0), (35.0, 40.0), (20.0, 60.0), (50.0, 60.0))
    main = FaceDetection(Box(0, 0, 80, 100), points, 0.9)
    image = Image(np.zeros((200, 200, 3), np.uint8))
    values = []
    for size in (0, 20, 50, 75):
        others = (FaceDetection(Box(100, 0, 0.8 * size, size), points, 0.9),) if size else ()
        values.append(value("single_face_present", QualityFrame(image, main, None, (main, *others))))
    assert values == sorted(values, reverse=True)
    assert values[0] == 100


@pytest.mark.weights
def test_every_component_has_value_unit_message_and_advice(analyser, portraits):
    quality = analyser.analyse(portraits[0]).quality
    assert {component.name for component in quality.components} | set(quality.not_assessed) == set(DEFINITIONS)
    for component in quality.components:
        assert isinstance(component.value, int)
        assert 0 <= component.value <= 100
        assert component.advice.endswith(".")
        assert component.message.endswith(".")
        assert component.unit
        assert DEFINITIONS[component.name].source


@pytest.mark.weights
def test_without_a_mesh_the_rest_is_still_assessed(analyser, portrait):
    face = analyser.detect(portrait)[0]
    quality = analyser.quality(portrait, face, None)
    assert {"eyes_open", "expression_neutrality", "head_pose_yaw_frontal_alignment"} <= set(quality.not_assessed)
    assert quality.component("sharpness").value > 0
    with pytest.raises(KeyError):
        quality.component("eyes_open")


@pytest.mark.weights
@pytest.mark.parametrize(
    ("degrade", "levels", "fall"),
    [(blur, (0, 4, 10, 20), 15), (darken, (1, 0.3, 0.05), 10), (noise, (0, 30, 90), -5)],
)
def test_the_unified_score_falls_with_heavy_degradation(analyser, portraits, degrade, levels, fall):
    # large faces survive strong noise, because everything averages it away: there it must only not rise
    for image in portraits:
        face = analyser.detect(image)[0]
        scores = []
        for level in levels:
            analysis = analyser.analyse(Image(degrade(image.pixels, level, face)))
            scores.append(analysis.quality.unified if analysis.quality else 0)
        assert scores[0] - scores[-1] >= fall
        assert all(after <= before + 5 for before, after in pairwise(scores)), scores


@pytest.mark.weights
def test_a_ruined_picture_fails_its_quality_and_says_why(analyser, portrait):
    good = analyser.analyse(portrait)
    assert good.findings[1].check == "selfie.quality"
    assert good.findings[1].outcome is Outcome.PASS
    face = good.chosen
    ruined = Image(blur(portrait.pixels, 24, face))
    analysis = analyser.analyse(ruined)
    if analysis.chosen is None:
        assert analysis.findings[0].outcome is Outcome.FAIL
        return
    finding = analysis.findings[1]
    assert finding.outcome is not Outcome.PASS
    assert finding.reasons[0].code == "face.quality.low"
    assert all(reason.advice for reason in finding.reasons)


@given(st.dictionaries(st.sampled_from(["a", "b", "c"]), st.floats(0, 1)), st.floats(0, 1))
def test_the_unified_score_is_monotone_in_each_feature(features, other):
    weights = {"a": 1.0, "b": 2.0, "c": 0.5}
    for name in features:
        low, high = sorted((features[name], other))
        lower = unified_from_features(features | {name: low}, weights)
        assert lower <= unified_from_features(features | {name: high}, weights)
        assert 0 <= lower <= 100


@given(st.floats(allow_nan=True, allow_infinity=True))
def test_mappings_stay_in_0_to_100(raw):
    for quality in (maps.to_quality(raw), maps.rising(raw, 5, 2), maps.falling(raw, 5, 2), maps.frontal(0.0)):
        assert isinstance(quality, int)
        assert 0 <= quality <= 100
