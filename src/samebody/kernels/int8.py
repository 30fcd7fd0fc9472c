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

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from samebody.kernels.compiling import compiled
from samebody.kernels.int8_vectors import PANEL, VNNI, products_1, products_2, products_4, products_6
from samebody.kernels.topk import aligned, is_excluded, offer

SLACK = 2e-6
STEP_BYTES = 8
"""Rows are filled up with zeros to a multiple of this."""

USES_VNNI = VNNI
MOST_PROBES = 6
"""Probes that one pass over a panel takes; larger groups take several passes while the panel is in the cache."""


@dataclass(frozen=True, slots=True, eq=False)
class Quantised:
    """n rows as bytes, in panels of 64; the last one is filled up with rows that never pass.

    Attributes:
        panels: (m, padded dimension / 4, 64, 4) uint8, offset by 128.
        measures: (m, 3, 64) float32: scale, |s xi| and |e| + slack, the last two rounded up.
    """

    panels: NDArray[np.uint8]
    measures: NDArray[np.float32]

    @property
    def nbytes(self) -> int:
        """Memory held."""
        return self.panels.nbytes + self.measures.nbytes


@compiled
def _quantise_row(vector: Any, codes: Any, measures: Any, slack: Any) -> int:
    """Quantise ``vector`` (d,) into ``codes`` (padded,) int8; False when it is not finite or not of unit length."""
    dimension = vector.size
    largest, squared = np.float32(0.0), 0.0
    for i in range(dimension):
        value = vector[i]
        largest = max(largest, abs(value))
        squared += np.float64(value) * np.float64(value)
    if not abs(np.sqrt(squared) - 1.0) < 1e-3:
        return False
    scale = np.float32(largest / np.float32(127.0))
    inverse = np.float32(1.0) / scale
    error, length = 0.0, 0.0
    for i in range(dimension):
        code = int(np.rint(vector[i] * inverse))
        code = min(max(code, -127), 127)
        codes[i] = code
        held = np.float64(scale) * code
        missing = np.float64(vector[i]) - held
        error += missing * missing
        length += held * held
    measures[0] = scale
    measures[1] = np.float32(np.sqrt(length) * (1.0 + 1e-6))
    measures[2] = np.float32((np.sqrt(error) + slack) * (1.0 + 1e-6))
    return True


@compiled
def _quantise_panels(vectors: Any, panels: Any, measures: Any, slack: Any, begin: Any, end: Any) -> int:
    """Fill the panels ``begin:end``; returns the first row that is not of unit length or not finite, or -1."""
    n = vectors.shape[0]
    steps = panels.shape[1]
    codes = np.zeros((64, 4 * steps), dtype=np.int8)
    words = codes.view(np.uint32)
    own = np.zeros(3, dtype=np.float32)
    for panel in range(begin, end):
        first = panel * 64
        rows = min(64, n - first)
        if rows < 64:
            codes[:] = 0
        for r in range(rows):
            if not _quantise_row(vectors[first + r], codes[r], own, slack):
                return first + r
            for m in range(3):
                measures[panel, m, r] = own[m]
        for r in range(rows, 64):
            measures[panel, 2, r] = -np.inf
        for step in range(steps):
            for r in range(64):
                panels[panel, step, r] = words[r, step] ^ np.uint32(0x80808080)
    return -1


class NotUnitError(ValueError):
    """A row is not of unit length; ``row`` says which."""

    def __init__(self, row: int) -> None:
        super().__init__(f"row {row} is not a vector of finite numbers with length 1")
        self.row = row


