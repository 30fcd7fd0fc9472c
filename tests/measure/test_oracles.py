"""Against the frozen values of other people's programs: ties, rounded, constant, one class empty, a single subject."""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import pytest

from samebody.measure import (
    EmptyClassError,
    cllr,
    cllr_min,
    cmc_curve,
    demographic_rates,
    det_curve,
    equal_error_rate,
    fit_isotonic,
    fit_logistic,
    fmr,
    fnmr,
    identification_rates,
    search_outcomes,
    threshold_at_fmr,
    unlinkability,
)

HERE = Path(__file__).parent / "oracles"
CASES = json.loads((HERE / "cases.json").read_text())
SCORES = {
    name: (np.array(case["mated"], dtype=float), np.array(case["non_mated"], dtype=float), case)
    for name, case in CASES["scores"].items()
}
EMPTY = {"no mated", "no non-mated"}
FULL = sorted(set(SCORES) - EMPTY)


def oracle(name: str):
    return json.loads((HERE / f"{name}.json").read_text())["values"]


BOB, PYEER, AUDMETRIC, LIR, FAIRLEARN = (oracle(name) for name in ("bob", "pyeer", "audmetric", "lir", "fairlearn"))


def numbers(values):
    return np.array([float(value) for value in values])


def test_every_fixture_says_which_versions_made_it():
    for name, package in (
        ("bob", "bob.measure"),
        ("pyeer", "pyeer"),
        ("audmetric", "audmetric"),
        ("lir", "lir"),
        ("fairlearn", "scikit-learn"),
    ):
        assert json.loads((HERE / f"{name}.json").read_text())["versions"][package]


@pytest.mark.parametrize("name", FULL)
def test_rates_agree_with_bob(name):
    mated, non_mated, case = SCORES[name]
    for threshold, expected in zip(case["thresholds"], BOB[name]["farfrr"]):
        assert [fmr(non_mated, threshold), fnmr(mated, threshold)] == pytest.approx(expected)


@pytest.mark.parametrize("name", FULL)
def test_thresholds_realise_the_rate_that_bobs_do(name):
    _, non_mated, case = SCORES[name]
    for target, expected in zip(case["targets"], BOB[name]["far_threshold"]):
        found = threshold_at_fmr(non_mated, target)
        assert found.realised_fmr == fmr(non_mated, expected)
        # Between the two thresholds there is no score, so both decide alike on this set.
        low, high = sorted((found.value, expected))
        assert not np.any((non_mated >= low) & (non_mated < high))


@pytest.mark.parametrize("name", sorted(EMPTY))
def test_an_empty_class_is_an_error_here_as_it_is_there(name):
    mated, non_mated, _ = SCORES[name]
    assert BOB[name]["farfrr"][0]["raised"]
    for function in (det_curve, equal_error_rate, fit_logistic, fit_isotonic, cllr_min, cllr, unlinkability):
        with pytest.raises(EmptyClassError):
            function(mated, non_mated)


@pytest.mark.parametrize("name", FULL)
def test_the_det_curve_agrees_with_pyeer(name):
    mated, non_mated, _ = SCORES[name]
    curve, expected = det_curve(mated, non_mated), PYEER[name]
    np.testing.assert_array_equal(curve.thresholds[:-1], numbers(expected["thresholds"]))
    np.testing.assert_allclose(curve.fmr[:-1], numbers(expected["fmr"]), atol=1e-12)
    np.testing.assert_allclose(curve.fnmr[:-1], numbers(expected["fnmr"]), atol=1e-12)


@pytest.mark.parametrize("name", FULL)
def test_the_equal_error_rate_agrees_with_pyeer(name):
    mated, non_mated, _ = SCORES[name]
    found = equal_error_rate(mated, non_mated, "closest-mean")
    if name == "constant":  # it knows no threshold that refuses everyone and reports 1; half is right for equal scores
        assert PYEER[name]["eer"] == 1
        assert found.value == 0.5
    else:
        assert found.value == pytest.approx(PYEER[name]["eer"])


@pytest.mark.parametrize("name", sorted(set(FULL) - {"constant"}))  # where it knows no threshold without a false match
def test_fnmr_at_no_false_match_agrees_with_pyeer(name):
    mated, non_mated, _ = SCORES[name]
    assert fnmr(mated, threshold_at_fmr(non_mated, 0.0).value) == pytest.approx(PYEER[name]["fmr0"])


@pytest.mark.parametrize("name", FULL)
def test_the_det_curve_agrees_with_scikit_learn(name):
    mated, non_mated, _ = SCORES[name]
    expected = FAIRLEARN["scores"][name]["det"]
    assert not isinstance(expected, dict)
    for false_positive, false_negative, threshold in zip(*expected):
        assert [fmr(non_mated, float(threshold)), fnmr(mated, float(threshold))] == pytest.approx(
            [false_positive, false_negative]
        )


