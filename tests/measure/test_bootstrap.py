"""The bootstrap over subjects against enumeration, against explicit resampling, and against its promise to cover."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from samebody.measure import (
    BootstrapOptions,
    CellPairs,
    EmptyClassError,
    InvalidRateError,
    InvalidScoresError,
    ListedPairs,
    draw_weights,
    subject_bootstrap,
    vertex_bootstrap,
    zero_error_bound,
)


def complete(subjects: int) -> list[tuple[int, int]]:
    return list(itertools.combinations(range(subjects), 2))


def listed(pairs, subjects: int) -> ListedPairs:
    return ListedPairs([a for a, _ in pairs], [b for _, b in pairs], subjects)


def resampled_rate(draw, pairs, wrong) -> float | None:
    """Naive: put the drawn people side by side and compare every two of them that are different people."""
    trials = errors = 0
    for one, two in itertools.combinations(range(len(draw)), 2):
        a, b = sorted((draw[one], draw[two]))
        trials += pairs.count((a, b))
        errors += wrong.count((a, b))
    return errors / trials if trials else None


@given(
    st.integers(2, 4).flatmap(
        lambda n: st.tuples(st.just(n), st.lists(st.sampled_from(complete(n)), min_size=1, max_size=8))
    ),
    st.data(),
)
@settings(max_examples=30, deadline=None)
def test_weights_give_the_same_rates_as_putting_the_drawn_people_side_by_side(case, data):
    subjects, pairs = case
    wrong = data.draw(st.lists(st.sampled_from(pairs), max_size=4, unique=True))
    trials, errors = listed(pairs, subjects), listed(wrong, subjects)
    for draw in itertools.product(range(subjects), repeat=subjects):
        weights = np.bincount(draw, minlength=subjects).astype(float)[:, None]
        expected = resampled_rate(draw, pairs, wrong)
        denominator = trials.weighted_pairs(weights)[0]
        if expected is None:
            assert denominator == 0
        else:
            assert errors.weighted_pairs(weights)[0] / denominator == pytest.approx(expected)


def test_the_vertex_bootstrap_equals_enumeration_on_a_tiny_set():
    subjects, wrong = 5, [(0, 1), (0, 2), (0, 3)]
    pairs = complete(subjects)
    every = [resampled_rate(draw, pairs, wrong) for draw in itertools.product(range(subjects), repeat=subjects)]
    usable = np.array([rate for rate in every if rate is not None])
    assert len(usable) == len(every) - subjects  # only the draws of one person alone leave no pair
    options = BootstrapOptions(replicates=20_000, seed=3)
    found = vertex_bootstrap(listed(pairs, subjects), [listed(wrong, subjects)], options)[0]
    rate = len(wrong) / len(pairs)
    assert found.rate == rate
    assert found.replicates < 20_000  # degenerate draws were dropped and are not counted
    assert found.effective_trials == pytest.approx(rate * (1 - rate) / usable.var(), rel=0.05)
    assert found.interval[1] == pytest.approx(np.quantile(usable, 0.975), abs=0.051)
    assert found.interval[0] <= np.quantile(usable, 0.025) + 1e-12


def test_the_subject_bootstrap_equals_enumeration_on_a_tiny_set():
    subjects = np.array([0, 0, 1, 1, 1, 2, 3, 3])
    wrong = np.array([1, 1, 0, 0, 1, 0, 0, 0], dtype=bool)
    every = []
    for draw in itertools.product(range(4), repeat=4):
        rows = np.concatenate([np.flatnonzero(subjects == person) for person in draw])
        every.append(wrong[rows].mean())
    found = subject_bootstrap(subjects, wrong, BootstrapOptions(replicates=20_000))
    assert found.effective_trials == pytest.approx(3 / 8 * 5 / 8 / np.var(every), rel=0.05)
    assert found.interval[0] <= np.quantile(every, 0.025) + 1e-12
    assert found.interval[1] >= np.quantile(every, 0.975) - 1e-12


@given(st.integers(0, 10_000))
@settings(max_examples=40, deadline=None)
def test_the_closed_form_over_cells_equals_the_listed_pairs(seed):
    generator = np.random.default_rng(seed)
    subjects, cells, templates = 6, 3, 14
    subject, cell = generator.integers(0, subjects, templates), generator.integers(0, cells, templates)
    compatible = generator.random((cells, cells)) < 0.6
    compatible |= compatible.T
    pairs = [
        (subject[i], subject[j])
        for i, j in itertools.combinations(range(templates), 2)
        if compatible[cell[i], cell[j]] and subject[i] != subject[j]
    ]
    closed, explicit = CellPairs(subject, cell, compatible, subjects), listed(pairs, subjects)
    weights = generator.integers(0, 4, (subjects, 5)).astype(float)
    assert closed.pairs() == explicit.pairs() == len(pairs)
    assert closed.taking_part == explicit.taking_part
    np.testing.assert_allclose(closed.weighted_pairs(weights), explicit.weighted_pairs(weights))


def test_draws_do_not_depend_on_the_chunk_and_keep_the_number_of_people():
    whole = np.concatenate(list(draw_weights(9, 50, seed=1, chunk=50)), axis=1)
    pieces = np.concatenate(list(draw_weights(9, 50, seed=1, chunk=7)), axis=1)
    np.testing.assert_array_equal(whole, pieces)
    assert np.all(whole.sum(axis=0) == 9)


def test_the_same_seed_gives_the_same_interval_and_another_seed_another():
    generator = np.random.default_rng(0)
    subjects, wrong = np.repeat(np.arange(40), 5), np.repeat(generator.random(40) < 0.2, 5)
    one = subject_bootstrap(subjects, wrong, BootstrapOptions(seed=5))
    assert one == subject_bootstrap(subjects, wrong, BootstrapOptions(seed=5))
    assert one.effective_trials != subject_bootstrap(subjects, wrong, BootstrapOptions(seed=6)).effective_trials


def test_errors_of_one_person_weigh_less_than_errors_of_many():
    subjects = np.repeat(np.arange(50), 10)
    spread, lumped = np.zeros(500, dtype=bool), np.zeros(500, dtype=bool)
    spread[::10] = True  # one error each
    lumped[:50] = True  # all errors with five people
    many, few = subject_bootstrap(subjects, spread), subject_bootstrap(subjects, lumped)
    assert many.rate == few.rate == 0.1
    assert not many.indicative
    assert few.indicative and few.effective_errors < 10
    assert few.interval[1] - few.interval[0] > 2 * (many.interval[1] - many.interval[0])


def test_without_errors_only_a_bound_is_given():
    found = subject_bootstrap(np.repeat(np.arange(30), 100), np.zeros(3000, dtype=bool))
    assert found.interval == (0.0, zero_error_bound(30))  # 30 people, not 3,000 rows
    assert not found.estimable and found.indicative
    pairs = complete(20)
    none = vertex_bootstrap(listed(pairs, 20), [listed([], 20)])[0]
    assert none.interval == (0.0, zero_error_bound(10))  # ten pairs of 20 people share nobody
    every = subject_bootstrap(np.arange(30), np.ones(30, dtype=bool))
    assert every.interval == (1 - zero_error_bound(30), 1.0)


def test_one_person_says_nothing_about_others():
    found = subject_bootstrap(np.zeros(100, dtype=int), np.arange(100) < 50)
    assert found.interval == (0.0, 1.0)
    assert found.effective_trials == 1.0


def test_impossible_input_is_refused():
    with pytest.raises(EmptyClassError):
        subject_bootstrap([], [])
    with pytest.raises(EmptyClassError):
        vertex_bootstrap(listed([], 3), [])
    with pytest.raises(InvalidScoresError):
        subject_bootstrap([1, 2], [True])
    with pytest.raises(InvalidScoresError):
        ListedPairs([0, 1], [1, 1], 2)
    with pytest.raises(InvalidScoresError):
        ListedPairs([0], [5], 3)
    with pytest.raises(InvalidScoresError):
        ListedPairs([0, 1], [1], 3)
    with pytest.raises(InvalidScoresError):
        CellPairs([0, 1], [0, 0], [[1, 0], [1, 1]], 2)
    with pytest.raises(InvalidRateError):
        BootstrapOptions(replicates=3)


def simulated_coverage(sets: int) -> tuple[float, float, float]:
    """Share of sets whose interval holds the true rate: over subjects, over rows, over vertices."""
    generator = np.random.default_rng(11)
    people, each, true = 60, 20, 0.1
    by_subject = by_row = by_vertex = 0
    first, second = np.triu_indices(people, 1)
    trials = ListedPairs(first, second, people)
    for number in range(sets):
        options = BootstrapOptions(replicates=300, seed=number)
        rates = generator.beta(0.5, 4.5, people)  # mean 0.1, very different people
        subjects, wrong = np.repeat(np.arange(people), each), generator.random((people, each)) < rates[:, None]
        low, high = subject_bootstrap(subjects, wrong.ravel(), options).interval
        by_subject += low <= true <= high
        rows = subject_bootstrap(np.arange(wrong.size), wrong.ravel(), options)
        by_row += rows.interval[0] <= true <= rows.interval[1]
        # Pairs: both people push the rate; E[(a_i + a_j) / 2] = 0.1 again.
        lure = generator.beta(0.5, 4.5, people)
        false = generator.random(first.size) < (lure[first] + lure[second]) / 2
        low, high = vertex_bootstrap(trials, [ListedPairs(first[false], second[false], people)], options)[0].interval
        by_vertex += low <= true <= high
    return by_subject / sets, by_row / sets, by_vertex / sets


def test_the_subject_bootstrap_covers_where_rows_fail():
    by_subject, by_row, by_vertex = simulated_coverage(120)
    assert by_subject >= 0.88
    assert by_vertex >= 0.88
    assert by_row <= 0.80
