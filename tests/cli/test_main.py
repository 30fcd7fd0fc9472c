"""The command line as a whole: help is fast and complete, errors are one line, no stack trace reaches a user."""

from __future__ import annotations

import importlib
import subprocess
import sys

import click
import pytest
from click.testing import CliRunner

from samebody.cli.main import COMMANDS, cli


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-m", "samebody", *arguments], capture_output=True, text=True, check=False)


@pytest.mark.parametrize("name", sorted(COMMANDS))
def test_every_listed_command_exists_and_explains_itself(name: str) -> None:
    module, _ = COMMANDS[name]
    command = importlib.import_module(module).command
    assert isinstance(command, click.Command)
    result = CliRunner().invoke(cli, [name, "--help"])
    assert result.exit_code == 0 and "Usage" in result.output


def test_help_imports_no_room() -> None:
    program = (
        "import sys\n"
        "from samebody.cli.main import main\n"
        "try:\n main(['--help'])\n"
        "except SystemExit: pass\n"
        "print([m for m in ('numpy','cv2','onnxruntime','pydantic','PIL','rich') if m in sys.modules])"
    )
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert result.stdout.strip().endswith("[]")


def test_importing_the_library_is_cheap() -> None:
    program = "import sys, samebody; print([m for m in ('numpy','cv2','onnxruntime','pydantic') if m in sys.modules])"
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "[]"


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (["verify"], 64),
        (["verify", "--selfie", "nowhere.jpg", "--document", "nowhere.jpg"], 65),
        (["verify", "--cases", "nowhere.csv"], 64),
        (["verify", "--cases", "nowhere.csv", "--out", "x.jsonl"], 65),
        (["verify", "--selfie", "a", "--document", "b", "--policy", "no-such-policy"], 64),
        (["no-such-command"], 64),
        (["policy", "check", "nowhere.yaml"], 64),
    ],
)
def test_a_mistake_of_the_caller_is_one_line_and_a_stable_exit_code(arguments: list[str], code: int) -> None:
    result = run(*arguments)
    assert result.returncode == code, result.stderr
    assert "Traceback" not in result.stderr + result.stdout
    assert result.stderr.strip()


def test_a_fault_of_ours_shows_no_stack_trace(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from samebody.cli import main as module

    def broken(*_: object, **__: object) -> None:
        raise RuntimeError("secret content of a picture")

    monkeypatch.delenv("SAMEBODY_DEBUG", raising=False)
    monkeypatch.setattr(module.cli, "main", broken)
    with pytest.raises(SystemExit) as caught:
        module.main([])
    assert caught.value.code == 70
    shown = capsys.readouterr().err
    assert "RuntimeError" in shown and "secret" not in shown and "Traceback" not in shown
