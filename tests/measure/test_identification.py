"""Searches against naive loops, and candidate lists against the full matrix they were cut from."""

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
    cmc_curve,
    fmr,
    identification_rates,
    search_outcomes,
    search_outcomes_from_candidates,
    threshold_at_fpir,
)


def case(seed: int):
    """Rounded scores (ties), several references of a subject, some probes of people who are not enrolled."""
    generator = np.random.default_rng(seed)
    references = generator.integers(0, 6, 10)
    probes = generator.integers(0, 9, 15)
    return generator.normal(0, 1, (15, 10)).round(1), probes, references


def naive(matrix, probes, references, threshold, rank):
    misses = mated = alarms = unmated = returned = 0
    enrolled = set(references.tolist())
    for row, probe in zip(matrix, probes):
        best = {subject: max(row[references == subject]) for subject in enrolled}
        if probe in enrolled:
            mated += 1
            place = 1 + sum(best[other] >= best[probe] for other in enrolled if other != probe)
            misses += place > rank or best[probe] < threshold
        else:
            unmated += 1
            alarms += max(best.values()) >= threshold
            returned += sum(score >= threshold for score in best.values())
    return misses / mated, alarms / unmated, returned / unmated


@given(st.integers(0, 10_000), st.floats(-2, 2), st.integers(1, 4))
@settings(max_examples=60, deadline=None)
def test_rates_agree_with_a_naive_loop(seed, threshold, rank):
    matrix, probes, references = case(seed)
    outcomes = search_outcomes(matrix, probes, references)
    if not outcomes.mate_scores.size or not outcomes.top_scores.size or rank > outcomes.enrolled:
        return
    found = identification_rates(outcomes, threshold, rank)
    expected = naive(matrix, probes, references, threshold, rank)
    assert (found.fnir.rate, found.fpir.rate, found.selectivity) == pytest.approx(expected)
    assert found.enrolled == np.unique(references).size
    assert outcomes.references == 10


def cut_lists(matrix, probes, references, length):
    subjects = np.unique(references)
    rows, who, scores = [], [], []
    for number, row in enumerate(matrix):
        best = np.array([row[references == subject].max() for subject in subjects])
        for place in np.argsort(-best)[:length]:
            rows.append(f"s{number:02}")
            who.append(subjects[place])
            scores.append(best[place])
    return search_outcomes_from_candidates(
        rows,
        who,
        scores,
        searches=[f"s{number:02}" for number in range(len(matrix))],
        search_subjects=probes,
        search_mated=np.isin(probes, subjects),
        enrolled=subjects.size,
        list_length=length,
    )


@given(st.integers(0, 10_000))
@settings(max_examples=40, deadline=None)
def test_whole_candidate_lists_give_what_the_matrix_gives(seed):
    matrix, probes, references = case(seed)
    whole = search_outcomes(matrix, probes, references)
    lists = cut_lists(matrix, probes, references, np.unique(references).size)
    np.testing.assert_array_equal(lists.mate_ranks, whole.mate_ranks)
    np.testing.assert_array_equal(lists.mate_scores, whole.mate_scores)
    np.testing.assert_array_equal(lists.top_scores, whole.top_scores)
    np.testing.assert_array_equal(lists.candidate_scores, whole.candidate_scores)


@given(st.integers(0, 10_000), st.integers(1, 3), st.floats(-2, 2))
@settings(max_examples=40, deadline=None)
def test_short_candidate_lists_give_the_same_up_to_their_length_and_say_what_they_hide(seed, length, threshold):
    _, probes, references = case(seed)
    matrix = np.random.default_rng(seed).normal(size=(15, 10))  # a list cut inside a tie would not know it
    whole = search_outcomes(matrix, probes, references)
    length = min(length, whole.enrolled)
    lists = cut_lists(matrix, probes, references, length)
    if whole.mate_ranks.size:
        np.testing.assert_array_equal(cmc_curve(lists).rates, cmc_curve(whole).rates[:length])
    if whole.top_scores.size:
        found, expected = identification_rates(lists, threshold), identification_rates(whole, threshold)
        assert found.fpir.rate == expected.fpir.rate
        assert found.selectivity <= expected.selectivity
        assert found.selectivity_is_lower_bound or found.selectivity == expected.selectivity
        assert not expected.selectivity_is_lower_bound


