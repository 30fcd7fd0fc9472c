"""Recognise single lines of printed text with the PP-OCR recogniser alone, keeping the posterior of every time step.

The network is a CTC recogniser: a line 48 pixels high gives one distribution over its alphabet for every 8
pixels of width. Nothing here finds lines; callers cut them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
import onnxruntime
from numpy.typing import NDArray
from pydantic import Field

from samebody import stage
from samebody.config import Settings
from samebody.errors import ResourceError
from samebody.models import catalogue, open_session
from samebody.types import Pixels

RECORD = "document/ppocr-rec"
LINE_HEIGHT = 48
"""Input height of the network, pixels."""

STEP = 8
"""Input pixels per time step."""

BLANK = ""
"""The CTC blank: column 0 of every posterior."""

FloatArray = NDArray[np.float32]


class AlphabetError(ResourceError):
    """The recogniser's file does not carry the alphabet that its output columns stand for."""

    code = "document.recogniser_alphabet"


@dataclass(frozen=True, slots=True)
class Character:
    """One recognised character.

    Attributes:
        text: the character.
        confidence: its posterior at the peak, 0-1.
        x: centre of the peak in pixels of the crop that was handed in.
    """

    text: str
    confidence: float
    x: float


@dataclass(frozen=True, slots=True)
class TextLine:
    """One recognised line; ``confidence`` is the mean over its characters, 0 when there are none."""

    text: str
    confidence: float
    characters: tuple[Character, ...]


@dataclass(frozen=True, slots=True, eq=False)
class LinePosterior:
    """What the network said about one crop.

    Attributes:
        probabilities: (steps, 1 + len(alphabet)) float32; column 0 is the CTC blank. Rows sum to at most 1: columns
            outside the alphabet asked for are left out, not redistributed.
        alphabet: the characters of columns 1 and up.
        pixels_per_step: width of one time step in pixels of the crop handed in.
    """

    probabilities: FloatArray
    alphabet: str
    pixels_per_step: float

    def decode(self) -> TextLine:
        """Greedy CTC decoding (Graves et al. 2006, section 3.2): best path, repeats merged, blanks removed."""
        best = self.probabilities.argmax(axis=1)
        peak = self.probabilities.max(axis=1)
        characters: list[Character] = []
        start = 0
        for end in range(1, len(best) + 1):
            if end < len(best) and best[end] == best[start]:
                continue
            if best[start] != 0:
                centre = (start + end) / 2 * self.pixels_per_step
                confidence = float(peak[start:end].max())
                characters.append(Character(self.alphabet[best[start] - 1], confidence, centre))
            start = end
        mean = float(np.mean([c.confidence for c in characters])) if characters else 0.0
        return TextLine("".join(c.text for c in characters), mean, tuple(characters))


