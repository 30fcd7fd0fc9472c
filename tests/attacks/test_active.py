"""Active checks on a head of points that follows a challenge, and on what does not."""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks.active_quick import projected
from samebody.attacks.active import InvalidRecordingError, Recording, read_recording
from samebody.attacks.active_identity import identity_finding
from samebody.attacks.active_pose import PoseCheck
from samebody.attacks.active_track import Track, observe
from samebody.attacks.challenge import COLOURS, Challenge
from samebody.attacks.flash import FlashCheck, correlation
from samebody.attacks.parallax import ParallaxCheck, plane_residual
from samebody.attacks.timing import TimingCheck
from samebody.capture import decode_image
from samebody.cli.demo import GENUINE_SELFIE
from samebody.face import FaceAnalyser
from samebody.face.pose import POSE_POINTS, head_pose, reference_head
from samebody.models import catalogue, weights_path
from samebody.types import Image, Outcome, Template
from tests.attacks.active_motion import drawn, perform

SEEDS = st.integers(0, 2**20)


def all_outcomes(track: Track, challenge: Challenge) -> dict[str, Outcome]:
    pose = PoseCheck()
    found = (
        pose.check(track, challenge),
        ParallaxCheck().check(track),
        FlashCheck().check(track, challenge),
        TimingCheck().check(track.at_ms, challenge, pose.follow(track, challenge), challenge.duration_ms + 1000),
    )
    assert all(each.reasons for each in found if each.outcome is not Outcome.PASS)
    assert all(each.details["validated"] == "synthetic" for each in found)
    return {each.check.rpartition(".")[2]: each.outcome for each in found}


@settings(max_examples=25, deadline=None)
@given(SEEDS)
def test_a_person_who_follows_is_never_refused(seed: int) -> None:
    challenge = drawn(seed)
    outcomes = all_outcomes(perform(challenge, seed=seed), challenge)
    # `solid` is the 5 % quantile of bona fide, so that one head in twenty is not told from a plane
    assert outcomes.pop("parallax") in (Outcome.PASS, Outcome.UNSURE)
    assert set(outcomes.values()) == {Outcome.PASS}


def test_nine_of_ten_people_who_follow_pass_all() -> None:
    challenges = [drawn(seed) for seed in range(40)]
    outcomes = [all_outcomes(perform(each, seed=seed), each) for seed, each in enumerate(challenges)]
    assert sum(set(each.values()) == {Outcome.PASS} for each in outcomes) >= 36


@settings(max_examples=25, deadline=None)
@given(SEEDS)
def test_a_picture_that_is_turned_is_flat(seed: int) -> None:
    challenge = drawn(seed)
    outcomes = all_outcomes(perform(challenge, seed=seed, flat=True), challenge)
    assert outcomes["parallax"] is Outcome.FAIL and outcomes["pose"] is Outcome.PASS


def test_a_replay_of_another_challenge_hardly_passes() -> None:
    passed, pose_passed, judged = 0, 0, 60
    for seed in range(judged):
        challenge = drawn(seed)
        outcomes = all_outcomes(perform(challenge, seed=seed, answered=drawn(seed + 1000)), challenge)
        passed += set(outcomes.values()) == {Outcome.PASS}
        pose_passed += outcomes["pose"] is Outcome.PASS
    assert passed == 0 and pose_passed <= 2


@settings(max_examples=15, deadline=None)
@given(SEEDS)
def test_a_still_face_fails_the_prompts(seed: int) -> None:
    challenge = drawn(seed)
    still = replace(challenge, steps=())
    outcomes = all_outcomes(perform(challenge, seed=seed, answered=still), challenge)
    assert outcomes["pose"] is Outcome.FAIL and outcomes["parallax"] is Outcome.UNSURE


@settings(max_examples=15, deadline=None)
@given(SEEDS)
def test_without_the_light_of_the_screen_it_is_not_passed(seed: int) -> None:
    challenge = drawn(seed)
    dark = FlashCheck().check(perform(challenge, seed=seed, light=0), challenge)
    assert dark.outcome is Outcome.UNSURE and dark.reasons[0].code == "attacks.flash_not_seen"
    other = replace(challenge, flashes=drawn(seed + 5000).flashes)
    assert FlashCheck().check(perform(challenge, seed=seed, answered=other), challenge).outcome is not Outcome.PASS


