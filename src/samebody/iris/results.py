"""What the stages of the iris pipeline hand to each other: frozen results, checked when they are made.

Points are ``(x, y)`` in pixels of the picture, origin at the outer corner of the top-left pixel, x to the right, y
down. Angles are measured in the picture from +x through +y (clockwise as seen), in radians.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from samebody.iris.errors import InvalidSegmentationError
from samebody.types import Finding

if TYPE_CHECKING:
    from samebody.iris.template import IrisTemplate

Grey = NDArray[np.uint8]
Mask = NDArray[np.bool_]
Points = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Picture:
    """The pixels as they came: (height, width) or (height, width, 3) uint8."""

    pixels: NDArray[np.uint8]


@dataclass(frozen=True, slots=True, eq=False)
class EyeImage:
    """One grey channel of the picture.

    Attributes:
        grey: (height, width) uint8 at the size the stages work at.
        scale: pixels of ``grey`` for one pixel of the picture; at most 1.
        width, height: of the picture as it came.
    """

    grey: Grey
    scale: float
    width: int
    height: int


@dataclass(frozen=True, slots=True)
class Circle:
    """A circle in pixels of the working image."""

    x: float
    y: float
    radius: float


@dataclass(frozen=True, slots=True)
class EyeLocation:
    """Roughly where pupil and iris are, in pixels of the working image (:attr:`EyeImage.grey`).

    Attributes:
        pupil, limbus: circles good to about a tenth of the iris radius.
        evidence: 0-1, how much of both circles shows an edge of the right sign; low when there is no eye.
    """

    pupil: Circle
    limbus: Circle
    evidence: float


@dataclass(frozen=True, slots=True, eq=False)
class Reflections:
    """Specular reflections near the iris.

    Attributes:
        mask: (height, width) bool of the working image, True on a reflection and its fringe.
        filled: (height, width) uint8, the grey channel with reflections replaced by what surrounds them.
    """

    mask: Mask
    filled: Grey


@dataclass(frozen=True, slots=True, eq=False)
class Boundary:
    """A closed contour around a centre.

    Attributes:
        points: (n, 2) float64, n >= 16, point i lies in direction ``2 pi i / n`` from ``centre``.
        centre: what the directions are counted from.
        support: (n,) float64 in 0-1, how clearly the picture shows the contour there; 0 where it was inferred.
        spread: width of the edge (grey step over steepest slope) as a share of the contour's mean radius, median
            over the supported angles; NaN when not measured.
    """

    points: Points
    centre: tuple[float, float]
    support: NDArray[np.float64]
    spread: float = float("nan")

    def __post_init__(self) -> None:
        if self.points.ndim != 2 or self.points.shape[1:] != (2,) or len(self.points) < 16:
            raise InvalidSegmentationError(f"a contour is an array (n >= 16, 2), not {self.points.shape}.")
        if self.support.shape != (len(self.points),):
            raise InvalidSegmentationError(
                f"a contour of {len(self.points)} points needs as many support values, not {self.support.shape}."
            )
        if not (np.isfinite(self.points).all() and np.isfinite(self.support).all()):
            raise InvalidSegmentationError("a contour holds numbers that are not finite.")

    @property
    def radii(self) -> NDArray[np.float64]:
        """(n,) distances of the points from ``centre``."""
        return np.hypot(self.points[:, 0] - self.centre[0], self.points[:, 1] - self.centre[1])

    @property
    def radius(self) -> float:
        """Radius of the circle of the same area (shoelace formula)."""
        x, y = self.points[:, 0], self.points[:, 1]
        return float(np.sqrt(abs(np.dot(x, np.roll(y, -1)) - np.dot(y, np.roll(x, -1))) / (2 * np.pi)))


@dataclass(frozen=True, slots=True)
class LimbusCircle:
    """The limbus as a circle, before the lids are known: pixels of the working image."""

    circle: Circle


class PupilBoundary(Boundary):
    """Where pupil and iris meet."""

    __slots__ = ()


class LimbusBoundary(Boundary):
    """Where iris and sclera meet."""

    __slots__ = ()


@dataclass(frozen=True, slots=True, eq=False)
class Eyelids:
    """The margins of both eyelids over the width of the iris.

    Attributes:
        upper, lower: (n, 2) float64 curves from left to right; None when the lid does not reach the iris.
        upper_evidence, lower_evidence: 0-1, how clearly the picture shows the margin.
    """

    upper: Points | None
    lower: Points | None
    upper_evidence: float = 0.0
    lower_evidence: float = 0.0


@dataclass(frozen=True, slots=True, eq=False)
class Segmentation:
    """What a segmenter finds, classical or learned: the iris and what hides it, in pixels of the working image.

    Attributes:
        pupil, limbus: closed contours; every point of the pupil lies inside the limbus.
        eyelids: margins of both lids.
        occlusion: (height, width) bool, True where a pixel shows no iris although it lies between the contours
            (eyelid, lash, reflection, shadow). Outside the limbus it means nothing.

    Raises:
        InvalidSegmentationError: shapes do not fit or the pupil is not inside the limbus.
    """

    pupil: Boundary
    limbus: Boundary
    eyelids: Eyelids
    occlusion: Mask

    def __post_init__(self) -> None:
        if self.occlusion.ndim != 2 or self.occlusion.dtype != np.bool_:
            raise InvalidSegmentationError(
                f"occlusion is a bool array (height, width), not {self.occlusion.dtype} {self.occlusion.shape}."
            )
        inside = np.hypot(*(self.pupil.points - np.asarray(self.limbus.centre)).T).max()
        if self.pupil.radius >= self.limbus.radius or inside >= 1.1 * self.limbus.radii.max():
            raise InvalidSegmentationError("the pupil does not lie inside the limbus.")


@dataclass(frozen=True, slots=True, eq=False)
class Texture:
    """The iris unwrapped between pupil (row 0) and limbus (last row): Daugman's rubber sheet.

    Attributes:
        values: (rows, columns) float32, grey values 0-255.
        usable: (rows, columns) bool, False where the iris is hidden or outside the picture.
    """

    values: NDArray[np.float32]
    usable: Mask


@dataclass(frozen=True, slots=True, eq=False)
class Responses:
    """Wavelet responses on the code's grid.

    Attributes:
        values: (rows, columns, filters) complex64.
        usable: (rows, columns, filters) bool.
    """

    values: NDArray[np.complex64]
    usable: Mask


@dataclass(frozen=True, slots=True, eq=False)
class CodeBits:
    """The bits before packing: ``code`` and ``mask`` are bool (rows, columns, filters, 2 parts)."""

    code: Mask
    mask: Mask


@dataclass(frozen=True, slots=True)
class IrisMeasures:
    """What the quality gates look at.

    Attributes:
        iris_radius: pixels of the picture as it came.
        pupil_ratio: pupil radius over iris radius.
        gaze: estimated angle in degrees between the optical axis of the eye and the camera.
        visible: share of the iris area that is not hidden, 0-1.
        visible_sides: share not hidden of the two quadrants left and right of the pupil, 0-1.
        sharpness: 0-100, from the width of the pupil's edge.
        contrast: grey step between pupil and iris over the step that noise alone would show.
        inside: share of the limbus that lies inside the picture, 0-1.
        evidence: 0-1, support of both contours where no lid hides them.
    """

    iris_radius: float
    pupil_ratio: float
    gaze: float
    visible: float
    visible_sides: float
    sharpness: float
    contrast: float
    inside: float
    evidence: float

    def to_dict(self) -> dict[str, float]:
        """The measures by name, JSON-ready, rounded to four places."""
        return {name: round(float(getattr(self, name)), 4) for name in self.__slots__}


@dataclass(frozen=True, slots=True, eq=False)
class IrisEncoding:
    """What became of one picture.

    Attributes:
        template: None when a gate refused the picture; the findings say why.
        findings: one for each gate that ran, in order; a picture is usable when none failed.
        segmentation: in pixels of the picture as it came; None when no eye was found.
        texture: the unwrapped iris; None when no eye was found.
        measures: what the gates looked at; None when no eye was found.
        milliseconds: time of each stage by name, in order.
        eye: ``left``, ``right`` or ``unknown``.
    """

    template: IrisTemplate | None
    findings: tuple[Finding, ...]
    segmentation: Segmentation | None
    texture: Texture | None
    measures: IrisMeasures | None
    milliseconds: Mapping[str, float] = field(default_factory=dict)
    eye: str = "unknown"
