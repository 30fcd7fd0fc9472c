"""The iris kernels against loops over bits, and against the assembly that they should become."""

from __future__ import annotations

import numba
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from samebody.kernels import iris
from samebody.kernels.compiling import has
from samebody.kernels.iris_vectors import disagreements
from samebody.kernels.topk import aligned


def naive_counts(probe_code, probe_mask, code, mask, turn):
    """Disagreeing and shared bits at one rotation, bit by bit in Python."""
    columns = len(code)
    disagreeing = shared = 0
    for column in range(columns):
        source = (column - turn) % columns
        for bit in range(64):
            usable = (int(probe_mask[source]) >> bit) & (int(mask[column]) >> bit) & 1
            shared += usable
            disagreeing += usable & ((int(probe_code[source]) >> bit) ^ (int(code[column]) >> bit))
    return disagreeing, shared


def words(seed: int, n: int, columns: int):
    return np.random.default_rng(seed).integers(0, 2**64, (n, columns), dtype=np.uint64)


def run_scan(codes, masks, probe_codes, probe_masks, rotations, k, floor=-np.inf, minimum_bits=1, reference=0.0):
    n, q = len(codes), len(probe_codes)
    bits = np.zeros(n, np.int32)
    iris.usable_bits(masks, bits)
    probe_bits = np.zeros(q, np.int32)
    iris.usable_bits(probe_masks, probe_bits)
    scores, ids = np.full((q, k), -np.inf, np.float32), np.full((q, k), -1, np.int64)
    nothing, starts = np.zeros(0, np.int64), np.zeros(q + 1, np.int64)
    iris.scan(
        codes, masks, np.arange(n, dtype=np.uint64), np.ones(n, bool), bits, 0, n,
        iris.turned(probe_codes, rotations), iris.turned(probe_masks, rotations), probe_bits.astype(np.int64),
        iris.lanes_in_use(rotations), minimum_bits, reference, np.full(q, floor, np.float32), nothing, starts,
        scores, ids, aligned((2, 32), np.int64),
    )  # fmt: skip
    return scores, ids


@pytest.mark.parametrize("rotations", [0, 3, 15])
@pytest.mark.parametrize("full", [False, True])
def test_scores_are_those_of_a_loop_over_bits(rotations, full):
    columns = 24
    codes, masks = words(1, 4, columns), words(2, 4, columns)
    probe_code, probe_mask = np.roll(codes[:1], 2, axis=1), words(3, 1, columns)
    if full:
        masks[:], probe_mask[:] = np.uint64(2**64 - 1), np.uint64(2**64 - 1)
    scores, ids = run_scan(codes, masks, probe_code, probe_mask, rotations, 4, minimum_bits=100, reference=1000.0)
    for score, record in zip(scores[0], ids[0], strict=True):
        best = -np.inf
        for turn in range(-rotations, rotations + 1):
            d, n = naive_counts(probe_code[0], probe_mask[0], codes[record], masks[record], turn)
            if n >= 100:
                best = max(best, np.float32(1.0 - (0.5 - (0.5 - d / n) * np.sqrt(n / 1000.0))))
        assert score == np.float32(best)
    if rotations >= 2:
        assert ids[0, 0] == 0


