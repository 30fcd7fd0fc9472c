"""Binomial bounds against the binomial sums they invert."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from samebody.measure import EmptyClassError, InvalidRateError, binomial_interval, upper_bound, zero_error_bound


def at_most(errors: int, trials: int, rate: float) -> float:
    return sum(math.comb(trials, k) * rate**k * (1 - rate) ** (trials - k) for k in range(errors + 1))


@given(st.integers(1, 60).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))), st.sampled_from([0.9, 0.95]))
def test_clopper_pearson_inverts_the_binomial_sum(counts, level):
    errors, trials = counts
    low, high = binomial_interval(errors, trials, level)
    half = (1 - level) / 2
    assert low <= errors / trials <= high
    if errors < trials:
        assert at_most(errors, trials, high) == pytest.approx(half, abs=1e-9)
        assert at_most(errors, trials, upper_bound(errors, trials, level)) == pytest.approx(1 - level, abs=1e-9)
    else:
        assert high == upper_bound(errors, trials) == 1.0
    if errors > 0:
        assert 1 - at_most(errors - 1, trials, low) == pytest.approx(half, abs=1e-9)
    else:
        assert low == 0.0


def test_the_intervals_cover_what_they_promise():
    for rate in (0.02, 0.1, 0.37):
        trials = 50
        covered = sum(
            math.comb(trials, k) * rate**k * (1 - rate) ** (trials - k)
            for k in range(trials + 1)
            if binomial_interval(k, trials)[0] <= rate <= binomial_interval(k, trials)[1]
        )
        assert covered >= 0.95


@given(st.integers(1, 10_000_000))
def test_the_rule_of_three_is_the_exact_bound_without_errors(trials):
    assert zero_error_bound(trials) == pytest.approx(upper_bound(0, trials), rel=1e-6)
    assert zero_error_bound(trials) <= 3 / trials


def test_no_trials_bound_nothing():
    for call in (lambda: binomial_interval(0, 0), lambda: upper_bound(0, 0), lambda: zero_error_bound(0)):
        with pytest.raises(EmptyClassError):
            call()


@pytest.mark.parametrize(("errors", "trials", "level"), [(-1, 5, 0.95), (6, 5, 0.95), (1, 5, 1.0), (1, 5, 0.0)])
def test_impossible_counts_and_levels_are_refused(errors, trials, level):
    with pytest.raises(InvalidRateError):
        binomial_interval(errors, trials, level)
