"""``make bench``: every speed figure in one run, ratios against peers first; writes docs/results/bench.{json,md}."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from benchmarks import face, measure, pipeline
from benchmarks.machine import describe_machine

RESULTS = Path(__file__).parents[1] / "docs" / "results"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="fewer repeats")
    parser.add_argument("--only", choices=("face", "pipeline", "measure"), help="one part")
    options = parser.parse_args()
    machine = describe_machine()
    rows: list[dict[str, Any]] = []
    for name, module in (("face", face), ("pipeline", pipeline), ("measure", measure)):
        if options.only in (None, name):
            rows += module.run(quick=options.quick)
    console = Console()
    console.print(
        f"{machine['processor']}, {machine['cores']} cores, Python {machine['python']}, commit {machine['commit']}"
    )
    console.print(as_table(rows))
    if options.only is None:
        RESULTS.mkdir(parents=True, exist_ok=True)
        (RESULTS / "bench.json").write_text(
            json.dumps({"machine": machine, "quick": options.quick, "rows": rows}, indent=1) + "\n"
        )
        (RESULTS / "bench.md").write_text(as_markdown(rows, machine, quick=options.quick))
        console.print(f"written to {RESULTS / 'bench.md'}")


def triple(figure: dict[str, float], digits: int) -> str:
    median, lower, upper = (figure[name] for name in ("median", "lower_quartile", "upper_quartile"))
    return f"{median:.{digits}f} ({lower:.{digits}f}-{upper:.{digits}f})"


def _cells(row: dict[str, Any]) -> tuple[str, str, str, str, str, str]:
    ours, peer, ratio = row["ours"], row.get("peer"), row.get("ratios")
    digits = 3 if row["unit"] == "s" else 1

    def number(figure: dict[str, float]) -> str:
        return triple(figure, digits)

    ratio_text = triple(ratio, 2) if ratio else ""
    target = row["target"] if isinstance(row["target"], str) else f"ratio >= {row['target']:g}"
    peer_text = f"{number(peer)} {row.get('peer_name', '')}".strip() if peer else ""
    return (
        row["name"],
        f"{number(ours)} {row['unit']}",
        peer_text,
        ratio_text,
        target,
        "yes" if row["met"] else "no",
    )


HEADER = ("what", "samebody, median (quartiles)", "peer", "ratio", "target", "met")


def as_table(rows: list[dict[str, Any]]) -> Table:
    table = Table(*HEADER)
    for row in rows:
        table.add_row(*_cells(row))
    return table


def as_markdown(rows: list[dict[str, Any]], machine: dict[str, Any], *, quick: bool) -> str:
    command = "python -m benchmarks --quick" if quick else "make bench"
    lines = [
        "# Speed and memory",
        "",
        f"Made by `{command}`. Ratios are taken pair by pair in one run; above 1 means that samebody is faster.",
        "",
        f"Machine: {machine['processor']}, {machine['cores']} cores, {machine['memory_gib']} GiB, "
        f"Python {machine['python']}, "
        + ", ".join(f"{name} {version}" for name, version in machine["versions"].items())
        + f"; commit {machine['commit']}.",
        "",
        "| " + " | ".join(HEADER) + " |",
        "|" + " --- |" * len(HEADER),
    ]
    lines += ["| " + " | ".join(_cells(row)) + " |" for row in rows]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    main()
