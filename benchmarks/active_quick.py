"""Sessions of heads of points, without pictures and models: for ``benchmarks.active_rating --quick`` and its tests."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace

import cv2
import numpy as np
from numpy.typing import NDArray

from benchmarks.active_motion import Manner, Moment, followed, frame_times, lit
from benchmarks.active_sessions import Seen, challenge_of, screen_strength
from samebody.attacks.active_track import Track
from samebody.attacks.challenge import Challenge
from samebody.attacks.injection import perceptual_hash
from samebody.attacks.injection_frames import SMALL
from samebody.face.pose import reference_head
from samebody.synth.attacks.light import to_light

Floats = NDArray[np.float64]
DIMENSIONS = 128


def track_of(moments: list[Moment], rng: np.random.Generator, *, strength: float, relief: float = 1.0) -> Track:
    """What the mesh network would see of a head of points with a little noise.

    Args:
        strength: light of a white screen on the face over that of the room.
        relief: depth of the head over that of the reference head; 0 for a flat picture.
    """
    head = reference_head() * np.array([1.0, 1.0, relief])
    count = len(moments)

    def values(name: str) -> Floats:
        return np.array([getattr(each, name) for each in moments]) + rng.normal(0, 0.004, count)

    yaw, pitch, size = values("yaw") + rng.normal(0, 0.5, count), values("pitch"), 0.2 * values("size")
    points = np.stack([projected(head, y, p, 320 * s, 160) for y, p, s in zip(yaw, pitch, size, strict=True)])
    points += rng.normal(0, 0.004, points.shape) * 320 * size[:, None, None]
    face = np.tile([0.3, 0.22, 0.18], (count, 1)) * rng.normal(1, 0.01, (count, 1))
    around = np.tile([0.2, 0.2, 0.2], (count, 1)) * rng.normal(1, 0.01, (count, 1))
    for place, each in enumerate(moments):
        if each.colour is not None:
            screen = to_light(np.array([[each.colour]], np.uint8))[0, 0]
            face[place] *= 1 + strength * screen
            around[place] *= 1 + 0.04 * strength * screen
    at_ms = np.array([each.at_ms for each in moments])
    return Track(
        at_ms, yaw, pitch, 0.05 + 0.7 * values("blink"), 0.02 + 0.7 * values("smile"), size, points, face, around
    )


def projected(head: Floats, yaw: float, pitch: float, scale: float, middle: float) -> Floats:
    """(n, 2) pixels of a head 6 eye distances before the camera, turned as the face room measures it."""
    y, p = math.radians(yaw), math.radians(pitch)
    turn = np.array([[math.cos(y), 0, math.sin(y)], [0, 1, 0], [-math.sin(y), 0, math.cos(y)]])
    tilt = np.array([[1, 0, 0], [0, math.cos(p), -math.sin(p)], [0, math.sin(p), math.cos(p)]])
    turned = head @ (turn @ tilt).T
    near = 6 / (6 - turned[:, 2:])
    return np.asarray(turned[:, :2] * near * np.array([1.0, -1.0]) * scale + middle)


def seen_of(track: Track, challenge: Challenge, rng: np.random.Generator, *, noise: float) -> Seen:
    """A kept session round a track: thumbnails that follow the pose, noise of a camera, templates of one person."""
    ramp = np.linspace(0, 2 * math.pi, SMALL)
    small: list[Floats] = []
    greys: list[Floats] = []
    for yaw, pitch, size in zip(track.yaw, track.pitch, track.size, strict=True):
        wave = np.sin(ramp[None, :] * 3 + yaw / 4) + np.cos(ramp[:, None] * 2 + pitch / 4) + 20 * (size - 0.2)
        grey = np.clip(128 + 25 * wave, 0, 255)
        small.append(grey.ravel() + rng.normal(0, 0.05, SMALL * SMALL))
        greys.append(grey)
    person = rng.normal(size=DIMENSIONS)
    templates = person + rng.normal(0, 0.05, (5, DIMENSIONS))
    templates /= np.linalg.norm(templates, axis=1, keepdims=True)
    levels = np.abs(rng.normal(noise, 0.1 * noise, len(track)))
    levels[0] = np.nan
    hashes = np.zeros((len(track), 32), np.uint8)
    middle = np.repeat(cv2.resize(greys[len(track) // 2].astype(np.uint8), (64, 64))[..., None], 3, axis=2)
    hashes[len(track) // 2] = np.frombuffer(perceptual_hash(middle) or bytes(32), np.uint8)
    return Seen(
        challenge,
        track,
        np.array(small, np.float32),
        levels,
        np.zeros(len(track), bool),
        templates.astype(np.float32),
        (),
        np.zeros((0, 4)),
        hashes,
        {"lux": 100.0, "strength": 0.4, "added_noise": 0.0},
    )


def drawn_sessions(
    count: int, strength: float | None = None
) -> Iterator[tuple[str, dict[str, Seen], NDArray[np.float32]]]:
    """Name, sessions and selfie of ``count`` heads: bona fide, its colours in the dark, a still, an animated still.

    Args:
        strength: of the screen's light; None draws it for every head.
    """
    for number in range(count):
        rng = np.random.default_rng(number)
        challenge = challenge_of(rng)
        light, lux = (strength, 100.0) if strength is not None else screen_strength(rng)
        added = 0.0 if number % 2 == 0 else 2.0
        times = frame_times(challenge, rng)
        late = times >= challenge.flashes[0].at_ms
        moments = followed(challenge, times, Manner(), rng)
        tail = [m for m, kept in zip(moments, late, strict=True) if kept]
        asked = replace(challenge, steps=())
        still = [replace(m, blink=0.0) for m in followed(asked, times, Manner(), rng)]
        driven = followed(challenge, times, Manner(late_ms=200), rng)
        lit_tail = [m for m, kept in zip(driven, late, strict=True) if kept]
        made = {
            "bona_fide": (track_of(moments, rng, strength=light), 2.0),
            "dark": (track_of(tail, rng, strength=0.0), 2.0),
            "still": (track_of([lit(m, challenge) for m in still], rng, strength=light, relief=0.0), 2.0),
            "puppet": (track_of(driven, rng, strength=0.0), max(added, 1e-4)),
            "puppet_lit": (track_of(lit_tail, rng, strength=light), max(added, 1e-4)),
        }
        kept = {kind: seen_of(track, challenge, rng, noise=noise) for kind, (track, noise) in made.items()}
        drawn = {"lux": lux, "strength": light, "added_noise": added}
        first = kept["bona_fide"].templates
        kept = {kind: replace(each, templates=first, drawn=drawn) for kind, each in kept.items()}
        yield f"drawn-{number}", kept, first[0]
