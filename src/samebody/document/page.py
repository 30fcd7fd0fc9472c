"""Find the document's page on a photograph and make it flat: from its four edges, from the MRZ's geometry, or both."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from samebody import stage
from samebody.document.page_edges import find_edge, gradient_planes, intersect, snap_quad
from samebody.document.shrink import shrink
from samebody.document.types import Matrix, MrzFormat, MrzReading, Page, apply_homography
from samebody.types import Image, Pixels, Point

Points = NDArray[np.floating[Any]]
Quad = tuple[Point, Point, Point, Point]

# Where the zone lies on the page, millimetres: left edge of the first character, right edge of the last, cap line of
# the first line and base line of the last above the page's lower edge. Doc 9303-4/-5/-6/-7, nominal positions.
ZONE_MILLIMETRES: dict[MrzFormat, tuple[float, float, float, float]] = {
    MrzFormat.TD1: (4.9, 80.7, 19.8, 4.6),
    MrzFormat.TD2: (7.0, 98.0, 16.7, 7.9),
    MrzFormat.TD3: (6.7, 118.0, 17.0, 8.2),
    MrzFormat.MRV_A: (4.6, 115.9, 17.0, 8.2),
    MrzFormat.MRV_B: (7.0, 98.0, 16.7, 7.9),
}
ASPECTS = tuple(width / height for width, height in {f.page_millimetres for f in MrzFormat})


@dataclass(frozen=True, slots=True, eq=False)
class Border:
    """Four edges seen on the photograph.

    Attributes:
        quad: (4, 2) float64, corners clockwise on the picture, pixels of the photograph.
        confidence: 0-1, share of the outline with an edge under it, times how well the shape fits a card.
    """

    quad: Points
    confidence: float


@dataclass(frozen=True, slots=True, eq=False)
class _Guess:
    """Corners (4, 2) on the photograph, how well they fit, and how many sides were seen."""

    quad: Points
    score: float
    sides: int


class PageFinder(stage.Stage):
    """Finds and rectifies the page. A page whose border is not visible is no error: the result is None."""

    class Parameters(stage.Stage.Parameters):
        """How the border is searched."""

        working_side: int = Field(default=640, ge=256, le=4096, description="long side for single edges, pixels")
        border_side: int = Field(default=560, ge=128, le=4096, description="long side for closed outlines, pixels")
        min_area: float = Field(default=0.08, gt=0, lt=1, description="smallest page, share of the picture")
        min_confidence: float = Field(default=0.5, ge=0, le=1, description="weaker borders are not used")
        max_aspect_error: float = Field(
            default=0.35, gt=0, lt=1, description="log-aspect off ID-1/2/3 by more is refused"
        )
        pixels_per_mm: float = Field(default=12.0, gt=1, le=48, description="largest scale of the rectified page")

    parameters: PageFinder.Parameters

    def find(self, image: Image, mrz: MrzReading | None = None) -> Page | None:
        """The page of ``image``; with ``mrz`` its orientation is known and its border can be predicted.

        Args:
            image: the photograph.
            mrz: the zone read on the same photograph, if there is one.

        Returns:
            The rectified page, or None when neither a border nor a zone gives it.
        """
        if mrz is None:
            border = self._border(image.pixels)
            if border is None or border.confidence < self.parameters.min_confidence:
                return None
            quad, width_mm, height_mm = self._landscape(self._sharpen(image.pixels, border.quad))
            return self._rectify(image.pixels, quad, width_mm, height_mm, border.confidence, False, "border", None)
        width_mm, height_mm = mrz.format.page_millimetres
        quad, sides = self._guided(image.pixels, mrz)
        # One side may be hidden or cut off; with fewer, the zone alone says where the page is.
        source = "both" if sides >= 3 else "mrz"
        confidence = 0.25 + 0.75 * sides / 4 if sides >= 3 else 0.3
        return self._rectify(image.pixels, quad, width_mm, height_mm, confidence, True, source, mrz.format)

    def _sharpen(self, pixels: Pixels, quad: Points) -> Points:
        """The outline moved onto the edges of the larger picture."""
        small, scale = self._reduce(pixels)
        reach = 0.012 * float(np.linalg.norm(quad[2] - quad[0])) * scale
        fine, strengths = snap_quad(gradient_planes(small), quad * scale, (reach, reach, reach, reach), ground=0.5)
        return fine / scale if all(strengths) else quad

    def _reduce(self, pixels: Pixels) -> tuple[Pixels, float]:
        """The picture at working size, and its scale."""
        scale = min(1.0, self.parameters.working_side / max(pixels.shape[:2]))
        return shrink(pixels, scale), scale

    # ------------------------------------------------------------------------------------------------ guided by the MRZ

    def _guided(self, pixels: Pixels, mrz: MrzReading) -> tuple[Points, int]:
        """The page's corners that fit both the zone and the edges seen, and how many sides were seen."""
        predicted = predict_quad(mrz)
        small, scale = self._reduce(pixels)
        gradients = gradient_planes(small)
        width_mm, _ = mrz.format.page_millimetres
        millimetre = float(np.linalg.norm(predicted[1] - predicted[0])) / width_mm * scale
        up, along = predicted[[0, 1]] - predicted[[3, 2]], predicted[1] - predicted[0]
        starts = []
        # The far edge hangs on the perspective, which the zone does not show: several places are tried.
        for stretch, squeeze in ((0.0, 0.0), (-0.12, 0.0), (0.12, 0.0), (-0.05, 0.09), (0.05, -0.09)):
            moved = predicted.copy()
            moved[[0, 1]] += stretch * up
            moved[0] += squeeze * along
            moved[1] -= squeeze * along
            starts.append(moved)
        options = self._snap(gradients, starts, scale, millimetre, mrz)
        if not options or options[0].sides < 4:
            # A strong tilt shows even within the zone's small height: half of what its homography says, and all of it.
            bent = _homography_quad(mrz)
            if np.linalg.norm(bent - predicted, axis=1).max() < 0.5 * float(np.linalg.norm(along)):
                starts = [predicted + share * (bent - predicted) for share in (0.5, 1.0)]
                options += self._snap(gradients, starts, scale, millimetre, mrz)
                options.sort(key=lambda option: -option.score)
        border = self._border(pixels)
        if border is not None:
            turns = [np.roll(border.quad, -k, axis=0) for k in range(4)]
            nearest = min(turns, key=lambda quad: float(np.linalg.norm(quad - predicted, axis=1).sum()))
            closed = self._snap(gradients, [nearest], scale, millimetre, mrz, reach_mm=2.0)
            # An outline that closes by itself and holds the zone in its place is better than four single edges.
            if closed and (not options or closed[0].score > options[0].score - 6.0):
                options = closed
        if not options:
            return predicted, 0
        chosen = options[0]
        chosen = _Guess(
            _outer_far_edge(small, gradients, chosen.quad * scale, millimetre) / scale, chosen.score, chosen.sides
        )
        fine, strengths = snap_quad(gradients, chosen.quad * scale, (1.2 * millimetre,) * 4, ground=0.5)
        if all(strengths) and zone_misfit(fine / scale, mrz) < MAX_MISFIT:
            return fine / scale, chosen.sides
        return chosen.quad, chosen.sides

    @staticmethod
    def _snap(
        gradients: NDArray[np.float32],
        starts: list[Points],
        scale: float,
        millimetre: float,
        mrz: MrzReading,
        reach_mm: float = 6.5,
    ) -> list[_Guess]:
        """Quadrilaterals snapped from several starts, best first, without those that the zone contradicts."""
        far, near = reach_mm * millimetre, min(reach_mm, 4.0) * millimetre
        reaches = (far, far, near, near)
        guesses: list[_Guess] = []
        for start in starts:
            quad, strengths = snap_quad(gradients, start * scale, reaches)
            sides = sum(strength > 0 for strength in strengths)
            misfit = zone_misfit(quad / scale, mrz)
            if sides >= 3 and misfit < MAX_MISFIT:
                score = sum(min(strength, 12.0) for strength in strengths) - 4.0 * max(0.0, misfit - 0.8)
                guesses.append(_Guess(quad / scale, score, sides))
        return sorted(guesses, key=lambda guess: -guess.score)

    # ------------------------------------------------------------------------------------------------ border

    def _border(self, pixels: Pixels) -> Border | None:
        """The best quadrilateral outline of plausible size and aspect."""
        scale = min(1.0, self.parameters.border_side / max(pixels.shape[:2]))
        small = shrink(pixels, scale)
        smooth = cv2.GaussianBlur(small, (0, 0), 1.0)
        edges = self._edges(smooth)
        support = cv2.distanceTransform(255 - edges, cv2.DIST_L2, 3)
        area = small.shape[0] * small.shape[1]
        rows, columns = np.nonzero(edges)
        points = np.column_stack([columns, rows]).astype(np.float64)[:: 1 + len(rows) // 6000]
        found: list[tuple[float, Points]] = []
        for mask in self._masks(smooth, edges):
            contours, _ = cv2.findContours(mask, cv2.RETR_LIST, cv2.CHAIN_APPROX_SIMPLE)
            long = [
                contour
                for contour in contours
                if len(contour) >= 4 and _span(contour) > self.parameters.min_area * area
            ]
            for contour in sorted(long, key=_span, reverse=True)[:3]:
                hull = cv2.convexHull(contour)
                if cv2.contourArea(hull) < self.parameters.min_area * area:
                    continue
                quad = _four_corners(hull)
                if quad is None:
                    continue
                found.append((self._score(quad, support), quad))
        best: Border | None = None
        for _, quad in sorted(found, key=lambda entry: -entry[0])[:3]:
            refined = _refine(quad, points)
            confidence = self._score(refined, support)
            if best is None or confidence > best.confidence:
                best = Border(refined / scale, confidence)
        return best

    @staticmethod
    def _edges(smooth: Pixels) -> NDArray[np.uint8]:
        """Edges of any colour channel, so that a page differs from its background by hue too."""
        lab = cv2.cvtColor(smooth, cv2.COLOR_RGB2LAB)
        edges = np.zeros(smooth.shape[:2], np.uint8)
        for channel in cv2.split(lab):
            strength = float(np.percentile(np.abs(cv2.Sobel(channel, cv2.CV_16S, 1, 0)[::2, ::2]), 93))
            high = float(np.clip(strength, 18.0, 120.0))
            edges |= cv2.Canny(channel, 0.4 * high, high)
        return edges

    @staticmethod
    def _masks(smooth: Pixels, edges: NDArray[np.uint8]) -> list[NDArray[np.uint8]]:
        """Regions that may be the page: closed edges, and both sides of a threshold on lightness and on chroma."""
        masks = [cv2.morphologyEx(edges, cv2.MORPH_CLOSE, np.ones((k, k), np.uint8)) for k in (3, 7)]
        lab = cv2.cvtColor(smooth, cv2.COLOR_RGB2LAB)
        opening = np.ones((5, 5), np.uint8)
        for channel in cv2.split(lab):
            _, binary = cv2.threshold(channel, 0, 255, cv2.THRESH_BINARY | cv2.THRESH_OTSU)
            for side in (binary, 255 - binary):
                closed = cv2.morphologyEx(side, cv2.MORPH_CLOSE, np.ones((9, 9), np.uint8))
                masks.append(cv2.morphologyEx(closed, cv2.MORPH_OPEN, opening))
        return masks

    def _score(self, quad: Points, support: NDArray[np.float32]) -> float:
        """Share of the outline within 2 pixels of an edge, lowered for shapes unlike a card."""
        height, width = support.shape
        hits: list[float] = []
        for start, end in zip(quad, np.roll(quad, -1, axis=0), strict=True):
            steps = np.linspace(0.05, 0.95, 60)[:, None]
            line = start + (end - start) * steps
            inside = (line >= 1).all(axis=1) & (line[:, 0] < width - 1) & (line[:, 1] < height - 1)
            columns, rows = np.clip(line.astype(int), 0, [width - 1, height - 1]).T
            hits.append(float(((support[rows, columns] <= 2.0) & inside).mean()))
        ratio = _aspect(quad)
        error = min(abs(np.log(ratio / aspect)) for aspect in ASPECTS)
        shape = float(np.clip(1.0 - error / self.parameters.max_aspect_error, 0.0, 1.0))
        return float(np.mean(hits) * (0.5 + 0.5 * shape) * (shape > 0))

    def _landscape(self, quad: Points) -> tuple[Points, float, float]:
        """Corners turned so that the long side is on top, upper side up, with the nearest nominal page size."""
        lengths = np.linalg.norm(np.roll(quad, -1, axis=0) - quad, axis=1)
        if lengths[0] + lengths[2] < lengths[1] + lengths[3]:
            quad = np.roll(quad, -1, axis=0)
        if quad[:2, 1].mean() > quad[2:, 1].mean():
            quad = np.roll(quad, -2, axis=0)
        ratio = _aspect(quad)
        sizes = sorted({f.page_millimetres for f in MrzFormat}, key=lambda s: abs(np.log(ratio * s[1] / s[0])))
        return quad, *sizes[0]

    def _rectify(
        self,
        pixels: Pixels,
        quad: Points,
        width_mm: float,
        height_mm: float,
        confidence: float,
        upright: bool,
        source: str,
        layout: MrzFormat | None,
    ) -> Page:
        sides = np.linalg.norm(np.roll(quad, -1, axis=0) - quad, axis=1)
        seen = max(sides[0], sides[2]) / width_mm
        scale = float(np.clip(seen, 2.0, self.parameters.pixels_per_mm))
        width, height = round(width_mm * scale), round(height_mm * scale)
        target = np.array([[0, 0], [width, 0], [width, height], [0, height]], np.float32)
        homography = cv2.getPerspectiveTransform(quad.astype(np.float32), target).astype(np.float64)
        flat = warp(pixels, homography, (width, height))
        corners: Quad = tuple((float(x), float(y)) for x, y in quad)  # type: ignore[assignment]
        return Page(flat, corners, homography, scale, float(np.clip(confidence, 0, 1)), upright, source, layout)


def warp(pixels: Pixels, homography: Matrix, size: tuple[int, int]) -> Pixels:
    """Resample through ``homography`` (source to target, corner-origin coordinates) onto ``size`` (width, height)."""
    # OpenCV's pixel centres lie on integers, ours on halves: shift both ends.
    to_corner, to_centre = np.eye(3), np.eye(3)
    to_corner[:2, 2], to_centre[:2, 2] = 0.5, -0.5
    warped: Pixels = cv2.warpPerspective(
        pixels, to_centre @ homography @ to_corner, size, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
    )
    return warped


def predict_quad(mrz: MrzReading) -> Points:
    """The page's corners, (4, 2) pixels of the photograph, from where the zone lies on a page of its format.

    The zone is too flat to fix the perspective upwards, so the page is continued by the affine map that fits the
    zone: corners near the zone are good to about a millimetre, the far ones only as good as the view is frontal.
    """
    zone_mm = _zone_millimetres(mrz.format)
    width, height = mrz.format.page_millimetres
    affine, *_ = np.linalg.lstsq(np.column_stack([zone_mm, np.ones(4)]), np.array(mrz.polygon), rcond=None)
    page_mm = np.array([[0, 0], [width, 0], [width, height], [0, height]])
    quad: Points = np.column_stack([page_mm, np.ones(4)]) @ affine
    return quad


def _zone_millimetres(layout: MrzFormat) -> NDArray[np.float64]:
    """The zone's nominal corners, (4, 2) millimetres from the page's top left corner."""
    left, right, top, bottom = ZONE_MILLIMETRES[layout]
    _, height = layout.page_millimetres
    return np.array([[left, height - top], [right, height - top], [right, height - bottom], [left, height - bottom]])


def _homography_quad(mrz: MrzReading) -> Points:
    """The page's corners as the zone's own homography continues them: right in trend, wide of the mark in size."""
    width, height = mrz.format.page_millimetres
    matrix = cv2.getPerspectiveTransform(
        _zone_millimetres(mrz.format).astype(np.float32), np.array(mrz.polygon, np.float32)
    ).astype(np.float64)
    return apply_homography(matrix, np.array([[0.0, 0.0], [width, 0.0], [width, height], [0.0, height]]))


def _outer_far_edge(small: Pixels, gradients: NDArray[np.float32], quad: Points, millimetre: float) -> Points:
    """The quadrilateral with its far (upper) side moved out, if the page goes on beyond it.

    Header bands and lines of print can stand out more than the border. What lies between such a line and the border has
    the page's colour, not the background's.
    """
    sides = (
        (quad[0] - quad[3]) / np.linalg.norm(quad[0] - quad[3]),
        (quad[1] - quad[2]) / np.linalg.norm(quad[1] - quad[2]),
    )
    for _ in range(2):
        best: tuple[float, Points] | None = None
        for shift in (5.0, 9.0, 13.0):
            start, end = (corner + shift * millimetre * side for corner, side in zip(quad[:2], sides, strict=True))
            inward = -(sides[0] + sides[1]) / np.linalg.norm(sides[0] + sides[1])
            reach = 2.6 * millimetre
            edge = find_edge(gradients, start, end, (reach, reach), inward, ground=0.5)
            if edge is None or (best is not None and edge.strength <= best[0]):
                continue
            corners = [intersect((edge.start, edge.end), side) for side in ((quad[3], quad[0]), (quad[2], quad[1]))]
            if corners[0] is None or corners[1] is None:
                continue
            moved = np.array([corners[0], corners[1], quad[2], quad[3]])
            within = _band(small, quad[:2], sides, (-5.0 * millimetre, -1.5 * millimetre))
            far = float(np.linalg.norm((moved[:2] - quad[:2]).mean(axis=0)))
            between = _band(small, quad[:2], sides, (0.25 * far, 0.75 * far))
            outside = _band(small, moved[:2], sides, (1.0 * millimetre, 3.5 * millimetre))
            if within is None or between is None or outside is None:
                continue
            if np.linalg.norm(between - within) < 0.6 * np.linalg.norm(between - outside):
                best = edge.strength, moved
        if best is None:
            return quad
        quad = best[1]
    return quad


def _band(small: Pixels, top: Points, sides: tuple[Points, Points], offsets: tuple[float, float]) -> Points | None:
    """Median colour between two distances (pixels, outwards) from a side; None when mostly off the picture."""
    share, distance = np.meshgrid(np.linspace(0.08, 0.92, 40), np.linspace(*offsets, 6))
    start, end = (top[k] + distance[..., None] * sides[k] for k in range(2))
    places = np.floor(start + (end - start) * share[..., None]).astype(int)
    height, width = small.shape[:2]
    inside = (places >= 0).all(axis=-1) & (places[..., 0] < width) & (places[..., 1] < height)
    if inside.mean() < 0.5:
        return None
    columns, rows = places[inside].T
    colour: Points = np.median(small[rows, columns].astype(np.float64), axis=0)
    return colour


MAX_MISFIT = 3.5
"""Millimetres that the zone may lie off its nominal place on the page: Doc 9303 allows one, printers take two."""


def zone_misfit(quad: Points, mrz: MrzReading) -> float:
    """How far off its nominal place, in millimetres, the zone's worst corner would lie were ``quad`` the page."""
    width, height = mrz.format.page_millimetres
    target = np.array([[0, 0], [width, 0], [width, height], [0, height]], np.float32)
    homography = cv2.getPerspectiveTransform(quad.astype(np.float32), target).astype(np.float64)
    zone = _zone_millimetres(mrz.format)
    seen = apply_homography(homography, np.array(mrz.polygon, np.float64))
    return float(np.linalg.norm(seen - zone, axis=1).max())


def _four_corners(hull: NDArray[np.int32]) -> Points | None:
    """The hull simplified to four corners, clockwise, or None when no tolerance gives four."""
    perimeter = cv2.arcLength(hull, True)
    for tolerance in (0.02, 0.035, 0.05, 0.08):
        polygon = cv2.approxPolyDP(hull, tolerance * perimeter, True)
        if len(polygon) == 4:
            quad = polygon[:, 0].astype(np.float64)
            centre = quad.mean(axis=0)
            order = np.argsort(np.arctan2(quad[:, 1] - centre[1], quad[:, 0] - centre[0]))
            ordered: Points = quad[order]
            return ordered
    return None


def _span(contour: NDArray[np.int32]) -> float:
    """Area of the box around a contour: cheap, and no smaller than the contour's own."""
    _, _, width, height = cv2.boundingRect(contour)
    return float(width * height)


def _refine(quad: Points, points: Points) -> Points:
    """Fit a line to the edge ``points`` near each side and intersect: rounded corners and dents lose their pull."""
    lines: list[tuple[Points, Points]] = []
    for start, end in zip(quad, np.roll(quad, -1, axis=0), strict=True):
        direction = end - start
        length = float(np.linalg.norm(direction))
        direction = direction / max(length, 1e-9)
        normal = np.array([-direction[1], direction[0]])
        along, off = (points - start) @ direction, (points - start) @ normal
        near = points[(np.abs(off) < max(3.0, 0.012 * length)) & (along > 0.06 * length) & (along < 0.94 * length)]
        if len(near) >= 12:
            vx, vy, x0, y0 = cv2.fitLine(near.astype(np.float32), cv2.DIST_HUBER, 0, 0.01, 0.01).ravel()
            lines.append((np.array([x0, y0]), np.array([x0 + vx, y0 + vy])))
        else:
            lines.append((start, end))
    corners = [intersect(lines[i - 1], lines[i]) for i in range(4)]
    if any(corner is None for corner in corners):
        return quad
    refined = np.array([corner for corner in corners if corner is not None])
    moved = np.linalg.norm(refined - quad, axis=1).max()
    return refined if moved < 0.1 * np.linalg.norm(quad[2] - quad[0]) else quad


def _aspect(quad: Points) -> float:
    """Long side over short side, at least 1."""
    sides = np.linalg.norm(np.roll(quad, -1, axis=0) - quad, axis=1)
    ratio = float((sides[0] + sides[2]) / max(sides[1] + sides[3], 1e-9))
    return max(ratio, 1 / ratio)


__all__ = ["Border", "PageFinder", "apply_homography", "predict_quad", "warp"]
