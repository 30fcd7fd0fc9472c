"""A head, or a flat picture of one, that follows a challenge: tracks for the active checks, without pictures."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from benchmarks.active_quick import projected
from samebody.attacks.active_track import Track
from samebody.attacks.challenge import COLOURS, Action, Challenge, draw_challenge
from samebody.face.pose import reference_head

Floats = NDArray[np.float64]


def drawn(seed: int) -> Challenge:
    """A challenge whose actions, times and colours follow from a seed."""
    rng = np.random.default_rng(seed)
    return draw_challenge(lambda below: int(rng.integers(below)))


def perform(
    challenge: Challenge,
    *,
    seed: int = 0,
    flat: bool = False,
    answered: Challenge | None = None,
    delay_ms: float = 450,
    noise: float = 0.005,
    light: float = 0.08,
    gap_ms: float = 120,
) -> Track:
    """What the camera would see.

    Args:
        flat: a picture is moved instead of a head.
        answered: the challenge that is really followed: another one for a replay.
        delay_ms: from a prompt to the beginning of the movement.
        noise: of the landmarks, in distances between the eye corners.
        light: share of the screen in the light on the face; 0 for none.
    """
    rng = np.random.default_rng(seed)
    followed = answered or challenge
    end = challenge.duration_ms
    at_ms = np.cumsum(rng.uniform(0.8, 1.2, int(end / gap_ms)) * gap_ms)
    at_ms = at_ms[at_ms < end]
    count = len(at_ms)
    yaw, pitch = rng.normal(0, 0.6, count), rng.normal(0, 0.6, count)
    blink, smile, size = np.full(count, 0.05), np.full(count, 0.02), np.full(count, 0.2)
    face = np.tile([0.3, 0.22, 0.18], (count, 1)) * rng.normal(1, 0.01, (count, 1))
    around = np.tile([0.2, 0.2, 0.2], (count, 1)) * rng.normal(1, 0.01, (count, 1))
    for step in followed.steps:
        phase = np.clip((at_ms - step.at_ms - delay_ms) / max(1.0, step.for_ms - delay_ms - 250), 0, 1)
        bump = np.sin(math.pi * phase)
        match step.action:
            case Action.TURN_LEFT:
                yaw += 26 * bump
            case Action.TURN_RIGHT:
                yaw -= 26 * bump
            case Action.NOD:
                pitch += 16 * bump
            case Action.BLINK:
                blink += 0.6 * (bump > 0.5)
            case Action.SMILE:
                smile += 0.7 * bump
            case Action.CLOSER:
                size *= 1 + 0.25 * bump
    for flash in followed.flashes:
        here = (at_ms >= flash.at_ms + 80) & (at_ms < flash.until_ms + 80)
        colour = np.array(COLOURS[flash.colour]) / 255
        face[here] += light * colour * np.array([0.6, 0.5, 0.4])
        around[here] += 0.05 * light * colour
    head = reference_head()
    if flat:
        head = head * np.array([1.0, 1.0, 0.0])
    points = np.stack([projected(head, y, p, 640 * s, 320) for y, p, s in zip(yaw, pitch, size, strict=True)])
    points += rng.normal(0, noise, points.shape) * 640 * size[:, None, None]
    return Track(at_ms, yaw, pitch, blink, smile, size, points, face, around)
