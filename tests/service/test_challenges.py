"""Challenges over the API: drawn for one attempt, answered once and in time, judged with the session."""

from __future__ import annotations

import base64
import io
from typing import Any

import numpy as np
import pytest
from PIL import Image as Pillow

from samebody.attacks.active import CHECKS, ActiveLiveness, read_recording
from samebody.config import load_settings
from samebody.decide.load import parse_policy
from samebody.decide.policy import is_known_check
from samebody.face import FaceAnalyser, FaceAnalysis
from samebody.jobs import Queue, Worker
from samebody.service.challenges import MOST_DRAWS, RECORDING, Challenges
from samebody.service.evidence import Evidence
from samebody.service.misuse import MOST_KEPT, misused
from samebody.service.verifiers import Verifiers
from samebody.service.work import VerifySession
from samebody.types import Outcome
from tests.attacks.active_motion import perform
from tests.service.conftest import Pictures, Running
from tests.store.conftest import SetClock


def frames(count: int = 6, seed: int = 0) -> list[dict[str, Any]]:
    rng = np.random.default_rng(seed)
    found = []
    for place in range(count):
        stream = io.BytesIO()
        Pillow.fromarray(rng.integers(0, 255, (48, 64, 3), np.uint8)).save(stream, "JPEG")
        found.append({"at_ms": 120.0 * place, "picture": base64.b64encode(stream.getvalue()).decode()})
    return found


def collecting(service: Running, policy: str = "default") -> tuple[Any, str]:
    made, _ = service.consented(policy=policy)
    return service.http(made["client_token"]), made["id"]


def send(http: Any, session: str, challenge: str, pictures: list[dict[str, Any]] | None = None, **more: Any) -> Any:
    body = {"challenge": challenge, "frames": frames() if pictures is None else pictures, **more}
    return http.post(f"/v1/sessions/{session}/challenge/answer", json=body)


def drawn(http: Any, session: str) -> dict[str, Any]:
    answer = http.post(f"/v1/sessions/{session}/challenge")
    assert answer.status_code == 201, answer.text
    content: dict[str, Any] = answer.json()
    return content


def length(challenge: dict[str, Any]) -> int:
    """Milliseconds to the end of what is shown."""
    end: int = challenge["flashes"][-1]["at_ms"] + challenge["flashes"][-1]["for_ms"]
    return end


def test_a_challenge_is_answered_once(service: Running) -> None:
    http, session = collecting(service)
    challenge = drawn(http, session)
    assert 3 <= len(challenge["steps"]) <= 5 and len(challenge["flashes"]) >= 6 and challenge["seconds"] == 90
    assert challenge["frames_a_second"] >= 6 and challenge["most_frames"] == 300 and challenge["longer_side"] == 480
    kept = send(http, session, challenge["challenge"], device={"camera": "Front Camera", "width": 64, "height": 48})
    assert kept.status_code == 201 and kept.json()["role"] == RECORDING
    recording = read_recording(service.store.vault.read("local", kept.json()["id"]))
    assert [step.action.value for step in recording.challenge.steps] == [each["action"] for each in challenge["steps"]]
    assert len(recording.pictures) == 6 and recording.device["user_agent"] == "testclient"
    again = send(http, session, challenge["challenge"])
    assert (again.status_code, again.json()["code"]) == (409, "challenge.refused")


def test_the_session_says_that_it_wants_a_challenge(service: Running) -> None:
    http, plain = collecting(service)
    assert http.get(f"/v1/sessions/{plain}").json()["challenge"] is None
    http, session = collecting(service, "active-liveness")
    assert http.get(f"/v1/sessions/{session}").json()["challenge"] == {"answered": False, "draws_left": MOST_DRAWS}
    drawn(http, session)
    challenge = drawn(http, session)["challenge"]
    kept = send(http, session, challenge).json()
    assert kept["draws_left"] == MOST_DRAWS - 2
    standing = http.get(f"/v1/sessions/{session}").json()["challenge"]
    assert standing == {"answered": True, "draws_left": MOST_DRAWS - 2}
    service.client().cancel_session(session)
    assert http.get(f"/v1/sessions/{session}").json()["challenge"] is None


