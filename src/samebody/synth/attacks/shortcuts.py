"""Does something cheap tell attacks from their bona fide twins? A logistic regression on what must not matter.

A detector that is trained on synthetic attacks learns the cheapest difference there is. What may not be one: the size
of the picture, the quality it was saved with, its blur and its mean colour.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from samebody.capture import decode_image
from samebody.synth.attacks.record import AttackInputError, Pair, Shot

FEATURES = ("height", "width", "jpeg_quality", "blur", "red", "green", "blue")
"""Blur is the logarithm of the variance of the Laplacian of luma; colours are means, 0-255."""


@dataclass(frozen=True, slots=True)
class ShortcutReport:
    """What the regression found.

    Attributes:
        auc: cross-validated area under the ROC curve over all pictures, 0.5 = nothing learnt. Pairs stay together.
        interval: 95 % of it, from resampling pairs with the fits kept.
        by_feature: the same from each feature alone, no worse than 0.5 (a feature may point either way).
        pairs: how many.
    """

    auc: float
    interval: tuple[float, float]
    by_feature: dict[str, float]
    pairs: int


def features(shot: Shot) -> NDArray[np.float64]:
    """(7,) values of :data:`FEATURES`, the quality as the file's own table says."""
    pixels = shot.pixels
    luma = cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY).astype(np.float32)
    quality = decode_image(shot.jpeg).source.jpeg_quality
    blur = float(np.log(cv2.Laplacian(luma, cv2.CV_32F).var() + 1e-3))
    mean = pixels.reshape(-1, 3).mean(axis=0)
    return np.array([pixels.shape[0], pixels.shape[1], quality or 0, blur, *mean], np.float64)


def probe(pairs: Sequence[Pair], *, folds: int = 5, seed: int = 0) -> ShortcutReport:
    """Cross-validated logistic regression, attack against bona fide.

    Args:
        pairs: at least 20, best from different people.
        folds: a pair is never on both sides of one.
        seed: of the split into folds.

    Raises:
        AttackInputError: fewer than 20 pairs or than 2 folds.
    """
    if len(pairs) < 20 or folds < 2:
        raise AttackInputError(
            f"{len(pairs)} pairs in {folds} folds are too few to find a shortcut.",
            hint="Give 20 pairs and 2 folds or more.",
        )
    return probe_features(
        np.array([features(shot) for pair in pairs for shot in (pair.bona_fide, pair.attack)]), folds=folds, seed=seed
    )


def probe_features(x: NDArray[np.float64], *, folds: int = 5, seed: int = 0) -> ShortcutReport:
    """:func:`probe` on :func:`features` that were kept when the pairs were made.

    Args:
        x: (2 n, 7): row 2k the bona fide twin of pair k, row 2k + 1 its attack.
        folds, seed: as :func:`probe`.

    Raises:
        AttackInputError: as :func:`probe`.
    """
    pairs = len(x) // 2
    if pairs < 20 or folds < 2:
        raise AttackInputError(
            f"{pairs} pairs in {folds} folds are too few to find a shortcut.",
            hint="Give 20 pairs and 2 folds or more.",
        )
    y = np.tile([0.0, 1.0], pairs)
    fold = np.repeat(np.random.default_rng(seed).permutation(pairs) % folds, 2)
    alone = {name: cross_validated(x[:, [index]], y, fold) for index, name in enumerate(FEATURES)}
    scores = left_out_scores(x, y, fold)
    interval = _interval(scores, y, fold, np.random.default_rng(seed))
    return ShortcutReport(mean_area(scores, y, fold), interval, alone, pairs)


def left_out_scores(
    x: NDArray[np.float64], y: NDArray[np.float64], fold: NDArray[np.int_], *, ridge: float = 1e-3
) -> NDArray[np.float64]:
    """(n,) log odds of each row by the fit that did not see its fold; those of different folds do not compare."""
    scores = np.zeros(len(y))
    for index in np.unique(fold):
        fit = fit_logistic(x[fold != index], y[fold != index], ridge=ridge)
        scores[fold == index] = score_logistic(fit, x[fold == index])
    return scores


def mean_area(scores: NDArray[np.float64], y: NDArray[np.float64], fold: NDArray[np.int_]) -> float:
    """Mean area under the ROC curve over the folds; a value below 0.5 is chance."""
    return float(np.mean([area(scores[fold == index], y[fold == index]) for index in np.unique(fold)]))


def cross_validated(x: NDArray[np.float64], y: NDArray[np.float64], fold: NDArray[np.int_]) -> float:
    """:func:`mean_area` of :func:`left_out_scores`."""
    return mean_area(left_out_scores(x, y, fold), y, fold)


def _interval(
    scores: NDArray[np.float64], y: NDArray[np.float64], fold: NDArray[np.int_], random: np.random.Generator
) -> tuple[float, float]:
    """2.5 and 97.5 % of the mean area when pairs (rows 2k and 2k + 1) are drawn again within their fold."""
    draws = []
    for _ in range(300):
        areas = []
        for index in np.unique(fold):
            pairs = np.flatnonzero(fold[::2] == index)
            chosen = random.choice(pairs, len(pairs))
            rows = np.concatenate([2 * chosen, 2 * chosen + 1])
            areas.append(area(scores[rows], y[rows]))
        draws.append(np.mean(areas))
    low, high = np.quantile(draws, [0.025, 0.975])
    return float(low), float(high)


@dataclass(frozen=True, slots=True, eq=False)
class Logistic:
    """A fitted regression: ``mean`` and ``spread`` of the features, ``weights`` with the intercept last."""

    mean: NDArray[np.float64]
    spread: NDArray[np.float64]
    weights: NDArray[np.float64]


def fit_logistic(x: NDArray[np.float64], y: NDArray[np.float64], *, ridge: float = 1e-3, steps: int = 30) -> Logistic:
    """Maximum likelihood by Newton's method (iteratively reweighted least squares) with a light ridge.

    Args:
        x: (n, d) features; standardised here.
        y: (n,) 0 or 1.
        ridge: penalty on the squared weights a sample.
        steps: at most.
    """
    mean, spread = x.mean(axis=0), x.std(axis=0)
    spread = np.where(spread > 1e-9, spread, 1.0)
    design = np.column_stack([(x - mean) / spread, np.ones(len(x))])
    weights = np.zeros(design.shape[1])
    penalty = ridge * len(x) * np.eye(design.shape[1])
    penalty[-1, -1] = 1e-9
    for _ in range(steps):
        p = 1 / (1 + np.exp(-np.clip(design @ weights, -30, 30)))
        gradient = design.T @ (y - p) - penalty @ weights
        hessian = (design * (p * (1 - p))[:, None]).T @ design + penalty
        step = np.linalg.solve(hessian, gradient)
        weights = weights + step
        if float(np.abs(step).max()) < 1e-8:
            break
    return Logistic(mean, spread, weights)


def score_logistic(fit: Logistic, x: NDArray[np.float64]) -> NDArray[np.float64]:
    """(n,) log odds of being an attack."""
    return np.asarray(np.column_stack([(x - fit.mean) / fit.spread, np.ones(len(x))]) @ fit.weights)


def area(scores: NDArray[np.float64], y: NDArray[np.float64]) -> float:
    """Area under the ROC curve: the share of (attack, bona fide) pairs in the right order, ties one half."""
    attack, fair = scores[y == 1], np.sort(scores[y == 0])
    below = np.searchsorted(fair, attack, side="left")
    upto = np.searchsorted(fair, attack, side="right")
    return float((below + upto).sum() / 2 / (len(attack) * len(fair)))
