from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from samebody.errors import EmbeddingSpaceMismatchError
from samebody.iris import ComparisonParameters, IrisTemplate, compare_irises
from samebody.iris.compare import rotation_order, score_many
from samebody.iris.errors import EyeMismatchError, InvalidIrisTemplateError, TooFewBitsError
from tests.iris.codes import naive_counts, noisy, random_template

SMALL = ComparisonParameters(rotations=3, minimum_bits=50, reference_bits=2560)


@given(st.integers(0, 10**6), st.sampled_from([6, 12]), st.floats(0.05, 1.0), st.floats(0, 0.5), st.integers(-3, 3))
@settings(max_examples=25, deadline=None)
def test_the_score_is_what_the_definition_says(seed: int, columns: int, usable: float, share: float, turn: int) -> None:
    reference = random_template(seed, columns, usable)
    probe = noisy(reference, share, turn, seed + 1)
    candidates = []
    for r in rotation_order(3):
        differing, shared = naive_counts(probe, reference, int(r))
        if shared >= 50:
            hd = differing / shared
            candidates.append((0.5 - (0.5 - hd) * (shared / 2560) ** 0.5, hd, int(r), shared))
    if not candidates:
        with pytest.raises(TooFewBitsError):
            compare_irises(probe, reference, SMALL)
        return
    normalised, hd, r, shared = min(candidates, key=lambda entry: entry[0])
    found = compare_irises(probe, reference, SMALL)
    assert found.score == np.float32(1 - normalised)
    assert (found.distance, found.rotation, found.usable_bits) == (hd, r, shared)


def test_a_turned_copy_is_found_at_its_turn() -> None:
    reference = random_template(1, 200, 0.7)
    for turn in (-15, -4, 0, 9, 15):
        found = compare_irises(noisy(reference, 0.1, turn), reference)
        assert found.rotation == -turn and found.distance < 0.13
    assert compare_irises(noisy(reference, 0.1, 20), reference).distance > 0.4


def test_swapping_probe_and_reference_changes_only_the_sign_of_the_turn() -> None:
    a = random_template(2, 200)
    b = noisy(a, 0.2, 5, 3)
    forward, back = compare_irises(a, b), compare_irises(b, a)
    assert forward.score == back.score and forward.rotation == -back.rotation == 5


def test_all_bits_equal_score_one_and_all_different_zero() -> None:
    ones = np.full(200, 2**64 - 1, dtype=np.uint64)
    zeros = np.zeros(200, dtype=np.uint64)
    same = compare_irises(IrisTemplate(ones, ones), IrisTemplate(ones, ones))
    opposite = compare_irises(IrisTemplate(ones, ones), IrisTemplate(zeros, ones))
    assert (same.score, same.distance, opposite.score, opposite.distance) == (1.0, 0.0, 0.0, 1.0)


def test_fewer_usable_bits_bring_the_score_nearer_to_chance() -> None:
    reference = random_template(4, 200, 1.0)
    probe = noisy(reference, 0.2)
    full = compare_irises(probe, reference)
    code, mask = probe.to_bits()
    mask[8:] = False
    half = compare_irises(IrisTemplate.from_bits(code, mask), reference)
    assert half.usable_bits == 6400 and full.usable_bits == 12800
    assert half.distance == pytest.approx(full.distance, abs=0.02)
    expected = 0.5 + (full.score - 0.5) * 0.5**0.5
    assert half.score == pytest.approx(expected, abs=0.02)
    plain = ComparisonParameters(normalisation="none")
    assert compare_irises(probe, reference, plain).score == np.float32(1 - full.distance)


def test_bits_outside_the_masks_have_no_say() -> None:
    reference, probe = random_template(5, 40), random_template(6, 40)
    rng = np.random.default_rng(0)
    code, mask = probe.to_bits()
    other = IrisTemplate.from_bits(np.where(mask, code, rng.random(code.shape) < 0.5), mask)
    assert compare_irises(other, reference) == compare_irises(probe, reference)


def test_a_half_of_which_little_is_usable_moves_the_score_less_with_halves() -> None:
    reference = random_template(7, 200, 1.0)
    code, mask = noisy(reference, 0.4).to_bits()
    mask[:, 100:] &= np.random.default_rng(1).random(mask[:, 100:].shape) < 0.3
    alike = reference.to_bits()[0]
    by_half = ComparisonParameters(halves=True)
    for columns, higher in ((slice(0, 100), True), (slice(100, 200), False)):
        part = code.copy()
        part[:, columns] = alike[:, columns]
        probe = IrisTemplate.from_bits(part, mask)
        with_halves, whole = compare_irises(probe, reference, by_half), compare_irises(probe, reference)
        assert with_halves.distance == whole.distance and (with_halves.score > whole.score) is higher
    even = noisy(reference, 0.2)
    halves = compare_irises(even, reference, ComparisonParameters(halves=True))
    assert halves.score == pytest.approx(compare_irises(even, reference).score, abs=1e-3)


def test_what_must_not_be_compared_is_refused() -> None:
    a = random_template(8, 200, eye="left", space="s")
    with pytest.raises(EmbeddingSpaceMismatchError, match="cannot be compared"):
        compare_irises(a, random_template(9, 200, eye="left", space="t"))
    with pytest.raises(EyeMismatchError, match="left eye"):
        compare_irises(a, random_template(9, 200, eye="right", space="s"))
    with pytest.raises(InvalidIrisTemplateError, match="columns"):
        compare_irises(a, random_template(9, 40, eye="left", space="s"))
    assert compare_irises(a, random_template(9, 200, eye="unknown", space="s")).eye == "unknown"
    with pytest.raises(TooFewBitsError, match="usable bits"):
        compare_irises(a, random_template(9, 200, 0.0, eye="left", space="s"))


@given(st.integers(0, 10**6))
@settings(max_examples=15, deadline=None)
def test_turning_more_never_lowers_the_score(seed: int) -> None:
    a, b = random_template(seed, 40), random_template(seed + 1, 40)
    scores = [compare_irises(a, b, ComparisonParameters(rotations=r, minimum_bits=1)).score for r in (0, 1, 4, 9)]
    assert scores == sorted(scores)


@pytest.mark.parametrize("halves", [False, True])
def test_many_scores_are_those_of_one_at_a_time(halves: bool) -> None:
    parameters = ComparisonParameters(minimum_bits=8000, halves=halves)
    probe = random_template(1, 200, 0.95)
    references = [random_template(seed, 200, usable) for seed, usable in ((2, 0.9), (3, 0.2), (4, 0.8), (5, 1.0))]
    references.append(noisy(probe, 0.2, 3))
    codes = np.stack([reference.code for reference in references])
    masks = np.stack([reference.mask for reference in references])
    found = score_many(probe, codes, masks, parameters, chunk=2)
    for score, reference in zip(found, references):
        try:
            assert score == compare_irises(probe, reference, parameters).score
        except TooFewBitsError:
            assert score == -np.inf
    assert np.isneginf(found).sum() == 1 and found.argmax() == 4
    with pytest.raises(InvalidIrisTemplateError, match="columns"):
        score_many(probe, codes[:, :100], masks[:, :100])