def test_frames_that_cannot_show_enough_are_doubted_by_their_times(service: Running) -> None:
    http, session = collecting(service)
    picture = frames(1)[0]["picture"]
    for gap, code in ((120, None), (700, "attacks.timing_sparse")):
        challenge = drawn(http, session)
        shown = [{"at_ms": float(at), "picture": picture} for at in range(0, length(challenge), gap)]
        answer = send(http, session, challenge["challenge"], shown).json()
        assert [each["code"] for each in answer["doubts"]] == ([code] if code else []), gap
        assert all(each["advice"] for each in answer["doubts"])
    early = send(http, session, drawn(http, session)["challenge"]).json()
    assert [each["code"] for each in early["doubts"]] == ["attacks.timing_incomplete"]


def test_colours_that_were_declined_are_not_judged(service: Running) -> None:
    http, session = collecting(service)
    kept = send(http, session, drawn(http, session)["challenge"], device={"colours": False}).json()
    recording = read_recording(service.store.vault.read("local", kept["id"]))
    assert recording.device["colours"] is False
    judged = {each.check: each for each in ActiveLiveness(FaceAnalyser()).judge(
        perform(recording.challenge), recording.challenge, declined=True
    )}  # fmt: skip
    flash = judged["selfie.liveness.flash"]
    assert flash.outcome is Outcome.NOT_RUN and flash.reasons[0].code == "attacks.flash_declined"
    assert judged["selfie.liveness.pose"].outcome is Outcome.PASS


def test_the_same_request_is_answered_again(service: Running) -> None:
    http, session = collecting(service)
    body = {"challenge": drawn(http, session)["challenge"], "frames": frames()}
    path, headers = f"/v1/sessions/{session}/challenge/answer", {"Idempotency-Key": "line broke"}
    one, two = (http.post(path, json=body, headers=headers) for _ in range(2))
    assert one.json() == two.json() and two.headers["Idempotent-Replayed"] == "true"


def test_it_must_be_answered_in_time(service: Running, clock: SetClock) -> None:
    http, session = collecting(service)
    challenge = drawn(http, session)
    clock.move(seconds=90)
    assert send(http, session, challenge["challenge"]).status_code == 409


def test_only_the_last_one_counts_and_few_are_drawn(service: Running) -> None:
    http, session = collecting(service)
    made = [drawn(http, session) for _ in range(MOST_DRAWS)]
    assert http.post(f"/v1/sessions/{session}/challenge").status_code == 409
    assert send(http, session, made[-2]["challenge"]).status_code == 409
    assert send(http, session, made[-1]["challenge"]).status_code == 201


def test_another_sessions_challenge_is_refused_and_remembered(service: Running) -> None:
    http, session = collecting(service)
    other_http, other = collecting(service)
    foreign = drawn(other_http, other)["challenge"]
    body, _, mac = foreign.partition(".")
    for text in (foreign, f"{body}.{mac[::-1]}", "x.y", ""):
        assert send(http, session, text).status_code == 409
    with service.store.read() as tx:
        assert Challenges(service.store).refused(tx, "local", session, 1) == ["foreign"] * 4
    assert send(other_http, other, foreign).status_code == 201  # nobody else spent it


def test_a_token_tried_on_what_it_does_not_open_is_evidence(service: Running) -> None:
    http, session = collecting(service)
    _, other = collecting(service)
    assert http.get(f"/v1/sessions/{session}").status_code == 200
    assert http.get(f"/v1/sessions/{other}").status_code == 404
    assert http.post(f"/v1/sessions/{other}/challenge").status_code == 404
    assert http.get("/v1/subjects").status_code == 403
    for _ in range(MOST_KEPT):
        http.get("/v1/subjects")
    with service.store.read() as tx:
        tried = misused(service.store, tx, "local", session)
        assert misused(service.store, tx, "local", other) == []
    assert tried[:3] == ["other_session", "other_session", "needs_key"] and len(tried) == MOST_KEPT


def test_nothing_before_consent(service: Running) -> None:
    made = service.client().create_session()
    http = service.http(made["client_token"])
    assert http.post(f"/v1/sessions/{made['id']}/challenge").status_code == 409


@pytest.mark.parametrize(
    "pictures",
    [
        [],
        [{"at_ms": 0, "picture": base64.b64encode(b"no picture").decode()}],
        [{"at_ms": -1, "picture": "eA=="}],
        frames(1) * 301,
    ],
)
def test_what_is_no_recording_spends_nothing(service: Running, pictures: list[dict[str, Any]]) -> None:
    http, session = collecting(service)
    challenge = drawn(http, session)["challenge"]
    assert send(http, session, challenge, pictures).status_code == 422
    assert send(http, session, challenge).status_code == 201


