"""Iris codes in two passes: a drawn subset of the bits for all references, the whole code for those that come near."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np

from samebody.iris.compare import DEFAULT, ComparisonParameters
from samebody.search.engines.base import Request, check_request, contiguous, padded, thread_count
from samebody.search.engines.hamming import HammingEngine, View
from samebody.search.engines.subset import MISS_BOUND, STAGES, Limits, draw_positions, subset_limits, subset_seed
from samebody.search.errors import LayoutError
from samebody.search.types import Block, Exclude, Hits, Probes, Source


class CascadeEngine(HammingEngine):
    """As :class:`HammingEngine`, several times faster, missing a given mate with at most ``miss_bound``.

    A mate is a reference that scores at least the search's ``minimum_score``, which this engine cannot do without: the
    number of bits of the subset that may disagree follows from it and from the bound (see
    :mod:`samebody.search.engines.subset`). The speed follows from the bound, not the other way round: the lower the
    threshold and the more bits are masked, the more references are passed on. What is returned was compared in full.

    Args:
        source: iris references; their subset is taken and kept in memory now, 1,024 bytes a record with 4,096 bits.
        comparison, threads: as of :class:`HammingEngine`.
        stages: bits of the subset after which a reference may be given up, rising, multiples of 128; by
            default 512, 1024, 2048 and 4096, as far as they are at most half of the code.
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
        stages: tuple[int, ...] | None = None,
        miss_bound: float = MISS_BOUND,
        seed: int | None = None,
    ) -> None:
        self.miss_bound = miss_bound
        bits = 64 * source.layout.size
        usual = tuple(stage for stage in STAGES if stage <= bits // 2) or (128,)
        self.stages = usual if stages is None else tuple(stages)
        self.seed = subset_seed(source.layout.space) if seed is None else seed
        if source.layout.modality == "iris":
            self._positions = draw_positions(source.layout.size, self.stages, self.seed)
        if not 0.0 < miss_bound < 1.0:
            raise LayoutError(f"a miss bound of {miss_bound} is not between 0 and 1.")
        self._limits: tuple[tuple[float, float], Limits] | None = None
        super().__init__(source, comparison=comparison, threads=thread_count(threads))

    def refresh(self, source: Source) -> None:
        """Go over to another view of the same gallery; the subset of new blocks is taken."""
        before = self._view
        if source.layout != before.source.layout:
            raise LayoutError("an engine cannot go over to a source of another layout.", hint="Build a new engine.")
        from samebody.kernels.iris import gather_bits

        after = View(source, dict(before.bits), {})
        words = self.stages[-1] // 64
        for block in after.blocks():
            known = before.subsets.get(block.key)
            if known is None:
                assert block.codes is not None and block.masks is not None
                codes, masks = contiguous(block.codes), contiguous(block.masks)
                known = (
                    np.empty((len(block), words), dtype=np.uint64),
                    np.empty((len(block), words), dtype=np.uint64),
                )
                gather_bits(codes, self._positions, known[0])
                gather_bits(masks, self._positions, known[1])
            after.subsets[block.key] = known
        total, records = (sum(map(part, after.bits.values())) for part in (np.sum, len))
        self._view = replace(after, typical_bits=float(total / max(1, records)))

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
        hits = padded(self._search(request, self._view, self._scanner), k)
        share = hits.notes["compared_in_full"] / max(1, len(self) * len(probes))
        notes = {**hits.notes, "passed_on": share, "subset_bits": float(self.stages[-1])}
        return Hits(hits.ids, hits.scores, self.name, exact=True, miss_bound=self.miss_bound, notes=notes)

    def limits(self, minimum_score: float, typical_bits: float) -> Limits:
        """What the stages are held against for a threshold, when references have ``typical_bits`` usable ones."""
        asked, held = (minimum_score, typical_bits), self._limits
        if held is None or held[0] != asked:
            shared = typical_bits**2 / (64 * self.layout.size)  # of two codes whose masks are independent
            found = subset_limits(
                self.layout.size, self.stages, minimum_score, self.miss_bound, self.comparison, shared
            )
            self._limits = held = (asked, found)
        return held[1]

    def _scanner(self, request: Request, view: View, group: slice) -> Callable[..., int]:
        from samebody.kernels.iris import scan_cascade, turned_subset

        *arrays, excluded, excluded_from = self._prepared(request, group)
        codes, masks = request.probes.codes, request.probes.masks
        assert codes is not None and masks is not None
        rotations = self.comparison.rotations
        limits = self.limits(float(request.floor), view.typical_bits)
        first = (
            turned_subset(codes[group], self._positions, rotations),
            turned_subset(masks[group], self._positions, rotations),
            np.array([0, *self.stages], dtype=np.int64) // 64,
            limits.slope,
            limits.table,
        )

        def run(block: Block, begin: int, end: int, floors: Any, scores: Any, ids: Any, scratch: Any) -> int:
            assert block.codes is not None and block.masks is not None
            whole = contiguous(block.codes), contiguous(block.masks)
            lists = (floors, excluded, excluded_from, scores, ids, scratch)
            records = (block.record_ids, block.live, view.bits[block.key])
            subsets = view.subsets[block.key]
            return int(scan_cascade(*whole, *records, begin, end, *arrays, *lists, *subsets, *first))

        return run
