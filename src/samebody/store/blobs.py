"""Sealed files: a folder by default, a bucket by URL. They hold sealed bytes only; names tell nothing."""

from __future__ import annotations

import os
import re
import secrets
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Protocol

from samebody.store.errors import BlobError, BlobsAwayError, StoreConfigError, StoreExtraMissingError

_NAME = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9_.-]*(/[A-Za-z0-9_.-]+)*")
TEMPORARY = ".part"


class Blobs(Protocol):
    """Where sealed files are kept. Names are ``folder/name``, of letters, digits, dashes, dots and underscores."""

    def put(self, name: str, data: bytes) -> None:
        """Write a file whole; it is durable when this returns. Raises BlobError."""
        ...

    def get(self, name: str) -> bytes:
        """The bytes of a file. Raises BlobError when it is not there."""
        ...

    def delete(self, name: str) -> None:
        """Remove a file; one that is gone already is no error. Raises BlobError."""
        ...

    def names(self, folder: str = "") -> Iterator[tuple[str, datetime]]:
        """Every file, half-written ones too, with the time of its last change."""
        ...


class FolderBlobs:
    """Files in a folder of this machine: written under another name, flushed, renamed."""

    def __init__(self, folder: Path | str) -> None:
        self.folder = Path(folder)

    def put(self, name: str, data: bytes) -> None:
        """See :class:`Blobs`."""
        path = self._path(name)
        temporary = path.with_name(f"{path.name}.{secrets.token_hex(4)}{TEMPORARY}")
        try:
            handle = _created(temporary)
            try:
                with os.fdopen(handle, "wb") as stream:
                    stream.write(data)
                    stream.flush()
                    os.fsync(stream.fileno())
                temporary.replace(path)
            except BaseException:
                temporary.unlink(missing_ok=True)
                raise
            _sync(path.parent)
            _sync(self.folder)
        except OSError as error:
            raise _failed("written", error) from None

    def get(self, name: str) -> bytes:
        """See :class:`Blobs`."""
        try:
            return self._path(name).read_bytes()
        except OSError as error:
            raise _failed("read", error) from None

    def delete(self, name: str) -> None:
        """See :class:`Blobs`; the folder of a case goes with its last file."""
        path = self._path(name)
        try:
            path.unlink(missing_ok=True)
            if path.parent.is_dir():
                _sync(path.parent)
        except OSError as error:
            raise _failed("deleted", error) from None
        try:
            if path.parent != self.folder:
                path.parent.rmdir()
        except OSError:
            return  # other files are in it

    def names(self, folder: str = "") -> Iterator[tuple[str, datetime]]:
        """See :class:`Blobs`."""
        for path in sorted((self.folder / folder).rglob("*")):
            try:
                if path.is_file():
                    yield path.relative_to(self.folder).as_posix(), datetime.fromtimestamp(path.stat().st_mtime, UTC)
            except OSError:
                continue  # deleted meanwhile

    def _path(self, name: str) -> Path:
        return self.folder / checked_name(name)


class FsspecBlobs:
    """Files wherever else fsspec reaches: ``memory://...``, ``sftp://...``. Buckets: :mod:`samebody.store.objects`.

    Durable as far as the service behind is; an object store shows a file only when it is whole.

    Raises:
        StoreExtraMissingError, StoreConfigError.
    """

    def __init__(self, url: str, **options: Any) -> None:
        try:
            import fsspec
        except ImportError:
            raise StoreExtraMissingError(
                "object storage needs fsspec, which is not installed.", hint="pip install fsspec and its driver."
            ) from None
        try:
            self._files, self._root = fsspec.core.url_to_fs(url, **options)
        except (ImportError, ValueError) as error:
            raise StoreConfigError(f"the media URL cannot be used: {type(error).__name__}.") from None

    def put(self, name: str, data: bytes) -> None:
        """See :class:`Blobs`."""
        path = self._path(name)
        try:
            self._files.makedirs(path.rsplit("/", 1)[0], exist_ok=True)
            self._files.pipe_file(path, data)
        except OSError as error:
            raise _failed("written", error) from None

    def get(self, name: str) -> bytes:
        """See :class:`Blobs`."""
        try:
            return bytes(self._files.cat_file(self._path(name)))
        except OSError as error:
            raise _failed("read", error) from None

    def delete(self, name: str) -> None:
        """See :class:`Blobs`."""
        try:
            self._files.rm_file(self._path(name))
        except FileNotFoundError:
            return
        except OSError as error:
            raise _failed("deleted", error) from None

    def names(self, folder: str = "") -> Iterator[tuple[str, datetime]]:
        """See :class:`Blobs`."""
        try:
            found = self._files.find(f"{self._root.rstrip('/')}/{folder}".rstrip("/"), detail=True)
        except FileNotFoundError:
            return
        for path, facts in sorted(found.items()):
            changed = facts.get("LastModified") or facts.get("created") or facts.get("mtime")
            if isinstance(changed, int | float):
                changed = datetime.fromtimestamp(changed, UTC)
            if not isinstance(changed, datetime):
                changed = datetime.now(UTC)  # unknown: never old enough to be swept as an orphan
            name = path[len(self._root) :].strip("/")
            yield name, changed if changed.tzinfo else changed.replace(tzinfo=UTC)

    def _path(self, name: str) -> str:
        return f"{self._root.rstrip('/')}/{checked_name(name)}"


def open_blobs(where: str | Path) -> Blobs:
    """A folder, a bucket, or what fsspec makes of another URL.

    Raises:
        StoreExtraMissingError, StoreConfigError.
    """
    from samebody.store.objects import SCHEMES, ObjectBlobs

    scheme, separator, _ = str(where).partition("://")
    if not separator:
        return FolderBlobs(where)
    return ObjectBlobs(str(where)) if scheme in SCHEMES else FsspecBlobs(str(where))


def checked_name(name: str) -> str:
    """The name when it is one that :class:`Blobs` allows.

    Raises:
        BlobError.
    """
    if not _NAME.fullmatch(name) or ".." in name:
        raise BlobError("the name of a sealed file is not allowed.")
    return name


def _created(path: Path) -> int:
    for last in (False, False, True):
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        try:
            return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        except FileNotFoundError:  # the folder was empty and somebody removed it
            if last:
                raise
    raise AssertionError


def _sync(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _failed(what: str, error: OSError) -> BlobError:
    if isinstance(error, FileNotFoundError) and what == "read":
        return BlobError("a sealed file cannot be read: no such file.", hint="Restore it from a backup.")
    reason = (error.strerror or type(error).__name__).lower()
    return BlobsAwayError(f"a sealed file cannot be {what}: {reason}.", hint="Check the media folder and its disk.")
