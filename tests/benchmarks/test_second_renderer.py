"""The second renderer tells the truth about its pictures, repeats itself, and keeps to the committed ranges."""

from __future__ import annotations

import dataclasses
import io
import tomllib
from collections.abc import Sequence
from importlib import resources
from types import SimpleNamespace

import cv2
import numpy as np
import pytest
from PIL import Image as PillowImage

from benchmarks import mrz_accuracy, specimens
from benchmarks.second_renderer import DIFFICULTIES, FORGERIES, FORMATS, render
from benchmarks.second_renderer import mrz as composer
from benchmarks.second_renderer.camera import Camera, Optics, blur
from benchmarks.second_renderer.holder import draw_holder
from benchmarks.second_renderer.layout import page
from benchmarks.second_renderer.ranges import draw_capture
from benchmarks.second_renderer.typeface import CAP_HEIGHT, Print, glyphs, ink_line
from samebody.synth.truth import Photograph


def naive_check_digit(text: str) -> int:
    """Doc 9303 part 3, 4.9, written the long way."""
    values = {"<": 0} | {str(n): n for n in range(10)} | {chr(ord("A") + n): 10 + n for n in range(26)}
    weights = [7, 3, 1] * 40
    return sum(values[character] * weight for character, weight in zip(text, weights, strict=False)) % 10


# The examples that Doc 9303 prints itself (parts 4, 5 and 6).
TD3_LINES = ("P<UTOERIKSSON<<ANNA<MARIA<<<<<<<<<<<<<<<<<<<", "L898902C36UTO7408122F1204159ZE184226B<<<<<10")
TD2_LINES = ("I<UTOERIKSSON<<ANNA<MARIA<<<<<<<<<<<", "D231458907UTO7408122F1204159<<<<<<<6")
TD1_LINES = ("I<UTOD231458907<<<<<<<<<<<<<<<", "7408122F1204159UTO<<<<<<<<<<<6", "ERIKSSON<<ANNA<MARIA<<<<<<<<<<")


def eriksson(code: str, number: str, optional: str = "") -> composer.Entry:
    return composer.Entry(code, "UTO", "Eriksson", "Anna Maria", number, "UTO", "740812", "F", "120415", optional)


@pytest.mark.parametrize(
    ("format", "entry", "lines"),
    [
        ("TD3", eriksson("P", "L898902C3", "ZE184226B"), TD3_LINES),
        ("TD2", eriksson("I", "D23145890"), TD2_LINES),
        ("TD1", eriksson("I", "D23145890"), TD1_LINES),
    ],
)
def test_composes_the_examples_that_doc_9303_prints(format: str, entry: composer.Entry, lines: tuple[str, ...]) -> None:
    assert composer.compose(format, entry) == lines
    assert composer.check_digits_hold(format, lines)


@pytest.mark.parametrize("format", FORMATS)
def test_every_zone_has_its_shape_and_check_digits(format: str) -> None:
    rows, width = composer.SHAPES[format]
    for seed in range(150):
        lines = composer.compose(format, draw_holder(format, np.random.default_rng(seed)).entry())
        assert [len(line) for line in lines] == [width] * rows
        assert composer.check_digits_hold(format, lines)
        if format == "TD1":
            dates = (lines[1][0:7], lines[1][8:15])
            whole, composite = lines[0][5:30] + lines[1][0:7] + lines[1][8:15] + lines[1][18:29], lines[1][29]
        else:
            second = lines[1]
            dates = (second[13:20], second[21:28], second[0:10])
            whole, composite = second[0:10] + second[13:20] + second[21 : width - 1], second[width - 1]
        for field in dates:
            assert naive_check_digit(field[:-1]) == int(field[-1])
        if not format.startswith("MRV"):
            assert naive_check_digit(whole) == int(composite)


def test_one_wrong_digit_breaks_the_check_digits() -> None:
    first, second = TD3_LINES
    assert not composer.check_digits_hold("TD3", (first, second.replace("740812", "740813")))
    assert composer.check_digits_hold("TD3", (first.replace("ERIKSSON", "ERIKSSOM"), second))  # names have none


@pytest.mark.parametrize(
    ("printed", "written"),
    [
        ("Gößling", "GOESSLING"),
        ("D'Amico", "DAMICO"),
        ("Þórðarson", "THORDARSON"),
        ("Haugen-Solberg", "HAUGEN<SOLBERG"),
    ],
)
def test_transliterates_as_doc_9303_recommends(printed: str, written: str) -> None:
    assert composer.transliterate(printed) == written


