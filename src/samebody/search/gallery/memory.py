"""What the log holds, in memory: the newest records, the newest deletions, the newest requests."""

from __future__ import annotations

import bisect
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from samebody.search.gallery.columns import Rows
from samebody.search.gallery.log import Deleted, Enrolled, Event


class Fresh:
    """Records of one modality that are not in a segment yet, in groups that engines can search.

    Small groups are joined when they are asked for, so that a view costs no more than one block's copy.
    """

    def __init__(self, block_rows: int) -> None:
        self._block_rows = block_rows
        self._groups: list[Rows] = []
        self._closed = 0  # groups that are full and stay as they are
        self._firsts: list[int] = []
        self._index: dict[int, list[int]] = {}
        self._not_indexed: list[Rows] = []
        self.count = 0

    def add(self, rows: Rows) -> None:
        """Append records; their ids are above all before."""
        if len(rows):
            self._groups.append(rows)
            self._firsts.append(int(rows.ids[0]))
            self._not_indexed.append(rows)
            self.count += len(rows)

    def groups(self) -> tuple[Rows, ...]:
        """All records, in groups that stay as they are."""
        if len(self._groups) - self._closed > 1:
            self._groups[self._closed :] = [Rows.join(self._groups[self._closed :])]
            del self._firsts[self._closed + 1 :]
        if len(self._groups) > self._closed and len(self._groups[-1]) >= self._block_rows:
            self._closed += 1
        return tuple(self._groups)

    def lookup(self, digest: int) -> list[int]:
        """Ids of the records under a subject's digest, rising."""
        for rows in self._not_indexed:
            for each, record in zip(rows.names.digests.tolist(), rows.ids.tolist(), strict=True):
                self._index.setdefault(each, []).append(record)
        self._not_indexed.clear()
        return self._index.get(digest, [])

    def find(self, record_id: int) -> tuple[Rows, int] | None:
        """The group and row of a record, or None."""
        place = bisect.bisect_right(self._firsts, record_id) - 1
        if place < 0:
            return None
        row = self._groups[place].find(record_id)
        return None if row is None else (self._groups[place], row)


class Memory:
    """Everything that the log says, ready to be asked.

    Attributes:
        fresh: per layout, in their order.
        deleted: ids of dead records, of segments and of ``fresh`` alike.
        requests: digest -> first record id and number of records.
        next_record: above every id the log has used.
    """

    def __init__(self, layouts: int, block_rows: Sequence[int], next_record: int) -> None:
        self.fresh = [Fresh(block_rows[number]) for number in range(layouts)]
        self.deleted: set[int] = set()
        self.requests: dict[bytes, tuple[int, int]] = {}
        self.next_record = next_record
        self.version = 0

    def apply(self, event: Event) -> None:
        """Take in one frame."""
        self.version += 1
        if isinstance(event, Deleted):
            self.deleted.update(event.ids.tolist())
            return
        self._enrol(event)

    def _enrol(self, event: Enrolled) -> None:
        for number, rows in event.groups:
            self.fresh[number].add(rows)
        if event.count and any(event.request):
            self.requests[event.request] = (event.first, event.count)
        self.next_record = max(self.next_record, event.first + event.count)

    @property
    def empty(self) -> bool:
        """Nothing was logged."""
        return not (self.deleted or self.requests or any(fresh.count for fresh in self.fresh))

    def dead(self) -> NDArray[np.uint64]:
        """The deleted ids, sorted."""
        return np.array(sorted(self.deleted), dtype=np.uint64)
