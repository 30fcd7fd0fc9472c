"""Who may do what: every route by every role, own and foreign tenants, tokens that open one session only."""

from __future__ import annotations

import pytest

from samebody.service.access import ROLE_SCOPES
from tests.service.conftest import Running
from tests.store.conftest import SetClock

# what each role gets for each route, apart from 404 for things that are not there
OPEN = {  # by a text that is signed
    ("PUT", "/v1/uploads/{upload}/parts/{number}"),
    ("POST", "/v1/uploads/{upload}/complete"),
    ("GET", "/v1/healthz"),
    ("GET", "/v1/readyz"),
    ("GET", "/v1/metrics"),
    ("GET", "/v1/media/{link}"),
}
SESSION = {  # open to the client token of the session too
    ("GET", "/v1/sessions/{session_id}"): "sessions:read",
    ("GET", "/v1/sessions/{session_id}/consent-texts"): "sessions:read",
    ("POST", "/v1/sessions/{session_id}/consents"): "sessions:write",
    ("POST", "/v1/sessions/{session_id}/consents/{consent_id}/withdraw"): "sessions:write",
    ("POST", "/v1/sessions/{session_id}/submit"): "sessions:write",
    ("POST", "/v1/sessions/{session_id}/resume"): "sessions:write",
    ("POST", "/v1/sessions/{session_id}/cancel"): "sessions:write",
    ("POST", "/v1/sessions/{session_id}/media"): "sessions:write",
    ("POST", "/v1/sessions/{session_id}/uploads"): "sessions:write",
    ("GET", "/v1/sessions/{session_id}/media"): "sessions:read",
    ("POST", "/v1/sessions/{session_id}/challenge"): "sessions:write",
    ("POST", "/v1/sessions/{session_id}/challenge/answer"): "sessions:write",
}
KEYS_ONLY = {
    ("POST", "/v1/sessions"): "sessions:write",
    ("GET", "/v1/sessions"): "sessions:read",
    ("POST", "/v1/sessions/{session_id}/client-token"): "sessions:write",
    ("POST", "/v1/sessions/{session_id}/redact"): "sessions:write",
    ("GET", "/v1/sessions/{session_id}/verdict"): "sessions:read",
    ("GET", "/v1/sessions/{session_id}/events"): "sessions:read",
    ("POST", "/v1/sessions/{session_id}/media/{media_id}/link"): "media:read",
    ("GET", "/v1/reviews"): "reviews:read",
    ("GET", "/v1/reviews/{session_id}"): "reviews:read",
    ("POST", "/v1/reviews/{session_id}"): "reviews:write",
    ("POST", "/v1/reviews/{session_id}/labels"): "reviews:write",
    ("GET", "/v1/policies"): "policies:read",
    ("POST", "/v1/policies/check"): "policies:read",
    ("GET", "/v1/policies/{policy_id}"): "policies:read",
    ("POST", "/v1/policies/{policy_id}"): "policies:write",
    ("POST", "/v1/policies/{policy_id}/try"): "policies:write",
    ("POST", "/v1/policies/{policy_id}/rollback"): "policies:write",
    ("POST", "/v1/webhook-endpoints"): "webhooks:write",
    ("GET", "/v1/webhook-endpoints"): "webhooks:read",
    ("GET", "/v1/webhook-endpoints/{endpoint_id}"): "webhooks:read",
    ("DELETE", "/v1/webhook-endpoints/{endpoint_id}"): "webhooks:write",
    ("POST", "/v1/webhook-endpoints/{endpoint_id}/rotate-secret"): "webhooks:write",
    ("POST", "/v1/webhook-endpoints/{endpoint_id}/test"): "webhooks:write",
    ("GET", "/v1/webhook-endpoints/{endpoint_id}/deliveries"): "webhooks:read",
    ("POST", "/v1/webhook-endpoints/{endpoint_id}/deliveries/{delivery_id}/resend"): "webhooks:write",
    ("GET", "/v1/api-keys"): "keys:read",
    ("POST", "/v1/api-keys"): "keys:write",
    ("DELETE", "/v1/api-keys/{key_id}"): "keys:write",
    ("POST", "/v1/checks/face-compare"): "checks:write",
    ("POST", "/v1/checks/quality"): "checks:write",
    ("POST", "/v1/checks/liveness"): "checks:write",
    ("POST", "/v1/checks/document"): "checks:write",
    ("GET", "/v1/subjects"): "subjects:read",
    ("GET", "/v1/subjects/{subject_id}"): "subjects:read",
    ("GET", "/v1/subjects/{subject_id}/export"): "subjects:write",
    ("DELETE", "/v1/subjects/{subject_id}"): "subjects:write",
    ("POST", "/v1/galleries"): "galleries:write",
    ("GET", "/v1/galleries"): "galleries:read",
    ("DELETE", "/v1/galleries/{gallery_id}"): "galleries:write",
    ("POST", "/v1/galleries/{gallery_id}/enrol"): "galleries:write",
    ("POST", "/v1/galleries/{gallery_id}/identify"): "galleries:read",
    ("DELETE", "/v1/galleries/{gallery_id}/subjects/{subject_id}"): "galleries:write",
    ("GET", "/v1/models"): "models:read",
    ("GET", "/v1/models/live"): "models:read",
    ("POST", "/v1/models/promote"): "models:write",
    ("POST", "/v1/models/rollback"): "models:write",
    ("GET", "/v1/audit-events"): "audit:read",
    ("GET", "/v1/settings"): "settings:read",
    ("PATCH", "/v1/settings"): "settings:write",
}
BODIES = {
    "/v1/sessions": {},
    "/v1/sessions/{session_id}/consents": {"version": "2026-1", "language": "en"},
    "/v1/reviews/{session_id}": {"decision": "accept", "code": "x"},
    "/v1/reviews/{session_id}/labels": {"name": "a", "value": "b"},
    "/v1/policies/check": {"text": "id: x"},
    "/v1/policies/{policy_id}": {"text": "id: x"},
    "/v1/policies/{policy_id}/try": {"text": "id: x"},
    "/v1/policies/{policy_id}/rollback": {},
    "/v1/models/promote": {"model_id": "nothing"},
    "/v1/webhook-endpoints": {"url": "https://example.org/"},
    "/v1/sessions/{session_id}/uploads": {"role": "selfie", "parts": 2},
    "/v1/sessions/{session_id}/challenge/answer": {"challenge": "x", "frames": [{"at_ms": 0, "picture": "eA=="}]},
    "/v1/checks/face-compare": {"one": "eA==", "two": "eA=="},
    "/v1/checks/quality": {"picture": "eA=="},
    "/v1/checks/liveness": {"picture": "eA=="},
    "/v1/checks/document": {"picture": "eA=="},
    "/v1/galleries": {"id": "staff"},
    "/v1/galleries/{gallery_id}/enrol": {"session_id": "nothing"},
    "/v1/galleries/{gallery_id}/identify": {"picture": "eA=="},
    "/v1/api-keys": {"name": "n", "role": "auditor"},
    "/v1/settings": {"settings": {}},
}


