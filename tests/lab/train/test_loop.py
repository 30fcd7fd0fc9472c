from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("torch", reason="the extra samebody[train] is not installed")

import numpy as np
import torch
from torch import nn

from samebody.errors import UsageError
from samebody.lab.train.checkpoint import load_weights
from samebody.lab.train.environment import derived, repeatable
from samebody.lab.train.metrics import read_metrics
from samebody.lab.train.objective import Average
from samebody.lab.train.run import open_run, train
from tests.lab.train.toy import ToyNetwork, recipe, steps_of


def digest(folder: Path, **changes: Any) -> str:
    return train(recipe(**changes), folder, cache=folder.parent, device="cpu", threads=1).digests["last.pt"]


def test_a_run_writes_everything_that_decided_it(tmp_path: Path) -> None:
    seen: list[int] = []
    result = train(recipe(), tmp_path / "run", cache=tmp_path, report=steps_of(seen))
    assert result.status == "finished" and result.step == 30 and seen[-1] == 30
    assert result.best["loss"] == min(line["held"]["loss"] for line in read_metrics(tmp_path / "run") if "held" in line)
    record = json.loads((tmp_path / "run" / "run.json").read_text())
    assert record["data"]["identity"] == {"generator": "toy", "seed": 1}
    assert record["recipe_digest"] == recipe().digest and record["seed"] == 7
    assert len(record["code"]["sources"]) == 64 and record["environment"]["torch"] == str(torch.__version__)
    assert str(tmp_path) not in (tmp_path / "run" / "run.json").read_text()
    assert record["parameters"] == sum(p.numel() for p in ToyNetwork(16).parameters())
    lines = [line for line in read_metrics(tmp_path / "run") if "loss" in line]
    assert [line["step"] for line in lines] == list(range(1, 31))
    assert lines[-1]["loss"] < lines[0]["loss"]
    for name in ("best.pt", "last.pt"):
        stored = (tmp_path / "run" / name).with_suffix(".sha256").read_text().split()[0]
        assert stored == result.weights[name]


def test_same_recipe_and_seed_give_the_same_weights_bit_for_bit(tmp_path: Path) -> None:
    parts: dict[str, Any] = {"augment": [{"name": "toy-noise"}], "ema": 0.9, "gradient_clip": 1.0}
    first = digest(tmp_path / "a", **parts)
    torch.rand(3)  # what happens outside does not matter
    np.random.rand(3)
    assert digest(tmp_path / "b", **parts) == first
    assert digest(tmp_path / "c", **parts, seed=8) != first


def test_training_leaves_the_state_of_torch_as_it_was(tmp_path: Path) -> None:
    torch.manual_seed(5)
    expected = torch.rand(4)
    torch.manual_seed(5)
    digest(tmp_path / "run", steps=3, threads=1)
    assert torch.equal(torch.rand(4), expected)
    assert not torch.are_deterministic_algorithms_enabled()
    with repeatable(1, True) as threads:
        assert threads == torch.get_num_threads() == 1


@pytest.mark.slow
def test_batches_prepared_in_processes_are_those_of_the_thread(tmp_path: Path) -> None:
    run = {"steps": 6, "sampler.name": "toy-hard", "loader.ahead": 3}
    thread = train(recipe(**run), tmp_path / "a", cache=tmp_path, threads=1)
    processes = train(recipe(**run, **{"loader.workers": 1}), tmp_path / "b", cache=tmp_path, threads=1)
    assert thread.digests == processes.digests


def test_the_loop_does_what_a_bare_torch_loop_does(tmp_path: Path) -> None:
    """Differential: same network, batches and optimiser written out by hand."""
    made = recipe(steps=12, optimiser__weight_decay=0.0, schedule__name="constant", optimiser__lr=0.01)
    run = train(made, tmp_path / "run", cache=tmp_path, threads=1)
    with repeatable(1, True):
        from samebody.lab.train.objective import make_network, make_task
        from samebody.lab.train.task import losses, samplers

        task = make_task(made)
        data = task.data(tmp_path, seed=made.seed)
        network, loss = make_network(task, made, data), losses["toy"]()
        optimiser = torch.optim.AdamW([*network.parameters(), *loss.parameters()], lr=0.01, weight_decay=0.0)
        sampler = samplers["uniform"](data.train.columns)
        for step in range(12):
            indices = sampler.indices(step, 16, derived(7, "sampler"))
            batch = data.train.batch(indices, derived(7, "batch", step, 0))
            torch.manual_seed(derived(7, "step", step, 0))
            network.train()
            optimiser.zero_grad()
            loss(network(batch["input"]), batch).backward()
            optimiser.step()
    stored = load_weights(run.folder / "last.pt")
    for name, value in network.state_dict().items():
        torch.testing.assert_close(stored[name], value, rtol=1e-5, atol=1e-6)


