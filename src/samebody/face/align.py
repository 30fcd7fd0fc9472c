"""Similarity alignment of a face to the five points that the embedder's record names."""

from __future__ import annotations

import numpy as np

from samebody.face import geometry
from samebody.face.results import FaceDetection
from samebody.models import ImageInput
from samebody.types import Pixels


def align(pixels: Pixels, detection: FaceDetection, contract: ImageInput) -> Pixels:
    """The face as the embedder wants it: rotated, scaled and shifted, never sheared or mirrored.

    Landmarks and template are used in one and the same coordinate convention, as the embedders' training code and
    OpenCV's ``FaceRecognizerSF.alignCrop`` do; the two agree to a grey value as long as the face shrinks by less than
    two. Larger faces are averaged down first (see :func:`samebody.face.geometry.warp`).

    Args:
        pixels: (H, W, 3) uint8 RGB, the picture that ``detection`` belongs to.
        detection: the face.
        contract: of the embedder: crop size and target points.

    Returns:
        (contract.height, contract.width, 3) uint8 RGB, black where the picture ends.

    Raises:
        samebody.models.ContractError: when the record takes pictures that are not aligned.
    """
    target = contract.alignment_points().astype(np.float64)
    matrix = geometry.similarity(detection.landmark_array(), target)
    return geometry.warp(pixels, matrix, (contract.width or 0, contract.height or 0))
