"""Unlinkability: known answers, what chance alone gives, and that shuffling in bins is shuffling of labels."""

from __future__ import annotations

import numpy as np
import pytest

from samebody.measure import EmptyClassError, InvalidRateError, unlinkability


def test_far_apart_is_fully_linkable_and_equal_is_not():
    generator = np.random.default_rng(1)
    apart = unlinkability(generator.uniform(0.8, 1, 500), generator.uniform(0, 0.2, 500))
    assert apart.d_sys == pytest.approx(1.0) and apart.linkable
    assert apart.p_value == pytest.approx(1 / 1001)
    same = unlinkability([0.5] * 30, [0.5] * 30)
    assert same.d_sys == 0.0 and not same.linkable and same.p_value == 1.0


def test_equal_distributions_are_biased_upward_as_the_null_shows():
    generator = np.random.default_rng(2)
    values = [unlinkability(*generator.normal(size=(2, 200)), permutations=100, seed=i) for i in range(60)]
    mean = np.mean([v.d_sys for v in values])
    assert 0.03 < mean < 0.12  # far from 0, though nothing can be linked
    assert np.mean([v.null_mean for v in values]) == pytest.approx(mean, abs=0.01)
    assert np.mean([v.linkable for v in values]) < 0.17  # about 5 % of sets
    assert 0.3 < np.mean([v.p_value for v in values]) < 0.7


def test_shuffling_bins_is_shuffling_labels():
    generator = np.random.default_rng(3)
    mated, non_mated = generator.normal(0.4, 1, 120), generator.normal(0, 1, 300)
    found = unlinkability(mated, non_mated, permutations=4000)
    pool = np.concatenate([mated, non_mated])
    explicit = []
    for _ in range(1500):
        generator.shuffle(pool)
        a, b = np.histogram(pool[:120], found.edges)[0] / 120, np.histogram(pool[120:], found.edges)[0] / 300
        total = np.where(a + b > 0, a + b, 1)
        explicit.append(np.sum(a * np.maximum(0, (a - b) / total)))
    assert found.null_mean == pytest.approx(np.mean(explicit), abs=0.003)
    assert found.null_95 == pytest.approx(np.quantile(explicit, 0.95), abs=0.008)


def test_the_measure_agrees_with_its_definition_and_omega_weighs_the_prior():
    generator = np.random.default_rng(4)
    mated, non_mated = generator.normal(1, 1, 400).round(1), generator.normal(0, 1, 700).round(1)
    for omega in (0.2, 1.0, 5.0):
        found = unlinkability(mated, non_mated, omega=omega, bins=20, permutations=20)
        value = 0.0
        for low, high, last in zip(found.edges, found.edges[1:], [False] * 19 + [True]):
            p = np.mean((mated >= low) & ((mated <= high) if last else (mated < high)))
            q = np.mean((non_mated >= low) & ((non_mated <= high) if last else (non_mated < high)))
            if p > 0:
                ratio = np.inf if q == 0 else omega * p / q
                local = 1.0 if np.isinf(ratio) else (2 * ratio / (1 + ratio) - 1 if ratio > 1 else 0.0)
                value += local * p
        assert found.d_sys == pytest.approx(value)
        assert found.d_sys == pytest.approx(np.nansum(found.local * found.mated_share))


def test_the_same_seed_gives_the_same_null_and_bad_input_is_refused():
    scores = np.random.default_rng(5).normal(size=(2, 100))
    assert unlinkability(*scores, seed=1).null_95 == unlinkability(*scores, seed=1).null_95
    with pytest.raises(EmptyClassError):
        unlinkability([], [0.1])
    for wrong in ({"omega": 0.0}, {"bins": 0}, {"permutations": 5}):
        with pytest.raises(InvalidRateError):
            unlinkability(*scores, **wrong)
