"""Segments: immutable files of records of one modality, in blocks, with a sorted index of the subjects.

Layout (docs/reference/gallery-format.md): header; row blocks, each as three parts (``ids``, ``names``, ``payload``);
the index, chunks of (digest of the subject, record id) sorted by both (``index``); the lowest id of each row block
and the lowest digest of each chunk (``fences``); a directory with place, size and CRC-32 of every part. Header and
directory are checked on opening, every part when it is first touched.
"""

from __future__ import annotations

import hashlib
import mmap
import os
import struct
import threading
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from samebody import crypto
from samebody.search.gallery.columns import Names, Payload, Rows, payload_arrays, payload_bytes
from samebody.search.gallery.disk import Disk
from samebody.search.gallery.errors import GalleryCorruptError
from samebody.search.gallery.manifest import SegmentEntry, file_name
from samebody.search.gallery.sealing import (
    HEADER_BYTES,
    Envelope,
    Header,
    new_data_key,
    pack_header,
    read_header,
)
from samebody.search.types import Layout

ALIGNMENT = 64
INDEX_CHUNK = 1 << 16
"""Entries of one chunk of the index."""
PARTS = ("ids", "names", "payload", "index", "fences")
T = TypeVar("T")
_ENTRY = struct.Struct("<IIQQII")
"""Part, index, offset, bytes as stored, CRC-32 of them, reserved."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where one part of a segment lies."""

    part: str
    index: int
    offset: int
    size: int
    crc: int


