"""Derived graphs: deterministic, equal to the published graph in OpenCV, refused where a recipe does not fit."""

from __future__ import annotations

import hashlib
import tempfile
from pathlib import Path

import cv2
import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper, numpy_helper

from samebody.config import load_settings
from samebody.models import catalogue, embed, open_session, open_tflite, weights_path
from samebody.models.derive import derive, run_steps
from samebody.models.errors import DerivationError
from samebody.models.pulling import pull
from samebody.models.record import Derived, ModelRecord
from samebody.models.store import Store

from .factory import tiny_embedder, wheel

_mirror = tempfile.TemporaryDirectory()


def published(record: ModelRecord) -> Path:
    """The source file, before derivation: from the models folder, else pulled once, else a skip."""
    kept = Store(load_settings().models_dir).path(record.sha256, record.format)
    if kept.is_file():
        return kept
    (result,) = pull([record], mirror=Path(_mirror.name))
    if result.path is None:
        pytest.skip(f"the published file of {record.id} is neither here nor to be had: {result.error}")
    return result.path


def steps(*names: str, member: str | None = None) -> Derived:
    entries = [{"recipe": name, **({"member": member} if member else {})} for name in names]
    return Derived.model_validate({"steps": entries, "sha256": "0" * 64, "bytes": 1, "format": "onnx"})


def test_cleaning_takes_initializers_out_of_the_inputs_and_changes_no_weight() -> None:
    model = onnx.load_from_string(tiny_embedder(8, 8, 4)[0])
    model.graph.input.append(helper.make_tensor_value_info("matrix", TensorProto.FLOAT, [24, 4]))
    clean = onnx.load_from_string(run_steps(steps("onnx-clean"), model.SerializeToString(), name="x"))
    assert [value.name for value in clean.graph.input] == ["picture"]
    assert clean.graph.initializer == model.graph.initializer and clean.graph.node == model.graph.node


def test_freeing_the_batch_frees_the_input_and_the_outputs() -> None:
    free = onnx.load_from_string(run_steps(steps("free-batch"), tiny_embedder(8, 8, 4, batch=1)[0], name="x"))
    for value in (*free.graph.input, *free.graph.output):
        assert value.type.tensor_type.shape.dim[0].dim_param == "batch"
    assert free.graph.input[0].type.tensor_type.shape.dim[2].dim_value == 8


def test_a_reshape_to_the_fixed_size_is_refused_rather_than_guessed() -> None:
    for shape in ([1, 192], [2, -1, 4], [1, 64, 3]):
        graph = helper.make_graph(
            [helper.make_node("Reshape", ["picture", "shape"], ["feature"])],
            "g",
            [helper.make_tensor_value_info("picture", TensorProto.FLOAT, [1, 3, 8, 8])],
            [helper.make_tensor_value_info("feature", TensorProto.FLOAT, [1, 192])],
            [numpy_helper.from_array(np.array(shape, np.int64), "shape")],
        )
        with pytest.raises(DerivationError, match="bound to the fixed input size"):
            run_steps(steps("free-input-shape"), helper.make_model(graph).SerializeToString(), name="x")


