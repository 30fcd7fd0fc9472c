"""The list that lies in a mirror folder: which record each file belongs to, and under which licence it travels."""

from __future__ import annotations

import json
from collections.abc import Iterable

from samebody.models.record import ModelRecord
from samebody.models.store import Store

MANIFEST = "manifest.json"


def write_manifest(store: Store, records: Iterable[ModelRecord]) -> None:
    """Add ``records`` to the folder's list; the caller holds the lock. People read it, samebody goes by hashes alone.

    Raises:
        DiskFullError, NotWritableError: the old list is then untouched.
    """
    path = store.folder / MANIFEST
    entries: dict[str, dict[str, object]] = {}
    if path.is_file():
        try:
            entries = json.loads(path.read_text(encoding="utf-8"))["files"]
        except (ValueError, KeyError, TypeError):
            entries = {}
    for record in records:
        entries[record.id] = {
            "file": store.path(record.sha256, record.format).name,
            "original_name": record.filename,
            "version": record.version,
            "sha256": record.sha256,
            "bytes": record.bytes,
            "licence": record.licence.spdx,
            "commercial_use": record.licence.commercial_use,
            "notice": record.licence.notice,
        }
    text = json.dumps({"files": dict(sorted(entries.items()))}, indent=1, ensure_ascii=False)
    store.write(path, f"{text}\n".encode())
