"""What a browser is told so that other sites can do nothing with the console, the capture page and the API."""

from __future__ import annotations

import re
from collections.abc import Callable

import httpx
import pytest
from fastapi.testclient import TestClient

from samebody.service.console.login import COOKIE
from tests.service.conftest import Running
from tests.service.test_console import in_review, token, visitor

PAGES = ("/console/login", "/console/", "/console/policies", "/console/webhooks", "/console/models", "/console/figures")


def directives(answer: httpx.Response) -> dict[str, str]:
    parts = (each.strip().partition(" ") for each in answer.headers["content-security-policy"].split(";"))
    return {name: value for name, _, value in parts}


def console_posts(service: Running) -> list[str]:
    """Every form of the console but the login, whoever added it."""
    found: set[str] = set()

    def walk(routes: object) -> None:
        for route in getattr(routes, "routes", ()):
            path = getattr(route, "path", "")
            if "POST" in (getattr(route, "methods", None) or ()) and path.startswith("/console"):
                found.add(path)
            for inner in ("original_router", "app"):
                if hasattr(route, inner) and hasattr(getattr(route, inner), "routes"):
                    walk(getattr(route, inner))

    walk(service.app)
    return sorted(found - {"/console/login"})


def test_every_form_of_the_console_needs_the_token_of_its_page(service: Running, tiny_picture: bytes) -> None:
    session = in_review(service, tiny_picture)
    http = visitor(service)
    paths = console_posts(service)
    assert {"/console/logout", "/console/cases/{session_id}/decide", "/console/policies/{policy_id}"} <= set(paths)
    before = len(service.client().list_audit_events(limit=200)["items"])
    for path in paths:
        filled = path.replace("{session_id}", session["id"]).replace("{policy_id}", "no-liveness")
        filled = re.sub(r"\{[a-z_]+(:path)?\}", "x", filled)
        fields = {"decision": "accept", "code": "review.other", "media_id": session["media"], "label": "attack=print"}
        fields |= {"text": "x", "go_live": "true", "take": "true", "kind": "policy", "name": "x", "reason": "x"}
        fields |= {"what": "match", "source": "default", "version": "1", "language": "en", "delivery": "x"}
        fields |= {"model_id": "face/sface"}
        for forged in ({}, {"token": ""}, {"token": "A" * 43}):
            answer = http.post(filled, data={**fields, **forged}, follow_redirects=False)
            assert (answer.status_code, answer.json()["code"]) == (403, "console.forged_form"), path
        # and whoever is not logged in is sent to the login
        stranger = service.http().post(filled, data=fields, follow_redirects=False)
        assert (stranger.status_code, stranger.headers["location"]) == (303, "/console/login"), path
    assert len(service.client().list_audit_events(limit=200)["items"]) == before
    assert service.client().get_session(session["id"])["state"] == "review"


@pytest.mark.parametrize("site", ["cross-site", "same-site"])
def test_forms_that_another_site_sent_are_refused_the_login_too(service: Running, site: str) -> None:
    http, key = service.http(), service.key("reviewer")
    sent = http.post("/console/login", data={"key": key}, headers={"Sec-Fetch-Site": site}, follow_redirects=False)
    assert (sent.status_code, sent.json()["code"]) == (403, "request.cross_site")
    assert COOKIE not in http.cookies
    own = http.post("/console/login", data={"key": key}, headers={"Sec-Fetch-Site": "same-origin"})
    assert own.status_code == 200 and COOKIE in http.cookies
    assert http.post("/v1/sessions", headers={"Sec-Fetch-Site": site}).status_code == 401  # the API has no cookies


def test_no_page_runs_a_script_loads_from_elsewhere_or_is_framed(service: Running, tiny_picture: bytes) -> None:
    session = in_review(service, tiny_picture)
    http = visitor(service)
    for path in (*PAGES, f"/console/cases/{session['id']}", "/console/policies/no-liveness"):
        answer = http.get(path)
        assert answer.status_code == 200, path
        policy = directives(answer)
        assert policy["default-src"] == "'none'" and policy["frame-ancestors"] == "'none'", path
        assert policy["base-uri"] == "'none'" and policy["form-action"] == "'self'", path
        assert "script-src" not in policy and "unsafe" not in answer.headers["content-security-policy"], path
        assert answer.headers["x-frame-options"] == "DENY" and answer.headers["referrer-policy"] == "no-referrer"
        assert answer.headers["cache-control"] == "no-store", path
        assert not re.search(r"<script|javascript:|<[^>]*\son[a-z]+\s*=|<iframe|<object|<base", answer.text, re.I), path
        assert not re.search(r'(?:src|href|action)="(?:https?:)?//', answer.text), path


