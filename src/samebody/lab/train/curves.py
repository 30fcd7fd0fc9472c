"""The page ``curves.html`` of a run: one file with nothing from outside, drawn from ``metrics.jsonl``, live."""

from __future__ import annotations

import html
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from samebody.lab.data.files import write_bytes
from samebody.lab.train.metrics import read_metrics
from samebody.lab.train.recipe import Recipe

CURVES = "curves.html"
EVERY = 5.0
"""Seconds between two drawings, and between two reloads by the browser."""

WIDTH, HEIGHT, LEFT, BOTTOM, TOP = 460, 220, 58, 26, 12


class CurvesPage:
    """Draws the page while a run is under way.

    Args:
        folder: of the run.
        recipe: whose name stands above.
        record: content of ``run.json``.
    """

    def __init__(self, folder: Path, recipe: Recipe, record: Mapping[str, Any]) -> None:
        self.folder, self.recipe, self.record = folder, recipe, record
        self._drawn = 0.0

    def refresh(self) -> None:
        """Draw anew if the last drawing is older than :data:`EVERY`."""
        if time.monotonic() - self._drawn >= EVERY:
            self._draw(live=True)

    def close(self) -> None:
        """The last drawing; the page reloads no more."""
        self._draw(live=False)

    def _draw(self, *, live: bool) -> None:
        text = curves_page(self.recipe, self.record, read_metrics(self.folder), live=live)
        write_bytes(self.folder / CURVES, text.encode(), sync=False)
        self._drawn = time.monotonic()


def curves_page(
    recipe: Recipe, record: Mapping[str, Any], lines: Sequence[Mapping[str, Any]], *, live: bool = False
) -> str:
    """The page as HTML: loss and its parts, figures on the held-back samples, rate, gradient; recipe and machine."""
    steps = [line for line in lines if "loss" in line]
    held = [line for line in lines if "held" in line]
    charts = []
    loss: dict[str, list[tuple[float, float]]] = {"loss": _series(steps, "loss")}
    names = list(dict.fromkeys(name for line in steps for name in line.get("losses", {})))
    if len(names) > 1:
        loss.update({name: [(s["step"], s["losses"].get(name)) for s in steps] for name in names})
    charts.append(chart("loss (train)", loss))
    for name in dict.fromkeys(name for line in held for name in line["held"]):
        charts.append(chart(f"{name} (held)", {name: [(line["step"], line["held"].get(name)) for line in held]}))
    for name, title in (
        ("lr", "learning rate"),
        ("gradient_norm", "gradient norm"),
        ("samples_per_second", "samples a second"),
    ):
        charts.append(chart(title, {title: _series(steps, name)}))
    step = max((line["step"] for line in lines), default=0)
    reload = f'<meta http-equiv="refresh" content="{EVERY:.0f}">' if live else ""
    state = "under way" if live else "not under way"
    facts = {
        "step": f"{step:,} of {recipe.steps:,}, {state}",
        "samples": f"{record['data']['train']:,} to train, {record['data']['held']:,} held back",
        "parameters": f"{record['parameters']:,}",
        "seed": str(recipe.seed),
        "recipe digest": str(record["recipe_digest"]),
        **{name: str(value) for name, value in record["environment"].items()},
    }
    rows = "".join(f"<tr><th>{html.escape(k)}</th><td>{html.escape(v)}</td></tr>" for k, v in facts.items())
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8">{reload}'
        f"<title>{html.escape(recipe.id)}: curves</title><style>{STYLE}</style></head><body>"
        f"<h1>{html.escape(recipe.id)}</h1><table>{rows}</table><main>{''.join(charts)}</main>"
        f"<h2>Recipe</h2><pre>{html.escape(str(record['recipe_text']))}</pre></body></html>\n"
    )


def _series(lines: Sequence[Mapping[str, Any]], name: str) -> list[tuple[float, float]]:
    return [(line["step"], line[name]) for line in lines if line.get(name) is not None]


