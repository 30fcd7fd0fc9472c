"""A view of one modality for engines: blocks of segments and of the log, as they were when the view was taken."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from samebody.search.gallery.columns import Rows, as_block
from samebody.search.gallery.core import live_mask
from samebody.search.gallery.segment import Segment
from samebody.search.types import Block, Layout


@dataclass(frozen=True, slots=True, eq=False)
class GallerySource:
    """References of one modality; what is enrolled or deleted afterwards does not change it.

    A block is read and checked when the iterator reaches it, so a corrupt one raises before any score of it exists.

    Attributes:
        layout: what every record looks like.
        records: live ones.
    """

    layout: Layout
    records: int
    _segments: Sequence[Segment] = field(repr=False)
    _fresh: Sequence[Rows] = field(repr=False)
    _dead: NDArray[np.uint64] = field(repr=False)
    _name: str

    def __len__(self) -> int:
        return self.records

    def blocks(self) -> Iterator[Block]:
        """All blocks, oldest records first.

        Raises:
            GalleryCorruptError: naming file, block and offset.
        """
        for segment in self._segments:
            for number in range(segment.blocks):
                ids = segment.ids(number)
                key = f"{self._name}/{segment.file}/{number}"
                yield as_block(self.layout, key, ids, live_mask(ids, self._dead), segment.payload(number))
        for rows in self._fresh:
            key = f"{self._name}/log/{int(rows.ids[0])}/{len(rows)}"
            yield as_block(self.layout, key, rows.ids, live_mask(rows.ids, self._dead), rows.payload)
