"""Speed of the measuring stick, side by side in one run: ratios against peers and against the bare matrix product.

- EER, FNMR at five FMRs and the DET from 10 million scores, against pyeer and bob.measure in environments of their own,
  each with only the calls that are needed for those figures;
- all pairs of 50,000 templates to histograms for 14 groups and exact thresholds, against the bare float32 product of
  the same blocks on two threads, whichever way of threading it is faster;
- the bootstrap over people with 1,000 replicates on 1 million pairs.

Run one by one with ``python -m benchmarks.measure``; ``--quick`` takes smaller inputs, and says so in the names.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
import venv
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from benchmarks.machine import peak_memory, spread
from samebody.lab.evaluate.all_pairs import AllPairs, compare_all
from samebody.measure import ListedPairs, SortedScores, threshold_bootstrap
from samebody.measure.pair_plan import PairPlan, Tile, group_slots, plan_pairs

CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "samebody" / "peers"
Row = dict[str, Any]

PEERS = {"pyeer": ("pyeer==0.5.6", "setuptools<81"), "bob.measure": ("bob.measure==6.1.1",)}
PEER_TARGETS = {"pyeer": 25.0, "bob.measure": 15.0}
FMRS = (1e-1, 1e-2, 1e-3, 1e-4, 1e-5)

PYEER = """
import json, sys, time
import numpy as np
from pyeer.eer_stats import calculate_roc, get_eer_values, get_fmr_op
for line in sys.stdin:
    mated, non_mated = (np.load(path) for path in json.loads(line))
    start = time.perf_counter()
    thresholds, fmr, fnmr = calculate_roc(mated, non_mated)
    _, _, _, eer = get_eer_values(fmr, fnmr)
    points = [float(get_fmr_op(fmr, fnmr, target)[1]) for target in FMRS]
    print(json.dumps([time.perf_counter() - start, float(eer), points]), flush=True)
"""

BOB = """
import json, sys, time
import numpy as np
import bob.measure
def work(mated, non_mated):
    threshold = bob.measure.eer_threshold(non_mated, mated)
    eer = float(np.mean(bob.measure.farfrr(non_mated, mated, threshold)))
    points = []
    for target in FMRS:
        threshold = bob.measure.far_threshold(non_mated, mated, target)
        points.append(float(bob.measure.farfrr(non_mated, mated, threshold)[1]))
    bob.measure.det(non_mated, mated, 1000)
    return eer, points
for line in sys.stdin:
    mated, non_mated = (np.load(path) for path in json.loads(line))
    work(mated[:1000], non_mated[:1000])
    start = time.perf_counter()
    eer, points = work(mated, non_mated)
    print(json.dumps([time.perf_counter() - start, eer, points]), flush=True)
