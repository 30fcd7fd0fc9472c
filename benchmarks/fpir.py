"""FPIR asked for and FPIR seen, at several sizes of gallery: ``python -m benchmarks.fpir``.

People who are not enrolled are searched for in synthetic galleries. Vectors have exact error rates, so the share of
searches with a match must be the FPIR asked for; irises have measured operating points, which are never interpolated,
so their share must be at most that. Writes ``docs/results/fpir.md``.
"""

from __future__ import annotations

import argparse
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.machine import describe_machine
from benchmarks.specimens import table, write_atomically
from samebody.cli.gallery_create import BATCH, synthetic_references
from samebody.measure import binomial_interval
from samebody.search.engines.arrays import ArraySource
from samebody.search.identify import Identifier, SearchPolicy
from samebody.search.session import builder, rates_of, synthetic_iris_space
from samebody.search.thresholds import synthetic_vector_space
from samebody.search.types import Layout, Probes
from samebody.synth.iris import IrisCodePopulation

RESULTS = Path(__file__).parents[1] / "docs" / "results"
FPIRS = (0.1, 0.01)


class Numbers:
    """Every record is a subject of its own."""

    def subject_of(self, record_ids: Any) -> list[str]:
        return [str(int(number)) for number in record_ids]


@dataclass(frozen=True)
class Row:
    """Searches of strangers in one gallery at one FPIR."""

    modality: str
    references: int
    asked: float
    expected: float
    threshold: float
    searches: int
    matches: int


def measure(modality: str, references: int, searches: int, fpirs: tuple[float, ...], seed: int) -> list[Row]:
    """Search for strangers; one row for each FPIR."""
    if modality == "vector":
        layout = Layout("vector", synthetic_vector_space(128).digest, 128)
        parts = [
            synthetic_references(layout, seed, at, min(BATCH, references - at)) for at in range(0, references, BATCH)
        ]
        source = ArraySource.of_vectors(np.concatenate(parts), layout.space)
        probes = Probes.of_vectors(synthetic_references(layout, seed + 1, 0, searches), layout.space)
    else:
        layout = Layout("iris", synthetic_iris_space(200).digest, 200)
        population = IrisCodePopulation(seed)
        source = ArraySource.of_codes(*population.references(0, references), layout.space)
        codes, masks = population.probes(np.arange(references, references + searches))
        probes = Probes(layout.space, codes=codes, masks=masks)
    rows = []
    for asked in fpirs:
        policy = SearchPolicy(fpir=asked, review_fpir=asked, candidates=1, allow_extrapolated=True)
        rates = {modality: rates_of(layout)}
        identifier = Identifier(Numbers(), {modality: source}, rates, builder(), policy=policy)
        matches, expected, score = 0, 0.0, 0.0
        for start in range(0, searches, 256):
            payload = [
                None if a is None else a[start : start + 256] for a in (probes.vectors, probes.codes, probes.masks)
            ]
            part = Probes(layout.space, vectors=payload[0], codes=payload[1], masks=payload[2])
            for found in identifier.identify({modality: part}):
                matches += bool(found.matches)
                expected, score = found.expected_fpir or 0.0, found.thresholds[modality].score
        rows.append(Row(modality, references, asked, expected, score, searches, matches))
    return rows


def page(rows: list[Row], seconds: float) -> str:
    """The table in Markdown."""
    machine = describe_machine()
    cells = []
    for row in rows:
        low, high = binomial_interval(row.matches, row.searches)
        cells.append(
            (
                row.modality,
                f"{row.references:,}",
                f"{row.asked:g}",
                f"{row.expected:.4f}",
                f"{row.threshold:.4f}",
                f"{row.matches:,} of {row.searches:,}",
                f"{row.matches / row.searches:.4f} ({low:.4f} to {high:.4f})",
            )
        )
    return "\n".join(
        [
            "# FPIR asked for and seen",
            "",
            "Written by `python -m benchmarks.fpir`: people who are not enrolled are searched for in synthetic",
            "galleries. The FPIR expected is `1 - (1 - FMR)^N` at the threshold used. Vectors have exact rates; irises",
            "use measured (and, beyond them, extrapolated) operating points, which are never interpolated: the next",
            "stricter one is taken. Intervals are exact binomial ones at 95 %, as if searches of one gallery did not",
            "depend on each other.",
            "",
            table(
                ("modality", "N", "FPIR asked", "FPIR expected", "threshold", "searches with a match", "FPIR seen"),
                cells,
            ),
            "",
            f"{machine['processor']}, commit {machine['commit']}, {seconds:.0f} s.",
            "",
        ]
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--vectors", type=int, nargs="*", default=[1000, 10_000, 100_000])
    parser.add_argument("--irises", type=int, nargs="*", default=[100, 1000, 5000])
    parser.add_argument("--searches", type=int, default=5000, help="of vectors")
    parser.add_argument("--iris-searches", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=404)
    parser.add_argument("--out", type=Path, default=RESULTS / "fpir.md")
    options = parser.parse_args()
    start = time.perf_counter()
    rows: list[Row] = []
    for kind, sizes, searches in (
        ("vector", options.vectors, options.searches),
        ("iris", options.irises, options.iris_searches),
    ):
        for size in sizes:
            rows += measure(kind, size, searches, FPIRS, options.seed)
            for row in rows[-len(FPIRS) :]:
                print(
                    f"{row.modality} N={row.references:,}: asked {row.asked:g}, seen {row.matches / row.searches:.4f}"
                )
    write_atomically(options.out, page(rows, time.perf_counter() - start))


if __name__ == "__main__":
    main()
