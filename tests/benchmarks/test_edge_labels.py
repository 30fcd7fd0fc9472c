"""Two embedders' false match rates by label, on the same draws of people."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from benchmarks.edge_labels import labels_compared
from samebody.lab.evaluate.evaluation_sets import Sample

GROUPS = (("East Asian", "Female"), ("White", "Male"))
AGES = ("10-19", "20-29", "30-39", "60-69")


def samples() -> list[Sample]:
    found = []
    for number in range(120):
        group, age = GROUPS[number % 2], AGES[number // 2 % 4]
        found.append(Sample(f"{number}.jpg", "", f"p{number // 5}", *group, age))
    return found


def rate(chosen: list[Sample], vectors: np.ndarray, threshold: float, group: str) -> float:
    """The definition, pair by pair."""
    met = accepted = 0
    for one, two in itertools.combinations(range(len(chosen)), 2):
        a, b = chosen[one], chosen[two]
        bands = [AGES.index(a.age), AGES.index(b.age)]
        near = (abs(bands[0] - bands[1]) <= 1 and max(bands) < 3) or bands[0] == bands[1]
        if a.group == b.group == group and min(bands) >= 1 and near and a.person != b.person:
            met += 1
            accepted += float(vectors[one] @ vectors[two]) >= threshold
    return accepted / met


def test_rates_are_those_of_the_definition_and_equals_are_equal() -> None:
    rng = np.random.default_rng(7)
    chosen = samples()
    one, two = (rng.normal(size=(len(chosen), 4)).astype(np.float32) for _ in range(2))
    one, two = (each / np.linalg.norm(each, axis=1, keepdims=True) for each in (one, two))
    people = [sample.person for sample in chosen]
    found = labels_compared(chosen, people, (one, 0.3), (two, 0.5), replicates=200)
    first = sorted(rate(chosen, one, 0.3, group) for group in map(" ".join, GROUPS))
    second = sorted(rate(chosen, two, 0.5, group) for group in map(" ".join, GROUPS))
    assert found["to_lowest"]["one"] == pytest.approx(first[1] / first[0], rel=1e-5)
    assert found["to_lowest"]["two"] == pytest.approx(second[1] / second[0], rel=1e-5)
    assert found["to_mean"]["one"] == pytest.approx((first[1] / first[0]) ** 0.5, rel=1e-5)
    low, high = found["to_lowest"]["ratio_interval"]
    assert low < found["to_lowest"]["ratio"] < high
    same = labels_compared(chosen, people, (one, 0.3), (one, 0.3), replicates=200)
    assert same["to_lowest"]["ratio"] == 1 and same["to_mean"]["ratio_interval"] == [1, 1]
