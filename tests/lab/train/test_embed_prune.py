"""The student's beginning: greedy choice and closed-form fits against naive ones, and a teacher that can be copied."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("torch", reason="the extra samebody[train] is not installed")

import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn import functional

from samebody.lab.train.embed_network import STRIDES, EdgeNetwork
from samebody.lab.train.embed_prune import (
    choose,
    factored,
    fit_depthwise,
    prune,
    reduction_basis,
    refit_head,
    ridge,
    rows,
)
from samebody.lab.train.embed_teacher import Teacher, read_teacher
from samebody.models.errors import ContractError

WIDTHS = (3, 4, 5, 5, 6, 6, 7, 7, 7, 7, 7, 7, 8, 8)


def teacher_arrays(seed: int = 0, slope: float | None = None, spread: bool = False) -> dict[str, np.ndarray]:
    """A tiny network with the names of SFace's file."""
    rng = np.random.default_rng(seed)
    arrays: dict[str, np.ndarray] = {}

    def norm(name: str, width: int) -> None:
        arrays[f"{name}_gamma"] = rng.uniform(0.8, 1.2, width)
        arrays[f"{name}_beta"] = rng.normal(0, 0.2, width)
        arrays[f"{name}_moving_mean"] = rng.normal(0, 0.1, width)
        arrays[f"{name}_moving_var"] = rng.uniform(0.5, 1.5, width)

    def layer(name: str, outputs: int, inputs: int, kernel: int) -> None:
        scale = 1.0 / np.sqrt(inputs * kernel * kernel)
        arrays[f"{name}_conv2d_weight"] = rng.normal(0, 1.5 * scale, (outputs, inputs, kernel, kernel))
        norm(f"{name}_batchnorm", outputs)
        slopes = rng.uniform(-0.3, 0.5, (outputs, 1, 1)) if slope is None else np.full((outputs, 1, 1), slope)
        if spread:
            arrays[f"{name}_relu_linear_scale"] = slopes[:, None]
        else:
            arrays[f"{name}_relu_gamma"] = slopes

    layer("conv_1", WIDTHS[0], 3, 3)
    for number in range(1, len(WIDTHS)):
        layer(f"conv_{number + 1}_dw", WIDTHS[number - 1], 1, 3)
        layer(f"conv_{number + 1}", WIDTHS[number], WIDTHS[number - 1], 1)
    norm("bn1", WIDTHS[-1])
    arrays["pre_fc1_weight"] = rng.normal(0, 0.1, (16, WIDTHS[-1] * 49))
    arrays["pre_fc1_bias"] = rng.normal(0, 0.1, 16)
    norm("fc1", 16)
    return {name: value.astype(np.float32) for name, value in arrays.items()}


def unfolded(arrays: dict[str, np.ndarray], x: torch.Tensor) -> torch.Tensor:
    """The network as its file has it: convolution, normalisation, PReLU, one by one."""
    a = {name: torch.from_numpy(value) for name, value in arrays.items()}

    def norm(name: str, x: torch.Tensor, epsilon: float) -> torch.Tensor:
        parts = [a[f"{name}_{part}"] for part in ("moving_mean", "moving_var", "gamma", "beta")]
        return functional.batch_norm(x, *parts, training=False, eps=epsilon)

    def layer(name: str, x: torch.Tensor, stride: int) -> torch.Tensor:
        weight = a[f"{name}_conv2d_weight"]
        groups = len(weight) if weight.shape[1] == 1 else 1
        x = functional.conv2d(x, weight, None, stride, weight.shape[-1] // 2, 1, groups)
        return functional.prelu(norm(f"{name}_batchnorm", x, 1e-3), a[f"{name}_relu_gamma"].flatten())

    x = layer("conv_1", (x - 127.5) * 0.0078125, 1)
    for number in range(1, len(WIDTHS)):
        x = layer(f"conv_{number + 1}", layer(f"conv_{number + 1}_dw", x, STRIDES[number]), 1)
    x = norm("bn1", x, 2e-5).flatten(1)
    return norm("fc1", functional.linear(x, a["pre_fc1_weight"], a["pre_fc1_bias"]), 2e-5)


def pictures(count: int, seed: int = 1) -> torch.Tensor:
    rng = np.random.default_rng(seed)
    coarse = torch.from_numpy(rng.uniform(0, 255, (count, 3, 14, 14)).astype(np.float32))
    return functional.interpolate(coarse, size=112, mode="bilinear")


def test_the_teacher_with_its_normalisations_folded_in_answers_as_the_file_does() -> None:
    arrays, x = teacher_arrays(), pictures(2)
    assert torch.allclose(Teacher(arrays)(x), unfolded(arrays, x), atol=1e-4)


def test_slopes_are_read_from_either_way_of_writing_prelu() -> None:
    x = pictures(1)
    assert torch.equal(Teacher(teacher_arrays())(x), Teacher(teacher_arrays(spread=True))(x))


def test_another_network_is_refused(tmp_path: object) -> None:
    import onnx
    from onnx import TensorProto, helper

    node = helper.make_node("Relu", ["x"], ["y"])
    ends = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [1]) for name in "xy"]
    path = f"{tmp_path}/other.onnx"
    onnx.save(helper.make_model(helper.make_graph([node], "g", ends[:1], ends[1:])), path)
    with pytest.raises(ContractError, match="not the SFace network"):
        read_teacher(path)


