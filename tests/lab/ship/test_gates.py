"""Gates: kept, broken or unclear by the interval; a refusal says which gate and with which figures."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from scipy.stats import binom

from samebody.lab.evaluate.rules import RuleFileError, parse_rules
from samebody.lab.ship.errors import GateFailedError, SamplesError, ShipError
from samebody.lab.ship.gate_file import AccuracyGate, Draws, GateFile
from samebody.lab.ship.gates import GateReport, run_gates
from samebody.lab.ship.graph import clean_graph, outputs_of, session_of
from samebody.lab.ship.measures import Sides, cells_of, subject_numbers
from samebody.lab.ship.paired import Cell, paired_rates, share, threshold_at_bpcer
from samebody.lab.ship.quantise import quantise
from samebody.lab.ship.samples import Samples
from samebody.lab.ship.timing import measure_times, median_interval
from samebody.measure.attack import pad_rates as measured_pad_rates
from samebody.measure.attack import presentations
from tests.lab.ship.graphs import classifier, detector, embedder, pictures, samples

FEW = {"replicates": 200}


def gates(*entries: dict[str, Any], **fields: Any) -> GateFile:
    return GateFile.model_validate({"schema_version": 1, "gates": entries, "bootstrap": FEW, **fields})


def accuracy(**fields: Any) -> dict[str, Any]:
    return {"kind": "accuracy", **fields}


def labelled(count: int, data: bytes, *, seed: int = 3, **columns: Any) -> Samples:
    """Samples whose label is what ``data`` answers, nearly always."""
    some = samples(count, seed=seed)
    answers = outputs_of(session_of(data), some)["out"]
    label = answers.argmax(1) if answers.shape[1] > 1 else (answers[:, 0] >= 0.5).astype(np.int64)
    rng = np.random.default_rng(seed)
    flipped = rng.random(count) < 0.05
    label[flipped] = (label[flipped] + 1) % max(2, answers.shape[1])
    return Samples(some.tensors, {"label": label.astype(np.int64), **columns}, "tests")


# ------------------------------------------------------------------------------------------------------- judgements


def test_an_int8_graph_passes_and_a_spoilt_one_is_refused_with_figures() -> None:
    source = clean_graph(classifier(channels=48))
    good = quantise(source, samples(64)).data
    held = labelled(600, source)
    file = gates(
        accuracy(metric="error", worse_by_points=8),
        {"kind": "size", "at_most_ratio": 0.5},
        {"kind": "parameters", "at_most": 30_000},
    )
    report = run_gates(file, good, source, held)
    assert report.passed and [o.status for o in report.outcomes] == ["kept"] * 3
    report.require()
    spoilt = clean_graph(classifier(channels=48, seed=7))
    report = run_gates(file, spoilt, source, held)
    with pytest.raises(GateFailedError) as caught:
        report.require()
    text = str(caught.value)
    assert "2 gates refuse" in text and "worse by at most 8 points" in text and "float" in text and "0.5 times" in text
    assert caught.value.exit_code == 65
    assert report.to_dict()["passed"] is False and report.to_dict()["outcomes"][0]["status"] == "broken"


@pytest.mark.parametrize(("rule", "passes"), [("refuse", False), ("pass", True), ("estimate", True)])
def test_what_the_interval_leaves_open_goes_by_the_declared_rule(rule: str, passes: bool) -> None:
    source = clean_graph(classifier())
    held = labelled(60, source)
    outcome = run_gates(gates(accuracy(metric="error", worse_by_points=1, when_unclear=rule)), source, source, held)
    (found,) = outcome.outcomes
    assert found.status == "unclear" and found.passed is passes and rule in found.why and "cannot say" in found.why


def test_too_few_samples_are_unclear_whatever_their_rate() -> None:
    source = clean_graph(classifier())
    held = labelled(60, source)
    gate = accuracy(metric="disagreement", at_most=1.0, least=100)
    (found,) = run_gates(gates(gate), source, source, held).outcomes
    assert found.status == "unclear" and not found.passed and "at least 100" in found.why


def test_each_group_is_judged_and_the_spoilt_one_is_named() -> None:
    source = clean_graph(classifier())
    group = np.array(["north", "south"])[np.arange(800) % 2]
    held = labelled(800, source, group=group)
    worse = Samples(
        {"input": np.where((group == "south")[:, None, None, None], -held.tensors["input"], held.tensors["input"])},
        held.columns,
    )
    sides = Sides(worse, outputs_of(session_of(source), held), outputs_of(session_of(source), worse))
    gate = AccuracyGate(kind="accuracy", metric="error", group="each", worse_by_points=5)
    rates = paired_rates(cells_of(gate, sides), subject_numbers(worse), Draws(replicates=200))
    assert [rate.group for rate in rates] == ["north", "south"]
    assert rates[0].difference == 0 and (rates[1].difference or 0) > 0.2
    assert rates[1].difference_interval is not None and rates[1].difference_interval[0] > 0.05


def test_a_relative_gate_without_a_float_model_is_refused() -> None:
    source = clean_graph(classifier())
    held = labelled(60, source)
    for entry in (
        accuracy(metric="error", worse_by_points=1),
        {"kind": "latency", "at_most_ratio": 1.0},
        {"kind": "size", "at_most_ratio": 1.0},
        accuracy(metric="disagreement", at_most=0.1),
    ):
        with pytest.raises(ShipError, match="float model"):
            run_gates(gates(entry), source, None, held)
    alone = run_gates(gates(accuracy(metric="error", at_most=0.2)), source, None, labelled(600, source))
    assert alone.passed and alone.float_model == ""


# ----------------------------------------------------------------------------------------------------------- rates


def spoofs(count: int = 900) -> tuple[Samples, bytes, bytes]:
    one, two = clean_graph(detector()), clean_graph(detector(bias=1.5))
    rng = np.random.default_rng(0)
    species = rng.choice(["", "", "print", "replay", "mask"], count)
    return samples(count, species=species, subject=np.array([f"s{n}" for n in rng.integers(0, 120, count)])), one, two


def test_apcer_and_bpcer_are_those_of_the_measuring_room() -> None:
    held, one, two = spoofs()
    sides = Sides(held, outputs_of(session_of(one), held), outputs_of(session_of(two), held))
    scores, attack = sides.after["out"][:, 0].astype(np.float64), held.columns["species"] != ""
    trials = presentations(scores[attack], held.columns["species"][attack], scores[~attack], unit="frame")
    measured = measured_pad_rates(trials, 0.5)
    each = AccuracyGate(kind="accuracy", metric="apcer", group="each", threshold=0.5, worse_by_points=1)
    found = {
        rate.group: rate for rate in paired_rates(cells_of(each, sides), subject_numbers(held), Draws(replicates=100))
    }
    for entry in measured.species:
        assert found[entry.species].after == pytest.approx(entry.apcer.rate)
    whole = AccuracyGate(kind="accuracy", metric="apcer", threshold=0.5, worse_by_points=1)
    (rate,) = paired_rates(cells_of(whole, sides), subject_numbers(held), Draws(replicates=100))
    assert rate.after == pytest.approx(max(entry.apcer.rate for entry in measured.species))
    assert rate.group.startswith("worst species")
    bpcer = AccuracyGate(kind="accuracy", metric="bpcer", threshold=0.5, worse_by_points=1)
    (rate,) = paired_rates(cells_of(bpcer, sides), subject_numbers(held), Draws(replicates=100))
    assert rate.after == pytest.approx(float(np.mean(scores[~attack] < 0.5)))


def test_a_shifted_score_does_no_harm_at_a_rate_and_harms_at_a_threshold() -> None:
    held, one, two = spoofs()
    fixed = accuracy(metric="apcer", threshold=0.5, worse_by_points=2)
    own = accuracy(metric="apcer", at_bpcer=0.1, worse_by_points=6)
    report = run_gates(gates(fixed, own), two, one, held)
    assert report.outcomes[0].figures["difference"] > 0.02, report.outcomes[0].why
    assert [o.status for o in report.outcomes] == ["broken", "kept"]
    assert report.outcomes[1].figures["difference"] == 0


@hypothesis_settings(max_examples=40, deadline=None)
@given(
    scores=st.lists(st.integers(0, 9), min_size=1, max_size=30),
    target=st.sampled_from([0.01, 0.1, 0.25, 0.5, 0.9]),
    seed=st.integers(0, 100),
)
def test_the_threshold_for_a_bpcer_is_the_highest_that_keeps_it(scores: list[int], target: float, seed: int) -> None:
    values = np.array(scores, dtype=np.float64)
    weights = np.random.default_rng(seed).integers(0, 3, (4, len(values))).astype(np.float64)
    weights[:, 0] += 1
    bona_fide = np.ones(len(values), dtype=np.bool_)
    found = threshold_at_bpcer(values, bona_fide, target, weights)
    for row, level in zip(weights, found):
        allowed = [t for t in values if row[values < t].sum() <= target * row.sum() * (1 + 1e-12)]
        assert level == max(allowed)


def test_intervals_cover_the_true_difference_about_as_often_as_they_say() -> None:
    """People with effects of their own: intervals over people hold, intervals over samples would not."""
    draws, hits, rounds = Draws(replicates=200), 0, 60
    for seed in range(rounds):
        rng = np.random.default_rng(seed)
        subject = np.repeat(np.arange(60), 8)
        effect = rng.beta(1, 6, 60)[subject]
        before = rng.random(480) < effect
        after = rng.random(480) < effect + 0.05
        every = np.ones(480, dtype=np.bool_)
        cell = Cell("all", share(before, every), share(after, every), every, before, after)
        (rate,) = paired_rates([cell], subject, draws)
        assert rate.difference_interval is not None
        truth = np.mean(np.minimum(effect + 0.05, 1) - effect)
        hits += rate.difference_interval[0] <= truth <= rate.difference_interval[1]
    assert hits >= binom.ppf(0.001, rounds, 0.93)


def test_iou_is_one_minus_the_mean_over_classes() -> None:
    rng = np.random.default_rng(1)
    truth = rng.integers(0, 3, (40, 8, 8))
    scores = rng.random((40, 3, 8, 8))
    held = Samples({"input": pictures(40)}, {"mask": truth})
    gate = AccuracyGate(kind="accuracy", metric="iou", at_most=1)
    (rate,) = paired_rates(
        cells_of(gate, Sides(held, None, {"out": scores})), subject_numbers(held), Draws(replicates=100)
    )
    seen, expected = scores.argmax(1), []
    for number in range(3):
        both, either = np.sum((seen == number) & (truth == number)), np.sum((seen == number) | (truth == number))
        expected.append(both / either)
    assert rate.after == pytest.approx(1 - np.mean(expected))
    assert rate.after_interval[0] < rate.after < rate.after_interval[1] and rate.before is None


def test_fnmr_of_an_int8_embedder_by_the_evaluation_room() -> None:
    source = clean_graph(embedder())
    rng = np.random.default_rng(0)
    base = np.repeat(pictures(60, seed=4), 3, axis=0)
    tensor = (base + rng.normal(0, 0.4, base.shape)).astype(np.float32)
    who = np.repeat([f"p{n:02d}" for n in range(60)], 3)
    held = Samples({"input": tensor}, {"subject": who, "group": np.where(np.arange(180) < 90, "a", "b")}, "people")
    good = quantise(source, samples(64)).data
    file = gates(
        accuracy(metric="fnmr", at_fmr=0.01, worse_by_points=15),
        accuracy(metric="fnmr", at_fmr=0.01, group="each", worse_by_points=40),
    )
    report = run_gates(file, good, source, held)
    assert [o.group for o in report.outcomes] == ["all", "a", "b"]
    assert report.passed, [o.why for o in report.outcomes]
    spoilt = clean_graph(embedder(seed=3, dimensions=2))
    assert not run_gates(file, spoilt, source, held).passed


# ------------------------------------------------------------------------------------------------------------ faults


def test_samples_that_do_not_say_what_a_gate_asks_are_refused() -> None:
    source = clean_graph(classifier())
    held = labelled(60, source)
    cases = [
        (accuracy(metric="error", group="each", worse_by_points=1), "no column 'group'"),
        (accuracy(metric="iou", at_most=0.1), "no column 'mask'"),
        (accuracy(metric="error", group="x", by="label", worse_by_points=1), "no sample of the group 'x'"),
        (accuracy(metric="apcer", threshold=0.5, column=1, worse_by_points=1), "name no species"),
        (accuracy(metric="bpcer", threshold=0.5, worse_by_points=1), "has 3 columns"),
        (accuracy(metric="error", output="nothing", worse_by_points=1), "no output 'nothing'"),
    ]
    for entry, message in cases:
        with pytest.raises((SamplesError, ShipError), match=message):
            run_gates(gates(entry), source, source, held)


def test_every_mistake_of_a_gate_file_is_named_with_its_line() -> None:
    text = """schema_version: 1
