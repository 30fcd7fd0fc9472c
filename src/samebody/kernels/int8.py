"""Eight-bit vectors: quantising with a measured error, and a scan that keeps every vector that could be among the best.

A row x is held as s xi with int8 xi and s = max|x| / 127; e = x - s xi, and |e| and |s xi| are measured and kept
(rounded up). A probe q is held likewise as t qi + f. Then

    <q, x> = <t qi, s xi> + <f, s xi> + <q, e>,

and by Cauchy and Schwarz |<q, x> - s t <qi, xi>| <= |f| |s xi| + |q| |e| =: b. The integer product is exact. So with
the estimate a = s t <qi, xi> every score lies in a - b .. a + b. The k-th largest a - b seen so far is a lower bound on
the k-th best score of all; a row with a + b below it cannot be among the k best. All others are kept, and the caller
computes their scores from the float32 vectors: the k best of those are the k best of all.

Rounding of a and b in float32 (at most six roundings of numbers below 2, under 4e-7) and that of the score itself to
float32 (6e-8) are covered by :data:`SLACK`, which is added to |e|; |q| is at least 0.999.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from samebody.kernels.compiling import compiled
from samebody.kernels.int8_vectors import (
    ROW_MULTIPLE,
    ROWS,
    VNNI,
    products_1,
    products_2,
    products_3,
    products_4,
)
from samebody.kernels.topk import aligned, is_excluded, offer

SLACK = 2e-6
MAX_PROBES = 64
STEP_BYTES = 64
"""Rows are filled up with zeros to a multiple of this."""

USES_VNNI = VNNI
_ROWS_1, _ROWS_2, _ROWS_3, _ROWS_4 = ROWS[1], ROWS[2], ROWS[3], ROWS[4]


@dataclass(frozen=True, slots=True, eq=False)
class Quantised:
    """n rows as bytes. Arrays are filled up to a multiple of :data:`ROW_MULTIPLE` rows that never pass.

    Attributes:
        codes: (m, padded dimension) int8.
        measures: (m, 3) float32: scale, |s xi| and |e| + slack, the last two rounded up.
        shifts: (m,) int32: 128 times the sum of the row's codes.
    """

    codes: NDArray[np.int8]
    measures: NDArray[np.float32]
    shifts: NDArray[np.int32]

    @property
    def nbytes(self) -> int:
        """Memory held."""
        return self.codes.nbytes + self.measures.nbytes + self.shifts.nbytes


@compiled
def _quantise_rows(vectors: Any, codes: Any, measures: Any, shifts: Any, slack: Any) -> int:
    """Quantise each row; returns the first row that is not of unit length or not finite, or -1."""
    dimension = vectors.shape[1]
    for row in range(vectors.shape[0]):
        largest, squared = np.float32(0.0), 0.0
        for i in range(dimension):
            value = vectors[row, i]
            largest = max(largest, abs(value))
            squared += np.float64(value) * np.float64(value)
        if not abs(np.sqrt(squared) - 1.0) < 1e-3:
            return row
        scale = np.float32(largest / np.float32(127.0))
        inverse = np.float32(1.0) / scale
        total = 0
        error, length = 0.0, 0.0
        for i in range(dimension):
            code = int(np.rint(vectors[row, i] * inverse))
            code = min(max(code, -127), 127)
            codes[row, i] = code
            total += code
            held = np.float64(scale) * code
            missing = np.float64(vectors[row, i]) - held
            error += missing * missing
            length += held * held
        measures[row, 0] = scale
        measures[row, 1] = np.float32(np.sqrt(length) * (1.0 + 1e-6))
        measures[row, 2] = np.float32((np.sqrt(error) + slack) * (1.0 + 1e-6))
        shifts[row] = 128 * total
    return -1


class NotUnitError(ValueError):
    """A row is not of unit length; ``row`` says which."""

    def __init__(self, row: int) -> None:
        super().__init__(f"row {row} is not a vector of finite numbers with length 1")
        self.row = row


def quantise(vectors: NDArray[np.float32]) -> Quantised:
    """Rows (n, d) float32 of unit length as bytes.

    Raises:
        NotUnitError: a row is not of unit length (to 1e-3) or not finite.
    """
    n, dimension = vectors.shape
    rows = -(-n // ROW_MULTIPLE) * ROW_MULTIPLE
    width = -(-dimension // STEP_BYTES) * STEP_BYTES
    codes = aligned((rows, width), np.int8)
    measures = np.zeros((rows, 3), dtype=np.float32)
    measures[n:, 2] = -np.inf
    shifts = np.zeros(rows, dtype=np.int32)
    bad = _quantise_rows(vectors, codes, measures, shifts, SLACK)
    if bad >= 0:
        raise NotUnitError(int(bad))
    return Quantised(codes, measures, shifts)


@dataclass(frozen=True, slots=True, eq=False)
class QuantisedProbes:
    """Up to :data:`MAX_PROBES` probes, laid out for the scan.

    Attributes:
        count: probes; groups: of 16.
        codes: (padded dimension / 4, 16 groups, 4) uint8, offset by 128.
        traits: (4, 16 groups) float32: scale, |f|, |q|, threshold (+inf for lanes without a probe).
    """

    count: int
    groups: int
    codes: NDArray[np.uint8]
    traits: NDArray[np.float32]


def quantise_probes(vectors: NDArray[np.float32]) -> QuantisedProbes:
    """Probes (q, d) float32 of unit length, q from 1 to :data:`MAX_PROBES`; thresholds are -inf."""
    count = len(vectors)
    groups = -(-count // 16)
    lanes = 16 * groups
    held = quantise(vectors)
    width = held.codes.shape[1]
    offset = np.full((lanes, width), 128, dtype=np.uint8)
    offset[:count] = (held.codes[:count].astype(np.int16) + 128).astype(np.uint8)
    codes = aligned((width // 4, lanes, 4), np.uint8)
    codes[:] = offset.reshape(lanes, width // 4, 4).transpose(1, 0, 2)
    traits = aligned((4, lanes), np.float32)
    traits[0, :count] = held.measures[:count, 0]
    traits[1, :count] = held.measures[:count, 2]
    traits[2, :count] = np.linalg.norm(vectors.astype(np.float64), axis=1) * (1.0 + 1e-6)
    traits[3, :count] = -np.inf
    traits[3, count:] = np.inf
    return QuantisedProbes(count, groups, codes, traits)


@compiled
def _drop(uppers: Any, places: Any, count: Any, threshold: Any) -> Any:
    """Keep the first ``count`` candidates whose upper bound reaches ``threshold``; returns how many."""
    kept = 0
    for i in range(count):
        if uppers[i] >= threshold:
            uppers[kept] = uppers[i]
            places[kept] = places[i]
            kept += 1
    return kept


@compiled
def note_candidate(
    p: Any,
    lower: Any,
    upper: Any,
    place: Any,
    record: Any,
    thresholds: Any,
    lowers: Any,
    lower_ids: Any,
    uppers: Any,
    places: Any,
    counts: Any,
) -> None:
    """Keep one candidate of probe ``p`` and raise the probe's threshold to its k-th lower bound.

    There must be room for it in ``uppers`` and ``places`` (q, capacity).
    """
    if lower > lowers[p, lowers.shape[1] - 1]:
        offer(lowers[p], lower_ids[p], lower, record)
        thresholds[p] = max(thresholds[p], lowers[p, lowers.shape[1] - 1])
    uppers[p, counts[p]] = upper
    places[p, counts[p]] = place
    counts[p] += 1


@compiled
def make_room(room: Any, thresholds: Any, uppers: Any, places: Any, counts: Any) -> bool:
    """Make ``room`` for more candidates of every probe by dropping those no longer good; say whether it worked."""
    capacity = uppers.shape[1]
    for p in range(counts.size):
        if counts[p] + room > capacity:
            counts[p] = _drop(uppers[p], places[p], counts[p], thresholds[p])
            if counts[p] + room > capacity // 2 + room // 2:
                return False
    return True


@compiled
def scan(
    codes: Any,
    measures: Any,
    shifts: Any,
    ids: Any,
    live: Any,
    begin: Any,
    end: Any,
    base: Any,
    groups: Any,
    count: Any,
    probe_codes: Any,
    traits: Any,
    excluded: Any,
    excluded_from: Any,
    lowers: Any,
    lower_ids: Any,
    uppers: Any,
    places: Any,
    counts: Any,
    sums: Any,
    passed: Any,
) -> Any:
    """Note the candidates among the rows ``begin:end``; returns the row that comes next.

    That is below ``end`` when a list of candidates is full, and the caller has to lengthen the lists.

    Args:
        codes, measures, shifts: of :class:`Quantised`; ids (n,) uint64, live (n,) bool: n may be below the padded rows.
        begin: a multiple of :data:`ROW_MULTIPLE`; base: added to the row for ``places``.
        groups, count, probe_codes, traits: of :class:`QuantisedProbes`; thresholds ``traits[3]`` are raised.
        excluded, excluded_from: as in :func:`samebody.kernels.iris.scan`.
        lowers, lower_ids: (q, k) best lower bounds; uppers (q, c) float32, places (q, c) int64, counts (q,) int64.
        sums: (384,) int32, passed: (12,) int64, both 64-byte aligned scratch.
    """
    stride = codes.shape[1]
    steps = np.int64(stride // 4)
    lanes = 16 * groups
    thresholds = traits[3]
    code_base, measure_base, shift_base = codes.ctypes.data, measures.ctypes.data, shifts.ctypes.data
    probe_base, trait_base = probe_codes.ctypes.data, traits.ctypes.data
    sum_base, passed_base = sums.ctypes.data, passed.ctypes.data
    rows = _ROWS_4
    if groups == 1:
        rows = _ROWS_1
    elif groups == 2:
        rows = _ROWS_2
    elif groups == 3:
        rows = _ROWS_3
    row = begin
    while row < end:
        here = code_base + row * stride
        measure, shift = measure_base + row * 12, shift_base + row * 4
        if groups == 4:
            found = products_4(here, stride, steps, probe_base, measure, shift, trait_base, sum_base, passed_base)
        elif groups == 1:
            found = products_1(here, stride, steps, probe_base, measure, shift, trait_base, sum_base, passed_base)
        elif groups == 2:
            found = products_2(here, stride, steps, probe_base, measure, shift, trait_base, sum_base, passed_base)
        else:
            found = products_3(here, stride, steps, probe_base, measure, shift, trait_base, sum_base, passed_base)
        if found != 0:
            if not make_room(rows, thresholds[:count], uppers, places, counts):
                return row
            for r in range(min(rows, end - row)):
                if passed[r] == 0 or not live[row + r]:
                    continue
                record = np.int64(ids[row + r])
                for p in range(count):
                    if (passed[r] >> p) & 1 == 0:
                        continue
                    estimate = np.float32(sums[r * lanes + p]) * (measures[row + r, 0] * traits[0, p])
                    bound = traits[1, p] * measures[row + r, 1] + traits[2, p] * measures[row + r, 2]
                    upper = estimate + bound
                    if upper < thresholds[p] or is_excluded(excluded, excluded_from[p], excluded_from[p + 1], record):
                        continue
                    note_candidate(
                        p,
                        estimate - bound,
                        upper,
                        base + row + r,
                        record,
                        thresholds,
                        lowers,
                        lower_ids,
                        uppers,
                        places,
                        counts,
                    )
        row += rows
    return min(row, end)


@compiled
def sift(
    scores: Any,
    bounds: Any,
    ids: Any,
    live: Any,
    begin: Any,
    base: Any,
    start: Any,
    thresholds: Any,
    excluded: Any,
    excluded_from: Any,
    lowers: Any,
    lower_ids: Any,
    uppers: Any,
    places: Any,
    counts: Any,
) -> Any:
    """The same for a tile of float32 products ``scores`` (rows, q), off by at most ``bounds`` (q,).

    Row r of the tile is row ``begin + r`` of its block; goes on from tile row ``start`` and returns the tile row that
    comes next, below the number of rows when a list is full.
    """
    for r in range(start, scores.shape[0]):
        row = begin + r
        if not live[row]:
            continue
        if not make_room(1, thresholds, uppers, places, counts):
            return r
        record = np.int64(ids[row])
        for p in range(scores.shape[1]):
            upper = scores[r, p] + bounds[p]
            if upper < thresholds[p] or is_excluded(excluded, excluded_from[p], excluded_from[p + 1], record):
                continue
            lower = scores[r, p] - bounds[p]
            note_candidate(p, lower, upper, base + row, record, thresholds, lowers, lower_ids, uppers, places, counts)
    return scores.shape[0]


@compiled
def exact_scores(vectors: Any, rows: Any, probes: Any, probe_of: Any, out: Any) -> None:
    """Cosines of ``vectors[rows[i]]`` and ``probes[probe_of[i]]`` in float64, in one order of summation, as float32."""
    dimension = vectors.shape[1]
    for i in range(rows.size):
        row, p = rows[i], probe_of[i]
        total = 0.0
        for j in range(dimension):
            total += np.float64(vectors[row, j]) * np.float64(probes[p, j])
        out[i] = np.float32(min(max(total, -1.0), 1.0))
