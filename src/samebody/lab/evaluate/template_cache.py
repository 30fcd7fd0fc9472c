"""A resumable cache of templates of evaluation pictures, keyed by embedding space and file hash.

It serves measurements over public data sets only; templates of the product's own subjects never come here.
"""

from __future__ import annotations

import os
import tempfile
import zipfile
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from samebody.errors import StorageError


class CacheNotWritableError(StorageError):
    """The folder of cached templates cannot be written."""

    code = "measure.cache_not_writable"


class TemplateCache:
    """Templates by the SHA-256 of the picture; a picture without a usable face is kept as a failure to acquire.

    Entries are gathered and written as one new shard each time ``shard_size`` is reached: a killed run loses at
    most one shard, and half a shard is never seen because a shard appears under its name when it is whole.

    Args:
        folder: one folder for each embedding space and detector.
        dimensions: of a template.
        shard_size: pictures in a file.
    """

    def __init__(self, folder: Path, dimensions: int, shard_size: int = 256) -> None:
        self.folder, self.dimensions, self.shard_size = folder, dimensions, shard_size
        self._known: dict[str, NDArray[np.float32] | str] = {}
        self._fresh: list[str] = []
        for path in sorted(folder.glob("*.npz")):
            self._read(path)

    def __len__(self) -> int:
        return len(self._known)

    def __contains__(self, sha256: str) -> bool:
        return sha256 in self._known

    def __getitem__(self, sha256: str) -> NDArray[np.float32] | str:
        """(dimensions,) float32, or the reason of a failure to acquire; raises KeyError when it was never tried."""
        return self._known[sha256]

    def put(self, sha256: str, entry: NDArray[np.float32] | str) -> None:
        """Remember a template, or the reason code (ASCII, up to 64 characters) of a failure to acquire.

        Raises:
            CacheNotWritableError: a full shard could not be written.
        """
        if sha256 not in self._known:
            self._fresh.append(sha256)
        self._known[sha256] = entry if isinstance(entry, str) else np.asarray(entry, dtype=np.float32)
        if len(self._fresh) >= self.shard_size:
            self.flush()

    def flush(self) -> None:
        """Write what was not written yet.

        Raises:
            CacheNotWritableError: the folder cannot be written.
        """
        if not self._fresh:
            return
        vectors = np.zeros((len(self._fresh), self.dimensions), dtype=np.float32)
        failures = np.zeros(len(self._fresh), dtype="S64")
        for row, name in enumerate(self._fresh):
            entry = self._known[name]
            if isinstance(entry, str):
                failures[row] = entry.encode("ascii") or b"unknown"
            else:
                vectors[row] = entry
        temporary: Path | None = None
        try:
            self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            handle, name = tempfile.mkstemp(dir=self.folder, suffix=".part")
            temporary = Path(name)
            with os.fdopen(handle, "wb") as stream:
                np.savez(stream, sha256=np.array(self._fresh, dtype="S64"), vectors=vectors, failures=failures)
            temporary.replace(self.folder / f"{self._fresh[0]}.npz")
        except OSError as error:
            if temporary is not None:
                temporary.unlink(missing_ok=True)
            raise CacheNotWritableError(
                f"templates cannot be kept in {self.folder}: {error.strerror}.",
                hint="Free some space or set XDG_CACHE_HOME to a folder you can write to.",
            ) from None
        self._fresh = []

    def clear(self) -> None:
        """Forget everything, on disk too."""
        for path in self.folder.glob("*.npz"):
            path.unlink()
        self._known, self._fresh = {}, []

    def _read(self, path: Path) -> None:
        try:
            with np.load(path, allow_pickle=False) as shard:
                names, vectors, failures = shard["sha256"], shard["vectors"], shard["failures"]
        except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile):
            path.unlink(missing_ok=True)  # a damaged shard costs a few seconds of work, not a wrong figure
            return
        if vectors.shape != (len(names), self.dimensions) or failures.shape != names.shape:
            path.unlink(missing_ok=True)
            return
        for name, vector, failure in zip(names, vectors, failures):
            self._known[name.decode("ascii")] = failure.decode("ascii") if failure else vector
