"""Shadows, promotion and rollback: figures against naive counts, guard rails, audit, and what the worker sees."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binom
from sqlalchemy import select

from samebody.cli.main import cli
from samebody.config import load_settings
from samebody.decide import load_policy
from samebody.decide.load import policy_text
from samebody.errors import NotMeasuredError, UsageError
from samebody.models import catalogue
from samebody.operate.changes import promote_model, promote_policy, rollback_model, rollback_policy
from samebody.operate.errors import GuardRailError, LimitsInvalidError, NothingToDoError
from samebody.operate.limits import Limits, read_limits
from samebody.operate.shadow import (
    DECISIONS,
    compare_decisions,
    paired_difference,
    record_shadow,
    shadow_model,
    verifying,
)
from samebody.service.verifiers import Verifiers
from samebody.store import Store
from samebody.store.audit import verify_log
from samebody.store.errors import ModelChangedError
from samebody.store.live_models import FACE_EMBEDDER
from samebody.store.schema import AuditEventRow
from tests.operate.conftest import CANDIDATE, POLICY, add_cases, compared, concluded, records
from tests.store.conftest import SetClock, begin, submit

LIVE = policy_text(POLICY)[0]
LOOSER = LIVE.replace("fmr: 1e-4", "fmr: 1e-3")
assert LOOSER != LIVE


def actions(store: Store) -> list[tuple[str, dict[str, Any]]]:
    with store.read() as tx:
        rows = tx.scalars(select(AuditEventRow).order_by(AuditEventRow.sequence)).all()
        assert verify_log(tx, store.audit).sound
    return [(row.action, json.loads(row.details)) for row in rows]


pairs = st.lists(st.tuples(st.sampled_from(DECISIONS), st.sampled_from(DECISIONS)), min_size=1, max_size=80)


@given(pairs)
def test_a_comparison_counts_what_is_there(found: list[tuple[str, str]]) -> None:
    shadow = compare_decisions(
        [(str(number), *each) for number, each in enumerate(found)], kind="policy", candidate="x", sha256="0" * 64
    )
    n = len(found)
    assert shadow.cases == sum(shadow.moves.values()) == n
    assert shadow.changed == sum(a != b for a, b in found) / n
    assert shadow.changed_interval[0] <= shadow.changed <= shadow.changed_interval[1]
    for name, each in shadow.shifts.items():
        assert each.live == sum(a == name for a, _ in found)
        assert each.candidate == sum(b == name for _, b in found)
        assert each.difference == pytest.approx((each.candidate - each.live) / n)
        assert each.low <= each.difference <= each.high
    assert shadow.digest == replace(shadow).digest != replace(shadow, left_out=1).digest


@pytest.mark.parametrize(("up", "down"), [(0.0, 0.0), (0.02, 0.0), (0.1, 0.1), (0.3, 0.05)])
def test_the_interval_of_a_difference_covers_what_it_states(up: float, down: float) -> None:
    """Exact: summed over all outcomes of two multinomial cells of 40 cases."""
    n, covered = 40, 0.0
    for more in range(n + 1):
        first = float(binom.pmf(more, n, up))
        for less in range(n - more + 1):
            low, high = paired_difference(more, less, n) if first > 1e-9 else (0.0, -1.0)
            second = float(binom.pmf(less, n - more, down / (1 - up)))
            covered += first * second * (low <= up - down <= high)
    assert covered >= 0.95


def test_a_policy_is_tried_promoted_and_rolled_back(store: Store, where: list[str], tmp_path: Path) -> None:
    record = catalogue()["face/sface"]
    marks = sorted(record.operating_point(fmr, population="matched-adults").threshold for fmr in (1e-3, 1e-4))
    add_cases(store, [(sum(marks) / 2, 60.0)] * 5 + [(marks[1] + 0.1, 60.0)] * 15)
    candidate = tmp_path / "candidate.yaml"
    candidate.write_text(LOOSER)

    shown = CliRunner().invoke(cli, ["operate", "shadow", *where, "--policy", str(candidate), "--json"])
    assert shown.exit_code == 0, shown.output
    figures = json.loads(shown.output)
    assert figures["cases"] == 20 and figures["changed"] == 0.25
    low, high = figures["changed_interval"]  # Clopper-Pearson of 5 in 20
    assert (low, high) == (pytest.approx(0.0866, abs=1e-4), pytest.approx(0.4910, abs=1e-4))

    refused = CliRunner().invoke(cli, ["operate", "promote-policy", *where, str(candidate)])
    assert isinstance(refused.exception, GuardRailError)
    assert "20 cases were compared" in str(refused.exception) and "49.1%" in str(refused.exception)
    with store.read() as tx:
        assert store.policies.get(tx, "local", "default").version == 2

    forced = CliRunner().invoke(cli, ["operate", "promote-policy", *where, "--force", "agreed", str(candidate)])
    assert forced.exit_code == 0 and "version 3 is live" in forced.output
    back = CliRunner().invoke(cli, ["operate", "rollback-policy", *where, "default"])
    assert back.exit_code == 0 and "version 4 is live" in back.output
    with store.read() as tx:
        assert store.policies.get(tx, "local", "default").text == LIVE
        assert store.policies.get(tx, "local", "default", 3).text == LOOSER
    told = dict(actions(store))
    assert told["policy.promoted"]["forced"] is True and told["policy.promoted"]["reason"] == "agreed"
    assert told["policy.rolled_back"] == {"version": 4, "before": 3, "text_of": 2}


def test_a_candidate_within_the_limits_needs_no_force(store: Store) -> None:
    add_cases(store, [(0.9, 60.0)] * 60)
    limits = Limits(least_cases=60, most_changed=0.07, most_more_accepts=0.08, most_more_rejects=0.08)
    row, found = promote_policy(store, "local", "default", LOOSER, load_settings(), actor="t", limits=limits)
    assert row.version == 3 and found is not None and found.changed == 0.0
    with pytest.raises(NothingToDoError, match="live already"):
        promote_policy(store, "local", "default", LOOSER, load_settings(), actor="t", limits=limits)
    again = rollback_policy(store, "local", "default", actor="t")
    assert (again.version, again.text) == (4, LIVE)
    undone = rollback_policy(store, "local", "default", actor="t")
    assert (undone.version, undone.text) == (5, LOOSER)
    with pytest.raises(NothingToDoError):
        rollback_policy(store, "local", "default", actor="t", to=3)


def test_without_any_case_a_promotion_needs_a_reason(store: Store) -> None:
    with pytest.raises(GuardRailError, match="no case"):
        promote_policy(store, "local", "default", LOOSER, load_settings(), actor="t")
    row, found = promote_policy(store, "local", "default", LOOSER, load_settings(), actor="t", force="first day")
    assert row.version == 3 and found is None


def test_no_reason_helps_a_policy_that_the_model_cannot_serve(store: Store) -> None:
    text = LIVE.replace("fmr: 1e-4", "fmr: 1e-9")
    with pytest.raises(NotMeasuredError):
        promote_policy(store, "local", "default", text, load_settings(), actor="t", force="please")


def test_a_model_needs_a_comparison_that_is_recent_and_of_these_weights(
    store: Store, clock: SetClock, second_embedder: None
) -> None:
    settings = load_settings()
    with pytest.raises(GuardRailError, match="no comparison"):
        promote_model(store, "local", CANDIDATE, settings, actor="t")
    with store.write() as tx:
        record_shadow(store, tx, "local", compared(300, CANDIDATE, changed=60), actor="t")
    with pytest.raises(GuardRailError, match="decisions that change"):
        promote_model(store, "local", CANDIDATE, settings, actor="t")
    with store.write() as tx:
        record_shadow(store, tx, "local", compared(300, CANDIDATE), actor="t")
    clock.move(days=31)
    with pytest.raises(GuardRailError, match="no comparison"):
        promote_model(store, "local", CANDIDATE, settings, actor="t")
    with store.write() as tx:
        other = replace(compared(300, CANDIDATE), sha256="f" * 64)
        record_shadow(store, tx, "local", other, actor="t")
    with pytest.raises(GuardRailError, match="no comparison"):
        promote_model(store, "local", CANDIDATE, settings, actor="t")
    with store.write() as tx:
        record_shadow(store, tx, "local", compared(300, CANDIDATE), actor="t")
    live = promote_model(store, "local", CANDIDATE, settings, actor="t")
    assert (live.model_id, live.number, live.reason) == (CANDIDATE, 1, "")
    with pytest.raises(NothingToDoError):
        promote_model(store, "local", CANDIDATE, settings, actor="t")
    assert rollback_model(store, "local", settings, actor="t").model_id == "face/sface"
    assert rollback_model(store, "local", settings, actor="t").model_id == CANDIDATE
    kinds = [action for action, _ in actions(store) if action.startswith("model.")]
    assert kinds == ["model.promoted", "model.rolled_back", "model.rolled_back"]


def test_what_is_no_embedder_or_was_never_promoted_is_refused(store: Store) -> None:
    with pytest.raises(UsageError, match="no embedder"):
        promote_model(store, "local", "face/yunet", load_settings(), actor="t", force="x")
    with pytest.raises(NothingToDoError):
        rollback_model(store, "local", load_settings(), actor="t")
    with pytest.raises(NothingToDoError):
        promote_model(store, "local", "face/sface", load_settings(), actor="t", force="x")


def test_the_worker_takes_the_live_model_of_the_tenant(
    store: Store, monkeypatch: pytest.MonkeyPatch, second_embedder: None
) -> None:
    made: list[str] = []

    class Recorded:
        def __init__(self, settings: Any, *, embedder: str = "face/sface") -> None:
            made.append(embedder)
            self.record = records()[embedder]

    monkeypatch.setattr("samebody.service.verifiers.Verifier", Recorded)
    verifiers = Verifiers(store, load_settings())
    submit(store)

    def used() -> str:
        with store.read() as tx:
            live = store.live_models.current(tx, "local", FACE_EMBEDDER)
        return str(verifiers.of_live(live).record.id)

    assert used() == "face/sface"
    promote_model(store, "local", CANDIDATE, load_settings(), actor="t", force="trial")
    assert used() == CANDIDATE
    rollback_model(store, "local", load_settings(), actor="t")
    assert used() == "face/sface"
    with store.write() as tx:
        store.live_models.put(tx, "local", FACE_EMBEDDER, CANDIDATE, "0" * 64, kind="promoted", actor="t")
    with pytest.raises(ModelChangedError):
        used()


def test_a_model_is_compared_on_kept_samples_with_consent_only(store: Store, clock: SetClock) -> None:
    for number in range(4):
        session_id, case_id = begin(store)
        store.vault.add("local", session_id, "selfie", b"selfie %d" % number, actor="c")
        store.vault.add("local", session_id, "document_front", b"page", actor="c")
        with store.write() as tx:
            if number != 3:
                store.consents.give(tx, "local", session_id, "2026-01", "en", actor="c", purpose="research")
            store.verdicts.record(tx, "local", case_id, 1, concluded(0.9, case_id), worker="w")
    seen: list[bytes] = []

    def candidate(samples: Any) -> str:
        seen.append(samples["selfie"])
        return "review" if samples["selfie"] == b"selfie 1" else "accept"

    record = records()[CANDIDATE]
    options: dict[str, Any] = {"policy_id": "default", "last": 10, "actor": "t"}
    found = shadow_model(store, "local", lambda _: "accept", candidate, record, purpose="research", **options)
    assert sorted(seen) == [b"selfie 0", b"selfie 1", b"selfie 2"]
    assert (found.cases, found.left_out, found.moves) == (3, 1, {"accept>accept": 2, "accept>review": 1})
    assert math.isclose(found.shifts["accept"].difference, -1 / 3)
    assert dict(actions(store))["samples.used_in_shadow"]["cases"] == 3
    with pytest.raises(NothingToDoError):
        shadow_model(store, "local", candidate, candidate, record, purpose="enrolment", **options)

    def without_weights(samples: Any) -> str:
        raise NotMeasuredError("not measured.")

    with pytest.raises(NotMeasuredError):  # a fault of the system is no case left out
        shadow_model(store, "local", candidate, without_weights, record, purpose="research", **options)


def test_samples_reach_the_verifier_as_the_policy_asks() -> None:
    asked: list[dict[str, Any]] = []

    class Recorded:
        def verify(self, **given: Any) -> Any:
            asked.append(given)
            return SimpleNamespace(decision=SimpleNamespace(value="accept"))

    decided = verifying(Recorded(), load_policy(POLICY))  # type: ignore[arg-type]
    assert decided({"selfie": b"s", "document_front": b"d", "reference": b"r"}) == "accept"
    assert (asked[0]["selfie"], asked[0]["document"]) == (b"s", b"d") and "reference" not in asked[0]
    with pytest.raises(NothingToDoError, match="document_front"):
        decided({"selfie": b"s"})


@pytest.mark.parametrize(
    "text", ["most_changed: 2", "least_cases: 1.5", "least_cases: 0", "unknown: 1", "- 1", "days: true", "a: 1\na: 2"]
)
def test_limits_that_cannot_be_meant_are_refused(text: str, tmp_path: Path) -> None:
    path = tmp_path / "limits.yaml"
    path.write_text(text)
    with pytest.raises(LimitsInvalidError):
        read_limits(path)


def test_limits_are_read(tmp_path: Path) -> None:
    path = tmp_path / "limits.yaml"
    path.write_text("most_changed: 0.1\nleast_cases: 50\n")
    assert read_limits(path) == Limits(least_cases=50, most_changed=0.1)
