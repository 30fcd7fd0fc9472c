"""A verdict as JSON and back, with a versioned schema; pixels, arrays and templates cannot pass through."""

from __future__ import annotations

import dataclasses
import inspect
import math
import re
from collections.abc import Mapping
from datetime import datetime
from enum import Enum
from functools import cache
from typing import Any

import numpy as np
from pydantic import TypeAdapter, ValidationError

from samebody import types
from samebody.decide.errors import NotSerialisableError
from samebody.errors import InputError
from samebody.types import VERDICT_SCHEMA_VERSION, Verdict


class VerdictUnreadableError(InputError):
    """The data is no verdict of a schema version that is known here."""

    code = "decide.verdict_unreadable"


@cache
def _adapter() -> TypeAdapter[Verdict]:
    return TypeAdapter(Verdict)


def verdict_to_dict(verdict: Verdict) -> dict[str, Any]:
    """``verdict`` as plain JSON values after :func:`verdict_schema`; numbers that are not finite become null.

    Raises:
        NotSerialisableError: when a finding carries an array, bytes, a template or another object.
    """
    plain = _plain(verdict, "verdict")
    assert isinstance(plain, dict)
    return plain


def finding_to_dict(finding: types.Finding) -> dict[str, Any]:
    """One finding as it stands in a verdict.

    Raises:
        NotSerialisableError: it carries an array, bytes, a template or another object.
    """
    plain = _plain(finding, finding.check)
    assert isinstance(plain, dict)
    return plain


def verdict_from_dict(data: Mapping[str, Any]) -> Verdict:
    """The verdict that :func:`verdict_to_dict` wrote.

    Raises:
        VerdictUnreadableError: when ``data`` is of another major schema version, or no verdict.
    """
    version = str(data.get("schema_version", ""))
    if version.partition(".")[0] != VERDICT_SCHEMA_VERSION.partition(".")[0]:
        raise VerdictUnreadableError(f"Schema version {version!r} is not {VERDICT_SCHEMA_VERSION}.")
    try:
        return _adapter().validate_python(dict(data))
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"]))
        raise VerdictUnreadableError(f"The data is no verdict: {where}: {first['msg']}.") from None


def verdict_schema() -> dict[str, Any]:
    """JSON schema (draft 2020-12) of a verdict; descriptions come from the vocabulary's own documentation."""
    schema = _adapter().json_schema(mode="serialization")
    definitions = schema.pop("$defs", {})
    for name, definition in {**definitions, "Verdict": schema}.items():
        _describe(definition, getattr(types, name, None))
    schema["properties"]["schema_version"] = {
        "const": VERDICT_SCHEMA_VERSION,
        "description": "version of this schema; the first number changes when a reader has to",
        "title": "Schema Version",
        "type": "string",
    }
    # Everything is always written, also what has a default.
    for definition in (schema, *definitions.values()):
        if "properties" in definition:
            definition["required"] = list(definition["properties"])
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": f"urn:samebody:verdict:{VERDICT_SCHEMA_VERSION}",
        **schema,
        "$defs": definitions,
    }


def _describe(definition: dict[str, Any], source: type | None) -> None:
    if source is None:
        return
    text = inspect.getdoc(source) or ""
    definition["description"] = text.partition("\n\n")[0].replace("\n", " ")
    attributes = text.partition("Attributes:\n")[2]
    for names, meaning in re.findall(r"^    ([a-z0-9_, ]+): ((?:.+\n?)(?:^        .*\n?)*)", attributes, re.MULTILINE):
        for name in names.split(", "):
            if name in definition.get("properties", {}):
                sentence = re.sub(r"\s+", " ", meaning).strip()
                definition["properties"][name]["description"] = sentence


def _plain(value: Any, where: str) -> Any:
    if isinstance(value, Enum):
        return value.value
    if value is None or isinstance(value, str | bool):
        return value
    if isinstance(value, np.bool_):
        return bool(value)
    if isinstance(value, int | np.integer):
        return int(value)
    if isinstance(value, float | np.floating):
        return float(value) if math.isfinite(value) else None
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, types.Template | types.Image | types.Frame):
        raise NotSerialisableError(f"{where} holds a {type(value).__name__}, which must not leave the process.")
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {f.name: _plain(getattr(value, f.name), f"{where}.{f.name}") for f in dataclasses.fields(value)}
    if isinstance(value, Mapping):
        return {str(key): _plain(item, f"{where}.{key}") for key, item in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        items = sorted(value, key=repr) if isinstance(value, set | frozenset) else value
        return [_plain(item, f"{where}[{index}]") for index, item in enumerate(items)]
    raise NotSerialisableError(
        f"{where} holds a {type(value).__name__}, which cannot be written.",
        hint="Findings carry plain figures and text only; please report this.",
    )
