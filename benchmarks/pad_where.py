"""Does the passive detector look at the face or at what is around it? Pictures of pairs are mixed and scored again.

    python -m benchmarks.pad_where --run RUN --cache DIR

A pair shows the same face through the same view, so an attack's face can be put into its twin's surroundings and the
other way round. An ellipse in the face box is blended over a tenth of its width. What the detector rests on is where
the attack must be for its score to fall: nothing is covered, and no picture leaves what it was trained on.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import cv2
import numpy as np
import torch

from benchmarks.pad_compare import held_rows
from benchmarks.pad_scores import odds_of
from samebody.lab.train.pad import PRESENTED
from samebody.lab.train.pad_data import PadSource
from samebody.lab.train.run import open_run
from samebody.synth.attacks.shortcuts import area
from samebody.types import Box, Pixels


def blended(inside: Pixels, outside: Pixels, box: Box) -> Pixels:
    """``inside`` within an ellipse of 0.8 times the ``box``, ``outside`` around it."""
    height, width = inside.shape[:2]
    x, y = box.centre
    dy, dx = np.mgrid[0:height, 0:width].astype(np.float32) + 0.5
    away = np.hypot((dx - x) / (0.4 * box.width), (dy - y) / (0.4 * box.height))
    part = np.clip((1.1 - away) / 0.2, 0, 1)[..., None]
    return np.asarray(outside + part * (inside.astype(np.float32) - outside) + 0.5, np.uint8)


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--run", type=Path, required=True)
    parser.add_argument("--cache", type=Path, required=True)
    chosen = parser.parse_args()
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    run = open_run(chosen.run)
    side = run.task.parameters.views.side
    rows = [row for row in held_rows(chosen.cache) if row["species"] in PRESENTED and row["framing"] == "tight"]
    source = PadSource(rows, run.task.parameters.views)
    boxes = [Box(*(float(value) for value in row["box"])) for row in rows[::2]]
    fair = [source.picture(2 * k) for k in range(len(boxes))]
    attack = [source.picture(2 * k + 1) for k in range(len(boxes))]
    face = [blended(a, f, box) for a, f, box in zip(attack, fair, boxes, strict=True)]
    around = [blended(f, a, box) for a, f, box in zip(attack, fair, boxes, strict=True)]
    twins, whole, inner, outer = (
        odds_of(run.network, zip(pictures, boxes, strict=True), side) for pictures in (fair, attack, face, around)
    )
    species = np.array([row["species"] for row in rows[::2]])
    head = ("species", "pairs", "AUC, whole attack", "its face alone", "its surroundings alone")
    print(f"| {' | '.join(head)} | fall by the face | fall by the surroundings |")
    print("|" + " --- |" * (len(head) + 2))
    for name in PRESENTED:
        here = species == name
        label = np.r_[np.zeros(int(here.sum())), np.ones(int(here.sum()))]
        aucs = [1 - area(np.r_[twins[here], found[here]], label) for found in (whole, inner, outer)]
        fall = float(np.mean(twins[here] - whole[here]))
        shares = [float(np.mean(twins[here] - found[here])) / fall for found in (inner, outer)]
        cells = [f"{value:.3f}" for value in aucs] + [f"{100 * value:.0f} %" for value in shares]
        print(f"| {name} | {int(here.sum())} | {' | '.join(cells)} |")


if __name__ == "__main__":
    main()
