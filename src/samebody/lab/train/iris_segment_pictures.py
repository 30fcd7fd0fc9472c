"""Synthetic eyes for the iris segmenter: the generator's eyes under many more appearances, with soft masks.

The generator of :mod:`samebody.synth.iris` draws one kind of eye. A network that has seen only that kind fails on
others, so everything about the picture that a segmentation must not depend on is drawn over wide ranges here (domain
randomisation: Tobin et al., IROS 2017): greys of tissue, sclera and skin, lids down to a slit, lash bands, folds,
brows, lamps, shadows, hairs, focus, noise, compression.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import cv2
import numpy as np
from numpy.typing import NDArray

from samebody.synth.iris import CaptureConditions, EyeIdentity, capture_eye, draw_identity
from samebody.synth.iris.lids import opening

WIDTH, HEIGHT = 320, 240
"""Of the pictures, in pixels; the masks have half of it each way."""
MAPS = ("pupil", "limbus", "opening", "cover")
"""Masks in order: inside the pupil's contour, inside the limbus' contour (both as if nothing hid them), between the
lids, and lash or reflection."""
VERSION = "1"
"""Raised whenever the same seed gives other pixels."""

Grey = NDArray[np.float32]


@dataclass(frozen=True, slots=True, eq=False)
class LabelledEye:
    """One picture with its masks.

    Attributes:
        image: (240, 320) uint8.
        maps: (4, 120, 160) uint8, share of each pixel that is covered times 255, in the order of :data:`MAPS`.
        pupil, limbus: (256, 2) contours in pixels of the picture.
    """

    image: NDArray[np.uint8] = field(repr=False)
    maps: NDArray[np.uint8] = field(repr=False)
    pupil: NDArray[np.float64] = field(repr=False)
    limbus: NDArray[np.float64] = field(repr=False)


class EyePool:
    """Identities drawn once (their textures are costly) and dressed anew for every picture."""

    def __init__(self, seed: int, identities: int) -> None:
        self.seed = seed
        self.identities = [draw_identity(seed, number, ("left", "right")[number % 2]) for number in range(identities)]

    def draw(self, number: int) -> LabelledEye:
        """Picture ``number``: a function of the pool and the number alone."""
        rng = np.random.default_rng(np.random.SeedSequence([self.seed, 11, number]))
        identity = _dressed(self.identities[int(rng.integers(len(self.identities)))], rng)
        conditions = _conditions(rng)
        eye = capture_eye(identity, int(rng.integers(2**20)), conditions)
        truth = eye.truth
        between = opening(truth.upper_lid, truth.lower_lid, WIDTH, HEIGHT)
        cover: Grey = (truth.lashes | truth.specular).astype(np.float32)
        picture = eye.image.astype(np.float32)
        picture = _eyeball(rng, conditions, picture, between)
        picture, cover = _lids(rng, conditions, picture, cover, truth.upper_lid, truth.lower_lid)
        picture, cover = _in_the_way(rng, conditions, picture, cover)
        image = _camera(rng, picture)
        pupil, limbus = soft_polygon(truth.pupil), soft_polygon(truth.limbus)
        if truth.iris.any() and (truth.iris & (between > 0.5)).sum() < 0.08 * truth.iris.sum():
            pupil, limbus = np.zeros_like(pupil), np.zeros_like(limbus)  # a closed eye shows no iris
        maps = np.stack((pupil, limbus, _half(between), _half(cover)))
        return LabelledEye(image, np.round(255 * maps).astype(np.uint8), truth.pupil, truth.limbus)


def soft_polygon(points: NDArray[np.float64]) -> Grey:
    """(120, 160) float32: share of each pixel that lies inside the contour, given in pixels of the picture."""
    canvas = np.zeros((2 * HEIGHT, 2 * WIDTH), dtype=np.uint8)
    cv2.fillPoly(canvas, [np.round((2 * points - 0.5) * 16).astype(np.int32)], 255, lineType=cv2.LINE_8, shift=4)
    small = np.asarray(cv2.resize(canvas, (WIDTH // 2, HEIGHT // 2), interpolation=cv2.INTER_AREA), dtype=np.float32)
    return small / np.float32(255.0)


def _half(mask: Grey) -> Grey:
    return np.asarray(cv2.resize(mask, (WIDTH // 2, HEIGHT // 2), interpolation=cv2.INTER_AREA), dtype=np.float32)


def _dressed(identity: EyeIdentity, rng: np.random.Generator) -> EyeIdentity:
    """The same tissue in another eye."""
    reflectance = float(rng.uniform(55, 165))
    return replace(
        identity,
        reflectance=reflectance,
        contrast=float(rng.uniform(2, 18)),
        aspect=float(rng.uniform(0.94, 1.03)),
        width=float(rng.uniform(1.7, 3.0)),
        upper=float(rng.uniform(0.30, 1.15)),
        lower=float(rng.uniform(0.55, 1.15)),
        tilt=float(rng.normal(0.05, 0.10)),
        skin=float(rng.uniform(90, 260)),
        sclera=reflectance + float(rng.uniform(12, 110)),
        lash_count=int(rng.integers(8, 130)),
        lash_length=float(rng.uniform(0.2, 0.9)),
        lash_droop=float(max(0.0, rng.uniform(-0.5, 1.3))),
        lashes=int(rng.integers(2**31)),
    )


def _conditions(rng: np.random.Generator) -> CaptureConditions:
    radius = float(np.exp(rng.uniform(np.log(26), np.log(96))))
    reach = 0.55 * radius  # an iris may be cut by the edge of the picture, not lost behind it
    return CaptureConditions(
        width=WIDTH,
        height=HEIGHT,
        radius=radius,
        centre=(float(rng.uniform(reach, WIDTH - reach)), float(rng.uniform(reach, HEIGHT - reach))),
        dilation=float(np.clip(rng.normal(0.40, 0.12), 0.16, 0.72)),
        stretch=float(rng.uniform(0, 0.6)),
        roll=float(rng.normal(0, 0.12)),
        torsion=float(rng.normal(0, 0.1)),
        gaze=(float(rng.normal(0, 0.15)), float(rng.normal(0, 0.10))),
        openness=float(np.clip(rng.normal(0.92, 0.2), 0.02, 1.3)),
        blur=0.4,
        noise=0.0,
        light=1.0,
        spots=int(rng.integers(0, 5)),
        lashes=float(rng.uniform(0.1, 1.0)),
    )


def _eyeball(rng: np.random.Generator, c: CaptureConditions, picture: Grey, between: Grey) -> Grey:
    """Shade of the lid above, and corners that fall off into the dark on either side."""
    x = (np.arange(WIDTH, dtype=np.float32) - c.centre[0]) / c.radius
    fall = 1.0 - rng.uniform(0, 0.5) * np.clip(x * rng.choice((-1, 1)) - rng.uniform(0.3, 1.2), 0, 1)
    shade = np.ones_like(picture) * fall.astype(np.float32)
    reach = float(rng.uniform(0.05, 0.5)) * c.radius
    below = cv2.GaussianBlur(between, (0, 0), max(0.5, reach))
    shade *= 1.0 - float(rng.uniform(0, 0.5)) * np.clip(1.4 - 1.4 * below, 0, 1)
    return np.asarray(picture * (between * shade + (1 - between)), dtype=np.float32)


def _lids(
    rng: np.random.Generator,
    c: CaptureConditions,
    picture: Grey,
    cover: Grey,
    upper: NDArray[np.float64],
    lower: NDArray[np.float64],
) -> tuple[Grey, Grey]:
    """Bands of lashes along both lids, folds of the skin above and below, brows, glints on the skin."""
    for lid, chance, most in ((upper, 0.75, 0.16), (lower, 0.4, 0.05)):
        if rng.random() < chance:
            band = _line(lid, float(rng.uniform(0.015, most)) * c.radius)
            band = cv2.GaussianBlur(band, (0, 0), float(rng.uniform(0.4, 1.5)))
            strength = float(rng.uniform(0.4, 1.0))
            picture = picture * (1 - strength * band) + float(rng.uniform(10, 60)) * strength * band
            cover = np.maximum(cover, band * strength)
    if rng.random() < 0.6:  # lashes that hang down over the eye, thick at the root
        layer = np.zeros((HEIGHT, WIDTH), dtype=np.uint8)
        lean = float(rng.normal(0, 0.5))
        for _ in range(int(rng.integers(10, 90))):
            root = upper[int(rng.integers(4, len(upper) - 4))]
            out = 0.9 * (root[0] - c.centre[0]) / c.radius + lean + float(rng.normal(0, 0.35))
            length = float(rng.uniform(0.1, 0.7)) * c.radius
            t = np.linspace(0, 1, 8)
            curve = np.stack((root[0] + 0.5 * out * length * t, root[1] + length * (t - rng.uniform(0, 0.6) * t**2)), 1)
            _strokes(
                layer, curve, max(1, round(float(rng.uniform(0.008, 0.03)) * c.radius)), int(rng.integers(120, 255))
            )
        lashes = layer.astype(np.float32) / 255.0
        picture = picture * (1 - lashes) + float(rng.uniform(15, 70)) * lashes
        cover = np.maximum(cover, lashes)
    for _ in range(int(rng.integers(0, 4))):
        lid, sign = (upper, -1) if rng.random() < 0.7 else (lower, 1)
        away = float(rng.uniform(0.12, 1.1)) * c.radius
        fold = _line(lid + np.array((0.0, sign * away)), float(rng.uniform(0.01, 0.08)) * c.radius)
        fold = cv2.GaussianBlur(fold, (0, 0), float(rng.uniform(0.6, 5.0)))
        picture = picture * (1 - float(rng.uniform(0.1, 0.6)) * fold)
    if rng.random() < 0.4:
        layer = np.zeros((HEIGHT, WIDTH), dtype=np.uint8)
        top = upper[:, 1].min() - float(rng.uniform(0.5, 1.6)) * c.radius
        for _ in range(int(rng.integers(20, 120))):
            start = np.array((rng.uniform(0, WIDTH), top + rng.normal(0, 0.2) * c.radius))
            turn = float(rng.normal(0.0, 0.5)) + (0.0 if rng.random() < 0.5 else np.pi)
            reach = float(rng.uniform(0.2, 0.9)) * c.radius
            curve = start + np.outer(np.linspace(0, 1, 5), (reach * np.cos(turn), reach * np.sin(turn)))
            curve = curve[curve[:, 1] < upper[:, 1].min()]
            if len(curve) > 1:
                _strokes(layer, curve, 1, int(rng.integers(80, 230)))
        brows = layer.astype(np.float32) / 255.0
        picture = picture * (1 - brows) + float(rng.uniform(20, 80)) * brows
    if rng.random() < 0.4:
        layer = np.zeros((HEIGHT, WIDTH), dtype=np.uint8)
        for _ in range(int(rng.integers(3, 60))):
            lid = (upper, lower)[int(rng.integers(2))]
            at = lid[int(rng.integers(len(lid)))] + rng.normal(0, 0.25, 2) * c.radius
            cv2.circle(
                layer, tuple(np.round(at * 16).astype(int).tolist()), int(rng.uniform(8, 40)), 255, -1, cv2.LINE_AA, 4
            )
        glints = layer.astype(np.float32) / 255.0
        picture = np.maximum(picture, float(rng.uniform(180, 255)) * glints)
        cover = np.maximum(cover, glints)
    return np.asarray(picture, dtype=np.float32), np.asarray(cover, dtype=np.float32)


def _in_the_way(rng: np.random.Generator, c: CaptureConditions, picture: Grey, cover: Grey) -> tuple[Grey, Grey]:
    """Lamps of other shapes, haze of a glass, single hairs."""
    if rng.random() < 0.35:
        layer = np.zeros((HEIGHT, WIDTH), dtype=np.uint8)
        for _ in range(int(rng.integers(1, 4))):
            at = np.array(c.centre) + rng.normal(0, 0.5, 2) * c.radius
            size = rng.uniform(0.04, 0.22, 2) * c.radius
            box = cv2.boxPoints((tuple(at.tolist()), tuple((2 * size).tolist()), float(rng.uniform(0, 180))))
            if rng.random() < 0.5:
                cv2.fillPoly(layer, [np.round(box * 16).astype(np.int32)], 255, cv2.LINE_AA, 4)
            else:
                axes = tuple(np.round(size * 16).astype(int).tolist())
                cv2.ellipse(
                    layer, tuple(np.round(at * 16).astype(int).tolist()), axes, 0, 0, 360, 255, -1, cv2.LINE_AA, 4
                )
        lamps = layer.astype(np.float32) / 255.0
        picture = np.maximum(picture, float(rng.uniform(150, 255)) * lamps)
        cover = np.maximum(cover, lamps)
    if rng.random() < 0.15:
        haze = cv2.resize(rng.random((5, 6)).astype(np.float32), (WIDTH, HEIGHT), interpolation=cv2.INTER_CUBIC)
        picture = picture + float(rng.uniform(10, 60)) * haze
    if rng.random() < 0.15:
        layer = np.zeros((HEIGHT, WIDTH), dtype=np.uint8)
        for _ in range(int(rng.integers(1, 5))):
            ends = rng.uniform((0, 0), (WIDTH, HEIGHT), (3, 2))
            t = np.linspace(0, 1, 24)[:, None]
            _strokes(layer, (1 - t) ** 2 * ends[0] + 2 * t * (1 - t) * ends[1] + t**2 * ends[2], 1, 220)
        hairs = layer.astype(np.float32) / 255.0
        picture = picture * (1 - hairs) + float(rng.uniform(20, 90)) * hairs
        cover = np.maximum(cover, hairs)
    return np.asarray(picture, dtype=np.float32), np.asarray(cover, dtype=np.float32)


def _camera(rng: np.random.Generator, picture: Grey) -> NDArray[np.uint8]:
    """Uneven light, tone, focus, motion, resampling, noise, compression."""
    across = np.linspace(-1, 1, WIDTH, dtype=np.float32)[None, :]
    down = np.linspace(-1, 1, HEIGHT, dtype=np.float32)[:, None]
    lit = picture * float(np.exp(rng.normal(0.05, 0.25)))
    lit = lit * (1 + float(rng.normal(0, 0.18)) * across + float(rng.normal(0, 0.15)) * down)
    lit = lit + float(max(0.0, rng.normal(0, 14)))
    lit = 255.0 * (np.clip(lit, 0, 255) / 255.0) ** float(np.exp(rng.normal(0, 0.25)))
    if rng.random() < 0.25:
        length, turn = float(rng.uniform(1, 6)), float(rng.uniform(0, 180))
        kernel = np.zeros((9, 9), dtype=np.float32)
        kernel[4, 4 - int(length / 2) : 5 + int(length / 2)] = 1
        kernel = cv2.warpAffine(kernel, cv2.getRotationMatrix2D((4, 4), turn, 1.0), (9, 9))
        lit = cv2.filter2D(lit, -1, kernel / max(float(kernel.sum()), 1e-6))
    sigma = float(rng.uniform(0.3, 1.1) if rng.random() < 0.75 else rng.uniform(1.0, 3.0))
    lit = cv2.GaussianBlur(lit, (0, 0), sigma)
    if rng.random() < 0.2:
        factor = float(rng.uniform(0.35, 0.9))
        small = cv2.resize(lit, None, fx=factor, fy=factor, interpolation=cv2.INTER_AREA)
        lit = cv2.resize(small, (WIDTH, HEIGHT), interpolation=cv2.INTER_LINEAR)
    noise = float(rng.uniform(0.3, 7.0)) * np.sqrt(0.3 + np.clip(lit, 0, 255) / 255.0)
    lit = lit + noise * rng.standard_normal(lit.shape, dtype=np.float32)
    image = np.clip(np.round(lit), 0, 255).astype(np.uint8)
    if rng.random() < 0.3:
        _, data = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, int(rng.integers(40, 96))])
        image = cv2.imdecode(data, cv2.IMREAD_GRAYSCALE)
    return np.asarray(image, dtype=np.uint8)


def _line(points: NDArray[np.float64], thickness: float) -> Grey:
    canvas = np.zeros((HEIGHT, WIDTH), dtype=np.uint8)
    _strokes(canvas, points, max(1, round(thickness)), 255)
    return canvas.astype(np.float32) / 255.0


def _strokes(canvas: NDArray[np.uint8], points: NDArray[np.float64], thickness: int, value: int) -> None:
    cv2.polylines(canvas, [np.round(points * 16).astype(np.int32)], False, value, thickness, cv2.LINE_AA, 4)