def test_the_room_that_changes_with_the_face_is_no_screen() -> None:
    challenge = drawn(3)
    track = perform(challenge, seed=3)
    lit_alike = replace(track, around=track.face)
    assert FlashCheck().check(lit_alike, challenge).outcome is Outcome.UNSURE


def test_prompts_answered_before_they_are_shown_fail() -> None:
    challenge = drawn(11)
    pose = PoseCheck()
    track = perform(challenge, seed=11, delay_ms=-420)
    found = TimingCheck().check(track.at_ms, challenge, pose.follow(track, challenge))
    assert found.outcome is Outcome.FAIL and "attacks.timing_foreseen" in [each.code for each in found.reasons]


@pytest.mark.parametrize(
    ("at_ms", "waited", "code"),
    [
        ([0.0, 100.0, 90.0], None, "attacks.timing_disordered"),
        ([0.0, float("nan"), 90.0], None, "attacks.timing_disordered"),
        ([5.0], None, "attacks.timing_disordered"),
        ([0.0, 100.0, 200.0], None, "attacks.timing_incomplete"),
        ([float(each) for each in range(0, 20_000, 900)], None, "attacks.timing_sparse"),
        ([float(each) for each in range(0, 30_000, 100)], 5000.0, "attacks.timing_impossible"),
    ],
)
def test_times_that_are_not_those_of_a_camera(at_ms: list[float], waited: float | None, code: str) -> None:
    found = TimingCheck().check(np.array(at_ms), drawn(2), (), waited)
    assert found.outcome is not Outcome.PASS and code in [each.code for each in found.reasons]


def test_a_face_that_is_lost_is_not_judged() -> None:
    challenge = drawn(5)
    track = perform(challenge, seed=5)
    blind = replace(track, yaw=np.full(len(track), np.nan))
    outcomes = all_outcomes(blind, challenge)
    assert outcomes["pose"] is outcomes["parallax"] is outcomes["flash"] is Outcome.UNSURE


def test_the_other_way_is_no_turn() -> None:
    challenge = drawn(7)
    track = perform(challenge, seed=7)
    mirrored = replace(track, yaw=-track.yaw)
    turns = sum(step.action.value.startswith("turn") for step in challenge.steps)
    found = PoseCheck().check(mirrored, challenge)
    assert found.outcome is not Outcome.PASS
    assert found.score == pytest.approx(1 - turns / len(challenge.steps))


# ------------------------------------------------------------------------------------------------ against known answers


@settings(max_examples=30, deadline=None)
@given(st.floats(-35, 35), st.floats(-20, 20), SEEDS)
def test_any_view_of_any_plane_leaves_nothing(yaw: float, pitch: float, seed: int) -> None:
    rng = np.random.default_rng(seed)
    plane = np.hstack([rng.uniform(-0.8, 0.8, (48, 2)), np.zeros((48, 1))])
    found = plane_residual(projected(plane, 0, 0, 200, 320), projected(plane, yaw, pitch, 200, 320))
    assert found is not None and found < 1e-3


def test_the_motion_has_the_signs_of_the_face_room() -> None:
    """The synthetic head is turned as the face room measures it: the tracks above mean what they say."""
    head = reference_head()
    y = np.radians(20)
    turn = np.array([[np.cos(y), 0, np.sin(y)], [0, 1, 0], [-np.sin(y), 0, np.cos(y)]])
    mesh = np.zeros((478, 3))
    mesh[list(POSE_POINTS)] = (head @ turn.T) * np.array([1.0, -1.0, -1.0])
    assert head_pose(mesh) == pytest.approx((20, 0, 0), abs=1e-6)
    mesh[list(POSE_POINTS), :2] = projected(head, 20, 0, 1, 0)  # the same, seen from near
    assert head_pose(mesh) == pytest.approx((20, 0, 0), abs=2)


