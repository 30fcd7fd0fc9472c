"""``samebody verify`` as a user runs it: exit codes, JSON, the report, a table of cases with a bad one in it."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.pipeline.conftest import Pictures, pictures

__all__ = ["pictures"]

pytestmark = [pytest.mark.weights, pytest.mark.xdist_group("pipeline")]


def run(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "samebody", "verify", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=180)


def test_a_genuine_pair_exits_with_review_and_prints_the_verdict_as_json(pictures: Pictures, tmp_path: Path) -> None:
    report = tmp_path / "verdict.html"
    done = run("--selfie", pictures.selfie, "--document", pictures.document, "--json", "--report", report)
    assert done.returncode == 3, done.stderr
    verdict = json.loads(done.stdout)
    assert verdict["decision"] == "review" and verdict["schema_version"] == "1.1"
    assert report.read_text().startswith("<!doctype html>")


def test_an_impostor_exits_with_reject_and_reads_as_text(pictures: Pictures) -> None:
    done = run("--selfie", pictures.impostor, "--document", pictures.document, "--policy", "no-liveness")
    assert done.returncode == 1, done.stderr
    assert "match.below_threshold" in done.stdout and "face match" in done.stdout


def test_a_table_of_cases_survives_a_bad_one_and_is_not_run_twice(pictures: Pictures, tmp_path: Path) -> None:
    (tmp_path / "broken.jpg").write_bytes(b"not a picture")
    table, out = tmp_path / "cases.csv", tmp_path / "results.jsonl"
    rows = [("good", pictures.selfie), ("bad", tmp_path / "broken.jpg"), ("impostor", pictures.impostor)]
    text = "".join(f"{name},{selfie},{pictures.document},no-liveness\n" for name, selfie in rows)
    table.write_text("case_id,selfie,document,policy\n" + text)
    first = run("--cases", table, "--out", out, "--workers", "2", "--quiet")
    assert first.returncode == 0, first.stderr
    by_id = {line["case_id"]: line for line in map(json.loads, out.read_text().splitlines())}
    assert by_id["good"]["verdict"]["decision"] == "accept"
    assert by_id["impostor"]["verdict"]["decision"] == "reject"
    assert by_id["bad"]["verdict"] is None and by_id["bad"]["error"]["code"].startswith("capture.")
    written = out.read_bytes()
    again = run("--cases", table, "--out", out, "--workers", "2", "--quiet")
    assert "3 finished before" in again.stdout and out.read_bytes() == written
