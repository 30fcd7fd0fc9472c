"""The edge embedder beside its teacher: FNMR on orl as it is and made worse, by people; time of both in turn.

    python -m benchmarks.edge_embedder accuracy --data DIR --out docs/results/edge-accuracy.json
    python -m benchmarks.edge_embedder speed --out docs/results/edge-speed.json

Thresholds are those of each record at FMR 1e-4 (matched adults of fairface): measure them first with
``samebody evaluate operating-points --model face/edge --data DIR --write``. Probes are corrupted and detected anew;
both embedders see the same aligned crops, so a face that is not found counts for both. Ratios are drawn over people.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click
import numpy as np
from numpy.typing import NDArray

from samebody.config import load_settings
from samebody.face import FaceAnalyser
from samebody.lab.evaluate.corruptions import corruption, generator
from samebody.lab.evaluate.evaluation_sets import EvaluationSet, Sample, read_orl
from samebody.lab.evaluate.operating_points_run import machine
from samebody.measure import draw_weights
from samebody.models import catalogue, embed, open_session
from samebody.types import Image

EDGE, TEACHER = "face/edge", "face/sface"
FMR = 1e-4
SEED = 20260
SUITE = (
    ("blur", 2.0),
    ("blur", 4.0),
    ("yaw", 30.0),
    ("yaw", 45.0),
    ("resolution", 12.0),
    ("resolution", 8.0),
)
"""Fixed: name of the corruption and its strength, in the units of `samebody evaluate robustness`."""
REPLICATES = 2000


def crops_of(
    analyser: FaceAnalyser, chosen: EvaluationSet, samples: list[Sample], kind: str = "", strength: float = 0.0
) -> dict[str, NDArray[np.uint8]]:
    """Aligned crops by file; a picture without a usable face is left out."""
    found = {}
    for sample in samples:
        image = chosen.load(sample)
        if kind:
            face = analyser.aligned(image).chosen
            if face is None:
                continue
            rng = generator(SEED, kind, strength, sample.file)
            image = Image(corruption(kind).apply(image.pixels, face, strength, rng))
        analysis = analyser.aligned(image)
        if analysis.aligned is not None:
            found[sample.file] = np.asarray(analysis.aligned)
    return found


def vectors_of(model: str, crops: dict[str, NDArray[np.uint8]]) -> dict[str, NDArray[np.float32]]:
    """Unit vectors by file."""
    files = sorted(crops)
    made = [
        embed(catalogue()[model], np.stack([crops[f] for f in files[n : n + 16]])) for n in range(0, len(files), 16)
    ]
    return dict(zip(files, np.concatenate(made), strict=True))


def refusals(
    probes: dict[str, NDArray[np.float32]],
    references: dict[str, NDArray[np.float32]],
    samples: list[Sample],
    threshold: float,
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Refused and tried mated comparisons of each person: probe against every other picture of the person, as it is."""
    people = sorted({sample.person for sample in samples})
    refused, tried = np.zeros(len(people), np.int64), np.zeros(len(people), np.int64)
    for number, person in enumerate(people):
        own = [sample.file for sample in samples if sample.person == person]
        for probe in own:
            if probe not in probes:
                continue
            others = [references[file] for file in own if file != probe and file in references]
            scores = (np.stack(others).astype(np.float64) @ probes[probe].astype(np.float64)).astype(np.float32)
            refused[number] += int((scores < np.float64(threshold)).sum())
            tried[number] += len(scores)
    return refused, tried


def compared(edge: NDArray[np.int64], teacher: NDArray[np.int64], tried: NDArray[np.int64]) -> dict[str, Any]:
    """Both rates, and their ratio and difference with paired 95 % bootstrap intervals over people."""
    weights = np.concatenate(list(draw_weights(len(tried), REPLICATES, SEED)), axis=1).T
    totals = weights @ tried
    ours, theirs = weights @ edge / totals, weights @ teacher / totals
    with np.errstate(divide="ignore", invalid="ignore"):
        ratios = np.where(theirs > 0, ours / theirs, np.where(ours > 0, np.inf, 1.0))
    before = teacher.sum() / tried.sum()
    after = edge.sum() / tried.sum()
    return {
        "comparisons": int(tried.sum()),
        "people": len(tried),
        "fnmr_edge": after,
        "fnmr_edge_interval": quantiles(ours),
        "fnmr_sface": before,
        "fnmr_sface_interval": quantiles(theirs),
        "ratio": after / before if before else None,
        "ratio_interval": quantiles(ratios),
        "difference": after - before,
        "difference_interval": quantiles(ours - theirs),
    }


def quantiles(values: NDArray[np.float64]) -> list[float | None]:
    """2.5 and 97.5 % quantiles, not interpolated; None for infinity."""
    ends = np.quantile(values, [0.025, 0.975], method="nearest")
    return [float(value) if np.isfinite(value) else None for value in ends]


