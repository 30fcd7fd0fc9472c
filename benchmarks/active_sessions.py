"""Sessions of active liveness for ``benchmarks.active_rating``: rendered once, looked at by the models, and kept.

What is expensive (rendering, mesh network, templates) is done once and kept; judging is done from what was kept, so
that other limits need no rendering. Sessions that repeat what a camera saw (a loop, a replay, a feed without the
screen's light) are put together from frames of those that were rendered.
"""

from __future__ import annotations

import csv
import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any, Literal

import cv2
import numpy as np
from numpy.typing import NDArray

from benchmarks.active_motion import (
    HEIGHT,
    WIDTH,
    Manner,
    Moment,
    SecondCamera,
    SecondHead,
    followed,
    frame_times,
    lit,
    moved_plane,
)
from samebody.attacks.active import FRONT_DEGREES, IDENTITY_FRAMES
from samebody.attacks.active_track import Track, observe
from samebody.attacks.challenge import COLOURS, Action, Challenge, Flash, Step, draw_challenge, from_dict
from samebody.attacks.injection import perceptual_hash
from samebody.attacks.injection_frames import FrameTraces, find_loop, still_noise, thumbnail
from samebody.capture import decode_image
from samebody.face import FaceAnalyser
from samebody.synth.attacks.light import room, to_light, to_pixels
from samebody.synth.motion import Gesture, Puppet, framed, screen_light
from samebody.types import Box, Image, Pixels

Floats = NDArray[np.float64]
Half = Literal["set", "report"]
VERSION = 1
"""Of what is rendered: another number starts anew."""

ADULTS = ("20-29", "30-39", "40-49", "50-59", "60-69", "more than 70")
SCREEN_LUX = (25.0, 70.0)
"""A white telephone's or laptop's screen on a face 30 to 50 cm away: 300 to 500 cd/m2 over 0.01 to 0.06 m2."""
ROOM_LUX = (30.0, 600.0)
"""From an evening lamp to a bright office (EN 12464-1 asks for 500 lx at desks); even in the logarithm."""


@dataclass(frozen=True, slots=True, eq=False)
class Person:
    """A photograph with one face from the front.

    Attributes:
        name: of the file, which is taken for a person.
        points: (478, 3) mesh in pixels.
        template: (d,) of the photograph: the selfie.
    """

    name: str
    pixels: Pixels
    points: NDArray[np.float32]
    template: NDArray[np.float32]

    def random(self, what: str) -> np.random.Generator:
        """Draws that depend on the person and on what they are for."""
        return np.random.default_rng(list(hashlib.sha256(f"{self.name} {what}".encode()).digest()[:16]))


def half_of(name: str) -> Half:
    """Which half of the people a file belongs to, by a hash of its name."""
    return "set" if hashlib.sha256(f"active {name}".encode()).digest()[0] % 2 else "report"


def names_of(data: Path, half: Half) -> list[str]:
    """Files of adults of fairface in an order of their own; those with doubtful repeats are left out."""
    repeats = Path(__file__).parent / "operating_points" / "fairface-repeats.csv"
    lines = [line for line in repeats.read_text(encoding="utf-8").splitlines() if not line.startswith("#")]
    doubtful = {row[name].split("/", 1)[1] for row in csv.DictReader(lines) for name in ("file_a", "file_b")}
    with (data / "fairface" / "labels.csv").open(encoding="utf-8", newline="") as source:
        names = [row["file"] for row in csv.DictReader(source) if row["age"] in ADULTS]
    mine = [name for name in names if half_of(name) == half and name not in doubtful]
    return sorted(mine, key=lambda each: hashlib.sha256(each.encode()).hexdigest())


