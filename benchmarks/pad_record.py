"""Writes the record and the graph of the passive detector from a finished run and the runs that left species out.

    python -m benchmarks.pad_record --run RUN --holdouts DIR --cache DIR --out src/samebody/models/records/attacks

The calibration is logistic, on one half of the held-back people and the species held before a camera. How much surer a
detector is of species it knows than of those it does not, is measured on the runs that left them out; the slope is
made flatter by that ratio. Thresholds come from the same half, rates from the other.
"""

from __future__ import annotations

import argparse
import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.pad_holdouts import SPECIES_FOLDS, holdouts
from benchmarks.pad_scores import BPCER, Scored, held_source, rates_at, run_scores, threshold_at
from samebody.lab.train.export import check_parity, export_module
from samebody.lab.train.pad import PRESENTED, Likelihood
from samebody.measure.calibration import LogisticCalibration, fit_logistic

PASSES = 0.10
"""APCER of the worst species held before a camera at the upper end of the band of abstention, on the first half."""

LIMITS = (
    "Trained on synthetic attacks; not validated on real attacks and not tested to ISO/IEC 30107-3. Its figures say "
    "nothing of what real prints, screens and masks would do.",
    "Species and generator families that training left out are told much worse: docs/results/pad-passive.md.",
    "Trained on web photographs of faces that went through a simulated camera: on other cameras the share of people it "
    "stops (BPCER) is not known.",
    "Masks of silicone, latex or resin, make-up and people behind glass were not in training.",
    "Files that never passed a camera (swaps, morphs, generated faces, injection) are hardly told.",
)


def halves(found: Scored) -> tuple[Scored, Scored]:
    """The presentations of one half of the people and of the other, by a hash of who they are."""
    side = np.array([hashlib.sha256(f"half {name}".encode()).digest()[0] % 2 == 0 for name in found.person.tolist()])
    return found.part(side), found.part(~side)


def _camera(found: Scored) -> NDArray[np.bool_]:
    return np.isin(found.species, PRESENTED)


def calibration(found: Scored, attacks: NDArray[np.bool_]) -> LogisticCalibration:
    """Log odds to log-likelihood ratios of all bona fide against the given attacks."""
    return fit_logistic(found.scores[found.label == 1], found.scores[attacks])


def flatter(folder: Path, cache: Path) -> float:
    """Slope on species that were left out over the slope on those that were not, at most 1: mean of the runs."""
    ratios = []
    for name, without in holdouts().items():
        if not name.startswith("species-"):
            continue
        found = run_scores(folder / name, cache, folder / f"{name}.npz")
        attack, unseen = (found.label == 0) & _camera(found), np.isin(found.species, without)
        seen = calibration(found, attack & ~unseen)
        ratios.append(calibration(found, attack & unseen).slope / max(seen.slope, 1e-9))
    assert len(ratios) == len(SPECIES_FOLDS)
    return float(min(1.0, np.mean(ratios)))


