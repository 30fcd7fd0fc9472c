"""A sheet or a screen in front of a camera: its picture, its edge, what lies behind it, the fingers that hold it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal

import cv2
import numpy as np
from numpy.typing import NDArray

from samebody.synth.attacks.capture import CaptureChain, through_lens
from samebody.synth.attacks.light import Light, Plane, lamp, room, soft_field, to_light, window
from samebody.synth.attacks.record import Draw, Source, generator
from samebody.synth.attacks.view import View, sample

Edge = Literal["screen", "sheet"]

SKIN = np.array([[0.66, 0.42, 0.30], [0.50, 0.29, 0.19], [0.30, 0.16, 0.10], [0.10, 0.055, 0.035]], np.float32)
"""Reflectance of skin from light to dark, about what a camera sees under daylight."""


@dataclass(frozen=True, eq=False)
class Scene:
    """What generators of recaptured attacks draw into.

    Attributes:
        source: the bona fide picture.
        view: where it lies.
        chain: the camera, whose lens acts on what is drawn.
        framing: ``tight`` or ``scene``.
        seed: of the surroundings, shared with the bona fide twin.
        facts: how the view was drawn, JSON-ready.
    """

    source: Source
    view: View
    chain: CaptureChain
    framing: str
    seed: int
    facts: Mapping[str, Any]

    @cached_property
    def light(self) -> Light:
        """The source's own linear light."""
        return to_light(self.source.pixels)

    @cached_property
    def grid(self) -> tuple[Plane, Plane]:
        """Source coordinates of the sensor's pixels."""
        return self.view.grid()

    @property
    def shape(self) -> tuple[int, int]:
        """Height and width of the sensor."""
        return self.view.shape

    @cached_property
    def behind(self) -> Light:
        """What lies behind the sheet, or behind the person."""
        return room(self.shape, generator(self.seed, "room"))

    def outside(self, sx: Plane, sy: Plane, margins: tuple[float, float] = (0.0, 0.0)) -> Plane:
        """Distance in source pixels to the edge of the picture grown by ``margins`` (x, y), negative inside."""
        height, width = self.source.size
        x, y = margins
        far = np.maximum(np.maximum(-sx - x, sx - width - x), np.maximum(-sy - y, sy - height - y))
        return np.asarray(far, np.float32)

    def cover(self, distance: Plane) -> Plane:
        """1 where ``distance`` (source pixels) is negative, 0 where it is positive, a sensor pixel's ramp between."""
        return np.asarray(np.clip(0.5 - distance * np.float32(self.view.scale), 0, 1), np.float32)

    def show(self, light: Light, *, sx: Plane | None = None, sy: Plane | None = None) -> Light:
        """Light in the source's pixels as it falls on the sensor, before the lens."""
        own_x, own_y = self.grid
        return sample(light, own_x if sx is None else sx, own_y if sy is None else sy, self.view.scale)

    def surround(self, inside: Light, edge: Edge, draw: Draw, *, sx: Plane, sy: Plane) -> tuple[Light, Plane]:
        """Edge, background and fingers around ``inside``; the light and 0-1 where the picture itself is seen.

        Draws its values in both framings, so that a strength or a framing changes nothing else.
        """
        longer = max(self.source.size)
        border = draw.uniform("border_share", 0.015, 0.07) * longer
        tone = draw.uniform("border_light", 0.004, 0.03) if edge == "screen" else draw.uniform("border_light", 0.5, 0.9)
        ambient = draw.uniform("ambient", 0.5, 1.2)
        # a display shows more than the picture (bars, an application's page); a sheet has a wider foot now and then
        above = draw.uniform("above", 0.0, 0.45) if draw.flag("tall", 0.5) else 0.0
        aside = draw.uniform("aside", 0.0, 0.5) if draw.flag("wide", 0.4) else 0.0
        page = draw.choice("page_light", (0.002, 0.03, 0.85), (0.5, 0.2, 0.3))
        fingers = draw.integer("fingers", 1, 3) if draw.flag("held", 0.5) else 0
        skin = draw.integer("finger_tone", 0, len(SKIN) - 1)
        if self.framing == "tight":
            return inside, np.ones(self.shape, np.float32)
        if edge == "sheet":
            above, aside = 0.25 * above, 0.1 * aside
        margins = (aside * longer, above * longer)
        distance = self.outside(sx, sy)
        picture = self.cover(distance)
        lit = self.cover(self.outside(sx, sy, margins))
        body = self.cover(self.outside(sx, sy, (margins[0] + border, margins[1] + border)))
        shadow = 1 - 0.4 * cv2.GaussianBlur(body, (0, 0), 0.02 * max(self.shape) + 1)
        out = self.behind * np.float32(ambient) * shadow[..., None]
        rim = tone if edge == "screen" else tone * ambient
        field = page if edge == "screen" else rim
        light = lit * np.float32(field) + (1 - lit) * np.float32(rim)
        out += body[..., None] * (light[..., None] - out)
        out += picture[..., None] * (inside - out)
        if fingers:
            self._hold(out, picture, fingers, SKIN[skin] * np.float32(ambient), margins)
        return np.asarray(out, np.float32), picture

    def _hold(
        self, out: Light, picture: Plane, count: int, skin: NDArray[np.float32], margins: tuple[float, float]
    ) -> None:
        """Thumbs over an edge of the sheet: rounded, shaded, in place."""
        random = generator(self.seed, "fingers")
        height, width = self.source.size
        for _ in range(count):
            side = int(random.integers(0, 3))
            along = random.uniform(0.45, 0.9) if side < 2 else random.uniform(0.15, 0.85)
            left, right, foot = -margins[0], width + margins[0], height + margins[1]
            tip, root = {
                0: ((left + 0.02 * width, along * height), (left - 0.8 * width, (along + 0.35) * height)),
                1: ((right - 0.02 * width, along * height), (right + 0.8 * width, (along + 0.35) * height)),
                2: ((along * width, foot - 0.03 * height), ((along + 0.3) * width, foot + 0.9 * height)),
            }[side]
            ends = np.array([[*tip, 1.0], [*root, 1.0]]) @ self.view.homography.T
            a, b = ends[0, :2] / ends[0, 2], ends[1, :2] / ends[1, 2]
            radius = random.uniform(0.06, 0.09) * max(height, width) * self.view.scale
            x = np.arange(self.shape[1], dtype=np.float32)[None, :] - np.float32(a[0])
            y = np.arange(self.shape[0], dtype=np.float32)[:, None] - np.float32(a[1])
            axis = b - a
            t = np.clip((x * axis[0] + y * axis[1]) / float(axis @ axis), 0, 1)
            away = np.hypot(x - t * axis[0], y - t * axis[1]) / np.float32(radius)
            mask = np.clip((1 - away) * radius * 0.7, 0, 1).astype(np.float32)
            lit = 1 - 0.5 * np.clip(away, 0, 1) ** 2 + 0.25 * np.clip((x - y) / np.float32(2 * radius), -1, 1)
            colour = skin * np.clip(lit, 0.25, 1.3).astype(np.float32)[..., None]
            out += mask[..., None] * (colour - out)
            picture *= 1 - mask

    def lens(self, light: Light) -> Light:
        """Through the camera's lens."""
        return through_lens(light, self.chain)


