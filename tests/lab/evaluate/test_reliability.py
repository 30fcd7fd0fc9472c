"""The calibration of single comparisons: planted ratios are found, judged on other people, and their doubt is told."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import pytest

from samebody.lab.evaluate.reliability import ScoredPairs, fit_line, fit_reliability, markdown, quality_edges
from samebody.lab.evaluate.robustness.results import FixedThreshold
from samebody.measure import BootstrapOptions, SubjectLeakageError

OPTIONS = BootstrapOptions(replicates=60)
THRESHOLDS = (FixedThreshold(1e-2, 0.4, "a test"), FixedThreshold(1e-3, 0.6, "a test"))


def pairs(prefix: str, seed: int, people: int = 40, each: int = 12, strangers: int = 120) -> ScoredPairs:
    """Two Gaussians of equal width: the true ratio is a straight line, steeper where quality is good.

    Good: means 0.7 and 0.1, deviation 0.15, so slope 26.7 and offset -10.7. Poor: means 0.4 and 0.1, slope 13.3,
    offset -3.3.
    """
    rng = np.random.default_rng(seed)
    owner = np.repeat(np.arange(people), each)
    good = rng.random(len(owner)) < 0.5
    mated = np.where(good, 0.7, 0.4) + 0.15 * rng.standard_normal(len(owner))
    count = 6000
    first = rng.integers(0, strangers, count)
    second = (first + rng.integers(1, strangers, count)) % strangers
    other = rng.random(count) < 0.5
    return ScoredPairs(
        mated,
        np.array([f"{prefix}m{number}" for number in owner]),
        np.where(good, 70.0, 20.0) + rng.integers(0, 10, len(owner)),
        0.1 + 0.15 * rng.standard_normal(count),
        np.array([f"{prefix}n{number}" for number in first]),
        np.array([f"{prefix}n{number}" for number in second]),
        np.where(other, 70.0, 20.0) + rng.integers(0, 10, count),
    )


@pytest.fixture(scope="module")
def result():
    fit, judge = pairs("a", 1), pairs("b", 2)
    return fit_reliability(
        fit, judge, THRESHOLDS, dataset="a test", population="strangers", options=OPTIONS, bins=2, command="made here"
    )


def test_planted_ratios_are_found_by_quality_and_within_their_interval(result):
    found = result.reliability
    poor, good = found.likelihood(0.3, 25.0), found.likelihood(0.35, 75.0)
    assert poor.by_quality and good.by_quality
    assert poor.llr == pytest.approx(13.33 * 0.3 - 3.33, abs=0.4)
    assert good.llr == pytest.approx(26.67 * 0.35 - 10.67, abs=0.8)
    for entry in (poor, good):
        assert entry.interval[0] < entry.llr < entry.interval[1]


def test_lines_by_quality_beat_one_line_and_both_are_near_their_best(result):
    assert result.by_quality.cllr < result.plain.cllr < 1
    assert result.by_quality.cllr - result.by_quality.cllr_min < 0.05
    assert result.reliability.cllr == result.by_quality.cllr
    assert result.diagram.expected_calibration_error < 0.08


def test_bounds_are_those_of_people_and_not_of_pairs(result):
    line = result.reliability.line
    assert (line.mated_subjects, line.non_mated_subjects) == (40, 120)
    assert line.bounds == pytest.approx((-math.log(41), math.log(61)))
    assert result.reliability.likelihood(1.0).llr == pytest.approx(math.log(61))
    assert result.reliability.likelihood(1.0).at_bound


def test_misses_are_counted_on_the_judging_people(result):
    judge = pairs("b", 2)
    for entry in result.reliability.bins:
        inside = judge.within(entry.low, entry.high)
        for miss, threshold in zip(entry.misses, THRESHOLDS):
            assert miss.fnmr == np.mean(inside.mated < threshold.value)
            assert miss.interval[0] <= miss.fnmr <= miss.interval[1]
            assert (miss.threshold, miss.pairs) == (threshold.value, len(inside.mated))


def test_people_of_the_fit_may_not_judge_it():
    both = pairs("a", 1)
    with pytest.raises(SubjectLeakageError):
        fit_reliability(both, both, THRESHOLDS, dataset="a test", population="strangers", options=OPTIONS)


def test_fewer_people_make_a_wider_interval():
    def deviation(people: int) -> float:
        return fit_line(pairs("a", 3, people, 12, strangers=3 * people), OPTIONS).deviation(0.4)

    assert deviation(12) > 1.3 * deviation(120)


def test_a_bin_without_enough_people_takes_the_line_of_all():
    fit, judge = pairs("a", 1), pairs("b", 2)
    lonely = dataclasses.replace(fit, non_mated_quality=np.where(fit.non_mated_quality < 50, np.nan, 75.0))
    found = fit_reliability(
        lonely, judge, THRESHOLDS, dataset="a test", population="strangers", options=OPTIONS, bins=2
    ).reliability
    assert found.bins[0].line is None and found.bins[1].line is not None
    entry = found.likelihood(0.3, 25.0)
    assert not entry.by_quality and entry.llr == found.likelihood(0.3).llr
    assert entry.fnmr is None and found.likelihood(0.3, 25.0, 0.4).fnmr is not None


def test_edges_share_comparisons_out_and_collapse_when_quality_does_not_vary():
    assert quality_edges(np.arange(0, 90.0), 3) == (0, 30, 59, 101)
    assert quality_edges(np.full(50, 55.0), 3) == (0, 55, 101)
    assert quality_edges(np.array([54.0, 55, 56, 57, 58, 59]), 3) == (0, 56, 101)
    assert quality_edges(np.full(5, np.nan), 3) == (0, 101)


def test_the_page_says_that_the_sets_differ(result):
    text = markdown(result, "test@1")
    assert "likely too good" in text and "made here" in text and "Cllr" in text
