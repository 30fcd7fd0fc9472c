"""What holds for every route alike, read from the OpenAPI document and tried: no route is left out by oversight."""

from __future__ import annotations

import base64
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import httpx
import pytest

from samebody.decide.load import policy_text
from samebody.store.errors import IdempotencyConflictError
from samebody.store.lifecycle import TRANSITIONS, State
from tests.service.conftest import Running
from tests.store.conftest import SetClock


def operations(service: Running) -> list[tuple[str, str, dict[str, Any]]]:
    return [
        (method, path, operation)
        for path, methods in service.app.openapi()["paths"].items()
        for method, operation in methods.items()
    ]


def header_names(operation: dict[str, Any]) -> set[str]:
    return {each["name"] for each in operation.get("parameters", ()) if each["in"] == "header"}


def test_every_post_takes_an_idempotency_key_and_nothing_else_does(service: Running) -> None:
    for method, path, operation in operations(service):
        assert ("Idempotency-Key" in header_names(operation)) == (method == "post"), (method, path)


def test_every_post_asks_for_its_first_answer(
    service: Running, tiny_picture: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each POST, sent so that nothing else refuses it, says 409 when its key was used with other parameters."""
    api = service.client()
    made = api.create_session(policy="no-liveness")
    person = service.client(made["client_token"])
    consent = person.give_consent(made["id"], version="2026-1", language="en")
    media = person.upload_media(made["id"], tiny_picture, role="selfie", content_type="image/jpeg")
    upload = person.begin_upload(made["id"], role="document_front", content_type="image/jpeg", parts=1)["upload"]
    endpoint = api.create_endpoint(url="https://example.org/hook")
    ids = {
        "session_id": made["id"], "consent_id": consent["id"], "media_id": media["id"], "upload": upload,
        "endpoint_id": endpoint["id"], "delivery_id": "del_none", "policy_id": "no-liveness", "gallery_id": "staff",
    }  # fmt: skip
    picture, text = base64.b64encode(tiny_picture).decode(), policy_text("no-liveness")[0]
    bodies: dict[str, dict[str, Any]] = {
        "create_session": {}, "give_consent": {"version": "2026-1", "language": "en"},
        "begin_upload": {"role": "selfie", "parts": 2}, "decide_review": {"decision": "accept", "code": "x"},
        "add_label": {"name": "a", "value": "b"}, "check_policy": {"text": text}, "put_policy": {"text": text},
        "create_endpoint": {"url": "https://example.org/"}, "create_key": {"name": "n", "role": "auditor"},
        "check_faces": {"one": picture, "two": picture}, "create_gallery": {"id": "staff"},
        "enrol": {"session_id": made["id"]}, "identify": {"picture": picture},
        "answer_challenge": {"challenge": "x", "frames": [{"at_ms": 0, "picture": picture}]},
    }  # fmt: skip

    def used(*_: object, **__: object) -> None:
        raise IdempotencyConflictError("the idempotency key was used with other parameters.")

    monkeypatch.setattr(type(service.store.idempotency), "begin", used)
    http, headers = service.http(service.admin_key), {"Idempotency-Key": "k"}
    tried = 0
    for method, path, operation in operations(service):
        if method != "post":
            continue
        filled = path.format(**ids)
        content = operation.get("requestBody", {}).get("content", {})
        if "image/jpeg" in content:
            answer = http.post(
                f"{filled}?role=selfie", content=tiny_picture, headers={**headers, "Content-Type": "image/jpeg"}
            )
        elif "application/json" in content:
            body = bodies.get(operation["operationId"])
            if body is None:  # by its fields: a picture where one is asked for
                schema = service.app.openapi()["components"]["schemas"][
                    content["application/json"]["schema"]["$ref"].rpartition("/")[2]
                ]
                known = {"picture": picture, "text": text, "model_id": "face/sface", "session_id": made["id"]}
                body = {name: known[name] for name in schema.get("required", ())}
            answer = http.post(filled, json=body, headers=headers)
        else:
            answer = http.post(filled, headers=headers)
        assert (answer.status_code, answer.json()["code"]) == (409, "idempotency.conflict"), (path, answer.text)
        tried += 1
    assert tried >= 25


def test_every_secured_operation_describes_its_problems(service: Running) -> None:
    for method, path, operation in operations(service):
        if "security" not in operation:
            continue
        for status in ("401", "403", "404", "409", "422", "429", "503"):
            assert "application/problem+json" in operation["responses"][status]["content"], (method, path, status)


def test_lists_that_grow_have_cursors(service: Running) -> None:
    schemas = service.app.openapi()["components"]["schemas"]
    growing = {
        "list_sessions", "session_events", "list_subjects", "list_reviews", "list_endpoints", "list_deliveries",
        "list_keys", "list_audit_events",
    }  # fmt: skip
    # the others hold what a tenant configures or one session has, and are bounded by that
    bounded = {"list_consent_texts", "list_media", "list_galleries", "list_policies", "list_models", "list_live_models"}
    found = set()
    for method, _, operation in operations(service):
        schema = operation["responses"].get("200", {}).get("content", {}).get("application/json", {}).get("schema", {})
        name = schema.get("$ref", schema.get("items", {}).get("$ref", "")).rpartition("/")[2]
        if method == "get" and (
            schema.get("type") == "array" or "items" in schemas.get(name, {}).get("properties", {})
        ):
            found.add(operation["operationId"])
            paged = {"limit", "cursor"} <= {each["name"] for each in operation.get("parameters", ())}
            assert paged == (operation["operationId"] in growing), operation["operationId"]
            assert not paged or "next" in schemas[name]["properties"]
    assert found == growing | bounded


def test_keys_and_endpoints_come_in_pages(service: Running) -> None:
    api = service.client()
    keys = [api.create_key(name=f"k{n}", role="auditor")["id"] for n in range(3)]
    hooks = [api.create_endpoint(url=f"https://example.org/{n}")["id"] for n in range(3)]
    for lister, wanted in ((api.list_keys, keys), (api.list_endpoints, hooks)):
        seen, cursor = [], None
        while True:
            found = lister(limit=2, cursor=cursor)
            seen += [each["id"] for each in found["items"]]
            if (cursor := found["next"]) is None:
                break
        assert [each for each in seen if each in wanted] == wanted and len(seen) == len(set(seen))


def test_no_request_names_a_place_to_fetch_from(service: Running, tiny_picture: bytes) -> None:
    """Only webhook endpoints are URLs; a URL where a picture belongs is no picture, and nobody is asked for it."""
    urls = set()
    for name, schema in service.app.openapi()["components"]["schemas"].items():
        if schema.get("additionalProperties") is False:  # what is sent
            urls |= {(name, field) for field in schema["properties"] if "url" in field or "uri" in field}
    assert urls == {("NewEndpoint", "url")}
    asked: list[str] = []

    class Listener(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            self.send_error(404)

        def log_message(self, *_: object) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Listener)
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
    url = f"http://127.0.0.1:{server.server_address[1]}/picture.jpg"
    http = service.http(service.admin_key)
    made = service.client().create_session()
    for path, sent in (
        ("/v1/checks/face-compare", {"json": {"one": url, "two": url}}),
        ("/v1/checks/quality", {"json": {"picture": base64.b64encode(url.encode()).decode()}}),
        (f"/v1/sessions/{made['id']}/media?role=selfie", {"content": url.encode()}),
    ):
        assert http.post(path, **sent).status_code == 422, path
    server.shutdown()
    server.server_close()
    assert asked == []


def test_a_service_that_is_not_ready_says_when_to_come_back(service: Running) -> None:
    answer = service.http().get("/v1/readyz")
    assert answer.status_code == 503 and int(answer.headers["retry-after"]) >= 1


def test_states_are_named_in_the_description(service: Running) -> None:
    schemas = service.app.openapi()["components"]["schemas"]
    assert schemas["State"]["enum"] == [each.value for each in State]
    assert schemas["Session"]["properties"]["state"]["$ref"] == "#/components/schemas/State"


def test_the_guide_shows_the_state_machine() -> None:
    guide = (Path(__file__).resolve().parents[2] / "docs" / "how-to" / "service.md").read_text("utf-8")
    assert "(../store.md#states-of-a-session)" in guide
    for step in TRANSITIONS:
        if step.announced:
            assert f"`session.{step.target.value}`" in guide, step


def test_metadata_comes_back_to_its_owner_alone(service: Running) -> None:
    api = service.client()
    made = api.create_session(metadata={"cart": 7})
    assert api.get_session(made["id"])["metadata"] == {"cart": 7}
    assert service.client(made["client_token"]).get_session(made["id"])["metadata"] is None
    api.cancel_session(made["id"])
    api.redact_session(made["id"])
    assert api.get_session(made["id"])["metadata"] is None


def test_an_expired_session_takes_nothing_in(service: Running, tiny_picture: bytes, clock: SetClock) -> None:
    api = service.client()
    made, _ = service.consented(policy="no-liveness", lifetime_minutes=5)
    clock.move(minutes=5)
    http = service.http(service.admin_key)
    answers: list[httpx.Response] = [
        http.post(
            f"/v1/sessions/{made['id']}/media?role=selfie", content=tiny_picture, headers={"Content-Type": "image/jpeg"}
        ),
        http.post(f"/v1/sessions/{made['id']}/resume"),
    ]
    assert [each.status_code for each in answers] == [409, 409]
    assert "expired" in answers[0].json()["detail"]
    service.store.janitor.sweep()
    assert (api.get_session(made["id"])["state"], api.get_session(made["id"])["reason"]) == (
        "expired",
        "session.expired",
    )
