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
    return "\n".join(_body("", fields)) + "\n"


def _is_table(value: Any) -> bool:
    return isinstance(value, Mapping) or (isinstance(value, list) and bool(value) and isinstance(value[0], Mapping))


def _body(path: str, entry: Mapping[str, Any]) -> list[str]:
    """Plain values, then the tables in it: TOML puts what follows a table's head into that table."""
    present = {name: value for name, value in entry.items() if value is not None}
    lines = [f"{_key(name)} = {_value(value)}" for name, value in present.items() if not _is_table(value)]
    for name, value in present.items():
        if not _is_table(value):
            continue
        place = f"{path}.{_key(name)}" if path else _key(name)
        for part in value if isinstance(value, list) else [value]:
            lines += ["", f"[[{place}]]" if isinstance(value, list) else f"[{place}]", *_body(place, part)]
    return lines


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
    parts = [_value(item) for item in value]
    if sum(map(len, parts)) > 90:
        return "[\n  " + ",\n  ".join(parts) + ",\n]"
    return "[" + ", ".join(parts) + "]"
