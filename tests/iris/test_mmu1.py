"""Accuracy on the development set of near-infrared eyes; figures with intervals come from the record's command."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from samebody.iris import IrisPipeline, compare_irises
from samebody.iris.errors import TooFewBitsError
from samebody.iris.template import IrisTemplate


def encoded(folder: Path, people: list[str]) -> dict[tuple[str, str], list[IrisTemplate | None]]:
    pipeline = IrisPipeline.load()
    return {
        (person, eye): [
            pipeline.encode(cv2.imread(str(path), cv2.IMREAD_GRAYSCALE), eye).template  # type: ignore[arg-type]
            for path in sorted((folder / person / eye).glob("*.png"))
        ]
        for person in people
        for eye in ("left", "right")
    }


@pytest.mark.data
@pytest.mark.slow
def test_the_same_eye_is_recognised_and_another_is_not(data_dir: Path) -> None:
    folder = data_dir / "mmu1"
    if not folder.is_dir():
        pytest.skip(f"no near-infrared eyes at {folder}")
    people = sorted(path.name for path in folder.iterdir() if path.is_dir())[::5]
    eyes = encoded(folder, people)
    templates = [(key, template) for key, found in eyes.items() for template in found]
    assert sum(template is None for _, template in templates) <= 0.02 * len(templates)
    mated, other = [], []
    for index, (key, one) in enumerate(templates):
        for again, two in templates[:index]:
            if key[1] != again[1]:
                continue
            try:
                score = compare_irises(one, two).score if one and two else -1.0
            except TooFewBitsError:
                score = -1.0
            (mated if key == again else other).append(score)
    limit = np.sort(other)[-max(1, len(other) // 1000)]
    assert len(mated) == len(eyes) * 10
    assert np.mean(np.asarray(mated) <= limit) <= 0.05
