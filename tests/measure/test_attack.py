"""Attack detection: species never pooled, non-responses counted apart, thresholds from elsewhere."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from samebody.measure import (
    EmptyClassError,
    InvalidRateError,
    InvalidScoresError,
    aggregate_scores,
    bpcer_at_apcer,
    bpcer_points,
    impostor_attack_rates,
    injection_rates,
    literature_acer,
    pad_rates,
    presentations,
    relative_iapar,
)

nan = float("nan")


def some(seed: int = 1, attacks: int = 300, bona_fide: int = 200):
    generator = np.random.default_rng(seed)
    species = generator.choice(["print", "replay", "mask"], attacks, p=[0.5, 0.3, 0.2])
    scores = generator.normal(0, 1, attacks).round(1) + np.where(species == "mask", 1.0, 0.0)
    return presentations(scores, species, generator.normal(3, 1, bona_fide).round(1), unit="video", aggregation="mean")


def test_every_species_is_counted_by_itself_and_the_maximum_decides():
    trials = presentations(
        [0.1, 0.9, 0.2, nan, 0.8, 0.7, 0.1, nan],
        ["print", "print", "print", "print", "mask", "mask", "mask", "silent"],
        [0.9, 0.3, nan, 0.8, 0.7],
        unit="presentation",
    )
    found = pad_rates(trials, 0.5, {"print": "low", "mask": "high", "silent": "high"})
    by_name = {entry.species: entry for entry in found.species}
    assert (by_name["print"].apcer.rate, by_name["print"].apnrr.rate) == (1 / 3, 0.25)
    assert by_name["mask"].apcer.rate == 2 / 3
    assert by_name["silent"].apcer is None and by_name["silent"].apnrr.rate == 1.0
    assert {(p.attack_potential, p.worst_species, p.apcer, p.species) for p in found.potentials} == {
        ("low", "print", 1 / 3, 1),
        ("high", "mask", 2 / 3, 1),
    }
    assert found.worst.worst_species == "mask"
    assert (found.bpcer.rate, found.bpnrr.rate) == (0.25, 0.2)
    assert (found.unit, found.aggregation) == ("presentation", "none")


def test_many_easy_attacks_do_not_hide_the_hard_species():
    easy, hard = np.zeros(10_000), np.ones(20)
    trials = presentations(np.r_[easy, hard], ["print"] * 10_000 + ["mask"] * 20, [1.0] * 5, unit="video")
    assert pad_rates(trials, 0.5).worst.apcer == 1.0
    assert bpcer_at_apcer(trials, 0.01).deciding_species == "mask"
    assert bpcer_at_apcer(trials, 0.01).bpcer.rate == 1.0


@given(st.integers(0, 10_000), st.sampled_from([0.0, 0.001, 0.01, 0.05, 0.3]))
@settings(max_examples=60, deadline=None)
def test_bpcer_at_an_apcer_is_the_lowest_that_any_threshold_reaches(seed, target):
    trials = some(seed, 80, 60)
    found = bpcer_at_apcer(trials, target)
    assert found.realised_apcer <= target
    assert pad_rates(trials, found.threshold).worst.apcer == found.realised_apcer
    for threshold in np.unique(np.concatenate([trials.attack_scores, trials.bona_fide_scores])):
        rates = pad_rates(trials, float(threshold))
        if rates.worst.apcer <= target:
            assert rates.bpcer.rate >= found.bpcer.rate


def test_bpcer_points_carry_their_names_and_say_when_the_target_cannot_be_resolved():
    points = bpcer_points(some())
    assert [p.name for p in points] == ["BPCER20", "BPCER100", "BPCER1000"]
    assert [p.resolvable for p in points] == [True, False, False]
    assert points[0].bpcer.rate <= points[1].bpcer.rate <= points[2].bpcer.rate
    assert bpcer_at_apcer(some(), 0.05).name == "BPCER20"


def test_rates_move_the_right_way_with_the_threshold():
    trials = some()
    found = [pad_rates(trials, t) for t in np.linspace(-3, 6, 19)]
    for low, high in itertools.pairwise(found):
        assert low.bpcer.rate <= high.bpcer.rate
        assert all(a.apcer.rate >= b.apcer.rate for a, b in zip(low.species, high.species))


def test_intervals_over_people_are_wider_when_people_repeat():
    trials = presentations(
        np.repeat([0.0, 1.0], [90, 10]),
        ["print"] * 100,
        [1.0] * 4,
        unit="frame",
        attack_subjects=np.repeat(np.arange(10), 10),
        bona_fide_subjects=[1, 1, 2, 2],
    )
    estimate = pad_rates(trials, 0.5).species[0].apcer
    alone = pad_rates(presentations(trials.attack_scores, trials.species, [1.0], unit="frame"), 0.5).species[0].apcer
    assert estimate.subjects == 10 and alone.subjects == 100
    assert estimate.interval[1] > alone.interval[1]


def test_frames_become_videos_by_a_named_rule():
    ids, values = aggregate_scores([0.1, 0.5, nan, 0.9, nan], ["b", "b", "b", "a", "c"], "median")
    assert ids == ("a", "b", "c")
    np.testing.assert_allclose(values, [0.9, 0.3, nan])
    assert aggregate_scores([1.0, 3.0], ["v", "v"], "min")[1] == [1.0]
    assert aggregate_scores([1.0, 3.0], ["v", "v"], "max")[1] == [3.0]
    assert aggregate_scores([1.0, 3.0], ["v", "v"], "mean")[1] == [2.0]
    with pytest.raises(InvalidRateError):
        aggregate_scores([1.0], ["v"], "mode")


def test_impostor_attacks_against_a_whole_system():
    found = impostor_attack_rates([1, 0, 0, 0, 1, 1], ["print"] * 4 + ["mask"] * 2, 0.05)
    assert {name: rate.rate for name, rate in found.species} == {"print": 0.25, "mask": 1.0}
    assert (found.iapar, found.worst_species) == (1.0, "mask")
    assert found.riapar == pytest.approx(1 + 1.0 - 0.95)
    assert relative_iapar(0.0, 1.0) == 1.0  # a system that rejects everyone is not a good one
    with pytest.raises(InvalidRateError):
        relative_iapar(0.2, 1.2)
    with pytest.raises(EmptyClassError):
        impostor_attack_rates([], [], 0.1)
    with pytest.raises(InvalidRateError):
        impostor_attack_rates([1], ["x"], -0.1)


def test_acer_takes_its_threshold_from_the_development_set():
    development, test = some(1), some(2)
    found = literature_acer(development, test)
    assert found.label == "ACER (literature)"
    rates = pad_rates(test, found.threshold)
    assert found.acer == pytest.approx((rates.worst.apcer + rates.bpcer.rate) / 2)
    gaps = {
        float(t): abs(pad_rates(development, float(t)).worst.apcer - pad_rates(development, float(t)).bpcer.rate)
        for t in np.unique(np.concatenate([development.attack_scores, development.bona_fide_scores]))
    }
    assert gaps[found.threshold] == min(gaps.values())
    with pytest.raises(InvalidScoresError, match="development set is the test set"):
        literature_acer(test, test)


def test_injection_is_reported_by_method_and_instrument():
    found = injection_rates(
        [0.9, 0.1, 0.8, 0.7, nan],
        ["camera", "camera", "camera", "hook", "hook"],
        ["deepfake", "deepfake", "replay", "deepfake", "deepfake"],
        0.5,
        bona_fide_scores=[0.9, 0.4],
    )
    cells = {(c.method, c.instrument): c for c in found.cells}
    assert cells["camera", "deepfake"].accepted.rate == 0.5
    assert cells["hook", "deepfake"].accepted.rate == 1.0 and cells["hook", "deepfake"].no_response.rate == 0.5
    assert found.untested == (("hook", "replay"),)
    assert found.worst.accepted.rate == 1.0
    assert found.bona_fide_rejected.rate == 0.5
    with pytest.raises(EmptyClassError):
        injection_rates([], [], [], 0.5)


def test_bad_presentations_are_refused():
    with pytest.raises(InvalidRateError, match="unit"):
        presentations([0.1], ["x"], [0.2], unit="clip")
    with pytest.raises(InvalidRateError, match="aggregation"):
        presentations([0.1], ["x"], [0.2], unit="video", aggregation="sum")
    with pytest.raises(InvalidScoresError, match="species"):
        presentations([0.1, 0.2], ["x"], [0.2], unit="video")
    with pytest.raises(InvalidScoresError, match="missing"):
        presentations([0.1], [None], [0.2], unit="video")
    with pytest.raises(InvalidScoresError, match="finite"):
        presentations([np.inf], ["x"], [0.2], unit="video")
    with pytest.raises(InvalidScoresError, match="attack potential"):
        pad_rates(some(), 0.5, {"print": 1})
    with pytest.raises(EmptyClassError):
        pad_rates(presentations([], [], [], unit="video"), 0.5)
    with pytest.raises(EmptyClassError, match="bona fide"):
        bpcer_at_apcer(presentations([0.1], ["x"], [nan], unit="video"), 0.1)
    with pytest.raises(EmptyClassError, match="attack"):
        bpcer_at_apcer(presentations([nan], ["x"], [0.1], unit="video"), 0.1)
    only_attacks = pad_rates(presentations([0.1], ["x"], [], unit="video"), 0.5)
    assert only_attacks.bpcer is None and only_attacks.bpnrr is None
