"""A synthetic eye in front of a near-infrared camera: pixels, and the ground truth about them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from samebody.synth.iris.conditions import CaptureConditions, draw_conditions
from samebody.synth.iris.identity import EyeIdentity, Side
from samebody.synth.iris.lids import lash_layer, lid_curves, opening
from samebody.synth.iris.texture import anisotropic_noise

Grey = NDArray[np.float32]
_CONTOUR = 256


@dataclass(frozen=True, slots=True, eq=False)
class EyeTruth:
    """What is known about a synthetic picture. Contours are pixels (x, y), origin at the corner of the first pixel.

    Attributes:
        eye: ``left`` or ``right``.
        pupil, limbus: (256, 2) closed contours, from the right clockwise as seen in the picture, hidden parts included.
        upper_lid, lower_lid: (n, 2) curves from left to right.
        iris: (height, width) bool, iris ring as if nothing covered it.
        visible: of it what no lid, lash or reflection covers.
        lashes, specular: (height, width) bool.
        turn: angle in radians by which the texture is turned clockwise in this picture, against a capture without roll
            and torsion.
        identity: label of the eye.
        conditions: everything drawn for the capture, JSON-ready.
    """

    eye: Side
    pupil: NDArray[np.float64] = field(repr=False)
    limbus: NDArray[np.float64] = field(repr=False)
    upper_lid: NDArray[np.float64] = field(repr=False)
    lower_lid: NDArray[np.float64] = field(repr=False)
    iris: NDArray[np.bool_] = field(repr=False)
    visible: NDArray[np.bool_] = field(repr=False)
    lashes: NDArray[np.bool_] = field(repr=False)
    specular: NDArray[np.bool_] = field(repr=False)
    turn: float = 0.0
    identity: str = ""
    conditions: Mapping[str, Any] = field(default_factory=dict)

    @property
    def occlusion(self) -> float:
        """Share of the iris ring that is covered, 0-1; 1 where none of it lies in the picture."""
        whole = int(self.iris.sum())
        return 1.0 - int(self.visible.sum()) / whole if whole else 1.0


@dataclass(frozen=True, slots=True, eq=False)
class SyntheticEye:
    """A picture, (height, width) uint8 grey, and the truth about it."""

    image: NDArray[np.uint8] = field(repr=False)
    truth: EyeTruth


def capture_eye(
    identity: EyeIdentity,
    capture: int = 0,
    conditions: CaptureConditions | None = None,
    *,
    width: int = 640,
    height: int = 480,
    difficulty: float = 1.0,
) -> SyntheticEye:
    """Picture number ``capture`` of an eye; the same arguments give the same pixels.

    Args:
        identity: the eye.
        capture: number of the picture, not negative: seeds noise, reflections and, unless given, the conditions.
        conditions: of the capture; drawn by :func:`draw_conditions` otherwise.
        width, height, difficulty: of drawn conditions.
    """
    side = 1 if identity.eye == "left" else 2
    rng = np.random.default_rng(np.random.SeedSequence([identity.seed, identity.person, side, 7, capture]))
    drawn = draw_conditions(rng, width, height, difficulty)
    c = conditions or drawn
    geometry = _Geometry(identity, c)
    x, y = np.meshgrid(np.arange(c.width, dtype=np.float32) + 0.5, np.arange(c.height, dtype=np.float32) + 0.5)
    rho: Grey = np.full(x.shape, 3.0, dtype=np.float32)
    angle: Grey = np.zeros(x.shape, dtype=np.float32)
    box = geometry.box(c.width, c.height)  # pixels further out belong to sclera and skin
    rho[box], angle[box] = geometry.polar(x[box], y[box])
    pixel = 1.0 / max(geometry.ring, 1.0)
    inside_limbus = _step((1.0 - rho) / (1.6 * pixel))
    inside_pupil = _step(-rho / (0.7 * pixel))
    eyeball = _sclera(identity, rng, x, y, c)
    eyeball[box] += inside_limbus[box] * (_iris(identity, c, rho[box], angle[box]) - eyeball[box])
    eyeball = eyeball * (1 - inside_pupil) + (16.0 + 4.0 * (1 - c.dilation)) * inside_pupil
    upper, lower = lid_curves(identity, c)
    between = opening(upper, lower, c.width, c.height)
    shade = cv2.GaussianBlur(between, (0, 0), 0.10 * c.radius)
    picture = eyeball * (0.55 + 0.45 * shade) * between + _skin(identity, rng, c) * (1 - between)
    lashes = lash_layer(identity, c, upper, lower)
    picture = picture * (1 - lashes) + 28.0 * lashes
    ring = (rho >= 0.0) & (rho <= 1.0)
    glints = _glints(rng, c, geometry)
    picture = np.maximum(picture, 255.0 * glints * np.maximum(between, 0.2))
    image = _sensor(picture, c, rng)
    specular = glints * between > 0.25
    truth = EyeTruth(
        eye=identity.eye,
        pupil=geometry.contour(0.0),
        limbus=geometry.contour(1.0),
        upper_lid=upper,
        lower_lid=lower,
        iris=ring,
        visible=ring & (between > 0.5) & (lashes < 0.25) & ~specular,
        lashes=lashes >= 0.25,
        specular=specular,
        turn=c.roll + c.torsion,
        identity=identity.label,
        conditions=c.to_dict(),
    )
    return SyntheticEye(image, truth)


class _Geometry:
    """Where in the picture a point of the iris lies, and back."""

    def __init__(self, identity: EyeIdentity, c: CaptureConditions) -> None:
        self.limbus_centre = np.array(c.centre) + c.radius * np.sin(np.array(c.gaze)) * 0.35
        self.turn = c.roll + c.torsion
        self.squeeze = np.cos(np.hypot(*c.gaze))
        self.gaze_angle = float(np.arctan2(c.gaze[1], c.gaze[0]))
        self.limbus, self.pupil = c.radius, c.radius * c.dilation
        self.offset = c.radius * np.array(identity.pupil_offset) * (1.0 - 0.5 * c.dilation)
        self.shapes = (np.array(identity.pupil_shape) * c.radius, np.array(identity.limbus_shape) * c.radius)
        self.aspect = identity.aspect
        self.ring = self.limbus - self.pupil

    def _radius(self, angle: NDArray[Any], which: int) -> NDArray[Any]:
        base = self.pupil if which == 0 else self.limbus
        first_cosine, first_sine = np.cos(angle), np.sin(angle)
        cosine_k, sine_k = first_cosine, first_sine
        radius = np.full_like(angle, base)
        for cosine, sine in self.shapes[which]:  # harmonics 2, 3, 4 by the addition theorems
            cosine_k, sine_k = (
                cosine_k * first_cosine - sine_k * first_sine,
                sine_k * first_cosine + cosine_k * first_sine,
            )
            radius += cosine * cosine_k + sine * sine_k
        return radius

    def polar(self, x: Grey, y: Grey) -> tuple[Grey, Grey]:
        """(rho, angle) of pixels: rho 0 at the pupil, 1 at the limbus, outside beyond; angle in the eye's own frame."""
        dx, dy = x - self.limbus_centre[0], y - self.limbus_centre[1]
        cosine, sine = np.cos(self.gaze_angle), np.sin(self.gaze_angle)
        along, across = (cosine * dx + sine * dy) / self.squeeze, -sine * dx + cosine * dy
        u, v = cosine * along - sine * across, sine * along + cosine * across
        cosine, sine = np.cos(self.turn), np.sin(self.turn)
        u, v = cosine * u + sine * v, (-sine * u + cosine * v) / self.aspect
        rho = np.full_like(u, 0.5)
        for _ in range(4):  # circles between two circles that share no centre: a fixed point, contracting by the offset
            share = 1.0 - np.clip(rho, -0.5, 1.5)
            p, q = u - share * self.offset[0], v - share * self.offset[1]
            angle = np.arctan2(q, p)
            inner = self._radius(angle, 0)
            rho = (np.hypot(p, q) - inner) / (self._radius(angle, 1) - inner)
        return rho.astype(np.float32), angle.astype(np.float32)

    def box(self, width: int, height: int) -> tuple[slice, slice]:
        """Rows and columns of the picture within 1.3 radii of the centre of the limbus."""
        reach = 1.3 * self.limbus
        (x, y), sides = self.limbus_centre, []
        for centre, size in ((y, height), (x, width)):
            low = int(np.clip(centre - reach, 0, size - 1))
            sides.append(slice(low, max(low + 1, int(np.clip(centre + reach, 1, size)))))
        return sides[0], sides[1]

    def contour(self, rho: float) -> NDArray[np.float64]:
        """(256, 2) pixels of the contour at ``rho``; starts at the right of the picture."""
        angle = np.linspace(0, 2 * np.pi, _CONTOUR, endpoint=False) - self.turn
        radius = (1 - rho) * self._radius(angle, 0) + rho * self._radius(angle, 1)
        u = (1 - rho) * self.offset[0] + radius * np.cos(angle)
        v = ((1 - rho) * self.offset[1] + radius * np.sin(angle)) * self.aspect
        cosine, sine = np.cos(self.turn), np.sin(self.turn)
        u, v = cosine * u - sine * v, sine * u + cosine * v
        cosine, sine = np.cos(self.gaze_angle), np.sin(self.gaze_angle)
        along, across = (cosine * u + sine * v) * self.squeeze, -sine * u + cosine * v
        return np.stack(
            [
                self.limbus_centre[0] + cosine * along - sine * across,
                self.limbus_centre[1] + sine * along + cosine * across,
            ],
            axis=1,
        )


