"""The portrait of a specimen: a photograph cropped to head and shoulders, or a drawn face, as documents print it."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from samebody.types import Image, Pixels

PRINT_DOTS_PER_INCH = 300
"""Resolution at which document personalisation prints portraits."""

ASPECT = 35 / 45
"""Width over height of a portrait (Doc 9303 part 3, section 3.9: 35 mm by 45 mm, nominal)."""


def head_and_shoulders(image: Image) -> Pixels:
    """The part of ``image`` a document shows, with aspect 35:45.

    The largest face is found with the project's detector, and set so that the head fills about three quarters of the
    height: the eyes are then about 0.2 of it apart (63 mm on a head of 230 mm). Without a detected face, or without the
    detector's weights, the middle of the picture is taken.
    """
    eyes = _eyes(image)
    if eyes is None:
        height = min(image.height, image.width / ASPECT)
        return _crop(image.pixels, image.width / 2, image.height / 2, height)
    middle_x, middle_y, distance = eyes
    height = distance / 0.207
    return _crop(image.pixels, middle_x, middle_y + 0.07 * height, height)


def _eyes(image: Image) -> tuple[float, float, float] | None:
    """Middle between the eyes and their distance in pixels, from the face detector; None when it finds no face."""
    from samebody.errors import ResourceError
    from samebody.face import FaceAnalyser

    try:
        detections = FaceAnalyser().detect(image)
    except ResourceError:
        return None
    if not detections:
        return None
    (left_x, left_y), (right_x, right_y) = detections[0].landmarks[0], detections[0].landmarks[1]
    distance = float(np.hypot(right_x - left_x, right_y - left_y))
    return (left_x + right_x) / 2, (left_y + right_y) / 2, max(distance, 0.25 * detections[0].box.width)


def _crop(pixels: Pixels, x: float, y: float, height: float) -> Pixels:
    """A crop of aspect 35:45 centred at ``(x, y)``; what lies outside repeats the border."""
    rows = round(min(900.0, max(height, 300.0)))
    columns = round(rows * ASPECT)
    scale = height / rows
    # corner convention: output pixel centre u + 0.5 looks at left + (u + 0.5) * scale
    left, top = x - height * ASPECT / 2, y - height / 2
    matrix = np.array([[scale, 0, left + 0.5 * scale - 0.5], [0, scale, top + 0.5 * scale - 0.5]])
    source = pixels
    if scale > 1:
        source = cv2.GaussianBlur(pixels, (0, 0), 0.42 * scale)
    flags = cv2.INTER_CUBIC | cv2.WARP_INVERSE_MAP
    out = cv2.warpAffine(source, matrix, (columns, rows), flags=flags, borderMode=cv2.BORDER_REPLICATE)
    return np.asarray(out, np.uint8)


# ----------------------------------------------------------------------------------------------------- a drawn face

_SKINS = ((241, 205, 180), (228, 184, 150), (205, 155, 120), (170, 118, 84), (126, 84, 60), (92, 62, 46))
_HAIRS = ((40, 30, 26), (74, 50, 34), (120, 84, 50), (190, 150, 92), (150, 148, 146), (110, 52, 30), (20, 18, 20))
_CLOTHES = ((40, 50, 80), (90, 30, 40), (60, 60, 64), (30, 70, 60), (200, 200, 205), (110, 90, 70))


def drawn_face(random: np.random.Generator, height: int = 420) -> Pixels:
    """An illustrated face, so that specimens need no photograph of anyone; (height, 35/45 height, 3) uint8 RGB."""
    columns, rows = round(height * ASPECT), height
    skin = np.array(_SKINS[random.integers(len(_SKINS))], np.float32) + random.uniform(-8, 8, 3).astype(np.float32)
    hair = np.array(_HAIRS[random.integers(len(_HAIRS))], np.float32)
    clothes = np.array(_CLOTHES[random.integers(len(_CLOTHES))], np.float32)
    y, x = np.mgrid[0:rows, 0:columns].astype(np.float32) / rows
    x -= 0.5 * ASPECT
    light = random.uniform(-0.12, 0.12)
    picture = np.full((rows, columns, 3), random.uniform(205, 235), np.float32)
    picture *= (1 + 0.05 * light * x + 0.03 * (0.5 - y))[..., None]
    wide, long, jaw = random.uniform(0.205, 0.235), random.uniform(0.295, 0.325), random.uniform(0.92, 0.985)
    middle = 0.46 + random.uniform(-0.01, 0.01)

    def soft(distance: NDArray[Any], edge: float = 0.006) -> NDArray[np.float32]:
        """Coverage 0-1 of a shape whose signed distance (in units of the height) is negative inside."""
        return np.asarray(np.clip(0.5 - distance / edge, 0, 1)[..., None], np.float32)

    def ellipse(cx: float, cy: float, a: float, b: float) -> NDArray[np.float32]:
        radius = np.sqrt(((x - cx) / a) ** 2 + ((y - cy) / b) ** 2)
        return np.asarray((radius - 1) * min(a, b), np.float32)

    def paint(cover: NDArray[np.float32], colour: NDArray[np.float32] | float) -> None:
        nonlocal picture
        picture = picture * (1 - cover) + cover * colour

    style = int(random.integers(4))
    if style >= 2:  # long hair behind the shoulders
        back = np.minimum(
            ellipse(0, middle - 0.02, wide * 1.45, long * 1.22), ellipse(0, middle + 0.2, wide * 1.4, 0.30)
        )
        paint(soft(back, 0.012), hair * 0.85)
    paint(soft(ellipse(0, 1.13, 0.40 + random.uniform(0, 0.05), 0.30), 0.01), clothes)
    neck = np.maximum(np.abs(x) - wide * 0.5 - 0.10 * np.clip(y - 0.8, 0, 1), np.abs(y - 0.76) - 0.13)
    paint(soft(neck.astype(np.float32), 0.012), skin * 0.86)
    paint(soft(ellipse(0, 0.885, wide * 0.56, 0.05), 0.01), skin * 0.86)
    for side in (-1, 1):
        paint(soft(ellipse(side * wide * 1.02, middle + 0.02, 0.022, 0.05), 0.01), skin * 0.9)
    taper = 1 - (1 - jaw) * np.clip((y - middle) / long, 0, 1) ** 2 * 2.6
    radius = np.sqrt((x / (wide * taper)) ** 2 + ((y - middle) / long) ** 2)
    face = ((radius - 1) * wide).astype(np.float32)
    shading = 1.04 - 0.20 * np.clip(radius, 0, 1) ** 3 + light * x / wide * 0.5
    paint(soft(face), skin * shading[..., None])
    for side in (-1, 1):  # cheeks
        cheek = np.exp(-(((x - side * wide * 0.52) / 0.06) ** 2 + ((y - middle - 0.07) / 0.05) ** 2))[..., None]
        picture = picture * (1 - 0.10 * cheek) + 0.10 * cheek * np.array([225, 110, 100], np.float32)
    cap = np.maximum(
        ellipse(0, middle - 0.015, wide * 1.09, long * 1.09),
        -ellipse(0.02 * light, middle + 0.09, wide * 1.0, long * 1.04),
    )
    cap = np.maximum(cap, (y - middle - 0.02).astype(np.float32))
    strands = 1 + 0.13 * np.sin(260 * x + 40 * y + 3 * np.sin(23 * y)) * np.sin(61 * x - 17 * y)
    if style != 1 or random.random() < 0.7:
        paint(soft(cap, 0.014), hair * strands[..., None])
    eye_y, eye_x, eye_a = middle - 0.015, wide * 0.46, wide * 0.215
    iris = np.array(((70, 48, 34), (90, 110, 80), (80, 110, 150), (48, 36, 30))[random.integers(4)], np.float32)
    for side in (-1, 1):
        socket = np.exp(-(((x - side * eye_x) / 0.055) ** 2 + ((y - eye_y) / 0.032) ** 2))[..., None]
        picture *= 1 - 0.20 * socket
        white = ellipse(side * eye_x, eye_y, eye_a, eye_a * 0.46)
        paint(soft(white - 0.004, 0.006), skin * 0.45)
        paint(soft(white, 0.004), 236.0)
        inside = np.maximum(white, ellipse(side * eye_x, eye_y, eye_a * 0.44, eye_a * 0.44))
        paint(soft(inside, 0.004), iris)
        paint(soft(np.maximum(white, ellipse(side * eye_x, eye_y, eye_a * 0.2, eye_a * 0.2)), 0.004), 12.0)
        paint(soft(ellipse(side * eye_x + 0.005, eye_y - 0.005, 0.004, 0.004), 0.003), 245.0)
        lid = np.maximum(
            ellipse(side * eye_x, eye_y - 0.003, eye_a * 1.06, eye_a * 0.58),
            -ellipse(side * eye_x, eye_y + 0.006, eye_a * 1.1, eye_a * 0.56),
        )
        paint(soft(lid, 0.005) * 0.85, hair * 0.5)
        bend = eye_y - 0.052 + 0.5 * (np.abs(x - side * eye_x) - 0.01) ** 2 / eye_a + 0.06 * side * (x - side * eye_x)
        brow = np.maximum(np.abs(y - bend) - 0.0085, np.abs(x - side * eye_x) - eye_a * 1.15)
        paint(soft(brow.astype(np.float32), 0.008) * 0.85, hair * 0.9)
    nose = middle + 0.105
    ridge = np.exp(-((x / 0.018) ** 2)) * np.clip((y - eye_y) / 0.1, 0, 1) * (y < nose)
    picture *= (1 + 0.07 * ridge)[..., None]
    side_shade = (
        np.exp(-(((x - 0.03 * (1 if light < 0 else -1)) / 0.014) ** 2))
        * (y > eye_y)
        * (y < nose)
        * np.clip((y - eye_y) / 0.12, 0, 1)
    )
    picture *= (1 - 0.12 * side_shade)[..., None]
    for side in (-1, 1):
        paint(soft(ellipse(side * 0.021, nose, 0.011, 0.006), 0.006) * 0.7, skin * 0.42)
        wing = np.exp(-(((x - side * 0.038) / 0.008) ** 2 + ((y - nose + 0.006) / 0.014) ** 2))[..., None]
        picture *= 1 - 0.20 * wing
    picture *= 1 - 0.16 * np.exp(-((x / 0.045) ** 2 + ((y - nose - 0.012) / 0.008) ** 2))[..., None]
    mouth, lips = middle + 0.165, np.clip(skin * np.array([0.86, 0.58, 0.58], np.float32), 0, 255)
    half = wide * random.uniform(0.36, 0.44)
    curve = mouth - random.uniform(0.0, 0.10) * (x**2 - 0.3 * half**2) / half
    upper = np.maximum(np.abs(x) / half * 0.016 - 0.016 + (curve - y), y - curve)
    lower = np.maximum(y - curve - 0.02 * np.sqrt(np.clip(1 - (x / half) ** 2, 0, 1)), curve - y)
    paint(soft(upper.astype(np.float32), 0.006), lips * 0.9)
    paint(soft(np.maximum(lower, np.abs(x) - half).astype(np.float32), 0.006), lips * 1.05)
    line = np.maximum(np.abs(y - curve) - 0.0018, np.abs(x) - half * 1.02)
    paint(soft(line.astype(np.float32), 0.005), lips * 0.45)
    picture *= 1 - 0.10 * np.exp(-((x / 0.05) ** 2 + ((y - mouth - 0.036) / 0.010) ** 2))[..., None]
    if random.random() < 0.2:  # glasses
        for side in (-1, 1):
            rim = np.abs(ellipse(side * eye_x, eye_y + 0.004, eye_a * 1.5, eye_a * 1.15)) - 0.0022
            paint(soft(rim, 0.004), 30.0)
        paint(
            soft(np.maximum(np.abs(y - eye_y) - 0.003, np.abs(x) - (eye_x - eye_a * 1.45)).astype(np.float32), 0.004),
            30.0,
        )
    grain = cv2.GaussianBlur(random.standard_normal((rows, columns)).astype(np.float32), (0, 0), 1.1)
    return np.asarray(np.clip(np.rint(picture + 4 * grain[..., None]), 0, 255), np.uint8)


# --------------------------------------------------------------------------------------------------------- printing


def printed(
    pixels: Pixels, size: tuple[int, int], dots_per_inch: int, random: np.random.Generator
) -> NDArray[np.float32]:
    """``pixels`` as dye or ink at 300 dpi, sampled at ``size`` (width, height); float32 RGB 0-255.

    The print loses resolution, a little saturation and contrast, and shows the fine dispersed dots of the process.
    """
    width, height = size
    dots = (
        max(8, round(width * PRINT_DOTS_PER_INCH / dots_per_inch)),
        max(8, round(height * PRINT_DOTS_PER_INCH / dots_per_inch)),
    )
    shrinking = pixels.shape[1] > dots[0]
    small = cv2.resize(pixels, dots, interpolation=cv2.INTER_AREA if shrinking else cv2.INTER_CUBIC).astype(np.float32)
    grey = small.mean(axis=2, keepdims=True)
    small = grey + 0.88 * (small - grey)
    small = 22 + small * (228 / 255)
    dither = random.standard_normal((dots[1], dots[0], 3)).astype(np.float32)
    dither -= cv2.GaussianBlur(dither, (0, 0), 1.2)  # high frequencies only: dispersed dots
    small = np.clip(small + 5.0 * dither, 0, 255)
    large = cv2.resize(small, size, interpolation=cv2.INTER_LINEAR)
    return np.asarray(large, np.float32)
