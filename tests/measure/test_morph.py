"""Morphs against naive loops: the weakest of the people it was made of counts."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from samebody.measure import (
    EmptyClassError,
    InvalidRateError,
    InvalidScoresError,
    bpcer_at_apcer,
    morph_detection_rates,
    morph_rates,
    morphing_attack_potential,
    presentations,
)


def table(seed: int, morphs: int = 8):
    generator = np.random.default_rng(seed)
    rows = []
    for morph in range(morphs):
        for subject in generator.choice(10, int(generator.integers(2, 4)), replace=False):
            rows += [(f"m{morph}", int(subject), score) for score in generator.normal(size=generator.integers(1, 4))]
    order = generator.permutation(len(rows))
    return [rows[i] for i in order]


@given(st.integers(0, 10_000), st.floats(-1, 1))
@settings(max_examples=60, deadline=None)
def test_rates_agree_with_a_naive_loop(seed, threshold):
    rows = table(seed)
    success, products = [], []
    for morph in sorted({row[0] for row in rows}):
        by_subject: dict[int, list[bool]] = {}
        for _, subject, score in (row for row in rows if row[0] == morph):
            by_subject.setdefault(subject, []).append(score >= threshold)
        success.append(min(max(hits) for hits in by_subject.values()))
        products.append(math.prod(sum(hits) / len(hits) for hits in by_subject.values()))
    found = morph_rates(*zip(*rows), threshold, 0.02)
    assert found.mmpmr.rate == np.mean(success)
    assert found.prod_avg == pytest.approx(np.mean(products))
    assert found.prod_avg <= found.mmpmr.rate + 1e-12
    assert found.rmmr == pytest.approx(1 + np.mean(success) - 0.98)
    assert found.rmmr_prod_avg == pytest.approx(1 + np.mean(products) - 0.98)
    assert (found.morphs, found.comparisons) == (8, len(rows))


def test_one_subject_that_does_not_match_saves_the_day():
    found = morph_rates(["m", "m"], ["a", "b"], [0.9, 0.1], 0.5, 0.0)
    assert (found.mmpmr.rate, found.prod_avg, found.rmmr) == (0.0, 0.0, 0.0)
    assert morph_rates(["m", "m"], ["a", "b"], [0.9, 0.5], 0.5, 0.0).mmpmr.rate == 1.0  # at the threshold is a match


def test_morphs_that_share_people_say_less():
    # 48 morphs, half of them accepted: once of 96 people, once with 6 easy or hard people in 8 morphs each
    apart = [(f"m{i}", s, float(i < 24)) for i in range(48) for s in (2 * i, 2 * i + 1)]
    shared = [(f"m{i}", s, float(i < 24)) for i in range(48) for s in (i // 8, 100 + i)]
    together, alone = (morph_rates(*zip(*rows), 0.5, 0.0).mmpmr for rows in (shared, apart))
    assert (together.rate, alone.rate) == (0.5, 0.5)
    assert together.method == alone.method == "clustered by both subjects"
    assert (together.subjects, alone.subjects) == (54, 96)
    assert alone.effective_trials == pytest.approx(48, rel=0.02)
    assert together.effective_trials == pytest.approx(6, rel=0.05)
    assert np.ptp(together.interval) > 2 * np.ptp(alone.interval)


@given(st.integers(0, 10_000))
@settings(max_examples=60, deadline=None)
def test_the_attack_potential_agrees_with_a_naive_loop(seed):
    generator = np.random.default_rng(seed)
    attempts, systems = 3, ["p", "q"]
    rows = [
        (morph, subject, system, bool(generator.random() < 0.6))
        for morph in range(5)
        for subject in (2 * morph, 2 * morph + 1)
        for system in systems
        for _ in range(attempts)
    ]
    found = morphing_attack_potential(*zip(*rows))
    for r in range(1, attempts + 1):
        for c in range(1, 3):
            fooled = 0
            for morph in range(5):
                count = 0
                for system in systems:
                    hits = [
                        sum(row[3] for row in rows if row[:3] == (morph, subject, system))
                        for subject in (2 * morph, 2 * morph + 1)
                    ]
                    count += min(hits) >= r
                fooled += count >= c
            assert found.at(r, c) == fooled / 5
    assert np.all(np.diff(found.values, axis=0) <= 0) and np.all(np.diff(found.values, axis=1) <= 0)
    with pytest.raises(InvalidRateError):
        found.at(4, 1)


def test_map_1_1_of_one_system_is_mmpmr():
    rows = table(11)
    rates = morph_rates(*zip(*rows), 0.2, 0.0)
    potential = morphing_attack_potential(
        [r[0] for r in rows], [r[1] for r in rows], ["s"] * len(rows), [r[2] >= 0.2 for r in rows]
    )
    assert potential.at(1, 1) == rates.mmpmr.rate


def test_detection_of_morphs_is_reported_by_method():
    generator = np.random.default_rng(2)
    scores, methods = generator.normal(size=90), np.repeat(["landmark", "gan", "diffusion"], 30)
    bona_fide = generator.normal(2, 1, 50)
    found = morph_detection_rates(scores, methods, bona_fide, 1.0)
    assert {entry.species: entry.apcer.rate for entry in found.methods} == {
        name: np.mean(scores[methods == name] >= 1.0) for name in ("landmark", "gan", "diffusion")
    }
    assert found.macer == max(entry.apcer.rate for entry in found.methods)
    assert found.bscer.rate == np.mean(bona_fide < 1.0)
    trials = presentations(scores, methods, bona_fide, unit="presentation")
    assert [p.bpcer for p in found.points] == [bpcer_at_apcer(trials, t).bpcer for t in (0.1, 0.05, 0.01)]
    alone = morph_detection_rates(scores, methods, [], 1.0)
    assert alone.points == () and alone.bscer is None and alone.macer == found.macer


def test_bad_tables_are_refused():
    with pytest.raises(InvalidScoresError, match="at least two"):
        morph_rates(["m", "m"], ["a", "a"], [0.9, 0.1], 0.5, 0.0)
    with pytest.raises(InvalidRateError):
        morph_rates(["m", "m"], ["a", "b"], [0.9, 0.1], 0.5, 1.5)
    with pytest.raises(EmptyClassError):
        morph_rates([], [], [], 0.5, 0.0)
    with pytest.raises(EmptyClassError):
        morphing_attack_potential([], [], [], [])
    with pytest.raises(InvalidScoresError, match="every probe on every system"):
        morphing_attack_potential(["m", "m", "m"], ["a", "b", "a"], ["p", "p", "q"], [1, 1, 1])
