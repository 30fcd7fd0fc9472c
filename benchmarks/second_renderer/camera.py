"""A camera model: curved page, lens, light, mosaic sensor with shot noise, demosaicing, sharpening, JPEG."""

from __future__ import annotations

import io
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image as PillowImage

from benchmarks.second_renderer.layout import Rectangle
from benchmarks.second_renderer.ranges import Capture

Linear = NDArray[np.float32]
"""Light in linear scale, shape (height, width, 3), 1 = white paper fully exposed."""

_STEP = 8  # the ray caster works on every eighth pixel; the maps are smooth between them
_MID_GREY = 0.2159  # linear value of sRGB 128
_SLOPE = 1.0757  # d(sRGB) / d(linear) at mid grey


def to_linear(values: NDArray[np.float32]) -> Linear:
    """sRGB values in 0-1 to linear light (IEC 61966-2-1)."""
    return _CURVE_LINEAR[np.clip(values * 4096 + 0.5, 0, 4096).astype(np.int32)]


_CURVE = np.linspace(0, 1, 4097)
_CURVE_LINEAR = np.where(_CURVE <= 0.04045, _CURVE / 12.92, ((_CURVE + 0.055) / 1.055) ** 2.4).astype(np.float32)
_CURVE_SRGB = np.where(_CURVE <= 0.0031308, _CURVE * 12.92, 1.055 * _CURVE ** (1 / 2.4) - 0.055).astype(np.float32)


def to_srgb(light: Linear) -> NDArray[np.float32]:
    """Linear light to sRGB values in 0-1, clipped."""
    return _CURVE_SRGB[np.clip(light * 4096 + 0.5, 0, 4096).astype(np.int32)]


@dataclass(frozen=True, slots=True)
class Optics:
    """What the phone is like, beyond the shared ranges.

    Attributes:
        distance: of the camera in page widths; small means strong perspective.
        distortion: radial coefficient at half the picture's diagonal; negative is barrel.
        aberration: relative size difference of the red and blue pictures to the green one.
        vignette: loss of light in the corners.
        shot_share: share of the noise variance at mid grey that comes from photon counting.
        sharpening, halo: amount and sigma of the unsharp mask.
        gains: white balance error of red, green, blue.
        exposure: linear scale; 1 = white paper just reaches full scale.
        bulge, lean, reach: the page's curl in millimetres (at the spine, along x) and its decay length.
        subsampling: Pillow's number for JPEG chroma (0 = 4:4:4, 2 = 4:2:0).
    """

    distance: float
    distortion: float
    aberration: tuple[float, float]
    vignette: float
    shot_share: float
    sharpening: float
    halo: float
    gains: tuple[float, float, float]
    exposure: float
    bulge: float
    lean: float
    reach: float
    subsampling: int

    @classmethod
    def draw(cls, random: np.random.Generator, *, bends: bool) -> Optics:
        return cls(
            distance=float(random.uniform(1.9, 4.0)),
            distortion=float(random.uniform(-0.03, 0.02)),
            aberration=(float(random.uniform(-6e-4, 6e-4)), float(random.uniform(-6e-4, 6e-4))),
            vignette=float(random.uniform(0.0, 0.25)),
            shot_share=float(random.uniform(0.5, 0.9)),
            sharpening=float(random.uniform(0.0, 0.7)),
            halo=float(random.uniform(0.7, 1.3)),
            gains=(float(random.uniform(0.92, 1.06)), 1.0, float(random.uniform(0.88, 1.06))),
            exposure=float(random.uniform(0.62, 1.0)),
            bulge=float(random.uniform(0.0, 2.2)) if bends else 0.0,
            lean=float(random.uniform(-1.2, 1.2)) if bends else float(random.uniform(-0.3, 0.3)),
            reach=float(random.uniform(10, 28)),
            subsampling=int(random.choice([2, 2, 2, 0])),
        )


