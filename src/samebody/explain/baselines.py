"""Maps that know nothing of the model: what an explanation must be better than."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import cv2
import numpy as np
from numpy.typing import NDArray

from samebody.explain.masks import random_mask
from samebody.types import Pixels

Baseline = Callable[[Pixels, int], NDArray[np.float32]]
"""(height, width, 3) uint8 picture and seed to a (height, width) float32 map."""


def random_map(picture: Pixels, seed: int) -> NDArray[np.float32]:
    """A smooth random map, as smooth as those of RISE: the mean of 40 of its masks.

    Noise of single pixels would be too easy to beat: a network hardly feels every tenth pixel missing.
    """
    shape = picture.shape[:2]
    masks = [random_mask((shape[0], shape[1]), 8, 0.5, seed, index) for index in range(40)]
    return np.asarray(np.mean(masks, axis=0), dtype=np.float32)


def edge_map(picture: Pixels, seed: int = 0) -> NDArray[np.float32]:
    """Strength of edges (Sobel), smoothed by a fortieth of the side: what is easily mistaken for an explanation.

    Adebayo et al. (NeurIPS 2018) found maps of several methods to be little more than this.
    """
    grey = cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY).astype(np.float32)
    strength = cv2.magnitude(cv2.Sobel(grey, cv2.CV_32F, 1, 0), cv2.Sobel(grey, cv2.CV_32F, 0, 1))
    return np.asarray(cv2.GaussianBlur(strength, (0, 0), max(0.5, min(picture.shape[:2]) / 40)), dtype=np.float32)


def centre_map(picture: Pixels, seed: int = 0) -> NDArray[np.float32]:
    """A hill in the middle of the picture: on an aligned face the strongest map that looks at nothing."""
    height, width = picture.shape[:2]
    y = (np.arange(height) + 0.5) / height - 0.5
    x = (np.arange(width) + 0.5) / width - 0.5
    return np.asarray(np.exp(-(y[:, None] ** 2 + x[None, :] ** 2) / (2 * 0.25**2)), dtype=np.float32)


BASELINES: Mapping[str, Baseline] = {"random": random_map, "edges": edge_map, "centre": centre_map}
"""By name; everything is compared with ``random``."""
