"""A store in a temporary folder, with a clock that the test sets, and a person who has consented."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from samebody.store import LocalMasterKey, Store
from samebody.store.verdicts import Conclusion, FindingSummary
from tests.store.postgresql import new_database, place, postgresql_database, postgresql_server

__all__ = ["new_database", "postgresql_database", "postgresql_server"]

MASTER = bytes(range(32))
START = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)


@dataclass
class SetClock:
    """A clock that stands still until it is moved."""

    now: datetime = field(default=START)

    def __call__(self) -> datetime:
        return self.now

    def move(self, **units: float) -> None:
        self.now += timedelta(**units)


@pytest.fixture
def clock() -> SetClock:
    return SetClock()


@pytest.fixture
def store(request: pytest.FixtureRequest, tmp_path: Path, clock: SetClock) -> Iterator[Store]:
    where, media = place(request, tmp_path / "store")
    with Store.open(where, media=media, master=[LocalMasterKey(MASTER)], clock=clock) as opened:
        furnish(opened)
        yield opened


@pytest.fixture(params=["sqlite", "postgresql"])
def unfurnished(request: pytest.FixtureRequest, tmp_path: Path, clock: SetClock) -> Iterator[Store]:
    """A store on each kind of database, with nothing in it."""
    where: str | Path = tmp_path / "store"
    if request.param == "postgresql":
        where = request.getfixturevalue("postgresql_database")
    with Store.open(where, media=tmp_path / "store" / "media", master=[LocalMasterKey(MASTER)], clock=clock) as opened:
        yield opened


@pytest.fixture
def either(unfurnished: Store) -> Store:
    """A store on each kind of database."""
    furnish(unfurnished)
    return unfurnished


def furnish(store: Store, tenant: str = "local", **retention: Any) -> None:
    """A tenant with a policy and a consent text."""
    with store.write() as tx:
        store.tenants.create(tx, tenant)
        store.policies.put(tx, tenant, "default", "layers: []", actor="test", retention=retention)
        store.consents.add_text(tx, tenant, "2026-01", "en", "I agree.", actor="test")


def begin(store: Store, tenant: str = "local", **options: Any) -> tuple[str, str]:
    """A session that collects; its id and its case's."""
    with store.write() as tx:
        session = store.sessions.create(tx, tenant, "default", actor="key:test", **options)
        store.consents.give(tx, tenant, session.id, "2026-01", "en", actor="client")
    return session.id, session.case_id


def submit(store: Store, tenant: str = "local", **options: Any) -> tuple[str, str]:
    """A session that waits for a worker."""
    session_id, case_id = begin(store, tenant, **options)
    with store.write() as tx:
        store.sessions.submit(tx, tenant, session_id, actor="client")
    return session_id, case_id


def conclusion(decision: str = "accept", **body: Any) -> Conclusion:
    return Conclusion(
        decision,
        "default",
        1,
        model_ids=("face/sface",),
        findings=(FindingSummary("face.match", "pass", 0.71), FindingSummary("document.mrz", "fail", None, ("mrz.x",))),
        body={"decision": decision, **body},
    )
