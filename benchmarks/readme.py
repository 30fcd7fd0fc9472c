"""Put the figures of docs/results into README, between its markers; ``--check`` only says whether they are current."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
RESULTS = ROOT / "docs" / "results"
BEGIN, END = "<!-- figures:begin -->\n", "<!-- figures:end -->"


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
    lines = as_markdown(data["rows"], data["machine"]).splitlines()
    return ["### Speed and memory (`make bench`, [details](docs/results/bench.md))", "", *lines[4:], ""]


SECTIONS: tuple[Callable[[], list[str]], ...] = (speed,)


def figures() -> str:
    """The whole block between the markers."""
    return "\n".join(line for section in SECTIONS for line in section())


def updated(readme: str) -> str:
    """``readme`` with the block replaced."""
    head, rest = readme.split(BEGIN)
    _, tail = rest.split(END)
    return head + BEGIN + figures() + "\n" + END + tail


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true")
    options = parser.parse_args()
    path = ROOT / "README.md"
    before = path.read_text()
    after = updated(before)
    if options.check:
        return int(before != after)
    path.write_text(after)
    return 0


if __name__ == "__main__":
    sys.exit(main())
