"""A second maker of moving heads, apart from ``samebody.synth.motion``: on it rates are reported and nothing is set.

It differs in every part: depth and pivot of the head, perspective, eyelids and mouth, course of a movement, light of
the screen, room, camera. A photograph lies on its mesh before a drawn room; the head turns about the neck, the screen
lights it against the light of the room, and the picture goes through ``samebody.synth.attacks.capture``.

The people are synthetic in their motion: how far and how fast they move is drawn from :class:`Manner`, which is an
assumption and no measurement.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import cv2
import numpy as np
from numpy.typing import NDArray

from samebody.attacks.challenge import COLOURS, Action, Challenge
from samebody.synth.attacks.capture import CaptureChain, develop, draw_chain, mean_shown
from samebody.synth.attacks.light import Light, Plane, gamut, room, to_light
from samebody.synth.attacks.mesh import OVAL, frame_points, triangles, warp_maps
from samebody.types import Pixels

Floats = NDArray[np.float64]

WIDTH, HEIGHT = 320, 240
"""Of a frame. The capture page sends 480 pixels on the longer side: two thirds cost less than half the time."""
GAP_MS = 160.0
"""Between two frames; the capture page sends 8 a second, and fewer where the device is slow."""
FACE_SHARE = 0.5
"""Height of the face at rest over that of the frame."""

_RIGHT_LIDS = ((246, 7), (161, 163), (160, 144), (159, 145), (158, 153), (157, 154), (173, 155))
_LEFT_LIDS = ((466, 249), (388, 390), (387, 373), (386, 374), (385, 380), (384, 381), (398, 382))
_LIDS = (*_RIGHT_LIDS, *_LEFT_LIDS)
"""Upper and lower lid."""
_ABOVE = ((247, 246), (30, 161), (29, 160), (27, 159), (28, 158), (56, 157), (190, 173))
_ABOVE_LEFT = ((467, 466), (260, 388), (259, 387), (257, 386), (258, 385), (286, 384), (414, 398))
_RIGHT_CORNER, _LEFT_CORNER = 61, 291
_OUTER_EYES = (33, 263)


@dataclass(frozen=True, slots=True)
class Moment:
    """What a camera would see at one time.

    Attributes:
        at_ms: since the challenge began.
        yaw, pitch, roll: degrees against the photograph; signs as :class:`samebody.face.results.FaceMesh`.
        blink, smile: 0-1.
        size: of the face over that at rest.
        x, y: of the camera's shake, pixels.
        colour: sRGB of the screen 0-255; None where it shows no colour.
    """

    at_ms: float
    yaw: float = 0.0
    pitch: float = 0.0
    roll: float = 0.0
    blink: float = 0.0
    smile: float = 0.0
    size: float = 1.0
    x: float = 0.0
    y: float = 0.0
    colour: tuple[int, int, int] | None = None


@dataclass(frozen=True, slots=True)
class Manner:
    """How somebody answers prompts: ranges that are drawn from, evenly unless said.

    Attributes:
        onset_ms: median of a log-normal of spread ``onset_spread``: reading the prompt and beginning.
        rise_ms, hold_ms: of a movement there, and of staying.
        turn, nod: degrees; ``smile`` 0-1; ``closer`` growth.
        blinks: how many, least and most; ``closed_ms`` each.
        sway: standard deviation of yaw and pitch at rest, degrees; ``shake`` of the camera, pixels.
        late_ms: what comes on top for who answers by way of a program.
    """

    onset_ms: float = 650
    onset_spread: float = 0.3
    rise_ms: tuple[float, float] = (300, 700)
    hold_ms: tuple[float, float] = (150, 900)
    turn: tuple[float, float] = (18, 40)
    nod: tuple[float, float] = (10, 24)
    smile: tuple[float, float] = (0.5, 1.0)
    closer: tuple[float, float] = (0.12, 0.45)
    blinks: tuple[int, int] = (1, 3)
    closed_ms: tuple[float, float] = (130, 350)
    sway: float = 1.2
    shake: float = 1.5
    late_ms: float = 0


def frame_times(challenge: Challenge, rng: np.random.Generator) -> Floats:
    """(n,) times of the frames of one recording: every :data:`GAP_MS`, wavering, one in fifty lost."""
    count = int(challenge.duration_ms / GAP_MS)
    gaps = GAP_MS + rng.gamma(2.0, rng.uniform(1.0, 6.0), count) * rng.choice([-0.4, 1.0], count)
    gaps[rng.random(count) < 0.02] += GAP_MS
    times = rng.uniform(5, 60) + np.cumsum(gaps)
    return np.asarray(times[times < challenge.duration_ms])


def followed(challenge: Challenge, times: Floats, manner: Manner, rng: np.random.Generator) -> list[Moment]:
    """What somebody with this manner does at ``times``."""
    count = len(times)
    yaw, pitch, roll = (_wander(times, manner.sway * part, 900, rng) for part in (1, 0.8, 0.7))
    x, y = (_wander(times, manner.shake, 400, rng) for _ in range(2))
    blink, smile, size = np.zeros(count), np.zeros(count), 1 + _wander(times, 0.006, 1500, rng)
    now = rng.exponential(4000)
    while now < times[-1]:  # blinks that nobody asked for, about 15 a minute
        blink = np.maximum(blink, _closure(times, now, rng.uniform(90, 160)))
        now += 400 + rng.exponential(3600)
    for step in challenge.steps:
        begin = step.at_ms + manner.late_ms + manner.onset_ms * math.exp(rng.normal(0, manner.onset_spread))
        rise, hold = rng.uniform(*manner.rise_ms), rng.uniform(*manner.hold_ms)
        course = _there_and_back(times, begin, rise, hold)
        match step.action:
            case Action.TURN_LEFT:
                yaw += rng.uniform(*manner.turn) * course
            case Action.TURN_RIGHT:
                yaw -= rng.uniform(*manner.turn) * course
            case Action.NOD:
                amount = rng.uniform(*manner.nod)
                pitch += amount * course - 0.3 * amount * _there_and_back(times, begin + 2 * rise + hold, rise, 0)
            case Action.BLINK:
                at = begin
                for _ in range(int(rng.integers(manner.blinks[0], manner.blinks[1] + 1))):
                    closed = rng.uniform(*manner.closed_ms)
                    blink = np.maximum(blink, _closure(times, at, closed))
                    at += closed + rng.uniform(150, 400)
            case Action.SMILE:
                smile += rng.uniform(*manner.smile) * course
            case Action.CLOSER:
                size *= 1 + rng.uniform(*manner.closer) * course
    values = zip(times, yaw, pitch, roll, np.clip(blink, 0, 1), np.clip(smile, 0, 1), size, x, y, strict=True)
    names = ("at_ms", "yaw", "pitch", "roll", "blink", "smile", "size", "x", "y")
    return [lit(Moment(**{n: float(v) for n, v in zip(names, row, strict=True)}), challenge) for row in values]


def lit(moment: Moment, challenge: Challenge) -> Moment:
    """The moment with the colour that the screen shows then."""
    shown = next((f for f in challenge.flashes if f.at_ms <= moment.at_ms < f.until_ms), None)
    return replace(moment, colour=None if shown is None else COLOURS[shown.colour])


def _wander(times: Floats, spread: float, slow_ms: float, rng: np.random.Generator) -> Floats:
    """A process of Ornstein and Uhlenbeck."""
    out = np.zeros(len(times))
    value = rng.normal(0, spread)
    for place, gap in enumerate(np.diff(times, prepend=times[0])):
        kept = math.exp(-gap / slow_ms)
        value = kept * value + math.sqrt(1 - kept * kept) * rng.normal(0, spread)
        out[place] = value
    return out


def _there_and_back(times: Floats, begin: float, rise: float, hold: float) -> Floats:
    """0-1: a minimum-jerk course up (Flash and Hogan, 1985), a stay, and down again a fifth more slowly."""

    def smooth(part: Floats) -> Floats:
        u = np.clip(part, 0, 1)
        return np.asarray(u**3 * (10 - 15 * u + 6 * u * u))

    return np.asarray(smooth((times - begin) / rise) - smooth((times - begin - rise - hold) / (1.2 * rise)))


def _closure(times: Floats, begin: float, closed: float) -> Floats:
    """0-1: lids closing in 60 ms, closed, opening in 120 ms; a frame sees the mean over its exposure of 30 ms."""
    fine = times[:, None] + np.linspace(-15, 15, 5)
    down, up = np.clip((fine - begin) / 60, 0, 1), np.clip((fine - begin - 60 - closed) / 120, 0, 1)
    return np.asarray((down * (1 - up)).mean(axis=1))


class SecondHead:
    """A photograph on its mesh before a room.

    Args:
        pixels: (H, W, 3) uint8 RGB with one face.
        points: (478, 3) its mesh in pixels, z negative toward the camera.
        rng: draws depth, pivot, distance, room and lights of this person and place.
    """

    def __init__(self, pixels: Pixels, points: NDArray[np.floating], rng: np.random.Generator) -> None:
        mesh = points[:468].astype(np.float64)
        oval = mesh[list(OVAL)]
        tall = float(np.ptp(oval[:, 1]))
        scale = FACE_SHARE * HEIGHT / tall
        centre = np.array([oval[:, 0].mean(), (oval[:, 1].min() + oval[:, 1].max()) / 2])
        shift = np.array([WIDTH * rng.uniform(0.46, 0.54), HEIGHT * rng.uniform(0.5, 0.58)]) - scale * centre
        matrix = np.array([[scale, 0, shift[0]], [0, scale, shift[1]]])
        head = cv2.warpAffine(pixels, matrix, (WIDTH, HEIGHT), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
        self._head = to_light(np.asarray(head, np.uint8))
        rest = np.column_stack([mesh[:, :2] * scale + shift, mesh[:, 2] * scale * rng.uniform(0.85, 1.15)])
        self._tall = FACE_SHARE * HEIGHT
        self._rest = np.vstack([rest, self._shell(rest, 1.25, 0.45), self._shell(rest, 1.6, 0.8)])
        self._inner = len(self._rest)
        self._frame = frame_points((HEIGHT, WIDTH))
        self._source = np.vstack([self._rest[:, :2], self._frame])
        self._simplices = triangles(self._source)
        middle = rest[list(OVAL)].mean(axis=0)
        self._pivot = middle + self._tall * np.array([0, rng.uniform(0.2, 0.45), rng.uniform(0.3, 0.55)])
        self._plane = float(middle[2] - self._pivot[2])
        self._away = self._tall * rng.uniform(2.6, 5.0)
        self._mask = self._cover(rest)
        self._room = room((HEIGHT, WIDTH), rng) * np.float32(rng.uniform(0.5, 1.1))
        self._sides = (rng.uniform(0.85, 1.0), rng.uniform(0.85, 1.0))
        self._primaries = gamut(rng.uniform(0.02, 0.2), rng.normal(0, 0.05))
        x = np.arange(WIDTH, dtype=np.float32)[None, :] - np.float32(middle[0])
        y = np.arange(HEIGHT, dtype=np.float32)[:, None] - np.float32(middle[1] + 0.15 * self._tall)
        self._near = np.exp(-(x * x + y * y) / (2 * (0.75 * self._tall) ** 2)).astype(np.float32)

    @staticmethod
    def _shell(rest: Floats, grown: float, behind: float) -> Floats:
        """Points round the face that carry hair and neck, behind it."""
        oval = rest[list(OVAL)]
        centre = oval.mean(axis=0)
        ring = centre + grown * (oval - centre)
        ring[:, 2] = centre[2] + behind * float(np.ptp(oval[:, 1]))
        return np.asarray(ring[::2])

    def _cover(self, rest: Floats) -> Plane:
        """1 where the person is: an ellipse of head and hair, and shoulders below."""
        oval = rest[list(OVAL), :2]
        (x, y), wide = oval.mean(axis=0), float(np.ptp(oval[:, 0]))
        mask = np.zeros((HEIGHT, WIDTH), np.float32)
        cv2.ellipse(mask, (round(x), round(y - 0.08 * self._tall)), (round(0.72 * wide), round(0.72 * self._tall)),
                    0, 0, 360, 1.0, -1)  # fmt: skip
        neck = np.array(
            [[x - 0.45 * wide, y], [x + 0.45 * wide, y], [x + 1.25 * wide, HEIGHT], [x - 1.25 * wide, HEIGHT]]
        )
        cv2.fillConvexPoly(mask, neck.round().astype(np.int32), 1.0)
        return np.asarray(cv2.GaussianBlur(mask, (0, 0), 4), np.float32)

    def light(self, moment: Moment, strength: float) -> Light:
        """(HEIGHT, WIDTH, 3) linear light of one moment, 1 = white; even sides, as a sensor wants them.

        Args:
            strength: light of a white screen on the face over that of the room; 0 where no screen lights it.
        """
        target = np.vstack([self._projected(moment), self._frame])
        depth = np.concatenate([self._depth(moment), np.full(len(self._frame), 4 * self._tall)])
        order = np.argsort(-depth[self._simplices].mean(axis=1))
        # maps are smooth but for the outline: half the resolution tells as much in a quarter of the time
        coarse = warp_maps(target / 2, self._source, self._simplices[order], (HEIGHT // 2, WIDTH // 2))
        maps = [cv2.resize(each, (WIDTH, HEIGHT), interpolation=cv2.INTER_LINEAR) for each in coarse[:2]]
        half = np.float32(0.5)
        stacked = np.dstack([self._head, self._mask, self._near])
        seen = cv2.remap(stacked, maps[0] - half, maps[1] - half, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
        head, mask, near = seen[..., :3], seen[..., 3:4], seen[..., 4:5]
        behind = self._room
        if moment.colour is not None and strength > 0:
            screen = to_light(np.array([[moment.colour]], np.uint8))[0, 0].astype(np.float64)
            screen = np.asarray(self._primaries @ screen, np.float32) * np.float32(strength)
            head = head * (1 + near * screen)
            behind = behind * (1 + np.float32(0.04) * screen)
        out = mask * head + (1 - mask) * behind
        if moment.x or moment.y:
            move = np.array([[1, 0, moment.x], [0, 1, moment.y]])
            out = cv2.warpAffine(out, move, (WIDTH, HEIGHT), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
        return np.asarray(out, np.float32)

    def _expressed(self, moment: Moment) -> Floats:
        points = self._rest.copy()
        if moment.blink > 0:
            for side, pairs in enumerate((_RIGHT_LIDS, _LEFT_LIDS)):
                closing = 0.97 * moment.blink * self._sides[side]
                for upper, lower in pairs:
                    points[upper] += closing * (self._rest[lower] - self._rest[upper])
            for above, upper in (*_ABOVE, *_ABOVE_LEFT):
                points[above] += 0.6 * (points[upper] - self._rest[upper])
        if moment.smile > 0:
            eyes = math.dist(self._rest[_OUTER_EYES[0]], self._rest[_OUTER_EYES[1]])
            for side, corner, out in ((0, _RIGHT_CORNER, -1.0), (1, _LEFT_CORNER, 1.0)):
                away = np.linalg.norm(self._rest[:468, :2] - self._rest[corner, :2], axis=1) / eyes
                weight = np.exp(-0.5 * (away / 0.17) ** 2) * moment.smile * self._sides[side]
                points[:468, 0] += weight * 0.10 * eyes * out
                points[:468, 1] -= weight * 0.115 * eyes
                points[:468, 2] += weight * 0.05 * eyes
        return points

    def _turned(self, moment: Moment) -> Floats:
        yaw, pitch, roll = (math.radians(each) for each in (moment.yaw, moment.pitch, moment.roll))
        about_y = np.array([[math.cos(yaw), 0, -math.sin(yaw)], [0, 1, 0], [math.sin(yaw), 0, math.cos(yaw)]])
        about_x = np.array([[1, 0, 0], [0, math.cos(pitch), -math.sin(pitch)], [0, math.sin(pitch), math.cos(pitch)]])
        about_z = np.array([[math.cos(roll), -math.sin(roll), 0], [math.sin(roll), math.cos(roll), 0], [0, 0, 1]])
        return np.asarray((self._expressed(moment) - self._pivot) @ (about_z @ about_y @ about_x).T)

    def _projected(self, moment: Moment) -> Floats:
        # a pinhole at the distance that makes the face ``size`` times as large as at rest
        points = self._turned(moment)
        near = self._away / (self._away / moment.size + points[:, 2] - self._plane)
        return np.asarray(points[:, :2] * near[:, None] + self._pivot[:2])

    def _depth(self, moment: Moment) -> Floats:
        return np.asarray(self._turned(moment)[:, 2])


@dataclass(slots=True)
class SecondCamera:
    """A camera with a sensor, automatic exposure and white balance that follow slowly.

    Attributes:
        chain: lens, noise, sharpening.
        balance: share of the way to grey that white balance goes within a frame.
        exposing: the same of exposure.
    """

    chain: CaptureChain
    balance: float
    exposing: float
    target: Floats
    gain: Floats

    @classmethod
    def drawn(cls, rng: np.random.Generator, first: Light) -> SecondCamera:
        """A camera that has settled on ``first``."""
        target = np.full(3, rng.uniform(0.38, 0.55)) * (1 + rng.normal(0, 0.02, 3))
        gain = (target / mean_shown(first)) ** 2
        return cls(draw_chain(rng), rng.uniform(0, 0.04), rng.uniform(0.05, 0.4), target, gain)

    def take(self, light: Light, rng: np.random.Generator) -> Pixels:
        """One frame."""
        wanted = (self.target / mean_shown(light)) ** 2
        exposed = float(np.exp(np.mean(np.log(wanted / self.gain))))
        self.gain = self.gain * exposed**self.exposing * (wanted / self.gain / exposed) ** self.balance
        shown = develop(np.asarray(light * self.gain.astype(np.float32), np.float32), self.chain, rng)
        return np.asarray(np.clip(shown + 0.5, 0, 255), np.uint8)


def moved_plane(picture: Light, behind: Light, moment: Moment, pivot: Sequence[float]) -> Light:
    """A flat picture held before the camera: turned, moved and grown as a plane, before ``behind``.

    Args:
        picture: (HEIGHT, WIDTH, 3) linear light of what is printed; its middle three quarters are the sheet.
    """
    yaw, pitch, roll = (math.radians(each) for each in (moment.yaw, moment.pitch, moment.roll))
    inset_x, inset_y = 0.1 * WIDTH, 0.02 * HEIGHT
    corners = np.array(
        [
            [inset_x, inset_y],
            [WIDTH - inset_x, inset_y],
            [WIDTH - inset_x, HEIGHT - inset_y],
            [inset_x, HEIGHT - inset_y],
        ]
    )
    flat = np.column_stack([corners - np.asarray(pivot), np.zeros(4)])
    about_y = np.array([[math.cos(yaw), 0, -math.sin(yaw)], [0, 1, 0], [math.sin(yaw), 0, math.cos(yaw)]])
    about_x = np.array([[1, 0, 0], [0, math.cos(pitch), -math.sin(pitch)], [0, math.sin(pitch), math.cos(pitch)]])
    about_z = np.array([[math.cos(roll), -math.sin(roll), 0], [math.sin(roll), math.cos(roll), 0], [0, 0, 1]])
    points = flat @ (about_z @ about_y @ about_x).T
    away = 3.5 * FACE_SHARE * HEIGHT
    near = moment.size * away / (away + points[:, 2])
    moved = points[:, :2] * near[:, None] + np.asarray(pivot) + np.array([moment.x, moment.y])
    matrix = cv2.getPerspectiveTransform(corners.astype(np.float32), moved.astype(np.float32))
    sheet = np.zeros((HEIGHT, WIDTH), np.float32)
    cv2.fillConvexPoly(sheet, corners.round().astype(np.int32), 1.0)
    stacked = np.dstack([picture, sheet])
    seen = cv2.warpPerspective(stacked, matrix, (WIDTH, HEIGHT), flags=cv2.INTER_LINEAR)
    mask = seen[..., 3:4]
    return np.asarray(seen[..., :3] * mask + (1 - mask) * behind, np.float32)