def _step(value: Grey) -> Grey:
    return np.asarray(1.0 / (1.0 + np.exp(-np.clip(4.0 * value, -30, 30))), dtype=np.float32)


def _iris(identity: EyeIdentity, c: CaptureConditions, rho: Grey, angle: Grey) -> Grey:
    """Grey levels of the iris tissue; the tissue near the pupil gives way more than the rubber sheet says."""
    radii, angles = identity.texture.shape
    inside = np.clip(rho, 0.0, 1.0)
    tissue = np.clip(inside + c.stretch * (0.4 - c.dilation) * inside * (1 - inside), 0, 1)
    column = (angle / (2 * np.pi)) % 1.0 * angles
    padded = np.concatenate([identity.texture, identity.texture[:, :2]], axis=1)
    texture = cv2.remap(padded, column.astype(np.float32), (tissue * (radii - 1)).astype(np.float32), cv2.INTER_LINEAR)
    darker = 1.0 - 0.22 * inside**6
    return np.asarray((identity.reflectance + identity.contrast * texture) * darker, dtype=np.float32)


def _sclera(identity: EyeIdentity, rng: np.random.Generator, x: Grey, y: Grey, c: CaptureConditions) -> Grey:
    """The white of the eye: bright, darker towards the corners, with faint vessels."""
    distance = np.hypot(x - c.centre[0], y - c.centre[1]) / c.radius
    veins = cv2.resize(anisotropic_noise(rng, 48, 64, 8.0, 4.0), (c.width, c.height), interpolation=cv2.INTER_CUBIC)
    return np.asarray(identity.sclera * (1.08 - 0.10 * distance) + 3.0 * veins, dtype=np.float32)


