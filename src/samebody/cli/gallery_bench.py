"""``samebody gallery bench``: how fast a gallery is searched, and what approximate engines miss."""

from __future__ import annotations

import statistics
import time
from pathlib import Path
from typing import Any

import click

from samebody.cli.gallery_common import FOLDER, json_option, key_option, opened, progress, say


@click.command("bench")
@click.argument("path", type=FOLDER)
@click.option("--engines", help="Comma-separated names; by default the exact and approximate ones that are installed.")
@click.option("--probes", type=click.IntRange(1, 10_000), default=64, show_default=True, help="Searched for at once.")
@click.option("--k", "k", type=click.IntRange(1, 10_000), default=10, show_default=True, help="Best to return.")
@click.option("--repeats", type=click.IntRange(1, 100), default=3, show_default=True, help="The median is stated.")
@click.option("--fpir", type=float, default=0.01, show_default=True, help="Of cascades, which need a threshold.")
@click.option("--threads", type=click.IntRange(1, 256), help="Of an engine; by default all cores.")
@click.option("--allow-extrapolated", is_flag=True, help="For the threshold of cascades.")
@key_option
@json_option
def command(path: Path, **options: Any) -> None:
    """Time searches of a gallery, and count what approximate engines find of the exact result.

    Probes are references of the gallery with noise: vectors at a cosine of 0.8, codes with an eighth of their bits
    changed. Recall is the share of the exact k best that an engine returns, with a 95 % interval over the probes. For
    cascades it counts references at or above the threshold at --fpir.
    """
    results = []
    with opened(path, options["key_file"]) as gallery:
        for layout in gallery.layouts:
            source = gallery.source(layout.modality)
            if len(source):
                results += _modality(source, options)
    result = {"gallery": str(path), "probes": options["probes"], "k": options["k"], "engines": results}
    say(result, options["as_json"], lambda console: _lines(console, result))


def _modality(source: Any, options: dict[str, Any]) -> list[dict[str, Any]]:
    from samebody.search.engines import DEFAULT, engine_names
    from samebody.search.engines.recall import recall
    from samebody.search.errors import EngineMissingError, UnknownEngineError

    kind = source.layout.modality
    asked = [name.strip() for name in (options["engines"] or "").split(",") if name.strip()]
    unknown = [name for name in asked if name not in engine_names()]
    if unknown:
        known = ", ".join(engine_names())
        raise UnknownEngineError(f"there is no engine {unknown[0]!r}.", hint=f"Take some of {known}.")
    exact = DEFAULT[kind]
    names = [name for name in asked if name in engine_names(kind)] if asked else _usual(kind, len(source))
    reference: Any = None
    names = [exact, *(name for name in names if name != exact)]
    probes, truth = noisy_probes(source, options["probes"])
    minimum = _minimum(source, options)
    rows = []
    with progress(f"timing {kind}", options["as_json"]) as step:
        for number, name in enumerate(names):
            step(name, number, len(names))
            try:
                row, engine, hits = _timed(source, name, probes, minimum, options)
            except EngineMissingError as error:
                rows.append({"engine": name, "modality": kind, "missing": str(error)})
                continue
            reference = engine if number == 0 else reference
            found = recall(reference.search(probes, options["k"], minimum_score=row["minimum_score"]), hits)
            row |= {"recall": found.share, "recall_interval": [found.low, found.high]}
            row["mates_found"] = float((hits.ids == truth[:, None]).any(axis=1).mean())
            rows.append(row)
    return rows


MANY = 200_000
"""So many references are not put into approximate indexes unless that is asked for: it takes long."""


def _usual(kind: str, references: int) -> list[str]:
    if kind == "iris":
        return ["hamming", "hamming-cascade"]
    return ["int8", "float32", *(("usearch", "faiss") if references < MANY else ())]


def _minimum(source: Any, options: dict[str, Any]) -> float | None:
    from samebody.errors import SamebodyError
    from samebody.search.session import rates_of
    from samebody.search.thresholds import threshold_for_search

    try:
        rates = rates_of(source.layout)
        allowed = options["allow_extrapolated"]
        return threshold_for_search(rates, options["fpir"], len(source), allow_extrapolated=allowed).score
    except SamebodyError:
        return None