def chart(title: str, series: Mapping[str, Sequence[tuple[float, float | None]]], *, legend: bool = True) -> str:
    """One line chart as a ``<figure>``: points (step, value) by name; None and empty series are left out."""
    kept = {name: [(x, y) for x, y in points if y is not None] for name, points in series.items()}
    whole = [point for points in kept.values() for point in points]
    if not whole:
        return f"<figure><figcaption>{html.escape(title)}: nothing yet</figcaption></figure>"
    x0, x1 = min(x for x, _ in whole), max(x for x, _ in whole)
    y0, y1 = min(y for _, y in whole), max(y for _, y in whole)
    x1, y1 = (x1 if x1 > x0 else x0 + 1), (y1 if y1 > y0 else y0 + (abs(y0) or 1) * 0.1)
    plot_width, plot_height = WIDTH - LEFT - 10, HEIGHT - BOTTOM - TOP

    def place(x: float, y: float) -> str:
        right = LEFT + plot_width * (x - x0) / (x1 - x0)
        down = TOP + plot_height * (1 - (y - y0) / (y1 - y0))
        return f"{right:.1f},{down:.1f}"

    drawn: list[str] = []
    names: list[str] = []
    for number, (name, points) in enumerate(kept.items()):
        places = [place(x, y) for x, y in points]
        if len(places) == 1:
            cx, cy = places[0].split(",")
            drawn.append(f'<circle class="s{number % 6}" cx="{cx}" cy="{cy}" r="3"/>')
        elif places:
            drawn.append(f'<polyline class="s{number % 6}" points="{" ".join(places)}"/>')
        if legend and len(kept) > 1:
            names.append(f'<span class="s{number % 6}">{html.escape(name)}</span>')
    for share in (0.0, 0.5, 1.0):
        value = y0 + share * (y1 - y0)
        down = TOP + plot_height * (1 - share)
        drawn.append(f'<line class="grid" x1="{LEFT}" x2="{WIDTH - 10}" y1="{down:.1f}" y2="{down:.1f}"/>')
        drawn.append(f'<text x="{LEFT - 6}" y="{down + 4:.1f}" text-anchor="end">{value:.4g}</text>')
    drawn.append(f'<text x="{LEFT}" y="{HEIGHT - 8}">{x0:,.0f}</text>')
    drawn.append(f'<text x="{WIDTH - 10}" y="{HEIGHT - 8}" text-anchor="end">step {x1:,.0f}</text>')
    last = next(iter(kept.values()))[-1][1] if next(iter(kept.values())) else whole[-1][1]
    return (
        f"<figure><figcaption><b>{html.escape(title)}</b> {last:.5g} {' '.join(names)}</figcaption>"
        f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{html.escape(title)}">'
        f"{''.join(drawn)}</svg></figure>"
    )


_COLOURS = ("#0a6ebd", "#d1495b", "#2a9d5c", "#b26a00", "#7b4fb5", "#6b7280")
STYLE = """
:root{color-scheme:light dark;--ink:#1b1f24;--paper:#fff;--line:#8884}
@media(prefers-color-scheme:dark){:root{--ink:#e6e6e6;--paper:#16181c}}
body{font:14px/1.5 system-ui,sans-serif;color:var(--ink);background:var(--paper)}
body{max-width:1480px;margin:1rem auto;padding:0 1rem}h1{font-size:1.3rem;margin:0 0 .5rem}h2{font-size:1.1rem}
th{text-align:left;font-weight:400;opacity:.7;padding-right:1rem}td{word-break:break-all}
table{border-collapse:collapse;font-size:12px;margin-bottom:1rem}
main{display:grid;grid-template-columns:repeat(auto-fill,minmax(min(380px,100%),1fr));gap:1rem}
figure{margin:0;border:1px solid var(--line);border-radius:6px;padding:.5rem}figcaption{font-size:13px}
svg{width:100%;height:auto}svg text{font-size:11px;fill:currentColor}polyline{fill:none;stroke-width:1.6}
.grid{stroke:var(--line)}figcaption span{margin-left:.5rem}
pre{overflow:auto;border:1px solid var(--line);border-radius:6px;padding:.75rem;font-size:12px}
""" + "".join(
    f"polyline.s{n}{{stroke:{c}}}circle.s{n}{{fill:{c}}}span.s{n}{{color:{c}}}" for n, c in enumerate(_COLOURS)
)
