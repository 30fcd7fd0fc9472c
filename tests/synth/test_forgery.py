"""Forgeries: each species changes what its name says, where the truth says, and leaves the rest as it was."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

import cv2
import numpy as np
import pytest

from samebody.document import icao9303
from samebody.errors import UsageError
from samebody.synth import optics
from samebody.synth.forgery import DIGITAL, FORGERIES
from samebody.synth.mrz import FORMATS, Format, compose, date_field
from samebody.synth.photograph import photograph, scan
from samebody.synth.reprint import display, draw_screen, halftone, reprint
from samebody.synth.specimen import render
from samebody.types import Image

TODAY = date(2026, 6, 1)
DPI = 200


def failed_checks(lines: tuple[str, ...]) -> set[str]:
    return {check.name for check in icao9303.parse(lines, today=TODAY).checks if not check.ok}


@pytest.mark.parametrize("format", FORMATS)
def test_a_recomputed_date_agrees_in_both_zones_and_has_valid_check_digits(format: Format) -> None:
    for seed in (0,) if format != "TD1" else (0, 1):
        before, after = (render(format, seed=seed, dots_per_inch=DPI, forgery=f) for f in (None, "date_recomputed"))
        name = after.truth.parameters["edited_field"]
        assert after.truth.fields[name] != before.truth.fields[name]
        assert {k: v for k, v in after.truth.fields.items() if k != name} == {
            k: v for k, v in before.truth.fields.items() if k != name
        }
        assert failed_checks(after.truth.mrz_lines) == set()
        assert icao9303.parse(after.truth.mrz_lines, today=TODAY).raw[name] == date_field(after.truth.fields[name])
        assert after.truth.forgery == "date_recomputed"


@pytest.mark.parametrize("format", FORMATS)
def test_a_plain_date_agrees_in_both_zones_but_its_check_digit_is_wrong(format: Format) -> None:
    for seed in (0,) if format != "TD1" else (0, 1):
        before, after = (render(format, seed=seed, dots_per_inch=DPI, forgery=f) for f in (None, "date_plain"))
        name = after.truth.parameters["edited_field"]
        assert icao9303.parse(after.truth.mrz_lines, today=TODAY).raw[name] == date_field(after.truth.fields[name])
        assert name in failed_checks(after.truth.mrz_lines)
        changed = sum(
            a != b for one, two in zip(before.truth.mrz_lines, after.truth.mrz_lines) for a, b in zip(one, two)
        )
        assert 1 <= changed <= 6


@pytest.mark.parametrize("format", FORMATS)
def test_a_mismatch_leaves_the_mrz_as_it_was(format: Format) -> None:
    before, after = (render(format, seed=3, dots_per_inch=DPI, forgery=f) for f in (None, "viz_mismatch"))
    assert after.truth.mrz_lines == before.truth.mrz_lines == compose(format, before.holder)
    assert after.truth.fields != before.truth.fields
    assert not any(name.startswith("mrz") for name in after.truth.parameters["edited"])


@pytest.mark.parametrize("species", sorted(DIGITAL))
@pytest.mark.parametrize("medium", ["photograph", "scan"])
def test_digital_edits_touch_only_the_polygons_that_the_truth_names(species: str, medium: str) -> None:
    """Against the genuine picture saved twice in the same way, only pixels near the edited polygons differ."""
    forged = render("TD3", seed=12, dots_per_inch=DPI, forgery=species)
    untouched = replace(forged, edits=())
    if medium == "photograph":
        quiet = {"character_height_px": 18.0, "quarter_turn_degrees": 0}
        shots = [photograph(page, difficulty="moderate", seed=5, conditions=quiet) for page in (forged, untouched)]
    else:
        shots = [scan(page, seed=5) for page in (forged, untouched)]
    difference = np.abs(shots[0].image.pixels.astype(int) - shots[1].image.pixels).max(axis=2)
    inside = np.zeros(difference.shape, np.uint8)
    polygons = shots[0].truth.parameters["edited"]
    assert polygons
    for polygon in polygons.values():
        cv2.fillPoly(inside, [np.rint(np.array(polygon)).astype(np.int32)], 1)
        own = np.zeros(difference.shape, np.uint8)
        cv2.fillPoly(own, [np.rint(np.array(polygon)).astype(np.int32)], 1)
        assert difference[own > 0].max() > 40  # every edit is visible
    near = cv2.dilate(inside, np.ones((49, 49), np.uint8))  # a JPEG block, with its chroma at half resolution, and 4 mm
    assert difference[near == 0].max() == 0


def test_the_ghost_still_shows_the_first_portrait_after_a_swap() -> None:
    before, after = (render("TD3", seed=12, dots_per_inch=DPI, forgery=f) for f in (None, "portrait_swap"))

    def likeness(quad: object) -> float:
        """Correlation of the two pages within ``quad``, at the scale of a face's features."""
        (left, top), _, (right, bottom), _ = quad  # type: ignore[misc]
        parts = [
            cv2.GaussianBlur(page.image.pixels[round(top) : round(bottom), round(left) : round(right)], (0, 0), 3)
            for page in (before, after)
        ]
        return float(np.corrcoef(parts[0].ravel(), parts[1].ravel())[0, 1])

    assert likeness(before.truth.ghost) > 0.98
    assert likeness(before.truth.portrait) < 0.95