def _timed(source: Any, name: str, probes: Any, minimum: float | None, options: dict[str, Any]) -> tuple[Any, Any, Any]:
    from samebody.search.candidates import one_probe
    from samebody.search.engines import build
    from samebody.search.identify import NEEDS_MINIMUM

    start = time.perf_counter()
    engine = build(source, name, **({} if options["threads"] is None else {"threads": options["threads"]}))
    built = time.perf_counter() - start
    floor = minimum if name in NEEDS_MINIMUM else None
    if name in NEEDS_MINIMUM and floor is None:
        floor = 0.7  # no operating point is known: a threshold that mates of the noise used here reach

    def median(held: Any) -> tuple[float, Any]:
        seconds = []
        engine.search(held, options["k"], minimum_score=floor)  # the first search prepares what is prepared lazily
        for _ in range(options["repeats"]):
            begun = time.perf_counter()
            found = engine.search(held, options["k"], minimum_score=floor)
            seconds.append(time.perf_counter() - begun)
        return statistics.median(seconds), found

    one, _ = median(one_probe(probes, 0))
    batch, hits = median(probes)
    row = {
        "engine": name,
        "modality": source.layout.modality,
        "references": len(source),
        "size": source.layout.size,
        "build_seconds": built,
        "milliseconds_one": 1000 * one,
        "records_a_second_one": len(source) / one,
        "searches_a_second": len(probes) / batch,
        "records_a_second": len(probes) * len(source) / batch,
        "minimum_score": floor,
        "exact": hits.exact,
        "miss_bound": None if hits.miss_bound != hits.miss_bound else hits.miss_bound,
    }
    return row, engine, hits


def noisy_probes(source: Any, count: int, seed: int = 7) -> tuple[Any, Any]:
    """Noisy copies of ``count`` live references, drawn with a seed, and their record ids."""
    import numpy as np

    from samebody.search.candidates import block_probes
    from samebody.search.types import Probes

    generator = np.random.default_rng(seed)
    blocks = [block for block in source.blocks() if block.live.any()]
    made: list[Any] = []
    ids: list[int] = []
    for number in range(count):
        block = blocks[number * len(blocks) // count]
        row = generator.choice(np.flatnonzero(block.live), 1)
        ids.append(int(block.record_ids[row[0]]))
        held = block_probes(block, source.layout.space, row)
        if held.vectors is not None:
            own = held.vectors[0].astype(np.float64)
            other = generator.standard_normal(own.size)
            other -= other @ own * own
            mixed = 0.8 * own + 0.6 * other / max(float(np.linalg.norm(other)), 1e-12)
            made.append((mixed / np.linalg.norm(mixed)).astype(np.float32)[None])
        else:
            codes: Any = held.codes
            flips: Any = np.frombuffer(generator.bytes(3 * codes.nbytes), np.uint64).reshape(3, *codes.shape)
            made.append((codes ^ (flips[0] & flips[1] & flips[2]), held.masks))
    truth = np.array(ids, dtype=np.int64)
    if source.layout.modality == "vector":
        return Probes(source.layout.space, vectors=np.concatenate(made)), truth
    turned, covered = (np.concatenate([pair[part] for pair in made]) for part in (0, 1))
    return Probes(source.layout.space, codes=turned, masks=covered), truth


def _lines(console: Any, result: dict[str, Any]) -> None:
    from rich.table import Table

    table = Table(title=f"{result['probes']} probes, the {result['k']} best of each")
    for column in ("engine", "references", "prepared in", "one search", "searches/s", "records/s", "recall", "mates"):
        table.add_column(column, justify="left" if column == "engine" else "right")
    for row in result["engines"]:
        if "missing" in row:
            console.print(f"{row['engine']}: {row['missing']}", markup=False)
            continue
        table.add_row(
            row["engine"] + ("" if row["exact"] else " (approximate)"),
            f"{row['references']:,}",
            f"{row['build_seconds']:.2f} s",
            f"{row['milliseconds_one']:.1f} ms",
            f"{row['searches_a_second']:,.1f}",
            f"{row['records_a_second'] / 1e6:,.2f} M",
            f"{row['recall']:.4f} ({row['recall_interval'][0]:.3f} to {row['recall_interval'][1]:.3f})",
            f"{row['mates_found']:.4f}",
        )
    console.print(table)
