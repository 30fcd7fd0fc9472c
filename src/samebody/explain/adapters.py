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
from samebody.models import ModelRecord, embed, open_session, preprocess_images
from samebody.models.contracts import NamedTensor, TensorsOutput
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
    output: str | None = None,
    index: int | None = None,
    softmax: bool = False,
    threads: int | None = None,
) -> PictureScore:
    """One number of a record's answer as a score function; pictures are resized to the size that the record takes.

    Args:
        record: of an ONNX model that takes pictures which are not aligned.
        settings, threads: as in :func:`samebody.models.open_session`.
        output: name of the tensor; None where there is only one.
        index: which number of it, counted over the flattened tensor; None where there is only one.
        softmax: turn the tensor into shares first.

    Raises:
        UnsupportedModelError: the record does not take pictures, or names no such number.
        samebody.models.WeightsMissingError: the weights are not on this machine.
    """
    if not isinstance(record.output, TensorsOutput) or record.run_format != "onnx":
        raise UnsupportedModelError(
            f"{record.id} does not answer with named tensors of an ONNX graph.",
            hint="Face embedders are explained by pairs: `samebody explain pair`.",
        )
    contract = record.image_input
    tensor = _chosen(record, record.output, output)
    session = open_session(record, settings, threads=threads)
    given = contract.name or session.get_inputs()[0].name
    width, height = contract.width, contract.height

    def score(pictures: Pixels) -> NDArray[np.float64]:
        if width and height and pictures.shape[1:3] != (height, width):
            pictures = np.stack(
                [cv2.resize(picture, (width, height), interpolation=cv2.INTER_AREA) for picture in pictures]
            )
        values = preprocess_images(contract, pictures)
        parts = [values] if contract.batch == "free" else [values[i : i + 1] for i in range(len(values))]
        answers = np.concatenate([session.run([tensor.name], {given: part})[0] for part in parts]).astype(np.float64)
        numbers = answers.reshape(len(pictures), -1)
        if softmax:
            shares = np.exp(numbers - numbers.max(axis=1, keepdims=True))
            numbers = shares / shares.sum(axis=1, keepdims=True)
        if index is None and numbers.shape[1] != 1:
            raise UnsupportedModelError(
                f"{tensor.name} of {record.id} holds {numbers.shape[1]} numbers.",
                hint=f"Say which one is the score; it means: {tensor.meaning}.",
            )
        chosen = 0 if index is None else index
        if not 0 <= chosen < numbers.shape[1]:
            raise UnsupportedModelError(f"{tensor.name} of {record.id} has no number {chosen}.")
        return np.asarray(numbers[:, chosen])

    return score


def _chosen(record: ModelRecord, outputs: TensorsOutput, name: str | None) -> NamedTensor:
    known = {tensor.name: tensor for tensor in outputs.tensors}
    if name is None and len(known) == 1:
        return outputs.tensors[0]
    if name not in known:
        raise UnsupportedModelError(
            f"{record.id} has no output {name!r}." if name else f"{record.id} has several outputs.",
            hint=f"It has: {', '.join(known)}.",
        )
    return known[name]
