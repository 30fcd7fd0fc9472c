from __future__ import annotations

import numpy as np
import pytest

from samebody.iris import IrisTemplate, compare_irises
from samebody.iris.template import popcount
from samebody.synth.iris import IrisCodePopulation

POPULATION = IrisCodePopulation(seed=7)


def test_any_block_alone_gives_the_same_records() -> None:
    codes, masks = POPULATION.references(0, 50)
    part_codes, part_masks = POPULATION.references(20, 5)
    assert np.array_equal(codes[20:25], part_codes) and np.array_equal(masks[20:25], part_masks)
    joined = [(start, c) for start, c, _ in POPULATION.blocks(50, size=16)]
    assert [start for start, _ in joined] == [0, 16, 32, 48]
    assert np.array_equal(np.concatenate([c for _, c in joined]), codes)
    picked = POPULATION.probes(np.array([40, 3, 3]), 2)[0]
    assert np.array_equal(picked[1], picked[2])
    assert np.array_equal(picked[0], POPULATION.probes(np.array([40]), 2)[0][0])


def test_another_seed_or_capture_gives_others() -> None:
    codes, masks = POPULATION.references(0, 4)
    other, _ = IrisCodePopulation(seed=8).references(0, 4)
    assert not (codes == other).all(axis=1).any()
    one, two = (POPULATION.probes(np.arange(4), capture) for capture in (1, 2))
    assert (
        not np.array_equal(one[0], two[0]) and not np.array_equal(one[1], two[1]) and not np.array_equal(one[1], masks)
    )


def test_non_mated_codes_differ_as_some_250_coin_tosses_would() -> None:
    codes, _ = POPULATION.references(0, 4000)
    distances = popcount(codes[:2000] ^ codes[2000:]).sum(axis=1) / 12_800
    assert distances.mean() == pytest.approx(0.5, abs=0.003)
    assert 200 < 0.25 / distances.var() < 320
    ones = np.unpackbits(codes.view(np.uint8)).mean()
    assert ones == pytest.approx(0.5, abs=0.01)


def test_neighbouring_bits_agree_more_often_than_distant_ones() -> None:
    codes, _ = POPULATION.references(0, 200)

    def agreement(step: int) -> float:
        return 1 - float(popcount(codes ^ np.roll(codes, step, axis=1)).mean()) / 64

    assert agreement(1) > 0.8 and agreement(4) > 0.65 and agreement(60) == pytest.approx(0.5, abs=0.02)
    rows = float(popcount((codes ^ (codes >> np.uint64(4))) & np.uint64(2**60 - 1)).mean()) / 60
    assert rows < 0.25


def test_mated_probes_are_found_turned_and_within_the_error_asked_for() -> None:
    references = [IrisTemplate(c, m) for c, m in zip(*POPULATION.references(0, 60))]
    probes = [IrisTemplate(c, m) for c, m in zip(*POPULATION.probes(np.arange(60), 1))]
    mated = [compare_irises(probe, reference) for probe, reference in zip(probes, references)]
    assert np.mean([found.distance for found in mated]) == pytest.approx(POPULATION.error, abs=0.03)
    turns = {found.rotation for found in mated}
    assert max(map(abs, turns)) <= POPULATION.rotation and len(turns) > 5
    strangers = [compare_irises(probe, references[(k + 1) % 60]).score for k, probe in enumerate(probes)]
    assert min(found.score for found in mated) > max(strangers) - 0.05
    assert np.median([found.score for found in mated]) > max(strangers)


def test_masks_hide_the_share_asked_for_more_above_than_below() -> None:
    _, masks = POPULATION.references(0, 400)
    assert 0.55 < popcount(masks).mean() / 64 < 0.75
    upper, lower = popcount(masks[:, 100:200]).mean(), popcount(masks[:, 0:100]).mean()
    assert upper < lower
    open_masks = IrisCodePopulation(seed=1, occlusion=0.0, fragile=0.0).references(0, 50)[1]
    assert popcount(open_masks).mean() > 62.5


def test_noise_free_probes_are_the_reference_turned() -> None:
    exact = IrisCodePopulation(seed=3, error=0.0, error_spread=0.0, rotation=0)
    assert np.array_equal(exact.probes(np.arange(5), 1)[0], exact.references(0, 5)[0])


@pytest.mark.parametrize(
    "wrong",
    [{"columns": 0}, {"error": 0.6}, {"occlusion": 1.0}, {"fragile": -0.1}, {"seed": -1}, {"rotation": 150}],
)
def test_shares_out_of_range_are_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(ValueError, match=r"lies? in"):
        IrisCodePopulation(**{"seed": 1, **wrong})  # type: ignore[arg-type]


def test_captures_count_from_one() -> None:
    with pytest.raises(ValueError, match="reference"):
        POPULATION.probes(np.arange(2), 0)


@pytest.mark.slow
def test_a_million_records_are_drawn_within_two_minutes() -> None:
    import time

    start = time.perf_counter()
    counted = sum(len(codes) for _, codes, _ in POPULATION.blocks(1_000_000))
    assert counted == 1_000_000 and time.perf_counter() - start < 120