def person(name: str, picture: Image, faces: FaceAnalyser) -> Person | None:
    """The person on a picture; None unless there is one face that looks ahead, with open eyes and without a smile.

    Whoever smiles already cannot be asked to: at rest, before a prompt, people look as they do on such pictures.
    """
    found = faces.template(picture)
    if found.chosen is None or found.template is None or len(found.detections) != 1:
        return None
    mesh = faces.mesh(picture, found.chosen)
    if mesh is None or abs(mesh.yaw) > 12 or abs(mesh.pitch) > 15 or abs(mesh.roll) > 12:
        return None
    smile, blink = (
        np.mean([mesh.blendshapes[f"{name}{side}"] for side in ("Left", "Right")])
        for name in ("mouthSmile", "eyeBlink")
    )
    if smile > 0.3 or blink > 0.3:
        return None
    return Person(name, picture.pixels, mesh.points, found.template.vector)


@dataclass(frozen=True, slots=True, eq=False)
class Seen:
    """What was kept of one recording.

    Attributes:
        challenge: what was asked.
        track: what the models saw.
        small: (n, 1024) thumbnails; ``noise``: (n,) of each frame against the one before, NaN for the first.
        equal: (n,) whether a frame's pixels are those of the one before.
        templates: (k, d) of frames from the front; ``front`` their pictures as JPEG, ``boxes`` (k, 4) their faces.
        hashes: (n, 32) uint8, perceptual hash of each frame; zeros where it has none.
        drawn: what was drawn for the session, JSON-ready.
    """

    challenge: Challenge
    track: Track
    small: NDArray[np.float32]
    noise: Floats
    equal: NDArray[np.bool_]
    templates: NDArray[np.float32]
    front: tuple[bytes, ...]
    boxes: Floats
    hashes: NDArray[np.uint8]
    drawn: dict[str, Any]

    def traces(self) -> FrameTraces:
        """As :func:`samebody.attacks.injection_frames.traces_of` would give them for the frames."""
        gaps = np.diff(self.track.at_ms)
        small = self.small.astype(np.float64)
        return FrameTraces(
            len(self.track),
            WIDTH,
            HEIGHT,
            float(self.equal[1:].mean()),
            find_loop(small),
            float(np.median(gaps)),
            float(gaps.std()),
            np.where(self.equal, np.nan, self.noise)[1:],
            False,
        )

    def reordered(self, order: NDArray[np.intp], at_ms: Floats, challenge: Challenge) -> Seen:
        """Frames of this recording in another order, at other times, as the answer to another challenge.

        Noise between frames that were no neighbours is not known and left out, as if nothing had stood still.
        """
        track = Track(**{field.name: getattr(self.track, field.name)[order] for field in fields(Track)})
        neighbours = np.diff(order, prepend=-9)
        return replace(
            self,
            challenge=challenge,
            track=replace(track, at_ms=at_ms),
            small=self.small[order],
            noise=np.where(neighbours == 1, self.noise[order], np.nan),
            hashes=self.hashes[order],
            equal=(neighbours == 0) | ((neighbours == 1) & self.equal[order]),
        )

    def with_tail(self, tail: Seen) -> Seen:
        """The frames before the colours, and those of ``tail`` from there on."""
        kept = np.flatnonzero(self.track.at_ms < self.challenge.flashes[0].at_ms)
        head = {field.name: getattr(self.track, field.name)[kept] for field in fields(Track)}
        track = Track(**{name: np.concatenate([head[name], getattr(tail.track, name)]) for name in head})
        return replace(
            self,
            track=track,
            small=np.concatenate([self.small[kept], tail.small]),
            noise=np.concatenate([self.noise[kept], tail.noise]),
            equal=np.concatenate([self.equal[kept], tail.equal]),
            hashes=np.concatenate([self.hashes[kept], tail.hashes]),
            drawn={**self.drawn, **tail.drawn},
        )

    def save(self, path: Path) -> None:
        """Write it in one piece."""
        path.parent.mkdir(parents=True, exist_ok=True)
        part = path.with_suffix(".part.npz")
        arrays: dict[str, Any] = {f"track_{f.name}": getattr(self.track, f.name) for f in fields(Track)}
        arrays |= {name: getattr(self, name) for name in ("small", "noise", "equal", "hashes", "templates", "boxes")}
        for place, each in enumerate(self.front):
            arrays[f"front_{place}"] = np.frombuffer(each, np.uint8)
        arrays["text"] = np.array(json.dumps({"challenge": self.challenge.to_dict(), "drawn": self.drawn}))
        np.savez(part, **arrays)
        part.replace(path)

    @classmethod
    def load(cls, path: Path) -> Seen:
        """What :meth:`save` wrote."""
        with np.load(path, allow_pickle=False) as held:
            text = json.loads(str(held["text"]))
            track = Track(**{field.name: held[f"track_{field.name}"] for field in fields(Track)})
            front = tuple(held[f"front_{n}"].tobytes() for n in range(len(held["boxes"])))
            rest = {name: held[name] for name in ("small", "noise", "equal", "hashes", "templates", "boxes")}
            return cls(from_dict(text["challenge"]), track, front=front, drawn=text["drawn"], **rest)


