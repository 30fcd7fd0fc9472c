"""Set the limits of the forgery checks from bona fide specimens: ``python -m benchmarks.calibrate_forgery``.

Every figure of a check gets the limit that about 1 % / (figures of the check) of the bona fide pictures with even seeds
exceed; what the limit does is counted on the odd seeds. Only the first renderer is used, and no forgery: the reported
detection rates come from ``benchmarks.forgery_rates`` and the second renderer, which nothing here has seen.
"""

from __future__ import annotations

import json
import multiprocessing
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

import click
import numpy as np
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from benchmarks import specimens

FORMATS = ("TD1", "TD2", "TD3")
DIFFICULTIES = ("moderate", "hard")
VARIANTS = ("camera", "messenger", "resaved")
FALSE_ALARMS = 0.01
"""Share of bona fide pictures that one check may accuse, over all its figures."""

MARGIN = {"noise": 0.05, "compression": 0.05, "font": 0.25, "ghost": 0.02, "recapture": 0.05}
"""Added to a limit: the step within which a figure repeats itself when the same page is photographed again."""

LIMITS = specimens.ROOT / "src" / "samebody" / "document" / "forgery" / "limits.json"

Case = tuple[str, str, str, int]
"""Format, difficulty, variant, seed."""

_tools: dict[str, Any] = {}


def _start() -> None:
    import cv2

    cv2.setNumThreads(1)
    from samebody.config import load_settings
    from samebody.document import DocumentReader

    _tools["reader"] = DocumentReader(load_settings(threads=1))


def as_a_messenger_sends_it(jpeg: bytes, seed: int) -> bytes:
    """The photograph made smaller (55-100 % of its side) and saved again at quality 60-85, as messengers do."""
    import cv2

    random = np.random.default_rng([seed, 5])
    pixels = cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_COLOR)
    scale = float(random.uniform(0.55, 1.0))
    if scale < 0.95:
        pixels = cv2.resize(pixels, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    _, encoded = cv2.imencode(".jpg", pixels, [cv2.IMWRITE_JPEG_QUALITY, int(random.integers(60, 86))])
    return encoded.tobytes()


def as_a_gallery_saves_it(jpeg: bytes, seed: int) -> bytes:
    """The photograph saved once more at quality 82-96: an earlier compression, the same all over the picture."""
    import cv2

    pixels = cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_COLOR)
    quality = int(np.random.default_rng([seed, 6]).integers(82, 97))
    return cv2.imencode(".jpg", pixels, [cv2.IMWRITE_JPEG_QUALITY, quality])[1].tobytes()


_SENT = {"camera": lambda jpeg, _: jpeg, "messenger": as_a_messenger_sends_it, "resaved": as_a_gallery_saves_it}


def measure(case: Case) -> dict[str, Any]:
    """Every figure of every check on one bona fide photograph."""
    from samebody.capture import decode_image
    from samebody.document.forgery import ForgeryEvidence, checks

    format, difficulty, variant, seed = case
    jpeg, _ = specimens.cached("first", format, difficulty, seed, photographs=seed % 4 < 2)
    image = decode_image(_SENT[variant](jpeg, seed), role="document")
    evidence = ForgeryEvidence.of(image, _tools["reader"].read(image))
    figures = {}
    for name in checks:
        figures[name] = {figure.name: float(figure.value) for figure in checks[name]().measure(evidence).figures}
    return {"case": list(case), "figures": figures}


def collect(cases: Sequence[Case], workers: int, journal: Path) -> list[dict[str, Any]]:
    """Records of all cases; those in ``journal`` are not measured again, so that a run may be broken off."""
    done = read_journal(journal)
    missing = [case for case in cases if case not in done]
    journal.parent.mkdir(parents=True, exist_ok=True)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True)) as bar, journal.open("a", encoding="utf-8") as log:
        task = bar.add_task("measuring", total=len(cases), completed=len(cases) - len(missing))
        for record in _measured(missing, workers):
            log.write(json.dumps(record) + "\n")
            log.flush()
            bar.advance(task)
    done = read_journal(journal)
    return [done[case] for case in cases if case in done]


def read_journal(journal: Path) -> dict[Case, dict[str, Any]]:
    """Records by case; a half-written last line is left out."""
    done: dict[Case, dict[str, Any]] = {}
    for line in journal.read_text("utf-8").splitlines() if journal.is_file() else ():
        try:
            record = json.loads(line)
        except ValueError:
            continue
        format, difficulty, variant, seed = record["case"]
        done[(format, difficulty, variant, seed)] = record
    return done


def _measured(cases: Sequence[Case], workers: int) -> Iterator[dict[str, Any]]:
    if not cases:
        return
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(workers, mp_context=context, initializer=_start) as pool:
        yield from pool.map(measure, cases, chunksize=1)


