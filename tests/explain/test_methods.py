"""Maps find what was planted, agree with naive oracles and published formulas, and depend on the seed alone."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from samebody.errors import ConfigError
from samebody.explain import CorrRise, Occlusion, PairScore, Rise, Saliency, methods
from samebody.explain.errors import ExplainInputError, ScoreFunctionError
from samebody.explain.masks import covered, masked, random_mask, random_masks
from samebody.explain.methods import Method, windows
from samebody.explain.sanity import planted, pointing_game, pointing_score
from samebody.explain.score import MEMORY_BYTES, batch_size
from samebody.types import Pixels

SMALL = {"masks": 64, "cells": 5}


def brightness(pictures: Pixels) -> NDArray[np.float64]:
    """A score whose best explanation is known: the mean of the upper left quarter."""
    height, width = pictures.shape[1:3]
    return pictures[:, : height // 2, : width // 2].mean(axis=(1, 2, 3)) / 255


def bright_corner(side: int = 32) -> Pixels:
    picture = np.zeros((side, side, 3), dtype=np.uint8)
    picture[: side // 2, : side // 2] = 255
    return picture


@pytest.mark.parametrize("name", sorted(methods))
def test_planted_evidence_is_pointed_at(name: str) -> None:
    options = {} if name == "occlusion" else {"masks": 400}
    assert pointing_score(methods[name](**options), 5, seed=3) == 5


@pytest.mark.parametrize("name", sorted(methods))
def test_a_map_is_wrong_for_another_function(name: str) -> None:
    # the same test must be able to fail: the evidence of one planting is not found by the map of another
    options = {} if name == "occlusion" else {"masks": 400}
    one, two = planted(1), planted(2)
    assert not np.any(one.region & two.region)
    saliency = methods[name](**options).explain(two.score, two.picture)
    assert not pointing_game(saliency, one.region)


def test_rise_agrees_with_the_sum_over_masks() -> None:
    picture = np.random.default_rng(5).integers(0, 256, (24, 30, 3), dtype=np.uint8)
    found = Rise(**SMALL, batch=7).explain(brightness, picture)
    masks = np.stack([random_mask((24, 30), 5, 0.5, 0, index) for index in range(64)]).astype(np.float64)
    cover = covered(picture, "mean")
    scores = np.array([brightness(masked(picture, mask[None].astype(np.float32), cover))[0] for mask in masks])
    expected = (scores[:, None, None] * masks).sum(0) / masks.sum(0) - scores.mean()
    np.testing.assert_allclose(found.values, expected, atol=1e-6)
    assert found.evaluations == 65 and found.score == pytest.approx(brightness(picture[None])[0])


def test_corrrise_agrees_with_numpys_correlation() -> None:
    picture = np.random.default_rng(6).integers(0, 256, (20, 20, 3), dtype=np.uint8)
    found = CorrRise(**SMALL, batch=9, seed=4).explain(brightness, picture)
    masks = np.stack([random_mask((20, 20), 5, 0.5, 4, index) for index in range(64)]).astype(np.float64)
    cover = covered(picture, "mean")
    scores = brightness(masked(picture, masks.astype(np.float32), cover))
    for y, x in ((0, 0), (3, 11), (19, 19), (10, 7)):
        expected = np.corrcoef(masks[:, y, x], scores)[0, 1]
        assert found.values[y, x] == pytest.approx(expected, abs=1e-6)


def test_occlusion_agrees_with_covering_by_hand() -> None:
    picture = bright_corner(20)
    found = Occlusion(sizes=(0.25,), step=1.0, fill="black").explain(brightness, picture)
    whole = brightness(picture[None])[0]
    expected = np.zeros((20, 20))
    for top in range(0, 20, 5):
        for left in range(0, 20, 5):
            part = picture.copy()
            part[top : top + 5, left : left + 5] = 0
            expected[top : top + 5, left : left + 5] = whole - brightness(part[None])[0]
    np.testing.assert_allclose(found.values, expected, atol=1e-7)
    assert found.values[2, 2] == pytest.approx(0.25) and not found.opposing.any()


def test_what_lowers_the_score_opposes_it() -> None:
    saliency = CorrRise(masks=300, cells=4, fill="grey").explain(lambda p: 1 - brightness(p), bright_corner())
    assert saliency.values[:14, :14].max() < 0 < saliency.opposing[:14, :14].min()


@pytest.mark.parametrize("method", [Rise(**SMALL), CorrRise(**SMALL), Occlusion(sizes=(0.3,))])
def test_a_constant_score_gives_an_empty_map(method: Method) -> None:
    saliency = method.explain(lambda pictures: np.full(len(pictures), 0.7), bright_corner())
    assert not saliency.values.any() and saliency.score == 0.7


def test_noise_is_the_spread_of_a_pixel_without_effect() -> None:
    generator = np.random.default_rng(0)
    for method in (Rise(masks=400, cells=6), CorrRise(masks=400, cells=6)):
        saliency = method.explain(lambda pictures: generator.normal(size=len(pictures)), bright_corner(48))
        ratio = float(saliency.values.std()) / saliency.noise
        assert 0.7 < ratio < 1.4


@pytest.mark.parametrize("name", sorted(methods))
def test_the_same_seed_gives_the_same_map_whatever_the_batch(name: str) -> None:
    options = {} if name == "occlusion" else SMALL
    picture = np.random.default_rng(7).integers(0, 256, (20, 26, 3), dtype=np.uint8)
    one = methods[name](**options).explain(brightness, picture)
    again = methods[name](**options).explain(brightness, picture)
    other = methods[name](**options, batch=5).explain(brightness, picture)
    np.testing.assert_array_equal(one.values, again.values)
    np.testing.assert_allclose(one.values, other.values, atol=1e-6)
    assert one.parameters == other.parameters
    if name != "occlusion":
        assert not np.array_equal(one.values, methods[name](**options, seed=1).explain(brightness, picture).values)


def test_a_pair_is_explained_from_both_sides() -> None:
    first, second = bright_corner(), np.full((32, 32, 3), 200, dtype=np.uint8)

    def compare(one: Pixels, two: Pixels) -> NDArray[np.float64]:
        return brightness(one) * two[:, 24:, 24:].mean(axis=(1, 2, 3)) / 255

    pair = PairScore.of(compare, first, second)
    assert pair.score == pytest.approx(200 / 255)
    seen: list[tuple[int, int]] = []
    found = CorrRise(masks=200, cells=4, fill="black").explain_pair(
        pair, first, second, lambda d, w: seen.append((d, w))
    )
    assert found.first.peak[0] < 16 and found.first.peak[1] < 16
    assert found.second.peak[0] >= 20 and found.second.peak[1] >= 20
    assert seen[-1] == (400, 400) and seen == sorted(seen)
    assert json.loads(json.dumps(found.to_dict()))["score"] == pair.score


@given(st.integers(8, 60), st.integers(8, 60), st.floats(0.01, 1.0), st.floats(0.06, 1.0))
@settings(max_examples=60)
def test_windows_cover_every_pixel_and_stay_inside(height: int, width: int, size: float, step: float) -> None:
    counts = np.zeros((height, width), dtype=int)
    for top, left, side in windows((height, width), size, step):
        assert 0 <= top <= height - side and 0 <= left <= width - side
        counts[top : top + side, left : left + side] += 1
    assert counts.min() >= 1


@given(st.integers(8, 40), st.integers(8, 40), st.integers(2, 9), st.floats(0.1, 0.9), st.integers(0, 99))
@settings(max_examples=40)
def test_masks_lie_between_0_and_1_and_do_not_depend_on_the_batch(
    height: int, width: int, cells: int, keep: float, seed: int
) -> None:
    one = np.concatenate(list(random_masks((height, width), 7, cells, keep, seed, 7)))
    two = np.concatenate(list(random_masks((height, width), 7, cells, keep, seed, 2)))
    np.testing.assert_array_equal(one, two)
    assert one.shape == (7, height, width) and one.min() >= 0 and one.max() <= 1


def test_masks_keep_as_much_as_asked() -> None:
    masks = np.concatenate(list(random_masks((40, 40), 400, 8, 0.3, 0, 50)))
    assert abs(float(masks.mean()) - 0.3) < 0.02
    assert float(np.abs(masks.mean(axis=0) - 0.3).max()) < 0.15


def test_masking_keeps_where_1_and_covers_where_0() -> None:
    picture = np.random.default_rng(1).integers(0, 256, (10, 12, 3), dtype=np.uint8)
    for fill in ("mean", "grey", "black", "blur"):
        cover = covered(picture, fill)
        both = masked(picture, np.stack([np.ones((10, 12)), np.zeros((10, 12))]).astype(np.float32), cover)
        np.testing.assert_array_equal(both[0], picture)
        np.testing.assert_array_equal(both[1], cover)


def test_large_pictures_are_scored_in_smaller_batches() -> None:
    assert batch_size((112, 112, 3), 16) == 16
    assert batch_size((4000, 3000, 3), 16) == 1
    for side in (200, 700, 1500):
        assert batch_size((side, side), 256) * side * side * 19 <= MEMORY_BYTES


@pytest.mark.parametrize("answer", [np.zeros(3), np.zeros((2, 1)), np.array([np.nan, 0.0])])
def test_a_score_function_that_does_not_answer_is_a_typed_error(answer: NDArray[np.float64]) -> None:
    def score(pictures: Pixels) -> NDArray[np.float64]:
        return answer[: len(pictures)] if answer.ndim == 1 and np.isnan(answer).any() else answer

    with pytest.raises(ScoreFunctionError):
        CorrRise(**SMALL).explain(score, bright_corner())


@pytest.mark.parametrize(
    "picture", [np.zeros((4, 40, 3), np.uint8), np.zeros((20, 20), np.uint8), np.zeros((20, 20, 3))]
)
@pytest.mark.parametrize("method", [Rise(**SMALL), CorrRise(**SMALL), Occlusion()])
def test_what_is_no_picture_is_a_typed_error(method: Method, picture: NDArray[np.uint8]) -> None:
    with pytest.raises(ExplainInputError):
        method.explain(brightness, picture)


def test_parameters_out_of_bounds_are_named_together() -> None:
    with pytest.raises(ConfigError, match=r"masks.*keep"):
        Rise(masks=1, keep=2.0)


def test_a_map_is_read_back_from_json() -> None:
    made = CorrRise(**SMALL).explain(brightness, bright_corner())
    back = Saliency.from_dict(json.loads(json.dumps(made.to_dict())))
    np.testing.assert_allclose(back.values, made.values, atol=2e-5)
    assert (back.method, back.score, back.evaluations, back.noise) == ("corrrise", made.score, 65, made.noise)
    for broken in ({**made.to_dict(), "format_version": 9}, {**made.to_dict(), "width": 3}, {"format_version": 1}):
        with pytest.raises(ExplainInputError):
            Saliency.from_dict(broken)
