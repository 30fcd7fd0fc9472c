"""Parts of the face are where the landmarks say, shares add up, and sentences say what the map says."""

from __future__ import annotations

import re

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from samebody.explain import Saliency, describe, face_regions, region_shares
from samebody.explain.draw import overlay, png
from samebody.explain.errors import ExplainInputError
from samebody.explain.page import Panel, render_page
from samebody.explain.regions import REGIONS
from samebody.explain.words import CAVEAT, RegionShare
from samebody.models.contracts import ARCFACE_112

LANDMARKS = np.array(ARCFACE_112, dtype=np.float64) + 0.5
SHAPE = (112, 112)


def lit(*names: str, strength: float = 1.0, oppose: tuple[str, ...] = ()) -> Saliency:
    regions = face_regions(SHAPE, LANDMARKS)
    values = np.zeros(SHAPE, dtype=np.float32)
    for name in names:
        values[regions[name]] = strength
    for name in oppose:
        values[regions[name]] = -strength
    return Saliency(values, "rise", 0.634, 100)


def told(saliency: Saliency, **options: str) -> str:
    return " ".join(describe(saliency, region_shares(saliency, face_regions(SHAPE, LANDMARKS)), **options))


def name_at(regions: dict[str, NDArray[np.bool_]], x: float, y: float) -> str:
    return next(name for name, mask in regions.items() if mask[int(y), int(x)])


def test_landmarks_lie_in_their_parts() -> None:
    regions = dict(face_regions(SHAPE, LANDMARKS))
    names = [name_at(regions, x, y) for x, y in LANDMARKS]
    assert names == ["eyes", "eyes", "nose", "mouth", "mouth"]
    assert name_at(regions, 56, 30) == "forehead"
    assert name_at(regions, 30, 80) == "cheeks and chin"
    assert name_at(regions, 2, 2) == name_at(regions, 110, 60) == "background"


@given(st.floats(-60, 60), st.floats(0.5, 2.5), st.floats(-30, 30), st.floats(-30, 30), st.floats(0.45, 1.0))
@settings(max_examples=60)
def test_parts_are_disjoint_cover_the_picture_and_turn_with_the_face(
    degrees: float, scale: float, across: float, down: float, narrow: float
) -> None:
    angle = np.deg2rad(degrees)
    turn = scale * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    squeezed = (LANDMARKS - 56) * [narrow, 1.0]  # a face that looks aside
    points = squeezed @ turn.T + [150 + across, 150 + down]
    regions = dict(face_regions((300, 300), points))
    assert tuple(regions) == REGIONS
    assert np.array_equal(sum(mask.astype(int) for mask in regions.values()), np.ones((300, 300)))
    inside = [tuple(point) for point in points if (point >= 0).all() and (point < 300).all()]
    assert {name_at(regions, x, y) for x, y in inside} <= {"eyes", "nose", "mouth"}


@pytest.mark.parametrize(
    "landmarks", [np.zeros((5, 2)), np.zeros((4, 2)), np.full((5, 2), np.nan), [[i, i] for i in range(5)]]
)
def test_landmarks_that_are_no_face_are_refused(landmarks: object) -> None:
    with pytest.raises(ExplainInputError):
        face_regions(SHAPE, landmarks)  # type: ignore[arg-type]


@given(st.integers(0, 200))
@settings(max_examples=30)
def test_shares_add_up_to_one(seed: int) -> None:
    values = np.random.default_rng(seed).normal(size=SHAPE).astype(np.float32)
    shares = region_shares(Saliency(values, "rise", 0.5, 1), face_regions(SHAPE, LANDMARKS))
    for total in (sum(s.area for s in shares), sum(s.support for s in shares), sum(s.oppose for s in shares)):
        assert total == pytest.approx(1.0)


def test_noise_does_not_count() -> None:
    regions = face_regions(SHAPE, LANDMARKS)
    values = np.random.default_rng(0).normal(scale=0.01, size=SHAPE).astype(np.float32)
    values[regions["eyes"]] += 0.2
    noisy, honest = Saliency(values, "corrrise", 0.6, 1), Saliency(values, "corrrise", 0.6, 1, noise=0.01)
    share = {s.name: s.support for s in region_shares(noisy, regions)}
    clean = {s.name: s.support for s in region_shares(honest, regions)}
    assert clean["eyes"] > share["eyes"] and clean["background"] < share["background"] / 3


