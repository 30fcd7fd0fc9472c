"""The write-ahead log: what was acknowledged and is not in a segment yet.

A frame is written and synced before its batch is acknowledged. On opening, a frame that does not check is a torn tail
(a write that was never acknowledged) only if nothing valid follows it and it lies beyond the bytes that the manifest
says were acknowledged; otherwise it is corruption, and named.
"""

from __future__ import annotations

import hashlib
import struct
import zlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from samebody import crypto
from samebody.search.gallery.columns import Rows, pack_groups, unpack_groups
from samebody.search.gallery.disk import Disk, File, faults
from samebody.search.gallery.errors import GalleryCorruptError
from samebody.search.gallery.manifest import LogEntry, file_name
from samebody.search.gallery.sealing import HEADER_BYTES, Envelope, new_data_key, pack_header, read_header
from samebody.search.types import Layout

_FRAME = struct.Struct("<4sIQQI")
"""Mark, kind, sequence, bytes of the body as stored, CRC-32 of the body; then the CRC-32 of these 28 bytes."""
_MARK = b"SBFR"
_CHECK = struct.Struct("<I")
FRAME_BYTES = _FRAME.size + _CHECK.size
_ENROL, _DELETE = 1, 2
_KINDS = (_ENROL, _DELETE)
_BATCH = struct.Struct("<16sQII")
"""Digest of the request (zeros: none), first record id, records, reserved."""


@dataclass(frozen=True, slots=True, eq=False)
class Enrolled:
    """A batch of records.

    Attributes:
        request: 16 bytes that name the request, or zeros.
        first, count: its record ids are first .. first + count - 1.
        groups: number of the layout and the records.
    """

    request: bytes
    first: int
    count: int
    groups: list[tuple[int, Rows]] = field(repr=False)


@dataclass(frozen=True, slots=True, eq=False)
class Deleted:
    """Records that are dead from here on: (n,) uint64, sorted."""

    ids: NDArray[np.uint64]


Event = Enrolled | Deleted


@dataclass(frozen=True, slots=True)
class Tail:
    """How far a log was read.

    Attributes:
        events: what the frames say, in order.
        end: offset behind the last good frame.
        sequence: of the next frame.
        dropped: bytes of a torn tail behind ``end``.
    """

    events: list[Event] = field(repr=False)
    end: int
    sequence: int
    dropped: int


class Log:
    """The log open for writing."""

    def __init__(self, path: Path, file: File, envelope: Envelope, entry: LogEntry, end: int, sequence: int) -> None:
        self.path, self.entry = path, entry
        self._file, self._envelope = file, envelope
        self.end, self._sequence = end, sequence
        self.broken = False

    @classmethod
    def create(cls, disk: Disk, folder: Path, gallery: str, number: int, key: bytes | None) -> Log:
        """A new, empty log; its bytes are durable on return, its name is when the folder was synced."""
        data_key = new_data_key(key)
        header = pack_header({"kind": "log", "gallery": gallery, "number": number}, data_key, key)
        path = folder / file_name("log", number)
        file = disk.create(path)
        try:
            file.write(0, header)
            file.sync()
        except BaseException:
            file.close()
            raise
        entry = LogEntry(number, HEADER_BYTES, hashlib.sha256(header).hexdigest())
        return cls(path, file, Envelope.of(data_key, gallery, "log", number), entry, HEADER_BYTES, 1)

    @classmethod
    def reopen(cls, disk: Disk, folder: Path, entry: LogEntry, envelope: Envelope, tail: Tail) -> Log:
        """An existing log, its torn tail cut off."""
        path = folder / file_name("log", entry.number)
        file = disk.reopen(path)
        try:
            if tail.dropped:
                file.truncate(tail.end)
                file.sync()
        except BaseException:
            file.close()
            raise
        return cls(path, file, envelope, entry, tail.end, tail.sequence)

    def append(self, event: Event, layouts: Sequence[Layout]) -> None:
        """Write one frame and return when it is durable.

        Raises:
            GalleryDiskFullError, GalleryWriteError: the event did not happen. When not even cutting the half-written
                frame off succeeded, ``broken`` is set and nothing more may be appended.
        """
        kind, body = _pack(event, layouts)
        stored = self._envelope.close(body, "frame", self._sequence)
        head = _FRAME.pack(_MARK, kind, self._sequence, len(stored), zlib.crc32(stored))
        end = self.end + FRAME_BYTES + len(stored) + (-len(stored) % 8)
        with faults("writing to the log"):
            try:
                self._file.write(self.end, head + _CHECK.pack(zlib.crc32(head)))
                self._file.write(self.end + FRAME_BYTES, stored)
                if end > self.end + FRAME_BYTES + len(stored):
                    self._file.write(self.end + FRAME_BYTES + len(stored), bytes(-len(stored) % 8))
                self._file.sync()
            except BaseException:
                self._cut()
                raise
        self.end = end
        self._sequence += 1

    def close(self) -> None:
        """Give the file back; everything in it is durable already."""
        self._file.close()

    def _cut(self) -> None:
        try:
            self._file.truncate(self.end)
            self._file.sync()
        except BaseException:
            self.broken = True


