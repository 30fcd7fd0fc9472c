"""Deletion and insertion curves: how fast a score falls when what the map calls important is covered first."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from samebody.explain.errors import ExplainInputError
from samebody.explain.masks import Fill, covered, masked
from samebody.explain.score import PictureScore, asked, batch_size, require_picture
from samebody.types import Pixels


@dataclass(frozen=True, slots=True)
class Curves:
    """Both curves of one map on one picture (Petsiuk, Das and Saenko, BMVC 2018, section 4.1).

    Attributes:
        fractions: (k,) share of the pixels covered (deletion) or shown (insertion), 0 to 1.
        deletion: (k,) scores; the most supporting pixels are covered first. A good map falls early.
        insertion: (k,) scores; the most supporting pixels are shown first. A good map rises early.
    """

    fractions: tuple[float, ...]
    deletion: tuple[float, ...]
    insertion: tuple[float, ...]

    @property
    def deletion_area(self) -> float:
        """Area under the deletion curve (trapezoids): the mean score on the way down; lower is better."""
        return area(self.fractions, self.deletion)

    @property
    def insertion_area(self) -> float:
        """Area under the insertion curve: the mean score on the way up; higher is better."""
        return area(self.fractions, self.insertion)


def area(positions: Sequence[float], heights: Sequence[float]) -> float:
    """Area under a line through points, by trapezoids."""
    x, y = np.asarray(positions, dtype=np.float64), np.asarray(heights, dtype=np.float64)
    return float((np.diff(x) * (y[1:] + y[:-1]) / 2).sum())


def curves(
    score: PictureScore,
    picture: Pixels,
    values: NDArray[np.float32],
    *,
    steps: int = 20,
    fill: Fill = "mean",
    insertion_fill: Fill = "blur",
    batch: int = 16,
) -> Curves:
    """Both curves.

    Args:
        score: the function that was explained.
        picture: (h, w, 3) uint8.
        values: (h, w) map; pixels are ranked by it, equal ones by their position.
        steps: number of steps, each of the same number of pixels; ``steps + 1`` pictures are scored for each curve.
        fill, insertion_fill: what covered pixels show; insertion starts from the blurred picture, as in the paper.
        batch: pictures scored at once.

    Raises:
        ExplainInputError: the map does not fit the picture.
        ScoreFunctionError: as :func:`samebody.explain.score.asked`.
    """
    require_picture(picture)
    if values.shape != picture.shape[:2] or not np.isfinite(values).all() or steps < 1:
        raise ExplainInputError(f"a map of {values.shape} does not fit a picture of {picture.shape[:2]}.")
    order = np.argsort(-values.ravel(), kind="stable")
    rank = np.argsort(order, kind="stable").reshape(values.shape)
    counts = np.rint(np.linspace(0, order.size, steps + 1)).astype(np.int64)
    found = []
    for cover, keeps_first in ((covered(picture, fill), False), (covered(picture, insertion_fill), True)):
        scores = []
        size = batch_size(picture.shape, batch)
        for start in range(0, len(counts), size):
            first = rank[None] < counts[start : start + size, None, None]
            masks = (first if keeps_first else ~first).astype(np.float32)
            scores.append(asked(score, masked(picture, masks, cover)))
        found.append(np.concatenate(scores))
    fractions = counts / order.size
    return Curves(tuple(fractions.tolist()), tuple(found[0].tolist()), tuple(found[1].tolist()))
