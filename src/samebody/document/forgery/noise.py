"""Noise check: sensor noise is one and the same over a photograph, so a pasted portrait or a retouched field stands out.

It can only see edits of the finished photograph. What was changed on the paper is photographed like the rest.
"""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from samebody import stage
from samebody.document.forgery.base import Check, Figure, Measurement, abstain, checks
from samebody.document.forgery.evidence import ForgeryEvidence, Mask, Plane
from samebody.types import Box, Reason

_LAPLACIAN = np.array([[1, -2, 1], [-2, 4, -2], [1, -2, 1]], np.float32) / 6
"""Immerkaer, Fast noise variance estimation (1996): blind to edges and slopes; 6 is its gain on white noise."""


@checks.register("noise")
class NoiseCheck(Check):
    """Compares the noise level inside portrait and text fields with that of the page around them."""

    name = "noise"
    words = {
        "portrait_smoother": "The portrait has less noise than the page around it",
        "portrait_noisier": "The portrait has more noise than the page around it",
        "field_smoother": "A text field lies on ground with less noise than the other fields",
        "field_noisier": "A text field lies on ground with more noise than the other fields",
    }

    class Parameters(stage.Stage.Parameters):
        """What the picture must offer."""

        least_noise: float = Field(default=0.35, gt=0, description="noise (grey levels) below which levels say nothing")
        least_scale: float = Field(default=4.0, gt=0, description="pixels of the photograph per millimetre of the page")
        block: int = Field(default=8, ge=4, le=32, description="side of a block, pixels of the photograph")
        least_blocks: int = Field(default=12, ge=4, description="blocks without saturation needed on each side")
        ring_mm: float = Field(default=6.0, gt=0, description="width of the ground compared with, millimetres")
        quantile: float = Field(default=0.25, gt=0, lt=1, description="of the blocks: the calm ones show the noise")

    parameters: NoiseCheck.Parameters

    def measure(self, evidence: ForgeryEvidence) -> Measurement:
        """Figures in natural logarithms of noise ratios: 0.69 is a factor of two."""
        p = self.parameters
        if evidence.page is None:
            return abstain(self.name, "no_page", "No page was found on the photograph.")
        if evidence.scale < p.least_scale:
            return abstain(
                self.name,
                "too_small",
                f"The page has {evidence.scale:.1f} pixels per millimetre; {p.least_scale:.1f} are needed.",
                "Photograph the page so that it fills the picture.",
            )
        blocks = NoiseBlocks(evidence, p.block)
        figures: list[Figure] = []
        missing: list[Reason] = []
        details: dict[str, float] = {"page_noise": round(blocks.typical(p.quantile), 3)}
        if details["page_noise"] < p.least_noise:
            return abstain(
                self.name,
                "no_noise",
                f"Compression or resizing left {details['page_noise']:.2f} grey levels of noise; "
                f"{p.least_noise:.2f} are needed.",
                "Send the photograph as the camera stored it.",
            )
        portrait = evidence.portrait_box
        inside = blocks.level(_inset(portrait, 0.1), (), p.quantile, p.least_blocks) if portrait else None
        margin = p.ring_mm * evidence.page.pixels_per_mm
        if portrait is not None and inside is not None:
            patches = [patch.box for patch in evidence.patches]
            around = blocks.level(_grow(portrait, margin), [_grow(portrait, margin / 6), *patches], p.quantile, p.least_blocks)
            if around is not None:
                ratio = float(np.log((inside + 0.1) / (around + 0.1)))
                regions = (evidence.region("portrait", portrait),)
                figures += [Figure("portrait_smoother", -ratio, regions), Figure("portrait_noisier", ratio, regions)]
                details |= {"portrait_noise": round(inside, 3), "ground_noise": round(around, 3)}
        if inside is None:
            missing.append(Reason("document.forgery.noise_no_portrait", "No portrait of sufficient size was found."))
        figures += self._fields(evidence, blocks)
        if not any(figure.name.startswith("field") for figure in figures):
            missing.append(Reason("document.forgery.noise_no_fields", "Fewer than four text fields were large enough."))
        return Measurement(tuple(figures), tuple(missing), details)

    def _fields(self, evidence: ForgeryEvidence, blocks: NoiseBlocks) -> list[Figure]:
        """Each field's ground against the ground beside it; the odd one out among all fields counts."""
        p = self.parameters
        ratios: list[tuple[float, Box, str]] = []
        for patch in evidence.patches:
            box = _grow(patch.box, 0.3 * patch.box.height)
            ring = _grow(patch.box, 1.6 * patch.box.height)
            inside = blocks.level(box, (), p.quantile, p.least_blocks // 2)
            around = blocks.level(ring, (box,), p.quantile, p.least_blocks)
            if inside is not None and around is not None:
                ratios.append((float(np.log((inside + 0.1) / (around + 0.1))), patch.box, patch.name or "text"))
        if len(ratios) < 4:
            return []
        values = np.array([ratio for ratio, _, _ in ratios])
        centre = float(np.median(values))
        low, high = int(values.argmin()), int(values.argmax())
        return [
            Figure("field_smoother", centre - float(values[low]), (evidence.region(ratios[low][2], ratios[low][1]),)),
            Figure("field_noisier", float(values[high]) - centre, (evidence.region(ratios[high][2], ratios[high][1]),)),
        ]


class NoiseBlocks:
    """Noise level of every block of the page's part of a photograph.

    The level of a block is the median absolute response to Immerkaer's operator over 0.6745 (that of a Gaussian);
    saturated blocks are left out.
    """

    def __init__(self, evidence: ForgeryEvidence, side: int) -> None:
        assert evidence.page is not None
        self._evidence = evidence
        self.side = side
        quad = np.array(evidence.page.quad, np.float64)
        height, width = evidence.luma.shape
        low = np.clip(np.floor(quad.min(axis=0)), 0, [width - 1, height - 1]).astype(int)
        high = np.clip(np.ceil(quad.max(axis=0)), low + 1, [width, height]).astype(int)
        self._origin = (int(low[0]), int(low[1]))
        window = evidence.luma[low[1] : high[1], low[0] : high[0]]
        self.levels, self.usable = block_noise(window, side)
        self._page = self._inside(quad)

    def typical(self, quantile: float) -> float:
        """Level of the calm blocks of the whole page; 0 when there are none."""
        values = self.levels[self._page & self.usable]
        return float(np.quantile(values, quantile)) if values.size else 0.0

    def level(self, box: Box, without: Sequence[Box], quantile: float, least: int) -> float | None:
        """Level of the calm blocks inside ``box`` but outside ``without``; None with fewer than ``least`` blocks."""
        chosen = self._inside(self._evidence.to_photograph(box)) & self._page & self.usable
        for other in without:
            chosen &= ~self._inside(self._evidence.to_photograph(other))
        values = self.levels[chosen]
        return float(np.quantile(values, quantile)) if values.size >= least else None

    def _inside(self, polygon: NDArray[np.float64]) -> Mask:
        plane = np.zeros(self.levels.shape, np.uint8)
        corners = (polygon - np.array(self._origin)) / self.side - 0.5
        cv2.fillPoly(plane, [np.rint(corners).astype(np.int32)], 1)
        result: Mask = plane.astype(bool)
        return result


def block_noise(window: Plane, side: int) -> tuple[Plane, Mask]:
    """Noise level of each ``side`` by ``side`` block of ``window`` in grey levels, and which blocks are not saturated."""
    rows, columns = window.shape[0] // side, window.shape[1] // side
    if rows == 0 or columns == 0:
        return np.zeros((0, 0), np.float32), np.zeros((0, 0), bool)
    cut = window[: rows * side, : columns * side]
    residual = np.abs(cv2.filter2D(cut, cv2.CV_32F, _LAPLACIAN))
    blocks = residual.reshape(rows, side, columns, side).transpose(0, 2, 1, 3).reshape(rows, columns, -1)
    middle = side * side // 2
    levels = np.partition(blocks, middle, axis=2)[:, :, middle] / 0.6745
    means = cv2.resize(cut, (columns, rows), interpolation=cv2.INTER_AREA)
    return levels.astype(np.float32), (means > 12) & (means < 246)


def _grow(box: Box, margin: float) -> Box:
    return Box(box.x - margin, box.y - margin, box.width + 2 * margin, box.height + 2 * margin)


def _inset(box: Box, share: float) -> Box:
    return Box(
        box.x + share * box.width,
        box.y + share * box.height,
        (1 - 2 * share) * box.width,
        (1 - 2 * share) * box.height,
    )
