"""What must hold of every figure: order is all that counts, FMR falls with the threshold, and intervals cover."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks.bootstrap_coverage import SCENARIOS, as_markdown, run
from samebody.measure import (
    Costs,
    cllr_min,
    cmc_curve,
    cost_curve,
    det_curve,
    dyadic_rate,
    equal_error_rate,
    fit_isotonic,
    fmr,
    fnmr,
    identification_rates,
    morph_rates,
    pad_rates,
    presentations,
    search_outcomes,
    threshold_at_fmr,
    unlinkability,
)

# Whole numbers, so that every transform below keeps apart what is apart and tied what is tied.
scores = st.lists(st.integers(-15, 15).map(float), min_size=2, max_size=40).map(np.array)
transforms = st.sampled_from([lambda x: 3 * x - 7, lambda x: x**3, lambda x: np.exp(x / 4), lambda x: np.arctan(x / 9)])


@given(scores, scores, transforms)
@settings(max_examples=120, deadline=None)
def test_rising_transforms_change_nothing(mated, non_mated, rise):
    before, after = det_curve(mated, non_mated), det_curve(rise(mated), rise(non_mated))
    np.testing.assert_array_equal(before.fmr, after.fmr)
    np.testing.assert_array_equal(before.fnmr, after.fnmr)
    for convention in ("closest-mean", "interpolated"):
        one, two = (equal_error_rate(a, b, convention) for a, b in ((mated, non_mated), (rise(mated), rise(non_mated))))
        assert one.value == two.value
    for target in (0.0, 0.05, 0.3):
        low, high = threshold_at_fmr(non_mated, target), threshold_at_fmr(rise(non_mated), target)
        assert low.errors == high.errors
        assert fnmr(mated, low.value) == fnmr(rise(mated), high.value)
    assert cllr_min(mated, non_mated) == pytest.approx(cllr_min(rise(mated), rise(non_mated)))
    plain, moved = fit_isotonic(mated, non_mated), fit_isotonic(rise(mated), rise(non_mated))
    np.testing.assert_allclose(plain.llr(mated), moved.llr(rise(mated)))
    costs = Costs(10, 1, 0.1, review=0.3)
    before_cost, after_cost = cost_curve(mated, non_mated, costs), cost_curve(rise(mated), rise(non_mated), costs)
    assert before_cost.optimum.expected_cost == after_cost.optimum.expected_cost
    assert before_cost.with_review.expected_cost == after_cost.with_review.expected_cost
    assert unlinkability(3 * mated - 7, 3 * non_mated - 7, permutations=20).d_sys == pytest.approx(
        unlinkability(mated, non_mated, permutations=20).d_sys
    )  # its bins are of equal width, so only linear transforms leave it as it is


@given(st.integers(0, 10_000), st.integers(-10, 10), transforms)
@settings(max_examples=25, deadline=None)
def test_rising_transforms_change_nothing_in_searches_attacks_and_morphs(seed, threshold, rise):
    generator = np.random.default_rng(seed)
    matrix = generator.integers(-12, 12, (9, 6)).astype(float)
    limit, moved = float(threshold), float(rise(np.array(float(threshold))))
    one, two = (search_outcomes(values, np.arange(3, 12), np.arange(6)) for values in (matrix, rise(matrix)))
    np.testing.assert_array_equal(cmc_curve(one).rates, cmc_curve(two).rates)
    first, second = identification_rates(one, limit, 2), identification_rates(two, moved, 2)
    assert (first.fpir, first.fnir, first.selectivity) == (second.fpir, second.fnir, second.selectivity)
    attacks, bona_fide, species = matrix.ravel(), matrix[0] + 3, np.tile(list("abcdef"), 9)
    pads = [
        pad_rates(presentations(a, species, b, unit="frame"), t)
        for a, b, t in ((attacks, bona_fide, limit), (rise(attacks), rise(bona_fide), moved))
    ]
    assert pads[0].species == pads[1].species and pads[0].bpcer == pads[1].bpcer
    morph, subject = np.repeat(np.arange(9), 6), np.tile([0, 1, 2, 0, 1, 2], 9)
    found = [morph_rates(morph, subject, values, t, 0.1) for values, t in ((attacks, limit), (rise(attacks), moved))]
    assert (found[0].mmpmr, found[0].prod_avg) == (found[1].mmpmr, found[1].prod_avg)


@given(scores, scores, st.lists(st.floats(-20, 20), min_size=2, max_size=8))
def test_fmr_never_rises_and_fnmr_never_falls_with_the_threshold(mated, non_mated, thresholds):
    for low, high in itertools.pairwise(sorted(thresholds)):
        assert fmr(non_mated, low) >= fmr(non_mated, high)
        assert fnmr(mated, low) <= fnmr(mated, high)
    curve = det_curve(mated, non_mated)
    assert np.all(np.diff(curve.fmr) <= 0) and np.all(np.diff(curve.fnmr) >= 0)


def test_the_closed_form_over_pairs_is_the_variance_over_many_worlds():
    """Draw sets from one world of people over and over: the mean stated variance is the variance of the rate."""
    generator = np.random.default_rng(7)
    first, second = np.triu_indices(60, 1)
    rates, stated = [], []
    for _ in range(400):
        effect = generator.normal(size=60)
        wrong = effect[first] + effect[second] + generator.normal(size=first.size) > 2.5
        rates.append(wrong.mean())
        stated.append(dyadic_rate(first, second, wrong).standard_error ** 2)
    assert np.mean(stated) == pytest.approx(np.var(rates), rel=0.2)


@pytest.mark.slow
def test_intervals_over_people_cover_where_those_over_rows_do_not():
    for scenario in SCENARIOS:
        found = {row.method: row.share for row in run(scenario, 300, 300)}
        for method in ("people: bootstrap", "people: closed form"):
            assert found[method] >= 0.89, (scenario.name, method)
        for method in ("rows: bootstrap", "rows: exact binomial"):
            if scenario.person_share:
                assert found[method] <= 0.82, (scenario.name, method)
            else:
                assert found[method] >= 0.91, (scenario.name, method)


def test_the_coverage_experiment_repeats_itself_and_writes_a_table():
    scenario = SCENARIOS[1]
    rows = run(scenario, 12, 40)
    assert rows == run(scenario, 12, 40)
    assert len({row.method for row in rows}) == 4
    text = as_markdown(rows, 12, 40)
    assert f"| {scenario.name} |" in text
    assert f"{100 * rows[2].share:.1f} %" in text
