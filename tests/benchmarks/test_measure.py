"""The speed figures of the measuring stick rest on work that was really done."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from benchmarks import measure
from benchmarks.__main__ import as_markdown
from samebody.measure import equal_error_rate, fnmr, threshold_at_fmr
from samebody.measure.pair_plan import group_slots, plan_pairs


def test_the_figures_that_are_timed_are_those_of_the_naive_functions() -> None:
    mated, non_mated = measure.experiment(20_001)
    assert len(mated) + len(non_mated) == 20_001
    seconds, eer, points = measure.figures(mated, non_mated)
    assert seconds > 0
    assert eer == equal_error_rate(mated, non_mated).value
    assert points == [fnmr(mated, threshold_at_fmr(non_mated, target).value) for target in measure.FMRS]


def test_a_peer_that_is_more_than_two_ranks_away_is_found_out() -> None:
    mated, non_mated = measure.experiment(20_000)
    _, _, points = measure.figures(mated, non_mated)
    assert measure._one_rank_apart(mated, non_mated, points)
    assert not measure._one_rank_apart(mated, non_mated, [points[0] * 1.05, *points[1:]])


def test_all_pairs_are_timed_beside_the_product_of_the_same_blocks() -> None:
    root = Path(measure.__file__).parents[1]
    command = [sys.executable, "-m", "benchmarks.measure", "--all-pairs-child", "2500", "2"]
    answer = subprocess.run(command, cwd=root, capture_output=True, text=True, check=True).stdout
    found = json.loads(answer.splitlines()[-1])
    assert len(found["ours"]) == len(found["product"]) == 2
    assert all(mine > bare > 0 for mine, bare in zip(found["ours"], found["product"], strict=True))
    assert 50 < found["mebibytes"] < 1024


@pytest.mark.parametrize("blas", [True, False])
def test_the_bare_product_multiplies_every_block(monkeypatch: pytest.MonkeyPatch, blas: bool) -> None:
    vectors, subject = measure.people(300, dimensions=8)
    assert np.allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)
    plan = plan_pairs(vectors, subject, subject % 2, group_slots(2), pairs=1, keep=1, bins=1, block=(64, 50))
    sizes = []
    original = np.matmul
    monkeypatch.setattr(np, "matmul", lambda *a, **k: sizes.append(k["out"].size) or original(*a, **k))
    assert measure.bare_product(plan, blas=blas) > 0
    assert sum(sizes) == sum(tile.size for tile in plan.tiles) >= 300 * 301 // 2


def test_rows_of_the_bootstrap_can_be_printed() -> None:
    rows = measure.bootstrap(3_000, 40, 20, 2)
    assert [row["met"] for row in rows] == [True, True]
    machine = {"processor": "p", "cores": 2, "memory_gib": 1, "python": "3", "versions": {}, "commit": "c"}
    assert "thresholds refit" in as_markdown(rows, machine, quick=True)
