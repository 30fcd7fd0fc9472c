"""Cohort normalisation: formulas by hand, no person in two parts, a planted bias that it removes and one it cannot."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from samebody.errors import UsageError
from samebody.lab.evaluate.mitigation import (
    CohortNorm,
    LabelledTemplates,
    MatedTemplates,
    MitigationOptions,
    MitigationResult,
    compare_mitigations,
    split_people,
)
from samebody.lab.evaluate.mitigation_run import LEGAL, markdown
from samebody.measure import BootstrapOptions, EmptyClassError, InvalidScoresError

OPTIONS = MitigationOptions(targets=(1e-2,), top=20, bootstrap=BootstrapOptions(replicates=60))


def unit(rows: np.ndarray) -> np.ndarray:
    return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)


def population(per_group: int = 160, seed: int = 0) -> LabelledTemplates:
    """Two groups in one space: those of ``near`` crowd around a direction of theirs and so resemble each other."""
    rng = np.random.default_rng(seed)
    far = rng.standard_normal((per_group, 32))
    near = rng.standard_normal((per_group, 32)) + 1.2 * np.eye(32)[0] * np.sqrt(8)
    names = np.array([f"p{number}" for number in range(2 * per_group)])
    return LabelledTemplates(unit(np.vstack([far, near])), names, np.array(["far"] * per_group + ["near"] * per_group))


@given(st.integers(0, 2**32), st.one_of(st.none(), st.integers(2, 9)))
def test_normalised_scores_are_those_of_the_formula(seed, top):
    rng = np.random.default_rng(seed)
    cohort, one, two = (unit(rng.standard_normal((count, 5))) for count in (9, 4, 4))
    norm = CohortNorm(cohort, top)
    scores = np.einsum("nd,nd->n", one, two)
    found = norm.normalise(scores, norm.statistics(one), norm.statistics(two))
    for number in range(4):
        parts = []
        for vector in (one[number], two[number]):
            against = sorted((float(vector.astype(float) @ other.astype(float)) for other in cohort), reverse=True)[
                : top or 9
            ]
            parts.append((scores[number] - np.mean(against)) / np.std(against))
        assert found[number] == pytest.approx(np.mean(parts), rel=1e-3, abs=1e-3)
    swapped = norm.normalise(scores, norm.statistics(two), norm.statistics(one))
    np.testing.assert_allclose(found, swapped, rtol=1e-12)


def test_a_cohort_that_is_too_small_and_shapes_that_do_not_fit_are_refused():
    with pytest.raises(EmptyClassError, match="cohort"):
        CohortNorm(unit(np.ones((1, 3))))
    with pytest.raises(EmptyClassError, match="cohort"):
        CohortNorm(unit(np.ones((5, 3))), top=6)
    norm = CohortNorm(unit(np.random.default_rng(0).standard_normal((5, 3))))
    with pytest.raises(InvalidScoresError):
        norm.normalise(np.zeros(3), (np.zeros(2), np.ones(2)), (np.zeros(3), np.ones(3)))


@given(
    st.lists(st.tuples(st.integers(0, 12), st.sampled_from(["x", "y"])), min_size=8, max_size=60),
    st.integers(0, 100),
    st.floats(0.1, 0.8),
)
def test_nobody_stands_in_two_parts_and_everybody_in_one(people, seed, share):
    subjects = np.array([f"s{number}" for number, _ in people])
    groups = np.array([group for _, group in people])
    parts = split_people(subjects, groups, share, seed)
    assert sorted(np.concatenate(parts).tolist()) == list(range(len(people)))
    named = [set(subjects[rows].tolist()) for rows in parts]
    assert not (named[0] & named[1] or named[0] & named[2] or named[1] & named[2])
    again = split_people(subjects, groups, share, seed)
    assert all(np.array_equal(one, two) for one, two in zip(parts, again))


def test_a_share_outside_0_to_1_is_refused():
    with pytest.raises(UsageError, match="share"):
        split_people(np.array(["a"]), np.array(["x"]), 1.0, 0)


@pytest.fixture(scope="module")
def result() -> MitigationResult:
    everybody = population()
    rng = np.random.default_rng(9)
    clean = unit(rng.standard_normal((40, 32)))
    other = MatedTemplates(
        "other", clean, unit(clean + 0.08 * rng.standard_normal((40, 32))), np.arange(40).astype(str)
    )
    _, one, two = split_people(everybody.subjects, everybody.groups, OPTIONS.cohort_share, OPTIONS.seed)
    rows = np.concatenate([one, two])
    copies = unit(everybody.vectors[rows] + 0.15 * rng.standard_normal((len(rows), 32)))
    proxy = MatedTemplates(
        "proxy", copies, everybody.vectors[rows], everybody.subjects[rows], everybody.groups[rows], proxy=True
    )
    return compare_mitigations(everybody, [other, proxy], OPTIONS)


def test_every_method_is_held_to_the_overall_rate(result):
    for row in result.rows:
        assert row.overall.rate == pytest.approx(1e-2, rel=0.5)
        assert row.overall.errors == sum(group.fmr.errors for group in row.groups)
        assert row.overall.trials == sum(group.fmr.trials for group in row.groups)
        assert row.overall.interval[0] <= row.overall.rate <= row.overall.interval[1]


def test_normalisation_takes_most_of_a_planted_shift_away_and_says_by_how_much(result):
    raw, normed = result.row("raw", 1e-2), result.row("t-norm", 1e-2)
    rates = {group.group: group.fmr.rate for group in raw.groups}
    assert rates["near"] > 10 * max(rates["far"], 1e-6)
    spread = {entry.name: entry for entry in normed.spreads}["Gini of FMR"]
    assert spread.value < 0.6 * {entry.name: entry for entry in raw.spreads}["Gini of FMR"].value
    assert spread.ratio_to_raw is not None and spread.ratio_to_raw[2] < 1
    assert all(entry.ratio_to_raw is None for entry in raw.spreads)


def test_thresholds_by_group_need_a_label_and_have_no_answer_without_one(result):
    row = result.row("group thresholds", 1e-2)
    assert row.needs_label and row.thresholds == ()
    assert row.fnmr["other"] is None and row.fnmr["proxy"] is not None
    assert not any(entry.needs_label for entry in result.rows if entry.method != "group thresholds")


def test_counts_are_those_of_counting_pair_by_pair(result):
    everybody, row = population(), result.row("raw", 1e-2)
    _, *halves = split_people(everybody.subjects, everybody.groups, OPTIONS.cohort_share, OPTIONS.seed)
    for place, group in enumerate(("far", "near")):
        errors = trials = 0
        for rows, limit in zip(halves, row.thresholds):
            own = [n for n in rows.tolist() if everybody.groups[n] == group]
            for index, one in enumerate(own):
                for two in own[index + 1 :]:
                    trials += 1
                    errors += (
                        float(everybody.vectors[one].astype(float) @ everybody.vectors[two].astype(float)) >= limit
                    )
        assert (row.groups[place].fmr.errors, row.groups[place].fmr.trials) == (errors, trials)


def test_a_half_is_judged_by_the_threshold_of_the_other(result):
    """The threshold of the first half is that of the second half's scores, and the other way round."""
    everybody, row = population(), result.row("raw", 1e-2)
    _, *halves = split_people(everybody.subjects, everybody.groups, OPTIONS.cohort_share, OPTIONS.seed)
    for rows, limit in zip(reversed(halves), row.thresholds):
        scores = []
        for group in ("far", "near"):
            own = everybody.vectors[[n for n in rows.tolist() if everybody.groups[n] == group]].astype(float)
            scores.append((own @ own.T)[np.triu_indices(len(own), 1)])
        joined = np.concatenate(scores)
        assert np.mean(joined >= limit) <= 1e-2 < np.mean(joined >= np.nextafter(limit, -1)) + 2 / len(joined)


def test_the_result_is_read_back_unchanged_and_the_page_carries_the_caveat(result):
    figures = json.loads(json.dumps(result.to_dict()))
    assert MitigationResult.from_dict(figures).to_dict() == figures
    noted = MitigationResult.from_dict({**figures, "notes": [LEGAL]})
    text = markdown(noted)
    assert "unlawful" in text and "as-norm" in text and "| near |" in text


@hypothesis_settings(max_examples=5)
@given(st.integers(0, 50))
def test_the_same_seed_gives_the_same_figures(seed):
    small = population(40, seed)
    options = MitigationOptions(targets=(0.05,), methods=("raw", "as-norm"), top=5, bootstrap=BootstrapOptions(20))
    one, two = (compare_mitigations(small, [], options).to_dict() for _ in range(2))
    assert one == two
