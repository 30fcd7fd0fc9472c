"""Iris codes without pictures: millions of synthetic identities and their captures, drawn bit by bit from a seed.

The bits of real codes depend on their neighbours: two unrelated codes of 2,048 bits differ as 249 coin tosses would
(Daugman, IEEE TCSVT 14(1), 2004). Here each code is a field of bits that are copied from their neighbours and refreshed
at a constant rate along columns and rows, at rates chosen so that two unrelated codes of 12,800 bits differ as about
258 coin tosses would (a test measures it). A capture of an identity is its code with an error field that is drawn
likewise, turned by a few columns, under a mask of its own. Record ``i`` of a population depends on (seed, i) only: any
block can be drawn alone, in any order.

What this is not: no model of a person, a camera or an encoder. Rates measured on it show how software scales.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from samebody.kernels.compiling import compiled

Words = NDArray[np.uint64]

_ROWS = 16
_BLOCK = 16_384


@dataclass(frozen=True, slots=True)
class IrisCodePopulation:
    """Identities 0, 1, 2, ... of one seed.

    Attributes:
        seed: of everything.
        columns: words of a code: 200 for 12,800 bits.
        error: mean share of differing bits between a reference and a mated probe, before masks and rotation.
        error_spread: standard deviation of that share from probe to probe.
        rotation: probes are turned by -rotation..rotation columns, uniformly.
        occlusion: mean share of the ring that the lids cover, each capture its own.
        fragile: share of bits that are masked because they are not stable.

    Raises:
        ValueError: a share outside of its range.
    """

    seed: int
    columns: int = 200
    error: float = 0.12
    error_spread: float = 0.045
    rotation: int = 6
    occlusion: float = 0.15
    fragile: float = 0.25

    def __post_init__(self) -> None:
        if not (1 <= self.columns <= 4096 and 0 <= self.rotation <= self.columns // 2 and self.seed >= 0):
            raise ValueError("columns lie in 1..4096, rotation in 0..columns / 2, and the seed is not negative")
        if not (0 <= self.error <= 0.5 and self.error_spread >= 0 and 0 <= self.occlusion < 0.9):
            raise ValueError("error lies in 0..0.5, error_spread is not negative, occlusion lies in 0..0.9")
        if not 0 <= self.fragile < 1:
            raise ValueError("fragile lies in 0..1")

    def references(self, start: int, count: int) -> tuple[Words, Words]:
        """Codes and masks of the identities ``start`` to ``start + count``: (count, columns) uint64 each."""
        codes, masks = self._empty(count)
        identities = np.arange(start, start + count, dtype=np.uint64)
        _draw(codes, masks, identities, np.uint64(0), np.uint64(self.seed), *self._numbers())
        return codes, masks

    def probes(self, identities: NDArray[np.integer[Any]], capture: int = 1) -> tuple[Words, Words]:
        """Capture number ``capture`` (1, 2, ...) of the identities: (n, columns) uint64 codes and masks.

        A probe of an identity is mated with its reference; its turn is drawn with it.
        """
        if capture < 1:
            raise ValueError("captures count from 1; number 0 is the reference")
        chosen = np.ascontiguousarray(identities, dtype=np.uint64)
        codes, masks = self._empty(len(chosen))
        _draw(codes, masks, chosen, np.uint64(capture), np.uint64(self.seed), *self._numbers())
        return codes, masks

    def blocks(self, count: int, size: int = _BLOCK) -> Iterator[tuple[int, Words, Words]]:
        """The first ``count`` references as (first identity, codes, masks), ``size`` at a time."""
        for start in range(0, count, size):
            yield (start, *self.references(start, min(size, count - start)))

    def _empty(self, count: int) -> tuple[Words, Words]:
        shape = (count, self.columns)
        return np.empty(shape, dtype=np.uint64), np.empty(shape, dtype=np.uint64)

    def _numbers(self) -> tuple[float, float, int, float, float]:
        return (
            float(self.error),
            float(self.error_spread),
            int(self.rotation),
            float(self.occlusion),
            float(self.fragile),
        )


@compiled
def _next(state: Words) -> Any:
    """xorshift64* (Vigna 2016): 64 random bits; ``state`` (1,) moves on."""
    x = state[0]
    x ^= x >> np.uint64(12)
    x ^= x << np.uint64(25)
    x ^= x >> np.uint64(27)
    state[0] = x
    return x * np.uint64(0x2545F4914F6CDD1D)


@compiled
def _mixed(x: Any) -> Any:
    """splitmix64: a well-mixed number out of a counter."""
    x = x + np.uint64(0x9E3779B97F4A7C15)
    x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return x ^ (x >> np.uint64(31))


@compiled
def _seeded(state: Words, seed: Any, identity: Any, stream: Any) -> None:
    state[0] = _mixed(_mixed(_mixed(seed) ^ identity) ^ stream) | np.uint64(1)


@compiled
def _sticky(state: Words) -> Any:
    """64 fair bits of which each is the one a row (4 bits) lower, turned over with probability 1/64."""
    flips = _next(state) & _next(state) & _next(state) & _next(state) & _next(state) & _next(state)
    word = (flips & ~np.uint64(15)) | (_next(state) >> np.uint64(60))
    word ^= word << np.uint64(4)
    word ^= word << np.uint64(8)
    word ^= word << np.uint64(16)
    word ^= word << np.uint64(32)
    return word


@compiled
def _dense(state: Words, share: float) -> Any:
    """64 bits that are 1 with probability ``share`` (in steps of 1/256), each like its neighbour rows."""
    level = np.int64(share * 256.0 + 0.5)
    if level <= 0:
        return np.uint64(0)
    if level >= 256:
        return ~np.uint64(0)
    word = np.uint64(0)
    for bit in range(8):  # the binary digits of the share from the last to the first: or for 1, and for 0
        if (level >> bit) & 1:
            word |= _sticky(state)
        elif word != np.uint64(0):
            word &= _sticky(state)
    return word


@compiled
def _uniform(state: Words) -> float:
    return float(_next(state) >> np.uint64(11)) / 9007199254740992.0


@compiled
def _normal(state: Words) -> float:
    """About normal: the sum of twelve uniform numbers."""
    total = -6.0
    for _ in range(12):
        total += _uniform(state)
    return total


@compiled
def _draw(
    codes: Words,
    masks: Words,
    identities: Words,
    capture: Any,
    seed: Any,
    error: float,
    error_spread: float,
    rotation: int,
    occlusion: float,
    fragile: float,
) -> None:
    columns = codes.shape[1]
    state = np.empty(1, dtype=np.uint64)
    for row in range(codes.shape[0]):
        _seeded(state, seed, identities[row], np.uint64(0))
        word = _sticky(state)
        for column in range(columns):
            refresh = _sticky(state) & _sticky(state) & _sticky(state)  # one bit in eight, in clumps
            word = (word & ~refresh) | (_sticky(state) & refresh)
            codes[row, column] = word
        _seeded(state, seed, identities[row], np.uint64(1) + capture)
        if capture > 0:
            _wrong(codes[row], state, error + error_spread * _normal(state))
            _turned(codes[row], masks[row], int(_uniform(state) * (2 * rotation + 1)) - rotation)
        _masked(masks[row], state, occlusion, fragile)


@compiled
def _wrong(code: Words, state: Words, share: float) -> None:
    share = min(max(share, 0.0), 0.5)
    word = _dense(state, share)
    for column in range(code.shape[0]):
        refresh = _sticky(state) & _sticky(state) & _sticky(state)
        word = (word & ~refresh) | (_dense(state, share) & refresh)
        code[column] ^= word


@compiled
def _turned(code: Words, scratch: Words, turn: int) -> None:
    columns = code.shape[0]
    for column in range(columns):
        scratch[column] = code[column]
    for column in range(columns):
        code[(column + turn) % columns] = scratch[column]


@compiled
def _masked(mask: Words, state: Words, occlusion: float, fragile: float) -> None:
    """Lids cover the outer rows above (3/4 of a turn) more than below (1/4); fragile bits lie in clumps."""
    columns = mask.shape[0]
    upper = max(0.0, occlusion * (1.0 + 0.45 * _normal(state))) * 6.0
    lower = max(0.0, occlusion * (0.4 + 0.3 * _normal(state))) * 6.0
    for column in range(columns):
        angle = column / columns
        above, below = abs(angle - 0.75) / 0.25, abs(angle - 0.25) / 0.25
        covered = max(0.0, upper * (1.0 - above * above)) if above < 1.0 else 0.0
        if below < 1.0:
            covered = max(covered, lower * (1.0 - below * below))
        rows = _ROWS - min(_ROWS, int(covered * 4.0 + 0.5))
        word = ~np.uint64(0) if rows >= _ROWS else (np.uint64(1) << np.uint64(4 * rows)) - np.uint64(1)
        mask[column] = word & ~_dense(state, fragile)
