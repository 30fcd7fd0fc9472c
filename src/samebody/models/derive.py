"""Make the file that is really run from the file that was published: recipes, deterministic, checked by hash.

Why each recipe exists stands in docs/adr/0011-derived-graphs.md and 0014-prelu-as-convolutions.md. Derivation edits the
graph's declarations and shape constants, or writes an operator as others that are equal to it; no weight is trained,
rounded or dropped.
"""

from __future__ import annotations

import hashlib
import io
import zipfile

import numpy as np
import onnx
from google.protobuf.message import DecodeError  # type: ignore[import-untyped]
from numpy.typing import NDArray
from onnx import helper, numpy_helper

from samebody.models.errors import DerivationError
from samebody.models.record import Derived, ModelRecord, Step

MAX_MEMBER_BYTES = 512 * 2**20
"""Largest member taken out of an archive; stops a decompression bomb."""


def derive(record: ModelRecord, source: bytes) -> bytes:
    """The bytes that ``record`` really runs, made from its source file.

    Args:
        record: with or without a derived part.
        source: the verified source file.

    Raises:
        DerivationError: when a recipe does not fit the file or the result has another hash than the record says.
    """
    if record.derived is None:
        return source
    result = run_steps(record.derived, source, name=record.id)
    digest = hashlib.sha256(result).hexdigest()
    if digest != record.derived.sha256:
        raise DerivationError(
            f"the derived file of {record.id} has SHA-256 {digest}, its record says {record.derived.sha256}.",
            hint=f"Installed: onnx {onnx.__version__}. Install the onnx version of the release notes, or report this.",
        )
    return result


def run_steps(derived: Derived, source: bytes, *, name: str) -> bytes:
    """Run the recipe's steps one after the other, without looking at the hash.

    Raises:
        DerivationError: when a step does not fit the file.
    """
    data = source
    for step in derived.steps:
        try:
            data = run_step(step, data)
        except (DecodeError, zipfile.BadZipFile, KeyError, ValueError, NotImplementedError) as error:
            raise DerivationError(f"recipe {step.recipe} does not fit the file of {name}: {error}.") from None
    return data


def run_step(step: Step, data: bytes) -> bytes:
    """The file after one step.

    Raises:
        DecodeError, zipfile.BadZipFile, KeyError, ValueError, NotImplementedError: the step does not fit the file.
    """
    if step.recipe == "zip-member":
        return _zip_member(data, step.member or "")
    model = onnx.load_model_from_string(data)
    if step.recipe == "onnx-clean":
        _clean(model)
    elif step.recipe == "free-batch":
        _free(model, {0: "batch"})
    elif step.recipe == "prelu-as-convolutions":
        _spread_prelu(model.graph)
    else:
        _free(model, {0: "batch", 2: "height", 3: "width"})
    return bytes(model.SerializeToString(deterministic=True))


def _zip_member(data: bytes, member: str) -> bytes:
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        information = archive.getinfo(member)
        if information.file_size > MAX_MEMBER_BYTES:
            raise ValueError(f"{member} unpacks to {information.file_size} bytes")
        with archive.open(information) as stream:
            content = stream.read(MAX_MEMBER_BYTES + 1)
    if len(content) != information.file_size:
        raise ValueError(f"{member} is not as long as the archive says")
    return content


def _clean(model: onnx.ModelProto) -> None:
    """Initializers that are also graph inputs count as variable, which forbids constant folding and fusion."""
    constants = {initializer.name for initializer in model.graph.initializer}
    inputs = [value for value in model.graph.input if value.name not in constants]
    del model.graph.input[:]
    model.graph.input.extend(inputs)