gates:
  - kind: accuracy
    metric: error
  - kind: accuracy
    metric: apcer
    worse_by_points: 1
  - kind: latency
    at_most_ratio: 0.5
    at_most_ms: 3
  - kind: weight
  - kind: size
    at_most_byte: 3
"""
    with pytest.raises(RuleFileError) as caught:
        parse_rules(text, GateFile, "gates.yaml")
    found = "\n".join(caught.value.mistakes)
    for part in ("exactly one of worse_by_points", "needs a threshold", "exactly one of at_most_ratio", "weight"):
        assert part in found, found
    assert "line 3" in found and "line 8" in found and "did you mean at_most_bytes" in found


# -------------------------------------------------------------------------------------------------------------- time


def test_times_are_taken_in_turn_and_the_ratio_is_that_of_neighbours() -> None:
    """A machine that becomes slower while it is measured does not change the ratio."""
    clock = itertools.count()

    class Session:
        def __init__(self, cost: float) -> None:
            self.cost = cost

        def get_outputs(self) -> list[Any]:
            return []

        def run(self, names: object, tensors: object) -> list[Any]:
            nonlocal now, slow
            slow *= 1.01
            now += self.cost * slow
            order.append(self.cost)
            return []

    now, slow, order = 0.0, 1.0, []
    timing = measure_times(
        Session(1.0),
        Session(2.0),
        {"input": np.zeros((1, 1), np.float32)},
        rounds=31,
        runs=1,
        threads=1,
        clock=lambda: now,
    )  # type: ignore[arg-type]
    assert timing.ratio == pytest.approx(0.5, rel=0.02) and next(clock) == 0
    assert order.count(1.0) == order.count(2.0) == 32
    assert timing.after_ms > 0 and timing.ratio_interval is not None and timing.ratio_interval[0] <= timing.ratio


@pytest.mark.parametrize("count", [9, 15, 25, 100])
def test_the_interval_of_a_median_holds_its_level(count: int) -> None:
    rng = np.random.default_rng(count)
    hits = sum(low <= 0 <= high for low, high in (median_interval(rng.normal(size=count), 0.95) for _ in range(300)))
    assert hits >= binom.ppf(0.001, 300, 0.95)
    low, high = median_interval(np.arange(count, dtype=float), 0.95)
    assert 1 - 2 * binom.cdf(low + 1, count, 0.5) < 0.95, "a narrower one would do"
    assert 0 < low < high < count - 1


def test_latency_and_its_interval_are_judged() -> None:
    source = clean_graph(classifier(channels=48))
    held = labelled(60, source)
    generous = {"kind": "latency", "at_most_ms": 5000, "rounds": 9, "runs": 1}
    strict = {"kind": "latency", "at_most_ms": 1e-6, "rounds": 9, "runs": 1}
    ratio = {"kind": "latency", "at_most_ratio": 100.0, "rounds": 9, "runs": 2}
    report = run_gates(gates(generous, strict, ratio), source, source, held)
    assert [o.status for o in report.outcomes] == ["kept", "broken", "kept"]
    assert "rounds in turn" in report.outcomes[2].why and report.outcomes[2].figures["ratio"] > 0
    with pytest.raises(ShipError, match="asks for a batch of 100"):
        run_gates(gates({**generous, "batch": 100}), source, source, held)


def test_a_report_is_what_it_says(tmp_path: Path) -> None:
    source = clean_graph(classifier())
    held = labelled(100, source)
    report = run_gates(gates(accuracy(metric="error", worse_by_points=50)), source, source, held)
    assert isinstance(report, GateReport)
    fields = report.to_dict()
    assert fields["samples"]["count"] == 100 and fields["samples"]["sha256"] == held.digest
    assert fields["notes"] and fields["candidate"] == fields["float_model"]
