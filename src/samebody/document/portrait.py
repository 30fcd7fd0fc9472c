"""Offer the places on a rectified page that may hold the portrait or its ghost image, by layout and texture alone.

No face is looked for here: the pipeline runs the face room on what is offered.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from samebody import stage
from samebody.types import Box, Pixels, Region

Plane = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Candidate:
    """A place that may hold a picture of a person: ``box`` in pixels of the page, ``score`` in 0-1, ``kind``."""

    kind: str
    box: Box
    score: float


class PortraitFinder(stage.Stage):
    """Finds the portrait as the window that stands out most from the page's ground, and the ghost as its likeness.

    The portrait of a travel document lies on the left of the visual zone in most layouts (Doc 9303-4, -5 and -6,
    zone V), but cards print it on the right as well, so position is only a mild preference.
    """

    class Parameters(stage.Stage.Parameters):
        """Sizes are shares of the page's height unless they say otherwise."""

        rows: int = Field(default=132, ge=48, le=400, description="height of the searched picture, pixels")
        least_height: float = Field(default=0.26, gt=0.05, lt=1, description="smallest portrait")
        greatest_height: float = Field(default=0.68, gt=0.1, lt=1, description="largest portrait")
        aspects: tuple[float, ...] = Field(default=(0.70, 0.78, 0.88), description="width over height")
        left_preference: float = Field(default=0.12, ge=0, le=1, description="how much the right edge costs")
        edge: float = Field(default=0.55, gt=0, le=1, description="share of a side along which a border must be seen")
        ghost_least: float = Field(default=0.34, gt=0.05, lt=1, description="smallest ghost, share of the portrait")
        ghost_greatest: float = Field(default=0.75, gt=0.1, lt=1, description="largest ghost, share of the portrait")
        ghost_likeness: float = Field(default=0.42, gt=0, lt=1, description="correlation below which none is offered")
        count: int = Field(default=3, ge=1, le=10, description="portrait places offered at most")

    parameters: PortraitFinder.Parameters

    def find(self, page: Pixels, mrz_box: Box | None = None) -> tuple[Candidate, ...]:
        """Candidates on a rectified page (uint8 RGB), portraits best first, then at most one ghost.

        Args:
            page: (height, width, 3) uint8 RGB, upright.
            mrz_box: the machine-readable zone, pixels of the page; nothing is offered there.
        """
        height, width = page.shape[:2]
        if min(height, width) < 48:
            return ()
        scale = self.parameters.rows / height
        size = (max(16, round(width * scale)), self.parameters.rows)
        small = cv2.resize(page, size, interpolation=cv2.INTER_AREA)
        standing_out = standing_out_map(small)
        limit = size[1] if mrz_box is None else int(np.clip(mrz_box.y * scale, 1, size[1]))
        portraits = self._windows(standing_out, limit)
        edges = _flat_grey(page, 2 * scale)
        candidates = []
        for found, score in portraits:
            box = self._to_border(edges, Box(2 * found.x, 2 * found.y, 2 * found.width, 2 * found.height), 2 * limit)
            whole = Box(*(side / (2 * scale) for side in (box.x, box.y, box.width, box.height)))
            candidates.append(Candidate("portrait", whole, score))
        if candidates:
            ghost = self.find_ghost(page, candidates[0].box, mrz_box)
            if ghost is not None:
                candidates.append(ghost)
        return tuple(candidates)

    def find_ghost(self, page: Pixels, portrait: Box, mrz_box: Box | None = None) -> Candidate | None:
        """The place outside ``portrait`` that correlates best with it at a smaller size; None when nothing does.

        Any two passport portraits correlate to some degree (a head on a plain ground), so the ghost of another
        person is found as well; whether it is the same picture is for ``document.forgery.ghost`` to say.
        """
        scale = 2.0 * self.parameters.rows / page.shape[0]
        plane = _flat_grey(page, scale)
        x0, y0 = int(portrait.x * scale), int(portrait.y * scale)
        x1, y1 = int((portrait.x + portrait.width) * scale), int((portrait.y + portrait.height) * scale)
        template = plane[max(0, y0) : y1, max(0, x0) : x1]
        if min(template.shape) < 16:
            return None
        limit = plane.shape[0] if mrz_box is None else int(np.clip(mrz_box.y * scale, 1, plane.shape[0]))
        field = plane[:limit]
        best: tuple[float, float, Box] | None = None
        for share in np.geomspace(self.parameters.ghost_least, self.parameters.ghost_greatest, 9):
            w, h = round(template.shape[1] * share), round(template.shape[0] * share)
            if min(w, h) < 10 or h >= field.shape[0] or w >= field.shape[1]:
                continue
            reduced = cv2.resize(template, (w, h), interpolation=cv2.INTER_AREA)
            likeness = cv2.matchTemplate(field, reduced, cv2.TM_CCOEFF_NORMED)
            # A window that touches the portrait would match the portrait itself.
            likeness[max(0, y0 - h) : y1 + 1, max(0, x0 - w) : x1 + 1] = -1
            _, peak, _, place = cv2.minMaxLoc(np.nan_to_num(likeness, nan=-1.0, posinf=-1.0, neginf=-1.0))
            # Small windows correlate by chance more easily than large ones.
            rank = peak * share**0.2
            if best is None or rank > best[0]:
                best = (rank, peak, Box(place[0] / scale, place[1] / scale, w / scale, h / scale))
        if best is None or best[1] < self.parameters.ghost_likeness:
            return None
        return Candidate("ghost", best[2], round(float(best[1]), 4))

    def _to_border(self, plane: Plane, box: Box, limit: int) -> Box:
        """Moves each side outwards to the printed border of the picture, where a straight edge is seen."""
        rows, columns = min(plane.shape[0], limit), plane.shape[1]
        across = cv2.Sobel(plane, cv2.CV_32F, 1, 0)[:rows]
        down = cv2.Sobel(plane, cv2.CV_32F, 0, 1)[:rows]
        left, top = int(box.x), int(box.y)
        right, bottom = int(box.x + box.width), min(int(box.y + box.height), rows - 1)
        inset_y, inset_x = (bottom - top) // 8, (right - left) // 8
        # Along a border the edge has one sign all the way; hair, print and guilloches do not.
        across, down = np.clip(across / 16.0, -1, 1), np.clip(down / 16.0, -1, 1)
        columns_strength = np.abs(across[top + inset_y : max(top + inset_y + 1, bottom - inset_y)].mean(axis=0))
        rows_strength = np.abs(down[:, left + inset_x : max(left + inset_x + 1, right - inset_x)].mean(axis=1))
        reach_x, reach_y = int(0.45 * box.width), int(0.30 * box.height)
        new_left = _strongest(columns_strength, left - reach_x, left + inset_x, left, self.parameters.edge)
        new_right = _strongest(columns_strength, right - inset_x, right + reach_x, right, self.parameters.edge)
        new_top = _strongest(rows_strength, top - reach_y, top + inset_y, top, self.parameters.edge)
        new_bottom = _strongest(rows_strength, bottom - inset_y, bottom + reach_y, bottom, self.parameters.edge)
        new_right, new_bottom = min(new_right, columns - 1), min(new_bottom, rows - 1)
        wide = new_right - new_left
        if wide > 0.92 * (new_bottom - new_top):
            # Wider than any portrait: a mouth or a collar was taken for the lower border.
            expected = min(new_top + round(wide / self.parameters.aspects[1]), rows - 1)
            first, last = new_top + round(1.05 * wide), new_top + round(1.45 * wide)
            new_bottom = min(_strongest(rows_strength, first, last, expected, self.parameters.edge), rows - 1)
        return Box(float(new_left), float(new_top), float(new_right - new_left), float(new_bottom - new_top))

    def _windows(self, plane: Plane, limit: int) -> list[tuple[Box, float]]:
        """The best windows: much that stands out inside, little in the frame around."""
        p = self.parameters
        rows, columns = plane.shape
        total = cv2.integral(plane, sdepth=cv2.CV_64F)
        found: list[tuple[float, Box]] = []
        for height in np.unique((np.geomspace(p.least_height, p.greatest_height, 8) * rows).round().astype(int)):
            for aspect in p.aspects:
                width = round(height * aspect)
                rim = max(2, round(0.09 * height))
                if width >= columns or height >= limit:
                    continue
                ys, xs = np.arange(0, limit - height + 1, 2), np.arange(0, columns - width + 1, 2)
                inner = _sums(total, ys, xs, height, width)
                y0, y1 = np.maximum(ys - rim, 0), np.minimum(ys + height + rim, rows)
                x0, x1 = np.maximum(xs - rim, 0), np.minimum(xs + width + rim, columns)
                outer = total[y1][:, x1] - total[y0][:, x1] - total[y1][:, x0] + total[y0][:, x0]
                frame = (y1 - y0)[:, None] * (x1 - x0)[None, :] - height * width
                inside, around = inner / (height * width), (outer - inner) / np.maximum(frame, 1)
                preference = 1.0 - p.left_preference * (xs + width / 2) / columns
                score = (inside - 1.1 * around) * (height / rows) ** 0.35 * preference[None, :]
                for _ in range(2):
                    at = np.unravel_index(int(np.argmax(score)), score.shape)
                    y, x = int(ys[at[0]]), int(xs[at[1]])
                    found.append((float(score[at]), Box(float(x), float(y), float(width), float(height))))
                    score[max(0, at[0] - 8) : at[0] + 9, max(0, at[1] - 8) : at[1] + 9] = -1
        kept: list[tuple[Box, float]] = []
        for value, box in sorted(found, key=lambda entry: -entry[0]):
            if value <= 0.02 or len(kept) >= p.count:
                break
            if all(_overlap(box, other) < 0.3 for other, _ in kept):
                kept.append((box, round(min(1.0, value), 4)))
        return kept


