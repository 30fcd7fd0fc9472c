"""Engines in plain numpy, slow and easy to read: what the others are held against."""

from __future__ import annotations

from abc import ABC, abstractmethod

import numpy as np
from numpy.typing import NDArray

from samebody.iris.compare import DEFAULT, ComparisonParameters
from samebody.iris.template import popcount
from samebody.search.engines.base import check_block, check_request, merge_best
from samebody.search.errors import InvalidBlockError, LayoutError
from samebody.search.types import UNIT, Block, Exclude, Hits, Kind, Layout, Probes, Source


class _PlainEngine(ABC):
    """Scores every pair, sorts, and cuts off."""

    name = "plain"
    modality: Kind

    def __init__(self, source: Source) -> None:
        if source.layout.modality != self.modality:
            raise LayoutError(f"the engine {self.name} searches {self.modality}, not {source.layout.modality}.")
        self._source = source

    @property
    def layout(self) -> Layout:
        """Of the source."""
        return self._source.layout

    def __len__(self) -> int:
        return len(self._source)

    def refresh(self, source: Source) -> None:
        """Go over to another view of the same gallery.

        Raises:
            LayoutError: it holds another kind of template.
        """
        if source.layout != self._source.layout:
            raise LayoutError("an engine cannot go over to a source of another layout.", hint="Build a new engine.")
        self._source = source

    def search(
        self, probes: Probes, k: int, *, minimum_score: float | None = None, exclude: Exclude | None = None
    ) -> Hits:
        """The k best live references of each probe; see :class:`samebody.search.types.Engine`."""
        request = check_request(self.layout, probes, k, minimum_score, exclude)
        best = (
            np.full((len(probes), 0), -np.inf, dtype=np.float32),
            np.full((len(probes), 0), -1, dtype=np.int64),
        )
        for block in self._source.blocks():
            check_block(block, self.layout)
            scores = self._scores(probes, block)
            ids = np.broadcast_to(block.record_ids.astype(np.int64), scores.shape).copy()
            for p in range(len(probes)):
                out = ~block.live | np.isin(ids[p], request.excluded_of(p)) | ~(scores[p] >= request.floor)
                out |= np.isneginf(scores[p])
                scores[p, out], ids[p, out] = -np.inf, -1
            best = merge_best([best, (scores, ids)], k)
        scores, ids = merge_best([best], k)
        return Hits(ids, scores, self.name)

    @abstractmethod
    def _scores(self, probes: Probes, block: Block) -> NDArray[np.float32]:
        """(q, n) scores; -inf for pairs that are not comparable."""


class PlainCosineEngine(_PlainEngine):
    """Cosines of all pairs in float64, rounded once."""

    name = "cosine-numpy"
    modality = "vector"

    def _scores(self, probes: Probes, block: Block) -> NDArray[np.float32]:
        assert probes.vectors is not None and block.vectors is not None
        vectors = block.vectors.astype(np.float64)
        if not (np.abs(np.linalg.norm(vectors, axis=1) - 1.0) < UNIT).all():
            raise InvalidBlockError(f"block {block.key}: a vector is not finite or not of length 1.")
        return np.clip((probes.vectors.astype(np.float64) @ vectors.T).astype(np.float32), -1.0, 1.0)


class PlainHammingEngine(_PlainEngine):
    """Masked Hamming distances of all pairs, rotation by rotation.

    Args:
        source: iris references.
        comparison: as in :func:`samebody.iris.compare.compare_irises`, without halves.
    """

    name = "hamming-numpy"
    modality = "iris"

    def __init__(self, source: Source, *, comparison: ComparisonParameters = DEFAULT) -> None:
        super().__init__(source)
        if comparison.halves:
            raise LayoutError(f"the engine {self.name} compares whole codes.", hint="Search without halves.")
        self.comparison = comparison

    def _scores(self, probes: Probes, block: Block) -> NDArray[np.float32]:
        assert probes.codes is not None and probes.masks is not None
        assert block.codes is not None and block.masks is not None
        parameters = self.comparison
        best = np.full((len(probes), len(block)), -np.inf, dtype=np.float32)
        for turn in range(-parameters.rotations, parameters.rotations + 1):
            for p in range(len(probes)):
                usable = np.roll(probes.masks[p], turn) & block.masks
                differing = (np.roll(probes.codes[p], turn) ^ block.codes) & usable
                shared = popcount(usable).sum(axis=1, dtype=np.int64)
                disagreeing = popcount(differing).sum(axis=1, dtype=np.int64)
                enough = shared >= max(1, parameters.minimum_bits)
                distance = disagreeing / np.maximum(shared, 1)
                if parameters.normalisation == "sqrt":
                    distance = 0.5 - (0.5 - distance) * np.sqrt(shared / parameters.reference_bits)
                score = np.where(enough, (1.0 - distance).astype(np.float32), np.float32(-np.inf))
                best[p] = np.maximum(best[p], score)
        return best
