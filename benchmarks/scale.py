"""What one million, a hundred million and a thousand million people need: ``python -m benchmarks.scale``.

Arithmetic on measured rates: the rates come from `docs/results/search-speed.json` (one core and all cores of the
machine named there), machines and prices are options and are stated. Nothing is measured at these sizes here, except
where the page says so. Writes `docs/scale.md`.
"""

from __future__ import annotations

import argparse
import json
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.machine import describe_machine
from benchmarks.specimens import table, write_atomically
from samebody.search.thresholds import needed_fmr

ROOT = Path(__file__).parents[1]
SPEED = ROOT / "docs" / "results" / "search-speed.json"
PEOPLE = (10**6, 10**8, 10**9)
HOURS = 730
"""In a month."""
ROTATIONS, COLUMNS = 31, 200
SUBSET_BITS = 1024
REALISTIC = "realistic masks, dependent bits"


@dataclass(frozen=True)
class Engine:
    """One way to search, with its measured rates.

    Attributes:
        name: for the page.
        rate: comparisons a second and core, one probe at a time.
        batched: the same, many probes at once.
        scanned: bytes of a reference that a search reads.
        memory: bytes of a reference that are best kept in memory.
        disk: bytes of a reference on disk.
        work: operations of one comparison, in words.
        miss: what it may miss.
    """

    name: str
    rate: float
    batched: float
    scanned: float
    memory: float
    disk: float
    work: str
    miss: str


@dataclass(frozen=True)
class Machine:
    """What one machine has and costs, and how busy searches may keep it."""

    cores: int
    memory_gib: float
    price: float
    share: float

    @property
    def usable_cores(self) -> float:
        """Cores that searches may keep busy."""
        return self.cores * self.share

    @property
    def usable_bytes(self) -> float:
        """Memory that references may fill."""
        return self.memory_gib * 2**30 * self.share


@dataclass(frozen=True)
class Need:
    """What one engine needs for so many people.

    Attributes:
        seconds: of one search on one core.
        cores: busy all the time, for latency or throughput, whichever asks for more.
        machines, bound: how many, and by what: ``memory``, ``latency`` or ``throughput``.
        month: price of a month.
        all_pairs_hours, all_pairs_price: core hours and price of comparing all with all once.
    """

    people: int
    seconds: float
    memory: float
    disk: float
    cores: float
    machines: int
    bound: str
    month: float
    all_pairs_hours: float
    all_pairs_price: float


def need(engine: Engine, people: int, machine: Machine, *, latency: float, searches: float) -> Need:
    """Full scan of ``people`` references.

    Args:
        latency: seconds that one search may take; a search is spread over cores.
        searches: a second, answered in batches.
    """
    asked = {
        "memory": math.ceil(people * engine.memory / machine.usable_bytes),
        "latency": math.ceil(people / engine.rate / latency / machine.usable_cores),
        "throughput": math.ceil(people * searches / engine.batched / machine.usable_cores),
    }
    bound = max(asked, key=lambda name: asked[name])
    machines = max(asked[bound], 1)
    hours = people * (people - 1) / 2 / engine.batched / 3600
    return Need(
        people,
        people / engine.rate,
        people * engine.memory,
        people * engine.disk,
        max(people / engine.rate / latency, people * searches / engine.batched),
        machines,
        bound,
        machines * machine.price * HOURS,
        hours,
        hours / machine.usable_cores * machine.price,
    )


def engines(speed: dict[str, Any]) -> list[Engine]:
    """The engines with the rates of one core, from the results of ``benchmarks.search_speed``.

    Raises:
        SystemExit: the results lack a figure.
    """
    try:
        iris = next(part for part in speed["iris"] if part["threads"] == 1)[REALISTIC]["rows"]
        vectors = min(speed["vectors"], key=lambda part: part["threads"])
        dimension, bytes_each = vectors["dimension"], vectors["bytes_per_dimension"]
        cores = vectors["threads"]
        single = vectors["references"] * vectors["batch 1"]["rows"]["samebody int8"]["rate"] / cores
        batch = vectors["references"] * vectors["batch 64"]["rows"]["samebody int8"]["rate"] / cores
    except (KeyError, StopIteration) as error:
        raise SystemExit(f"the results lack {error}: run python -m benchmarks.search_speed") from None
    code = COLUMNS * 16.0
    above = iris["exact, above the threshold"]["rate"]
    cascade = iris["cascade at 1e-6, above the threshold"]["rate"]
    many = iris.get("exact, above the threshold, 16 probes", {"rate": above})["rate"]
    quick = iris.get("cascade, 16 probes", {"rate": cascade})["rate"]
    return [
        Engine(
            "iris, exact",
            above,
            many,
            code,
            code,
            code,
            f"up to {ROTATIONS} x {COLUMNS} = {ROTATIONS * COLUMNS:,} words: exclusive or, and, two counts of bits",
            "nothing",
        ),
        Engine(
            "iris, cascade",
            cascade,
            quick,
            SUBSET_BITS / 4,
            SUBSET_BITS / 4 + 4,
            code,
            f"{ROTATIONS} x {SUBSET_BITS // 64} = {ROTATIONS * SUBSET_BITS // 64} words, then as above for the rest",
            "1e-6 of mates",
        ),
        Engine(
            f"vectors of {dimension}, int8 with float32 result",
            single,
            batch,
            bytes_each * dimension,
            bytes_each * dimension,
            4.0 * dimension,
            f"{dimension} products of 8-bit numbers",
            "nothing",
        ),
    ]


