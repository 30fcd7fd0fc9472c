"""The engine over all pairs against two nested loops."""

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
    all_pairs,
    score_pairs,
    threshold_at_fmr,
    threshold_from_tail,
)


def templates(count: int, seed: int, dimensions: int = 8) -> np.ndarray:
    vectors = np.random.default_rng(seed).normal(size=(count, dimensions))
    return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)


def naive(vectors, subject, cell, compatible):
    """(score, first, second) of every pair of different subjects in compatible cells."""
    wide = vectors.astype(np.float64)
    return [
        (np.float32(wide[i] @ wide[j]), i, j)
        for i, j in itertools.combinations(range(len(vectors)), 2)
        if subject[i] != subject[j] and compatible[cell[i], cell[j]]
    ]


@given(st.integers(0, 10_000), st.sampled_from([1, 5, 40, 10_000]))
@settings(max_examples=25, deadline=None)
def test_the_engine_agrees_with_two_nested_loops(seed, keep):
    generator = np.random.default_rng(seed)
    count, cells = 50, 4
    vectors = templates(count, seed)
    subject, cell = generator.integers(0, 30, count), generator.integers(0, cells, count)
    compatible = generator.random((cells, cells)) < 0.5
    compatible |= compatible.T
    expected = naive(vectors, subject, cell, compatible)
    if not expected:
        with pytest.raises(EmptyClassError):
            score_pairs(vectors, subject, keep=keep, cell=cell, compatible=compatible)
        return
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(all_pairs, "_ROWS", 7)
        patch.setattr(all_pairs, "_COLUMNS", 11)
        found = score_pairs(vectors, subject, keep=keep, cell=cell, compatible=compatible, bins=200)
    assert found.pairs == found.histogram.total == len(expected)
    ranked = sorted(expected, key=lambda row: (-row[0], row[1], row[2]))
    assert len(found.tail) >= min(keep, len(expected))
    assert found.tail.dtype == np.float32
    rows = list(zip(found.tail, found.first, found.second))
    assert rows == ranked[: len(rows)]
    counts, _ = np.histogram([row[0] for row in expected], bins=200, range=(-1, 1))
    assert np.abs(np.cumsum(counts) - np.cumsum(found.histogram.counts)).max() <= 1  # a score on an edge may round


def test_thresholds_from_the_tail_are_those_of_all_scores():
    vectors = templates(400, 3)
    found = score_pairs(vectors, np.arange(400), keep=900)
    every = np.array([row[0] for row in naive(vectors, np.arange(400), np.zeros(400, int), np.ones((1, 1)))])
    for target in (1e-2, 1e-3, 1e-4):
        assert threshold_from_tail(found.tail, found.pairs, target) == threshold_at_fmr(every, target)


def test_the_tail_is_pruned_without_losing_a_score(monkeypatch):
    vectors = templates(300, 5)
    monkeypatch.setattr(all_pairs, "_ROWS", 16)
    monkeypatch.setattr(all_pairs, "_COLUMNS", 16)
    merged = []
    original = all_pairs._Tail.merged
    monkeypatch.setattr(all_pairs._Tail, "merged", lambda self: merged.append(1) or original(self))
    whole = score_pairs(vectors, np.arange(300), keep=50)
    assert len(merged) == 1
    monkeypatch.setattr(all_pairs, "_SPARE", 100)
    pruned = score_pairs(vectors, np.arange(300), keep=50)
    assert len(merged) >= 3  # at least one pruning on the way, and the end
    np.testing.assert_array_equal(whole.tail, pruned.tail)


def test_progress_ends_at_the_whole():
    steps = []
    score_pairs(templates(60, 1), np.arange(60), keep=5, progress=lambda done, whole: steps.append((done, whole)))
    assert steps[-1][0] == steps[-1][1] > 0


def test_impossible_input_is_refused():
    vectors = templates(4, 1)
    with pytest.raises(InvalidScoresError):
        score_pairs(vectors * 2, np.arange(4), keep=1)
    with pytest.raises(InvalidScoresError):
        score_pairs(vectors, np.arange(3), keep=1)
    with pytest.raises(InvalidRateError):
        score_pairs(vectors, np.arange(4), keep=0)
    with pytest.raises(EmptyClassError):
        score_pairs(vectors, np.zeros(4, dtype=int), keep=1)