@click.group()
def main() -> None:
    """Figures of the edge embedder."""


@main.command()
@click.option("--data", required=True, type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option("--per-person", default=4, show_default=True, type=click.IntRange(1, 10), help="Corrupted probes.")
@click.option("--out", required=True, type=click.Path(dir_okay=False, path_type=Path))
def accuracy(data: Path, per_person: int, out: Path) -> None:
    """FNMR of both at their thresholds for FMR 1e-4, on orl as it is and under the suite."""
    settings = load_settings()
    analyser = FaceAnalyser(settings)
    chosen = read_orl(data)
    samples = list(chosen.samples)
    records = {name: catalogue(settings)[name] for name in (EDGE, TEACHER)}
    thresholds = {name: record.operating_point(FMR).threshold for name, record in records.items()}
    clean = crops_of(analyser, chosen, samples)
    references = {name: vectors_of(name, clean) for name in records}
    rows: list[dict[str, Any]] = []
    pooled: list[NDArray[np.int64]] = []

    def row(name: str, strength: float, probes: dict[str, dict[str, NDArray[np.float32]]], lost: int) -> None:
        counts = {n: refusals(probes[n], references[n], samples, thresholds[n]) for n in records}
        edge, teacher, tried = counts[EDGE][0], counts[TEACHER][0], counts[EDGE][1]
        if name:
            pooled.append(np.stack([edge, teacher, tried]))
        figures = compared(edge, teacher, tried)
        rows.append({"corruption": name or "none", "strength": strength, "not_acquired": lost, **figures})
        click.echo(f"{name or 'none'} {strength:g}: {json.dumps(figures)}")

    row("", 0.0, references, len(samples) - len(clean))
    seen: dict[str, int] = {}
    few = []
    for sample in samples:
        seen[sample.person] = seen.get(sample.person, 0) + 1
        if seen[sample.person] <= per_person:
            few.append(sample)
    for kind, strength in SUITE:
        crops = crops_of(analyser, chosen, few, kind, strength)
        row(kind, strength, {name: vectors_of(name, crops) for name in records}, len(few) - len(crops))
    whole = np.sum(pooled, axis=0)
    rows.append({"corruption": "suite", "strength": None, "not_acquired": None, **compared(*whole)})
    click.echo(f"suite: {json.dumps(rows[-1])}")
    write(out, {"fmr": FMR, "thresholds": thresholds, "rows": rows, "seed": SEED, "replicates": REPLICATES})


@main.command()
@click.option("--rounds", default=60, show_default=True, type=click.IntRange(10))
@click.option("--runs", default=5, show_default=True, type=click.IntRange(1))
@click.option("--out", required=True, type=click.Path(dir_okay=False, path_type=Path))
def speed(rounds: int, runs: int, out: Path) -> None:
    """Time of one face on one thread: both in turn, ratios of neighbours, with the interval of their median."""
    from samebody.lab.ship.timing import measure_times

    sessions = {name: open_session(catalogue()[name], load_settings(), threads=1) for name in (EDGE, TEACHER)}
    pixels = np.random.default_rng(0).integers(0, 256, (1, 3, 112, 112)).astype(np.float32)
    given = {name: session.get_inputs()[0].name for name, session in sessions.items()}

    class Named:
        """A session that takes its picture under one name."""

        def __init__(self, name: str) -> None:
            self.session, self.own = sessions[name], given[name]

        def get_outputs(self) -> Any:
            return self.session.get_outputs()

        def run(self, names: list[str], tensors: dict[str, Any]) -> Any:
            return self.session.run(names, {self.own: tensors["input"]})

    found = measure_times(
        Named(EDGE),  # type: ignore[arg-type]
        Named(TEACHER),  # type: ignore[arg-type]
        {"input": pixels},
        rounds=rounds,
        runs=runs,
        threads=1,
    )
    assert found.ratio is not None and found.ratio_interval is not None
    times_faster = [1 / found.ratio_interval[1], 1 / found.ratio, 1 / found.ratio_interval[0]]
    figures = {
        "edge_ms": found.after_ms,
        "sface_ms": found.before_ms,
        "times_faster": times_faster[1],
        "times_faster_interval": [times_faster[0], times_faster[2]],
        "rounds": rounds,
        "runs": runs,
        "threads": 1,
        "edge_bytes": catalogue()[EDGE].run_bytes,
        "sface_bytes": catalogue()[TEACHER].run_bytes,
    }
    click.echo(json.dumps(figures))
    write(out, figures)


def write(out: Path, figures: dict[str, Any]) -> None:
    """Figures with models and machine."""
    models = {name: catalogue()[name].run_sha256 for name in (EDGE, TEACHER)}
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_text(json.dumps({**figures, "models": models, "machine": machine()}, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
