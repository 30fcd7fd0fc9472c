"""All pairs of perceptual hashes within a Hamming radius, exactly: small sets by comparing all, large ones by bands.

Multi-index hashing (Norouzi, Punjani, Fleet, "Fast search in Hamming space with multi-index hashing", CVPR 2012): the
256 bits are dealt out to m bands; two hashes within a radius r differ in at most floor(r / m) bits in one band at least
(one less in most bands when r is no multiple of m, see ``_flips``), so looking up each band's neighbours finds every
pair. Bits of neighbouring frequencies go to different bands, because they are not independent. Equal hashes are one
entry, so a set full of copies costs no more.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import combinations, pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from samebody.capture.perceptual import BITS, WORDS, Hashes
from samebody.kernels.compiling import compiled
from samebody.measure.all_pairs import usable_cores

BRUTE = 20_000
"""Up to so many different hashes are all compared with each other."""

BANDS = 12
WIDTH = -(-BITS // BANDS)
MAX_RADIUS = 3 * BANDS - 1
"""At most two bits a band: 1 + 22 + 231 look-ups a band and hash."""

_FIRST_ROOM = 1 << 16


@dataclass(frozen=True, slots=True, eq=False)
class NearPairs:
    """Pairs within the radius, nearest first; ties by the lower numbers.

    Attributes:
        first, second: (p,) int64 rows; ``first < second`` within one set.
        distances: (p,) int64 bits.
    """

    first: NDArray[np.int64] = field(repr=False)
    second: NDArray[np.int64] = field(repr=False)
    distances: NDArray[np.int64] = field(repr=False)

    def __len__(self) -> int:
        return len(self.first)


def near_pairs(hashes: Hashes, radius: int, *, threads: int | None = None, brute: int = BRUTE) -> NearPairs:
    """All pairs of rows of ``hashes`` (n, 4) uint64 at most ``radius`` bits apart.

    Rows with equal hashes are reported as a star around the first of them, not as all their pairs: k copies make k - 1
    pairs at distance 0. Two groups of copies within the radius are joined by one pair, that of their first rows.

    Args:
        hashes: (n, 4) uint64.
        radius: 0 to :data:`MAX_RADIUS`.
        threads: None takes one a core.
        brute: sets up to this size are compared pair by pair.

    Raises:
        ValueError: another shape or radius.
    """
    _check(hashes, radius)
    if len(hashes) == 0:
        return _ordered([], [], [])
    entries, first_rows, inverse = _unique(hashes)
    copies = np.flatnonzero(first_rows[inverse] != np.arange(len(hashes)))
    parts = _search(entries, entries, radius, True, threads or usable_cores(), brute) if radius else []
    first = [first_rows[inverse[copies]], *(first_rows[part[0]] for part in parts)]
    second = [copies, *(first_rows[part[1]] for part in parts)]
    return _ordered(first, second, [np.zeros(len(copies), np.int64), *(part[2] for part in parts)])


def near_between(
    hashes: Hashes, others: Hashes, radius: int, *, threads: int | None = None, brute: int = BRUTE
) -> NearPairs:
    """All pairs of a row of ``hashes`` and one of ``others`` at most ``radius`` bits apart; arguments as above."""
    _check(hashes, radius)
    _check(others, radius)
    if not len(hashes) or not len(others):
        return _ordered([], [], [])
    parts = _search(hashes, others, radius, False, threads or usable_cores(), brute)
    return _ordered([p[0] for p in parts], [p[1] for p in parts], [p[2] for p in parts], within=False)


def groups_of(pairs: NearPairs, rows: int) -> NDArray[np.int64]:
    """Connected components: (rows,) the lowest row of each row's group (itself when it stands alone)."""
    return connected(pairs.first, pairs.second, rows)


def connected(first: NDArray[np.int64], second: NDArray[np.int64], rows: int) -> NDArray[np.int64]:
    """Union-find over pairs of row numbers: (rows,) the lowest row of each row's component."""
    root = list(range(rows))

    def find(row: int) -> int:
        while root[row] != row:
            root[row] = root[root[row]]
            row = root[row]
        return row

    for one, two in zip(first.tolist(), second.tolist()):
        a, b = find(one), find(two)
        if a != b:
            root[max(a, b)] = min(a, b)
    return np.array([find(row) for row in range(rows)], np.int64)


