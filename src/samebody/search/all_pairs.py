"""Every pair of records that scores at least so much: all pairs, tile by tile, exact and resumable.

The blocks of a source are joined to tiles. An engine is built over one tile and answers the records of every tile
before it (of every tile of the other gallery), so each pair is compared once and no table of scores is ever held.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from samebody.search.candidates import Builder, block_probes
from samebody.search.engines.arrays import ArraySource
from samebody.search.errors import SearchSpaceMismatchError
from samebody.search.journal import Journal
from samebody.search.types import Block, Engine, Hits, Probes, Source

TILE = 65_536
"""Records in a tile, about: an engine over so many fits into memory, and is prepared once for many searches."""

QUERIES = 256
"""Records that are searched for at once."""

FIRST = 16
"""Length of the first list; records with more neighbours are asked again with a longer one."""

Progress = Callable[[int, int], None]
"""Called with (pairs done, pairs in all) after each tile."""


@dataclass(frozen=True, slots=True, eq=False)
class ScoredPairs:
    """Pairs that score at least ``minimum_score``, best first; ties by the lower ids.

    Attributes:
        first, second: (p,) int64 record ids. Within one source ``first < second``; between two, ``first`` is of the
            first and ``second`` of the second.
        scores: (p,) float32.
        compared: pairs that were compared.
        exact: no pair was missed (up to ``miss_bound``).
        miss_bound: probability that a given pair at ``minimum_score`` was missed; nan where the engine gives none.
        engine: that compared.
        resumed: tiles taken over from the journal.
    """

    first: NDArray[np.int64]
    second: NDArray[np.int64]
    scores: NDArray[np.float32]
    compared: int
    exact: bool
    miss_bound: float
    engine: str
    resumed: int = 0

    def __len__(self) -> int:
        return len(self.first)


@dataclass(frozen=True, slots=True)
class _Tile:
    """Blocks ``start`` to ``stop`` of a source."""

    start: int
    stop: int
    live: int


def pairs_above(
    source: Source,
    minimum_score: float,
    build: Builder,
    *,
    engine: Engine | None = None,
    other: Source | None = None,
    journal: str | None = None,
    progress: Progress | None = None,
    tile: int = TILE,
    settings: str = "",
    keep_journal: bool = False,
) -> ScoredPairs:
    """All pairs of live records of ``source`` (or between it and ``other``) that score ``minimum_score`` or more.

    Args:
        source: records.
        minimum_score: finite.
        build: makes the engine of each tile.
        engine: over all records that are searched (shards of a cluster), instead of one for each tile; within one
            source every pair is then compared twice.
        other: records of another gallery, of the same embedding space; None compares ``source`` with itself.
        journal: file of finished tiles; a run that was killed goes on from it. Removed at the end.
        progress: told after each tile.
        tile: records in one.
        settings: what else the scores depend on (the engine's parameters), for the journal.
        keep_journal: leave the file where it is, because more work follows.

    Raises:
        SearchSpaceMismatchError: ``other`` is of another embedding space.
        JournalError, JournalWriteError.
    """
    if other is not None and other.layout != source.layout:
        raise SearchSpaceMismatchError(
            f"records of {source.layout.modality} {source.layout.space} and of {other.layout.modality} "
            f"{other.layout.space} cannot be compared.",
            hint="Compare galleries of one model.",
        )
    own = list(source.blocks())
    others = own if other is None else list(other.blocks())
    own_tiles, other_tiles = _tiles(own, tile), _tiles(others, tile if engine is None else 1 << 62)
    work = _digest(source, own, others, own_tiles, other_tiles, minimum_score, other is None, settings)
    kept = Journal(journal, work) if journal is not None else None
    try:
        found = _run(
            source, own, others, own_tiles, other_tiles, minimum_score, build, engine, other is None, kept, progress
        )
    finally:
        if kept is not None:
            kept.close()
    if kept is not None and not keep_journal:
        kept.remove()
    return found


def _run(
    source: Source,
    own: list[Block],
    others: list[Block],
    own_tiles: list[_Tile],
    other_tiles: list[_Tile],
    minimum_score: float,
    build: Builder,
    whole: Engine | None,
    within: bool,
    journal: Journal | None,
    progress: Progress | None,
) -> ScoredPairs:
    every = _pair_count(own_tiles, other_tiles, within)
    found: list[tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float32]]] = []
    done, exact, bound, name, resumed = 0, True, 0.0, "", 0
    for column, right in enumerate(other_tiles):
        engine = whole
        rows = range(column + 1) if within and whole is None else range(len(own_tiles))
        for row in rows:
            left, piece = own_tiles[row], f"{row},{column}"
            held = journal.pieces.get(piece) if journal is not None else None
            if held is None:
                if engine is None:
                    engine = build(ArraySource(source.layout, others[right.start : right.stop]))
                blocks = own[left.start : left.stop]
                part = _tile_pairs(
                    engine, source, blocks, minimum_score, within and (row == column or whole is not None)
                )
                held = {"pairs": part.pairs, "exact": part.exact, "bound": part.bound, "engine": engine.name}
                if journal is not None:
                    journal.add(piece, held)
            else:
                resumed += 1
            exact, name = exact and held["exact"], held["engine"]
            bound = max(bound, math.nan if held["bound"] is None else held["bound"])
            found.append(_arrays(held["pairs"]))
            if within and whole is not None:
                done += left.live * (right.live - 1) // 2
            else:
                done += _tile_count(left, right, within and row == column)
            if progress is not None:
                progress(done, every)
    first, second, scores = (np.concatenate(parts) for parts in zip(*found)) if found else _arrays([])
    if within:
        first, second = np.minimum(first, second), np.maximum(first, second)
    order = np.lexsort((second, first, -scores.astype(np.float64)))
    return ScoredPairs(first[order], second[order], scores[order], every, exact, bound, name, resumed)


@dataclass(slots=True)
class _Part:
    pairs: list[tuple[int, int, float]]
    exact: bool = True
    bound: float | None = 0.0


def _tile_pairs(engine: Engine, source: Source, blocks: list[Block], minimum_score: float, same: bool) -> _Part:
    """Pairs of the records of ``blocks`` with those of the engine; ``same`` says that these are the same records."""
    part = _Part([])
    for block in blocks:
        rows = np.flatnonzero(block.live)
        for start in range(0, len(rows), QUERIES):
            chosen = rows[start : start + QUERIES]
            ids = block.record_ids[chosen].astype(np.int64)
            for place, hits in _complete(engine, block_probes(block, source.layout.space, chosen), minimum_score):
                part.exact = part.exact and hits.exact
                part.bound = None if math.isnan(hits.miss_bound) else max(part.bound or 0.0, hits.miss_bound)
                for query, row in place:
                    others, scores = hits.found(row)
                    own = int(ids[query])
                    for record, score in zip(others.tolist(), scores.tolist(), strict=True):
                        if score >= minimum_score and (not same or record > own):
                            part.pairs.append((own, record, score))
    return part


def _complete(engine: Engine, probes: Probes, minimum_score: float) -> Iterator[tuple[list[tuple[int, int]], Hits]]:
    """Searches whose lists all ended below the minimum: [(probe, row of the hits)], hits."""
    waiting, length = np.arange(len(probes)), min(FIRST, max(len(engine), 1))
    while len(waiting):
        part = probes if len(waiting) == len(probes) else _rows(probes, waiting)
        hits = engine.search(part, length, minimum_score=minimum_score)
        full = (hits.ids >= 0).all(axis=1) & (length < len(engine))
        yield [(int(waiting[row]), int(row)) for row in np.flatnonzero(~full)], hits
        waiting, length = waiting[full], min(8 * length, max(len(engine), 1))


def _rows(probes: Probes, rows: NDArray[np.int64]) -> Probes:
    if probes.vectors is not None:
        return Probes(probes.space, vectors=probes.vectors[rows])
    assert probes.codes is not None and probes.masks is not None
    return Probes(probes.space, codes=probes.codes[rows], masks=probes.masks[rows])


def _tiles(blocks: list[Block], size: int) -> list[_Tile]:
    tiles: list[_Tile] = []
    start, held, live = 0, 0, 0
    for number, block in enumerate(blocks):
        if held and held + len(block) > size:
            tiles.append(_Tile(start, number, live))
            start, held, live = number, 0, 0
        held, live = held + len(block), live + int(np.count_nonzero(block.live))
    if held:
        tiles.append(_Tile(start, len(blocks), live))
    return tiles


def _tile_count(left: _Tile, right: _Tile, same: bool) -> int:
    return left.live * (left.live - 1) // 2 if same else left.live * right.live


def _pair_count(own: list[_Tile], others: list[_Tile], within: bool) -> int:
    one, two = sum(tile.live for tile in own), sum(tile.live for tile in others)
    return one * (one - 1) // 2 if within else one * two


def _arrays(
    pairs: list[tuple[int, int, float]],
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float32]]:
    first, second, scores = zip(*pairs) if pairs else ((), (), ())
    return np.array(first, np.int64), np.array(second, np.int64), np.array(scores, np.float32)


def _digest(
    source: Source,
    own: list[Block],
    others: list[Block],
    own_tiles: list[_Tile],
    other_tiles: list[_Tile],
    minimum_score: float,
    within: bool,
    settings: str,
) -> str:
    digest = hashlib.sha256()
    layout = source.layout
    cut = [[tile.start, tile.stop] for tile in (*own_tiles, *other_tiles)]
    head = [layout.modality, layout.space, layout.size, minimum_score, within, settings, cut]
    digest.update(json.dumps(head).encode())
    for block in own if within else [*own, *others]:
        digest.update(repr(block.key).encode())
        digest.update(np.ascontiguousarray(block.record_ids).tobytes())
        digest.update(np.packbits(block.live).tobytes())
    return digest.hexdigest()
