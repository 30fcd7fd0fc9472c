"""The engine over all pairs: by group, resumed after a kill, and on two worker processes of Ray, to the last count."""

from __future__ import annotations

import itertools
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace

import numpy as np
import pytest

from samebody.lab.evaluate.all_pairs import AllPairs, CheckpointError, compare_all
from samebody.lab.evaluate.all_pairs.checkpoint import Checkpoint, CheckpointWriteError
from samebody.lab.evaluate.all_pairs.engine import UnknownEngineError
from samebody.lab.evaluate.errors import MissingExtraError
from samebody.measure import (
    BootstrapOptions,
    EmptyClassError,
    InvalidScoresError,
    TailTooShortError,
    fmr,
    fnmr,
    threshold_at_fmr,
    vertex_bootstrap,
)
from samebody.measure.kernels import has_numba
from samebody.measure.pair_counts import Tally

KERNELS = ["numpy", pytest.param("numba", marks=pytest.mark.skipif(not has_numba(), reason="numba is not installed"))]


def templates(count: int, seed: int = 1, dimensions: int = 32, of_each: int = 3):
    """Vectors, subjects of ``of_each`` templates, and groups -1, 0, 1, 2 of subjects."""
    generator = np.random.default_rng(seed)
    subject = np.arange(count) // of_each
    centre = generator.normal(size=(subject[-1] + 1, dimensions))
    vectors = centre[subject] + 0.8 * generator.normal(size=(count, dimensions))
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    return vectors.astype(np.float32), subject, subject % 4 - 1


def all_scores(vectors, subject):
    """(non-mated, mated) lists of (score, first, second), by two loops."""
    wide = vectors.astype(np.float64)
    found: tuple[list, list] = ([], [])
    for i, j in itertools.combinations(range(len(vectors)), 2):
        found[int(subject[i] == subject[j])].append((np.float32(wide[i] @ wide[j]), i, j))
    return found


def same(one: AllPairs, two: AllPairs) -> None:
    assert one.floor == two.floor and one.groups == two.groups
    names = ("counts", "group_pairs", "tail", "first", "second", "mated", "mated_first", "mated_second")
    for name in names:
        np.testing.assert_array_equal(getattr(one, name), getattr(two, name))


@pytest.mark.parametrize("kernel", KERNELS)
def test_everything_that_is_kept_agrees_with_two_loops(kernel):
    vectors, subject, group = templates(240)
    found = compare_all(vectors, subject, group, kernel=kernel, block=(50, 40), keep_fmr=0.5)
    non_mated, mated = all_scores(vectors, subject)
    assert found.run.kernel == kernel
    assert list(zip(found.mated, found.mated_first, found.mated_second)) == mated
    ranked = sorted(non_mated, key=lambda row: (-row[0], row[1], row[2]))
    rows = list(zip(found.tail, found.first, found.second))
    assert rows == ranked[: len(rows)] and len(rows) >= 0.5 * len(ranked)
    scores = np.array([row[0] for row in non_mated])
    codes = np.array([sorted((group[i], group[j])) for _, i, j in non_mated])
    for row, (one, two) in enumerate(found.group_pairs):
        chosen = scores[np.all(codes == (one, two), axis=1)]
        counts, _ = np.histogram(chosen, bins=found.bins, range=(-1, 1))
        assert found.counts[row].sum() == len(chosen)
        # A product may be rounded over an edge, by one bin.
        assert np.abs(np.cumsum(counts) - np.cumsum(found.counts[row])).max() <= 2
        if one >= 0:
            assert found.trials[one, two] == found.trials[two, one] == len(chosen)
            assert found.histogram(int(one), int(two)).total == len(chosen)
    for target in (1e-2, 1e-3, 1e-4):
        threshold = found.threshold_at_fmr(target)
        assert threshold == threshold_at_fmr(scores, target)
        assert found.fmr(threshold.value)[0] == fmr(scores, threshold.value) == threshold.realised_fmr
        assert found.fnmr(threshold.value) == fnmr([row[0] for row in mated], threshold.value)
        matrix = found.errors(threshold.value)
        wrong = codes[scores >= threshold.value]
        for one, two in itertools.combinations_with_replacement(range(3), 2):
            assert matrix[one, two] == matrix[two, one] == np.count_nonzero(np.all(wrong == (one, two), axis=1))
        graph = found.errors_graph(threshold.value)
        assert graph.pairs() == threshold.errors
        options = BootstrapOptions(replicates=50)
        assert vertex_bootstrap(found.graph, [graph], options)[0].rate == threshold.realised_fmr


def test_det_points_are_the_rates_at_their_thresholds():
    vectors, subject, _ = templates(300)
    found = compare_all(vectors, subject, keep_fmr=1e-3)
    non_mated, mated = ([row[0] for row in rows] for rows in all_scores(vectors, subject))
    curve = found.det()
    assert found.floor > -1 and curve.thresholds[0] < found.floor < curve.thresholds[-2]
    assert np.all(np.diff(curve.thresholds) > 0) and np.isinf(curve.thresholds[-1])
    assert (curve.fmr[0], curve.fmr[-1], curve.fnmr[0], curve.fnmr[-1]) == (1, 0, 0, 1)
    for at in range(0, len(curve.thresholds) - 1, 500):
        threshold = curve.thresholds[at]
        assert curve.fnmr[at] == fnmr(mated, threshold)
        # Below the floor a rounding over the edge moves one pair.
        assert abs(curve.fmr[at] - fmr(non_mated, threshold)) <= (0 if threshold >= found.floor else 1 / found.pairs)


