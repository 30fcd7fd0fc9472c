"""Screen replay: the picture on a display, photographed. Three families on three principles.

``lcd``: the light of striped sub-pixels, its harmonics passed through lens and aperture by their transfer function and
then sampled, which folds them into moire. ``oled``: diamond PenTile sub-pixels sampled one by one over each sensor
pixel's area. ``video``: no grid is seen (small or distant pixels); what is left are the video's compression, the
display's processing and flicker.
"""

from __future__ import annotations

import math

import cv2
import numpy as np
from numpy.typing import NDArray

from samebody.synth.attacks.capture import APERTURE, decode, encode, transfer
from samebody.synth.attacks.light import Light, Plane, gamut, mixed, soft_field, to_light, to_pixels
from samebody.synth.attacks.record import Draw
from samebody.synth.attacks.scene import Scene, reflections

CELL = 32
"""Samples a side of the table that holds one repeat of the sub-pixel pattern."""


def display_light(light: Light, strength: float, draw: Draw, *, black: tuple[float, float]) -> Light:
    """The source as a display emits it: tone curve, gamut, white point, light in its blacks."""
    exponent = 1 + strength * draw.uniform("display_gamma", -0.22, 0.22)
    matrix = gamut(strength * draw.uniform("gamut_shrink", -0.12, 0.32), strength * draw.normal("hue_turn", 0.05))
    white = 1 + strength * np.array([draw.normal("white_red", 0.06), 0.0, draw.normal("white_blue", 0.08)])
    floor = strength * draw.log_uniform("black", *black)
    shown = np.power(np.clip(mixed(light, matrix), 0, 1), np.float32(exponent))
    shown = shown * np.float32(1 - floor) + np.float32(floor)
    return np.asarray(shown * white.astype(np.float32), np.float32)


def _angle_shade(scene: Scene, strength: float, draw: Draw, falls: float) -> Light:
    """Light lost towards the side that is seen from further off the normal, blue most on some panels."""
    height, width = scene.shape
    direction = draw.uniform("shade_direction", 0, 2 * math.pi)
    fall = strength * draw.uniform("shade", 0.0, falls)
    tint = draw.normal("shade_tint", 0.25)
    x = np.linspace(-1, 1, width, dtype=np.float32)[None, :]
    y = np.linspace(-1, 1, height, dtype=np.float32)[:, None]
    across = 0.5 + 0.5 * (x * math.cos(direction) + y * math.sin(direction))
    weights = np.array([1 + tint, 1.0, 1 - tint], np.float32) * np.float32(fall)
    return np.asarray(np.maximum(1 - across[..., None] * weights, 0.1), np.float32)


def banding(rows: int, strength: float, draw: Draw, *, share: float, depth: tuple[float, float]) -> Plane:
    """Light by row as a rolling shutter reads a flickering display: (rows, 1), mean about 1.

    The display is on for ``duty`` of each period; exposure over part of a period rounds the edges of the bands.
    """
    seen = draw.flag("flicker", share)
    periods = draw.log_uniform("flicker_periods", 0.6, 14)
    phase = draw.uniform("flicker_phase", 0, 1)
    duty = draw.uniform("flicker_duty", 0.4, 0.9)
    rounding = draw.uniform("flicker_rounding", 0.05, 0.35)
    amount = draw.uniform("flicker_depth", *depth)
    if not seen:
        return np.ones((rows, 1), np.float32)
    position = (np.arange(rows, dtype=np.float32) / rows * np.float32(periods) + np.float32(phase)) % 1
    from_middle = np.abs(position - 0.5)
    lit = 1 / (1 + np.exp(np.clip((from_middle - duty / 2) / rounding * 8, -30, 30)))
    lit = lit / max(float(lit.mean()), 0.2)
    return np.asarray(1 + np.float32(strength * amount) * (lit[:, None] - 1), np.float32)


# ----------------------------------------------------------------------------------------------------------- the grids


def stripe_cell(fill: float, gap: float, samples: int = CELL) -> NDArray[np.float64]:
    """One pixel of a striped LCD, (samples, samples, 3), mean 1 in each channel.

    Red, green and blue stand side by side, each lit over ``fill`` of its third and 1 - ``gap`` of the height.
    """
    fine = 8 * samples
    x = (np.arange(fine) + 0.5) / fine
    rows = (x > gap / 2) & (x < 1 - gap / 2)
    cell = np.zeros((fine, fine, 3))
    for stripe in range(3):
        columns = np.abs(x - (stripe + 0.5) / 3) < fill / 6
        cell[..., stripe] = rows[:, None] & columns[None, :]
    cell = cell.reshape(samples, 8, samples, 8, 3).mean(axis=(1, 3))
    return np.asarray(cell / cell.mean(axis=(0, 1)))


