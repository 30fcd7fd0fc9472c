"""Compression check: parts of a photograph that were pasted in do not share its JPEG history.

Two traces are used. A picture compressed at one quality and later saved at a higher one comes back almost unchanged
when it is compressed at the first quality again (the JPEG ghost of Farid 2009); a pasted part does not. And the 8 by 8
grid of the compression runs through the whole picture, but stops at a part pasted in after it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import ClassVar

import cv2
import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from samebody import stage
from samebody.document.forgery.base import Check, Figure, Measurement, abstain, checks, unmeasurable
from samebody.document.forgery.evidence import ForgeryEvidence, Mask, Plane
from samebody.types import Box, Reason

_BLOCK = 8


@checks.register("compression")
class CompressionCheck(Check):
    """Compares the JPEG history of portrait and text fields with that of the rest of the page."""

    name = "compression"
    words: ClassVar[Mapping[str, str]] = {
        "portrait_history": "The portrait was not compressed together with the page",
        "field_history": "A text field was not compressed together with the page",
        "portrait_grid": "The compression grid of the page does not run through the portrait",
    }

    class Parameters(stage.Stage.Parameters):
        """What is tried, and what the picture must offer."""

        qualities: tuple[int, ...] = Field(
            default=(50, 55, 60, 65, 70, 75, 80, 85, 90, 95), description="first qualities tried, IJG scale"
        )
        least_quality: int = Field(
            default=72,
            ge=0,
            le=100,
            description="JPEG quality (IJG scale) of the last save that leaves earlier ones visible",
        )
        gentle_quality: int = Field(
            default=93, ge=0, le=101, description="quality of the last save from which its own grid does not matter"
        )
        least_matched: float = Field(
            default=0.6, gt=0, le=1, description="share of a part that must find ground of like texture"
        )
        least_scale: float = Field(default=4.0, gt=0, description="pixels of the photograph per millimetre of the page")
        least_blocks: int = Field(default=40, ge=8, description="blocks of 8 by 8 pixels needed in a part")
        least_field_blocks: int = Field(default=14, ge=4, description="blocks needed in a text field")
        last_margin: int = Field(
            default=4, ge=0, le=20, description="first qualities looked for lie this far below the last"
        )
        least_dip: float = Field(default=0.04, gt=0, lt=1, description="page's dip that counts as a first compression")
        most_blocks: int = Field(
            default=9000, ge=1000, description="blocks looked at in the ground and in the portrait, evenly spread"
        )
        least_grid: float = Field(default=0.08, gt=0, lt=2, description="page's grid strength that counts as a grid")

    parameters: CompressionCheck.Parameters

    def measure(self, evidence: ForgeryEvidence) -> Measurement:
        """Figures: the page's dip minus the part's, and the page's grid minus the portrait's; all in about 0-1."""
        p = self.parameters
        if (missing_page := unmeasurable(self.name, evidence, p.least_scale)) is not None:
            return missing_page
        assert evidence.page is not None
        last = evidence.image.source.jpeg_quality
        if last is not None and last < p.least_quality:
            return abstain(
                self.name,
                "compressed",
                f"The picture was saved at JPEG quality {last}, which hides what was compressed before; "
                f"{p.least_quality} is needed.",
                "Send the photograph as the camera stored it.",
            )
        window = _Window(evidence)
        portrait = evidence.portrait_box
        portrait_mask = window.blocks(portrait) if portrait is not None else None
        patches = evidence.patches
        field_masks = [window.blocks(_grow(patch.box, 0.25 * patch.box.height)) for patch in patches]
        ground = window.page.copy()
        for mask in [*field_masks, *([portrait_mask] if portrait_mask is not None else [])]:
            ground &= ~mask
        if int(ground.sum()) < 4 * p.least_blocks:
            return abstain(self.name, "no_ground", "Too little of the page is free of portrait and print.")
        figures: list[Figure] = []
        missing: list[Reason] = []
        text = np.logical_or.reduce(field_masks) if field_masks else np.zeros_like(ground)
        # blocks are compressed independently, so a spread of them says the same as all of them, sooner
        ground = thinned(ground, p.most_blocks)
        wanted = ground | text
        if portrait_mask is not None:
            portrait_mask = thinned(portrait_mask, p.most_blocks)
            wanted |= portrait_mask
        errors = recompression_errors(window.luma, p.qualities, wanted)
        page_dips = dips(errors, ground)
        if last is not None:
            # Only a first quality below the last one survives it; the last one's own dip says nothing.
            lost = np.array(p.qualities[1:-1]) > last - p.last_margin
            page_dips = np.where(lost, 0.0, page_dips)
        strongest = int(np.argmax(page_dips))
        matched = None
        if portrait_mask is not None and int(portrait_mask.sum()) >= p.least_blocks:
            matched = like_texture(texture(window.luma), portrait_mask, ground, p.least_matched)
        details: dict[str, object] = {
            "page_dips": {str(q): round(float(d), 4) for q, d in zip(p.qualities[1:-1], page_dips)},
            "first_quality": p.qualities[1:-1][strongest] if page_dips[strongest] >= p.least_dip else None,
        }
        if page_dips[strongest] >= p.least_dip:
            if matched is not None and portrait is not None:
                part, weights = matched
                like = float(dips(errors, ground, weights)[strongest])
                if like >= p.least_dip:
                    value = (like - float(dips(errors, part)[strongest])) / like
                    figures.append(Figure("portrait_history", value, (evidence.region("portrait", portrait),)))
            usable = [i for i, mask in enumerate(field_masks) if int(mask.sum()) >= p.least_field_blocks]
            text_dip = float(dips(errors, text)[strongest]) if usable else 0.0
            if len(usable) >= 4 and text_dip >= p.least_dip:
                values = [(text_dip - float(dips(errors, field_masks[i])[strongest])) / text_dip for i in usable]
                worst = usable[int(np.argmax(values))]
                name = patches[worst].name or "text"
                figures.append(Figure("field_history", max(values), (evidence.region(name, patches[worst].box),)))
        else:
            missing.append(
                Reason("document.forgery.compression_single", "The page shows no compression before the last one.")
            )
        if portrait is None or portrait_mask is None or int(portrait_mask.sum()) < p.least_blocks:
            missing.append(
                Reason("document.forgery.compression_no_portrait", "No portrait of sufficient size was found.")
            )
        elif matched is None:
            missing.append(
                Reason("document.forgery.compression_no_match", "Nothing on the page has the portrait's texture.")
            )
        elif last is not None and last < p.gentle_quality:
            # the last save put its own grid over everything, whatever was pasted before
            missing.append(Reason("document.forgery.compression_last_grid", "The last save hides older grids."))
        else:
            part, weights = matched
            page_grid = grid_strength(window.luma, ground, weights)
            details["page_grid"] = round(page_grid, 4)
            if page_grid >= p.least_grid:
                own_grid = grid_strength(window.luma, part)
                details["portrait_grid"] = round(own_grid, 4)
                region = evidence.region("portrait", portrait)
                figures.append(Figure("portrait_grid", 1 - own_grid / page_grid, (region,)))
            else:
                missing.append(Reason("document.forgery.compression_no_grid", "The page shows no compression grid."))
        return Measurement(tuple(figures), tuple(missing), details)


class _Window:
    """The page's part of the photograph, cut on the 8 by 8 grid."""

    def __init__(self, evidence: ForgeryEvidence) -> None:
        assert evidence.page is not None
        self._evidence = evidence
        quad = np.array(evidence.page.quad, np.float64)
        height, width = evidence.luma.shape
        offset_x, offset_y = grid_offset(evidence.luma)
        low = np.clip(np.floor(quad.min(axis=0)), 0, [width - 1, height - 1]).astype(int)
        x0 = int(np.clip((low[0] - offset_x) // _BLOCK * _BLOCK + offset_x, 0, width - 1))
        y0 = int(np.clip((low[1] - offset_y) // _BLOCK * _BLOCK + offset_y, 0, height - 1))
        high = np.clip(np.ceil(quad.max(axis=0)), [x0 + 1, y0 + 1], [width, height]).astype(int)
        columns, rows = max(1, (int(high[0]) - x0) // _BLOCK), max(1, (int(high[1]) - y0) // _BLOCK)
        self._origin = (x0, y0)
        self.luma = evidence.luma[y0 : y0 + rows * _BLOCK, x0 : x0 + columns * _BLOCK]
        self._shape = (self.luma.shape[0] // _BLOCK, self.luma.shape[1] // _BLOCK)
        self.page = self._inside(quad)

    def blocks(self, box: Box) -> Mask:
        """Blocks whose centre lies in a box of the rectified page."""
        return self._inside(self._evidence.to_photograph(box)) & self.page

    def _inside(self, polygon: NDArray[np.float64]) -> Mask:
        plane = np.zeros(self._shape, np.uint8)
        if plane.size:
            corners = (polygon - np.array(self._origin)) / _BLOCK - 0.5
            cv2.fillPoly(plane, [np.rint(corners).astype(np.int32)], 1)
        result: Mask = plane.astype(bool)
        return result


def grid_offset(luma: Plane) -> tuple[int, int]:
    """Where the compression grid starts (x, y), 0-7: the phase whose differences across block borders are largest."""
    step = max(1, luma.shape[0] // 512)
    across = np.abs(np.diff(luma[::step], axis=1)).mean(axis=0)
    down = np.abs(np.diff(luma[:, ::step], axis=0)).mean(axis=1)
    return _phase(across), _phase(down)


def _phase(differences: Plane) -> int:
    """Phase of a period of eight in ``differences`` (between sample i and i + 1); 0 when none stands out."""
    count = len(differences) // _BLOCK
    if count < 4:
        return 0
    local = differences - cv2.blur(differences.reshape(1, -1), (2 * _BLOCK + 1, 1)).ravel()
    means = np.median(local[: count * _BLOCK].reshape(count, _BLOCK), axis=0)
    best = int(np.argmax(means))
    others = np.delete(means, best)
    clear = means[best] - others.mean() > 4 * others.std() + 1e-3
    return (best + 1) % _BLOCK if clear else 0


def thinned(mask: Mask, most: int) -> Mask:
    """At most ``most`` of the blocks of ``mask``, evenly spread in reading order; all of them when there are fewer."""
    chosen = np.flatnonzero(mask)
    if chosen.size <= most:
        return mask
    result = np.zeros(mask.size, bool)
    result[chosen[np.linspace(0, chosen.size - 1, most).astype(np.intp)]] = True
    return result.reshape(mask.shape)


def recompression_errors(luma: Plane, qualities: Sequence[int], wanted: Mask | None = None) -> NDArray[np.float32]:
    """Mean squared change of 8 by 8 blocks of ``luma`` at each quality: (qualities, rows, columns).

    Args:
        luma: (8 * rows, 8 * columns) grey levels, cut on the compression grid.
        qualities: IJG scale.
        wanted: (rows, columns) blocks to look at; the others stay 0. None looks at all of them. JPEG codes every
            block by itself, so the chosen ones are packed side by side and give the very same figures.
    """
    rows, columns = luma.shape[0] // _BLOCK, luma.shape[1] // _BLOCK
    chosen = np.flatnonzero(np.ones((rows, columns), bool) if wanted is None else wanted)
    result = np.zeros((len(qualities), rows * columns), np.float32)
    if chosen.size == 0:
        return result.reshape(len(qualities), rows, columns)
    tiles = luma[: rows * _BLOCK, : columns * _BLOCK].reshape(rows, _BLOCK, columns, _BLOCK)
    blocks = tiles.transpose(0, 2, 1, 3)[np.unravel_index(chosen, (rows, columns))]
    across = min(128, chosen.size)
    down = -(-chosen.size // across)
    packed = np.zeros((down * across, _BLOCK, _BLOCK), np.uint8)
    packed[: chosen.size] = np.clip(np.rint(blocks), 0, 255)
    picture = np.ascontiguousarray(
        packed.reshape(down, across, _BLOCK, _BLOCK).transpose(0, 2, 1, 3).reshape(down * _BLOCK, across * _BLOCK)
    )
    for index, quality in enumerate(qualities):
        _, encoded = cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, int(quality)])
        again = cv2.imdecode(encoded, cv2.IMREAD_GRAYSCALE)
        squared = cv2.absdiff(picture, again).astype(np.float32) ** 2
        means = cv2.resize(squared, (across, down), interpolation=cv2.INTER_AREA)
        result[index, chosen] = means.ravel()[: chosen.size]
    return result.reshape(len(qualities), rows, columns)


def dips(errors: NDArray[np.float32], mask: Mask, weights: NDArray[np.float64] | None = None) -> NDArray[np.float64]:
    """How far the error at each inner quality lies below the line between its neighbours, relative to that line.

    A block counts with the root of its error, so that a few strong edges do not decide; ``weights`` are those of the
    blocks of ``mask`` in reading order.
    """
    if not mask.any():
        return np.zeros(errors.shape[0] - 2)
    curve = np.array([np.average(np.sqrt(plane[mask]), weights=weights) for plane in errors], np.float64) + 0.05
    expected = np.sqrt(curve[:-2] * curve[2:])
    result: NDArray[np.float64] = np.clip(1 - curve[1:-1] / expected, -1, 1)
    return result


def texture(luma: Plane) -> Plane:
    """Standard deviation of each 8 by 8 block of ``luma`` in grey levels, (rows, columns), pixels taken two by two.

    The finest noise is left out: a part that was pasted in has its own, and shall still find ground like it.

    Args:
        luma: (8 * rows, 8 * columns).
    """
    rows, columns = luma.shape[0] // _BLOCK, luma.shape[1] // _BLOCK
    if rows == 0 or columns == 0:
        return np.zeros((rows, columns), np.float32)
    half = (columns * _BLOCK // 2, rows * _BLOCK // 2)
    cut = cv2.resize(luma[: rows * _BLOCK, : columns * _BLOCK], half, interpolation=cv2.INTER_AREA)
    mean = cv2.resize(cut, (columns, rows), interpolation=cv2.INTER_AREA)
    square = cv2.resize(cut * cut, (columns, rows), interpolation=cv2.INTER_AREA)
    return np.asarray(np.sqrt(np.maximum(square - mean * mean, 0)), np.float32)


def like_texture(textures: Plane, part: Mask, ground: Mask, least: float) -> tuple[Mask, NDArray[np.float64]] | None:
    """Blocks of ``part`` that have their like on the ground, and weights that give the ground their mixture.

    Calm and busy blocks lose different amounts to compression, whatever was done to them, so a portrait may only be
    held against ground of the same texture.

    Args:
        textures: see :func:`texture`.
        part, ground: (rows, columns).
        least: share of ``part`` that must find its like.

    Returns:
        The part that does, and a weight for every block of ``ground`` in reading order; None when too little does.
    """
    edges = np.array([1.5, 2.5, 4.0, 6.5, 10.0, 16.0, 25.0, 40.0])
    kind = np.digitize(textures, edges)
    own = np.bincount(kind[part], minlength=len(edges) + 1).astype(np.float64)
    other = np.bincount(kind[ground], minlength=len(edges) + 1).astype(np.float64)
    own[other < 8] = 0
    kept = part & (own[kind] > 0)
    if kept.sum() < least * max(1, int(part.sum())):
        return None
    return kept, (own / np.maximum(other, 1))[kind[ground]]


def grid_strength(luma: Plane, mask: Mask, weights: NDArray[np.float64] | None = None) -> float:
    """How much larger differences across block borders are than inside blocks, as a log ratio over ``mask``.

    Args:
        luma: (8 * rows, 8 * columns) grey levels, cut on the grid.
        mask: (rows, columns) blocks to look at; each counts with its right border.
        weights: of the blocks of ``mask`` in reading order; equal ones by default.
    """
    rows, columns = mask.shape
    chosen = mask[:, : columns - 1]
    if int(chosen.sum()) < 8:
        return 0.0
    share = np.zeros(mask.shape, np.float64)
    share[mask] = 1.0 if weights is None else weights
    if not share[:, : columns - 1][chosen].any():
        return 0.0
    blocks = luma[: rows * _BLOCK, : columns * _BLOCK].reshape(rows, _BLOCK, columns, _BLOCK)
    last, before = blocks[:, :, :-1, -1], blocks[:, :, :-1, -2]
    first, after = blocks[:, :, 1:, 0], blocks[:, :, 1:, 1]
    border = np.minimum(np.abs(first - last), 12.0).mean(axis=1)[chosen]
    inner = np.minimum(0.5 * (np.abs(last - before) + np.abs(after - first)), 12.0).mean(axis=1)[chosen]
    by = share[:, : columns - 1][chosen]
    high, low = np.average(border, weights=by), np.average(inner, weights=by)
    return float(np.log((high + 0.05) / (low + 0.05)))


def _grow(box: Box, margin: float) -> Box:
    return Box(box.x - margin, box.y - margin, box.width + 2 * margin, box.height + 2 * margin)
