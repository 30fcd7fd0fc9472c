"""Each loss against the formula of its paper, written out in numpy, and against numeric gradients."""

from __future__ import annotations

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="the extra samebody[train] is not installed")

from hypothesis import given, settings  # noqa: E402
from hypothesis import strategies as st  # noqa: E402

from samebody.errors import ConfigError, UsageError  # noqa: E402
from samebody.lab.train.losses import effective_number_weights  # noqa: E402
from samebody.lab.train.losses.maps import fourier_target  # noqa: E402
from samebody.lab.train.parts import losses  # noqa: E402
from samebody.lab.train.task import Data  # noqa: E402


def tensor(*shape, seed=0):
    values = np.random.default_rng(seed).normal(size=shape)
    return torch.tensor(values, dtype=torch.float64)


def labels(n, classes, seed=0):
    return torch.tensor(np.random.default_rng(seed).integers(0, classes, n))


def unit(x):
    return x / np.linalg.norm(x, axis=1, keepdims=True)


def softmax(x):
    e = np.exp(x - x.max(1, keepdims=True))
    return e / e.sum(1, keepdims=True)


class FakeSource:
    def __init__(self, label):
        self.columns = {"label": np.asarray(label)}

    def __len__(self):
        return len(self.columns["label"])

    def batch(self, indices, seed):
        raise AssertionError("not asked for")


def data_of(label, classes):
    return Data(FakeSource(label), FakeSource(label), {}, classes=classes)


# ------------------------------------------------------------------------------------------------------ classification


def test_cross_entropy_is_minus_log_share_of_the_right_class():
    logits, label = tensor(7, 3), labels(7, 3)
    expected = -np.log(softmax(logits.numpy())[np.arange(7), label.numpy()])
    loss = losses["cross-entropy"]()
    assert loss({"logits": logits}, {"label": label}).item() == pytest.approx(expected.mean())
    np.testing.assert_allclose(loss.each({"logits": logits}, {"label": label}).numpy(), expected)


def test_smoothing_spreads_the_target():
    logits, label = tensor(7, 4), labels(7, 4)
    target = np.full((7, 4), 0.2 / 4)
    target[np.arange(7), label.numpy()] += 0.8
    expected = -(target * np.log(softmax(logits.numpy()))).sum(1).mean()
    found = losses["cross-entropy"](smoothing=0.2)({"logits": logits}, {"label": label})
    assert found.item() == pytest.approx(expected)


@settings(max_examples=25)
@given(st.lists(st.integers(0, 500), min_size=2, max_size=6).filter(lambda counts: sum(map(bool, counts)) > 0))
def test_effective_number_is_the_sum_of_a_geometric_series(counts):
    beta = 0.99
    expected = np.array([1 / sum(beta**k for k in range(n)) if n else 0.0 for n in counts])
    expected /= expected[expected > 0].mean()
    np.testing.assert_allclose(effective_number_weights(np.array(counts), beta), expected, rtol=1e-5)


def test_class_weights_come_from_the_training_data():
    label = np.array([0] * 90 + [1] * 10)
    loss = losses["cross-entropy"](balance=0.999)
    plain = losses["cross-entropy"]()
    loss.prepare(data_of(label, 2))
    logits, batch = tensor(4, 2), {"label": torch.tensor([0, 0, 1, 1])}
    weights = effective_number_weights(np.array([90, 10]), 0.999)
    each = plain.each({"logits": logits}, batch) * torch.tensor(weights)[batch["label"]]
    torch.testing.assert_close(loss({"logits": logits}, batch), each.mean())
    assert weights[1] / weights[0] > 8


def test_mixed_labels_share_the_loss():
    logits = tensor(5, 3)
    batch = {"label": labels(5, 3), "label_other": labels(5, 3, 1), "label_share": torch.rand(5)}
    loss = losses["cross-entropy"]()
    own = loss.each({"logits": logits}, {"label": batch["label"]})
    other = loss.each({"logits": logits}, {"label": batch["label_other"]})
    share = batch["label_share"].double()
    torch.testing.assert_close(loss.each({"logits": logits}, batch), share * own + (1 - share) * other)


@settings(max_examples=25)
@given(st.floats(0, 5))
def test_focal_is_cross_entropy_faded_by_the_share(gamma):
    logits, label = tensor(9, 3) * 3, labels(9, 3)
    share = softmax(logits.numpy())[np.arange(9), label.numpy()]
    expected = -((1 - share) ** gamma) * np.log(share)
    found = losses["focal"](gamma=gamma).each({"logits": logits}, {"label": label})
    np.testing.assert_allclose(found.numpy(), expected, rtol=1e-8, atol=1e-12)


def test_focal_has_a_gradient_where_a_sample_is_certain():
    logits = torch.tensor([[200.0, 0.0]], requires_grad=True)
    losses["focal"]()({"logits": logits}, {"label": torch.tensor([0])}).backward()
    assert torch.isfinite(logits.grad).all()


# -------------------------------------------------------------------------------------------------------- distillation


