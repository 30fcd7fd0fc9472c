"""From model records to score functions: face embedders for pairs, and any record that answers with a number."""

from __future__ import annotations

from dataclasses import dataclass, field

import cv2
import numpy as np
from numpy.typing import NDArray

from samebody.config import Settings
from samebody.explain.errors import NoFaceError, UnsupportedModelError
from samebody.explain.score import PairScore, PictureScore
from samebody.face import FaceAnalyser
from samebody.models import ModelRecord, embed
from samebody.models.contracts import ImageInput, ScoreOutput, TensorsOutput
from samebody.models.outputs import bona_fide_scores, run
from samebody.types import Image, Pixels


@dataclass(frozen=True, slots=True, eq=False)
class AlignedFace:
    """The crop that an embedder sees.

    Attributes:
        pixels: (height, width, 3) uint8 RGB.
        landmarks: (5, 2) float64, eyes, nose tip, mouth corners (left in the picture first), pixels of the crop.
    """

    pixels: Pixels = field(repr=False)
    landmarks: NDArray[np.float64] = field(repr=False)


def aligned_face(image: Image, analyser: FaceAnalyser, role: str = "picture") -> AlignedFace:
    """The main face of ``image`` as the analyser's embedder takes it.

    Raises:
        NoFaceError: the picture shows no usable face; the message is that of the finding.
    """
    found = analyser.aligned(image, role)
    if found.aligned is None:
        reasons = "; ".join(reason.message for reason in found.findings[0].reasons)
        raise NoFaceError(f"there is no usable face: {reasons}", hint="Take another picture.")
    # the template counts from the centre of the first pixel, pictures here from its corner
    points = analyser.embedder.image_input.alignment_points().astype(np.float64) + 0.5
    return AlignedFace(found.aligned, points)


def embedder_pair(
    record: ModelRecord,
    first: Pixels,
    second: Pixels,
    settings: Settings | None = None,
    *,
    threads: int | None = None,
) -> PairScore:
    """The cosine of two aligned crops as a function of either; one network run for each variant.

    Args:
        record: of a face embedder.
        first, second: (h, w, 3) uint8 RGB crops of the record's size.
        settings, threads: as in :func:`samebody.models.open_session`.

    Raises:
        samebody.models.ContractError: the record is no embedder, or the crops do not fit it.
        samebody.models.WeightsMissingError: the weights are not on this machine.
    """
    whole = embed(record, np.stack([first, second]), settings, threads=threads).astype(np.float64)

    def against(template: NDArray[np.float64]) -> PictureScore:
        def score(pictures: Pixels) -> NDArray[np.float64]:
            vectors = embed(record, pictures, settings, threads=threads)
            return np.asarray(vectors.astype(np.float64) @ template)

        return score

    return PairScore(against(whole[1]), against(whole[0]), float(whole[0] @ whole[1]))


def record_score(
    record: ModelRecord,
    settings: Settings | None = None,
    *,
    index: int | None = None,
    threads: int | None = None,
) -> PictureScore:
    """One number of a record's answer as a score function; pictures are resized to the size that the record takes.

    Args:
        record: of a detector of attacks (its likelihood of bona fide), or of any ONNX model with one picture as input
            and named tensors as output (the first of them).
        settings, threads: as in :func:`samebody.models.open_session`.
        index: which number of a named tensor, counted over the flattened tensor; None where there is only one.

    Raises:
        UnsupportedModelError: the record does not take one picture, or names no such number.
        samebody.models.WeightsMissingError: the weights are not on this machine.
    """
    if len(record.inputs) != 1 or not isinstance(record.input, ImageInput) or record.input.colour == "grey":
        raise UnsupportedModelError(f"{record.id} does not take one colour picture alone.")
    if not isinstance(record.output, TensorsOutput | ScoreOutput):
        raise UnsupportedModelError(
            f"{record.id} does not answer with a number.",
            hint="Face embedders are explained by pairs: `samebody explain pair`.",
        )
    contract, outputs = record.input, record.output

    def score(pictures: Pixels) -> NDArray[np.floating]:
        fitted = resized(pictures, contract)
        if isinstance(outputs, ScoreOutput):
            return bona_fide_scores(record, fitted, settings, threads=threads)
        tensor = outputs.tensors[0]
        numbers = run(record, fitted, tensor.name, settings, threads=threads).reshape(len(pictures), -1)
        if index is None and numbers.shape[1] != 1:
            raise UnsupportedModelError(
                f"{tensor.name} of {record.id} holds {numbers.shape[1]} numbers.",
                hint=f"Say which one is the score; it means: {tensor.meaning}.",
            )
        if not 0 <= (index or 0) < numbers.shape[1]:
            raise UnsupportedModelError(f"{tensor.name} of {record.id} has no number {index}.")
        return np.asarray(numbers[:, index or 0])

    return score


def resized(pictures: Pixels, contract: ImageInput) -> Pixels:
    """(n, h, w, 3) pictures averaged or enlarged to the contract's size, where it has one."""
    width, height = contract.width, contract.height
    if width is None or height is None or pictures.shape[1:3] == (height, width):
        return pictures
    shrinks = pictures.shape[1] * pictures.shape[2] > height * width
    how = cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
    return np.stack([cv2.resize(picture, (width, height), interpolation=how) for picture in pictures])
