"""What every request gets: ids, problems, idempotency, cursors, limits; nothing that was sent is repeated."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from samebody.service.errors import RateLimitedError
from samebody.service.limits import RateLimiter
from tests.service.conftest import Running
from tests.store.conftest import SetClock


def test_a_repeated_post_gets_the_first_answer(service: Running) -> None:
    http = service.http(service.admin_key)
    headers = {"Idempotency-Key": "order-7"}
    first = http.post("/v1/sessions", json={"reference": "7"}, headers=headers)
    second = http.post("/v1/sessions", json={"reference": "7"}, headers=headers)
    assert first.status_code == second.status_code == 201
    assert first.json() == second.json()
    assert "idempotent-replayed" not in first.headers and second.headers["idempotent-replayed"] == "true"
    assert len(http.get("/v1/sessions").json()["items"]) == 1
    other = http.post("/v1/sessions", json={"reference": "8"}, headers=headers)
    assert (other.status_code, other.json()["code"]) == (409, "idempotency.conflict")


def test_keys_of_others_do_not_collide(service: Running) -> None:
    headers = {"Idempotency-Key": "same"}
    made = [
        service.http(service.key("integrator")).post("/v1/sessions", json={}, headers=headers).json()["id"]
        for _ in range(2)
    ]
    assert made[0] != made[1]


def test_a_failed_upload_frees_its_key(service: Running, tiny_picture: bytes) -> None:
    made = service.client().create_session()
    http = service.http(made["client_token"])
    send = {"content": tiny_picture, "headers": {"Idempotency-Key": "k", "Content-Type": "image/jpeg"}}
    path = f"/v1/sessions/{made['id']}/media?role=selfie"
    assert http.post(path, **send).json()["code"] == "session.illegal_transition"  # no consent yet
    service.client(made["client_token"]).give_consent(made["id"], version="2026-1", language="en")
    first, second = http.post(path, **send), http.post(path, **send)
    assert first.status_code == second.status_code == 201 and first.json() == second.json()
    assert len(http.get(f"/v1/sessions/{made['id']}/media").json()["items"]) == 1


def test_one_of_many_at_once_is_done(service: Running) -> None:
    http = service.http(service.admin_key)

    def post(_: int) -> httpx.Response:
        return http.post("/v1/sessions", json={}, headers={"Idempotency-Key": "race"})

    with ThreadPoolExecutor(6) as pool:
        answers = list(pool.map(post, range(12)))
    assert {answer.status_code for answer in answers} <= {201, 409}
    assert len({answer.json()["id"] for answer in answers if answer.status_code == 201}) == 1
    assert len(http.get("/v1/sessions").json()["items"]) == 1


def test_problems_name_code_and_request_and_repeat_nothing(service: Running) -> None:
    http = service.http(service.admin_key)
    secret = "a-very-private-text"
    for answer in (
        http.post("/v1/sessions", json={"policy": f"{secret} "}),
        http.post("/v1/sessions", json={"unknown": secret}),
        http.post("/v1/sessions", content=f'{{"reference": "{secret}'.encode()),
        http.get(f"/v1/sessions/{secret}"),
        http.get(f"/v1/{secret}"),
        http.get("/v1/sessions", params={"cursor": secret}),
        http.get("/v1/sessions", params={"state": secret}),
        http.put("/v1/sessions"),
        http.get(f"/v1/media/{secret}"),
        service.http(secret).get("/v1/sessions"),
    ):
        assert 400 <= answer.status_code < 500
        assert answer.headers["content-type"] == "application/problem+json"
        body = answer.json()
        assert body["status"] == answer.status_code and body["code"] and body["title"]
        assert body["request_id"] == answer.headers["x-request-id"]
        assert secret not in answer.text


def test_an_unexpected_error_tells_nothing(
    service: Running, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(*_: object) -> None:
        raise RuntimeError("pixels: 255 255 255")

    made = service.client().create_session()
    monkeypatch.setattr(type(service.app.state.service.queue), "waiting", broken)
    answer = service.http(made["client_token"]).post(f"/v1/sessions/{made['id']}/submit")
    assert (answer.status_code, answer.json()["code"]) == (500, "internal")
    assert "pixels" not in answer.text and "pixels" not in caplog.text


def test_pages_hold_everything_once(service: Running) -> None:
    api = service.client()
    made = [api.create_session(reference=f"r{n % 2}")["id"] for n in range(7)]
    seen, cursor = [], None
    while True:
        found = api.list_sessions(limit=3, cursor=cursor)
        seen += [each["id"] for each in found["items"]]
        if (cursor := found["next"]) is None:
            break
    assert seen == made[::-1]
    assert [each["id"] for each in api.list_sessions(reference="r1")["items"]] == made[1::2][::-1]


def test_a_cursor_of_another_list_or_tenant_is_refused(service: Running) -> None:
    from samebody.service.setup import prepare

    api = service.client()
    for _ in range(3):
        api.create_session()
    cursor = api.list_sessions(limit=2)["next"]
    http = service.http(service.admin_key)
    assert http.get("/v1/sessions", params={"cursor": cursor, "reference": "x"}).json()["code"] == "request.cursor"
    assert http.get("/v1/audit-events", params={"cursor": cursor}).json()["code"] == "request.cursor"
    prepare(service.store, "other")
    foreign = service.http(service.key("admin", tenant="other"))
    assert foreign.get("/v1/sessions", params={"cursor": cursor}).json()["code"] == "request.cursor"


def test_rates_are_told_and_kept(start: Callable[..., Running]) -> None:
    http = (service := start(rate=3)).http(service.admin_key)
    left = [http.get("/v1/sessions").headers["ratelimit"] for _ in range(3)]
    assert [text.partition("r=")[2].partition(";")[0] for text in left] == ["2", "1", "0"]
    answer = http.get("/v1/sessions")
    assert (answer.status_code, answer.json()["code"]) == (429, "rate.limited")
    assert 1 <= int(answer.headers["retry-after"]) <= 20
    assert service.http(service.key("auditor")).get("/v1/sessions").status_code == 200


@given(st.lists(st.floats(0, 30), max_size=40), st.integers(1, 30))
def test_a_bucket_never_gives_more_than_its_rate(gaps: list[float], rate: int) -> None:
    limiter, now, given_at = RateLimiter(rate), 0.0, []
    for gap in gaps:
        now += gap
        try:
            limiter.take("k", now=now)
            given_at.append(now)
        except RateLimitedError as error:
            assert error.wait > 0
    for index, begin in enumerate(given_at):
        for end_index in range(index, len(given_at)):
            allowed = rate + (given_at[end_index] - begin) * rate / 60
            assert end_index - index + 1 <= allowed + 1e-6


def test_large_bodies_are_refused_before_they_are_read(start: Callable[..., Running]) -> None:
    service = start(max_body=2000)
    http = service.http(service.admin_key)
    assert http.post("/v1/sessions", content=b"x" * 2001).status_code == 413

    def parts() -> object:
        for _ in range(8):
            yield b"x" * 500

    answer = http.post("/v1/sessions", content=parts())  # no length is declared
    assert (answer.status_code, answer.json()["code"]) == (413, "request.too_large")


def test_a_full_service_says_so_and_recovers(start: Callable[..., Running]) -> None:
    service = start(max_requests=1)
    gate = threading.Event()
    entered = threading.Event()
    store = service.store
    policies = store.policies

    class Slow:
        def get(self, *given: object) -> object:
            entered.set()
            gate.wait(10)
            return policies.get(*given)  # type: ignore[arg-type]

        def __getattr__(self, name: str) -> object:
            return getattr(policies, name)

    store.policies = Slow()  # type: ignore[assignment]
    with ThreadPoolExecutor(1) as pool:
        slow = pool.submit(service.http(service.admin_key).get, "/v1/policies/no-liveness")
        assert entered.wait(10)
        busy = service.http(service.admin_key).get("/v1/sessions")
        assert (busy.status_code, busy.json()["code"]) == (503, "service.busy")
        assert int(busy.headers["retry-after"]) >= 1
        assert service.http().get("/v1/healthz").status_code == 200
        gate.set()
        assert slow.result().status_code == 200
    assert service.http(service.admin_key).get("/v1/sessions").status_code == 200


def test_a_full_queue_refuses_new_sessions_and_submissions_and_loses_nothing(
    start: Callable[..., Running], tiny_picture: bytes
) -> None:
    service = start(max_waiting=1)
    api = service.client()

    one, two = (service.filled(tiny_picture)[0]["id"] for _ in range(2))
    http = service.http(service.admin_key)
    assert http.post(f"/v1/sessions/{one}/submit").status_code == 202
    refused = http.post(f"/v1/sessions/{two}/submit")
    assert (refused.status_code, refused.json()["code"]) == (503, "service.busy")
    assert api.get_session(two)["state"] == "collecting"
    at_the_door = http.post("/v1/sessions", json={"policy": "no-liveness"})
    assert (at_the_door.status_code, at_the_door.json()["code"]) == (503, "service.busy")
    assert int(at_the_door.headers["retry-after"]) >= 1
    assert len(api.list_sessions()["items"]) == 2


def test_an_incomplete_session_is_not_submitted(service: Running, tiny_picture: bytes) -> None:
    made, person = service.consented(policy="no-liveness")
    person.upload_media(made["id"], tiny_picture, role="selfie", content_type="image/jpeg")
    answer = service.http(made["client_token"]).post(f"/v1/sessions/{made['id']}/submit")
    assert (answer.status_code, answer.json()["code"]) == (409, "session.incomplete")
    assert "document_front" in answer.json()["detail"]


@pytest.mark.parametrize("data", [b"", b"not a picture", b"\xff\xd8\xff\xe0" + bytes(500), b"GIF89a" + bytes(50)])
def test_what_is_no_picture_is_refused(service: Running, data: bytes) -> None:
    made, person = service.consented()
    answer = service.http(made["client_token"]).post(
        f"/v1/sessions/{made['id']}/media?role=selfie", content=data, headers={"Content-Type": "image/jpeg"}
    )
    assert answer.status_code == 422
    assert person.list_media(made["id"])["items"] == []


def test_links_show_a_sample_for_a_while(service: Running, tiny_picture: bytes, clock: SetClock) -> None:
    made, person = service.consented()
    media = person.upload_media(made["id"], tiny_picture, role="selfie", content_type="image/jpeg")
    link = service.client(service.key("reviewer")).media_link(made["id"], media["id"])
    path = httpx.URL(link["url"]).path
    shown = service.http().get(path)
    assert shown.content == tiny_picture and shown.headers["cache-control"] == "no-store"
    assert shown.headers["content-type"] == "image/jpeg" and "sandbox" in shown.headers["content-security-policy"]
    assert service.http().get(path[:-2] + "xx").status_code == 403
    clock.move(seconds=link["seconds"])
    assert service.http().get(path).json()["code"] == "link.invalid"
    actions = [each["action"] for each in service.client().list_audit_events(object=made["id"])["items"]]
    assert "media.shown" in actions


def test_redaction_takes_the_sample_and_keeps_the_decision(service: Running, tiny_picture: bytes) -> None:
    api = service.client()
    made, person = service.consented(reference="mine")
    person.upload_media(made["id"], tiny_picture, role="selfie", content_type="image/jpeg")
    redacted = api.redact_session(made["id"])
    assert redacted["state"] == "redacted" and redacted["reference"] is None
    assert api.list_media(made["id"])["items"] == []


def test_figures_are_counted_by_operation_without_ids(service: Running) -> None:
    api = service.client()
    made = api.create_session()
    api.get_session(made["id"])
    text = service.http().get("/v1/metrics").text
    assert 'samebody_requests_total{operation="get_session",method="GET",status="200"} 1' in text
    assert 'samebody_sessions{state="created"} 1' in text
    assert made["id"] not in text


def test_readiness_names_what_is_missing(service: Running) -> None:
    answer = service.http().get("/v1/readyz")
    body = answer.json()
    assert answer.status_code == 503 and body["ready"] is False
    assert body["parts"]["workers"] == {"ok": False, "detail": "no worker is alive"}
    assert body["parts"]["store"]["ok"] and body["parts"]["media"]["ok"]


def test_a_picture_in_parts(service: Running, tiny_picture: bytes, clock: SetClock) -> None:
    made = service.client().create_session()
    person = service.client(made["client_token"])
    http = service.http(made["client_token"])
    begun = http.post(f"/v1/sessions/{made['id']}/uploads", json={"role": "selfie", "parts": 3})
    assert begun.json()["code"] == "session.illegal_transition"
    person.give_consent(made["id"], version="2026-1", language="en")
    upload = person.begin_upload(made["id"], role="selfie", content_type="image/jpeg", parts=3)["upload"]
    third = len(tiny_picture) // 3
    parts = [tiny_picture[:third], tiny_picture[third : 2 * third], tiny_picture[2 * third :]]
    person.put_part(upload, 3, parts[2])
    person.put_part(upload, 1, b"a broken line")
    refused = http.post(f"/v1/uploads/{upload}/complete")
    assert (refused.status_code, refused.json()["code"]) == (409, "upload.incomplete") and "2" in refused.json()[
        "detail"
    ]
    person.put_part(upload, 1, parts[0])
    person.put_part(upload, 2, parts[1])
    assert http.put(f"/v1/uploads/{upload}/parts/4", content=b"x").status_code == 422
    other = service.client().create_session()
    assert service.http(other["client_token"]).put(f"/v1/uploads/{upload}/parts/1", content=b"x").status_code == 404
    for _, data in [(name, service.store.blobs.get(name)) for name, _ in service.store.blobs.names("uploads")]:
        assert parts[0][:20] not in data
    kept = person.complete_upload(upload)
    assert service.store.vault.read("local", kept["id"]) == tiny_picture
    assert not list(service.store.blobs.names("uploads"))
    late = person.begin_upload(made["id"], role="selfie", parts=1)["upload"]
    clock.move(hours=1)
    assert http.put(f"/v1/uploads/{late}/parts/1", content=b"x").status_code in (401, 403)


def test_parts_are_bounded_by_their_share_and_their_sum(start: Callable[..., Running]) -> None:
    service = start(max_body=100_000)
    made, person = service.consented()
    http = service.http(made["client_token"])
    upload = person.begin_upload(made["id"], role="selfie", parts=10)["upload"]
    path = f"/v1/uploads/{upload}"
    refused = http.put(f"{path}/parts/1", content=bytes(20_001))
    assert (refused.status_code, refused.json()["code"]) == (413, "request.too_large")
    for number in range(1, 11):
        assert http.put(f"{path}/parts/{number}", content=bytes(20_000)).status_code == 200
    kept = service.store.blobs.get
    read: list[str] = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(type(service.store.blobs), "get", lambda _, name: read.append(name) or kept(name))
        refused = http.post(f"{path}/complete")
    assert (refused.status_code, refused.json()["code"]) == (413, "request.too_large")
    assert len(read) == 6  # of ten: what is too much is not taken into memory


def test_an_attempt_has_so_many_uploads_in_parts(service: Running) -> None:
    made, _ = service.consented()
    http = service.http(made["client_token"])
    asked = [http.post(f"/v1/sessions/{made['id']}/uploads", json={"role": "selfie", "parts": 1}) for _ in range(21)]
    assert [answer.status_code for answer in asked] == [201] * 20 + [409]
    assert asked[-1].json()["code"] == "session.full"


def test_a_consent_that_stands_is_not_written_again(service: Running) -> None:
    made = service.client().create_session()
    person = service.client(made["client_token"])
    given = [person.give_consent(made["id"], version="2026-1", language="en") for _ in range(3)]
    german = person.give_consent(made["id"], version="2026-1", language="de")
    assert len({each["id"] for each in given}) == 1 and german["id"] != given[0]["id"]
    person.withdraw_consent(made["id"], given[0]["id"])
    again = service.http(made["client_token"]).post(
        f"/v1/sessions/{made['id']}/consents", json={"version": "2026-1", "language": "en"}
    )
    assert again.status_code == 409
