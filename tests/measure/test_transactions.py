"""Transactions of several attempts against a naive walk through them."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from samebody.measure import (
    EmptyClassError,
    InvalidRateError,
    InvalidScoresError,
    acquisition_rates,
    decide_transactions,
    fmr,
    fnmr,
    measure_transactions,
    transaction_rates,
)


def naive(attempts, threshold, limit, rule):
    """(accepted, used, used without a sample) of one transaction, walked through."""
    allowed = attempts[:limit]
    if rule == "any":
        for used, score in enumerate(allowed, start=1):
            if not math.isnan(score) and score >= threshold:
                return True, used, sum(math.isnan(s) for s in allowed[:used])
        return False, len(allowed), sum(math.isnan(s) for s in allowed)
    given_scores = [s for s in allowed if not math.isnan(s)]
    if rule == "best":
        accepted = bool(given_scores) and max(given_scores) >= threshold
    elif rule == "mean":
        accepted = bool(given_scores) and sum(given_scores) / len(given_scores) >= threshold
    else:
        accepted = len(given_scores) == len(allowed) and min(given_scores) >= threshold
    return accepted, len(allowed), len(allowed) - len(given_scores)


scores = st.one_of(st.integers(-4, 4).map(lambda v: v / 4), st.just(float("nan")))


@given(
    st.lists(st.lists(scores, min_size=1, max_size=5), min_size=1, max_size=8),
    st.sampled_from([-0.5, 0.0, 0.25]),
    st.integers(1, 5),
    st.sampled_from(["any", "best", "mean", "all"]),
    st.randoms(),
)
@settings(max_examples=150, deadline=None)
def test_decisions_agree_with_a_walk_through_the_attempts(transactions, threshold, limit, rule, random):
    rows = [(f"t{t}", 10 * a, s) for t, attempts in enumerate(transactions) for a, s in enumerate(attempts)]
    random.shuffle(rows)  # the order of the file says nothing, the attempt numbers do
    ids, numbers, values = zip(*rows)
    found = decide_transactions(ids, numbers, values, threshold, attempts=limit, rule=rule)
    expected = {f"t{t}": naive(attempts, threshold, limit, rule) for t, attempts in enumerate(transactions)}
    for name, accepted, used in zip(found.transactions, found.accepted, found.used):
        assert (accepted, used) == expected[name][:2]
    result = measure_transactions(ids, numbers, values, [True] * len(rows), threshold, attempts=limit, rule=rule)
    assert result.frr.errors == sum(not accepted for accepted, _, _ in expected.values())
    assert result.fta == sum(e[2] for e in expected.values()) / sum(e[1] for e in expected.values())
    assert result.far is None and result.gfar is None


def test_one_attempt_agrees_with_the_formulas():
    generator = np.random.default_rng(5)
    score = generator.normal(size=800)
    mated = np.arange(800) < 300
    acquired = generator.random(800) > 0.1
    score[~acquired] = np.nan
    found = measure_transactions(np.arange(800), np.zeros(800, int), score, mated, 0.4, attempts=1, fte=0.03)
    for kind in (False, True):
        rows = mated == kind
        fta = np.mean(~acquired[rows])
        comparisons = score[rows & acquired]
        rates = transaction_rates(fmr(comparisons, 0.4), fnmr(comparisons, 0.4), fta, 0.03)
        if kind:
            assert (found.frr.rate, found.gfrr) == pytest.approx((rates.frr, rates.gfrr))
        else:
            assert (found.far.rate, found.gfar) == pytest.approx((rates.far, rates.gfar))
    assert found.mean_attempts == 1.0


def test_more_attempts_help_the_person_and_the_impostor():
    generator = np.random.default_rng(6)
    ids, numbers = np.repeat(np.arange(400), 4), np.tile(np.arange(4), 400)
    mated = ids < 200
    score = generator.normal(size=1600) + 1.5 * mated
    people = ids % 50
    found = [measure_transactions(ids, numbers, score, mated, 1.5, attempts=k, subjects=people) for k in (1, 2, 3, 4)]
    assert all(a.far.rate <= b.far.rate and a.frr.rate >= b.frr.rate for a, b in itertools.pairwise(found))
    assert found[0].far.rate < found[3].far.rate
    assert found[0].frr.method == "subject bootstrap" and found[0].frr.subjects == 50
    assert 1.0 < found[3].mean_attempts < 4.0


def test_a_transaction_without_any_sample_is_rejected_and_counted():
    nan = float("nan")
    found = measure_transactions(
        ["t", "t", "u"], [1, 2, 1], [nan, nan, 0.9], [True, True, True], 0.5, attempts=3, rule="best"
    )
    assert (found.frr.errors, found.frr.trials, found.transactions_without_sample) == (1, 2, 1)
    assert found.fta == pytest.approx(2 / 3)


def test_acquisition_and_enrolment_are_counted_apart():
    found = acquisition_rates([True, False, True, True], ["a", "a", "b", "b"], [True] * 9 + [False])
    assert (found.fta.rate, found.fte.rate) == (0.25, 0.1)
    assert acquisition_rates() == acquisition_rates([], None, [])
    assert acquisition_rates().fta is None


def test_bad_tables_are_refused():
    with pytest.raises(InvalidScoresError, match="twice"):
        decide_transactions(["t", "t"], [1, 1], [0.1, 0.2], 0.5, attempts=2)
    with pytest.raises(InvalidScoresError, match="finite"):
        decide_transactions(["t"], [1], [np.inf], 0.5, attempts=2)
    with pytest.raises(InvalidScoresError, match="mated and non-mated"):
        measure_transactions(["t", "t"], [1, 2], [0.1, 0.2], [True, False], 0.5, attempts=2)
    with pytest.raises(InvalidScoresError, match="two subjects"):
        measure_transactions(["t", "t"], [1, 2], [0.1, 0.2], [True, True], 0.5, attempts=2, subjects=["a", "b"])
    with pytest.raises(InvalidRateError):
        decide_transactions(["t"], [1], [0.1], 0.5, attempts=0)
    with pytest.raises(InvalidRateError):
        decide_transactions(["t"], [1], [0.1], 0.5, attempts=1, rule="majority")
    with pytest.raises(InvalidRateError):
        measure_transactions(["t"], [1], [0.1], [True], 0.5, attempts=1, fte=1.5)
    with pytest.raises(EmptyClassError):
        decide_transactions([], [], [], 0.5, attempts=1)
