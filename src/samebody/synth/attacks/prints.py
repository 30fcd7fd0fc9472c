"""Prints before a camera: paper, ink and its raster, bending and folds. Three families on three principles.

``halftone``: clustered dots on rotated screens, as lasers and presses print; a dot's coverage after lens and aperture
is looked up by tone and phase. ``inkjet``: dispersed droplets by a blue-noise mask, rastered finer than the sensor and
averaged. ``photo``: continuous dyes on photographic paper: no dots, a gloss, an embossed or smooth surface.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache

import cv2
import numpy as np
from numpy.typing import NDArray

from samebody.synth.attacks.capture import transfer
from samebody.synth.attacks.light import Light, Plane, gamut, grain, luminance, mixed, soft_field
from samebody.synth.attacks.record import Draw
from samebody.synth.attacks.scene import Scene, reflections
from samebody.synth.attacks.view import sample

ANGLES = (15.0, 75.0, 0.0, 45.0)
"""Screen angles of cyan, magenta, yellow and black in degrees, as presses and lasers set them."""

INKS = np.array([[0.03, 0.38, 0.62], [0.62, 0.05, 0.22], [0.85, 0.72, 0.04], [0.025, 0.025, 0.028]])
"""Linear reflectance (red, green, blue) of cyan, magenta, yellow and black at full coverage on white paper."""

_TONES, _PHASES = 33, 24


# ------------------------------------------------------------------------------------------------------- ink and paper


def separate(light: Light, black_share: float) -> NDArray[np.float32]:
    """Coverage 0-1 of cyan, magenta, yellow and black, (4, h, w), with ``black_share`` of the grey printed in black.

    Coverage is chosen on square-root light, about what a printer's tone curve does with its dot gain.
    """
    wanted = np.sqrt(np.clip(light, 0, 1))
    missing = cv2.split(np.asarray(1 - wanted * wanted * (1 - np.float32(0.25) * (1 - wanted)), np.float32))
    least = np.minimum(np.minimum(missing[0], missing[1]), missing[2])
    black = np.float32(black_share) * least * least
    over = 1 / np.maximum(1 - black, 1e-3)
    planes = [(plane - black) * over for plane in missing]
    return np.asarray(np.clip(np.stack([*planes, black]), 0, 1), np.float32)


def reflect(coverage: NDArray[np.float32]) -> Light:
    """Light a white lamp finds back from inks that cover ``coverage`` (4, h, w), each over the others at random.

    The product of (1 - a) + a R over the inks is Neugebauer's equation with Demichel's coverages.
    """
    channels = []
    for channel in range(3):
        plane = 1 - coverage[0] * np.float32(1 - INKS[0, channel])
        for ink in range(1, 4):
            plane *= 1 - coverage[ink] * np.float32(1 - INKS[ink, channel])
        channels.append(plane)
    return np.asarray(cv2.merge(channels), np.float32)


@dataclass(frozen=True, slots=True, eq=False)
class Sheet:
    """A sheet's shape before the camera.

    Attributes:
        sx, sy: source coordinates that each sensor pixel sees on the bent sheet.
        shade: light that falls on it, about 1.
    """

    sx: Plane
    sy: Plane
    shade: Plane


def bend(scene: Scene, strength: float, draw: Draw) -> Sheet:
    """A sheet that is curved about an axis, folded once or twice, and not quite flat between.

    On a cylinder of radius R the camera sees the arc R asin(x / R) at x; across a crease of angle a the sheet is
    foreshortened by cos a. Shade is Lambert's cosine to one lamp.
    """
    sx, sy = scene.grid
    height, width = scene.source.size
    longer = float(max(height, width))
    direction = draw.choice("curl_axis_degrees", (0.0, 90.0), (0.7, 0.3)) + draw.normal("curl_axis_error", 8.0)
    angle = math.radians(direction)
    curl = strength * draw.uniform("curl", -0.75, 0.75) * draw.uniform("curl_share", 0.0, 1.0)
    lamp = draw.uniform("lamp_side", -0.9, 0.9)
    middle = (width / 2, height / 2)
    across = (sx - middle[0]) * math.cos(angle) + (sy - middle[1]) * math.sin(angle)
    slope = np.clip(across / longer * 2 * curl, -0.9, 0.9)
    shade = np.asarray(np.sqrt(1 - slope * slope) + np.float32(0.6 * lamp) * slope, np.float32)
    if abs(curl) > 1e-3:
        arc = np.arcsin(slope) * np.float32(longer / (2 * curl))
        sx = sx + (arc - across) * np.float32(math.cos(angle))
        sy = sy + (arc - across) * np.float32(math.sin(angle))
    folds = draw.choice("folds", (0, 1, 2), (0.6, 0.25, 0.15))
    for index in range(2):
        place = draw.uniform(f"fold_{index}_place", 0.2, 0.8)
        tilt = draw.normal(f"fold_{index}_tilt", 0.12)
        steep = draw.uniform(f"fold_{index}_slope", 0.06, 0.3) * draw.choice(f"fold_{index}_sign", (-1, 1))
        wear = draw.uniform(f"fold_{index}_wear", 0.05, 0.5)
        if index < folds:
            sx, sy, shade = _fold(scene, sx, sy, shade, index, place, tilt, strength * steep, strength * wear, lamp)
    waves = strength * draw.uniform("waviness", 0.0, 0.05)
    shade = shade * (1 + np.float32(waves) * soft_field(scene.shape, draw.uniform("waves", 2.0, 6.0), draw.random))
    return Sheet(
        np.asarray(sx, np.float32), np.asarray(sy, np.float32), np.asarray(np.maximum(shade, 0.08), np.float32)
    )


def _fold(
    scene: Scene,
    sx: Plane,
    sy: Plane,
    shade: Plane,
    index: int,
    place: float,
    tilt: float,
    slope: float,
    wear: float,
    lamp: float,
) -> tuple[Plane, Plane, Plane]:
    height, width = scene.source.size
    upright = index == 1  # the first crease runs across, the second along, as letters and leaflets are folded
    angle = tilt + (0.0 if upright else math.pi / 2)
    nx, ny = math.cos(angle), math.sin(angle)
    origin = (place * width, height / 2) if upright else (width / 2, place * height)
    across = (sx - origin[0]) * np.float32(nx) + (sy - origin[1]) * np.float32(ny)
    stretch = np.float32(1 / math.cos(slope) - 1)
    sx, sy = sx + across * stretch * np.float32(nx), sy + across * stretch * np.float32(ny)
    breadth = np.float32(0.009 * max(height, width) + 0.6 / scene.view.scale)
    side = across / (breadth + np.abs(across))
    lit = 1 + np.float32(slope * (0.7 * lamp + 0.25)) * side
    crease = np.exp(-np.square(across / breadth))
    lit = lit * (1 - np.float32(wear) * crease) + np.float32(0.55 * wear) * np.exp(-np.square(across / breadth - 1.6))
    return np.asarray(sx, np.float32), np.asarray(sy, np.float32), np.asarray(shade * lit, np.float32)


def paper_colour(strength: float, draw: Draw) -> NDArray[np.float64]:
    """Reflectance of the paper: cream to bluish white."""
    warmth = draw.uniform("paper_warmth", -0.05, 0.09)
    bright = draw.uniform("paper_white", 0.78, 0.95)
    colour = np.array([bright * (1 + 0.4 * warmth), bright, bright * (1 - warmth)])
    return np.asarray(1 - strength * (1 - colour))


def fibres(scene: Scene, strength: float, draw: Draw, roughness: tuple[float, float]) -> Plane:
    """Paper seen close: fine grain of fibres lit from the side and a cloudy formation, about 1."""
    amount = strength * draw.uniform("fibre_contrast", *roughness)
    size = draw.log_uniform("fibre_size", 0.45, 1.6)
    field = grain(scene.shape, size, draw.random)
    field += 0.6 * grain(scene.shape, draw.uniform("cloud_size", 4, 12), draw.random)
    return np.asarray(1 + np.float32(amount) * field, np.float32)


# ---------------------------------------------------------------------------------------------------------- the raster


@lru_cache(maxsize=1)
def _dot_table() -> NDArray[np.float32]:
    """Ink (0 or 1, averaged over a table cell) by tone and phase of a round-diamond-round dot; (tones, n, n)."""
    fine = 6 * _PHASES
    x = (np.arange(fine) + 0.5) / fine * 2 * math.pi
    threshold = np.cos(x)[None, :] + np.cos(x)[:, None]
    order = np.argsort(np.argsort(-threshold, axis=None)).reshape(fine, fine) / (fine * fine - 1)
    tones = np.linspace(0, 1, _TONES)
    ink = (order[None] < tones[:, None, None]).astype(np.float32)
    return np.asarray(ink.reshape(_TONES, _PHASES, 6, _PHASES, 6).mean(axis=(2, 4)), np.float32)


def _seen_dots(device: NDArray[np.float64], scene: Scene) -> NDArray[np.float32]:
    """The dot table after lens and aperture, for a screen that repeats ``device`` times (2, 2) by sensor pixel."""
    orders = np.fft.fftfreq(_PHASES, 1 / _PHASES)
    m, n = orders[None, :], orders[:, None]
    fx = m * device[0, 0] + n * device[1, 0]
    fy = m * device[0, 1] + n * device[1, 1]
    spectrum = np.fft.fft2(_dot_table(), axes=(1, 2)) * transfer(fx, fy, scene.chain)[None]
    return np.asarray(np.fft.ifft2(spectrum, axes=(1, 2)).real, np.float32)


def clustered(
    tone: Plane, scene: Scene, sheet: Sheet, dots: float, angle: float, strength: float
) -> NDArray[np.float32]:
    """Coverage of one ink as the sensor sees its dots; ``dots`` a source pixel, screen turned by ``angle`` degrees."""
    turn = math.radians(angle)
    rotation = np.array([[math.cos(turn), math.sin(turn)], [-math.sin(turn), math.cos(turn)]])
    table = _seen_dots(dots * rotation @ scene.view.jacobian(), scene)
    u = (sheet.sx * np.float32(rotation[0, 0]) + sheet.sy * np.float32(rotation[0, 1])) * np.float32(dots)
    v = (sheet.sx * np.float32(rotation[1, 0]) + sheet.sy * np.float32(rotation[1, 1])) * np.float32(dots)
    column = ((u - np.floor(u)) * np.float32(_PHASES)).astype(np.int32)
    row = ((v - np.floor(v)) * np.float32(_PHASES)).astype(np.int32)
    np.minimum(column, _PHASES - 1, out=column)
    np.minimum(row, _PHASES - 1, out=row)
    level = (tone * np.float32(_TONES - 1) + np.float32(0.5)).astype(np.int32)
    seen = np.take(table.ravel(), (level * _PHASES + row) * _PHASES + column)
    seen += tone - level * np.float32(1 / (_TONES - 1))  # what rounding the tone took away
    return np.asarray(np.clip(tone + np.float32(strength) * (seen - tone), 0, 1), np.float32)


@lru_cache(maxsize=1)
def blue_noise(size: int = 128) -> NDArray[np.float32]:
    """A dither mask (size, size), uniform on 0-1, wrapping, with little energy at low frequencies.

    Ranks of high-passed noise, high-passed again, a few times over: cheap beside void-and-cluster (Ulichney 1993) and
    as good for droplets.
    """
    random = np.random.default_rng(20)
    field = random.random((size, size))
    frequency = np.hypot(np.fft.fftfreq(size)[:, None], np.fft.fftfreq(size)[None, :])
    keep = 1 - np.exp(-0.5 * (frequency / 0.22) ** 2)
    for _ in range(12):
        field = np.fft.ifft2(np.fft.fft2(field) * keep).real
        field = np.argsort(np.argsort(field, axis=None)).reshape(size, size) / (size * size - 1.0)
    return np.asarray(field, np.float32)


@lru_cache(maxsize=1)
def _overprints() -> NDArray[np.float32]:
    """Light of every overprint of the four inks, (1, 256, 3); bit k of the index says that ink k is there."""
    bits = (np.arange(256)[:, None] >> np.arange(4)[None, :]) & 1
    light = np.prod(np.where(bits[..., None] == 1, INKS[None], 1.0), axis=1)
    return np.asarray(light[None], np.float32)


# -------------------------------------------------------------------------------------------------------- the families


def _ink_light(light: Light, strength: float, draw: Draw) -> Light:
    """What is sent to the printer: its gamut and its contrast."""
    matrix = gamut(strength * draw.uniform("ink_gamut", 0.05, 0.4), strength * draw.normal("ink_hue", 0.05))
    exponent = 1 + strength * draw.uniform("print_gamma", -0.25, 0.3)
    return np.asarray(np.power(np.clip(mixed(light, matrix), 0, 1), np.float32(exponent)), np.float32)


def _finish(scene: Scene, printed: Light, sheet: Sheet, draw: Draw, strength: float, gloss: float) -> Light:
    lit = printed * sheet.shade[..., None]
    mirrored = reflections(scene, draw, gloss=gloss)
    light, picture = scene.surround(lit, "sheet", draw, sx=sheet.sx, sy=sheet.sy)
    if scene.framing != "tight":
        mirrored *= picture[..., None]
    return np.asarray(light + np.float32(strength) * mirrored, np.float32)


def halftone(scene: Scene, strength: float, draw: Draw) -> Light:
    """A laser print or a printed page: four rotated screens of clustered dots."""
    sheet = bend(scene, strength, draw)
    pitch = draw.log_uniform("dot_pitch_in_sensor_pixels", 0.9, 5.0)
    dots = scene.view.scale / pitch  # dots a source pixel
    grey = draw.flag("grey", 0.12)
    paper = paper_colour(strength, draw)
    ink = _ink_light(scene.light, strength, draw)
    if grey:
        plain = luminance(ink)
        ink = ink + np.float32(strength) * (plain[..., None] - ink)
    black = draw.uniform("black_share", 0.5, 1.0)
    shown = scene.lens(sample(ink, sheet.sx, sheet.sy, scene.view.scale))
    cover = separate(shown, black)
    turn = draw.uniform("screen_turn", -8, 8)
    spread = draw.uniform("register_error", 0.0, 0.5)
    seen = np.empty_like(cover)
    for ink_index in range(4):
        seen[ink_index] = clustered(
            cover[ink_index], scene, sheet, dots, ANGLES[ink_index] + turn, strength * (1 - 0.15 * spread)
        )
    toner = 1 + strength * draw.uniform("dot_gain", -0.05, 0.22)
    printed = shown + np.float32(strength) * (reflect(np.clip(seen * np.float32(toner), 0, 1)) - shown)
    printed = printed * paper.astype(np.float32) * fibres(scene, strength, draw, (0.005, 0.03))[..., None]
    return _finish(scene, printed, sheet, draw, strength, gloss=draw.uniform("gloss", 0.05, 0.4))


def inkjet(scene: Scene, strength: float, draw: Draw) -> Light:
    """An ink-jet print: droplets by a blue-noise mask, bands of the print head, soft paper."""
    sheet = bend(scene, strength, draw)
    finer = 2
    drops = draw.log_uniform("drops_per_sensor_pixel", 0.9, 2.2)
    contrast = draw.log_uniform("drop_contrast", 0.25, 0.9)  # light inks and small drops are seen less
    bleed = draw.uniform("bleed", 0.2, 0.7)
    black = draw.uniform("black_share", 0.1, 0.7)
    band = draw.uniform("head_band", 0.0, 0.08)
    band_rows = draw.log_uniform("head_band_pitch", 0.02, 0.12) * scene.source.size[0]
    paper = paper_colour(strength, draw)
    shown = scene.lens(sample(_ink_light(scene.light, strength, draw), sheet.sx, sheet.sy, scene.view.scale))
    cover = separate(shown, black)
    height, width = scene.shape
    size = (finer * width, finer * height)
    per_source = np.float32(drops * scene.view.scale)
    column = np.floor(cv2.resize(sheet.sx, size, interpolation=cv2.INTER_LINEAR) * per_source).astype(np.int32) & 127
    row = np.floor(cv2.resize(sheet.sy, size, interpolation=cv2.INTER_LINEAR) * per_source).astype(np.int32) & 127
    place = row * 128 + column
    mask = np.asarray(np.clip(blue_noise() * 255 + 0.5, 1, 255), np.uint8)
    inks = np.zeros(place.shape, np.uint8)
    for ink in range(4):
        level = np.take(np.roll(mask, (37 * ink, 61 * ink), (0, 1)).ravel(), place)
        wanted = cv2.resize(np.asarray(cover[ink] * 255 + 0.5, np.uint8), size, interpolation=cv2.INTER_LINEAR)
        inks |= np.asarray(level <= wanted, np.uint8) << ink
    lit = np.asarray(cv2.LUT(cv2.merge([inks, inks, inks]), _overprints()), np.float32)
    sigma = finer * math.sqrt((0.4 * bleed / drops) ** 2 + scene.chain.lens_sigma**2)
    lit = cv2.GaussianBlur(lit, (0, 0), max(sigma, 0.3))
    seen = cv2.resize(lit, (width, height), interpolation=cv2.INTER_AREA)
    even = reflect(cover)
    printed = shown + np.float32(strength) * (even + np.float32(contrast) * (seen - even) - shown)
    stripes = np.sin(sheet.sy * np.float32(2 * math.pi / band_rows) + draw.random.uniform(0, 6.28))
    printed *= (1 + np.float32(strength * band) * np.sign(stripes) * np.abs(stripes) ** 0.3)[..., None]
    printed = printed * paper.astype(np.float32) * fibres(scene, strength, draw, (0.01, 0.05))[..., None]
    return _finish(
        scene, np.asarray(printed, np.float32), sheet, draw, strength, gloss=draw.uniform("gloss", 0.0, 0.25)
    )


def photo(scene: Scene, strength: float, draw: Draw) -> Light:
    """A photographic print: dyes in continuous tone on glossy, lustre or silk paper."""
    sheet = bend(scene, strength, draw)
    surface = draw.choice("surface", ("gloss", "lustre", "silk"), (0.5, 0.3, 0.2))
    density = draw.uniform("greatest_density", 1.5, 2.3)
    paper = paper_colour(strength * 0.5, draw)
    ink = _ink_light(scene.light, strength, draw)
    floor = np.float32(strength * 10**-density)
    dyes = ink * (1 - floor) + floor
    cast = 1 + strength * np.array([draw.normal("dye_red", 0.05), 0, draw.normal("dye_blue", 0.06)])
    dyes = np.power(dyes, cast.astype(np.float32))
    printed = scene.lens(sample(np.asarray(dyes, np.float32), sheet.sx, sheet.sy, scene.view.scale))
    pitch = draw.log_uniform("emboss_pitch", 2.2, 7.0)
    depth = draw.uniform("emboss", 0.015, 0.09)
    field = grain(scene.shape, 1.1, draw.random) * np.float32(0.6)
    if surface == "silk":  # a honeycomb pressed into the surface: three waves at 60 degrees
        per = np.float32(2 * math.pi / pitch * scene.view.scale)
        field = np.zeros(scene.shape, np.float32)
        for turn in (0.0, math.pi / 3, 2 * math.pi / 3):
            field += np.cos((sheet.sx * np.float32(math.cos(turn)) + sheet.sy * np.float32(math.sin(turn))) * per)
        frequency = np.array([1 / pitch])
        field *= np.float32(0.5 * transfer(frequency, np.zeros(1), scene.chain)[0])
    if surface != "gloss":
        printed = printed * (1 + np.float32(strength * depth) * field)[..., None]
    printed = printed * paper.astype(np.float32)
    gloss = {"gloss": 1.0, "lustre": 0.5, "silk": 0.4}[surface]
    return _finish(scene, printed, sheet, draw, strength, gloss=gloss * draw.uniform("gloss", 0.4, 1.0))
