"""Measure each forgery check on each forgery species: ``python -m benchmarks.forgery_rates``.

After the manner of ISO/IEC 30107-3: rates stand by species and are never pooled over species; the weakest is named.
"""

from __future__ import annotations

import json
import time
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.table import Table

from benchmarks import specimens

SPECIES = ("date_recomputed", "date_plain", "viz_mismatch", "portrait_swap", "reprint", "screen_recapture")
BONA_FIDE = "bona-fide"
FORMATS = ("TD1", "TD2", "TD3")
OUTCOMES = ("fail", "unsure", "pass", "not_run")

Case = tuple[str, str, str, str, int]
"""Renderer, species or ``bona-fide``, format, difficulty, seed."""

_tools: dict[str, Any] = {}


def _start() -> None:
    """Load reader and face detector once in each worker, on one thread."""
    import cv2

    cv2.setNumThreads(1)
    from samebody.config import load_settings
    from samebody.document import DocumentReader
    from samebody.face import FaceAnalyser
    from samebody.models import catalogue

    settings = load_settings(threads=1)
    _tools["reader"] = DocumentReader(settings)
    _tools["face"] = FaceAnalyser(settings)
    _tools["record"] = catalogue(settings)[_tools["face"].embedder.id]


def findings_on(image: Any, reading: Any) -> tuple[Any, ...]:
    """The forgery checks with the faces that the verification pipeline would hand them."""
    from samebody.document import run_checks

    return run_checks(image, reading, portraits_on(image, reading, _tools["face"], _tools["record"]))


def portraits_on(image: Any, reading: Any, faces: Any, record: Any) -> tuple[Any, ...]:
    """The faces on a document, found as the verification pipeline finds them."""
    from samebody.pipeline.portraits import document_portraits
    from samebody.types import Image

    role, shown = ("document", image) if reading.page is None else ("page", Image(reading.page.image))
    return document_portraits(faces, record, shown, faces.analyse(shown, role=role), reading)


def measure(case: Case) -> dict[str, Any]:
    """Outcome of every document check on one photograph."""
    from samebody.capture import decode_image

    renderer, species, format, difficulty, seed = case
    name = None if species == BONA_FIDE else species
    jpeg, _ = specimens.cached(renderer, format, difficulty, seed, forgery=name, photographs=True)
    image = decode_image(jpeg, role="document")
    begun = time.perf_counter()
    reading = _tools["reader"].read(image, today=specimens.judged_on(renderer))
    findings = (*reading.findings, *findings_on(image, reading))
    milliseconds = 1000 * (time.perf_counter() - begun)
    return {
        "case": list(case),
        "milliseconds": milliseconds,
        "outcomes": {finding.check: str(finding.outcome) for finding in findings},
        "scores": {finding.check: finding.score for finding in findings if finding.score is not None},
    }


