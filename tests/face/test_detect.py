from __future__ import annotations

import math

import cv2
import numpy as np
import pytest

from samebody.errors import ConfigError
from samebody.face import geometry, yunet
from samebody.face.detect import FaceDetector
from samebody.models import catalogue, open_session
from samebody.types import Box, Image

pytestmark = pytest.mark.weights


def quiet(values: np.ndarray) -> dict[str, np.ndarray]:
    """Outputs of a network that sees nothing, for an input tensor."""
    _, _, height, width = values.shape
    outputs = {}
    for stride in yunet.STRIDES:
        cells = (height // stride) * (width // stride)
        for kind, channels in (("cls", 1), ("obj", 1), ("bbox", 4), ("kps", 10)):
            outputs[f"{kind}_{stride}"] = np.zeros((1, cells, channels), np.float32)
    return outputs


def overlap(one: Box, two: Box) -> float:
    return one.intersection_over_union(two)


def test_decoding_follows_the_cell_stride_and_offset():
    tensor = np.zeros((1, 3, 64, 96), np.float32)
    outputs = quiet(tensor)
    cell = 2 * (96 // 16) + 3  # row 2, column 3 of the grid with stride 16
    outputs["cls_16"][0, cell], outputs["obj_16"][0, cell] = 0.81, 1.0
    outputs["bbox_16"][0, cell] = (0.5, 0.25, math.log(2), math.log(3))
    outputs["kps_16"][0, cell] = np.arange(10) / 10
    found = yunet.decode(outputs, 96, 0.6)
    assert found.scores == pytest.approx([0.9])
    assert found.boxes[0] == pytest.approx([3.5 * 16 - 16, 2.25 * 16 - 24, 32, 48])
    assert found.landmarks[0, 1] == pytest.approx([(3 + 0.2) * 16, (2 + 0.3) * 16])


def test_suppression_agrees_with_a_naive_one():
    random = np.random.default_rng(3)
    boxes = np.hstack([random.uniform(0, 60, (40, 2)), random.uniform(5, 40, (40, 2))])
    candidates = yunet.Candidates(boxes, np.zeros((40, 5, 2)), random.uniform(0, 1, 40))
    kept = yunet.suppress(candidates, 0.3)
    naive: list[int] = []
    for index in np.argsort(-candidates.scores):
        if all(overlap(Box(*boxes[index]), Box(*boxes[other])) <= 0.3 for other in naive):
            naive.append(int(index))
    assert np.array_equal(kept.boxes, boxes[naive])


def test_an_empty_picture_has_no_face_and_no_exception():
    detector = FaceDetector(quiet)
    assert detector.detect(np.zeros((1, 1, 3), np.uint8)) == ()
    assert detector.detect(np.full((40, 3000, 3), 255, np.uint8)) == ()


def test_unknown_parameters_are_refused():
    with pytest.raises(ConfigError, match="working"):
        FaceDetector(quiet, working=3)


def opencv_faces(pixels: np.ndarray, threshold: float, path: str) -> np.ndarray:
    detector = cv2.FaceDetectorYN.create(path, "", (pixels.shape[1], pixels.shape[0]), threshold, 0.3, 5000)
    found = detector.detect(np.ascontiguousarray(pixels[..., ::-1]))[1]
    return np.zeros((0, 15)) if found is None else found


@pytest.mark.parametrize("threshold", [0.6, 0.8])
@pytest.mark.parametrize("size", [(512, 512), (640, 480), (333, 501)])
def test_decoding_agrees_with_opencv(analyser, astronaut, monkeypatch, tmp_path, threshold, size):
    # OpenCV runs the same derived weights; both look once, at the picture's own size
    from samebody.models import weights_path

    pixels = np.asarray(cv2.resize(astronaut.pixels, size, interpolation=cv2.INTER_AREA))
    path = weights_path(catalogue()["face/yunet"])
    theirs = opencv_faces(pixels, threshold, str(path))
    ours = FaceDetector(analyser.networks.detector_outputs, threshold=threshold, working_side=4096, turns=False).detect(
        pixels
    )
    assert len(theirs) >= 1
    assert len(ours) == len(theirs)
    for face in ours:
        gaps = [np.abs(row[:4] - [face.box.x, face.box.y, face.box.width, face.box.height]).max() for row in theirs]
        row = theirs[int(np.argmin(gaps))]
        assert min(gaps) < 1.0
        assert np.abs(row[4:14].reshape(5, 2) - face.landmark_array()).max() < 1.0
        assert abs(row[14] - face.confidence) < 1e-3


@pytest.mark.parametrize("side", [160, 300, 1100, 3000])
def test_the_same_face_is_found_at_any_size(analyser, astronaut, side):
    pixels = np.asarray(cv2.resize(astronaut.pixels, (side, side), interpolation=cv2.INTER_AREA))
    reference = analyser.detect(astronaut)[0]
    face = analyser.detect(Image(pixels))[0]
    scaled = face.landmark_array() * 512 / side
    assert np.abs(scaled - reference.landmark_array()).max() < max(0.15, 75 / side) * reference.inter_eye_distance


def test_a_small_face_in_a_large_picture_gets_a_second_look(analyser, astronaut):
    pixels = np.full((2600, 3600, 3), 90, np.uint8)
    pixels[900:1412, 2000:2512] = astronaut.pixels
    once = FaceDetector(analyser.networks.detector_outputs, full_side=480, turns=False).detect(pixels)
    faces = analyser.detect(Image(pixels))
    assert len(faces) == 1
    assert faces[0].box.x == pytest.approx(2181, abs=15)
    assert faces[0].box.y == pytest.approx(966, abs=15)
    assert not once or once[0].confidence < faces[0].confidence


def test_a_face_that_fills_the_frame_is_found(analyser, astronaut):
    box = analyser.detect(astronaut)[0].box
    crop = astronaut.pixels[int(box.y) : int(box.y + box.height), int(box.x) : int(box.x + box.width)]
    large = np.asarray(cv2.resize(crop, None, fx=10, fy=10))
    face = analyser.detect(Image(large))[0]
    assert face.box.intersection_over_union(Box(0, 0, large.shape[1], large.shape[0])) > 0.6


@pytest.mark.parametrize("degrees", [0, 25, 45, 60, 90, 110, 135, 150, 180, 205, 225, 250, 270, 300, 315, 340])
def test_a_turned_face_is_found_where_it_is(analyser, portraits, degrees):
    for image in portraits[:2]:
        reference = analyser.detect(image)[0]
        matrix, size = geometry.turned(image.width, image.height, degrees)
        turned = Image(geometry.warp(image.pixels, geometry.corner_to_index(matrix), size))
        expected = geometry.apply(matrix, reference.landmark_array())
        faces = analyser.detect(turned)
        best = max(faces, key=lambda face: face.confidence)
        # an eye mistaken for the other, or for a mouth corner, would be off by a whole eye distance
        assert np.abs(best.landmark_array() - expected).max() < 0.6 * reference.inter_eye_distance
        tilt = (best.roll_degrees - reference.roll_degrees - degrees + 180) % 360 - 180
        assert abs(tilt) < 40


@pytest.mark.parametrize("side", [80, 150, 320])
@pytest.mark.parametrize("degrees", [-30, -20, -10, 10, 20, 30, 45])
def test_the_eye_line_follows_the_tilt_of_a_face_of_any_size(analyser, portraits, side, degrees):
    for image in portraits[:2]:
        original = analyser.detect(image)[0]
        scale = side / max(original.box.width, original.box.height)
        size = (round(image.width * scale), round(image.height * scale))
        small = Image(np.asarray(cv2.resize(image.pixels, size, interpolation=cv2.INTER_AREA)))
        reference = analyser.detect(small)[0]
        matrix, size = geometry.turned(small.width, small.height, degrees)
        turned = Image(geometry.warp(small.pixels, geometry.corner_to_index(matrix), size))
        face = max(analyser.detect(turned), key=lambda face: face.confidence)
        expected = geometry.apply(matrix, reference.landmark_array())
        assert abs((face.roll_degrees - reference.roll_degrees - degrees + 180) % 360 - 180) < 12
        assert np.abs(face.landmark_array() - expected).max() < 0.25 * reference.inter_eye_distance


def test_exact_quarter_turns_report_their_rotation(analyser, portrait):
    for quarters in (1, 2, 3):
        turned = Image(np.ascontiguousarray(np.rot90(portrait.pixels, quarters)))
        face = max(analyser.detect(turned), key=lambda face: face.confidence)
        assert face.rotation_degrees == pytest.approx((-90.0 * quarters) % 360, abs=46)


def test_detection_is_deterministic(analyser, astronaut):
    assert analyser.detect(astronaut) == analyser.detect(astronaut)


def test_the_derived_graph_takes_any_multiple_of_32(analyser):
    session = open_session(catalogue()["face/yunet"])
    for height, width in ((32, 32), (96, 320), (512, 64)):
        outputs = session.run(None, {"input": np.zeros((1, 3, height, width), np.float32)})
        assert outputs[0].shape[1] == height * width // 64
