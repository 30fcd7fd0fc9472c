"""Fitting of the differential morph check, ONNX graphs of it and of small layered detectors, and their records.

The check weighs two things. How alike portrait and selfie are: the cosine of their templates. And under which of two
laws the difference of both head shapes is likelier, that of pictures of one person (covariance W) or that of a morph
against one of its people (covariance M), as in probabilistic linear discriminant analysis (S. Prince and J. Elder, ICCV
2007). The same two laws over the templates were tried and added nothing to the cosine (docs/adr/0369).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from samebody.synth.attacks.shortcuts import Logistic, fit_logistic

Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Law:
    """Two zero-mean normal laws of a difference, in directions where both are diagonal.

    Attributes:
        directions: (d, k): difference times this is white under W.
        ratios: (k,) variance under M, in units of that under W.
    """

    directions: Array
    ratios: Array

    def ratio(self, difference: Array) -> Array:
        """(n,) log-likelihood ratio of W against M, a direction; the larger the difference, the lower it is."""
        white = np.square(difference @ self.directions)
        return np.asarray((0.5 * ((1 / self.ratios - 1) * white + np.log(self.ratios))).mean(axis=1))


def fit_law(bona_fide: Array, morphs: Array, *, shrink: float, most: int) -> Law:
    """Directions in which morphs differ from bona fide the most, after shrinking both covariances to their diagonals.

    Args:
        bona_fide, morphs: (n, d) differences.
        shrink: weight of the isotropic part, 0-1.
        most: directions kept.
    """

    def covariance(rows: Array) -> Array:
        plain = rows.T @ rows / len(rows)
        return np.asarray((1 - shrink) * plain + shrink * np.trace(plain) / len(plain) * np.eye(len(plain)))

    within, other = covariance(bona_fide), covariance(morphs)
    values, vectors = np.linalg.eigh(within)
    white = vectors / np.sqrt(values)
    ratios, turned = np.linalg.eigh(white.T @ other @ white)
    keep = np.argsort(-ratios)[:most]
    keep = keep[ratios[keep] > 1] if (ratios[keep] > 1).any() else keep[:1]
    return Law(np.asarray(white @ turned[:, keep]), np.asarray(ratios[keep]))


@dataclass(frozen=True, eq=False)
class MorphModel:
    """The laws of the shape and the regression over the cosine and the ratio of :class:`Law`."""

    shape: Law
    weights: Array
    offset: float

    def logit(self, vectors: Array, shapes: Array) -> Array:
        """(n,) log odds of a bona fide portrait, at even odds."""
        return np.asarray(_terms(self.shape, vectors, shapes) @ self.weights + self.offset)


def _terms(shape: Law, vectors: Array, shapes: Array) -> Array:
    """(n, 2): cosine of the templates, and the ratio of the shape."""
    cosine = (vectors[:, 0] * vectors[:, 1]).sum(axis=1)
    return np.column_stack([cosine, shape.ratio(shapes[:, 0] - shapes[:, 1])])


FOLDS = 4


def fit_morph(
    vectors: Array, shapes: Array, morph: NDArray[np.bool_], people: NDArray[np.int64], *, use_shape: bool = True
) -> tuple[MorphModel, Array]:
    """The model, and the log odds that each row gets from a model that did not see its person.

    The laws are fitted on everything, the regression on terms of laws that did not see the person.

    Args:
        vectors: (n, 2, d) templates of portrait and selfie.
        shapes: (n, 2, s).
        morph: (n,) whether the portrait is one.
        people: (n,) code of the person on the selfie.
        use_shape: False leaves the cosine alone.
    """
    used = np.array([True, use_shape])

    def law(rows: NDArray[np.bool_]) -> Law:
        difference = shapes[:, 0] - shapes[:, 1]
        return fit_law(difference[rows & ~morph], difference[rows & morph], shrink=0.3, most=24)

    def fitted(rows: NDArray[np.bool_]) -> MorphModel:
        terms = np.zeros((len(vectors), 2))
        for index in range(FOLDS):
            out = rows & (people % FOLDS == index)
            if out.any():
                terms[out] = _terms(law(rows & ~out), vectors[out], shapes[out])
        fit = fit_balanced(terms[rows][:, used], ~morph[rows], ridge=1e-3)
        weights = np.zeros(2)
        weights[used] = fit.weights[:-1] / fit.spread
        offset = float(fit.weights[-1] - (fit.weights[:-1] * fit.mean / fit.spread).sum())
        return MorphModel(law(rows), weights, offset)

    crossed = np.zeros(len(vectors))
    for index in range(FOLDS):
        out = people % FOLDS == index
        crossed[out] = fitted(~out).logit(vectors[out], shapes[out])
    return fitted(np.ones(len(vectors), bool)), crossed


def fit_balanced(x: Array, positive: NDArray[np.bool_], *, ridge: float) -> Logistic:
    """A logistic regression at even odds: the intercept is moved by the log ratio of the classes' sizes."""
    fit = fit_logistic(x, positive.astype(np.float64), ridge=ridge)
    weights = fit.weights.copy()
    weights[-1] -= np.log(positive.sum() / max((~positive).sum(), 1))
    return Logistic(fit.mean, fit.spread, weights)


