"""What was caught on the way and is sent again, or shown in another place: tokens, links, answers, webhooks."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from typing import Any

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from samebody.service.client import WebhookError, verify_webhook
from samebody.service.setup import prepare
from samebody.service.tokens import Signer
from samebody.service.webhooks import secret_text, signature
from tests.service.conftest import Running
from tests.service.test_console import token, visitor
from tests.store.conftest import SetClock

KINDS = ("client", "media", "cursor", "upload", "challenge", "console", "form")


def presented(service: Running, kind: str, text: str, session: dict[str, Any]) -> httpx.Response:
    """The answer when ``text`` is shown where a text of ``kind`` belongs."""
    keyed, person = service.http(service.admin_key), service.http(session["client_token"])
    if kind == "client":
        return service.http(f"sct.{text}").get(f"/v1/sessions/{session['id']}")
    if kind == "media":
        return service.http().get(f"/v1/media/{text}")
    if kind == "cursor":
        return keyed.get("/v1/sessions", params={"cursor": text})
    if kind == "upload":
        return person.put(f"/v1/uploads/{text}/parts/1", content=b"x")
    if kind == "challenge":
        body = {"challenge": text, "frames": [{"at_ms": 0, "picture": "eA=="}]}
        return person.post(f"/v1/sessions/{session['id']}/challenge/answer", json=body)
    http = service.http()
    http.cookies.set("samebody_console", text, path="/console")
    return http.get("/console/", follow_redirects=False)


@pytest.mark.parametrize("shown_as", ["client", "media", "cursor", "upload", "challenge", "console"])
def test_a_signed_text_of_one_kind_passes_for_no_other(service: Running, shown_as: str) -> None:
    session, _ = service.consented()
    everything = {"s": session["id"], "e": 2**40, "m": "med_x", "c": "image/jpeg", "u": "upl_x", "r": "selfie", "n": 2}
    everything |= {"l": "log_x", "k": "sessions/None/None", "p": "x", "a": 1, "b": 0, "nonce": "x"}
    for kind in KINDS:
        if kind == shown_as:
            continue
        with service.store.read() as tx:
            text = Signer(service.store, kind).sign(tx, "local", everything)
        status = presented(service, shown_as, text, session).status_code
        assert status in (303, 401, 403, 409, 422), (kind, status)


def test_a_text_of_another_tenant_opens_nothing_here(service: Running) -> None:
    prepare(service.store, "other")
    session, _ = service.consented()
    content = {"s": session["id"], "e": 2**40, "u": "upl_x", "r": "selfie", "c": "image/jpeg", "n": 2}
    for kind in ("client", "upload"):
        with service.store.read() as tx:
            text = Signer(service.store, kind).sign(tx, "other", content)
        assert presented(service, kind, text, session).status_code in (403, 404), kind


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_a_changed_text_is_refused_wherever_it_was_changed(service: Running, data: st.DataObject) -> None:
    with service.store.read() as tx:
        signer = Signer(service.store, "client")
        text = signer.sign(tx, "local", {"s": "ses_1", "e": 2**40})
        index = data.draw(st.integers(0, len(text) - 1))
        letter = data.draw(st.sampled_from("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_."))
        changed = text[:index] + letter + text[index + 1 :]
        opened = signer.open(tx, changed)
        # base64 leaves some bits of the last letter unused: the same bytes are the same text
        same = _bytes_of(changed) == _bytes_of(text) and changed.partition(".")[0] == text.partition(".")[0]
        assert (opened is not None) == same


def _bytes_of(text: str) -> bytes | None:
    try:
        mac = text.partition(".")[2]
        return base64.urlsafe_b64decode(mac + "=" * (-len(mac) % 4))
    except ValueError:
        return None


def test_a_client_token_does_nothing_once_its_session_is_over(service: Running, tiny_picture: bytes) -> None:
    session, _ = service.consented()
    person = service.http(session["client_token"])
    assert person.post(f"/v1/sessions/{session['id']}/cancel").status_code == 200
    path = f"/v1/sessions/{session['id']}"
    for method, rest, body in (
        ("POST", "/media?role=selfie", {"content": tiny_picture, "headers": {"Content-Type": "image/jpeg"}}),
        ("POST", "/submit", {}),
        ("POST", "/resume", {}),
        ("POST", "/challenge", {}),
        ("POST", "/uploads", {"json": {"role": "selfie", "parts": 1}}),
        ("POST", "/consents", {"json": {"version": "2026-1", "language": "en"}}),
    ):
        answer = person.request(method, path + rest, **body)
        assert (answer.status_code, answer.json()["code"]) == (409, "session.illegal_transition"), rest
    assert service.client().get_session(session["id"])["state"] == "cancelled"


def test_a_link_shows_nothing_once_its_sample_is_erased(service: Running, tiny_picture: bytes) -> None:
    session, person = service.consented()
    media = person.upload_media(session["id"], tiny_picture, role="selfie", content_type="image/jpeg")
    path = httpx.URL(service.client().media_link(session["id"], media["id"])["url"]).path
    assert service.http().get(path).content == tiny_picture
    service.client().redact_session(session["id"])
    again = service.http().get(path)
    assert again.status_code in (404, 410) and tiny_picture not in again.content


def test_a_completed_upload_is_not_completed_again(service: Running, tiny_picture: bytes) -> None:
    session, person = service.consented()
    upload = person.begin_upload(session["id"], role="selfie", content_type="image/jpeg", parts=1)["upload"]
    person.put_part(upload, 1, tiny_picture)
    person.complete_upload(upload)
    again = service.http(session["client_token"]).post(f"/v1/uploads/{upload}/complete")
    assert (again.status_code, again.json()["code"]) == (409, "upload.incomplete")
    assert len(person.list_media(session["id"])["items"]) == 1


def test_a_kept_answer_is_given_to_nobody_else_and_on_no_other_route(service: Running, clock: SetClock) -> None:
    headers = {"Idempotency-Key": "order-7"}
    mine, other = service.http(service.key("integrator")), service.http(service.key("integrator"))
    first = mine.post("/v1/sessions", json={"reference": "mine"}, headers=headers).json()
    assert other.post("/v1/sessions", json={"reference": "mine"}, headers=headers).json()["id"] != first["id"]
    person = service.http(first["client_token"])
    consent = {"version": "2026-1", "language": "en"}
    elsewhere = person.post(f"/v1/sessions/{first['id']}/consents", json=consent, headers=headers)
    assert elsewhere.status_code == 201 and "client_token" not in elsewhere.text
    route = mine.post(f"/v1/sessions/{first['id']}/client-token", headers=headers)
    assert (route.status_code, route.json()["code"]) == (409, "idempotency.conflict")
    assert service.http().post("/v1/sessions", json={"reference": "mine"}, headers=headers).status_code == 401
    clock.move(hours=25)
    assert mine.post("/v1/sessions", json={"reference": "mine"}, headers=headers).json()["id"] != first["id"]


def test_a_cookie_from_before_the_logout_opens_nothing(service: Running) -> None:
    http = visitor(service, "reviewer")
    stolen = dict(http.cookies)
    page = http.get("/console/")
    assert http.post("/console/logout", data={"token": token(page)}, follow_redirects=False).status_code in (200, 303)
    thief = service.http()
    for name, value in stolen.items():
        thief.cookies.set(name, value, path="/console")
    assert thief.get("/console/", follow_redirects=False).status_code == 303


@pytest.mark.parametrize(
    "change",
    [
        lambda headers, body: (headers | {"webhook-id": "msg_2"}, body),
        lambda headers, body: (headers | {"webhook-timestamp": "1001"}, body),
        lambda headers, body: (headers, body.replace(b"accepted", b"rejected")),
        lambda headers, body: (headers | {"webhook-signature": headers["webhook-signature"][:-5] + "AAAA="}, body),
        lambda headers, body: (headers | {"webhook-signature": "v2," + headers["webhook-signature"][3:]}, body),
    ],
)
def test_a_webhook_changed_in_any_part_is_refused(change: Callable[..., tuple[dict[str, str], bytes]]) -> None:
    secret, body = bytes(range(32)), json.dumps({"type": "session.accepted"}).encode()
    headers = {
        "webhook-id": "msg_1",
        "webhook-timestamp": "1000",
        "webhook-signature": signature([secret], "msg_1", 1000, body),
    }
    assert verify_webhook(secret_text(secret), headers, body, now=1000)["type"] == "session.accepted"
    changed_headers, changed_body = change(headers, body)
    with pytest.raises(WebhookError):
        verify_webhook(secret_text(secret), changed_headers, changed_body, now=1000)