def test_the_running_mean_is_that_of_the_formula() -> None:
    torch.manual_seed(0)
    network = ToyNetwork(4)
    average = Average(network, 0.9)
    expected = {name: value.clone().double() for name, value in network.state_dict().items()}
    for count in range(1, 20):
        for parameter in network.parameters():
            parameter.data += torch.randn_like(parameter)
        network(torch.randn(5, 8))  # moves the statistics of the batch norm
        average.update(network)
        decay = min(0.9, (1 + count) / (10 + count))
        for name, value in network.state_dict().items():
            expected[name] = decay * expected[name] + (1 - decay) * value.double()
    before = copy.deepcopy(network.state_dict())
    with average.applied(network):
        for name, value in network.state_dict().items():
            if value.is_floating_point():
                torch.testing.assert_close(value.double(), expected[name], rtol=1e-4, atol=1e-5)
    assert all(torch.equal(value, before[name]) for name, value in network.state_dict().items())


def test_weights_decay_and_biases_and_norms_do_not() -> None:
    from samebody.lab.train.objective import Objective
    from samebody.lab.train.optimiser import make_optimiser
    from samebody.lab.train.recipe import Optimiser
    from samebody.lab.train.task import Data
    from tests.lab.train.toy import ToySource

    source = ToySource(6, 0, "t")
    objective = Objective(ToyNetwork(4), recipe(), Data(source, source, {}, 3))
    groups = make_optimiser(Optimiser(weight_decay=0.3, loss_lr=5.0), objective).param_groups
    found = {id(p): (group["weight_decay"], group["share"]) for group in groups for p in group["params"]}
    for name, parameter in objective.named_parameters():
        assert found[id(parameter)] == (0.3 if parameter.ndim > 1 else 0.0, 5.0 if "losses" in name else 1.0), name


def test_it_stops_when_nothing_becomes_better_and_keeps_the_best(tmp_path: Path) -> None:
    made = recipe(**{"task.figures": [3.0, 2.0, 2.5, 2.1, 1.0], "evaluate_every": 3, "early_stopping.patience": 2})
    result = train(made, tmp_path / "run", cache=tmp_path)
    assert result.status == "stopped early"
    assert (result.step, result.best_step, result.best) == (12, 6, {"loss": 2.0})
    assert result.digests["best.pt"] != result.digests["last.pt"]


def test_the_best_weights_give_the_best_figures(tmp_path: Path) -> None:
    result = train(recipe(steps=40, ema=0.5), tmp_path / "run", cache=tmp_path)
    opened = open_run(tmp_path / "run")
    data = opened.task.data(tmp_path, seed=7)
    with torch.no_grad():
        assert opened.task.measure(opened.network, data.held)["loss"] == pytest.approx(result.best["loss"], abs=1e-6)
    assert opened.weights_sha256 == result.weights["best.pt"]
    assert not opened.network.training


@pytest.mark.parametrize("precision", ["bfloat16", "float16"])
def test_mixed_precision_learns_too(tmp_path: Path, precision: str) -> None:
    result = train(
        recipe(precision=precision, steps=60, optimiser__lr=0.03), tmp_path / "run", cache=tmp_path, device="cpu"
    )
    assert result.held["right"] > 0.7
    assert all(value.dtype != torch.bfloat16 for value in load_weights(tmp_path / "run" / "last.pt").values())


def test_a_finished_run_is_left_alone(tmp_path: Path) -> None:
    first = train(recipe(), tmp_path / "run", cache=tmp_path)
    before = {path.name: path.stat().st_mtime_ns for path in (tmp_path / "run").iterdir()}
    assert train(recipe(), tmp_path / "run", cache=tmp_path) == first
    assert {path.name: path.stat().st_mtime_ns for path in (tmp_path / "run").iterdir()} == before


def test_fine_tuning_begins_from_the_weights_of_a_run(tmp_path: Path) -> None:
    first = train(recipe(), tmp_path / "first", cache=tmp_path)
    tuned = recipe(steps=1, init__weights=str(tmp_path / "first"), optimiser__lr=1e-12, schedule__name="constant")
    result = train(tuned, tmp_path / "second", cache=tmp_path)
    record = json.loads((tmp_path / "second" / "run.json").read_text())
    assert record["initial_weights"]["sha256"] == first.weights["best.pt"]
    before, after = load_weights(tmp_path / "first" / "best.pt"), load_weights(result.folder / "last.pt")
    torch.testing.assert_close(before["layers.0.weight"], after["layers.0.weight"])


def test_a_network_that_does_not_take_the_batches_is_a_typed_error(tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.setattr(ToyNetwork, "forward", lambda self, x: {"logits": nn.functional.linear(x, torch.zeros(3, 9))})
    with pytest.raises(UsageError, match=r"does not take the batches \(input \[16, 8\], label \[16\]\)"):
        train(recipe(), tmp_path / "run", cache=tmp_path)
