"""The whole API on PostgreSQL: tests written for SQLite are run again there, and what differs is looked at."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.jobs.test_crashes import run as killed_while_at_work
from tests.service.conftest import Pictures, Running
from tests.service.test_access import test_another_tenants_things_are_not_there as foreign_things
from tests.service.test_access import test_every_route_by_every_role as every_route
from tests.service.test_first_path import test_a_session_reaches_a_verdict_and_its_webhook_is_verified as first_path
from tests.store.conftest import SetClock
from tests.store.postgresql import SWITCH, NewDatabase

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def there(monkeypatch: pytest.MonkeyPatch, new_database: NewDatabase, start: Callable[..., Running]) -> Running:
    """The service with its store on PostgreSQL."""
    monkeypatch.setenv(SWITCH, "postgresql")
    running = start()
    assert running.store.database.url.get_backend_name() == "postgresql"
    return running


@pytest.mark.weights
def test_from_a_session_to_a_verified_webhook(there: Running, pictures: Pictures, clock: SetClock) -> None:
    first_path(there, pictures, clock)


@pytest.mark.parametrize("role", ["integrator", "nobody"])
def test_the_matrix_in_short(there: Running, role: str) -> None:
    every_route(there, role)


def test_another_tenants_things_are_not_there(there: Running) -> None:
    foreign_things(there, "admin")


def test_texts_that_the_database_cannot_hold_are_refused_and_not_a_fault(there: Running) -> None:
    http = there.http(there.admin_key)
    for reference in ("order\x007", "order \ud800"):
        answer = http.post("/v1/sessions", content=json.dumps({"policy": "default", "reference": reference}))
        assert answer.status_code in (400, 422), (reference, answer.text)
        assert "order" not in answer.text.replace("order_by", "")
    for path in ("/v1/sessions/a%00b", "/v1/policies/default?version=99999999999999999999", "/v1/sessions?cursor=%00"):
        assert http.get(path).status_code in (400, 404, 422), path


def test_kill_9_loses_and_repeats_nothing(tmp_path: Path, postgresql_database: str) -> None:
    killed_while_at_work(postgresql_database, tmp_path, sessions=6, kills=4, pause=0.3, endpoints=1)


FOLDERS_ONLY = (  # what looks into the files of SQLite, or opens the store again by its folder
    "test_nothing_in_plain or test_keys or test_backup or test_serve or test_kills or test_quick_start "
    "or wrong_master_key or wrong_key or doctor"
)


@pytest.mark.slow
@pytest.mark.parametrize("folder", ["service", "operate", "jobs"])
def test_everything_written_for_sqlite_on_postgresql_too(folder: str, postgresql_server: str) -> None:
    chosen = [f"tests/{folder}", "-m", "not slow and not browser", "-k", f"not ({FOLDERS_ONLY})"]
    ignored = "--ignore=tests/service/test_postgresql.py"
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:xdist", "-p", "no:cacheprovider", ignored, *chosen]
    environment = {**os.environ, SWITCH: "postgresql"}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=3600)
    assert done.returncode == 0, done.stdout[-6000:]
