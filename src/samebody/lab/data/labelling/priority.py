"""Which task comes first: where a model is unsure, and where it disagrees with what stands there."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray


def priorities(
    probabilities: NDArray[np.float64] | Sequence[NDArray[np.float64]],
    given: Sequence[str],
    classes: Sequence[str],
) -> NDArray[np.float64]:
    """(n,) priority, 0 to 2: uncertainty plus disagreement.

    Uncertainty is the entropy of the mean probabilities over its greatest value, 0-1. Disagreement is the larger of
    two: by how much the mean probability of the class that stands there falls short of an even chance, 0-1; and, for
    several models, the variation ratio of their first choices (Freeman, "Elementary applied statistics", 1965).

    Args:
        probabilities: (n, classes) of one model, or one such array for each of several.
        given: (n,) the label that stands there, ``''`` for none.
        classes: in the order of the columns.
    """
    models = [probabilities] if isinstance(probabilities, np.ndarray) else list(probabilities)
    mean = np.mean(models, axis=0)
    size = mean.shape[1]
    safe = np.clip(mean, 1e-12, 1.0)
    uncertainty = -(safe * np.log(safe)).sum(axis=1) / np.log(size)
    against = np.zeros(len(mean))
    place = {name: number for number, name in enumerate(classes)}
    for row, label in enumerate(given):
        if label in place:
            against[row] = max(0.0, 1.0 - size * float(mean[row, place[label]]))
    choices = np.stack([model.argmax(axis=1) for model in models])
    most = np.max([(choices == number).sum(axis=0) for number in range(size)], axis=0)
    variation = 1.0 - most / len(models)
    return np.asarray(uncertainty + np.maximum(np.clip(against, 0, 1), variation), np.float64)
