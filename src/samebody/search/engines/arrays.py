"""A source over arrays in memory, for the library, tests and benchmarks."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator

import numpy as np
from numpy.typing import NDArray

from samebody.search.types import Block, Layout

_serial = itertools.count()


class ArraySource:
    """Blocks that are held in memory.

    Args:
        layout: what the records look like.
        blocks: the records; ids must be unique over all of them.
    """

    def __init__(self, layout: Layout, blocks: Iterable[Block] = ()) -> None:
        self._layout = layout
        self._blocks = tuple(blocks)
        for block in self._blocks:
            block.check_layout(layout)

    @classmethod
    def of_vectors(
        cls,
        vectors: NDArray[np.float32],
        space: str,
        *,
        ids: NDArray[np.uint64] | None = None,
        live: NDArray[np.bool_] | None = None,
        block: int = 1 << 20,
    ) -> ArraySource:
        """Unit vectors (n, d) float32 as blocks of at most ``block`` records; ids are 0..n-1 unless given."""
        return cls(Layout("vector", space, vectors.shape[1]), _cut(block, ids, live, vectors=vectors))

    @classmethod
    def of_codes(
        cls,
        codes: NDArray[np.uint64],
        masks: NDArray[np.uint64],
        space: str,
        *,
        ids: NDArray[np.uint64] | None = None,
        live: NDArray[np.bool_] | None = None,
        block: int = 1 << 20,
    ) -> ArraySource:
        """Packed codes and masks (n, columns) uint64 as blocks of at most ``block`` records."""
        return cls(Layout("iris", space, codes.shape[1]), _cut(block, ids, live, codes=codes, masks=masks))

    @property
    def layout(self) -> Layout:
        """What every record looks like."""
        return self._layout

    def __len__(self) -> int:
        return sum(int(np.count_nonzero(block.live)) for block in self._blocks)

    def blocks(self) -> Iterator[Block]:
        """All blocks in order."""
        return iter(self._blocks)


def _cut(
    size: int, ids: NDArray[np.uint64] | None, live: NDArray[np.bool_] | None, **payload: NDArray[np.generic]
) -> Iterator[Block]:
    n = len(next(iter(payload.values())))
    serial = next(_serial)
    numbers = np.arange(n, dtype=np.uint64) if ids is None else ids
    alive = np.ones(n, dtype=np.bool_) if live is None else live
    for begin in range(0, n, size):
        part = slice(begin, begin + size)
        arrays = {name: array[part] for name, array in payload.items()}
        yield Block(("arrays", serial, begin), numbers[part], alive[part], **arrays)  # type: ignore[arg-type]
