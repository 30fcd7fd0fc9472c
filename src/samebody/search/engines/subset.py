"""Which bits a cascade looks at first, and how many of them may disagree so that a mate is missed once in a million.

S of the B bits of a code are drawn uniformly without replacement, once for a gallery, from its seed. A reference that
scores at least the threshold has, at its best rotation, at most D disagreeing usable bits, where D follows from the
threshold and the usable bits (:func:`samebody.kernels.iris.most_disagreements`). Of these D, the subset shows a number
that is hypergeometric: S draws from B of which D are marked. A reference is passed on when at some rotation its subset
shows at most t disagreements, t the smallest number with

    P[Hypergeometric(B, D, S) > t] <= miss bound.

The tail grows with D and D with the usable bits, so the bound holds for every pair whose poorer code has at most as
many usable bits as the limit was made for. It needs no mates and no model of irises: the probability is over the draw
alone. Other rotations can only help a reference to be passed on, so nothing has to be added for their number. The draw
must not depend on the data: whoever could choose templates knowing the seed could make them be missed.
"""

from __future__ import annotations

import hashlib
import math

import numpy as np
from numpy.typing import NDArray

from samebody.iris.compare import ComparisonParameters
from samebody.search.errors import LayoutError

MISS_BOUND = 1e-6
"""Default probability of missing a given mate."""

_ROUNDING = 1e-9
"""Relative error allowed to the tail's own computation in float64; measured below 1e-11."""


def subset_seed(space: str) -> int:
    """The seed of a gallery that was given none: of its embedding space, so that it is the same on every machine."""
    return int.from_bytes(hashlib.sha256(b"samebody subset " + space.encode()).digest()[:8], "little")


def draw_positions(columns: int, bits: int, seed: int) -> NDArray[np.int64]:
    """(bits,) ascending places of the subset among the 64 ``columns`` bits, word by word from the lowest bit.

    Raises:
        LayoutError: ``bits`` is no positive multiple of 128, or more than the code has.
    """
    total = 64 * columns
    if bits < 128 or bits % 128 or bits > total:
        raise LayoutError(f"a subset of {bits} bits is no multiple of 128 between 128 and {total}.")
    generator = np.random.Generator(np.random.PCG64(seed))
    return np.sort(generator.choice(total, size=bits, replace=False, shuffle=False)).astype(np.int64)


def tail_limit(total: int, marked: int, drawn: int, miss: float) -> int:
    """The smallest t with P[Hypergeometric(total, marked, drawn) > t] <= miss.

    The tail is summed from its far end, smallest terms first, from logarithms of the gamma function.
    """
    if marked <= 0:
        return 0
    low, high = max(0, drawn + marked - total), min(drawn, marked)
    log_factorial = _log_factorials(total)
    seen = np.arange(high, low - 1, -1)  # from the far end
    logs = (
        log_factorial[marked]
        - log_factorial[seen]
        - log_factorial[marked - seen]
        + log_factorial[total - marked]
        - log_factorial[drawn - seen]
        - log_factorial[total - marked - drawn + seen]
        - (log_factorial[total] - log_factorial[drawn] - log_factorial[total - drawn])
    )
    above = np.cumsum(np.exp(logs)) * (1.0 + _ROUNDING)  # P[X >= seen]
    fits = np.flatnonzero(above > miss)
    return int(seen[fits[0]]) if len(fits) else low


_factorials: NDArray[np.float64] = np.zeros(1)


def _log_factorials(largest: int) -> NDArray[np.float64]:
    global _factorials
    if len(_factorials) <= largest:
        _factorials = np.array([math.lgamma(n + 1.0) for n in range(largest + 1)])
    return _factorials


def subset_limits(
    columns: int, bits: int, score: float, miss: float, comparison: ComparisonParameters
) -> NDArray[np.int64]:
    """(columns + 1,) limits: at i, for pairs whose poorer code has at most 64 i usable bits.

    Raises:
        LayoutError: ``miss`` is not between 0 and 1.
    """
    if not 0.0 < miss < 1.0:
        raise LayoutError(f"a miss bound of {miss} is not between 0 and 1.")
    from samebody.kernels.iris import most_disagreements

    total = 64 * columns
    reference_bits = float(comparison.reference_bits) if comparison.normalisation == "sqrt" else 0.0
    limits = np.zeros(columns + 1, dtype=np.int64)
    limits[0] = -1
    for place in range(1, columns + 1):
        marked = int(most_disagreements(64 * place, score, reference_bits))
        limits[place] = -1 if marked < 0 else tail_limit(total, min(marked, total), bits, miss)
    return np.maximum.accumulate(limits)
