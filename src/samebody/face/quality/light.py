"""Measures of light and colour on the face: exposure, dynamic range, uniformity, natural colour."""

from __future__ import annotations

import cv2
import numpy as np

from samebody.face.quality.frame import Mask, QualityFrame

ZONE_BINS = 64
DARK, BRIGHT = 25.5, 246.5


def illumination_uniformity(frame: QualityFrame) -> float | None:
    """Overlap, 0-1, of the luminance histograms of the two cheek zones (64 bins, smoothed over the neighbouring bins,
    because a zone has only some 600 pixels)."""
    histograms = []
    for zone in frame.cheeks:
        if zone.sum() < 64:
            return None
        counts, _ = np.histogram(frame.luminance[zone], bins=ZONE_BINS, range=(0, 256))
        smooth = np.convolve(counts, [0.25, 0.5, 0.25], mode="same")
        histograms.append(smooth / smooth.sum())
    return float(np.minimum(histograms[0], histograms[1]).sum())


def dark_share(frame: QualityFrame) -> float | None:
    """Share of the face, 0-1, with luminance 0-25."""
    return _share(frame, frame.luminance < DARK)


def bright_share(frame: QualityFrame) -> float | None:
    """Share of the face, 0-1, with luminance 247-255."""
    return _share(frame, frame.luminance > BRIGHT)


def entropy(frame: QualityFrame) -> float | None:
    """Shannon entropy in bits of the 256-bin luminance histogram of the face."""
    values = frame.luminance[frame.face_mask]
    if not len(values):
        return None
    counts = np.bincount(np.round(values).astype(np.intp), minlength=256)
    shares = counts[counts > 0] / counts.sum()
    return float(-(shares * np.log2(shares)).sum())


def colour_distance(frame: QualityFrame) -> float | None:
    """Distance of the cheeks' mean CIELAB colour from natural skin, the box ``5 <= a* <= 25, 5 <= b* <= 35``.

    It is 100 when a* or b* is negative.
    """
    zone = frame.cheeks[0] | frame.cheeks[1]
    if zone.sum() < 64:
        return None
    lab = cv2.cvtColor(frame.pixels.astype(np.float32) / 255.0, cv2.COLOR_RGB2LAB)[zone].mean(axis=0)
    a, b = float(lab[1]), float(lab[2])
    if min(a, b) < -0.5:  # half a unit of rounding: a grey picture is not green
        return 100.0
    return float(np.hypot(max(5 - a, 0.0, a - 25), max(5 - b, 0.0, b - 35)))


def _share(frame: QualityFrame, condition: Mask) -> float | None:
    area = int(frame.face_mask.sum())
    return float((condition & frame.face_mask).sum() / area) if area else None
