"""``samebody policy`` lists, shows and checks."""

from __future__ import annotations

import json
from pathlib import Path

from click.testing import CliRunner

from samebody.cli.policy import command
from samebody.decide import load_policy
from samebody.decide.load import policy_text


def run(*arguments: str) -> tuple[int, str]:
    result = CliRunner().invoke(command, list(arguments), env={"COLUMNS": "200"})
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result.exit_code, result.output


def test_check_reports_every_mistake_at_once_and_exits_65(tmp_path: Path) -> None:
    file = tmp_path / "mine.yaml"
    text = policy_text("default")[0].replace("retry", "rety").replace("version: 1", "version: x")
    text = text.replace("\nversion: 2", "\nversion: x")
    file.write_text(text, "utf-8")
    code, output = run("check", str(file))
    assert code == 65
    assert "layers.capture.on_failure" in output and "checks.document.page.on_failure" in output
    assert "schema_version" in output and "Did you mean retry?" in output
    assert "6 mistakes" in output
    code, output = run("check", "--json", str(file))
    assert code == 65 and {"line", "column", "where", "message", "hint"} == set(json.loads(output)[0])
    file.write_text(policy_text("strict")[0], "utf-8")
    assert run("check", str(file)) == (0, f"{file}: fine\n")


def test_list_and_show(tmp_path: Path) -> None:
    code, output = run("list")
    assert code == 0 and "no-liveness" in output and "selfie-to-selfie" in output
    rows = json.loads(run("list", "--json")[1])
    assert {row["id"]: row["fmr"] for row in rows}["strict"] == 1e-5
    code, output = run("show", "no-liveness")
    assert code == 0 and "waived" in output and load_policy("no-liveness").digest in output
    assert json.loads(run("show", "default", "--json")[1])["face_match"]["population"] == "matched-adults"
    file = tmp_path / "copy.yaml"
    file.write_text(run("show", "default", "--yaml")[1], "utf-8")
    assert load_policy(file).digest == load_policy("default").digest


def test_schema_is_printed_as_json() -> None:
    assert json.loads(run("schema")[1])["$id"].startswith("urn:samebody:verdict:")