@pytest.mark.parametrize("kernel", KERNELS)
def test_the_number_of_threads_changes_nothing(kernel):
    vectors, subject, group = templates(500)
    runs = [
        compare_all(vectors, subject, group, workers=workers, kernel=kernel, block=(64, 64)) for workers in (1, 2, 4)
    ]
    assert [run.run.workers for run in runs] == [1, 2, 4]
    same(runs[0], runs[1])
    same(runs[0], runs[2])


def test_without_groups_there_is_one_histogram():
    vectors, subject, _ = templates(30)
    found = compare_all(vectors, subject)
    assert found.groups == 1 and found.counts.shape == (1, 32768)
    assert found.trials.tolist() == [[found.pairs]] == [[30 * 29 // 2 - 30]]
    assert found.floor == -1 and len(found.tail) == found.pairs
    assert found.mated_histogram().total == found.mated_histogram(0).total == 30


class KilledError(Exception):
    pass


@pytest.mark.parametrize("kernel", KERNELS)
def test_an_interrupted_run_goes_on_where_it_was(tmp_path, kernel):
    vectors, subject, group = templates(400)
    arguments = {"kernel": kernel, "block": (32, 64), "keep_fmr": 0.2}
    whole = compare_all(vectors, subject, group, **arguments)
    file = tmp_path / "pairs.npz"

    def stop(done: int, every: int) -> None:
        if done > every / 2:
            raise KilledError

    with pytest.raises(KilledError):
        compare_all(vectors, subject, group, checkpoint=file, checkpoint_seconds=0, progress=stop, **arguments)
    assert file.exists()
    steps: list[tuple[int, int]] = []
    again = compare_all(
        vectors, subject, group, checkpoint=file, progress=lambda *step: steps.append(step), **arguments
    )
    assert 0 < again.run.resumed < again.run.tiles == whole.run.tiles
    assert len(steps) == again.run.tiles - again.run.resumed
    assert steps[-1][0] == steps[-1][1]
    same(whole, again)
    assert list(tmp_path.iterdir()) == []  # nothing is left behind


SCRIPT = """
import sys, time, numpy as np
from pathlib import Path
from samebody.lab.evaluate.all_pairs import compare_all
data = np.load(sys.argv[1])
compare_all(data["vectors"], data["subject"], data["group"], workers=1, kernel="numpy", block=(32, 64),
            checkpoint=Path(sys.argv[2]), checkpoint_seconds=0, progress=lambda *_: time.sleep(0.2))
"""


def test_a_killed_process_is_resumed_to_the_last_count(tmp_path):
    vectors, subject, group = templates(400)
    np.savez(tmp_path / "in.npz", vectors=vectors, subject=subject, group=group)
    file = tmp_path / "pairs.npz"
    process = subprocess.Popen([sys.executable, "-c", SCRIPT, str(tmp_path / "in.npz"), str(file)])
    try:
        deadline = time.monotonic() + 60
        while not file.exists() and process.poll() is None and time.monotonic() < deadline:
            time.sleep(0.02)
        assert file.exists() and process.poll() is None, "the run ended before it could be killed"
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait()
    again = compare_all(vectors, subject, group, kernel="numpy", block=(32, 64), checkpoint=file)
    assert again.run.resumed > 0
    assert str(process.pid) in again.run.processes and str(os.getpid()) in again.run.processes
    same(compare_all(vectors, subject, group, kernel="numpy", block=(32, 64)), again)


def test_a_checkpoint_of_other_work_or_no_checkpoint_at_all_is_refused(tmp_path):
    vectors, subject, group = templates(60)
    file = tmp_path / "pairs.npz"

    def stop(done: int, every: int) -> None:
        if done == every:  # raised before the last tile is written
            raise KilledError

    with pytest.raises(KilledError):
        compare_all(vectors, subject, group, checkpoint=file, checkpoint_seconds=0, progress=stop, block=(16, 16))
    with pytest.raises(CheckpointError, match="other templates"):
        compare_all(vectors, subject, checkpoint=file, block=(16, 16))
    with pytest.raises(CheckpointError, match="other templates"):
        compare_all(vectors, subject, group, checkpoint=file, block=(16, 15))
    file.write_bytes(file.read_bytes()[:1000])
    with pytest.raises(CheckpointError, match="Delete"):
        compare_all(vectors, subject, group, checkpoint=file, block=(16, 16))
    file.write_bytes(b"not an archive")
    with pytest.raises(CheckpointError):
        compare_all(vectors, subject, group, checkpoint=file, block=(16, 16))


def test_a_checkpoint_that_cannot_be_written_leaves_nothing_half_written(tmp_path, monkeypatch):
    vectors, subject, group = templates(60)
    with pytest.raises(CheckpointWriteError, match="folder"):
        compare_all(vectors, subject, group, checkpoint=tmp_path / "no" / "pairs.npz", checkpoint_seconds=0)

    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(np, "savez", full)
    with pytest.raises(CheckpointWriteError, match="No space"):
        compare_all(vectors, subject, group, checkpoint=tmp_path / "pairs.npz", checkpoint_seconds=0)
    assert list(tmp_path.iterdir()) == []


def test_checkpoints_are_written_no_more_often_than_asked(tmp_path):
    vectors, subject, group = templates(60)
    file = tmp_path / "pairs.npz"
    seen: list[bool] = []
    compare_all(vectors, subject, group, checkpoint=file, progress=lambda *_: seen.append(file.exists()), block=(8, 8))
    assert not any(seen)


def test_what_cannot_be_compared_is_refused():
    vectors, subject, group = templates(12)
    with pytest.raises(EmptyClassError):
        compare_all(vectors, np.zeros(12, dtype=int))
    with pytest.raises(InvalidScoresError):
        compare_all(vectors[:0], subject[:0])
    with pytest.raises(InvalidScoresError, match="groups"):
        compare_all(vectors, subject, group - 1)
    with pytest.raises(UnknownEngineError):
        compare_all(vectors, subject, engine="cloud")
    alone = compare_all(vectors, np.arange(12))
    for call in (alone.det, lambda: alone.fnmr(0.1), lambda: alone.histogram(0, 5)):
        with pytest.raises(EmptyClassError):
            call()
    large = compare_all(*templates(300), keep_fmr=1e-3)
    with pytest.raises(TailTooShortError):
        large.errors(large.floor - 0.01)


def test_a_missing_ray_is_an_error_that_names_the_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "ray", None)
    vectors, subject, _ = templates(12)
    with pytest.raises(MissingExtraError, match=r"samebody\[ray\]"):
        compare_all(vectors, subject, engine="ray")


@pytest.fixture(scope="module")
def local_ray(tmp_path_factory):
    ray = pytest.importorskip("ray", reason="Ray is not installed (extra 'ray')")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
        patch.setenv("RAY_DISABLE_IMPORT_WARNING", "1")
        ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False, object_store_memory=200_000_000)
        yield ray
        ray.shutdown()


