"""Speed of the search engines beside plain loops, numpy and faiss, in one run: ``python -m benchmarks.search_speed``.

Contenders take turns, round by round, so that what disturbs the machine disturbs all of them alike; a ratio is the
median of the ratios of each round. Every contender's answer is checked against the others' before it is timed. Results:
``docs/results/search-speed.md`` and ``.json``.
"""

from __future__ import annotations

import argparse
import importlib.metadata
import json
import os
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from threadpoolctl import threadpool_limits

from benchmarks.machine import describe_machine
from benchmarks.search_contenders import (
    clock,
    faiss_index,
    memory_read,
    naive_codes_doubled,
    naive_iris_doubled,
    numpy_topk,
    onnxruntime_rate,
)
from benchmarks.specimens import table, write_atomically
from samebody.search.engines import build
from samebody.search.engines.arrays import ArraySource
from samebody.search.engines.recall import recall
from samebody.search.types import Probes
from samebody.synth.iris.codes import IrisCodePopulation

RESULTS = Path(__file__).parents[1] / "docs" / "results"
ROTATIONS, REFERENCE_BITS = 15, 12_800.0
WITH_MASKS, WITHOUT_MASKS = "naive numba loop with masks", "naive numba loop without masks"


def rounds_of(contenders: dict[str, Callable[[], Any]], rounds: int, few: tuple[str, ...] = ()) -> dict[str, Any]:
    """Seconds of each contender, round by round; those named in ``few`` run in the first two rounds only."""
    seconds: dict[str, list[float]] = {name: [] for name in contenders}
    for run in contenders.values():
        run()
    for number in range(rounds):
        for name, run in contenders.items():
            if name in few and number >= 2:
                continue
            start = time.perf_counter()
            run()
            seconds[name].append(time.perf_counter() - start)
    return seconds


def summed(seconds: list[float], work: float) -> dict[str, float]:
    """Median rate with the slowest and fastest round, in units of ``work`` a second."""
    return {
        "rate": work / statistics.median(seconds),
        "lowest": work / max(seconds),
        "highest": work / min(seconds),
        "seconds": statistics.median(seconds),
        "rounds": len(seconds),
    }


def ratio(mine: list[float], other: list[float]) -> float:
    """How many times faster ``mine`` is: the median over the rounds that both ran in."""
    return statistics.median(b / a for a, b in zip(mine, other, strict=False))