def detection(first: Scored, second: Scored, likelihood: LogisticCalibration) -> Mapping[str, Any]:
    """The ``[detection]`` of the record."""

    def of(scores: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.asarray(1 / (1 + np.exp(-(likelihood.slope * scores + likelihood.offset))))

    low = round(float(of(np.array([threshold_at(first.scores[first.label == 1])]))[0]), 4)
    ends = []
    for name in PRESENTED:
        attack = of(first.scores[(first.label == 0) & (first.species == name)])
        ends.append(float(np.quantile(attack, 1 - PASSES)))
    high = round(max(low, max(ends)), 4)
    points = []
    judged = Scored(of(second.scores), *list(vars(second).values())[1:])
    for target in (BPCER, 0.2):
        threshold = float(of(np.array([threshold_at(first.scores[first.label == 1], target)]))[0])
        rates = rates_at(judged, threshold)
        assert rates.bpcer is not None and rates.worst is not None
        species = [
            {
                "name": str(entry.species),
                "apcer": entry.apcer.rate,
                "interval": (entry.apcer.interval[0], entry.apcer.interval[1]),
                "attacks": int(np.sum((judged.label == 0) & (judged.species == entry.species))),
            }
            for entry in rates.species
            if entry.apcer is not None
        ]
        points.append(
            {
                "bpcer": target,
                "threshold": threshold,
                "realised_bpcer": rates.bpcer.rate,
                "bpcer_interval": (rates.bpcer.interval[0], rates.bpcer.interval[1]),
                "apcer": max(float(entry["apcer"]) for entry in species),
                "species": species,
                "attacks": "synthetic",
                "bona_fide": int(np.sum(judged.label == 1)),
                "subjects": len(set(judged.person.tolist())),
                "dataset": "pairs of synthetic attacks and bona fide twins from held-back people of fairface",
                "held_out": "subjects",
                "indicative": rates.bpcer.errors < 30,
            }
        )
    return {"unsure": (low, high), "points": points}


def write(run: Path, folder: Path, cache: Path, out: Path) -> None:
    """Graph and record below ``out``."""
    from samebody.lab.data.files import write_bytes
    from samebody.lab.ship.toml import record_toml
    from samebody.lab.train.export import source_samples
    from samebody.models.record import ModelRecord

    opened, held = held_source(run, cache)
    first, second = halves(run_scores(run, cache, run / "scores.npz"))
    fitted = calibration(first, (first.label == 0) & _camera(first))
    ratio = flatter(folder, cache) if folder.is_dir() else 1.0
    middle = -fitted.offset / fitted.slope
    used = LogisticCalibration(
        fitted.slope * ratio, -middle * fitted.slope * ratio, fitted.bounds, fitted.mated, fitted.non_mated
    )
    module = Likelihood(opened.network, used.slope, used.offset).eval()
    example = opened.task.example()
    graph = export_module(module, example)
    parity = check_parity(module, graph, example, source_samples(held, example, 256, "held back"))
    side = int(example.input.shape[-1])
    identity = {key: str(value) for key, value in opened.record["data"]["identity"].items()}
    record = ModelRecord.model_validate(
        {
            "id": "attacks/pad-passive",
            "task": "presentation-attack-detection",
            "version": "1",
            "title": "Passive presentation attack detection from one RGB picture",
            "sha256": hashlib.sha256(graph).hexdigest(),
            "bytes": len(graph),
            "format": "onnx",
            "filename": "pad-passive.onnx",
            "sources": [{"kind": "bundled", "path": "attacks/pad-passive.onnx"}],
            "input": {
                "kind": "image",
                "name": "views",
                "width": side,
                "height": side,
                "colour": "rgb",
                "layout": "nchw",
            },
            "output": {
                "kind": "score",
                "name": "likelihood",
                "meaning": "calibrated likelihood of bona fide of one view; views are averaged as log odds",
            },
            "licence": {
                "spdx": "Apache-2.0",
                "commercial_use": "yes",
                "why": "Trained by this project on FairFace (CC BY 4.0), whose attribution the notice gives, and on "
                "attacks that the project generates from it.",
                "notice": "Copyright (c) the samebody authors. Licensed under the Apache License, Version 2.0. Trained "
                "on FairFace, K. Kärkkäinen and J. Joo, WACV 2021, CC BY 4.0.",
            },
            "provenance": {
                "origin": "samebody train pad, then benchmarks/pad_record.py, in this repository",
                "training_data": f"{identity['train_pairs']} pairs of a synthetic attack (8 species, 22 generator "
                "families) and its bona fide twin, made from fairface by samebody.synth.attacks; no real attack",
                "intended_use": "One sign among others whether a face before the camera is a print, a screen or a "
                "mask. It must not decide alone.",
                "known_limits": LIMITS,
            },
            "training": {
                "recipe": opened.recipe.id,
                "recipe_digest": opened.recipe.digest,
                "run": hashlib.sha256((run / "run.json").read_bytes()).hexdigest(),
                "weights_sha256": opened.weights_sha256,
                "data": identity,
                "code": {k: str(v) for k, v in dict(opened.record.get("code", {})).items()},
                "seed": opened.recipe.seed,
            },
            "detection": detection(first, second, used),
        }
    )
    out.mkdir(parents=True, exist_ok=True)
    write_bytes(out / "pad-passive.onnx", graph)
    write_bytes(out / "pad-passive.toml", record_toml(record).encode())
    told = {
        "slope": used.slope,
        "offset": used.offset,
        "flatter": ratio,
        "parity": parity[0].largest,
        "bytes": len(graph),
        "unsure": record.detection.unsure if record.detection else None,
    }
    print(json.dumps(told, indent=1))


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    for name in ("run", "holdouts", "cache", "out"):
        parser.add_argument(f"--{name}", type=Path, required=True)
    chosen = parser.parse_args()
    write(chosen.run, chosen.holdouts, chosen.cache, chosen.out)


if __name__ == "__main__":
    main()
