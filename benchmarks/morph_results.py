"""The differential morph check from end to end: pictures, fit, figures, and with ``--write`` record and page.

    python -m benchmarks.morph_results [--data DIR] [--cache DIR] [--write]

DIR holds fairface/ and orl/, by default SAMEBODY_DATA. Preparing takes about ten minutes of one core and is kept in the
cache; a killed run goes on. The same pictures give the same weights.
"""

from __future__ import annotations

import argparse
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.machine import describe_machine
from benchmarks.morph_fit import Array, MorphModel, fit_morph, morph_graph
from benchmarks.morph_pairs import METHODS, Trials, load_trials
from benchmarks.morph_sources import Faces, default_cache, default_data, load_faces
from samebody.attacks.morph import RECORD
from samebody.attacks.morph_features import SHAPE_SIZE, head_shape
from samebody.durable import sync_folder
from samebody.lab.evaluate.files import write_text
from samebody.lab.ship.toml import record_toml
from samebody.measure.calibration import cllr
from samebody.measure.clustered import clustered_rate
from samebody.measure.intervals import RateEstimate
from samebody.models import Detection, DetectionPoint, ModelRecord, SpeciesRate, catalogue

ROOT = Path(__file__).parents[1]
RECORDS = ROOT / "src/samebody/models/records"
PAGE = ROOT / "docs/results/morph-differential.md"
TARGETS = (0.01, 0.05, 0.1)
HELD_OUT = tuple(method for method in METHODS if method.startswith("second"))
SETS = {"test": "fairface, people not learnt from", "orl": "orl, nothing of it learnt from"}


@dataclass(frozen=True, eq=False)
class Prepared:
    """Trials as numbers: templates, shapes, labels."""

    trials: Trials
    vectors: Array
    shapes: Array
    morph: NDArray[np.bool_]
    people: NDArray[np.int64]

    @property
    def cosine(self) -> Array:
        """(n,) what the face comparison itself says."""
        return np.asarray((self.vectors[:, 0] * self.vectors[:, 1]).sum(axis=1))


def prepare(faces: Faces, trials: Trials) -> Prepared:
    """Templates and shapes of both sides of each comparison."""
    portraits = np.array([head_shape(points) for points in trials.points])
    selfies = np.array([head_shape(points) for points in faces.points])
    vectors = np.stack([trials.vectors[trials.portrait], faces.templates[trials.selfie]], axis=1).astype(np.float64)
    shapes = np.stack([portraits[trials.portrait], selfies[trials.selfie]], axis=1).astype(np.float64)
    _, people = np.unique(trials.person, return_inverse=True)
    return Prepared(trials, vectors, shapes, trials.method != "", people.reshape(-1))


@dataclass(frozen=True, eq=False)
class Fitted:
    """The model, its thresholds from the people learnt from, and the log odds of all comparisons."""

    model: MorphModel
    logit: Array
    thresholds: dict[float, float]
    band: tuple[float, float]


def fit(data: Prepared, *, use_shape: bool = True) -> Fitted:
    """Fit on the training part; thresholds from scores of models that did not see the person.

    The check fails below the threshold of BSCER 1 %, and passes above that of MACER 10 % of the worst method.
    """
    train = data.trials.part == "train"
    model, crossed = fit_morph(
        data.vectors[train], data.shapes[train], data.morph[train], data.people[train], use_shape=use_shape
    )
    fair, bad = crossed[~data.morph[train]], crossed[data.morph[train]]
    methods = data.trials.method[train][data.morph[train]]
    thresholds = {target: float(np.quantile(fair, target)) for target in TARGETS}
    high = max(float(np.quantile(bad[methods == method], 0.9)) for method in np.unique(methods))
    low = thresholds[0.01]
    return Fitted(model, model.logit(data.vectors, data.shapes), thresholds, (low, max(low, high)))


def rate(data: Prepared, rows: NDArray[np.bool_], wrong: NDArray[np.bool_]) -> RateEstimate:
    """Share of wrong rows, with an interval over people."""
    return clustered_rate(data.trials.person[rows], wrong[rows]).estimate