def look(
    frames: Iterator[tuple[float, Pixels]], challenge: Challenge, faces: FaceAnalyser, drawn: dict[str, Any]
) -> Seen:
    """Encode frames as the capture page does, and look at them as the service does."""
    pictures: list[bytes] = []
    small: list[Floats] = []
    noise: list[float] = []
    equal: list[bool] = []
    hashes: list[bytes] = []
    before: Pixels | None = None

    def decoded() -> Iterator[tuple[float, Image]]:
        nonlocal before
        for at_ms, pixels in frames:
            data = cv2.imencode(".jpg", pixels[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, 85])[1].tobytes()
            image = decode_image(data)
            pictures.append(data)
            small.append(thumbnail(image.pixels))
            same = before is not None and bool(np.array_equal(before, image.pixels))
            equal.append(same)
            hashes.append(perceptual_hash(image.pixels) or bytes(32))
            noise.append(float("nan") if before is None else still_noise(before, image.pixels))
            before = image.pixels
            yield at_ms, image

    track, _ = observe(decoded(), faces)
    templates, boxes, front = _front(track, pictures, faces)
    marks = np.frombuffer(b"".join(hashes), np.uint8).reshape(-1, 32)
    return Seen(
        challenge,
        track,
        np.array(small, np.float32),
        np.array(noise),
        np.array(equal, bool),
        templates,
        front,
        boxes,
        marks,
        drawn,
    )


def _front(
    track: Track, pictures: list[bytes], faces: FaceAnalyser
) -> tuple[NDArray[np.float32], Floats, tuple[bytes, ...]]:
    """Frames from the front, chosen as :class:`samebody.attacks.active.ActiveLiveness` chooses them."""
    seen = np.flatnonzero(track.seen)
    ahead = [
        int(each)
        for each in seen
        if abs(track.yaw[each] - np.median(track.yaw[seen])) < FRONT_DEGREES
        and abs(track.pitch[each] - np.median(track.pitch[seen])) < FRONT_DEGREES
    ]
    places = np.linspace(0, len(ahead) - 1, min(IDENTITY_FRAMES, len(ahead)))
    templates, boxes, kept = [], [], []
    for place in dict.fromkeys(ahead[round(each)] for each in places):
        found = faces.template(decode_image(pictures[place]), role="frame")
        if found.chosen is not None and found.template is not None:
            box = found.chosen.box
            templates.append(found.template.vector)
            boxes.append((box.x, box.y, box.width, box.height))
            kept.append(pictures[place])
    return np.array(templates, np.float32), np.array(boxes, np.float64).reshape(-1, 4), tuple(kept)


def front_faces(seen: Seen) -> list[tuple[Image, Box]]:
    """The kept frames from the front and their faces, for the passive detector."""
    return [(decode_image(data), Box(*box)) for data, box in zip(seen.front, seen.boxes.tolist(), strict=True)]


def challenge_of(rng: np.random.Generator) -> Challenge:
    """A challenge that follows from the draws of a session."""
    return draw_challenge(lambda below: int(rng.integers(below)))


