"""Comparing two runs: paired on common draws, thresholds found anew, regressions found where they are."""

from __future__ import annotations

import csv
import io
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from hypothesis import given, settings
from hypothesis import strategies as st

from samebody.cli.compare_runs import command
from samebody.lab.evaluate import paired_rates
from samebody.lab.evaluate.compare import Comparison, compare_runs
from samebody.lab.evaluate.non_mated import ListedNonMated
from samebody.lab.evaluate.paired_rates import SideRates, replicate_rates
from samebody.lab.evaluate.pairing import RunsDifferError, pair_runs
from samebody.lab.evaluate.runs import Run, save_run
from samebody.lab.evaluate.scores import ScoreSet
from samebody.lab.evaluate.verification import GivenThreshold
from samebody.measure import BootstrapOptions, ListedPairs, draw_weights
from samebody.measure.bootstrap import threshold_bootstrap
from tests.lab.evaluate.factory import counted, measured, synthetic_scores, written

FEW = BootstrapOptions(replicates=200)
TARGETS = (1e-1, 1e-2, 1e-3)


def run_of(scores: ScoreSet, name: str = "toy/a", **options: object) -> Run:
    return Run(Path(name), measured(scores, name, replicates=20, bands=False, calibrate=False, **options), scores)  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def live() -> Run:
    return run_of(synthetic_scores(subjects=120, samples=3))


@pytest.fixture(scope="module")
def planted(live: Run) -> Comparison:
    worse = synthetic_scores(subjects=120, samples=3, algorithm=1, mated_shift={"east": -1.2})
    return compare_runs(live, run_of(worse, "toy/b"), options=BootstrapOptions(replicates=400))


def test_a_regression_planted_in_one_group_is_found_in_that_group_and_only_there(planted: Comparison) -> None:
    worse = {(d.metric, d.group) for d in planted.differences if d.holds and d.difference > 0}
    assert {("fnmr", "east"), ("fnmr", "all")} == worse
    assert not [d for d in planted.differences if d.group in ("north", "south") and d.real]
    for target in TARGETS[1:]:
        assert planted.find("fnmr", target, "east").verdict == "B worse"
        assert planted.find("fnmr", target, "north").verdict == "no difference shown"


def test_a_group_whose_impostors_come_closer_is_found_by_its_fmr(live: Run) -> None:
    given_ = [GivenThreshold(row.value, row.target, "another set") for row in live.result.thresholds]
    a = run_of(live.scores, given=given_)
    worse = synthetic_scores(subjects=120, samples=3, algorithm=1, non_mated_shift={"south": 0.7})
    found = compare_runs(a, run_of(worse, "toy/b", given=given_), options=FEW)
    assert not found.refit and any("held" in note for note in found.notes)
    raised = {(d.metric, d.group) for d in found.differences if d.holds and d.difference > 0}
    assert raised == {("fmr", "south"), ("fmr", "all")}


def test_equal_algorithms_show_no_difference_that_holds() -> None:
    for seed in range(4):
        a = run_of(synthetic_scores(subjects=60, seed=seed))
        b = run_of(synthetic_scores(subjects=60, seed=seed, algorithm=5), "toy/b")
        assert not [d for d in compare_runs(a, b, options=FEW).differences if d.holds]


def test_a_run_against_itself_differs_in_nothing(live: Run) -> None:
    for entry in compare_runs(live, live, options=FEW).differences:
        assert entry.difference == 0 and not entry.real
        assert entry.interval[0] < 0 < entry.interval[1]
        assert (entry.only_a, entry.only_b) in ((0, 0), (None, None))


def test_figures_are_those_of_the_runs(live: Run, planted: Comparison) -> None:
    for row in live.result.thresholds:
        assert row.target is not None and row.fnmr is not None
        assert planted.thresholds[row.target][0] == row.value
        entry = planted.find("fnmr", row.target)
        assert (entry.a, entry.errors_a, entry.trials_a) == (row.fnmr.rate, row.fnmr.errors, row.fnmr.trials)
        for group in live.result.groups:
            at = next(rates for rates in group.rates if rates.target == row.target)
            assert at.fmr is not None and at.fnmr is not None
            for metric, rate in (("fmr", at.fmr), ("fnmr", at.fnmr)):
                entry = planted.find(metric, row.target, group.name)
                assert entry.a == pytest.approx(rate.rate, abs=1e-12)
                assert (entry.errors_a, entry.trials_a) == (rate.errors, rate.trials)


