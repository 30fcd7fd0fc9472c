"""Adapter for faiss: any index of its factory, by default a navigable small-world graph over eight-bit vectors."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from samebody.search.engines.approximate import ApproximateEngine
from samebody.search.errors import LayoutError
from samebody.search.types import Source


class FaissEngine(ApproximateEngine):
    """An index of faiss over the inner product.

    Args:
        source, threads: as :class:`ApproximateEngine`; faiss has one number of threads for the whole process.
        factory: what :func:`faiss.index_factory` makes, e.g. ``HNSW32_SQ8``, ``Flat``, ``IVF1024,SQ8``.
        expansion_search: candidates looked at while searching a graph (``efSearch``).

    Raises:
        LayoutError: faiss does not know the factory string; besides those of :class:`ApproximateEngine`.
    """

    name = "faiss"
    package = "faiss"

    def __init__(
        self,
        source: Source,
        *,
        threads: int | None = None,
        factory: str = "HNSW32_SQ8",
        expansion_search: int = 128,
    ) -> None:
        self._factory = factory
        self._expansion = expansion_search
        super().__init__(source, threads=threads)

    def _new_index(self, sample: NDArray[np.float32]) -> Any:
        import faiss

        faiss.omp_set_num_threads(self.threads)
        try:
            index = faiss.index_factory(self.layout.size, self._factory, faiss.METRIC_INNER_PRODUCT)
        except RuntimeError as error:
            raise LayoutError(f"faiss refuses the index {self._factory!r}: {str(error).splitlines()[-1]}.") from None
        if not index.is_trained:
            index.train(sample)
        if hasattr(index, "hnsw"):
            index.hnsw.efSearch = self._expansion
        self._places = np.zeros(0, dtype=np.int64)
        return index

    def _add(self, index: Any, places: NDArray[np.int64], vectors: NDArray[np.float32]) -> None:
        index.add(vectors)
        self._places = np.concatenate([self._places, places])

    def _nearest(self, index: Any, probes: NDArray[np.float32], count: int) -> NDArray[np.int64]:
        rows = index.search(probes, count)[1]
        return np.where(rows >= 0, self._places[rows], -1)
