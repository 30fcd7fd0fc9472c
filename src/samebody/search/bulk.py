"""Enrolment of many pictures or templates: resumable, bad pictures listed with their reasons, nothing twice or lost.

What was enrolled is the only state: each record carries a digest of what it was made from (``source``), so that a run
that was killed goes on where the gallery says it was, and the same run again enrols nothing.
"""

from __future__ import annotations

import csv
import hashlib
import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice, zip_longest
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from samebody.errors import InputError
from samebody.search.enrolment import Applicant, Enrolled, Enroller
from samebody.search.types import UNIT
from samebody.types import Reason

SOURCE = "source"
"""Attribute of a record: digest of what its template was made from."""

PICTURES = (".jpg", ".jpeg", ".png", ".webp", ".tif", ".tiff", ".heic", ".avif")
EYES = ("left", "right", "unknown")
BATCH = 64
LISTED = 20


class ManifestError(InputError):
    """A manifest, folder or file of templates cannot be enrolled from; every problem is named."""

    code = "search.manifest"

    def __init__(self, source: object, problems: Sequence[str], *, hint: str = "") -> None:
        self.problems = tuple(problems)
        shown = "".join(f"\n  - {problem}" for problem in problems[:LISTED])
        more = f"\n  ... and {len(problems) - LISTED} more" if len(problems) > LISTED else ""
        super().__init__(f"{source} cannot be enrolled from:{shown}{more}", hint=f"\n{hint}" if hint else "")


@dataclass(frozen=True, slots=True)
class Item:
    """One picture to be enrolled.

    Attributes:
        subject: name in the gallery.
        path: of the picture.
        modality: ``vector`` (a face) or ``iris``.
        eye: of an iris.
        name: what names the picture in the gallery; the same picture under the same name is enrolled once.
        birth: hint for twins; empty for none.
    """

    subject: str
    path: Path
    modality: str
    eye: str = "unknown"
    name: str = ""
    birth: str = ""

    @property
    def digest(self) -> str:
        """Sixteen hexadecimal digits that name this item."""
        fields = [self.subject, self.name or str(self.path), self.modality, self.eye]
        return hashlib.sha256(json.dumps(fields).encode()).hexdigest()[:16]


@dataclass(frozen=True, slots=True, eq=False)
class Embedded:
    """What became of one picture: a vector, a code with its mask, or the reasons why there is neither."""

    item: Item
    vector: NDArray[np.float32] | None = field(default=None, repr=False)
    iris: tuple[NDArray[np.uint64], NDArray[np.uint64]] | None = field(default=None, repr=False)
    reasons: tuple[Reason, ...] = ()


class Embedder(Protocol):
    """Makes templates of pictures of one modality."""

    @property
    def space(self) -> str:
        """Digest of the embedding space of its templates."""
        ...

    def embed(self, items: Iterable[Item]) -> Iterator[Embedded]:
        """One result for each item, in order; a bad picture is a result with reasons."""
        ...


