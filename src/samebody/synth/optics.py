"""What light, lens, sensor and file do to a photograph: shadow, glare, blur, noise, white balance, JPEG.

All functions work on float32 RGB in 0-255 as displayed (sRGB) unless they say otherwise, and change it in place where
that saves a copy; none draws more from the generator than its arguments need, so that a seed gives the same photograph.
"""

from __future__ import annotations

import math

import cv2
import numpy as np
from numpy.typing import NDArray

from samebody.types import Pixels

Picture = NDArray[np.float32]

LENS_SIGMA = 0.3
"""Blur of the sharpest lens, pixels of the photograph; it acts before the sensor samples and prevents aliasing."""

MID_GREY = 118.0
"""sRGB value of 18 % reflectance, where the noise level is stated."""


def soft_shadow(
    shape: tuple[int, int], strength: float, edge: tuple[float, float, float, float]
) -> NDArray[np.float32]:
    """Light 0-1 of a straight-edged shadow: 1 - ``strength`` on the dark side.

    ``edge`` is (x, y, direction in radians, width of the penumbra), positions and width as shares of the picture's
    longer side.
    """
    height, width = shape
    longer = max(shape)
    y, x = np.mgrid[0 : height // 8 + 1, 0 : width // 8 + 1].astype(np.float32) * (8 / longer)
    across = (x - edge[0]) * math.cos(edge[2]) + (y - edge[1]) * math.sin(edge[2])
    shade = 1 - strength / (1 + np.exp(-np.clip(across / max(edge[3], 1e-3) * 4, -40, 40)))
    return _enlarge(shade.astype(np.float32), shape)


def spot(
    shape: tuple[int, int], centre: tuple[float, float], axes: tuple[float, float], angle: float
) -> NDArray[np.float32]:
    """A specular spot, 1 at its centre, falling as a Gaussian with standard deviations ``axes`` (pixels)."""
    height, width = shape
    y, x = np.mgrid[0 : height // 8 + 1, 0 : width // 8 + 1].astype(np.float32) * 8
    dx, dy = x - centre[0], y - centre[1]
    u = (dx * math.cos(angle) + dy * math.sin(angle)) / axes[0]
    v = (-dx * math.sin(angle) + dy * math.cos(angle)) / axes[1]
    return _enlarge(np.exp(-0.5 * (u * u + v * v)).astype(np.float32), shape)


def vignette(shape: tuple[int, int], strength: float) -> NDArray[np.float32]:
    """Light fall-off towards the corners: 1 in the middle, 1 - ``strength`` in the corners."""
    height, width = shape
    y, x = np.mgrid[0 : height // 8 + 1, 0 : width // 8 + 1].astype(np.float32) * 8
    radius = ((x - width / 2) ** 2 + (y - height / 2) ** 2) / (width**2 / 4 + height**2 / 4)
    return _enlarge((1 - strength * radius).astype(np.float32), shape)


def _enlarge(coarse: NDArray[np.float32], shape: tuple[int, int]) -> NDArray[np.float32]:
    """A map sampled every 8 pixels at the photograph's size; smooth maps lose nothing by it."""
    height, width = shape
    matrix = np.array([[8.0, 0, 0], [0, 8.0, 0]])
    return np.asarray(
        cv2.warpAffine(coarse, matrix, (width, height), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    )


def apply_light(picture: Picture, light: NDArray[np.float32]) -> None:
    """Scale scene light; on displayed values that is a power of 1/2.2 of the factor."""
    picture *= np.power(np.maximum(light, 1e-4), 1 / 2.2)[..., None]


def apply_glare(picture: Picture, mask: NDArray[np.float32], strength: float) -> None:
    """Add white where ``mask`` says, ``strength`` the share of white at its centre."""
    cover = (mask * strength)[..., None]
    picture += (255 - picture) * cover


def blur(picture: Picture, sigma: float, motion_direction: float | None) -> Picture:
    """Defocus with ``sigma`` pixels, or motion of the same spread along ``motion_direction`` (radians).

    A line of length L has the variance L^2 / 12, and its linear sampling adds 1/6; where that alone would be more than
    is asked for, it is defocus.
    """
    left = sigma**2 - 1 / 6
    if motion_direction is None or left <= 0:
        out = cv2.GaussianBlur(picture, (0, 0), max(sigma, 0.05), borderType=cv2.BORDER_REFLECT)
        return np.asarray(out, np.float32)
    kernel = motion_kernel(math.sqrt(12 * left), motion_direction)
    return np.asarray(cv2.filter2D(picture, -1, kernel, borderType=cv2.BORDER_REFLECT), np.float32)


def motion_kernel(length: float, direction: float) -> NDArray[np.float32]:
    """A line of ``length`` pixels spread linearly over the pixels it passes, normalised to sum 1; odd side."""
    half = math.ceil(length / 2) + 1
    along = (np.arange(512) + 0.5) / 512 * length - length / 2
    x, y = along * math.cos(direction) + half, along * math.sin(direction) + half
    kernel = np.zeros((2 * half + 1, 2 * half + 1))
    for right in (0, 1):
        for down in (0, 1):
            columns, rows = np.floor(x).astype(int) + right, np.floor(y).astype(int) + down
            np.add.at(kernel, (rows, columns), (1 - np.abs(x - columns)) * (1 - np.abs(y - rows)))
    return np.asarray(kernel / kernel.sum(), np.float32)


def through_colour_filter(picture: Picture) -> Picture:
    """One colour a pixel on a Bayer mosaic, the other two interpolated: colour fringes and colour moire."""
    height, width = picture.shape[:2]
    mosaic = np.ascontiguousarray(picture[..., 1])
    mosaic[0::2, 0::2] = picture[0::2, 0::2, 2]
    mosaic[1::2, 1::2] = picture[1::2, 1::2, 0]
    raw = np.rint(np.clip(mosaic, 0, 255) * 256).astype(np.uint16)
    full = cv2.cvtColor(raw, cv2.COLOR_BayerRG2RGB).astype(np.float32) / 256  # cv2 names the mosaic by its second row
    full[[0, -1]] = picture[[0, -1]]
    full[:, [0, -1]] = picture[:, [0, -1]]
    return np.asarray(full.reshape(height, width, 3), np.float32)


def add_noise(picture: Picture, sigma: float, colour_share: float, random: np.random.Generator) -> None:
    """Sensor noise: standard deviation ``sigma`` at mid grey, shot and read part in equal shares there.

    ``colour_share`` is the share of the noise's energy that differs between channels; interpolation of the colour
    filter smooths that part over neighbouring pixels.
    """
    height, width = picture.shape[:2]
    common = random.standard_normal((height, width), dtype=np.float32)
    half = (height // 2 + 1, width // 2 + 1, 3)
    colour = cv2.resize(random.standard_normal(half, dtype=np.float32), (width, height), interpolation=cv2.INTER_LINEAR)
    colour *= 1.5  # bilinear doubling leaves 0.66 of the deviation
    level = cv2.cvtColor(np.clip(picture, 0, 255), cv2.COLOR_RGB2GRAY)
    spread = sigma * np.sqrt(0.5 + 0.5 * level / MID_GREY)
    common *= spread * math.sqrt(1 - colour_share)
    colour *= (spread * math.sqrt(colour_share))[..., None]
    colour += common[..., None]
    picture += colour


def quantise(picture: Picture) -> Pixels:
    """Round to 8 bits."""
    return np.asarray(np.clip(np.rint(picture), 0, 255), np.uint8)


def encode_jpeg(pixels: Pixels, quality: int) -> bytes:
    """Baseline JPEG, IJG quality, 4:2:0."""
    done, data = cv2.imencode(".jpg", cv2.cvtColor(pixels, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, quality])
    if not done:  # cannot happen with memory at hand: cv2 reports failure by a flag, not by an exception
        raise MemoryError("the JPEG encoder gave up")
    return bytes(data)


def decode_jpeg(data: bytes) -> Pixels:
    """The pixels of a JPEG this module wrote."""
    decoded = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
    return np.asarray(cv2.cvtColor(np.asarray(decoded, np.uint8), cv2.COLOR_BGR2RGB), np.uint8)
