"""Who is found: records of a search become subjects, with every modality scored and the rate of each score."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from samebody.search.engines.arrays import ArraySource
from samebody.search.errors import LayoutError
from samebody.search.types import Block, Engine, Probes, Source

Builder = Callable[[Source], Engine]
"""Makes an engine over a source, with the settings that all comparisons of its modality share."""


class GalleryView(Protocol):
    """What identification asks of a gallery; :class:`samebody.search.gallery.Gallery` has it."""

    def subject_of(self, record_ids: Sequence[int] | NDArray[np.integer]) -> Sequence[str | None]:
        """Whose each record is; None where it is no longer there."""
        ...


def records_of(gallery: object, subject: str) -> list[int]:
    """Record ids of a subject, from a gallery that lists ids or stored records.

    Raises:
        LayoutError: the gallery cannot list them.
    """
    lister = getattr(gallery, "records_of", None)
    if lister is None:
        raise LayoutError("this gallery cannot list the records of a subject, so two modalities cannot be fused.")
    return [int(getattr(record, "record_id", record)) for record in lister(subject)]


def picked(source: Source, record_ids: NDArray[np.integer]) -> ArraySource:
    """The live records of ``record_ids`` as a source of their own; those that are not there are left out."""
    wanted = np.unique(np.asarray(record_ids, dtype=np.uint64))
    kept = []
    for block in source.blocks():
        if not len(block) or not len(wanted):
            continue
        places = np.searchsorted(block.record_ids, wanted)
        places[places == len(block)] = 0
        rows = places[(block.record_ids[places] == wanted) & block.live[places]]
        if len(rows):
            kept.append(block_rows(block, rows))
    return ArraySource(source.layout, kept)


def block_rows(block: Block, rows: NDArray[np.integer]) -> Block:
    """Some rows of a block, copied, all as they were; ``rows`` rise."""

    def take(array: NDArray[Any] | None) -> NDArray[Any] | None:
        return None if array is None else np.ascontiguousarray(array[rows])

    return Block(
        key=(block.key, rows.tobytes()),
        record_ids=block.record_ids[rows],
        live=block.live[rows],
        vectors=take(block.vectors),
        codes=take(block.codes),
        masks=take(block.masks),
    )


def block_probes(block: Block, space: str, rows: NDArray[np.integer] | None = None) -> Probes:
    """References of a block as probes, to compare a gallery with itself or another."""
    held = block if rows is None else block_rows(block, rows)
    return Probes(space, vectors=held.vectors, codes=held.codes, masks=held.masks)


def one_probe(probes: Probes, row: int) -> Probes:
    """Probe ``row`` alone."""

    def take(array: NDArray[Any] | None) -> NDArray[Any] | None:
        return None if array is None else array[row : row + 1]

    return Probes(probes.space, vectors=take(probes.vectors), codes=take(probes.codes), masks=take(probes.masks))


@dataclass(slots=True)
class Found:
    """One enrolled subject among the results of a search.

    Attributes:
        subject: who.
        scores: best score of each modality that probe and subject both have (and that could be compared).
        records: record id behind each score.
    """

    subject: str
    scores: dict[str, float] = field(default_factory=dict)
    records: dict[str, int] = field(default_factory=dict)

    def add(self, modality: str, score: float, record: int) -> None:
        """Keep the best score of a modality; of equal ones that of the lower record."""
        known = self.scores.get(modality)
        if known is None or score > known or (score == known and record < self.records[modality]):
            self.scores[modality], self.records[modality] = score, record


@dataclass(frozen=True, slots=True)
class SearchedWith:
    """Which engine answered, and how surely: ``miss_bound`` is nan where the engine can give none."""

    engine: str
    exact: bool
    miss_bound: float
    notes: Mapping[str, Any] = field(default_factory=dict)


def best_subjects(
    gallery: GalleryView,
    engine: Engine,
    probes: Probes,
    *,
    count: int,
    minimum: float | None = None,
    modality: str = "",
) -> tuple[list[dict[str, Found]], SearchedWith]:
    """For each probe the ``count`` best subjects; or every subject with a score of ``minimum`` or more.

    A subject may have several references, so the search is repeated with a longer list where the first list did not
    hold enough subjects or ended above the minimum. Nobody is lost to the length of a list.

    Args:
        gallery: names the subjects of records.
        engine: over the gallery's references.
        probes: q of one modality.
        count: subjects wanted for each probe.
        minimum: every subject at or above it is returned, however many there are, and nobody below it.
        modality: under which the scores are kept; the layout's when empty.

    Returns:
        For each probe a map from subject to what was found; may hold more than ``count`` subjects. How it was searched.
    """
    if count < 1:
        raise LayoutError(f"a candidate list holds at least one subject, got {count}.")
    name = modality or engine.layout.modality
    results: list[dict[str, Found]] = [{} for _ in range(len(probes))]
    waiting = list(range(len(probes)))
    total, length = max(len(engine), 1), min(count + 6, max(len(engine), 1))
    said = SearchedWith(engine.name, True, 0.0)
    while waiting:
        part = probes if len(waiting) == len(probes) else _rows(probes, waiting)
        hits = engine.search(part, length, minimum_score=minimum)
        answered = {"answered_by": list(named)} if (named := getattr(engine, "processes", None)) else {}
        said = SearchedWith(hits.engine, hits.exact, hits.miss_bound, {**hits.notes, **answered})
        again = []
        for place, probe in enumerate(waiting):
            ids, scores = hits.found(place)
            subjects = gallery.subject_of(ids)
            found: dict[str, Found] = {}
            for record, score, subject in zip(ids.tolist(), scores.tolist(), subjects, strict=True):
                if subject is not None and (minimum is None or score >= minimum):
                    found.setdefault(subject, Found(subject)).add(name, score, record)
            results[probe] = found
            complete = len(ids) < length or length >= total
            if not complete and (len(found) < count or minimum is not None):
                again.append(probe)
        waiting, length = again, min(4 * length, total)
    return results, said


def _rows(probes: Probes, rows: Sequence[int]) -> Probes:
    def take(array: NDArray[Any] | None) -> NDArray[Any] | None:
        return None if array is None else array[list(rows)]

    return Probes(probes.space, vectors=take(probes.vectors), codes=take(probes.codes), masks=take(probes.masks))


def score_records(
    builder: Builder, gallery: object, source: Source, probe: Probes, record_ids: Sequence[int]
) -> dict[int, float]:
    """The exact score of one probe with each of ``record_ids``; pairs that cannot be compared are missing.

    Args:
        builder: of the exact engine.
        gallery: hands out payloads with ``fetch``, or the source is looked through.
        source: of the records' modality.
        probe: one row.
        record_ids: records of any modality; those of another one, or gone, are left out.
    """
    few = records_source(gallery, source, record_ids)
    if len(few) == 0:
        return {}
    ids, scores = builder(few).search(probe, len(few)).found(0)
    return dict(zip(ids.tolist(), scores.tolist(), strict=True))


def records_source(gallery: object, source: Source, record_ids: Sequence[int]) -> ArraySource:
    """The live records of ``record_ids`` that are of the source's modality, as a source of their own."""
    fetch, layout = getattr(gallery, "fetch", None), source.layout
    if fetch is None:
        return picked(source, np.asarray(record_ids, dtype=np.uint64))
    parts = 1 if layout.modality == "vector" else 2
    rows = sorted(zip(record_ids, fetch(record_ids), strict=True), key=lambda row: row[0])
    kept = [(record, held) for record, held in rows if held is not None and len(held) == parts]
    if not kept:
        return ArraySource(layout, [])
    ids = np.array([record for record, _ in kept], dtype=np.uint64)
    stacked = [np.stack([held[part] for _, held in kept]) for part in range(parts)]
    if parts == 1:
        return ArraySource.of_vectors(stacked[0], layout.space, ids=ids)
    return ArraySource.of_codes(stacked[0], stacked[1], layout.space, ids=ids)