class Camera:
    """Where everything lands on the photograph. Page coordinates are millimetres, photograph coordinates pixels."""

    def __init__(
        self,
        capture: Capture,
        optics: Optics,
        size: tuple[float, float],
        zone: Rectangle,
        cap_height: float,
        random: np.random.Generator,
    ) -> None:
        self.capture, self.optics, self.size = capture, optics, size
        roll = np.radians(capture.rotation_degrees + capture.quarter_turn)
        tilt, azimuth = np.radians(capture.tilt_degrees), np.radians(capture.tilt_azimuth_degrees)
        in_plane = np.array([[np.cos(roll), -np.sin(roll), 0], [np.sin(roll), np.cos(roll), 0], [0, 0, 1]])
        axis = np.array([np.cos(azimuth), np.sin(azimuth), 0]) * tilt
        self.rotation = in_plane @ cv2.Rodrigues(axis)[0]
        self.distance = optics.distance * size[0]
        self.scale = 1.0
        self.principal = np.zeros(2)
        self.middle = np.zeros(2)
        self.half_diagonal = np.inf
        centre = (zone[0] + zone[2] / 2, zone[1] + zone[3] / 2)
        for _ in range(3):  # the frame depends on the outline, which the distortion within the frame moves a little
            self._frame(random.spawn(1)[0] if self.half_diagonal == np.inf else None)
            foot, top = self.project(
                np.array([[centre[0], centre[1] + cap_height / 2], [centre[0], centre[1] - cap_height / 2]])
            )
            factor = capture.character_height_px / float(np.hypot(*(foot - top)))
            self.scale *= factor
            self.principal, self.middle = self.principal * factor, self.middle * factor
            self.half_diagonal *= factor
            self._wanted = (self._wanted[0] * factor, self._wanted[1] * factor)
        self.width, self.height = (max(64, round(value)) for value in self._wanted)

    # ------------------------------------------------------------------------------------------------------ geometry

    def surface(self, x: NDArray[np.float64], y: NDArray[np.float64]) -> NDArray[np.float64]:
        """Height of the page over its plane in millimetres, negative towards the camera."""
        optics, width = self.optics, self.size[0]
        curl = optics.bulge * np.exp(-np.clip(np.abs(y), 0, 200) / optics.reach)
        return np.asarray(-curl + optics.lean * np.sin(np.pi * np.clip(x / width, -0.5, 1.5)))

    def project(self, points: NDArray[np.float64]) -> NDArray[np.float64]:
        """Page points (n, 2) in millimetres to photograph pixels (n, 2), the origin at the picture's outer corner."""
        x, y = points[:, 0], points[:, 1]
        world = np.stack([x - self.size[0] / 2, y - self.size[1] / 2, self.surface(x, y)], axis=1)
        seen = world @ self.rotation.T
        flat = self.scale * self.distance * seen[:, :2] / (self.distance + seen[:, 2:])
        return self._distort(flat + self.principal)

    def _distort(self, points: NDArray[np.float64]) -> NDArray[np.float64]:
        away = points - self.middle
        square = (away**2).sum(axis=-1, keepdims=True) / self.half_diagonal**2
        return np.asarray(self.middle + away * (1 + self.optics.distortion * square))

    def _undistort(self, points: NDArray[np.float64]) -> NDArray[np.float64]:
        target = points - self.middle
        away = target.copy()
        for _ in range(6):
            square = (away**2).sum(axis=-1, keepdims=True) / self.half_diagonal**2
            away = target / (1 + self.optics.distortion * square)
        return np.asarray(away + self.middle)

    def outline(self) -> NDArray[np.float64]:
        """The page's edge on the photograph, 40 points a side."""
        width, height = self.size
        along = np.linspace(0, 1, 40, endpoint=False)
        zero, one = np.zeros(40), np.ones(40)
        x = np.concatenate([along, one, 1 - along, zero]) * width
        y = np.concatenate([zero, along, one, 1 - along]) * height
        return self.project(np.stack([x, y], axis=1))

    def _frame(self, random: np.random.Generator | None) -> None:
        """Choose the picture's size and where the page lies on it, so that the wanted share of it is background."""
        if random is not None:
            self._dice = random.uniform(0, 1, 4)
        self.half_diagonal = np.inf if random is not None else self.half_diagonal
        points = self.outline() - self.principal
        low, high = points.min(axis=0), points.max(axis=0)
        extent = (high - low) * 1.03
        area = abs(float(cv2.contourArea(points.astype(np.float32))))
        least = 1 - area / float(extent.prod())
        share = self.capture.background_share
        self.background_share = share = max(share, least)
        total = area / (1 - share)
        shapes = [4 / 3, 3 / 4, 3 / 2, 2 / 3, 16 / 9, 9 / 16, 1.0]
        fitting = [
            shape for shape in shapes if (total * shape) ** 0.5 >= extent[0] and (total / shape) ** 0.5 >= extent[1]
        ]
        if fitting:
            shape = fitting[min(len(fitting) - 1, int(self._dice[0] * len(fitting)))]
        else:  # keep the area and stay as near as can be to the page's own bounding box
            narrow, wide = float(extent[0] ** 2 / total), float(total / extent[1] ** 2)
            shape = narrow + (wide - narrow) * float(self._dice[1])
        width, height = float((total * shape) ** 0.5), float((total / shape) ** 0.5)
        room = np.array([width, height]) - (high - low)
        self.principal = room * (0.12 + 0.76 * self._dice[2:4]) - low
        self.middle = np.array([width, height]) / 2
        self.half_diagonal = float(np.hypot(width, height) / 2)
        self._wanted = (width, height)

    def page_coordinates(self, zoom: float = 0.0) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """For every pixel the page point it sees, in millimetres; ``zoom`` is the channel's relative size."""
        columns, rows = self.width // _STEP + 3, self.height // _STEP + 3
        x = (np.arange(columns) - 1 + 0.5) * _STEP
        y = (np.arange(rows) - 1 + 0.5) * _STEP
        grid = np.stack(np.meshgrid(x, y), axis=-1).reshape(-1, 2)
        grid = self._undistort(self.middle + (grid - self.middle) * (1 - zoom)) - self.principal
        rays = np.concatenate([grid / (self.scale * self.distance), np.ones((len(grid), 1))], axis=1) @ self.rotation
        eye = np.array([0.0, 0.0, -self.distance]) @ self.rotation
        height = np.zeros(len(grid))
        for _ in range(6):
            reach = (height - eye[2]) / rays[:, 2]
            px = eye[0] + reach * rays[:, 0] + self.size[0] / 2
            py = eye[1] + reach * rays[:, 1] + self.size[1] / 2
            height = self.surface(px, py)
        maps = []
        for values in (px, py):
            coarse = values.reshape(rows, columns).astype(np.float32)
            fine = cv2.resize(coarse, (columns * _STEP, rows * _STEP), interpolation=cv2.INTER_LINEAR)
            maps.append(np.ascontiguousarray(fine[_STEP : _STEP + self.height, _STEP : _STEP + self.width]))
        return maps[0], maps[1]

    # --------------------------------------------------------------------------------------------------------- light

    def light(
        self, zone: NDArray[np.float64], random: np.random.Generator
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Illumination (height, width) as a factor, and the white share of the specular spot (height, width)."""
        step = 4
        h, w = self.height // step + 1, self.width // step + 1
        y, x = np.mgrid[0:h, 0:w].astype(np.float32) * step
        diagonal = 2 * self.half_diagonal
        away = np.hypot(x - self.middle[0], y - self.middle[1]) / self.half_diagonal
        factor = 1 - self.optics.vignette * away**2
        slope = random.uniform(-0.18, 0.18, 2)
        factor *= 1 + slope[0] * (x - self.middle[0]) / diagonal + slope[1] * (y - self.middle[1]) / diagonal
        outline = self.outline()
        anchor = outline[int(random.integers(len(outline)))] * 0.5 + outline.mean(axis=0) * 0.5
        angle = random.uniform(0, 2 * np.pi)
        edge = (x - anchor[0]) * np.cos(angle) + (y - anchor[1]) * np.sin(angle)
        if random.random() < 0.5:  # a hand or a phone rather than a wall
            across = -(x - anchor[0]) * np.sin(angle) + (y - anchor[1]) * np.cos(angle)
            edge = np.hypot(edge, across * random.uniform(0.5, 1.0)) - diagonal * random.uniform(0.12, 0.28)
        softness = diagonal * random.uniform(0.01, 0.09)
        factor *= 1 - self.capture.shadow_strength / (1 + np.exp(np.clip(edge / softness, -30, 30)))
        spot = np.zeros((h, w), np.float32)
        if self.capture.glare_strength > 0:
            spot = self._spot(x, y, zone, random) * np.float32(self.capture.glare_strength)
        size = (self.width, self.height)
        return (
            cv2.resize(factor.astype(np.float32), size, interpolation=cv2.INTER_LINEAR),
            cv2.resize(spot, size, interpolation=cv2.INTER_LINEAR),
        )

    def _spot(
        self, x: NDArray[np.float32], y: NDArray[np.float32], zone: NDArray[np.float64], random: np.random.Generator
    ) -> NDArray[np.float32]:
        span = float(np.hypot(*(np.ptp(self.outline(), axis=0))))
        radius = span * random.uniform(0.04, 0.13)
        for attempt in range(200):
            u, v = random.uniform(0.05, 0.95, 2) * np.asarray(self.size)
            centre = self.project(np.array([[u, v]]))[0]
            angle, stretch = random.uniform(0, np.pi), random.uniform(1.0, 4.0)
            dx, dy = x - centre[0], y - centre[1]
            along, across = dx * np.cos(angle) + dy * np.sin(angle), -dx * np.sin(angle) + dy * np.cos(angle)
            falloff = np.exp(-((((along / stretch) ** 2 + across**2) / radius**2) ** 0.8))
            if self.capture.glare_over_mrz:
                break
            inside = np.zeros(x.shape, np.uint8)
            cv2.fillConvexPoly(inside, np.round(zone / 4).astype(np.int32), 1)
            if float((falloff * inside).max()) < 0.02:
                break
            radius *= 0.985
            if attempt == 199:
                falloff = np.zeros_like(x)
        return np.asarray(falloff, np.float32)

    # -------------------------------------------------------------------------------------------------------- sensor

    def develop(self, light: Linear, random: np.random.Generator, *, noise_scale: float = 1.0) -> NDArray[np.uint8]:
        """Blur, sample through a mosaic with noise, demosaic, sharpen: linear light to RGB uint8."""
        capture, optics = self.capture, self.optics
        blurred = blur(light, capture.blur_sigma_px, capture.motion_direction_degrees)
        blurred *= np.asarray(optics.gains, np.float32) * np.float32(optics.exposure)
        raw = np.empty(blurred.shape[:2], np.float32)
        raw[0::2, 0::2], raw[0::2, 1::2] = blurred[0::2, 0::2, 0], blurred[0::2, 1::2, 1]
        raw[1::2, 0::2], raw[1::2, 1::2] = blurred[1::2, 0::2, 1], blurred[1::2, 1::2, 2]
        sigma = capture.noise_sigma * noise_scale / 255 / _SLOPE
        variance = sigma**2 * (optics.shot_share * np.clip(raw, 0, 1) / _MID_GREY + 1 - optics.shot_share)
        raw += np.sqrt(variance) * random.standard_normal(raw.shape, dtype=np.float32)
        pedestal = 0.06  # dark noise must not be clipped before demosaicing
        counts = np.clip((np.minimum(raw, 1.0) + pedestal) * 60000, 0, 65535).astype(np.uint16)
        colour = cv2.demosaicing(counts, cv2.COLOR_BayerBG2RGB_EA).astype(np.float32) / 60000 - pedestal
        values = to_srgb(colour)
        if optics.sharpening > 0:
            values = values + optics.sharpening * (values - cv2.GaussianBlur(values, (0, 0), optics.halo))
        return np.clip(values * 255 + 0.5, 0, 255).astype(np.uint8)


def blur(light: Linear, sigma: float, direction: float | None) -> Linear:
    """Gaussian blur, or motion along ``direction`` degrees whose standard deviation is ``sigma`` pixels."""
    if direction is None:
        return cv2.GaussianBlur(light, (0, 0), sigma)
    length = sigma * 12**0.5  # a uniform path of this length has standard deviation sigma
    size = 2 * int(np.ceil(length / 2)) + 3
    path = np.linspace(-length / 2, length / 2, 2001)
    edges = np.arange(size + 1) - size / 2
    angle = np.radians(direction)
    kernel = np.histogram2d(path * np.sin(angle), path * np.cos(angle), bins=(edges, edges))[0]
    return cv2.filter2D(light, -1, kernel / kernel.sum())


def encode(pixels: NDArray[np.uint8], quality: int, subsampling: int) -> bytes:
    """RGB pixels as JPEG."""
    stream = io.BytesIO()
    PillowImage.fromarray(pixels).save(stream, "JPEG", quality=quality, subsampling=subsampling)
    return stream.getvalue()


def decode(jpeg: bytes) -> NDArray[np.uint8]:
    """JPEG to RGB pixels."""
    return np.array(PillowImage.open(io.BytesIO(jpeg)).convert("RGB"), np.uint8)
