"""Static int8 of an ONNX graph, calibrated on real inputs (quantise-dequantise pairs, per channel).

The scheme is that of B. Jacob et al., "Quantization and Training of Neural Networks for Efficient
Integer-Arithmetic-Only Inference", CVPR 2018; ranges of activations by smallest and largest value, by a percentile,
or by least divergence of histograms (S. Migacz, "8-bit Inference with TensorRT", GTC 2017), as ONNX Runtime has them.
"""

from __future__ import annotations

import io
import logging
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any, Literal

import numpy as np
import onnx
import onnx.version_converter
from numpy.typing import NDArray
from pydantic import Field

from samebody.lab.evaluate.rules import Rules
from samebody.lab.ship.errors import QuantiseError, SamplesError, ShipError
from samebody.lab.ship.graph import clean_graph, digest_of, input_names, outputs_of, parse_graph, session_of
from samebody.lab.ship.samples import Samples

QUANTISED = frozenset({"QuantizeLinear", "DequantizeLinear", "DynamicQuantizeLinear", "QLinearConv", "ConvInteger"})
LEAST_OPSET = 13
WEIGHTED = ("Conv", "Gemm", "MatMul", "ConvTranspose")
"""Operators with weights: what the size and the time of a network consist of."""


class QuantiseOptions(Rules):
    """How a graph is quantised.

    Attributes:
        method: how the range of an activation is found.
        percentile: of the values that must fit in, for ``percentile``.
        per_channel: one scale for each output channel of a weight, not one for all.
        activations, weights: kind of the 8-bit numbers; weights are symmetric.
        symmetric_activations: zero of an activation is the zero of its 8-bit number.
        reduce_range: 7 bits for weights, for processors that saturate (x86 without VNNI).
        operators: kinds of operators that are quantised; none means every kind the runtime can.
        exclude: nodes that stay in float: names, patterns with ``*``, or ``op:KIND``; each must fit a node.
        least_samples: calibration with fewer is refused.
        samples: calibration samples at most.
        batch: calibration samples at a time.
    """

    method: Literal["minmax", "percentile", "entropy"] = "minmax"
    percentile: float = Field(default=99.99, gt=50, le=100)
    per_channel: bool = True
    activations: Literal["uint8", "int8"] = "uint8"
    weights: Literal["int8", "uint8"] = "int8"
    symmetric_activations: bool = False
    reduce_range: bool = False
    operators: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    least_samples: int = Field(default=32, ge=1)
    samples: int = Field(default=256, ge=1)
    batch: int = Field(default=16, ge=1, le=1024)


@dataclass(frozen=True, slots=True)
class OutputChange:
    """How far one output moved, over the calibration samples.

    Attributes:
        name: of the output.
        largest, mean: absolute difference to the float graph.
        cosine: mean over samples of the cosine between both; 1 for outputs of one number.
    """

    name: str
    largest: float
    mean: float
    cosine: float


@dataclass(frozen=True, slots=True)
class Quantised:
    """A quantised graph.

    Attributes:
        data: the ONNX file.
        sha256, source_sha256: of it, and of the float graph.
        bytes, source_bytes: sizes.
        quantised, kept_float: nodes with weights that were quantised, and that were not, by name.
        calibration: samples, their source and digest.
        changes: how far the outputs moved; a first look, never a gate.
    """

    data: bytes
    sha256: str
    source_sha256: str
    bytes: int
    source_bytes: int
    quantised: tuple[str, ...]
    kept_float: tuple[str, ...]
    calibration: dict[str, Any]
    changes: tuple[OutputChange, ...]


def quantise(source: bytes, calibration: Samples, options: QuantiseOptions | None = None) -> Quantised:
    """The graph in int8. The same graph, samples and options give the same bytes on one machine.

    Args:
        source: float ONNX graph.
        calibration: real inputs, other than those that gates measure on.
        options: how.

    Raises:
        SamplesError: too few samples, or they do not fit the graph.
        QuantiseError: the graph is quantised already, a name to exclude fits no node, nothing was quantised, or the
            result does not run.
    """
    options = options or QuantiseOptions()
    calibration = calibration.limited(options.samples)
    _require(source, calibration, options)
    with tempfile.TemporaryDirectory(prefix="samebody-int8-") as folder, _quiet():
        prepared = _prepared(source, Path(folder))
        excluded = _excluded(prepared, options)
        data = clean_graph(_quantised(prepared, calibration, options, excluded, Path(folder)))
    quantised, kept = _split_nodes(parse_graph(data).graph)
    if not quantised:
        raise QuantiseError("no node with weights was quantised.", hint="Look at operators and exclude.")
    return Quantised(
        data,
        digest_of(data),
        digest_of(source),
        len(data),
        len(source),
        quantised,
        kept,
        {"samples": len(calibration), "source": calibration.source, "sha256": calibration.digest},
        _changes(source, data, calibration),
    )