@dataclass(frozen=True, slots=True)
class Turned:
    """A picture or person that was not enrolled.

    Attributes:
        subject, path: of the picture.
        outcome: ``picture`` (no template could be made), ``refused`` (a duplicate) or ``review``.
        reasons: why.
        candidates: enrolled subjects that a refusal rests on.
    """

    subject: str
    path: str
    outcome: str
    reasons: tuple[Reason, ...]
    candidates: tuple[str, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready fields."""
        return {
            "subject": self.subject,
            "path": self.path,
            "outcome": self.outcome,
            "reasons": [{"code": r.code, "message": r.message, "advice": r.advice} for r in self.reasons],
            "candidates": list(self.candidates),
        }


@dataclass(slots=True)
class BulkReport:
    """What a run did.

    Attributes:
        items: pictures or templates looked at.
        enrolled: templates written in this run; ``flagged`` of them are marked as duplicates.
        known: enrolled already, by an earlier run.
        bad: pictures without a template.
        refused, review: templates of people who seem to be enrolled already.
        turned: all that were not enrolled.
    """

    items: int = 0
    enrolled: int = 0
    flagged: int = 0
    known: int = 0
    bad: int = 0
    refused: int = 0
    review: int = 0
    turned: list[Turned] = field(default_factory=list)

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready counts."""
        names = ("items", "enrolled", "flagged", "known", "bad", "refused", "review")
        return {name: getattr(self, name) for name in names}


Progress = Callable[[BulkReport, int], None]
"""Called after each batch with the report so far and the number of items in all."""


# --------------------------------------------------------------------------------------------------- what to enrol


def folder_items(folder: Path, modality: str = "vector") -> list[Item]:
    """Pictures of a folder: those in a subfolder are of the subject it names, others of one that their name names.

    In an iris gallery a folder or file name part ``left`` or ``right`` (also ``L``, ``R``) below the subject's folder
    names the eye.

    Raises:
        ManifestError: no picture, or no folder.
    """
    if not folder.is_dir():
        raise ManifestError(folder, ["it is no folder"])
    items = []
    for path in sorted(folder.rglob("*")):
        if path.suffix.lower() not in PICTURES or not path.is_file():
            continue
        inside = path.relative_to(folder)
        subject = inside.parts[0] if len(inside.parts) > 1 else path.stem
        parts = [part.lower() for part in (*inside.parts[1:-1], path.stem)]
        eye = "unknown"
        for part in parts:
            eye = {"left": "left", "l": "left", "right": "right", "r": "right"}.get(part, eye)
        items.append(Item(subject, path, modality, eye if modality == "iris" else "unknown", inside.as_posix()))
    if not items:
        raise ManifestError(folder, ["it holds no picture"], hint=f"Known are {', '.join(PICTURES)}.")
    return items


def manifest_items(path: Path, modality: str = "vector") -> list[Item]:
    """Rows of a CSV with the columns ``subject`` and ``path``, and if you like ``modality``, ``eye``, ``birth``.

    A path is relative to the manifest. ``face`` may be written for ``vector``.

    Raises:
        ManifestError: columns are missing, or rows that cannot be used: all of them are named.
    """
    try:
        with path.open(encoding="utf-8-sig", newline="") as stream:
            reader = csv.DictReader(stream)
            columns = reader.fieldnames or []
            rows = list(reader)
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise ManifestError(path, [f"it cannot be read ({error})"]) from None
    missing = [name for name in ("subject", "path") if name not in columns]
    if missing:
        raise ManifestError(path, [f"there is no column {name}" for name in missing])
    items, problems = [], []
    for number, row in enumerate(rows, 2):
        fields = {name: (value or "").strip() for name, value in row.items() if name and isinstance(value, str | None)}
        kind = {"face": "vector", "": modality}.get(fields.get("modality", ""), fields.get("modality", ""))
        eye = fields.get("eye", "") or "unknown"
        if not fields["subject"] or not fields["path"]:
            problems.append(f"line {number}: subject or path is empty")
        elif kind not in ("vector", "iris") or eye not in EYES:
            problems.append(f"line {number}: there is no {'modality ' + kind if eye in EYES else 'eye ' + eye}")
        else:
            place = path.parent / fields["path"]
            items.append(Item(fields["subject"], place, kind, eye, fields["path"], fields.get("birth", "")))
    if problems or not items:
        raise ManifestError(path, problems or ["it has no rows"])
    return items


# ------------------------------------------------------------------------------------------------------- the run


def enrol_items(
    enroller: Enroller,
    gallery: Any,
    items: Sequence[Item],
    embedders: Mapping[str, Embedder],
    *,
    batch: int = BATCH,
    progress: Progress | None = None,
) -> BulkReport:
    """Enrol pictures; those that the gallery holds already are not even opened.

    Pictures of one subject and two modalities in one batch are enrolled together, face with iris.

    Args:
        enroller: over the gallery, with its policy for duplicates.
        gallery: asked what it holds.
        items: pictures.
        embedders: by modality.
        batch: pictures that become durable together.
        progress: told after each batch.
    """
    report = BulkReport()
    rest = iter(items)
    while chunk := list(islice(rest, batch)):
        report.items += len(chunk)
        held = {
            str(record.attributes.get(SOURCE))
            for subject in {item.subject for item in chunk}
            for record in gallery.records_of(subject)
        }
        fresh = [item for item in chunk if item.digest not in held]
        report.known += len(chunk) - len(fresh)
        made: list[Embedded] = []
        for modality in sorted({item.modality for item in fresh}):
            made += embedders[modality].embed([item for item in fresh if item.modality == modality])
        for result in made:
            if result.reasons:
                report.bad += 1
                report.turned.append(Turned(result.item.subject, str(result.item.path), "picture", result.reasons))
        applicants = _applicants([result for result in made if not result.reasons], embedders)
        for (applicant, sources), done in zip(
            applicants, enroller.enrol([applicant for applicant, _ in applicants]), strict=True
        ):
            _count(report, applicant, sources, done)
        if progress is not None:
            progress(report, len(items))
    return report


def _applicants(
    made: Sequence[Embedded], embedders: Mapping[str, Embedder]
) -> list[tuple[Applicant, tuple[Embedded, ...]]]:
    spaces = {name: embedder.space for name, embedder in embedders.items()}
    subjects: dict[str, tuple[list[Embedded], list[Embedded]]] = {}
    for result in made:
        subjects.setdefault(result.item.subject, ([], []))[result.iris is not None].append(result)
    found = []
    for subject, (faces, irises) in subjects.items():
        for face, eye in zip_longest(faces, irises):
            parts = tuple(part for part in (face, eye) if part is not None)
            birth = next((part.item.birth for part in parts if part.item.birth), "")
            facts: dict[str, dict[str, Any]] = {}
            if face is not None:
                facts["vector"] = {SOURCE: face.item.digest}
            if eye is not None:
                facts["iris"] = {SOURCE: eye.item.digest, "eye": eye.item.eye}
            applicant = Applicant(
                subject,
                None if face is None else face.vector,
                None if eye is None else eye.iris,
                spaces,
                {"birth": birth} if birth else {},
                facts,
                "+".join(part.item.digest for part in parts),
            )
            found.append((applicant, parts))
    return found


def _count(report: BulkReport, applicant: Applicant, parts: Sequence[Embedded], done: Enrolled) -> None:
    count = len(parts)
    if done.outcome == "known":
        report.known += count
    elif done.outcome in ("enrolled", "flagged"):
        report.enrolled += count
        report.flagged += count if done.outcome == "flagged" else 0
    else:
        setattr(report, done.outcome, getattr(report, done.outcome) + count)
        names = tuple(candidate.subject for candidate in done.candidates)
        for part in parts:
            turned = Turned(applicant.subject, str(part.item.path), done.outcome, done.reasons, names)
            report.turned.append(turned)


# ------------------------------------------------------------------------------------------------------ embedders


class FaceEmbedder:
    """Faces by the face room: decoded, detected, aligned and embedded on all cores.

    Args:
        model: record of the embedder.
        role: which limits of detection apply.
        settings: of the run.
    """

    def __init__(self, model: str = "face/sface", *, role: str = "selfie", settings: Any = None) -> None:
        from samebody.face import FaceAnalyser

        self._analyser = FaceAnalyser(settings, embedder=model)
        self._role = role

    @property
    def space(self) -> str:
        """Digest of the embedder's space."""
        return self._analyser.embedder.embedding_space().digest

    @property
    def size(self) -> int:
        """Dimension of its templates."""
        return self._analyser.embedder.embedding_output.dimensions

    def embed(self, items: Iterable[Item]) -> Iterator[Embedded]:
        """One result for each item, in order."""
        from samebody.face.stream import embed_files

        listed = list(items)
        files = embed_files([item.path for item in listed], self._analyser, role=self._role)
        for item, file in zip(listed, files, strict=True):
            if file.error is not None:
                yield Embedded(item, reasons=(Reason(file.error.code, file.error.message, file.error.hint),))
            elif file.analysis is None or file.analysis.template is None:
                found = file.analysis.findings if file.analysis else ()
                reasons = tuple(reason for finding in found for reason in finding.reasons)
                yield Embedded(item, reasons=reasons or (Reason("face.none", "The picture shows no usable face."),))
            else:
                yield Embedded(item, vector=file.analysis.template.vector)


class IrisEmbedder:
    """Irises by the iris room's pipeline.

    Args:
        pipeline: name or path.
        settings: of the run.
    """

    def __init__(self, pipeline: str = "default", *, settings: Any = None) -> None:
        from samebody.iris import IrisPipeline

        self._pipeline = IrisPipeline.load(pipeline)
        self._settings = settings

    @property
    def space(self) -> str:
        """Digest of the pipeline's space."""
        return self._pipeline.space.digest

    @property
    def size(self) -> int:
        """Columns of its codes."""
        return self._pipeline.columns

    def embed(self, items: Iterable[Item]) -> Iterator[Embedded]:
        """One result for each item, in order."""
        from samebody.capture import decode_image
        from samebody.config import load_settings
        from samebody.errors import SamebodyError

        limits = (self._settings or load_settings()).limits
        for item in items:
            try:
                image = decode_image(item.path, limits=limits, role="eye")
                encoding = self._pipeline.encode(image.pixels, eye=item.eye)  # type: ignore[arg-type]
            except SamebodyError as error:
                if error.exit_code != 65:  # disk unreadable, decoder missing: not this picture's fault
                    raise
                yield Embedded(item, reasons=(Reason(error.code, error.message, error.hint),))
                continue
            template = encoding.template
            if template is None:
                reasons = tuple(reason for finding in encoding.findings for reason in finding.reasons)
                yield Embedded(item, reasons=reasons or (Reason("iris.none", "The picture shows no usable iris."),))
            else:
                yield Embedded(item, iris=(template.code, template.mask))


def enrol_templates(
    enroller: Enroller,
    gallery: Any,
    modality: str,
    subjects: Sequence[str],
    payload: Any,
    *,
    space: str,
    name: str,
    batch: int = 1000,
    progress: Progress | None = None,
) -> BulkReport:
    """Enrol templates that were made before, in batches that are each written once, also after a kill.

    A template that is no vector of finite numbers of unit length, or a code without a usable bit, is listed as bad.

    Args:
        enroller: with its policy for duplicates.
        gallery: open for writing.
        modality: ``vector`` or ``iris``.
        subjects: (n,) names.
        payload: (n, dimension) float32, or codes and masks of (n, columns) uint64.
        space: digest of their embedding space.
        name: of the whole, the digest of its file: the same batch under the same name is known again.
        batch: templates that become durable together.
        progress: told after each batch.
    """
    report, count = BulkReport(), len(subjects)
    usable = _usable_rows(modality, payload)
    for start in range(0, count, batch):
        stop = min(start + batch, count)
        report.items += stop - start
        rows: list[int] = (np.flatnonzero(usable[start:stop]) + start).tolist()
        for row in (np.flatnonzero(~usable[start:stop]) + start).tolist():
            report.bad += 1
            report.turned.append(Turned(subjects[row], f"template {row}", "picture", (UNUSABLE,)))
        if not rows:
            pass
        elif enroller.policy.duplicates == "allow":
            before = len(gallery)
            part = tuple(each[rows] for each in payload) if isinstance(payload, tuple) else payload[rows]
            request = f"{name}/{start}/{stop}"
            gallery.enrol_arrays(modality, [subjects[row] for row in rows], part, space=space, request_id=request)
            new = len(gallery) - before
            report.enrolled += new
            report.known += len(rows) - new
        else:
            applicants = [
                Applicant(
                    subjects[row],
                    payload[row] if modality == "vector" else None,
                    (payload[0][row], payload[1][row]) if modality == "iris" else None,
                    {modality: space},
                    request=f"{name}/{row}",
                )
                for row in rows
            ]
            for row, applicant, done in zip(rows, applicants, enroller.enrol(applicants), strict=True):
                item = Item(applicant.subject, Path(f"template {row}"), modality)
                _count(report, applicant, [Embedded(item)], done)
        if progress is not None:
            progress(report, count)
    return report


UNUSABLE = Reason(
    "search.unusable_template", "The template is no unit vector of finite numbers, or a code without a usable bit."
)


def _usable_rows(modality: str, payload: Any) -> NDArray[np.bool_]:
    if modality == "iris":
        return np.asarray(payload[1].any(axis=1), dtype=np.bool_)
    lengths = np.sqrt(np.einsum("ij,ij->i", payload, payload, dtype=np.float64))
    return np.asarray(np.abs(lengths - 1.0) < UNIT, dtype=np.bool_)
