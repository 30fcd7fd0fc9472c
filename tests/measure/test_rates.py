"""Rates and thresholds against naive counting, with ties, constants and empty classes."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from samebody.measure import (
    EmptyClassError,
    InvalidRateError,
    InvalidScoresError,
    TailTooShortError,
    allowed_errors,
    det_curve,
    equal_error_rate,
    fmr,
    fnmr,
    threshold_at_fmr,
    threshold_from_tail,
    transaction_rates,
)

# Rounded scores, so that ties are the rule and not the exception.
rounded = st.lists(st.integers(-20, 20).map(lambda value: value / 20), min_size=1, max_size=60)
targets = st.sampled_from([0.0, 1e-3, 0.01, 0.1, 0.29, 0.5, 0.9, 0.999])


@given(rounded, st.floats(-1.5, 1.5))
def test_rates_agree_with_counting(scores, threshold):
    assert fmr(scores, threshold) == sum(s >= threshold for s in scores) / len(scores)
    assert fnmr(scores, threshold) == sum(s < threshold for s in scores) / len(scores)


@given(rounded, targets, st.sampled_from([np.float32, np.float64]))
def test_the_threshold_is_the_next_number_after_the_ranked_score(scores, target, dtype):
    array = np.array(scores, dtype=dtype)
    found = threshold_at_fmr(array, target)
    rank = math.floor(Fraction(repr(target)) * len(scores))
    boundary = sorted(array.tolist(), reverse=True)[rank]
    assert found.value == float(np.nextafter(dtype(boundary), dtype(np.inf)))
    assert dtype(found.value) == found.value
    assert found.realised_fmr == fmr(array, found.value) <= target
    assert found.errors == sum(s > boundary for s in array.tolist())


@given(rounded, targets)
def test_no_lower_distinct_score_would_keep_the_rate(scores, target):
    array = np.array(scores)
    found = threshold_at_fmr(array, target)
    below = [s for s in set(scores) if s < found.value]
    assert below  # the boundary score itself
    assert fmr(array, max(below)) > target


def test_tied_scores_are_never_split():
    found = threshold_at_fmr(np.array([0.5, 0.5, 0.5, 0.1]), 0.5)
    assert found.errors == 0
    assert found.value > 0.5
    assert threshold_at_fmr(np.array([0.5, 0.5, 0.1, 0.1]), 0.5).errors == 2


def test_constant_scores_allow_no_false_match():
    found = threshold_at_fmr(np.full(100, 0.3, dtype=np.float32), 0.5)
    assert found.realised_fmr == 0.0
    assert found.value == float(np.nextafter(np.float32(0.3), np.float32(1)))


def test_the_written_decimal_counts_and_not_its_binary_neighbour():
    assert 0.29 * 100 < 29  # what plain floats would floor to 28
    assert allowed_errors(0.29, 100) == 29
    assert allowed_errors(1e-4, 1_000_000) == 100


@given(rounded, targets, st.integers(1, 60))
def test_a_kept_tail_gives_the_same_threshold_as_all_scores(scores, target, kept):
    array = np.sort(np.array(scores))[::-1]
    tail = array[array >= array[min(kept, len(array)) - 1]]
    if allowed_errors(target, len(array)) < len(tail):
        assert threshold_from_tail(tail, len(array), target) == threshold_at_fmr(array, target)
    else:
        with pytest.raises(TailTooShortError):
            threshold_from_tail(tail, len(array), target)


@given(rounded, rounded)
def test_det_rates_are_those_of_each_threshold(mated, non_mated):
    curve = det_curve(mated, non_mated)
    for threshold, false_match, false_non_match in zip(curve.thresholds, curve.fmr, curve.fnmr):
        assert false_match == fmr(non_mated, threshold)
        assert false_non_match == fnmr(mated, threshold)
    assert curve.fmr[0] == 1.0 and curve.fnmr[0] == 0.0
    assert curve.fmr[-1] == 0.0 and curve.fnmr[-1] == 1.0


@given(rounded, rounded)
def test_false_match_rate_never_rises_with_the_threshold(mated, non_mated):
    curve = det_curve(mated, non_mated)
    assert np.all(np.diff(curve.fmr) <= 0)
    assert np.all(np.diff(curve.fnmr) >= 0)


@given(rounded, rounded, targets)
def test_a_monotone_transform_of_the_scores_changes_no_rate(mated, non_mated, target):
    def bend(values):
        return np.expm1(3 * np.array(values)) + 7

    plain, bent = threshold_at_fmr(np.array(non_mated), target), threshold_at_fmr(bend(non_mated), target)
    assert plain.errors == bent.errors
    assert fnmr(mated, plain.value) == fnmr(bend(mated), bent.value)
    for convention in ("closest-mean", "interpolated"):
        assert (
            equal_error_rate(mated, non_mated, convention).value
            == equal_error_rate(bend(mated), bend(non_mated), convention).value
        )


def test_equal_error_rate_names_its_convention():
    mated, non_mated = [0.9, 0.8, 0.4, 0.7], [0.1, 0.2, 0.5, 0.3]
    found = equal_error_rate(mated, non_mated)
    assert (found.value, found.threshold, found.convention) == (0.25, 0.5, "closest-mean")
    assert equal_error_rate(mated, non_mated, "interpolated").value == 0.25
    assert equal_error_rate([0.9, 0.8], [0.1, 0.2], "interpolated").value == 0.0
    with pytest.raises(InvalidRateError):
        equal_error_rate(mated, non_mated, "best")


@given(rounded, rounded)
def test_the_interpolated_equal_error_rate_lies_between_its_neighbours(mated, non_mated):
    value = equal_error_rate(mated, non_mated, "interpolated").value
    curve = det_curve(mated, non_mated)
    assert np.any((curve.fmr >= value - 1e-12) & (curve.fnmr <= value + 1e-12))
    assert np.any((curve.fmr <= value + 1e-12) & (curve.fnmr >= value - 1e-12))


@pytest.mark.parametrize("bad", [[0.1, math.nan], [math.inf], [[0.1], [0.2]], ["a"]])
def test_scores_that_are_no_numbers_are_refused(bad):
    with pytest.raises(InvalidScoresError):
        fmr(bad, 0.5)


def test_an_empty_class_has_no_rate():
    for call in (
        lambda: fmr([], 0.5),
        lambda: fnmr([], 0.5),
        lambda: threshold_at_fmr([], 0.1),
        lambda: det_curve([], [0.1]),
        lambda: equal_error_rate([0.1], []),
    ):
        with pytest.raises(EmptyClassError):
            call()


@pytest.mark.parametrize("target", [-0.1, 1.0, 2.0, math.nan])
def test_targets_outside_the_unit_interval_are_refused(target):
    with pytest.raises(InvalidRateError):
        threshold_at_fmr([0.1, 0.2], target)


def test_integer_scores_are_measured_as_numbers():
    assert threshold_at_fmr(np.array([1, 2, 3, 4]), 0.25).errors == 1


@given(*(st.floats(0, 1) for _ in range(4)))
def test_transaction_rates_follow_the_order_of_events(false_match, false_non_match, acquire, enrol):
    rates = transaction_rates(false_match, false_non_match, acquire, enrol)
    accepted_genuine = (1 - enrol) * (1 - acquire) * (1 - false_non_match)
    assert rates.gfrr == pytest.approx(1 - accepted_genuine)
    assert rates.frr == pytest.approx(1 - (1 - acquire) * (1 - false_non_match))
    assert rates.gfar == pytest.approx(false_match * (1 - acquire) * (1 - enrol))
    assert rates.far == pytest.approx(false_match * (1 - acquire))


def test_transaction_rates_outside_the_unit_interval_are_refused():
    with pytest.raises(InvalidRateError):
        transaction_rates(0.1, 0.1, 1.5)


@given(st.lists(st.floats(-1, 1, width=32), min_size=1, max_size=20), st.floats(-1, 1))
def test_a_threshold_between_two_float32_scores_is_not_rounded_to_one_of_them(
    values: list[float], threshold: float
) -> None:
    scores = np.array(values, dtype=np.float32)
    accepted = sum(float(score) >= threshold for score in scores)
    assert fmr(scores, threshold) == accepted / len(scores)
    assert fnmr(scores, threshold) == (len(scores) - accepted) / len(scores)


def test_a_threshold_just_above_a_float32_score_refuses_it() -> None:
    score = np.float32(0.1)
    above = float(np.nextafter(np.float64(score), 1))
    assert fmr(np.array([score]), above) == 0.0
    assert fmr(np.array([score]), float(score)) == 1.0
