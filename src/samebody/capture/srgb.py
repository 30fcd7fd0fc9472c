"""sRGB and linear light (IEC 61966-2-1), both 0-1. Floats keep their width, everything else becomes float64."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray


def linear(shown: ArrayLike) -> NDArray[np.floating[Any]]:
    """Linear light 0-1 of displayed values 0-1."""
    values = _floats(shown)
    return np.where(values <= 0.04045, values / 12.92, ((values + 0.055) / 1.055) ** 2.4)


def encoded(light: ArrayLike) -> NDArray[np.floating[Any]]:
    """Displayed values 0-1 of linear light 0-1."""
    values = _floats(light)
    return np.where(values <= 0.0031308, 12.92 * values, 1.055 * np.maximum(values, 0.0031308) ** (1 / 2.4) - 0.055)


def _floats(values: ArrayLike) -> NDArray[np.floating[Any]]:
    found = np.asarray(values)
    return found if np.issubdtype(found.dtype, np.floating) else found.astype(np.float64)
