"""Seeded pictures of short pieces of MRZ lines, degraded as photographs degrade them: the food of the cell network."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from samebody.document.mrz_strip import ALPHABET, STRIP_HEIGHT, STRIP_PITCH, STRIP_STEP, normalise_strip

CAP = 30
"""Cap height of the ideal glyphs before anything is degraded, pixels."""

WIDTH = 256
CHARACTERS = ALPHABET


@dataclass(frozen=True)
class Cut:
    """One font at several stroke weights: ink 0-1 per glyph in a box centred on its cell, and the pitch in pixels."""

    glyphs: NDArray[np.float32]
    pitch: float
    share: float


def load_cut(path: Path, share: float) -> Cut:
    """Rasterise the 37 glyphs of a font at six stroke weights: (weights, 37, 2 CAP, 2 CAP) float32."""
    size = 200
    for _ in range(3):
        font = ImageFont.truetype(str(path), size)
        probe = Image.new("L", (size * 2, size * 2), 0)
        ImageDraw.Draw(probe).text((size // 2, size * 3 // 2), "H", font=font, fill=255, anchor="ls")
        rows = np.nonzero(np.asarray(probe).max(axis=1) > 127)[0]
        size = round(size * 4 * CAP / (rows[-1] - rows[0] + 1))
    pitch = font.getlength("H") / 4
    side = 8 * CAP
    sheets = []
    for character in CHARACTERS:
        sheet = Image.new("L", (side, side), 0)
        origin = (side / 2 - font.getlength(character) / 2, side / 2 + 2 * CAP)
        ImageDraw.Draw(sheet).text(origin, character, font=font, fill=255, anchor="ls")
        sheets.append(np.asarray(sheet))
    weights = []
    for grow in (-2.0, -1.0, 0.0, 1.0, 2.0, 3.0):
        row = []
        for sheet in sheets:
            inside = cv2.distanceTransform((sheet > 127).astype(np.uint8), cv2.DIST_L2, 5)
            outside = cv2.distanceTransform((sheet <= 127).astype(np.uint8), cv2.DIST_L2, 5)
            ink = np.clip(inside - outside + grow + 0.5, 0, 1)
            row.append(cv2.resize(ink.astype(np.float32), (2 * CAP, 2 * CAP), interpolation=cv2.INTER_AREA))
        weights.append(row)
    return Cut(np.array(weights, np.float32), pitch, share)


def random_text(rng: np.random.Generator, length: int) -> str:
    """Characters without meaning: uniform, digits, names with fillers, or runs of fillers."""
    kind = rng.random()
    if kind < 0.5:
        pool = ALPHABET
    elif kind < 0.65:
        pool = "0123456789"
    elif kind < 0.75:
        pool = "0O8B5S2Z1IL6GQDCUVYWMNHKX<7T"
    else:
        pool = "ABCDEFGHIJKLMNOPQRSTUVWXYZ<<<<"
    text = "".join(pool[i] for i in rng.integers(0, len(pool), length))
    if rng.random() < 0.25:
        start, run = int(rng.integers(0, length)), int(rng.integers(2, length + 1))
        text = (text[:start] + "<" * run + text[start + run :])[:length]
    return text


def compose(cut: Cut, texts: Sequence[str], rng: np.random.Generator) -> tuple[NDArray[np.float32], float, float]:
    """Ink coverage of three lines (the middle one counts), pitch and x of the middle line's first centre."""
    count = len(texts[1])
    pitch = cut.pitch * rng.uniform(0.93, 1.07)
    pitch = max(pitch, 0.86 * CAP)
    margin = 2.2 * CAP
    width = int(2 * margin + pitch * count)
    spacing = CAP * rng.uniform(1.45, 2.6)
    canvas = np.zeros((int(5 * CAP), width), np.float32)
    weight = int(rng.integers(0, cut.glyphs.shape[0]))
    # Other foundries draw OCR-B a little wider, narrower, lower or more upright: the network must not mind.
    shape = np.array([[rng.uniform(0.88, 1.12), rng.normal(0, 0.03)], [0.0, rng.uniform(0.94, 1.06)]])
    shape = np.column_stack([shape, CAP - shape @ np.array([CAP, CAP])])
    drawn: dict[str, NDArray[np.float32]] = {}
    for line, text in enumerate(texts):
        baseline = canvas.shape[0] / 2 + (line - 1) * spacing
        for i, character in enumerate(text):
            if character == " ":
                continue
            if character not in drawn:
                drawn[character] = cv2.warpAffine(
                    cut.glyphs[weight, ALPHABET.index(character)], shape, (2 * CAP, 2 * CAP), flags=cv2.INTER_LINEAR
                )
            glyph = drawn[character]
            x = margin + (i + 0.5) * pitch + rng.normal(0, 0.5) - CAP
            y = baseline + rng.normal(0, 0.4) - CAP
            x0, y0 = round(x), round(y)
            top, bottom = max(0, y0), min(canvas.shape[0], y0 + 2 * CAP)
            left, right = max(0, x0), min(width, x0 + 2 * CAP)
            if top >= bottom or left >= right:
                continue
            target = canvas[top:bottom, left:right]
            np.maximum(target, glyph[top - y0 : bottom - y0, left - x0 : right - x0], out=target)
    return canvas, pitch, margin + 0.5 * pitch


