"""Which bits a cascade looks at first, and how they may disagree so that a mate is missed once in a million.

S of the B bits of a code are drawn uniformly without replacement, once for a gallery, from its seed, and looked at in
stages: the first S1, then S2 in all, and so on; the bits of every stage are themselves a uniform draw. A reference that
scores at least the threshold shares, at its best rotation, n usable bits with the probe of which at most D(n) disagree
(:func:`samebody.kernels.iris.most_disagreements`). Of the three kinds of bits - D disagreeing, A = n - D agreeing,
B - n unusable - a stage shows d and a, which are multivariate hypergeometric, whatever the bits are. A reference goes
on to the next stage when at some rotation

    d - slope (d + a) <= limit,

with the smallest limit for which P[(1 - slope) d - slope a > limit] <= miss bound / stages for every n up to the usable
bits of the poorer code. The tail is summed, not approximated:

    sum over a of Hypergeometric(a; B, A, S) P[Hypergeometric(B - A, D, S - a) > (limit + slope a) / (1 - slope)].

It rises with D and falls with A (turn one bit into the other kind, and the sum of what is drawn can only move one way),
so n is treated in steps of 128 with the largest D and the smallest A of the step. By the union of the stages a mate is
missed with at most the miss bound. This needs no mates and no model of irises: the probability is over the draw alone.
Other rotations can only help a reference to be passed on, so nothing has to be added for their number. The draw must
not depend on the data: whoever could choose templates knowing the seed could make them be missed.
"""

from __future__ import annotations

import hashlib
import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from samebody.iris.compare import ComparisonParameters
from samebody.search.errors import LayoutError

MISS_BOUND = 1e-6
"""Default probability of missing a given mate."""

STAGES = (512, 1024, 2048, 4096)
"""Bits of the subset after which a reference may be given up."""

STEP = 128
"""Width of the steps in which usable bits are treated."""

NEVER = -(1 << 60)
"""A limit that nothing reaches: no pair with so few usable bits can score so much."""


def subset_seed(space: str) -> int:
    """The seed of a gallery that was given none: of its embedding space, so that it is the same on every machine."""
    return int.from_bytes(hashlib.sha256(b"samebody subset " + space.encode()).digest()[:8], "little")


def draw_positions(columns: int, stages: tuple[int, ...], seed: int) -> NDArray[np.int64]:
    """(stages[-1],) places of the subset among the 64 ``columns`` bits, ascending within each stage.

    Raises:
        LayoutError: the stages do not rise in multiples of 128 up to the bits of the code.
    """
    total = 64 * columns
    edges = (0, *stages)
    if not stages or any(b <= a or b % 128 for a, b in zip(edges, stages, strict=False)) or stages[-1] > total:
        raise LayoutError(f"the stages {stages} do not rise in multiples of 128 up to {total}.")
    drawn = np.random.Generator(np.random.PCG64(seed)).permutation(total)[: stages[-1]]
    parts = [np.sort(drawn[a:b]) for a, b in zip(edges, stages, strict=False)]
    return np.concatenate(parts).astype(np.int64)


@dataclass(frozen=True, slots=True, eq=False)
class Limits:
    """What the stages are held against, in units of 1 / 1024.

    Attributes:
        slope: of the line in (usable, disagreeing).
        table: (stages, buckets) int64; ``table[t, i]`` for pairs whose poorer code has at most 128 i usable bits.
    """

    slope: int
    table: NDArray[np.int64]


def subset_limits(
    columns: int,
    stages: tuple[int, ...],
    score: float,
    miss: float,
    comparison: ComparisonParameters,
    typical_bits: float,
) -> Limits:
    """The limits for a threshold ``score`` and a probability ``miss`` of missing a mate.

    ``typical_bits``, the shared usable bits of a common pair, sets the slope, and with it the speed; the bound holds
    for any slope. The slope taken is that of D(n) there: along it the limit rises least to either side.

    Raises:
        LayoutError: ``miss`` is not between 0 and 1.
    """
    if not 0.0 < miss < 1.0:
        raise LayoutError(f"a miss bound of {miss} is not between 0 and 1.")
    from samebody.kernels.iris import most_disagreements
    from samebody.kernels.tails import smallest_limit

    total = 64 * columns
    reference_bits = float(comparison.reference_bits) if comparison.normalisation == "sqrt" else 0.0
    typical = min(max(round(typical_bits), comparison.minimum_bits, 1), total)
    near, far = max(1, typical - total // 20), min(total, typical + total // 20)
    rise = most_disagreements(far, score, reference_bits) - most_disagreements(near, score, reference_bits)
    slope = min(max(round(1024 * float(rise) / max(1, far - near)), 64), 512)
    log_factorials = np.array([math.lgamma(n + 1.0) for n in range(total + 1)])
    steps = -(-total // STEP)
    table = np.full((len(stages), steps + 1), NEVER, dtype=np.int64)
    guesses = [0] * len(stages)
    for step in range(1, steps + 1):
        low, high = STEP * (step - 1) + 1, min(STEP * step, total)
        if high < comparison.minimum_bits:
            continue
        disagreeing = min(int(most_disagreements(high, score, reference_bits)), high)
        if disagreeing < 0:
            continue
        agreeing = max(0, max(low, comparison.minimum_bits) - disagreeing)
        for t, bits in enumerate(stages):
            allowed = miss / len(stages)
            guesses[t] = int(
                smallest_limit(total, disagreeing, agreeing, bits, slope, allowed, log_factorials, guesses[t])
            )
            table[t, step] = guesses[t]
    return Limits(slope, np.maximum.accumulate(table, axis=1))
