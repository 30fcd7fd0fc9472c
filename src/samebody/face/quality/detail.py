"""Measures of detail: sharpness, compression artefacts, uniformity of the background."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from samebody.face.geometry import halved
from samebody.face.quality.frame import REC709, QualityFrame

BLOCK = 8


def sharpness(frame: QualityFrame) -> float | None:
    """Fine detail over coarse detail at the edges of the face, in the normalised frame (80 pixels between the eyes).

    With G the luminance after Gaussian blurs: mean |G1 - G2| on the quarter of the face with the strongest edges, less
    the same mean on the weaker half, over mean |G2 - G8| on that quarter. The ratio cancels exposure and contrast; what
    the flat half shows is noise, which would else pass for detail; a magnified small face has no fine detail.
    """
    mask = _eroded(frame.face_mask, 4)
    if mask.sum() < 256:
        return None
    blurred = [cv2.GaussianBlur(frame.luminance, (0, 0), sigma) for sigma in (1.0, 2.0, 3.0, 8.0)]
    edges = np.hypot(cv2.Sobel(blurred[2], cv2.CV_32F, 1, 0), cv2.Sobel(blurred[2], cv2.CV_32F, 0, 1))
    median, upper = np.percentile(edges[mask], [50, 75])
    strong, weak = mask & (edges >= upper), mask & (edges <= median)
    detail = np.abs(blurred[0] - blurred[1])
    fine = float(detail[strong].mean() - detail[weak].mean())
    coarse = float(np.abs(blurred[1] - blurred[3])[strong].mean())
    return max(0.0, fine) / (coarse + 1.0)


def blockiness(frame: QualityFrame) -> float | None:
    """How much larger the steps across a grid of 8 pixels are than those inside it, at the picture's own resolution.

    A step counts by what it exceeds its two neighbours, so that a smooth gradient cancels out. The grid's origin is
    searched, so that a cropped picture is seen through. Natural logarithm of 1 plus the relative excess; 0 where no
    origin stands out. After Wang, Bovik, Evans, "Blind measurement of blocking artifacts in images", ICIP 2000.
    """
    box, picture = frame.detection.box, frame.image
    margin = 0.25 * max(box.width, box.height)
    x0, y0 = max(0, int(box.x - margin)), max(0, int(box.y - margin))
    x1 = min(picture.width, int(box.x + box.width + margin))
    y1 = min(picture.height, int(box.y + box.height + margin))
    region = picture.pixels[y0:y1, x0:x1][:1024, :1024].astype(np.float32) @ REC709
    if min(region.shape) < 4 * BLOCK:
        return None
    return float(np.log1p((_grid_excess(region) + _grid_excess(region.T)) / 2))


def background_gradient(frame: QualityFrame) -> float | None:
    """Mean Sobel gradient of luminance outside head and shoulders, in the frame's scale; None when less than 5 % of the
    picture is background.

    Without a segmentation network the head is an ellipse generous enough for hair, and everything below the chin
    counts as shoulders.
    """
    scale = min(1.0, frame.native_scale * 0.5)
    part, (width, height) = halved(frame.image.pixels, scale)
    size = (max(8, round(width * scale)), max(8, round(height * scale)))
    small = cv2.resize(part, size, interpolation=cv2.INTER_AREA).astype(np.float32) @ REC709
    chin = frame.eye_to_chin
    down = np.array([frame.right_eye[1] - frame.left_eye[1], frame.left_eye[0] - frame.right_eye[0]])
    down = down / max(float(np.linalg.norm(down)), 1e-9)
    stretch = np.array([size[0] / width, size[1] / height])
    columns, rows = np.meshgrid(np.arange(size[0]) + 0.5, np.arange(size[1]) + 0.5)
    offset_x = columns / stretch[0] - frame.eye_middle[0]
    offset_y = rows / stretch[1] - frame.eye_middle[1]
    along = offset_x * down[0] + offset_y * down[1]
    across = offset_x * down[1] - offset_y * down[0]
    head = (across / (1.25 * chin)) ** 2 + (along / (1.7 * chin)) ** 2 < 1.0
    background = ~head & (along < 0.8 * chin)
    if background.mean() < 0.05:
        return None
    gradient = np.hypot(cv2.Sobel(small, cv2.CV_32F, 1, 0), cv2.Sobel(small, cv2.CV_32F, 0, 1))
    return float(gradient[background].mean())


def _grid_excess(plane: NDArray[np.float32]) -> float:
    steps = np.abs(np.diff(plane, axis=1))
    neighbours = (steps[:, :-2] + steps[:, 2:]) / 2
    excess = np.maximum(steps[:, 1:-1] - neighbours, 0.0).mean(axis=0)
    usable = len(excess) // BLOCK * BLOCK
    phases = excess[:usable].reshape(-1, BLOCK).mean(axis=0)
    best = float(phases.max())
    others = float(np.median(phases))
    return max(0.0, best / (others + 0.05) - 1.0)


def _eroded(mask: NDArray[np.bool_], pixels: int) -> NDArray[np.bool_]:
    kernel = np.ones((2 * pixels + 1, 2 * pixels + 1), np.uint8)
    return np.asarray(cv2.erode(mask.astype(np.uint8), kernel)) > 0
