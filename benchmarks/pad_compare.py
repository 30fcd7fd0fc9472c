"""Two passive detectors on the same pictures: AUC of each species, and their difference with a paired interval.

    python -m benchmarks.pad_compare --before RUN --after RUN --cache DIR [--cache DIR] --data DIR [--second]

Every cache holds the held-back pairs of one version of the generator. Both runs see all of them, whichever either was
trained on; the people are held back from both, since the split goes by people. Differences are resampled over people.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from benchmarks.pad_scores import drawn_again, odds_of, pairs_in, second_pictures
from samebody.attacks.pad import PLACES
from samebody.lab.train.pad import PRESENTED, scores_of
from samebody.lab.train.pad_data import PadSource
from samebody.lab.train.pad_sources import SourceFaces
from samebody.lab.train.run import open_run
from samebody.synth.attacks.shortcuts import area

REPLICATES = 400


def held_rows(cache: Path) -> list[dict[str, Any]]:
    """Rows of the held-back pairs in ``cache``.

    Raises:
        SystemExit: it holds no pairs, or those of several plans.
    """
    places = sorted(cache.glob("pairs-*/held"))
    if len(places) != 1:
        raise SystemExit(f"{cache} holds {len(places)} sets of held-back pairs, one is needed")
    return pairs_in(places[0])


def difference(
    before: NDArray[np.float64], after: NDArray[np.float64], label: NDArray[np.int64], person: NDArray[Any]
) -> tuple[float, float, float, float, float]:
    """AUC of both, their difference and its 95 % interval, from drawing people again, the same for both."""
    values = [1 - area(scores, 1.0 - label) for scores in (before, after)]
    draws = [
        area(before[again], 1.0 - label[again]) - area(after[again], 1.0 - label[again])
        for again in drawn_again(person, label, REPLICATES)
    ]
    low, high = np.quantile(draws, [0.025, 0.975])
    return float(values[0]), float(values[1]), float(values[1] - values[0]), float(low), float(high)


def line(name: str, kind: str, count: int, found: tuple[float, float, float, float, float]) -> str:
    """A row of the table."""
    before, after, change, low, high = found
    return f"| {name} | {kind} | {count} | {before:.3f} | {after:.3f} | {change:+.3f} ({low:+.3f} to {high:+.3f}) |"


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--before", type=Path, required=True)
    parser.add_argument("--after", type=Path, required=True)
    parser.add_argument("--cache", type=Path, action="append", required=True)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--second", action="store_true", help="the second maker's pictures too")
    chosen = parser.parse_args()
    torch.set_num_threads(1)
    runs = [open_run(chosen.before), open_run(chosen.after)]
    reaches = tuple(place[0] for place in PLACES)
    print("| pictures | species | attacks | AUC before | AUC after | difference |")
    print("| --- | --- | --- | --- | --- | --- |")
    sources = []
    for cache in chosen.cache:
        source = PadSource(held_rows(cache), runs[0].task.parameters.views)
        sources.append(source)
        scores = [scores_of(run.network, source, np.arange(len(source)), reaches) for run in runs]
        label, species, person = (source.columns[name] for name in ("label", "species", "subject"))
        for name in (*PRESENTED, "face_swap", "morph", "generated", "injection"):
            rows = (label == 1) | (species == name)
            found = difference(scores[0][rows], scores[1][rows], label[rows], person[rows])
            print(line(cache.name, name, int(((label == 0) & (species == name)).sum()), found), flush=True)
    if chosen.second:
        print("\n".join(second_lines(runs, sources[0], chosen.data, chosen.cache[0])))


def second_lines(runs: list[Any], source: PadSource, data: Path, cache: Path) -> list[str]:
    """Rows of the second maker's pictures."""
    with np.load(next(iter(sorted(cache.glob("faces-*.npz"))))) as held:
        faces = SourceFaces(held["files"], held["boxes"], held["points"])
    scores: list[dict[str, NDArray[np.float64]]] = [{}, {}]
    for name, pictures in second_pictures(source, data, faces, 120).items():
        for run, found in zip(runs, scores, strict=True):
            found[name] = odds_of(run.network, pictures, run.task.parameters.views.side)
    lines = []
    for name in ("print", "screen_replay"):
        both = [np.r_[found["bona fide"], found[name]] for found in scores]
        count = len(scores[0][name])
        label = np.r_[np.ones(len(scores[0]["bona fide"]), np.int64), np.zeros(count, np.int64)]
        person = np.r_[np.arange(len(label) - count), np.arange(count)]
        lines.append(line("second maker", name, count, difference(both[0], both[1], label, person)))
    return lines


if __name__ == "__main__":
    main()
