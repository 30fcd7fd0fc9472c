"""A gallery in memory and a naive engine: what the logic above engines and storage is tested against."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from samebody.search.engines.arrays import ArraySource
from samebody.search.enrolment import Applicant
from samebody.search.thresholds import synthetic_vector_space
from samebody.search.types import Block, Exclude, Hits, Layout, Probes, Source

DIMENSION = 16
SPACE = synthetic_vector_space(DIMENSION).digest
IRIS_SPACE = "f" * 16
COLUMNS = 8


def naive_scores(probes: Probes, block: Block) -> NDArray[np.float32]:
    """(q, n) scores by the definition in :mod:`samebody.search.types`, without a kernel."""
    if probes.vectors is not None:
        assert block.vectors is not None
        return np.clip(
            (probes.vectors.astype(np.float64) @ block.vectors.T.astype(np.float64)).astype(np.float32), -1, 1
        )
    assert probes.codes is not None and probes.masks is not None and block.codes is not None and block.masks is not None
    best = np.full((len(probes), len(block)), -np.inf)
    for turn in range(-2, 3):
        codes, masks = np.roll(probes.codes, turn, axis=1), np.roll(probes.masks, turn, axis=1)
        both = masks[:, None] & block.masks[None]
        usable = np.bitwise_count(both).sum(axis=2)
        apart = np.bitwise_count((codes[:, None] ^ block.codes[None]) & both).sum(axis=2)
        with np.errstate(invalid="ignore", divide="ignore"):
            score = np.where(usable >= 64, 1 - apart / usable, -np.inf)
        best = np.maximum(best, score)
    return best.astype(np.float32)


class NaiveEngine:
    """Every score of every pair, sorted."""

    name = "naive"

    def __init__(self, source: Source) -> None:
        self.refresh(source)
        self.searches = 0

    def refresh(self, source: Source) -> None:
        self._source, self.layout = source, source.layout

    def __len__(self) -> int:
        return len(self._source)

    def search(
        self, probes: Probes, k: int, *, minimum_score: float | None = None, exclude: Exclude | None = None
    ) -> Hits:
        probes.check_layout(self.layout)
        self.searches += 1
        ids = np.full((len(probes), k), -1, dtype=np.int64)
        scores = np.full((len(probes), k), -np.inf, dtype=np.float32)
        blocks = list(self._source.blocks())
        every = np.concatenate([block.record_ids for block in blocks] or [np.empty(0, np.uint64)]).astype(np.int64)
        live = np.concatenate([block.live for block in blocks] or [np.empty(0, bool)])
        table = np.concatenate(
            [naive_scores(probes, block) for block in blocks] or [np.empty((len(probes), 0))], axis=1
        )
        for row in range(len(probes)):
            keep = live & np.isfinite(table[row])
            if minimum_score is not None:
                keep &= table[row] >= np.float32(minimum_score)
            if exclude is not None:
                keep &= ~np.isin(every, np.asarray(exclude).astype(np.int64))
            order = np.lexsort((every[keep], -table[row][keep]))[:k]
            ids[row, : len(order)], scores[row, : len(order)] = every[keep][order], table[row][keep][order]
        return Hits(ids, scores, "naive")


@dataclass(frozen=True)
class StoredRecord:
    record_id: int
    subject: str
    modality: str
    attributes: dict[str, Any]


class MemoryGallery:
    """Subjects with vectors and irises, enrolled and deleted in memory, with the methods the logic asks for."""

    def __init__(self, dimension: int = DIMENSION, block: int = 50) -> None:
        self.layouts = (
            Layout("vector", synthetic_vector_space(dimension).digest, dimension),
            Layout("iris", IRIS_SPACE, COLUMNS),
        )
        self._block = block
        self._rows: dict[str, list[tuple[int, NDArray[np.generic]]]] = {"vector": [], "iris": []}
        self._owner: dict[int, str] = {}
        self._gone: set[int] = set()
        self._attributes: dict[int, dict[str, Any]] = {}
        self._next = 0

    def add(
        self, subject: str, modality: str, payload: NDArray[np.generic], attributes: Mapping[str, Any] | None = None
    ) -> int:
        record, self._next = self._next, self._next + 1
        self._attributes[record] = dict(attributes or {})
        self._rows[modality].append((record, payload))
        self._owner[record] = subject
        return record

    def delete(self, subject: str) -> None:
        self._gone |= {record for record, owner in self._owner.items() if owner == subject}

    def subject_of(self, record_ids: Iterable[int]) -> list[str | None]:
        return [None if int(r) in self._gone else self._owner.get(int(r)) for r in record_ids]

    def records_of(self, subject: str) -> list[StoredRecord]:
        return [
            StoredRecord(record, subject, self._modality(record), self._attributes[record])
            for record, owner in self._owner.items()
            if owner == subject and record not in self._gone
        ]

    def _modality(self, record: int) -> str:
        return next(name for name, rows in self._rows.items() if any(held == record for held, _ in rows))

    def write(self, batch: Sequence[tuple[Applicant, Mapping[str, Any]]]) -> list[dict[str, int]]:
        written = []
        for applicant, attributes in batch:
            ids = {}
            if applicant.vector is not None:
                ids["vector"] = self.add(applicant.subject, "vector", applicant.vector, attributes)
            if applicant.iris is not None:
                ids["iris"] = self.add(applicant.subject, "iris", np.stack(applicant.iris), attributes)
            written.append(ids)
        return written

    def subject_count(self) -> int:
        return len({owner for record, owner in self._owner.items() if record not in self._gone})

    def source(self, modality: str) -> ArraySource:
        rows = self._rows[modality]
        blocks = []
        for start in range(0, len(rows), self._block):
            part = rows[start : start + self._block]
            ids = np.array([record for record, _ in part], dtype=np.uint64)
            live = np.array([record not in self._gone for record, _ in part])
            payload = np.stack([held for _, held in part])
            if modality == "vector":
                blocks.append(Block(("m", modality, start, len(part)), ids, live, vectors=payload))
            else:
                blocks.append(
                    Block(
                        ("m", modality, start, len(part)),
                        ids,
                        live,
                        codes=np.ascontiguousarray(payload[:, 0]),
                        masks=np.ascontiguousarray(payload[:, 1]),
                    )
                )
        return ArraySource(next(held for held in self.layouts if held.modality == modality), blocks)


def unit(generator: np.random.Generator, count: int, dimension: int = DIMENSION) -> NDArray[np.float32]:
    vectors = generator.standard_normal((count, dimension))
    return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)


def near(generator: np.random.Generator, vector: NDArray[np.float32], cosine: float) -> NDArray[np.float32]:
    """A unit vector at ``cosine`` from ``vector``."""
    other = generator.standard_normal(vector.shape)
    other -= other @ vector * vector
    made = cosine * vector + np.sqrt(1 - cosine**2) * other / np.linalg.norm(other)
    return (made / np.linalg.norm(made)).astype(np.float32)


def iris(generator: np.random.Generator, count: int) -> NDArray[np.uint64]:
    """(count, 2, columns): random codes, all bits usable."""
    codes = generator.integers(0, 2**64, (count, COLUMNS), dtype=np.uint64)
    return np.stack([codes, np.full_like(codes, 2**64 - 1)], axis=1)


def filled(
    count: int, seed: int = 1, modalities: Sequence[str] = ("vector",), dimension: int = DIMENSION
) -> MemoryGallery:
    generator = np.random.default_rng(seed)
    gallery = MemoryGallery(dimension)
    for number in range(count):
        if "vector" in modalities:
            gallery.add(f"s{number:05d}", "vector", unit(generator, 1, dimension)[0])
        if "iris" in modalities:
            gallery.add(f"s{number:05d}", "iris", iris(generator, 1)[0])
    return gallery
