"""Lay out flat specimen pages of the fictional state UTO, from a reading of ICAO Doc 9303's geometry of our own."""

from __future__ import annotations

from dataclasses import dataclass, field

import cv2
import numpy as np
from numpy.typing import NDArray

from benchmarks.second_renderer import artwork, mrz
from benchmarks.second_renderer.artwork import Canvas
from benchmarks.second_renderer.holder import Holder
from benchmarks.second_renderer.typeface import CAP_HEIGHT, STROKE, Print, ink_line

Rectangle = tuple[float, float, float, float]
"""Left, top, width, height in millimetres of the page."""

SIZES = {
    "TD1": (85.6, 53.98), "TD2": (105.0, 74.0), "TD3": (125.0, 88.0), "MRV-A": (120.0, 80.0), "MRV-B": (105.0, 74.0),
}  # fmt: skip
"""Width and height of the page in millimetres (Doc 9303 parts 4 to 7, ISO/IEC 7810)."""

# Left edge of the first cell, foot of the last line above the page's lower edge, distance of two lines: millimetres.
_ZONES = {
    "TD1": (4.0, 4.1, 6.35),
    "TD2": (5.2, 7.7, 6.35),
    "TD3": (6.2, 7.7, 6.35),
    "MRV-A": (5.6, 7.7, 6.35),
    "MRV-B": (5.4, 7.7, 6.35),
}
_MONTHS = ("JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC")
_TITLES = {"TD1": "IDENTITY CARD", "TD2": "IDENTITY CARD", "TD3": "PASSPORT", "MRV-A": "VISA", "MRV-B": "VISA"}


@dataclass(frozen=True, slots=True, eq=False)
class Sheet:
    """A flat page as printed.

    Attributes:
        pixels: (height, width, 3) float32 sRGB values in 0-1.
        pixels_per_mm: resolution.
        size: width and height in millimetres.
        mrz: the inked extent of the zone in millimetres, before its slope.
        slope: of the zone's lines, millimetres down a millimetre to the right, about the page's middle.
        portrait, ghost: in millimetres, None when the page has none.
        face: the portrait as it was printed, before the press; None when the page has none.
        boxes: where each visual-zone field's value was printed, by name.
        parameters: what was drawn about printing, JSON-ready.
    """

    pixels: Canvas
    pixels_per_mm: float
    size: tuple[float, float]
    mrz: Rectangle
    slope: float
    portrait: Rectangle | None
    ghost: Rectangle | None
    face: Canvas | None
    boxes: dict[str, Rectangle]
    parameters: dict[str, object] = field(default_factory=dict)


def printed_date(iso: str, style: int) -> str:
    """``YYYY-MM-DD`` as one of three habits of printing dates."""
    year, month, day = iso.split("-")
    if style == 0 and month != "XX":
        return f"{day} {_MONTHS[int(month) - 1]} {year}"
    return f"{day}.{month}.{year}" if style == 1 else f"{day} {month} {year}"


class _Press:
    """Prints on one page; lengths in millimetres."""

    def __init__(self, canvas: Canvas, pixels_per_mm: float) -> None:
        self.canvas = canvas
        self.scale = pixels_per_mm

    def text(
        self,
        text: str,
        x: float,
        y: float,
        height: float,
        colour: artwork.Colour,
        *,
        bold: bool = False,
        opacity: float = 1.0,
    ) -> Rectangle:
        """Print with capitals ``height`` mm tall, their foot at ``y``; returns where."""
        mask = artwork.text_mask(text, height * self.scale, bold=bold)
        top = round(y * self.scale) - round(height * self.scale * 1.45)
        artwork.lay(self.canvas, mask, round(x * self.scale), top, colour, opacity)
        return (x, y - height * 1.1, mask.shape[1] / self.scale, height * 1.4)

    def picture(self, pixels: Canvas, box: Rectangle, opacity: float, feather: float = 0.0) -> None:
        x, y, width, height = (round(value * self.scale) for value in box)
        fitted = cv2.resize(pixels, (width, height), interpolation=cv2.INTER_AREA)
        mask = np.ones((height, width), np.float32)
        if feather > 0:
            border = max(1, round(feather * self.scale))
            mask = cv2.copyMakeBorder(
                mask[border:-border, border:-border], border, border, border, border, cv2.BORDER_CONSTANT
            )
            mask = cv2.GaussianBlur(mask, (0, 0), border / 2)
        area = self.canvas[y : y + height, x : x + width]
        part = (mask * opacity)[: area.shape[0], : area.shape[1], None]
        area *= 1 - part
        area += part * fitted[: area.shape[0], : area.shape[1]]


