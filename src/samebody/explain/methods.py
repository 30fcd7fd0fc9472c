"""Three ways to explain a score from outside: occlusion, RISE, CorrRISE. Each covers parts and watches the score.

All are deterministic: the same score function, picture, parameters and seed give the same map, whatever the batch.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from samebody import stage
from samebody.explain.masks import Fill, covered, masked, random_masks
from samebody.explain.saliency import PairSaliency, Saliency
from samebody.explain.score import PairScore, PictureScore, Progress, asked, batch_size, require_picture, silent
from samebody.stage import Registry, Stage
from samebody.types import Pixels


class Method(Stage):
    """Base of the methods; subclasses register in :data:`methods`."""

    name: ClassVar[str]

    def explain(self, score: PictureScore, picture: Pixels, progress: Progress = silent) -> Saliency:
        """The map of ``picture``.

        Args:
            score: the function that is explained.
            picture: (height, width, 3) uint8 RGB, at least 8 pixels a side.
            progress: told (pictures scored, of how many).

        Raises:
            ExplainInputError: ``picture`` is no picture.
            ScoreFunctionError: the function does not answer with one finite number for each picture.
        """
        raise TypeError(f"{type(self).__name__} explains nothing")

    def explain_pair(self, pair: PairScore, first: Pixels, second: Pixels, progress: Progress = silent) -> PairSaliency:
        """The maps of both pictures: one is covered in parts while the other stays whole, then the other way round."""

        def later(done: int, whole: int) -> None:
            progress(whole + done, 2 * whole)

        one = self.explain(pair.first, first, lambda done, whole: progress(done, 2 * whole))
        return PairSaliency(one, self.explain(pair.second, second, later), pair.score)


methods: Registry[type[Method]] = Registry("explanation method")


class _Sampled(Method):
    """What RISE and CorrRISE share: random masks, scored in batches."""

    class Parameters(stage.Stage.Parameters):
        """How the masks are drawn.

        Attributes:
            masks: how many; the noise of the map falls with their square root.
            cells: of the coarse grid along each side.
            keep: probability that a cell is kept.
            fill: what covered pixels show.
            seed: of the masks.
            batch: pictures scored at once; changes nothing but memory and speed.
        """

        masks: int = Field(default=500, ge=16, le=100_000)
        cells: int = Field(default=8, ge=2, le=64)
        keep: float = Field(default=0.5, gt=0.02, lt=0.98)
        fill: Fill = "mean"
        seed: int = Field(default=0, ge=0)
        batch: int = Field(default=16, ge=1, le=256)

    parameters: Parameters

    def _scored(
        self, score: PictureScore, picture: Pixels, progress: Progress
    ) -> Iterator[tuple[NDArray[np.float32], NDArray[np.float64]]]:
        """Batches of masks (n, h, w) with the scores (n,) of the pictures they leave."""
        wanted = self.parameters
        height, width = picture.shape[:2]
        cover = covered(picture, wanted.fill)
        size = batch_size(picture.shape, wanted.batch)
        done = 0
        for masks in random_masks((height, width), wanted.masks, wanted.cells, wanted.keep, wanted.seed, size):
            found = asked(score, masked(picture, masks, cover))
            done += len(masks)
            progress(done, wanted.masks)
            yield masks, found

    def _map(self, values: NDArray[np.float64], score: float, noise: float) -> Saliency:
        """The result, with everything that determines it."""
        settings = self.parameters.model_dump(exclude={"batch"})
        return Saliency(values.astype(np.float32), self.name, score, self.parameters.masks + 1, noise, settings)


@methods.register("rise")
class Rise(_Sampled):
    """RISE (Petsiuk, Das and Saenko, BMVC 2018): what a pixel's being seen is worth on average.

    The paper's map, ``sum_i s_i M_i(x) / (N E[M])``, estimates the mean score given that pixel ``x`` is seen. Here
    the sum is divided by the masks' own sum at ``x``, and the mean score is taken off: the limit is the same up to a
    constant, the noise is smaller where scores have an offset (a cosine of 0.6), and 0 is neutral. Unit: of the score.
    """

    name = "rise"

    def explain(self, score: PictureScore, picture: Pixels, progress: Progress = silent) -> Saliency:
        """See :meth:`Method.explain`."""
        require_picture(picture)
        weighted = np.zeros(picture.shape[:2])
        seen = np.zeros(picture.shape[:2])
        squares = 0.0
        total = total_square = 0.0
        whole = float(asked(score, picture[None])[0])
        for masks, found in self._scored(score, picture, progress):
            # the whole picture's score is taken off first: sums of small numbers lose no digits
            weighted += np.einsum("n,nhw->hw", found - whole, masks.astype(np.float64))
            seen += masks.sum(axis=0, dtype=np.float64)
            squares += float(np.square(masks, dtype=np.float64).mean(axis=(1, 2)).sum())
            total += float((found - whole).sum())
            total_square += float(((found - whole) ** 2).sum())
        count = self.parameters.masks
        mean = total / count
        values = np.divide(weighted, seen, out=np.full(seen.shape, mean), where=seen > 0) - mean
        # without an effect, scores and masks are independent; the value is their covariance over the mask's mean
        spread = max(total_square / count - mean**2, 0.0)
        often = float(seen.mean()) / count
        noise = np.sqrt(spread * max(squares / count - often**2, 0.0) / count) / max(often, 1e-9)
        return self._map(values, whole, float(noise))


@methods.register("corrrise")
class CorrRise(_Sampled):
    """CorrRISE (Lu, Xu and Ebrahimi, WACV 2024): the correlation of a pixel's being seen with the similarity.

    The value of a pixel is Pearson's correlation, over the masks, of the mask at the pixel with the score of the masked
    picture: above 0 the similarity map, below 0 the dissimilarity map. One picture of a pair is masked at a time and
    compared with the whole other one. Sums are kept, never the masks, so memory does not grow with their number.
    Unit: correlation, -1 to 1.
    """

    name = "corrrise"

    def explain(self, score: PictureScore, picture: Pixels, progress: Progress = silent) -> Saliency:
        """See :meth:`Method.explain`."""
        require_picture(picture)
        shape = picture.shape[:2]
        whole = float(asked(score, picture[None])[0])
        sum_mask, sum_square, sum_product = np.zeros(shape), np.zeros(shape), np.zeros(shape)
        scores: list[NDArray[np.float64]] = []
        expected = self.parameters.keep
        for masks, found in self._scored(score, picture, progress):
            centred = masks.astype(np.float64) - expected
            sum_mask += centred.sum(axis=0)
            sum_square += np.einsum("nhw,nhw->hw", centred, centred)
            sum_product += np.einsum("n,nhw->hw", found - whole, centred)
            scores.append(found - whole)
        values = np.concatenate(scores)
        count = self.parameters.masks
        covariance = sum_product - sum_mask * values.mean()
        spread = (sum_square - sum_mask**2 / count) * float(((values - values.mean()) ** 2).sum())
        # a constant score, or a pixel that no mask ever covers, correlates with nothing
        usable = spread > 1e-18 * count**2
        correlation = np.zeros(shape)
        correlation[usable] = covariance[usable] / np.sqrt(spread[usable])
        return self._map(np.clip(correlation, -1, 1), whole, 1 / np.sqrt(count))


@methods.register("occlusion")
class Occlusion(Method):
    """Occlusion (Zeiler and Fergus, ECCV 2014, section 4.2) with windows of several sizes.

    The value of a pixel is the mean drop of the score over the windows that cover it, averaged over the sizes: above 0
    where covering lowers the score. Unit: of the score.
    """

    name = "occlusion"

    class Parameters(stage.Stage.Parameters):
        """The windows.

        Attributes:
            sizes: sides of the square windows as shares of the picture's shorter side.
            step: distance of neighbouring windows as a share of the window's side.
            fill, batch: as for RISE.
        """

        sizes: tuple[float, ...] = Field(default=(0.15, 0.25, 0.4), min_length=1, max_length=8)
        step: float = Field(default=0.4, gt=0.05, le=1)
        fill: Fill = "mean"
        batch: int = Field(default=16, ge=1, le=256)

    parameters: Parameters

    def explain(self, score: PictureScore, picture: Pixels, progress: Progress = silent) -> Saliency:
        """See :meth:`Method.explain`."""
        require_picture(picture)
        height, width = picture.shape[:2]
        wanted = self.parameters
        cover = covered(picture, wanted.fill)
        whole = float(asked(score, picture[None])[0])
        by_size = [windows((height, width), size, wanted.step) for size in wanted.sizes]
        count, done = sum(map(len, by_size)), 0
        size = batch_size(picture.shape, wanted.batch)
        values = np.zeros((height, width))
        for boxes in by_size:
            drops, covers = np.zeros((height, width)), np.zeros((height, width))
            for start in range(0, len(boxes), size):
                part = boxes[start : start + size]
                masks = np.ones((len(part), height, width), dtype=np.float32)
                for mask, (top, left, side) in zip(masks, part):
                    mask[top : top + side, left : left + side] = 0
                found = whole - asked(score, masked(picture, masks, cover))
                for drop, (top, left, side) in zip(found, part):
                    drops[top : top + side, left : left + side] += drop
                    covers[top : top + side, left : left + side] += 1
                done += len(part)
                progress(done, count)
            values += drops / covers
        settings = wanted.model_dump(mode="json", exclude={"batch"})
        return Saliency((values / len(by_size)).astype(np.float32), self.name, whole, count + 1, 0.0, settings)


def windows(shape: tuple[int, int], size: float, step: float) -> list[tuple[int, int, int]]:
    """Square windows that cover every pixel at least once: (top, left, side) in pixels, inside the picture.

    Args:
        shape: (height, width).
        size: side as a share of the shorter side of the picture.
        step: distance as a share of the window's side.
    """
    height, width = shape
    side = int(np.clip(round(size * min(shape)), 1, min(shape)))
    stride = max(1, round(step * side))

    def starts(length: int) -> list[int]:
        return [*range(0, length - side, stride), length - side]

    return [(top, left, side) for top in starts(height) for left in starts(width)]
