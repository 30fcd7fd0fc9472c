"""Print the flat page of a specimen: portrait, ghost image, visual zone and MRZ on the ground; know where all is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image as PillowImage
from PIL import ImageDraw

from samebody.synth import artwork, lettering
from samebody.synth.holder import Holder
from samebody.synth.layout import (
    MRZ_CAP_HEIGHT,
    MRZ_LINE_SPACING,
    MRZ_PITCH,
    Layout,
    Rectangle,
    labels_of,
)
from samebody.synth.portrait import printed
from samebody.synth.truth import SpecimenTruth
from samebody.types import Image, Pixels, Point

DOTS_PER_INCH = 400
"""Resolution specimens are printed at unless asked otherwise."""

Quad = tuple[Point, Point, Point, Point]


@dataclass(frozen=True, slots=True)
class Design:
    """How one specimen is printed, drawn once from its seed.

    Attributes:
        series: which ground of the fictional state.
        date_style: 0 ``12 AUG 1974``, 1 ``12 08 1974``, 2 ``12.08.1974``.
        mrz_shift: (x, y) of the MRZ from its nominal place, millimetres, within 1 mm.
        ink: darkness of the personalisation, 0-60 (grey value of the text).
        ghost_strength: how strongly the ghost image is printed, 0-1.
        value_face: what the values are set in.
        ghost_tone: share of the ghost's ink in red, green and blue; equal shares print it grey.
        ghost_scale: size of the ghost over that of the layout, about its centre.
    """

    series: int
    date_style: int
    mrz_shift: tuple[float, float]
    ink: int
    ghost_strength: float
    value_face: lettering.Face
    ghost_tone: tuple[float, float, float] = (1.0, 1.0, 1.0)
    ghost_scale: float = 1.0


@dataclass(frozen=True, slots=True, eq=False)
class Edit:
    """One thing a forger changes in a picture of the page.

    Attributes:
        name: what is changed: a field, ``mrz_line_2``, ``portrait``.
        area: the rectangle that changes, millimetres on the page.
        old: coverage of the old print over ``area`` at the page's resolution, uint8; None for a portrait.
        new: coverage of the new print over ``area``; None for a portrait.
        pixels: the picture pasted over ``area``; None for text.
    """

    name: str
    area: Rectangle
    old: NDArray[np.uint8] | None = None
    new: NDArray[np.uint8] | None = None
    pixels: Pixels | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Specimen:
    """A flat specimen page.

    Attributes:
        image: the page, (height, width, 3) RGB at ``dots_per_inch``, edge to edge.
        truth: polygons in pixels of ``image``.
        holder: what is printed (after forging, what is printed now).
        layout, design: where and how it is printed.
        dots_per_inch: resolution of ``image``.
        boxes: rectangle of every printed value in millimetres; MRZ lines are ``mrz_line_1`` ....
        genuine: the page before it was forged; ``image`` itself for a bona fide specimen.
        edits: what a forger changed digitally; :mod:`samebody.synth.photograph` repeats it on photographs.
    """

    image: Image
    truth: SpecimenTruth
    holder: Holder
    layout: Layout
    design: Design
    dots_per_inch: int
    boxes: Mapping[str, Rectangle]
    genuine: Image
    edits: tuple[Edit, ...] = ()

    @property
    def corner_pixels(self) -> float:
        """Radius of the page's corners in pixels of ``image``."""
        return self.layout.corner * self.dots_per_inch / 25.4


_MONTHS = ("JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC")


def printed_date(date: str, style: int) -> str:
    """``YYYY-MM-DD`` as the visual zone prints it; unknown parts stay ``X``."""
    year, month, day = date.split("-")
    if style == 0:
        return f"{day} {_MONTHS[int(month) - 1] if month != 'XX' else 'XXX'} {year}"
    return f"{day}{' ' if style == 1 else '.'}{month}{' ' if style == 1 else '.'}{year}"


def visual_fields(layout: Layout, holder: Holder) -> dict[str, str]:
    """What the visual zone of ``layout`` prints, by field name; dates as ``YYYY-MM-DD``; empty values are left out."""
    values = {slot.field: getattr(holder, slot.field) for slot in layout.slots}
    return {name: value for name, value in values.items() if value}


def rectangle_quad(rectangle: Rectangle, dots: float) -> Quad:
    """Corners of ``rectangle`` clockwise from the top left, in pixels at ``dots`` pixels per millimetre."""
    left, top = rectangle.x * dots, rectangle.y * dots
    right, bottom = (rectangle.x + rectangle.width) * dots, (rectangle.y + rectangle.height) * dots
    return ((left, top), (right, top), (right, bottom), (left, bottom))


