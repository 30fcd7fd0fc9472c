"""Iris engines: scores of the one-to-one comparison, and the cascade's bound against enumeration and planted mates."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from samebody.iris.compare import ComparisonParameters, compare_irises
from samebody.iris.template import IrisTemplate
from samebody.kernels.iris import most_disagreements
from samebody.kernels.tails import line_tail, smallest_limit
from samebody.search.engines import build
from samebody.search.engines.arrays import ArraySource
from samebody.search.engines.subset import draw_positions, subset_limits, subset_seed
from samebody.search.errors import LayoutError
from samebody.search.types import Probes

FULL = np.uint64(2**64 - 1)


def codes_of(seed: int, n: int, columns: int = 200):
    generator = np.random.default_rng(seed)
    codes = generator.integers(0, 2**64, (n, columns), dtype=np.uint64)
    masks = generator.integers(0, 2**64, (n, columns), dtype=np.uint64) | codes_like(generator, n, columns)
    return codes, masks


def codes_like(generator, n, columns):
    return generator.integers(0, 2**64, (n, columns), dtype=np.uint64)


def test_scores_are_those_of_one_to_one_comparison():
    codes, masks = codes_of(1, 20)
    probe, mask = np.roll(codes[3], 5), np.roll(masks[3], 5)
    probe[::5] ^= np.uint64(0x0F0F)
    hits = build(ArraySource.of_codes(codes, masks, "s")).search(Probes.of_codes(probe, mask, "s"), 20)
    assert hits.ids[0, 0] == 3
    asked = IrisTemplate(probe, mask, "left", "s", "1")
    for record, score in zip(*hits.found(0), strict=True):
        reference = IrisTemplate(codes[record], masks[record], "left", "s", "1")
        assert score == np.float32(compare_irises(asked, reference).score)


def test_pairs_that_share_too_few_bits_are_never_returned():
    codes, masks = codes_of(2, 6)
    masks[1] = 0
    masks[2, 20:] = 0  # 1,280 bits at most
    hits = build(ArraySource.of_codes(codes, masks, "s")).search(Probes.of_codes(codes[:3], masks[:3], "s"), 6)
    assert not np.isin(hits.ids[0], [1, 2]).any()
    assert (hits.ids[1:] == -1).all()


def test_what_the_engine_does_not_compute_is_refused():
    source = ArraySource.of_codes(*codes_of(1, 2), "s")
    for comparison in (ComparisonParameters(halves=True), ComparisonParameters(rotations=16)):
        with pytest.raises(LayoutError):
            build(source, "hamming", comparison=comparison)
    for options in ({"stages": (100,)}, {"miss_bound": 0.0}, {"stages": (256, 12_928)}, {"stages": ()}):
        with pytest.raises(LayoutError):
            build(source, "hamming-cascade", **options)
    with pytest.raises(LayoutError):
        build(source, "hamming-cascade").search(Probes.of_codes(*codes_of(1, 1), "s"), 1)


def draws(total, marked, plain, drawn):
    """Every (d, a) of a draw, with its exact probability."""
    ways = math.comb(total, drawn)
    for d in range(min(marked, drawn) + 1):
        for a in range(min(plain, drawn - d) + 1):
            yield (
                d,
                a,
                Fraction(
                    math.comb(marked, d) * math.comb(plain, a) * math.comb(total - marked - plain, drawn - d - a), ways
                ),
            )


def factorials(total):
    return np.array([math.lgamma(n + 1.0) for n in range(total + 1)])


@given(st.integers(2, 40), st.data())
@settings(max_examples=100, deadline=None)
def test_the_limit_is_the_quantile_of_the_enumerated_tail(total, data):
    marked = data.draw(st.integers(0, total))
    plain = data.draw(st.integers(0, total - marked))
    drawn = data.draw(st.integers(1, total))
    slope = data.draw(st.integers(64, 512))
    miss = data.draw(st.sampled_from([0.5, 0.1, 1e-3, 1e-6]))
    guess = data.draw(st.integers(-2000, 60_000))
    limit = smallest_limit(total, marked, plain, drawn, slope, miss, factorials(total), guess)

    def tail(edge):
        every = draws(total, marked, plain, drawn)
        return sum(share for d, a, share in every if (1024 - slope) * d - slope * a > edge)

    assert tail(limit) <= miss
    assert tail(limit - 32) > miss * (1 - 1e-5)  # no larger than it has to be


@pytest.mark.parametrize("plain", [0, 2500, 8000])
def test_the_tail_at_full_size_is_the_enumerated_one(plain):
    total, drawn, marked, slope = 12_800, 512, 3000, 400
    for limit in (20_000, 45_000, 70_000):
        found = line_tail(total, marked, plain, drawn, slope, limit, factorials(total), 1e-3)
        ways = math.comb(total, drawn)
        above = 0
        for a in range(min(plain, drawn) + 1):
            least = max((limit + slope * a) // (1024 - slope) + 1, 0)
            inner = sum(
                math.comb(marked, d) * math.comb(total - marked - plain, drawn - a - d)
                for d in range(least, min(least + 80, drawn - a) + 1)  # what comes later is below 1e-12 of it
            )
            above += math.comb(plain, a) * inner
        exact = float(Fraction(above, ways))
        if exact < 1e-3:
            assert exact * (1 - 1e-9) <= found <= exact * (1 + 1e-6) + 1e-9


@pytest.mark.parametrize("score", [0.6, 0.68])
def test_every_number_of_usable_bits_keeps_the_bound(score):
    """Not only the corners of the steps: any n with the most disagreements that the threshold allows."""
    comparison = ComparisonParameters()
    limits = subset_limits(200, (512, 1024), score, 1e-6, comparison, 7000.0)
    logs = factorials(12_800)
    assert (np.diff(limits.table, axis=1) >= 0).all()
    for n in (1600, 1601, 2047, 3333, 5000, 6401, 8192, 9999, 12_799, 12_800):
        marked = most_disagreements(n, score, 12_800.0)
        if marked < 0:
            continue
        for t, bits in enumerate((512, 1024)):
            limit = limits.table[t, -(-n // 128)]
            assert line_tail(12_800, marked, n - marked, bits, limits.slope, limit, logs, 5e-7) <= 5e-7


def test_the_draw_is_uniform_and_depends_on_its_seed_alone():
    counts = np.zeros(64 * 8)
    for seed in range(400):
        counts[draw_positions(8, (128,), seed)] += 1
    expected, deviation = 100.0, math.sqrt(400 * 0.25 * 0.75)
    assert np.abs(counts - expected).max() < 4.5 * deviation
    assert (draw_positions(8, (128, 256), 7) == draw_positions(8, (128, 256), 7)).all()
    assert subset_seed("a") != subset_seed("b")


def test_misses_are_as_rare_as_the_bound_says():
    """Mates exactly at the threshold, many draws: the share that is missed stays below a large declared bound."""
    columns, bound, mates = 200, 0.05, 400
    generator = np.random.default_rng(8)
    probe = generator.integers(0, 2**64, (1, columns), dtype=np.uint64)
    flips = np.zeros((mates, columns * 64), dtype=bool)
    flips[:, :4000] = True
    flips = generator.permuted(flips, axis=1)
    codes = probe ^ np.packbits(flips, axis=1, bitorder="little").view(np.uint64)
    masks = np.full((mates, columns), FULL)
    source = ArraySource.of_codes(codes, masks, "s")
    probes = Probes.of_codes(probe, masks[:1], "s")
    score = build(source, "hamming").search(probes, mates).scores[0].min()
    missed = 0
    for seed in range(6):
        engine = build(source, "hamming-cascade", miss_bound=bound, seed=seed, stages=(512,))
        hits = engine.search(probes, mates, minimum_score=float(score))
        assert hits.miss_bound == bound
        missed += int((hits.ids[0] == -1).sum())
    trials = 6 * mates
    assert missed <= bound * trials + 4 * math.sqrt(bound * trials)
    assert missed > 0  # the bound is not met by passing everything on


def test_planted_mates_are_found_at_any_rotation_and_strangers_are_left_behind():
    generator = np.random.default_rng(9)
    codes, masks = codes_of(10, 3000)
    turns = generator.integers(-15, 16, 40)
    probes = np.array([np.roll(codes[i], turn) for i, turn in enumerate(turns)])
    flips = np.packbits(generator.random((40, 12_800)) < 0.2, axis=1, bitorder="little").view(np.uint64)
    hits = build(ArraySource.of_codes(codes, masks, "s"), "hamming-cascade").search(
        Probes.of_codes(probes ^ flips, np.full_like(probes, FULL), "s"), 5, minimum_score=0.66
    )
    assert (hits.ids[:, 0] == np.arange(40)).all() and (hits.ids[:, 1:] == -1).all()
    assert hits.miss_bound == 1e-6 and hits.notes["passed_on"] < 0.2
