"""Every family: the same seed gives the same bytes, labels tell the truth, strength grows from nothing."""

from __future__ import annotations

import json
from dataclasses import replace

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from samebody.errors import SamebodyError
from samebody.synth.attacks import (
    BONA_FIDE,
    AttackInputError,
    AttackLabel,
    AttackUnknownError,
    Source,
    attack,
    bona_fide,
    families,
    mesh,
    pair,
)
from samebody.synth.attacks import make as making
from samebody.synth.attacks.capture import CaptureChain
from samebody.synth.attacks.record import Draw, generator
from samebody.synth.attacks.scene import bona_fide_light
from tests.synth.attack_pictures import drawn_face

ALL = [(species, family) for species, many in families().items() for family in many]
FACE, OTHER = drawn_face(1), drawn_face(2)
IDENTITY_CHANGES = ("face_swap", "morph")


def light_of(species: str, family: str, seed: int, strength: float, face: Source = FACE) -> np.ndarray:
    """Light before exposure, in the generator's own frame."""
    draw = Draw(generator(seed, "instrument", species, family))
    if species in making.RECAPTURED:
        scene = making._scene(face, species, family, seed, "tight", None, True)
        return making.RECAPTURED[species][family](scene, strength, draw)
    table = making.WORN if species in making.WORN else making.DIGITAL
    return table[species][family](face, OTHER, strength, draw)


def plain_light(species: str, family: str, seed: int, face: Source = FACE) -> np.ndarray:
    scene = making._scene(face, species, family, seed, "tight", None, True)
    return bona_fide_light(scene) if species in making.RECAPTURED else scene.light


def distance(one: np.ndarray, two: np.ndarray) -> float:
    return float(np.sqrt(np.mean(np.square(np.sqrt(np.maximum(one, 0)) - np.sqrt(np.maximum(two, 0))))))


def test_every_species_has_two_families_or_more():
    assert {
        "screen_replay",
        "print",
        "paper_mask",
        "partial_mask",
        "face_swap",
        "morph",
        "generated",
        "injection",
    } == set(families())
    assert all(len(many) >= 2 for many in families().values())


@pytest.mark.parametrize(("species", "family"), ALL)
def test_same_seed_gives_the_same_bytes_and_another_seed_does_not(species, family):
    first = attack(FACE, other=OTHER, species=species, family=family, seed=5)
    again = attack(FACE, other=OTHER, species=species, family=family, seed=5)
    different = attack(FACE, other=OTHER, species=species, family=family, seed=6)
    assert first.jpeg == again.jpeg
    assert first.label.to_dict() == again.label.to_dict()
    assert first.jpeg != different.jpeg


@pytest.mark.parametrize(("species", "family"), ALL)
def test_the_pair_holds_the_same_attack_and_a_labelled_twin_of_its_size(species, family):
    made = pair(FACE, other=OTHER, species=species, family=family, seed=3, size=(112, 96))
    alone = attack(FACE, other=OTHER, species=species, family=family, seed=3, size=(112, 96))
    assert made.attack.jpeg == alone.jpeg
    for shot in (made.attack, made.bona_fide):
        assert shot.pixels.shape == (112, 96, 3)
        assert shot.pixels.dtype == np.uint8
        decoded = cv2.imdecode(np.frombuffer(shot.jpeg, np.uint8), cv2.IMREAD_COLOR)
        assert np.array_equal(decoded[..., ::-1], shot.pixels)
    assert made.attack.label.is_attack
    assert (made.attack.label.species, made.attack.label.family) == (species, family)
    assert not made.bona_fide.label.is_attack
    assert made.bona_fide.label.parameters["twin_of"] == [species, family]
    assert made.bona_fide.label.parameters["capture"] == made.attack.label.parameters["capture"]
    assert np.array_equal(made.attack.homography, made.bona_fide.homography)


