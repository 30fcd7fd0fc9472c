"""Lists of the k best, kept in order while a scan goes on: score descending, ties by the lower record id."""

from __future__ import annotations

from typing import Any

import numpy as np

from samebody.kernels.compiling import compiled


@compiled
def offer(scores: Any, ids: Any, score: Any, record: Any) -> bool:
    """Put ``record`` at its place in ``scores`` (k,) and ``ids`` (k,) if it is among the k best; say whether it was.

    ``scores`` is descending and padded with -inf, ``ids`` ascending within ties and padded with -1.
    """
    k = scores.size
    last = k - 1
    if score < scores[last] or (score == scores[last] and ids[last] >= 0 and record >= ids[last]):
        return False
    low, high = 0, last
    while low < high:
        middle = (low + high) // 2
        better = scores[middle] > score or (scores[middle] == score and 0 <= ids[middle] < record)
        if better:
            low = middle + 1
        else:
            high = middle
    for place in range(last, low, -1):
        scores[place] = scores[place - 1]
        ids[place] = ids[place - 1]
    scores[low] = score
    ids[low] = record
    return True


@compiled
def is_excluded(excluded: Any, begin: Any, end: Any, record: Any) -> Any:
    """Whether ``record`` is among ``excluded[begin:end]``, which ascends."""
    low, high = begin, end
    while low < high:
        middle = (low + high) // 2
        if excluded[middle] < record:
            low = middle + 1
        else:
            high = middle
    return low < end and excluded[low] == record


def aligned(shape: tuple[int, ...], dtype: Any) -> Any:
    """Zeros of ``shape`` that begin at a multiple of 64 bytes, as the vector code loads them."""
    size = int(np.prod(shape)) * np.dtype(dtype).itemsize
    buffer = np.zeros(size + 64, dtype=np.uint8)
    start = -buffer.ctypes.data % 64
    return buffer[start : start + size].view(dtype).reshape(shape)
