"""Small drawn pages for tests of the portrait finder and of the forgery checks: fast, seeded, no weights."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from samebody.document.forgery import ForgeryEvidence
from samebody.document.portrait import portrait_candidates
from samebody.document.types import MrzFormat, MrzReading, Page
from samebody.document.visual_fields import VisualField, VisualLine
from samebody.types import Box, Image, Pixels, SourceInfo

SCALE = 8.0
WIDTH, HEIGHT = 1000, 704
PORTRAIT = Box(48, 110, 260, 340)
GHOST = Box(820, 260, 130, 170)
MRZ_TOP = 560
TEXTS = {
    "surname": "ERIKSSON",
    "given_names": "ANNA MARIA",
    "document_number": "L898902C3",
    "birth_date": "12 08 1974",
    "expiry_date": "15 04 2032",
}
LINES = ("P<UTOERIKSSON<<ANNA<MARIA<<<<<<<<<<<<<<<<<<<", "L898902C36UTO7408122F3204159ZE184226B<<<<<10")


def face(seed: int, width: int, height: int) -> Pixels:
    """A head on a plain ground: different shape, hair and light for every seed."""
    random = np.random.default_rng(seed)
    picture = np.full((height, width, 3), random.integers(185, 225), np.uint8)
    skin = tuple(int(v) for v in random.integers((120, 80, 60), (225, 190, 170)))
    hair = tuple(int(v) for v in random.integers(15, 110, 3))
    x, y = width * random.uniform(0.42, 0.58), height * random.uniform(0.40, 0.48)
    rx, ry = width * random.uniform(0.22, 0.31), height * random.uniform(0.24, 0.31)
    coat = tuple(int(v) for v in random.integers(20, 150, 3))
    cv2.ellipse(picture, (int(x), int(height * 1.08)), (int(width * 0.5), int(height * 0.32)), 0, 0, 360, coat, -1)
    cv2.ellipse(picture, (int(x), int(y - 0.15 * ry)), (int(rx * 1.15), int(ry * 1.1)), 0, 0, 360, hair, -1)
    cv2.ellipse(picture, (int(x), int(y + 0.1 * ry)), (int(rx), int(ry)), 0, 0, 360, skin, -1)
    for side in (-1, 1):
        eye = (int(x + side * rx * random.uniform(0.36, 0.5)), int(y + random.uniform(-0.2, 0.05) * ry))
        cv2.circle(picture, eye, max(2, int(0.1 * rx)), (20, 20, 20), -1)
    mouth = (int(x), int(y + 0.6 * ry))
    cv2.ellipse(picture, mouth, (int(0.4 * rx), int(0.09 * ry)), 0, 0, 360, (120, 40, 50), -1)
    shade = np.linspace(random.uniform(0.6, 1), random.uniform(0.6, 1), width, dtype=np.float32)[None, :, None]
    return np.clip(picture * shade, 0, 255).astype(np.uint8)


def draw_page(
    seed: int = 1, *, portrait: int = 1, ghost: int | None = 1, texts: dict[str, str] | None = None
) -> Pixels:
    """A flat page at 8 pixels a millimetre: guilloche, portrait, ghost, five values and two MRZ lines."""
    random = np.random.default_rng(seed)
    y, x = np.mgrid[0:HEIGHT, 0:WIDTH].astype(np.float32)
    wave = np.cos(2 * np.pi * (y + 9 * np.sin(x / 60 + seed) + 5 * np.sin(x / 23)) / 8.5)
    page = np.array([232, 226, 238], np.float32) - 14 * np.clip(wave, 0, 1)[..., None] * np.array([1, 0.6, 0.8])
    page = page + random.normal(0, 0.5, (1, 1, 3))
    p, g = PORTRAIT, GHOST
    picture = face(portrait, int(p.width), int(p.height)).astype(np.float32)
    page[int(p.y) : int(p.y + p.height), int(p.x) : int(p.x + p.width)] = picture
    if ghost is not None:
        small = cv2.resize(
            face(ghost, int(p.width), int(p.height)), (int(g.width), int(g.height)), interpolation=cv2.INTER_AREA
        )
        grey = small.mean(axis=2, keepdims=True)
        area = page[int(g.y) : int(g.y + g.height), int(g.x) : int(g.x + g.width)]
        area *= 1 - 0.45 * (1 - grey / 255)
    page = np.clip(page, 0, 255).astype(np.uint8)
    for number, text in enumerate((texts or TEXTS).values()):
        cv2.putText(page, text, (360, 150 + 72 * number), cv2.FONT_HERSHEY_SIMPLEX, 0.95, (30, 28, 34), 2, cv2.LINE_AA)
    for number, line in enumerate(LINES):
        for column, character in enumerate(line):
            at = (50 + round(20.3 * column), MRZ_TOP + 40 + 51 * number)
            cv2.putText(page, character, at, cv2.FONT_HERSHEY_SIMPLEX, 0.82, (25, 25, 28), 2, cv2.LINE_AA)
    return page


def photograph(
    page: Pixels, seed: int = 1, *, blur: float = 0.7, noise: float = 3.0, quality: int | None = 92
) -> Pixels:
    """The page as a camera sees it from straight above: blur, noise, and one JPEG compression (None: none)."""
    random = np.random.default_rng([seed, 9])
    seen = cv2.GaussianBlur(page, (0, 0), blur).astype(np.float32)
    seen += random.normal(0, noise, seen.shape)
    return compress(np.clip(np.rint(seen), 0, 255).astype(np.uint8), quality)


def compress(pixels: Pixels, quality: int | None) -> Pixels:
    """``pixels`` through one JPEG compression."""
    if quality is None:
        return pixels
    _, encoded = cv2.imencode(".jpg", pixels[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, quality])
    return np.ascontiguousarray(cv2.imdecode(encoded, cv2.IMREAD_COLOR)[..., ::-1])


def evidence(
    pixels: Pixels, *, jpeg_quality: int | None = None, scale: float = SCALE, with_candidates: bool = True
) -> ForgeryEvidence:
    """Evidence of a photograph that shows the page edge to edge."""
    height, width = pixels.shape[:2]
    quad = ((0.0, 0.0), (float(width), 0.0), (float(width), float(height)), (0.0, float(height)))
    page = Page(pixels, quad, np.eye(3), scale, 1.0, True, "both", MrzFormat.TD3)
    lines, fields = [], []
    for number, (name, text) in enumerate(TEXTS.items()):
        box = Box(360, 150 + 72 * number - 22, 18.5 * len(text), 24)
        lines.append(VisualLine(text, 0.99, (0.99,) * len(text), (0.0,) * len(text), box))
        fields.append(VisualField(name, text, text, 0.99, box, "both"))
    polygons = tuple(Box(45, MRZ_TOP + 16 + 51 * n, 900, 28).corners() for n in range(2))
    zone = Box(45, MRZ_TOP + 16, 900, 79)
    mrz = MrzReading(MrzFormat.TD3, LINES, {}, (), zone.corners(), polygons, ())
    candidates = portrait_candidates(pixels, zone) if with_candidates else ()
    source = SourceInfo("jpeg" if jpeg_quality else "array", jpeg_quality=jpeg_quality)
    return ForgeryEvidence(Image(pixels, source), page, mrz=mrz, lines=lines, fields=fields, candidates=candidates)


def raster(shape: tuple[int, int], cycles_per_pixel: float, angle: float) -> NDArray[np.float32]:
    """A fine regular pattern, -1 to 1."""
    y, x = np.mgrid[0 : shape[0], 0 : shape[1]].astype(np.float32)
    u, v = x * np.cos(angle) + y * np.sin(angle), -x * np.sin(angle) + y * np.cos(angle)
    two_pi = np.float32(2 * np.pi * cycles_per_pixel)
    return (0.5 * (np.cos(two_pi * u) + np.cos(two_pi * v))).astype(np.float32)
