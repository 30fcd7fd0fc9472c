"""Model records: what samebody runs, where it comes from, what it may be used for and how well it was measured."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from samebody.models.catalogue import Catalogue, catalogue, read_records, write_operating_points, write_reliability
from samebody.models.contracts import (
    ALIGNMENT_TEMPLATES,
    ARCFACE_112,
    EmbeddingOutput,
    ImageInput,
    MaskOutput,
    ScoreOutput,
)
from samebody.models.detection import Detection, DetectionPoint, SpeciesRate
from samebody.models.outputs import bona_fide_scores, masks
from samebody.models.points import ScoreHistogram
from samebody.models.record import ModelRecord
from samebody.models.reliability import LikelihoodRatio, Reliability
from samebody.models.sessions import (
    close_sessions,
    embed,
    embed_templates,
    open_session,
    open_tflite,
    preprocess,
    weights_path,
)

if TYPE_CHECKING:
    from samebody.models.pulling import PullResult, pull, require_all

_PULLING = frozenset({"PullResult", "pull", "require_all"})


def __getattr__(name: str) -> Any:
    """Load what brings weights, with the network and ``onnx`` behind it, only when it is asked for."""
    if name in _PULLING:
        from samebody.models import pulling

        return getattr(pulling, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


__all__ = [
    "ALIGNMENT_TEMPLATES",
    "ARCFACE_112",
    "Catalogue",
    "Detection",
    "DetectionPoint",
    "EmbeddingOutput",
    "ImageInput",
    "LikelihoodRatio",
    "MaskOutput",
    "ModelRecord",
    "PullResult",
    "Reliability",
    "ScoreHistogram",
    "ScoreOutput",
    "SpeciesRate",
    "bona_fide_scores",
    "catalogue",
    "close_sessions",
    "embed",
    "embed_templates",
    "masks",
    "open_session",
    "open_tflite",
    "preprocess",
    "pull",
    "read_records",
    "require_all",
    "weights_path",
    "write_operating_points",
    "write_reliability",
]
