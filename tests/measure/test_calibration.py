"""Calibration: known ratios are found again, bounds hold, and the costs behave as their definitions say."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from samebody.measure import (
    CalibrationError,
    EmptyClassError,
    InvalidRateError,
    InvalidScoresError,
    SubjectLeakageError,
    cllr,
    cllr_min,
    cllr_parts,
    fit_isotonic,
    fit_logistic,
    llr_bounds,
    reliability,
    require_disjoint,
)

rounded = st.lists(st.integers(-10, 10).map(lambda value: value / 10), min_size=1, max_size=40)


def normal(seed: int, mated: int = 2000, non_mated: int = 6000, distance: float = 2.0):
    generator = np.random.default_rng(seed)
    return generator.normal(distance, 1, mated), generator.normal(0, 1, non_mated)


def test_the_true_ratio_of_two_normals_is_found_again():
    # ln p1/p0 = d s - d^2 / 2 for means d and 0 and variance 1
    found = fit_logistic(*normal(1, 40_000, 40_000))
    assert (found.slope, found.offset) == pytest.approx((2.0, -2.0), abs=0.06)
    steps = fit_isotonic(*normal(2, 40_000, 40_000))
    assert steps.llr([0.0, 1.0, 2.0]) == pytest.approx([-2, 0, 2], abs=0.3)


def test_the_fit_does_not_depend_on_how_many_of_each_class_there_are_nor_on_the_scale():
    many = fit_logistic(*normal(3, 30_000, 30_000))
    few = fit_logistic(*normal(3, 30_000, 1_500))
    assert (few.slope, few.offset) == pytest.approx((many.slope, many.offset), abs=0.2)
    mated, non_mated = normal(4)
    plain, scaled = fit_logistic(mated, non_mated), fit_logistic(1000 * mated + 7, 1000 * non_mated + 7)
    assert scaled.llr(1000 * mated + 7) == pytest.approx(plain.llr(mated), abs=1e-6)


@given(rounded, rounded)
@settings(max_examples=100, deadline=None)
def test_ratios_are_bounded_and_rise_with_the_score(mated, non_mated):
    models = [fit_isotonic(mated, non_mated)]
    try:
        models.append(fit_logistic(mated, non_mated))
    except CalibrationError:
        assert np.mean(mated) < np.mean(non_mated) or min(len(mated), len(non_mated)) < 5
    for model in models:
        assert model.bounds == llr_bounds(len(mated), len(non_mated))
        found = model.llr(np.linspace(-3, 3, 61))
        assert np.all(np.diff(found) >= 0)
        assert model.bounds[0] <= found.min() and found.max() <= model.bounds[1]


@given(rounded, rounded)
@settings(max_examples=100, deadline=None)
def test_the_least_cllr_is_least_and_ignores_rising_transforms(mated, non_mated):
    least = cllr_min(mated, non_mated)
    assert -1e-12 <= least <= 1 + 1e-12
    for transform in (lambda x: x, lambda x: 4 * x, lambda x: x**3 + 0.2):
        scores = transform(np.array(mated)), transform(np.array(non_mated))
        assert cllr_min(*scores) == pytest.approx(least, abs=1e-9)
        parts = cllr_parts(*scores)
        assert parts.cllr_min <= parts.cllr + 1e-12
        assert parts.cllr == pytest.approx(parts.cllr_min + parts.cllr_cal)


def test_the_cost_of_ratios_agrees_with_its_definition():
    mated, non_mated = np.array([2.0, -1.0]), np.array([0.5, -3.0, 0.0])
    expected = 0.5 * (np.mean(np.log2(1 + np.exp(-mated))) + np.mean(np.log2(1 + np.exp(non_mated))))
    assert cllr(mated, non_mated) == pytest.approx(expected)
    assert cllr([0.0], [0.0]) == pytest.approx(1.0)
    assert cllr([np.inf], [-np.inf]) == 0.0
    assert cllr([-np.inf], [0.0]) == np.inf
    assert cllr([800.0], [-800.0]) == pytest.approx(0.0, abs=1e-12)


def test_calibration_brings_the_cost_near_its_least_on_other_people():
    model = fit_logistic(*normal(5))
    other = normal(6)
    raw, calibrated = cllr_parts(*other), cllr_parts(model.llr(other[0]), model.llr(other[1]))
    assert calibrated.cllr_cal < 0.02 < raw.cllr_cal
    assert calibrated.cllr_min == pytest.approx(raw.cllr_min, abs=0.003)  # only the bounds make ties


def test_classes_that_do_not_overlap_have_a_finite_fit_when_smoothed():
    mated, non_mated = np.linspace(2, 3, 50), np.linspace(0, 1, 80)
    found = fit_logistic(mated, non_mated)
    assert np.isfinite(found.slope) and found.slope > 1
    with pytest.raises(CalibrationError, match="smoothed"):
        fit_logistic(mated, non_mated, smoothed=False)
    assert cllr_min(mated, non_mated) == 0.0


def test_equal_scores_say_nothing_and_distances_are_told():
    assert fit_logistic([0.5] * 9, [0.5] * 4).llr([0.1, 0.9]).tolist() == [0.0, 0.0]
    assert fit_isotonic([0.5] * 9, [0.5] * 4).llr([0.1, 0.9]) == pytest.approx([0.0, 0.0])
    mated, non_mated = normal(7)
    with pytest.raises(CalibrationError, match="similarities"):
        fit_logistic(-mated, -non_mated)


def test_reliability_of_true_ratios_is_near_the_diagonal_and_that_of_wrong_ones_is_not():
    mated, non_mated = normal(8, 20_000, 5_000)
    truth = 2 * mated - 2, 2 * non_mated - 2
    found = reliability(*truth)
    assert found.expected_calibration_error < 0.02
    assert sum(entry.weight for entry in found.bins) == pytest.approx(1.0)
    inside = [entry.interval[0] <= entry.predicted <= entry.interval[1] for entry in found.bins]
    assert np.mean(inside) >= 0.7
    for entry in found.bins:
        assert entry.low - 1e-9 <= entry.predicted <= entry.high + 1e-9
        assert entry.interval[0] <= entry.observed <= entry.interval[1]
    over = reliability(4 * truth[0], 4 * truth[1])
    assert over.expected_calibration_error > 0.05
    assert sum(entry.mated for entry in over.bins) == 20_000


def test_reliability_counts_what_a_loop_counts():
    mated, non_mated = np.array([1.0, 2.0, -1.0]), np.array([-2.0, 0.3])
    found = reliability(mated, non_mated, prior=0.2, bins=4)
    posterior = lambda llr: 1 / (1 + math.exp(-llr) * 4)  # noqa: E731
    for entry in found.bins:
        hits = [p for p in map(posterior, mated) if entry.low <= p < entry.high]
        others = [p for p in map(posterior, non_mated) if entry.low <= p < entry.high]
        assert (entry.mated, entry.non_mated) == (len(hits), len(others))
        weight = 0.2 * len(hits) / 3 + 0.8 * len(others) / 2
        assert entry.weight == pytest.approx(weight)
        assert entry.observed == pytest.approx(0.2 * len(hits) / 3 / weight)


def test_people_in_both_sets_are_refused():
    require_disjoint(["a", "b"], ["c"])
    with pytest.raises(SubjectLeakageError, match="2 subjects"):
        require_disjoint([1, 2, 3, 3], [3, 2, 9])


def test_bad_input_is_refused():
    with pytest.raises(EmptyClassError):
        fit_isotonic([], [1.0])
    with pytest.raises(InvalidRateError):
        fit_logistic([1.0], [0.0], prior=1.0)
    with pytest.raises(InvalidScoresError):
        cllr([np.nan], [0.0])
    with pytest.raises(EmptyClassError):
        cllr([], [0.0])
    with pytest.raises(InvalidRateError):
        reliability([1.0], [0.0], prior=0.0)
    with pytest.raises(InvalidRateError):
        reliability([1.0], [0.0], bins=0)
    with pytest.raises(InvalidRateError):
        reliability([1.0], [0.0], level=1.0)