def quantise(vectors: NDArray[np.float32], threads: int = 1) -> Quantised:
    """Rows (n, d) float32 of unit length as bytes, in ``threads`` threads.

    Raises:
        NotUnitError: a row is not of unit length (to 1e-3) or not finite; the first such row.
    """
    n, dimension = vectors.shape
    count, steps = -(-n // PANEL), -(-dimension // STEP_BYTES) * STEP_BYTES // 4
    panels = aligned((count, steps, PANEL, 4), np.uint8)
    measures = aligned((count, 3, PANEL), np.float32)
    words = panels.view(np.uint32)[..., 0]
    edges = np.linspace(0, count, min(threads, max(1, count)) + 1).astype(np.int64)

    def fill(part: int) -> int:
        return int(_quantise_panels(vectors, words, measures, SLACK, edges[part], edges[part + 1]))

    with ThreadPoolExecutor(len(edges) - 1) as pool:
        bad = [row for row in pool.map(fill, range(len(edges) - 1)) if row >= 0]
    if bad:
        raise NotUnitError(min(bad))
    return Quantised(panels, measures)


@dataclass(frozen=True, slots=True, eq=False)
class QuantisedProbes:
    """Probes laid out for the scan.

    Attributes:
        codes: (q, padded dimension) int8.
        traits: (q, 5) float32: scale, |f|, |q|, threshold, and (as int32) 128 times the sum of the codes.
    """

    codes: NDArray[np.int8]
    traits: NDArray[np.float32]


def quantise_probes(vectors: NDArray[np.float32]) -> QuantisedProbes:
    """Probes (q, d) float32 of unit length; thresholds are -inf.

    Raises:
        NotUnitError: a probe is not of unit length (to 1e-3) or not finite.
    """
    count, dimension = vectors.shape
    codes = aligned((count, -(-dimension // STEP_BYTES) * STEP_BYTES), np.int8)
    traits = np.zeros((count, 5), dtype=np.float32)
    measures = np.zeros(3, dtype=np.float32)
    for p in range(count):
        if not _quantise_row(vectors[p], codes[p], measures, SLACK):
            raise NotUnitError(p)
        traits[p, 0], traits[p, 1] = measures[0], measures[2]
    traits[:, 2] = np.linalg.norm(vectors.astype(np.float64), axis=1) * (1.0 + 1e-6)
    traits[:, 3] = -np.inf
    traits.view(np.int32)[:, 4] = 128 * codes.sum(axis=1, dtype=np.int32)
    return QuantisedProbes(codes, traits)


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
    panels: Any,
    measures: Any,
    ids: Any,
    live: Any,
    begin: Any,
    end: Any,
    base: Any,
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
    """Note the candidates among the panels ``begin:end``; returns the panel that comes next.

    That is below ``end`` when a list of candidates is too full for a panel, and the caller has to lengthen the lists.

    Args:
        panels, measures: of :class:`Quantised`; ids (n,) uint64, live (n,) bool.
        base: added to the row for ``places``.
        probe_codes, traits: of :class:`QuantisedProbes`; thresholds ``traits[:, 3]`` are raised.
        excluded, excluded_from: as in :func:`samebody.kernels.iris.scan`.
        lowers, lower_ids: (q, k) best lower bounds; uppers (q, c) float32, places (q, c) int64, counts (q,) int64.
        sums: (6, 64) int32, 64-byte aligned, and passed: (6,) int64: scratch.
    """
    n, count = ids.size, probe_codes.shape[0]
    steps, stride = np.int64(panels.shape[1]), np.int64(probe_codes.shape[1])
    size = steps * 256
    thresholds = traits[:, 3]
    panel_base, measure_base = panels.ctypes.data, measures.ctypes.data
    probe_base, trait_base = probe_codes.ctypes.data, traits.ctypes.data
    sum_base, passed_base = sums.ctypes.data, passed.ctypes.data
    for panel in range(begin, end):
        if not make_room(64, thresholds, uppers, places, counts):
            return panel
        here, measure = panel_base + panel * size, measure_base + panel * 768
        first = panel * 64
        p = 0
        while p < count:
            probe, trait = probe_base + p * stride, trait_base + p * 20
            left = count - p
            if left >= 6:
                tile = 6
                found = products_6(here, steps, probe, stride, measure, trait, sum_base, passed_base)
            elif left >= 4:
                tile = 4
                found = products_4(here, steps, probe, stride, measure, trait, sum_base, passed_base)
            elif left >= 2:
                tile = 2
                found = products_2(here, steps, probe, stride, measure, trait, sum_base, passed_base)
            else:
                tile = 1
                found = products_1(here, steps, probe, stride, measure, trait, sum_base, passed_base)
            if found != 0:
                for t in range(tile):
                    bits = passed[t]
                    if bits == 0:
                        continue
                    q = p + t
                    for r in range(min(64, n - first)):
                        if (bits >> r) & 1 == 0 or not live[first + r]:
                            continue
                        estimate = np.float32(sums[t, r]) * (measures[panel, 0, r] * traits[q, 0])
                        bound = traits[q, 1] * measures[panel, 1, r] + traits[q, 2] * measures[panel, 2, r]
                        upper = estimate + bound
                        if upper < thresholds[q]:
                            continue
                        record = np.int64(ids[first + r])
                        if is_excluded(excluded, excluded_from[q], excluded_from[q + 1], record):
                            continue
                        place = base + first + r
                        lower = estimate - bound
                        note_candidate(
                            q, lower, upper, place, record, thresholds, lowers, lower_ids, uppers, places, counts
                        )
            p += tile
    return end


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
