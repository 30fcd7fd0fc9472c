"""The inner loops of the measuring stick, written once: compiled when numba is installed, and readable in any case.

Each function here is plain Python over arrays. :func:`compiled` hands back the machine code of one of them (numba,
``nogil``, cached on disk); where numba is missing the callers take another way through numpy that gives the same
numbers. Tests run the plain functions, the compiled ones and the numpy way side by side.
"""

from __future__ import annotations

import importlib.util
import threading
from collections.abc import Callable
from typing import Any, Literal

import numpy as np

from samebody.measure.errors import KernelMissingError

Kernel = Literal["auto", "numba", "numpy"]
"""``auto`` takes numba where it is installed."""

_machine_code: dict[str, Callable[..., Any]] = {}
_lock = threading.Lock()


def has_numba() -> bool:
    """Whether numba can be imported."""
    return importlib.util.find_spec("numba") is not None


def chosen_kernel(kernel: Kernel = "auto") -> Literal["numba", "numpy"]:
    """The kernel that will run.

    Raises:
        KernelMissingError: numba was asked for and is not installed, or there is no kernel of that name.
    """
    if kernel not in ("auto", "numba", "numpy"):
        raise KernelMissingError(f"there is no kernel {kernel!r}.", hint="Take auto, numba or numpy.")
    if kernel == "numpy":
        return "numpy"
    if has_numba():
        return "numba"
    if kernel == "numba":
        raise KernelMissingError("numba is not installed.", hint="pip install 'samebody[lab]', or take kernel='numpy'.")
    return "numpy"


def compiled(function: Callable[..., Any]) -> Callable[..., Any]:
    """The machine code of a function of this module; compiled on first use and kept on disk by numba.

    Raises:
        KernelMissingError: numba is not installed.
    """
    chosen_kernel("numba")
    with _lock:
        if function.__name__ not in _machine_code:
            import numba

            try:
                code = numba.njit(nogil=True, cache=True)(function)
            except RuntimeError:  # no folder to keep it in can be written to
                code = numba.njit(nogil=True)(function)
            _machine_code[function.__name__] = code
        return _machine_code[function.__name__]


def count_rows(
    scores: Any,
    begin: int,
    top: int,
    left: int,
    subject: Any,
    cell: Any,
    bounds: Any,
    slots: Any,
    local: Any,
    own: Any,
    own_start: Any,
    scale: Any,
    shift: Any,
    base: Any,
    highest: Any,
    floor_bin: int,
    counts: Any,
    places: Any,
    tail_score: Any,
    tail_row: Any,
    tail_column: Any,
    filled: int,
) -> tuple[int, int]:
    """Count a block of scores above the diagonal into histograms, and list those in the highest bins.

    Row ``r`` and column ``c`` of the block are templates ``top + r`` and ``left + c`` of an order sorted by cell. Bins
    are ``floor(score * scale + shift)`` clipped to ``-base..highest`` plus ``base``. Pairs within one subject are
    counted with the rest, which keeps the loop simple, and taken out again row by row.

    Args:
        scores: (r, c) float32.
        begin: row to start at.
        subject, cell: (n,) int32 of the sorted templates; bounds: (cells + 1,) where each cell begins.
        slots: (cells, cells) int32, the histogram of a pair of cells, -1 for pairs that are not compared.
        local: (histograms,) int32, the line of ``counts`` for each histogram.
        own, own_start: templates of subject ``s`` are ``own[own_start[s]:own_start[s + 1]]``, ascending.
        counts: (lines, bins) integers, added to.
        places: (c,) uint32 scratch.
        tail_score, tail_row, tail_column: (k,) filled from ``filled`` on.

    Returns:
        The row that comes next, and the filled length. The row is below ``r`` when the tail might have overflowed.
    """
    rows, columns = scores.shape
    right = left + columns
    capacity = tail_score.size
    lowest = np.uint32(floor_bin)
    for r in range(begin, rows):
        if filled + columns > capacity:
            return r, filled
        row = top + r
        start = max(row + 1 - left, 0)
        if start >= columns:
            continue
        # Slices and indices from 0 on, so that the machine code never asks whether an index counts backwards.
        line = scores[r, start:]
        bins = places[: line.size]
        for k in range(line.size):
            place = np.floor(line[k] * scale + shift)
            place = min(max(place, -base), highest)
            bins[k] = np.uint32(place + base)
        kind = cell[row]
        who = subject[row]
        c = 0
        while c < line.size:
            other = cell[left + start + c]
            stop = min(bounds[other + 1] - left - start, line.size)
            slot = slots[kind, other]
            if slot >= 0:
                histogram = counts[local[slot]]
                run = bins[c:stop]
                for k in range(run.size):
                    index = run[k]
                    histogram[index] += 1
                    if index >= lowest:
                        column = left + start + c + k
                        if subject[column] != who:
                            tail_score[filled] = line[c + k]
                            tail_row[filled] = row
                            tail_column[filled] = column
                            filled += 1
            c = stop
        # Out again with the pairs of one subject: bisect to the first of its templates in this part of the row.
        low, high = own_start[who], own_start[who + 1]
        last = high
        wanted = left + start
        while low < high:
            middle = (low + high) // 2
            if own[middle] < wanted:
                low = middle + 1
            else:
                high = middle
        while low < last and own[low] < right:
            column = own[low]
            slot = slots[kind, cell[column]]
            if slot >= 0:
                counts[local[slot], places[column - left - start]] -= 1
            low += 1
    return rows, filled