def diamond_cell(radius: float, samples: int = 2 * CELL) -> NDArray[np.float32]:
    """Two by two pixels of a diamond PenTile OLED, (samples, samples, 3), mean 1 in each channel.

    Green sits small on every pixel, red and blue large on alternating ones between them.
    """
    position = (np.arange(samples) + 0.5) / samples * 2
    x, y = position[None, :], position[:, None]

    def diamonds(centres: list[tuple[float, float]], reach: float) -> NDArray[np.float64]:
        field = np.zeros((samples, samples))
        for cx, cy in centres:
            dx, dy = np.abs((x - cx + 1) % 2 - 1), np.abs((y - cy + 1) % 2 - 1)
            field = np.maximum(field, np.clip((reach - dx - dy) * samples / 4 + 0.5, 0, 1))
        return field

    green = diamonds([(0.25, 0.25), (1.25, 0.25), (0.25, 1.25), (1.25, 1.25)], 0.75 * radius)
    red = diamonds([(0.75, 0.75), (1.75, 1.75)], 1.15 * radius)
    blue = diamonds([(1.75, 0.75), (0.75, 1.75)], 1.25 * radius)
    cell = np.stack([red, green, blue], axis=-1)
    return np.asarray(cell / cell.mean(axis=(0, 1)), np.float32)


def _wrapped_blur(cell: NDArray[np.float32], sigma: float) -> NDArray[np.float32]:
    """A periodic cell blurred in place; ``sigma`` in repeats."""
    frequency = np.fft.fftfreq(cell.shape[0], 1 / cell.shape[0])
    passed = np.exp(-2 * math.pi**2 * sigma**2 * (frequency[:, None] ** 2 + frequency[None, :] ** 2))
    blurred = np.fft.ifft2(np.fft.fft2(cell, axes=(0, 1)) * passed[..., None], axes=(0, 1)).real
    return np.asarray(blurred, np.float32)


def seen_cell(cell: NDArray[np.float64], device: NDArray[np.float64], scene: Scene) -> NDArray[np.float32]:
    """``cell`` as lens and aperture pass it: every harmonic times the transfer at its frequency on the sensor.

    Args:
        cell: (n, n, 3), one repeat.
        device: (2, 2), repeats of the cell (x, y) by sensor pixel.
        scene: for the camera.

    Returns:
        (n, n, 3) float32; sampling it at the sensor's pixels folds what lies beyond half a cycle, as a sensor does.
    """
    size = cell.shape[0]
    orders = np.fft.fftfreq(size, 1 / size)
    m, n = orders[None, :], orders[:, None]
    fx = m * device[0, 0] + n * device[1, 0]
    fy = m * device[0, 1] + n * device[1, 1]
    passed = transfer(fx, fy, scene.chain)
    return np.asarray(np.fft.ifft2(np.fft.fft2(cell, axes=(0, 1)) * passed[..., None], axes=(0, 1)).real, np.float32)


def lookup(cell: NDArray[np.float32], u: Plane, v: Plane) -> Light:
    """The periodic ``cell`` at (u, v) in repeats, interpolated."""
    size = cell.shape[0]
    tile = np.pad(cell, ((1, 1), (1, 1), (0, 0)), mode="wrap")
    x = (u - np.floor(u)) * np.float32(size) + np.float32(0.5)
    y = (v - np.floor(v)) * np.float32(size) + np.float32(0.5)
    return np.asarray(cv2.remap(tile, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE), np.float32)


def _finish(scene: Scene, emitted: Light, grid: Light | None, draw: Draw, strength: float, gloss: float) -> Light:
    """Edge and background, lens, then the grid (already seen through the lens), then reflections."""
    sx, sy = scene.grid
    light, picture = scene.surround(emitted, "screen", draw, sx=sx, sy=sy)
    light = scene.lens(light)
    if grid is not None:
        light *= 1 + (np.float32(strength) * picture)[..., None] * (grid - 1)
    mirrored = reflections(scene, draw, gloss=gloss)
    if scene.framing != "tight":
        mirrored *= cv2.GaussianBlur(picture, (0, 0), 0.6)[..., None]
    return np.asarray(light + np.float32(strength) * mirrored, np.float32)


# -------------------------------------------------------------------------------------------------------- the families


def lcd(scene: Scene, strength: float, draw: Draw) -> Light:
    """A monitor, laptop or tablet with striped sub-pixels."""
    ratio = draw.log_uniform("display_pixels_per_sensor_pixel", 0.42, 2.4)
    cell = stripe_cell(draw.uniform("stripe_fill", 0.7, 0.95), draw.uniform("row_gap", 0.05, 0.3))
    turned = draw.flag("portrait_orientation", 0.3)
    bleed = draw.uniform("camera_crosstalk", 0.05, 0.3)
    per_source = ratio * scene.view.scale
    sx, sy = scene.grid
    u, v = (sy, -sx) if turned else (sx, sy)
    device = per_source * scene.view.jacobian()
    if turned:
        device = np.array([device[1], -device[0]])
    grid = lookup(seen_cell(cell, device, scene), u * np.float32(per_source), v * np.float32(per_source))
    grid = mixed(grid, (1 - bleed) * np.eye(3) + bleed / 3)
    emitted = scene.show(display_light(scene.light, strength, draw, black=(0.0015, 0.02)))
    emitted *= _angle_shade(scene, strength, draw, 0.4)
    emitted *= banding(scene.shape[0], strength, draw, share=0.3, depth=(0.03, 0.25))[..., None]
    tear_row = draw.uniform("tear_row", 0.1, 0.9)
    if draw.flag("half_refreshed", 0.08):
        emitted[int(tear_row * scene.shape[0]) :] *= np.float32(1 - 0.12 * strength)
    return _finish(scene, emitted, grid, draw, strength, gloss=draw.uniform("gloss", 0.1, 1.0))


