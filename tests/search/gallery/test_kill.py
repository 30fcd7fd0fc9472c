"""kill -9 at random moments of enrolment, deletion, compaction and snapshots."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")


def _kill(folder: Path, rounds: int, seed: int, mode: str, limit: float) -> dict:
    done = subprocess.run(
        [sys.executable, "-m", "tests.search.gallery.killing", str(folder), str(rounds), str(seed), mode],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=limit,
        env={**os.environ, "OPENBLAS_NUM_THREADS": "1"},
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return json.loads(done.stdout.splitlines()[-1])


@pytest.mark.parametrize("mode", ["plain", "sealed"])
def test_a_killed_writer_loses_and_doubles_nothing(tmp_path, mode):
    result = _kill(tmp_path, 10, 1, mode, 120)
    assert result["held"] > 0 and sum(result["killed_while"].values()) == 10


@pytest.mark.slow
@pytest.mark.parametrize("mode", ["plain", "sealed"])
def test_hundreds_of_killed_writers_lose_and_double_nothing(tmp_path, mode):
    result = _kill(tmp_path, 400, 2, mode, 1800)
    assert {"vector", "iris", "delete", "compact", "snapshot"} <= result["killed_while"].keys()
    assert result["held"] > 0 and result["deleted"] > 0