def test_the_sentence_names_what_was_lit() -> None:
    text = told(lit("eyes"))
    assert text.startswith("The similarity is 0.634.") and "rests most on the eyes (100% of the support" in text
    assert CAVEAT in text and "mouth" not in text
    text = told(lit("eyes", "mouth", oppose=("forehead",)), what="likelihood of bona fide")
    assert "the eyes" in text and "the mouth" in text and "speaks against it lies mostly in the forehead" in text
    assert text.startswith("The likelihood of bona fide is")


def test_a_map_on_the_background_is_pointed_out() -> None:
    assert "lies outside the face" in told(lit("background"))
    assert "lies outside the face" not in told(lit("eyes", "nose"))


def test_an_empty_map_and_one_of_noise_say_that_they_explain_nothing() -> None:
    assert "explains nothing" in told(lit())
    noise = np.random.default_rng(1).normal(scale=0.01, size=SHAPE).astype(np.float32)
    assert "explains nothing" in told(Saliency(noise, "corrrise", 0.1, 1, noise=0.01 * 3))


def test_an_even_map_names_no_part() -> None:
    assert "No single part" in told(Saliency(np.ones(SHAPE, np.float32), "rise", 0.2, 1))


def test_without_a_face_the_place_is_named() -> None:
    values = np.zeros((90, 90), np.float32)
    values[80:, 5:15] = 1
    assert "lower left of the picture" in " ".join(describe(Saliency(values, "rise", 0.2, 1), ()))


def test_a_share_of_no_area_has_no_density() -> None:
    assert RegionShare("eyes", 0.0, 0.0, 0.0).density == 0


# ------------------------------------------------------------------------------------------------------ pictures, page


def test_the_overlay_is_warm_where_supported_and_blue_where_opposed() -> None:
    values = np.zeros((20, 30), np.float32)
    values[5:9, 5:9], values[12:16, 20:24] = 1, -1
    drawn = overlay(np.full((20, 30, 3), 120, np.uint8), values, side=20)
    assert drawn.shape == (20, 30, 3)
    warm, cold, plain = drawn[7, 7].astype(int), drawn[14, 22].astype(int), drawn[2, 15]
    assert warm[0] > warm[2] + 60 and cold[2] > cold[0] + 60 and np.ptp(plain) == 0
    weaker = overlay(np.full((20, 30, 3), 120, np.uint8), values, side=20, largest=4.0)[7, 7].astype(int)
    assert warm[0] - warm[2] > weaker[0] - weaker[2] > 0


def test_an_empty_map_leaves_the_picture_grey() -> None:
    picture = np.random.default_rng(0).integers(0, 256, (16, 16, 3), dtype=np.uint8)
    drawn = overlay(picture, np.zeros((16, 16), np.float32), side=16)
    assert np.ptp(drawn.astype(int), axis=2).max() == 0


def test_a_png_holds_the_pixels_and_nothing_else() -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (9, 7, 3), dtype=np.uint8)
    data = png(pixels)
    decoded = cv2.cvtColor(cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR), cv2.COLOR_BGR2RGB)
    np.testing.assert_array_equal(decoded, pixels)
    assert not {b"tEXt", b"iTXt", b"eXIf", b"tIME"} & {data[i : i + 4] for i in range(len(data) - 4)}


def test_the_page_stands_alone_and_escapes() -> None:
    saliency = lit("eyes")
    regions = face_regions(SHAPE, LANDMARKS)
    shares = region_shares(saliency, regions)
    panel = Panel("<first>", np.full((*SHAPE, 3), 90, np.uint8), saliency, regions, shares, ("A <b>sentence</b>.",))
    page = render_page([panel, panel], title="Why & how", model="face/x@1", blurred=True, command="samebody <x>")
    assert "&lt;first&gt;" in page and "A &lt;b&gt;sentence" in page and "Why &amp; how" in page
    assert "blurred beyond recognition" in page and "<script" not in page
    assert not re.findall(r'(?:src|href)="(?!data:)', page) and "default-src 'none'" in page
    assert page.count("data:image/png;base64,") == 2 and "cheeks and chin" in page
