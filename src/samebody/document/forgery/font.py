"""Font check: characters printed in one go stand on one baseline and are equally sharp; retyped ones often do not.

Only characters as tall as capitals are measured. Each is held against its own line, so that fonts, sizes, blur and the
perspective of the photograph do not matter.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

import cv2
import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from samebody import stage
from samebody.document.forgery.base import Check, Figure, Measurement, checks, unmeasurable
from samebody.document.forgery.evidence import ForgeryEvidence, Plane
from samebody.types import Box, Reason

_NEIGHBOURS = 13
"""A changed date is six characters long: the median of 13 is that of unchanged ones."""


@dataclass(frozen=True, slots=True)
class Glyph:
    """One measured character of a line.

    Attributes:
        x: centre, pixels of the page.
        middle: half way between its top and its base edge, pixels of the page, to a fraction of a pixel.
        height: between the two, pixels.
        sharpness: steepest edges over contrast, per pixel.
        stroke: width of its strokes, pixels: twice its ink over the length of its outline.
        box: pixels of the page.
    """

    x: float
    middle: float
    height: float
    sharpness: float
    stroke: float
    box: Box


@checks.register("font")
class FontCheck(Check):
    """Looks for characters that leave the baseline or the sharpness of their own line."""

    name = "font"
    words: ClassVar[Mapping[str, str]] = {
        "mrz_shift": "Characters of the machine-readable zone leave their line",
        "mrz_sharpness": "Characters of the machine-readable zone are sharper or softer than their line",
        "mrz_stroke": "Characters of the machine-readable zone are bolder or thinner than their line",
        "field_shift": "Characters of a data field leave their line",
        "field_sharpness": "Characters of a data field are sharper or softer than the rest of it",
        "field_height": "Characters of a data field are taller or smaller than their line",
        "field_stroke": "Characters of a data field are bolder or thinner than their line",
    }

    class Parameters(stage.Stage.Parameters):
        """What a line must offer, and how far characters of one print run differ."""

        least_height: float = Field(default=13.0, ge=6, description="cap height on the page, pixels")
        least_field_glyphs: int = Field(default=5, ge=3, description="measurable characters in a data field")
        least_mrz_glyphs: int = Field(default=8, ge=4, description="measurable characters in an MRZ line")
        longest_run: int = Field(default=4, ge=1, le=8, description="neighbours taken together at most")
        shift_floor: float = Field(default=0.012, gt=0, description="spread of the middles, in cap heights")
        sharpness_floor: float = Field(default=0.04, gt=0, description="spread of the sharpness, log ratio")
        height_floor: float = Field(default=0.012, gt=0, description="spread of the heights, log ratio")
        stroke_floor: float = Field(default=0.03, gt=0, description="spread of the stroke widths, log ratio")

    parameters: FontCheck.Parameters

    def measure(self, evidence: ForgeryEvidence) -> Measurement:
        """Figures in units of the spread over all lines of the kind: the strongest run of neighbours in any line."""
        p = self.parameters
        if (missing_page := unmeasurable(self.name, evidence, 0.0)) is not None:
            return missing_page
        assert evidence.page is not None
        grey = cv2.cvtColor(evidence.page.image, cv2.COLOR_RGB2GRAY).astype(np.float32)
        scale = evidence.page.pixels_per_mm
        lines: dict[str, list[tuple[str, tuple[Glyph, ...]]]] = {"mrz": [], "field": []}
        for kind, name, box in self._lines(evidence):
            glyphs = glyphs_of(grey, box, scale)
            least = p.least_mrz_glyphs if kind == "mrz" else p.least_field_glyphs
            if len(glyphs) >= least and float(np.median([g.height for g in glyphs])) >= p.least_height:
                lines[kind].append((name, glyphs))
        best: dict[str, tuple[float, str, Box]] = {}
        for kind, measurable in lines.items():
            for what, (value, name, place) in self._odd_runs(kind, measurable).items():
                best[f"{kind}_{what}"] = (value, name, place)
        measured = {kind: len(measurable) for kind, measurable in lines.items()}
        figures = tuple(
            Figure(key, value, (evidence.region(name, place),)) for key, (value, name, place) in sorted(best.items())
        )
        missing = tuple(
            Reason(
                f"document.forgery.font_no_{kind}",
                f"No {'line of the machine-readable zone' if kind == 'mrz' else 'data field'} has enough measurable "
                f"characters of at least {p.least_height:.0f} pixels.",
                "Photograph the page so that it fills the picture and is sharp.",
            )
            for kind, count in measured.items()
            if count == 0
        )
        return Measurement(figures, missing, {f"{kind}_lines": count for kind, count in measured.items()})

    def _lines(self, evidence: ForgeryEvidence) -> list[tuple[str, str, Box]]:
        assert evidence.page is not None
        lines = [("field", patch.name, patch.box) for patch in evidence.patches if patch.name]
        if evidence.mrz is not None:
            for number, polygon in enumerate(evidence.mrz.line_polygons, 1):
                points = evidence.page.to_page(np.array(polygon, np.float64))
                low, high = points.min(axis=0), points.max(axis=0)
                margin = 0.15 * float(high[1] - low[1])
                box = Box(float(low[0]) - margin, float(low[1]) - margin, float(high[0] - low[0]) + 2 * margin, 0)
                lines.append(
                    ("mrz", f"mrz_line_{number}", Box(box.x, box.y, box.width, float(high[1] - low[1]) + 2 * margin))
                )
        return lines

    def _odd_runs(self, kind: str, lines: Sequence[tuple[str, Sequence[Glyph]]]) -> dict[str, tuple[float, str, Box]]:
        """For each property the run of neighbours that leaves its line most, in spreads over all ``lines``.

        The spread of one short line is a poor measure of itself, and print, blur and noise are the same for all lines,
        so they share one.
        """
        floors = self._floors()
        properties = [self._deviations(kind, glyphs) for _, glyphs in lines]
        result: dict[str, tuple[float, str, Box]] = {}
        for what, floor in floors.items():
            known = [(name, glyphs, found[what]) for (name, glyphs), found in zip(lines, properties) if what in found]
            if not known:
                continue
            pooled = np.concatenate([deviation for _, _, deviation in known])
            spread = float(np.hypot(floor, 1.4826 * np.median(np.abs(pooled))))
            for name, glyphs, deviation in known:
                longest = min(self.parameters.longest_run, len(glyphs) // 2)
                value, first, last = strongest_run(deviation / spread, longest)
                if what not in result or value > result[what][0]:
                    result[what] = (value, name, _around([glyphs[i].box for i in range(first, last)]))
        return result

    def _floors(self) -> dict[str, float]:
        p = self.parameters
        return {
            "shift": p.shift_floor,
            "sharpness": p.sharpness_floor,
            "height": p.height_floor,
            "stroke": p.stroke_floor,
        }

    def _deviations(self, kind: str, glyphs: Sequence[Glyph]) -> dict[str, NDArray[np.float64]]:
        """How far every character of a line is from what its line expects, by property."""
        x = np.array([g.x for g in glyphs])
        heights = np.array([g.height for g in glyphs])
        middles = np.array([g.middle for g in glyphs]) / float(np.median(heights))
        result = {
            "shift": middles - _line_fit(x, middles),
            "sharpness": _centred(np.log([g.sharpness for g in glyphs])),
            "stroke": _centred(np.log([g.stroke for g in glyphs])),
        }
        if kind == "field":  # OCR-B's digits and letters differ in height
            result["height"] = _centred(np.log(heights))
        return result


def glyphs_of(grey: Plane, box: Box, pixels_per_mm: float) -> tuple[Glyph, ...]:
    """The characters of one line that are as tall as capitals, left to right.

    Args:
        grey: luminance of the rectified page, 0-255.
        box: ink of the line, pixels of the page.
        pixels_per_mm: scale of the page.
    """
    margin = max(2, round(0.25 * min(box.height, 4 * pixels_per_mm)))
    x0, y0 = max(0, int(box.x) - margin), max(0, int(box.y) - margin)
    x1, y1 = min(grey.shape[1], int(box.x + box.width) + margin), min(grey.shape[0], int(box.y + box.height) + margin)
    if x1 - x0 < 8 or y1 - y0 < 8:
        return ()
    part = grey[y0:y1, x0:x1]
    side = max(5, round(1.6 * pixels_per_mm)) | 1
    ground = cv2.morphologyEx(part, cv2.MORPH_CLOSE, np.ones((side, side), np.uint8))
    ground = cv2.GaussianBlur(ground, (0, 0), 0.3 * side)
    dark = np.clip(1 - part / np.maximum(ground, 20.0), 0, 1)
    level = 0.5 * float(np.quantile(dark, 0.97))
    if level < 0.12:
        return ()
    count, _, stats, _ = cv2.connectedComponentsWithStats((dark > level).astype(np.uint8), connectivity=8)
    boxes = sorted((tuple(int(v) for v in stats[i][:4]) for i in range(1, count)), key=lambda b: b[0])
    tall = [b for b in boxes if b[3] >= 0.45 * (y1 - y0 - 2 * margin) and b[2] >= 2]
    if not tall:
        return ()
    usual = float(np.median([b[3] for b in tall]))
    gradient = cv2.magnitude(
        cv2.Sobel(dark, cv2.CV_32F, 1, 0, scale=0.125), cv2.Sobel(dark, cv2.CV_32F, 0, 1, scale=0.125)
    )
    glyphs = []
    for x, y, w, h in tall:
        if not 0.88 * usual - 1 <= h <= 1.12 * usual + 1 or not 0.12 * usual <= w <= 1.35 * usual:
            continue
        columns = slice(max(0, x), x + w)
        rows = slice(max(0, y - 3), min(dark.shape[0], y + h + 3))
        profile = (
            np.partition(dark[rows, columns], -2, axis=1)[:, -2:].mean(axis=1)
            if w >= 3
            else dark[rows, columns].max(axis=1)
        )
        edges = _half_edges(profile)
        patch = dark[rows, columns]
        contrast = float(np.quantile(patch, 0.95))
        steep = float(np.quantile(gradient[rows, columns], 0.90))
        outline = float(gradient[rows, columns].sum())
        if edges is None or contrast < 0.1 or steep <= 0 or outline <= 0:
            continue
        top, base = edges[0] + rows.start, edges[1] + rows.start
        glyphs.append(
            Glyph(
                x0 + x + w / 2,
                y0 + (top + base) / 2,
                base - top,
                steep / contrast,
                2 * float(patch.sum()) / outline,
                Box(float(x0 + x), float(y0 + y), float(w), float(h)),
            )
        )
    return tuple(glyphs)


def strongest_run(values: NDArray[np.float64], longest: int) -> tuple[float, int, int]:
    """The run of up to ``longest`` neighbours with the largest sum over the root of its length: (value, first, end).

    For independent noise of unit spread every run has unit spread, so that short and long runs compete fairly.
    """
    best = (0.0, 0, 1)
    for length in range(1, max(1, longest) + 1):
        sums = np.convolve(values, np.ones(length), "valid") / np.sqrt(length)
        at = int(np.argmax(np.abs(sums)))
        if abs(float(sums[at])) > best[0]:
            best = (abs(float(sums[at])), at, at + length)
    return best


def _half_edges(profile: NDArray[np.float32]) -> tuple[float, float] | None:
    """First and last place where ``profile`` crosses half its height, to a fraction of a sample."""
    half = 0.5 * float(np.quantile(profile, 0.8))
    above = np.flatnonzero(profile >= half)
    if above.size < 4 or above[0] == 0 or above[-1] == len(profile) - 1:
        return None
    first, last = int(above[0]), int(above[-1])
    rise = float(profile[first] - profile[first - 1])
    fall = float(profile[last] - profile[last + 1])
    top = first - (float(profile[first]) - half) / rise if rise > 0 else float(first)
    base = last + (float(profile[last]) - half) / fall if fall > 0 else float(last)
    return top, base


def _line_fit(x: NDArray[np.float64], y: NDArray[np.float64]) -> NDArray[np.float64]:
    """A straight line through the points by Theil and Sen (median of slopes), evaluated at ``x``."""
    i, j = np.triu_indices(len(x), 1)
    apart = np.abs(x[j] - x[i]) > 0.2 * (x.max() - x.min())
    slope = float(np.median((y[j] - y[i])[apart] / (x[j] - x[i])[apart])) if apart.any() else 0.0
    result: NDArray[np.float64] = slope * x + float(np.median(y - slope * x))
    return result


def _centred(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """``values`` minus the median of the line, or of 13 neighbours on a long line: shadow and glare run along it."""
    count = len(values)
    if count < 2 * _NEIGHBOURS:
        result: NDArray[np.float64] = values - np.median(values)
        return result
    half = _NEIGHBOURS // 2
    starts = np.clip(np.arange(count) - half, 0, count - _NEIGHBOURS)
    windows = np.lib.stride_tricks.sliding_window_view(values, _NEIGHBOURS)
    result = values - np.median(windows, axis=1)[starts]
    return result


def _around(boxes: Sequence[Box]) -> Box:
    x, y = min(b.x for b in boxes), min(b.y for b in boxes)
    right, bottom = max(b.x + b.width for b in boxes), max(b.y + b.height for b in boxes)
    return Box(x, y, right - x, bottom - y)
