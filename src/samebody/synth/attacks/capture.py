"""The capture that every picture goes through, bona fide or not: lens, exposure, sensor, processing, scaling, JPEG.

A chain is drawn once for a pair and used twice, so that nothing it leaves behind tells the two apart. Exposure and
white balance are the camera's own: it brings the mean of what it sees to a target, as automatic exposure does.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from samebody.synth.attacks.light import Light, Plane, raw_to_shown, to_raw
from samebody.synth.attacks.record import Draw
from samebody.types import Pixels

SHARPEST_LENS = 0.27
"""Blur of the best lens in sensor pixels, as a Gaussian's deviation."""

MOSAIC_BLUR = 0.5
"""Deviation in sensor pixels of the blur that interpolating a Bayer mosaic amounts to."""

APERTURE = 0.85
"""Side of a sensor pixel's light-sensitive square over the pixel pitch."""

_FILTERS = {"area": cv2.INTER_AREA, "linear": cv2.INTER_LINEAR, "cubic": cv2.INTER_CUBIC, "lanczos": cv2.INTER_LANCZOS4}


@dataclass(frozen=True, slots=True)
class CaptureChain:
    """One camera and what the file went through afterwards.

    Attributes:
        camera: False for pictures that never saw one after they were made (digital attacks); only delivery then.
        sensor_scale: sensor pixels a pixel of the finished picture.
        lens_sigma: defocus in sensor pixels, a Gaussian's deviation; acts before the sensor samples.
        motion: length of the motion in sensor pixels; ``motion_angle`` in radians.
        exposure: factor by which red, green and blue of the target differ from the source's own.
        settling: 0-1, how far automatic exposure and white balance reach their target.
        full_well: photo-electrons of a white pixel; shot noise follows from it.
        read_noise: electrons.
        colour_denoise, denoise: deviation in sensor pixels by which colour and brightness are smoothed.
        sharpening, sharpening_sigma: amount and radius of an unsharp mask.
        contrast: strength of an S-shaped tone curve, 0 none.
        scaling: filter that brings the sensor's picture to its final size.
        jpeg: qualities (IJG), one a generation, the last is the file's.
        rescales: size of each generation but the last, over the final size.
    """

    camera: bool
    sensor_scale: float
    lens_sigma: float
    motion: float
    motion_angle: float
    exposure: tuple[float, float, float]
    settling: float
    full_well: float
    read_noise: float
    colour_denoise: float
    denoise: float
    sharpening: float
    sharpening_sigma: float
    contrast: float
    scaling: str
    jpeg: tuple[int, ...]
    rescales: tuple[float, ...]

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready values."""
        return {name: list(value) if isinstance(value, tuple) else value for name, value in asdict(self).items()}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> CaptureChain:
        """The chain that :meth:`to_dict` wrote."""
        plain: dict[str, Any] = {name: tuple(v) if isinstance(v, list) else v for name, v in values.items()}
        return cls(**plain)


def draw_chain(random: np.random.Generator, *, camera: bool = True) -> CaptureChain:
    """A webcam, a phone or a scaled-down still, used with average care."""
    d = Draw(random)
    level = d.log_uniform("level", 0.72, 1.35)
    warmth = d.normal("warmth", 0.07)
    tint = d.normal("tint", 0.02)
    generations = d.choice("generations", (1, 2, 3), (0.5, 0.35, 0.15))
    return CaptureChain(
        camera=camera,
        sensor_scale=d.log_uniform("sensor_scale", 0.75, 1.5) if camera else 1.0,
        lens_sigma=SHARPEST_LENS + abs(d.normal("defocus", 0.32)),
        motion=max(0.0, abs(d.normal("motion", 1.3)) - 1.0),
        motion_angle=d.uniform("motion_angle", 0, math.pi),
        exposure=(level * (1 + warmth), level * (1 + tint), level * (1 - warmth)),
        settling=d.uniform("settling", 0.8, 1.0),
        full_well=d.log_uniform("full_well", 500, 12000),
        read_noise=d.uniform("read_noise", 2, 9),
        colour_denoise=d.uniform("colour_denoise", 0, 1.6),
        denoise=max(0.0, d.uniform("denoise", -0.5, 0.6)),
        sharpening=max(0.0, d.uniform("sharpening", -0.2, 1.1)),
        sharpening_sigma=d.uniform("sharpening_sigma", 0.6, 1.4),
        contrast=max(0.0, d.uniform("contrast", -0.15, 0.35)),
        scaling=d.choice("scaling", tuple(_FILTERS), (0.35, 0.3, 0.25, 0.1)),
        jpeg=tuple(int(random.integers(58, 98)) for _ in range(generations)),
        rescales=tuple(float(random.uniform(0.75, 1.3)) for _ in range(generations - 1)),
    )


def through_lens(light: Light, chain: CaptureChain) -> Light:
    """Defocus and motion, before the sensor samples; ``light`` must not hold detail finer than its own pixels."""
    if chain.lens_sigma > 0.05:
        light = np.asarray(cv2.GaussianBlur(light, (0, 0), chain.lens_sigma, borderType=cv2.BORDER_REFLECT), np.float32)
    if chain.motion > 0.3:
        kernel = _line(chain.motion, chain.motion_angle)
        light = np.asarray(cv2.filter2D(light, -1, kernel, borderType=cv2.BORDER_REFLECT), np.float32)
    return light


def transfer(fx: NDArray[np.float64], fy: NDArray[np.float64], chain: CaptureChain) -> NDArray[np.float64]:
    """Modulation transfer of lens, motion and the sensor's square aperture at frequencies in cycles a sensor pixel.

    Gaussian defocus exp(-2 pi^2 s^2 f^2), motion sinc(L f), aperture sinc(a fx) sinc(a fy) (Goodman, Introduction to
    Fourier Optics, chapters 2 and 6). Frequencies beyond 0.5 are not cut: they are what the sensor folds back.
    """
    along = fx * math.cos(chain.motion_angle) + fy * math.sin(chain.motion_angle)
    lens = np.exp(-2 * math.pi**2 * chain.lens_sigma**2 * (fx * fx + fy * fy))
    aperture = np.sinc(APERTURE * fx) * np.sinc(APERTURE * fy)
    return np.asarray(lens * np.abs(np.sinc(chain.motion * along) * aperture))


def _line(length: float, direction: float) -> NDArray[np.float32]:
    half = math.ceil(length / 2) + 1
    along = (np.arange(256) + 0.5) / 256 * length - length / 2
    x, y = along * math.cos(direction) + half, along * math.sin(direction) + half
    kernel = np.zeros((2 * half + 1, 2 * half + 1))
    for right in (0, 1):
        for down in (0, 1):
            columns, rows = np.floor(x).astype(int) + right, np.floor(y).astype(int) + down
            np.add.at(kernel, (rows, columns), (1 - np.abs(x - columns)) * (1 - np.abs(y - rows)))
    return np.asarray(kernel / kernel.sum(), np.float32)


def mean_shown(light: Light) -> NDArray[np.float64]:
    """Mean of each channel's square root: close to the mean that will be displayed."""
    small = cv2.resize(light, (48, 48), interpolation=cv2.INTER_AREA)
    return np.asarray(np.sqrt(np.maximum(small, 1e-5)).mean(axis=(0, 1)), np.float64)


