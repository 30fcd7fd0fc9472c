"""Views of an aligned face for training: turned, shifted, narrowed, blurred, shrunk, noisy, grey; drawn from a seed.

Whatever was done to the picture, the lesson stays what the teacher says about the face as it was. The student so learns
the teacher's answer and, beyond it, to give that answer on pictures that are worse.
"""

from __future__ import annotations

import cv2
import numpy as np

from samebody.lab.train.embed_faces import MARGIN
from samebody.types import Pixels


def draw_view(wide: Pixels, rng: np.random.Generator, strength: float = 1.0) -> Pixels:
    """One view of a face.

    Args:
        wide: (side + 2 MARGIN, side + 2 MARGIN, 3) uint8 RGB.
        rng: everything is drawn from it, always the same number of draws before the first branch.
        strength: 0 gives the middle of the crop, mirrored or not, grey or not; 1 the ranges below.

    Returns:
        (side, side, 3) uint8 RGB.
    """
    side = wide.shape[0] - 2 * MARGIN
    u = rng.random(12)
    turn, shift_x, shift_y, zoom = (2 * u[:4] - 1) * strength
    # a face turned to the side is narrower: foreshortening alone, up to 45 degrees, in a quarter of the views
    narrow = 1.0 - 0.3 * u[4] * strength if u[5] < 0.25 * strength else 1.0
    angle, scale = np.deg2rad(6.0 * turn), 1.0 + 0.06 * zoom
    mirrored = -1.0 if u[6] < 0.5 else 1.0
    linear = scale * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    linear = linear @ np.diag([narrow * mirrored, 1.0])
    middle = (wide.shape[0] - 1) / 2
    target = (side - 1) / 2 + 3.0 * np.array([shift_x, shift_y])
    matrix = np.hstack([linear, (target - linear @ [middle, middle])[:, None]])
    view = cv2.warpAffine(wide, matrix, (side, side), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    if u[7] < 0.5 * strength:
        view = _tones(view, rng, strength)
    if u[8] < 0.25:
        view = cv2.cvtColor(cv2.cvtColor(view, cv2.COLOR_RGB2GRAY), cv2.COLOR_GRAY2RGB)
    if u[9] < 0.5 * strength:
        view = _worse(view, rng, float(u[10]), int(u[11] * 4), strength)
    return np.asarray(view, dtype=np.uint8)


def _tones(view: Pixels, rng: np.random.Generator, strength: float) -> Pixels:
    """Gamma, contrast and a cast of colour, by one table for each channel."""
    u = (2 * rng.random(5) - 1) * strength
    levels = np.linspace(0, 1, 256) ** np.exp(0.4 * u[0])
    levels = 0.5 + (levels - 0.5) * (1 + 0.25 * u[1])
    table = np.clip(levels[:, None] * (1 + 0.1 * u[2:5]), 0, 1)
    tones = np.rint(255 * table).astype(np.uint8)
    return np.asarray(cv2.LUT(view, tones[None]), dtype=np.uint8)


def _worse(view: Pixels, rng: np.random.Generator, amount: float, kind: int, strength: float) -> Pixels:
    """Blur, low resolution, JPEG or noise of ``amount`` 0-1."""
    amount *= strength
    side = view.shape[0]
    if kind == 0:
        sigma = 0.4 + 2.2 * amount
        return np.asarray(cv2.GaussianBlur(view, (0, 0), sigma), dtype=np.uint8)
    if kind == 1:
        small = max(16, round(side / (1.3 + 3.2 * amount)))
        shrunk = cv2.resize(view, (small, small), interpolation=cv2.INTER_AREA)
        return np.asarray(cv2.resize(shrunk, (side, side), interpolation=cv2.INTER_CUBIC), dtype=np.uint8)
    if kind == 2:
        done, data = cv2.imencode(".jpg", view, [cv2.IMWRITE_JPEG_QUALITY, round(70 - 55 * amount)])
        decoded = cv2.imdecode(data, cv2.IMREAD_COLOR) if done else None
        return view if decoded is None else np.asarray(decoded, dtype=np.uint8)
    noise = (2 + 14 * amount) * rng.standard_normal(view.shape, dtype=np.float32)
    return np.asarray(np.clip(np.rint(view + noise), 0, 255), dtype=np.uint8)
