"""What goes wrong with a picture between a face and a file: nine corruptions, their strengths in physical units.

Blur and motion are given in pixels of a face whose eyes stand :data:`REFERENCE_EYES` pixels apart and are scaled to the
face at hand, so that one strength means the same on small and on large pictures. Noise, compression and exposure act on
the pixels that the picture has. Everything random comes from the generator that is handed in.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

import cv2
import numpy as np
from numpy.typing import NDArray

from samebody.capture.srgb import encoded, linear
from samebody.errors import InputError, UsageError
from samebody.face import FaceDetection
from samebody.face.geometry import corner_to_index, turned
from samebody.types import Pixels

REFERENCE_EYES = 60.0
"""Distance between the eyes, in pixels, at which the strengths of blur and motion hold as they are written."""

FULL_WELL = 4000.0
"""Photo-electrons of a white pixel at exposure 1, as small camera sensors hold them."""

READ_NOISE = 6.0
"""Standard deviation of a sensor's read noise in electrons."""

CAMERA_DISTANCE = 6.0
"""Distance of the camera in face widths, for the perspective of a turned head."""

Work = Callable[[Pixels, FaceDetection, float, np.random.Generator], Pixels]


class CorruptionError(InputError):
    """A strength lies outside what the corruption is defined for."""

    code = "evaluate.corruption"


@dataclass(frozen=True, slots=True)
class Corruption:
    """One way in which pictures get worse.

    Attributes:
        name: stable.
        unit: of the strength, in words.
        strengths: the ladder, from mild to severe.
        low, high: strengths that are defined, both included.
        note: what a reader must know of it.
        work: the function; use :meth:`apply`.
    """

    name: str
    unit: str
    strengths: tuple[float, ...]
    low: float
    high: float
    note: str
    work: Work

    def apply(self, pixels: Pixels, face: FaceDetection, strength: float, rng: np.random.Generator) -> Pixels:
        """A corrupted copy.

        Args:
            pixels: (H, W, 3) uint8 RGB.
            face: found in the clean picture.
            strength: in :attr:`unit`.
            rng: for directions, places and noise.

        Returns:
            (H', W', 3) uint8 RGB; another size only where the picture was turned.

        Raises:
            CorruptionError: strength outside ``low`` to ``high``.
        """
        if not self.low <= strength <= self.high:
            raise CorruptionError(
                f"{self.name} goes from {self.low:g} to {self.high:g} {self.unit}, got {strength:g}.",
                hint="Choose a strength within.",
            )
        return np.ascontiguousarray(self.work(pixels, face, float(strength), rng))


def corruption(name: str) -> Corruption:
    """The corruption called ``name``.

    Raises:
        UsageError: there is none.
    """
    if name not in CORRUPTIONS:
        raise UsageError(f"there is no corruption {name!r}.", hint=f"Known: {', '.join(CORRUPTIONS)}.")
    return CORRUPTIONS[name]


def generator(seed: int, *names: object) -> np.random.Generator:
    """A generator that depends on ``seed`` and on what it is for, and on nothing else."""
    text = "\n".join(map(str, (seed, *names)))
    return np.random.default_rng(int.from_bytes(hashlib.sha256(text.encode()).digest()[:16], "big"))


# ------------------------------------------------------------------------------------------------------- optics, motion


def _scaled(face: FaceDetection, pixels_at_reference: float) -> float:
    return pixels_at_reference * face.inter_eye_distance / REFERENCE_EYES


def _blur(pixels: Pixels, face: FaceDetection, strength: float, rng: np.random.Generator) -> Pixels:
    sigma = _scaled(face, strength)
    if sigma < 0.05:  # the kernel is then a single tap
        return pixels.copy()
    size = 2 * math.ceil(4 * sigma) + 1
    return np.asarray(cv2.GaussianBlur(pixels, (size, size), sigma), dtype=np.uint8)


def _motion(pixels: Pixels, face: FaceDetection, strength: float, rng: np.random.Generator) -> Pixels:
    angle = rng.uniform(0, math.pi)
    kernel = line_kernel(_scaled(face, strength), angle)
    return np.asarray(cv2.filter2D(pixels, -1, kernel, borderType=cv2.BORDER_REPLICATE), dtype=np.uint8)


def line_kernel(length: float, angle: float) -> NDArray[np.float64]:
    """A straight line of ``length`` pixels at ``angle`` (radians), sampled bilinearly; sums to 1."""
    half = math.ceil(length / 2) + 1
    kernel = np.zeros((2 * half + 1, 2 * half + 1))
    along = np.linspace(-length / 2, length / 2, max(2, 8 * math.ceil(length)))
    for x, y in zip(along * math.cos(angle) + half, along * math.sin(angle) + half):
        column, row = int(x), int(y)
        dx, dy = x - column, y - row
        kernel[row : row + 2, column : column + 2] += np.outer([1 - dy, dy], [1 - dx, dx])
    return np.asarray(kernel / kernel.sum(), dtype=np.float64)


# -------------------------------------------------------------------------------------------------- sensor, compression


def _noise(pixels: Pixels, face: FaceDetection, strength: float, rng: np.random.Generator) -> Pixels:
    return _rounded(pixels + strength * rng.standard_normal(pixels.shape))


def _jpeg(pixels: Pixels, face: FaceDetection, strength: float, rng: np.random.Generator) -> Pixels:
    done, data = cv2.imencode(".jpg", pixels[:, :, ::-1], [cv2.IMWRITE_JPEG_QUALITY, round(strength)])
    if not done:  # pragma: no cover
        raise CorruptionError("the picture cannot be written as JPEG.")
    decoded = cv2.imdecode(data, cv2.IMREAD_COLOR)
    assert decoded is not None
    return np.asarray(decoded[:, :, ::-1], dtype=np.uint8)


