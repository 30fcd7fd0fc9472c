"""Frozen networks: nothing of them moves, their file is checked, graphs of batch 1 work."""

from __future__ import annotations

import hashlib

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="the extra samebody[train] is not installed")
onnx = pytest.importorskip("onnx")

from onnx import TensorProto, helper, numpy_helper  # noqa: E402

from samebody.lab.train.backbones import Network  # noqa: E402
from samebody.lab.train.errors import InitialWeightsError  # noqa: E402
from samebody.lab.train.parts import backbones  # noqa: E402


def graph(path, batch="n"):
    """Mean of each channel times a matrix [3, 5]; a second output is that, doubled."""
    weight = np.random.default_rng(0).normal(size=(3, 5)).astype(np.float32)
    nodes = [
        helper.make_node("GlobalAveragePool", ["x"], ["pooled"]),
        helper.make_node("Flatten", ["pooled"], ["flat"]),
        helper.make_node("MatMul", ["flat", "w"], ["features"]),
        helper.make_node("Add", ["features", "features"], ["twice"]),
    ]
    made = helper.make_graph(
        nodes,
        "g",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [batch, 3, 8, 8])],
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, [batch, 5]) for name in ("features", "twice")],
        [numpy_helper.from_array(weight, "w")],
    )
    model = helper.make_model(made, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    onnx.save(model, path)
    return weight


@pytest.mark.parametrize("batch", ["n", 1])
def test_an_onnx_file_gives_features_and_what_is_behind_learns(tmp_path, batch):
    weight = graph(tmp_path / "g.onnx", batch)
    backbone = backbones["frozen"](onnx=str(tmp_path / "g.onnx"), scale=2.0, shift=-1.0, hidden=[4, 2])
    x = torch.rand(6, 3, 8, 8)
    expected = (x * 2 - 1).mean((2, 3)).numpy() @ weight
    np.testing.assert_allclose(backbone.frozen(x).numpy(), expected, rtol=1e-4, atol=1e-5)
    network = Network(backbone, {"logits": torch.nn.Linear(backbone.width, 2)})
    output = network(x)
    assert output["embedding"].shape == (6, 2)
    output["logits"].sum().backward()
    assert all(p.grad is not None for p in network.parameters())


def test_another_output_can_be_chosen(tmp_path):
    graph(tmp_path / "g.onnx")
    one, two = (backbones["frozen"](onnx=str(tmp_path / "g.onnx"), output=name) for name in ("features", "twice"))
    x = torch.rand(2, 3, 8, 8)
    torch.testing.assert_close(2 * one(x), two(x))


def test_files_that_cannot_serve_are_refused(tmp_path):
    path = tmp_path / "g.onnx"
    graph(path)
    own = hashlib.sha256(path.read_bytes()).hexdigest()
    backbones["frozen"](onnx=str(path), sha256=own)
    with pytest.raises(InitialWeightsError, match=own):
        backbones["frozen"](onnx=str(path), sha256="0" * 64)
    with pytest.raises(InitialWeightsError, match="features, twice"):
        backbones["frozen"](onnx=str(path), output="thrice")
    with pytest.raises(InitialWeightsError, match="cannot be read"):
        backbones["frozen"](onnx=str(tmp_path / "none.onnx"))
    path.write_bytes(b"not a graph")
    with pytest.raises(InitialWeightsError, match="no network"):
        backbones["frozen"](onnx=str(path))
    entry, out = (helper.make_tensor_value_info(name, TensorProto.FLOAT, ["n", 3]) for name in "xy")
    made = helper.make_graph([helper.make_node("Relu", ["x"], ["y"])], "g", [entry], [out])
    onnx.save(helper.make_model(made, opset_imports=[helper.make_opsetid("", 17)], ir_version=9), path)
    with pytest.raises(InitialWeightsError, match="not float32"):
        backbones["frozen"](onnx=str(path))


def test_a_frozen_backbone_does_not_move(tmp_path):
    own = {"name": "mobileface", "size": 48, "width": 0.25, "out": 8}
    torch.manual_seed(0)
    first = backbones["mobileface"](size=48, width=0.25, out=8)
    torch.save({f"backbone.{key}": value for key, value in first.state_dict().items()}, tmp_path / "w.pt")
    backbone = backbones["frozen"](backbone=own, weights=str(tmp_path / "w.pt"), prefix="backbone.", hidden=[3])
    before = {key: value.clone() for key, value in backbone.front.state_dict().items()}
    network = Network(backbone, {"logits": torch.nn.Linear(3, 2)}).train()
    optimiser = torch.optim.SGD([p for p in network.parameters() if p.requires_grad], 0.1)
    x = torch.rand(4, 3, 48, 48)
    for _ in range(2):
        optimiser.zero_grad()
        network(x)["logits"].square().sum().backward()
        optimiser.step()
    for key, value in backbone.front.state_dict().items():
        assert torch.equal(value, before[key]), key
    torch.testing.assert_close(backbone.frozen(x), first.eval()(x))
    assert len(backbone.features(x)) == 4


def test_weights_of_another_backbone_are_refused(tmp_path):
    torch.save({"weight": torch.zeros(3)}, tmp_path / "w.pt")
    with pytest.raises(InitialWeightsError, match="does not hold"):
        backbones["frozen"](backbone={"name": "mobileface", "size": 48}, weights=str(tmp_path / "w.pt"))
