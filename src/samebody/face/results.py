"""What the face room hands to others: detections, mesh, quality, and the analysis of one picture."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from samebody.types import Box, Finding, Pixels, Point, Template


@dataclass(frozen=True, slots=True)
class FaceDetection:
    """One face in a picture.

    Attributes:
        box: axis-aligned rectangle around the face, in pixels of the picture; may reach over its edge.
        landmarks: right eye, left eye, nose tip, right and left mouth corner, right and left being the *subject's*;
            (x, y) in pixels of the picture.
        confidence: of the detector, 0-1.
        rotation_degrees: by how much the picture was turned counter-clockwise before the face was found, 0-360;
            box and landmarks are mapped back to the picture as it came.
        seen_pixels: longer side of the face in the view that gave its landmarks, pixels of that view; 0 when unknown.
    """

    box: Box
    landmarks: tuple[Point, Point, Point, Point, Point]
    confidence: float
    rotation_degrees: float = 0.0
    seen_pixels: float = 0.0

    @property
    def inter_eye_distance(self) -> float:
        """Distance between the eye landmarks in pixels."""
        return math.dist(self.landmarks[0], self.landmarks[1])

    @property
    def roll_degrees(self) -> float:
        """Tilt of the line between the eyes in degrees, -180 to 180, positive counter-clockwise in the picture."""
        (rx, ry), (lx, ly) = self.landmarks[:2]
        return -math.degrees(math.atan2(ly - ry, lx - rx))

    def landmark_array(self) -> NDArray[np.float64]:
        """Landmarks as a (5, 2) float64 array."""
        return np.asarray(self.landmarks, dtype=np.float64)


@dataclass(frozen=True, slots=True, eq=False)
class FaceMesh:
    """The 478-point mesh of a face, its blendshapes and its head pose.

    Head pose follows ISO/IEC 39794-5: yaw is positive when the subject looks to their own left, pitch is positive
    when they look down, roll is positive when they tilt toward their right shoulder (counter-clockwise in the
    picture). The picture plane turns last, so that turning a picture changes roll alone.

    Attributes:
        points: (478, 3) float32; x and y in pixels of the picture, z in the same scale, negative toward the camera.
        blendshapes: 52 coefficients by their ARKit-style names (``eyeBlinkLeft`` ...), each 0-1.
        yaw, pitch, roll: degrees.
        presence: how sure the mesh model is that the crop shows a face, 0-1.
    """

    points: NDArray[np.float32] = field(repr=False)
    blendshapes: Mapping[str, float] = field(repr=False)
    yaw: float
    pitch: float
    roll: float
    presence: float


@dataclass(frozen=True, slots=True)
class QualityComponent:
    """One measured component of face image quality.

    Attributes:
        name: as in ISO/IEC 29794-5, in snake case.
        raw: the measure before mapping, in ``unit``.
        unit: unit of ``raw``; ``1`` for ratios.
        value: quality 0-100, higher is better.
        advice: what the person in front of the camera can do.
        message: one sentence for the reviewer with the measured value.
    """

    name: str
    raw: float
    unit: str
    value: int
    advice: str
    message: str


@dataclass(frozen=True, slots=True)
class FaceQuality:
    """Quality of one face image.

    Attributes:
        unified: 0-100, higher is better. It is samebody's own combination, not the algorithm of ISO/IEC 29794-5.
        components: what was measured, in the order of the standard's clauses.
        not_assessed: names of components that this picture did not allow to measure (no mesh, no background ...).
    """

    unified: int
    components: tuple[QualityComponent, ...]
    not_assessed: tuple[str, ...] = ()

    def component(self, name: str) -> QualityComponent:
        """The component called ``name``; raises KeyError when it was not assessed."""
        for component in self.components:
            if component.name == name:
                return component
        raise KeyError(name)

    def worst(self, count: int = 3) -> tuple[QualityComponent, ...]:
        """The ``count`` components with the lowest value, worst first."""
        return tuple(sorted(self.components, key=lambda component: component.value)[:count])


@dataclass(frozen=True, slots=True, eq=False)
class FaceAnalysis:
    """All that the face room knows about one picture.

    Attributes:
        detections: every face found, largest first.
        chosen: the main face; None when there is none that may be used.
        aligned: (112, 112, 3) uint8 RGB, the crop that was embedded.
        template: of the chosen face.
        mesh: of the chosen face; None when it was not asked for or not found.
        quality: of the chosen face; None when it was not asked for.
        findings: ``<role>.face`` and, when quality was asked for, ``<role>.quality``.
        timings: milliseconds by step.
    """

    detections: tuple[FaceDetection, ...]
    chosen: FaceDetection | None
    aligned: Pixels | None
    template: Template | None
    mesh: FaceMesh | None
    quality: FaceQuality | None
    findings: tuple[Finding, ...]
    timings: Mapping[str, float] = field(default_factory=dict)