def nodes_of(source: bytes) -> tuple[tuple[str, str], ...]:
    """Name and kind of the nodes with weights as :class:`QuantiseOptions` may exclude them, in their order."""
    with tempfile.TemporaryDirectory(prefix="samebody-int8-") as folder, _quiet():
        graph = onnx.load(_prepared(source, Path(folder))).graph
    return tuple((node.name, node.op_type) for node in graph.node if node.op_type in WEIGHTED)


def _require(source: bytes, calibration: Samples, options: QuantiseOptions) -> None:
    graph = parse_graph(source).graph
    if any(node.op_type in QUANTISED for node in graph.node):
        raise QuantiseError("the graph is quantised already.", hint="Give the float graph.")
    if len(calibration) < options.least_samples:
        raise SamplesError(
            f"{len(calibration)} calibration samples are too few, {options.least_samples} are asked for.",
            hint="Give more, or lower least_samples knowingly.",
        )
    missing = set(input_names(source)) - set(calibration.tensors)
    if missing:
        raise SamplesError(f"the calibration samples lack the input {', '.join(sorted(missing))}.")


def _prepared(source: bytes, folder: Path) -> Path:
    """The float graph with shapes inferred and batch norms folded, each node with a name."""
    from onnxruntime.quantization.shape_inference import quant_pre_process

    raw, made = folder / "float.onnx", folder / "prepared.onnx"
    model = _upgraded(parse_graph(source))
    for number, node in enumerate(model.graph.node):
        node.name = node.name or f"{node.op_type}_{number}"
    _rename_taken(model.graph)
    onnx.save(model, raw)
    try:
        quant_pre_process(raw, made, skip_symbolic_shape=True)
    except Exception as error:  # the tool's own exceptions share no public base
        raise QuantiseError(f"the graph cannot be prepared: {str(error).splitlines()[0]}") from None
    return made


def _rename_taken(graph: onnx.GraphProto) -> None:
    """Give constants other names than those the tool gives to scales and zero points of values of the graph.

    PRelu written as convolutions has slopes named ``x_linear_scale`` beside a value ``x_linear``, whose scale the tool
    would give the same name, and neither would notice.
    """
    endings = ("_scale", "_zero_point", "_quantized")
    names = {i.name: f"constant_{n}" for n, i in enumerate(graph.initializer) if i.name.endswith(endings)}
    for initializer in graph.initializer:
        initializer.name = names.get(initializer.name, initializer.name)
    for node in graph.node:
        for place, name in enumerate(node.input):
            node.input[place] = names.get(name, name)


def _upgraded(model: onnx.ModelProto) -> onnx.ModelProto:
    """The graph with operators of version 13 at least: scales for each channel exist from there on."""
    version = max((o.version for o in model.opset_import if o.domain in ("", "ai.onnx")), default=0)
    if version >= LEAST_OPSET:
        return model
    try:
        return onnx.version_converter.convert_version(model, LEAST_OPSET)
    except Exception as error:  # the converter's own exceptions share no public base
        first = (str(error).splitlines() or [type(error).__name__])[0]
        raise QuantiseError(
            f"operators of version {version} cannot be brought to {LEAST_OPSET}: {first}",
            hint="Export the model again.",
        ) from None


def _excluded(prepared: Path, options: QuantiseOptions) -> list[str]:
    nodes = [(node.name, node.op_type) for node in onnx.load(prepared).graph.node]
    found: dict[str, None] = {}
    unknown = []
    for pattern in options.exclude:
        kind = pattern.removeprefix("op:") if pattern.startswith("op:") else None
        hits = [name for name, op in nodes if (op == kind if kind else fnmatchcase(name, pattern))]
        found.update(dict.fromkeys(hits))
        if not hits:
            unknown.append(pattern)
    if unknown:
        named = ", ".join(name for name, op in nodes if op in WEIGHTED)
        raise QuantiseError(f"no node fits {', '.join(unknown)}.", hint=f"Nodes with weights: {named}.")
    return list(found)