def screen_strength(rng: np.random.Generator) -> tuple[float, float]:
    """Light of the screen over that of the room, and the room's in lux."""
    lux = float(np.exp(rng.uniform(*np.log(ROOM_LUX))))
    return float(rng.uniform(*SCREEN_LUX)) / lux, lux


# --------------------------------------------------------------------------------------------- the maker for limits

AMOUNTS: dict[Action, tuple[float, float]] = {
    Action.TURN_LEFT: (18, 40),
    Action.TURN_RIGHT: (18, 40),
    Action.NOD: (10, 24),
    Action.BLINK: (0.85, 1.0),
    Action.SMILE: (0.5, 1.0),
    Action.CLOSER: (0.12, 0.45),
}
"""How far the people of the half move that limits are set on: degrees, shares, growth."""
REST_MS, COURSE = (-400, -150), ((600, 0.4), (900, 0.8), (1200, 1.0), (1500, 1.0), (1900, 0.5))
"""Frames before a prompt; frames within it and how much of the movement they show."""


def key_challenge(rng: np.random.Generator) -> Challenge:
    """All six actions in a drawn order, and six colours: what limits are set on needs no other frames."""
    colours = challenge_of(rng).flashes[:6]
    actions = list(Action)
    order = rng.permutation(len(actions)).tolist()
    steps = tuple(Step(actions[each], 1000 + 3600 * place, 2400) for place, each in enumerate(order))
    begin = steps[-1].until_ms + 1000
    return Challenge("0" * 32, steps, tuple(Flash(f.colour, begin + 500 * n, 500) for n, f in enumerate(colours)))


def first_session(who: Person, what: str, faces: FaceAnalyser) -> Seen:
    """Key frames of ``samebody.synth.motion``: ``bona_fide``, ``dark`` (colours that miss the face) or ``flat``.

    Its camera is a gain, normal noise and the encoder. ``flat`` is the photograph turned as a plane, lit as a face is.
    """
    rng = who.random(f"first {what}")
    challenge = key_challenge(who.random("first challenge"))
    pixels, points = framed(who.pixels, who.points.astype(np.float64), WIDTH, HEIGHT, 0.5)
    puppet = Puppet(pixels, points)
    near = puppet.nearness()
    strength, lux = screen_strength(who.random("first light"))
    noise = float(who.random("first camera").uniform(1.0, 4.0))

    def gestures() -> Iterator[tuple[float, Gesture, tuple[int, int, int] | None]]:
        for step in challenge.steps if what != "dark" else ():
            amount = rng.uniform(*AMOUNTS[step.action])
            for late, part in (*((each, 0.0) for each in REST_MS), *COURSE):
                shift = (float(rng.normal(0, 1.0)), float(rng.normal(0, 1.0)))
                idle = Gesture(float(rng.normal(0, 1.2)), float(rng.normal(0, 1.0)), shift=shift)
                yield step.at_ms + late, _gesture(idle, step.action, amount * part), None
        for flash in challenge.flashes:
            for late in (120, 280, 440):
                idle = Gesture(float(rng.normal(0, 1.2)), float(rng.normal(0, 1.0)))
                yield flash.at_ms + late, idle, COLOURS[flash.colour]

    def frames() -> Iterator[tuple[float, Pixels]]:
        for at_ms, gesture, colour in gestures():
            shown = puppet.render(gesture, flat=what == "flat")
            if colour is not None and what != "dark":
                shown = screen_light(shown, near, colour, strength)
            level = shown * rng.normal(1, 0.005) + rng.normal(0, noise, shown.shape)
            yield at_ms, np.asarray(np.clip(level + 0.5, 0, 255), np.uint8)

    return look(frames(), challenge, faces, {"lux": lux, "strength": strength, "noise": noise})


def _gesture(idle: Gesture, action: Action, amount: float) -> Gesture:
    match action:
        case Action.TURN_LEFT:
            return replace(idle, yaw=idle.yaw + amount)
        case Action.TURN_RIGHT:
            return replace(idle, yaw=idle.yaw - amount)
        case Action.NOD:
            return replace(idle, pitch=idle.pitch + amount)
        case Action.BLINK:
            return replace(idle, blink=amount)
        case Action.SMILE:
            return replace(idle, smile=amount)
        case Action.CLOSER:
            return replace(idle, scale=1 + amount)


