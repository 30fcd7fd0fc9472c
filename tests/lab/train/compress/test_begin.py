"""A finished run made smaller by recipe: pruned, quantised, fine-tuned, opened again; and taught by another run."""

from __future__ import annotations

import json
import subprocess
import sys

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="the extra samebody[train] is not installed")

from click.testing import CliRunner  # noqa: E402
from torch import nn  # noqa: E402
from torch.nn import functional  # noqa: E402

from samebody.cli.main import cli  # noqa: E402
from samebody.errors import ConfigError, UsageError  # noqa: E402
from samebody.lab.train.backbones import Network, build  # noqa: E402
from samebody.lab.train.compress.begin import begin  # noqa: E402
from samebody.lab.train.errors import RecipeInvalidError  # noqa: E402
from samebody.lab.train.parts import teachers  # noqa: E402
from samebody.lab.train.recipe import load_recipe, parse_recipe  # noqa: E402
from samebody.lab.train.run import open_run, train  # noqa: E402
from samebody.lab.train.task import Data, Example, Task, tasks  # noqa: E402

RECIPE = """\
recipe: 1
id: stripes
seed: 3
task: {name: stripes}
network: {name: minifas, size: 32, width: 0.25, out: 8, act: relu}
losses: [{name: cross-entropy}]
sampler: {name: balanced}
augment: [{name: flip}, {name: noise, share: 0.2}]
optimiser: {lr: 0.01}
batch: 16
threads: 1
steps: 12
evaluate_every: 6
"""


class Stripes:
    """Lying or standing stripes in noise."""

    def __init__(self, count, seed):
        self.columns = {"label": np.arange(count) % 2, "subject": np.array([f"{seed}-{k}" for k in range(count)])}
        self.phase = np.random.default_rng(seed).random(count)

    def __len__(self):
        return len(self.phase)

    def batch(self, indices, seed):
        wave = np.sin(np.arange(32)[None] * 0.9 + 6.3 * self.phase[indices][:, None])
        lying = (self.columns["label"][indices] == 1)[:, None, None]
        pictures = np.where(lying, wave[:, :, None], wave[:, None, :]) * 0.3 + 0.5
        noise = np.random.default_rng(seed).normal(0, 0.1, pictures.shape)
        values = np.broadcast_to((pictures + noise)[:, None], (len(indices), 3, 32, 32)).astype(np.float32)
        return {"input": torch.from_numpy(values.copy()), "label": torch.from_numpy(self.columns["label"][indices])}


class Logits(nn.Module):
    def __init__(self, network):
        super().__init__()
        self.network = network

    def forward(self, x):
        return self.network(x)["logits"]


@tasks.register("stripes")
class StripesTask(Task):
    def data(self, folder, *, seed):
        return Data(Stripes(64, 1), Stripes(32, 2), {"stripes": 1}, classes=2)

    def network(self, parts):
        backbone = build(parts)
        return Network(backbone, {"logits": nn.Linear(backbone.width, 2)})

    def measure(self, network, held):
        batch = held.batch(np.arange(len(held)), 0)
        return {"loss": functional.cross_entropy(network(batch["input"])["logits"], batch["label"]).item()}

    def exported(self, network):
        return Logits(network), Example(torch.zeros(1, 3, 32, 32), output_names=("logits",))


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("stripes")
    train(parse_recipe(RECIPE), folder / "run", cache=folder)
    return folder / "run"


def held():
    return Stripes(32, 2).batch(np.arange(32), 0)["input"]


@pytest.mark.parametrize("importance", ["norm", "taylor"])
def test_a_pruned_run_begins_where_pruning_left_it_and_trains_on(run, tmp_path, importance):
    begun = begin(run, tmp_path / "small", ratio=0.5, importance=importance, changes={"steps": 4}, cache=tmp_path)
    recipe = load_recipe(begun.recipe)
    assert recipe.recipe.steps == 4
    result = train(recipe, tmp_path / "run", cache=tmp_path)
    assert result.status == "finished"
    opened = open_run(tmp_path / "run")
    parameters = sum(p.numel() for p in opened.network.parameters())
    assert parameters == begun.report.parameters[1] < 0.6 * begun.report.parameters[0]
    assert opened.network(held())["logits"].shape == (32, 2)
    assert json.loads((tmp_path / "small" / "report.json").read_text())["pruned"]["macs"][1] == begun.report.macs[1]


