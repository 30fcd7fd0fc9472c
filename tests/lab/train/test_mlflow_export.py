from __future__ import annotations

import sys
import types
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("torch", reason="the extra samebody[train] is not installed")

from samebody.lab.evaluate.errors import MissingExtraError
from samebody.lab.train.metrics import read_metrics
from samebody.lab.train.mlflow_export import MlflowError, export_run, flattened
from samebody.lab.train.run import train
from tests.lab.train.toy import recipe


@dataclass
class Named:
    key: str
    value: Any
    timestamp: int = 0
    step: int = 0


class FakeClient:
    """Keeps what it is given, and the limits that MLflow has."""

    def __init__(self, store: dict[str, Any]) -> None:
        self.store = store

    def get_experiment_by_name(self, name: str) -> Any:
        return self.store["experiments"].get(name)

    def create_experiment(self, name: str) -> str:
        self.store["experiments"][name] = types.SimpleNamespace(experiment_id="1")
        return "1"

    def create_run(self, experiment: str, run_name: str) -> Any:
        self.store["runs"].append(run_name)
        return types.SimpleNamespace(info=types.SimpleNamespace(run_id=f"run{len(self.store['runs'])}"))

    def log_batch(self, run: str, metrics: Any = (), params: Any = (), tags: Any = ()) -> None:
        if self.store["down"]:
            raise ConnectionError("refused")
        assert len(metrics) <= 1000 and len(params) <= 100 and len(tags) <= 100
        assert all(len(one.value) <= 500 for one in params)
        self.store["metrics"] += metrics
        self.store["params"] += params

    def log_artifact(self, run: str, path: str) -> None:
        self.store["artifacts"].add(Path(path).name)

    def set_terminated(self, run: str, status: str) -> None:
        self.store["status"] = status


@pytest.fixture
def store(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    kept: dict[str, Any] = {
        "experiments": {},
        "runs": [],
        "metrics": [],
        "params": [],
        "artifacts": set(),
        "down": False,
        "status": "RUNNING",
    }
    tracking: Any = types.ModuleType("mlflow.tracking")
    tracking.MlflowClient = lambda tracking_uri: FakeClient(kept)
    entities: Any = types.ModuleType("mlflow.entities")
    entities.Metric, entities.Param, entities.RunTag = Named, Named, Named
    for module in (types.ModuleType("mlflow"), tracking, entities):
        monkeypatch.setitem(sys.modules, module.__name__, module)
    return kept


def test_a_run_is_handed_over_whole_and_once(tmp_path: Path, store: dict[str, Any]) -> None:
    out = tmp_path / "run"
    train(recipe(), out, cache=tmp_path, stop=iter([False] * 9 + [True]).__next__)
    first = export_run(out, "http://mlflow")
    assert store["status"] == "RUNNING"
    train(recipe(), out, cache=tmp_path)
    assert export_run(out, "http://mlflow") == first and store["runs"] == ["toy"]
    steps = [one.step for one in store["metrics"] if one.key == "train/total"]
    assert steps == list(range(1, 31))
    held = {one.step: one.value for one in store["metrics"] if one.key == "held/loss"}
    assert held == {line["step"]: line["held"]["loss"] for line in read_metrics(out) if "held" in line}
    assert {one.key: one.value for one in store["params"]}["optimiser.lr"] == "0.001"
    assert store["artifacts"] == {"curves.html", "run.json", "result.json"} and store["status"] == "FINISHED"
    before = len(store["metrics"])
    export_run(out, "http://mlflow")
    assert len(store["metrics"]) == before


def test_a_server_that_is_not_there_is_a_typed_error_and_nothing_is_noted(
    tmp_path: Path, store: dict[str, Any]
) -> None:
    train(recipe(), tmp_path / "run", cache=tmp_path)
    store["down"] = True
    with pytest.raises(MlflowError, match="refused"):
        export_run(tmp_path / "run", "http://mlflow")
    assert not (tmp_path / "run" / "mlflow.json").exists()


def test_without_mlflow_the_extra_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "mlflow", None)
    monkeypatch.setitem(sys.modules, "mlflow.tracking", None)
    with pytest.raises(MissingExtraError, match="mlflow"):
        export_run(tmp_path, "http://mlflow")


def test_fields_become_dotted_places() -> None:
    fields = {"a": 1, "b": {"c": [2, {"d": None}]}, "e": []}
    assert dict(flattened(fields)) == {"a": "1", "b.c.0": "2", "b.c.1.d": "None"}


def test_mlflow_itself_takes_the_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("mlflow", reason="the extra samebody[mlflow] is not installed")
    from mlflow.tracking import MlflowClient

    monkeypatch.setenv("MLFLOW_ALLOW_FILE_STORE", "true")
    train(recipe(), tmp_path / "run", cache=tmp_path)
    uri = (tmp_path / "store").as_uri()
    run = export_run(tmp_path / "run", uri)
    client = MlflowClient(tracking_uri=uri)
    history = client.get_metric_history(run, "train/total")
    assert [one.step for one in history] == list(range(1, 31))
    assert client.get_run(run).info.status == "FINISHED"
    assert client.get_run(run).data.params["task.name"] == "toy"
