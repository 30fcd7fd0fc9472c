"""Fitting of the differential morph check and of small logistic detectors, their ONNX graphs and their records.

The check asks under which of two laws the difference of portrait and selfie is likelier: that of pictures of one person
(covariance W) or that of a morph against one of its people (covariance M), for the template and for the head's shape,
as in probabilistic linear discriminant analysis (S. Prince and J. Elder, ICCV 2007). A logistic regression weighs both
ratios and the plain distance.
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

    def terms(self, difference: Array) -> Array:
        """(n, 2): mean square under W, and the log-likelihood ratio of W against M by direction."""
        white = np.square(difference @ self.directions)
        ratio = 0.5 * ((1 / self.ratios - 1) * white + np.log(self.ratios))
        return np.column_stack([np.log(white.mean(axis=1) + 1e-6), ratio.mean(axis=1)])


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
    return Law(np.asarray(white @ turned[:, keep]), np.asarray(ratios[keep]))


@dataclass(frozen=True, eq=False)
class MorphModel:
    """Laws of both differences and the regression over their terms."""

    template: Law
    shape: Law
    weights: Array
    offset: float

    def terms(self, vectors: Array, shapes: Array) -> Array:
        """(n, 5): those of the template, those of the shape, and the cosine of the templates."""
        return _terms(self.template, self.shape, vectors, shapes)

    def logit(self, vectors: Array, shapes: Array) -> Array:
        """(n,) log odds of a bona fide portrait."""
        return np.asarray(self.terms(vectors, shapes) @ self.weights + self.offset)


def _terms(template: Law, shape: Law, vectors: Array, shapes: Array) -> Array:
    cosine = (vectors[:, 0] * vectors[:, 1]).sum(axis=1)
    return np.column_stack(
        [template.terms(vectors[:, 0] - vectors[:, 1]), shape.terms(shapes[:, 0] - shapes[:, 1]), cosine]
    )


@dataclass(frozen=True)
class Choice:
    """What is chosen for the fit; by cross-validation over people of the training part, see ``morph_results``."""

    shrink_template: float = 0.3
    shrink_shape: float = 0.3
    most_template: int = 64
    most_shape: int = 24
    ridge: float = 1e-3
    use_shape: bool = True
    use_laws: bool = True


def fit_morph(
    vectors: Array, shapes: Array, morph: NDArray[np.bool_], people: NDArray[np.int64], choice: Choice
) -> MorphModel:
    """Fit the laws on everything, the regression on terms of laws that did not see the person.

    Args:
        vectors: (n, 2, d) templates of portrait and selfie.
        shapes: (n, 2, s).
        morph: (n,) whether the portrait is one.
        people: (n,) code of the person on the selfie.
        choice: see :class:`Choice`.
    """

    def laws(rows: NDArray[np.bool_]) -> tuple[Law, Law]:
        d, s = vectors[:, 0] - vectors[:, 1], shapes[:, 0] - shapes[:, 1]
        fair, bad = rows & ~morph, rows & morph
        return (
            fit_law(d[fair], d[bad], shrink=choice.shrink_template, most=choice.most_template),
            fit_law(s[fair], s[bad], shrink=choice.shrink_shape, most=choice.most_shape),
        )

    fold = people % 4
    terms = np.zeros((len(vectors), 5))
    for index in range(4):
        out = fold == index
        terms[out] = _terms(*laws(~out), vectors[out], shapes[out])
    used = np.array([choice.use_laws] * 2 + [choice.use_shape] * 2 + [True])
    fit = fit_balanced(terms[:, used], ~morph, ridge=choice.ridge)
    weights = np.zeros(5)
    weights[used] = fit.weights[:-1] / fit.spread
    offset = float(fit.weights[-1] - (fit.weights[:-1] * fit.mean / fit.spread).sum())
    template, shape = laws(np.ones(len(vectors), bool))
    return MorphModel(template, shape, weights, offset)


def fit_balanced(x: Array, positive: NDArray[np.bool_], *, ridge: float) -> Logistic:
    """A logistic regression at even odds: the intercept is moved by the log ratio of the classes' sizes."""
    fit = fit_logistic(x, positive.astype(np.float64), ridge=ridge)
    weights = fit.weights.copy()
    weights[-1] -= np.log(positive.sum() / max((~positive).sum(), 1))
    return Logistic(fit.mean, fit.spread, weights)


