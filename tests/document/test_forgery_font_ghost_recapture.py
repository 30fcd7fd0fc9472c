from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from samebody.document.forgery import ForgeryEvidence, Limit, PortraitEvidence, checks
from samebody.document.forgery.font import strongest_run
from samebody.document.forgery.ghost import best_correlation
from samebody.document.forgery.recapture import colour_spread, mean_spectrum, peaks, strongest_pair, strongest_peak
from samebody.document.overprint import framed_picture
from samebody.types import Box, Comparison, EmbeddingSpace, OperatingPoint, Outcome, Pixels, Region
from tests.document import pages

SPACE = EmbeddingSpace("face/sface", "1", "0" * 64, "p")


def figures(check: str, pixels: Pixels) -> dict[str, float]:
    measured = checks[check]().measure(pages.evidence(pixels))
    return {figure.name: figure.value for figure in measured.figures}


# -------------------------------------------------------------------------------------------------------------- font


def retyped(page: Pixels, *, lift: int, soft: float) -> Pixels:
    """The last three characters of the document number moved up, or softened."""
    result = page.copy()
    area = (slice(262, 302), slice(462, 560))
    part = page[area]
    moved = np.roll(part, -lift, axis=0)
    result[area] = cv2.GaussianBlur(moved, (0, 0), soft) if soft else moved
    return result


def test_characters_that_leave_the_line_stand_out() -> None:
    page = pages.draw_page(1)
    genuine = figures("font", pages.photograph(page, 1))
    lifted = figures("font", pages.photograph(retyped(page, lift=3, soft=0), 1))
    assert lifted["field_shift"] > genuine["field_shift"] + 1


def test_characters_softer_than_their_line_stand_out() -> None:
    page = pages.draw_page(1)
    genuine = figures("font", pages.photograph(page, 1))
    soft = figures("font", pages.photograph(retyped(page, lift=0, soft=1.6), 1))
    assert soft["field_sharpness"] > genuine["field_sharpness"] + 1.5


def test_a_changed_mrz_date_printed_sharper_stands_out() -> None:
    page = pages.photograph(pages.draw_page(1), 1, blur=1.6, noise=1)
    changed = page.copy()
    area = (slice(620, 662), slice(50 + round(20.3 * 13) - 4, 50 + round(20.3 * 19) - 2))
    changed[area] = pages.photograph(pages.draw_page(1), 1, blur=0.5, noise=1)[area]
    assert figures("font", changed)["mrz_sharpness"] > figures("font", page)["mrz_sharpness"] + 3


def test_print_too_small_to_measure_is_an_abstention_with_advice() -> None:
    small = cv2.resize(pages.photograph(pages.draw_page(1), 1), (250, 176), interpolation=cv2.INTER_AREA)
    whole = pages.evidence(pages.photograph(pages.draw_page(1), 1))
    assert whole.page is not None
    tiny = ForgeryEvidence(replace(whole.image, pixels=small), replace(whole.page, image=small, pixels_per_mm=2.0))
    finding = checks["font"]().run(tiny)
    assert finding.outcome is Outcome.UNSURE
    assert finding.reasons[0].advice


@given(st.lists(st.floats(-5, 5), min_size=1, max_size=24), st.integers(1, 6))
def test_the_strongest_run_is_that_of_an_exhaustive_search(values: list[float], longest: int) -> None:
    array = np.array(values)
    longest = min(longest, len(values))
    best = max(
        abs(sum(values[i : i + n])) / np.sqrt(n) for n in range(1, longest + 1) for i in range(len(values) - n + 1)
    )
    value, first, end = strongest_run(array, longest)
    assert value == pytest.approx(best, abs=1e-9)
    if best > 0:
        assert abs(array[first:end].sum()) / np.sqrt(end - first) == pytest.approx(best, abs=1e-9)


def test_bolder_and_smaller_characters_stand_out() -> None:
    page = pages.draw_page(1)
    genuine = figures("font", pages.photograph(page, 1))
    area = (slice(262, 302), slice(462, 560))
    bold, small = page.copy(), page.copy()
    bold[area] = cv2.erode(page[area], np.ones((3, 3), np.uint8))
    squeezed = cv2.resize(page[area], (98, 37), interpolation=cv2.INTER_AREA)
    small[area] = cv2.copyMakeBorder(squeezed, 2, 1, 0, 0, cv2.BORDER_REPLICATE)
    assert figures("font", pages.photograph(bold, 1))["field_stroke"] > genuine["field_stroke"] + 1
    assert figures("font", pages.photograph(small, 1))["field_height"] > genuine["field_height"] + 0.5


# ------------------------------------------------------------------------------------------------------------- ghost


