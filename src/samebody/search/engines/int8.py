"""The exact engine for vectors: an eight-bit scan, then float32 scores of what could be among the best."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

from samebody.search.engines.base import Request
from samebody.search.engines.candidates import CandidateEngine, Held, Lists
from samebody.search.errors import InvalidBlockError
from samebody.search.types import Block

if TYPE_CHECKING:
    from samebody.kernels.int8 import Quantised


class Int8Engine(CandidateEngine):
    """Holds one byte for each dimension and 12 for each record; gives exactly the float32 result.

    The dimension is filled up to a multiple of 8. Up to 64 probes go over the references together. Which references
    are looked at again follows from a proven bound, see :mod:`samebody.kernels.int8`.
    """

    name = "int8"

    @property
    def nbytes(self) -> int:
        """Memory that the prepared vectors hold, beside the source's own."""
        return sum(each.prepared.nbytes for each in self._held.values())

    def _prepare(self, block: Block) -> Quantised:
        from samebody.kernels.int8 import NotUnitError, quantise

        assert block.vectors is not None
        try:
            return quantise(block.vectors, self.threads)
        except NotUnitError as error:
            raise InvalidBlockError(
                f"block {block.key}: {error}.", hint="Enrol the record again; run `samebody gallery verify`."
            ) from None

    def _scanner(self, request: Request, group: slice) -> Callable[[Lists, Held, int, int], None]:
        from samebody.kernels.int8 import MOST_PROBES, quantise_probes, scan
        from samebody.kernels.int8_vectors import PANEL
        from samebody.kernels.topk import aligned

        assert request.probes.vectors is not None
        probes = quantise_probes(request.probes.vectors[group])
        excluded, starts = request.excluded, request.excluded_from[group.start : group.stop + 1].copy()
        sums, passed = aligned((MOST_PROBES, PANEL), np.int32), np.zeros(MOST_PROBES, dtype=np.int64)

        def run(lists: Lists, held: Held, begin: int, end: int) -> None:
            rows, block = held.prepared, held.block
            probes.traits[:, 3] = lists.thresholds
            panel, last = begin // PANEL, -(-end // PANEL)
            while panel < last:
                panel = scan(
                    rows.panels,
                    rows.measures,
                    block.record_ids,
                    block.live,
                    panel,
                    last,
                    held.base,
                    probes.codes,
                    probes.traits,
                    excluded,
                    starts,
                    *lists.arrays(),
                    sums,
                    passed,
                )
                if panel < last:
                    lists.lengthen()
            lists.thresholds[:] = probes.traits[:, 3]

        return run
