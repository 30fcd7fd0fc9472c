"""The durable gallery: who is enrolled, kept so that what was acknowledged stays and what was deleted goes.

    from samebody.search.gallery import Enrolment, Gallery
    from samebody.search.types import Layout

    with Gallery.create("people", layouts=[Layout("vector", space.digest, 128)], key=key) as gallery:
        ids = gallery.enrol([Enrolment("person-17", template)])

Names are imported when they are first used.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from samebody.search.gallery.compaction import CompactionReport
    from samebody.search.gallery.core import Tuning
    from samebody.search.gallery.manifest import SnapshotEntry
    from samebody.search.gallery.records import Enrolment, Stats, StoredRecord
    from samebody.search.gallery.source import GallerySource
    from samebody.search.gallery.store import Gallery
    from samebody.search.gallery.verify import VerifyReport, verify_gallery

_PLACES = {
    "CompactionReport": "compaction",
    "Enrolment": "records",
    "Gallery": "store",
    "GallerySource": "source",
    "SnapshotEntry": "manifest",
    "Stats": "records",
    "StoredRecord": "records",
    "Tuning": "core",
    "VerifyReport": "verify",
    "verify_gallery": "verify",
}

__all__ = [
    "CompactionReport",
    "Enrolment",
    "Gallery",
    "GallerySource",
    "SnapshotEntry",
    "Stats",
    "StoredRecord",
    "Tuning",
    "VerifyReport",
    "verify_gallery",
]


def __getattr__(name: str) -> Any:
    if name in _PLACES:
        return getattr(importlib.import_module(f"samebody.search.gallery.{_PLACES[name]}"), name)
    raise AttributeError(f"module 'samebody.search.gallery' has no attribute {name!r}")