@pytest.mark.parametrize("seed", [1, 2, 4, 5])
def test_another_persons_portrait_is_less_like_the_ghost(seed: int) -> None:
    genuine = figures("ghost", pages.photograph(pages.draw_page(seed, portrait=seed, ghost=seed), seed))
    whole = pages.photograph(pages.draw_page(seed, portrait=seed + 30, ghost=seed), seed)
    same, _ = best_correlation(
        pages.photograph(pages.draw_page(seed, portrait=seed, ghost=seed), seed),
        pages.PORTRAIT, pages.GHOST, rows=72, search=0.2, scales=(0.95, 1.0, 1.05),
    )  # fmt: skip
    other, _ = best_correlation(whole, pages.PORTRAIT, pages.GHOST, rows=72, search=0.2, scales=(0.95, 1.0, 1.05))
    assert genuine["unlike"] < 0.2
    assert same > 0.85
    assert other < same


def test_a_page_without_a_ghost_is_an_abstention() -> None:
    finding = checks["ghost"]().run(pages.evidence(pages.photograph(pages.draw_page(1, ghost=None), 1)))
    assert finding.outcome is Outcome.UNSURE
    assert finding.reasons[0].code == "document.forgery.ghost_no_ghost"
    assert finding.score is None


def point(fmr: float, threshold: float) -> OperatingPoint:
    return OperatingPoint(fmr, threshold, fmr, "matched-adults", "test", 1, 1, 0, 0.0, (0.0, 1.0))


def with_comparison(score: float, *, limit: float = 0.3, portrait: int = 1, ghost: int | None = 1) -> Outcome:
    pixels = pages.photograph(pages.draw_page(1, portrait=portrait, ghost=ghost), 1)
    before = pages.evidence(pixels)
    compared = PortraitEvidence(
        Region("ghost", pages.GHOST.corners(), "page"),
        "ghost",
        Comparison(score, SPACE),
        point(1e-3, 0.4),
    )
    after = ForgeryEvidence(
        before.image, before.page, mrz=before.mrz, portraits=(compared,), candidates=before.candidates
    )
    limits = {"unlike": Limit(limit, 0.01, 100), "another_face": Limit(0.9, 0.01, 100)}
    return checks["ghost"](limits=limits).run(after).outcome


def test_the_embedding_comparison_confirms_doubts_and_accuses() -> None:
    assert with_comparison(0.6) is Outcome.PASS
    assert with_comparison(0.05) is Outcome.PASS  # the same picture: its face was only embedded badly
    assert with_comparison(0.05, ghost=31) is Outcome.FAIL
    assert with_comparison(0.6, limit=-1.0) is Outcome.UNSURE  # one person, but not one picture: for a human to look at
    assert with_comparison(0.2, limit=-1.0) is Outcome.FAIL
    assert with_comparison(0.2, limit=2.0, ghost=31) is Outcome.PASS


def test_a_ghost_finding_names_the_model_and_the_point() -> None:
    pixels = pages.photograph(pages.draw_page(1, ghost=31), 1)
    compared = PortraitEvidence(
        Region("ghost", pages.GHOST.corners(), "page"),
        "ghost",
        Comparison(0.05, SPACE),
        point(1e-3, 0.4),
    )
    before = pages.evidence(pixels)
    evidence = ForgeryEvidence(before.image, before.page, portraits=(compared,), candidates=before.candidates)
    limits = {"unlike": Limit(0.5, 0.01, 100), "another_face": Limit(0.9, 0.01, 100)}
    finding = checks["ghost"](limits=limits).run(evidence)
    assert finding.model_ids == ("face/sface@1",)
    assert finding.operating_point is None  # nothing counted as one person
    assert finding.reasons[0].code == "document.forgery.ghost.another_face"
    alike = replace(compared, comparison=Comparison(0.6, SPACE))
    evidence = ForgeryEvidence(before.image, before.page, portraits=(alike,), candidates=before.candidates)
    assert checks["ghost"](limits=limits).run(evidence).operating_point == point(1e-3, 0.4)


def faint(seed: int, portrait: int, ghost: int, strength: float) -> Pixels:
    """A page whose ghost is printed with a share of its usual ink."""
    with_ghost, without = (pages.draw_page(seed, portrait=portrait, ghost=g).astype(np.float32) for g in (ghost, None))
    return np.clip(without + strength * (with_ghost - without), 0, 255).astype(np.uint8)


@pytest.mark.parametrize("seed", [1, 2, 4, 5])
def test_a_faint_ghost_of_another_person_is_found_by_its_frame(seed: int) -> None:
    found = pages.evidence(pages.photograph(faint(seed, seed + 30, seed, 0.5), seed)).framed_ghost
    assert found is not None
    (x, y), (true_x, true_y) = found[0].centre, pages.GHOST.centre
    assert abs(x - true_x) < 0.25 * pages.GHOST.width and abs(y - true_y) < 0.25 * pages.GHOST.height
    bare = pages.evidence(pages.photograph(pages.draw_page(seed, ghost=None), seed)).framed_ghost
    assert bare is None or found[1] > 1.5 * bare[1]


