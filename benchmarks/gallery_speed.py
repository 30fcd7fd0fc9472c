"""Speed of the durable gallery: enrolment with every batch synced, opening, first touch, lookup, compaction.

Beside it in the same run: SQLite with ``synchronous = FULL`` taking the same batches, and the bare write and sync of
the same bytes. Writes docs/results/gallery-speed.{json,md}.

    python -m benchmarks.gallery_speed fill    # the large plain gallery, once; may be interrupted and goes on
    python -m benchmarks.gallery_speed         # measure; needs the large gallery
    python -m benchmarks.gallery_speed --quick # small, written nowhere

``SAMEBODY_BENCH_FOLDER`` names the folder of the large gallery (6 GB; default in the cache folder).
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.machine import describe_machine, spread
from samebody import crypto
from samebody.search.gallery import Gallery
from samebody.search.types import Layout

RESULTS = Path(__file__).parents[1] / "docs" / "results"
CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "samebody"
LAYOUT = Layout("vector", "0" * 16, 128)
BATCH = 1_000
KEY = bytes(range(32))
"""Of the sealed galleries that are kept between runs; they hold random numbers."""
LARGE = 10_000_000
FILL_BATCH = 50_000
Row = dict[str, Any]


def drawn(count: int, seed: int) -> NDArray[np.float32]:
    """Unit vectors from a seed; nobody's face."""
    vectors = np.random.default_rng(seed).standard_normal((count, LAYOUT.size), dtype=np.float32)
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def row(what: str, unit: str, values: list[float], note: str = "", target: str = "", met: bool | None = None) -> Row:
    return {"what": what, "unit": unit, **spread(values), "note": note, "target": target, "met": met}


@contextmanager
def scratch(beside: Path) -> Iterator[Path]:
    beside.mkdir(parents=True, exist_ok=True)
    folder = Path(tempfile.mkdtemp(dir=beside))
    try:
        yield folder
    finally:
        shutil.rmtree(folder)


def enrolment(folder: Path, batches: int, repeats: int) -> list[Row]:
    """Batches of 1,000 templates, each durable before the next: gallery, SQLite, bare write and sync, in turns."""
    vectors = drawn(BATCH, 1)
    names = [[f"person-{batch:05d}-{row:04d}" for row in range(BATCH)] for batch in range(batches)]
    ways: dict[str, Callable[[Path], list[float]]] = {
        "plain": lambda path: _enrol(path, None, names, vectors),
        "sealed": lambda path: _enrol(path, crypto.generate_key(), names, vectors),
        "SQLite": lambda path: _sqlite(path, names, vectors),
        "bare": lambda path: _bare(path, batches, len(vectors.tobytes())),
    }
    rates: dict[str, list[float]] = {name: [] for name in ways}
    slowest: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(repeats):
        for name, way in ways.items():
            with scratch(folder) as here:
                seconds = way(here)
            rates[name].append(batches * BATCH / sum(seconds))
            slowest[name] += seconds
    rows = []
    for name in ("plain", "sealed"):
        met = bool(np.median(rates[name]) >= 20_000)
        rows.append(
            row(
                f"enrolment, batches of {BATCH:,}, {name}",
                "templates/s",
                rates[name],
                f"{batches * BATCH:,} templates a repeat, rolling of the log included; batch median "
                f"{1e3 * np.median(slowest[name]):.1f} ms, 99 % {1e3 * np.quantile(slowest[name], 0.99):.0f} ms",
                ">= 20,000",
                met,
            )
        )
    rows.append(row("the same into SQLite, synchronous FULL, WAL", "templates/s", rates["SQLite"]))
    rows.append(row("the same bytes written and synced bare", "templates/s", rates["bare"], "the disk's own limit"))
    return rows


def _enrol(path: Path, key: bytes | None, names: list[list[str]], vectors: NDArray[np.float32]) -> list[float]:
    seconds = []
    with Gallery.create(path / "g", layouts=[LAYOUT], key=key) as gallery:
        for batch in names:
            start = time.perf_counter()
            gallery.enrol_arrays("vector", batch, vectors, space=LAYOUT.space)
            seconds.append(time.perf_counter() - start)
    return seconds


def _sqlite(path: Path, names: list[list[str]], vectors: NDArray[np.float32]) -> list[float]:
    base, seconds = sqlite3.connect(path / "base"), []
    base.execute("pragma journal_mode = wal")
    base.execute("pragma synchronous = full")
    base.execute("create table record (id integer primary key, subject text, vector blob)")
    base.execute("create index record_subject on record (subject)")
    for batch in names:
        start = time.perf_counter()
        with base:
            base.executemany(
                "insert into record (subject, vector) values (?, ?)",
                ((name, each.tobytes()) for name, each in zip(batch, vectors, strict=True)),
            )
        seconds.append(time.perf_counter() - start)
    base.close()
    return seconds


