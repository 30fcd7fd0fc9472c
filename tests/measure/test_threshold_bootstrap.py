"""Thresholds and both error rates over resampled people, against putting the drawn people side by side."""

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
    ListedPairs,
    TailTooShortError,
    bootstrap,
    draw_weights,
    fnmr,
    kernels,
    subject_bootstrap,
    threshold_at_fmr,
    threshold_bootstrap,
    vertex_bootstrap,
)
from samebody.measure.kernels import has_numba

KERNELS = ["numpy", pytest.param("numba", marks=pytest.mark.skipif(not has_numba(), reason="numba is not installed"))]


def experiment(seed: int, subjects: int = 8, rounding: int = 1):
    """All non-mated pairs of ``subjects`` people, and three mated scores of each; rounded, so that ties occur."""
    generator = np.random.default_rng(seed)
    pairs = np.array(list(itertools.combinations(range(subjects), 2)))
    effect = generator.normal(0, 0.1, subjects)
    scores = np.round(generator.normal(0, 0.2, len(pairs)) + effect[pairs].sum(axis=1), rounding)
    owner = np.repeat(np.arange(subjects), 3)
    mated = np.round(generator.normal(0.4, 0.2, len(owner)) + effect[owner], rounding)
    return scores, pairs[:, 0], pairs[:, 1], ListedPairs(pairs[:, 0], pairs[:, 1], subjects), mated, owner


@pytest.mark.parametrize("kernel", KERNELS)
@given(st.integers(0, 1000))
@settings(max_examples=10, deadline=None)
def test_refit_thresholds_are_those_of_the_drawn_people_side_by_side(kernel, seed):
    scores, first, second, graph, mated, owner = experiment(seed)
    targets = [0.3, 0.05, 0.12]
    options = BootstrapOptions(replicates=40, seed=seed)
    found = threshold_bootstrap(scores, first, second, graph, mated, owner, targets, options=options, kernel=kernel)
    weights = np.concatenate(list(draw_weights(8, 40, seed)), axis=1).astype(int)
    for target, estimate in zip(targets, found):
        assert estimate.threshold == threshold_at_fmr(scores, target)
        thresholds, rates = [], []
        for column in weights.T:
            impostors = np.repeat(scores, column[first] * column[second])
            if impostors.size == 0:
                continue
            thresholds.append(threshold_at_fmr(impostors, target).value)
            rates.append(fnmr(np.repeat(mated, column[owner]), thresholds[-1]))
        low, high = np.quantile(thresholds, ((1 - 0.95) / 2, 1 - (1 - 0.95) / 2), method="inverted_cdf")
        assert estimate.interval == (min(low, estimate.threshold.value), max(high, estimate.threshold.value))
        assert estimate.fnmr.rate == fnmr(mated, estimate.threshold.value)
        assert estimate.fnmr.replicates == len(rates)
        if 0 < estimate.fnmr.rate < 1:
            assert estimate.fnmr.interval[0] <= np.quantile(rates, 0.025) + 1e-12
            assert estimate.fnmr.interval[1] >= np.quantile(rates, 0.975) - 1e-12
            effective = estimate.fnmr.rate * (1 - estimate.fnmr.rate) / np.var(rates, ddof=1)
            assert estimate.fnmr.effective_trials == pytest.approx(min(len(mated), effective))


@pytest.mark.parametrize("kernel", KERNELS)
def test_fixed_thresholds_give_the_vertex_and_the_subject_bootstrap(kernel):
    scores, first, second, graph, mated, owner = experiment(3, 30, 3)
    options = BootstrapOptions(replicates=200)
    targets = [0.1, 0.01, 0.03]
    found = threshold_bootstrap(
        scores, first, second, graph, mated, owner, targets, thresholds="fixed", options=options, kernel=kernel
    )
    for estimate in found:
        wrong = scores >= estimate.threshold.value
        (false_match,) = vertex_bootstrap(graph, [ListedPairs(first[wrong], second[wrong], 30)], options)
        assert estimate.fmr == false_match
        assert estimate.fnmr == subject_bootstrap(owner, mated < estimate.threshold.value, options)
        assert estimate.thresholds == "fixed"


def test_refitting_widens_the_interval_of_the_false_non_match_rate():
    scores, first, second, graph, mated, owner = experiment(5, 40, 6)
    fixed, refit = (
        threshold_bootstrap(scores, first, second, graph, mated, owner, [0.01], thresholds=mode)[0]
        for mode in ("fixed", "refit")
    )
    assert fixed.interval == refit.interval and fixed.fmr == refit.fmr
    assert fixed.fnmr.effective_trials > 2 * refit.fnmr.effective_trials


