"""What the accuracy harnesses share: rendered specimens cached by seed, exact intervals, the machine, the data."""

from __future__ import annotations

import hashlib
import importlib
import json
import multiprocessing
import os
import platform
import subprocess
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict
from datetime import date
from functools import cache
from importlib.metadata import PackageNotFoundError
from importlib.metadata import version as package_version
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image as PillowImage
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from scipy import stats

from samebody.synth.truth import Photograph, SpecimenTruth
from samebody.types import Image

ROOT = Path(__file__).resolve().parent.parent
FORMATS = ("TD1", "TD2", "TD3", "MRV-A", "MRV-B")
FIRST_SEED = 1000
"""Seeds of the reported figures start here; smaller ones are for looking at pictures while the renderer is written."""


def judged_on(renderer: str) -> date | None:
    """The day expiry is judged by: the second renderer draws dates about one day, the first has its own habit."""
    return date(2026, 1, 1) if renderer == "second" else None


def cache_folder() -> Path:
    """Folder of rendered pictures and unfinished runs; safe to delete."""
    base = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    return Path(base) / "samebody" / "benchmarks"


def digest_of(folders: Iterable[Path]) -> str:
    """First 12 hexadecimal digits of a SHA-256 over the source files below ``folders``."""
    digest = hashlib.sha256()
    for folder in folders:
        for path in sorted(folder.rglob("*")):
            if path.suffix in (".py", ".toml", ".yaml", ".json", ".otf", ".ttf", ".npz", ".npy", ".onnx"):
                digest.update(str(path.relative_to(ROOT)).encode() + path.read_bytes())
    return digest.hexdigest()[:12]


@cache
def renderer_version(renderer: str) -> str:
    """What a cached picture depends on besides its seed."""
    if renderer == "second":
        from benchmarks.second_renderer import version

        return version()
    return digest_of([ROOT / "src" / "samebody" / "synth"])


@cache
def code_version() -> str:
    """What a reading depends on: the runtime's code and records."""
    return digest_of([ROOT / "src" / "samebody" / room for room in ("document", "models", "capture", "face", "match")])


def data_folder() -> Path | None:
    """The development data sets, if they lie beside the checkout or where ``SAMEBODY_DATA`` says."""
    for candidate in (os.environ.get("SAMEBODY_DATA"), str(ROOT.parent / "shared" / "data")):
        if candidate and Path(candidate).is_dir():
            return Path(candidate)
    return None


@cache
def _faces() -> tuple[Path, ...]:
    folder = data_folder()
    if folder is None:
        return ()
    return tuple(sorted((folder / "fairface" / "images").glob("*.jpg"))) or tuple(
        sorted((folder / "orl").rglob("*.pgm"))
    )


def portraits_are_photographs() -> bool:
    """Whether portraits come from real pictures rather than from the renderer's drawn faces."""
    return bool(_faces())


def portrait_pair(seed: int) -> tuple[Image | None, Image | None]:
    """Two different people's photographs for a seed: the holder's and the one a forger swaps in; None without data."""
    faces = _faces()
    if not faces:
        return None, None
    first, second = np.random.default_rng([seed, 77]).choice(len(faces), size=2, replace=False)
    one, two = (np.asarray(PillowImage.open(faces[index]).convert("RGB"), np.uint8) for index in (first, second))
    return Image(one), Image(two)


def make(
    renderer: str, format: str, difficulty: str, seed: int, *, forgery: str | None = None, photographs: bool = False
) -> Photograph:
    """Render one photograph with either renderer."""
    portrait, swapped = portrait_pair(seed) if photographs else (None, None)
    if renderer == "second":
        from benchmarks.second_renderer import render

        return render(format, seed=seed, difficulty=difficulty, portrait=portrait, swapped=swapped, forgery=forgery)
    specimen = importlib.import_module("samebody.synth.specimen").render(
        format, seed=seed, portrait=portrait, forgery=forgery, substitute=swapped
    )
    taken = importlib.import_module("samebody.synth.photograph").photograph(specimen, difficulty=difficulty, seed=seed)
    if not isinstance(taken, Photograph):
        raise TypeError("the first renderer returned no Photograph")
    return taken


def cached(
    renderer: str, format: str, difficulty: str, seed: int, *, forgery: str | None = None, photographs: bool = False
) -> tuple[bytes, SpecimenTruth]:
    """JPEG bytes and truth of a photograph, rendered once and kept on disk."""
    kind = forgery or "bona-fide"
    faces = "photo" if photographs and portraits_are_photographs() else "drawn"
    folder = cache_folder() / f"{renderer}-{renderer_version(renderer)}" / difficulty / format / f"{kind}-{faces}"
    picture, notes = folder / f"{seed}.jpg", folder / f"{seed}.json"
    try:
        return picture.read_bytes(), _truth(json.loads(notes.read_text("utf-8")))
    except (OSError, ValueError, TypeError):
        pass
    taken = make(renderer, format, difficulty, seed, forgery=forgery, photographs=photographs)
    folder.mkdir(parents=True, exist_ok=True)
    text = json.dumps(asdict(taken.truth), default=float)
    for path, content in ((picture, taken.jpeg), (notes, text.encode())):
        half = path.with_suffix(f"{path.suffix}.{os.getpid()}.part")
        half.write_bytes(content)
        half.replace(path)
    return taken.jpeg, _truth(json.loads(text))


