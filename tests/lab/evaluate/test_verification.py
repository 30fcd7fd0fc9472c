"""Figures of verification: against naive counts, against the measuring stick itself, and what must never be hidden."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from samebody.lab import evaluate
from samebody.lab.evaluate import (
    Algorithm,
    DataSet,
    GivenThreshold,
    MissingExtraError,
    ScoreSet,
    Split,
    SubjectLeakageError,
    TemplateSet,
    VerificationOptions,
    VerificationResult,
    evaluate_verification,
    template_set,
)
from samebody.lab.evaluate.non_mated import ListedNonMated
from samebody.lab.evaluate.runs import pack
from samebody.lab.evaluate.verification import measure_verification
from samebody.measure import BootstrapOptions, equal_error_rate, fmr, fnmr, threshold_at_fmr
from tests.lab.evaluate.factory import synthetic_scores

FEW = VerificationOptions(targets=(0.1, 0.01, 1e-3, 1e-6), bootstrap=BootstrapOptions(replicates=60))


def measured(scores: ScoreSet, options: VerificationOptions = FEW) -> VerificationResult:
    return measure_verification(scores, Algorithm("a"), DataSet("d"), options)


def listed(scores: ScoreSet) -> ListedNonMated:
    assert isinstance(scores.non_mated, ListedNonMated)
    return scores.non_mated


@pytest.fixture(scope="module")
def scores() -> ScoreSet:
    return synthetic_scores(subjects=45, samples=3, failed=(4, 17))


@pytest.fixture(scope="module")
def result(scores: ScoreSet) -> VerificationResult:
    return measured(scores)


def test_thresholds_and_rates_are_those_of_the_measuring_stick(scores: ScoreSet, result: VerificationResult) -> None:
    other = listed(scores).scores
    for row in result.thresholds:
        assert row.target is not None
        wanted = threshold_at_fmr(other, row.target)
        assert row.value == wanted.value and row.fmr.rate == fmr(other, row.value) == wanted.realised_fmr
        assert row.fnmr is not None and row.fnmr.rate == fnmr(scores.mated.scores, row.value)
        assert row.fmr.interval[0] <= row.fmr.rate <= row.fmr.interval[1]
    assert result.eer is not None
    assert result.eer.value == equal_error_rate(scores.mated.scores, other).value


def test_a_zero_rate_is_not_estimable_and_said(result: VerificationResult) -> None:
    strictest = result.at(1e-6)
    assert not strictest.fmr.estimable and strictest.indicative and strictest.effective_errors == 0
    assert strictest.fmr.interval[1] > 0
    assert any("only bounded" in warning for warning in result.warnings)


def test_groups_pool_to_the_whole(scores: ScoreSet, result: VerificationResult) -> None:
    for index, row in enumerate(result.thresholds):
        assert row.fnmr is not None
        parts = [group.rates[index].fnmr for group in result.groups]
        assert sum(part.errors for part in parts if part) == row.fnmr.errors
        assert sum(part.trials for part in parts if part) == row.fnmr.trials
        matrix = result.cross_groups[index]
        assert np.triu(np.array(matrix.errors)).sum() == row.fmr.errors
        assert np.triu(np.array(matrix.trials)).sum() == row.fmr.trials
        for place, group in enumerate(result.groups):
            within = group.rates[index].fmr
            assert within is not None
            assert (within.errors, within.trials) == (matrix.errors[place][place], matrix.trials[place][place])


def test_failures_to_acquire_are_counted_apart(scores: ScoreSet, result: VerificationResult) -> None:
    fta = result.failures.fta
    assert fta is not None and (fta.errors, fta.trials) == (2, 135)
    row = result.at(0.01)
    assert row.fnmr is not None and row.far is not None and row.frr is not None
    assert row.far == pytest.approx(row.fmr.rate * (1 - fta.rate))
    assert row.frr == pytest.approx(fta.rate + row.fnmr.rate * (1 - fta.rate))
    assert sum(group.fta.errors for group in result.groups if group.fta) == 2


def test_the_det_is_attained_and_falls(scores: ScoreSet, result: VerificationResult) -> None:
    det = result.det
    assert det is not None
    for index in range(0, len(det.thresholds), 25):
        assert det.fmr[index] == fmr(listed(scores).scores, det.thresholds[index])
        assert det.fnmr[index] == fnmr(scores.mated.scores, det.thresholds[index])
    assert np.all(np.diff(det.thresholds) > 0)
    assert np.all(np.diff(det.fmr) <= 0) and np.all(np.diff(det.fnmr) >= 0)
    for low, rates, high in ((det.fmr_low, det.fmr, det.fmr_high), (det.fnmr_low, det.fnmr, det.fnmr_high)):
        assert np.all(np.array(low) <= rates) and np.all(np.array(rates) <= high)
        assert min(low) >= 0 and max(high) <= 1


def test_figures_survive_json_and_come_out_the_same_again(scores: ScoreSet, result: VerificationResult) -> None:
    text = json.dumps(result.to_dict(), allow_nan=False)
    assert VerificationResult.from_dict(json.loads(text)) == result
    again = measured(scores)
    assert replace(again, provenance=result.provenance) == result


def test_rows_and_frame_have_one_line_for_each_threshold_and_group(result: VerificationResult) -> None:
    rows = result.rows()
    assert len(rows) == len(result.thresholds) * (1 + len(result.groups))
    assert {row["group"] for row in rows} == {"all", "north", "east", "south"}
    frame = pytest.importorskip("pandas") and result.to_frame()
    assert len(frame) == len(rows)


def test_a_missing_extra_is_named(result: VerificationResult, monkeypatch: pytest.MonkeyPatch) -> None:
    import sys

    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    monkeypatch.setitem(sys.modules, "pandas", None)
    for call in (result.plot, result.to_frame):
        with pytest.raises(MissingExtraError, match=r"samebody\[lab\]"):
            call()


def test_a_plot_is_drawn_where_matplotlib_is_there(result: VerificationResult) -> None:
    pytest.importorskip("matplotlib")
    figure = result.plot()
    assert len(figure.axes) == 2


def test_given_thresholds_are_applied_and_named(scores: ScoreSet) -> None:
    options = replace(FEW, given=(GivenThreshold(0.31, 0.01, "another set"), GivenThreshold(0.5)))
    found = measured(scores, options)
    assert [row.value for row in found.thresholds] == [0.31, 0.5]
    assert found.thresholds[0].source == "another set" and found.thresholds[1].target is None
    assert found.thresholds[0].fmr.rate == fmr(listed(scores).scores, 0.31)
    assert "same data" not in " ".join(found.warnings)


def test_differences_come_together_and_name_what_is_not_estimable(result: VerificationResult) -> None:
    loose, strict = result.fairness[0], result.fairness[-1]
    assert {"garbe", "inequity_rate", "fdr", "fmr_max_over_min"} <= set(loose.figures)
    assert strict.figures["inequity_rate"] is None and any("not estimable" in note for note in strict.notes)


def test_without_mated_comparisons_only_fmr_is_given(scores: ScoreSet) -> None:
    empty = replace(scores, mated=scores.mated.chosen(np.zeros(len(scores.mated), dtype=bool)))
    found = measured(empty)
    assert found.det is None and found.eer is None and found.thresholds[0].fnmr is None
    assert "fmr_gini" in found.fairness[0].figures and "fdr" not in found.fairness[0].figures
    assert any("no mated comparison" in warning for warning in found.warnings)


def test_folds_take_their_thresholds_from_the_other_folds(scores: ScoreSet) -> None:
    generator = np.random.default_rng(0)
    one, two = (generator.integers(0, 5, n).astype(np.int16) for n in (len(scores.mated), scores.non_mated.pairs))
    found = measured(replace(scores, folds=(one, two)))
    assert {fold.fold for fold in found.folds} == set(range(5))
    fold = next(fold for fold in found.folds if fold.fold == 3 and fold.target == 0.01)
    other = listed(scores).scores
    assert fold.value == threshold_at_fmr(other[two != 3], 0.01).value
    assert fold.fmr == fmr(other[two == 3], fold.value) and fold.mated == int((one == 3).sum())


def test_quality_curves_start_where_they_say_and_exist_by_group(result: VerificationResult) -> None:
    assert {curve.group for curve in result.quality} == {"", "north", "east", "south"}
    for curve in result.quality:
        assert curve.fractions[0] == 0 and curve.rates[0] <= curve.start + 1e-9
        assert set(curve.partial_areas) == {"0.05", "0.1", "0.2", "1"}
    assert {entry.name for entry in result.group_quality} == {"all", "north", "east", "south"}


def test_calibration_is_fitted_and_judged_on_other_people(result: VerificationResult) -> None:
    assert result.calibration is not None
    assert result.calibration.cllr_min <= result.calibration.cllr < 1
    assert result.calibration.fitted_on + result.calibration.judged_on == result.counts.subjects


def test_constant_scores_and_two_subjects_are_measured() -> None:
    flat = evaluate.verification(
        np.full(8, 0.5),
        probe_subjects=["a", "a", "b", "b", "a", "b", "a", "b"],
        reference_subjects=["a", "a", "b", "b", "b", "a", "b", "a"],
        replicates=20,
    )
    assert flat.thresholds[0].fmr.errors == 0 and flat.thresholds[0].value > 0.5
    assert flat.thresholds[0].fnmr is not None and flat.thresholds[0].fnmr.rate == 1.0
    assert flat.eer is not None and 0.0 <= flat.eer.value <= 1.0


def test_scores_and_labels_alone_give_binomial_intervals_and_say_so() -> None:
    generator = np.random.default_rng(0)
    mated = np.arange(3000) < 1000
    values = generator.normal(mated * 1.0, 0.4)
    found = evaluate.verification(values, mated, targets=(0.01,), replicates=20)
    (row,) = found.thresholds
    assert row.fmr.method == "exact binomial" and any("independent" in warning for warning in found.warnings)
    assert row.fmr.rate == fmr(values[~mated], row.value)
    assert VerificationResult.from_dict(json.loads(json.dumps(found.to_dict()))) == found


def test_transactions_of_several_attempts_are_decided_not_computed() -> None:
    generator = np.random.default_rng(3)
    who = np.repeat(np.arange(40), 6)
    claimed = np.where(np.arange(240) % 6 < 3, who, (who + 1) % 40)
    found = evaluate.verification(
        {
            "probe_subject": who,
            "reference_subject": claimed,
            "score": generator.normal((who == claimed) * 1.0, 0.5),
            "transaction": np.arange(240) // 3,
            "attempt": np.arange(240) % 3,
        },
        targets=(0.1,),
        replicates=20,
    )
    one, three = found.transactions
    assert (one.attempts, three.attempts) == (1, 3)
    assert one.far and three.far and one.frr and three.frr
    assert three.far.rate >= one.far.rate and three.frr.rate <= one.frr.rate


@settings(max_examples=15)
@given(st.integers(0, 10_000), st.booleans())
def test_rates_fall_as_thresholds_rise(seed: int, rounded: bool) -> None:
    found = synthetic_scores(subjects=8, samples=2, seed=seed)
    if rounded:
        found = replace(
            found,
            mated=replace(found.mated, scores=found.mated.scores.round(1)),
            non_mated=replace(listed(found), scores=listed(found).scores.round(1)),
        )
    result = measured(found, replace(FEW, bootstrap=BootstrapOptions(replicates=20)))
    rates = [row.fmr.rate for row in result.thresholds]
    misses = [row.fnmr.rate for row in result.thresholds if row.fnmr]
    assert rates == sorted(rates, reverse=True) and misses == sorted(misses)
    assert all(row.fmr.rate <= (row.target or 0) for row in result.thresholds)


# ------------------------------------------------------------------------------------------- splits and leakage


def templates(people: int = 40, samples: int = 3, seed: int = 0, dimensions: int = 16) -> TemplateSet:
    generator = np.random.default_rng(seed)
    centres = np.repeat(generator.normal(size=(people, dimensions)), samples, axis=0)
    vectors = centres + 0.6 * generator.normal(size=centres.shape)
    who = np.repeat(np.arange(people), samples)
    return template_set(
        {
            "vectors": (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32),
            "sample": np.array([f"s{seed}.{row}" for row in range(len(who))]),
            "subject": np.array([f"p{seed}.{name}" for name in who]),
            "group": np.where(who % 2 == 0, "a", "b"),
        }
    )


def test_a_split_takes_thresholds_from_the_development_subjects_only() -> None:
    chosen = templates()
    names = sorted(set(chosen.subjects.tolist()))
    split = Split(tuple(names[:20]), tuple(names[20:39]), "split.csv")
    result, scores = evaluate_verification(chosen, split=split, options=FEW)
    development, _ = evaluate_verification(chosen.of_subjects(names[:20]), options=FEW)
    assert [row.value for row in result.thresholds] == [row.value for row in development.thresholds]
    assert set(scores.subjects.tolist()) == set(names[20:39])
    assert result.dropped["subjects in no part of the split"] == 1
    assert all("split.csv" in row.source for row in result.thresholds)


def test_a_table_is_split_like_its_templates() -> None:
    chosen = templates()
    names = sorted(set(chosen.subjects.tolist()))
    split = Split(tuple(names[:20]), tuple(names[20:]), "split.csv")
    _, whole = evaluate_verification(chosen, options=FEW)
    one, _ = evaluate_verification(chosen, split=split, options=FEW)
    two, _ = evaluate_verification(whole, split=split, options=FEW)
    assert [row.fmr.rate for row in one.thresholds] == [row.fmr.rate for row in two.thresholds]
    assert [row.value for row in one.thresholds] == [row.value for row in two.thresholds]


def test_thresholds_of_a_run_are_refused_when_people_are_in_both(tmp_path) -> None:  # type: ignore[no-untyped-def]
    chosen = templates()
    names = sorted(set(chosen.subjects.tolist()))
    first, scores = evaluate_verification(chosen.of_subjects(names[:20]), options=FEW)
    evaluate.save_run(tmp_path / "dev", first, scores)
    with pytest.raises(SubjectLeakageError, match="5 subjects"):
        evaluate.verification(chosen.of_subjects(names[15:]), thresholds_from=tmp_path / "dev", replicates=20)
    found = evaluate.verification(chosen.of_subjects(names[20:]), thresholds_from=tmp_path / "dev", replicates=20)
    solid = [row.value for row in first.thresholds if row.fmr.estimable]
    assert [row.value for row in found.thresholds] == solid
    assert found.provenance.thresholds_from


def test_packing_holds_no_python_objects(scores: ScoreSet) -> None:
    assert all(array.dtype.kind != "O" for array in pack(scores).values())


def test_a_threshold_between_two_float32_scores_is_not_rounded_to_one() -> None:
    value = np.float32(0.1)
    above = float(value) + 1e-10  # rounds to the score itself in float32
    found = evaluate.verification(
        np.array([value, 0.9], dtype=np.float32),
        probe_subjects=["a", "a"],
        reference_subjects=["b", "a"],
        thresholds_from=[above],
        replicates=20,
    )
    assert found.thresholds[0].fmr.errors == 0