@given(SEEDS)
def test_correlation_is_numpys(seed: int) -> None:
    rng = np.random.default_rng(seed)
    one, two = rng.normal(size=(2, 20, 3))
    centred = [(each - each.mean(axis=0)).ravel() for each in (one, two)]
    assert correlation(one, two) == pytest.approx(float(np.corrcoef(*centred)[0, 1]), abs=1e-9)
    assert correlation(one, one) == pytest.approx(1) and correlation(one, np.zeros_like(one)) == 0


# ---------------------------------------------------------------------------------------------- identity, recordings


def faces(angles: list[float]) -> list[Template]:
    """Unit vectors in one plane, at angles in degrees."""
    space = catalogue()["face/sface"].embedding_space()
    made = []
    for angle in angles:
        vector = np.zeros(128, np.float32)
        vector[:2] = np.cos(np.radians(angle)), np.sin(np.radians(angle))
        made.append(Template(vector, space))
    return made


@pytest.mark.parametrize(
    ("angles", "outcome"),
    [
        ([1, 5, 9, 12], Outcome.PASS),
        ([1, 5, 89, 12], Outcome.UNSURE),
        ([88, 85, 89, 12], Outcome.FAIL),
        ([1, 5], Outcome.UNSURE),
    ],
)
def test_identity_is_held_against_the_operating_point(angles: list[float], outcome: Outcome) -> None:
    found = identity_finding(faces(angles), faces([0])[0], catalogue()["face/sface"], 1e-3, "matched-adults")
    assert found.outcome is outcome
    if len(angles) > 2:
        assert found.operating_point is not None and found.operating_point.fmr == pytest.approx(1e-3)


def test_no_selfie_no_comparison() -> None:
    found = identity_finding(faces([1, 2, 3]), None, catalogue()["face/sface"], 1e-3, "matched-adults")
    assert found.outcome is Outcome.UNSURE


@given(st.lists(st.binary(min_size=1, max_size=40), min_size=1, max_size=5), SEEDS)
def test_a_recording_is_read_as_it_was_written(pictures: list[bytes], seed: int) -> None:
    times = tuple(100.0 * place for place in range(len(pictures)))
    made = Recording(drawn(seed), times, tuple(pictures), 1234.5, {"camera": "Front Camera"})
    assert read_recording(made.to_bytes()) == made


@pytest.mark.parametrize("data", [b"", b"{}", b"[]", b'{"pictures":["*"]}', b"\xff"])
def test_what_is_no_recording_is_refused(data: bytes) -> None:
    with pytest.raises(InvalidRecordingError):
        read_recording(data)


def test_a_recording_has_as_many_times_as_frames() -> None:
    with pytest.raises(InvalidRecordingError):
        Recording(drawn(0), (1.0,), (b"a", b"b"), 0.0, {})


@pytest.mark.weights
def test_light_on_the_pixels_of_a_face_is_seen(_weights: None) -> None:
    """An example photograph whose face alone is lit by the colours, followed by the mesh from frame to frame."""
    challenge = drawn(3)
    picture = decode_image(weights_path(catalogue()[GENUINE_SELFIE]), max_side=400).pixels
    faces = FaceAnalyser(threads=1)
    (face, *_) = faces.detect(Image(picture))
    mask = np.zeros(picture.shape[:2], np.float64)
    x, y = (round(each) for each in face.box.centre)
    cv2.ellipse(mask, (x, y), (round(face.box.width * 0.6), round(face.box.height * 0.6)), 0, 0, 360, 1.0, -1)

    def taken(at_ms: float, lit: Challenge) -> Image:
        colour = next((COLOURS[each.colour] for each in lit.flashes if each.at_ms <= at_ms < each.until_ms), (0, 0, 0))
        light = mask[..., None] * np.array(colour) * 0.12
        return Image(np.clip(picture + light, 0, 255).astype(np.uint8))

    times = np.arange(challenge.flashes[0].at_ms, challenge.duration_ms, 170.0)
    for lit, outcome in ((challenge, Outcome.PASS), (replace(challenge, flashes=()), Outcome.UNSURE)):
        track, most = observe(((at, taken(at, lit)) for at in times), faces)
        assert most == 1 and track.seen.all()
        assert FlashCheck().check(track, challenge).outcome is outcome
