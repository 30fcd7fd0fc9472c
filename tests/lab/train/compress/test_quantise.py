"""Quantisation in training: rounding as defined, gradients straight through, integers that answer alike."""

from __future__ import annotations

import copy

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="the extra samebody[train] is not installed")

from hypothesis import given, settings  # noqa: E402
from hypothesis import strategies as st  # noqa: E402
from torch import nn  # noqa: E402

from samebody.errors import ConfigError, UsageError  # noqa: E402
from samebody.lab.train.backbones import Network, build  # noqa: E402
from samebody.lab.train.compress.qdq import fold_weights  # noqa: E402
from samebody.lab.train.compress.quantise import (  # noqa: E402
    QuantisedConv2d,
    TensorQuantiser,
    fold_norms,
    quantised,
    rounded_weight,
)
from samebody.lab.train.parts import wrappers  # noqa: E402


class Small(nn.Module):
    """Convolution, norm, ReLU, a residual depthwise block with PReLU, a dense end."""

    def __init__(self):
        super().__init__()
        self.first, self.norm = nn.Conv2d(3, 8, 3, padding=1, bias=False), nn.BatchNorm2d(8)
        self.depthwise, self.second = nn.Conv2d(8, 8, 3, padding=1, groups=8, bias=False), nn.BatchNorm2d(8)
        self.slope = nn.PReLU(8)
        self.dense, self.third = nn.Linear(8 * 16, 5), nn.BatchNorm1d(5)

    def forward(self, x):
        x = torch.relu(self.norm(self.first(x)))
        x = x + self.slope(self.second(self.depthwise(x)))
        x = nn.functional.avg_pool2d(x, 2)
        return {"answer": self.third(self.dense(x.flatten(1)))}


class Answer(nn.Module):
    def __init__(self, network):
        super().__init__()
        self.network = network

    def forward(self, x):
        return self.network(x)["answer"]


def trained(seed=0):
    torch.manual_seed(seed)
    network = Small().train()
    for _ in range(5):
        network(torch.randn(8, 3, 8, 8))
    return network.eval()


def watched(network, steps=5):
    found = quantised(network, torch.zeros(1, 3, 8, 8)).train()
    with torch.no_grad():
        for _ in range(steps):
            found(torch.randn(16, 3, 8, 8))
    return found.eval()


def test_folded_norms_answer_the_same():
    network, x = trained(), torch.randn(4, 3, 8, 8)
    folded = fold_norms(network, x)
    assert not any(isinstance(m, nn.BatchNorm2d | nn.BatchNorm1d) for m in folded.modules())
    torch.testing.assert_close(folded(x)["answer"], network(x)["answer"], rtol=1e-4, atol=1e-5)
    torch.manual_seed(0)
    backbone = Network(build({"name": "ir-resnet", "size": 32, "width": 0.125, "out": 8}), {"a": nn.Linear(8, 2)})
    backbone(torch.rand(4, 3, 32, 32))
    picture = torch.rand(2, 3, 32, 32)
    left = fold_norms(backbone, picture)
    torch.testing.assert_close(left(picture)["a"], backbone.eval()(picture)["a"], rtol=1e-3, atol=1e-4)
    # a norm at the head of a residual block reads what others read too, and stays
    assert sum(isinstance(m, nn.BatchNorm2d) for m in left.modules()) > 0


@settings(max_examples=20)
@given(st.integers(0, 1000))
def test_weights_are_integers_times_a_step_per_channel(seed):
    torch.manual_seed(seed)
    layer = nn.Conv2d(4, 6, 3)
    layer.__class__ = QuantisedConv2d
    rounded = rounded_weight(layer)
    scale = (layer.weight.detach().abs().amax((1, 2, 3)) / 127)[:, None, None, None]
    steps = (rounded / scale).detach()
    torch.testing.assert_close(steps, steps.round(), atol=1e-3, rtol=0)
    assert steps.abs().max() <= 127 + 1e-3
    assert ((rounded - layer.weight).abs() <= scale / 2 + 1e-7).all()
    rounded.sum().backward()
    torch.testing.assert_close(layer.weight.grad, torch.ones_like(layer.weight))  # straight through


def test_tensors_round_between_learnt_bounds_and_gradients_stop_beyond():
    quantiser = TensorQuantiser(momentum=1.0, watch=1).train()
    quantiser(torch.tensor([-1.0, 2.0]))
    quantiser(torch.tensor([-100.0, 100.0]))  # the bounds stand still by now
    scale, zero = quantiser.steps()
    assert scale.item() == pytest.approx(3 / 255)
    assert zero.item() == 85
    x = torch.tensor([-5.0, -1.0, 0.0, 0.013, 1.9, 7.0], requires_grad=True)
    y = quantiser(x)
    expected = (np.clip(np.rint(x.detach().numpy() / (3 / 255)) + 85, 0, 255) - 85) * (3 / 255)
    np.testing.assert_allclose(y.detach().numpy(), expected, atol=1e-6)
    y.sum().backward()
    assert x.grad.tolist() == [0, 1, 1, 1, 1, 0]


def test_nothing_is_rounded_before_bounds_are_known():
    x = torch.randn(3)
    assert torch.equal(TensorQuantiser().eval()(x), x)


