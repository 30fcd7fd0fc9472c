"""Iris codes in two passes: a drawn subset of the bits for all references, the whole code for those that come near."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from samebody.iris.compare import DEFAULT, ComparisonParameters
from samebody.search.engines.base import Request, check_request, contiguous, padded, thread_count
from samebody.search.engines.hamming import HammingEngine
from samebody.search.engines.subset import MISS_BOUND, draw_positions, subset_limits, subset_seed
from samebody.search.errors import LayoutError
from samebody.search.types import Block, Exclude, Hits, Probes, Source

SUBSET_BITS = 1024


class CascadeEngine(HammingEngine):
    """As :class:`HammingEngine`, several times faster, missing a given mate with at most ``miss_bound``.

    A mate is a reference that scores at least the search's ``minimum_score``, which this engine cannot do without: the
    number of bits of the subset that may disagree follows from it and from the bound (see
    :mod:`samebody.search.engines.subset`). What is returned has been compared in full.

    Args:
        source: iris references; their subset is taken and kept in memory now, ``subset_bits`` / 4 bytes a record.
        comparison, threads: as of :class:`HammingEngine`.
        subset_bits: size of the subset, a multiple of 128.
        miss_bound: stated in the hits, default 1e-6.
        seed: of the draw; by default from the embedding space. It must not depend on the templates.

    Raises:
        LayoutError: as :class:`HammingEngine`; a subset or bound that cannot be.
    """

    name = "hamming-cascade"

    def __init__(
        self,
        source: Source,
        *,
        comparison: ComparisonParameters = DEFAULT,
        threads: int | None = None,
        subset_bits: int = SUBSET_BITS,
        miss_bound: float = MISS_BOUND,
        seed: int | None = None,
    ) -> None:
        self.miss_bound = miss_bound
        self.subset_bits = subset_bits
        self.seed = subset_seed(source.layout.space) if seed is None else seed
        self._subsets: dict[Hashable, tuple[NDArray[np.uint64], NDArray[np.uint64]]] = {}
        if source.layout.modality == "iris":
            self._positions = draw_positions(source.layout.size, subset_bits, self.seed)
        if not 0.0 < miss_bound < 1.0:
            raise LayoutError(f"a miss bound of {miss_bound} is not between 0 and 1.")
        self._limits: tuple[float, NDArray[np.int64]] | None = None
        super().__init__(source, comparison=comparison, threads=thread_count(threads))

    def refresh(self, source: Source) -> None:
        """Go over to another view of the same gallery; the subset of new blocks is taken."""
        super().refresh(source)
        from samebody.kernels.iris import gather_bits

        kept: dict[Hashable, tuple[NDArray[np.uint64], NDArray[np.uint64]]] = {}
        words = self.subset_bits // 64
        for block in self._blocks():
            known = self._subsets.get(block.key)
            if known is None:
                assert block.codes is not None and block.masks is not None
                codes, masks = contiguous(block.codes), contiguous(block.masks)
                known = (
                    np.empty((len(block), words), dtype=np.uint64),
                    np.empty((len(block), words), dtype=np.uint64),
                )
                gather_bits(codes, self._positions, known[0])
                gather_bits(masks, self._positions, known[1])
            kept[block.key] = known
        self._subsets = kept

    def search(
        self, probes: Probes, k: int, *, minimum_score: float | None = None, exclude: Exclude | None = None
    ) -> Hits:
        """The k best live references that score at least ``minimum_score``, each found but for ``miss_bound``.

        Raises:
            LayoutError: no ``minimum_score``, besides those of :class:`samebody.search.types.Engine`.
        """
        if minimum_score is None:
            raise LayoutError(
                f"the engine {self.name} needs a minimum score: it defines the mates that must not be missed.",
                hint="Give the threshold of the identification, or take the engine hamming.",
            )
        request = check_request(self.layout, probes, k, minimum_score, exclude)
        hits = padded(self._search(request, self._scanner), k)
        share = hits.notes["compared_in_full"] / max(1, len(self) * len(probes))
        notes = {**hits.notes, "passed_on": share, "subset_bits": float(self.subset_bits)}
        return Hits(hits.ids, hits.scores, self.name, exact=True, miss_bound=self.miss_bound, notes=notes)

    def limits(self, minimum_score: float) -> NDArray[np.int64]:
        """Disagreements allowed in the subset, by usable bits; see :func:`subset_limits`."""
        if self._limits is None or self._limits[0] != minimum_score:
            table = subset_limits(self.layout.size, self.subset_bits, minimum_score, self.miss_bound, self.comparison)
            self._limits = (minimum_score, table)
        return self._limits[1]

    def _scanner(self, request: Request, group: slice) -> Callable[..., int]:
        from samebody.kernels.iris import scan_cascade, turned_subset

        *arrays, excluded, excluded_from = self._prepared(request, group)
        codes, masks = request.probes.codes, request.probes.masks
        assert codes is not None and masks is not None
        rotations = self.comparison.rotations
        first = (
            turned_subset(codes[group], self._positions, rotations),
            turned_subset(masks[group], self._positions, rotations),
            self.limits(float(request.floor)),
        )

        def run(block: Block, begin: int, end: int, floors: Any, scores: Any, ids: Any, scratch: Any) -> int:
            assert block.codes is not None and block.masks is not None
            whole = contiguous(block.codes), contiguous(block.masks)
            lists = (floors, excluded, excluded_from, scores, ids, scratch)
            records = (block.record_ids, block.live, self._bits[block.key])
            subsets = self._subsets[block.key]
            return int(scan_cascade(*whole, *records, begin, end, *arrays, *lists, *subsets, *first))

        return run
