"""Ghost check: the small second image on a document shows the same picture as the portrait, unless one was changed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import ClassVar

import cv2
import numpy as np
from pydantic import Field

from samebody import stage
from samebody.document.forgery.base import Check, Figure, Limit, Measurement, abstain, checks, unmeasurable
from samebody.document.forgery.evidence import ForgeryEvidence, Plane
from samebody.document.portrait import stands_out
from samebody.types import Box, Finding, Outcome


@checks.register("ghost")
class GhostCheck(Check):
    """Correlates the portrait with the ghost image, and weighs the comparison of their embeddings when there is one.

    The correlation needs no model: a ghost is a print of the very same picture, so it correlates far better than the
    picture of another person does. It is taken where the page is most like the portrait, and where the page shows a
    faint framed picture, whoever that is. The embedding comparison comes from the pipeline; above the operating point
    of its record two faces count as one person, and how unlike the faces of one genuine document may be is measured
    like every other limit.
    """

    name = "ghost"
    words: ClassVar[Mapping[str, str]] = {
        "unlike": "The ghost image does not show the portrait's picture",
        "another_face": "The face in the ghost image is unlike the portrait's",
    }
    unmeasured = frozenset({"another_face"})

    class Parameters(stage.Stage.Parameters):
        """What the picture must offer."""

        least_pixels: int = Field(default=56, ge=16, description="height of the ghost on the rectified page, pixels")
        rows: int = Field(default=72, ge=24, le=256, description="height at which both are compared, pixels")
        search: float = Field(default=0.22, ge=0, lt=1, description="how far the ghost may lie off, shares of its size")
        clear_likeness: float = Field(default=0.75, gt=0, lt=1, description="correlation that print never reaches")
        least_frame: float = Field(
            default=4.0, gt=0, description="step at the sides of a faint picture, see framed_picture"
        )
        least_standing_out: float = Field(default=0.30, gt=0, lt=1, description="of a picture, see stands_out")
        least_over_frame: float = Field(default=1.6, gt=1, le=10, description="of a picture over the frame around it")
        scales: tuple[float, ...] = Field(
            default=(0.84, 0.90, 0.95, 1.0, 1.06, 1.12, 1.20), description="ghost sizes tried around the candidate's"
        )

    parameters: GhostCheck.Parameters

    def __init__(self, *, limits: Mapping[str, Limit] | None = None, **parameters: object) -> None:
        super().__init__(limits=limits, **parameters)

    def measure(self, evidence: ForgeryEvidence) -> Measurement:
        """Figures: 1 minus the best correlation, and 1 minus the score of the faces; 0 for the very same picture."""
        if (missing_page := unmeasurable(self.name, evidence, 0.0)) is not None:
            return missing_page
        faces = self._faces(evidence)
        correlation = self._correlation(evidence)
        clear = correlation.details.get("correlation", 0.0) >= self.parameters.clear_likeness
        # the very same picture shows the same person, however badly a faint print can be embedded
        figures = correlation.figures if clear else (*correlation.figures, *faces.figures)
        # what one of the two could not see is no reason while the other could
        missing = () if figures else correlation.missing
        return Measurement(figures, missing, {**correlation.details, **faces.details}, faces.model_ids)

    def _faces(self, evidence: ForgeryEvidence) -> Measurement:
        """The comparison that the pipeline made; the most similar face counts where it found several."""
        compared = [(g.comparison, g.region) for g in evidence.portraits if g.kind == "ghost" and g.comparison]
        if not compared:
            return Measurement()
        comparison, region = max(compared, key=lambda pair: pair[0].score)
        model = f"{comparison.space.model_id}@{comparison.space.version}"
        figure = Figure("another_face", 1 - comparison.score, (region,))
        return Measurement((figure,), (), {"embedding_score": round(comparison.score, 4)}, (model,))

    def _correlation(self, evidence: ForgeryEvidence) -> Measurement:
        p = self.parameters
        assert evidence.page is not None
        portrait = evidence.portrait_box
        if portrait is None:
            return abstain(self.name, "no_portrait", "No portrait was found on the page.")
        alike, framed = evidence.find_ghost(), evidence.framed_ghost
        is_framed = framed is not None and framed[1] >= p.least_frame
        places = [place for place in (alike, framed[0] if framed is not None and is_framed else None) if place]
        details = {"frame": round(framed[1], 3) if framed is not None else None}
        if not places:
            message = "No ghost image was found on the page; many documents have none."
            return replace(abstain(self.name, "no_ghost", message), details=details)
        large = [place for place in places if place.height >= p.least_pixels]
        if not large:
            return abstain(
                self.name,
                "too_small",
                f"The ghost image is {max(place.height for place in places):.0f} pixels high; {p.least_pixels} are "
                "needed.",
                "Photograph the page so that it fills the picture.",
            )
        found = [
            best_correlation(evidence.page.image, portrait, place, rows=p.rows, search=p.search, scales=p.scales)
            for place in large
        ]
        likeness, place = max(found, key=lambda pair: pair[0])
        if not is_framed and not self._is_picture(evidence, place, likeness):
            message = (
                "What resembles the portrait most on the page may be print rather than a ghost image; many documents "
                "have none."
            )
            return replace(abstain(self.name, "no_ghost", message), details=details)
        regions = (evidence.region("portrait", portrait), evidence.region("ghost", place))
        details["correlation"] = round(likeness, 4)
        return Measurement((Figure("unlike", 1 - likeness, regions),), details=details)

    def _is_picture(self, evidence: ForgeryEvidence, place: Box, likeness: float) -> bool:
        """Whether ``place`` holds a picture at all: a face was found, it stands out, or it is clearly the same."""
        assert evidence.page is not None
        p = self.parameters
        if likeness >= p.clear_likeness or any(found.kind == "ghost" for found in evidence.portraits):
            return True
        inside, around = stands_out(evidence.page.image, place)
        return inside >= p.least_standing_out and inside >= p.least_over_frame * around

    def run(self, evidence: ForgeryEvidence) -> Finding:
        """As :meth:`Check.run`, but faces that count as one person turn a bad correlation into a doubt.

        At or above the threshold of the operating point that the pipeline names, portrait and ghost show one person:
        that settles a correlation that could not be taken, and leaves a bad one for a human to look at.
        """
        finding = super().run(evidence)
        ghosts = [g for g in evidence.portraits if g.kind == "ghost" and g.comparison and g.operating_point]
        if not ghosts:
            return finding
        best = max(ghosts, key=lambda g: g.comparison.score if g.comparison else -1.0)
        assert best.comparison is not None and best.operating_point is not None
        if best.comparison.score < best.operating_point.threshold:
            return finding
        finding = replace(finding, operating_point=best.operating_point)
        if finding.outcome is Outcome.UNSURE and "unlike" not in finding.details["figures"]:
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
