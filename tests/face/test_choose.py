from __future__ import annotations

import pytest

from samebody.face.choose import FaceChooser, inside
from samebody.face.results import FaceDetection
from samebody.types import Box, Outcome

SIZE = (800, 1000)


def face(x: float, y: float, width: float, confidence: float = 0.9) -> FaceDetection:
    height = 1.3 * width
    places = ((0.27, 0.38), (0.73, 0.38), (0.5, 0.55), (0.33, 0.78), (0.67, 0.78))
    right, left, nose, mouth_right, mouth_left = ((x + a * width, y + b * height) for a, b in places)
    return FaceDetection(Box(x, y, width, height), (right, left, nose, mouth_right, mouth_left), confidence)


def choose(*faces: FaceDetection, role: str = "selfie", size: tuple[int, int] = SIZE, **parameters):
    return FaceChooser(**parameters).choose(tuple(faces), size, role)


def codes(choice) -> list[str]:
    return [reason.code for reason in choice.finding.reasons]


def test_one_good_face_passes_without_reasons():
    choice = choose(face(300, 300, 200))
    assert choice.chosen is not None
    assert choice.finding.outcome is Outcome.PASS
    assert choice.finding.check == "selfie.face"
    assert codes(choice) == []


def test_no_face_fails_with_advice():
    choice = choose()
    assert choice.chosen is None
    assert choice.finding.outcome is Outcome.FAIL
    assert codes(choice) == ["face.none"]
    assert choice.finding.reasons[0].advice


def test_the_largest_face_is_the_main_one():
    small, large = face(50, 50, 90), face(400, 400, 200)
    assert choose(small, large).chosen is large


def test_of_equal_faces_the_one_in_the_middle_is_the_main_one():
    aside, middle = face(0, 0, 200), face(300, 370, 200)
    assert choose(aside, middle, role="document").chosen is middle


def test_a_large_doubtful_detection_does_not_displace_a_sure_face():
    doubtful, sure = face(0, 0, 600, 0.62), face(400, 400, 200, 0.94)
    choice = choose(doubtful, sure)
    assert choice.chosen is sure
    assert choice.finding.outcome is Outcome.PASS


def test_two_people_make_a_selfie_unusable_but_a_document_expects_a_ghost_image():
    main, ghost = face(100, 100, 200), face(500, 500, 160)
    selfie = choose(main, ghost)
    assert selfie.chosen is None
    assert selfie.finding.outcome is Outcome.FAIL
    assert codes(selfie) == ["face.several"]
    document = choose(main, ghost, role="document")
    assert document.chosen is main
    assert document.finding.outcome is Outcome.PASS
    assert document.finding.details["faces"] == 2


def test_a_bystander_is_noted_and_ignored():
    choice = choose(face(300, 300, 300), face(20, 20, 60))
    assert choice.finding.outcome is Outcome.PASS
    assert choice.chosen is not None
    assert codes(choice) == ["face.bystander"]


def test_a_face_too_small_fails_with_the_measured_value():
    choice = choose(face(300, 300, 30))
    assert choice.finding.outcome is Outcome.FAIL
    assert codes(choice) == ["face.too_small"]
    assert "14 pixels" in choice.finding.reasons[0].message


def test_documents_may_show_smaller_faces_than_selfies():
    small = face(300, 300, 35)
    assert choose(small).chosen is None
    assert choose(small, role="document").chosen is small


@pytest.mark.parametrize(("x", "outcome"), [(-90, Outcome.FAIL), (-52, Outcome.UNSURE), (-10, Outcome.PASS)])
def test_a_face_cut_by_the_edge_is_doubtful_and_without_an_eye_useless(x, outcome):
    choice = choose(face(x, 300, 200))
    assert choice.finding.outcome is outcome
    assert codes(choice) == ([] if outcome is Outcome.PASS else ["face.cut_off"])


def test_an_unsure_detector_makes_the_finding_unsure():
    choice = choose(face(300, 300, 200, 0.65))
    assert choice.finding.outcome is Outcome.UNSURE
    assert choice.chosen is not None
    assert codes(choice) == ["face.low_confidence"]


def test_the_share_inside_the_picture():
    assert inside(Box(-50, 0, 100, 100), (400, 400)) == pytest.approx(0.5)
    assert inside(Box(500, 0, 100, 100), (400, 400)) == 0.0


def test_every_failure_says_why():
    for choice in (
        choose(),
        choose(face(0, 0, 20)),
        choose(face(-90, 0, 200)),
        choose(face(0, 0, 300), face(400, 400, 290)),
    ):
        assert choice.finding.reasons
        assert all(reason.code.startswith("face.") and reason.message for reason in choice.finding.reasons)
