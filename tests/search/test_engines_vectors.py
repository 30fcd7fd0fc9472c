"""Vector engines: exactly the float32 top-k on data of every shape, at 64 probes and beyond."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from samebody.match import compare
from samebody.search.engines import build
from samebody.search.engines.arrays import ArraySource
from samebody.search.types import Probes
from samebody.types import EmbeddingSpace, Template
from tests.kernels.test_int8 import KINDS, unit


@pytest.mark.parametrize("name", ["int8", "float32"])
@given(
    seed=st.integers(0, 2**32 - 1),
    n=st.integers(0, 400),
    d=st.sampled_from([1, 3, 8, 33, 128]),
    q=st.integers(1, 70),
    k=st.integers(1, 25),
    kind=st.sampled_from(KINDS),
    repeats=st.booleans(),
)
@settings(max_examples=40, deadline=None)
def test_the_result_is_that_of_sorting_all_scores(name, seed, n, d, q, k, kind, repeats):
    generator = np.random.default_rng(seed)
    rows, probes = unit(generator, n, d, kind), unit(generator, q, d, kind)
    if repeats and n:
        rows = rows[generator.integers(0, max(1, n // 10), n)]  # most scores are tied
    hits = build(ArraySource.of_vectors(rows, "s", block=97), name).search(Probes.of_vectors(probes, "s"), k)
    plain = build(ArraySource.of_vectors(rows, "s"), "cosine-numpy").search(Probes.of_vectors(probes, "s"), k)
    off = hits.scores != plain.scores
    assert not off.any() or np.abs(hits.scores - plain.scores)[off].max() < 1e-7  # another order of summation
    assert off.mean() < 1e-3
    if not off.any():
        assert (hits.ids == plain.ids).all()


def test_scores_are_those_of_one_to_one_comparison():
    generator = np.random.default_rng(4)
    rows, probe = unit(generator, 50, 128), unit(generator, 1, 128)
    space = EmbeddingSpace("m", "1", "0" * 64, "p")
    hits = build(ArraySource.of_vectors(rows, "s"), "int8").search(Probes.of_vectors(probe, "s"), 50)
    for record, score in zip(hits.ids[0], hits.scores[0], strict=True):
        assert score == np.float32(compare(Template(probe[0], space), Template(rows[record], space)).score)


def test_int8_holds_little_more_than_a_byte_for_a_dimension():
    rows = unit(np.random.default_rng(5), 6400, 128)
    engine = build(ArraySource.of_vectors(rows, "s"), "int8")
    assert engine.nbytes / rows.size < 1.3  # type: ignore[attr-defined]


def test_the_scan_looks_at_few_vectors_again():
    generator = np.random.default_rng(6)
    rows = unit(generator, 50_000, 64)
    hits = build(ArraySource.of_vectors(rows, "s"), "int8", threads=1).search(Probes.of_vectors(rows[:16], "s"), 3)
    assert (hits.ids[:, 0] == np.arange(16)).all()
    assert hits.notes["ranked_in_float32"] < 16 * 500
