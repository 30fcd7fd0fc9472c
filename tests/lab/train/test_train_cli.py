from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("torch", reason="the extra samebody[train] is not installed")

import numpy as np
import torch
from click.testing import CliRunner

from samebody.cli.main import cli
from samebody.lab.data import DataSet
from samebody.lab.data.erase import models_trained_on
from samebody.lab.train.checkpoint import load_checkpoint
from samebody.lab.train.classify import Classify
from samebody.lab.train.errors import ClusterError, TrainingDataError
from samebody.lab.train.run import open_run, read_record
from tests.lab.train import pictures


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("pictures")
    pictures.data_set(folder)
    return folder


def test_pictures_to_a_classifier(made: Path, tmp_path: Path) -> None:
    out = tmp_path / "run"
    done = CliRunner().invoke(
        cli, ["train", str(pictures.recipe(made)), "--out", str(out), "--cache", str(tmp_path), "--device", "cpu"]
    )
    assert done.exit_code == 0, done.output
    assert "finished at step 12 of 12" in done.output and str(out / "curves.html") in done.output
    version = DataSet.open(made / "set").version().id
    record = read_record(out)
    assert record["data"]["identity"]["version"] == version
    assert models_trained_on([version], [tmp_path]) == (str(out / "run.json"),)  # what `data erase --runs` lists
    opened = open_run(out)
    network, example = opened.task.exported(opened.network)
    assert torch.allclose(network(example.input).sum(1), torch.ones(1))


def test_values_are_put_in_and_the_result_is_json(made: Path, tmp_path: Path) -> None:
    arguments = ["train", str(pictures.recipe(made)), "--out", str(tmp_path / "run"), "--cache", str(tmp_path)]
    done = CliRunner().invoke(cli, [*arguments, "--set", "steps=3", "--set", "optimiser.lr=1e-4", "--json"])
    assert done.exit_code == 0, done.output
    found = json.loads(done.stdout)
    assert found["steps"] == 3 and found["status"] == "finished"
    assert read_record(tmp_path / "run")["recipe"]["optimiser"]["lr"] == 1e-4
    assert open_run(tmp_path / "run").recipe.steps == 3


def test_classes_without_samples_and_broken_pictures_are_refused(made: Path, tmp_path: Path) -> None:
    options = {"data_set": str(made / "set"), "size": (32, 32)}
    with pytest.raises(TrainingDataError) as caught:
        Classify(**options, classes=("plain", "striped", "dotted", "wavy")).data(tmp_path, seed=0)
    assert len(caught.value.problems) == 4
    folder = tmp_path / "broken"
    folder.mkdir()
    broken = pictures.data_set(folder, 4)
    manifest = broken.manifest()
    sample = manifest["sha256"][manifest["split"] == "train"][0]
    broken.object_path(sample).write_bytes(b"changed")
    with pytest.raises(TrainingDataError, match=sample[:12]):
        Classify(data_set=str(folder / "set"), classes=("plain", "striped"), size=(32, 32)).data(tmp_path, seed=0)


def test_a_prepared_picture_is_the_picture_and_is_prepared_once(made: Path, tmp_path: Path) -> None:
    import cv2

    from samebody.capture.decode import decode_image

    task = Classify(data_set=str(made / "set"), classes=("plain", "striped"), size=(48, 48))
    data = task.data(tmp_path, seed=0)
    held = DataSet.open(made / "set")
    manifest = held.manifest()
    rows = {sample: row for row, sample in enumerate(manifest["sample"])}
    for place in (0, len(data.held) - 1):
        row = rows[data.held.columns["sample"][place]]
        pixels = decode_image(held.read(manifest["sha256"][row])).pixels
        assert pixels.shape[:2] == (48, 48)
        expected = (cv2.resize(pixels, (48, 48)).astype(np.float32) - 127.5) / 128
        found = data.held.batch(np.array([place]), 0)
        np.testing.assert_allclose(found["input"][0].permute(1, 2, 0).numpy(), expected, atol=1e-6)
        assert ("plain", "striped")[int(found["label"][0])] == manifest["label"][row]
    assert not set(data.train.columns["subject"]) & set(data.held.columns["subject"])
    files = {path: path.stat().st_mtime_ns for path in tmp_path.iterdir()}
    task.data(tmp_path, seed=0)
    assert {path: path.stat().st_mtime_ns for path in tmp_path.iterdir()} == files


def test_a_recipe_with_mistakes_ends_with_all_of_them(made: Path, tmp_path: Path) -> None:
    recipe = pictures.recipe(made, **{"batch: 16": "batch: -1", "size: [32, 32]": "size: [8, 8]"})
    done = CliRunner().invoke(cli, ["train", str(recipe), "--out", str(tmp_path / "run")])
    assert done.exception is not None and getattr(done.exception, "code", "") == "train.recipe_invalid"
    assert "line 4" in str(done.exception) and "line 9" in str(done.exception)
    assert not (tmp_path / "run").exists()


def test_without_torch_the_extra_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setitem(sys.modules, "torch", None)
    for name in ("train", "tune"):
        done = CliRunner().invoke(cli, [name, "recipe.yaml", "--out", str(tmp_path / "run")])
        assert getattr(done.exception, "code", "") == "evaluate.missing_extra"
        assert "samebody[train]" in str(done.exception)


