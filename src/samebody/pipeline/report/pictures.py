"""Pictures for the report: shrunk, blurred beyond recognition unless asked otherwise, embedded as data, drawn over."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from markupsafe import Markup, escape

from samebody.types import Pixels, Point

BLURRED_LONG_SIDE = 8
"""Long side in pixels to which a picture is averaged before it is blown up again.

An aligned face averaged to 28 pixels still matches the sharp one far above the operating point, to 16 sometimes; at 8
it stays below the point at FMR 1e-2, also for somebody who knows where eyes and mouth were (held by a test).
"""

LONG_SIDE = 900


@dataclass(frozen=True, slots=True)
class Shape:
    """A polygon drawn over a picture, in the picture's own pixels, with a CSS class and a label."""

    points: Sequence[Point]
    kind: str
    label: str = ""


def blur_beyond_recognition(pixels: Pixels) -> Pixels:
    """Average the picture down to :data:`BLURRED_LONG_SIDE` pixels and blow it up again to its size."""
    height, width = pixels.shape[:2]
    scale = BLURRED_LONG_SIDE / max(height, width)
    small = cv2.resize(
        pixels, (max(1, round(width * scale)), max(1, round(height * scale))), interpolation=cv2.INTER_AREA
    )
    return np.asarray(cv2.resize(small, (width, height), interpolation=cv2.INTER_CUBIC), dtype=np.uint8)


def data_uri(pixels: Pixels, *, blurred: bool, long_side: int = LONG_SIDE) -> str:
    """The picture as a ``data:`` address (JPEG), at most ``long_side`` pixels long; blurred before it is encoded."""
    height, width = pixels.shape[:2]
    scale = min(1.0, long_side / max(height, width))
    if scale < 1:
        size = (max(1, round(width * scale)), max(1, round(height * scale)))
        pixels = np.asarray(cv2.resize(pixels, size, interpolation=cv2.INTER_AREA), dtype=np.uint8)
    if blurred:
        pixels = blur_beyond_recognition(pixels)
    _, encoded = cv2.imencode(".jpg", cv2.cvtColor(pixels, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, 80])
    return "data:image/jpeg;base64," + base64.b64encode(encoded.tobytes()).decode()


def figure(
    pixels: Pixels,
    title: str,
    *,
    blurred: bool,
    shapes: Sequence[Shape] = (),
    points: Sequence[Point] = (),
    long_side: int = LONG_SIDE,
) -> Markup:
    """An HTML figure: the picture with polygons and points over it, and a caption."""
    height, width = pixels.shape[:2]
    stroke = max(width, height) / 240
    parts = [
        f'<figure class="picture"><div class="frame" style="aspect-ratio:{width}/{height}">',
        f'<img alt="{escape(title)}{" (blurred)" if blurred else ""}" '
        f'src="{data_uri(pixels, blurred=blurred, long_side=long_side)}">',
        f'<svg viewBox="0 0 {width} {height}" aria-hidden="true">',
    ]
    for shape in shapes:
        polygon = " ".join(f"{x:.1f},{y:.1f}" for x, y in shape.points)
        parts.append(f'<polygon class="{escape(shape.kind)}" points="{polygon}" stroke-width="{stroke:.2f}"/>')
        if shape.label:
            x, y = min(shape.points, key=lambda point: (point[1], point[0]))
            parts.append(
                f'<text class="{escape(shape.kind)}" x="{x:.1f}" y="{max(y - 2 * stroke, 12 * stroke):.1f}" '
                f'font-size="{12 * stroke:.1f}">{escape(shape.label)}</text>'
            )
    if points:
        dots = "".join(f"M{x:.1f} {y:.1f}h0" for x, y in points)
        parts.append(f'<path class="mesh" d="{dots}" stroke-width="{stroke * 1.1:.2f}"/>')
    note = " · blurred" if blurred else ""
    parts.append(f"</svg></div><figcaption>{escape(title)}{note}</figcaption></figure>")
    return Markup("".join(parts))
