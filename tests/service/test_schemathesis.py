"""The application against its own OpenAPI document (schemathesis): no fault of the system, answers as described."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import httpx
import pytest

schemathesis = pytest.importorskip("schemathesis", reason="schemathesis is not installed (a development dependency)")

from hypothesis import HealthCheck, Phase, given, seed, settings  # noqa: E402
from hypothesis import strategies as st  # noqa: E402
from schemathesis import GenerationMode  # noqa: E402
from schemathesis.checks import not_a_server_error  # noqa: E402
from schemathesis.specs.openapi.checks import (  # noqa: E402
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from tests.service.conftest import Running  # noqa: E402
from tests.service.test_console import in_review  # noqa: E402

CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
]
NOT_NOW = {"/v1/readyz", "/v1/checks/liveness"}
"""503 is the answer here: no worker runs, or there is no model of that task."""


@dataclass
class Asked:
    """The application, filled with one thing of each kind, and how often each status was answered."""

    service: Running
    ids: dict[str, list[str]]
    answers: dict[tuple[str, int], int]

    def ask(self, case: Any, real: bool) -> None:
        if real:  # ids that nobody could guess
            for name, known in self.ids.items():
                if name in (case.path_parameters or {}):
                    case.path_parameters[name] = known[len(str(case.path_parameters[name])) % len(known)]
        kwargs = case.as_transport_kwargs(base_url="http://service.test")
        with self.service.http(self.service.admin_key) as http:
            answer = _send(http, kwargs)
        key = (f"{case.method} {case.operation.path}", answer.status_code)
        self.answers[key] = self.answers.get(key, 0) + 1
        _own(answer)
        if answer.status_code != 503 or case.operation.path not in NOT_NOW:
            case.validate_response(answer, checks=CHECKS)


def _send(http: Any, kwargs: dict[str, Any]) -> httpx.Response:
    body: dict[str, Any] = {}
    data = kwargs.get("data")
    if kwargs.get("json") is not None:
        body["content"] = json.dumps(kwargs["json"]).encode()
    elif isinstance(data, str | bytes):
        body["content"] = data
    elif data is not None:
        body["data"] = data
    headers = {name: value for name, value in (kwargs.get("headers") or {}).items() if name.lower() != "authorization"}
    if "content" in body and not any(name.lower() == "content-type" for name in headers):
        headers["Content-Type"] = "application/json"
    raw = [tuple(str(each).encode("latin-1", "replace") for each in pair) for pair in headers.items()]
    found: httpx.Response = http.request(
        kwargs["method"], kwargs["url"], params=kwargs.get("params"), headers=raw, **body
    )
    return found


def _own(answer: httpx.Response) -> None:
    """What holds for every answer: an id, no guessing of types, and problems that name themselves."""
    assert answer.headers["x-request-id"] and answer.headers["x-content-type-options"] == "nosniff"
    if answer.headers["content-type"] == "application/problem+json":
        problem = answer.json()
        assert problem["status"] == answer.status_code and problem["request_id"] == answer.headers["x-request-id"]
        assert answer.headers["cache-control"] == "no-store"
    else:
        assert answer.status_code < 400 or answer.request.url.path == "/v1/readyz"
    if answer.status_code in (429, 503) and answer.request.url.path != "/v1/readyz":
        assert int(answer.headers["retry-after"]) >= 1


@pytest.fixture
def asked(start: Callable[..., Running], tiny_picture: bytes) -> Asked:
    service = start(rate=10**9)
    api = service.client()
    case = in_review(service, tiny_picture)
    open_session, endpoint = api.create_session(reference="open"), api.create_endpoint(url="https://example.org/h")
    person = service.client(open_session["client_token"])
    consent = person.give_consent(open_session["id"], version="2026-1", language="en")
    upload = person.begin_upload(open_session["id"], role="selfie", parts=2)["upload"]
    link = httpx.URL(api.media_link(case["id"], case["media"])["url"]).path.rpartition("/")[2]
    api.create_gallery(id="staff")
    return Asked(
        service,
        {
            "session_id": [case["id"], open_session["id"]],
            "media_id": [case["media"]],
            "consent_id": [consent["id"]],
            "endpoint_id": [endpoint["id"]],
            "policy_id": ["default"],
            "gallery_id": ["staff"],
            "upload": [upload],
            "link": [link],
        },
        {},
    )


def run(asked: Asked, examples: int, number: int) -> list[str]:
    """Ask every operation; what was found, by operation."""
    schema = schemathesis.openapi.from_dict(asked.service.app.openapi())
    wrongs = []
    for found in schema.get_all_operations():
        operation = found.ok()
        made = operation.as_strategy(generation_mode=GenerationMode.POSITIVE)
        wrong = operation.as_strategy(generation_mode=GenerationMode.NEGATIVE)
        try:
            wrong.validate()
        except Exception:  # there is nothing to get wrong
            wrong = made

        @seed(number)
        @settings(
            max_examples=examples, deadline=None, database=None, phases=[Phase.explicit, Phase.generate],
            suppress_health_check=list(HealthCheck), report_multiple_bugs=False,
        )  # fmt: skip
        @given(case=made | wrong, real=st.booleans())
        def ask(case: Any, real: bool) -> None:
            asked.ask(case, real)

        try:
            ask()
        except Exception as error:
            wrongs.append(f"{operation.label}: {type(error).__name__}: {str(error)[:1500]}")
    return wrongs


def test_the_application_keeps_to_its_document(asked: Asked) -> None:
    assert run(asked, examples=5, number=6) == []
    statuses = {status for _, status in asked.answers}
    assert {200, 201, 404, 422} <= statuses and not statuses & set(range(500, 503))
    paths = asked.service.app.openapi()["paths"]
    assert len({name for name, _ in asked.answers}) == sum(len(methods) for methods in paths.values())


@pytest.mark.slow
def test_the_application_keeps_to_its_document_for_long(asked: Asked) -> None:
    assert run(asked, examples=150, number=60) == []
    assert not {status for _, status in asked.answers} & set(range(500, 503))
