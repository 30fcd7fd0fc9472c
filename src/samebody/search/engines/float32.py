"""The exact engine for vectors without quantising: float32 products tile by tile, for any processor."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from samebody.search.engines.base import Request
from samebody.search.engines.candidates import CandidateEngine, Held, Lists
from samebody.search.errors import InvalidBlockError
from samebody.search.types import UNIT, Block

_TILE = 1024
"""Rows of a product: the tile of scores stays in the cache."""


class Float32Engine(CandidateEngine):
    """Holds nothing beside the source; each search reads all vectors.

    A float32 product of d terms is off by at most (d + 2) 2^-24 times the sum of the terms' sizes in any order of
    summation (Higham, Accuracy and Stability of Numerical Algorithms, 2nd ed., section 3.1), and that sum is at most
    |q| |x|. Twice that is the bound with which candidates are kept; their scores are then computed in float64.
    """

    name = "float32"

    def _prepare(self, block: Block) -> None:
        assert block.vectors is not None
        for begin in range(0, len(block), 1 << 16):
            part = block.vectors[begin : begin + (1 << 16)]
            lengths = np.sqrt(np.einsum("ij,ij->i", part, part, dtype=np.float64))
            bad = np.flatnonzero(~(np.abs(lengths - 1.0) < UNIT))
            if len(bad):
                raise InvalidBlockError(
                    f"block {block.key}: row {begin + bad[0]} is not a vector of finite numbers with length 1.",
                    hint="Enrol the record again; run `samebody gallery verify`.",
                )

    def _scanner(self, request: Request, group: slice) -> Callable[[Lists, Held, int, int], None]:
        from samebody.kernels.int8 import sift

        assert request.probes.vectors is not None
        probes = request.probes.vectors[group]
        bounds = np.full(len(probes), 2.0 * (self.layout.size + 2) * 2.0**-24 * 1.01, dtype=np.float32)
        excluded, starts = request.excluded, request.excluded_from[group.start : group.stop + 1].copy()
        turned = np.ascontiguousarray(probes.T)

        def run(lists: Lists, held: Held, begin: int, end: int) -> None:
            block = held.block
            assert block.vectors is not None
            for top in range(begin, end, _TILE):
                scores = block.vectors[top : min(top + _TILE, end)] @ turned
                row = 0
                while row < len(scores):
                    row = sift(
                        scores,
                        bounds,
                        block.record_ids,
                        block.live,
                        top,
                        held.base,
                        row,
                        lists.thresholds,
                        excluded,
                        starts,
                        *lists.arrays(),
                    )
                    if row < len(scores):
                        lists.lengthen()

        return run
