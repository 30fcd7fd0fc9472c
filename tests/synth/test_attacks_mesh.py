"""Warps between meshes, blending by gradients, views: each against a plain oracle."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.sparse import lil_matrix
from scipy.sparse.linalg import spsolve

from samebody.synth.attacks import AttackInputError, masks, mesh, misfit, swap
from samebody.synth.attacks.light import to_light
from samebody.synth.attacks.record import Draw, generator
from samebody.synth.attacks.view import draw_view
from tests.synth.attack_pictures import drawn_face

FACE, OTHER = drawn_face(1), drawn_face(2)


def test_a_warp_on_itself_changes_nothing():
    points = FACE.mesh()[list(mesh.ANCHORS)]
    x, y, inside = mesh.warp_maps(points, points, mesh.triangles(points), FACE.size)
    column, row = np.meshgrid(np.arange(128) + 0.5, np.arange(128) + 0.5)
    assert np.abs(x - column)[inside > 0].max() < 0.01
    assert np.abs(y - row)[inside > 0].max() < 0.01
    light = to_light(FACE.pixels)
    assert np.abs(mesh.warped(light, (x, y, inside)) - light)[inside > 0].max() < 0.01


def test_a_warp_takes_points_to_points():
    target, origin = FACE.mesh()[list(mesh.ANCHORS)], OTHER.mesh()[list(mesh.ANCHORS)]
    simplices = mesh.triangles(target)
    x, y, inside = mesh.warp_maps(target, origin, simplices, FACE.size)
    for triangle in simplices[::7]:
        centre, wanted = target[triangle].mean(axis=0), origin[triangle].mean(axis=0)
        column, row = int(centre[0]), int(centre[1])
        near = np.array([x[row, column], y[row, column]])
        size = np.abs(np.linalg.det(np.column_stack([target[triangle], np.ones(3)])))
        if inside[row, column] and size > 30:  # else the pixel's centre lies in a neighbour
            assert np.abs(near - wanted).max() < 3.0


@settings(max_examples=20)
@given(scale=st.floats(0.5, 2), angle=st.floats(-0.5, 0.5), dx=st.floats(-20, 20), dy=st.floats(-20, 20))
def test_a_fitted_similarity_is_found_again(scale, angle, dx, dy):
    points = FACE.mesh()[list(mesh.ANCHORS)]
    turn = scale * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    moved = points @ turn.T + [dx, dy]
    for shear in (True, False):
        found = mesh.fitted_affine(points, moved, shear=shear)
        assert np.allclose(found, np.column_stack([turn, [dx, dy]]), atol=1e-6)


def test_misfit_ignores_place_and_size_and_grows_with_pose():
    points = FACE.mesh()
    assert misfit(points, points * 1.7 + 30) < 1e-6
    turned = points.copy()
    inner = np.setdiff1d(np.arange(478), mesh.OVAL)
    values = []
    for shift in (3, 8, 15):
        turned[inner, 0] = points[inner, 0] + shift
        values.append(misfit(points, turned))
    assert 0 < values[0] < values[1] < values[2]


def test_flat_meshes_are_refused():
    line = np.column_stack([np.arange(30.0), np.arange(30.0)])
    with pytest.raises(AttackInputError, match="flat"):
        mesh.triangles(line)


def test_blending_by_gradients_agrees_with_a_direct_solution():
    """The oracle solves Laplace's equation for the difference on a small grid exactly."""
    random = np.random.default_rng(0)
    side = 24
    y, x = np.mgrid[0:side, 0:side]
    face = np.repeat((100 + 30 * np.sin(x / 3) + 20 * np.cos(y / 4))[..., None], 3, axis=2).astype(np.uint8)
    around = np.clip(face + 40 + (x * 2)[..., None] + random.integers(-2, 3, face.shape), 0, 255).astype(np.uint8)
    where = np.zeros((side, side), np.uint8)
    where[6:18, 5:19] = 1
    made = swap.solve_gradients(face, around, where)
    assert np.array_equal(made[where == 0], around[where == 0])
    inside = np.argwhere(where)
    number = {tuple(point): k for k, point in enumerate(inside)}
    matrix, right = lil_matrix((len(inside), len(inside))), np.zeros((len(inside), 3))
    difference = around.astype(float) - face
    for point, k in number.items():
        matrix[k, k] = 4
        for step in ((0, 1), (1, 0), (0, -1), (-1, 0)):
            near = (point[0] + step[0], point[1] + step[1])
            if near in number:
                matrix[k, number[near]] = -1
            else:
                right[k] += difference[near]
    exact = spsolve(matrix.tocsr(), right)
    wanted = face[where == 1] + exact
    assert np.abs(made[where == 1] - wanted).mean() < 3.0
    assert np.abs(made[where == 1].astype(float) - face[where == 1]).mean() > 20  # it did change


