"""A store filled with verdicts: figures drawn from a seed, written without the pipeline; a second embedder."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from samebody.decide import decide, load_policy
from samebody.decide.load import policy_text
from samebody.models import catalogue
from samebody.operate import changes
from samebody.operate.shadow import Shadow, compare_decisions
from samebody.store import Store
from samebody.store.verdicts import Conclusion
from samebody.types import Finding, Outcome
from tests.store.conftest import MASTER, SetClock, clock, either, unfurnished
from tests.store.conftest import store as furnished
from tests.store.postgresql import new_database, postgresql_database, postgresql_server

__all__ = ["clock", "either", "furnished", "new_database", "postgresql_database", "postgresql_server", "unfurnished"]

POLICY = "no-liveness"
CANDIDATE = "face/candidate"


@pytest.fixture
def key_file(tmp_path: Path) -> Path:
    path = tmp_path / "master.key"
    path.write_text(MASTER.hex() + "\n")
    path.chmod(0o600)
    return path


@pytest.fixture
def store(furnished: Store) -> Store:
    with furnished.write() as tx:
        furnished.policies.put(tx, "local", "default", policy_text(POLICY)[0], actor="test")
    return furnished


@pytest.fixture
def where(store: Store, key_file: Path, tmp_path: Path) -> list[str]:
    """Options of a command that works on the store."""
    folder, url = tmp_path / "store", store.database.url
    named = str(folder) if store.database.is_sqlite else url.render_as_string(hide_password=False)
    return ["--store", named, "--media", str(folder / "media"), "--key-file", str(key_file)]


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


def records(settings: Any = None) -> dict[str, Any]:
    """The records, and a second embedder: the same contracts, other weights."""
    own = catalogue(settings)["face/sface"]
    part = own.derived.model_copy(update={"sha256": "c" * 64}) if own.derived else None
    other = own.model_copy(update={"id": CANDIDATE, "sha256": "c" * 64, "derived": part})
    return {**{name: catalogue(settings)[name] for name in ("face/sface", "face/yunet")}, CANDIDATE: other}


def compared(cases: int, model: str, changed: int = 0) -> Shadow:
    """A comparison of a model with the live one, of so many cases, of which some were decided otherwise."""
    found = [(str(n), "accept", "review" if n < changed else "accept") for n in range(cases)]
    return compare_decisions(found, kind="model", candidate=model, sha256=records()[model].run_sha256)


@pytest.fixture
def second_embedder(monkeypatch: pytest.MonkeyPatch) -> None:
    """``CANDIDATE`` is known, and all weights are taken to be here; that they are asked for is tested apart."""
    monkeypatch.setattr(changes, "weights_path", lambda record, settings: Path("here"))
    monkeypatch.setattr(changes, "catalogue", records)