def portrait_candidates(page: Pixels, mrz_box: Box | None = None) -> tuple[Region, ...]:
    """Regions on the rectified page (role ``page``) named ``portrait`` or ``ghost``, portraits first, best first."""
    return tuple(Region(c.kind, c.box.corners(), "page") for c in PortraitFinder().find(page, mrz_box))


def standing_out_map(page: Pixels) -> Plane:
    """How much each pixel of a small page differs, at the scale of a face, from the page's ground; 0-1, float32.

    The ground is the local median of the page's frame and free space: guilloches average out, thin print hardly counts.
    """
    lab = cv2.cvtColor(page, cv2.COLOR_RGB2LAB).astype(np.float32)
    sigma = max(1.0, 0.012 * page.shape[0])
    smooth = cv2.GaussianBlur(lab, (0, 0), sigma)
    bright = np.quantile(smooth[..., 0], 0.3)
    ground = np.median(smooth[smooth[..., 0] >= bright], axis=0)
    difference = smooth - ground.astype(np.float32)
    # Lightness varies with shadow, so it counts half; a photograph also has texture of middle size.
    middle = np.abs(smooth[..., 0] - cv2.GaussianBlur(lab[..., 0], (0, 0), 5 * sigma))
    distance = np.hypot(0.6 * difference[..., 0], np.hypot(1.3 * difference[..., 1], 1.3 * difference[..., 2]))
    result: Plane = np.clip((0.8 * distance + 0.6 * middle) / 60.0, 0, 1).astype(np.float32)
    return result


