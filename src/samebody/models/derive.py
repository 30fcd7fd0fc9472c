"""Make the file that is really run from the file that was published: recipes, deterministic, checked by hash.

Why each recipe exists stands in docs/adr/0011-derived-graphs.md. Derivation edits the graph's declarations and shape
constants only; weights are never changed.
"""

from __future__ import annotations

import hashlib
import io
import zipfile

import numpy as np
import onnx
from google.protobuf.message import DecodeError  # type: ignore[import-untyped]
from onnx import numpy_helper

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
            data = _run_step(step, data)
        except (DecodeError, zipfile.BadZipFile, KeyError, ValueError, NotImplementedError) as error:
            raise DerivationError(f"recipe {step.recipe} does not fit the file of {name}: {error}.") from None
    return data


def _run_step(step: Step, data: bytes) -> bytes:
    if step.recipe == "zip-member":
        return _zip_member(data, step.member or "")
    model = onnx.load_model_from_string(data)
    if step.recipe == "onnx-clean":
        _clean(model)
    elif step.recipe == "free-batch":
        _free(model, {0: "batch"})
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