def prelu_graph(slopes: np.ndarray) -> bytes:
    """Convolution, PReLU, convolution over (1, 3, 6, 6); ``slopes`` as the operator takes them."""
    random = np.random.default_rng(3)
    channels = 5
    weights = [random.normal(size=(channels, 3, 3, 3)), random.normal(size=(2, channels, 1, 1))]
    graph = helper.make_graph(
        [
            helper.make_node("Conv", ["picture", "first"], ["a"], kernel_shape=[3, 3]),
            helper.make_node("PRelu", ["a", "slope"], ["b"], name="prelu"),
            helper.make_node("Conv", ["b", "second"], ["feature"], kernel_shape=[1, 1]),
        ],
        "g",
        [helper.make_tensor_value_info("picture", TensorProto.FLOAT, [1, 3, 6, 6])],
        [helper.make_tensor_value_info("feature", TensorProto.FLOAT, [1, 2, 4, 4])],
        [
            numpy_helper.from_array(weights[0].astype(np.float32), "first"),
            numpy_helper.from_array(weights[1].astype(np.float32), "second"),
            numpy_helper.from_array(slopes.astype(np.float32), "slope"),
        ],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    return bytes(model.SerializeToString())


@pytest.mark.parametrize("slopes", [[0.1, 0.9, -0.4, 0.0, 1.0], [0.1, 1.7, -2.0, 0.0, 1.0]])
def test_prelu_as_convolutions_computes_the_same(slopes: list[float]) -> None:
    source = prelu_graph(np.array(slopes)[:, None, None])
    spread = run_steps(steps("prelu-as-convolutions"), source, name="x")
    assert spread == run_steps(steps("prelu-as-convolutions"), source, name="x")
    model = onnx.load_from_string(spread)
    onnx.checker.check_model(model, full_check=True)
    assert "PRelu" not in {node.op_type for node in model.graph.node}
    assert "slope" not in {initializer.name for initializer in model.graph.initializer}
    picture = np.random.default_rng(4).normal(size=(1, 3, 6, 6)).astype(np.float32)
    outputs = [
        onnxruntime.InferenceSession(data, providers=["CPUExecutionProvider"]).run(None, {"picture": picture})[0]
        for data in (source, spread)
    ]
    np.testing.assert_allclose(outputs[1], outputs[0], rtol=1e-5, atol=1e-5)


def test_a_graph_without_a_prelu_of_one_slope_a_channel_is_refused() -> None:
    for data in (tiny_embedder(8, 8, 4)[0], prelu_graph(np.full((5, 4, 4), 0.5)), prelu_graph(np.full(1, 0.5))):
        with pytest.raises(DerivationError, match="no PRelu"):
            run_steps(steps("prelu-as-convolutions"), data, name="x")


@pytest.mark.parametrize("data", [b"\xff", b"no graph", b"PK\x03\x04"])
@pytest.mark.parametrize("recipe", ["onnx-clean", "free-batch", "free-input-shape", "prelu-as-convolutions"])
def test_a_file_that_is_no_graph_is_a_typed_error(data: bytes, recipe: str) -> None:
    with pytest.raises(DerivationError):
        run_steps(steps(recipe), data, name="x")


def test_a_member_that_is_missing_or_damaged_is_a_typed_error() -> None:
    archive = wheel({"a.tflite": b"x" * 5000})
    assert run_steps(steps("zip-member", member="a.tflite"), archive, name="x") == b"x" * 5000
    damaged = archive.replace(archive[40:48], b"\0" * 8)
    for data, member in ((archive, "b.tflite"), (b"", "a.tflite"), (damaged, "a.tflite")):
        with pytest.raises(DerivationError):
            run_steps(steps("zip-member", member=member), data, name="x")


@pytest.mark.weights
@pytest.mark.parametrize("identifier", ["face/yunet", "face/sface", "face/landmarks", "face/blendshapes"])
def test_the_derived_file_is_made_again_bit_for_bit(identifier: str) -> None:
    record = catalogue()[identifier]
    source = published(record).read_bytes()
    first, second = derive(record, source), derive(record, source)
    assert first == second == weights_path(record).read_bytes()
    assert record.derived is not None
    assert (hashlib.sha256(first).hexdigest(), len(first)) == (record.derived.sha256, record.derived.bytes)


@pytest.mark.weights
def test_a_derived_file_with_another_hash_is_refused() -> None:
    record = catalogue()["face/yunet"]
    assert record.derived is not None
    other = record.model_copy(update={"derived": record.derived.model_copy(update={"sha256": "0" * 64})})
    with pytest.raises(DerivationError, match="its record says"):
        derive(other, published(record).read_bytes())


def smooth_crops(count: int) -> np.ndarray:
    generator = np.random.default_rng(5)
    coarse = generator.integers(0, 256, (count, 14, 14, 3), dtype=np.uint8)
    return np.stack([cv2.resize(picture, (112, 112), interpolation=cv2.INTER_CUBIC) for picture in coarse])


@pytest.mark.weights
def test_sface_equals_opencvs_own_feature_on_the_same_crops() -> None:
    record = catalogue()["face/sface"]
    crops = smooth_crops(6)
    theirs = cv2.FaceRecognizerSF.create(str(published(record)), "")
    ours = embed(record, crops)
    for crop, vector in zip(crops, ours, strict=True):
        feature = theirs.feature(np.ascontiguousarray(crop[:, :, ::-1])).ravel()  # OpenCV takes BGR
        cosine = float(vector @ feature / np.linalg.norm(feature))
        assert cosine > 0.99999
    assert float(np.abs(ours @ ours.T - np.eye(6)).max()) > 0.01  # the crops are not told apart by accident


@pytest.mark.weights
def test_sface_gives_the_same_vector_in_a_batch_and_alone() -> None:
    record = catalogue()["face/sface"]
    crops = smooth_crops(7)
    together = embed(record, crops)
    alone = np.concatenate([embed(record, crop) for crop in crops])
    assert np.abs(together - alone).max() < 1e-5


def decode(outputs: list[np.ndarray], width: int, threshold: float) -> np.ndarray:
    """YuNet's boxes, landmarks and scores, anchor by anchor as its paper states them; no suppression."""
    rows = []
    for index, stride in enumerate((8, 16, 32)):
        classes, objects, boxes, points = (outputs[index + 3 * group][0] for group in range(4))
        for anchor in range(len(boxes)):
            score = float(np.sqrt(np.clip(classes[anchor, 0], 0, 1) * np.clip(objects[anchor, 0], 0, 1)))
            if score < threshold:
                continue
            row, column = divmod(anchor, width // stride)
            x, y = (column + boxes[anchor, 0]) * stride, (row + boxes[anchor, 1]) * stride
            w, h = np.exp(boxes[anchor, 2:]) * stride
            marks = (points[anchor].reshape(5, 2) + np.array([column, row])) * stride
            rows.append([x - w / 2, y - h / 2, w, h, *marks.ravel(), score])
    return np.array(rows)


@pytest.mark.weights
@pytest.mark.parametrize(("width", "height"), [(640, 640), (320, 416), (96, 160), (736, 512)])
def test_yunet_at_any_size_equals_opencvs_own_detector(width: int, height: int) -> None:
    record = catalogue()["face/yunet"]
    picture = cv2.imread(str(weights_path(catalogue()["example/person-a-1"])))
    scale = 0.9 * min(width / picture.shape[1], height / picture.shape[0])
    small = cv2.resize(picture, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    canvas = np.full((height, width, 3), 90, np.uint8)
    canvas[: small.shape[0], : small.shape[1]] = small
    detector = cv2.FaceDetectorYN.create(str(published(record)), "", (width, height), 0.6, 0.3, 50)
    _, theirs = detector.detect(canvas)
    assert theirs is not None
    session = open_session(record)
    names = [f"{kind}_{stride}" for kind in ("cls", "obj", "bbox", "kps") for stride in (8, 16, 32)]
    tensor = canvas.transpose(2, 0, 1)[None].astype(np.float32)
    ours = decode(session.run(names, {"input": tensor}), width, 0.6)
    best = ours[np.argmax(ours[:, -1])]
    assert np.allclose(best, theirs[np.argmax(theirs[:, -1])], atol=0.05, rtol=1e-4)
    both = session.run(names, {"input": np.concatenate([tensor[:, :, ::-1], tensor])})
    for batch, single in zip(both, session.run(names, {"input": tensor}), strict=True):
        assert np.abs(batch[1:] - single).max() < 1e-4


@pytest.mark.weights
def test_sessions_are_cached_and_interpreters_belong_to_their_thread() -> None:
    from concurrent.futures import ThreadPoolExecutor

    known = catalogue()
    assert open_session(known["face/yunet"], threads=1) is open_session(known["face/yunet"], threads=1)
    assert open_session(known["face/yunet"], threads=1) is not open_session(known["face/yunet"], threads=2)
    here = open_tflite(known["face/blendshapes"], threads=1)
    assert here is open_tflite(known["face/blendshapes"], threads=1)
    with ThreadPoolExecutor(1) as pool:
        there = pool.submit(open_tflite, known["face/blendshapes"], threads=1).result()
    assert there is not here


@pytest.mark.weights
def test_the_runtimes_greeting_does_not_reach_standard_error(capfd: pytest.CaptureFixture[str]) -> None:
    open_tflite(catalogue()["face/landmarks"], threads=1)
    assert "XNNPACK" not in capfd.readouterr().err