STUDY = """\
study: 1
id: stripes
recipe: recipe.yaml
trials: 2
space: {optimiser.lr: {low: 1e-4, high: 1e-2, log: true}}
sampler: random
"""


def test_tune_writes_the_best_recipe(made: Path, tmp_path: Path) -> None:
    pictures.recipe(made, **{"steps: 12": "steps: 4", "evaluate_every: 6": "evaluate_every: 2"})
    (made / "study.yaml").write_text(STUDY)
    arguments = ["tune", str(made / "study.yaml"), "--out", str(tmp_path / "out"), "--cache", str(tmp_path)]
    done = CliRunner().invoke(cli, arguments)
    assert done.exit_code == 0, done.output
    assert "2 trials: 2 completed" in done.output and (tmp_path / "out" / "best.yaml").exists()


@pytest.mark.slow
@pytest.mark.parametrize("engine", ["local", "ray", "torchrun"])
def test_two_processes_train_together_and_go_on_after_a_kill(made: Path, tmp_path: Path, engine: str) -> None:
    if engine == "ray":
        pytest.importorskip("ray.train", reason="the extra samebody[ray] is not installed")
    recipe = pictures.recipe(made, **{"steps: 12": "steps: 8", "evaluate_every: 6": "evaluate_every: 4"})
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": "", "RAY_TRAIN_V2_ENABLED": "1"}

    def run(out: Path, *more: str) -> subprocess.CompletedProcess[str]:
        start = [sys.executable, "-m"]
        if engine == "torchrun":
            start += ["torch.distributed.run", "--nproc-per-node", "2", "-m"]
        arguments = ["samebody", "train", str(recipe), "--out", str(out), "--cache", str(tmp_path), "--device", "cpu"]
        if engine != "torchrun":
            arguments += ["--workers", "2", "--engine", engine]
        command = [*start, *arguments, *more]
        return subprocess.run(command, capture_output=True, text=True, timeout=900, env=environment)

    done = run(tmp_path / "a")
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    first = json.loads((tmp_path / "a" / "result.json").read_text())
    assert first["status"] == "finished" and first["step"] == 8
    assert sorted(path.name for path in (tmp_path / "a").iterdir() if path.suffix == ".pt") == [
        "best.pt",
        "checkpoint.pt",
        "last.pt",
    ]
    if engine == "local":  # same weights again; an odd batch is refused
        assert run(tmp_path / "b").returncode == 0
        assert json.loads((tmp_path / "b" / "result.json").read_text())["digests"] == first["digests"]
        odd = run(tmp_path / "c", "--set", "batch=15")
        assert odd.returncode == 69 and "cannot be divided among 2" in odd.stderr


@pytest.mark.slow
def test_trials_run_at_once_on_a_cluster(made: Path, tmp_path: Path) -> None:
    pytest.importorskip("ray", reason="the extra samebody[ray] is not installed")
    pictures.recipe(made, **{"steps: 12": "steps: 4", "evaluate_every: 6": "evaluate_every: 2"})
    (made / "study.yaml").write_text(STUDY.replace("trials: 2", "trials: 4"))
    command = [sys.executable, "-m", "samebody", "tune", str(made / "study.yaml"), "--out", str(tmp_path / "out")]
    command += ["--cache", str(tmp_path), "--engine", "ray", "--workers", "2", "--threads", "1", "--json"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=900)
    assert done.returncode == 0, done.stderr[-2000:]
    found = json.loads(done.stdout[done.stdout.index("{") :])
    assert found["completed"] >= 4 and found["failed"] == 0
    stored = [json.loads(p.read_text())["best"]["loss"] for p in (tmp_path / "out").glob("trials/*/result.json")]
    assert found["best"] == min(stored)


@pytest.mark.slow
def test_a_process_that_dies_ends_the_group_with_a_typed_error(made: Path, tmp_path: Path) -> None:
    import threading
    import time

    from samebody.lab.train import cluster
    from samebody.lab.train.recipe import load_recipe

    recipe = load_recipe(
        pictures.recipe(made, **{"steps: 12": "steps: 4000", "evaluate_every: 6": "checkpoint_every: 2"})
    )

    def kill() -> None:
        while not (tmp_path / "run" / "checkpoint.pt").exists():
            time.sleep(0.1)
        mine = [child for child in children(os.getpid()) if "spawn_main" in child[1]]
        os.kill(mine[-1][0], 9)

    thread = threading.Thread(target=kill, daemon=True)
    thread.start()
    with pytest.raises(ClusterError, match=r"died \(signal SIGKILL\)"):
        cluster.train_together(recipe, tmp_path / "run", workers=2, device="cpu", cache=tmp_path)
    state = load_checkpoint(tmp_path / "run", torch.device("cpu"))
    assert state is not None and state["standing"]["step"] >= 2


def children(parent: int) -> list[tuple[int, str]]:
    """Processes started by ``parent``: number and command line."""
    found = []
    for path in Path("/proc").iterdir():
        if path.name.isdigit():
            try:
                fields = (path / "stat").read_text().rpartition(")")[2].split()
                command = (path / "cmdline").read_text().replace("\0", " ")
            except OSError:
                continue
            if int(fields[1]) == parent:
                found.append((int(path.name), command))
    return sorted(found)