def open_log(folder: Path, entry: LogEntry, gallery: str, key: bytes | None) -> tuple[bytes, Envelope | None]:
    """All bytes of the log, and the envelope of its frames (None for a sealed one without the key).

    Raises:
        GalleryCorruptError, and FileNotFoundError when the log was replaced meanwhile.
    """
    file = file_name("log", entry.number)
    data = (folder / file).read_bytes()
    header = read_header(file, data[:HEADER_BYTES], "log", gallery, entry.number, key)
    if header.digest != entry.header:
        raise GalleryCorruptError(file, "header", 0, "not the file that the manifest names")
    return data, header.envelope


def read_log(
    data: bytes,
    entry: LogEntry,
    envelope: Envelope | None,
    layouts: Sequence[Layout],
    start: int = HEADER_BYTES,
    sequence: int = 1,
) -> Tail:
    """Read the frames from ``start`` on; without an envelope their checksums are checked and there are no events.

    Raises:
        GalleryCorruptError: see the module.
    """
    file = file_name("log", entry.number)
    view, events, at = memoryview(data), list[Event](), start

    def corrupt(reason: str) -> GalleryCorruptError:
        return GalleryCorruptError(file, f"frame {sequence}", at, reason)

    while at < len(data):
        found = _frame(view, at, sequence)
        if found is None:
            if at < entry.acknowledged:
                raise corrupt("the checksum does not fit")
            if _valid_frame_after(data, at, sequence):
                raise corrupt("the checksum does not fit, and good frames follow")
            break
        kind, begin, end = found
        if envelope is not None:
            try:
                body = envelope.open(bytes(view[begin:end]), "frame", sequence)
            except (crypto.UnsealError, crypto.SealVersionError):
                raise corrupt("the seal does not fit") from None
            try:
                events.append(_unpack(kind, body, layouts))
            except (ValueError, struct.error) as error:
                raise corrupt(str(error)) from None
        at = end + (-(end - begin) % 8)
        sequence += 1
    if at < entry.acknowledged:
        raise corrupt(f"the file ends here, {entry.acknowledged} bytes were acknowledged")
    return Tail(events, at, sequence, len(data) - at)


def _frame(view: memoryview, at: int, sequence: int) -> tuple[int, int, int] | None:
    """Kind, begin and end of the body when a good frame of this number begins at ``at``."""
    if len(view) - at < FRAME_BYTES:
        return None
    head = view[at : at + _FRAME.size]
    mark, kind, number, size, crc = _FRAME.unpack(head)
    begin = at + FRAME_BYTES
    if mark != _MARK or kind not in _KINDS or number != sequence:
        return None
    if zlib.crc32(head) != _CHECK.unpack_from(view, at + _FRAME.size)[0]:
        return None
    end = begin + size
    if end + (-size % 8) > len(view) or zlib.crc32(view[begin:end]) != crc or any(view[end : end + (-size % 8)]):
        return None
    return kind, begin, end


def _valid_frame_after(data: bytes, at: int, sequence: int) -> bool:
    """Whether a good frame with a higher number stands behind ``at``."""
    view, place = memoryview(data), data.find(_MARK, at + 1)
    while place >= 0:
        if len(data) - place >= FRAME_BYTES:
            number = _FRAME.unpack_from(view, place)[2]
            if number > sequence and _frame(view, place, number):
                return True
        place = data.find(_MARK, place + 1)
    return False


def _pack(event: Event, layouts: Sequence[Layout]) -> tuple[int, bytes]:
    if isinstance(event, Deleted):
        return _DELETE, event.ids.astype("<u8").tobytes()
    head = _BATCH.pack(event.request, event.first, event.count, 0)
    return _ENROL, head + pack_groups([(number, layouts[number], rows) for number, rows in event.groups])


def _unpack(kind: int, body: bytes, layouts: Sequence[Layout]) -> Event:
    if kind == _DELETE:
        return Deleted(np.frombuffer(body, "<u8"))
    request, first, count, _ = _BATCH.unpack_from(body)
    return Enrolled(request, first, count, unpack_groups(memoryview(body)[_BATCH.size :], layouts))
