"""Histograms against numpy's, error-versus-discard against discarding by hand."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from samebody.measure import (
    EmptyClassError,
    InvalidRateError,
    InvalidScoresError,
    ScoreHistogram,
    error_versus_discard,
    fnmr,
    fnmr_threshold,
    score_histogram,
)

# Thousandths: on an edge exactly, or well away from it.
unit = st.lists(st.integers(-1000, 1000).map(lambda value: value / 1000), min_size=1, max_size=80)


@given(unit, st.sampled_from([1, 2, 8, 64]))
def test_the_histogram_counts_every_score_in_its_bin(scores, bins):
    found = score_histogram(np.array(scores), bins=bins)
    expected, _ = np.histogram(np.array(scores), bins=bins, range=(-1, 1))
    assert found.counts == tuple(expected)
    assert found.total == len(scores)


@given(unit, st.floats(-1, 1))
def test_shares_are_never_more_flattering_than_the_data(scores, at):
    found, array = score_histogram(np.array(scores), bins=40), np.array(scores)
    width = 2 / 40 * 1.002  # one bin, and the slack at its edge
    assert np.mean(array >= at) - 1e-12 <= found.share_at_or_above(at) <= np.mean(array >= at - width - 1e-9) + 1e-12
    assert np.mean(array < at) - 1e-12 <= found.share_below(at) <= np.mean(array < at + width + 1e-9) + 1e-12


def test_scores_beyond_the_edges_are_kept_in_the_end_bins():
    assert score_histogram([-3.0, 0.1, 5.0], bins=2).counts == (1, 2)
    assert score_histogram([], bins=2).counts == (0, 0)


@given(unit)
def test_coarser_bins_hold_the_same_scores(scores):
    assert score_histogram(np.array(scores), bins=64).coarser(8) == score_histogram(np.array(scores), bins=8)


def test_histograms_that_cannot_be_are_refused():
    for call in (
        lambda: ScoreHistogram(0, 0, (1,)),
        lambda: ScoreHistogram(0, 1, ()),
        lambda: score_histogram([0.1], bins=0),
        lambda: score_histogram([0.1], bins=10).coarser(3),
    ):
        with pytest.raises(InvalidRateError):
            call()
    with pytest.raises(InvalidScoresError):
        ScoreHistogram(0, 1, (-1,))
    with pytest.raises(InvalidScoresError):
        score_histogram([]).share_at_or_above(0.5)


def naive_rate(scores, quality, threshold, fraction):
    """Discard whole blocks of the lowest quality as long as no more than ``fraction`` is gone."""
    gone: set[float] = set()
    for level in sorted(set(quality)):
        if sum(q in gone or q == level for q in quality) / len(quality) > fraction + 1e-12:
            break
        gone.add(level)
    left = [s for s, q in zip(scores, quality) if q not in gone]
    return sum(s < threshold for s in left) / len(left)


pairs = st.lists(st.tuples(st.floats(-1, 1), st.integers(0, 4), st.integers(0, 4)), min_size=1, max_size=40)


@given(pairs, st.floats(-1, 1), st.floats(0, 0.99))
def test_the_curve_agrees_with_discarding_by_hand(rows, threshold, fraction):
    scores, one, two = (np.array(column, dtype=float) for column in zip(*rows))
    curve = error_versus_discard(scores, one, two, threshold)
    step = int(np.searchsorted(curve.fractions, fraction + 1e-12, side="right")) - 1
    quality = np.minimum(one, two).tolist()
    assert curve.rates[step] == pytest.approx(naive_rate(scores.tolist(), quality, threshold, fraction))
    assert curve.rates[0] == fnmr(scores, threshold)


@given(pairs, st.floats(-1, 1), st.sampled_from([0.05, 0.2, 1.0]))
def test_the_partial_area_is_the_mean_rate_up_to_the_limit(rows, threshold, limit):
    scores, one, two = (np.array(column, dtype=float) for column in zip(*rows))
    curve = error_versus_discard(scores, one, two, threshold)
    grid = (np.arange(20_000) + 0.5) / 20_000 * limit
    step = np.searchsorted(curve.fractions, grid, side="right") - 1
    assert curve.partial_area(limit) == pytest.approx(curve.rates[step].mean(), abs=2e-3)
    assert curve.ideal_partial_area(limit) <= curve.partial_area(limit) + 1e-12


def test_constant_quality_discards_nothing_and_keeps_the_start_rate():
    curve = error_versus_discard(np.array([0.1, 0.9, 0.9]), np.ones(3), np.ones(3), 0.5)
    assert curve.fractions.tolist() == [0.0]
    assert curve.partial_area(0.2) == pytest.approx(1 / 3)


def test_a_perfect_quality_reaches_the_ideal():
    scores = np.linspace(0, 1, 100)
    curve = error_versus_discard(scores, scores, scores, 0.1)
    assert curve.partial_area(0.2) == pytest.approx(curve.ideal_partial_area(0.2))


def test_false_matches_can_be_discarded_too():
    curve = error_versus_discard(np.array([0.9, 0.1, 0.1, 0.1]), np.arange(4.0), np.arange(4.0), 0.5, "fmr")
    assert curve.rates.tolist() == [0.25, 0.0, 0.0, 0.0]


@given(st.lists(st.integers(0, 9).map(float), min_size=1, max_size=50), st.sampled_from([0.0, 0.1, 0.5]))
def test_the_start_threshold_refuses_at_most_the_asked_share(mated, start):
    threshold = fnmr_threshold(np.array(mated), start)
    assert fnmr(mated, threshold) <= start
    higher = [score for score in mated if score > threshold]
    if higher:
        assert fnmr(mated, min(higher)) > start


def test_discarding_refuses_what_does_not_fit():
    with pytest.raises(EmptyClassError):
        error_versus_discard([], [], [], 0.5)
    with pytest.raises(InvalidScoresError):
        error_versus_discard([0.1, 0.2], [1.0], [1.0, 2.0], 0.5)
    with pytest.raises(InvalidRateError):
        error_versus_discard([0.1], [1.0], [1.0], 0.5, "frr")
    with pytest.raises(InvalidRateError):
        error_versus_discard([0.1], [1.0], [1.0], 0.5).partial_area(0.0)
