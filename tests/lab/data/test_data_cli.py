"""Every command of `samebody data` runs from a folder of raw pictures on, and answers faults with its exit code."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from samebody.cli.main import main
from samebody.lab.data import DataSet
from samebody.lab.data.labelling import LabelProject
from samebody.lab.data.labelling.project import Label
from tests.lab.data.pictures import encoded, folder, picture


def run(capsys: pytest.CaptureFixture[str], *arguments: str, code: int = 0) -> str:
    with pytest.raises(SystemExit) as left:
        main(["data", *arguments])
    shown = capsys.readouterr()
    assert left.value.code == code, shown.err + shown.out
    return shown.out if code in (0, 65) and shown.out else shown.err


def test_from_raw_pictures_to_a_labelled_and_described_set(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    raw = folder(tmp_path / "raw", 6, 3)
    (raw / "s0" / "cut.jpg").write_bytes(encoded(picture(7), "JPEG")[:800])
    (raw / "s1" / "copy.jpg").write_bytes(encoded(picture(100), "JPEG", quality=80))
    held = str(tmp_path / "set")
    told = ["--pattern", "{subject}/*", "--set", "source=made", "--set", "licence=CC0-1.0", "--workers", "1"]
    assert "20 samples (20 new" in run(capsys, "ingest", str(raw), "--into", held, *told)
    assert "readable 1" in run(capsys, "validate", held, code=65)
    assert "clean.unreadable 1" in run(capsys, "clean", held, "--no-faces")
    assert "perceptual 1" in run(capsys, "dedupe", held)
    shown = run(capsys, "split", held, "--shares", "train=0.5,test=0.5")
    assert "no leak: 6 subjects, 18 files" in shown
    assert "problems: nothing" in run(capsys, "validate", held, "--deep")
    assert "0 leaks" in run(capsys, "split", held, "--check")
    found = json.loads(run(capsys, "validate", held, "--json"))
    assert found["valid"] and found["problems"] == []
    page = tmp_path / "map.html"
    assert "12 cells" in run(capsys, "coverage", held, "--by", "subject", "--by", "split", "--out", str(page))
    assert page.read_text().startswith("<!doctype html>")
    assert "effective number of samples" in run(capsys, "balance", held, "--by", "split")
    assert "**Purpose.** tests" in run(capsys, "card", held, "--say", "purpose=tests")
    first = DataSet.open(held).versions()[0].short
    assert "0 added, 0 removed" in run(capsys, "diff", held, first)
    (tmp_path / "runs").mkdir()
    (tmp_path / "runs" / "run.json").write_text(json.dumps({"data": DataSet.open(held).version().id}))

    example = run(capsys, "label", "schema")
    (tmp_path / "schema.yaml").write_text(example)
    project = str(tmp_path / "project")
    shown = run(capsys, "label", "start", held, "--schema", str(tmp_path / "schema.yaml"), "--project", project)
    assert "18 tasks" in shown
    sample = next(iter(LabelProject(project).tasks))
    LabelProject(project).add(Label(sample, "ann", "attack"), Label(sample, "bob", "attack"))
    assert "agreed 1" in run(capsys, "label", "report", project)
    run(capsys, "label", "export", project, "--out", str(tmp_path / "export.json"))
    assert "0 new answers" in run(capsys, "label", "import", project, str(tmp_path / "export.json"))
    assert "<Choices" in run(capsys, "label", "export", project, "--interface")
    assert "labelled 1" in run(capsys, "label", "apply", project)

    shown = run(capsys, "erase", held, "s2", "--runs", str(tmp_path / "runs"), "--dry-run")
    assert "would remove 3 files" in shown
    shown = run(capsys, "erase", held, "s2", "--runs", str(tmp_path / "runs"), "--yes")
    assert "removed 3 files" in shown and "run.json" in shown
    assert "versions are as they were made" in run(capsys, "log", held, "--check")
    assert "no version of" in run(capsys, "erase", held, "s2", "--yes", code=64)


def test_a_subject_on_both_sides_of_a_split_ends_with_65(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for side in ("train", "test"):
        folder(tmp_path / "raw" / side, 1, 2) if side == "train" else (tmp_path / "raw" / side / "s0").mkdir(
            parents=True
        )
    (tmp_path / "raw" / "test" / "s0" / "x.png").write_bytes(encoded(picture(50)))
    told = ["--pattern", "{split}/{subject}/*", "--set", "source=x", "--set", "licence=y", "--workers", "1"]
    run(capsys, "ingest", str(tmp_path / "raw"), "--into", str(tmp_path / "set"), *told)
    assert "subject s0 is in test and train" in run(capsys, "validate", str(tmp_path / "set"), code=65)
    assert "1 leaks" in run(capsys, "split", str(tmp_path / "set"), "--check", code=65)


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (["ingest", "none", "--into", "set"], 65),
        (["ingest", "raw", "--into", "set", "--set", "oops"], 64),
        (["ingest", "raw", "--into", "set", "--set", "sha256=1"], 65),
        (["validate", "."], 65),
        (["split", "ready", "--shares", "a=x,b=1"], 64),
        (["split", "ready", "--shares", "a=1"], 65),
        (["dedupe", "ready", "--version", "ffff"], 64),
        (["card", "ready", "--say", "what=x"], 64),
        (["coverage", "ready", "--by", "nothing"], 65),
        (["label", "page", "ready"], 65),
    ],
)
def test_faults_of_the_caller_have_their_codes(
    arguments: list[str], code: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    folder(tmp_path / "raw", 2, 1)
    run(capsys, "ingest", "raw", "--into", "ready", "--workers", "1")
    run(capsys, *arguments, code=code)


def test_help_imports_nothing_heavy() -> None:
    code = (
        "import sys\nfrom samebody.cli.main import cli\n"
        "try: cli.main(['data', '--help'], standalone_mode=False)\nexcept SystemExit: pass\n"
        "print([name for name in ('numpy', 'pandas', 'pyarrow', 'numba', 'cv2', 'pandera') if name in sys.modules])"
    )
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert shown.strip().endswith("[]") and "erase" in shown


@pytest.mark.data
@pytest.mark.weights
@pytest.mark.slow
def test_planted_faults_are_found(tmp_path: Path, data_dir: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from benchmarks.plant_faults import plant, score

    plant(data_dir / "orl", tmp_path / "raw", tmp_path / "truth.json", seed=11)
    held = str(tmp_path / "set")
    told = ["--pattern", "{split}/{subject}/*", "--set", "source=orl", "--set", "licence=custom"]
    run(capsys, "ingest", str(tmp_path / "raw"), "--into", held, *told)
    run(capsys, "clean", held)
    run(capsys, "dedupe", held)
    run(capsys, "labels", held, "--quarantine")
    found = score(tmp_path / "set", tmp_path / "truth.json")
    assert found["all"]["recall"] > 0.9 and found["all"]["false alarm rate"] <= 0.05
    assert np.isfinite(found["all"]["precision"]) and found["all"]["precision"] > 0.9
