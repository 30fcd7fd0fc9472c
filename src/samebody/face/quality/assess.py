"""Assessing one face: every component that the picture allows, the unified score, and the finding that follows."""

from __future__ import annotations

from collections.abc import Sequence

from pydantic import Field

from samebody import stage
from samebody.face.quality.components import COMPONENTS
from samebody.face.quality.frame import QualityFrame
from samebody.face.quality.unified import unified_quality
from samebody.face.results import FaceDetection, FaceMesh, FaceQuality, QualityComponent
from samebody.types import Finding, Image, Outcome, Reason, Region

WEAK = 40
"""Component value below which a component is named as a reason for a poor unified score; ours."""


class QualityAssessor(stage.Stage):
    """Measures all components of :data:`samebody.face.quality.components.COMPONENTS`."""

    def assess(
        self, image: Image, detection: FaceDetection, mesh: FaceMesh | None, detections: Sequence[FaceDetection]
    ) -> FaceQuality:
        """Quality of ``detection`` in ``image``. Components that need what is not there are named as not assessed."""
        frame = QualityFrame(image, detection, mesh, tuple(detections))
        components, missing = [], []
        for definition in COMPONENTS:
            raw = definition.measure(frame)
            if raw is None:
                missing.append(definition.name)
                continue
            value = definition.quality(raw)
            message = f"{definition.shows.format(raw=raw)} (quality {value} of 100)."
            components.append(
                QualityComponent(
                    definition.name,
                    raw,
                    definition.unit,
                    value,
                    definition.advice,
                    message[0].upper() + message[1:],
                )
            )
        return FaceQuality(unified_quality(detection, mesh, components), tuple(components), tuple(missing))


class QualityLimits(stage.Parameters):
    """Unified quality at which a picture is asked for again. They reject pictures, never accept a person."""

    fail: int = Field(default=25, ge=0, le=100, description="selfie: below it the finding fails")
    unsure: int = Field(default=45, ge=0, le=100, description="selfie: below it the finding is unsure")
    document_fail: int = Field(default=5, ge=0, le=100, description="document: below it the finding fails")
    document_unsure: int = Field(default=15, ge=0, le=100, description="document: below it the finding is unsure")


LIMITS = QualityLimits()


def quality_finding(
    quality: FaceQuality,
    role: str,
    face: FaceDetection,
    *,
    model_ids: tuple[str, ...] = (),
    milliseconds: float = 0.0,
    limits: QualityLimits = LIMITS,
) -> Finding:
    """``<role>.quality``: the unified score held against ``limits``, with the weakest components as reasons."""
    fail, unsure = (
        (limits.document_fail, limits.document_unsure) if role == "document" else (limits.fail, limits.unsure)
    )
    outcome = Outcome.FAIL if quality.unified < fail else Outcome.UNSURE if quality.unified < unsure else Outcome.PASS
    reasons: list[Reason] = []
    if outcome is not Outcome.PASS:
        weak = [component for component in quality.worst(3) if component.value < WEAK]
        reasons.append(
            Reason(
                "face.quality.low",
                f"Face image quality is {quality.unified} of 100, at least {unsure} is asked for.",
                "" if role == "document" else (weak[0].advice if weak else "Take the picture again in good light."),
            )
        )
        reasons += [
            Reason(f"face.quality.{component.name}", component.message, "" if role == "document" else component.advice)
            for component in weak
        ]
    return Finding(
        f"{role}.quality",
        outcome,
        score=float(quality.unified),
        reasons=tuple(reasons),
        model_ids=model_ids,
        milliseconds=milliseconds,
        regions=(Region("face", face.box.corners(), role),),
        details={
            "components": {component.name: component.value for component in quality.components},
            "not_assessed": list(quality.not_assessed),
        },
    )
