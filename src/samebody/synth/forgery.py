"""Forge specimens: the species that checks are measured against, and how a forger makes each of them.

Digital species edit a picture that was compressed before, by retouching only what changes, and save it again. They are
done on a flat scan (``forge`` leaves that in ``Specimen.image``) or on the photograph itself
(:func:`samebody.synth.photograph.photograph`), because the traces differ. Physical species change the page that is
photographed.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import date
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image as PillowImage
from PIL import ImageDraw

from samebody.errors import UsageError
from samebody.synth import optics
from samebody.synth.holder import Holder, draw_holder
from samebody.synth.layout import Rectangle
from samebody.synth.mrz import check_digit, compose, date_field
from samebody.synth.page import (
    Edit,
    Specimen,
    draw_mrz,
    draw_values,
    rectangle_quad,
    visual_fields,
)
from samebody.synth.portrait import drawn_face, head_and_shoulders
from samebody.synth.reprint import reprint
from samebody.types import Image, Pixels

FORGERIES: Mapping[str, str] = {
    "date_recomputed": "a date of birth or expiry changed in both zones, check digits recomputed",
    "date_plain": "a date of birth or expiry changed in both zones, check digits left as they were",
    "viz_mismatch": "a value of the visual zone changed, the machine-readable zone left as it was",
    "portrait_swap": "another portrait pasted over the portrait; a ghost image still shows the first",
    "reprint": "the page scanned and printed again: fine lines lost, halftone dots, shifted contrast and colour",
    "screen_recapture": "the page shown on a screen and photographed from it",
}
DIGITAL = frozenset({"date_recomputed", "date_plain", "viz_mismatch", "portrait_swap"})
"""Species that edit pixels; the others change what is photographed."""


def forge(specimen: Specimen, species: str, *, seed: int, substitute: Image | None = None) -> Specimen:
    """``specimen`` forged; its truth says what is printed now and, under ``parameters``, what was edited.

    Raises:
        UsageError: for an unknown species, or one that this side of the document has nothing for.
    """
    if species not in FORGERIES:
        raise UsageError(f"there is no forgery {species!r}.", hint=f"Known: {', '.join(FORGERIES)}.")
    random = np.random.default_rng([seed, 21])
    if species == "reprint":
        return _reprinted(specimen, random)
    if species == "screen_recapture":
        return _labelled(specimen, species, {})
    if species == "portrait_swap":
        edits, facts = _swap_portrait(specimen, random, substitute)
        holder, lines, boxes = specimen.holder, specimen.truth.mrz_lines, specimen.boxes
    else:
        holder, lines, facts = _changed_text(specimen, species, random)
        facts |= draw_craft(random)
        edits, boxes = text_edits(specimen, holder, lines, facts)
        dots = specimen.dots_per_inch / 25.4
        facts["field_polygons"] = {name: rectangle_quad(box, dots) for name, box in boxes.items()}
    forged = _labelled(specimen, species, facts, edits)
    forged = replace(
        forged,
        holder=holder,
        edits=edits,
        boxes=boxes,
        truth=replace(forged.truth, mrz_lines=lines, fields=visual_fields(specimen.layout, holder)),
    )
    return replace(forged, image=Image(edited_scan(forged, np.random.default_rng([seed, 22]))))


def _labelled(specimen: Specimen, species: str, facts: Mapping[str, Any], edits: tuple[Edit, ...] = ()) -> Specimen:
    dots = specimen.dots_per_inch / 25.4
    polygons = {edit.name: rectangle_quad(edit.area, dots) for edit in edits}
    parameters = {**specimen.truth.parameters, **facts, "edited": polygons}
    return replace(specimen, truth=replace(specimen.truth, forgery=species, parameters=parameters))


def _reprinted(specimen: Specimen, random: np.random.Generator) -> Specimen:
    pixels, facts = reprint(specimen.image.pixels, specimen.dots_per_inch, random)
    return replace(_labelled(specimen, "reprint", facts), image=Image(pixels))


# ------------------------------------------------------------------------------------------------- what is changed


def _changed_text(
    specimen: Specimen, species: str, random: np.random.Generator
) -> tuple[Holder, tuple[str, ...], dict[str, Any]]:
    """The holder and MRZ lines as printed after forging."""
    holder, lines, layout = specimen.holder, specimen.truth.mrz_lines, specimen.layout
    if not lines:
        raise UsageError(
            f"{layout.name} has no machine-readable zone to forge.", hint="Choose another side or species."
        )
    if species == "viz_mismatch":
        printed = [
            name
            for name in ("birth_date", "expiry_date", "document_number", "surname")
            if name in specimen.truth.fields
        ]
        if not printed:
            raise UsageError(f"{layout.name} prints no field that the MRZ repeats.", hint="Choose another side.")
        name = printed[random.integers(len(printed))]
        after = _other_value(holder, name, layout.format, random)
        return replace(holder, **{name: after}), lines, {"edited_field": name}
    name = "birth_date" if random.random() < 0.6 and "X" not in holder.birth_date else "expiry_date"
    before = getattr(holder, name)
    after = _other_date(before, name, random)
    while check_digit(date_field(after)) == check_digit(date_field(before)):
        after = _other_date(before, name, random)
    changed = replace(holder, **{name: after})
    if species == "date_recomputed":
        return changed, compose(layout.format, changed), {"edited_field": name}
    # the characters of the date alone; check digits stay, and are wrong now
    row = 1
    start = {"TD1": {"birth_date": 0, "expiry_date": 8}}.get(layout.format, {"birth_date": 13, "expiry_date": 21})[name]
    line = lines[row][:start] + date_field(after) + lines[row][start + 6 :]
    return changed, (lines[0], line, *lines[2:]), {"edited_field": name}


def _other_date(before: str, name: str, random: np.random.Generator) -> str:
    """A plausible other date: a holder made older or younger but of age, or a validity stretched."""
    year, month, day = (int(part) for part in before.split("-"))
    if name == "expiry_date":
        other = year + int(random.integers(1, 8))
    else:
        other = int(np.clip(year + int(random.choice([-1, 1])) * int(random.integers(1, 12)), 1930, 2006))
    if random.random() < 0.3:
        month = int(random.integers(1, 13))
    return date(other, month, min(day, 28)).isoformat()


def _other_value(holder: Holder, name: str, format: str, random: np.random.Generator) -> str:
    before: str = getattr(holder, name)
    while True:
        if name.endswith("_date"):
            after = before if "X" in before else _other_date(before, name, random)
            if "X" in before:  # an unknown part is given a value
                after = f"{random.integers(1950, 2004)}-{random.integers(1, 13):02d}-{random.integers(1, 29):02d}"
        elif name == "document_number":
            place = int(random.integers(len(before)))
            pool = "0123456789" if before[place].isdigit() else "ABCDEFGHJKLMNPRSTUVWXYZ"
            after = before[:place] + pool[random.integers(len(pool))] + before[place + 1 :]
        else:
            after = draw_holder(random, format).surname
        if after != before:
            return after


# ------------------------------------------------------------------------------------------------ how it is changed


def draw_craft(random: np.random.Generator) -> dict[str, Any]:
    """How well the forger works: placement and size of new text, how far blur and noise are imitated."""
    return {
        "forger_baseline_shift_mm": float(random.uniform(-0.14, 0.14)),
        "forger_x_shift_mm": float(random.uniform(-0.10, 0.10)),
        "forger_blur_match": float(random.uniform(0.3, 1.0)),
        "forger_noise_match": float(random.uniform(0.0, 0.4)),
        "forger_erases_by": str(random.choice(["inpainting", "smearing"])),
        "jpeg_quality_saved": int(random.integers(78, 97)),
    }


def text_edits(
    specimen: Specimen, holder: Holder, lines: tuple[str, ...], craft: Mapping[str, Any]
) -> tuple[tuple[Edit, ...], Mapping[str, Rectangle]]:
    """One edit for every run of print that differs, over the rectangle in which it differs; and the new rectangles."""
    layout, design, dots = specimen.layout, specimen.design, specimen.dots_per_inch / 25.4
    size = (specimen.image.width, specimen.image.height)

    def cover(holder: Holder, lines: tuple[str, ...]) -> tuple[NDArray[np.uint8], dict[str, Rectangle]]:
        picture = PillowImage.new("L", size, 0)
        boxes = draw_values(ImageDraw.Draw(picture), layout, design, holder, dots, labels=False)
        boxes |= draw_mrz(ImageDraw.Draw(picture), layout, design, lines, dots)
        return np.asarray(picture), boxes

    old, old_boxes = cover(specimen.holder, specimen.truth.mrz_lines)
    new, new_boxes = cover(holder, lines)
    shift = np.array([[1, 0, craft["forger_x_shift_mm"] * dots], [0, 1, craft["forger_baseline_shift_mm"] * dots]])
    moved = np.asarray(cv2.warpAffine(new, shift, size, flags=cv2.INTER_LINEAR), np.uint8)
    edits = []
    for name, box in old_boxes.items():
        for part, area in _differences(old, new, _union(box, new_boxes[name]), dots):
            left, top, right, bottom = area
            rectangle = Rectangle(left / dots, top / dots, (right - left) / dots, (bottom - top) / dots)
            label = name if part == 0 else f"{name}#{part + 1}"
            edits.append(Edit(label, rectangle, old[top:bottom, left:right], moved[top:bottom, left:right]))
    return tuple(edits), new_boxes


def _union(first: Rectangle, second: Rectangle) -> Rectangle:
    left, top = min(first.x, second.x), min(first.y, second.y)
    right = max(first.x + first.width, second.x + second.width)
    bottom = max(first.y + first.height, second.y + second.height)
    return Rectangle(left, top, right - left, bottom - top)


def _differences(
    old: NDArray[np.uint8], new: NDArray[np.uint8], box: Rectangle, dots: float
) -> list[tuple[int, tuple[int, int, int, int]]]:
    """Runs of columns of ``box`` in which two covers differ, numbered, as (left, top, right, bottom) pixels.

    Runs less than 1.2 mm apart are one, as a forger retouches neighbouring characters in one go.
    """
    margin, gap = round(0.35 * dots), round(1.2 * dots)
    top, bottom = max(0, round(box.y * dots) - margin), min(old.shape[0], round((box.y + box.height) * dots) + margin)
    left, right = max(0, round(box.x * dots) - margin), min(old.shape[1], round((box.x + box.width) * dots) + margin)
    inner_top, inner_bottom = top + margin // 2, bottom - margin // 2
    difference = np.abs(old[inner_top:inner_bottom, left:right].astype(int) - new[inner_top:inner_bottom, left:right])
    columns = np.flatnonzero(difference.max(axis=0) > 40)
    if columns.size == 0:
        return []
    runs = np.split(columns, np.flatnonzero(np.diff(columns) > gap) + 1)
    return [
        (number, (left + int(run[0]) - margin, top, left + int(run[-1]) + margin, bottom))
        for number, run in enumerate(runs)
    ]


def _swap_portrait(
    specimen: Specimen, random: np.random.Generator, substitute: Image | None
) -> tuple[tuple[Edit, ...], dict[str, Any]]:
    """Another portrait with a history of its own: lighting, sharpening, noise and JPEG of another file."""
    where = specimen.layout.portrait
    if where is None:
        raise UsageError(f"{specimen.layout.name} has no portrait to swap.", hint="Choose another side or species.")
    face = drawn_face(random) if substitute is None else head_and_shoulders(substitute)
    facts = draw_craft(random) | {
        "substitute_jpeg_quality": int(random.integers(50, 88)),
        "substitute_noise_sigma": float(random.uniform(0.5, 6.0)),
        "substitute_height_px": int(random.integers(260, 620)),
        "substitute_light": float(random.uniform(-0.22, 0.22)),
    }
    height = facts["substitute_height_px"]
    size = (round(height * where.width / where.height), height)
    shrinking = face.shape[0] > height
    small = cv2.resize(face, size, interpolation=cv2.INTER_AREA if shrinking else cv2.INTER_CUBIC).astype(np.float32)
    small *= np.linspace(1 - facts["substitute_light"], 1 + facts["substitute_light"], size[0], dtype=np.float32)[
        None, :, None
    ]
    small += 0.5 * (small - cv2.GaussianBlur(small, (0, 0), 1.2))
    optics.add_noise(small, facts["substitute_noise_sigma"], 0.4, random)
    pixels = optics.decode_jpeg(optics.encode_jpeg(optics.quantise(small), facts["substitute_jpeg_quality"]))
    return (Edit("portrait", where, pixels=pixels),), facts


def edited_scan(specimen: Specimen, random: np.random.Generator) -> Pixels:
    """The genuine page scanned and compressed, then retouched, saved and opened again; same size as the page."""
    scanned = scan_pixels(specimen.genuine.pixels, random)
    scanned = optics.decode_jpeg(optics.encode_jpeg(scanned, int(random.integers(82, 96))))
    facts = specimen.truth.parameters
    retouched = retouch(scanned, np.eye(3), specimen.edits, specimen.dots_per_inch, facts, 0.8, 1.5, random)
    return optics.decode_jpeg(optics.encode_jpeg(retouched, facts["jpeg_quality_saved"]))


def scan_pixels(pixels: Pixels, random: np.random.Generator) -> Pixels:
    """A flatbed scan of ``pixels`` at their own resolution: a little blur, a little noise."""
    picture = np.asarray(cv2.GaussianBlur(pixels.astype(np.float32), (0, 0), 0.8), np.float32)
    optics.add_noise(picture, 1.5, 0.3, random)
    return optics.quantise(picture)


def retouch(
    picture: Pixels,
    matrix: NDArray[np.float64],
    edits: tuple[Edit, ...],
    dots_per_inch: int,
    craft: Mapping[str, Any],
    blur_sigma: float,
    noise_sigma: float,
    random: np.random.Generator,
) -> Pixels:
    """``picture`` with every edit made in it.

    Args:
        picture: (height, width, 3) uint8, a photograph or scan that was compressed before.
        matrix: 3x3, pixels of the flat page (at ``dots_per_inch``) to pixels of ``picture``, corner convention.
        edits: what to change.
        dots_per_inch: resolution of the flat page that ``matrix`` starts from.
        craft: see :func:`draw_craft`.
        blur_sigma, noise_sigma: of the picture, which the forger imitates as far as ``craft`` says.
        random: draws the imitation noise.
    """
    out = picture.astype(np.float32)
    dots = dots_per_inch / 25.4
    for edit in edits:
        quad = np.array(rectangle_quad(edit.area, dots)) @ matrix[:2, :2].T + matrix[:2, 2]
        weight = np.array(rectangle_quad(edit.area, dots)) @ matrix[2, :2] + matrix[2, 2]
        quad = quad / weight[:, None]
        low = np.maximum(np.floor(quad.min(axis=0)) - 6, 0).astype(int)
        high = np.minimum(np.ceil(quad.max(axis=0)) + 6, [picture.shape[1], picture.shape[0]]).astype(int)
        part = out[low[1] : high[1], low[0] : high[0]]
        place = matrix @ np.array([[1, 0, edit.area.x * dots], [0, 1, edit.area.y * dots], [0, 0, 1.0]])
        place = np.array([[1, 0, -low[0]], [0, 1, -low[1]], [0, 0, 1.0]]) @ place
        if edit.pixels is not None:
            part[:] = _paste(part, edit.pixels, edit.area, place, dots)
        else:
            part[:] = _retype(part, edit, place, craft, blur_sigma, noise_sigma, random)
    return optics.quantise(out)


def _warp(source: NDArray[np.uint8], place: NDArray[np.float64], shape: tuple[int, int]) -> NDArray[np.float32]:
    """``source`` through ``place`` into ``shape``, sampled twice as finely and averaged; zero outside."""
    half = np.array([[1, 0, -0.5], [0, 1, -0.5], [0, 0, 1.0]])
    scale = float(np.sqrt(abs(np.linalg.det(place[:2, :2] / place[2, 2]))))
    if 2 * scale < 1:
        size = (max(1, round(source.shape[1] * 2 * scale)), max(1, round(source.shape[0] * 2 * scale)))
        place = place @ np.diag([source.shape[1] / size[0], source.shape[0] / size[1], 1.0])
        source = np.asarray(cv2.resize(source, size, interpolation=cv2.INTER_AREA), np.uint8)
    fine = half @ np.diag([2.0, 2.0, 1.0]) @ place @ np.linalg.inv(half)
    large = cv2.warpPerspective(source, fine, (shape[1] * 2, shape[0] * 2), flags=cv2.INTER_LINEAR)
    return np.asarray(cv2.resize(large, (shape[1], shape[0]), interpolation=cv2.INTER_AREA), np.float32)


def _paste(
    part: NDArray[np.float32], pixels: Pixels, area: Rectangle, place: NDArray[np.float64], dots: float
) -> NDArray[np.float32]:
    """A picture over ``area`` with an edge one pixel soft; brightness brought near what was there before."""
    rows, columns = pixels.shape[:2]
    place = place @ np.diag([area.width * dots / columns, area.height * dots / rows, 1.0])
    shape = (part.shape[0], part.shape[1])
    share = _warp(np.full((rows, columns), 255, np.uint8), place, shape)[..., None] / 255
    pasted = _warp(pixels, place, shape) / np.maximum(share, 1e-3)
    inside = share[..., 0] > 0.99
    gain = np.clip(part[inside].mean(axis=0) / np.maximum(pasted[inside].mean(axis=0), 1), 0.6, 1.6) ** 0.7
    return np.asarray(part * (1 - share) + np.clip(pasted * gain, 0, 255) * share, np.float32)


def _retype(
    part: NDArray[np.float32],
    edit: Edit,
    place: NDArray[np.float64],
    craft: Mapping[str, Any],
    blur_sigma: float,
    noise_sigma: float,
    random: np.random.Generator,
) -> NDArray[np.float32]:
    """Erase the old print within the edit's area and print the new one in the colour of the old."""
    assert edit.old is not None and edit.new is not None
    shape = (part.shape[0], part.shape[1])
    old = _warp(edit.old, place, shape)
    within = _warp(np.full(edit.old.shape, 255, np.uint8), place, shape) > 127
    reach = 2 * int(np.ceil(1.2 + 1.6 * blur_sigma)) + 1
    stale = (cv2.dilate(old, np.ones((reach, reach), np.uint8)) > 24) & within
    ink = np.percentile(part[old > 200], 20, axis=0) if (old > 200).any() else part.reshape(-1, 3).min(axis=0)
    if craft["forger_erases_by"] == "inpainting":
        clean = cv2.inpaint(optics.quantise(part), stale.astype(np.uint8), 3, cv2.INPAINT_TELEA).astype(np.float32)
    else:  # the surroundings smeared over the old print
        keep = (~stale).astype(np.float32)
        sigma = 3.0 + blur_sigma
        weight = cv2.GaussianBlur(keep, (0, 0), sigma)[..., None] + 1e-4
        smear = cv2.GaussianBlur(part * keep[..., None], (0, 0), sigma) / weight
        clean = np.where(stale[..., None], smear, part)
    cover = _warp(edit.new, place, shape) / 255
    cover = cv2.GaussianBlur(cover, (0, 0), max(0.3, blur_sigma * craft["forger_blur_match"]))
    out = clean * (1 - cover[..., None]) + ink * cover[..., None]
    touched = stale | (cover > 0.02)
    noise = random.standard_normal(part.shape, dtype=np.float32) * (noise_sigma * craft["forger_noise_match"])
    return np.asarray(np.where(touched[..., None], out + noise, part), np.float32)
