"""Scores of all non-mated pairs without storing them: a fine histogram, and the largest scores exactly.

Blocked matrix products over the templates feed the histogram; only scores above a floor that rises as the count
grows are kept, with the two templates they come from. Thresholds at low false match rates are therefore exact.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from samebody.measure.bootstrap import CellPairs
from samebody.measure.errors import EmptyClassError, InvalidRateError, InvalidScoresError
from samebody.measure.histogram import ScoreHistogram, bin_counts

Progress = Callable[[int, int], None]
"""Called with (pairs done, pairs in all) after each block; the numbers count excluded pairs too."""

_EXCLUDED = np.float32(-2.0)  # below any cosine; counted out of the first bin again
_ROUNDING = np.float32(1e-5)  # a float32 product of unit vectors is nearer than this to the exact cosine
_ROWS, _COLUMNS = 1024, 4096
_SPARE = 2_000_000  # scores held beyond three times what is needed before the tail is pruned


@dataclass(frozen=True, slots=True, eq=False)
class PairScores:
    """What is kept of the scores of all pairs.

    Attributes:
        pairs: non-mated pairs scored; pairs within one subject are left out.
        histogram: of all scores, from -1 to 1.
        tail: (k,) float32, descending: every score ``>= floor``, correctly rounded from a float64 product.
        first, second: (k,) template numbers behind ``tail``; ``first < second``.
        floor: scores below it are in the histogram only.
        graph: the pairs as a graph over subjects, for the vertex bootstrap.
    """

    pairs: int
    histogram: ScoreHistogram
    tail: NDArray[np.float32]
    first: NDArray[np.int32]
    second: NDArray[np.int32]
    floor: float
    graph: CellPairs


def score_pairs(
    vectors: NDArray[np.float32],
    subject: ArrayLike,
    *,
    keep: int,
    cell: ArrayLike | None = None,
    compatible: ArrayLike | None = None,
    bins: int = 2000,
    progress: Progress | None = None,
) -> PairScores:
    """Cosine scores of every pair of templates whose cells are compatible and whose subjects differ.

    Args:
        vectors: (n, d) float32 rows of unit length.
        subject: (n,) subject numbers in 0..s-1.
        keep: how many of the largest scores are needed exactly; at least as many are kept where there are so many.
        cell: (n,) cell numbers; None puts all templates into one cell.
        compatible: (cells, cells) symmetric bool; None lets a cell meet only itself.
        bins: of the histogram from -1 to 1.
        progress: told after each block.

    Raises:
        InvalidScoresError: shapes that do not fit, or rows that are not of unit length.
        InvalidRateError: ``keep`` or ``bins`` below 1.
        EmptyClassError: no pair is left.
    """
    matrix = np.ascontiguousarray(vectors, dtype=np.float32)
    if matrix.ndim != 2 or not np.all(np.abs(np.linalg.norm(matrix, axis=1) - 1) < 1e-3):
        raise InvalidScoresError(f"templates must be rows of unit length, got an array of shape {matrix.shape}.")
    if keep < 1 or bins < 1:
        raise InvalidRateError(f"keep and bins must be positive, got {keep} and {bins}.")
    people = np.asarray(subject)
    kinds = np.zeros(len(matrix), dtype=np.int64) if cell is None else np.asarray(cell)
    if not len(matrix) == len(people) == len(kinds):
        raise InvalidScoresError(f"{len(matrix)} templates, {len(people)} subjects, {len(kinds)} cells do not match.")
    cells = int(kinds.max()) + 1 if len(kinds) else 1
    meets = np.eye(cells, dtype=bool) if compatible is None else np.asarray(compatible, dtype=bool)
    graph = CellPairs(people, kinds, meets, int(people.max()) + 1 if len(people) else 1)
    pairs = graph.pairs()
    if pairs < 1:
        raise EmptyClassError("no two templates of different subjects are compatible.")

    order = np.argsort(kinds, kind="stable").astype(np.int32)
    bounds = np.searchsorted(kinds[order], np.arange(len(meets) + 1))
    matrix, people = matrix[order], people[order]
    counts = np.zeros(bins, dtype=np.int64)
    tail = _Tail(min(keep, pairs), bins)
    done, blocks = 0, list(_blocks(bounds, meets))
    every = sum(block.size for block in blocks)
    for block in blocks:
        scores = matrix[block.rows] @ matrix[block.columns].T
        excluded = people[block.rows][:, None] == people[block.columns][None, :]
        if block.diagonal:
            excluded |= np.arange(block.rows.start, block.rows.stop)[:, None] >= np.arange(
                block.columns.start, block.columns.stop
            )
        scores[excluded] = _EXCLUDED
        counts += bin_counts(scores, -1.0, 1.0, bins)
        counts[0] -= np.count_nonzero(excluded)
        tail.add(scores, block.rows.start, block.columns.start, counts)
        done += block.size
        if progress is not None:
            progress(done, every)
    return _finish(tail, matrix, order, ScoreHistogram(-1.0, 1.0, tuple(int(c) for c in counts)), pairs, graph)


@dataclass(frozen=True, slots=True)
class _Block:
    rows: slice
    columns: slice
    diagonal: bool

    @property
    def size(self) -> int:
        return int((self.rows.stop - self.rows.start) * (self.columns.stop - self.columns.start))


def _blocks(bounds: NDArray[np.int64], meets: NDArray[np.bool_]) -> Iterator[_Block]:
    """Blocks of the upper triangle that hold at least one compatible pair."""
    for one in range(len(meets)):
        for two in range(one, len(meets)):
            if not meets[one, two]:
                continue
            for top in range(int(bounds[one]), int(bounds[one + 1]), _ROWS):
                rows = slice(top, min(top + _ROWS, int(bounds[one + 1])))
                left = top if one == two else int(bounds[two])
                for start in range(left, int(bounds[two + 1]), _COLUMNS):
                    columns = slice(start, min(start + _COLUMNS, int(bounds[two + 1])))
                    yield _Block(rows, columns, one == two and start < rows.stop)


class _Tail:
    """The largest scores so far: every score above a floor that only rises."""

    def __init__(self, keep: int, bins: int) -> None:
        self._keep, self._edges = keep, np.linspace(-1.0, 1.0, bins + 1)
        self.floor = -1.0
        self._parts: list[tuple[NDArray[np.float32], NDArray[np.int32], NDArray[np.int32]]] = []
        self._held = 0

    def add(self, scores: NDArray[np.float32], top: int, left: int, counts: NDArray[np.int64]) -> None:
        """Take over what lies above the floor; ``counts`` already holds this block."""
        above = np.cumsum(counts[::-1])[::-1]
        # The highest edge with enough scores above it, and one bin of slack: rounding moves a score by less than that.
        enough = int(np.searchsorted(-above, -self._keep, side="right")) - 1
        self.floor = max(self.floor, float(self._edges[max(enough - 1, 0)]))
        rows, columns = np.nonzero(scores >= np.float32(self.floor) - _ROUNDING)
        self._parts.append((scores[rows, columns], (rows + top).astype(np.int32), (columns + left).astype(np.int32)))
        self._held += len(rows)
        if self._held > 3 * self._keep + _SPARE:
            self._parts = [self.merged()]
            self._held = len(self._parts[0][0])

    def merged(self) -> tuple[NDArray[np.float32], NDArray[np.int32], NDArray[np.int32]]:
        """Scores, rows and columns above today's floor."""
        scores, rows, columns = (np.concatenate(column) for column in zip(*self._parts))

        keep = scores >= np.float32(self.floor) - _ROUNDING
        return scores[keep], rows[keep], columns[keep]


def _finish(
    tail: _Tail,
    matrix: NDArray[np.float32],
    order: NDArray[np.int32],
    histogram: ScoreHistogram,
    pairs: int,
    graph: CellPairs,
) -> PairScores:
    _, rows, columns = tail.merged()
    exact = np.empty(len(rows), dtype=np.float32)
    for start in range(0, len(rows), 65536):
        part = slice(start, start + 65536)
        one, two = matrix[rows[part]].astype(np.float64), matrix[columns[part]].astype(np.float64)
        exact[part] = np.einsum("nd,nd->n", one, two)
    inside = exact >= np.float32(tail.floor) if tail.floor > -1.0 else np.ones(len(exact), dtype=bool)
    exact, one_index, two_index = exact[inside], order[rows[inside]], order[columns[inside]]
    first, second = np.minimum(one_index, two_index), np.maximum(one_index, two_index)
    ranked = np.lexsort((second, first, -exact))
    return PairScores(pairs, histogram, exact[ranked], first[ranked], second[ranked], tail.floor, graph)
