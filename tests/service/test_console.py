"""The console: logins, forms against forgery, the queue, a case settled, policies tried before they go live."""

from __future__ import annotations

import re
from html import unescape
from urllib.parse import quote

import httpx
import pytest
from fastapi.testclient import TestClient

from samebody.decide import load_policy
from samebody.jobs import Queue
from samebody.models import catalogue
from samebody.pipeline.replay import replay
from samebody.store.verdicts import Conclusion
from samebody.types import Finding, Outcome
from tests.service.conftest import Running
from tests.store.conftest import SetClock


def visitor(service: Running, role: str = "admin") -> TestClient:
    http = service.http()
    answer = http.post("/console/login", data={"key": service.key(role)}, follow_redirects=False)
    assert answer.status_code == 303
    return http


def token(page: httpx.Response) -> str:
    found = re.search(r'name="token" value="([^"]+)"', page.text)
    assert found is not None
    return unescape(found[1])


def verdict_body(session_case: str, score: float = 0.47) -> Conclusion:
    from samebody.decide import decide

    record = catalogue()["face/sface"]
    findings = [
        Finding("selfie.face", Outcome.PASS, model_ids=("face/yunet@1",)),
        Finding("face.match", Outcome.PASS, score, record.operating_point(1e-3), model_ids=(record.label,)),
    ]
    return Conclusion.of(decide(load_policy("no-liveness"), findings, case_id=session_case))


def in_review(
    service: Running, selfie: bytes, decision: str = "review", score: float = 0.47, document: bytes | None = None
) -> dict[str, str]:
    """A case that waits for a reviewer; ids of session and case, and of the selfie as ``media``."""
    made = service.submitted(selfie, document, reference="<b>order</b>")
    media = next(each for each in service.client().list_media(made["id"])["items"] if each["role"] == "selfie")
    queue = Queue(service.store)
    claim = queue.claim("w")
    assert claim is not None
    found = verdict_body(claim.case_id, score)
    queue.conclude(claim, Conclusion(decision, "no-liveness", 1, findings=found.findings, body=found.body))
    return {"id": made["id"], "media": media["id"], "case": made["case_id"]}


def test_pages_need_a_login(service: Running) -> None:
    http = service.http()
    for path in ("/console/", "/console/policies", "/console/cases/x", "/console/figures"):
        answer = http.get(path, follow_redirects=False)
        assert (answer.status_code, answer.headers["location"]) == (303, "/console/login")
    assert http.post("/console/login", data={"key": "sb.local.x.y"}).status_code == 403
    assert (
        http.post("/console/login", data={"key": service.key("integrator", scopes=["webhooks:read"])}).status_code
        == 403
    )


def test_cookies_are_kept_from_scripts_and_other_sites_and_end(service: Running, clock: SetClock) -> None:
    http = service.http()
    key = service.key("reviewer")
    answer = http.post("/console/login", data={"key": key}, follow_redirects=False)
    cookie = answer.headers["set-cookie"].lower()
    assert "httponly" in cookie and "samesite=strict" in cookie and "path=/console" in cookie
    assert key.rpartition(".")[2] not in cookie
    page = http.get("/console/")
    assert page.status_code == 200
    assert "default-src 'none'" in page.headers["content-security-policy"]
    assert "script" not in page.text
    clock.move(hours=8)
    assert http.get("/console/", follow_redirects=False).status_code == 303


def test_a_revoked_key_ends_its_login(service: Running) -> None:
    made = service.client().create_key(name="r", role="reviewer")
    http = service.http()
    http.post("/console/login", data={"key": made["secret"]})
    assert http.get("/console/").status_code == 200
    service.client().revoke_key(made["id"])
    assert http.get("/console/", follow_redirects=False).status_code == 303


def test_a_case_is_taken_looked_at_labelled_and_settled(service: Running, tiny_picture: bytes) -> None:
    session = in_review(service, tiny_picture)
    http = visitor(service, "reviewer")
    queue = http.get("/console/")
    assert session["id"][-10:] in queue.text and "&lt;b&gt;order" in queue.text and "<b>order" not in queue.text
    path = f"/console/cases/{session['id']}"
    page = http.get(path)
    assert "face.match" in page.text and "<img" not in page.text  # no picture until it is asked for
    assert "very same file" not in page.text
    form = token(page)
    http.post(f"{path}/assign", data={"token": form, "take": "true"})
    assert "Give it back" in http.get(path).text and session["id"][-10:] in http.get("/console/?whose=mine").text

    shown = http.post(f"{path}/show", data={"token": form, "media_id": session["media"]})
    source = re.search(r'<img src="([^"]+)"', shown.text)
    assert source is not None and http.get(source[1]).content == tiny_picture

    http.post(f"{path}/label", data={"token": form, "label": "attack=print"})
    settled = http.post(
        f"{path}/decide",
        data={"token": form, "decision": "reject", "code": "review.document_forged", "note": "the <i>font</i>"},
    )
    assert "rejected" in settled.text and "the &lt;i&gt;font" in settled.text and "attack = print" in settled.text
    api = service.client()
    assert api.get_session(session["id"])["state"] == "rejected"
    actions = [each["action"] for each in api.list_audit_events(object=session["id"], limit=100)["items"]]
    assert {"review.assigned", "media.shown", "session.review_reject"} <= set(actions)


