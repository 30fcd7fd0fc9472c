"""The pages of cases: found by search, given away, read side by side, judged by two who do not see each other first."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from samebody.decide import decide, load_policy
from samebody.jobs import Queue
from samebody.models import catalogue
from samebody.operate.watch import watch_daily
from samebody.service.console.casefile import FieldRow
from samebody.store.verdicts import Conclusion
from samebody.types import Finding, Outcome
from tests.service.conftest import Running
from tests.service.test_console import in_review, token, visitor
from tests.store.conftest import SetClock

FIELDS = {
    "sex": {"agreement": "not_found", "mrz": "F", "visual_zone": ""},
    "surname": {"agreement": "agree", "mrz": "ERIKSSON", "visual_zone": "ERIKSSON"},
    "document_number": {"agreement": "disagree", "mrz": "L898902C3", "visual_zone": "L898902D3"},
}


def with_document(service: Running, **metadata: Any) -> str:
    """A session in review whose document was read; its id."""
    store = service.store
    with store.write() as tx:
        session = store.sessions.create(tx, "local", "no-liveness", actor="t", metadata=metadata)
        store.consents.give(tx, "local", session.id, "2026-1", "en", actor="t")
        store.sessions.submit(tx, "local", session.id, actor="t")
    claim = Queue(store).claim("w")
    assert claim is not None
    record = catalogue()["face/sface"]
    findings = [
        Finding("document.consistency", Outcome.FAIL, 0.8, details={"fields": FIELDS}),
        Finding("face.match", Outcome.PASS, 0.6, record.operating_point(1e-3), model_ids=(record.label,)),
    ]
    verdict = decide(
        load_policy("no-liveness"), findings, case_id=session.case_id, timings={"document.read": 600.0, "total": 700.0}
    )
    found = replace(Conclusion.of(verdict), decision="review", policy_id="no-liveness", policy_version=1)
    Queue(store).conclude(claim, found)
    return session.id


def test_a_case_is_found_by_the_end_of_its_id_and_by_its_reference(service: Running, tiny_picture: bytes) -> None:
    first, second = in_review(service, tiny_picture), in_review(service, tiny_picture)
    http = visitor(service, "reviewer")
    for wanted in (first["id"], first["id"][-10:], first["case"], first["case"][-8:]):
        text = http.get("/console/", params={"search": wanted}).text
        assert first["id"][-10:] in text and second["id"][-10:] not in text
    both = http.get("/console/", params={"search": "<b>order</b>", "state": "accepted"}).text
    assert first["id"][-10:] in both and second["id"][-10:] in both
    assert "No such cases" in http.get("/console/", params={"search": first["id"][-5:]}).text  # too short to be one


def test_filters_hold_on_the_next_page_too(
    service: Running, tiny_picture: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("samebody.service.console.cases.PAGE", 1)
    made = [in_review(service, tiny_picture)["id"] for _ in range(2)]
    http = visitor(service, "reviewer")
    first = http.get("/console/", params={"policy": "no-liveness", "whose": "nobody"})
    assert made[0][-10:] in first.text and made[1][-10:] not in first.text
    assert f"policy=no-liveness&amp;whose=nobody&amp;before={made[0]}" in first.text
    second = http.get("/console/", params={"policy": "no-liveness", "whose": "nobody", "before": made[0]})
    assert made[1][-10:] in second.text and "Next page" not in second.text
    assert "No such cases" in http.get("/console/", params={"policy": "default"}).text


def test_an_admin_gives_a_case_to_a_reviewer(service: Running, tiny_picture: bytes) -> None:
    session = in_review(service, tiny_picture)
    made = service.client().create_key(name="Ada of the night shift", role="reviewer")
    path = f"/console/cases/{session['id']}/assign"
    admin, other = visitor(service), visitor(service, "reviewer")
    form = token(admin.get(f"/console/cases/{session['id']}"))
    shown = admin.post(path, data={"token": form, "to": f"key:{made['id']}"})
    assert "Ada of the night shift" in shown.text
    assert "Ada of the night shift" in admin.get("/console/").text
    assert admin.post(path, data={"token": form, "to": "key:nobody"}).status_code == 404
    assert other.post(path, data={"token": token(other.get("/console/")), "to": f"key:{made['id']}"}).status_code == 403


def test_the_document_is_read_side_by_side_with_what_was_declared(service: Running) -> None:
    session = with_document(service, surname="Eriksson <i>", customer="42")
    http = visitor(service, "reviewer")
    text = http.get(f"/console/cases/{session}").text
    assert text.index("surname") < text.index("document number") < text.index(">sex<")
    for shown in ("ERIKSSON", "L898902C3", "L898902D3", "Eriksson &lt;i&gt;", "disagree", "not found on the page"):
        assert shown in text
    assert "600 ms" in text  # the trace
    from samebody.service.console import casefile

    with service.store.read() as tx:
        assert casefile._fields(None, {}) == []
        view = service.store.verdicts.of_case(tx, "local", service.store.sessions.get(tx, "local", session).case_id)[-1]
    rows = casefile._fields(view, {"document_number": 5})
    assert rows[1] == FieldRow("document_number", "L898902C3", "L898902D3", "5", "fail", "disagree")


def test_two_people_judge_by_themselves(service: Running, tiny_picture: bytes) -> None:
    api = service.client()
    text = api.get_policy("no-liveness")["text"]
    api.put_policy("no-liveness", text=text, second_person=True)
    session = in_review(service, tiny_picture)
    path = f"/console/cases/{session['id']}"
    first, second = visitor(service, "reviewer"), visitor(service, "reviewer")
    data = {"decision": "accept", "code": "review.person_matches", "note": "the ear is the same"}
    after = first.post(f"{path}/decide", data={"token": token(first.get(path)), **data})
    assert "You have given your opinion" in after.text and "the ear is the same" in after.text
    blind = second.get(path).text
    assert "two people who agree" in blind and "1 opinion is kept from you" in blind and "the ear" not in blind
    heard = service.client(service.key("reviewer")).get_review(session["id"])
    assert heard["opinions"] == [] and heard["hidden"] == 1
    settled = second.post(f"{path}/decide", data={"token": token(second.get(path)), **data})
    assert settled.text.count("the ear is the same") == 2 and "accepted" in settled.text
    assert api.get_session(session["id"])["state"] == "accepted"
    assert len(api.get_review(session["id"])["opinions"]) == 2 and api.get_review(session["id"])["hidden"] == 0


def test_settings_are_set_refused_and_given_back(service: Running) -> None:
    http, path = visitor(service), "/console/settings"
    page = http.get(path)
    assert "Submissions" in page.text and "private webhooks" in page.text and "guard rails" in page.text
    data = {"token": token(page), "version": "0", "submissions": "2", "longest_media_days": "0.5"}
    saved = http.post(path, data=data)
    assert saved.status_code == 200 and 'max="10" value="2"' in saved.text and 'value="0.5"' in saved.text
    stale = http.post(path, data=data)
    assert stale.status_code == 422  # somebody saved meanwhile
    for wrong in ("0", "many", "1e99"):
        answer = http.post(path, data={**data, "version": "1", "submissions": wrong})
        assert answer.status_code == 422 and f'value="{wrong}"' in answer.text
    given_back = http.post(path, data={"token": data["token"], "version": "1"})
    assert given_back.status_code == 200 and 'max="10" value=""' in given_back.text
    other = visitor(service, "auditor")
    assert other.get(path).status_code == 200
    assert other.post(path, data={"token": token(other.get(path)), "version": "2"}).status_code == 403
    assert visitor(service, "reviewer").get(path).status_code == 403


def test_a_text_to_consent_to_is_added_and_never_changed(service: Running) -> None:
    http = visitor(service)
    data = {"token": token(http.get("/console/settings")), "version": "2026-2", "language": "en", "text": "I <b>agree"}
    shown = http.post("/console/settings/texts", data=data)
    assert shown.status_code == 200 and "I &lt;b&gt;agree" in shown.text
    assert http.post("/console/settings/texts", data={**data, "text": "other"}).status_code == 422
    assert http.post("/console/settings/texts", data={**data, "version": "a b"}).status_code == 422


def test_deliveries_are_filtered_and_sent_again(service: Running, tiny_picture: bytes) -> None:
    from samebody.jobs import Deliveries
    from samebody.jobs.outbox import Receipt

    endpoint = service.client().create_endpoint(url="https://example.org/hook")
    in_review(service, tiny_picture)
    deliveries = Deliveries(service.store, lambda delivery: Receipt(True, 200))
    deliveries.fan_out()
    while deliveries.deliver_due():
        pass
    http = visitor(service)
    page = http.get("/console/webhooks", params={"state": "delivered", "endpoint": endpoint["id"]})
    assert "Send again" in page.text
    assert "No deliveries" in http.get("/console/webhooks?state=given_up").text
    found = service.client().list_deliveries(endpoint["id"])["items"][0]["id"]
    http.post("/console/webhooks/resend", data={"token": token(page), "delivery": found})
    (again,) = [each for each in service.client().list_deliveries(endpoint["id"])["items"] if each["id"] == found]
    assert again["state"] == "waiting"


def test_figures_show_alarms_and_cost(
    start: Callable[..., Running], tiny_picture: bytes, tmp_path: Path, clock: SetClock
) -> None:
    prices = tmp_path / "prices.yaml"
    prices.write_text("currency: EUR\nstart: 0.05\n")
    service = start(prices=prices)
    http = visitor(service, "auditor")
    assert "Nobody has looked yet" in http.get("/console/figures").text
    in_review(service, tiny_picture)
    clock.move(minutes=5)
    watch_daily(service.store)
    quiet = http.get("/console/figures").text
    assert "No alarm" in quiet and quiet.count("<svg") > 4
    assert "50.00 EUR</strong> (95 % interval 50.00 to 50.00; 1 cases)" in quiet
    with service.store.write() as tx:
        service.store.audit.append(
            tx, "local", "system", "drift.alarmed", "check", "selfie.liveness",
            kind="score", psi=0.31, p=2e-6, window_cases=104, reference_cases=2011, until="now",
        )  # fmt: skip
    loud = http.get("/console/figures").text
    assert "selfie.liveness" in loud and "104 against 2011" in loud and "No alarm" not in loud
    assert "No prices are stated" in visitor(start(), "auditor").get("/console/figures").text
