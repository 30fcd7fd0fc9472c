"""Small synthetic galleries for the tests of the gallery."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from samebody.search.gallery import Gallery, Tuning
from samebody.search.types import Layout

VECTOR = Layout("vector", "0123456789abcdef", 8)
IRIS = Layout("iris", "fedcba9876543210", 8)
KEY = bytes(range(32))
KEYS = [None, KEY]
SMALL = Tuning(block_bytes=160, log_bytes=6_000, segment_bytes=20_000)
"""Blocks of 5 vectors or 1 iris, so that a few records make many blocks and segments."""


def vectors(count: int, seed: int = 0, dimension: int = 8) -> NDArray[np.float32]:
    drawn = np.random.default_rng(seed).standard_normal((count, dimension)).astype(np.float32)
    return drawn / np.linalg.norm(drawn, axis=1, keepdims=True)


def irises(count: int, seed: int = 0, columns: int = 8) -> tuple[NDArray[np.uint64], NDArray[np.uint64]]:
    drawn = np.random.default_rng(seed).integers(1, 2**63, (2, count, columns), dtype=np.uint64)
    return drawn[0], drawn[1]


def subjects(count: int, start: int = 0) -> list[str]:
    return [f"subject-{start + number:05d}" for number in range(count)]


def make(path: Path, key: bytes | None = None, *, tuning: Tuning = SMALL, **more) -> Gallery:
    return Gallery.create(path, layouts=[VECTOR, IRIS], key=key, tuning=tuning, **more)


def fill(gallery: Gallery, batches: int = 8, size: int = 20, seed: int = 0) -> dict[int, str]:
    """Enrol vectors and irises; returns record id -> subject."""
    held = {}
    for batch in range(batches):
        names = subjects(size, batch * size)
        ids = gallery.enrol_arrays("vector", names, vectors(size, seed + batch), space=VECTOR.space)
        held.update(zip(ids.tolist(), names, strict=True))
        ids = gallery.enrol_arrays("iris", names[:3], irises(3, seed + batch), space=IRIS.space)
        held.update(zip(ids.tolist(), names[:3], strict=True))
    return held


def live(gallery: Gallery, modality: str) -> dict[int, tuple[bytes, ...]]:
    """Record id -> payload bytes of everything a search would see."""
    found: dict[int, tuple[bytes, ...]] = {}
    for block in gallery.source(modality).blocks():
        arrays = [block.vectors] if block.vectors is not None else [block.codes, block.masks]
        for row, record_id in enumerate(block.record_ids.tolist()):
            if block.live[row]:
                assert record_id not in found
                found[record_id] = tuple(array[row].tobytes() for array in arrays)
    return found


def holdings(gallery: Gallery) -> dict[int, str]:
    """Record id -> subject of every live record."""
    ids = [record for modality in ("vector", "iris") for record in live(gallery, modality)]
    named = dict(zip(ids, gallery.subject_of(ids), strict=True))
    assert None not in named.values()
    return named


def files(path: Path) -> list[Path]:
    return sorted(each for each in path.iterdir() if each.is_file() and each.name != "LOCK")
