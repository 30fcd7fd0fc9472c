from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from samebody.document.portrait import PortraitFinder, portrait_candidates
from samebody.types import Box
from tests.document import pages


def overlap(region, box: Box) -> float:
    points = np.array(region.polygon)
    low, high = points.min(axis=0), points.max(axis=0)
    return Box(*low, *(high - low)).intersection_over_union(box)


@pytest.mark.parametrize("seed", [1, 2, 3, 4, 5, 6])
def test_the_portrait_is_the_first_candidate(seed: int) -> None:
    page = pages.photograph(pages.draw_page(seed, portrait=seed, ghost=seed), seed)
    first = portrait_candidates(page, Box(0, pages.MRZ_TOP, 1000, 120))[0]
    assert first.name == "portrait" and first.role == "page"
    assert overlap(first, pages.PORTRAIT) > 0.6


@pytest.mark.parametrize("seed", [1, 2, 3, 4])
def test_the_ghost_image_is_found(seed: int) -> None:
    page = pages.photograph(pages.draw_page(seed, portrait=seed, ghost=seed), seed)
    ghosts = [r for r in portrait_candidates(page, Box(0, pages.MRZ_TOP, 1000, 120)) if r.name == "ghost"]
    assert len(ghosts) == 1
    assert overlap(ghosts[0], pages.GHOST) > 0.5


def test_a_portrait_on_the_right_is_found_too() -> None:
    page = np.ascontiguousarray(pages.draw_page(3, portrait=3, ghost=None)[:, ::-1])
    mirrored = Box(
        1000 - pages.PORTRAIT.x - pages.PORTRAIT.width, pages.PORTRAIT.y, pages.PORTRAIT.width, pages.PORTRAIT.height
    )
    assert overlap(portrait_candidates(page, Box(0, pages.MRZ_TOP, 1000, 120))[0], mirrored) > 0.6


def test_candidates_stay_on_the_page_and_above_the_mrz() -> None:
    page = pages.photograph(pages.draw_page(2, portrait=2, ghost=2), 2)
    for region in portrait_candidates(page, Box(0, pages.MRZ_TOP, 1000, 120)):
        points = np.array(region.polygon)
        assert points.min() >= 0
        assert points[:, 0].max() <= page.shape[1] and points[:, 1].max() <= pages.MRZ_TOP + 8


@pytest.mark.parametrize("shape", [(1, 1), (20, 300), (47, 600), (64, 64), (600, 80)])
def test_tiny_and_odd_pages_offer_something_or_nothing_but_never_raise(shape: tuple[int, int]) -> None:
    for value in (0, 255):
        for region in portrait_candidates(np.full((*shape, 3), value, np.uint8)):
            assert len(region.polygon) == 4


def test_a_blank_page_offers_nothing() -> None:
    assert portrait_candidates(np.full((700, 1000, 3), 230, np.uint8)) == ()


@settings(max_examples=15)
@given(st.integers(0, 2**31), st.integers(48, 260), st.integers(48, 260))
def test_noise_never_raises_and_is_deterministic(seed: int, height: int, width: int) -> None:
    page = np.random.default_rng(seed).integers(0, 256, (height, width, 3), np.uint8)
    assert portrait_candidates(page) == portrait_candidates(page)


def test_scores_are_ordered_and_bounded() -> None:
    page = pages.photograph(pages.draw_page(4, portrait=4, ghost=4), 4)
    found = [c for c in PortraitFinder().find(page) if c.kind == "portrait"]
    assert [c.score for c in found] == sorted((c.score for c in found), reverse=True)
    assert all(0 < c.score <= 1 for c in found)