@given(
    seed=st.integers(0, 2**32 - 1),
    columns=st.sampled_from([8, 16, 24, 200]),
    share=st.sampled_from([0.1, 0.5, 0.9, 1.0]),
    reference=st.sampled_from([0.0, 500.0, 12_800.0]),
    k=st.integers(1, 12),
    minimum_bits=st.integers(1, 600),
    floor=st.sampled_from([-np.inf, 0.45, 0.5, 0.52, 0.6]),
)
@settings(max_examples=60, deadline=None)
def test_early_termination_changes_nothing(seed, columns, share, reference, k, minimum_bits, floor):
    generator = np.random.default_rng(seed)
    codes, n, q, rotations = words(seed, 40, columns), 40, 3, 15
    spread = generator.random((n + q, columns * 64)) < share
    packed = np.packbits(spread, axis=1, bitorder="little").view(np.uint64)
    masks, probe_masks = np.ascontiguousarray(packed[:n]), np.ascontiguousarray(packed[n:])
    probe_codes = codes[:q] ^ (words(seed + 1, q, columns) & words(seed + 2, q, columns) & words(seed + 3, q, columns))
    scores, ids = run_scan(codes, masks, probe_codes, probe_masks, rotations, k, floor, minimum_bits, reference)
    for p in range(q):
        best = np.full(n, -np.inf, np.float32)
        for turn in range(-rotations, rotations + 1):
            usable = np.roll(probe_masks[p], turn) & masks
            shared = np.bitwise_count(usable).sum(axis=1, dtype=np.int64)
            differing = np.bitwise_count((np.roll(probe_codes[p], turn) ^ codes) & usable).sum(axis=1, dtype=np.int64)
            distance = differing / np.maximum(shared, 1)
            if reference:
                distance = 0.5 - (0.5 - distance) * np.sqrt(shared / reference)
            best = np.maximum(best, np.where(shared >= minimum_bits, (1.0 - distance).astype(np.float32), -np.inf))
        kept = np.flatnonzero((best >= np.float32(floor)) & ~np.isneginf(best))
        order = kept[np.lexsort((kept, -best[kept]))][:k]
        assert ids[p, : len(order)].tolist() == order.tolist()
        assert scores[p, : len(order)].tolist() == best[order].tolist()
        assert (ids[p, len(order) :] == -1).all()


@given(
    usable=st.integers(1, 16_384),
    score=st.floats(0.0, 1.25, width=32),
    reference=st.sampled_from([0.0, 12_800.0]),
    data=st.data(),
)
@settings(max_examples=300, deadline=None)
def test_no_pair_that_reaches_the_score_disagrees_more_than_allowed(usable, score, reference, data):
    shared = data.draw(st.integers(1, usable))
    disagreeing = data.draw(st.integers(0, shared))
    reached = iris.similarity(disagreeing, shared, reference)
    if reached >= np.float32(score):
        assert disagreeing <= iris.most_disagreements(usable, float(np.float32(score)), reference)


@pytest.mark.parametrize("reference", [0.0, 12_800.0])
@pytest.mark.parametrize("score", [-np.inf, 0.3, 0.5, 0.6, 0.9])
def test_what_is_allowed_does_not_fall_with_more_bits(score, reference):
    allowed = np.zeros(201, np.int64)
    iris.allow(allowed, np.float32(score), reference)
    assert (np.diff(allowed) >= 0).all()


def test_subset_words_hold_the_drawn_bits():
    columns, rotations = 16, 5
    code = words(4, 3, columns)
    positions = np.sort(np.random.default_rng(5).choice(columns * 64, 128, replace=False))
    packed = np.zeros((3, 2), np.uint64)
    iris.gather_bits(code, positions, packed)
    bits = np.unpackbits(code.view(np.uint8), axis=1, bitorder="little")
    assert (np.unpackbits(packed.view(np.uint8), axis=1, bitorder="little") == bits[:, positions]).all()
    lanes = iris.turned_subset(code, positions, rotations)
    for lane in range(2 * rotations + 1):
        turned = np.roll(code, rotations - lane, axis=1)
        iris.gather_bits(np.ascontiguousarray(turned), positions, packed)
        assert (lanes[:, :, lane] == packed).all()


@pytest.mark.skipif(not has("avx512vpopcntdq"), reason="the processor has no AVX-512 VPOPCNTDQ")
def test_population_counts_are_vectors_of_512_bits():

    @numba.njit
    def count(probe, mask, codes, counts):
        return disagreements(
            probe.ctypes.data, mask.ctypes.data, codes[0].ctypes.data, codes[1].ctypes.data, 64, 8, 9,
            counts.ctypes.data,
        )  # fmt: skip

    probe, mask, counts = iris.turned(words(1, 1, 8), 15), iris.turned(words(3, 1, 8), 15), aligned((32,), np.int64)
    count(probe, mask, words(2, 2, 8), counts)
    lines = [line for line in "".join(count.inspect_asm().values()).splitlines() if "vpopcntq" in line]
    assert len(lines) >= 32 and all("zmm" in line for line in lines)