@pytest.mark.parametrize("name", sorted(set(FULL) - {"constant"}))
@pytest.mark.parametrize(("omega", "bins", "key"), [(1.0, None, "1.0"), (0.25, None, "0.25"), (1.0, 7, "7")])
def test_linkability_agrees_with_audmetric_when_integrated_as_it_does(name, omega, bins, key):
    mated, non_mated, _ = SCORES[name]
    expected = AUDMETRIC[name]["linkability_7"] if key == "7" else AUDMETRIC[name]["linkability"][key]
    if mated.size < 10 and bins is None:
        bins = 1  # it takes no bins at all then and returns 0
    found = unlinkability(mated, non_mated, omega=omega, bins=bins, permutations=20)
    assert found.d_sys_trapezoid == pytest.approx(expected, abs=1e-12)
    assert found.d_sys >= found.d_sys_trapezoid  # which halves the end bins


@pytest.mark.parametrize("name", FULL)
def test_cllr_agrees_with_lir_and_bob(name):
    mated, non_mated, _ = SCORES[name]
    assert cllr(mated, non_mated) == pytest.approx(BOB[name]["cllr"])
    # lir takes decimal logarithms
    assert cllr(mated * math.log(10), non_mated * math.log(10)) == pytest.approx(LIR[name]["cllr"])


@pytest.mark.parametrize("name", FULL)
def test_the_least_cllr_agrees_with_lir(name):
    mated, non_mated, _ = SCORES[name]
    assert cllr_min(mated, non_mated) == pytest.approx(LIR[name]["cllr_min"], abs=1e-9)


@pytest.mark.parametrize("name", FULL)
def test_isotonic_ratios_agree_with_lir_within_the_bounds(name):
    mated, non_mated, _ = SCORES[name]
    model = fit_isotonic(mated, non_mated)
    expected = np.clip(numbers(LIR[name]["isotonic"]) * math.log(10), *model.bounds)
    np.testing.assert_allclose(model.llr(np.unique(np.concatenate([mated, non_mated]))), expected, atol=1e-9)


@pytest.mark.parametrize("name", FULL)
def test_isotonic_ratios_agree_with_scikit_learn_within_the_bounds(name):
    mated, non_mated, _ = SCORES[name]
    model = fit_isotonic(mated, non_mated)
    share = numbers(FAIRLEARN["scores"][name]["isotonic"])
    with np.errstate(divide="ignore"):
        expected = np.log(share) - np.log1p(-share) - math.log(mated.size / non_mated.size)
    found = model.llr(np.unique(np.concatenate([mated, non_mated])))
    np.testing.assert_allclose(found, np.clip(expected, *model.bounds), atol=1e-9)


@pytest.mark.parametrize("name", ["smooth", "ties", "rounded", "integers", "overlapping"])
def test_logistic_calibration_agrees_with_scikit_learn(name):
    mated, non_mated, _ = SCORES[name]
    model = fit_logistic(mated, non_mated, smoothed=False)
    assert [model.slope, model.offset] == pytest.approx(FAIRLEARN["scores"][name]["logistic"], rel=1e-4)


def test_searches_agree_with_bob():
    matrix, expected = np.array(CASES["searches"]), BOB["searches"]
    outcomes = search_outcomes(matrix, np.arange(70), np.arange(40))
    assert (outcomes.enrolled, outcomes.mate_ranks.size, outcomes.top_scores.size) == (40, 40, 30)
    np.testing.assert_allclose(cmc_curve(outcomes).rates, expected["cmc"])
    for rank, detected in zip((1, 3), expected["dir"]):
        for threshold, share, alarms in zip(expected["thresholds"], detected, expected["far"]):
            found = identification_rates(outcomes, threshold, rank)
            assert found.fnir is not None and found.fpir is not None
            assert 1 - found.fnir.rate == pytest.approx(share)
            assert found.fpir.rate == pytest.approx(alarms)


def test_point_values_by_group_agree_with_fairlearn():
    data, expected = CASES["groups"], FAIRLEARN["groups"]
    group, mated, accepted = (np.array(data[key]) for key in ("group", "mated", "accepted"))
    same, other = mated == 1, mated == 0
    found = demographic_rates(
        accepted[same],
        group[same],
        accepted[other],
        group[other],
        group[other],
        0.5,
        threshold_source="given",
    )
    assert [entry.group for entry in found.groups] == expected["names"]
    assert [entry.fmr.rate for entry in found.groups] == pytest.approx(expected["fmr"])
    assert [entry.fnmr.rate for entry in found.groups] == pytest.approx(expected["fnmr"])
    summary = found.differentials()
    ratios = [1 / summary.fmr_max_over_min.value, 1 / summary.fnmr_max_over_min.value]
    assert ratios == pytest.approx(expected["min_over_max"])
    assert summary.fdr.value == pytest.approx(1 - 0.5 * sum(expected["max_minus_min"]))
