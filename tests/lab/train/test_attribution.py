"""Grad-CAM and integrated gradients against their formulas, and on a run that was trained on planted evidence."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

pytest.importorskip("torch", reason="the extra samebody[train] is not installed")
pytest.importorskip("captum", reason="the extra samebody[train] is not installed")

import cv2
import torch
from click.testing import CliRunner
from torch import Tensor, nn
from torch.nn import functional

from samebody.cli.explain import command as explain
from samebody.errors import UsageError
from samebody.explain.sanity import pointing_game
from samebody.lab.train.attribution import RunExplainer
from samebody.lab.train.recipe import parse_recipe
from samebody.lab.train.run import OpenedRun, open_run, train
from samebody.lab.train.task import Data, Example, Source, Task, tasks
from tests.lab.train import toy as _toy  # the loss named toy

assert _toy
SIDE = 32
RECIPE = """\
recipe: 1
id: squares
seed: 3
task: {name: squares}
network: {name: squares}
losses: [{name: toy}]
sampler: {name: uniform}
optimiser: {name: adamw, lr: 0.01}
batch: 32
threads: 1
steps: 40
evaluate_every: 40
"""


def squares(count: int, seed: int) -> tuple[NDArray[np.uint8], NDArray[np.int64], NDArray[np.bool_]]:
    """Noise with a red (1) or a green (0) square somewhere: pictures, labels, where the square is."""
    generator = np.random.default_rng(seed)
    pictures = generator.integers(0, 160, (count, SIDE, SIDE, 3), dtype=np.uint8)
    labels = np.arange(count) % 2
    where = np.zeros((count, SIDE, SIDE), dtype=bool)
    for number in range(count):
        top, left = generator.integers(0, SIDE - 8, 2)
        where[number, top : top + 8, left : left + 8] = True
        pictures[number, where[number]] = (250, 20, 20) if labels[number] else (20, 250, 20)
    return pictures, labels.astype(np.int64), where


def smooth(values: NDArray[np.float32]) -> NDArray[np.float32]:
    return np.asarray(cv2.blur(values, (7, 7)), dtype=np.float32)


class Squares:
    def __init__(self, count: int, seed: int, name: str) -> None:
        self.pictures, label, _ = squares(count, seed)
        self.columns: dict[str, Any] = {"label": label, "subject": np.array([f"{name}{i}" for i in range(count)])}

    def __len__(self) -> int:
        return len(self.pictures)

    def batch(self, indices: Any, seed: int) -> dict[str, Tensor]:
        values = torch.from_numpy(self.pictures[indices]).permute(0, 3, 1, 2).float()
        return {"input": values, "label": torch.from_numpy(self.columns["label"][indices])}


class SmallNetwork(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Conv2d(3, 8, 3, padding=1)
        self.second = nn.Conv2d(8, 12, 3, stride=2, padding=1)
        self.head = nn.Linear(12, 2)

    def forward(self, x: Tensor) -> dict[str, Tensor]:
        maps = functional.relu(self.second(functional.relu(self.first(x / 255))))
        return {"logits": self.head(maps.mean(dim=(2, 3)))}


class Logits(nn.Module):
    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, x: Tensor) -> Tensor:
        answer: Tensor = self.network(x)["logits"]
        return answer


@tasks.register("squares")
class SquaresTask(Task):
    monitor = "loss"

    def data(self, folder: Path, *, seed: int) -> Data:
        return Data(Squares(256, 1, "t"), Squares(32, 2, "h"), {"generator": "squares"}, classes=2)

    def network(self, parts: Mapping[str, Any]) -> nn.Module:
        return SmallNetwork()

    def measure(self, network: nn.Module, held: Source) -> dict[str, float]:
        found = held.batch(np.arange(len(held)), 0)
        return {"loss": float(functional.cross_entropy(network(found["input"])["logits"], found["label"]))}

    def exported(self, network: nn.Module) -> tuple[nn.Module, Example]:
        return Logits(network), Example(torch.zeros(1, 3, SIDE, SIDE), output_names=("logits",))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch.set_num_threads(1)
    folder = tmp_path_factory.mktemp("squares")
    train(parse_recipe(RECIPE), folder / "run", cache=folder, device="cpu", threads=1)
    return folder / "run"


@pytest.fixture(scope="module")
def run(folder: Path) -> OpenedRun:
    return open_run(folder)


def test_both_methods_point_at_what_the_network_learnt(run: OpenedRun) -> None:
    pictures, labels, where = squares(6, 50)
    hits = {"gradcam": 0, "integrated-gradients": 0}
    for picture, label, region in zip(pictures, labels, where):
        explainer = RunExplainer(run, index=int(label))
        hits["gradcam"] += pointing_game(explainer.grad_cam(picture), region, 0.1)
        gradients = explainer.integrated_gradients(picture, steps=16)
        # single pixels of noise may weigh more than single pixels of the square: parts of the picture are compared
        hits["integrated-gradients"] += pointing_game(replace(gradients, values=smooth(gradients.values)), region, 0.1)
    assert min(hits.values()) >= 5


def test_grad_cam_is_the_formula(run: OpenedRun) -> None:
    picture = squares(1, 9)[0][0]
    found = RunExplainer(run, index=1).grad_cam(picture)
    network = run.network
    x = run.task.pictures(picture[None])
    maps = network.second(functional.relu(network.first(x / 255))).detach().requires_grad_()
    network.head(functional.relu(maps).mean(dim=(2, 3)))[0, 1].backward()
    weights = maps.grad.mean(dim=(2, 3), keepdim=True)
    expected = functional.interpolate((weights * maps).sum(1, keepdim=True), (SIDE, SIDE), mode="bilinear")
    np.testing.assert_allclose(found.values, expected[0, 0].detach().numpy(), atol=1e-6)
    assert found.parameters["layer"] == "network.second"


def test_integrated_gradients_are_the_sum_along_the_way_and_complete(run: OpenedRun) -> None:
    picture = squares(1, 10)[0][0]
    explainer = RunExplainer(run, index=0)
    found = explainer.integrated_gradients(picture, steps=128, fill="black")
    x = run.task.pictures(picture[None])
    at = (x * (torch.arange(400).reshape(-1, 1, 1, 1) + 0.5) / 400).requires_grad_()
    explainer.score(at).sum().backward()
    expected = (at.grad.mean(dim=0) * x[0]).sum(0).numpy()
    np.testing.assert_allclose(found.values, expected, atol=2e-3 * np.abs(expected).max())
    black = float(explainer.picture_score()(np.zeros((1, SIDE, SIDE, 3), np.uint8))[0])
    assert float(found.values.sum()) == pytest.approx(found.score - black, abs=1e-2)
    assert found.parameters["completeness_error"] < 1e-2


def test_a_network_with_other_weights_gets_another_map(run: OpenedRun) -> None:
    picture = squares(1, 11)[0][0]
    before = RunExplainer(run, index=1).grad_cam(picture).values
    torch.manual_seed(0)
    other = OpenedRun(run.folder, run.recipe, run.task, SmallNetwork().eval(), run.record, "0" * 64)
    after = RunExplainer(other, index=1).grad_cam(picture).values
    assert abs(np.corrcoef(before.ravel(), after.ravel())[0, 1]) < 0.9


def test_a_similarity_is_explained_against_another_picture(run: OpenedRun) -> None:
    pictures = squares(2, 12)[0]
    explainer = RunExplainer(run, against=pictures[1])
    assert explainer.what == "similarity"
    itself = explainer.integrated_gradients(pictures[1])
    assert itself.score == pytest.approx(1.0, abs=1e-6)
    assert explainer.grad_cam(pictures[0]).score < 1.0


def test_what_cannot_be_explained_is_a_typed_error(run: OpenedRun) -> None:
    picture = squares(1, 13)[0][0]
    with pytest.raises(UsageError, match="2 numbers"):
        RunExplainer(run).grad_cam(picture)
    with pytest.raises(UsageError, match="no number 7"):
        RunExplainer(run, index=7).grad_cam(picture)
    with pytest.raises(UsageError, match="no layer 'head'"):
        RunExplainer(run, index=0).grad_cam(picture, "head")
    with pytest.raises(UsageError, match="too few"):
        RunExplainer(run, index=0).integrated_gradients(picture, steps=2)


@pytest.mark.parametrize("method", ["gradcam", "integrated-gradients", "occlusion"])
def test_the_command_explains_a_run(folder: Path, tmp_path: Path, method: str) -> None:
    picture, label, where = (found[1] for found in squares(2, 14))
    cv2.imwrite(str(tmp_path / "one.png"), cv2.cvtColor(picture, cv2.COLOR_RGB2BGR))
    arguments = [
        "run",
        str(folder),
        str(tmp_path / "one.png"),
        "--method",
        method,
        "--steps",
        "16",
        "--judged",
        "--json",
    ]
    result = CliRunner().invoke(explain, [*arguments, "--out", str(tmp_path / "out")], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    found = json.loads(result.stdout)
    assert found["index"] == int(label) == 1
    assert "Judged on this picture" in " ".join(found["pictures"][0]["sentences"])
    values = np.array(json.loads((tmp_path / "out" / "map-1.json").read_text())["values"])
    if method == "integrated-gradients":
        values = smooth(values.astype(np.float32))
    y, x = np.unravel_index(values.argmax(), values.shape)
    near = cv2.dilate(where.astype(np.uint8), np.ones((7, 7), np.uint8))
    assert near[y, x]
    assert (tmp_path / "out" / "explanation.html").read_text().startswith("<!doctype html>")
