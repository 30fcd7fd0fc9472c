"""What every test may rely on: pulled weights or a skip that says so, development data or a skip, no stray network."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck
from hypothesis import settings as hypothesis_settings

hypothesis_settings.register_profile(
    "samebody", deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture]
)
hypothesis_settings.load_profile("samebody")

RUNTIME_RECORDS = (
    "face/yunet",
    "face/sface",
    "face/landmarks",
    "face/blendshapes",
    "document/ppocr-rec",
    "example/person-a-1",
    "example/person-b-1",
    "example/person-b-2",
    "document/mrz-cells",
    "example/person-a-2",
    "example/person-c-1",
)


def _missing_weights() -> list[str]:
    from samebody.errors import SamebodyError
    from samebody.models import catalogue, weights_path

    records, missing = catalogue(), []
    for identifier in RUNTIME_RECORDS:
        try:
            weights_path(records[identifier])
        except (KeyError, SamebodyError):
            missing.append(identifier)
    return missing


@pytest.fixture(scope="session")
def _weights() -> None:
    missing = _missing_weights()
    if missing:
        message = f"weights not pulled: {', '.join(missing)}; run `samebody models pull --all`"
        if os.environ.get("CI"):
            pytest.fail(message)  # a skip here would let a broken pull pass as a green run
        pytest.skip(message)


@pytest.fixture(scope="session", autouse=True)
def _no_lock_in_a_reading_transaction() -> None:
    """PostgreSQL refuses such a statement and SQLite ignores it: every test on SQLite finds it through this."""
    try:
        import sqlalchemy
    except ModuleNotFoundError:  # without the extra samebody[service] there is no store
        return
    from samebody.store.database import Snapshot

    def look(state: Any) -> None:
        assert getattr(state.statement, "_for_update_arg", None) is None, f"a lock in a reading transaction: {state}"

    sqlalchemy.event.listen(Snapshot, "do_orm_execute", look)


@pytest.fixture(autouse=True)
def _weights_for_marked(request: pytest.FixtureRequest) -> None:
    if request.node.get_closest_marker("weights"):
        request.getfixturevalue("_weights")


@pytest.fixture(scope="session")
def data_dir() -> Path:
    """The folder with development data (fairface, orl), or a skip."""
    folder = Path(os.environ.get("SAMEBODY_DATA") or Path(__file__).parents[2] / "shared" / "data")
    if not folder.is_dir():
        pytest.skip(f"no development data at {folder}; set SAMEBODY_DATA")
    return folder


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say what a machine without torch leaves out."""
    from importlib.util import find_spec

    if find_spec("torch") is None:
        terminalreporter.write_line(
            "skipped: tests/lab/train, because torch is not installed (samebody[train]).", yellow=True
        )


@pytest.fixture(scope="session")
def chromium() -> str:
    """Path of a browser of the Chromium family."""
    names = ("chromium", "chromium-browser", "google-chrome", "chrome")
    path = next((found for name in names if (found := shutil.which(name))), None)
    if path is None:
        pytest.skip(f"no browser on the PATH (looked for {', '.join(names)})")
    return path


@pytest.fixture
def spans() -> Iterator[Any]:
    """Where the spans of traces go while a test runs: an ``InMemorySpanExporter``."""
    memory = pytest.importorskip(
        "opentelemetry.sdk.trace.export.in_memory_span_exporter", reason="the extra samebody[otel] is not installed"
    )
    from samebody import tracing

    exporter = memory.InMemorySpanExporter()
    tracing.start("test", exporter=exporter)
    yield exporter
    tracing.stop()


def told(spans: Iterable[Any]) -> str:
    """All that spans say but when: a time may hold any digits."""
    return re.sub(r'"\d{4}-\d\d-\d\dT[^"]*"', "", "".join(each.to_json() for each in spans))
