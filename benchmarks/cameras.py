"""A family of cameras for calibration: sensors, processing and files that differ in kind, drawn by seed.

A limit that holds for one camera model says nothing about the next one. Kinds are therefore split: ``TUNING`` ones set
limits, ``HELD_OUT`` ones, other kinds of processing altogether, count what the limits do. Values of noise are grey
levels (0-255) as displayed.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import cv2
import numpy as np
from numpy.typing import NDArray

Picture = NDArray[np.float32]
Range = tuple[float, float]
Sampling = Literal["444", "422", "420"]

_SAMPLING = {
    "444": cv2.IMWRITE_JPEG_SAMPLING_FACTOR_444,
    "422": cv2.IMWRITE_JPEG_SAMPLING_FACTOR_422,
    "420": cv2.IMWRITE_JPEG_SAMPLING_FACTOR_420,
}


@dataclass(frozen=True, slots=True)
class Camera:
    """One kind of camera; every value is drawn uniformly from its range for each photograph.

    Attributes:
        read_noise: deviation in the dark, grey levels.
        shot_noise: deviation at white that grows with the root of the light, grey levels.
        colour_filter: whether colours are interpolated from a Bayer mosaic, which correlates the noise.
        zoom: below 1 the sensor has fewer pixels than the picture, which is enlarged (digital zoom).
        denoise: how noise is taken away.
        strength: of ``denoise``: blur in pixels, or the grey levels that count as noise.
        sharpen: gain of the unsharp mask.
        radius: of the unsharp mask, pixels.
        contrast: slope of the tone curve in the middle, 1 straight.
        local_contrast: gain of structures as large as a fiftieth of the picture.
        saturation: 1 unchanged.
        gradient: how much light falls off from one side of the picture to the other.
        quality: of the JPEG, IJG scale.
        sampling: of its chroma.
    """

    read_noise: Range
    shot_noise: Range
    colour_filter: bool = True
    zoom: Range = (1.0, 1.0)
    denoise: Literal["none", "gaussian", "bilateral", "median", "chroma"] = "none"
    strength: Range = (0.0, 0.0)
    sharpen: Range = (0.0, 0.3)
    radius: Range = (0.8, 1.2)
    contrast: Range = (1.0, 1.1)
    local_contrast: Range = (0.0, 0.0)
    saturation: Range = (0.95, 1.1)
    gradient: Range = (0.0, 0.15)
    quality: Range = (85, 95)
    sampling: Sampling = "420"


TUNING: dict[str, Camera] = {
    "phone": Camera((0.5, 2), (1, 4), sharpen=(0.3, 0.9)),
    "phone, smoothed": Camera((1, 4), (2, 7), denoise="bilateral", strength=(8, 25), sharpen=(0.5, 1.4)),
    "phone, old": Camera((2, 6), (3, 9), quality=(70, 88), contrast=(1.0, 1.35), gradient=(0.1, 0.4)),
    "compact": Camera((1, 3), (2, 6), denoise="gaussian", strength=(0.5, 0.9), sharpen=(0.8, 1.8), sampling="422"),
    "reflex": Camera((0.2, 1), (0.5, 2.5), quality=(94, 99), sampling="444", contrast=(1.0, 1.25)),
    "webcam": Camera((1, 4), (2, 6), zoom=(0.6, 0.8), quality=(65, 85), sharpen=(0.2, 1.0), gradient=(0.0, 0.3)),
    "no colour filter": Camera((0.5, 5), (0, 1), colour_filter=False, quality=(75, 95), sharpen=(0, 0)),
    "document app": Camera((0.5, 2), (1, 4), local_contrast=(0.3, 0.9), contrast=(1.1, 1.5), quality=(78, 92)),
}
HELD_OUT: dict[str, Camera] = {
    "night mode": Camera((3, 8), (4, 10), denoise="median", sharpen=(0.8, 1.6), contrast=(1.0, 1.3)),
    "digital zoom": Camera((0.5, 2), (1, 5), zoom=(0.7, 0.95), sharpen=(0.5, 1.2), radius=(1.5, 2.2), quality=(80, 95)),
    "high range": Camera((0.5, 3), (1, 4), local_contrast=(0.4, 1.0), denoise="chroma", strength=(1.5, 3.0)),
    "action camera": Camera((1, 4), (2, 6), denoise="gaussian", strength=(0.6, 1.2), sharpen=(1.5, 2.5),
                            radius=(1, 1.6), saturation=(1.15, 1.4), quality=(72, 90), sampling="422"),
}  # fmt: skip

KINDS: dict[str, Camera] = {**TUNING, **HELD_OUT}


def developer(kind: str, seed: int) -> Callable[[Picture, np.random.Generator], tuple[bytes, int]]:
    """The camera ``kind`` with values drawn from ``seed``, as :func:`samebody.synth.photograph.photograph` takes it."""
    camera = KINDS[kind]
    draw = np.random.default_rng([seed, 31])

    def value(bounds: Range) -> float:
        return float(draw.uniform(*bounds))

    read, shot, zoom, strength = value(camera.read_noise), value(camera.shot_noise), value(camera.zoom), 0.0
    strength, sharpen, radius = value(camera.strength), value(camera.sharpen), value(camera.radius)
    contrast, local, saturation = value(camera.contrast), value(camera.local_contrast), value(camera.saturation)
    gradient, direction, quality = value(camera.gradient), value((0, 2 * np.pi)), round(value(camera.quality))

    def develop(picture: Picture, random: np.random.Generator) -> tuple[bytes, int]:
        height, width = picture.shape[:2]
        picture = light_falls_off(picture, gradient, direction)
        if zoom < 1:
            size = (round(width * zoom), round(height * zoom))
            picture = cv2.resize(picture, size, interpolation=cv2.INTER_AREA)
        picture = sensor(picture, read, shot, camera.colour_filter, random)
        picture = denoised(picture, camera.denoise, strength)
        if zoom < 1:
            picture = cv2.resize(picture, (width, height), interpolation=cv2.INTER_CUBIC)
        picture = toned(picture, contrast, local, saturation)
        if sharpen > 0:
            picture = picture + sharpen * (picture - cv2.GaussianBlur(picture, (0, 0), radius))
        return encoded(picture, quality, camera.sampling), quality

    return develop


def light_falls_off(picture: Picture, strength: float, direction: float) -> Picture:
    """Light that weakens in ``direction`` (radians) by ``strength`` from one end of the picture to the other."""
    height, width = picture.shape[:2]
    x = np.linspace(-0.5, 0.5, width, dtype=np.float32)[None, :]
    y = np.linspace(-0.5, 0.5, height, dtype=np.float32)[:, None]
    light = 1 - strength * (0.5 + 0.7 * (x * np.float32(np.cos(direction)) + y * np.float32(np.sin(direction))))
    return np.asarray(picture * np.power(light, np.float32(1 / 2.2))[..., None], np.float32)


def sensor(picture: Picture, read: float, shot: float, colour_filter: bool, random: np.random.Generator) -> Picture:
    """Noise of every photosite by itself, then colours interpolated where the sensor has a mosaic."""
    from samebody.synth.optics import through_colour_filter

    picture = np.clip(picture, 0, 255)
    spread = np.sqrt(read**2 + shot**2 * picture / 255)
    noisy = np.asarray(picture + spread * random.standard_normal(picture.shape, dtype=np.float32), np.float32)
    return through_colour_filter(noisy) if colour_filter else noisy


def denoised(picture: Picture, how: str, strength: float) -> Picture:
    """Noise taken away: blur, blur that keeps edges, a median, or blur of the colours only."""
    if how == "gaussian":
        return np.asarray(cv2.GaussianBlur(picture, (0, 0), strength), np.float32)
    if how == "bilateral":
        return np.asarray(cv2.bilateralFilter(picture, 5, strength, 1.6), np.float32)
    if how == "median":
        return np.asarray(cv2.medianBlur(np.clip(np.rint(picture), 0, 255).astype(np.uint8), 3), np.float32)
    if how == "chroma":
        planes = cv2.cvtColor(np.clip(picture, 0, 255) / np.float32(255), cv2.COLOR_RGB2YCrCb)
        planes[..., 1:] = cv2.GaussianBlur(planes[..., 1:], (0, 0), strength)
        return np.asarray(cv2.cvtColor(planes, cv2.COLOR_YCrCb2RGB) * 255, np.float32)
    return picture


def toned(picture: Picture, contrast: float, local: float, saturation: float) -> Picture:
    """Local contrast, tone curve (an S about mid grey that keeps black and white) and saturation."""
    if local > 0:
        sigma = max(picture.shape[:2]) / 50
        small = cv2.resize(picture.mean(axis=2), None, fx=0.125, fy=0.125, interpolation=cv2.INTER_AREA)
        smooth = cv2.GaussianBlur(small, (0, 0), sigma / 8)
        ground = cv2.resize(smooth, (picture.shape[1], picture.shape[0]), interpolation=cv2.INTER_LINEAR)
        picture = picture + local * (picture - ground[..., None])
    share = np.clip(picture, 0, 255) / np.float32(255)
    bent = share + (contrast - 1) * np.sin(2 * np.pi * (share - 0.5)) / np.float32(2 * np.pi)
    grey = bent.mean(axis=2, keepdims=True)
    return np.asarray(255 * (grey + saturation * (bent - grey)), np.float32)


def encoded(picture: Picture, quality: int, sampling: Sampling) -> bytes:
    """Baseline JPEG."""
    pixels = np.clip(np.rint(picture), 0, 255).astype(np.uint8)
    options = [cv2.IMWRITE_JPEG_QUALITY, quality, cv2.IMWRITE_JPEG_SAMPLING_FACTOR, _SAMPLING[sampling]]
    return bytes(cv2.imencode(".jpg", pixels[..., ::-1], options)[1])


# ------------------------------------------------------------------------------------------------- what happens after


def sent(jpeg: bytes, how: str, seed: int) -> bytes:
    """What arrives of a photograph.

    Args:
        how: ``straight``; ``resaved`` by a gallery (quality 82-96); by ``messenger`` (side 55-100 %, quality 60-85);
            by ``two messengers``; as ``screenshot`` (side 50-90 %, some of it twice resampled, quality 80-95).
        seed: draws sizes and qualities.
    """
    random = np.random.default_rng([seed, 5])
    if how == "straight":
        return jpeg
    if how == "resaved":
        return _again(jpeg, 1.0, int(random.integers(82, 97)))
    if how == "screenshot":
        return _again(jpeg, float(random.uniform(0.5, 0.9)), int(random.integers(80, 96)), cv2.INTER_LINEAR)
    for _ in range(2 if how == "two messengers" else 1):
        side = float(random.uniform(0.55, 1.0))
        jpeg = _again(jpeg, side if side < 0.95 else 1.0, int(random.integers(60, 86)))
    return jpeg


WAYS = {"straight": "tuning", "resaved": "tuning", "messenger": "tuning", "two messengers": "held out",
        "screenshot": "held out"}  # fmt: skip


def _again(jpeg: bytes, side: float, quality: int, interpolation: int = cv2.INTER_AREA) -> bytes:
    pixels = cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_COLOR)
    if side < 1:
        pixels = cv2.resize(pixels, None, fx=side, fy=side, interpolation=interpolation)
    return bytes(cv2.imencode(".jpg", pixels, [cv2.IMWRITE_JPEG_QUALITY, quality])[1])
