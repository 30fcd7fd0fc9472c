"""Traces that up-sampling networks, warps and blends leave in one picture: noise, spectrum, grid, seam.

Noise residuals and their co-occurrences: J. Fridrich and J. Kodovsky, Rich models for steganalysis, IEEE TIFS 7 (2012).
Spectrum and checkerboard of up-sampling: R. Durall et al., Watch your up-convolution, CVPR 2020. A face whose noise is
not that of its surroundings, and the seam around it: L. Li et al., Face X-ray, CVPR 2020. Periodic correlation of
resampled pixels: A. Popescu and H. Farid, IEEE TSP 53 (2005).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from samebody.face.topology import FACE_OVAL
from samebody.types import Pixels

FACE_SIDE = 208
"""A face taller than this many pixels is averaged down to it; smaller ones are taken as they are."""
LEAST_SIDE = 100
"""A face lower than this many pixels is too small to look at."""
Plane = NDArray[np.float32]
Mask = NDArray[np.uint8]

_KV = (
    np.array(
        [[-1, 2, -2, 2, -1], [2, -6, 8, -6, 2], [-2, 8, -12, 8, -2], [2, -6, 8, -6, 2], [-1, 2, -2, 2, -1]], np.float32
    )
    / 12
)
"""The 5x5 high-pass filter of Ker and Boehme that the rich models use."""
_LEVELS = 2
_SPECTRUM_SIDE = 96
_RINGS = 12
_LAGS = (1, 2, 3, 4, 8)
_PROFILE = np.linspace(-0.14, 0.14, 15)


@dataclass(frozen=True, slots=True, eq=False)
class FaceCrop:
    """A face as the detector of traces sees it.

    Attributes:
        pixels: (h, w, 3) uint8 RGB around the face.
        oval: (36, 2) float64 outline of the face in pixels of the crop.
        side: height of the face in pixels of the crop.
        shrunk: factor by which the picture was averaged down, at most 1.
    """

    pixels: Pixels
    oval: NDArray[np.float64]
    side: float
    shrunk: float


def crop_face(pixels: Pixels, points: NDArray[np.floating[Any]]) -> FaceCrop:
    """Cut out the face with what is around it, averaged down when it is taller than :data:`FACE_SIDE`.

    Args:
        pixels: (H, W, 3) uint8 RGB.
        points: (478, 2 or 3) mesh in pixels of the picture.
    """
    oval = np.asarray(points[list(FACE_OVAL), :2], np.float64)
    low, high = oval.min(axis=0), oval.max(axis=0)
    side = float((high - low).max())
    margin = 0.22 * side
    left, top = (max(0, int(v - margin)) for v in low)
    right, bottom = (min(limit, int(v + margin) + 1) for limit, v in zip(pixels.shape[1::-1], high, strict=True))
    crop = pixels[top:bottom, left:right]
    part = min(1.0, FACE_SIDE / max(side, 1.0))
    if part < 1 and min(crop.shape[:2]) > 0:
        size = (max(16, round(crop.shape[1] * part)), max(16, round(crop.shape[0] * part)))
        crop = np.asarray(cv2.resize(crop, size, interpolation=cv2.INTER_AREA), np.uint8)
    return FaceCrop(np.ascontiguousarray(crop), (oval - (left, top)) * part, side * part, part)


def features(crop: FaceCrop) -> NDArray[np.float32]:
    """All traces as one vector, float32; :func:`names` says what each number is.

    A region that lies outside of the picture (surroundings of a tight crop) gives zeros.
    """
    return np.asarray(list(_measured(crop).values()), np.float32)


@cache
def names() -> tuple[str, ...]:
    """Names of :func:`features`, in order."""
    oval = 64 + 40 * np.stack([np.cos(np.linspace(0, 6.2, 36)), np.sin(np.linspace(0, 6.2, 36))], axis=1)
    return tuple(_measured(FaceCrop(np.zeros((128, 128, 3), np.uint8), oval, 80.0, 1.0)))


def _measured(crop: FaceCrop) -> dict[str, float]:
    ycc = cv2.cvtColor(crop.pixels, cv2.COLOR_RGB2YCrCb).astype(np.float32)
    regions = _regions(crop)
    found: dict[str, float] = {"face.side": crop.side / FACE_SIDE, "face.shrunk": crop.shrunk}
    residual = cv2.filter2D(ycc, -1, _KV, borderType=cv2.BORDER_REFLECT)
    found |= _noise(ycc, residual, regions)
    found |= _co_occurrences(ycc[..., 0], residual, regions)
    found |= _channels(cv2.filter2D(crop.pixels, cv2.CV_32F, _KV, borderType=cv2.BORDER_REFLECT), regions)
    found |= _spectrum(ycc[..., 0], residual[..., 0], crop)
    found |= _periods(residual, regions)
    found |= _seam(ycc, crop)
    return found


def _polygon(crop: FaceCrop, factor: float) -> Mask:
    centre = crop.oval.mean(axis=0)
    mask = np.zeros(crop.pixels.shape[:2], np.uint8)
    cv2.fillPoly(mask, [np.rint(centre + factor * (crop.oval - centre)).astype(np.int32)], (1,))
    return mask


def _regions(crop: FaceCrop) -> dict[str, Mask]:
    """Inside the face, the band of its outline, and what lies around it."""
    wide = _polygon(crop, 1.1)
    return {"inner": _polygon(crop, 0.8), "rim": wide - _polygon(crop, 0.85), "outer": 1 - wide}


def _noise(ycc: Plane, residual: Plane, regions: dict[str, Mask]) -> dict[str, float]:
    """Strength of the residual by region, channel and scale, and how it differs between the regions."""
    found: dict[str, float] = {}
    half = cv2.resize(ycc, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA)
    coarse = cv2.filter2D(half, -1, _KV, borderType=cv2.BORDER_REFLECT)
    for scale, values in enumerate((residual, coarse)):
        size = np.abs(values)
        square = size * size
        logs = np.zeros((3, 3))
        for row, (name, mask) in enumerate(regions.items()):
            if scale:
                mask = cv2.resize(mask, half.shape[1::-1], interpolation=cv2.INTER_NEAREST)
            known = cv2.countNonZero(mask) >= 64
            middle = np.array(cv2.mean(size, mask)[:3]) + 0.02
            peak = np.log((np.sqrt(cv2.mean(square, mask)[:3]) + 0.02) / middle)
            logs[row] = np.log(middle) if known else 0.0
            for channel, tint in enumerate("ycb"):
                found[f"noise.{scale}.{tint}.{name}"] = float(logs[row, channel])
                found[f"noise.{scale}.{tint}.{name}.peak"] = float(peak[channel]) if known else 0.0
        for channel, tint in enumerate("ycb"):
            inner, rim, outer = logs[:, channel].tolist()
            found[f"noise.{scale}.{tint}.inner-outer"] = inner - outer if outer else 0.0
            found[f"noise.{scale}.{tint}.rim-inner"] = rim - inner
    return found


def _folded(length: int) -> tuple[NDArray[np.int64], int]:
    """Number of each co-occurrence of ``length`` levels after sign and direction are folded together, and how many."""
    base = 2 * _LEVELS + 1
    codes = np.arange(base**length)
    digits = np.stack([codes // base**k % base for k in range(length)], axis=1)
    weight = base ** np.arange(length)
    variants = [digits, digits[:, ::-1], 2 * _LEVELS - digits, 2 * _LEVELS - digits[:, ::-1]]
    smallest = np.min([variant @ weight for variant in variants], axis=0)
    _, number = np.unique(smallest, return_inverse=True)
    return number.reshape(-1).astype(np.int64), int(number.max()) + 1


_FOLD, _COUNT = _folded(3)


def _co_occurrences(luma: Plane, residual: Plane, regions: dict[str, Mask]) -> dict[str, float]:
    """Square roots of the shares of three neighbouring quantised residuals, along rows and columns together."""
    second = np.array([[1, -2, 1]], np.float32)
    kinds = {
        "second": (cv2.filter2D(luma, -1, second), cv2.filter2D(luma, -1, second.T.copy()), 2.0),
        "square": (residual[..., 0], residual[..., 0], 1.0),
        "colour": (residual[..., 1], residual[..., 1], 0.5),
    }
    found: dict[str, float] = {}
    for kind, (along, down, step) in kinds.items():
        codes = []
        for values, turned in ((along, False), (down, True)):
            levels = (np.clip(np.rint(values * np.float32(1 / step)), -_LEVELS, _LEVELS) + _LEVELS).astype(np.uint8)
            line = levels.T if turned else levels
            codes.append(np.ascontiguousarray(line[:, :-2] + 5 * line[:, 1:-1] + 25 * line[:, 2:]))
        for name in ("inner", "outer") if kind == "second" else ("inner",):
            counts = np.zeros(125)
            for code, mask in zip(codes, (regions[name], regions[name].T), strict=True):
                inside = np.ascontiguousarray(mask[:, 1:-1])
                counts += cv2.calcHist([code], [0], inside, [125], [0, 125]).ravel()
            shares = np.sqrt(np.bincount(_FOLD, weights=counts, minlength=_COUNT) / max(counts.sum(), 1.0))
            for number, share in enumerate(shares.tolist()):
                found[f"co.{name}.{kind}.{number}"] = share
    return found


def _channels(residual: Plane, regions: dict[str, Mask]) -> dict[str, float]:
    """Correlation of the residual between the colour channels."""
    found: dict[str, float] = {}
    red, green, blue = (np.ascontiguousarray(residual[..., channel]) for channel in range(3))
    for name in ("inner", "outer"):
        inside = regions[name] > 0
        rows = np.stack([red[inside], green[inside], blue[inside]])
        product = rows @ rows.T + 1.0
        spread = np.sqrt(np.diag(product))
        for pair, (one, two) in {"rg": (0, 1), "rb": (0, 2), "gb": (1, 2)}.items():
            known = rows.shape[1] >= 64
            found[f"channels.{name}.{pair}"] = float(product[one, two] / (spread[one] * spread[two])) if known else 0.0
    return found


def _window(crop: FaceCrop, plane: Plane) -> Plane:
    """The square in the middle of the face."""
    x, y = crop.oval.mean(axis=0)
    half = _SPECTRUM_SIDE // 2
    height, width = plane.shape
    left = int(np.clip(round(x) - half, 0, max(0, width - _SPECTRUM_SIDE)))
    top = int(np.clip(round(y) - half, 0, max(0, height - _SPECTRUM_SIDE)))
    part = plane[top : top + _SPECTRUM_SIDE, left : left + _SPECTRUM_SIDE]
    if part.shape != (_SPECTRUM_SIDE, _SPECTRUM_SIDE):
        part = cv2.copyMakeBorder(
            part, 0, _SPECTRUM_SIDE - part.shape[0], 0, _SPECTRUM_SIDE - part.shape[1], cv2.BORDER_REFLECT
        )
    return np.asarray(part, np.float32)


def _rings() -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    frequency = np.fft.fftfreq(_SPECTRUM_SIDE)[:, None], np.fft.rfftfreq(_SPECTRUM_SIDE)[None, :]
    radius = np.hypot(*frequency)
    ring = np.minimum((radius / 0.5 * _RINGS).astype(np.int64), _RINGS)  # the last holds the corners
    grid = np.zeros_like(radius, bool)
    for place in (0.25, 0.5):
        grid |= (np.abs(np.abs(frequency[0]) - place) < 0.006) | (np.abs(np.abs(frequency[1]) - place) < 0.006)
    return ring, grid & (radius > 0.1)


_RING, _GRID = _rings()
_HANN = np.outer(np.hanning(_SPECTRUM_SIDE), np.hanning(_SPECTRUM_SIDE)).astype(np.float32)


def _spectrum(luma: Plane, residual: Plane, crop: FaceCrop) -> dict[str, float]:
    """Power by spatial frequency, and how the lines that up-sampling by 2 and 4 leaves stand out."""
    found: dict[str, float] = {}
    for name, plane in (("luma", luma), ("residual", residual)):
        part = _window(crop, plane)
        power = np.abs(np.fft.rfft2((part - part.mean()) * _HANN)) ** 2
        sums = np.bincount(_RING.ravel(), weights=power.ravel(), minlength=_RINGS + 1)
        sizes = np.bincount(_RING.ravel(), minlength=_RINGS + 1)
        logs = np.log(sums / sizes + 1.0)
        for number, value in enumerate((logs - logs[1:6].mean()).tolist()):
            found[f"spectrum.{name}.{number}"] = value
        logpower = np.log(power + 1.0)
        mean_of_ring = np.bincount(_RING.ravel(), weights=logpower.ravel(), minlength=_RINGS + 1) / sizes
        away = logpower - mean_of_ring[_RING]
        found[f"spectrum.{name}.grid"] = float(away[_GRID].mean())
        found[f"spectrum.{name}.nyquist"] = float(away[_SPECTRUM_SIDE // 2, :].mean() + away[:, -1].mean())
        found[f"spectrum.{name}.spread"] = float(away.std())
    return found


def _periods(residual: Plane, regions: dict[str, Mask]) -> dict[str, float]:
    """Autocorrelation of the residual, and how its strength goes with the place in periods of 2, 4 and 8 pixels."""

    def product(one: Plane, two: Plane) -> float:
        return float(np.einsum("ij,ij->", one, two))

    found: dict[str, float] = {}
    for name in ("inner", "outer"):
        mask = regions[name].astype(np.float32)
        for channel, tint in ((0, "y"), (1, "c")):
            values = residual[..., channel] * mask
            total = product(values, values) + 1.0
            for lag in _LAGS if channel == 0 else (1, 2):
                across = product(values[:, lag:], values[:, :-lag]) / total
                down = product(values[lag:], values[:-lag]) / total
                found[f"lag.{name}.{tint}.{lag}"] = (across + down) / 2
                found[f"lag.{name}.{tint}.{lag}.uneven"] = abs(across - down)
            if channel == 0:
                found[f"lag.{name}.{tint}.11"] = product(values[1:, 1:], values[:-1, :-1]) / total
        strength = np.abs(residual[..., 0]) * mask
        lines = [(strength.sum(axis=axis), mask.sum(axis=axis)) for axis in (0, 1)]
        for period in (2, 4, 8):
            found[f"period.{name}.{period}"] = sum(_uneven(*line, period) for line in lines) / 2
    return found


def _uneven(sums: NDArray[np.float32], sizes: NDArray[np.float32], period: int) -> float:
    """Deviation over mean of what falls on each place in the period."""
    phase = np.arange(len(sums)) % period
    count = np.maximum(np.bincount(phase, weights=sizes, minlength=period), 1)
    means = np.bincount(phase, weights=sums, minlength=period) / count
    return float(means.std() / (means.mean() + 0.05))


def _seam(ycc: Plane, crop: FaceCrop) -> dict[str, float]:
    """How steep the picture is along the normals of the outline, nearer and farther from it, against its middle."""
    centre = crop.oval.mean(axis=0)
    dense = np.concatenate([crop.oval + (np.roll(crop.oval, -1, axis=0) - crop.oval) * part for part in (0, 0.5)])
    away = dense - centre
    places = dense[:, None, :] + _PROFILE[None, :, None] * away[:, None, :] * 1.6
    x, y = places[..., 0].astype(np.float32) - np.float32(0.5), places[..., 1].astype(np.float32) - np.float32(0.5)
    seen = cv2.remap(ycc, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    height, width = ycc.shape[:2]
    inside = (x > 1) & (y > 1) & (x < width - 2) & (y < height - 2)
    both = (inside[:, 1:] & inside[:, :-1])[..., None]
    counts = both.sum(axis=0)
    logs = (np.log(np.abs(np.diff(seen, axis=1)) + 1.0) * both).sum(axis=0) / np.maximum(counts, 1)
    logs[counts[:, 0] <= 8] = 0.0
    found: dict[str, float] = {}
    for channel, tint in enumerate("ycb"):
        level = float(logs[:, channel].mean())
        found[f"seam.{tint}.level"] = level
        for number, value in enumerate((logs[:, channel] - level).tolist()):
            found[f"seam.{tint}.{number}"] = value
    return found