def fit_portrait(pixels: NDArray[np.uint8], aspect: float) -> Canvas:
    """The middle of a photograph cut to width / height = ``aspect``, as values in 0-1."""
    height, width = pixels.shape[:2]
    if width / height > aspect:
        kept = round(height * aspect)
        left = (width - kept) // 2
        cut = pixels[:, left : left + kept]
    else:
        kept = round(width / aspect)
        top = round((height - kept) * 0.35)
        cut = pixels[top : top + kept]
    return cut.astype(np.float32) / 255


def page(
    format: str,
    visual: Holder,
    lines: tuple[str, ...],
    *,
    seed: np.random.SeedSequence,
    pixels_per_mm: float,
    portrait: NDArray[np.uint8] | None,
    ghost: Canvas | None = None,
    with_portrait: bool = True,
) -> Sheet:
    """Print a page.

    Args:
        format: layout.
        visual: what the visual zone prints.
        lines: of the machine-readable zone, printed as they are.
        seed: of everything drawn; the same seed gives the same page but for the texts.
        pixels_per_mm: resolution.
        portrait: RGB photograph, None for a drawn face.
        ghost: another sheet's ``face`` for the ghost image, None for the portrait's own.
        with_portrait: False for the back of a card.
    """
    ground_seed, print_seed, face_seed, text_seed = (np.random.default_rng(child) for child in seed.spawn(4))
    width_mm, height_mm = SIZES[format]
    canvas = _ground(format, pixels_per_mm, ground_seed)
    press = _Press(canvas, pixels_per_mm)
    label_ink = artwork.deep(text_seed)
    data_ink = (0.09, 0.09, float(text_seed.uniform(0.09, 0.16)))
    zone_rows = mrz.SHAPES[format][0]
    left, foot, pitch = _ZONES[format]
    zone_top = height_mm - foot - (zone_rows - 1) * pitch - CAP_HEIGHT - 2.2

    photo: Rectangle | None = None
    shadow: Rectangle | None = None
    pixels_face: Canvas | None = None
    body = zone_top - 9.0
    if with_portrait:
        ratio = 35 / 45
        photo_height = min(40.0, body - 1.5)
        photo = (float(text_seed.uniform(4, 6)), 8.5, photo_height * ratio, photo_height)
        pixels_face = fit_portrait(portrait, ratio) if portrait is not None else _drawn(photo, pixels_per_mm, face_seed)
        press.picture(pixels_face, photo, 0.97, feather=float(text_seed.choice([0.0, 0.0, 0.8])))
        if text_seed.random() < 0.85:
            ghost_height = photo_height * 0.46
            shadow = (
                width_mm - ghost_height * ratio - 5,
                zone_top - ghost_height - 2.5,
                ghost_height * ratio,
                ghost_height,
            )
            source = ghost if ghost is not None else pixels_face
            grey = source.mean(axis=2, keepdims=True)
            tint = np.asarray(artwork.deep(text_seed), np.float32)
            press.picture((tint + (1 - tint) * grey).astype(np.float32), shadow, 0.55, feather=0.9)
    boxes = _visual_zone(press, format, visual, photo, zone_top, label_ink, data_ink, text_seed)
    if text_seed.random() < 0.7:
        size = height_mm * 0.26
        spot = (width_mm * float(text_seed.uniform(0.28, 0.6)), zone_top - size - 1.0, size * 1.2, size)
        artwork.foil(canvas, tuple(value * pixels_per_mm for value in spot), text_seed)  # type: ignore[arg-type]

    style = Print.draw(print_seed)
    offset = (float(print_seed.uniform(-0.8, 0.8)), float(print_seed.uniform(-0.8, 0.8)))
    slope = float(print_seed.normal(0, 0.0025))
    extents = []
    for row, line in enumerate(lines):
        baseline = height_mm - foot - (zone_rows - 1 - row) * pitch + offset[1]
        # The zone must end on the page: wide pitches start further left.
        start = min(left + offset[0], width_mm - 2.0 - len(line) * style.pitch)
        strip_top = max(0, int((baseline - 4.6) * pixels_per_mm))
        strip_height = min(canvas.shape[0] - strip_top, int(7.2 * pixels_per_mm))
        coverage = ink_line(
            line,
            pixels_per_mm,
            style,
            print_seed,
            (strip_height, canvas.shape[1]),
            (start, baseline - strip_top / pixels_per_mm),
            lambda x: slope * (x - width_mm / 2),
        )
        artwork.lay(canvas, coverage, 0, strip_top, (0.06, 0.06, 0.07), style.density)
        extents.append((start, baseline))
    side = (style.pitch - 1.4) / 2
    extent = (
        extents[0][0] + side,
        extents[0][1] - CAP_HEIGHT,
        len(lines[0]) * style.pitch - 2 * side,
        extents[-1][1] - extents[0][1] + CAP_HEIGHT,
    )
    parameters: dict[str, object] = {
        "print_weight_mm": style.weight,
        "print_condensation": style.condensation,
        "print_pitch_mm": style.pitch,
        "print_spread_mm": style.spread,
        "print_breaks": style.breaks,
        "print_density": style.density,
    }
    return Sheet(
        canvas, pixels_per_mm, (width_mm, height_mm), extent, slope, photo, shadow, pixels_face, boxes, parameters
    )


