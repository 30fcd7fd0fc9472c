"""The faces on a document: the main portrait, and the ghost image compared with it, however faintly it is printed."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from samebody.document import DocumentReading, PortraitEvidence
from samebody.document.forgery import ForgeryEvidence
from samebody.errors import NotMeasuredError
from samebody.face import FaceAnalyser, FaceAnalysis, FaceDetection
from samebody.face.detect import FaceDetector
from samebody.match import compare
from samebody.models import ModelRecord
from samebody.types import Box, Image, Pixels, Region

GHOST_FMR = 1e-2
"""False match rate at which portrait and ghost image count as one person."""

_SIDE = 320
"""Longer side of the enlarged ghost image, pixels: its face is then some 120 pixels wide."""

_THRESHOLD = 0.5
"""Least score of a ghost's face: below that of the detector (0.6), since a wrong one costs an abstention only."""

_LEAST_FRAME = 4.0
"""See GhostCheck's parameter of that name."""

_LEAST_PIXELS = 48
"""A ghost image smaller than that shows no face to a detector."""


def document_portraits(
    faces: FaceAnalyser, record: ModelRecord, image: Image, analysis: FaceAnalysis, reading: DocumentReading
) -> tuple[PortraitEvidence, ...]:
    """The main portrait, and every further face on the document compared with it.

    Where the face room saw the portrait only, a ghost image is looked for again on the page with its contrast evened
    out, as ghosts are printed faintly.

    Args:
        faces: what found and embedded the portrait.
        record: of the embedder.
        image: what ``analysis`` was made of: the rectified page, or the photograph when there is no page.
        analysis: of the face room.
        reading: of the same document.

    Returns:
        The portrait first; empty without one. Ghosts carry a comparison when the record has an operating point for it.
    """
    if analysis.chosen is None or analysis.template is None:
        return ()
    role = "document" if reading.page is None else "page"
    portraits = [PortraitEvidence(Region("portrait", analysis.chosen.box.corners(), role), "portrait")]
    try:
        point = record.operating_point(GHOST_FMR)
    except NotMeasuredError:
        return tuple(portraits)
    found = [(image, face) for face in analysis.detections if face is not analysis.chosen]
    boxes = [face.box for _, face in found]
    if not found and reading.page is not None:
        place = ghost_place(reading, portraits[0])
        if place is not None and (faint := faint_face(faces, image.pixels, place, reading.page.pixels_per_mm)):
            found, boxes = [faint[:2]], [faint[2]]
    for (shown, face), box in zip(found, boxes, strict=True):
        ghost = faces.embed(faces.align(shown, face))
        region = Region("ghost", box.corners(), role)
        portraits.append(PortraitEvidence(region, "ghost", compare(ghost, analysis.template), point))
    return tuple(portraits)


def ghost_place(reading: DocumentReading, portrait: PortraitEvidence) -> Box | None:
    """Where the page may show a ghost image: its faint frame when clear, else what is most like the portrait."""
    evidence = ForgeryEvidence.of(Image(np.zeros((1, 1, 3), np.uint8)), reading, (portrait,))
    framed = evidence.framed_ghost
    return framed[0] if framed is not None and framed[1] >= _LEAST_FRAME else evidence.find_ghost()


def faint_face(
    faces: FaceAnalyser, page: Pixels, place: Box, pixels_per_mm: float
) -> tuple[Image, FaceDetection, Box] | None:
    """The surest upright face in ``place`` of the page, contrast evened and enlarged; None when there is none.

    Returns:
        The enlarged picture, the face in it, and the face's box on the page.
    """
    around = _grown(place, 0.25)
    x0, y0 = max(0, int(around.x)), max(0, int(around.y))
    x1, y1 = min(page.shape[1], int(around.x + around.width)), min(page.shape[0], int(around.y + around.height))
    if min(x1 - x0, y1 - y0) < _LEAST_PIXELS:
        return None
    evened = even_contrast(np.ascontiguousarray(page[y0:y1, x0:x1]), pixels_per_mm)
    scale = _SIDE / max(evened.shape[:2])
    size = (round(evened.shape[1] * scale), round(evened.shape[0] * scale))
    enlarged = np.asarray(cv2.resize(evened, size, interpolation=cv2.INTER_CUBIC), np.uint8)
    detector = FaceDetector(
        faces.networks.detector_outputs,
        threshold=_THRESHOLD,
        working_side=_SIDE,
        full_side=_SIDE,
        small_face=0.0,
        turns=False,
    )
    found = max(detector.detect(enlarged), key=lambda face: face.confidence, default=None)
    if found is None:
        return None
    box = found.box
    where = Box(x0 + box.x / scale, y0 + box.y / scale, box.width / scale, box.height / scale)
    return Image(enlarged), found, where


def even_contrast(page: Pixels, pixels_per_mm: float) -> Pixels:
    """``page`` in grey with the same brightness and contrast everywhere, fine lines and noise smoothed.

    Brightness and contrast are taken over some 6 mm: the size of a ghost's face.

    Args:
        page: (height, width, 3) uint8 RGB.
        pixels_per_mm: of ``page``.

    Returns:
        (height, width, 3) uint8, three equal channels.
    """
    grey = cv2.GaussianBlur(cv2.cvtColor(page, cv2.COLOR_RGB2GRAY), (0, 0), max(0.4, 0.05 * pixels_per_mm))
    side = max(3, round(0.4 * pixels_per_mm) | 1)
    closed = cv2.morphologyEx(grey, cv2.MORPH_CLOSE, cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (side, side)))
    smooth = cv2.GaussianBlur(closed.astype(np.float32), (0, 0), max(0.5, 0.10 * pixels_per_mm))
    ground = _wide_blur(smooth, 3.0 * pixels_per_mm)
    deviation = np.sqrt(np.maximum(_wide_blur((smooth - ground) ** 2, 3.0 * pixels_per_mm), 9.0))
    evened = np.clip(150 + 55 * (smooth - ground) / deviation, 0, 255).astype(np.uint8)
    return np.repeat(evened[..., None], 3, axis=2)


def _wide_blur(plane: NDArray[np.float32], sigma: float) -> NDArray[np.float32]:
    """Gaussian blur of a wide ``sigma`` (pixels), done at a quarter of the size."""
    height, width = plane.shape
    small = cv2.resize(plane, (max(1, width // 4), max(1, height // 4)), interpolation=cv2.INTER_AREA)
    blurred = cv2.GaussianBlur(small, (0, 0), max(0.5, sigma / 4))
    return np.asarray(cv2.resize(blurred, (width, height), interpolation=cv2.INTER_LINEAR), np.float32)


def _grown(box: Box, share: float) -> Box:
    dx, dy = share * box.width, share * box.height
    return Box(box.x - dx, box.y - dy, box.width + 2 * dx, box.height + 2 * dy)