def routes(service: Running) -> set[tuple[str, str]]:
    paths = service.app.openapi()["paths"]
    return {(method.upper(), path) for path, methods in paths.items() for method in methods}


def test_every_route_is_in_the_matrix(service: Running) -> None:
    assert routes(service) == OPEN | SESSION.keys() | KEYS_ONLY.keys()


def ask(service: Running, key: str | None, method: str, path: str, session: str) -> int:
    filled = path.replace("{session_id}", session)
    for name in (
        "consent_id",
        "media_id",
        "endpoint_id",
        "delivery_id",
        "key_id",
        "policy_id",
        "link",
        "subject_id",
        "gallery_id",
    ):
        filled = filled.replace(f"{{{name}}}", "nothing")
    if path.endswith("/media") and method == "POST":
        return service.http(key).request(method, filled + "?role=selfie", content=b"x").status_code
    return service.http(key).request(method, filled, json=BODIES.get(path)).status_code


@pytest.mark.parametrize("role", [*sorted(ROLE_SCOPES), "client", "nobody"])
def test_every_route_by_every_role(service: Running, role: str) -> None:
    api = service.client()
    made = api.create_session()
    key = {"client": made["client_token"], "nobody": None}.get(role) if role not in ROLE_SCOPES else service.key(role)
    for (method, path), scope in {**SESSION, **KEYS_ONLY}.items():
        session = api.create_session()["id"] if role in ROLE_SCOPES else made["id"]
        status = ask(service, key, method, path, session)
        if role == "nobody":
            assert status == 401, (method, path)
        elif role == "client":
            allowed = (method, path) in SESSION
            assert (status == 403) != allowed, (method, path, status)
        else:
            assert (status == 403) == (scope not in ROLE_SCOPES[role]), (method, path, status)
        assert status < 500, (method, path, status)


