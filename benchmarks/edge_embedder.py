"""The edge embedder beside its teacher: FNMR on orl as it is and made worse, by people; time of both in turn.

    python -m benchmarks.edge_embedder accuracy --data DIR --out docs/results/edge-accuracy.json
    python -m benchmarks.edge_embedder speed --out docs/results/edge-speed.json
    python -m benchmarks.edge_embedder graphs float.onnx int8.onnx --data DIR --cache DIR --out FILE

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

from benchmarks.edge_labels import labels_compared
from samebody.config import load_settings
from samebody.face import FaceAnalyser
from samebody.lab.evaluate.corruptions import corruption, generator
from samebody.lab.evaluate.evaluation_sets import (
    EvaluationSet,
    Sample,
    population,
    read_fairface,
    read_orl,
    read_repeats,
)
from samebody.lab.evaluate.operating_points_run import machine
from samebody.measure import draw_weights
from samebody.models import catalogue, embed, open_session
from samebody.types import Image

EDGE, TEACHER = "face/edge", "face/sface"
FMR = 1e-4
SEED = 20260
REPEATS = Path("benchmarks/operating_points/fairface-repeats.csv")
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
        "fnmr": after,
        "fnmr_interval": quantiles(ours),
        "fnmr_other": before,
        "fnmr_other_interval": quantiles(theirs),
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


@main.command()
@click.argument("models", nargs=-1, required=True, type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--data", required=True, type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option("--repeats", default=REPEATS, show_default=True, type=click.Path(exists=True, path_type=Path))
@click.option("--cache", required=True, type=click.Path(file_okay=False, path_type=Path), help="Of aligned faces.")
@click.option("--held", default=0.1, show_default=True, help="Share of people held back, as in the recipe.")
@click.option("--seed", default=20260, show_default=True, help="Of the split, as in the recipe.")
@click.option("--out", required=True, type=click.Path(dir_okay=False, path_type=Path))
def graphs(models: tuple[Path, ...], data: Path, repeats: Path, cache: Path, held: float, seed: int, out: Path) -> None:
    """ONNX files beside the teacher, before they have a record: thresholds, FNMR, labels, held-back faces.

    Needs torch: the split is that of the training task.
    """
    from samebody.lab.evaluate.operating_points import Templates, mated_scores, score_population
    from samebody.lab.train.embed import held_people, rank_correlation
    from samebody.lab.train.embed_faces import aligned_faces
    from samebody.lab.train.embed_targets import teacher_targets
    from samebody.measure import threshold_from_tail

    sets = {"fairface": read_fairface(data), "orl": read_orl(data)}
    faces = {name: aligned_faces(chosen, cache) for name, chosen in sets.items()}
    reviewed = read_repeats(repeats, sets["fairface"].samples)
    people = reviewed.people(list(faces["fairface"].samples))
    away = held_people(faces["fairface"].samples, people, held, seed)
    answers = {"teacher": {name: teacher_targets(entry, cache) for name, entry in faces.items()}}
    for path in models:
        answers[path.name] = {name: run_graph(path, entry.crops, entry.side) for name, entry in faces.items()}
    adults = population("matched-adults", faces["fairface"].samples)
    people_of_orl = None
    refused: dict[str, NDArray[np.int64]] = {}
    limits: dict[str, list[float]] = {}
    rows = []
    for name, vectors in answers.items():
        templates = {k: Templates(faces[k].samples, vectors[k], (), ()) for k in faces}
        scored = score_population(templates["fairface"], people, adults, keep_fmr=1e-2)
        mated = mated_scores(templates["orl"])
        people_of_orl = mated.person
        points = [threshold_from_tail(scored.scores.tail, scored.scores.pairs, target) for target in (1e-3, FMR)]
        limits[name] = [point.value for point in points]
        refused[name] = np.bincount(mated.person, mated.scores < points[1].value, mated.people).astype(np.int64)
        back = [sample for sample, gone in zip(faces["fairface"].samples, away) if gone]
        owners = [owner for owner, gone in zip(people, away) if gone]
        fresh = Templates(tuple(back), vectors["fairface"][away], (), ())
        unseen = score_population(fresh, owners, population("matched-adults", back), keep_fmr=1e-2)
        rows.append(
            {
                "model": name,
                "thresholds": limits[name],
                "fnmr": float((mated.scores < points[1].value).mean()),
                "fnmr_at_1e-3": float((mated.scores < points[0].value).mean()),
                "held_back": {
                    "faces": int(away.sum()),
                    "pairs": unseen.scores.pairs,
                    "false_matches_at_1e-3": int((unseen.scores.tail >= points[0].value).sum()),
                    "false_matches_at_1e-4": int((unseen.scores.tail >= points[1].value).sum()),
                    "cosine": float((vectors["fairface"][away] * answers["teacher"]["fairface"][away]).sum(1).mean()),
                    "ranks": rank_correlation(vectors["fairface"][away], answers["teacher"]["fairface"][away]),
                },
            }
        )
        click.echo(json.dumps(rows[-1]))
    assert people_of_orl is not None
    tried = np.bincount(people_of_orl)
    names = list(refused)
    pairs = [(names[0], other) for other in names[1:]] + [(names[1], other) for other in names[2:]]
    compared_all = {f"{two} against {one}": compared(refused[two], refused[one], tried) for one, two in pairs}
    click.echo(json.dumps(compared_all))
    labels: dict[str, Any] = {}
    for name in names[1:]:
        for at, level in enumerate(("1e-3", "1e-4")):
            one, two = ((answers[each]["fairface"], limits[each][at]) for each in (name, names[0]))
            labels[f"{name} against {names[0]} at {level}"] = labels_compared(
                faces["fairface"].samples, people, one, two
            )
    click.echo(json.dumps(labels))
    out.parent.mkdir(parents=True, exist_ok=True)
    found = {"fmr": FMR, "rows": rows, "orl": compared_all, "labels": labels, "machine": machine()}
    out.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")


def run_graph(path: Path, crops: NDArray[np.uint8], side: int) -> NDArray[np.float32]:
    """Unit vectors of the middles of wide crops."""
    from samebody.lab.ship.graph import session_of

    session, margin, found = session_of(path.read_bytes()), (crops.shape[1] - side) // 2, []
    for start in range(0, len(crops), 8):
        part = np.asarray(crops[start : start + 8])[:, margin:-margin, margin:-margin].transpose(0, 3, 1, 2)
        found.append(session.run(None, {"input": np.ascontiguousarray(part, dtype=np.float32)})[0])
    vectors = np.concatenate(found)
    return np.asarray(vectors / np.linalg.norm(vectors, axis=1, keepdims=True), dtype=np.float32)


def write(out: Path, figures: dict[str, Any]) -> None:
    """Figures with models and machine."""
    models = {name: catalogue()[name].run_sha256 for name in (EDGE, TEACHER)}
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_text(json.dumps({**figures, "models": models, "machine": machine()}, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
