"""Drift: the index against a naive oracle, quiet months, planted shifts, and the command on a store."""

from __future__ import annotations

import math
from datetime import timedelta

import numpy as np
import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binom

from benchmarks.drift import DAY, START, month, simulated
from samebody.cli.operate_drift import command
from samebody.operate.drift import (
    DriftLimits,
    compare_windows,
    same_outcomes,
    same_scores,
    score_stability,
    stability_index,
)
from samebody.operate.errors import WindowError
from samebody.operate.watch import watch
from samebody.operate.windows import ABSENT, CheckData, WindowData, read_window
from samebody.store import Store
from samebody.store.audit import verify_log
from samebody.store.schema import AuditEventRow
from tests.operate.conftest import add_case, concluded, fill
from tests.store.conftest import SetClock


@pytest.mark.parametrize("seeds", [3, pytest.param(100, marks=pytest.mark.slow)])
def test_a_quiet_month_raises_no_alarm(seeds: int) -> None:
    noisy = sum(any(month(seed)) for seed in range(seeds))
    # with the stated 5 % of noisy months, more than this happens in less than one of a thousand runs
    assert noisy <= binom.ppf(0.999, seeds, 0.05)
    assert noisy == 0 or seeds > 3  # of these three none is


def test_a_planted_shift_is_found_on_its_first_day_and_not_before() -> None:
    alarms = month(0, shift_on=20)
    assert not any(alarms[:20])
    assert all(alarms[20:])


def test_a_check_that_falls_silent_is_an_alarm() -> None:
    random = np.random.default_rng(3)
    reference, window = simulated(random, START, 500), simulated(random, START + DAY, 60)
    checks = dict(window.checks)
    del checks["check.1"]
    report = compare_windows(reference, WindowData(window.start, window.end, 60, checks))
    assert [(each.check, each.kind) for each in report.alarms] == [("check.1", "outcome")]
    assert report.alarms[0].window == {ABSENT: 1.0}


def test_with_few_cases_nothing_is_said() -> None:
    random = np.random.default_rng(3)
    report = compare_windows(simulated(random, START, 500), simulated(random, START + DAY, 29, shift=5.0))
    assert {each.state for each in report.differences} == {"too_few"}
    assert report.alarms == ()


def test_a_difference_that_does_not_matter_is_quiet_however_many_cases() -> None:
    random = np.random.default_rng(5)
    reference = WindowData(START, START + DAY, 1, {"x": CheckData(np.sort(random.normal(0, 1, 20_000)), {"pass": 1})})
    window = WindowData(
        START + DAY, START + 2 * DAY, 1, {"x": CheckData(np.sort(random.normal(0.1, 1, 20_000)), {"pass": 1})}
    )
    (score,) = [each for each in compare_windows(reference, window).differences if each.kind == "score"]
    assert score.p is not None and score.psi is not None
    assert score.p < score.p_limit and score.psi < 0.1 and score.state == "quiet"


@given(st.lists(st.tuples(st.integers(0, 500), st.integers(0, 500)), min_size=1, max_size=12))
def test_the_index_is_the_sum_of_its_terms_symmetric_and_not_negative(counts: list[tuple[int, int]]) -> None:
    first, second = [a for a, _ in counts], [b for _, b in counts]
    k = len(counts)
    p = [(a + 0.5) / (sum(first) + 0.5 * k) for a in first]
    q = [(b + 0.5) / (sum(second) + 0.5 * k) for b in second]
    naive = sum((y - x) * (math.log(y) - math.log(x)) for x, y in zip(p, q, strict=True))
    assert stability_index(first, second) == pytest.approx(naive, abs=1e-12)
    assert stability_index(first, second) == pytest.approx(stability_index(second, first), abs=1e-12)
    assert stability_index(first, second) >= -1e-15


@given(st.lists(st.integers(0, 5), min_size=2, max_size=60), st.lists(st.integers(0, 5), min_size=2, max_size=60))
def test_scores_that_are_equal_have_no_distance_and_order_does_not_count(a: list[int], b: list[int]) -> None:
    first, second = np.array(a, float), np.array(b, float)
    assert score_stability(first, first) == 0.0
    assert score_stability(first, second) == score_stability(first[::-1], second[::-1])
    assert 0.0 <= same_scores(first, second) <= 1.0


def test_outcomes_of_the_same_shares_are_never_rejected_too_often() -> None:
    random = np.random.default_rng(11)
    names = ("pass", "fail", "unsure")
    ps = [
        same_outcomes(
            *(dict(zip(names, map(int, random.multinomial(n, [0.9, 0.07, 0.03])), strict=True)) for n in (400, 60))
        )
        for _ in range(150)
    ]
    assert np.mean(np.array(ps) <= 0.05) <= 0.05 + 3 * math.sqrt(0.05 * 0.95 / 150)
    assert min(ps) < 0.5  # it can reject at all


def test_windows_that_overlap_or_are_empty_are_refused() -> None:
    random = np.random.default_rng(1)
    with pytest.raises(WindowError, match="overlap"):
        compare_windows(simulated(random, START, 50), simulated(random, START + DAY / 2, 50))
    with pytest.raises(WindowError):
        DriftLimits(monthly_alarms=0.0)


def test_a_store_is_quiet_until_a_shift_is_planted(store: Store, clock: SetClock, where: list[str]) -> None:
    fill(store, clock, days=4, a_day=40, seed=1)
    options = [*where, "--reference-days", "3"]
    quiet = CliRunner().invoke(command, [*options, "--until", f"{clock():%Y-%m-%dT%H:%M:%S}"])
    assert quiet.exit_code == 0, quiet.output
    assert "40 cases against 120" in quiet.output and "0 alarms" in quiet.output
    fill(store, clock, days=1, a_day=40, seed=2, shift=-0.15)
    loud = CliRunner().invoke(command, [*options, "--until", f"{clock():%Y-%m-%dT%H:%M:%S}"])
    assert loud.exit_code == 1
    assert "ALARM face.match (score)" in loud.output and "selfie.quality (score)" not in loud.output
    with store.read() as tx:
        written = [row for row in tx.query(AuditEventRow) if row.action == "drift.alarmed"]
        assert "face.match" in {row.object for row in written}
        assert verify_log(tx, store.audit).sound


def test_a_case_counts_once_with_its_first_attempt(store: Store, clock: SetClock) -> None:
    case_id = add_case(store, 0.9)
    clock.move(hours=1)
    with store.write() as tx:
        store.verdicts.record(tx, "local", case_id, 2, concluded(0.1, case_id, 60.0), worker="w")
    clock.move(hours=1)
    with store.read() as tx:
        window = read_window(tx, "local", clock() - DAY, clock())
        later = read_window(tx, "local", clock() - timedelta(minutes=90), clock())
    assert window.cases == 1 and list(window.checks["face.match"].scores) == [0.9]
    assert later.cases == 0 and not later.checks


def test_the_same_window_twice_gives_the_same_report(store: Store, clock: SetClock) -> None:
    fill(store, clock, days=2, a_day=5, seed=1)
    reports = [watch(store, "local", actor="t", reference_days=1) for _ in range(2)]
    assert reports[0] == reports[1] and reports[0].window_cases == 5
