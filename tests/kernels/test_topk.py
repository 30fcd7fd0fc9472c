"""Lists of the best against sorting."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from samebody.kernels.topk import aligned, is_excluded, offer


@given(
    k=st.integers(1, 9),
    scores=st.lists(st.sampled_from([-1.0, -0.5, 0.0, 0.25, 0.5, 1.0]), max_size=40),
    seed=st.integers(0, 99),
)
@settings(max_examples=200, deadline=None)
def test_the_list_is_what_sorting_gives(k, scores, seed):
    kept, ids = np.full(k, -np.inf, np.float32), np.full(k, -1, np.int64)
    order = np.random.default_rng(seed).permutation(len(scores))
    for record in order:
        offer(kept, ids, np.float32(scores[record]), np.int64(record))
    best = sorted(range(len(scores)), key=lambda record: (-scores[record], record))[:k]
    assert ids[: len(best)].tolist() == best and (ids[len(best) :] == -1).all()
    assert kept[: len(best)].tolist() == [scores[record] for record in best]


@given(st.lists(st.integers(0, 30), max_size=20), st.integers(0, 30))
@settings(max_examples=100, deadline=None)
def test_excluded_is_membership(values, record):
    ids = np.unique(np.array([*values, 99], dtype=np.int64))
    assert is_excluded(ids, 0, len(ids) - 1, record) == (record in values)


def test_aligned_arrays_begin_at_a_cache_line():
    for shape in ((3, 5), (7,), (1, 4)):
        array = aligned(shape, np.int32)
        assert array.shape == shape and array.ctypes.data % 64 == 0 and not array.any()
