"""Exchange with Label Studio: its JSON of tasks with choices, out and in."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any
from xml.sax.saxutils import quoteattr

from samebody.lab.data.errors import LabelError, RulesError
from samebody.lab.data.labelling.project import Label, LabelProject
from samebody.lab.data.labelling.schema import LabelSchema

CHOICE, PICTURE = "choice", "image"


def configuration(schema: LabelSchema) -> str:
    """The labelling interface of a schema, in Label Studio's XML."""
    choices = "".join(
        f"<Choice value={quoteattr(entry.name)} hint={quoteattr(entry.definition)} "
        f"hotkey={quoteattr(schema.keys()[entry.name])}/>"
        for entry in schema.classes
    )
    return (
        f'<View><Header value={quoteattr(schema.question)}/><Image name="{PICTURE}" value="${PICTURE}"/>'
        f'<Choices name="{CHOICE}" toName="{PICTURE}" choice="single" required="true">{choices}</Choices></View>'
    )


def export_tasks(project: LabelProject, address: str = "") -> list[dict[str, Any]]:
    """The project's tasks with all answers, as Label Studio imports and exports them.

    Args:
        project: what to export.
        address: put before ``ab/abcd...`` of a sample's bytes to make the picture's URL, for example
            ``/data/local-files/?d=set/objects/``.

    Gold answers are not exported: they would tell the labellers.
    """
    found = []
    for number, task in enumerate(sorted(project.tasks.values(), key=lambda task: (-task.priority, task.sample)), 1):
        annotations = [
            _annotation(10_000 * number + place, who, label)
            for place, (who, label) in enumerate(sorted(project.answers(task.sample).items()))
        ]
        found.append(
            {
                "id": number,
                "data": {
                    PICTURE: f"{address}{task.sha256[:2]}/{task.sha256}",
                    "sample": task.sample,
                    "sha256": task.sha256,
                },
                "meta": {"priority": task.priority, "version": project.version},
                "annotations": annotations,
                "predictions": [],
            }
        )
    return found


def _annotation(number: int, who: str, label: str) -> dict[str, Any]:
    result = (
        [{"from_name": CHOICE, "to_name": PICTURE, "type": "choices", "value": {"choices": [label]}}] if label else []
    )
    return {"id": number, "completed_by": {"email": who}, "was_cancelled": not label, "result": result}


def import_annotations(project: LabelProject, content: str | Sequence[Mapping[str, Any]]) -> int:
    """Take over the annotations of a Label Studio export; those that are there already are left alone.

    Args:
        project: whose tasks they are for; matched by ``data.sha256``, then by ``data.sample``.
        content: JSON, or what it holds.

    Returns:
        How many answers were new.

    Raises:
        RulesError: it is no such export, or names tasks, classes or answers that do not fit; all at once. Nothing is
            taken over then.
    """
    if isinstance(content, str):
        try:
            content = json.loads(content)
        except ValueError as error:
            raise RulesError("the export", [f"it is no JSON: {error}"]) from None
    if not isinstance(content, list):
        raise RulesError("the export", ["it is no list of tasks"])
    by_hash = {task.sha256: task.sample for task in project.tasks.values()}
    problems: list[str] = []
    fresh: list[Label] = []
    for number, task in enumerate(content):
        data = task.get("data", {}) if isinstance(task, Mapping) else {}
        sample = by_hash.get(str(data.get("sha256", "")), str(data.get("sample", "")))
        if sample not in project.tasks:
            problems.append(f"task {number}: no sample {str(data.get('sample', ''))!r} in this project")
            continue
        for entry in task.get("annotations", []):
            try:
                label = _read(sample, entry)
            except (KeyError, TypeError, IndexError, AttributeError):
                problems.append(f"task {number}: an annotation is no single choice")
                continue
            if label.label and label.label not in project.schema.names:
                problems.append(f"task {number}: {label.label!r} is no class of the schema")
                continue
            answers = project.answers(sample)
            if label.labeller not in answers:
                fresh.append(label)
            elif answers[label.labeller] != label.label:
                problems.append(f"task {number}: {label.labeller} has answered otherwise here")
    if problems:
        raise RulesError("the export", problems)
    try:
        project.add(*fresh)
    except LabelError as error:
        raise RulesError("the export", [error.message]) from None
    return len(fresh)


def _read(sample: str, entry: Mapping[str, Any]) -> Label:
    by = entry.get("completed_by", "")
    who = str(by.get("email") or by.get("id") if isinstance(by, Mapping) else by)
    if entry.get("was_cancelled") or not entry.get("result"):
        return Label(sample, who, "")
    chosen = entry["result"][0]["value"]["choices"]
    if len(entry["result"]) != 1 or len(chosen) != 1:
        raise IndexError
    return Label(sample, who, str(chosen[0]), seconds=float(entry.get("lead_time") or 0.0))