def test_the_capture_page_runs_its_own_scripts_only_and_is_not_framed(service: Running) -> None:
    answer = service.http().get("/capture/")
    policy = directives(answer)
    assert policy["default-src"] == "'none'" and policy["frame-ancestors"] == "'none'"
    if answer.status_code == 200:  # built
        assert policy["script-src"] == "'self' 'wasm-unsafe-eval'" and policy["connect-src"] == "'self'"
        assert not re.search(r"<script(?![^>]*\ssrc=)", answer.text)


def test_every_answer_of_the_api_is_closed_and_kept_by_nobody(service: Running) -> None:
    api = service.client()
    made = api.create_session()
    http = service.http(service.admin_key)
    for answer in (
        http.get("/v1/sessions"),
        http.get(f"/v1/sessions/{made['id']}"),
        http.get("/v1/audit-events"),
        http.get("/v1/nothing"),
        http.post("/v1/sessions", json={}),
        service.http().get("/v1/sessions"),
        service.http().get("/v1/healthz"),
        service.http().get("/v1/metrics"),
    ):
        assert answer.headers["cache-control"] == "no-store"
        policy = directives(answer)
        assert policy["default-src"] == policy["frame-ancestors"] == "'none'"
        assert answer.headers["x-frame-options"] == "DENY" and answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["cross-origin-resource-policy"] == "same-origin"
        assert "set-cookie" not in answer.headers


def test_no_other_site_may_read_an_answer(service: Running) -> None:
    for path in ("/v1/sessions", "/console/", "/capture/", "/v1/healthz"):
        for method in ("GET", "POST", "OPTIONS"):
            answer = service.http(service.admin_key).request(
                method,
                path,
                headers={"Origin": "https://evil.test", "Access-Control-Request-Method": "POST"},
                follow_redirects=False,
            )
            assert not [name for name in answer.headers if name.startswith("access-control-")], (path, method)


@pytest.mark.parametrize("url", ["https://id.shop.test", "http://127.0.0.1:8200"])
def test_cookies_are_closed_and_over_https_secure(start: Callable[..., Running], url: str) -> None:
    service = start(public_url=url)
    http = TestClient(service.app, base_url=url, raise_server_exceptions=False)
    answer = http.post("/console/login", data={"key": service.key("reviewer")}, follow_redirects=False)
    flags = {each.strip().lower().partition("=")[0]: each for each in answer.headers["set-cookie"].split(";")[1:]}
    assert {"httponly", "samesite", "path", "max-age"} <= set(flags)
    assert flags["samesite"].strip().lower() == "samesite=strict" and flags["path"].strip().lower() == "path=/console"
    assert ("secure" in flags) == url.startswith("https")
    assert ("strict-transport-security" in answer.headers) == url.startswith("https")


def test_addresses_are_those_of_the_settings_whatever_the_request_says(service: Running) -> None:
    evil = {"Host": "evil.test", "X-Forwarded-Host": "evil.test", "Forwarded": "host=evil.test"}
    made = service.http(service.admin_key).post("/v1/sessions", json={}, headers=evil)
    login = service.http().get("/console/", headers=evil, follow_redirects=False)
    assert "evil.test" not in made.text and made.json()["capture_url"].startswith("http://127.0.0.1:8200/capture/#")
    assert login.headers["location"] == "/console/login"


def test_redirects_stay_here(service: Running, tiny_picture: bytes) -> None:
    session = in_review(service, tiny_picture)
    http = visitor(service)
    path = f"/console/cases/{session['id']}"
    form = {"token": token(http.get(path)), "take": "true"}
    answer = http.post(f"{path}/assign", data=form, follow_redirects=False)
    assert answer.headers["location"].startswith("/console/")
    for path in ("//evil.test/%2f..", "/console/%0d%0aLocation:%20https:%2f%2fevil.test", "/\\evil.test"):
        answer = http.get(path, follow_redirects=False)
        assert answer.status_code in (303, 404, 405) and "evil" not in answer.headers.get("location", ""), path