def test_a_truncated_name_keeps_both_parts_and_ends_in_a_letter() -> None:
    field = composer.name_field("Nascimento de Albuquerque Cavalcanti", "Valentina", 30)
    assert len(field) == 30
    assert "<<VALENTI" in field
    assert field[-1].isalpha()


def test_the_typeface_draws_every_character_differently_and_inside_its_cell() -> None:
    random = np.random.default_rng(0)
    drawn = {
        character: ink_line(character, 20, Print(), random, (80, 60), (0.2, 3.2)) for character in sorted(glyphs())
    }
    assert set(drawn) == set(composer.LETTERS_AND_DIGITS + "<")
    for character, ink in drawn.items():
        rows, columns = np.nonzero(ink > 0.5)
        assert columns.min() > 4 and columns.max() < 55, character  # a cell is 51 pixels wide here
        height = (rows.max() - rows.min() + 1) / 20
        assert height == pytest.approx(CAP_HEIGHT, abs=0.8 if character == "<" else 0.3), character
    names = sorted(drawn)
    for index, one in enumerate(names):
        for two in names[index + 1 :]:
            assert float(np.abs(drawn[one] - drawn[two]).sum()) > 25, (one, two)


@pytest.mark.parametrize("format", FORMATS)
def test_the_flat_zone_holds_its_ink_and_nothing_else_does(format: str) -> None:
    holder = draw_holder(format, np.random.default_rng(4))
    lines = composer.compose(format, holder.entry())
    blank = tuple("<" * len(line) for line in lines)
    sheets = [
        page(format, holder, text, seed=np.random.SeedSequence(9), pixels_per_mm=10, portrait=None)
        for text in (lines, blank)
    ]
    changed = np.abs(sheets[0].pixels - sheets[1].pixels).max(axis=2) > 0.1
    rows, columns = np.nonzero(changed)
    x, y, width, height = (10 * value for value in sheets[0].mrz)
    assert columns.min() > x - 5 and columns.max() < x + width + 5
    assert rows.min() > y - 6 and rows.max() < y + height + 6
    assert rows.max() - rows.min() > 0.8 * height


@pytest.mark.parametrize("difficulty", DIFFICULTIES)
def test_captures_obey_the_committed_ranges_and_use_their_width(difficulty: str) -> None:
    table = tomllib.loads((resources.files("samebody.synth") / "ranges.toml").read_text("utf-8"))[difficulty]
    captures = [draw_capture(difficulty, np.random.default_rng(seed)) for seed in range(600)]
    named = {
        "tilt_degrees": [c.tilt_degrees for c in captures],
        "rotation_degrees": [abs(c.rotation_degrees) for c in captures],
        "character_height_px": [c.character_height_px for c in captures],
        "blur_sigma_px": [c.blur_sigma_px for c in captures],
        "noise_sigma": [c.noise_sigma for c in captures],
        "jpeg_quality": [float(c.jpeg_quality) for c in captures],
        "shadow_strength": [c.shadow_strength for c in captures],
        "background_share": [c.background_share for c in captures],
        "glare_strength": [c.glare_strength for c in captures if c.glare_strength > 0],
    }
    for name, values in named.items():
        low, high = table[name]
        assert low <= min(values) and max(values) <= high, name
        assert max(values) - min(values) > 0.9 * (high - low), name
    shares = {
        "glare_share": sum(c.glare_strength > 0 for c in captures),
        "blur_motion_share": sum(c.motion_direction_degrees is not None for c in captures),
        "quarter_turn_share": sum(c.quarter_turn != 0 for c in captures),
    }
    for name, hits in shares.items():
        assert hits / 600 == pytest.approx(table[name], abs=0.07), name


@pytest.fixture(scope="module", params=[("TD3", "moderate", 5), ("TD1", "hard", 3), ("MRV-B", "moderate", 8)], ids=str)
def taken(request: pytest.FixtureRequest) -> Photograph:
    format, difficulty, seed = request.param
    return render(format, seed=seed, difficulty=difficulty)


def _inside(points: Sequence[Sequence[float]], polygon: Sequence[Sequence[float]]) -> bool:
    hull = np.asarray(polygon, np.float32)
    return all(cv2.pointPolygonTest(hull, (float(x), float(y)), False) >= 0 for x, y in points)


