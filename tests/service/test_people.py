"""Stateless checks, and people enrolled, found, refused as duplicates, erased; on real photographs."""

from __future__ import annotations

import base64
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from samebody.jobs import Queue
from samebody.models import catalogue, weights_path
from samebody.service.client import ApiError
from samebody.service.galleries import Galleries
from samebody.store.verdicts import Conclusion
from tests.service.conftest import Running

pytestmark = pytest.mark.weights


def photograph(name: str) -> bytes:
    return Path(weights_path(catalogue()[f"example/{name}"])).read_bytes()


def text(name: str) -> str:
    return base64.b64encode(photograph(name)).decode()


def accepted(service: Running, selfie: str, *, consent: bool = True) -> str:
    """A session that was accepted, with a selfie."""
    purposes = ("verification", "enrolment") if consent else ("verification",)
    made = service.submitted(photograph(selfie), purposes=purposes)
    queue = Queue(service.store)
    claim = queue.claim("test")
    assert claim is not None
    queue.conclude(claim, Conclusion("accept", "no-liveness", 1))
    return made["id"]


def test_people_are_enrolled_found_refused_and_erased(service: Running) -> None:
    api = service.client(service.key("integrator"))
    gallery = api.create_gallery(id="customers")
    assert gallery["references"] == 0 and (service.store.blobs is not None)
    assert api.identify("customers", picture=text("person-a-2"))["answer"] == "none"
    first = accepted(service, "person-a-1")
    made = api.enrol("customers", session_id=first, external_id="anna")
    assert made["outcome"] == "enrolled" and made["subject"] is not None
    person = made["subject"]["id"]
    assert api.enrol("customers", session_id=first, external_id="anna")["outcome"] == "known"
    assert api.list_galleries()["items"][0]["references"] == 1

    found = api.identify("customers", picture=text("person-a-2"))
    assert found["answer"] == "match" and found["candidates"][0]["external_id"] == "anna"
    assert api.identify("customers", picture=text("person-b-1"))["answer"] == "none"

    second = api.enrol("customers", session_id=accepted(service, "person-a-2"), external_id="anna again")
    assert second["outcome"] == "duplicate" and second["subject"] is None
    assert second["search"] is not None and second["search"]["candidates"][0]["subject_id"] == person

    assert api.export_subject(person)[:2] == b"PK"
    erased = api.erase_subject(person)
    assert erased["erased"] is not None and erased["external_id"] is None
    assert api.identify("customers", picture=text("person-a-2"))["answer"] == "none"
    with pytest.raises(ApiError) as error:
        api.export_subject(person)
    assert error.value.status == 410


def test_a_name_takes_further_references_of_its_person_and_of_nobody_else(service: Running) -> None:
    api = service.client()
    api.create_gallery(id="customers")
    api.create_gallery(id="other-model", model="face/edge")
    anna = api.enrol("customers", session_id=accepted(service, "person-a-1"), external_id="anna")["subject"]
    again = api.enrol("customers", session_id=accepted(service, "person-a-2"), external_id="anna")
    assert again["outcome"] == "enrolled" and again["subject"] == anna
    for gallery in ("customers", "other-model"):  # where nobody is enrolled yet, too
        stranger = accepted(service, "person-b-1")
        refused = api.enrol(gallery, session_id=stranger, external_id="anna", allow_duplicates=True)
        assert refused["outcome"] == "other_person" and refused["subject"] is None
    assert api.enrol("other-model", session_id=accepted(service, "person-a-2"), external_id="anna")["subject"] == anna
    assert {each["id"]: each["references"] for each in api.list_galleries()["items"]} == {
        "customers": 2, "other-model": 1,
    }  # fmt: skip
    assert api.identify("customers", picture=text("person-b-1"))["answer"] == "none"


