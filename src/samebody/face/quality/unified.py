"""The unified quality score: samebody's own combination of components, not the algorithm of ISO/IEC 29794-5."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from samebody.face.quality.mapping import sigmoid, to_quality
from samebody.face.results import FaceDetection, FaceMesh, QualityComponent

WEIGHTS: Mapping[str, float] = {
    "sharpness": 1.0,
    "inter_eye_distance": 0.5,
    "dynamic_range": 0.5,
    "head_pose_yaw_frontal_alignment": 1.0,
    "head_pose_pitch_frontal_alignment": 1.0,
    "detector_confidence": 1.0,
}


def unified_quality(detection: FaceDetection, mesh: FaceMesh | None, components: Sequence[QualityComponent]) -> int:
    """0-100, higher is better: a weighted geometric mean."""
    values = {component.name: component.value / 100.0 for component in components}
    values["detector_confidence"] = sigmoid(detection.confidence, 0.75, 0.05)
    product, total = 1.0, 0.0
    for name, weight in WEIGHTS.items():
        if name in values:
            product *= max(values[name], 0.01) ** weight
            total += weight
    return to_quality(100.0 * product ** (1.0 / max(total, 1e-9)))
