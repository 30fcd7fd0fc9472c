"""The faces handed to the forgery checks: the portrait first, then the ghost, however faint."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import cv2
import numpy as np
import pytest

from samebody.document import DocumentReading
from samebody.errors import NotMeasuredError
from samebody.face import FaceDetection
from samebody.pipeline import portraits
from samebody.types import Box, EmbeddingSpace, Image, OperatingPoint, Pixels, Template
from tests.document import pages

SPACE = EmbeddingSpace("face/sface", "1", "0" * 64, "p")
POINT = OperatingPoint(1e-2, 0.3, 1e-2, "matched-adults", "test", 1, 1, 0, 0.0, (0.0, 1.0))


def face(box: Box) -> FaceDetection:
    x, y = box.centre
    return FaceDetection(box, tuple((x, y) for _ in range(5)), 0.9)


def template(*values: float) -> Template:
    vector = np.array(values, np.float32)
    return Template(vector / np.linalg.norm(vector), SPACE)


class Faces:
    """Embeds every face as another direction than the portrait's."""

    def align(self, image: Image, detection: FaceDetection) -> Pixels:
        return image.pixels

    def embed(self, aligned: Pixels) -> Template:
        return template(0.0, 1.0)


def record(*, measured: bool = True) -> Any:
    def operating_point(fmr: float) -> OperatingPoint:
        if not measured:
            raise NotMeasuredError("not measured")
        return POINT

    return SimpleNamespace(operating_point=operating_point)


def analysis(*faces: FaceDetection) -> Any:
    return SimpleNamespace(chosen=faces[0] if faces else None, detections=faces, template=template(1.0, 0.0))


def read(pixels: Pixels) -> DocumentReading:
    evidence = pages.evidence(pixels)
    return DocumentReading(evidence.page, evidence.mrz, None, None, evidence.candidates, ())


def test_without_a_face_there_is_no_portrait() -> None:
    page = pages.photograph(pages.draw_page(1), 1)
    assert portraits.document_portraits(Faces(), record(), Image(page), analysis(), read(page)) == ()  # type: ignore[arg-type]


def test_further_faces_are_compared_with_the_portrait() -> None:
    page = pages.photograph(pages.draw_page(1), 1)
    found = portraits.document_portraits(
        Faces(),  # type: ignore[arg-type]
        record(),
        Image(page),
        analysis(face(pages.PORTRAIT), face(pages.GHOST)),
        read(page),
    )
    assert [evidence.kind for evidence in found] == ["portrait", "ghost"]
    assert found[1].comparison is not None and found[1].comparison.score == pytest.approx(0)
    assert found[1].operating_point == POINT
    assert found[1].region.role == "page"


def test_a_model_without_the_operating_point_compares_nothing() -> None:
    page = pages.photograph(pages.draw_page(1), 1)
    faces = analysis(face(pages.PORTRAIT), face(pages.GHOST))
    found = portraits.document_portraits(Faces(), record(measured=False), Image(page), faces, read(page))  # type: ignore[arg-type]
    assert [evidence.kind for evidence in found] == ["portrait"]


def test_a_ghost_that_no_detector_saw_is_looked_for_where_its_frame_is(monkeypatch: pytest.MonkeyPatch) -> None:
    page = pages.photograph(pages.draw_page(1), 1)
    places: list[Box] = []

    def looked(faces: Any, pixels: Pixels, place: Box, scale: float) -> Any:
        places.append(place)
        return Image(pixels), face(pages.GHOST), pages.GHOST

    monkeypatch.setattr(portraits, "faint_face", looked)
    found = portraits.document_portraits(Faces(), record(), Image(page), analysis(face(pages.PORTRAIT)), read(page))  # type: ignore[arg-type]
    assert [evidence.kind for evidence in found] == ["portrait", "ghost"]
    (x, y), (true_x, true_y) = places[0].centre, pages.GHOST.centre
    assert np.hypot(x - true_x, y - true_y) < 0.3 * pages.GHOST.height


def test_evened_contrast_is_the_same_for_a_faint_and_a_strong_print() -> None:
    page = pages.draw_page(1).astype(np.float32)
    faint = 235 + 0.3 * (page - 235)
    strong, weak = (
        portraits.even_contrast(np.clip(picture, 0, 255).astype(np.uint8), pages.SCALE) for picture in (page, faint)
    )
    ghost = (slice(270, 420), slice(830, 940))
    likeness = cv2.matchTemplate(strong[ghost][..., 0], weak[ghost][..., 0], cv2.TM_CCOEFF_NORMED)[0, 0]
    assert likeness > 0.95
    assert weak[ghost].std() > 0.7 * strong[ghost].std() > 5
