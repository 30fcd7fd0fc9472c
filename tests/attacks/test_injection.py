"""Injection evidence: what a live camera leaves, and what programs in its place leave."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from samebody.attacks.injection import VIRTUAL_CAMERAS, InjectionCheck, Replays, looks_alike, perceptual_hash
from samebody.attacks.injection_frames import FrameTraces, find_loop, still_noise, traces_of
from samebody.types import Image, Outcome, Pixels, SourceInfo

PHONE = "Mozilla/5.0 (Linux; Android 15) Mobile Safari/537.36"
DESK = "Mozilla/5.0 (X11; Linux x86_64) Chrome/140.0"


def scene(moment: float, noise: float = 2.0, seed: int = 0) -> Pixels:
    """A bright disc that moves before a wall, 320 x 240, with the noise of a sensor."""
    rng = np.random.default_rng(seed)
    picture = np.full((240, 320, 3), 90.0)
    x, y = 160 + 44 * np.sin(moment / 7), 140 + 18 * np.cos(moment / 3.1)
    cv2.circle(picture, (round(x * 16), round(y * 16)), 60 * 16, (200.0, 170.0, 150.0), -1, cv2.LINE_AA, 4)
    return np.clip(picture + rng.normal(0, noise, picture.shape), 0, 255).astype(np.uint8)


def recording(pictures: list[Pixels], *, jitter: float = 6.0, **source: Any) -> FrameTraces:
    rng = np.random.default_rng(9)
    times = np.arange(len(pictures)) * 120.0 + rng.uniform(0, jitter, len(pictures))
    return traces_of((float(t), Image(each, SourceInfo(**source))) for t, each in zip(times, pictures, strict=True))


def live(count: int = 40, noise: float = 2.0) -> list[Pixels]:
    return [scene(place, noise, seed=place) for place in range(count)]


def check(traces: FrameTraces | None, **more: Any) -> tuple[Outcome, dict[str, float], list[str]]:
    found = InjectionCheck().check(traces, **more)
    return found.outcome, dict(found.details.get("parts", {})), [each.code for each in found.reasons]


def test_a_live_camera_is_not_accused() -> None:
    outcome, parts, codes = check(recording(live()), device={"user_agent": PHONE, "camera": "camera2 1, facing front"})
    assert outcome is Outcome.PASS and not codes and set(parts.values()) == {1.0}


def test_a_loop_is_found_with_new_noise_on_it() -> None:
    looped = [scene(place % 15, seed=place) for place in range(45)]
    outcome, parts, codes = check(recording(looped))
    assert outcome is Outcome.FAIL and parts["loop"] == 0 and "attacks.injection_loop" in codes
    found = find_loop(np.array([np.array(each, float).mean(axis=2).ravel()[:1024] for each in looped[:10]]))
    assert found is None  # too short to say


def test_sitting_still_is_no_loop() -> None:
    still = [scene(0, seed=place) for place in range(40)]
    assert check(recording(still))[1]["loop"] == 1


@settings(max_examples=20, deadline=None)
@given(st.integers(4, 20), st.integers(0, 2**16))
def test_loops_are_found_as_a_naive_search_finds_them(period: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    frames = rng.normal(0, 20, (44, 16))
    frames[period:] = [frames[place % period] for place in range(period, 44)]
    found = find_loop(frames)
    equal = [
        (lag, sum(1 for place in range(44 - lag) if np.array_equal(frames[place], frames[place + lag])))
        for lag in range(4, 37)
    ]
    assert found == max(equal, key=lambda each: each[1])


@pytest.mark.parametrize(("copies", "outcome"), [(4, Outcome.PASS), (12, Outcome.UNSURE), (30, Outcome.FAIL)])
def test_frames_that_repeat(copies: int, outcome: Outcome) -> None:
    pictures = live()
    for place in range(1, copies + 1):
        pictures[place] = pictures[0]
    found, parts, _ = check(recording(pictures))
    assert found is outcome
    assert recording(pictures).duplicates == pytest.approx(copies / 39) and (parts["duplicates"] < 1) == (copies > 4)


def test_a_still_that_is_moved_has_no_noise_where_it_stands() -> None:
    outcome, parts, codes = check(recording([scene(place, noise=0) for place in range(40)]))
    assert outcome is Outcome.UNSURE and parts["noise"] == 0.5 and codes == ["attacks.injection_no_noise"]


def test_two_cameras_in_one_recording() -> None:
    outcome, _, codes = check(recording(live(20, noise=1.0) + live(20, noise=9.0)))
    assert outcome is Outcome.UNSURE and codes == ["attacks.injection_noise_changes"]


@given(st.floats(1, 8), st.integers(0, 2**16))
@settings(max_examples=10, deadline=None)
def test_noise_is_measured_in_grey_levels(sigma: float, seed: int) -> None:
    rng = np.random.default_rng(seed)
    weights = np.sqrt((np.array([0.2126, 0.7152, 0.0722]) ** 2).sum())  # noise of luma of independent channels
    one, two = (np.clip(rng.normal(128, sigma, (480, 640, 3)).round(), 0, 255).astype(np.uint8) for _ in range(2))
    expected = weights * np.sqrt(sigma**2 + 1 / 12)
    assert still_noise(one, two) == pytest.approx(expected, rel=0.06)
    assert np.isnan(still_noise(one, two[:240]))


def test_a_metronome_is_a_program() -> None:
    outcome, parts, _ = check(recording(live(), jitter=0.0))
    assert outcome is Outcome.UNSURE and parts["timing"] == 0.5


@pytest.mark.parametrize("name", VIRTUAL_CAMERAS)
def test_programs_that_say_who_they_are(name: str) -> None:
    outcome, _, codes = check(None, device={"camera": f"{name.upper()} (1234:5678)", "user_agent": DESK})
    assert outcome is Outcome.FAIL and codes == ["attacks.injection_virtual_camera"]


@pytest.mark.parametrize("name", ["Integrated Camera", "HD Webcam C270", "Front Camera", "OBSIDIAN cam", ""])
def test_cameras_are_not_taken_for_programs(name: str) -> None:
    assert check(None, device={"camera": name})[1]["virtual_camera"] == 1


@pytest.mark.parametrize(
    ("device", "odd"),
    [
        ({"user_agent": PHONE, "camera": "HD Webcam C270"}, True),
        ({"user_agent": DESK, "camera": "camera2 1, facing front"}, True),
        ({"user_agent": DESK, "camera": "HD Webcam C270", "width": 640, "height": 480}, False),
        ({"user_agent": PHONE, "camera": "Front Camera", "width": 480, "height": 640}, False),
        ({"user_agent": DESK, "camera": "HD Webcam C270", "width": 1280, "height": 720}, True),
    ],
)
def test_what_the_device_says_is_held_against_itself(device: dict[str, Any], odd: bool) -> None:
    assert (check(recording(live(5)), device=device)[1]["device"] < 1) == odd


@pytest.mark.parametrize(
    ("device", "emulated"),
    [
        ({"user_agent": "Mozilla/5.0 (Linux; Android 14; sdk_gphone64_x86_64) Mobile Safari/537.36"}, True),
        ({"user_agent": "Mozilla/5.0 (X11; Linux x86_64) HeadlessChrome/140.0"}, True),
        ({"user_agent": PHONE, "camera": "Emulated Camera 0"}, True),
        ({"user_agent": PHONE, "camera": "VirtualScene"}, True),
        ({"user_agent": PHONE, "camera": "camera2 1, facing front"}, False),
        ({"user_agent": DESK, "camera": "HD Webcam C270"}, False),
    ],
)
def test_emulated_devices_are_a_hint_and_no_more(device: dict[str, Any], emulated: bool) -> None:
    outcome, parts, codes = check(None, device=device)
    assert parts["emulator"] == (0.5 if emulated else 1.0)
    assert ("attacks.injection_emulator" in codes) == emulated
    assert (outcome is Outcome.UNSURE) == emulated


def test_a_token_that_was_tried_elsewhere() -> None:
    assert check(None, misused=["other_session"])[0] is Outcome.UNSURE
    outcome, parts, codes = check(None, misused=["other_session"] * 2)
    assert outcome is Outcome.FAIL and parts["token"] == 0 and codes == ["attacks.injection_token"]


def test_frames_signed_by_an_editor() -> None:
    assert check(recording(live(5), software="Editor 1"), device={"user_agent": DESK})[1]["device"] == 0.5


def test_replays_and_refused_answers() -> None:
    assert check(None, replays=Replays(same_bytes=1))[0] is Outcome.FAIL
    assert check(None, replays=Replays(lookalikes=1))[0] is Outcome.UNSURE
    assert check(None, replays=Replays())[0] is Outcome.PASS
    assert check(None, refused=["foreign"])[0] is Outcome.UNSURE
    assert check(None, refused=["foreign", "repeated"])[0] is Outcome.FAIL
    assert check(None)[0] is Outcome.NOT_RUN


def test_many_hints_are_a_failure() -> None:
    traces = replace(recording(live()), jitter_ms=0.0)
    outcome, parts, _ = check(traces, replays=Replays(lookalikes=1), refused=["foreign"])
    assert outcome is Outcome.FAIL and sorted(parts.values())[:4] == [0.5, 0.5, 0.5, 1.0]


def test_no_frames_no_traces() -> None:
    with pytest.raises(ValueError, match="at least one"):
        traces_of([])


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 2**16), st.sampled_from([40, 70, 90]), st.floats(0.5, 1.5))
def test_a_picture_saved_again_looks_alike_and_another_does_not(seed: int, quality: int, scale: float) -> None:
    rng = np.random.default_rng(seed)

    def picture() -> Pixels:
        coarse = rng.integers(0, 255, (12, 16, 3)).astype(np.uint8)
        return np.asarray(cv2.resize(coarse, (320, 240), interpolation=cv2.INTER_CUBIC), np.uint8)

    one, other = picture(), picture()
    encoded = cv2.imencode(".jpg", cv2.resize(one, None, fx=scale, fy=scale), [cv2.IMWRITE_JPEG_QUALITY, quality])[1]
    again = np.asarray(cv2.imdecode(encoded, cv2.IMREAD_COLOR), np.uint8)
    hashes = [perceptual_hash(each) for each in (one, again, other)]
    assert all(each is not None and len(each) == 32 for each in hashes)
    assert looks_alike(hashes[0], hashes[1]) and not looks_alike(hashes[0], hashes[2])  # type: ignore[arg-type]


def test_a_flat_picture_has_no_hash_and_a_short_one_is_refused() -> None:
    assert perceptual_hash(np.full((64, 64, 3), 128, np.uint8)) is None
    with pytest.raises(ValueError, match="32 bytes"):
        looks_alike(b"x", b"y")
