"""Noise check: sensor noise is one over a whole photograph, so a pasted portrait or a retouched field stands out.

It can only see edits of the finished photograph. What was changed on the paper is photographed like the rest.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import ClassVar

import cv2
import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from samebody import stage
from samebody.document.forgery.base import Check, Figure, Measurement, abstain, checks, unmeasurable
from samebody.document.forgery.evidence import ForgeryEvidence, Mask, Plane
from samebody.types import Box, Reason

Cut = tuple[slice, slice]

_LAPLACIAN = np.array([[1, -2, 1], [-2, 4, -2], [1, -2, 1]], np.float32) / 6
"""Immerkaer, Fast noise variance estimation (1996): blind to edges and slopes; 6 is its gain on white noise."""

_FLOOR = 0.05
"""Grey levels added to both sides of a ratio, so that blocks that compression emptied do not decide."""


@checks.register("noise")
class NoiseCheck(Check):
    """Compares the noise level inside portrait and text fields with that of the page around them."""

    name = "noise"
    words: ClassVar[Mapping[str, str]] = {
        "portrait_smoother": "The portrait has less fine noise than equally bright page around it",
        "portrait_smoother_coarse": "The portrait has less coarse noise than equally bright page around it",
        "portrait_noisier": "The portrait has more noise than equally bright page around it",
        "field_smoother": "A text field lies on ground with less noise than the other fields",
    }

    class Parameters(stage.Stage.Parameters):
        """What the picture must offer."""

        least_noise: float = Field(default=0.30, gt=0, description="noise (grey levels) below which levels say nothing")
        least_quality: int = Field(
            default=75, ge=0, le=100, description="JPEG quality (IJG scale) that leaves noise alone"
        )
        least_scale: float = Field(default=4.0, gt=0, description="pixels of the photograph per millimetre of the page")
        block: int = Field(default=8, ge=4, le=32, description="side of a block, pixels")
        least_blocks: int = Field(default=12, ge=4, description="blocks needed on each side of a comparison")
        ring_mm: float = Field(default=8.0, gt=0, description="width of the ground compared with, millimetres")
        quantile: float = Field(
            default=0.10, gt=0, lt=1, description="of the blocks: the calmest show noise, not print"
        )
        brightness_reach: float = Field(
            default=64.0, ge=0, le=256, description="grey levels by which the portrait may be darker than the page"
        )
        least_pixels: int = Field(default=60, ge=16, description="pixels free of ink needed in a text field")
        field_floor: float = Field(default=0.08, gt=0, description="spread of the fields' log ratios at least")

    parameters: NoiseCheck.Parameters

    def measure(self, evidence: ForgeryEvidence) -> Measurement:
        """Figures in natural logarithms of noise ratios (0.69 is a factor of two); for fields in spreads of them."""
        p = self.parameters
        if (missing_page := unmeasurable(self.name, evidence, p.least_scale)) is not None:
            return missing_page
        assert evidence.page is not None
        quality = evidence.image.source.jpeg_quality
        if quality is not None and quality < p.least_quality:
            return abstain(
                self.name,
                "compressed",
                f"The picture was saved at JPEG quality {quality}, which removes noise unevenly; "
                f"{p.least_quality} is needed.",
                "Send the photograph as the camera stored it.",
            )
        fine, coarse = ResidualMap(evidence, 1), ResidualMap(evidence, 2)
        level = fine.page_level()
        if level < p.least_noise:
            return abstain(
                self.name,
                "no_noise",
                f"Compression or resizing left {level:.2f} grey levels of noise; {p.least_noise:.2f} are needed.",
                "Send the photograph as the camera stored it.",
            )
        figures: list[Figure] = []
        missing: list[Reason] = []
        portrait = evidence.portrait_box
        ratios = None if portrait is None else [self._portrait_ratio(evidence, m, portrait) for m in (fine, coarse)]
        if portrait is not None and ratios is not None and ratios[0] is not None and ratios[1] is not None:
            regions = (evidence.region("portrait", portrait),)
            figures += [
                Figure("portrait_smoother", -ratios[0], regions),
                Figure("portrait_smoother_coarse", -ratios[1], regions),
                Figure("portrait_noisier", ratios[1], regions),
            ]
        else:
            missing.append(
                Reason(
                    "document.forgery.noise_no_portrait",
                    "No portrait was found that shares brightness and measurable noise with the page around it.",
                )
            )
        field = self._fields(evidence, coarse)
        if field is not None:
            figures.append(field)
        else:
            missing.append(Reason("document.forgery.noise_no_fields", "Fewer than five text fields were large enough."))
        return Measurement(tuple(figures), tuple(missing), {"page_noise": round(level, 3)})

    def _portrait_ratio(self, evidence: ForgeryEvidence, residual: ResidualMap, portrait: Box) -> float | None:
        """Log ratio of the calm blocks inside the portrait to those around it that are as bright; None with too few.

        Noise changes with the light, so what is much darker than the page around, hair and coats, does not count.
        """
        p = self.parameters
        assert evidence.page is not None
        scale = evidence.page.pixels_per_mm
        patches = [_grow(patch.box, 0.2 * patch.box.height) for patch in evidence.patches]
        inside, light = residual.blocks(_grow(portrait, -0.08 * portrait.width), (), p.block)
        around, ambient = residual.blocks(
            _grow(portrait, p.ring_mm * scale), (_grow(portrait, scale), *patches), p.block
        )
        darkest = float(np.quantile(ambient, 0.1)) - p.brightness_reach if ambient.size else 0.0
        inside, around = inside[light >= darkest], around[ambient >= darkest]
        if min(inside.size, around.size) < p.least_blocks:
            return None
        levels = float(np.quantile(inside, p.quantile)), float(np.quantile(around, p.quantile))
        return _log_ratio(*levels) if levels[1] * 1.2533 >= p.least_noise else None

    def _fields(self, evidence: ForgeryEvidence, residual: ResidualMap) -> Figure | None:
        """Each field's ground between the letters against the ground beside it; the smoothest field counts."""
        assert evidence.page is not None
        ink = residual.ink(evidence.scale)
        ratios: list[tuple[float, Box, str]] = []
        for patch in evidence.patches:
            height = patch.box.height
            cut = residual.window_around(_grow(patch.box, 1.2 * height))
            ground = ~ink[cut]
            inside = residual.mask(_grow(patch.box, 0.15 * height), cut) & ground
            near = residual.mask(_grow(patch.box, 0.25 * height), cut)
            around = residual.mask(_grow(patch.box, 1.2 * height), cut) & ~near & ground
            if min(int(inside.sum()), int(around.sum())) >= self.parameters.least_pixels:
                levels = [float(np.median(residual.values[cut][mask])) for mask in (inside, around)]
                ratios.append((_log_ratio(*levels), patch.box, patch.name or "text"))
        if len(ratios) < 5:
            return None
        values = np.array([ratio for ratio, _, _ in ratios])
        low = int(values.argmin())
        # in spreads of the other fields: on some pictures print smooths its ground everywhere, on others nowhere
        others = np.delete(values, low)
        centre = float(np.median(others))
        spread = float(np.hypot(self.parameters.field_floor, 1.4826 * np.median(np.abs(others - centre))))
        region = evidence.region(ratios[low][2], ratios[low][1])
        return Figure("field_smoother", (centre - float(values[low])) / spread, (region,))


