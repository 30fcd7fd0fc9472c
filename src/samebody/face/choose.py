"""Which face of a picture counts, and whether it may be used: the finding ``<role>.face``."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from pydantic import Field

from samebody import stage
from samebody.face.results import FaceDetection
from samebody.types import Box, Finding, Outcome, Reason, Region

Severity = Literal["fail", "unsure", "note"]


@dataclass(frozen=True, slots=True)
class Choice:
    """The main face, if it may be used, and the finding that says so."""

    chosen: FaceDetection | None
    finding: Finding


class FaceChooser(stage.Stage):
    """Chooses the main face: the largest box; of equally large ones that nearest to the middle of the picture.

    A face that the detector is far less sure of than of another (``doubt``) is no candidate, however large: that is
    what a false detection looks like.

    On a selfie a second face that is nearly as large as the first makes the picture unusable, because nobody can tell
    who is being verified; a clearly smaller one is a bystander and is only noted. On a document a second face is
    expected (the ghost image is a smaller copy of the portrait) and never held against it.
    """

    class Parameters(stage.Stage.Parameters):
        """Limits that say whether a picture can be used at all. None of them accepts a person."""

        min_inter_eye: float = Field(
            default=18.0,
            ge=4,
            description="selfie: least distance between the eyes, pixels; below it a 112-pixel crop "
            "is more than half invented (its eyes stand 35 pixels apart)",
        )
        min_inter_eye_document: float = Field(
            default=14.0, ge=4, description="document: least distance between the eyes, pixels; portraits are small"
        )
        rival: float = Field(
            default=0.5,
            gt=0,
            le=1,
            description="selfie: a second face whose area is at least this share of the first's "
            "fails the picture; ours",
        )
        min_inside: float = Field(
            default=0.75, gt=0, le=1, description="least share of the face box inside the picture; ours"
        )
        doubt: float = Field(
            default=0.2, gt=0, le=1, description="how far below the best detector score a face may lie and count; ours"
        )
        confident: float = Field(
            default=0.7, gt=0, lt=1, description="detector score below which the finding is unsure; ours"
        )

    parameters: Parameters

    def choose(
        self, detections: tuple[FaceDetection, ...], size: tuple[int, int], role: str, model_ids: tuple[str, ...] = ()
    ) -> Choice:
        """The main face of a ``(width, height)`` picture that plays ``role``, with its finding."""
        check = f"{role}.face"
        if not detections:
            reason = Reason(
                "face.none",
                "No face was found, at any size or rotation.",
                ""
                if role == "document"
                else "Hold the camera at arm's length, face it, and make sure your whole face "
                "is in the picture and well lit.",
            )
            return Choice(None, Finding(check, Outcome.FAIL, 0.0, reasons=(reason,), model_ids=model_ids))
        least = max(face.confidence for face in detections) - self.parameters.doubt
        candidates = [face for face in detections if face.confidence >= least]
        main, *others = sorted(candidates, key=lambda face: (-face.box.area, _off_centre(face.box, size)))
        judged = [*self._size(main, role), *self._cut(main, size, role), *self._confidence(main, role)]
        if role != "document":
            judged += self._rivals(main, others)
        rank = {"fail": 0, "unsure": 1, "note": 2}
        judged.sort(key=lambda pair: rank[pair[0]])
        severities = {severity for severity, _ in judged}
        outcome = Outcome.FAIL if "fail" in severities else Outcome.UNSURE if "unsure" in severities else Outcome.PASS
        finding = Finding(
            check,
            outcome,
            score=main.confidence,
            reasons=tuple(reason for _, reason in judged),
            model_ids=model_ids,
            regions=(Region("face", main.box.corners(), role),),
            details={
                "faces": len(detections),
                "inter_eye_distance": round(main.inter_eye_distance, 1),
                "rotation_degrees": main.rotation_degrees,
                "inside": round(inside(main.box, size), 3),
                "second_to_first_area": round(others[0].box.area / max(main.box.area, 1e-9), 3) if others else 0.0,
            },
        )
        return Choice(None if outcome is Outcome.FAIL else main, finding)

    def _size(self, face: FaceDetection, role: str) -> list[tuple[Severity, Reason]]:
        limit = self.parameters.min_inter_eye_document if role == "document" else self.parameters.min_inter_eye
        if face.inter_eye_distance >= limit:
            return []
        advice = "Photograph the document closer." if role == "document" else "Come closer to the camera."
        message = f"The eyes are {face.inter_eye_distance:.0f} pixels apart, at least {limit:.0f} are needed."
        return [("fail", Reason("face.too_small", message, advice))]

    def _cut(self, face: FaceDetection, size: tuple[int, int], role: str) -> list[tuple[Severity, Reason]]:
        share = inside(face.box, size)
        eyes_and_mouth = all(0 <= x <= size[0] and 0 <= y <= size[1] for x, y in face.landmarks)
        advice = "Photograph the whole document." if role == "document" else "Move so that your whole face is visible."
        if share >= self.parameters.min_inside and eyes_and_mouth:
            return []
        message = f"Only {100 * share:.0f} % of the face is inside the picture."
        severity: Severity = "unsure" if eyes_and_mouth else "fail"
        return [(severity, Reason("face.cut_off", message, advice))]

    def _confidence(self, face: FaceDetection, role: str) -> list[tuple[Severity, Reason]]:
        if face.confidence >= self.parameters.confident:
            return []
        advice = (
            "Photograph the document again in even light."
            if role == "document"
            else ("Face the camera in even light, with nothing in front of your face.")
        )
        message = (
            f"The detector is only {face.confidence:.2f} sure of the face ({self.parameters.confident:.2f} asked)."
        )
        return [("unsure", Reason("face.low_confidence", message, advice))]

    def _rivals(self, main: FaceDetection, others: list[FaceDetection]) -> list[tuple[Severity, Reason]]:
        if not others:
            return []
        share = others[0].box.area / max(main.box.area, 1e-9)
        count = len(others) + 1
        if share >= self.parameters.rival:
            message = f"There are {count} faces and the second has {100 * share:.0f} % of the area of the first."
            return [("fail", Reason("face.several", message, "Take the picture alone, without other people in view."))]
        message = (
            f"There are {count} faces; the second has {100 * share:.0f} % of the area of the first and was ignored."
        )
        return [("note", Reason("face.bystander", message, "Take the picture without other people in view."))]


def inside(box: Box, size: tuple[int, int]) -> float:
    """Share of the box, 0-1, that lies inside a ``(width, height)`` picture."""
    width = min(box.x + box.width, size[0]) - max(box.x, 0.0)
    height = min(box.y + box.height, size[1]) - max(box.y, 0.0)
    return max(0.0, width) * max(0.0, height) / max(box.area, 1e-9)


def _off_centre(box: Box, size: tuple[int, int]) -> float:
    x, y = box.centre
    return (x - size[0] / 2) ** 2 + (y - size[1] / 2) ** 2
