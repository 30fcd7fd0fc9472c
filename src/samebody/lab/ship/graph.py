"""ONNX graphs of a release: cleaned of what only training needs, opened, run, counted."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
from google.protobuf.message import DecodeError  # type: ignore[import-untyped]
from numpy.typing import NDArray

from samebody.lab.ship.errors import ShipError
from samebody.lab.ship.samples import Samples
from samebody.models.derive import run_step
from samebody.models.errors import UnsafeWeightsError
from samebody.models.record import Step
from samebody.models.sniff import require_format

IR_VERSION = 10
"""Version of the file format that is written; ONNX Runtime 1.18 and later read it."""
BATCH = 32


def read_graph(path: Path) -> bytes:
    """The bytes of an ONNX file.

    Raises:
        ShipError: it is not there.
        UnsafeWeightsError: it is no ONNX; a pickle is called by its name.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise ShipError(f"{path} cannot be read: {error.strerror}.", hint="Name an ONNX file.") from None
    require_format(data, "onnx", name=str(path))
    return data


def parse_graph(data: bytes, name: str = "the graph") -> onnx.ModelProto:
    """The graph in these bytes; raises :class:`UnsafeWeightsError` when there is none."""
    try:
        return onnx.load_model_from_string(data)
    except (DecodeError, ValueError):
        raise UnsafeWeightsError(f"{name} is no ONNX graph.") from None


def clean_graph(data: bytes, *, prelu_as_convolutions: bool = False) -> bytes:
    """The same graph without what only its maker needs.

    Initializers are no graph inputs (:mod:`samebody.models.derive`); what no output depends on is gone; names of source
    files, stack traces, documentation and metadata are gone; the file is checked, and the same input gives the same
    bytes.

    Raises:
        ShipError: the graph keeps weights in another file, uses operators of a private domain, or is not valid.
    """
    data = run_step(Step(recipe="onnx-clean"), data)
    if prelu_as_convolutions:
        try:
            data = run_step(Step(recipe="prelu-as-convolutions"), data)
        except ValueError as error:
            raise ShipError(f"PRelu cannot be written as convolutions: {error}.") from None
    model = parse_graph(data)
    outside = [i.name for i in model.graph.initializer if i.data_location == onnx.TensorProto.EXTERNAL]
    if outside:
        raise ShipError(f"weights stand in another file: {', '.join(outside[:3])}.", hint="Export into one file.")
    foreign = sorted({node.domain for node in model.graph.node} - {"", "ai.onnx", "ai.onnx.ml", "com.microsoft"})
    if foreign or model.functions:
        raise ShipError(f"the graph uses operators of its own: {', '.join(foreign) or 'functions'}.")
    _prune(model.graph)
    _forget(model)
    model.ir_version = min(model.ir_version, IR_VERSION)
    model.producer_name, model.producer_version = "samebody", ""
    try:
        onnx.checker.check_model(model, full_check=True)
    except (onnx.checker.ValidationError, onnx.shape_inference.InferenceError) as error:
        raise ShipError(f"the graph is not valid: {str(error).splitlines()[0]}") from None
    return bytes(model.SerializeToString(deterministic=True))


def _prune(graph: onnx.GraphProto) -> None:
    """Drop nodes that no output depends on, and initializers that no node uses."""
    needed = {value.name for value in graph.output}
    kept = []
    for node in reversed(graph.node):
        if any(name in needed for name in node.output):
            kept.append(node)
            needed |= {name for name in node.input if name} | _inner_inputs(node)
    del graph.node[:]
    graph.node.extend(reversed(kept))
    used = [initializer for initializer in graph.initializer if initializer.name in needed]
    del graph.initializer[:]
    graph.initializer.extend(used)


def _inner_inputs(node: onnx.NodeProto) -> set[str]:
    names: set[str] = set()
    for attribute in node.attribute:
        for graph in [attribute.g, *attribute.graphs]:
            for inner in graph.node:
                names |= set(inner.input) | _inner_inputs(inner)
    return names


def _forget(model: onnx.ModelProto) -> None:
    """Drop documentation, metadata and inferred shapes of intermediate values: they name files and lines."""
    model.doc_string = model.graph.doc_string = ""
    del model.metadata_props[:]
    del model.graph.metadata_props[:]
    del model.graph.value_info[:]
    model.graph.name = "graph"
    parts = [*model.graph.node, *model.graph.initializer, *model.graph.input, *model.graph.output]
    for part in parts:
        part.doc_string = ""
        del part.metadata_props[:]


def input_names(data: bytes) -> tuple[str, ...]:
    """Names of the inputs of a graph, initializers left out."""
    graph = parse_graph(data).graph
    constants = {initializer.name for initializer in graph.initializer}
    return tuple(value.name for value in graph.input if value.name not in constants)


def opset_of(data: bytes) -> int:
    """Version of the standard operators."""
    return max((o.version for o in parse_graph(data).opset_import if o.domain in ("", "ai.onnx")), default=0)


def parameters_of(data: bytes) -> int:
    """Numbers that were trained: elements of float and int8 initializers, without scales and zero points of int8."""
    graph = parse_graph(data).graph
    about = {name for n in graph.node if n.op_type in ("QuantizeLinear", "DequantizeLinear") for name in n.input[1:]}
    kinds = (
        onnx.TensorProto.FLOAT,
        onnx.TensorProto.FLOAT16,
        onnx.TensorProto.INT8,
        onnx.TensorProto.UINT8,
        onnx.TensorProto.INT32,
    )
    return sum(int(np.prod(i.dims)) for i in graph.initializer if i.data_type in kinds and i.name not in about)


def session_of(data: bytes, *, threads: int = 1, optimise: bool = True) -> onnxruntime.InferenceSession:
    """A session on the CPU.

    Raises:
        ShipError: the runtime refuses the graph.
    """
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
    options.log_severity_level = 3
    if not optimise:
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.add_session_config_entry("session.force_spinning_stop", "1")
    try:
        return onnxruntime.InferenceSession(data, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # the runtime's own exceptions share no public base
        raise ShipError(f"ONNX Runtime cannot open the graph: {str(error).splitlines()[0]}") from None


def outputs_of(
    session: onnxruntime.InferenceSession, samples: Samples, *, batch: int = BATCH
) -> Mapping[str, NDArray[Any]]:
    """All outputs by name for all samples.

    Raises:
        ShipError: the runtime refuses the samples, or an output has another length.
    """
    names = [value.name for value in session.get_outputs()]
    free = all(isinstance(value.shape[0], str) or value.shape[0] is None for value in session.get_inputs())
    found: dict[str, list[NDArray[Any]]] = {name: [] for name in names}
    try:
        for tensors in samples.batches(batch if free else 1):
            for name, value in zip(names, session.run(names, tensors), strict=True):
                found[name].append(np.asarray(value))
    except Exception as error:  # the runtime's own exceptions share no public base
        raise ShipError(f"ONNX Runtime refuses the samples {samples.source}: {str(error).splitlines()[0]}") from None
    whole = {name: np.concatenate(parts) for name, parts in found.items()}
    wrong = [name for name, value in whole.items() if len(value) != len(samples)]
    if wrong:
        raise ShipError(f"the outputs {', '.join(wrong)} do not have one entry a sample.")
    return whole


def digest_of(data: bytes) -> str:
    """SHA-256 of a file's bytes."""
    return hashlib.sha256(data).hexdigest()