def _paper(shape: tuple[int, int], rng: np.random.Generator) -> NDArray[np.float32]:
    """A printed background: tint, low-frequency texture, sometimes guilloche lines or stray text edges."""
    height, width = shape
    paper = np.full(shape, rng.uniform(150, 250), np.float32)
    coarse = rng.normal(0, rng.uniform(0, 8), (4, max(4, width // 40))).astype(np.float32)
    paper += cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC)
    if rng.random() < 0.6:
        rows, columns = np.mgrid[0:height, 0:width].astype(np.float32)
        for _ in range(int(rng.integers(1, 4))):
            angle, period = rng.uniform(0, np.pi), rng.uniform(6, 70)
            bend = rng.uniform(0, 14) * np.sin(columns / rng.uniform(15, 90) + rng.uniform(0, 6))
            phase = (np.cos(angle) * columns + np.sin(angle) * (rows + bend)) * (2 * np.pi / period)
            wave = np.cos(phase)
            if rng.random() < 0.5:
                wave = np.where(wave > rng.uniform(0.3, 0.9), 1.0, 0.0)
            paper -= rng.uniform(2, 30) * wave.astype(np.float32)
    if rng.random() < 0.15:
        edge = int(rng.integers(0, width))
        paper[:, edge:] += rng.uniform(-90, 40)
    return paper


def _blur(picture: NDArray[np.float32], rng: np.random.Generator) -> NDArray[np.float32]:
    sigma = rng.uniform(0.2, 1.7)
    if rng.random() < 0.25:
        length = max(3, int(np.ceil(sigma * 3.46)) | 1)
        kernel = np.zeros((length + 4, length + 4), np.float32)
        angle = rng.uniform(0, np.pi)
        middle = (length + 3) / 2
        dx, dy = np.cos(angle) * sigma * 1.73, np.sin(angle) * sigma * 1.73
        for t in np.linspace(-1, 1, 41):
            x, y = middle + t * dx, middle + t * dy
            i, j = int(np.floor(y)), int(np.floor(x))
            fy, fx = y - i, x - j
            for oi, wi in ((0, 1 - fy), (1, fy)):
                for oj, wj in ((0, 1 - fx), (1, fx)):
                    if 0 <= i + oi < kernel.shape[0] and 0 <= j + oj < kernel.shape[1]:
                        kernel[i + oi, j + oj] += wi * wj
        return cv2.filter2D(picture, -1, kernel / kernel.sum())
    return cv2.GaussianBlur(picture, (0, 0), sigma)


def sample(
    cuts: Sequence[Cut], rng: np.random.Generator, strips: int = 4
) -> list[tuple[NDArray[np.float32], NDArray[np.int64]]]:
    """Strips cut from one photograph of a line.

    Each is a normalised strip, (32, 256) float32, with the label of each output column, (64,) int64: 0 a gap,
    ``i + 1`` for ``ALPHABET[i]``, -1 between the two, where no answer is asked for.
    """
    cut = cuts[int(rng.choice(len(cuts), p=[c.share for c in cuts]))]
    count = int(rng.integers(9, 17))
    text = random_text(rng, count)
    above = random_text(rng, count) if rng.random() < 0.6 else " " * count
    below = random_text(rng, count) if rng.random() < 0.6 else " " * count
    ink, pitch, first = compose(cut, (above, text, below), rng)
    height, width = ink.shape
    paper = _paper(ink.shape, rng)
    dark = rng.uniform(0, 90)
    contrast = rng.uniform(0.5, 1.0)
    picture = paper * (1 - ink * contrast) + dark * ink * contrast
    # To the photograph: small rotation, shear and scale; the reader takes most of it out again, not all of it.
    cap = float(np.exp(rng.uniform(np.log(9.5), np.log(34))))
    scale = cap / CAP
    angle = rng.uniform(-np.pi, np.pi) if rng.random() < 0.25 else rng.uniform(-0.35, 0.35)
    squeeze = rng.uniform(0.82, 1.0)
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    forward = turn @ np.array([[scale * rng.uniform(0.9, 1.0), scale * rng.uniform(-0.12, 0.12)], [0, scale * squeeze]])
    corners = np.array([[0, 0], [width, 0], [width, height], [0, height]]) @ forward.T
    shift = -corners.min(axis=0) + rng.uniform(0, 8, 2)
    size = np.ceil(corners.max(axis=0) + shift + rng.uniform(0, 8)).astype(int)
    if scale < 0.9:
        picture = cv2.GaussianBlur(picture, (0, 0), 0.42 / scale)
    matrix = np.column_stack([forward, shift])
    border = float(np.median(paper))
    photo = cv2.warpAffine(picture, matrix, tuple(int(s) for s in size), flags=cv2.INTER_LINEAR, borderValue=border)
    photo = _blur(photo, rng)
    rows, columns = np.mgrid[0 : photo.shape[0], 0 : photo.shape[1]].astype(np.float32)
    direction = rng.uniform(0, 2 * np.pi)
    ramp = np.cos(direction) * columns + np.sin(direction) * rows
    ramp = (ramp - ramp.min()) / max(float(np.ptp(ramp)), 1.0)
    light = 1 - rng.uniform(0, 0.6) * (1 / (1 + np.exp(-(ramp - rng.uniform(0, 1)) * rng.uniform(1, 40))))
    photo = photo * light
    if rng.random() < 0.2:
        x, y = rng.uniform(0, photo.shape[1]), rng.uniform(0, photo.shape[0])
        spread = rng.uniform(0.5, 4) * cap
        spot = np.exp(-((columns - x) ** 2 + (rows - y) ** 2) / (2 * spread**2))
        photo = photo + (255 - photo) * spot * rng.uniform(0.1, 0.75)
    noise = rng.normal(0, 1, photo.shape).astype(np.float32)
    if rng.random() < 0.4:
        noise = cv2.GaussianBlur(noise, (0, 0), rng.uniform(0.4, 0.9)) * 1.6
    photo = photo + noise * rng.uniform(0.5, 13)
    if rng.random() < 0.35:
        photo = photo + rng.uniform(0.2, 1.2) * (photo - cv2.GaussianBlur(photo, (0, 0), rng.uniform(0.6, 1.6)))
    if rng.random() < 0.1:
        photo = 255 * (np.clip(photo, 0, 255) / 255) ** rng.uniform(0.6, 1.6)
    grey = np.clip(photo, 0, 255).astype(np.uint8)
    if rng.random() < 0.1:
        grey = cv2.medianBlur(grey, 3)
    _, data = cv2.imencode(".jpg", grey, [cv2.IMWRITE_JPEG_QUALITY, int(rng.integers(40, 96))])
    grey = cv2.imdecode(data, cv2.IMREAD_GRAYSCALE)
    # Back to the strip, with what is left of the reader's errors.
    whole = np.eye(3)
    whole[:2] = matrix
    if cap > 24:
        grey = cv2.GaussianBlur(grey, (0, 0), 0.42 * cap / 20)
    middle = np.array([first + pitch * (count - 1) / 2, height / 2])
    return [_cut_strip(grey, np.linalg.inv(whole), middle, pitch, text, rng) for _ in range(strips)]


def _cut_strip(
    grey: NDArray[np.uint8],
    to_line: NDArray[np.float64],
    middle: NDArray[np.float64],
    pitch: float,
    text: str,
    rng: np.random.Generator,
) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    factor = STRIP_PITCH / pitch
    horizontal, vertical = factor * rng.uniform(0.92, 1.08), factor * rng.uniform(0.86, 1.12)
    tilt = rng.normal(0, 0.014)
    residual = np.array([[horizontal, rng.normal(0, 0.10) * factor], [horizontal * tilt, vertical]])
    left = rng.uniform(-60, 60) if rng.random() < 0.7 else rng.uniform(-140, 140)
    goal = np.array([WIDTH / 2 + left, STRIP_HEIGHT / 2 + rng.normal(0, 1.4)])
    back = np.eye(3)
    back[:2, :2] = residual
    back[:2, 2] = goal - residual @ middle
    matrix = (back @ to_line)[:2]
    strip = cv2.warpAffine(grey, matrix, (WIDTH, STRIP_HEIGHT), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    labels = np.zeros(WIDTH // STRIP_STEP, np.int64)
    positions = (np.arange(len(labels)) + 0.5) * STRIP_STEP
    for i, character in enumerate(text):
        x = residual[0, 0] * pitch * (i - (len(text) - 1) / 2) + goal[0]
        offset = np.abs(positions - x)
        cell = pitch * horizontal
        labels[offset < 0.34 * cell] = -1
        labels[offset < 0.24 * cell] = ALPHABET.index(character) + 1
    return normalise_strip(strip), labels
