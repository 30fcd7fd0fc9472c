"""Recapture check: a screen or a print photographed in place of the document leaves a raster, or loses colour.

A screen's pixel grid and a printer's halftone dots are regular in two directions; their peaks in the spectrum are
narrow, where guilloches, print and noise are spread out. A photocopy has no colour left.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import ClassVar

import cv2
import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from samebody import stage
from samebody.document.forgery.base import Check, Figure, Measurement, checks, unmeasurable
from samebody.document.forgery.evidence import ForgeryEvidence, Plane
from samebody.types import Reason


@checks.register("recapture")
class RecaptureCheck(Check):
    """Looks for narrow peaks in the page's spectrum, in luminance and in colour, and for missing colour."""

    name = "recapture"
    words: ClassVar[Mapping[str, str]] = {
        "luma_raster": "The page shows a regular raster in brightness, as halftone dots or a screen do",
        "lattice": "The page shows a raster that repeats across and along, as halftone dots or a screen do",
        "colour_raster": "The page shows a regular raster in colour, as a screen's stripes or printed dots do",
        "colourless": "The page has no colour of its own, as a photocopy",
    }

    class Parameters(stage.Stage.Parameters):
        """What is looked at, and what the picture must offer."""

        tile: int = Field(default=192, ge=64, le=512, multiple_of=16, description="side of a tile, pixels of the page")
        least_tiles: int = Field(default=6, ge=2, description="tiles that must fit on the page")
        least_cycles_per_mm: float = Field(default=2.4, gt=0, description="coarser patterns belong to the document")
        least_scale: float = Field(default=4.0, gt=0, description="pixels of the photograph per millimetre of the page")

    parameters: RecaptureCheck.Parameters

    def measure(self, evidence: ForgeryEvidence) -> Measurement:
        """Figures: logarithms of the strongest peaks over their surroundings; minus that of the colour spread."""
        p = self.parameters
        if (missing_page := unmeasurable(self.name, evidence, 0.0)) is not None:
            return missing_page
        assert evidence.page is not None
        page = evidence.page.image
        missing: list[Reason] = []
        figures: list[Figure] = [Figure("colourless", -float(np.log(colour_spread(page) + 0.1)))]
        tiles = (page.shape[0] // p.tile) * (page.shape[1] // p.tile)
        if evidence.scale < p.least_scale or tiles < p.least_tiles:
            missing.append(
                Reason(
                    "document.forgery.recapture_too_small",
                    f"The page has {evidence.scale:.1f} pixels per millimetre; {p.least_scale:.1f} are needed.",
                    "Photograph the page so that it fills the picture.",
                )
            )
            return (
                Measurement((), tuple(missing)) if page.shape[0] < 64 else Measurement(tuple(figures), tuple(missing))
            )
        planes = cv2.cvtColor(page, cv2.COLOR_RGB2YCrCb).astype(np.float32)
        least = p.least_cycles_per_mm / evidence.page.pixels_per_mm
        details: dict[str, list[float]] = {}
        lattice = -np.inf
        for name, channels in (("luma_raster", (0,)), ("colour_raster", (1, 2))):
            value, frequency = -np.inf, (0.0, 0.0)
            for channel in channels:
                spectrum = mean_spectrum(planes[..., channel], p.tile)
                excess = peaks(spectrum, least, self._grids(evidence))
                peak, at = strongest_peak(excess)
                lattice = max(lattice, strongest_pair(excess))
                if peak > value:
                    value, frequency = peak, at
            figures.append(Figure(name, float(value)))
            details[f"{name}_cycles_per_mm"] = [round(f * evidence.page.pixels_per_mm, 2) for f in frequency]
        figures.append(Figure("lattice", float(lattice)))
        return Measurement(tuple(figures), tuple(missing), details)

    def _grids(self, evidence: ForgeryEvidence) -> list[NDArray[np.float64]]:
        """Jacobians of page pixels to photograph pixels at the page's centre and near its corners.

        They tell where JPEG's own grid shows up; seen at a tilt, it differs from one end of the page to the other.
        """
        assert evidence.page is not None
        height, width = evidence.page.image.shape[:2]
        grids = []
        for x, y in ((0.5, 0.5), (0.2, 0.2), (0.8, 0.2), (0.2, 0.8), (0.8, 0.8)):
            steps = np.array([[x * width, y * height]]) + np.array([[0, 0], [1, 0], [0, 1]], np.float64)
            mapped = evidence.page.to_photograph(steps)
            grids.append(np.column_stack([mapped[1] - mapped[0], mapped[2] - mapped[0]]))
        return grids


def mean_spectrum(plane: Plane, tile: int) -> Plane:
    """Mean log power over Hann tiles that overlap by a quarter, (tile, tile // 2 + 1), each tile scaled to equal power.

    Equal power keeps one strongly printed tile from deciding; the mean of logarithms keeps what all tiles share.
    """
    window = np.outer(np.hanning(tile), np.hanning(tile)).astype(np.float32)
    total = np.zeros((tile, tile // 2 + 1), np.float64)
    count = 0
    for y in range(0, plane.shape[0] - tile + 1, 3 * tile // 4):
        for x in range(0, plane.shape[1] - tile + 1, 3 * tile // 4):
            part = plane[y : y + tile, x : x + tile]
            power = np.abs(np.fft.rfft2((part - part.mean()) * window)) ** 2
            total += np.log(power + 1.0)
            count += 1
    return (total / max(count, 1)).astype(np.float32)


def peaks(spectrum: Plane, least_frequency: float, to_photograph: Sequence[NDArray[np.float64]]) -> Plane:
    """How far every bin of a half spectrum stands above its surroundings; -inf where a raster cannot be told.

    A bin is measured against the median of the 9 by 9 bins around it: broad bands (guilloches, lens, noise) cancel.
    Left out are frequencies below ``least_frequency`` and those along the photograph's own axes: there lie the 8 by 8
    grids of compression, also of an earlier one that was resized since, and the traces of resizing. So are the
    multiples of the current grid (16 by 16 where colours are halved) in both directions.

    Args:
        spectrum: (tile, tile // 2 + 1), see :func:`mean_spectrum`.
        least_frequency: cycles per pixel of the page.
        to_photograph: 2x2 each, steps on the page to steps on the photograph, both in pixels, at places on the page.
    """
    rows = spectrum.shape[0]
    fy, fx = np.fft.fftfreq(rows)[:, None], np.fft.rfftfreq(rows)[None, :]
    full = np.fft.fftshift(spectrum, axes=0)
    wide = np.concatenate([np.flip(np.flip(full[:, 1:5], axis=1), axis=0), full], axis=1)
    padded = np.pad(wide, ((4, 4), (0, 4)), mode="reflect")
    ground, low, step = _stretched(padded)
    local = cv2.medianBlur(ground, 5).astype(np.float32) * step + low
    local = cv2.blur(local, (9, 9))[4:-4, 4:-4]
    excess = np.fft.ifftshift(full - local, axes=0)
    allowed = (np.hypot(fx, fy) >= least_frequency) & (np.hypot(fx, fy) < 0.49)
    near = 1.6 / rows
    for grid in to_photograph:
        back = np.linalg.inv(grid).T
        gx, gy = back[0, 0] * fx + back[0, 1] * fy, back[1, 0] * fx + back[1, 1] * fy
        allowed &= (np.abs(gx) >= 1.5 * near) & (np.abs(gy) >= 1.5 * near)
        off_x, off_y = (np.abs(g * 16 - np.rint(g * 16)) / 16 for g in (gx, gy))
        allowed &= (off_x >= near) | (off_y >= near)
    # the page's own axes hold the straight edges of print and page
    allowed &= (np.abs(fx) > near) & (np.abs(fy) > near) | (np.hypot(fx, fy) > 0.25)
    return np.where(allowed, excess, -np.inf).astype(np.float32)


def strongest_peak(excess: Plane) -> tuple[float, tuple[float, float]]:
    """The highest of :func:`peaks`, and its frequency (x, y) in cycles per pixel; (0, (0, 0)) when none is allowed."""
    at = np.unravel_index(int(np.argmax(excess)), excess.shape)
    if not np.isfinite(excess[at]):
        return 0.0, (0.0, 0.0)
    fx, fy = np.fft.rfftfreq(excess.shape[0]), np.fft.fftfreq(excess.shape[0])
    return float(excess[at]), (float(fx[at[1]]), float(fy[at[0]]))


def strongest_pair(excess: Plane) -> float:
    """The highest lower one of two peaks at right angles with one period; 0 when none is allowed.

    Halftone dots and screens repeat in two directions at right angles. Noise rarely has two such peaks, so this figure
    stays low on genuine pages and sees rasters too weak to stand out by one peak. A quarter turn may miss by a bin.
    """
    tile = excess.shape[0]
    half = tile // 2
    full = np.full((tile + 1, tile + 1), -np.inf, np.float32)  # zero frequency in the middle
    right = np.fft.fftshift(excess, axes=0)  # rows -half ... half - 1
    full[:tile, half:] = right
    full[1:, : half + 1] = np.flip(right, axis=(0, 1))[:, : half + 1]
    finite = np.where(np.isfinite(full), full, -1e3).astype(np.float32)
    turned = cv2.dilate(np.ascontiguousarray(np.rot90(finite)), np.ones((3, 3), np.uint8))
    best = float(np.minimum(finite, turned).max())
    return max(best, 0.0)


def _stretched(plane: Plane) -> tuple[NDArray[np.uint8], float, float]:
    """``plane`` in 256 steps, for OpenCV's median; and what a step and the lowest value are."""
    low, high = float(plane.min()), float(plane.max())
    step = max((high - low) / 255, 1e-6)
    return np.rint((plane - low) / step).astype(np.uint8), low, step


def colour_spread(page: NDArray[np.uint8]) -> float:
    """Spread of colour over a page in CIELAB units: 95th percentile of the distance from the page's median colour.

    White balance and a tinted light move all colours together, so they do not count.
    """
    small = cv2.resize(page, (160, max(1, round(160 * page.shape[0] / page.shape[1]))), interpolation=cv2.INTER_AREA)
    lab = cv2.cvtColor(cv2.GaussianBlur(small, (0, 0), 1.0).astype(np.float32) / 255, cv2.COLOR_RGB2LAB)
    offset = lab[..., 1:] - np.median(lab[..., 1:].reshape(-1, 2), axis=0)
    return float(np.quantile(np.hypot(offset[..., 0], offset[..., 1]), 0.95))
