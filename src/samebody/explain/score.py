"""What is explained: any function from pictures to scores, asked in small batches, its answers checked.

A pair of pictures is two such functions: the similarity as a function of the first picture while the second stays
whole, and the other way round. Nothing here knows what makes the scores.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from samebody.explain.errors import ExplainInputError, ScoreFunctionError
from samebody.types import Pixels

PictureScore = Callable[[Pixels], NDArray[np.floating]]
"""(n, height, width, 3) uint8 RGB to (n,) scores, higher meaning more alike or more likely bona fide."""

Progress = Callable[[int, int], None]
"""Called with (pictures scored, of how many)."""

MEMORY_BYTES = 64 * 2**20
"""Most memory that the pictures of one batch take; large pictures make smaller batches."""


def silent(done: int, whole: int) -> None:
    """A progress that shows nothing."""


@dataclass(frozen=True, slots=True)
class PairScore:
    """The similarity of two pictures as a function of either.

    Attributes:
        first: scores of variants of the first picture against the whole second one.
        second: scores of variants of the second picture against the whole first one.
        score: similarity of the two whole pictures.
    """

    first: PictureScore
    second: PictureScore
    score: float

    @classmethod
    def of(cls, compare: Callable[[Pixels, Pixels], NDArray[np.floating]], first: Pixels, second: Pixels) -> PairScore:
        """From a function that compares pictures row by row.

        Args:
            compare: (n, h, w, 3) and (n, h, w, 3) uint8 to (n,) similarities.
            first, second: (h, w, 3) uint8, the two whole pictures.
        """

        def from_first(pictures: Pixels) -> NDArray[np.floating]:
            return compare(pictures, np.broadcast_to(second, (len(pictures), *second.shape)))

        def from_second(pictures: Pixels) -> NDArray[np.floating]:
            return compare(np.broadcast_to(first, (len(pictures), *first.shape)), pictures)

        return cls(from_first, from_second, float(asked(from_first, first[None])[0]))


def asked(score: PictureScore, pictures: Pixels) -> NDArray[np.float64]:
    """The scores of ``pictures`` (n, h, w, 3) as (n,) float64, checked.

    Raises:
        ScoreFunctionError: another shape, or a number that is not finite.
    """
    found = np.asarray(score(pictures), dtype=np.float64)
    if found.shape != (len(pictures),):
        raise ScoreFunctionError(
            f"the score function answered with shape {found.shape} for {len(pictures)} pictures.",
            hint="It takes (n, height, width, 3) uint8 and returns n numbers.",
        )
    if not np.isfinite(found).all():
        raise ScoreFunctionError(
            "the score function answered with NaN or infinity.", hint="Check the model with `samebody models check`."
        )
    return found


def batch_size(shape: tuple[int, ...], wanted: int) -> int:
    """Pictures of ``shape`` scored at once: at most ``wanted``, fewer where they are large, never less than one."""
    height, width = shape[:2]
    # a mask and three channels in float32, and the picture itself
    return max(1, min(wanted, MEMORY_BYTES // (height * width * 19)))


def require_picture(picture: Pixels) -> None:
    """Raise ExplainInputError unless ``picture`` is (height, width, 3) uint8 with at least 8 pixels a side."""
    if picture.ndim != 3 or picture.shape[2] != 3 or picture.dtype != np.uint8 or min(picture.shape[:2]) < 8:
        raise ExplainInputError(
            f"expected (height, width, 3) uint8 with at least 8 pixels a side, got {picture.shape} {picture.dtype}."
        )