def test_colour_transfer_meets_mean_and_spread():
    weight = np.ones(FACE.size, np.float32)
    one, two = to_light(FACE.pixels), to_light(OTHER.pixels)
    changed = np.sqrt(mesh.colour_like(one, two, weight, 1.0))
    assert np.allclose(changed.mean(axis=(0, 1)), np.sqrt(two).mean(axis=(0, 1)), atol=0.03)
    assert np.array_equal(mesh.colour_like(one, two, weight, 0.0), np.square(np.clip(np.sqrt(one), 0, 1)))


def test_polygons_cover_their_area():
    points = np.array([(20.0, 20), (90, 20), (90, 70), (20, 70)])
    covered = float(mesh.polygon_mask(points, (100, 120)).sum())
    assert 70 * 50 <= covered <= 72 * 52
    soft = mesh.polygon_mask(points, (100, 120), 3.0)
    assert 0 < soft[20, 50] < 1


def test_paper_is_opaque_and_eyes_stay_when_they_are_cut_out():
    class Cut(Draw):
        def flag(self, name, share):
            super().flag(name, share)
            return name == "eyes_cut"

    own = to_light(FACE.pixels)
    worn = masks.wrapped(FACE, OTHER, 0.8, Cut(generator(2)))
    eye = FACE.mesh()[list(mesh.RIGHT_EYE)].mean(axis=0).astype(int)
    cheek = FACE.mesh()[4].astype(int)
    at_eye = np.s_[eye[1] - 1 : eye[1] + 2, eye[0] - 1 : eye[0] + 2]
    at_nose = np.s_[cheek[1] - 3 : cheek[1] + 4, cheek[0] - 3 : cheek[0] + 4]
    assert np.abs(worn[at_nose] - own[at_nose]).mean() > 0.02
    assert np.abs(np.sqrt(worn[at_eye]) - np.sqrt(own[at_eye])).mean() < 0.15


@settings(max_examples=30)
@given(seed=st.integers(0, 10**6), framing=st.sampled_from(["tight", "scene"]))
def test_views_map_forth_and_back_and_tight_ones_stay_on_the_picture(seed, framing):
    view = draw_view(Draw(generator(seed)), (100, 120), (80, 90), framing)
    sx, sy = view.grid()
    row, column = 31, 57
    lifted = view.homography @ [sx[row, column], sy[row, column], 1]
    assert np.allclose(lifted[:2] / lifted[2], [column + 0.5, row + 0.5], atol=1e-2)
    numeric = np.array(
        [[sx[40, 46] - sx[40, 44], sx[41, 45] - sx[39, 45]], [sy[40, 46] - sy[40, 44], sy[41, 45] - sy[39, 45]]]
    )
    assert np.allclose(view.jacobian(), numeric / 2, rtol=0.05, atol=0.02)
    if framing == "tight":
        outside = max(-sx.min(), -sy.min(), sx.max() - 120, sy.max() - 100)
        assert outside < 6