def _truth(notes: dict[str, Any]) -> SpecimenTruth:
    for name in ("page", "mrz", "portrait", "ghost"):
        if notes[name] is not None:
            notes[name] = tuple((float(x), float(y)) for x, y in notes[name])
    notes["mrz_lines"] = tuple(notes["mrz_lines"])
    return SpecimenTruth(**notes)


def clopper_pearson(hits: int, trials: int, confidence: float = 0.95) -> tuple[float, float]:
    """Exact two-sided interval of a binomial share (Clopper and Pearson 1934); (0, 1) without trials."""
    if trials == 0:
        return (0.0, 1.0)
    tail = (1 - confidence) / 2
    low = 0.0 if hits == 0 else float(stats.beta.ppf(tail, hits, trials - hits + 1))
    high = 1.0 if hits == trials else float(stats.beta.ppf(1 - tail, hits + 1, trials - hits))
    return (low, high)


def share(hits: int, trials: int) -> dict[str, Any]:
    """A share with its counts and exact 95 % interval, JSON-ready."""
    low, high = clopper_pearson(hits, trials)
    return {"hits": hits, "trials": trials, "rate": hits / trials if trials else None, "low": low, "high": high}


def shown(value: dict[str, Any], *, digits: int = 1) -> str:
    """``97.3 % (95.0-98.8)``."""
    if value["rate"] is None:
        return "-"
    return f"{100 * value['rate']:.{digits}f} % ({100 * value['low']:.{digits}f}-{100 * value['high']:.{digits}f})"


def circumstances() -> dict[str, Any]:
    """Commit, machine and versions that a figure was made with."""

    def git(*arguments: str) -> str:
        done = subprocess.run(["git", "-C", str(ROOT), *arguments], capture_output=True, text=True, check=False)
        return done.stdout.strip()

    versions = {}
    for name in ("samebody", "numpy", "opencv-python-headless", "onnxruntime", "Pillow"):
        try:
            versions[name] = package_version(name)
        except PackageNotFoundError:
            versions[name] = "not installed"
    return {
        "commit": git("rev-parse", "HEAD") or "unknown",
        "uncommitted_changes": bool(git("status", "--porcelain", "--", "src", "benchmarks")),
        "machine": platform.machine(),
        "processor": _processor(),
        "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        "python": platform.python_version(),
        "versions": versions,
    }


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text("utf-8").splitlines()
    except OSError:
        return platform.processor()
    return next(
        (line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")), platform.processor()
    )


def write_atomically(path: Path, text: str) -> None:
    """Write a result file whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    half = path.with_name(path.name + ".part")
    half.write_text(text, "utf-8")
    half.replace(path)


def table(head: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """A Markdown table."""
    lines = ["| " + " | ".join(head) + " |", "|" + " --- |" * len(head)]
    lines += ["| " + " | ".join(str(cell) for cell in row) + " |" for row in rows]
    return "\n".join(lines)


# ----------------------------------------------------------------------------------------------- runs that go on later

Record = dict[str, Any]
Measure = Callable[[Any], Record]


def read_journal(journal: Path) -> dict[tuple[Any, ...], Record]:
    """Records by their case; a half-written line is left out."""
    done: dict[tuple[Any, ...], Record] = {}
    for line in journal.read_text("utf-8").splitlines() if journal.is_file() else ():
        try:
            record = json.loads(line)
        except ValueError:  # the last line of a run that was killed
            continue
        done[tuple(record["case"])] = record
    return done


def collect(
    cases: Sequence[tuple[Any, ...]],
    measured: Callable[[Sequence[Any]], Iterator[Record]],
    journal: Path,
    *,
    progress: bool = True,
) -> list[Record]:
    """Records of all cases in their order; those that ``journal`` holds already are not measured again.

    Args:
        cases: what identifies a measurement; records hold it under ``case``.
        measured: yields the records of the cases it is handed, see :func:`measured_by`.
        journal: JSON lines, appended to as records come.
    """
    done = read_journal(journal)
    missing = [case for case in cases if case not in done]
    journal.parent.mkdir(parents=True, exist_ok=True)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with (
        Progress(*columns, console=Console(stderr=True), disable=not progress) as bar,
        journal.open("a", encoding="utf-8") as log,
    ):
        task = bar.add_task("measuring", total=len(cases), completed=len(cases) - len(missing))
        log.write("\n")  # ends a line that a killed run left half written
        for record in measured(missing):
            done[tuple(record["case"])] = record
            log.write(json.dumps(record) + "\n")
            log.flush()
            bar.advance(task)
    return [done[case] for case in cases]


def measured_by(
    measure: Measure, start: Callable[[], None], workers: int
) -> Callable[[Sequence[Any]], Iterator[Record]]:
    """``measure`` over cases, in this process or in ``workers`` others, each of which calls ``start`` once."""

    def run(cases: Sequence[Any]) -> Iterator[Record]:
        if not cases:
            return
        if workers <= 1:
            start()
            yield from map(measure, cases)
            return
        os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # for the workers, which load numpy afresh
        context = multiprocessing.get_context("spawn")
        with ProcessPoolExecutor(workers, mp_context=context, initializer=start) as pool:
            yield from pool.map(measure, cases, chunksize=1)

    return run
