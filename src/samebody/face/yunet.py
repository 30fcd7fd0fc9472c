"""Decoding of YuNet's raw outputs into boxes, landmarks and scores.

YuNet (Wu et al., "YuNet: A Tiny Millisecond-level Face Detector", Machine Intelligence Research 2023) has one anchor
at each cell of three grids with strides 8, 16 and 32. A cell at column ``c`` and row ``r`` gives a face/background
score, an objectness score, a box as offset and log size in units of the stride, and five landmarks as offsets.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from samebody.types import Pixels

STRIDES = (8, 16, 32)
MULTIPLE = 32
OUTPUTS = tuple(f"{kind}_{stride}" for kind in ("cls", "obj", "bbox", "kps") for stride in STRIDES)


@dataclass(frozen=True, slots=True, eq=False)
class Candidates:
    """Faces before or after suppression, strongest first.

    Attributes:
        boxes: (n, 4) float64: left, top, width, height.
        landmarks: (n, 5, 2) float64.
        scores: (n,) float64 in 0-1.
    """

    boxes: NDArray[np.float64]
    landmarks: NDArray[np.float64]
    scores: NDArray[np.float64]

    def __len__(self) -> int:
        return len(self.scores)

    def take(self, indices: NDArray[np.intp] | Sequence[int]) -> Candidates:
        """The candidates at ``indices``, in that order."""
        chosen = np.asarray(indices, dtype=np.intp)
        return Candidates(self.boxes[chosen], self.landmarks[chosen], self.scores[chosen])


def network_input(pixels: Pixels) -> NDArray[np.float32]:
    """(1, 3, H, W) float32 BGR 0-255, padded with black at the right and bottom to multiples of 32."""
    height, width = pixels.shape[:2]
    bottom, right = -height % MULTIPLE, -width % MULTIPLE
    padded = cv2.copyMakeBorder(pixels, 0, bottom, 0, right, cv2.BORDER_CONSTANT) if bottom or right else pixels
    tensor: NDArray[np.float32] = cv2.dnn.blobFromImage(padded, swapRB=True)
    return tensor


def decode(outputs: Mapping[str, NDArray[np.float32]], width: int, threshold: float) -> Candidates:
    """All cells whose score reaches ``threshold``.

    Args:
        outputs: the network's twelve outputs by name, each (1, cells, channels).
        width: of the (padded) network input, pixels.
        threshold: on ``sqrt(face score x objectness)``, 0-1.
    """
    boxes, landmarks, scores = [], [], []
    for stride in STRIDES:
        face = np.clip(outputs[f"cls_{stride}"][0, :, 0], 0.0, 1.0)
        objectness = np.clip(outputs[f"obj_{stride}"][0, :, 0], 0.0, 1.0)
        score = np.sqrt(face.astype(np.float64) * objectness)
        cells = np.flatnonzero(score >= threshold)
        if not len(cells):
            continue
        origin = np.stack([cells % (width // stride), cells // (width // stride)], axis=1).astype(np.float64)
        box = outputs[f"bbox_{stride}"][0, cells].astype(np.float64)
        size = np.exp(np.clip(box[:, 2:], -20.0, 20.0)) * stride
        boxes.append(np.hstack([(origin + box[:, :2]) * stride - size / 2, size]))
        points = outputs[f"kps_{stride}"][0, cells].astype(np.float64).reshape(-1, 5, 2)
        landmarks.append((points + origin[:, None]) * stride)
        scores.append(score[cells])
    if not scores:
        return Candidates(np.zeros((0, 4)), np.zeros((0, 5, 2)), np.zeros(0))
    found = Candidates(np.concatenate(boxes), np.concatenate(landmarks), np.concatenate(scores))
    return found.take(np.argsort(-found.scores, kind="stable"))


def suppress(candidates: Candidates, overlap: float) -> Candidates:
    """Greedy non-maximum suppression: drops a box that overlaps a stronger one by more than ``overlap`` (IoU, 0-1)."""
    remaining = np.argsort(-candidates.scores, kind="stable")
    corner_x, corner_y = candidates.boxes[:, 0], candidates.boxes[:, 1]
    end_x, end_y = corner_x + candidates.boxes[:, 2], corner_y + candidates.boxes[:, 3]
    area = candidates.boxes[:, 2] * candidates.boxes[:, 3]
    kept: list[int] = []
    while len(remaining):
        best, rest = int(remaining[0]), remaining[1:]
        kept.append(best)
        width = np.minimum(end_x[best], end_x[rest]) - np.maximum(corner_x[best], corner_x[rest])
        height = np.minimum(end_y[best], end_y[rest]) - np.maximum(corner_y[best], corner_y[rest])
        shared = np.maximum(width, 0.0) * np.maximum(height, 0.0)
        remaining = rest[shared / (area[best] + area[rest] - shared) <= overlap]
    return candidates.take(kept)


def merge(parts: Sequence[Candidates], overlap: float) -> Candidates:
    """One suppressed set out of several looks at the same picture."""
    whole = Candidates(
        np.concatenate([part.boxes for part in parts]),
        np.concatenate([part.landmarks for part in parts]),
        np.concatenate([part.scores for part in parts]),
    )
    return suppress(whole, overlap)
