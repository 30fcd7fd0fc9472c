"""Measure MRZ reading on rendered photographs: ``python -m benchmarks.mrz_accuracy``."""

from __future__ import annotations

import json
import statistics
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click
import numpy as np
from rich.console import Console
from rich.table import Table

from benchmarks import specimens
from benchmarks.second_renderer import mrz as oracle

TARGETS = {"moderate": {"exact": 0.97, "silent": 0.003}, "hard": {"exact": 0.80, "silent": 0.01}}
QUARTILED = (
    "character_height_px", "tilt_degrees", "rotation_degrees", "blur_sigma_px", "noise_sigma", "jpeg_quality",
    "shadow_strength", "glare_strength", "background_share",
)  # fmt: skip
OVERLAP = 0.4
"""Least intersection over union of the found zone with the true one for the zone to count as located."""

Case = tuple[str, str, str, int]
"""Renderer, format, difficulty, seed."""

_reader: Any = None


def _start() -> None:
    """Load the reader once in each worker, on one thread."""
    global _reader
    import cv2

    cv2.setNumThreads(1)
    from samebody.config import load_settings
    from samebody.document import DocumentReader

    _reader = DocumentReader(load_settings(threads=1))


def measure(case: Case) -> dict[str, Any]:
    """Render (or fetch) one photograph, read it, and score the reading against the truth."""
    from samebody.capture import decode_image

    renderer, format, difficulty, seed = case
    jpeg, truth = specimens.cached(renderer, format, difficulty, seed)
    image = decode_image(jpeg, role="document")
    begun = time.perf_counter()
    # the zone by itself: no help from the visual zone, neither in reading nor in confirming
    reading = _reader.read(image, today=specimens.judged_on(renderer), visual_zone=False)
    milliseconds = 1000 * (time.perf_counter() - begun)
    record = score(truth.format, truth.mrz_lines, truth.mrz, reading.mrz)
    parameters = {name: truth.parameters.get(name) for name in QUARTILED}
    return {"case": list(case), "milliseconds": milliseconds, "parameters": parameters, **record}


def score(format: str, lines: Sequence[str], polygon: Sequence[Sequence[float]] | None, found: Any) -> dict[str, Any]:
    """One reading against the truth.

    Args:
        format, lines, polygon: of the truth.
        found: an ``MrzReading`` or None.

    Returns:
        JSON-ready: ``located``, ``exact``, ``silent`` (fields wrong, unmarked, with all check digits valid),
        ``wrong_fields``, ``cause`` (None when exact), ``characters`` right and in all, ``confusions``.
    """
    total = sum(map(len, lines))
    blank = {
        "located": False,
        "exact": False,
        "silent": [],
        "wrong_fields": [],
        "characters": [0, total],
        "confusions": [],
    }
    if found is None:
        return {**blank, "cause": "not located"}
    read = tuple(found.lines)
    exact = read == tuple(lines)
    located = exact or (polygon is not None and overlap(polygon, found.polygon) >= OVERLAP)
    same_shape = len(read) == len(lines) and all(len(a) == len(b) for a, b in zip(read, lines, strict=False))
    right = sum(a == b for one, two in zip(read, lines, strict=False) for a, b in zip(one, two, strict=False))
    confusions = []
    if same_shape:
        confusions = [
            t + r for one, two in zip(read, lines, strict=True) for r, t in zip(one, two, strict=True) if r != t
        ]
    wrong = [
        name
        for name, row, start, end in oracle.SPANS[format]
        if not same_shape or read[row][start:end] != lines[row][start:end]
    ]
    valid = oracle.check_digits_hold(str(found.format), read)
    silent = [name for name in wrong if valid and not _marked(name, found.fields)]
    if exact:
        cause = None
    elif not located:
        cause = "located elsewhere"
    elif not same_shape:
        cause = "wrong length"
    else:
        cause = "wrong characters"
    return {
        "located": located,
        "exact": exact,
        "silent": silent,
        "wrong_fields": wrong,
        "characters": [right, total],
        "confusions": confusions,
        "cause": cause,
    }


def _marked(name: str, fields: Any) -> bool:
    """Whether the reader says that it is unsure of a field; a name counts as marked when either part is."""
    if name == "name":
        return any(fields[part].unsure for part in ("surname", "given_names") if part in fields)
    if name in fields:
        return bool(fields[name].unsure)
    # A long TD1 document number uses the optional data up, and the reader reports it as one field.
    return name.startswith("optional") and "document_number" in fields and bool(fields["document_number"].unsure)


