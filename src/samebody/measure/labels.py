"""Labels that go with scores (who, which group, which species): checked once, turned into numbers."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from samebody.measure.errors import InvalidScoresError


@dataclass(frozen=True, slots=True, eq=False)
class Labels:
    """Distinct labels in sorted order and, for each row, the number of its label.

    Attributes:
        names: (k,) distinct labels.
        codes: (n,) int64 in 0..k-1.
    """

    names: tuple[Any, ...]
    codes: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.names)

    def rows(self) -> Iterator[tuple[Any, NDArray[np.int64]]]:
        """Each label with the numbers of its rows, in the order of ``names``."""
        order = np.argsort(self.codes, kind="stable")
        bounds = np.searchsorted(self.codes[order], np.arange(len(self.names) + 1))
        for number, name in enumerate(self.names):
            yield name, order[bounds[number] : bounds[number + 1]]


def checked_labels(values: ArrayLike, rows: int | None, kind: str) -> Labels:
    """``values`` as :class:`Labels`; numpy and pandas columns of numbers or text are welcome.

    Args:
        values: (n,) labels, all of one kind; none missing.
        rows: how many there must be; None to take any number.
        kind: what they are called in messages.

    Raises:
        InvalidScoresError: wrong length, not one-dimensional, missing labels (None, NaN), or numbers mixed with text.
    """
    array = np.asarray(values)
    if array.ndim != 1:
        raise InvalidScoresError(f"{kind} labels must be one-dimensional, got shape {array.shape}.")
    if rows is not None and array.size != rows:
        raise InvalidScoresError(f"{array.size} {kind} labels do not fit {rows} rows.", hint="Give one label a row.")
    missing = 0
    if array.dtype.kind == "f":
        missing = int(np.count_nonzero(np.isnan(array)))
    elif array.dtype.kind == "O":
        missing = sum(1 for value in array if value is None or value != value)
    if missing:
        raise InvalidScoresError(f"{missing} {kind} labels are missing.", hint="Label them or leave the rows out.")
    try:
        names, codes = np.unique(array, return_inverse=True)
    except TypeError:
        raise InvalidScoresError(f"{kind} labels mix numbers and text.", hint="Use one kind of label.") from None
    return Labels(tuple(names.tolist()), codes.astype(np.int64).reshape(-1))


def checked_flags(values: ArrayLike, rows: int | None, kind: str) -> NDArray[np.bool_]:
    """``values`` as (n,) bool; numbers other than 0 and 1 are refused, because they are scores by mistake.

    Raises:
        InvalidScoresError: wrong length or values that are no truth values.
    """
    array = np.asarray(values)
    if array.ndim != 1 or (rows is not None and array.size != rows):
        raise InvalidScoresError(f"{kind} must be one truth value a row, got shape {array.shape}.")
    if array.dtype.kind != "b":
        if array.size and (array.dtype.kind not in "iuf" or not np.all((array == 0) | (array == 1))):
            raise InvalidScoresError(f"{kind} must be true or false (or 1 and 0), got dtype {array.dtype}.")
        array = array.astype(bool)
    return array
