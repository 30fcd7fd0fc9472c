"""Groups: they pool to the whole, summaries come together, and a zero rate is a bound."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from samebody.measure import (
    BootstrapOptions,
    EmptyClassError,
    InvalidRateError,
    InvalidScoresError,
    demographic_rates,
    demographic_rates_from_counts,
    differential_intervals,
    fmr,
    fnmr,
    gini,
)

SOURCE = "calibration set"


def data(seed: int, mated: int = 60, non_mated: int = 150):
    generator = np.random.default_rng(seed)
    groups = np.array(["a", "b", "c"])
    return (
        generator.normal(1, 1, mated).round(1),
        groups[generator.integers(0, 3, mated)],
        generator.normal(0, 1, non_mated).round(1),
        groups[generator.integers(0, 3, non_mated)],
        groups[generator.integers(0, 3, non_mated)],
    )


@given(st.integers(0, 10_000), st.floats(-1, 2))
@settings(max_examples=60, deadline=None)
def test_group_figures_pool_to_the_whole(seed, threshold):
    mated, own, non_mated, first, second = data(seed)
    found = demographic_rates(mated, own, non_mated, first, second, threshold, threshold_source=SOURCE)
    upper = np.triu(np.ones_like(found.cross_trials))
    assert (found.cross_trials * upper).sum() == non_mated.size
    assert (found.cross_errors * upper).sum() / non_mated.size == pytest.approx(fmr(non_mated, threshold))
    errors = sum(entry.fnmr.errors for entry in found.groups if entry.fnmr)
    assert errors / mated.size == pytest.approx(fnmr(mated, threshold))
    np.testing.assert_array_equal(found.cross_errors, found.cross_errors.T)


@given(st.integers(0, 10_000))
@settings(max_examples=30, deadline=None)
def test_the_matrix_between_groups_agrees_with_counting(seed):
    mated, own, non_mated, first, second = data(seed)
    found = demographic_rates(mated, own, non_mated, first, second, 0.5, threshold_source=SOURCE)
    names = [entry.group for entry in found.groups]
    for i, j in itertools.product(range(3), repeat=2):
        rows = [k for k in range(non_mated.size) if {first[k], second[k]} == {names[i], names[j]}]
        rows = [k for k in rows if i != j or first[k] == second[k]]
        assert found.cross_trials[i, j] == len(rows)
        if rows:
            assert found.cross_fmr[i, j] == pytest.approx(np.mean(non_mated[rows] >= 0.5))
            assert found.cross_estimate(i, j).trials == len(rows)
        else:
            assert np.isnan(found.cross_fmr[i, j]) and found.cross_estimate(i, j) is None
    for number, entry in enumerate(found.groups):
        assert entry.fmr.rate == found.cross_fmr[number, number]


def test_counts_and_scores_give_the_same_figures():
    mated, own, non_mated, first, second = data(5)
    scores = demographic_rates(mated, own, non_mated, first, second, 0.5, threshold_source=SOURCE)
    counts = demographic_rates_from_counts(
        [entry.group for entry in scores.groups],
        [entry.fnmr.trials for entry in scores.groups],
        [entry.fnmr.errors for entry in scores.groups],
        scores.cross_trials,
        scores.cross_errors,
        0.5,
        threshold_source=SOURCE,
    )
    assert counts.groups == scores.groups
    assert counts.differentials(0.3) == scores.differentials(0.3)


def of_rates(fmrs, fnmrs, trials=1_000_000):
    count = len(fmrs)
    cross = np.full((count, count), trials)
    wrong = np.zeros((count, count), dtype=int)
    wrong[np.diag_indices(count)] = np.round(np.array(fmrs) * trials).astype(int)
    return demographic_rates_from_counts(
        list("abcdefgh")[:count],
        [trials] * count,
        np.round(np.array(fnmrs) * trials).astype(int),
        cross,
        wrong,
        0.5,
        threshold_source=SOURCE,
    )


def test_the_summaries_agree_with_their_formulas():
    x, y, a = np.array([0.001, 0.002, 0.01]), np.array([0.02, 0.05, 0.03]), 0.7
    found = of_rates(x, y).differentials(a)
    assert found.inequity_rate.value == pytest.approx(10**a * 2.5 ** (1 - a))
    assert found.fmr_max_over_geometric_mean.value == pytest.approx(0.01 / (0.001 * 0.002 * 0.01) ** (1 / 3))
    assert found.fnmr_max_over_min.value == pytest.approx(2.5)
    spread = sum(abs(p - q) for p in x for q in x)
    assert gini(x) == pytest.approx(3 / 2 * spread / (2 * 9 * x.mean()))
    assert found.garbe.value == pytest.approx(a * gini(x) + (1 - a) * gini(y))
    assert found.fdr.value == pytest.approx(1 - (a * 0.009 + (1 - a) * 0.03))
    assert found.inequity_rate.low == found.inequity_rate.high == found.inequity_rate.value


def test_fdr_hides_a_hundredfold_gap_that_stands_beside_it():
    found = of_rates([1e-5, 1e-3], [0.01, 0.01]).differentials(0.5)
    assert found.fdr.value > 0.999
    assert found.fmr_max_over_min.value == pytest.approx(100)
    assert found.garbe.value > 0.45


def test_equal_groups_are_equal():
    found = of_rates([0.01] * 4, [0.02] * 4).differentials()
    assert found.inequity_rate.value == 1.0 and found.fdr.value == 1.0
    assert found.garbe.value == pytest.approx(0) and found.fmr_max_over_geometric_mean.value == pytest.approx(1)


def test_a_group_without_an_error_is_bounded_and_not_a_zero():
    found = of_rates([0.0, 0.001, 0.002], [0.01, 0.02, 0.03], trials=10_000).differentials()
    assert found.zero_fmr == ("a",) and found.zero_fnmr == ()
    bound = 1 - 0.05 ** (1 / 10_000)
    assert found.fmr_max_over_min.value is None and not found.fmr_max_over_min.estimable
    assert found.fmr_max_over_min.low == pytest.approx(0.002 / bound)
    assert found.fmr_max_over_min.high == np.inf
    assert found.inequity_rate.value is None
    assert not found.garbe.estimable and found.garbe.low < found.garbe.high
    assert found.fnmr_max_over_min.estimable
    nothing = of_rates([0.0, 0.0], [0.01, 0.02], trials=1000).differentials()
    assert nothing.fmr_max_over_min.value is None and nothing.fmr_max_over_min.low == 1.0


@given(st.lists(st.floats(0, 1), min_size=2, max_size=8))
def test_the_gini_coefficient_keeps_its_range_and_ignores_scale(rates):
    value = gini(rates)
    assert -1e-12 <= value <= 1 + 1e-9
    if max(rates) > 1e-6:
        assert gini([r * 3 for r in rates]) == pytest.approx(value)
    assert gini([*reversed(rates)]) == pytest.approx(value)


def test_all_the_errors_in_one_group_is_the_worst_gini():
    assert gini([0.0, 0.0, 0.0, 0.3]) == pytest.approx(1.0)


@pytest.mark.parametrize("uncertainty", ["bootstrap", "closed form"])
def test_intervals_over_people_are_wider_than_those_over_pairs(uncertainty):
    generator = np.random.default_rng(3)
    first, second = np.triu_indices(40, 1)
    effect = generator.normal(size=40)
    scores = effect[first] + effect[second] + generator.normal(size=first.size)
    group = np.where(np.arange(40) < 20, "x", "y")
    mated_subject = np.repeat(np.arange(40), 20)
    mated = 3 + 2 * effect[mated_subject] + generator.normal(size=800)
    arguments = (mated, group[mated_subject], scores, group[first], group[second], 1.5)
    rows = demographic_rates(*arguments, threshold_source=SOURCE)
    people = demographic_rates(
        *arguments,
        threshold_source=SOURCE,
        mated_subjects=mated_subject,
        first_subjects=first,
        second_subjects=second,
        uncertainty=uncertainty,
        options=BootstrapOptions(replicates=300),
    )
    for wide, narrow in zip(people.groups, rows.groups):
        assert (wide.fmr.rate, wide.fnmr.rate) == (narrow.fmr.rate, narrow.fnmr.rate)
        assert np.ptp(wide.fmr.interval) > 1.3 * np.ptp(narrow.fmr.interval)
        assert np.ptp(wide.fnmr.interval) > 1.3 * np.ptp(narrow.fnmr.interval)
        assert wide.fnmr.subjects == 20


def people_in_groups(seed: int, shift: float = 0.0):
    generator = np.random.default_rng(seed)
    group = np.repeat(["x", "y", "z"], 30)
    mated_subject = np.repeat(np.arange(90), 6)
    mated = 2 + generator.normal(size=90)[mated_subject] + generator.normal(size=540)
    first, second = np.triu_indices(90, 1)
    within = group[first] == group[second]
    first, second = first[within], second[within]
    scores = generator.normal(size=first.size) + shift * (group[first] == "x")
    return mated, group[mated_subject], mated_subject, scores, group[first], first, second


def test_intervals_of_summaries_hold_what_was_measured_and_see_a_gap():
    options = BootstrapOptions(replicates=300)
    equal, apart = people_in_groups(1), people_in_groups(1, shift=1.5)
    found = differential_intervals(*apart, 0.5, options=options)
    rates = demographic_rates(*apart[:2], apart[3], apart[4], apart[4], 0.5, threshold_source=SOURCE).differentials()
    for name in ("fmr_max_over_min", "fmr_max_over_geometric_mean", "inequity_rate", "garbe", "fdr"):
        low, high = getattr(found, name)
        assert low <= getattr(rates, name).value <= high
    assert found.fmr_max_over_min[0] > differential_intervals(*equal, 0.5, options=options).fmr_max_over_min[1]
    assert found == differential_intervals(*apart, 0.5, options=options)
    assert found.replicates == 300


def test_intervals_of_summaries_agree_with_drawing_people_one_by_one():
    data = people_in_groups(2, shift=0.5)
    _, own, who, scores, group, first, second = data
    found = differential_intervals(*data, 1.0, options=BootstrapOptions(replicates=2000))
    generator = np.random.default_rng(9)
    ratios = []
    for _ in range(300):
        rates = []
        for name in ("x", "y", "z"):
            people = np.unique(who[own == name])
            weight = np.bincount(generator.choice(people, people.size), minlength=90)
            rows = group == name
            pair = weight[first[rows]] * weight[second[rows]]
            rates.append(pair[scores[rows] >= 1.0].sum() / pair.sum())
        ratios.append(max(rates) / min(rates))
    assert found.fmr_max_over_min == pytest.approx(np.quantile(ratios, [0.025, 0.975]), rel=0.1)


def test_a_group_without_errors_opens_the_interval_of_a_ratio_and_small_groups_are_told():
    mated, own, who, scores, group, first, second = people_in_groups(3)
    scores = np.where(group == "z", -9.0, scores)
    found = differential_intervals(mated, own, who, scores, group, first, second, 1.0)
    assert found.fmr_max_over_min == (np.inf, np.inf) and found.inequity_rate[1] == np.inf
    assert np.isfinite(found.garbe).all()
    keep = own != "z"
    with pytest.raises(EmptyClassError, match="'z'"):
        differential_intervals(mated[keep], own[keep], who[keep], scores, group, first, second, 1.0)
    with pytest.raises(EmptyClassError, match="two groups"):
        differential_intervals([1.0], ["a"], [1], [0.0], ["a"], [1], [2], 0.5)
    with pytest.raises(InvalidScoresError, match="do not fit"):
        differential_intervals(mated, own, who, scores, group, first[:5], second, 1.0)
    with pytest.raises(InvalidRateError):
        differential_intervals(mated, own, who, scores, group, first, second, 1.0, alpha=2)


def test_bad_input_is_refused():
    with pytest.raises(InvalidScoresError, match="source of the threshold"):
        demographic_rates([1.0], ["a"], [0.0], ["a"], ["a"], 0.5, threshold_source=" ")
    with pytest.raises(InvalidScoresError, match="one subject only"):
        demographic_rates([1.0], ["a"], [0.0], ["a"], ["a"], 0.5, threshold_source=SOURCE, first_subjects=[1])
    with pytest.raises(InvalidScoresError, match="differ in number"):
        demographic_rates([1.0], ["a"], [0.0], ["a", "b"], ["a"], 0.5, threshold_source=SOURCE)
    with pytest.raises(EmptyClassError):
        demographic_rates([], [], [], [], [], 0.5, threshold_source=SOURCE)
    one = demographic_rates([1.0], ["a"], [0.0], ["a"], ["a"], 0.5, threshold_source=SOURCE)
    with pytest.raises(EmptyClassError, match="two groups"):
        one.differentials()
    with pytest.raises(InvalidRateError, match="alpha"):
        one.differentials(1.5)
    only_mated = demographic_rates([1.0, 1.0], ["a", "b"], [0.0], ["a"], ["a"], 0.5, threshold_source=SOURCE)
    assert only_mated.groups[1].fmr is None
    with pytest.raises(EmptyClassError, match="'b'"):
        only_mated.differentials()
    square = np.array([[4, 1], [2, 4]])
    with pytest.raises(InvalidScoresError, match="symmetric"):
        demographic_rates_from_counts("ab", [1, 1], [0, 0], square, 0 * square, 0.5, threshold_source=SOURCE)
    with pytest.raises(InvalidScoresError, match="more errors"):
        demographic_rates_from_counts("ab", [1, 1], [0, 2], square * 0, square * 0, 0.5, threshold_source=SOURCE)
    with pytest.raises(InvalidScoresError, match="whole numbers"):
        demographic_rates_from_counts("ab", [0.5, 1], [0, 0], square * 0, square * 0, 0.5, threshold_source=SOURCE)
    with pytest.raises(InvalidScoresError):
        gini([-0.1, 0.2])
    with pytest.raises(EmptyClassError):
        gini([0.2])
