"""Read the visual zone: lines located by layout alone, recognised in batches, and sorted into fields by what they say.

No position is assumed: a field is found because it says what the machine-readable zone says, or because a label
beside or above it names it. So the reader works on layouts that it has never seen.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from itertools import pairwise

import cv2
import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from samebody import stage
from samebody.document.portrait import Candidate, PortraitFinder
from samebody.document.recognise import LINE_HEIGHT, Character, TextLine, TextRecogniser
from samebody.document.types import MrzReading, Page
from samebody.document.visual_fields import VisualField, VisualLine, VisualZone, find_fields
from samebody.types import Box, Pixels

__all__ = ["CHARSET", "VisualField", "VisualLine", "VisualZone", "VisualZoneReader", "ink_map"]

CHARSET = (
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789 .,:;-/'’()<>|&+#°"
    "ÀÁÂÃÄÅÆÇÈÉÊËÌÍÎÏÐÑÒÓÔÕÖØÙÚÛÜÝÞßàáâãäåæçèéêëìíîïðñòóôõöøùúûüýþÿ"
    "ĀāĂăĄąĆćČčĎďĐđĒēĘęĚěĞğĢģĪīĮįİıĶķĹĺĻļĽľŁłŃńŅņŇňŌōŐőŒœŔŕŘřŚśŞşŠšŢţŤťŪūŮůŰűŲųŴŵŶŷŸŹźŻżŽžȘșȚț"
)
"""What a visual zone in a Latin script may hold. The recogniser knows far more, and would read noise as it."""


class VisualZoneReader(stage.Stage):
    """Locates text lines on a rectified page, recognises them, and sorts them into fields."""

    class Parameters(stage.Stage.Parameters):
        """Sizes are on the document, in millimetres; Doc 9303-3 clause 3.4 asks for about 2 mm capitals."""

        min_height_mm: float = Field(default=1.0, gt=0, le=3, description="shorter ink is no text line that matters")
        max_height_mm: float = Field(default=5.5, gt=0, le=12, description="taller ink is a picture or an emblem")
        gap_heights: float = Field(default=0.9, gt=0, le=4, description="wider gaps part two columns, in line heights")
        min_contrast: float = Field(default=0.13, gt=0, lt=1, description="darkness of ink relative to its ground")
        max_lines: int = Field(default=22, ge=1, le=200, description="lines recognised at most, strongest first")
        first_pass: int = Field(default=16, ge=1, le=100, description="lines recognised before labels are needed")
        max_width: float = Field(default=7000.0, ge=500, description="network input summed over all lines, pixels")
        max_parts: int = Field(default=250, ge=10, le=5000, description="pieces of ink joined at most, largest first")
        max_aspect: float = Field(default=22.0, ge=2, le=100, description="longer lines are rules, not text")
        min_pixels: int = Field(default=9, ge=4, le=48, description="lower lines cannot be read, pixels")

    parameters: VisualZoneReader.Parameters

    def locate(self, page: Pixels, pixels_per_mm: float, *, avoid: Sequence[Box] = ()) -> tuple[Box, ...]:
        """Boxes of text lines on a rectified page, the most promising first.

        Args:
            page: (height, width, 3) uint8 RGB, upright.
            pixels_per_mm: its scale.
            avoid: places without visual-zone text (machine-readable zone, portrait), pixels of the page.
        """
        ink = ink_map(page, pixels_per_mm)
        for box in avoid:
            x, y = max(0, int(box.x)), max(0, int(box.y))
            ink[y : max(0, int(box.y + box.height)), x : max(0, int(box.x + box.width))] = 0
        mask = ink > self._threshold(ink)
        boxes = self._group(mask.astype(np.uint8), pixels_per_mm)
        return tuple(sorted(boxes, key=lambda box: -self._weight(ink, box, pixels_per_mm)))

    def read(
        self,
        page: Page,
        recogniser: TextRecogniser,
        *,
        mrz: MrzReading | None = None,
        mrz_box: Box | None = None,
        avoid: Sequence[Box] | None = None,
    ) -> VisualZone:
        """The visual zone of a rectified page.

        Args:
            page: the page; read as it lies, so it should be upright.
            recogniser: reads the lines.
            mrz: what the machine-readable zone says: steers the search for fields.
            mrz_box: where that zone lies, pixels of the page; taken from ``mrz`` when left out.
            avoid: further places without text, pixels of the page; None looks for portrait and ghost image itself.
        """
        started = time.perf_counter()
        if mrz_box is None and mrz is not None:
            mrz_box = _bounds(page.to_page(np.array(mrz.polygon, np.float64)), page.image.shape)
        if avoid is None:
            avoid = _pictures(PortraitFinder().find(page.image, mrz_box))
        places = (*avoid, mrz_box) if mrz_box is not None else tuple(avoid)
        boxes = self.locate(page.image, page.pixels_per_mm, avoid=places)
        first, second = self._passes(boxes)
        lines = self.recognise(page.image, first, recogniser)
        fields = find_fields(lines, mrz)
        if second and not (mrz is not None and _says_the_same(fields, mrz)):
            # Labels are only needed where searching for the MRZ's values did not settle every field.
            lines = _in_order((*lines, *self.recognise(page.image, second, recogniser)))
            fields = find_fields(lines, mrz)
        return VisualZone(lines, fields, (time.perf_counter() - started) * 1000)

    def _passes(self, boxes: Sequence[Box]) -> tuple[list[Box], list[Box]]:
        """Splits ``boxes`` (best first) into a first pass, data by their size, and a second, within the budget."""
        first: list[Box] = []
        second: list[Box] = []
        spent = 0.0
        tall = float(np.quantile([box.height for box in boxes], 0.75)) if boxes else 0.0
        for box in boxes[: self.parameters.max_lines]:
            spent += LINE_HEIGHT * box.width / box.height
            if spent > self.parameters.max_width:
                break
            (first if len(first) < self.parameters.first_pass and box.height > 0.72 * tall else second).append(box)
        return first, second

    def recognise(self, page: Pixels, boxes: Sequence[Box], recogniser: TextRecogniser) -> tuple[VisualLine, ...]:
        """The lines in ``boxes`` (pixels of the page), without those that read as nothing."""
        crops, origins = [], []
        height, width = page.shape[:2]
        for box in boxes:
            margin = 0.22 * box.height
            x0, y0 = max(0, int(box.x - margin)), max(0, int(box.y - margin))
            x1, y1 = (
                min(width, int(np.ceil(box.x + box.width + margin))),
                min(height, int(np.ceil(box.y + box.height + margin))),
            )
            crops.append(page[y0:y1, x0:x1])
            origins.append(x0)
        if not crops:
            return ()
        lines = []
        for box, x0, line in zip(boxes, origins, recogniser.recognise(crops, CHARSET)):
            characters = _spaced(line)
            while characters and characters[-1].text == " ":
                characters.pop()
            if characters:
                lines.append(
                    VisualLine(
                        "".join(c.text for c in characters),
                        round(line.confidence, 4),
                        tuple(round(c.confidence, 4) for c in characters),
                        tuple(round(x0 + c.x, 1) for c in characters),
                        box,
                    )
                )
        return _in_order(lines)

    def _threshold(self, ink: NDArray[np.float32]) -> float:
        """Above what shading and guilloches reach on this page (most of it is ground), below its strong ink."""
        ground, strong = np.quantile(ink[::2, ::2], (0.90, 0.985))
        return float(np.clip(max(1.4 * ground, 0.45 * strong), self.parameters.min_contrast, 0.42))

    def _group(self, mask: NDArray[np.uint8], pixels_per_mm: float) -> list[Box]:
        """Joins ink into words, words into lines; parts columns; drops what has the wrong size."""
        p = self.parameters
        reach = max(3, round(0.9 * pixels_per_mm))
        joined = cv2.morphologyEx(mask, cv2.MORPH_CLOSE, np.ones((1, reach), np.uint8))
        count, _, stats, _ = cv2.connectedComponentsWithStats(joined, connectivity=8)
        parts: list[Box] = []
        for index in range(1, count):
            x, y, w, h, area = (int(v) for v in stats[index])
            tall_enough = h >= 0.45 * p.min_height_mm * pixels_per_mm
            if tall_enough and h <= p.max_height_mm * pixels_per_mm and area >= 0.18 * w * h and w >= 0.25 * h:
                parts.append(Box(float(x), float(y), float(w), float(h)))
        parts = sorted(parts, key=lambda box: -box.area)[: p.max_parts]
        merged = _merge(parts, p.gap_heights)
        least = max(p.min_height_mm * pixels_per_mm, float(p.min_pixels))
        return [
            box
            for box in merged
            if least <= box.height <= p.max_height_mm * pixels_per_mm
            and 0.35 * box.height <= box.width <= p.max_aspect * box.height
        ]

    def _weight(self, ink: NDArray[np.float32], box: Box, pixels_per_mm: float) -> float:
        """How much a line promises: strong ink of the size in which data are printed."""
        patch = ink[int(box.y) : int(box.y + box.height), int(box.x) : int(box.x + box.width)]
        strength = float(np.quantile(patch, 0.9)) if patch.size else 0.0
        millimetres = box.height / pixels_per_mm
        return strength * min(millimetres, 2.2) * (1.0 if box.width > 1.5 * box.height else 0.75)


def ink_map(page: Pixels, pixels_per_mm: float) -> NDArray[np.float32]:
    """Darkness of thin strokes relative to the ground around them, shape (height, width), 0-1.

    The black top-hat with a kernel wider than a stroke (1.2 mm) keeps print and drops shadows and pictures; dividing
    by the closed picture makes print in shadow as strong as print in light.
    """
    grey = cv2.cvtColor(page, cv2.COLOR_RGB2GRAY)
    grey = cv2.GaussianBlur(grey, (0, 0), max(0.6, 0.06 * pixels_per_mm))
    side = max(3, round(1.2 * pixels_per_mm)) | 1
    ground = cv2.morphologyEx(grey, cv2.MORPH_CLOSE, np.ones((side, side), np.uint8))
    ground_float = ground.astype(np.float32)
    result: NDArray[np.float32] = (ground_float - grey) / np.maximum(ground_float, 40.0)
    return result


def _pictures(candidates: Sequence[Candidate]) -> list[Box]:
    """Boxes of what surely is a picture: on a page without a portrait the best candidate is print."""
    portraits = [c.box for c in candidates[:1] if c.kind == "portrait" and c.score >= 0.2]
    ghosts = [c.box for c in candidates if c.kind == "ghost" and c.score >= 0.75]
    return [*portraits, *ghosts] if portraits else []


def _spaced(line: TextLine) -> list[Character]:
    """The characters of a line without leading spaces; a gap of twice the usual pitch gets the space it lost."""
    characters = list(line.characters)
    while characters and characters[0].text == " ":
        characters.pop(0)
    pairs = list(pairwise(characters))
    pitches = [b.x - a.x for a, b in pairs if " " not in (a.text, b.text)]
    if len(pitches) < 4:
        return characters
    usual = float(np.median(pitches))
    result = characters[:1]
    for a, b in pairs:
        if " " not in (a.text, b.text) and b.x - a.x > 2.0 * usual:
            result.append(Character(" ", min(a.confidence, b.confidence), (a.x + b.x) / 2))
        result.append(b)
    return result


def _merge(parts: list[Box], gap_heights: float) -> list[Box]:
    """Joins neighbours on one baseline whose gap is narrow."""
    boxes = sorted(parts, key=lambda box: (box.x, box.y))
    changed = True
    while changed:
        changed = False
        result: list[Box] = []
        for box in boxes:
            for index, other in enumerate(result):
                if _same_line(other, box, gap_heights):
                    result[index] = _union(other, box)
                    changed = True
                    break
            else:
                result.append(box)
        boxes = result
    return boxes


def _same_line(a: Box, b: Box, gap_heights: float) -> bool:
    taller, lower = max(a.height, b.height), min(a.height, b.height)
    overlap = min(a.y + a.height, b.y + b.height) - max(a.y, b.y)
    gap = max(a.x, b.x) - min(a.x + a.width, b.x + b.width)
    if overlap < 0.6 * lower:
        return False
    similar = taller < 1.9 * lower or gap < 0.35 * taller
    return similar and gap < gap_heights * taller and _union(a, b).height < 1.5 * taller


def _union(a: Box, b: Box) -> Box:
    x, y = min(a.x, b.x), min(a.y, b.y)
    return Box(x, y, max(a.x + a.width, b.x + b.width) - x, max(a.y + a.height, b.y + b.height) - y)


def _in_order(lines: Sequence[VisualLine]) -> tuple[VisualLine, ...]:
    """From top to bottom, then from left to right."""
    return tuple(sorted(lines, key=lambda line: (line.box.y + line.box.height / 2, line.box.x)))


def _says_the_same(fields: Mapping[str, VisualField], mrz: MrzReading) -> bool:
    """Whether the fields that matter most were found and say exactly what the MRZ says."""
    for name in ("surname", "given_names", "document_number", "birth_date", "expiry_date"):
        wanted = mrz.fields[name].value if name in mrz.fields else ""
        if wanted and (name not in fields or not fields[name].exact):
            return False
    return True


def _bounds(points: NDArray[np.float64], shape: tuple[int, ...]) -> Box:
    """The axis-aligned box around ``points`` within a page of ``shape``."""
    low, high = points.min(axis=0), points.max(axis=0)
    x, y = max(0.0, float(low[0])), max(0.0, float(low[1]))
    return Box(x, y, max(0.0, min(float(high[0]), shape[1]) - x), max(0.0, min(float(high[1]), shape[0]) - y))