def test_polygons_nest_and_stay_on_the_photograph(taken: Photograph) -> None:
    truth, image = taken.truth, taken.image
    frame = ((0, 0), (image.width, 0), (image.width, image.height), (0, image.height))
    assert _inside(truth.page, frame)
    assert truth.mrz is not None and _inside(truth.mrz, truth.page)
    for area in (truth.portrait, truth.ghost):
        assert area is None or _inside(area, truth.page)
    signed = sum(a[0] * b[1] - b[0] * a[1] for a, b in zip(truth.page, (*truth.page[1:], truth.page[0]), strict=True))
    assert signed > 0  # clockwise as seen, with y down


def test_the_zone_is_where_the_truth_says_and_as_large(taken: Photograph) -> None:
    """Rectified by its polygon the zone shows rows of dark ink with clear paper between them."""
    truth = taken.truth
    rows, width = composer.SHAPES[truth.format]
    pitch = 6.35 / CAP_HEIGHT
    units = (rows - 1) * pitch + 1
    size = (width * 20, round(units * 24))
    target = np.array([[0, 0], [size[0], 0], [size[0], size[1]], [0, size[1]]], np.float32)
    matrix = cv2.getPerspectiveTransform(np.asarray(truth.mrz, np.float32), target)
    flat = cv2.warpPerspective(taken.image.pixels, matrix, size).mean(axis=2)
    flat = flat - cv2.GaussianBlur(flat, (0, 0), 30)
    profile = flat.mean(axis=1)
    ink = [profile[round((row * pitch + 0.1) * 24) : round((row * pitch + 0.9) * 24)].mean() for row in range(rows)]
    gaps = [
        profile[round((row * pitch + 1.3) * 24) : round(((row + 1) * pitch - 0.3) * 24)].mean()
        for row in range(rows - 1)
    ]
    assert max(ink) < min(gaps) - 3
    sides = np.asarray(truth.mrz, float)
    height = np.hypot(*((sides[3] + sides[2] - sides[0] - sides[1]) / 2)) / units
    assert height == pytest.approx(float(truth.parameters["character_height_px"]), rel=0.12)


def test_the_jpeg_is_the_image_and_the_parameters_are_json_ready(taken: Photograph) -> None:
    decoded = np.asarray(PillowImage.open(io.BytesIO(taken.jpeg)).convert("RGB"))
    assert np.array_equal(decoded, taken.image.pixels)
    assert all(isinstance(v, str | int | float | bool | tuple | None) for v in taken.truth.parameters.values())
    assert taken.truth.forgery is None


def test_the_same_seed_gives_the_same_bytes_and_another_seed_others() -> None:
    first = render("TD2", seed=11, difficulty="hard")
    assert render("TD2", seed=11, difficulty="hard").jpeg == first.jpeg
    assert render("TD2", seed=12, difficulty="hard").truth.mrz_lines != first.truth.mrz_lines


def test_unknown_names_are_refused() -> None:
    for arguments in (
        {"format": "TD9"},
        {"format": "TD1", "difficulty": "easy"},
        {"format": "TD1", "forgery": "magic"},
    ):
        with pytest.raises(ValueError, match="unknown"):
            render(**{"seed": 1, **arguments})  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def genuine() -> Photograph:
    return render("TD2", seed=45)


@pytest.mark.parametrize("species", FORGERIES)
def test_a_forgery_changes_what_its_species_says(species: str, genuine: Photograph) -> None:
    forged = render("TD2", seed=45, forgery=species)
    truth, before = forged.truth, genuine.truth
    assert truth.forgery == species and truth.page == before.page
    assert composer.check_digits_hold("TD2", truth.mrz_lines) == (species != "date_plain")
    assert (truth.mrz_lines != before.mrz_lines) == species.startswith("date")
    assert (truth.fields != before.fields) == (species.startswith("date") or species == "viz_mismatch")
    difference = np.abs(forged.image.pixels.astype(np.float32) - genuine.image.pixels).mean(axis=2)
    difference = cv2.GaussianBlur(difference, (0, 0), 2.0)
    area = np.zeros(difference.shape, np.uint8)
    edited = {"portrait_swap": truth.portrait}.get(species, truth.page)
    cv2.fillConvexPoly(area, np.round(np.asarray(edited)).astype(np.int32), 1)
    away = cv2.dilate(area, np.ones((15, 15), np.uint8)) == 0
    assert difference[area == 1].max() > 25
    if species != "screen_recapture":  # there the whole picture is a screen
        assert difference[away].max() < 15
    if species.startswith("date"):
        shown = truth.fields["birth_date"], truth.fields["expiry_date"]
        printed = truth.mrz_lines[1][13:19], truth.mrz_lines[1][21:27]
        assert tuple(date[2:4] + date[5:7] + date[8:10] for date in shown) == printed


