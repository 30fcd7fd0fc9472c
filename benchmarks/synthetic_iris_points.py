"""Operating points of synthetic iris codes, for demonstrations: ``python -m benchmarks.synthetic_iris_points``.

References of one half of the identities are compared with probes of the other half, all with all; the points are taken
and extrapolated by the code that measures people, and written beside the search room, marked synthetic. They say how
the software behaves at scale, and nothing about people.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path

import numpy as np

from samebody.iris.compare import compare_irises
from samebody.iris.template import IrisTemplate
from samebody.lab.evaluate.operating_points import MatedScores, ScoredPopulation, measure_population
from samebody.measure import BootstrapOptions
from samebody.measure.all_pairs import PairScores
from samebody.measure.bootstrap import CellPairs
from samebody.measure.histogram import ScoreHistogram, bin_counts
from samebody.models.points import ScoreHistogram as KeptHistogram
from samebody.models.points import Sidecar
from samebody.search.engines import build
from samebody.search.engines.arrays import ArraySource
from samebody.search.session import SYNTHETIC_POINTS, synthetic_iris_space
from samebody.search.types import Probes
from samebody.synth.iris import IrisCodePopulation

TARGETS = (1e-2, 1e-3, 1e-4, 1e-5, 1e-6, 1e-7, 1e-8)
COLUMNS = 200
POPULATION = "all-pairs"
KEEP = 0.012
SAMPLE = 150
PIECE = 512


def scored(identities: int, seed: int, cache: Path | None, seconds: float) -> ScoredPopulation:
    """All pairs of ``identities`` references with as many probes of other identities.

    With ``cache`` finished pieces are kept there, and the run stops after ``seconds``; call it again to go on.
    """
    begun = time.monotonic()
    population = IrisCodePopulation(seed, columns=COLUMNS)
    space = synthetic_iris_space(COLUMNS).digest
    engine = build(ArraySource.of_codes(*population.references(0, identities), space), threads=1)
    others = np.arange(identities, 2 * identities)
    codes, masks = population.probes(others)
    sample = engine.search(Probes.of_codes(codes[:SAMPLE], masks[:SAMPLE], space), identities).scores
    sample = sample[np.isfinite(sample)]
    floor = float(np.quantile(sample, 1 - KEEP))
    tail: list[np.ndarray] = []
    first: list[np.ndarray] = []
    second: list[np.ndarray] = []
    for start in range(0, identities, PIECE):
        piece = None if cache is None else cache / f"points-{identities}-{seed}-{start}.npz"
        if piece is None or not piece.exists():
            if cache is not None and time.monotonic() - begun > seconds:
                raise SystemExit(f"{start:,} of {identities:,} probes are done: run it again to go on")
            probes = Probes.of_codes(codes[start : start + PIECE], masks[start : start + PIECE], space)
            hits = engine.search(probes, min(identities, int(identities * KEEP * 8)), minimum_score=floor)
            rows, places = np.nonzero(hits.ids >= 0)
            found = (hits.scores[rows, places], hits.ids[rows, places], rows + start + identities)
            if piece is not None:
                np.savez(piece, *found)
        else:
            with np.load(piece) as kept:
                found = (kept["arr_0"], kept["arr_1"], kept["arr_2"])
        for parts, part in zip((tail, first, second), found):
            parts.append(part)
    scores = np.concatenate(tail)
    order = np.argsort(-scores, kind="stable")
    kinds = np.repeat([0, 1], identities)
    graph = CellPairs(np.arange(2 * identities), kinds, np.array([[0, 1], [1, 0]]), 2 * identities)
    histogram = ScoreHistogram(0.0, 1.0, tuple(bin_counts(sample, 0.0, 1.0, 2000).tolist()))
    pairs = PairScores(
        identities * identities,
        histogram,
        scores[order],
        np.concatenate(first)[order].astype(np.int32),
        np.concatenate(second)[order].astype(np.int32),
        floor,
        graph,
    )
    return ScoredPopulation(POPULATION, 2 * identities, np.arange(2 * identities), pairs)


def mated(people: int, seed: int) -> MatedScores:
    """One probe of each of ``people`` with its reference."""
    population = IrisCodePopulation(seed, columns=COLUMNS)
    codes, masks = population.references(0, people)
    turned, covered = population.probes(np.arange(people))
    scores = [
        compare_irises(IrisTemplate(turned[row], covered[row]), IrisTemplate(codes[row], masks[row])).score
        for row in range(people)
    ]
    return MatedScores(np.array(scores, dtype=np.float32), np.arange(people), 0)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--identities", type=int, default=8500, help="references, and as many probes of others")
    parser.add_argument("--mated", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=71)
    parser.add_argument("--replicates", type=int, default=500)
    parser.add_argument("--cache", type=Path, help="folder for finished pieces")
    parser.add_argument("--seconds", type=float, default=150.0, help="of one run with a cache")
    options = parser.parse_args()
    start = time.perf_counter()
    others = scored(options.identities, options.seed, options.cache, options.seconds)
    print(f"{others.scores.pairs:,} non-mated pairs in {time.perf_counter() - start:.0f} s")
    own = mated(options.mated, options.seed)
    bootstrap = BootstrapOptions(replicates=options.replicates)
    found = measure_population(others, own, TARGETS, bootstrap, extrapolate=True)
    dataset = f"synthetic iris codes, seed {options.seed}, {2 * options.identities:,} identities"
    points = tuple(point.operating_point(POPULATION, dataset, own) for point in found.points)
    for point in points:
        print(
            f"FMR {point.fmr:g}: {point.threshold:.5f} ({point.errors} errors, {point.effective_errors:.0f} effective, "
            f"FNMR {point.fnmr}){' extrapolated' if point.extrapolated else ''}"
        )
    for rate, why in found.refused:
        print(f"FMR {rate:g}: {why}")
    counts = found.histogram
    histogram = KeptHistogram(
        start=counts.low,
        stop=counts.high,
        count=len(counts.counts),
        mated=tuple(int(n) for n in bin_counts(own.scores, counts.low, counts.high, len(counts.counts))),
        non_mated=counts.counts,
        dataset=dataset,
        population=POPULATION,
    )
    sidecar = Sidecar(
        space=synthetic_iris_space(COLUMNS).digest,
        provenance={
            "synthetic": True,
            "command": "python -m benchmarks.synthetic_iris_points",
            "identities": 2 * options.identities,
            "seed": options.seed,
            "histogram": f"non-mated: {SAMPLE} probes with all references; the points rest on all pairs",
        },
        operating_points=points,
        score_histogram=histogram,
    )
    text = json.dumps(sidecar.model_dump(mode="json"), indent=1) + "\n"
    temporary = SYNTHETIC_POINTS.with_suffix(".part")
    temporary.write_text(text, "utf-8")
    temporary.replace(SYNTHETIC_POINTS)
    print(f"written: {SYNTHETIC_POINTS.name}")


if __name__ == "__main__":
    main()
