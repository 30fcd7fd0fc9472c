"""Flat specimens: the same bytes for a seed, everything printed where the truth says, nothing on top of another."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from PIL import Image as PillowImage
from PIL import ImageDraw

from samebody.errors import UsageError
from samebody.synth.holder import _LANGUAGES, _PLACES, draw_holder
from samebody.synth.layout import LAYOUTS, MRZ_PITCH, layout_of
from samebody.synth.lettering import font
from samebody.synth.mrz import FORMATS, compose
from samebody.synth.page import Specimen, draw_design, draw_mrz, draw_values, printed_date
from samebody.synth.specimen import Format, Side, render
from samebody.types import Image

ALL_SIDES = [*((name, "single") for name in FORMATS), ("TD1", "front"), ("TD1", "back")]
DPI = 200


def ink(specimen: Specimen, polygon: tuple[tuple[float, float], ...]) -> float:
    """Share of near-black pixels within an upright rectangle."""
    (left, top), _, (right, bottom), _ = polygon
    part = specimen.image.pixels[round(top) : round(bottom), round(left) : round(right)]
    return float((part.max(axis=2) < 110).mean())


@pytest.mark.parametrize(("format", "side"), ALL_SIDES)
def test_the_same_seed_gives_the_same_bytes_and_another_seed_another_document(format: Format, side: Side) -> None:
    first, again, other = (render(format, seed=seed, side=side, dots_per_inch=DPI) for seed in (3, 3, 4))
    assert first.image.pixels.tobytes() == again.image.pixels.tobytes()
    assert first.truth == again.truth
    assert first.image.pixels.tobytes() != other.image.pixels.tobytes()
    assert first.holder != other.holder


@pytest.mark.parametrize(("format", "side"), ALL_SIDES)
def test_a_page_has_the_size_of_its_format_and_everything_lies_on_it(format: Format, side: Side) -> None:
    specimen = render(format, seed=8, side=side, dots_per_inch=DPI)
    layout = specimen.layout
    assert abs(specimen.image.width - layout.width * DPI / 25.4) <= 0.5
    assert abs(specimen.image.height - layout.height * DPI / 25.4) <= 0.5
    truth = specimen.truth
    polygons = [truth.mrz, truth.portrait, truth.ghost, *truth.parameters["field_polygons"].values()]
    for polygon in polygons:
        if polygon is not None:
            points = np.array(polygon)
            assert (points >= 0).all()
            assert (points <= [specimen.image.width, specimen.image.height]).all()
    assert (truth.mrz is None) == (side == "front")
    assert (truth.mrz_lines == ()) == (side == "front")
    assert (truth.portrait is None) == (side == "back")


@pytest.mark.parametrize(("format", "side"), ALL_SIDES)
def test_every_value_is_printed_in_its_rectangle(format: Format, side: Side) -> None:
    specimen = render(format, seed=8, side=side, dots_per_inch=DPI)
    assert set(specimen.truth.fields) <= set(specimen.boxes)
    for name, polygon in specimen.truth.parameters["field_polygons"].items():
        assert ink(specimen, polygon) > 0.08, name


@pytest.mark.parametrize(("format", "side"), ALL_SIDES)
def test_printed_values_never_overlap_each_other_or_a_picture(format: Format, side: Side) -> None:
    layout, dots = layout_of(format, side), DPI / 25.4
    pictures = {"portrait": layout.portrait, "ghost": layout.ghost}
    for seed in range(40):
        random = np.random.default_rng(seed)
        holder, design = draw_holder(random, format), draw_design(random)
        draw = ImageDraw.Draw(PillowImage.new("L", (round(layout.width * dots), round(layout.height * dots))))
        boxes = draw_values(draw, layout, design, holder, dots)
        if layout.mrz_left is not None:
            boxes |= draw_mrz(draw, layout, design, compose(format, holder), dots)
        boxes |= {name: box for name, box in pictures.items() if box is not None}
        for (one, a), (two, b) in itertools.combinations(boxes.items(), 2):
            apart = a.x + a.width <= b.x or b.x + b.width <= a.x or a.y + a.height <= b.y or b.y + b.height <= a.y
            assert apart, (seed, one, two)


def test_characters_of_the_mrz_stand_in_cells_of_one_pitch() -> None:
    specimen = render("TD3", seed=2, dots_per_inch=400)
    box, dots = specimen.boxes["mrz_line_2"], 400 / 25.4
    rows = slice(round(box.y * dots), round((box.y + box.height) * dots))
    dark = specimen.image.pixels[rows].max(axis=2) < 110
    for column, character in enumerate(specimen.truth.mrz_lines[1]):
        left = (box.x + MRZ_PITCH * column) * dots
        cell = np.flatnonzero(dark[:, round(left) : round(left + MRZ_PITCH * dots)].any(axis=0))
        assert cell.size > 3, (column, character)
        assert cell[0] > 1, (column, character)  # the glyph does not touch the cell's edge
        assert cell[-1] < MRZ_PITCH * dots - 2, (column, character)


def test_every_letter_of_every_name_has_a_glyph() -> None:
    for face in ("regular", "bold"):
        letters = font(face, 40)
        missing = bytes(letters.getmask("\uffff"))
        names = " ".join(" ".join(group) for language in _LANGUAGES for group in language) + " ".join(_PLACES)
        assert [
            letter for letter in sorted(set(names)) if letter != " " and bytes(letters.getmask(letter)) == missing
        ] == []


def test_the_portrait_that_is_given_is_the_one_that_is_printed() -> None:
    rows = np.linspace(0, 255, 450, dtype=np.uint8)[:, None, None]
    ramp = np.repeat(np.repeat(rows, 350, axis=1), 3, axis=2)
    specimen = render("TD3", seed=1, portrait=Image(ramp), dots_per_inch=DPI)
    (left, top), _, (right, bottom), _ = specimen.truth.portrait or ()
    part = specimen.image.pixels[round(top) : round(bottom), round(left) : round(right)]
    brightness = part[10:-10, 10:-10].mean(axis=(1, 2))
    assert brightness[-1] - brightness[0] > 120
    assert np.corrcoef(brightness, np.arange(brightness.size))[0, 1] > 0.99


def test_dates_are_printed_in_three_styles() -> None:
    assert [printed_date("1974-08-12", style) for style in range(3)] == ["12 AUG 1974", "12 08 1974", "12.08.1974"]
    assert [printed_date("1974-XX-XX", style) for style in range(3)] == ["XX XXX 1974", "XX XX 1974", "XX.XX.1974"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"format": "TD4"}, "no document format"),
        ({"format": "TD3", "side": "back"}, "no side"),
        ({"format": "TD3", "forgery": "crayon"}, "no forgery"),
        ({"format": "TD3", "dots_per_inch": 50}, "out of bounds"),
        ({"format": "TD1", "side": "front", "forgery": "date_plain"}, "no machine-readable zone"),
        ({"format": "TD1", "side": "back", "forgery": "portrait_swap"}, "no portrait"),
        ({"format": "TD1", "side": "back", "forgery": "viz_mismatch"}, "no field"),
    ],
)
def test_what_cannot_be_rendered_is_refused_with_a_reason(arguments: dict[str, object], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        render(seed=0, **arguments)  # type: ignore[arg-type]


def test_the_ground_is_shared_and_cannot_be_written_by_accident() -> None:
    from samebody.synth.artwork import ground

    assert ground("TD3", DPI, 1) is ground("TD3", DPI, 1)
    assert not ground("TD3", DPI, 1).flags.writeable
    assert {layout.format for layout in LAYOUTS.values()} == set(FORMATS)
