"""Records in columns: ids, digests of the subjects, names, attributes and payload, and their form as bytes.

All integers are little-endian. A payload is one array for vectors, (n, dimension) float32, and two for irises, codes
and masks of (n, columns) uint64, as :class:`samebody.search.types.Layout` says.
"""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from samebody.search.types import Block, Layout

Payload = tuple[NDArray[np.float32], ...] | tuple[NDArray[np.uint64], ...]

_COUNTS = struct.Struct("<IIII")
"""Rows, bytes of the names, bytes of the attributes, reserved."""


def subject_digest(name: bytes) -> int:
    """The 64-bit key of a subject: BLAKE2b (RFC 7693) of its UTF-8 bytes. What is found is checked by name."""
    return int(subject_digests([name])[0])


def subject_digests(names: Sequence[bytes]) -> NDArray[np.uint64]:
    """As :func:`subject_digest`, for many."""
    digest = hashlib.blake2b
    return np.frombuffer(b"".join([digest(name, digest_size=8).digest() for name in names]), "<u8")


@dataclass(frozen=True, slots=True, eq=False)
class Heap:
    """Many short byte strings in one buffer.

    Attributes:
        offsets: (n + 1,) uint32; string i is ``data[offsets[i]:offsets[i + 1]]``.
        data: uint8.
    """

    offsets: NDArray[np.uint32]
    data: NDArray[np.uint8] = field(repr=False)

    @classmethod
    def of(cls, strings: Sequence[bytes]) -> Heap:
        """A heap of these strings."""
        offsets = np.zeros(len(strings) + 1, dtype=np.uint32)
        np.cumsum([len(string) for string in strings], out=offsets[1:])
        return cls(offsets, np.frombuffer(b"".join(strings), dtype=np.uint8))

    @classmethod
    def join(cls, heaps: Sequence[Heap]) -> Heap:
        """All strings of several heaps, in order."""
        lengths = [np.diff(heap.offsets) for heap in heaps]
        offsets = np.zeros(sum(len(each) for each in lengths) + 1, dtype=np.uint32)
        np.cumsum(np.concatenate(lengths), out=offsets[1:])
        used = [heap.data[heap.offsets[0] : heap.offsets[-1]] for heap in heaps]
        return cls(offsets, np.concatenate(used))

    def __len__(self) -> int:
        return len(self.offsets) - 1

    def __getitem__(self, row: int) -> bytes:
        return self.data[self.offsets[row] : self.offsets[row + 1]].tobytes()

    def __iter__(self) -> Iterator[bytes]:
        data, offsets = self.data.tobytes(), self.offsets.tolist()
        return (data[begin:end] for begin, end in pairwise(offsets))

    def take(self, rows: NDArray[np.bool_]) -> Heap:
        """The strings of the rows that are true."""
        lengths = np.diff(self.offsets)
        offsets = np.zeros(int(np.count_nonzero(rows)) + 1, dtype=np.uint32)
        np.cumsum(lengths[rows], out=offsets[1:])
        used = self.data[self.offsets[0] : self.offsets[-1]]
        return Heap(offsets, used[np.repeat(rows, lengths)])

    def slice(self, begin: int, end: int) -> Heap:
        """Rows begin..end, as a view."""
        offsets = self.offsets[begin : end + 1]
        return Heap(offsets - offsets[0], self.data[offsets[0] : offsets[-1]])


@dataclass(frozen=True, slots=True, eq=False)
class Names:
    """Who the records are of.

    Attributes:
        digests: (n,) uint64 of :func:`subject_digest`.
        subjects: n UTF-8 strings.
        attributes: n JSON objects, empty strings for none.
    """

    digests: NDArray[np.uint64] = field(repr=False)
    subjects: Heap
    attributes: Heap

    def pack(self) -> bytes:
        """As bytes, a multiple of 8 long."""
        parts = (
            _COUNTS.pack(len(self.digests), len(self.subjects.data), len(self.attributes.data), 0),
            self.digests.astype("<u8").tobytes(),
            self.subjects.offsets.astype("<u4").tobytes(),
            self.attributes.offsets.astype("<u4").tobytes(),
            self.subjects.data.tobytes(),
            self.attributes.data.tobytes(),
        )
        body = b"".join(parts)
        return body + bytes(-len(body) % 8)

    @classmethod
    def unpack(cls, data: bytes | memoryview) -> Names:
        """What :meth:`pack` made; raises ValueError when lengths do not fit."""
        view = memoryview(data)
        if len(view) < _COUNTS.size:
            raise ValueError("names cut short")
        rows, subject_bytes, attribute_bytes, _ = _COUNTS.unpack_from(view)
        need = _COUNTS.size + 8 * rows + 8 * (rows + 1) + subject_bytes + attribute_bytes
        if not need <= len(view) < need + 8:
            raise ValueError("names of another length than they say")
        at = _COUNTS.size
        digests = np.frombuffer(view, "<u8", rows, at)
        at += 8 * rows
        first = np.frombuffer(view, "<u4", rows + 1, at)
        at += 4 * (rows + 1)
        second = np.frombuffer(view, "<u4", rows + 1, at)
        at += 4 * (rows + 1)
        subjects = Heap(first, np.frombuffer(view, np.uint8, subject_bytes, at))
        attributes = Heap(second, np.frombuffer(view, np.uint8, attribute_bytes, at + subject_bytes))
        for heap in (subjects, attributes):
            if (
                heap.offsets[0] != 0
                or heap.offsets[-1] != len(heap.data)
                or (np.diff(heap.offsets.astype("i8")) < 0).any()
            ):
                raise ValueError("names with offsets out of order")
        return cls(digests, subjects, attributes)

    @classmethod
    def join(cls, parts: Sequence[Names]) -> Names:
        """Several, in order."""
        return cls(
            np.concatenate([part.digests for part in parts]),
            Heap.join([part.subjects for part in parts]),
            Heap.join([part.attributes for part in parts]),
        )