def measure_iris(references: int, rounds: int, threads: int) -> dict[str, Any]:
    """Records a second for one probe: full masks with random codes, and realistic masks with dependent bits."""
    generator = np.random.default_rng(1)
    out: dict[str, Any] = {"references": references, "threads": threads, "cycles_a_second": clock()}
    full = np.full((references, 200), 2**64 - 1, dtype=np.uint64)
    random = generator.integers(0, 2**64, (references, 200), dtype=np.uint64)
    probe = np.roll(random[[references // 3]], 4, axis=1)
    probe[:, ::3] ^= generator.integers(0, 2**64, probe[:, ::3].shape, dtype=np.uint64)
    population = IrisCodePopulation(seed=5)
    codes, masks = population.references(0, references)
    some = np.linspace(0, references - 1, 16).astype(np.int64)
    sets = {
        "full masks, independent bits": (random, full, probe, full[:1]),
        "realistic masks, dependent bits": (codes, masks, *population.probes(some[7:8])),
    }
    for name, (gallery, usable, code, mask) in sets.items():
        source = ArraySource.of_codes(gallery, usable, name)
        probes = Probes.of_codes(code, mask, name)
        exact = build(source, "hamming", threads=threads)
        found = exact.search(probes, 2)
        minimum = 0.68
        if name.startswith("real"):  # the highest non-mated score of 16 probes: a false match rate near 1e-6
            highest = exact.search(Probes.of_codes(*population.probes(some), name), 2).scores[:, 1].max()
            minimum = float(np.nextafter(highest, np.float32(2)))
        cascade = build(source, "hamming-cascade", threads=threads)
        scores = np.zeros(references)
        contenders: dict[str, Callable[[], Any]] = {
            "exact, best 10": lambda e=exact, p=probes: e.search(p, 10),
            "exact, above the threshold": lambda e=exact, p=probes, m=minimum: e.search(p, 10, minimum_score=m),
            "cascade at 1e-6, above the threshold": lambda e=cascade, p=probes, m=minimum: e.search(
                p, 10, minimum_score=m
            ),
        }
        if threads == 1:
            tenth = slice(0, references // 10)
            arguments = (code[0], mask[0], gallery[tenth], usable[tenth], ROTATIONS, REFERENCE_BITS, scores[tenth])
            contenders[WITH_MASKS] = lambda a=arguments: naive_iris_doubled(*a)
            bare = (code[0], gallery[tenth], ROTATIONS, scores[tenth].copy())
            contenders[WITHOUT_MASKS] = lambda a=bare: naive_codes_doubled(*a)
            naive_iris_doubled(*arguments)
            some_best = exact.search(probes, 3, exclude=np.arange(references // 10, references))
            assert int(np.argmax(scores[tenth])) == some_best.ids[0, 0]
        last = cascade.search(probes, 10, minimum_score=minimum)
        assert last.ids[0, 0] == found.ids[0, 0]
        seconds = rounds_of(contenders, rounds)
        for key in (WITH_MASKS, WITHOUT_MASKS):  # they went through a tenth of the references
            if key in seconds:
                seconds[key] = [10 * value for value in seconds[key]]
        rows = {key: summed(values, references) for key, values in seconds.items()}
        for key in list(rows):
            for base in (WITH_MASKS, WITHOUT_MASKS):
                if base in rows:
                    rows[key][f"times {base}"] = ratio(seconds[key], seconds[base])
        batch = Probes.of_codes(*population.probes(some), name) if name.startswith("real") else probes
        if name.startswith("real"):
            begun = time.perf_counter()
            exact.search(batch, 10, minimum_score=minimum)
            rows["exact, above the threshold, 16 probes"] = summed([time.perf_counter() - begun], 16 * references)
            begun = time.perf_counter()
            cascade.search(batch, 10, minimum_score=minimum)
            rows["cascade, 16 probes"] = summed([time.perf_counter() - begun], 16 * references)
        out[name] = {
            "minimum_score": minimum,
            "usable_bits": float(np.bitwise_count(usable[:1000]).sum() / min(1000, references)),
            "passed_on": last.notes["passed_on"],
            "rows": rows,
        }
    return out


def unit_vectors(path: Path, references: int, dimension: int) -> np.memmap[Any, Any]:
    """Random unit vectors in a file, mapped into memory; a file of the right size is taken as it is."""
    if path.exists() and path.stat().st_size == 4 * references * dimension:
        return np.memmap(path, dtype=np.float32, mode="r", shape=(references, dimension))
    generator = np.random.default_rng(2)
    out = np.memmap(path, dtype=np.float32, mode="w+", shape=(references, dimension))
    for begin in range(0, references, 50_000):
        rows = generator.standard_normal((min(50_000, references - begin), dimension), dtype=np.float32)
        out[begin : begin + len(rows)] = rows / np.linalg.norm(rows, axis=1, keepdims=True)
    out.flush()
    return np.memmap(path, dtype=np.float32, mode="r", shape=(references, dimension))


def measure_vectors(
    references: int, dimension: int, rounds: int, threads: int, with_faiss: bool, cache: Path | None
) -> dict[str, Any]:
    """Searches a second at batch 1 and 64 for the exact ten best."""
    out: dict[str, Any] = {"references": references, "dimension": dimension, "threads": threads}
    with tempfile.TemporaryDirectory() as folder:
        vectors = unit_vectors((cache or Path(folder)) / "vectors.f32", references, dimension)
        generator = np.random.default_rng(3)
        probes = vectors[:64] + 0.02 * generator.standard_normal((64, dimension), dtype=np.float32)
        probes /= np.linalg.norm(probes, axis=1, keepdims=True)
        begun = time.perf_counter()
        engine: Any = build(ArraySource.of_vectors(vectors, "s"), "int8", threads=threads)
        out["prepared_seconds"] = time.perf_counter() - begun
        out["bytes_per_dimension"] = engine.nbytes / references / dimension
        flat = faiss_index(vectors) if with_faiss else None
        out["onnxruntime_gmac_s"] = onnxruntime_rate(dimension, threads) / 1e9
        out["memory_read_gb_s"] = memory_read(2**28, threads)
        with threadpool_limits(threads):
            if flat is not None:
                import faiss

                faiss.omp_set_num_threads(threads)
            for batch in (1, 64):
                asked = Probes.of_vectors(probes[:batch], "s")
                assert asked.vectors is not None
                held = asked.vectors
                contenders: dict[str, Callable[[], Any]] = {
                    "samebody int8": lambda p=asked: engine.search(p, 10),
                    "numpy sgemm + argpartition": lambda h=held: numpy_topk(vectors, h, 10),
                }
                if flat is not None:
                    contenders["faiss IndexFlatIP"] = lambda h=held: flat.search(h, 10)
                hits = engine.search(asked, 10)
                ids, scores = numpy_topk(vectors, held, 10)
                assert np.abs(hits.scores - scores).max() < 1e-5 and (hits.ids[:, 0] == ids[:, 0]).all()
                seconds = rounds_of(contenders, rounds, few=("faiss IndexFlatIP",))
                rows = {name: summed(values, batch) for name, values in seconds.items()}
                for name in rows:
                    rows[name]["int8 is faster by"] = ratio(seconds["samebody int8"], seconds[name])
                fastest = min(seconds["samebody int8"])
                out[f"batch {batch}"] = {
                    "rows": rows,
                    "gb_s": engine.nbytes / statistics.median(seconds["samebody int8"]) / 1e9,
                    "gb_s_best": engine.nbytes / fastest / 1e9,
                    "gmac_s": references * dimension * batch / statistics.median(seconds["samebody int8"]) / 1e9,
                    "looked_at_again": hits.notes["ranked_in_float32"] / batch,
                }
    return out


def measure_approximate(references: int, dimension: int, threads: int) -> list[dict[str, Any]]:
    """Recall at 10 and searches a second of the approximate engines, on vectors in clusters."""
    generator = np.random.default_rng(4)
    centres = generator.standard_normal((max(1, references // 20), dimension), dtype=np.float32)
    vectors = centres[generator.integers(0, len(centres), references)]
    vectors = vectors + 0.7 * generator.standard_normal(vectors.shape, dtype=np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    probes = vectors[:256] + 0.5 / np.sqrt(dimension) * generator.standard_normal((256, dimension), dtype=np.float32)
    probes /= np.linalg.norm(probes, axis=1, keepdims=True)
    asked, source = Probes.of_vectors(probes, "s"), ArraySource.of_vectors(vectors, "s")
    exact = build(source, "int8", threads=threads).search(asked, 10)
    rows = []
    for name in ("int8", "usearch", "faiss"):
        begun = time.perf_counter()
        engine = build(source, name, threads=threads)
        built = time.perf_counter() - begun
        hits = engine.search(asked, 10)
        seconds = rounds_of({name: lambda e=engine: e.search(asked, 10)}, 3)[name]
        got = recall(exact, hits)
        rows.append(
            {
                "engine": name,
                "references": references,
                "dimension": dimension,
                "built_seconds": built,
                "searches_a_second": len(asked) / statistics.median(seconds),
                "recall": got.share,
                "low": got.low,
                "high": got.high,
                "probes": got.probes,
                "k": got.k,
            }
        )
    return rows


def iris_section(part: dict[str, Any]) -> list[str]:
    """The tables of one number of threads."""
    lines = [f"## Iris, {part['references']:,} references, one probe, 31 rotations, {cores(part)}", ""]
    for name in ("full masks, independent bits", "realistic masks, dependent bits"):
        held = part[name]
        rows = []
        for contender, row in held["rows"].items():
            rate = f"{row['rate'] / 1e6:.2f} ({row['lowest'] / 1e6:.2f} to {row['highest'] / 1e6:.2f})"
            bases = (f"times {base}" for base in (WITH_MASKS, WITHOUT_MASKS))
            ratios = (f"{row[base]:.2f}" if base in row else "-" for base in bases)
            rows.append((contender, f"{rate}, n = {row['rounds']}", *ratios))
        lines += [
            f"{name[0].upper()}{name[1:]}: codes of 12,800 bits, {held['usable_bits']:,.0f} usable on average; "
            f"threshold {held['minimum_score']:.3f}; the cascade",
            f"(miss bound 1e-6) passed on {100 * held['passed_on']:.3f} % of the references.",
            "",
            table(("", "million records a second", f"times the {WITH_MASKS}", f"times the {WITHOUT_MASKS}"), rows),
            "",
        ]
    rate = part["full masks, independent bits"]["rows"]["exact, best 10"]["rate"] / part["threads"]
    limit = 8 * part["cycles_a_second"] / (200 * 31)
    lines += [
        "Limit of the population count: one VPOPCNTQ (8 words) a cycle, at the "
        f"{part['cycles_a_second'] / 1e9:.2f} GHz measured in this run, and 31 x 200 words a",
        f"record with full masks: {limit / 1e6:.2f} million records a second and core. The exact engine reached "
        f"{100 * rate / limit:.0f} % of it; three vector",
        "instructions for 8 words (exclusive or, count, add) on two ports allow 67 %.",
        "",
    ]
    return lines


def page(result: dict[str, Any]) -> str:
    """The results as Markdown."""
    machine = result["machine"]
    lines = [
        "# Speed of search",
        "",
        "Made by `python -m benchmarks.search_speed`; contenders in turn, median of the rounds with the slowest and",
        "fastest round in brackets, ratios by round. Other work on the machine disturbs figures more than ratios.",
        "",
        f"{machine['processor']}, {machine['cores']} cores, {machine['memory_gib']} GiB; commit {machine['commit']}; "
        + ", ".join(f"{name} {version}" for name, version in result["versions"].items())
        + ("; **quick run, small galleries**" if result["quick"] else "")
        + ".",
        "",
    ]
    for part in result.get("iris", []):
        lines += iris_section(part)
    for part in result.get("vectors", []):
        lines += [
            f"## Vectors, {part['references']:,} x {part['dimension']}, exact ten best, {cores(part)}",
            "",
        ]
        for batch in (1, 64):
            held = part[f"batch {batch}"]
            rows = [
                (
                    name,
                    f"{row['rate']:.1f} ({row['lowest']:.1f} to {row['highest']:.1f}), n = {row['rounds']}",
                    f"{row['int8 is faster by']:.2f}",
                )
                for name, row in held["rows"].items()
            ]
            lines += [
                table((f"batch {batch}", "searches a second", "int8 is faster by"), rows),
                "",
                f"int8 at batch {batch}: {held['gb_s']:.1f} GB/s ({held['gb_s_best']:.1f} at best) beside "
                f"{part['memory_read_gb_s']:.1f} GB/s of a plain read with as many threads;",
                f"{held['gmac_s']:.0f} thousand million products a second"
                + (
                    f" (ONNX Runtime's MatMulInteger alone: {part.get('onnxruntime_gmac_s', float('nan')):.0f}); "
                    if batch == 64
                    else "; "
                )
                + f"{held['looked_at_again']:.0f} vectors a probe were looked at again in float32.",
                "",
            ]
        lines += [
            f"Memory: {part['bytes_per_dimension']:.3f} bytes for each dimension and record beside the float32 file; "
            f"prepared in {part['prepared_seconds']:.1f} s.",
            "",
        ]
    if result.get("approximate"):
        rows = [
            (
                row["engine"],
                f"{row['recall']:.4f} ({row['low']:.4f} to {row['high']:.4f})",
                f"{row['searches_a_second']:,.0f}",
                f"{row['built_seconds']:.1f}",
            )
            for row in result["approximate"]
        ]
        first = result["approximate"][0]
        lines += [
            f"## Approximate engines, {first['references']:,} x {first['dimension']} in clusters, all cores",
            "",
            table(
                ("", f"recall at {first['k']}, {first['probes']} probes", "searches a second", "built in seconds"), rows
            ),
            "",
            "Recall is the share of the exact ten best that is returned, with a 95 % bootstrap interval over probes.",
            "Settings are the engines' defaults.",
            "",
        ]
    return "\n".join(lines)


def merged(result: dict[str, Any], part: str, made: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The sections made now and those of other numbers of threads from before, fewest threads first."""
    counts = [each["threads"] for each in made]
    kept = [each for each in result.get(part, []) if each["threads"] not in counts]
    for each in made:
        each["load"] = os.getloadavg()[0]
    return sorted(kept + made, key=lambda each: int(each["threads"]))


def cores(part: dict[str, Any]) -> str:
    """One core, or how many, and how busy the machine was."""
    count = "one core" if part["threads"] == 1 else f"{part['threads']} cores"
    return f"{count} (load of the machine {part.get('load', float('nan')):.1f})"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="small galleries, few rounds; writes nothing unless --out")
    parser.add_argument("--parts", default="iris,vectors,approximate", help="what to measure; the rest is kept")
    parser.add_argument("--threads", default="1,2")
    parser.add_argument("--rounds", type=int)
    parser.add_argument("--no-faiss", action="store_true")
    parser.add_argument("--cache", type=Path, help="folder in which the file of vectors is kept for the next run")
    parser.add_argument("--out", type=Path, help="folder of search-speed.md and .json")
    options = parser.parse_args()
    parts, threads = options.parts.split(","), [int(each) for each in options.threads.split(",")]
    folder = options.out or (None if options.quick else RESULTS)
    rounds = options.rounds or (3 if options.quick else 7)
    result: dict[str, Any] = {}
    if folder is not None and (folder / "search-speed.json").exists():
        result = json.loads((folder / "search-speed.json").read_text("utf-8"))
    result |= {"quick": options.quick, "machine": describe_machine()}
    names = ("numpy", "numba", "llvmlite", "faiss-cpu", "usearch")
    result["versions"] = {name: _version(name) for name in names}
    sizes = (20_000, 50_000, 5_000) if options.quick else (100_000, 1_000_000, 20_000)
    if "iris" in parts:
        result["iris"] = merged(result, "iris", [measure_iris(sizes[0], rounds, count) for count in threads])
    if "vectors" in parts:
        faiss = not options.no_faiss
        made = [measure_vectors(sizes[1], 512, rounds, count, faiss, options.cache) for count in threads]
        result["vectors"] = merged(result, "vectors", made)
    if "approximate" in parts:
        result["approximate"] = measure_approximate(sizes[2], 128, max(threads))
    if folder is not None:
        write_atomically(folder / "search-speed.json", json.dumps(result, indent=1) + "\n")
    text = page(result)
    if folder is not None:
        write_atomically(folder / "search-speed.md", text)
    print(text)


def _version(name: str) -> str:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return "not installed"


if __name__ == "__main__":
    main()