def _free(model: onnx.ModelProto, axes: dict[int, str]) -> None:
    """Free dimensions of the only graph input, and of everything that follows from it.

    Shapes declared for intermediate values are dropped, because they were inferred for the fixed size. A ``Reshape``
    whose target starts with the fixed batch (1) copies the batch instead (0); any other fixed dimension that a free
    axis could reach is refused rather than guessed. Output shapes are free on axis 0 and, when the picture's size is
    free, on axis 1 where the number of anchors follows from it.
    """
    graph = model.graph
    if len(graph.input) != 1:
        raise ValueError(f"the graph has {len(graph.input)} inputs, expected 1; clean it first")
    dimensions = graph.input[0].type.tensor_type.shape.dim
    for axis, name in axes.items():
        dimensions[axis].ClearField("dim_value")
        dimensions[axis].dim_param = name
    del graph.value_info[:]
    targets = {node.input[1] for node in graph.node if node.op_type == "Reshape"}
    for initializer in graph.initializer:
        if initializer.name in targets:
            shape = numpy_helper.to_array(initializer)
            if shape.tolist()[:2] != [1, -1]:
                raise ValueError(f"Reshape to {shape.tolist()} is bound to the fixed input size")
            free = np.concatenate([np.zeros(1, shape.dtype), shape[1:]])
            initializer.CopyFrom(numpy_helper.from_array(free, initializer.name))
            targets.discard(initializer.name)
    if targets:
        raise ValueError(f"Reshape with a computed shape: {', '.join(sorted(targets))}")
    for output in graph.output:
        shape_of = output.type.tensor_type.shape.dim
        shape_of[0].ClearField("dim_value")
        shape_of[0].dim_param = "batch"
        if 2 in axes and len(shape_of) > 1:
            shape_of[1].ClearField("dim_value")
            shape_of[1].dim_param = f"anchors_{output.name}"


def _spread_prelu(graph: onnx.GraphProto) -> None:
    """Write each ``PRelu`` with one slope a channel as depthwise 1x1 convolutions, a ``Relu`` and an ``Add``.

    With slope ``a`` of a channel, ``prelu(x) = a x + (1 - a) relu(x)``. Where no slope of the layer is above 1 this is
    ``a x + relu((1 - a) x)``, which fuses into one pass less. Equal but for the rounding of float32.
    """
    constants = {initializer.name: initializer for initializer in graph.initializer}
    nodes: list[onnx.NodeProto] = []
    spent: set[str] = set()
    for node in graph.node:
        slope = constants.get(node.input[1]) if node.op_type == "PRelu" else None
        if slope is None or len(slope.dims) != 3 or slope.dims[1:] != [1, 1]:
            nodes.append(node)
            continue
        spent.add(slope.name)
        nodes += _prelu_parts(graph, node, numpy_helper.to_array(slope).astype(np.float32)[:, None])
    if not spent:
        raise ValueError("the graph has no PRelu with one constant slope a channel")
    del graph.node[:]
    graph.node.extend(nodes)
    used = {name for node in nodes for name in node.input}
    kept = [initializer for initializer in graph.initializer if initializer.name in used]
    del graph.initializer[:]
    graph.initializer.extend(kept)


def _prelu_parts(graph: onnx.GraphProto, node: onnx.NodeProto, slopes: NDArray[np.float32]) -> list[onnx.NodeProto]:
    source, name = node.input[0], node.output[0]

    def scaled(given: str, factors: NDArray[np.float32], part: str) -> onnx.NodeProto:
        graph.initializer.append(numpy_helper.from_array(factors, f"{name}_{part}_scale"))
        inputs, output = [given, f"{name}_{part}_scale"], [f"{name}_{part}"]
        return helper.make_node("Conv", inputs, output, name=output[0], group=len(factors), kernel_shape=[1, 1])

    def positive(given: str, part: str) -> onnx.NodeProto:
        return helper.make_node("Relu", [given], [f"{name}_{part}"], name=f"{name}_{part}")

    rest = np.float32(1) - slopes
    if (slopes <= 1).all():
        parts = [scaled(source, rest, "rest"), positive(f"{name}_rest", "positive")]
    else:
        parts = [positive(source, "relu"), scaled(f"{name}_relu", rest, "positive")]
    total = helper.make_node("Add", [f"{name}_linear", f"{name}_positive"], [name], name=node.name)
    return [*parts, scaled(source, slopes, "linear"), total]