# ----------------------------------------------------------------------------------------------- the maker for rates

STILL = Manner(sway=1.0, shake=2.5)
"""A hand that holds a picture."""
DRIVER = Manner(late_ms=200, sway=1.0, shake=0.0)
"""Whoever drives an animated picture, with the delay of the program."""


def second_session(who: Person, what: str, faces: FaceAnalyser) -> Seen:
    """A session of ``benchmarks.active_motion``.

    ``bona_fide``; ``dark``: its colours alone, which do not reach the face; ``still``: a print held to the camera;
    ``puppet``: the photograph animated by a program that sends it as a camera, half of them with noise added;
    ``puppet_lit``: its colours alone, rendered on the face by the program.
    """
    challenge = challenge_of(who.random("second challenge"))
    rng = who.random(f"second {what}")
    puppet = what.startswith("puppet")
    head = SecondHead(who.pixels, who.points, who.random("second puppet" if puppet else "second head"))
    strength, lux = screen_strength(who.random("second light"))
    times = frame_times(challenge, rng)
    if what in ("dark", "puppet_lit"):
        times = times[times >= challenge.flashes[0].at_ms]
    if what == "still":
        asked = replace(challenge, steps=())
        moments = [replace(lit(each, challenge), blink=0.0) for each in followed(asked, times, STILL, rng)]
    else:
        manner = DRIVER if puppet else Manner()
        moments = followed(challenge, times, manner, rng)
    added = float(who.random("second program").choice([0.0, 2.0])) if puppet else float("nan")
    camera = None if puppet else SecondCamera.drawn(who.random("second camera"), head.light(Moment(0), 0))
    picture, behind = head.light(Moment(0), 0), room((HEIGHT, WIDTH), who.random("second behind"))
    light_on = strength if what in ("bona_fide", "puppet_lit") else 0.0

    def one(moment: Moment) -> Pixels:
        if what == "still":
            screen = 0.0 if moment.colour is None else strength * to_light(np.array([[moment.colour]], np.uint8))
            light = moved_plane(picture * (1 + np.float32(screen)), behind, moment, (WIDTH / 2, HEIGHT / 2))
        else:
            light = head.light(moment, light_on)
        if camera is not None:
            return camera.take(light, rng)
        shown = to_pixels(light)
        if added:
            noisy = shown + rng.normal(0, added, shown.shape) + 0.5
            shown = np.asarray(np.clip(noisy, 0, 255), np.uint8)
        return shown

    drawn = {"lux": lux, "strength": strength, "added_noise": None if added != added else added}
    return look(((each.at_ms, one(each)) for each in moments), challenge, faces, drawn)


# -------------------------------------------------------------------------------------------- put together from frames


def looped(seen: Seen, challenge: Challenge, rng: np.random.Generator) -> Seen:
    """Three to six seconds of a recording, again and again, as the answer to ``challenge``."""
    times = frame_times(challenge, rng)
    own = seen.track.at_ms
    period = rng.uniform(3000, 6000)
    begin = rng.uniform(0, max(1.0, seen.challenge.flashes[0].at_ms - period))
    wanted = begin + np.mod(times, period)
    order = np.abs(own[None, :] - wanted[:, None]).argmin(axis=1)
    return seen.reordered(order.astype(np.intp), times, challenge)


def replayed(seen: Seen, challenge: Challenge, rng: np.random.Generator) -> Seen:
    """A whole recording from its beginning, as the answer to another challenge; its last frame stays when it ends."""
    times = frame_times(challenge, rng)
    order = np.abs(seen.track.at_ms[None, :] - (times - times[0] + seen.track.at_ms[0])[:, None]).argmin(axis=1)
    return seen.reordered(order.astype(np.intp), times, challenge)
