"""File headers and envelopes: how blocks are sealed, and what binds each to its place.

Every file of a gallery has a random data key of its own, sealed with the gallery's key into the file's header; the
header's other fields are its associated data, so none of them can be changed without the key. Every block is sealed
with the data key (AES-256-GCM, random nonce, :mod:`samebody.crypto`) and bound to gallery, kind and number of the file,
part and index: blocks cannot be swapped within a file, between files or between galleries. A data key seals far fewer
than the 2**32 messages that random nonces allow (NIST SP 800-38D, 8.3).

In a plain gallery there are no keys and blocks lie as they are, guarded by CRC-32 alone.
"""

from __future__ import annotations

import hashlib
import json
import struct
import zlib
from dataclasses import dataclass, field
from typing import Any

from samebody import crypto
from samebody.search.gallery.errors import GalleryCorruptError, GalleryKeyError, GalleryVersionError

FORMAT = 1
"""Version of everything a gallery writes."""
HEADER_BYTES = 4096
_MAGIC = b"\x89SBG\r\n\x1a\n"
_START = struct.Struct("<8sHHI")
"""Magic, format version, reserved, bytes of the JSON that follows."""
_CHECK = struct.Struct("<I")


@dataclass(frozen=True, slots=True)
class Envelope:
    """Closes and opens the blocks of one file.

    Attributes:
        key: the file's data key; None in a plain gallery.
        binding: what every block of the file is bound to.
    """

    key: bytes | None = field(repr=False)
    binding: bytes

    @classmethod
    def of(cls, key: bytes | None, gallery: str, kind: str, number: int) -> Envelope:
        """For the file of this kind and number."""
        return cls(key, f"samebody/gallery/{FORMAT}/{gallery}/{kind}/{number}".encode())

    def close(self, data: bytes, part: str, index: int) -> bytes:
        """``data`` as it is stored."""
        if self.key is None:
            return data
        return crypto.seal(self.key, data, associated_data=self.binding + f"/{part}/{index}".encode())

    def open(self, stored: bytes, part: str, index: int) -> bytes:
        """What :meth:`close` was given; raises UnsealError when it was changed or stood elsewhere."""
        if self.key is None:
            return bytes(stored)
        return crypto.unseal(self.key, bytes(stored), associated_data=self.binding + f"/{part}/{index}".encode())


@dataclass(frozen=True, slots=True)
class Header:
    """The first 4096 bytes of a file, read and checked.

    Attributes:
        fields: what it says.
        envelope: for the blocks that follow; None when it was read without the gallery's key.
        digest: SHA-256 of all 4096 bytes; the manifest repeats it, so that no other file can take the place.
    """

    fields: dict[str, Any]
    envelope: Envelope | None
    digest: str


def new_data_key(gallery_key: bytes | None) -> bytes | None:
    """A random key for a new file of a sealed gallery."""
    return None if gallery_key is None else crypto.generate_key()


def pack_header(fields: dict[str, Any], data_key: bytes | None, gallery_key: bytes | None) -> bytes:
    """The header of a file: JSON with the sealed data key, padded, with a CRC-32 at its end."""
    if data_key is not None and gallery_key is not None:
        sealed = crypto.seal(gallery_key, data_key, associated_data=canonical(fields))
        fields = {**fields, "key": sealed.hex()}
    text = canonical(fields)
    room = HEADER_BYTES - _START.size - _CHECK.size
    if len(text) > room:
        raise ValueError(f"a header of {len(text)} bytes does not fit into {room}")
    start = _START.pack(_MAGIC, FORMAT, 0, len(text)) + text + bytes(room - len(text))
    return start + _CHECK.pack(zlib.crc32(start))


def read_header(file: str, data: bytes, kind: str, gallery: str, number: int, gallery_key: bytes | None) -> Header:
    """Check a header and open its data key.

    Args:
        file: name, for messages.
        data: the file's first 4096 bytes.
        kind, gallery, number: what it must say it is.
        gallery_key: None for a plain gallery, or to look at the header alone.

    Raises:
        GalleryCorruptError, GalleryVersionError, GalleryKeyError.
    """

    def corrupt(reason: str) -> GalleryCorruptError:
        return GalleryCorruptError(file, "header", 0, reason)

    if len(data) != HEADER_BYTES:
        raise corrupt(f"cut to {len(data)} bytes")
    if data[: len(_MAGIC)] != _MAGIC:
        raise corrupt("not a file of a gallery")
    if zlib.crc32(data[: -_CHECK.size]) != _CHECK.unpack(data[-_CHECK.size :])[0]:
        raise corrupt("the checksum does not fit")
    _, version, _, length = _START.unpack_from(data)
    if version != FORMAT:
        raise GalleryVersionError(f"{file} is of format {version}, known is {FORMAT}.", hint="Update samebody.")
    try:
        fields = json.loads(data[_START.size : _START.size + length])
    except ValueError:
        raise corrupt("not readable") from None
    if (fields.get("kind"), fields.get("gallery"), fields.get("number")) != (kind, gallery, number):
        raise corrupt("it belongs to another place or gallery")
    sealed = fields.pop("key", None)
    digest = hashlib.sha256(data).hexdigest()
    if sealed is None:
        return Header(fields, Envelope.of(None, gallery, kind, number), digest)
    if gallery_key is None:
        return Header(fields, None, digest)
    try:
        data_key = crypto.unseal(gallery_key, bytes.fromhex(sealed), associated_data=canonical(fields))
    except (crypto.UnsealError, crypto.SealVersionError, ValueError):
        raise corrupt("the key of the file cannot be opened") from None
    return Header(fields, Envelope.of(data_key, gallery, kind, number), digest)


def canonical(fields: dict[str, Any]) -> bytes:
    """JSON with sorted names and no spaces: equal fields give equal bytes."""
    return json.dumps(fields, sort_keys=True, separators=(",", ":"), ensure_ascii=True).encode()


def check_key(key: bytes | None, sealed: bool) -> None:
    """Refuse a missing key, a key of another size, and a key where none is used.

    Raises:
        GalleryKeyError.
    """
    if sealed and key is None:
        raise GalleryKeyError("the gallery is sealed and no key was given.", hint="Give the gallery's key.")
    if not sealed and key is not None:
        raise GalleryKeyError(
            "the gallery is plain: its records lie open on the disk, and a key would not protect them.",
            hint="Open it without a key, or enrol into a sealed gallery.",
        )
    if key is not None and (len(key) != crypto.KEY_BYTES):
        raise GalleryKeyError(f"a gallery's key is {crypto.KEY_BYTES} bytes.", hint="Make one with generate_key().")
