"""A robustness result for people: Markdown tables and one SVG of error against strength."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from itertools import groupby

from samebody.lab.evaluate.robustness.ladder import ALL, NONE
from samebody.lab.evaluate.robustness.results import LadderRow, RobustnessResult
from samebody.measure import RateEstimate

_COLOURS = {"FTA": "#7a7a7a", "FNMR": "#b2182b", "FMR": "#2166ac", "own picture lost": "#8c510a"}


def percent(rate: RateEstimate | None) -> str:
    """``1.2 % [0.8, 1.9]`` with its counts; a rate without an error as its bound."""
    if rate is None:
        return "-"
    low, high = (100 * end for end in rate.interval)
    if rate.errors == 0:
        return f"0 (< {high:.2g} %) of {rate.trials:,}"
    return f"{100 * rate.rate:.3g} % [{low:.2g}, {high:.2g}], {rate.errors:,} of {rate.trials:,}"


def markdown(result: RobustnessResult) -> str:
    """Everything as Markdown tables."""
    lines = [f"# Robustness of {result.algorithm.label}", ""]
    if result.provenance.command:
        lines += ["    " + result.provenance.command, ""]
    for data in result.datasets:
        lines.append(f"- {data.name}: {data.protocol}; list `{data.digest[:16]}`")
    for entry in result.thresholds:
        lines.append(f"- threshold for FMR {entry.target:g}: {entry.value:.4f} ({entry.source}), fixed beforehand")
    lines += [
        f"- intervals {100 * result.provenance.level:.0f} %, bootstrap over people "
        f"({result.provenance.replicates} replicates); seed {result.provenance.seed}",
        *(f"- {note}" for note in result.notes),
        "",
    ]
    for name, members in groupby(result.ladder, key=lambda row: row.dataset):
        rows = list(members)
        lines += _ladder(name, [row for row in rows if row.group == ALL], result)
        lines += _groups(name, [row for row in rows if row.group != ALL], result)
    if result.attacks:
        lines += _attacks(result)
    return "\n".join(lines).rstrip() + "\n"


def _ladder(name: str, rows: Sequence[LadderRow], result: RobustnessResult) -> list[str]:
    mated = any(rate.fnmr is not None for row in rows for rate in row.rates)
    second = "FNMR" if mated else "own picture lost"
    head = [f"{second} at FMR {entry.target:g}" for entry in result.thresholds]
    heads = [f"FMR at FMR {entry.target:g}" for entry in result.thresholds]
    columns = ["corruption", "strength", "FTA", *head, *heads]
    lines = [f"## {name}", ""]
    if not mated:
        lines += [
            "The set has one picture of each person, so there is no FNMR. *Own picture lost*: the corrupted picture no "
            "longer matches itself uncorrupted, which is easier than any second picture.",
            "",
        ]
    lines += [_line(columns), _line(["---"] * len(columns))]
    for row in rows:
        label = NONE if row.corruption == NONE else f"{row.corruption}, {row.unit}"
        cells = [label, "" if row.corruption == NONE else f"{row.strength:.4g}", percent(row.fta)]
        cells += [percent(rate.fnmr if mated else rate.own) for rate in row.rates]
        cells += [percent(rate.fmr) for rate in row.rates]
        lines.append(_line(cells))
    return [*lines, ""]


def _groups(name: str, rows: Sequence[LadderRow], result: RobustnessResult) -> list[str]:
    """Worst and best group of each step: FTA, and the first threshold's rates."""
    if not rows or not result.thresholds:
        return []
    target = result.thresholds[0].target
    lines = [f"### {name}, groups, threshold for FMR {target:g}", "", "Every group is in the JSON file.", ""]
    columns = ["corruption", "strength", "worst FTA", "most own pictures lost", "highest FMR", "lowest FMR"]
    lines += [_line(columns), _line(["---"] * len(columns))]
    for (corruption, strength), members in groupby(rows, key=lambda row: (row.corruption, row.strength)):
        step = list(members)
        fta = max(step, key=lambda row: row.fta.rate)
        lost = [(row.group, own) for row in step if (own := row.rates[0].own) is not None]
        false = [(row.group, fmr) for row in step if (fmr := row.rates[0].fmr) is not None]
        cells = [corruption, f"{strength:.4g}", _named(fta.group, fta.fta)]
        cells.append(_named(*max(lost, key=lambda pair: pair[1].rate)) if lost else "-")
        for choose in (max, min):
            cells.append(_named(*choose(false, key=lambda pair: pair[1].rate)) if false else "-")
        lines.append(_line(cells))
    return [*lines, ""]


def _named(group: str, rate: RateEstimate | None) -> str:
    return f"{group}: {percent(rate)}"


