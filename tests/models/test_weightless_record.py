"""A record without weights: a pipeline of this package makes its templates."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner

from samebody.cli.models import command
from samebody.config import Settings
from samebody.models import ModelRecord, catalogue, read_records, write_operating_points
from samebody.models.check import check_record
from samebody.models.describe import details, summary
from samebody.models.errors import ContractError, RecordError
from samebody.models.pulling import pull
from samebody.models.sessions import weights_path
from samebody.types import OperatingPoint

TEXT = """\
id = "own/iris"
task = "iris-code"
version = "3"
title = "An iris encoder of mine"
sha256 = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
bytes = 0
format = "pipeline"
filename = "mine"

[output]
kind = "iris-code"
columns = 200

[licence]
spdx = "Apache-2.0"
commercial_use = "yes"
why = "It is code of this package."
notice = "Copyright me."

[provenance]
origin = "me, here"
training_data = "none: nothing was trained"
intended_use = "tests"
known_limits = ["it does not exist"]
"""

POINT = OperatingPoint(
    fmr=1e-2,
    threshold=0.6,
    realised_fmr=0.009,
    population="all-pairs",
    dataset="none",
    pairs=1000,
    subjects=40,
    errors=9,
    effective_errors=3.0,
    fmr_interval=(0.001, 0.02),
    indicative=True,
)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "own").mkdir()
    (tmp_path / "own" / "iris.toml").write_text(TEXT)
    return tmp_path


@pytest.fixture
def settings(folder: Path) -> Settings:
    return Settings(records_dirs=(folder,), models_dir=folder / "models")


def record_of(folder: Path, text: str) -> ModelRecord:
    (folder / "own" / "iris.toml").write_text(text)
    return read_records(folder)["own/iris"]


def test_its_space_is_made_of_the_pipelines_digest_and_the_shape(folder: Path) -> None:
    record = read_records(folder)["own/iris"]
    space = record.embedding_space()
    assert space.weights_sha256 == record.sha256 and space.preprocessing == "iris-code-16x200x2x2"
    for change in ('version = "3"', 'columns = 200"'.rstrip('"'), "0123456789abcdef0123"):
        other = record_of(folder, TEXT.replace(change, change.replace("3", "4").replace("200", "256")))
        assert other.embedding_space().digest != space.digest, change


def test_there_is_nothing_to_pull_or_to_hash(settings: Settings) -> None:
    record = catalogue(settings)["own/iris"]
    assert record.weightless and record.makes_templates
    (result,) = pull(record, settings)
    assert (result.action, result.error, result.path) == ("present", None, None)
    assert not list((settings.models_dir).glob("*.yaml"))
    assert check_record(record, settings).status == "ok"
    with pytest.raises(ContractError, match="no weights"):
        weights_path(record, settings)


def test_a_mirror_of_all_records_leaves_it_out(settings: Settings, tmp_path: Path) -> None:
    mirror = tmp_path / "mirror"
    (result,) = pull(catalogue(settings)["own/iris"], settings, mirror=mirror)
    assert result.error is None
    assert "own/iris" not in "".join(path.read_text() for path in mirror.glob("*.json"))


def test_it_is_listed_and_shown(settings: Settings, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    record = catalogue(settings)["own/iris"]
    assert summary(record, settings)["pulled"] is True and summary(record, settings)["bytes"] == 0
    assert details(record, settings)["embedding_space"] == record.embedding_space().digest
    monkeypatch.setenv("SAMEBODY_RECORDS_DIRS", f'["{folder}"]')
    shown = CliRunner().invoke(command, ["show", "own/iris"])
    assert shown.exit_code == 0 and "pipeline mine" in shown.output and "12,800 bits" in shown.output
    listed = CliRunner().invoke(command, ["list"])
    assert listed.exit_code == 0 and "own/iris" in listed.output


def test_points_are_written_beside_it_and_bound_to_its_space(settings: Settings, folder: Path) -> None:
    write_operating_points("own/iris", (POINT,), settings=settings)
    assert catalogue(settings)["own/iris"].operating_point(1e-2, "all-pairs").threshold == 0.6
    with pytest.raises(RecordError, match="measure again"):
        record_of(folder, TEXT.replace('version = "3"', 'version = "4"'))


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("bytes = 0", "bytes = 7", "no file"),
        (
            'kind = "iris-code"\ncolumns = 200',
            'kind = "embedding"\ndimensions = 8\nnormalised = true',
            "kind iris-code",
        ),
        ('format = "pipeline"', 'format = "onnx"', "format onnx"),
        ('task = "iris-code"', 'task = "face-embedding"', "at least one of"),
        ("columns = 200", "columns = 2", "columns"),
        ("[output]", '[[sources]]\nkind = "bundled"\npath = "x.onnx"\n\n[output]', "no sources"),
    ],
)
def test_a_record_that_contradicts_itself_is_refused(folder: Path, old: str, new: str, message: str) -> None:
    assert old in TEXT
    with pytest.raises(RecordError, match=message):
        record_of(folder, TEXT.replace(old, new))
