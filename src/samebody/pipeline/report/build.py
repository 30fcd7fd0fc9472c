"""Build the report from a finished case: everything is read from its trace, nothing is computed again."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import jinja2
import numpy as np
from markupsafe import Markup

from samebody.document import DocumentReading
from samebody.errors import StorageError
from samebody.face import FaceAnalysis
from samebody.models import catalogue
from samebody.pipeline.report.charts import score_chart, time_line
from samebody.pipeline.report.pictures import Shape, figure
from samebody.types import Finding, Image, Outcome

if TYPE_CHECKING:
    from samebody.pipeline.verify import Verification

WORDS = {
    Outcome.PASS: "passed",
    Outcome.FAIL: "failed",
    Outcome.UNSURE: "unsure",
    Outcome.NOT_RUN: "not run",
}


def render_report(case: Verification, *, show_pictures: bool = False) -> str:
    """The report of ``case`` as one HTML document without any external reference.

    Args:
        case: a finished verification.
        show_pictures: embed the pictures as they are; by default they are blurred beyond recognition first.
    """
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("samebody.pipeline.report", "."),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    verdict = case.verdict
    records = catalogue(case.settings)
    used = [records[identifier.split("@")[0]] for identifier in verdict.model_ids if _known(records, identifier)]
    template = environment.get_template("template.html")
    return template.render(
        verdict=verdict,
        words=WORDS,
        pictures=_pictures(case, blurred=not show_pictures),
        blurred=not show_pictures,
        match=_match(case, records),
        qualities=_qualities(case),
        reading=_reading(case),
        findings=verdict.findings,
        models=[
            {
                "label": record.label,
                "task": record.task,
                "licence": record.licence.spdx,
                "commercial": record.licence.commercial_use,
                "sha256": record.sha256,
            }
            for record in used
        ],
        time_line=time_line(
            [(entry.stage, entry.started * 1000, entry.milliseconds) for entry in case.trace if entry.milliseconds > 0]
        ),
        total=verdict.timings.get("total", 0.0),
    )


def write_report(case: Verification, path: Path, *, show_pictures: bool = False) -> Path:
    """Write the report so that ``path`` holds either the whole of it or what was there before.

    Raises:
        StorageError: the folder cannot be written.
    """
    html = render_report(case, show_pictures=show_pictures)
    temporary = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, temporary = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
        with os.fdopen(handle, "w", encoding="utf-8") as stream:
            stream.write(html)
            stream.flush()
            os.fsync(stream.fileno())
        Path(temporary).replace(path)
    except OSError as error:
        if temporary:
            Path(temporary).unlink(missing_ok=True)
        raise StorageError(f"the report cannot be written to {path}: {error.strerror}.") from None
    return path


def _known(records: Mapping[str, Any], identifier: str) -> bool:
    return identifier.split("@")[0] in records


def _face_shapes(analysis: FaceAnalysis | None, role: str, findings: Sequence[Finding]) -> list[Shape]:
    shapes: list[Shape] = []
    if analysis is not None:
        for face in analysis.detections:
            chosen = face is analysis.chosen
            shapes.append(Shape(face.box.corners(), "face" if chosen else "other-face", "face" if chosen else ""))
    for finding in findings:
        for region in finding.regions:
            if region.role == role and finding.outcome in (Outcome.FAIL, Outcome.UNSURE):
                kind = "alarm" if finding.outcome is Outcome.FAIL else "doubt"
                shapes.append(Shape(region.polygon, kind, f"{finding.check.split('.')[-1]}: {region.name}"))
    return shapes


def _pictures(case: Verification, *, blurred: bool) -> list[Markup]:
    trace, findings = case.trace, case.verdict.findings
    figures: list[Markup] = []
    analyses: dict[str, FaceAnalysis | None] = {
        "selfie": trace.get("selfie.face"),
        "reference": trace.get("reference.face"),
        # faces of a document are looked for on the rectified page when there is one
        ("page" if "page" in trace.roles else "document"): trace.get("document.face"),
    }
    titles = {
        "selfie": "Selfie",
        "reference": "Reference photograph",
        "document": "Document as photographed",
        "page": "Document page, flattened",
    }
    reading: DocumentReading | None = trace.get("document.read")
    for role in trace.roles:
        image: Image | None = trace.evidence(role)
        if image is None:
            continue
        analysis = analyses.get(role)
        shapes = _face_shapes(analysis, role, findings)
        if role == "document" and reading is not None:
            if reading.page is not None:
                shapes.append(Shape(reading.page.quad, "page", "page"))
            if reading.mrz is not None:
                shapes += [Shape(line, "mrz", "") for line in reading.mrz.line_polygons]
        if role == "page" and reading is not None:
            shapes += [Shape(region.polygon, "candidate", "") for region in reading.portrait_candidates]
        mesh = analysis.mesh.points[:, :2] if analysis is not None and analysis.mesh is not None else np.zeros((0, 2))
        points = [(float(x), float(y)) for x, y in mesh]
        figures.append(figure(image.pixels, titles.get(role, role), blurred=blurred, shapes=shapes, points=points))
    for stage, title in (
        ("selfie.face", "Selfie, aligned"),
        ("document.face", "Document portrait, aligned"),
        ("reference.face", "Reference, aligned"),
    ):
        aligned = getattr(trace.get(stage), "aligned", None)
        if aligned is not None:
            figures.append(figure(aligned, title, blurred=blurred, long_side=224))
    return figures


def _match(case: Verification, records: Mapping[str, Any]) -> dict[str, Any] | None:
    finding = next((f for f in case.verdict.findings if f.check == "face.match"), None)
    if finding is None or finding.score is None:
        return None
    record = records[finding.model_ids[0].split("@")[0]]
    histogram = record.score_histogram
    point = finding.operating_point
    chart = None
    if histogram is not None:
        chart = score_chart(
            histogram.edges(),
            histogram.mated,
            histogram.non_mated,
            finding.score,
            point.threshold if point else None,
            f"FMR {point.fmr:g} at" if point else "",
        )
    return {
        "finding": finding,
        "point": point,
        "chart": chart,
        "histogram": histogram,
        "reliability": _reliability(finding),
    }


def _reliability(finding: Finding) -> Mapping[str, Any] | None:
    found = finding.details.get("reliability")
    return found if isinstance(found, Mapping) else None


def _qualities(case: Verification) -> list[dict[str, Any]]:
    shown = []
    for stage, title in (
        ("selfie.face", "Selfie"),
        ("document.face", "Document portrait"),
        ("reference.face", "Reference photograph"),
    ):
        quality = getattr(case.trace.get(stage), "quality", None)
        if quality is not None:
            shown.append({"title": title, "quality": quality})
    return shown


def _reading(case: Verification) -> dict[str, Any] | None:
    reading: DocumentReading | None = case.trace.get("document.read")
    if reading is None:
        return None
    mrz, zone = reading.mrz, reading.visual_zone
    lines: list[list[tuple[str, str]]] = []
    if mrz is not None:
        corrected = {(line, column) for line, column, _, _ in mrz.corrected}
        for number, text in enumerate(mrz.lines):
            cells = []
            for column, character in enumerate(text):
                confidence = mrz.confidences[number][column]
                kind = "corrected" if (number, column) in corrected else "weak" if confidence < 0.9 else ""
                cells.append((character, kind))
            lines.append(cells)
    visual = {name: entry.value for name, entry in zone.fields.items()} if zone is not None else {}
    return {
        "document_class": reading.document_class,
        "mrz": mrz,
        "lines": lines,
        "visual": visual,
        "fields": list(mrz.fields.values()) if mrz is not None else [],
    }