def test_a_repeated_file_is_told(service: Running, tiny_picture: bytes) -> None:
    first = in_review(service, tiny_picture)
    second = in_review(service, tiny_picture)
    text = visitor(service, "reviewer").get(f"/console/cases/{second['id']}").text
    assert "The very same file is in case" in text and first["case"] in text


def test_forged_forms_are_refused(service: Running, tiny_picture: bytes) -> None:
    session = in_review(service, tiny_picture)
    http = visitor(service, "reviewer")
    data = {"decision": "accept", "code": "review.other"}
    other = token(visitor(service, "reviewer").get(f"/console/cases/{session['id']}"))
    for forged in ({}, {"token": "x"}, {"token": other}):
        answer = http.post(f"/console/cases/{session['id']}/decide", data={**data, **forged})
        assert (answer.status_code, answer.json()["code"]) == (403, "console.forged_form")
    assert service.client().get_session(session["id"])["state"] == "review"


def test_an_auditor_sees_no_picture_and_decides_nothing(service: Running, tiny_picture: bytes) -> None:
    session = in_review(service, tiny_picture)
    http = visitor(service, "auditor")
    page = http.get(f"/console/cases/{session['id']}")
    assert page.status_code == 200 and "Show selfie" not in page.text and "Accept" not in page.text
    form = token(page)
    path = f"/console/cases/{session['id']}"
    assert http.post(f"{path}/show", data={"token": form, "media_id": session["media"]}).status_code == 403
    assert http.post(f"{path}/decide", data={"token": form, "decision": "accept", "code": "x"}).status_code == 403


def test_a_case_of_another_tenant_is_not_there(service: Running, tiny_picture: bytes) -> None:
    from samebody.service.setup import prepare

    session = in_review(service, tiny_picture)
    prepare(service.store, "other")
    http = service.http()
    http.post("/console/login", data={"key": service.key("admin", tenant="other")})
    assert http.get(f"/console/cases/{session['id']}").status_code == 404
    assert session["id"][-10:] not in http.get("/console/?state=").text


def test_the_replay_moves_the_match_to_the_new_operating_point(service: Running, tiny_picture: bytes) -> None:
    in_review(service, tiny_picture, decision="accept", score=0.44)
    loose = load_policy("default")
    strict = loose.model_copy(update={"face_match": loose.face_match.model_copy(update={"fmr": 1e-4})})
    easy = loose.model_copy(update={"face_match": loose.face_match.model_copy(update={"fmr": 1e-3})})
    record = catalogue()["face/sface"]
    with service.store.read() as tx:
        after = [replay(service.store, tx, "local", each, record, 5).cases[0].after for each in (strict, easy)]
    assert after[0] == "reject" and after[1] != "reject"


def test_the_other_pages(service: Running, tiny_picture: bytes) -> None:
    in_review(service, tiny_picture)
    service.client().create_endpoint(url="https://example.org/hook")
    http = visitor(service)
    assert "<svg" in http.get("/console/figures").text and "face.match" in http.get("/console/figures").text
    assert "https://example.org/hook" in http.get("/console/webhooks").text
    assert "face/sface" in http.get("/console/models").text
    assert http.get("/console/style.css").headers["content-type"].startswith("text/css")
    form = token(http.get("/console/"))
    http.post("/console/logout", data={"token": form})
    assert http.get("/console/", follow_redirects=False).status_code == 303


@pytest.mark.parametrize("text", ["' OR 1=1 --", "{{ 7*7 }}", "<script>alert(1)</script>", "%00", "../../etc/passwd"])
def test_injections_find_nothing(service: Running, tiny_picture: bytes, text: str) -> None:
    session = in_review(service, tiny_picture)
    http = visitor(service)
    page = http.get("/console/", params={"search": text, "state": text[:20], "policy": text, "before": text})
    assert page.status_code == 200 and session["id"][-10:] not in page.text
    assert "<script>alert" not in page.text and ">49<" not in page.text
    assert http.get(f"/console/cases/{quote(text, safe='')}").status_code in (404, 405, 422)