def test_distilled_features_by_hand():
    student, teacher = tensor(6, 4), tensor(6, 4, seed=1)
    s, t = unit(student.numpy()), unit(teacher.numpy())
    expected = 2 * (1 - (s * t).sum(1)) + 3 * np.sqrt(((s - t) ** 2).sum(1) + 1e-8)
    found = losses["distil-features"](cosine=2, distance=3).each({"embedding": student}, {"teacher": teacher})
    np.testing.assert_allclose(found.numpy(), expected)


def test_a_student_equal_to_its_teacher_up_to_length_loses_nothing():
    teacher = tensor(6, 4)
    output, batch = {"embedding": 7 * teacher}, {"teacher": teacher}
    assert losses["distil-features"]()(output, batch).item() == pytest.approx(0, abs=1e-12)
    assert losses["distil-relations"](similarity=1)(output, batch).item() == pytest.approx(0, abs=1e-12)


def test_distilled_classes_by_hand():
    student, teacher = tensor(5, 3), tensor(5, 3, seed=1)
    p, q = softmax(teacher.numpy() / 3), softmax(student.numpy() / 3)
    expected = 9 * (p * np.log(p / q)).sum(1)
    found = losses["distil-logits"](temperature=3).each({"logits": student}, {"teacher_logits": teacher})
    np.testing.assert_allclose(found.numpy(), expected)


def huber(a, b):
    difference = np.abs(a - b)
    return np.where(difference < 1, difference**2 / 2, difference - 0.5).mean()


def naive_distances(x):
    found = np.array([np.linalg.norm(x[i] - x[j]) for i in range(len(x)) for j in range(i + 1, len(x))])
    return found / found.mean()


def naive_angles(x):
    found = []
    for i in range(len(x)):
        for j in range(len(x)):
            for k in range(len(x)):
                a, b = x[j] - x[i], x[k] - x[i]
                lengths = np.linalg.norm(a) * np.linalg.norm(b)
                found.append(0.0 if lengths == 0 else a @ b / lengths)
    return np.array(found)


def naive_similarity(x):
    gram = x @ x.T
    return gram / np.linalg.norm(gram, axis=1, keepdims=True)


@pytest.mark.parametrize("unit_length", [True, False])
def test_distilled_relations_by_hand(unit_length):
    student, teacher = tensor(7, 4), tensor(7, 5, seed=1)
    s, t = student.numpy(), teacher.numpy()
    if unit_length:
        s, t = unit(s), unit(t)
    found = losses["distil-relations"](distance=1.5, angle=2.5, similarity=3.5, unit=unit_length)
    expected = (
        1.5 * huber(naive_distances(s), naive_distances(t))
        + 2.5 * huber(naive_angles(s), naive_angles(t))
        + 3.5 * ((naive_similarity(s) - naive_similarity(t)) ** 2).mean()
    )
    assert found({"embedding": student}, {"teacher": teacher}).item() == pytest.approx(expected)


def test_relations_of_one_sample_are_nothing():
    output, batch = {"embedding": tensor(1, 4).requires_grad_()}, {"teacher": tensor(1, 4)}
    value = losses["distil-relations"]()(output, batch)
    value.backward()
    assert value.item() == 0


# ---------------------------------------------------------------------------------------------------------------- maps


def test_pixel_map_asks_every_place_for_the_class():
    answer, label = tensor(4, 1, 3, 3), torch.tensor([0, 1, 1, 0])
    p = 1 / (1 + np.exp(-answer.numpy()))
    y = label.numpy()[:, None, None, None]
    expected = -(y * np.log(p) + (1 - y) * np.log(1 - p)).mean((1, 2, 3))
    found = losses["pixel-map"]().each({"map": answer}, {"label": label})
    np.testing.assert_allclose(found.numpy(), expected)


def test_pixel_map_with_a_mask_averages_it_to_the_size_of_the_map():
    answer, mask = torch.zeros(1, 1, 2, 2), torch.zeros(1, 1, 4, 4)
    mask[0, 0, :2, :2] = 1
    answer[0, 0] = torch.tensor([[9.0, -9.0], [-9.0, -9.0]])
    loss = losses["pixel-map"](mask="mask")
    assert loss({"map": answer}, {"mask": mask}).item() < 1e-3
    assert loss({"map": -answer}, {"mask": mask}).item() > 8


def test_fourier_target_is_the_log_spectrum_with_low_frequencies_in_the_middle():
    picture = np.random.default_rng(0).random((3, 8, 8)).astype(np.float32)
    spectrum = np.log1p(np.abs(np.fft.fftshift(np.fft.fft2(picture.mean(0)))))
    expected = (spectrum - spectrum.min()) / (spectrum.max() - spectrum.min())
    found = fourier_target(torch.tensor(picture)[None], (8, 8))[0, 0].numpy()
    np.testing.assert_allclose(found, expected, atol=1e-5)
    assert found.argmax() == 4 * 8 + 4


