"""Export: the graph answers as the network on real inputs, or nothing is written."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="the extra samebody[train] is not installed")

import onnx  # noqa: E402
from torch import nn  # noqa: E402

from samebody.errors import SamebodyError  # noqa: E402
from samebody.lab.ship.errors import ParityError, SamplesError, ShipError  # noqa: E402
from samebody.lab.ship.graph import input_names, outputs_of, read_graph, session_of  # noqa: E402
from samebody.lab.ship.samples import Samples, load_samples  # noqa: E402
from samebody.lab.train.export import Exported, check_parity, export_module, export_run, source_samples  # noqa: E402
from samebody.lab.train.run import open_run, train  # noqa: E402
from samebody.lab.train.task import Example  # noqa: E402
from tests.lab.train import toy  # noqa: E402


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    folder = tmp_path_factory.mktemp("run")
    train(toy.recipe(), folder / "run", cache=folder / "cache", device="cpu", threads=1)
    yield folder / "run"


@pytest.fixture(scope="module")
def exported(run: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Exported, Path]:
    folder = tmp_path_factory.mktemp("export")
    return export_run(run, folder / "out", cache=folder), folder / "out"


def test_a_run_becomes_a_graph_that_answers_alike_in_any_batch(run: Path, exported: tuple[Exported, Path]) -> None:
    made, out = exported
    graph = read_graph(out / "model.onnx")
    opened = open_run(run)
    module, example = opened.task.exported(opened.network)
    held = load_samples(out / "held.npz", input_names(graph))
    with torch.no_grad():
        expected = module.eval()(torch.from_numpy(held.tensors[example.input_name]))["logits"].numpy()
    for batch in (1, 3, len(held)):
        found = outputs_of(session_of(graph), held, batch=batch)["logits"]
        np.testing.assert_allclose(found, expected, atol=1e-4)
    assert made.parity[0].largest < 1e-4 and made.parity[0].samples == len(held)
    about = json.loads((out / "export.json").read_text())
    assert about["run"]["recipe_digest"] == opened.recipe.digest and about["model"]["sha256"] == made.sha256
    assert about["run"]["data"] == opened.record["data"]["identity"]
    assert list(held.columns["label"][:3]) == [0, 1, 2] and str(held.columns["subject"][0]).startswith("h")
    learned = load_samples(out / "calibration.npz", ["input"])
    assert str(learned.columns["subject"][0]).startswith("t"), "calibration never sees what gates measure on"


def test_the_graph_names_no_file_and_no_line_of_the_machine(exported: tuple[Exported, Path]) -> None:
    data = read_graph(exported[1] / "model.onnx")
    for trace in (b".py", str(Path.cwd()).encode(), b"torch", b"site-packages"):
        assert trace not in data
    model = onnx.load_model_from_string(data)
    assert model.producer_name == "samebody" and not model.functions
    assert {node.op_type for node in model.graph.node}.isdisjoint({"Dropout", "BatchNormalization"})


@pytest.mark.slow
def test_two_exports_of_one_run_are_the_same_bytes(run: Path, exported: tuple[Exported, Path], tmp_path: Path) -> None:
    assert export_run(run, tmp_path / "b", cache=tmp_path).sha256 == exported[0].sha256
    assert export_run(run, tmp_path / "b", cache=tmp_path).sha256 == exported[0].sha256
    assert not list(tmp_path.glob(".b*"))


def test_a_graph_that_answers_otherwise_is_refused_and_nothing_is_written(
    run: Path, exported: tuple[Exported, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from samebody.lab.train import export

    model = onnx.load_model_from_string(read_graph(exported[1] / "model.onnx"))
    weights = next(i for i in model.graph.initializer if len(i.dims) == 2)
    changed = onnx.numpy_helper.to_array(weights) * np.float32(1.01)
    weights.CopyFrom(onnx.numpy_helper.from_array(changed, weights.name))
    monkeypatch.setattr(export, "export_module", lambda *a, **k: model.SerializeToString())
    with pytest.raises(ParityError, match="differs from the network: logits by"):
        export_run(run, tmp_path / "out", cache=tmp_path)
    assert not (tmp_path / "out").exists()


class _BatchDependent(nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x.mean(dim=(1, 2, 3)) - x.mean()


class _ShapeBound(nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if x.shape[0] == 2:
            return x.mean(dim=(1, 2, 3))
        return x.sum(dim=(1, 2, 3))


class _Strange(nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.from_numpy(np.sort(x.detach().numpy(), axis=0)).sum(dim=(1, 2, 3))


@pytest.mark.slow
def test_networks_that_mix_the_samples_of_a_batch_are_found() -> None:
    example = Example(torch.zeros(1, 3, 8, 8))
    samples = Samples({"input": np.random.default_rng(0).normal(size=(40, 3, 8, 8)).astype(np.float32)})
    module = _BatchDependent()
    with pytest.raises(ParityError):
        check_parity(module, export_module(module, example), example, samples)
    bound = _ShapeBound()
    with pytest.raises((ShipError, ParityError)):
        check_parity(bound, export_module(bound, example), example, samples)
    with pytest.raises(ShipError, match="cannot be exported"):
        export_module(_Strange(), example)


@pytest.mark.slow
def test_dropout_and_batch_norm_are_exported_as_in_evaluation() -> None:
    torch.manual_seed(0)
    module = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.Dropout(0.5), nn.Flatten(), nn.LazyLinear(2))
    example = Example(torch.zeros(1, 3, 8, 8))
    module(torch.randn(16, 3, 8, 8))
    module.eval()
    graph = export_module(module, example)
    kinds = {node.op_type for node in onnx.load_model_from_string(graph).graph.node}
    assert "Dropout" not in kinds and "BatchNormalization" not in kinds
    samples = Samples({"input": np.random.default_rng(0).normal(size=(20, 3, 8, 8)).astype(np.float32)})
    assert check_parity(module, graph, example, samples)[0].largest < 1e-5


def test_samples_of_another_shape_than_the_export_are_refused(run: Path, tmp_path: Path) -> None:
    opened = open_run(run)
    data = opened.task.data(tmp_path, seed=0)
    with pytest.raises(SamplesError, match="exported network takes"):
        source_samples(data.held, Example(torch.zeros(1, 5, 3, 3)), 8, "held")


def test_a_run_whose_data_changed_is_not_exported(run: Path, tmp_path: Path) -> None:
    import shutil

    copy = tmp_path / "run"
    shutil.copytree(run, copy)
    record = json.loads((copy / "run.json").read_text())
    record["data"]["identity"]["changed"] = True
    (copy / "run.json").write_text(json.dumps(record))
    with pytest.raises(SamebodyError, match="changed since"):
        export_run(copy, tmp_path / "out", cache=tmp_path)


@pytest.mark.slow
def test_a_run_is_released_by_one_file_and_its_record_names_the_run(run: Path, tmp_path: Path) -> None:
    import hashlib

    import yaml

    from samebody.lab.ship.release import load_release, release

    fields = {
        "ship": 1,
        "run": str(run),
        "out": "released",
        "gates": [{"kind": "accuracy", "metric": "error", "at_most": 0.9}],
        "record": {
            "id": "own/toy",
            "version": "1",
            "task": "image-classification",
            "title": "A toy",
            "input": {"kind": "tensor", "name": "input", "shape": ["batch", 8], "meaning": "eight numbers"},
            "output": {"kind": "classes", "classes": ["one", "two", "three"]},
            "licence": {"spdx": "Apache-2.0", "commercial_use": "yes", "why": "made by the tests", "notice": "nobody"},
            "provenance": {"training_data": "noise", "intended_use": "tests", "known_limits": ["knows nothing"]},
        },
    }
    (tmp_path / "release.yaml").write_text(yaml.safe_dump(fields))
    done = release(load_release(tmp_path / "release.yaml"), tmp_path, cache=tmp_path)
    made = done.record.training
    assert made is not None and made.recipe == "toy" and made.seed == 7
    assert made.run == hashlib.sha256((run / "run.json").read_bytes()).hexdigest()
    assert {"run.json", "export.json", "gates.json", "card.md", "toy.onnx"} <= {p.name for p in done.folder.iterdir()}
    assert not list(done.folder.glob("*.npz")), "pixels stay in the working folder"
