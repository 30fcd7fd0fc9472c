"""The rating of active liveness: halves that share nobody, sessions that are kept as they were, rules of the limits."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from benchmarks import active_limits, active_page, active_rating
from benchmarks.active_motion import HEIGHT, WIDTH, Manner, Moment, SecondHead, followed, frame_times
from benchmarks.active_quick import drawn_sessions, seen_of, track_of
from benchmarks.active_sessions import Seen, challenge_of, half_of, key_challenge, look, looped, person, replayed
from samebody.attacks.active import CHECKS
from samebody.attacks.active_pose import PoseCheck
from samebody.attacks.active_track import Track
from samebody.attacks.challenge import Action
from samebody.attacks.flash import FlashCheck
from samebody.attacks.injection import InjectionCheck
from samebody.attacks.injection_frames import traces_of
from samebody.attacks.limits import measured, measured_limits
from samebody.attacks.parallax import ParallaxCheck
from samebody.capture import decode_image
from samebody.cli.demo import GENUINE_SELFIE
from samebody.face import FaceAnalyser
from samebody.models import catalogue, weights_path
from samebody.types import Image, Outcome, Pixels

LIMITS = json.loads(active_rating.LIMITS.read_text())


class NoFaces:
    """Stands for the analyser where no picture shows a face."""

    def detect(self, image: Image) -> tuple[()]:
        return ()


@pytest.fixture(scope="module")
def trials() -> list[active_rating.Trial]:
    return active_rating.quick()


def of(trials: list[active_rating.Trial], species: str) -> list[active_rating.Trial]:
    found = [each for each in trials if each.species.startswith(species)]
    assert found
    return found


def test_each_species_is_stopped_by_what_it_lacks(trials: list[active_rating.Trial]) -> None:
    pose, flash = "selfie.liveness.pose", "selfie.liveness.flash"
    assert {each.decision for each in of(trials, "bona fide")} == {"accept"}
    assert all(each.outcomes[pose] is Outcome.FAIL for each in of(trials, "still picture"))
    assert all(each.parts["loop"] == 0 for each in of(trials, "loop"))
    assert not any(each.outcomes[pose] is each.outcomes[flash] is Outcome.PASS for each in of(trials, "replay"))
    assert not any(each.outcomes[flash] is Outcome.PASS for each in of(trials, "virtual camera"))
    lit = of(trials, "still animated live and lit")
    assert all(each.outcomes[pose] is each.outcomes[flash] is Outcome.PASS for each in lit)  # published as not caught
    decided = {each.species.rpartition(", ")[2]: (each.parts["noise"], each.decision) for each in lit}
    assert decided == {"no noise": (0.5, "review"), "noise added": (1.0, "accept")}


def test_nothing_attacked_is_accepted_where_a_finding_abstains(trials: list[active_rating.Trial]) -> None:
    doubtful = [each for each in trials if any(o is not Outcome.PASS for o in each.outcomes.values())]
    assert doubtful and all(each.decision != "accept" for each in doubtful)


def test_the_page_gives_every_species_with_n_and_interval(trials: list[active_rating.Trial]) -> None:
    text = active_page.page({active_page.HEADS: trials}, limits=LIMITS, checks=(*CHECKS, active_rating.INJECTION))
    for species in {each.species for each in trials}:
        assert f"| {species} |" in text
    assert "| loop | 8 (2) |" in text and "| still picture, held by hand | 2 (2) |" in text
    assert active_rating.from_rows(json.loads(json.dumps(active_rating.as_rows(trials)))) == trials
    assert "100 % (22-100)" in text  # two of two: 1 - 0.05 ** (1 / 2) = 0.78


def test_the_threat_model_is_changed_between_its_marks_only(trials: list[active_rating.Trial]) -> None:
    document = f"before\n{active_page.BEGIN}\nold\n{active_page.END}\nafter\n"
    changed = active_page.with_table(document, {"Heads": trials})
    assert changed.startswith("before\n") and changed.endswith("after\n") and "old" not in changed
    assert active_page.with_table(changed, {"Heads": trials}) == changed and "| bona fide |" in changed
    with pytest.raises(ValueError, match="liveness-rates"):
        active_page.with_table("nothing", {})


def test_the_page_and_the_threat_model_are_those_of_the_committed_sessions() -> None:
    results = active_rating.RESULTS
    kept = json.loads((results / "active-liveness.json").read_text("utf-8"))
    sets = {title: active_rating.from_rows(rows) for title, rows in kept.items()}
    text = active_page.page(sets, limits=LIMITS, checks=(*CHECKS, active_rating.INJECTION))
    there = (results / "active-liveness.md").read_text("utf-8")
    figures = [each.partition("\n\nEvery ")[2] for each in (there, text)]  # before that: machine and commit
    assert figures[0] == figures[1] != ""
    model = (results.parent / "threat-model.md").read_text("utf-8")
    assert active_page.with_table(model, sets) == model


def test_halves_share_nobody_and_are_about_equal() -> None:
    halves = [half_of(f"images/{number}.jpg") for number in range(2000)]
    assert set(halves) == {"set", "report"} and 900 < halves.count("set") < 1100


def frames(count: int = 30) -> Iterator[tuple[float, Pixels]]:
    rng = np.random.default_rng(5)
    for place in range(count):
        picture = np.full((HEIGHT, WIDTH, 3), 90.0)
        picture[60 + 3 * (place % 20) : 140 + 3 * (place % 20), 100:220] = 170
        if place not in (11, 12):
            noisy = picture + rng.normal(0, 2, picture.shape)
        yield 160.0 * place + rng.uniform(0, 9), np.clip(noisy, 0, 255).astype(np.uint8)


def test_what_is_kept_of_a_recording_says_what_its_frames_say(tmp_path: Path) -> None:
    challenge = challenge_of(np.random.default_rng(1))
    seen = look(frames(), challenge, NoFaces(), {"lux": 100.0})  # type: ignore[arg-type]
    seen.save(tmp_path / "kept.npz")
    again = Seen.load(tmp_path / "kept.npz")
    assert again.challenge == challenge and again.drawn == {"lux": 100.0} and not list(tmp_path.glob("*.part*"))
    for field in fields(Track):
        np.testing.assert_array_equal(getattr(again.track, field.name), getattr(seen.track, field.name))

    def encoded() -> Iterator[tuple[float, Image]]:
        for at_ms, pixels in frames():
            data = cv2.imencode(".jpg", pixels[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, 85])[1].tobytes()
            yield at_ms, decode_image(data)

    direct, kept = traces_of(encoded()), again.traces()
    assert kept.duplicates == pytest.approx(direct.duplicates) and kept.duplicates > 0
    assert kept.loop == direct.loop and kept.count == direct.count
    assert (kept.gap_ms, kept.jitter_ms) == pytest.approx((direct.gap_ms, direct.jitter_ms))
    np.testing.assert_allclose(kept.noise, direct.noise, equal_nan=True)


def test_loops_and_replays_answer_another_challenge_with_old_frames() -> None:
    _, kept, _ = next(drawn_sessions(1))
    bona_fide, rng = kept["bona_fide"], np.random.default_rng(3)
    other = challenge_of(rng)
    loop = looped(bona_fide, other, rng)
    assert loop.challenge is other and loop.track.at_ms[-1] < other.duration_ms
    assert len(np.unique(loop.track.yaw)) < 0.5 * len(loop.track)
    replay = replayed(bona_fide, other, rng)
    count = min(len(replay.track), len(bona_fide.track)) // 2
    assert np.isin(replay.track.yaw[:count], bona_fide.track.yaw).all()
    feed = bona_fide.with_tail(kept["dark"])
    before = bona_fide.track.at_ms < bona_fide.challenge.flashes[0].at_ms
    np.testing.assert_array_equal(feed.track.yaw[: before.sum()], bona_fide.track.yaw[before])
    assert len(feed.track) == before.sum() + len(kept["dark"].track)


# ----------------------------------------------------------------------------------------------------------- limits


def key_sessions(people: int) -> list[active_limits.Kept]:
    """Heads and pictures of points that follow all six prompts."""
    found: list[active_limits.Kept] = []
    for number in range(people):
        rng = np.random.default_rng(number)
        challenge = key_challenge(rng)
        times = np.arange(200.0, challenge.duration_ms, 240.0)
        moments = followed(challenge, times, Manner(blinks=(1, 1), closed_ms=(400, 500)), rng)
        lit = track_of(moments, rng, strength=0.4)
        flat = track_of([replace(each, yaw=0.0, blink=0.0, smile=0.0) for each in moments], rng, strength=0.4, relief=0)
        dark = track_of([each for each in moments if each.colour is not None], rng, strength=0.0)
        for kind, track in (("bona_fide", lit), ("flat", flat), ("dark", dark)):
            found.append((f"p{number}", kind, seen_of(track, challenge, rng, noise=2.0)))
    return found


def test_limits_lie_between_what_they_part() -> None:
    limits = active_limits.fit(key_sessions(3))
    assert set(limits) == set(measured_limits())
    for check, held in limits.items():
        assert set(held) == set(measured_limits()[check])
    pose = limits["pose"]
    assert pose["turn_degrees"].rule == "middle" and 2 < pose["turn_degrees"].value < 18
    assert 0.02 < pose["blink"].value < 0.6
    assert limits["parallax"]["flat"].value < limits["parallax"]["solid"].value <= 0.23
    flash = limits["flash"]
    assert flash["fails"].value < flash["passes"].value < 1 and flash["visible"].value > 0
    assert flash["passes"].others_through is not None and flash["passes"].others_through <= 0.03


def test_few_people_set_no_limits(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="10 are needed"):
        active_limits.write(tmp_path / "limits.json", key_sessions(1))
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("bona_fide", "others", "value", "rule"),
    [
        ([16.0] * 30, [4.0] * 30, 8.0, "middle"),
        ([3.0] * 30, [4.0] * 30, 4.0, "above others, which reach into bona fide"),
    ],
)
def test_the_middle_is_geometric(bona_fide: list[float], others: list[float], value: float, rule: str) -> None:
    found = active_limits.middle(bona_fide, others, 30)
    assert (found.value, found.rule) == (value, rule)
    assert found.bona_fide_lost == (0.0 if value == 8 else 1.0) and found.others_through == (0.0 if value == 8 else 1.0)


def test_the_committed_limits_are_those_the_checks_use() -> None:
    stages: dict[str, Any] = {
        "pose": PoseCheck(),
        "parallax": ParallaxCheck(),
        "flash": FlashCheck(),
        "injection": InjectionCheck(),
    }
    for check, held in measured_limits().items():
        for name, limit in held.items():
            assert getattr(stages[check].parameters, name) == limit.value == measured(check, name)


# ------------------------------------------------------------------------------------------------------ second maker


def test_a_manner_moves_when_asked_and_not_before() -> None:
    rng = np.random.default_rng(8)
    challenge = challenge_of(rng)
    moments = followed(challenge, frame_times(challenge, rng), Manner(sway=0.0, shake=0.0), rng)
    for step in challenge.steps:
        if step.action in (Action.TURN_LEFT, Action.TURN_RIGHT):
            sign = 1 if step.action is Action.TURN_LEFT else -1
            inside = [sign * each.yaw for each in moments if step.at_ms <= each.at_ms < step.until_ms]
            assert max(inside) > 12 and min(inside) > -1
    assert all(abs(each.yaw) < 1e-9 for each in moments if each.at_ms < challenge.steps[0].at_ms)
    coloured = [each for each in moments if each.colour is not None]
    assert coloured and all(each.at_ms >= challenge.flashes[0].at_ms for each in coloured)


@pytest.mark.weights
def test_the_mesh_sees_what_the_second_head_does(_weights: None) -> None:
    from samebody.synth.attacks.light import to_pixels

    faces = FaceAnalyser(threads=1)
    picture = decode_image(weights_path(catalogue()[GENUINE_SELFIE]), max_side=500)
    mesh = faces.mesh(picture, faces.detect(picture)[0])
    assert mesh is not None and person("smiles", picture, faces) is None
    head = SecondHead(picture.pixels, mesh.points, np.random.default_rng(0))

    def seen(moment: Moment, strength: float = 0.0) -> tuple[Any, Pixels]:
        pixels = to_pixels(head.light(moment, strength))
        (found, *_) = faces.detect(Image(pixels))
        return faces.mesh(Image(pixels), found), pixels

    rest, plain = seen(Moment(0))
    left, _ = seen(Moment(0, yaw=25))
    nod, _ = seen(Moment(0, pitch=18))
    blink, _ = seen(Moment(0, blink=1))
    near, _ = seen(Moment(0, size=1.3))
    assert left.yaw - rest.yaw > 12 and nod.pitch - rest.pitch > 7
    assert blink.blendshapes["eyeBlinkLeft"] - rest.blendshapes["eyeBlinkLeft"] > 0.05
    wide = [np.ptp(each.points[:, 0]) for each in (near, rest)]
    assert wide[0] / wide[1] == pytest.approx(1.3, abs=0.08)
    _, red = seen(Moment(0, colour=(255, 0, 0)), 0.6)
    change = red.astype(int) - plain.astype(int)
    x, y = rest.points[:, :2].mean(axis=0).round().astype(int)
    assert change[y - 5 : y + 5, x - 5 : x + 5, 0].mean() > 10 > change[:20, :20, 0].mean() + 5
