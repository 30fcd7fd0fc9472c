"""The task that learns from the table of traces: what it refuses, whom it watches by, and that it learns."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("torch", reason="the extra samebody[train] is not installed")

import torch

from samebody.attacks.deepfake_features import names
from samebody.lab.train.deepfake import Deepfake, FeatureNetwork
from samebody.lab.train.errors import TrainingDataError
from samebody.lab.train.recipe import load_recipe
from samebody.lab.train.run import open_run, train


def table(count: int = 480) -> dict[str, Any]:
    random = np.random.default_rng(0)
    attack = np.arange(count) % 2 == 1
    x = random.normal(3, 2, (count, len(names()))).astype(np.float32)
    x[attack, :40] += 2
    species = np.where(np.arange(count) % 4 < 2, "face_swap", "morph")
    family = np.where(np.arange(count) % 8 < 4, "one", "two")
    person = np.array([f"p{number // 4}" for number in range(count)])
    part = np.where(np.arange(count) < count * 3 // 4, "train", "test")
    return {"x": x, "attack": attack, "species": species, "family": family, "person": person, "part": part}


def written(folder: Path, **changes: Any) -> str:
    path = folder / "table.npz"
    np.savez(path, **{name: value for name, value in (table() | changes).items() if value is not None})
    return str(path)


def test_people_watched_by_are_not_learnt_from_and_test_rows_are_not_seen(tmp_path: Path) -> None:
    data = Deepfake(table=written(tmp_path)).data(tmp_path, seed=0)
    train_people, held_people = (set(side.columns["subject"].tolist()) for side in (data.train, data.held))
    assert train_people and held_people and not train_people & held_people
    assert len(data.train) + len(data.held) == 360
    assert data.classes == 2


def test_left_out_species_and_families_are_gone_with_their_twins(tmp_path: Path) -> None:
    path = written(tmp_path)
    whole = Deepfake(table=path, leave_out=("morph",)).data(tmp_path, seed=0)
    assert set(whole.train.columns["species"].tolist()) == {"face_swap"}
    one = Deepfake(table=path, leave_out=("morph/one",)).data(tmp_path, seed=0)
    kinds = set(zip(one.train.columns["species"].tolist(), one.train.columns["family"].tolist()))
    assert ("morph", "two") in kinds and ("morph", "one") not in kinds
    assert whole.identity != one.identity


@pytest.mark.parametrize(
    ("changes", "leave_out", "said"),
    [
        ({"species": None}, (), "column species is missing"),
        ({"x": np.zeros((480, 3), np.float32)}, (), "features are known"),
        ({"x": np.full((480, len(names())), np.nan, np.float32)}, (), "not finite"),
        ({"attack": np.zeros(480, bool)}, (), "no attack to learn from"),
        ({}, ("masks",), "nothing is called 'masks'"),
    ],
)
def test_a_table_that_cannot_be_learnt_from_is_refused(
    tmp_path: Path, changes: dict[str, Any], leave_out: tuple[str, ...], said: str
) -> None:
    with pytest.raises(TrainingDataError) as caught:
        Deepfake(table=written(tmp_path, **changes), leave_out=leave_out).data(tmp_path, seed=0)
    assert any(said in problem for problem in caught.value.problems)


def test_a_file_that_is_no_table_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "table.npz"
    path.write_bytes(b"no archive")
    with pytest.raises(TrainingDataError, match="cannot be read"):
        Deepfake(table=str(path)).data(tmp_path, seed=0)


def test_the_bundled_recipe_learns_a_planted_trace(tmp_path: Path) -> None:
    changes = {"task.table": written(tmp_path), "steps": 60, "evaluate_every": 30, "schedule.warmup": 5}
    result = train(load_recipe("deepfake", changes), tmp_path / "run", cache=tmp_path, device="cpu", threads=1)
    assert result.status == "finished"
    assert result.held["area"] > 0.8
    opened = open_run(tmp_path / "run")
    assert isinstance(opened.network, FeatureNetwork)
    shipped, example = opened.task.exported(opened.network)
    rows = torch.from_numpy(table()["x"][:8])
    with torch.no_grad():
        found = shipped(rows)
        expected = torch.sigmoid(opened.network(rows)["logits"][:, 1:])
    torch.testing.assert_close(found, expected)
    assert example.input.shape == (1, len(names()))
