"""Records as JSON-ready fields for lists, reports and people."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import asdict
from typing import Any

from samebody.config import Settings, load_settings
from samebody.models.catalogue import read_provenance
from samebody.models.contracts import InputContract, TensorInput
from samebody.models.errors import WeightsMissingError
from samebody.models.pulling import describe_source
from samebody.models.record import ModelRecord
from samebody.models.sessions import locate


def summary(record: ModelRecord, settings: Settings | None = None) -> dict[str, Any]:
    """One row of a list; the local file is looked for, not verified."""
    path: str | None = None
    if not record.weightless:
        with suppress(WeightsMissingError):
            path = str(locate(record, settings or load_settings()))
    return {
        "id": record.id,
        "version": record.version,
        "task": record.task,
        "title": record.title,
        "licence": record.licence.spdx,
        "commercial_use": record.licence.commercial_use,
        "commercial_use_why": record.licence.why,
        "bytes": record.run_bytes,
        "sha256": record.run_sha256,
        "pulled": path is not None or record.weightless,
        "path": path,
        "bundled": record.bundled,
        "weightless": record.weightless,
        "makes_templates": record.makes_templates,
        "operating_points": len(record.operating_points),
    }


def details(record: ModelRecord, settings: Settings | None = None) -> dict[str, Any]:
    """Everything about one record."""
    space = record.embedding_space() if record.makes_templates else None
    return {
        **summary(record, settings),
        "sha256": record.sha256,
        "filename": record.filename,
        "licence": record.licence.model_dump(),
        "provenance": record.provenance.model_dump(),
        "credit": record.credit.model_dump() if record.credit else None,
        "sources": [describe_source(source) for source in record.sources],
        "derived": {
            "steps": [step.recipe + (f" {step.member}" if step.member else "") for step in record.derived.steps],
            "sha256": record.derived.sha256,
            "bytes": record.derived.bytes,
        }
        if record.derived
        else None,
        "input": "; ".join(input_sentence(contract) for contract in record.inputs) or None,
        "output": _output_sentence(record) if record.output else None,
        "embedding_space": space.digest if space else None,
        "operating_points": [asdict(point) for point in record.operating_points],
        "training": record.training.model_dump() if record.training else None,
        "detection": record.detection.model_dump() | {"validated": record.detection.validated}
        if record.detection
        else None,
        "score_histogram": record.score_histogram.model_dump() if record.score_histogram else None,
        "measurement": read_provenance(record),
    }


def input_sentence(contract: InputContract) -> str:
    """One input contract in a sentence."""
    name = f"{contract.name}: " if contract.name else ""
    if isinstance(contract, TensorInput):
        return f"{name}tensor {list(contract.shape)}: {contract.meaning}"
    size = f"{contract.width or 'any'}x{contract.height or 'any'}"
    alignment = contract.alignment if isinstance(contract.alignment, str) else "five points of its own"
    cut = f", {contract.crop:g} times the face" if contract.crop else ""
    meaning = f": {contract.meaning}" if contract.meaning else ""
    return (
        f"{name}{contract.colour.upper()} {contract.layout.upper()} {size}, "
        f"(pixel - {_short(contract.mean)}) * {_short(contract.scale)}, alignment {alignment}{cut}, "
        f"batch {contract.batch}{meaning}"
    )


def _output_sentence(record: ModelRecord) -> str:
    output = record.output
    assert output is not None
    if output.kind == "embedding":
        return f"embedding, {output.dimensions} dimensions, {output.precision}"
    if output.kind == "iris-code":
        return f"iris code of {64 * output.columns:,} bits (16 x {output.columns} x 2 x 2) with a mask"
    if output.kind == "score":
        if output.scale == "log-odds":
            return f"score in log odds, bona fide {output.bona_fide}: {output.meaning}"
        return f"score {output.low:g} to {output.high:g}, bona fide {output.bona_fide}: {output.meaning}"
    if output.kind == "classes":
        shown = ", ".join(output.classes[:12]) + (" ..." if len(output.classes) > 12 else "")
        return f"probabilities of {len(output.classes)} classes: {shown}"
    if output.kind == "mask":
        size = f"{output.width}x{output.height}" if output.width else f"of the picture / {output.stride}"
        kind = "one class a pixel" if output.exclusive else "any classes a pixel"
        return f"masks {', '.join(output.classes)} ({output.values}, {kind}), {size}"
    return "; ".join(f"{tensor.name} {list(tensor.shape)}" for tensor in output.tensors)


def _short(values: tuple[float, float, float]) -> str:
    return f"{values[0]:g}" if len(set(values)) == 1 else "(" + ", ".join(f"{value:g}" for value in values) + ")"