@dataclass(frozen=True, slots=True, eq=False)
class Rows:
    """Records of one modality.

    Attributes:
        ids: (n,) uint64, strictly increasing.
        names: whose they are.
        payload: arrays of n rows each, see the module.
    """

    ids: NDArray[np.uint64]
    names: Names
    payload: Payload = field(repr=False)

    def __len__(self) -> int:
        return len(self.ids)

    def take(self, rows: NDArray[np.bool_]) -> Rows:
        """The rows that are true."""
        if rows.all():
            return self
        names = Names(self.names.digests[rows], self.names.subjects.take(rows), self.names.attributes.take(rows))
        return Rows(self.ids[rows], names, _payload(array[rows] for array in self.payload))

    def slice(self, begin: int, end: int) -> Rows:
        """Rows begin..end, as views."""
        names = Names(
            self.names.digests[begin:end],
            self.names.subjects.slice(begin, end),
            self.names.attributes.slice(begin, end),
        )
        return Rows(self.ids[begin:end], names, _payload(array[begin:end] for array in self.payload))

    @classmethod
    def join(cls, parts: Sequence[Rows]) -> Rows:
        """Several, in order of their ids."""
        if len(parts) == 1:
            return parts[0]
        arrays = zip(*(part.payload for part in parts), strict=True)
        return cls(
            np.concatenate([part.ids for part in parts]),
            Names.join([part.names for part in parts]),
            _payload(np.concatenate(each) for each in arrays),
        )

    def find(self, record_id: int) -> int | None:
        """The row of a record, or None."""
        row = int(np.searchsorted(self.ids, np.uint64(record_id)))
        return row if row < len(self.ids) and int(self.ids[row]) == record_id else None


def _payload(arrays: Iterable[NDArray[np.generic]]) -> Payload:
    return tuple(arrays)  # type: ignore[return-value]


def payload_bytes(layout: Layout, payload: Payload) -> bytes:
    """The payload as it is stored: codes then masks, or vectors; each row by row."""
    dtype = "<u8" if layout.modality == "iris" else "<f4"
    return b"".join(np.ascontiguousarray(array, dtype=dtype).data for array in payload)


def payload_arrays(layout: Layout, data: bytes | memoryview, rows: int) -> Payload:
    """Read-only arrays over ``data``, which holds exactly ``rows`` records; raises ValueError otherwise."""
    if len(data) != rows * layout.bytes_per_record:
        raise ValueError("a payload of another length than its rows need")
    if layout.modality == "vector":
        return (np.frombuffer(data, "<f4").reshape(rows, layout.size),)
    both = np.frombuffer(data, "<u8").reshape(2, rows, layout.size)
    return (both[0], both[1])


def as_block(layout: Layout, key: object, ids: NDArray[np.uint64], live: NDArray[np.bool_], payload: Payload) -> Block:
    """The records as engines take them."""
    name = str(key)
    if layout.modality == "vector":
        return Block(name, ids, live, vectors=payload[0])  # type: ignore[arg-type]
    return Block(name, ids, live, codes=payload[0], masks=payload[1])  # type: ignore[arg-type]


_GROUP = struct.Struct("<BBHIII")
"""Number of the layout, reserved, reserved, rows, bytes of the names, reserved."""


def pack_groups(groups: Sequence[tuple[int, Layout, Rows]]) -> bytes:
    """Records of several modalities as bytes; each begins with the number of its layout."""
    parts: list[bytes] = []
    for number, layout, rows in groups:
        names = rows.names.pack()
        parts.append(_GROUP.pack(number, 0, 0, len(rows), len(names), 0))
        parts.append(rows.ids.astype("<u8").tobytes())
        parts.append(names)
        payload = payload_bytes(layout, rows.payload)
        parts.append(payload)
        parts.append(bytes(-len(payload) % 8))
    return b"".join(parts)


def unpack_groups(data: memoryview, layouts: Sequence[Layout]) -> list[tuple[int, Rows]]:
    """What :func:`pack_groups` made; raises ValueError when it does not fit."""
    groups, at = [], 0
    while at < len(data):
        if len(data) - at < _GROUP.size:
            raise ValueError("records cut short")
        number, _, _, count, names_bytes, _ = _GROUP.unpack_from(data, at)
        at += _GROUP.size
        if number >= len(layouts):
            raise ValueError("records of an unknown modality")
        layout = layouts[number]
        payload_size = count * layout.bytes_per_record
        if len(data) - at < 8 * count + names_bytes + payload_size:
            raise ValueError("records cut short")
        ids = np.frombuffer(data, "<u8", count, at)
        at += 8 * count
        names = Names.unpack(data[at : at + names_bytes])
        at += names_bytes
        if len(names.digests) != count:
            raise ValueError("names of another number than the records")
        groups.append((number, Rows(ids, names, payload_arrays(layout, data[at : at + payload_size], count))))
        at += payload_size + (-payload_size % 8)
    return groups