@settings(max_examples=25)
@given(st.integers(0, 10_000))
def test_the_greedy_choice_is_that_of_naive_least_squares(seed: int) -> None:
    rng = np.random.default_rng(seed)
    x, y = rng.normal(size=(60, 7)), rng.normal(size=(60, 3))
    y += x[:, :2] @ rng.normal(size=(2, 3))
    x, y = x - x.mean(0), y - y.mean(0)
    picked: list[int] = []
    for _ in range(4):
        left = {}
        for candidate in set(range(7)) - set(picked):
            chosen = x[:, [*picked, candidate]]
            left[candidate] = float(np.square(y - chosen @ np.linalg.lstsq(chosen, y, rcond=None)[0]).sum())
        picked.append(min(left, key=left.__getitem__))
    found = choose(torch.from_numpy(x.T @ x), torch.from_numpy(x.T @ y), 4)
    assert found.tolist() == picked


def test_a_feature_without_variance_is_chosen_last_and_none_twice() -> None:
    x = np.random.default_rng(0).normal(size=(50, 3))
    x = np.concatenate([x, np.zeros((50, 1)), x[:, :1]], axis=1)  # a constant, and a copy
    picks = choose(torch.from_numpy(x.T @ x), torch.from_numpy(x.T @ x[:, :3]), 5).tolist()
    assert sorted(picks) == [0, 1, 2, 3, 4] and set(picks[3:]) == {3, 4 if 0 in picks[:3] else 0}


def test_ridge_without_a_penalty_is_least_squares() -> None:
    rng = np.random.default_rng(3)
    x, y = rng.normal(size=(80, 5)), rng.normal(size=(80, 2))
    weight, bias = ridge(torch.from_numpy(x), torch.from_numpy(y), share=0.0)
    naive = np.linalg.lstsq(np.hstack([x, np.ones((80, 1))]), y, rcond=None)[0]
    assert np.allclose(weight.numpy(), naive[:5].T, atol=1e-5) and np.allclose(bias.numpy(), naive[5], atol=1e-5)


@pytest.mark.parametrize("stride", [1, 2])
def test_a_depthwise_fit_finds_the_taps_that_made_the_target(stride: int) -> None:
    generator = torch.Generator().manual_seed(0)
    maps = torch.randn(6, 4, 14, 14, generator=generator)
    taps, bias = torch.randn(4, 1, 3, 3, generator=generator), torch.randn(4, generator=generator)
    target = functional.conv2d(maps, taps, bias, stride, 1, 1, 4)
    found, offset = fit_depthwise(maps, target, stride)
    assert torch.allclose(found, taps, atol=2e-2) and torch.allclose(offset, bias, atol=2e-2)


def test_rows_are_the_places_of_the_flattened_maps() -> None:
    maps = torch.arange(2 * 3 * 4 * 5).reshape(2, 3, 4, 5).float()
    places = torch.tensor([0, 7, 19, 20, 39])
    assert torch.equal(rows(maps, places), maps.permute(0, 2, 3, 1).reshape(-1, 3)[places])


def test_a_reduction_to_all_channels_loses_nothing() -> None:
    teacher, y = Teacher(teacher_arrays()), torch.randn(40, WIDTHS[-1], 7, 7)
    analysis, synthesis = reduction_basis(teacher, y, WIDTHS[-1])
    centred = y.permute(0, 2, 3, 1).reshape(-1, WIDTHS[-1])
    assert torch.allclose(centred @ analysis @ synthesis, centred, atol=1e-3)


