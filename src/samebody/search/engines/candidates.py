"""Exact search for vectors in two steps: a scan that keeps whatever could be among the best, then float32 scores.

An engine built on this hands in estimates with a bound on their error; the bound makes the result exact (see
:mod:`samebody.kernels.int8`). No matrix of scores is ever held.
"""

from __future__ import annotations

import threading
from abc import ABC, abstractmethod
from collections.abc import Callable, Hashable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from samebody.search.engines.base import Request, check_block, check_request, share_out, thread_count
from samebody.search.errors import LayoutError
from samebody.search.types import Block, Exclude, Hits, Layout, Probes, Source

PIECE = 8192
"""Rows handed to a thread at a time: whole panels of 64."""
_PROBES = 64
_FIRST_CAPACITY = 4096


@dataclass(frozen=True, slots=True, eq=False)
class Held:
    """A block with the number of its first row among all rows, and what the engine prepared of it."""

    block: Block
    base: int
    prepared: Any


@dataclass(slots=True, eq=False)
class Lists:
    """What one thread has kept of a group of q probes: the k best lower bounds, and the candidates.

    Attributes:
        thresholds: (q,) float32 upper bounds below these are of no use.
        lowers, lower_ids: (q, k) best lower bounds.
        uppers, places, counts: (q, capacity) upper bounds and rows, and how many there are.
    """

    thresholds: NDArray[np.float32]
    lowers: NDArray[np.float32]
    lower_ids: NDArray[np.int64]
    uppers: NDArray[np.float32]
    places: NDArray[np.int64]
    counts: NDArray[np.int64] = field(repr=False)

    @classmethod
    def empty(cls, thresholds: NDArray[np.float32], k: int) -> Lists:
        """Lists that have seen nothing."""
        count, capacity = len(thresholds), max(_FIRST_CAPACITY, 4 * k)
        return cls(
            thresholds,
            np.full((count, k), -np.inf, dtype=np.float32),
            np.full((count, k), -1, dtype=np.int64),
            np.empty((count, capacity), dtype=np.float32),
            np.empty((count, capacity), dtype=np.int64),
            np.zeros(count, dtype=np.int64),
        )

    def lengthen(self) -> None:
        """Twice the room for candidates."""
        self.uppers = np.concatenate([self.uppers, np.empty_like(self.uppers)], axis=1)
        self.places = np.concatenate([self.places, np.empty_like(self.places)], axis=1)

    def arrays(self) -> tuple[Any, ...]:
        """In the order the kernels take them."""
        return self.lowers, self.lower_ids, self.uppers, self.places, self.counts


