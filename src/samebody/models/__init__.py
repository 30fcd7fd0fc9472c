"""Model records: what samebody runs, where it comes from, what it may be used for and how well it was measured."""

from __future__ import annotations

from samebody.models.catalogue import Catalogue, catalogue, read_records, write_operating_points
from samebody.models.contracts import ALIGNMENT_TEMPLATES, ARCFACE_112, EmbeddingOutput, ImageInput
from samebody.models.points import ScoreHistogram
from samebody.models.record import ModelRecord
from samebody.models.sessions import (
    close_sessions,
    embed,
    embed_templates,
    open_session,
    open_tflite,
    preprocess,
    weights_path,
)

__all__ = [
    "ALIGNMENT_TEMPLATES",
    "ARCFACE_112",
    "Catalogue",
    "EmbeddingOutput",
    "ImageInput",
    "ModelRecord",
    "ScoreHistogram",
    "catalogue",
    "close_sessions",
    "embed",
    "embed_templates",
    "open_session",
    "open_tflite",
    "preprocess",
    "read_records",
    "weights_path",
    "write_operating_points",
]