def test_fourier_map_sees_a_grid_that_the_mean_does_not():
    plain = torch.full((1, 3, 32, 32), 0.5)
    grid = plain + 0.2 * torch.cos(torch.arange(32) * np.pi * 0.75)[None, None, None, :]
    target = fourier_target(grid, (32, 32))[0, 0]
    assert target[16, 16 - 12] > 0.5
    assert target[16, 16 + 12] > 0.5
    loss, answer = losses["fourier-map"](), fourier_target(plain, (32, 32))
    assert loss({"fourier": answer}, {"input": plain}).item() < 1e-6
    assert loss({"fourier": answer}, {"input": grid}).item() > 100 * 1e-6


# ----------------------------------------------------------------------------------------------- contrastive, domains


def test_supervised_contrastive_by_hand():
    features, label = tensor(8, 5), torch.tensor([0, 0, 0, 1, 1, 2, 3, 3])
    z, y, heat = unit(features.numpy()), label.numpy(), 0.2
    values = []
    for i in range(8):
        positive = [p for p in range(8) if p != i and y[p] == y[i]]
        if positive:
            bottom = sum(np.exp(z[i] @ z[a] / heat) for a in range(8) if a != i)
            values.append(-np.mean([np.log(np.exp(z[i] @ z[p] / heat) / bottom) for p in positive]))
    found = losses["supervised-contrastive"](temperature=heat)({"embedding": features}, {"label": label})
    assert found.item() == pytest.approx(np.mean(values))


def test_supervised_contrastive_without_pairs_is_nothing():
    features = tensor(4, 5).requires_grad_()
    value = losses["supervised-contrastive"]()({"embedding": features}, {"label": torch.arange(4)})
    value.backward()
    assert value.item() == 0
    assert torch.isfinite(features.grad).all()


def test_a_sample_without_domain_counts_nothing():
    logits, domain = tensor(4, 3), torch.tensor([0, -1, 2, -1])
    loss = losses["domain"]()
    kept = torch.tensor([0, 2])
    torch.testing.assert_close(
        loss({"domain": logits}, {"domain": domain}), loss({"domain": logits[kept]}, {"domain": domain[kept]})
    )
    assert loss({"domain": logits}, {"domain": torch.full((4,), -1)}).item() == 0


def test_learnt_weights_follow_the_size_of_the_losses():
    entries = [{"name": "cross-entropy"}, {"name": "pixel-map", "regression": True}]
    loss = losses["multi-task"](losses=entries)
    output = {"logits": tensor(6, 2), "map": tensor(6, 1, 2, 2)}
    batch = {"label": labels(6, 2)}
    first, second = (losses[entry["name"]]()(output, batch).item() for entry in entries)
    with torch.no_grad():
        loss.log_variances.copy_(torch.tensor([0.3, -0.2]))
    expected = np.exp(-0.3) * first + 0.15 + 0.5 * np.exp(0.2) * second - 0.1
    assert loss(output, batch).item() == pytest.approx(expected)
    # the best log variance of a fixed loss L is log(2 L): there the gradient vanishes
    with torch.no_grad():
        loss.log_variances.copy_(torch.log(torch.tensor([2 * first, second])))
    loss.zero_grad()
    loss(output, batch).backward()
    torch.testing.assert_close(loss.log_variances.grad, torch.zeros(2), atol=1e-5, rtol=0)


# ----------------------------------------------------------------------------------------------------------- gradients

CASES = {
    "cross-entropy": ({"smoothing": 0.1}, {"logits": (4, 3)}),
    "focal": ({}, {"logits": (4, 3)}),
    "distil-features": ({"distance": 0.5}, {"embedding": (4, 3)}),
    "distil-logits": ({}, {"logits": (4, 3)}),
    "distil-relations": ({"similarity": 1}, {"embedding": (4, 3)}),
    "supervised-contrastive": ({}, {"embedding": (4, 3)}),
    "pixel-map": ({}, {"map": (4, 1, 2, 2)}),
    "fourier-map": ({}, {"fourier": (4, 1, 2, 2)}),
    "domain": ({}, {"domain": (4, 3)}),
}


@pytest.mark.parametrize("name", CASES)
def test_gradients_are_those_of_the_formula(name):
    parameters, shapes = CASES[name]
    batch = {
        "label": torch.tensor([0, 1, 1, 0]),
        "teacher": tensor(4, 3, seed=2),
        "teacher_logits": tensor(4, 3, seed=2),
        "input": tensor(4, 3, 8, 8, seed=3),
        "domain": torch.tensor([0, 1, 2, -1]),
    }
    (key, shape), loss = next(iter(shapes.items())), losses[name](**parameters)
    assert torch.autograd.gradcheck(lambda x: loss({key: x}, batch), tensor(*shape, seed=4).requires_grad_())


# ------------------------------------------------------------------------------------------------------------ mistakes


def test_a_missing_answer_is_named_with_those_there_are():
    with pytest.raises(UsageError, match=r"'logits'.*embedding"):
        losses["cross-entropy"]()({"embedding": tensor(2, 2)}, {"label": labels(2, 2)})


@pytest.mark.parametrize("name", sorted(losses))
def test_unknown_parameters_are_refused(name):
    with pytest.raises(ConfigError, match="surprise"):
        losses[name](surprise=1)
