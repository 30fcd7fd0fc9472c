"""Plots as SVG without a script: bars and lines by day, each mark with a text."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date

from markupsafe import Markup, escape

WIDTH, HEIGHT, BASE, LEFT, HEAD = 720.0, 190.0, 160.0, 40.0, 20.0


def stacked_bars(days: Sequence[date], series: Mapping[str, Sequence[int]], title: str) -> Markup:
    """A bar for each day, its parts by name, with a text for each part; legend above."""
    width, height, base, left = WIDTH, HEIGHT, BASE, LEFT
    totals = [sum(values[index] for values in series.values()) for index in range(len(days))]
    top = max([*totals, 1])
    step = (width - left - 6) / len(days)
    parts = [f'<svg viewBox="0 0 {width:g} {height:g}" role="img" aria-label="{escape(title)}">']
    parts.append(f'<text x="{left - 6:g}" y="24" class="tick end">{top}</text>')
    parts.append(f'<text x="{left - 6:g}" y="{base:g}" class="tick end">0</text>')
    parts.append(f'<line x1="{left:g}" y1="{base:g}" x2="{width:g}" y2="{base:g}" class="axis"/>')
    for index, day in enumerate(days):
        y = base
        for name, values in series.items():
            if not values[index]:
                continue
            tall = (base - 20) * values[index] / top
            y -= tall
            told = f"{day}: {values[index]} {escape(name)}"
            parts.append(
                f'<rect x="{left + index * step + 1:.1f}" y="{y:.1f}" width="{max(1.0, step - 2):.1f}" '
                f'height="{tall:.1f}" class="bar {escape(name)}"><title>{told}</title></rect>'
            )
        if index % 7 == 0:
            parts.append(f'<text x="{left + index * step:.1f}" y="{base + 16:g}" class="tick">{day:%d %b}</text>')
    parts.append("</svg>")
    return Markup("".join(parts))


def lines(days: Sequence[date], series: Mapping[str, Sequence[float | None]], title: str, unit: str) -> Markup:
    """A line for each series, broken where a day has no value; a point with a text for each value.

    Args:
        unit: behind each number.
    """
    known = [value for values in series.values() for value in values if value is not None]
    top = max([*known, 0.0]) or 1.0
    step = (WIDTH - LEFT - 6) / max(1, len(days) - 1)
    parts = [f'<svg viewBox="0 0 {WIDTH:g} {HEIGHT:g}" role="img" aria-label="{escape(title)}">']
    parts.append(f'<text x="{LEFT - 6:g}" y="24" class="tick end">{top:.3g}{escape(unit)}</text>')
    parts.append(f'<text x="{LEFT - 6:g}" y="{BASE:g}" class="tick end">0</text>')
    parts.append(f'<line x1="{LEFT:g}" y1="{BASE:g}" x2="{WIDTH:g}" y2="{BASE:g}" class="axis"/>')
    for index, day in enumerate(days):
        if index % 7 == 0:
            parts.append(f'<text x="{LEFT + index * step:.1f}" y="{BASE + 16:g}" class="tick">{day:%d %b}</text>')
    for name, values in series.items():
        places = [
            None if value is None else (LEFT + index * step, BASE - (BASE - HEAD) * value / top)
            for index, value in enumerate(values)
        ]
        run: list[str] = []
        for place in [*places, None]:
            if place is not None:
                run.append(f"{place[0]:.1f},{place[1]:.1f}")
            elif run:
                parts.append(f'<polyline points="{" ".join(run)}" class="line {escape(name)}"/>')
                run = []
        for day, value, place in zip(days, values, places, strict=True):
            if value is not None and place is not None:
                told = f"{day}: {value:.3g}{escape(unit)} {escape(name)}"
                parts.append(
                    f'<circle cx="{place[0]:.1f}" cy="{place[1]:.1f}" r="3" class="point {escape(name)}">'
                    f"<title>{told}</title></circle>"
                )
    parts.append("</svg>")
    return Markup("".join(parts))
