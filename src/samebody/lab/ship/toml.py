"""A model record as TOML text: what a person would have written, in the order of the bundled records."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

from samebody.models.record import ModelRecord

_BARE = re.compile(r"^[A-Za-z0-9_-]+$")


def record_toml(record: ModelRecord) -> str:
    """The record as TOML; reading it back gives an equal record.

    Fields that hold their default are left out, so that the file says only what is particular.
    """
    fields = record.model_dump(mode="json", exclude_defaults=True)
    scalars = {name: value for name, value in fields.items() if not _is_table(value)}
    tables = {name: value for name, value in fields.items() if _is_table(value)}
    lines = [f"{_key(name)} = {_value(value)}" for name, value in scalars.items()]
    for name, value in tables.items():
        lines += _table(name, value)
    return "\n".join(lines) + "\n"


def _is_table(value: Any) -> bool:
    return isinstance(value, Mapping) or (isinstance(value, list) and bool(value) and isinstance(value[0], Mapping))


def _table(name: str, value: Any) -> list[str]:
    if isinstance(value, list):
        return [line for entry in value for line in ["", f"[[{name}]]", *_body(entry)]]
    return ["", f"[{name}]", *_body(value)]


def _body(entry: Mapping[str, Any]) -> list[str]:
    return [f"{_key(name)} = {_value(item)}" for name, item in entry.items() if item is not None]


def _key(name: str) -> str:
    return name if _BARE.match(name) else json.dumps(name)


def _value(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
    if isinstance(value, int):
        return str(value)
    if isinstance(value, float):
        text = repr(value)
        return text if any(c in text for c in ".en") else f"{text}.0"
    if isinstance(value, Mapping):
        inside = ", ".join(f"{_key(name)} = {_value(item)}" for name, item in value.items() if item is not None)
        return "{ " + inside + " }"
    parts = [_value(item) for item in value]
    if sum(map(len, parts)) > 90:
        return "[\n  " + ",\n  ".join(parts) + ",\n]"
    return "[" + ", ".join(parts) + "]"
