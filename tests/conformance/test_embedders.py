"""What every embedder must do, bundled or your own: one suite over all records of the task."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from samebody.config import Settings, load_settings
from samebody.errors import EmbeddingSpaceMismatchError
from samebody.face import FaceAnalyser
from samebody.models import catalogue, weights_path
from samebody.models.errors import WeightsMissingError
from samebody.types import Image, Outcome

pytestmark = pytest.mark.weights

OWN = """
id = "own/tiny"
task = "face-embedding"
version = "1"
title = "A random projection, to show that a record is enough"
sha256 = "{sha256}"
bytes = {size}
format = "onnx"
filename = "tiny.onnx"

[[sources]]
kind = "file"
path = "tiny.onnx"

[input]
kind = "image"
width = 64
height = 64
colour = "bgr"
layout = "nchw"
mean = 127.5
scale = 0.0078125
alignment = "arcface-112"
batch = "one"

[output]
kind = "embedding"
dimensions = 32
normalised = false

[licence]
spdx = "Apache-2.0"
commercial_use = "yes"
why = "Random numbers made by this test."
notice = "Made by the tests of samebody."

[provenance]
origin = "the test suite"
training_data = "none: random numbers"
intended_use = "to test that a record is enough"
known_limits = ["It knows nothing about faces."]
"""


def own_record(folder: Path) -> None:
    """A record and a graph of one's own: a random projection of a 64x64 BGR crop to 32 numbers."""
    import hashlib

    weights = np.random.default_rng(8).normal(size=(3 * 64 * 64, 32)).astype(np.float32) / 64
    graph = helper.make_graph(
        [
            helper.make_node("Flatten", ["crop"], ["flat"]),
            helper.make_node("MatMul", ["flat", "weights"], ["features"]),
        ],
        "tiny",
        [helper.make_tensor_value_info("crop", TensorProto.FLOAT, [1, 3, 64, 64])],
        [helper.make_tensor_value_info("features", TensorProto.FLOAT, [1, 32])],
        [numpy_helper.from_array(weights, "weights")],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    data = model.SerializeToString()
    onnx.checker.check_model(model)
    (folder / "tiny.onnx").write_bytes(data)
    record = OWN.format(sha256=hashlib.sha256(data).hexdigest(), size=len(data))
    (folder / "tiny.toml").write_text(record, encoding="utf-8")


@pytest.fixture(scope="module")
def settings(tmp_path_factory) -> Settings:
    folder = tmp_path_factory.mktemp("records")
    own_record(folder)
    return load_settings(records_dirs=(*load_settings().records_dirs, folder))


def embedder_ids() -> list[str]:
    return [*(record.id for record in catalogue().of_task("face-embedding")), "own/tiny"]


@pytest.fixture(scope="module", params=embedder_ids())
def analyser(request, settings) -> FaceAnalyser:
    try:
        for name in ("face/yunet", request.param):
            weights_path(catalogue(settings)[name], settings)
    except WeightsMissingError as error:
        pytest.skip(f"{error.message} {error.hint}")
    return FaceAnalyser(settings, embedder=request.param)


@pytest.fixture(scope="module")
def astronaut() -> Image:
    from tests.face.conftest import example

    return example("astronaut")


def crops(analyser: FaceAnalyser, count: int) -> np.ndarray:
    contract = analyser.embedder.image_input
    random = np.random.default_rng(count)
    return random.integers(0, 256, (count, contract.height, contract.width, 3)).astype(np.uint8)


def test_a_template_is_deterministic(analyser, astronaut):
    one, two = analyser.template(astronaut).template, analyser.template(astronaut).template
    assert np.array_equal(one.vector, two.vector)


@pytest.mark.parametrize("count", [1, 2, 5])
def test_a_batch_is_what_one_at_a_time_gives(analyser, count):
    batch = crops(analyser, count)
    together = np.stack([template.vector for template in analyser.embed_batch(batch)])
    alone = np.stack([analyser.embed(crop).vector for crop in batch])
    assert np.abs(together - alone).max() < 1e-5


def test_templates_are_finite_unit_vectors_of_the_declared_length(analyser, astronaut):
    extremes = np.stack([np.zeros_like(crops(analyser, 1)[0]) + value for value in (0, 128, 255)]).astype(np.uint8)
    for template in (*analyser.embed_batch(extremes), analyser.template(astronaut).template):
        assert template.vector.dtype == np.float32
        assert template.vector.shape == (analyser.embedder.embedding_output.dimensions,)
        assert np.isfinite(template.vector).all()
        assert np.linalg.norm(template.vector) == pytest.approx(1.0, abs=1e-5)


def test_the_space_is_that_of_the_record(analyser, astronaut):
    assert analyser.template(astronaut).template.space == analyser.embedder.embedding_space()


@pytest.mark.parametrize(
    "pixels",
    [
        np.zeros((1, 1, 3), np.uint8),
        np.full((300, 200, 3), 255, np.uint8),
        np.zeros((20, 4000, 3), np.uint8),
        np.full((4200, 6000, 3), 77, np.uint8),
    ],
    ids=["one pixel", "blank", "a strip", "huge"],
)
def test_a_picture_without_a_face_is_a_finding_not_an_exception(analyser, pixels):
    for analysis in (analyser.template(Image(pixels)), analyser.analyse(Image(pixels))):
        assert analysis.template is None
        assert analysis.chosen is None
        assert analysis.findings[0].check == "selfie.face"
        assert analysis.findings[0].outcome is Outcome.FAIL
        assert analysis.findings[0].reasons[0].code == "face.none"


def test_the_picture_is_not_changed(analyser, astronaut):
    before = astronaut.pixels.copy()
    analyser.template(astronaut)
    assert np.array_equal(before, astronaut.pixels)


def test_templates_of_two_embedders_are_never_compared(settings, astronaut):
    try:
        one = FaceAnalyser(settings).template(astronaut).template
        two = FaceAnalyser(settings, embedder="own/tiny").template(astronaut).template
    except WeightsMissingError as error:
        pytest.skip(f"{error.message} {error.hint}")
    with pytest.raises(EmbeddingSpaceMismatchError):
        one.require_same_space(two)


def test_a_record_of_your_own_gives_its_reference_vector(settings, astronaut):
    """Colour order, scale and size come from the record alone: the same numbers computed by hand."""
    try:
        analyser = FaceAnalyser(settings, embedder="own/tiny")
        face = analyser.detect(astronaut)[0]
    except WeightsMissingError as error:
        pytest.skip(f"{error.message} {error.hint}")
    crop = analyser.align(astronaut, face)
    assert crop.shape == (64, 64, 3)
    weights = np.random.default_rng(8).normal(size=(3 * 64 * 64, 32)).astype(np.float32) / 64
    tensor = (crop[..., ::-1].astype(np.float64).transpose(2, 0, 1) - 127.5) * 0.0078125
    reference = tensor.reshape(-1) @ weights
    assert np.abs(analyser.embed(crop).vector - reference / np.linalg.norm(reference)).max() < 1e-5