def _low_light(pixels: Pixels, face: FaceDetection, strength: float, rng: np.random.Generator) -> Pixels:
    electrons = FULL_WELL * strength * _LINEAR[pixels]
    read = rng.poisson(electrons) + READ_NOISE * rng.standard_normal(pixels.shape)
    return _rounded(255 * encoded(np.clip(read / FULL_WELL, 0, 1)))


_LINEAR = linear(np.arange(256) / 255)


def _resolution(pixels: Pixels, face: FaceDetection, strength: float, rng: np.random.Generator) -> Pixels:
    scale = strength / face.inter_eye_distance
    if scale >= 1:
        return pixels.copy()
    height, width = pixels.shape[:2]
    small = (max(1, round(width * scale)), max(1, round(height * scale)))
    shrunk = cv2.resize(pixels, small, interpolation=cv2.INTER_AREA)
    return np.asarray(cv2.resize(shrunk, (width, height), interpolation=cv2.INTER_CUBIC), dtype=np.uint8)


# ------------------------------------------------------------------------------------------------------ things and pose


def _occlusion(pixels: Pixels, face: FaceDetection, strength: float, rng: np.random.Generator) -> Pixels:
    height, width = pixels.shape[:2]
    left, top = max(0.0, face.box.x), max(0.0, face.box.y)
    right, bottom = min(width, face.box.x + face.box.width), min(height, face.box.y + face.box.height)
    area = strength * (right - left) * (bottom - top)
    # the widest and the narrowest piece of that area that the box holds
    least, most = area / (bottom - top), right - left
    across = float(np.clip(math.sqrt(area) * math.sqrt(2.0 ** rng.uniform(-1, 1)), least, most))
    down = area / across
    x, y = left + rng.uniform(0, 1) * (right - left - across), top + rng.uniform(0, 1) * (bottom - top - down)
    result = pixels.copy()
    result[round(y) : round(y + down), round(x) : round(x + across)] = rng.integers(0, 256, 3)
    return result


def _roll(pixels: Pixels, face: FaceDetection, strength: float, rng: np.random.Generator) -> Pixels:
    height, width = pixels.shape[:2]
    matrix, size = turned(width, height, strength * float(rng.choice([-1, 1])))
    drawn = cv2.warpAffine(
        pixels, corner_to_index(matrix), size, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
    )
    return np.asarray(drawn, dtype=np.uint8)


def _yaw(pixels: Pixels, face: FaceDetection, strength: float, rng: np.random.Generator) -> Pixels:
    angle = math.radians(strength) * float(rng.choice([-1, 1]))
    centre = np.asarray(face.box.centre) - 0.5
    distance = CAMERA_DISTANCE * face.box.width
    # the plane of the picture turned about the upright axis through the face, seen from `distance`
    turn = np.array(
        [
            [math.cos(angle), 0, 0],
            [0, 1, 0],
            [math.sin(angle) / distance, 0, 1],
        ]
    )
    to_centre = np.array([[1, 0, -centre[0]], [0, 1, -centre[1]], [0, 0, 1]])
    height, width = pixels.shape[:2]
    drawn = cv2.warpPerspective(
        pixels,
        np.linalg.inv(to_centre) @ turn @ to_centre,
        (width, height),
        flags=cv2.INTER_LINEAR,
        borderMode=cv2.BORDER_REPLICATE,
    )
    return np.asarray(drawn, dtype=np.uint8)


def _rounded(values: NDArray[np.floating]) -> Pixels:
    return np.asarray(np.clip(np.rint(values), 0, 255), dtype=np.uint8)


_EYES = f"pixels at {REFERENCE_EYES:.0f} between the eyes"

CORRUPTIONS: Mapping[str, Corruption] = MappingProxyType(
    {
        entry.name: entry
        for entry in (
            Corruption(
                "blur", f"sigma, {_EYES}", (1, 2, 4, 6, 8), 0, 60, "Gaussian, as of a lens out of focus.", _blur
            ),
            Corruption(
                "motion", f"length, {_EYES}", (4, 8, 16, 24, 32), 0, 240, "Straight, in any direction.", _motion
            ),
            Corruption("noise", "sigma, grey levels", (5, 10, 20, 40, 60), 0, 255, "Independent and Gaussian.", _noise),
            Corruption("jpeg", "quality", (60, 40, 20, 10, 5), 1, 100, "Chroma at half resolution.", _jpeg),
            Corruption(
                "low light",
                "exposure factor",
                (1 / 4, 1 / 16, 1 / 32, 1 / 64, 1 / 128),
                1e-4,
                1,
                f"Shot noise of {FULL_WELL:.0f} electrons at white, {READ_NOISE:.0f} electrons of read noise, no gain "
                "afterwards.",
                _low_light,
            ),
            Corruption(
                "occlusion",
                "share of the face box",
                (0.1, 0.2, 0.3, 0.4, 0.5),
                0,
                1,
                "One rectangle of one colour anywhere on the face box.",
                _occlusion,
            ),
            Corruption(
                "resolution",
                "pixels between the eyes",
                (24, 16, 12, 8, 6),
                1,
                10_000,
                "Shrunk, then enlarged to the old size, as a digital zoom does. A picture that really is as small is "
                "refused by the choice of the face.",
                _resolution,
            ),
            Corruption("roll", "degrees in the picture plane", (10, 20, 30, 45, 90), 0, 180, "Either way.", _roll),
            Corruption(
                "yaw",
                "degrees, approximate",
                (15, 30, 45, 55, 65),
                0,
                75,
                "The picture turned as a flat card about the upright axis through the face: foreshortening only. A "
                "real head also hides its far side, so real yaw is harder.",
                _yaw,
            ),
        )
    }
)
