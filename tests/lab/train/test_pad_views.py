"""Views of training: both of a pair see the same draws, and nothing is drawn that the parameters forbid."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("torch", reason="the extra samebody[train] is not installed")

from samebody.lab.train.pad_views import ViewParameters, draw_view, spoil, straight_view
from samebody.types import Pixels

BOX = np.array([40, 30, 100, 120], np.float32)


def picture(seed: int = 0, side: int = 200) -> Pixels:
    return np.random.default_rng(seed).integers(0, 256, (side, side, 3)).astype(np.uint8)


@pytest.mark.parametrize("seed", range(20))
def test_the_same_draws_give_the_same_view_and_leave_the_generator_alike_for_any_picture(seed: int) -> None:
    parameters = ViewParameters(side=64)
    after = []
    for pixels in (picture(1), picture(1), np.full((200, 200, 3), 128, np.uint8)):
        random = np.random.default_rng(seed)
        view = draw_view(pixels, BOX, parameters, random)
        assert view.shape == (64, 64, 3) and view.dtype == np.uint8
        after.append((view, random.random()))
    assert np.array_equal(after[0][0], after[1][0])
    assert after[0][1] == after[1][1] == after[2][1]


def test_without_spoiling_a_view_is_the_window_and_nothing_else() -> None:
    part = picture(2, 90)
    assert spoil(part, 64, 0.0, np.random.default_rng(0)) is part


def test_spoiling_changes_pictures_in_many_ways() -> None:
    part = np.clip(np.random.default_rng(3).normal(120, 30, (112, 112, 3)), 0, 255).astype(np.uint8)
    means, spreads = [], []
    for seed in range(60):
        view = spoil(part, 112, 1.0, np.random.default_rng(seed)).astype(float)
        means.append(view.mean())
        spreads.append(view.std())
    assert np.std(means) > 5
    assert min(spreads) < 25 < 32 < max(spreads)


def test_near_and_far_views_follow_the_parameters() -> None:
    ramp = np.repeat(np.arange(200, dtype=np.uint8)[None, :, None], 200, axis=0).repeat(3, axis=2)
    near = ViewParameters(side=50, nearest=0.5, farthest=0.5, spoil=0)
    far = ViewParameters(side=50, nearest=1.5, farthest=1.5, spoil=0)
    spans = []
    for parameters in (near, far):
        views = [draw_view(ramp, BOX, parameters, np.random.default_rng(s)).astype(int) for s in range(5)]
        spans.append(np.mean([np.ptp(view[0, :, 0]) for view in views]))
    assert spans[0] == pytest.approx(60, abs=4) and spans[1] == pytest.approx(180, abs=6)


def test_straight_views_have_no_draw() -> None:
    assert np.array_equal(straight_view(picture(4), BOX, 64, 1.3), straight_view(picture(4), BOX, 64, 1.3))