def expose(light: Light, chain: CaptureChain, target: NDArray[np.float64]) -> Light:
    """Automatic exposure and white balance: gains that bring :func:`mean_shown` near to ``target``."""
    return np.asarray(light * gains(light, chain, target).astype(np.float32), np.float32)


def gains(light: Light, chain: CaptureChain, target: NDArray[np.float64]) -> NDArray[np.float64]:
    """The (3,) factors by which :func:`expose` changes red, green and blue."""
    return np.asarray(np.clip((target / mean_shown(light)) ** (2 * chain.settling), 0.2, 6.0))


def develop(light: Light, chain: CaptureChain, random: np.random.Generator) -> NDArray[np.float32]:
    """Sensor and processing: a Bayer mosaic with shot and read noise, interpolated, smoothed, sharpened.

    Args:
        light: (h, w, 3) exposed linear light at the sensor, even height and width; 1 is full scale.
        chain: the camera.
        random: for the noise.

    Returns:
        (h, w, 3) float32 displayed values, about 0-255.
    """
    mosaic = np.ascontiguousarray(light[..., 1])
    mosaic[0::2, 0::2] = light[0::2, 0::2, 0]
    mosaic[1::2, 1::2] = light[1::2, 1::2, 2]
    np.clip(mosaic, 0, 1, out=mosaic)
    noise = random.standard_normal(mosaic.shape, dtype=np.float32)
    noise *= np.sqrt(mosaic / chain.full_well + (chain.read_noise / chain.full_well) ** 2)
    raw = to_raw(mosaic + noise)
    shown = raw_to_shown(np.asarray(cv2.cvtColor(raw, cv2.COLOR_BayerBG2RGB), np.uint16))  # cv2 names the second row
    if chain.colour_denoise > 0.3 or chain.denoise > 0.25 or chain.sharpening > 0.02:
        shown = _process(shown, chain)
    if chain.contrast > 0.01:
        part = np.clip(shown / 255, 0, 1)
        curve = part + np.float32(chain.contrast) * part * (1 - part) * (2 * part - 1)
        shown = np.asarray(255 * curve, np.float32)
    return shown


