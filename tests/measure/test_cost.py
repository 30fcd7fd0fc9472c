"""Cost against a search over every policy."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from samebody.measure import Costs, EmptyClassError, InvalidRateError, cost_curve, det_curve

rounded = st.lists(st.integers(-6, 6).map(lambda value: value / 6), min_size=1, max_size=20)


def naive(mated, non_mated, costs: Costs, accept_at: float, reject_below: float) -> float:
    """Expected cost of a policy, by walking through outcomes."""
    total = costs.fta * (1 - costs.impostor) * costs.false_reject
    for scores, share, impostor in ((non_mated, costs.impostor, True), (mated, 1 - costs.impostor, False)):
        for score in scores:
            weight = share / len(scores) * (1 - costs.fta)
            if score >= accept_at:
                total += weight * costs.false_accept * impostor
            elif score < reject_below:
                total += weight * costs.false_reject * (not impostor)
            else:
                total += weight * costs.review
    return total


@given(
    rounded,
    rounded,
    st.sampled_from([0.0, 1.0, 50.0]),
    st.sampled_from([0.0, 1.0, 3.0]),
    st.sampled_from([0.0, 0.01, 0.5, 1.0]),
    st.sampled_from([0.0, 0.1, 0.7, 5.0]),
    st.sampled_from([0.0, 0.2]),
)
@settings(max_examples=120, deadline=None)
def test_the_optimum_is_the_best_of_all_policies(mated, non_mated, accept, reject, impostor, review, fta):
    costs = Costs(accept, reject, impostor, review, fta)
    found = cost_curve(mated, non_mated, costs)
    thresholds = det_curve(mated, non_mated).thresholds
    single = [naive(mated, non_mated, costs, t, t) for t in thresholds]
    np.testing.assert_allclose(found.expected_cost, single, atol=1e-9)
    assert found.optimum.expected_cost == pytest.approx(min(single), abs=1e-9)
    best = min(
        naive(mated, non_mated, costs, high, low)
        for low, high in itertools.product(thresholds, repeat=2)
        if low <= high
    )
    band = found.with_review
    assert band.expected_cost == pytest.approx(best, abs=1e-9)
    assert naive(mated, non_mated, costs, band.accept_at, band.reject_below) == pytest.approx(best, abs=1e-9)
    assert band.expected_cost <= found.optimum.expected_cost + 1e-9
    genuine = 1 - impostor
    stated = accept * impostor * band.far + reject * genuine * band.frr + review * band.review
    assert stated == pytest.approx(best, abs=1e-9)


def test_dear_impostors_raise_the_threshold():
    generator = np.random.default_rng(1)
    mated, non_mated = generator.normal(2, 1, 500), generator.normal(0, 1, 500)
    optima = [cost_curve(mated, non_mated, Costs(cost, 1, 0.5)).optimum.accept_at for cost in (0.1, 1, 10, 1000)]
    assert optima == sorted(optima) and optima[0] < optima[-1]
    assert cost_curve(mated, non_mated, Costs(1, 1, 0.5)).with_review is None
    assert cost_curve(mated, non_mated, Costs(1, 1, 0.5)).normalised_optimum < 0.5
    assert cost_curve(mated, non_mated, Costs(1, 1, 0.001)).trivial_cost == pytest.approx(0.001)


def test_review_that_costs_nothing_reviews_whatever_is_unclear():
    found = cost_curve([0.4, 0.6, 0.9], [0.1, 0.5], Costs(1, 1, 0.5, review=0.0)).with_review
    assert found.expected_cost == 0.0
    assert (found.far, found.frr) == (0.0, 0.0) and found.review > 0


def test_costs_out_of_range_are_refused():
    for wrong in ((-1, 1, 0.5), (1, np.inf, 0.5), (1, 1, 1.5), (1, 1, 0.5, -1.0), (1, 1, 0.5, None, 2.0)):
        with pytest.raises(InvalidRateError):
            Costs(*wrong)
    with pytest.raises(EmptyClassError):
        cost_curve([], [0.1], Costs(1, 1, 0.5))