def summarise(records: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """By check and species the share of each outcome, and the share on which at least one check failed.

    A check that a photograph has no finding of counts as ``not_run``, so that every share has the same denominator.
    """
    checks = sorted({check for record in records for check in record["outcomes"]})
    groups: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for record in records:
        groups[record["case"][1]].append(record)
    by_check: dict[str, dict[str, Any]] = {}
    for check in checks:
        by_check[check] = {}
        for species, members in groups.items():
            outcomes = [record["outcomes"].get(check, "not_run") for record in members]
            by_check[check][species] = {
                outcome: specimens.share(outcomes.count(outcome), len(outcomes)) for outcome in OUTCOMES
            }
    together: dict[str, Any] = {}
    for species, members in groups.items():
        failed = sum("fail" in record["outcomes"].values() for record in members)
        doubtful = sum(bool({"fail", "unsure"} & set(record["outcomes"].values())) for record in members)
        together[species] = {
            "any_fail": specimens.share(failed, len(members)),
            "any_fail_or_unsure": specimens.share(doubtful, len(members)),
        }
    forged = {species: value["any_fail"]["rate"] for species, value in together.items() if species != BONA_FIDE}
    weakest = min(forged, key=lambda species: forged[species]) if forged else None
    return {"checks": by_check, "together": together, "weakest_species": weakest}


def evaluate(
    renderers: Sequence[str],
    species: Sequence[str],
    formats: Sequence[str],
    difficulty: str,
    count: int,
    workers: int,
    *,
    progress: bool = True,
) -> dict[str, Any]:
    """All figures, JSON-ready; ``count`` photographs of each species and renderer, formats in turn."""
    results = {}
    for renderer in renderers:
        cases = [
            (renderer, kind, formats[index % len(formats)], difficulty, specimens.FIRST_SEED + index)
            for kind in (BONA_FIDE, *species)
            for index in range(count)
        ]
        faces = "photo" if specimens.portraits_are_photographs() else "drawn"
        name = f"forgery-{renderer}-{specimens.renderer_version(renderer)}-{specimens.code_version()}-{faces}.jsonl"
        work = specimens.measured_by(measure, _start, workers)
        records = specimens.collect(cases, work, specimens.cache_folder() / "runs" / name, progress=progress)
        results[renderer] = {"version": specimens.renderer_version(renderer), **summarise(records)}
    return {
        "what": "forgery checks by species, on rendered photographs",
        "difficulty": difficulty,
        "formats": list(formats),
        "photographs_per_species": count,
        "first_seed": specimens.FIRST_SEED,
        "portraits": "photographs" if specimens.portraits_are_photographs() else "drawn",
        "code_version": specimens.code_version(),
        **specimens.circumstances(),
        "results": results,
    }


def markdown(figures: dict[str, Any]) -> str:
    """The figures as a page."""
    parts = [
        "# Forgery checks by species",
        f"Made by `python -m benchmarks.forgery_rates --count {figures['photographs_per_species']}` "
        f"at commit {figures['commit'][:12]}{' (with uncommitted changes)' if figures['uncommitted_changes'] else ''}, "
        f"{figures['difficulty']} photographs of {', '.join(figures['formats'])}, portraits: {figures['portraits']}, "
        f"{figures['processor']}. Shares with exact 95 % intervals (Clopper-Pearson). Forgeries are made by our own "
        "generators and not by forgers: these figures compare checks, they do not promise a detection rate on "
        "real forgeries. A species is never averaged with another.",
    ]
    for renderer, result in figures["results"].items():
        species = [name for name in result["together"] if name != BONA_FIDE]
        parts.append(f"## {renderer} renderer ({result['version']}), share of `fail`, and of `unsure` after the stroke")
        rows = []
        for check, values in result["checks"].items():
            rows.append((f"`{check}`", *(_cell(values[name]) for name in (BONA_FIDE, *species))))
        rows.append(
            (
                "any check",
                *(specimens.shown(result["together"][name]["any_fail"], digits=0) for name in (BONA_FIDE, *species)),
            )
        )
        parts.append(specimens.table(("check", "bona fide (false alarm)", *species), rows))
        if result["weakest_species"]:
            least = result["together"][result["weakest_species"]]["any_fail"]
            parts.append(
                f"Weakest species: `{result['weakest_species']}`, some check fails on {specimens.shown(least)}."
            )
    return "\n\n".join(parts) + "\n"


def _cell(value: dict[str, Any]) -> str:
    return f"{specimens.shown(value['fail'], digits=0)} / {100 * (value['unsure']['rate'] or 0):.0f} %"


def run(quick: bool) -> list[dict[str, Any]]:
    """Rows for ``python -m benchmarks``: one for each renderer and species."""
    figures = evaluate(
        ("second",) if quick else ("first", "second"),
        SPECIES,
        FORMATS,
        "moderate",
        3 if quick else 100,
        1 if quick else 2,
    )
    rows = []
    for renderer, result in figures["results"].items():
        for species, value in result["together"].items():
            rows.append(
                {
                    "benchmark": "forgery checks",
                    "case": f"{species} ({renderer})",
                    "value": value["any_fail"]["rate"],
                    "unit": "false alarms" if species == BONA_FIDE else "some check fails",
                    "interval": [value["any_fail"]["low"], value["any_fail"]["high"]],
                    "count": value["any_fail"]["trials"],
                    "target": None,
                    "met": None,
                }
            )
    return rows


@click.command(help=__doc__)
@click.option(
    "--renderer", multiple=True, type=click.Choice(["second", "first"]), default=("first", "second"), show_default=True
)
@click.option("--species", multiple=True, type=click.Choice(SPECIES), default=SPECIES)
@click.option("--formats", multiple=True, type=click.Choice(FORMATS), default=FORMATS)
@click.option("--difficulty", type=click.Choice(["moderate", "hard"]), default="moderate", show_default=True)
@click.option(
    "--count", type=click.IntRange(1), default=100, show_default=True, help="photographs per species and renderer"
)
@click.option("--workers", type=click.IntRange(1), default=2, show_default=True)
@click.option(
    "--out",
    type=click.Path(path_type=Path, dir_okay=False),
    default=None,
    help="JSON file; Markdown is written beside it",
)
def main(
    renderer: tuple[str, ...],
    species: tuple[str, ...],
    formats: tuple[str, ...],
    difficulty: str,
    count: int,
    workers: int,
    out: Path | None,
) -> None:
    figures = evaluate(renderer, species, formats, difficulty, count, workers)
    path = out or specimens.ROOT / "docs" / "results" / "forgery-rates.json"
    specimens.write_atomically(path, json.dumps(figures, indent=1) + "\n")
    specimens.write_atomically(path.with_suffix(".md"), markdown(figures))
    for name, result in figures["results"].items():
        screen = Table("check", *result["together"], title=f"{name} renderer: fail / unsure")
        for check, values in result["checks"].items():
            screen.add_row(check, *(_cell(values[kind]) for kind in result["together"]))
        Console(width=max(160, Console().width)).print(screen)
    Console().print(f"written to {path} and {path.with_suffix('.md').name}")


if __name__ == "__main__":
    main()
