"""Where a flat sheet or screen lies before the camera, and which point of it every sensor pixel sees."""

from __future__ import annotations

import math
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from samebody.synth.attacks.light import Light, Plane
from samebody.synth.attacks.record import Draw

Matrix = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class View:
    """A flat picture before a pinhole camera.

    Attributes:
        homography: (3, 3), source pixels to sensor pixels, both with the origin at the outer corner of the first pixel.
        shape: height and width of the sensor in pixels.
        source_shape: height and width of the source in pixels.
    """

    homography: Matrix
    shape: tuple[int, int]
    source_shape: tuple[int, int]

    def grid(self) -> tuple[Plane, Plane]:
        """Source coordinates (x, y) of every sensor pixel's centre, two float32 planes of :attr:`shape`."""
        m = np.linalg.inv(self.homography)
        m = (m / m[2, 2]).astype(np.float32)
        x = np.arange(self.shape[1], dtype=np.float32)[None, :] + np.float32(0.5)
        y = np.arange(self.shape[0], dtype=np.float32)[:, None] + np.float32(0.5)
        over = 1 / (m[2, 0] * x + m[2, 1] * y + 1)
        return (m[0, 0] * x + m[0, 1] * y + m[0, 2]) * over, (m[1, 0] * x + m[1, 1] * y + m[1, 2]) * over

    def jacobian(self) -> Matrix:
        """(2, 2) change of the source coordinates by sensor pixel, in the middle of the sensor."""
        middle = np.array([self.shape[1] / 2, self.shape[0] / 2])
        inverse = np.linalg.inv(self.homography)

        def at(point: NDArray[np.float64]) -> NDArray[np.float64]:
            lifted = inverse @ np.array([point[0], point[1], 1.0])
            return np.asarray(lifted[:2] / lifted[2])

        return np.column_stack(
            [(at(middle + step) - at(middle - step)) / 1.0 for step in (np.array([0.5, 0]), np.array([0, 0.5]))]
        )

    @property
    def scale(self) -> float:
        """Sensor pixels a source pixel, in the middle of the sensor."""
        return float(1 / math.sqrt(abs(np.linalg.det(self.jacobian()))))


def draw_view(draw: Draw, source_shape: tuple[int, int], shape: tuple[int, int], framing: str) -> View:
    """Place the source before the camera.

    ``tight``: it fills the sensor, as a crop of the face would; a few degrees of tilt and turn. ``scene``: it takes
    0.38 to 0.75 of the sensor's side and more tilt.
    """
    height, width = source_shape
    tight = framing == "tight"
    turn = math.radians(draw.normal("turn_degrees", 1.5 if tight else 4.0))
    tilt = math.radians(draw.uniform("tilt_degrees", 0, 10 if tight else 28))
    azimuth = math.radians(draw.uniform("tilt_azimuth_degrees", 0, 360))
    distance = draw.uniform("distance_in_sides", 1.5, 4.0)
    offset = (draw.uniform("offset_x", -1, 1), draw.uniform("offset_y", -1, 1))
    share = draw.uniform("share_of_frame", 0.38, 0.75)
    rotation = _about(azimuth) @ _tilted(tilt) @ _about(-azimuth) @ _about(turn)
    longer = max(height, width)
    plane = np.array([rotation[0, [0, 1]], rotation[1, [0, 1]], rotation[2, [0, 1]] / distance])
    plane = np.column_stack([plane, [0, 0, 1.0]])
    centred = np.array([[1 / longer, 0, -width / 2 / longer], [0, 1 / longer, -height / 2 / longer], [0, 0, 1.0]])
    ratios = (shape[0] / height, shape[1] / width)
    reach = longer * (max(ratios) if tight else share * min(ratios))
    room = (0.0, 0.0)
    if tight:
        reach *= _zoom_that_fills(plane, centred, shape, source_shape, reach)
    else:
        room = ((shape[1] - reach * width / longer) / 2 * 0.6, (shape[0] - reach * height / longer) / 2 * 0.6)
    place = np.array(
        [
            [reach, 0, shape[1] / 2 + offset[0] * room[0]],
            [0, reach, shape[0] / 2 + offset[1] * room[1]],
            [0, 0, 1.0],
        ]
    )
    homography = place @ plane @ centred
    return View(homography / homography[2, 2], shape, source_shape)


def _zoom_that_fills(
    plane: Matrix, centred: Matrix, shape: tuple[int, int], source_shape: tuple[int, int], reach: float
) -> float:
    """The smallest of a few zooms at which every corner of the sensor sees the source."""
    corners = np.array([[0, 0, 1], [shape[1], 0, 1], [shape[1], shape[0], 1], [0, shape[0], 1]], np.float64)
    zoom = 1.0
    for zoom in np.arange(1.0, 1.36, 0.02):
        place = np.array([[reach * zoom, 0, shape[1] / 2], [0, reach * zoom, shape[0] / 2], [0, 0, 1.0]])
        seen = corners @ np.linalg.inv(place @ plane @ centred).T
        seen = seen[:, :2] / seen[:, 2:]
        if (seen >= 0).all() and (seen <= [source_shape[1], source_shape[0]]).all():
            break
    return float(zoom)


def _about(angle: float) -> Matrix:
    return np.array([[math.cos(angle), -math.sin(angle), 0], [math.sin(angle), math.cos(angle), 0], [0, 0, 1]])


def _tilted(angle: float) -> Matrix:
    return np.array([[1, 0, 0], [0, math.cos(angle), -math.sin(angle)], [0, math.sin(angle), math.cos(angle)]])


def sample(light: Light, sx: Plane, sy: Plane, scale: float) -> Light:
    """``light`` at source coordinates; where the sensor is coarser than the source, areas are averaged first.

    ``scale``: sensor pixels a source pixel. Outside, the picture goes on mirrored.
    """
    if scale < 0.8:
        height, width = light.shape[:2]
        small = (max(2, round(width * scale)), max(2, round(height * scale)))
        light = np.asarray(cv2.resize(light, small, interpolation=cv2.INTER_AREA), np.float32)
        sx, sy = sx * (small[0] / width), sy * (small[1] / height)
    filtering = cv2.INTER_CUBIC if scale > 1.15 else cv2.INTER_LINEAR
    half = np.float32(0.5)
    out = cv2.remap(light, sx - half, sy - half, filtering, borderMode=cv2.BORDER_REFLECT)
    return np.asarray(np.maximum(out, 0), np.float32)
