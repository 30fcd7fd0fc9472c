"""Copies of a page by other machines: a laser or ink-jet print of a scan, and a page shown on a screen."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from samebody.types import Pixels

# Screen angles of cyan, magenta, yellow and black in degrees, as offset printing and colour lasers set them.
_ANGLES = (15.0, 75.0, 0.0, 45.0)


def halftone(
    cover: NDArray[np.float32], lines_per_inch: float, dots_per_inch: int, angle: float
) -> NDArray[np.float32]:
    """Clustered dots: ``cover`` (0-1) as ink or no ink on a rotated grid, with the slight spread of toner; 0-1."""
    height, width = cover.shape
    pitch = dots_per_inch / lines_per_inch
    turn = math.radians(angle)
    y, x = np.arange(height, dtype=np.float32)[:, None], np.arange(width, dtype=np.float32)[None, :]
    u = (x * math.cos(turn) + y * math.sin(turn)) * np.float32(2 * math.pi / pitch)
    v = (-x * math.sin(turn) + y * math.cos(turn)) * np.float32(2 * math.pi / pitch)
    threshold = 0.5 + 0.25 * (np.cos(u) + np.cos(v))
    soft = 2.2 * pitch / 4  # the threshold's slope per pixel, so that dots have edges about one pixel wide
    return np.clip((cover - threshold) * soft + 0.5, 0, 1).astype(np.float32)


def reprint(page: Pixels, dots_per_inch: int, random: np.random.Generator) -> tuple[Pixels, dict[str, Any]]:
    """``page`` scanned, then printed by another machine; and how.

    The scan loses the finest lines, the copy's contrast is steeper and its colours shifted or gone, tones become
    halftone dots, and toner or droplets leave a grain.
    """
    facts: dict[str, Any] = {
        "reprint_scan_blur_px": float(random.uniform(1.0, 2.0)),
        "reprint_contrast": float(random.uniform(1.15, 1.6)),
        "reprint_grey": bool(random.random() < 0.35),
        "reprint_lines_per_inch": float(random.choice([85, 106, 133, 150])),
        "reprint_colour_cast": [float(random.uniform(0.92, 1.04)) for _ in range(3)],
        "reprint_grain": float(random.uniform(1.5, 5.0)),
    }
    scanned = (
        cv2.GaussianBlur(page, (0, 0), facts["reprint_scan_blur_px"] * dots_per_inch / 400).astype(np.float32) / 255
    )
    scanned = np.clip((scanned - 0.5) * facts["reprint_contrast"] + 0.53, 0, 1)
    if facts["reprint_grey"]:
        scanned = np.repeat(scanned.mean(axis=2, keepdims=True), 3, axis=2)
    ink = 1 - scanned
    black = ink.min(axis=2) ** 1.5  # under-colour removal: shadows are printed with black
    coloured = (ink - black[..., None]) / np.maximum(1 - black[..., None], 1e-3)
    lines = facts["reprint_lines_per_inch"]
    out = np.full(page.shape, 250, np.float32)
    covers = [np.ascontiguousarray(coloured[..., channel]) for channel in range(3)] if not facts["reprint_grey"] else []
    for channel, cover in enumerate(covers):
        out[..., channel] *= 1 - 0.92 * halftone(cover.astype(np.float32), lines, dots_per_inch, _ANGLES[channel])
    key = black if covers else ink.mean(axis=2)
    out *= (1 - 0.9 * halftone(key.astype(np.float32), lines, dots_per_inch, _ANGLES[3]))[..., None]
    out *= np.array([1, 1, 1] if facts["reprint_grey"] else facts["reprint_colour_cast"], np.float32)
    grain = random.standard_normal(page.shape[:2], dtype=np.float32)
    out += facts["reprint_grain"] * (cv2.GaussianBlur(grain, (0, 0), 0.8) * 2.8)[..., None]
    return np.clip(np.rint(out), 0, 255).astype(np.uint8), facts


def draw_screen(random: np.random.Generator) -> dict[str, Any]:
    """A screen to show the page on: how many of its pixels the page is wide, its tone, its tint, its reflection."""
    return {
        "screen_pixels_across": int(random.integers(750, 1500)),
        "screen_gamma": float(random.uniform(0.85, 1.25)),
        "screen_black": float(random.uniform(4, 22)),
        "screen_tint": [float(random.uniform(0.90, 1.0)), 1.0, float(random.uniform(0.98, 1.12))],
        "screen_gap": float(random.uniform(0.15, 0.45)),
        "screen_reflection": float(random.uniform(0.05, 0.25)),
        "screen_surround": int(random.choice([24, 48, 200, 244])),
    }


def display(page: Pixels, screen: Mapping[str, Any]) -> tuple[NDArray[np.uint16], float]:
    """``page`` as a screen shows it: three by three samples a screen pixel, colour stripes with a dark gap.

    Returns linear light, uint16 with 65535 for a stripe at full power, and the gain that brings the average over a
    white screen back to 65535: the camera's exposure makes up for the light that stripes and gaps take.
    """
    columns = screen["screen_pixels_across"]
    rows = round(page.shape[0] * columns / page.shape[1])
    shrink = cv2.INTER_AREA if columns < page.shape[1] else cv2.INTER_CUBIC
    shown = cv2.resize(page, (columns, rows), interpolation=shrink).astype(np.float32) / 255
    shown = np.power(shown, screen["screen_gamma"]) * (255 - screen["screen_black"]) + screen["screen_black"]
    shown *= np.array(screen["screen_tint"], np.float32)
    light = np.power(np.clip(shown, 0, 255) / 255, 2.2)  # stripes add up as light, not as displayed values
    dark = screen["screen_gap"]
    cell = np.full((3, 3, 3), 0.0, np.float32)
    for stripe in range(3):
        cell[:, stripe, stripe] = 1.0
        cell[2, stripe, stripe] = 1.0 - 2 * dark
    cell /= cell.mean(axis=(0, 1))
    fine = np.repeat(np.repeat(light, 3, axis=0), 3, axis=1)
    fine *= np.tile(cell, (rows, columns, 1))
    return np.rint(fine * (65535 / cell.max())).astype(np.uint16), float(cell.max())