def test_the_substitute_that_is_given_is_the_one_pasted_in() -> None:
    green = np.zeros((450, 350, 3), np.uint8)
    green[:] = (90, 160, 90)
    after = render("TD3", seed=2, dots_per_inch=DPI, forgery="portrait_swap", substitute=Image(green))
    (left, top), _, (right, bottom), _ = after.truth.portrait  # type: ignore[misc]
    middle = after.image.pixels[round(top) + 20 : round(bottom) - 20, round(left) + 20 : round(right) - 20].mean((0, 1))
    assert middle[1] > middle[0] + 20
    assert middle[1] > middle[2] + 20


def detail(pixels: np.ndarray) -> float:
    """Energy of details finer than about a tenth of a millimetre at 400 dots per inch."""
    grey = pixels.mean(axis=2)
    return float((grey - cv2.GaussianBlur(grey, (0, 0), 1.0)).std())


def test_a_reprint_loses_fine_lines_and_gains_halftone_dots() -> None:
    page = render("TD3", seed=1).image.pixels
    ground = page[200:420, 1500:1900]  # guilloche without text
    copy, facts = reprint(page, 400, np.random.default_rng(3))
    lines = facts["reprint_lines_per_inch"]
    spectrum = np.abs(np.fft.rfft2(copy[:1024, 600:1624].mean(axis=2) - copy[:1024, 600:1624].mean()))
    y, x = np.meshgrid(np.fft.fftfreq(1024) * 400, np.fft.rfftfreq(1024) * 400, indexing="ij")
    radius = np.hypot(x, y)
    at_screen = spectrum[np.abs(radius - lines) < 2].max()
    beside = np.median(spectrum[(np.abs(radius - lines) > 6) & (np.abs(radius - lines) < 20)])
    assert at_screen > 20 * beside
    smooth = cv2.GaussianBlur(copy[200:420, 1500:1900], (0, 0), 400 / lines)
    original = cv2.GaussianBlur(ground, (0, 0), 400 / lines)
    assert detail(ground) > 1.0
    assert (
        np.corrcoef(
            (ground.mean(axis=2) - original.mean(axis=2)).ravel(),
            (copy[200:420, 1500:1900].mean(axis=2) - smooth.mean(axis=2)).ravel(),
        )[0, 1]
        < 0.75
    )


@pytest.mark.parametrize("cover", [0.1, 0.35, 0.5, 0.8])
@pytest.mark.parametrize("angle", [0.0, 15.0, 45.0])
def test_halftone_dots_cover_more_where_the_tone_is_darker(cover: float, angle: float) -> None:
    printed = halftone(np.full((300, 300), cover, np.float32), 85, 400, angle)
    lighter = halftone(np.full((300, 300), cover - 0.08, np.float32), 85, 400, angle)
    assert printed.mean() > lighter.mean()
    assert printed.min() >= 0
    assert printed.max() <= 1
    assert printed.std() > 0.15  # dots, not grey


