"""``/v1/checks``: one question, one answer, nothing kept. For a verdict create a session."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Request, Response
from pydantic import Base64Bytes, Field

from samebody.capture import decode_image
from samebody.decide.serialise import finding_to_dict
from samebody.document.serialise import reading_to_dict
from samebody.match import compare, decide_match
from samebody.pipeline.attacks import selfie_liveness
from samebody.service import schemas
from samebody.service.access import Caller, needs
from samebody.service.once import OnceOnly
from samebody.service.state import Service, service_of
from samebody.types import Finding, Image

router = APIRouter(prefix="/checks", tags=["checks"])
Picture = Annotated[
    Base64Bytes, Field(max_length=90 * 2**20, description="an encoded picture (JPEG, PNG ...), in base64")
]


class Pair(schemas.Request):
    """Two pictures of faces."""

    one: Picture
    two: Picture
    fmr: float = Field(default=1e-4, gt=0, lt=1, description="false match rate that the decision is made at")
    population: str = Field(default="matched-adults", max_length=64, description="of the non-mated pairs behind it")


class OnePicture(schemas.Request):
    """A picture."""

    picture: Picture


class Checked(schemas.Answer):
    """What was found; each finding follows the verdict schema."""

    findings: list[dict[str, Any]]
    model_ids: list[str]


class Quality(Checked):
    """What was found about a face image."""

    unified: float | None = Field(description="0 to 100; null without a usable face")


class DocumentChecked(Checked):
    """What was read from a document, after the document schema."""

    reading: dict[str, Any]


@router.post("/face-compare", response_model=Checked)
def check_faces(
    request: Request, wanted: Pair, once: OnceOnly, who: Annotated[Caller, needs("checks:write")]
) -> Response:
    """Whether the main faces of two pictures are one person's, at a false match rate."""
    service = service_of(request)

    def work() -> dict[str, Any]:
        with service.check_slot() as verifiers:
            verifier = verifiers.of_tenant(who.tenant)
            one, two = _decoded(service, wanted.one, "one"), _decoded(service, wanted.two, "two")
            analyses = verifier.faces.templates([one, two], "face")
            findings = [finding for analysis in analyses for finding in analysis.findings]
            first, second = (analysis.template for analysis in analyses)
            if first is not None and second is not None:
                findings.append(
                    decide_match(compare(first, second), verifier.record, wanted.fmr, population=wanted.population)
                )
            return _answer(findings)

    return once.outside(who, 200, work)


@router.post("/quality", response_model=Quality)
def check_quality(
    request: Request, wanted: OnePicture, once: OnceOnly, who: Annotated[Caller, needs("checks:write")]
) -> Response:
    """How good the main face of a picture is for recognition, part by part, with advice for the person."""
    service = service_of(request)

    def work() -> dict[str, Any]:
        with service.check_slot() as verifiers:
            verifier = verifiers.of_tenant(who.tenant)
            analysis = verifier.faces.analyse(_decoded(service, wanted.picture, "selfie"), role="selfie")
        unified = None if analysis.quality is None else float(analysis.quality.unified)
        return {**_answer(list(analysis.findings)), "unified": unified}

    return once.outside(who, 200, work)


@router.post("/liveness", response_model=Checked)
def check_liveness(
    request: Request, wanted: OnePicture, once: OnceOnly, who: Annotated[Caller, needs("checks:write")]
) -> Response:
    """Whether one picture shows a presentation attack; read in the model's record what it was measured on."""
    service = service_of(request)

    def work() -> dict[str, Any]:
        detector = service.liveness
        with service.check_slot() as verifiers:
            verifier = verifiers.of_tenant(who.tenant)
            image = _decoded(service, wanted.picture, "selfie")
            analysis = verifier.faces.aligned(image, role="selfie")
            return _answer([*analysis.findings, selfie_liveness(detector, image, analysis)])

    return once.outside(who, 200, work)


@router.post("/document", response_model=DocumentChecked)
def check_document(
    request: Request, wanted: OnePicture, once: OnceOnly, who: Annotated[Caller, needs("checks:write")]
) -> Response:
    """What stands on a document, and whether it agrees with itself."""
    service = service_of(request)

    def work() -> dict[str, Any]:
        with service.check_slot() as verifiers:
            verifier = verifiers.of_tenant(who.tenant)
            reading = verifier.documents.read(_decoded(service, wanted.picture, "document"))
        return {**_answer(list(reading.findings)), "reading": reading_to_dict(reading)}

    return once.outside(who, 200, work)


def _decoded(service: Service, data: bytes, role: str) -> Image:
    return decode_image(data, limits=service.runtime.limits, role=role)


def _answer(findings: list[Finding]) -> dict[str, Any]:
    models = dict.fromkeys(name for finding in findings for name in finding.model_ids)
    return {"findings": [finding_to_dict(finding) for finding in findings], "model_ids": list(models)}
