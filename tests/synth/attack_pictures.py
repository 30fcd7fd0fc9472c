"""Drawn faces with a mesh, so that the tests of synthetic attacks need no photograph and no model."""

from __future__ import annotations

import math

import cv2
import numpy as np
from numpy.typing import NDArray

from samebody.synth.attacks import Source, generator, mesh
from samebody.synth.attacks.light import grain, soft_field


def ring(
    points: NDArray[np.float64], indices: tuple[int, ...], centre: tuple[float, float], axes: tuple[float, float]
) -> None:
    for number, index in enumerate(indices):
        angle = 2 * math.pi * number / len(indices) - math.pi / 2
        points[index] = centre[0] + axes[0] * math.cos(angle), centre[1] + axes[1] * math.sin(angle)


def drawn_mesh(side: int, random: np.random.Generator) -> NDArray[np.float64]:
    """478 points about where a frontal face of ``side`` pixels of picture has them."""
    radius, angle = np.sqrt(random.random(478)), random.uniform(0, 2 * math.pi, 478)
    points = np.column_stack([0.5 + 0.3 * radius * np.cos(angle), 0.5 + 0.38 * radius * np.sin(angle)])
    for indices, (x, y), axes in (
        (mesh.CHEEKS, (0.5, 0.56), (0.22, 0.2)),
        (mesh.NOSE, (0.5, 0.52), (0.04, 0.11)),
        (mesh.NOSE_OUTLINE, (0.5, 0.54), (0.06, 0.12)),
        (mesh.RIGHT_BROW, (0.38, 0.33), (0.08, 0.02)),
        (mesh.LEFT_BROW, (0.62, 0.33), (0.08, 0.02)),
        (mesh.RIGHT_EYE, (0.38, 0.42), (0.06, 0.025)),
        (mesh.LEFT_EYE, (0.62, 0.42), (0.06, 0.025)),
        (mesh.LIPS, (0.5, 0.72), (0.1, 0.04)),
        (mesh.OVAL, (0.5, 0.5), (0.34, 0.44)),
    ):
        ring(points, indices, (x, y), axes)
    points[4] = 0.5, 0.55
    stretch = random.uniform(0.93, 1.07, 2)
    return np.asarray(((points - 0.5) * stretch + 0.5 + random.uniform(-0.02, 0.02, 2)) * side)


def drawn_face(number: int, side: int = 128) -> Source:
    """A face-like picture with edges, texture and grain; another one for each ``number``."""
    random = generator(number, "drawn face")
    points = drawn_mesh(side, random)
    skin = np.array([0.75, 0.55, 0.45]) * random.uniform(0.4, 1.2)
    shape = (side, side)
    picture = np.ones((*shape, 3), np.float32) * random.uniform(0.1, 0.9, 3).astype(np.float32)
    for _ in range(6):
        x, y = (int(v) for v in random.integers(0, side, 2))
        colour = tuple(float(v) for v in random.uniform(0, 1, 3))
        cv2.rectangle(picture, (x, y), (x + side // 4, y + side // 2), colour, -1, cv2.LINE_AA)
    face = mesh.polygon_mask(points[list(mesh.OVAL)], shape, 0.6)[..., None]
    shade = (1 + 0.2 * soft_field(shape, 3, random) + 0.03 * grain(shape, 0.8, random))[..., None]
    picture += face * (skin * shade - picture)
    for indices, colour in (
        (mesh.RIGHT_EYE, (0.1, 0.1, 0.15)),
        (mesh.LEFT_EYE, (0.1, 0.1, 0.15)),
        (mesh.LIPS, (0.6, 0.2, 0.2)),
        (mesh.RIGHT_BROW, (0.1, 0.08, 0.06)),
        (mesh.LEFT_BROW, (0.1, 0.08, 0.06)),
    ):
        part = mesh.polygon_mask(points[list(indices)], shape, 0.4)[..., None]
        picture += part * (np.array(colour, np.float32) - picture)
    picture += 0.01 * random.standard_normal(picture.shape)
    return Source(np.asarray(np.clip(255 * picture, 0, 255), np.uint8), points)


def flat(side: int = 128, value: int = 150) -> Source:
    return Source(np.full((side, side, 3), value, np.uint8))
