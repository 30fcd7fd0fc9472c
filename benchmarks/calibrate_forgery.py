"""Set the limits of the forgery checks from bona fide specimens: ``python -m benchmarks.calibrate_forgery``.

A limit must hold for cameras that nobody has seen yet. The first renderer's pages are therefore photographed by a
family of cameras (``benchmarks.cameras``) and printed in several faces, ghosts faint to strong; even seeds and the
``TUNING`` cameras set the limits, odd seeds and the ``HELD_OUT`` cameras count what they do. No forgery has a part
in a limit; forged pages are measured on held-out cameras to see what the limits leave. The second renderer is not used.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import Any

import click
import numpy as np
from rich.console import Console
from rich.table import Table
from scipy import stats

from benchmarks import cameras, forgery_rates, specimens

FORMATS = ("TD1", "TD2", "TD3")
BONA_FIDE = forgery_rates.BONA_FIDE
DIFFICULTIES = ("moderate", "moderate", "hard")
FALSE_ALARMS = 0.01
"""Share of the tuning pictures that one check may accuse, over all its figures."""

DOUBTS = 0.04
"""Share of the tuning pictures that one check may doubt, over all its figures."""

EXCESS = 0.05
"""Chance that the highest figure of a camera not seen yet lies above its limit, for one check over all its figures."""

LIMITS = specimens.ROOT / "src" / "samebody" / "document" / "forgery" / "limits.json"

Case = tuple[str, str, str, str, int]
"""Species or ``bona-fide``, format, kind of camera, way the picture was sent, seed."""

_tools: dict[str, Any] = {}


def _start() -> None:
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


def bona_fide_cases(seeds: int) -> list[Case]:
    """Two photographs of every page; even seeds on tuning cameras and ways, odd ones on those held out."""
    cases: list[Case] = []
    for seed in range(seeds):
        half = "tuning" if seed % 2 == 0 else "held out"
        kinds = list(cameras.TUNING if seed % 2 == 0 else cameras.HELD_OUT)
        ways = ["straight", *(way for way, side in cameras.WAYS.items() if side == half or half == "held out")]
        for shot in range(2):
            number = seed // 2 * 2 + shot
            kind, way = kinds[number % len(kinds)], ways[(number // len(kinds) + number) % len(ways)]
            cases.append((BONA_FIDE, FORMATS[seed // 2 % 3], kind, way, seed))
    return cases


def forged_cases(count: int) -> list[Case]:
    """``count`` photographs of every species on held-out cameras, of pages that no limit was set on."""
    kinds = list(cameras.HELD_OUT)
    return [
        (species, FORMATS[number % 3], kinds[number % len(kinds)], "straight", 10_001 + 2 * number)
        for species in forgery_rates.SPECIES
        for number in range(count)
    ]


@lru_cache(maxsize=1)
def page(species: str, format: str, seed: int) -> Any:
    """A specimen whose face, ghost and ink differ more than the renderer's own draw does; one page in eight has no
    ghost."""
    from samebody.synth.page import draw_design
    from samebody.synth.specimen import render

    random = np.random.default_rng([seed, 41])
    portrait, swapped = specimens.portrait_pair(seed)
    design = replace(
        draw_design(np.random.default_rng([seed, 2])),
        value_face=str(random.choice(["regular", "bold", "aileron", "ocr-b"])),
        ghost_strength=0.0 if random.random() < 0.125 else float(random.uniform(0.18, 0.65)),
        ghost_tone=tuple(float(random.uniform(0.5, 1.0)) for _ in range(3)),
        ghost_scale=float(random.uniform(0.8, 1.15)),
    )
    forgery = None if species == BONA_FIDE else species
    return render(
        format, seed=seed, portrait=portrait, forgery=forgery, substitute=swapped, design=design, dots_per_inch=300
    )


def measure(case: Case) -> dict[str, Any]:
    """Every figure of every check on one photograph."""
    from samebody.capture import decode_image
    from samebody.document.forgery import ForgeryEvidence, checks
    from samebody.synth.photograph import photograph

    species, format, kind, way, seed = case
    taken = photograph(
        page(species, format, seed),
        seed=seed,
        difficulty=DIFFICULTIES[seed // 2 % len(DIFFICULTIES)],
        conditions={"aspect": 4 / 3},
        develop=cameras.developer(kind, seed),
    )
    image = decode_image(cameras.sent(taken.jpeg, way, seed), role="document")
    reading = _tools["reader"].read(image)
    portraits = forgery_rates.portraits_on(image, reading, _tools["face"], _tools["record"])
    evidence = ForgeryEvidence.of(image, reading, portraits)
    figures, details = {}, {}
    for name in checks:
        measured = checks[name]().measure(evidence)
        figures[name] = {figure.name: float(figure.value) for figure in measured.figures}
        details[name] = {
            **{key: value for key, value in measured.details.items() if isinstance(value, float | int)},
            "missing": [reason.code.rsplit(".", 1)[1] for reason in measured.missing],
        }
    return {"case": list(case), "figures": figures, "details": details}


def is_tuning(record: dict[str, Any]) -> bool:
    """Whether a record may set limits."""
    return bool(record["case"][0] == BONA_FIDE and record["case"][2] in cameras.TUNING)


def is_held_out(record: dict[str, Any]) -> bool:
    """Whether a record counts false alarms."""
    return bool(record["case"][0] == BONA_FIDE and record["case"][2] in cameras.HELD_OUT)


def limits_of(records: Sequence[dict[str, Any]]) -> dict[str, dict[str, dict[str, Any]]]:
    """The limit of every figure from the tuning pictures, and its false alarms on those held out."""
    tuning: dict[str, dict[str, list[tuple[str, float]]]] = {}
    testing: dict[str, dict[str, list[float]]] = {}
    for record in records:
        for check, figures in record["figures"].items():
            for name, value in figures.items():
                if not np.isfinite(value):
                    continue
                if is_tuning(record):
                    tuning.setdefault(check, {}).setdefault(name, []).append((record["case"][2], value))
                elif is_held_out(record):
                    testing.setdefault(check, {}).setdefault(name, []).append(value)
    limits: dict[str, dict[str, dict[str, Any]]] = {}
    for check, figures in sorted(tuning.items()):
        limits[check] = {}
        for name, values in sorted(figures.items()):
            value, doubt = limit_of(values, FALSE_ALARMS / len(figures), DOUBTS / len(figures), EXCESS / len(figures))
            seen = testing.get(check, {}).get(name, [])
            alarms = sum(figure > value for figure in seen)
            limits[check][name] = {
                "value": round(value, 4),
                "doubt": round(doubt, 4),
                "false_alarms": round(alarms / len(seen), 5) if seen else 0.0,
                "pictures": len(seen),
                "indicative": alarms < 30,
            }
    return limits


def limit_of(
    values: Sequence[tuple[str, float]], alarms: float, doubts: float, excess: float = EXCESS
) -> tuple[float, float]:
    """Limit and doubt of one figure.

    A camera that nobody has seen is one more draw from the family of cameras. The limit is the one-sided prediction
    bound (Student's t) of such a camera's highest figure, from the highest figure of every kind; at least it is what
    the share ``alarms`` of all pictures exceeds. The doubt begins where the share ``doubts`` of all pictures lies.

    Args:
        values: kind of camera and figure, one for every picture.
        alarms, doubts: shares of pictures.
        excess: chance that a new camera goes beyond the bound.
    """
    kinds = sorted({kind for kind, _ in values})
    highest = [max(value for other, value in values if other == kind) for kind in kinds]
    if len(kinds) < 3:  # too few kinds to say how they differ: every picture stands for itself
        highest = [value for _, value in values]
    ranked = np.sort([value for _, value in values])[::-1]
    count = len(highest)
    bound = float("-inf")
    if count > 1:
        spread = float(np.std(highest, ddof=1)) * np.sqrt(1 + 1 / count)
        bound = float(np.mean(highest) + stats.t.ppf(1 - excess, count - 1) * spread)
    limit = max(bound, float(ranked[int(np.floor(alarms * len(ranked)))]))
    return limit, min(limit, float(ranked[int(np.floor(doubts * len(ranked)))]))


def rates_of(
    records: Sequence[dict[str, Any]], limits: dict[str, dict[str, dict[str, Any]]]
) -> dict[str, dict[str, Any]]:
    """For every check and group of held-out photographs the shares that fail, are doubted, and cannot be measured.

    Groups are the bona fide ones together, by camera and by way, and every species of forgery.
    """
    result: dict[str, dict[str, Any]] = {}
    for check, figures in limits.items():
        groups: dict[str, list[str]] = {}
        for record in records:
            if is_tuning(record):
                continue
            species, _, kind, way, _ = record["case"]
            taken = record["figures"].get(check, {})
            fails = any(taken[name] > figures[name]["value"] for name in taken if name in figures)
            doubts = any(taken[name] > figures[name]["doubt"] for name in taken if name in figures)
            outcome = "fail" if fails else "doubt" if doubts else "pass" if taken else "abstains"
            names = [species] if species != BONA_FIDE else [BONA_FIDE, f"{BONA_FIDE}, {kind}", f"{BONA_FIDE}, {way}"]
            for name in names:
                groups.setdefault(name, []).append(outcome)
        result[check] = {
            name: {what: specimens.share(outcomes.count(what), len(outcomes)) for what in ("fail", "doubt", "abstains")}
            for name, outcomes in sorted(groups.items())
        }
    return result


@click.command()
@click.option("--seeds", default=120, show_default=True, help="Genuine pages; half of them set the limits.")
@click.option("--forged", default=20, show_default=True, help="Forged pages of every species.")
@click.option("--workers", default=2, show_default=True)
@click.option("--journal", type=click.Path(path_type=Path), default=None, help="Where unfinished work is kept.")
@click.option("--finish", is_flag=True, help="Measure nothing more: write limits from what the journal holds.")
def main(seeds: int, forged: int, workers: int, journal: Path | None, finish: bool) -> None:
    """Measure bona fide specimens of the first renderer and write the limits of the forgery checks."""
    if journal is None:
        version = f"{specimens.renderer_version('first')}-{specimens.code_version()}"
        journal = specimens.cache_folder() / "runs" / f"calibrate-forgery-{version}.jsonl"
    cases = [*bona_fide_cases(seeds), *forged_cases(forged)]
    done = specimens.read_journal(journal)
    if finish:
        records = [done[case] for case in cases if case in done]
    else:
        records = specimens.collect(cases, specimens.measured_by(measure, _start, workers), journal)
    limits = limits_of(records)
    rates = rates_of(records, limits)
    content = {
        "provenance": {
            "command": f"python -m benchmarks.calibrate_forgery --seeds {seeds} --forged {forged}",
            "renderer": "first",
            "pictures": {
                "tuning": sum(map(is_tuning, records)),
                "held out": sum(map(is_held_out, records)),
                "forged": sum(record["case"][0] != BONA_FIDE for record in records),
            },
            "tuning cameras": list(cameras.TUNING),
            "held-out cameras": list(cameras.HELD_OUT),
            "limit": f"{EXCESS:.0%} per check: chance that the highest figure of a new camera lies above",
            "doubt": f"{DOUBTS:.0%} of bona fide tuning pictures per check",
            "portraits": "photographs" if specimens.portraits_are_photographs() else "drawn",
            **{key: specimens.circumstances()[key] for key in ("commit", "versions")},
        },
        "limits": limits,
        "rates": rates,
    }
    specimens.write_atomically(LIMITS, json.dumps(content, indent=1, sort_keys=True) + "\n")
    Console(width=160).print(overview(limits, rates))


def overview(limits: dict[str, dict[str, dict[str, Any]]], rates: dict[str, dict[str, Any]]) -> Table:
    """Limits, and what they do on held-out photographs: fail / doubt / abstention."""
    species = [BONA_FIDE, *forgery_rates.SPECIES]
    table = Table("check", "figure", "doubt", "limit", "false alarms", "pictures", *species)
    for check, figures in limits.items():
        for name, entry in figures.items():
            cells = (f"{entry['doubt']:.3f}", f"{entry['value']:.3f}", f"{entry['false_alarms']:.1%}")
            table.add_row(check, name, *cells, str(entry["pictures"]))
        shares = [rates[check].get(name) for name in species]
        cells = tuple(
            "" if s is None else " / ".join(f"{100 * s[what]['rate']:.0f}" for what in ("fail", "doubt", "abstains"))
            for s in shares
        )
        table.add_row(check, "all figures", "", "", "", "", *cells)
    return table


if __name__ == "__main__":
    main()
