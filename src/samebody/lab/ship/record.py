"""The record and the card of a release: what people declare, filled in with what the steps before found out."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import Field, ValidationError

from samebody.config import Settings, load_settings
from samebody.lab.evaluate.card import card_markdown, markdown_text
from samebody.lab.evaluate.rules import Rules, load_rules
from samebody.lab.ship.errors import ShipError
from samebody.lab.ship.folder import CARD, EXPORT, GATES, QUANTISED, RECORD, RUN
from samebody.lab.ship.sign import fresh_folder
from samebody.lab.ship.toml import record_toml
from samebody.models.contracts import EmbeddingOutput, InputContract, OutputContract
from samebody.models.detection import Detection
from samebody.models.record import Licence, ModelRecord, Task, Training

UNVALIDATED = "Trained on synthetic attacks; not validated on real attacks (ISO/IEC 30107-3)."


class ProvenanceDeclared(Rules):
    """What only people know of a model; the rest of its provenance is filled in."""

    origin: str = ""
    paper: str = ""
    training_data: str = Field(min_length=4)
    intended_use: str = Field(min_length=4)
    known_limits: tuple[str, ...] = Field(min_length=1)


class Declaration(Rules):
    """What people say of a model: everything of a record that no step can find out.

    Attributes:
        id, version, task, title: as in a record.
        input, more_inputs, output: contracts; of an embedder the precision is filled in.
        licence: of the weights.
        provenance: intended use, limits, training data in words; its version is added.
        detection: band and measured points of a detector.
    """

    id: str
    version: str
    task: Task
    title: str
    input: InputContract
    more_inputs: tuple[InputContract, ...] = ()
    output: OutputContract
    licence: Licence
    provenance: ProvenanceDeclared
    detection: Detection | None = None


class DeclarationFile(Rules):
    """A file with a declaration."""

    schema_version: int = Field(ge=1, le=1)
    record: Declaration


def load_declaration(path: Path | str) -> Declaration:
    """Read a declaration.

    Raises:
        RuleFileMissingError, RuleFileError: it is not there, or has mistakes, all of them named with their lines.
    """
    return load_rules(path, DeclarationFile).record


@dataclass(frozen=True, slots=True)
class Papers:
    """What the steps before left: content of their JSON files, None where a step was not taken.

    Attributes:
        export: of ``export.json``.
        quantised: of ``quantise.json``.
        gates: of ``gates.json``.
        run: bytes of ``run.json``.
        refused: of ``gates.json`` of an int8 graph that was refused before this float one was shipped.
    """

    export: Mapping[str, Any] | None = None
    quantised: Mapping[str, Any] | None = None
    gates: Mapping[str, Any] | None = None
    run: bytes | None = None
    refused: Mapping[str, Any] | None = None


def make_record(declared: Declaration, weights: bytes, papers: Papers) -> ModelRecord:
    """The record of these weights.

    Raises:
        ShipError: declaration and weights do not make a record, or the papers are of other weights.
    """
    _same_weights(weights, papers)
    digest = hashlib.sha256(weights).hexdigest()
    name = declared.id.rpartition("/")[2] + ".onnx"
    output = declared.output
    if isinstance(output, EmbeddingOutput) and papers.quantised is not None:
        output = output.model_copy(update={"precision": "int8"})
    training = _training(papers)
    said = declared.provenance
    limits = [*said.known_limits, *_found_limits(declared, papers)]
    origin = said.origin or "samebody"
    if training is not None:
        origin += f", recipe {training.recipe} ({training.recipe_digest[:12]}), seed {training.seed}"
    fields = {
        "id": declared.id,
        "task": declared.task,
        "version": declared.version,
        "title": declared.title,
        "sha256": digest,
        "bytes": len(weights),
        "format": "onnx",
        "filename": name,
        "sources": ({"kind": "file", "path": name},),
        "input": declared.input,
        "more_inputs": declared.more_inputs,
        "output": output,
        "licence": declared.licence,
        "provenance": {
            "origin": origin,
            "paper": said.paper,
            "training_data": said.training_data + (_data_words(training) if training else ""),
            "intended_use": said.intended_use,
            "known_limits": tuple(limits),
        },
        "training": training,
        "detection": declared.detection,
    }
    try:
        return ModelRecord.model_validate(
            {key: value.model_dump() if hasattr(value, "model_dump") else value for key, value in fields.items()}
        )
    except ValidationError as error:
        entries = error.errors(include_url=False, include_input=False)
        what = "; ".join(f"{'.'.join(map(str, e['loc'])) or 'record'}: {e['msg']}" for e in entries)
        raise ShipError(f"the declaration of {declared.id} does not make a record: {what}.") from None


def _same_weights(weights: bytes, papers: Papers) -> None:
    """The papers must be about these weights."""
    digest = hashlib.sha256(weights).hexdigest()
    exported = None if papers.export is None else papers.export["model"]["sha256"]
    if papers.quantised is not None:
        if papers.quantised["sha256"] != digest:
            raise ShipError("quantise.json is of another graph than the weights.", hint="Quantise again.")
        if exported is not None and papers.quantised["source_sha256"] != exported:
            raise ShipError("the int8 graph was made from another export.", hint="Quantise again.")
    elif exported is not None and exported != digest:
        raise ShipError("export.json is of another graph than the weights.", hint="Export again.")
    if papers.gates is not None:
        if papers.gates["candidate"] != digest:
            raise ShipError("the gates were run on another graph than the weights.", hint="Run `samebody ship gate`.")
        if not papers.gates["passed"]:
            raise ShipError("the gates refused these weights.", hint="Look at gates.json.")


def _training(papers: Papers) -> Training | None:
    if papers.export is None or papers.run is None:
        return None
    run = papers.export["run"]
    code = run["code"] if isinstance(run["code"], Mapping) else {"version": run["code"]}
    return Training(
        recipe=str(run["recipe"]),
        recipe_digest=str(run["recipe_digest"]),
        run=hashlib.sha256(papers.run).hexdigest(),
        weights_sha256=str(run["weights_sha256"]),
        data=_texts(run["data"]),
        code=_texts(code),
        seed=int(run["seed"]),
    )


def _texts(fields: Mapping[str, Any]) -> dict[str, str]:
    return {
        str(key): value if isinstance(value, str) else json.dumps(value, sort_keys=True, ensure_ascii=False)
        for key, value in fields.items()
        if value is not None
    }


def _data_words(training: Training) -> str:
    for key in ("version", "content", "digest"):
        if key in training.data:
            return f" ({key} {training.data[key][:12]})"
    return ""


def _found_limits(declared: Declaration, papers: Papers) -> list[str]:
    """Limits that the steps found, in words."""
    found = []
    text = " ".join(declared.provenance.known_limits).lower()
    if declared.detection is not None and not declared.detection.validated and "not validated" not in text:
        found.append(UNVALIDATED)
    for outcome in (papers.gates or {}).get("outcomes", ()):
        if outcome["status"] == "unclear":
            where = f" [{outcome['group']}]" if outcome["group"] else ""
            found.append(f"Not settled by its gate ({outcome['gate']}{where}): too few samples to say.")
    return found


def card_of(record: ModelRecord, papers: Papers) -> str:
    """The model card: that of the record, and what export, quantisation and gates found."""
    parts = [card_markdown(record).rstrip()]
    if record.training is not None:
        made = record.training
        parts.append(
            "\n".join(
                [
                    "## Training run",
                    "",
                    f"- recipe: {markdown_text(made.recipe)} (`{made.recipe_digest}`), seed {made.seed}",
                    f"- run.json: sha256 `{made.run}`",
                    *(f"- data, {markdown_text(key)}: {markdown_text(value)}" for key, value in made.data.items()),
                    *(f"- code, {markdown_text(key)}: {markdown_text(value)}" for key, value in made.code.items()),
                ]
            )
        )
    if papers.export is not None:
        parts.append(_export_words(papers.export))
    if papers.quantised is not None:
        parts.append(_quantised_words(papers.quantised))
    if papers.refused is not None:
        parts.append(
            _gates_words(papers.refused, "Gates on the int8 graph, which was refused; this is the float graph")
        )
    if papers.gates is not None:
        parts.append(_gates_words(papers.gates, "Gates"))
    return "\n\n".join(parts) + "\n"


def _export_words(export: Mapping[str, Any]) -> str:
    rows = [
        f"| {markdown_text(p['output'])} | {p['largest']:.3g} | {p['scale']:.3g} | {p['samples']:,} |"
        for p in export["parity"]
    ]
    model = export["model"]
    return "\n".join(
        [
            "## Export",
            "",
            f"{model['parameters']:,} parameters, opset {model['opset']}. Largest difference between the graph and the "
            f"trained network on real inputs (accepted: {export['tolerance']:g} of answers above 1):",
            "",
            "| output | largest difference | largest answer | inputs |",
            "|---|---|---|---|",
            *rows,
        ]
    )


def _quantised_words(made: Mapping[str, Any]) -> str:
    options, calibration = made["options"], made["calibration"]
    kept = ", ".join(map(markdown_text, made["kept_float"])) or "none"
    return "\n".join(
        [
            "## Quantisation",
            "",
            f"Static int8 ({options['method']}, {'per channel' if options['per_channel'] else 'per tensor'}), "
            f"calibrated on {calibration['samples']:,} inputs ({markdown_text(calibration['source'])}); "
            f"{made['source_bytes']:,} to {made['bytes']:,} bytes.",
            "",
            f"- nodes with weights in int8: {len(made['quantised'])}; kept in float: {kept}",
        ]
    )


def _gates_words(gates: Mapping[str, Any], title: str) -> str:
    samples = gates["samples"]
    rows = [
        f"| {markdown_text(o['gate'])} | {markdown_text(o['group'])} | {o['status']} | {markdown_text(o['why'])} |"
        for o in gates["outcomes"]
    ]
    return "\n".join(
        [
            f"## {title}",
            "",
            f"{samples['count']:,} inputs of {samples['subjects']:,} people ({markdown_text(samples['source'])}).",
            "",
            "| gate | group | | figures |",
            "|---|---|---|---|",
            *rows,
        ]
    )


def write_bundle_folder(
    declared: Declaration, weights: bytes, papers: Papers, out: Path, settings: Settings | None = None
) -> ModelRecord:
    """Write record, weights, card and papers into a folder that is ready to be signed; the model is run once.

    Raises:
        ShipError: as :func:`make_record`, or ``out`` holds something else.
        SamebodyError: the model does not do what its record says (contract, output).
        StorageError: it cannot be written; nothing half-written is left.
    """
    record = make_record(declared, weights, papers)
    files: dict[str, bytes] = {
        RECORD: record_toml(record).encode(),
        record.filename: weights,
        CARD: card_of(record, papers).encode(),
    }
    for name, content in ((EXPORT, papers.export), (QUANTISED, papers.quantised), (GATES, papers.gates)):
        if content is not None:
            files[name] = (json.dumps(content, indent=1, ensure_ascii=False) + "\n").encode()
    if papers.refused is not None:
        files["gates.int8.json"] = (json.dumps(papers.refused, indent=1, ensure_ascii=False) + "\n").encode()
    if papers.run is not None:
        files[RUN] = papers.run
    fresh_folder(out, files, replaces=RECORD)
    located = record.located(out / RECORD, bundled=False)
    from samebody.models.check import check_record

    result = check_record(located, (settings or load_settings()).model_copy(update={"require_signed_models": False}))
    if result.error is not None:
        (out / RECORD).unlink()  # a folder without a record is no bundle
        raise result.error
    return located
