from __future__ import annotations

import subprocess
import sys
from typing import Any

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from samebody.errors import SamebodyError
from samebody.iris import IrisPipeline, Segmentation
from samebody.iris.network import MAPS, NetworkSegmenter
from samebody.iris.pipeline import bundled_text
from samebody.iris.results import EyeImage
from samebody.synth.iris.lids import opening
from samebody.types import Outcome
from tests.iris.eyes import PLAIN, between_lids, radial_error, synthetic


def truth_maps(eye: Any) -> np.ndarray:
    """What a perfect network would answer, at half the size and back."""
    height, width = eye.image.shape
    found = []
    for points in (eye.truth.pupil, eye.truth.limbus):
        canvas = np.zeros((4 * height, 4 * width), dtype=np.uint8)
        cv2.fillPoly(canvas, [np.round((4 * points - 0.5) * 16).astype(np.int32)], 255, shift=4)
        found.append(canvas)
    between = opening(eye.truth.upper_lid, eye.truth.lower_lid, width, height)
    found += [between, (eye.truth.lashes | eye.truth.specular).astype(np.float32)]
    small = [cv2.resize(one, (width // 2, height // 2), interpolation=cv2.INTER_AREA) for one in found]
    scaled = [one.astype(np.float32) / (255.0 if one.dtype == np.uint8 else 1.0) for one in small]
    return np.stack([cv2.resize(one, (width, height), interpolation=cv2.INTER_LINEAR) for one in scaled])


def segmented(monkeypatch: pytest.MonkeyPatch, eye: Any, **parameters: Any) -> Segmentation | None:
    monkeypatch.setattr(NetworkSegmenter, "_maps", lambda self, grey: truth_maps(eye))
    height, width = eye.image.shape
    return NetworkSegmenter(**parameters).run(EyeImage(eye.image, 1.0, width, height))


@pytest.mark.parametrize("edge", ["map", "picture"])
@pytest.mark.parametrize("person", [1, 2, 3, 4])
def test_contours_read_off_perfect_maps_lie_on_the_truth(
    monkeypatch: pytest.MonkeyPatch, edge: str, person: int
) -> None:
    eye = synthetic(person)
    found = segmented(monkeypatch, eye, pupil_edge=edge, limbus_edge=edge)
    assert found is not None
    for contour, truth in ((found.pupil, eye.truth.pupil), (found.limbus, eye.truth.limbus)):
        error = radial_error(contour, truth, between_lids(eye, truth))
        assert np.median(error) < 0.9, np.median(error)


@settings(max_examples=15, deadline=None)
@given(openness=st.floats(0.6, 1.1), dilation=st.floats(0.2, 0.6), radius=st.floats(35, 80), person=st.integers(1, 5))
def test_the_visible_iris_is_nearly_the_true_one(openness: float, dilation: float, radius: float, person: int) -> None:
    with pytest.MonkeyPatch.context() as patch:
        eye = synthetic(person, 0, PLAIN.with_(openness=openness, dilation=dilation, radius=radius))
        found = segmented(patch, eye, pupil_edge="map", limbus_edge="map", hidden="map")
        if eye.truth.visible.sum() < 0.25 * eye.truth.iris.sum():
            return
        assert found is not None
        ring = np.zeros(eye.image.shape, dtype=np.uint8)
        cv2.fillPoly(ring, [np.round((found.limbus.points - 0.5) * 16).astype(np.int32)], 1, shift=4)
        cv2.fillPoly(ring, [np.round((found.pupil.points - 0.5) * 16).astype(np.int32)], 0, shift=4)
        shown = (ring > 0) & ~found.occlusion
        overlap = (shown & eye.truth.visible).sum() / (shown | eye.truth.visible).sum()
        assert overlap > 0.8


def test_maps_without_an_iris_give_none(monkeypatch: pytest.MonkeyPatch) -> None:
    eye = synthetic(1)
    image = EyeImage(eye.image, 1.0, 320, 240)
    for maps in (np.zeros((4, 240, 320), np.float32), np.full((4, 240, 320), 0.3, np.float32)):
        monkeypatch.setattr(NetworkSegmenter, "_maps", lambda self, grey, maps=maps: maps)
        assert NetworkSegmenter().run(image) is None


def test_only_the_piece_with_the_most_probability_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    eye = synthetic(1)
    maps = truth_maps(eye)
    maps[:2, :12, :12] = 1.0  # a second, smaller iris in the corner
    monkeypatch.setattr(NetworkSegmenter, "_maps", lambda self, grey: maps)
    found = NetworkSegmenter(limbus_edge="map").run(EyeImage(eye.image, 1.0, 320, 240))
    assert found is not None
    assert np.hypot(*(np.array(found.limbus.centre) - eye.truth.limbus.mean(axis=0))) < 3


def test_a_map_order_is_stated_once() -> None:
    pictures = pytest.importorskip("samebody.lab.train.iris_segment_pictures")
    assert pictures.MAPS == MAPS


# ------------------------------------------------------------------------------------------------ the shipped network

TEXT = bundled_text("network")


@pytest.mark.parametrize("person", [11, 12, 13])
def test_the_shipped_network_finds_synthetic_eyes_it_never_saw(person: int) -> None:
    eye = synthetic(person)
    encoding = IrisPipeline.load("network").encode(eye.image, "left")
    assert encoding.template is not None and encoding.segmentation is not None
    error = radial_error(encoding.segmentation.limbus, eye.truth.limbus, between_lids(eye, eye.truth.limbus))
    assert np.median(error) < 2.0


def test_pictures_of_other_sizes_and_shapes_are_framed_and_brought_back() -> None:
    eye = synthetic(11)
    pipeline = IrisPipeline.load("network")
    first = pipeline.encode(eye.image).segmentation
    assert first is not None
    doubled = cv2.resize(eye.image, (640, 480), interpolation=cv2.INTER_CUBIC)
    wide = cv2.copyMakeBorder(eye.image, 0, 0, 0, 160, cv2.BORDER_REPLICATE)
    tall = cv2.copyMakeBorder(eye.image, 0, 200, 0, 0, cv2.BORDER_REPLICATE)
    for picture, scale in ((doubled, 2.0), (wide, 1.0), (tall, 1.0)):
        found = pipeline.encode(picture).segmentation
        assert found is not None and found.occlusion.shape == picture.shape
        for one, other in ((first.pupil, found.pupil), (first.limbus, found.limbus)):
            assert np.hypot(*(np.array(one.centre) - np.array(other.centre) / scale)) < 2.0
            assert other.radius / scale == pytest.approx(one.radius, rel=0.05)


def test_a_picture_without_an_eye_is_a_finding() -> None:
    for picture in (np.full((240, 320), 128, np.uint8), np.zeros((480, 640), np.uint8)):
        encoding = IrisPipeline.load("network").encode(picture)
        assert encoding.template is None
        assert encoding.findings[0].outcome is Outcome.FAIL


def test_the_network_is_part_of_the_embedding_space(monkeypatch: pytest.MonkeyPatch) -> None:
    own = IrisPipeline.load("network").space.digest
    assert own != IrisPipeline.load("default").space.digest
    other = TEXT.replace("network_segmenter\n", "network_segmenter\n    parameters: {hidden: map}\n")
    assert IrisPipeline.parse(other).space.digest != own
    assert IrisPipeline.parse(TEXT).space.digest == own
    monkeypatch.setattr(NetworkSegmenter, "pins", lambda self: {"record": "iris/segment@1", "weights": "0" * 64})
    assert IrisPipeline.parse(TEXT).space.digest != own


def test_a_record_that_is_no_segmenter_is_refused_when_the_file_is_read() -> None:
    for record in ("document/mrz-cells", "iris/default", "iris/nothing"):
        text = TEXT.replace("network_segmenter\n", f"network_segmenter\n    parameters: {{record: {record}}}\n")
        with pytest.raises(SamebodyError, match=record):
            IrisPipeline.parse(text)


def test_pipelines_without_a_network_do_not_bring_its_runtime() -> None:
    code = (
        "import sys; from samebody.iris import IrisPipeline; IrisPipeline.load('default');"
        "print('onnxruntime' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
