"""The judge tells good maps from bad ones, and says so with an interval."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from samebody.explain import Case, CorrRise, Saliency, judge
from samebody.explain.baselines import BASELINES, centre_map, edge_map, random_map
from samebody.explain.curves import area, curves
from samebody.explain.errors import ExplainInputError
from samebody.explain.judge import against_random, bootstrap_mean
from samebody.explain.methods import Method
from samebody.explain.sanity import planted, rank_correlation
from samebody.explain.score import PictureScore, Progress, silent
from samebody.measure import BootstrapOptions
from samebody.types import Pixels


class Oracle(Method):
    """Knows where the evidence was planted, or (``wrong``) names everything else."""

    name = "oracle"

    def __init__(self, regions: dict[bytes, NDArray[np.bool_]], wrong: bool = False) -> None:
        super().__init__()
        self.regions, self.wrong = regions, wrong

    def explain(self, score: PictureScore, picture: Pixels, progress: Progress = silent) -> Saliency:
        region = self.regions[picture.tobytes()].astype(np.float32)
        return Saliency(1 - region if self.wrong else region, "oracle", 1.0, 0)


@pytest.fixture(scope="module")
def plantings() -> tuple[list[Case], dict[bytes, NDArray[np.bool_]]]:
    found = [planted(seed, side=40) for seed in range(8)]
    return (
        [Case(one.score, one.picture, str(number)) for number, one in enumerate(found)],
        {one.picture.tobytes(): one.region for one in found},
    )


def test_curves_agree_with_covering_by_hand() -> None:
    picture = np.random.default_rng(3).integers(0, 256, (10, 10, 3), dtype=np.uint8)
    values = np.random.default_rng(4).normal(size=(10, 10)).astype(np.float32)

    def score(pictures: Pixels) -> NDArray[np.float64]:
        return (pictures == picture).all(axis=3).mean(axis=(1, 2))

    found = curves(score, picture, values, steps=10, fill="black", batch=3)
    assert found.fractions == pytest.approx(np.linspace(0, 1, 11))
    assert found.deletion == pytest.approx(np.linspace(1, 0, 11), abs=0.03)  # black pixels of the picture itself
    order = np.argsort(-values.ravel(), kind="stable")
    covered = picture.reshape(-1, 3).copy()
    covered[order[:30]] = 0
    assert found.deletion[3] == pytest.approx(score(covered.reshape(1, 10, 10, 3))[0])
    assert found.deletion_area == pytest.approx(0.5, abs=0.03)


@given(st.lists(st.floats(-2, 2), min_size=2, max_size=12))
def test_the_area_is_numpys(heights: list[float]) -> None:
    x = np.linspace(0, 1, len(heights))
    integrate = getattr(np, "trapezoid", None) or np.trapz
    assert area(x.tolist(), heights) == pytest.approx(float(integrate(heights, x)))


def test_a_map_that_knows_beats_random_and_one_that_is_wrong_does_not(
    plantings: tuple[list[Case], dict[bytes, NDArray[np.bool_]]],
) -> None:
    cases, regions = plantings
    seen: list[tuple[int, int]] = []
    found = judge(
        cases,
        {"right": Oracle(regions), "wrong": Oracle(regions, wrong=True), "corrrise": CorrRise(masks=200)},
        steps=10,
        options=BootstrapOptions(replicates=200),
        progress=lambda done, whole: seen.append((done, whole)),
    )
    right, wrong = found.row("right"), found.row("wrong")
    assert right.better_than_random and found.row("corrrise").better_than_random
    assert not wrong.better_than_random and wrong.deletion_gain.interval[1] < 0
    assert right.deletion.mean < found.row("random").deletion.mean < wrong.deletion.mean
    assert right.insertion.mean > found.row("random").insertion.mean > wrong.insertion.mean
    assert found.row("random").deletion_gain.mean == 0 and not found.row("random").better_than_random
    assert (found.cases, found.units) == (8, 8) and seen[-1] == (8, 8)
    assert found.to_dict()["rows"][0]["better_than_random"] is True
    with pytest.raises(KeyError):
        found.row("none")


def test_judging_is_repeatable(plantings: tuple[list[Case], dict[bytes, NDArray[np.bool_]]]) -> None:
    cases, regions = plantings
    options = BootstrapOptions(replicates=50)
    one, two = (judge(cases[:3], {"o": Oracle(regions)}, steps=5, options=options) for _ in range(2))
    assert one.to_dict() == two.to_dict()


def test_one_person_is_not_enough(plantings: tuple[list[Case], dict[bytes, NDArray[np.bool_]]]) -> None:
    cases, regions = plantings
    same = [Case(case.score, case.picture, "one") for case in cases]
    with pytest.raises(ExplainInputError, match="two people"):
        judge(same, {"o": Oracle(regions)})


def test_pictures_of_one_person_are_drawn_together() -> None:
    options = BootstrapOptions(replicates=400)
    values = np.repeat([0.0, 1.0], 50)
    apart = bootstrap_mean(values, np.arange(100), 100, options)
    together = bootstrap_mean(values, np.repeat([0, 1], 50), 2, options)
    assert apart.mean == together.mean == 0.5
    assert together.interval == (0.0, 1.0) and apart.interval[1] - apart.interval[0] < 0.25


def test_the_interval_covers_the_mean_of_the_population() -> None:
    generator = np.random.default_rng(2)
    options = BootstrapOptions(replicates=200)
    inside = 0
    for _ in range(100):
        low, high = bootstrap_mean(generator.normal(1.0, 1.0, 40), np.arange(40), 40, options).interval
        inside += low <= 1.0 <= high
    assert inside >= 85


@given(st.integers(8, 40), st.integers(8, 40), st.integers(0, 50))
@settings(max_examples=30)
def test_baselines_are_finite_maps_of_the_pictures_size(height: int, width: int, seed: int) -> None:
    picture = np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)
    for make in BASELINES.values():
        values = make(picture, seed)
        assert values.shape == (height, width) and values.dtype == np.float32 and np.isfinite(values).all()


def test_baselines_know_what_they_should() -> None:
    picture = np.zeros((40, 40, 3), dtype=np.uint8)
    picture[:, 20:] = 255
    edges = edge_map(picture)
    assert edges[:, 18:22].mean() > 20 * edges[:, :10].mean()
    assert np.unravel_index(centre_map(picture).argmax(), (40, 40)) in {(19, 19), (19, 20), (20, 19), (20, 20)}
    assert not np.array_equal(random_map(picture, 0), random_map(picture, 1))
    np.testing.assert_array_equal(random_map(picture, 3), random_map(picture, 3))


def test_the_sentence_says_which_is_better() -> None:
    one = planted(4, side=40)
    good = against_random(one.score, one.picture, one.region.astype(np.float32))
    bad = against_random(one.score, one.picture, 1 - one.region.astype(np.float32))
    assert "it is better than chance" in good and "no better than chance" in bad


def test_a_map_of_another_size_is_refused() -> None:
    one = planted(4, side=40)
    with pytest.raises(ExplainInputError, match="does not fit"):
        curves(one.score, one.picture, np.zeros((5, 5), dtype=np.float32))


def test_rank_correlation_of_a_constant_map_is_nothing() -> None:
    flat = Saliency(np.zeros((4, 4), np.float32), "m", 0.0, 1)
    ramp = Saliency(np.arange(16, dtype=np.float32).reshape(4, 4), "m", 0.0, 1)
    assert rank_correlation(flat, ramp) == 0.0
    assert rank_correlation(ramp, ramp) == pytest.approx(1.0)