@pytest.mark.parametrize(("species", "family"), [entry for entry in ALL if entry[0] not in IDENTITY_CHANGES])
def test_strength_zero_leaves_the_bona_fide_light(species, family):
    for seed in range(4):
        made = light_of(species, family, seed, 0.0)
        assert distance(made, plain_light(species, family, seed)) < 0.004  # digital families round to 8 bits


@pytest.mark.parametrize(("species", "family"), [entry for entry in ALL if entry[0] not in IDENTITY_CHANGES])
def test_traces_grow_with_strength(species, family):
    start = 0.2 if species in making.WORN else 0.0  # from 0.2 on a sheet hides what it covers
    steps = []
    for seed in range(6):
        base = light_of(species, family, seed, start)
        steps.append([distance(light_of(species, family, seed, strength), base) for strength in (0.4, 0.7, 1.0)])
        assert 0 < steps[-1][0] < steps[-1][2]
    mean = np.mean(steps, axis=0)
    assert mean[0] < mean[1] < mean[2]


@pytest.mark.parametrize(("species", "family"), [entry for entry in ALL if entry[0] in IDENTITY_CHANGES])
def test_swaps_and_morphs_change_the_face_and_leave_the_corner(species, family):
    face = FACE.mesh()[4].astype(int)
    for seed in range(3):
        changed = light_of(species, family, seed, 0.5)
        own = plain_light(species, family, seed)
        near = np.s_[face[1] - 20 : face[1] + 20, face[0] - 20 : face[0] + 20]
        assert distance(changed[near], own[near]) > 0.01
        assert not np.allclose(light_of(species, family, seed, 0.1), light_of(species, family, seed, 1.0), atol=1e-3)
        if species == "face_swap":
            assert distance(changed[:8, :8], own[:8, :8]) < 1e-3


def test_morph_shares_run_from_one_person_to_the_other():
    class Fixed(Draw):
        share = 0.0

        def uniform(self, name: str, low: float, high: float) -> float:
            return self.share if name == "share_of_second" else super().uniform(name, low, high)

    away = []
    for share in (0.0, 0.5, 1.0):
        draw = Fixed(generator(0))
        draw.share = share
        away.append(distance(making.DIGITAL["morph"]["splice"](FACE, OTHER, 0.0, draw), FACE_LIGHT))
    assert away[0] < 0.02 < away[1] < away[2]


FACE_LIGHT = making._scene(FACE, "print", "photo", 0, "tight", None, True).light


@settings(max_examples=25)
@given(
    entry=st.sampled_from(ALL),
    seed=st.integers(0, 2**40),
    strength=st.floats(0, 1),
    height=st.integers(64, 150),
    width=st.integers(64, 150),
)
def test_any_seed_strength_and_size_gives_a_picture_and_a_label_that_comes_back(entry, seed, strength, height, width):
    species, family = entry
    shot = attack(FACE, other=OTHER, species=species, family=family, seed=seed, strength=strength, size=(height, width))
    assert shot.pixels.shape == (height, width, 3)
    assert shot.pixels.std() > 1  # not wiped out
    text = json.dumps(shot.label.to_dict())
    back = AttackLabel.from_dict(json.loads(text))
    assert back.to_dict() == shot.label.to_dict()
    assert back.strength == strength
    assert CaptureChain.from_dict(json.loads(text)["parameters"]["capture"]).to_dict() == back.parameters["capture"]


@pytest.mark.parametrize("species", ["screen_replay", "print", "paper_mask", "partial_mask"])
def test_scenes_show_the_instrument_within_its_surroundings(species):
    family = families()[species][0]
    made = pair(FACE, other=OTHER, species=species, family=family, seed=4, framing="scene")
    assert made.attack.pixels.shape == (192, 192, 3)
    corners = made.attack.carry(np.array([[0, 0], [128, 0], [128, 128], [0, 128]]))
    assert np.ptp(corners, axis=0).max() < 0.95 * 192
    assert made.attack.label.framing == "scene"


