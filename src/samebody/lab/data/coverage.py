"""Coverage: how many samples and subjects each combination of columns has, which are missing or thin, as a heat map."""

from __future__ import annotations

import html
import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product

from samebody.lab.data.errors import ManifestError
from samebody.lab.data.manifest import Manifest

UNKNOWN = "unknown"
THIN = 30
MAX_CELLS = 100_000


@dataclass(frozen=True, slots=True)
class Cell:
    """One combination of values.

    Attributes:
        values: one for each column.
        samples, subjects: usable ones; subjects is 0 when none is named.
    """

    values: tuple[str, ...]
    samples: int
    subjects: int


@dataclass(frozen=True, slots=True)
class Coverage:
    """All cells of some columns.

    Attributes:
        by: the columns.
        cells: every combination of the values that occur, in order.
        thin: cells with at least one and fewer than ``least`` samples.
        missing: cells without a sample.
        least: samples a cell should have.
        samples: usable samples in all.
    """

    by: tuple[str, ...]
    cells: tuple[Cell, ...]
    thin: tuple[Cell, ...]
    missing: tuple[Cell, ...]
    least: int
    samples: int


def coverage(manifest: Manifest, by: Sequence[str], least: int = THIN) -> Coverage:
    """Count the usable samples of each combination of the columns ``by``.

    Raises:
        ManifestError: no column, an unknown one, or more than 100,000 combinations.
    """
    if not by:
        raise ManifestError("the coverage", ["no column is given"], hint="For example --by gender --by race.")
    usable = manifest.where(manifest.usable)
    values = [[value or UNKNOWN for value in usable[name].tolist()] for name in by]
    axes = [sorted(set(column), key=lambda value: (value == UNKNOWN, value)) for column in values]
    if math.prod(len(axis) for axis in axes) > MAX_CELLS:
        raise ManifestError(
            "the coverage", [f"{' x '.join(by)} has more than {MAX_CELLS:,} cells"], hint="Take fewer columns."
        )
    counts: dict[tuple[str, ...], int] = {}
    subjects: dict[tuple[str, ...], set[str]] = {}
    for cell, subject in zip(zip(*values), usable["subject"]):
        counts[cell] = counts.get(cell, 0) + 1
        if subject:
            subjects.setdefault(cell, set()).add(subject)
    cells = tuple(Cell(cell, counts.get(cell, 0), len(subjects.get(cell, ()))) for cell in product(*axes))
    return Coverage(
        tuple(by),
        cells,
        tuple(cell for cell in cells if 0 < cell.samples < least),
        tuple(cell for cell in cells if not cell.samples),
        least,
        len(usable),
    )


def heat_map(found: Coverage, title: str = "Coverage") -> str:
    """The cells as one HTML file without scripts or outside resources: the last column across, the others down.

    The shade is the logarithm of the count; missing cells are crossed, thin ones framed, and every cell is labelled
    with its count, so that the map can be read without colour.
    """
    columns = list(dict.fromkeys(cell.values[-1] for cell in found.cells))
    rows = list(dict.fromkeys(cell.values[:-1] for cell in found.cells))
    by_values = {cell.values: cell for cell in found.cells}
    most = max((cell.samples for cell in found.cells), default=1)
    left = 12 + 7 * max((len(" / ".join(row)) for row in rows), default=0)
    width, height, top = 74, 26, 64
    drawn = []
    for place, name in enumerate(columns):
        x = left + place * width + width / 2
        drawn.append(f'<text x="{x}" y="{top - 10}" text-anchor="middle">{html.escape(name)}</text>')
    for line, row in enumerate(rows):
        y = top + line * height
        label = html.escape(" / ".join(row))
        drawn.append(f'<text x="{left - 8}" y="{y + 17}" text-anchor="end">{label}</text>')
        for place, name in enumerate(columns):
            drawn.append(_drawn(by_values[(*row, name)], found.least, most, left + place * width, y, width, height))
    whole_width, whole_height = left + width * len(columns) + 12, top + height * len(rows) + 12
    axis = html.escape(f"{' / '.join(found.by[:-1]) or 'all'} down, {found.by[-1]} across")
    listed = "".join(f"<li>{html.escape(' / '.join(cell.values))}</li>" for cell in found.missing[:200])
    thin = "".join(f"<li>{html.escape(' / '.join(cell.values))}: {cell.samples}</li>" for cell in found.thin[:200])
    return f"""<!doctype html>
<html lang="en"><head><meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<title>{html.escape(title)}</title>
<style>body{{font:14px system-ui,sans-serif;margin:24px;color:#1b1f24}}svg text{{font:12px system-ui,sans-serif}}
rect{{stroke:#fff}}.thin{{stroke:#b3261e;stroke-width:2}}li{{margin:2px 0}}</style></head><body>
<h1>{html.escape(title)}</h1>
<p>{found.samples:,} usable samples in {len(found.cells):,} cells: {len(found.missing):,} missing (crossed), \
{len(found.thin):,} with fewer than {found.least} (framed in red). {axis}; cells say samples, and subjects in brackets \
where known.</p>
<svg xmlns="http://www.w3.org/2000/svg" width="{whole_width}" height="{whole_height}" role="img" \
aria-label="{html.escape(title)}">{"".join(drawn)}</svg>
<h2>Missing</h2><ul>{listed or "<li>none</li>"}</ul><h2>Thin</h2><ul>{thin or "<li>none</li>"}</ul>
</body></html>
"""


def _drawn(cell: Cell, least: int, most: int, x: float, y: float, width: int, height: int) -> str:
    name = html.escape(" / ".join(cell.values))
    share = math.log1p(cell.samples) / math.log1p(most) if most else 0.0
    red, green, blue = (round(247 - share * (247 - end)) for end in (12, 84, 140))
    fill = f"rgb({red},{green},{blue})"
    frame = ' class="thin"' if 0 < cell.samples < least else ""
    box = f'x="{x + 1}" y="{y + 1}" width="{width - 2}" height="{height - 2}"'
    title = f"<title>{name}: {cell.samples} samples, {cell.subjects} subjects</title>"
    shown = [f'<rect {box} fill="{fill}"{frame}>{title}</rect>']
    if not cell.samples:
        cross = f"M{x + 4} {y + 4}L{x + width - 4} {y + height - 4}M{x + width - 4} {y + 4}L{x + 4} {y + height - 4}"
        shown.append(f'<path d="{cross}" stroke="#b3261e" fill="none"/>')
    else:
        ink = "#fff" if share > 0.55 else "#1b1f24"
        subjects = f" ({cell.subjects})" if cell.subjects else ""
        shown.append(
            f'<text x="{x + width / 2}" y="{y + 17}" text-anchor="middle" fill="{ink}">{cell.samples}{subjects}</text>'
        )
    return "".join(shown)