def test_a_recording_is_no_picture(service: Running, tiny_picture: bytes) -> None:
    http, session = collecting(service)
    answer = http.post(f"/v1/sessions/{session}/media?role={RECORDING}", content=tiny_picture)
    assert answer.status_code == 422


def test_replayed_frames_are_found_in_another_case_only(service: Running) -> None:
    """To the byte no recording repeats, since the nonce is in it; by its looks it does."""
    policy, _ = parse_policy(INJECTION_POLICY)
    assert policy is not None
    found = []
    for seed in (1, 1, 2):
        http, session = collecting(service)
        send(http, session, drawn(http, session)["challenge"], frames(seed=seed))
        with service.store.read() as tx:
            view = service.store.sessions.get(tx, "local", session)
            media = service.store.vault.of_case(tx, "local", view.case_id)
        found.append(Evidence(service.store, "local", session, 1, policy, media)._replays().lookalikes)
    assert found == [0, 1, 0]


def test_a_challenge_that_nobody_answered_is_not_run(service: Running) -> None:
    policy, _ = parse_policy(INJECTION_POLICY)
    assert policy is not None
    nobody = FaceAnalysis((), None, None, None, None, None, ())
    for asked in (False, True):
        http, session = collecting(service)
        if asked:
            drawn(http, session)
        found = Evidence(service.store, "local", session, 1, policy, [])(FaceAnalyser(), nobody)
        outcomes = {each.check: each.outcome for each in found}
        assert outcomes.pop("selfie.injection") is Outcome.PASS  # nothing was uploaded, nothing was replayed
        assert outcomes == (dict.fromkeys(CHECKS, Outcome.NOT_RUN) if asked else {})
        assert all(is_known_check(check) for check in CHECKS)


INJECTION_POLICY = """
schema_version: 1
id: active
version: 1
title: Asks for everything
face_match: {fmr: 1e-3}
allow_unvalidated_pad: true
layers:
  capture: {requirement: must_pass, checks: [selfie.face, selfie.injection], on_failure: review}
  document: {requirement: waived}
  forgery: {requirement: waived}
  face_match: {requirement: must_pass, checks: [face.match]}
  liveness:
    requirement: must_pass
    checks: [selfie.liveness.pose, selfie.liveness.parallax, selfie.liveness.flash, selfie.liveness.timing]
    on_failure: reject
    on_abstention: review
    on_absence: review
"""


@pytest.mark.weights
def test_a_still_picture_in_place_of_a_person_is_not_accepted(service: Running, pictures: Pictures) -> None:
    api = service.client()
    assert (
        service.http(service.admin_key).post("/v1/policies/active", json={"text": INJECTION_POLICY}).status_code < 300
    )
    made, person = service.consented(policy="active")
    http = service.http(made["client_token"])
    challenge = drawn(http, made["id"])
    still = io.BytesIO()
    picture = Pillow.open(pictures.selfie).convert("RGB")
    picture.thumbnail((480, 480))
    picture.save(still, "JPEG")
    encoded = base64.b64encode(still.getvalue()).decode()
    times = range(0, length(challenge), 250)  # five frames of the shortest prompt
    shown = [{"at_ms": float(at), "picture": encoded} for at in times]
    assert send(http, made["id"], challenge["challenge"], shown).status_code == 201
    for role in ("selfie", "reference"):
        person.upload_media(made["id"], pictures.selfie.read_bytes(), role=role, content_type="image/jpeg")
    person.submit_session(made["id"])
    handler = VerifySession(service.store, Verifiers(service.store, load_settings()))
    assert Worker(Queue(service.store), handler).drain() == 1
    verdict = api.get_verdict(made["id"])
    assert verdict["decision"] == "reject"
    outcomes = {each["check"]: each["outcome"] for each in verdict["body"]["findings"]}
    assert outcomes["selfie.liveness.pose"] == "fail" and outcomes["selfie.injection"] == "fail"
    assert outcomes["selfie.liveness.parallax"] == outcomes["selfie.liveness.flash"] == "unsure"
    assert outcomes["selfie.liveness.identity"] == "pass"
    assert outcomes["selfie.liveness.frames"] in ("pass", "fail", "unsure")
    assert len(next(f for f in verdict["body"]["findings"] if f["check"].endswith(".frames"))["details"]["frames"]) == 5
