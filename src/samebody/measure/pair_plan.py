"""What is compared with what, cut into tiles that can be counted one by one, on any thread, process or machine."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import ArrayLike, NDArray

from samebody.measure.errors import EmptyClassError, InvalidRateError, InvalidScoresError, TooManyScoresError

FINEST = 131_072
"""More bins than this would be narrower than the rounding of a float32 product."""

HISTOGRAM_BYTES = 400_000_000
"""The histograms of all pairs of cells may take no more than this."""

ROWS, COLUMNS = 1024, 512
"""Templates in a block: the scores of a block stay in the cache between the product and the counting."""


@dataclass(frozen=True, slots=True)
class Tile:
    """Rows ``top..bottom`` of the sorted templates against some ranges of columns, none of them before ``top``."""

    top: int
    bottom: int
    columns: tuple[tuple[int, int], ...]

    @property
    def size(self) -> int:
        """Scores that are computed, those below the diagonal included."""
        return (self.bottom - self.top) * sum(right - left for left, right in self.columns)


@dataclass(frozen=True, slots=True, eq=False)
class PairPlan:
    """All pairs of templates whose cells are compared, above the diagonal of an order sorted by cell.

    Attributes:
        matrix: (n, d) float32, sorted by cell.
        order: (n,) int32, the caller's number of each sorted template.
        subject, cell: (n,) int32, sorted likewise.
        bounds: (cells + 1,) int32, where each cell begins.
        slots: (cells, cells) int32 symmetric, the histogram of a pair of cells; -1 for pairs that are not compared.
        histograms: how many there are.
        own, own_start: the templates of subject ``s`` are ``own[own_start[s]:own_start[s + 1]]``, ascending.
        pairs: non-mated pairs in all.
        keep: how many of the largest scores are needed exactly.
        bins: of each histogram, from -1 to 1.
        block: (rows, columns) of a block.
        tiles: the work, largest first.
    """

    matrix: NDArray[np.float32] = field(repr=False)
    order: NDArray[np.int32] = field(repr=False)
    subject: NDArray[np.int32] = field(repr=False)
    cell: NDArray[np.int32] = field(repr=False)
    bounds: NDArray[np.int32] = field(repr=False)
    slots: NDArray[np.int32] = field(repr=False)
    histograms: int
    own: NDArray[np.int32] = field(repr=False)
    own_start: NDArray[np.int32] = field(repr=False)
    pairs: int
    keep: int
    bins: int
    block: tuple[int, int]
    tiles: tuple[Tile, ...] = field(repr=False)

    def slots_of(self, tile: Tile) -> NDArray[np.int32]:
        """The histograms that a tile counts into, ascending."""
        rows = np.unique(self.cell[tile.top : tile.bottom])
        columns = np.unique(np.concatenate([self.cell[left:right] for left, right in tile.columns]))
        found = np.unique(self.slots[np.ix_(rows, columns)])
        return found[found >= 0]

    def digest(self) -> str:
        """Names the work: two plans with the same digest count the same pairs in the same blocks."""
        hashed = hashlib.sha256()
        for array in (self.matrix, self.order, self.subject, self.cell, self.slots):
            hashed.update(f"{array.dtype}{array.shape}".encode())
            hashed.update(np.ascontiguousarray(array).data)
        hashed.update(f"{self.keep} {self.bins} {self.block} {self.tiles}".encode())
        return hashed.hexdigest()


def plan_pairs(
    vectors: NDArray[np.float32],
    subject: NDArray[np.int64],
    cell: NDArray[np.int64],
    slots: NDArray[np.int64],
    *,
    pairs: int,
    keep: int,
    bins: int,
    block: tuple[int, int] = (ROWS, COLUMNS),
) -> PairPlan:
    """Cut the triangle into tiles.

    Args:
        vectors: (n, d) float32 rows of unit length.
        subject, cell: (n,) codes from 0 on.
        slots: (cells, cells) symmetric; the histogram of a pair of cells, -1 for pairs that are not compared.
        pairs: non-mated pairs in all.
        keep: how many of the largest scores are needed exactly.
        bins: of each histogram.
        block: (rows, columns) of a block.

    Raises:
        EmptyClassError: nothing is compared.
        InvalidRateError: ``keep`` or ``bins`` below 1, or more bins than float32 scores can tell apart.
        TooManyScoresError: more histograms than memory is meant for.
    """
    if keep < 1 or bins < 1:
        raise InvalidRateError(f"keep and bins must be positive, got {keep} and {bins}.")
    if bins > FINEST:
        raise InvalidRateError(f"{bins} bins are finer than float32 scores; take at most {FINEST}.")
    if pairs < 1:
        raise EmptyClassError("no two templates of different subjects are compatible.")
    histograms = int(slots.max()) + 1
    if histograms * bins * 8 > HISTOGRAM_BYTES:
        most = max(1, HISTOGRAM_BYTES // (8 * histograms))
        raise TooManyScoresError(
            f"{histograms} pairs of groups with {bins} bins each take {histograms * bins * 8 / 1e6:.0f} MB.",
            hint=f"Take at most {most} bins, or fewer groups.",
        )
    order = np.argsort(cell, kind="stable").astype(np.int32)
    kinds, people = cell[order].astype(np.int32), subject[order].astype(np.int32)
    bounds = np.searchsorted(kinds, np.arange(len(slots) + 1)).astype(np.int32)
    own = np.argsort(people, kind="stable").astype(np.int32)
    own_start = np.searchsorted(people[own], np.arange(int(people.max()) + 2)).astype(np.int32)
    tiles = _tiles(bounds, slots >= 0, block[0])
    return PairPlan(
        matrix=np.ascontiguousarray(vectors[order], dtype=np.float32),
        order=order,
        subject=people,
        cell=kinds,
        bounds=bounds,
        slots=np.ascontiguousarray(slots, dtype=np.int32),
        histograms=histograms,
        own=own,
        own_start=own_start,
        pairs=pairs,
        keep=min(keep, pairs),
        bins=bins,
        block=block,
        tiles=tuple(sorted(tiles, key=lambda tile: (-tile.size, tile.top))),
    )


def _tiles(bounds: NDArray[np.int32], meets: NDArray[np.bool_], rows: int) -> list[Tile]:
    """Tiles of at most ``rows`` rows; cut where the cells that are met change, unless that would leave a sliver."""
    cells, total = len(meets), int(bounds[-1])
    tiles, top = [], 0
    while top < total:
        first = int(np.searchsorted(bounds, top, side="right")) - 1
        bottom, cell = top, first
        while bottom < min(top + rows, total):
            if cell > first and bottom - top >= rows // 4 and not np.array_equal(meets[cell], meets[first]):
                break
            bottom = min(int(bounds[cell + 1]), top + rows, total)
            cell += 1
        last = int(np.searchsorted(bounds, bottom - 1, side="right")) - 1
        wanted = np.any(meets[first : last + 1], axis=0).tolist()
        ranges: list[list[int]] = []
        for other in range(first, cells):
            left, right = max(int(bounds[other]), top), int(bounds[other + 1])
            if not wanted[other] or left >= right:
                continue
            if ranges and ranges[-1][1] == left:
                ranges[-1][1] = right
            else:
                ranges.append([left, right])
        if ranges:
            tiles.append(Tile(top, bottom, tuple((left, right) for left, right in ranges)))
        top = bottom
    return tiles


def group_slots(groups: int) -> NDArray[np.int64]:
    """(groups, groups) symmetric: a histogram for each unordered pair of groups, in the order of the upper triangle."""
    slots = np.zeros((groups, groups), dtype=np.int64)
    upper = np.triu_indices(groups)
    slots[upper] = np.arange(len(upper[0]))
    return slots + np.triu(slots, 1).T


def checked_templates(vectors: ArrayLike) -> NDArray[np.float32]:
    """``vectors`` as contiguous float32 rows.

    Raises:
        InvalidScoresError: not a matrix, or rows that are not of unit length.
    """
    matrix = np.ascontiguousarray(vectors, dtype=np.float32)
    if matrix.ndim != 2:
        raise InvalidScoresError(f"templates must be rows of a matrix, got an array of shape {matrix.shape}.")
    bad = np.flatnonzero(~(np.abs(np.sqrt(np.einsum("nd,nd->n", matrix, matrix)) - 1) < 1e-3))
    if len(bad):
        raise InvalidScoresError(
            f"{len(bad)} of {len(matrix)} templates are not of unit length, the first of them number {bad[0]}.",
            hint="Divide each row by its norm; a row of zeros or NaN is a failure to acquire, not a template.",
        )
    return matrix


def checked_codes(codes: ArrayLike, count: int, what: str, *, lowest: int = 0) -> NDArray[np.int64]:
    """``codes`` as (count,) integers from ``lowest`` on.

    Raises:
        InvalidScoresError: not whole numbers, below ``lowest``, or not one for each template.
    """
    numbers = np.asarray(codes)
    if numbers.shape != (count,):
        raise InvalidScoresError(f"{count} templates and {what} of shape {numbers.shape} do not match.")
    if numbers.dtype.kind not in "iu" or (count and int(numbers.min()) < lowest):
        raise InvalidScoresError(f"{what} must be whole numbers from {lowest} on, got {numbers.dtype}.")
    return numbers.astype(np.int64)
