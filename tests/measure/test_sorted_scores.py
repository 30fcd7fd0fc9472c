"""Scores sorted once give the figures of naive counting, on both kernels."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from samebody.measure import (
    EmptyClassError,
    InvalidRateError,
    InvalidScoresError,
    SortedScores,
    fmr,
    fnmr,
    kernels,
    threshold_at_fmr,
)
from samebody.measure.kernels import has_numba

KERNELS = ["numpy", pytest.param("numba", marks=pytest.mark.skipif(not has_numba(), reason="numba is not installed"))]
rounded = st.lists(st.integers(-20, 20).map(lambda value: value / 20), min_size=1, max_size=60)
dtypes = st.sampled_from([np.float32, np.float64])


@given(rounded, rounded, dtypes, dtypes, st.floats(-1.5, 1.5), st.sampled_from([0.0, 0.01, 0.1, 0.29, 0.5, 0.999]))
def test_rates_and_thresholds_are_those_of_the_functions(mated, non_mated, one, two, threshold, target):
    mated, non_mated = np.array(mated, one), np.array(non_mated, two)
    found = SortedScores(mated, non_mated)
    assert found.fmr(threshold) == fmr(non_mated, np.float64(threshold))
    assert found.fnmr(threshold) == fnmr(mated, np.float64(threshold))
    wanted = threshold_at_fmr(non_mated, target)
    assert found.threshold_at_fmr(target) == wanted
    assert found.fnmr_at_fmr(target) == fnmr(mated, np.float64(wanted.value))


@pytest.mark.parametrize("kernel", KERNELS)
@given(rounded, rounded, dtypes, dtypes)
def test_the_curve_holds_every_distinct_score(kernel, mated, non_mated, one, two):
    mated, non_mated = np.array(mated, one), np.array(non_mated, two)
    curve = SortedScores(mated, non_mated).det_curve(kernel)
    both = np.concatenate([mated.astype(np.float64), non_mated.astype(np.float64)])
    np.testing.assert_array_equal(curve.thresholds, [*sorted(set(both.tolist())), np.inf])
    np.testing.assert_array_equal(curve.fmr, [np.mean(non_mated >= t) for t in curve.thresholds])
    np.testing.assert_array_equal(curve.fnmr, [np.mean(mated < t) for t in curve.thresholds])


@given(rounded, rounded)
def test_the_merge_does_what_its_source_says(mated, non_mated):
    mated, non_mated = np.sort(np.array(mated)), np.sort(np.array(non_mated))
    room = [np.empty(len(mated) + len(non_mated)) for _ in range(3)]
    count = kernels.merge_det(mated, non_mated, *room)
    curve = SortedScores(mated, non_mated).det_curve("numpy")
    for values, wanted in zip(room, (curve.thresholds, curve.fmr, curve.fnmr)):
        np.testing.assert_array_equal(values[:count], wanted[:-1])


@given(rounded, rounded)
def test_the_equal_error_rate_by_bisection_is_that_of_the_whole_curve(mated, non_mated):
    found = SortedScores(mated, non_mated)
    curve = found.det_curve()
    gap = curve.fmr - curve.fnmr
    at = int(np.argmin(np.abs(gap)))
    closest = found.equal_error_rate()
    assert closest.threshold == curve.thresholds[at]
    assert closest.value == (curve.fmr[at] + curve.fnmr[at]) / 2
    after = int(np.argmax(gap <= 0))
    share = gap[after - 1] / (gap[after - 1] - gap[after])
    crossing = found.equal_error_rate("interpolated")
    assert crossing.threshold == curve.thresholds[after]
    assert crossing.value == curve.fmr[after - 1] + share * (curve.fmr[after] - curve.fmr[after - 1])


def test_large_classes_are_sorted_side_by_side():
    generator = np.random.default_rng(0)
    mated, non_mated = generator.normal(1, 1, 100_001), generator.normal(0, 1, 100_002)
    found = SortedScores(mated, non_mated)
    np.testing.assert_array_equal(found.mated, np.sort(mated))
    np.testing.assert_array_equal(found.non_mated, np.sort(non_mated))
    broken = mated.copy()
    broken[7] = np.nan
    with pytest.raises(InvalidScoresError, match="1 of 100001 mated"):
        SortedScores(broken, non_mated)


def test_scores_that_are_no_scores_are_refused():
    for bad in ([math.nan, 0.1], [math.inf, 0.1], [-math.inf, 0.1], [[0.1]], ["a"]):
        with pytest.raises(InvalidScoresError):
            SortedScores(bad, [0.1])
    with pytest.raises(EmptyClassError):
        SortedScores([0.1], [])
    with pytest.raises(InvalidRateError):
        SortedScores([0.1], [0.2]).equal_error_rate("best")
    with pytest.raises(InvalidRateError):
        SortedScores([0.1], [0.2]).threshold_at_fmr(1.0)
    assert SortedScores([1, 2, 3], [0, 1, 2]).fnmr_at_fmr(0.34) == 1 / 3  # whole numbers are scores too