class SegmentWriter:
    """Writes one segment from records in order of their ids. Nothing refers to the file before it is whole."""

    def __init__(
        self, disk: Disk, folder: Path, gallery: str, number: int, layout: Layout, key: bytes | None, block_rows: int
    ) -> None:
        self._layout, self._gallery, self._number, self._gallery_key = layout, gallery, number, key
        self._block_rows = block_rows
        self._data_key = new_data_key(key)
        self._envelope = Envelope.of(self._data_key, gallery, "segment", number)
        self.path = folder / file_name("segment", number)
        self._file = disk.create(self.path)
        self._at = HEADER_BYTES
        self._places: list[Place] = []
        self._waiting: list[Rows] = []
        self._waiting_rows = 0
        self._digests: list[NDArray[np.uint64]] = []
        self._ids: list[NDArray[np.uint64]] = []
        self._firsts: list[int] = []

    def add(self, rows: Rows) -> None:
        """Append records; their ids are above all before."""
        if not len(rows):
            return
        self._waiting.append(rows)
        self._waiting_rows += len(rows)
        if self._waiting_rows >= self._block_rows:
            whole = Rows.join(self._waiting)
            full = len(whole) - len(whole) % self._block_rows
            for begin in range(0, full, self._block_rows):
                self._write_block(whole.slice(begin, begin + self._block_rows))
            self._waiting = [whole.slice(full, len(whole))] if full < len(whole) else []
            self._waiting_rows = len(whole) - full

    def finish(self) -> SegmentEntry | None:
        """Write the rest, sync, and say what was written; None (and no file) when there was no record."""
        if self._waiting_rows:
            self._write_block(Rows.join(self._waiting))
        if not self._firsts:
            self._file.close()
            self.path.unlink(missing_ok=True)
            return None
        self._write_index()
        directory = b"".join(
            _ENTRY.pack(PARTS.index(each.part), each.index, each.offset, each.size, each.crc, 0)
            for each in self._places
        )
        self._file.write(self._at, directory)
        ids = np.concatenate(self._ids)
        fields = {
            "kind": "segment",
            "gallery": self._gallery,
            "number": self._number,
            "modality": self._layout.modality,
            "space": self._layout.space,
            "size": self._layout.size,
            "rows": len(ids),
            "block_rows": self._block_rows,
            "blocks": len(self._firsts),
            "chunks": -(-len(ids) // INDEX_CHUNK),
            "directory": {"offset": self._at, "entries": len(self._places), "sha256": _sha256(directory)},
        }
        header = pack_header(fields, self._data_key, self._gallery_key)
        self._file.write(0, header)
        self._file.sync()
        self._file.close()
        size = self._at + len(directory)
        first, last = int(ids[0]), int(ids[-1])
        return SegmentEntry(self._number, self._layout.modality, len(ids), size, first, last, _sha256(header))

    def abandon(self) -> None:
        """Give up: the file goes away."""
        self._file.close()
        self.path.unlink(missing_ok=True)

    def _write_block(self, rows: Rows) -> None:
        index = len(self._firsts)
        self._write("ids", index, rows.ids.astype("<u8").tobytes())
        self._write("names", index, rows.names.pack())
        self._write("payload", index, payload_bytes(self._layout, rows.payload))
        self._firsts.append(int(rows.ids[0]))
        self._ids.append(np.array(rows.ids))
        self._digests.append(np.array(rows.names.digests))

    def _write_index(self) -> None:
        digests, ids = np.concatenate(self._digests), np.concatenate(self._ids)
        order = np.argsort(digests, kind="stable")  # ids rise already, so equal digests stay in their order
        digests, ids = digests[order], ids[order]
        lowest = []
        for chunk, begin in enumerate(range(0, len(ids), INDEX_CHUNK)):
            part = slice(begin, begin + INDEX_CHUNK)
            self._write("index", chunk, digests[part].astype("<u8").tobytes() + ids[part].astype("<u8").tobytes())
            lowest.append(int(digests[begin]))
        self._write("fences", 0, np.array([*self._firsts, *lowest], dtype="<u8").tobytes())

    def _write(self, part: str, index: int, data: bytes) -> None:
        stored = self._envelope.close(data, part, index)
        self._file.write(self._at, stored)
        self._places.append(Place(part, index, self._at, len(stored), zlib.crc32(stored)))
        self._at += len(stored) + (-len(stored) % ALIGNMENT)


class Segment:
    """A segment open for reading: memory-mapped when plain, decrypted part by part into private memory when sealed.

    Raises:
        GalleryCorruptError: header, directory or size are not what was written.
        FileNotFoundError: compaction has replaced it meanwhile.
    """

    def __init__(self, folder: Path, entry: SegmentEntry, gallery: str, layout: Layout, key: bytes | None) -> None:
        self.entry, self.layout = entry, layout
        self.file = file_name("segment", entry.number)
        self._descriptor = os.open(folder / self.file, os.O_RDONLY | getattr(os, "O_CLOEXEC", 0))
        try:
            size = os.fstat(self._descriptor).st_size
            header = read_header(
                self.file, os.pread(self._descriptor, HEADER_BYTES, 0), "segment", gallery, entry.number, key
            )
            self.header, self.places = _check(self.file, header, entry, layout, size, self._descriptor)
            self._view: memoryview | None = None
            if key is None:
                mapping = mmap.mmap(self._descriptor, entry.bytes, access=mmap.ACCESS_READ)
                self._view = memoryview(mapping)
        except BaseException:
            os.close(self._descriptor)
            self._descriptor = -1
            raise
        self.block_rows = int(header.fields["block_rows"])
        self.blocks = int(header.fields["blocks"])
        self._chunks = int(header.fields["chunks"])
        self._touched: dict[tuple[str, int], bytes | memoryview] = {}
        self._names: dict[int, Names] = {}
        self._fence: NDArray[np.uint64] | None = None
        self._indexes: dict[int, tuple[NDArray[np.uint64], NDArray[np.uint64]]] = {}
        self._guard = threading.Lock()

    def __del__(self) -> None:
        if getattr(self, "_descriptor", -1) >= 0:
            os.close(self._descriptor)

    def touch(self, part: str, index: int) -> bytes | memoryview:
        """The bytes of one part, checked the first time they are asked for.

        Raises:
            GalleryCorruptError: naming file, part and offset.
        """
        found = self._touched.get((part, index))
        if found is None:
            found = self._read(self.places[part, index])
            with self._guard:
                found = self._touched.setdefault((part, index), found)
        return found

    def ids(self, block: int) -> NDArray[np.uint64]:
        """Record ids of a row block, strictly increasing."""
        data = self.touch("ids", block)
        return self._shaped("ids", block, lambda: np.frombuffer(data, "<u8", self.rows_in(block)))

    def payload(self, block: int) -> Payload:
        """Payload of a row block."""
        data = self.touch("payload", block)
        return self._shaped("payload", block, lambda: payload_arrays(self.layout, data, self.rows_in(block)))

    def names(self, block: int) -> Names:
        """Subjects and attributes of a row block."""
        found = self._names.get(block)
        if found is not None:
            return found
        data = self.touch("names", block)
        names = self._shaped("names", block, lambda: Names.unpack(data))
        if len(names.digests) != self.rows_in(block):
            raise self._corrupt(self.places["names", block], "another number of rows than the header says")
        self._names[block] = names
        return names

    def rows(self, block: int) -> Rows:
        """A whole row block."""
        return Rows(self.ids(block), self.names(block), self.payload(block))

    def rows_in(self, block: int) -> int:
        """Number of records of a row block; all but the last are full."""
        return min(self.block_rows, self.entry.rows - block * self.block_rows)

    def lookup(self, digest: int) -> list[int]:
        """Ids of the records under a subject's digest, rising."""
        found: list[int] = []
        lowest = self._fences()[self.blocks :]
        wanted = np.uint64(digest)
        chunk = max(int(lowest.searchsorted(wanted)) - 1, 0)
        while chunk < self._chunks and lowest[chunk] <= wanted:
            digests, ids = self._index(chunk)
            row = int(digests.searchsorted(wanted))
            while row < len(digests) and digests[row] == wanted:
                found.append(int(ids[row]))
                row += 1
            chunk += 1
        return found

    def index(self) -> Iterator[tuple[NDArray[np.uint64], NDArray[np.uint64]]]:
        """All (digests, ids), chunk by chunk, sorted by digest."""
        return (self._index(chunk) for chunk in range(self._chunks))

    def find(self, record_id: int) -> tuple[int, int] | None:
        """Row block and row of a record, or None."""
        if not self.entry.first <= record_id <= self.entry.last:
            return None
        wanted = np.uint64(record_id)
        block = int(self._fences()[: self.blocks].searchsorted(wanted, side="right")) - 1
        ids = self.ids(block)
        row = int(ids.searchsorted(wanted))
        return (block, row) if row < len(ids) and ids[row] == wanted else None

    def dead_in(self, dead: NDArray[np.uint64]) -> int:
        """How many of these sorted ids are records of this segment."""
        begin, end = np.searchsorted(dead, [self.entry.first, self.entry.last + 1])
        inside, count = dead[begin:end], 0
        if len(inside):
            blocks = np.searchsorted(self._fences()[: self.blocks], inside, side="right") - 1
            for block in np.unique(blocks):
                count += int(np.isin(inside[blocks == block], self.ids(int(block)), assume_unique=True).sum())
        return count

    def forget(self, block: int) -> None:
        """Let go of the decrypted parts of a row block (a rewriting reader needs each once)."""
        with self._guard:
            for part in ("ids", "names", "payload"):
                self._touched.pop((part, block), None)
            self._names.pop(block, None)

    def all_places(self) -> list[Place]:
        """Every part, in the order of the file."""
        return sorted(self.places.values(), key=lambda place: place.offset)

    def check(self, place: Place) -> None:
        """Read one part from the disk again, whether it was touched before or not.

        Raises:
            GalleryCorruptError.
        """
        self._read(place)

    def gaps_are_empty(self) -> int | None:
        """Offset of the first byte between parts that is not zero, or None."""
        at = HEADER_BYTES
        for place in [*self.all_places(), Place("directory", 0, self.header.fields["directory"]["offset"], 0, 0)]:
            gap = os.pread(self._descriptor, place.offset - at, at) if place.offset > at else b""
            if gap.strip(b"\0"):
                return at
            at = place.offset + place.size
        return None

    def _fences(self) -> NDArray[np.uint64]:
        if self._fence is None:
            data = self.touch("fences", 0)
            self._fence = self._shaped("fences", 0, lambda: np.frombuffer(data, "<u8", self.blocks + self._chunks))
        return self._fence

    def _index(self, chunk: int) -> tuple[NDArray[np.uint64], NDArray[np.uint64]]:
        found = self._indexes.get(chunk)
        if found is None:
            data = self.touch("index", chunk)
            count = min(INDEX_CHUNK, self.entry.rows - chunk * INDEX_CHUNK)
            both = self._shaped("index", chunk, lambda: np.frombuffer(data, "<u8", 2 * count))
            found = self._indexes[chunk] = (both[:count], both[count:])
        return found

    def _shaped(self, part: str, index: int, read: Callable[[], T]) -> T:
        try:
            return read()
        except ValueError as error:
            raise self._corrupt(self.places[part, index], str(error)) from None

    def _read(self, place: Place) -> bytes | memoryview:
        if os.fstat(self._descriptor).st_size < place.offset + place.size:
            raise self._corrupt(place, "the file is cut short")
        if self._view is not None:
            data = self._view[place.offset : place.offset + place.size]
            if zlib.crc32(data) != place.crc:
                raise self._corrupt(place, "the checksum does not fit")
            return data
        stored = os.pread(self._descriptor, place.size, place.offset)
        try:
            assert self.header.envelope is not None
            return self.header.envelope.open(stored, place.part, place.index)
        except (crypto.UnsealError, crypto.SealVersionError):
            raise self._corrupt(place, "the seal does not fit") from None

    def _corrupt(self, place: Place, reason: str) -> GalleryCorruptError:
        return GalleryCorruptError(self.file, f"{place.part} {place.index}", place.offset, reason)


def _check(
    file: str, header: Header, entry: SegmentEntry, layout: Layout, size: int, descriptor: int
) -> tuple[Header, dict[tuple[str, int], Place]]:
    """Header, size and directory against the manifest."""
    if header.digest != entry.header:
        raise GalleryCorruptError(file, "header", 0, "not the file that the manifest names")
    if size != entry.bytes:
        raise GalleryCorruptError(file, "file", min(size, entry.bytes), f"{size} bytes, {entry.bytes} were written")
    try:
        return header, _directory(file, header.fields, entry, layout, descriptor)
    except (KeyError, TypeError, ValueError, IndexError, OverflowError, struct.error, OSError):
        raise GalleryCorruptError(file, "header", 0, "not readable") from None


def _directory(
    file: str, fields: dict[str, Any], entry: SegmentEntry, layout: Layout, descriptor: int
) -> dict[tuple[str, int], Place]:
    """Where every part lies: all parts that the header promises, each inside the file."""
    said = (fields["modality"], fields["space"], fields["size"], fields["rows"])
    if said != (layout.modality, layout.space, layout.size, entry.rows):
        raise GalleryCorruptError(file, "header", 0, "it holds other records than the manifest says")
    where, rows, block_rows = fields["directory"], entry.rows, fields["block_rows"]
    data = os.pread(descriptor, where["entries"] * _ENTRY.size, where["offset"])
    if _sha256(data) != where["sha256"]:
        raise GalleryCorruptError(file, "directory", where["offset"], "the checksum does not fit")
    places = {}
    for part, index, offset, stored, crc, _ in _ENTRY.iter_unpack(data):
        if not HEADER_BYTES <= offset <= offset + stored <= where["offset"]:
            raise GalleryCorruptError(file, "directory", where["offset"], "a part lies outside the file")
        places[PARTS[part], index] = Place(PARTS[part], index, offset, stored, crc)
    blocks, chunks = -(-rows // block_rows), -(-rows // INDEX_CHUNK)
    promised = {(part, index) for part in ("ids", "names", "payload") for index in range(blocks)}
    promised |= {("index", index) for index in range(chunks)} | {("fences", 0)}
    if (fields["blocks"], fields["chunks"]) != (blocks, chunks) or block_rows < 1 or places.keys() != promised:
        raise GalleryCorruptError(file, "directory", where["offset"], "it does not list the parts of the segment")
    return places


def _sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
