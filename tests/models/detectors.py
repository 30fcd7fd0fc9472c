"""Tiny detectors and segmenters as ONNX, with their records: what tests of scores and masks run."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from onnx import TensorProto, helper, numpy_helper

from samebody.models.record import ModelRecord
from tests.models.factory import sha256

LICENCE = {
    "spdx": "Apache-2.0",
    "commercial_use": "yes",
    "why": "made by the tests of samebody",
    "notice": "the authors",
}
PROVENANCE = {
    "origin": "tests",
    "training_data": "none at all",
    "intended_use": "tests",
    "known_limits": ("knows nothing; not validated on real attacks",),
}


def _values(name: str, shape: list[Any]) -> Any:
    return helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)


def _model(nodes: list[Any], inputs: list[Any], outputs: list[Any], constants: list[Any]) -> bytes:
    graph = helper.make_graph(nodes, "tiny", inputs, outputs, constants)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    return bytes(model.SerializeToString())


def two_input_detector() -> bytes:
    """sigmoid(mean of the face - mean of the patches), inputs already divided by 255."""
    nodes = [
        helper.make_node("ReduceMean", ["face"], ["a"], axes=[1, 2, 3], keepdims=0),
        helper.make_node("ReduceMean", ["patches"], ["b"], axes=[1, 2, 3], keepdims=0),
        helper.make_node("Sub", ["a", "b"], ["d"]),
        helper.make_node("Sigmoid", ["d"], ["score"]),
    ]
    inputs = [_values("face", ["batch", 3, 16, 16]), _values("patches", ["batch", 3, 8, 24])]
    return _model(nodes, inputs, [_values("score", ["batch"])], [])


def grey_segmenter() -> bytes:
    """Two maps: the picture and one minus the picture."""
    one = numpy_helper.from_array(np.ones(1, np.float32), "one")
    nodes = [
        helper.make_node("Sub", ["one", "eye"], ["rest"]),
        helper.make_node("Concat", ["eye", "rest"], ["maps"], axis=1),
    ]
    size = ["batch", 1, "height", "width"]
    return _model(nodes, [_values("eye", size)], [_values("maps", ["batch", 2, "height", "width"])], [one])


def _record(folder: Path, data: bytes, **fields: Any) -> ModelRecord:
    name = fields["id"].split("/")[1]
    (folder / f"{name}.onnx").write_bytes(data)
    record = ModelRecord.model_validate(
        {
            "version": "1",
            "title": "A tiny model for tests",
            "sha256": sha256(data),
            "bytes": len(data),
            "format": "onnx",
            "filename": f"{name}.onnx",
            "sources": ({"kind": "file", "path": f"{name}.onnx"},),
            "licence": LICENCE,
            "provenance": PROVENANCE,
            **fields,
        }
    )
    return record.located(folder / f"{name}.toml", bundled=False)


def detector_record(folder: Path, *, detection: dict[str, Any] | None = None, **output: Any) -> ModelRecord:
    """The record of :func:`two_input_detector`, its file written beside it."""
    image = {"kind": "image", "colour": "rgb", "layout": "nchw", "scale": 1 / 255}
    return _record(
        folder,
        two_input_detector(),
        id="own/detector",
        task="presentation-attack-detection",
        input=image | {"name": "face", "width": 16, "height": 16, "crop": 2.0},
        more_inputs=(image | {"name": "patches", "width": 24, "height": 8, "meaning": "native patches"},),
        output={"kind": "score", "meaning": "likelihood of bona fide", **output},
        detection=detection or {"unsure": (0.4, 0.6)},
    )


def segmenter_record(folder: Path, *, classes: tuple[str, ...] = ("iris", "rest"), **output: Any) -> ModelRecord:
    """The record of :func:`grey_segmenter`, its file written beside it."""
    return _record(
        folder,
        grey_segmenter(),
        id="own/segmenter",
        task="iris-segmentation",
        input={"kind": "image", "colour": "grey", "layout": "nchw", "scale": 1 / 255, "width": 20, "height": 12},
        output={"kind": "mask", "classes": classes, "exclusive": True, **output},
    )
