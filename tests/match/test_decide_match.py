"""A comparison becomes a finding at an error rate: the score comes from the record, never from code."""

from __future__ import annotations

import dataclasses
import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from samebody.errors import NotMeasuredError
from samebody.match import RecordMismatchError, decide_match, score_evidence
from samebody.models import ModelRecord, ScoreHistogram, catalogue
from samebody.types import Comparison, OperatingPoint, Outcome


def point(fmr: float, threshold: float, **changes) -> OperatingPoint:
    fields = {
        "fmr": fmr,
        "threshold": threshold,
        "realised_fmr": fmr,
        "population": "matched-adults",
        "dataset": "a test",
        "pairs": 1_000_000,
        "subjects": 2_000,
        "errors": 100,
        "effective_errors": 60.0,
        "fmr_interval": (fmr / 2, fmr * 2),
    }
    return OperatingPoint(**{**fields, **changes})


POINTS = (
    point(1e-2, 0.25),
    point(1e-4, 0.5),
    point(1e-5, 0.625, errors=9, effective_errors=4.0, indicative=True),
    point(1e-6, 0.75, extrapolated=True, errors=0, effective_errors=0.0),
    point(1e-4, 0.375, population="all-pairs"),
)
HISTOGRAM = ScoreHistogram(
    start=-1, stop=1, count=8, mated=(0, 0, 0, 0, 1, 4, 10, 5), non_mated=(1, 9, 50, 90, 40, 10, 0, 0), dataset="a test"
)


@pytest.fixture(scope="module")
def record() -> ModelRecord:
    return catalogue()["face/sface"].with_points(POINTS, HISTOGRAM)


def comparison(record: ModelRecord, score: float) -> Comparison:
    return Comparison(score, record.embedding_space())


@given(st.floats(-1, 1))
def test_a_score_passes_exactly_from_the_threshold_on(record, score):
    finding = decide_match(comparison(record, score), record, 1e-4)
    assert finding.outcome is (Outcome.PASS if score >= 0.5 else Outcome.FAIL)
    assert (finding.check, finding.score, finding.operating_point) == ("face.match", score, POINTS[1])
    assert finding.model_ids == (record.label,)


def test_the_threshold_itself_passes_and_the_number_before_it_fails(record):
    assert decide_match(comparison(record, 0.5), record, 1e-4).outcome is Outcome.PASS
    assert decide_match(comparison(record, float(np.nextafter(0.5, 0))), record, 1e-4).outcome is Outcome.FAIL


def test_a_stricter_rate_never_passes_what_a_looser_one_fails(record):
    for score in np.linspace(-1, 1, 81):
        outcomes = [
            decide_match(comparison(record, float(score)), record, fmr, allow_extrapolated=True).outcome
            for fmr in (1e-2, 1e-4, 1e-5, 1e-6)
        ]
        passed = [outcome is Outcome.PASS for outcome in outcomes]
        assert passed == sorted(passed, reverse=True)


def test_the_population_chooses_the_threshold(record):
    assert decide_match(comparison(record, 0.4), record, 1e-4).outcome is Outcome.FAIL
    assert decide_match(comparison(record, 0.4), record, 1e-4, population="all-pairs").outcome is Outcome.PASS


def test_a_failure_says_why_and_what_to_do(record):
    (reason,) = decide_match(comparison(record, 0.125), record, 1e-4).reasons
    assert reason.code == "match.below_threshold"
    assert "0.125" in reason.message and "0.500" in reason.message and "one in 10,000" in reason.message
    assert reason.advice


def test_a_good_pass_needs_no_reason(record):
    assert decide_match(comparison(record, 0.9), record, 1e-4).reasons == ()


def test_weak_ground_under_a_threshold_is_said_even_when_it_passes(record):
    passed = decide_match(comparison(record, 0.9), record, 1e-5)
    assert passed.outcome is Outcome.PASS
    assert [reason.code for reason in passed.reasons] == ["match.indicative"]
    failed = decide_match(comparison(record, 0.1), record, 1e-5)
    assert [reason.code for reason in failed.reasons] == ["match.below_threshold", "match.indicative"]


def test_an_extrapolated_point_is_used_only_when_asked_for_and_then_said(record):
    with pytest.raises(NotMeasuredError):
        decide_match(comparison(record, 0.9), record, 1e-6)
    finding = decide_match(comparison(record, 0.9), record, 1e-6, allow_extrapolated=True)
    assert [reason.code for reason in finding.reasons] == ["match.extrapolated"]


def test_a_rate_that_was_not_measured_is_an_error_and_not_a_default(record):
    for question in ({"fmr": 1e-3}, {"fmr": 1e-4, "population": "twins"}):
        with pytest.raises(NotMeasuredError):
            decide_match(comparison(record, 0.9), record, **question)


def test_without_a_comparison_the_check_was_not_run(record):
    finding = decide_match(None, record, 1e-4)
    assert finding.outcome is Outcome.NOT_RUN
    assert finding.score is None
    assert [reason.code for reason in finding.reasons] == ["match.no_template"]


def test_a_comparison_is_judged_by_its_own_model_only(record):
    space = dataclasses.replace(record.embedding_space(), version="other")
    with pytest.raises(RecordMismatchError):
        decide_match(Comparison(0.9, space), record, 1e-4)


def test_the_evidence_places_the_score_on_both_distributions(record):
    found = score_evidence(0.3, record, POINTS[1])
    assert found.non_mated_at_or_above == 10 / 200  # the bin from 0.25 on counts in full
    assert found.mated_at_or_below == 5 / 20
    assert (found.non_mated_pairs, found.mated_pairs) == (200, 20)
    assert found.margin == pytest.approx(-0.2)
    assert "do not reach" in found.sentence and "5 %" in found.sentence and "25 %" in found.sentence
    high = score_evidence(0.6, record, POINTS[1])
    assert high.non_mated_at_or_above == 0.0
    assert "none score as high" in high.sentence


def test_without_a_histogram_only_the_threshold_is_known(record):
    found = score_evidence(0.6, record.with_points(POINTS, None), POINTS[1])
    assert found.non_mated_at_or_above is None and found.mated_at_or_below is None
    assert "0.600" in found.sentence and "reach the 0.500" in found.sentence


def test_details_are_ready_for_json_and_hold_no_template(record):
    details = json.loads(json.dumps(decide_match(comparison(record, 0.3), record, 1e-4).details))
    assert details["threshold"] == 0.5
    assert not any(isinstance(value, list) for value in details.values())
