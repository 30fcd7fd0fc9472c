"""Pruning: what hangs together is cut together, and what was zero is not missed."""

from __future__ import annotations

import pytest

torch = pytest.importorskip("torch", reason="the extra samebody[train] is not installed")

from hypothesis import given, settings  # noqa: E402
from hypothesis import strategies as st  # noqa: E402
from torch import nn  # noqa: E402
from torch.nn import functional  # noqa: E402

from samebody.errors import ConfigError, UsageError  # noqa: E402
from samebody.lab.train.backbones import MapHead, Network, build  # noqa: E402
from samebody.lab.train.compress.channels import analyse  # noqa: E402
from samebody.lab.train.compress.prune import count_macs, cut, importances, prune  # noqa: E402
from samebody.lab.train.parts import wrappers  # noqa: E402

NETWORKS = {
    "mobileface": {"size": 32, "width": 0.5, "out": 8},
    "minifas": {"size": 32, "width": 0.5, "out": 8, "squeeze": True},
    "ir-resnet": {"size": 32, "width": 0.25, "out": 8, "blocks": [1, 2, 1, 1]},
    "ir-depthwise": {"size": 32, "width": 0.25, "out": 8, "blocks": [2, 1, 1, 1], "head": "depthwise"},
}


def network_of(name):
    torch.manual_seed(0)
    backbone = build({"name": name.replace("ir-depthwise", "ir-resnet"), **NETWORKS[name]})
    heads = {"map": MapHead(backbone.channels[1], index=1)}
    network = Network(backbone, {"logits": nn.Linear(8, 2)}, heads).train()
    for _ in range(3):
        network(torch.rand(4, 3, 32, 32))
    return network.eval()


def picture(n=2):
    return torch.rand(n, 3, 32, 32, generator=torch.Generator().manual_seed(3))


class Forked(nn.Module):
    """Two branches put side by side, a flattened map, a module used twice."""

    def __init__(self):
        super().__init__()
        self.one, self.two = nn.Conv2d(3, 8, 3, padding=1), nn.Conv2d(3, 12, 1)
        self.norm = nn.BatchNorm2d(20)
        self.shared = nn.Conv2d(20, 20, 3, padding=1, groups=20)
        self.mixed = nn.Conv2d(20, 6, 1)
        self.dense = nn.Linear(6 * 16 + 8, 5)

    def forward(self, x):
        one = torch.relu(self.one(x))
        both = self.norm(torch.cat([one, functional.relu(self.two(x))], 1))
        both = self.shared(self.shared(both)) + both
        small = functional.adaptive_avg_pool2d(self.mixed(both), 4)
        return {"answer": self.dense(torch.cat([small.flatten(1), one.mean((2, 3))], 1))}


