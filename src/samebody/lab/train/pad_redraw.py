"""Recaptures drawn while training looks: plain, cheap and never twice the same, beside the ones that were made before.

The made pairs obey optics and are few; these obey little and are endless. Tone, gamut, light in the blacks, raster,
bands, mirrored light and a file's own compression are drawn over a bona fide view, each now and then. Such drawn signs
of recapture were what carried over to unseen attacks for He et al., Joint physical-digital facial attack detection via
simulating spoofing clues (CVPR workshops 2024). Mean colour and sharpness are brought back, as twins have them.
"""

from __future__ import annotations

import math

import cv2
import numpy as np
from numpy.typing import NDArray

from samebody.types import Pixels

Light = NDArray[np.float32]
Plane = NDArray[np.float32]

HOSTS = ("screen_replay", "print")
"""Species whose pairs lend their bona fide twin: what is drawn is one of these."""

_GREY = np.array([0.299, 0.587, 0.114], np.float32)


def redrawn(part: Pixels, random: np.random.Generator) -> Pixels:
    """(h, w, 3) uint8 RGB: the view as if it had been shown or printed and taken again.

    Args:
        part: a bona fide view, at least 16 pixels a side.
        random: all draws.
    """
    shown: Light = _file(part, random).astype(np.float32) / np.float32(255)
    shown = _colours(shown, random)
    shape = (part.shape[0], part.shape[1])
    if random.random() < 0.55:
        shown *= _bands(shape[0], random)[:, None, None] if random.random() < 0.35 else np.float32(1)
        shown *= _waves(shape, random) if random.random() < 0.6 else np.float32(1)
    else:
        shown *= _grain(shape, random) if random.random() < 0.7 else np.float32(1)
        shown *= _dots(shown, random) if random.random() < 0.45 else np.float32(1)
    shown *= _uneven(shape, random)[..., None]
    if random.random() < 0.5:
        shown = _mirrored(shown, random)
    return _brought_back(shown, part)


def _file(part: Pixels, random: np.random.Generator) -> Pixels:
    """Smaller and compressed before it was shown."""
    shrink, quality, used = math.exp(random.uniform(-1.0, 0)), int(random.integers(25, 95)), random.random() < 0.65
    if not used:
        return part
    height, width = part.shape[:2]
    small = cv2.resize(
        part, (max(16, round(width * shrink)), max(16, round(height * shrink))), interpolation=cv2.INTER_AREA
    )
    done, data = cv2.imencode(".jpg", small, [cv2.IMWRITE_JPEG_QUALITY, quality])
    if done:
        small = np.asarray(cv2.imdecode(data, cv2.IMREAD_COLOR), np.uint8)
    return np.asarray(cv2.resize(small, (width, height), interpolation=cv2.INTER_LINEAR), np.uint8)


def _colours(shown: Light, random: np.random.Generator) -> Light:
    """Gamut, hue, tone, cut highlights, light in the blacks."""
    kept = 1 - random.uniform(-0.2, 0.5)
    matrix = kept * np.eye(3) + (1 - kept) * np.tile(_GREY, (3, 1)) + random.normal(0, 0.025, (3, 3))
    shown = np.asarray(cv2.transform(shown, matrix.astype(np.float32)), np.float32)
    over = 1 + (random.uniform(0, 0.5) if random.random() < 0.3 else 0.0)
    shown = np.power(np.clip(shown * np.float32(over), 0, 1), np.float32(math.exp(random.normal(0, 0.22))))
    floor = math.exp(random.uniform(math.log(0.01), math.log(0.25)))
    return np.asarray(floor + (1 - floor) * shown, np.float32)


def _depth(random: np.random.Generator) -> float:
    return math.exp(random.uniform(math.log(0.006), math.log(0.09)))


def _waves(shape: tuple[int, int], random: np.random.Generator) -> Light:
    """What a grid leaves: one to three bent waves of any frequency, of brightness or of colour."""
    y, x = np.mgrid[0 : shape[0], 0 : shape[1]].astype(np.float32)
    out = np.ones((*shape, 3), np.float32)
    for _ in range(int(random.integers(1, 4))):
        frequency = 2 * math.pi * math.exp(random.uniform(math.log(0.015), math.log(0.5)))
        turn, bent = random.uniform(0, math.pi), random.normal(0, 0.25, 3) * frequency / max(shape)
        phase = frequency * (math.cos(turn) * x + math.sin(turn) * y)
        phase += np.float32(bent[0]) * x * x + np.float32(bent[1]) * y * y + np.float32(bent[2]) * x * y
        spread = random.choice([0.0, 0.5, 2.1])
        depth = np.float32(_depth(random))
        for channel in range(3):
            out[..., channel] += depth * np.cos(phase + np.float32(spread * channel))
    return out


