"""Put the figures of docs/results into README and threat model; ``--check`` only says whether they are current."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
RESULTS = ROOT / "docs" / "results"


def load(name: str) -> Any:
    """A result file as data, None when it has not been made."""
    path = RESULTS / name
    return json.loads(path.read_text()) if path.exists() else None


def speed() -> list[str]:
    """The table of ``make bench``."""
    from benchmarks.__main__ import as_markdown

    data = load("bench.json")
    if data is None:
        return []
    lines = as_markdown(data["rows"], data["machine"], quick=data["quick"]).splitlines()
    return ["### Speed and memory (`make bench`, [details](docs/results/bench.md))", "", *lines[4:], ""]


def percent(share: dict[str, Any], digits: int = 1) -> str:
    """A share with its interval."""
    return f"{100 * share['rate']:.{digits}f} % [{100 * share['low']:.{digits}f}, {100 * share['high']:.{digits}f}]"


def reading() -> list[str]:
    """The MRZ on the second renderer."""
    data = load("mrz-accuracy.json")
    if data is None:
        return []
    lines = [
        "### Reading the MRZ (`python -m benchmarks.mrz_accuracy`, [details](docs/results/mrz-accuracy.md))",
        "",
        f"On photographs of the second renderer, which nobody tunes on, {data['photographs_per_cell']} a cell; "
        "exact 95 % intervals. *Silent wrong*: a field is wrong, every check digit agrees, and the field is not "
        "marked unsure. "
        "Rendered photographs are not real ones.",
        "",
        "| format | range | all lines exact | silent wrong |",
        "| --- | --- | --- | --- |",
    ]
    for row in data["results"]:
        cells = (row["format"], row["difficulty"], percent(row["exact"]), percent(row["silent"], 2))
        lines.append("| " + " | ".join(cells) + " |")
    return [*lines, ""]


def forgeries() -> list[str]:
    """What the forgery checks together see, per species, on the second renderer."""
    data = load("forgery-rates.json")
    if data is None or "second" not in data["results"]:
        return []
    lines = [
        "### Forgery checks (`python -m benchmarks.forgery_rates`, [details](docs/results/forgery-rates.md))",
        "",
        f"Second renderer, {data['photographs_per_species']} photographs a species; a date edited in both zones or a "
        "changed visual zone is the business of the check digits and the cross-check, not of these.",
        "",
        "| species | some check fails | some check fails or doubts |",
        "| --- | --- | --- |",
    ]
    for species, value in data["results"]["second"]["together"].items():
        cells = (species.replace("_", " "), percent(value["any_fail"]), percent(value["any_fail_or_unsure"]))
        lines.append("| " + " | ".join(cells) + " |")
    return [*lines, ""]


def matching() -> list[str]:
    """The operating points in the record of the default embedder."""
    from samebody.models import catalogue

    record = catalogue()["face/sface"]
    lines = [
        "### Face matching (`samebody evaluate operating-points`, [details](docs/results/sface-operating-points.md))",
        "",
        "| population | FMR asked | threshold | FMR 95 % interval | FNMR (on small grey pictures) | |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    for point in record.operating_points:
        if point.population not in ("matched-adults", "all-pairs"):
            continue
        marks = [name for name in ("indicative", "extrapolated") if getattr(point, name)]
        fnmr = f"{100 * point.fnmr:.1f} %" if point.fnmr is not None else ""
        interval = f"{point.fmr_interval[0]:.1e} to {point.fmr_interval[1]:.1e}"
        cells = (point.population, f"{point.fmr:g}", f"{point.threshold:.3f}", interval, fnmr, ", ".join(marks))
        lines.append("| " + " | ".join(cells) + " |")
    return [*lines, ""]


SECTIONS: tuple[Callable[[], list[str]], ...] = (speed, matching, reading, forgeries)


def figures() -> str:
    """The whole block between the markers."""
    return "\n".join(line for section in SECTIONS for line in section())


def threats() -> str:
    """The table of the threat model: every check's share of ``fail`` on every species of the second renderer."""
    data = load("forgery-rates.json")
    if data is None or "second" not in data["results"]:
        return "Not measured on this commit yet: `python -m benchmarks.forgery_rates`."
    result = data["results"]["second"]
    species = list(result["together"])
    lines = [
        f"Share of `fail` (and of `unsure` after the stroke), {data['photographs_per_species']} photographs a species, "
        f"intervals in [the results](results/forgery-rates.md).",
        "",
        "| check | " + " | ".join(name.replace("_", " ") for name in species) + " |",
        "|" + " --- |" * (len(species) + 1),
    ]
    for check, values in result["checks"].items():
        cells = [
            f"{100 * values[name]['fail']['rate']:.0f} / {100 * values[name]['unsure']['rate']:.0f} %"
            for name in species
        ]
        lines.append(f"| `{check}` | " + " | ".join(cells) + " |")
    together = [f"{100 * result['together'][name]['any_fail']['rate']:.0f} %" for name in species]
    return "\n".join([*lines, "| some check | " + " | ".join(together) + " |"])


BLOCKS: tuple[tuple[str, str, Callable[[], str]], ...] = (
    ("README.md", "figures", figures),
    ("docs/threat-model.md", "forgery-rates", threats),
)


def updated(text: str, marker: str, content: str) -> str:
    """``text`` with what stands between the two comments named ``marker`` replaced by ``content``."""
    begin, end = f"<!-- {marker}:begin -->\n", f"<!-- {marker}:end -->"
    head, rest = text.split(begin)
    _, tail = rest.split(end)
    return head + begin + content + "\n" + end + tail


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true")
    options = parser.parse_args()
    stale = 0
    for name, marker, content in BLOCKS:
        path = ROOT / name
        before = path.read_text()
        after = updated(before, marker, content())
        stale |= int(before != after)
        if not options.check:
            path.write_text(after)
    return stale if options.check else 0


if __name__ == "__main__":
    sys.exit(main())
