"""Quality tables: against chance, against the oracle, and pooled back to the whole."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from samebody.measure import (
    EmptyClassError,
    InvalidRateError,
    InvalidScoresError,
    discard_reports,
    error_by_quality,
    error_versus_discard,
    rate_at,
)


def pairs(seed: int, count: int = 400, link: float = 1.0):
    generator = np.random.default_rng(seed)
    quality = generator.integers(0, 101, (2, count))
    return generator.normal(link * quality.min(axis=0) / 30, 1.0), quality[0], quality[1]


def test_a_quality_that_tells_gains_and_one_that_does_not_is_near_zero():
    for start in discard_reports(*pairs(1, 20_000)):
        assert [area.limit for area in start.areas] == [0.05, 0.1, 0.2, 1.0]
        for area in start.areas:
            assert area.ideal - 1e-12 <= area.area < area.useless
            assert 0.02 < area.gain < 1.0
        assert start.curve.errors / start.curve.pairs <= start.start
    for start in discard_reports(*pairs(2, 20_000, link=0.0), starts=(0.1,), limits=(0.1, 0.2)):
        assert all(abs(area.gain) < 0.1 for area in start.areas)


def test_a_perfect_quality_gains_all_and_a_reversed_one_does_harm():
    scores = np.arange(100) / 100
    best = discard_reports(scores, np.arange(100), np.arange(100), starts=(0.1,), limits=(0.05, 0.2))
    assert [area.gain for area in best[0].areas] == pytest.approx([1.0, 1.0])
    worst = discard_reports(scores, 99 - np.arange(100), 99 - np.arange(100), starts=(0.1,), limits=(0.2,))
    assert worst[0].areas[0].gain < 0
    none = discard_reports(scores, scores, scores, starts=(0.0,), limits=(0.2,))
    assert np.isnan(none[0].areas[0].gain)  # nothing to gain where there is no error


@given(st.integers(0, 10_000), st.floats(0, 0.99))
@settings(max_examples=50, deadline=None)
def test_the_step_curve_is_read_as_discarding_whole_blocks(seed, fraction):
    scores, one, two = pairs(seed, 60)
    one, two = one // 20, two // 20  # few levels, so blocks of ties
    curve = error_versus_discard(scores, one, two, 1.0)
    quality = np.minimum(one, two)
    gone = max(
        (np.count_nonzero(quality < level) for level in np.unique(quality) if np.mean(quality < level) <= fraction),
        default=0,
    )
    left = np.sort(quality)[gone]
    kept = quality >= left
    assert rate_at(curve, fraction) == pytest.approx(np.mean(scores[kept] < 1.0))
    with pytest.raises(InvalidRateError):
        rate_at(curve, 1.0)


@given(st.integers(0, 10_000), st.sampled_from(["fnmr", "fmr"]))
@settings(max_examples=30, deadline=None)
def test_steps_of_quality_pool_to_the_whole(seed, kind):
    scores, one, two = pairs(seed, 80)
    steps = error_by_quality(scores, one, two, 1.0, kind=kind)
    assert len(steps) == 10
    present = [step.rate for step in steps if step.rate]
    assert sum(rate.trials for rate in present) == 80
    wrong = scores < 1.0 if kind == "fnmr" else scores >= 1.0
    assert sum(rate.errors for rate in present) == wrong.sum()
    quality = np.minimum(one, two)
    for step in steps[:-1]:
        rows = (quality >= step.low) & (quality < step.high)
        assert (step.rate.trials if step.rate else 0) == rows.sum()


def test_intervals_of_steps_heed_people():
    scores, one, two = pairs(3, 200)
    found = error_by_quality(scores, one, two, 1.0, edges=(0, 50, 100), subjects=np.repeat(np.arange(20), 10))
    assert all(step.rate.method == "subject bootstrap" and step.rate.subjects <= 20 for step in found)


def test_bad_input_is_refused():
    with pytest.raises(InvalidScoresError, match="outside the edges"):
        error_by_quality([0.1], [120], [50], 0.5)
    with pytest.raises(InvalidRateError, match="rise"):
        error_by_quality([0.1], [20], [50], 0.5, edges=(0, 0, 100))
    with pytest.raises(InvalidRateError, match="kind"):
        error_by_quality([0.1], [20], [50], 0.5, kind="eer")
    with pytest.raises(InvalidScoresError, match="pair up"):
        error_by_quality([0.1, 0.2], [20], [50], 0.5)
    with pytest.raises(EmptyClassError):
        error_by_quality([], [], [], 0.5)
    with pytest.raises(InvalidRateError):
        discard_reports([0.1], [1], [1], limits=(0.0,))
