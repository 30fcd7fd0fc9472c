"""Tail extrapolation: known tails are found, bad fits and far rates are refused, the bound is what is used."""

from __future__ import annotations

import math

import numpy as np
import pytest

from samebody.measure import (
    ExtrapolationRefusedError,
    InvalidRateError,
    TailFitError,
    extrapolate_threshold,
    fit_tail,
)


def exponential(count: int, seed: int) -> np.ndarray:
    return np.random.default_rng(seed).exponential(0.05, count)


def test_an_exponential_tail_has_shape_zero_and_its_own_scale():
    fit = fit_tail(exponential(200_000, 1), 200_000, 2000)
    assert fit.shape == pytest.approx(0.0, abs=0.1)
    assert fit.scale == pytest.approx(0.05, rel=0.1)
    assert fit.p_value > 0.05


def test_a_bounded_tail_has_a_negative_shape():
    fit = fit_tail(np.random.default_rng(2).beta(2, 4, 200_000), 200_000, 2000)
    assert fit.shape == pytest.approx(-0.25, abs=0.1)  # P(X > x) falls as (1 - x)^4


def test_the_fit_gives_back_the_score_at_the_rate_it_was_cut():
    scores = exponential(50_000, 3)
    fit = fit_tail(scores, 50_000, 1000)
    assert fit.threshold(1000 / 50_000) == pytest.approx(fit.start)


def test_the_bound_is_used_and_holds_the_true_quantile_in_most_sets():
    truth = 0.05 * math.log(1e7)
    held = 0
    for seed in range(40):
        scores = np.sort(exponential(100_000, seed))[-3000:]
        found = extrapolate_threshold(scores, 100_000, 1e-7, measured_fmr=1e-5, minimum_p_value=0.001)
        assert found.value >= found.estimate
        held += found.value >= truth
    assert held >= 34  # 95 % promised for one side; 85 % asked of 40 sets


def test_dependence_between_pairs_widens_the_bound():
    scores = np.sort(exponential(100_000, 7))[-2000:]
    generator = np.random.default_rng(0)

    def lumped():
        for _ in range(300):
            # Ten subjects carry the whole tail: a replicate keeps or drops them as a whole.
            weights = generator.poisson(1.0, 10).astype(float)
            yield np.repeat(weights, 200)[generator.permutation(2000)], 100_000.0

    dependent = extrapolate_threshold(scores, 100_000, 1e-6, measured_fmr=1e-4, replicate_weights=lumped())
    plain = extrapolate_threshold(scores, 100_000, 1e-6, measured_fmr=1e-4)
    assert dependent.estimate == plain.estimate
    assert dependent.value > plain.value


def test_more_than_a_hundredfold_is_refused():
    scores = exponential(10_000, 4)
    assert extrapolate_threshold(scores, 10_000, 1e-5, measured_fmr=1e-3).value > scores.max() * 0.5
    with pytest.raises(ExtrapolationRefusedError):
        extrapolate_threshold(scores, 10_000, 0.99e-5, measured_fmr=1e-3)


def test_a_rate_inside_the_measured_range_is_not_extrapolated():
    with pytest.raises(InvalidRateError):
        extrapolate_threshold(exponential(10_000, 4), 10_000, 1e-2, measured_fmr=1e-3)


def test_a_tail_of_two_lumps_fails_the_check():
    generator = np.random.default_rng(5)
    lumps = np.concatenate([generator.normal(0.3, 0.01, 800), generator.normal(0.8, 0.01, 400)])
    with pytest.raises(TailFitError):
        extrapolate_threshold(lumps, 100_000, 1e-5, measured_fmr=1e-3)


@pytest.mark.parametrize("tail", [np.full(500, 0.3), np.linspace(0, 1, 20)])
def test_a_tail_that_cannot_be_fitted_is_refused(tail):
    with pytest.raises(TailFitError):
        fit_tail(tail, 10_000)


def test_the_same_seed_gives_the_same_bound():
    scores = exponential(20_000, 6)
    one = extrapolate_threshold(scores, 20_000, 1e-5, measured_fmr=1e-3, seed=4)
    assert one == extrapolate_threshold(scores, 20_000, 1e-5, measured_fmr=1e-3, seed=4)
