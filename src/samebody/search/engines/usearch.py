"""Adapter for usearch: a navigable small-world graph over eight-bit vectors. Approximate."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from samebody.search.engines.approximate import ApproximateEngine
from samebody.search.types import Source


class UsearchEngine(ApproximateEngine):
    """usearch's HNSW index, by default with int8 vectors.

    Args:
        source, threads: as :class:`ApproximateEngine`.
        connectivity: edges of a node (usearch's M).
        expansion_add, expansion_search: candidates looked at while adding and searching.
        dtype: ``i8``, ``f16`` or ``f32``.
    """

    name = "usearch"
    package = "usearch"

    def __init__(
        self,
        source: Source,
        *,
        threads: int | None = None,
        connectivity: int = 16,
        expansion_add: int = 128,
        expansion_search: int = 128,
        dtype: str = "i8",
    ) -> None:
        self._settings = {
            "connectivity": connectivity,
            "expansion_add": expansion_add,
            "expansion_search": expansion_search,
            "dtype": dtype,
        }
        super().__init__(source, threads=threads)

    def _new_index(self, sample: NDArray[np.float32]) -> Any:
        from usearch.index import Index

        return Index(ndim=self.layout.size, metric="cos", **self._settings)

    def _add(self, index: Any, places: NDArray[np.int64], vectors: NDArray[np.float32]) -> None:
        index.add(places.astype(np.uint64), vectors, threads=self.threads)

    def _nearest(self, index: Any, probes: NDArray[np.float32], count: int) -> NDArray[np.int64]:
        out = np.full((len(probes), count), -1, dtype=np.int64)
        found = index.search(probes, count, threads=self.threads)
        keys, lengths = np.atleast_2d(found.keys), np.atleast_1d(getattr(found, "counts", count))
        for p in range(len(probes)):
            length = int(lengths[p] if len(lengths) == len(probes) else min(count, keys.shape[1]))
            out[p, :length] = keys[p, :length].astype(np.int64)
        return out
