"""The guide from raw pictures to a model is what the benchmark runs, and its figures are those of the score."""

from __future__ import annotations

import json
import os
import shlex
import sys
from pathlib import Path

import click
import pytest

from benchmarks import lab_sequence
from samebody.cli.main import cli as root


def test_every_command_of_the_guide_exists_with_its_options() -> None:
    found = lab_sequence.commands()
    assert len(found) >= 15
    for line in found:
        words = shlex.split(line)
        assert words.pop(0) == "samebody", line
        group: click.Command = root
        context = click.Context(root)
        if words[:2] == ["ship", "release.yaml"]:
            words.insert(1, "run")
        while isinstance(group, click.Group):
            following = group.get_command(context, words[0])
            assert following is not None, line
            words.pop(0)
            group = following
        known = {option for parameter in group.params for option in [*parameter.opts, *parameter.secondary_opts]}
        assert {word for word in words if word.startswith("--")} <= known, line


def test_the_release_file_of_the_guide_is_valid(tmp_path: Path) -> None:
    from samebody.lab.ship.release import load_release

    (tmp_path / "release.yaml").write_text(lab_sequence.release_file())
    assert load_release(tmp_path / "release.yaml").record.id == "own/first-model"


def test_only_the_check_of_raw_data_may_find_something() -> None:
    assert lab_sequence.allowed("samebody data validate faces") == (0, 65)
    assert lab_sequence.allowed("samebody data validate faces --deep") == (0,)
    assert lab_sequence.allowed("samebody data clean faces") == (0,)


def test_commands_run_in_the_folder_once_each_and_a_failure_is_shown(tmp_path: Path) -> None:
    write = shlex.join(
        [sys.executable, "-c", "import pathlib; f = pathlib.Path('n'); f.write_text(f.read_text() + 'x')"]
    )
    (tmp_path / "n").write_text("")
    lab_sequence.sequence(tmp_path, [write], dict(os.environ))
    done = lab_sequence.sequence(tmp_path, [write, write], dict(os.environ))
    assert (tmp_path / "n").read_text() == "xx" and [one.code for one in done] == [0, 0]
    with pytest.raises(SystemExit, match="boom"):
        lab_sequence.sequence(
            tmp_path, [shlex.join([sys.executable, "-c", "raise SystemExit('boom')"])], dict(os.environ)
        )


def test_the_page_shows_what_was_planted_found_and_run() -> None:
    one = {"planted": 4, "found": 3, "right": 3, "recall": 0.75, "precision": 1.0}
    whole = {"planted": 4, "right": 3, "false": 0, "recall": 0.75, "precision": 1.0}
    whole |= {"clean samples": 50, "clean samples flagged": 1, "false alarm rate": 0.02}
    done = [lab_sequence.Done("samebody data clean faces", 0, 1.5, "a\nlast\ncurves: x")]
    text = lab_sequence.page({"corrupt": one, "tiny": one | {"planted": 0, "found": 0}, "all": whole}, done, 7)
    assert "| corrupt | 4 | 3 | 3 | 75.0 % | 100.0 % |" in text and "tiny" not in text
    assert "1 of 50 (2.0 %" in text and "| `samebody data clean faces` | 1.5 | last |" in text


@pytest.mark.data
@pytest.mark.slow
def test_from_raw_pictures_with_faults_to_an_installed_model(data_dir: Path, tmp_path: Path) -> None:
    pytest.importorskip("torch", reason="the extra samebody[train] is not installed")
    if not (data_dir / "orl").is_dir():
        pytest.skip(f"no portraits at {data_dir / 'orl'}")
    out = tmp_path / "figures.json"
    words = ["--faces", str(data_dir / "orl"), "--work", str(tmp_path / "work"), "--subjects", "14", "--quick"]
    assert lab_sequence.main([*words, "--seed", "3", "--json", str(out)]) == 0
    figures = json.loads(out.read_text())["faults"]["all"]
    assert figures["recall"] > 0.8 and figures["false alarm rate"] <= 0.05
    assert list((tmp_path / "work" / "records").rglob("*.onnx"))
