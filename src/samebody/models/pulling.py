"""Bring the files of records to this machine: sources in order, verified while they stream, all or nothing."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Literal, Protocol

from samebody.config import Settings, load_settings
from samebody.errors import SamebodyError
from samebody.models.archives import Carrier, Carriers, Observer, Silent
from samebody.models.errors import (
    DiskFullError,
    MissingSourceError,
    NoNetworkError,
    NotWritableError,
    OfflineError,
    PullError,
    TruncatedError,
    WeightsCorruptError,
    WeightsMissingError,
    WrongHashError,
)
from samebody.models.http import CHUNK, Network
from samebody.models.mirror import write_manifest
from samebody.models.npm_registry import find_tarball
from samebody.models.pip_index import find_release_files, pip_config
from samebody.models.record import ModelRecord
from samebody.models.sessions import local_sources, weights_path
from samebody.models.sniff import require_format
from samebody.models.sources import BundledSource, FileSource, NpmSource, PyPISource, Source
from samebody.models.store import Store

_TELLING: tuple[type[PullError], ...] = (
    WrongHashError,
    TruncatedError,
    OfflineError,
    NoNetworkError,
    MissingSourceError,
)
"""Which trouble of several sources names the error: the first of these that occurred."""
_HINTS: dict[type[PullError], str] = {
    WrongHashError: "The record and its sources disagree: do not use the file; check the record.",
    TruncatedError: "Run the command again.",
    OfflineError: "Fill a folder with `samebody models pull --mirror DIR` elsewhere, set SAMEBODY_MIRROR_DIR to it.",
    NoNetworkError: "Check the network and pip's and npm's settings (proxy, index), or carry a mirror folder here.",
    MissingSourceError: "Check pip's and npm's settings (index), or carry a mirror folder here.",
}


class PullObserver(Observer, Protocol):
    """Who is told how far a pull of several records is."""

    def begin(self, record: ModelRecord) -> None:
        """The pull of ``record`` begins."""

    def waiting(self) -> None:
        """Another process is writing to the folder; we wait for it."""

    def end(self, result: PullResult) -> None:
        """A record is done."""


class SilentPull(Silent):
    """Tells nobody."""

    def begin(self, record: ModelRecord) -> None:
        """Nothing."""

    def waiting(self) -> None:
        """Nothing."""

    def end(self, result: PullResult) -> None:
        """Nothing."""


@dataclass(frozen=True, slots=True)
class PullResult:
    """What became of one record.

    Attributes:
        id: of the record.
        action: ``present`` (was there, or the record has no file), ``pulled``, ``derived`` (only the derived file was
            made) or ``failed``.
        source: where the file came from; empty unless pulled.
        path: the file that is run, or the file in the mirror; None when it failed.
        error: why it failed.
    """

    id: str
    action: Literal["present", "pulled", "derived", "failed"]
    source: str = ""
    path: Path | None = None
    error: SamebodyError | None = None


def pull(
    records: ModelRecord | Iterable[ModelRecord],
    settings: Settings | None = None,
    *,
    mirror: Path | None = None,
    observer: PullObserver | None = None,
) -> tuple[PullResult, ...]:
    """Bring the files of ``records`` to the models folder, or their source files to a mirror folder.

    A record whose sources fail does not stop the others; a folder that is full or closed does. Safe when two
    processes pull at once: the second waits for the first and then finds the file.

    Args:
        records: what to pull, one or several.
        settings: folders, ``offline``, ``network_timeout``.
        mirror: fill this folder with source files instead, to be carried to a machine without a network.
        observer: is told how far it is.

    Returns:
        One result a record, in their order; look at ``error``, or call :func:`require_all`.

    Raises:
        DiskFullError, NotWritableError, LockTimeoutError: the folder cannot take files; nothing half written.
    """
    settings, observer = settings or load_settings(), observer or SilentPull()
    wanted = [records] if isinstance(records, ModelRecord) else list(records)
    store = Store((mirror or settings.models_dir).expanduser())
    network = Network(offline=settings.offline, timeout=settings.network_timeout)
    results = []
    with Carriers(store, observer) as carriers:
        for record in wanted:
            observer.begin(record)
            if record.weightless:
                results.append(PullResult(record.id, "present"))
                observer.end(results[-1])
                continue
            job = _Job(record, settings, store, carriers, network, observer, mirror is not None)
            try:
                result = job.run()
            except (DiskFullError, NotWritableError):
                raise
            except SamebodyError as error:
                result = PullResult(record.id, "failed", error=error)
            results.append(result)
            observer.end(result)
    if mirror is not None:
        with store.locked(observer.waiting):
            write_manifest(
                store, [r for r, done in zip(wanted, results, strict=True) if done.error is None and not r.weightless]
            )
    return tuple(results)


def require_all(results: Iterable[PullResult]) -> None:
    """Raise the error of the first record that failed; the message names the others."""
    failed = [result for result in results if result.error is not None]
    if not failed:
        return
    error = failed[0].error
    assert error is not None
    others = ", ".join(f"{result.id} ({result.error.code})" for result in failed[1:] if result.error)
    raise type(error)(error.message + (f" Also failed: {others}." if others else ""), hint=error.hint)


@dataclass(frozen=True, slots=True)
class _Job:
    """The pull of one record."""

    record: ModelRecord
    settings: Settings
    store: Store
    carriers: Carriers
    network: Network
    observer: PullObserver
    to_mirror: bool

    def run(self) -> PullResult:
        """Look, lock, look again, fetch, derive."""
        if found := self._present():
            return PullResult(self.record.id, "present", path=found)
        with self.store.locked(self.observer.waiting):
            if found := self._present():
                return PullResult(self.record.id, "present", path=found)
            origin = ""
            target = self.store.path(self.record.sha256, self.record.format)
            if not _holds(target, self.record.sha256):
                self._require_room()
                origin = self._fetch(target)
            if self.to_mirror or self.record.derived is None:
                return PullResult(self.record.id, "pulled", origin, target)
            from samebody.models.derive import derive  # onnx takes long to import, and only a derivation needs it

            path = self.store.path(self.record.run_sha256, self.record.run_format)
            data = derive(self.record, target.read_bytes())
            require_format(data, self.record.run_format, name=self.record.id)
            self.store.write(path, data)
            return PullResult(self.record.id, "pulled" if origin else "derived", origin, path)

    def _present(self) -> Path | None:
        if self.to_mirror:
            target = self.store.path(self.record.sha256, self.record.format)
            return target if _holds(target, self.record.sha256) else None
        try:
            return weights_path(self.record, self.settings)
        except (WeightsMissingError, WeightsCorruptError):
            return None

    def _require_room(self) -> None:
        needed = self.record.bytes + (self.record.run_bytes if self.record.derived and not self.to_mirror else 0)
        free = shutil.disk_usage(self.store.folder).free
        if free < needed:
            raise DiskFullError(
                f"{self.record.id} needs {needed:,} bytes, {self.store.folder} has room for {free:,}; "
                f"nothing was written.",
                hint="Free some space, or set SAMEBODY_MODELS_DIR to a folder on a larger disk.",
            )

    def _fetch(self, target: Path) -> str:
        """Try the sources in order until one gives the file; returns the one that did."""
        troubles: list[tuple[str, PullError]] = []
        for name, chunks in self._attempts():
            try:
                self._receive(target, chunks)
                return name
            except PullError as error:
                troubles.append((name, error))
        kind = next((k for k in _TELLING if any(isinstance(e, k) for _, e in troubles)), MissingSourceError)
        lines = "".join(f"\n  {name}: {error.message}" for name, error in troubles)
        raise kind(f"no source gave the file of {self.record.id}:{lines}\n ", hint=_HINTS[kind])

    def _receive(self, target: Path, chunks: Callable[[], Iterator[bytes]]) -> None:
        record, digest, total = self.record, hashlib.sha256(), 0
        with closing(_generator(chunks())) as stream, self.store.writing(target) as output:
            for chunk in stream:
                total += len(chunk)
                if total > record.bytes:
                    raise WrongHashError(f"gave more than the {record.bytes:,} bytes of the record; thrown away.")
                digest.update(chunk)
                output.write(chunk)
                self.observer.advance(len(chunk))
            if total < record.bytes:
                raise TruncatedError(f"gave {total:,} of {record.bytes:,} bytes; thrown away.")
            if digest.hexdigest() != record.sha256:
                raise WrongHashError(
                    f"gave a file with SHA-256 {digest.hexdigest()}, the record says {record.sha256}; thrown away."
                )
            output.seek(0)
            require_format(output.read(), record.format, name=record.id)

    def _attempts(self) -> Iterator[tuple[str, Callable[[], Iterator[bytes]]]]:
        """Every way to the file, named: own files, folders on this machine, packages, upstream."""
        for path in local_sources(self.record):
            yield f"file {path}", partial(self._copy, path)
        folders = [self.settings.models_dir] if self.to_mirror else []
        if self.settings.mirror_dir is not None:
            folders.append(self.settings.mirror_dir)
        for folder in folders:
            path = Store(folder.expanduser()).path(self.record.sha256, self.record.format)
            if path.is_file() or folder is self.settings.mirror_dir:
                yield f"folder {folder}", partial(self._copy, path)
        rest = [s for s in self.record.sources if not isinstance(s, BundledSource | FileSource)]
        for source in sorted(rest, key=lambda s: s.kind == "url"):
            yield describe_source(source), partial(self._remote, source)

    def _copy(self, path: Path) -> Iterator[bytes]:
        try:
            with path.open("rb") as stream:
                self.observer.step(path.name, self.record.bytes)
                while chunk := stream.read(CHUNK):
                    yield chunk
        except OSError as error:
            raise MissingSourceError(f"{path.name} cannot be read ({error.strerror}).") from None

    def _remote(self, source: Source) -> Iterator[bytes]:
        expected = self.record.bytes
        if isinstance(source, PyPISource):
            config = pip_config()
            network = config.network(self.network)
            yield from self._first_of(source, find_release_files(source, config, network), network)
        elif isinstance(source, NpmSource):
            tarball = find_tarball(source, self.network)
            carrier = Carrier.of_npm(tarball.url, tarball.integrity)
            yield from self.carriers.member(
                tarball.network, carrier, source.member, strip_top=True, expected_bytes=expected
            )
        elif not isinstance(source, BundledSource | FileSource):
            with self.network.open(source.url) as answer:
                self.observer.step(self.record.filename, answer.length)
                while chunk := answer.read(CHUNK):
                    yield chunk

    def _first_of(self, source: PyPISource, files: list[Carrier], network: Network) -> Iterator[bytes]:
        """The member from the first release file that has it; later files are tried while nothing has come yet."""
        last: PullError | None = None
        for carrier in files:
            started = False
            try:
                for chunk in self.carriers.member(
                    network,
                    carrier,
                    source.member,
                    strip_top=source.archive == "sdist",
                    expected_bytes=self.record.bytes,
                ):
                    started = True
                    yield chunk
                return
            except PullError as error:
                if started:
                    raise
                last = error
        raise last or MissingSourceError("the release has no file.")


def describe_source(source: Source) -> str:
    """One source in a few words, for lists and messages."""
    if isinstance(source, PyPISource):
        return f"Python package {source.package} {source.version} ({source.archive}), {source.member}"
    if isinstance(source, NpmSource):
        return f"npm package {source.package} {source.version}, {source.member}"
    if isinstance(source, BundledSource | FileSource):
        return f"file {source.path}"
    return source.url


def _holds(path: Path, sha256: str) -> bool:
    if not path.is_file():
        return False
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest() == sha256


def _generator(chunks: Iterator[bytes]) -> _Closable:
    return chunks  # type: ignore[return-value]  # every source is a generator, and a generator can be closed


class _Closable(Protocol):
    def __iter__(self) -> Iterator[bytes]: ...

    def close(self) -> None: ...