def points(data: Prepared, fitted: Fitted) -> tuple[DetectionPoint, ...]:
    """Measured error rates of both sets, for the record."""
    found = []
    for part, name in SETS.items():
        fair = (data.trials.part == part) & ~data.morph
        for target, threshold in fitted.thresholds.items():
            passes = fitted.logit >= threshold
            bscer = rate(data, fair, ~passes)
            species = []
            for method in METHODS:
                rows = (data.trials.part == part) & (data.trials.method == method)
                if rows.any():
                    macer = rate(data, rows, passes)
                    species.append(
                        SpeciesRate(name=method, apcer=macer.rate, interval=macer.interval, attacks=macer.trials)
                    )
            worst = max(species, key=lambda entry: entry.apcer)
            found.append(
                DetectionPoint(
                    bpcer=target,
                    threshold=float(_sigmoid(threshold)),
                    realised_bpcer=bscer.rate,
                    bpcer_interval=bscer.interval,
                    apcer=worst.apcer,
                    species=tuple(species),
                    attacks="synthetic",
                    bona_fide=bscer.trials,
                    subjects=bscer.subjects,
                    unit="pair",
                    dataset=name,
                    held_out="subjects",
                    indicative=bscer.indicative,
                )
            )
    return tuple(found)


def _sigmoid(value: float) -> float:
    return float(1 / (1 + np.exp(-value)))


def record_of(graph: bytes, detection: Detection, space: str, dimensions: int) -> ModelRecord:
    """The bundled record."""
    return ModelRecord.model_validate(
        {
            "id": RECORD,
            "task": "morph-detection",
            "version": "1",
            "title": "Differential morph check: portrait against selfie, from templates and head shapes",
            "sha256": hashlib.sha256(graph).hexdigest(),
            "bytes": len(graph),
            "format": "onnx",
            "filename": "morph-differential.onnx",
            "sources": [{"kind": "bundled", "path": f"{RECORD}.onnx"}],
            "input": {
                "kind": "tensor",
                "name": "vectors",
                "shape": ["batch", 2, dimensions],
                "meaning": f"templates of portrait and selfie, unit length, of the embedding space {space} (SFace)",
            },
            "more_inputs": [
                {
                    "kind": "tensor",
                    "name": "shapes",
                    "shape": ["batch", 2, SHAPE_SIZE],
                    "meaning": "head shapes of portrait and selfie from samebody.attacks.morph_features.head_shape",
                }
            ],
            "output": {
                "kind": "score",
                "name": "bona_fide",
                "meaning": "likelihood at even odds that the portrait shows one person alone",
            },
            "licence": {
                "spdx": "Apache-2.0",
                "commercial_use": "yes",
                "why": "Fitted by this project; training data: fairface (CC BY 4.0) and morphs made from it here.",
                "notice": "Copyright (c) the samebody authors. Fitted on FairFace (K. Kärkkäinen, J. Joo, WACV 2021; "
                "CC BY 4.0).",
            },
            "provenance": {
                "origin": "benchmarks/morph_results.py in this repository",
                "paper": "U. Scherhag et al., Deep face representations for differential morphing attack detection, "
                "IEEE TIFS 15 (2020), for the idea",
                "training_data": "Pairs of pictures of one person in fairface (docs/adr/0043) and morphs by "
                "samebody.synth.attacks; no real morph, no scanned document",
                "intended_use": "Something for a reviewer to look at beside the face comparison; it decides nothing in "
                "the bundled policies.",
                "known_limits": (
                    "Trained on synthetic attacks only; not validated on real morphs or scanned documents.",
                    "It mostly asks more of the likeness than the comparison does: see docs/results/"
                    "morph-differential.md for what the shape adds.",
                    "Its bona fide pairs were found by the same matcher and are of one shoot: people who aged between "
                    "portrait and selfie will alarm it more often.",
                    "A morph that leans to the holder (share of the other below 0.4) is mostly missed.",
                ),
            },
            "detection": detection.model_dump(),
        }
    )


def write_record(record: ModelRecord, graph: bytes) -> None:
    """Graph and record, each whole or not at all."""
    path = RECORDS / f"{record.id}.onnx"
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_suffix(".part")
    temporary.write_bytes(graph)
    temporary.replace(path)
    sync_folder(path.parent)
    write_text(path.with_suffix(".toml"), record_toml(record))


def page(data: Prepared, fitted: Fitted, alone: Fitted, record: ModelRecord, match_at: float) -> str:
    """The page of figures."""
    machine = describe_machine()
    lines = [
        "# Differential morph check",
        "",
        f"`{record.label}`, from `python -m benchmarks.morph_results --write`, commit {machine['commit']}. All morphs "
        "are synthetic: no real morph and no scanned document was seen. Terms of ISO/IEC 20059: MACER is the share of "
        "morphs of one method taken for bona fide, BSCER that of bona fide pairs taken for morphs. Intervals are of "
        "95 % over people. Thresholds come from the people learnt from and were not touched afterwards. `second.*` is "
        "a generator of its own (thin-plate splines, blending of displayed values, OpenCV's gradient cloning) that "
        "nothing was learnt from; `first.*` is samebody.synth.attacks. Three in four portraits are shrunk, blurred, "
        "paled and coded as those of documents are, morphs and bona fide alike.",
        "",
        "Bona fide pairs of fairface were *found* by SFace (at least 0.55 before the portrait was degraded), so BSCER "
        "there is flattering; orl holds pictures of each of 40 people, whoever scores what. SFace itself accepts at "
        f"{match_at:.3f} (FMR 1e-4, matched adults); *threatening* morphs are those that it accepts. Most of what the "
        "check finds are morphs that the comparison refuses anyway; **of the threatening ones nearly all pass at a "
        "BSCER that anybody could bear. It is no protection against a good morph.** That is why it decides nothing.",
        "",
    ]
    for part, name in SETS.items():
        lines += _set_section(data, fitted, alone, part, name, match_at)
    return "\n".join(lines) + "\n"


