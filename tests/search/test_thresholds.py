"""The threshold of a search follows from the FPIR asked for and the size of the gallery, and never from a guess."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from samebody.models.points import ScoreHistogram, Sidecar
from samebody.search.thresholds import (
    MeasuredRates,
    RateRangeError,
    RatesFileError,
    ThresholdUnknownError,
    UnitVectorRates,
    comparisons_within,
    fpir_for_pairs,
    fpir_of,
    needed_fmr,
    synthetic_vector_space,
    threshold_for_search,
)
from samebody.types import OperatingPoint

RATE = st.floats(1e-9, 0.5)


def point(fmr: float, threshold: float, **fields: object) -> OperatingPoint:
    plain = OperatingPoint(fmr, threshold, fmr, "all-pairs", "made", 10**8, 1000, 100, 50.0, (fmr / 2, fmr))
    return replace(plain, **fields)  # type: ignore[arg-type]


POINTS = (
    point(1e-2, 0.30),
    point(1e-3, 0.40),
    point(1e-4, 0.50),
    point(1e-5, 0.60, extrapolated=True, effective_errors=0.0),
    point(1e-6, 0.70, extrapolated=True, effective_errors=0.0),
    point(1e-7, 0.80, extrapolated=True, effective_errors=0.0),  # 1,000 times beyond 1e-4: too far
)
RATES = MeasuredRates("made", POINTS, population="all-pairs")


@given(RATE, st.integers(1, 10**9))
def test_needed_fmr_gives_the_fpir_back(fpir: float, comparisons: int) -> None:
    assert math.isclose(fpir_of(needed_fmr(fpir, comparisons), comparisons), fpir, rel_tol=1e-9)


@given(RATE, st.integers(1, 10**6), st.integers(1, 1000))
def test_the_fmr_tightens_as_the_gallery_grows(fpir: float, comparisons: int, more: int) -> None:
    assert needed_fmr(fpir, comparisons + more) < needed_fmr(fpir, comparisons)


@given(st.floats(1e-9, 1e-2), st.floats(1e-6, 0.5))
def test_the_largest_gallery_is_the_largest(fmr: float, fpir: float) -> None:
    largest = comparisons_within(fpir, fmr)
    assert fpir_of(fmr, largest) <= fpir * (1 + 1e-9)
    assert fpir_of(fmr, largest + 1) > fpir * (1 - 1e-9)


def test_an_expected_number_of_false_pairs_is_a_rate() -> None:
    for count in (10, 1000, 10**6):
        pairs = count * (count - 1) // 2
        assert math.isclose(needed_fmr(fpir_for_pairs(2.0, pairs, count), count) * pairs, 2.0, rel_tol=1e-6)
    assert 0 < fpir_for_pairs(1.0, 0, 0) < 1
    with pytest.raises(RateRangeError):
        fpir_for_pairs(0.0, 10, 10)


def test_small_rates_are_not_lost_in_rounding() -> None:
    assert math.isclose(needed_fmr(0.01, 10**9), -math.log1p(-0.01) / 10**9, rel_tol=1e-9)
    assert math.isclose(fpir_of(1e-18, 10), 1e-17, rel_tol=1e-9)
    assert fpir_of(1.0, 3) == 1.0 and fpir_of(1.0, 0) == 0.0 and fpir_of(0.3, 0) == 0.0


@pytest.mark.parametrize("call", [(0.0, 5), (1.0, 5), (0.1, 0)])
def test_what_is_no_rate_is_refused(call: tuple[float, int]) -> None:
    with pytest.raises(RateRangeError):
        needed_fmr(*call)


def test_the_loosest_point_that_is_strict_enough_is_used_and_never_interpolated() -> None:
    assert RATES.threshold(5e-3).score == 0.40
    assert RATES.threshold(1e-3).score == 0.40
    found = threshold_for_search(RATES, 0.01, 100)  # needs 1.005e-4
    assert (found.score, found.at.fmr) == (0.50, 1e-4)
    assert found.expected_fpir <= 0.01


def test_the_threshold_rises_with_the_gallery() -> None:
    scores = [threshold_for_search(RATES, 0.5, size).score for size in (1, 10, 100, 1000)]
    assert scores == sorted(scores) and scores[0] < scores[-1]


def test_extrapolated_points_are_opt_in_named_and_refused_too_far_out() -> None:
    with pytest.raises(ThresholdUnknownError, match="only by extrapolation"):
        RATES.threshold(1e-5)
    found = RATES.threshold(1e-6, allow_extrapolated=True)
    assert found.extrapolated and found.score == 0.70 and "extrapolated" in found.note
    with pytest.raises(ThresholdUnknownError, match="1e-06"):
        RATES.threshold(1e-7, allow_extrapolated=True)


def test_an_error_names_what_the_search_would_need() -> None:
    with pytest.raises(ThresholdUnknownError, match=r"1,000,000 references needs a false match rate of 1.01e-08"):
        threshold_for_search(RATES, 0.01, 10**6)
    with pytest.raises(ThresholdUnknownError, match="no points"):
        MeasuredRates("empty", ()).threshold(0.1)


def test_indicative_points_do_not_carry_an_extrapolation() -> None:
    points = (point(1e-2, 0.3), point(1e-4, 0.5, indicative=True), point(1e-5, 0.6, extrapolated=True))
    rates = MeasuredRates("weak", points, population="all-pairs")
    assert rates.threshold(1e-4).indicative
    with pytest.raises(ThresholdUnknownError):  # 1,000 times beyond the last point with 30 effective errors
        rates.threshold(1e-5, allow_extrapolated=True)


def test_the_fmr_of_a_score_is_the_strictest_the_measurement_supports() -> None:
    assert RATES.fmr_at(0.2).basis == "none" and RATES.fmr_at(0.2).fmr == 1.0
    assert RATES.fmr_at(0.45).fmr == 1e-3
    assert RATES.fmr_at(0.9).fmr == 1e-4
    found = RATES.fmr_at(0.9, allow_extrapolated=True)
    assert (found.fmr, found.extrapolated) == (1e-6, True)


def test_a_histogram_refines_the_fmr_only_where_scores_stand_behind_it() -> None:
    histogram = ScoreHistogram(
        start=0.0, stop=1.0, count=4, mated=(0, 0, 0, 9), non_mated=(9000, 960, 36, 4), dataset="x",
        population="all-pairs",
    )  # fmt: skip
    rates = replace(RATES, histogram=histogram)
    assert rates.fmr_at(0.26).basis == "histogram"
    assert math.isclose(rates.fmr_at(0.26).fmr, 0.1)
    assert rates.fmr_at(0.8).basis == "point"  # 4 scores are no rate
    assert rates.fmr_at(0.8).fmr == 1e-4
    coarse = replace(rates, points=(point(1e-2, 0.3),))
    assert coarse.fmr_at(0.8).fmr == coarse.fmr_at(0.6).fmr == 40 / 10_000  # the last bin that 30 scores reach
    steps = [rates.fmr_at(score).fmr for score in np.linspace(-0.2, 1.2, 200)]
    assert steps == sorted(steps, reverse=True)
    other = replace(rates, histogram=histogram.model_copy(update={"population": "others"}))
    assert other.fmr_at(0.26).basis == "none"


@given(st.integers(2, 600), st.floats(1e-12, 0.4))
def test_random_vectors_have_exact_rates(dimension: int, fmr: float) -> None:
    rates = UnitVectorRates(dimension)
    found = rates.threshold(fmr)
    assert found.synthetic and -1 <= found.score <= 1
    if found.score < 1 - 1e-9:
        assert math.isclose(rates.fmr_at(found.score).fmr, fmr, rel_tol=1e-5)


def test_random_vectors_score_as_their_rates_say() -> None:
    generator = np.random.default_rng(5)
    vectors = generator.standard_normal((4000, 24)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    scores = (vectors[:2000] @ vectors[2000:].T).ravel()
    for fmr in (1e-2, 1e-3, 1e-4):
        seen = np.count_nonzero(scores >= UnitVectorRates(24).threshold(fmr).score)
        assert abs(seen - fmr * scores.size) < 6 * math.sqrt(fmr * scores.size) + 0.02 * fmr * scores.size


def test_rates_of_a_file_belong_to_its_space(tmp_path: Path) -> None:
    space = synthetic_vector_space(8).digest
    path = tmp_path / "rates.json"
    sidecar = Sidecar(space=space, provenance={"synthetic": True}, operating_points=POINTS[:3])
    path.write_text(json.dumps(sidecar.model_dump(mode="json")), "utf-8")
    rates = MeasuredRates.of_file(path, space)
    assert rates.synthetic and rates.threshold(1e-3).synthetic and rates.population == "all-pairs"
    with pytest.raises(RatesFileError, match="measured in space"):
        MeasuredRates.of_file(path, "0" * 16)
    with pytest.raises(RatesFileError, match="cannot be read"):
        MeasuredRates.of_file(tmp_path / "nowhere.json", space)
    path.write_text("{", "utf-8")
    with pytest.raises(RatesFileError, match="holds no operating points"):
        MeasuredRates.of_file(path, space)


def test_the_bundled_face_record_serves_a_small_gallery_and_says_no_to_a_large_one() -> None:
    from samebody.models import catalogue

    rates = MeasuredRates.of_record(catalogue()["face/sface"])
    assert rates.population == "matched-adults" and not rates.synthetic
    assert threshold_for_search(rates, 0.01, 50).at.fmr == 1e-4
    with pytest.raises(ThresholdUnknownError):
        threshold_for_search(rates, 0.01, 10**6)
    assert rates.fmr_at(0.2).basis == "histogram"