def page(found: list[Engine], speed: dict[str, Any], machine: Machine, latency: float, searches: float) -> str:
    """The page in Markdown."""
    measured = speed["machine"]
    lines = [
        "# What scale needs",
        "",
        "Written by `python -m benchmarks.scale`: arithmetic on the rates of",
        "[search-speed](results/search-speed.md), for a full scan of one reference for each person and modality.",
        "Machines and prices are parameters of the command.",
        "",
        f"- Rates: one core of {measured['processor']} (commit {measured['commit']}"
        f"{', quick run on small galleries' if speed.get('quick') else ''}).",
        f"- Machine: {machine.cores} such cores, {machine.memory_gib:,.0f} GiB, {machine.price:g} an hour; searches",
        f"  may fill {100 * machine.share:.0f} % of cores and memory.",
        f"- A search has to be answered within {latency:g} s, and there are {searches:g} searches a second.",
        "- No replica is counted: for each shard that has to survive the loss of a machine, double the machines.",
        "",
        "## One comparison",
        "",
        table(
            ("engine", "bytes read", "work", "comparisons a second and core", "in batches", "may miss"),
            [
                (
                    engine.name,
                    f"{engine.scanned:,.0f}",
                    engine.work,
                    f"{engine.rate / 1e6:.2f} M",
                    f"{engine.batched / 1e6:.2f} M",
                    engine.miss,
                )
                for engine in found
            ],
        ),
        "",
    ]
    for people in PEOPLE:
        rows = []
        for engine in found:
            held = need(engine, people, machine, latency=latency, searches=searches)
            rows.append(
                (
                    engine.name,
                    f"{held.seconds:,.1f} s",
                    amount(held.memory),
                    amount(held.disk),
                    f"{held.cores:,.1f}",
                    f"{held.machines:,} ({held.bound})" if held.machines > 1 else "1",
                    f"{held.month:,.0f}",
                    f"{held.all_pairs_hours:,.0f}",
                    f"{held.all_pairs_price:,.0f}",
                )
            )
        lines += [
            f"## {people:,} people",
            "",
            f"An FPIR of 1 % needs a false match rate of {needed_fmr(0.01, people):.1e} for each comparison.",
            "",
            table(
                (
                    "engine",
                    "one search, one core",
                    "memory",
                    "disk",
                    "busy cores",
                    "machines (bound by)",
                    "price of a month",
                    "all with all, core hours",
                    "its price",
                ),
                rows,
            ),
            "",
        ]
    lines += [
        "## What this does not say",
        "",
        "- Rates are those of one machine on synthetic templates; other processors have other rates.",
        "- The network is left out: a search moves a probe to each shard and a list of the best back, some kilobytes.",
        "- `iris, exact` is stated for memory that holds all codes; mapped from disk it is as fast as the disk reads.",
        "  The cascade keeps its subset in memory and reads from disk only the codes that it passes on.",
        "- Error rates as low as these are beyond what any set of people here can measure. Extrapolated points are",
        "  opt-in, end at 100 times beyond the measured range, and everything beyond is refused: a thousand million",
        "  people need two modalities, whose joint rate can be as low, or far more people to measure on.",
        "- Searches of everybody at enrolment (`all with all`) are spread over years in practice: it is the price of",
        "  checking everybody once.",
        "",
    ]
    return "\n".join(lines)


def amount(number: float) -> str:
    """Bytes as people read them."""
    for unit, size in (("TB", 1e12), ("GB", 1e9), ("MB", 1e6)):
        if number >= size:
            return f"{number / size:,.1f} {unit}"
    return f"{number:,.0f} B"


def measured_now() -> dict[str, Any]:
    """Rates of one core, measured on small galleries, where no results are at hand."""
    from benchmarks.search_speed import measure_iris, measure_vectors

    return {
        "machine": describe_machine(),
        "quick": True,
        "iris": [measure_iris(20_000, 3, 1)],
        "vectors": [measure_vectors(50_000, 512, 3, 1, False)],
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--speed", type=Path, default=SPEED, help="results of benchmarks.search_speed")
    parser.add_argument("--measure", action="store_true", help="measure the rates now, on small galleries")
    parser.add_argument("--cores", type=int, default=64)
    parser.add_argument("--memory-gib", type=float, default=512)
    parser.add_argument("--price", type=float, default=3.0, help="of a machine and hour, in your currency")
    parser.add_argument("--share", type=float, default=0.7, help="of cores and memory that searches may fill")
    parser.add_argument("--latency", type=float, default=1.0, help="seconds of one search")
    parser.add_argument("--searches", type=float, default=10.0, help="a second")
    parser.add_argument("--out", type=Path, default=ROOT / "docs" / "scale.md")
    options = parser.parse_args()
    if not options.measure and not options.speed.exists():
        raise SystemExit(f"{options.speed} is not there: run python -m benchmarks.search_speed, or say --measure")
    speed = measured_now() if options.measure else json.loads(options.speed.read_text("utf-8"))
    machine = Machine(options.cores, options.memory_gib, options.price, options.share)
    text = page(engines(speed), speed, machine, options.latency, options.searches)
    write_atomically(options.out, text)
    print(f"written: {options.out.name}")


if __name__ == "__main__":
    main()
