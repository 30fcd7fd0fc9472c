"""A verdict leaves the process as plain JSON of a documented schema, without pixels, arrays or templates."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings

from samebody.decide import verdict_from_dict, verdict_schema, verdict_to_dict
from samebody.decide.errors import NotSerialisableError
from samebody.decide.serialise import VerdictUnreadableError
from samebody.types import EmbeddingSpace, Finding, Image, Outcome, Region, Template
from tests.decide.test_engine import ANY_CASE, ANY_POLICY, case, finding, run

REFERENCE = Path(__file__).parents[2] / "docs" / "reference" / "verdict.schema.json"


def breaches(value: Any, schema: dict[str, Any], root: dict[str, Any], where: str = "$") -> Iterator[str]:
    """A small checker of the JSON schema words that our schema uses; an unknown word is a breach too."""
    if "$ref" in schema:
        yield from breaches(value, root["$defs"][schema["$ref"].rpartition("/")[2]], root, where)
        return
    known = {
        *("type", "title", "description", "default", "enum", "const", "format", "properties", "required", "items"),
        *("prefixItems", "minItems", "maxItems", "anyOf", "additionalProperties", "$schema", "$id", "$defs"),
    }
    for word in set(schema) - known:
        yield f"{where}: schema word {word} is not checked"
    if "anyOf" in schema:
        if all(list(breaches(value, option, root, where)) for option in schema["anyOf"]):
            yield f"{where}: fits none of the options"
        return
    kinds: dict[str, Any] = {"object": dict, "array": list, "string": str, "boolean": bool, "null": type(None)}
    kind = schema.get("type")
    if kind in kinds and not isinstance(value, kinds[kind]):
        yield f"{where}: is no {kind}"
        return
    if kind in ("integer", "number"):
        wanted = int if kind == "integer" else (int, float)
        if isinstance(value, bool) or not isinstance(value, wanted):
            yield f"{where}: is no {kind}"
    if "enum" in schema and value not in schema["enum"]:
        yield f"{where}: is none of {schema['enum']}"
    if "const" in schema and value != schema["const"]:
        yield f"{where}: is not {schema['const']}"
    if schema.get("format") == "date-time":
        datetime.fromisoformat(value)
    for name in schema.get("required", []):
        if name not in value:
            yield f"{where}: {name} is missing"
    for name, part in schema.get("properties", {}).items():
        if name in value:
            yield from breaches(value[name], part, root, f"{where}.{name}")
    if isinstance(schema.get("additionalProperties"), dict):
        for name in set(value) - set(schema.get("properties", {})):
            yield from breaches(value[name], schema["additionalProperties"], root, f"{where}.{name}")
    if isinstance(value, list):
        if not schema.get("minItems", 0) <= len(value) <= schema.get("maxItems", len(value)):
            yield f"{where}: has {len(value)} items"
        prefix = schema.get("prefixItems", [])
        for index, item in enumerate(value):
            part = prefix[index] if index < len(prefix) else schema.get("items")
            if isinstance(part, dict):
                yield from breaches(item, part, root, f"{where}[{index}]")


@settings(max_examples=80, deadline=None)
@given(ANY_POLICY, ANY_CASE)
def test_every_verdict_fits_the_schema_and_comes_back(name: str, findings: list[Finding]) -> None:
    verdict = run(name, findings, timings={"selfie.decode": 12.5})
    data = verdict_to_dict(verdict)
    schema = verdict_schema()
    assert list(breaches(data, schema, schema)) == []
    again = json.loads(json.dumps(data, allow_nan=False))
    assert again == data
    assert verdict_to_dict(verdict_from_dict(again)) == data


def test_the_checker_itself_finds_breaches() -> None:
    schema = verdict_schema()
    data = verdict_to_dict(run("default", case()))
    for broken in (
        {**data, "decision": "maybe"},
        {**data, "policy_version": "1"},
        {**data, "timings": {"a": "b"}},
        {**data, "schema_version": "2.0"},
        {**data, "findings": [{**data["findings"][0], "outcome": "good"}]},
        {key: value for key, value in data.items() if key != "reasons"},
    ):
        assert list(breaches(broken, schema, schema)), broken


def test_the_committed_schema_is_the_one_that_is_written() -> None:
    """When this fails: ``samebody policy schema > docs/reference/verdict.schema.json``, and count the version up."""
    assert json.loads(REFERENCE.read_text(encoding="utf-8")) == verdict_schema()


def test_every_field_of_the_schema_is_described() -> None:
    schema = verdict_schema()
    for name, definition in {"Verdict": schema, **schema["$defs"]}.items():
        for field, part in definition.get("properties", {}).items():
            if name in ("Verdict", "Finding", "Reason", "LayerAssurance", "OperatingPoint", "Region"):
                if (name, field) in {("OperatingPoint", "mated_pairs"), ("OperatingPoint", "mated_subjects")}:
                    continue
                assert part.get("description"), f"{name}.{field}"


def test_figures_of_numpy_become_plain_and_what_is_not_finite_becomes_null() -> None:
    details = {
        "a": np.float32(0.5),
        "b": np.int64(3),
        "c": float("nan"),
        "d": (np.bool_(True), float("inf")),
        "e": {1: "x"},
    }
    verdict = run("no-liveness", [*case(), finding("document.quality", details=details)])
    data = verdict_to_dict(verdict)
    (written,) = [entry["details"] for entry in data["findings"] if entry["check"] == "document.quality"]
    assert written == {"a": 0.5, "b": 3, "c": None, "d": [True, None], "e": {"1": "x"}}
    assert not re.search(r"NaN|Infinity", json.dumps(data))


SPACE = EmbeddingSpace("m", "1", "0" * 64, "p")


@pytest.mark.parametrize(
    "secret",
    [
        np.zeros(3, np.float32),
        np.zeros((2, 2, 3), np.uint8),
        Image(np.zeros((2, 2, 3), np.uint8)),
        Template(np.ones(4, np.float32), SPACE),
        b"\xff\xd8",
        object(),
    ],
)
def test_pixels_arrays_and_templates_never_pass(secret: Any) -> None:
    verdict = run("no-liveness", [*case(), finding("document.quality", details={"deep": [{"x": secret}]})])
    with pytest.raises(NotSerialisableError, match=r"details\.deep\[0\]\.x") as caught:
        verdict_to_dict(verdict)
    assert "255" not in str(caught.value) and caught.value.code == "decide.not_serialisable"


def test_another_schema_version_is_refused() -> None:
    data = verdict_to_dict(run("default", case()))
    with pytest.raises(VerdictUnreadableError, match=r"2\.0"):
        verdict_from_dict({**data, "schema_version": "2.0"})
    with pytest.raises(VerdictUnreadableError, match="decision"):
        verdict_from_dict({**data, "decision": "perhaps"})
    with pytest.raises(VerdictUnreadableError):
        verdict_from_dict({})


def test_regions_and_times_survive() -> None:
    region = Region("face", ((0.0, 0.5), (1.0, 0.5), (1.0, 2.0)), "selfie")
    verdict = run("default", [replace(entry, regions=(region,)) for entry in case()])
    again = verdict_from_dict(verdict_to_dict(verdict))
    assert again.created == datetime(2026, 1, 2, tzinfo=UTC)
    assert again.finding("face.match").regions == (region,)
    assert again.finding("face.match").outcome is Outcome.PASS
    assert again.finding("face.match").operating_point == verdict.finding("face.match").operating_point