def _attacks(result: RobustnessResult) -> list[str]:
    lines = [
        "## Attacks",
        "",
        "*Eligible* pairs stood on the right side of the threshold before the attack; only these count. A patch is "
        "judged on the photograph, in several presentations of each pair; those without a template are counted apart.",
        "",
    ]
    columns = ["attack", "goal", "strength", "queries a pair", "threshold for", "eligible", "success", "median queries"]
    columns.append("no template")
    lines += [_line(columns), _line(["---"] * len(columns))]
    for row in result.attacks:
        cells = [
            row.method,
            row.goal,
            f"{row.strength:g} {row.unit}",
            str(row.queries),
            f"FMR {row.target:g}",
            str(row.eligible),
            percent(row.success),
            "-" if row.median_queries is None else f"{row.median_queries:.0f}",
            str(row.no_template) if row.examined == "picture" else "-",
        ]
        lines.append(_line(cells))
    return [*lines, ""]


def _line(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cell.replace("|", "/") for cell in cells) + " |"


def svg(result: RobustnessResult) -> str:
    """Error against strength: one small chart for each set and corruption, at the first threshold.

    Steps stand evenly spaced with their strengths below; bars are intervals.
    """
    charts = []
    rows = [row for row in result.ladder if row.group == ALL]
    for (dataset, corruption), members in groupby(rows, key=lambda row: (row.dataset, row.corruption)):
        if corruption != NONE:
            clean = next(row for row in rows if row.dataset == dataset and row.corruption == NONE)
            charts.append((dataset, corruption, [clean, *members]))
    columns, width, height = 3, 300, 210
    total = (columns * width, 40 + -(-len(charts) // columns) * height)
    title = f"Error against strength, {result.algorithm.label}"
    if result.thresholds:
        title += f", threshold for FMR {result.thresholds[0].target:g}"
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {total[0]} {total[1]}" role="img" '
        f'aria-label="{escape(title)}" font-family="sans-serif" font-size="11">',
        f'<rect width="{total[0]}" height="{total[1]}" fill="white"/>',
        f'<text x="10" y="16" font-size="13">{escape(title)}</text>',
    ]
    for number, (name, colour) in enumerate(_COLOURS.items()):
        x = 10 + 140 * number
        parts.append(f'<rect x="{x}" y="23" width="10" height="10" fill="{colour}"/>')
        parts.append(f'<text x="{x + 14}" y="32">{name}</text>')
    for number, (dataset, corruption, steps) in enumerate(charts):
        x, y = (number % columns) * width, 40 + (number // columns) * height
        parts.append(f'<g transform="translate({x},{y})">')
        parts += _chart(f"{dataset}: {corruption}", steps)
        parts.append("</g>")
    return "\n".join([*parts, "</svg>"]) + "\n"


def _chart(title: str, steps: Sequence[LadderRow]) -> list[str]:
    left, right, top, bottom = 38.0, 290.0, 26.0, 160.0

    def across(number: int) -> float:
        return left + 12 + (right - left - 24) * number / max(len(steps) - 1, 1)

    def up(rate: float) -> float:
        return bottom - (bottom - top) * rate

    parts = [f'<text x="{left}" y="16">{escape(title)}</text>']
    for tick in (0.0, 0.25, 0.5, 0.75, 1.0):
        parts.append(f'<line x1="{left}" x2="{right}" y1="{up(tick):.1f}" y2="{up(tick):.1f}" stroke="#ddd"/>')
        parts.append(f'<text x="{left - 4}" y="{up(tick) + 4:.1f}" text-anchor="end">{100 * tick:.0f} %</text>')
    for number, row in enumerate(steps):
        label = "clean" if row.corruption == NONE else f"{row.strength:.3g}"
        parts.append(f'<text x="{across(number):.1f}" y="{bottom + 14}" text-anchor="middle">{label}</text>')
    unit = steps[-1].unit
    parts.append(f'<text x="{(left + right) / 2}" y="{bottom + 30}" text-anchor="middle">{escape(unit)}</text>')
    for place, (name, colour) in enumerate(_COLOURS.items()):
        points: list[tuple[float, float]] = []
        for number, row in enumerate(steps):
            rate = _rate(row, name)
            if rate is None:
                continue
            x = across(number) + 1.5 * (place - 1.5)
            points.append((x, up(rate.rate)))
            low, high = rate.interval
            parts.append(f'<line x1="{x:.1f}" x2="{x:.1f}" y1="{up(low):.1f}" y2="{up(high):.1f}" stroke="{colour}"/>')
            parts.append(f'<circle cx="{x:.1f}" cy="{up(rate.rate):.1f}" r="2.4" fill="{colour}"/>')
        if len(points) > 1:
            path = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
            parts.append(f'<polyline points="{path}" fill="none" stroke="{colour}"/>')
    return parts


def _rate(row: LadderRow, name: str) -> RateEstimate | None:
    if name == "FTA":
        return row.fta
    if not row.rates:
        return None
    first = row.rates[0]
    if name == "own picture lost":
        # where there is an FNMR it says more
        return None if first.fnmr is not None else first.own
    return first.fnmr if name == "FNMR" else first.fmr
