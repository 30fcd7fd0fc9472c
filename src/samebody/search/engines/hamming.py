"""The exact engine for iris codes: masked Hamming distance over all rotations of every live reference."""

from __future__ import annotations

import threading
from collections.abc import Callable, Hashable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from samebody.iris.compare import DEFAULT, ComparisonParameters
from samebody.search.engines.base import (
    Request,
    check_block,
    check_request,
    contiguous,
    merge_best,
    padded,
    pieces_of,
    share_out,
    thread_count,
)
from samebody.search.errors import LayoutError
from samebody.search.types import Block, Exclude, Hits, Layout, Probes, Source

_PIECE = 4096
"""References handed to a thread at a time."""
_PROBES = 64
"""Probes that go over the references together: their copies, 30 kB each, stay in the second cache."""


def counted(masks: NDArray[np.uint64]) -> NDArray[np.int32]:
    """(n,) usable bits of (n, columns) masks."""
    from samebody.kernels.iris import usable_bits

    bits = np.empty(len(masks), dtype=np.int32)
    usable_bits(contiguous(masks), bits)
    return bits


@dataclass(frozen=True, slots=True, eq=False)
class View:
    """What one search goes over, whatever a refresh does meanwhile.

    Attributes:
        source: the references.
        bits: usable bits of the blocks touched so far, by key.
        subsets: what a cascade keeps of each block, by key.
        typical_bits: mean usable bits of a reference; 0 when not known.
    """

    source: Source
    bits: dict[Hashable, NDArray[np.int32]]
    subsets: dict[Hashable, tuple[NDArray[np.uint64], NDArray[np.uint64]]]
    typical_bits: float = 0.0

    def blocks(self) -> Iterator[Block]:
        """The blocks of the source; on first touch each is checked and its usable bits are counted."""
        seen = set()
        for block in self.source.blocks():
            if block.key not in self.bits:
                check_block(block, self.source.layout)
                assert block.masks is not None
                self.bits[block.key] = counted(block.masks)
            seen.add(block.key)
            yield block
        for key in [key for key in self.bits if key not in seen]:
            self.bits.pop(key, None)


