"""A document reading as JSON-ready data: fields, check digits, findings and places; never pixels."""

from __future__ import annotations

from typing import Any

from samebody.document.types import DocumentReading, MrzReading
from samebody.types import Finding

SCHEMA_VERSION = "1.0"


def reading_to_dict(reading: DocumentReading) -> dict[str, Any]:
    """The reading as dicts, lists, strings and numbers; ``schema_version`` changes when a name changes its meaning."""
    page = reading.page
    kind = reading.document_class
    return {
        "schema_version": SCHEMA_VERSION,
        "document_class": None
        if kind is None
        else {
            "kind": str(kind.kind),
            "format": str(kind.format) if kind.format else None,
            "code": kind.code,
            "issuer": kind.issuer,
            "issuer_name": kind.issuer_name,
            "label": kind.label,
        },
        "mrz": None if reading.mrz is None else mrz_to_dict(reading.mrz),
        "page": None
        if page is None
        else {
            "quad": _points(page.quad),
            "confidence": round(page.confidence, 4),
            "upright": page.upright,
            "source": page.source,
            "pixels_per_mm": round(page.pixels_per_mm, 3),
        },
        "portrait_candidates": [{"name": r.name, "polygon": _points(r.polygon)} for r in reading.portrait_candidates],
        "findings": [_finding(finding) for finding in reading.findings],
        "timings": {name: round(value, 1) for name, value in reading.timings.items()},
    }


def mrz_to_dict(mrz: MrzReading) -> dict[str, Any]:
    """The machine-readable zone: lines, fields and check digits."""
    return {
        "format": str(mrz.format),
        "lines": list(mrz.lines),
        "valid": mrz.valid,
        "fields": {
            name: {
                "value": entry.value,
                "raw": entry.raw,
                "confidence": round(entry.confidence, 4),
                "confirmed_by": list(entry.confirmed_by),
                "unsure": entry.unsure,
                "reasons": list(entry.reasons),
            }
            for name, entry in mrz.fields.items()
        },
        "check_digits": [
            {"name": c.name, "printed": c.printed, "computed": c.computed, "ok": c.ok} for c in mrz.check_digits
        ],
        "corrected": [list(change) for change in mrz.corrected],
        "polygon": _points(mrz.polygon),
        "line_polygons": [_points(polygon) for polygon in mrz.line_polygons],
        "character_height": round(mrz.character_height, 1),
    }


def _points(polygon: tuple[tuple[float, float], ...]) -> list[list[float]]:
    return [[round(x, 1), round(y, 1)] for x, y in polygon]


def _finding(finding: Finding) -> dict[str, Any]:
    return {
        "check": finding.check,
        "outcome": str(finding.outcome),
        "score": finding.score,
        "reasons": [{"code": r.code, "message": r.message, "advice": r.advice} for r in finding.reasons],
        "model_ids": list(finding.model_ids),
        "milliseconds": round(finding.milliseconds, 1),
        "details": dict(finding.details),
    }