def _quantised(
    prepared: Path, calibration: Samples, options: QuantiseOptions, excluded: list[str], folder: Path
) -> bytes:
    from onnxruntime.quantization import CalibrationMethod, QuantFormat, QuantType, quantize_static

    methods = {
        "minmax": CalibrationMethod.MinMax,
        "percentile": CalibrationMethod.Percentile,
        "entropy": CalibrationMethod.Entropy,
    }
    kinds = {"uint8": QuantType.QUInt8, "int8": QuantType.QInt8}
    extra: dict[str, Any] = {
        "ActivationSymmetric": options.symmetric_activations,
        "WeightSymmetric": True,
        "CalibPercentile": options.percentile,
        "CalibStridedMinMax": 1,  # one batch at a time: intermediate values of all samples would fill the memory
    }
    made = folder / "int8.onnx"
    try:
        quantize_static(
            prepared,
            made,
            _Reader(calibration, options.batch),
            quant_format=QuantFormat.QDQ,
            op_types_to_quantize=list(options.operators) or None,
            per_channel=options.per_channel,
            reduce_range=options.reduce_range,
            activation_type=kinds[options.activations],
            weight_type=kinds[options.weights],
            nodes_to_exclude=excluded,
            calibrate_method=methods[options.method],
            extra_options=extra,
        )
    except Exception as error:  # the tool's own exceptions share no public base
        first = (str(error).splitlines() or [type(error).__name__])[0]
        raise QuantiseError(f"the graph cannot be quantised: {first}") from None
    return made.read_bytes()


class _Reader:
    """Hands the calibration samples to the tool, batch by batch."""

    def __init__(self, samples: Samples, batch: int) -> None:
        self._batches = list(samples.batches(batch))
        self._waiting: list[dict[str, Any]] = []

    def __len__(self) -> int:
        return len(self._batches)

    def set_range(self, start_index: int, end_index: int) -> None:
        """The batches that are asked for next."""
        self._waiting = list(self._batches[start_index:end_index])

    def get_next(self) -> dict[str, Any] | None:
        """The next batch, None at the end."""
        return self._waiting.pop(0) if self._waiting else None


def _split_nodes(graph: onnx.GraphProto) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Nodes with constant weights: those whose weights come through a DequantizeLinear, and the others."""
    dequantised = {node.output[0] for node in graph.node if node.op_type == "DequantizeLinear"}
    constants = {initializer.name for initializer in graph.initializer}
    sides: tuple[list[str], list[str]] = ([], [])
    for node in graph.node:
        if node.op_type in WEIGHTED and len(node.input) > 1:
            if node.input[1] in dequantised and node.input[0] in dequantised:
                sides[0].append(node.name)
            elif node.input[1] in constants or node.input[1] in dequantised:
                sides[1].append(node.name)
    return tuple(sides[0]), tuple(sides[1])


def _changes(source: bytes, made: bytes, samples: Samples) -> tuple[OutputChange, ...]:
    some = samples.limited(128)
    before = outputs_of(session_of(source), some)
    try:
        after = outputs_of(session_of(made), some)
    except ShipError as error:
        raise QuantiseError(
            f"the int8 graph does not run. {error.message}",
            hint="Leave the node it names in float (exclude), or take one scale for each weight (per_channel: false).",
        ) from None
    return tuple(_change(name, before[name], after[name]) for name in before)


def _change(name: str, before: NDArray[Any], after: NDArray[Any]) -> OutputChange:
    if not np.isfinite(after).all():
        raise QuantiseError(f"the quantised graph answers {name} with values that are not finite.")
    one, two = (value.reshape(len(value), -1).astype(np.float64) for value in (before, after))
    lengths = np.linalg.norm(one, axis=1) * np.linalg.norm(two, axis=1)
    cosine = np.divide((one * two).sum(axis=1), lengths, out=np.ones(len(one)), where=lengths > 0)
    difference = np.abs(one - two)
    return OutputChange(
        name, float(difference.max()), float(difference.mean()), float(cosine.mean()) if one.shape[1] > 1 else 1.0
    )


@contextmanager
def _quiet() -> Iterator[None]:
    """The tool prints, logs through the root logger, and advises what has been done already."""
    root = logging.getLogger()
    before = root.level
    root.setLevel(logging.ERROR)
    try:
        with redirect_stdout(io.StringIO()):
            yield
    finally:
        root.setLevel(before)
