"""`samebody gallery` on a million irises and a million vectors: ``python -m benchmarks.gallery_demo``.

All of them are synthetic. The commands are run as a user would, and written with what they printed and what they took.

Sizes are options, so that the same page can be made small; the page names them.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from benchmarks.machine import describe_machine
from samebody.cli.gallery_create import synthetic_probes
from samebody.search.thresholds import synthetic_vector_space
from samebody.search.types import Layout

RESULTS = Path(__file__).parents[1] / "docs" / "results"
SEED = 20260
"""Of the synthetic galleries, as `samebody gallery create` has it by default."""
SPARE = 1.25
"""Disk wanted, as a multiple of the payload."""


@dataclass(frozen=True)
class Ran:
    """One command: as typed, exit code, output, seconds, peak memory of its process in MB."""

    command: str
    code: int
    output: str
    seconds: float
    peak: float


def run(folder: Path, *arguments: str) -> Ran:
    """Run ``samebody gallery ...`` in ``folder``."""
    start = time.perf_counter()
    with tempfile.TemporaryFile() as out:
        process = subprocess.Popen(
            [sys.executable, "-m", "samebody", "gallery", *arguments],
            cwd=folder,
            stdout=out,
            stderr=subprocess.STDOUT,
            env={**os.environ, "COLUMNS": "120"},
        )
        _, status, usage = os.wait4(process.pid, 0)
        seconds = time.perf_counter() - start
        out.seek(0)
        output = out.read().decode()
    process.returncode = os.waitstatus_to_exitcode(status)
    command = "samebody gallery " + " ".join(arguments)
    print(f"{seconds:8.1f} s  {usage.ru_maxrss / 1024:8.0f} MB  rc {process.returncode}  {command}", flush=True)
    return Ran(command, process.returncode, output.rstrip(), seconds, usage.ru_maxrss / 1024)


def require_disk(folder: Path, irises: int, vectors: int, dimension: int) -> None:
    """Stop before anything is written when the disk is too small."""
    wanted = SPARE * max(irises * 200 * 16, vectors * dimension * 4)
    free = shutil.disk_usage(folder).free
    if free < wanted:
        raise SystemExit(f"{wanted / 1e9:.1f} GB are needed in {folder}, {free / 1e9:.1f} GB are free: use --folder")


def irises(folder: Path, count: int, fpir: str) -> list[Ran]:
    """A million irises: created, described, searched exactly, by the cascade and on shards; deleted from."""
    person = str(count * 2 // 3)
    search = ("identify", "irises", "--synthetic-person", person, "--fpir", fpir, "--allow-extrapolated")
    stranger = ("identify", "irises", "--synthetic-person", str(count + 5), "--fpir", fpir, "--allow-extrapolated")
    return [
        run(folder, "create", "irises", "--synthetic", "iris", "--count", str(count), "--plain"),
        run(folder, "stats", "irises"),
        run(folder, *search[:4], "--fpir", "0.001", "--candidates", "3"),
        run(folder, *search),
        run(folder, *stranger),
        run(folder, *search, "--engine", "hamming-cascade"),
        run(folder, *search, "--engine", "ray", "--shards", "2"),
        run(folder, "bench", "irises", "--probes", "4", "--repeats", "1", "--allow-extrapolated"),
        run(folder, "delete", "irises", f"synthetic-{int(person):09d}"),
        run(folder, *search),
    ]


def vectors(folder: Path, count: int, dimension: int) -> list[Ran]:
    """A million vectors: created, described, searched exactly, timed; a smaller gallery deduplicated."""
    person = ("--synthetic-person", str(count // 3), "--synthetic-person", str(count + 5))
    few = min(20_000, count)
    size = ("--dimension", str(dimension))
    aliases(folder / "aliases.npz", few, dimension)
    return [
        run(folder, "create", "vectors", "--synthetic", "vector", "--count", str(count), *size, "--plain"),
        run(folder, "stats", "vectors"),
        run(folder, "identify", "vectors", *person),
        run(folder, "bench", "vectors", "--engines", "int8", "--probes", "64", "--repeats", "2"),
        run(folder, "create", "few", "--synthetic", "vector", "--count", str(few), *size, "--plain"),
        run(folder, "enrol", "few", "aliases.npz"),
        run(folder, "enrol", "few", "aliases.npz", "--duplicates", "allow"),
        run(folder, "dedupe", "few", "--journal", "journal"),
        run(folder, "snapshot", "few", "copy"),
        run(folder, "verify", "copy"),
    ]


def aliases(path: Path, people: int, dimension: int) -> None:
    """Eight synthetic people once more, under other names: another capture of each."""
    chosen = [number * people // 8 for number in range(8)]
    layout = Layout("vector", synthetic_vector_space(dimension).digest, dimension)
    probes = synthetic_probes(layout, SEED, chosen)
    names = [f"alias-of-{number:09d}" for number in chosen]
    np.savez(path, vectors=probes.vectors, subjects=np.array(names), space=np.array(layout.space))


def page(sections: list[tuple[str, str, list[Ran]]], total: float, load: float) -> str:
    """The page in Markdown."""
    lines = [
        "# `samebody gallery` on a million irises and a million vectors",
        "",
        "Written by `python -m benchmarks.gallery_demo`. Every template is synthetic and drawn from a seed: speed,",
        "memory and behaviour are real, error rates say nothing about people. The galleries are `plain`: nobody is in",
        "them.",
        "",
        f"Machine: {describe_text()}; load at the start {load:.1f}. The whole demonstration took {total:.0f} s. Peak",
        "memory counts the pages of mapped files that were read.",
        "",
    ]
    for title, text, steps in sections:
        lines += [f"## {title}", "", text, "", "| command | exit code | seconds | peak memory, MB |"]
        lines += ["| --- | --- | --- | --- |"]
        lines += [f"| `{step.command}` | {step.code} | {step.seconds:.1f} | {step.peak:,.0f} |" for step in steps]
        lines.append("")
        for step in steps:
            lines += ["```", f"$ {step.command}", step.output, "```", ""]
    return "\n".join(lines)


def describe_text() -> str:
    """The machine in one line."""
    found = describe_machine()
    return f"{found['processor']}, {found['cores']} cores, {found['memory_gib']} GiB, commit {found['commit']}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--irises", type=int, default=1_000_000)
    parser.add_argument("--vectors", type=int, default=1_000_000)
    parser.add_argument("--dimension", type=int, default=512)
    parser.add_argument("--fpir", default="0.1", help="of searches among irises")
    parser.add_argument("--folder", type=Path, default=Path(tempfile.gettempdir()))
    parser.add_argument("--out", type=Path, default=RESULTS / "gallery-demo.md")
    options = parser.parse_args()
    require_disk(options.folder, options.irises, options.vectors, options.dimension)
    start, load = time.perf_counter(), os.getloadavg()[0]
    sections = []
    parts = (
        (
            f"{options.irises:,} irises",
            "Codes of 12,800 bits with masks, 3,200 bytes each, compared at 31 rotations. The first search asks for "
            "an FPIR that the operating points (of 72 million pairs) cannot serve among so many, and gets no decision. "
            "The third is of somebody who is not enrolled, the last of somebody who was deleted.",
            lambda folder: irises(folder, options.irises, options.fpir),
        ),
        (
            f"{options.vectors:,} vectors of {options.dimension} numbers",
            "The second search is of somebody who is not enrolled. Eight people of a smaller gallery come again under "
            "other names: refused, then allowed in, then found by comparing all pairs.",
            lambda folder: vectors(folder, options.vectors, options.dimension),
        ),
    )
    for title, text, work in parts:
        folder = Path(tempfile.mkdtemp(prefix="samebody-demo-", dir=options.folder))
        try:
            sections.append((title, text, work(folder)))
        finally:
            shutil.rmtree(folder)
    total = time.perf_counter() - start
    options.out.write_text(page(sections, total, load), "utf-8")
    figures = [
        {"command": step.command, "seconds": round(step.seconds, 2), "peak_mb": round(step.peak)}
        for _, _, steps in sections
        for step in steps
    ]
    options.out.with_suffix(".json").write_text(json.dumps(figures, indent=1) + "\n", "utf-8")
    print(f"written: {options.out.name} ({total:.0f} s)")


if __name__ == "__main__":
    main()
