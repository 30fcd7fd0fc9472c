"""Acceptance criteria: met, not met, or not enough data to say, with the sample size it would take."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

from samebody.cli.evaluate_criteria import command
from samebody.lab.evaluate.criteria import CriteriaFile, CriteriaReport, judge_criteria, one_sided
from samebody.lab.evaluate.results import VerificationResult
from samebody.lab.evaluate.rules import RuleFileError, parse_rules
from samebody.measure import binomial_interval, independent_rate, upper_bound
from tests.lab.evaluate.factory import measured, synthetic_scores, written


@pytest.fixture(scope="module")
def result() -> VerificationResult:
    return measured(synthetic_scores(), bands=False, calibrate=False)


def with_rates(result: VerificationResult, fmr: tuple[int, int], fnmr: tuple[int, int]) -> VerificationResult:
    """The result with independent trials at its strictest threshold, taken from another set."""
    row = replace(result.thresholds[-1], fmr=independent_rate(*fmr), fnmr=independent_rate(*fnmr), source="another set")
    return replace(result, thresholds=(*result.thresholds[:-1], row))


def judged(result: VerificationResult, *rules: str) -> CriteriaReport:
    text = "schema_version: 1\ncriteria:\n" + "".join(f"  - {{{rule}}}\n" for rule in rules)
    return judge_criteria(parse_rules(text, CriteriaFile), result)


@pytest.mark.parametrize(
    ("errors", "trials", "target", "status"),
    [
        (0, 3000, 0.001, "met"),  # rule of 3: at most 0.000998
        (0, 2000, 0.001, "not enough data"),
        (10, 10_000, 0.002, "met"),
        (10, 10_000, 0.0011, "not enough data"),
        (40, 10_000, 0.002, "not met"),
        (10_000, 10_000, 0.5, "not met"),
    ],
)
def test_the_status_is_that_of_the_exact_bounds(
    result: VerificationResult, errors: int, trials: int, target: float, status: str
) -> None:
    found = judged(with_rates(result, (0, 1), (errors, trials)), f"metric: fnmr, at_fmr: 1e-3, at_most: {target}")
    outcome = found.outcomes[0]
    assert (found.status, outcome.status) == (status, status)
    assert outcome.bounds[1] == pytest.approx(upper_bound(errors, trials), rel=1e-9)
    if 0 < errors < trials:
        assert outcome.bounds[0] == pytest.approx(binomial_interval(errors, trials, 0.90)[0], rel=1e-9)


def test_without_an_error_the_sample_size_is_that_of_the_rule_of_3(result: VerificationResult) -> None:
    outcome = judged(with_rates(result, (0, 1), (0, 1000)), "metric: fnmr, at_fmr: 1e-3, at_most: 0.001").outcomes[0]
    needed = outcome.needed
    assert needed is not None and needed.outcome == "met"
    assert needed.comparisons == needed.subjects == math.ceil(math.log(0.05) / math.log(1 - 0.001))


@given(
    errors=st.integers(0, 40),
    trials=st.integers(50, 5000),
    target=st.floats(1e-4, 0.5),
    confidence=st.sampled_from([0.9, 0.95, 0.99]),
)
def test_the_sample_size_is_the_smallest_that_says(errors: int, trials: int, target: float, confidence: float) -> None:
    rate = independent_rate(errors, trials)
    low, high = one_sided(rate, confidence)
    assert 0 <= low <= rate.rate <= high <= 1
    result = with_rates(RESULT, (0, 1), (errors, trials))
    outcome = judged(result, f"metric: fnmr, at_fmr: 1e-3, at_most: {target!r}, confidence: {confidence}").outcomes[0]
    if outcome.needed is None:
        assert outcome.status != "not enough data" or rate.rate == pytest.approx(target, rel=0.05)
        return
    factor = outcome.needed.factor
    says = one_sided(rate, confidence, factor)
    assert (says[1] <= target) if outcome.needed.outcome == "met" else (says[0] > target)
    before = one_sided(rate, confidence, factor * 0.999)
    assert before[0] <= target < before[1]
    assert outcome.needed.outcome == ("met" if rate.rate < target else "not met")


RESULT = measured(synthetic_scores(subjects=30, samples=2), replicates=20, bands=False, calibrate=False)


@given(first=st.floats(0.001, 0.9), second=st.floats(0.001, 0.9))
def test_a_looser_target_is_never_harder(first: float, second: float) -> None:
    order = {"not met": 0, "not enough data": 1, "met": 2}
    found = [
        judged(RESULT, f"metric: fnmr, at_fmr: 1e-1, at_most: {target!r}").outcomes[0].status
        for target in sorted((first, second))
    ]
    assert order[found[0]] <= order[found[1]]


def test_dependent_comparisons_count_by_their_effective_number(result: VerificationResult) -> None:
    row = result.thresholds[-1]
    assert row.fnmr is not None and row.fnmr.effective_trials < row.fnmr.trials
    outcome = judged(result, "metric: fnmr, at_fmr: 1e-3, at_most: 0.5").outcomes[0]
    assert outcome.bounds[1] > upper_bound(row.fnmr.errors, row.fnmr.trials)


def test_minimum_counts_withhold_met_but_not_a_breach(result: VerificationResult) -> None:
    rule = "metric: fnmr, at_fmr: 1e-3, at_most: {}, minimum: {{subjects: 900}}"
    few = judged(result, rule.format(0.9)).outcomes[0]
    assert few.status == "not enough data" and few.needed is not None
    assert few.needed.subjects == 900 and few.needed.outcome == "met"
    assert judged(result, rule.format(1e-6)).outcomes[0].status == "not met"
    enough = judged(result, "metric: fnmr, at_fmr: 1e-3, at_most: 0.9, minimum: {subjects: 90, comparisons: 540}")
    assert enough.status == "met"


def test_an_fmr_set_on_the_same_data_is_not_judged(result: VerificationResult) -> None:
    outcome = judged(result, "metric: fmr, at_fmr: 1e-3, at_most: 0.01").outcomes[0]
    assert outcome.status == "not enough data" and "same data" in outcome.why
    elsewhere = with_rates(result, (3, 100_000), (1, 100))
    assert judged(elsewhere, "metric: fmr, at_fmr: 1e-3, at_most: 0.001").status == "met"


def test_each_group_has_its_own_outcome(result: VerificationResult) -> None:
    report = judged(result, "metric: fnmr, at_fmr: 1e-2, group: each, at_most: 0.9")
    assert [outcome.group for outcome in report.outcomes] == ["north", "east", "south"]
    assert judged(result, "metric: fmr, at_fmr: 1e-2, group: east, at_most: 0.9").status == "met"


def test_transactions_combine_failures_and_misses(result: VerificationResult) -> None:
    whole = with_rates(result, (0, 10_000), (20, 1000))
    whole = replace(whole, failures=replace(whole.failures, fta=independent_rate(10, 1000)))
    outcome = judged(whole, "metric: frr, at_fmr: 1e-3, at_most: 0.1").outcomes[0]
    assert outcome.value == pytest.approx(0.01 + 0.02 * 0.99)
    assert outcome.status == "met"
    half = 1 - 0.05 / 2
    fnmr, fta = upper_bound(20, 1000, half), upper_bound(10, 1000, half)
    assert outcome.bounds[1] == pytest.approx(fta + fnmr * (1 - fta))
    far = judged(whole, "metric: far, at_fmr: 1e-3, at_most: 0.1").outcomes[0]
    assert far.value == 0.0 and far.status == "met"


def test_ratios_between_groups_hold_their_value(result: VerificationResult) -> None:
    fairness = next(entry for entry in result.fairness if entry.target == 1e-1)
    for name in ("fmr_max_over_min", "fmr_max_over_geometric_mean"):
        outcome = judged(result, f"metric: {name}, at_fmr: 1e-1, at_most: 50").outcomes[0]
        assert outcome.value == pytest.approx(fairness.figures[name])
        assert 1 <= outcome.bounds[0] <= outcome.value <= outcome.bounds[1]
        assert outcome.status == "met"
    unknown = judged(result, "metric: fnmr_max_over_min, at_fmr: 1e-1, at_most: 1.01").outcomes[0]
    assert unknown.status == "not enough data"
    inequity = judged(result, "metric: inequity_rate, at_fmr: 1e-3, at_most: 1e6").outcomes[0]
    assert inequity.bounds[0] >= 1


def test_every_mistake_is_named(result: VerificationResult) -> None:
    text = """
