"""The page ``trials.html`` of a study: every trial, its values, its figure and its course; one file."""

from __future__ import annotations

import html
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from samebody.lab.train.curves import STYLE, chart

WIDTH, HEIGHT, EDGE = 300, 190, 34


@dataclass(frozen=True, slots=True)
class Shown:
    """A trial as the page shows it.

    Attributes:
        name: of its run folder.
        state: ``complete``, ``pruned``, ``fail`` or ``running``.
        value: of the monitored figure, best of the run; None unless complete.
        values: what it put into the recipe.
        course: the figure by step.
        error: why it failed; empty otherwise.
    """

    name: str
    state: str
    value: float | None
    values: Mapping[str, Any]
    course: Mapping[int, float]
    error: str


def trials_page(study: str, monitor: str, larger: bool, trials: Sequence[Shown], wanted: int) -> str:
    """The page as HTML: figures by place of the recipe, courses of all trials, a table with the best first."""
    ranked = sorted(trials, key=lambda t: (t.value is None, -(t.value or 0.0) if larger else (t.value or 0.0)))
    places = list(dict.fromkeys(place for trial in trials for place in trial.values))
    courses = chart(f"{monitor} by step, every trial", {t.name: list(t.course.items()) for t in trials}, legend=False)
    scatters = "".join(_scatter(place, trials) for place in places)
    head = "".join(f"<th>{html.escape(text)}</th>" for text in ("trial", "state", monitor, *places, "note"))
    rows = "".join(_row(trial, places, first=number == 0) for number, trial in enumerate(ranked))
    done = sum(trial.state != "running" for trial in trials)
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{html.escape(study)}: trials</title>'
        f"<style>{STYLE}.list td,.list th{{padding:.15rem .6rem .15rem 0;white-space:nowrap}}.best{{font-weight:700}}"
        ".dots circle{fill:#0a6ebd;fill-opacity:.7}section{overflow:auto}</style></head><body>"
        f"<h1>{html.escape(study)}</h1><p>{done} of {wanted} trials; {html.escape(monitor)}: "
        f"{'larger' if larger else 'smaller'} is better; best first.</p>"
        f'<main>{courses}{scatters}</main><h2>Trials</h2><section><table class="list"><tr>{head}</tr>{rows}'
        "</table></section></body></html>\n"
    )


def _row(trial: Shown, places: Sequence[str], *, first: bool) -> str:
    value = f"{trial.value:.6g}" if trial.value is not None else _last(trial)
    cells = [trial.name, trial.state, value, *(_text(trial.values.get(place, "")) for place in places), trial.error]
    mark = ' class="best"' if first and trial.value is not None else ""
    return f"<tr{mark}>{''.join(f'<td>{html.escape(cell)}</td>' for cell in cells)}</tr>"


def _last(trial: Shown) -> str:
    return f"({list(trial.course.values())[-1]:.6g})" if trial.course else ""


def _text(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:.4g}"
    return value if isinstance(value, str) else json.dumps(value)


def _scatter(place: str, trials: Sequence[Shown]) -> str:
    """The figure over the values of one place; numbers that span more than a decade on a logarithm."""
    known = [
        (trial.values[place], trial.value) for trial in trials if trial.value is not None and place in trial.values
    ]
    title = f"<figcaption><b>{html.escape(place)}</b></figcaption>"
    if not known:
        return f"<figure>{title}nothing yet</figure>"
    numbers = [x for x, _ in known]
    if all(isinstance(x, int | float) and not isinstance(x, bool) for x in numbers):
        log = min(numbers) > 0 and max(numbers) / min(numbers) > 10
        across = [math.log(x) if log else float(x) for x in numbers]
        ends = (_text(min(numbers)), _text(max(numbers)) + (" (log)" if log else ""))
    else:
        names = sorted({_text(x) for x in numbers})
        across = [float(names.index(_text(x))) for x in numbers]
        ends = (names[0], names[-1])
    up = [y for _, y in known]
    dots = "".join(
        f'<circle cx="{EDGE + (WIDTH - 2 * EDGE) * _share(x, across):.1f}" '
        f'cy="{HEIGHT - EDGE - (HEIGHT - 1.5 * EDGE) * _share(y, up):.1f}" r="3.5"/>'
        for x, y in zip(across, up)
    )
    text = (
        f'<text x="{EDGE}" y="{HEIGHT - 8}">{html.escape(ends[0])}</text>'
        f'<text x="{WIDTH - EDGE}" y="{HEIGHT - 8}" text-anchor="end">{html.escape(ends[1])}</text>'
        f'<text x="2" y="12">{max(up):.4g}</text><text x="2" y="{HEIGHT - EDGE}">{min(up):.4g}</text>'
    )
    return (
        f'<figure class="dots">{title}<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" '
        f'aria-label="{html.escape(place)}">{dots}{text}</svg></figure>'
    )


def _share(value: float, values: Sequence[float]) -> float:
    low, high = min(values), max(values)
    return (value - low) / (high - low) if high > low else 0.5
