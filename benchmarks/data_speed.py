"""Time the data room: ingest + validate + perceptual dedupe of a folder, and near-duplicate search over random hashes.

python -m benchmarks.data_speed pictures FOLDER [--labels labels.csv]
python -m benchmarks.data_speed hashes [--count 1000000]
python -m benchmarks.data_speed all FOLDER [--labels FOLDER/labels.csv] --write   (both; the page in docs/results)
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from pathlib import Path

import numpy as np

from benchmarks.machine import describe_machine

PAGE = Path("docs/results/data-speed.md")


def pictures(folder: Path, labels: str) -> dict[str, float]:
    """Seconds of each step in a fresh data set."""
    from samebody.lab.data import DataSet, SourceOptions, ingest
    from samebody.lab.data.dedupe import dedupe
    from samebody.lab.data.validate import validate

    seconds = {}
    with tempfile.TemporaryDirectory() as place:
        start = time.perf_counter()
        options = SourceOptions(labels=labels, constants={"source": folder.name, "licence": "unknown"})
        result = ingest([str(folder)], Path(place) / "set", options=options)
        seconds["ingest"] = time.perf_counter() - start
        data_set = DataSet.open(Path(place) / "set")
        start = time.perf_counter()
        validate(data_set, data_set.manifest())
        seconds["validate"] = time.perf_counter() - start
        start = time.perf_counter()
        _, found = dedupe(data_set)
        seconds["dedupe"] = time.perf_counter() - start
        print(f"{result.samples:,} pictures, {result.workers} processes; {found.counts}")
    return seconds


def hashes(count: int, radius: int) -> dict[str, float]:
    """Seconds of the search over ``count`` random hashes of which 1 % have a copy within the radius."""
    from samebody.lab.data.near import near_pairs

    random = np.random.default_rng(0)
    made = random.integers(0, 2**64, (count, 4), dtype=np.uint64)
    copies = count // 100
    made[-copies:] = made[:copies] ^ (np.uint64(1) << random.integers(0, 64, (copies, 4), dtype=np.uint64))
    near_pairs(made[:50_000], radius)  # compile
    start = time.perf_counter()
    found = near_pairs(made, radius)
    seconds = time.perf_counter() - start
    print(f"{count:,} hashes, radius {radius}: {len(found):,} pairs found of {copies:,} planted")
    assert len(found) == copies
    return {"near pairs": seconds}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="command", required=True)
    one = commands.add_parser("pictures")
    one.add_argument("folder", type=Path)
    one.add_argument("--labels", default="")
    two = commands.add_parser("hashes")
    both = commands.add_parser("all")
    both.add_argument("folder", type=Path)
    both.add_argument("--labels", default="")
    both.add_argument("--write", action="store_true")
    for each in (two, both):
        each.add_argument("--count", type=int, default=1_000_000)
        each.add_argument("--radius", type=int, default=23)
    given = parser.parse_args()
    started = f"{cores()} cores, load {os.getloadavg()[0]:.1f} before"
    print(started)
    if given.command == "hashes":
        show(hashes(given.count, given.radius))
        return
    steps = pictures(given.folder, given.labels)
    show(steps)
    if given.command == "all":
        near = hashes(given.count, given.radius)
        show(near)
        if given.write:
            files = sum(1 for path in given.folder.rglob("*") if path.suffix.lower() in (".jpg", ".jpeg", ".png"))
            write(steps, near["near pairs"], files, given.count, given.radius, started)


def cores() -> int:
    """Cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def show(seconds: dict[str, float]) -> None:
    """Seconds of each step and their sum."""
    for name, value in seconds.items():
        print(f"{name:12} {value:8.1f} s")
    print(f"{'all':12} {sum(seconds.values()):8.1f} s", flush=True)


def write(steps: dict[str, float], near: float, files: int, count: int, radius: int, started: str) -> None:
    """The page of both figures."""
    machine = describe_machine()
    rows = "\n".join(f"| {name} | {value:.1f} s |" for name, value in steps.items())
    PAGE.write_text(
        f"""# Speed of the data room

Written by `python -m benchmarks.data_speed all FOLDER --labels FOLDER/labels.csv --write`, one run.
{started};
{machine["processor"]}, Python {machine["python"]}, commit {machine["commit"]}.
No peer does the same three steps, so these are seconds, not ratios.

| {files:,} pictures | time |
| --- | --- |
{rows}
| all three (asked: under 180 s on 2 cores) | **{sum(steps.values()):.1f} s** |

Near duplicates among {count:,} random 256-bit hashes, distance up to {radius}, every planted copy found:
**{near:.1f} s** (asked: under 20 s).
""",
        encoding="utf-8",
    )


if __name__ == "__main__":
    main()