@pytest.mark.parametrize("kernel", KERNELS)
def test_a_kept_tail_gives_the_same_estimates_as_all_scores(kernel, monkeypatch):
    scores, first, second, graph, mated, owner = experiment(7, 40, 4)
    rest = mated, owner, [0.05, 0.01]
    options = BootstrapOptions(replicates=100)
    whole = threshold_bootstrap(scores, first, second, graph, *rest, options=options, kernel=kernel)
    kept = np.flatnonzero(scores >= np.quantile(scores, 0.5))[::-1]
    part = threshold_bootstrap(scores[kept], first[kept], second[kept], graph, *rest, options=options, kernel=kernel)
    assert part == whole
    # Just enough for the threshold itself, not for the replicates.
    short = np.flatnonzero(scores >= np.quantile(scores, 0.945))
    with pytest.raises(TailTooShortError, match="replicates"):
        threshold_bootstrap(scores[short], first[short], second[short], graph, *rest, options=options, kernel=kernel)
    monkeypatch.setattr(bootstrap, "CENSORED_AT_MOST", 1.0)
    allowed = threshold_bootstrap(
        scores[short], first[short], second[short], graph, *rest, options=options, kernel=kernel
    )
    assert allowed[0].censored > 0 and allowed[0].fnmr.interval[1] >= whole[0].fnmr.interval[1]
    with pytest.raises(TailTooShortError):
        threshold_bootstrap(scores[:3], first[:3], second[:3], graph, *rest)


def test_the_same_seed_gives_the_same_estimates():
    arguments = (*experiment(1), [0.1])
    one = threshold_bootstrap(*arguments, options=BootstrapOptions(seed=4, replicates=50))
    assert one == threshold_bootstrap(*arguments, options=BootstrapOptions(seed=4, replicates=50))
    assert one != threshold_bootstrap(*arguments, options=BootstrapOptions(seed=5, replicates=50))


@pytest.mark.skipif(not has_numba(), reason="numba is not installed")
@given(st.integers(0, 10_000))
@settings(max_examples=25, deadline=None)
def test_the_compiled_walks_do_what_their_source_says(seed):
    generator = np.random.default_rng(seed)
    first, second = (generator.integers(0, 6, 50).astype(np.int32) for _ in range(2))
    lines = generator.integers(0, 3, (4, 6)).astype(float)
    allowed = np.sort(generator.integers(0, 120, (4, 3)).astype(float), axis=1)
    plain, fast = np.empty((4, 3), np.int64), np.empty((4, 3), np.int64)
    kernels.weighted_ranks(first, second, lines, allowed, plain)
    kernels.compiled(kernels.weighted_ranks)(first, second, lines, allowed, fast)
    np.testing.assert_array_equal(plain, fast)
    np.testing.assert_array_equal(plain, bootstrap._weighted_ranks(first, second, lines, allowed, "numpy"))
    stops = np.sort(generator.integers(0, 51, (4, 3)), axis=1)[:, ::-1].copy()
    sums, quick = np.empty((4, 3)), np.empty((4, 3))
    kernels.weighted_prefixes(first, lines, stops, sums)
    kernels.compiled(kernels.weighted_prefixes)(first, lines, stops, quick)
    np.testing.assert_array_equal(sums, quick)
    np.testing.assert_array_equal(sums, bootstrap._weighted_prefixes(first, lines, stops, "numpy"))


def test_a_long_tail_is_walked_in_pieces():
    generator = np.random.default_rng(0)
    first, second = (generator.integers(0, 50, 150_000).astype(np.int32) for _ in range(2))
    lines = generator.integers(0, 3, (2, 50)).astype(float)
    every = (lines[:, first] * lines[:, second]).cumsum(axis=1)
    allowed = np.stack([[10.0, 70_000.0, 100_000.0, total] for total in every[:, -1]])
    wanted = [np.searchsorted(sums, limits, side="right") for sums, limits in zip(every, allowed)]
    np.testing.assert_array_equal(bootstrap._weighted_ranks(first, second, lines, allowed, "numpy"), wanted)


def test_what_does_not_fit_together_is_refused():
    scores, first, second, graph, mated, owner = experiment(1)
    with pytest.raises(InvalidRateError):
        threshold_bootstrap(scores, first, second, graph, mated, owner, [0.1], thresholds="free")
    with pytest.raises(InvalidRateError):
        threshold_bootstrap(scores, first, second, graph, mated, owner, [1.0])
    with pytest.raises(InvalidScoresError):
        threshold_bootstrap(scores, first[:3], second[:3], graph, mated, owner, [0.1])
    with pytest.raises(InvalidScoresError):
        threshold_bootstrap(scores, first, second, graph, mated, owner + 1, [0.1])
    with pytest.raises(EmptyClassError):
        threshold_bootstrap(scores, first, second, graph, [], [], [0.1])
