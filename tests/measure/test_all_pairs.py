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
    kernels,
    pair_counts,
    score_pairs,
    threshold_at_fmr,
    threshold_from_tail,
)
from samebody.measure.all_pairs import mated_pairs
from samebody.measure.errors import KernelMissingError, TooManyScoresError
from samebody.measure.kernels import has_numba
from samebody.measure.pair_plan import group_slots, plan_pairs


def needs(kernel: str) -> None:
    if kernel == "numba" and not has_numba():
        pytest.skip("numba is not installed")


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


@given(st.integers(0, 10_000), st.sampled_from([1, 5, 40, 10_000]), st.sampled_from(["numba", "numpy"]))
@settings(max_examples=40, deadline=None)
def test_the_engine_agrees_with_two_nested_loops(seed, keep, kernel):
    needs(kernel)
    generator = np.random.default_rng(seed)
    count, cells = 50, 4
    vectors = templates(count, seed)
    subject, cell = generator.integers(0, 30, count), generator.integers(0, cells, count)
    compatible = generator.random((cells, cells)) < 0.5
    compatible |= compatible.T
    expected = naive(vectors, subject, cell, compatible)
    arguments = {"keep": keep, "cell": cell, "compatible": compatible, "kernel": kernel}
    if not expected:
        with pytest.raises(EmptyClassError):
            score_pairs(vectors, subject, **arguments)
        return
    found = score_pairs(vectors, subject, bins=200, block=(int(generator.integers(1, 60)), 11), **arguments)
    assert found.pairs == found.histogram.total == len(expected)
    ranked = sorted(expected, key=lambda row: (-row[0], row[1], row[2]))
    assert len(found.tail) >= min(keep, len(expected))
    assert found.tail.dtype == np.float32
    rows = list(zip(found.tail, found.first, found.second))
    assert rows == ranked[: len(rows)]
    counts, _ = np.histogram([row[0] for row in expected], bins=200, range=(-1, 1))
    assert np.abs(np.cumsum(counts) - np.cumsum(found.histogram.counts)).max() <= 1  # a score on an edge may round


