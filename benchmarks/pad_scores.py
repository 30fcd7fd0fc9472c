"""Scores of passive detectors on pairs that were held back, on a second maker's attacks, and of the baseline."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from benchmarks import pad_minifasnet, pad_second
from samebody.attacks.crops import views
from samebody.attacks.pad import PLACES
from samebody.lab.train.pad import scores_of
from samebody.lab.train.pad_data import PadSource
from samebody.lab.train.pad_files import read_shard
from samebody.lab.train.run import open_run
from samebody.measure import BootstrapOptions
from samebody.measure.attack import PadRates, pad_rates, presentations
from samebody.measure.bootstrap import draw_weights
from samebody.synth.attacks.shortcuts import area
from samebody.types import Box, Pixels

BPCER = 0.05
OPTIONS = BootstrapOptions(replicates=400)


@dataclass(frozen=True, eq=False)
class Scored:
    """Scores with what they are of; higher = more bona fide.

    Attributes:
        scores: (n,) float64.
        label: (n,) 1 = bona fide.
        species, family: (n,) of the attack, also of its twin.
        person: (n,) of the source picture.
        framing: (n,) ``tight`` or ``scene``.
    """

    scores: NDArray[np.float64]
    label: NDArray[np.int64]
    species: NDArray[np.str_]
    family: NDArray[np.str_]
    person: NDArray[np.str_]
    framing: NDArray[np.str_]

    def part(self, where: NDArray[np.bool_]) -> Scored:
        """The presentations ``where`` it is true."""
        return Scored(*(value[where] for value in vars(self).values()))

    def save(self, path: Path) -> None:
        """As NPZ, whole or not at all."""
        temporary = path.with_suffix(".part.npz")
        np.savez(temporary, **vars(self))
        temporary.replace(path)

    @classmethod
    def load(cls, path: Path) -> Scored:
        """What :meth:`save` wrote."""
        with np.load(path, allow_pickle=False) as held:
            return cls(**{name: held[name] for name in held.files})


def held_source(run: Path, cache: Path) -> tuple[Any, PadSource]:
    """A run opened, and the pairs that were held back from it, as they lie in the cache (the probe is not run again).

    Raises:
        SystemExit: the pairs are not there.
    """
    opened = open_run(run)
    place = cache / str(opened.record["data"]["identity"]["pairs"]) / "held"
    rows = pairs_in(place)
    if not rows:
        raise SystemExit(f"{place} holds no pairs: run `samebody train pad` with the same --cache first")
    return opened, PadSource(rows, opened.task.parameters.views)


def pairs_in(place: Path) -> list[dict[str, Any]]:
    """Rows of the pairs in a folder of shards, each with its person."""
    numbers = sorted(int(path.stem) for path in place.glob("*.jsonl"))
    return [{**row, "person": str(row["source"])} for number in numbers for row in read_shard(place, number)]


def scored(source: PadSource, scores: NDArray[np.float64]) -> Scored:
    """The scores with the source's columns."""
    framing = np.array([row["framing"] for row in source.rows])
    columns = source.columns
    return Scored(scores, columns["label"], columns["species"], columns["family"], columns["subject"], framing)


def run_scores(run: Path, cache: Path, to: Path) -> Scored:
    """Mean log odds of the straight views of every held-back picture; kept in ``to``."""
    if not to.is_file():
        opened, held = held_source(run, cache)
        torch.set_num_threads(1)
        scored(held, scores_of(opened.network, held, np.arange(len(held)), opened.task.parameters.reaches)).save(to)
    return Scored.load(to)


def baseline_scores(source: PadSource, weights: Path, to: Path) -> Scored:
    """The MiniFASNets on the same pictures and boxes; kept in ``to``."""
    if not to.is_file():
        torch.set_num_threads(1)
        checkpoints = pad_minifasnet.load_checkpoints(weights)
        found = [
            pad_minifasnet.bona_fide_score(checkpoints, source.picture(i), Box(*(float(v) for v in row["box"])))
            for i, row in enumerate(source.rows)
        ]
        scored(source, np.array(found)).save(to)
    return Scored.load(to)


def odds_of(network: nn.Module, pictures: Iterable[tuple[Pixels, Box]], side: int) -> NDArray[np.float64]:
    """(n,) mean log odds of bona fide of pictures with their face boxes, over the views that are taken at run time."""
    seen = np.stack([views(pixels, box, side, PLACES) for pixels, box in pictures])
    flat = torch.from_numpy(seen.reshape(-1, *seen.shape[2:])).permute(0, 3, 1, 2).float()
    with torch.no_grad():
        logits = torch.cat([network(part)["logits"] for part in flat.split(128)])
    return np.asarray((logits[:, 1] - logits[:, 0]).reshape(len(seen), -1).mean(1).double().numpy())


def second_pictures(source: PadSource, data: Path, faces: Any, count: int) -> Mapping[str, list[tuple[Pixels, Box]]]:
    """Pictures of the second maker from people who were held back, with the face boxes."""
    numbers = sorted({int(row["source"]) for row in source.rows})[:count]
    made: dict[str, list[tuple[Pixels, Box]]] = {name: [] for name in pad_second.MAKERS}
    for number in numbers:
        original = cv2.cvtColor(cv2.imread(str(data / str(faces.files[number]))), cv2.COLOR_BGR2RGB)
        side = int(np.random.default_rng(number).integers(128, 320))
        scale = side / original.shape[0]
        box = Box(*(float(v) * scale for v in faces.boxes[number]))
        for name, maker in pad_second.MAKERS.items():
            picture = maker(np.asarray(original, np.uint8), np.random.default_rng([number, 1]), side)
            made[name].append((picture, box))
    return made


def auc(found: Scored, attack: NDArray[np.bool_], fair: NDArray[np.bool_]) -> tuple[float, float, float]:
    """AUC of the attacks against the bona fide, with 95 % from drawing people again."""
    rows = attack | fair
    scores, label, person = found.scores[rows], found.label[rows], found.person[rows]
    value = 1 - area(scores, 1.0 - label)
    draws = [1 - area(scores[again], 1.0 - label[again]) for again in drawn_again(person, label, 200)]
    low, high = np.quantile(draws, [0.025, 0.975])
    return float(value), float(low), float(high)


def drawn_again(person: NDArray[Any], label: NDArray[np.int64], replicates: int) -> Iterator[NDArray[np.intp]]:
    """Rows of ``replicates`` samples of the people, drawn with replacement; those without both labels are left out."""
    names, numbers = np.unique(person, return_inverse=True)
    for weights in draw_weights(len(names), replicates, 7):
        for column in np.atleast_2d(weights.T):
            again = np.repeat(np.arange(len(label)), column[numbers].astype(int))
            if 0 < label[again].sum() < len(again):
                yield again


def rates_at(found: Scored, threshold: float) -> PadRates:
    """APCER of each species and BPCER at ``threshold``, intervals over people."""
    attack, fair = found.label == 0, found.label == 1
    trials = presentations(
        found.scores[attack],
        found.species[attack],
        found.scores[fair],
        unit="presentation",
        attack_subjects=found.person[attack],
        bona_fide_subjects=found.person[fair],
    )
    return pad_rates(trials, threshold, options=OPTIONS)


def threshold_at(scores: NDArray[np.float64], bpcer: float = BPCER) -> float:
    """The highest score at which at most ``bpcer`` of these bona fide lie below."""
    ordered = np.sort(scores)
    return float(ordered[int(np.floor(bpcer * len(ordered)))])
