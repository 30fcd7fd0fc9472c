"""The state file: ids of dead records that are still in segments, and the requests that were answered."""

from __future__ import annotations

import hashlib
import zlib
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from samebody import crypto
from samebody.search.gallery.disk import Disk
from samebody.search.gallery.errors import GalleryCorruptError
from samebody.search.gallery.manifest import StateEntry, file_name
from samebody.search.gallery.sealing import HEADER_BYTES, Envelope, new_data_key, pack_header, read_header

REQUEST = np.dtype([("digest", "V16"), ("first", "<u8"), ("count", "<u4"), ("reserved", "<u4")])
"""A request that was answered: its digest, the first record id of its batch, the number of records."""
MAX_REQUESTS = 1_000_000
"""Requests remembered; the oldest are forgotten first."""


def request_digest(request_id: str) -> bytes:
    """16 bytes that name a request (BLAKE2b, RFC 7693); never all zero in practice."""
    return hashlib.blake2b(request_id.encode(), digest_size=16).digest()


@dataclass(frozen=True, slots=True, eq=False)
class State:
    """What the state file holds.

    Attributes:
        tombstones: (n,) uint64, sorted.
        requests: (m,) of :data:`REQUEST`, in the order in which they came.
    """

    tombstones: NDArray[np.uint64] = field(default_factory=lambda: np.empty(0, dtype=np.uint64))
    requests: NDArray[np.void] = field(default_factory=lambda: np.empty(0, dtype=REQUEST))


def write_state(
    disk: Disk, folder: Path, gallery: str, number: int, key: bytes | None, state: State
) -> StateEntry | None:
    """Write and sync a state file; None (and no file) when there is nothing to say."""
    requests = state.requests[-MAX_REQUESTS:]
    if not len(state.tombstones) and not len(requests):
        return None
    data_key = new_data_key(key)
    body = state.tombstones.astype("<u8").tobytes() + requests.tobytes()
    stored = Envelope.of(data_key, gallery, "state", number).close(body, "state", 0)
    fields = {
        "kind": "state",
        "gallery": gallery,
        "number": number,
        "tombstones": len(state.tombstones),
        "requests": len(requests),
        "stored": len(stored),
        "crc": zlib.crc32(stored),
    }
    header = pack_header(fields, data_key, key)
    file = disk.create(folder / file_name("state", number))
    try:
        file.write(0, header + stored)
        file.sync()
    finally:
        file.close()
    digest = hashlib.sha256(header).hexdigest()
    return StateEntry(number, len(state.tombstones), len(requests), HEADER_BYTES + len(stored), digest)


def read_state(folder: Path, entry: StateEntry, gallery: str, key: bytes | None) -> State:
    """Read and check all of it; of a sealed one without the key only the checksum, and nothing is returned in it.

    Raises:
        GalleryCorruptError, and FileNotFoundError when the file was replaced meanwhile.
    """
    file = file_name("state", entry.number)
    data = (folder / file).read_bytes()
    header = read_header(file, data[:HEADER_BYTES], "state", gallery, entry.number, key)
    if header.digest != entry.header:
        raise GalleryCorruptError(file, "header", 0, "not the file that the manifest names")
    if len(data) != entry.bytes:
        raise GalleryCorruptError(
            file, "file", min(len(data), entry.bytes), f"{len(data)} bytes, {entry.bytes} were written"
        )
    stored = data[HEADER_BYTES:]

    def corrupt(reason: str) -> GalleryCorruptError:
        return GalleryCorruptError(file, "state 0", HEADER_BYTES, reason)

    if zlib.crc32(stored) != header.fields["crc"]:
        raise corrupt("the checksum does not fit")
    if header.envelope is None:
        return State()
    try:
        body = header.envelope.open(stored, "state", 0)
    except (crypto.UnsealError, crypto.SealVersionError):
        raise corrupt("the seal does not fit") from None
    if len(body) != 8 * entry.tombstones + REQUEST.itemsize * entry.requests:
        raise corrupt("another length than its counts need")
    tombstones = np.frombuffer(body, "<u8", entry.tombstones)
    return State(tombstones, np.frombuffer(body, REQUEST, entry.requests, 8 * entry.tombstones))
