from __future__ import annotations

import errno
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("torch", reason="the extra samebody[train] is not installed")

import numpy as np
import torch

from samebody.durable import try_lock
from samebody.errors import ConfigError, SamebodyError, UsageError
from samebody.lab.train.checkpoint import CHECKPOINT, load_checkpoint, load_tensors, load_weights, plain, save_weights
from samebody.lab.train.errors import (
    CheckpointError,
    DeviceError,
    InitialWeightsError,
    LoaderError,
    NotFiniteError,
    RunFolderError,
    RunLockedError,
    TrainingDataError,
)
from samebody.lab.train.run import open_run, train
from tests.lab.train.toy import Toy, recipe


def test_a_loss_that_is_no_number_stops_and_its_batch_is_saved(tmp_path: Path) -> None:
    made = recipe(augment=[{"name": "toy-poison", "step": 12}])
    with pytest.raises(NotFiniteError) as caught:
        train(made, tmp_path / "run", cache=tmp_path)
    assert caught.value.step == 12
    saved = load_tensors(Path(caught.value.batch))
    assert saved["step"] == 12 and saved["batch"]["input"].isnan().all()
    source = Toy().data(tmp_path, seed=7).train
    assert torch.equal(saved["batch"]["label"], torch.from_numpy(source.columns["label"][saved["indices"].numpy()]))
    state = load_checkpoint(tmp_path / "run", torch.device("cpu"))
    assert state is not None and state["standing"]["step"] == 10
    assert all(value.isfinite().all() for value in state["network"].values())


def test_a_gradient_that_is_no_number_stops_before_the_weights_move(tmp_path: Path, monkeypatch: Any) -> None:
    from tests.lab.train.toy import ToyLoss

    each = ToyLoss.each

    def rooted(self: Any, output: Any, batch: Any) -> Any:  # finite at 0, its slope is not
        return each(self, output, batch) + (output["logits"].detach() * self.scale * 0).abs().sum().sqrt()

    monkeypatch.setattr(ToyLoss, "each", rooted)
    with pytest.raises(NotFiniteError, match="gradient of step 1"):
        train(recipe(), tmp_path / "run", cache=tmp_path)


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        ("empty class", ["1 of 3 classes have no sample: 2"]),
        ("one sample", ["1 of 3 classes have a single sample: 2"]),
        ("shared subject", ["1 subjects stand in train and in held: t3"]),
        ("everything", ["no sample: 2", "15 subjects stand in train and in held"]),
    ],
)
def test_samples_that_cannot_be_trained_on_are_refused_with_every_reason(
    tmp_path: Path, fault: str, words: list[str]
) -> None:
    with pytest.raises(TrainingDataError) as caught:
        train(recipe(**{"task.fault": fault}), tmp_path / "run", cache=tmp_path)
    for word in words:
        assert word in str(caught.value)
    assert len(caught.value.problems) == len(words)
    assert not (tmp_path / "run" / "run.json").exists()


