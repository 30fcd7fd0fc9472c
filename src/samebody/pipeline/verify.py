"""The main job: is the person on the selfie the holder of the document? Every check once, then the policy decides."""

from __future__ import annotations

import functools
import threading
import uuid
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from datetime import date
from pathlib import Path
from typing import Any, Literal, NotRequired, TypedDict

from threadpoolctl import ThreadpoolController

from samebody.attacks.deepfake import DeepfakeCheck
from samebody.attacks.morph import MorphCheck
from samebody.attacks.pad import PassivePad
from samebody.capture import decode_image
from samebody.config import Settings, load_settings
from samebody.decide import Policy, decide, load_policy, verdict_to_dict
from samebody.document import DocumentReader, DocumentReading, Page, run_checks
from samebody.errors import UsageError
from samebody.face import FaceAnalyser, FaceAnalysis
from samebody.match import compare, decide_match
from samebody.models import ModelRecord, catalogue
from samebody.pipeline.attacks import (
    DEEPFAKE,
    MORPH,
    asks_for_liveness,
    mentions,
    portrait_morph,
    selfie_deepfake,
    selfie_liveness,
)
from samebody.pipeline.portraits import document_portraits
from samebody.pipeline.trace import Trace
from samebody.types import Decision, Evidence, Finding, Image, Outcome, Pixels, Reason, SourceInfo, Verdict

FURTHER = "selfie.further"
Further = Callable[[FaceAnalyser, FaceAnalysis], Sequence[Finding]]
ImageInput = bytes | bytearray | Path | str | Pixels | Image


class Pictures(TypedDict):
    """The two pictures of a case, as :meth:`Verifier.verify` takes them."""

    selfie: ImageInput
    document: NotRequired[ImageInput]
    reference: NotRequired[ImageInput]


def pictures_for(policy: Policy, selfie: ImageInput, other: ImageInput) -> Pictures:
    """``other`` is the document, or the reference where the policy asks for none."""
    if policy.needs_document:
        return {"selfie": selfie, "document": other}
    return {"selfie": selfie, "reference": other}


@dataclass(frozen=True, slots=True, eq=False)
class Verification:
    """A finished case: the verdict, the trace it was read from, and the policy.

    Attributes:
        verdict: the answer.
        trace: what every stage returned; holds pixels and templates, so it is never serialised.
        policy: what decided.
        settings: what the case ran with.
    """

    verdict: Verdict
    trace: Trace = field(repr=False)
    policy: Policy = field(repr=False)
    settings: Settings = field(repr=False)

    @property
    def decision(self) -> Decision:
        """Accept, reject, review or retry."""
        return self.verdict.decision

    def to_dict(self) -> dict[str, Any]:
        """The verdict as JSON-ready data, after docs/reference/verdict.schema.json."""
        return verdict_to_dict(self.verdict)

    def write_report(self, path: Path | str, *, show_pictures: bool = False) -> Path:
        """Write the report to ``path``; pictures are blurred unless ``show_pictures``."""
        from samebody.pipeline.report import write_report

        return write_report(self, Path(path), show_pictures=show_pictures)


