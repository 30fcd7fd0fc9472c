"""The comparison of segmenters: differences over the same people, the rule, the page."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

import numpy as np
import pytest

from benchmarks import iris_segmenter
from benchmarks.iris_segmenter_page import page, verdict
from samebody.measure import BootstrapOptions

OPTIONS = BootstrapOptions(replicates=200, seed=1)


def people(missed: list[int], eer: float = 0.01, refused: int = 0) -> dict[str, Any]:
    rate = {
        "fmr": 1e-3,
        "threshold": 0.6,
        "fnmr": [0.01, 0.0, 0.03],
        "gfrr": [sum(missed) / (20 * len(missed)), 0.0, 0.1],
        "missed_by_person": missed,
        "mated_by_person": [20] * len(missed),
    }
    return {
        **{"pictures": 40, "refused": refused, "eer": eer, "eer_interval": [0.0, 0.02], "mated": 80, "non_mated": 900},
        **{"mated_mean": 0.75, "mated_deviation": 0.05, "rates": [deepcopy(rate), rate]},
    }


def results(classical: dict[str, Any], network: dict[str, Any]) -> dict[str, Any]:
    probe = {"pictures": 10, "refused": 1, "trials": 40, "missed": 4}
    synthetic = {"pictures": 9, "no_iris_found": 0, "overlap": 0.9, "overlap_low": 0.8}
    synthetic |= {"pupil": 0.01, "limbus": 0.02, "lost": 0.0}
    both = {"classical": classical, "network": network}
    pair = iris_segmenter.difference(network["rates"][1], classical["rates"][1], OPTIONS)
    return {
        **{
            "people": both,
            "persons": 4,
            "probes": 1,
            "machine": "Machine: one.",
            "differences": {"network": [pair, pair]},
        },
        "altered": {kind: {"twice the size": probe} for kind in both},
        "agreement": {"network": {"pictures": 8, "median": 0.9, "low": 0.8, "pupil_pixels": 0.3, "limbus_pixels": 0.6}},
        "synthetic": {"plain": dict.fromkeys(both, synthetic)},
        "times": {"classical": 60.0, "network": 40.0},
    }


def test_a_difference_is_over_the_same_people() -> None:
    one, other = people([4, 0, 2, 0]), people([2, 0, 0, 0])
    middle, low, high = iris_segmenter.difference(one["rates"][1], other["rates"][1], OPTIONS)
    assert middle == pytest.approx(4 / 80) and 0.0 <= low <= middle <= high
    assert iris_segmenter.difference(one["rates"][1], one["rates"][1], OPTIONS) == [0.0, 0.0, 0.0]


@pytest.mark.parametrize(
    ("network", "better"),
    [
        (people([1, 0, 0, 0], eer=0.005), True),
        (people([2, 0, 0, 0], eer=0.005), False),  # as many misses
        (people([1, 0, 0, 0], eer=0.01), False),  # the same EER
        (people([1, 0, 0, 0], eer=0.005, refused=1), False),
    ],
)
def test_the_rule_asks_for_all_three(network: dict[str, Any], better: bool) -> None:
    found = verdict(results(people([2, 0, 0, 0]), network))
    assert ("is not better" in found) != better and ("is better" in found) == better


def test_the_page_has_every_table() -> None:
    figures = results(people([2, 0, 0, 0]), people([1, 0, 0, 0], eer=0.005))
    text = page({**figures, "verdict": verdict(figures)}, "python -m benchmarks.iris_segmenter")
    for words in (
        "| network | 0 of 40 |",
        "| twice the size | 1 of 10, 10.0 %",
        "| plain | network | 9 |",
        "- network: 40.0",
    ):
        assert words in text, words


@pytest.mark.parametrize("name", sorted(iris_segmenter.ALTERATIONS))
def test_altered_copies_are_pictures_and_repeat(name: str) -> None:
    grey = np.random.default_rng(0).integers(0, 256, (60, 80), np.uint8)
    before = grey.copy()
    one, again = (iris_segmenter.ALTERATIONS[name](grey, np.random.default_rng(3)) for _ in range(2))
    assert one.dtype == np.uint8 and one.ndim == 2 and np.array_equal(one, again) and np.array_equal(grey, before)
    assert one.shape != grey.shape or not np.array_equal(one, grey)


def test_a_contour_on_the_truth_has_no_error() -> None:
    angles = np.linspace(0, 2 * np.pi, 64, endpoint=False)
    circle = np.stack((50 + 20 * np.cos(angles), 40 + 20 * np.sin(angles)), axis=1)
    assert iris_segmenter.contour_error(circle, circle) == pytest.approx(0.0, abs=1e-9)
    grown = np.stack((50 + 22 * np.cos(angles), 40 + 22 * np.sin(angles)), axis=1)
    assert iris_segmenter.contour_error(grown, circle) == pytest.approx(2.0, abs=0.1)
