"""Similarity transforms, rotated pictures and crops: the plane geometry that detection, alignment and mesh share."""

from __future__ import annotations

import math

import cv2
import numpy as np
from numpy.typing import NDArray

from samebody.types import Pixels

Matrix = NDArray[np.float64]
"""A (2, 3) affine map of column points ``(x, y, 1)``."""


def similarity(source: NDArray[np.float64], target: NDArray[np.float64]) -> Matrix:
    """Least-squares rotation, uniform scale and shift that takes ``source`` to ``target``, never a mirror image.

    Closed form of Umeyama, "Least-squares estimation of transformation parameters between two point patterns",
    IEEE TPAMI 13(4), 1991, equations 40-42.

    Args:
        source, target: (n, 2) float64 points, n >= 2.

    Returns:
        (2, 3) float64 matrix.

    Raises:
        ValueError: when the source points all coincide.
    """
    source_mean, target_mean = source.mean(axis=0), target.mean(axis=0)
    source_centred, target_centred = source - source_mean, target - target_mean
    variance = float((source_centred**2).sum() / len(source))
    if variance <= 0.0:
        raise ValueError("a similarity needs at least two different source points")
    u, singular, vt = np.linalg.svd(target_centred.T @ source_centred / len(source))
    signs = np.array([1.0, 1.0 if np.linalg.det(u) * np.linalg.det(vt) > 0 else -1.0])
    rotation = u @ np.diag(signs) @ vt
    scale = float(singular @ signs) / variance
    linear = scale * rotation
    return np.hstack([linear, (target_mean - linear @ source_mean)[:, None]])


def apply(matrix: Matrix, points: NDArray[np.floating]) -> NDArray[np.float64]:
    """``points`` (..., 2) through ``matrix``; float64."""
    mapped: NDArray[np.float64] = points @ matrix[:, :2].T + matrix[:, 2]
    return mapped


def invert(matrix: Matrix) -> Matrix:
    """The inverse of an affine map; raises ``numpy.linalg.LinAlgError`` when it has none."""
    linear = np.linalg.inv(matrix[:, :2])
    return np.hstack([linear, -linear @ matrix[:, 2:]])


def corner_to_index(matrix: Matrix) -> Matrix:
    """The same map for OpenCV, whose pixel *centres* have whole coordinates, where ours have their corners there."""
    shift = matrix[:, 2] + matrix[:, :2] @ np.array([0.5, 0.5]) - 0.5
    return np.hstack([matrix[:, :2], shift[:, None]])


def scale_of(matrix: Matrix) -> float:
    """Uniform scale of a similarity."""
    return math.sqrt(abs(float(np.linalg.det(matrix[:, :2]))))


def warp(pixels: Pixels, matrix: Matrix, size: tuple[int, int], *, border: int = cv2.BORDER_CONSTANT) -> Pixels:
    """``pixels`` drawn through ``matrix`` (OpenCV's pixel-centre convention) onto a ``(width, height)`` picture.

    A map that shrinks by more than two first averages whole blocks of pixels, because bilinear sampling alone would
    skip most of a large photograph and turn its noise and texture into false detail.
    """
    reduction = int(1.0 / max(scale_of(matrix), 1e-6) + 1e-6)
    if reduction >= 2:
        corners = np.array([[0, 0], [size[0], 0], [size[0], size[1]], [0, size[1]]], dtype=np.float64)
        wanted = apply(invert(matrix), corners)
        height, width = pixels.shape[:2]
        x0, y0 = np.clip(np.floor(wanted.min(axis=0)).astype(int) - reduction, 0, (width, height))
        x1, y1 = np.clip(np.ceil(wanted.max(axis=0)).astype(int) + reduction, 0, (width, height))
        across, down = -(-(x1 - x0) // reduction), -(-(y1 - y0) // reduction)
        if across >= 1 and down >= 1:
            region = pixels[y0:y1, x0:x1]
            # a last block that the picture does not fill is filled with its edge, or it would be lost
            missing = (down * reduction - region.shape[0], across * reduction - region.shape[1])
            if any(missing):
                region = cv2.copyMakeBorder(region, 0, missing[0], 0, missing[1], cv2.BORDER_REPLICATE)
            pixels = np.asarray(cv2.resize(region, (across, down), interpolation=cv2.INTER_AREA), dtype=np.uint8)
            offset = (reduction - 1) / 2
            grow = np.array([[reduction, 0, x0 + offset], [0, reduction, y0 + offset], [0, 0, 1]], dtype=np.float64)
            matrix = matrix @ grow
    warped = cv2.warpAffine(pixels, matrix, size, flags=cv2.INTER_LINEAR, borderMode=border)
    return np.asarray(warped, dtype=np.uint8)


def halved(pixels: Pixels, scale: float) -> tuple[Pixels, tuple[int, int]]:
    """``pixels`` averaged two by two as often as a shrink to ``scale`` leaves room for, and what they cover.

    Halving twice costs a third of one long averaging step. An odd last row or column is left out, so the second value
    is the (width, height) in pixels of the original that the result stands for.
    """
    factor = 1
    while scale * factor <= 0.5 and min(pixels.shape[:2]) >= 4:
        height, width = (side // 2 for side in pixels.shape[:2])
        even = pixels[: 2 * height, : 2 * width]
        pixels = np.asarray(cv2.resize(even, (width, height), interpolation=cv2.INTER_AREA), dtype=np.uint8)
        factor *= 2
    return pixels, (factor * pixels.shape[1], factor * pixels.shape[0])


def turned(width: int, height: int, degrees: float) -> tuple[Matrix, tuple[int, int]]:
    """The map that turns a picture counter-clockwise about its middle, and the size that holds all of it.

    Args:
        width, height: of the picture, pixels.
        degrees: counter-clockwise as seen in the picture.

    Returns:
        (2, 3) matrix between corner-origin coordinates, and ``(width, height)`` of the turned picture.
    """
    angle = math.radians(degrees)
    cosine, sine = math.cos(angle), math.sin(angle)
    if degrees % 90 == 0:  # exact: no rounding error may grow the canvas by a pixel
        cosine, sine = float(round(cosine)), float(round(sine))
    new_width = math.ceil(abs(width * cosine) + abs(height * sine) - 1e-9)
    new_height = math.ceil(abs(width * sine) + abs(height * cosine) - 1e-9)
    linear = np.array([[cosine, sine], [-sine, cosine]])
    shift = np.array([new_width, new_height]) / 2 - linear @ (np.array([width, height]) / 2)
    return np.hstack([linear, shift[:, None]]), (new_width, new_height)
