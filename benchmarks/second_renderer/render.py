"""Render one photograph of a specimen document, bona fide or forged, with the truth about it."""

from __future__ import annotations

import hashlib
import zlib
from dataclasses import asdict
from functools import cache
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from benchmarks.second_renderer import forge, mrz, surfaces
from benchmarks.second_renderer.artwork import Canvas, draw_face
from benchmarks.second_renderer.camera import Camera, Linear, Optics, decode, encode, to_linear
from benchmarks.second_renderer.forge import FORGERIES
from benchmarks.second_renderer.holder import Holder, draw_holder
from benchmarks.second_renderer.layout import CAP_HEIGHT, SIZES, STROKE, Rectangle, Sheet, page
from benchmarks.second_renderer.ranges import Capture, draw_capture
from samebody.synth.truth import Photograph, SpecimenTruth
from samebody.types import Image, Point, SourceInfo

FORMATS = tuple(SIZES)
DIFFICULTIES = ("moderate", "hard")

_CORNER = {"TD1": 3.18, "TD2": 3.0, "TD3": 2.0, "MRV-A": 0.0, "MRV-B": 0.0}  # corner radius, millimetres
_LEAF = {"MRV-A": (125.0, 88.0), "MRV-B": (125.0, 88.0), "TD3": (125.0, 88.0)}


@cache
def version() -> str:
    """Digest of this package's own files: pictures cached under another version are not reused."""
    digest = hashlib.sha256()
    for path in sorted(Path(__file__).parent.rglob("*")):
        if path.suffix in (".py", ".ttf"):
            digest.update(path.name.encode() + path.read_bytes())
    return digest.hexdigest()[:12]


def render(
    format: str,
    *,
    seed: int,
    difficulty: str = "moderate",
    portrait: Image | None = None,
    swapped: Image | None = None,
    forgery: str | None = None,
) -> Photograph:
    """Render a photograph.

    Args:
        format: one of :data:`FORMATS`.
        seed: decides everything; a forgery has the holder, page and camera of the bona fide picture of that seed
            (but a bona fide TD1 without a photograph may show the back of the card, a forgery never does).
        difficulty: ``moderate`` or ``hard``; a table of ``ranges.toml``.
        portrait: the holder's photograph, None for a drawn face.
        swapped: the photograph that a ``portrait_swap`` puts in its place, None for another drawn face.
        forgery: one of :data:`FORGERIES`, None for a bona fide document.

    Raises:
        ValueError: on an unknown format, difficulty or forgery.
    """
    if format not in FORMATS or difficulty not in DIFFICULTIES or (forgery is not None and forgery not in FORGERIES):
        raise ValueError(f"unknown format, difficulty or forgery: {format}, {difficulty}, {forgery}")
    root = np.random.SeedSequence([seed, zlib.crc32(format.encode()), DIFFICULTIES.index(difficulty)])
    content, capture_seed, optics_seed, page_seed, frame, ground, light, noise, forging = root.spawn(9)
    capture = draw_capture(difficulty, np.random.default_rng(capture_seed))
    forger = np.random.default_rng(forging)
    random = np.random.default_rng(content)
    holder = draw_holder(format, random)
    back = format == "TD1" and portrait is None and forgery is None and random.random() < 0.4
    lines = mrz.compose(format, holder.entry())
    resolution = float(np.clip(1.6 * capture.character_height_px / CAP_HEIGHT, 9, 20))
    if forgery in forge.COPIES:
        resolution = 22.0
    face = None if portrait is None else portrait.pixels

    def printed(visual: Holder, zone: tuple[str, ...], face: NDArray[np.uint8] | None, ghost: Canvas | None) -> Sheet:
        return page(
            format, visual, zone,
            seed=_again(page_seed), pixels_per_mm=resolution, portrait=face, ghost=ghost, with_portrait=not back,
        )  # fmt: skip

    sheet = printed(holder, lines, face, None)
    bends = format in _LEAF
    optics = Optics.draw(np.random.default_rng(optics_seed), bends=bends and forgery not in forge.COPIES)
    weight = float(sheet.parameters["print_weight_mm"])  # type: ignore[arg-type]
    cap_height = CAP_HEIGHT - STROKE + weight
    camera = Camera(capture, optics, sheet.size, sheet.mrz, cap_height, np.random.default_rng(frame))
    scene = _Scene(format, camera, sheet.mrz, ground, light, forgery)

    visual, zone_lines, extra = holder, lines, {}
    pixels = to_linear(sheet.pixels)
    if forgery == "reprint":
        copy, extra = forge.reprint(sheet.pixels, resolution, forger)
        pixels = to_linear(copy)
    elif forgery == "screen_recapture":
        pixels, extra = forge.screen_recapture(sheet.pixels, resolution, camera.scale, forger)
    taken = camera.develop(scene.expose(pixels, resolution), np.random.default_rng(noise))
    jpeg = encode(taken, capture.jpeg_quality, optics.subsampling)
    if forgery in forge.EDITS:
        alteration = forge.alter(str(forgery), format, holder, forger)
        visual, zone_lines = alteration.visual, alteration.lines
        if forgery == "portrait_swap":
            other = swapped.pixels if swapped is not None else _another_face(sheet, resolution, forger)
            after = printed(holder, lines, other, sheet.face)
        else:
            after = printed(visual, zone_lines, face, None)
        mask = forge.edited_mask(sheet.pixels, after.pixels, resolution)
        pasted = forge.nudge(after.pixels, resolution, forger)
        cover = scene.warp(mask[..., None], resolution)[..., 0:1]
        noise_scale = float(forger.uniform(0.0, 0.5))
        fresh = camera.develop(scene.expose(to_linear(pasted), resolution), forger, noise_scale=noise_scale)
        first = encode(taken, int(forger.integers(75, 96)), optics.subsampling)
        mixed = decode(first) * (1 - cover) + fresh * cover
        jpeg = encode(np.clip(mixed + 0.5, 0, 255).astype(np.uint8), capture.jpeg_quality, optics.subsampling)
        extra = {"edit_noise_scale": noise_scale}
        sheet = after
    final = decode(jpeg)
    parameters = {**asdict(capture), **{f"optics_{name}": value for name, value in asdict(optics).items()}}
    parameters |= {
        **sheet.parameters,
        **extra,
        "surface": scene.kind,
        "renderer": "second",
        "version": version(),
        "seed": seed,
    }
    parameters["background_share"] = camera.background_share
    truth = SpecimenTruth(
        format=format,
        mrz_lines=zone_lines,
        fields=visual.fields(),
        page=_corners(camera, (0.0, 0.0, *sheet.size)),
        mrz=_corners(camera, sheet.mrz, sheet.slope),
        portrait=_corners(camera, sheet.portrait) if sheet.portrait else None,
        ghost=_corners(camera, sheet.ghost) if sheet.ghost else None,
        forgery=forgery,
        parameters=parameters,
    )
    source = SourceInfo(
        format="jpeg",
        byte_count=len(jpeg),
        width=final.shape[1],
        height=final.shape[0],
        jpeg_quality=capture.jpeg_quality,
    )
    return Photograph(Image(final, source), jpeg, truth)