def pair_products(matrix: Any, rows: Any, columns: Any, products: Any) -> None:
    """The inner products of listed rows of a float32 matrix, summed in float64 and rounded once.

    Args:
        matrix: (n, d) float32.
        rows, columns: (k,) int32 row numbers.
        products: (k,) float32, filled.
    """
    dimensions = matrix.shape[1]
    for k in range(rows.size):
        one = matrix[rows[k]]
        two = matrix[columns[k]]
        # Four sums side by side, so that no addition waits for the one before.
        a = b = c = e = 0.0
        for d in range(0, dimensions - 3, 4):
            a += np.float64(one[d]) * np.float64(two[d])
            b += np.float64(one[d + 1]) * np.float64(two[d + 1])
            c += np.float64(one[d + 2]) * np.float64(two[d + 2])
            e += np.float64(one[d + 3]) * np.float64(two[d + 3])
        for d in range(dimensions - dimensions % 4, dimensions):
            a += np.float64(one[d]) * np.float64(two[d])
        products[k] = np.float32((a + b) + (c + e))


def merge_det(mated: Any, non_mated: Any, thresholds: Any, accepted: Any, refused: Any) -> int:
    """Walk two ascending arrays of scores as one: at each distinct score, how many lie at or above and below it.

    Args:
        mated, non_mated: ascending scores.
        thresholds: (mated + non_mated,) receives the distinct scores.
        accepted: same length, receives the non-mated scores at or above the threshold, as a share of all.
        refused: same length, receives the mated scores below the threshold, as a share of all.

    Returns:
        How many distinct scores there are.
    """
    m, n = mated.size, non_mated.size
    i = j = k = 0
    while i < m or j < n:
        if j >= n or (i < m and mated[i] <= non_mated[j]):
            value = mated[i]
        else:
            value = non_mated[j]
        thresholds[k] = value
        accepted[k] = (n - j) / n
        refused[k] = i / m
        k += 1
        while i < m and mated[i] == value:
            i += 1
        while j < n and non_mated[j] == value:
            j += 1
    return k


def weighted_ranks(first: Any, second: Any, weights: Any, allowed: Any, ranks: Any) -> None:
    """For each replicate and limit, how many of the largest scores weigh no more than the limit together.

    Args:
        first, second: (k,) int32 subjects of the pairs, by descending score.
        weights: (replicates, subjects) float64, how often each subject was drawn.
        allowed: (replicates, targets) float64, ascending along targets: the weight of errors that is allowed.
        ranks: (replicates, targets) int64, receives the first position whose pair takes the sum beyond the limit;
            k when none does.
    """
    targets = allowed.shape[1]
    for r in range(weights.shape[0]):
        total = 0.0
        target = 0
        line = weights[r]
        for position in range(first.size):
            total += line[first[position]] * line[second[position]]
            while target < targets and total > allowed[r, target]:
                ranks[r, target] = position
                target += 1
            if target == targets:
                break
        while target < targets:
            ranks[r, target] = first.size
            target += 1


def weighted_prefixes(subject: Any, weights: Any, stops: Any, sums: Any) -> None:
    """For each replicate, the weight of the first so many mated scores.

    Args:
        subject: (m,) int32, whose each score is, by ascending score.
        weights: (replicates, subjects) float64, how often each subject was drawn.
        stops: (replicates, targets) int64, how many scores are summed; descending along targets.
        sums: (replicates, targets) float64, receives the sums.
    """
    targets = stops.shape[1]
    for r in range(weights.shape[0]):
        line = weights[r]
        total = 0.0
        position = 0
        for step in range(targets):
            target = targets - 1 - step
            stop = stops[r, target]
            while position < stop:
                total += line[subject[position]]
                position += 1
            sums[r, target] = total
