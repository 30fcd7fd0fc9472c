"""What a record says of a single comparison: bounds, bins, the sidecar, and nothing where nothing was measured."""

from __future__ import annotations

import math
import shutil
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from samebody.match import decide_match
from samebody.models import ModelRecord, Reliability, catalogue, read_records, write_operating_points, write_reliability
from samebody.models.catalogue import BUNDLED_RECORDS
from samebody.models.errors import RecordError
from samebody.types import Comparison


def line(slope=20.0, offset=-5.0, covariance=(1.0, -0.2, 0.09)) -> dict:
    return {
        "slope": slope,
        "offset": offset,
        "covariance": covariance,
        "mated_pairs": 500,
        "mated_subjects": 20,
        "non_mated_pairs": 9000,
        "non_mated_subjects": 600,
    }


def block(**changes) -> Reliability:
    point = catalogue()["face/sface"].operating_point(1e-4)
    at = {"fmr": 1e-4, "threshold": point.threshold}
    miss = {**at, "fnmr": 0.1, "interval": (0.05, 0.2), "pairs": 80, "subjects": 12}
    fields = {
        "dataset": "a test",
        "population": "matched-adults",
        "line": line(),
        "bins": [
            {"low": 0, "high": 40, "line": line(10.0, -4.0), "misses": [miss]},
            {"low": 40, "high": 101},
        ],
        "cllr": 0.2,
        "cllr_min": 0.15,
    }
    return Reliability.model_validate({**fields, **changes})


@given(st.floats(-1, 1), st.one_of(st.none(), st.floats(0, 100)))
def test_ratio_and_interval_stay_within_the_bounds_and_in_order(score, quality):
    found = block().likelihood(score, quality)
    low, high = found.interval
    assert -math.log(21) <= low <= found.llr <= high <= math.log(301)
    assert found.sentence.startswith("This score is")


@given(st.lists(st.floats(-1, 1), min_size=2, max_size=6).map(sorted), st.floats(0, 100))
def test_a_higher_score_never_says_less(scores, quality):
    ratios = [block().likelihood(score, quality).llr for score in scores]
    assert ratios == sorted(ratios)


def test_the_bin_of_the_quality_gives_the_line_and_100_is_in_the_last():
    assert block().likelihood(0.3, 20.0).llr == pytest.approx(-1.0)
    assert block().likelihood(0.3, 40.0).llr == pytest.approx(1.0)
    assert block().likelihood(0.3).llr == pytest.approx(1.0)
    assert block().likelihood(0.3, 100.0).quality_bin == (40, 100)
    assert block().likelihood(0.3).quality_bin is None


def test_the_interval_is_that_of_the_covariance():
    found = block().likelihood(0.3)
    deviation = math.sqrt(0.09 * 1.0 + 2 * 0.3 * -0.2 + 0.09)
    assert found.interval == pytest.approx((1 - 1.959964 * deviation, 1 + 1.959964 * deviation), rel=1e-6)


def test_a_miss_rate_is_shown_only_at_its_own_threshold():
    point = catalogue()["face/sface"].operating_point(1e-4)
    assert block().likelihood(0.3, 20.0, point.threshold).fnmr == 0.1
    assert block().likelihood(0.3, 20.0, float(np.nextafter(point.threshold, 1))).fnmr is None
    assert block().likelihood(0.3, 60.0, point.threshold).fnmr is None


@pytest.mark.parametrize(
    "changes",
    [
        {"line": {**line(), "mated_subjects": 0}},
        {"version": 2},
        {"bins": [{"low": 0, "high": 30}, {"low": 40, "high": 101}]},
        {"bins": [{"low": 30, "high": 30}]},
        {"line": line(covariance=(1.0, 2.0, 1.0))},
        {"line": line(slope=-1.0)},
        {"surprise": 1},
    ],
)
def test_a_block_that_contradicts_itself_is_refused(changes):
    with pytest.raises(ValidationError):
        block(**changes)


def test_a_finding_carries_the_ratio_when_the_record_has_it_and_nothing_otherwise():
    record = catalogue()["face/sface"]
    bare = record.with_points(record.operating_points, record.score_histogram)
    with_it = record.with_points(record.operating_points, record.score_histogram, block())
    comparison = Comparison(0.4, record.embedding_space())
    assert "reliability" not in decide_match(comparison, bare, 1e-4, quality=30.0).details
    finding = decide_match(comparison, with_it, 1e-4, quality=30.0)
    assert finding.details["reliability"]["llr"] == pytest.approx(0.0)
    assert finding.details["reliability"]["fnmr"] == 0.1
    assert finding.outcome is decide_match(comparison, bare, 1e-4).outcome


@pytest.fixture
def own_record(tmp_path: Path) -> ModelRecord:
    (tmp_path / "face").mkdir()
    for name in ("sface.toml", "sface.points.json"):
        shutil.copy(BUNDLED_RECORDS / "face" / name, tmp_path / "face" / name)
    return read_records(tmp_path)["face/sface"]


def test_the_block_travels_with_the_sidecar_and_survives_new_operating_points(own_record):
    assert own_record.path is not None
    write_reliability(own_record, block())
    again = read_records(own_record.path.parent.parent)["face/sface"]
    assert again.reliability == block()
    assert again.operating_points == own_record.operating_points
    write_operating_points(again, again.operating_points[:2], again.score_histogram)
    assert read_records(own_record.path.parent.parent)["face/sface"].reliability == block()
    write_reliability(again, None)
    assert read_records(own_record.path.parent.parent)["face/sface"].reliability is None


def test_without_measured_points_there_is_nothing_to_write_beside(own_record):
    assert own_record.path is not None
    own_record.path.with_name("sface.points.json").unlink()
    with pytest.raises(RecordError, match="operating-points"):
        write_reliability(own_record, block())