def test_the_overall_fmr_of_thresholds_set_for_it_is_no_finding(planted: Comparison) -> None:
    with pytest.raises(KeyError):
        planted.find("fmr", 1e-2)


# -------------------------------------------------------------------------------------------------- against oracles


def naive(scores: ScoreSet, weights: np.ndarray, target: float) -> dict[tuple[str, str], float]:
    """Rates under weights, pair by pair: the lowest threshold with a weighted FMR of at most ``target``."""
    other = scores.non_mated
    assert isinstance(other, ListedNonMated)
    pair = weights[other.first] * weights[other.second]
    best = None
    for score in np.unique(other.scores)[::-1]:
        threshold = np.nextafter(score, np.float32(np.inf))
        if pair[other.scores >= threshold].sum() > target * pair.sum() + 1e-9:
            break
        best = threshold
    assert best is not None
    own = weights[scores.mated.subject]
    found: dict[tuple[str, str], float] = {}
    for name in ("all", *scores.group_names):
        code = -1 if name == "all" else scores.group_names.index(name)
        group = scores.subject_group
        inside = (group[other.first] == code) & (group[other.second] == code) if code >= 0 else np.ones(len(pair), bool)
        mine = group[scores.mated.subject] == code if code >= 0 else np.ones(len(own), bool)
        if pair[inside].sum():
            found["fmr", name] = pair[inside & (other.scores >= best)].sum() / pair[inside].sum()
        if own[mine].sum():
            found["fnmr", name] = own[mine & (scores.mated.scores < best)].sum() / own[mine].sum()
    return found


@pytest.mark.parametrize("rounded", [False, True])
def test_replicates_are_those_of_a_naive_oracle(rounded: bool) -> None:
    scores = synthetic_scores(subjects=18, samples=3, separation=2.0)
    if rounded:  # ties
        scores = replace(
            scores,
            mated=replace(scores.mated, scores=np.round(scores.mated.scores, 1)),
            non_mated=replace(scores.non_mated, scores=np.round(scores.non_mated.scores, 1)),
        )
    run = run_of(scores, targets=(0.1, 0.05))
    pair = pair_runs(run, run)
    rates = SideRates(pair, pair.a, (0.1, 0.05))
    drawn = np.concatenate([weights.T for weights in draw_weights(18, 30, 7)])
    got = rates.rates(drawn)
    for row, weights in enumerate(drawn):
        for target in (0.1, 0.05):
            for (metric, group), expected in naive(scores, weights, target).items():
                assert got[metric, target, group][row] == pytest.approx(expected, abs=1e-12)


def test_one_side_agrees_with_the_bootstrap_of_the_measuring_stick(live: Run) -> None:
    other = live.scores.non_mated
    assert isinstance(other, ListedNonMated)
    people = len(live.scores.subjects)
    expected = threshold_bootstrap(
        other.scores,
        other.first,
        other.second,
        ListedPairs(other.first, other.second, people),
        live.scores.mated.scores,
        live.scores.mated.subject,
        TARGETS,
        options=FEW,
    )
    pair = pair_runs(live, live)
    drawn = replicate_rates([SideRates(pair, side, TARGETS) for side in (pair.a, pair.b)], people, FEW)[0]
    for target, estimate in zip(TARGETS, expected):
        values = drawn["fnmr", target, "all"]
        variance = estimate.fnmr.rate * (1 - estimate.fnmr.rate) / values.var(ddof=1)
        assert estimate.fnmr.effective_trials == pytest.approx(min(variance, estimate.fnmr.trials), rel=1e-9)
        assert estimate.fnmr.interval[0] <= np.quantile(values, 0.025) + 1e-12
        assert estimate.fnmr.interval[1] >= np.quantile(values, 0.975) - 1e-12


