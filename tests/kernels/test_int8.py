"""The integer scan: its error bound, its products with and without the special instruction, and what it keeps."""

from __future__ import annotations

import numba
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from samebody.kernels import int8, int8_vectors
from samebody.kernels.topk import aligned


def unit(generator, n, d, kind="normal"):
    rows = generator.standard_normal((n, d))
    if kind == "peaked":
        rows[:, 0] *= 50
    elif kind == "heavy":
        rows = rows**5
    elif kind == "sparse":
        rows *= generator.random((n, d)) < 3 / d
        rows[np.arange(n), generator.integers(0, d, n)] += 1
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    return rows.astype(np.float32)


def decoded(held: int8.Quantised, n: int) -> np.ndarray:
    count, steps = held.panels.shape[:2]
    rows = held.panels.transpose(0, 2, 1, 3).reshape(count * 64, steps * 4)[:n]
    return rows.astype(np.int32) - 128


KINDS = ("normal", "peaked", "heavy", "sparse")


@given(
    seed=st.integers(0, 2**32 - 1), n=st.integers(1, 70), d=st.integers(1, 130), q=st.integers(1, 9),
    kind=st.sampled_from(KINDS),
)  # fmt: skip
@settings(max_examples=80, deadline=None)
def test_no_score_is_outside_its_bound(seed, n, d, q, kind):
    generator = np.random.default_rng(seed)
    rows, probes = unit(generator, n, d, kind), unit(generator, q, d, kind)
    held, asked = int8.quantise(rows), int8.quantise_probes(probes)
    measures = held.measures.transpose(0, 2, 1).reshape(-1, 3)[:n]
    products = decoded(held, n) @ asked.codes.astype(np.int32).T
    scale, error, length = (asked.traits[:, i].astype(np.float64) for i in range(3))
    estimate = products * measures[:, :1].astype(np.float64) * scale
    bound = error * measures[:, 1:2] + length * measures[:, 2:3]
    exact = rows.astype(np.float64) @ probes.astype(np.float64).T
    assert (np.abs(exact - estimate) <= bound).all()
    assert (bound < 0.5).all()


def test_rows_that_fill_up_a_panel_never_pass():
    held = int8.quantise(unit(np.random.default_rng(0), 70, 16))
    measures = held.measures.transpose(0, 2, 1).reshape(-1, 3)
    assert np.isneginf(measures[70:, 2]).all() and np.isfinite(measures[:70]).all()


@pytest.mark.parametrize("value", [np.nan, np.inf, 3.0])
def test_rows_that_are_not_of_unit_length_are_named(value):
    rows = unit(np.random.default_rng(0), 90, 16)
    rows[67, 3] = value
    with pytest.raises(int8.NotUnitError) as caught:
        int8.quantise(rows)
    assert caught.value.row == 67
    with pytest.raises(int8.NotUnitError):
        int8.quantise_probes(rows[67:68])


@pytest.mark.parametrize("tile", int8_vectors.TILES)
@pytest.mark.parametrize("dot", ["portable", "vnni"])
def test_products_are_those_of_integers(tile, dot):
    if dot == "vnni" and not int8_vectors.VNNI:
        pytest.skip("the processor has no AVX-512 VNNI")
    products = int8_vectors.products_of(tile, int8_vectors.PORTABLE if dot == "portable" else int8_vectors.WITH_VNNI)

    @numba.njit
    def call(panel, probes, measures, traits, sums, passed):
        return products(
            panel.ctypes.data, np.int64(panel.shape[0]), probes.ctypes.data, np.int64(probes.shape[1]),
            measures.ctypes.data, traits.ctypes.data, sums.ctypes.data, passed.ctypes.data,
        )  # fmt: skip

    generator = np.random.default_rng(tile)
    steps = 34
    panel = aligned((steps, 64, 4), np.uint8)
    panel[:] = generator.integers(0, 256, panel.shape)
    panel[:, 5] = 255
    probes = aligned((tile, 4 * steps), np.int8)
    probes[:] = generator.integers(-128, 128, probes.shape)
    probes[0] = -128
    measures = aligned((3, 64), np.float32)
    measures[:] = generator.random((3, 64)).astype(np.float32)
    traits = generator.random((tile, 5)).astype(np.float32)
    rows = panel.transpose(1, 0, 2).reshape(64, -1).astype(np.int32) - 128
    exact = probes.astype(np.int32) @ rows.T
    traits.view(np.int32)[:, 4] = 128 * probes.sum(axis=1, dtype=np.int32)
    upper = exact.astype(np.float32) * (measures[0] * traits[:, :1])
    upper += traits[:, 1:2] * measures[1] + traits[:, 2:3] * measures[2]
    traits[:, 3] = np.median(upper, axis=1)
    sums, passed = aligned((tile, 64), np.int32), np.zeros(tile, np.int64)
    found = call(panel, probes, measures, traits, sums, passed)
    assert (sums == exact).all()
    bits = (passed[:, None].view(np.uint64) >> np.arange(64, dtype=np.uint64)) & np.uint64(1)
    clear = np.abs(upper - traits[:, 3:4]) > 1e-3
    assert (bits.astype(bool) == (upper >= traits[:, 3:4]))[clear].all()
    assert found == np.bitwise_or.reduce(passed)


def test_crowded_lists_are_thinned_and_then_lengthened():
    """Hundreds of rows that the bound cannot tell apart: more candidates than the lists hold at first."""
    from samebody.search.engines import build
    from samebody.search.engines.arrays import ArraySource
    from samebody.search.types import Probes

    generator = np.random.default_rng(3)
    centre = unit(generator, 1, 32)
    rows = centre + 0.001 * generator.standard_normal((9000, 32)).astype(np.float32)
    rows = (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)
    hits = build(ArraySource.of_vectors(rows, "s"), "int8", threads=1).search(Probes.of_vectors(centre, "s"), 5)
    exact = (rows.astype(np.float64) @ centre[0].astype(np.float64)).astype(np.float32)
    exact = np.minimum(exact, np.float32(1))
    assert hits.ids[0].tolist() == np.lexsort((np.arange(9000), -exact))[:5].tolist()
    assert hits.notes["candidates"] > 4096