# -------------------------------------------------------------------------------------------------------------- graphs


def morph_graph(model: MorphModel, space: str, shape_size: int) -> bytes:
    """The ONNX graph: ``vectors`` (n, 2, d) and ``shapes`` (n, 2, s) to ``bona_fide`` (n,)."""
    dimensions = len(model.template.directions)
    nodes: list[onnx.NodeProto] = []
    constants: dict[str, NDArray[np.float32 | np.int64]] = {
        "first": np.array([0], np.int64),
        "second": np.array([1], np.int64),
        "axis": np.array([1], np.int64),
        "last": np.array([-1], np.int64),
        "offset": np.array([model.offset], np.float32),
        "weights": model.weights.reshape(-1, 1).astype(np.float32),
        "little": np.array(1e-6, np.float32),
    }

    def node(kind: str, inputs: list[str], output: str, **attributes: object) -> str:
        nodes.append(helper.make_node(kind, inputs, [output], **attributes))
        return output

    sides: dict[str, tuple[str, str]] = {}
    terms = []
    for name, law in (("vectors", model.template), ("shapes", model.shape)):
        for side, which in (("portrait", "first"), ("selfie", "second")):
            node("Gather", [name, which], f"{name}.{side}.3d", axis=1)
            node("Squeeze", [f"{name}.{side}.3d", "axis"], f"{name}.{side}")
        sides[name] = (f"{name}.portrait", f"{name}.selfie")
        node("Sub", list(sides[name]), f"{name}.difference")
        constants[f"{name}.directions"] = law.directions.astype(np.float32)
        constants[f"{name}.slopes"] = (0.5 * (1 / law.ratios - 1)).astype(np.float32)
        constants[f"{name}.level"] = np.array([[0.5 * np.log(law.ratios).mean()]], np.float32)
        node("MatMul", [f"{name}.difference", f"{name}.directions"], f"{name}.white")
        node("Mul", [f"{name}.white", f"{name}.white"], f"{name}.square")
        node("ReduceMean", [f"{name}.square", "last"], f"{name}.mean", keepdims=1)
        node("Add", [f"{name}.mean", "little"], f"{name}.mean.safe")
        terms.append(node("Log", [f"{name}.mean.safe"], f"{name}.size"))
        node("Mul", [f"{name}.square", f"{name}.slopes"], f"{name}.scaled")
        node("ReduceMean", [f"{name}.scaled", "last"], f"{name}.scaled.mean", keepdims=1)
        terms.append(node("Add", [f"{name}.scaled.mean", f"{name}.level"], f"{name}.ratio"))
    node("Mul", list(sides["vectors"]), "product")
    terms.append(node("ReduceSum", ["product", "last"], "cosine", keepdims=1))
    node("Concat", terms, "terms", axis=1)
    node("MatMul", ["terms", "weights"], "weighed")
    node("Add", ["weighed", "offset"], "logit")
    node("Sigmoid", ["logit"], "probability")
    node("Squeeze", ["probability", "axis"], "bona_fide")
    inputs = [
        helper.make_tensor_value_info("vectors", TensorProto.FLOAT, ["batch", 2, dimensions]),
        helper.make_tensor_value_info("shapes", TensorProto.FLOAT, ["batch", 2, shape_size]),
    ]
    return _serialised(nodes, inputs, constants, {"embedding_space": space})


def logistic_graph(layers: list[tuple[Array, Array]], mean: Array, spread: Array, limit: float) -> bytes:
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