def test_a_frame_is_never_looked_for_in_the_portrait_or_the_zone() -> None:
    page = pages.photograph(pages.draw_page(1), 1)
    zone = Box(0, 200, 1000, 504)  # hides the ghost
    found = framed_picture(page, pages.SCALE, pages.PORTRAIT, zone)
    assert found is None or found[0].y + found[0].height <= 200 + pages.SCALE


def test_a_portrait_that_leaves_no_room_has_no_frame_beside_it() -> None:
    page = pages.photograph(pages.draw_page(1), 1)
    assert framed_picture(page, pages.SCALE, Box(0, 0, 1000, 704), None) is None


# --------------------------------------------------------------------------------------------------------- recapture


@pytest.mark.parametrize(("frequency", "angle"), [(0.33, 0.2), (0.38, 0.7), (0.42, 0.4)])
def test_a_regular_raster_stands_out(frequency: float, angle: float) -> None:
    page = pages.draw_page(1).astype(np.float32)
    dotted = np.clip(page + 14 * pages.raster(page.shape[:2], frequency, angle)[..., None], 0, 255).astype(np.uint8)
    genuine = figures("recapture", pages.photograph(pages.draw_page(1), 1))
    assert figures("recapture", pages.photograph(dotted, 1))["luma_raster"] > genuine["luma_raster"] + 1.0


def test_coloured_stripes_stand_out_in_colour() -> None:
    page = pages.draw_page(1).astype(np.float32)
    stripes = pages.raster(page.shape[:2], 0.36, 0.5)
    page[..., 0] += 16 * stripes
    page[..., 2] -= 16 * stripes
    genuine = figures("recapture", pages.photograph(pages.draw_page(1), 1, quality=None))
    striped = pages.photograph(np.clip(page, 0, 255).astype(np.uint8), 1, quality=None)
    assert figures("recapture", striped)["colour_raster"] > genuine["colour_raster"] + 1.0


def test_a_grey_copy_has_no_colour() -> None:
    page = pages.photograph(pages.draw_page(2, portrait=2), 2)
    grey = np.repeat(cv2.cvtColor(page, cv2.COLOR_RGB2GRAY)[..., None], 3, axis=2)
    assert colour_spread(grey) < 0.5 < colour_spread(page)
    assert figures("recapture", grey)["colourless"] > figures("recapture", page)["colourless"]


def test_the_peak_is_found_at_its_frequency() -> None:
    plane = 128 + 4 * pages.raster((600, 900), 0.3, 0.35) + np.random.default_rng(1).normal(0, 4, (600, 900))
    value, (fx, fy) = strongest_peak(peaks(mean_spectrum(plane.astype(np.float32), 192), 0.1, [np.eye(2)]))
    assert value > 2
    assert np.hypot(fx, fy) == pytest.approx(0.3, abs=0.008)


def test_white_noise_has_no_peak_like_a_raster() -> None:
    plane = np.random.default_rng(2).normal(128, 5, (600, 900)).astype(np.float32)
    excess = peaks(mean_spectrum(plane, 192), 0.1, [np.eye(2)])
    assert strongest_peak(excess)[0] < 2
    assert strongest_pair(excess) < strongest_peak(excess)[0]


@pytest.mark.parametrize("angle", [0.2, 0.6, 1.1])
def test_a_raster_stands_out_as_a_pair_and_stripes_do_not(angle: float) -> None:
    noise = np.random.default_rng(3).normal(128, 5, (600, 900)).astype(np.float32)
    y, x = np.mgrid[0:600, 0:900]
    stripes = np.cos(2 * np.pi * 0.31 * (x * np.cos(angle) + y * np.sin(angle)))

    def pair(plane: np.ndarray) -> float:
        return strongest_pair(peaks(mean_spectrum(plane.astype(np.float32), 192), 0.1, [np.eye(2)]))

    assert pair(noise + 1.5 * pages.raster((600, 900), 0.31, angle)) > pair(noise) + 0.8
    assert pair(noise + 1.5 * stripes) < pair(noise) + 0.4


def test_an_earlier_compression_that_was_resized_is_no_raster() -> None:
    page = pages.compress(pages.draw_page(1), 60)
    smaller = cv2.resize(page, None, fx=0.83, fy=0.83, interpolation=cv2.INTER_AREA)
    again = cv2.resize(smaller, (pages.WIDTH, pages.HEIGHT), interpolation=cv2.INTER_LINEAR)
    assert (
        figures("recapture", again)["luma_raster"] < 3 * figures("recapture", pages.photograph(page, 1))["luma_raster"]
    )


def test_the_compression_grid_is_no_raster() -> None:
    coarse = pages.photograph(pages.draw_page(1), 1, quality=40)
    raw = pages.photograph(pages.draw_page(1), 1, quality=None)
    assert figures("recapture", coarse)["luma_raster"] < figures("recapture", raw)["luma_raster"] + 1.0