def bona_fide_light(scene: Scene, worn: Light | None = None) -> Light:
    """The person before the camera: the source's light through the view, in a scene before what lies behind.

    ``worn``: the person's light with a mask on, in the source's pixels; None for the source as it is.

    In a scene the picture's border is carried on outwards, ever softer, until the room is seen, so that no straight
    edge stands where an attack has its border. Hair and shoulders cut by the source's own crop are not made up.
    """
    sx, sy = scene.grid
    inside = scene.show(scene.light if worn is None else worn)
    if scene.framing == "tight":
        return scene.lens(inside)
    soft = _continued(scene, 0.035)
    wide = _continued(scene, 0.22)
    side = float(max(scene.source.size))
    inset = 0.25 * min(scene.source.size)
    height, width = scene.source.size
    x = np.maximum(np.maximum(inset - sx, sx - width + inset), 0)
    y = np.maximum(np.maximum(inset - sy, sy - height + inset), 0)
    distance = (np.hypot(x, y) - np.float32(inset)) / np.float32(
        side
    )  # to a rounded rectangle, so that no corner is seen

    def ramp(low: float, high: float) -> Light:
        part = np.clip((distance - low) / (high - low), 0, 1)
        return np.asarray((part * part * (3 - 2 * part))[..., None], np.float32)

    out = inside + ramp(-0.06, 0.02) * (soft - inside)
    out += ramp(0.0, 0.15) * (wide - out)
    out += ramp(0.12, 0.6) * (scene.behind - out)
    return scene.lens(np.asarray(out, np.float32))