class Verifier:
    """Verifies cases one after the other with model sessions that stay loaded. Safe to call from several threads."""

    def __init__(self, settings: Settings | None = None, *, embedder: str | None = None) -> None:
        self.settings = settings or load_settings()
        embedder = embedder or self.settings.embedder
        self.record: ModelRecord = catalogue(self.settings)[embedder]
        self.faces = FaceAnalyser(self.settings, embedder=embedder)
        # the selfie's side shares the cores with the document's side, which is the longer one
        self._side_faces = self.faces.single_threaded()
        self.documents = DocumentReader(self.settings)

    def verify(
        self,
        *,
        selfie: ImageInput,
        document: ImageInput | None = None,
        reference: ImageInput | None = None,
        policy: str | Path | Policy = "default",
        case_id: str | None = None,
        today: date | None = None,
        depth: Literal["all", "mrz"] = "all",
        further: Further | None = None,
    ) -> Verification:
        """Verify one person.

        Args:
            selfie: encoded picture (bytes), a path, an RGB array of shape (height, width, 3) uint8, or an Image.
            document: photograph of the identity document; needed unless the policy waives it.
            reference: an earlier photograph of the person, for policies without a document.
            policy: name, path, or a loaded policy.
            case_id: how the caller knows the case; a random one by default.
            today: the date that expiry is judged by; the real one by default.
            depth: ``mrz`` leaves out the visual zone and the forgery checks, for a first look in a capture loop; the
                policy then sees them as not run, and none of the bundled ones accepts without them.
            further: more checks of the selfie's side, from evidence that only the caller has (the frames of a
                challenge, earlier uploads); given the analyser and the analysis of the selfie.

        Raises:
            UsageError: the pictures handed over do not fit the policy.
            InputError: a picture cannot be decoded.
            NotMeasuredError: the policy asks for an error rate at which the model was not measured.
            BundleError: the policy asks for signed models, and the embedder is not signed by a trusted key, or was
                changed since.
        """
        rules = policy if isinstance(policy, Policy) else load_policy(policy, self.settings)
        other = self._other_side(rules, document, reference)
        # asked before any work is done: a policy that this model cannot serve is a mistake of the operator
        if rules.require_signed_models:
            from samebody.models.bundle_install import require_trusted

            require_trusted(self.record, self.settings)
        demand = rules.face_match
        self.record.operating_point(
            demand.fmr, population=demand.population, allow_extrapolated=demand.allow_extrapolated
        )
        case = case_id or uuid.uuid4().hex
        trace = Trace()
        sides: list[Callable[[], FaceAnalysis]] = [lambda: self._selfie(trace, case, selfie, rules, further)]
        if other == "document":
            assert document is not None
            sides.append(lambda: self._document(trace, case, document, today, depth))
        else:
            assert reference is not None
            sides.append(lambda: self._picture(trace, case, reference, "reference"))
        # The two sides keep two cores busy. The small matrices of the document room gain nothing from more threads in
        # the linear algebra library, and its waiting threads would take both cores from the other side.
        with (
            _linear_algebra().limit(limits=1, user_api="blas"),
            ThreadPoolExecutor(max_workers=2, thread_name_prefix="samebody-case") as workers,
        ):
            probe, enrolled = [future.result() for future in [workers.submit(side) for side in sides]]
        trace.run("face.match", lambda: self._match(probe, enrolled, rules, other))
        if mentions(rules, MORPH):
            trace.run(MORPH, lambda: portrait_morph(self._morph, enrolled, probe))
        findings = tuple(_all_findings(trace))
        verdict = decide(rules, findings, case_id=case, model_ids=trace.model_ids(), timings=trace.timings())
        return Verification(verdict, trace, rules, self.settings)

    @staticmethod
    def _other_side(policy: Policy, document: ImageInput | None, reference: ImageInput | None) -> str:
        wanted = "document" if policy.needs_document else "reference"
        given = {"document": document is not None, "reference": reference is not None}
        unwanted = "reference" if wanted == "document" else "document"
        if not given[wanted] or given[unwanted]:
            raise UsageError(
                f"policy {policy.id!r} compares the selfie with a {wanted}"
                + (f", and a {unwanted} was given too." if given[wanted] else ", and none was given."),
                hint=f"Give exactly a selfie and a {wanted}, or choose another policy.",
            )
        return wanted

    def _decode(self, trace: Trace, case: str, source: ImageInput, role: str) -> Image:
        def work() -> Image:
            if isinstance(source, Image):
                image = source
            elif isinstance(source, bytes | bytearray | Path | str):
                image = decode_image(source, limits=self.settings.limits, role=role)
            else:
                height, width = source.shape[:2]
                image = Image(source, SourceInfo(width=width, height=height))
            return replace(image, evidence=Evidence(f"{case}/{role}", role, case=case))

        image = trace.run(f"{role}.decode", work)
        trace.keep_evidence(role, image)
        return image

    def _picture(self, trace: Trace, case: str, source: ImageInput, role: str) -> FaceAnalysis:
        image = self._decode(trace, case, source, role)
        return trace.run(f"{role}.face", lambda: self._side_faces.analyse(image, role=role))

    def _selfie(
        self, trace: Trace, case: str, source: ImageInput, policy: Policy, further: Further | None
    ) -> FaceAnalysis:
        analysis = self._picture(trace, case, source, "selfie")
        image = trace.evidence("selfie")
        assert image is not None
        if asks_for_liveness(policy):
            trace.run("selfie.liveness", lambda: selfie_liveness(self._liveness, image, analysis))
        if mentions(policy, DEEPFAKE):
            trace.run(DEEPFAKE, lambda: selfie_deepfake(self._deepfake, image, analysis))
        if further is not None:
            trace.run(FURTHER, lambda: further(self._side_faces, analysis))
        return analysis

    @functools.cached_property
    def _liveness(self) -> PassivePad:
        return PassivePad(self.settings)

    @functools.cached_property
    def _deepfake(self) -> DeepfakeCheck:
        return DeepfakeCheck(self.settings)

    @functools.cached_property
    def _morph(self) -> MorphCheck:
        return MorphCheck(self.settings)

    def _document(self, trace: Trace, case: str, source: ImageInput, today: date | None, depth: str) -> FaceAnalysis:
        image = self._decode(trace, case, source, "document")
        everything = depth == "all"
        shown, faces = image, Future[FaceAnalysis]()

        def look_at_face(page: Page | None) -> None:
            # the rectified page is upright and seen from the front, which is what the face room wants
            nonlocal shown, faces
            if page is not None:
                shown = Image(page.image, image.source, Evidence(f"{case}/page", "page", case=case))
                trace.keep_evidence("page", shown)
            faces = beside.submit(trace.run, "document.face", lambda: self.faces.analyse(shown, role="document"))

        with ThreadPoolExecutor(max_workers=1, thread_name_prefix="samebody-portrait") as beside:
            reading = trace.run(
                "document.read",
                lambda: self.documents.read(image, today=today, visual_zone=everything, page_ready=look_at_face),
            )
            analysis = faces.result()
        if everything:
            portraits = trace.run(
                "document.portraits", lambda: document_portraits(self.faces, self.record, shown, analysis, reading)
            )
            trace.run("document.forgery", lambda: run_checks(image, reading, portraits))
        return analysis

    def _match(self, probe: FaceAnalysis, enrolled: FaceAnalysis, policy: Policy, other: str) -> Finding:
        if probe.template is None or enrolled.template is None:
            missing = "the selfie" if probe.template is None else f"the {other}"
            reason = Reason("match.no_template", f"There is no usable face on {missing}, so nothing was compared.")
            return Finding("face.match", Outcome.NOT_RUN, reasons=(reason,))
        demand = policy.face_match
        return decide_match(
            compare(probe.template, enrolled.template),
            self.record,
            demand.fmr,
            population=demand.population,
            allow_extrapolated=demand.allow_extrapolated,
            quality=_lower_quality(probe, enrolled),
        )


