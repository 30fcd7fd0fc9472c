"""What the encoder saw, as pictures: contours on the eye, the unwrapped texture under its mask, the code."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from samebody.iris.results import IrisEncoding, Texture
from samebody.iris.template import IrisTemplate
from samebody.types import Pixels

PUPIL, LIMBUS, LID, HIDDEN = (60, 220, 60), (255, 200, 0), (255, 90, 90), (220, 40, 40)
"""RGB colours of the contours and of what was masked."""


def draw_contours(image: NDArray[np.uint8], encoding: IrisEncoding) -> Pixels:
    """The picture, RGB, with pupil (green), limbus (yellow), lids (red lines) and what hides the iris (red tint).

    Args:
        image: (height, width) or (height, width, 3) uint8, the picture that was encoded.
        encoding: of it; without a segmentation the picture is returned as it is.
    """
    canvas = np.ascontiguousarray(np.repeat(image[:, :, None], 3, axis=2) if image.ndim == 2 else image)
    found = encoding.segmentation
    if found is None:
        return canvas.copy()
    canvas = canvas.copy()
    ring = np.zeros(canvas.shape[:2], dtype=np.uint8)
    cv2.fillPoly(ring, [_points(found.limbus.points)], 1)
    cv2.fillPoly(ring, [_points(found.pupil.points)], 0)
    hidden = (ring > 0) & found.occlusion
    canvas[hidden] = (0.55 * canvas[hidden] + 0.45 * np.array(HIDDEN)).astype(np.uint8)
    width = max(1, round(max(canvas.shape[:2]) / 400))
    cv2.polylines(canvas, [_points(found.limbus.points)], True, LIMBUS, width, cv2.LINE_AA)
    cv2.polylines(canvas, [_points(found.pupil.points)], True, PUPIL, width, cv2.LINE_AA)
    for lid in (found.eyelids.upper, found.eyelids.lower):
        if lid is not None:
            cv2.polylines(canvas, [_points(lid)], False, LID, width, cv2.LINE_AA)
    return canvas


def _points(points: NDArray[np.float64]) -> NDArray[np.int32]:
    return np.round(points - 0.5).astype(np.int32)


def draw_texture(texture: Texture, width: int = 800) -> Pixels:
    """The unwrapped iris, pupil above, limbus below, contrast stretched; hidden parts tinted red. RGB."""
    values, usable = texture.values.astype(np.float64), texture.usable
    shown = values[usable] if usable.any() else values.ravel()
    low, high = np.quantile(shown, [0.01, 0.99])
    grey = np.clip(255 * (values - low) / max(high - low, 1e-6), 0, 255).astype(np.uint8)
    canvas = np.repeat(grey[:, :, None], 3, axis=2)
    canvas[~usable] = (0.55 * canvas[~usable] + 0.45 * np.array(HIDDEN)).astype(np.uint8)
    factor = width / canvas.shape[1]
    size = (width, max(1, round(canvas.shape[0] * factor)))
    return np.asarray(cv2.resize(canvas, size, interpolation=cv2.INTER_LINEAR), dtype=np.uint8)


def draw_code(template: IrisTemplate, width: int = 800) -> Pixels:
    """The code, RGB: four bands (wavelet 1 and 2, real and imaginary part), 1 white, 0 black, masked bits red."""
    code, mask = template.to_bits()
    bands = []
    for wavelet in range(code.shape[2]):
        for part in range(code.shape[3]):
            bits = code[:, :, wavelet, part]
            band = np.repeat(np.where(bits, 235, 25).astype(np.uint8)[:, :, None], 3, axis=2)
            hidden = ~mask[:, :, wavelet, part]
            band[hidden] = np.where(bits[hidden][:, None], (200, 90, 90), (110, 20, 20)).astype(np.uint8)
            bands += [band, np.full((1, band.shape[1], 3), 128, dtype=np.uint8)]
    canvas = np.concatenate(bands[:-1])
    factor = max(1, round(width / canvas.shape[1]))
    size = (canvas.shape[1] * factor, canvas.shape[0] * factor)
    return np.asarray(cv2.resize(canvas, size, interpolation=cv2.INTER_NEAREST), dtype=np.uint8)


def draw_sheet(image: NDArray[np.uint8], encoding: IrisEncoding, width: int = 800) -> Pixels:
    """Picture with contours, texture and code below each other on one sheet of ``width`` pixels, RGB."""
    eye = draw_contours(image, encoding)
    height = max(1, round(eye.shape[0] * width / eye.shape[1]))
    parts = [np.asarray(cv2.resize(eye, (width, height), interpolation=cv2.INTER_AREA), dtype=np.uint8)]
    if encoding.texture is not None:
        parts.append(draw_texture(encoding.texture, width))
    if encoding.template is not None:
        parts.append(draw_code(encoding.template, width))
    spacer = np.full((6, width, 3), 255, dtype=np.uint8)
    rows: list[Pixels] = []
    for part in parts:
        fitted = part
        if part.shape[1] != width:
            size = (width, max(1, round(part.shape[0] * width / part.shape[1])))
            fitted = np.asarray(cv2.resize(part, size, interpolation=cv2.INTER_NEAREST), dtype=np.uint8)
        rows += [fitted, spacer]
    return np.concatenate(rows[:-1])


def png(pixels: Pixels) -> bytes:
    """RGB pixels as a PNG file."""
    done, data = cv2.imencode(".png", np.ascontiguousarray(pixels[:, :, ::-1]))
    if not done:
        raise ValueError("the picture cannot be written as PNG")
    return bytes(data)
