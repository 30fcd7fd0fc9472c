"""Backbones: size, shapes, gradients, refusals, and the same answer from their ONNX graph."""

from __future__ import annotations

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="the extra samebody[train] is not installed")

from samebody.errors import ConfigError, UsageError  # noqa: E402
from samebody.lab.train.backbones import MapHead, Network, build  # noqa: E402
from samebody.lab.train.backbones.blocks import Inverted, Squeeze, scaled  # noqa: E402
from samebody.lab.train.parts import backbones  # noqa: E402

SMALL = {
    "mobileface": {"size": 48, "width": 0.25, "out": 24},
    "minifas": {"size": 40, "width": 0.25, "out": 24, "squeeze": True, "act": "relu"},
    "ir-resnet": {"size": 32, "width": 0.125, "out": 24, "blocks": [1, 1, 1, 1]},
    "vit": {"size": 32, "patch": 8, "out": 24, "depth": 3, "heads": 3, "registers": 2, "mean": True},
}


def small(name):
    torch.manual_seed(0)
    return backbones[name](**SMALL[name])


def warmed(network, size, steps=3):
    """Batch statistics and slopes away from where they begin, so that parity means something."""
    generator = torch.Generator().manual_seed(1)
    network.train()
    for _ in range(steps):
        network(torch.rand(4, 3, size, size, generator=generator))
    return network.eval()


def count(module):
    return sum(p.numel() for p in module.parameters())


def test_sizes_are_those_of_the_papers():
    assert 0.95e6 < count(backbones["mobileface"]()) < 1.05e6  # 0.99 M in table 3 of the paper
    assert 0.42e6 < count(backbones["minifas"]()) < 0.45e6  # 0.43 M: the published weights have 0.435 M
    ir = backbones["ir-resnet"]()
    dense = 512 * 7 * 7 * 512
    assert 11e6 < count(ir) - dense < 12e6  # ResNet-18 without its classifier: 11.2 M
    assert count(backbones["ir-resnet"](head="depthwise")) < count(ir) - 12e6
    assert count(backbones["mobileface"](width=0.5)) < 0.3e6


@pytest.mark.parametrize("name", SMALL)
def test_maps_go_from_fine_to_coarse_and_features_are_the_last(name):
    backbone = small(name).eval()
    x = torch.rand(3, 3, SMALL[name]["size"], SMALL[name]["size"])
    maps, features = backbone.maps_and_features(x)
    assert features.shape == (3, 24) == (3, backbone.width)
    assert [tuple(m.shape[:2]) for m in maps] == [(3, channels) for channels in backbone.channels]
    sides = [m.shape[-1] for m in maps]
    assert sides == sorted(sides, reverse=True)
    torch.testing.assert_close(backbone(x), features)
    for mine, again in zip(maps, backbone.features(x), strict=True):
        torch.testing.assert_close(mine, again)


@pytest.mark.parametrize("name", SMALL)
def test_a_batch_agrees_with_one_at_a_time(name):
    backbone = warmed(small(name), SMALL[name]["size"])
    x = torch.rand(4, 3, SMALL[name]["size"], SMALL[name]["size"])
    singly = torch.cat([backbone(x[i : i + 1]) for i in range(4)])
    torch.testing.assert_close(backbone(x), singly, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("name", SMALL)
def test_every_weight_gets_a_gradient(name):
    backbone = small(name).train()
    size = SMALL[name]["size"]
    backbone(torch.rand(4, 3, size, size)).square().sum().backward()
    without = [key for key, p in backbone.named_parameters() if p.grad is None or not torch.isfinite(p.grad).all()]
    assert without == []


@pytest.mark.filterwarnings("ignore::FutureWarning", "ignore::DeprecationWarning", "ignore::UserWarning")
@pytest.mark.slow
@pytest.mark.parametrize("name", SMALL)
def test_the_onnx_graph_answers_alike(name, tmp_path):
    import onnxruntime

    size = SMALL[name]["size"]
    network = warmed(Network(small(name), {"logits": torch.nn.Linear(24, 3)}), size)

    class Logits(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.network = network

        def forward(self, x):
            return self.network(x)["logits"]

    path = tmp_path / "network.onnx"
    batch = torch.export.Dim("batch", min=1, max=64)
    example = torch.rand(2, 3, size, size)
    torch.onnx.export(Logits().eval(), (example,), str(path), dynamo=True, dynamic_shapes=({0: batch},), verbose=False)
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    for n in (1, 5):
        x = torch.rand(n, 3, size, size)
        found = session.run(None, {session.get_inputs()[0].name: x.numpy()})[0]
        np.testing.assert_allclose(found, network(x)["logits"].detach().numpy(), rtol=1e-4, atol=1e-5)


def test_squeeze_gates_channels_by_their_means():
    gate = Squeeze(8)
    x = torch.rand(2, 8, 5, 5)
    factor = gate(x) / x
    assert ((factor > 0) & (factor < 1)).all()
    torch.testing.assert_close(factor, factor[:, :, :1, :1].expand_as(factor))


def test_a_residual_block_of_zero_projection_is_the_identity():
    block = Inverted(8, 16, 8).eval()
    block.project[1].weight.data.zero_()
    x = torch.rand(2, 8, 6, 6)
    torch.testing.assert_close(block(x), x)
    assert Inverted(8, 16, 12)(x).shape == (2, 12, 6, 6)


def test_registers_take_no_place_in_the_map():
    backbone = small("vit").eval()
    x = torch.rand(1, 3, 32, 32)
    assert backbone.tokens(x).shape == (1, 1 + 2 + 16, 24)
    # moving one patch of the input moves that place of a map most
    with torch.no_grad():
        moved = x.clone()
        moved[:, :, 8:16, 16:24] += 1
        change = (backbone.features(moved)[0] - backbone.features(x)[0]).abs().sum(1)[0]
    assert change.argmax().item() == 1 * 4 + 2


def test_widths_round_to_eights():
    assert [scaled(64, w) for w in (1, 0.5, 0.3, 0.01)] == [64, 32, 16, 8]


@pytest.mark.parametrize(
    ("name", "parameters", "word"),
    [
        ("mobileface", {"width": 0}, "width"),
        ("mobileface", {"kernel": 3}, "kernel"),
        ("minifas", {"middles": [[1], [2]]}, "three lists"),
        ("vit", {"size": 30}, "divide"),
        ("vit", {"depth": 4}, "multiple of 3"),
        ("vit", {"out": 25}, "divide"),
        ("frozen", {}, "either onnx or backbone"),
    ],
)
def test_mistakes_are_named(name, parameters, word):
    with pytest.raises(ConfigError, match=word):
        backbones[name](**parameters)


def test_a_recipe_entry_becomes_a_backbone():
    assert build({"name": "mobileface", "size": 48, "width": 0.25}).options.size == 48
    with pytest.raises(UsageError, match="mobileface"):
        build({"name": "megaface"})


def test_map_heads_answer_at_the_size_of_their_map():
    backbone = small("mobileface")
    heads = {"map": MapHead(backbone.channels[-1]), "fourier": MapHead(backbone.channels[1], index=1)}
    answer = Network(backbone, None, heads)(torch.rand(2, 3, 48, 48))
    assert answer["map"].shape == (2, 1, 3, 3)
    assert answer["fourier"].shape == (2, 1, 12, 12)
    assert answer["embedding"].shape == (2, 24)