class ResidualMap:
    """Absolute response to Immerkaer's operator over the page's part of a photograph, reduced by ``factor``."""

    def __init__(self, evidence: ForgeryEvidence, factor: int) -> None:
        assert evidence.page is not None
        self._evidence = evidence
        self._factor = factor
        quad = np.array(evidence.page.quad, np.float64)
        height, width = evidence.luma.shape
        low = np.clip(np.floor(quad.min(axis=0)), 0, [width - 1, height - 1]).astype(int)
        high = np.clip(np.ceil(quad.max(axis=0)), low + 1, [width, height]).astype(int)
        self._origin = np.array(low, np.float64)
        window = evidence.luma[low[1] : high[1], low[0] : high[0]]
        if factor > 1:
            size = (max(1, window.shape[1] // factor), max(1, window.shape[0] // factor))
            window = cv2.resize(window, size, interpolation=cv2.INTER_AREA)
        self.window: Plane = np.ascontiguousarray(window)
        self.values: Plane = np.abs(cv2.filter2D(self.window, cv2.CV_32F, _LAPLACIAN))
        self._usable = (self.window > 10) & (self.window < 247)
        self._page = self._fill(quad)

    def page_level(self) -> float:
        """Noise and fine texture of the page in grey levels (mean times 1.2533: the deviation of a Gaussian)."""
        values = self.values[self._page & self._usable]
        return float(values.mean() * 1.2533) if values.size else 0.0

    def mask(self, box: Box, cut: Cut | None = None) -> Mask:
        """Pixels of the window (or of a ``cut`` of it) inside a box of the rectified page."""
        cut = cut or (slice(0, self.window.shape[0]), slice(0, self.window.shape[1]))
        plane = np.zeros(self.window[cut].shape, np.uint8)
        corner = np.array((cut[1].start, cut[0].start), np.int32)
        if plane.size:
            cv2.fillPoly(plane, [self._corners(self._evidence.to_photograph(box)) - corner], 1)
        result: Mask = plane.astype(bool) & self._page[cut]
        return result

    def window_around(self, box: Box) -> Cut:
        """Rows and columns of the window that hold a box of the rectified page."""
        corners = self._corners(self._evidence.to_photograph(box))
        limit = (self.window.shape[1], self.window.shape[0])
        x0, y0 = np.clip(corners.min(axis=0), 0, limit)
        x1, y1 = np.clip(corners.max(axis=0) + 1, 0, limit)
        return slice(int(y0), int(y1)), slice(int(x0), int(x1))

    def blocks(self, box: Box, without: Sequence[Box], side: int) -> tuple[Plane, Plane]:
        """Mean residual and mean grey level of the ``side`` by ``side`` blocks inside ``box``, outside ``without``.

        Blocks that are saturated in part are left out.
        """
        plane = np.zeros(self.window.shape, np.uint8)
        cv2.fillPoly(plane, [self._corners(self._evidence.to_photograph(box))], 1)
        for other in without:
            cv2.fillPoly(plane, [self._corners(self._evidence.to_photograph(other))], 0)
        chosen: Mask = plane.astype(bool) & self._page & self._usable
        rows, columns = self.values.shape[0] // side, self.values.shape[1] // side
        if rows == 0 or columns == 0:
            return np.zeros(0, np.float32), np.zeros(0, np.float32)
        cut = (slice(0, rows * side), slice(0, columns * side))
        means = cv2.resize(self.values[cut], (columns, rows), interpolation=cv2.INTER_AREA)
        share = cv2.resize(chosen[cut].astype(np.float32), (columns, rows), interpolation=cv2.INTER_AREA)
        levels = cv2.resize(self.window[cut], (columns, rows), interpolation=cv2.INTER_AREA)
        return means[share > 0.8], levels[share > 0.8]

    def ink(self, pixels_per_mm: float) -> Mask:
        """Print and what it bleeds into: darker than the ground around by a fifth, grown by 0.12 mm."""
        scale = pixels_per_mm / self._factor
        side = max(3, int(2 * scale) | 1)
        ground = cv2.morphologyEx(self.window, cv2.MORPH_CLOSE, np.ones((side, side), np.uint8))
        grow = 2 * max(1, round(0.12 * scale)) + 1
        dark = (ground - self.window > 0.22 * ground).astype(np.uint8)
        result: Mask = cv2.dilate(dark, np.ones((grow, grow), np.uint8)).astype(bool)
        return result

    def _corners(self, polygon: NDArray[np.float64]) -> NDArray[np.int32]:
        """Corners of a polygon of the photograph, in pixels of the window."""
        return np.rint((polygon - self._origin) / self._factor).astype(np.int32)

    def _fill(self, polygon: NDArray[np.float64]) -> Mask:
        plane = np.zeros(self.window.shape, np.uint8)
        cv2.fillPoly(plane, [self._corners(polygon)], 1)
        result: Mask = plane.astype(bool)
        return result


def _log_ratio(first: float, second: float) -> float:
    return float(np.log((first + _FLOOR) / (second + _FLOOR)))


def _grow(box: Box, margin: float) -> Box:
    return Box(box.x - margin, box.y - margin, box.width + 2 * margin, box.height + 2 * margin)
