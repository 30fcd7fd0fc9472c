"""A photograph of a face that moves: turned, nodding, blinking, smiling and lit by a screen, on its own mesh.

For tests and measurements of active liveness. A head is the mesh in space with the photograph on it, nearer triangles
drawn over farther ones; nothing that the photograph does not show becomes visible (no second cheek, no inside of a
mouth), so that turns beyond 35 degrees look torn. The caller brings the mesh; no model is run here.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.spatial import Delaunay

from samebody.capture.srgb import encoded, linear
from samebody.synth.attacks.mesh import LEFT_EYE, OVAL, RIGHT_EYE
from samebody.types import Pixels

Points = NDArray[np.float64]

TURN_DEGREES, NOD_DEGREES = 32.0, 22.0
"""Of a whole gesture. The mesh network sees about two thirds of a turn (docs/results/active-liveness.md)."""
APPROACH = 1.32
"""Growth of the picture when a person comes closer."""
_MESH = 478
_CORNERS = (61, 291)
_OUTER_EYES = (33, 263)


@dataclass(frozen=True, slots=True)
class Gesture:
    """What the face does at one moment.

    Attributes:
        yaw, pitch: degrees as :class:`samebody.face.results.FaceMesh` has them: to the person's own left, downward.
        blink: 0 as photographed, 1 with closed eyes.
        smile: 0 at rest, 1 a broad one.
        scale: size of the picture, 1 as photographed.
        shift: (x, y) of the whole picture, pixels.
    """

    yaw: float = 0.0
    pitch: float = 0.0
    blink: float = 0.0
    smile: float = 0.0
    scale: float = 1.0
    shift: tuple[float, float] = (0.0, 0.0)


REST = Gesture()


def gesture_of(action: str, amount: float) -> Gesture:
    """What a person does for a prompt (``turn_left``, ``nod`` ...), from 0 (at rest) to 1 (all of it).

    Raises:
        ValueError: no action of that name.
    """
    match action:
        case "turn_left":
            return Gesture(yaw=TURN_DEGREES * amount)
        case "turn_right":
            return Gesture(yaw=-TURN_DEGREES * amount)
        case "nod":
            return Gesture(pitch=NOD_DEGREES * amount)
        case "blink":
            return Gesture(blink=amount)
        case "smile":
            return Gesture(smile=amount)
        case "closer":
            return Gesture(scale=1 + (APPROACH - 1) * amount)
    raise ValueError(f"no action is named {action!r}")


class Puppet:
    """One photograph and its mesh.

    Args:
        pixels: (H, W, 3) uint8 RGB.
        points: (478, 3) mesh in pixels, z negative toward the camera.
        rest: the smile at rest, 0 as photographed; -1 takes away the one that most portraits have.

    Raises:
        ValueError: another number of points.
    """

    def __init__(self, pixels: Pixels, points: Points, rest: float = 0.0) -> None:
        if points.shape != (_MESH, 3):
            raise ValueError(f"expected (478, 3) points, got {points.shape}")
        self.pixels, self.points = pixels, points.astype(np.float64)
        height, width = pixels.shape[:2]
        self._smile = rest
        self._centre = self.points[list(OVAL)].mean(axis=0)
        self._unit = math.dist(self.points[_OUTER_EYES[0]][:2], self.points[_OUTER_EYES[1]][:2])
        self._depth = float(self.points[:, 2].max())
        outline = self.points[list(OVAL)]
        # hair, ears and neck: they turn with the face, near the axis; what is farther out stays where it is
        head = self._centre + 1.3 * (outline - self._centre)
        head[:, 2] = self._depth
        behind = self._centre + 2.1 * (outline - self._centre)
        behind[:, 2] = self._depth + self._unit
        steps = np.linspace(0, 1, 7)
        edges = np.array(
            [(x * width, y * height) for x in steps for y in steps if x in (0, 1) or y in (0, 1)], dtype=np.float64
        )
        inside = (behind[:, 0] > 0) & (behind[:, 0] < width) & (behind[:, 1] > 0) & (behind[:, 1] < height)
        behind = behind[inside]
        back = np.column_stack([edges, np.full(len(edges), self._depth + self._unit)])
        self._moving = len(self.points) + len(head)
        self._rest = np.vstack([self.points, head, behind, back])
        self._triangles = np.asarray(Delaunay(self._rest[:, :2]).simplices, dtype=np.intp)
        self._asleep: Pixels | None = None

    def render(self, gesture: Gesture = REST, *, flat: bool = False) -> Pixels:
        """(H, W, 3) uint8: the photograph making a gesture.

        Args:
            flat: turn the photograph as a plane instead of a head; its expressions do not change then.
        """
        drawn = self._as_plane(gesture) if flat else self._as_head(gesture)
        return self._moved(drawn, gesture)

    def _as_plane(self, gesture: Gesture) -> Pixels:
        height, width = self.pixels.shape[:2]
        corners = np.array([[0, 0], [width, 0], [width, height], [0, height]], dtype=np.float64)
        turned = self._turned(np.column_stack([corners, np.full(4, self._centre[2])]), gesture, self._centre[2])
        matrix = cv2.getPerspectiveTransform(corners.astype(np.float32), turned[:, :2].astype(np.float32))
        return np.asarray(
            cv2.warpPerspective(self.pixels, matrix, (width, height), borderMode=cv2.BORDER_REPLICATE), np.uint8
        )

    def _as_head(self, gesture: Gesture) -> Pixels:
        texture = self._lids(gesture.blink)
        smile = self._smile + gesture.smile * (1 - self._smile)
        if not (gesture.yaw or gesture.pitch or smile):
            return texture
        now = self._rest.copy()
        now[:_MESH] = self._smiling(smile)
        now[: self._moving] = self._turned(now[: self._moving], gesture, self._depth)
        height, width = self.pixels.shape[:2]
        order = np.argsort(-now[self._triangles, 2].mean(axis=1))
        owner = np.zeros((height, width), np.int32)
        corners = np.round(now[self._triangles, :2] * 16).astype(np.int32)
        for triangle in order:
            cv2.fillConvexPoly(owner, corners[triangle], int(triangle), cv2.LINE_8, 4)
        back = _affines(now[self._triangles, :2], self._rest[self._triangles, :2]).astype(np.float32)
        x, y = np.meshgrid(np.arange(width, dtype=np.float32), np.arange(height, dtype=np.float32))
        chosen = back[owner]
        source_x = chosen[..., 0, 0] * x + chosen[..., 0, 1] * y + chosen[..., 0, 2]
        source_y = chosen[..., 1, 0] * x + chosen[..., 1, 1] * y + chosen[..., 1, 2]
        return np.asarray(
            cv2.remap(texture, source_x, source_y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE), np.uint8
        )

    def _lids(self, blink: float) -> Pixels:
        """The photograph with its eyes closed by skin from around them, mixed in by ``blink``."""
        if blink <= 0:
            return self.pixels
        if self._asleep is None:
            mask = np.zeros(self.pixels.shape[:2], np.uint8)
            thick = max(1, round(0.035 * self._unit))
            for ring in (RIGHT_EYE, LEFT_EYE):
                eye = self.points[list(ring), :2]
                open_eye = eye.mean(axis=0) + (eye - eye.mean(axis=0)) * np.array([1.12, 2.1])
                cv2.fillPoly(mask, [open_eye.round().astype(np.int32)], 255)
            closed = cv2.inpaint(self.pixels, mask, 3 * thick, cv2.INPAINT_TELEA)
            lashes = np.zeros(self.pixels.shape[:2], np.float32)
            for ring in (RIGHT_EYE, LEFT_EYE):
                lower = self.points[list(ring[:9]), :2]
                cv2.polylines(lashes, [lower.round().astype(np.int32)], False, 0.75, thick, cv2.LINE_AA)
            dark = 1 - cv2.GaussianBlur(lashes, (0, 0), 0.4 * thick)[..., None]
            self._asleep = np.asarray(np.round(closed * dark), np.uint8)
        return np.asarray(cv2.addWeighted(self._asleep, blink, self.pixels, 1 - blink, 0), np.uint8)

    def _smiling(self, smile: float) -> Points:
        points = self.points.copy()
        middle = self.points[list(_CORNERS)].mean(axis=0)
        for corner in _CORNERS:
            away = np.linalg.norm(self.points[:, :2] - self.points[corner, :2], axis=1) / self._unit
            pull = smile * np.exp(-0.5 * (away / 0.17) ** 2)
            side = np.sign(self.points[corner, 0] - middle[0])
            points[:, 0] += pull * side * 0.12 * self._unit
            points[:, 1] -= pull * 0.11 * self._unit
        return points

    def _turned(self, points: Points, gesture: Gesture, axis: float) -> Points:
        """Turned about the vertical, then the level axis at depth ``axis``, seen from six face widths away."""
        yaw, pitch = math.radians(gesture.yaw), math.radians(gesture.pitch)
        x, y, z = (points - np.array([self._centre[0], self._centre[1], axis])).T
        x, z = x * math.cos(yaw) - z * math.sin(yaw), x * math.sin(yaw) + z * math.cos(yaw)
        y, z = y * math.cos(pitch) - z * math.sin(pitch), y * math.sin(pitch) + z * math.cos(pitch)
        away = 8 * self._unit
        before = points[:, 2] - axis  # the photograph has its own perspective already: only the change is added
        near = (away + before) / (away + z)
        return np.column_stack([x * near + self._centre[0], y * near + self._centre[1], z + axis])

    def _moved(self, drawn: Pixels, gesture: Gesture) -> Pixels:
        if gesture.scale == 1 and gesture.shift == (0.0, 0.0):
            return drawn
        height, width = drawn.shape[:2]
        x, y = self._centre[:2]
        matrix = np.array(
            [
                [gesture.scale, 0, x * (1 - gesture.scale) + gesture.shift[0]],
                [0, gesture.scale, y * (1 - gesture.scale) + gesture.shift[1]],
            ]
        )
        return np.asarray(
            cv2.warpAffine(drawn, matrix, (width, height), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE),
            np.uint8,
        )

    def nearness(self) -> NDArray[np.float32]:
        """(H, W) 0-1: how much of a screen's light falls here; 1 on the face, little on what is behind."""
        height, width = self.pixels.shape[:2]
        mask = np.full((height, width), 0.06, np.float32)
        outline = self._centre[:2] + 1.25 * (self.points[list(OVAL), :2] - self._centre[:2])
        cv2.fillConvexPoly(mask, outline.round().astype(np.int32), 1.0)
        return np.asarray(cv2.GaussianBlur(mask, (0, 0), 0.15 * self._unit), np.float32)


