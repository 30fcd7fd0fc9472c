"""Making all models: what is missing is named, what is done is not done again, what changed is."""

from __future__ import annotations

import subprocess
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from benchmarks import models
from samebody.models import catalogue

PLAIN = models.Model("iris-segment", "iris/segment", (models.TRAIN, "python -c 'pass' {work}"))


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    made: list[list[str]] = []

    def run(words: list[str], **options: Any) -> Any:
        made.append(words)
        return subprocess.CompletedProcess(words, 3 if "fail" in words else 0)

    monkeypatch.setattr(models.subprocess, "run", run)
    monkeypatch.setattr(models, "optional", lambda *words: None)
    return made


def test_every_recipe_of_a_model_comes_with_the_package() -> None:
    for model in models.MODELS:
        assert all(path.is_file() for path in models.recipes_of(model)), model.name
        trained = [step.split()[2].format(name=model.name) for step in model.steps if step.startswith("samebody train")]
        assert set(trained) <= {path.stem for path in models.recipes_of(model)}, model.name
        assert not model.release or (models.ROOT / model.release).is_file(), model.name


def test_a_release_file_is_put_beside_its_run() -> None:
    text = "ship: 1\nrun: ../runs/edge\nout: ../x\ngates: [{kind: size}]\nrecord: {id: a/b, version: '1'}\n"
    found = yaml.safe_load(models.beside_the_run(text))
    assert (found["run"], found["out"], found["gates"]) == ("run", "release", [{"kind": "size"}])
    quick = yaml.safe_load(models.beside_the_run(text, quick=True))
    assert "gates" not in quick and quick["record"] == {"id": "a/b", "version": "1"}


def test_what_is_missing_is_named_with_what_brings_it(calls: list[list[str]], tmp_path: Path) -> None:
    model = replace(PLAIN, folders=("fairface",), weights=("face/nothing",))
    with pytest.raises(models.ModelDataMissingError) as caught:
        models.missing(model, tmp_path)
    assert str(tmp_path / "fairface") in str(caught.value) and "SAMEBODY_DATA" in str(caught.value)
    assert "samebody models pull face/nothing" in str(caught.value)
    (tmp_path / "fairface").mkdir()
    models.missing(replace(model, weights=()), tmp_path)


def test_steps_that_are_done_are_left_out_until_the_recipe_changes(
    calls: list[list[str]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    models.make(PLAIN, tmp_path, tmp_path / "work")
    assert len(calls) == 2 and calls[0][1:4] == ["-m", "samebody", "train"]
    models.make(PLAIN, tmp_path, tmp_path / "work")
    assert len(calls) == 2
    models.make(PLAIN, tmp_path, tmp_path / "work", quick=True)  # another command
    assert len(calls) == 3
    monkeypatch.setattr(models, "sources", lambda model: "changed")
    models.make(PLAIN, tmp_path, tmp_path / "work")
    assert len(calls) == 5


def test_a_failed_step_ends_the_model_and_is_run_again(calls: list[list[str]], tmp_path: Path) -> None:
    model = replace(PLAIN, steps=("samebody a {work}", "samebody fail", "samebody b"))
    for _ in range(2):
        with pytest.raises(SystemExit, match="ended with 3"):
            models.make(model, tmp_path, tmp_path / "work")
    assert [words[3] for words in calls] == ["a", "fail", "fail"]


def test_the_other_models_are_made_when_one_lacks_its_data(
    calls: list[list[str]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    lacking = replace(PLAIN, name="pad", folders=("fairface",))
    monkeypatch.setattr(models, "MODELS", (lacking, PLAIN))
    assert models.main(["--data", str(tmp_path), "--work", str(tmp_path / "work")]) == 66
    assert "models.data_missing" in capsys.readouterr().out and len(calls) == 2


def test_weights_are_compared_with_the_shipped_ones(tmp_path: Path) -> None:
    assert "no weights" in models.compared(PLAIN, tmp_path)
    bundle = tmp_path / "release" / "bundle"
    bundle.mkdir(parents=True)
    (bundle / "model.onnx").write_bytes(b"other")
    record = catalogue()["document/mrz-cells"]
    assert "other weights" in models.compared(replace(PLAIN, record=record.id), tmp_path)
    assert record.path is not None
    (bundle / "model.onnx").write_bytes((record.path.parent / record.filename).read_bytes())
    assert "the shipped weights" in models.compared(replace(PLAIN, record=record.id), tmp_path)
