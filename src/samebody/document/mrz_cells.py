"""Run the MRZ cell network: what stands where on a strip, for every four pixels of its width."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from samebody.config import Settings
from samebody.document.mrz_strip import STRIP_HEIGHT, STRIP_STEP, normalise_strip
from samebody.models import catalogue, open_session

RECORD = "document/mrz-cells"
_GRID = 64

FloatArray = NDArray[np.float32]


class CellNetwork:
    """The network of the record ``document/mrz-cells``; opened on first use.

    Args:
        settings: where the weights are.
        session: an open session to use in place of the record's.
    """

    def __init__(
        self, settings: Settings | None = None, *, session: onnxruntime.InferenceSession | None = None
    ) -> None:
        self._settings = settings
        self._session = session

    @property
    def session(self) -> onnxruntime.InferenceSession:
        """The network, opened on first use."""
        if self._session is None:
            self._session = open_session(catalogue(self._settings)[RECORD], self._settings)
        return self._session

    @property
    def label(self) -> str:
        """``id@version`` of the record in use."""
        return catalogue(self._settings)[RECORD].label

    def read(self, strips: Sequence[NDArray[np.uint8]]) -> list[FloatArray]:
        """Natural logarithms of the posteriors of each grey strip, (columns, 38) float32; column 0 of 38 is the gap.

        A strip is (32, width) uint8. It is padded to a width that depends on it alone, so that a batch of strips
        gives what single strips give.
        """
        name = self.session.get_inputs()[0].name
        by_width: dict[int, list[int]] = {}
        for index, strip in enumerate(strips):
            by_width.setdefault(-(-strip.shape[1] // _GRID) * _GRID, []).append(index)
        results: dict[int, FloatArray] = {}
        for width, indices in by_width.items():
            batch = np.zeros((len(indices), 1, STRIP_HEIGHT, width), np.float32)
            for row, index in enumerate(indices):
                batch[row, 0, :, : strips[index].shape[1]] = normalise_strip(strips[index])
            output = self.session.run(None, {name: batch})[0]
            for row, index in enumerate(indices):
                results[index] = output[row, : strips[index].shape[1] // STRIP_STEP]
        return [results[index] for index in range(len(strips))]