def _drawn(box: Rectangle, pixels_per_mm: float, random: np.random.Generator) -> Canvas:
    return artwork.draw_face(round(box[2] * pixels_per_mm), round(box[3] * pixels_per_mm), random)


def _ground(format: str, pixels_per_mm: float, random: np.random.Generator) -> Canvas:
    width_mm, height_mm = SIZES[format]
    width, height = round(width_mm * pixels_per_mm), round(height_mm * pixels_per_mm)
    canvas = artwork.iris_print(height, width, random)
    for _ in range(int(random.integers(1, 3))):
        artwork.wave_tint(canvas, pixels_per_mm, artwork.deep(random), random, float(random.uniform(0.12, 0.34)))
    for _ in range(int(random.integers(1, 4))):
        centre = (float(random.uniform(0.1, 0.9)) * width, float(random.uniform(0.05, 0.7)) * height)
        artwork.rosette(canvas, centre, float(random.uniform(7, 24)) * pixels_per_mm, artwork.deep(random), random)
    if random.random() < 0.5:  # many states keep the zone itself paler than the rest
        _, foot, pitch = _ZONES[format]
        top = round((height_mm - foot - (mrz.SHAPES[format][0] - 1) * pitch - CAP_HEIGHT - 2.2) * pixels_per_mm)
        canvas[top:] = canvas[top:] * 0.45 + 0.55 * np.float32(random.uniform(0.9, 0.97))
    return canvas


def _visual_zone(
    press: _Press,
    format: str,
    holder: Holder,
    photo: Rectangle | None,
    zone_top: float,
    label_ink: artwork.Colour,
    data_ink: artwork.Colour,
    random: np.random.Generator,
) -> dict[str, Rectangle]:
    width_mm = SIZES[format][0]
    small = format == "TD1"
    press.text("UTOPIA", 5.0, 6.2, 2.2 if small else 2.8, label_ink, bold=True)
    press.text(_TITLES[format], 24.0 if small else 32.0, 6.2, 1.7 if small else 2.3, label_ink)
    press.text(
        "SPECIMEN",
        width_mm - (27 if small else 32),
        6.2,
        2.2 if small else 2.8,
        (0.75, 0.1, 0.1),
        bold=True,
        opacity=0.9,
    )
    style = int(random.integers(3))
    data_height = 1.55 if small else float(random.uniform(1.75, 2.1))
    label_height = 0.8 if small else 1.0
    bold = bool(random.random() < 0.5)
    x0 = photo[0] + photo[2] + 3.5 if photo else 5.0
    room = width_mm - x0 - 4
    top, bottom = 9.5, zone_top - 1.0
    rows: list[list[tuple[str, str, str]]] = [
        [("document_number", "Document No.", holder.document_number), ("issuing_state", "State", holder.issuing_state)],
        [("surname", "Surname", holder.surname.upper())],
        [("given_names", "Given names", holder.given_names.upper())],
        [("nationality", "Nationality", holder.nationality), ("sex", "Sex", holder.sex)],
        [
            ("birth_date", "Date of birth", printed_date(holder.birth_date, style)),
            ("place", "Place", holder.place.upper()),
        ],
        [
            ("issue_date", "Date of issue", printed_date(holder.issue_date, style)),
            ("expiry_date", "Date of expiry", printed_date(holder.expiry_date, style)),
        ],
    ]
    if random.random() < 0.5:
        rows[0], rows[1], rows[2] = rows[1], rows[2], rows[0]
    step = (bottom - top) / len(rows)
    boxes: dict[str, Rectangle] = {}
    for index, row in enumerate(rows):
        y = top + step * index
        for column, (name, label, value) in enumerate(row):
            x = x0 + column * room * 0.42
            press.text(label, x, y + label_height, label_height, label_ink)
            if not value:
                continue
            fitted = data_height
            needed = artwork.text_mask(value, fitted * press.scale, bold=bold).shape[1] / press.scale
            limit = room if len(row) == 1 else room * (0.40 if column == 0 else 0.56)
            if needed > limit:
                fitted *= limit / needed
            foot = y + label_height + min(step - label_height - 0.35, data_height + 0.8)
            boxes[name] = press.text(value, x, foot, fitted, data_ink, bold=bold)
    return boxes


__all__ = ["CAP_HEIGHT", "SIZES", "STROKE", "Rectangle", "Sheet", "fit_portrait", "page", "printed_date"]
