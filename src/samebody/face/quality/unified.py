"""The unified quality score: samebody's own combination of components, not the algorithm of ISO/IEC 29794-5."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from samebody.face.quality.mapping import sigmoid, to_quality
from samebody.face.results import FaceDetection, FaceMesh, QualityComponent

FLOOR = 0.02
"""A component of 0 leaves the score some way to fall for the others."""

WEIGHTS: Mapping[str, float] = {
    "detector_confidence": 1.0,
    "head_pose_yaw_frontal_alignment": 1.0,
    "inter_eye_distance": 1.0,
    "dynamic_range": 0.5,
    "mesh_presence": 0.5,
}
"""Exponents of the weighted geometric mean, found on half of the subjects by ``python -m benchmarks.face_quality --tune
--rounds 2``; inter-eye distance was added by hand, because on the same half it costs nothing overall and helps against
blur, low resolution and occlusion taken one by one (ADR 0022). Sharpness and occlusion earn no weight: what they tell
about a comparison is already in how sure detector and mesh are. They stay in the advice."""


def unified_features(
    detection: FaceDetection, mesh: FaceMesh | None, components: Sequence[QualityComponent]
) -> dict[str, float]:
    """What the score may use, each 0-1: every component, how sure the detector is, and how sure the mesh is."""
    features = {component.name: component.value / 100.0 for component in components}
    features["detector_confidence"] = sigmoid(detection.confidence, 0.82, 0.05)
    features["mesh_presence"] = mesh.presence**4 if mesh is not None else 0.0
    return features


def unified_from_features(features: Mapping[str, float], weights: Mapping[str, float] = WEIGHTS) -> int:
    """0-100: the weighted geometric mean of the features that were measured. Geometric, because one ruined property (no
    light, no focus) ruins the picture whatever the others are."""
    product, total = 1.0, 0.0
    for name, weight in weights.items():
        if weight and name in features:
            product *= max(features[name], FLOOR) ** weight
            total += weight
    return to_quality(100.0 * product ** (1.0 / total)) if total else 0


def unified_quality(detection: FaceDetection, mesh: FaceMesh | None, components: Sequence[QualityComponent]) -> int:
    """The unified score, 0-100, higher is better."""
    return unified_from_features(unified_features(detection, mesh, components))
