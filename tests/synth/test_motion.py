"""A photograph that moves on its mesh: nothing moves at rest, movements go the way they are named, light adds up."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from samebody.synth.attacks.mesh import LEFT_EYE, OVAL, RIGHT_EYE
from samebody.synth.motion import REST, Gesture, Puppet, framed, gesture_of, screen_light

SIDE = 200


def mesh() -> NDArray[np.float64]:
    """478 points on half an ellipsoid, nearest in the middle, with outline, eyes and mouth where a face has them."""
    number = np.arange(478)
    radius, angle = np.sqrt((number + 0.5) / 478), number * math.pi * (3 - math.sqrt(5))
    x, y = radius * np.cos(angle), radius * np.sin(angle)

    def ring(points: tuple[int, ...], middle: tuple[float, float], size: tuple[float, float], begin: float) -> None:
        around = begin + 2 * math.pi * np.arange(len(points)) / len(points)
        x[list(points)] = middle[0] + size[0] * np.cos(around)
        y[list(points)] = middle[1] + size[1] * np.sin(around)

    ring(OVAL, (0, 0), (0.99, 0.99), -math.pi / 2)
    ring(RIGHT_EYE, (-0.4, -0.3), (0.16, -0.05), math.pi)
    ring(LEFT_EYE, (0.4, -0.3), (0.16, 0.05), 0)
    x[[61, 291]], y[[61, 291]] = (-0.35, 0.35), 0.5
    radius = np.minimum(1, np.hypot(x, y))
    return np.column_stack([100 + 45 * x, 100 + 60 * y, -45 * np.sqrt(1 - radius**2)])


def dotted() -> NDArray[np.uint8]:
    """Grey, with a bright dot where the face is nearest and one in a corner."""
    picture = np.full((SIDE, SIDE, 3), 90, np.uint8)
    picture[97:104, 97:104] = 255
    picture[4:9, 4:9] = 255
    return picture


def dot(picture: NDArray[np.uint8]) -> tuple[float, float]:
    """Where the middle's bright dot is."""
    ys, xs = np.nonzero(picture[20:, 20:, 0] > 200)
    assert len(xs)
    return float(xs.mean()) + 20, float(ys.mean()) + 20


@pytest.fixture(scope="module")
def puppet() -> Puppet:
    return Puppet(dotted(), mesh())


def test_at_rest_it_is_the_photograph(puppet: Puppet) -> None:
    assert (puppet.render(REST) == dotted()).all()


def test_the_nearest_point_goes_where_the_head_turns(puppet: Puppet) -> None:
    x, y = dot(puppet.render(REST))
    assert dot(puppet.render(gesture_of("turn_left", 1)))[0] > x + 10  # their left is on the picture's right
    assert dot(puppet.render(gesture_of("turn_right", 1)))[0] < x - 10
    assert dot(puppet.render(gesture_of("nod", 1)))[1] > y + 8
    turned = puppet.render(gesture_of("turn_left", 1))
    assert (turned[4:9, 4:9] == 255).all()  # the room stays where it is


def test_a_plane_turns_without_depth(puppet: Puppet) -> None:
    flat = puppet.render(gesture_of("turn_left", 1), flat=True)
    assert abs(dot(flat)[0] - dot(puppet.render(REST))[0]) < 1.5
    assert (flat != dotted()).any()


def test_coming_closer_enlarges(puppet: Puppet) -> None:
    bright = [puppet.render(gesture_of("closer", amount))[20:, 20:, 0].astype(int) - 90 for amount in (0, 0.5, 1)]
    light = [each.sum() for each in bright]
    assert light[0] * 1.2 < light[1] < light[2] / 1.2


@pytest.mark.parametrize("action", ["blink", "smile"])
def test_expressions_change_the_face_alone(action: str) -> None:
    grain = np.random.default_rng(0).integers(60, 200, (SIDE, SIDE, 3), np.uint8)  # whatever moves is seen
    changed = (Puppet(grain, mesh()).render(gesture_of(action, 1)) != grain).any(axis=2)
    ys, xs = np.nonzero(changed)
    assert len(xs) > 100
    assert np.abs(xs - 100).max() <= 1.3 * 45 + 1 and np.abs(ys - 100).max() <= 1.3 * 60 + 1  # the head, not the room


@settings(max_examples=15)
@given(st.floats(-35, 35), st.floats(-25, 25), st.floats(0, 1), st.floats(0, 1), st.floats(0.8, 1.4))
def test_any_gesture_gives_a_whole_picture(yaw: float, pitch: float, blink: float, smile: float, scale: float) -> None:
    made = Puppet(dotted(), mesh(), rest=-1).render(Gesture(yaw, pitch, blink, smile, scale, (2.0, -3.0)))
    assert made.shape == (SIDE, SIDE, 3) and made.dtype == np.uint8
    assert made.min() >= 0 and made.std() > 0


def test_light_adds_up_linearly_and_falls_on_what_is_near(puppet: Puppet) -> None:
    near = puppet.nearness()
    assert near[100, 100] > 0.9 and near[5, 5] < 0.1
    lit = screen_light(dotted(), near, (255, 0, 0), 0.5).astype(int)
    assert (screen_light(dotted(), near, (255, 0, 0), 0.0) == dotted()).all()
    assert lit[110, 110, 0] > 90 + 10 and lit[110, 110, 1] == lit[110, 110, 2] == 90
    assert lit[60, 3, 0] <= 92
    linear = ((90 / 255 + 0.055) / 1.055) ** 2.4 * (1 + 0.5 * near[110, 110])
    assert lit[110, 110, 0] == round(255 * (1.055 * linear ** (1 / 2.4) - 0.055))


def test_framing_brings_the_face_to_the_middle() -> None:
    pixels, points = framed(dotted(), mesh(), 96, 128, share=0.5)
    assert pixels.shape == (128, 96, 3)
    low, high = points[:, :2].min(axis=0), points[:, :2].max(axis=0)
    assert np.allclose((low + high) / 2, [48, 64]) and high[1] - low[1] == pytest.approx(64)


def test_what_is_no_mesh_or_no_action_is_refused() -> None:
    with pytest.raises(ValueError, match="478"):
        Puppet(dotted(), mesh()[:68])
    with pytest.raises(ValueError, match="wink"):
        gesture_of("wink", 1)
