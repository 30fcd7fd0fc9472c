"""The map: how much each pixel of a picture supports or opposes a score."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from samebody.explain.errors import ExplainInputError

FORMAT_VERSION = 1


@dataclass(frozen=True, slots=True, eq=False)
class Saliency:
    """A signed map over a picture.

    Attributes:
        values: (height, width) float32; above 0 the pixel supports the score, below 0 it opposes it, 0 is neutral.
            The unit is the method's.
        method: name of the method.
        score: of the whole picture.
        evaluations: pictures that were scored.
        noise: standard error of a value where the pixel has no effect at all; 0 for methods without chance.
        parameters: of the method, with its seed: the same parameters give the same map.
    """

    values: NDArray[np.float32] = field(repr=False)
    method: str
    score: float
    evaluations: int
    noise: float = 0.0
    parameters: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.values.ndim != 2 or not np.isfinite(self.values).all():
            raise ExplainInputError(f"a map holds finite numbers over a picture, got shape {self.values.shape}.")

    @property
    def supporting(self) -> NDArray[np.float32]:
        """(height, width): what speaks for the score (the similarity map of a pair); 0 elsewhere."""
        return np.maximum(self.values, 0)

    @property
    def opposing(self) -> NDArray[np.float32]:
        """(height, width): what speaks against it (the dissimilarity map of a pair), as numbers above 0."""
        return np.maximum(-self.values, 0)

    @property
    def peak(self) -> tuple[int, int]:
        """(x, y) of the pixel that supports the score most."""
        y, x = np.unravel_index(int(np.argmax(self.values)), self.values.shape)
        return int(x), int(y)

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready, values rounded to five significant digits of the largest; :meth:`from_dict` reads it back."""
        largest = float(np.abs(self.values).max(initial=0.0))
        digits = 6 if largest == 0 else max(0, 5 - int(np.floor(np.log10(largest))))
        return {
            "format_version": FORMAT_VERSION,
            "method": self.method,
            "score": self.score,
            "evaluations": self.evaluations,
            "noise": self.noise,
            "parameters": dict(self.parameters),
            "height": self.values.shape[0],
            "width": self.values.shape[1],
            "values": [[round(float(value), digits) for value in row] for row in self.values],
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Saliency:
        """Read back what :meth:`to_dict` wrote.

        Raises:
            ExplainInputError: another version, or fields that do not fit.
        """
        try:
            if data["format_version"] != FORMAT_VERSION:
                raise ExplainInputError(
                    f"the map has version {data['format_version']!r}; this samebody reads {FORMAT_VERSION}."
                )
            values = np.asarray(data["values"], dtype=np.float32)
            if values.shape != (data["height"], data["width"]):
                raise ExplainInputError(f"the map says {data['height']}x{data['width']} and holds {values.shape}.")
            return cls(
                values,
                str(data["method"]),
                float(data["score"]),
                int(data["evaluations"]),
                float(data["noise"]),
                dict(data["parameters"]),
            )
        except (KeyError, TypeError, ValueError) as error:
            raise ExplainInputError(f"this is no map of samebody ({error}).") from None


@dataclass(frozen=True, slots=True, eq=False)
class PairSaliency:
    """The maps of both pictures of a pair, and their similarity."""

    first: Saliency
    second: Saliency
    score: float

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready."""
        return {"score": self.score, "first": self.first.to_dict(), "second": self.second.to_dict()}
