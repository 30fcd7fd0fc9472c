"""Masked Hamming distance over rotations of many references against several probes: the best k, exactly.

What a score is stands in :mod:`samebody.search.types`. The scan goes through the references in tiles that stay in the
cache while every probe passes over them, so a line of the gallery is read from memory once for all rotations and all
probes. A reference is given up as soon as the bits that disagree at every rotation are too many for the score that it
would need: with D disagreements so far and u = min(usable bits of either) the score is at most that of D of u bits,

    D / n >= D / u,   and   (0.5 - D / n) sqrt(n) <= (0.5 - D / u) sqrt(u)   for n <= u,

because the derivative of the left side in n is 0.25 / sqrt(n) + 0.5 D / n^1.5 > 0. The bits that both share are counted
for the few that are left.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from samebody.kernels.compiling import compiled
from samebody.kernels.iris_vectors import (
    COPIES,
    LANES,
    OUT,
    copy_counts,
    count_bits,
    disagreements,
    disagreements_full,
    overlaps,
    subset_within,
)
from samebody.kernels.topk import aligned, is_excluded, offer

MAX_ROTATIONS = (LANES - 1) // 2
"""Columns a probe can be turned either way."""

_TILE = 32
Words = NDArray[np.uint64]


def turned(words: Words, rotations: int) -> Words:
    """(q, columns) words to (q, 8, columns + 24) copies in which the lane i of a load is turned by ``rotations - i``.

    Copy b is the probe's words repeated around the circle from ``-rotations + b`` on; see
    :mod:`samebody.kernels.iris_vectors`.
    """
    q, columns = words.shape
    width = columns + LANES - COPIES
    copies: Words = aligned((q, COPIES, width), np.uint64)
    for b in range(COPIES):
        copies[:, b, :] = words[:, (np.arange(width) + b - rotations) % columns]
    return copies


def lanes_in_use(rotations: int) -> NDArray[np.int64]:
    """(2, 32) initial counts: 0 for the 2 ``rotations`` + 1 lanes that are compared, :data:`OUT` else."""
    start: NDArray[np.int64] = aligned((2, LANES), np.int64)
    start[0, 2 * rotations + 1 :] = OUT
    return start


@compiled
def usable_bits(masks: Any, counts: Any) -> None:
    """popcount of each row of ``masks`` (n, columns) into ``counts`` (n,) int32."""
    base, columns = masks.ctypes.data, masks.shape[1]
    for row in range(masks.shape[0]):
        counts[row] = count_bits(base + row * columns * 8, columns)


@compiled
def most_disagreements(usable: Any, score: Any, reference_bits: Any) -> Any:
    """The most bits that may disagree of ``usable`` shared ones at a score of at least ``score``, rounded up.

    One bit is added, which is far more than any rounding of the score; ``reference_bits`` 0 is the plain distance.
    """
    if reference_bits > 0.0:
        bits = usable * (0.5 - (score - 0.5) * np.sqrt(reference_bits / usable))
    else:
        bits = usable * (1.0 - score)
    return np.int64(np.floor(min(max(bits, -2.0), 1.0 * usable))) + 1


@compiled
def allow(allowed: Any, score: Any, reference_bits: Any) -> None:
    """Into ``allowed`` (columns + 1,): at i, :func:`most_disagreements` of at most 64 i usable bits; never falls."""
    for i in range(allowed.size):
        if score == np.float32(-np.inf):
            allowed[i] = 64 * i
        else:
            allowed[i] = -1 if i == 0 else most_disagreements(64 * i, np.float64(score), reference_bits)


@compiled
def similarity(disagreeing: Any, shared: Any, reference_bits: Any) -> Any:
    """The score of one rotation, rounded once to float32."""
    distance = disagreeing / shared
    if reference_bits > 0.0:
        distance = 0.5 - (0.5 - distance) * np.sqrt(shared / reference_bits)
    return np.float32(1.0 - distance)


@compiled
def best_rotation(
    probe_code: Any,
    probe_mask: Any,
    code: Any,
    mask: Any,
    stride: Any,
    columns: Any,
    full: Any,
    usable: Any,
    allowed: Any,
    minimum_bits: Any,
    reference_bits: Any,
    start: Any,
    scratch: Any,
) -> Any:
    """Score of one reference against one probe, -inf when it disagrees more than ``allowed`` or is not comparable.

    Addresses as in :func:`samebody.kernels.iris_vectors.disagreements`; ``usable`` bits of the poorer of both;
    ``allowed`` of :func:`allow`; ``scratch`` (2, 32) int64.
    """
    limit = allowed[(usable + 63) >> 6]
    differing, shared = scratch.ctypes.data, scratch.ctypes.data + LANES * 8
    copy_counts(differing, start)
    if full:
        alive = disagreements_full(probe_code, probe_mask, code, mask, stride, columns, limit, differing)
    else:
        alive = disagreements(probe_code, probe_mask, code, mask, stride, columns, limit, differing)
    best = np.float32(-np.inf)
    if alive == 0:
        return best
    if not full:
        copy_counts(shared, start)
        overlaps(probe_code, probe_mask, code, mask, stride, columns, np.int64(2 * OUT), shared)
    for lane in range(LANES):
        if scratch[0, lane] > limit:
            continue
        bits = np.int64(columns * 64) if full else scratch[1, lane]
        if bits >= minimum_bits and bits > 0 and scratch[0, lane] <= allowed[(bits + 63) >> 6]:
            best = max(best, similarity(scratch[0, lane], bits, reference_bits))
    return best


@compiled
def scan(
    codes: Any,
    masks: Any,
    ids: Any,
    live: Any,
    bits: Any,
    begin: Any,
    end: Any,
    probe_codes: Any,
    probe_masks: Any,
    probe_bits: Any,
    start: Any,
    minimum_bits: Any,
    reference_bits: Any,
    floors: Any,
    excluded: Any,
    excluded_from: Any,
    best_scores: Any,
    best_ids: Any,
    scratch: Any,
) -> Any:
    """Offer the references ``begin:end`` to the lists of all probes; returns how many pairs were compared in full.

    Args:
        codes, masks: (n, columns) uint64, C-contiguous; ids: (n,) uint64; live: (n,) bool.
        bits: (n,) int32 of :func:`usable_bits`; masks that are known to be full are not read.
        probe_codes, probe_masks: of :func:`turned`; probe_bits: (q,) int64 usable bits.
        start: of :func:`lanes_in_use`.
        minimum_bits: pairs that share fewer do not count; reference_bits: N0, or 0 for the plain distance.
        floors: (q,) float32, the score a reference needs; raised as the lists fill.
        excluded: record ids, ascending for each probe, from ``excluded_from[p]`` to ``excluded_from[p + 1]``.
        best_scores, best_ids: (q, k) lists as :func:`samebody.kernels.topk.offer` keeps them.
        scratch: (2, 32) int64, 64-byte aligned.
    """
    columns = codes.shape[1]
    every = columns * 64
    code_base, mask_base = codes.ctypes.data, masks.ctypes.data
    probe_code, probe_mask = probe_codes.ctypes.data, probe_masks.ctypes.data
    stride = probe_codes.shape[2] * 8
    span = stride * COPIES
    k = best_scores.shape[1]
    allowed = np.empty((probe_codes.shape[0], columns + 1), dtype=np.int64)
    for p in range(probe_codes.shape[0]):
        allow(allowed[p], floors[p], reference_bits)
    compared = 0
    for top in range(begin, end, _TILE):
        bottom = min(top + _TILE, end)
        for p in range(probe_codes.shape[0]):
            for row in range(top, bottom):
                usable = min(np.int64(bits[row]), probe_bits[p])
                if not live[row] or usable < minimum_bits or usable == 0:
                    continue
                score = best_rotation(
                    probe_code + p * span,
                    probe_mask + p * span,
                    code_base + row * columns * 8,
                    mask_base + row * columns * 8,
                    stride,
                    columns,
                    usable == every,
                    usable,
                    allowed[p],
                    minimum_bits,
                    reference_bits,
                    start.ctypes.data,
                    scratch,
                )
                if score == np.float32(-np.inf):
                    continue
                compared += 1
                if score >= floors[p]:
                    record = np.int64(ids[row])
                    if not is_excluded(excluded, excluded_from[p], excluded_from[p + 1], record):
                        offer(best_scores[p], best_ids[p], score, record)
                        if best_scores[p, k - 1] > floors[p]:
                            floors[p] = best_scores[p, k - 1]
                            allow(allowed[p], floors[p], reference_bits)
    return compared


@compiled
def gather_bits(words: Any, positions: Any, out: Any) -> None:
    """The bits of ``words`` (n, columns) at ``positions`` (s,), packed into ``out`` (n, s / 64)."""
    for row in range(words.shape[0]):
        for target in range(out.shape[1]):
            packed = np.uint64(0)
            for bit in range(64):
                place = positions[target * 64 + bit]
                held = (words[row, place >> 6] >> np.uint64(place & 63)) & np.uint64(1)
                packed |= held << np.uint64(bit)
            out[row, target] = packed


def turned_subset(words: Words, positions: NDArray[np.int64], rotations: int) -> Words:
    """(q, columns) words to (q, s / 64, 32): the subset of the bits at each rotation, one lane each."""
    q = len(words)
    subset: Words = aligned((q, positions.size // 64, LANES), np.uint64)
    packed = np.empty((q, positions.size // 64), dtype=np.uint64)
    for lane in range(2 * rotations + 1):
        gather_bits(np.ascontiguousarray(np.roll(words, rotations - lane, axis=1)), positions, packed)
        subset[:, :, lane] = packed
    return subset


@compiled
def scan_cascade(
    codes: Any,
    masks: Any,
    ids: Any,
    live: Any,
    bits: Any,
    begin: Any,
    end: Any,
    probe_codes: Any,
    probe_masks: Any,
    probe_bits: Any,
    start: Any,
    minimum_bits: Any,
    reference_bits: Any,
    floors: Any,
    excluded: Any,
    excluded_from: Any,
    best_scores: Any,
    best_ids: Any,
    scratch: Any,
    subset_codes: Any,
    subset_masks: Any,
    probe_subset_codes: Any,
    probe_subset_masks: Any,
    stages: Any,
    slope: Any,
    limits: Any,
) -> Any:
    """As :func:`scan`, but only references whose subset of the bits is near enough at some rotation are compared.

    Args:
        subset_codes, subset_masks: (n, s / 64) uint64 of :func:`gather_bits`.
        probe_subset_codes, probe_subset_masks: of :func:`turned_subset`.
        stages: (t + 1,) words of the subset after which it is held against a limit, from 0.
        slope, limits: of :class:`samebody.search.engines.subset.Limits`; ``limits[t, (u + 127) // 128]`` is for pairs
            of which the poorer has u usable bits.
    """
    columns, words = codes.shape[1], subset_codes.shape[1]
    every = columns * 64
    code_base, mask_base = codes.ctypes.data, masks.ctypes.data
    subset_code, subset_mask = subset_codes.ctypes.data, subset_masks.ctypes.data
    probe_code, probe_mask = probe_codes.ctypes.data, probe_masks.ctypes.data
    probe_subset_code, probe_subset_mask = probe_subset_codes.ctypes.data, probe_subset_masks.ctypes.data
    stride = probe_codes.shape[2] * 8
    span, subset_span = stride * COPIES, words * LANES * 8
    k = best_scores.shape[1]
    begins, nothing = start[0].ctypes.data, start[1].ctypes.data
    counts, shared = scratch.ctypes.data, scratch.ctypes.data + LANES * 8
    last = stages.size - 1
    allowed = np.empty((probe_codes.shape[0], columns + 1), dtype=np.int64)
    for p in range(probe_codes.shape[0]):
        allow(allowed[p], floors[p], reference_bits)
    compared = 0
    for top in range(begin, end, _TILE):
        bottom = min(top + _TILE, end)
        for p in range(probe_codes.shape[0]):
            code_here, mask_here = probe_subset_code + p * subset_span, probe_subset_mask + p * subset_span
            for row in range(top, bottom):
                usable = min(np.int64(bits[row]), probe_bits[p])
                if not live[row] or usable < minimum_bits or usable == 0:
                    continue
                bucket = (usable + 127) >> 7
                copy_counts(counts, begins)
                copy_counts(shared, nothing)
                near = True
                for stage in range(last):
                    first = stages[stage]
                    place = (row * words + first) * 8
                    near = (
                        subset_within(
                            code_here + first * LANES * 8,
                            mask_here + first * LANES * 8,
                            subset_code + place,
                            subset_mask + place,
                            stages[stage + 1] - first,
                            slope,
                            limits[stage, bucket],
                            counts,
                        )
                        != 0
                    )
                    if not near:
                        break
                if not near:
                    continue
                compared += 1
                score = best_rotation(
                    probe_code + p * span,
                    probe_mask + p * span,
                    code_base + row * columns * 8,
                    mask_base + row * columns * 8,
                    stride,
                    columns,
                    usable == every,
                    usable,
                    allowed[p],
                    minimum_bits,
                    reference_bits,
                    begins,
                    scratch,
                )
                if score >= floors[p]:
                    record = np.int64(ids[row])
                    if not is_excluded(excluded, excluded_from[p], excluded_from[p + 1], record):
                        offer(best_scores[p], best_ids[p], score, record)
                        if best_scores[p, k - 1] > floors[p]:
                            floors[p] = best_scores[p, k - 1]
                            allow(allowed[p], floors[p], reference_bits)
    return compared