def exact_templates(count: int, seed: int) -> np.ndarray:
    """Templates whose float32 products are exact, with scores -1, -0.75 ... 1: ties and edges everywhere."""
    generator = np.random.default_rng(seed)
    signs = generator.choice([-0.5, 0.5], size=(count, 4))
    rows = np.zeros((count, 8))
    for row, sign in zip(rows, signs):
        row[generator.choice(8, 4, replace=False)] = sign
    rows[: count // 5] = 0
    few = count // 5
    rows[np.arange(few), generator.integers(0, 8, few)] = generator.choice([-1.0, 1.0], few)
    return rows.astype(np.float32)


@given(st.integers(0, 10_000), st.sampled_from([1, 30, 5000]), st.sampled_from([1, 2, 7, 64, 4096, 131_072]))
@settings(max_examples=20, deadline=None)
def test_ties_and_scores_on_edges_are_counted_alike_by_every_kernel_and_by_hand(seed, keep, bins):
    vectors = exact_templates(60, seed)
    generator = np.random.default_rng(seed)
    subject, cell = generator.integers(0, 25, 60), generator.integers(0, 3, 60)
    everything = np.ones((3, 3), dtype=bool)
    expected = np.zeros(bins, dtype=int)
    rows = naive(vectors, subject, cell, everything)
    for score, _, _ in rows:
        # In whole numbers: the score is a multiple of 1/4.
        expected[min((int(score * 4) + 4) * bins // 8, bins - 1)] += 1
    blocks = [(5, 13), (60, 60), (20, 1)]
    for kernel, block in itertools.product(["numpy", *(["numba"] if has_numba() else [])], blocks):
        found = score_pairs(
            vectors, subject, keep=keep, cell=cell, compatible=everything, bins=bins, kernel=kernel, block=block
        )
        assert found.histogram.counts == tuple(expected)
        ranked = sorted(rows, key=lambda row: (-row[0], row[1], row[2]))
        assert list(zip(found.tail, found.first, found.second)) == ranked[: len(found.tail)]
        # Ties are never cut: what follows the tail is smaller than its last score.
        if len(found.tail) < len(ranked):
            assert ranked[len(found.tail)][0] < found.tail[-1]


def counting_arguments(plan, tile, counts, tail, lowest):
    """What the kernel is called with for the one block of a tile."""
    binning = pair_counts._Binning.of(plan.bins)
    left, right = tile.columns[0]
    scores = plan.matrix[tile.top : tile.bottom] @ plan.matrix[left:right].T
    local = np.arange(plan.histograms, dtype=np.int32)
    return (
        scores, 0, tile.top, left, plan.subject, plan.cell, plan.bounds, plan.slots, local, plan.own, plan.own_start,
        binning.scale, binning.shift, binning.base, binning.highest, lowest, counts, np.empty(right - left, np.uint32),
        *tail, 0,
    )  # fmt: skip


@given(st.integers(0, 1000))
@settings(max_examples=10, deadline=None)
def test_the_compiled_kernel_does_what_its_source_says(seed):
    needs("numba")
    generator = np.random.default_rng(seed)
    vectors = templates(40, seed)
    subject, cell = generator.integers(0, 15, 40), generator.integers(0, 3, 40)
    plan = plan_pairs(vectors, subject, cell, group_slots(3), pairs=700, keep=10, bins=101, block=(40, 40))
    results = []
    for function in (kernels.count_rows, kernels.compiled(kernels.count_rows)):
        counts = np.zeros((plan.histograms, plan.bins), dtype=np.int64)
        tail = np.zeros(900, np.float32), np.zeros(900, np.int32), np.zeros(900, np.int32)
        _, filled = function(*counting_arguments(plan, plan.tiles[0], counts, tail, 50))
        results.append((counts, *(values[:filled] for values in tail)))
    for one, two in zip(*results):
        np.testing.assert_array_equal(one, two)
    pair_rows = np.array([0, 3, 9], np.int32), np.array([5, 6, 7], np.int32)
    plain, fast = np.empty(3, np.float32), np.empty(3, np.float32)
    kernels.pair_products(vectors[:, :7], *pair_rows, plain)
    kernels.compiled(kernels.pair_products)(vectors[:, :7], *pair_rows, fast)
    np.testing.assert_array_equal(plain, fast)


@pytest.mark.parametrize("kernel", ["numba", "numpy"])
@pytest.mark.parametrize("threads", [1, 2, 5])
def test_threads_and_kernels_change_no_count_and_no_score(kernel, threads):
    needs(kernel)
    vectors = templates(500, 11, 16)
    subject = np.arange(500) // 3
    one = score_pairs(vectors, subject, keep=700, threads=1, kernel="numpy", block=(64, 100), bins=4096)
    two = score_pairs(vectors, subject, keep=700, threads=threads, kernel=kernel, block=(64, 100), bins=4096)
    assert one.histogram == two.histogram
    assert one.floor == two.floor
    for name in ("tail", "first", "second"):
        np.testing.assert_array_equal(getattr(one, name), getattr(two, name))


def test_a_missing_numba_is_replaced_by_numpy_and_refused_when_asked_for(monkeypatch):
    monkeypatch.setattr(kernels, "has_numba", lambda: False)
    assert kernels.chosen_kernel() == "numpy"
    assert score_pairs(templates(30, 1), np.arange(30), keep=5).pairs == 435
    with pytest.raises(KernelMissingError, match=r"samebody\[lab\]"):
        score_pairs(templates(30, 1), np.arange(30), keep=5, kernel="numba")
    with pytest.raises(KernelMissingError):
        kernels.chosen_kernel("fortran")


def test_thresholds_from_the_tail_are_those_of_all_scores():
    vectors = templates(400, 3)
    found = score_pairs(vectors, np.arange(400), keep=900)
    every = np.array([row[0] for row in naive(vectors, np.arange(400), np.zeros(400, int), np.ones((1, 1)))])
    for target in (1e-2, 1e-3, 1e-4):
        assert threshold_from_tail(found.tail, found.pairs, target) == threshold_at_fmr(every, target)


@pytest.mark.parametrize("kernel", ["numba", "numpy"])
def test_the_tail_is_pruned_without_losing_a_score(monkeypatch, kernel):
    needs(kernel)
    vectors = templates(300, 5)
    whole = score_pairs(vectors, np.arange(300), keep=50, kernel=kernel)
    pruned = []
    original = pair_counts._Counter._prune
    monkeypatch.setattr(pair_counts._Counter, "_prune", lambda self, wanted: pruned.append(1) or original(self, wanted))
    monkeypatch.setattr(pair_counts, "_FIRST", 1)
    small = score_pairs(vectors, np.arange(300), keep=50, kernel=kernel, block=(16, 16), threads=1)
    assert len(pruned) > 3
    for name in ("tail", "first", "second", "floor"):
        np.testing.assert_array_equal(getattr(whole, name), getattr(small, name))


@pytest.mark.parametrize("kernel", ["numba", "numpy"])
def test_too_many_ties_are_an_error_and_not_all_of_memory(monkeypatch, kernel):
    needs(kernel)
    monkeypatch.setattr(pair_counts, "SPARE", 1000)
    monkeypatch.setattr(pair_counts, "_FIRST", 1)
    copies = np.tile(np.eye(4, dtype=np.float32)[:1], (200, 1))
    with pytest.raises(TooManyScoresError, match="share one score"):
        score_pairs(copies, np.arange(200), keep=10, kernel=kernel, block=(16, 16))


@given(st.lists(st.tuples(st.integers(-3, 3), st.integers(0, 3), st.integers(4, 6)), max_size=40))
def test_the_ranking_is_that_of_lexsort(rows):
    scores = np.array([row[0] / 3 for row in rows], dtype=np.float32) * np.float32(-1.0)  # with negative zeros
    first, second = (np.array([row[k] for row in rows], dtype=np.int32) for k in (1, 2))
    order = pair_counts.ranking(scores, first, second)
    wanted = np.lexsort((second, first, -scores))
    for values in (scores, first, second):
        np.testing.assert_array_equal(values[order], values[wanted])


@given(st.lists(st.integers(0, 6), max_size=30))
def test_mated_pairs_are_all_pairs_of_one_subject(subject):
    first, second = mated_pairs(np.array(subject, dtype=np.int64))
    pairs = list(itertools.combinations(range(len(subject)), 2))
    assert list(zip(first, second)) == [(i, j) for i, j in pairs if subject[i] == subject[j]]


def test_too_many_mated_pairs_are_refused():
    with pytest.raises(TooManyScoresError):
        mated_pairs(np.zeros(100, dtype=int), limit=1000)


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
    with pytest.raises(InvalidRateError):
        score_pairs(vectors, np.arange(4), keep=1, bins=1 << 18)
    with pytest.raises(InvalidRateError):
        score_pairs(vectors, np.arange(4), keep=1, threads=0)
    with pytest.raises(InvalidScoresError, match="whole numbers"):
        score_pairs(vectors, np.array([0.0, 1, 2, 3]), keep=1)
    broken = vectors.copy()
    broken[2] = np.nan
    with pytest.raises(InvalidScoresError, match="number 2"):
        score_pairs(broken, np.arange(4), keep=1)
    with pytest.raises(TooManyScoresError, match="at most"):
        plan_pairs(vectors, np.arange(4), np.arange(4), group_slots(200), pairs=6, keep=1, bins=32768)


def test_machine_code_that_cannot_be_kept_is_made_anew(monkeypatch):
    needs("numba")
    import numba

    original, kept = numba.njit, []

    def nowhere_to_cache(**options):
        kept.append(options.get("cache", False))
        if kept[-1]:
            raise RuntimeError("cannot cache function: no locator available")
        return original(**options)

    monkeypatch.setattr(numba, "njit", nowhere_to_cache)
    monkeypatch.setattr(kernels, "_machine_code", {})
    room = [np.empty(2) for _ in range(3)]
    assert kernels.compiled(kernels.merge_det)(np.array([0.5]), np.array([0.5]), *room) == 1
    assert kept == [True, False]