def limits_of(records: Sequence[dict[str, Any]]) -> dict[str, dict[str, dict[str, Any]]]:
    """The limit of every figure from the even seeds, and its false alarms on the odd ones.

    The limit is the smallest value that at most the allowed share of the even seeds exceeds (nothing is interpolated),
    plus the check's margin. With fewer pictures than the allowed share can resolve that is their largest value.
    """
    values: dict[str, dict[str, tuple[list[float], list[float]]]] = {}
    for record in records:
        half = record["case"][3] % 2
        for check, figures in record["figures"].items():
            for name, value in figures.items():
                if np.isfinite(value):
                    values.setdefault(check, {}).setdefault(name, ([], []))[half].append(value)
    limits: dict[str, dict[str, dict[str, Any]]] = {}
    for check, figures in sorted(values.items()):
        allowed = FALSE_ALARMS / len(figures)
        limits[check] = {}
        for name, (tuning, testing) in sorted(figures.items()):
            ranked = np.sort(tuning)[::-1]
            limit = float(ranked[int(np.floor(allowed * len(ranked)))]) + MARGIN[check] if len(ranked) else float("inf")
            alarms = sum(value > limit for value in testing)
            limits[check][name] = {
                "value": round(limit, 4),
                "false_alarms": round(alarms / len(testing), 5) if testing else 0.0,
                "pictures": len(testing),
                "indicative": alarms < 30,
            }
    return limits


def rates_of(records: Sequence[dict[str, Any]], limits: dict[str, dict[str, dict[str, Any]]]) -> dict[str, Any]:
    """For every check, alarms on the odd seeds over all its figures, by variant and difficulty."""
    result: dict[str, Any] = {}
    for check, figures in limits.items():
        groups: dict[str, list[bool]] = {}
        for record in records:
            _, difficulty, variant, seed = record["case"]
            taken = record["figures"].get(check, {})
            if seed % 2 == 1 and taken:
                alarm = any(taken[name] > figures[name]["value"] for name in taken if name in figures)
                for group in ("all", f"{difficulty}, {variant}"):
                    groups.setdefault(group, []).append(alarm)
        result[check] = {group: specimens.share(sum(alarms), len(alarms)) for group, alarms in sorted(groups.items())}
    return result


@click.command()
@click.option("--seeds", default=60, show_default=True, help="Seeds per format and difficulty.")
@click.option("--workers", default=2, show_default=True)
@click.option("--journal", type=click.Path(path_type=Path), default=None, help="Where unfinished work is kept.")
@click.option("--finish", is_flag=True, help="Measure nothing more: write limits from what the journal holds.")
def main(seeds: int, workers: int, journal: Path | None, finish: bool) -> None:
    """Measure bona fide specimens of the first renderer and write the limits of the forgery checks."""
    if journal is None:
        version = f"{specimens.renderer_version('first')}-{specimens.code_version()}"
        journal = specimens.cache_folder() / f"calibrate-forgery-{version}.jsonl"
    cases = [
        (format, difficulty, variant, seed)
        for seed in range(seeds)
        for format in FORMATS
        for difficulty in DIFFICULTIES
        for variant in VARIANTS
    ]
    done = read_journal(journal)
    records = [done[case] for case in cases if case in done] if finish else collect(cases, workers, journal)
    limits = limits_of(records)
    rates = rates_of(records, limits)
    seen = {record["case"][3] for record in records}
    content = {
        "provenance": {
            "command": "python -m benchmarks.calibrate_forgery",
            "renderer": "first",
            "pictures": len(records),
            "seeds": f"{min(seen)}-{max(seen)}; even ones set the limits, odd ones count the false alarms"
            if seen
            else "",
            "conditions": "moderate and hard (synth/ranges.toml); as photographed, sent by messenger, saved again",
            "portraits": "half photographs, half drawn" if specimens.portraits_are_photographs() else "drawn",
            "target": f"{FALSE_ALARMS:.0%} of bona fide pictures per check",
            **{key: specimens.circumstances()[key] for key in ("commit", "versions")},
        },
        "limits": limits,
        "false_alarms": rates,
    }
    specimens.write_atomically(LIMITS, json.dumps(content, indent=1, sort_keys=True) + "\n")
    table = Table("check", "figure", "limit", "false alarms", "pictures")
    for check, figures in limits.items():
        for name, entry in figures.items():
            table.add_row(check, name, f"{entry['value']:.3f}", f"{entry['false_alarms']:.1%}", str(entry["pictures"]))
        table.add_row(
            check, "any of them", "", specimens.shown(rates[check]["all"]), str(rates[check]["all"]["trials"])
        )
    Console().print(table)


if __name__ == "__main__":
    main()
