"""What a reviewer asks and a worker answers: maps of scores and look-alikes; sealed, within a time, by role."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pytest

from samebody.config import load_settings
from samebody.jobs import Queue, Worker
from samebody.jobs.queue import Claim
from samebody.models import catalogue, weights_path
from samebody.service import insight
from samebody.service.insight import Insight
from samebody.service.verifiers import Verifiers
from samebody.store.verdicts import Conclusion
from tests.service.conftest import Pictures, Running
from tests.service.test_console import in_review, token, visitor
from tests.store.conftest import SetClock

PERSON, SAME, OTHER = "person-a-1", "person-a-2", "person-b-1"


def photograph(name: str) -> bytes:
    return Path(weights_path(catalogue()[f"example/{name}"])).read_bytes()


def reviewed(service: Running, selfie: bytes, document: bytes) -> dict[str, str]:
    """A case in review with real pictures."""
    return in_review(service, selfie, document=document)


def answering(service: Running) -> Insight:
    return Insight(service.store, load_settings(), Verifiers(service.store, load_settings()).of_tenant)


@pytest.mark.weights
def test_a_comparison_is_explained_when_asked_and_shown_when_asked_again(
    service: Running, pictures: Pictures, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(insight, "MASKS", 24)
    monkeypatch.setattr(insight, "SECONDS", 300.0)
    session = reviewed(service, pictures.selfie.read_bytes(), pictures.document.read_bytes())
    http, path = visitor(service, "reviewer"), f"/console/cases/{session['id']}"
    form = token(http.get(path))
    asked = http.post(f"{path}/ask", data={"token": form, "what": "match"})
    assert "A worker is at it" in asked.text and 'http-equiv="refresh"' in asked.text
    http.post(f"{path}/ask", data={"token": form, "what": "match"})  # asked twice is answered once
    worker = answering(service)
    assert worker.run_once("w") is True and worker.run_once("w") is None
    page = http.get(path)
    assert "The similarity is" in page.text and "licence of its weights" in page.text and "<img" not in page.text
    shown = re.findall(r'name="media_id" value="([^"]+)"><input type="hidden" name="anchor" value="match"', page.text)
    assert len(shown) == 2
    seen = http.post(f"{path}/show", data={"token": form, "media_id": shown[0], "anchor": "match"})
    source = re.search(r'<img src="([^"]+)"', seen.text)
    assert source is not None and http.get(source[1]).content.startswith(b"\x89PNG")
    auditor = visitor(service, "auditor").get(path).text
    assert "The similarity is" not in auditor and "Explain" not in auditor
    with service.store.read() as tx:
        words = insight.answers(service.store, tx, "local", session["case"])["match.words"]
        assert [each.role for each in service.store.vault.of_case(tx, "local", session["case"])] == [
            "selfie", "document_front"
        ]  # fmt: skip
    told = json.loads(service.store.vault.read("local", words))
    again = (
        Verifiers(service.store, load_settings())
        .of_tenant("local")
        .verify(selfie=pictures.selfie, document=pictures.document, policy="no-liveness")
    )
    (match,) = [each for each in again.verdict.findings if each.check == "face.match"]
    assert told["score"] == pytest.approx(match.score, abs=1e-4)  # it is the very comparison that decided
    actions = [each["action"] for each in service.client().list_audit_events(object=session["id"], limit=99)["items"]]
    assert actions.count("case.asked") == 1 and "media.shown" in actions


@pytest.mark.weights
def test_liveness_is_explained_in_the_odds_of_the_detector(
    service: Running, tiny_picture: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    from samebody.attacks.pad import PassivePad
    from samebody.capture import decode_image
    from samebody.pipeline.explained import log_odds

    monkeypatch.setattr(insight, "MASKS", 16)
    monkeypatch.setattr(insight, "SECONDS", 300.0)
    session = reviewed(service, photograph(PERSON), tiny_picture)
    with service.store.write() as tx:
        insight.ask(service.store, tx, "local", session["id"], "liveness", actor="t")
    worker = answering(service)
    assert worker.run_once("w") is True
    with service.store.read() as tx:
        kept = insight.answers(service.store, tx, "local", session["case"])
    told = json.loads(service.store.vault.read("local", kept["liveness.words"]))
    assert "log odds of bona fide" in told["panels"][0]["sentences"][0] and told["model"].startswith("attacks/")
    assert service.store.vault.read("local", kept["liveness.selfie"]).startswith(b"\x89PNG")
    image = decode_image(photograph(PERSON))
    face = Verifiers(service.store, load_settings()).of_tenant("local").faces.aligned(image).chosen
    assert face is not None
    decided = log_odds(np.array([PassivePad().score(image, face.box).likelihood]))[0]
    assert told["score"] == pytest.approx(decided, abs=0.5)  # the same place, cut out once more


@pytest.mark.weights
def test_look_alikes_are_found_among_past_cases_and_templates_go_with_them(
    service: Running, tiny_picture: bytes, clock: SetClock
) -> None:
    past = [reviewed(service, photograph(name), tiny_picture) for name in (PERSON, OTHER)]
    faceless = in_review(service, tiny_picture)
    session = reviewed(service, photograph(SAME), tiny_picture)
    http, path = visitor(service, "reviewer"), f"/console/cases/{session['id']}"
    assert "Enrolled people" not in http.get(path).text
    http.post(f"{path}/ask", data={"token": token(http.get(path)), "what": "similar"})
    assert answering(service).run_once("w") is True
    page = http.get(path).text
    similar = page[page.index('id="similar"') : page.index('id="opinions"')]
    assert past[0]["id"][-10:] in similar and past[1]["id"][-10:] not in similar
    assert faceless["id"][-10:] not in similar and "2 newest cases" in similar and "1 were left out" in similar
    assert "Similar past cases" not in visitor(service, "auditor").get(path).text
    (event,) = [
        each for each in service.client().list_audit_events(object=session["id"], limit=99)["items"]
        if each["action"] == "cases.compared"
    ]  # fmt: skip
    assert (event["details"]["compared"], event["details"]["found"]) == (2, 1)
    clock.move(days=31)
    service.store.janitor.sweep()
    with service.store.read() as tx:
        for each in (*past, session):
            assert insight.answers(service.store, tx, "local", each["case"]) == {}


@pytest.mark.weights
def test_whoever_enrols_people_is_told_who_of_a_gallery_looks_the_same(service: Running, tiny_picture: bytes) -> None:
    from tests.service.test_people import accepted

    api = service.client()
    api.create_gallery(id="customers")
    enrolled = api.enrol("customers", session_id=accepted(service, PERSON), external_id="anna")["subject"]["id"]
    session = reviewed(service, photograph(SAME), tiny_picture)
    path = f"/console/cases/{session['id']}"
    admin = visitor(service)
    page = admin.post(f"{path}/ask", data={"token": token(admin.get(path)), "what": "similar"})
    assert "Enrolled people" in page.text and enrolled in page.text and "customers" in page.text
    assert enrolled not in visitor(service, "reviewer").get(path).text


def test_who_may_ask_and_what(service: Running, tiny_picture: bytes) -> None:
    session = in_review(service, tiny_picture)
    path = f"/console/cases/{session['id']}"
    for role, what, status in (("auditor", "match", 403), ("reviewer", "everything", 422)):
        http = visitor(service, role)
        form = token(http.get(path))
        assert http.post(f"{path}/ask", data={"token": form, "what": what}).status_code == status


def test_an_answer_that_takes_too_long_is_given_up_and_told(
    service: Running, tiny_picture: bytes, clock: SetClock
) -> None:
    with pytest.raises(insight.TooLongError, match="3 of 24"):
        insight._hurry(0.0)(3, 24)
    session = in_review(service, tiny_picture)
    http, path = visitor(service, "reviewer"), f"/console/cases/{session['id']}"
    http.post(f"{path}/ask", data={"token": token(http.get(path)), "what": "match"})

    def late(tenant: str) -> object:
        raise insight.TooLongError("too late.")

    worker = Insight(service.store, load_settings(), late)  # type: ignore[arg-type]
    assert worker.run_once("w") is False and worker.run_once("w") is None  # tried again, but later
    clock.move(hours=1)
    assert worker.run_once("w") is False
    page = http.get(path).text
    assert "The last try failed: insight.too_long" in page and "http-equiv" not in page


def test_a_worker_answers_while_no_session_waits(service: Running, tiny_picture: bytes) -> None:
    order: list[str] = []

    def verified(claim: Claim) -> Conclusion:
        order.append("session")
        return Conclusion("accept", "no-liveness", 1)

    def answered() -> bool | None:
        order.append("answer")
        if order.count("answer") == 2:
            worker.stop()
            return None
        return True

    service.submitted(tiny_picture)
    worker = Worker(Queue(service.store), verified, poll=0.01, idle=answered)
    assert worker.run() == 1
    assert order == ["session", "answer", "answer"]
