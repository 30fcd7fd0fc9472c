"""Perceptual hashes (:mod:`samebody.capture.perceptual`) of mirrored and turned pictures, from the hash alone."""

from __future__ import annotations

from functools import cache

import numpy as np
from numpy.typing import NDArray

from samebody.capture.perceptual import LOW, Hashes, pack, unpack


@cache
def _signs() -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    odd = (np.arange(LOW) % 2 == 1)[None, :].repeat(LOW, axis=0)
    return odd, odd.T.copy()


def turned(hashes: Hashes) -> dict[str, Hashes]:
    """Hashes that the same pictures would have mirrored or turned: name of the turn to (n, 4) uint64.

    The cosine transform of a mirrored row has the signs of its odd coefficients flipped; that of a transposed picture
    is transposed.
    """
    across, down = _signs()
    bits = unpack(hashes)
    plain = {"": bits, "transposed": bits.transpose(0, 2, 1)}
    found: dict[str, NDArray[np.bool_]] = {}
    for name, values in plain.items():
        prefix = f"{name} " if name else ""
        found[prefix.strip()] = values
        found[f"{prefix}mirrored"] = values ^ across
        found[f"{prefix}flipped"] = values ^ down
        found[f"{prefix}half turn"] = values ^ across ^ down
    found.pop("")
    for values in found.values():
        values[:, 0, 0] = False
    return {
        {"transposed mirrored": "quarter turn right", "transposed flipped": "quarter turn left"}.get(name, name): pack(
            values
        )
        for name, values in found.items()
    }