@pytest.mark.parametrize("name", NETWORKS)
def test_channels_that_are_zero_are_not_missed(name):
    network, example = network_of(name), picture()
    channels = analyse(network, example)
    spaces = channels.spaces()
    assert len(spaces) > 5
    dead = {root: torch.randperm(channels.sizes[root])[: channels.sizes[root] // 3] for root in spaces.values()}
    with torch.no_grad():
        for layer in channels.layers.values():
            for segment, start in _placed(channels, layer.outputs):
                root = channels.root(segment.space)
                if root in dead and segment.repeat == 1:
                    for part in (layer.module.weight, getattr(layer.module, "bias", None)):
                        if part is not None and not isinstance(layer.module, nn.PReLU):
                            part[start + dead[root]] = 0
    expected = network(example)
    small, report = prune(network, example, 0.3, least=1, multiple=1)
    for key, value in small(example).items():
        torch.testing.assert_close(value, expected[key], rtol=1e-4, atol=1e-5)
    assert report.parameters[1] < report.parameters[0]
    assert report.macs[1] < 0.75 * report.macs[0]


def _placed(channels, axis):
    start = 0
    for segment in axis:
        yield segment, start
        start += channels.sizes[segment.space] * segment.repeat


def test_forks_concatenation_and_flattening_are_followed():
    torch.manual_seed(0)
    network, example = Forked().eval(), torch.rand(2, 3, 8, 8)
    channels = analyse(network, example)
    assert channels.spaces().keys() == {"one", "two", "mixed"}
    with torch.no_grad():
        for layer, dead in ((network.one, [0, 3, 5]), (network.two, [1, 2, 7, 8]), (network.mixed, [4, 5])):
            layer.weight[dead] = 0
            layer.bias[dead] = 0
        tied = [0, 3, 5, 8 + 1, 8 + 2, 8 + 7, 8 + 8]
        for part in (network.norm.weight, network.norm.bias, network.shared.weight, network.shared.bias):
            part[tied] = 0
    small, report = prune(network, example, 0.35, least=1, multiple=1)
    torch.testing.assert_close(small(example)["answer"], network(example)["answer"], rtol=1e-4, atol=1e-5)
    assert report.spaces == {"one": (8, 5), "two": (12, 8), "mixed": (6, 4)}
    assert small.shared.groups == small.shared.in_channels == small.shared.out_channels == 13
    assert small.dense.in_features == 4 * 16 + 5


def test_what_is_not_understood_is_left_whole():
    class Odd(nn.Module):
        def __init__(self):
            super().__init__()
            self.first, self.second = nn.Conv2d(3, 8, 1), nn.Conv2d(8, 8, 1, groups=2)
            self.third = nn.Conv2d(8, 8, 1)
            self.scale = nn.Parameter(torch.rand(4))
            self.last = nn.Conv2d(8, 4, 1)

        def forward(self, x):
            return self.last(self.third(self.second(self.first(x)).flip(1)) * self.scale)

    network, example = Odd().eval(), torch.rand(1, 3, 4, 4)
    assert analyse(network, example).spaces() == {}
    with pytest.raises(UsageError, match="no channel"):
        prune(network, example, 0.5)


def test_a_course_that_depends_on_values_is_refused():
    class Fickle(nn.Module):
        def forward(self, x):
            return x if x.sum() > 0 else -x

    with pytest.raises(UsageError, match="cannot be traced"):
        prune(Fickle(), torch.rand(1, 3, 4, 4), 0.5)


@settings(max_examples=4)
@given(st.floats(0, 0.95), st.booleans(), st.sampled_from(["l1", "norm"]))
def test_any_share_gives_a_network_that_trains(ratio, alike, importance):
    network, example = network_of("mobileface"), picture()
    small, report = prune(network, example, ratio, importance=importance, everywhere_alike=alike)
    for before, after in report.spaces.values():
        assert 4 <= after <= before
        assert after % 4 == 0
    small.train()(example)["logits"].sum().backward()
    assert sum(p.numel() for p in small.parameters()) == report.parameters[1]
    assert report.parameters[1] <= report.parameters[0]


def test_macs_are_counted_by_hand():
    network = nn.Sequential(nn.Conv2d(3, 8, 3, stride=2, padding=1), nn.ReLU(), nn.Flatten(), nn.Linear(8 * 25, 7))
    assert count_macs(network.eval(), torch.rand(1, 3, 10, 10)) == 3 * 8 * 9 * 25 + 8 * 25 * 7


def test_importance_by_taylor_is_the_squared_change_of_the_loss():
    torch.manual_seed(0)
    network, example = nn.Sequential(nn.Conv2d(3, 8, 1), nn.ReLU(), nn.Conv2d(8, 2, 1)).eval(), torch.rand(2, 3, 4, 4)
    with pytest.raises(UsageError, match="gradients"):
        prune(network, example, 0.5, importance="taylor")
    network(example).square().mean().backward()
    channels = analyse(network, example)
    ranks = importances(channels, "taylor")[channels.spaces()["0"]]
    first = network[0].weight
    expected = (first.grad * first).flatten(1).sum(1).square()
    torch.testing.assert_close(ranks, (expected / expected.mean()).detach())
    small, _ = prune(network, example, 0.5, importance="taylor")
    kept = expected.argsort(descending=True)[:4].sort().values
    torch.testing.assert_close(small[0].weight, first[kept])


def test_protected_channels_stay():
    network, example = network_of("mobileface"), picture()
    _, report = prune(network, example, 0.5, protected=("backbone.stages",))
    assert not any(name.startswith("backbone.stages") for name in report.spaces)
    for ratio in (-0.1, 1.0):
        with pytest.raises(UsageError, match="cannot be cut"):
            prune(network, example, ratio)


def test_the_wrapper_makes_the_same_shape_and_takes_the_weights():
    network, example = network_of("mobileface"), picture()
    small, report = prune(network, example, 0.5)
    kept = {name: after for name, (before, after) in report.spaces.items()}
    again = wrappers["pruned"](network_of("mobileface"), None, kept=kept, input=(3, 32, 32))
    again.load_state_dict(small.state_dict())
    torch.testing.assert_close(again.eval()(example)["logits"], small(example)["logits"])
    with pytest.raises(UsageError, match="no channels 'nowhere'"):
        cut(network, example, {"nowhere": 4})
    with pytest.raises(UsageError, match="cannot be kept"):
        cut(network, example, {next(iter(kept)): 4000})
    with pytest.raises(ConfigError, match="kept"):
        wrappers["pruned"](network, None)
