"""What one comparison says stands in verdict, report and terminal, and nowhere when it was not measured."""

from __future__ import annotations

import io
import json
from dataclasses import replace

import pytest
from rich.console import Console

from samebody.cli.verify import print_verdict
from samebody.decide import verdict_from_dict, verdict_to_dict
from samebody.models import catalogue
from samebody.pipeline.report import render_report
from samebody.pipeline.verify import Verification

pytestmark = [pytest.mark.weights, pytest.mark.xdist_group("pipeline")]


def said(case: Verification) -> str:
    stream = io.StringIO()
    print_verdict(Console(file=stream, width=400), case.verdict)
    return stream.getvalue()


def without(case: Verification) -> Verification:
    """The same case judged by a record that has no such measurement."""
    findings = tuple(
        replace(finding, details={key: value for key, value in finding.details.items() if key != "reliability"})
        for finding in case.verdict.findings
    )
    return replace(case, verdict=replace(case.verdict, findings=findings))


def test_ratio_interval_and_quality_stand_in_the_verdict(genuine: Verification) -> None:
    found = genuine.verdict.finding("face.match").details["reliability"]
    low, high = found["interval"]
    assert found["bounds"][0] <= low <= found["llr"] <= high <= found["bounds"][1]
    assert found["llr"] > 0  # the same person
    qualities = [genuine.trace[stage].quality.unified for stage in ("selfie.face", "document.face")]
    assert found["quality"] == min(qualities)
    assert found["quality_bin"][0] <= found["quality"] <= found["quality_bin"][1]
    again = verdict_from_dict(json.loads(json.dumps(verdict_to_dict(genuine.verdict))))
    assert again.finding("face.match").details["reliability"]["llr"] == found["llr"]


def test_report_and_terminal_show_the_sentence_when_it_is_there_and_nothing_otherwise(genuine: Verification) -> None:
    sentence = genuine.verdict.finding("face.match").details["reliability"]["sentence"]
    assert sentence in render_report(genuine) and sentence in said(genuine)
    bare = without(genuine)
    assert "What this one comparison says" not in render_report(bare)
    assert "times more likely" not in said(bare)


def test_the_bundled_record_carries_it_at_its_own_thresholds() -> None:
    record = catalogue()["face/sface"]
    assert record.reliability is not None
    thresholds = {point.threshold for point in record.operating_points}
    counted = {miss.threshold for entry in record.reliability.bins for miss in entry.misses}
    assert counted and counted <= thresholds