@pytest.mark.parametrize("role", sorted(ROLE_SCOPES))
def test_another_tenants_things_are_not_there(service: Running, role: str) -> None:
    from samebody.service.setup import prepare

    prepare(service.store, "other")
    foreign = service.key(role, tenant="other")
    api = service.client()
    made, endpoint = api.create_session(), api.create_endpoint(url="https://example.org/")
    for (method, path), scope in {**SESSION, **KEYS_ONLY}.items():
        if "{session_id}" in path and scope in ROLE_SCOPES[role]:
            assert ask(service, foreign, method, path, made["id"]) in (404, 422), (method, path)
    if "webhooks:read" in ROLE_SCOPES[role]:
        assert service.http(foreign).get(f"/v1/webhook-endpoints/{endpoint['id']}").status_code == 404
        assert service.http(foreign).get("/v1/webhook-endpoints").json()["items"] == []
    assert service.http(foreign).get("/v1/sessions").json()["items"] == []


def test_a_token_opens_its_own_session_only(service: Running) -> None:
    api = service.client()
    one, two = api.create_session(), api.create_session()
    http = service.http(one["client_token"])
    assert http.get(f"/v1/sessions/{one['id']}").status_code == 200
    assert http.get(f"/v1/sessions/{two['id']}").status_code == 404


def test_a_token_ends(service: Running, clock: SetClock) -> None:
    made = service.client().create_session()
    clock.move(seconds=made["client_token_seconds"])
    answer = service.http(made["client_token"]).get(f"/v1/sessions/{made['id']}")
    assert (answer.status_code, answer.json()["code"]) == (401, "access.unauthenticated")


def test_a_changed_token_is_refused(service: Running) -> None:
    made = service.client().create_session()
    token = made["client_token"]
    body, _, mac = token.removeprefix("sct.").partition(".")
    other = "A" if mac[0] != "A" else "B"
    for changed in (f"sct.{body}.{other}{mac[1:]}", f"sct.{body[:-2]}.{mac}", "sct.", "sct.{}.{}", "sct.é.é"):
        headers = {b"Authorization": b"Bearer " + changed.encode()}
        assert service.http().get(f"/v1/sessions/{made['id']}", headers=headers).status_code == 401, changed


def test_a_link_is_no_token(service: Running) -> None:
    with service.store.read() as tx:
        link = service.app.state.service.links.sign(tx, "local", {"s": "ses_x", "e": 2**40})
    assert service.http(f"sct.{link}").get("/v1/sessions/ses_x").status_code == 401


def test_revoked_and_narrow_keys(service: Running) -> None:
    api = service.client()
    made = api.create_key(name="till", role="integrator", scopes=["sessions:read"])
    narrow = service.http(made["secret"])
    assert narrow.get("/v1/sessions").status_code == 200
    assert narrow.post("/v1/sessions", json={}).status_code == 403
    assert all("secret" not in each for each in api.list_keys()["items"])
    assert api.revoke_key(made["id"])["revoked"] is not None
    assert narrow.get("/v1/sessions").status_code == 401


def test_a_key_cannot_hold_more_than_its_role(service: Running) -> None:
    answer = service.http(service.admin_key).post(
        "/v1/api-keys", json={"name": "n", "role": "auditor", "scopes": ["keys:write"]}
    )
    assert answer.status_code == 422 and answer.json()["code"] == "store.invalid_value"