def _lower_quality(one: FaceAnalysis, two: FaceAnalysis) -> float | None:
    """The lower unified quality of the two pictures; None where one was not assessed."""
    if one.quality is None or two.quality is None:
        return None
    return float(min(one.quality.unified, two.quality.unified))


@functools.cache
def _linear_algebra() -> ThreadpoolController:
    """The thread pools of this process's libraries; looked up once, after all of them are loaded."""
    return ThreadpoolController()


def _all_findings(trace: Trace) -> list[Finding]:
    """Every finding on the trace, in order of execution."""
    found: list[Finding] = []
    for entry in trace:
        value = entry.value
        if isinstance(value, Finding):
            found.append(value)
        elif isinstance(value, FaceAnalysis | DocumentReading):
            found.extend(value.findings)
        elif entry.stage in ("document.forgery", FURTHER):
            found.extend(value)
    return found


_shared: dict[Settings, Verifier] = {}
_shared_lock = threading.Lock()


def verify(
    selfie: ImageInput,
    document: ImageInput | None = None,
    *,
    reference: ImageInput | None = None,
    policy: str | Path | Policy = "default",
    case_id: str | None = None,
    settings: Settings | None = None,
    today: date | None = None,
    depth: Literal["all", "mrz"] = "all",
) -> Verification:
    """Verify a person against their document (or an earlier photograph); weights stay loaded between calls.

    See :meth:`Verifier.verify` for arguments and errors.
    """
    settings = settings or load_settings()
    with _shared_lock:
        verifier = _shared.get(settings)
        if verifier is None:
            verifier = _shared.setdefault(settings, Verifier(settings))
    return verifier.verify(
        selfie=selfie,
        document=document,
        reference=reference,
        policy=policy,
        case_id=case_id,
        today=today,
        depth=depth,
    )
