"""What the adapters of approximate engines share: which rows are in the index, exact scores of what it returns.

An approximate engine may miss references; how many is measured against an exact one
(:func:`samebody.search.engines.recall.recall`), so its hits say ``exact=False`` and a miss bound of NaN. What
it does return has the same scores as an exact engine gives, and deleted and excluded records are never among it.
"""

from __future__ import annotations

import importlib.util
from abc import ABC, abstractmethod
from collections.abc import Hashable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from samebody.search.engines.base import check_block, check_request, thread_count
from samebody.search.engines.candidates import Held, exact_of, record_ids_of
from samebody.search.errors import EngineMissingError, InvalidBlockError, LayoutError
from samebody.search.types import UNIT, Exclude, Hits, Layout, Probes, Source

_ADD = 1 << 16


class ApproximateEngine(ABC):
    """Base of the adapters.

    Args:
        source: vectors; all live ones are added to the index now.
        threads: default all cores this process may use.

    Raises:
        EngineMissingError: the package is not installed.
        LayoutError: the source holds iris codes.
        InvalidBlockError: a vector is not finite or not of unit length.
    """

    name = "approximate"
    package = ""
    """What has to be importable."""

    def __init__(self, source: Source, *, threads: int | None = None) -> None:
        if source.layout.modality != "vector":
            raise LayoutError(f"the engine {self.name} searches vectors, not {source.layout.modality}.")
        if importlib.util.find_spec(self.package) is None:
            raise EngineMissingError(
                f"the engine {self.name!r} needs the package {self.package}, which is not installed.",
                hint="pip install 'samebody[approximate]', or take the exact engine int8.",
            )
        self.threads = thread_count(threads)
        self._layout = source.layout
        self._held: tuple[Held, ...] = ()
        self._added: dict[Hashable, NDArray[np.bool_]] = {}
        self._live = 0
        self._index: Any = None
        self.refresh(source)

    @property
    def layout(self) -> Layout:
        """Of the source."""
        return self._layout

    def __len__(self) -> int:
        return self._live

    @abstractmethod
    def _new_index(self, sample: NDArray[np.float32]) -> Any:
        """An empty index; ``sample`` (n, d) may be used to train it."""

    @abstractmethod
    def _add(self, index: Any, places: NDArray[np.int64], vectors: NDArray[np.float32]) -> None:
        """Add rows under the numbers ``places``."""

    @abstractmethod
    def _nearest(self, index: Any, probes: NDArray[np.float32], count: int) -> NDArray[np.int64]:
        """(q, count) places, any order, -1 where there are none."""

    def refresh(self, source: Source) -> None:
        """Go over to another view: new blocks are added; the index is built again when records were deleted.

        Raises:
            LayoutError: it holds another kind of template.
        """
        if source.layout != self._layout:
            raise LayoutError("an engine cannot go over to a source of another layout.", hint="Build a new engine.")
        held: list[Held] = []
        base = 0
        for block in source.blocks():
            if block.key not in self._added:
                check_block(block, self._layout)
                assert block.vectors is not None
                lengths = np.sqrt(np.einsum("ij,ij->i", block.vectors, block.vectors, dtype=np.float64))
                if not (np.abs(lengths - 1.0) < UNIT).all():
                    raise InvalidBlockError(f"block {block.key}: a vector is not finite or not of length 1.")
            held.append(Held(block, base, None))
            base += len(block)
        keys = [each.block.key for each in held]
        same = keys[: len(self._added)] == list(self._added) and all(
            np.array_equal(each.block.live, self._added[each.block.key]) for each in held[: len(self._added)]
        )
        if not same:
            self._index, self._added = None, {}
        for each in held[len(self._added) :]:
            assert each.block.vectors is not None
            rows = np.flatnonzero(each.block.live)
            for begin in range(0, len(rows), _ADD):
                part = rows[begin : begin + _ADD]
                vectors = np.ascontiguousarray(each.block.vectors[part])
                if self._index is None:
                    self._index = self._new_index(vectors)
                self._add(self._index, part + each.base, vectors)
            self._added[each.block.key] = each.block.live.copy()
        self._held = tuple(held)
        self._live = sum(int(np.count_nonzero(each.block.live)) for each in held)

    def search(
        self, probes: Probes, k: int, *, minimum_score: float | None = None, exclude: Exclude | None = None
    ) -> Hits:
        """The k best that the index finds; see :class:`samebody.search.types.Engine`."""
        request = check_request(self._layout, probes, k, minimum_score, exclude)
        ids = np.full((len(probes), k), -1, dtype=np.int64)
        scores = np.full((len(probes), k), -np.inf, dtype=np.float32)
        notes: dict[str, float] = {}
        hits = Hits(ids, scores, self.name, exact=False, miss_bound=float("nan"), notes=notes)
        if self._index is None or not len(probes):
            return hits
        vectors = request.probes.vectors
        assert vectors is not None
        more = int(np.diff(request.excluded_from).max())
        nearest = self._nearest(self._index, vectors, min(k + more, self._live))
        places = [np.unique(row[row >= 0]) for row in nearest]
        found = exact_of(self._held, vectors, places)
        for p, (place, score) in enumerate(zip(places, found, strict=True)):
            record = record_ids_of(self._held, place)
            good = (score >= request.floor) & ~np.isin(record, request.excluded_of(p))
            order = np.lexsort((record[good], -score[good]))[:k]
            ids[p, : len(order)] = record[good][order]
            scores[p, : len(order)] = score[good][order]
        return hits