def test_pruned_and_quantised_together(run, tmp_path):
    begun = begin(run, tmp_path / "small", ratio=0.3, quantise=True, changes={"steps": 4})
    assert [part.name for part in load_recipe(begun.recipe).recipe.domain] == ["pruned", "quantised"]
    train(begun.recipe, tmp_path / "run", cache=tmp_path)
    opened = open_run(tmp_path / "run")
    bounds = [value for name, value in opened.network.state_dict().items() if name.endswith("seen")]
    assert len(bounds) > 10
    assert all(int(value) == 4 for value in bounds)
    module, _ = opened.task.exported(opened.network)
    assert module(held()).shape == (32, 2)


def test_the_command_writes_the_recipe_and_says_what_was_saved(run, tmp_path):
    asked = ["compress", str(run), "--out", str(tmp_path / "small"), "--prune", "0.5", "--set", "optimiser.lr=1e-3"]
    done = CliRunner().invoke(cli, asked)
    assert done.exit_code == 0, done.output
    assert "weights" in done.output
    assert "next: samebody train" in done.output
    assert load_recipe(tmp_path / "small" / "recipe.yaml").recipe.optimiser.lr == 1e-3
    refused = CliRunner().invoke(cli, ["compress", str(run), "--out", str(tmp_path / "other"), "--json"])
    assert isinstance(refused.exception, UsageError)
    with pytest.raises(RecipeInvalidError, match="steps"):
        begin(run, tmp_path / "third", ratio=0.5, changes={"steps": -1})
    assert not (tmp_path / "third").exists()


def test_mistakes_are_named(run, tmp_path):
    with pytest.raises(UsageError, match="nothing was asked"):
        begin(run, tmp_path / "small")
    (tmp_path / "taken").mkdir()
    (tmp_path / "taken" / "file").touch()
    with pytest.raises(UsageError, match="not empty"):
        begin(run, tmp_path / "taken", ratio=0.5)


def test_a_run_teaches_under_the_names_that_losses_look_for(run):
    teacher, x = teachers["run"](run=str(run)), held()
    answer = teacher(x)
    expected = open_run(run).network(x)
    torch.testing.assert_close(answer["teacher"], expected["embedding"])
    torch.testing.assert_close(answer["teacher_logits"], expected["logits"])
    assert not answer["teacher"].requires_grad
    with pytest.raises(ConfigError, match="none of nothing"):
        teachers["run"](run=str(run), answers={"nothing": "teacher"})(x)


def test_a_student_is_distilled_by_recipe(run, tmp_path):
    text = RECIPE.replace("id: stripes", "id: student").replace(
        "losses: [{name: cross-entropy}]",
        f"losses: [{{name: distil-logits}}, {{name: distil-features}}]\nteacher: {{name: run, run: {run}}}",
    )
    result = train(parse_recipe(text.replace("width: 0.25", "width: 0.125")), tmp_path / "run", cache=tmp_path)
    rows = [json.loads(line) for line in (tmp_path / "run" / "metrics.jsonl").read_text().splitlines()]
    assert result.status == "finished"
    assert "distil-logits" in json.dumps(rows)


def test_a_teacher_sees_the_size_and_scale_it_wants(tmp_path):
    from onnx import TensorProto, helper, save

    entry = helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", 3, 16, 16])
    out = helper.make_tensor_value_info("y", TensorProto.FLOAT, ["n", 3, 1, 1])
    made = helper.make_graph([helper.make_node("GlobalAveragePool", ["x"], ["y"])], "g", [entry], [out])
    save(helper.make_model(made, opset_imports=[helper.make_opsetid("", 17)], ir_version=9), tmp_path / "t.onnx")
    about = {"scale": 2.0, "shift": -1.0, "size": (16, 16), "flip_channels": True, "name": "teacher_b"}
    teacher, x = teachers["onnx"](file=str(tmp_path / "t.onnx"), **about), torch.rand(5, 3, 32, 32)
    answer = teacher(x)
    torch.testing.assert_close(answer["teacher_b"], (x * 2 - 1).flip(1).mean((2, 3)), rtol=1e-4, atol=1e-5)


def test_a_recipe_that_compress_wrote_is_known_to_a_new_process():
    # recipes are read in a process of their own, where nothing but the list of parts was imported
    names = "from samebody.lab.train.parts import wrappers; print(*wrappers)"
    found = subprocess.run([sys.executable, "-c", names], capture_output=True, text=True, check=True).stdout.split()
    assert {"pruned", "quantised"} <= set(found)
