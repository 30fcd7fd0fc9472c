"""The vocabulary that all rooms share, after ISO/IEC 2382-37: samples, templates, findings, verdicts.

Data classes here are frozen and carry data only; the work is done in the rooms. Pixel coordinates are
``(x, y)`` floats with the origin at the outer corner of the top-left pixel, x to the right, y down.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any, Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from samebody.errors import EmbeddingSpaceMismatchError

Pixels = NDArray[np.uint8]
"""RGB pixels, shape (height, width, 3), dtype uint8, range 0-255, sRGB."""

Point = tuple[float, float]


class Modality(StrEnum):
    """The biometric characteristic a sample shows."""

    FACE = "face"
    IRIS = "iris"


# --------------------------------------------------------------------------------------------- evidence and samples


@dataclass(frozen=True, slots=True)
class Evidence:
    """A reference to pixels, never the pixels: what findings, traces and logs may hold.

    Attributes:
        id: ``role:sha256-prefix`` style handle, unique within a case.
        role: what the evidence is for in the case (``selfie``, ``document``, ``crop``).
        tenant, case, purpose, consent, expires, key_id: whose it is, why it is held and until when.
    """

    id: str
    role: str
    tenant: str = "local"
    case: str | None = None
    purpose: str = "verification"
    consent: str | None = None
    expires: datetime | None = None
    key_id: str | None = None


@dataclass(frozen=True, slots=True)
class SourceInfo:
    """What the file said about itself before it became pixels.

    Attributes:
        format: ``jpeg``, ``png``, ``webp``, ``tiff``, ``heic``, ``video`` or ``array``.
        byte_count: size of the encoded input in bytes; 0 for arrays.
        width, height: stored size in pixels, before orientation was applied.
        orientation: EXIF orientation 1-8.
        colour: colour model of the file (``RGB``, ``L``, ``CMYK``, ``P``, ``I;16`` ...).
        bit_depth: bits per channel in the file.
        had_alpha, had_profile: whether transparency was flattened, whether a colour profile was converted.
        jpeg_quality: estimated from the luminance quantisation table, 1-100; None when not JPEG.
        software: EXIF ``Software`` tag, if any: image editors often sign themselves here.
        camera: EXIF make and model, if any.
    """

    format: str = "array"
    byte_count: int = 0
    width: int = 0
    height: int = 0
    orientation: int = 1
    colour: str = "RGB"
    bit_depth: int = 8
    had_alpha: bool = False
    had_profile: bool = False
    jpeg_quality: int | None = None
    software: str | None = None
    camera: str | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Image:
    """Decoded RGB pixels with where they came from.

    Attributes:
        pixels: (height, width, 3) uint8 RGB; orientation applied, colour profile converted to sRGB.
        source: what the file said about itself.
        evidence: the reference findings use; None for pixels that belong to no case.

    Raises:
        ValueError: when ``pixels`` has another shape or dtype.
    """

    pixels: Pixels
    source: SourceInfo = field(default_factory=SourceInfo)
    evidence: Evidence | None = None

    def __post_init__(self) -> None:
        shape, dtype = self.pixels.shape, self.pixels.dtype
        if len(shape) != 3 or shape[2] != 3 or dtype != np.uint8 or 0 in shape:
            raise ValueError(f"expected pixels of shape (height, width, 3) and dtype uint8, got {shape} {dtype}")

    @property
    def width(self) -> int:
        """Width in pixels."""
        return int(self.pixels.shape[1])

    @property
    def height(self) -> int:
        """Height in pixels."""
        return int(self.pixels.shape[0])


@dataclass(frozen=True, slots=True, eq=False)
class Frame:
    """One picture of a video: ``timestamp`` in seconds from the start, ``index`` counted from 0."""

    image: Image
    timestamp: float
    index: int


class Video(Protocol):
    """An iterator of timestamped frames that is never a list in memory; also a context manager."""

    def __iter__(self) -> Iterator[Frame]: ...

    def __enter__(self) -> Video: ...

    def __exit__(self, *exc: object) -> None: ...


@dataclass(frozen=True, slots=True)
class Box:
    """An axis-aligned rectangle in pixels: left, top, width, height."""

    x: float
    y: float
    width: float
    height: float

    @property
    def centre(self) -> Point:
        """Centre point."""
        return (self.x + self.width / 2, self.y + self.height / 2)

    @property
    def area(self) -> float:
        """Area in square pixels; 0 for an inverted box."""
        return max(0.0, self.width) * max(0.0, self.height)

    def corners(self) -> tuple[Point, Point, Point, Point]:
        """Corners clockwise from the top left."""
        right, bottom = self.x + self.width, self.y + self.height
        return ((self.x, self.y), (right, self.y), (right, bottom), (self.x, bottom))

    def intersection_over_union(self, other: Box) -> float:
        """Overlap with ``other`` in 0-1."""
        width = min(self.x + self.width, other.x + other.width) - max(self.x, other.x)
        height = min(self.y + self.height, other.y + other.height) - max(self.y, other.y)
        if width <= 0 or height <= 0:
            return 0.0
        return width * height / (self.area + other.area - width * height)


@dataclass(frozen=True, slots=True)
class Region:
    """A polygon on a piece of evidence that a finding points at.

    Attributes:
        name: what it shows (``face``, ``mrz``, ``portrait``, ``birth_date`` ...).
        polygon: at least three points, in pixels of the evidence named by ``role``.
        role: evidence role (``selfie``, ``document``, or ``page`` for the rectified page).
    """

    name: str
    polygon: tuple[Point, ...]
    role: str


# ------------------------------------------------------------------------------------- embedding spaces and templates


@dataclass(frozen=True, slots=True)
class EmbeddingSpace:
    """What must be equal for two templates to be comparable.

    Attributes:
        model_id, version: of the model record.
        weights_sha256: of the file that is really run.
        preprocessing: digest of the record's input contract (size, colour order, scaling, alignment).
        precision: ``float32``, ``int8`` ...
    """

    model_id: str
    version: str
    weights_sha256: str
    preprocessing: str
    precision: str = "float32"

    @property
    def digest(self) -> str:
        """First 16 hexadecimal digits of the SHA-256 over all fields."""
        fields = [self.model_id, self.version, self.weights_sha256, self.preprocessing, self.precision]
        return hashlib.sha256(json.dumps(fields).encode()).hexdigest()[:16]


@dataclass(frozen=True, slots=True, eq=False)
class Template:
    """A biometric template: a feature vector pinned to its embedding space.

    Attributes:
        vector: (dimensions,) float32, unit length. ``repr`` never prints it.
        space: the only space it may be compared in.
        evidence_id: the sample it was made from.
    """

    vector: NDArray[np.float32] = field(repr=False)
    space: EmbeddingSpace
    modality: Modality = Modality.FACE
    evidence_id: str | None = None

    def require_same_space(self, other: Template) -> None:
        """Raise :class:`EmbeddingSpaceMismatchError` unless ``other`` lives in the same embedding space."""
        if self.space != other.space:
            raise EmbeddingSpaceMismatchError(
                f"templates of {self.space.model_id} ({self.space.digest}) and {other.space.model_id} "
                f"({other.space.digest}) cannot be compared.",
                hint="Embed both samples again with one model.",
            )


@dataclass(frozen=True, slots=True)
class OperatingPoint:
    """A score threshold and the error rates measured (or extrapolated) at it.

    Attributes:
        fmr: the target false match rate, e.g. 1e-4.
        threshold: accept when score >= threshold.
        realised_fmr: what the threshold gave on the measured pairs; at most ``fmr``.
        fmr_interval: 95 % interval of the false match rate (vertex bootstrap over subjects).
        fnmr: false non-match rate at the threshold on the mated pairs; None when not measured.
        fnmr_interval: 95 % interval (bootstrap over subjects).
        population: ``matched-adults`` (default), ``all-pairs`` ...
        dataset: names of the sets measured on.
        pairs, subjects: non-mated pairs and subjects behind the figure.
        errors, effective_errors: false matches counted, and what they weigh given their dependence.
        indicative: fewer than 30 effective errors.
        extrapolated: beyond the measured tail; ``threshold`` is then the upper bound of the fit.
    """

    fmr: float
    threshold: float
    realised_fmr: float
    population: str
    dataset: str
    pairs: int
    subjects: int
    errors: int
    effective_errors: float
    fmr_interval: tuple[float, float]
    fnmr: float | None = None
    fnmr_interval: tuple[float, float] | None = None
    mated_pairs: int = 0
    mated_subjects: int = 0
    indicative: bool = False
    extrapolated: bool = False


@dataclass(frozen=True, slots=True)
class Comparison:
    """The comparison of two templates: a similarity score, higher means more alike."""

    score: float
    space: EmbeddingSpace
    modality: Modality = Modality.FACE


# ------------------------------------------------------------------------------------------------ findings and verdict


class Outcome(StrEnum):
    """What a check found. ``UNSURE`` is an abstention; ``NOT_RUN`` says that the check did not happen."""

    PASS = "pass"
    FAIL = "fail"
    UNSURE = "unsure"
    NOT_RUN = "not_run"


@dataclass(frozen=True, slots=True)
class Reason:
    """Why a check came out as it did.

    Attributes:
        code: stable and dotted, e.g. ``face.too_small``.
        message: one sentence for the reviewer, with the measured value and its limit.
        advice: one sentence for the person in front of the camera; empty when there is nothing they can do.
    """

    code: str
    message: str
    advice: str = ""


@dataclass(frozen=True, slots=True)
class Finding:
    """What every check returns.

    Attributes:
        check: stable name, e.g. ``face.match`` or ``document.mrz``.
        outcome: pass, fail, unsure (abstained) or not_run.
        score: the number the outcome rests on, if there is one.
        operating_point: the point the score was held against, if there is one.
        reasons: why, most important first; at least one unless the outcome is ``pass``.
        model_ids: records of the models used.
        milliseconds: time the check took.
        regions: where on the evidence.
        details: further JSON-ready figures for report and audit; never pixels, never a template.
    """

    check: str
    outcome: Outcome
    score: float | None = None
    operating_point: OperatingPoint | None = None
    reasons: tuple[Reason, ...] = ()
    model_ids: tuple[str, ...] = ()
    milliseconds: float = 0.0
    regions: tuple[Region, ...] = ()
    details: Mapping[str, Any] = field(default_factory=dict)


class Decision(StrEnum):
    """The end of a verification."""

    ACCEPT = "accept"
    REJECT = "reject"
    REVIEW = "review"
    RETRY = "retry"


LayerStatus = Literal["passed", "failed", "unsure", "absent", "waived"]


@dataclass(frozen=True, slots=True)
class LayerAssurance:
    """What one layer of the policy contributed.

    Attributes:
        layer: name in the policy (``capture``, ``document``, ``forgery``, ``face_match``, ``liveness``).
        status: ``passed``, ``failed``, ``unsure``, ``absent`` (no check ran) or ``waived`` (the policy does not ask).
        checks: the checks that stood for it.
        validated: ``real`` when its error rates were measured on real input, ``synthetic`` when only on generated
            input, ``none`` when not measured.
        note: one sentence for the reader.
    """

    layer: str
    status: LayerStatus
    checks: tuple[str, ...] = ()
    validated: Literal["real", "synthetic", "none"] = "none"
    note: str = ""


VERDICT_SCHEMA_VERSION = "1.1"


@dataclass(frozen=True, slots=True)
class Verdict:
    """The answer to a case, with everything that explains it.

    Attributes:
        decision: accept, reject, review or retry.
        headline: the decision in a few words, with what was left out (``accept, without liveness``).
        summary: one paragraph a non-technical person understands.
        reasons: ordered by weight, heaviest first.
        next_steps: what the person can do now.
        assurance: one entry per layer of the policy.
        findings: every check that ran or was asked for.
        policy_id, policy_version, policy_sha256: what decided.
        model_ids: every record that was used, sorted.
        timings: milliseconds per stage, in order of execution.
        case_id, created: which case, and when (UTC).
    """

    decision: Decision
    headline: str
    summary: str
    reasons: tuple[Reason, ...]
    next_steps: tuple[str, ...]
    assurance: tuple[LayerAssurance, ...]
    findings: tuple[Finding, ...]
    policy_id: str
    policy_version: int
    policy_sha256: str
    model_ids: tuple[str, ...]
    timings: Mapping[str, float]
    case_id: str
    created: datetime
    schema_version: str = VERDICT_SCHEMA_VERSION

    def finding(self, check: str) -> Finding:
        """The finding of ``check``; raises KeyError when it was not part of the case."""
        for finding in self.findings:
            if finding.check == check:
                return finding
        raise KeyError(check)
