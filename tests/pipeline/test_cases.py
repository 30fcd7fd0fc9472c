"""Runs over many cases: nothing lost, nothing twice, one bad case never stops the run."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from samebody.config import Settings, load_settings
from samebody.errors import StorageError
from samebody.pipeline.cases import (
    Case,
    CasesFileError,
    ResultsBusyError,
    ResultsFile,
    read_cases,
    run_cases,
)


def quick(settings: Settings, policy: str, case: Case) -> dict[str, Any]:
    time.sleep(0.02)
    if case.case_id.startswith("die"):
        os.kill(os.getpid(), signal.SIGKILL)
    if case.case_id.startswith("hang"):
        time.sleep(60)
    if case.case_id.startswith("once"):
        marker = case.selfie
        if not marker.exists():
            marker.write_text("x")
            os._exit(3)
    return {"verdict": {"decision": "accept", "policy_id": case.policy or policy}, "error": None}


def lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def cases(count: int, prefix: str = "c") -> list[Case]:
    return [Case(f"{prefix}{i}", Path("s.jpg"), Path("d.jpg")) for i in range(count)]


def test_every_case_gets_exactly_one_line(tmp_path: Path) -> None:
    out = tmp_path / "r.jsonl"
    seen: list[str] = []
    summary = run_cases(
        cases(12), out, workers=2, settings=load_settings(), verify=quick, progress=lambda c, d: seen.append(c)
    )
    assert sorted(r["case_id"] for r in lines(out)) == sorted(c.case_id for c in cases(12)) == sorted(seen)
    assert summary.decisions == {"accept": 12}


def test_a_worker_that_dies_costs_its_own_case_only(tmp_path: Path) -> None:
    out = tmp_path / "r.jsonl"
    summary = run_cases(
        [*cases(3), Case("die", Path("s"), Path("d")), *cases(3, "e")],
        out,
        workers=2,
        settings=load_settings(),
        verify=quick,
    )
    by_id = {r["case_id"]: r for r in lines(out)}
    assert summary.errors == 1 and summary.decisions == {"accept": 6}
    assert by_id["die"]["error"]["code"] == "cases.worker_died"


def test_a_case_whose_worker_died_once_is_tried_again(tmp_path: Path) -> None:
    summary = run_cases(
        [Case("once", tmp_path / "marker", Path("d"))],
        tmp_path / "r.jsonl",
        workers=1,
        settings=load_settings(),
        verify=quick,
    )
    assert summary.decisions == {"accept": 1}


def test_a_stuck_case_is_stopped_and_said(tmp_path: Path) -> None:
    out = tmp_path / "r.jsonl"
    run_cases(
        [Case("hang", Path("s"), Path("d")), *cases(2)],
        out,
        workers=1,
        settings=load_settings(),
        verify=quick,
        case_timeout=1.0,
    )
    by_id = {r["case_id"]: r for r in lines(out)}
    assert by_id["hang"]["error"]["code"] == "cases.timeout"
    assert by_id["c0"]["verdict"] and by_id["c1"]["verdict"]


RUNNER = """
import sys, tests.pipeline.test_cases as t
from pathlib import Path
from samebody.config import load_settings
from samebody.pipeline.cases import run_cases
if __name__ == "__main__":
    run_cases(t.cases(80), Path(sys.argv[1]), workers=2, settings=load_settings(), verify=t.quick)
"""


@pytest.mark.parametrize("moment", [0.9, 1.3])
def test_a_run_that_is_killed_resumes_without_loss_or_repetition(tmp_path: Path, moment: float) -> None:
    out, script = tmp_path / "r.jsonl", tmp_path / "runner.py"
    script.write_text(RUNNER)
    root = Path(__file__).parents[2]
    environment = {**os.environ, "PYTHONPATH": str(root)}
    process = subprocess.Popen([sys.executable, str(script), str(out)], env=environment)
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline and not (out.exists() and out.read_bytes().count(b"\n") >= 3):
        time.sleep(0.02)
    time.sleep(moment - 0.9)
    process.kill()
    process.wait()
    first = out.read_bytes().count(b"\n")
    assert 0 < first < 80
    with out.open("ab") as stream:
        stream.write(b'{"schema_version":"1.0","case_id":"c7')  # what a kill in the middle of a write leaves
    summary = run_cases(cases(80), out, workers=2, settings=load_settings(), verify=quick)
    identifiers = [r["case_id"] for r in lines(out)]
    assert len(identifiers) == len(set(identifiers)) == 80
    assert summary.skipped == first


@given(cut=st.integers(min_value=0, max_value=400))
def test_a_file_cut_at_any_byte_keeps_every_whole_line(tmp_path_factory: pytest.TempPathFactory, cut: int) -> None:
    path = tmp_path_factory.mktemp("cut") / "r.jsonl"
    records = [{"case_id": f"é{i}", "verdict": {"decision": "accept"}} for i in range(8)]
    whole = b"".join(json.dumps(r, ensure_ascii=False).encode() + b"\n" for r in records)
    path.write_bytes(whole[:cut])
    with ResultsFile(path) as results:
        done = results.finished()
        results.append({"case_id": "next", "verdict": None})
    assert len(done) == whole[:cut].count(b"\n")
    assert len(lines(path)) == len(done) + 1


def test_another_file_is_never_overwritten(tmp_path: Path) -> None:
    path = tmp_path / "notes.txt"
    path.write_text("my notes\nof the day\n")
    with ResultsFile(path) as results, pytest.raises(CasesFileError):
        results.finished()
    assert path.read_text() == "my notes\nof the day\n"


def test_two_runs_cannot_write_one_file(tmp_path: Path) -> None:
    path = tmp_path / "r.jsonl"
    with ResultsFile(path), pytest.raises(ResultsBusyError), ResultsFile(path):
        pass


def test_a_full_disk_leaves_no_half_line(tmp_path: Path) -> None:
    if not Path("/dev/full").exists():
        pytest.skip("needs /dev/full")
    results = ResultsFile(Path("/dev/full"))
    with results, pytest.raises(StorageError) as caught:
        results.append({"case_id": "x", "verdict": None})
    assert caught.value.code == "storage"


def test_the_table_reports_every_mistake_at_once(tmp_path: Path) -> None:
    table = tmp_path / "cases.csv"
    table.write_text("case_id,selfie,document\na,s.jpg,d.jpg\na,s.jpg,d.jpg\n,s.jpg,d.jpg\nb,,d.jpg\n")
    with pytest.raises(CasesFileError) as caught:
        read_cases(table)
    assert "4 mistake" not in caught.value.message and "3 mistake" in caught.value.message
    for part in ("line 3 repeats", "line 4 has no case_id", "line 5 needs"):
        assert part in caught.value.message


def test_pictures_are_looked_for_beside_the_table(tmp_path: Path) -> None:
    table = tmp_path / "cases.csv"
    table.write_text("case_id, selfie, document, policy\na,s.jpg,d.jpg,strict\n")
    (case,) = read_cases(table)
    assert case == Case("a", tmp_path / "s.jpg", tmp_path / "d.jpg", None, "strict")


@pytest.mark.parametrize("text", ["", "x,y\n1,2\n", "case_id,selfie\na,b\n", "case_id,selfie,document\n"])
def test_a_table_that_cannot_be_run_is_refused(tmp_path: Path, text: str) -> None:
    table = tmp_path / "cases.csv"
    table.write_text(text)
    with pytest.raises(CasesFileError):
        read_cases(table)
