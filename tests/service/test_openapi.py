"""The OpenAPI document: kept in the repository, and the client is written from it."""

from __future__ import annotations

import json
from pathlib import Path

from samebody.service.client import generate
from samebody.service.openapi import as_markdown
from tests.service.conftest import Running

ROOT = Path(__file__).resolve().parents[2]
SNAPSHOT = ROOT / "docs" / "reference" / "openapi.json"


def test_the_snapshot_is_what_the_service_says(service: Running) -> None:
    assert json.loads(SNAPSHOT.read_text("utf-8")) == json.loads(json.dumps(service.app.openapi()))


def test_it_is_openapi_3_1_and_the_service_shows_it(service: Running) -> None:
    document = service.http().get("/v1/openapi.json").json()
    assert document["openapi"].startswith("3.1")
    assert all(path.startswith("/v1/") for path in document["paths"])


def test_the_client_was_generated_from_it(service: Running) -> None:
    written = (Path(generate.__file__).parent / "calls.py").read_text("utf-8")
    assert written == generate.formatted(generate.source(service.app.openapi()))


def test_the_guide_names_every_route(service: Running) -> None:
    guide = (ROOT / "docs" / "how-to" / "service.md").read_text("utf-8")
    assert as_markdown(service.app.openapi()) in guide
