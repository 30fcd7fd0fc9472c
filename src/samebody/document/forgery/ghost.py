"""Ghost check: the small second image on a document shows the same picture as the portrait, unless one was changed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import ClassVar

import cv2
import numpy as np
from pydantic import Field

from samebody import stage
from samebody.document.forgery.base import Check, Figure, Limit, Measurement, abstain, checks
from samebody.document.forgery.evidence import ForgeryEvidence, Plane, PortraitEvidence
from samebody.document.portrait import stands_out
from samebody.types import Box, Finding, Outcome, Reason


@checks.register("ghost")
class GhostCheck(Check):
    """Correlates the portrait with the ghost image, and weighs the comparison of their embeddings when there is one.

    The correlation needs no model: a ghost is a print of the very same picture, so it correlates far better than the
    picture of another person does. The embedding comparison comes from the pipeline with the operating point of its
    record; no threshold for persons stands here.
    """

    name = "ghost"
    words: ClassVar[Mapping[str, str]] = {"unlike": "The ghost image does not show the portrait's picture"}

    class Parameters(stage.Stage.Parameters):
        """What the picture must offer."""

        least_pixels: int = Field(default=56, ge=16, description="height of the ghost on the rectified page, pixels")
        rows: int = Field(default=72, ge=24, le=256, description="height at which both are compared, pixels")
        search: float = Field(default=0.22, ge=0, lt=1, description="how far the ghost may lie off, shares of its size")
        clear_likeness: float = Field(default=0.75, gt=0, lt=1, description="correlation that print never reaches")
        least_standing_out: float = Field(default=0.30, gt=0, lt=1, description="of a picture, see stands_out")
        least_over_frame: float = Field(default=1.6, gt=1, le=10, description="of a picture over the frame around it")
        scales: tuple[float, ...] = Field(
            default=(0.84, 0.90, 0.95, 1.0, 1.06, 1.12, 1.20), description="ghost sizes tried around the candidate's"
        )

    parameters: GhostCheck.Parameters

    def __init__(self, *, limits: Mapping[str, Limit] | None = None, **parameters: object) -> None:
        super().__init__(limits=limits, **parameters)

    def measure(self, evidence: ForgeryEvidence) -> Measurement:
        """The figure ``unlike``: 1 minus the best correlation, 0 for the same picture, about 1 for unrelated ones."""
        p = self.parameters
        if evidence.page is None:
            return abstain(self.name, "no_page", "No page was found on the photograph.")
        portrait = evidence.portrait_box
        if portrait is None:
            return abstain(self.name, "no_portrait", "No portrait was found on the page.")
        ghost = evidence.find_ghost()
        if ghost is None:
            return abstain(self.name, "no_ghost", "No ghost image was found on the page; many documents have none.")
        if ghost.height < p.least_pixels:
            return abstain(
                self.name,
                "too_small",
                f"The ghost image is {ghost.height:.0f} pixels high; {p.least_pixels} are needed.",
                "Photograph the page so that it fills the picture.",
            )
        likeness, place = best_correlation(
            evidence.page.image, portrait, ghost, rows=p.rows, search=p.search, scales=p.scales
        )
        if not self._is_picture(evidence, place, likeness):
            return abstain(
                self.name,
                "no_ghost",
                "What resembles the portrait most on the page may be print rather than a ghost image; many documents "
                "have none.",
            )
        regions = (evidence.region("portrait", portrait), evidence.region("ghost", place))
        return Measurement((Figure("unlike", 1 - likeness, regions),), details={"correlation": round(likeness, 4)})

    def _is_picture(self, evidence: ForgeryEvidence, place: Box, likeness: float) -> bool:
        """Whether ``place`` holds a picture at all: a face was found, it stands out, or it is clearly the same."""
        assert evidence.page is not None
        p = self.parameters
        if likeness >= p.clear_likeness or any(found.kind == "ghost" for found in evidence.portraits):
            return True
        inside, around = stands_out(evidence.page.image, place)
        return inside >= p.least_standing_out and inside >= p.least_over_frame * around

    def run(self, evidence: ForgeryEvidence) -> Finding:
        """As :meth:`Check.run`; an embedding comparison, when the pipeline made one, confirms or adds a doubt.

        Below the threshold of ``doubt_point`` the two faces count as two people: ``fail``. At or above that of
        ``operating_point`` they count as one: that settles a missing correlation, and turns a bad one into ``unsure``.
        """
        finding = super().run(evidence)
        ghost = next((g for g in evidence.portraits if g.kind == "ghost" and g.comparison is not None), None)
        return finding if ghost is None else _with_comparison(finding, ghost)


def _with_comparison(finding: Finding, ghost: PortraitEvidence) -> Finding:
    assert ghost.comparison is not None
    score, accept, doubt = ghost.comparison.score, ghost.operating_point, ghost.doubt_point
    details = {**finding.details, "embedding_score": round(score, 4)}
    model = f"{ghost.comparison.space.model_id}@{ghost.comparison.space.version}"
    models = tuple(dict.fromkeys((*finding.model_ids, model)))
    finding = replace(finding, details=details, model_ids=models)
    if doubt is not None and score < doubt.threshold:
        reason = Reason(
            "document.forgery.ghost.another_person",
            f"Portrait and ghost image score {score:.3f}, below {doubt.threshold:.3f} (false match rate "
            f"{doubt.fmr:g}): they do not show one person.",
            "Use the original document.",
        )
        return replace(finding, outcome=Outcome.FAIL, operating_point=doubt, reasons=(reason, *finding.reasons))
    if accept is not None and score >= accept.threshold:
        finding = replace(finding, operating_point=accept)
        if finding.outcome is Outcome.UNSURE:
            return replace(finding, outcome=Outcome.PASS, reasons=())
        if finding.outcome is Outcome.FAIL:
            return replace(finding, outcome=Outcome.UNSURE)
    return finding


def best_correlation(
    page: np.ndarray[tuple[int, ...], np.dtype[np.uint8]],
    portrait: Box,
    ghost: Box,
    *,
    rows: int,
    search: float,
    scales: tuple[float, ...],
) -> tuple[float, Box]:
    """Highest correlation of the portrait's middle with the page around ``ghost``, and the box it was found in.

    Both are brought to ``rows`` pixels of height, smoothed to the ghost's resolution, and freed of slow shading, so
    that a faded, tinted or shadowed ghost correlates as well as a strong one.

    Args:
        page: (height, width, 3) uint8 RGB.
        portrait, ghost: boxes in pixels of the page.
        rows: height of the comparison, pixels.
        search: how far the ghost may lie off its box, in shares of the box.
        scales: sizes tried, relative to the ghost's box.
    """
    middle = Box(
        portrait.x + 0.08 * portrait.width,
        portrait.y + 0.06 * portrait.height,
        0.84 * portrait.width,
        0.88 * portrait.height,
    )
    best, best_box = -1.0, ghost
    scale = rows / (0.88 * ghost.height)
    dx, dy = search * ghost.width + 0.15 * ghost.width, search * ghost.height + 0.15 * ghost.height
    around = _cut(page, Box(ghost.x - dx, ghost.y - dy, ghost.width + 2 * dx, ghost.height + 2 * dy))
    if around is None:
        return 0.0, ghost
    origin_x, origin_y = max(0.0, ghost.x - dx), max(0.0, ghost.y - dy)
    field = _flatten(cv2.resize(around, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA), rows)
    crop = _cut(page, middle)
    if crop is None:
        return 0.0, ghost
    for share in scales:
        height = round(rows * share)
        width = round(height * crop.shape[1] / crop.shape[0])
        if height >= field.shape[0] or width >= field.shape[1] or min(height, width) < 12:
            continue
        template = _flatten(cv2.resize(crop, (width, height), interpolation=cv2.INTER_AREA), rows)
        likeness = np.nan_to_num(cv2.matchTemplate(field, template, cv2.TM_CCOEFF_NORMED), posinf=-1, neginf=-1)
        _, peak, _, place = cv2.minMaxLoc(likeness)
        if peak > best:
            best = float(min(1.0, peak))
            best_box = Box(origin_x + place[0] / scale, origin_y + place[1] / scale, width / scale, height / scale)
    return max(best, 0.0), best_box


def _cut(page: np.ndarray[tuple[int, ...], np.dtype[np.uint8]], box: Box) -> Plane | None:
    x0, y0 = max(0, int(box.x)), max(0, int(box.y))
    x1, y1 = min(page.shape[1], int(box.x + box.width)), min(page.shape[0], int(box.y + box.height))
    if x1 - x0 < 12 or y1 - y0 < 12:
        return None
    grey: Plane = cv2.cvtColor(np.ascontiguousarray(page[y0:y1, x0:x1]), cv2.COLOR_RGB2GRAY).astype(np.float32)
    return grey


def _flatten(plane: Plane, rows: int) -> Plane:
    """Smoothed to what a ghost resolves, minus slow shading."""
    fine = cv2.GaussianBlur(plane, (0, 0), max(0.8, 0.02 * rows))
    result: Plane = fine - cv2.GaussianBlur(plane, (0, 0), 0.30 * rows)
    return result
