"""Style mixing and gradient reversal: formulas, schedule, and no trace of either in evaluation mode."""

from __future__ import annotations

import copy
import math

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="the extra samebody[train] is not installed")

from samebody.errors import ConfigError  # noqa: E402
from samebody.lab.train.backbones import Network, build  # noqa: E402
from samebody.lab.train.domain.adversary import DomainHead, reverse_gradient  # noqa: E402
from samebody.lab.train.domain.mix_style import MixStyle, mixed  # noqa: E402
from samebody.lab.train.parts import losses, wrappers  # noqa: E402
from samebody.lab.train.task import Data  # noqa: E402

BACKBONE = {"name": "mobileface", "size": 32, "width": 0.25, "out": 8}


def network():
    torch.manual_seed(0)
    return Network(build(BACKBONE), {"logits": torch.nn.Linear(8, 2)})


class Source:
    columns: dict = {}  # noqa: RUF012 - a protocol's attribute, never written

    def __len__(self):
        return 0

    def batch(self, indices, seed):
        raise AssertionError("not asked for")


DATA = Data(Source(), Source(), {}, classes=2, domains=3)


def test_mixed_styles_have_the_mixed_statistics():
    x = torch.randn(3, 4, 16, 16, dtype=torch.float64) * 3 + 1
    partner, share = torch.tensor([1, 2, 0]), torch.tensor([0.2, 0.5, 1.0], dtype=torch.float64)
    found = mixed(x, partner, share[:, None, None, None], epsilon=0.0)
    for i in range(3):
        s, p = share[i].item(), partner[i].item()
        for value, of in ((found[i].mean((1, 2)), lambda t: t.mean((1, 2))), (found[i].std((1, 2)), None)):
            of = of or (lambda t: t.std((1, 2)))
            torch.testing.assert_close(value, s * of(x[i]) + (1 - s) * of(x[p]))
    torch.testing.assert_close(found[2], x[2])  # a share of 1 is the sample itself
    # what is left when statistics are taken off is the sample's own
    normal = (x[0] - x[0].mean((1, 2), keepdim=True)) / x[0].std((1, 2), keepdim=True)
    again = (found[0] - found[0].mean((1, 2), keepdim=True)) / found[0].std((1, 2), keepdim=True)
    torch.testing.assert_close(again, normal)


def test_statistics_carry_no_gradient():
    x = torch.randn(2, 3, 4, 4, requires_grad=True)
    mixed(x, torch.tensor([1, 0]), torch.full((2, 1, 1, 1), 0.5)).sum().backward()
    ratio = x.grad / x.grad[:, :, :1, :1]
    torch.testing.assert_close(ratio, torch.ones_like(ratio))  # the new deviation over the old, the same at all places


def test_mix_style_rests_in_evaluation_and_by_chance():
    x = torch.randn(4, 3, 5, 5)
    mix = MixStyle(probability=1.0)
    assert not torch.equal(mix(x), x)
    assert torch.equal(mix.eval()(x), x)
    assert torch.equal(MixStyle(probability=0.0)(x), x)


def test_mixstyle_changes_training_only_and_keeps_the_names_of_weights():
    plain, wrapped = network(), wrappers["mixstyle"](network(), DATA, probability=1.0)
    assert plain.state_dict().keys() == wrapped.state_dict().keys()
    x = torch.rand(4, 3, 32, 32)
    torch.manual_seed(1)
    a, b = plain(x)["logits"], wrapped(x)["logits"]
    assert not torch.allclose(a, b)
    plain.load_state_dict(wrapped.state_dict())
    torch.testing.assert_close(plain.eval()(x)["logits"], wrapped.eval()(x)["logits"], rtol=0, atol=0)
    twin = copy.deepcopy(wrapped).train()
    torch.manual_seed(2)
    first = wrapped.train()(x)["logits"]
    torch.manual_seed(2)
    torch.testing.assert_close(twin(x)["logits"], first)


