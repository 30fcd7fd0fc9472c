"""Closed-form variances against naive sums over pairs of trials, and against enumeration of what they promise."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from samebody.measure import (
    EmptyClassError,
    InvalidRateError,
    InvalidScoresError,
    binomial_interval,
    clustered_rate,
    dyadic_rate,
    estimate_rate,
    independent_rate,
    zero_error_bound,
)


def naive_variance(wrong, share_somebody) -> float:
    """Sum of residual products over all ordered pairs of trials that share somebody, over n squared."""
    residual = wrong - wrong.mean()
    return (
        sum(
            residual[i] * residual[j] for i, j in itertools.product(range(len(wrong)), repeat=2) if share_somebody(i, j)
        )
        / len(wrong) ** 2
    )


@given(st.integers(0, 10_000))
@settings(max_examples=60, deadline=None)
def test_the_variance_by_person_is_the_sum_over_trials_of_one_person(seed):
    generator = np.random.default_rng(seed)
    people = generator.integers(0, 5, 24)
    wrong = generator.random(24) < generator.random(5)[people]
    count = np.unique(people).size
    found = clustered_rate(people, wrong)
    if 0 < wrong.sum() < 24 and count > 1:
        expected = count / (count - 1) * naive_variance(wrong, lambda i, j: people[i] == people[j])
        plain = wrong.mean() * (1 - wrong.mean()) / 24
        assert found.standard_error**2 == pytest.approx(max(expected, plain))
        assert found.design_effect == pytest.approx(max(expected / plain, 1.0))


@given(st.integers(0, 10_000))
@settings(max_examples=60, deadline=None)
def test_the_variance_by_pair_is_the_sum_over_pairs_that_share_a_person(seed):
    generator = np.random.default_rng(seed)
    first, second = generator.integers(0, 7, 40), generator.integers(0, 7, 40)
    keep = first != second
    first, second = first[keep], second[keep]
    wrong = generator.random(first.size) < 0.3
    if not 0 < wrong.sum() < wrong.size:
        return
    count = np.unique(np.concatenate([first, second])).size
    expected = (
        count / (count - 1) * naive_variance(wrong, lambda i, j: bool({first[i], second[i]} & {first[j], second[j]}))
    )
    plain = wrong.mean() * (1 - wrong.mean()) / wrong.size
    found = dyadic_rate(first, second, wrong)
    assert found.standard_error**2 == pytest.approx(max(expected, plain))
    swapped = dyadic_rate(second, first, wrong)
    assert swapped == found


def test_one_trial_a_person_is_nearly_the_exact_binomial_interval():
    wrong = np.arange(2000) < 40
    found = clustered_rate(np.arange(2000), wrong).estimate
    low, high = binomial_interval(40, 2000)
    assert found.interval == pytest.approx((low, high), rel=0.01)
    assert found.effective_trials == pytest.approx(2000, rel=0.001)


def test_copies_of_trials_add_no_evidence():
    wrong = np.arange(100) < 10
    once = clustered_rate(np.arange(100), wrong)
    often = clustered_rate(np.repeat(np.arange(100), 9), np.repeat(wrong, 9))
    assert often.estimate.interval == pytest.approx(once.estimate.interval, rel=0.02)
    assert often.design_effect == pytest.approx(9, rel=0.02)


def test_no_error_is_bounded_by_people_and_one_person_says_nothing():
    people = np.repeat(np.arange(20), 30)
    assert clustered_rate(people, np.zeros(600, bool)).estimate.interval == (0.0, zero_error_bound(20))
    first, second = np.triu_indices(20, 1)
    assert dyadic_rate(first, second, np.zeros(first.size, bool)).estimate.interval == (0.0, zero_error_bound(10))
    assert clustered_rate(np.zeros(9), np.arange(9) < 3).estimate.interval == (0.0, 1.0)
    assert clustered_rate(people, np.ones(600, bool)).estimate.interval == (1 - zero_error_bound(20), 1.0)


def test_bad_input_is_refused():
    with pytest.raises(EmptyClassError):
        clustered_rate([], [])
    with pytest.raises(EmptyClassError):
        dyadic_rate([], [], [])
    with pytest.raises(InvalidScoresError, match="within one subject"):
        dyadic_rate([1, 2], [1, 3], [True, False])
    with pytest.raises(InvalidScoresError):
        clustered_rate([1, 2, 3], [True, False])
    with pytest.raises(InvalidScoresError, match="true or false"):
        clustered_rate([1, 2], [0.3, 0.7])


def test_the_independent_estimate_is_exact_and_one_sided_at_its_ends():
    assert independent_rate(3, 50).interval == binomial_interval(3, 50)
    assert independent_rate(0, 50).interval == (0.0, zero_error_bound(50))
    assert independent_rate(50, 50).interval == (1 - zero_error_bound(50), 1.0)
    assert not independent_rate(0, 50).estimable
    assert estimate_rate([True, False]).method == "exact binomial"
    assert estimate_rate([True, False, False], ["a", "b", "b"]).method == "subject bootstrap"
    with pytest.raises(InvalidRateError):
        independent_rate(3, 2)
    with pytest.raises(EmptyClassError):
        independent_rate(0, 0)
    with pytest.raises(EmptyClassError):
        estimate_rate([])
