"""Small ONNX networks with weights, made without torch: a classifier, a detector, an embedder, a segmenter."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np
import onnxruntime
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from samebody.lab.ship.samples import Samples

SIDE = 16


def network(
    ends: list[Any], output: list[Any], *, channels: int = 12, seed: int = 0, tail: dict[str, Any] | None = None
) -> bytes:
    """Two convolutions with a ReLU, then ``ends``: nodes from ``relu2`` (n, channels, 16, 16) to ``out``."""
    rng = np.random.default_rng(seed)
    weights = {
        "w1": rng.normal(0, 0.3, (channels, 3, 3, 3)),
        "b1": rng.normal(0, 0.1, channels),
        "w2": rng.normal(0, 0.2, (channels, channels, 3, 3)),
        "b2": rng.normal(0, 0.1, channels),
        **(tail or {}),
    }
    nodes = [
        helper.make_node("Conv", ["input", "w1", "b1"], ["c1"], name="first", pads=[1, 1, 1, 1]),
        helper.make_node("Relu", ["c1"], ["relu1"], name="relu1"),
        helper.make_node("Conv", ["relu1", "w2", "b2"], ["c2"], name="second", pads=[1, 1, 1, 1]),
        helper.make_node("Relu", ["c2"], ["relu2"], name="relu2"),
        *ends,
    ]
    graph = helper.make_graph(
        nodes,
        "tiny",
        [helper.make_tensor_value_info("input", TensorProto.FLOAT, ["batch", 3, SIDE, SIDE])],
        [helper.make_tensor_value_info("out", TensorProto.FLOAT, output)],
        [numpy_helper.from_array(np.asarray(v, np.float32), n) for n, v in weights.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    return bytes(model.SerializeToString())


@lru_cache
def _features(channels: int, seed: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Mean and spread of the pooled features over pictures: a head that is centred by them answers every class."""
    pool = [helper.make_node("GlobalAveragePool", ["relu2"], ["out"], name="pool")]
    data = network(pool, ["batch", channels, 1, 1], channels=channels, seed=seed)
    session = onnxruntime.InferenceSession(data, providers=["CPUExecutionProvider"])
    found = session.run(None, {"input": pictures(200, seed=99)})[0].reshape(200, -1).astype(np.float64)
    return found.mean(axis=0), found.std(axis=0) + 1e-9


def _head(classes: int, channels: int, seed: int, scale: float) -> dict[str, Any]:
    mean, spread = _features(channels, seed)
    weights = np.random.default_rng(seed + 1).normal(0, scale / np.sqrt(channels), (classes, channels)) / spread
    return {"w3": weights, "b3": -weights @ mean}


def classifier(classes: int = 3, *, channels: int = 12, seed: int = 0) -> bytes:
    ends = [
        helper.make_node("GlobalAveragePool", ["relu2"], ["pool"], name="pool"),
        helper.make_node("Flatten", ["pool"], ["flat"], name="flat"),
        helper.make_node("Gemm", ["flat", "w3", "b3"], ["out"], name="head", transB=1),
    ]
    return network(ends, ["batch", classes], channels=channels, seed=seed, tail=_head(classes, channels, seed, 1.0))


def detector(*, seed: int = 0, bias: float = 0.0, channels: int = 12) -> bytes:
    ends = [
        helper.make_node("GlobalAveragePool", ["relu2"], ["pool"], name="pool"),
        helper.make_node("Flatten", ["pool"], ["flat"], name="flat"),
        helper.make_node("Gemm", ["flat", "w3", "b3"], ["logit"], name="head", transB=1),
        helper.make_node("Sigmoid", ["logit"], ["out"], name="sigmoid"),
    ]
    tail = _head(1, channels, seed, 2.0)
    tail["b3"] = tail["b3"] + bias
    return network(ends, ["batch", 1], channels=channels, seed=seed, tail=tail)


def embedder(*, seed: int = 0, dimensions: int = 8, channels: int = 12) -> bytes:
    rng = np.random.default_rng(seed + 1)
    ends = [
        helper.make_node("Flatten", ["relu2"], ["flat"], name="flat"),
        helper.make_node("Gemm", ["flat", "w3", "b3"], ["out"], name="head", transB=1),
    ]
    tail = {"w3": rng.normal(0, 0.05, (dimensions, channels * SIDE * SIDE)), "b3": np.zeros(dimensions)}
    return network(ends, ["batch", dimensions], channels=channels, seed=seed, tail=tail)


def pictures(count: int, *, seed: int = 0, smooth: bool = True) -> NDArray[np.float32]:
    rng = np.random.default_rng(seed)
    if not smooth:
        return rng.normal(size=(count, 3, SIDE, SIDE)).astype(np.float32)
    coarse = rng.normal(size=(count, 3, 4, 4))
    return np.repeat(np.repeat(coarse, 4, axis=2), 4, axis=3).astype(np.float32)


def samples(count: int, *, seed: int = 0, **columns: NDArray[Any]) -> Samples:
    return Samples({"input": pictures(count, seed=seed)}, columns, "tests")
