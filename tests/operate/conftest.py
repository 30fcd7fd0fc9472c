"""A store filled with verdicts: figures drawn from a seed, written without the pipeline."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import numpy as np
import pytest

from samebody.decide import decide, load_policy
from samebody.decide.load import policy_text
from samebody.models import catalogue
from samebody.store import LocalMasterKey, Store
from samebody.store.verdicts import Conclusion
from samebody.types import Finding, Outcome
from tests.store.conftest import MASTER, SetClock, furnish
from tests.store.postgresql import new_database, place, postgresql_server

__all__ = ["new_database", "postgresql_server"]

POLICY = "no-liveness"


@pytest.fixture
def clock() -> SetClock:
    return SetClock()


@pytest.fixture
def key_file(tmp_path: Path) -> Path:
    path = tmp_path / "master.key"
    path.write_text(MASTER.hex() + "\n")
    path.chmod(0o600)
    return path


@pytest.fixture
def store(request: pytest.FixtureRequest, tmp_path: Path, clock: SetClock) -> Iterator[Store]:
    where, media = place(request, tmp_path / "store")
    with Store.open(where, media=media, master=[LocalMasterKey(MASTER)], clock=clock) as opened:
        furnish(opened)
        with opened.write() as tx:
            opened.policies.put(tx, "local", "default", policy_text(POLICY)[0], actor="test")
        yield opened


def concluded(score: float, case_id: str, quality: float | None = None) -> Conclusion:
    """A verdict of the bundled policy without liveness, with this comparison score."""
    record = catalogue()["face/sface"]
    policy = load_policy(POLICY)
    point = record.operating_point(policy.face_match.fmr, population=policy.face_match.population)
    match = Outcome.PASS if score >= point.threshold else Outcome.FAIL
    findings = [
        Finding(check, Outcome.PASS, model_ids=())
        for layer in ("capture", "document", "forgery")
        for check in getattr(policy.layers, layer).checks
        if check != "selfie.quality"
    ]
    findings.append(Finding("selfie.quality", Outcome.PASS, quality))
    findings.append(Finding("face.match", match, score, point, model_ids=(record.label,)))
    verdict = decide(policy, findings, case_id=case_id, timings={"total": 1500.0})
    return replace(Conclusion.of(verdict), policy_id="default", policy_version=2)


def add_case(store: Store, score: float, quality: float | None = 60.0) -> str:
    """A case with a verdict, written as a worker would."""
    return add_cases(store, [(score, quality)])[0]


def add_cases(store: Store, figures: Sequence[tuple[float, float | None]]) -> list[str]:
    """Cases with their verdicts, in one transaction; ids."""
    made = []
    with store.write() as tx:
        for score, quality in figures:
            case_id = store.sessions.create(tx, "local", "default", actor="key:test").case_id
            store.verdicts.record(tx, "local", case_id, 1, concluded(score, case_id, quality), worker="w")
            made.append(case_id)
    return made


def fill(store: Store, clock: SetClock, days: int, a_day: int, seed: int, shift: float = 0.0) -> None:
    """So many days of cases, one after the other; leaves the clock at the end of the last one."""
    random = np.random.default_rng(seed)
    for _ in range(days):
        add_cases(
            store,
            [(float(random.normal(0.6 + shift, 0.1)), float(random.normal(60, 8))) for _ in range(a_day)],
        )
        clock.now += timedelta(days=1)