def test_clopper_pearson_agrees_with_published_values() -> None:
    assert specimens.clopper_pearson(0, 300)[1] == pytest.approx(0.01222, abs=1e-4)
    low, high = specimens.clopper_pearson(8, 10)
    assert (low, high) == (pytest.approx(0.4439, abs=1e-4), pytest.approx(0.9748, abs=1e-4))


class _Field:
    def __init__(self, unsure: bool) -> None:
        self.unsure = unsure


class _Reading:
    def __init__(self, lines: tuple[str, ...], polygon: object, unsure: frozenset[str] = frozenset()) -> None:
        self.format, self.lines, self.polygon = "TD3", lines, polygon
        names = ("surname", "given_names", "document_number", "nationality", "birth_date", "sex", "expiry_date")
        self.fields = {name: _Field(name in unsure) for name in names}


SQUARE = ((0.0, 0.0), (100.0, 0.0), (100.0, 20.0), (0.0, 20.0))


def test_scoring_tells_exact_silent_marked_and_misplaced_readings_apart() -> None:
    exact = mrz_accuracy.score("TD3", TD3_LINES, SQUARE, _Reading(TD3_LINES, SQUARE))
    assert exact["exact"] and exact["cause"] is None and exact["characters"] == [88, 88]
    wrong_name = (TD3_LINES[0].replace("ANNA", "AMNA"), TD3_LINES[1])
    silent = mrz_accuracy.score("TD3", TD3_LINES, SQUARE, _Reading(wrong_name, SQUARE))
    assert silent["silent"] == ["name"] and silent["confusions"] == ["NM"]
    marked = mrz_accuracy.score("TD3", TD3_LINES, SQUARE, _Reading(wrong_name, SQUARE, frozenset({"given_names"})))
    assert marked["wrong_fields"] == ["name"] and marked["silent"] == []
    caught = mrz_accuracy.score(
        "TD3", TD3_LINES, SQUARE, _Reading((TD3_LINES[0], TD3_LINES[1].replace("7408122", "7408172")), SQUARE)
    )
    assert caught["wrong_fields"] == ["birth_date"] and caught["silent"] == []
    away = tuple((x + 500, y) for x, y in SQUARE)
    assert mrz_accuracy.score("TD3", TD3_LINES, SQUARE, _Reading(wrong_name, away))["cause"] == "located elsewhere"
    assert mrz_accuracy.score("TD3", TD3_LINES, SQUARE, None)["cause"] == "not located"


def test_the_sensor_is_as_noisy_as_drawn_and_keeps_colour() -> None:
    capture = dataclasses.replace(
        draw_capture("moderate", np.random.default_rng(1)),
        noise_sigma=8.0,
        blur_sigma_px=0.3,
        motion_direction_degrees=None,
    )
    optics = dataclasses.replace(
        Optics.draw(np.random.default_rng(1), bends=False), sharpening=0.0, gains=(1.0, 1.0, 1.0), exposure=1.0
    )
    camera = SimpleNamespace(capture=capture, optics=optics)
    grey = np.full((128, 128, 3), 0.2159, np.float32)
    pixels = Camera.develop(camera, grey, np.random.default_rng(2))  # type: ignore[arg-type]
    assert pixels.mean() == pytest.approx(128, abs=2)
    # Demosaicing averages neighbours: the picture keeps between half and all of a photosite's noise.
    assert 4.0 < pixels.std(axis=(0, 1)).mean() < 8.5
    red = np.zeros_like(grey)
    red[..., 0] = 0.5
    shown = Camera.develop(camera, red, np.random.default_rng(2)).mean(axis=(0, 1))  # type: ignore[arg-type]
    assert shown[0] > 170 and shown[1] < 40 and shown[2] < 40


def test_motion_and_gaussian_blur_spread_a_point_equally() -> None:
    point = np.zeros((41, 41, 3), np.float32)
    point[20, 20] = 1
    y, x = np.mgrid[0:41, 0:41] - 20.0
    for direction in (None, 0.0, 37.0, 90.0):
        spread = blur(point, 1.4, direction)[..., 0]
        assert spread.sum() == pytest.approx(1, abs=1e-3)
        variances = np.linalg.eigvalsh(
            [[(spread * x * x).sum(), (spread * x * y).sum()], [(spread * x * y).sum(), (spread * y * y).sum()]]
        )
        assert variances[1] == pytest.approx(1.4**2, rel=0.2), direction