class HammingEngine:
    """Compares every probe with every live reference; nothing is missed, nothing is prepared.

    A reference without ``minimum_bits`` shared usable bits at any rotation is not comparable and never returned.

    Args:
        source: iris references. Blocks are read during each search, so memory-mapped ones may exceed the memory.
        comparison: as in :func:`samebody.iris.compare.compare_irises`; at most 15 rotations, no halves.
        threads: default all cores this process may use.

    Raises:
        LayoutError: vectors, or a comparison that this engine does not compute.
    """

    name = "hamming"

    def __init__(
        self, source: Source, *, comparison: ComparisonParameters = DEFAULT, threads: int | None = None
    ) -> None:
        from samebody.kernels.iris import MAX_ROTATIONS

        if source.layout.modality != "iris":
            raise LayoutError(f"the engine {self.name} searches iris codes, not {source.layout.modality}.")
        if comparison.halves or comparison.rotations > MAX_ROTATIONS:
            raise LayoutError(
                f"the engine {self.name} compares whole codes over at most {MAX_ROTATIONS} rotations.",
                hint="Search without halves and compare the candidates again with samebody.iris.compare.",
            )
        self.comparison = comparison
        self.threads = thread_count(threads)
        self._view = View(source, {}, {})
        self.refresh(source)

    @property
    def layout(self) -> Layout:
        """Of the source."""
        return self._view.source.layout

    def __len__(self) -> int:
        return len(self._view.source)

    def refresh(self, source: Source) -> None:
        """Go over to another view of the same gallery; what is known of its blocks is kept.

        Raises:
            LayoutError: it holds another kind of template.
        """
        if source.layout != self.layout:
            raise LayoutError("an engine cannot go over to a source of another layout.", hint="Build a new engine.")
        self._view = View(source, dict(self._view.bits), {})

    def search(
        self, probes: Probes, k: int, *, minimum_score: float | None = None, exclude: Exclude | None = None
    ) -> Hits:
        """The k best live references of each probe; see :class:`samebody.search.types.Engine`."""
        request = check_request(self.layout, probes, k, minimum_score, exclude)
        return padded(self._search(request, self._view, self._scanner), k)

    @property
    def _reference_bits(self) -> float:
        return float(self.comparison.reference_bits) if self.comparison.normalisation == "sqrt" else 0.0

    def _search(self, request: Request, view: View, scanner: Callable[..., Callable[..., int]]) -> Hits:
        """All probes in groups, each over all blocks in all threads."""
        k = min(request.k, max(1, len(view.source)))
        parts, compared = [], 0
        for begin in range(0, len(request.probes), _PROBES):
            group = slice(begin, min(begin + _PROBES, len(request.probes)))
            best, count = self._search_group(request, view, group, k, scanner)
            parts.append(best)
            compared += count
        empty = np.zeros((0, k))
        scores = np.concatenate([part[0] for part in parts]) if parts else empty.astype(np.float32)
        ids = np.concatenate([part[1] for part in parts]) if parts else empty.astype(np.int64)
        return Hits(ids, scores, self.name, notes={"compared_in_full": float(compared)})

    def _search_group(
        self, request: Request, view: View, group: slice, k: int, scanner: Callable[..., Callable[..., int]]
    ) -> tuple[tuple[NDArray[np.float32], NDArray[np.int64]], int]:
        count = group.stop - group.start
        scan = scanner(request, view, group)
        floors = np.full(count, request.floor, dtype=np.float32)  # shared by the threads, raised under the lock
        lock = threading.Lock()
        lists, totals = [], []

        def worker() -> Callable[[tuple[Block, int, int]], None]:
            from samebody.kernels.topk import aligned

            scores = np.full((count, k), -np.inf, dtype=np.float32)
            ids = np.full((count, k), -1, dtype=np.int64)
            scratch = aligned((2, 32), np.int64)
            lists.append((scores, ids))
            total = [0]
            totals.append(total)
            own = floors.copy()

            def run(piece: tuple[Block, int, int]) -> None:
                with lock:
                    np.maximum(own, floors, out=own)
                total[0] += scan(*piece, own, scores, ids, scratch)
                with lock:
                    np.maximum(own, floors, out=floors)

            return run

        share_out(pieces_of(view.blocks(), _PIECE), [worker() for _ in range(self.threads)])
        return merge_best(lists, k), sum(total[0] for total in totals)

    def _prepared(self, request: Request, group: slice) -> tuple[Any, ...]:
        """What the kernels need of a group of probes."""
        from samebody.kernels import iris

        codes, masks = request.probes.codes, request.probes.masks
        assert codes is not None and masks is not None  # check_request has seen to it
        rotations = self.comparison.rotations
        starts = request.excluded_from[group.start : group.stop + 1]
        return (
            iris.turned(codes[group], rotations),
            iris.turned(masks[group], rotations),
            counted(masks[group]).astype(np.int64),
            iris.lanes_in_use(rotations),
            self.comparison.minimum_bits,
            self._reference_bits,
            request.excluded,
            np.ascontiguousarray(starts),
        )

    def _scanner(self, request: Request, view: View, group: slice) -> Callable[..., int]:
        from samebody.kernels.iris import scan

        *arrays, excluded, excluded_from = self._prepared(request, group)

        def run(block: Block, begin: int, end: int, floors: Any, scores: Any, ids: Any, scratch: Any) -> int:
            assert block.codes is not None and block.masks is not None
            codes, masks = contiguous(block.codes), contiguous(block.masks)
            lists = (floors, excluded, excluded_from, scores, ids, scratch)
            records = (block.record_ids, block.live, view.bits[block.key])
            return int(scan(codes, masks, *records, begin, end, *arrays, *lists))

        return run
