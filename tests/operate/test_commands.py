"""The commands on models, and what the service sees of a promotion, on SQLite and PostgreSQL."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from click.testing import CliRunner

from samebody.cli.main import cli
from samebody.config import load_settings
from samebody.models.errors import UnknownModelError
from samebody.operate.errors import GuardRailError
from samebody.store import Store
from samebody.store.audit import verify_log
from samebody.store.errors import InvalidValueError
from samebody.store.live_models import FACE_EMBEDDER
from tests.operate.conftest import CANDIDATE, concluded, records
from tests.store.conftest import SetClock, begin


def test_a_model_is_compared_promoted_and_rolled_back_by_commands(
    store: Store, where: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, second_embedder: None
) -> None:
    class Recorded:
        """Decides otherwise about one picture, if it is the candidate."""

        def __init__(self, settings: Any, *, embedder: str) -> None:
            self.record = records()[embedder]

        def verify(self, **given: Any) -> Any:
            other = self.record.id == CANDIDATE and given["selfie"] == b"selfie 0"
            return SimpleNamespace(decision=SimpleNamespace(value="review" if other else "accept"))

    monkeypatch.setattr("samebody.pipeline.Verifier", Recorded)
    for number in range(8):
        session_id, case_id = begin(store)
        for role in ("selfie", "document_front"):
            store.vault.add("local", session_id, role, b"%s %d" % (role.encode(), number), actor="c")
        with store.write() as tx:
            store.consents.give(tx, "local", session_id, "2026-01", "en", actor="c", purpose="research")
            store.verdicts.record(tx, "local", case_id, 1, concluded(0.9, case_id), worker="w")
    out = tmp_path / "shadow.json"
    shown = CliRunner().invoke(cli, ["operate", "shadow", *where, "--model", CANDIDATE, "--out", str(out)])
    assert shown.exit_code == 0, (shown.output, shown.exception)
    assert "decided otherwise: 12.5%" in shown.output and "accept -> review: 1" in shown.output
    assert json.loads(out.read_text())["moves"] == {"accept>accept": 7, "accept>review": 1}

    refused = CliRunner().invoke(cli, ["models", "promote", *where, CANDIDATE])
    assert isinstance(refused.exception, GuardRailError) and "8 cases were compared" in str(refused.exception)
    limits = tmp_path / "limits.yaml"
    limits.write_text("least_cases: 8\nmost_changed: 0.6\nmost_more_accepts: 0.5\nmost_more_rejects: 0.5\n")
    promoted = CliRunner().invoke(cli, ["models", "promote", *where, "--limits", str(limits), CANDIDATE])
    assert promoted.exit_code == 0 and f"{CANDIDATE} is live" in promoted.output
    back = CliRunner().invoke(cli, ["models", "rollback", *where])
    assert back.exit_code == 0 and "face/sface is live" in back.output
    with store.read() as tx:
        live = store.live_models.current(tx, "local", FACE_EMBEDDER)
        assert live is not None and (live.model_id, live.kind, live.number) == ("face/sface", "rolled_back", 2)
        assert verify_log(tx, store.audit).sound


def test_one_of_policy_and_model_is_asked_for(where: list[str]) -> None:
    assert CliRunner().invoke(cli, ["operate", "shadow", *where]).exit_code == 2


def test_live_models_are_apart_by_tenant_and_their_history_is_kept(either: Store, clock: SetClock) -> None:
    with either.write() as tx:
        either.tenants.create(tx, "other")
        for number, name in enumerate(("face/a", "face/b"), start=1):
            made = either.live_models.put(tx, "local", FACE_EMBEDDER, name, "0" * 64, kind="promoted", actor="t")
            assert made.number == number
        either.live_models.put(tx, "other", FACE_EMBEDDER, "face/c", "0" * 64, kind="promoted", actor="t")
    with either.read() as tx:
        assert [each.model_id for each in either.live_models.history(tx, "local", FACE_EMBEDDER)] == [
            "face/a",
            "face/b",
        ]
        assert either.live_models.everywhere(tx) == {"face/b", "face/c"}
        assert verify_log(tx, either.audit).sound


@pytest.mark.parametrize(
    ("slot", "kind", "reason"),
    [("iris", "promoted", ""), (FACE_EMBEDDER, "x", ""), (FACE_EMBEDDER, "promoted", "x" * 201)],
)
def test_what_is_no_change_is_refused(store: Store, slot: str, kind: str, reason: str) -> None:
    with store.write() as tx, pytest.raises(InvalidValueError):
        store.live_models.put(tx, "local", slot, "face/a", "0" * 64, kind=kind, actor="t", reason=reason)


def test_readiness_asks_for_the_weights_of_a_promoted_model(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    from samebody.service import ready

    class Records(dict[str, str]):
        def __missing__(self, name: str) -> str:
            raise UnknownModelError("there is no such record.")

    asked: list[str] = []
    known = Records({name: name for name in (*ready.NEEDED, "face/sface", CANDIDATE)})
    monkeypatch.setattr(ready, "catalogue", lambda settings: known)
    monkeypatch.setattr(ready, "weights_path", lambda record, settings: asked.append(record))
    service: Any = SimpleNamespace(store=store, runtime=load_settings())
    assert ready._models(service) == (True, "ok") and CANDIDATE not in asked
    with store.write() as tx:
        store.live_models.put(tx, "local", FACE_EMBEDDER, CANDIDATE, "0" * 64, kind="promoted", actor="t")
    assert ready._models(service) == (True, "ok") and CANDIDATE in asked
    with store.write() as tx:
        store.live_models.put(tx, "local", FACE_EMBEDDER, "face/gone", "0" * 64, kind="promoted", actor="t")
    assert ready._models(service) == (False, f"face/gone: {UnknownModelError.code}")
