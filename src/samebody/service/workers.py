"""Signs of life of worker processes: a file each beside the sealed files, touched while they live.

Files and not rows: a sign every few seconds would keep SQLite's one writer busy for nothing. On a store of several
machines the folder (or bucket) of sealed files is shared, so that these are seen too.
"""

from __future__ import annotations

import contextlib
import threading
from datetime import timedelta

from samebody.errors import SamebodyError
from samebody.store.store import Store

FOLDER = "workers"
EVERY = 5.0
"""Seconds between two signs."""
SILENT = timedelta(seconds=30)
"""A worker that has not been heard of for this long does not count."""


class SignOfLife:
    """Shows that a worker lives until it is stopped; a context manager."""

    def __init__(self, store: Store, name: str) -> None:
        self._store, self._blob = store, f"{FOLDER}/{''.join(c if c.isalnum() else '-' for c in name)}"
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="samebody-alive", daemon=True)

    def _run(self) -> None:
        while True:
            with contextlib.suppress(SamebodyError):  # it cannot write: then it cannot work either, and does not count
                self._store.blobs.put(self._blob, b"alive")
            if self._stop.wait(EVERY):
                return

    def __enter__(self) -> SignOfLife:
        self._thread.start()
        return self

    def __exit__(self, *exc: object) -> None:
        self._stop.set()
        self._thread.join()
        with contextlib.suppress(SamebodyError):
            self._store.blobs.delete(self._blob)


def seen_workers(store: Store, silent: timedelta) -> int:
    """How many workers showed a sign of life within ``silent``."""
    limit = store.clock() - silent
    try:
        return sum(1 for _, changed in store.blobs.names(FOLDER) if changed >= limit)
    except SamebodyError:
        return 0
