"""``/v1/settings``: what a tenant sets, inside the operator's bounds."""

from __future__ import annotations

from collections.abc import Callable

import httpx
import pytest

from tests.service.conftest import Running
from tests.store.conftest import SetClock


def test_set_read_and_unset(service: Running) -> None:
    api = service.client()
    before = api.get_settings()
    assert before["version"] == 0 and set(before["settings"].values()) == {None}
    assert before["effective"]["submissions"] == 3 and before["operator"]["private_webhooks"] is False
    made = api.change_settings(settings={"submissions": 2, "token_minutes": 5}, version=0)
    assert (made["version"], made["effective"]["submissions"], made["effective"]["token_minutes"]) == (1, 2, 5)
    back = api.change_settings(settings={"submissions": None})
    assert (back["version"], back["settings"]["submissions"], back["settings"]["token_minutes"]) == (2, None, 5)
    assert back["author"].startswith("key:") and back["changed"]
    (first, _) = [
        each for each in api.list_audit_events(kind="tenant")["items"] if each["action"] == "tenant.settings_changed"
    ]
    assert first["details"]["submissions"] == "2"


def test_what_may_not_be_set_is_refused_whole(service: Running) -> None:
    http = service.http(service.admin_key)
    for settings in ({"submissions": 0}, {"private_webhooks": True}, {"rate": 10, "link_seconds": 0}):
        assert http.patch("/v1/settings", json={"settings": settings}).status_code == 422, settings
    answer = http.patch("/v1/settings", json={"settings": {"rate": 10}, "version": 3})
    assert (answer.status_code, answer.json()["code"]) == (409, "store.conflict")
    assert service.client().get_settings()["version"] == 0


def test_a_tenant_may_be_stricter_than_the_operator_and_never_looser(
    start: Callable[..., Running], tiny_picture: bytes, clock: SetClock
) -> None:
    service = start(token_minutes=30, link_seconds=60, rate=100)
    api = service.client()
    loose = api.change_settings(settings={"token_minutes": 1440, "link_seconds": 3600, "rate": 5000})["effective"]
    assert (loose["token_minutes"], loose["link_seconds"], loose["rate"]) == (30, 60, 100)
    api.change_settings(settings={"token_minutes": 2, "link_seconds": 3})
    made, person = service.consented()
    assert made["client_token_seconds"] == 120
    media = person.upload_media(made["id"], tiny_picture, role="selfie", content_type="image/jpeg")
    link = api.media_link(made["id"], media["id"])
    assert link["seconds"] == 3
    path = httpx.URL(link["url"]).path
    assert service.http().get(path).status_code == 200
    clock.move(seconds=3)
    assert service.http().get(path).status_code == 403


def test_the_rate_is_the_tenants_and_told_with_every_answer(service: Running) -> None:
    from samebody.service.setup import prepare

    service.client().change_settings(settings={"rate": 3})
    http = service.http(service.key("auditor"))
    answers = [
        http.get(path) for path in ("/v1/settings", "/v1/sessions/nothing", "/v1/sessions?cursor=x", "/v1/settings")
    ]
    assert [each.status_code for each in answers] == [200, 404, 422, 429]
    assert [each.headers["ratelimit"].split(";")[1] for each in answers] == ["r=2", "r=1", "r=0", "r=0"]
    assert {each.headers["ratelimit-policy"] for each in answers} == {'"key";q=3;w=60'}
    prepare(service.store, "other")
    other = service.http(service.key("auditor", tenant="other")).get("/v1/settings")
    assert other.headers["ratelimit-policy"] == '"key";q=600;w=60'


def test_sessions_made_after_a_change_keep_to_it(service: Running) -> None:
    api = service.client()
    api.change_settings(settings={"session_minutes": 1, "longest_media_days": 1})
    made = api.create_session()
    assert made["expires"] == made["created"].replace("12:00:00", "12:01:00")


@pytest.mark.parametrize("role", ["integrator", "auditor"])
def test_others_read_and_do_not_change(service: Running, role: str) -> None:
    http = service.http(service.key(role))
    assert http.get("/v1/settings").status_code == 200
    assert http.patch("/v1/settings", json={"settings": {"rate": 1}}).status_code == 403