def test_a_screen_keeps_the_brightness_of_white_and_splits_pixels_into_stripes() -> None:
    screen = draw_screen(np.random.default_rng(1)) | {
        "screen_gamma": 1.0,
        "screen_black": 0.0,
        "screen_tint": [1, 1, 1],
    }
    raster, gain = display(np.full((90, 120, 3), 255, np.uint8), screen | {"screen_pixels_across": 60})
    assert raster.shape == (135, 180, 3)
    assert raster.astype(float).mean((0, 1)) * gain == pytest.approx([65535] * 3, rel=1e-3)
    assert (raster[:, 1::3, 0] == 0).all()  # the middle stripe shows no red
    assert (raster[:, 0::3, 0] > 0).all()


def test_a_recaptured_screen_shows_a_grid_that_a_photograph_of_the_page_does_not() -> None:
    conditions = {
        "character_height_px": 26.0, "rotation_degrees": 2.0, "quarter_turn_degrees": 0, "tilt_degrees": 3.0,
        "noise_sigma": 1.0, "blur_sigma_px": 0.4, "blur_motion_degrees": None, "glare_strength": 0.0,
        "jpeg_quality": 95, "open_booklet": False,
    }  # fmt: skip
    peaks = {}
    for species in (None, "screen_recapture"):
        shot = photograph(render("TD3", seed=4, forgery=species), difficulty="moderate", seed=6, conditions=conditions)
        (left, top), _, (right, _), _ = shot.truth.page
        x, y = round((left + right) / 2), round(top) + 560
        part = shot.image.pixels[y - 128 : y + 128, x - 128 : x + 128].mean(axis=2)
        window = np.outer(np.hanning(256), np.hanning(256))
        spectrum = np.abs(np.fft.fftshift(np.fft.fft2((part - part.mean()) * window)))
        rows, columns = np.mgrid[-128:128, -128:128]
        fine = spectrum[np.hypot(rows, columns) > 60]
        peaks[species] = fine.max() / np.median(fine)
    assert peaks["screen_recapture"] > 2 * peaks[None]


def test_a_page_edited_on_a_scan_can_be_photographed() -> None:
    forged = render("TD3", seed=12, dots_per_inch=DPI, forgery="date_plain")
    on_page = photograph(forged, difficulty="clean", seed=1, edited_on="page", megapixels=0.5)
    on_photograph = photograph(forged, difficulty="clean", seed=1, megapixels=0.5)
    assert on_page.truth.parameters["edited_on"] == "page"
    assert on_page.image.source.jpeg_quality == on_page.truth.parameters["jpeg_quality"]
    assert on_photograph.image.source.jpeg_quality == on_photograph.truth.parameters["jpeg_quality_saved"]
    assert on_page.jpeg != on_photograph.jpeg


def test_forging_is_reproducible() -> None:
    for species in FORGERIES:
        first, again = (render("TD1", seed=9, dots_per_inch=DPI, forgery=species) for _ in range(2))
        assert first.image.pixels.tobytes() == again.image.pixels.tobytes()
        assert first.truth == again.truth
        assert first.truth.forgery == species
        shots = [photograph(page, difficulty="clean", seed=2, megapixels=0.4) for page in (first, again)]
        assert shots[0].jpeg == shots[1].jpeg


def test_a_screen_cannot_be_scanned() -> None:
    with pytest.raises(UsageError, match="scanner"):
        scan(render("TD3", seed=1, dots_per_inch=DPI, forgery="screen_recapture"), seed=1)


def test_saving_twice_leaves_the_traces_of_two_compressions() -> None:
    shot = scan(render("TD3", seed=12, dots_per_inch=DPI, forgery="viz_mismatch"), seed=3)
    assert shot.truth.parameters["jpeg_quality_saved"] == shot.image.source.jpeg_quality
    assert (optics.decode_jpeg(shot.jpeg) == shot.image.pixels).all()
