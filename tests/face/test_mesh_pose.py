from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from samebody.face import geometry, topology
from samebody.face.pose import POSE_POINTS, head_pose, reference_head
from samebody.types import Image

angles = st.floats(-60, 60)


def rotation(yaw: float, pitch: float, roll: float) -> np.ndarray:
    """Written out anew from the definition: Rz(roll) Ry(yaw) Rx(pitch), right-handed, y up, z to the camera."""
    y, p, r = np.radians([yaw, pitch, roll])
    about_x = np.array([[1, 0, 0], [0, np.cos(p), -np.sin(p)], [0, np.sin(p), np.cos(p)]])
    about_y = np.array([[np.cos(y), 0, np.sin(y)], [0, 1, 0], [-np.sin(y), 0, np.cos(y)]])
    about_z = np.array([[np.cos(r), -np.sin(r), 0], [np.sin(r), np.cos(r), 0], [0, 0, 1]])
    return about_z @ about_y @ about_x


def head(yaw: float, pitch: float, roll: float) -> np.ndarray:
    """A (478, 3) mesh in picture coordinates of the reference head, posed."""
    points = np.zeros((478, 3))
    points[list(POSE_POINTS)] = (reference_head() @ rotation(yaw, pitch, roll).T) * [1, -1, -1] * 80 + [300, 200, 0]
    return points


@given(angles, angles, st.floats(-179, 179))
def test_pose_of_a_posed_head_is_recovered(yaw, pitch, roll):
    assert head_pose(head(yaw, pitch, roll)) == pytest.approx((yaw, pitch, roll), abs=1e-4)


def test_signs_follow_the_standard():
    nose = POSE_POINTS.index(topology.NOSE_TIP)

    def nose_moves(yaw: float, pitch: float) -> np.ndarray:
        turned = reference_head() @ rotation(yaw, pitch, 0).T
        return turned[nose] - reference_head()[nose]

    assert nose_moves(20, 0)[0] > 0  # to the subject's left, which is the right of the picture
    assert nose_moves(0, 20)[1] < 0  # down
    crown = rotation(0, 0, 20) @ np.array([0, 1, 0])
    assert crown[0] < 0  # toward the subject's right shoulder: to the left of the picture, counter-clockwise


def test_the_reference_head_is_mirror_symmetric():
    points = dict(zip(POSE_POINTS, reference_head(), strict=True))
    for right, left in topology.MIRROR_PAIRS:
        assert points[right] == pytest.approx(points[left] * [-1, 1, 1], abs=2e-4)
    assert points[topology.NOSE_TIP][2] > points[33][2]  # the nose is nearer to the camera than the eyes
    assert points[topology.FOREHEAD][1] > points[topology.NOSE_TIP][1]


pytestmark = pytest.mark.weights


@pytest.fixture(scope="module")
def meshes(analyser, portraits):
    return [(image, analyser.mesh(image, analyser.detect(image)[0])) for image in portraits]


def test_the_mesh_lies_on_the_landmarks(analyser, meshes):
    for image, mesh in meshes:
        face = analyser.detect(image)[0]
        assert mesh.points.shape == (478, 3)
        assert mesh.points.dtype == np.float32
        right = mesh.points[list(topology.RIGHT_EYE_CORNERS), :2].mean(axis=0)
        left = mesh.points[list(topology.LEFT_EYE_CORNERS), :2].mean(axis=0)
        for found, landmark in ((right, face.landmarks[0]), (left, face.landmarks[1])):
            assert np.linalg.norm(found - landmark) < 0.2 * face.inter_eye_distance
        assert mesh.presence > 0.9


def test_blendshapes_have_their_52_names_and_range(meshes):
    for _, mesh in meshes:
        assert len(mesh.blendshapes) == 52
        assert {"eyeBlinkLeft", "jawOpen", "mouthSmileRight", "_neutral"} <= set(mesh.blendshapes)
        assert all(-1e-3 <= value <= 1.001 for value in mesh.blendshapes.values())


def test_a_smile_is_seen(analyser, portrait):
    mesh = analyser.mesh(portrait, analyser.detect(portrait)[0])
    assert min(mesh.blendshapes["mouthSmileLeft"], mesh.blendshapes["mouthSmileRight"]) > 0.5
    assert mesh.blendshapes["eyeBlinkLeft"] < 0.4


def test_a_mirrored_picture_flips_yaw_and_roll_and_keeps_pitch(analyser, meshes):
    for image, mesh in meshes:
        mirrored = Image(np.ascontiguousarray(image.pixels[:, ::-1]))
        other = analyser.mesh(mirrored, analyser.detect(mirrored)[0])
        assert other.yaw == pytest.approx(-mesh.yaw, abs=4)
        assert other.roll == pytest.approx(-mesh.roll, abs=3)
        assert other.pitch == pytest.approx(mesh.pitch, abs=4)


@pytest.mark.parametrize("degrees", [-30, -12, 12, 30])
def test_turning_the_picture_adds_to_roll_alone(analyser, meshes, degrees):
    for image, mesh in meshes:
        matrix, size = geometry.turned(image.width, image.height, degrees)
        turned = Image(geometry.warp(image.pixels, geometry.corner_to_index(matrix), size))
        face = max(analyser.detect(turned), key=lambda face: face.confidence)
        other = analyser.mesh(turned, face)
        assert other.roll - mesh.roll == pytest.approx(degrees, abs=4)
        assert other.yaw == pytest.approx(mesh.yaw, abs=6)
        assert other.pitch == pytest.approx(mesh.pitch, abs=6)


def test_the_mesh_follows_size_and_place(analyser, portrait):
    mesh = analyser.mesh(portrait, analyser.detect(portrait)[0])
    padded = Image(np.pad(portrait.pixels, ((70, 20), (130, 40), (0, 0)), mode="edge"))
    moved = analyser.mesh(padded, analyser.detect(padded)[0])
    distance = np.linalg.norm(moved.points[:, :2] - [130, 70] - mesh.points[:, :2], axis=1)
    eyes = np.linalg.norm(mesh.points[33, :2] - mesh.points[263, :2])
    assert np.median(distance) < 0.03 * eyes


def test_a_crop_without_a_face_has_no_mesh(analyser, portrait):
    face = analyser.detect(portrait)[0]
    assert analyser.mesh(Image(np.full_like(portrait.pixels, 127)), face) is None


def test_the_mesh_is_deterministic(analyser, portrait):
    face = analyser.detect(portrait)[0]
    one, two = analyser.mesh(portrait, face), analyser.mesh(portrait, face)
    assert np.array_equal(one.points, two.points)
    assert one.blendshapes == two.blendshapes