"""
WORKERS = {"pyeer": PYEER, "bob.measure": BOB}


def peer_worker(name: str) -> subprocess.Popen[str]:
    """A peer in its own environment, waiting for two files of scores on its standard input."""
    folder = CACHE / {"bob.measure": "bob"}.get(name, name)
    python = folder / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    probe = [str(python), "-W", "ignore", "-c", f"import {name}"]
    if not python.exists() or subprocess.run(probe, capture_output=True, check=False).returncode:
        venv.create(folder, with_pip=True)
        subprocess.run([python, "-m", "pip", "install", "--quiet", *PEERS[name]], check=True)
    command = [str(python), "-W", "ignore", "-c", f"FMRS = {FMRS}\n{WORKERS[name]}"]
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1)


def experiment(count: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """``count`` scores in float64, half of them mated."""
    generator = np.random.default_rng(20260)
    return generator.normal(0.5, 0.15, count // 2), generator.normal(0.0, 0.1, count - count // 2)


def figures(mated: NDArray[np.float64], non_mated: NDArray[np.float64]) -> tuple[float, float, list[float]]:
    """Seconds, EER and FNMR at the five FMRs; the whole DET curve is made too."""
    start = time.perf_counter()
    scores = SortedScores(mated, non_mated)
    eer = scores.equal_error_rate().value
    points = [scores.fnmr_at_fmr(target) for target in FMRS]
    curve = scores.det_curve()
    seconds = time.perf_counter() - start
    assert len(curve.thresholds) > len(mated)
    return seconds, eer, points


def _one_rank_apart(mated: NDArray[np.float64], non_mated: NDArray[np.float64], theirs: Sequence[float]) -> bool:
    """Whether FNMRs are ours but for the convention, which moves a threshold by a rank or two of the scores."""
    scores, rank = SortedScores(mated, non_mated), 2 / len(non_mated)
    bounds = [(scores.fnmr_at_fmr(t + rank), scores.fnmr_at_fmr(max(t - rank, 0.0))) for t in FMRS]
    return all(low <= value <= high for (low, high), value in zip(bounds, theirs, strict=True))


def _row(name: str, ours: Sequence[float], target: float | str, met: bool, **more: Any) -> Row:
    return {"name": name, "unit": "s", "ours": spread(ours), "target": target, "met": met, **more}


def _ratio_row(name: str, peer_name: str, ours: Sequence[float], peer: Sequence[float], target: float) -> Row:
    ratios = spread([theirs / mine for mine, theirs in zip(ours, peer, strict=True)])
    return _row(name, ours, target, ratios["median"] >= target, peer=spread(peer), ratios=ratios, peer_name=peer_name)


def scores_against_peers(count: int, rounds: int, folder: Path) -> list[Row]:
    """EER, FNMR at five FMRs and DET; ours and each peer take turns."""
    mated, non_mated = experiment(count)
    files = [str(folder / f"{name}.npy") for name in ("mated", "non_mated")]
    np.save(files[0], mated)
    np.save(files[1], non_mated)
    figures(mated[:1000], non_mated[:1000])  # compiles
    rows = []
    for name, target in PEER_TARGETS.items():
        with peer_worker(name) as worker:
            assert worker.stdin is not None
            assert worker.stdout is not None
            ours, peer = [], []
            for _ in range(rounds):
                seconds, eer, points = figures(mated, non_mated)
                ours.append(seconds)
                worker.stdin.write(json.dumps(files) + "\n")
                seconds, their_eer, theirs = json.loads(worker.stdout.readline())
                peer.append(seconds)
                assert abs(eer - their_eer) < 1e-5, (eer, their_eer)
                assert _one_rank_apart(mated, non_mated, theirs), (points, theirs)
            worker.stdin.close()
        rows.append(_ratio_row(f"EER, FNMR at five FMRs, DET from {count:,} scores / {name}", name, ours, peer, target))
    return rows


def people(count: int, dimensions: int = 128, of_each: int = 4) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """Unit templates with ``of_each`` of a subject, and the subjects."""
    generator = np.random.default_rng(20260)
    subject = np.arange(count) // of_each
    centres = generator.normal(size=(int(subject[-1]) + 1, dimensions)).astype(np.float32)
    vectors = centres[subject] + 0.9 * generator.normal(size=(count, dimensions)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    return vectors, subject


def bare_product(plan: PairPlan, *, blas: bool) -> float:
    """Seconds for the blocks of the plan and nothing else: on two threads of BLAS, or on two of ours."""

    def multiply(tile: Tile) -> None:
        rows = plan.matrix[tile.top : tile.bottom]
        room = np.empty(len(rows) * plan.block[1], dtype=np.float32)
        for begin, end in tile.columns:
            for left in range(begin, end, plan.block[1]):
                right = min(left + plan.block[1], end)
                out = room[: len(rows) * (right - left)].reshape(len(rows), right - left)
                np.matmul(rows, plan.matrix[left:right].T, out=out)

    start = time.perf_counter()
    if blas:
        with threadpool_limits(2, user_api="blas"):
            for tile in plan.tiles:
                multiply(tile)
    else:
        with threadpool_limits(1, user_api="blas"), ThreadPoolExecutor(2) as pool:
            list(pool.map(multiply, plan.tiles))
    return time.perf_counter() - start


def all_pairs_child(count: int, rounds: int, groups: int = 14) -> dict[str, Any]:
    """What the process with a memory of its own does: ours and both products in turn, then the most memory it held."""
    vectors, subject = people(count)
    group = subject % groups
    compare_all(vectors[:2000], subject[:2000], group[:2000], workers=2)  # compiles
    plan = plan_pairs(vectors, subject, group, group_slots(groups), pairs=1, keep=1, bins=1)
    ours, product = [], []
    found: AllPairs | None = None
    for _ in range(rounds):
        product.append(min(bare_product(plan, blas=True), bare_product(plan, blas=False)))
        start = time.perf_counter()
        found = compare_all(vectors, subject, group, workers=2)
        found.det()
        thresholds = [found.threshold_at_fmr(target) for target in (1e-3, 1e-4, 1e-5, 1e-6, 1e-7)]
        ours.append(time.perf_counter() - start)
    assert found is not None
    assert found.pairs == count * (count - 1) // 2 - len(found.mated)
    assert all(threshold.realised_fmr <= threshold.target for threshold in thresholds)
    return {"ours": ours, "product": product, "mebibytes": peak_memory(), "kernel": found.run.kernel}


def all_pairs(count: int, rounds: int) -> list[Row]:
    """All pairs in a process of its own, so that its memory can be told."""
    command = [sys.executable, "-m", "benchmarks.measure", "--all-pairs-child", str(count), str(rounds)]
    root = Path(__file__).parents[1]
    answer = subprocess.run(command, cwd=root, stdout=subprocess.PIPE, text=True, check=True).stdout
    found = json.loads(answer.splitlines()[-1])
    name = f"all pairs of {count:,} templates, 14 groups, DET and thresholds"
    ratio = _ratio_row(f"{name} ({found['kernel']})", "bare float32 product", found["ours"], found["product"], 1 / 2.5)
    memory = spread([found["mebibytes"]])
    return [
        ratio,
        {
            "name": f"memory, {name}",
            "unit": "MiB",
            "ours": memory,
            "target": "< 1024 MiB",
            "met": memory["median"] < 1024,
        },
    ]


def bootstrap(pairs: int, subjects: int, replicates: int, rounds: int) -> list[Row]:
    """Vertex and subject bootstrap on common draws, five FMRs, thresholds refit and fixed."""
    from samebody.measure import BootstrapOptions

    generator = np.random.default_rng(20260)
    first = generator.integers(0, subjects, pairs)
    second = (first + generator.integers(1, subjects, pairs)) % subjects
    effect = generator.normal(0, 0.03, subjects)
    non_mated = generator.normal(0, 0.1, pairs) + effect[first] + effect[second]
    owner = np.repeat(np.arange(subjects), 10)
    mated = generator.normal(0.5, 0.1, len(owner)) + effect[owner]

    def work(thresholds: Any, count: int) -> float:
        start = time.perf_counter()
        graph = ListedPairs(first, second, subjects)
        options = BootstrapOptions(replicates=count)
        found = threshold_bootstrap(
            non_mated, first, second, graph, mated, owner, FMRS, thresholds=thresholds, options=options
        )
        seconds = time.perf_counter() - start
        assert all(estimate.fnmr.replicates == count for estimate in found)
        return seconds

    rows = []
    for thresholds in ("refit", "fixed"):
        work(thresholds, 20)  # compiles
        times = [work(thresholds, replicates) for _ in range(rounds)]
        name = (
            f"bootstrap over {subjects:,} subjects, {replicates:,} replicates, {pairs:,} pairs, thresholds {thresholds}"
        )
        rows.append(_row(name, times, "< 30 s", spread(times)["median"] < 30))
    return rows


def run(quick: bool = False) -> list[Row]:
    """All rows; ``quick`` takes smaller inputs."""
    with tempfile.TemporaryDirectory() as name:
        rows = scores_against_peers(1_000_000 if quick else 10_000_000, 2 if quick else 3, Path(name))
    rows += all_pairs(*(20_000, 3) if quick else (50_000, 5))
    return rows + bootstrap(*(100_000, 500, 200, 2) if quick else (1_000_000, 2_000, 1_000, 3))


def main(arguments: Sequence[str] | None = None) -> None:
    from rich.console import Console

    from benchmarks.__main__ import as_table

    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--only", choices=("scores", "all-pairs", "bootstrap"))
    parser.add_argument("--all-pairs-child", nargs=2, type=int, metavar=("COUNT", "ROUNDS"), help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    if options.all_pairs_child:
        print(json.dumps(all_pairs_child(*options.all_pairs_child)))
        return
    parts: dict[str, Callable[[], list[Row]]] = {
        "all-pairs": lambda: all_pairs(50_000, 5),
        "bootstrap": lambda: bootstrap(1_000_000, 2_000, 1_000, 3),
    }
    if options.only in parts:
        rows = parts[options.only]()
    elif options.only == "scores":
        with tempfile.TemporaryDirectory() as name:
            rows = scores_against_peers(10_000_000, 3, Path(name))
    else:
        rows = run(options.quick)
    Console().print(as_table(rows))


if __name__ == "__main__":
    main()