def test_a_full_disk_while_checkpointing_leaves_the_earlier_checkpoint(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = train(recipe(), tmp_path / "whole", cache=tmp_path)
    synced, calls = os.fsync, 0

    def full(descriptor: int) -> None:
        nonlocal calls
        name = Path(f"/proc/self/fd/{descriptor}").readlink().name
        if name.startswith(".part-") and os.fstat(descriptor).st_size > 8000:
            calls += 1
            if calls == 3:
                raise OSError(errno.ENOSPC, "No space left on device")
        synced(descriptor)

    with monkeypatch.context() as patch, pytest.raises(CheckpointError, match="untouched") as caught:
        patch.setattr(os, "fsync", full)
        train(recipe(), tmp_path / "run", cache=tmp_path)
    assert "Free some space" in caught.value.hint and caught.value.exit_code == 74
    state = load_checkpoint(tmp_path / "run", torch.device("cpu"))
    assert state is not None and state["standing"]["step"] > 0
    assert not list((tmp_path / "run").glob(".part-*"))
    assert train(recipe(), tmp_path / "run", cache=tmp_path).digests == whole.digests


LIMITED = """
import resource, sys
from pathlib import Path
from tests.lab.train.toy import recipe
from samebody.lab.train.checkpoint import CHECKPOINT
from samebody.lab.train.run import train
out = Path(sys.argv[1])
def limit(at):
    if (out / CHECKPOINT).exists():  # from here on no file may grow beyond 4 kB: the system refuses to write
        resource.setrlimit(resource.RLIMIT_FSIZE, (4096, resource.RLIM_INFINITY))
try:
    train(recipe(), out, cache=out.parent, device="cpu", report=limit)
except Exception as error:
    print(type(error).__name__, error)
"""


@pytest.mark.slow
def test_a_system_that_refuses_to_write_is_a_typed_error(tmp_path: Path) -> None:
    root = Path(__file__).parents[3]
    command = [sys.executable, "-c", LIMITED, str(tmp_path / "run")]
    done = subprocess.run(command, cwd=root, capture_output=True, text=True, timeout=120)
    assert "File too large" in done.stdout and "Error" in done.stdout, done.stdout + done.stderr
    assert done.returncode == 0
    state = load_checkpoint(tmp_path / "run", torch.device("cpu"))
    assert state is not None and state["standing"]["step"] == 5


@pytest.mark.parametrize("damage", ["cut", "bytes", "other"])
def test_a_damaged_checkpoint_is_a_typed_error(tmp_path: Path, damage: str) -> None:
    train(recipe(), tmp_path / "run", cache=tmp_path, stop=iter([False] * 6 + [True] * 100).__next__)
    path = tmp_path / "run" / CHECKPOINT
    data = path.read_bytes()
    if damage == "other":
        torch.save({"format": 99}, path)
    else:
        path.write_bytes(data[: len(data) // 2] if damage == "cut" else b"not a checkpoint")
    with pytest.raises(CheckpointError):
        train(recipe(), tmp_path / "run", cache=tmp_path)


def test_nothing_in_a_checkpoint_is_run(tmp_path: Path) -> None:
    class Evil:
        def __reduce__(self) -> Any:
            return os.system, (f"touch {tmp_path / 'ran'}",)

    torch.save({"format": 1, "recipe": Evil()}, tmp_path / "evil.pt")
    with pytest.raises(CheckpointError, match="more than tensors"):
        load_tensors(tmp_path / "evil.pt")
    assert not (tmp_path / "ran").exists()
    with pytest.raises(CheckpointError, match="cannot keep a Evil"):
        plain({"a": [Evil()]})


def test_weights_that_changed_on_the_disk_are_refused(tmp_path: Path) -> None:
    train(recipe(), tmp_path / "run", cache=tmp_path)
    path = tmp_path / "run" / "best.pt"
    weights = load_weights(path)
    torch.save({name: value + 1 for name, value in weights.items()}, path)
    with pytest.raises(RunFolderError, match="SHA-256"):
        open_run(tmp_path / "run")


def test_a_loader_process_that_dies_once_is_replaced_and_the_weights_are_the_same(tmp_path: Path) -> None:
    whole = train(recipe(steps=5), tmp_path / "whole", cache=tmp_path)
    made = recipe(**{"steps": 5, "task.kill": str(tmp_path / "killed"), "loader.workers": 1})
    result = train(made, tmp_path / "run", cache=tmp_path)
    assert (tmp_path / "killed").exists()
    assert result.digests == whole.digests


@pytest.mark.slow
def test_loader_processes_that_die_again_and_again_are_a_typed_error(tmp_path: Path) -> None:
    made = recipe(**{"task.kill": "always", "loader.workers": 1})
    with pytest.raises(LoaderError, match="died 3 times"):
        train(made, tmp_path / "run", cache=tmp_path)


def test_two_processes_never_train_in_one_folder(tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    descriptor = os.open(tmp_path / "run" / ".lock", os.O_RDWR | os.O_CREAT)
    try:
        assert try_lock(descriptor)
        with pytest.raises(RunLockedError):
            train(recipe(), tmp_path / "run", cache=tmp_path)
    finally:
        os.close(descriptor)


def test_a_folder_with_other_things_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("mine")
    with pytest.raises(RunFolderError, match="no run of training"):
        train(recipe(), tmp_path, cache=tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == [".lock", "mine.txt"]
    with pytest.raises(RunFolderError, match="Make one with"):
        open_run(tmp_path)


@pytest.mark.parametrize("fault", ["missing", "sha256", "shape", "text"])
def test_weights_to_start_from_that_do_not_fit_are_a_typed_error(tmp_path: Path, fault: str) -> None:
    path = tmp_path / "start.pt"
    changes: dict[str, Any] = {"init.weights": str(path)}
    weights = {"layers.0.weight": torch.zeros(4, 8)}
    if fault == "sha256":
        changes["init.sha256"] = "0" * 64
    if fault != "missing":
        save_weights(path, weights)
    if fault == "text":
        path.write_text("no weights")
    with pytest.raises((InitialWeightsError, CheckpointError)):
        train(recipe(**changes), tmp_path / "run", cache=tmp_path)
    if fault == "shape":
        save_weights(path, {"layers.0.bias": torch.zeros(16), "odd": torch.zeros(1)})
        assert train(recipe(**changes, **{"init.partial": True}), tmp_path / "run2", cache=tmp_path).step == 30


def test_a_device_that_is_not_there_is_a_typed_error(tmp_path: Path) -> None:
    with pytest.raises(DeviceError):
        train(recipe(), tmp_path / "run", cache=tmp_path, device="cuda:77")


def test_a_figure_to_stop_by_that_is_not_measured_is_a_typed_error(tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.setattr(Toy, "monitor", "eer")
    with pytest.raises(UsageError, match="measures no 'eer'"):
        train(recipe(), tmp_path / "run", cache=tmp_path)


def test_a_figure_that_is_no_number_is_never_the_best(tmp_path: Path, monkeypatch: Any) -> None:
    made = recipe(**{"task.figures": [2.0, 1.0, 3.0]})
    result = train(made, tmp_path / "run", cache=tmp_path)
    assert result.best_step == 20
    monkeypatch.setattr(Toy, "measure", lambda self, network, held: {"loss": float("nan")})
    assert train(recipe(), tmp_path / "nan", cache=tmp_path).best_step == 0
    assert (tmp_path / "nan" / "best.pt").exists()


def test_parts_that_refuse_their_parameters_are_typed_errors(tmp_path: Path) -> None:
    with pytest.raises(SamebodyError) as caught:
        recipe(**{"task.samples": "many"})
    assert "samples" in str(caught.value)
    with pytest.raises(ConfigError):
        Toy(samples="many")


def test_arrays_of_samplers_become_tensors() -> None:
    found = plain({"a": np.arange(3), "b": np.float32(2.5), "c": (1, [None, "x"])})
    assert torch.equal(found["a"], torch.arange(3)) and found["b"] == 2.5 and found["c"] == (1, [None, "x"])