def test_carried_points_lie_where_the_picture_shows_them():
    pixels = np.full((128, 128, 3), 40, np.uint8)
    cv2.circle(pixels, (84, 47), 5, (250, 250, 250), -1)
    for seed in range(4):
        shot = bona_fide(Source(pixels), seed=seed, size=(160, 160))
        grey = shot.pixels.mean(axis=2)
        bright = np.argwhere(grey > grey.min() + 0.6 * np.ptp(grey))
        x, y = shot.carry(np.array([[84.5, 47.5]]))[0]
        assert np.abs(bright.mean(axis=0)[::-1] + 0.5 - (x, y)).max() < 1.5


def test_a_bona_fide_picture_is_labelled_as_such():
    shot = bona_fide(FACE, seed=1)
    assert shot.label.species == BONA_FIDE
    assert not shot.label.is_attack
    assert shot.jpeg == bona_fide(FACE, seed=1).jpeg
    assert bona_fide(FACE, seed=1, camera=False).pixels.shape == FACE.pixels.shape


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"species": "hologram"}, AttackUnknownError),
        ({"family": "crayon"}, AttackUnknownError),
        ({"framing": "wide"}, AttackUnknownError),
        ({"species": "morph", "family": "splice", "framing": "scene"}, AttackUnknownError),
        ({"strength": 1.5}, AttackInputError),
        ({"strength": float("nan")}, AttackInputError),
        ({"seed": -1}, AttackInputError),
        ({"size": (16, 16)}, AttackInputError),
        ({"size": (64, 9000)}, AttackInputError),
        ({"species": "morph", "family": "splice", "other": None}, AttackInputError),
    ],
)
def test_what_cannot_be_made_is_refused_with_a_way_out(changes, error):
    arguments = {"species": "print", "family": "photo", "seed": 0, "other": OTHER, **changes}
    with pytest.raises(error) as caught:
        attack(FACE, **arguments)
    assert isinstance(caught.value, SamebodyError)
    assert caught.value.hint


@pytest.mark.parametrize(
    ("pixels", "points"),
    [
        (np.zeros((64, 64), np.uint8), None),
        (np.zeros((64, 64, 3), np.float32), None),
        (np.zeros((16, 64, 3), np.uint8), None),
        (FACE.pixels, np.zeros((5, 2))),
        (FACE.pixels, np.full((478, 2), np.nan)),
    ],
)
def test_bad_sources_are_refused(pixels, points):
    with pytest.raises(AttackInputError):
        Source(pixels, points)


def test_a_mask_needs_a_mesh_and_a_swap_needs_heads_turned_alike():
    with pytest.raises(AttackInputError, match="mesh"):
        attack(Source(FACE.pixels), species="paper_mask", family="wrapped", seed=0)
    turned = OTHER.mesh().copy()
    inner = np.setdiff1d(np.arange(478), mesh.OVAL)
    turned[inner, 0] += 40  # eyes, nose and mouth far off the middle of the outline
    with pytest.raises(AttackInputError, match="turned"):
        attack(FACE, other=Source(OTHER.pixels, turned), species="face_swap", family="mesh", seed=0)


def test_a_label_that_lacks_a_field_is_refused():
    values = bona_fide(FACE, seed=1).label.to_dict()
    del values["family"]
    with pytest.raises(AttackInputError, match="label"):
        AttackLabel.from_dict(values)


def test_grey_and_saturated_and_black_pictures_are_taken():
    for value in (0, 255):
        plain = Source(np.full((64, 64, 3), value, np.uint8))
        for species, family in ALL:
            if species in making.RECAPTURED or species in ("generated", "injection"):
                shot = pair(plain, species=species, family=family, seed=2).attack
                assert shot.pixels.shape == (64, 64, 3)


def test_a_label_cannot_be_changed():
    label = bona_fide(FACE, seed=1).label
    with pytest.raises(TypeError):
        label.parameters["x"] = 1  # type: ignore[index]
    assert replace(label, seed=2).seed == 2
