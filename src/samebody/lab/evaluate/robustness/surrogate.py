"""A surrogate embedder that an attacker can train without the weights: fixed filters and one ridge regression.

Orientation energies of a fixed bank of Gabor filters, pooled on a grid, are mapped linearly to the templates that the
attacked model gave for public faces. It is weak, and that is said wherever its figures stand: what it cannot do, a
network trained for the purpose may. What it can do needs no graphics card and no weights.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.linalg import cho_factor, cho_solve

from samebody.measure import EmptyClassError
from samebody.types import Pixels

_SIZE = 56  # side of the picture that the filters see, pixels
_CELL = 4  # side of a pooling cell
_WAVES = (5.0, 9.0)  # wavelengths in pixels
_ANGLES = 6
_SOFT = 1.0  # keeps the energy differentiable at zero, grey levels
_GREY = np.array([0.299, 0.587, 0.114])

Array = NDArray[np.float64]


def filter_bank() -> list[tuple[Array, Array]]:
    """Even and odd Gabor filters, each of zero sum and unit length."""
    bank = []
    for wave in _WAVES:
        sigma = 0.5 * wave
        half = math.ceil(2.5 * sigma)
        y, x = np.mgrid[-half : half + 1, -half : half + 1].astype(np.float64)
        envelope = np.exp(-(x**2 + y**2) / (2 * sigma**2))
        for number in range(_ANGLES):
            angle = math.pi * number / _ANGLES
            phase = 2 * math.pi / wave * (x * math.cos(angle) + y * math.sin(angle))
            even, odd = envelope * np.cos(phase), envelope * np.sin(phase)
            even -= envelope * (even.sum() / envelope.sum())
            bank.append((even / np.linalg.norm(even), odd / np.linalg.norm(odd)))
    return bank


_BANK = filter_bank()


def _correlate(picture: Array, kernel: Array) -> Array:
    return np.asarray(cv2.filter2D(picture, cv2.CV_64F, kernel, borderType=cv2.BORDER_CONSTANT), dtype=np.float64)


def _pooled(values: Array) -> Array:
    cells = _SIZE // _CELL
    return np.asarray(values.reshape(cells, _CELL, cells, _CELL).mean(axis=(1, 3)), dtype=np.float64)


def _spread(cells: Array) -> Array:
    return np.repeat(np.repeat(cells, _CELL, axis=0), _CELL, axis=1) / _CELL**2


def _small(crop: Array) -> Array:
    """(112, 112, 3) crop as a (56, 56) grey picture."""
    grey = crop @ _GREY
    return np.asarray(grey.reshape(_SIZE, 2, _SIZE, 2).mean(axis=(1, 3)), dtype=np.float64)


def features(crop: Array) -> Array:
    """Pooled energies and means of one (112, 112, 3) crop; the root of the energy tames contrast."""
    picture = _small(crop)
    parts = [_pooled(picture)]
    for even, odd in _BANK:
        energy = np.sqrt(_correlate(picture, even) ** 2 + _correlate(picture, odd) ** 2 + _SOFT)
        parts.append(_pooled(energy))
    return np.concatenate([part.ravel() for part in parts])


def feature_gradient(crop: Array, upstream: Array) -> Array:
    """(112, 112, 3): gradient of ``upstream . features(crop)``."""
    picture = _small(crop)
    cells = (_SIZE // _CELL) ** 2
    side = _SIZE // _CELL
    total = _spread(upstream[:cells].reshape(side, side))
    for number, (even, odd) in enumerate(_BANK, start=1):
        share = _spread(upstream[number * cells : (number + 1) * cells].reshape(side, side))
        one, two = _correlate(picture, even), _correlate(picture, odd)
        energy = np.sqrt(one**2 + two**2 + _SOFT)
        # the adjoint of a correlation is the correlation with the turned kernel
        total += _correlate(share * one / energy, even[::-1, ::-1].copy())
        total += _correlate(share * two / energy, odd[::-1, ::-1].copy())
    full = np.repeat(np.repeat(total, 2, axis=0), 2, axis=1) / 4
    return np.asarray(full[:, :, None] * _GREY, dtype=np.float64)


@dataclass(frozen=True, slots=True, eq=False)
class RidgeSurrogate:
    """The trained surrogate.

    Attributes:
        mean, scale: (f,) of the features.
        weights, offset: (f, d) and (d,).
        trained_on: crops with templates that were asked for.
        correlation: of its scores with the attacked model's, over pairs of crops that it was not trained on; NaN where
            none were held out.
    """

    mean: Array = field(repr=False)
    scale: Array = field(repr=False)
    weights: Array = field(repr=False)
    offset: Array = field(repr=False)
    trained_on: int
    correlation: float

    def embed(self, crops: Pixels) -> Array:
        """(n, d) vectors, not of unit length."""
        rows = np.stack([features(crop.astype(np.float64)) for crop in crops])
        return np.asarray((rows - self.mean) / self.scale @ self.weights + self.offset, dtype=np.float64)

    def cosine_gradient(self, crops: Array, targets: Array) -> tuple[Array, Array]:
        """See :class:`samebody.lab.evaluate.robustness.attacks.Surrogate`."""
        cosines, gradients = np.empty(len(crops)), np.empty(crops.shape)
        for number, (crop, target) in enumerate(zip(crops, targets)):
            vector = (features(crop) - self.mean) / self.scale @ self.weights + self.offset
            length, other = float(np.linalg.norm(vector)), float(np.linalg.norm(target))
            cosine = float(vector @ target) / (length * other)
            upstream = (target / other - cosine * vector / length) / length
            gradients[number] = feature_gradient(crop, (self.weights @ upstream) / self.scale)
            cosines[number] = cosine
        return cosines, gradients


def train_surrogate(
    crops: Pixels, templates: NDArray[np.float32], *, penalty: float = 300.0, held_out: float = 0.2
) -> RidgeSurrogate:
    """Ridge regression from features to templates, solved in its dual.

    Args:
        crops: (n, 112, 112, 3) uint8 of people who take no part in the attack.
        templates: (n, d) that the attacked model gave for them.
        penalty: of the ridge, for features of unit variance.
        held_out: share of the crops that only judge it.

    Raises:
        EmptyClassError: fewer than 20 crops.
    """
    count = len(crops)
    if count < 20:
        raise EmptyClassError(f"a surrogate cannot be trained on {count} faces.", hint="Name a set with more people.")
    rows = np.stack([features(crop.astype(np.float64)) for crop in crops])
    kept = count - int(held_out * count)
    train, wanted = rows[:kept], templates[:kept].astype(np.float64)
    mean, scale = train.mean(axis=0), np.maximum(train.std(axis=0), 1e-6)
    x, offset = (train - mean) / scale, wanted.mean(axis=0)
    dual = cho_solve(cho_factor(x @ x.T + penalty * np.eye(kept)), wanted - offset)
    weights = x.T @ dual
    correlation = float("nan")
    if count - kept > 2:
        guess = (rows[kept:] - mean) / scale @ weights + offset
        correlation = _score_correlation(guess, templates[kept:].astype(np.float64))
    return RidgeSurrogate(mean, scale, weights, offset, kept, correlation)


def _score_correlation(guess: Array, truth: Array) -> float:
    upper = np.triu_indices(len(guess), 1)

    def scores(rows: Array) -> Array:
        unit = rows / np.linalg.norm(rows, axis=1, keepdims=True)
        return np.asarray((unit @ unit.T)[upper], dtype=np.float64)

    return float(np.corrcoef(scores(guess), scores(truth))[0, 1])