# -------------------------------------------------------------------------------------------------------------- graphs


def morph_graph(model: MorphModel, space: str, dimensions: int) -> bytes:
    """The ONNX graph: ``vectors`` (n, 2, d) and ``shapes`` (n, 2, s) to ``bona_fide`` (n,)."""
    law = model.shape
    constants: dict[str, NDArray[np.float32 | np.int64]] = {
        "first": np.array([0], np.int64),
        "second": np.array([1], np.int64),
        "axis": np.array([1], np.int64),
        "offset": np.array([model.offset], np.float32),
        "weights": model.weights.reshape(-1, 1).astype(np.float32),
        "directions": law.directions.astype(np.float32),
        "slopes": (0.5 * (1 / law.ratios - 1)).astype(np.float32),
        "level": np.array([[0.5 * np.log(law.ratios).mean()]], np.float32),
    }
    steps: list[tuple[str, list[str], str, dict[str, int]]] = []
    for name in ("vectors", "shapes"):
        for side, which in (("portrait", "first"), ("selfie", "second")):
            steps.append(("Gather", [name, which], f"{name}.{side}.of", {"axis": 1}))
            steps.append(("Squeeze", [f"{name}.{side}.of", "axis"], f"{name}.{side}", {}))
    steps += [
        ("Mul", ["vectors.portrait", "vectors.selfie"], "product", {}),
        ("ReduceSum", ["product", "axis"], "cosine", {"keepdims": 1}),
        ("Sub", ["shapes.portrait", "shapes.selfie"], "difference", {}),
        ("MatMul", ["difference", "directions"], "white", {}),
        ("Mul", ["white", "white"], "square", {}),
        ("Mul", ["square", "slopes"], "scaled", {}),
        ("ReduceMean", ["scaled", "axis"], "scaled.mean", {"keepdims": 1}),
        ("Add", ["scaled.mean", "level"], "ratio", {}),
        ("Concat", ["cosine", "ratio"], "terms", {"axis": 1}),
        ("MatMul", ["terms", "weights"], "weighed", {}),
        ("Add", ["weighed", "offset"], "logit", {}),
        ("Sigmoid", ["logit"], "probability", {}),
        ("Squeeze", ["probability", "axis"], "bona_fide", {}),
    ]
    nodes = [helper.make_node(kind, inputs, [output], **options) for kind, inputs, output, options in steps]
    inputs = [
        helper.make_tensor_value_info("vectors", TensorProto.FLOAT, ["batch", 2, dimensions]),
        helper.make_tensor_value_info("shapes", TensorProto.FLOAT, ["batch", 2, len(law.directions)]),
    ]
    return _serialised(nodes, inputs, constants, {"embedding_space": space})


def layered_graph(layers: list[tuple[Array, Array]], mean: Array, spread: Array, limit: float) -> bytes:
    """The ONNX graph: ``features`` (n, d), standardised and cut at ``limit``, through layers to ``bona_fide`` (n,)."""
    constants: dict[str, NDArray[np.float32 | np.int64]] = {
        "mean": mean.astype(np.float32),
        "spread": spread.astype(np.float32),
        "low": np.array(-limit, np.float32),
        "high": np.array(limit, np.float32),
        "axis": np.array([1], np.int64),
    }
    nodes = [
        helper.make_node("Sub", ["features", "mean"], ["centred"]),
        helper.make_node("Div", ["centred", "spread"], ["scaled"]),
        helper.make_node("Clip", ["scaled", "low", "high"], ["layer0"]),
    ]
    for number, (weights, bias) in enumerate(layers):
        constants[f"w{number}"], constants[f"b{number}"] = weights.astype(np.float32), bias.astype(np.float32)
        final = number == len(layers) - 1
        nodes.append(helper.make_node("Gemm", [f"layer{number}", f"w{number}", f"b{number}"], [f"sum{number}"]))
        nodes.append(helper.make_node("Sigmoid" if final else "Relu", [f"sum{number}"], [f"layer{number + 1}"]))
    nodes.append(helper.make_node("Squeeze", [f"layer{len(layers)}", "axis"], ["bona_fide"]))
    inputs = [helper.make_tensor_value_info("features", TensorProto.FLOAT, ["batch", len(mean)])]
    return _serialised(nodes, inputs, constants, {})


def _serialised(
    nodes: list[onnx.NodeProto],
    inputs: list[onnx.ValueInfoProto],
    constants: dict[str, NDArray[np.float32 | np.int64]],
    properties: dict[str, str],
) -> bytes:
    output = helper.make_tensor_value_info("bona_fide", TensorProto.FLOAT, ["batch"])
    initializers = [numpy_helper.from_array(value, name) for name, value in constants.items()]
    graph = helper.make_graph(nodes, "samebody", inputs, [output], initializers)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
    helper.set_model_props(model, properties)
    onnx.checker.check_model(model)
    return bytes(model.SerializeToString())