def overlap(one: Sequence[Sequence[float]], two: Sequence[Sequence[float]]) -> float:
    """Intersection over union of two convex polygons."""
    import cv2

    first, second = (cv2.convexHull(np.asarray(polygon, np.float32)) for polygon in (one, two))
    shared = float(cv2.intersectConvexConvex(first, second)[0])
    union = float(cv2.contourArea(first) + cv2.contourArea(second)) - shared
    return shared / union if union > 0 else 0.0


def summarise(records: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Figures of one format at one difficulty."""
    count = len(records)
    right = sum(record["characters"][0] for record in records)
    characters = sum(record["characters"][1] for record in records)
    confusions = Counter(pair for record in records for pair in record["confusions"])
    causes = Counter(record["cause"] for record in records if record["cause"])
    return {
        "photographs": count,
        "located": specimens.share(sum(record["located"] for record in records), count),
        "exact": specimens.share(sum(record["exact"] for record in records), count),
        "silent": specimens.share(sum(bool(record["silent"]) for record in records), count),
        "character_accuracy": right / characters if characters else None,
        "median_ms": statistics.median(record["milliseconds"] for record in records) if records else None,
        "causes": dict(causes.most_common()),
        "confusions": {f"{pair[0]} read as {pair[1]}": hits for pair, hits in confusions.most_common(25)},
        "silent_fields": dict(Counter(name for record in records for name in record["silent"]).most_common()),
        "quartiles": {name: _quartiles(records, name) for name in QUARTILED},
    }


def _quartiles(records: Sequence[dict[str, Any]], name: str) -> list[dict[str, Any]]:
    """Share of exact readings by quartile of one parameter."""
    pairs = [
        (abs(float(record["parameters"][name])), record["exact"])
        for record in records
        if record["parameters"][name] is not None
    ]
    if len(pairs) < 4:
        return []
    values = np.array([value for value, _ in pairs])
    exact = np.array([hit for _, hit in pairs])
    out = []
    for part in np.array_split(np.argsort(values, kind="stable"), 4):
        out.append(
            {
                "from": float(values[part[0]]),
                "to": float(values[part[-1]]),
                "exact": specimens.share(int(exact[part].sum()), len(part)),
            }
        )
    return out


def evaluate(
    renderer: str,
    formats: Sequence[str],
    difficulties: Sequence[str],
    count: int,
    workers: int,
    *,
    progress: bool = True,
) -> dict[str, Any]:
    """All figures, JSON-ready."""
    cases = [
        (renderer, format, difficulty, specimens.FIRST_SEED + index)
        for difficulty in difficulties
        for format in formats
        for index in range(count)
    ]
    name = f"mrz-{renderer}-{specimens.renderer_version(renderer)}-{specimens.code_version()}.jsonl"
    work = specimens.measured_by(measure, _start, workers)
    records = specimens.collect(cases, work, specimens.cache_folder() / "runs" / name, progress=progress)
    results = []
    for difficulty in difficulties:
        for format in formats:
            chosen = [record for record in records if record["case"][1:3] == [format, difficulty]]
            results.append({"format": format, "difficulty": difficulty, **summarise(chosen)})
    totals = [
        {"difficulty": difficulty, **summarise([record for record in records if record["case"][2] == difficulty])}
        for difficulty in difficulties
    ]
    return {
        "what": "MRZ reading on rendered photographs",
        "renderer": renderer,
        "renderer_version": specimens.renderer_version(renderer),
        "code_version": specimens.code_version(),
        "first_seed": specimens.FIRST_SEED,
        "photographs_per_cell": count,
        "workers": workers,
        "targets": TARGETS,
        **specimens.circumstances(),
        "results": results,
        "totals": totals,
    }


def markdown(figures: dict[str, Any]) -> str:
    """The figures as a page."""
    rows = []
    for row in figures["results"]:
        target = TARGETS[row["difficulty"]]
        met = row["exact"]["rate"] >= target["exact"] and row["silent"]["rate"] <= target["silent"]
        rows.append(
            (
                row["difficulty"],
                row["format"],
                row["photographs"],
                specimens.shown(row["located"]),
                specimens.shown(row["exact"]),
                specimens.shown(row["silent"], digits=2),
                f"{100 * row['character_accuracy']:.3f} %",
                f"{row['median_ms']:.0f}",
                "yes" if met else "no",
            )
        )
    head = (
        "difficulty",
        "format",
        "photographs",
        "located",
        "all lines exact",
        "silent wrong",
        "characters",
        "median ms",
        "targets met",
    )
    parts = [
        f"# MRZ reading, {figures['renderer']} renderer",
        "Made by `python -m benchmarks.mrz_accuracy "
        f"--renderer {figures['renderer']} --count {figures['photographs_per_cell']}` "
        f"at commit {figures['commit'][:12]}{' (with uncommitted changes)' if figures['uncommitted_changes'] else ''}, "
        f"renderer {figures['renderer_version']}, seeds from {figures['first_seed']}, {figures['processor']}, "
        f"{figures['workers']} worker(s), one thread each. Shares with exact 95 % intervals (Clopper-Pearson). "
        "The zone is read by itself, without the visual zone. Milliseconds are page and zone, with other workers "
        "running; the speed figures are in the timing benchmark.",
        "*Silent wrong*: a field is wrong, every check digit agrees, and the reader did not mark the field unsure. "
        "Targets: exact at least 97 % (moderate) and 80 % (hard); silent wrong at most 0.3 % and 1 %.",
        specimens.table(head, rows),
    ]
    for total in figures["totals"]:
        parts.append(f"## {total['difficulty']}, all formats")
        parts.append(
            f"Exact {specimens.shown(total['exact'])}, silent wrong {specimens.shown(total['silent'], digits=2)}, "
            f"{total['photographs']} photographs."
        )
        parts.append(specimens.table(("cause of failure", "photographs"), total["causes"].items()))
        parts.append(specimens.table(("confusion", "times"), list(total["confusions"].items())[:15]))
        parts.append(
            specimens.table(
                ("all lines exact by quartile of", "lowest", "second", "third", "highest"),
                [
                    (
                        name,
                        *(
                            f"{cell['from']:.2f}-{cell['to']:.2f}: {100 * cell['exact']['rate']:.1f} %"
                            for cell in cells
                        ),
                    )
                    for name, cells in total["quartiles"].items()
                    if cells
                ],
            )
        )
    return "\n\n".join(parts) + "\n"


def run(quick: bool) -> list[dict[str, Any]]:
    """Rows for ``python -m benchmarks``: one for each format and difficulty."""
    figures = evaluate(
        "second",
        specimens.FORMATS,
        ("moderate",) if quick else ("moderate", "hard"),
        4 if quick else 300,
        1 if quick else 2,
    )
    return [
        {
            "benchmark": "mrz accuracy",
            "case": f"{row['format']} {row['difficulty']}",
            "value": row["exact"]["rate"],
            "unit": "all lines exact",
            "interval": [row["exact"]["low"], row["exact"]["high"]],
            "silent_wrong": row["silent"]["rate"],
            "median_ms": row["median_ms"],
            "count": row["photographs"],
            "target": TARGETS[row["difficulty"]]["exact"],
            "met": row["exact"]["rate"] >= TARGETS[row["difficulty"]]["exact"]
            and row["silent"]["rate"] <= TARGETS[row["difficulty"]]["silent"],
        }
        for row in figures["results"]
    ]


@click.command(help=__doc__)
@click.option("--renderer", type=click.Choice(["second", "first"]), default="second", show_default=True)
@click.option(
    "--count", type=click.IntRange(1), default=300, show_default=True, help="photographs per format and difficulty"
)
@click.option("--formats", multiple=True, type=click.Choice(specimens.FORMATS), default=specimens.FORMATS)
@click.option("--difficulty", multiple=True, type=click.Choice(["moderate", "hard"]), default=("moderate", "hard"))
@click.option("--workers", type=click.IntRange(1), default=2, show_default=True)
@click.option(
    "--out",
    type=click.Path(path_type=Path, dir_okay=False),
    default=None,
    help="JSON file; Markdown is written beside it",
)
def main(
    renderer: str, count: int, formats: tuple[str, ...], difficulty: tuple[str, ...], workers: int, out: Path | None
) -> None:
    figures = evaluate(renderer, formats, difficulty, count, workers)
    name = "mrz-accuracy.json" if renderer == "second" else "mrz-accuracy-first.json"
    path = out or specimens.ROOT / "docs" / "results" / name
    specimens.write_atomically(path, json.dumps(figures, indent=1) + "\n")
    specimens.write_atomically(path.with_suffix(".md"), markdown(figures))
    screen = Table(
        "difficulty", "format", "located", "all lines exact", "silent wrong", "characters", "ms", title="MRZ accuracy"
    )
    for row in figures["results"]:
        cells = (
            specimens.shown(row["located"]),
            specimens.shown(row["exact"]),
            specimens.shown(row["silent"], digits=2),
        )
        screen.add_row(
            row["difficulty"],
            row["format"],
            *cells,
            f"{100 * row['character_accuracy']:.2f} %",
            f"{row['median_ms']:.0f}",
        )
    Console(width=max(132, Console().width)).print(screen)
    Console().print(f"written to {path} and {path.with_suffix('.md').name}")


if __name__ == "__main__":
    main()