def _again(seed: np.random.SeedSequence) -> np.random.SeedSequence:
    """A fresh copy: spawning from a seed sequence changes it."""
    return np.random.SeedSequence(seed.entropy, spawn_key=seed.spawn_key)


def _corners(camera: Camera, box: Rectangle, slope: float = 0.0) -> tuple[Point, Point, Point, Point]:
    x, y, width, height = box
    corners = np.array([[x, y], [x + width, y], [x + width, y + height], [x, y + height]])
    corners[:, 1] += slope * (corners[:, 0] - camera.size[0] / 2)
    first, second, third, fourth = ((float(u), float(v)) for u, v in camera.project(corners))
    return (first, second, third, fourth)


def _another_face(sheet: Sheet, resolution: float, random: np.random.Generator) -> NDArray[np.uint8]:
    width, height = (round(value * resolution) for value in (sheet.portrait or (0, 0, 20, 26))[2:])
    return (draw_face(width, height, random) * 255).astype(np.uint8)


class _Scene:
    """The table, the booklet and the light of one photograph; the page is laid in by :meth:`expose`."""

    def __init__(
        self,
        format: str,
        camera: Camera,
        zone: Rectangle,
        ground: np.random.SeedSequence,
        light: np.random.SeedSequence,
        forgery: str | None,
    ) -> None:
        self.camera = camera
        random = np.random.default_rng(ground)
        self.kind = surfaces.KINDS[int(random.integers(len(surfaces.KINDS)))]
        self.maps = [
            camera.page_coordinates(zoom) for zoom in (camera.optics.aberration[0], 0.0, camera.optics.aberration[1])
        ]
        table = surfaces.background(self.kind, camera.height, camera.width, camera.scale, random)
        self.table = to_linear(table)
        self.alpha = self._coverage((0.0, 0.0, *camera.size), 0.0 if forgery in forge.COPIES else _CORNER[format])
        x, y = self.maps[1]
        width, height = camera.size
        if forgery == "screen_recapture":  # the viewer shows the page on black, wherever the camera looks
            self.kind = "screen"
            self.table = np.full_like(table, random.uniform(0.004, 0.03))
        if forgery not in forge.COPIES and format in _LEAF and random.random() < 0.7:
            size = _LEAF[format]
            if format == "TD3":  # the opposite page, above the fold
                corner = ((width - size[0]) / 2, -size[1])
            else:  # the page that the visa is stuck on
                corner = (float(random.uniform(-(size[0] - width), 0)), float(random.uniform(-(size[1] - height), 0)))
            low = 6.0
            texture = to_linear(surfaces.booklet(size, low, random))
            alpha = self._coverage((corner[0], corner[1], *size), 2.0)[..., None]
            seen = cv2.remap(
                texture,
                (x - corner[0]) * low - 0.5,
                (y - corner[1]) * low - 0.5,
                cv2.INTER_LINEAR,
                borderMode=cv2.BORDER_REPLICATE,
            )
            self.table = self.table * self._contact((corner[0], corner[1], *size))[..., None]
            self.table = self.table * (1 - alpha) + seen * alpha
        depth = 0.0 if self.kind == "screen" else 0.25 if format.startswith("MRV") else 1.0
        self.table = self.table * (1 - depth * (1 - self._contact((0.0, 0.0, width, height))))[..., None]
        corners = np.asarray(_corners(camera, zone))
        self.factor, self.spot = camera.light(corners, np.random.default_rng(light))
        # The curl of the page shades it a little: light from above the fold.
        slope = np.gradient(camera.surface(x.astype(np.float64), y.astype(np.float64)), axis=0) * camera.scale
        self.factor = self.factor * np.clip(1 - 0.35 * slope, 0.75, 1.2).astype(np.float32)

    def _coverage(self, box: Rectangle, radius: float) -> NDArray[np.float32]:
        """Antialiased share of each pixel that a rounded rectangle of the page's plane covers."""
        return np.clip(-self._distance(box, radius) * self.camera.scale + 0.5, 0, 1).astype(np.float32)

    def _distance(self, box: Rectangle, radius: float) -> NDArray[np.float32]:
        x, y = self.maps[1]
        dx = np.abs(x - (box[0] + box[2] / 2)) - box[2] / 2 + radius
        dy = np.abs(y - (box[1] + box[3] / 2)) - box[3] / 2 + radius
        outside = np.hypot(np.maximum(dx, 0), np.maximum(dy, 0))
        return np.asarray(outside + np.minimum(np.maximum(dx, dy), 0) - radius, np.float32)

    def _contact(self, box: Rectangle) -> NDArray[np.float32]:
        """The soft dark line where a sheet rests on what is below it, as a factor."""
        moved = (box[0] + 0.4, box[1] + 0.5, box[2], box[3])
        return (1 - 0.5 * np.exp(-np.maximum(self._distance(moved, 2.0), 0) / 0.9)).astype(np.float32)

    def warp(self, texture: NDArray[np.float32], resolution: float) -> NDArray[np.float32]:
        """A flat page as the camera sees it, channel by channel; shape (height, width, channels)."""
        ratio = resolution / self.camera.scale
        if ratio > 1:  # keep what the sensor cannot resolve from folding over
            texture = cv2.GaussianBlur(texture, (0, 0), 0.42 * ratio)
        planes = texture[..., None] if texture.ndim == 2 else texture
        seen = []
        for channel in range(planes.shape[2]):
            x, y = self.maps[channel if planes.shape[2] == 3 else 1]
            plane = np.ascontiguousarray(planes[..., channel])
            mapped = cv2.remap(
                plane, x * resolution - 0.5, y * resolution - 0.5, cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE
            )
            seen.append(mapped)
        return np.stack(seen, axis=-1)

    def expose(self, page_light: Linear, resolution: float) -> Linear:
        """The light that reaches the sensor."""
        seen = np.maximum(self.warp(page_light, resolution), 0)
        alpha = self.alpha[..., None]
        light = (self.table * (1 - alpha) + seen * alpha) * self.factor[..., None]
        spot = (self.spot * self.alpha)[..., None]
        return np.asarray(light * (1 - spot) + spot, np.float32)


__all__ = ["DIFFICULTIES", "FORGERIES", "FORMATS", "Capture", "render", "version"]