schema_version: 1
criteria:
  - {metric: eer, at_most: 0.01}
  - {metric: fnmr, at_most: 0.01}
  - {metric: fta, at_fmr: 1e-3, at_most: 0.01}
  - {metric: fnmr, at_fmr: 1e-3, at_most: 2}
  - {metric: fmr_max_over_min, at_fmr: 1e-3, at_most: 0.5}
  - {metric: fdr, at_fmr: 1e-3, at_most: 0.5}
  - {metric: fnmr, at_fmr: 1e-3, at_most: 0.1, minimum: {subject: 3}}
"""
    with pytest.raises(RuleFileError) as caught:
        parse_rules(text, CriteriaFile)
    assert len(caught.value.mistakes) == 7
    for part in ("gates nothing", "needs either", "has no threshold", "says nothing", "cannot be met", "hundredfold"):
        assert part in str(caught.value)
    assert "did you mean subjects?" in str(caught.value)
    with pytest.raises(RuleFileError) as caught:
        judged(
            result,
            "metric: fnmr, at_fmr: 1e-7, at_most: 0.1",
            "metric: fnmr, at_fmr: 1e-3, group: west, at_most: 0.1",
            "metric: fnmr, at_fmr: 1e-3, at_most: 0.1",
        )
    assert len(caught.value.mistakes) == 2


@pytest.mark.parametrize(
    ("target", "code", "status"), [(0.9, 0, "met"), (1e-6, 1, "not met"), (0.085, 3, "not enough data")]
)
def test_the_command_says_it_by_its_exit_code(tmp_path: Path, target: float, code: int, status: str) -> None:
    written(tmp_path / "run", synthetic_scores(), replicates=40, bands=False, calibrate=False)
    (tmp_path / "criteria.yaml").write_text(
        f"schema_version: 1\ntitle: release\ncriteria:\n  - {{metric: fnmr, at_fmr: 1e-3, at_most: {target}}}\n"
    )
    arguments = [str(tmp_path / "run"), str(tmp_path / "criteria.yaml")]
    done = CliRunner().invoke(command, [*arguments, "--out", str(tmp_path / "x.json")])
    assert done.exit_code == code, done.output
    assert f"all in all: {status}" in done.output
    data = json.loads((tmp_path / "x.json").read_text())
    assert data["status"] == status and data["schema_version"] == 1
    if status == "not enough data":
        assert "would say" in done.output and data["outcomes"][0]["needed"]["subjects"] > 90
    machine = CliRunner().invoke(command, [*arguments, "--json"])
    assert json.loads(machine.output) == data


def test_the_example_in_the_documentation_is_a_criteria_file() -> None:
    page = (Path(__file__).parents[3] / "docs" / "how-to" / "acceptance-criteria.md").read_text(encoding="utf-8")
    example = page.split("```yaml\n")[1].split("```")[0]
    criteria = parse_rules(example, CriteriaFile).criteria
    assert len(criteria) == 5
    assert all(f"`{key}`" in page for key in type(criteria[0]).model_fields if key != "name")
