"""Forge specimen documents: edited photographs, prints of a photograph, and pictures of a screen."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from benchmarks.second_renderer import holder as people
from benchmarks.second_renderer import mrz
from benchmarks.second_renderer.artwork import Canvas
from benchmarks.second_renderer.camera import to_linear
from benchmarks.second_renderer.holder import Holder

EDITS = ("date_recomputed", "date_plain", "viz_mismatch", "portrait_swap")
"""Made by editing the genuine photograph on a computer."""

COPIES = ("reprint", "screen_recapture")
"""Made by photographing a copy of the genuine page."""

FORGERIES = EDITS + COPIES


@dataclass(frozen=True, slots=True)
class Alteration:
    """What the forged document says: the visual zone's holder and the lines of the zone."""

    visual: Holder
    lines: tuple[str, ...]


def alter(species: str, format: str, genuine: Holder, random: np.random.Generator) -> Alteration:
    """The texts of a forged document of ``species``."""
    lines = mrz.compose(format, genuine.entry())
    if species == "viz_mismatch":
        return Alteration(people.altered_visual(genuine, random), lines)
    if species in ("date_recomputed", "date_plain"):
        moved = people.altered_dates(genuine, random)
        while people.short_date(moved.birth_date) == people.short_date(genuine.birth_date) and (
            people.short_date(moved.expiry_date) == people.short_date(genuine.expiry_date)
        ):
            moved = people.altered_dates(genuine, random)
        if species == "date_recomputed":
            return Alteration(moved, mrz.compose(format, moved.entry()))
        rows = list(lines)
        for name, row, start, end in mrz.SPANS[format]:
            if name in ("birth_date", "expiry_date"):
                date = people.short_date(getattr(moved, name))
                rows[row] = rows[row][:start] + date + rows[row][end:]
        if mrz.check_digits_hold(format, tuple(rows)):  # moved by a multiple that the check digit cannot see
            return alter(species, format, genuine, random)
        return Alteration(moved, tuple(rows))
    return Alteration(genuine, lines)


def edited_mask(before: Canvas, after: Canvas, pixels_per_mm: float) -> NDArray[np.float32]:
    """Where a forger pastes: around everything that differs between two flat pages; (height, width) in 0-1."""
    changed = (np.abs(before - after).max(axis=2) > 0.03).astype(np.uint8)
    size = max(3, int(0.9 * pixels_per_mm) | 1)
    grown = cv2.morphologyEx(changed, cv2.MORPH_CLOSE, np.ones((size, size), np.uint8))
    grown = cv2.dilate(grown, np.ones((size, size), np.uint8))
    return cv2.GaussianBlur(grown.astype(np.float32), (0, 0), 0.12 * pixels_per_mm)


def nudge(page: Canvas, pixels_per_mm: float, random: np.random.Generator) -> Canvas:
    """The retouched page: what is pasted sits a little off and is a little softer than the original print."""
    dx, dy = random.uniform(-0.22, 0.22, 2) * pixels_per_mm
    matrix = np.array([[1, 0, dx], [0, 1, dy]], np.float32)
    moved = cv2.warpAffine(page, matrix, (page.shape[1], page.shape[0]), borderMode=cv2.BORDER_REPLICATE)
    return cv2.GaussianBlur(moved, (0, 0), max(0.3, float(random.uniform(0.0, 0.05)) * pixels_per_mm))


def reprint(page: Canvas, pixels_per_mm: float, random: np.random.Generator) -> tuple[Canvas, dict[str, object]]:
    """The page scanned and printed on an office printer: softened, its inks screened at their usual angles."""
    ruling = float(random.uniform(4.0, 6.0))  # lines a millimetre, 100-150 an inch
    soft = cv2.GaussianBlur(page, (0, 0), float(random.uniform(0.03, 0.07)) * pixels_per_mm)
    soft = np.clip((soft - 0.5) * float(random.uniform(1.05, 1.25)) + 0.5, 0, 1)
    height, width = soft.shape[:2]
    y, x = np.mgrid[0:height, 0:width].astype(np.float32) / pixels_per_mm
    ink = 1 - soft
    black = ink.min(axis=2) * 0.85
    planes = [*(np.clip((ink[..., channel] - black) / (1 - black + 1e-6), 0, 1) for channel in range(3)), black]
    printed = np.ones_like(soft)
    inks = np.array([[0.12, 0.62, 0.86], [0.86, 0.16, 0.48], [0.97, 0.90, 0.18], [0.10, 0.10, 0.11]], np.float32)
    for plane, degrees, colour in zip(planes, (15, 75, 0, 45), inks, strict=True):
        angle = np.radians(degrees)
        u, v = x * np.cos(angle) + y * np.sin(angle), -x * np.sin(angle) + y * np.cos(angle)
        screen = 0.5 + 0.25 * (np.cos(2 * np.pi * ruling * u) + np.cos(2 * np.pi * ruling * v))
        dots = np.clip((plane - screen) * 6 + 0.5, 0, 1) * np.clip(plane * 30, 0, 1)
        printed *= 1 - dots[..., None] * (1 - colour)
    printed = cv2.GaussianBlur(printed, (0, 0), 0.02 * pixels_per_mm)
    return np.clip(printed * 0.96, 0, 1).astype(np.float32), {"reprint_ruling_per_mm": ruling}


def screen_recapture(
    page: Canvas, pixels_per_mm: float, photograph_pixels_per_mm: float, random: np.random.Generator
) -> tuple[Canvas, dict[str, object]]:
    """The page shown on a screen with striped sub-pixels, at a size where the camera about resolves its pixels."""
    ratio = float(random.uniform(1.1, 2.4))  # photograph pixels a screen pixel
    pitch = ratio / photograph_pixels_per_mm  # millimetres of page a screen pixel
    height, width = page.shape[:2]
    columns, rows = round(width / pixels_per_mm / pitch), round(height / pixels_per_mm / pitch)
    shown = to_linear(cv2.resize(page, (columns, rows), interpolation=cv2.INTER_AREA))
    y, x = np.mgrid[0:height, 0:width].astype(np.float32) / (pixels_per_mm * pitch)
    cell_x, cell_y = np.clip(x.astype(np.int32), 0, columns - 1), np.clip(y.astype(np.int32), 0, rows - 1)
    inside_x, inside_y = x - np.floor(x), y - np.floor(y)
    across = np.clip((0.5 - np.abs(inside_y - 0.5)) * 9, 0, 1)
    light = np.empty_like(page)
    for channel in range(3):
        stripe = np.clip((0.20 - np.abs(inside_x - (channel + 0.5) / 3)) * 12, 0, 1)
        light[..., channel] = shown[cell_y, cell_x, channel] * stripe * across
    gain = float(shown.mean() / max(1e-6, light.mean()))
    black = float(random.uniform(0.004, 0.02))  # glass and backlight leak
    tint = np.array([random.uniform(0.9, 1.0), 1.0, random.uniform(1.0, 1.12)], np.float32)
    shown_light = (light * gain * tint * 0.9 + black).astype(np.float32)
    # Peaks of single stripes exceed white; the caller works in linear light and must keep them.
    return shown_light, {"screen_pixel_in_photograph_px": ratio}
