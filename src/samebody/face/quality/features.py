"""Measures on the parts of the face: openness of eyes and mouth, expression, and what the mesh shows of occlusion."""

from __future__ import annotations

import math

import cv2
import numpy as np
from numpy.typing import NDArray

from samebody.face import topology
from samebody.face.quality.frame import EYE_ROW, INTER_EYE, Mask, QualityFrame

_PAIRED = (
    *("mouthSmile", "mouthFrown", "mouthStretch", "mouthUpperUp", "mouthLowerDown"),
    *("browDown", "browOuterUp", "noseSneer", "eyeBlink", "eyeWide"),
)
EXPRESSIVE = (
    *("jawOpen", "mouthFunnel", "mouthPucker", "mouthLeft", "mouthRight", "browInnerUp", "cheekPuff"),
    *(stem + side for stem in _PAIRED for side in ("Left", "Right")),
)
"""Blendshapes that show an expression; gaze and the small movements of a resting mouth are left out."""


def eye_opening(frame: QualityFrame) -> float | None:
    """The smaller eye's largest lid distance over the length from eyes to chin (the standard's T)."""
    return _opening(frame, (topology.RIGHT_LIDS, topology.LEFT_LIDS))


def mouth_opening(frame: QualityFrame) -> float | None:
    """Largest distance of the inner lips over the length from eyes to chin (the standard's T)."""
    return _opening(frame, (topology.INNER_LIPS,))


def expression(frame: QualityFrame) -> float | None:
    """How far the face is from rest: Euclidean length of the 27 blendshapes that show an expression, each 0-1."""
    if frame.mesh is None:
        return None
    return math.sqrt(sum(frame.mesh.blendshapes[name] ** 2 for name in EXPRESSIVE))


def face_cover(frame: QualityFrame) -> float | None:
    """Share of the skin area, 0-1, that does not look like the rest of the face's skin.

    Something skin-coloured (a hand) is not seen, and what covers more than half of the face is taken for the skin.
    """
    area = _skin_area(frame)
    if area is None or area.sum() < 256:
        return None
    return float(_unlike(frame, area, area)[area].mean())


def mouth_cover(frame: QualityFrame) -> float | None:
    """Share of the lower face, 0-1, that does not look like the skin of the upper face."""
    area = _skin_area(frame)
    if area is None:
        return None
    rows = np.arange(area.shape[0])[:, None]
    lower, upper = area & (rows > EYE_ROW + 0.75 * INTER_EYE), area & (rows < EYE_ROW + 0.6 * INTER_EYE)
    if min(lower.sum(), upper.sum()) < 128:
        return None
    return float(_unlike(frame, upper, lower)[lower].mean())


def iris_contrast(frame: QualityFrame) -> float | None:
    """How much darker the iris is than the skin below the eye, over the skin's luminance: 0-1, of the worse eye.

    A lens, a patch or hair over the eye covers both and takes the contrast away.
    """
    if frame.points is None:
        return None
    contrasts = []
    for ring, iris in ((topology.RIGHT_EYE_RING, range(468, 473)), (topology.LEFT_EYE_RING, range(473, 478))):
        corners = frame.points[list(ring)]
        x, y = frame.points[list(iris)].mean(axis=0)
        seen = frame.square(x, y, 0.12 * INTER_EYE) & frame.inside
        skin = frame.square(float(corners[:, 0].mean()), float(corners[:, 1].max()) + 0.2 * INTER_EYE, 0.2 * INTER_EYE)
        skin &= frame.inside
        if not seen.any() or not skin.any():
            return None
        bright = float(np.median(frame.luminance[skin]))
        contrasts.append((bright - float(frame.luminance[seen].mean())) / (bright + 8.0))
    return max(0.0, min(contrasts))


def _opening(frame: QualityFrame, groups: tuple[tuple[tuple[int, int], ...], ...]) -> float | None:
    if frame.mesh is None:
        return None
    points = frame.mesh.points[:, :2]
    widest = [max(math.dist(points[upper], points[lower]) for upper, lower in group) for group in groups]
    return min(widest) / max(frame.eye_to_chin, 1e-6)


def _skin_area(frame: QualityFrame) -> Mask | None:
    """The face without eyes, brows and mouth, and without its rim, where hair and background begin."""
    if frame.points is None:
        return None
    kernel = np.ones((13, 13), np.uint8)
    face = np.asarray(cv2.erode(frame.face_mask.astype(np.uint8), kernel)) > 0
    parts = (
        frame.polygon((*topology.RIGHT_EYE_RING, 70, 63, 105, 66, 107), 1.2)
        | frame.polygon((*topology.LEFT_EYE_RING, 300, 293, 334, 296, 336), 1.2)
        | frame.polygon(topology.OUTER_LIPS, 1.15)
    )
    return face & ~parts


def _unlike(frame: QualityFrame, reference: Mask, area: Mask) -> Mask:
    """Where CIELAB differs from the median of ``reference``, after a small blur: by more than 32 in lightness, which
    shadow and shine on one face stay below, or by more than 14 in colour. Limits are ours."""
    smooth = cv2.GaussianBlur(frame.pixels, (0, 0), 2.0).astype(np.float32) / 255.0
    lab = cv2.cvtColor(smooth, cv2.COLOR_RGB2LAB)
    middle: NDArray[np.float32] = np.median(lab[reference], axis=0)
    light = np.abs(lab[..., 0] - middle[0]) > 32.0
    colour = np.hypot(lab[..., 1] - middle[1], lab[..., 2] - middle[2]) > 14.0
    return np.asarray((light | colour) & area)