@pytest.mark.filterwarnings("ignore")
@pytest.mark.timeout(300)
def test_two_ray_workers_give_the_same_figures_to_the_last_count(local_ray, tmp_path):
    vectors, subject, group = templates(400)
    arguments = {"block": (64, 64), "keep_fmr": 0.1}
    steps: list[tuple[int, int]] = []
    found = compare_all(
        vectors, subject, group, engine="ray", workers=2, progress=lambda *step: steps.append(step), **arguments
    )
    here = compare_all(vectors, subject, group, **arguments)
    same(here, found)
    assert found.run.engine == "ray" and found.run.workers == 2
    processes = {int(name.split(":")[1]) for name in found.run.processes}
    assert len(processes) == 2 and os.getpid() not in processes
    assert here.run.processes == (str(os.getpid()),)
    assert len(steps) == found.run.tiles and steps[-1][0] == steps[-1][1]

    file = tmp_path / "pairs.npz"

    def stop(done: int, every: int) -> None:
        if done > every / 2:
            raise KilledError

    with pytest.raises(KilledError):
        compare_all(
            vectors, subject, group, engine="ray", workers=2, checkpoint=file, checkpoint_seconds=0, progress=stop,
            **arguments,
        )  # fmt: skip
    # What was begun on the cluster is finished on this machine.
    again = compare_all(vectors, subject, group, checkpoint=file, **arguments)
    assert again.run.resumed > 0
    same(here, again)


def test_sums_do_not_depend_on_the_order_of_tiles(tmp_path):
    from samebody.measure.pair_counts import count_tile
    from samebody.measure.pair_plan import group_slots, plan_pairs

    vectors, subject, group = templates(150)
    plan = plan_pairs(
        vectors, subject, group + 1, group_slots(4), pairs=150 * 149 // 2 - 150, keep=40, bins=4096, block=(16, 32)
    )
    found = {number: count_tile(plan, tile, kernel="numpy") for number, tile in enumerate(plan.tiles)}
    orders = [list(found), list(found)[::-1], list(np.random.default_rng(0).permutation(list(found)))]
    tallies = []
    for order in orders:
        tally = Tally(plan)
        for number in order:
            tally.add(int(number), replace(found[number], process="elsewhere"))
        tallies.append(tally)
    for tally in tallies[1:]:
        np.testing.assert_array_equal(tally.counts, tallies[0].counts)
        for one, two in zip(tally.tail(), tallies[0].tail()):
            np.testing.assert_array_equal(one, two)
    kept = Checkpoint(tmp_path / "c.npz", plan)
    kept.write(tallies[0])
    restored = kept.load()
    assert restored.done == tallies[0].done and restored.processes == {"elsewhere"}
    assert restored.floor_bin == tallies[0].floor_bin