def _bare(path: Path, batches: int, size: int) -> list[float]:
    data, seconds = os.urandom(size), []
    descriptor = os.open(path / "bare", os.O_CREAT | os.O_WRONLY)
    for _ in range(batches):
        start = time.perf_counter()
        os.write(descriptor, data)
        os.fsync(descriptor)
        seconds.append(time.perf_counter() - start)
    os.close(descriptor)
    return seconds


def single(folder: Path, count: int) -> list[Row]:
    """One template at a time, each durable."""
    vectors, rows = drawn(1, 2), []
    for name, key in (("plain", None), ("sealed", crypto.generate_key())):
        with scratch(folder) as here, Gallery.create(here / "g", layouts=[LAYOUT], key=key) as gallery:
            seconds = []
            for number in range(count):
                start = time.perf_counter()
                gallery.enrol_arrays("vector", [f"p{number}"], vectors, space=LAYOUT.space)
                seconds.append(1e3 * (time.perf_counter() - start))
        rows.append(row(f"enrolment of one template, durable, {name}", "ms", seconds))
    return rows


def fill(path: Path, records: int, seconds: float) -> bool:
    """Fill the large plain gallery, from where an earlier run ended; True when it is full."""
    until = time.monotonic() + seconds
    if not (path / "MANIFEST").exists():
        Gallery.create(path, layouts=[LAYOUT], key=None).close()
    with Gallery.open(path, mode="w") as gallery:
        for batch in range(len(gallery) // FILL_BATCH, records // FILL_BATCH):
            if time.monotonic() > until:
                print(f"{len(gallery):,} of {records:,} records; run again to go on")
                return False
            names = [f"person-{batch * FILL_BATCH + each:09d}" for each in range(FILL_BATCH)]
            gallery.enrol_arrays("vector", names, drawn(FILL_BATCH, batch), space=LAYOUT.space, request_id=f"b{batch}")
        print(f"{len(gallery):,} records")
    return True


OPEN = """
import sys, time, json
import numpy
from samebody.search.gallery import Gallery
from samebody.search.gallery import store
start = time.perf_counter()
gallery = Gallery.open(sys.argv[1])
count = len(gallery)
seconds = time.perf_counter() - start
start = time.perf_counter()
gallery.has("person-007654321")
first = time.perf_counter() - start
lookups = []
for number in range(200):
    start = time.perf_counter()
    assert gallery.has(f"person-{number * 7919 % count:09d}")
    lookups.append(time.perf_counter() - start)
memory = int(next(line for line in open("/proc/self/status") if line.startswith("VmRSS")).split()[1]) / 1024
print(json.dumps([count, seconds, first, sorted(lookups)[100], memory]))
"""


def opening(path: Path, repeats: int) -> list[Row]:
    """A new process opens the large plain gallery, with and without its files in the page cache."""
    rows = []
    for cached in (False, True):
        figures = []
        for _ in range(repeats):
            if not cached:
                _drop(path)
            done = subprocess.run([sys.executable, "-c", OPEN, str(path)], capture_output=True, text=True, check=True)
            figures.append(json.loads(done.stdout))
        count, seconds, first, lookups, memory = (list(each) for each in zip(*figures, strict=True))
        how = "files in the page cache" if cached else "files not in the page cache"
        what = f"plain gallery of {count[0]:,} records"
        met = bool(np.median(seconds) < 1)
        rows.append(row(f"{what}: open and count", "s", seconds, how, "< 1", met))
        rows.append(row(f"{what}: first lookup of a subject", "ms", [1e3 * each for each in first], how))
        rows.append(
            row(f"{what}: lookup of a subject", "ms", [1e3 * each for each in lookups], how + ", median of 200")
        )
        rows.append(row(f"{what}: memory after that", "MiB resident", memory, how))
    return rows


def _drop(path: Path) -> None:
    for each in path.iterdir():
        descriptor = os.open(each, os.O_RDONLY)
        os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
        os.close(descriptor)


def prepare(path: Path, records: int) -> None:
    """A plain and a sealed gallery of one segment or few, for :func:`touching`."""
    for name, key in (("plain", None), ("sealed", KEY)):
        folder = path / f"touch-{name}"
        if not (folder / "MANIFEST").exists():
            Gallery.create(folder, layouts=[LAYOUT], key=key).close()
        with Gallery.open(folder, key=key, mode="w") as gallery:
            for batch in range(records // FILL_BATCH):
                names = [f"person-{batch * FILL_BATCH + each:09d}" for each in range(FILL_BATCH)]
                vectors = drawn(FILL_BATCH, batch)
                gallery.enrol_arrays("vector", names, vectors, space=LAYOUT.space, request_id=f"b{batch}")
            gallery.compact()


def touching(path: Path, records: int, repeats: int) -> list[Row]:
    """First touch of every block: checksums of a plain gallery, decryption of a sealed one; and compaction."""
    rows = []
    for name, key in (("plain", None), ("sealed", KEY)):
        folder = path / f"touch-{name}"
        size = sum(each.stat().st_size for each in folder.iterdir()) / 1e9
        opens, loads, again, checks = [], [], [], []
        for _ in range(repeats):
            start = time.perf_counter()
            gallery = Gallery.open(folder, key=key)
            opens.append(1e3 * (time.perf_counter() - start))
            for times in (loads, again):
                start = time.perf_counter()
                gallery.load("vector")
                times.append((time.perf_counter() - start) / size)
            start = time.perf_counter()
            assert gallery.verify().sound
            checks.append((time.perf_counter() - start) / size)
            gallery.close()
            del gallery
        note = f"{records:,} records, {size:.2f} GB, files in the page cache"
        what = "checksums" if key is None else "decryption into private memory"
        rows.append(row(f"{name}: open", "ms", opens, note))
        rows.append(row(f"{name}: first touch of every block ({what})", "s/GB", loads, note))
        rows.append(row(f"{name}: second touch", "s/GB", again, note))
        rows.append(row(f"{name}: verify", "s/GB", checks, note))
        rows.append(_compaction(folder, key, name, size))
    return rows


def _compaction(folder: Path, key: bytes | None, name: str, size: float) -> Row:
    with Gallery.open(folder, key=key, mode="w") as gallery:
        gallery.delete(next(gallery.subjects()))
        start = time.perf_counter()
        report = gallery.compact()
        seconds = time.perf_counter() - start
        assert report.removed == 1 and report.verified
    return row(f"{name}: compaction after a deletion", "s/GB", [seconds / size], "the whole segment is written anew")


def as_markdown(rows: list[Row], machine: dict[str, Any]) -> str:
    lines = [
        "# Speed of the gallery",
        "",
        "Made by `python -m benchmarks.gallery_speed`. Templates are 128 numbers of float32, drawn at random. Every",
        "batch is synced to the disk before it is acknowledged; the syncs are those of this machine's virtual disk,",
        "which may acknowledge from a cache of its own.",
        "",
        f"Machine: {machine['processor']}, {machine['cores']} cores, {machine['memory_gib']} GiB, "
        f"Python {machine['python']}, numpy {machine['versions']['numpy']}; commit {machine['commit']}.",
        "",
        "| what | median | range | n | target | met | note |",
        "| --- | --- | --- | --- | --- | --- | --- |",
    ]
    for each in rows:
        met = {None: "", True: "yes", False: "no"}[each["met"]]
        figures = f"{_figure(each['median'])} {each['unit']} | {_figure(each['minimum'])}-{_figure(each['maximum'])}"
        lines.append(f"| {each['what']} | {figures} | {each['count']} | {each['target']} | {met} | {each['note']} |")
    return "\n".join(lines) + "\n"


def _figure(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", nargs="?", choices=("all", "enrol", "open", "touch", "fill"), default="all")
    parser.add_argument("--quick", action="store_true", help="small, written nowhere")
    parser.add_argument("--seconds", type=float, default=1e9, help="of one fill")
    options = parser.parse_args()
    folder = Path(os.environ.get("SAMEBODY_BENCH_FOLDER") or CACHE / "gallery-bench")
    large = folder / ("quick" if options.quick else "large")
    records = 200_000 if options.quick else LARGE
    touched = 100_000 if options.quick else 1_000_000
    folder.mkdir(parents=True, exist_ok=True)
    fills = options.what == "fill" or (options.quick and options.what != "enrol")
    if fills and fill(large, records, options.seconds):
        prepare(folder, touched)
    parts: dict[str, list[Row]] = {}
    kept = RESULTS / "gallery-speed.json"
    if kept.exists() and not options.quick:
        parts = json.loads(kept.read_text())["parts"]
    if options.what in ("all", "enrol"):
        parts["enrol"] = enrolment(folder, 40 if options.quick else 100, 2 if options.quick else 5)
        parts["enrol"] += single(folder, 50 if options.quick else 300)
    if options.what in ("all", "open"):
        parts["open"] = opening(large, 2 if options.quick else 7)
    if options.what in ("all", "touch"):
        parts["touch"] = touching(folder, touched, 1 if options.quick else 3)
    if options.what == "fill":
        return
    rows = [each for name in ("enrol", "open", "touch") for each in parts.get(name, [])]
    machine = describe_machine()
    text = as_markdown(rows, machine)
    print(text)
    if not options.quick:
        RESULTS.mkdir(parents=True, exist_ok=True)
        kept.write_text(json.dumps({"machine": machine, "parts": parts}, indent=1) + "\n")
        (RESULTS / "gallery-speed.md").write_text(text)


if __name__ == "__main__":
    main()
