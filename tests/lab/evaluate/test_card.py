"""Model cards: from a record and its evaluations, and of nothing else."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import pytest
from click.testing import CliRunner

from samebody.cli.models import command
from samebody.lab.evaluate.card import CardMismatchError, card_html, card_markdown, markdown_text
from samebody.lab.evaluate.results import Algorithm, VerificationResult
from samebody.lab.evaluate.runs import save_run
from samebody.models import catalogue
from samebody.models.record import ModelRecord
from tests.lab.evaluate.factory import measured, synthetic_scores
from tests.lab.evaluate.test_report import sound

SCORES = synthetic_scores(subjects=45)


@pytest.fixture(scope="module")
def record() -> ModelRecord:
    return catalogue()["face/sface"]


@pytest.fixture(scope="module")
def result(record: ModelRecord) -> VerificationResult:
    found = measured(SCORES, replicates=30, bands=False, calibrate=False)
    return replace(found, algorithm=Algorithm(record.id, record.version, record.embedding_space().digest))


def test_a_card_holds_what_a_reader_must_know(record: ModelRecord, result: VerificationResult) -> None:
    text, html = card_markdown(record, [result]), card_html(record, [result])
    sound(html)
    for part in ("Intended use", "Limits", "Licence of the weights", "training data", "Operating points", "toy people"):
        assert part in html and part.lower() in text.lower()
    assert f"Commercial use: **{record.licence.commercial_use}**" in text
    for limit in record.provenance.known_limits:
        assert markdown_text(limit) in text
    for point in record.operating_points:
        assert f"{point.threshold:.5g}" in text
    for group in ("north", "east", "south"):
        assert f"| {group} | 15 |" in text
    assert "toy people: thresholds were set on the same data" in text


def test_tables_are_whole_in_markdown(record: ModelRecord, result: VerificationResult) -> None:
    lines = card_markdown(record, [result]).splitlines()
    for before, line in pairwise(lines):
        if line.startswith("|") and before.startswith("|"):
            assert line.count("|") == before.count("|")
    assert not [line for line in lines if line != line.rstrip()]


def test_what_nobody_measured_is_said(record: ModelRecord, result: VerificationResult) -> None:
    assert "No evaluation is attached" in card_markdown(record)
    alone = replace(result, groups=(), fairness=(), cross_groups=())
    assert "differences between groups are not known" in card_markdown(record, [alone])
    bare = record.with_points((), None)
    assert "No operating point was measured" in card_markdown(bare)


def test_models_without_scores_have_a_card() -> None:
    text = card_markdown(catalogue()["face/yunet"])
    assert "None: no error rate was measured for this record." in text
    assert "No evaluation is attached" not in text


def test_evaluations_of_another_model_are_refused(record: ModelRecord, result: VerificationResult) -> None:
    for other in (
        Algorithm("face/other", "1"),
        Algorithm(record.id, "1900"),
        Algorithm(record.id, record.version, "0" * 16),
    ):
        with pytest.raises(CardMismatchError, match="toy people"):
            card_markdown(record, [replace(result, algorithm=other)])
    assert card_markdown(record, [replace(result, algorithm=Algorithm(record.label))])


def test_names_cannot_break_out_of_the_card(record: ModelRecord, result: VerificationResult) -> None:
    bad = "a|b\n# <img src=x> [x](y)"
    groups = (replace(result.groups[0], name=bad), *result.groups[1:])
    odd = replace(result, dataset=replace(result.dataset, name=bad), groups=groups, cross_groups=(), fairness=())
    text = card_markdown(record, [odd])
    assert "<img" not in text.replace("\\<img", "") and "\n# <" not in text and "a\\|b" in text
    html = card_html(record, [odd])
    sound(html)
    assert "<img" not in html


def test_the_command_prints_or_writes(record: ModelRecord, result: VerificationResult, tmp_path: Path) -> None:
    save_run(tmp_path / "run", result, SCORES)
    arguments = ["card", record.id, "--run", str(tmp_path / "run")]
    printed = CliRunner().invoke(command, arguments)
    assert printed.exit_code == 0 and printed.output.startswith("# Model card: face/sface\n")
    for name in ("card.md", "card.html"):
        assert CliRunner().invoke(command, [*arguments, "--out", str(tmp_path / name)]).exit_code == 0
    assert (tmp_path / "card.md").read_text() == printed.output
    assert (tmp_path / "card.html").read_text().startswith("<!doctype html>")
    refused = CliRunner().invoke(command, [*arguments, "--out", str(tmp_path / "card.pdf")])
    assert "card.pdf" in str(refused.exception) and not (tmp_path / "card.pdf").exists()