def test_a_mate_that_a_short_list_does_not_hold_is_missed_and_later_ranks_are_refused():
    outcomes = search_outcomes_from_candidates(
        ["q", "q", "r"],
        ["x", "y", "z"],
        [0.9, 0.8, 0.7],
        searches=["q", "r", "empty"],
        search_subjects=["w", "z", "stranger"],
        search_mated=[True, True, False],
        enrolled=100,
        list_length=2,
    )
    assert outcomes.mate_ranks.tolist() == [101, 1]
    found = identification_rates(outcomes, 0.5, rank=2)
    assert (found.fnir.errors, found.fpir.errors, found.selectivity) == (1, 0, 0.0)
    assert cmc_curve(outcomes).rates.tolist() == [0.5, 0.5]
    assert threshold_at_fpir(outcomes, 0.0).errors == 0
    with pytest.raises(InvalidRateError, match="in 1"):
        identification_rates(outcomes, 0.5, rank=3)
    with pytest.raises(InvalidRateError):
        cmc_curve(outcomes, 3)


def test_failures_to_acquire_are_counted_apart_and_beside():
    outcomes = search_outcomes(np.eye(4)[:2], ["a", "b"], ["a", "b", "c", "d"], failed_mated=2, failed_non_mated=5)
    found = identification_rates(outcomes, 0.5)
    assert (found.fnir.rate, found.fnir_with_failures) == (0.0, 0.5)
    assert found.fpir is None and found.selectivity is None  # nobody was searched for who is not enrolled
    assert (found.failed_mated, found.failed_non_mated) == (2, 5)
    assert cmc_curve(outcomes).failed == 2


def test_a_threshold_for_a_false_positive_rate_holds():
    matrix = np.random.default_rng(4).normal(size=(300, 50)).round(2)
    outcomes = search_outcomes(matrix, np.arange(1000, 1300), np.arange(50))
    threshold = threshold_at_fpir(outcomes, 0.1)
    found = identification_rates(outcomes, threshold.value)
    assert found.fpir.rate == threshold.realised_fmr <= 0.1
    assert found.fnir is None
    with pytest.raises(EmptyClassError, match="mated"):
        cmc_curve(outcomes)


def test_more_enrolled_people_make_more_false_positives():
    generator = np.random.default_rng(8)
    matrix = generator.normal(size=(200, 400))
    small = search_outcomes(matrix[:, :40], np.arange(1000, 1200), np.arange(40))
    large = search_outcomes(matrix, np.arange(1000, 1200), np.arange(400))
    assert identification_rates(small, 2.5).fpir.rate < identification_rates(large, 2.5).fpir.rate
    one = fmr(matrix.ravel(), 2.5)
    assert identification_rates(large, 2.5).selectivity == pytest.approx(400 * one)


def test_ranks_and_selectivity_move_the_right_way():
    matrix, probes, references = case(3)
    outcomes = search_outcomes(matrix, probes, references)
    rates = cmc_curve(outcomes).rates
    assert np.all(np.diff(rates) >= 0) and rates[-1] == 1.0
    values = [identification_rates(outcomes, threshold) for threshold in (-1.0, 0.0, 1.0, 2.0)]
    assert all(a.selectivity >= b.selectivity and a.fpir.rate >= b.fpir.rate for a, b in itertools.pairwise(values))
    assert all(a.fnir.rate <= b.fnir.rate for a, b in itertools.pairwise(values))


def test_bad_searches_are_refused():
    with pytest.raises(InvalidScoresError):
        search_outcomes([1.0, 2.0], ["a"], ["b"])
    with pytest.raises(EmptyClassError):
        search_outcomes(np.empty((0, 3)), [], ["a", "b", "c"])
    with pytest.raises(InvalidScoresError, match="NaN"):
        search_outcomes([[np.nan]], ["a"], ["a"])
    with pytest.raises(InvalidScoresError, match="labels do not fit"):
        search_outcomes([[1.0]], ["a"], ["a", "b"])
    with pytest.raises(InvalidScoresError, match="two kinds"):
        search_outcomes([[1.0]], [1], ["1"])
    with pytest.raises(InvalidRateError, match="0 or more"):
        search_outcomes([[1.0]], ["a"], ["a"], failed_mated=-1)
    good = {
        "searches": ["q"],
        "search_subjects": ["w"],
        "search_mated": [False],
        "enrolled": 10,
        "list_length": 5,
    }
    with pytest.raises(InvalidScoresError, match="not listed"):
        search_outcomes_from_candidates(["p"], ["x"], [1.0], **good)
    with pytest.raises(InvalidScoresError, match="own subject"):
        search_outcomes_from_candidates(["q"], ["w"], [1.0], **good)
    with pytest.raises(InvalidScoresError, match="twice"):
        search_outcomes_from_candidates(
            ["q"],
            ["x"],
            [1.0],
            **{**good, "searches": ["q", "q"], "search_subjects": ["a", "b"], "search_mated": [0, 0]},
        )
    with pytest.raises(InvalidScoresError, match="longest list"):
        search_outcomes_from_candidates(["q"] * 6, list("abcdef"), [1.0] * 6, **good)
    with pytest.raises(EmptyClassError):
        search_outcomes_from_candidates(
            [], [], [], **{**good, "searches": [], "search_subjects": [], "search_mated": []}
        )