def stands_out(page: Pixels, box: Box) -> tuple[float, float]:
    """How much a place on a page differs from the page's ground, inside ``box`` and in the frame around it; 0-1 each.

    A printed picture stands out inside and not around; print and emblems do neither or both.
    """
    rows = 132
    scale = rows / page.shape[0]
    small = cv2.resize(page, (max(16, round(page.shape[1] * scale)), rows), interpolation=cv2.INTER_AREA)
    plane = standing_out_map(small)
    rim = max(2.0, 0.12 * box.height * scale)
    x0, y0 = box.x * scale, box.y * scale
    x1, y1 = x0 + box.width * scale, y0 + box.height * scale
    inner = plane[max(0, int(y0)) : int(y1) + 1, max(0, int(x0)) : int(x1) + 1]
    outer = plane[max(0, int(y0 - rim)) : int(y1 + rim) + 1, max(0, int(x0 - rim)) : int(x1 + rim) + 1]
    if inner.size == 0 or outer.size == inner.size:
        return 0.0, 0.0
    around = (float(outer.sum()) - float(inner.sum())) / (outer.size - inner.size)
    return float(inner.mean()), around


def _flat_grey(page: Pixels, scale: float) -> Plane:
    size = (max(16, round(page.shape[1] * scale)), max(16, round(page.shape[0] * scale)))
    grey = cv2.cvtColor(cv2.resize(page, size, interpolation=cv2.INTER_AREA), cv2.COLOR_RGB2GRAY).astype(np.float32)
    result: Plane = cv2.GaussianBlur(grey, (0, 0), 1.2)
    return result


def _sums(
    total: NDArray[np.float64], ys: NDArray[np.int_], xs: NDArray[np.int_], height: int, width: int
) -> NDArray[np.float64]:
    below, right = ys + height, xs + width
    result: NDArray[np.float64] = total[below][:, right] - total[ys][:, right] - total[below][:, xs] + total[ys][:, xs]
    return result


def _overlap(a: Box, b: Box) -> float:
    """Share of the smaller box that lies in the other."""
    width = min(a.x + a.width, b.x + b.width) - max(a.x, b.x)
    height = min(a.y + a.height, b.y + b.height) - max(a.y, b.y)
    return max(0.0, width) * max(0.0, height) / max(1.0, min(a.area, b.area))


def _strongest(strength: Plane, first: int, last: int, fallback: int, least: float) -> int:
    """Place of the straightest edge within ``first`` to ``last``, or ``fallback`` when none reaches ``least``."""
    low, high = max(0, first), min(len(strength), last + 1)
    if high - low < 1:
        return max(0, min(fallback, len(strength) - 1))
    place = low + int(np.argmax(strength[low:high]))
    return place if strength[place] >= least else fallback
