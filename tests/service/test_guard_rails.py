"""Every way to a live policy or model goes through the guard rails: API, console, and nothing beside them."""

from __future__ import annotations

import ast
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import samebody
from samebody.decide.load import policy_text
from samebody.operate.shadow import record_shadow
from samebody.service.client.errors import ApiError
from samebody.store.live_models import FACE_EMBEDDER
from tests.operate.conftest import CANDIDATE, compared, second_embedder
from tests.service.conftest import Running
from tests.service.test_console import token, verdict_body, visitor

__all__ = ["second_embedder"]
POLICY = "no-liveness"
LIVE = policy_text(POLICY)[0]
OTHER = re.sub(r"fmr: \S+", "fmr: 1e-3", LIVE)
assert OTHER != LIVE


def decided(service: Running, cases: int, score: float = 0.9) -> None:
    """Cases under the policy, written as a worker would."""
    store = service.store
    with store.write() as tx:
        for _ in range(cases):
            case_id = store.sessions.create(tx, "local", POLICY, actor="test").case_id
            found = verdict_body(case_id, score)
            store.verdicts.record(tx, "local", case_id, 1, replace(found, policy_id=POLICY), worker="w")


def told(service: Running, action: str) -> list[dict[str, Any]]:
    """Details of the audit log's events of one action."""
    items = service.client().list_audit_events(limit=200)["items"]
    return [each["details"] for each in items if each["action"] == action]


@pytest.fixture
def easy(start: Callable[..., Running], tmp_path: Path) -> Running:
    """A service whose operator allows a promotion on 60 cases."""
    limits = tmp_path / "limits.yaml"
    limits.write_text("least_cases: 60\nmost_changed: 0.07\nmost_more_accepts: 0.08\nmost_more_rejects: 0.08\n")
    return start(change_limits=limits)


def test_the_api_refuses_a_policy_that_nothing_speaks_for(service: Running) -> None:
    api = service.client()
    with pytest.raises(ApiError) as refused:
        api.put_policy(POLICY, text=OTHER)
    assert (refused.value.status, refused.value.problem_code) == (409, "operate.guard_rail")
    decided(service, 5, score=0.44)  # a match at an FMR of 1e-3, none at 1e-4
    found = api.try_candidate(POLICY, text=OTHER)
    assert found["cases"] == 5 and found["against"] and set(found["shifts"]) == {"accept", "reject", "review", "retry"}
    with pytest.raises(ApiError) as refused:
        api.put_policy(POLICY, text=OTHER)
    assert refused.value.problem_code == "operate.guard_rail" and api.get_policy(POLICY)["version"] == 1
    with pytest.raises(ApiError):
        api.put_policy(POLICY, text=OTHER, reason="  ")
    made = api.put_policy(POLICY, text=OTHER, reason="agreed on Monday")
    assert made["version"] == 2
    (event,) = told(service, "policy.promoted")
    assert event["forced"] is True and event["reason"] == "agreed on Monday" and event["before"] == 1


def test_what_keeps_the_limits_goes_live_and_back(easy: Running) -> None:
    api = easy.client()
    decided(easy, 60)
    assert api.try_candidate(POLICY, text=OTHER)["against"] == []
    assert api.put_policy(POLICY, text=OTHER)["version"] == 2
    assert told(easy, "policy.promoted")[0]["forced"] is False and told(easy, "shadow.compared")
    assert api.rollback(POLICY)["text"] == LIVE
    assert api.get_policy(POLICY)["version"] == 3
    with pytest.raises(ApiError) as nothing:
        api.rollback(POLICY, to=1)
    assert (nothing.value.status, nothing.value.problem_code) == (409, "operate.nothing")
    assert told(easy, "policy.rolled_back") == [{"version": 3, "before": 2, "text_of": 1}]


def test_no_reason_helps_a_policy_that_cannot_serve(service: Running) -> None:
    text = re.sub(r"fmr: \S+", "fmr: 1e-9", LIVE)
    for name in (POLICY, "new"):
        with pytest.raises(ApiError) as refused:
            service.client().put_policy(name, text=text, reason="please")
        assert (refused.value.status, refused.value.problem_code) == (422, "models.not_measured")


def test_how_long_cases_are_kept_changes_without_a_comparison(service: Running) -> None:
    api = service.client()
    made = api.put_policy(POLICY, text=LIVE, media_days=5, case_days=50, second_person=True)
    assert made["version"] == 2 and made["retention"]["second_person"] is True
    with pytest.raises(ApiError) as nothing:
        api.put_policy(POLICY, text=LIVE, media_days=5, case_days=50, second_person=True)
    assert nothing.value.problem_code == "operate.nothing"