def draw_design(random: np.random.Generator) -> Design:
    """A design drawn from ``random``."""
    return Design(
        series=int(random.integers(artwork.SERIES)),
        date_style=int(random.integers(3)),
        mrz_shift=(float(random.uniform(-0.6, 0.6)), float(random.uniform(-0.9, 0.9))),
        ink=int(random.integers(8, 52)),
        ghost_strength=float(random.uniform(0.32, 0.5)),
        value_face="bold" if random.random() < 0.5 else "regular",
    )


def ghost_rectangle(layout: Layout, design: Design) -> Rectangle | None:
    """Where the ghost image is printed; None where the layout has none."""
    where, scale = layout.ghost, design.ghost_scale
    if where is None or scale == 1:
        return where
    width, height = where.width * scale, where.height * scale
    return Rectangle(where.x + (where.width - width) / 2, where.y + (where.height - height) / 2, width, height)


def mrz_rectangle(layout: Layout, design: Design, lines: int, columns: int) -> Rectangle | None:
    """From the top of the first line's capitals to the last baseline, over whole character cells; None without MRZ."""
    if layout.mrz_left is None or layout.mrz_bottom is None:
        return None
    height = MRZ_LINE_SPACING * (lines - 1) + MRZ_CAP_HEIGHT
    baseline = layout.height - layout.mrz_bottom + design.mrz_shift[1]
    return Rectangle(layout.mrz_left + design.mrz_shift[0], baseline - height, MRZ_PITCH * columns, height)


def draw_page(
    layout: Layout, design: Design, holder: Holder, mrz_lines: tuple[str, ...], face: Pixels, dpi: int, seed: int
) -> tuple[Pixels, dict[str, Rectangle]]:
    """The flat page, (height, width, 3) uint8 RGB, and the rectangle of every printed value in millimetres."""
    dots = dpi / 25.4
    page = artwork.ground(layout.name, dpi, design.series).copy()
    random = np.random.default_rng([seed, 77])
    if layout.portrait is not None:
        _print_portrait(page, layout.portrait, dots, printed(face, _size(layout.portrait, dots), dpi, random), 1.0)
    ghost = ghost_rectangle(layout, design)
    if ghost is not None:
        print_of_ghost = printed(face, _size(ghost, dots), dpi, random)
        grey = print_of_ghost.mean(axis=2, keepdims=True)
        tinted = grey + 0.25 * (print_of_ghost - grey)
        tinted = 255 - (255 - tinted) * np.array(design.ghost_tone, np.float32)
        _print_portrait(page, ghost, dots, tinted, design.ghost_strength)
    cover = PillowImage.new("L", (page.shape[1], page.shape[0]), 0)
    boxes = draw_values(ImageDraw.Draw(cover), layout, design, holder, dots)
    boxes |= draw_mrz(ImageDraw.Draw(cover), layout, design, mrz_lines, dots)
    _print_ink(page, np.asarray(cover), design.ink)
    return page, boxes


def _size(rectangle: Rectangle, dots: float) -> tuple[int, int]:
    return round(rectangle.width * dots), round(rectangle.height * dots)


def _print_portrait(page: Pixels, where: Rectangle, dots: float, ink: NDArray[np.float32], strength: float) -> None:
    """Print ``ink`` on the page at ``strength``; its edges fade over 0.5 mm so that it cannot be lifted off."""
    height, width = ink.shape[:2]
    left, top = round(where.x * dots), round(where.y * dots)
    rows = np.minimum(np.arange(height), np.arange(height)[::-1])[:, None]
    columns = np.minimum(np.arange(width), np.arange(width)[::-1])[None, :]
    fade = np.clip((np.minimum(rows, columns) + 1) / (0.5 * dots), 0, 1).astype(np.float32)[..., None]
    area = page[top : top + height, left : left + width]
    under = area.astype(np.float32)
    through = ink * (0.90 + 0.10 * under / 255)  # the ground shows through the print a little
    if strength < 1:  # a ghost is overprinted: darkens the ground, never lightens it
        mixed = under * (1 - fade * strength * (1 - ink / 255))
    else:
        mixed = under * (1 - fade) + through * fade
    area[:] = np.clip(np.rint(mixed), 0, 255).astype(np.uint8)


