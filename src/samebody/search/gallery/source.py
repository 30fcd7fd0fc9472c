"""A view of one modality for engines: blocks of segments and of the log, as they were when the view was taken."""

from __future__ import annotations

import hashlib
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

    def blocks(self, part: tuple[int, int] = (0, 1)) -> Iterator[Block]:
        """All blocks, oldest records first; or, of ``part`` (i, n), every n-th from the i-th on, the others untouched.

        Raises:
            GalleryCorruptError: naming file, block and offset.
        """
        place, every = part
        count = 0
        for segment in self._segments:
            for number in range(segment.blocks):
                if (count + number) % every != place:
                    continue
                ids = segment.ids(number)
                key = f"{self._name}/{segment.file}/{number}"
                yield as_block(self.layout, key, ids, live_mask(ids, self._dead), segment.payload(number))
            count += segment.blocks
        for number, rows in enumerate(self._fresh):
            if (count + number) % every == place:
                key = f"{self._name}/log/{int(rows.ids[0])}/{len(rows)}"
                yield as_block(self.layout, key, rows.ids, live_mask(rows.ids, self._dead), rows.payload)

    def state(self) -> str:
        """Digest of what the view holds: equal for two views of the same records in the same blocks. Reads no block."""
        held = [f"{segment.file}/{segment.blocks}" for segment in self._segments]
        held += [f"log/{int(rows.ids[0])}/{len(rows)}" for rows in self._fresh]
        return hashlib.sha256("\n".join([self._name, *held]).encode() + self._dead.tobytes()).hexdigest()