def _continued(scene: Scene, blur: float) -> Light:
    """The source's border carried on outwards and blurred; ``blur`` is a deviation as a share of its longer side."""
    small = cv2.resize(scene.light, (48, 48), interpolation=cv2.INTER_AREA)
    wide = cv2.copyMakeBorder(small, 72, 72, 72, 72, cv2.BORDER_REPLICATE)
    wide = cv2.GaussianBlur(wide, (0, 0), 48 * blur)
    sx, sy = scene.grid
    height, width = scene.source.size
    x = sx * np.float32(48 / width) + np.float32(71.5)
    y = sy * np.float32(48 / height) + np.float32(71.5)
    return np.asarray(cv2.remap(wide, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE), np.float32)


def reflections(scene: Scene, draw: Draw, *, gloss: float) -> Light:
    """What a glossy surface throws back: a lamp, a window, the room, in linear light before the strength.

    ``gloss`` 0-1 scales all of it; a matt surface spreads its lamp wide.
    """
    height, width = scene.shape
    longer = max(height, width)
    out = np.zeros((height, width, 3), np.float32)
    veil = draw.uniform("veil", 0.0, 0.04) * (0.4 + 0.6 * gloss)
    colour = np.array([1 + draw.normal("veil_warmth", 0.15), 1.0, 1 - draw.facts["veil_warmth"]], np.float32)
    field = 1 + 0.6 * soft_field(scene.shape, 2.0, draw.random)
    out += np.float32(veil) * np.maximum(field, 0.1)[..., None] * colour
    if draw.flag("lamp", 0.35):
        size = draw.log_uniform("lamp_size", 0.03, 0.22) * longer * (1.6 - 0.6 * gloss)
        centre = (draw.uniform("lamp_x", 0, 1) * width, draw.uniform("lamp_y", 0, 1) * height)
        spot = lamp(
            scene.shape,
            centre,
            (size, size * draw.uniform("lamp_aspect", 0.4, 1.0)),
            draw.uniform("lamp_angle", 0, math.pi),
        )
        out += spot[..., None] * colour * np.float32(draw.log_uniform("lamp_light", 0.08, 0.9) * gloss)
    if draw.flag("window", 0.3):
        centre = (draw.uniform("window_x", -0.1, 1.1) * width, draw.uniform("window_y", -0.1, 1.1) * height)
        half = (
            draw.uniform("window_width", 0.08, 0.3) * longer,
            draw.uniform("window_height", 0.1, 0.4) * longer,
        )
        pane = window(
            scene.shape,
            centre,
            half,
            draw.normal("window_angle", 0.2),
            draw.log_uniform("window_soft", 0.012, 0.08) * longer,
        )
        out += pane[..., None] * colour[::-1] * np.float32(draw.log_uniform("window_light", 0.04, 0.45) * gloss)
    return out