def test_factors_of_full_rank_are_the_weights() -> None:
    generator = torch.Generator().manual_seed(0)
    weight, x = torch.randn(6, 9, generator=generator), torch.randn(80, 9, generator=generator)
    up, down = factored(weight, x, torch.ones(6), 6)
    assert torch.allclose(up @ down, weight, atol=1e-4)


@settings(max_examples=20)
@given(st.integers(0, 10_000), st.integers(1, 4))
def test_factors_change_the_weighted_answers_less_than_those_of_the_weights_alone(seed: int, rank: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    weight = torch.randn(6, 9, generator=generator)
    x = torch.randn(60, 9, generator=generator) @ torch.randn(9, 9, generator=generator)
    importance_of = torch.rand(6, generator=generator) + 0.1
    x = x - x.mean(0)

    def error(product: torch.Tensor) -> float:
        return float((importance_of * (x @ (weight - product).T).square()).sum())

    up, down = factored(weight, x, importance_of, rank)
    u, s, v = torch.linalg.svd(weight, full_matrices=False)
    assert up.shape == (6, rank) and down.shape == (rank, 9)
    assert error(up @ down) <= error((u[:, :rank] * s[:rank]) @ v[:rank]) * (1 + 1e-4)


def test_a_teacher_is_copied_by_a_student_of_its_size() -> None:
    teacher = Teacher(teacher_arrays()).eval()
    network = EdgeNetwork(widths=WIDTHS, ranks=(0,) * 13, reduced=WIDTHS[-1], dimensions=16)
    told: list[str] = []
    prune(teacher, network, pictures(8), pictures(32), progress=told.append)
    x = pictures(8, seed=9)
    with torch.no_grad():
        cosine = torch.cosine_similarity(network.eval()(x)["embedding"], teacher(x))
    assert float(cosine.min()) > 0.98 and len(told) == len(STRIDES) - 1


def test_a_narrower_student_of_lower_rank_follows_its_teacher_and_is_repeatable() -> None:
    teacher = Teacher(teacher_arrays(seed=5)).eval()
    made = []
    for _ in range(2):
        ranks = (0, 0, 0, 0, 5, 5, 6, 6, 6, 6, 6, 6, 6)
        network = EdgeNetwork(widths=(3, 4, 4, 4, 5, *WIDTHS[5:]), ranks=ranks, reduced=7, dimensions=16)
        prune(teacher, network, pictures(8), pictures(32), seed=4)
        made.append(network.state_dict())
    assert all(torch.equal(made[0][name], made[1][name]) for name in made[0])
    x = pictures(24, seed=9)
    with torch.no_grad():
        wanted = teacher(x)
        error = (network.eval()(x)["embedding"] - wanted).square().sum()
        spread = (wanted - wanted.mean(0)).square().sum()
    assert float(error) < 0.7 * float(spread)


def test_the_head_is_fitted_by_ridge_regression_drawn_towards_what_it_was() -> None:
    torch.manual_seed(0)
    network = EdgeNetwork(widths=(4,) * 14, ranks=(0,) * 13, reduced=4, dimensions=8).eval()
    x = pictures(30)
    wanted = functional.normalize(torch.randn(30, 8))
    with torch.no_grad(), torch.autocast("cpu", torch.bfloat16):
        inputs = network.reduce(network.maps(x)[-1]).flatten(1)
    with torch.no_grad():
        inputs = torch.cat([inputs.float(), torch.ones(30, 1)], 1).double()
        before = torch.cat([network.dense.weight.T, network.dense.bias[None]]).double()
        length = (inputs @ before).norm(dim=1).mean()
    penalty = float((inputs.T @ inputs).diagonal()[:-1].mean()) * 0.3
    rows_added = torch.eye(197, dtype=torch.float64) * penalty**0.5
    rows_added[-1, -1] = 1e-9**0.5
    stacked = torch.cat([inputs, rows_added])
    aims = torch.cat([wanted.double() * length, rows_added @ before])
    naive = torch.linalg.lstsq(stacked, aims, driver="gelsd").solution
    refit_head(network, [(x[:20], wanted[:20]), (x[20:], wanted[20:])], share=0.3)
    assert torch.allclose(network.dense.weight, naive[:-1].T.float(), atol=1e-3)
    assert torch.allclose(network.dense.bias, naive[-1].float(), atol=1e-2)