class CandidateEngine(ABC):
    """Base of the exact vector engines.

    Args:
        source: vectors; their float32 blocks are kept (memory-mapped ones stay on disk) for the second step.
        threads: default all cores this process may use.

    Raises:
        LayoutError: the source holds iris codes.
        InvalidBlockError: a vector is not finite or not of unit length.
    """

    name = "candidates"

    def __init__(self, source: Source, *, threads: int | None = None) -> None:
        if source.layout.modality != "vector":
            raise LayoutError(f"the engine {self.name} searches vectors, not {source.layout.modality}.")
        self.threads = thread_count(threads)
        self._layout = source.layout
        self._held: dict[Hashable, Held] = {}
        self._live = 0
        self.refresh(source)

    @property
    def layout(self) -> Layout:
        """Of the source."""
        return self._layout

    def __len__(self) -> int:
        return self._live

    def refresh(self, source: Source) -> None:
        """Go over to another view of the same gallery; only blocks of unknown keys are prepared.

        Raises:
            LayoutError: it holds another kind of template.
        """
        if source.layout != self._layout:
            raise LayoutError("an engine cannot go over to a source of another layout.", hint="Build a new engine.")
        held: dict[Hashable, Held] = {}
        base = live = 0
        for block in source.blocks():
            known = self._held.get(block.key)
            if known is None:
                check_block(block, self._layout)
            held[block.key] = Held(block, base, self._prepare(block) if known is None else known.prepared)
            base += len(block)
            live += int(np.count_nonzero(block.live))
        self._held, self._live = held, live

    def search(
        self, probes: Probes, k: int, *, minimum_score: float | None = None, exclude: Exclude | None = None
    ) -> Hits:
        """The k best live references of each probe; see :class:`samebody.search.types.Engine`."""
        request = check_request(self._layout, probes, k, minimum_score, exclude)
        held = tuple(self._held.values())
        ids = np.full((len(probes), k), -1, dtype=np.int64)
        scores = np.full((len(probes), k), -np.inf, dtype=np.float32)
        candidates = ranked = 0
        for begin in range(0, len(probes), _PROBES):
            group = slice(begin, min(begin + _PROBES, len(probes)))
            best = min(k, max(1, self._live))
            lists = self._scan_group(request, group, best, held)
            noted, computed = self._rank(request, group, best, held, lists, ids[group], scores[group])
            candidates += noted
            ranked += computed
        notes = {"candidates": float(candidates), "ranked_in_float32": float(ranked)}
        return Hits(ids, scores, self.name, notes=notes)

    @abstractmethod
    def _prepare(self, block: Block) -> Any:
        """What the scan needs of a block besides the block itself."""

    @abstractmethod
    def _scanner(self, request: Request, group: slice) -> Callable[[Lists, Held, int, int], None]:
        """A function for one thread that notes the candidates of a range of rows."""

    def _scan_group(self, request: Request, group: slice, k: int, held: tuple[Held, ...]) -> list[Lists]:
        count = group.stop - group.start
        shared = np.full(count, request.floor, dtype=np.float32)
        lock = threading.Lock()
        lists = []

        def worker() -> Callable[[tuple[Held, int, int]], None]:
            own = Lists.empty(shared.copy(), k)
            lists.append(own)
            scan = self._scanner(request, group)

            def run(piece: tuple[Held, int, int]) -> None:
                with lock:
                    np.maximum(own.thresholds, shared, out=own.thresholds)
                scan(own, *piece)
                with lock:
                    np.maximum(own.thresholds, shared, out=shared)

            return run

        pieces = (
            (each, begin, min(begin + PIECE, len(each.block)))
            for each in held
            for begin in range(0, len(each.block), PIECE)
        )
        share_out(pieces, [worker() for _ in range(self.threads)])
        return lists

    def _rank(
        self,
        request: Request,
        group: slice,
        k: int,
        held: tuple[Held, ...],
        lists: list[Lists],
        ids: NDArray[np.int64],
        scores: NDArray[np.float32],
    ) -> tuple[int, int]:
        """Fill ``ids`` and ``scores`` from the candidates; returns how many there were and how many were computed.

        The k candidates of the highest upper bounds come first; of the rest only those are computed whose upper bound
        reaches the k-th best score found so far.
        """
        vectors = request.probes.vectors
        assert vectors is not None
        probes = vectors[group]
        uppers, places = [], []
        for p in range(len(probes)):
            lowers = np.concatenate([each.lowers[p] for each in lists])
            threshold = max(np.sort(lowers)[-k], max(each.thresholds[p] for each in lists))
            upper = np.concatenate([each.uppers[p, : each.counts[p]] for each in lists])
            place = np.concatenate([each.places[p, : each.counts[p]] for each in lists])
            kept = upper >= threshold
            upper, place = upper[kept], place[kept]
            order = np.argsort(-upper, kind="stable")
            uppers.append(upper[order])
            places.append(place[order])
        first = exact_of(held, probes, [place[:k] for place in places])
        rest = []
        for upper, place, found in zip(uppers, places, first, strict=True):
            needed = np.partition(found, -k)[-k] if len(found) >= k else np.float32(-np.inf)
            rest.append(place[k:][upper[k:] >= needed])
        second = exact_of(held, probes, rest)
        for p in range(len(probes)):
            score = np.concatenate([first[p], second[p]])
            record = record_ids_of(held, np.concatenate([places[p][:k], rest[p]]))
            good = score >= request.floor
            score, record = score[good], record[good]
            order = np.lexsort((record, -score))[:k]
            ids[p, : len(order)] = record[order]
            scores[p, : len(order)] = score[order]
        return sum(map(len, places)), sum(map(len, first)) + sum(map(len, second))


def _bases(held: tuple[Held, ...]) -> NDArray[np.int64]:
    return np.array([each.base for each in held], dtype=np.int64)


def exact_of(
    held: tuple[Held, ...], probes: NDArray[np.float32], places: list[NDArray[np.int64]]
) -> list[NDArray[np.float32]]:
    """The scores of the rows ``places[p]`` for each probe p, read block by block in the order of the rows."""
    from samebody.kernels.int8 import exact_scores

    lengths = [len(place) for place in places]
    if not sum(lengths):
        return [np.zeros(0, dtype=np.float32) for _ in places]
    flat = np.concatenate(places)
    probe_of = np.repeat(np.arange(len(places)), lengths)
    order = np.argsort(flat, kind="stable")
    rows, probe_of = flat[order], probe_of[order]
    out = np.empty(len(rows), dtype=np.float32)
    cuts = np.searchsorted(rows, [*(each.base for each in held), np.iinfo(np.int64).max])
    for each, begin, end in zip(held, cuts[:-1], cuts[1:], strict=True):
        if begin < end:
            assert each.block.vectors is not None
            part = slice(begin, end)
            exact_scores(each.block.vectors, rows[part] - each.base, probes, probe_of[part], out[part])
    scores = np.empty_like(out)
    scores[order] = out
    return np.split(scores, np.cumsum(lengths)[:-1])


def record_ids_of(held: tuple[Held, ...], places: NDArray[np.int64]) -> NDArray[np.int64]:
    """The record ids at ``places`` (n,)."""
    if not held:
        return np.zeros(0, dtype=np.int64)
    block_of = np.searchsorted(_bases(held), places, side="right") - 1
    ids = np.empty(len(places), dtype=np.int64)
    for index in np.unique(block_of):
        mine = block_of == index
        ids[mine] = held[index].block.record_ids[places[mine] - held[index].base].astype(np.int64)
    return ids