def test_counted_comparisons_give_the_figures_of_listed_ones(live: Run, planted: Comparison) -> None:
    a = counted(live.scores, 8_000)
    b = counted(synthetic_scores(subjects=120, samples=3, algorithm=1, mated_shift={"east": -1.2}), 8_000)
    options = BootstrapOptions(replicates=400)
    found = compare_runs(run_of(a), run_of(b, "toy/b"), targets=(1e-2, 1e-3), options=options)
    assert found.refit == (1e-2, 1e-3)
    for entry in found.differences:
        if entry.metric != "fta":
            same = planted.find(entry.metric, entry.target, entry.group)
            assert entry.difference == pytest.approx(same.difference, abs=1e-12)
            assert (entry.only_a, entry.only_b) == (same.only_a, same.only_b)
            assert entry.interval == pytest.approx(same.interval, abs=1e-12)


def test_a_threshold_below_the_kept_scores_is_held_and_said(live: Run) -> None:
    a = run_of(counted(live.scores, 500))
    found = compare_runs(a, a, options=FEW)
    assert found.refit == (1e-3,)
    assert any("held as the runs give them: FMR 0.1, 0.01" in note for note in found.notes)
    assert not [d for d in found.differences if d.metric == "fmr" and d.target == 0.1]


def test_replicates_that_need_more_scores_get_them(live: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    expected = compare_runs(live, live, options=FEW)
    monkeypatch.setattr(paired_rates, "_SPARE", (1.0, 1))
    assert compare_runs(live, live, options=FEW) == expected


def test_the_chunk_of_replicates_changes_nothing(live: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    b = run_of(synthetic_scores(subjects=120, samples=3, algorithm=2), "toy/b")
    expected = compare_runs(live, b, options=FEW)
    monkeypatch.setattr(paired_rates, "_HELD", 300_000)
    assert compare_runs(live, b, options=FEW).to_csv() == expected.to_csv()


# ------------------------------------------------------------------------------------------------------- properties


@settings(max_examples=10)
@given(scale=st.floats(0.1, 5), shift=st.floats(-3, 3), seed=st.integers(0, 50))
def test_a_monotone_transform_of_the_scores_changes_no_difference(scale: float, shift: float, seed: int) -> None:
    a, b = (synthetic_scores(subjects=20, samples=3, seed=seed, algorithm=n) for n in (0, 1))
    b = wide(b)
    moved = replace(
        b,
        mated=replace(b.mated, scores=b.mated.scores * scale + shift),
        non_mated=replace(b.non_mated, scores=b.non_mated.scores * scale + shift),
    )
    options = BootstrapOptions(replicates=20)
    first = compare_runs(run_of(wide(a)), run_of(b), options=options)
    second = compare_runs(run_of(wide(a)), run_of(moved), options=options)
    assert [d.difference for d in first.differences] == [d.difference for d in second.differences]
    assert [d.interval for d in first.differences] == [d.interval for d in second.differences]


def wide(scores: ScoreSet) -> ScoreSet:
    """In float64, so that a linear transform cannot tie what was not tied."""
    return replace(
        scores,
        mated=replace(scores.mated, scores=scores.mated.scores.astype(np.float64)),
        non_mated=replace(scores.non_mated, scores=scores.non_mated.scores.astype(np.float64)),
    )


def test_exchanging_the_runs_turns_the_signs(live: Run) -> None:
    b = run_of(synthetic_scores(subjects=120, samples=3, algorithm=1, mated_shift={"east": -0.6}), "toy/b")
    one, two = compare_runs(live, b, options=FEW), compare_runs(b, live, options=FEW)
    for first, second in zip(one.differences, two.differences):
        assert first.difference == -second.difference
        assert first.interval == pytest.approx((-second.interval[1], -second.interval[0]), abs=1e-12)
        assert (first.only_a, first.only_b) == (second.only_b, second.only_a)


def test_few_discordant_comparisons_are_never_real(live: Run) -> None:
    scores = live.scores.mated.scores.copy()
    order = np.argsort(scores)
    highest = order[-4:]
    scores[highest] = -1.0  # four subjects' best pairs fail in B: 4 against 0 is p = 0.125
    b = run_of(replace(live.scores, mated=replace(live.scores.mated, scores=scores)), "toy/b")
    entry = compare_runs(live, b, options=FEW).find("fnmr", 1e-1)
    assert (entry.only_a, entry.only_b) == (0, 4)
    assert entry.difference > 0 and not entry.real


# --------------------------------------------------------------------------------------------------------- refusals


def test_probe_and_reference_may_be_exchanged(live: Run) -> None:
    other = live.scores.non_mated
    assert isinstance(other, ListedNonMated)
    turned = replace(
        live.scores,
        mated=replace(live.scores.mated, probe=live.scores.mated.reference, reference=live.scores.mated.probe),
        non_mated=replace(other, first=other.second, second=other.first, probe=other.reference, reference=other.probe),
    )
    found = compare_runs(live, run_of(turned), options=FEW)
    assert not found.left_out and all(d.difference == 0 for d in found.differences)


def test_comparisons_lost_to_a_failure_to_acquire_are_left_out_of_both_and_counted(live: Run) -> None:
    b = run_of(synthetic_scores(subjects=120, samples=3, algorithm=1, failed=(0, 5)), "toy/b")
    found = compare_runs(live, b, options=FEW)
    assert found.left_out == {"mated of A": 4, "non-mated of A": 713}  # 2 * 357, their own pair once
    entry = found.find("fnmr", 1e-2)
    assert entry.trials_a == entry.trials_b == 356
    fta = found.find("fta", None)
    assert (fta.a, fta.b, fta.only_a, fta.only_b) == (0.0, 2 / 360, 0, 2)
    assert not fta.real


def test_runs_on_other_comparisons_are_refused(live: Run) -> None:
    other = live.scores.non_mated
    assert isinstance(other, ListedNonMated)
    fewer = replace(live.scores, non_mated=other.chosen(np.arange(len(other)) % 7 > 0))
    with pytest.raises(RunsDifferError, match="no failure to acquire explains it"):
        compare_runs(live, run_of(fewer), options=FEW)
    found = compare_runs(live, run_of(fewer), options=FEW, common_only=True)
    assert found.left_out["non-mated of A"] == other.pairs - fewer.non_mated.pairs
    strangers = replace(live.scores, subjects=np.char.add("x", live.scores.subjects))
    with pytest.raises(RunsDifferError, match="no subject in common"):
        compare_runs(live, run_of(strangers), options=FEW)
    moved = live.scores.subject_group.copy()
    moved[:3] = (moved[:3] + 1) % 3
    with pytest.raises(RunsDifferError, match="3 subjects stand in one group"):
        compare_runs(live, run_of(replace(live.scores, subject_group=moved)), options=FEW)
    with pytest.raises(RunsDifferError, match="not known"):
        pair_runs(replace(live, scores=replace(live.scores, independent=True)), live)
    with pytest.raises(RunsDifferError, match="not in both threshold tables"):
        compare_runs(live, live, targets=(1e-5,), options=FEW)
    small = counted(fewer, 500)
    with pytest.raises(RunsDifferError, match="differ between"):
        compare_runs(run_of(counted(live.scores, 500)), run_of(small), options=FEW)


# ---------------------------------------------------------------------------------------------------- command line


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    root = tmp_path_factory.mktemp("runs")
    written(root / "a", synthetic_scores(), replicates=20)
    written(root / "b", synthetic_scores(algorithm=1, mated_shift={"east": -1.2}), "toy/b", replicates=20)
    return root / "a", root / "b"


GATES = """
schema_version: 1
gates:
  - name: nobody is missed more often
    metric: fnmr
    at_fmr: 1e-2
    group: each
    beyond_interval: true
"""


def test_the_command_breaks_the_gate_of_the_planted_group_only(folders: tuple[Path, Path], tmp_path: Path) -> None:
    gates = tmp_path / "gates.yaml"
    gates.write_text(GATES)
    arguments = [*map(str, folders), "--gate", str(gates), "--replicates", "200"]
    outputs = []
    for name in ("one", "two"):
        done = CliRunner().invoke(command, [*arguments, "--json", "--out", str(tmp_path / name)])
        assert done.exit_code == 1, done.output
        outputs.append(done.output)
        files = sorted(path.name for path in (tmp_path / name).iterdir())
        assert files == ["comparison.csv", "comparison.html", "comparison.json"]
    assert outputs[0] == outputs[1]
    data = json.loads(outputs[0])
    broken = [o["group"] for o in data["gates"]["outcomes"] if o["status"] == "broken"]
    assert broken == ["east"] and not data["gates"]["passed"]
    assert json.loads((tmp_path / "one" / "comparison.json").read_text()) == data
    rows = list(csv.DictReader(io.StringIO((tmp_path / "one" / "comparison.csv").read_text())))
    assert len(rows) == len(data["differences"])
    html = (tmp_path / "one" / "comparison.html").read_text()
    assert (
        "nobody is missed more often" in html and "<script" not in html and "http:" not in html and "https:" not in html
    )


def test_the_command_passes_when_nothing_got_worse(folders: tuple[Path, Path], tmp_path: Path) -> None:
    gates = tmp_path / "gates.yaml"
    gates.write_text(GATES)
    done = CliRunner().invoke(command, [str(folders[0]), str(folders[0]), "--gate", str(gates), "--replicates", "40"])
    assert done.exit_code == 0
    assert "gates: passed" in done.output
    better = CliRunner().invoke(
        command, [str(folders[1]), str(folders[0]), "--gate", str(gates), "--replicates", "200"]
    )
    assert better.exit_code == 0 and "B better" in better.output


def test_faults_of_the_caller_have_their_exit_codes(folders: tuple[Path, Path], tmp_path: Path) -> None:
    from samebody.cli.main import main

    def code(*arguments: str) -> int:
        with pytest.raises(SystemExit) as left:
            main(["compare-runs", *arguments])
        return int(left.value.code or 0)

    a = str(folders[0])
    (tmp_path / "bad.yaml").write_text("schema_version: 1\ngates: []\n")
    assert code(a, str(tmp_path / "nothing")) == 65
    assert code(a, a, "--gate", str(tmp_path / "none.yaml")) == 64
    assert code(a, a, "--gate", str(tmp_path / "bad.yaml")) == 65
    assert code(a, a, "--replicates", "3") == 64
    other = synthetic_scores(subjects=30, seed=9)
    save_run(tmp_path / "other", measured(other, replicates=20), other)
    assert code(a, str(tmp_path / "other")) == 65


@pytest.mark.slow
def test_of_equal_algorithms_about_one_difference_in_twenty_seems_real_and_hardly_one_holds() -> None:
    given_ = [GivenThreshold(0.17, 0.1, "another set"), GivenThreshold(0.31, 0.01, "another set")]
    real, holds = [], []
    for seed in range(40):
        a, b = (
            run_of(
                synthetic_scores(
                    subjects=120, samples=3, seed=seed, algorithm=n, noise=0.5, separation=2.2, quality=False
                ),
                given=given_,
            )
            for n in (10, 11)
        )
        found = compare_runs(a, b, options=BootstrapOptions(replicates=200, seed=seed))
        real += [d.real for d in found.differences if d.metric == "fnmr"]
        holds.append(any(d.holds for d in found.differences))
    assert 0.005 <= np.mean(real) <= 0.09
    assert np.mean(holds) <= 0.1


@pytest.mark.parametrize("value", [0.3, 0.31])
def test_a_threshold_between_two_float32_scores_is_not_rounded_to_one(live: Run, value: float) -> None:
    below, above = np.float32(value), np.float32(value)
    if below > value:
        below = np.nextafter(below, np.float32(-np.inf))
    else:
        above = np.nextafter(above, np.float32(np.inf))
    scores = live.scores.mated.scores.copy()
    scores[:40], scores[40:50] = below, above
    run = run_of(
        replace(live.scores, mated=replace(live.scores.mated, scores=scores)),
        given=[GivenThreshold(value, 0.01, "another set")],
    )
    pair = pair_runs(run, run)
    rates = SideRates(pair, pair.a, (0.01,))
    expected = np.count_nonzero(scores.astype(np.float64) < value)
    assert rates.rates(np.ones((1, 120)))["fnmr", 0.01, "all"][0] == expected / len(scores)
    assert np.count_nonzero(rates.wrong_mated(0.01)) == expected