class TextRecogniser(stage.Stage):
    """Reads crops of single text lines, in batches of equal padded width.

    A crop is padded to a width that depends on that crop alone, so a batch gives what single calls give.

    Args:
        settings: where the weights are.
        session: an open session to use in place of the record's, with the alphabet in its metadata.
        parameters: see :class:`Parameters`.

    Raises:
        WeightsMissingError: on first use, when the weights were not pulled.
        AlphabetError: on first use, when alphabet and output columns do not fit.
    """

    class Parameters(stage.Stage.Parameters):
        """Bounds of the work done at once."""

        batch: int = Field(default=8, ge=1, le=64, description="crops per call of the network")
        width_multiple: int = Field(default=64, ge=STEP, le=512, multiple_of=STEP, description="padding grid, pixels")
        max_width: int = Field(default=2560, ge=64, le=8192, description="wider crops are squeezed to this, pixels")

    def __init__(
        self,
        settings: Settings | None = None,
        *,
        session: onnxruntime.InferenceSession | None = None,
        **parameters: int,
    ) -> None:
        super().__init__(**parameters)
        self._settings = settings
        self._session = session
        self._alphabet: str | None = None
        self.parameters: TextRecogniser.Parameters

    @property
    def session(self) -> onnxruntime.InferenceSession:
        """The network, opened on first use."""
        if self._session is None:
            self._session = open_session(catalogue(self._settings)[RECORD], self._settings)
        return self._session

    @property
    def alphabet(self) -> str:
        """The characters of output columns 1 and up; read from the file's metadata ``character``."""
        if self._alphabet is None:
            stored = self.session.get_modelmeta().custom_metadata_map.get("character")
            columns = self.session.get_outputs()[0].shape[-1]
            # PP-OCR stores one character a line and appends the space, which the list itself does not hold.
            characters = [*stored.split("\n"), " "] if stored else []
            if len(characters) + 1 != columns or any(len(c) != 1 for c in characters):
                characters = [c if len(c) == 1 else "\ufffd" for c in characters]
            if len(characters) + 1 != columns:
                raise AlphabetError(
                    f"The recogniser has {columns} output columns but an alphabet of {len(characters)} characters.",
                    hint="Pull the weights again: samebody models pull document/ppocr-rec",
                )
            self._alphabet = "".join(characters)
        return self._alphabet

    def recognise(self, crops: Sequence[Pixels], charset: str | None = None) -> tuple[TextLine, ...]:
        """Text of each crop, in order.

        Args:
            crops: RGB uint8 (height, width, 3), each one upright line filling most of the height.
            charset: only these characters may be read; None for all of them.
        """
        return tuple(posterior.decode() for posterior in self.posteriors(crops, charset))

    def posteriors(self, crops: Sequence[Pixels], charset: str | None = None) -> tuple[LinePosterior, ...]:
        """The posterior of every time step of each crop; arguments as in :meth:`recognise`."""
        alphabet = self.alphabet
        columns: NDArray[np.intp] | None = None
        if charset is not None:
            wanted = set(charset)
            chosen = [i for i, character in enumerate(alphabet) if character in wanted]
            columns = np.array([0, *(i + 1 for i in chosen)], dtype=np.intp)
            alphabet = "".join(alphabet[i] for i in chosen)
        prepared = [self._prepare(crop) for crop in crops]
        by_width: dict[int, list[int]] = {}
        for index, (tensor, _) in enumerate(prepared):
            by_width.setdefault(tensor.shape[2], []).append(index)
        results: dict[int, LinePosterior] = {}
        name = self.session.get_inputs()[0].name
        for indices in by_width.values():
            for start in range(0, len(indices), self.parameters.batch):
                chunk = indices[start : start + self.parameters.batch]
                output = self.session.run(None, {name: np.stack([prepared[i][0] for i in chunk])})[0]
                for row, index in enumerate(chunk):
                    width = prepared[index][1]
                    steps = min(output.shape[1], -(-width // STEP))
                    kept = output[row, :steps] if columns is None else output[row, :steps, columns].T
                    scale = crops[index].shape[1] / width
                    results[index] = LinePosterior(np.ascontiguousarray(kept), alphabet, STEP * scale)
        return tuple(results[i] for i in range(len(crops)))

    def _prepare(self, crop: Pixels) -> tuple[FloatArray, int]:
        """The crop as (3, 48, padded width) float32 in -1..1, BGR as PP-OCR was trained, and its unpadded width."""
        height, width = crop.shape[:2]
        target = int(np.clip(round(width * LINE_HEIGHT / height), STEP, self.parameters.max_width))
        shrinks = height > LINE_HEIGHT
        resized = cv2.resize(crop, (target, LINE_HEIGHT), interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR)
        multiple = self.parameters.width_multiple
        padded = -(-target // multiple) * multiple
        tensor = np.zeros((3, LINE_HEIGHT, padded), np.float32)
        tensor[:, :, :target] = resized[:, :, ::-1].transpose(2, 0, 1).astype(np.float32) / 127.5 - 1.0
        return tensor, target