def draw_values(
    draw: ImageDraw.ImageDraw, layout: Layout, design: Design, holder: Holder, dots: float, *, labels: bool = True
) -> dict[str, Rectangle]:
    """Draw the values of the visual zone (and their ``labels``) into a coverage mask; the values' rectangles in mm."""
    names, boxes = labels_of(layout), {}
    face = design.value_face
    for slot in layout.slots:
        if labels:
            label = names[slot.field]
            cap = lettering.fit_cap_height("regular", label, layout.label_cap * dots, slot.width * dots)
            at = (slot.x * dots, (slot.y + layout.label_cap) * dots)
            draw.text(at, label, font=lettering.font_of_cap_height("regular", cap), anchor="ls", fill=170)
        value = getattr(holder, slot.field)
        if value:
            text = printed_date(value, design.date_style) if slot.field.endswith("_date") else value
            baseline = slot.y + layout.label_cap + 1.75 * slot.cap
            boxes[slot.field] = _draw_value(draw, text, face, (slot.x, baseline), slot.cap, slot.width, dots)
    return boxes


def _draw_value(
    draw: ImageDraw.ImageDraw,
    text: str,
    face: lettering.Face,
    at: Point,
    cap: float,
    width: float,
    dots: float,
) -> Rectangle:
    """Draw ``text`` from the baseline point ``at``, smaller when it is too long; its rectangle in millimetres."""
    height = lettering.fit_cap_height(face, text, cap * dots, width * dots)
    letters = lettering.font_of_cap_height(face, height)
    draw.text((at[0] * dots, at[1] * dots), text, font=letters, anchor="ls", fill=255)
    left, top, right, bottom = letters.getbbox(text, anchor="ls")
    return Rectangle(at[0] + left / dots, at[1] + top / dots, (right - left) / dots, (bottom - top) / dots)


def draw_mrz(
    draw: ImageDraw.ImageDraw, layout: Layout, design: Design, lines: tuple[str, ...], dots: float
) -> dict[str, Rectangle]:
    """Draw the MRZ into a coverage mask, every character in the middle of its cell; the lines' rectangles in mm."""
    area = mrz_rectangle(layout, design, len(lines), len(lines[0])) if lines else None
    if area is None:
        return {}
    boxes = {}
    letters = lettering.font("ocr-b", MRZ_PITCH * dots / lettering.OCRB_ADVANCE)
    for number, line in enumerate(lines):
        baseline = area.y + MRZ_CAP_HEIGHT + MRZ_LINE_SPACING * number
        for column, character in enumerate(line):
            draw.text(
                ((area.x + MRZ_PITCH * column) * dots, baseline * dots), character, font=letters, anchor="ls", fill=255
            )
        boxes[f"mrz_line_{number + 1}"] = Rectangle(area.x, baseline - MRZ_CAP_HEIGHT, area.width, MRZ_CAP_HEIGHT)
    return boxes


def _print_ink(page: Pixels, cover: NDArray[np.uint8], ink: int) -> None:
    """Personalisation in near-black ink, with the slight spread of ink on paper."""
    share = cv2.GaussianBlur(cover, (0, 0), 0.6).astype(np.float32)[..., None] / 255
    rows = np.flatnonzero(cover.any(axis=1))
    top, bottom = max(0, rows[0] - 3), rows[-1] + 4
    part, share = page[top:bottom].astype(np.float32), share[top:bottom]
    page[top:bottom] = np.rint(part * (1 - share) + share * np.float32(ink)).astype(np.uint8)


def build_truth(
    layout: Layout,
    design: Design,
    holder: Holder,
    lines: tuple[str, ...],
    boxes: Mapping[str, Rectangle],
    dots_per_inch: int,
    seed: int,
    pixels: Pixels,
) -> SpecimenTruth:
    """The truth about a bona fide flat page; polygons in its pixels."""
    dots = dots_per_inch / 25.4
    height, width = pixels.shape[:2]
    zone = mrz_rectangle(layout, design, len(lines), len(lines[0])) if lines else None
    ghost = ghost_rectangle(layout, design)
    return SpecimenTruth(
        format=layout.format,
        mrz_lines=lines,
        fields=visual_fields(layout, holder),
        page=((0.0, 0.0), (float(width), 0.0), (float(width), float(height)), (0.0, float(height))),
        mrz=None if zone is None else rectangle_quad(zone, dots),
        portrait=None if layout.portrait is None else rectangle_quad(layout.portrait, dots),
        ghost=None if ghost is None else rectangle_quad(ghost, dots),
        parameters={
            "seed": seed,
            "layout": layout.name,
            "dots_per_inch": dots_per_inch,
            "series": design.series,
            "date_style": design.date_style,
            "ink": design.ink,
            "field_polygons": {name: rectangle_quad(box, dots) for name, box in boxes.items()},
        },
    )