def _skin(identity: EyeIdentity, rng: np.random.Generator, c: CaptureConditions) -> Grey:
    slow = cv2.resize(anisotropic_noise(rng, 12, 16, 2.0, 2.0), (c.width, c.height), interpolation=cv2.INTER_CUBIC)
    fine = cv2.resize(anisotropic_noise(rng, 96, 128, 24.0, 24.0), (c.width, c.height), interpolation=cv2.INTER_LINEAR)
    return np.asarray(identity.skin + 8.0 * slow + 5.0 * fine, dtype=np.float32)


def _glints(rng: np.random.Generator, c: CaptureConditions, geometry: _Geometry) -> Grey:
    """(height, width) 0-1: reflections of the lamps on the cornea, near the pupil."""
    layer = np.zeros((c.height, c.width), dtype=np.uint8)
    first = rng.normal(0.0, 0.12, 2) * c.radius + geometry.limbus_centre
    for number in range(c.spots):
        at = first + (rng.normal(0.0, 0.18, 2) * c.radius if number else 0.0)
        size = c.radius * float(rng.uniform(0.03, 0.075))
        axes = (max(1, round(16 * size)), max(1, round(16 * size * float(rng.uniform(0.6, 1.0)))))
        centre = (round(16 * float(at[0])), round(16 * float(at[1])))
        cv2.ellipse(layer, centre, axes, float(rng.uniform(0, 180)), 0, 360, 255, -1, cv2.LINE_AA, 4)
    return layer.astype(np.float32) / 255.0


def _sensor(picture: Grey, c: CaptureConditions, rng: np.random.Generator) -> NDArray[np.uint8]:
    """Light, optics, noise, 8 bits."""
    across = np.linspace(-1, 1, c.width, dtype=np.float32)[None, :]
    down = np.linspace(-1, 1, c.height, dtype=np.float32)[:, None]
    lit = picture * c.light * (1.0 + c.gradient[0] * across + c.gradient[1] * down)
    if c.motion > 0.5:
        lit = cv2.filter2D(lit, -1, _streak(c.motion, c.motion_angle))
    if c.blur > 0:
        lit = cv2.GaussianBlur(lit, (0, 0), c.blur)
    lit = 255.0 * np.clip(lit / 255.0, 0.0, 1.0) ** c.gamma
    noise = rng.standard_normal(lit.shape, dtype=np.float32) * np.sqrt(c.noise**2 * (0.5 + lit / 255.0))
    return np.asarray(np.clip(np.round(lit + noise), 0, 255), dtype=np.uint8)


def _streak(length: float, angle: float) -> Grey:
    size = 2 * int(np.ceil(length / 2)) + 3
    kernel = np.zeros((size, size), dtype=np.float32)
    middle = size // 2
    step = np.array([np.cos(angle), np.sin(angle)]) * length / 2
    first, second = np.round((middle - step) * 16).astype(int), np.round((middle + step) * 16).astype(int)
    cv2.line(kernel, tuple(first.tolist()), tuple(second.tolist()), 1.0, 1, cv2.LINE_AA, 4)
    return np.asarray(kernel / max(float(kernel.sum()), 1e-6), dtype=np.float32)