# ------------------------------------------------------------------------------------------------------------- search

_Part = tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]


def _search(left: Hashes, right: Hashes, radius: int, within: bool, threads: int, brute: int) -> list[_Part]:
    left, right = np.ascontiguousarray(left), np.ascontiguousarray(right)
    if max(len(left), len(right)) <= brute:
        return _spread(
            lambda begin, end, room: _all_pairs(left, right, begin, end, radius, within, *room), len(left), threads
        )
    left_keys = _band_keys(left, threads)
    right_keys = left_keys if within else _band_keys(right, threads)
    parts: list[_Part] = []
    for band in range(BANDS):
        order = np.argsort(right_keys[band], kind="stable").astype(np.int32)
        bounds = np.zeros((1 << WIDTH) + 1, np.int32)
        np.cumsum(np.bincount(right_keys[band], minlength=1 << WIDTH), out=bounds[1:])
        walk = order if within else np.argsort(left_keys[band], kind="stable").astype(np.int32)
        near_right = right[order]
        near_left = near_right if within else left[walk]
        patterns = _patterns(_width(band), _flips(band, radius))
        limits = np.array([_flips(other, radius) for other in range(band)], np.int64)
        walk_keys = left_keys[band][walk]
        arguments = (walk_keys, near_left, near_right, left_keys, right_keys, walk, order, bounds, patterns, limits)

        def work(begin: int, end: int, room: tuple[Any, ...], band: int = band, held: Any = arguments) -> int:
            return int(_band_pairs(*held, band, begin, end, radius, within, *room))

        parts += _spread(work, len(walk), threads)
    return parts


def _spread(work: Any, rows: int, threads: int) -> list[_Part]:
    """``work`` over ranges of rows in threads; a range whose results do not fit is done again with more room."""

    def one(bounds: tuple[int, int]) -> _Part:
        size = _FIRST_ROOM
        while True:
            room = tuple(np.empty(size, np.int64) for _ in range(3))
            found = int(work(bounds[0], bounds[1], room))
            if found <= size:
                return room[0][:found].copy(), room[1][:found].copy(), room[2][:found].copy()
            size = found

    cuts = np.linspace(0, rows, 4 * threads + 1).astype(int).tolist()
    with ThreadPoolExecutor(threads) as pool:
        return list(pool.map(one, list(pairwise(cuts))))


def _ordered(first: Any, second: Any, distances: Any, within: bool = True) -> NearPairs:
    one, two, bits = (np.concatenate(part).astype(np.int64) if part else np.zeros(0, np.int64) for part in (
        list(first), list(second), list(distances)
    ))  # fmt: skip
    if within:
        one, two = np.minimum(one, two), np.maximum(one, two)
    order = np.lexsort((two, one, bits))
    return NearPairs(one[order], two[order], bits[order])


def _check(hashes: Hashes, radius: int) -> None:
    if hashes.ndim != 2 or hashes.shape[1] != WORDS or hashes.dtype != np.uint64:
        raise ValueError(f"expected hashes of shape (n, {WORDS}) and dtype uint64, got {hashes.shape} {hashes.dtype}")
    if not 0 <= radius <= MAX_RADIUS:
        raise ValueError(f"expected a radius of 0 to {MAX_RADIUS}, got {radius}")


def _unique(hashes: Hashes) -> tuple[Hashes, NDArray[np.int64], NDArray[np.int64]]:
    """Different hashes, the first row of each, and for each row the number of its hash."""
    order = np.lexsort(tuple(hashes[:, word] for word in range(WORDS)))
    ordered = hashes[order]
    starts = np.ones(len(hashes), bool)
    starts[1:] = (ordered[1:] != ordered[:-1]).any(axis=1)
    number = np.cumsum(starts) - 1
    inverse = np.empty(len(hashes), np.int64)
    inverse[order] = number
    # lexsort is stable, so the first of equal rows is the lowest
    return ordered[starts], order[starts].astype(np.int64), inverse


def _width(band: int) -> int:
    return len(range(band, BITS, BANDS))


