"""`samebody document specimen` writes the picture and the truth, and refuses what does not fit together."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner

from samebody.cli.document_specimen import specimen
from samebody.errors import UsageError
from samebody.synth.export import SpecimenNotSavedError, load_truth, save_picture
from samebody.synth.photograph import photograph
from samebody.synth.specimen import render


def test_a_photograph_and_its_truth_are_written(tmp_path: Path) -> None:
    out, truth = tmp_path / "page.jpg", tmp_path / "truth.json"
    result = CliRunner().invoke(
        specimen, ["--format", "TD1", "--seed", "5", "--photograph", "clean", "--out", str(out), "--truth", str(truth)]
    )
    assert result.exit_code == 0, result.output
    same = photograph(render("TD1", seed=5), difficulty="clean", seed=5)
    assert out.read_bytes() == same.jpeg
    loaded = load_truth(truth)
    assert (loaded.mrz_lines, loaded.page, loaded.mrz) == (same.truth.mrz_lines, same.truth.page, same.truth.mrz)
    assert all(line in result.output for line in loaded.mrz_lines)


def test_a_flat_forged_page_is_written_as_png(tmp_path: Path) -> None:
    out = tmp_path / "page.png"
    result = CliRunner().invoke(specimen, ["--format", "MRV-B", "--forgery", "date_plain", "--out", str(out)])
    assert result.exit_code == 0, result.output
    assert out.read_bytes().startswith(b"\x89PNG")
    assert "date_plain" in result.output


def test_scan_and_photograph_exclude_each_other(tmp_path: Path) -> None:
    result = CliRunner().invoke(specimen, ["--scan", "--photograph", "hard", "--out", str(tmp_path / "x.jpg")])
    assert result.exit_code == 2
    assert "exclude" in result.output


def test_unknown_names_and_suffixes_are_usage_errors(tmp_path: Path) -> None:
    for arguments in (["--format", "TD9"], ["--photograph", "fog"], ["--forgery", "crayon"]):
        result = CliRunner().invoke(specimen, [*arguments, "--out", str(tmp_path / "x.jpg")])
        assert isinstance(result.exception, UsageError), arguments
    with pytest.raises(UsageError, match="not written as"):
        save_picture(tmp_path / "x.bmp", render("TD2", seed=1, dots_per_inch=200).image)


def test_a_place_that_cannot_be_written_is_a_storage_error(tmp_path: Path) -> None:
    with pytest.raises(SpecimenNotSavedError, match="cannot be written"):
        save_picture(tmp_path / "missing" / "x.png", render("TD2", seed=1, dots_per_inch=200).image)
