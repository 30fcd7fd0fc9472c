"""What the forgery checks look at: the photograph, the flat page, and where portrait, ghost and print lie on it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import cv2
import numpy as np
from numpy.typing import NDArray

from samebody.document.overprint import framed_picture
from samebody.document.portrait import PortraitFinder, stands_out
from samebody.document.types import DocumentReading, MrzReading, Page
from samebody.document.visual_fields import VisualField, VisualLine
from samebody.types import Box, Comparison, Image, OperatingPoint, Point, Region

Plane = NDArray[np.float32]
Mask = NDArray[np.bool_]

_LEAST_STANDING_OUT = 0.20
_LEAST_OVER_FRAME = 0.08
"""See :func:`samebody.document.portrait.stands_out`; portraits of specimens reach 0.3 and 0.15, print does not."""


@dataclass(frozen=True, slots=True)
class PortraitEvidence:
    """A face that the pipeline found on the document, for checks that need one.

    Attributes:
        region: its outline; role ``document`` for pixels of the photograph, ``page`` for the rectified page.
        kind: the main portrait, or the ghost image.
        comparison: for a ghost, its comparison with the main portrait; None when it could not be embedded.
        operating_point: the point of the model record at which two pictures count as one person.
    """

    region: Region
    kind: Literal["portrait", "ghost"]
    comparison: Comparison | None = None
    operating_point: OperatingPoint | None = None


@dataclass(frozen=True, slots=True)
class TextPatch:
    """A line of print: ``name`` of the field it holds (empty when unknown) and its ink box on the rectified page."""

    name: str
    box: Box
    text: str


class ForgeryEvidence:
    """One photograph of a document, prepared once for all forgery checks.

    Args:
        image: the photograph.
        page: the rectified page; without it no check can say anything.
        mrz: the machine-readable zone, when it was read.
        lines, fields: of the visual zone.
        portraits: faces found by the pipeline, if it ran the face room.
        candidates: regions offered by the reader, names ``portrait`` and ``ghost``, role ``page``.
    """

    def __init__(
        self,
        image: Image,
        page: Page | None,
        *,
        mrz: MrzReading | None = None,
        lines: Sequence[VisualLine] = (),
        fields: Sequence[VisualField] = (),
        portraits: Sequence[PortraitEvidence] = (),
        candidates: Sequence[Region] = (),
    ) -> None:
        self.image = image
        self.page = page
        self.mrz = mrz
        self.lines = tuple(lines)
        self.fields = tuple(fields)
        self.portraits = tuple(portraits)
        self.candidates = tuple(candidates)

    @classmethod
    def of(cls, image: Image, reading: DocumentReading, portraits: Sequence[PortraitEvidence] = ()) -> ForgeryEvidence:
        """The evidence of a reading."""
        zone = reading.visual_zone
        return cls(
            image,
            reading.page,
            mrz=reading.mrz,
            lines=zone.lines if zone else (),
            fields=tuple(zone.fields.values()) if zone else (),
            portraits=portraits,
            candidates=reading.portrait_candidates,
        )

    # ------------------------------------------------------------------------------------------------ the photograph

    @cached_property
    def luma(self) -> Plane:
        """Luminance of the photograph, (height, width) float32, 0-255."""
        plane: Plane = cv2.cvtColor(self.image.pixels, cv2.COLOR_RGB2GRAY).astype(np.float32)
        return plane

    @cached_property
    def scale(self) -> float:
        """Pixels of the photograph per millimetre of the page, at the page's centre; 0 without a page."""
        if self.page is None:
            return 0.0
        quad = np.array(self.page.quad, np.float64)
        x, y = quad[:, 0], quad[:, 1]
        area = 0.5 * abs(float(np.dot(x, np.roll(y, -1)) - np.dot(y, np.roll(x, -1))))
        width_mm, height_mm = self.page.size_mm
        return float(np.sqrt(area / max(width_mm * height_mm, 1e-6)))

    def to_photograph(self, box: Box) -> NDArray[np.float64]:
        """Corners of a box on the rectified page, (4, 2), in pixels of the photograph."""
        assert self.page is not None
        return self.page.to_photograph(np.array(box.corners(), np.float64))

    def mask(self, polygons: Sequence[NDArray[np.float64]], origin: tuple[int, int], shape: tuple[int, int]) -> Mask:
        """Pixels inside any of ``polygons`` (photograph pixels) within the window at ``origin`` (x, y) of ``shape``."""
        plane = np.zeros(shape, np.uint8)
        for polygon in polygons:
            cv2.fillPoly(plane, [np.rint(polygon - np.array(origin)).astype(np.int32)], 1)
        result: Mask = plane.astype(bool)
        return result

    # ------------------------------------------------------------------------------------------------------ the page

    @cached_property
    def portrait_box(self) -> Box | None:
        """The portrait on the rectified page: the candidate that holds the face, else the best candidate."""
        boxes = [_bounds(np.array(c.polygon)) for c in self.candidates if c.name == "portrait"]
        faces = [self._on_page(p.region) for p in self.portraits if p.kind == "portrait"]
        for face in faces:
            if face is None:
                continue
            holding = [box for box in boxes if _contains(box, face.centre) and box.height > 0.8 * face.height]
            return holding[0] if holding else _grown(face, 0.35)
        # Without a face only what clearly is a picture counts: on a page without portrait the best place is print.
        if self.page is None:
            return None
        for box in boxes:
            printed = sum(_contains(box, patch.box.centre) for patch in self.patches)
            inside, around = stands_out(self.page.image, box)
            if printed <= 1 and inside >= _LEAST_STANDING_OUT and inside - around >= _LEAST_OVER_FRAME:
                return box
        return None

    @cached_property
    def ghost_box(self) -> Box | None:
        """The ghost image on the rectified page: what holds the face the pipeline found there, else the candidate.

        A face box is smaller than the picture around it. Without a candidate around the ghost's face, the ghost is
        taken to lie around it as the portrait lies around its own face, since both are the same picture.
        """
        candidates = [_bounds(np.array(c.polygon)) for c in self.candidates if c.name == "ghost"]
        for found in self.portraits:
            if found.kind != "ghost" or (face := self._on_page(found.region)) is None:
                continue
            holding = [box for box in candidates if _contains(box, face.centre) and box.height > 0.8 * face.height]
            if holding:
                return holding[0]
            return self._as_portrait_around(face) or _grown(face, 0.35)
        return candidates[0] if candidates else None

    def _as_portrait_around(self, ghost_face: Box) -> Box | None:
        """The portrait's box moved and scaled as its face would have to be to become ``ghost_face``."""
        own = next((f for p in self.portraits if p.kind == "portrait" and (f := self._on_page(p.region))), None)
        box = self.portrait_box
        if own is None or box is None or own.height <= 0:
            return None
        scale = ghost_face.height / own.height
        (own_x, own_y), (x, y) = own.centre, ghost_face.centre
        return Box(x + (box.x - own_x) * scale, y + (box.y - own_y) * scale, box.width * scale, box.height * scale)

    @cached_property
    def mrz_box(self) -> Box | None:
        """The machine-readable zone on the rectified page."""
        if self.mrz is None or self.page is None:
            return None
        return _bounds(self.page.to_page(np.array(self.mrz.polygon, np.float64)))

    @cached_property
    def patches(self) -> tuple[TextPatch, ...]:
        """The lines of the visual zone, those that hold a field under its name."""
        names = {field.box: field.name for field in self.fields}
        return tuple(TextPatch(names.get(line.box, ""), line.box, line.text) for line in self.lines)

    def find_ghost(self) -> Box | None:
        """The ghost candidate, searched for when the reader offered none."""
        if self.ghost_box is not None:
            return self.ghost_box
        if self.page is None or self.portrait_box is None:
            return None
        found = PortraitFinder().find_ghost(self.page.image, self.portrait_box, self.mrz_box)
        return found.box if found else None

    @cached_property
    def framed_ghost(self) -> tuple[Box, float] | None:
        """The place that looks most like a faint picture, whoever it shows, and how much like one; see overprint.py."""
        if self.page is None or self.portrait_box is None:
            return None
        print_boxes = [patch.box for patch in self.patches]
        return framed_picture(self.page.image, self.page.pixels_per_mm, self.portrait_box, self.mrz_box, print_boxes)

    def region(self, name: str, box: Box) -> Region:
        """A region of the rectified page."""
        return Region(name, box.corners(), "page")

    def _on_page(self, region: Region) -> Box | None:
        points = np.array(region.polygon, np.float64)
        if region.role == "page":
            return _bounds(points)
        return _bounds(self.page.to_page(points)) if self.page is not None else None


def _bounds(points: NDArray[np.float64]) -> Box:
    low, high = points.min(axis=0), points.max(axis=0)
    return Box(float(low[0]), float(low[1]), float(high[0] - low[0]), float(high[1] - low[1]))


def _contains(box: Box, point: Point) -> bool:
    return box.x <= point[0] <= box.x + box.width and box.y <= point[1] <= box.y + box.height


def _grown(box: Box, share: float) -> Box:
    """``box`` with a margin of ``share`` of its size on every side."""
    dx, dy = share * box.width, share * box.height
    return Box(box.x - dx, box.y - dy, box.width + 2 * dx, box.height + 2 * dy)