def _flips(band: int, radius: int) -> int:
    """Bits that a band may differ in. With r = m q + a, two hashes within r differ in at most q bits in one of the
    first a + 1 bands or in at most q - 1 in one of the others: were it not so, they would differ in
    (a + 1) (q + 1) + (m - a - 1) q = r + 1 bits at least. A band with -1 is not looked at."""
    whole, rest = divmod(radius, BANDS)
    return whole if band <= rest else whole - 1


def _patterns(width: int, flips: int) -> NDArray[np.int64]:
    """Bit patterns with at most ``flips`` bits set, fewest first."""
    bits = [1 << place for place in range(width)]
    found = [sum(chosen) for count in range(flips + 1) for chosen in combinations(bits, count)]
    return np.array(found, np.int64)


def _band_keys(hashes: Hashes, threads: int) -> NDArray[np.int32]:
    keys: NDArray[np.int32] = np.zeros((BANDS, len(hashes)), np.int32)
    cuts = np.linspace(0, len(hashes), 2 * threads + 1).astype(int).tolist()
    with ThreadPoolExecutor(threads) as pool:
        list(pool.map(lambda part: _deal(hashes[part[0] : part[1]], keys[:, part[0] : part[1]]), pairwise(cuts)))
    return keys


@compiled
def _deal(hashes: Any, keys: Any) -> None:
    """Bit b of a hash becomes bit b // BANDS of the key of band b % BANDS."""
    for row in range(hashes.shape[0]):
        for bit in range(BITS):
            value = (hashes[row, bit // 64] >> np.uint64(bit % 64)) & np.uint64(1)
            if value:
                keys[bit % BANDS, row] |= 1 << (bit // BANDS)


@compiled
def _count(word: Any) -> Any:
    word = word - ((word >> np.uint64(1)) & np.uint64(0x5555555555555555))
    word = (word & np.uint64(0x3333333333333333)) + ((word >> np.uint64(2)) & np.uint64(0x3333333333333333))
    word = (word + (word >> np.uint64(4))) & np.uint64(0x0F0F0F0F0F0F0F0F)
    return (word * np.uint64(0x0101010101010101)) >> np.uint64(56)


@compiled
def _apart(one: Any, two: Any) -> Any:
    total = np.uint64(0)
    for word in range(WORDS):
        total += _count(one[word] ^ two[word])
    return np.int64(total)


@compiled
def _all_pairs(
    left: Any, right: Any, begin: Any, end: Any, radius: Any, within: Any, first: Any, second: Any, bits: Any
) -> Any:
    found = 0
    for i in range(begin, end):
        for j in range(i + 1 if within else 0, right.shape[0]):
            apart = _apart(left[i], right[j])
            if apart <= radius:
                if found < first.size:
                    first[found], second[found], bits[found] = i, j, apart
                found += 1
    return found


@compiled
def _band_pairs(
    walk_keys: Any,
    near_left: Any,
    near_right: Any,
    left_keys: Any,
    right_keys: Any,
    walk: Any,
    order: Any,
    bounds: Any,
    patterns: Any,
    limits: Any,
    band: Any,
    begin: Any,
    end: Any,
    radius: Any,
    within: Any,
    first: Any,
    second: Any,
    bits: Any,
) -> Any:
    """Pairs that are near in ``band`` and in no band before it. The patterns are the outer loop: keys ascend along the
    walk, so that for each pattern keys, bounds and hashes are read almost in the order in which they lie."""
    found = 0
    for pattern in patterns:
        for place in range(begin, end):
            bucket = np.int64(walk_keys[place]) ^ pattern
            for slot in range(bounds[bucket], bounds[bucket + 1]):
                i, j = walk[place], order[slot]
                if within and j <= i:
                    continue
                apart = _apart(near_left[place], near_right[slot])
                if apart > radius:
                    continue
                earlier = False  # an earlier band has reported the pair
                for other in range(band):
                    differing = np.uint64(left_keys[other, i] ^ right_keys[other, j])
                    if np.int64(_count(differing)) <= limits[other]:
                        earlier = True
                        break
                if earlier:
                    continue
                if found < first.size:
                    first[found], second[found], bits[found] = i, j, apart
                found += 1
    return found
