"""The OpenAPI document without a running service."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

from samebody.config import Settings
from samebody.crypto import generate_key
from samebody.service.app import create_app
from samebody.service.settings import ServiceSettings
from samebody.store import LocalMasterKey, Store


def document() -> dict[str, Any]:
    """What ``GET /v1/openapi.json`` answers."""
    with (
        tempfile.TemporaryDirectory() as folder,
        Store.open(Path(folder) / "store", master=[LocalMasterKey(generate_key())]) as store,
    ):
        found: dict[str, Any] = create_app(store, ServiceSettings(), Settings()).openapi()
        return found


def as_markdown(described: dict[str, Any]) -> str:
    """Every route in one table, as the guide prints it."""
    lines = ["| route | what it does |", "| --- | --- |"]
    for path, methods in described["paths"].items():
        for method, operation in methods.items():
            lines.append(f"| `{method.upper()} {path}` | {' '.join(operation['description'].split())} |")
    return "\n".join(lines)