def _set_section(data: Prepared, fitted: Fitted, alone: Fitted, part: str, name: str, match_at: float) -> Sequence[str]:
    of_part = data.trials.part == part
    fair, bad = of_part & ~data.morph, of_part & data.morph
    threat = bad & (data.cosine >= match_at)
    people = len(set(data.trials.person[of_part].tolist()))
    ratio = {which.logit is fitted.logit: cllr(which.logit[fair], which.logit[bad]) for which in (fitted, alone)}
    lines = [
        f"## {name}",
        "",
        f"{people} people, {int(fair.sum())} bona fide pairs, {int(bad.sum())} morphs of which {int(threat.sum())} are "
        f"threatening. Area under the ROC curve {_area(fitted, fair, bad):.3f}, of the threatening alone "
        f"{_area(fitted, fair, threat):.3f}; the comparison's score alone {_area(alone, fair, bad):.3f} and "
        f"{_area(alone, fair, threat):.3f}. Cllr {ratio[True]:.3f} (score alone {ratio[False]:.3f}; 1 says nothing).",
        "",
        "| method | morphs | "
        + " | ".join(f"MACER at BSCER {target:.0%}" for target in TARGETS)
        + " | unsure | passed |",
        "| --- | --- | " + " | ".join("---" for _ in TARGETS) + " | --- | --- |",
    ]
    low, high = fitted.band

    def row(label: str, rows: NDArray[np.bool_], *, attack: bool) -> str:
        cells = [
            _cell(rate(data, rows, (fitted.logit >= threshold) == attack)) for threshold in fitted.thresholds.values()
        ]
        unsure = float(((fitted.logit >= low) & (fitted.logit < high))[rows].mean())
        passed = float((fitted.logit >= high)[rows].mean())
        return f"| {label} | {int(rows.sum())} | " + " | ".join(cells) + f" | {unsure:.0%} | {passed:.0%} |"

    for method in (*HELD_OUT, *(m for m in METHODS if m not in HELD_OUT)):
        rows = bad & (data.trials.method == method)
        if rows.sum() > 1:
            lines.append(row(f"{method}{' (held out)' if method in HELD_OUT else ''}", rows, attack=True))
    if threat.sum() > 1:
        lines.append(row("threatening, all methods", threat, attack=True))
    lines += [row("bona fide: BSCER", fair, attack=False), ""]
    return lines


def _cell(estimate: RateEstimate) -> str:
    low, high = estimate.interval
    return f"{estimate.rate:.1%} ({low:.1%} to {high:.1%})"


def _area(fitted: Fitted, fair: NDArray[np.bool_], bad: NDArray[np.bool_]) -> float:
    from samebody.synth.attacks.shortcuts import area

    if not bad.any():
        return float("nan")
    scores = np.concatenate([fitted.logit[fair], fitted.logit[bad]])
    return area(scores, np.concatenate([np.ones(fair.sum()), np.zeros(bad.sum())]))


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=default_data(), help="folder of the sets")
    parser.add_argument("--cache", type=Path, default=default_cache(), help="where prepared input is kept")
    parser.add_argument("--write", action="store_true", help="write record, graph and page")
    chosen = parser.parse_args(arguments)
    faces = load_faces(chosen.data, chosen.cache)
    data = prepare(faces, load_trials(faces, chosen.cache))
    fitted, alone = fit(data), fit(data, use_shape=False)
    embedder = catalogue()["face/sface"]
    space = embedder.embedding_space().digest
    dimensions = int(data.vectors.shape[2])
    graph = morph_graph(fitted.model, space, dimensions)
    band = (_sigmoid(fitted.band[0]), _sigmoid(fitted.band[1]))
    record = record_of(graph, Detection(unsure=band, points=points(data, fitted)), space, dimensions)
    text = page(data, fitted, alone, record, embedder.operating_point(1e-4).threshold)
    print(text)
    if chosen.write:
        write_record(record, graph)
        write_text(PAGE, text)
        print(f"written: {RECORDS / RECORD}.toml, .onnx, {PAGE}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