def test_of_two_who_come_at_the_same_time_one_is_found_a_duplicate(
    service: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    service.client().create_gallery(id="customers")
    sessions = [accepted(service, name) for name in ("person-a-1", "person-a-2", "person-b-1")]
    search = Galleries.identify

    def slow(self: Galleries, *arguments: Any, **options: Any) -> Any:
        found = search(self, *arguments, **options)
        time.sleep(0.3)  # in which the other one searches too, and finds nobody either
        return found

    monkeypatch.setattr(Galleries, "identify", slow)
    monkeypatch.setattr("samebody.service.galleries.LOCK_SECONDS", 60.0)
    with ThreadPoolExecutor(3) as pool:
        made = list(pool.map(lambda each: patient(service, session_id=each)["outcome"], sessions))
    assert sorted(made[:2]) == ["duplicate", "enrolled"] and made[2] == "enrolled"


def patient(service: Running, **wanted: Any) -> Any:
    """Enrol, again while all slots for checks are taken."""
    while True:
        try:
            return service.client().enrol("customers", **wanted)
        except ApiError as error:
            if error.status != 503:
                raise
            time.sleep(0.05)


def test_a_session_that_is_enrolled_twice_at_the_same_time_is_one_person(service: Running) -> None:
    service.client().create_gallery(id="customers")
    session = accepted(service, "person-a-1")
    with ThreadPoolExecutor(2) as pool:
        answers = list(pool.map(lambda _: patient(service, session_id=session), range(2)))
    assert sorted(each["outcome"] for each in answers) == ["enrolled", "known"]
    assert answers[0]["subject"] == answers[1]["subject"]
    assert service.client().list_galleries()["items"][0]["references"] == 1


def test_galleries_and_checks_follow_the_model_that_is_live(service: Running) -> None:
    api = service.client()
    api.create_gallery(id="before")
    api.promote(model_id="face/edge", reason="trial")
    api.create_gallery(id="after")
    api.create_gallery(id="pinned", model="face/sface")
    spaces = {each["id"]: each["space"] for each in api.list_galleries()["items"]}
    assert spaces["before"] == spaces["pinned"] != spaces["after"]
    for name in spaces:  # each with the model that it is pinned to, whichever is live
        session = accepted(service, "person-a-1")
        assert api.enrol(name, session_id=session, external_id=f"anna in {name}")["outcome"] == "enrolled"
        found = api.identify(name, picture=text("person-a-2"))
        assert found["answer"] == "match" and found["candidates"][0]["external_id"] == f"anna in {name}"
    assert compared_by(service) == "face/edge"
    api.rollback_live_model()
    assert compared_by(service) == "face/sface"


def compared_by(service: Running) -> str:
    """The embedder of a stateless comparison."""
    checked = service.client().check_faces(one=text("person-a-1"), two=text("person-a-2"), fmr=1e-3)
    (found,) = {each.partition("@")[0] for each in checked["model_ids"]} & {"face/edge", "face/sface"}
    return found


def test_nobody_is_enrolled_without_consent_or_verdict(service: Running) -> None:
    api = service.client()
    api.create_gallery(id="g")
    with pytest.raises(ApiError) as error:
        api.enrol("g", session_id=accepted(service, "person-a-1", consent=False))
    assert error.value.problem_code == "consent.missing"
    made = api.create_session()
    service.client(made["client_token"]).give_consent(made["id"], version="2026-1", language="en", purpose="enrolment")
    with pytest.raises(ApiError) as error:
        api.enrol("g", session_id=made["id"])
    assert error.value.problem_code == "session.illegal_transition"


def test_a_deleted_gallery_is_unreadable(service: Running, tmp_path: Path) -> None:
    api = service.client()
    api.create_gallery(id="g")
    api.enrol("g", session_id=accepted(service, "person-a-1"))
    assert api.delete_gallery("g")["references"] == 1
    assert not list((tmp_path / "store0" / "galleries" / "local").iterdir())
    with pytest.raises(ApiError) as error:
        api.identify("g", picture=text("person-a-1"))
    assert error.value.status == 404
    assert api.create_gallery(id="g")["references"] == 0


def test_checks_answer_and_keep_nothing(service: Running) -> None:
    api = service.client()
    same = api.check_faces(one=text("person-a-1"), two=text("person-a-2"), fmr=1e-3)
    other = api.check_faces(one=text("person-a-1"), two=text("person-b-1"), fmr=1e-3)
    outcomes = [{each["check"]: each["outcome"] for each in found["findings"]}["face.match"] for found in (same, other)]
    assert outcomes == ["pass", "fail"]
    quality = api.check_quality(picture=text("person-a-1"))
    assert quality["unified"] is not None and 0 <= quality["unified"] <= 100
    assert not [name for name, _ in service.store.blobs.names()]


def test_a_picture_without_a_face_is_told(service: Running, tiny_picture: bytes) -> None:
    api = service.client()
    api.create_gallery(id="g")
    with pytest.raises(ApiError) as error:
        api.identify("g", picture=base64.b64encode(tiny_picture).decode())
    assert error.value.status == 422 and "no usable face" in str(error.value)