def _bands(rows: int, random: np.random.Generator) -> Plane:
    """A rolling shutter before a flickering light."""
    periods, phase, sharp = math.exp(random.uniform(-0.5, 2.6)), random.uniform(0, 6.28), random.uniform(0.3, 4)
    wave = np.cos(np.arange(rows, dtype=np.float32) / rows * np.float32(2 * math.pi * periods) + np.float32(phase))
    return np.asarray(1 + np.float32(1.5 * _depth(random)) * np.tanh(np.float32(sharp) * wave), np.float32)


def _grain(shape: tuple[int, int], random: np.random.Generator) -> Light:
    """Paper or droplets: noise of one size, of brightness or of colour."""
    colour = 3 if random.random() < 0.4 else 1
    field = random.standard_normal((*shape, colour), dtype=np.float32)
    sigma = random.uniform(0.0, 1.8)
    if sigma > 0.3:
        field = np.asarray(cv2.GaussianBlur(field, (0, 0), sigma), np.float32).reshape(*shape, colour)
    return np.asarray(1 + np.float32(_depth(random) / max(float(field.std()), 1e-3)) * field, np.float32)


def _dots(shown: Light, random: np.random.Generator) -> Light:
    """Clustered dots that grow with the ink: strongest in the middle tones."""
    y, x = np.mgrid[0 : shown.shape[0], 0 : shown.shape[1]].astype(np.float32)
    pitch, turn = math.exp(random.uniform(math.log(1.6), math.log(7))), random.uniform(0, math.pi)
    out = np.ones_like(shown)
    depth = np.float32(2 * _depth(random))
    for channel in range(3):
        angle = turn + (channel * math.pi / 6 if random.random() < 0.7 else 0.0)
        u = (math.cos(angle) * x + math.sin(angle) * y) * np.float32(2 * math.pi / pitch)
        v = (-math.sin(angle) * x + math.cos(angle) * y) * np.float32(2 * math.pi / pitch)
        middle = 4 * shown[..., channel] * (1 - shown[..., channel])
        out[..., channel] += depth * np.maximum(middle, 0) * np.cos(u) * np.cos(v)
    return out


def _uneven(shape: tuple[int, int], random: np.random.Generator) -> Plane:
    """Light that falls off to one side, or in patches."""
    coarse = 1 + random.uniform(0, 0.16) * random.standard_normal((3, 3))
    field = cv2.resize(coarse.astype(np.float32), shape[::-1], interpolation=cv2.INTER_CUBIC)
    return np.asarray(np.maximum(field, 0.3), np.float32)


def _mirrored(shown: Light, random: np.random.Generator) -> Light:
    """A veil, a lamp or an edge of light that a surface throws back."""
    height, width = shown.shape[:2]
    y, x = np.mgrid[0:height, 0:width].astype(np.float32)
    turn = random.uniform(0, math.pi)
    dx, dy = x - np.float32(random.uniform(0, 1) * width), y - np.float32(random.uniform(0, 1) * height)
    u, v = dx * math.cos(turn) + dy * math.sin(turn), dy * math.cos(turn) - dx * math.sin(turn)
    if random.random() < 0.5:
        reach = random.uniform(0.05, 0.5, 2) * max(height, width)
        light = np.exp(-0.5 * ((u / reach[0]) ** 2 + (v / reach[1]) ** 2))
    else:
        soft = random.uniform(0.01, 0.15) * max(height, width)
        light = 1 / (1 + np.exp(np.clip(-u / soft, -30, 30)))
    tint = 1 + random.normal(0, 0.1, 3)
    added = random.uniform(0.02, 0.3) * light[..., None] * tint.astype(np.float32)
    return np.asarray(shown + added * (1.1 - np.minimum(shown, 1)), np.float32)


def _detail(picture: Light) -> float:
    grey = cv2.transform(picture, _GREY[None, :])
    return float(cv2.Laplacian(grey, cv2.CV_32F).std()) + 1e-4


def _brought_back(shown: Light, part: Pixels) -> Pixels:
    """The mean of each channel and the spread of the Laplacian as they were, as far as mild means reach."""
    own: Light = part.astype(np.float32) / np.float32(255)
    wanted = own.mean(axis=(0, 1))
    shown = shown * np.clip(wanted / np.maximum(shown.mean(axis=(0, 1)), 1e-3), 0.4, 2.5)
    detail = _detail(own)
    for sigma in (0.4, 0.5, 0.6, 0.8):
        if _detail(shown) <= 1.08 * detail:
            break
        shown = cv2.GaussianBlur(shown, (0, 0), sigma)
    for _ in range(3):
        ratio = _detail(shown) / detail
        if ratio > 0.97:
            break
        soft = cv2.GaussianBlur(shown, (0, 0), 1.0)
        shown = shown + np.float32(min(1.4 * (1 / ratio - 1), 1.6)) * (shown - soft)
    shown = shown + (wanted - np.clip(shown, 0, 1).mean(axis=(0, 1)))
    return np.asarray(np.clip(shown * 255 + 0.5, 0, 255), np.uint8)