def test_relus_share_the_step_of_their_layer_and_sums_have_one():
    found = quantised(trained(), torch.zeros(1, 3, 8, 8))
    targets = [str(node.target) for node in found.graph.nodes]
    after_first = targets[targets.index("first") + 1]
    assert not after_first.startswith("quantise")
    assert sum(target.startswith("quantise") for target in targets) >= 5


def test_a_quantised_network_trains_towards_its_target():
    network, x = trained(), torch.randn(32, 3, 8, 8)
    target = network(x)["answer"].detach()
    found = watched(network).train()
    optimiser = torch.optim.Adam(found.parameters(), 1e-3)
    losses = []
    for _ in range(30):
        loss = (found(x)["answer"] - target).square().mean()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        losses.append(loss.item())
    assert np.mean(losses[-5:]) < 0.7 * np.mean(losses[:5])


def test_a_checkpoint_brings_bounds_and_weights_back():
    found = watched(trained())
    again = quantised(trained(1), torch.zeros(1, 3, 8, 8))
    again.load_state_dict(found.state_dict())
    x = torch.randn(4, 3, 8, 8)
    assert torch.equal(again.eval()(x)["answer"], found(x)["answer"])
    assert torch.equal(copy.deepcopy(found)(x)["answer"], found(x)["answer"])


@pytest.mark.filterwarnings("ignore::FutureWarning", "ignore::DeprecationWarning", "ignore::UserWarning")
def test_integers_in_onnx_answer_as_the_network_that_was_trained(tmp_path):
    import onnx
    import onnxruntime

    from samebody.lab.train.export import export_module
    from samebody.lab.train.task import Example

    found = watched(trained())
    graph = export_module(Answer(found).eval(), Example(torch.zeros(1, 3, 8, 8), output_names=("answer",)))
    folded = fold_weights(graph)
    assert len(folded) == len(graph)  # the export has done it
    model = onnx.load_from_string(graph)
    large = {t.data_type for t in model.graph.initializer if np.prod(t.dims) > 8}
    assert large == {onnx.TensorProto.INT8}
    x = torch.randn(64, 3, 8, 8)
    expected = found(x)["answer"].detach().numpy()
    step = max(m.steps()[0].item() for m in found.modules() if isinstance(m, TensorQuantiser))
    for data in (graph, folded):
        session = onnxruntime.InferenceSession(data, providers=["CPUExecutionProvider"])
        answer = session.run(None, {"input": x.numpy()})[0]
        # a tie may round the other way in an integer kernel and move a few steps downstream
        assert np.abs(answer - expected).max() < 8 * step
        assert np.corrcoef(answer.ravel(), expected.ravel())[0, 1] > 0.9995
    options = onnxruntime.SessionOptions()
    options.optimized_model_filepath = str(tmp_path / "fused.onnx")
    options.log_severity_level = 3
    onnxruntime.InferenceSession(folded, options, providers=["CPUExecutionProvider"])
    kinds = {node.op_type for node in onnx.load(tmp_path / "fused.onnx").graph.node}
    assert "QLinearConv" in kinds  # integer kernels do run


def test_folding_rounds_as_the_standard_says():
    import onnx
    import onnxruntime
    from onnx import TensorProto, helper, numpy_helper

    rng = np.random.default_rng(0)
    weight = (rng.normal(size=(5, 4)) * 3).astype(np.float32)
    weight[0, 0] = 2.5 * 0.5  # a tie
    scale = rng.uniform(0.01, 0.05, 4).astype(np.float32)
    zero = rng.integers(-20, 20, 4).astype(np.int8)
    nodes = [
        helper.make_node("QuantizeLinear", ["w", "s", "z"], ["q"], axis=1),
        helper.make_node("DequantizeLinear", ["q", "s", "z"], ["d"], axis=1),
        helper.make_node("MatMul", ["x", "d"], ["y"]),
    ]
    constants = [numpy_helper.from_array(v, n) for n, v in (("w", weight), ("s", scale), ("z", zero))]
    entry, out = (helper.make_tensor_value_info(n, TensorProto.FLOAT, ["n", k]) for n, k in (("x", 5), ("y", 4)))
    made = helper.make_graph(nodes, "g", [entry], [out], constants)
    data = helper.make_model(made, opset_imports=[helper.make_opsetid("", 18)], ir_version=9).SerializeToString()
    folded = fold_weights(data)
    assert "QuantizeLinear" not in {node.op_type for node in onnx.load_from_string(folded).graph.node}
    x = rng.normal(size=(7, 5)).astype(np.float32)
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    answers = [onnxruntime.InferenceSession(d, options).run(None, {"x": x})[0] for d in (data, folded)]
    np.testing.assert_array_equal(*answers)
    with pytest.raises(UsageError, match="no ONNX model"):
        fold_weights(b"nothing")


def test_the_wrapper_and_its_mistakes():
    found = wrappers["quantised"](trained(), None, input=(3, 8, 8), skip=["dense"])
    assert not isinstance(found.get_submodule("dense"), type(None))
    assert type(found.get_submodule("dense")) is nn.Linear
    assert type(found.get_submodule("first")) is QuantisedConv2d
    with pytest.raises(ConfigError, match="input"):
        wrappers["quantised"](trained(), None)