def _process(shown: NDArray[np.float32], chain: CaptureChain) -> NDArray[np.float32]:
    luma = cv2.cvtColor(shown, cv2.COLOR_RGB2GRAY)
    colour = shown - luma[..., None]
    if chain.colour_denoise > 0.3:
        colour = cv2.GaussianBlur(colour, (0, 0), chain.colour_denoise)
    if chain.denoise > 0.25:
        luma = cv2.GaussianBlur(luma, (0, 0), chain.denoise)
    if chain.sharpening > 0.02:
        luma = luma + np.float32(chain.sharpening) * (luma - cv2.GaussianBlur(luma, (0, 0), chain.sharpening_sigma))
    return np.asarray(colour + luma[..., None], np.float32)


def deliver(shown: NDArray[np.float32], chain: CaptureChain, shape: tuple[int, int]) -> tuple[Pixels, bytes]:
    """Final size and JPEG generations; the decoded pixels and the last file."""
    picture = np.asarray(np.clip(shown + 0.5, 0, 255), np.uint8)
    data = b""
    for index, quality in enumerate(chain.jpeg):
        part = chain.rescales[index] if index < len(chain.rescales) else 1.0
        size = (max(16, round(shape[1] * part)), max(16, round(shape[0] * part)))
        if picture.shape[1::-1] != size:
            shrinks = size[0] < picture.shape[1]
            how = _FILTERS[chain.scaling] if shrinks or chain.scaling != "area" else cv2.INTER_LINEAR
            picture = np.asarray(cv2.resize(picture, size, interpolation=how), np.uint8)
        data = encode(picture, quality)
        picture = decode(data)
    return picture, data


def encode(pixels: Pixels, quality: int) -> bytes:
    """Baseline JPEG of RGB pixels."""
    done, data = cv2.imencode(".jpg", cv2.cvtColor(pixels, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, quality])
    if not done:  # pragma: no cover - OpenCV reports want of memory by a flag
        raise MemoryError("the JPEG encoder gave up")
    return bytes(data)


def decode(data: bytes) -> Pixels:
    """RGB pixels of a JPEG that :func:`encode` wrote."""
    return np.asarray(cv2.cvtColor(cv2.imdecode(np.frombuffer(data, np.uint8), 1), cv2.COLOR_BGR2RGB), np.uint8)


def sharpness(plane: Plane, where: NDArray[np.uint8] | None = None, shape: tuple[int, int] | None = None) -> float:
    """Logarithm of the Laplacian's deviation on square-root light: what blur lowers and a raster raises.

    ``where``: not 0 where pixels count; None counts all. ``shape``: height and width at which it is looked at; the
    picture is smoothed as interpolation of the mosaic does and brought to that size first. None looks at it as it is.
    """
    shown = np.sqrt(np.maximum(plane, 0))
    if shape is not None:
        shown = cv2.GaussianBlur(shown, (0, 0), MOSAIC_BLUR, borderType=cv2.BORDER_REFLECT)
        if shape != plane.shape:
            how = cv2.INTER_AREA if shape[0] < plane.shape[0] else cv2.INTER_LINEAR
            shown = cv2.resize(shown, shape[::-1], interpolation=how)
            if where is not None:
                where = np.asarray(cv2.resize(where, shape[::-1], interpolation=cv2.INTER_NEAREST), np.uint8)
    spread = cv2.meanStdDev(cv2.Laplacian(shown, cv2.CV_32F, ksize=1), mask=where)[1][0, 0]
    return float(np.log(spread + 1e-5))


SHARPEST, SOFTEST = -2.0, 4.0
"""Bounds of :func:`softened`, so that an extreme raster is not answered by an extreme picture."""


def match_sharpness(
    plane: Plane,
    wanted: float,
    where: NDArray[np.uint8] | None = None,
    shape: tuple[int, int] | None = None,
    *,
    sharpen: bool = True,
    steps: int = 7,
) -> float:
    """The amount for :func:`softened` that brings the :func:`sharpness` of a luminance ``plane`` to ``wanted``.

    It stays within :data:`SHARPEST` (0 without ``sharpen``) and :data:`SOFTEST`.
    """
    low, high = (SHARPEST if sharpen else 0.0), SOFTEST
    for _ in range(steps):
        middle = (low + high) / 2
        if sharpness(softened(plane, middle), where, shape) > wanted:
            low = middle
        else:
            high = middle
    return (low + high) / 2


def softened(light: Light, amount: float) -> Light:
    """Blurred by a deviation of ``amount`` pixels where it is positive, sharpened by a factor where it is negative."""
    if amount > 0:
        return np.asarray(cv2.GaussianBlur(light, (0, 0), max(amount, 0.15), borderType=cv2.BORDER_REFLECT), np.float32)
    soft = cv2.GaussianBlur(light, (0, 0), 1.0, borderType=cv2.BORDER_REFLECT)
    return np.asarray(np.clip(light - np.float32(amount) * (light - soft), 0, 4), np.float32)