def oled(scene: Scene, strength: float, draw: Draw) -> Light:
    """A phone with diamond PenTile sub-pixels: deep blacks, strong colours, hard bands of its dimming."""
    ratio = draw.log_uniform("display_pixels_per_sensor_pixel", 0.8, 3.6)
    cell = diamond_cell(draw.uniform("diamond_size", 0.34, 0.48))
    per_source = np.float32(ratio * scene.view.scale / 2)  # the cell repeats every two pixels
    sx, sy = scene.grid
    step = scene.view.jacobian()
    spread = math.sqrt(scene.chain.lens_sigma**2 + scene.chain.motion**2 / 12 + APERTURE**2 / 12)
    cell = _wrapped_blur(cell, 0.85 * spread * ratio / 2)
    grid = np.zeros((*scene.shape, 3), np.float32)
    for jitter in ((-0.7, -0.25), (0.25, -0.7), (0.7, 0.25), (-0.25, 0.7)):  # the rest of the variance, sampled
        offset = step @ (np.array(jitter) * spread)
        grid += lookup(cell, (sx + np.float32(offset[0])) * per_source, (sy + np.float32(offset[1])) * per_source)
    grid *= np.float32(0.25)
    emitted = scene.show(display_light(scene.light, strength, draw, black=(0.0001, 0.002)))
    vivid = gamut(-strength * draw.uniform("vivid", 0.0, 0.25))
    emitted = np.maximum(mixed(emitted, vivid), 0)
    emitted *= _angle_shade(scene, strength, draw, 0.2)
    emitted *= banding(scene.shape[0], strength, draw, share=0.45, depth=(0.05, 0.5))[..., None]
    return _finish(scene, emitted, grid, draw, strength, gloss=draw.uniform("gloss", 0.5, 1.0))


def video(scene: Scene, strength: float, draw: Draw) -> Light:
    """A replayed video on a display whose pixels are too small or too far to be seen."""
    pixels = to_pixels(display_light(scene.light, strength, draw, black=(0.001, 0.03)))
    quality = draw.integer("codec_quality", 12, 60)
    shrink = draw.uniform("video_size", 0.45, 1.0)
    halo = draw.uniform("display_sharpening", 0.2, 1.6)
    radius = draw.uniform("sharpening_radius", 0.8, 2.2)
    levels = draw.choice("panel_levels", (64, 128, 256), (0.3, 0.2, 0.5))
    smear = draw.uniform("smear", 0.0, 3.0)
    height, width = scene.source.size
    small = (max(16, round(width * shrink)), max(16, round(height * shrink)))
    coded = decode(encode(np.asarray(cv2.resize(pixels, small, interpolation=cv2.INTER_AREA), np.uint8), quality))
    coded = np.asarray(cv2.resize(coded, (width, height), interpolation=cv2.INTER_LINEAR), np.uint8)
    shown = pixels.astype(np.float32) + np.float32(strength) * (coded.astype(np.float32) - pixels)
    shown += np.float32(strength * halo) * (shown - cv2.GaussianBlur(shown, (0, 0), radius))
    if smear > 0.5:  # the panel answers slowly: the frame before is still seen, moved by the head
        before = cv2.warpAffine(
            shown, np.array([[1, 0, smear], [0, 1, 0.3 * smear]]), (width, height), borderMode=cv2.BORDER_REFLECT
        )
        shown += np.float32(0.25 * strength) * (before - shown)
    step = np.float32(1 + strength * (256 / levels - 1))
    shown = np.rint(np.clip(shown, 0, 255) / step) * step
    emitted = scene.show(to_light(np.asarray(np.clip(shown, 0, 255), np.uint8)))
    emitted *= _angle_shade(scene, strength, draw, 0.35)
    emitted *= banding(scene.shape[0], strength, draw, share=0.7, depth=(0.05, 0.45))[..., None]
    uneven = draw.uniform("uneven_backlight", 0.0, 0.15)
    emitted *= (1 + np.float32(strength * uneven) * soft_field(scene.shape, 2.5, draw.random))[..., None]
    return _finish(scene, emitted, None, draw, strength, gloss=draw.uniform("gloss", 0.2, 1.0))
