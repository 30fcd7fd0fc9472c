"""Margin losses: their formulas, easy and hard cosines, sub-centres, AdaFace's quality."""

from __future__ import annotations

import math

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="the extra samebody[train] is not installed")

from hypothesis import given, settings  # noqa: E402
from hypothesis import strategies as st  # noqa: E402

from samebody.errors import UsageError  # noqa: E402
from samebody.lab.train.parts import losses  # noqa: E402
from samebody.lab.train.task import Data  # noqa: E402

NAMES = ("arcface", "cosface", "adaface")


def loss_of(name, **parameters):
    torch.manual_seed(0)
    return losses[name](**{"width": 6, "classes": 5, **parameters}).double()


def features_of(n=8, seed=0):
    return torch.tensor(np.random.default_rng(seed).normal(size=(n, 6)) * 4)


def naive(name, loss, features, label):
    """The loss by loops over samples, classes and centres, in angles."""
    x, w = features.numpy(), loss.centres.detach().numpy()
    scale, margin = loss.options.scale, loss.options.margin
    if name == "adaface":
        lengths = np.linalg.norm(x, axis=1).clip(0.001, 100)
        z = (lengths - loss.lengths_mean.item()) / (loss.lengths_deviation.item() + 1e-3)
        z = (z * loss.options.sharpness).clip(-1, 1)
    values = []
    for i in range(len(x)):
        cosines = []
        for centres in w:
            cosines.append(max(x[i] @ c / np.linalg.norm(x[i]) / np.linalg.norm(c) for c in centres))
        theta = math.acos(cosines[label[i]])
        if name == "arcface":
            right = math.cos(theta + margin) if theta + margin < math.pi else math.cos(theta) - 1 + math.cos(margin)
        elif name == "cosface":
            right = math.cos(theta) - margin
        else:
            right = math.cos(min(max(theta - margin * z[i], 0), math.pi)) - (margin * z[i] + margin)
        cosines[label[i]] = right
        logits = scale * np.array(cosines)
        values.append(np.log(np.exp(logits - logits.max()).sum()) + logits.max() - logits[label[i]])
    return np.array(values)


@pytest.mark.parametrize("centres", [1, 3])
@pytest.mark.parametrize("name", NAMES)
def test_margins_by_hand(name, centres):
    loss, features = loss_of(name, centres=centres).eval(), features_of()
    label = torch.tensor([0, 1, 2, 3, 4, 0, 1, 2])
    found = loss.each({"embedding": features}, {"label": label}).detach().numpy()
    np.testing.assert_allclose(found, naive(name, loss, features, label.numpy()), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("name", NAMES)
@settings(max_examples=25)
@given(st.floats(-1, 1), st.floats(-1, 1))
def test_a_better_cosine_never_costs_more(name, first, second):
    loss = loss_of(name).eval()
    low, high = sorted((first, second))
    long = torch.full((2, 6), 8.0, dtype=torch.float64)
    harder = loss.harder(torch.tensor([low, high], dtype=torch.float64), long)
    assert harder[1] >= harder[0] - 1e-6


@pytest.mark.parametrize("name", ("arcface", "cosface"))
@settings(max_examples=25)
@given(st.floats(-1, 1))
def test_a_margin_makes_the_right_class_harder(name, cosine):
    value = torch.tensor([cosine], dtype=torch.float64)
    loss = loss_of(name)
    assert loss.harder(value, features_of(1)) < value + 1e-9


def test_arcface_goes_on_without_a_step_where_the_angle_leaves_pi():
    loss, join = loss_of("arcface"), -math.cos(0.5)
    near = torch.tensor([join - 1e-7, join + 1e-7], dtype=torch.float64)
    low, high = loss.harder(near, features_of(2)).tolist()
    assert low == pytest.approx(high, abs=1e-6)
    assert low == pytest.approx(-1, abs=1e-6)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("cosine", [1.0, -1.0])
def test_gradients_are_finite_at_the_ends(name, cosine):
    loss = loss_of(name, classes=2, scale=8.0)
    with torch.no_grad():
        loss.centres[0, 0] = torch.tensor([1.0, 0, 0, 0, 0, 0])
    features = (cosine * torch.tensor([[3.0, 0, 0, 0, 0, 0]], dtype=torch.float64)).requires_grad_()
    loss({"embedding": features}, {"label": torch.tensor([0])}).backward()
    assert torch.isfinite(features.grad).all()
    assert torch.isfinite(loss.centres.grad).all()


@pytest.mark.parametrize("name", NAMES)
def test_gradients_are_those_of_the_formula(name):
    loss, label = loss_of(name, centres=2, scale=4.0).eval(), torch.tensor([0, 1, 2, 3])

    def of(features, centres):
        return torch.func.functional_call(loss, {"centres": centres}, ({"embedding": features}, {"label": label}))

    # AdaFace's quality carries no gradient: its length is kept out by features of one length
    features = torch.nn.functional.normalize(features_of(4)) * 4
    if name == "adaface":
        loss.options = loss.options.model_copy(update={"sharpness": 1e-9})
    assert torch.autograd.gradcheck(of, (features.requires_grad_(), loss.centres.detach().clone().requires_grad_()))


def test_centres_are_made_for_the_classes_of_the_data():
    class Source:
        def __init__(self):
            self.columns = {"label": np.arange(7)}

    loss = losses["arcface"](width=6)
    with pytest.raises(UsageError, match="no centres"):
        loss({"embedding": torch.randn(2, 6)}, {"label": torch.tensor([0, 1])})
    loss.prepare(Data(Source(), Source(), {}, classes=7))
    assert loss.centres.shape == (7, 1, 6)
    assert len(list(loss.parameters())) == 1


def test_the_nearest_of_several_centres_counts():
    loss = loss_of("cosface", classes=2, centres=2)
    with torch.no_grad():
        loss.centres.zero_()
        for index in range(4):
            loss.centres[index // 2, index % 2, index] = 1
    cosines = loss.cosines(torch.eye(6, dtype=torch.float64)[:4])
    torch.testing.assert_close(cosines, torch.tensor([[1.0, 0], [1, 0], [0, 1], [0, 1]], dtype=torch.float64))


def test_adaface_moves_its_lengths_in_training_steps_only():
    loss, features, label = loss_of("adaface", momentum=0.5), features_of(), torch.zeros(8, dtype=torch.int64)
    before = loss.lengths_mean.item()
    loss.eval()({"embedding": features}, {"label": label})
    assert loss.lengths_mean.item() == before
    loss.train()({"embedding": features}, {"label": label})
    moved = loss.lengths_mean.item()
    assert moved == pytest.approx(0.5 * before + 0.5 * features.norm(dim=1).mean().item(), rel=1e-5)
    with torch.no_grad():
        loss.each({"embedding": features}, {"label": label})
    assert loss.lengths_mean.item() == moved


def test_adaface_is_arcface_for_poor_and_cosface_for_middling_pictures():
    loss, cosine = loss_of("adaface", margin=0.4), torch.tensor([0.3], dtype=torch.float64)
    loss.eval()
    loss.lengths_mean.fill_(10.0)
    loss.lengths_deviation.fill_(1.0)
    poor, middling = (torch.eye(6, dtype=torch.float64)[:1] * length for length in (0.1, 10.0))
    assert loss.harder(cosine, poor).item() == pytest.approx(math.cos(math.acos(0.3) + 0.4), abs=1e-6)
    assert loss.harder(cosine, middling).item() == pytest.approx(0.3 - 0.4, abs=1e-6)