def test_the_console_tries_refuses_and_takes_a_reason(service: Running) -> None:
    decided(service, 3, score=0.44)
    http, path = visitor(service), f"/console/policies/{POLICY}"
    form = token(http.get(path))
    broken = http.post(path, data={"token": form, "text": "id: no-liveness\nlayers: 3\n"})
    assert broken.status_code == 422 and "nothing was changed" in broken.text
    tried = http.post(path, data={"token": form, "text": OTHER})
    assert "The last 3 cases" in tried.text and "would refuse it" in tried.text
    refused = http.post(path, data={"token": form, "text": OTHER, "go_live": "true"})
    assert refused.status_code == 422 and "refused" in refused.text
    assert service.client().get_policy(POLICY)["version"] == 1
    live = http.post(path, data={"token": form, "text": OTHER, "go_live": "true", "reason": "a test"})
    assert live.status_code == 200 and "version 2" in live.text
    assert told(service, "policy.promoted")[0]["reason"] == "a test"
    rolled = http.post(f"{path}/rollback", data={"token": form, "version": "1"})
    assert rolled.status_code == 200 and service.client().get_policy(POLICY)["text"] == LIVE
    assert http.post(f"{path}/rollback", data={"token": form, "version": "1"}).status_code == 422


def test_the_console_makes_a_policy_and_only_an_admin_does(service: Running) -> None:
    http = visitor(service)
    form = token(http.get("/console/policies"))
    made = http.post("/console/policies", data={"token": form, "name": "mine", "source": POLICY})
    assert "version 1" in made.text and service.client().get_policy("mine")["text"] == LIVE
    again = http.post("/console/policies", data={"token": form, "name": "mine", "source": POLICY})
    assert again.status_code == 422 and "of that name already" in again.text
    assert http.post("/console/policies", data={"token": form, "name": "../x", "source": POLICY}).status_code == 422
    other = visitor(service, "reviewer")
    form = token(other.get("/console/policies"))
    for path in ("/console/policies", f"/console/policies/{POLICY}", "/console/models/promote"):
        data = {"token": form, "name": "x", "source": POLICY, "text": LIVE, "model_id": CANDIDATE}
        assert other.post(path, data=data).status_code == 403


def test_a_model_goes_live_by_api_and_console_behind_the_same_rails(service: Running, second_embedder: None) -> None:
    api, http = service.client(), visitor(service)
    with pytest.raises(ApiError) as refused:
        api.promote(model_id=CANDIDATE)
    assert (refused.value.status, refused.value.problem_code) == (409, "operate.guard_rail")
    form = token(http.get("/console/models"))
    shown = http.post("/console/models/promote", data={"token": form, "model_id": CANDIDATE})
    assert shown.status_code == 422 and "no comparison" in shown.text
    with service.store.write() as tx:
        record_shadow(service.store, tx, "local", compared(300, CANDIDATE), actor="t")
    assert api.promote(model_id=CANDIDATE)["kind"] == "promoted"
    (live,) = api.list_live_models()["items"]
    assert (live["model_id"], live["own"], len(live["changes"])) == (CANDIDATE, False, 1)
    back = http.post("/console/models/rollback", data={"token": form})
    assert back.status_code == 200 and "rolled back" in back.text
    assert api.list_live_models()["items"][0]["model_id"] == "face/sface"
    assert api.rollback_live_model()["model_id"] == CANDIDATE
    forced = http.post("/console/models/promote", data={"token": form, "model_id": "face/sface", "reason": "back"})
    assert forced.status_code == 200
    with service.store.read() as tx:
        assert service.store.live_models.history(tx, "local", FACE_EMBEDDER)[-1].reason == "back"


def test_nothing_beside_the_guard_rails_makes_something_live() -> None:
    """Who calls ``policies.put`` or ``live_models.put``: the guard rails, and the first day of a store."""
    root = Path(samebody.__file__).parent
    found = set()
    for path in root.rglob("*.py"):
        text = path.read_text("utf-8")
        for node in ast.walk(ast.parse(text)) if ".put(" in text else ():
            if (
                isinstance(node, ast.Call)
                and isinstance(node.func, ast.Attribute)
                and node.func.attr == "put"
                and isinstance(node.func.value, ast.Attribute)
                and node.func.value.attr in ("policies", "live_models")
            ):
                found.add(path.relative_to(root).as_posix())
    assert found == {"operate/changes.py", "service/setup.py"}