def screen_light(
    pixels: Pixels, nearness: NDArray[np.float32], colour: tuple[int, int, int], strength: float
) -> Pixels:
    """(H, W, 3) uint8: the picture with the light of a screen added, in linear light.

    Args:
        nearness: (H, W) of :meth:`Puppet.nearness`.
        colour: sRGB of the screen, 0-255.
        strength: light of a white screen on the face over the light that was there.
    """
    light = 1 + strength * nearness[..., None] * linear(np.asarray(colour, np.float32) / 255)
    shown = np.clip(linear(pixels.astype(np.float32) / 255) * light, 0, 1)
    return np.asarray(np.round(255 * encoded(shown)), np.uint8)


def framed(pixels: Pixels, points: Points, width: int, height: int, share: float = 0.42) -> tuple[Pixels, Points]:
    """The photograph cut and scaled to a camera's frame, and the mesh in it.

    Args:
        share: of the frame's height that the face takes, between forehead and chin.

    Returns:
        (height, width, 3) uint8 and (478, 3); what lies outside the photograph repeats its edge.
    """
    low, high = points[:, :2].min(axis=0), points[:, :2].max(axis=0)
    scale = share * height / float(high[1] - low[1])
    centre = (low + high) / 2
    move = np.array([width / 2, height / 2]) - scale * centre
    matrix = np.array([[scale, 0, move[0]], [0, scale, move[1]]])
    if scale < 1:  # averages first, or fine structure would alias
        blurred = np.asarray(cv2.GaussianBlur(pixels, (0, 0), 0.5 / scale), np.uint8)
    else:
        blurred = pixels
    cut = cv2.warpAffine(blurred, matrix, (width, height), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    moved = points * scale
    moved[:, :2] += move
    return np.asarray(cut, np.uint8), moved


def _affines(source: Points, target: Points) -> Points:
    """(n, 2, 3) maps of triangles (n, 3, 2) onto others; a triangle seen from its edge gets one that stays finite."""
    ones = np.ones((*source.shape[:2], 1))
    matrix = np.concatenate([source, ones], axis=2)
    flat = np.abs(np.linalg.det(matrix)) < 1e-9
    matrix[flat] = np.array([[0, 0, 1], [1, 0, 1], [0, 1, 1]], dtype=np.float64)
    return np.asarray(np.linalg.solve(matrix, target).transpose(0, 2, 1))