def test_mixstyle_by_module_names_and_its_mistakes():
    wrapped = wrappers["mixstyle"](network(), DATA, modules=["backbone.stages.1"], probability=1.0)
    assert len(wrapped.backbone.stages[1]._forward_hooks) == 1
    assert len(wrapped.backbone.stages[0]._forward_hooks) == 0
    with pytest.raises(ConfigError, match="4 stages"):
        wrappers["mixstyle"](network(), DATA, stages=[7])
    with pytest.raises(ConfigError, match="no module 'nowhere'"):
        wrappers["mixstyle"](network(), DATA, modules=["nowhere"])
    with pytest.raises(ConfigError, match="alpha"):
        wrappers["mixstyle"](network(), DATA, alpha=0)


def test_a_reversed_gradient_has_the_other_sign_and_the_strength():
    x = torch.randn(3, 4, requires_grad=True)
    y = reverse_gradient(x, torch.tensor(0.25))
    assert torch.equal(x, y)
    (y * torch.arange(12.0).reshape(3, 4)).sum().backward()
    torch.testing.assert_close(x.grad, -0.25 * torch.arange(12.0).reshape(3, 4))


def test_the_strength_grows_as_in_the_paper_and_is_kept_by_a_checkpoint():
    head = DomainHead(4, 3, strength=0.8, gamma=10, ramp=20)
    found = []
    for _ in range(30):
        found.append(head.now().item())
        head(torch.randn(2, 4))
    expected = [0.8 * (2 / (1 + math.exp(-10 * min(step / 20, 1))) - 1) for step in range(30)]
    np.testing.assert_allclose(found, expected, atol=1e-6)
    again = DomainHead(4, 3, strength=0.8, gamma=10, ramp=20)
    again.load_state_dict(head.state_dict())
    assert again.now() == head.now()
    before = head.steps.item()
    head.eval()(torch.randn(2, 4))
    assert head.steps.item() == before


def test_features_unlearn_the_domain_that_the_head_learns():
    torch.manual_seed(0)
    wrapped = wrappers["gradient-reversal"](network(), DATA, ramp=1)
    x, batch = torch.rand(8, 3, 32, 32), {"domain": torch.tensor([0, 1, 2, 0, 1, 2, -1, 0])}
    wrapped(x)  # past the first step, where the strength is 0
    output = wrapped(x)
    losses["domain"]()(output, batch).backward()
    gradient = next(wrapped.backbone.parameters()).grad.clone()
    head = [p.grad.clone() for p in wrapped.domain_head.parameters()]
    wrapped.zero_grad()
    plain = wrapped.domain_head.layers(wrapped.backbone(x))
    losses["domain"]()({"domain": plain}, batch).backward()
    strength = wrapped.domain_head.now()
    torch.testing.assert_close(gradient, -strength * next(wrapped.backbone.parameters()).grad, rtol=2e-2, atol=1e-5)
    for mine, other in zip(head, wrapped.domain_head.parameters(), strict=True):
        torch.testing.assert_close(mine, other.grad, rtol=2e-2, atol=1e-5)


def test_gradient_reversal_leaves_no_trace_in_evaluation():
    plain, wrapped = network(), wrappers["gradient-reversal"](network(), DATA)
    x = torch.rand(2, 3, 32, 32)
    assert "domain" in wrapped(x)
    plain.load_state_dict({k: v for k, v in wrapped.state_dict().items() if not k.startswith("domain_head.")})
    answer = wrapped.eval()(x)
    assert "domain" not in answer
    torch.testing.assert_close(answer["logits"], plain.eval()(x)["logits"], rtol=0, atol=0)


def test_domains_and_width_must_be_known():
    with pytest.raises(ConfigError, match="two domains"):
        wrappers["gradient-reversal"](network(), Data(Source(), Source(), {}))
    with pytest.raises(ConfigError, match="width"):
        wrappers["gradient-reversal"](torch.nn.Linear(3, 2), DATA)
    assert wrappers["gradient-reversal"](network(), DATA, domains=5).domain_head.layers[-1].out_features == 5
